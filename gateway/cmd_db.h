/* cmd_db: a blocking connection for commands that run and end (setup, check), and what those two
 * know of the database in common. The daemon never uses it: there, nothing may block.
 *
 * Main thread. Statements have no parameters but text, passed apart, never pasted. */
#ifndef GW_CMD_DB_H
#define GW_CMD_DB_H

#include "gw/catalog.h"

struct pg_conn; /* libpq's PGconn and PGresult */
struct pg_result;

/* Columns that policies read but deleted and old rows do not carry. */
struct gw_cmd_weak {
    bool no_identity;      /* UPDATE and DELETE on it fail in Postgres once it is published */
    struct gw_buf missing; /* names with ", "; empty: nothing is missing */
};

/* Returns owned (PQfinish). At most 10 s unless url says otherwise; notices are dropped.
 * NULL: err. */
struct pg_conn *gw_cmd_connect(const char *url, struct gw_err *err);
/* n text parameters, $1 first; NULL means NULL. Returns owned rows (PQclear). NULL: err. */
struct pg_result *gw_cmd_query(struct pg_conn *pg, const char *sql, int n,
                               const char *const *values, struct gw_err *err);
/* First field of the first row into out, "" if there is none or on an error. Returns out. */
const char *gw_cmd_value(struct pg_conn *pg, const char *sql, const char *value, char *out,
                         size_t cap);
/* Whether this connection may SET ROLE; tried out in a transaction that is rolled back. */
bool gw_cmd_can_become(struct pg_conn *pg, const char *role);

/* Append "name", quotes doubled. */
void gw_cmd_add_ident(struct gw_buf *out, struct gw_span name);
/* Append "schema"."name". */
void gw_cmd_add_table(struct gw_buf *out, const struct gw_catalog_table *t);
/* What is weaker on t than it could be. Call gw_buf_fini on missing. */
void gw_cmd_weak_of(const struct gw_catalog *c, const struct gw_catalog_table *t,
                    struct gw_cmd_weak *out);
/* Append the statements that make the login questions should be asked with. */
void gw_cmd_add_authenticator(struct gw_buf *out, const char *name, char *const *roles,
                              unsigned n_roles);

/* The login of a connection, as pg_roles has it. */
struct gw_cmd_login {
    char name[64];
    bool is_super, bypasses_rls, inherits, replicates;
    bool owns_published; /* a table of the publication */
};
GW_MUST_CHECK enum gw_code gw_cmd_login_of(struct pg_conn *pg, const char *publication,
                                           struct gw_cmd_login *out, struct gw_err *err);
/* More than an authenticator may be: in words, NULL if it is none of that. */
const char *gw_cmd_login_excess(const struct gw_cmd_login *login);

#endif
