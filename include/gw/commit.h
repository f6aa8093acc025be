/* commit: one transaction with its audiences, as the history holds it and the workers read it.
 * Immutable from the moment it is pushed; built by gw/judge.h on the hub thread. */
#ifndef GW_COMMIT_H
#define GW_COMMIT_H

#include "gw/audience.h"
#include "gw/colset.h"
#include "gw/txn.h"

#include <stdatomic.h>

/* What one role sees of one version of a table. */
struct gw_view {
    struct gw_colset columns;    /* positions in the relation that the role may SELECT */
    struct gw_span columns_json; /* [{"name":"id","type":"int8"},…] of those */
};

/* The views of all roles on one relation version; immutable, shared by commits, atomic count. */
struct gw_table_views {
    _Atomic uint32_t refs; /* own use */
    struct gw_arena arena;
    const struct gw_relation *rel; /* reference held */
    const struct gw_catalog *catalog; /* reference held: types for filters */
    struct gw_colset key;          /* positions of the primary key, else of the replica identity */
    uint32_t n_roles;
    struct gw_view *views; /* by role id */
};

struct gw_table_views *gw_table_views_new(const struct gw_relation *rel,
                                          const struct gw_catalog *catalog);
/* Of a table that the log has not shown: its relation is made from the catalog. oid must be known. */
struct gw_table_views *gw_table_views_of_catalog(uint32_t rel_oid,
                                                 const struct gw_catalog *catalog);
struct gw_table_views *gw_table_views_ref(const struct gw_table_views *v);
void gw_table_views_unref(const struct gw_table_views *v); /* accepts NULL */

struct gw_commit_change {
    const struct gw_change *change;     /* in the commit's txn */
    const struct gw_table_views *views; /* reference held */
    struct gw_audience readers;  /* who is told: sees new (INSERT, UPDATE) or old (DELETE) */
    struct gw_audience sees_old; /* UPDATE: who of them may also have old values */
    struct gw_audience leavers;  /* UPDATE: who saw the old row and does not see the new one: told
                                  * only if they asked for moves, as a DELETE with the key */
    uint64_t old_unknown; /* UPDATE: role bits for which the old image could not be judged */
};

/* Subscribers of a table that must load it again, in order with the changes around. */
struct gw_resync {
    uint32_t rel_oid;
    enum gw_code reason; /* E_TOO_BIG, E_BUDGET, E_RESYNC (truncate), … */
};

/* Someone gained or lost sight of rows that did not change themselves: "trip_items where trip_id = 42".
 * For clients that asked for scopes. */
struct gw_commit_scope {
    const struct gw_table_views *views; /* reference held: of the table whose rows are concerned */
    uint32_t rel_oid;
    struct gw_span schema, table;
    uint32_t column;          /* into the catalog table's columns; UINT32_MAX: the whole table */
    struct gw_span column_name, value_json; /* value_json: of that column, ready to be copied */
    bool gained;              /* else lost */
    struct gw_audience readers;
};

/* A topic whose answer changed with this commit. */
struct gw_commit_revocation {
    uint32_t worker;
    uint64_t channel_id;
    uint32_t may; /* GW_MAY_* bits that are left */
};

struct gw_commit {
    uint64_t seq; /* 1, 2, 3 … in this process, given by the history */
    struct gw_txn *txn; /* owned */
    uint32_t n_changes;
    struct gw_commit_change *changes; /* in the txn's arena */
    uint32_t n_resyncs;
    struct gw_resync *resyncs; /* in the txn's arena; delivered before the changes of the commit */
    uint32_t n_scopes;
    struct gw_commit_scope *scopes; /* in the txn's arena; delivered after the changes */
    uint32_t n_revocations;
    struct gw_commit_revocation *revocations; /* in the txn's arena; take effect before the changes */
    size_t bytes; /* what it counts for against the history's bound */
};

void gw_commit_free(struct gw_commit *c); /* accepts NULL */
/* Set bytes, once everything is in the txn's arena. Views are not counted: commits share them. */
void gw_commit_settle(struct gw_commit *c);

#endif
