/* DESIGN. Each step looks first and acts only on what is missing, so a second run finds nothing to
 * do, and --dry-run is the same walk with the acts printed. A step that fails does not stop the
 * ones behind it: the operator sees all that is wrong at once, the exit code tells that something
 * was. Under --dry-run the output is a script: all that is not a statement is a comment. */
#include "setup_cmd.h"

#include "catalog_once.h"
#include "setup_own.h"

#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: rowcast setup [--dry-run] [--tables TABLE,… | --all-tables] [--replica-identity]\n"
    "                     [--authenticator NAME] [settings]\n\n"
    "Makes the database of database_url ready. May be run again: it does only what is missing.\n\n"
    "  --dry-run             print the SQL instead of running it\n"
    "  --tables TABLE,…      add these to the publication\n"
    "  --all-tables          add every table that one of the setting roles may read; and those\n"
    "                        that policies look into to access_publication, if it is set\n"
    "  --replica-identity    REPLICA IDENTITY FULL where policies read columns that old rows\n"
    "                        would lack (more log is written for these tables)\n"
    "  --authenticator NAME  create the login that questions are asked with, for query_url\n\n";

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- one line per step ---- */

void gw_setup_say(struct gw_setup *s, enum gw_setup_mark mark, const char *fmt, ...)
{
    static const char *const marks[] = {"ok", "done", "propose", "error"};
    unsigned *const counts[] = {NULL, &s->n_done, &s->n_proposed, &s->n_failed};
    va_list args;
    va_start(args, fmt);
    printf("%s%-8s ", s->is_dry ? "-- " : "", marks[mark]);
    vprintf(fmt, args);
    putchar('\n');
    va_end(args);
    if (counts[mark])
        (*counts[mark])++;
}

bool gw_setup_run(struct gw_setup *s, struct gw_buf *sql)
{
    struct gw_err err = {0};
    const char *text = gw_buf_cstr(sql);
    if (s->is_dry) {
        puts(text);
        s->n_done++;
        return true;
    }
    PGresult *r = gw_cmd_query(s->pg, text, 0, NULL, &err);
    if (r)
        gw_setup_say(s, GW_SETUP_DONE, "%s", text);
    else
        gw_setup_say(s, GW_SETUP_ERROR, "%s -- %s", text, err.text);
    PQclear(r);
    return r != NULL;
}

/* ---- the publication ---- */

static void check_wal_level(struct gw_setup *s)
{
    char level[32];
    gw_cmd_value(s->pg, "SHOW wal_level", NULL, level, sizeof level);
    if (strcmp(level, "logical") == 0)
        gw_setup_say(s, GW_SETUP_OK, "wal_level is logical");
    else
        gw_setup_say(s, GW_SETUP_ERROR,
                     "wal_level is %s: ALTER SYSTEM SET wal_level = logical; then restart Postgres",
                     level);
}

/* Partitioned tables are to be told under their own name, not their partitions'. */
static bool make_publication(struct gw_setup *s, const char *name)
{
    char found[8];
    gw_cmd_value(s->pg, "SELECT 1 FROM pg_catalog.pg_publication WHERE pubname = $1", name, found,
                 sizeof found);
    if (*found) {
        gw_setup_say(s, GW_SETUP_OK, "publication %s exists", name);
        return true;
    }
    struct gw_buf sql;
    gw_buf_init(&sql, 0);
    gw_buf_add_str(&sql, "CREATE PUBLICATION ");
    gw_cmd_add_ident(&sql, gw_span_of(name));
    gw_buf_add_str(&sql, " WITH (publish_via_partition_root = true);");
    bool is_there = gw_setup_run(s, &sql) && !s->is_dry;
    gw_buf_fini(&sql);
    return is_there;
}

/* Whether $1 publishes c: in itself, by its schema (since 15), or as one of all tables. */
#define IN_PUBLICATION                                                                             \
    "EXISTS (SELECT FROM pg_catalog.pg_publication AS p WHERE p.pubname = $1 AND (p.puballtables " \
    "OR EXISTS (SELECT FROM pg_catalog.pg_publication_rel AS pr WHERE pr.prpubid = p.oid "         \
    "AND pr.prrelid = c.oid)%s)) "
#define BY_SCHEMA                                                                                  \
    " OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace AS pn "                           \
    "WHERE pn.pnpubid = p.oid AND pn.pnnspid = c.relnamespace)"

static const char sql_named[] =
    "SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname), " IN_PUBLICATION
    "FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE c.oid = pg_catalog.to_regclass($2) AND c.relkind IN ('r', 'p')";

/* A partition is told with its root. $2: the setting roles. */
static const char sql_readable[] =
    "SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname), " IN_PUBLICATION
    "FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition "
    "AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' "
    "AND EXISTS (SELECT FROM pg_catalog.pg_roles AS r "
    "WHERE r.rolname = ANY (pg_catalog.string_to_array($2, ',')) "
    "AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE') "
    "AND pg_catalog.has_any_column_privilege(r.oid, c.oid, 'SELECT')) ORDER BY 1";

/* Tables as the query finds them; those not yet published are added. Returns how many were found,
 * -1: the query failed. */
static int add_found(struct gw_setup *s, const char *sql_format, const char *value)
{
    const char *const values[] = {s->settings.publication, value};
    struct gw_err err = {0};
    struct gw_buf sql;
    gw_buf_init(&sql, 0);
    bool has_schemas = PQserverVersion(s->pg) >= 150000;
    gw_buf_printf(&sql, sql_format, has_schemas ? BY_SCHEMA : "");
    PGresult *r = gw_cmd_query(s->pg, gw_buf_cstr(&sql), 2, values, &err);
    int n = r ? PQntuples(r) : -1;
    if (!r)
        gw_setup_say(s, GW_SETUP_ERROR, "looking for tables: %s", err.text);
    for (int i = 0; i < n; i++) {
        const char *table = PQgetvalue(r, i, 0);
        gw_buf_reset(&sql);
        if (PQgetvalue(r, i, 1)[0] == 't') {
            gw_setup_say(s, GW_SETUP_OK, "table %s is published", table);
            continue;
        }
        gw_buf_add_str(&sql, "ALTER PUBLICATION ");
        gw_cmd_add_ident(&sql, gw_span_of(s->settings.publication));
        gw_buf_printf(&sql, " ADD TABLE %s;", table);
        gw_setup_run(s, &sql);
    }
    PQclear(r);
    gw_buf_fini(&sql);
    return n;
}

static void add_tables(struct gw_setup *s)
{
    const char *rest = s->tables;
    struct gw_span item;
    struct gw_buf roles;
    gw_buf_init(&roles, 0);
    for (unsigned i = 0; i < s->settings.n_roles; i++)
        gw_buf_printf(&roles, "%s%s", i ? "," : "", s->settings.roles[i]);
    if (s->all_tables && add_found(s, sql_readable, gw_buf_cstr(&roles)) == 0)
        gw_setup_say(s, GW_SETUP_ERROR, "none of the roles %s may read any table",
                     gw_buf_cstr(&roles));
    while (s->tables && gw_settings_next_item(&rest, &item)) {
        char *name = gw_strdup_span(item);
        if (add_found(s, sql_named, name) == 0)
            gw_setup_say(s, GW_SETUP_ERROR, "table %s does not exist", name);
        free(name);
    }
    gw_buf_fini(&roles);
}

static void check_tables(struct gw_setup *s)
{
    char found[8];
    gw_cmd_value(s->pg, "SELECT 1 FROM pg_catalog.pg_publication_tables WHERE pubname = $1 LIMIT 1",
                 s->settings.publication, found, sizeof found);
    if (s->all_tables || s->tables)
        add_tables(s);
    else if (!*found)
        gw_setup_say(
            s, GW_SETUP_PROPOSE,
            "the publication has no tables: run again with --all-tables or --tables a,b, or "
            "ALTER PUBLICATION \"%s\" ADD TABLE …;",
            s->settings.publication);
}

/* ---- replica identity ---- */

static void check_identity_of(struct gw_setup *s, const struct gw_catalog *c,
                              const struct gw_catalog_table *t)
{
    struct gw_cmd_weak weak;
    struct gw_buf sql;
    gw_cmd_weak_of(c, t, &weak);
    gw_buf_init(&sql, 0);
    gw_buf_add_str(&sql, "ALTER TABLE ");
    gw_cmd_add_table(&sql, t);
    gw_buf_add_str(&sql, " REPLICA IDENTITY FULL;");
    if (weak.missing.n && s->set_identity)
        gw_setup_run(s, &sql);
    else if (weak.missing.n)
        gw_setup_say(s, GW_SETUP_PROPOSE, "%s -- its policies read %s (--replica-identity does it)",
                     gw_buf_cstr(&sql), gw_buf_cstr(&weak.missing));
    else if (weak.no_identity)
        gw_setup_say(s, GW_SETUP_PROPOSE,
                     "%s or a primary key: without, UPDATE and DELETE on it fail",
                     gw_buf_cstr(&sql));
    gw_buf_fini(&weak.missing);
    gw_buf_fini(&sql);
}

static void check_identity(struct gw_setup *s, const struct gw_catalog *c)
{
    unsigned before = s->n_done + s->n_proposed + s->n_failed;
    for (uint32_t i = 0; i < c->n_tables; i++)
        if (c->tables[i].published)
            check_identity_of(s, c, &c->tables[i]);
    if (s->n_done + s->n_proposed + s->n_failed == before)
        gw_setup_say(s, GW_SETUP_OK, "replica identity carries what policies read");
}

/* What follows from the policies of the tables that are published by now. */
static void check_policies(struct gw_setup *s)
{
    struct gw_catalog *c = NULL;
    struct gw_err err = {0};
    if (!s->has_publication) {
        gw_setup_say(s, GW_SETUP_OK, "replica identity is looked at once the publication exists");
        return;
    }
    if (gw_catalog_once(&s->settings, &c, &err) != GW_OK) {
        gw_setup_say(s, GW_SETUP_ERROR, "the catalog cannot be read: %s", err.text);
        return;
    }
    check_identity(s, c);
    gw_setup_access(s, c);
    gw_catalog_unref(c);
}

/* ---- roles ---- */

static bool role_exists(struct gw_setup *s, const char *name)
{
    char found[8];
    gw_cmd_value(s->pg, "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1", name, found,
                 sizeof found);
    return *found != '\0';
}

/* Membership in which SET ROLE is allowed: since 16 that is a right of its own. */
static bool is_granted(struct gw_setup *s, const char *role, const char *to)
{
    const char *const values[] = {to, role, PQserverVersion(s->pg) >= 160000 ? "SET" : "MEMBER"};
    struct gw_err err;
    PGresult *r = gw_cmd_query(s->pg, "SELECT pg_catalog.pg_has_role($1::name, $2::name, $3)", 3,
                               values, &err);
    bool yes = r && PQgetvalue(r, 0, 0)[0] == 't';
    PQclear(r);
    return yes;
}

static void make_authenticator(struct gw_setup *s)
{
    const char *name = s->authenticator;
    struct gw_buf sql;
    gw_buf_init(&sql, 0);
    bool is_there = role_exists(s, name);
    if (is_there) {
        gw_setup_say(s, GW_SETUP_OK, "role %s exists", name);
    } else {
        gw_buf_add_str(&sql, "CREATE ROLE ");
        gw_cmd_add_ident(&sql, gw_span_of(name));
        gw_buf_add_str(&sql, " LOGIN NOINHERIT;");
        if (gw_setup_run(s, &sql))
            gw_setup_say(s, GW_SETUP_PROPOSE, "give %s a password, and let query_url log in as it",
                         name);
    }
    for (unsigned i = 0; i < s->settings.n_roles; i++) {
        const char *role = s->settings.roles[i];
        if (!role_exists(s, role) || (is_there && is_granted(s, role, name)))
            continue;
        gw_buf_reset(&sql);
        gw_buf_add_str(&sql, "GRANT ");
        gw_cmd_add_ident(&sql, gw_span_of(role));
        gw_buf_add_str(&sql, " TO ");
        gw_cmd_add_ident(&sql, gw_span_of(name));
        gw_buf_add_byte(&sql, ';');
        gw_setup_run(s, &sql);
    }
    gw_buf_fini(&sql);
}

static void check_login(struct gw_setup *s, PGconn *query)
{
    struct gw_cmd_login login;
    struct gw_err err = {0};
    if (gw_cmd_login_of(query, s->settings.publication, &login, &err) != GW_OK) {
        gw_setup_say(s, GW_SETUP_ERROR, "the login of query_url: %s", err.text);
        return;
    }
    const char *excess = gw_cmd_login_excess(&login);
    if (excess)
        gw_setup_say(s, GW_SETUP_PROPOSE,
                     "the login of query_url, %s, %s: use one that --authenticator makes",
                     login.name, excess);
    else
        gw_setup_say(s, GW_SETUP_OK, "the login of query_url, %s, is no more than an authenticator",
                     login.name);
    for (unsigned i = 0; i < s->settings.n_roles; i++) {
        const char *role = s->settings.roles[i];
        if (!role_exists(s, role))
            continue;
        if (gw_cmd_can_become(query, role))
            gw_setup_say(s, GW_SETUP_OK, "%s may become %s", login.name, role);
        else
            gw_setup_say(s, GW_SETUP_PROPOSE, "GRANT \"%s\" TO \"%s\"; questions are asked as it",
                         role, login.name);
    }
}

static void check_roles(struct gw_setup *s)
{
    struct gw_err err = {0};
    for (unsigned i = 0; i < s->settings.n_roles; i++) {
        const char *role = s->settings.roles[i];
        if (role_exists(s, role))
            gw_setup_say(s, GW_SETUP_OK, "role %s exists", role);
        else
            gw_setup_say(s, GW_SETUP_PROPOSE,
                         "CREATE ROLE \"%s\" NOLOGIN; or leave it out of the setting roles", role);
    }
    if (s->authenticator)
        make_authenticator(s);
    PGconn *query = gw_cmd_connect(s->settings.query_url, &err);
    if (query)
        check_login(s, query);
    else if (s->is_dry)
        gw_setup_say(s, GW_SETUP_PROPOSE, "query_url cannot log in yet: %s", err.text);
    else
        gw_setup_say(s, GW_SETUP_ERROR, "query_url cannot log in: %s", err.text);
    PQfinish(query);
}

/* ---- together ---- */

static int setup(struct gw_setup *s)
{
    struct gw_err err = {0};
    s->pg = gw_cmd_connect(s->settings.database_url, &err);
    if (!s->pg) {
        fprintf(stderr, "rowcast setup: %s%s%s\n", err.text, *err.hint ? "; " : "", err.hint);
        return EXIT_FAILED;
    }
    const char *c = s->is_dry ? "-- " : "";
    check_wal_level(s);
    s->has_publication = make_publication(s, s->settings.publication);
    if (*s->settings.access_publication)
        (void)make_publication(s, s->settings.access_publication);
    check_tables(s);
    check_policies(s);
    gw_setup_trigger(s);
    check_roles(s);
    if (s->n_done == 0)
        printf("%snothing to do", c);
    else
        printf("%s%u %s", c, s->n_done, s->is_dry ? "to do" : "done");
    printf("; %u proposed, %u failed\n", s->n_proposed, s->n_failed);
    PQfinish(s->pg);
    return s->n_failed ? EXIT_FAILED : 0;
}

/* Take the own flags out of argv; *rest counts what remains at its start. */
static int read_flags(struct gw_setup *s, int argc, char **argv, int *rest)
{
    const struct {
        const char *name;
        bool *flag;
        const char **value;
    } own[] = {{"--dry-run", &s->is_dry, NULL},
               {"--all-tables", &s->all_tables, NULL},
               {"--replica-identity", &s->set_identity, NULL},
               {"--tables", NULL, &s->tables},
               {"--authenticator", NULL, &s->authenticator}};
    for (int i = 0; i < argc; i++) {
        size_t k = 0, n = strcspn(argv[i], "=");
        while (k < 5 && (strlen(own[k].name) != n || strncmp(argv[i], own[k].name, n) != 0))
            k++;
        if (k == 5) {
            argv[(*rest)++] = argv[i];
        } else if (own[k].flag) {
            if (argv[i][n]) {
                fprintf(stderr, "rowcast setup: %s takes no value\n", own[k].name);
                return EXIT_USAGE;
            }
            *own[k].flag = true;
        } else {
            *own[k].value = argv[i][n] ? argv[i] + n + 1 : i + 1 < argc ? argv[++i] : "";
            if (!**own[k].value) {
                fprintf(stderr, "rowcast setup: %s needs a value\n", own[k].name);
                return EXIT_USAGE;
            }
        }
    }
    return 0;
}

static void print_help(void)
{
    struct gw_buf help;
    gw_buf_init(&help, 0);
    gw_settings_help(&help);
    fputs(usage, stdout);
    fwrite(help.p, 1, help.n, stdout);
    gw_buf_fini(&help);
}

static void drop_log(enum gw_log_level level, struct gw_span line)
{
    (void)level;
    (void)line;
}

int gw_setup_cmd(int argc, char **argv)
{
    struct gw_setup s = {0};
    struct gw_err err = {0};
    int rest = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_help();
            return 0;
        }
    }
    int rc = read_flags(&s, argc, argv, &rest);
    if (rc != 0)
        return rc;
    if (gw_settings_load(&s.settings, rest, argv, &err) != GW_OK) {
        fprintf(stderr, "rowcast setup: %s%s%s\n", err.text, *err.hint ? "; " : "", err.hint);
        return EXIT_USAGE;
    }
    gw_log_set_sink(drop_log); /* what the links log is said by the steps */
    rc = setup(&s);
    gw_settings_fini(&s.settings);
    return rc;
}
