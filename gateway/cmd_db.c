#include "cmd_db.h"

#include "pgconn.h"
#include "pgerr.h"

#include <libpq-fe.h>
#include <stdio.h>

static void drop_notice(void *ctx, const PGresult *r)
{
    (void)ctx;
    (void)r;
}

struct pg_conn *gw_cmd_connect(const char *url, struct gw_err *err)
{
    /* dbname last: what the connection string says wins over what stands before it. */
    static const char *const keywords[] = {"connect_timeout", "fallback_application_name", "dbname",
                                           "client_encoding", NULL};
    const char *const values[] = {"10", "rowcast", url, "UTF8", NULL};
    PGconn *pg = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(pg) == CONNECTION_OK) {
        PQsetNoticeReceiver(pg, drop_notice, NULL);
        return pg;
    }
    gw_pgerr_of_connect(PQerrorMessage(pg), PQuser(pg), PQdb(pg), err);
    PQfinish(pg);
    return NULL;
}

struct pg_result *gw_cmd_query(struct pg_conn *pg, const char *sql, int n,
                               const char *const *values, struct gw_err *err)
{
    PGresult *r = PQexecParams(pg, sql, n, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(r);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return r;
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    gw_pgerr_set(state ? state : "", text ? text : PQerrorMessage(pg), err);
    PQclear(r);
    return NULL;
}

const char *gw_cmd_value(struct pg_conn *pg, const char *sql, const char *value, char *out,
                         size_t cap)
{
    struct gw_err err;
    PGresult *r = gw_cmd_query(pg, sql, value ? 1 : 0, &value, &err);
    snprintf(out, cap, "%s", r && PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    return out;
}

bool gw_cmd_can_become(struct pg_conn *pg, const char *role)
{
    struct gw_buf sql;
    gw_buf_init(&sql, 0);
    gw_buf_add_str(&sql, "SET LOCAL ROLE ");
    gw_cmd_add_ident(&sql, gw_span_of(role));
    PQclear(PQexec(pg, "BEGIN"));
    PGresult *r = PQexec(pg, gw_buf_cstr(&sql));
    bool can = PQresultStatus(r) == PGRES_COMMAND_OK;
    PQclear(r);
    PQclear(PQexec(pg, "ROLLBACK"));
    gw_buf_fini(&sql);
    return can;
}

void gw_cmd_add_ident(struct gw_buf *out, struct gw_span name)
{
    gw_buf_add_byte(out, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"')
            gw_buf_add_byte(out, '"');
        gw_buf_add_byte(out, name.p[i]);
    }
    gw_buf_add_byte(out, '"');
}

void gw_cmd_add_table(struct gw_buf *out, const struct gw_catalog_table *t)
{
    gw_cmd_add_ident(out, t->schema);
    gw_buf_add_byte(out, '.');
    gw_cmd_add_ident(out, t->name);
}

static bool is_read(const struct gw_catalog *c, const struct gw_catalog_table *t, unsigned column)
{
    for (uint32_t role_id = 0; role_id < c->n_roles; role_id++) {
        const struct gw_table_access *access = &t->access[role_id];
        bool is_judged = access->path != GW_PATH_NOBODY && access->path != GW_PATH_EVERYONE;
        if (is_judged && gw_colset_has(&access->reads, column))
            return true;
    }
    return false;
}

void gw_cmd_weak_of(const struct gw_catalog *c, const struct gw_catalog_table *t,
                    struct gw_cmd_weak *out)
{
    out->no_identity = !t->has_identity;
    gw_buf_init(&out->missing, 0);
    for (unsigned i = 0; i < t->n_columns; i++) {
        if (t->columns[i].in_identity || !is_read(c, t, i))
            continue;
        if (out->missing.n)
            gw_buf_add_str(&out->missing, ", ");
        gw_buf_add_span(&out->missing, t->columns[i].name);
    }
}

void gw_cmd_add_authenticator(struct gw_buf *out, const char *name, char *const *roles,
                              unsigned n_roles)
{
    gw_buf_add_str(out, "CREATE ROLE ");
    gw_cmd_add_ident(out, gw_span_of(name));
    gw_buf_add_str(out, " LOGIN NOINHERIT; GRANT ");
    for (unsigned i = 0; i < n_roles; i++) {
        if (i)
            gw_buf_add_str(out, ", ");
        gw_cmd_add_ident(out, gw_span_of(roles[i]));
    }
    gw_buf_add_str(out, " TO ");
    gw_cmd_add_ident(out, gw_span_of(name));
    gw_buf_add_byte(out, ';');
}

static bool is_true(const PGresult *r, int column)
{
    return PQgetvalue(r, 0, column)[0] == 't';
}

enum gw_code gw_cmd_login_of(struct pg_conn *pg, const char *publication, struct gw_cmd_login *out,
                             struct gw_err *err)
{
    static const char sql[] =
        "SELECT r.rolname, r.rolsuper, r.rolbypassrls, "
        "r.rolinherit AND EXISTS (SELECT FROM pg_catalog.pg_auth_members AS m "
        "WHERE m.member = r.oid), r.rolreplication, "
        "EXISTS (SELECT FROM pg_catalog.pg_publication_tables AS p "
        "JOIN pg_catalog.pg_namespace AS n ON n.nspname = p.schemaname "
        "JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename "
        "WHERE p.pubname = $1 AND c.relowner = r.oid) "
        "FROM pg_catalog.pg_roles AS r WHERE r.rolname = session_user";
    *out = (struct gw_cmd_login){0};
    PGresult *r = gw_cmd_query(pg, sql, 1, &publication, err);
    if (!r)
        return err->code;
    if (PQntuples(r) == 1) {
        snprintf(out->name, sizeof out->name, "%s", PQgetvalue(r, 0, 0));
        out->is_super = is_true(r, 1);
        out->bypasses_rls = is_true(r, 2);
        out->inherits = is_true(r, 3);
        out->replicates = is_true(r, 4) || out->is_super;
        out->owns_published = is_true(r, 5);
    }
    PQclear(r);
    return GW_OK;
}

const char *gw_cmd_login_excess(const struct gw_cmd_login *login)
{
    if (login->is_super)
        return "is a superuser";
    if (login->bypasses_rls)
        return "has BYPASSRLS";
    if (login->owns_published)
        return "owns published tables";
    if (login->inherits)
        return "inherits the rights of its roles (INHERIT)";
    return NULL;
}
