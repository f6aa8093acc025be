/* catalog_fixture: catalogs from literals, for the tests of what is compiled from a catalog.
 *
 * A table is "public.trips" with "id int8!, user_id uuid" (! is NOT NULL; the first column is the
 * primary key); a function is written as its parts, in whose order pg_get_functiondef prints them.
 * Tables come with RLS on, no policy, and SELECT for every role. */
#ifndef GW_TEST_CATALOG_FIXTURE_H
#define GW_TEST_CATALOG_FIXTURE_H

#include "gw/catalog.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>

enum { CF_ANON, CF_USER, CF_SERVICE, CF_ROLES };
#define CF_BIT(role) (UINT64_C(1) << (role))
#define CF_ALL (CF_BIT(CF_ANON) | CF_BIT(CF_USER) | CF_BIT(CF_SERVICE))
#define CF_MAX 64
#define CF_OWNER 10u /* of tables and functions, no superuser */

static inline struct gw_span cf_copy(struct gw_catalog *c, const char *text)
{
    return gw_arena_copy(&c->arena, gw_span_of(text));
}

/* search_path "$user", public, as shipped. */
static inline struct gw_catalog *cf_catalog(void)
{
    static const char *const ROLES[] = {"anon", "authenticated", "service_role"};
    struct gw_catalog *c = gw_catalog_new();
    c->n_roles = CF_ROLES;
    for (int i = 0; i < CF_ROLES; i++)
        c->roles[i] = cf_copy(c, ROLES[i]);
    c->roles_present = CF_ALL;
    c->tables = gw_arena_alloc(&c->arena, CF_MAX * sizeof *c->tables);
    c->functions = gw_arena_alloc(&c->arena, CF_MAX * sizeof *c->functions);
    c->views = gw_arena_alloc(&c->arena, CF_MAX * sizeof *c->views);
    c->type_names = gw_arena_alloc(&c->arena, CF_MAX * sizeof *c->type_names);
    c->search_path = gw_arena_alloc(&c->arena, sizeof *c->search_path);
    c->search_path[0] = cf_copy(c, "public");
    c->n_search_path = 1;
    return c;
}

/* "public.trips" → schema, name. */
static inline void cf_split(struct gw_catalog *c, const char *dotted, struct gw_span *schema,
                            struct gw_span *name)
{
    const char *dot = strchr(dotted, '.');
    assert(dot);
    *schema = gw_arena_copy(&c->arena, (struct gw_span){dotted, (size_t)(dot - dotted)});
    *name = cf_copy(c, dot + 1);
}

/* A type of the user's; base 0: its own. */
static inline uint32_t cf_type(struct gw_catalog *c, const char *dotted, enum gw_type_kind kind,
                               uint32_t inner)
{
    assert(c->n_type_names < CF_MAX);
    struct gw_catalog_type *t = &c->type_names[c->n_type_names++];
    t->oid = 20000 + c->n_type_names;
    cf_split(c, dotted, &t->schema, &t->name);
    struct gw_type type = {
        .oid = t->oid, .kind = kind, .name = t->name, .inner_oid = inner, .delimiter = ','};
    gw_types_add(&c->types, &type);
    return t->oid;
}

/* By typname, of any schema; "text[]" by its element. */
static inline uint32_t cf_type_find(struct gw_catalog *c, const char *name, size_t n)
{
    bool is_array = n > 2 && name[n - 1] == ']';
    struct gw_span want = {name, is_array ? n - 2 : n};
    size_t at = 0;
    uint64_t key;
    void *value;
    uint32_t found = 0;
    while (gw_idmap_each(&c->types.by_oid, &at, &key, &value))
        if (gw_span_eq(((struct gw_type *)value)->name, want))
            found = ((struct gw_type *)value)->oid;
    assert(found);
    for (at = 0; is_array && gw_idmap_each(&c->types.by_oid, &at, &key, &value);) {
        struct gw_type *t = value;
        if (t->kind == GW_TYPE_ARRAY && t->inner_oid == found)
            return t->oid;
    }
    return found;
}

/* One "name type!" of a list; *p moves behind it. */
static inline bool cf_next(const char **p, struct gw_span *name, struct gw_span *type)
{
    *p += strspn(*p, " ,");
    *name = (struct gw_span){*p, strcspn(*p, " ,")};
    *p += name->n;
    *p += strspn(*p, " ");
    *type = (struct gw_span){*p, strcspn(*p, ",")};
    *p += type->n;
    return name->n > 0;
}

static inline struct gw_catalog_table *cf_table(struct gw_catalog *c, const char *dotted,
                                                const char *columns)
{
    assert(c->n_tables < CF_MAX);
    struct gw_catalog_table *t = &c->tables[c->n_tables++];
    struct gw_span name, type;
    t->oid = 16400 + c->n_tables;
    t->row_type_oid = 18000 + c->n_tables;
    t->owner_oid = CF_OWNER;
    t->published = t->rls_enabled = t->has_identity = true;
    t->replica_identity = 'f';
    cf_split(c, dotted, &t->schema, &t->name);
    t->columns = gw_arena_alloc(&c->arena, CF_MAX * sizeof *t->columns);
    t->policies = gw_arena_alloc(&c->arena, CF_MAX * sizeof *t->policies);
    t->access = gw_arena_alloc(&c->arena, CF_ROLES * sizeof *t->access);
    for (const char *p = columns; cf_next(&p, &name, &type);) {
        struct gw_catalog_column *column = &t->columns[t->n_columns++];
        column->is_not_null = type.n && type.p[type.n - 1] == '!';
        type.n -= column->is_not_null;
        column->name = gw_arena_copy(&c->arena, name);
        column->attnum = (int16_t)t->n_columns;
        column->type_oid = cf_type_find(c, type.p, type.n);
        column->type_name = gw_arena_copy(&c->arena, type);
        column->in_primary_key = t->n_columns == 1;
        column->in_identity = true;
    }
    for (int role = 0; role < CF_ROLES; role++) {
        t->access[role].has_schema_usage = true;
        for (unsigned i = 0; i < t->n_columns; i++)
            gw_colset_add(&t->access[role].columns, i);
    }
    gw_idmap_put(&c->by_oid, t->oid, t);
    return t;
}

static inline struct gw_policy *cf_policy(struct gw_catalog *c, struct gw_catalog_table *t,
                                          const char *name, const char *qual)
{
    assert(t->n_policies < CF_MAX);
    struct gw_policy *p = &t->policies[t->n_policies++];
    *p = (struct gw_policy){
        .name = cf_copy(c, name), .permissive = true, .roles = CF_ALL, .qual = cf_copy(c, qual)};
    return p;
}

static inline void cf_view(struct gw_catalog *c, const char *dotted)
{
    struct gw_catalog_view *v = &c->views[c->n_views++];
    cf_split(c, dotted, &v->schema, &v->name);
}

struct cf_function {
    const char *name;     /* "public.f" */
    const char *args;     /* "p_user uuid, p_trip int8 DEFAULT 1" */
    const char *returns;  /* "bool", "SETOF uuid", "TABLE(a uuid)" */
    const char *language; /* NULL: sql */
    const char *body;     /* of the old style; NULL: atomic stands */
    const char *atomic;   /* "BEGIN ATOMIC … END" or "RETURN …" */
    const char *path;     /* SET search_path: one schema, or "" */
    char volatility;      /* 0: s */
    bool is_definer, is_strict;
};

static inline void cf_function_text(struct gw_catalog *c, struct gw_catalog_function *f,
                                    const struct cf_function *of)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_buf_printf(&b, "CREATE OR REPLACE FUNCTION %s(%s)\n RETURNS %s\n LANGUAGE %.*s\n", of->name,
                  of->args ? of->args : "", of->returns, (int)f->language.n, f->language.p);
    if (of->body)
        gw_buf_printf(&b, "AS $function$%s$function$\n", of->body);
    else
        gw_buf_printf(&b, "%s\n", of->atomic);
    f->definition = gw_arena_copy(&c->arena, gw_buf_span(&b));
    f->body = cf_copy(c, of->body ? of->body : "");
    gw_buf_fini(&b);
}

static inline void cf_function_args(struct gw_catalog *c, struct gw_catalog_function *f,
                                    const char *args)
{
    struct gw_span name, type;
    f->arg_types = gw_arena_alloc(&c->arena, CF_MAX * sizeof *f->arg_types);
    f->arg_names = gw_arena_alloc(&c->arena, CF_MAX * sizeof *f->arg_names);
    for (const char *p = args ? args : ""; cf_next(&p, &name, &type);) {
        const char *value = memmem(type.p, type.n, " DEFAULT ", 9);
        f->n_defaults = (uint16_t)(f->n_defaults + (value != NULL));
        f->arg_names[f->n_args] = gw_arena_copy(&c->arena, name);
        f->arg_types[f->n_args++] =
            cf_type_find(c, type.p, value ? (size_t)(value - type.p) : type.n);
    }
}

static inline void cf_function_result(struct gw_catalog *c, struct gw_catalog_function *f,
                                      const char *returns)
{
    bool is_table = strncmp(returns, "TABLE(", 6) == 0;
    const char *type = returns;
    f->returns_set = is_table || strncmp(returns, "SETOF ", 6) == 0;
    f->is_plain = !is_table;
    if (f->returns_set)
        type += 6;
    if (is_table && strchr(type, ','))
        f->return_type = 2249; /* record */
    else if (is_table)
        f->return_type =
            cf_type_find(c, strchr(type, ' ') + 1, strcspn(strchr(type, ' ') + 1, ")"));
    else
        f->return_type = cf_type_find(c, type, strlen(type));
}

static inline struct gw_catalog_function *cf_function(struct gw_catalog *c, struct cf_function of)
{
    assert(c->n_functions < CF_MAX);
    struct gw_catalog_function *f = &c->functions[c->n_functions++];
    f->oid = 17000 + c->n_functions;
    cf_split(c, of.name, &f->schema, &f->name);
    f->language = cf_copy(c, of.language ? of.language : "sql");
    f->volatility = of.volatility ? of.volatility : 's';
    f->is_definer = of.is_definer;
    f->is_strict = of.is_strict;
    f->owner_oid = CF_OWNER;
    f->executable = CF_ALL;
    f->has_search_path = of.path != NULL;
    f->n_search_path = of.path && *of.path ? 1 : 0;
    f->search_path = gw_arena_alloc(&c->arena, sizeof *f->search_path);
    f->search_path[0] = cf_copy(c, of.path ? of.path : "");
    cf_function_args(c, f, of.args);
    cf_function_result(c, f, of.returns);
    cf_function_text(c, f, &of);
    return f;
}

/* auth.uid(), auth.role(), auth.jwt(), auth.email() as Supabase has them. */
static inline void cf_auth(struct gw_catalog *c)
{
    cf_function(c, (struct cf_function){
                       .name = "auth.uid",
                       .returns = "uuid",
                       .body = "\n  select \n  coalesce(\n    nullif(current_setting("
                               "'request.jwt.claim.sub', true), ''),\n    (nullif("
                               "current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')"
                               "\n  )::uuid\n"});
    cf_function(c, (struct cf_function){.name = "auth.jwt",
                                        .returns = "jsonb",
                                        .body = "select nullif(current_setting("
                                                "'request.jwt.claims', true), '')::jsonb"});
    cf_function(c, (struct cf_function){.name = "auth.role",
                                        .returns = "text",
                                        .body = "select auth.jwt() ->> 'role'"});
    cf_function(c, (struct cf_function){.name = "auth.email",
                                        .returns = "text",
                                        .body = "select auth.jwt() ->> 'email'"});
}

#endif
