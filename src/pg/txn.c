#include "gw/txn.h"

#include <stdlib.h>

void gw_txn_free(struct gw_txn *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_tables; i++)
        gw_relation_unref(t->tables[i].rel);
    for (const struct gw_txn_held *held = t->held; held; held = held->next)
        gw_relation_unref(held->rel);
    gw_arena_fini(&t->arena); /* last: tables and held live in it */
    free(t);
}

struct gw_txn_table *gw_txn_table_find(const struct gw_txn *t, uint32_t rel_oid)
{
    for (size_t i = 0; i < t->n_tables; i++)
        if (t->tables[i].rel->oid == rel_oid)
            return &t->tables[i];
    return NULL;
}

void gw_image_settle(struct gw_image *image)
{
    image->is_full = true;
    for (size_t i = 0; i < image->n; i++)
        if (image->cells[i].state == GW_CELL_ABSENT || image->cells[i].state == GW_CELL_UNCHANGED)
            image->is_full = false;
}
