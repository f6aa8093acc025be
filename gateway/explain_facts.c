/* explain_facts: what is true of the caller, once as serve works it out from the claims, once as
 * Postgres evaluates the same expression. The two are shown side by side if they are not the same:
 * a fact that is wrong makes every answer that rests on it wrong. */
#include "explain_own.h"

static bool is_trouble(const struct gw_fact *f)
{
    return f->state == GW_DATUM_UNKNOWN || f->state == GW_DATUM_ERROR;
}

static bool is_same(const struct gw_fact *a, const struct gw_fact *b)
{
    if (a->state != b->state || a->n != b->n || a->has_null != b->has_null)
        return false;
    for (uint32_t i = 0; a->state == GW_DATUM_VALUE && i < a->n; i++)
        if (!gw_key_eq(a->keys[i], b->keys[i]))
            return false;
    return true;
}

static struct gw_fact fact_of(struct gw_explain *x, const struct gw_fact_def *def,
                              const struct gw_datum *d)
{
    if (d->state != GW_DATUM_NULL && d->state != GW_DATUM_VALUE)
        return (struct gw_fact){.state = d->state};
    return gw_fact_from_text(def, d->text, d->state == GW_DATUM_NULL, &x->arena);
}

static void find_fact(struct gw_explain *x, struct gw_explain_facts *facts, uint32_t i)
{
    const struct gw_fact_def *def = &x->catalog->rules->facts[i];
    const struct gw_fact_env env = {x->claims, x->claim_settings, x->n_claim_settings};
    const struct gw_explain_eval eval = {.sql = def->sql, .as_caller = true};
    struct gw_err why = {0};
    facts->facts[i] = gw_fact_eval(def, &env, &x->arena);
    facts->texts[i] = gw_explain_eval(x, &eval, &why);
    struct gw_fact asked = fact_of(x, def, &facts->texts[i]);
    if (facts->facts[i].state == GW_DATUM_UNKNOWN)
        facts->facts[i] = asked; /* as serve does */
    facts->differ[i] = asked.state != GW_DATUM_UNKNOWN && !is_same(&facts->facts[i], &asked);
}

struct gw_explain_facts *gw_explain_find_facts(struct gw_explain *x, const struct gw_plan *plan)
{
    struct gw_explain_facts *facts = gw_arena_alloc(&x->arena, sizeof *facts);
    size_t n = x->catalog->rules->n_facts + 1u;
    facts->facts = gw_arena_alloc(&x->arena, n * sizeof *facts->facts);
    facts->texts = gw_arena_alloc(&x->arena, n * sizeof *facts->texts);
    facts->differ = gw_arena_alloc(&x->arena, n * sizeof *facts->differ);
    facts->trouble = UINT32_MAX;
    for (uint32_t i = 0; i < plan->n_facts; i++) {
        find_fact(x, facts, plan->facts[i]);
        if (is_trouble(&facts->facts[plan->facts[i]]) && facts->trouble == UINT32_MAX)
            facts->trouble = plan->facts[i];
    }
    return facts;
}
