/* solve_shape: which sub-selects ask the same question. See solve_internal.h.
 *
 * DESIGN. A function that ten policies call is inlined ten times, and "who may see trip 42" is the
 * same set in all of them. So an answer is remembered under the shape of the sub-select, not under
 * its place: its tree written down, with row variables of its own numbered as they come and outer
 * columns by their position among the values that the answer is kept for (free_columns, in order of
 * first use). Two of one shape differ in nothing that an answer may depend on but those values. */
#include "solve_internal.h"

struct shaper {
    struct gw_buf out;
    const struct gw_subselect *top;
    uint32_t numbers[GW_RULES_SLOTS_MAX]; /* by slot; 0: not one of its own */
    uint32_t n_numbers;
    bool is_lost; /* too deep, or a column that is neither inner nor free: a shape of its own */
};

static void write_sub(struct shaper *s, const struct gw_subselect *sub, unsigned depth);

static void write_free(struct shaper *s, uint32_t slot, uint32_t column)
{
    uint32_t i = 0;
    while (i < s->top->n_free &&
           (s->top->free_columns[i].slot != slot || s->top->free_columns[i].column != column))
        i++;
    s->is_lost |= i == s->top->n_free;
    gw_buf_add_byte(&s->out, 'F');
    gw_buf_add_u32(&s->out, i);
}

static void write_column(struct shaper *s, const struct gw_expr *e)
{
    uint32_t number = e->slot < GW_RULES_SLOTS_MAX ? s->numbers[e->slot] : 0;
    if (number == 0) {
        write_free(s, e->slot, e->column);
        return;
    }
    gw_buf_add_byte(&s->out, 'L');
    gw_buf_add_u32(&s->out, number);
    gw_buf_add_u32(&s->out, e->column);
}

static void write_const(struct shaper *s, const struct gw_datum *d)
{
    gw_buf_add_byte(&s->out, (char)d->state);
    gw_buf_add_byte(&s->out, (char)d->kind);
    gw_buf_add_u64(&s->out, d->key.hi);
    gw_buf_add_u64(&s->out, d->key.lo);
    gw_buf_add_u64(&s->out, d->text.n);
    gw_buf_add_span(&s->out, d->text);
}

/* Depth: of the tree, which is bounded here as it is where it is solved. */
static void write_expr(struct shaper *s, const struct gw_expr *e, unsigned depth)
{
    s->is_lost |= depth >= GW_SOLVE_DEPTH_MAX;
    if (s->is_lost)
        return;
    gw_buf_add_byte(&s->out, (char)e->op);
    gw_buf_add_byte(&s->out, (char)e->kind);
    gw_buf_add_byte(&s->out, (char)e->cmp);
    gw_buf_add_byte(&s->out, (char)e->test);
    gw_buf_add_byte(&s->out, (char)e->caller_free);
    gw_buf_add_u32(&s->out, e->type_oid);
    gw_buf_add_u32(&s->out, e->index);
    if (e->op == GW_EXPR_COLUMN)
        write_column(s, e);
    if (e->op == GW_EXPR_INPUT)
        write_free(s, UINT32_MAX, e->column);
    if (e->op == GW_EXPR_CONST)
        write_const(s, &e->datum);
    gw_buf_add_u32(&s->out, e->n_args);
    for (uint32_t i = 0; i < e->n_args; i++)
        write_expr(s, e->args[i], depth + 1);
    gw_buf_add_byte(&s->out, e->sub ? 'S' : '-');
    if (e->sub)
        write_sub(s, e->sub, depth + 1);
}

static void write_list(struct shaper *s, struct gw_expr *const *list, uint32_t n, unsigned depth)
{
    gw_buf_add_u32(&s->out, n);
    for (uint32_t i = 0; i < n; i++)
        write_expr(s, list[i], depth);
}

static void write_source(struct shaper *s, const struct gw_source *source, unsigned depth)
{
    gw_buf_add_u32(&s->out, source->table);
    gw_buf_add_u32(&s->out, (uint32_t)source->index);
    gw_buf_add_byte(&s->out, (char)source->is_left);
    write_list(s, source->keys, source->n_keys, depth); /* over what was bound before */
    if (source->slot >= GW_RULES_SLOTS_MAX) {
        s->is_lost = true;
        return;
    }
    s->numbers[source->slot] = ++s->n_numbers;
    write_list(s, source->on, source->n_on, depth);
    write_list(s, source->where, source->n_where, depth);
}

static void write_sub(struct shaper *s, const struct gw_subselect *sub, unsigned depth)
{
    gw_buf_add_byte(&s->out, (char)sub->caller_free);
    gw_buf_add_byte(&s->out, (char)sub->has_volatile_input);
    gw_buf_add_u32(&s->out, sub->n_arms);
    for (uint32_t i = 0; i < sub->n_arms; i++) {
        const struct gw_subselect_arm *arm = &sub->arms[i];
        write_list(s, arm->where, arm->n_where, depth);
        gw_buf_add_u32(&s->out, arm->n_sources);
        for (uint32_t k = 0; k < arm->n_sources; k++)
            write_source(s, &arm->sources[k], depth);
        gw_buf_add_byte(&s->out, arm->target ? 'T' : '-');
        if (arm->target)
            write_expr(s, arm->target, depth);
    }
}

/* Equal bytes, equal number. */
static uint32_t shape_of(struct gw_map *known, uint32_t site, const struct gw_subselect *sub)
{
    struct shaper s = {.top = sub};
    gw_buf_init(&s.out, 0);
    gw_buf_add_u32(&s.out, sub->n_free);
    write_sub(&s, sub, 0);
    if (s.is_lost) {
        gw_buf_reset(&s.out);
        gw_buf_add_byte(&s.out, '!');
        gw_buf_add_u32(&s.out, site);
    }
    uintptr_t number = (uintptr_t)gw_map_find(known, gw_buf_span(&s.out));
    if (!number) {
        number = known->count + 1;
        gw_map_put(known, gw_buf_span(&s.out), (void *)number);
    }
    gw_buf_fini(&s.out);
    return (uint32_t)number;
}

static void visit(struct gw_solve_site *sites, struct gw_map *known, const struct gw_expr *e,
                  unsigned depth);

static void visit_list(struct gw_solve_site *sites, struct gw_map *known,
                       struct gw_expr *const *list, uint32_t n, unsigned depth)
{
    for (uint32_t i = 0; i < n; i++)
        visit(sites, known, list[i], depth);
}

static void visit_sub(struct gw_solve_site *sites, struct gw_map *known,
                      const struct gw_subselect *sub, unsigned depth)
{
    if (sites[sub->site].shape)
        return;
    sites[sub->site].shape = shape_of(known, sub->site, sub);
    for (uint32_t i = 0; i < sub->n_arms; i++) {
        const struct gw_subselect_arm *arm = &sub->arms[i];
        visit_list(sites, known, arm->where, arm->n_where, depth);
        for (uint32_t k = 0; k < arm->n_sources; k++) {
            const struct gw_source *source = &arm->sources[k];
            visit_list(sites, known, source->keys, source->n_keys, depth);
            visit_list(sites, known, source->on, source->n_on, depth);
            visit_list(sites, known, source->where, source->n_where, depth);
        }
        if (arm->target)
            visit(sites, known, arm->target, depth);
    }
}

static void visit(struct gw_solve_site *sites, struct gw_map *known, const struct gw_expr *e,
                  unsigned depth)
{
    if (depth >= GW_SOLVE_DEPTH_MAX) /* no solution gets there */
        return;
    visit_list(sites, known, e->args, e->n_args, depth + 1);
    if (e->sub)
        visit_sub(sites, known, e->sub, depth + 1);
}

void gw_solve_shapes(struct gw_solve_site *sites, const struct gw_rules *rules, uint64_t seed)
{
    struct gw_map known;
    gw_map_init(&known, seed);
    for (uint32_t i = 0; i < rules->n_plans; i++) {
        const struct gw_plan *plan = &rules->plans[i];
        if (plan->expr)
            visit(sites, &known, plan->expr, 0);
        for (uint32_t k = 0; k < plan->n_policies; k++)
            if (plan->policies[k].expr)
                visit(sites, &known, plan->policies[k].expr, 0);
    }
    gw_map_fini(&known);
}
