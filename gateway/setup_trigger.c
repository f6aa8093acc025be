/* setup_trigger: event triggers by which policies, functions, grants and tables announce their
 * changes in the log, in order with the data: a transactional message with prefix "rowcast" and the
 * content {"catalog":"<command tag>"}, once per command.
 *
 * DESIGN. ddl_command_end knows what a command made or altered, but nothing of what it dropped;
 * sql_drop knows that. So each listens to tags of its own, and no command is told twice. Temporary
 * objects are nobody's business. The function runs with its owner's rights and a search_path that
 * no caller can bend; ENABLE ALWAYS, because session_replication_role must not silence it. What no
 * event trigger hears of (role membership, role attributes, ALTER DATABASE) is polled instead.
 * Creating event triggers takes a superuser, or what a hosting provider has put in its place:
 * whether it is allowed is found out by trying. Tags and events: PostgreSQL docs, "Event Trigger
 * Firing Matrix". */
#include "setup_own.h"

#include <libpq-fe.h>
#include <stdio.h>

#define FUNCTION "rowcast.tell_catalog_change"

static const char body[] =
    "\nBEGIN\n"
    "  IF TG_EVENT = 'sql_drop' THEN\n"
    "    IF NOT EXISTS (SELECT FROM pg_event_trigger_dropped_objects() AS d\n"
    "                   WHERE d.original AND NOT d.is_temporary) THEN\n"
    "      RETURN;\n"
    "    END IF;\n"
    "  ELSIF TG_TAG NOT IN ('DROP OWNED', 'ALTER EXTENSION')\n"
    "      AND NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands() AS c\n"
    "                      WHERE c.schema_name IS DISTINCT FROM 'pg_temp'\n"
    "                      AND NOT (c.command_tag IN ('GRANT', 'REVOKE') AND upper(c.object_type)\n"
    "                      IN ('SEQUENCE', 'LANGUAGE', 'LARGE OBJECT', 'FOREIGN SERVER',\n"
    "                          'FOREIGN DATA WRAPPER', 'FOREIGN-DATA WRAPPER'))) THEN\n"
    "    RETURN;\n"
    "  END IF;\n"
    "  PERFORM pg_logical_emit_message(true, 'rowcast', format('{\"catalog\":\"%s\"}', TG_TAG));\n"
    "END\n";

#define END_TAGS                                                                                   \
    "'CREATE POLICY', 'ALTER POLICY', 'CREATE FUNCTION', 'ALTER FUNCTION', 'ALTER ROUTINE', "      \
    "'GRANT', 'REVOKE', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', "         \
    "'CREATE VIEW', 'ALTER VIEW', 'CREATE MATERIALIZED VIEW', 'ALTER MATERIALIZED VIEW', "         \
    "'CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE', 'IMPORT FOREIGN SCHEMA', 'CREATE SCHEMA', "    \
    "'ALTER SCHEMA', 'CREATE TYPE', 'ALTER TYPE', 'CREATE DOMAIN', 'ALTER DOMAIN', "               \
    "'CREATE OPERATOR', 'ALTER OPERATOR', 'CREATE CAST', 'CREATE EXTENSION', 'ALTER EXTENSION', "  \
    "'CREATE PUBLICATION', 'ALTER PUBLICATION', 'DROP OWNED'"
#define DROP_TAGS                                                                                  \
    "'DROP POLICY', 'DROP FUNCTION', 'DROP ROUTINE', 'DROP TABLE', 'DROP VIEW', "                  \
    "'DROP MATERIALIZED VIEW', 'DROP FOREIGN TABLE', 'DROP SCHEMA', 'DROP TYPE', 'DROP DOMAIN', "  \
    "'DROP OPERATOR', 'DROP CAST', 'DROP EXTENSION', 'DROP PUBLICATION'"

static const struct trigger {
    const char *name, *event, *tags;
} triggers[] = {{"rowcast_catalog", "ddl_command_end", END_TAGS},
                {"rowcast_catalog_drop", "sql_drop", DROP_TAGS}};

#define N_TRIGGERS (sizeof triggers / sizeof *triggers)

/* ---- what is there ---- */

static bool is_function_there(struct gw_setup *s)
{
    char found[8];
    gw_cmd_value(s->pg,
                 "SELECT 1 FROM pg_catalog.pg_proc AS p "
                 "JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace "
                 "WHERE n.nspname = 'rowcast' AND p.proname = 'tell_catalog_change' "
                 "AND p.pronargs = 0 AND p.prosecdef AND p.prosrc = $1 "
                 "AND p.proconfig = ARRAY['search_path=pg_catalog, pg_temp']",
                 body, found, sizeof found);
    return *found != '\0';
}

static bool is_trigger_there(struct gw_setup *s, const struct trigger *t)
{
    char found[8];
    struct gw_buf sql;
    gw_buf_init(&sql, 0);
    gw_buf_printf(&sql,
                  "SELECT 1 FROM pg_catalog.pg_event_trigger AS e "
                  "JOIN pg_catalog.pg_proc AS p ON p.oid = e.evtfoid "
                  "JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace "
                  "WHERE e.evtname = $1 AND e.evtevent = '%s' AND e.evtenabled = 'A' "
                  "AND e.evttags = ARRAY[%s] AND n.nspname = 'rowcast' "
                  "AND p.proname = 'tell_catalog_change'",
                  t->event, t->tags);
    gw_cmd_value(s->pg, gw_buf_cstr(&sql), t->name, found, sizeof found);
    gw_buf_fini(&sql);
    return *found != '\0';
}

/* ---- what is to be done ---- */

enum { STEP_SCHEMA, STEP_FUNCTION, STEP_TRIGGERS }; /* then three statements per trigger */

#define N_STEPS (STEP_TRIGGERS + 3 * N_TRIGGERS)

static void write_step(struct gw_buf *sql, unsigned step)
{
    gw_buf_reset(sql);
    if (step == STEP_SCHEMA) {
        gw_buf_add_str(sql, "CREATE SCHEMA IF NOT EXISTS rowcast;");
        return;
    }
    if (step == STEP_FUNCTION) {
        gw_buf_printf(sql,
                      "CREATE OR REPLACE FUNCTION " FUNCTION "() RETURNS event_trigger "
                      "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp "
                      "AS $rowcast$%s$rowcast$;",
                      body);
        return;
    }
    const struct trigger *t = &triggers[(step - STEP_TRIGGERS) / 3];
    switch ((step - STEP_TRIGGERS) % 3) {
    case 0:
        gw_buf_printf(sql, "DROP EVENT TRIGGER IF EXISTS %s;", t->name);
        break;
    case 1:
        gw_buf_printf(
            sql, "CREATE EVENT TRIGGER %s ON %s WHEN TAG IN (%s) EXECUTE FUNCTION " FUNCTION "();",
            t->name, t->event, t->tags);
        break;
    default:
        gw_buf_printf(sql, "ALTER EVENT TRIGGER %s ENABLE ALWAYS;", t->name);
    }
}

static void print_steps(struct gw_setup *s, struct gw_buf *sql)
{
    for (unsigned i = 0; i < N_STEPS; i++) {
        write_step(sql, i);
        gw_setup_run(s, sql);
    }
}

/* All or nothing: half of it would tell of half the changes. */
static enum gw_code run_steps(struct gw_setup *s, struct gw_buf *sql, struct gw_err *err)
{
    PGresult *r = gw_cmd_query(s->pg, "BEGIN", 0, NULL, err);
    for (unsigned i = 0; r && i < N_STEPS; i++) {
        PQclear(r);
        write_step(sql, i);
        r = gw_cmd_query(s->pg, gw_buf_cstr(sql), 0, NULL, err);
    }
    bool is_done = r != NULL;
    PQclear(r);
    struct gw_err end_err = {0};
    r = gw_cmd_query(s->pg, is_done ? "COMMIT" : "ROLLBACK", 0, NULL, &end_err);
    PQclear(r);
    if (is_done && !r)
        *err = end_err;
    return is_done && r ? GW_OK : err->code;
}

static bool is_all_there(struct gw_setup *s)
{
    bool yes = is_function_there(s);
    for (size_t i = 0; yes && i < N_TRIGGERS; i++)
        yes = is_trigger_there(s, &triggers[i]);
    return yes;
}

static bool is_superuser(struct gw_setup *s)
{
    char found[8];
    gw_cmd_value(s->pg,
                 "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolsuper",
                 NULL, found, sizeof found);
    return *found != '\0';
}

void gw_setup_trigger(struct gw_setup *s)
{
    struct gw_err err = {0};
    struct gw_buf sql;
    if (is_all_there(s)) {
        gw_setup_say(s, GW_SETUP_OK, "event triggers tell of catalog changes in the log");
        return;
    }
    gw_buf_init(&sql, 0);
    if (s->is_dry) {
        if (!is_superuser(s))
            puts("-- the next statements may need a superuser");
        print_steps(s, &sql);
    } else if (run_steps(s, &sql, &err) == GW_OK) {
        gw_setup_say(s, GW_SETUP_DONE,
                     "event triggers rowcast_catalog, rowcast_catalog_drop, function " FUNCTION
                     "(): catalog changes are told in the log");
    } else if (err.code == GW_E_PRIVILEGE) {
        gw_setup_say(s, GW_SETUP_PROPOSE,
                     "event triggers that tell of changed functions and grants in the log: needs "
                     "superuser; run setup as one, or what setup --dry-run prints (until then such "
                     "changes are polled)");
    } else {
        gw_setup_say(s, GW_SETUP_ERROR, "event triggers: %s", err.text);
    }
    gw_buf_fini(&sql);
}
