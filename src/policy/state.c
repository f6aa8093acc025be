/* state: the access state as a whole, and look-ups in it. See gw/state.h; state_internal.h says
 * what stands in which file. */
#include "state_internal.h"

#include <assert.h>
#include <stdlib.h>

struct gw_state *gw_state_new(size_t max_bytes)
{
    /* Long enough to be hashed under the process' own key, which nobody outside knows. */
    struct gw_datum seed = gw_datum_of(GW_KIND_TEXT, GW_SPAN_LIT("seed of the access state"));
    struct gw_state *s = gw_alloc(sizeof *s);
    *s = (struct gw_state){.max_bytes = max_bytes, .seed = seed.key, .batch = 1};
    gw_idmap_init(&s->by_oid);
    gw_list_init(&s->lru);
    gw_list_init(&s->firing);
    return s;
}

void gw_state_free(struct gw_state *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->n_tables; i++)
        gw_state_table_free(s->tables[i]);
    gw_state_detach(s);
    free(s->tables);
    gw_idmap_fini(&s->by_oid);
    gw_rules_unref(s->rules);
    free(s);
}

enum gw_state_mode gw_state_mode(const struct gw_state *s, uint32_t table)
{
    assert(table < s->n_tables);
    return s->tables[table]->mode;
}

/* ---- look-ups ---- */

struct gw_datum gw_state_cell(const struct gw_state *s, const struct gw_state_row *row,
                              uint32_t table, uint32_t column)
{
    assert(table < s->n_tables && column < s->tables[table]->def->n_columns);
    struct gw_datum d = gw_state_row_cell(&s->tables[table]->layout, row, column);
    if (d.kind == GW_KIND_OPAQUE)
        d.key = (struct gw_key){0, 0};
    return d;
}

/* Whether row, some of whose key is UNKNOWN, may be one of those looked for. */
static bool may_match(const struct gw_state_buckets *b, const struct gw_state_row *row,
                      const struct gw_datum *cells)
{
    for (uint32_t i = 0; i < b->n_columns; i++) {
        struct gw_datum d = gw_state_row_cell(&b->table->layout, row, b->columns[i]);
        if (d.state == GW_DATUM_VALUE && !gw_key_eq(d.key, cells[i].key))
            return false;
    }
    return true;
}

#define UNKNOWN_LOOK_MAX 64u /* rows; more of them, and every look-up is incomplete */

/* batch: that the key was read in; rows of later batches were not part of it. */
static bool is_unknown_in_the_way(const struct gw_state_buckets *b, const struct gw_datum *cells,
                                  uint32_t batch)
{
    uint32_t n = b->unknown ? b->unknown->n : 0;
    if (n > UNKNOWN_LOOK_MAX)
        return true;
    for (uint32_t i = 0; i < n; i++)
        if (b->unknown->rows[i]->batch <= batch && may_match(b, b->unknown->rows[i], cells))
            return true;
    return false;
}

static void hits_set(struct gw_state_hits *hits, struct gw_state_row *const *rows, uint32_t n)
{
    hits->n = n;
    hits->rows = (const struct gw_state_row *const *)rows;
}

static enum gw_code find_all(struct gw_state_table *t, struct gw_state_hits *hits)
{
    const struct gw_state_bucket *all = gw_state_table_all(t);
    if (all)
        hits_set(hits, all->rows, all->n);
    hits->is_incomplete = t->mode != GW_STATE_RESIDENT;
    return GW_OK;
}

static enum gw_code find_cached(struct gw_state_buckets *b, const struct gw_datum *keys,
                                struct gw_state_hits *hits)
{
    struct gw_state_key *k = gw_state_key_find(b, keys);
    hits->is_incomplete = true;
    if (!k || k->mode == GW_STATE_KEY_WATCHED) {
        b->table->state->misses++;
        return GW_E_AGAIN;
    }
    gw_state_key_use(k);
    if (k->mode == GW_STATE_KEY_LOADED)
        hits->is_incomplete = is_unknown_in_the_way(b, keys, k->batch);
    return GW_OK;
}

enum gw_code gw_state_find(struct gw_state *s, uint32_t table, int32_t index,
                           const struct gw_datum *keys, struct gw_state_hits *hits)
{
    assert(table < s->n_tables);
    struct gw_state_table *t = s->tables[table];
    assert(index < (int64_t)t->n_indexes);
    struct gw_state_buckets *b = index < 0 ? NULL : &t->indexes[index];
    enum gw_state_standing standing =
        b ? gw_state_standing(keys, b->n_columns) : GW_STATE_KEY_VALUE;
    *hits = (struct gw_state_hits){0};
    if (standing == GW_STATE_KEY_NULL)
        return GW_OK;
    hits->is_incomplete = true;
    if (t->mode == GW_STATE_UNLOADED || t->is_frozen || standing == GW_STATE_KEY_UNKNOWN)
        return GW_OK;
    if (!b)
        return find_all(t, hits);
    if (b->is_opaque)
        return GW_OK;
    uint32_t n;
    struct gw_state_row *const *rows = gw_state_buckets_find(b, keys, &n);
    hits_set(hits, rows, n);
    if (t->mode == GW_STATE_CACHED)
        return find_cached(b, keys, hits);
    hits->is_incomplete = is_unknown_in_the_way(b, keys, UINT32_MAX);
    return GW_OK;
}

const struct gw_state_row *gw_state_row_by_identity(const struct gw_state *s, uint32_t table,
                                                    const struct gw_datum *identity)
{
    assert(table < s->n_tables);
    const struct gw_state_table *t = s->tables[table];
    const struct gw_state_buckets *b = &t->identity;
    uint32_t n;
    if (t->is_frozen || t->every_column)
        return NULL;
    for (uint32_t i = 0; i < b->n_columns; i++) {
        if (identity[i].state != GW_DATUM_VALUE)
            return NULL;
        b->scratch[i] = gw_state_plain(t->def->columns[b->columns[i]].kind, identity[i]);
    }
    struct gw_state_row *const *rows = gw_state_buckets_find(b, b->scratch, &n);
    return n ? rows[0] : NULL;
}

/* ---- numbers ---- */

size_t gw_state_bytes(const struct gw_state *s)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < s->n_tables; i++)
        bytes += s->tables[i]->bytes;
    return bytes;
}

void gw_state_stats(const struct gw_state *s, struct gw_state_stats *out)
{
    *out = (struct gw_state_stats){.bytes = gw_state_bytes(s),
                                   .keys = s->n_keys,
                                   .watches = s->n_watches,
                                   .evictions = s->evictions,
                                   .misses = s->misses};
    for (uint32_t i = 0; i < s->n_tables; i++) {
        out->rows += s->tables[i]->n_rows;
        out->unknown_cells += s->tables[i]->unknown_cells;
    }
}

size_t gw_state_table_bytes(const struct gw_state *s, uint32_t table)
{
    assert(table < s->n_tables);
    return s->tables[table]->bytes;
}

bool gw_state_is_over(const struct gw_state *s)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < s->n_tables; i++)
        if (s->tables[i]->mode == GW_STATE_RESIDENT)
            bytes += s->tables[i]->bytes;
    return bytes > s->max_bytes;
}
