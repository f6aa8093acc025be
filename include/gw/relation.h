/* relation: the shape of a table as the log announced it, immutable and shared.
 *
 * A Relation message makes a new gw_relation; transactions hold a reference to the version their
 * rows were decoded with. The count is atomic: relations travel with transactions between threads.
 */
#ifndef GW_RELATION_H
#define GW_RELATION_H

#include "gw/pgoutput.h"

#include <stdatomic.h>

#define GW_COLUMNS_MAX 1600 /* MaxHeapAttributeNumber */

struct gw_relation_column {
    struct gw_span name;
    struct gw_span json_key; /* "name": ready to be copied, escaped */
    uint32_t type_oid;
    int32_t typmod;
    bool is_key; /* in the replica identity */
};

struct gw_relation {
    _Atomic uint32_t refs; /* own use */
    uint32_t oid;
    struct gw_span schema, name;
    char replica_identity; /* d, n, f, i */
    uint16_t n_columns;
    struct gw_relation_column *columns; /* attnum order, without dropped and generated columns */
};

/* From a decoded Relation message (msg->kind must be RELATION). Owned, one reference. */
struct gw_relation *gw_relation_new(const struct gw_pgoutput_msg *msg);
struct gw_relation *gw_relation_ref(const struct gw_relation *r);
void gw_relation_unref(const struct gw_relation *r); /* accepts NULL */
/* Index of the column, or -1. */
int gw_relation_column_find(const struct gw_relation *r, struct gw_span name);
/* Same oid, names, types, key flags and identity. */
bool gw_relation_is_same(const struct gw_relation *a, const struct gw_relation *b);

#endif
