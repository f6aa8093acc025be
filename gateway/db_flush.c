/* db_flush: have the server write out what stands in its log so far, and so send it to us. A server
 * that commits nothing may keep the last records (of pruned pages, say) for many seconds; a
 * transaction with a number of its own and nothing in it ends that when it commits. On a standby it
 * fails, and nothing is lost. */
#include "db_own.h"

#include <libpq-fe.h>

#define FLUSH_TIMEOUT_MS 5000

static void on_result(struct gw_db_conn *c, PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);
    if (r && status == PGRES_PIPELINE_SYNC) {
        gw_db_conn_answer(c);
        gw_db_conn_idle(c);
    } else if (r && status == PGRES_FATAL_ERROR && c->request->code == GW_OK) {
        c->request->code = gw_pgconn_err_of_result(r, "flushing the log", &c->request->err);
    }
}

static void on_timer(struct gw_db_conn *c)
{
    struct gw_err err = {0};
    gw_err_set(&err, GW_E_DATABASE_DOWN, "no answer within %d s while flushing the log",
               FLUSH_TIMEOUT_MS / 1000);
    gw_db_conn_break(c, &err);
}

static void on_lost(struct gw_db_conn *c, const struct gw_err *err)
{
    c->request->err = *err;
    c->request->code = c->request->err.code = GW_E_DATABASE_DOWN;
}

bool gw_db_flush_start(struct gw_db_conn *c)
{
    static const struct gw_db_job job = {on_result, on_timer, on_lost};
    c->job = &job;
    gw_db_conn_timer(c, FLUSH_TIMEOUT_MS);
    /* One implicit transaction; no standby is waited for. */
    return gw_db_conn_send(c, "SELECT pg_catalog.set_config('synchronous_commit', 'local', true)",
                           NULL) &&
           gw_db_conn_send(c, "SELECT pg_catalog.pg_current_xact_id()", NULL) && gw_db_conn_sync(c);
}
