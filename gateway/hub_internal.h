/* hub_internal: the hub's state, shared by hub.c (thread, routing), hub_judge.c (transactions judged
 * one after the other, with the access state), hub_state.c (reading that state), hub_needs.c (answers
 * the solver waits for), hub_flight.c (judged ones on their way to the history), hub_catalog.c (the
 * catalog in use) and hub_subscribe.c (joins). Hub thread only, except the published statistics. */
#ifndef GW_HUB_INTERNAL_H
#define GW_HUB_INTERNAL_H

#include "hub.h"
#include "loop.h"

#include "gw/judge.h"
#include "gw/scopes.h"
#include "gw/topics.h"

#define HUB_ARRIVALS_MAX 65536
#define HUB_APPLIED_MAX 16384
#define HUB_FLIGHTS_MAX 64
#define HUB_FLIGHT_BYTES_MAX ((size_t)64 << 20)
#define HUB_TICK_MS 50
#define HUB_ROWS_PER_QUESTION 500
#define HUB_EVALUATIONS_MAX 100000
#define HUB_ROWS_BYTES_MAX ((size_t)64 << 20)

/* One transaction on its way to the history; its place in the order is fixed when it enters. */
struct flight {
    struct gw_list node;
    enum {
        FLIGHT_JUDGING,
        FLIGHT_ASKING,
        FLIGHT_REASK,
        FLIGHT_WAIT_CATALOG,
        FLIGHT_WAIT_LOG, /* answered ahead of the log: what came in between must be seen first */
        FLIGHT_READY
    } state;
    uint64_t seq;
    uint64_t request_id;
    struct gw_case *c;        /* owned; NULL for a resync-only commit */
    struct gw_commit *commit; /* owned; resync-only */
    struct gw_lsn end_lsn;
    size_t bytes;
    int64_t reask_at_ms;
    unsigned reasks;
    struct gw_snapshot answered; /* what the answers contained */
    uint64_t applied_no;         /* it was the so-manieth transaction applied */
};

/* What came from the log and is not judged yet, in order. The head is the one being judged; those
 * behind it are the look-ahead. */
struct arrival {
    struct gw_list node;
    struct gw_txn *txn; /* owned; NULL: a gap in the stream */
    const struct gw_catalog *catalog; /* reference held; NULL until barrier is answered */
    uint64_t barrier;
    bool is_overtaken; /* catalog has seen a change that the log has only later */
    struct gw_lsn done_lsn; /* the log is done with up to here once it is judged */
    size_t bytes;
};

/* Where the head of the arrivals stands. */
enum judge_stage {
    JUDGE_IDLE,
    JUDGE_OLD, /* solving old images: the state is as before the commit */
    JUDGE_NEW, /* applied; solving new images */
    JUDGE_TOPICS, /* judging again the topics whose answers rested on what has changed */
};

struct judge {
    struct gw_list arrivals;
    uint32_t n_arrivals;
    size_t arrival_bytes;
    struct gw_lsn read_lsn; /* the log was read up to here */
    enum judge_stage stage;
    struct flight *flight; /* of the head */
    const struct gw_catalog *catalog; /* of the head, or of the last one; reference held */
    struct gw_topics *topics;
    struct gw_scopes *scopes;

    /* hub_state.c */
    const struct gw_rules *rules; /* in use by state, solver and callers; reference held */
    struct gw_state *state;
    struct gw_solver *solver;
    struct gw_callers *callers;
    struct gw_db_request *read; /* answered, waits for the log to catch up with it; owned */
    uint64_t read_request;      /* under way, or 0 */
    int64_t retry_at_ms;
    unsigned rereads;
    int64_t nudged_at_ms;
    struct gw_lsn tick_lsn; /* read_lsn at the last tick */
    uint64_t flush_request; /* under way, or 0 */
    bool is_catching_up;        /* the log is further behind than can be looked ahead */
    struct gw_lsn catch_up_lsn;
    struct gw_idmap failed;     /* table oid → when to try again, ms */
    uint32_t *applied;   /* ring: xids in order of the log, number i at i % HUB_APPLIED_MAX */
    uint64_t applied_no; /* of the last one */
    uint64_t seen_no;    /* all up to here were visible once, and are for good */

    /* hub_needs.c */
    uint64_t eval_request; /* under way, or 0 */
    bool is_eval_facts;    /* it is about callers, not rows */
    unsigned rounds;
    bool is_give_up;

    struct gw_idmap distrusted; /* rel oid → 1: the live oracle disagreed; asked from then on */
    int64_t until_sample;       /* decisions until the next one is sampled */
    uint64_t random;
    struct gw_idmap owed; /* rel oid → 1: a change was withheld; resync when the state is known */
    int64_t paid_at_ms, facts_at_ms;
    uint64_t catch_ups, reads, rereads_total, give_ups;
};

/* A join that waits for the catalog, a cast, or the first stream. */
struct pending {
    struct gw_list node;
    struct gw_to_hub *msg;
    int64_t since_ms;
    uint64_t cast_id; /* request under way, or 0 */
};

/* What comes behind it in the log waits for a catalog that has seen xid; a Relation message also for one
 * whose load began after it. */
struct catalog_barrier {
    uint32_t xid; /* 0: unknown, of another server */
    bool is_relation;
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

    struct judge judging; /* hub_judge.c */
    struct gw_fact_setting *claim_settings; /* ROWCAST_CLAIM_SETTINGS, split; owned */
    uint32_t n_claim_settings;
    const struct gw_catalog *views_catalog; /* the views are of this one; borrowed */

    /* hub_catalog.c */
    /* What says in the log that the catalog changed, numbered in its order. */
    uint64_t barrier, barrier_loading, barrier_answered;
    struct catalog_barrier *barriers; /* barrier_answered + 1 … barrier */
    uint32_t cap_barriers;
    unsigned unseen_loads; /* in a row, that had not seen one */
    struct gw_catalog *catalog; /* in use; NULL until the first one has its place */
    struct gw_catalog *next;    /* loaded, waits for its place in the log, or NULL */
    struct gw_snapshot next_seen, next_after; /* of its load: has seen; may have seen */
    uint64_t next_barrier; /* the last one known when its load began */
    int64_t next_at_ms;
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

/* hub_judge.c */
void hub_judge_init(struct gw_hub *h);
void hub_judge_fini(struct gw_hub *h);
bool hub_judge_has_room(const struct gw_hub *h); /* for another arrival */
void hub_judge_enter(struct gw_hub *h, struct gw_txn *txn);
void hub_judge_on_progress(struct gw_hub *h, struct gw_lsn lsn);
void hub_judge_on_gap(struct gw_hub *h);
/* A newer catalog is in use. Arrivals that waited and stand before barrier exact_from are overtaken. */
void hub_judge_on_catalog(struct gw_hub *h, uint64_t exact_from);
void hub_judge_tick(struct gw_hub *h, int64_t now_ms);
void hub_judge_run(struct gw_hub *h); /* as far as it goes without waiting */
struct gw_judge_env hub_judge_env(struct gw_hub *h, const struct gw_catalog *catalog);

/* hub_state.c: the access state is as the rules want it, or being made so (false: wait). */
bool hub_state_ensure(struct gw_hub *h, const struct gw_rules *rules);
void hub_state_read_keys(struct gw_hub *h, const struct gw_needs *needs);
void hub_state_on_read(struct gw_hub *h, struct gw_db_request *reply); /* takes reply */
bool hub_state_is_busy(struct gw_hub *h); /* a read is under way or waits for its place */
void hub_state_applied(struct gw_hub *h, const struct gw_txn *txn);
/* Whether s has every transaction up to that number: they become visible in another order than they
 * stand in the log. */
bool hub_state_sees(struct gw_hub *h, const struct gw_snapshot *s, uint64_t applied_no);
void hub_state_gap(struct gw_hub *h);
void hub_state_bound(struct gw_hub *h); /* tables that outgrew the budget are cached by key */
void hub_state_nudge(struct gw_hub *h); /* have the log's position told */
void hub_state_tick(struct gw_hub *h, int64_t now_ms);
bool hub_state_is_reached(const struct gw_hub *h, struct gw_lsn horizon);
void hub_state_fini(struct gw_hub *h);

/* hub_needs.c: false: an answer is under way, wait. */
bool hub_needs_facts(struct gw_hub *h);
void hub_needs_solver(struct gw_hub *h); /* send for what the solver lacks */
void hub_needs_on_eval(struct gw_hub *h, struct gw_db_request *reply);
bool hub_needs_is_busy(const struct gw_hub *h);

/* hub_flight.c */
void hub_flight_init(struct gw_hub *h);
void hub_flight_fini(struct gw_hub *h);
bool hub_flight_has_room(const struct gw_hub *h);
/* Takes the next place in the order. */
struct flight *hub_flight_begin(struct gw_hub *h, struct gw_lsn end_lsn, size_t bytes);
void hub_flight_judged(struct gw_hub *h, struct flight *f, struct gw_case *c); /* takes c */
bool hub_flight_is_suspended(void *ctx, uint32_t rel_oid);
const struct gw_table_views *hub_flight_views(void *ctx, const struct gw_relation *rel);
void hub_flight_enter_resync(struct gw_hub *h, uint32_t rel_oid, enum gw_code reason);
void hub_flight_on_progress(struct gw_hub *h, struct gw_lsn lsn);
void hub_flight_on_reply(struct gw_hub *h, struct gw_db_request *reply);
void hub_flight_on_catalog(struct gw_hub *h); /* a newer catalog is in use */
void hub_flight_tick(struct gw_hub *h, int64_t now_ms);
/* Finished ones, in order, to the history. Whether there were any: then there is room for more. */
bool hub_flight_pump(struct gw_hub *h);
/* Something waits for the database and that is away: drop the stream, or the server, which waits for
 * us to read it, could not end. */
void hub_let_server_go(struct gw_hub *h);

/* hub_catalog.c */
void hub_catalog_want(struct gw_hub *h); /* load one that is newer than now */
void hub_catalog_changed(struct gw_hub *h, uint32_t xid); /* that commit says it changed it */
void hub_catalog_on_relation(struct gw_hub *h, uint64_t relation_no, uint32_t xid);
void hub_catalog_on_reply(struct gw_hub *h, struct gw_db_request *reply);
void hub_catalog_on_gap(struct gw_hub *h); /* another server: xids and positions mean something else */
void hub_catalog_settle(struct gw_hub *h); /* use the next one, if the log has got to its place */
const struct gw_catalog *hub_catalog_newest(const struct gw_hub *h); /* or NULL */
void hub_catalog_tick(struct gw_hub *h, int64_t now_ms);
void hub_catalog_fini(struct gw_hub *h);

/* hub_subscribe.c */
void hub_subscribe_init(struct gw_hub *h);
void hub_subscribe_fini(struct gw_hub *h);
void hub_subscribe_on_message(struct gw_hub *h, struct gw_to_hub *msg); /* takes msg */
void hub_subscribe_on_casts(struct gw_hub *h, struct gw_db_request *reply);
void hub_subscribe_retry(struct gw_hub *h); /* catalog or stream has changed */

#endif
