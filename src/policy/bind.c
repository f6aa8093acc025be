/* bind: see bound.h. Here: the binder itself, policies of the table asked about and of inner
 * tables, and the account of what has been used up. */
#include "bind_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void *gw_bind_fail(struct gw_binder *b, const char *fmt, ...)
{
    char text[512];
    va_list args;
    if (b->why.n)
        return NULL;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (b->env && b->env->label)
        gw_buf_printf(&b->why, "%s: ", b->env->label);
    gw_buf_add_str(&b->why, text);
    return NULL;
}

bool gw_bind_enter(struct gw_binder *b)
{
    if (b->depth == GW_BIND_DEPTH_MAX) {
        gw_bind_fail(b, "nested too deeply");
        return false;
    }
    b->depth++;
    return true;
}

/* ---- policies ---- */

struct policy_at {
    const struct gw_catalog_table *table;
    struct gw_bound_var *var;
    struct gw_span name; /* empty: no name to tell */
};

/* The row of the policy's own table: no privilege is needed for its columns. */
static struct gw_bind_scope *row_scope(struct gw_binder *b, const struct policy_at *at)
{
    struct gw_bind_scope *scope = gw_bind_scope_new(b, NULL);
    struct gw_bind_item *item = scope ? gw_bind_item_add(b, scope) : NULL;
    if (!item)
        return NULL;
    item->alias = at->table->name;
    item->schema = at->table->schema;
    item->var = at->var;
    return scope;
}

static struct gw_bound *bind_text(struct gw_binder *b, struct gw_bind_env *env,
                                  const struct policy_at *at, struct gw_span qual)
{
    const struct gw_bind_text *text = gw_bind_parse(b, "SELECT ", qual);
    if (!text)
        return NULL;
    const struct json_t *select = gw_bind_only_select(text);
    const struct json_t *list = gw_bind_member(select, "targetList");
    const struct json_t *target;
    if (gw_bind_size(list) != 1 || gw_bind_member(select, "fromClause"))
        return gw_bind_fail(b, "is not one expression");
    env->sql = text->sql;
    gw_bind_kind(gw_bind_at(list, 0), &target);
    struct gw_bind_scope *scope = row_scope(b, at);
    return scope ? gw_bind_filter(b, scope, gw_bind_member(target, "val")) : NULL;
}

/* One policy, on at->var. The names in it were resolved when it was created; the search_path is the
 * session's, for the functions it calls. */
static struct gw_bound *bind_policy(struct gw_binder *b, const struct policy_at *at,
                                    struct gw_span qual)
{
    const struct gw_bind_env *outer = b->env;
    char label[256];
    struct gw_bind_env env = {.label = label, .is_resolved = true};
    env.n_path = outer ? outer->n_path : b->c->n_search_path;
    env.path = outer ? outer->path : b->c->search_path;
    snprintf(label, sizeof label, "policy %.*s%sof %.*s.%.*s", (int)at->name.n,
             at->name.n ? at->name.p : "", at->name.n ? " " : "", (int)at->table->schema.n,
             at->table->schema.p, (int)at->table->name.n, at->table->name.p);
    if (at->name.n == 0)
        env.label = NULL;
    b->env = &env;
    struct gw_bound *expr = bind_text(b, &env, at, qual);
    b->env = outer;
    return expr;
}

/* Postgres evaluates the restrictive ones by name, the permissive ones with the last name first. */
static struct gw_bound *add_policy(struct gw_binder *b, const struct policy_at *at,
                                   const struct gw_policy *p, struct gw_bound *so_far)
{
    struct gw_bound *expr = bind_policy(b, at, p->qual);
    if (!expr || !so_far)
        return expr;
    return p->permissive ? gw_bind_or(b, expr, so_far) : gw_bind_and(b, so_far, expr);
}

/* All policies of one sort for the role; *expr stays NULL when there is none. A policy without
 * USING shows nothing and restricts nothing. */
static bool add_policies(struct gw_binder *b, const struct policy_at *table_at, bool permissive,
                         struct gw_bound **expr)
{
    const struct gw_catalog_table *t = table_at->table;
    for (uint32_t i = 0; i < t->n_policies; i++) {
        const struct gw_policy *p = &t->policies[i];
        struct policy_at at = *table_at;
        at.name = p->name;
        if (p->permissive != permissive || !(p->roles >> b->role_id & 1) || p->qual.n == 0)
            continue;
        *expr = add_policy(b, &at, p, *expr);
        if (!*expr)
            return false;
    }
    return true;
}

/* Postgres refuses a policy whose table it is already reading policies of. */
static bool push_guard(struct gw_binder *b, const struct gw_catalog_table *t)
{
    for (uint32_t i = 0; i < b->n_guards; i++) {
        if (b->guards[i] != t)
            continue;
        gw_bind_fail(b, "infinite recursion in the policies of %.*s.%.*s", (int)t->schema.n,
                     t->schema.p, (int)t->name.n, t->name.p);
        return false;
    }
    if (b->n_guards == GW_BIND_INLINE_MAX) {
        gw_bind_fail(b, "policies within policies, more than %u", GW_BIND_INLINE_MAX);
        return false;
    }
    b->guards[b->n_guards++] = t;
    return true;
}

struct gw_bound *gw_bind_guard(struct gw_binder *b, const struct gw_catalog_table *t,
                               struct gw_bound_var *var)
{
    struct policy_at at = {.table = t, .var = var};
    struct gw_bound *allowed = NULL, *required = NULL;
    if (!push_guard(b, t))
        return NULL;
    bool ok = add_policies(b, &at, true, &allowed) && add_policies(b, &at, false, &required);
    b->n_guards--;
    if (!ok)
        return NULL;
    if (!allowed)
        return gw_bind_bool(b, false);
    return required ? gw_bind_and(b, required, allowed) : allowed;
}

/* ---- public ---- */

struct gw_binder *gw_binder_new(const struct gw_catalog *c, struct gw_arena *arena)
{
    struct gw_binder *b = gw_alloc(sizeof *b);
    b->c = c;
    b->arena = arena;
    gw_buf_init(&b->why, 0);
    gw_map_init(&b->texts, 0);
    return b;
}

void gw_binder_free(struct gw_binder *b)
{
    size_t at = 0;
    struct gw_span key;
    void *text;
    if (!b)
        return;
    while (gw_map_each(&b->texts, &at, &key, &text))
        gw_bind_text_free(text);
    gw_map_fini(&b->texts);
    gw_buf_fini(&b->why);
    free(b);
}

struct gw_bound_result gw_bind_policy(struct gw_binder *b, const struct gw_catalog_table *table,
                                      unsigned role_id, struct gw_span qual,
                                      struct gw_bound_var *row, uint32_t *next_var)
{
    struct policy_at at = {.table = table, .var = row};
    struct gw_bound_result result = {0};
    b->role_id = role_id;
    b->next_var = next_var;
    b->env = NULL;
    b->n_nodes = b->depth = b->n_inlined = b->n_guards = 0;
    b->is_filter = false;
    gw_buf_reset(&b->why);
    if (qual.n == 0)
        gw_bind_fail(b, "the policy has no expression");
    else if (push_guard(b, table))
        result.expr = bind_policy(b, &at, qual);
    if (result.expr)
        gw_bind_check_tree(b, result.expr);
    if (b->why.n == 0 && !result.expr)
        gw_bind_fail(b, "out of memory");
    if (b->why.n) {
        result.expr = NULL;
        result.why = gw_arena_copy(b->arena, gw_buf_span(&b->why));
    }
    return result;
}
