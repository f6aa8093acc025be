/* bind_aggregate: count() and array_agg(), as far as they ask for rows and not for numbers.
 *
 * SELECT expression of aggregates FROM … WHERE …, without GROUP BY, is one row: the expression,
 * with a sub-select in place of each aggregate. So it is read one scope further out, where the
 * tables that are counted are not to be seen, and the SELECT has no tables left.
 *
 *   count(…) > 0 and what says the same    EXISTS; no other use of a count is known
 *   x = ANY (array_agg(…))                 IN, but null where there are no rows: bind_op.c
 *
 * Until then a count is a GW_B_COUNT, and an array that is null instead of empty is marked so:
 * gw_bind_check_tree refuses what is left of them. */
#include "bind_internal.h"

#define DEPTH_MAX 16

/* ---- finding them ---- */

static struct gw_span aggregate_of(const struct json_t *call)
{
    const struct json_t *names = gw_bind_member(call, "funcname");
    size_t n = gw_bind_size(names);
    struct gw_span name = n ? gw_bind_name_at(names, n - 1) : (struct gw_span){0};
    bool is_builtin = n == 1 || (n == 2 && gw_span_is(gw_bind_name_at(names, 0), "pg_catalog"));
    bool is_it = gw_span_is(name, "count") || gw_span_is(name, "array_agg");
    return is_builtin && is_it ? name : (struct gw_span){0};
}

/* Somewhere in node, sub-selects aside. */
static bool has_aggregate(const struct json_t *node, unsigned depth)
{
    const struct json_t *body, *value;
    const char *kind = gw_bind_kind(node, &body), *key;
    void *at = NULL;
    if (depth == DEPTH_MAX || strcmp(kind, "SubLink") == 0)
        return false;
    if (strcmp(kind, "FuncCall") == 0 && aggregate_of(body).n)
        return true;
    for (size_t i = 0; i < gw_bind_size(node); i++)
        if (has_aggregate(gw_bind_at(node, i), depth + 1))
            return true;
    while (gw_bind_each(node, &at, &key, &value))
        if (has_aggregate(value, depth + 1))
            return true;
    return false;
}

bool gw_bind_is_aggregated(const struct json_t *targets)
{
    return gw_bind_size(targets) == 1 && has_aggregate(gw_bind_at(targets, 0), 0);
}

/* ---- making them ---- */

/* The rows that are counted; more: a condition, or NULL. */
static struct gw_bound *rows_node(struct gw_binder *b, enum gw_bound_sub kind,
                                  const struct gw_bind_arm *arm, struct gw_bound *more)
{
    struct gw_bound *node = gw_bind_node(b, GW_B_SUB, GW_T_BOOL, 0);
    struct gw_bound_select *select = gw_arena_alloc(b->arena, sizeof *select);
    struct gw_bound_arm *rows = gw_arena_alloc(b->arena, sizeof *rows);
    if (!node || !select || !rows)
        return NULL;
    rows->n_from = arm->n_from;
    rows->from = arm->from;
    rows->where = arm->where && more ? gw_bind_and(b, arm->where, more) : more ? more : arm->where;
    *select = (struct gw_bound_select){.n_arms = 1, .arms = rows};
    node->sub_kind = kind;
    node->select = select;
    return b->why.n ? NULL : node;
}

/* Of a table of the arm itself: a column from further out would make it the outer SELECT's. */
static bool is_column_of(const struct gw_bind_arm *arm, const struct gw_bound *value)
{
    for (uint32_t i = 0; value->op == GW_B_COLUMN && i < arm->n_from; i++)
        if (arm->from[i].var == value->var)
            return true;
    return false;
}

static struct gw_bound *bind_count(struct gw_binder *b, const struct gw_bind_arm *arm,
                                   struct gw_bound *value)
{
    bool is_every = !value || (value->op == GW_B_CONST && !value->is_null);
    if (!is_every && !is_column_of(arm, value))
        return gw_bind_fail(b, "uses count() of something else than a column");
    struct gw_bound *more = is_every ? NULL : gw_bind_null_test(b, value, true);
    struct gw_bound *node = rows_node(b, GW_B_COUNT, arm, more);
    if (node)
        node->type_oid = GW_T_INT8;
    return node;
}

static struct gw_bound *bind_array(struct gw_binder *b, const struct gw_bind_arm *arm,
                                   struct gw_bound *value)
{
    uint32_t type = value ? gw_bind_array_of(b, value->type_oid) : 0;
    if (type == 0 || !is_column_of(arm, value))
        return gw_bind_fail(b, "uses array_agg() of something else than a column");
    struct gw_bound *node = rows_node(b, GW_B_ARRAY_OF, arm, NULL);
    if (!node)
        return NULL;
    node->type_oid = type;
    node->is_null = node->is_all = true;
    node->select->arms[0].target = value;
    return node;
}

struct gw_bound *gw_bind_aggregate(struct gw_binder *b, struct gw_bind_scope *scope,
                                   const struct json_t *call, bool *is_it)
{
    const struct json_t *args = gw_bind_member(call, "args");
    struct gw_span name = aggregate_of(call);
    bool is_plain = !gw_bind_member(call, "agg_filter") && !gw_bind_member(call, "over") &&
                    !gw_bind_member(call, "func_variadic");
    bool is_count = gw_span_is(name, "count");
    *is_it = scope->counted && name.n && is_plain && gw_bind_size(args) < 2;
    if (!*is_it)
        return NULL;
    struct gw_bound *value =
        gw_bind_size(args) ? gw_bind_expr(b, scope->counted->scope, gw_bind_at(args, 0)) : NULL;
    if (gw_bind_size(args) && !value)
        return NULL;
    const struct gw_bind_arm *arm = scope->counted->arm;
    return is_count ? bind_count(b, arm, value) : bind_array(b, arm, value);
}

/* ---- what is known of them ---- */

static const struct gw_bound *count_of(const struct gw_bound *node)
{
    while (node->op == GW_B_CAST &&
           (gw_bind_is_integer(node->type_oid) || node->type_oid == GW_T_NUMERIC))
        node = node->args[0];
    return node->op == GW_B_SUB && node->sub_kind == GW_B_COUNT ? node : NULL;
}

/* By which comparisons with 0 and 1 a count says that there are rows, or none. */
static const struct {
    const char *op, *number;
    bool is_some;
} TESTS[] = {
    {">", "0", true},  {">=", "1", true}, {"<>", "0", true},
    {"=", "0", false}, {"<", "1", false}, {"<=", "0", false},
};

static struct gw_span turned(struct gw_span op)
{
    static const char *const PAIRS[][2] = {{"<", ">"}, {">", "<"}, {"<=", ">="}, {">=", "<="}};
    for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++)
        if (gw_span_is(op, PAIRS[i][0]))
            return gw_span_of(PAIRS[i][1]);
    return op;
}

struct gw_bound *gw_bind_count_test(struct gw_binder *b, struct gw_span op,
                                    const struct gw_bound *l, const struct gw_bound *r)
{
    const struct gw_bound *count = count_of(l), *number = r;
    if (!count) {
        count = count_of(r);
        number = l;
        op = turned(op);
    }
    bool is_number = number->op == GW_B_CONST && !number->is_null &&
                     (number->type_oid == 0 || gw_bind_is_integer(number->type_oid));
    for (size_t i = 0; count && is_number && i < sizeof TESTS / sizeof *TESTS; i++) {
        if (!gw_span_is(op, TESTS[i].op) || !gw_span_is(number->text, TESTS[i].number))
            continue;
        struct gw_bound *exists = gw_bind_copy(b, count);
        if (!exists)
            return NULL;
        exists->sub_kind = GW_B_EXISTS;
        exists->type_oid = GW_T_BOOL;
        return TESTS[i].is_some ? exists : gw_bind_unary(b, GW_B_NOT, GW_T_BOOL, exists);
    }
    return NULL;
}

struct gw_bound *gw_bind_null_of_no_rows(struct gw_binder *b, const struct gw_bound *array,
                                         struct gw_bound *in)
{
    const struct gw_bound_arm *arm = &array->select->arms[0];
    struct gw_bind_arm rows = {.n_from = arm->n_from, .from = arm->from, .where = arm->where};
    struct gw_bound *node = gw_bind_node(b, GW_B_CASE, GW_T_BOOL, 3);
    if (!node || !in)
        return NULL;
    node->args[0] = rows_node(b, GW_B_EXISTS, &rows, NULL);
    node->args[1] = in;
    node->args[2] = gw_bind_null(b, GW_T_BOOL);
    return node->args[0] && node->args[2] ? node : NULL;
}

struct gw_bound *gw_bind_or_empty(struct gw_binder *b, const struct gw_bound *coalesce)
{
    const struct gw_bound *array = coalesce->args[0], *other = coalesce->args[1];
    bool is_array = array->op == GW_B_SUB && array->sub_kind == GW_B_ARRAY_OF && array->is_null;
    bool is_empty = (other->op == GW_B_CONST && !other->is_null && gw_span_is(other->text, "{}")) ||
                    (other->op == GW_B_ARRAY && other->n_args == 0);
    if (coalesce->n_args != 2 || !is_array || !is_empty)
        return NULL;
    struct gw_bound *node = gw_bind_copy(b, array);
    if (node)
        node->is_null = false;
    return node;
}
