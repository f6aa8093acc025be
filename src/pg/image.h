/* image: making row images and comparing them; shared by the assembler and the fold, not public.
 *
 * An image means nothing without the relation it was decoded with. Where two relations meet (a
 * table altered inside a transaction), columns are matched by name and type. Images live in the
 * arena of their transaction. */
#ifndef GW_PG_IMAGE_H
#define GW_PG_IMAGE_H

#include "gw/txn.h"

/* Where images are made: memory, types, and a buffer for one value. All borrowed. */
struct gw_image_maker {
    struct gw_arena *arena;
    const struct gw_types *types;
    struct gw_buf *json;
};

/* The image of a tuple that has rel's number of columns and no binary value. key_only: pgoutput
 * sends NULL for what is outside the key; those columns become ABSENT. NULL: past the cap. */
struct gw_image *gw_image_make(const struct gw_image_maker *m, const struct gw_relation *rel,
                               const struct gw_tuple *tuple, bool key_only);

/* An image with its relation. */
struct gw_row {
    const struct gw_relation *rel;
    const struct gw_image *image;
};

/* Whether no column that both know differs. */
bool gw_image_agrees(struct gw_row a, struct gw_row b);
/* Give image (of rel) the values of from where its own cells are UNCHANGED. */
void gw_image_fill(const struct gw_relation *rel, struct gw_image *image, struct gw_row from);
/* A copy in the shape of another relation; key_only: without what is outside to's replica
 * identity. Columns that from does not have are ABSENT. The arena must have no cap. */
struct gw_image *gw_image_project(struct gw_arena *arena, struct gw_row from,
                                  const struct gw_relation *to, bool key_only);

static inline bool gw_cell_is_known(const struct gw_cell *c)
{
    return c->state == GW_CELL_NULL || c->state == GW_CELL_VALUE;
}
static inline bool gw_cell_is_equal(const struct gw_cell *a, const struct gw_cell *b)
{
    return a->state == b->state && gw_span_eq(a->text, b->text);
}

#endif
