/* sample: the live oracle: one decision in so many is asked again of Postgres, as that caller.
 *
 * DESIGN. The question is one more gw_ask of the case, marked: it waits for the log like the others (so
 * that a later commit which explains a difference is seen), but its answer tells nobody and its
 * failure costs nobody anything. Allows and denies are picked alike: a change, a role, a caller who follows. */
#include "judge_internal.h"

#include <stdlib.h>

struct pick {
    uint64_t random;
    uint64_t seen;
    const struct gw_caller *caller;
};

static uint64_t next_random(uint64_t *state)
{
    /* xorshift64* (Marsaglia, Vigna) */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* Each of those visited is kept with the same chance. */
static void visit(void *ctx, const struct gw_caller *caller)
{
    struct pick *p = ctx;
    if (next_random(&p->random) % ++p->seen == 0)
        p->caller = caller;
}

uint32_t gw_case_solved_count(const struct gw_case *c)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->txn->n_changes; i++)
        n += (uint32_t)__builtin_popcountll(c->changes[i].solved);
    return n;
}

static bool is_admitted(const struct gw_case *c, uint32_t change, unsigned role_id, bool is_old,
                        uint32_t caller_id)
{
    for (uint32_t i = 0; i < c->n_solutions; i++) {
        const struct gw_solution *s = &c->solutions[i];
        if (s->change != change || s->role_id != role_id || s->is_old != is_old)
            continue;
        bool is_named = false;
        for (uint32_t k = 0; k < s->n && !is_named; k++)
            is_named = s->ids[k] == caller_id;
        return s->kind == GW_PRINCIPALS_EVERYONE ||
               is_named == (s->kind == GW_PRINCIPALS_INCLUDE);
    }
    return false;
}

static void add_ask(struct gw_case *c, uint32_t change, bool is_old,
                    const struct gw_caller *caller)
{
    const struct gw_change *ch = &c->txn->changes[change];
    const struct gw_catalog_table *table = c->changes[change].table;
    unsigned role_id = caller->claims->role_id;
    if (c->n_asks == c->cap_asks) {
        c->cap_asks = c->cap_asks ? c->cap_asks * 2 : 4;
        c->asks = gw_realloc(c->asks, c->cap_asks * sizeof *c->asks);
    }
    struct gw_ask *ask = &c->asks[c->n_asks++];
    *ask = (struct gw_ask){.caller_id = caller->id,
                           .claims = gw_claims_ref(caller->claims),
                           .table = table,
                           .access = &table->access[role_id],
                           .n_rows = 1,
                           .cap_rows = 1,
                           .is_sample = true,
                           .expected = is_admitted(c, change, role_id, is_old, caller->id)};
    gw_buf_init(&ask->rows, 0);
    gw_question_rows_open(&ask->rows);
    ask->offsets = gw_alloc(sizeof *ask->offsets);
    ask->offsets[0] = (uint32_t)ask->rows.n;
    gw_question_rows_add(&ask->rows, table, ch->rel, is_old ? ch->old : ch->new_);
    gw_question_rows_close(&ask->rows);
    gw_buf_cstr(&ask->rows);
    ask->visible = gw_alloc(1);
}

/* Whether "now" can be compared with what was decided about the image. */
static bool is_comparable(const struct gw_case *c, uint32_t change, unsigned role_id, bool is_old)
{
    const struct gw_change *ch = &c->txn->changes[change];
    const struct gw_catalog_table *table = c->changes[change].table;
    const struct gw_table_access *access = &table->access[role_id];
    const struct gw_image *image = is_old ? ch->old : ch->new_;
    if (!access->question.n || access->depends.unknown || !image ||
        !gw_question_can_judge(table, access, ch->rel, image))
        return false;
    if (is_old)
        return !gw_lookups_are_changed(c->txn, &access->depends);
    return !(c->changes[change].new_unknown >> role_id & 1);
}

void gw_case_sample(struct gw_case *c, const struct gw_judge_env *env, uint64_t random)
{
    struct pick p = {.random = random | 1};
    uint32_t n = gw_case_solved_count(c);
    if (n == 0)
        return;
    uint32_t wanted = (uint32_t)(next_random(&p.random) % n);
    for (uint32_t i = 0; i < c->txn->n_changes; i++) {
        for (uint64_t left = c->changes[i].solved; left; left &= left - 1) {
            unsigned role_id = (unsigned)__builtin_ctzll(left);
            bool is_old = c->txn->changes[i].op == GW_OP_DELETE;
            if (wanted-- > 0)
                continue;
            if (!is_comparable(c, i, role_id, is_old))
                return;
            struct gw_interest_change ic = {&c->txn->changes[i], &c->catalog->types};
            gw_interest_each(env->interest, &ic, UINT64_C(1) << role_id, visit, &p);
            if (p.caller)
                add_ask(c, i, is_old, p.caller);
            return;
        }
    }
}

void gw_case_compare_samples(const struct gw_case *c, const struct gw_judge_env *env)
{
    for (uint32_t i = 0; i < c->n_asks; i++) {
        const struct gw_ask *ask = &c->asks[i];
        if (!ask->is_sample || (ask->code != GW_OK && ask->code != GW_E_POLICY))
            continue;
        env->stats->samples++;
        if ((ask->visible[0] != 0) == ask->expected)
            continue;
        env->stats->mismatches++;
        if (env->on_mismatch)
            env->on_mismatch(env->ctx, c, ask);
    }
}
