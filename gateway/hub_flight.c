/* hub_flight: transactions on their way to the history.
 *
 * DESIGN. Each transaction that comes from the wal link becomes a flight and takes the next
 * sequence number at once; the questions of several flights are asked side by side, but flights
 * leave in the order they entered (P4). A flight whose database went away is asked again when it is
 * back: a transaction is never dropped for that (P3). A table whose questions ran out of budget is
 * suspended for a while: its asked readers are not judged, and are told to resync when the
 * suspension ends.
 *
 * Flushed: a mark remembers, per flight, up to which LSN the log is done with once every worker has
 * released that commit. */
#include "hub_internal.h"

#include <assert.h>
#include <stdlib.h>

#define REASK_MS 100
#define REASKS_MAX 20 /* with the server up */
#define SUSPEND_MIN_MS 1000
#define SUSPEND_MAX_MS 30000
#define WARN_EVERY_MS 10000

/* ---- marks ---- */

static void mark_push(struct gw_hub *h, uint64_t seq, struct gw_lsn lsn)
{
    if (h->marks_n > 0) {
        struct mark *last = &h->marks[(h->marks_head + h->marks_n - 1) % h->marks_cap];
        if (last->seq == seq) {
            last->lsn = lsn;
            return;
        }
    }
    if (h->marks_n == h->marks_cap) {
        size_t cap = h->marks_cap ? h->marks_cap * 2 : 256;
        struct mark *marks = gw_alloc(cap * sizeof *marks);
        for (size_t i = 0; i < h->marks_n; i++)
            marks[i] = h->marks[(h->marks_head + i) % h->marks_cap];
        free(h->marks);
        h->marks = marks;
        h->marks_head = 0;
        h->marks_cap = cap;
    }
    h->marks[(h->marks_head + h->marks_n++) % h->marks_cap] = (struct mark){seq, lsn};
}

static void report_flushed(struct gw_hub *h)
{
    uint64_t released = gw_history_released(h->cfg.history);
    struct gw_lsn before = h->flushed;
    while (h->marks_n > 0 && h->marks[h->marks_head].seq <= released) {
        h->flushed = h->marks[h->marks_head].lsn;
        h->marks_head = (h->marks_head + 1) % h->marks_cap;
        h->marks_n--;
    }
    if (h->flushed.v != before.v)
        gw_wal_link_set_flushed(h->cfg.wal, h->flushed);
}

void hub_flight_on_progress(struct gw_hub *h, struct gw_lsn lsn)
{
    mark_push(h, h->next_seq - 1, lsn);
}

/* ---- what the judge asks of the hub ---- */

const struct gw_table_views *hub_flight_views(void *ctx, const struct gw_relation *rel)
{
    struct gw_hub *h = ctx;
    const struct gw_table_views *v = gw_idmap_find(&h->views, rel->oid);
    if (v && v->rel == rel && v->catalog == h->views_catalog)
        return v;
    gw_table_views_unref(v);
    struct gw_table_views *fresh = gw_table_views_new(rel, h->views_catalog);
    gw_idmap_put(&h->views, rel->oid, fresh);
    return fresh;
}

static void drop_views(struct gw_hub *h)
{
    uint64_t oid;
    void *v;
    for (size_t at = 0; gw_idmap_each(&h->views, &at, &oid, &v);)
        gw_table_views_unref(v);
    gw_idmap_fini(&h->views);
    gw_idmap_init(&h->views);
}

bool hub_flight_is_suspended(void *ctx, uint32_t rel_oid)
{
    struct gw_hub *h = ctx;
    struct suspension *s = gw_idmap_find(&h->suspensions, rel_oid);
    if (!s || s->until_ms == 0)
        return false;
    s->owed = true;
    return true;
}

static void suspend(void *ctx, uint32_t rel_oid)
{
    struct gw_hub *h = ctx;
    struct suspension *s = gw_idmap_find(&h->suspensions, rel_oid);
    if (!s) {
        s = gw_alloc(sizeof *s);
        s->rel_oid = rel_oid;
        s->backoff_ms = SUSPEND_MIN_MS / 2;
        gw_idmap_put(&h->suspensions, rel_oid, s);
    }
    if (s->until_ms)
        return;
    s->backoff_ms = s->backoff_ms * 2 > SUSPEND_MAX_MS ? SUSPEND_MAX_MS : s->backoff_ms * 2;
    s->until_ms = gw_clock_mono_ms() + s->backoff_ms;
    s->owed = false;
    const struct gw_catalog_table *t = gw_catalog_table_find(h->catalog, rel_oid);
    gw_log(GW_LOG_WARN, "policy_budget_spent",
           "table=%.*s suspended_ms=%lld hint=\"its policies took too long; see rowcast check\"",
           t ? (int)t->name.n : 1, t ? t->name.p : "?", (long long)s->backoff_ms);
}

/* ---- asking ---- */

static void fill_question(struct gw_question *q, const struct gw_ask *ask)
{
    *q = (struct gw_question){
        .role_id = ask->claims->role_id,
        .role = ask->claims->role,
        .sub = ask->claims->sub,
        .claims_json = ask->claims->json,
        .sql = ask->access->question,
        .rel_oid = ask->table->oid,
        .row_array_oid = ask->table->row_array_oid,
        .rows = gw_buf_span(&ask->rows),
        .n_rows = ask->n_rows,
        .row_offsets = ask->offsets,
        .visible = ask->visible,
    };
}

static void send_ask(struct gw_hub *h, struct flight *f)
{
    struct gw_case *c = f->c;
    bool is_asked = false;
    for (uint32_t i = 0; i < c->n_asks; i++)
        is_asked |= c->asks[i].code == GW_OK;
    if (!is_asked) {
        f->state = FLIGHT_READY;
        return;
    }
    struct gw_db_request *r = gw_db_request_new(GW_DB_ASK, h->next_request_id++);
    r->xid = c->txn->xid;
    r->generation = c->catalog->generation;
    r->deadline_ms = gw_clock_mono_ms() + h->cfg.settings->ask_budget_ms;
    r->n_questions = c->n_asks;
    r->questions = gw_arena_alloc(&r->arena, c->n_asks * sizeof *r->questions);
    for (uint32_t i = 0; i < c->n_asks; i++)
        fill_question(&r->questions[i], &c->asks[i]);
    f->request_id = r->id;
    f->state = FLIGHT_ASKING;
    hub_post(&h->to_db, r);
}

static struct flight *flight_find(struct gw_hub *h, uint64_t request_id)
{
    GW_LIST_EACH(it, &h->flights)
    {
        struct flight *f = GW_CONTAINER_OF(it, struct flight, node);
        if (f->state == FLIGHT_ASKING && f->request_id == request_id)
            return f;
    }
    return NULL;
}

static void warn_policy(struct gw_hub *h, const struct gw_ask *ask, const struct gw_question *q)
{
    int64_t now = gw_clock_mono_ms();
    int64_t last = (int64_t)(uintptr_t)gw_idmap_find(&h->warned, ask->table->oid);
    if (last && now - last < WARN_EVERY_MS)
        return;
    gw_idmap_put(&h->warned, ask->table->oid, (void *)(uintptr_t)now);
    char why[200];
    gw_log(GW_LOG_WARN, "policy_denied", "table=%.*s.%.*s role=%.*s code=%s why=%s",
           (int)ask->table->schema.n, ask->table->schema.p, (int)ask->table->name.n,
           ask->table->name.p, (int)q->role.n, q->role.p, gw_code_name(q->code),
           gw_log_quote(why, sizeof why, gw_span_of(q->why)));
}

/* The server is going away and waits for the walsender, which waits for us: let it go (it would
 * otherwise hold its shutdown until wal_sender_timeout). */
void hub_let_server_go(struct gw_hub *h)
{
    if (!h->streaming || !gw_db_link_is_down(h->cfg.db))
        return;
    h->streaming = false;
    struct gw_wal_command *c = gw_alloc(sizeof *c);
    c->kind = GW_WAL_CYCLE;
    hub_post(&h->to_wal, c);
}

/* The connection broke. While the server is away a transaction waits for it as long as it takes;
 * with the server there, a policy that keeps ending its own backend runs out of budget. */
static void ask_failed(struct gw_hub *h, struct flight *f)
{
    h->reasks++;
    if (gw_db_link_is_down(h->cfg.db)) {
        f->reasks = 0;
        hub_let_server_go(h);
    } else if (++f->reasks > REASKS_MAX) {
        for (uint32_t i = 0; i < f->c->n_asks; i++)
            f->c->asks[i].code = GW_E_BUDGET;
        f->state = FLIGHT_READY;
        return;
    }
    f->state = FLIGHT_REASK;
    f->reask_at_ms = gw_clock_mono_ms() + REASK_MS;
}

void hub_flight_on_reply(struct gw_hub *h, struct gw_db_request *reply)
{
    struct flight *f = flight_find(h, reply->id);
    assert(f && f->c->n_asks == reply->n_questions);
    if (reply->code != GW_OK) {
        ask_failed(h, f);
        return;
    }
    if (reply->snapshot.xmax && gw_case_has_lookups(f->c) &&
        !hub_state_sees(h, &reply->snapshot, f->applied_no)) {
        f->state = FLIGHT_REASK; /* an earlier commit is not visible yet */
        f->reask_at_ms = gw_clock_mono_ms();
        return;
    }
    for (uint32_t i = 0; i < reply->n_questions; i++) {
        f->c->asks[i].code = reply->questions[i].code;
        if (reply->questions[i].code != GW_OK)
            warn_policy(h, &f->c->asks[i], &reply->questions[i]);
    }
    f->state = FLIGHT_READY;
    if (gw_case_needs_catalog(f->c)) {
        f->state = FLIGHT_WAIT_CATALOG;
        hub_catalog_want(h);
    } else if (reply->snapshot.xmax && gw_case_has_lookups(f->c)) {
        f->state = FLIGHT_WAIT_LOG;
        gw_snapshot_fini(&f->answered);
        f->answered = reply->snapshot;
        reply->snapshot = (struct gw_snapshot){0};
        hub_state_nudge(h);
    }
}

/* ---- answers ahead of the log ---- */

static void overtake_if_seen(struct flight *f, const struct gw_txn *later)
{
    if (later && gw_snapshot_sees(&f->answered, later->xid))
        gw_case_overtake(f->c, later);
}

/* Everything that the answers contained has been read: was a look-up changed after this commit? */
static void compare_with_later(struct gw_hub *h, struct flight *f)
{
    for (struct gw_list *it = f->node.next; it != &h->flights; it = it->next) {
        const struct flight *later = GW_CONTAINER_OF(it, struct flight, node);
        if (later->c)
            overtake_if_seen(f, later->c->txn);
    }
    GW_LIST_EACH(it, &h->judging.arrivals)
    {
        overtake_if_seen(f, GW_CONTAINER_OF(it, struct arrival, node)->txn);
    }
    f->state = FLIGHT_READY;
}

/* Past the look-ahead it cannot be told what happened in between. */
static void void_answers(struct flight *f)
{
    for (uint32_t i = 0; i < f->c->n_asks; i++)
        if (f->c->asks[i].access->depends.n_lookups > 0)
            f->c->asks[i].code = GW_E_RESYNC;
    f->state = FLIGHT_READY;
}

static void pass_those_reached(struct gw_hub *h)
{
    GW_LIST_EACH(it, &h->flights)
    {
        struct flight *f = GW_CONTAINER_OF(it, struct flight, node);
        if (f->state != FLIGHT_WAIT_LOG)
            continue;
        if (hub_state_is_reached(h, f->answered.horizon))
            compare_with_later(h, f);
        else if (!hub_judge_has_room(h))
            void_answers(f);
        else
            hub_state_nudge(h);
    }
}

void hub_flight_on_catalog(struct gw_hub *h)
{
    drop_views(h);
    struct gw_judge_env env = hub_judge_env(h, h->catalog);
    GW_LIST_EACH(it, &h->flights)
    {
        struct flight *f = GW_CONTAINER_OF(it, struct flight, node);
        if (f->state != FLIGHT_WAIT_CATALOG || f->c->catalog == h->catalog)
            continue;
        gw_case_restart(f->c, &env);
        send_ask(h, f);
    }
}

/* ---- in and out ---- */

bool hub_flight_has_room(const struct gw_hub *h)
{
    return h->n_flights < HUB_FLIGHTS_MAX && h->flight_bytes < HUB_FLIGHT_BYTES_MAX;
}

static struct flight *flight_new(struct gw_hub *h, size_t bytes)
{
    struct flight *f = gw_alloc(sizeof *f);
    f->seq = h->next_seq++;
    f->bytes = bytes;
    gw_list_push(&h->flights, &f->node);
    h->n_flights++;
    h->flight_bytes += bytes;
    return f;
}

struct flight *hub_flight_begin(struct gw_hub *h, struct gw_lsn end_lsn, size_t bytes)
{
    h->transactions++;
    struct flight *f = flight_new(h, bytes);
    f->end_lsn = end_lsn;
    f->state = FLIGHT_JUDGING;
    return f;
}

void hub_flight_judged(struct gw_hub *h, struct flight *f, struct gw_case *c)
{
    f->c = c;
    send_ask(h, f);
}

void hub_flight_enter_resync(struct gw_hub *h, uint32_t rel_oid, enum gw_code reason)
{
    struct flight *f = flight_new(h, 0);
    f->commit = gw_commit_new_resync(rel_oid, reason);
    f->state = FLIGHT_READY;
}

static void flight_land(struct gw_hub *h, struct flight *f)
{
    struct gw_judge_env env = hub_judge_env(h, f->c ? f->c->catalog : h->catalog);
    struct gw_commit *commit = f->c ? gw_case_close(f->c, &env, suspend) : f->commit;
    bool is_news = commit->n_changes > 0 || commit->n_resyncs > 0 || commit->n_scopes > 0 ||
                   commit->n_revocations > 0;
    bool is_plain = f->c == NULL;
    uint64_t seq = gw_history_push(h->cfg.history, commit);
    assert(seq == f->seq);
    if (!is_plain) {
        mark_push(h, seq, f->end_lsn);
        h->done_lsn = f->end_lsn;
    }
    /* Commits that concern nobody are released at the next news or tick. */
    for (unsigned i = 0; is_news && i < h->cfg.n_workers; i++)
        gw_loop_wake(gw_worker_loop(h->cfg.workers[i]));
    gw_list_remove(&f->node);
    h->n_flights--;
    h->flight_bytes -= f->bytes;
    gw_snapshot_fini(&f->answered);
    free(f);
}

bool hub_flight_pump(struct gw_hub *h)
{
    bool landed = false;
    pass_those_reached(h);
    while (!gw_list_is_empty(&h->flights)) {
        struct flight *f = GW_CONTAINER_OF(h->flights.next, struct flight, node);
        if (f->state != FLIGHT_READY)
            break;
        flight_land(h, f);
        landed = true;
    }
    report_flushed(h);
    return landed;
}

static void end_suspensions(struct gw_hub *h, int64_t now_ms)
{
    uint64_t oid;
    void *found;
    for (size_t at = 0; gw_idmap_each(&h->suspensions, &at, &oid, &found);) {
        struct suspension *s = found;
        if (s->until_ms == 0 || now_ms < s->until_ms)
            continue;
        s->until_ms = 0;
        if (s->owed)
            hub_flight_enter_resync(h, s->rel_oid, GW_E_BUDGET);
    }
}

void hub_flight_tick(struct gw_hub *h, int64_t now_ms)
{
    GW_LIST_EACH(it, &h->flights)
    {
        struct flight *f = GW_CONTAINER_OF(it, struct flight, node);
        if (f->state == FLIGHT_REASK && now_ms >= f->reask_at_ms)
            send_ask(h, f);
    }
    end_suspensions(h, now_ms);
    if (gw_history_released(h->cfg.history) < gw_history_head(h->cfg.history))
        for (unsigned i = 0; i < h->cfg.n_workers; i++)
            gw_loop_wake(gw_worker_loop(h->cfg.workers[i]));
}

void hub_flight_init(struct gw_hub *h)
{
    h->interest = gw_interest_new(h->cfg.hash_seed);
    gw_list_init(&h->flights);
    h->next_seq = 1;
    gw_idmap_init(&h->views);
    gw_idmap_init(&h->suspensions);
    gw_idmap_init(&h->warned);
}

void hub_flight_fini(struct gw_hub *h)
{
    struct gw_list *node;
    while ((node = gw_list_pop(&h->flights))) {
        struct flight *f = GW_CONTAINER_OF(node, struct flight, node);
        gw_case_free(f->c);
        gw_commit_free(f->commit);
        gw_snapshot_fini(&f->answered);
        free(f);
    }
    drop_views(h);
    gw_idmap_fini(&h->views);
    uint64_t oid;
    void *s;
    for (size_t at = 0; gw_idmap_each(&h->suspensions, &at, &oid, &s);)
        free(s);
    gw_idmap_fini(&h->suspensions);
    gw_idmap_fini(&h->warned);
    gw_interest_free(h->interest);
    free(h->marks);
}
