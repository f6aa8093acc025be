/* explain_db: what `rowcast explain` reads of the database.
 *
 * DESIGN. Two connections, as serve has them: one of database_url, past row security, and one of
 * query_url, which takes the caller's role. The first exports its snapshot and the second takes it,
 * so row, access state and Postgres' own answer are of one moment. Where that cannot be (query_url
 * is another server, a standby), the report says so. Each question as the role begins at a
 * savepoint, which undoes role, claims and errors of the one before. */
#include "explain_own.h"

#include "db_read_own.h"
#include "pgerr.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#define FETCH_ROWS "10000"
#define TEXT_ARRAY_OID 1009

static const char session_sql[] = /* as pgconn.c has it, and gw/value.h relies on it */
    "SELECT pg_catalog.set_config('TimeZone', 'UTC', true), "
    "pg_catalog.set_config('DateStyle', 'ISO', true), "
    "pg_catalog.set_config('IntervalStyle', 'postgres', true), "
    "pg_catalog.set_config('extra_float_digits', '1', true), "
    "pg_catalog.set_config('bytea_output', 'hex', true)";
static const char past_rls_sql[] = "SELECT pg_catalog.set_config('search_path', '', true), "
                                   "pg_catalog.set_config('row_security', 'off', true), "
                                   "pg_catalog.set_config('statement_timeout', '15000', true)";

/* ---- statements ---- */

struct statement {
    const char *sql;
    int n; /* text parameters; NULL means NULL */
    const char *const *values;
    const Oid *types; /* or NULL: as they come */
};

/* Rows, or NULL and err; state: SQLSTATE of an error, or "". */
static PGresult *run(PGconn *pg, const struct statement *s, char state[6], struct gw_err *err)
{
    PGresult *r = PQexecParams(pg, s->sql, s->n, s->types, s->values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(r);
    const char *said = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    snprintf(state, 6, "%s", said ? said : "");
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return r;
    gw_pgerr_set(state, text ? text : PQerrorMessage(pg), err);
    PQclear(r);
    return NULL;
}

static bool do_it(PGconn *pg, const char *sql, struct gw_err *err)
{
    char state[6];
    PGresult *r = run(pg, &(struct statement){.sql = sql}, state, err);
    PQclear(r);
    return r != NULL;
}

/* ---- opening ---- */

static bool share_snapshot(struct gw_explain *x, struct gw_err *err)
{
    char sql[120], state[6];
    const struct statement export = {.sql = "SELECT pg_catalog.pg_export_snapshot()"};
    PGresult *r = run(x->pg, &export, state, err);
    if (!r)
        return false;
    snprintf(sql, sizeof sql, "SET TRANSACTION SNAPSHOT '%.60s'", PQgetvalue(r, 0, 0));
    PQclear(r);
    return do_it(x->query, sql, err);
}

/* The snapshot comes first: before any other query, and not within a savepoint. */
static bool begin(struct gw_explain *x, bool is_shared, struct gw_err *err)
{
    static const char sql[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    return do_it(x->pg, sql, err) && do_it(x->query, sql, err) &&
           (!is_shared || share_snapshot(x, err)) && do_it(x->pg, session_sql, err) &&
           do_it(x->pg, past_rls_sql, err) && do_it(x->pg, "SAVEPOINT gw", err) &&
           do_it(x->query, session_sql, err) && do_it(x->query, "SAVEPOINT gw", err);
}

enum gw_code gw_explain_open(struct gw_explain *x, struct gw_err *err)
{
    x->pg = gw_cmd_connect(x->settings->database_url, err);
    x->query = x->pg ? gw_cmd_connect(x->settings->query_url, err) : NULL;
    if (!x->query)
        return err->code;
    x->is_one_snapshot = begin(x, true, err);
    if (x->is_one_snapshot)
        return GW_OK;
    (void)do_it(x->pg, "ROLLBACK", err);
    (void)do_it(x->query, "ROLLBACK", err);
    *err = (struct gw_err){0};
    return begin(x, false, err) ? GW_OK : err->code;
}

void gw_explain_close(struct gw_explain *x)
{
    PQfinish(x->query);
    PQfinish(x->pg);
    x->pg = x->query = NULL;
}

/* ---- the row ---- */

static enum gw_code refuse_key(const struct gw_explain *x, const PGresult *r, struct gw_err *err)
{
    struct gw_buf names;
    int n = PQntuples(r);
    gw_buf_init(&names, 0);
    for (int i = 0; i < n; i++)
        gw_buf_printf(&names, "%s%s", i ? ", " : "", PQgetvalue(r, i, 0));
    if (n == 0) {
        gw_err_set(err, GW_E_SETTING, "%s has no primary key", x->args.table);
        gw_err_hint(err, "name columns that identify the row: --pk '{\"column\": value}'");
    } else {
        gw_err_set(err, GW_E_SETTING, "--pk has %u values, the primary key of %s is (%s)", x->n_key,
                   x->args.table, gw_buf_cstr(&names));
        gw_err_hint(err, "values in that order, with commas; or --pk '{\"column\": value}'");
    }
    gw_buf_fini(&names);
    return GW_E_SETTING;
}

static enum gw_code check_names(const struct gw_explain *x, struct gw_err *err)
{
    for (uint32_t i = 0; i < x->n_key; i++) {
        struct gw_span name = x->key[i].column;
        if (gw_catalog_column_find(x->table, name) < 0)
            return gw_err_set(err, GW_E_SETTING, "--pk: %s has no column %.*s", x->args.table,
                              (int)name.n, name.p);
    }
    return GW_OK;
}

enum gw_code gw_explain_name_key(struct gw_explain *x, struct gw_err *err)
{
    static const char sql[] =
        "SELECT a.attname FROM pg_catalog.pg_index AS i "
        "CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, ord) "
        "JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum "
        "WHERE i.indrelid = $1::oid AND i.indisprimary AND k.ord <= i.indnkeyatts ORDER BY k.ord";
    char oid[16], state[6];
    const char *values[] = {oid};
    const struct statement names = {sql, 1, values, NULL};
    if (x->key[0].column.n > 0)
        return check_names(x, err);
    snprintf(oid, sizeof oid, "%u", x->table->oid);
    PGresult *r = run(x->pg, &names, state, err);
    if (!r)
        return err->code;
    if (PQntuples(r) == 1 && x->n_key > 1) { /* a text with commas */
        while (x->n_key > 1)
            free(x->key[--x->n_key].text);
        free(x->key[0].text);
        x->key[0].text = gw_strdup_span(gw_span_of(x->args.key));
    }
    bool fits = PQntuples(r) == (int)x->n_key;
    for (uint32_t i = 0; fits && i < x->n_key; i++)
        x->key[i].column = gw_arena_copy(&x->arena, gw_span_of(PQgetvalue(r, (int)i, 0)));
    enum gw_code code = fits ? GW_OK : refuse_key(x, r, err);
    PQclear(r);
    return code;
}

/* " FROM table AS t WHERE key = $1 …" */
static void add_from_row(const struct gw_explain *x, struct gw_buf *sql)
{
    gw_buf_add_str(sql, " FROM ");
    gw_cmd_add_table(sql, x->table);
    for (uint32_t i = 0; i < x->n_key; i++) {
        gw_buf_add_str(sql, i ? " AND t." : " AS t WHERE t.");
        gw_cmd_add_ident(sql, x->key[i].column);
        gw_buf_printf(sql, " = $%u", i + 1);
    }
}

static PGresult *select_row(struct gw_explain *x, PGconn *pg, const char *targets, char state[6],
                            struct gw_err *err)
{
    const char *values[GW_EXPLAIN_KEY_MAX];
    struct gw_buf sql;
    gw_buf_init(&sql, 0);
    gw_buf_printf(&sql, "SELECT %s", targets);
    add_from_row(x, &sql);
    gw_buf_add_str(&sql, " LIMIT 2");
    for (uint32_t i = 0; i < x->n_key; i++)
        values[i] = x->key[i].text;
    const struct statement select = {gw_buf_cstr(&sql), (int)x->n_key, values, NULL};
    PGresult *r = run(pg, &select, state, err);
    gw_buf_fini(&sql);
    return r;
}

static struct gw_datum cell_of(struct gw_explain *x, const PGresult *r, unsigned i)
{
    const struct gw_catalog_column *column = &x->table->columns[i];
    enum gw_kind kind =
        column->is_opaque ? GW_KIND_OPAQUE : gw_kind_of(&x->catalog->types, column->type_oid);
    struct gw_span text = {PQgetvalue(r, 0, (int)i), (size_t)PQgetlength(r, 0, (int)i)};
    if (PQgetisnull(r, 0, (int)i))
        return gw_datum_null(kind);
    struct gw_span kept = gw_arena_copy(&x->arena, text);
    struct gw_datum d = gw_datum_of(kind, kept);
    d.text = kept; /* to be shown, even if it is not well formed for the kind */
    return d;
}

static enum gw_code take_row(struct gw_explain *x, const PGresult *r, struct gw_err *err)
{
    if (PQntuples(r) > 1) {
        gw_err_set(err, GW_E_SETTING, "--pk fits more than one row of %s", x->args.table);
        gw_err_hint(err, "name columns that are unique together");
        return GW_E_SETTING;
    }
    x->has_row = PQntuples(r) == 1;
    x->cells = gw_arena_alloc(&x->arena, (x->table->n_columns + 1u) * sizeof *x->cells);
    for (unsigned i = 0; x->has_row && i < x->table->n_columns; i++)
        x->cells[i] = cell_of(x, r, i);
    return GW_OK;
}

enum gw_code gw_explain_read_row(struct gw_explain *x, struct gw_err *err)
{
    struct gw_buf targets;
    char state[6];
    gw_buf_init(&targets, 0);
    for (unsigned i = 0; i < x->table->n_columns; i++) {
        gw_buf_add_str(&targets, i ? ", t." : "t.");
        gw_cmd_add_ident(&targets, x->table->columns[i].name);
    }
    PGresult *r = select_row(x, x->pg, gw_buf_cstr(&targets), state, err);
    gw_buf_fini(&targets);
    if (!r && strncmp(state, "22", 2) == 0) { /* the value is none of its type */
        err->code = GW_E_SETTING;
        gw_err_wrap(err, "reading the row; --pk is at fault");
    }
    enum gw_code code = r ? take_row(x, r, err) : err->code;
    PQclear(r);
    return code;
}

/* ---- as the role ---- */

static void add_setting(struct gw_buf *sql, PGconn *pg, struct gw_span name, const char *value)
{
    char *setting = PQescapeLiteral(pg, name.p, name.n);
    char *literal = PQescapeLiteral(pg, value, strlen(value));
    gw_buf_printf(sql, ", pg_catalog.set_config(%s, %s, true)", setting ? setting : "''",
                  literal ? literal : "''");
    PQfreemem(setting);
    PQfreemem(literal);
}

/* As db_link has it: the role, and the settings that policies read claims from. */
static bool become(struct gw_explain *x, bool as_caller, struct gw_err *err)
{
    const struct gw_claims *claims = x->claims;
    struct gw_buf sql;
    char timeout[24];
    gw_buf_init(&sql, 0);
    snprintf(timeout, sizeof timeout, "%lld", (long long)x->settings->ask_timeout_ms);
    gw_buf_add_str(&sql, "SELECT pg_catalog.set_config('row_security', 'on', true)");
    add_setting(&sql, x->query, GW_SPAN_LIT("statement_timeout"), timeout);
    add_setting(&sql, x->query, GW_SPAN_LIT("request.jwt.claims"), as_caller ? claims->json.p : "");
    add_setting(&sql, x->query, GW_SPAN_LIT("request.jwt.claim.sub"),
                as_caller ? claims->sub.p : "");
    add_setting(&sql, x->query, GW_SPAN_LIT("request.jwt.claim.role"), claims->role.p);
    for (uint32_t i = 0; i < x->n_claim_settings; i++) {
        const struct gw_fact_setting *s = &x->claim_settings[i];
        char *value = as_caller ? gw_explain_claim_text(x, s->claim) : NULL;
        add_setting(&sql, x->query, s->setting, value ? value : "");
        free(value);
    }
    add_setting(&sql, x->query, GW_SPAN_LIT("role"), claims->role.p);
    bool ok =
        do_it(x->query, "ROLLBACK TO SAVEPOINT gw", err) && do_it(x->query, gw_buf_cstr(&sql), err);
    gw_buf_fini(&sql);
    return ok;
}

/* Whether the role may compare the key at all; if not, Postgres cannot be asked this way. */
static bool may_read_key(const struct gw_explain *x)
{
    for (uint32_t i = 0; i < x->n_key; i++) {
        int column = gw_catalog_column_find(x->table, x->key[i].column);
        if (column < 0 || !gw_colset_has(&x->access->columns, (unsigned)column))
            return gw_colset_is_empty(&x->access->columns);
    }
    return true;
}

enum gw_explain_answer gw_explain_ask(struct gw_explain *x, struct gw_err *why)
{
    char state[6];
    if (!may_read_key(x)) {
        gw_err_set(why, GW_E_PRIVILEGE, "the role may not SELECT the columns of the key");
        return GW_EXPLAIN_UNASKED;
    }
    if (!become(x, true, why))
        return GW_EXPLAIN_UNASKED;
    PGresult *r = select_row(x, x->query, "1", state, why);
    if (!r)
        return strcmp(state, "57014") == 0 || !*state ? GW_EXPLAIN_UNASKED : GW_EXPLAIN_RAISED;
    bool is_there = PQntuples(r) > 0;
    PQclear(r);
    return is_there ? GW_EXPLAIN_VISIBLE : GW_EXPLAIN_HIDDEN;
}

static void write_eval(struct gw_buf *sql, const struct gw_explain_eval *e)
{
    gw_buf_add_str(sql, "SELECT (");
    gw_buf_add_span(sql, e->sql);
    gw_buf_add_str(sql, ")::pg_catalog.text");
    for (uint32_t i = 0; i < e->n_args; i++)
        gw_buf_printf(sql, "%s$%u::pg_catalog.text AS a%u", i ? ", " : " FROM (SELECT ", i + 1,
                      i + 1);
    if (e->n_args > 0)
        gw_buf_add_str(sql, ") AS v");
}

/* As db_eval has it: text that does not parse, or time that is up, tells nothing of the value. */
static struct gw_datum failed(const char *state)
{
    bool is_not_ours = strncmp(state, "42", 2) == 0 && strcmp(state, "42501") != 0;
    bool is_unknown = is_not_ours || strcmp(state, "57014") == 0 || !*state;
    return is_unknown ? gw_datum_unknown() : gw_datum_error();
}

struct gw_datum gw_explain_eval(struct gw_explain *x, const struct gw_explain_eval *e,
                                struct gw_err *why)
{
    const char **values = gw_alloc((e->n_args + 1u) * sizeof *values);
    char state[6] = "";
    struct gw_buf sql;
    gw_buf_init(&sql, 0);
    write_eval(&sql, e);
    for (uint32_t i = 0; i < e->n_args; i++)
        if (e->args[i].state == GW_DATUM_VALUE)
            values[i] = gw_arena_copy(&x->arena, e->args[i].text).p;
    const struct statement eval = {gw_buf_cstr(&sql), (int)e->n_args, values, NULL};
    PGresult *r = become(x, e->as_caller, why) ? run(x->query, &eval, state, why) : NULL;
    struct gw_datum d = gw_datum_null(GW_KIND_OPAQUE);
    if (!r || PQntuples(r) != 1)
        d = failed(state);
    else if (!PQgetisnull(r, 0, 0))
        d = (struct gw_datum){.state = GW_DATUM_VALUE,
                              .text = gw_arena_copy(&x->arena, gw_span_of(PQgetvalue(r, 0, 0)))};
    PQclear(r);
    gw_buf_fini(&sql);
    free(values);
    return d;
}

/* ---- the access state ---- */

static bool declare(struct gw_explain *x, const struct gw_db_read *read, struct gw_err *err)
{
    static const Oid types[GW_RULES_INDEX_COLUMNS_MAX] = {TEXT_ARRAY_OID, TEXT_ARRAY_OID,
                                                          TEXT_ARRAY_OID, TEXT_ARRAY_OID};
    const char *values[GW_RULES_INDEX_COLUMNS_MAX];
    struct gw_buf sql, texts[GW_RULES_INDEX_COLUMNS_MAX];
    uint32_t n = read->is_whole ? 0 : read->def->indexes[read->index].n;
    char state[6];
    gw_buf_init(&sql, 0);
    for (uint32_t i = 0; i < n; i++) {
        gw_buf_init(&texts[i], 0);
        gw_read_write_keys(&texts[i], read, i);
        values[i] = gw_buf_cstr(&texts[i]);
    }
    PGresult *r = NULL;
    bool is_written = gw_read_write_sql(&sql, x->catalog, read);
    const struct statement cursor = {gw_buf_cstr(&sql), (int)n, values, types};
    if (is_written)
        r = run(x->pg, &cursor, state, err);
    else
        gw_err_set(err, GW_E_DATABASE, "the type of a key is not in the catalog");
    for (uint32_t i = 0; i < n; i++)
        gw_buf_fini(&texts[i]);
    gw_buf_fini(&sql);
    PQclear(r);
    return r != NULL;
}

/* Rows of one read, all of them, into request's arena and the read. */
static enum gw_code fetch(struct gw_explain *x, struct gw_db_request *request,
                          struct gw_db_read *read, struct gw_err *err)
{
    const struct statement piece = {.sql = "FETCH FORWARD " FETCH_ROWS " FROM gw_rows"};
    struct gw_read_rows rows = {0};
    char state[6];
    if (!do_it(x->pg, "ROLLBACK TO SAVEPOINT gw", err) || !declare(x, read, err))
        return err->code;
    for (int n = 1; n > 0 && read->code == GW_OK;) {
        PGresult *r = run(x->pg, &piece, state, err);
        if (!r)
            return err->code;
        n = PQntuples(r);
        gw_read_rows_take(request, read, &rows, r);
        PQclear(r);
    }
    if (read->code != GW_OK)
        return gw_err_set(err, read->code, "%.*s.%.*s is larger than access_state_bytes",
                          (int)read->def->schema.n, read->def->schema.p, (int)read->def->name.n,
                          read->def->name.p);
    return GW_OK;
}

enum gw_code gw_explain_load(struct gw_explain *x, struct gw_state *state,
                             const struct gw_need_key *need, uint32_t table, struct gw_err *err)
{
    struct gw_db_request *request = gw_db_request_new(GW_DB_READ, 1);
    struct gw_db_read *read = gw_arena_alloc(&request->arena, sizeof *read);
    *read = (struct gw_db_read){.def = &x->catalog->rules->tables[table],
                                .is_whole = !need,
                                .index = need ? need->index : 0,
                                .n_keys = need ? 1 : 0,
                                .keys = need ? need->key : NULL,
                                .max_bytes = x->settings->access_state_bytes};
    request->n_reads = 1;
    request->reads = read;
    enum gw_code code = fetch(x, request, read, err);
    struct gw_state_rows rows = {read->n_rows, read->cells};
    if (code == GW_OK && need)
        gw_state_load_key(state, table, need->index, need->key, &rows);
    else if (code == GW_OK)
        gw_state_load(state, table, &rows);
    gw_state_settle(state);
    gw_db_request_free(request);
    return code;
}
