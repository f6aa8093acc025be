/* formula_merge: see formula_own.h. What OR makes of several atoms of one fact.
 *
 * A fact with one value at most: {IS P} ∪ {IS_NOT N} is IS_NOT of N without P; several IS_NOT meet
 * in what all their sets have in common; KNOWN holds every IS, and NOT_KNOWN is in every IS_NOT.
 * A fact with several values at once: only the IS melt into one; an IS_NOT whose values all stand
 * in P makes everybody. */
#include "formula_own.h"

#include <assert.h>
#include <stdlib.h>

/* ---- sorted keys ---- */

bool gw_keys_have(const struct gw_key *keys, uint32_t n, const struct gw_key *key)
{
    while (n > 0) {
        uint32_t half = n / 2;
        int c = gw_key_compare(key, &keys[half]);
        if (c == 0)
            return true;
        if (c > 0) {
            keys += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return false;
}

/* Of the n keys those that are (not) among others, to the front; returns how many. */
static uint32_t keep_keys(struct gw_key *keys, uint32_t n, const struct gw_formula *others,
                          bool when_there)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (gw_keys_have(others->keys, others->n_keys, &keys[i]) == when_there)
            keys[kept++] = keys[i];
    return kept;
}

static bool is_subset(const struct gw_formula *a, const struct gw_formula *b)
{
    uint32_t i = 0;
    while (i < a->n_keys && gw_keys_have(b->keys, b->n_keys, &a->keys[i]))
        i++;
    return i == a->n_keys;
}

/* ---- several of one kind ---- */

/* a and b, both sorted, into out; returns how many are distinct. */
static uint32_t unite_two(const struct gw_formula *a, const struct gw_formula *b,
                          struct gw_key *out)
{
    uint32_t i = 0, j = 0, n = 0;
    while (i < a->n_keys && j < b->n_keys) {
        int c = gw_key_compare(&a->keys[i], &b->keys[j]);
        out[n++] = c <= 0 ? a->keys[i] : b->keys[j];
        i += c <= 0;
        j += c >= 0;
    }
    for (; i < a->n_keys; i++)
        out[n++] = a->keys[i];
    for (; j < b->n_keys; j++)
        out[n++] = b->keys[j];
    return n;
}

static uint32_t unite_all(struct gw_formula *const *items, uint32_t n, struct gw_key *out)
{
    uint32_t at = 0;
    if (n == 2)
        return unite_two(items[0], items[1], out);
    for (uint32_t i = 0; i < n; i++) {
        memcpy(&out[at], items[i]->keys, items[i]->n_keys * sizeof *out);
        at += items[i]->n_keys;
    }
    return gw_keys_sort(out, at);
}

/* One IS for n of them. When one holds all the values it is shared, not copied. */
static struct gw_formula *unite(struct gw_formula **items, uint32_t n)
{
    size_t total = 0;
    struct gw_formula *largest = items[0];
    for (uint32_t i = 0; i < n; i++) {
        total += items[i]->n_keys;
        if (items[i]->n_keys > largest->n_keys)
            largest = items[i];
    }
    assert(total < UINT32_MAX); /* 64 GiB of keys */
    struct gw_formula *out;
    if (n == 1) {
        out = gw_formula_ref(largest);
    } else {
        struct gw_key *keys = gw_alloc(total * sizeof *keys);
        uint32_t distinct = unite_all(items, n, keys);
        out = distinct == largest->n_keys
                  ? gw_formula_ref(largest)
                  : gw_formula_of_sorted(items[0]->fact, items[0]->is_set, keys, distinct);
        free(keys);
    }
    for (uint32_t i = 0; i < n; i++)
        gw_formula_unref(items[i]);
    return out;
}

/* One formula for IS_NOTs of a fact with one value, and what must not be among their values (an IS,
 * or NULL). Takes the references of items and of is. */
static struct gw_formula *meet(struct gw_formula **items, uint32_t n, struct gw_formula *is)
{
    struct gw_formula *least = items[0];
    for (uint32_t i = 1; i < n; i++)
        if (items[i]->n_keys < least->n_keys)
            least = items[i];
    struct gw_key *keys = gw_alloc(least->n_keys * sizeof *keys);
    memcpy(keys, least->keys, least->n_keys * sizeof *keys);
    uint32_t left = least->n_keys;
    for (uint32_t i = 0; i < n; i++)
        if (items[i] != least)
            left = keep_keys(keys, left, items[i], true);
    if (is)
        left = keep_keys(keys, left, is, false);
    struct gw_formula *out =
        left == least->n_keys
            ? gw_formula_ref(least)
            : gw_formula_not(gw_formula_of_sorted(least->fact, false, keys, left));
    free(keys);
    gw_formula_unref(is);
    for (uint32_t i = 0; i < n; i++)
        gw_formula_unref(items[i]);
    return out;
}

/* ---- all kinds together ---- */

/* The atoms of one fact, sorted by kind in place: IS, IS_NOT, KNOWN, NOT_KNOWN. */
struct kinds {
    struct gw_formula **is, **is_not;
    uint32_t n_is, n_is_not;
    struct gw_formula *known, *not_known; /* a reference, or NULL */
};

static void take_one(struct gw_formula **slot, struct gw_formula *f)
{
    gw_formula_unref(*slot);
    *slot = f;
}

/* scratch: room for n. */
static struct kinds split(struct gw_formula **items, uint32_t n, struct gw_formula **scratch)
{
    struct kinds k = {.is = items, .is_not = scratch};
    for (uint32_t i = 0; i < n; i++) {
        struct gw_formula *f = items[i];
        if (f->op == GW_FORMULA_IS)
            k.is[k.n_is++] = f; /* never ahead of i */
        else if (f->op == GW_FORMULA_IS_NOT)
            k.is_not[k.n_is_not++] = f;
        else
            take_one(f->op == GW_FORMULA_KNOWN ? &k.known : &k.not_known, f);
    }
    return k;
}

static uint32_t give_all(const struct kinds *k, struct gw_formula **out, struct gw_formula *is)
{
    for (uint32_t i = 0; i < k->n_is_not; i++)
        gw_formula_unref(k->is_not[i]);
    gw_formula_unref(is);
    gw_formula_unref(k->known);
    gw_formula_unref(k->not_known);
    out[0] = gw_formula_all();
    return 1;
}

static bool is_everybody(const struct kinds *k, bool is_set, const struct gw_formula *is)
{
    if (k->known && (k->not_known || (k->n_is_not > 0 && !is_set)))
        return true;
    for (uint32_t i = 0; is && i < k->n_is_not; i++)
        if (is_subset(k->is_not[i], is))
            return true;
    return false;
}

/* One value at most: IS_NOT swallows all the others, KNOWN every IS. */
static uint32_t give_single(struct kinds *k, struct gw_formula **out, struct gw_formula *is)
{
    uint32_t n = 0;
    if (k->n_is_not > 0) {
        out[0] = meet(k->is_not, k->n_is_not, is);
        gw_formula_unref(k->not_known);
        return 1;
    }
    if (k->known) {
        gw_formula_unref(is);
        is = k->known;
    }
    if (is)
        out[n++] = is;
    if (k->not_known)
        out[n++] = k->not_known;
    return n;
}

static uint32_t give_set(const struct kinds *k, struct gw_formula **out, struct gw_formula *is)
{
    uint32_t n = 0;
    if (is)
        out[n++] = is;
    for (uint32_t i = 0; i < k->n_is_not; i++)
        out[n++] = k->is_not[i];
    if (k->known)
        out[n++] = k->known;
    if (k->not_known)
        out[n++] = k->not_known;
    return n;
}

uint32_t gw_formula_merge_atoms(struct gw_formula **items, uint32_t n)
{
    if (n == 1)
        return 1;
    bool is_set = false;
    for (uint32_t i = 0; i < n; i++)
        is_set |= items[i]->is_set;
    struct gw_formula **scratch = gw_alloc(n * sizeof *scratch);
    struct kinds k = split(items, n, scratch);
    struct gw_formula *is = k.n_is ? unite(k.is, k.n_is) : NULL;
    uint32_t out = is_everybody(&k, is_set, is) ? give_all(&k, items, is)
                   : is_set                     ? give_set(&k, items, is)
                                                : give_single(&k, items, is);
    free(scratch);
    return out;
}
