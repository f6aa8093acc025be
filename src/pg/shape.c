#include "shape.h"

#include "image.h"

#include <stdlib.h>

static bool replica_identity(const struct gw_relation *rel, bool *is_key)
{
    bool any = false;
    for (size_t i = 0; i < rel->n_columns; i++) {
        is_key[i] = rel->columns[i].is_key;
        any = any || is_key[i];
    }
    return any && rel->replica_identity != 'f';
}

/* Whether old images carry every column marked. */
static bool is_carried(const struct gw_relation *rel, const bool *is_key)
{
    for (size_t i = 0; i < rel->n_columns; i++)
        if (is_key[i] && !rel->columns[i].is_key && rel->replica_identity != 'f')
            return false;
    return true;
}

static void key_set(struct gw_shape *shape, const bool *is_key)
{
    for (size_t i = 0; i < shape->rel->n_columns; i++)
        if (is_key[i])
            shape->key[shape->n_key++] = (uint16_t)i;
}

struct gw_shape *gw_shape_new(const struct gw_relation *rel, gw_txn_identity *identity, void *ctx)
{
    struct gw_shape *shape = gw_alloc(sizeof *shape + rel->n_columns * sizeof shape->key[0]);
    bool *is_key = gw_alloc((rel->n_columns + 1u) * sizeof *is_key);
    shape->rel = rel;
    bool has = identity ? identity(ctx, rel, is_key) : replica_identity(rel, is_key);
    if (has && !is_carried(rel, is_key))
        has = replica_identity(rel, is_key);
    if (has) {
        key_set(shape, is_key);
        shape->mode = shape->n_key ? GW_SHAPE_KEY : GW_SHAPE_NONE;
    } else if (rel->replica_identity == 'f' && rel->n_columns) {
        memset(is_key, true, rel->n_columns);
        key_set(shape, is_key);
        shape->mode = GW_SHAPE_WHOLE;
    }
    free(is_key);
    return shape;
}

bool gw_shape_key_is_known(const struct gw_shape *shape, const struct gw_image *image)
{
    if (shape->mode == GW_SHAPE_NONE || !image)
        return false;
    for (size_t i = 0; i < shape->n_key; i++) {
        const struct gw_cell *cell = &image->cells[shape->key[i]];
        bool is_null_key = cell->state == GW_CELL_NULL && shape->mode != GW_SHAPE_WHOLE;
        if (!gw_cell_is_known(cell) || is_null_key)
            return false;
    }
    return true;
}

static uint64_t cell_hash(uint64_t hash, const struct gw_cell *cell)
{
    return gw_hash_bytes(hash + (uint64_t)cell->state, cell->text);
}

uint64_t gw_shape_key_hash(uint64_t seed, const struct gw_shape *shape,
                           const struct gw_image *image)
{
    uint64_t hash = seed + shape->rel->oid;
    for (size_t i = 0; i < shape->n_key; i++)
        hash = cell_hash(hash, &image->cells[shape->key[i]]);
    return hash;
}

uint64_t gw_shape_image_hash(uint64_t seed, const struct gw_shape *shape,
                             const struct gw_image *image)
{
    uint64_t hash = seed + shape->rel->oid;
    for (size_t i = 0; i < image->n; i++)
        hash = cell_hash(hash, &image->cells[i]);
    return hash;
}

/* Whether keys of two relations can be compared: same table, same columns by name. */
static bool is_alike(const struct gw_shape *a, const struct gw_shape *b)
{
    if (a == b)
        return true;
    if (a->rel->oid != b->rel->oid || a->mode != b->mode || a->n_key != b->n_key)
        return false;
    for (size_t i = 0; i < a->n_key; i++)
        if (!gw_span_eq(a->rel->columns[a->key[i]].name, b->rel->columns[b->key[i]].name))
            return false;
    return true;
}

bool gw_shape_key_is_equal(const struct gw_shape *a_shape, const struct gw_image *a,
                           const struct gw_shape *b_shape, const struct gw_image *b)
{
    if (!is_alike(a_shape, b_shape))
        return false;
    for (size_t i = 0; i < a_shape->n_key; i++)
        if (!gw_cell_is_equal(&a->cells[a_shape->key[i]], &b->cells[b_shape->key[i]]))
            return false;
    return true;
}
