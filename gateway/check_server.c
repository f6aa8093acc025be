/* What the server must offer before anything about tables matters: the order is that of `serve`. */
#include "check_own.h"

#include <libpq-fe.h>
#include <stdlib.h>

static long number(struct gw_check *c, const char *sql)
{
    char text[32];
    return strtol(gw_cmd_value(c->pg, sql, NULL, text, sizeof text), NULL, 10);
}

static void check_version(struct gw_check *c)
{
    int version = PQserverVersion(c->pg) / 10000;
    bool is_known = version >= 14 && version <= 18;
    enum gw_check_mark old = version < 14 ? GW_CHECK_ERROR : GW_CHECK_WARNING;
    gw_check_say(c, is_known ? GW_CHECK_OK : old, "server", "Postgres %d%s", version,
                 is_known ? "" : "; 14 to 18 are known to work");
}

static void check_wal_level(struct gw_check *c)
{
    char level[32];
    gw_cmd_value(c->pg, "SHOW wal_level", NULL, level, sizeof level);
    bool is_logical = strcmp(level, "logical") == 0;
    gw_check_say(c, is_logical ? GW_CHECK_OK : GW_CHECK_ERROR, "wal_level", "%s", level);
    if (!is_logical)
        gw_check_fix("ALTER SYSTEM SET wal_level = logical; then restart Postgres");
}

static void check_keep_size(struct gw_check *c)
{
    char size[32];
    gw_cmd_value(c->pg, "SHOW max_slot_wal_keep_size", NULL, size, sizeof size);
    if (strcmp(size, "-1") != 0) {
        gw_check_say(c, GW_CHECK_OK, "max_slot_wal_keep_size", "%s", size);
        return;
    }
    gw_check_say(c, GW_CHECK_NOTE, "max_slot_wal_keep_size",
                 "unlimited: while no gateway reads, the log grows until the disk is full");
    gw_check_fix("ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; SELECT pg_reload_conf();");
}

static void check_free(struct gw_check *c, bool needs_slot)
{
    long slots = number(c, "SELECT current_setting('max_replication_slots')::int - (SELECT "
                           "count(*) FROM pg_catalog.pg_replication_slots)");
    long senders = number(c, "SELECT current_setting('max_wal_senders')::int - (SELECT count(*) "
                             "FROM pg_catalog.pg_stat_replication)");
    gw_check_say(c, slots > 0 || !needs_slot ? GW_CHECK_OK : GW_CHECK_ERROR, "slots",
                 "%ld free of max_replication_slots", slots);
    if (slots <= 0 && needs_slot)
        gw_check_fix("ALTER SYSTEM SET max_replication_slots = …; and restart, or drop an unused "
                     "slot");
    gw_check_say(c, senders > 0 ? GW_CHECK_OK : GW_CHECK_ERROR, "wal senders",
                 "%ld free of max_wal_senders", senders);
    if (senders <= 0)
        gw_check_fix("ALTER SYSTEM SET max_wal_senders = …; and restart");
}

static void judge_slot(struct gw_check *c, const PGresult *r)
{
    const char *slot = c->settings->slot, *status = PQgetvalue(r, 0, 3);
    if (strcmp(PQgetvalue(r, 0, 0), "pgoutput") != 0 || PQgetvalue(r, 0, 1)[0] != 't') {
        gw_check_say(c, GW_CHECK_ERROR, "slot", "%s is of another plug-in or database", slot);
        gw_check_fix("choose another ROWCAST_SLOT");
    } else if (strcmp(status, "lost") == 0) {
        gw_check_say(c, GW_CHECK_ERROR, "slot", "%s has lost the log it needs", slot);
        gw_check_fix("SELECT pg_drop_replication_slot('%s'); it is made anew, clients resync",
                     slot);
    } else if (!PQgetisnull(r, 0, 2)) {
        gw_check_say(c, GW_CHECK_WARNING, "slot", "%s is read by process %s: is a gateway running?",
                     slot, PQgetvalue(r, 0, 2));
    } else {
        bool is_short = strcmp(status, "reserved") != 0 && strcmp(status, "extended") != 0;
        gw_check_say(c, is_short ? GW_CHECK_WARNING : GW_CHECK_OK, "slot", "%s, not read now, %s",
                     slot, status);
    }
}

static void check_slot(struct gw_check *c)
{
    struct gw_err err;
    const char *const values[] = {c->settings->slot};
    PGresult *r = gw_cmd_query(c->pg,
                               "SELECT plugin, database = current_database(), active_pid, "
                               "wal_status FROM pg_catalog.pg_replication_slots "
                               "WHERE slot_name = $1",
                               1, values, &err);
    if (!r) {
        gw_check_say(c, GW_CHECK_ERROR, "slot", "%s", err.text);
        return;
    }
    bool is_there = PQntuples(r) > 0, is_read = is_there && !PQgetisnull(r, 0, 2);
    if (is_there)
        judge_slot(c, r);
    else
        gw_check_say(c, GW_CHECK_OK, "slot", "%s is not there yet: serve creates it",
                     c->settings->slot);
    if (!is_read)
        check_free(c, !is_there);
    PQclear(r);
    check_keep_size(c);
}

static void check_publication(struct gw_check *c, const char *subject, const char *name)
{
    struct gw_err err;
    PGresult *r = gw_cmd_query(
        c->pg,
        "SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate, (SELECT count(*) FROM "
        "pg_catalog.pg_publication_tables AS t WHERE t.pubname = p.pubname) "
        "FROM pg_catalog.pg_publication AS p WHERE pubname = $1",
        1, &name, &err);
    if (!r) {
        gw_check_say(c, GW_CHECK_ERROR, subject, "%s", err.text);
    } else if (PQntuples(r) == 0) {
        gw_check_say(c, GW_CHECK_ERROR, subject, "%s does not exist", name);
        gw_check_fix("rowcast setup");
    } else if (strcmp(PQgetvalue(r, 0, 1), "0") == 0) {
        gw_check_say(c, GW_CHECK_WARNING, subject, "%s has no tables", name);
        gw_check_fix("rowcast setup --all-tables, or --tables a,b");
    } else {
        gw_check_say(c, GW_CHECK_OK, subject, "%s, %s tables", name, PQgetvalue(r, 0, 1));
    }
    if (r && PQntuples(r) > 0 && PQgetvalue(r, 0, 0)[0] != 't') {
        gw_check_say(c, GW_CHECK_WARNING, subject, "%s leaves out some kinds of change", name);
        gw_check_fix("ALTER PUBLICATION \"%s\" SET (publish = 'insert, update, delete, "
                     "truncate');",
                     name);
    }
    PQclear(r);
}

void gw_check_server(struct gw_check *c)
{
    check_version(c);
    check_wal_level(c);
    check_slot(c);
    check_publication(c, "publication", c->settings->publication);
    if (*c->settings->access_publication)
        check_publication(c, "access publication", c->settings->access_publication);
}
