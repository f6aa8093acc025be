/* formula: a set of callers, written as a condition on their facts.
 *
 *     formula = all | none | fact is one of a set of values | fact is known (not null)
 *             | and of formulas | or of formulas | not an atom
 *
 * This is the audience before it meets the connections: it names no caller, so its size and the time
 * to make it do not depend on who is connected. In the usual cases it is one clause ("sub is the
 * owner or one of the members"); OR of AND of atoms is the general one. Immutable, shared by count
 * (hub thread only). Sets are sorted and shared too: a team of 100 000 is one pointer. Bounds: nodes
 * per formula, GW_FORMULA_NODES_MAX; past it the solver answers E_TOO_BIG and the change is denied. */
#ifndef GW_FORMULA_H
#define GW_FORMULA_H

#include "gw/datum.h"

#define GW_FORMULA_NODES_MAX 4096

enum gw_formula_op {
    GW_FORMULA_ALL,
    GW_FORMULA_NONE,
    GW_FORMULA_IS,     /* fact has a value in keys */
    GW_FORMULA_IS_NOT, /* complement of IS: other values, null, error */
    GW_FORMULA_KNOWN,     /* fact is a value (a set: is not null and has no NULL inside) */
    GW_FORMULA_NOT_KNOWN, /* complement */
    GW_FORMULA_AND,
    GW_FORMULA_OR,
};

struct gw_formula {
    uint32_t refs; /* own use */
    enum gw_formula_op op;
    uint32_t fact;
    bool is_set;                 /* IS, IS_NOT: the fact may have several values at once */
    uint32_t n_nodes;            /* in the whole tree */
    uint32_t n_keys;             /* IS, IS_NOT; sorted by gw_key_compare, distinct */
    const struct gw_key *keys;   /* in this allocation, or in keys_of's */
    struct gw_formula *keys_of;  /* own use: IS_NOT: the IS whose keys these are, a reference */
    uint64_t hash;               /* own use: of what it says, not of where it lies */
    uint32_t n_args;             /* AND, OR: at least 2, none of them ALL, NONE or the same op */
    struct gw_formula **args;    /* each a reference */
};

struct gw_formula *gw_formula_all(void);  /* each returns one reference, owned by the caller */
struct gw_formula *gw_formula_none(void);
/* Copies and sorts keys; none: gw_formula_none. */
struct gw_formula *gw_formula_is(uint32_t fact, bool is_set, const struct gw_key *keys, uint32_t n);
struct gw_formula *gw_formula_known(uint32_t fact);
/* Take their arguments' references. They simplify: all/none absorb, nested AND/OR flatten, IS of one
 * fact under OR merge into one set, under AND intersect when the fact is no set. Past
 * GW_FORMULA_NODES_MAX nodes they still work; the solver looks at n_nodes. */
struct gw_formula *gw_formula_and(struct gw_formula *a, struct gw_formula *b);
struct gw_formula *gw_formula_or(struct gw_formula *a, struct gw_formula *b);
struct gw_formula *gw_formula_not(struct gw_formula *a);
/* OR of n formulas at once (references taken): linear in the keys, unlike repeated gw_formula_or. */
struct gw_formula *gw_formula_or_many(struct gw_formula **items, uint32_t n);
struct gw_formula *gw_formula_ref(struct gw_formula *f);
void gw_formula_unref(struct gw_formula *f); /* accepts NULL */
bool gw_formula_is_all(const struct gw_formula *f);
bool gw_formula_is_none(const struct gw_formula *f);

/* A caller's facts, indexed by fact number. */
struct gw_fact;
bool gw_formula_admits(const struct gw_formula *f, const struct gw_fact *facts, uint32_t n_facts);
size_t gw_formula_bytes(const struct gw_formula *f);
struct gw_rules;
void gw_formula_print(struct gw_buf *out, const struct gw_rules *r, const struct gw_formula *f);

#endif
