/* catalog_rows: results of the catalog queries → struct gw_catalog. No I/O. */
#ifndef GW_CATALOG_ROWS_H
#define GW_CATALOG_ROWS_H

#include "gw/catalog.h"

struct pg_result;

enum gw_catalog_query {
    GW_CATALOG_ROLES,
    GW_CATALOG_TABLES,
    GW_CATALOG_COLUMNS,
    GW_CATALOG_POLICIES,
    GW_CATALOG_ACCESS,
    GW_CATALOG_FUNCTIONS,
    GW_CATALOG_TYPES,
    GW_CATALOG_FIELDS,
    GW_CATALOG_QUERIES
};

/* Build a catalog for the given allow-list (names, n_roles of them). Returns owned, finished. */
struct gw_catalog *gw_catalog_from_rows(struct pg_result *const results[GW_CATALOG_QUERIES],
                                        const char *const *roles, uint32_t n_roles,
                                        uint64_t generation);

#endif
