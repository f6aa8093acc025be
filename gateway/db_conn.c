/* db_conn: one pipelined connection of the db link: its life, and feeding results to its job.
 *
 * DESIGN. A connection is in pipeline mode for life. What a job sends between two syncs is a
 * segment: an error skips to the segment's sync and no further. Results come in order, so counting
 * syncs tells when nothing is outstanding. A job may answer its request before it is through (the
 * ROLLBACK follows the answer). */
#include "db_own.h"

#include <libpq-fe.h>
#include <stdlib.h>

static void close_conn(struct gw_db_conn *c)
{
    gw_pgconn_close(&c->pg);
    uv_timer_stop(&c->timer);
    c->state = GW_DB_CLOSED;
    c->syncs = 0;
    c->is_ready_to_ask = c->is_tainted = false;
    gw_idmap_fini(&c->prepared);
    gw_idmap_init(&c->prepared);
}

static void note_down(struct gw_db_conn *c, const struct gw_err *err)
{
    if (err->code == GW_E_DATABASE_DOWN)
        atomic_store(&c->link->is_down, true);
    gw_pgerr_log(&c->link->last_error, c->is_admin ? "db_lost" : "db_query_lost", err);
}

static void abandon(struct gw_db_conn *c, const struct gw_err *err)
{
    if (c->state == GW_DB_BUSY)
        c->job->on_lost(c, err);
    c->job = NULL;
    c->job_state = NULL;
    close_conn(c);
    c->retry_at_ms = gw_clock_mono_ms() + gw_pgerr_backoff_ms(c->failures);
    c->failures++;
    if (c->request)
        gw_db_conn_answer(c);
}

void gw_db_conn_break(struct gw_db_conn *c, const struct gw_err *err)
{
    abandon(c, err);
    gw_db_dispatch(c->link);
}

static void on_lost(void *ctx, const struct gw_err *err)
{
    struct gw_db_conn *c = ctx;
    note_down(c, err);
    abandon(c, err);
    gw_db_dispatch(c->link);
}

static void lost(struct gw_db_conn *c)
{
    struct gw_err err = {0};
    gw_pgconn_err_of_loss(&c->pg, &err);
    on_lost(c, &err);
}

static void on_open(void *ctx)
{
    struct gw_db_conn *c = ctx;
    if (!PQenterPipelineMode(c->pg.pg)) {
        lost(c);
        return;
    }
    c->failures = 0;
    c->state = GW_DB_IDLE;
    c->link->last_error.text[0] = '\0';
    atomic_store(&c->link->is_down, false);
    gw_db_dispatch(c->link);
}

/* An error that ends the session comes as some command's result, its meaning later, with the end.
 */
static void remember_farewell(struct gw_db_conn *c, const PGresult *r)
{
    char state[6];
    if (strncmp(gw_pgconn_sqlstate(r, state), "57P", 3) == 0)
        memcpy(c->pg.heard, state, sizeof state);
}

static void on_input(void *ctx)
{
    struct gw_db_conn *c = ctx;
    if (!gw_pgconn_consume(&c->pg)) {
        lost(c);
        return;
    }
    if (c->syncs == 0)
        (void)PQisBusy(c->pg.pg); /* parses notices: why it is about to close */
    while (c->syncs > 0 && !PQisBusy(c->pg.pg)) {
        PGresult *r = PQgetResult(c->pg.pg);
        if (r && PQresultStatus(r) == PGRES_PIPELINE_SYNC)
            c->syncs--;
        if (r && PQresultStatus(r) == PGRES_FATAL_ERROR)
            remember_farewell(c, r);
        c->job->on_result(c, r);
        PQclear(r);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct gw_db_conn *c = timer->data;
    if (c->state == GW_DB_BUSY && c->job->on_timer)
        c->job->on_timer(c);
}

void gw_db_conn_timer(struct gw_db_conn *c, int64_t ms)
{
    if (ms < 0)
        uv_timer_stop(&c->timer);
    else
        uv_timer_start(&c->timer, on_timer, (uint64_t)ms, 0);
}

void gw_db_conn_init(struct gw_db_conn *c, struct gw_db_link *l, bool is_admin)
{
    *c = (struct gw_db_conn){.link = l, .is_admin = is_admin, .state = GW_DB_CLOSED};
    c->pg = (struct gw_pgconn){
        .loop = &l->loop, .on_open = on_open, .on_input = on_input, .on_lost = on_lost, .ctx = c};
    gw_idmap_init(&c->prepared);
    uv_timer_init(&l->loop.uv, &c->timer);
    c->timer.data = c;
}

void gw_db_conn_stop(struct gw_db_conn *c)
{
    struct gw_err err = {0};
    gw_err_set(&err, GW_E_DATABASE_DOWN, "the link is stopping");
    abandon(c, &err);
    uv_close((uv_handle_t *)&c->timer, NULL);
}

void gw_db_conn_fini(struct gw_db_conn *c)
{
    gw_idmap_fini(&c->prepared);
}

void gw_db_conn_open(struct gw_db_conn *c)
{
    struct gw_err err = {0};
    const struct gw_db_config *cfg = &c->link->cfg;
    if (c->failures > 0)
        atomic_fetch_add(&c->link->reconnects, 1);
    c->state = GW_DB_CONNECTING;
    if (gw_pgconn_open(&c->pg, c->is_admin ? cfg->database_url : cfg->query_url, GW_PGCONN_QUERY,
                       &err) != GW_OK) {
        note_down(c, &err);
        abandon(c, &err);
    }
}

void gw_db_conn_run(struct gw_db_conn *c, struct gw_db_request *r)
{
    bool (*const start[])(struct gw_db_conn *) = {[GW_DB_ASK] = gw_db_ask_start,
                                                  [GW_DB_CAST] = gw_db_cast_start,
                                                  [GW_DB_CATALOG] = gw_db_catalog_start,
                                                  [GW_DB_EVAL] = gw_db_eval_start,
                                                  [GW_DB_FLUSH] = gw_db_flush_start,
                                                  [GW_DB_READ] = gw_db_read_start};
    c->request = r;
    c->state = GW_DB_BUSY;
    if (!start[r->kind](c) || !gw_db_conn_flush(c))
        lost(c);
}

bool gw_db_conn_send(struct gw_db_conn *c, const char *sql, const struct gw_db_params *params)
{
    static const struct gw_db_params none = {0};
    const struct gw_db_params *p = params ? params : &none;
    return PQsendQueryParams(c->pg.pg, sql, p->n, p->types, p->values, p->lengths, p->formats, 0);
}

bool gw_db_conn_sync(struct gw_db_conn *c)
{
    c->syncs++;
    return PQpipelineSync(c->pg.pg);
}

bool gw_db_conn_flush(struct gw_db_conn *c)
{
    return gw_pgconn_flush(&c->pg);
}

void gw_db_conn_answer(struct gw_db_conn *c)
{
    struct gw_db_request *r = c->request;
    c->request = NULL;
    gw_db_reply(c->link, r);
}

void gw_db_conn_idle(struct gw_db_conn *c)
{
    uv_timer_stop(&c->timer);
    c->job = NULL;
    c->job_state = NULL;
    c->state = GW_DB_IDLE;
    atomic_store(&c->link->is_down, false); /* it has just done something for us */
    gw_db_dispatch(c->link);
}
