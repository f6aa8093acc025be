/* shape: what identifies a row of one relation, and keys made of it; private to the fold. */
#ifndef GW_PG_SHAPE_H
#define GW_PG_SHAPE_H

#include "gw/txn.h"

enum gw_shape_mode {
    GW_SHAPE_NONE,  /* nothing identifies a row */
    GW_SHAPE_KEY,   /* some columns, none of them NULL */
    GW_SHAPE_WHOLE, /* all columns */
};

struct gw_shape {
    const struct gw_relation *rel; /* borrowed */
    enum gw_shape_mode mode;
    size_t truncate_at; /* the fold's: changes below this index are gone */
    size_t n_key;
    uint16_t key[]; /* columns */
};

/* identity as in gw_txn_fold. Returns owned (free()). */
struct gw_shape *gw_shape_new(const struct gw_relation *rel, gw_txn_identity *identity, void *ctx);

/* Whether image (may be NULL) has a value in all key columns; NULLs count in WHOLE mode only. */
bool gw_shape_key_is_known(const struct gw_shape *shape, const struct gw_image *image);
/* Equal keys have equal hashes, also of relations of one table whose key columns are the same. */
uint64_t gw_shape_key_hash(uint64_t seed, const struct gw_shape *shape,
                           const struct gw_image *image);
/* Of all columns of a full image. */
uint64_t gw_shape_image_hash(uint64_t seed, const struct gw_shape *shape,
                             const struct gw_image *image);
/* Same table, same key columns by name, same text in each. */
bool gw_shape_key_is_equal(const struct gw_shape *a_shape, const struct gw_image *a,
                           const struct gw_shape *b_shape, const struct gw_image *b);

#endif
