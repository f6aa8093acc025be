/* hub_judge: transactions judged one after the other, each against the access state as of its
 * commit.
 *
 * DESIGN. What comes from the wal link queues up as arrivals. The head is judged in three steps:
 * its old images are solved, it is applied to the access state, its new images are solved. Each
 * step may have to wait (rows of the access state to be read, something only Postgres can evaluate,
 * a newer catalog); then the head waits, and all behind it: that is what makes an answer be the
 * answer as of that commit. The arrivals behind the head are the look-ahead, by which reads that
 * were ahead of the log are put in their place (hub_state.c). What has to be *asked* per caller
 * does not hold up the line: it goes on as a flight (hub_flight.c).
 *
 * Each arrival carries the catalog that was in use when it was read from the log, so a transaction
 * never meets policies older than itself. Where the policies differ from those of the transaction
 * before, its old images are not judged: which of the two stood just before the commit is not
 * certain (the change may be part of it), and either may be wider than the other.
 *
 * Topics are judged again within the commit that changed what their answers rested on, before the
 * commit goes on; questions about new ones are answered between two transactions. */
#include "hub_internal.h"

#include <assert.h>
#include <stdlib.h>

#define PAY_EVERY_MS 30000 /* while a table of the access state cannot be read */
#define FACTS_RETRY_MS 5000

/* ---- what the judge asks of the hub ---- */

static void on_state_unknown(void *ctx, uint32_t rel_oid)
{
    struct gw_hub *h = ctx;
    gw_idmap_put(&h->judging.owed, rel_oid, h);
}

static bool is_distrusted(void *ctx, uint32_t rel_oid)
{
    struct gw_hub *h = ctx;
    return h->judging.distrusted.count > 0 && gw_idmap_find(&h->judging.distrusted, rel_oid);
}

/* Everything that is needed to see it again. */
static void on_mismatch(void *ctx, const struct gw_case *c, const struct gw_ask *ask)
{
    struct gw_hub *h = ctx;
    char lsn[GW_LSN_TEXT];
    gw_idmap_put(&h->judging.distrusted, ask->table->oid, h);
    gw_log(
        GW_LOG_ERROR, "oracle_mismatch",
        "table=%.*s.%.*s role=%.*s rowcast=%s postgres=%s lsn=%s xid=%u catalog=%llu "
        "claims=\"%.*s\" row=\"%.*s\" action=\"the table is asked from now on, until a restart\"",
        (int)ask->table->schema.n, ask->table->schema.p, (int)ask->table->name.n,
        ask->table->name.p, (int)ask->claims->role.n, ask->claims->role.p,
        ask->expected ? "allow" : "deny", ask->visible[0] ? "allow" : "deny",
        gw_lsn_format(c->txn->commit_lsn, lsn), c->txn->xid,
        (unsigned long long)c->catalog->generation, (int)ask->claims->json.n, ask->claims->json.p,
        (int)ask->rows.n, ask->rows.p);
}

static void sample(struct gw_hub *h, const struct gw_judge_env *env)
{
    struct judge *j = &h->judging;
    if (h->cfg.settings->oracle_sample == 0)
        return;
    j->until_sample -= gw_case_solved_count(j->flight->c);
    if (j->until_sample > 0)
        return;
    j->until_sample = h->cfg.settings->oracle_sample;
    j->random = j->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    gw_case_sample(j->flight->c, env, j->random);
}

struct gw_judge_env hub_judge_env(struct gw_hub *h, const struct gw_catalog *catalog)
{
    struct judge *j = &h->judging;
    h->views_catalog = catalog;
    return (struct gw_judge_env){.catalog = catalog,
                                 .interest = h->interest,
                                 .state = j->state,
                                 .solver = j->solver,
                                 .callers = j->callers,
                                 .is_give_up = j->is_give_up,
                                 .stats = &h->judge,
                                 .rows_per_question = HUB_ROWS_PER_QUESTION,
                                 .max_evaluations = HUB_EVALUATIONS_MAX,
                                 .max_rows_bytes = HUB_ROWS_BYTES_MAX,
                                 .ctx = h,
                                 .views = hub_flight_views,
                                 .is_suspended = hub_flight_is_suspended,
                                 .is_distrusted = is_distrusted,
                                 .on_mismatch = on_mismatch,
                                 .on_state_unknown = on_state_unknown};
}

/* ---- arrivals ---- */

bool hub_judge_has_room(const struct gw_hub *h)
{
    /* Before the first catalog nothing can be folded: it waits in the mailbox. */
    return hub_catalog_newest(h) && h->judging.n_arrivals < HUB_ARRIVALS_MAX &&
           h->judging.arrival_bytes < h->cfg.settings->lookahead_bytes;
}

static struct arrival *arrival_new(struct gw_hub *h, size_t bytes)
{
    struct judge *j = &h->judging;
    struct arrival *a = gw_alloc(sizeof *a);
    a->bytes = bytes + sizeof *a;
    a->barrier = h->barrier;
    if (h->catalog && h->barrier_answered >= h->barrier)
        a->catalog = gw_catalog_ref(h->catalog);
    gw_list_push(&j->arrivals, &a->node);
    j->n_arrivals++;
    j->arrival_bytes += a->bytes;
    return a;
}

static void arrival_free(struct gw_hub *h, struct arrival *a)
{
    h->judging.n_arrivals--;
    h->judging.arrival_bytes -= a->bytes;
    gw_list_remove(&a->node);
    gw_catalog_unref(a->catalog);
    gw_txn_free(a->txn);
    free(a);
}

static struct arrival *head_of(struct gw_hub *h)
{
    if (gw_list_is_empty(&h->judging.arrivals))
        return NULL;
    return GW_CONTAINER_OF(h->judging.arrivals.next, struct arrival, node);
}

/* Whether it says that policies, functions or grants changed (`rowcast setup` installs who says
 * it). */
static bool tells_of_catalog(const struct gw_txn *txn)
{
    for (const struct gw_txn_message *m = txn->messages; m; m = m->next)
        if (gw_span_is(m->prefix, "rowcast") && m->content.n >= 10 &&
            memcmp(m->content.p, "{\"catalog\"", 10) == 0)
            return true;
    return txn->messages_lost;
}

void hub_judge_enter(struct gw_hub *h, struct gw_txn *txn)
{
    if (tells_of_catalog(txn))
        hub_catalog_changed(h, txn->xid);
    gw_case_fold(txn, hub_catalog_newest(h));
    h->judging.read_lsn = txn->end_lsn;
    struct arrival *a = arrival_new(h, txn->bytes);
    a->done_lsn = txn->end_lsn;
    a->txn = txn;
}

void hub_judge_on_progress(struct gw_hub *h, struct gw_lsn lsn)
{
    struct judge *j = &h->judging;
    if (j->read_lsn.v < lsn.v)
        j->read_lsn = lsn;
    if (gw_list_is_empty(&j->arrivals)) {
        hub_flight_on_progress(h, lsn);
        j->is_catching_up &= lsn.v < j->catch_up_lsn.v;
    } else {
        GW_CONTAINER_OF(j->arrivals.prev, struct arrival, node)->done_lsn = lsn;
    }
}

void hub_judge_on_gap(struct gw_hub *h)
{
    h->judging.read_lsn.v = 0; /* positions may start afresh */
    hub_catalog_on_gap(h);
    if (h->catalog)
        (void)arrival_new(h, 0);
}

void hub_judge_on_catalog(struct gw_hub *h, uint64_t exact_from)
{
    GW_LIST_EACH(it, &h->judging.arrivals)
    {
        struct arrival *a = GW_CONTAINER_OF(it, struct arrival, node);
        if (a->catalog || a->barrier > h->barrier_answered)
            continue;
        a->catalog = gw_catalog_ref(h->catalog);
        a->is_overtaken = a->barrier < exact_from;
    }
}

/* ---- the head ---- */

/* Changes were withheld because the state was not known; now it is: their tables load again. */
static void pay_what_is_owed(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    uint64_t oid;
    void *found;
    int64_t now_ms = gw_clock_mono_ms();
    bool is_too_soon = j->failed.count > 0 && now_ms - j->paid_at_ms < PAY_EVERY_MS;
    if (j->owed.count == 0 || j->is_catching_up || is_too_soon)
        return;
    j->paid_at_ms = now_ms;
    for (size_t at = 0; gw_idmap_each(&j->owed, &at, &oid, &found);)
        hub_flight_enter_resync(h, (uint32_t)oid, GW_E_RESYNC);
    gw_idmap_fini(&j->owed);
    gw_idmap_init(&j->owed);
}

static void take_gap(struct gw_hub *h, struct arrival *head)
{
    hub_state_gap(h);
    arrival_free(h, head);
    for (uint32_t i = 0; i < h->catalog->n_tables; i++)
        if (h->catalog->tables[i].published)
            hub_flight_enter_resync(h, h->catalog->tables[i].oid, GW_E_RESYNC);
}

static void use_catalog(struct gw_hub *h, const struct gw_catalog *catalog)
{
    const struct gw_catalog *was = h->judging.catalog;
    h->judging.catalog = gw_catalog_ref(catalog);
    gw_catalog_unref(was);
}

/* Its policies were replaced before they could be read (hub_catalog.c). */
static void overtake(struct gw_hub *h, struct gw_case *c)
{
    gw_log(GW_LOG_INFO, "policies_overtaken", "xid=%u changes=%zu action=\"their tables resync\"",
           c->txn->xid, c->txn->n_changes);
    gw_case_void(c, &h->judge);
    gw_scopes_forget(h->judging.scopes);
}

/* The head takes its place in the order; its questions are written. */
static bool begin(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    struct arrival *head = head_of(h);
    if (head && head->catalog && !head->txn) {
        take_gap(h, head);
        return true;
    }
    if (!head || !head->catalog || !hub_flight_has_room(h))
        return false;
    use_catalog(h, head->catalog);
    j->flight = hub_flight_begin(h, head->done_lsn, head->bytes);
    j->rounds = 0;
    j->is_give_up = false;
    struct gw_judge_env env = hub_judge_env(h, j->catalog);
    j->flight->c = gw_case_open(head->txn, &env);
    if (head->is_overtaken)
        overtake(h, j->flight->c);
    j->stage = JUDGE_OLD;
    return true;
}

/* What a step needs before it can solve; false: wait. */
static bool is_ready(struct gw_hub *h)
{
    return hub_state_ensure(h, h->judging.catalog->rules) && hub_needs_facts(h);
}

static void apply(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    struct arrival *head = head_of(h);
    const struct gw_txn *txn = j->flight->c->txn;
    gw_state_apply(j->state, txn, NULL, NULL);
    hub_state_applied(h, txn);
    j->flight->applied_no = j->applied_no;
    if (j->is_catching_up && head->done_lsn.v >= j->catch_up_lsn.v)
        j->is_catching_up = false;
    head->txn = NULL; /* the case has it */
    arrival_free(h, head);
    j->stage = JUDGE_NEW;
}

static bool step_old(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    bool are_policies_new = j->rules && j->rules != j->catalog->rules;
    if (!are_policies_new && !is_ready(h))
        return false;
    struct gw_judge_env env = hub_judge_env(h, j->catalog);
    if (are_policies_new) {
        gw_log(GW_LOG_DEBUG, "policies_changed", "xid=%u changes=%zu catalog=%llu",
               j->flight->c->txn->xid, j->flight->c->txn->n_changes,
               (unsigned long long)j->catalog->generation);
        gw_case_skip_old(j->flight->c, &env);
        gw_topics_all_dirty(j->topics);
        gw_scopes_forget(j->scopes);
    } else if (gw_case_solve_old(j->flight->c, &env) == GW_E_AGAIN) {
        hub_needs_solver(h);
        return false;
    } else if (!j->flight->c->is_void && gw_interest_wants_scopes(h->interest)) {
        gw_scopes_before(j->scopes, j->flight->c, &env);
    }
    apply(h);
    return true;
}

static bool step_new(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    if (!is_ready(h))
        return false;
    struct gw_judge_env env = hub_judge_env(h, j->catalog);
    if (gw_case_solve_new(j->flight->c, &env) == GW_E_AGAIN) {
        hub_needs_solver(h);
        return false;
    }
    if (!j->flight->c->is_void)
        gw_scopes_after(j->scopes, j->flight->c, &env);
    sample(h, &env);
    j->stage = JUDGE_TOPICS;
    return true;
}

/* ---- topics ---- */

static void on_told(void *ctx, const struct gw_topics_told *told)
{
    struct gw_hub *h = ctx;
    if (!told->is_first && h->judging.flight) {
        struct gw_commit_revocation r = {told->worker, told->channel_id, told->may};
        gw_case_add_revocation(h->judging.flight->c, &r);
        return;
    }
    struct gw_to_worker *answer = gw_alloc(sizeof *answer);
    answer->kind = GW_TO_WORKER_MAY;
    answer->channel_id = told->channel_id;
    answer->attempt = told->attempt;
    answer->may = told->may;
    answer->live_seq = h->next_seq;
    hub_post(&h->to_worker[told->worker], answer);
}

static bool judge_topics(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    if (!gw_topics_has_work(j->topics))
        return true;
    if (!is_ready(h))
        return false;
    struct gw_judge_env env = hub_judge_env(h, j->catalog);
    if (gw_topics_judge(j->topics, &env, on_told, h) == GW_OK)
        return true;
    hub_needs_solver(h);
    return false;
}

/* Between two transactions: questions about new topics, by the newest policies there are. */
static bool step_idle(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    bool is_drained = gw_list_is_empty(&j->arrivals);
    if (is_drained && h->catalog && j->rules && j->rules != h->catalog->rules)
        gw_topics_all_dirty(j->topics);
    if (gw_topics_has_work(j->topics) && h->catalog) {
        if (is_drained || !j->catalog)
            use_catalog(h, h->catalog);
        if (!judge_topics(h))
            return false;
        gw_solver_next_judgement(j->solver);
        j->rounds = 0;
        j->is_give_up = false;
    }
    return begin(h);
}

static bool step_topics(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    if (!judge_topics(h))
        return false;
    gw_solver_next_judgement(j->solver);
    struct flight *f = j->flight;
    j->flight = NULL;
    j->stage = JUDGE_IDLE;
    j->rounds = 0;
    j->is_give_up = false;
    hub_flight_judged(h, f, f->c);
    pay_what_is_owed(h);
    return true;
}

static bool step(struct gw_hub *h)
{
    if (hub_needs_is_busy(h) || hub_state_is_busy(h))
        return false;
    switch (h->judging.stage) {
    case JUDGE_IDLE:
        return step_idle(h);
    case JUDGE_OLD:
        return step_old(h);
    case JUDGE_NEW:
        return step_new(h);
    case JUDGE_TOPICS:
        return step_topics(h);
    }
    return false;
}

void hub_judge_run(struct gw_hub *h)
{
    while (step(h))
        continue;
}

void hub_judge_tick(struct gw_hub *h, int64_t now_ms)
{
    struct judge *j = &h->judging;
    if (j->retry_at_ms && now_ms >= j->retry_at_ms)
        j->retry_at_ms = 0;
    if (j->read)
        hub_state_nudge(h);
    hub_state_tick(h, now_ms);
    if (now_ms - j->facts_at_ms >= FACTS_RETRY_MS) {
        j->facts_at_ms = now_ms;
        gw_callers_retry(j->callers);
    }
    if (j->stage != JUDGE_IDLE)
        return;
    pay_what_is_owed(h);
    hub_state_bound(h);
}

/* ---- life ---- */

static void split_claim_settings(struct gw_hub *h)
{
    struct gw_span left = gw_span_of(h->cfg.settings->claim_settings);
    while (left.n > 0) {
        const char *comma = memchr(left.p, ',', left.n);
        struct gw_span pair = {left.p, comma ? (size_t)(comma - left.p) : left.n};
        const char *sign = memchr(pair.p, '=', pair.n);
        left.p += pair.n + (comma ? 1 : 0);
        left.n -= pair.n + (comma ? 1 : 0);
        if (!sign)
            continue;
        h->claim_settings =
            gw_realloc(h->claim_settings, (h->n_claim_settings + 1u) * sizeof *h->claim_settings);
        size_t n = (size_t)(sign - pair.p);
        h->claim_settings[h->n_claim_settings++] =
            (struct gw_fact_setting){{pair.p, n}, {sign + 1, pair.n - n - 1}};
    }
}

static void on_caller(void *ctx, const struct gw_caller *caller, bool is_new)
{
    struct gw_hub *h = ctx;
    if (is_new)
        gw_callers_add(h->judging.callers, caller);
    else
        gw_callers_drop(h->judging.callers, caller->id);
}

void hub_judge_init(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    static const struct gw_solver_config cfg = {
        .memo_bytes = (size_t)64 << 20, .rows_max = 2000000, .externals_max = 100000};
    gw_list_init(&j->arrivals);
    gw_idmap_init(&j->owed);
    gw_idmap_init(&j->failed);
    gw_idmap_init(&j->distrusted);
    j->random = h->cfg.hash_seed;
    split_claim_settings(h);
    j->state = gw_state_new(h->cfg.settings->access_state_bytes);
    j->solver = gw_solver_new(j->state, &cfg);
    j->topics = gw_topics_new(h->cfg.hash_seed + 11);
    j->scopes = gw_scopes_new();
    j->callers = gw_callers_new(h->claim_settings, h->n_claim_settings);
    gw_interest_watch_callers(h->interest, on_caller, h);
}

void hub_judge_fini(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    if (j->stage == JUDGE_OLD)
        head_of(h)->txn = NULL; /* its case has it */
    while (head_of(h))
        arrival_free(h, head_of(h));
    gw_interest_watch_callers(h->interest, NULL, NULL);
    gw_catalog_unref(j->catalog);
    gw_topics_free(j->topics); /* before the state that its watches hang on */
    gw_scopes_free(j->scopes);
    hub_state_fini(h);
    gw_idmap_fini(&j->owed);
    gw_idmap_fini(&j->failed);
    gw_idmap_fini(&j->distrusted);
    free(h->claim_settings);
}
