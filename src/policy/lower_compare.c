/* lower_compare: =, <>, <, …, IS DISTINCT FROM. A fact meets a caller-free value by equality only;
 * that is what can be turned round into a set of callers. */
#include "lower_internal.h"

/* What an untyped literal on the other side is. */
static uint32_t type_beside(const struct gw_bound *node, uint32_t side)
{
    return node->args[1 - side]->type_oid;
}

/* Both sides computed here, or NULL: nothing is refused. */
static struct gw_expr *natively(struct gw_lower *l, const struct gw_bound *node, enum gw_cmp cmp)
{
    struct gw_expr *sides[2];
    for (uint32_t i = 0; i < 2; i++) {
        const struct gw_bound *arg = node->args[i];
        uint32_t type = arg->op == GW_B_CONST && arg->type_oid == 0 ? type_beside(node, i) : 0;
        bool is_number = arg->op == GW_B_CONST && arg->type_oid == GW_OID_INT4 &&
                         type_beside(node, i) == GW_OID_NUMERIC;
        if (is_number)
            type = GW_OID_NUMERIC;
        sides[i] = type ? gw_lower_constant(l, arg, type) : gw_lower_native(l, arg);
        if (!sides[i])
            return NULL;
    }
    if (!gw_lower_kinds_compare(sides[0], cmp, sides[1]))
        return NULL;
    return gw_lower_compare(l, sides[0], cmp, sides[1]);
}

/* Values by whatever way, the comparison here. */
static struct gw_expr *by_values(struct gw_lower *l, const struct gw_bound *node, enum gw_cmp cmp)
{
    struct gw_expr *a = gw_lower_value(l, node->args[0], type_beside(node, 0));
    struct gw_expr *b = a ? gw_lower_value(l, node->args[1], type_beside(node, 1)) : NULL;
    if (!a || !b)
        return NULL;
    if (!gw_lower_kinds_compare(a, cmp, b))
        return gw_lower_refuse_node(
            l, "compares in a way that only Postgres decides what it does not know alone: ", node);
    return gw_lower_compare(l, a, cmp, b);
}

static bool has_look_up(struct gw_lower *l, const struct gw_bound *node)
{
    return (gw_lower_info(l, node)->bits & GW_LOWER_SUB) != 0;
}

static struct gw_expr *caller_free(struct gw_lower *l, const struct gw_bound *node, enum gw_cmp cmp)
{
    struct gw_expr *e = natively(l, node, cmp);
    if (e)
        return e;
    if (has_look_up(l, node))
        return by_values(l, node, cmp);
    return gw_lower_truth(l, gw_lower_external(l, node));
}

/* One side is a fact, the other caller-free. */
static struct gw_expr *with_fact(struct gw_lower *l, const struct gw_bound *node, enum gw_cmp cmp)
{
    bool is_equality = cmp == GW_CMP_EQ || cmp == GW_CMP_NE;
    if (!is_equality)
        return gw_lower_refuse_node(l, "compares the caller's claim by more than equality: ", node);
    return by_values(l, node, cmp);
}

static bool is_fact_and_free(struct gw_lower *l, const struct gw_bound *node)
{
    const struct gw_bound *a = node->args[0], *b = node->args[1];
    return (gw_lower_is_caller_only(l, a) && gw_lower_is_caller_free(l, b)) ||
           (gw_lower_is_caller_only(l, b) && gw_lower_is_caller_free(l, a));
}

/* ---- (a condition) = true ---- */

static bool is_condition(struct gw_lower *l, const struct gw_bound *node)
{
    bool is_value = node->op == GW_B_COLUMN || node->op == GW_B_CONST;
    return node->type_oid == GW_OID_BOOL && !is_value && !gw_lower_is_scalar(node) &&
           !gw_lower_is_caller_only(l, node);
}

static bool bool_literal(const struct gw_bound *node, bool *value)
{
    if (node->op != GW_B_CONST || node->is_null || node->type_oid != GW_OID_BOOL ||
        node->text.n == 0)
        return false;
    *value = node->text.p[0] == 't' || node->text.p[0] == 'T';
    return true;
}

/* The condition that node says is (not) so, or NULL. */
static const struct gw_bound *as_condition(struct gw_lower *l, const struct gw_bound *node,
                                           enum gw_cmp cmp)
{
    bool value;
    if (cmp != GW_CMP_EQ && cmp != GW_CMP_NE)
        return NULL;
    for (uint32_t i = 0; i < 2; i++) {
        const struct gw_bound *other = node->args[1 - i];
        if (!bool_literal(node->args[i], &value) || !is_condition(l, other))
            continue;
        return value == (cmp == GW_CMP_EQ) ? other : gw_lower_b_not(l, other);
    }
    return NULL;
}

/* ---- all ---- */

struct gw_expr *gw_lower_comparison(struct gw_lower *l, const struct gw_bound *node,
                                    enum gw_lower_when when)
{
    enum gw_cmp cmp = GW_CMP_EQ;
    gw_lower_cmp_of(node, &cmp);
    const struct gw_bound *condition = as_condition(l, node, cmp);
    if (!condition)
        condition = gw_lower_split(l, node);
    if (condition)
        return gw_lower_bool(l, condition, when);
    if (gw_lower_is_scalar(node->args[0]) || gw_lower_is_scalar(node->args[1])) {
        struct gw_expr *e = gw_lower_over_scalar(l, node, when);
        if (e || gw_lower_failed(l))
            return e;
    }
    if (gw_lower_is_caller_free(l, node))
        return gw_lower_turn(l, caller_free(l, node, cmp), when);
    if (is_fact_and_free(l, node))
        return gw_lower_turn(l, with_fact(l, node, cmp), when);
    return gw_lower_refuse_node(l, "mixes the caller's claims with the row in ", node);
}

/* a = b, true only where both are not null, or both are null. */
static const struct gw_bound *not_distinct(struct gw_lower *l, const struct gw_bound *a,
                                           const struct gw_bound *b)
{
    const struct gw_bound *equal =
        gw_lower_b_is(l, gw_lower_b_op(l, GW_SPAN_LIT("="), a, b), GW_IS_TRUE);
    const struct gw_bound *nulls =
        gw_lower_b_pair(l, GW_B_AND, gw_lower_b_is_null(l, a), gw_lower_b_is_null(l, b));
    return gw_lower_b_pair(l, GW_B_OR, equal, nulls);
}

struct gw_expr *gw_lower_distinct(struct gw_lower *l, const struct gw_bound *node,
                                  enum gw_lower_when when)
{
    const struct gw_bound *a = node->args[0], *b = node->args[1];
    if (gw_lower_is_caller_free(l, node)) {
        struct gw_expr *e = natively(l, node, GW_CMP_DISTINCT);
        if (e)
            return gw_lower_turn(l, node->is_not ? gw_lower_not(l, e) : e, when);
        if (!has_look_up(l, node))
            return gw_lower_leaf(l, node, when);
    }
    const struct gw_bound *same = not_distinct(l, a, b);
    return gw_lower_bool(l, node->is_not ? same : gw_lower_b_not(l, same), when);
}
