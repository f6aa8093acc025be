/* state_table: the rows of one table, their identity and their indexes. See state_internal.h. */
#include "state_internal.h"

#include <assert.h>
#include <stdlib.h>

/* ---- rows in and out ---- */

static void account(struct gw_state_table *t, const struct gw_state_row *row, bool is_in)
{
    size_t bytes = gw_state_cost(gw_state_row_bytes(&t->layout, row));
    uint32_t unknown = gw_state_row_unknown(&t->layout, row);
    t->bytes = is_in ? t->bytes + bytes : t->bytes - bytes;
    t->n_rows = is_in ? t->n_rows + 1 : t->n_rows - 1;
    t->unknown_cells = is_in ? t->unknown_cells + unknown : t->unknown_cells - unknown;
}

void gw_state_table_put(struct gw_state_table *t, struct gw_state_row *row)
{
    gw_state_buckets_add(&t->identity, row);
    for (uint32_t i = 0; i < t->n_indexes; i++)
        gw_state_buckets_add(&t->indexes[i], row);
    if (t->has_all)
        gw_state_bucket_add(t, &t->all, 0, row);
    account(t, row, true);
}

void gw_state_table_take(struct gw_state_table *t, struct gw_state_row *row)
{
    gw_state_buckets_remove(&t->identity, row);
    for (uint32_t i = 0; i < t->n_indexes; i++)
        gw_state_buckets_remove(&t->indexes[i], row);
    if (t->has_all)
        gw_state_bucket_remove(t, &t->all, 0, row);
    account(t, row, false);
}

struct gw_state_row *gw_state_table_find(const struct gw_state_table *t,
                                         const struct gw_datum *cells)
{
    uint32_t n;
    for (uint32_t i = 0; i < t->identity.n_columns; i++)
        t->identity.scratch[i] = cells[t->identity.columns[i]];
    struct gw_state_row *const *rows = gw_state_buckets_find(&t->identity, t->identity.scratch, &n);
    return n ? rows[n - 1] : NULL;
}

bool gw_state_table_is_identified(const struct gw_state_table *t, const struct gw_datum *cells)
{
    for (uint32_t i = 0; i < t->identity.n_columns; i++) {
        enum gw_datum_state state = cells[t->identity.columns[i]].state;
        if (state == GW_DATUM_UNKNOWN || (state == GW_DATUM_NULL && !t->every_column))
            return false;
    }
    return true;
}

struct gw_state_bucket *gw_state_table_all(struct gw_state_table *t)
{
    uint32_t slot = 0, i = 0;
    if (t->has_all)
        return t->all;
    t->has_all = true;
    struct gw_state_row *row;
    while ((row = gw_state_buckets_next(&t->identity, &slot, &i)))
        gw_state_bucket_add(t, &t->all, 0, row);
    return t->all;
}

/* ---- emptying ---- */

void gw_state_table_empty(struct gw_state_table *t)
{
    uint32_t slot = 0, i = 0;
    struct gw_state_row *row;
    while ((row = gw_state_buckets_next(&t->identity, &slot, &i))) {
        account(t, row, false);
        free(row);
    }
    gw_state_buckets_empty(&t->identity);
    for (uint32_t k = 0; k < t->n_indexes; k++)
        gw_state_buckets_empty(&t->indexes[k]);
    gw_state_bucket_free(t, &t->all);
}

void gw_state_table_clear(struct gw_state_table *t)
{
    gw_state_table_empty(t);
    gw_state_keys_unload(t);
    t->is_frozen = false;
    t->batch = 0;
}

static bool index_holds(const struct gw_state_buckets *b, const struct gw_state_row *row)
{
    if (b->n_loaded == 0)
        return false;
    enum gw_state_standing standing = gw_state_buckets_key(b, row);
    if (standing != GW_STATE_KEY_VALUE)
        return standing == GW_STATE_KEY_UNKNOWN;
    const struct gw_state_key *key = gw_state_key_find(b, b->scratch);
    return key && key->mode == GW_STATE_KEY_LOADED;
}

bool gw_state_table_holds(const struct gw_state_table *t, const struct gw_state_row *row)
{
    if (t->mode != GW_STATE_CACHED)
        return t->mode == GW_STATE_RESIDENT;
    for (uint32_t i = 0; i < t->n_indexes; i++)
        if (index_holds(&t->indexes[i], row))
            return true;
    return false;
}

/* Rows chosen first and dropped then: taking a row moves others within what is iterated. */
static void drop(struct gw_state_table *t, bool is_loose, uint32_t batch)
{
    struct gw_state_row **rows = gw_alloc((t->n_rows + 1) * sizeof *rows);
    uint32_t slot = 0, i = 0;
    size_t n = 0;
    struct gw_state_row *row;
    while ((row = gw_state_buckets_next(&t->identity, &slot, &i)))
        if (is_loose ? !gw_state_table_holds(t, row) : row->batch == batch)
            rows[n++] = row;
    for (size_t k = 0; k < n; k++) {
        gw_state_touch(t, rows[k]);
        gw_state_table_take(t, rows[k]);
        free(rows[k]);
    }
    free(rows);
}

void gw_state_table_drop_loose(struct gw_state_table *t)
{
    drop(t, true, 0);
}

void gw_state_table_drop_batch(struct gw_state_table *t, uint32_t batch)
{
    drop(t, false, batch);
}

/* ---- the whole ---- */

static void identity_init(struct gw_state_table *t, uint32_t position)
{
    const struct gw_state_table_def *def = t->def;
    if (def->n_identity == 0) {
        t->every_column = gw_alloc((def->n_columns + 1u) * sizeof *t->every_column);
        for (uint32_t i = 0; i < def->n_columns; i++)
            t->every_column[i] = i;
    }
    gw_state_buckets_init(&t->identity, t, t->every_column ? t->every_column : def->identity,
                          t->every_column ? def->n_columns : def->n_identity);
    t->identity.is_identity = true;
    t->identity.position = t->every_column ? position : GW_STATE_NOWHERE;
}

struct gw_state_table *gw_state_table_new(struct gw_state *s, uint32_t number,
                                          const struct gw_state_table_def *def)
{
    struct gw_state_table *t = gw_alloc(sizeof *t);
    *t = (struct gw_state_table){.state = s, .number = number, .def = def};
    t->n_indexes = def->n_indexes;
    t->indexes = gw_alloc((def->n_indexes + 1u) * sizeof *t->indexes);
    for (uint32_t i = 0; i < def->n_indexes; i++) {
        gw_state_buckets_init(&t->indexes[i], t, def->indexes[i].columns, def->indexes[i].n);
        t->indexes[i].position = i + 1;
    }
    identity_init(t, def->n_indexes + 1);
    gw_state_layout_init(&t->layout, def, def->n_indexes + 1 + (t->every_column ? 1 : 0));
    t->map.at = gw_alloc((def->n_columns + 1u) * sizeof *t->map.at);
    t->cells = gw_alloc((def->n_columns + 1u) * sizeof *t->cells);
    gw_list_init(&t->watches);
    return t;
}

void gw_state_table_free(struct gw_state_table *t)
{
    if (!t)
        return;
    gw_state_touch_all(t);
    gw_state_table_clear(t);
    gw_state_buckets_fini(&t->identity);
    for (uint32_t i = 0; i < t->n_indexes; i++)
        gw_state_buckets_fini(&t->indexes[i]);
    assert(t->bytes == 0 && t->n_rows == 0);
    gw_state_layout_fini(&t->layout);
    gw_relation_unref(t->map.rel);
    free(t->map.at);
    free(t->every_column);
    free(t->indexes);
    free(t->cells);
    free(t);
}
