/* bind_sub: sub-selects as values: EXISTS, IN, ALL, one value, an array.
 *
 * Where rows do not matter they go: a SELECT without FROM is its expression. Where duplicates or
 * their order would matter (a value, an array) DISTINCT, UNION and ORDER BY are refused. */
#include "bind_internal.h"

/* with_target: the first column. */
static struct gw_bound_select *make_select(struct gw_binder *b, const struct gw_bind_query *q,
                                           bool with_target)
{
    struct gw_bound_select *select = gw_arena_alloc(b->arena, sizeof *select);
    if (!select)
        return NULL;
    select->n_arms = q->n_arms;
    select->arms = gw_arena_alloc(b->arena, q->n_arms * sizeof *select->arms);
    for (uint32_t i = 0; select->arms && i < q->n_arms; i++) {
        const struct gw_bind_arm *arm = q->arms[i];
        select->arms[i] = (struct gw_bound_arm){.n_from = arm->n_from,
                                                .from = arm->from,
                                                .where = arm->where,
                                                .target = with_target ? arm->targets[0] : NULL};
    }
    return select->arms ? select : NULL;
}

static struct gw_bound *sub_node(struct gw_binder *b, enum gw_bound_sub kind, uint32_t type,
                                 struct gw_bound *value, struct gw_bound_select *select)
{
    struct gw_bound *node = select ? gw_bind_node(b, GW_B_SUB, type, value ? 1 : 0) : NULL;
    if (!node)
        return NULL;
    node->sub_kind = kind;
    node->select = select;
    if (value)
        node->args[0] = value;
    return node;
}

struct gw_bound *gw_bind_exists(struct gw_binder *b, const struct gw_bind_query *q)
{
    if (!q)
        return NULL;
    for (uint32_t i = 0; i < q->n_arms; i++) {
        if (q->arms[i]->has_rows_fn)
            return gw_bind_fail(b, "uses EXISTS over a function that returns rows");
        if (gw_bind_arm_is_value(q->arms[i]))
            return gw_bind_bool(b, true);
    }
    return sub_node(b, GW_B_EXISTS, GW_T_BOOL, NULL, make_select(b, q, false));
}

/* ---- one value ---- */

static bool check_scalar(struct gw_binder *b, const struct gw_bind_query *q, bool is_first)
{
    for (uint32_t i = 0; i < q->n_arms; i++)
        if (q->arms[i]->has_rows_fn)
            gw_bind_fail(b, "takes one value of a function that returns rows");
    if (is_first && q->is_ordered)
        gw_bind_fail(b, "uses ORDER BY to choose a row");
    else if (is_first && q->n_arms > 1)
        gw_bind_fail(b, "takes the first row of a UNION");
    else if (!is_first && q->is_distinct)
        gw_bind_fail(b, "takes one value of a DISTINCT or UNION");
    return b->why.n == 0;
}

struct gw_bound *gw_bind_scalar(struct gw_binder *b, const struct gw_bind_query *q, uint32_t column,
                                bool is_first)
{
    is_first = is_first || q->limit == GW_BIND_LIMIT_ONE;
    if (column >= q->n_columns)
        return gw_bind_fail(b, "takes a value of a sub-select without columns");
    struct gw_bound *target = q->arms[0]->targets[column];
    if (q->n_arms == 1 && gw_bind_arm_is_value(q->arms[0]))
        return gw_bind_reuse(b, target);
    if (!check_scalar(b, q, is_first))
        return NULL;
    struct gw_bound_select *select = make_select(b, q, true);
    for (uint32_t i = 0; select && i < q->n_arms; i++) {
        select->arms[i].target =
            gw_bind_hint(b, q->arms[i]->targets[column],
                         gw_bind_is_literal(target) ? GW_T_TEXT : target->type_oid);
        select->arms[i].is_limited = is_first;
    }
    return sub_node(b, GW_B_SCALAR, select ? select->arms[0].target->type_oid : 0, NULL, select);
}

/* ---- IN ---- */

/* x IN (SELECT unnest(a)) is x = ANY (a), and false, not null, where a is null. */
static struct gw_bound *in_elements(struct gw_binder *b, struct gw_bound *value,
                                    const struct gw_bound *call)
{
    struct gw_bound *array = call->args[0];
    struct gw_bound *any = gw_bind_node(b, GW_B_ANY, GW_T_BOOL, 2);
    if (!any)
        return NULL;
    any->text = GW_SPAN_LIT("=");
    any->args[0] = gw_bind_hint(b, value, gw_bind_element_of(b, array->type_oid));
    any->args[1] = array;
    if (array->op == GW_B_ARRAY)
        return any;
    return gw_bind_and(b, gw_bind_null_test(b, gw_bind_reuse(b, array), true), any);
}

static bool is_unnest(const struct gw_bind_query *q)
{
    const struct gw_bound *target = q->arms[0]->targets[0];
    return q->n_arms == 1 && q->arms[0]->has_rows_fn && target->op == GW_B_CALL &&
           target->n_args == 1 && gw_span_is(target->text, "pg_catalog.unnest");
}

static bool check_in(struct gw_binder *b, const struct gw_bind_query *q)
{
    if (q->n_columns != 1)
        gw_bind_fail(b, "compares with a sub-select of %u columns", q->n_columns);
    else if (q->limit != GW_BIND_LIMIT_NONE)
        gw_bind_fail(b, "compares with a sub-select that has a LIMIT");
    return b->why.n == 0;
}

struct gw_bound *gw_bind_in(struct gw_binder *b, struct gw_bound *value, struct gw_span op,
                            const struct gw_bind_query *q)
{
    bool is_one = q && q->n_arms == 1 && q->n_columns == 1 && gw_bind_arm_is_value(q->arms[0]);
    if (!q || !value)
        return NULL;
    struct gw_bound *first = q->arms[0]->targets[0];
    if (is_one && op.p[0] != 'O')
        return gw_bind_compare(b, gw_arena_copy(b->arena, op).p, value, first);
    if (!check_in(b, q))
        return NULL;
    if (is_unnest(q) && gw_span_is(op, "="))
        return in_elements(b, value, first);
    value = gw_bind_hint(b, value, gw_bind_is_literal(first) ? GW_T_TEXT : first->type_oid);
    struct gw_bound_select *select = make_select(b, q, true);
    for (uint32_t i = 0; select && value && i < q->n_arms; i++)
        select->arms[i].target = gw_bind_hint(b, select->arms[i].target, value->type_oid);
    struct gw_bound *node = sub_node(b, GW_B_IN, GW_T_BOOL, value, select);
    if (node)
        node->text = op;
    return node;
}

/* ---- SubLink ---- */

struct link {
    const struct json_t *node;
    struct gw_bind_scope *scope;
    struct gw_bind_query *q;
    bool is_filter; /* NULL and false count the same */
};

static struct gw_bound *bind_exists(struct gw_binder *b, const struct link *l)
{
    return gw_bind_exists(b, l->q);
}

static struct gw_bound *bind_value(struct gw_binder *b, const struct link *l)
{
    if (l->q->n_columns != 1)
        return gw_bind_fail(b, "takes a row of a sub-select as a value");
    return gw_bind_scalar(b, l->q, 0, false);
}

/* The left side; its operator must mean what it says beside every arm. */
static struct gw_bound *bind_left(struct gw_binder *b, const struct link *l, struct gw_span *op)
{
    const struct json_t *names = gw_bind_member(l->node, "operName");
    bool is_bare = gw_bind_size(names) <= 1 && !b->env->is_resolved;
    struct gw_bound *left = gw_bind_expr(b, l->scope, gw_bind_member(l->node, "testexpr"));
    *op = names ? gw_bind_op_name(b, names) : GW_SPAN_LIT("=");
    if (!left || op->n == 0 || l->q->n_columns != 1)
        return left && l->q->n_columns != 1 ? gw_bind_fail(b, "compares rows with a sub-select")
                                            : NULL;
    for (uint32_t i = 0; i < l->q->n_arms; i++)
        if (is_bare && !gw_bind_check_operands(b, *op, left, l->q->arms[i]->targets[0]))
            return NULL;
    return left;
}

/* (a, b) IN (SELECT x, y …) as EXISTS (SELECT … a = x AND b = y): the same where only truth counts.
 */
static struct gw_bound *bind_row_in(struct gw_binder *b, const struct link *l,
                                    const struct json_t *row)
{
    const struct json_t *names = gw_bind_member(l->node, "operName");
    bool is_equal = !names || gw_span_is(gw_bind_name_at(names, 0), "=");
    size_t n = gw_bind_size(row);
    if (!l->is_filter || !is_equal || n != l->q->n_columns || l->q->limit != GW_BIND_LIMIT_NONE)
        return gw_bind_fail(b, "compares rows with a sub-select");
    for (uint32_t k = 0; k < n * l->q->n_arms; k++) {
        struct gw_bind_arm *arm = l->q->arms[k / n];
        struct gw_bound *left = gw_bind_expr(b, l->scope, gw_bind_at(row, k % n));
        if (!left || !gw_bind_check_operands(b, GW_SPAN_LIT("="), left, arm->targets[k % n]))
            return NULL;
        struct gw_bound *equal = gw_bind_compare(b, "=", left, arm->targets[k % n]);
        arm->where = arm->where && equal ? gw_bind_and(b, arm->where, equal) : equal;
        if (!arm->where)
            return NULL;
    }
    return gw_bind_exists(b, l->q);
}

static struct gw_bound *bind_any(struct gw_binder *b, const struct link *l)
{
    const struct json_t *test = gw_bind_member(l->node, "testexpr"), *row;
    struct gw_span op;
    if (strcmp(gw_bind_kind(test, &row), "RowExpr") == 0)
        return bind_row_in(b, l, gw_bind_member(row, "args"));
    struct gw_bound *left = bind_left(b, l, &op);
    return left ? gw_bind_in(b, left, op, l->q) : NULL;
}

/* x <> ALL (SELECT …) is NOT (x IN (SELECT …)). */
static struct gw_bound *bind_all(struct gw_binder *b, const struct link *l)
{
    struct gw_span op;
    struct gw_bound *left = bind_left(b, l, &op);
    if (!left)
        return NULL;
    if (gw_span_is(op, "<>"))
        return gw_bind_unary(b, GW_B_NOT, GW_T_BOOL, gw_bind_in(b, left, GW_SPAN_LIT("="), l->q));
    struct gw_bound *node = gw_bind_in(b, left, op, l->q);
    if (!node || node->op != GW_B_SUB)
        return node; /* a single value */
    node->sub_kind = GW_B_ALL;
    return node;
}

/* As a set it may have any order and duplicates: is_all says that it is nothing more. */
static struct gw_bound *bind_array(struct gw_binder *b, const struct link *l)
{
    const struct gw_bind_query *q = l->q;
    for (uint32_t i = 0; i < q->n_arms; i++)
        if (q->arms[i]->has_rows_fn)
            return gw_bind_fail(b, "uses ARRAY over a function that returns rows");
    if (!check_in(b, q))
        return NULL;
    struct gw_bound *first = q->arms[0]->targets[0];
    struct gw_bound *node = sub_node(b, GW_B_ARRAY_OF, gw_bind_array_of(b, first->type_oid), NULL,
                                     make_select(b, q, true));
    if (node)
        node->is_all = q->is_distinct || q->is_ordered || q->n_arms > 1;
    return node;
}

static const struct {
    const char *kind;
    struct gw_bound *(*bind)(struct gw_binder *b, const struct link *l);
} KINDS[] = {
    {"EXISTS_SUBLINK", bind_exists}, {"EXPR_SUBLINK", bind_value},  {"ANY_SUBLINK", bind_any},
    {"ALL_SUBLINK", bind_all},       {"ARRAY_SUBLINK", bind_array},
};

struct gw_bound *gw_bind_sub_link(struct gw_binder *b, struct gw_bind_scope *scope,
                                  const struct json_t *node)
{
    struct gw_span kind = gw_bind_string(node, "subLinkType");
    const struct json_t *select = gw_bind_member(gw_bind_member(node, "subselect"), "SelectStmt");
    struct link l = {.node = node, .scope = scope, .is_filter = b->is_filter};
    b->is_filter = false;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (!gw_span_is(kind, KINDS[i].kind))
            continue;
        l.q = gw_bind_select(b, select, scope);
        return l.q ? KINDS[i].bind(b, &l) : NULL;
    }
    return gw_bind_fail(b, "uses a sub-select as %.*s", (int)kind.n, kind.n ? kind.p : "");
}
