/* db_link: questions to Postgres, on a loop thread of its own ("db") with a small pool of async
 * libpq connections in pipeline mode.
 *
 * Six kinds: ASK (may these callers see these row images?), EVAL (what is this expression, for
 * these rows?), READ (rows for the access state), CAST (canonical text of a filter value), CATALOG
 * (load a snapshot), FLUSH (have the log written as far as it goes). ASK and EVAL run on
 * ROWCAST_QUERY_URL connections, hostile ground: BEGIN READ ONLY, SET LOCAL only,
 * statement_timeout, ROLLBACK; CATALOG and CAST on one ROWCAST_DATABASE_URL connection with
 * row_security = off, READ on another, so that a large table delays no catalog. Every request gets
 * exactly one reply, also when the database is away. */
#ifndef GW_DB_LINK_H
#define GW_DB_LINK_H

#include "gw/catalog.h"
#include "gw/mailbox.h"
#include "gw/snapshot.h"

struct gw_db_link;

struct gw_db_config {
    const char *database_url; /* catalog, casts; borrowed for the link's life, like the others */
    const char *query_url;    /* asks */
    const char *publication;
    const char *access_publication; /* or "" */
    const char *const *roles;       /* ROWCAST_ROLES, n_roles entries */
    unsigned n_roles;
    const char *claim_settings;   /* ROWCAST_CLAIM_SETTINGS: "app.tenant_id=org_id,…" or "" */
    unsigned pool;                /* connections for asks, default 4 */
    int64_t statement_timeout_ms; /* per question, default 1000 */
};

/* One distinct caller × one table: are these images visible? */
struct gw_question {
    unsigned role_id;
    struct gw_span role, sub, claims_json; /* borrowed until the reply: the hub keeps them alive */
    struct gw_span sql;                    /* from gw/question.h, NUL-terminated */
    uint32_t rel_oid;       /* with role_id and generation: name of the prepared statement */
    uint32_t row_array_oid; /* type of the parameter */
    struct gw_span rows;    /* array literal; its elements are separated by ',' */
    uint32_t n_rows;
    const uint32_t *row_offsets; /* where each element starts in rows; NULL: a question that raises
                                    is denied whole, else only the rows that do */
    unsigned char *visible; /* out: n_rows bytes, 1 visible, 0 not; meant under OK and E_POLICY */
    enum gw_code code;      /* out: OK, E_POLICY (raised, wrote, changed role: those rows are 0),
                               E_BUDGET (timeout), E_UNSUPPORTED (row does not fit the table any
                               more); under the latter two all rows are 0 */
    char why[160];          /* out: Postgres' message, for the log */
};

/* One expression over many rows of arguments, under one role; or, with claims, as one caller. */
struct gw_db_eval {
    unsigned role_id;
    struct gw_span role, sub, claims_json; /* no claims_json: the role alone, all claims are '' */
    struct gw_span sql; /* scalar expression over v.a1 … v.an (struct gw_external), or, as a caller,
                         * over nothing (struct gw_fact_def); NUL-terminated */
    uint32_t n_args, n_rows;     /* n_rows ≥ 1; n_args may be 0 */
    const struct gw_datum *args; /* row-major, NULL or VALUE with text; in the request's arena */
    /* out: n_rows; NULL, VALUE (OPAQUE; text in the arena, as ::text prints it: booleans are "true"
     * and "false"), ERROR (raised for that row, or for all), UNKNOWN (timeout, does not parse,
     * database down). NULL on the way in: allocated in the arena. */
    struct gw_datum *answers;
    char why[160]; /* out: first error, for the log */
    uint64_t tag;  /* the hub's own, left alone */
};

/* Rows of one table for the access state. */
struct gw_db_read {
    const struct gw_state_table_def *def; /* borrowed until the reply: the hub holds the rules */
    bool is_whole;                        /* every row; else those of keys */
    uint32_t index;                       /* into def->indexes */
    uint32_t n_keys;
    const struct gw_datum *keys; /* row-major, n_keys × the index's columns, VALUE with text */
    size_t max_bytes;            /* of cell text; past it E_TOO_BIG and no rows */
    enum gw_code code;           /* out: OK, E_TOO_BIG, E_PRIVILEGE, E_DATABASE (why) */
    char why[160];
    uint32_t n_rows;  /* out */
    uint32_t *key_of; /* out: which key each row belongs to; NULL when whole. Ordered by it */
    /* out: row-major, def->n_columns each, kinds as in def; text in the arena, only where
     * needs_text or OPAQUE. Both arrays are freed with the request. */
    struct gw_datum *cells;
};

enum gw_db_kind { GW_DB_ASK, GW_DB_CAST, GW_DB_CATALOG, GW_DB_EVAL, GW_DB_READ, GW_DB_FLUSH };

struct gw_db_request {
    enum gw_db_kind kind;
    uint64_t id;           /* the hub's */
    struct gw_arena arena; /* ASK: holds what questions point to; freed with the request */
    /* ASK */
    uint32_t xid; /* must be visible in the snapshot that answers; 0: none */
    uint64_t generation;
    int64_t deadline_ms; /* monotonic; past it unanswered questions are E_BUDGET */
    uint32_t n_questions;
    struct gw_question *questions; /* in the arena */
    /* CAST: text → canonical text of the type; several at once. The array is owned (malloc). */
    uint32_t n_casts;
    struct gw_cast {
        uint32_t type_oid;
        char *text;        /* owned */
        char *canonical;   /* out, owned; NULL if code is set */
        enum gw_code code; /* E_MALFORMED: does not cast */
        char why[160];
    } * casts;
    /* EVAL: on the pool of QUERY_URL, like ASK. deadline_ms holds. In the arena. */
    uint32_t n_evals;
    struct gw_db_eval *evals;
    /* READ: on a DATABASE_URL connection, all in one repeatable-read snapshot. In the arena. */
    uint32_t n_reads;
    struct gw_db_read *reads;
    /* out */
    struct gw_snapshot snapshot; /* READ, ASK, EVAL, CATALOG: what was seen, with its horizon */
    /* CATALOG: taken after the last read. What the catalog may contain: Postgres' own functions
     * look at the newest rows, not at those of the snapshot. */
    struct gw_snapshot after;
    enum gw_code code; /* of the whole: OK, or E_DATABASE_DOWN (ask again), E_DATABASE */
    struct gw_err err;
    struct gw_catalog *catalog; /* CATALOG: owned, finished */
};

struct gw_db_request *gw_db_request_new(enum gw_db_kind kind, uint64_t id);
void gw_db_request_free(struct gw_db_request *r); /* accepts NULL */

/* The same struct goes to the link and comes back as the reply. */
struct gw_db_link *gw_db_link_new(const struct gw_db_config *cfg);
void *gw_db_link_loop(struct gw_db_link *l); /* struct gw_loop *, for gw_loop_wake */
GW_MUST_CHECK enum gw_code gw_db_link_start(struct gw_db_link *l, struct gw_mailbox *to_hub,
                                            struct gw_mailbox *from_hub, struct gw_err *err);
/* Any thread: whether the last thing heard of the server was that it is going away (57P01…03,
 * refused). */
bool gw_db_link_is_down(const struct gw_db_link *l);
struct gw_db_stats {
    uint64_t asks, questions, rows, errors, timeouts, invisible_retries, catalog_loads, reconnects;
    uint64_t evals;
};
void gw_db_link_stats(const struct gw_db_link *l, struct gw_db_stats *out); /* any thread */
void gw_db_link_stop(struct gw_db_link *l);
void gw_db_link_free(struct gw_db_link *l);

#endif
