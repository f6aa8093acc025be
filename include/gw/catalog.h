/* catalog: what Postgres' catalog says about tables, privileges and policies, as one immutable,
 * shared snapshot.
 *
 * Filled by gateway/catalog_load.c (db thread) through the plain structs below, completed by
 * gw_catalog_finish, then read-only: the hub judges with it, the wal thread takes types from it,
 * workers never see it. The count is atomic. Replaced as a whole on every change. */
#ifndef GW_CATALOG_H
#define GW_CATALOG_H

#include "gw/colset.h"
#include "gw/expr.h"
#include "gw/lsn.h"
#include "gw/types.h"

#include <stdatomic.h>

#define GW_ROLES_MAX 64 /* allow-listed roles; role ids index ROWCAST_ROLES */

struct gw_catalog_column {
    struct gw_span name;
    int16_t attnum;
    uint32_t type_oid;
    struct gw_span type_name;  /* pg_type.typname */
    struct gw_span generation; /* expression of a stored generated column, else empty */
    bool in_primary_key;
    bool in_identity; /* column of the replica identity (all, under FULL) */
    bool is_not_null;
    bool is_opaque; /* its collation is not deterministic: equality is Postgres' affair */
};

struct gw_policy {
    struct gw_span name;
    bool permissive;     /* else RESTRICTIVE */
    uint64_t roles;      /* bit per role id it applies to, role membership and PUBLIC resolved */
    struct gw_span qual; /* USING, as pg_get_expr prints it under an empty search_path; or empty */
};

/* A policy for INSERT or ALL, by its WITH CHECK (USING where there is none): of realtime.messages
 * only, where it says who may send. */
struct gw_check_policy {
    struct gw_span name;
    bool permissive;
    uint64_t roles;
    struct gw_span check; /* or empty: it counts for nothing */
};

/* How the readers of a table are found, per role. */
enum gw_path {
    GW_PATH_NOBODY,   /* no privilege, or RLS without a policy for the role that is not "false" */
    GW_PATH_EVERYONE, /* RLS off, BYPASSRLS, owner without FORCE, or policies that are just "true":
                       * whoever has the role */
    GW_PATH_SOLVED,   /* the policies are compiled (gw/expr.h): solved for the unknown caller */
    GW_PATH_ASSISTED, /* likewise, with caller-free parts that Postgres evaluates once per row */
    GW_PATH_ASKED,    /* Postgres is asked, per distinct set of claims */
};
const char *gw_path_name(enum gw_path path); /* "nobody", "everyone", "solved", "assisted", "asked" */

/* A table that policies look into, and which of its columns they read. */
struct gw_lookup {
    uint32_t rel_oid;
    bool all_columns;
    uint32_t n_columns;
    struct gw_span *columns; /* names */
};

/* What the answer of a policy depends on besides the row itself. */
struct gw_depends {
    bool unknown;       /* a function body or operator could not be read through */
    struct gw_span why; /* unknown: which one, for `rowcast check` */
    uint32_t n_lookups;
    struct gw_lookup *lookups; /* transitive: inner tables' own policies included */
};

struct gw_table_access {
    struct gw_colset columns; /* SELECT privilege; bit = index into columns[]; of every table */
    bool has_schema_usage;
    bool may_insert; /* INSERT privilege on any column; realtime.messages only */
    bool bypasses_rls;        /* owner without FORCE, BYPASSRLS, superuser */
    const struct gw_plan *plan; /* SOLVED, ASSISTED, ASKED: in the catalog's rules; may be NULL */
    /* Set by gw_catalog_finish: */
    enum gw_path path;
    struct gw_span question; /* ASKED: the SQL of gw/question.h, NUL-terminated */
    struct gw_colset reads;  /* ASKED: columns of the row that the policies read */
    struct gw_depends depends;
};

struct gw_catalog_table {
    uint32_t oid;
    struct gw_span schema, name;
    uint32_t owner_oid;
    bool is_limited;   /* a publication shows only some of its rows or columns */
    bool published;    /* in ROWCAST_PUBLICATION: may be subscribed to */
    bool followed;     /* in ROWCAST_ACCESS_PUBLICATION: its changes are seen, nobody is told */
    bool has_children; /* partitioned or inherited from: changes come under the children's oids */
    bool rls_enabled, rls_forced;
    char replica_identity; /* d, n, f, i */
    bool has_identity;     /* a DELETE of it carries something (d needs a primary key) */
    uint32_t row_type_oid, row_array_oid; /* pg_type of the row and of its array */
    uint16_t n_columns;
    struct gw_catalog_column *columns; /* live columns, attnum order, generated ones included */
    uint32_t n_policies;
    struct gw_policy *policies;     /* those for SELECT and ALL */
    uint32_t n_checks;
    struct gw_check_policy *checks; /* realtime.messages */
    struct gw_table_access *access; /* one per role id, n_roles of the catalog */
};

/* A function that policies may call. */
struct gw_catalog_function {
    uint32_t oid;
    struct gw_span schema, name;
    struct gw_span language;   /* "sql", "plpgsql", "c", "internal", … */
    char volatility;           /* i, s, v */
    struct gw_span definition; /* pg_get_functiondef for sql and plpgsql, else empty */
    struct gw_span body;       /* prosrc for sql (empty for BEGIN ATOMIC) and plpgsql */
    uint16_t n_args;           /* input arguments */
    uint16_t n_defaults;       /* of the last ones; their text stands in definition */
    uint32_t *arg_types;       /* n_args */
    struct gw_span *arg_names; /* n_args; empty: unnamed */
    uint32_t return_type;
    bool returns_set, is_strict, is_definer;
    bool is_plain;             /* a function: no aggregate, window function, procedure, VARIADIC or OUT */
    bool has_search_path;      /* SET search_path: */
    bool has_other_settings;   /* SET of anything else */
    uint32_t n_search_path;
    struct gw_span *search_path; /* schema names; "$user" left out */
    uint32_t owner_oid;
    bool owner_is_super, owner_bypasses; /* superuser; superuser or BYPASSRLS */
    uint64_t executable;       /* bit per role id: EXECUTE, and USAGE on its schema */
};

/* A view, a materialized view or a foreign table: policies that read one are asked. */
struct gw_catalog_view {
    struct gw_span schema, name;
};

/* A type by its schema, for casts in policies and bodies. */
struct gw_catalog_type {
    uint32_t oid;
    struct gw_span schema, name;
};

struct gw_catalog {
    _Atomic uint32_t refs; /* own use */
    struct gw_arena arena; /* everything spans and arrays point to */
    uint64_t generation;   /* counts loads in this process */
    struct gw_types types;
    uint32_t n_roles; /* as many as ROWCAST_ROLES has entries */
    struct gw_span roles[GW_ROLES_MAX];
    uint64_t roles_present; /* bit: the role exists and the questioner may SET ROLE to it */
    uint32_t n_tables;
    struct gw_catalog_table
        *tables; /* published ones and all that have policies or are looked into */
    uint32_t n_functions;
    struct gw_catalog_function *functions;
    uint32_t n_views;
    struct gw_catalog_view *views;
    uint32_t n_type_names;
    struct gw_catalog_type *type_names; /* those that are not built in */
    uint32_t n_search_path;
    struct gw_span *search_path; /* of the questioner's sessions: for bodies without their own */
    struct gw_rules *rules; /* reference held; set by gw_catalog_finish */
    struct gw_idmap by_oid; /* own use */
};

struct gw_catalog *gw_catalog_new(void); /* empty, one reference */
struct gw_catalog *gw_catalog_ref(const struct gw_catalog *c);
void gw_catalog_unref(const struct gw_catalog *c); /* accepts NULL */

/* After all facts are in: index, compile the policies, choose paths, write questions, work out
 * dependencies. options may be NULL; previous may be NULL: the rules of an earlier load, shared when
 * nothing has changed. */
struct gw_compile_options;
void gw_catalog_finish(struct gw_catalog *c, const struct gw_compile_options *options,
                       const struct gw_rules *previous);

/* Borrowed, or NULL. */
const struct gw_catalog_table *gw_catalog_table_find(const struct gw_catalog *c, uint32_t oid);
const struct gw_catalog_table *gw_catalog_table_named(const struct gw_catalog *c,
                                                      struct gw_span schema, struct gw_span name);
int gw_catalog_column_find(const struct gw_catalog_table *t, struct gw_span name); /* or -1 */

#endif
