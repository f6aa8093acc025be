/* bind_pure: whether a body that is not inlined reads nothing but its arguments.
 *
 * Functions are declared IMMUTABLE that are not. One that is to stay a call, answered once and
 * remembered, must show it: no table, no setting, no dynamic SQL, and no call but of built-in
 * functions that are immutable themselves. */
#include "bind_internal.h"

#define HEIGHT_MAX 200u

static bool is_pure_tree(struct gw_binder *b, const struct json_t *node, uint32_t height);

static bool is_pure_call(const struct json_t *call)
{
    const struct json_t *names = gw_bind_member(call, "funcname");
    size_t n = gw_bind_size(names);
    struct gw_span schema = n > 1 ? gw_bind_name_at(names, n - 2) : (struct gw_span){0};
    const struct gw_bind_builtin *f =
        n ? gw_bind_builtin_find(gw_bind_name_at(names, n - 1)) : NULL;
    bool is_builtin = schema.n == 0 || gw_span_is(schema, "pg_catalog");
    return is_builtin && f && f->volatility == 'i';
}

/* A piece of plpgsql is an expression, an assignment or a statement. */
static bool is_pure_piece(struct gw_binder *b, struct gw_span sql, uint32_t height)
{
    const struct gw_bind_text *text = gw_bind_parse(b, "SELECT ", sql);
    const char *sign = memmem(sql.p, sql.n, ":=", 2);
    if (!text && sign) {
        gw_buf_reset(&b->why);
        size_t start = (size_t)(sign - sql.p) + 2;
        text = gw_bind_parse(b, "SELECT ", (struct gw_span){sql.p + start, sql.n - start});
    }
    if (!text) {
        gw_buf_reset(&b->why);
        text = gw_bind_parse(b, "", sql);
    }
    return text && is_pure_tree(b, text->tree, height);
}

static bool is_pure_member(struct gw_binder *b, const char *key, const struct json_t *value,
                           uint32_t height)
{
    static const char *const READS[] = {
        "RangeVar",          "SQLValueFunction", "PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors",
        "PLpgSQL_stmt_open", "PLpgSQL_stmt_call"};
    for (size_t i = 0; i < sizeof READS / sizeof *READS; i++)
        if (strcmp(key, READS[i]) == 0)
            return false;
    if (strcmp(key, "PLpgSQL_expr") == 0)
        return is_pure_piece(b, gw_bind_string(value, "query"), height + 1);
    if (strcmp(key, "FuncCall") == 0 && !is_pure_call(value))
        return false;
    return is_pure_tree(b, value, height + 1);
}

static bool is_pure_tree(struct gw_binder *b, const struct json_t *node, uint32_t height)
{
    const struct json_t *value;
    const char *key;
    void *at = NULL;
    if (height == HEIGHT_MAX)
        return false;
    for (size_t i = 0; i < gw_bind_size(node); i++)
        if (!is_pure_tree(b, gw_bind_at(node, i), height + 1))
            return false;
    while (gw_bind_each(node, &at, &key, &value))
        if (!is_pure_member(b, key, value, height))
            return false;
    return true;
}

bool gw_bind_is_pure(struct gw_binder *b, const struct gw_catalog_function *fn)
{
    const struct gw_bind_text *text;
    if (gw_span_is(fn->language, "plpgsql"))
        text = gw_bind_parse_plpgsql(b, fn->definition);
    else if (gw_span_is(fn->language, "sql"))
        text = gw_bind_parse(b, "", fn->body.n ? fn->body : fn->definition);
    else
        return true; /* its author's word */
    return text && is_pure_tree(b, text->tree, 0);
}
