/* compile: from the policies in a catalog to gw/expr.h.
 *
 * Reads pg_get_expr texts and function bodies with libpg_query, resolves names, inlines functions
 * (sql, and plpgsql that only decides and returns), applies the policies of inner tables where
 * Postgres would, and sorts every sub-expression into caller-free, caller-only and mixed. What it
 * does not understand it refuses by name: that policy's table is then asked, never guessed.
 *
 * Runs where the catalog is loaded (db thread, 8 MB stack). Bounds: text length, depth of inlining
 * (32), nodes per plan (20 000). */
#ifndef GW_COMPILE_H
#define GW_COMPILE_H

#include "gw/catalog.h"
#include "gw/expr.h"

struct gw_compile_options {
    /* ROWCAST_CLAIM_SETTINGS: "app.tenant_id=org_id,…" or "". current_setting('app.tenant_id', …) is
     * then a claim. */
    const char *claim_settings;
};

/* All plans for published tables and realtime.messages. previous (may be NULL) is returned with one
 * more reference when the catalog's contents have not changed since. Never fails: what cannot be
 * compiled is ASKED with a reason. Returns owned. c's by_oid index must be there. */
struct gw_rules *gw_compile(const struct gw_catalog *c, const struct gw_compile_options *options,
                            const struct gw_rules *previous);

#endif
