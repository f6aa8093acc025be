/* wal_stream: the running stream: blocks in, transactions out, progress back.
 *
 * DESIGN. Reading stops for two reasons: the hub's mailbox is full (an event is held), or a
 * Relation message was read and the catalog that is newer than it has not come yet. What is read by
 * then stays in libpq's buffer and in the socket; status messages go on, so that the server does
 * not take us for dead. A turn reads no more than TURN_BYTES; an idle handle continues what is
 * left, so that timers and commands get their turn in between. Skipping: after a reconnect the
 * server repeats what was not reported as flushed; transactions that end at or before `handed` were
 * given to the hub already. On another server or timeline positions mean something else, so nothing
 * is skipped and nothing old is reported there. */
#include "wal_own.h"

#include <libpq-fe.h>

#define TURN_BYTES ((size_t)256 * 1024)
/* A stream that lasted this long was sound: the next back-off starts from the beginning. */
#define HEALTHY_MS 1000

static bool may_read(const struct gw_wal_link *l)
{
    return l->state == GW_WAL_STATE_STREAMING && !l->is_paused && l->n_held == 0;
}

static void lost(struct gw_wal_link *l)
{
    struct gw_err err = {0};
    gw_pgconn_err_of_loss(&l->conn, &err);
    gw_wal_drop(l, &err);
}

/* ---- progress ---- */

static void raise_to(_Atomic uint64_t *at, uint64_t v)
{
    if (atomic_load(at) < v) /* this thread is the only writer */
        atomic_store(at, v);
}

static struct gw_lsn flushed_now(const struct gw_wal_link *l)
{
    uint64_t flushed = atomic_load(&l->flushed), received = atomic_load(&l->received);
    if (flushed < l->confirmed.v)
        flushed = l->confirmed.v;
    return (struct gw_lsn){flushed < received ? flushed : received};
}

static bool send_status(struct gw_wal_link *l, bool wants_reply)
{
    char status[GW_REPL_STATUS_BYTES];
    struct gw_lsn flushed = flushed_now(l);
    struct gw_lsn written = {atomic_load(&l->received)};
    struct gw_us now = {gw_clock_wall_us()};
    gw_repl_status_write(status, written, flushed, flushed, now, wants_reply);
    int rc = PQputCopyData(l->conn.pg, status, sizeof status);
    if (rc < 0)
        return false;
    if (rc == 1) /* else the buffer is full of statuses: the next one says all this says */
        atomic_store(&l->reported, flushed.v);
    return gw_pgconn_flush(&l->conn);
}

bool gw_wal_stream_send_status(struct gw_wal_link *l)
{
    return send_status(l, false);
}

bool gw_wal_stream_ask_position(struct gw_wal_link *l)
{
    return send_status(l, true);
}

/* ---- blocks ---- */

static void tell_progress(struct gw_wal_link *l, struct gw_lsn end)
{
    if (l->in_transaction || l->n_held > 0 || end.v <= l->progress.v ||
        !gw_mailbox_has_room(l->to_hub, sizeof(struct gw_wal_event)))
        return;
    struct gw_wal_event *e = gw_wal_event_new(GW_WAL_PROGRESS);
    e->lsn = end;
    l->progress = end;
    gw_wal_emit(l, e);
}

static void hand_over(struct gw_wal_link *l, struct gw_txn *txn)
{
    l->in_transaction = false;
    if (txn->end_lsn.v <= l->handed.v) {
        gw_txn_free(txn);
        return;
    }
    l->handed = txn->end_lsn;
    if (l->progress.v < txn->end_lsn.v)
        l->progress = txn->end_lsn;
    atomic_fetch_add(&l->transactions, 1);
    struct gw_wal_event *e = gw_wal_event_new(GW_WAL_TXN);
    e->lsn = txn->end_lsn;
    e->txn = txn;
    gw_wal_emit(l, e);
}

static void pause_for_catalog(struct gw_wal_link *l)
{
    struct gw_wal_event *e = gw_wal_event_new(GW_WAL_RELATION);
    e->relation_no = ++l->relation_no;
    e->xid = gw_assembler_xid(l->assembler);
    l->is_paused = true;
    gw_wal_emit(l, e);
}

static enum gw_code take_data(struct gw_wal_link *l, const struct gw_repl_msg *msg,
                              struct gw_err *err)
{
    enum gw_fed fed = GW_FED_NOTHING;
    struct gw_txn *txn = NULL;
    raise_to(&l->received, msg->start.v);
    raise_to(&l->received, msg->end.v);
    if (msg->payload.n > 0 && msg->payload.p[0] == 'B')
        l->in_transaction = true;
    enum gw_code code = gw_assembler_feed(l->assembler, msg->payload, &fed, &txn, err);
    if (code != GW_OK)
        return gw_err_wrap(err, "decoding the log");
    if (fed == GW_FED_TXN)
        hand_over(l, txn);
    else if (fed == GW_FED_RELATION)
        pause_for_catalog(l);
    return GW_OK;
}

static enum gw_code take_block(struct gw_wal_link *l, struct gw_span block, struct gw_err *err)
{
    struct gw_repl_msg msg;
    enum gw_code code = gw_repl_msg_parse(block, &msg);
    if (code != GW_OK)
        return gw_err_set(err, code, "a block of the replication stream cannot be read");
    atomic_fetch_add(&l->bytes, block.n);
    atomic_store(&l->server_end, msg.end.v);
    if (msg.kind == GW_REPL_XLOG_DATA)
        return take_data(l, &msg, err);
    raise_to(&l->received, msg.end.v);
    tell_progress(l, msg.end);
    if (msg.reply_requested && !gw_wal_stream_send_status(l))
        return gw_pgconn_err_of_loss(&l->conn, err);
    return GW_OK;
}

/* The server ended the stream, or the block cannot be had. */
static void end_of_copy(struct gw_wal_link *l)
{
    struct gw_err err = {0};
    char state[6];
    PGresult *r = PQisBusy(l->conn.pg) ? NULL : PQgetResult(l->conn.pg);
    if (r && PQresultStatus(r) == PGRES_FATAL_ERROR) {
        gw_pgconn_err_of_result(r, "streaming", &err);
        if (strcmp(gw_pgconn_sqlstate(r, state), "42704") == 0) {
            err.code = GW_E_PUBLICATION_MISSING;
            gw_err_hint(&err,
                        "the slot has changes from before the publication was made; "
                        "SELECT pg_drop_replication_slot('%s'); it is made anew, clients resync",
                        l->cfg.slot);
        }
    } else if (r) {
        gw_err_set(&err, GW_E_DATABASE_DOWN, "the server ended the replication stream");
    } else {
        gw_pgconn_err_of_loss(&l->conn, &err);
    }
    PQclear(r);
    gw_wal_drop(l, &err);
}

/* ---- the turn ---- */

static void on_more(uv_idle_t *idle)
{
    gw_wal_stream_continue(idle->data);
}

/* Take blocks out of libpq's buffer. Returns whether it was emptied. */
static bool drain(struct gw_wal_link *l, size_t *quota)
{
    while (*quota > 0 && may_read(l)) {
        struct gw_err err = {0};
        char *block = NULL;
        int n = PQgetCopyData(l->conn.pg, &block, 1);
        if (n == 0)
            return true;
        if (n < 0) {
            end_of_copy(l);
            return false;
        }
        enum gw_code code = take_block(l, (struct gw_span){block, (size_t)n}, &err);
        PQfreemem(block);
        if (code != GW_OK) {
            gw_wal_drop(l, &err);
            return false;
        }
        *quota -= (size_t)n < *quota ? (size_t)n : *quota;
    }
    return false;
}

void gw_wal_stream_continue(struct gw_wal_link *l)
{
    size_t quota = TURN_BYTES;
    bool is_empty = drain(l, &quota);
    if (may_read(l) && !is_empty)
        uv_idle_start(&l->more, on_more);
    else
        uv_idle_stop(&l->more);
    gw_pgconn_want_input(&l->conn, may_read(l));
}

void gw_wal_stream_input(struct gw_wal_link *l)
{
    if (!gw_pgconn_consume(&l->conn))
        lost(l);
    else
        gw_wal_stream_continue(l);
}

void gw_wal_stream_tick(struct gw_wal_link *l, int64_t now_ms)
{
    if (now_ms - l->stream_since_ms >= HEALTHY_MS)
        l->attempts = 0;
    if (!gw_wal_stream_send_status(l))
        lost(l);
}

void gw_wal_stream_set_catalog(struct gw_wal_link *l, const struct gw_catalog *catalog,
                               uint64_t relation_no)
{
    gw_assembler_set_types(l->assembler, &catalog->types);
    gw_catalog_unref(l->catalog);
    l->catalog = catalog;
    if (!l->is_paused || relation_no < l->relation_no)
        return;
    l->is_paused = false;
    if (l->state == GW_WAL_STATE_STREAMING)
        gw_wal_stream_continue(l);
}

/* ---- begin and end ---- */

/* Whether positions of this server continue those of the stream before. */
static bool is_continued(const struct gw_wal_link *l)
{
    return l->last_system_id == l->system_id && l->last_timeline == l->timeline;
}

void gw_wal_stream_begin(struct gw_wal_link *l)
{
    struct gw_wal_event *e = gw_wal_event_new(GW_WAL_CONNECTED);
    bool is_first = l->last_system_id == 0;
    char lsn[GW_LSN_TEXT];
    e->lsn = l->confirmed;
    e->is_gap = !is_first && (l->is_slot_new || !is_continued(l));
    if (!is_first && !is_continued(l)) {
        l->handed.v = 0;
        atomic_store(&l->received, 0);
        atomic_store(&l->flushed, 0);
    }
    l->last_system_id = l->system_id;
    l->last_timeline = l->timeline;
    l->progress = l->handed;
    raise_to(&l->received, l->confirmed.v);
    atomic_store(&l->reported, l->confirmed.v);
    atomic_store(&l->server_end, l->confirmed.v);
    atomic_store(&l->connected, true);
    l->stream_since_ms = gw_clock_mono_ms();
    l->last_error.text[0] = '\0';
    l->state = GW_WAL_STATE_STREAMING;
    gw_log(GW_LOG_INFO, "wal_streaming", "slot=%s lsn=%s system=%llu timeline=%llu gap=%d",
           l->cfg.slot, gw_lsn_format(l->confirmed, lsn), (unsigned long long)l->system_id,
           (unsigned long long)l->timeline, e->is_gap);
    gw_wal_emit(l, e);
    gw_wal_stream_continue(l); /* the first blocks may have come along with the answer */
}

void gw_wal_stream_end(struct gw_wal_link *l)
{
    uv_idle_stop(&l->more);
    gw_assembler_reset(l->assembler);
    l->is_paused = false;
    l->in_transaction = false;
    atomic_store(&l->connected, false);
}
