/* state_change: what a change of the log says of a row of the access state, before and after it.
 * See state_internal.h.
 *
 * DESIGN. Columns are matched by name and type with the relation that the change was decoded with;
 * a column that is not there is UNKNOWN. What an image leaves out may still be proven by the
 * change: an unchanged TOAST value is the same on both sides, and an UPDATE without an old image
 * changed nothing of the replica identity. Where such a value is not in either image it is taken
 * from the row that is stored, if it is known there. Everything else is UNKNOWN. */
#include "state_internal.h"

struct gw_state_table *gw_state_table_of(const struct gw_state *s, uint32_t rel_oid)
{
    return gw_idmap_find(&s->by_oid, rel_oid);
}

/* ---- columns by name ---- */

static int32_t column_at(const struct gw_relation *rel, const struct gw_state_column *column)
{
    int at = gw_relation_column_find(rel, column->name);
    return at >= 0 && rel->columns[at].type_oid == column->type_oid ? at : -1;
}

static void map_update(struct gw_state_table *t, const struct gw_relation *rel)
{
    if (t->map.rel == rel)
        return;
    gw_relation_unref(t->map.rel);
    t->map.rel = gw_relation_ref(rel);
    for (uint32_t i = 0; i < t->def->n_columns; i++)
        t->map.at[i] = column_at(rel, &t->def->columns[i]);
}

/* ---- cells ---- */

/* The cell of image that stands for column, or NULL. */
static const struct gw_cell *cell_of(const struct gw_state_table *t, const struct gw_image *image,
                                     uint32_t column)
{
    int32_t at = t->map.at[column];
    return image && at >= 0 && at < image->n ? &image->cells[at] : NULL;
}

static bool is_known(const struct gw_cell *cell)
{
    return cell && (cell->state == GW_CELL_VALUE || cell->state == GW_CELL_NULL);
}

static bool is_unchanged(const struct gw_cell *cell)
{
    return cell && cell->state == GW_CELL_UNCHANGED;
}

static struct gw_datum datum_of(const struct gw_state_table *t, uint32_t column,
                                const struct gw_cell *cell)
{
    enum gw_kind kind = t->def->columns[column].kind;
    if (cell->state == GW_CELL_NULL)
        return gw_datum_null(kind);
    return gw_state_plain(kind, gw_datum_of(kind, cell->text));
}

static struct gw_datum stored_cell(const struct gw_state_table *t, const struct gw_state_row *row,
                                   uint32_t column)
{
    return row ? gw_state_row_cell(&t->layout, row, column) : gw_datum_unknown();
}

/* Whether the old value of column is the new one though no image says so. */
static bool is_proven_same(const struct gw_state_table *t, const struct gw_change *c,
                           uint32_t column)
{
    int32_t at = t->map.at[column];
    if (c->op != GW_OP_UPDATE || at < 0)
        return false;
    if (is_unchanged(cell_of(t, c->new_, column)))
        return true;
    return !c->old && c->rel->replica_identity != 'f' && c->rel->columns[at].is_key;
}

static struct gw_datum cell_before(const struct gw_state_table *t, const struct gw_change *c,
                                   const struct gw_state_row *stored, uint32_t column)
{
    const struct gw_cell *old = cell_of(t, c->old, column);
    const struct gw_cell *fresh = cell_of(t, c->new_, column);
    if (is_known(old))
        return datum_of(t, column, old);
    if (!is_proven_same(t, c, column))
        return gw_datum_unknown();
    return is_known(fresh) ? datum_of(t, column, fresh) : stored_cell(t, stored, column);
}

static struct gw_datum cell_after(const struct gw_state_table *t, const struct gw_change *c,
                                  const struct gw_state_row *stored, uint32_t column)
{
    const struct gw_cell *old = cell_of(t, c->old, column);
    const struct gw_cell *fresh = cell_of(t, c->new_, column);
    if (is_known(fresh))
        return datum_of(t, column, fresh);
    if (!is_unchanged(fresh))
        return gw_datum_unknown();
    return is_known(old) ? datum_of(t, column, old) : stored_cell(t, stored, column);
}

void gw_state_cells_before(struct gw_state_table *t, const struct gw_change *c,
                           const struct gw_state_row *stored, struct gw_datum *out)
{
    map_update(t, c->rel);
    for (uint32_t i = 0; i < t->def->n_columns; i++)
        out[i] = cell_before(t, c, stored, i);
}

void gw_state_cells_after(struct gw_state_table *t, const struct gw_change *c,
                          const struct gw_state_row *stored, struct gw_datum *out)
{
    map_update(t, c->rel);
    for (uint32_t i = 0; i < t->def->n_columns; i++)
        out[i] = cell_after(t, c, stored, i);
}

bool gw_state_is_followable(struct gw_state_table *t, const struct gw_change *c)
{
    if (c->op != GW_OP_INSERT) {
        gw_state_cells_before(t, c, NULL, t->cells);
        if (!gw_state_table_is_identified(t, t->cells))
            return false;
    }
    if (c->op == GW_OP_DELETE)
        return true;
    gw_state_cells_after(t, c, NULL, t->cells);
    return gw_state_table_is_identified(t, t->cells);
}
