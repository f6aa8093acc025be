/* change_json: the `data` of a postgres_changes message (reference §2.3): one change as one role's
 * view of the table shows it. Cells are JSON already; they are only chosen and joined. */
#include "shard_internal.h"

#include "gw/json.h"

static const char *type_of(enum gw_op op)
{
    switch (op) {
    case GW_OP_INSERT:
        return "INSERT";
    case GW_OP_UPDATE:
        return "UPDATE";
    case GW_OP_DELETE:
        return "DELETE";
    }
    return "";
}

/* Whether the log tells the value: a null or a value, not absent, not unchanged. */
static bool is_told(const struct gw_cell *cell)
{
    return cell->state == GW_CELL_NULL || cell->state == GW_CELL_VALUE;
}

/* The cells of image (NULL: none) that the view and, if given, `only` let through. */
static void add_cells(struct gw_buf *out, const struct gw_commit_change *cc,
                      const struct gw_view *view, const struct gw_colset *only,
                      const struct gw_image *image)
{
    const struct gw_relation *rel = cc->change->rel;
    unsigned n = image ? image->n : 0;
    bool is_first = true;
    gw_buf_add_byte(out, '{');
    for (unsigned i = 0; i < n && i < rel->n_columns; i++) {
        const struct gw_cell *cell = &image->cells[i];
        if (!is_told(cell) || !gw_colset_has(&view->columns, i) ||
            (only && !gw_colset_has(only, i)))
            continue;
        if (!is_first)
            gw_buf_add_byte(out, ',');
        is_first = false;
        gw_buf_add_span(out, rel->columns[i].json_key);
        if (cell->state == GW_CELL_NULL)
            gw_buf_add_str(out, "null");
        else
            gw_buf_add_span(out, cell->json);
    }
    gw_buf_add_byte(out, '}');
}

/* Without an old image no column of the replica identity has changed; of others nothing is known.
 */
static bool is_cell_kept(const struct gw_change *change, unsigned i)
{
    if (!change->old)
        return change->rel->columns[i].is_key;
    if (i >= change->old->n || i >= change->new_->n)
        return false;
    const struct gw_cell *was = &change->old->cells[i], *is = &change->new_->cells[i];
    return is_told(was) && was->state == is->state && gw_span_eq(was->text, is->text);
}

/* Whether an UPDATE left the key as it was. */
static bool is_key_kept(const struct gw_commit_change *cc)
{
    for (unsigned i = 0; i < cc->change->rel->n_columns; i++)
        if (gw_colset_has(&cc->views->key, i) && !is_cell_kept(cc->change, i))
            return false;
    return true;
}

static void add_old(struct gw_buf *out, const struct gw_commit_change *cc,
                    const struct gw_view *view, enum gw_old_view old)
{
    const struct gw_change *change = cc->change;
    const struct gw_colset *key = &cc->views->key;
    gw_buf_add_str(out, ",\"old_record\":");
    if (old == GW_OLD_VIEW_SEEN && change->old)
        add_cells(out, cc, view, NULL, change->old);
    else if (old != GW_OLD_VIEW_NONE && change->new_ && is_key_kept(cc))
        add_cells(out, cc, view, key, change->new_);
    else
        add_cells(out, cc, view, NULL, NULL);
}

void gw_change_add_json(struct gw_buf *out, const struct gw_commit_change *cc,
                        const struct gw_view *view, enum gw_old_view old, const char *commit_time)
{
    const struct gw_change *change = cc->change;
    gw_buf_add_str(out, "{\"schema\":");
    gw_json_add_string(out, change->rel->schema);
    gw_buf_add_str(out, ",\"table\":");
    gw_json_add_string(out, change->rel->name);
    gw_buf_add_str(out, ",\"type\":\"");
    gw_buf_add_str(out, type_of(change->op));
    gw_buf_add_str(out, "\",\"commit_timestamp\":\"");
    gw_buf_add_str(out, commit_time);
    gw_buf_add_str(out, "\",\"columns\":");
    gw_buf_add_span(out, view->columns_json);
    if (change->op != GW_OP_DELETE) {
        gw_buf_add_str(out, ",\"record\":");
        add_cells(out, cc, view, NULL, change->new_);
    }
    if (change->op != GW_OP_INSERT)
        add_old(out, cc, view, old);
    gw_buf_add_str(out, ",\"errors\":null}");
}
