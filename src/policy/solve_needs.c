/* solve_needs: see solve_internal.h. A question to Postgres is told by its external, the role, and
 * the texts of its arguments; the same bytes find the answer. Answers of immutable externals are
 * kept until the oldest must go; others, and those that did not come in time, until the next
 * judgement. */
#include "solve_internal.h"

#include <assert.h>
#include <stdlib.h>

struct answer {
    struct gw_list node;   /* in answers_lasting or answers_passing */
    struct gw_datum datum; /* text behind the struct, then key */
    struct gw_span key;
    char bytes[];
};

/* ---- keys ---- */

static void add_datum(struct gw_buf *b, const struct gw_datum *d)
{
    bool is_null = d->state == GW_DATUM_NULL;
    gw_buf_add_byte(b, is_null ? 'n' : 'v');
    if (is_null)
        return;
    gw_buf_add_u64(b, d->text.n);
    gw_buf_add_span(b, d->text);
}

static struct gw_span external_key(struct gw_solver *s, uint32_t external, uint16_t role_id,
                                   const struct gw_datum *args)
{
    struct gw_buf *b = &s->key_bytes;
    gw_buf_reset(b);
    gw_buf_add_byte(b, 'e');
    gw_buf_add_u32(b, external);
    gw_buf_add_u16(b, role_id);
    for (uint32_t i = 0; i < s->rules->externals[external].n_args; i++)
        add_datum(b, &args[i]);
    return gw_buf_span(b);
}

static struct gw_span lookup_key(struct gw_solver *s, uint32_t table, uint32_t index,
                                 uint32_t n_keys, const struct gw_datum *keys)
{
    struct gw_buf *b = &s->key_bytes;
    gw_buf_reset(b);
    gw_buf_add_byte(b, 'k');
    gw_buf_add_u32(b, table);
    gw_buf_add_u32(b, index);
    for (uint32_t i = 0; i < n_keys; i++) {
        gw_buf_add_u64(b, keys[i].key.hi);
        gw_buf_add_u64(b, keys[i].key.lo);
    }
    return gw_buf_span(b);
}

/* ---- needs ---- */

static bool is_new_need(struct gw_solver *s, struct gw_span key)
{
    if (gw_map_find(&s->needs_seen, key))
        return false;
    gw_map_put(&s->needs_seen, key, s);
    return true;
}

static const struct gw_datum *copy_data(struct gw_solver *s, const struct gw_datum *from,
                                        uint32_t n)
{
    struct gw_datum *to = gw_arena_alloc(&s->needs_arena, (n + 1) * sizeof *to);
    for (uint32_t i = 0; i < n; i++) {
        to[i] = from[i];
        to[i].text = gw_arena_copy(&s->needs_arena, from[i].text);
    }
    return to;
}

static void need_external(struct gw_solve_ctx *ctx, uint32_t external, struct gw_span key,
                          const struct gw_datum *args)
{
    struct gw_solver *s = ctx->solver;
    struct gw_needs *n = &s->needs;
    ctx->met_need = true;
    if (!is_new_need(s, key))
        return;
    if (n->n_externals == s->cap_externals) {
        s->cap_externals = s->cap_externals ? s->cap_externals * 2 : 8;
        s->need_externals =
            gw_realloc(s->need_externals, s->cap_externals * sizeof *s->need_externals);
        n->externals = s->need_externals;
    }
    s->need_externals[n->n_externals++] = (struct gw_need_external){
        .external = external,
        .role_id = ctx->plan->role_id,
        .args = copy_data(s, args, s->rules->externals[external].n_args),
    };
    s->stats.externals_asked++;
}

void gw_solve_need_key(struct gw_solve_ctx *ctx, uint32_t table, uint32_t index, uint32_t n_keys,
                       const struct gw_datum *key)
{
    struct gw_solver *s = ctx->solver;
    struct gw_needs *n = &s->needs;
    if (ctx->options->give_up)
        return;
    ctx->met_need = true;
    if (!is_new_need(s, lookup_key(s, table, index, n_keys, key)))
        return;
    if (n->n_keys == s->cap_keys) {
        s->cap_keys = s->cap_keys ? s->cap_keys * 2 : 8;
        s->need_keys = gw_realloc(s->need_keys, s->cap_keys * sizeof *s->need_keys);
        n->keys = s->need_keys;
    }
    s->need_keys[n->n_keys++] =
        (struct gw_need_key){.table = table, .index = index, .key = copy_data(s, key, n_keys)};
}

const struct gw_needs *gw_solver_needs(const struct gw_solver *s)
{
    return &s->needs;
}

void gw_solver_forget_needs(struct gw_solver *s)
{
    s->needs.n_externals = s->needs.n_keys = 0;
    gw_arena_fini(&s->needs_arena);
    gw_arena_init(&s->needs_arena, 0);
    gw_map_fini(&s->needs_seen);
    gw_map_init(&s->needs_seen, s->seed);
}

/* ---- answers ---- */

static void answer_drop(struct gw_solver *s, struct answer *a)
{
    gw_map_take(&s->answers, a->key);
    gw_list_remove(&a->node);
    free(a);
}

static void drop_list(struct gw_solver *s, struct gw_list *l)
{
    struct gw_list *node;
    while ((node = gw_list_pop(l)))
        answer_drop(s, GW_CONTAINER_OF(node, struct answer, node));
}

static struct answer *answer_new(const struct gw_datum *datum, struct gw_span key)
{
    struct gw_span text = datum->state == GW_DATUM_VALUE ? datum->text : (struct gw_span){0};
    struct answer *a = gw_alloc(sizeof *a + text.n + key.n);
    a->datum = *datum;
    a->datum.text = (struct gw_span){a->bytes, text.n};
    a->key = (struct gw_span){a->bytes + text.n, key.n};
    if (text.n)
        memcpy(a->bytes, text.p, text.n);
    memcpy(a->bytes + text.n, key.p, key.n);
    return a;
}

void gw_solver_answer(struct gw_solver *s, const struct gw_need_external *need,
                      const struct gw_datum *answer)
{
    const struct gw_external *x = &s->rules->externals[need->external];
    struct gw_span key = external_key(s, need->external, need->role_id, need->args);
    struct answer *old = gw_map_find(&s->answers, key);
    bool is_lasting = x->is_immutable && answer->state != GW_DATUM_UNKNOWN;
    struct answer *a = answer_new(answer, key);
    if (a->datum.state == GW_DATUM_VALUE) /* the kind is the external's, whatever was sent */
        a->datum = gw_datum_of(x->kind, a->datum.text);
    if (old) {
        s->n_answers_lasting -= x->is_immutable && old->datum.state != GW_DATUM_UNKNOWN;
        answer_drop(s, old);
    }
    gw_map_put(&s->answers, a->key, a);
    gw_list_init(&a->node);
    gw_list_push(is_lasting ? &s->answers_lasting : &s->answers_passing, &a->node);
    s->n_answers_lasting += is_lasting;
    while (s->n_answers_lasting > s->cfg.externals_max) {
        answer_drop(s, GW_CONTAINER_OF(s->answers_lasting.next, struct answer, node));
        s->n_answers_lasting--;
    }
}

void gw_solver_next_judgement(struct gw_solver *s)
{
    drop_list(s, &s->answers_passing);
}

static void trace(const struct gw_solve_ctx *ctx, uint32_t external, const struct gw_datum *args,
                  const struct gw_datum *answer)
{
    const struct gw_solve_trace *t = ctx->options->trace;
    if (t && t->on_external)
        t->on_external(t->ctx, external, args, answer);
}

struct gw_value gw_solve_external(struct gw_solve_ctx *ctx, const struct gw_expr *e,
                                  const struct gw_datum *args)
{
    struct gw_solver *s = ctx->solver;
    assert(e->n_args == s->rules->externals[e->index].n_args);
    struct gw_span key = external_key(s, e->index, ctx->plan->role_id, args);
    const struct answer *a = gw_map_find(&s->answers, key);
    ctx->frame->is_passing |= !s->rules->externals[e->index].is_immutable;
    if (!a) {
        if (!ctx->options->give_up)
            need_external(ctx, e->index, key, args);
        ctx->frame->is_passing = true;
        return (struct gw_value){.datum = gw_datum_unknown(), .may_raise = true};
    }
    s->stats.externals_hit++;
    trace(ctx, e->index, args, &a->datum);
    return (struct gw_value){.datum = a->datum, .may_raise = a->datum.state == GW_DATUM_UNKNOWN};
}

/* ---- life ---- */

void gw_needs_init(struct gw_solver *s)
{
    gw_map_init(&s->answers, s->seed);
    gw_map_init(&s->needs_seen, s->seed);
    gw_arena_init(&s->needs_arena, 0);
    gw_buf_init(&s->key_bytes, 0);
    gw_list_init(&s->answers_lasting);
    gw_list_init(&s->answers_passing);
}

void gw_needs_drop_all(struct gw_solver *s)
{
    drop_list(s, &s->answers_lasting);
    drop_list(s, &s->answers_passing);
    s->n_answers_lasting = 0;
    gw_solver_forget_needs(s);
}

void gw_needs_fini(struct gw_solver *s)
{
    gw_needs_drop_all(s);
    gw_arena_fini(&s->needs_arena);
    gw_map_fini(&s->answers);
    gw_map_fini(&s->needs_seen);
    gw_buf_fini(&s->key_bytes);
    free(s->need_externals);
    free(s->need_keys);
}
