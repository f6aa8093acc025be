/* pgconn: one asynchronous libpq connection on a loop: connecting within a time limit, waiting for
 * its socket, and saying what an error of Postgres means and what would help.
 *
 * It is not a protocol: what is sent and how results are read is the owner's (wal_link, db_link).
 * Owner thread: the loop's. The struct is embedded; it may be freed as soon as it is closed.
 * Name look-up happens inside libpq and blocks this loop alone; `hostaddr` avoids it. */
#ifndef GW_PGCONN_H
#define GW_PGCONN_H

#include "loop.h"

struct pg_conn; /* libpq's PGconn and PGresult */
struct pg_result;

#define GW_PGCONN_CONNECT_MS 10000

enum gw_pgconn_kind { GW_PGCONN_QUERY, GW_PGCONN_REPLICATION };

struct gw_pgconn {
    struct gw_loop *loop;
    struct pg_conn *pg; /* NULL: closed */
    bool is_open;       /* past authentication */
    /* Own use: */
    uv_poll_t *poll;
    uv_timer_t *timer;
    bool wants_input, wants_output;
    char heard[6]; /* SQLSTATE of the last error outside of a command */
    /* Set by the owner before opening. on_lost: connecting failed or the connection broke; it is
     * closed by then. Callbacks may close and reopen the connection. */
    void (*on_open)(void *ctx);
    void (*on_input)(void *ctx);
    void (*on_lost)(void *ctx, const struct gw_err *err);
    void *ctx;
};

/* Begin to connect; the outcome arrives in on_open or on_lost, never from within this call. The
 * session speaks UTF8, ISO dates in UTC and hex bytea. Errors: E_SETTING (conninfo does not parse),
 * E_DATABASE_DOWN. */
GW_MUST_CHECK enum gw_code gw_pgconn_open(struct gw_pgconn *c, const char *conninfo,
                                          enum gw_pgconn_kind kind, struct gw_err *err);
/* Close at once; no callback follows. Accepts a closed connection. */
void gw_pgconn_close(struct gw_pgconn *c);
/* Whether on_input is wanted; true after opening. */
void gw_pgconn_want_input(struct gw_pgconn *c, bool wanted);
/* Write what libpq has buffered, now and as the socket takes it. False: the connection is broken;
 * the caller closes it. */
GW_MUST_CHECK bool gw_pgconn_flush(struct gw_pgconn *c);
/* Read what the socket has. False: the connection is broken; what was read before is still there.
 */
GW_MUST_CHECK bool gw_pgconn_consume(struct gw_pgconn *c);

/* Describe a failed result, "while doing what". */
enum gw_code gw_pgconn_err_of_result(const struct pg_result *r, const char *what,
                                     struct gw_err *err);
/* Describe a broken connection by the last thing the server said, looking at unread results too. */
enum gw_code gw_pgconn_err_of_loss(struct gw_pgconn *c, struct gw_err *err);
/* SQLSTATE of a failed result, "" if it has none; at least 6 bytes. Returns out. */
const char *gw_pgconn_sqlstate(const struct pg_result *r, char out[6]);

#endif
