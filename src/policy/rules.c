/* rules: compiled policies by table and role; see gw/expr.h. Printing: rules_print.c. */
#include "rules_own.h"

#include <assert.h>
#include <stdlib.h>

struct plan_key {
    uint32_t rel_oid;
    uint16_t role_id;
    uint16_t is_write;
};

static struct gw_span key_span(const struct plan_key *key)
{
    return (struct gw_span){(const char *)key, sizeof *key};
}

struct gw_rules *gw_rules_new(void)
{
    struct gw_rules *r = gw_alloc(sizeof *r);
    atomic_init(&r->refs, 1);
    gw_arena_init(&r->arena, 0);
    gw_map_init(&r->by_key, 0);
    return r;
}

void gw_rules_index(struct gw_rules *r)
{
    for (uint32_t i = 0; i < r->n_plans; i++) {
        struct gw_plan *plan = &r->plans[i];
        struct plan_key key = {plan->rel_oid, plan->role_id, plan->is_write};
        gw_map_put(&r->by_key, key_span(&key), plan);
    }
}

struct gw_rules *gw_rules_ref(const struct gw_rules *r)
{
    struct gw_rules *shared = (struct gw_rules *)r; /* only the count changes */
    atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
    return shared;
}

void gw_rules_unref(const struct gw_rules *r)
{
    struct gw_rules *shared = (struct gw_rules *)r;
    if (!r)
        return;
    uint32_t before = atomic_fetch_sub_explicit(&shared->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1)
        return;
    gw_map_fini(&shared->by_key);
    gw_arena_fini(&shared->arena);
    free(shared);
}

const struct gw_plan *gw_rules_plan(const struct gw_rules *r, uint32_t rel_oid, unsigned role_id,
                                    bool is_write)
{
    struct plan_key key = {rel_oid, (uint16_t)role_id, is_write};
    return r ? gw_map_find(&r->by_key, key_span(&key)) : NULL;
}

int gw_rules_table_find(const struct gw_rules *r, uint32_t oid)
{
    for (uint32_t i = 0; i < r->n_tables; i++)
        if (r->tables[i].oid == oid)
            return (int)i;
    return -1;
}
