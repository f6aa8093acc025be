/* formula_sort: keys in their order. Sets have a handful of members mostly, a team has 100 000;
 * both are sorted anew whenever a row of theirs changes.
 *
 * DESIGN. Few keys: insertion. Many: values of one fact are spread evenly as a rule (uuids, hashes,
 * numbers in a row), so they are dealt into buckets by where they lie between the least and the
 * greatest; what falls into one bucket is sorted by itself, by comparison if it is much. */
#include "formula_own.h"

#include <stdlib.h>

#define FEW 24u
#define BUCKET_KEYS 4u /* as many as are wanted in a bucket, on average */
#define BUCKETS_MAX (1u << 17)

static inline bool is_before(const struct gw_key *a, const struct gw_key *b)
{
    return a->hi != b->hi ? a->hi < b->hi : a->lo < b->lo;
}

static int compare_keys(const void *a, const void *b)
{
    return gw_key_compare(a, b);
}

static void sort_few(struct gw_key *keys, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        struct gw_key key = keys[i];
        uint32_t at = i;
        for (; at > 0 && is_before(&key, &keys[at - 1]); at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

static bool are_in_order(const struct gw_key *keys, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (is_before(&keys[i], &keys[i - 1]))
            return false;
    return true;
}

/* How keys are dealt: by the one word that tells them apart, above the bits of shift. */
struct deal {
    bool by_hi;
    uint64_t least;
    unsigned shift;
    uint32_t n_buckets;
};

static uint64_t word_of(const struct deal *d, const struct gw_key *key)
{
    return d->by_hi ? key->hi : key->lo;
}

static uint32_t bucket_of(const struct deal *d, const struct gw_key *key)
{
    return (uint32_t)((word_of(d, key) - d->least) >> d->shift);
}

static struct deal deal_of(const struct gw_key *keys, uint32_t n)
{
    struct deal d = {0};
    uint64_t greatest = 0;
    for (uint32_t i = 1; i < n && !d.by_hi; i++)
        d.by_hi = keys[i].hi != keys[0].hi;
    d.least = UINT64_MAX;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t word = word_of(&d, &keys[i]);
        d.least = word < d.least ? word : d.least;
        greatest = word > greatest ? word : greatest;
    }
    while (d.shift < 63 && (greatest - d.least) >> d.shift >= BUCKETS_MAX)
        d.shift++;
    while (d.shift < 63 && (greatest - d.least) >> d.shift >= n / BUCKET_KEYS)
        d.shift++;
    d.n_buckets = (uint32_t)((greatest - d.least) >> d.shift) + 1;
    return d;
}

static void sort_many(struct gw_key *keys, uint32_t n)
{
    struct deal d = deal_of(keys, n);
    uint32_t *ends = gw_alloc((d.n_buckets + 1) * sizeof *ends);
    struct gw_key *dealt = gw_alloc(n * sizeof *dealt);
    for (uint32_t i = 0; i < n; i++)
        ends[bucket_of(&d, &keys[i]) + 1]++;
    for (uint32_t i = 0; i < d.n_buckets; i++)
        ends[i + 1] += ends[i];
    for (uint32_t i = 0; i < n; i++) /* ends[b] begins where b does, and ends where it ends */
        dealt[ends[bucket_of(&d, &keys[i])]++] = keys[i];
    for (uint32_t i = 0, start = 0; i < d.n_buckets; start = ends[i++]) {
        uint32_t in_it = ends[i] - start;
        if (in_it <= FEW)
            sort_few(&dealt[start], in_it);
        else
            qsort(&dealt[start], in_it, sizeof *dealt, compare_keys);
    }
    memcpy(keys, dealt, n * sizeof *keys);
    free(dealt);
    free(ends);
}

uint32_t gw_keys_sort(struct gw_key *keys, uint32_t n)
{
    uint32_t kept = 0;
    if (n <= FEW)
        sort_few(keys, n);
    else if (!are_in_order(keys, n))
        sort_many(keys, n);
    for (uint32_t i = 0; i < n; i++)
        if (kept == 0 || !gw_key_eq(keys[kept - 1], keys[i]))
            keys[kept++] = keys[i];
    return kept;
}
