/* wal_link: thread, mailboxes, and the life of the connection: connecting → starting → streaming →
 * back-off. See wal_link.h; wal_start.c and wal_stream.c do the talking. */
#include "wal_own.h"

#include <assert.h>
#include <stdlib.h>

#define TICK_MS 1000
#define PUSH_RETRY_MS 5
/* Tell the server at once, not at the next tick, when this much more may be thrown away. */
#define FLUSHED_STEP_BYTES (UINT64_C(1) << 20)

struct gw_wal_event *gw_wal_event_new(enum gw_wal_event_kind kind)
{
    struct gw_wal_event *e = gw_alloc(sizeof *e);
    e->kind = kind;
    return e;
}

void gw_wal_event_free(struct gw_wal_event *e)
{
    if (!e)
        return;
    gw_txn_free(e->txn);
    free(e);
}

void gw_wal_command_free(struct gw_wal_command *c)
{
    if (!c)
        return;
    gw_catalog_unref(c->catalog);
    free(c);
}

/* ---- to the hub ---- */

static size_t event_bytes(const struct gw_wal_event *e)
{
    return sizeof *e + (e->txn ? e->txn->bytes : 0);
}

static void on_push_retry(uv_timer_t *timer);

void gw_wal_emit(struct gw_wal_link *l, struct gw_wal_event *e)
{
    if (l->n_held == 0 && gw_mailbox_push(l->to_hub, e, event_bytes(e)) == GW_OK)
        return;
    assert(l->n_held < GW_WAL_HELD_MAX);
    l->held[l->n_held++] = e;
    uv_timer_start(&l->push_retry, on_push_retry, PUSH_RETRY_MS, PUSH_RETRY_MS);
}

/* Push what was held, oldest first; then go on with what waited for it. */
static void push_held(struct gw_wal_link *l)
{
    if (l->n_held == 0)
        return;
    unsigned n = 0;
    while (n < l->n_held &&
           gw_mailbox_push(l->to_hub, l->held[n], event_bytes(l->held[n])) == GW_OK)
        n++;
    l->n_held -= n;
    memmove(l->held, l->held + n, l->n_held * sizeof *l->held);
    if (l->n_held > 0)
        return;
    uv_timer_stop(&l->push_retry);
    if (l->state == GW_WAL_STATE_STREAMING)
        gw_wal_stream_continue(l);
}

static void on_push_retry(uv_timer_t *timer)
{
    struct gw_wal_link *l = timer->data;
    push_held(l);
}

/* ---- the connection's life ---- */

static void on_backoff(uv_timer_t *timer);

void gw_wal_drop(struct gw_wal_link *l, const struct gw_err *err)
{
    bool was_streaming = l->state == GW_WAL_STATE_STREAMING;
    gw_pgconn_close(&l->conn);
    gw_wal_stream_end(l);
    l->state = GW_WAL_STATE_BACKOFF;
    uv_timer_start(&l->backoff, on_backoff, (uint64_t)gw_pgerr_backoff_ms(l->attempts++), 0);
    gw_pgerr_log(&l->last_error, was_streaming ? "wal_disconnected" : "wal_not_connected", err);
    struct gw_wal_event *e = gw_wal_event_new(GW_WAL_DISCONNECTED);
    e->err = *err;
    gw_wal_emit(l, e);
}

static void connect_now(struct gw_wal_link *l)
{
    struct gw_err err = {0};
    l->state = GW_WAL_STATE_CONNECTING;
    if (gw_pgconn_open(&l->conn, l->cfg.conninfo, GW_PGCONN_REPLICATION, &err) != GW_OK)
        gw_wal_drop(l, &err);
}

static void on_backoff(uv_timer_t *timer)
{
    struct gw_wal_link *l = timer->data;
    if (l->n_held > 0) { /* the hub has yet to take what came before */
        uv_timer_start(&l->backoff, on_backoff, (uint64_t)gw_pgerr_backoff_ms(0), 0);
        return;
    }
    atomic_fetch_add(&l->reconnects, 1);
    connect_now(l);
}

static void on_first(uv_timer_t *timer)
{
    connect_now(timer->data);
}

static void on_conn_open(void *ctx)
{
    struct gw_wal_link *l = ctx;
    l->state = GW_WAL_STATE_STARTING;
    gw_wal_start_begin(l);
}

static void on_conn_input(void *ctx)
{
    struct gw_wal_link *l = ctx;
    if (l->state == GW_WAL_STATE_STREAMING)
        gw_wal_stream_input(l);
    else
        gw_wal_start_read(l);
}

static void on_conn_lost(void *ctx, const struct gw_err *err)
{
    struct gw_wal_link *l = ctx;
    gw_wal_drop(l, err);
}

static void on_tick(uv_timer_t *timer)
{
    struct gw_wal_link *l = timer->data;
    int64_t now_ms = gw_clock_mono_ms();
    if (l->state == GW_WAL_STATE_STARTING)
        gw_wal_start_tick(l, now_ms);
    else if (l->state == GW_WAL_STATE_STREAMING)
        gw_wal_stream_tick(l, now_ms);
}

/* ---- from the hub ---- */

static void cycle(struct gw_wal_link *l)
{
    struct gw_err err = {0};
    if (l->state == GW_WAL_STATE_BACKOFF)
        return;
    gw_err_set(&err, GW_E_DATABASE_DOWN, "let go, because the server is shutting down");
    if (l->state == GW_WAL_STATE_STREAMING)
        (void)gw_wal_stream_send_status(l);
    gw_wal_drop(l, &err);
}

static void nudge(struct gw_wal_link *l)
{
    struct gw_err err = {0};
    if (l->state != GW_WAL_STATE_STREAMING || gw_wal_stream_ask_position(l))
        return;
    gw_pgconn_err_of_loss(&l->conn, &err);
    gw_wal_drop(l, &err);
}

static void obey(struct gw_wal_link *l, struct gw_wal_command *c)
{
    switch (c->kind) {
    case GW_WAL_CATALOG:
        gw_wal_stream_set_catalog(l, c->catalog, c->relation_no);
        c->catalog = NULL;
        break;
    case GW_WAL_NUDGE:
        nudge(l);
        break;
    case GW_WAL_CYCLE:
        cycle(l);
        break;
    }
    gw_wal_command_free(c);
}

static void report_if_far(struct gw_wal_link *l)
{
    struct gw_err err = {0};
    if (l->state != GW_WAL_STATE_STREAMING ||
        atomic_load(&l->flushed) < atomic_load(&l->reported) + FLUSHED_STEP_BYTES)
        return;
    if (!gw_wal_stream_send_status(l)) {
        gw_pgconn_err_of_loss(&l->conn, &err);
        gw_wal_drop(l, &err);
    }
}

static void on_wake(void *ctx)
{
    struct gw_wal_link *l = ctx;
    struct gw_wal_command *c;
    while ((c = gw_mailbox_pop(l->from_hub)))
        obey(l, c);
    push_held(l);
    report_if_far(l);
}

static void on_stop(void *ctx)
{
    struct gw_wal_link *l = ctx;
    if (l->state == GW_WAL_STATE_STREAMING)
        (void)gw_wal_stream_send_status(l);
    gw_pgconn_close(&l->conn);
    gw_wal_stream_end(l);
    l->state = GW_WAL_STATE_BACKOFF;
    uv_close((uv_handle_t *)&l->backoff, NULL);
    uv_close((uv_handle_t *)&l->tick, NULL);
    uv_close((uv_handle_t *)&l->push_retry, NULL);
    uv_close((uv_handle_t *)&l->more, NULL);
}

/* ---- public ---- */

struct gw_wal_link *gw_wal_link_new(const struct gw_wal_config *cfg)
{
    struct gw_wal_link *l = gw_alloc(sizeof *l);
    l->cfg = *cfg;
    l->state = GW_WAL_STATE_BACKOFF;
    l->assembler = gw_assembler_new(cfg->max_txn_bytes);
    l->open_code = gw_loop_open(&l->loop, "rc-wal", on_wake, on_stop, l, &l->open_err);
    l->conn = (struct gw_pgconn){.loop = &l->loop,
                                 .on_open = on_conn_open,
                                 .on_input = on_conn_input,
                                 .on_lost = on_conn_lost,
                                 .ctx = l};
    return l;
}

void *gw_wal_link_loop(struct gw_wal_link *l)
{
    return &l->loop;
}

static void init_timer(struct gw_wal_link *l, uv_timer_t *timer)
{
    uv_timer_init(&l->loop.uv, timer);
    timer->data = l;
}

enum gw_code gw_wal_link_start(struct gw_wal_link *l, struct gw_mailbox *to_hub,
                               struct gw_mailbox *from_hub, struct gw_err *err)
{
    if (l->open_code != GW_OK) {
        if (err)
            *err = l->open_err;
        return l->open_code;
    }
    l->to_hub = to_hub;
    l->from_hub = from_hub;
    init_timer(l, &l->backoff);
    init_timer(l, &l->tick);
    init_timer(l, &l->push_retry);
    uv_idle_init(&l->loop.uv, &l->more);
    l->more.data = l;
    uv_timer_start(&l->backoff, on_first, 0, 0);
    uv_timer_start(&l->tick, on_tick, TICK_MS, TICK_MS);
    enum gw_code code = gw_loop_start(&l->loop, err);
    if (code != GW_OK)
        on_stop(l);
    return code;
}

void gw_wal_link_set_flushed(struct gw_wal_link *l, struct gw_lsn lsn)
{
    /* Beyond what this connection received: meant for a timeline that is gone. */
    if (lsn.v > atomic_load(&l->received))
        return;
    uint64_t seen = atomic_load(&l->flushed);
    while (seen < lsn.v && !atomic_compare_exchange_weak(&l->flushed, &seen, lsn.v))
        ;
    if (lsn.v >= atomic_load(&l->reported) + FLUSHED_STEP_BYTES)
        gw_loop_wake(&l->loop);
}

void gw_wal_link_stats(const struct gw_wal_link *l, struct gw_wal_stats *out)
{
    *out = (struct gw_wal_stats){
        .received.v = atomic_load(&l->received),
        .server_end.v = atomic_load(&l->server_end),
        .flushed.v = atomic_load(&l->flushed),
        .bytes = atomic_load(&l->bytes),
        .transactions = atomic_load(&l->transactions),
        .reconnects = atomic_load(&l->reconnects),
        .connected = atomic_load(&l->connected),
    };
}

void gw_wal_link_stop(struct gw_wal_link *l)
{
    gw_loop_stop(&l->loop);
    gw_loop_join(&l->loop);
}

void gw_wal_link_free(struct gw_wal_link *l)
{
    if (!l)
        return;
    if (!l->loop.stopped)
        gw_wal_link_stop(l);
    for (unsigned i = 0; i < l->n_held; i++)
        gw_wal_event_free(l->held[i]);
    gw_assembler_free(l->assembler);
    gw_catalog_unref(l->catalog);
    free(l);
}
