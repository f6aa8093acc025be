/* depend_parse: the texts of policies and functions, turned into trees for depend_walk.
 *
 * DESIGN. libpg_query answers in JSON. A policy is parsed as "SELECT <qual>". A function is parsed
 * in up to two ways: its definition as a CREATE FUNCTION statement, for the defaults of parameters
 * and a BEGIN ATOMIC body, and its old-style body, in sql as statements, in plpgsql by the plpgsql
 * grammar, which yields the embedded pieces of SQL as strings. Such a piece is a statement, an
 * expression or an assignment; nothing says which, so the three are tried in that order.
 * jansson refuses trees deeper than 2048 levels; then the text counts as unreadable. */
#include "depend_internal.h"

#include <jansson.h>
#include <pg_query.h>
#include <stdlib.h>

/* NULL with a reason in why (owned, may be NULL) when sql does not parse. Returns owned. */
static json_t *parse_sql(const char *sql, char **why)
{
    json_t *tree = NULL;
    json_error_t error;
    PgQueryParseResult result = pg_query_parse(sql);
    if (!result.error) {
        tree = json_loads(result.parse_tree, 0, &error);
        if (!tree)
            *why = gw_strdup_span(gw_span_of(error.text));
    } else {
        *why = gw_strdup_span(gw_span_of(result.error->message));
    }
    pg_query_free_parse_result(result);
    return tree;
}

/* The text itself is unknown, so of a policy's row anything may be read. */
static void fail_unread(const struct gw_depend_text *text, const char *what, const char *why)
{
    gw_depend_fail(text, "%s: %s", what, why ? why : "no reason given");
    text->unit->reads_all = true;
}

static bool is_too_long(const struct gw_depend_text *text, struct gw_span sql)
{
    if (sql.n <= GW_DEPEND_TEXT_MAX)
        return false;
    fail_unread(text, "does not parse", "it is too long");
    return true;
}

/* Parse before + sql and return the tree, or NULL; why as in parse_sql. */
static json_t *parse_with(const char *before, struct gw_span sql, char **why)
{
    struct gw_buf buf;
    gw_buf_init(&buf, 0);
    gw_buf_add_str(&buf, before);
    gw_buf_add_span(&buf, sql);
    json_t *tree = parse_sql(gw_buf_cstr(&buf), why);
    gw_buf_fini(&buf);
    return tree;
}

/* Takes tree and why. Statement by statement: a column belongs to a table of its own statement. */
static void walk_or_fail(const struct gw_depend_text *text, json_t *tree, char *why)
{
    const json_t *statements = json_object_get(tree, "stmts");
    if (!tree)
        fail_unread(text, "does not parse", why);
    for (size_t i = 0; i < json_array_size(statements); i++)
        gw_depend_walk(text, json_array_get(statements, i));
    json_decref(tree);
    free(why);
}

static void read_statements(const struct gw_depend_text *text, struct gw_span sql)
{
    char *why = NULL;
    json_t *tree = parse_with("", sql, &why);
    walk_or_fail(text, tree, why);
}

/* "target := value" → "target , value", which as a SELECT list reads both; false: no ":=". */
static bool assignment_to_list(char *sql)
{
    char *sign = strstr(sql, ":=");
    if (!sign)
        return false;
    sign[0] = ' ';
    sign[1] = ',';
    return true;
}

/* A piece of SQL out of a plpgsql body. */
static void read_piece(const struct gw_depend_text *text, struct gw_span piece)
{
    char *why = NULL;
    json_t *tree = parse_with("", piece, &why);
    if (!tree) {
        free(why);
        why = NULL;
        tree = parse_with("SELECT ", piece, &why);
    }
    char *copy = gw_strdup_span(piece);
    if (!tree && assignment_to_list(copy)) {
        free(why);
        why = NULL;
        tree = parse_with("SELECT ", gw_span_of(copy), &why);
    }
    free(copy);
    walk_or_fail(text, tree, why);
}

/* Nodes of a plpgsql tree that run what cannot be known beforehand, or end a transaction. */
static const char *const PLPGSQL_OPAQUE[] = {
    "dynquery",          "PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors",
    "PLpgSQL_stmt_open", "PLpgSQL_stmt_forc",       "PLpgSQL_stmt_fetch",
    "PLpgSQL_stmt_call", "PLpgSQL_stmt_commit",     "PLpgSQL_stmt_rollback",
};

static bool is_opaque(const char *key)
{
    for (size_t i = 0; i < sizeof PLPGSQL_OPAQUE / sizeof *PLPGSQL_OPAQUE; i++)
        if (strcmp(key, PLPGSQL_OPAQUE[i]) == 0)
            return true;
    return false;
}

/* Nodes of a JSON tree still to be looked at. */
struct pending {
    json_t **items;
    size_t n, cap;
};

static void pending_push(struct pending *p, json_t *node)
{
    if (!json_is_object(node) && !json_is_array(node))
        return;
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 64;
        p->items = gw_realloc(p->items, p->cap * sizeof(json_t *));
    }
    p->items[p->n++] = node;
}

static void visit_plpgsql(const struct gw_depend_text *text, struct pending *p, const char *key,
                          json_t *value)
{
    if (is_opaque(key)) {
        gw_depend_fail(text, "runs dynamic SQL, a cursor or a CALL");
        return;
    }
    if (strcmp(key, "PLpgSQL_expr") != 0) {
        pending_push(p, value);
        return;
    }
    const char *query = json_string_value(json_object_get(value, "query"));
    if (query)
        read_piece(text, gw_span_of(query));
    else
        gw_depend_fail(text, "holds an expression without text");
}

static void read_plpgsql_tree(const struct gw_depend_text *text, json_t *tree)
{
    struct pending p = {0};
    pending_push(&p, tree);
    while (p.n > 0) {
        json_t *node = p.items[--p.n], *value;
        const char *key;
        for (size_t i = 0; i < json_array_size(node); i++)
            pending_push(&p, json_array_get(node, i));
        json_object_foreach(node, key, value)
        {
            visit_plpgsql(text, &p, key, value);
        }
    }
    free(p.items);
}

/* definition: NUL-terminated CREATE FUNCTION. */
static void read_plpgsql(const struct gw_depend_text *text, const char *definition)
{
    json_error_t error;
    PgQueryPlpgsqlParseResult result = pg_query_parse_plpgsql(definition);
    json_t *tree = result.error ? NULL : json_loads(result.plpgsql_funcs, 0, &error);
    if (result.error)
        gw_depend_fail(text, "does not parse: %s", result.error->message);
    else if (json_array_size(tree) != 1)
        gw_depend_fail(text, "does not parse as one plpgsql function");
    else
        read_plpgsql_tree(text, tree);
    json_decref(tree);
    pg_query_free_plpgsql_parse_result(result);
}

/* The CREATE FUNCTION node of a parsed definition, or NULL; borrowed from tree. */
static const json_t *create_function(const json_t *tree)
{
    const json_t *stmt = json_array_get(json_object_get(tree, "stmts"), 0);
    return json_object_get(json_object_get(stmt, "stmt"), "CreateFunctionStmt");
}

/* Parameter defaults and a BEGIN ATOMIC body; *has_body tells whether there was one. */
static void read_definition(const struct gw_depend_text *text, const char *definition,
                            bool *has_body)
{
    char *why = NULL;
    json_t *tree = parse_sql(definition, &why);
    const json_t *create = create_function(tree);
    if (create) {
        const json_t *body = json_object_get(create, "sql_body");
        gw_depend_walk(text, json_object_get(create, "parameters"));
        gw_depend_walk(text, body);
        *has_body = body != NULL;
    } else {
        fail_unread(text, "its definition does not parse", why);
    }
    json_decref(tree);
    free(why);
}

void gw_depend_parse_policy(const struct gw_depend_text *text, struct gw_span qual)
{
    char *why = NULL;
    if (is_too_long(text, qual))
        return;
    json_t *tree = parse_with("SELECT ", qual, &why);
    walk_or_fail(text, tree, why);
}

void gw_depend_parse_function(const struct gw_depend_text *text,
                              const struct gw_catalog_function *f)
{
    bool is_sql = gw_span_is(f->language, "sql");
    bool is_plpgsql = gw_span_is(f->language, "plpgsql");
    bool has_body = false;
    if (!is_sql && !is_plpgsql) {
        gw_depend_fail(text, "written in %.*s and not IMMUTABLE", (int)f->language.n,
                       f->language.p);
        return;
    }
    if (is_too_long(text, f->definition) || is_too_long(text, f->body))
        return;
    char *definition = gw_strdup_span(f->definition);
    if (f->definition.n)
        read_definition(text, definition, &has_body);
    if (is_plpgsql)
        read_plpgsql(text, definition);
    else if (!has_body && f->body.n)
        read_statements(text, f->body);
    else if (!has_body)
        gw_depend_fail(text, "has no body to read");
    free(definition);
}
