/* filter: the row filter of a postgres_changes binding, `column=eq.value`.
 *
 * Parsed from text, bound to a column and to the canonical text of its value (Postgres casts it at
 * join), then evaluated on row images in three-valued logic: NULL, absent and unknown never match. */
#ifndef GW_FILTER_H
#define GW_FILTER_H

#include "gw/txn.h"

struct gw_filter {
    char *column;      /* owned, NUL-terminated; NULL: no filter, everything matches */
    char *value;       /* owned: as written, unquoted; replaced by the canonical form when bound */
    uint32_t type_oid; /* of the column, set when bound */
};

/* text empty or blank: no filter. err carries the client-facing text of reference §2.6. */
GW_MUST_CHECK enum gw_code gw_filter_parse(struct gw_span text, struct gw_filter *out,
                                           struct gw_err *err);
void gw_filter_fini(struct gw_filter *f);
void gw_filter_copy(struct gw_filter *to, const struct gw_filter *from);
/* image may be NULL (no match unless there is no filter). */
bool gw_filter_matches(const struct gw_filter *f, const struct gw_types *types,
                       const struct gw_relation *rel, const struct gw_image *image);

#endif
