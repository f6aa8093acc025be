/* bind_parse: texts of policies and bodies as trees, each parsed once per binder.
 *
 * libpg_query answers in JSON, jansson reads it; it refuses trees deeper than 2048 levels, then the
 * text counts as unreadable. The rest of bind sees the trees through the functions below. */
#include "bind_internal.h"

#include <jansson.h>
#include <pg_query.h>
#include <stdlib.h>

/* Takes over neither tree nor error; one of them is not NULL. */
static void keep(struct gw_bind_text *text, const char *tree, const char *error)
{
    json_error_t why = {.text = ""};
    if (tree)
        text->tree = json_loads(tree, 0, &why);
    if (!text->tree)
        text->error = gw_strdup_span(gw_span_of(error ? error : why.text));
}

static void parse_sql(struct gw_bind_text *text)
{
    PgQueryParseResult r = pg_query_parse(text->sql);
    keep(text, r.error ? NULL : r.parse_tree, r.error ? r.error->message : NULL);
    pg_query_free_parse_result(r);
}

static void parse_plpgsql(struct gw_bind_text *text)
{
    PgQueryPlpgsqlParseResult r = pg_query_parse_plpgsql(text->sql);
    keep(text, r.error ? NULL : r.plpgsql_funcs, r.error ? r.error->message : NULL);
    pg_query_free_plpgsql_parse_result(r);
}

/* Found by text, with a first byte that tells the two grammars apart. */
static const struct gw_bind_text *parse_once(struct gw_binder *b, char grammar, const char *prefix,
                                             struct gw_span sql)
{
    struct gw_buf key;
    if (sql.n > GW_BIND_TEXT_MAX)
        return gw_bind_fail(b, "is too long");
    gw_buf_init(&key, 0);
    gw_buf_add_byte(&key, grammar);
    gw_buf_add_str(&key, prefix);
    gw_buf_add_span(&key, sql);
    struct gw_bind_text *text = gw_map_find(&b->texts, gw_buf_span(&key));
    if (!text) {
        text = gw_alloc(sizeof *text);
        text->sql = gw_strdup_span((struct gw_span){key.p + 1, key.n - 1});
        if (grammar == 'p')
            parse_plpgsql(text);
        else
            parse_sql(text);
        gw_map_put(&b->texts, gw_buf_span(&key), text);
    }
    gw_buf_fini(&key);
    return text->tree ? text : gw_bind_fail(b, "does not parse: %s", text->error);
}

const struct gw_bind_text *gw_bind_parse(struct gw_binder *b, const char *prefix,
                                         struct gw_span sql)
{
    return parse_once(b, 's', prefix, sql);
}

const struct gw_bind_text *gw_bind_parse_plpgsql(struct gw_binder *b, struct gw_span definition)
{
    return parse_once(b, 'p', "", definition);
}

void gw_bind_text_free(struct gw_bind_text *text)
{
    json_decref(text->tree);
    free(text->sql);
    free(text->error);
    free(text);
}

const json_t *gw_bind_member(const json_t *node, const char *key)
{
    return json_object_get(node, key);
}

bool gw_bind_flag(const json_t *node, const char *key)
{
    return json_is_true(json_object_get(node, key));
}

struct gw_span gw_bind_string(const json_t *node, const char *key)
{
    return gw_span_of(json_string_value(json_object_get(node, key)));
}

int64_t gw_bind_integer(const json_t *node, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(node, key);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

struct gw_span gw_bind_name_at(const json_t *list, size_t i)
{
    return gw_bind_string(json_object_get(json_array_get(list, i), "String"), "sval");
}

size_t gw_bind_size(const json_t *list)
{
    return json_array_size(list);
}

const json_t *gw_bind_at(const json_t *list, size_t i)
{
    return json_array_get(list, i);
}

const char *gw_bind_kind(const json_t *node, const json_t **body)
{
    void *first = json_object_iter((json_t *)node);
    *body = first ? json_object_iter_value(first) : NULL;
    return first ? json_object_iter_key(first) : "";
}

bool gw_bind_each(const json_t *node, void **at, const char **key, const json_t **value)
{
    json_t *object = (json_t *)node;
    if (!json_is_object(node))
        return false;
    *at = *at ? json_object_iter_next(object, *at) : json_object_iter(object);
    if (!*at)
        return false;
    *key = json_object_iter_key(*at);
    *value = json_object_iter_value(*at);
    return true;
}

const json_t *gw_bind_only_select(const struct gw_bind_text *text)
{
    const json_t *list = json_object_get(text->tree, "stmts");
    const json_t *stmt = json_object_get(json_array_get(list, 0), "stmt");
    return json_array_size(list) == 1 ? json_object_get(stmt, "SelectStmt") : NULL;
}
