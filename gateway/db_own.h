/* db_own: what the parts of the db link share: db_link.c (thread, queues, replies), db_conn.c (one
 * connection and its job), db_ask*.c with db_question.c (ASK) and db_eval.c (EVAL), db_read*.c
 * (READ), db_cast.c (CAST), catalog_load.c (CATALOG). "db" thread only, except the atomics. */
#ifndef GW_DB_OWN_H
#define GW_DB_OWN_H

#include "db_link.h"
#include "loop.h"
#include "pgconn.h"
#include "pgerr.h"

#include "gw/list.h"
#include "gw/map.h"

#include <stdatomic.h>

#define GW_DB_POOL_MAX 64
#define GW_DB_CLAIM_SETTINGS_MAX 16
#define GW_DB_QUEUE_MAX 1024  /* requests taken out of the mailbox and not answered */
#define GW_DB_PATIENCE_MS 250 /* how long a request waits while there is no connection */

struct gw_db_conn;

/* What a connection is busy with. A job is fed every result in order and ends with
 * gw_db_conn_answer (the reply is ready) and gw_db_conn_idle (the connection is). */
struct gw_db_job {
    void (*on_result)(struct gw_db_conn *c, struct pg_result *r); /* NULL: end of one command */
    void (*on_timer)(struct gw_db_conn *c);
    /* The connection is gone: fill in the request as far as not yet answered, and free the job. */
    void (*on_lost)(struct gw_db_conn *c, const struct gw_err *err);
};

struct gw_db_conn {
    struct gw_db_link *link;
    struct gw_pgconn pg;
    bool is_admin; /* database_url: casts, catalog, reads; else query_url: asks, evals */
    enum { GW_DB_CLOSED, GW_DB_CONNECTING, GW_DB_IDLE, GW_DB_BUSY } state;
    unsigned failures; /* to connect, in a row */
    int64_t retry_at_ms;
    uv_timer_t timer;              /* the job's */
    unsigned syncs;                /* sent, not yet come back */
    struct gw_db_request *request; /* unanswered, of the job; or NULL */
    const struct gw_db_job *job;
    void *job_state; /* owned by the job */
    /* Asks: */
    uint64_t generation;      /* of the prepared statements */
    struct gw_idmap prepared; /* rel oid × role id → serial number of the statement's name */
    uintptr_t next_serial;
    bool is_ready_to_ask; /* the session has its helper statement */
    bool is_tainted;      /* a policy left something behind: DISCARD ALL before the next use */
};

struct gw_db_waiting {
    struct gw_list node;
    struct gw_db_request *request;
    int64_t since_ms;
};

struct gw_db_claim_setting {
    char *setting, *claim;
};

/* Reads have a connection of their own: a table of a million rows must not keep a catalog waiting,
 * for which the log may be paused. */
enum { GW_DB_ADMIN, GW_DB_READER, GW_DB_POOL };

struct gw_db_link {
    struct gw_db_config cfg;
    struct gw_loop loop;
    enum gw_code open_code;
    struct gw_err open_err;
    struct gw_mailbox *to_hub, *from_hub;
    uv_timer_t tick; /* while something waits */
    bool is_stopping;
    struct gw_list asks, admin, reads; /* of gw_db_waiting; evals stand among the asks */
    struct gw_list replies;            /* of gw_db_waiting: the hub's mailbox was full */
    unsigned n_waiting;                /* in asks, admin and reads */
    unsigned n_conns;                  /* [GW_DB_ADMIN], [GW_DB_READER], then the pool */
    struct gw_db_conn *conns;
    struct gw_pgerr_last last_error;
    unsigned n_claim_settings;
    struct gw_db_claim_setting claim_settings[GW_DB_CLAIM_SETTINGS_MAX];
    char *become_sql;           /* helper statement of asks: become this caller */
    char *roles_literal;        /* cfg.roles as text[] */
    char *login;                /* of query_url */
    struct gw_catalog *catalog; /* the last one, reference held; or NULL */
    uint64_t generation;        /* of the last catalog */
    /* Any thread. */
    _Atomic bool is_down;
    _Atomic uint64_t asks_count, questions, rows, errors, timeouts, invisible_retries,
        catalog_loads, reconnects, evals;
};

/* db_link.c */
void gw_db_reply(struct gw_db_link *l, struct gw_db_request *r); /* takes r */
void gw_db_dispatch(struct gw_db_link *l); /* give waiting requests to idle connections */

/* db_conn.c */
void gw_db_conn_init(struct gw_db_conn *c, struct gw_db_link *l, bool is_admin);
void gw_db_conn_stop(struct gw_db_conn *c); /* close, with its timer */
void gw_db_conn_fini(struct gw_db_conn *c);
void gw_db_conn_open(struct gw_db_conn *c); /* CLOSED and past retry_at_ms */
/* Begin r's job (r is taken); c is IDLE. */
void gw_db_conn_run(struct gw_db_conn *c, struct gw_db_request *r);
/* For jobs. One command into the pipeline: n parameters, all text unless formats says 1 (binary).
 */
struct gw_db_params {
    int n;
    const unsigned *types; /* oids, or NULL */
    const char *const *values;
    const int *lengths, *formats; /* or NULL */
};
bool gw_db_conn_send(struct gw_db_conn *c, const char *sql, const struct gw_db_params *params);
bool gw_db_conn_sync(struct gw_db_conn *c); /* end of a segment: errors skip to here */
bool gw_db_conn_flush(struct gw_db_conn *c);
void gw_db_conn_answer(struct gw_db_conn *c); /* reply to the request; the job may go on */
void gw_db_conn_idle(struct gw_db_conn *c);   /* the job is over, its state is freed */
/* Break the connection off: job->on_lost runs, and what is still unanswered is answered. */
void gw_db_conn_break(struct gw_db_conn *c, const struct gw_err *err);
void gw_db_conn_timer(struct gw_db_conn *c, int64_t ms); /* job->on_timer after ms; < 0: never */

/* The jobs; each sets c->job, c->job_state and sends its first commands. False: broken. */
bool gw_db_ask_start(struct gw_db_conn *c);
bool gw_db_eval_start(struct gw_db_conn *c);
bool gw_db_read_start(struct gw_db_conn *c);
bool gw_db_cast_start(struct gw_db_conn *c);
bool gw_db_flush_start(struct gw_db_conn *c);
bool gw_db_catalog_start(struct gw_db_conn *c);

/* db_eval.c: no answer yet: UNKNOWN, all of them. */
void gw_db_eval_blank(struct gw_db_request *r);

/* db_text.c */
/* First query of a repeatable-read transaction: its snapshot, and where the log stood then. */
extern const char gw_db_snapshot_sql[];
/* Keep what it gave, in place of an earlier one. False: it gave nothing of use. */
bool gw_db_take_snapshot(struct gw_db_request *r, const struct pg_result *rows);
void gw_db_add_element(struct gw_buf *out, struct gw_span text); /* of an array literal, quoted */
void gw_db_add_ident(struct gw_buf *out, struct gw_span name);   /* "name", quotes doubled */

#endif
