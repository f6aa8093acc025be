/* formula_join: see formula_own.h. One list of arguments becomes one formula: nested lists of the
 * same op are laid out flat, constants absorbed, atoms of one fact merged, doubles dropped, and
 * arguments put in one order, so that what says the same looks the same. */
#include "formula_own.h"

#include <assert.h>
#include <stdlib.h>

struct items {
    uint32_t n;
    struct gw_formula **at; /* n references */
};

static void drop_all(struct items *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        gw_formula_unref(l->at[i]);
    l->n = 0;
}

/* ---- order ---- */

static int order(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_key_lists(const struct gw_formula *a, const struct gw_formula *b)
{
    if (a->keys == b->keys)
        return 0;
    for (uint32_t i = 0; i < a->n_keys; i++) {
        int c = gw_key_compare(&a->keys[i], &b->keys[i]);
        if (c)
            return c;
    }
    return 0;
}

int gw_formula_compare(const struct gw_formula *a, const struct gw_formula *b)
{
    if (a == b)
        return 0;
    int c = order(gw_formula_is_list(a), gw_formula_is_list(b)); /* atoms first */
    c = c ? c : order(a->fact, b->fact);
    c = c ? c : order(a->op, b->op);
    c = c ? c : order(a->n_keys, b->n_keys);
    c = c ? c : order(a->n_args, b->n_args);
    c = c ? c : order(a->hash, b->hash);
    c = c ? c : compare_key_lists(a, b);
    for (uint32_t i = 0; c == 0 && i < a->n_args; i++)
        c = gw_formula_compare(a->args[i], b->args[i]);
    return c;
}

static int compare_items(const void *a, const void *b)
{
    return gw_formula_compare(*(struct gw_formula *const *)a, *(struct gw_formula *const *)b);
}

static void sort_distinct(struct items *l)
{
    uint32_t kept = 0;
    if (l->n > 1)
        qsort(l->at, l->n, sizeof(struct gw_formula *), compare_items);
    for (uint32_t i = 0; i < l->n; i++)
        if (kept > 0 && gw_formula_compare(l->at[kept - 1], l->at[i]) == 0)
            gw_formula_unref(l->at[i]);
        else
            l->at[kept++] = l->at[i];
    l->n = kept;
}

/* ---- steps ---- */

static uint32_t count_flat(enum gw_formula_op op, struct gw_formula *const *items, uint32_t n)
{
    uint32_t flat = 0;
    for (uint32_t i = 0; i < n; i++)
        flat += items[i]->op == op ? items[i]->n_args : 1;
    return flat;
}

/* Arguments of arguments with the same op stand beside the others. Takes the references. */
static struct items flatten(enum gw_formula_op op, struct gw_formula **items, uint32_t n)
{
    struct items l = {.at = gw_alloc((count_flat(op, items, n) + 1) * sizeof *l.at)};
    for (uint32_t i = 0; i < n; i++) {
        struct gw_formula *f = items[i];
        if (f->op != op) {
            l.at[l.n++] = f;
            continue;
        }
        for (uint32_t j = 0; j < f->n_args; j++)
            l.at[l.n++] = gw_formula_ref(f->args[j]);
        gw_formula_unref(f);
    }
    return l;
}

/* Drops what changes nothing; true if one of them decides the whole. */
static bool absorb(struct items *l, enum gw_formula_op neutral, enum gw_formula_op decisive)
{
    uint32_t kept = 0;
    bool decided = false;
    for (uint32_t i = 0; i < l->n; i++) {
        decided |= l->at[i]->op == decisive;
        if (l->at[i]->op != neutral)
            l->at[kept++] = l->at[i];
    }
    l->n = kept;
    return decided;
}

static void complement(struct items *l, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        l->at[i] = gw_formula_not(l->at[i]);
}

/* The first n, sorted by fact, are atoms: merge those of each fact. Returns how many are left; the
 * lists behind them move up. */
static uint32_t merge_facts(struct items *l, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n;) {
        uint32_t end = i + 1;
        while (end < n && l->at[end]->fact == l->at[i]->fact)
            end++;
        uint32_t got = gw_formula_merge_atoms(&l->at[i], end - i);
        memmove(&l->at[kept], &l->at[i], got * sizeof(struct gw_formula *));
        kept += got;
        i = end;
    }
    memmove(&l->at[kept], &l->at[n], (l->n - n) * sizeof(struct gw_formula *));
    l->n -= n - kept;
    return kept;
}

static void merge(struct items *l, enum gw_formula_op op)
{
    uint32_t n = 0;
    while (n < l->n && !gw_formula_is_list(l->at[n]))
        n++;
    if (op == GW_FORMULA_AND)
        complement(l, n);
    n = merge_facts(l, n);
    if (op == GW_FORMULA_AND)
        complement(l, n);
}

/* One round; true if a constant among them decides the whole. */
static bool simplify(struct items *l, enum gw_formula_op op)
{
    bool is_and = op == GW_FORMULA_AND;
    enum gw_formula_op neutral = is_and ? GW_FORMULA_ALL : GW_FORMULA_NONE;
    enum gw_formula_op decisive = is_and ? GW_FORMULA_NONE : GW_FORMULA_ALL;
    if (absorb(l, neutral, decisive))
        return true;
    sort_distinct(l);
    merge(l, op);
    return absorb(l, neutral, decisive);
}

static struct gw_formula *give(enum gw_formula_op op, struct items *l, bool is_decided)
{
    bool is_and = op == GW_FORMULA_AND;
    if (is_decided) {
        drop_all(l);
        return is_and ? gw_formula_none() : gw_formula_all();
    }
    if (l->n == 0)
        return is_and ? gw_formula_all() : gw_formula_none();
    sort_distinct(l);
    return l->n == 1 ? l->at[0] : gw_formula_of_args(op, l->at, l->n);
}

struct gw_formula *gw_formula_join(enum gw_formula_op op, struct gw_formula **items, uint32_t n)
{
    struct items l = flatten(op, items, n);
    bool is_decided = simplify(&l, op);
    for (;;) {
        uint32_t left = is_decided ? l.n : gw_formula_factor(op, l.at, l.n);
        if (left == l.n)
            break;
        /* What was factored may be an atom, a constant or a list of op: once more, with fewer. */
        struct items again = flatten(op, l.at, left);
        free(l.at);
        l = again;
        is_decided = simplify(&l, op);
    }
    struct gw_formula *out = give(op, &l, is_decided);
    free(l.at);
    return out;
}
