/* hub: thread, mailboxes, and who gets what message. The work is in hub_flight.c (transactions),
 * hub_catalog.c (catalog) and hub_subscribe.c (joins). */
#include "hub_internal.h"

#include <stdatomic.h>
#include <stdlib.h>

#define WORKER_MESSAGES_PER_TURN 512
#define WAL_EVENTS_PER_TURN 256

struct waiting { /* a message a full mailbox would not take */
    struct gw_list node;
    void *msg;
};

void hub_post(struct outlet *to, void *msg)
{
    if (gw_list_is_empty(&to->backlog) && gw_mailbox_push(to->box, msg, 0) == GW_OK)
        return;
    struct waiting *w = gw_alloc(sizeof *w);
    w->msg = msg;
    gw_list_push(&to->backlog, &w->node);
}

static void outlet_flush(struct outlet *to)
{
    while (!gw_list_is_empty(&to->backlog)) {
        struct waiting *w = GW_CONTAINER_OF(to->backlog.next, struct waiting, node);
        if (gw_mailbox_push(to->box, w->msg, 0) != GW_OK)
            return;
        gw_list_remove(&w->node);
        free(w);
    }
}

static void outlet_init(struct outlet *to, size_t max_items, void *loop, void (*drop)(void *))
{
    to->box = gw_mailbox_new(max_items, 0, gw_loop_wake, loop);
    to->drop = drop;
    gw_list_init(&to->backlog);
}

/* Every thread is gone: free what is still inside. */
static void outlet_fini(struct outlet *to)
{
    struct gw_list *node;
    while ((node = gw_list_pop(&to->backlog))) {
        struct waiting *w = GW_CONTAINER_OF(node, struct waiting, node);
        to->drop(w->msg);
        free(w);
    }
    gw_mailbox_free(to->box, to->drop);
}

static void flush_outlets(struct gw_hub *h)
{
    outlet_flush(&h->to_wal);
    outlet_flush(&h->to_db);
    for (unsigned i = 0; i < h->cfg.n_workers; i++)
        outlet_flush(&h->to_worker[i]);
}

static void on_db_reply(struct gw_hub *h, struct gw_db_request *reply)
{
    switch (reply->kind) {
    case GW_DB_ASK:
        hub_flight_on_reply(h, reply);
        break;
    case GW_DB_CAST:
        hub_subscribe_on_casts(h, reply);
        break;
    case GW_DB_CATALOG:
        hub_catalog_on_reply(h, reply);
        break;
    case GW_DB_EVAL:
        hub_needs_on_eval(h, reply);
        break;
    case GW_DB_FLUSH:
        h->judging.flush_request = 0;
        break;
    case GW_DB_READ:
        hub_state_on_read(h, reply);
        return;
    }
    gw_db_request_free(reply);
}

static void on_disconnected(struct gw_hub *h, const struct gw_wal_event *e)
{
    if (h->streaming)
        h->wal_disconnects++;
    h->streaming = false;
    if (!h->ever_streamed)
        gw_log_err(GW_LOG_DEBUG, "not_streaming_yet", &e->err);
}

static void on_connected(struct gw_hub *h, const struct gw_wal_event *e)
{
    h->streaming = true;
    h->ever_streamed = true;
    if (e->is_gap && h->catalog) {
        gw_log(GW_LOG_WARN, "stream_gap", "action=\"every subscriber resyncs\"");
        hub_judge_on_gap(h);
    }
    hub_catalog_want(h);
}

static void on_wal_event(struct gw_hub *h, struct gw_wal_event *e)
{
    switch (e->kind) {
    case GW_WAL_CONNECTED:
        on_connected(h, e);
        break;
    case GW_WAL_DISCONNECTED:
        on_disconnected(h, e);
        break;
    case GW_WAL_TXN:
        hub_judge_enter(h, e->txn);
        e->txn = NULL;
        break;
    case GW_WAL_RELATION:
        hub_catalog_on_relation(h, e->relation_no, e->xid);
        break;
    case GW_WAL_PROGRESS:
        hub_judge_on_progress(h, e->lsn);
        break;
    }
    gw_wal_event_free(e);
}

static void take_worker_messages(struct gw_hub *h)
{
    bool more = false;
    for (unsigned w = 0; w < h->cfg.n_workers; w++) {
        struct gw_to_hub *msg;
        int n = 0;
        while (n++ < WORKER_MESSAGES_PER_TURN && (msg = gw_mailbox_pop(h->from_worker[w])))
            hub_subscribe_on_message(h, msg);
        more |= gw_mailbox_count(h->from_worker[w]) > 0;
    }
    if (more)
        gw_loop_wake(&h->loop);
}

static void publish(struct gw_hub *h)
{
    const struct gw_judge_stats *j = &h->judge;
    struct gw_interest_counts counts = gw_interest_counts(h->interest);
    const struct judge *stage = &h->judging;
    struct gw_state_stats state = {0};
    struct gw_solver_stats solver = {0};
    struct gw_callers_stats callers = {0};
    struct gw_topics_counts topics = gw_topics_counts(stage->topics);
    gw_state_stats(stage->state, &state);
    gw_solver_stats(stage->solver, &solver);
    gw_callers_stats(stage->callers, &callers);
    struct gw_hub_stats now = {
        .transactions = h->transactions,
        .changes = j->changes,
        .evaluations = j->evaluations,
        .deletes_withheld = j->deletes_withheld,
        .old_withheld = j->old_withheld,
        .unjudged = j->unjudged,
        .policy_errors = j->policy_errors,
        .stale_rows = j->stale_rows,
        .resync_budget = j->resync_budget,
        .resync_truncate = j->resync_truncate,
        .resync_overflow = j->resync_overflow,
        .channels = counts.channels,
        .callers = counts.callers,
        .in_flight = h->n_flights,
        .catalog_generation = h->catalog ? h->catalog->generation : 0,
        .catalog_tables = h->catalog ? h->catalog->n_tables : 0,
        .reasks = h->reasks,
        .streaming = h->streaming,
        .wal_disconnects = h->wal_disconnects,
        .history_head = gw_history_head(h->cfg.history),
        .history_released = gw_history_released(h->cfg.history),
        .solved = j->solved,
        .samples = j->samples,
        .mismatches = j->mismatches,
        .state_unknown = j->state_unknown,
        .resync_overtaken = j->resync_overtaken,
        .arrivals = stage->n_arrivals,
        .arrival_bytes = stage->arrival_bytes,
        .catching_up = stage->is_catching_up,
        .state_bytes = state.bytes,
        .state_rows = state.rows,
        .state_keys = state.keys,
        .state_misses = state.misses,
        .state_evictions = state.evictions,
        .state_reads = stage->reads,
        .memo_hits = solver.memo_hits,
        .memo_misses = solver.memo_misses,
        .memo_bytes = solver.memo_bytes,
        .externals_asked = solver.externals_asked,
        .externals_hit = solver.externals_hit,
        .unknown_facts = callers.unknown_facts,
        .error_facts = callers.error_facts,
        .topics = topics.topics,
        .topic_members = topics.members,
        .topic_revocations = topics.revoked,
    };
#define X(name) atomic_store_explicit(&h->published.name, now.name, memory_order_relaxed);
    GW_HUB_STATS(X)
#undef X
}

/* The turn. Answers first, because they free room; then joins, so that they precede the
 * transactions read after them; then transactions, as many as there is room for, judged as they
 * come. */
static void on_wake(void *ctx)
{
    struct gw_hub *h = ctx;
    struct gw_db_request *reply;
    struct gw_wal_event *event;
    flush_outlets(h);
    while ((reply = gw_mailbox_pop(h->from_db)))
        on_db_reply(h, reply);
    hub_flight_pump(h);
    take_worker_messages(h);
    int popped = 0;
    while (popped < WAL_EVENTS_PER_TURN && hub_judge_has_room(h) &&
           (event = gw_mailbox_pop(h->from_wal))) {
        on_wal_event(h, event);
        hub_judge_run(h);
        popped++;
    }
    hub_catalog_settle(h);
    do
        hub_judge_run(h);
    while (hub_flight_pump(h));
    if (popped > 0) /* there is room for the link again */
        gw_loop_wake(gw_wal_link_loop(h->cfg.wal));
    if (popped == WAL_EVENTS_PER_TURN)
        gw_loop_wake(&h->loop);
    publish(h);
}

static void on_tick(uv_timer_t *timer)
{
    struct gw_hub *h = timer->data;
    int64_t now_ms = gw_clock_mono_ms();
    hub_catalog_tick(h, now_ms);
    hub_judge_tick(h, now_ms);
    hub_flight_tick(h, now_ms);
    on_wake(h);
}

static void on_stop(void *ctx)
{
    struct gw_hub *h = ctx;
    uv_close((uv_handle_t *)&h->tick, NULL);
}

static void drop_wal_event(void *e)
{
    gw_wal_event_free(e);
}
static void drop_wal_command(void *c)
{
    gw_wal_command_free(c);
}
static void drop_db_request(void *r)
{
    gw_db_request_free(r);
}
static void drop_to_hub(void *m)
{
    gw_to_hub_free(m);
}
static void drop_to_worker(void *m)
{
    gw_to_worker_free(m);
}

static void make_mailboxes(struct gw_hub *h)
{
    const struct gw_hub_config *cfg = &h->cfg;
    h->from_wal = gw_mailbox_new(4096, cfg->settings->mailbox_bytes, gw_loop_wake, &h->loop);
    h->from_db = gw_mailbox_new(4096, 0, gw_loop_wake, &h->loop);
    outlet_init(&h->to_wal, 64, gw_wal_link_loop(cfg->wal), drop_wal_command);
    outlet_init(&h->to_db, 1024, gw_db_link_loop(cfg->db), drop_db_request);
    h->from_worker = gw_alloc(cfg->n_workers * sizeof(struct gw_mailbox *));
    h->to_worker = gw_alloc(cfg->n_workers * sizeof *h->to_worker);
    for (unsigned i = 0; i < cfg->n_workers; i++) {
        h->from_worker[i] = gw_mailbox_new(4096, 0, gw_loop_wake, &h->loop);
        outlet_init(&h->to_worker[i], 4096, gw_worker_loop(cfg->workers[i]), drop_to_worker);
    }
}

struct gw_hub *gw_hub_new(const struct gw_hub_config *cfg, struct gw_err *err)
{
    struct gw_hub *h = gw_alloc(sizeof *h);
    h->cfg = *cfg;
    h->next_request_id = 1;
    if (gw_loop_open(&h->loop, "rc-hub", on_wake, on_stop, h, err) != GW_OK) {
        free(h);
        return NULL;
    }
    make_mailboxes(h);
    hub_flight_init(h);
    hub_judge_init(h);
    hub_subscribe_init(h);
    uv_timer_init(&h->loop.uv, &h->tick);
    h->tick.data = h;
    return h;
}

struct gw_mailbox *gw_hub_from_wal(struct gw_hub *h)
{
    return h->from_wal;
}
struct gw_mailbox *gw_hub_to_wal(struct gw_hub *h)
{
    return h->to_wal.box;
}
struct gw_mailbox *gw_hub_from_db(struct gw_hub *h)
{
    return h->from_db;
}
struct gw_mailbox *gw_hub_to_db(struct gw_hub *h)
{
    return h->to_db.box;
}
struct gw_mailbox *gw_hub_from_worker(struct gw_hub *h, unsigned worker)
{
    return h->from_worker[worker];
}
struct gw_mailbox *gw_hub_to_worker(struct gw_hub *h, unsigned worker)
{
    return h->to_worker[worker].box;
}

enum gw_code gw_hub_start(struct gw_hub *h, struct gw_err *err)
{
    hub_catalog_want(h);
    uv_timer_start(&h->tick, on_tick, HUB_TICK_MS, HUB_TICK_MS);
    return gw_loop_start(&h->loop, err);
}

void gw_hub_stop(struct gw_hub *h)
{
    gw_loop_stop(&h->loop);
}

void gw_hub_join(struct gw_hub *h)
{
    gw_loop_join(&h->loop);
}

void gw_hub_free(struct gw_hub *h)
{
    if (!h)
        return;
    /* Questions still in a mailbox point into cases: first the boxes, then the flights. */
    gw_mailbox_free(h->from_db, drop_db_request);
    gw_mailbox_free(h->from_wal, drop_wal_event);
    outlet_fini(&h->to_db);
    outlet_fini(&h->to_wal);
    for (unsigned i = 0; i < h->cfg.n_workers; i++) {
        gw_mailbox_free(h->from_worker[i], drop_to_hub);
        outlet_fini(&h->to_worker[i]);
    }
    free(h->from_worker);
    free(h->to_worker);
    hub_subscribe_fini(h);
    hub_judge_fini(h);
    hub_flight_fini(h);
    hub_catalog_fini(h);
    free(h);
}

void gw_hub_stats(const struct gw_hub *h, struct gw_hub_stats *out)
{
#define X(name) out->name = atomic_load_explicit(&h->published.name, memory_order_relaxed);
    GW_HUB_STATS(X)
#undef X
}

bool gw_hub_is_ready(const struct gw_hub *h, char why[160])
{
    struct gw_hub_stats s;
    gw_hub_stats(h, &s);
    why[0] = '\0';
    if (!s.streaming)
        snprintf(why, 160, "not streaming from the replication slot");
    else if (s.catalog_generation == 0)
        snprintf(why, 160, "catalog not loaded yet");
    return why[0] == '\0';
}
