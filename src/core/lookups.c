/* lookups: whether a transaction changed what the policies of a table look up, in columns that count.
 *
 * Postgres can only be asked about now. So an asked answer about an old image holds only if the
 * transaction left the look-ups alone, and one about a new image only if no later transaction
 * that the answer contained has touched them. */
#include "judge_internal.h"

static bool is_cell_known_same(const struct gw_cell *a, const struct gw_cell *b)
{
    if (b->state == GW_CELL_UNCHANGED)
        return true;
    if (a->state == GW_CELL_NULL && b->state == GW_CELL_NULL)
        return true;
    return a->state == GW_CELL_VALUE && b->state == GW_CELL_VALUE && gw_span_eq(a->text, b->text);
}

static bool is_update_outside(const struct gw_change *change, const struct gw_lookup *lookup)
{
    if (change->op != GW_OP_UPDATE || lookup->all_columns || !change->old)
        return false;
    for (uint32_t i = 0; i < lookup->n_columns; i++) {
        int at = gw_relation_column_find(change->rel, lookup->columns[i]);
        if (at < 0 || !is_cell_known_same(&change->old->cells[at], &change->new_->cells[at]))
            return false;
    }
    return true;
}

static bool is_lookup_changed(const struct gw_txn *txn, const struct gw_lookup *lookup)
{
    const struct gw_txn_table *t = gw_txn_table_find(txn, lookup->rel_oid);
    if (!t)
        return false;
    if (t->access_unknown)
        return true;
    for (size_t i = 0; i < txn->n_changes; i++) {
        const struct gw_change *change = &txn->changes[i];
        if (change->rel->oid == lookup->rel_oid && !is_update_outside(change, lookup))
            return true;
    }
    return false;
}

bool gw_lookups_are_changed(const struct gw_txn *txn, const struct gw_depends *d)
{
    if (d->unknown)
        return true;
    for (uint32_t i = 0; i < d->n_lookups; i++)
        if (is_lookup_changed(txn, &d->lookups[i]))
            return true;
    return false;
}

/* ---- answers that later commits overtook ---- */

static bool is_answered(const struct gw_ask *ask)
{
    return ask->code == GW_OK || ask->code == GW_E_POLICY;
}

bool gw_case_has_lookups(const struct gw_case *c)
{
    for (uint32_t i = 0; i < c->n_asks; i++)
        if (is_answered(&c->asks[i]) && c->asks[i].access->depends.n_lookups > 0)
            return true;
    return false;
}

void gw_case_overtake(struct gw_case *c, const struct gw_txn *later)
{
    for (uint32_t i = 0; i < c->n_asks; i++) {
        const struct gw_depends *d = &c->asks[i].access->depends;
        for (uint32_t k = 0; k < d->n_lookups && is_answered(&c->asks[i]); k++)
            if (is_lookup_changed(later, &d->lookups[k]))
                c->asks[i].code = GW_E_RESYNC;
    }
}
