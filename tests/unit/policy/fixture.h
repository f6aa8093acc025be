/* fixture: catalogs for the tests of src/policy, built by hand instead of from a database.
 *
 * Texts are written as pg_get_expr and pg_get_functiondef print them under an empty search_path. */
#ifndef GW_TEST_POLICY_FIXTURE_H
#define GW_TEST_POLICY_FIXTURE_H

#include "gw/catalog.h"

#include <assert.h>
#include <stdlib.h>

enum { ANON, AUTHENTICATED, SERVICE, N_ROLES };
#define BIT(role) (UINT64_C(1) << (role))
#define FX_TABLES_MAX 32
#define FX_FUNCTIONS_MAX 320
#define FX_POLICIES_MAX 8

static inline struct gw_span fx_copy(struct gw_catalog *c, const char *text)
{
    return gw_arena_copy(&c->arena, gw_span_of(text));
}

static inline struct gw_catalog *fx_catalog(void)
{
    struct gw_catalog *c = gw_catalog_new();
    static const char *const ROLES[N_ROLES] = {"anon", "authenticated", "service_role"};
    c->n_roles = N_ROLES;
    for (int i = 0; i < N_ROLES; i++)
        c->roles[i] = fx_copy(c, ROLES[i]);
    c->roles_present = BIT(ANON) | BIT(AUTHENTICATED) | BIT(SERVICE);
    c->tables = gw_arena_alloc(&c->arena, FX_TABLES_MAX * sizeof *c->tables);
    c->functions = gw_arena_alloc(&c->arena, FX_FUNCTIONS_MAX * sizeof *c->functions);
    return c;
}

/* columns: names joined by blanks, e.g. "id user_id"; type int8 each. Published, RLS on, every role
 * may SELECT every column, no policy. */
static inline struct gw_catalog_table *fx_table(struct gw_catalog *c, const char *schema,
                                                const char *name, const char *columns)
{
    assert(c->n_tables < FX_TABLES_MAX);
    struct gw_catalog_table *t = &c->tables[c->n_tables++];
    t->oid = 16000 + c->n_tables;
    t->schema = fx_copy(c, schema);
    t->name = fx_copy(c, name);
    t->published = t->rls_enabled = true;
    t->columns = gw_arena_alloc(&c->arena, (strlen(columns) + 1) * sizeof *t->columns);
    t->policies = gw_arena_alloc(&c->arena, FX_POLICIES_MAX * sizeof *t->policies);
    t->access = gw_arena_alloc(&c->arena, N_ROLES * sizeof *t->access);
    for (int role = 0; role < N_ROLES; role++)
        t->access[role].has_schema_usage = true;
    for (const char *p = columns; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        struct gw_catalog_column *column = &t->columns[t->n_columns++];
        column->name = gw_arena_copy(&c->arena, (struct gw_span){p, n});
        column->attnum = (int16_t)t->n_columns;
        column->type_oid = 20;
        for (int role = 0; role < N_ROLES; role++)
            gw_colset_add(&t->access[role].columns, (unsigned)t->n_columns - 1);
        p += n;
    }
    return t;
}

static inline struct gw_policy *fx_policy(struct gw_catalog *c, struct gw_catalog_table *t,
                                          uint64_t roles, const char *qual)
{
    assert(t->n_policies < FX_POLICIES_MAX);
    struct gw_policy *policy = &t->policies[t->n_policies++];
    *policy = (struct gw_policy){
        .name = fx_copy(c, "p"), .permissive = true, .roles = roles, .qual = fx_copy(c, qual)};
    return policy;
}

static inline struct gw_catalog_function *fx_function(struct gw_catalog *c, const char *schema,
                                                      const char *name, const char *language,
                                                      const char *definition, const char *body)
{
    assert(c->n_functions < FX_FUNCTIONS_MAX);
    struct gw_catalog_function *f = &c->functions[c->n_functions++];
    *f = (struct gw_catalog_function){.oid = 17000 + c->n_functions,
                                      .schema = fx_copy(c, schema),
                                      .name = fx_copy(c, name),
                                      .language = fx_copy(c, language),
                                      .volatility = 's',
                                      .definition = fx_copy(c, definition),
                                      .body = fx_copy(c, body)};
    return f;
}

/* A plpgsql function without parameters that matter. */
static inline struct gw_catalog_function *fx_plpgsql(struct gw_catalog *c, const char *name,
                                                     const char *body)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_buf_printf(&b,
                  "CREATE OR REPLACE FUNCTION public.%s(p_user uuid, p_trip bigint)\n RETURNS "
                  "boolean\n LANGUAGE plpgsql\n STABLE\nAS $function$%s$function$\n",
                  name, body);
    struct gw_catalog_function *f =
        fx_function(c, "public", name, "plpgsql", gw_buf_cstr(&b), body);
    gw_buf_fini(&b);
    return f;
}

static inline struct gw_catalog_function *fx_sql(struct gw_catalog *c, const char *schema,
                                                 const char *name, const char *body)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_buf_printf(&b,
                  "CREATE OR REPLACE FUNCTION %s.%s()\n RETURNS text\n LANGUAGE sql\n STABLE\nAS "
                  "$function$%s$function$\n",
                  schema, name, body);
    struct gw_catalog_function *f = fx_function(c, schema, name, "sql", gw_buf_cstr(&b), body);
    gw_buf_fini(&b);
    return f;
}

/* Names of the columns in set, joined by blanks; owned. */
static inline char *fx_columns(const struct gw_catalog_table *t, const struct gw_colset *set)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    for (unsigned i = 0; i < t->n_columns; i++) {
        if (!gw_colset_has(set, i))
            continue;
        if (b.n)
            gw_buf_add_byte(&b, ' ');
        gw_buf_add_span(&b, t->columns[i].name);
    }
    char *text = gw_strdup_span(gw_buf_span(&b));
    gw_buf_fini(&b);
    return text;
}

static inline const struct gw_lookup *fx_lookup(const struct gw_depends *d, uint32_t oid)
{
    for (uint32_t i = 0; i < d->n_lookups; i++)
        if (d->lookups[i].rel_oid == oid)
            return &d->lookups[i];
    return NULL;
}

/* "trips(id,user_id) profiles(*)", in catalog order; owned. */
static inline char *fx_lookups(const struct gw_catalog *c, const struct gw_depends *d)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    for (uint32_t i = 0; i < c->n_tables; i++) {
        const struct gw_lookup *lookup = fx_lookup(d, c->tables[i].oid);
        if (!lookup)
            continue;
        if (b.n)
            gw_buf_add_byte(&b, ' ');
        gw_buf_add_span(&b, c->tables[i].name);
        gw_buf_add_str(&b, lookup->all_columns ? "(*" : "(");
        for (uint32_t k = 0; k < lookup->n_columns; k++) {
            if (k)
                gw_buf_add_byte(&b, ',');
            gw_buf_add_span(&b, lookup->columns[k]);
        }
        gw_buf_add_byte(&b, ')');
    }
    char *text = gw_strdup_span(gw_buf_span(&b));
    gw_buf_fini(&b);
    return text;
}

#endif
