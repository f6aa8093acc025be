/* solve_rules: see solve_internal.h. Where nothing can raise, nothing need be worked out about who
 * is kept out by it: that is the usual case, and what this is for. */
#include "solve_internal.h"

bool gw_solve_native_may_raise(uint32_t fn)
{
    switch ((enum gw_native_fn)fn) {
    case GW_FN_JSON_GET:
    case GW_FN_JSON_GET_TEXT:
    case GW_FN_JSON_AT:
    case GW_FN_JSON_AT_TEXT:
    case GW_FN_JSON_PATH:
    case GW_FN_JSON_PATH_TEXT:
    case GW_FN_JSON_HAS:
    case GW_FN_TO_TEXT:
    case GW_FN_CONCAT:
    case GW_FN_LOWER:
    case GW_FN_UPPER:
    case GW_FN_LENGTH:
    case GW_FN_STRING_TO_ARRAY:
    case GW_FN_STARTS_WITH:
    case GW_FN_TRIM:
        return false;
    default: /* casts, split_part, a pattern that ends in its escape */
        return true;
    }
}

static bool any_may_raise(struct gw_solve_site *sites, struct gw_expr *const *list, uint32_t n,
                          unsigned depth)
{
    bool may = false; /* no short cut: every sub-select inside is to be seen */
    for (uint32_t i = 0; i < n; i++)
        may |= gw_solve_may_raise(sites, list[i], depth);
    return may;
}

static bool source_may_raise(struct gw_solve_site *sites, const struct gw_source *s, unsigned depth)
{
    bool keys = any_may_raise(sites, s->keys, s->n_keys, depth);
    bool on = any_may_raise(sites, s->on, s->n_on, depth);
    bool where = any_may_raise(sites, s->where, s->n_where, depth);
    return keys || on || where;
}

static bool sub_may_raise(struct gw_solve_site *sites, const struct gw_subselect *sub,
                          unsigned depth)
{
    struct gw_solve_site *site = &sites[sub->site];
    if (site->is_known)
        return site->may_raise;
    bool may = false;
    for (uint32_t i = 0; i < sub->n_arms; i++) {
        const struct gw_subselect_arm *arm = &sub->arms[i];
        may |= any_may_raise(sites, arm->where, arm->n_where, depth);
        for (uint32_t j = 0; j < arm->n_sources; j++)
            may |= source_may_raise(sites, &arm->sources[j], depth);
        if (arm->target)
            may |= gw_solve_may_raise(sites, arm->target, depth);
    }
    site->may_raise = may;
    site->is_known = true;
    return may;
}

bool gw_solve_may_raise(struct gw_solve_site *sites, const struct gw_expr *e, unsigned depth)
{
    if (depth >= GW_SOLVE_DEPTH_MAX)
        return true; /* and no solution gets there */
    bool may = any_may_raise(sites, e->args, e->n_args, depth + 1);
    if (e->sub)
        may |= sub_may_raise(sites, e->sub, depth + 1);
    switch (e->op) {
    case GW_EXPR_NATIVE:
        return may || gw_solve_native_may_raise(e->index);
    case GW_EXPR_EXTERNAL:
    case GW_EXPR_SCALAR:
        return true;
    case GW_EXPR_CONST:
        return may || e->datum.state == GW_DATUM_ERROR;
    default:
        return may;
    }
}
