/* catalog: see the header.
 *
 * DESIGN. Paths are chosen per table and role by Postgres' own rules for row security (CREATE
 * POLICY, "Application of Multiple Policies"): permissive policies are ORed, restrictive ones
 * ANDed, none permissive means nobody. A policy that is the constant true or false is decided here,
 * so a table that is public to a role costs no question. Most roles share their policies, so what
 * was worked out for one role is copied to the next that has the same set. */
#include "gw/catalog.h"

#include "depend_internal.h"
#include "gw/question.h"
#include "lower_internal.h"

#include <assert.h>
#include <stdlib.h>

const char *gw_path_name(enum gw_path path)
{
    switch (path) {
    case GW_PATH_NOBODY:
        return "nobody";
    case GW_PATH_EVERYONE:
        return "everyone";
    case GW_PATH_SOLVED:
        return "solved";
    case GW_PATH_ASSISTED:
        return "assisted";
    case GW_PATH_ASKED:
        return "asked";
    }
    return "unknown";
}

struct gw_catalog *gw_catalog_new(void)
{
    struct gw_catalog *c = gw_alloc(sizeof *c);
    atomic_init(&c->refs, 1);
    gw_arena_init(&c->arena, 0);
    gw_types_init(&c->types);
    gw_idmap_init(&c->by_oid);
    return c;
}

struct gw_catalog *gw_catalog_ref(const struct gw_catalog *c)
{
    struct gw_catalog *shared = (struct gw_catalog *)c; /* only the count changes */
    atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
    return shared;
}

void gw_catalog_unref(const struct gw_catalog *c)
{
    struct gw_catalog *shared = (struct gw_catalog *)c;
    if (!c)
        return;
    uint32_t before = atomic_fetch_sub_explicit(&shared->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1)
        return;
    gw_rules_unref(shared->rules);
    gw_idmap_fini(&shared->by_oid);
    gw_types_fini(&shared->types);
    gw_arena_fini(&shared->arena);
    free(shared);
}

/* ---- paths ---- */

static bool policy_is_for(const struct gw_policy *policy, unsigned role_id)
{
    return (policy->roles >> role_id & 1) != 0;
}

static bool is_always_true(const struct gw_policy *policy)
{
    return gw_span_is(policy->qual, "true");
}

/* What the policies for a role amount to, before any row is looked at. */
static enum gw_path policies_path(const struct gw_catalog_table *t, unsigned role_id)
{
    bool may_pass = false, must_pass = false, is_limited = false;
    for (uint32_t i = 0; i < t->n_policies; i++) {
        const struct gw_policy *policy = &t->policies[i];
        bool is_false = gw_span_is(policy->qual, "false");
        /* One without USING (FOR ALL, WITH CHECK only) neither lets a row pass nor stops it. */
        if (!policy_is_for(policy, role_id) || policy->qual.n == 0)
            continue;
        if (!policy->permissive && is_false)
            return GW_PATH_NOBODY;
        if (!policy->permissive && !is_always_true(policy))
            is_limited = true;
        if (policy->permissive && !is_false)
            may_pass = true;
        if (policy->permissive && is_always_true(policy))
            must_pass = true;
    }
    if (!may_pass)
        return GW_PATH_NOBODY;
    return must_pass && !is_limited ? GW_PATH_EVERYONE : GW_PATH_ASKED;
}

enum gw_path gw_catalog_choose_path(const struct gw_catalog *c, const struct gw_catalog_table *t,
                                    unsigned role_id)
{
    const struct gw_table_access *access = &t->access[role_id];
    bool is_present = (c->roles_present >> role_id & 1) != 0;
    if (!is_present || !access->has_schema_usage || gw_colset_is_empty(&access->columns))
        return GW_PATH_NOBODY;
    if (!t->rls_enabled || access->bypasses_rls)
        return GW_PATH_EVERYONE;
    return policies_path(t, role_id);
}

/* ---- what policies need ---- */

static bool has_same_policies(const struct gw_catalog_table *t, unsigned a, unsigned b)
{
    for (uint32_t i = 0; i < t->n_policies; i++)
        if (policy_is_for(&t->policies[i], a) != policy_is_for(&t->policies[i], b))
            return false;
    return true;
}

static bool is_decided_by_policies(enum gw_path path)
{
    return path == GW_PATH_SOLVED || path == GW_PATH_ASSISTED || path == GW_PATH_ASKED;
}

/* The access of an earlier role about which the same policies decide, or NULL. */
static const struct gw_table_access *same_as_before(const struct gw_catalog_table *t,
                                                    unsigned role_id)
{
    for (unsigned i = 0; i < role_id; i++)
        if (is_decided_by_policies(t->access[i].path) && has_same_policies(t, i, role_id))
            return &t->access[i];
    return NULL;
}

/* Tables nobody may subscribe to are not judged: everything counts as read, nothing as known. */
static void assume_worst(const struct gw_catalog_table *t, struct gw_table_access *access)
{
    for (unsigned i = 0; i < t->n_columns; i++)
        gw_colset_add(&access->reads, i);
    access->depends =
        (struct gw_depends){.unknown = true, .why = GW_SPAN_LIT("the table is not published")};
}

/* Solved policies have a question too: to fall back on, and to be checked by. */
static void prepare_question(struct gw_depend_reader *reader, struct gw_catalog *c,
                          const struct gw_catalog_table *t, unsigned role_id)
{
    struct gw_table_access *access = &t->access[role_id];
    const struct gw_table_access *same = same_as_before(t, role_id);
    struct gw_buf sql;
    if (same) {
        access->question = same->question;
        access->reads = same->reads;
        access->depends = same->depends;
        return;
    }
    if (t->published)
        gw_depend_reader_find(reader, t, role_id, &access->reads, &access->depends);
    else
        assume_worst(t, access);
    gw_buf_init(&sql, 0);
    if (gw_question_write(&sql, t, role_id))
        access->question = gw_arena_copy(&c->arena, gw_buf_span(&sql));
    gw_buf_fini(&sql);
}

static enum gw_path path_of(const struct gw_plan *plan)
{
    switch (plan->path) {
    case GW_PLAN_SOLVED:
        return GW_PATH_SOLVED;
    case GW_PLAN_ASSISTED:
        return GW_PATH_ASSISTED;
    case GW_PLAN_ASKED:
        break;
    }
    return GW_PATH_ASKED;
}

static void finish_access(struct gw_depend_reader *reader, struct gw_catalog *c,
                          const struct gw_catalog_table *t, unsigned role_id)
{
    struct gw_table_access *access = &t->access[role_id];
    access->path = gw_catalog_choose_path(c, t, role_id);
    access->plan = gw_rules_plan(c->rules, t->oid, role_id, false);
    access->question = (struct gw_span){0};
    access->reads = (struct gw_colset){0};
    access->depends = (struct gw_depends){0};
    if (access->path != GW_PATH_ASKED)
        return;
    prepare_question(reader, c, t, role_id);
    if (access->plan)
        access->path = path_of(access->plan);
}

void gw_catalog_finish(struct gw_catalog *c, const struct gw_compile_options *options,
                       const struct gw_rules *previous)
{
    assert(c->n_roles <= GW_ROLES_MAX);
    for (uint32_t i = 0; i < c->n_tables; i++)
        gw_idmap_put(&c->by_oid, c->tables[i].oid, &c->tables[i]);
    gw_rules_unref(c->rules); /* when a test finishes it again */
    c->rules = gw_compile(c, options, previous);
    struct gw_depend_reader *reader = gw_depend_reader_new(c);
    for (uint32_t i = 0; i < c->n_tables; i++)
        for (unsigned role_id = 0; role_id < c->n_roles; role_id++)
            finish_access(reader, c, &c->tables[i], role_id);
    gw_depend_reader_free(reader);
}

/* ---- look-up ---- */

const struct gw_catalog_table *gw_catalog_table_find(const struct gw_catalog *c, uint32_t oid)
{
    return gw_idmap_find(&c->by_oid, oid);
}

const struct gw_catalog_table *gw_catalog_table_named(const struct gw_catalog *c,
                                                      struct gw_span schema, struct gw_span name)
{
    for (uint32_t i = 0; i < c->n_tables; i++)
        if (gw_span_eq(c->tables[i].name, name) && gw_span_eq(c->tables[i].schema, schema))
            return &c->tables[i];
    return NULL;
}

int gw_catalog_column_find(const struct gw_catalog_table *t, struct gw_span name)
{
    for (unsigned i = 0; i < t->n_columns; i++)
        if (gw_span_eq(t->columns[i].name, name))
            return (int)i;
    return -1;
}
