/* state_read: rows read from the database, and transactions of the log taken back from them. See
 * gw/state.h.
 *
 * DESIGN. A read shows the database ahead of the log. What it contained and the log has yet to
 * bring is taken back, newest first, each transaction in two rounds as in state_apply.c: all rows
 * it left behind are taken out, then all rows it met put in.
 *
 * RESIDENT. What cannot be taken back (TRUNCATE, dropped rows, a row that cannot be named) freezes
 * the table: its rows stay as that transaction left them, and are shown again when it is applied.
 *
 * CACHED. Rows and keys carry the batch of reads they came with. A row that was here before the
 * batch is exact as of the log's position already: the read's version of it is ignored, and nothing
 * is taken back from it. So only rows of the batch move. A row put back whose index columns are
 * UNKNOWN makes keys of its batch and later ones incomplete, not those loaded before: their rows
 * were all here. What cannot be taken back makes the batch's keys LOST: incomplete until a TRUNCATE
 * is applied, or the table unloaded. */
#include "state_internal.h"

#include <assert.h>
#include <stdlib.h>

static struct gw_state_table *table_at(struct gw_state *s, uint32_t table)
{
    assert(table < s->n_tables);
    return s->tables[table];
}

static void cells_plain(struct gw_state_table *t, const struct gw_datum *cells)
{
    for (uint32_t i = 0; i < t->def->n_columns; i++)
        t->cells[i] = gw_state_plain(t->def->columns[i].kind, cells[i]);
}

void gw_state_unload_table(struct gw_state_table *t)
{
    gw_state_touch_all(t);
    gw_state_table_clear(t);
    t->mode = GW_STATE_UNLOADED;
}

/* ---- whole tables ---- */

/* The row in t->cells, in place of one with its identity. */
static void row_put(struct gw_state_table *t, uint32_t batch)
{
    struct gw_state_row *there = t->every_column ? NULL : gw_state_table_find(t, t->cells);
    if (there) {
        gw_state_table_take(t, there);
        free(there);
    }
    gw_state_table_put(t, gw_state_row_new(&t->layout, t->cells, batch));
}

void gw_state_load(struct gw_state *s, uint32_t table, const struct gw_state_rows *rows)
{
    struct gw_state_table *t = table_at(s, table);
    gw_state_unload_table(t);
    t->mode = GW_STATE_RESIDENT;
    t->batch = s->batch;
    gw_state_buckets_reserve(&t->identity, rows->n);
    for (uint32_t i = 0; i < rows->n && t->mode == GW_STATE_RESIDENT; i++) {
        cells_plain(t, rows->cells + (size_t)i * t->def->n_columns);
        if (gw_state_table_is_identified(t, t->cells))
            row_put(t, s->batch);
        else
            gw_state_unload_table(t);
    }
    gw_state_evict(s);
    gw_state_fire(s);
}

void gw_state_load_cached(struct gw_state *s, uint32_t table)
{
    struct gw_state_table *t = table_at(s, table);
    gw_state_unload_table(t);
    t->mode = GW_STATE_CACHED;
    gw_state_fire(s);
}

void gw_state_unload(struct gw_state *s, uint32_t table)
{
    gw_state_unload_table(table_at(s, table));
    gw_state_fire(s);
}

void gw_state_settle(struct gw_state *s)
{
    s->batch++;
}

/* ---- keys ---- */

/* false: the row in t->cells does not belong to what was read. */
static bool row_put_read(struct gw_state_table *t)
{
    if (!t->every_column && gw_state_table_find(t, t->cells))
        return true; /* twice in one read */
    struct gw_state_row *row = gw_state_row_new(&t->layout, t->cells, t->batch);
    bool is_held = gw_state_table_holds(t, row);
    gw_state_touch(t, row);
    if (is_held)
        gw_state_table_put(t, row);
    else
        free(row);
    return is_held;
}

/* Put the rows that are not here. Whether a row is here is asked of all rows first: without
 * identity, equal rows count, and either all of them are here or none. false: some row cannot be
 * told apart, or does not belong. */
static bool rows_put_missing(struct gw_state_table *t, const struct gw_state_rows *rows)
{
    bool *is_here = gw_alloc(rows->n + 1u);
    bool is_sound = true;
    for (uint32_t i = 0; i < rows->n; i++) {
        cells_plain(t, rows->cells + (size_t)i * t->def->n_columns);
        is_here[i] = gw_state_table_find(t, t->cells) != NULL;
        is_sound = is_sound && gw_state_table_is_identified(t, t->cells);
    }
    for (uint32_t i = 0; i < rows->n && is_sound; i++) {
        cells_plain(t, rows->cells + (size_t)i * t->def->n_columns);
        is_sound = is_here[i] || row_put_read(t);
    }
    free(is_here);
    return is_sound;
}

void gw_state_load_key(struct gw_state *s, uint32_t table, uint32_t index,
                       const struct gw_datum *key, const struct gw_state_rows *rows)
{
    struct gw_state_table *t = table_at(s, table);
    assert(index < t->n_indexes);
    struct gw_state_buckets *b = &t->indexes[index];
    if (t->mode != GW_STATE_CACHED || b->is_opaque ||
        gw_state_standing(key, b->n_columns) != GW_STATE_KEY_VALUE)
        return;
    struct gw_state_key *k = gw_state_key_get(b, key);
    if (k->mode == GW_STATE_KEY_LOADED)
        return; /* exact already */
    t->batch = s->batch;
    gw_state_key_set_loaded(k, s->batch);
    if (!rows_put_missing(t, rows))
        gw_state_keys_lose(t, s->batch);
    gw_state_touch_key(k);
    gw_state_evict(s);
    gw_state_fire(s);
}

/* ---- taking back ---- */

struct undo {
    struct gw_state_table *table;
    const struct gw_change *change;
    struct gw_state_row *after; /* owned: what the transaction had left behind */
};

static bool is_unread(const struct gw_state *s, const struct gw_state_table *t)
{
    return t->mode != GW_STATE_UNLOADED && !t->is_frozen && t->batch == s->batch;
}

static bool is_movable(const struct gw_state_table *t, const struct gw_state_row *row)
{
    return t->mode == GW_STATE_RESIDENT || row->batch == t->batch;
}

/* txn cannot be taken back from t. */
static void table_stop(struct gw_state_table *t, const struct gw_txn *txn)
{
    gw_state_touch_all(t);
    if (t->mode == GW_STATE_CACHED) {
        gw_state_keys_lose(t, t->batch);
        gw_state_table_drop_batch(t, t->batch);
        t->batch = 0;
        return;
    }
    t->is_frozen = true;
    t->frozen_xid = txn->xid;
    t->frozen_lsn = txn->commit_lsn;
}

static bool tables_stop(struct gw_state *s, const struct gw_txn *txn)
{
    bool any = false;
    for (size_t i = 0; i < txn->n_tables; i++) {
        const struct gw_txn_table *what = &txn->tables[i];
        struct gw_state_table *t = gw_state_table_of(s, what->rel->oid);
        if (!t || !is_unread(s, t))
            continue;
        any = true;
        if (what->truncated || gw_state_is_overflowed(what))
            table_stop(t, txn);
    }
    return any;
}

static size_t undo_make(struct gw_state *s, const struct gw_txn *txn, struct undo *undo)
{
    size_t n = 0;
    for (size_t i = txn->n_changes; i-- > 0;) {
        const struct gw_change *c = &txn->changes[i];
        struct gw_state_table *t = gw_state_table_of(s, c->rel->oid);
        if (!t || !is_unread(s, t))
            continue;
        if (gw_state_is_followable(t, c))
            undo[n++] = (struct undo){.table = t, .change = c};
        else
            table_stop(t, txn);
    }
    return n;
}

static void undo_take(struct undo *u)
{
    struct gw_state_table *t = u->table;
    if (u->change->op == GW_OP_DELETE || t->batch != t->state->batch || t->is_frozen)
        return;
    gw_state_cells_after(t, u->change, NULL, t->cells);
    struct gw_state_row *row = gw_state_table_find(t, t->cells);
    if (!row || !is_movable(t, row))
        return;
    gw_state_touch(t, row);
    gw_state_table_take(t, row);
    u->after = row;
}

static void undo_put(struct undo *u)
{
    struct gw_state_table *t = u->table;
    if (u->change->op == GW_OP_INSERT || t->batch != t->state->batch || t->is_frozen)
        return;
    gw_state_cells_before(t, u->change, u->after, t->cells);
    struct gw_state_row *there = gw_state_table_find(t, t->cells);
    if (there && !is_movable(t, there))
        return;
    if (there && !t->every_column) {
        gw_state_table_take(t, there);
        free(there);
    }
    struct gw_state_row *row = gw_state_row_new(&t->layout, t->cells, t->batch);
    gw_state_touch(t, row);
    if (gw_state_table_holds(t, row))
        gw_state_table_put(t, row);
    else
        free(row);
}

void gw_state_unread(struct gw_state *s, const struct gw_txn *txn)
{
    if (!tables_stop(s, txn))
        return;
    struct undo *undo = gw_alloc((txn->n_changes + 1) * sizeof *undo);
    size_t n = undo_make(s, txn, undo);
    for (size_t i = 0; i < n; i++)
        undo_take(&undo[i]);
    for (size_t i = 0; i < n; i++)
        undo_put(&undo[i]);
    for (size_t i = 0; i < n; i++)
        free(undo[i].after);
    free(undo);
    gw_state_fire(s);
}
