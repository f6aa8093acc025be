/* solve_set: see solve_internal.h.
 *
 * DESIGN. Most sets met on the way are trivial: everyone, nobody, one value of one fact. Those are
 * plain structs; only what is more becomes a formula. A union of many rows collects the values of a
 * fact in one array, so that a team of 100 000 is sorted once. A large set that stands in a formula
 * already is shared, never merged with a few more values: those become a second argument of the OR.
 */
#include "formula_own.h"
#include "solve_internal.h"

#include <stdlib.h>

#define ADD_KEYS_MAX 128u   /* sets up to here are copied when a value is added */
#define SHARE_KEYS_MIN 512u /* sets from here on are shared rather than copied */

struct gw_set gw_set_is(uint32_t fact, bool is_many, struct gw_key key)
{
    return (struct gw_set){.form = GW_SET_IS, .is_many = is_many, .fact = fact, .key = key};
}

struct gw_set gw_set_of(struct gw_formula *f)
{
    if (f->op == GW_FORMULA_ALL)
        return GW_SET(GW_SET_ALL);
    if (f->op == GW_FORMULA_NONE)
        return GW_SET(GW_SET_NONE);
    return (struct gw_set){.form = GW_SET_TREE, .tree = f};
}

struct gw_set gw_set_known(uint32_t fact)
{
    return gw_set_of(gw_formula_known(fact));
}

struct gw_set gw_set_copy(const struct gw_set *s)
{
    if (s->form == GW_SET_TREE)
        gw_formula_ref(s->tree);
    return *s;
}

void gw_set_free(struct gw_set *s)
{
    if (s->form == GW_SET_TREE)
        gw_formula_unref(s->tree);
    *s = GW_SET(GW_SET_NONE);
}

struct gw_formula *gw_set_formula(struct gw_set s)
{
    switch (s.form) {
    case GW_SET_ALL:
        return gw_formula_all();
    case GW_SET_IS:
        return gw_formula_is(s.fact, s.is_many, &s.key, 1);
    case GW_SET_TREE:
        return s.tree;
    case GW_SET_NONE:
    case GW_SET_LEFT_OUT:
        break;
    }
    return gw_formula_none();
}

static struct gw_set first_of(struct gw_set a, struct gw_set b)
{
    gw_set_free(&b);
    return a;
}

/* ---- two of them ---- */

/* An atom of the same fact, which has one value at most. */
static bool is_atom_of(const struct gw_set *tree, const struct gw_set *is)
{
    return tree->form == GW_SET_TREE && tree->tree->n_args == 0 && tree->tree->fact == is->fact &&
           !is->is_many;
}

static bool atom_holds(const struct gw_formula *atom, const struct gw_key *key)
{
    bool has = gw_keys_have(atom->keys, atom->n_keys, key);
    switch (atom->op) {
    case GW_FORMULA_IS:
        return has;
    case GW_FORMULA_IS_NOT:
        return !has;
    case GW_FORMULA_KNOWN:
        return true;
    default:
        return false;
    }
}

static struct gw_set and_is(struct gw_set is, struct gw_set other)
{
    if (other.form == GW_SET_IS && other.fact == is.fact && gw_key_eq(other.key, is.key))
        return is;
    if (other.form == GW_SET_IS && other.fact == is.fact && !is.is_many)
        return GW_SET(GW_SET_NONE);
    if (is_atom_of(&other, &is)) {
        bool holds = atom_holds(other.tree, &is.key);
        gw_set_free(&other);
        return holds ? is : GW_SET(GW_SET_NONE);
    }
    return gw_set_of(gw_formula_and(gw_set_formula(is), gw_set_formula(other)));
}

struct gw_set gw_set_and(struct gw_set a, struct gw_set b)
{
    if (a.form == GW_SET_NONE || b.form == GW_SET_ALL)
        return first_of(a, b);
    if (b.form == GW_SET_NONE || a.form == GW_SET_ALL)
        return first_of(b, a);
    if (a.form == GW_SET_LEFT_OUT)
        return b;
    if (b.form == GW_SET_LEFT_OUT)
        return a;
    if (a.form == GW_SET_IS)
        return and_is(a, b);
    if (b.form == GW_SET_IS)
        return and_is(b, a);
    if (a.tree == b.tree)
        return first_of(a, b);
    return gw_set_of(gw_formula_and(a.tree, b.tree));
}

static bool is_keys_of(const struct gw_set *tree, uint32_t fact)
{
    return tree->form == GW_SET_TREE && tree->tree->op == GW_FORMULA_IS && tree->tree->fact == fact;
}

static bool holds_all(const struct gw_formula *large, const struct gw_formula *small)
{
    for (uint32_t i = 0; i < small->n_keys; i++)
        if (!gw_keys_have(large->keys, large->n_keys, &small->keys[i]))
            return false;
    return true;
}

/* Two IS of one fact, large with many values: shared. NONE: neither holds nor is worth it. */
static struct gw_set or_shared(struct gw_formula *large, struct gw_formula *small)
{
    if (large->n_keys < SHARE_KEYS_MIN || small->n_keys > large->n_keys / 8)
        return GW_SET(GW_SET_NONE);
    if (holds_all(large, small)) {
        gw_formula_unref(small);
        return gw_set_of(large);
    }
    struct gw_formula *args[] = {small, large};
    return gw_set_of(gw_formula_of_args(GW_FORMULA_OR, args, 2));
}

static struct gw_set or_trees(struct gw_formula *a, struct gw_formula *b)
{
    bool same_fact = a->op == GW_FORMULA_IS && b->op == GW_FORMULA_IS && a->fact == b->fact;
    struct gw_set out = GW_SET(GW_SET_NONE);
    if (same_fact)
        out = a->n_keys > b->n_keys ? or_shared(a, b) : or_shared(b, a);
    return out.form != GW_SET_NONE ? out : gw_set_of(gw_formula_or(a, b));
}

/* One more value in a small set. Takes tree. */
static struct gw_set add_key(struct gw_formula *tree, struct gw_key key)
{
    struct gw_key keys[ADD_KEYS_MAX + 1];
    uint32_t n = 0;
    while (n < tree->n_keys && gw_key_compare(&tree->keys[n], &key) < 0)
        n++;
    memcpy(keys, tree->keys, n * sizeof *keys);
    memcpy(&keys[n + 1], &tree->keys[n], (tree->n_keys - n) * sizeof *keys);
    keys[n] = key;
    struct gw_set out =
        gw_set_of(gw_formula_of_sorted(tree->fact, tree->is_set, keys, tree->n_keys + 1));
    gw_formula_unref(tree);
    return out;
}

static struct gw_set or_is(struct gw_set is, struct gw_set other)
{
    if (other.form == GW_SET_IS && other.fact == is.fact) {
        if (gw_key_eq(other.key, is.key))
            return is;
        struct gw_key keys[] = {is.key, other.key};
        return gw_set_of(gw_formula_is(is.fact, is.is_many, keys, 2));
    }
    if (is_keys_of(&other, is.fact)) {
        if (gw_keys_have(other.tree->keys, other.tree->n_keys, &is.key))
            return other;
        if (other.tree->n_keys <= ADD_KEYS_MAX)
            return add_key(other.tree, is.key);
    }
    return or_trees(gw_set_formula(is), gw_set_formula(other));
}

struct gw_set gw_set_or(struct gw_set a, struct gw_set b)
{
    if (a.form == GW_SET_ALL || b.form == GW_SET_NONE)
        return first_of(a, b);
    if (b.form == GW_SET_ALL || a.form == GW_SET_NONE)
        return first_of(b, a);
    if (a.form == GW_SET_LEFT_OUT)
        return b;
    if (b.form == GW_SET_LEFT_OUT)
        return a;
    if (a.form == GW_SET_IS)
        return or_is(a, b);
    if (b.form == GW_SET_IS)
        return or_is(b, a);
    if (a.tree == b.tree)
        return first_of(a, b);
    return or_trees(a.tree, b.tree);
}

struct gw_set gw_set_not(struct gw_set a)
{
    switch (a.form) {
    case GW_SET_NONE:
        return GW_SET(GW_SET_ALL);
    case GW_SET_ALL:
        return GW_SET(GW_SET_NONE);
    case GW_SET_LEFT_OUT:
        return a;
    case GW_SET_IS:
    case GW_SET_TREE:
        break;
    }
    return gw_set_of(gw_formula_not(gw_set_formula(a)));
}

struct gw_set gw_set_minus(struct gw_set a, struct gw_set b)
{
    if (a.form == GW_SET_NONE || b.form == GW_SET_NONE || b.form == GW_SET_LEFT_OUT)
        return first_of(a, b);
    return gw_set_and(a, gw_set_not(b));
}

/* ---- many of them ---- */

static struct gw_union_keys *keys_of_fact(struct gw_union *u, const struct gw_set *is)
{
    for (uint32_t i = 0; i < u->n_facts; i++)
        if (u->facts[i].fact == is->fact)
            return &u->facts[i];
    if (u->n_facts == GW_UNION_FACTS_MAX)
        return NULL;
    struct gw_union_keys *k = &u->facts[u->n_facts++];
    *k = (struct gw_union_keys){.fact = is->fact, .is_many = is->is_many};
    return k;
}

static void push_key(struct gw_union_keys *k, struct gw_key key)
{
    if (k->n > 0 && gw_key_eq(k->keys[k->n - 1], key))
        return;
    if (k->n == k->cap) {
        k->cap = k->cap ? k->cap * 2 : 8;
        k->keys = gw_realloc(k->keys, k->cap * sizeof *k->keys);
    }
    k->keys[k->n++] = key;
}

static int compare_pointers(const void *a, const void *b)
{
    const void *x = *(void *const *)a, *y = *(void *const *)b;
    return x < y ? -1 : x > y;
}

static void drop_doubles(struct gw_union *u)
{
    uint32_t kept = 0;
    if (u->n_trees > 1)
        qsort(u->trees, u->n_trees, sizeof(struct gw_formula *), compare_pointers);
    for (uint32_t i = 0; i < u->n_trees; i++)
        if (kept > 0 && u->trees[kept - 1] == u->trees[i])
            gw_formula_unref(u->trees[i]);
        else
            u->trees[kept++] = u->trees[i];
    u->n_trees = kept;
}

static void drop_items(struct gw_union *u)
{
    for (uint32_t i = 0; i < u->n_facts; i++)
        free(u->facts[i].keys);
    for (uint32_t i = 0; i < u->n_trees; i++)
        gw_formula_unref(u->trees[i]);
    free(u->trees);
    u->trees = NULL;
    u->n_facts = u->n_trees = u->cap_trees = 0;
}

/* Values of one fact are merged with others of it when many have come together, so that a union of
 * a million small trees does not hold a million. What cannot be merged counts against the bound. */
static void shrink(struct gw_union *u)
{
    drop_doubles(u);
    if (u->n_trees * 2 <= u->cap_trees)
        return;
    struct gw_formula *one = gw_formula_or_many(u->trees, u->n_trees);
    u->trees[0] = one;
    u->n_trees = 1;
    u->is_too_big |= one->n_nodes > GW_FORMULA_NODES_MAX;
}

static void push_tree(struct gw_union *u, struct gw_formula *f)
{
    if (u->n_trees > 0 && u->trees[u->n_trees - 1] == f) {
        gw_formula_unref(f);
        return;
    }
    if (u->n_trees == u->cap_trees && u->cap_trees == GW_FORMULA_NODES_MAX)
        shrink(u);
    if (u->n_trees == u->cap_trees) {
        u->cap_trees = u->cap_trees ? u->cap_trees * 2 : 8;
        u->trees = gw_realloc(u->trees, u->cap_trees * sizeof(struct gw_formula *));
    }
    u->trees[u->n_trees++] = f;
}

void gw_union_add(struct gw_union *u, struct gw_set s)
{
    if (s.form == GW_SET_ALL) {
        u->is_all = true;
        drop_items(u);
    }
    u->has_left_out |= s.form == GW_SET_LEFT_OUT;
    if (u->is_all || u->is_too_big) {
        gw_set_free(&s);
        return;
    }
    if (s.form == GW_SET_IS) {
        struct gw_union_keys *k = keys_of_fact(u, &s);
        if (k) {
            push_key(k, s.key);
            return;
        }
    }
    if (s.form == GW_SET_IS || s.form == GW_SET_TREE)
        push_tree(u, gw_set_formula(s));
}

static struct gw_set keys_set(const struct gw_union_keys *k)
{
    return k->n == 1 ? gw_set_is(k->fact, k->is_many, k->keys[0])
                     : gw_set_of(gw_formula_is(k->fact, k->is_many, k->keys, k->n));
}

static bool is_large(const struct gw_formula *f)
{
    return f->op == GW_FORMULA_IS && f->n_keys >= SHARE_KEYS_MIN;
}

/* Small trees at once, large sets one by one and shared. */
static struct gw_set trees_set(struct gw_union *u)
{
    drop_doubles(u);
    uint32_t n_small = 0;
    for (uint32_t i = 0; i < u->n_trees; i++) {
        struct gw_formula *f = u->trees[i];
        if (is_large(f))
            continue;
        u->trees[i] = u->trees[n_small];
        u->trees[n_small++] = f;
    }
    struct gw_set out = GW_SET(GW_SET_NONE);
    if (n_small > 0)
        out = gw_set_of(n_small == 1 ? u->trees[0] : gw_formula_or_many(u->trees, n_small));
    for (uint32_t i = n_small; i < u->n_trees; i++)
        out = gw_set_or(out, gw_set_of(u->trees[i]));
    u->n_trees = 0;
    return out;
}

struct gw_set gw_union_finish(struct gw_union *u)
{
    struct gw_set out = GW_SET(u->is_all ? GW_SET_ALL : GW_SET_NONE);
    if (!u->is_all) {
        struct gw_set keys = GW_SET(GW_SET_NONE);
        for (uint32_t i = 0; i < u->n_facts; i++)
            keys = gw_set_or(keys, keys_set(&u->facts[i]));
        out = gw_set_or(keys, trees_set(u));
    }
    if (out.form == GW_SET_NONE && u->has_left_out)
        out = GW_SET(GW_SET_LEFT_OUT);
    drop_items(u);
    *u = (struct gw_union){0};
    return out;
}
