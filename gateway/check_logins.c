/* Who the gateway is to the database, three times: reader of the catalog, reader of the log, and
 * asker of questions, which should be nobody in itself. */
#include "check_own.h"

#include <libpq-fe.h>

static void check_reader(struct gw_check *c)
{
    struct gw_cmd_login login;
    struct gw_err err;
    if (gw_cmd_login_of(c->pg, c->settings->publication, &login, &err) != GW_OK) {
        gw_check_say(c, GW_CHECK_ERROR, "database_url", "%s", err.text);
        return;
    }
    bool sees_all = login.is_super || login.bypasses_rls;
    gw_check_say(c, sees_all ? GW_CHECK_OK : GW_CHECK_WARNING, "database_url", "logs in as %s%s",
                 login.name, sees_all ? "" : ", which does not see past row security");
    if (!sees_all)
        gw_check_fix("ALTER ROLE \"%s\" BYPASSRLS;", login.name);
}

static void check_replication(struct gw_check *c)
{
    struct gw_cmd_login login;
    struct gw_err err;
    PGconn *pg = gw_cmd_connect(c->settings->replication_url, &err);
    if (!pg || gw_cmd_login_of(pg, c->settings->publication, &login, &err) != GW_OK) {
        gw_check_say(c, GW_CHECK_ERROR, "replication_url", "%s", err.text);
    } else if (login.replicates) {
        gw_check_say(c, GW_CHECK_OK, "replication_url", "logs in as %s, which may replicate",
                     login.name);
    } else {
        gw_check_say(c, GW_CHECK_ERROR, "replication_url", "%s may not replicate", login.name);
        gw_check_fix("ALTER ROLE \"%s\" REPLICATION;", login.name);
    }
    PQfinish(pg);
}

static void check_asker(struct gw_check *c, struct gw_cmd_login *login)
{
    struct gw_err err = {0};
    c->query = gw_cmd_connect(c->settings->query_url, &err);
    if (!c->query || gw_cmd_login_of(c->query, c->settings->publication, login, &err) != GW_OK) {
        gw_check_say(c, GW_CHECK_ERROR, "query_url", "%s", err.text);
        return;
    }
    const char *excess = gw_cmd_login_excess(login);
    gw_check_say(c, excess ? GW_CHECK_WARNING : GW_CHECK_OK, "query_url", "logs in as %s%s%s",
                 login->name, excess ? ", more than an authenticator: it " : "",
                 excess ? excess : "");
    if (!excess)
        return;
    struct gw_buf sql;
    gw_buf_init(&sql, 0);
    gw_cmd_add_authenticator(&sql, "rowcast_authenticator", c->settings->roles,
                             c->settings->n_roles);
    gw_check_fix("%s then log in as it in ROWCAST_QUERY_URL", gw_buf_cstr(&sql));
    gw_buf_fini(&sql);
}

/* Returns whether tokens with this role would work. */
static bool check_role(struct gw_check *c, const char *role, const struct gw_cmd_login *login)
{
    char found[8];
    gw_cmd_value(c->pg, "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1", role, found,
                 sizeof found);
    if (!*found) {
        gw_check_say(c, GW_CHECK_WARNING, "role", "%s does not exist: its tokens see nothing",
                     role);
        gw_check_fix("CREATE ROLE \"%s\" NOLOGIN; or leave it out of ROWCAST_ROLES", role);
        return false;
    }
    if (!c->query)
        return true;
    if (!gw_cmd_can_become(c->query, role)) {
        gw_check_say(c, GW_CHECK_ERROR, "role", "%s may not become %s", login->name, role);
        gw_check_fix("GRANT \"%s\" TO \"%s\";", role, login->name);
        return false;
    }
    gw_check_say(c, GW_CHECK_OK, "role", "%s", role);
    return true;
}

void gw_check_logins(struct gw_check *c)
{
    struct gw_cmd_login login = {0};
    unsigned n_usable = 0;
    check_reader(c);
    check_replication(c);
    check_asker(c, &login);
    for (unsigned i = 0; i < c->settings->n_roles; i++)
        n_usable += check_role(c, c->settings->roles[i], &login);
    if (n_usable == 0)
        gw_check_say(c, GW_CHECK_ERROR, "roles", "none of ROWCAST_ROLES can be used");
}
