/* lower_walk: what finished trees use: outer columns of a sub-select, and what a plan reads. */
#include "lower_internal.h"

#include <stdlib.h>

/* Called for each node, before what is below it. bound: slots that sub-selects around it bind. */
typedef void on_node(void *ctx, const struct gw_expr *e, uint64_t bound);

struct walk {
    on_node *on_node;
    void (*on_source)(void *ctx, const struct gw_source *s); /* or NULL */
    void *ctx;
    uint32_t depth, max_depth;
};

static void walk(struct walk *w, const struct gw_expr *e, uint64_t bound);

static void walk_all(struct walk *w, struct gw_expr *const *items, uint32_t n, uint64_t bound)
{
    for (uint32_t i = 0; i < n; i++)
        walk(w, items[i], bound);
}

static void walk_sub(struct walk *w, const struct gw_subselect *sub, uint64_t bound)
{
    for (uint32_t i = 0; i < sub->n_arms; i++) {
        const struct gw_subselect_arm *arm = &sub->arms[i];
        uint64_t inner = bound;
        for (uint32_t k = 0; k < arm->n_sources; k++)
            inner |= UINT64_C(1) << arm->sources[k].slot;
        walk_all(w, arm->where, arm->n_where, inner);
        for (uint32_t k = 0; k < arm->n_sources; k++) {
            const struct gw_source *s = &arm->sources[k];
            if (w->on_source)
                w->on_source(w->ctx, s);
            walk_all(w, s->keys, s->n_keys, inner);
            walk_all(w, s->on, s->n_on, inner);
            walk_all(w, s->where, s->n_where, inner);
        }
        if (arm->target)
            walk(w, arm->target, inner);
    }
}

static void walk(struct walk *w, const struct gw_expr *e, uint64_t bound)
{
    w->depth++;
    if (w->depth > w->max_depth)
        w->max_depth = w->depth;
    w->on_node(w->ctx, e, bound);
    walk_all(w, e->args, e->n_args, bound);
    if (e->sub)
        walk_sub(w, e->sub, bound);
    w->depth--;
}

/* ---- what a sub-select depends on ---- */

struct free_finder {
    struct gw_lower *l;
    struct gw_subselect *sub;
    uint32_t cap;
};

static void add_free(struct free_finder *f, struct gw_free_column column)
{
    struct gw_subselect *sub = f->sub;
    for (uint32_t i = 0; i < sub->n_free; i++)
        if (sub->free_columns[i].slot == column.slot &&
            sub->free_columns[i].column == column.column)
            return;
    if (sub->n_free == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 4;
        struct gw_free_column *grown =
            gw_arena_alloc(&f->l->r->rules->arena, f->cap * sizeof *grown);
        if (sub->n_free)
            memcpy(grown, sub->free_columns, sub->n_free * sizeof *grown);
        sub->free_columns = grown;
    }
    sub->free_columns[sub->n_free++] = column;
}

static void find_free(void *ctx, const struct gw_expr *e, uint64_t bound)
{
    struct free_finder *f = ctx;
    if (e->op == GW_EXPR_FACT)
        f->sub->caller_free = false;
    if (e->op == GW_EXPR_INPUT)
        add_free(f, (struct gw_free_column){UINT32_MAX, e->column});
    if (e->op == GW_EXPR_COLUMN && (bound >> e->slot & 1) == 0)
        add_free(f, (struct gw_free_column){e->slot, e->column});
    if (e->op == GW_EXPR_EXTERNAL && !f->l->r->externals[e->index].is_immutable)
        f->sub->has_volatile_input = true;
}

void gw_lower_find_free(struct gw_lower *l, struct gw_subselect *sub)
{
    struct free_finder f = {.l = l, .sub = sub};
    struct walk w = {.on_node = find_free, .ctx = &f};
    sub->caller_free = true;
    walk_sub(&w, sub, 0);
}

/* ---- what a plan uses ---- */

struct uses {
    struct gw_colset reads;
    bool *facts, *tables;
    bool is_assisted;
    const struct gw_lower_rules *r;
};

static void find_use(void *ctx, const struct gw_expr *e, uint64_t bound)
{
    struct uses *u = ctx;
    (void)bound;
    if (e->op == GW_EXPR_COLUMN && e->slot == 0)
        gw_colset_add(&u->reads, e->column);
    if (e->op == GW_EXPR_EXTERNAL)
        u->is_assisted = true;
    if (e->op != GW_EXPR_FACT)
        return;
    u->is_assisted |= !u->r->facts[e->index].native;
    if (u->facts)
        u->facts[e->index] = true;
}

static void find_table(void *ctx, const struct gw_source *s)
{
    struct uses *u = ctx;
    u->tables[s->table] = true;
}

bool gw_lower_is_assisted(const struct gw_lower_rules *r, const struct gw_expr *e)
{
    struct uses u = {.r = r};
    struct walk w = {.on_node = find_use, .ctx = &u};
    walk(&w, e, 0);
    return u.is_assisted;
}

static void pass_by(void *ctx, const struct gw_expr *e, uint64_t bound)
{
    (void)ctx;
    (void)e;
    (void)bound;
}

uint32_t gw_lower_height(const struct gw_expr *e)
{
    struct walk w = {.on_node = pass_by};
    walk(&w, e, 0);
    return w.max_depth;
}

static uint32_t *numbers_of(struct gw_arena *arena, const bool *flags, uint32_t n, uint32_t *out_n)
{
    *out_n = 0;
    for (uint32_t i = 0; i < n; i++)
        *out_n += flags[i];
    uint32_t *numbers = gw_arena_alloc(arena, *out_n * sizeof *numbers);
    for (uint32_t i = 0, at = 0; i < n; i++)
        if (flags[i])
            numbers[at++] = i;
    return numbers;
}

void gw_lower_find_uses(const struct gw_lower_rules *r, struct gw_plan *plan)
{
    struct gw_arena *arena = &r->rules->arena;
    struct uses u = {.r = r};
    struct walk w = {.on_node = find_use, .on_source = find_table, .ctx = &u};
    u.facts = gw_alloc(r->n_facts + 1);
    u.tables = gw_alloc(r->n_tables + 1);
    walk(&w, plan->expr, 0);
    plan->facts = numbers_of(arena, u.facts, r->n_facts, &plan->n_facts);
    plan->tables = numbers_of(arena, u.tables, r->n_tables, &plan->n_tables);
    bool reads[GW_COLSET_WORDS * 64];
    for (unsigned i = 0; i < GW_COLSET_WORDS * 64; i++)
        reads[i] = gw_colset_has(&u.reads, i);
    plan->reads = numbers_of(arena, reads, GW_COLSET_WORDS * 64, &plan->n_reads);
    free(u.facts);
    free(u.tables);
}
