/* callers_find: from a formula to the callers it admits.
 *
 * DESIGN. A formula is turned into candidates: the postings of an IS; the union for an OR; for an
 * AND the child that promises fewest; each candidate is then checked against the whole. Where a
 * formula promises no candidates but its complement does, the complement is found and the clause
 * becomes an exclude set. Otherwise every caller is checked. */
#include "callers_own.h"

#include <stdlib.h>

#define NO_CANDIDATES UINT64_MAX /* every caller would have to be looked at */
#define PROMISE_KEYS_MAX 8       /* more keys than this are not looked up to be counted */

static bool is_few(const struct gw_callers *c, const struct gw_formula *f)
{
    return f->n_keys <= PROMISE_KEYS_MAX || gw_callers_is_shorter(c, f);
}

/* Whether candidates can be had without looking at every caller. Depth: the formula's, here and
 * below, which the compiler bounds. */
static bool has_candidates(struct gw_callers *c, const struct gw_formula *f)
{
    bool has = f->op == GW_FORMULA_OR;
    switch (f->op) {
    case GW_FORMULA_NONE:
    case GW_FORMULA_NOT_KNOWN:
        return true;
    case GW_FORMULA_IS:
        return is_few(c, f) || gw_callers_crowd_of(c, f);
    case GW_FORMULA_OR:
        for (uint32_t i = 0; i < f->n_args && has; i++)
            has = has_candidates(c, f->args[i]);
        return has;
    case GW_FORMULA_AND:
        for (uint32_t i = 0; i < f->n_args && !has; i++)
            has = has_candidates(c, f->args[i]);
        return has;
    default:
        return false;
    }
}

/* Few values: those who have them are counted. */
static uint64_t promise_is(struct gw_callers *c, const struct gw_formula *f)
{
    uint64_t sum = 0;
    if (f->n_keys > PROMISE_KEYS_MAX) {
        const struct gw_callers_posting *crowd = gw_callers_crowd_of(c, f);
        return crowd ? crowd->n : is_few(c, f) ? f->n_keys : NO_CANDIDATES;
    }
    for (uint32_t i = 0; i < f->n_keys; i++) {
        const struct gw_callers_posting *p = gw_callers_index_find(&c->index, f->fact, f->keys[i]);
        sum += p ? p->n : 0;
    }
    return sum;
}

/* How many candidates f promises. */
static uint64_t promise(struct gw_callers *c, const struct gw_formula *f)
{
    uint64_t sum = 0, least = NO_CANDIDATES;
    switch (f->op) {
    case GW_FORMULA_NONE:
        return 0;
    case GW_FORMULA_IS:
        return promise_is(c, f);
    case GW_FORMULA_NOT_KNOWN:
        return f->fact < gw_callers_n_facts(c) ? c->not_known[f->fact].n : 0;
    case GW_FORMULA_OR:
        for (uint32_t i = 0; i < f->n_args; i++) {
            uint64_t one = promise(c, f->args[i]);
            if (one == NO_CANDIDATES)
                return one;
            sum += one;
        }
        return sum;
    case GW_FORMULA_AND:
        for (uint32_t i = 0; i < f->n_args; i++) {
            uint64_t one = promise(c, f->args[i]);
            least = one < least ? one : least;
        }
        return least;
    default:
        return NO_CANDIDATES;
    }
}

struct search {
    struct gw_callers *c;
    const struct gw_plan *plan;
    const struct gw_formula *f; /* the whole */
};

static void found_add(struct gw_callers *c, uint32_t id)
{
    if (c->n_found == c->cap_found) {
        c->cap_found = c->cap_found ? c->cap_found * 2 : 64;
        c->found = gw_realloc(c->found, c->cap_found * sizeof *c->found);
    }
    c->found[c->n_found++] = id;
}

static void look_at(const struct search *s, struct gw_callers_entry *e)
{
    if (e->stamp == s->c->stamp || e->caller.claims->role_id != s->plan->role_id)
        return;
    e->stamp = s->c->stamp;
    if (gw_formula_admits(s->f, e->facts, gw_callers_n_facts(s->c)))
        found_add(s->c, e->caller.id);
}

static void look_at_posting(const struct search *s, const struct gw_callers_posting *p)
{
    for (uint32_t i = 0; p && i < p->n; i++)
        look_at(s, p->slots[i].entry);
}

static void look_at_all(const struct search *s)
{
    uint64_t id;
    void *found;
    for (size_t at = 0; gw_idmap_each(&s->c->entries, &at, &id, &found);)
        look_at(s, found);
}

static void look_at_values(const struct search *s, const struct gw_formula *is)
{
    const struct gw_callers_posting *crowd = gw_callers_crowd_of(s->c, is);
    if (crowd) {
        look_at_posting(s, crowd);
        return;
    }
    for (uint32_t i = 0; i < is->n_keys; i++)
        look_at_posting(s, gw_callers_index_find(&s->c->index, is->fact, is->keys[i]));
}

/* f: the part that candidates are taken from; it has some. */
static void look_at_candidates(const struct search *s, const struct gw_formula *f)
{
    const struct gw_formula *least = NULL;
    switch (f->op) {
    case GW_FORMULA_IS:
        look_at_values(s, f);
        return;
    case GW_FORMULA_NOT_KNOWN:
        if (f->fact < gw_callers_n_facts(s->c))
            look_at_posting(s, &s->c->not_known[f->fact]);
        return;
    case GW_FORMULA_OR:
        for (uint32_t i = 0; i < f->n_args; i++)
            look_at_candidates(s, f->args[i]);
        return;
    case GW_FORMULA_AND:
        for (uint32_t i = 0; i < f->n_args; i++)
            if (!least || promise(s->c, f->args[i]) < promise(s->c, least))
                least = f->args[i];
        look_at_candidates(s, least);
        return;
    default:
        return;
    }
}

static void search(struct gw_callers *c, const struct gw_plan *plan, const struct gw_formula *f)
{
    struct search s = {c, plan, f};
    c->stamp++;
    c->n_found = 0;
    if (has_candidates(c, f))
        look_at_candidates(&s, f);
    else
        look_at_all(&s);
}

static int compare_ids(const void *pa, const void *pb)
{
    uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
    return a < b ? -1 : a > b;
}

static void sort_found(struct gw_callers *c)
{
    uint32_t kept = 0;
    bool is_sorted = true;
    for (uint32_t i = 1; i < c->n_found && is_sorted; i++)
        is_sorted = c->found[i - 1] < c->found[i];
    if (is_sorted)
        return;
    qsort(c->found, c->n_found, sizeof *c->found, compare_ids);
    for (uint32_t i = 0; i < c->n_found; i++)
        if (kept == 0 || c->found[kept - 1] != c->found[i])
            c->found[kept++] = c->found[i];
    c->n_found = kept;
}

static uint64_t n_trouble(const struct gw_callers *c, const struct gw_plan *plan)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < plan->n_facts; i++)
        n += plan->facts[i] < gw_callers_n_facts(c) ? c->trouble[plan->facts[i]].n : 0;
    return n;
}

static void add_trouble(struct gw_callers *c, const struct gw_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_facts; i++) {
        const struct gw_callers_posting *p =
            plan->facts[i] < gw_callers_n_facts(c) ? &c->trouble[plan->facts[i]] : NULL;
        for (uint32_t k = 0; p && k < p->n; k++)
            found_add(c, p->slots[k].entry->caller.id);
    }
}

static void drop_trouble(struct gw_callers *c, const struct gw_plan *plan)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->n_found; i++) {
        const struct gw_callers_entry *e = gw_idmap_find(&c->entries, c->found[i]);
        if (!gw_callers_has_trouble(c, plan, e->facts))
            c->found[kept++] = c->found[i];
    }
    c->n_found = kept;
}

static void find_excluded(struct gw_callers *c, const struct gw_plan *plan,
                          const struct gw_formula *complement, struct gw_callers_found *out)
{
    search(c, plan, complement);
    add_trouble(c, plan);
    sort_found(c);
    out->kind = c->n_found ? GW_PRINCIPALS_EXCLUDE : GW_PRINCIPALS_EVERYONE;
}

static void find_included(struct gw_callers *c, const struct gw_plan *plan,
                          const struct gw_formula *f, struct gw_callers_found *out)
{
    search(c, plan, f);
    if (n_trouble(c, plan) > 0)
        drop_trouble(c, plan);
    sort_found(c);
    out->kind = GW_PRINCIPALS_INCLUDE;
}

void gw_callers_find(struct gw_callers *c, const struct gw_plan *plan, const struct gw_formula *f,
                     struct gw_callers_found *out)
{
    c->n_finds++;
    if (has_candidates(c, f)) {
        find_included(c, plan, f, out);
    } else {
        struct gw_formula *complement =
            gw_formula_not(gw_formula_ref((struct gw_formula *)(uintptr_t)f));
        if (has_candidates(c, complement))
            find_excluded(c, plan, complement, out);
        else
            find_included(c, plan, f, out);
        gw_formula_unref(complement);
    }
    out->n = c->n_found;
    out->ids = c->found;
}
