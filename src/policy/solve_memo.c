/* solve_memo: see solve_internal.h.
 *
 * DESIGN. An answer of a sub-select is found by its shape and the outer values it depends on. It
 * stands in a table of its own hash, linear probing, removal by moving back what follows. It rests
 * on finds in the access state, which it watches, and on other answers, to which it is linked;
 * whatever drops an answer drops those that rest on it. When a watch fires, an answer is only taken
 * out of the table; it is freed before the next solution, because the access state is amidst
 * telling others. The bound is kept between solutions: oldest first, unless used since it was last
 * looked at. */
#include "solve_internal.h"

#include <assert.h>
#include <stdlib.h>

#define TABLE_MIN 64u

/* A rests on B: stands in A's array, hangs in B's list. */
struct gw_memo_link {
    struct gw_list node; /* in below->resting */
    struct gw_memo *above;
};

struct gw_memo {
    struct gw_watch watch;
    struct gw_solver *solver;
    struct gw_list by_age; /* or in memos_dead */
    struct gw_list resting;
    struct gw_memo_link *links; /* one for each of below */
    struct gw_memo **below;
    uint32_t n_below, n_lookups;
    struct gw_solve_lookup *lookups;
    uint64_t frame_id; /* the frame that counted it last */
    bool is_used, is_dead;
    size_t bytes;
    struct gw_sub_answer answer;
    char *text;             /* of answer.value, owned */
    struct gw_memo_key key; /* last: only as many values as there are */
};

/* ---- keys ---- */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

/* Kinds whose key tells the text. Of others the text is what counts. */
static bool is_told_by_key(const struct gw_datum *d)
{
    return d->kind != GW_KIND_OPAQUE && (d->kind != GW_KIND_NUMERIC || d->text.n == 0);
}

static bool add_value(struct gw_memo_key *key, const struct gw_datum *d)
{
    if (d->state == GW_DATUM_UNKNOWN)
        return false;
    struct gw_memo_value *v = &key->values[key->n_values++];
    *v = (struct gw_memo_value){.state = d->state};
    if (d->state == GW_DATUM_VALUE)
        v->key = is_told_by_key(d) ? d->key : gw_datum_of(GW_KIND_TEXT, d->text).key;
    key->hash = mix(mix(mix(key->hash, v->state), v->key.hi), v->key.lo);
    return true;
}

static bool add_outer(struct gw_solve_ctx *ctx, struct gw_memo_key *key,
                      const struct gw_free_column *c)
{
    struct gw_datum d;
    if (c->slot != UINT32_MAX)
        d = gw_solve_column(ctx, c->slot, c->column, GW_KIND_OPAQUE).datum;
    else if (c->column == GW_INPUT_TOPIC && ctx->row->topic.p)
        d = gw_datum_of(GW_KIND_TEXT, ctx->row->topic);
    else
        return false;
    return add_value(key, &d);
}

bool gw_memo_key_of(struct gw_solve_ctx *ctx, const struct gw_subselect *sub,
                    const struct gw_sub_use *use, struct gw_memo_key *key)
{
    if (ctx->options->trace || sub->has_volatile_input || sub->n_free > GW_SOLVE_MEMO_VALUES_MAX)
        return false;
    key->shape = ctx->solver->sites[sub->site].shape;
    key->role_id = ctx->plan->role_id;
    key->mode = (uint8_t)use->mode;
    key->x_is_fact = use->x.is_fact;
    key->x_fact = use->x.is_fact ? use->x.fact : 0;
    key->n_values = 0;
    key->hash = mix(mix(ctx->solver->seed ^ key->shape, key->role_id),
                    (uint64_t)key->x_fact << 8 | key->mode);
    for (uint32_t i = 0; i < sub->n_free; i++)
        if (!add_outer(ctx, key, &sub->free_columns[i]))
            return false;
    bool has_x = use->mode == GW_SUB_IN || use->mode == GW_SUB_SCALAR_EQ;
    return !has_x || use->x.is_fact || add_value(key, &use->x.value.datum);
}

static bool is_same_key(const struct gw_memo_key *a, const struct gw_memo_key *b)
{
    if (a->hash != b->hash || a->shape != b->shape || a->role_id != b->role_id ||
        a->mode != b->mode || a->x_is_fact != b->x_is_fact || a->x_fact != b->x_fact ||
        a->n_values != b->n_values)
        return false;
    for (uint32_t i = 0; i < a->n_values; i++)
        if (a->values[i].state != b->values[i].state ||
            !gw_key_eq(a->values[i].key, b->values[i].key))
            return false;
    return true;
}

/* ---- the table ---- */

static struct gw_memo *table_find(const struct gw_solver *s, const struct gw_memo_key *key)
{
    if (s->memos_count == 0)
        return NULL;
    uint32_t mask = s->memos_cap - 1;
    for (uint32_t i = (uint32_t)key->hash & mask; s->memos[i]; i = (i + 1) & mask)
        if (is_same_key(&s->memos[i]->key, key))
            return s->memos[i];
    return NULL;
}

static void table_place(struct gw_solver *s, struct gw_memo *m)
{
    uint32_t mask = s->memos_cap - 1, i = (uint32_t)m->key.hash & mask;
    while (s->memos[i])
        i = (i + 1) & mask;
    s->memos[i] = m;
}

static void table_grow(struct gw_solver *s)
{
    struct gw_memo **old = s->memos;
    uint32_t old_cap = s->memos_cap;
    s->memos_cap = old_cap ? old_cap * 2 : TABLE_MIN;
    s->memos = gw_alloc(s->memos_cap * sizeof(struct gw_memo *));
    for (uint32_t i = 0; i < old_cap; i++)
        if (old[i])
            table_place(s, old[i]);
    free(old);
}

static void table_add(struct gw_solver *s, struct gw_memo *m)
{
    if ((s->memos_count + 1) * 2 > s->memos_cap)
        table_grow(s);
    table_place(s, m);
    s->memos_count++;
}

static void table_remove(struct gw_solver *s, struct gw_memo *m)
{
    uint32_t mask = s->memos_cap - 1, i = (uint32_t)m->key.hash & mask;
    while (s->memos[i] != m)
        i = (i + 1) & mask;
    s->memos[i] = NULL;
    s->memos_count--;
    for (uint32_t j = (i + 1) & mask; s->memos[j]; j = (j + 1) & mask) {
        uint32_t home = (uint32_t)s->memos[j]->key.hash & mask;
        if (((j - home) & mask) < ((j - i) & mask))
            continue; /* its home lies behind the gap */
        s->memos[i] = s->memos[j];
        s->memos[j] = NULL;
        i = j;
    }
}

/* ---- dropping ---- */

/* Out of the table, with all that rest on it. Depth: sub-selects within sub-selects. */
static void memo_kill(struct gw_memo *m)
{
    struct gw_solver *s = m->solver;
    if (m->is_dead)
        return;
    m->is_dead = true;
    table_remove(s, m);
    gw_list_remove(&m->by_age);
    gw_list_push(&s->memos_dead, &m->by_age);
    GW_LIST_EACH(it, &m->resting)
    memo_kill(GW_CONTAINER_OF(it, struct gw_memo_link, node)->above);
}

static void on_change(struct gw_watch *w)
{
    memo_kill(GW_CONTAINER_OF(w, struct gw_memo, watch));
}

/* Dead, and so are those that rest on it: their links go when they are freed, or here. */
static void memo_free(struct gw_memo *m)
{
    for (uint32_t i = 0; i < m->n_below; i++)
        gw_list_remove(&m->links[i].node);
    struct gw_list *node;
    while ((node = gw_list_pop(&m->resting)))
        continue;
    gw_watch_fini(&m->watch);
    gw_sub_answer_free(&m->answer);
    m->solver->stats.memo_bytes -= m->bytes;
    free(m->text);
    free(m->links);
    free(m->below);
    free(m->lookups);
    free(m);
}

void gw_memo_reap(struct gw_solver *s)
{
    struct gw_list *node;
    while ((node = gw_list_pop(&s->memos_dead)))
        memo_free(GW_CONTAINER_OF(node, struct gw_memo, by_age));
}

void gw_memo_trim(struct gw_solver *s)
{
    while (s->stats.memo_bytes > s->cfg.memo_bytes && !gw_list_is_empty(&s->memos_by_age)) {
        struct gw_list *oldest = s->memos_by_age.next;
        struct gw_memo *m = GW_CONTAINER_OF(oldest, struct gw_memo, by_age);
        if (m->is_used) {
            m->is_used = false;
            gw_list_remove(oldest);
            gw_list_push(&s->memos_by_age, oldest);
            continue;
        }
        memo_kill(m);
        gw_memo_reap(s);
    }
}

void gw_memo_drop_all(struct gw_solver *s)
{
    while (!gw_list_is_empty(&s->memos_by_age))
        memo_kill(GW_CONTAINER_OF(s->memos_by_age.next, struct gw_memo, by_age));
    gw_memo_reap(s);
}

void gw_memo_init(struct gw_solver *s)
{
    gw_list_init(&s->memos_by_age);
    gw_list_init(&s->memos_dead);
}

void gw_memo_fini(struct gw_solver *s)
{
    gw_memo_drop_all(s);
    free(s->memos);
}

/* ---- frames ---- */

void gw_frame_open(struct gw_solve_ctx *ctx, struct gw_solve_frame *f, bool is_recording)
{
    *f = (struct gw_solve_frame){.up = ctx->frame, .is_recording = is_recording};
    f->id = ++ctx->solver->frame_serial;
    ctx->frame = f;
}

static struct gw_solve_lookup *push_lookup(struct gw_solve_frame *f)
{
    if (f->n_lookups == f->cap_lookups) {
        f->cap_lookups = f->cap_lookups ? f->cap_lookups * 2 : 4;
        f->lookups = gw_realloc(f->lookups, f->cap_lookups * sizeof *f->lookups);
    }
    return &f->lookups[f->n_lookups++];
}

static void push_memo(struct gw_solve_frame *f, struct gw_memo *m)
{
    if (!f->is_recording || m->frame_id == f->id)
        return;
    m->frame_id = f->id;
    if (f->n_memos == f->cap_memos) {
        f->cap_memos = f->cap_memos ? f->cap_memos * 2 : 4;
        f->memos = gw_realloc(f->memos, f->cap_memos * sizeof(struct gw_memo *));
    }
    f->memos[f->n_memos++] = m;
}

void gw_frame_lookup(struct gw_solve_frame *f, uint32_t table, int32_t index, uint32_t n_keys,
                     const struct gw_datum *keys)
{
    if (!f->is_recording)
        return;
    struct gw_solve_lookup *l = push_lookup(f);
    *l = (struct gw_solve_lookup){.table = table, .index = index};
    l->n_keys = index < 0 ? 0 : n_keys;
    l->hash = mix(table, (uint64_t)(uint32_t)index);
    for (uint32_t i = 0; i < l->n_keys; i++) {
        l->keys[i] = keys[i];
        l->keys[i].text = (struct gw_span){0};
        l->hash = mix(mix(l->hash, keys[i].key.hi), keys[i].key.lo);
    }
}

void gw_frame_close(struct gw_solve_ctx *ctx, struct gw_solve_frame *f)
{
    struct gw_solve_frame *up = f->up;
    ctx->frame = up;
    if (up) {
        up->is_inexact |= f->is_inexact;
        up->is_passing |= f->is_passing;
        for (uint32_t i = 0; up->is_recording && i < f->n_lookups; i++)
            *push_lookup(up) = f->lookups[i];
        for (uint32_t i = 0; i < f->n_memos; i++)
            push_memo(up, f->memos[i]);
    }
    gw_frame_free(f);
}

void gw_frame_free(struct gw_solve_frame *f)
{
    free(f->lookups);
    free(f->memos);
    f->lookups = NULL;
    f->memos = NULL;
    f->n_lookups = f->cap_lookups = f->n_memos = f->cap_memos = 0;
}

/* ---- watching ---- */

static int compare_lookups(const void *a, const void *b)
{
    const struct gw_solve_lookup *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    for (uint32_t i = 0; i < x->n_keys; i++) {
        int c = gw_key_compare(&x->keys[i].key, &y->keys[i].key);
        if (c)
            return c;
    }
    return 0;
}

static void drop_double_lookups(struct gw_solve_frame *f)
{
    uint32_t kept = 0;
    if (f->n_lookups > 1)
        qsort(f->lookups, f->n_lookups, sizeof *f->lookups, compare_lookups);
    for (uint32_t i = 0; i < f->n_lookups; i++)
        if (kept == 0 || compare_lookups(&f->lookups[kept - 1], &f->lookups[i]) != 0)
            f->lookups[kept++] = f->lookups[i];
    f->n_lookups = kept;
}

static void watch_lookups(struct gw_state *state, const struct gw_solve_lookup *list, uint32_t n,
                          struct gw_watch *w)
{
    for (uint32_t i = 0; i < n; i++)
        gw_state_watch(state, w, list[i].table, list[i].index,
                       list[i].index < 0 ? NULL : list[i].keys);
}

/* What m rests on, each answer once. Depth: sub-selects within sub-selects. */
static void watch_memo(struct gw_solve_ctx *ctx, struct gw_memo *m, struct gw_watch *w)
{
    watch_lookups(ctx->state, m->lookups, m->n_lookups, w);
    for (uint32_t i = 0; i < m->n_below; i++) {
        if (m->below[i]->frame_id == ctx->solver->frame_serial)
            continue;
        m->below[i]->frame_id = ctx->solver->frame_serial;
        watch_memo(ctx, m->below[i], w);
    }
}

void gw_frame_watch(struct gw_solve_ctx *ctx, struct gw_solve_frame *f, struct gw_watch *w)
{
    drop_double_lookups(f);
    watch_lookups(ctx->state, f->lookups, f->n_lookups, w);
    ctx->solver->frame_serial++; /* a mark of its own */
    for (uint32_t i = 0; i < f->n_memos; i++)
        f->memos[i]->frame_id = ctx->solver->frame_serial;
    for (uint32_t i = 0; i < f->n_memos; i++)
        watch_memo(ctx, f->memos[i], w);
}

/* ---- finding and keeping ---- */

struct gw_sub_answer *gw_memo_find(struct gw_solve_ctx *ctx, const struct gw_memo_key *key)
{
    struct gw_solver *s = ctx->solver;
    struct gw_memo *m = table_find(s, key);
    if (!m) {
        s->stats.memo_misses++;
        return NULL;
    }
    s->stats.memo_hits++;
    m->is_used = true;
    push_memo(ctx->frame, m);
    return &m->answer;
}

/* Large sets are shared: they count where they were made. */
static size_t set_bytes(const struct gw_set *set)
{
    bool is_own = set->form == GW_SET_TREE && set->tree->refs == 1;
    return is_own ? gw_formula_bytes(set->tree) : 0;
}

static void take_frame(struct gw_memo *m, struct gw_solve_frame *f)
{
    drop_double_lookups(f);
    m->n_lookups = f->n_lookups;
    if (f->n_lookups)
        m->lookups = gw_realloc(f->lookups, f->n_lookups * sizeof *f->lookups);
    else
        free(f->lookups);
    m->n_below = f->n_memos;
    m->below = f->memos;
    f->lookups = NULL;
    f->memos = NULL;
    f->n_lookups = f->cap_lookups = f->n_memos = f->cap_memos = 0;
    if (m->n_below)
        m->links = gw_alloc(m->n_below * sizeof *m->links);
    for (uint32_t i = 0; i < m->n_below; i++) {
        m->links[i].above = m;
        gw_list_init(&m->links[i].node);
        gw_list_push(&m->below[i]->resting, &m->links[i].node);
    }
}

static void take_answer(struct gw_memo *m, struct gw_sub_answer *answer)
{
    m->bytes += set_bytes(&answer->yes) + set_bytes(&answer->maybe) + set_bytes(&answer->raises);
    m->answer = *answer;
    *answer = (struct gw_sub_answer){0};
    struct gw_span *text = &m->answer.value.datum.text;
    if (text->n == 0)
        return;
    m->text = gw_strdup_span(*text);
    m->bytes += text->n + 1;
    text->p = m->text;
}

struct gw_sub_answer *gw_memo_put(struct gw_solve_ctx *ctx, const struct gw_memo_key *key,
                                  struct gw_sub_answer *answer, struct gw_solve_frame *f)
{
    struct gw_solver *s = ctx->solver;
    if (s->stats.memo_bytes / 2 > s->cfg.memo_bytes)
        return NULL; /* one solution with very many sub-selects: trimmed when it is done */
    size_t n_unused = GW_SOLVE_MEMO_VALUES_MAX + 1 - key->n_values;
    size_t unused = n_unused * sizeof key->values[0];
    struct gw_memo *m = gw_alloc(sizeof *m - unused);
    memcpy(&m->key, key, sizeof *key - unused);
    m->solver = s;
    gw_list_init(&m->resting);
    gw_watch_init(&m->watch, on_change);
    take_frame(m, f);
    take_answer(m, answer);
    m->bytes += sizeof *m - unused + m->n_lookups * (sizeof *m->lookups + 64) +
                m->n_below * (sizeof *m->links + sizeof *m->below);
    s->stats.memo_bytes += m->bytes;
    table_add(s, m);
    gw_list_push(&s->memos_by_age, &m->by_age);
    watch_lookups(s->state, m->lookups, m->n_lookups, &m->watch);
    if (f->up)
        push_memo(f->up, m);
    return &m->answer;
}
