/* hub_internal: the hub's state, shared by hub.c (thread, routing), hub_flight.c (transactions in
 * order), hub_catalog.c (the catalog in use) and hub_subscribe.c (joins). Hub thread only, except
 * the published statistics. */
#ifndef GW_HUB_INTERNAL_H
#define GW_HUB_INTERNAL_H

#include "hub.h"
#include "loop.h"

#include "gw/judge.h"

#define HUB_FLIGHTS_MAX 64
#define HUB_FLIGHT_BYTES_MAX ((size_t)64 << 20)
#define HUB_TICK_MS 50
#define HUB_ROWS_PER_QUESTION 500
#define HUB_EVALUATIONS_MAX 100000
#define HUB_ROWS_BYTES_MAX ((size_t)64 << 20)

/* One transaction on its way to the history; its place in the order is fixed when it enters. */
struct flight {
    struct gw_list node;
    enum { FLIGHT_ASKING, FLIGHT_REASK, FLIGHT_WAIT_CATALOG, FLIGHT_READY } state;
    uint64_t seq;
    uint64_t request_id;
    struct gw_case *c;        /* owned; NULL for a resync-only commit */
    struct gw_commit *commit; /* owned; resync-only */
    struct gw_lsn end_lsn;
    size_t bytes;
    int64_t reask_at_ms;
    unsigned reasks;
};

/* A join that waits for the catalog, a cast, or the first stream. */
struct pending {
    struct gw_list node;
    struct gw_to_hub *msg;
    int64_t since_ms;
    uint64_t cast_id; /* request under way, or 0 */
};

/* Delivered up to seq means the log is done with up to lsn. */
struct mark {
    uint64_t seq;
    struct gw_lsn lsn;
};

struct suspension {
    uint32_t rel_oid;
    int64_t until_ms, backoff_ms;
    bool owed; /* a change was withheld: resync at the end */
};

/* A mailbox to another thread and the messages it had no room for, in order. */
struct outlet {
    struct gw_mailbox *box;
    struct gw_list backlog;
    void (*drop)(void *msg);
};

struct gw_hub {
    struct gw_hub_config cfg;
    struct gw_loop loop;
    uv_timer_t tick;
    struct gw_mailbox *from_wal, *from_db, **from_worker; /* cfg.n_workers */
    struct outlet to_wal, to_db, *to_worker;              /* cfg.n_workers */
    uint64_t next_request_id;

    /* hub_flight.c */
    struct gw_interest *interest;
    struct gw_judge_stats judge;
    struct gw_list flights;
    uint32_t n_flights;
    size_t flight_bytes;
    uint64_t next_seq;
    struct mark *marks; /* FIFO */
    size_t marks_head, marks_n, marks_cap;
    struct gw_lsn flushed, done_lsn;
    struct gw_idmap views;       /* rel oid → struct gw_table_views, of the catalog in use */
    struct gw_idmap suspensions; /* rel oid → struct suspension */
    struct gw_idmap warned;      /* rel oid → time of the last warning about its policy, ms + 1 */

    /* hub_catalog.c */
    struct gw_catalog *catalog;
    uint64_t catalog_request; /* under way, or 0 */
    bool catalog_again;       /* something changed since that request left */
    int64_t catalog_at_ms, catalog_retry_ms, catalog_load_started_ms;
    uint64_t relation_wanted, relation_loading, relation_answered;

    /* hub_subscribe.c */
    struct gw_list pending;
    struct gw_map casts; /* type oid + text → struct cast_result */

    bool streaming, ever_streamed;
    uint64_t transactions, reasks, wal_disconnects;
#define X(name) _Atomic uint64_t name;
    struct {
        GW_HUB_STATS(X)
    } published;
#undef X
};

/* hub.c: push, or keep and try again on the next turn. Takes msg. */
void hub_post(struct outlet *to, void *msg);

/* hub_flight.c */
void hub_flight_init(struct gw_hub *h);
void hub_flight_fini(struct gw_hub *h);
bool hub_flight_has_room(const struct gw_hub *h);
void hub_flight_enter(struct gw_hub *h, struct gw_txn *txn);
void hub_flight_enter_resync(struct gw_hub *h, uint32_t rel_oid, enum gw_code reason);
void hub_flight_on_progress(struct gw_hub *h, struct gw_lsn lsn);
void hub_flight_on_reply(struct gw_hub *h, struct gw_db_request *reply);
void hub_flight_on_catalog(struct gw_hub *h); /* a newer catalog is in use */
void hub_flight_tick(struct gw_hub *h, int64_t now_ms);
void hub_flight_pump(struct gw_hub *h); /* finished ones, in order, to the history */
/* Something waits for the database and that is away: drop the stream, or the server, which waits for
 * us to read it, could not end. */
void hub_let_server_go(struct gw_hub *h);

/* hub_catalog.c */
void hub_catalog_want(struct gw_hub *h); /* load one that is newer than now */
void hub_catalog_on_relation(struct gw_hub *h, uint64_t relation_no);
void hub_catalog_on_reply(struct gw_hub *h, struct gw_db_request *reply);
void hub_catalog_tick(struct gw_hub *h, int64_t now_ms);
void hub_catalog_fini(struct gw_hub *h);

/* hub_subscribe.c */
void hub_subscribe_init(struct gw_hub *h);
void hub_subscribe_fini(struct gw_hub *h);
void hub_subscribe_on_message(struct gw_hub *h, struct gw_to_hub *msg); /* takes msg */
void hub_subscribe_on_casts(struct gw_hub *h, struct gw_db_request *reply);
void hub_subscribe_retry(struct gw_hub *h); /* catalog or stream has changed */

#endif
