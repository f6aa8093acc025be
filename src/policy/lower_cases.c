/* lower_cases: what depends on the caller and chooses between values is taken apart by its cases.
 *
 * Each choice is one condition with two outcomes:
 *     COALESCE(a, …)      a IS NOT NULL                 a, else the rest
 *     CASE WHEN c THEN v  c IS TRUE                     v, else the rest
 *     NULLIF(a, b)        (a = b) IS TRUE               NULL, else a
 *     a STRICT body       no argument IS NULL           the body, else NULL
 * The condition is never null, so P(choice) is (c AND P(then)) OR (NOT c AND P(else)) exactly, null
 * included, for every predicate P. */
#include "lower_internal.h"

struct fork {
    const struct gw_bound *condition, *negation, *then, *otherwise;
};

static bool chooses(const struct gw_bound *node)
{
    return node->op == GW_B_COALESCE || node->op == GW_B_CASE || node->op == GW_B_NULLIF ||
           (node->op == GW_B_STRICT && node->n_args > 1);
}

/* The same node without its first n arguments; the last one itself when only that is left. */
static const struct gw_bound *rest_of(struct gw_lower *l, const struct gw_bound *node, uint32_t n)
{
    struct gw_bound *rest = gw_lower_b_copy(l, node);
    rest->args += n;
    rest->n_args -= n;
    return rest->n_args == 1 ? rest->args[0] : rest;
}

static void fork_strict(struct gw_lower *l, const struct gw_bound *node, struct fork *f)
{
    struct gw_bound *all = gw_lower_b_new(l, GW_B_AND, GW_OID_BOOL, node->n_args - 1);
    struct gw_bound *any = gw_lower_b_new(l, GW_B_OR, GW_OID_BOOL, node->n_args - 1);
    for (uint32_t i = 1; i < node->n_args; i++) {
        all->args[i - 1] = (struct gw_bound *)gw_lower_b_is_not_null(l, node->args[i]);
        any->args[i - 1] = (struct gw_bound *)gw_lower_b_is_null(l, node->args[i]);
    }
    f->condition = all;
    f->negation = any;
    f->then = node->args[0];
    f->otherwise = gw_lower_b_null(l, node->args[0]->type_oid);
}

static void fork_on(struct gw_lower *l, const struct gw_bound *condition, struct fork *f)
{
    struct gw_bound *is = (struct gw_bound *)gw_lower_b_is(l, condition, GW_IS_TRUE);
    is->is_all =
        true; /* never null: AND would go on behind a null, to what CASE does not evaluate */
    f->condition = is;
    f->negation = gw_lower_b_is_not(l, condition, GW_IS_TRUE);
}

static struct fork fork_of(struct gw_lower *l, const struct gw_bound *node)
{
    struct fork f = {0};
    const struct gw_bound *first = node->args[0];
    switch (node->op) {
    case GW_B_COALESCE:
        f.condition = gw_lower_b_is_not_null(l, first);
        f.negation = gw_lower_b_is_null(l, first);
        f.then = first;
        f.otherwise = node->n_args > 1 ? rest_of(l, node, 1) : gw_lower_b_null(l, node->type_oid);
        break;
    case GW_B_CASE:
        fork_on(l, first, &f);
        f.then = node->args[1];
        f.otherwise = rest_of(l, node, 2);
        break;
    case GW_B_NULLIF:
        fork_on(l, gw_lower_b_op(l, GW_SPAN_LIT("="), first, node->args[1]), &f);
        f.then = gw_lower_b_null(l, node->type_oid);
        f.otherwise = first;
        break;
    default:
        fork_strict(l, node, &f);
    }
    return f;
}

static const struct gw_bound *join(struct gw_lower *l, const struct fork *f,
                                   const struct gw_bound *then, const struct gw_bound *otherwise)
{
    return gw_lower_b_pair(l, GW_B_OR, gw_lower_b_pair(l, GW_B_AND, f->condition, then),
                           gw_lower_b_pair(l, GW_B_AND, f->negation, otherwise));
}

/* A choice below casts, or NULL. */
static const struct gw_bound *choice_below(const struct gw_bound *node)
{
    while (node->op == GW_B_CAST)
        node = node->args[0];
    return chooses(node) ? node : NULL;
}

/* value under the casts that stood around the choice. */
static const struct gw_bound *recast(struct gw_lower *l, const struct gw_bound *around,
                                     const struct gw_bound *choice, const struct gw_bound *value)
{
    if (around == choice)
        return value;
    const struct gw_bound *inner = recast(l, around->args[0], choice, value);
    const struct gw_bound *cast = gw_lower_b_cast(l, inner, around->type_oid);
    return inner->op == GW_B_CONST ? gw_lower_clean(l, cast) : cast;
}

static const struct gw_bound *with_arg(struct gw_lower *l, const struct gw_bound *node, uint32_t at,
                                       const struct gw_bound *value)
{
    struct gw_bound *copy = gw_lower_b_copy(l, node);
    copy->args[at] = (struct gw_bound *)value;
    return copy;
}

/* Neither a value of the solver's nor a fact: has to be taken apart. */
static bool is_mixed(struct gw_lower *l, const struct gw_bound *node)
{
    return !gw_lower_is_caller_only(l, node) && !gw_lower_is_caller_free(l, node);
}

const struct gw_bound *gw_lower_split(struct gw_lower *l, const struct gw_bound *node)
{
    uint32_t n = node->op == GW_B_ANY ? 1 : node->n_args; /* arrays are no choices */
    for (uint32_t i = 0; i < n; i++) {
        const struct gw_bound *arg = node->args[i];
        const struct gw_bound *choice = choice_below(arg);
        if (!choice || !is_mixed(l, arg))
            continue;
        struct fork f = fork_of(l, choice);
        const struct gw_bound *then = recast(l, arg, choice, f.then);
        const struct gw_bound *otherwise = recast(l, arg, choice, f.otherwise);
        if (!then || !otherwise)
            return NULL;
        return join(l, &f, with_arg(l, node, i, then), with_arg(l, node, i, otherwise));
    }
    return NULL;
}

static bool is_bool_literal(const struct gw_bound *node, char first)
{
    return node->op == GW_B_CONST && !node->is_null && node->text.n > 0 && node->text.p[0] == first;
}

/* COALESCE of booleans needs no test for null: what is true is true, and what is false decides
 * nothing only where it is null. */
static const struct gw_bound *coalesce(struct gw_lower *l, const struct gw_bound *node)
{
    const struct gw_bound *first = node->args[0];
    if (node->n_args == 1)
        return first;
    const struct gw_bound *rest = rest_of(l, node, 1);
    if (is_bool_literal(rest, 'f'))
        return gw_lower_b_is(l, first, GW_IS_TRUE);
    if (is_bool_literal(rest, 't'))
        return gw_lower_b_is_not(l, first, GW_IS_FALSE);
    const struct gw_bound *otherwise =
        gw_lower_b_pair(l, GW_B_AND, gw_lower_b_is(l, first, GW_IS_UNKNOWN), rest);
    return gw_lower_b_pair(l, GW_B_OR, gw_lower_b_is(l, first, GW_IS_TRUE), otherwise);
}

const struct gw_bound *gw_lower_split_bool(struct gw_lower *l, const struct gw_bound *node)
{
    if (node->op == GW_B_STRICT && node->n_args == 1)
        return node->args[0];
    if (!chooses(node))
        return NULL;
    if (node->op == GW_B_COALESCE)
        return coalesce(l, node);
    struct fork f = fork_of(l, node);
    return join(l, &f, f.then, f.otherwise);
}
