/* wal_start: from a fresh replication connection to a running stream.
 *
 * A table of steps, each one command and one look at its answer: who is the server, can it decode,
 * do the publications exist, does the slot, and off. The publications are looked at before a slot
 * is made, because pgoutput reads the catalog as of the change it decodes: a publication younger
 * than the slot would not be found. Until START_REPLICATION a replication connection to a database
 * takes plain SQL (simple protocol only). Source: PostgreSQL docs, "Streaming Replication
 * Protocol". */
#include "wal_own.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#define STEP_TIMEOUT_MS 30000
#define SLOT_WAIT_WARN_MS 5000

struct step {
    const char *what; /* follows "while" */
    void (*write)(const struct gw_wal_link *l, struct gw_buf *out);
    enum gw_code (*take)(struct gw_wal_link *l, const PGresult *r, struct gw_err *err);
};

/* ---- quoting: the replication grammar knows '' and "" but neither E'' nor backslashes ---- */

static void add_quoted(struct gw_buf *out, struct gw_span s, char quote)
{
    gw_buf_add_byte(out, quote);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == quote)
            gw_buf_add_byte(out, quote);
        gw_buf_add_byte(out, s.p[i]);
    }
    gw_buf_add_byte(out, quote);
}

/* An SQL literal, whatever standard_conforming_strings says. */
static void add_literal(struct gw_buf *out, struct gw_span s)
{
    gw_buf_add_str(out, " E'");
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'' || s.p[i] == '\\')
            gw_buf_add_byte(out, s.p[i]);
        gw_buf_add_byte(out, s.p[i]);
    }
    gw_buf_add_byte(out, '\'');
}

/* The next name of a comma-separated list, without blanks around it; false at the end. */
static bool next_name(const char **at, struct gw_span *name)
{
    while (**at) {
        const char *start = *at + strspn(*at, " ,");
        size_t n = strcspn(start, ",");
        *at = start + n;
        while (n > 0 && start[n - 1] == ' ')
            n--;
        *name = (struct gw_span){start, n};
        if (n > 0)
            return true;
    }
    return false;
}

/* ---- the server ---- */

static void write_identify(const struct gw_wal_link *l, struct gw_buf *out)
{
    (void)l;
    gw_buf_add_str(out, "IDENTIFY_SYSTEM");
}

static enum gw_code take_identify(struct gw_wal_link *l, const PGresult *r, struct gw_err *err)
{
    if (PQntuples(r) != 1 || PQnfields(r) < 2)
        return gw_err_set(err, GW_E_DATABASE, "the server does not say who it is");
    l->system_id = strtoull(PQgetvalue(r, 0, 0), NULL, 10);
    l->timeline = strtoull(PQgetvalue(r, 0, 1), NULL, 10);
    if (PQserverVersion(l->conn.pg) >= 140000)
        return GW_OK;
    gw_err_set(err, GW_E_UNSUPPORTED, "Postgres %d is too old",
               PQserverVersion(l->conn.pg) / 10000);
    gw_err_hint(err, "use Postgres 14 or newer");
    return GW_E_UNSUPPORTED;
}

static void write_wal_level(const struct gw_wal_link *l, struct gw_buf *out)
{
    (void)l;
    gw_buf_add_str(out, "SHOW wal_level");
}

static enum gw_code take_wal_level(struct gw_wal_link *l, const PGresult *r, struct gw_err *err)
{
    (void)l;
    const char *level = PQntuples(r) == 1 ? PQgetvalue(r, 0, 0) : "unknown";
    if (strcmp(level, "logical") == 0)
        return GW_OK;
    gw_err_set(err, GW_E_WAL_LEVEL, "wal_level is %s, not logical", level);
    gw_err_hint(err, "ALTER SYSTEM SET wal_level = logical; then restart Postgres");
    return GW_E_WAL_LEVEL;
}

/* ---- the publications ---- */

static void write_publications(const struct gw_wal_link *l, struct gw_buf *out)
{
    const char *at = l->cfg.publications;
    struct gw_span name;
    gw_buf_add_str(out, "SELECT pubname FROM pg_catalog.pg_publication WHERE pubname IN (''");
    while (next_name(&at, &name)) {
        gw_buf_add_byte(out, ',');
        add_literal(out, name);
    }
    gw_buf_add_byte(out, ')');
}

static bool has_row(const PGresult *r, struct gw_span name)
{
    for (int i = 0; i < PQntuples(r); i++)
        if (gw_span_is(name, PQgetvalue(r, i, 0)))
            return true;
    return false;
}

static enum gw_code take_publications(struct gw_wal_link *l, const PGresult *r, struct gw_err *err)
{
    const char *at = l->cfg.publications;
    struct gw_span name;
    while (next_name(&at, &name)) {
        if (has_row(r, name))
            continue;
        gw_err_set(err, GW_E_PUBLICATION_MISSING,
                   "publication \"%.*s\" does not exist in database \"%s\"", (int)name.n, name.p,
                   PQdb(l->conn.pg));
        gw_err_hint(err, "CREATE PUBLICATION \"%.*s\" FOR TABLE …; or FOR ALL TABLES", (int)name.n,
                    name.p);
        return GW_E_PUBLICATION_MISSING;
    }
    return GW_OK;
}

/* ---- the slot ---- */

enum slot_field { SLOT_PLUGIN, SLOT_DATABASE, SLOT_ACTIVE_PID, SLOT_WAL_STATUS, SLOT_CONFIRMED };

static void write_slot(const struct gw_wal_link *l, struct gw_buf *out)
{
    gw_buf_add_str(out, "SELECT plugin, database, active_pid, wal_status, confirmed_flush_lsn "
                        "FROM pg_catalog.pg_replication_slots WHERE slot_name =");
    add_literal(out, gw_span_of(l->cfg.slot));
}

static enum gw_code slot_err_foreign(const struct gw_wal_link *l, const char *what,
                                     const char *found, struct gw_err *err)
{
    gw_err_set(err, GW_E_SLOT_INVALID, "replication slot \"%s\" is for %s \"%s\"", l->cfg.slot,
               what, *found ? found : "(physical)");
    gw_err_hint(err,
                "choose another ROWCAST_SLOT; if nobody needs this one: "
                "SELECT pg_drop_replication_slot('%s');",
                l->cfg.slot);
    return GW_E_SLOT_INVALID;
}

static enum gw_code slot_err_taken(const struct gw_wal_link *l, const char *pid, struct gw_err *err)
{
    gw_err_set(err, GW_E_SLOT_TAKEN, "replication slot \"%s\" is in use by process %s", l->cfg.slot,
               pid);
    gw_err_hint(err,
                "stop the other reader: SELECT pg_terminate_backend(%s); or give this one "
                "another ROWCAST_SLOT",
                pid);
    return GW_E_SLOT_TAKEN;
}

static enum gw_code slot_err_lost(const struct gw_wal_link *l, struct gw_err *err)
{
    gw_err_set(err, GW_E_SLOT_INVALID,
               "replication slot \"%s\" has lost the log it needs (max_slot_wal_keep_size)",
               l->cfg.slot);
    gw_err_hint(err, "SELECT pg_drop_replication_slot('%s'); it is made anew, and clients resync",
                l->cfg.slot);
    return GW_E_SLOT_INVALID;
}

static enum gw_code take_slot(struct gw_wal_link *l, const PGresult *r, struct gw_err *err)
{
    l->is_slot_new = PQntuples(r) == 0;
    if (l->is_slot_new)
        return GW_OK;
    const char *plugin = PQgetvalue(r, 0, SLOT_PLUGIN), *db = PQgetvalue(r, 0, SLOT_DATABASE);
    if (strcmp(plugin, "pgoutput") != 0)
        return slot_err_foreign(l, "output plug-in", plugin, err);
    if (strcmp(db, PQdb(l->conn.pg)) != 0)
        return slot_err_foreign(l, "database", db, err);
    if (!PQgetisnull(r, 0, SLOT_ACTIVE_PID))
        return slot_err_taken(l, PQgetvalue(r, 0, SLOT_ACTIVE_PID), err);
    if (strcmp(PQgetvalue(r, 0, SLOT_WAL_STATUS), "lost") == 0)
        return slot_err_lost(l, err);
    if (gw_lsn_parse(gw_span_of(PQgetvalue(r, 0, SLOT_CONFIRMED)), &l->confirmed) != GW_OK)
        l->confirmed.v = 0;
    return GW_OK;
}

static void write_create(const struct gw_wal_link *l, struct gw_buf *out)
{
    gw_buf_add_str(out, "CREATE_REPLICATION_SLOT ");
    add_quoted(out, gw_span_of(l->cfg.slot), '"');
    gw_buf_add_str(out, " LOGICAL pgoutput NOEXPORT_SNAPSHOT");
}

static enum gw_code take_create(struct gw_wal_link *l, const PGresult *r, struct gw_err *err)
{
    if (PQntuples(r) != 1 || PQnfields(r) < 2 ||
        gw_lsn_parse(gw_span_of(PQgetvalue(r, 0, 1)), &l->confirmed) != GW_OK)
        return gw_err_set(err, GW_E_DATABASE, "the server does not say where the slot begins");
    char lsn[GW_LSN_TEXT];
    gw_log(GW_LOG_INFO, "slot_created", "slot=%s lsn=%s", l->cfg.slot,
           gw_lsn_format(l->confirmed, lsn));
    return GW_OK;
}

/* ---- off ---- */

static void write_start(const struct gw_wal_link *l, struct gw_buf *out)
{
    struct gw_buf names;
    struct gw_span name;
    gw_buf_init(&names, 0);
    const char *at = l->cfg.publications;
    while (next_name(&at, &name)) {
        if (names.n)
            gw_buf_add_byte(&names, ',');
        add_quoted(&names, name, '"');
    }
    gw_buf_add_str(out, "START_REPLICATION SLOT ");
    add_quoted(out, gw_span_of(l->cfg.slot), '"');
    gw_buf_add_str(out, " LOGICAL 0/0 (proto_version '1', publication_names ");
    add_quoted(out, gw_buf_span(&names), '\'');
    gw_buf_add_str(out, ", messages 'true')");
    gw_buf_fini(&names);
}

enum { STEP_IDENTIFY, STEP_WAL_LEVEL, STEP_PUBLICATIONS, STEP_SLOT, STEP_CREATE, STEP_START };

static const struct step steps[] = {
    [STEP_IDENTIFY] = {"identifying the server", write_identify, take_identify},
    [STEP_WAL_LEVEL] = {"checking wal_level", write_wal_level, take_wal_level},
    [STEP_PUBLICATIONS] = {"looking for the publications", write_publications, take_publications},
    [STEP_SLOT] = {"looking for the slot", write_slot, take_slot},
    [STEP_CREATE] = {"creating the slot", write_create, take_create},
    [STEP_START] = {"starting replication", write_start, NULL},
};

/* What the server refused, as one of our codes with a remedy. */
static enum gw_code err_of_step(struct gw_wal_link *l, const PGresult *r, struct gw_err *err)
{
    char state[6];
    gw_pgconn_err_of_result(r, steps[l->step].what, err);
    gw_pgconn_sqlstate(r, state);
    if (strcmp(state, "42501") == 0) {
        gw_err_hint(err, "ALTER ROLE \"%s\" REPLICATION;", PQuser(l->conn.pg));
    } else if (strcmp(state, "55006") == 0) {
        err->code = GW_E_SLOT_TAKEN;
        gw_err_hint(err, "stop the other reader (pg_terminate_backend of that process), or choose "
                         "another ROWCAST_SLOT");
    } else if (strcmp(state, "53400") == 0) {
        err->code = GW_E_SLOT_INVALID;
        gw_err_hint(err, "ALTER SYSTEM SET max_replication_slots = …; and restart, or drop an "
                         "unused one: SELECT slot_name, active FROM pg_replication_slots;");
    } else if (l->step == STEP_START && strcmp(state, "55000") == 0) {
        err->code = GW_E_SLOT_INVALID;
        gw_err_hint(err, "SELECT pg_drop_replication_slot('%s'); it is made anew, clients resync",
                    l->cfg.slot);
    }
    return err->code;
}

static void lost(struct gw_wal_link *l)
{
    struct gw_err err = {0};
    gw_pgconn_err_of_loss(&l->conn, &err);
    gw_wal_drop(l, &err);
}

static void send_step(struct gw_wal_link *l, unsigned step)
{
    struct gw_buf sql;
    gw_buf_init(&sql, 0);
    l->step = step;
    l->is_step_done = false;
    l->step_since_ms = gw_clock_mono_ms();
    steps[step].write(l, &sql);
    bool is_sent = PQsendQuery(l->conn.pg, gw_buf_cstr(&sql)) && gw_pgconn_flush(&l->conn);
    gw_buf_fini(&sql);
    if (!is_sent)
        lost(l);
}

/* One answer. False: the start is over, one way or the other. */
static bool take_result(struct gw_wal_link *l, const PGresult *r)
{
    struct gw_err err = {0};
    ExecStatusType status = PQresultStatus(r);
    if (l->step == STEP_START && status == PGRES_COPY_BOTH) {
        gw_wal_stream_begin(l);
        return false;
    }
    enum gw_code code = GW_OK;
    if (status != PGRES_TUPLES_OK || l->step == STEP_START)
        code = err_of_step(l, r, &err);
    else if (!l->is_step_done)
        code = steps[l->step].take(l, r, &err);
    l->is_step_done = true;
    if (code != GW_OK)
        gw_wal_drop(l, &err);
    return code == GW_OK;
}

void gw_wal_start_begin(struct gw_wal_link *l)
{
    send_step(l, STEP_IDENTIFY);
}

void gw_wal_start_read(struct gw_wal_link *l)
{
    if (!gw_pgconn_consume(&l->conn)) {
        lost(l);
        return;
    }
    while (l->state == GW_WAL_STATE_STARTING && !PQisBusy(l->conn.pg)) {
        PGresult *r = PQgetResult(l->conn.pg);
        if (r) {
            bool goes_on = take_result(l, r);
            PQclear(r);
            if (!goes_on)
                return;
        } else if (l->is_step_done) {
            bool skip = l->step == STEP_SLOT && !l->is_slot_new;
            send_step(l, l->step + (skip ? 2 : 1));
        } else {
            return;
        }
    }
}

void gw_wal_start_tick(struct gw_wal_link *l, int64_t now_ms)
{
    struct gw_err err = {0};
    int64_t since_ms = now_ms - l->step_since_ms;
    if (l->step == STEP_CREATE) { /* waits for every transaction that is open now: no limit */
        if (since_ms / SLOT_WAIT_WARN_MS != (since_ms - 1000) / SLOT_WAIT_WARN_MS &&
            since_ms >= SLOT_WAIT_WARN_MS)
            gw_log(GW_LOG_WARN, "slot_waits",
                   "slot=%s seconds=%lld hint=\"a slot is ready when the "
                   "transactions open at its creation have ended: see pg_stat_activity\"",
                   l->cfg.slot, (long long)(since_ms / 1000));
        return;
    }
    if (since_ms < STEP_TIMEOUT_MS)
        return;
    gw_err_set(&err, GW_E_DATABASE_DOWN, "no answer within %d s while %s", STEP_TIMEOUT_MS / 1000,
               steps[l->step].what);
    gw_wal_drop(l, &err);
}
