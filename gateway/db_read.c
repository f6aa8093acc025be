/* db_read: READ: rows of tables for the access state.
 *
 * DESIGN. One repeatable-read transaction past row security (Postgres raises if the login may not),
 * so all items are of one snapshot, which the reply names. Every item is a cursor, fetched in
 * pieces, so that a table larger than its bound costs no more than the bound. Items that name keys
 * are all sent at once, each with one FETCH, and most are answered by that: one round trip for all.
 * Whole tables, and items that had more, follow one after the other, alone: the next item's
 * ROLLBACK TO closes the cursor. How many rows a FETCH asks for follows from how wide they were
 * before. */
#include "db_read_own.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_ROWS 512 /* FETCH of items that are sent together */
#define ALONE_ROWS 1000
#define PIECE_BYTES ((size_t)2 << 20) /* of a FETCH, as far as can be foreseen */
#define PIECE_ROWS_MAX 50000
#define PROGRESS_TIMEOUT_MS 20000
#define TEXT_ARRAY_OID 1009

static const char settings_sql[] = "SELECT pg_catalog.set_config('search_path', '', true), "
                                   "pg_catalog.set_config('row_security', 'off', true), "
                                   "pg_catalog.set_config('statement_timeout', '15000', true), "
                                   "pg_catalog.set_config('jit', 'off', true), "
                                   "pg_catalog.set_config('cursor_tuple_fraction', '1', true)";

enum segment { SEGMENT_BEGIN, SEGMENT_TOGETHER, SEGMENT_ALONE, SEGMENT_END };
enum { BEGIN_SNAPSHOT = 2 };                  /* commands of BEGIN */
enum { ITEM_BACK, ITEM_DECLARE, ITEM_FETCH }; /* commands of an item */

struct item {
    struct gw_read_rows rows;
    bool is_alone; /* whole, or there was more: to be read again from its first row */
    bool is_done;
};

struct read_state {
    enum segment segment; /* whose results come now */
    int at;               /* command of it */
    uint32_t head;        /* item of it */
    uint32_t asked;       /* rows of the FETCH on its way */
    bool is_short;        /* it gave fewer: there are no more */
    struct item *items;
};

static void free_state(struct read_state *s)
{
    free(s->items);
    free(s);
}

/* ---- to Postgres ---- */

/* The item will fail; its segment goes all the same, because results are counted by them. */
static void fail(struct gw_db_read *read, const char *why)
{
    read->code = GW_E_DATABASE;
    snprintf(read->why, sizeof read->why, "%s", why);
}

static bool send_declare(struct gw_db_conn *c, struct gw_db_read *read, const char *sql)
{
    const char *values[GW_RULES_INDEX_COLUMNS_MAX];
    static const unsigned types[] = {TEXT_ARRAY_OID, TEXT_ARRAY_OID, TEXT_ARRAY_OID,
                                     TEXT_ARRAY_OID};
    struct gw_buf texts[GW_RULES_INDEX_COLUMNS_MAX];
    uint32_t n = read->is_whole ? 0 : read->def->indexes[read->index].n;
    for (uint32_t i = 0; i < n; i++) {
        gw_buf_init(&texts[i], 0);
        if (!gw_read_write_keys(&texts[i], read, i))
            fail(read, "the text of a key was not kept");
        values[i] = gw_buf_cstr(&texts[i]);
    }
    const struct gw_db_params p = {.n = (int)n, .types = types, .values = values};
    bool ok = read->code != GW_OK || gw_db_conn_send(c, sql, &p);
    for (uint32_t i = 0; i < n; i++)
        gw_buf_fini(&texts[i]);
    return ok;
}

static bool send_fetch(struct gw_db_conn *c, uint32_t rows)
{
    char sql[64];
    snprintf(sql, sizeof sql, "FETCH FORWARD %u FROM gw_rows", rows);
    return gw_db_conn_send(c, sql, NULL);
}

static bool send_item(struct gw_db_conn *c, struct gw_db_read *read, uint32_t rows)
{
    struct gw_buf sql;
    gw_buf_init(&sql, 0);
    if (!gw_read_write_sql(&sql, c->link->catalog, read))
        fail(read, "the type of a key is not in the catalog");
    bool ok = gw_db_conn_send(c, "ROLLBACK TO SAVEPOINT gw", NULL);
    if (ok && read->code == GW_OK)
        ok = send_declare(c, read, gw_buf_cstr(&sql));
    if (ok && read->code == GW_OK)
        ok = send_fetch(c, rows);
    gw_buf_fini(&sql);
    return ok && gw_db_conn_sync(c);
}

static bool send_begin(struct gw_db_conn *c)
{
    return gw_db_conn_send(c, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL) &&
           gw_db_conn_send(c, settings_sql, NULL) && gw_db_conn_send(c, gw_db_snapshot_sql, NULL) &&
           gw_db_conn_send(c, "SAVEPOINT gw", NULL) && gw_db_conn_sync(c);
}

/* ---- the course of things ---- */

static void enter(struct read_state *s, enum segment segment, uint32_t head, uint32_t asked)
{
    s->segment = segment;
    s->head = head;
    s->asked = asked;
    s->at = 0;
    s->is_short = false;
}

static bool finish(struct gw_db_conn *c)
{
    enter(c->job_state, SEGMENT_END, 0, 0);
    gw_db_conn_answer(c);
    return gw_db_conn_send(c, "ROLLBACK", NULL) && gw_db_conn_sync(c);
}

/* From item i on, the next one to be read alone; after the last, the answer. */
static bool next_alone(struct gw_db_conn *c, uint32_t i)
{
    struct read_state *s = c->job_state;
    struct gw_db_request *r = c->request;
    while (i < r->n_reads && (s->items[i].is_done || !s->items[i].is_alone))
        i++;
    if (i == r->n_reads)
        return finish(c);
    gw_read_rows_drop(&r->reads[i], &s->items[i].rows);
    enter(s, SEGMENT_ALONE, i, ALONE_ROWS);
    return send_item(c, &r->reads[i], ALONE_ROWS);
}

/* The results of the items that were sent together come in their order. */
static bool next_together(struct gw_db_conn *c, uint32_t i)
{
    struct read_state *s = c->job_state;
    struct gw_db_request *r = c->request;
    while (i < r->n_reads && (s->items[i].is_done || r->reads[i].is_whole))
        i++;
    if (i == r->n_reads)
        return next_alone(c, 0);
    enter(s, SEGMENT_TOGETHER, i, FIRST_ROWS);
    return true;
}

static void close_item(struct read_state *s, struct gw_db_read *read)
{
    struct item *item = &s->items[s->head];
    item->is_done = true;
    if (read->code == GW_OK)
        gw_read_rows_trim(read, &item->rows);
    else
        gw_read_rows_drop(read, &item->rows);
}

static uint32_t next_piece(const struct gw_db_read *read, const struct gw_read_rows *rows)
{
    size_t width = rows->bytes / (read->n_rows + 1u) + read->def->n_columns * 8 + 1;
    size_t n = PIECE_BYTES / width;
    return n < 16 ? 16 : n > PIECE_ROWS_MAX ? PIECE_ROWS_MAX : (uint32_t)n;
}

static bool on_item(struct gw_db_conn *c)
{
    struct read_state *s = c->job_state;
    struct gw_db_read *read = &c->request->reads[s->head];
    bool is_over = read->code != GW_OK || s->is_short;
    if (is_over)
        close_item(s, read);
    if (s->segment == SEGMENT_TOGETHER) {
        s->items[s->head].is_alone = !is_over;
        return next_together(c, s->head + 1);
    }
    if (is_over)
        return next_alone(c, s->head + 1);
    uint32_t rows = next_piece(read, &s->items[s->head].rows);
    enter(s, SEGMENT_ALONE, s->head, rows);
    s->at = ITEM_FETCH; /* nothing before it: the cursor is open */
    return send_fetch(c, rows) && gw_db_conn_sync(c);
}

static bool on_segment(struct gw_db_conn *c)
{
    struct read_state *s = c->job_state;
    if (s->segment == SEGMENT_END) {
        free_state(s);
        gw_db_conn_idle(c);
        return true;
    }
    if (s->segment == SEGMENT_BEGIN && c->request->code != GW_OK)
        return finish(c);
    return s->segment == SEGMENT_BEGIN ? next_together(c, 0) : on_item(c);
}

/* ---- what comes back ---- */

static void take_rows(struct gw_db_conn *c, const PGresult *r)
{
    struct read_state *s = c->job_state;
    struct gw_db_request *request = c->request;
    if (s->segment == SEGMENT_BEGIN) {
        if (s->at == BEGIN_SNAPSHOT && !gw_db_take_snapshot(request, r))
            request->code = gw_err_set(&request->err, GW_E_DATABASE, "no snapshot to read under");
    } else if (s->at == ITEM_FETCH && request) {
        s->is_short = (uint32_t)PQntuples(r) < s->asked;
        gw_read_rows_take(request, &request->reads[s->head], &s->items[s->head].rows, r);
    }
}

static void take_error(struct gw_db_conn *c, const PGresult *r)
{
    struct read_state *s = c->job_state;
    struct gw_db_request *request = c->request;
    struct gw_err err = {0};
    if (!request)
        return;
    if (s->segment == SEGMENT_BEGIN) {
        if (request->code == GW_OK)
            request->code = gw_pgconn_err_of_result(r, "beginning to read", &request->err);
        return;
    }
    struct gw_db_read *read = &request->reads[s->head];
    if (read->code != GW_OK)
        return;
    gw_pgconn_err_of_result(r, "reading rows", &err);
    read->code = err.code == GW_E_PRIVILEGE ? GW_E_PRIVILEGE : GW_E_DATABASE;
    snprintf(read->why, sizeof read->why, "%.150s", err.text);
}

static void on_result(struct gw_db_conn *c, PGresult *r)
{
    struct read_state *s = c->job_state;
    ExecStatusType status = PQresultStatus(r);
    gw_db_conn_timer(c, PROGRESS_TIMEOUT_MS);
    if (!r) {
        s->at++;
    } else if (status == PGRES_PIPELINE_SYNC) {
        struct gw_err err = {0};
        if (on_segment(c) && gw_db_conn_flush(c))
            return;
        gw_pgconn_err_of_loss(&c->pg, &err);
        gw_db_conn_break(c, &err);
    } else if (status == PGRES_TUPLES_OK) {
        take_rows(c, r);
    } else if (status == PGRES_FATAL_ERROR) {
        take_error(c, r);
    }
}

static void on_timer(struct gw_db_conn *c)
{
    struct gw_err err = {0};
    gw_err_set(&err, GW_E_DATABASE_DOWN, "no answer within %d s while reading rows",
               PROGRESS_TIMEOUT_MS / 1000);
    gw_pgerr_log(&c->link->last_error, "db_read_failed", &err);
    gw_db_conn_break(c, &err);
}

static void on_lost(struct gw_db_conn *c, const struct gw_err *err)
{
    if (c->request) {
        c->request->err = *err;
        c->request->code = c->request->err.code = GW_E_DATABASE_DOWN;
    }
    free_state(c->job_state);
}

bool gw_db_read_start(struct gw_db_conn *c)
{
    static const struct gw_db_job job = {on_result, on_timer, on_lost};
    struct gw_db_request *r = c->request;
    struct read_state *s = gw_alloc(sizeof *s);
    s->items = gw_alloc((r->n_reads + 1) * sizeof *s->items);
    c->job = &job;
    c->job_state = s;
    gw_db_conn_timer(c, PROGRESS_TIMEOUT_MS);
    bool ok = send_begin(c);
    for (uint32_t i = 0; ok && i < r->n_reads; i++) {
        struct gw_db_read *read = &r->reads[i];
        s->items[i].is_alone = read->is_whole;
        s->items[i].is_done = !read->is_whole && read->n_keys == 0;
        if (!read->is_whole && read->n_keys > 0)
            ok = send_item(c, read, FIRST_ROWS);
    }
    return ok;
}
