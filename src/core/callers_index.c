/* callers_index: from (fact, value) to those who have it. See callers_own.h.
 *
 * DESIGN. Linear probing; removal moves back what follows. One byte of each slot's hash stands in
 * an array of its own: most values of a formula belong to nobody who is connected, and to see that,
 * a byte is read that is likely in the cache, however many callers there are. */
#include "callers_own.h"

#include <stdlib.h>

#define SLOTS_MIN 16u

/* Seeded: a claim's value may be chosen by whoever it is about. */
static uint64_t hash_of(const struct gw_callers_index *ix, uint32_t fact, struct gw_key value)
{
    const uint64_t key[3] = {value.hi, value.lo, fact};
    return gw_hash_bytes(ix->seed, (struct gw_span){(const char *)key, sizeof key});
}

static unsigned char tag_of(uint64_t hash)
{
    unsigned char tag = (unsigned char)(hash >> 56);
    return tag ? tag : 1; /* 0: free */
}

static bool is_it(const struct gw_callers_posting *p, uint64_t hash, uint32_t fact,
                  struct gw_key value)
{
    return p->hash == hash && p->fact == fact && gw_key_eq(p->value, value);
}

/* Its slot, or the free one where it would stand. */
static uint32_t slot_of(const struct gw_callers_index *ix, uint64_t hash, uint32_t fact,
                        struct gw_key value)
{
    uint32_t mask = ix->cap - 1, i = (uint32_t)hash & mask;
    unsigned char tag = tag_of(hash);
    while (ix->tags[i] && (ix->tags[i] != tag || !is_it(ix->postings[i], hash, fact, value)))
        i = (i + 1) & mask;
    return i;
}

struct gw_callers_posting *gw_callers_index_find(const struct gw_callers_index *ix, uint32_t fact,
                                                 struct gw_key value)
{
    if (ix->count == 0)
        return NULL;
    uint32_t i = slot_of(ix, hash_of(ix, fact, value), fact, value);
    return ix->tags[i] ? ix->postings[i] : NULL;
}

static void place(struct gw_callers_index *ix, struct gw_callers_posting *p)
{
    uint32_t i = slot_of(ix, p->hash, p->fact, p->value);
    ix->tags[i] = tag_of(p->hash);
    ix->postings[i] = p;
}

static void grow(struct gw_callers_index *ix)
{
    struct gw_callers_index old = *ix;
    ix->cap = old.cap ? old.cap * 2 : SLOTS_MIN;
    ix->tags = gw_alloc(ix->cap);
    ix->postings = gw_alloc(ix->cap * sizeof(struct gw_callers_posting *));
    for (uint32_t i = 0; i < old.cap; i++)
        if (old.tags[i])
            place(ix, old.postings[i]);
    free(old.tags);
    free(old.postings);
}

struct gw_callers_posting *gw_callers_index_get(struct gw_callers_index *ix, uint32_t fact,
                                                struct gw_key value)
{
    struct gw_callers_posting *p = gw_callers_index_find(ix, fact, value);
    if (p)
        return p;
    if ((ix->count + 1) * 2 > ix->cap)
        grow(ix);
    p = gw_alloc(sizeof *p);
    *p =
        (struct gw_callers_posting){.fact = fact, .value = value, .hash = hash_of(ix, fact, value)};
    place(ix, p);
    ix->count++;
    return p;
}

void gw_callers_index_drop(struct gw_callers_index *ix, struct gw_callers_posting *p)
{
    uint32_t mask = ix->cap - 1, i = slot_of(ix, p->hash, p->fact, p->value);
    ix->tags[i] = 0;
    ix->count--;
    for (uint32_t j = (i + 1) & mask; ix->tags[j]; j = (j + 1) & mask) {
        uint32_t home = (uint32_t)ix->postings[j]->hash & mask;
        if (((j - home) & mask) < ((j - i) & mask))
            continue; /* its home lies behind the gap */
        ix->tags[i] = ix->tags[j];
        ix->postings[i] = ix->postings[j];
        ix->tags[j] = 0;
        i = j;
    }
    free(p->slots);
    free(p);
}

void gw_callers_index_clear(struct gw_callers_index *ix)
{
    for (uint32_t i = 0; i < ix->cap; i++) {
        if (!ix->tags[i])
            continue;
        free(ix->postings[i]->slots);
        free(ix->postings[i]);
    }
    free(ix->tags);
    free(ix->postings);
    *ix = (struct gw_callers_index){.seed = ix->seed};
}
