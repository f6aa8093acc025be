/* change_json: the `data` of a postgres_changes message (reference §2.3): one change as one role's
 * view of the table shows it; and the payload of a scope event (PROTOCOL.md §7.2). Cells are JSON
 * already; they are only chosen and joined. */
#include "shard_internal.h"

#include "gw/json.h"

static const struct kind {
    const char *type;
    unsigned event;
} kinds[GW_TOLD_COUNT] = {
    [GW_TOLD_INSERT] = {"INSERT", GW_EVENT_INSERT},
    [GW_TOLD_UPDATE] = {"UPDATE", GW_EVENT_UPDATE},
    [GW_TOLD_UPDATE_KEY] = {"UPDATE", GW_EVENT_UPDATE},
    [GW_TOLD_UPDATE_OLD] = {"UPDATE", GW_EVENT_UPDATE},
    [GW_TOLD_DELETE] = {"DELETE", GW_EVENT_DELETE},
    [GW_TOLD_LEFT] = {"DELETE", GW_EVENT_DELETE},
};

const char *gw_told_type(enum gw_told told)
{
    return kinds[told].type;
}

unsigned gw_told_event(enum gw_told told)
{
    return kinds[told].event;
}

bool gw_told_is_scope(enum gw_told told)
{
    return told == GW_TOLD_SCOPE || told == GW_TOLD_SCOPE_TABLE;
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

/* The key of a row that left. Where the old image does not carry it all of the image is the next
 * best identity, and no secret: its reader saw it. */
static void add_left(struct gw_buf *out, const struct gw_commit_change *cc,
                     const struct gw_view *view)
{
    const struct gw_image *old = cc->change->old;
    const struct gw_colset *key = &cc->views->key;
    bool is_told_whole = !gw_colset_is_empty(key);
    for (unsigned i = 0; i < cc->change->rel->n_columns; i++)
        if (gw_colset_has(key, i) && (i >= old->n || !is_told(&old->cells[i])))
            is_told_whole = false;
    add_cells(out, cc, view, is_told_whole ? key : NULL, old);
}

static void add_old(struct gw_buf *out, const struct gw_commit_change *cc,
                    const struct gw_view *view, enum gw_told told)
{
    const struct gw_change *change = cc->change;
    const struct gw_colset *key = &cc->views->key;
    bool is_seen = told == GW_TOLD_UPDATE_OLD || told == GW_TOLD_DELETE;
    gw_buf_add_str(out, ",\"old_record\":");
    if (is_seen && change->old)
        add_cells(out, cc, view, NULL, change->old);
    else if (told == GW_TOLD_LEFT && change->old)
        add_left(out, cc, view);
    else if (told != GW_TOLD_UPDATE && change->new_ && is_key_kept(cc))
        add_cells(out, cc, view, key, change->new_);
    else
        add_cells(out, cc, view, NULL, NULL);
}

void gw_change_add_json(struct gw_buf *out, const struct gw_news *news, const struct gw_view *view,
                        enum gw_told told)
{
    const struct gw_commit_change *cc = news->change;
    const struct gw_relation *rel = cc->change->rel;
    gw_buf_add_str(out, "{\"schema\":");
    gw_json_add_string(out, rel->schema);
    gw_buf_add_str(out, ",\"table\":");
    gw_json_add_string(out, rel->name);
    gw_buf_add_str(out, ",\"type\":\"");
    gw_buf_add_str(out, gw_told_type(told));
    gw_buf_add_str(out, "\",\"commit_timestamp\":\"");
    gw_buf_add_str(out, news->commit_time);
    gw_buf_add_str(out, "\",\"columns\":");
    gw_buf_add_span(out, view->columns_json);
    if (gw_told_event(told) != GW_EVENT_DELETE) {
        gw_buf_add_str(out, ",\"record\":");
        add_cells(out, cc, view, NULL, cc->change->new_);
    }
    if (gw_told_event(told) != GW_EVENT_INSERT)
        add_old(out, cc, view, told);
    gw_buf_add_str(out, ",\"errors\":null}");
}

void gw_scope_add_json(struct gw_buf *out, const struct gw_news *news, enum gw_told told)
{
    const struct gw_commit_scope *scope = news->scope;
    gw_buf_add_str(out, "\"schema\":");
    gw_json_add_string(out, scope->schema);
    gw_buf_add_str(out, ",\"table\":");
    gw_json_add_string(out, scope->table);
    if (told == GW_TOLD_SCOPE) {
        gw_buf_add_str(out, ",\"column\":");
        gw_json_add_string(out, scope->column_name);
        gw_buf_add_str(out, ",\"value\":");
        gw_buf_add_span(out, scope->value_json);
    } else {
        gw_buf_add_str(out, ",\"column\":null,\"value\":null");
    }
    gw_buf_add_str(out, scope->gained ? ",\"access\":\"gained\"" : ",\"access\":\"lost\"");
    gw_buf_add_str(out, ",\"commit_timestamp\":\"");
    gw_buf_add_str(out, news->commit_time);
    gw_buf_add_byte(out, '"');
}
