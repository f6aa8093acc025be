#include "pgerr.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum gw_code gw_pgerr_code(const char *sqlstate)
{
    if (strncmp(sqlstate, "08", 2) == 0 || strncmp(sqlstate, "57P0", 4) == 0)
        return GW_E_DATABASE_DOWN;
    if (strncmp(sqlstate, "28", 2) == 0 || strcmp(sqlstate, "42501") == 0)
        return GW_E_PRIVILEGE;
    return GW_E_DATABASE;
}

enum gw_code gw_pgerr_set(const char *sqlstate, const char *text, struct gw_err *err)
{
    enum gw_code code = gw_pgerr_code(sqlstate);
    if (*sqlstate)
        gw_err_set(err, code, "%s (SQLSTATE %s)", text, sqlstate);
    else
        gw_err_set(err, code, "%s", text);
    if (strcmp(sqlstate, "53300") == 0)
        gw_err_hint(err, "raise max_connections, or max_wal_senders for the replication "
                         "connection (wal_level = minimal forbids those)");
    return code;
}

/* Where ": XXXXX: " stands, that is the SQLSTATE of "FATAL:  28P01: text"; NULL if it does not. */
static const char *sqlstate_in(const char *message)
{
    for (const char *p = strstr(message, ":  "); p; p = strstr(p + 1, ":  ")) {
        int n = 0;
        while (n < 5 && (isdigit((unsigned char)p[3 + n]) || isupper((unsigned char)p[3 + n])))
            n++;
        if (n == 5 && p[8] == ':' && p[9] == ' ')
            return p + 3;
    }
    return NULL;
}

/* The part of a verbose message a reader needs, on one line. */
static void first_line(const char *message, char *out, size_t cap)
{
    snprintf(out, cap, "%s", message);
    out[strcspn(out, "\n")] = '\0';
}

enum gw_code gw_pgerr_of_connect(const char *message, const char *user, const char *database,
                                 struct gw_err *err)
{
    char text[300], state[6] = "";
    const char *at = sqlstate_in(message);
    if (!at) {
        first_line(*message ? message : "connecting failed", text, sizeof text);
        gw_err_set(err, GW_E_DATABASE_DOWN, "%s", text);
        gw_err_hint(err, "is Postgres running, and do host and port match?");
        return GW_E_DATABASE_DOWN;
    }
    memcpy(state, at, 5);
    first_line(at + 7, text, sizeof text);
    gw_pgerr_set(state, text, err);
    user = user ? user : "?";
    database = database ? database : "?";
    if (strcmp(state, "42501") == 0)
        gw_err_hint(err,
                    "ALTER ROLE \"%s\" REPLICATION; GRANT CONNECT ON DATABASE \"%s\" TO \"%s\";",
                    user, database, user);
    else if (strncmp(state, "28", 2) == 0)
        gw_err_hint(err,
                    "check user and password in the connection string, and pg_hba.conf for "
                    "user \"%s\" on database \"%s\"",
                    user, database);
    return err->code;
}

void gw_pgerr_log(struct gw_pgerr_last *last, const char *event, const struct gw_err *err)
{
    bool is_repeat = strcmp(last->text, err->text) == 0;
    snprintf(last->text, sizeof last->text, "%s", err->text);
    gw_log_err(is_repeat ? GW_LOG_DEBUG : GW_LOG_ERROR, event, err);
}

int64_t gw_pgerr_backoff_ms(unsigned n)
{
    int64_t ms = n > 4 ? 5000 : INT64_C(250) << n;
    uint32_t noise = 0;
    if (getentropy(&noise, sizeof noise) != 0)
        noise = 0;
    return ms - ms / 5 + (int64_t)(noise % (uint32_t)(2 * ms / 5 + 1));
}
