/* types: what the catalog says of data types, as far as turning text into JSON needs it.
 *
 * An immutable set once built: shared by the wal thread and others through the catalog that holds
 * it. Built from pg_type and pg_attribute rows by gateway/catalog_load.c. Built-in scalar types
 * need not be added; unknown types are treated as text. */
#ifndef GW_TYPES_H
#define GW_TYPES_H

#include "gw/arena.h"
#include "gw/map.h"

enum gw_type_kind { GW_TYPE_BASE, GW_TYPE_ARRAY, GW_TYPE_COMPOSITE, GW_TYPE_DOMAIN, GW_TYPE_TEXT };
/* TEXT: enum, range, multirange, pseudo: their text form is a JSON string. */

struct gw_type_field {
    struct gw_span name;
    uint32_t type_oid;
};

struct gw_type {
    uint32_t oid;
    enum gw_type_kind kind;
    bool is_range; /* TEXT: a range or multirange, equal values of which may print differently */
    struct gw_span name;          /* pg_type.typname, e.g. "int8", "_text" */
    uint32_t inner_oid;           /* ARRAY: element, DOMAIN: base */
    char delimiter;               /* ARRAY: typdelim of the element, ',' nearly always (box ';') */
    uint16_t n_fields;            /* COMPOSITE: live attributes in attnum order */
    struct gw_type_field *fields; /* COMPOSITE */
};

struct gw_types {
    struct gw_arena arena; /* own use */
    struct gw_idmap by_oid;
};

void gw_types_init(struct gw_types *t); /* knows the built-in types already */
void gw_types_fini(struct gw_types *t);
/* Copies type with all it points to. A second type with the same oid replaces the first. */
void gw_types_add(struct gw_types *t, const struct gw_type *type);
/* Borrowed, or NULL if unknown. */
const struct gw_type *gw_types_find(const struct gw_types *t, uint32_t oid);

#endif
