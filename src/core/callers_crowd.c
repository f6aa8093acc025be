/* callers_crowd: the connected ones of a large set, kept. See callers_own.h.
 *
 * DESIGN. "sub is one of these 100 000" comes again with every change of what the team sees, as the
 * same formula: the solver remembers it. Whoever of the connected is in it is found once, when it
 * is seen for the second time, and is kept up as callers come and go; so a change costs what its
 * readers cost, not what the set holds. A set that has changed is another formula. Bounds:
 * CROWDS_MAX of them and CROWD_KEYS_MAX values together; the one not used for longest goes first.
 */
#include "callers_own.h"

#include <stdlib.h>

#define CROWD_KEYS_MIN 128u /* smaller sets are looked up value by value */
#define CROWDS_MAX 64u
#define CROWD_KEYS_MAX 4000000u /* 64 MB of values held on to */

static int compare_keys(const void *a, const void *b)
{
    return gw_key_compare(a, b);
}

static bool is_in(const struct gw_formula *is, const struct gw_fact *f)
{
    for (uint32_t i = 0; f->state == GW_DATUM_VALUE && i < f->n; i++) {
        if (bsearch(&f->keys[i], is->keys, is->n_keys, sizeof *is->keys, compare_keys))
            return true;
    }
    return false;
}

void gw_callers_crowds_add(struct gw_callers *c, struct gw_callers_entry *e, uint32_t fact)
{
    GW_LIST_EACH(it, &c->crowds)
    {
        struct gw_callers_crowd *crowd = GW_CONTAINER_OF(it, struct gw_callers_crowd, node);
        if (crowd->is->fact == fact && is_in(crowd->is, &e->facts[fact]))
            gw_callers_posting_add(&crowd->members, e);
    }
}

void gw_callers_crowds_drop(struct gw_callers *c, struct gw_callers_entry *e, uint32_t fact)
{
    GW_LIST_EACH(it, &c->crowds)
    {
        struct gw_callers_crowd *crowd = GW_CONTAINER_OF(it, struct gw_callers_crowd, node);
        if (crowd->is->fact == fact && is_in(crowd->is, &e->facts[fact]))
            gw_callers_posting_drop(&crowd->members, e);
    }
}

static void crowd_free(struct gw_callers *c, struct gw_callers_crowd *crowd)
{
    while (crowd->members.n > 0)
        gw_callers_posting_drop(&crowd->members, crowd->members.slots[0].entry);
    c->n_crowds--;
    c->n_crowd_keys -= crowd->is->n_keys;
    gw_list_remove(&crowd->node);
    gw_formula_unref(crowd->is);
    free(crowd->members.slots);
    free(crowd);
}

void gw_callers_crowds_clear(struct gw_callers *c)
{
    while (!gw_list_is_empty(&c->crowds))
        crowd_free(c, GW_CONTAINER_OF(c->crowds.next, struct gw_callers_crowd, node));
}

/* Those that nobody else holds are answers of the past. */
static void make_room(struct gw_callers *c, uint32_t n_keys)
{
    GW_LIST_EACH_SAFE(it, tmp, &c->crowds)
    {
        struct gw_callers_crowd *crowd = GW_CONTAINER_OF(it, struct gw_callers_crowd, node);
        bool is_full = c->n_crowds >= CROWDS_MAX || c->n_crowd_keys + n_keys > CROWD_KEYS_MAX;
        if (is_full || crowd->is->refs == 1)
            crowd_free(c, crowd);
    }
}

/* Somebody may have several of the values, and is in it once. The marks are for that alone: the
 * search that is under way has seen nobody of them. */
static void gather_values(struct gw_callers *c, struct gw_callers_crowd *crowd)
{
    c->stamp++;
    for (uint32_t i = 0; i < crowd->is->n_keys; i++) {
        const struct gw_callers_posting *p =
            gw_callers_index_find(&c->index, crowd->is->fact, crowd->is->keys[i]);
        for (uint32_t k = 0; p && k < p->n; k++) {
            struct gw_callers_entry *e = p->slots[k].entry;
            if (e->stamp != c->stamp)
                gw_callers_posting_add(&crowd->members, e);
            e->stamp = c->stamp;
        }
    }
    c->stamp++;
}

static void gather(struct gw_callers *c, struct gw_callers_crowd *crowd)
{
    uint64_t id;
    void *entry;
    if (gw_callers_is_shorter(c, crowd->is)) {
        gather_values(c, crowd);
        return;
    }
    for (size_t at = 0; gw_idmap_each(&c->entries, &at, &id, &entry);)
        if (is_in(crowd->is, &((struct gw_callers_entry *)entry)->facts[crowd->is->fact]))
            gw_callers_posting_add(&crowd->members, entry);
}

static struct gw_callers_crowd *crowd_find(struct gw_callers *c, const struct gw_formula *is)
{
    GW_LIST_EACH(it, &c->crowds)
    {
        struct gw_callers_crowd *crowd = GW_CONTAINER_OF(it, struct gw_callers_crowd, node);
        if (crowd->is == is)
            return crowd;
    }
    return NULL;
}

/* Sets that are met in one search only are not worth a crowd. */
static bool is_seen_again(struct gw_callers *c, const struct gw_formula *is)
{
    struct gw_callers_seen *seen = &c->crowds_seen[((uintptr_t)is >> 5) % GW_CALLERS_CROWDS_SEEN];
    if (seen->is == is)
        return seen->find != c->n_finds;
    *seen = (struct gw_callers_seen){is, c->n_finds};
    return false;
}

const struct gw_callers_posting *gw_callers_crowd_of(struct gw_callers *c,
                                                     const struct gw_formula *is)
{
    if (is->n_keys < CROWD_KEYS_MIN || is->n_keys > CROWD_KEYS_MAX ||
        is->fact >= gw_callers_n_facts(c))
        return NULL;
    struct gw_callers_crowd *crowd = crowd_find(c, is);
    if (!crowd && !is_seen_again(c, is))
        return NULL;
    if (!crowd) {
        make_room(c, is->n_keys);
        crowd = gw_alloc(sizeof *crowd);
        gw_list_init(&crowd->node);
        crowd->is = gw_formula_ref((struct gw_formula *)(uintptr_t)is);
        c->n_crowds++;
        c->n_crowd_keys += is->n_keys;
        gather(c, crowd);
    }
    gw_list_remove(&crowd->node);
    gw_list_push(&c->crowds, &crowd->node);
    return &crowd->members;
}
