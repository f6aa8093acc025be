/* callers: see the header.
 *
 * DESIGN. Per rules: callers by id, each with its facts in one arena; postings from (fact, key) to
 * callers; per fact those for whom it is no value (null, raising, not known), and those of them for
 * whom it is trouble (raising, not known). A formula is turned into candidates: the postings of an
 * IS; the union for an OR; for an AND the child that promises fewest; each candidate is then checked
 * against the whole. Where a formula promises no candidates but its complement does, the complement
 * is found and the clause becomes an exclude set. Otherwise every caller is checked. */
#include "gw/callers.h"

#include "gw/catalog.h"
#include "gw/map.h"

#include <assert.h>
#include <stdlib.h>

struct entry { /* one caller */
    struct gw_caller caller;
    struct gw_arena arena;
    struct gw_fact *facts;
    uint64_t stamp; /* of the search that has seen it */
};

struct posting {
    uint32_t n, cap;
    struct entry **entries;
};

struct gw_callers {
    const struct gw_fact_setting *settings;
    uint32_t n_settings;
    struct gw_rules *rules;
    struct gw_idmap entries; /* caller id → struct entry */
    struct gw_map postings;  /* fact, key → struct posting */
    struct posting *not_known, *trouble; /* by fact */
    struct gw_callers_need *needs;
    uint32_t n_needs, cap_needs;
    uint32_t *found; /* of the last search */
    uint32_t n_found, cap_found;
    uint64_t stamp;
    uint64_t n_postings;
};

static uint32_t n_facts_of(const struct gw_callers *c)
{
    return c->rules ? c->rules->n_facts : 0;
}

/* ---- postings ---- */

struct posting_key {
    uint64_t hi, lo, fact;
};

static struct gw_span posting_key_of(struct posting_key *key, uint32_t fact, struct gw_key value)
{
    *key = (struct posting_key){value.hi, value.lo, fact};
    return (struct gw_span){(const char *)key, sizeof *key};
}

static void posting_add(struct posting *p, struct entry *e)
{
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 1;
        p->entries = gw_realloc(p->entries, p->cap * sizeof *p->entries);
    }
    p->entries[p->n++] = e;
}

static void posting_drop(struct posting *p, const struct entry *e)
{
    for (uint32_t i = 0; i < p->n; i++) {
        if (p->entries[i] != e)
            continue;
        p->entries[i] = p->entries[--p->n];
        return;
    }
}

static struct posting *posting_find(const struct gw_callers *c, uint32_t fact, struct gw_key value)
{
    struct posting_key key;
    return gw_map_find(&c->postings, posting_key_of(&key, fact, value));
}

static void index_value(struct gw_callers *c, struct entry *e, uint32_t fact, struct gw_key value)
{
    struct posting *p = posting_find(c, fact, value);
    if (!p) {
        struct posting_key key;
        p = gw_alloc(sizeof *p);
        gw_map_put(&c->postings, posting_key_of(&key, fact, value), p);
    }
    posting_add(p, e);
    c->n_postings++;
}

static void unindex_value(struct gw_callers *c, struct entry *e, uint32_t fact,
                          struct gw_key value)
{
    struct posting_key key;
    struct posting *p = posting_find(c, fact, value);
    posting_drop(p, e);
    c->n_postings--;
    if (p->n > 0)
        return;
    gw_map_take(&c->postings, posting_key_of(&key, fact, value));
    free(p->entries);
    free(p);
}

static bool is_trouble(const struct gw_fact *f)
{
    return f->state == GW_DATUM_UNKNOWN || f->state == GW_DATUM_ERROR;
}

static void index_fact(struct gw_callers *c, struct entry *e, uint32_t fact)
{
    const struct gw_fact *f = &e->facts[fact];
    if (f->state != GW_DATUM_VALUE || f->has_null)
        posting_add(&c->not_known[fact], e);
    if (is_trouble(f))
        posting_add(&c->trouble[fact], e);
    for (uint32_t i = 0; f->state == GW_DATUM_VALUE && i < f->n; i++)
        index_value(c, e, fact, f->keys[i]);
}

static void unindex_fact(struct gw_callers *c, struct entry *e, uint32_t fact)
{
    const struct gw_fact *f = &e->facts[fact];
    if (f->state != GW_DATUM_VALUE || f->has_null)
        posting_drop(&c->not_known[fact], e);
    if (is_trouble(f))
        posting_drop(&c->trouble[fact], e);
    for (uint32_t i = 0; f->state == GW_DATUM_VALUE && i < f->n; i++)
        unindex_value(c, e, fact, f->keys[i]);
}

/* ---- facts ---- */

static struct gw_fact_env env_of(const struct gw_callers *c, const struct gw_claims *claims)
{
    return (struct gw_fact_env){claims, c->settings, c->n_settings};
}

static void need_add(struct gw_callers *c, struct entry *e, uint32_t fact)
{
    if (c->n_needs == c->cap_needs) {
        c->cap_needs = c->cap_needs ? c->cap_needs * 2 : 16;
        c->needs = gw_realloc(c->needs, c->cap_needs * sizeof *c->needs);
    }
    c->needs[c->n_needs++] = (struct gw_callers_need){&e->caller, fact};
}

static void facts_eval(struct gw_callers *c, struct entry *e)
{
    struct gw_fact_env env = env_of(c, e->caller.claims);
    uint32_t n = n_facts_of(c);
    e->facts = gw_arena_alloc(&e->arena, (n ? n : 1) * sizeof *e->facts);
    for (uint32_t i = 0; i < n; i++) {
        e->facts[i] = gw_fact_eval(&c->rules->facts[i], &env, &e->arena);
        index_fact(c, e, i);
        if (e->facts[i].state == GW_DATUM_UNKNOWN)
            need_add(c, e, i);
    }
}

void gw_callers_add(struct gw_callers *c, const struct gw_caller *caller)
{
    struct entry *e = gw_alloc(sizeof *e);
    e->caller = (struct gw_caller){.id = caller->id, .claims = gw_claims_ref(caller->claims)};
    gw_arena_init(&e->arena, 0);
    assert(!gw_idmap_find(&c->entries, caller->id));
    gw_idmap_put(&c->entries, caller->id, e);
    facts_eval(c, e);
}

static void entry_free(struct entry *e)
{
    gw_claims_unref(e->caller.claims);
    gw_arena_fini(&e->arena);
    free(e);
}

static void needs_forget(struct gw_callers *c, uint32_t caller_id)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->n_needs; i++)
        if (c->needs[i].caller->id != caller_id)
            c->needs[kept++] = c->needs[i];
    c->n_needs = kept;
}

void gw_callers_drop(struct gw_callers *c, uint32_t caller_id)
{
    struct entry *e = gw_idmap_take(&c->entries, caller_id);
    if (!e)
        return;
    for (uint32_t i = 0; i < n_facts_of(c); i++)
        unindex_fact(c, e, i);
    needs_forget(c, caller_id);
    entry_free(e);
}

static void index_clear(struct gw_callers *c)
{
    struct gw_span key;
    void *found;
    for (size_t at = 0; gw_map_each(&c->postings, &at, &key, &found);) {
        free(((struct posting *)found)->entries);
        free(found);
    }
    gw_map_fini(&c->postings);
    for (uint32_t i = 0; i < n_facts_of(c); i++) {
        free(c->not_known[i].entries);
        free(c->trouble[i].entries);
    }
    free(c->not_known);
    free(c->trouble);
    c->not_known = c->trouble = NULL;
    c->n_needs = 0;
    c->n_postings = 0;
}

void gw_callers_set_rules(struct gw_callers *c, const struct gw_rules *rules)
{
    if (c->rules == rules)
        return;
    index_clear(c);
    gw_map_init(&c->postings, 0);
    gw_rules_unref(c->rules);
    c->rules = rules ? gw_rules_ref(rules) : NULL;
    uint32_t n = n_facts_of(c);
    c->not_known = gw_alloc((n ? n : 1) * sizeof *c->not_known);
    c->trouble = gw_alloc((n ? n : 1) * sizeof *c->trouble);
    uint64_t id;
    void *found;
    for (size_t at = 0; gw_idmap_each(&c->entries, &at, &id, &found);) {
        struct entry *e = found;
        gw_arena_fini(&e->arena);
        gw_arena_init(&e->arena, 0);
        facts_eval(c, e);
    }
}

uint32_t gw_callers_needs(const struct gw_callers *c, const struct gw_callers_need **needs)
{
    *needs = c->needs;
    return c->n_needs;
}

static void need_done(struct gw_callers *c, uint32_t caller_id, uint32_t fact)
{
    for (uint32_t i = 0; i < c->n_needs; i++) {
        if (c->needs[i].caller->id != caller_id || c->needs[i].fact != fact)
            continue;
        c->needs[i] = c->needs[--c->n_needs];
        return;
    }
}

void gw_callers_answer(struct gw_callers *c, uint32_t caller_id, uint32_t fact,
                       const struct gw_datum *answer)
{
    struct entry *e = gw_idmap_find(&c->entries, caller_id);
    if (!e || fact >= n_facts_of(c))
        return;
    need_done(c, caller_id, fact);
    unindex_fact(c, e, fact);
    if (answer->state == GW_DATUM_NULL || answer->state == GW_DATUM_VALUE)
        e->facts[fact] = gw_fact_from_text(&c->rules->facts[fact], answer->text,
                                           answer->state == GW_DATUM_NULL, &e->arena);
    else
        e->facts[fact] = (struct gw_fact){.state = answer->state};
    index_fact(c, e, fact);
}

/* ---- searching ---- */

#define NO_CANDIDATES UINT64_MAX /* every caller would have to be looked at */

/* How many candidates f promises. */
static uint64_t promise(const struct gw_callers *c, const struct gw_formula *f)
{
    uint64_t sum = 0, least = NO_CANDIDATES;
    switch (f->op) {
    case GW_FORMULA_NONE:
        return 0;
    case GW_FORMULA_IS:
        return f->n_keys < c->entries.count ? f->n_keys : NO_CANDIDATES;
    case GW_FORMULA_NOT_KNOWN:
        return f->fact < n_facts_of(c) ? c->not_known[f->fact].n : 0;
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

static bool has_trouble(const struct gw_callers *c, const struct gw_plan *plan,
                        const struct gw_fact *facts)
{
    for (uint32_t i = 0; i < plan->n_facts; i++)
        if (plan->facts[i] < n_facts_of(c) && is_trouble(&facts[plan->facts[i]]))
            return true;
    return false;
}

static void found_add(struct gw_callers *c, uint32_t id)
{
    if (c->n_found == c->cap_found) {
        c->cap_found = c->cap_found ? c->cap_found * 2 : 64;
        c->found = gw_realloc(c->found, c->cap_found * sizeof *c->found);
    }
    c->found[c->n_found++] = id;
}

static void look_at(const struct search *s, struct entry *e)
{
    if (e->stamp == s->c->stamp || e->caller.claims->role_id != s->plan->role_id)
        return;
    e->stamp = s->c->stamp;
    if (gw_formula_admits(s->f, e->facts, n_facts_of(s->c)))
        found_add(s->c, e->caller.id);
}

static void look_at_posting(const struct search *s, const struct posting *p)
{
    for (uint32_t i = 0; p && i < p->n; i++)
        look_at(s, p->entries[i]);
}

static void look_at_all(const struct search *s)
{
    uint64_t id;
    void *found;
    for (size_t at = 0; gw_idmap_each(&s->c->entries, &at, &id, &found);)
        look_at(s, found);
}

/* f: the part that candidates are taken from; its promise is not NO_CANDIDATES. Depth: the
 * formula's, which the compiler bounds. */
static void look_at_candidates(const struct search *s, const struct gw_formula *f)
{
    const struct gw_formula *least = NULL;
    switch (f->op) {
    case GW_FORMULA_IS:
        for (uint32_t i = 0; i < f->n_keys; i++)
            look_at_posting(s, posting_find(s->c, f->fact, f->keys[i]));
        return;
    case GW_FORMULA_NOT_KNOWN:
        if (f->fact < n_facts_of(s->c))
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
    if (promise(c, f) == NO_CANDIDATES)
        look_at_all(&s);
    else
        look_at_candidates(&s, f);
}

static int compare_ids(const void *pa, const void *pb)
{
    uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
    return a < b ? -1 : a > b;
}

static void sort_found(struct gw_callers *c)
{
    uint32_t kept = 0;
    if (c->n_found > 1)
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
        n += plan->facts[i] < n_facts_of(c) ? c->trouble[plan->facts[i]].n : 0;
    return n;
}

static void add_trouble(struct gw_callers *c, const struct gw_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_facts; i++) {
        const struct posting *p =
            plan->facts[i] < n_facts_of(c) ? &c->trouble[plan->facts[i]] : NULL;
        for (uint32_t k = 0; p && k < p->n; k++)
            found_add(c, p->entries[k]->caller.id);
    }
}

static void drop_trouble(struct gw_callers *c, const struct gw_plan *plan)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->n_found; i++) {
        const struct entry *e = gw_idmap_find(&c->entries, c->found[i]);
        if (!has_trouble(c, plan, e->facts))
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
    if (promise(c, f) != NO_CANDIDATES) {
        find_included(c, plan, f, out);
    } else {
        struct gw_formula *complement =
            gw_formula_not(gw_formula_ref((struct gw_formula *)(uintptr_t)f));
        if (promise(c, complement) != NO_CANDIDATES)
            find_excluded(c, plan, complement, out);
        else
            find_included(c, plan, f, out);
        gw_formula_unref(complement);
    }
    out->n = c->n_found;
    out->ids = c->found;
}

bool gw_callers_admits(struct gw_callers *c, const struct gw_plan *plan,
                       const struct gw_formula *f, const struct gw_claims *claims,
                       uint32_t caller_id)
{
    const struct gw_fact *known = gw_callers_facts(c, caller_id);
    struct gw_fact_env env = env_of(c, claims);
    struct gw_arena arena;
    uint32_t n = n_facts_of(c);
    if (claims->role_id != plan->role_id)
        return false;
    if (known)
        return !has_trouble(c, plan, known) && gw_formula_admits(f, known, n);
    gw_arena_init(&arena, 0);
    struct gw_fact *facts = gw_arena_alloc(&arena, (n ? n : 1) * sizeof *facts);
    for (uint32_t i = 0; i < plan->n_facts; i++)
        if (plan->facts[i] < n)
            facts[plan->facts[i]] = gw_fact_eval(&c->rules->facts[plan->facts[i]], &env, &arena);
    bool admits = !has_trouble(c, plan, facts) && gw_formula_admits(f, facts, n);
    gw_arena_fini(&arena);
    return admits;
}

const struct gw_fact *gw_callers_facts(const struct gw_callers *c, uint32_t caller_id)
{
    const struct entry *e = gw_idmap_find(&c->entries, caller_id);
    return e ? e->facts : NULL;
}

void gw_callers_stats(const struct gw_callers *c, struct gw_callers_stats *out)
{
    *out = (struct gw_callers_stats){.callers = c->entries.count, .index_entries = c->n_postings};
    for (uint32_t i = 0; i < n_facts_of(c); i++)
        for (uint32_t k = 0; k < c->trouble[i].n; k++) {
            const struct entry *e = c->trouble[i].entries[k];
            out->unknown_facts += e->facts[i].state == GW_DATUM_UNKNOWN;
            out->error_facts += e->facts[i].state == GW_DATUM_ERROR;
        }
}

struct gw_callers *gw_callers_new(const struct gw_fact_setting *settings, uint32_t n_settings)
{
    struct gw_callers *c = gw_alloc(sizeof *c);
    c->settings = settings;
    c->n_settings = n_settings;
    gw_idmap_init(&c->entries);
    gw_map_init(&c->postings, 0);
    return c;
}

void gw_callers_free(struct gw_callers *c)
{
    uint64_t id;
    void *found;
    if (!c)
        return;
    index_clear(c);
    for (size_t at = 0; gw_idmap_each(&c->entries, &at, &id, &found);)
        entry_free(found);
    gw_idmap_fini(&c->entries);
    gw_rules_unref(c->rules);
    free(c->needs);
    free(c->found);
    free(c);
}
