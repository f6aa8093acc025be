/* state_apply: a transaction of the log, put in place. See gw/state.h.
 *
 * DESIGN. Whole tables first: what was truncated is emptied, what lost rows is unloaded. Then the
 * changes, in two rounds: all old rows are taken out, then all new ones put in. So rows may change
 * places (a swap of keys), whatever the order of the changes: after the fold there is one change
 * per row, and no row is both put in and taken out. Watches are called and rows reported when all
 * are in place; old rows are kept until then, for rows are never altered, only replaced.
 *
 * A change whose images do not say which row it is (an identity outside the replica identity, a
 * column renamed) cannot be followed: the table is unloaded, or its keys are, rather than wrong. */
#include "state_internal.h"

#include <stdlib.h>

struct step {
    struct gw_state_table *table;
    const struct gw_change *change;
    struct gw_state_row *old;   /* owned */
    struct gw_state_row *fresh; /* owned unless is_put */
    struct gw_state_row
        *replaced; /* owned: had the identity of fresh though it was not taken out */
    bool was_here; /* old was in the table; else it is made of the old image */
    bool is_put;
    bool is_same; /* nothing of the access state changed, for sure */
};

struct steps {
    struct gw_state *s;
    size_t n;
    struct step *items;
    bool wants_rows; /* somebody listens: rows that are not kept are made too */
};

/* ---- whole tables ---- */

static bool is_frozen_by(const struct gw_state_table *t, const struct gw_txn *txn)
{
    return t->frozen_xid == txn->xid && t->frozen_lsn.v == txn->commit_lsn.v;
}

/* A frozen table has waited for one transaction; what its rows are now is what it left behind. */
static void table_thaw(struct gw_state_table *t, const struct gw_txn *txn)
{
    bool is_past = txn->commit_lsn.v > t->frozen_lsn.v;
    if (is_frozen_by(t, txn)) {
        t->is_frozen = false;
        gw_state_touch_all(t);
    } else if (is_past) {
        gw_state_unload_table(t); /* it never came: nothing can be said */
    }
}

static void table_truncate(struct gw_state_table *t)
{
    gw_state_table_empty(t);
    gw_state_keys_regain(t); /* no row is left that could be missing */
    gw_state_touch_all(t);
}

static void table_apply(struct gw_state_table *t, const struct gw_txn *txn,
                        const struct gw_txn_table *what)
{
    if (t->mode == GW_STATE_UNLOADED)
        return;
    if (t->is_frozen) {
        table_thaw(t, txn);
        t->is_skipped = true;
    } else if (gw_state_is_overflowed(what)) {
        gw_state_unload_table(t);
    } else if (what->truncated) {
        table_truncate(t);
    }
}

/* Whether txn has anything to do with the access state. */
static bool tables_apply(struct gw_state *s, const struct gw_txn *txn)
{
    bool any = false;
    for (size_t i = 0; i < txn->n_tables; i++) {
        struct gw_state_table *t = gw_state_table_of(s, txn->tables[i].rel->oid);
        if (!t)
            continue;
        table_apply(t, txn, &txn->tables[i]);
        any = true;
    }
    return any;
}

static void tables_release(struct gw_state *s)
{
    for (uint32_t i = 0; i < s->n_tables; i++)
        s->tables[i]->is_skipped = false;
}

/* ---- steps ---- */

static bool is_followed(const struct gw_state_table *t)
{
    return t->mode != GW_STATE_UNLOADED && !t->is_skipped;
}

static void table_lose(struct gw_state_table *t)
{
    bool is_cached = t->mode == GW_STATE_CACHED;
    gw_state_unload_table(t);
    if (is_cached)
        t->mode = GW_STATE_CACHED; /* keys can be read again */
}

static void steps_make(struct steps *steps, const struct gw_txn *txn)
{
    steps->items = gw_alloc((txn->n_changes + 1) * sizeof *steps->items);
    for (size_t i = 0; i < txn->n_changes; i++) {
        const struct gw_change *c = &txn->changes[i];
        struct gw_state_table *t = gw_state_table_of(steps->s, c->rel->oid);
        if (!t || (!is_followed(t) && !steps->wants_rows))
            continue;
        if (is_followed(t) && !gw_state_is_followable(t, c))
            table_lose(t);
        steps->items[steps->n++] = (struct step){.table = t, .change = c};
    }
}

static void step_take(struct step *step, bool wants_rows)
{
    struct gw_state_table *t = step->table;
    if (step->change->op == GW_OP_INSERT)
        return;
    gw_state_cells_before(t, step->change, NULL, t->cells);
    if (is_followed(t))
        step->old = gw_state_table_find(t, t->cells);
    if (step->old) {
        gw_state_table_take(t, step->old);
        step->was_here = true;
    } else if (wants_rows) {
        step->old = gw_state_row_new(&t->layout, t->cells, 0);
    }
}

/* The table is to hold fresh: what is in its place goes. t->cells are those of fresh. */
static void step_put_row(struct step *step)
{
    struct gw_state_table *t = step->table;
    step->replaced = t->every_column ? NULL : gw_state_table_find(t, t->cells);
    if (step->replaced) {
        gw_state_table_take(t, step->replaced);
        gw_state_touch(t, step->replaced);
    }
    gw_state_table_put(t, step->fresh);
    step->is_put = true;
}

static void step_put(struct step *step, bool wants_rows)
{
    struct gw_state_table *t = step->table;
    bool was_here = step->was_here;
    if (step->change->op != GW_OP_DELETE && (is_followed(t) || wants_rows)) {
        gw_state_cells_after(t, step->change, was_here ? step->old : NULL, t->cells);
        /* Batch 0 even if old had another: where it is UNKNOWN it may now belong to any key. */
        step->fresh = gw_state_row_new(&t->layout, t->cells, 0);
    }
    if (step->fresh && is_followed(t) && gw_state_table_holds(t, step->fresh))
        step_put_row(step);
    step->is_same = step->was_here && step->fresh &&
                    !gw_state_row_unknown(&t->layout, step->fresh) &&
                    gw_state_row_is_equal(&t->layout, step->old, step->fresh);
    if (step->is_same && step->is_put)
        return;
    if (step->old)
        gw_state_touch(t, step->old);
    if (step->fresh)
        gw_state_touch(t, step->fresh);
}

static void steps_report(struct steps *steps, gw_state_on_row *on_row, void *ctx)
{
    for (size_t i = 0; i < steps->n; i++) {
        const struct step *step = &steps->items[i];
        if (!step->is_same)
            on_row(ctx, step->table->number, step->old ? step->old : step->replaced, step->fresh);
    }
}

static void steps_free(struct steps *steps)
{
    for (size_t i = 0; i < steps->n; i++) {
        free(steps->items[i].old);
        free(steps->items[i].replaced);
        if (!steps->items[i].is_put)
            free(steps->items[i].fresh);
    }
    free(steps->items);
}

void gw_state_apply(struct gw_state *s, const struct gw_txn *txn, gw_state_on_row *on_row,
                    void *ctx)
{
    struct steps steps = {.s = s, .wants_rows = on_row != NULL};
    if (!tables_apply(s, txn))
        return;
    steps_make(&steps, txn);
    for (size_t i = 0; i < steps.n; i++)
        step_take(&steps.items[i], steps.wants_rows);
    for (size_t i = 0; i < steps.n; i++)
        step_put(&steps.items[i], steps.wants_rows);
    tables_release(s);
    gw_state_fire(s);
    if (on_row)
        steps_report(&steps, on_row, ctx);
    gw_state_evict(s);
    gw_state_fire(s);
    steps_free(&steps);
}
