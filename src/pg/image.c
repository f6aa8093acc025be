#include "image.h"

#include "gw/value.h"

#include <assert.h>

/* text → cell, both forms in the arena; false: past the cap. */
static bool value_make(const struct gw_image_maker *m, struct gw_span text, uint32_t type_oid,
                       struct gw_cell *out)
{
    out->state = GW_CELL_VALUE;
    out->text = gw_arena_copy(m->arena, text);
    if (!out->text.p)
        return false;
    gw_buf_reset(m->json);
    gw_value_add_json(m->json, m->types, type_oid, text);
    if (m->json->overflow)
        return false;
    struct gw_span json = gw_buf_span(m->json);
    /* Of numbers and jsonb the same bytes serve as both. */
    out->json = gw_span_eq(json, text) ? out->text : gw_arena_copy(m->arena, json);
    return out->json.p != NULL;
}

static bool cell_make(const struct gw_image_maker *m, const struct gw_field *datum,
                      uint32_t type_oid, struct gw_cell *out)
{
    switch (datum->kind) {
    case GW_FIELD_NULL:
        out->state = GW_CELL_NULL;
        out->json = GW_SPAN_LIT("null");
        return true;
    case GW_FIELD_UNCHANGED:
        out->state = GW_CELL_UNCHANGED;
        return true;
    case GW_FIELD_TEXT:
    case GW_FIELD_BINARY: /* the caller has refused it */
        break;
    }
    return value_make(m, datum->value, type_oid, out);
}

struct gw_image *gw_image_make(const struct gw_image_maker *m, const struct gw_relation *rel,
                               const struct gw_tuple *tuple, bool key_only)
{
    struct gw_image *image =
        gw_arena_alloc(m->arena, sizeof *image + tuple->n * sizeof image->cells[0]);
    if (!image)
        return NULL;
    image->n = tuple->n;
    for (size_t i = 0; i < tuple->n; i++) {
        if (key_only && !rel->columns[i].is_key)
            continue; /* zeroed memory is ABSENT */
        if (!cell_make(m, &tuple->datums[i], rel->columns[i].type_oid, &image->cells[i]))
            return NULL;
    }
    gw_image_settle(image);
    return image;
}

/* The cell of row that stands for column i of rel, or NULL. */
static const struct gw_cell *cell_for(struct gw_row row, const struct gw_relation *rel, size_t i)
{
    if (row.rel == rel)
        return &row.image->cells[i];
    int at = gw_relation_column_find(row.rel, rel->columns[i].name);
    if (at < 0 || row.rel->columns[at].type_oid != rel->columns[i].type_oid)
        return NULL;
    return &row.image->cells[at];
}

bool gw_image_agrees(struct gw_row a, struct gw_row b)
{
    for (size_t i = 0; i < a.image->n; i++) {
        const struct gw_cell *mine = &a.image->cells[i];
        const struct gw_cell *other = cell_for(b, a.rel, i);
        if (other && gw_cell_is_known(mine) && gw_cell_is_known(other) &&
            !gw_cell_is_equal(mine, other))
            return false;
    }
    return true;
}

void gw_image_fill(const struct gw_relation *rel, struct gw_image *image, struct gw_row from)
{
    if (image->is_full)
        return;
    for (size_t i = 0; i < image->n; i++) {
        if (image->cells[i].state != GW_CELL_UNCHANGED)
            continue;
        const struct gw_cell *value = cell_for(from, rel, i);
        if (value && value->state == GW_CELL_VALUE) /* what is out of line is never NULL */
            image->cells[i] = *value;
    }
    gw_image_settle(image);
}

struct gw_image *gw_image_project(struct gw_arena *arena, struct gw_row from,
                                  const struct gw_relation *to, bool key_only)
{
    struct gw_image *image =
        gw_arena_alloc(arena, sizeof *image + to->n_columns * sizeof image->cells[0]);
    assert(image);
    image->n = to->n_columns;
    for (size_t i = 0; i < image->n; i++) {
        const struct gw_cell *cell = cell_for(from, to, i);
        if (cell && (!key_only || to->columns[i].is_key))
            image->cells[i] = *cell;
    }
    gw_image_settle(image);
    return image;
}
