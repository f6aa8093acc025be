/* formula: see the header.
 *
 * DESIGN. AND is OR seen through NOT: the atoms of an AND are merged as if each were complemented,
 * and the merged ones complemented again. So the rules for atoms of one fact exist once, for OR
 * (see formula_merge.c). Sub-formulas of the opposite op are kept, each once. Depth is that of the
 * plan the formula was solved from, never of data: rows add width. So the recursions here are
 * bounded by the compiler's bound on plans. */
#include "formula_own.h"

#include <assert.h>
#include <stdlib.h>

/* Shared by all, never written and never freed. */
static const struct gw_formula all_callers = {.op = GW_FORMULA_ALL, .n_nodes = 1, .hash = 1};
static const struct gw_formula no_callers = {.op = GW_FORMULA_NONE, .n_nodes = 1, .hash = 2};

static bool is_constant(const struct gw_formula *f)
{
    return f->op <= GW_FORMULA_NONE;
}

/* ---- making ---- */

struct gw_formula *gw_formula_all(void)
{
    return (struct gw_formula *)&all_callers;
}

struct gw_formula *gw_formula_none(void)
{
    return (struct gw_formula *)&no_callers;
}

/* An atom with room for n_own keys behind it. */
static struct gw_formula *atom_new(enum gw_formula_op op, uint32_t fact, uint32_t n_own)
{
    struct gw_formula *f = gw_alloc(sizeof *f + n_own * sizeof *f->keys);
    f->refs = 1;
    f->op = op;
    f->fact = fact;
    f->n_nodes = 1;
    f->n_keys = n_own;
    f->keys = n_own ? (struct gw_key *)(f + 1) : NULL;
    f->hash = gw_formula_hash_mix(op, fact);
    return f;
}

static void atom_hash_keys(struct gw_formula *f)
{
    for (uint32_t i = 0; i < f->n_keys; i++)
        f->hash = gw_formula_hash_mix(f->hash, gw_key_hash(f->keys[i]));
}

struct gw_formula *gw_formula_of_sorted(uint32_t fact, bool is_set, const struct gw_key *keys,
                                        uint32_t n)
{
    if (n == 0)
        return gw_formula_none();
    struct gw_formula *f = atom_new(GW_FORMULA_IS, fact, n);
    f->is_set = is_set;
    memcpy((struct gw_key *)(f + 1), keys, n * sizeof *keys);
    atom_hash_keys(f);
    return f;
}

struct gw_formula *gw_formula_is(uint32_t fact, bool is_set, const struct gw_key *keys, uint32_t n)
{
    bool is_sorted = true;
    for (uint32_t i = 1; i < n && is_sorted; i++)
        is_sorted = gw_key_compare(&keys[i - 1], &keys[i]) < 0;
    if (is_sorted)
        return gw_formula_of_sorted(fact, is_set, keys, n);
    struct gw_key *sorted = gw_alloc(n * sizeof *sorted);
    memcpy(sorted, keys, n * sizeof *sorted);
    n = gw_keys_sort(sorted, n);
    struct gw_formula *f = gw_formula_of_sorted(fact, is_set, sorted, n);
    free(sorted);
    return f;
}

struct gw_formula *gw_formula_known(uint32_t fact)
{
    return atom_new(GW_FORMULA_KNOWN, fact, 0);
}

/* ---- sharing ---- */

struct gw_formula *gw_formula_ref(struct gw_formula *f)
{
    if (is_constant(f))
        return f;
    assert(f->refs > 0 && f->refs < UINT32_MAX);
    f->refs++;
    return f;
}

void gw_formula_unref(struct gw_formula *f)
{
    if (!f || is_constant(f))
        return;
    assert(f->refs > 0);
    if (--f->refs > 0)
        return;
    for (uint32_t i = 0; i < f->n_args; i++)
        gw_formula_unref(f->args[i]);
    gw_formula_unref(f->keys_of);
    free(f);
}

/* ---- complement ---- */

static struct gw_formula *atom_not(struct gw_formula *f)
{
    struct gw_formula *out;
    if (f->keys_of) { /* IS_NOT: of an IS that is still here */
        out = gw_formula_ref(f->keys_of);
        gw_formula_unref(f);
        return out;
    }
    bool has_keys = f->op == GW_FORMULA_IS;
    bool was_known = f->op == GW_FORMULA_KNOWN;
    out = atom_new(has_keys    ? GW_FORMULA_IS_NOT
                   : was_known ? GW_FORMULA_NOT_KNOWN
                               : GW_FORMULA_KNOWN,
                   f->fact, 0);
    if (!has_keys) {
        gw_formula_unref(f);
        return out;
    }
    out->is_set = f->is_set;
    out->n_keys = f->n_keys;
    out->keys = f->keys;
    out->hash = gw_formula_hash_mix(out->hash, f->hash);
    out->keys_of = f; /* the reference moves */
    return out;
}

struct gw_formula *gw_formula_not(struct gw_formula *a)
{
    if (is_constant(a))
        return a->op == GW_FORMULA_ALL ? gw_formula_none() : gw_formula_all();
    if (a->n_args == 0)
        return atom_not(a);
    struct gw_formula **items = gw_alloc(a->n_args * sizeof(struct gw_formula *));
    for (uint32_t i = 0; i < a->n_args; i++)
        items[i] = gw_formula_not(gw_formula_ref(a->args[i]));
    struct gw_formula *out =
        gw_formula_join(a->op == GW_FORMULA_AND ? GW_FORMULA_OR : GW_FORMULA_AND, items, a->n_args);
    free(items);
    gw_formula_unref(a);
    return out;
}

/* ---- joining ---- */

static struct gw_formula *join_two(enum gw_formula_op op, struct gw_formula *a,
                                   struct gw_formula *b)
{
    struct gw_formula *items[] = {a, b};
    return gw_formula_join(op, items, 2);
}

struct gw_formula *gw_formula_and(struct gw_formula *a, struct gw_formula *b)
{
    return join_two(GW_FORMULA_AND, a, b);
}

struct gw_formula *gw_formula_or(struct gw_formula *a, struct gw_formula *b)
{
    return join_two(GW_FORMULA_OR, a, b);
}

struct gw_formula *gw_formula_or_many(struct gw_formula **items, uint32_t n)
{
    return gw_formula_join(GW_FORMULA_OR, items, n);
}

struct gw_formula *gw_formula_of_args(enum gw_formula_op op, struct gw_formula **args, uint32_t n)
{
    struct gw_formula *f = gw_alloc(sizeof *f + n * sizeof(struct gw_formula *));
    uint64_t nodes = 1;
    f->refs = 1;
    f->op = op;
    f->n_args = n;
    f->args = (struct gw_formula **)(f + 1);
    f->hash = gw_formula_hash_mix(op, n);
    for (uint32_t i = 0; i < n; i++) {
        f->args[i] = args[i];
        f->hash = gw_formula_hash_mix(f->hash, args[i]->hash);
        nodes += args[i]->n_nodes;
    }
    f->n_nodes =
        nodes < UINT32_MAX ? (uint32_t)nodes : UINT32_MAX; /* shared parts count each time */
    return f;
}

/* ---- looking ---- */

bool gw_formula_is_all(const struct gw_formula *f)
{
    return f->op == GW_FORMULA_ALL;
}

bool gw_formula_is_none(const struct gw_formula *f)
{
    return f->op == GW_FORMULA_NONE;
}

size_t gw_formula_bytes(const struct gw_formula *f)
{
    size_t bytes = sizeof *f + f->n_args * sizeof(struct gw_formula *);
    if (f->keys_of)
        return bytes + gw_formula_bytes(f->keys_of);
    bytes += f->n_keys * sizeof *f->keys;
    for (uint32_t i = 0; i < f->n_args; i++)
        bytes += gw_formula_bytes(f->args[i]);
    return bytes;
}

/* ---- meeting a caller ---- */

/* What cannot be told of a caller admits nobody, on either side of a complement. */
enum answer { NO, UNSURE, YES };

static bool has_common_key(const struct gw_formula *f, const struct gw_fact *fact)
{
    for (uint32_t i = 0; i < fact->n; i++)
        if (gw_keys_have(f->keys, f->n_keys, &fact->keys[i]))
            return true;
    return false;
}

static enum answer admits_atom(const struct gw_formula *f, const struct gw_fact *fact)
{
    if (fact->state == GW_DATUM_UNKNOWN)
        return UNSURE;
    bool is_value = fact->state == GW_DATUM_VALUE;
    if (f->op == GW_FORMULA_KNOWN || f->op == GW_FORMULA_NOT_KNOWN)
        return (is_value && !fact->has_null) == (f->op == GW_FORMULA_KNOWN) ? YES : NO;
    return (is_value && has_common_key(f, fact)) == (f->op == GW_FORMULA_IS) ? YES : NO;
}

static enum answer admits(const struct gw_formula *f, const struct gw_fact *facts, uint32_t n_facts)
{
    if (is_constant(f))
        return f->op == GW_FORMULA_ALL ? YES : NO;
    if (f->n_args == 0)
        return f->fact < n_facts ? admits_atom(f, &facts[f->fact]) : UNSURE;
    bool is_and = f->op == GW_FORMULA_AND;
    enum answer decided = is_and ? NO : YES, out = is_and ? YES : NO;
    for (uint32_t i = 0; i < f->n_args && out != decided; i++) {
        enum answer one = admits(f->args[i], facts, n_facts);
        if (is_and ? one < out : one > out)
            out = one;
    }
    return out;
}

bool gw_formula_admits(const struct gw_formula *f, const struct gw_fact *facts, uint32_t n_facts)
{
    return admits(f, facts, n_facts) == YES;
}
