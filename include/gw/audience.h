/* audience: who may see something, as a small union of clauses that does not name connections.
 *
 *     audience   = clause, clause, …                       (nobody when there is none)
 *     clause     = role × principals
 *     principals = everyone | include set | exclude set
 *     principal  = one distinct set of claims (caller) | claim(path) = value | group(table, key)
 *
 * Immutable once its commit is in the history. Memory: the arena of the transaction. Bounds:
 * clauses and set sizes are the judge's to limit. */
#ifndef GW_AUDIENCE_H
#define GW_AUDIENCE_H

#include "gw/arena.h"

enum gw_principal_kind { GW_PRINCIPAL_CALLER, GW_PRINCIPAL_CLAIM, GW_PRINCIPAL_GROUP };

/* a, b: CALLER: 0, caller id; CLAIM: path id, interned value; GROUP: table oid, interned key. */
struct gw_principal {
    enum gw_principal_kind kind;
    uint32_t a;
    uint64_t b;
};

enum gw_principals_kind { GW_PRINCIPALS_EVERYONE, GW_PRINCIPALS_INCLUDE, GW_PRINCIPALS_EXCLUDE };

struct gw_clause {
    uint16_t role_id;
    enum gw_principals_kind kind;
    uint32_t n;
    struct gw_principal *set; /* INCLUDE, EXCLUDE: sorted by gw_principal_compare, no duplicates */
};

struct gw_audience {
    uint32_t n;
    struct gw_clause *clauses;
};

/* What a connection is, for matching: its role and every principal it belongs to (sorted). */
struct gw_identity {
    uint16_t role_id;
    uint32_t n;
    const struct gw_principal *principals;
};

int gw_principal_compare(const struct gw_principal *a, const struct gw_principal *b);

/* Append clauses; memory from arena (whose cap must leave room: asserts). set is copied and sorted.
 */
void gw_audience_add_everyone(struct gw_audience *au, struct gw_arena *arena, uint16_t role_id);
void gw_audience_add_set(struct gw_audience *au, struct gw_arena *arena, uint16_t role_id,
                         enum gw_principals_kind kind, const struct gw_principal *set, uint32_t n);
void gw_audience_copy(struct gw_audience *out, struct gw_arena *arena, const struct gw_audience *a);
/* Add to out whoever is in a and not in b, role by role; clauses over CALLER principals only. A role has
 * at most one clause that is no INCLUDE set in each. */
void gw_audience_subtract(struct gw_audience *out, struct gw_arena *arena,
                          const struct gw_audience *a, const struct gw_audience *b);
void gw_audience_drop_roles(struct gw_audience *au, uint64_t roles); /* bits */
/* Whether id is in au: O(clauses × log set × principals). */
bool gw_audience_admits(const struct gw_audience *au, const struct gw_identity *id);

#endif
