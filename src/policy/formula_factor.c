/* formula_factor: see formula_own.h. Rows that differ in one value only become one argument:
 *     (role is x and user is 1) or (role is x and user is 2)  =  role is x and (user is 1 or 2)
 * and the same with AND and OR exchanged. Without it a team whose look-up has a second condition
 * would be as many nodes as it has members.
 *
 * Lists of the other op are sorted by a hash of all their arguments but one atom; neighbours that
 * agree in those are joined at that atom. Tried for the first few positions, each in n log n. */
#include "formula_own.h"

#include <stdlib.h>

#define POSITIONS_MAX 4

struct product {
    uint64_t rest; /* hash of the arguments but the one at pos, and of that one's fact */
    struct gw_formula *f;
};

static bool is_candidate(const struct gw_formula *f, enum gw_formula_op op, uint32_t pos)
{
    return gw_formula_is_list(f) && f->op != op && pos < f->n_args &&
           !gw_formula_is_list(f->args[pos]);
}

static uint64_t hash_rest(const struct gw_formula *f, uint32_t pos)
{
    uint64_t h = gw_formula_hash_mix(f->n_args, f->args[pos]->fact);
    for (uint32_t i = 0; i < f->n_args; i++)
        if (i != pos)
            h = gw_formula_hash_mix(h, f->args[i]->hash);
    return h;
}

static bool is_same_rest(const struct gw_formula *a, const struct gw_formula *b, uint32_t pos)
{
    if (a->n_args != b->n_args || a->args[pos]->fact != b->args[pos]->fact)
        return false;
    for (uint32_t i = 0; i < a->n_args; i++)
        if (i != pos && gw_formula_compare(a->args[i], b->args[i]) != 0)
            return false;
    return true;
}

static int compare_products(const void *a, const void *b)
{
    const struct product *x = a, *y = b;
    return x->rest < y->rest ? -1 : x->rest > y->rest;
}

/* n products that differ at pos alone, as one. Takes the references. */
static struct gw_formula *join_products(enum gw_formula_op op, const struct product *p, uint32_t n,
                                        uint32_t pos)
{
    struct gw_formula *first = p[0].f;
    struct gw_formula **atoms = gw_alloc(n * sizeof(struct gw_formula *));
    struct gw_formula **args = gw_alloc(first->n_args * sizeof(struct gw_formula *));
    enum gw_formula_op inner = first->op;
    uint32_t n_args = first->n_args;
    for (uint32_t i = 0; i < n; i++)
        atoms[i] = gw_formula_ref(p[i].f->args[pos]);
    for (uint32_t i = 0; i < n_args; i++)
        args[i] = i == pos ? gw_formula_join(op, atoms, n) : gw_formula_ref(first->args[i]);
    for (uint32_t i = 0; i < n; i++)
        gw_formula_unref(p[i].f);
    struct gw_formula *out = gw_formula_join(inner, args, n_args);
    free(args);
    free(atoms);
    return out;
}

/* The products, sorted by their rest; what is left goes to out. Returns how many. */
static uint32_t join_runs(enum gw_formula_op op, const struct product *p, uint32_t n, uint32_t pos,
                          struct gw_formula **out)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n;) {
        uint32_t end = i + 1;
        while (end < n && p[end].rest == p[i].rest && is_same_rest(p[i].f, p[end].f, pos))
            end++;
        out[kept++] = end - i == 1 ? p[i].f : join_products(op, &p[i], end - i, pos);
        i = end;
    }
    return kept;
}

static uint32_t factor_at(enum gw_formula_op op, struct gw_formula **items, uint32_t n,
                          uint32_t pos, struct product *scratch)
{
    uint32_t n_products = 0, kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct gw_formula *f = items[i];
        if (is_candidate(f, op, pos))
            scratch[n_products++] = (struct product){hash_rest(f, pos), f};
        else
            items[kept++] = f;
    }
    if (n_products > 1)
        qsort(scratch, n_products, sizeof *scratch, compare_products);
    return kept + join_runs(op, scratch, n_products, pos, &items[kept]);
}

uint32_t gw_formula_factor(enum gw_formula_op op, struct gw_formula **items, uint32_t n)
{
    uint32_t n_lists = 0;
    for (uint32_t i = 0; i < n; i++)
        n_lists += gw_formula_is_list(items[i]);
    if (n_lists < 2)
        return n;
    struct product *scratch = gw_alloc(n * sizeof *scratch);
    for (uint32_t pos = 0; pos < POSITIONS_MAX; pos++)
        n = factor_at(op, items, n, pos, scratch);
    free(scratch);
    return n;
}
