/* map: hash map from bytes, or from a 64-bit id, to a pointer.
 *
 * Open addressing, seeded hash (keys may be chosen by a hostile peer). Keys of gw_map are copied
 * and owned by the map; values are borrowed. gw_idmap keys are any uint64_t. Not thread-safe.
 * Bounds are the caller's. */
#ifndef GW_MAP_H
#define GW_MAP_H

#include "gw/bytes.h"

struct gw_map_slot;
struct gw_map {
    struct gw_map_slot *slots; /* own use */
    size_t count, cap, tombs;  /* count: live entries */
    uint64_t seed;
};

void gw_map_init(struct gw_map *m, uint64_t seed);
void gw_map_fini(struct gw_map *m); /* values are not freed */
void *gw_map_find(const struct gw_map *m, struct gw_span key); /* borrowed or NULL */
void *gw_map_put(struct gw_map *m, struct gw_span key, void *value); /* returns the replaced value */
void *gw_map_take(struct gw_map *m, struct gw_span key); /* removes; returns the value or NULL */
/* Iterate: *at starts at 0; false at the end. Not valid across put/take. */
bool gw_map_each(const struct gw_map *m, size_t *at, struct gw_span *key, void **value);

struct gw_idmap_slot;
struct gw_idmap {
    struct gw_idmap_slot *slots; /* own use */
    size_t count, cap, tombs;
};

void gw_idmap_init(struct gw_idmap *m);
void gw_idmap_fini(struct gw_idmap *m);
void *gw_idmap_find(const struct gw_idmap *m, uint64_t key);
void *gw_idmap_put(struct gw_idmap *m, uint64_t key, void *value);
void *gw_idmap_take(struct gw_idmap *m, uint64_t key);
bool gw_idmap_each(const struct gw_idmap *m, size_t *at, uint64_t *key, void **value);

uint64_t gw_hash_bytes(uint64_t seed, struct gw_span s);

#endif
