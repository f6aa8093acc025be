/* verdict: from the answers to the audiences, and the commit that carries them. */
#include "judge_internal.h"

#include <assert.h>
#include <stdlib.h>

/* One "yes": the caller may see that image of that change. */
struct grant {
    uint32_t change;
    bool is_old;
    uint16_t role_id;
    uint32_t caller_id;
};

static int compare_u32(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_grants(const void *pa, const void *pb)
{
    const struct grant *a = pa, *b = pb;
    int d = compare_u32(a->change, b->change);
    if (d == 0)
        d = compare_u32(a->is_old, b->is_old);
    if (d == 0)
        d = compare_u32(a->role_id, b->role_id);
    return d ? d : compare_u32(a->caller_id, b->caller_id);
}

/* All grants, sorted; *n of them, owned by the caller. */
static struct grant *collect_grants(const struct gw_case *c, struct gw_judge_stats *stats,
                                    size_t *n)
{
    size_t cap = 0;
    for (uint32_t i = 0; i < c->n_asks; i++)
        cap += c->asks[i].n_refs;
    struct grant *grants = gw_alloc((cap ? cap : 1) * sizeof *grants);
    *n = 0;
    for (uint32_t i = 0; i < c->n_asks; i++) {
        const struct gw_ask *ask = &c->asks[i];
        if (ask->is_sample)
            continue;
        stats->policy_errors += ask->code == GW_E_POLICY;
        stats->stale_rows += ask->code == GW_E_UNSUPPORTED ? ask->n_rows : 0;
        if (ask->code != GW_OK && ask->code != GW_E_POLICY)
            continue;
        for (uint32_t r = 0; r < ask->n_refs; r++)
            if (ask->visible[ask->refs[r].row])
                grants[(*n)++] = (struct grant){ask->refs[r].change, ask->refs[r].is_old,
                                                ask->claims->role_id, ask->caller_id};
    }
    qsort(grants, *n, sizeof *grants, compare_grants);
    return grants;
}

/* The run of grants from `at` that concern one change, image and role becomes one clause. */
static size_t add_clause(struct gw_audience *au, struct gw_arena *arena, const struct grant *grants,
                         size_t n, size_t at)
{
    size_t end = at;
    while (end < n && grants[end].change == grants[at].change &&
           grants[end].is_old == grants[at].is_old && grants[end].role_id == grants[at].role_id)
        end++;
    struct gw_principal *set = gw_alloc((end - at) * sizeof *set);
    for (size_t i = at; i < end; i++)
        set[i - at] = (struct gw_principal){GW_PRINCIPAL_CALLER, 0, grants[i].caller_id};
    gw_audience_add_set(au, arena, grants[at].role_id, GW_PRINCIPALS_INCLUDE, set,
                        (uint32_t)(end - at));
    free(set);
    return end;
}

static void add_everyone(struct gw_commit_change *out, struct gw_arena *arena, uint64_t roles)
{
    for (uint16_t role = 0; role < GW_ROLES_MAX; role++) {
        if (!(roles >> role & 1))
            continue;
        gw_audience_add_everyone(&out->readers, arena, role);
        gw_audience_add_everyone(&out->sees_old, arena, role);
    }
}

static bool has_resync(const struct gw_commit *commit, uint32_t rel_oid)
{
    for (uint32_t i = 0; i < commit->n_resyncs; i++)
        if (commit->resyncs[i].rel_oid == rel_oid)
            return true;
    return false;
}

static void add_resync(struct gw_commit *commit, uint32_t rel_oid, enum gw_code reason)
{
    if (!has_resync(commit, rel_oid))
        commit->resyncs[commit->n_resyncs++] = (struct gw_resync){rel_oid, reason};
}

/* One table of the transaction whose rows could not be told one by one: over the cap, truncated, or
 * out of evaluations. Nobody follows a table that is not published, wildcards included. */
static void judge_table(struct gw_commit *commit, const struct gw_case *c,
                        const struct gw_judge_env *env, const struct gw_txn_table *t)
{
    const struct gw_catalog_table *known = gw_catalog_table_find(c->catalog, t->rel->oid);
    if (!known || !known->published)
        return;
    env->stats->resync_overflow += t->overflowed;
    env->stats->resync_truncate += t->truncated;
    if (t->overflowed)
        add_resync(commit, t->rel->oid, GW_E_TOO_BIG);
    else if (t->truncated)
        add_resync(commit, t->rel->oid, GW_E_RESYNC);
    else if (c->over_budget && gw_interest_has_table(env->interest, t->rel->oid)) {
        env->stats->resync_budget++;
        add_resync(commit, t->rel->oid, GW_E_BUDGET);
    }
}

static void collect_resyncs(struct gw_commit *commit, const struct gw_case *c,
                            const struct gw_judge_env *env,
                            void (*on_budget)(void *ctx, uint32_t rel_oid))
{
    struct gw_txn *txn = c->txn;
    commit->resyncs =
        gw_arena_alloc(&txn->arena, (txn->n_tables ? txn->n_tables : 1) * sizeof *commit->resyncs);
    for (size_t i = 0; i < txn->n_tables; i++)
        judge_table(commit, c, env, &txn->tables[i]);
    for (size_t i = 0; i < txn->n_changes; i++)
        if (c->changes[i].is_lost)
            add_resync(commit, txn->changes[i].rel->oid, GW_E_RESYNC);
    for (uint32_t i = 0; i < c->n_asks; i++) {
        const struct gw_ask *ask = &c->asks[i];
        if (ask->is_sample)
            continue;
        if (ask->code == GW_E_RESYNC && !has_resync(commit, ask->table->oid)) {
            env->stats->resync_overtaken++;
            add_resync(commit, ask->table->oid, GW_E_RESYNC);
        }
        if (ask->code != GW_E_BUDGET || has_resync(commit, ask->table->oid))
            continue;
        env->stats->resync_budget++;
        add_resync(commit, ask->table->oid, GW_E_BUDGET);
        on_budget(env->ctx, ask->table->oid);
    }
}

static struct gw_commit_change *emit_change(struct gw_commit *commit, const struct gw_case *c,
                                            const struct gw_judge_env *env, uint32_t i)
{
    const struct gw_change *change = &c->txn->changes[i];
    struct gw_commit_change *out = &commit->changes[commit->n_changes++];
    out->change = change;
    out->views = gw_table_views_ref(env->views(env->ctx, change->rel));
    out->old_unknown = c->changes[i].old_unknown;
    add_everyone(out, &c->txn->arena, c->changes[i].everyone);
    return out;
}

/* Runs of grants and of solutions that concern one change; both are sorted by change. */
struct told {
    const struct grant *grants;
    size_t n_grants, at, end;
    uint32_t solution, solutions_end;
};

static void told_next(struct told *t, const struct gw_case *c, uint32_t change)
{
    t->at = t->end;
    while (t->end < t->n_grants && t->grants[t->end].change == change)
        t->end++;
    t->solution = t->solutions_end;
    while (t->solutions_end < c->n_solutions && c->solutions[t->solutions_end].change == change)
        t->solutions_end++;
}

/* new_unknown: role bits for which it is not certain who does not see the new row. */
static void add_told(struct gw_commit_change *out, const struct gw_case *c, struct told *t,
                     uint64_t new_unknown)
{
    bool is_delete = out->change->op == GW_OP_DELETE;
    struct gw_arena *arena = &c->txn->arena;
    for (size_t at = t->at; at < t->end;) {
        bool to_readers = is_delete || !t->grants[at].is_old;
        at = add_clause(to_readers ? &out->readers : &out->sees_old, arena, t->grants, t->n_grants,
                        at);
    }
    for (uint32_t i = t->solution; i < t->solutions_end; i++)
        gw_solution_add(out, arena, &c->solutions[i]);
    if (out->change->op != GW_OP_UPDATE)
        return;
    gw_audience_subtract(&out->leavers, arena, &out->sees_old, &out->readers);
    gw_audience_drop_roles(&out->leavers, new_unknown);
}

/* Of a question that raised it is not known which "no" is one. */
static void note_raised(struct gw_case *c)
{
    for (uint32_t i = 0; i < c->n_asks; i++) {
        const struct gw_ask *ask = &c->asks[i];
        for (uint32_t r = 0; ask->code == GW_E_POLICY && r < ask->n_refs; r++)
            if (!ask->refs[r].is_old)
                c->changes[ask->refs[r].change].new_unknown |= UINT64_C(1)
                                                               << ask->claims->role_id;
    }
}

static void build_changes(struct gw_commit *commit, struct gw_case *c,
                          const struct gw_judge_env *env)
{
    struct told t = {0};
    note_raised(c);
    struct grant *grants = collect_grants(c, env->stats, &t.n_grants);
    t.grants = grants;
    gw_solutions_sort(c);
    for (uint32_t i = 0; i < c->txn->n_changes; i++) {
        told_next(&t, c, i);
        bool is_told = t.end > t.at || t.solutions_end > t.solution || c->changes[i].everyone;
        /* A table that resyncs in this commit tells nothing else of it: its channels are going. */
        if (is_told && !has_resync(commit, c->txn->changes[i].rel->oid))
            add_told(emit_change(commit, c, env, i), c, &t, c->changes[i].new_unknown);
    }
    free(grants);
}

static void take_revocations(struct gw_commit *commit, const struct gw_case *c)
{
    if (c->n_revocations == 0)
        return;
    struct gw_span all = {(const char *)c->revocations,
                          c->n_revocations * sizeof *c->revocations};
    commit->revocations = (struct gw_commit_revocation *)(uintptr_t)gw_arena_copy(
                              &c->txn->arena, all).p;
    commit->n_revocations = c->n_revocations;
}

static void take_scopes(struct gw_commit *commit, const struct gw_case *c)
{
    if (c->n_scopes == 0)
        return;
    struct gw_span all = {(const char *)c->scopes, c->n_scopes * sizeof *c->scopes};
    commit->scopes = (struct gw_commit_scope *)(uintptr_t)gw_arena_copy(&c->txn->arena, all).p;
    commit->n_scopes = c->n_scopes;
    for (uint32_t i = 0; i < commit->n_scopes; i++)
        commit->scopes[i].views = gw_table_views_of_catalog(c->scopes[i].rel_oid, c->catalog);
}

struct gw_commit *gw_case_close(struct gw_case *c, const struct gw_judge_env *env,
                                void (*on_budget)(void *ctx, uint32_t rel_oid))
{
    struct gw_txn *txn = c->txn;
    struct gw_commit *commit = gw_alloc(sizeof *commit);
    commit->txn = txn;
    gw_case_compare_samples(c, env);
    collect_resyncs(commit, c, env, on_budget);
    commit->changes = gw_arena_alloc(&txn->arena, (txn->n_changes ? txn->n_changes : 1) *
                                                      sizeof *commit->changes);
    build_changes(commit, c, env);
    take_revocations(commit, c);
    take_scopes(commit, c);
    commit->bytes = sizeof *commit + gw_arena_footprint(&txn->arena);
    c->txn = NULL;
    gw_case_free(c);
    return commit;
}

struct gw_commit *gw_commit_new_resync(uint32_t rel_oid, enum gw_code reason)
{
    struct gw_txn *txn = gw_alloc(sizeof *txn); /* carries the arena, no changes */
    gw_arena_init(&txn->arena, 0);
    struct gw_commit *commit = gw_alloc(sizeof *commit);
    commit->txn = txn;
    commit->resyncs = gw_arena_alloc(&txn->arena, sizeof *commit->resyncs);
    commit->resyncs[commit->n_resyncs++] = (struct gw_resync){rel_oid, reason};
    commit->bytes = sizeof *commit + gw_arena_footprint(&txn->arena);
    return commit;
}
