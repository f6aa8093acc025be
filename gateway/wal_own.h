/* wal_own: the link's state, shared by wal_link.c (thread, mailboxes, life of the connection),
 * wal_start.c (from a fresh connection to a running stream) and wal_stream.c (the stream).
 * "wal" thread only, except the atomics. */
#ifndef GW_WAL_OWN_H
#define GW_WAL_OWN_H

#include "loop.h"
#include "pgconn.h"
#include "pgerr.h"
#include "wal_link.h"

#include "gw/repl_msg.h"

#include <stdatomic.h>

enum gw_wal_state {
    GW_WAL_STATE_BACKOFF, /* no connection; the back-off timer runs */
    GW_WAL_STATE_CONNECTING,
    GW_WAL_STATE_STARTING, /* connected; checks, slot, START_REPLICATION */
    GW_WAL_STATE_STREAMING,
};

/* Events that found the mailbox full. Reading stops with the first of them and no connection is
 * begun, so there are at most: one transaction, DISCONNECTED, and what one block yields. */
#define GW_WAL_HELD_MAX 4

struct gw_wal_link {
    struct gw_wal_config cfg;
    struct gw_loop loop;
    enum gw_code open_code; /* of the loop; told by start */
    struct gw_err open_err;
    struct gw_mailbox *to_hub, *from_hub;
    struct gw_pgconn conn;
    enum gw_wal_state state;
    unsigned attempts; /* since the last healthy stream */
    struct gw_pgerr_last last_error;
    uv_timer_t backoff, tick, push_retry;
    uv_idle_t more; /* the turn's quota is spent, libpq's buffer is not */

    /* wal_start.c */
    unsigned step;
    bool is_step_done;
    bool is_slot_new;
    uint64_t system_id, timeline;           /* of this connection */
    uint64_t last_system_id, last_timeline; /* of the stream before; 0: none */
    int64_t step_since_ms;

    /* wal_stream.c */
    struct gw_assembler *assembler;
    const struct gw_catalog *catalog; /* reference; lends its types to the assembler */
    uint64_t relation_no;             /* announced last */
    bool is_paused;                   /* until a catalog for relation_no comes */
    bool in_transaction;              /* between Begin and Commit */
    struct gw_lsn confirmed;          /* the slot's, when the stream began */
    struct gw_lsn handed;             /* end of the last transaction handed over */
    struct gw_lsn progress;           /* last one told */
    int64_t stream_since_ms;
    struct gw_wal_event *held[GW_WAL_HELD_MAX];
    unsigned n_held;

    /* Any thread. */
    _Atomic uint64_t flushed;  /* as set by the hub */
    _Atomic uint64_t reported; /* as last sent */
    _Atomic uint64_t received, server_end, bytes, transactions, reconnects;
    _Atomic bool connected;
};

/* wal_link.c */
/* Hand e (taken) to the hub, or hold it until there is room. */
void gw_wal_emit(struct gw_wal_link *l, struct gw_wal_event *e);
struct gw_wal_event *gw_wal_event_new(enum gw_wal_event_kind kind);
/* Close, tell the hub why, wait, come back. */
void gw_wal_drop(struct gw_wal_link *l, const struct gw_err *err);

/* wal_start.c: connected / input during the start. Ends in gw_wal_stream_begin or gw_wal_drop. */
void gw_wal_start_begin(struct gw_wal_link *l);
void gw_wal_start_read(struct gw_wal_link *l);
void gw_wal_start_tick(struct gw_wal_link *l, int64_t now_ms);

/* wal_stream.c */
void gw_wal_stream_begin(struct gw_wal_link *l);
void gw_wal_stream_end(struct gw_wal_link *l);      /* forget what is half-built */
void gw_wal_stream_input(struct gw_wal_link *l);    /* the socket has something */
void gw_wal_stream_continue(struct gw_wal_link *l); /* read on if nothing forbids it */
void gw_wal_stream_tick(struct gw_wal_link *l, int64_t now_ms);
void gw_wal_stream_set_catalog(struct gw_wal_link *l, const struct gw_catalog *catalog,
                               uint64_t relation_no); /* takes the reference */
/* Report progress to the server. False: the connection is broken. */
bool gw_wal_stream_send_status(struct gw_wal_link *l);
bool gw_wal_stream_ask_position(struct gw_wal_link *l); /* a status that wants a keepalive back */

#endif
