/* lower_exists: EXISTS, IN, ALL and what compares with the one row of a sub-select, as EXISTS with
 * one condition more. That condition can be an index key, and rows that do not pass it are never
 * looked at.
 *
 * What is true of x IN (q): a row of q passes t = x. What is false: no row of q is t = x or null
 * there, that is: none is t = x, none has t null, and x is not null unless q is empty.
 * Of a sub-select with one row at most (by its primary keys), P((q)) is true if there is a row and
 * P(t), false if there is a row and not P(t), and null without a row: so for every P that is null
 * of null. */
#include "lower_internal.h"

bool gw_lower_is_scalar(const struct gw_bound *node)
{
    return node->op == GW_B_SUB && node->sub_kind == GW_B_SCALAR;
}

static struct gw_expr *exists(struct gw_lower *l, const struct gw_bound_select *select,
                              const struct gw_lower_test *test)
{
    return gw_lower_subselect(l, GW_EXPR_EXISTS, GW_KIND_BOOL, select, test);
}

static struct gw_expr *exists_where(struct gw_lower *l, const struct gw_bound *node, uint32_t arg,
                                    const struct gw_bound_select *select,
                                    enum gw_lower_test_kind kind)
{
    struct gw_lower_test test = {.kind = kind, .node = node, .arg = arg};
    return exists(l, select, &test);
}

/* ---- IN and ALL over tables ---- */

static bool has_nullable_target(const struct gw_lower *l, const struct gw_bound_select *select)
{
    for (uint32_t i = 0; i < select->n_arms; i++)
        if (!gw_lower_is_never_null(l, select->arms[i].target))
            return true;
    return false;
}

/* x = target, the target still to be filled in. */
static const struct gw_bound *comparison(struct gw_lower *l, const struct gw_bound *node,
                                         struct gw_span op)
{
    const struct gw_bound *target = node->select->arms[0].target;
    return gw_lower_b_op(l, op, node->args[0], target);
}

/* Where x IN (q) is false. */
static struct gw_expr *is_not_in(struct gw_lower *l, const struct gw_bound *node)
{
    const struct gw_bound *x = node->args[0];
    const struct gw_bound_select *q = node->select;
    const struct gw_bound *equal = comparison(l, node, GW_SPAN_LIT("="));
    struct gw_expr *all[3];
    uint32_t n = 0;
    all[n++] = gw_lower_not(l, exists_where(l, equal, 1, q, GW_LOWER_PASSES));
    if (!gw_lower_is_never_null(l, x)) {
        struct gw_expr *either[] = {
            gw_lower_bool(l, gw_lower_b_is_not_null(l, x), GW_LOWER_TRUE),
            gw_lower_not(l, exists(l, q, NULL)),
        };
        all[n++] = gw_lower_join(l, GW_EXPR_OR, either, 2);
    }
    if (has_nullable_target(l, q)) {
        const struct gw_bound *is_null = gw_lower_b_is_null(l, q->arms[0].target);
        all[n++] = gw_lower_not(l, exists_where(l, is_null, 0, q, GW_LOWER_PASSES));
    }
    return gw_lower_join(l, GW_EXPR_AND, all, n);
}

/* x op ANY (q) or x op ALL (q), where it is true (false: yes is not set). */
static struct gw_expr *quantified(struct gw_lower *l, const struct gw_bound *node, bool yes)
{
    const struct gw_bound *op = comparison(l, node, node->text);
    bool is_all = node->sub_kind == GW_B_ALL;
    if (!is_all && yes)
        return exists_where(l, op, 1, node->select, GW_LOWER_PASSES);
    if (is_all && !yes)
        return exists_where(l, op, 1, node->select, GW_LOWER_FAILS);
    if (gw_lower_is_op(node, is_all ? "<>" : "="))
        return is_not_in(l, node);
    return gw_lower_not(
        l, exists_where(l, op, 1, node->select, is_all ? GW_LOWER_MAY_FAIL : GW_LOWER_MAY_PASS));
}

/* ---- IN and ALL over rows that a function makes ---- */

static bool has_tables(const struct gw_bound_select *select)
{
    for (uint32_t i = 0; i < select->n_arms; i++)
        if (select->arms[i].n_from)
            return true;
    return false;
}

/* unnest(a): the array itself, empty where it is null. */
static const struct gw_bound *unnested(struct gw_lower *l, const struct gw_bound_select *select)
{
    const struct gw_bound *target = select->arms[0].target;
    bool is_plain = select->n_arms == 1 && !select->arms[0].where &&
                    gw_span_is(gw_lower_builtin(target), "unnest") && target->n_args == 1;
    if (!is_plain || !gw_lower_element_type(l, target->args[0]->type_oid) ||
        gw_lower_is_caller_only(l, target->args[0]))
        return NULL;
    uint32_t type = target->args[0]->type_oid;
    struct gw_bound *array = gw_lower_b_new(l, GW_B_COALESCE, type, 2);
    array->args[0] = target->args[0];
    array->args[1] = (struct gw_bound *)gw_lower_b_const(l, type, GW_SPAN_LIT("{}"));
    return array;
}

/* As = ANY (ARRAY(…)). */
static struct gw_expr *over_function(struct gw_lower *l, const struct gw_bound *node,
                                     enum gw_lower_when when)
{
    const struct gw_bound *array = unnested(l, node->select);
    if (!array) {
        struct gw_bound *of = gw_lower_b_new(l, GW_B_SUB, 0, 0);
        of->sub_kind = GW_B_ARRAY_OF;
        of->select = node->select;
        array = of;
    }
    struct gw_bound *any = (struct gw_bound *)gw_lower_b_pair(l, GW_B_ANY, node->args[0], array);
    any->text = node->text;
    any->is_all = node->sub_kind == GW_B_ALL;
    return gw_lower_any(l, any, when);
}

/* The arms with tables, or those without, as a sub-select of their own. */
static const struct gw_bound *arms_of(struct gw_lower *l, const struct gw_bound *node,
                                      bool with_tables)
{
    struct gw_bound *copy = gw_lower_b_copy(l, node);
    struct gw_bound_select *select = gw_arena_alloc(l->r->scratch, sizeof *select);
    select->arms = gw_arena_alloc(l->r->scratch, node->select->n_arms * sizeof *select->arms);
    for (uint32_t i = 0; i < node->select->n_arms; i++)
        if ((node->select->arms[i].n_from > 0) == with_tables)
            select->arms[select->n_arms++] = node->select->arms[i];
    copy->select = select;
    return copy;
}

static bool is_limited(struct gw_lower *l, const struct gw_bound_select *select)
{
    for (uint32_t i = 0; i < select->n_arms; i++)
        if (select->arms[i].is_limited && !gw_lower_is_single(l, select))
            return true;
    return false;
}

static struct gw_expr *membership(struct gw_lower *l, const struct gw_bound *node,
                                  enum gw_lower_when when)
{
    if (gw_lower_is_scalar(node->args[0])) {
        struct gw_expr *e = gw_lower_over_scalar(l, node, when);
        if (e || gw_lower_failed(l))
            return e;
    }
    const struct gw_bound *split = gw_lower_split(l, node);
    if (split)
        return gw_lower_bool(l, split, when);
    if (!has_tables(node->select))
        return over_function(l, node, when);
    const struct gw_bound *functions = arms_of(l, node, false);
    if (functions->select->n_arms > 0) {
        enum gw_bound_op joint = node->sub_kind == GW_B_ALL ? GW_B_AND : GW_B_OR;
        const struct gw_bound *both = gw_lower_b_pair(l, joint, functions, arms_of(l, node, true));
        return gw_lower_bool(l, both, when);
    }
    if (is_limited(l, node->select))
        return gw_lower_refuse(l, "takes one of several rows (LIMIT) of a sub-select");
    switch (when) {
    case GW_LOWER_TRUE:
        return quantified(l, node, true);
    case GW_LOWER_FALSE:
        return quantified(l, node, false);
    case GW_LOWER_EXACT:
        break;
    }
    struct gw_expr *yes = quantified(l, node, true);
    return gw_lower_three(l, yes, quantified(l, node, false));
}

/* ---- the one row of a sub-select ---- */

/* Which argument it is; n_args: node itself. */
static uint32_t scalar_arg(const struct gw_bound *node)
{
    for (uint32_t i = 0; i < node->n_args && !gw_lower_is_scalar(node); i++)
        if (gw_lower_is_scalar(node->args[i]))
            return i;
    return node->n_args;
}

static struct gw_expr *null_of_single(struct gw_lower *l, const struct gw_bound *node,
                                      enum gw_lower_when when)
{
    const struct gw_bound_select *select = node->args[0]->select;
    const struct gw_bound *test = gw_lower_b_is_not_null(l, node->args[0]);
    struct gw_expr *there = exists_where(l, test, 0, select, GW_LOWER_PASSES);
    return gw_lower_turn(l, node->is_not ? there : gw_lower_not(l, there), when);
}

/* x IN (q) is false, x op ALL (q) is true, where q is empty: even of a null, so even without a row
 * that x is the value of. */
static struct gw_expr *or_both_empty(struct gw_lower *l, const struct gw_bound *node, uint32_t arg,
                                     struct gw_expr *told)
{
    if (!told)
        return NULL;
    struct gw_expr *no_row = gw_lower_not(l, exists(l, node->args[arg]->select, NULL));
    struct gw_expr *both[] = {no_row, gw_lower_not(l, exists(l, node->select, NULL))};
    struct gw_expr *either[] = {told, gw_lower_join(l, GW_EXPR_AND, both, 2)};
    return gw_lower_join(l, GW_EXPR_OR, either, 2);
}

/* Where P of the one row's value is true, or false. */
static struct gw_expr *single_is(struct gw_lower *l, const struct gw_bound *node, uint32_t arg,
                                 bool yes)
{
    enum gw_lower_test_kind kind = yes ? GW_LOWER_PASSES : GW_LOWER_FAILS;
    if (gw_lower_is_scalar(node))
        return exists_where(l, NULL, arg, node->select, kind);
    struct gw_expr *told = exists_where(l, node, arg, node->args[arg]->select, kind);
    bool is_set = node->op == GW_B_SUB && (node->sub_kind == GW_B_ALL) == yes;
    return is_set ? or_both_empty(l, node, arg, told) : told;
}

static struct gw_expr *over_single(struct gw_lower *l, const struct gw_bound *node, uint32_t arg,
                                   enum gw_lower_when when)
{
    if (node->op == GW_B_NULL_TEST)
        return null_of_single(l, node, when);
    if (node->op == GW_B_ANY && node->args[1]->op != GW_B_ARRAY &&
        when != (node->is_all ? GW_LOWER_FALSE : GW_LOWER_TRUE))
        return NULL; /* of an empty array: not null, even without a row */
    if (when != GW_LOWER_EXACT)
        return single_is(l, node, arg, when == GW_LOWER_TRUE);
    struct gw_expr *yes = single_is(l, node, arg, true);
    return gw_lower_three(l, yes, single_is(l, node, arg, false));
}

static struct gw_expr *scalar(struct gw_lower *l, const struct gw_bound *sub)
{
    for (uint32_t i = 0; i < sub->select->n_arms; i++)
        if (sub->select->arms[i].is_limited)
            return gw_lower_refuse(l, "takes one of several rows (LIMIT) of a sub-select");
    return gw_lower_subselect(l, GW_EXPR_SCALAR, gw_lower_type_kind(l, sub->type_oid), sub->select,
                              NULL);
}

/* There may be several rows, which Postgres refuses: told only when they are looked at. */
static struct gw_expr *over_several(struct gw_lower *l, const struct gw_bound *node, uint32_t arg,
                                    enum gw_lower_when when)
{
    enum gw_cmp cmp;
    if (gw_lower_is_scalar(node))
        return gw_lower_turn(l, gw_lower_truth(l, scalar(l, node)), when);
    if (node->op == GW_B_NULL_TEST) {
        struct gw_expr *is = gw_lower_is_null(l, scalar(l, node->args[0]));
        return gw_lower_turn(l, node->is_not ? gw_lower_not(l, is) : is, when);
    }
    if (node->op != GW_B_OP || !gw_lower_cmp_of(node, &cmp) ||
        (cmp != GW_CMP_EQ && cmp != GW_CMP_NE))
        return NULL;
    const struct gw_bound *other = node->args[1 - arg];
    if (gw_lower_is_scalar(other))
        return NULL;
    struct gw_expr *a = scalar(l, node->args[arg]);
    struct gw_expr *b = a ? gw_lower_value(l, other, node->args[arg]->type_oid) : NULL;
    if (!a || !b || !gw_lower_kinds_compare(a, cmp, b))
        return NULL;
    return gw_lower_turn(l, gw_lower_compare(l, a, cmp, b), when);
}

struct gw_expr *gw_lower_over_scalar(struct gw_lower *l, const struct gw_bound *node,
                                     enum gw_lower_when when)
{
    uint32_t arg = scalar_arg(node);
    const struct gw_bound *sub = gw_lower_is_scalar(node) ? node : node->args[arg];
    if (!has_tables(sub->select))
        return NULL;
    if (gw_lower_is_single(l, sub->select))
        return over_single(l, node, arg, when);
    return over_several(l, node, arg, when);
}

/* ---- all ---- */

struct gw_expr *gw_lower_sub(struct gw_lower *l, const struct gw_bound *node,
                             enum gw_lower_when when)
{
    struct gw_expr *e;
    switch (node->sub_kind) {
    case GW_B_EXISTS:
        return gw_lower_turn(l, exists(l, node->select, NULL), when);
    case GW_B_IN:
    case GW_B_ALL:
        return membership(l, node, when);
    case GW_B_SCALAR:
        e = gw_lower_over_scalar(l, node, when);
        return e || gw_lower_failed(l) ? e : gw_lower_leaf(l, node, when);
    case GW_B_ARRAY_OF:
    case GW_B_COUNT:
        break;
    }
    return gw_lower_refuse_node(l, "uses an array of rows in ", node);
}
