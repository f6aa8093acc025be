/* catalog_rows: results of the catalog queries → struct gw_catalog. No I/O. */
#ifndef GW_CATALOG_ROWS_H
#define GW_CATALOG_ROWS_H

#include "gw/compile.h"

struct pg_result;

enum gw_catalog_query {
    GW_CATALOG_SNAPSHOT, /* first */
    GW_CATALOG_ROLES,
    GW_CATALOG_TABLES,
    GW_CATALOG_COLUMNS,
    GW_CATALOG_POLICIES,
    GW_CATALOG_CHECKS,
    GW_CATALOG_ACCESS,
    GW_CATALOG_FUNCTIONS,
    GW_CATALOG_VIEWS,
    GW_CATALOG_SEARCH_PATH,
    GW_CATALOG_TYPES,
    GW_CATALOG_FIELDS,
    GW_CATALOG_AFTER, /* last: the snapshot after all of it */
    GW_CATALOG_QUERIES
};

/* What a catalog follows from besides the rows. */
struct gw_catalog_frame {
    const char *const *roles; /* allow-list, n_roles of them */
    uint32_t n_roles;
    uint64_t generation;
    struct gw_compile_options options;
    const struct gw_rules *previous; /* of the last load, or NULL */
};

/* Returns owned, finished. */
struct gw_catalog *gw_catalog_from_rows(struct pg_result *const results[GW_CATALOG_QUERIES],
                                        const struct gw_catalog_frame *frame);

#endif
