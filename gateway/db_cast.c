/* db_cast: the canonical text of filter values: in through the type's input function, out through
 * its output function, which is how the log prints values. Read only, with a time limit: a domain's
 * check may run code, and the text comes from a client. */
#include "db_own.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#define CAST_TIMEOUT_MS 5000

struct cast_state {
    uint32_t segment; /* 0: BEGIN; 1…n: cast; n + 1: ROLLBACK */
};

static void take_value(struct gw_cast *cast, const PGresult *r)
{
    if (PQntuples(r) == 1 && PQnfields(r) == 1 && !PQgetisnull(r, 0, 0))
        cast->canonical =
            gw_strdup_span((struct gw_span){PQgetvalue(r, 0, 0), (size_t)PQgetlength(r, 0, 0)});
}

static void take_error(struct gw_cast *cast, const PGresult *r)
{
    const char *said = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    cast->code = GW_E_MALFORMED;
    snprintf(cast->why, sizeof cast->why, "%s", said ? said : "does not cast");
}

static void finish(struct gw_db_conn *c)
{
    for (uint32_t i = 0; i < c->request->n_casts; i++) {
        struct gw_cast *cast = &c->request->casts[i];
        if (!cast->canonical && cast->code == GW_OK)
            cast->code = GW_E_MALFORMED;
    }
    free(c->job_state);
    gw_db_conn_answer(c);
    gw_db_conn_idle(c);
}

static void on_result(struct gw_db_conn *c, PGresult *r)
{
    struct cast_state *s = c->job_state;
    struct gw_db_request *request = c->request;
    bool is_cast = s->segment >= 1 && s->segment <= request->n_casts;
    struct gw_cast *cast = is_cast ? &request->casts[s->segment - 1] : NULL;
    ExecStatusType status = PQresultStatus(r);
    if (r && status == PGRES_PIPELINE_SYNC) {
        if (s->segment++ == request->n_casts + 1)
            finish(c);
    } else if (status == PGRES_TUPLES_OK && cast) {
        take_value(cast, r);
    } else if (r && status == PGRES_FATAL_ERROR) {
        if (cast)
            take_error(cast, r);
        else
            request->code = gw_pgconn_err_of_result(r, "casting filter values", &request->err);
    }
}

static void on_timer(struct gw_db_conn *c)
{
    struct gw_err err = {0};
    gw_err_set(&err, GW_E_DATABASE_DOWN, "no answer within %d s while casting filter values",
               CAST_TIMEOUT_MS / 1000);
    gw_db_conn_break(c, &err);
}

static void on_lost(struct gw_db_conn *c, const struct gw_err *err)
{
    c->request->err = *err;
    c->request->code = c->request->err.code = GW_E_DATABASE_DOWN;
    free(c->job_state);
}

static bool send_cast(struct gw_db_conn *c, const struct gw_cast *cast)
{
    const unsigned type = cast->type_oid;
    const char *value = cast->text;
    const struct gw_db_params p = {.n = 1, .types = &type, .values = &value};
    return gw_db_conn_send(c, "ROLLBACK TO SAVEPOINT gw", NULL) &&
           gw_db_conn_send(c, "SELECT $1", &p) && gw_db_conn_sync(c);
}

bool gw_db_cast_start(struct gw_db_conn *c)
{
    static const struct gw_db_job job = {on_result, on_timer, on_lost};
    c->job = &job;
    c->job_state = gw_alloc(sizeof(struct cast_state));
    gw_db_conn_timer(c, CAST_TIMEOUT_MS);
    bool ok = gw_db_conn_send(c, "BEGIN READ ONLY", NULL) &&
              gw_db_conn_send(c,
                              "SELECT pg_catalog.set_config('statement_timeout', '1000', true), "
                              "pg_catalog.set_config('search_path', '', true)",
                              NULL) &&
              gw_db_conn_send(c, "SAVEPOINT gw", NULL) && gw_db_conn_sync(c);
    for (uint32_t i = 0; ok && i < c->request->n_casts; i++)
        ok = send_cast(c, &c->request->casts[i]);
    return ok && gw_db_conn_send(c, "ROLLBACK", NULL) && gw_db_conn_sync(c);
}
