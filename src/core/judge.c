/* judge: from a transaction to the questions about it.
 *
 * DESIGN. For every change: which roles follow the table (gw/interest.h), and by which path their
 * readers are found (gw/catalog.h). EVERYONE needs no question; SOLVED and ASSISTED are
 * solution.c's. ASKED makes, for each caller of the role who follows, a row in his question on that
 * table; rows of one caller and table share questions, up to a bound.
 *
 * A policy's answer depends on the caller, the columns it reads and its look-ups: images of one
 * transaction that are alike in those columns share one row of the question.
 *
 * New images are always asked about as they are. An old image may be asked about "now" only if now
 * still tells the truth about "before": the policy's answer depends on the image alone, or on
 * look-ups that this very transaction has left alone. Otherwise the old image is unknown: a DELETE
 * is withheld and counted, an UPDATE goes out without old values. Both narrow (P1). A later commit
 * that changed a look-up before the question was answered would widen it: such an answer is void,
 * and the table's followers load it again (gw_case_overtake). Look-ups that the log does not carry,
 * or that are not known, cannot be guarded so; README names it.
 *
 * A restart does not look at the subscriptions again: who follows the table now is not who followed
 * it when the transaction took its place in the order. A channel whose token was refreshed since is
 * matched under its old caller for this commit, so the same callers are asked about the same
 * changes, under the new catalog. Callers that needed no question are known by role alone: if the
 * new catalog wants them asked, the table's followers are told to load it again (P3). */
#include "judge_internal.h"

#include <assert.h>
#include <stdlib.h>

#define REFS_MAX 4000000 /* caller × image per transaction, shared answers included: 48 MB */

/* Dependencies of one (table, role) on what the transaction touched; worked out once. */
struct role_state {
    const struct gw_table_access *access; /* key */
    bool lookups_changed;
};

struct builder {
    struct gw_case *c;
    const struct gw_judge_env *env;
    struct gw_idmap open_asks; /* caller id, table oid → index + 1 of the question with room */
    struct role_state *roles;
    uint32_t n_roles, cap_roles;
    uint64_t evaluations;
    size_t rows_bytes;
    uint64_t refs;
    uint32_t change; /* the one being looked at */
    /* Images that are alike in everything a role's policies read get one answer (DESIGN). */
    struct gw_map classes;  /* access, relation, cells read → class number */
    struct gw_idmap row_of; /* question, class → row + 1 */
    struct class_memo {
        uint32_t change, class; /* of the change looked at; class 0: not worked out */
    } memo[GW_ROLES_MAX][2];
    struct gw_buf key;
};

static bool are_lookups_changed(struct builder *b, const struct gw_table_access *access)
{
    for (uint32_t i = 0; i < b->n_roles; i++)
        if (b->roles[i].access == access)
            return b->roles[i].lookups_changed;
    if (b->n_roles == b->cap_roles) {
        b->cap_roles = b->cap_roles ? b->cap_roles * 2 : 8;
        b->roles = gw_realloc(b->roles, b->cap_roles * sizeof *b->roles);
    }
    bool changed = gw_lookups_are_changed(b->c->txn, &access->depends);
    b->roles[b->n_roles++] = (struct role_state){access, changed};
    return changed;
}

/* ---- questions ---- */

static struct gw_ask *ask_new(struct builder *b, const struct gw_caller *caller,
                              const struct gw_catalog_table *table)
{
    struct gw_case *c = b->c;
    if (c->n_asks == c->cap_asks) {
        c->cap_asks = c->cap_asks ? c->cap_asks * 2 : 16;
        c->asks = gw_realloc(c->asks, c->cap_asks * sizeof *c->asks);
    }
    struct gw_ask *ask = &c->asks[c->n_asks++];
    *ask = (struct gw_ask){.caller_id = caller->id,
                           .claims = gw_claims_ref(caller->claims),
                           .table = table,
                           .access = &table->access[caller->claims->role_id]};
    gw_buf_init(&ask->rows, 0);
    gw_question_rows_open(&ask->rows);
    return ask;
}

static struct gw_ask *ask_with_room(struct builder *b, const struct gw_caller *caller,
                                    const struct gw_catalog_table *table)
{
    uint64_t key = (uint64_t)caller->id << 32 | table->oid;
    uintptr_t found = (uintptr_t)gw_idmap_find(&b->open_asks, key);
    if (found && b->c->asks[found - 1].n_rows < b->env->rows_per_question)
        return &b->c->asks[found - 1];
    struct gw_ask *ask = ask_new(b, caller, table);
    gw_idmap_put(&b->open_asks, key, (void *)(uintptr_t)b->c->n_asks);
    return ask;
}

/* The array element of an image, encoded once per change and shared by all callers' questions. */
static struct gw_span encoded_row(struct builder *b, bool is_old)
{
    struct gw_case_change *cc = &b->c->changes[b->change];
    const struct gw_change *change = &b->c->txn->changes[b->change];
    struct gw_span *row = is_old ? &cc->row_old : &cc->row_new;
    if (row->p)
        return *row;
    struct gw_buf text;
    gw_buf_init(&text, 0);
    gw_question_rows_open(&text);
    size_t start = text.n;
    gw_question_rows_add(&text, cc->table, change->rel, is_old ? change->old : change->new_);
    *row = gw_arena_copy(&b->c->txn->arena, (struct gw_span){text.p + start, text.n - start});
    gw_buf_fini(&text);
    return *row;
}

/* What a read generated column is computed from is not looked into: then every column counts. */
static bool reads_generated(const struct gw_catalog_table *table,
                            const struct gw_table_access *access)
{
    for (unsigned i = 0; i < table->n_columns; i++)
        if (table->columns[i].generation.n && gw_colset_has(&access->reads, i))
            return true;
    return false;
}

static void key_add_cells(struct builder *b, const struct gw_table_access *access, bool is_old)
{
    const struct gw_catalog_table *table = b->c->changes[b->change].table;
    const struct gw_change *change = &b->c->txn->changes[b->change];
    const struct gw_image *image = is_old ? change->old : change->new_;
    bool all = reads_generated(table, access);
    for (uint16_t i = 0; i < change->rel->n_columns; i++) {
        int at = gw_catalog_column_find(table, change->rel->columns[i].name);
        if (at < 0 || !(all || gw_colset_has(&access->reads, (unsigned)at)))
            continue;
        const struct gw_cell *cell = &image->cells[i];
        gw_buf_add_u16(&b->key, i);
        gw_buf_add_byte(&b->key, (char)cell->state);
        gw_buf_add_u64(&b->key, cell->state == GW_CELL_VALUE ? cell->text.n : 0);
        if (cell->state == GW_CELL_VALUE)
            gw_buf_add_span(&b->key, cell->text);
    }
}

/* Number (1, 2, …) of the class that an image is in for a role. */
static uint32_t class_of(struct builder *b, const struct gw_table_access *access, unsigned role_id,
                         bool is_old)
{
    struct class_memo *memo = &b->memo[role_id][is_old];
    if (memo->class && memo->change == b->change)
        return memo->class;
    const struct gw_relation *rel = b->c->txn->changes[b->change].rel;
    gw_buf_reset(&b->key);
    gw_buf_add(&b->key, &access, sizeof access);
    gw_buf_add(&b->key, &rel, sizeof rel);
    key_add_cells(b, access, is_old);
    uintptr_t found = (uintptr_t)gw_map_find(&b->classes, gw_buf_span(&b->key));
    if (!found) {
        found = b->classes.count + 1;
        gw_map_put(&b->classes, gw_buf_span(&b->key), (void *)found);
    }
    *memo = (struct class_memo){b->change, (uint32_t)found};
    return (uint32_t)found;
}

static uint32_t ask_put_row(struct builder *b, struct gw_ask *ask, bool is_old)
{
    if (ask->n_rows == ask->cap_rows) {
        ask->cap_rows = ask->cap_rows ? ask->cap_rows * 2 : 4;
        ask->offsets = gw_realloc(ask->offsets, ask->cap_rows * sizeof *ask->offsets);
    }
    if (ask->n_rows > 0)
        gw_buf_add_byte(&ask->rows, ',');
    size_t start = ask->rows.n;
    ask->offsets[ask->n_rows] = (uint32_t)start;
    gw_buf_add_span(&ask->rows, encoded_row(b, is_old));
    b->rows_bytes += ask->rows.n - start;
    b->evaluations++;
    b->c->over_budget |= b->evaluations > b->env->max_evaluations ||
                         (b->env->max_rows_bytes && b->rows_bytes > b->env->max_rows_bytes);
    return ask->n_rows++;
}

static void ask_add_image(struct builder *b, const struct gw_caller *caller, bool is_old)
{
    if (b->c->over_budget)
        return;
    struct gw_ask *ask = ask_with_room(b, caller, b->c->changes[b->change].table);
    uint32_t class = class_of(b, ask->access, caller->claims->role_id, is_old);
    uint64_t key = (uint64_t)(ask - b->c->asks) << 32 | class;
    uintptr_t row = (uintptr_t)gw_idmap_find(&b->row_of, key);
    if (!row) {
        row = ask_put_row(b, ask, is_old) + 1u;
        gw_idmap_put(&b->row_of, key, (void *)row);
    }
    b->c->over_budget |= ++b->refs > REFS_MAX;
    if (ask->n_refs == ask->cap_refs) {
        ask->cap_refs = ask->cap_refs ? ask->cap_refs * 2 : 4;
        ask->refs = gw_realloc(ask->refs, ask->cap_refs * sizeof *ask->refs);
    }
    ask->refs[ask->n_refs++] = (struct gw_ask_ref){b->change, (uint32_t)row - 1, is_old};
}

/* ---- one change, one caller ---- */

void gw_case_count_once(uint64_t *counter, uint64_t *counted, unsigned role_id)
{
    uint64_t bit = UINT64_C(1) << role_id;
    if (!(*counted & bit))
        (*counter)++;
    *counted |= bit;
}

static bool can_judge_old(struct builder *b, const struct gw_table_access *access)
{
    const struct gw_change *change = &b->c->txn->changes[b->change];
    const struct gw_catalog_table *table = b->c->changes[b->change].table;
    return change->old && gw_question_can_judge(table, access, change->rel, change->old) &&
           !are_lookups_changed(b, access);
}

static void ask_about(struct builder *b, const struct gw_caller *caller,
                      const struct gw_table_access *access)
{
    const struct gw_change *change = &b->c->txn->changes[b->change];
    struct gw_case_change *cc = &b->c->changes[b->change];
    unsigned role_id = caller->claims->role_id;
    if (change->op != GW_OP_DELETE &&
        !gw_question_can_judge(cc->table, access, change->rel, change->new_)) {
        cc->new_unknown |= UINT64_C(1) << role_id;
        gw_case_count_once(&b->env->stats->unjudged, &cc->counted_new, role_id);
        return;
    }
    if (change->op != GW_OP_DELETE)
        ask_add_image(b, caller, false);
    if (change->op == GW_OP_INSERT)
        return;
    if (can_judge_old(b, access)) {
        ask_add_image(b, caller, true);
    } else if (change->op == GW_OP_DELETE) {
        gw_case_count_once(&b->env->stats->deletes_withheld, &cc->counted_delete, role_id);
    } else {
        cc->old_unknown |= UINT64_C(1) << role_id;
        gw_case_count_once(&b->env->stats->old_withheld, &cc->counted_old, role_id);
    }
}

static void visit_caller(void *ctx, const struct gw_caller *caller)
{
    struct builder *b = ctx;
    struct gw_case_change *cc = &b->c->changes[b->change];
    unsigned role_id = caller->claims->role_id;
    if (role_id >= b->c->catalog->n_roles)
        return;
    const struct gw_table_access *access = &cc->table->access[role_id];
    switch (access->path) {
    case GW_PATH_NOBODY:
        return;
    case GW_PATH_EVERYONE: /* on a restart only: he was asked about under the older catalog */
        cc->everyone |= UINT64_C(1) << role_id;
        return;
    case GW_PATH_SOLVED:
    case GW_PATH_ASSISTED:
    case GW_PATH_ASKED:
        if (!b->env->is_suspended(b->env->ctx, cc->table->oid))
            ask_about(b, caller, access);
        return;
    }
}

/* ---- the whole transaction ---- */

static void find_table(struct builder *b)
{
    const struct gw_catalog_table *table =
        gw_catalog_table_find(b->c->catalog, b->c->txn->changes[b->change].rel->oid);
    b->c->changes[b->change].table = table && table->published ? table : NULL;
}

/* Which of the roles that follow are told without asking; returns those to be asked. */
static uint64_t sort_roles(struct builder *b, uint64_t followers)
{
    struct gw_case_change *cc = &b->c->changes[b->change];
    uint64_t asked = 0;
    for (uint64_t left = followers; left; left &= left - 1) {
        unsigned role = (unsigned)__builtin_ctzll(left);
        if (role >= b->c->catalog->n_roles)
            continue;
        enum gw_path path = cc->table->access[role].path;
        bool is_compiled = path == GW_PATH_SOLVED || path == GW_PATH_ASSISTED;
        bool is_trusted = b->env->solver && !(b->env->is_distrusted &&
                                              b->env->is_distrusted(b->env->ctx, cc->table->oid));
        if (path == GW_PATH_EVERYONE)
            cc->everyone |= UINT64_C(1) << role;
        else if (is_compiled && is_trusted)
            cc->solved |= UINT64_C(1) << role;
        else if (path != GW_PATH_NOBODY)
            asked |= UINT64_C(1) << role;
    }
    return asked;
}

static void build_change(struct builder *b)
{
    find_table(b);
    if (!b->c->changes[b->change].table)
        return;
    b->env->stats->changes++;
    uint64_t asked =
        sort_roles(b, gw_interest_roles(b->env->interest, b->c->txn->changes[b->change].rel->oid));
    if (!asked)
        return;
    struct gw_interest_change ic = {&b->c->txn->changes[b->change], &b->c->catalog->types};
    gw_interest_each(b->env->interest, &ic, asked, visit_caller, b);
}

static void build_finish(struct builder *b)
{
    struct gw_case *c = b->c;
    for (uint32_t i = 0; i < c->n_asks; i++) {
        struct gw_ask *ask = &c->asks[i];
        gw_question_rows_close(&ask->rows);
        gw_buf_cstr(&ask->rows);
        ask->visible = gw_alloc(ask->n_rows ? ask->n_rows : 1);
        ask->code = c->over_budget ? GW_E_BUDGET : GW_OK;
    }
    b->env->stats->evaluations += c->over_budget ? 0 : b->evaluations;
    gw_idmap_fini(&b->open_asks);
    gw_idmap_fini(&b->row_of);
    gw_map_fini(&b->classes);
    gw_buf_fini(&b->key);
    free(b->roles);
}

static void builder_init(struct builder *b, struct gw_case *c, const struct gw_judge_env *env)
{
    *b = (struct builder){.c = c, .env = env};
    gw_idmap_init(&b->open_asks);
    gw_idmap_init(&b->row_of);
    gw_map_init(&b->classes, 0);
    gw_buf_init(&b->key, 0);
}

static void build(struct gw_case *c, const struct gw_judge_env *env)
{
    struct builder b;
    builder_init(&b, c, env);
    for (b.change = 0; b.change < c->txn->n_changes && !c->over_budget; b.change++)
        build_change(&b);
    build_finish(&b);
}

/* Without FULL old images hold the replica identity only: that is what identifies rows. */
static bool replica_identity(const struct gw_relation *rel, bool *is_key)
{
    bool found = false;
    for (uint16_t i = 0; i < rel->n_columns; i++)
        found |= is_key[i] = rel->columns[i].is_key;
    return found;
}

/* Under FULL the primary key, if the log carries all of it: half a key (the rest is generated, or
 * was renamed since) would take different rows for one. */
static bool identity_of(void *ctx, const struct gw_relation *rel, bool *is_key)
{
    if (rel->replica_identity != 'f')
        return replica_identity(rel, is_key);
    const struct gw_catalog_table *t = gw_catalog_table_find(ctx, rel->oid);
    unsigned n_key = 0, n_found = 0;
    for (uint16_t i = 0; t && i < t->n_columns; i++)
        n_key += t->columns[i].in_primary_key;
    for (uint16_t i = 0; i < rel->n_columns; i++) {
        int at = t ? gw_catalog_column_find(t, rel->columns[i].name) : -1;
        is_key[i] = at >= 0 && t->columns[at].in_primary_key;
        n_found += is_key[i];
    }
    return n_found > 0 && n_found == n_key;
}

void gw_case_fold(struct gw_txn *txn, const struct gw_catalog *catalog)
{
    /* The cap was for what the log brings; audiences and question rows are bounded on their own. */
    txn->arena.max_bytes = 0;
    gw_txn_fold(txn, identity_of, (void *)(uintptr_t)catalog);
}

struct gw_case *gw_case_open(struct gw_txn *txn, const struct gw_judge_env *env)
{
    struct gw_case *c = gw_alloc(sizeof *c);
    c->txn = txn;
    c->catalog = gw_catalog_ref(env->catalog);
    gw_case_fold(txn, c->catalog);
    c->changes = gw_alloc((txn->n_changes ? txn->n_changes : 1) * sizeof *c->changes);
    build(c, env);
    return c;
}

bool gw_case_needs_catalog(const struct gw_case *c)
{
    for (uint32_t i = 0; i < c->n_asks; i++)
        if (c->asks[i].code == GW_E_UNSUPPORTED && !c->asks[i].is_sample)
            return c->attempts == 0;
    return false;
}

/* What is known without questions, by the new catalog: roles that were told still are, are not any
 * more, or would have to be asked. */
static void renew_change(struct builder *b)
{
    struct gw_case_change *cc = &b->c->changes[b->change];
    uint64_t told = cc->everyone;
    find_table(b);
    cc->row_new = cc->row_old = (struct gw_span){0};
    cc->everyone = cc->old_unknown = 0;
    for (unsigned role = 0; cc->table && role < b->c->catalog->n_roles; role++) {
        if (!(told >> role & 1))
            continue;
        if (cc->table->access[role].path == GW_PATH_EVERYONE)
            cc->everyone |= UINT64_C(1) << role;
        else if (cc->table->access[role].path != GW_PATH_NOBODY)
            cc->is_lost = true;
    }
}

/* Each caller and change once: whoever was asked about both images was asked about the new one. */
static void renew_ask(struct builder *b, const struct gw_ask *before)
{
    struct gw_caller caller = {.id = before->caller_id, .claims = before->claims};
    for (uint32_t i = 0; i < before->n_refs && !b->c->over_budget; i++) {
        b->change = before->refs[i].change;
        bool is_delete = b->c->txn->changes[b->change].op == GW_OP_DELETE;
        if (before->refs[i].is_old == is_delete && b->c->changes[b->change].table)
            visit_caller(b, &caller);
    }
}

static void asks_free(struct gw_ask *asks, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        gw_claims_unref(asks[i].claims);
        gw_buf_fini(&asks[i].rows);
        free(asks[i].offsets);
        free(asks[i].refs);
        free(asks[i].visible);
    }
    free(asks);
}

void gw_case_void(struct gw_case *c, struct gw_judge_stats *stats)
{
    c->is_void = true;
    stats->resync_overtaken++;
    for (size_t i = 0; i < c->txn->n_changes; i++)
        c->changes[i] = (struct gw_case_change){.table = c->changes[i].table, .is_lost = true};
    asks_free(c->asks, c->n_asks);
    c->asks = NULL;
    c->n_asks = c->cap_asks = 0;
}

void gw_case_restart(struct gw_case *c, const struct gw_judge_env *env)
{
    struct gw_ask *before = c->asks;
    uint32_t n_before = c->n_asks;
    c->asks = NULL;
    c->n_asks = c->cap_asks = 0;
    c->attempts++;
    gw_catalog_unref(c->catalog);
    c->catalog = gw_catalog_ref(env->catalog);
    struct builder b;
    builder_init(&b, c, env);
    for (b.change = 0; b.change < c->txn->n_changes; b.change++)
        renew_change(&b);
    for (uint32_t i = 0; i < n_before; i++)
        renew_ask(&b, &before[i]);
    build_finish(&b);
    asks_free(before, n_before);
}

void gw_case_free(struct gw_case *c)
{
    if (!c)
        return;
    asks_free(c->asks, c->n_asks);
    gw_catalog_unref(c->catalog);
    gw_txn_free(c->txn);
    free(c->changes);
    free(c->solutions);
    free(c->revocations);
    free(c->scopes);
    free(c);
}
