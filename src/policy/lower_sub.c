/* lower_sub: a sub-select of gw/expr.h: its arms, what it depends on outside, its place in the
 * memo. */
#include "lower_internal.h"

/* The test's condition on one arm's target. */
static const struct gw_bound *condition_of(struct gw_lower *l, const struct gw_lower_test *test,
                                           const struct gw_bound *target)
{
    const struct gw_bound *condition = target;
    if (test->node) {
        struct gw_bound *copy = gw_lower_b_copy(l, test->node);
        copy->args[test->arg] = (struct gw_bound *)target;
        condition = copy;
    }
    switch (test->kind) {
    case GW_LOWER_PASSES:
        return condition;
    case GW_LOWER_FAILS:
        return gw_lower_b_not(l, condition);
    case GW_LOWER_MAY_PASS:
        return gw_lower_b_is_not(l, condition, GW_IS_FALSE);
    case GW_LOWER_MAY_FAIL:
        return gw_lower_b_is_not(l, condition, GW_IS_TRUE);
    }
    return condition;
}

static bool has_false(struct gw_expr *const *items, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (gw_lower_is_false(items[i]))
            return true;
    return false;
}

static bool is_never(const struct gw_subselect_arm *arm)
{
    for (uint32_t i = 0; i < arm->n_sources; i++)
        if (has_false(arm->sources[i].where, arm->sources[i].n_where))
            return true;
    return has_false(arm->where, arm->n_where);
}

/* Also of one without FROM: then there is a row whatever the state. */
static bool is_always(const struct gw_subselect_arm *arm)
{
    return arm->n_sources == 0 && arm->n_where == 0;
}

static struct gw_expr *without_rows(struct gw_lower *l, enum gw_expr_op op, enum gw_kind kind)
{
    return op == GW_EXPR_EXISTS ? gw_lower_bool_const(l, false) : gw_lower_null(l, kind);
}

static void note_scans(struct gw_lower *l, const struct gw_subselect *sub)
{
    for (uint32_t i = 0; i < sub->n_arms; i++)
        for (uint32_t k = 0; k < sub->arms[i].n_sources; k++) {
            const struct gw_source *s = &sub->arms[i].sources[k];
            if (s->index < 0 && sub->n_free > 0)
                gw_lower_note(l, "looks at every row of ", l->r->tables[s->table].table->name);
        }
}

static bool take_arms(struct gw_lower *l, enum gw_expr_op op, const struct gw_bound_select *select,
                      const struct gw_lower_test *test, struct gw_subselect *sub)
{
    for (uint32_t i = 0; i < select->n_arms; i++) {
        const struct gw_bound_arm *arm = &select->arms[i];
        struct gw_subselect_arm *out = &sub->arms[sub->n_arms];
        bool makes_rows = arm->target && (gw_lower_info(l, arm->target)->bits & GW_LOWER_SET) != 0;
        if (makes_rows)
            return gw_lower_refuse_node(l, "uses the rows of ", arm->target) != NULL;
        const struct gw_bound *condition = test ? condition_of(l, test, arm->target) : NULL;
        if (!gw_lower_arm(l, arm, condition, op == GW_EXPR_SCALAR, out))
            return false;
        sub->n_arms += !is_never(out);
    }
    return true;
}

struct gw_expr *gw_lower_subselect(struct gw_lower *l, enum gw_expr_op op, enum gw_kind kind,
                                   const struct gw_bound_select *select,
                                   const struct gw_lower_test *test)
{
    struct gw_arena *arena = &l->r->rules->arena;
    struct gw_subselect *sub = gw_arena_alloc(arena, sizeof *sub);
    sub->arms = gw_arena_alloc(arena, select->n_arms * sizeof *sub->arms);
    if (!take_arms(l, op, select, test, sub))
        return NULL;
    if (sub->n_arms == 0)
        return without_rows(l, op, kind);
    for (uint32_t i = 0; op == GW_EXPR_EXISTS && i < sub->n_arms; i++)
        if (is_always(&sub->arms[i]))
            return gw_lower_bool_const(l, true);
    struct gw_expr *e = gw_lower_expr(l, op, kind, 0);
    if (!e)
        return NULL;
    sub->site = l->r->n_sites++;
    gw_lower_find_free(l, sub);
    note_scans(l, sub);
    e->type_oid = op == GW_EXPR_EXISTS
                      ? GW_OID_BOOL
                      : (select->arms[0].target ? select->arms[0].target->type_oid : 0);
    e->sub = sub;
    e->caller_free = sub->caller_free;
    return e;
}
