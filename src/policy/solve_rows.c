/* solve_rows: see solve_internal.h. FROM as nested loops: each source is looked up with keys over
 * the rows bound before it. The set of callers for whom the conditions hold so far travels along;
 * where it is empty the loop goes on. */
#include "solve_internal.h"

#include <assert.h>

#define SCRATCH_MAX ((size_t)64 << 20) /* texts made on the way by one solution */

/* Rows found, on the context's stack from first on: a find inside the loop ends the life of the
 * list it gave, not of its rows. */
struct found {
    size_t first;
    uint32_t n;
    bool is_incomplete;
};

static void source_rows(struct gw_pass *p, uint32_t i, struct gw_set where);

/* where ∩ those for whom every condition is true. Takes where. */
static struct gw_set conditions(struct gw_pass *p, struct gw_expr *const *list, uint32_t n,
                                struct gw_set where, enum gw_certainty certainty)
{
    for (uint32_t i = 0; i < n && where.form != GW_SET_NONE; i++) {
        struct gw_set raises = GW_SET(GW_SET_NONE);
        struct gw_set one =
            gw_solve_bool(p->ctx, list[i], true, certainty, p->may_raise ? &raises : NULL);
        if (raises.form != GW_SET_NONE)
            gw_sub_raise(p, &where, raises, certainty);
        where = gw_set_and(where, one);
    }
    return where;
}

/* ---- finding ---- */

enum keyed { KEYED, KEYED_NULL, KEYED_UNKNOWN, KEYED_RAISES };

static enum keyed source_keys(struct gw_pass *p, const struct gw_source *s,
                              const struct gw_set *where, struct gw_datum *keys)
{
    enum keyed out = KEYED;
    bool may_raise = false, raises = false;
    for (uint32_t i = 0; i < s->n_keys; i++) {
        struct gw_value v = gw_solve_value(p->ctx, s->keys[i]);
        keys[i] = v.datum;
        may_raise |= v.may_raise;
        raises |= v.datum.state == GW_DATUM_ERROR;
        if (v.datum.state == GW_DATUM_ERROR)
            out = KEYED_RAISES;
        else if (v.datum.state == GW_DATUM_NULL && out != KEYED_RAISES)
            out = KEYED_NULL;
        else if (v.datum.state == GW_DATUM_UNKNOWN && out == KEYED)
            out = KEYED_UNKNOWN;
    }
    if (may_raise && !raises)
        gw_solve_met_unknown(p->ctx);
    if (may_raise || raises)
        gw_sub_raise(p, where, GW_SET(GW_SET_ALL), p->certainty);
    return out;
}

static void push_rows(struct gw_solve_ctx *ctx, const struct gw_state_hits *hits)
{
    size_t need = ctx->rows_n + hits->n;
    if (need > ctx->rows_cap) {
        ctx->rows_cap = need * 2;
        ctx->rows = gw_realloc(ctx->rows, ctx->rows_cap * sizeof *ctx->rows);
    }
    if (hits->n)
        memcpy(&ctx->rows[ctx->rows_n], hits->rows, hits->n * sizeof *ctx->rows);
    ctx->rows_n = need;
}

static struct found look_up(struct gw_pass *p, const struct gw_source *s,
                            const struct gw_datum *keys)
{
    struct gw_solve_ctx *ctx = p->ctx;
    struct gw_state_hits hits = {0};
    const struct gw_datum *given = s->index < 0 ? NULL : keys;
    struct found f = {.first = ctx->rows_n};
    gw_frame_lookup(ctx->frame, s->table, s->index, s->n_keys, keys);
    enum gw_code code = gw_state_find(ctx->state, s->table, s->index, given, &hits);
    if (code == GW_E_AGAIN && s->index >= 0)
        gw_solve_need_key(ctx, s->table, (uint32_t)s->index, s->n_keys, keys);
    ctx->n_lookups++;
    if (ctx->options->trace && ctx->options->trace->on_lookup)
        ctx->options->trace->on_lookup(ctx->options->trace->ctx, s->table, s->index, given, &hits);
    f.is_incomplete = hits.is_incomplete || code != GW_OK;
    if (hits.n > ctx->solver->cfg.rows_max - ctx->n_rows) {
        ctx->code = GW_E_TOO_BIG;
        return f;
    }
    ctx->n_rows += hits.n;
    f.n = hits.n;
    push_rows(ctx, &hits);
    return f;
}

static struct found find_rows(struct gw_pass *p, const struct gw_source *s,
                              const struct gw_set *where)
{
    struct gw_datum keys[GW_RULES_INDEX_COLUMNS_MAX];
    struct found none = {.first = p->ctx->rows_n};
    assert(s->n_keys <= GW_RULES_INDEX_COLUMNS_MAX);
    switch (source_keys(p, s, where, keys)) {
    case KEYED:
        return look_up(p, s, keys);
    case KEYED_UNKNOWN:
        none.is_incomplete = true;
        p->is_left_out |= p->certainty == GW_NEUTRAL;
        gw_solve_met_unknown(p->ctx);
        break;
    case KEYED_NULL: /* = of a null is never true */
    case KEYED_RAISES:
        break;
    }
    return none;
}

static void bind(struct gw_pass *p, const struct gw_source *s, const struct gw_state_row *row)
{
    assert(s->slot > 0 && s->slot < GW_RULES_SLOTS_MAX);
    p->ctx->slots[s->slot] = (struct gw_solve_slot){.row = row, .table = s->table};
}

/* ---- looping ---- */

/* The source's row is bound: go on with those for whom its conditions hold. Takes where. */
static void with_row(struct gw_pass *p, uint32_t i, struct gw_set where)
{
    const struct gw_source *s = &p->arm->sources[i];
    bool is_last = i + 1 == p->arm->n_sources;
    if (p->ctx->scratch.used_bytes > SCRATCH_MAX)
        p->ctx->code = GW_E_TOO_BIG;
    if (is_last) {
        p->n_candidates++;
        if (gw_sub_is_beside(p)) {
            gw_set_free(&where);
            return;
        }
    }
    where = conditions(p, s->where, s->n_where, where, p->certainty);
    source_rows(p, i + 1, where);
}

static void inner_rows(struct gw_pass *p, uint32_t i, const struct found *f, struct gw_set where)
{
    const struct gw_source *s = &p->arm->sources[i];
    for (uint32_t r = 0; r < f->n && !gw_sub_is_decided(p); r++) {
        bind(p, s, p->ctx->rows[f->first + r]);
        with_row(p, i, gw_set_copy(&where));
    }
    gw_set_free(&where);
}

/* Those for whom the row bound satisfies ON, with the pass's certainty and with the opposite one.
 */
static struct gw_set joined(struct gw_pass *p, const struct gw_source *s,
                            const struct gw_set *where, struct gw_union *matched)
{
    enum gw_certainty flipped = gw_solve_flip(p->certainty);
    struct gw_set on = conditions(p, s->on, s->n_on, gw_set_copy(where), p->certainty);
    if (p->ctx->frame->is_inexact)
        gw_union_add(matched, conditions(p, s->on, s->n_on, gw_set_copy(where), flipped));
    else
        gw_union_add(matched, gw_set_copy(&on));
    return on;
}

/* LEFT JOIN: besides the matches a row of nulls, for those who have no match. */
static void left_rows(struct gw_pass *p, uint32_t i, const struct found *f, struct gw_set where)
{
    const struct gw_source *s = &p->arm->sources[i];
    struct gw_union matched = {0};
    for (uint32_t r = 0; r < f->n && !gw_sub_is_decided(p); r++) {
        bind(p, s, p->ctx->rows[f->first + r]);
        struct gw_set on = joined(p, s, &where, &matched);
        if (on.form != GW_SET_NONE)
            with_row(p, i, on);
    }
    if (f->is_incomplete && p->certainty == GW_MUST)
        gw_union_add(&matched, GW_SET(GW_SET_ALL));
    if (matched.is_too_big)
        p->ctx->code = GW_E_TOO_BIG;
    struct gw_set alone = gw_set_not(gw_union_finish(&matched));
    where = gw_set_and(where, alone);
    bind(p, s, NULL);
    if (where.form != GW_SET_NONE)
        with_row(p, i, where);
}

/* From source i on, with the rows before it bound. Takes where. */
static void source_rows(struct gw_pass *p, uint32_t i, struct gw_set where)
{
    if (where.form == GW_SET_NONE || gw_sub_is_decided(p)) {
        gw_set_free(&where);
        return;
    }
    if (i == p->arm->n_sources) {
        gw_sub_take(p, where);
        return;
    }
    const struct gw_source *s = &p->arm->sources[i];
    struct found f = find_rows(p, s, &where);
    if (f.is_incomplete)
        gw_sub_take_unseen(p, gw_set_copy(&where));
    if (s->is_left)
        left_rows(p, i, &f, where);
    else
        inner_rows(p, i, &f, where);
    p->ctx->rows_n = f.first;
}

void gw_sub_rows(struct gw_pass *p)
{
    for (uint32_t i = 0; i < p->sub->n_arms && !gw_sub_is_decided(p); i++) {
        p->arm = &p->sub->arms[i];
        p->n_candidates += p->arm->n_sources == 0;
        struct gw_set all = GW_SET(GW_SET_ALL);
        source_rows(p, 0, conditions(p, p->arm->where, p->arm->n_where, all, p->certainty));
    }
}
