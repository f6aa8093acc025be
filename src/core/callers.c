/* callers: see the header.
 *
 * DESIGN. Per rules: callers by id, each with its facts in one arena; postings from (fact, key) to
 * callers; per fact those for whom it is no value (null, raising, not known), and those of them for
 * whom it is trouble (raising, not known). Whom a formula admits is found in callers_find.c. */
#include "callers_own.h"

#include <assert.h>
#include <stdlib.h>

/* ---- postings ---- */

void gw_callers_posting_add(struct gw_callers_posting *p, struct gw_callers_entry *e)
{
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 1;
        p->slots = gw_realloc(p->slots, p->cap * sizeof *p->slots);
    }
    if (e->n_places == e->cap_places) {
        e->cap_places = e->cap_places ? e->cap_places * 2 : 4;
        e->places = gw_realloc(e->places, e->cap_places * sizeof *e->places);
    }
    p->slots[p->n] = (struct gw_callers_slot){e, e->n_places};
    e->places[e->n_places++] = (struct gw_callers_place){p, p->n++};
}

/* The last ones move into the gaps. */
void gw_callers_posting_drop(struct gw_callers_posting *p, struct gw_callers_entry *e)
{
    uint32_t i = 0;
    while (i < e->n_places && e->places[i].posting != p)
        i++;
    assert(i < e->n_places);
    uint32_t at = e->places[i].at;
    p->slots[at] = p->slots[--p->n];
    p->slots[at].entry->places[p->slots[at].place].at = at;
    e->places[i] = e->places[--e->n_places];
    if (i < e->n_places)
        e->places[i].posting->slots[e->places[i].at].place = i;
}

static void index_value(struct gw_callers *c, struct gw_callers_entry *e, uint32_t fact,
                        struct gw_key value)
{
    gw_callers_posting_add(gw_callers_index_get(&c->index, fact, value), e);
    c->n_postings++;
}

static void unindex_value(struct gw_callers *c, struct gw_callers_entry *e, uint32_t fact,
                          struct gw_key value)
{
    struct gw_callers_posting *p = gw_callers_index_find(&c->index, fact, value);
    gw_callers_posting_drop(p, e);
    c->n_postings--;
    if (p->n == 0)
        gw_callers_index_drop(&c->index, p);
}

static void index_fact(struct gw_callers *c, struct gw_callers_entry *e, uint32_t fact)
{
    const struct gw_fact *f = &e->facts[fact];
    if (f->state != GW_DATUM_VALUE || f->has_null)
        gw_callers_posting_add(&c->not_known[fact], e);
    if (gw_callers_is_trouble(f))
        gw_callers_posting_add(&c->trouble[fact], e);
    for (uint32_t i = 0; f->state == GW_DATUM_VALUE && i < f->n; i++)
        index_value(c, e, fact, f->keys[i]);
    gw_callers_crowds_add(c, e, fact);
}

static void unindex_fact(struct gw_callers *c, struct gw_callers_entry *e, uint32_t fact)
{
    const struct gw_fact *f = &e->facts[fact];
    if (f->state != GW_DATUM_VALUE || f->has_null)
        gw_callers_posting_drop(&c->not_known[fact], e);
    if (gw_callers_is_trouble(f))
        gw_callers_posting_drop(&c->trouble[fact], e);
    for (uint32_t i = 0; f->state == GW_DATUM_VALUE && i < f->n; i++)
        unindex_value(c, e, fact, f->keys[i]);
    gw_callers_crowds_drop(c, e, fact);
}

/* ---- facts ---- */

static struct gw_fact_env env_of(const struct gw_callers *c, const struct gw_claims *claims)
{
    return (struct gw_fact_env){claims, c->settings, c->n_settings};
}

static void need_add(struct gw_callers *c, struct gw_callers_entry *e, uint32_t fact)
{
    if (c->n_needs == c->cap_needs) {
        c->cap_needs = c->cap_needs ? c->cap_needs * 2 : 16;
        c->needs = gw_realloc(c->needs, c->cap_needs * sizeof *c->needs);
    }
    c->needs[c->n_needs++] = (struct gw_callers_need){&e->caller, fact};
}

static void facts_eval(struct gw_callers *c, struct gw_callers_entry *e)
{
    struct gw_fact_env env = env_of(c, e->caller.claims);
    uint32_t n = gw_callers_n_facts(c);
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
    struct gw_callers_entry *e = gw_alloc(sizeof *e);
    e->caller = (struct gw_caller){.id = caller->id, .claims = gw_claims_ref(caller->claims)};
    gw_arena_init(&e->arena, 0);
    assert(!gw_idmap_find(&c->entries, caller->id));
    gw_idmap_put(&c->entries, caller->id, e);
    facts_eval(c, e);
}

static void entry_free(struct gw_callers_entry *e)
{
    gw_claims_unref(e->caller.claims);
    gw_arena_fini(&e->arena);
    free(e->places);
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
    struct gw_callers_entry *e = gw_idmap_take(&c->entries, caller_id);
    if (!e)
        return;
    for (uint32_t i = 0; i < gw_callers_n_facts(c); i++)
        unindex_fact(c, e, i);
    needs_forget(c, caller_id);
    entry_free(e);
}

static void index_clear(struct gw_callers *c)
{
    gw_callers_crowds_clear(c);
    gw_callers_index_clear(&c->index);
    for (uint32_t i = 0; i < gw_callers_n_facts(c); i++) {
        free(c->not_known[i].slots);
        free(c->trouble[i].slots);
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
    gw_rules_unref(c->rules);
    c->rules = rules ? gw_rules_ref(rules) : NULL;
    uint32_t n = gw_callers_n_facts(c);
    c->not_known = gw_alloc((n ? n : 1) * sizeof *c->not_known);
    c->trouble = gw_alloc((n ? n : 1) * sizeof *c->trouble);
    uint64_t id;
    void *found;
    for (size_t at = 0; gw_idmap_each(&c->entries, &at, &id, &found);) {
        struct gw_callers_entry *e = found;
        gw_arena_fini(&e->arena);
        gw_arena_init(&e->arena, 0);
        e->n_places = 0; /* the postings are gone */
        facts_eval(c, e);
    }
}

void gw_callers_retry(struct gw_callers *c)
{
    if (c->n_needs > 0)
        return;
    for (uint32_t fact = 0; fact < gw_callers_n_facts(c); fact++) {
        const struct gw_callers_posting *p = &c->trouble[fact];
        for (uint32_t i = 0; i < p->n; i++)
            if (p->slots[i].entry->facts[fact].state == GW_DATUM_UNKNOWN)
                need_add(c, p->slots[i].entry, fact);
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
    struct gw_callers_entry *e = gw_idmap_find(&c->entries, caller_id);
    if (!e || fact >= gw_callers_n_facts(c))
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

bool gw_callers_admits(struct gw_callers *c, const struct gw_plan *plan, const struct gw_formula *f,
                       const struct gw_claims *claims, uint32_t caller_id)
{
    const struct gw_fact *known = gw_callers_facts(c, caller_id);
    struct gw_fact_env env = env_of(c, claims);
    struct gw_arena arena;
    uint32_t n = gw_callers_n_facts(c);
    if (claims->role_id != plan->role_id)
        return false;
    if (known)
        return !gw_callers_has_trouble(c, plan, known) && gw_formula_admits(f, known, n);
    gw_arena_init(&arena, 0);
    struct gw_fact *facts = gw_arena_alloc(&arena, (n ? n : 1) * sizeof *facts);
    for (uint32_t i = 0; i < plan->n_facts; i++)
        if (plan->facts[i] < n)
            facts[plan->facts[i]] = gw_fact_eval(&c->rules->facts[plan->facts[i]], &env, &arena);
    bool admits = !gw_callers_has_trouble(c, plan, facts) && gw_formula_admits(f, facts, n);
    gw_arena_fini(&arena);
    return admits;
}

const struct gw_fact *gw_callers_facts(const struct gw_callers *c, uint32_t caller_id)
{
    const struct gw_callers_entry *e = gw_idmap_find(&c->entries, caller_id);
    return e ? e->facts : NULL;
}

void gw_callers_stats(const struct gw_callers *c, struct gw_callers_stats *out)
{
    *out = (struct gw_callers_stats){.callers = c->entries.count, .index_entries = c->n_postings};
    for (uint32_t i = 0; i < gw_callers_n_facts(c); i++)
        for (uint32_t k = 0; k < c->trouble[i].n; k++) {
            const struct gw_callers_entry *e = c->trouble[i].slots[k].entry;
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
    gw_list_init(&c->crowds);
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
