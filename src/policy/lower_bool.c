/* lower_bool: booleans, taken apart until a caller-free value, a fact or a look-up is left. */
#include "lower_internal.h"

struct gw_expr *gw_lower_turn(struct gw_lower *l, struct gw_expr *exact, enum gw_lower_when when)
{
    if (exact && when != GW_LOWER_EXACT && gw_lower_is_null_const(exact))
        return gw_lower_bool_const(l, false); /* neither true nor false */
    return when == GW_LOWER_FALSE ? gw_lower_not(l, exact) : exact;
}

static struct gw_expr *negation(struct gw_lower *l, const struct gw_bound *inner,
                                enum gw_lower_when when)
{
    if (when == GW_LOWER_EXACT)
        return gw_lower_not(l, gw_lower_bool(l, inner, when));
    return gw_lower_bool(l, inner, when == GW_LOWER_TRUE ? GW_LOWER_FALSE : GW_LOWER_TRUE);
}

struct gw_expr *gw_lower_three(struct gw_lower *l, struct gw_expr *yes, struct gw_expr *no)
{
    if (!yes || !no)
        return NULL;
    struct gw_expr *unknown[] = {gw_lower_not(l, gw_lower_is(l, no, GW_IS_TRUE)),
                                 gw_lower_null(l, GW_KIND_BOOL)};
    struct gw_expr *either[] = {gw_lower_is(l, yes, GW_IS_TRUE),
                                gw_lower_join(l, GW_EXPR_AND, unknown, 2)};
    return gw_lower_join(l, GW_EXPR_OR, either, 2);
}

/* ---- AND, OR ---- */

static struct gw_expr *junction(struct gw_lower *l, const struct gw_bound *node,
                                enum gw_lower_when when)
{
    bool is_and = (node->op == GW_B_AND) != (when == GW_LOWER_FALSE);
    struct gw_expr **args = gw_arena_alloc(l->r->scratch, node->n_args * sizeof(struct gw_expr *));
    for (uint32_t i = 0; i < node->n_args; i++) {
        args[i] = gw_lower_bool(l, node->args[i], when);
        if (!args[i])
            return NULL;
    }
    return gw_lower_join(l, is_and ? GW_EXPR_AND : GW_EXPR_OR, args, node->n_args);
}

/* ---- tests ---- */

/* The test is never null: true where tested is, false elsewhere. */
static struct gw_expr *two_valued(struct gw_lower *l, struct gw_expr *tested, bool is_not,
                                  enum gw_lower_when when)
{
    if (!tested)
        return NULL;
    if (is_not == (when == GW_LOWER_FALSE) && when != GW_LOWER_EXACT)
        return tested; /* null may stand for false */
    struct gw_expr *is = gw_lower_is(l, tested, GW_IS_TRUE);
    return is_not != (when == GW_LOWER_FALSE) ? gw_lower_not(l, is) : is;
}

static struct gw_expr *bool_test(struct gw_lower *l, const struct gw_bound *node,
                                 enum gw_lower_when when)
{
    const struct gw_bound *arg = node->args[0];
    if (node->test != GW_IS_UNKNOWN) {
        enum gw_lower_when wanted = node->test == GW_IS_TRUE ? GW_LOWER_TRUE : GW_LOWER_FALSE;
        struct gw_expr *tested = gw_lower_bool(l, arg, wanted);
        if (node->is_all) /* of a choice, see lower_cases.c */
            tested = gw_lower_is(l, tested, GW_IS_TRUE);
        return two_valued(l, tested, node->is_not, when);
    }
    struct gw_expr *is = gw_lower_is(l, gw_lower_bool(l, arg, GW_LOWER_EXACT), GW_IS_UNKNOWN);
    return gw_lower_turn(l, node->is_not ? gw_lower_not(l, is) : is, when);
}

/* A boolean that is worked out, not read. */
static bool is_condition(const struct gw_bound *node)
{
    return node->type_oid == GW_OID_BOOL && node->op != GW_B_COLUMN && node->op != GW_B_CONST;
}

/* Rows are null if all their columns are: not what is asked of one value. */
static bool is_row_type(const struct gw_lower *l, uint32_t type_oid)
{
    const struct gw_type *t = gw_types_find(&l->r->catalog->types, type_oid);
    bool may_be = t && (t->kind == GW_TYPE_COMPOSITE || t->kind == GW_TYPE_DOMAIN) &&
                  gw_lower_type_kind(l, type_oid) == GW_KIND_OPAQUE;
    return type_oid == 0 || type_oid == 2249 /* record */ || may_be;
}

static struct gw_expr *null_test(struct gw_lower *l, const struct gw_bound *node,
                                 enum gw_lower_when when)
{
    const struct gw_bound *arg = node->args[0];
    struct gw_expr *is;
    if (gw_lower_is_never_null(l, arg))
        return gw_lower_turn(l, gw_lower_bool_const(l, node->is_not), when);
    if (gw_lower_is_scalar(arg)) {
        is = gw_lower_over_scalar(l, node, when);
        if (is || gw_lower_failed(l))
            return is;
    }
    const struct gw_bound *split = gw_lower_split(l, node);
    if (split)
        return gw_lower_bool(l, split, when);
    if (!gw_lower_is_caller_free(l, arg) && !is_condition(arg))
        return gw_lower_refuse_node(l,
                                    "tests for null what mixes the caller's claims with the "
                                    "row: ",
                                    arg);
    if (is_condition(arg))
        is = gw_lower_is(l, gw_lower_bool(l, arg, GW_LOWER_EXACT), GW_IS_UNKNOWN);
    else if (is_row_type(l, arg->type_oid) && arg->op != GW_B_CONST)
        return gw_lower_turn(l, gw_lower_truth(l, gw_lower_external(l, node)), when);
    else
        is = gw_lower_is_null(l, gw_lower_value(l, arg, 0));
    return gw_lower_turn(l, node->is_not ? gw_lower_not(l, is) : is, when);
}

/* ---- choices, leaves ---- */

/* Caller-free and without look-ups: all here, or all by Postgres, whichever is one piece. */
static bool is_simple(struct gw_lower *l, const struct gw_bound *node)
{
    uint32_t bits = gw_lower_info(l, node)->bits;
    return (bits & (GW_LOWER_CALLER | GW_LOWER_SUB)) == 0;
}

static struct gw_expr *choice(struct gw_lower *l, const struct gw_bound *node,
                              enum gw_lower_when when)
{
    if (is_simple(l, node)) {
        struct gw_expr *value = gw_lower_native(l, node);
        if (value)
            return gw_lower_turn(l, gw_lower_truth(l, value), when);
    }
    const struct gw_bound *split = gw_lower_split_bool(l, node);
    if (!split)
        return gw_lower_leaf(l, node, when);
    if (!is_simple(l, node) || l->native_only)
        return gw_lower_bool(l, split, when);
    l->native_only++;
    struct gw_expr *e = gw_lower_bool(l, split, when);
    l->native_only--;
    return e ? e : gw_lower_leaf(l, node, when);
}

/* text !~~ pattern */
static struct gw_expr *negated_native(struct gw_lower *l, const struct gw_bound *node)
{
    bool is_negated;
    if (node->op != GW_B_OP || gw_lower_native_fn(l, node, &is_negated) == GW_FN_NONE ||
        !is_negated)
        return NULL;
    struct gw_bound *positive = gw_lower_b_copy(l, node);
    positive->text = GW_SPAN_LIT("~~");
    return gw_lower_not(l, gw_lower_truth(l, gw_lower_native(l, positive)));
}

struct gw_expr *gw_lower_leaf(struct gw_lower *l, const struct gw_bound *node,
                              enum gw_lower_when when)
{
    if (gw_lower_is_caller_free(l, node)) {
        struct gw_expr *e = negated_native(l, node);
        if (!e)
            e = gw_lower_truth(l, gw_lower_value(l, node, GW_OID_BOOL));
        return gw_lower_turn(l, e, when);
    }
    if (node->op == GW_B_OP)
        return gw_lower_refuse_node(l,
                                    "compares the caller's claims by more than equality: ", node);
    return gw_lower_refuse_node(l, "mixes the caller's claims with the row in ", node);
}

/* ---- all ---- */

static struct gw_expr *of_op(struct gw_lower *l, const struct gw_bound *node,
                             enum gw_lower_when when)
{
    enum gw_cmp cmp;
    if (node->n_args == 2 && gw_lower_cmp_of(node, &cmp))
        return gw_lower_comparison(l, node, when);
    if (node->n_args == 2 && gw_lower_is_op(node, "?"))
        return gw_lower_json_key(l, node, when);
    const struct gw_bound *split = gw_lower_split(l, node);
    return split ? gw_lower_bool(l, split, when) : gw_lower_leaf(l, node, when);
}

/* A set of claims is worth more as a set than as one boolean per value. */
static bool is_in_claims(const struct gw_bound *node)
{
    const struct gw_bound *x = node->n_args ? node->args[0] : NULL;
    bool is_any = node->op == GW_B_ANY && node->args[1]->op != GW_B_ARRAY;
    bool is_in = node->op == GW_B_SUB && (node->sub_kind == GW_B_IN || node->sub_kind == GW_B_ALL);
    return (is_any || is_in) && x && x->op == GW_B_CONST && !x->is_null;
}

static struct gw_expr *by_op(struct gw_lower *l, const struct gw_bound *node,
                             enum gw_lower_when when)
{
    switch (node->op) {
    case GW_B_AND:
    case GW_B_OR:
        return junction(l, node, when);
    case GW_B_NOT:
        return negation(l, node->args[0], when);
    case GW_B_NULL_TEST:
        return null_test(l, node, when);
    case GW_B_BOOL_TEST:
        return bool_test(l, node, when);
    case GW_B_DISTINCT:
        return gw_lower_distinct(l, node, when);
    case GW_B_OP:
        return of_op(l, node, when);
    case GW_B_ANY:
        return gw_lower_any(l, node, when);
    case GW_B_SUB:
        return gw_lower_sub(l, node, when);
    case GW_B_COALESCE:
    case GW_B_CASE:
    case GW_B_NULLIF:
    case GW_B_STRICT:
        return choice(l, node, when);
    default:
        return gw_lower_leaf(l, node, when);
    }
}

struct gw_expr *gw_lower_bool(struct gw_lower *l, const struct gw_bound *node,
                              enum gw_lower_when when)
{
    if (gw_lower_failed(l))
        return NULL;
    if (gw_lower_is_caller_only(l, node) && !is_in_claims(node))
        return gw_lower_turn(l, gw_lower_truth(l, gw_lower_fact(l, node)), when);
    return by_op(l, node, when);
}
