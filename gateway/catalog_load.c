/* catalog_load: one CATALOG request: the queries of catalog_sql.h in one transaction, one pipeline,
 * and the catalog built from their results. Behind the transaction comes one more snapshot: what
 * became visible in between may be in the catalog or not. */
#include "catalog_sql.h"

#include "catalog_rows.h"
#include "db_own.h"

#include <libpq-fe.h>
#include <stdlib.h>

#define LOAD_TIMEOUT_MS 15000

/* What became visible until now ends in the log before what is flushed: not before what is
 * inserted, which may stand there for long if nobody commits (reading prunes pages, and that is
 * logged). Only a change made with synchronous_commit = off can be further. */
static const char sql_after[] =
    "SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text, "
    "(CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() "
    "ELSE pg_catalog.pg_current_wal_flush_lsn() END)::pg_catalog.text";

static const struct {
    const char *sql, *what;
    int n_params;
} queries[GW_CATALOG_QUERIES] = {
    [GW_CATALOG_SNAPSHOT] = {gw_db_snapshot_sql, "reading the snapshot", 0},
    [GW_CATALOG_ROLES] = {sql_roles, "reading roles", 1},
    [GW_CATALOG_TABLES] = {sql_tables, "reading tables", 3},
    [GW_CATALOG_COLUMNS] = {sql_columns, "reading columns", 0},
    [GW_CATALOG_POLICIES] = {sql_policies, "reading policies", 1},
    [GW_CATALOG_CHECKS] = {sql_checks, "reading the policies of realtime.messages", 1},
    [GW_CATALOG_ACCESS] = {sql_access, "reading privileges", 1},
    [GW_CATALOG_FUNCTIONS] = {sql_functions, "reading functions", 1},
    [GW_CATALOG_VIEWS] = {sql_views, "reading views", 0},
    [GW_CATALOG_SEARCH_PATH] = {sql_search_path, "reading search_path", 4},
    [GW_CATALOG_TYPES] = {sql_types, "reading types", 0},
    [GW_CATALOG_FIELDS] = {sql_fields, "reading composite types", 0},
    [GW_CATALOG_AFTER] = {sql_after, "reading the last snapshot", 0},
};

/* Commands before the queries: BEGIN and the settings. Before the last one: ROLLBACK. */
#define PREAMBLE 2
#define AT_ROLLBACK (PREAMBLE + GW_CATALOG_AFTER)

struct load {
    int at;         /* command whose results come now */
    bool is_synced; /* the transaction is through, or was skipped after an error */
    PGresult *results[GW_CATALOG_QUERIES];
};

static void free_load(struct load *load)
{
    for (int i = 0; i < GW_CATALOG_QUERIES; i++)
        PQclear(load->results[i]);
    free(load);
}

/* The last catalog is kept: a load that finds the same policies shares its rules. */
static void build(struct gw_db_link *l, struct gw_db_request *r, const struct load *load)
{
    const struct gw_catalog_frame frame = {
        .roles = l->cfg.roles,
        .n_roles = l->cfg.n_roles,
        .generation = ++l->generation,
        .options = {.claim_settings = l->cfg.claim_settings},
        .previous = l->catalog ? l->catalog->rules : NULL,
    };
    bool is_known = gw_db_take_snapshot(r, load->results[GW_CATALOG_AFTER]);
    r->after = r->snapshot;
    r->snapshot = (struct gw_snapshot){0};
    if (!is_known || !gw_db_take_snapshot(r, load->results[GW_CATALOG_SNAPSHOT])) {
        r->code = gw_err_set(&r->err, GW_E_DATABASE, "no snapshot to read the catalog under");
        return;
    }
    r->catalog = gw_catalog_from_rows(load->results, &frame);
    gw_catalog_unref(l->catalog);
    l->catalog = gw_catalog_ref(r->catalog);
}

static void finish(struct gw_db_conn *c)
{
    struct load *load = c->job_state;
    struct gw_db_link *l = c->link;
    struct gw_db_request *r = c->request;
    for (int i = 0; i < GW_CATALOG_QUERIES; i++)
        if (!load->results[i] && r->code == GW_OK)
            r->code = gw_err_set(&r->err, GW_E_DATABASE, "no answer while %s", queries[i].what);
    if (r->code == GW_OK) {
        build(l, r, load);
        atomic_fetch_add(&l->catalog_loads, 1);
    } else {
        gw_pgerr_log(&l->last_error, "catalog_not_loaded", &r->err);
    }
    free_load(load);
    gw_db_conn_answer(c);
}

/* Which query's results come now; -1: of another command. */
static int query_now(const struct load *load)
{
    int i = load->at < AT_ROLLBACK ? load->at - PREAMBLE : GW_CATALOG_AFTER;
    return load->at == AT_ROLLBACK || i >= GW_CATALOG_QUERIES ? -1 : i;
}

/* The result is freed by the caller: a copy stays. */
static void keep(struct load *load, const PGresult *r)
{
    int i = query_now(load);
    if (i >= 0 && !load->results[i])
        load->results[i] = PQcopyResult(r, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES);
}

/* An error skips to the first sync; ROLLBACK and the last snapshot stand behind it and always run.
 */
static void on_sync(struct gw_db_conn *c)
{
    struct load *load = c->job_state;
    if (!load->is_synced) {
        load->is_synced = true;
        load->at = AT_ROLLBACK;
        return;
    }
    finish(c);
    gw_db_conn_idle(c);
}

static void on_result(struct gw_db_conn *c, PGresult *r)
{
    struct load *load = c->job_state;
    ExecStatusType status = PQresultStatus(r);
    if (!r) {
        load->at++;
    } else if (status == PGRES_PIPELINE_SYNC) {
        on_sync(c);
    } else if (status == PGRES_TUPLES_OK) {
        keep(load, r);
    } else if (status == PGRES_FATAL_ERROR && c->request->code == GW_OK) {
        int i = query_now(load);
        c->request->code = gw_pgconn_err_of_result(
            r, i >= 0 ? queries[i].what : "loading the catalog", &c->request->err);
    }
}

static void on_timer(struct gw_db_conn *c)
{
    struct gw_err err = {0};
    gw_err_set(&err, GW_E_DATABASE_DOWN, "no answer within %d s while loading the catalog",
               LOAD_TIMEOUT_MS / 1000);
    gw_pgerr_log(&c->link->last_error, "catalog_not_loaded", &err);
    gw_db_conn_break(c, &err);
}

static void on_lost(struct gw_db_conn *c, const struct gw_err *err)
{
    if (!c->request)
        return; /* answered, and freed with that */
    c->request->err = *err;
    c->request->code = c->request->err.code = GW_E_DATABASE_DOWN;
    free_load(c->job_state);
}

static const char *sql_of(const struct gw_db_conn *c, int i)
{
    bool is_14 = PQserverVersion(c->pg.pg) < 150000;
    return i == GW_CATALOG_TABLES && is_14 ? sql_tables_14 : queries[i].sql;
}

static bool send_query(struct gw_db_conn *c, int i)
{
    const char *values[] = {c->link->roles_literal, c->link->cfg.publication,
                            c->link->cfg.access_publication, c->link->login};
    static const unsigned types[] = {1009, 25, 25, 25}; /* text[], text, … */
    const struct gw_db_params p = {.n = queries[i].n_params, .types = types, .values = values};
    return gw_db_conn_send(c, sql_of(c, i), &p);
}

bool gw_db_catalog_start(struct gw_db_conn *c)
{
    static const struct gw_db_job job = {on_result, on_timer, on_lost};
    c->job = &job;
    c->job_state = gw_alloc(sizeof(struct load));
    gw_db_conn_timer(c, LOAD_TIMEOUT_MS);
    bool ok = gw_db_conn_send(c, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL) &&
              gw_db_conn_send(c,
                              "SELECT pg_catalog.set_config('search_path', '', true), "
                              "pg_catalog.set_config('row_security', 'off', true), "
                              "pg_catalog.set_config('statement_timeout', '10000', true)",
                              NULL);
    for (int i = 0; ok && i < GW_CATALOG_AFTER; i++)
        ok = send_query(c, i);
    return ok && gw_db_conn_sync(c) && gw_db_conn_send(c, "ROLLBACK", NULL) &&
           send_query(c, GW_CATALOG_AFTER) && gw_db_conn_sync(c);
}
