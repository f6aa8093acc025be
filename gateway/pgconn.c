/* pgconn: see pgconn.h.
 *
 * DESIGN. While connecting, libpq may close its socket and open another, perhaps under the same
 * number; so the poll handle is made anew for each step of PQconnectPoll. Handles live on the heap
 * and free themselves when libuv has let go of them, which is what lets the owner free or reopen
 * the connection at once. SQLSTATEs of failed connections are only to be had from the verbose form
 * of the message. */
#include "pgconn.h"

#include "pgerr.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

/* What the values in the log and in answers look like (gw/value.h relies on it), and no time limit
 * that a role's settings might impose on a session that sets its own. */
static const char session_options[] =
    "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres -c extra_float_digits=1 "
    "-c bytea_output=hex -c statement_timeout=0 -c idle_in_transaction_session_timeout=0";

static void free_handle(uv_handle_t *h)
{
    free(h);
}

static void drop_poll(struct gw_pgconn *c)
{
    if (!c->poll)
        return;
    uv_poll_stop(c->poll);
    c->poll->data = NULL;
    uv_close((uv_handle_t *)c->poll, free_handle);
    c->poll = NULL;
}

static void drop_timer(struct gw_pgconn *c)
{
    if (!c->timer)
        return;
    c->timer->data = NULL;
    uv_close((uv_handle_t *)c->timer, free_handle);
    c->timer = NULL;
}

void gw_pgconn_close(struct gw_pgconn *c)
{
    drop_timer(c);
    drop_poll(c); /* before PQfinish, because libuv must not poll a closed descriptor */
    if (c->pg)
        PQfinish(c->pg);
    c->pg = NULL;
    c->is_open = false;
}

static void lose(struct gw_pgconn *c)
{
    struct gw_err err = {0};
    gw_pgconn_err_of_loss(c, &err);
    gw_pgconn_close(c);
    c->on_lost(c->ctx, &err);
}

static void on_socket(uv_poll_t *h, int status, int events);

static bool poll_for(struct gw_pgconn *c, int events)
{
    if (!c->poll) {
        c->poll = gw_alloc(sizeof *c->poll);
        if (uv_poll_init(&c->loop->uv, c->poll, PQsocket(c->pg)) != 0) {
            free(c->poll);
            c->poll = NULL;
            return false;
        }
        c->poll->data = c;
    }
    return (events ? uv_poll_start(c->poll, events, on_socket) : uv_poll_stop(c->poll)) == 0;
}

static void watch(struct gw_pgconn *c)
{
    poll_for(c, (c->wants_input ? UV_READABLE : 0) | (c->wants_output ? UV_WRITABLE : 0));
}

/* One step of connecting. */
static void advance(struct gw_pgconn *c)
{
    drop_poll(c);
    PostgresPollingStatusType step = PQconnectPoll(c->pg);
    if (step == PGRES_POLLING_READING || step == PGRES_POLLING_WRITING) {
        if (!poll_for(c, step == PGRES_POLLING_READING ? UV_READABLE : UV_WRITABLE))
            lose(c);
        return;
    }
    if (step != PGRES_POLLING_OK || PQsetnonblocking(c->pg, 1) != 0) {
        lose(c);
        return;
    }
    drop_timer(c);
    PQsetErrorVerbosity(c->pg, PQERRORS_DEFAULT);
    c->is_open = true;
    c->wants_input = true;
    c->wants_output = false;
    watch(c);
    c->on_open(c->ctx);
}

static void on_socket(uv_poll_t *h, int status, int events)
{
    struct gw_pgconn *c = h->data;
    if (!c->is_open) {
        advance(c);
        return;
    }
    if (status < 0) {
        /* Reading tells what is wrong, perhaps only the second time: a last message may come before
         * the reset. libuv has stopped watching, so that there would be no second time. */
        events = UV_READABLE;
        if (c->wants_input)
            watch(c);
    }
    if ((events & UV_WRITABLE) && !gw_pgconn_flush(c)) {
        lose(c);
        return;
    }
    if ((events & UV_READABLE) && c->wants_input)
        c->on_input(c->ctx);
}

static void on_timer(uv_timer_t *h)
{
    struct gw_pgconn *c = h->data;
    struct gw_err err = {0};
    if (PQstatus(c->pg) == CONNECTION_BAD) { /* it could not even begin: said late, not from open */
        lose(c);
        return;
    }
    gw_err_set(&err, GW_E_DATABASE_DOWN, "no answer from the server within %d s",
               GW_PGCONN_CONNECT_MS / 1000);
    gw_pgconn_close(c);
    c->on_lost(c->ctx, &err);
}

/* Outside of a command libpq hands errors over as notices; the last FATAL is why it will close. */
static void on_notice(void *ctx, const PGresult *r)
{
    struct gw_pgconn *c = ctx;
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
        gw_pgconn_sqlstate(r, c->heard);
}

/* The caller's own `options` (or PGOPTIONS) come first, so that a pooler still finds its routing
 * in them; ours win. False: conninfo does not parse. */
static bool merge_options(const char *conninfo, struct gw_buf *out)
{
    PQconninfoOption *all = PQconninfoParse(conninfo, NULL);
    if (!all)
        return false;
    const char *theirs = getenv("PGOPTIONS");
    for (PQconninfoOption *o = all; o->keyword; o++)
        if (strcmp(o->keyword, "options") == 0 && o->val)
            theirs = o->val;
    if (theirs && *theirs) {
        gw_buf_add_str(out, theirs);
        gw_buf_add_byte(out, ' ');
    }
    gw_buf_add_str(out, session_options);
    PQconninfoFree(all);
    return true;
}

static PGconn *begin(const char *conninfo, enum gw_pgconn_kind kind, const char *options)
{
    /* What stands before dbname the conninfo may override, what stands behind it, not. */
    const char *keys[12] = {
        "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "dbname",
        "options",         "client_encoding",     "application_name"};
    const char *values[12] = {"30", "10", "3", "30000", conninfo, options, "UTF8", "rowcast"};
    if (kind == GW_PGCONN_REPLICATION) {
        keys[8] = "replication";
        values[8] = "database";
    }
    return PQconnectStartParams(keys, values, 1);
}

static void start_timer(struct gw_pgconn *c, int64_t ms)
{
    c->timer = gw_alloc(sizeof *c->timer);
    uv_timer_init(&c->loop->uv, c->timer);
    c->timer->data = c;
    uv_timer_start(c->timer, on_timer, (uint64_t)ms, 0);
}

enum gw_code gw_pgconn_open(struct gw_pgconn *c, const char *conninfo, enum gw_pgconn_kind kind,
                            struct gw_err *err)
{
    struct gw_buf options;
    gw_buf_init(&options, 0);
    memset(c->heard, 0, sizeof c->heard);
    if (!merge_options(conninfo, &options)) {
        /* libpq's own message quotes the string, password included. */
        gw_buf_fini(&options);
        gw_err_set(err, GW_E_SETTING, "the connection string does not parse");
        gw_err_hint(err, "use postgresql://user@host:port/database or key=value pairs");
        return GW_E_SETTING;
    }
    c->pg = begin(conninfo, kind, gw_buf_cstr(&options));
    gw_buf_fini(&options);
    if (!c->pg)
        return gw_err_set(err, GW_E_DATABASE_DOWN, "out of memory for a connection");
    PQsetErrorVerbosity(c->pg, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(c->pg, on_notice, c);
    bool is_begun = PQstatus(c->pg) != CONNECTION_BAD && poll_for(c, UV_WRITABLE);
    start_timer(c, is_begun ? GW_PGCONN_CONNECT_MS : 0);
    return GW_OK;
}

void gw_pgconn_want_input(struct gw_pgconn *c, bool wanted)
{
    if (!c->is_open || c->wants_input == wanted)
        return;
    c->wants_input = wanted;
    watch(c);
}

bool gw_pgconn_flush(struct gw_pgconn *c)
{
    int rc = PQflush(c->pg);
    if (rc < 0)
        return false;
    if (c->wants_output != (rc == 1)) {
        c->wants_output = rc == 1;
        watch(c);
    }
    return true;
}

bool gw_pgconn_consume(struct gw_pgconn *c)
{
    /* One read may leave up to a TLS record inside the TLS library, where poll cannot see it. */
    int rounds = PQsslInUse(c->pg) ? 3 : 1;
    for (int i = 0; i < rounds; i++)
        if (!PQconsumeInput(c->pg))
            return false;
    return true;
}

/* What was read before the end may hold the reason. Never waits: only what is parsed is looked at.
 */
static bool find_reason(struct gw_pgconn *c, struct gw_err *err)
{
    char *block = NULL, state[6];
    while (PQgetCopyData(c->pg, &block, 1) > 0)
        PQfreemem(block);
    for (int nulls = 0; nulls < 3 && !PQisBusy(c->pg);) {
        PGresult *r = PQgetResult(c->pg);
        ExecStatusType status = PQresultStatus(r);
        bool has_reason = r && *gw_pgconn_sqlstate(r, state);
        if (has_reason)
            gw_pgconn_err_of_result(r, "talking to it", err);
        PQclear(r);
        if (has_reason || status == PGRES_COPY_BOTH)
            return has_reason;
        nulls = r ? 0 : nulls + 1;
    }
    return false;
}

enum gw_code gw_pgconn_err_of_loss(struct gw_pgconn *c, struct gw_err *err)
{
    char why[200];
    snprintf(why, sizeof why, "%s", PQerrorMessage(c->pg));
    why[strcspn(why, "\n")] = '\0';
    if (!c->is_open)
        return gw_pgerr_of_connect(PQerrorMessage(c->pg), PQuser(c->pg), PQdb(c->pg), err);
    if (find_reason(c, err))
        return err->code;
    if (c->heard[0])
        return gw_pgerr_set(c->heard, "the server closed the connection", err);
    return gw_err_set(err, GW_E_DATABASE_DOWN, "the connection broke%s%s", *why ? ": " : "", why);
}

enum gw_code gw_pgconn_err_of_result(const struct pg_result *r, const char *what,
                                     struct gw_err *err)
{
    char state[6], text[256];
    const char *primary = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    const char *said = primary ? primary : PQresultErrorMessage(r);
    if (!primary && PQresultStatus(r) != PGRES_FATAL_ERROR)
        said = PQresStatus(PQresultStatus(r));
    snprintf(text, sizeof text, "%s", said);
    text[strcspn(text, "\n")] = '\0';
    gw_pgerr_set(gw_pgconn_sqlstate(r, state), text, err);
    return gw_err_wrap(err, "%s", what);
}

const char *gw_pgconn_sqlstate(const struct pg_result *r, char out[6])
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    snprintf(out, 6, "%s", state ? state : "");
    return out;
}
