/* lower_arm: one SELECT: in which order its tables are looked up, by which keys, and where each
 * condition is told.
 *
 * Greedy: of the tables left, take the one that can be found best with what is bound by now: by its
 * whole primary key, by other columns equal to something bound, by columns equal to constants, at
 * last by looking at every row. Conditions stand where the last row they need is bound; those with
 * look-ups of their own behind the others, as Postgres orders them, too. A LEFT JOIN waits for what
 * its ON needs; its own conditions stay in ON. */
#include "lower_arm.h"

/* ---- conditions ---- */

static bool is_bound(const struct gw_arm_work *w, const struct gw_bound *node)
{
    const struct gw_lower_vars *vars = &gw_lower_info(w->l, node)->vars;
    return !gw_lower_vars_meet(vars, &w->open);
}

static bool has_look_up(const struct gw_arm_work *w, const struct gw_bound *node)
{
    return (gw_lower_info(w->l, node)->bits & GW_LOWER_SUB) != 0;
}

struct list {
    uint32_t n;
    struct gw_expr **items;
};

static struct list list_of(const struct gw_arm_work *w, uint32_t most)
{
    struct gw_arena *arena = &w->l->r->rules->arena;
    return (struct list){.items = gw_arena_alloc(arena, most * sizeof(struct gw_expr *))};
}

/* Lowers what can be told by now; false: refused. */
static bool take_conditions(struct gw_arm_work *w, struct gw_arm_conditions *c, struct list *out)
{
    for (int with_look_ups = 0; with_look_ups < 2; with_look_ups++)
        for (uint32_t i = 0; i < c->all.n; i++) {
            const struct gw_bound *node = c->all.items[i];
            if (c->used[i] || has_look_up(w, node) != with_look_ups || !is_bound(w, node))
                continue;
            struct gw_expr *e = gw_lower_bool(w->l, node, GW_LOWER_TRUE);
            if (!e)
                return false;
            c->used[i] = true;
            if (!gw_lower_is_true(e))
                out->items[out->n++] = e;
        }
    return true;
}

/* ---- tables ---- */

static bool open_source(struct gw_arm_work *w, struct gw_arm_source *s,
                        const struct gw_bound_from *from)
{
    struct gw_lower *l = w->l;
    s->from = from;
    gw_lower_vars_add(&w->open, from->var->number);
    struct gw_lower_conjuncts *where = from->is_left ? &s->on.all : &w->where.all;
    gw_lower_split_and(l, where, from->on);
    gw_lower_split_and(l, where, from->guard);
    s->on.used = gw_arena_alloc(l->r->scratch, s->on.all.n * sizeof(bool) + 1);
    int32_t table = gw_lower_table(l, from->var->table);
    if (table < 0)
        return false;
    s->table = (uint32_t)table;
    l->table_of[from->var->number] = table;
    return true;
}

static bool is_ready(struct gw_arm_work *w, struct gw_arm_source *s)
{
    struct gw_lower_vars others = w->open;
    uint32_t number = s->from->var->number;
    if (!s->from->is_left)
        return true;
    others.w[number / 64] &= ~(UINT64_C(1) << (number % 64));
    for (uint32_t i = 0; i < s->on.all.n; i++)
        if (gw_lower_vars_meet(&gw_lower_info(w->l, s->on.all.items[i])->vars, &others))
            return false;
    return true;
}

static struct gw_arm_source *choose(struct gw_arm_work *w, struct gw_arm_keys *keys)
{
    struct gw_arm_source *best = NULL;
    enum gw_arm_rank best_rank = GW_ARM_NOT_YET;
    for (uint32_t i = 0; i < w->n_sources; i++) {
        struct gw_arm_source *s = &w->sources[i];
        struct gw_arm_keys found = {0};
        if (s->is_placed || !is_ready(w, s))
            continue;
        enum gw_arm_rank rank = gw_arm_find_keys(w, s, &found);
        if (rank <= best_rank)
            continue;
        best = s;
        best_rank = rank;
        *keys = found;
    }
    return best;
}

static bool place(struct gw_arm_work *w, struct gw_arm_source *s, struct gw_arm_keys *keys,
                  struct gw_source *out)
{
    struct gw_lower *l = w->l;
    uint32_t number = s->from->var->number;
    *out = (struct gw_source){.table = s->table, .is_left = s->from->is_left, .index = -1};
    if (!gw_arm_use_keys(w, s, keys, out))
        return false;
    if (l->n_slots >= GW_RULES_SLOTS_MAX)
        return gw_lower_refuse(l,
                               "looks into tables more than %d times, with the policies before it",
                               GW_RULES_SLOTS_MAX - 1) != NULL;
    out->slot = l->slot_of[number] = l->n_slots++;
    s->is_placed = true;
    w->open.w[number / 64] &= ~(UINT64_C(1) << (number % 64));
    struct list on = list_of(w, s->on.all.n), where = list_of(w, w->where.all.n);
    if (!take_conditions(w, &s->on, &on) || !take_conditions(w, &w->where, &where))
        return false;
    out->on = on.items;
    out->n_on = on.n;
    out->where = where.items;
    out->n_where = where.n;
    return true;
}

/* ---- all ---- */

static bool open_arm(struct gw_arm_work *w, const struct gw_bound_arm *arm,
                     const struct gw_bound *condition)
{
    struct gw_arena *scratch = w->l->r->scratch;
    w->n_sources = arm->n_from;
    w->sources = gw_arena_alloc(scratch, arm->n_from * sizeof *w->sources);
    gw_lower_split_and(w->l, &w->where.all, arm->where);
    gw_lower_split_and(w->l, &w->where.all, condition);
    for (uint32_t i = 0; i < arm->n_from; i++)
        if (!open_source(w, &w->sources[i], &arm->from[i]))
            return false;
    w->where.used = gw_arena_alloc(scratch, w->where.all.n * sizeof(bool) + 1);
    return true;
}

bool gw_lower_arm(struct gw_lower *l, const struct gw_bound_arm *arm,
                  const struct gw_bound *condition, bool has_target, struct gw_subselect_arm *out)
{
    struct gw_arm_work w = {.l = l};
    *out = (struct gw_subselect_arm){.n_sources = arm->n_from};
    if (!open_arm(&w, arm, condition))
        return false;
    out->sources = gw_arena_alloc(&l->r->rules->arena, arm->n_from * sizeof *out->sources);
    struct list first = list_of(&w, w.where.all.n);
    if (!take_conditions(&w, &w.where, &first))
        return false;
    out->where = first.items;
    out->n_where = first.n;
    for (uint32_t i = 0; i < arm->n_from; i++) {
        struct gw_arm_keys keys = {0};
        struct gw_arm_source *s = choose(&w, &keys);
        if (!s)
            return gw_lower_refuse(l, "joins tables in a circle") != NULL;
        if (!place(&w, s, &keys, &out->sources[i]))
            return false;
    }
    if (has_target)
        out->target = gw_lower_value(l, arm->target, 0);
    return !has_target || out->target;
}
