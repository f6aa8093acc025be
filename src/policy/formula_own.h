/* formula_own: what formula*.c share. Joining is in formula_join.c, with its steps in
 * formula_merge.c (atoms of one fact) and formula_factor.c (lists that differ in one atom). Keys
 * are sorted (formula_sort.c) and without repetition everywhere. */
#ifndef GW_FORMULA_OWN_H
#define GW_FORMULA_OWN_H

#include "gw/facts.h"
#include "gw/formula.h"

static inline bool gw_formula_is_list(const struct gw_formula *f)
{
    return f->op == GW_FORMULA_AND || f->op == GW_FORMULA_OR;
}

static inline uint64_t gw_formula_hash_mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 31;
}

/* ---- formula.c ---- */

/* keys sorted and distinct; copied. n 0: none. */
struct gw_formula *gw_formula_of_sorted(uint32_t fact, bool is_set, const struct gw_key *keys,
                                        uint32_t n);
/* As given; takes the references, not the array. */
struct gw_formula *gw_formula_of_args(enum gw_formula_op op, struct gw_formula **args, uint32_t n);

/* ---- formula_join.c ---- */

/* op of n formulas, simplified. Takes the references, not the array; the array is scratch after. */
struct gw_formula *gw_formula_join(enum gw_formula_op op, struct gw_formula **items, uint32_t n);
/* A total order of what formulas say; 0: they say the same. */
int gw_formula_compare(const struct gw_formula *a, const struct gw_formula *b);

/* ---- formula_factor.c ---- */

/* items: n references, joined by op. Those that differ in one atom become one, in place; returns
 * how many are left. */
uint32_t gw_formula_factor(enum gw_formula_op op, struct gw_formula **items, uint32_t n);

/* ---- formula_sort.c ---- */

/* In place; returns how many are distinct. */
uint32_t gw_keys_sort(struct gw_key *keys, uint32_t n);

/* ---- formula_merge.c ---- */

bool gw_keys_have(const struct gw_key *keys, uint32_t n, const struct gw_key *key);

/* OR of n ≥ 1 atoms of one fact, no two of them the same pointer. Takes the references; writes up
 * to n formulas (atoms, or one ALL) to the front of items and returns how many. */
uint32_t gw_formula_merge_atoms(struct gw_formula **items, uint32_t n);

#endif
