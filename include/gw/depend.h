/* depend: which tables a policy's answer depends on, found by reading the expression and the bodies
 * of the functions it calls with libpg_query.
 *
 * It over-approximates: more tables, more columns, or "unknown" are always safe answers, because a
 * dependency only ever narrows who is told about old rows. Dynamic SQL, languages other than sql
 * and plpgsql (unless IMMUTABLE), and text that does not parse make the answer unknown. */
#ifndef GW_DEPEND_H
#define GW_DEPEND_H

#include "gw/catalog.h"

#define GW_DEPEND_MAX_FUNCTIONS 256 /* distinct bodies read per policy set; more: unknown */

/* What the policies on table t that apply to role_id read. reads: columns (index into t->columns)
 * of the row itself, every column on a whole-row reference. out points into c's arena.
 * Called by gw_catalog_finish; c's by_oid index must be there. */
void gw_depend_find(struct gw_catalog *c, const struct gw_catalog_table *t, unsigned role_id,
                    struct gw_colset *reads, struct gw_depends *out);

#endif
