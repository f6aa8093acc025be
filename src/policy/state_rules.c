/* state_rules: new definitions for the access state. See gw_state_set_rules.
 *
 * DESIGN. A table whose definition is the same is taken over as it is. One that needs no more than
 * what is known (columns by name, kind and text, the same identity) is built anew from its rows:
 * their layout and all indexes may differ. Keys of a CACHED table follow where the new definition
 * has an index over the same columns; rows that no key holds any more are dropped. */
#include "state_internal.h"

#include <stdlib.h>

/* ---- comparing definitions ---- */

static bool column_is_same(const struct gw_state_column *a, const struct gw_state_column *b)
{
    return gw_span_eq(a->name, b->name) && a->attnum == b->attnum && a->type_oid == b->type_oid &&
           a->kind == b->kind;
}

static bool numbers_are_same(const uint32_t *a, uint32_t n_a, const uint32_t *b, uint32_t n_b)
{
    return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof *a) == 0);
}

static bool def_is_same(const struct gw_state_table_def *a, const struct gw_state_table_def *b)
{
    if (a->n_columns != b->n_columns || a->n_indexes != b->n_indexes)
        return false;
    for (uint32_t i = 0; i < a->n_columns; i++)
        if (!column_is_same(&a->columns[i], &b->columns[i]) ||
            a->columns[i].needs_text != b->columns[i].needs_text)
            return false;
    for (uint32_t i = 0; i < a->n_indexes; i++)
        if (!numbers_are_same(a->indexes[i].columns, a->indexes[i].n, b->indexes[i].columns,
                              b->indexes[i].n))
            return false;
    return numbers_are_same(a->identity, a->n_identity, b->identity, b->n_identity);
}

/* The column of def that is wanted, or -1. */
static int32_t column_find(const struct gw_state_table_def *def,
                           const struct gw_state_column *wanted)
{
    for (uint32_t i = 0; i < def->n_columns; i++)
        if (column_is_same(&def->columns[i], wanted))
            return def->columns[i].needs_text || !wanted->needs_text ? (int32_t)i : -1;
    return -1;
}

static bool numbers_have(const uint32_t *numbers, uint32_t n, uint32_t wanted)
{
    for (uint32_t i = 0; i < n; i++)
        if (numbers[i] == wanted)
            return true;
    return false;
}

/* from: per column of def, the column of old. */
static bool identity_is_same(const struct gw_state_table_def *old,
                             const struct gw_state_table_def *def, const int32_t *from)
{
    if (old->n_identity != def->n_identity)
        return false;
    if (def->n_identity == 0)
        return old->n_columns == def->n_columns;
    for (uint32_t i = 0; i < def->n_identity; i++)
        if (!numbers_have(old->identity, old->n_identity, (uint32_t)from[def->identity[i]]))
            return false;
    return true;
}

/* Whether rows of old have all that def wants; fills from. */
static bool def_covers(const struct gw_state_table_def *old, const struct gw_state_table_def *def,
                       int32_t *from)
{
    for (uint32_t i = 0; i < def->n_columns; i++) {
        from[i] = column_find(old, &def->columns[i]);
        if (from[i] < 0)
            return false;
    }
    return identity_is_same(old, def, from);
}

/* ---- building a table anew ---- */

static void rows_copy(struct gw_state_table *t, const struct gw_state_table *old,
                      const int32_t *from)
{
    uint32_t slot = 0, i = 0;
    const struct gw_state_row *row;
    while ((row = gw_state_buckets_next(&old->identity, &slot, &i))) {
        for (uint32_t c = 0; c < t->def->n_columns; c++)
            t->cells[c] = gw_state_row_cell(&old->layout, row, (uint32_t)from[c]);
        gw_state_table_put(t, gw_state_row_new(&t->layout, t->cells, row->batch));
    }
}

/* Where the column of old that from says stands in an index of old, or NOWHERE. */
static uint32_t place_of(const struct gw_state_buckets *old, int32_t column)
{
    for (uint32_t i = 0; i < old->n_columns; i++)
        if (old->columns[i] == (uint32_t)column)
            return i;
    return GW_STATE_NOWHERE;
}

/* The key k of an old index under index b, if that is over the same columns. */
static void key_copy(struct gw_state_buckets *b, const struct gw_state_key *k, const int32_t *from)
{
    struct gw_datum cells[GW_RULES_INDEX_COLUMNS_MAX];
    if (b->n_columns != k->index->n_columns)
        return;
    for (uint32_t i = 0; i < b->n_columns; i++) {
        uint32_t place = place_of(k->index, from[b->columns[i]]);
        if (place == GW_STATE_NOWHERE)
            return;
        cells[i] = (struct gw_datum){.state = GW_DATUM_VALUE, .key = k->cells[place]};
    }
    struct gw_state_key *copy = gw_state_key_get(b, cells);
    gw_state_key_set_loaded(copy, k->batch);
    if (k->mode == GW_STATE_KEY_LOST)
        gw_state_key_set_lost(copy);
}

/* What is copied lands behind all others in the list, so the walk ends at what was last before. */
static void keys_copy(struct gw_state_table *t, const struct gw_state_table *old,
                      const int32_t *from)
{
    struct gw_list *lru = &t->state->lru;
    struct gw_list *last = lru->prev;
    for (struct gw_list *it = lru->next; it != lru; it = it->next) {
        const struct gw_state_key *k = GW_CONTAINER_OF(it, struct gw_state_key, lru);
        for (uint32_t i = 0; i < t->n_indexes && k->index->table == old; i++)
            key_copy(&t->indexes[i], k, from);
        if (it == last)
            return;
    }
}

static void table_rebuild(struct gw_state_table *t, const struct gw_state_table *old,
                          const int32_t *from)
{
    t->mode = old->mode;
    t->batch = old->batch;
    t->is_frozen = old->is_frozen;
    t->frozen_xid = old->frozen_xid;
    t->frozen_lsn = old->frozen_lsn;
    rows_copy(t, old, from);
    if (t->mode != GW_STATE_CACHED)
        return;
    keys_copy(t, old, from);
    gw_state_table_drop_loose(t);
}

/* ---- all tables ---- */

static struct gw_state_table *table_take_over(struct gw_state_table *t, uint32_t number,
                                              const struct gw_state_table_def *def)
{
    t->number = number;
    t->def = def;
    t->identity.columns = t->every_column ? t->every_column : def->identity;
    for (uint32_t i = 0; i < t->n_indexes; i++)
        t->indexes[i].columns = def->indexes[i].columns;
    gw_state_touch_all(t);
    return t;
}

/* The table for def; *old, if any, is used up or left to be freed. */
static struct gw_state_table *table_make(struct gw_state *s, uint32_t number,
                                         const struct gw_state_table_def *def,
                                         struct gw_state_table **old)
{
    struct gw_state_table *was = *old;
    if (was && def_is_same(was->def, def)) {
        *old = NULL;
        return table_take_over(was, number, def);
    }
    struct gw_state_table *t = gw_state_table_new(s, number, def);
    int32_t *from = gw_alloc((def->n_columns + 1u) * sizeof *from);
    if (was && was->mode != GW_STATE_UNLOADED && def_covers(was->def, def, from))
        table_rebuild(t, was, from);
    free(from);
    return t;
}

static struct gw_state_table **old_find(struct gw_state_table **tables, uint32_t n, uint32_t oid)
{
    for (uint32_t i = 0; i < n; i++)
        if (tables[i] && tables[i]->def->oid == oid)
            return &tables[i];
    return NULL;
}

void gw_state_set_rules(struct gw_state *s, const struct gw_rules *rules)
{
    struct gw_state_table **old = s->tables, *none = NULL;
    uint32_t n_old = s->n_tables;
    const struct gw_rules *old_rules = s->rules;
    s->rules = gw_rules_ref(rules);
    s->n_tables = rules->n_tables;
    s->tables = gw_alloc((rules->n_tables + 1u) * sizeof(struct gw_state_table *));
    gw_idmap_fini(&s->by_oid);
    for (uint32_t i = 0; i < s->n_tables; i++) {
        const struct gw_state_table_def *def = &rules->tables[i];
        struct gw_state_table **was = old_find(old, n_old, def->oid);
        s->tables[i] = table_make(s, i, def, was ? was : &none);
        gw_idmap_put(&s->by_oid, def->oid, s->tables[i]);
    }
    for (uint32_t i = 0; i < n_old; i++)
        gw_state_table_free(old[i]);
    free(old);
    gw_rules_unref(old_rules);
    gw_state_fire(s);
}
