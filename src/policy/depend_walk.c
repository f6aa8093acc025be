/* depend_walk: collects what one parsed statement names: tables, columns, functions.
 *
 * DESIGN. Every node is visited with an explicit stack. The names of CTEs travel down with the
 * stack, because they hide tables: each CTE sees those before it, all of them under RECURSIVE. What
 * was collected is matched at the end (depend_match.c). Any statement but SELECT makes the text
 * unknown. The tree's field names are those of Postgres' parse nodes (nodes/parsenodes.h). */
#include "depend_internal.h"

#include <jansson.h>
#include <stdlib.h>

struct scope { /* names of CTEs, innermost first */
    const struct scope *up;
    struct gw_span cte;
};

/* Where in the statement a node stands. */
struct place {
    const struct scope *scope;
    bool is_inner; /* inside a sub-select */
};

struct step {
    const json_t *node;
    struct place place;
};

struct walk {
    const struct gw_depend_text *text;
    const struct gw_catalog *c;
    struct gw_arena arena; /* scopes */
    struct step *steps;
    size_t n_steps, cap_steps;
    struct gw_depend_names names;
    size_t cap_refs, cap_from;
};

/* Room for one more item of size bytes. */
static void *grown(void *items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return items;
    *cap = *cap ? *cap * 2 : 16;
    return gw_realloc(items, *cap * size);
}

static void push(struct walk *w, const json_t *node, struct place place)
{
    if (!json_is_object(node) && !json_is_array(node))
        return;
    w->steps = grown(w->steps, w->n_steps, &w->cap_steps, sizeof *w->steps);
    w->steps[w->n_steps++] = (struct step){node, place};
}

static struct gw_span member(const json_t *node, const char *key)
{
    return gw_span_of(json_string_value(json_object_get(node, key)));
}

/* Item of a name list: {"String": {"sval": "…"}}; empty for anything else, such as a star. */
static struct gw_span name_at(const json_t *list, size_t i)
{
    return member(json_object_get(json_array_get(list, i), "String"), "sval");
}

/* The last two parts of a dotted name; schema is empty when there is only one. */
static void split_name(const json_t *list, struct gw_span *schema, struct gw_span *name)
{
    size_t n = json_array_size(list);
    *schema = n > 1 ? name_at(list, n - 2) : (struct gw_span){0};
    *name = n > 0 ? name_at(list, n - 1) : (struct gw_span){0};
}

static void add_from(struct walk *w, uint32_t table, struct gw_span alias, bool is_renamed)
{
    if (w->names.n_from == GW_DEPEND_FROM_MAX) {
        gw_depend_fail(w->text, "names more than %u tables", GW_DEPEND_FROM_MAX);
        return;
    }
    w->names.from = grown(w->names.from, w->names.n_from, &w->cap_from, sizeof *w->names.from);
    w->names.from[w->names.n_from++] = (struct gw_depend_from){table, alias, is_renamed};
}

static bool is_cte(const struct scope *scope, struct gw_span name)
{
    for (; scope; scope = scope->up)
        if (gw_span_eq(scope->cte, name))
            return true;
    return false;
}

static bool on_range_var(struct walk *w, const json_t *node, struct place place)
{
    struct gw_span schema = member(node, "schemaname"), name = member(node, "relname");
    const json_t *alias = json_object_get(node, "alias");
    struct gw_span called = alias ? member(alias, "aliasname") : name;
    bool is_renamed = json_array_size(json_object_get(alias, "colnames")) > 0;
    bool found = false;
    if (schema.n == 0 && is_cte(place.scope, name))
        return false;
    for (uint32_t i = 0; i < w->c->n_tables; i++) {
        const struct gw_catalog_table *t = &w->c->tables[i];
        if (!gw_span_eq(t->name, name) || (schema.n && !gw_span_eq(t->schema, schema)))
            continue;
        add_from(w, i, called, is_renamed);
        found = true;
    }
    if (!found)
        gw_depend_fail(w->text, "reads %.*s%s%.*s, which is no known table", (int)schema.n,
                       schema.n ? schema.p : "", schema.n ? "." : "", (int)name.n, name.p);
    return false;
}

static void add_ref(struct walk *w, struct gw_depend_ref ref)
{
    if (w->names.n_refs == GW_DEPEND_REFS_MAX) {
        gw_depend_fail(w->text, "holds more than %u column references", GW_DEPEND_REFS_MAX);
        w->text->unit->reads_all = true;
        return;
    }
    w->names.refs = grown(w->names.refs, w->names.n_refs, &w->cap_refs, sizeof *w->names.refs);
    w->names.refs[w->names.n_refs++] = ref;
}

static bool on_column_ref(struct walk *w, const json_t *node, struct place place)
{
    struct gw_depend_ref ref = {.is_inner = place.is_inner};
    split_name(json_object_get(node, "fields"), &ref.qualifier, &ref.name);
    if (ref.name.n == 0 && ref.qualifier.n == 0)
        w->names.reads_all = true;
    add_ref(w, ref);
    return false;
}

/* Built-in functions (by prefix) whose answer depends on tables, files or the session's past. */
static const char *const OPAQUE_FUNCTIONS[] = {
    "query_to_xml", "table_to_xml", "schema_to_xml", "database_to_xml", "cursor_to_xml",
    "pg_read_",     "pg_ls_",       "pg_stat_file",  "dblink",          "ts_stat",
    "ts_rewrite",   "lo_get",       "loread",        "currval",         "lastval",
    "nextval",      "setval",       "pg_sequence_",  "pg_logical_slot", "crosstab",
    "connectby",
};

static bool is_opaque_function(struct gw_span name)
{
    for (size_t i = 0; i < sizeof OPAQUE_FUNCTIONS / sizeof *OPAQUE_FUNCTIONS; i++) {
        size_t n = strlen(OPAQUE_FUNCTIONS[i]);
        if (name.n >= n && memcmp(name.p, OPAQUE_FUNCTIONS[i], n) == 0)
            return true;
    }
    return false;
}

static bool on_call(struct walk *w, const json_t *node, struct place place)
{
    struct gw_span schema, name;
    (void)place;
    split_name(json_object_get(node, "funcname"), &schema, &name);
    bool is_builtin = gw_span_is(schema, "pg_catalog");
    unsigned found = is_builtin ? 0 : gw_depend_add_calls(w->text, schema, name);
    if ((found == 0 || schema.n == 0) && is_opaque_function(name))
        gw_depend_fail(w->text, "calls %.*s", (int)name.n, name.p);
    else if (found == 0 && schema.n && !is_builtin)
        gw_depend_fail(w->text, "calls %.*s.%.*s, which is no known function", (int)schema.n,
                       schema.p, (int)name.n, name.p);
    return true;
}

/* An operator of another schema is somebody's function; which one, the tree does not tell. */
static void check_operator(struct walk *w, const json_t *list)
{
    struct gw_span schema, name;
    split_name(list, &schema, &name);
    if (schema.n && !gw_span_is(schema, "pg_catalog"))
        gw_depend_fail(w->text, "uses the operator %.*s.%.*s", (int)schema.n, schema.p, (int)name.n,
                       name.p);
}

static bool on_expression(struct walk *w, const json_t *node, struct place place)
{
    (void)place;
    check_operator(w, json_object_get(node, "name"));
    return true;
}

static bool on_sub_link(struct walk *w, const json_t *node, struct place place)
{
    (void)place;
    check_operator(w, json_object_get(node, "operName"));
    return true;
}

static bool on_sort(struct walk *w, const json_t *node, struct place place)
{
    (void)place;
    check_operator(w, json_object_get(node, "useOp"));
    return true;
}

static bool on_join(struct walk *w, const json_t *node, struct place place)
{
    const json_t *shared = json_object_get(node, "usingClause");
    for (size_t i = 0; i < json_array_size(shared); i++)
        add_ref(w, (struct gw_depend_ref){.name = name_at(shared, i), .is_inner = place.is_inner});
    if (json_is_true(json_object_get(node, "isNatural")) ||
        json_array_size(json_object_get(json_object_get(node, "alias"), "colnames")) > 0)
        w->names.reads_all = true;
    return true;
}

static bool on_into(struct walk *w, const json_t *node, struct place place)
{
    (void)node;
    (void)place;
    gw_depend_fail(w->text, "creates a table");
    return false;
}

static bool on_locking(struct walk *w, const json_t *node, struct place place)
{
    (void)w;
    (void)node;
    (void)place;
    return false; /* FOR UPDATE OF names aliases, not tables */
}

/* What to do at a node; the handler's answer: whether to go on into it. */
static const struct {
    const char *key;
    bool (*handle)(struct walk *w, const json_t *node, struct place place);
} HANDLERS[] = {
    {"RangeVar", on_range_var}, {"ColumnRef", on_column_ref}, {"FuncCall", on_call},
    {"A_Expr", on_expression},  {"SubLink", on_sub_link},     {"SortBy", on_sort},
    {"JoinExpr", on_join},      {"intoClause", on_into},      {"lockingClause", on_locking},
};

static bool is_other_statement(const char *key)
{
    size_t n = strlen(key);
    return n > 4 && strcmp(key + n - 4, "Stmt") == 0 && strcmp(key, "SelectStmt") != 0 &&
           strcmp(key, "ReturnStmt") != 0;
}

static bool visit(struct walk *w, const char *key, const json_t *value, struct place place)
{
    if (is_other_statement(key)) {
        gw_depend_fail(w->text, "does more than read (%s)", key);
        return false;
    }
    for (size_t i = 0; i < sizeof HANDLERS / sizeof *HANDLERS; i++)
        if (strcmp(key, HANDLERS[i].key) == 0)
            return HANDLERS[i].handle(w, value, place);
    return true;
}

static const struct scope *with_cte(struct walk *w, const struct scope *scope, const json_t *item)
{
    struct scope *inner = gw_arena_alloc(&w->arena, sizeof *inner);
    *inner = (struct scope){scope, member(json_object_get(item, "CommonTableExpr"), "ctename")};
    return inner;
}

/* Push the CTEs of a WITH; returns the scope of the statement behind. */
static const struct scope *enter_with(struct walk *w, const json_t *with, struct place place)
{
    const json_t *ctes = json_object_get(with, "ctes");
    bool is_recursive = json_is_true(json_object_get(with, "recursive"));
    const struct scope *all = place.scope;
    for (size_t i = 0; i < json_array_size(ctes); i++)
        all = with_cte(w, all, json_array_get(ctes, i));
    for (size_t i = 0; i < json_array_size(ctes); i++) {
        const json_t *cte = json_array_get(ctes, i);
        push(w, cte, (struct place){is_recursive ? all : place.scope, place.is_inner});
        place.scope = with_cte(w, place.scope, cte);
    }
    return all;
}

static void visit_object(struct walk *w, const json_t *node, struct place place)
{
    const json_t *with = json_object_get(node, "withClause");
    const char *key;
    json_t *value;
    if (with)
        place.scope = enter_with(w, with, place);
    json_object_foreach((json_t *)node, key, value)
    {
        struct place child = {place.scope, place.is_inner || strcmp(key, "subselect") == 0};
        if (value != with && visit(w, key, value, place))
            push(w, value, child);
    }
}

void gw_depend_walk(const struct gw_depend_text *text, const json_t *tree)
{
    struct walk w = {.text = text, .c = gw_depend_catalog(text->reader)};
    gw_arena_init(&w.arena, 0);
    push(&w, tree, (struct place){0});
    while (w.n_steps > 0) {
        struct step step = w.steps[--w.n_steps];
        if (json_is_object(step.node))
            visit_object(&w, step.node, step.place);
        for (size_t i = 0; i < json_array_size(step.node); i++)
            push(&w, json_array_get(step.node, i), step.place);
    }
    gw_depend_match(text, &w.names);
    gw_arena_fini(&w.arena);
    free(w.steps);
    free(w.names.refs);
    free(w.names.from);
}
