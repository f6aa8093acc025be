/* compile: plans for all tables and roles; see gw/compile.h.
 *
 * DESIGN. One plan per table and role that policies decide about. Each policy is bound and lowered
 * by itself; the plan is OR of the permissive and AND of the restrictive ones. If one of them
 * cannot be compiled the whole plan is asked, because Postgres answers for all of them at once
 * anyhow, and what the others would have needed of the access state is taken back. */
#include "lower_internal.h"
#include "rules_own.h"

#include <stdlib.h>

#define SCRATCH_MAX ((size_t)32 << 20) /* bytes of bound trees kept before starting afresh */

/* A policy for SELECT or, of realtime.messages, a check for INSERT. */
struct policy {
    struct gw_span name, text;
    bool permissive;
};

struct compiler {
    const struct gw_catalog *c;
    struct gw_lower_rules lower;
    struct gw_arena scratch;
    struct gw_binder *binder;
    struct gw_plan *plans; /* owned until they are in the rules */
    uint32_t n_plans, cap_plans;
};

/* ---- settings ---- */

/* "app.tenant_id=org_id,…" */
static void take_settings(struct compiler *k, const struct gw_compile_options *options)
{
    const char *at = options && options->claim_settings ? options->claim_settings : "";
    struct gw_arena *arena = &k->lower.rules->arena;
    k->lower.settings = gw_arena_alloc(arena, (strlen(at) + 1) * sizeof *k->lower.settings);
    while (*at) {
        size_t n = strcspn(at, ",");
        const char *equals = memchr(at, '=', n);
        if (equals) {
            size_t name = (size_t)(equals - at);
            k->lower.settings[k->lower.n_settings++] = (struct gw_fact_setting){
                .setting = gw_arena_copy(arena, (struct gw_span){at, name}),
                .claim = gw_arena_copy(arena, (struct gw_span){equals + 1, n - name - 1}),
            };
        }
        at += n + (at[n] == ',');
    }
}

/* ---- policies ---- */

/* One without an expression (FOR ALL with CHECK only) neither lets a row pass nor stops it:
 * Postgres collects expressions (add_security_quals, add_with_check_options in rowsecurity.c). */
static uint32_t policies_for(struct compiler *k, const struct gw_catalog_table *t,
                             const struct gw_plan *plan, struct policy **out)
{
    uint32_t most = plan->is_write ? t->n_checks : t->n_policies, n = 0;
    *out = gw_arena_alloc(&k->scratch, (most + 1) * sizeof **out);
    for (uint32_t i = 0; i < most; i++) {
        uint64_t roles = plan->is_write ? t->checks[i].roles : t->policies[i].roles;
        struct policy *p = &(*out)[n];
        if (plan->is_write)
            *p = (struct policy){t->checks[i].name, t->checks[i].check, t->checks[i].permissive};
        else
            *p = (struct policy){t->policies[i].name, t->policies[i].qual,
                                 t->policies[i].permissive};
        n += (roles >> plan->role_id & 1) != 0 && p->text.n > 0;
    }
    return n;
}

static struct gw_expr *lower_text(struct compiler *k, struct gw_lower *l,
                                  const struct gw_catalog_table *t, const struct policy *p)
{
    struct gw_bound_var *row = gw_arena_alloc(&k->scratch, sizeof *row);
    uint32_t next_var = 1;
    gw_lower_next(l, p->name);
    row->table = t;
    struct gw_bound_result bound =
        gw_bind_policy(k->binder, t, l->role_id, p->text, row, &next_var);
    if (bound.expr)
        return gw_lower_policy(l, bound.expr);
    struct gw_span why = bound.why.n ? bound.why : GW_SPAN_LIT("cannot be read");
    return gw_lower_refuse(l, "%.*s", (int)why.n, why.p);
}

static struct gw_plan_policy compile_policy(struct compiler *k, struct gw_lower *l,
                                            const struct gw_catalog_table *t,
                                            const struct policy *p)
{
    struct gw_arena *arena = &k->lower.rules->arena;
    struct gw_plan_policy out = {.name = gw_arena_copy(arena, p->name),
                                 .permissive = p->permissive};
    out.expr = lower_text(k, l, t, p);
    if (!out.expr) {
        out.path = GW_PLAN_ASKED;
        out.why = l->why;
        return out;
    }
    bool is_assisted = gw_lower_is_assisted(&k->lower, out.expr);
    out.path = is_assisted ? GW_PLAN_ASSISTED : GW_PLAN_SOLVED;
    out.why = gw_arena_copy(arena, gw_buf_span(&l->notes));
    return out;
}

/* ---- plans ---- */

/* In Postgres' order, which decides what is not evaluated and so cannot raise: the restrictive ones
 * first, by name; then the permissive ones, the last name first (relcache puts each before those it
 * has read). */
static struct gw_expr *combine(struct compiler *k, struct gw_lower *l, const struct gw_plan *plan)
{
    uint32_t n = plan->n_policies, n_any = 0, n_all = 0;
    struct gw_expr **any = gw_arena_alloc(&k->scratch, (n + 1) * sizeof(struct gw_expr *));
    struct gw_expr **all = gw_arena_alloc(&k->scratch, (n + 1) * sizeof(struct gw_expr *));
    for (uint32_t i = 0; i < n; i++) {
        const struct gw_plan_policy *first = &plan->policies[i], *last = &plan->policies[n - 1 - i];
        if (!first->permissive)
            all[n_all++] = first->expr;
        if (last->permissive)
            any[n_any++] = last->expr;
    }
    all[n_all++] = gw_lower_join(l, GW_EXPR_OR, any, n_any);
    return gw_lower_join(l, GW_EXPR_AND, all, n_all);
}

static void ask(struct gw_plan *plan, struct gw_span why)
{
    plan->path = GW_PLAN_ASKED;
    plan->why = why;
    plan->expr = NULL;
    for (uint32_t i = 0; i < plan->n_policies; i++)
        plan->policies[i].expr = NULL; /* its tables are taken back */
}

static void conclude(struct compiler *k, struct gw_lower *l, struct gw_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_policies; i++)
        if (plan->policies[i].path == GW_PLAN_ASKED) {
            ask(plan, plan->policies[i].why);
            return;
        }
    plan->expr = combine(k, l, plan);
    if (!plan->expr) {
        ask(plan, l->why.n ? l->why : GW_SPAN_LIT("the policies together are too large"));
        return;
    }
    plan->path = gw_lower_is_assisted(&k->lower, plan->expr) ? GW_PLAN_ASSISTED : GW_PLAN_SOLVED;
    plan->n_slots = l->n_slots;
    gw_lower_find_uses(&k->lower, plan);
}

/* Bound trees of earlier plans are not needed any more. */
static void renew_scratch(struct compiler *k)
{
    if (k->binder && k->scratch.used_bytes < SCRATCH_MAX)
        return;
    gw_binder_free(k->binder);
    gw_arena_fini(&k->scratch);
    gw_arena_init(&k->scratch, 0);
    k->binder = gw_binder_new(k->c, &k->scratch);
}

static bool is_messages(const struct gw_catalog_table *t)
{
    return gw_span_is(t->schema, "realtime") && gw_span_is(t->name, "messages");
}

static void add_plan(struct compiler *k, const struct gw_catalog_table *t, unsigned role_id,
                     bool is_write)
{
    struct gw_plan plan = {.rel_oid = t->oid, .role_id = (uint16_t)role_id, .is_write = is_write};
    struct policy *policies;
    struct gw_lower l;
    renew_scratch(k);
    gw_lower_init(&l, &k->lower, role_id, is_messages(t));
    struct gw_lower_mark *mark = gw_lower_mark(&k->lower);
    plan.n_policies = policies_for(k, t, &plan, &policies);
    plan.policies =
        gw_arena_alloc(&k->lower.rules->arena, (plan.n_policies + 1) * sizeof *plan.policies);
    for (uint32_t i = 0; i < plan.n_policies; i++)
        plan.policies[i] = compile_policy(k, &l, t, &policies[i]);
    conclude(k, &l, &plan);
    if (plan.path == GW_PLAN_ASKED)
        gw_lower_rollback(&k->lower, mark);
    gw_lower_fini(&l);
    if (k->n_plans == k->cap_plans) {
        k->cap_plans = k->cap_plans ? k->cap_plans * 2 : 32;
        k->plans = gw_realloc(k->plans, k->cap_plans * sizeof *k->plans);
    }
    k->plans[k->n_plans++] = plan;
}

/* ---- all ---- */

static bool has_write_plan(const struct gw_catalog *c, const struct gw_catalog_table *t,
                           unsigned role_id)
{
    const struct gw_table_access *access = &t->access[role_id];
    bool is_present = (c->roles_present >> role_id & 1) != 0;
    return is_messages(t) && is_present && access->has_schema_usage && access->may_insert &&
           t->rls_enabled && !access->bypasses_rls;
}

static void add_plans(struct compiler *k, const struct gw_catalog_table *t)
{
    for (unsigned role_id = 0; role_id < k->c->n_roles; role_id++) {
        bool is_wanted = t->published || is_messages(t);
        if (is_wanted && gw_catalog_choose_path(k->c, t, role_id) == GW_PATH_ASKED)
            add_plan(k, t, role_id, false);
        if (has_write_plan(k->c, t, role_id))
            add_plan(k, t, role_id, true);
    }
}

static void finish(struct compiler *k)
{
    struct gw_rules *rules = k->lower.rules;
    gw_lower_rules_finish(&k->lower);
    rules->n_plans = k->n_plans;
    rules->plans = gw_arena_alloc(&rules->arena, k->n_plans * sizeof *rules->plans);
    if (k->n_plans)
        memcpy(rules->plans, k->plans, k->n_plans * sizeof *rules->plans);
    gw_rules_index(rules);
    gw_binder_free(k->binder);
    gw_arena_fini(&k->scratch);
    free(k->plans);
}

struct gw_rules *gw_compile(const struct gw_catalog *c, const struct gw_compile_options *options,
                            const struct gw_rules *previous)
{
    uint64_t fingerprint[2];
    gw_compile_fingerprint(c, options, fingerprint);
    if (previous && memcmp(previous->fingerprint, fingerprint, sizeof fingerprint) == 0)
        return gw_rules_ref(previous);
    struct compiler k = {.c = c};
    gw_arena_init(&k.scratch, 0);
    k.lower = (struct gw_lower_rules){.catalog = c, .rules = gw_rules_new(), .scratch = &k.scratch};
    memcpy(k.lower.rules->fingerprint, fingerprint, sizeof fingerprint);
    take_settings(&k, options);
    for (uint32_t i = 0; i < c->n_tables; i++)
        add_plans(&k, &c->tables[i]);
    finish(&k);
    return k.lower.rules;
}
