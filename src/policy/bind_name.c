/* bind_name: tables by name, columns by scope, parameters and variables by name.
 *
 * As parse_relation.c and parse_expr.c of Postgres do it: a column of the innermost sub-select that
 * has one, then a whole row by its alias, then a parameter. In plpgsql a name that is a column and
 * a variable at once is an error. */
#include "bind_internal.h"

/* ---- tables ---- */

static const struct gw_catalog_table *table_in(const struct gw_binder *b, struct gw_span schema,
                                               struct gw_span name)
{
    for (uint32_t i = 0; i < b->c->n_tables; i++) {
        const struct gw_catalog_table *t = &b->c->tables[i];
        if (gw_span_eq(t->name, name) && gw_span_eq(t->schema, schema))
            return t;
    }
    return NULL;
}

static bool is_view_in(const struct gw_binder *b, struct gw_span schema, struct gw_span name)
{
    for (uint32_t i = 0; i < b->c->n_views; i++)
        if (gw_span_eq(b->c->views[i].name, name) && gw_span_eq(b->c->views[i].schema, schema))
            return true;
    return false;
}

static bool may_use_schema(const struct gw_binder *b, const struct gw_catalog_table *t)
{
    return b->env->definer || t->access[b->role_id].has_schema_usage;
}

static const struct gw_catalog_table *fail_table(struct gw_binder *b, const char *what,
                                                 struct gw_span schema, struct gw_span name)
{
    return gw_bind_fail(b, "reads %.*s%s%.*s, %s", (int)schema.n, schema.n ? schema.p : "",
                        schema.n ? "." : "", (int)name.n, name.p, what);
}

/* *t stays NULL when the schema has nothing of that name that may be seen. */
static bool look_in(struct gw_binder *b, struct gw_span schema, struct gw_span name,
                    const struct gw_catalog_table **t)
{
    if (is_view_in(b, schema, name)) {
        fail_table(b, "a view or a foreign table", schema, name);
        return false;
    }
    *t = table_in(b, schema, name);
    if (*t && (*t)->has_children) {
        fail_table(b, "which is partitioned or inherited from", schema, name);
        return false;
    }
    return true;
}

static const struct gw_catalog_table *find_qualified(struct gw_binder *b, struct gw_span schema,
                                                     struct gw_span name)
{
    const struct gw_catalog_table *t;
    if (!look_in(b, schema, name, &t))
        return NULL;
    if (!t)
        return fail_table(b, "which is no known table", schema, name);
    if (!b->env->is_resolved && !may_use_schema(b, t))
        return gw_bind_fail(b, "role %.*s may not use the schema %.*s",
                            (int)b->c->roles[b->role_id].n, b->c->roles[b->role_id].p,
                            (int)schema.n, schema.p);
    return t;
}

/* Schemas that may not be used are not looked into. */
static const struct gw_catalog_table *find_by_path(struct gw_binder *b, struct gw_span name)
{
    uint32_t n = b->env->is_resolved ? 0 : b->env->n_path;
    for (uint32_t i = 0; i < n; i++) {
        const struct gw_catalog_table *t;
        if (!look_in(b, b->env->path[i], name, &t))
            return NULL;
        if (t && may_use_schema(b, t))
            return t;
    }
    return fail_table(b, "which is no known table", (struct gw_span){0}, name);
}

const struct gw_catalog_table *gw_bind_table(struct gw_binder *b, struct gw_span schema,
                                             struct gw_span name)
{
    return schema.n ? find_qualified(b, schema, name) : find_by_path(b, name);
}

/* ---- scopes ---- */

struct gw_bind_scope *gw_bind_scope_new(struct gw_binder *b, struct gw_bind_scope *up)
{
    struct gw_bind_scope *scope = gw_arena_alloc(b->arena, sizeof *scope);
    if (scope)
        scope->up = up;
    return scope;
}

struct gw_bind_item *gw_bind_item_add(struct gw_binder *b, struct gw_bind_scope *scope)
{
    if (scope->n_items == GW_BIND_FROM_MAX)
        return gw_bind_fail(b, "has more than %u tables in one FROM", GW_BIND_FROM_MAX);
    return &scope->items[scope->n_items++];
}

const struct gw_bind_cte *gw_bind_cte_find(const struct gw_bind_scope *scope, struct gw_span name)
{
    for (; scope; scope = scope->up)
        for (const struct gw_bind_cte *cte = scope->ctes; cte; cte = cte->next)
            if (gw_span_eq(cte->name, name))
                return cte;
    return NULL;
}

uint32_t gw_bind_item_size(const struct gw_bind_item *item)
{
    return item->var ? item->var->table->n_columns : item->n_columns;
}

struct gw_span gw_bind_item_name(const struct gw_bind_item *item, uint32_t i)
{
    return item->var ? item->var->table->columns[i].name : item->names[i];
}

int gw_bind_item_find(const struct gw_bind_item *item, struct gw_span name)
{
    for (uint32_t i = 0; i < gw_bind_item_size(item); i++)
        if (gw_span_eq(gw_bind_item_name(item, i), name))
            return (int)i;
    return -1;
}

bool gw_bind_item_hides(const struct gw_bind_item *item, struct gw_span name)
{
    for (uint32_t i = 0; i < item->n_hidden; i++)
        if (gw_span_eq(item->hidden[i], name))
            return true;
    return false;
}

/* ---- columns ---- */

struct gw_bound *gw_bind_item_column(struct gw_binder *b, const struct gw_bind_item *item,
                                     uint32_t i)
{
    if (!item->var)
        return gw_bind_reuse(b, item->columns[i]);
    const struct gw_catalog_table *t = item->var->table;
    const struct gw_catalog_column *column = &t->columns[i];
    if (item->access && !gw_colset_has(&item->access->columns, i))
        return gw_bind_fail(b, "role %.*s may not read %.*s.%.*s", (int)b->c->roles[b->role_id].n,
                            b->c->roles[b->role_id].p, (int)t->name.n, t->name.p,
                            (int)column->name.n, column->name.p);
    struct gw_bound *node = gw_bind_node(b, GW_B_COLUMN, column->type_oid, 0);
    if (node) {
        node->var = item->var;
        node->column = i;
    }
    return node;
}

struct gw_bind_item *gw_bind_item_named(struct gw_bind_scope *scope, struct gw_span schema,
                                        struct gw_span alias)
{
    for (; scope; scope = scope->up)
        for (uint32_t i = scope->first; i < scope->n_items; i++) {
            struct gw_bind_item *item = &scope->items[i];
            bool is_schema_right = schema.n == 0 || gw_span_eq(item->schema, schema);
            if (gw_span_eq(item->alias, alias) && is_schema_right)
                return item;
        }
    return NULL;
}

static struct gw_bound *whole_row(struct gw_binder *b, const struct gw_bind_item *item)
{
    if (!item->var)
        return gw_bind_fail(b, "uses a whole row of %.*s", (int)item->alias.n, item->alias.p);
    for (uint32_t i = 0; i < gw_bind_item_size(item); i++)
        if (!gw_bind_item_column(b, item, i)) /* each may need a privilege */
            return NULL;
    struct gw_bound *node = gw_bind_node(b, GW_B_WHOLE_ROW, item->var->table->row_type_oid, 0);
    if (node)
        node->var = item->var;
    return node;
}

/* The innermost scope that has the column; false: in two of its tables. */
static bool find_column(struct gw_binder *b, const struct gw_bind_scope *scope, struct gw_span name,
                        const struct gw_bind_item **found, uint32_t *column)
{
    *found = NULL;
    for (; scope && !*found; scope = scope->up)
        for (uint32_t i = scope->first; i < scope->n_items; i++) {
            int k = gw_bind_item_find(&scope->items[i], name);
            if (k < 0 || gw_bind_item_hides(&scope->items[i], name))
                continue;
            if (*found) {
                gw_bind_fail(b, "the column %.*s is ambiguous", (int)name.n, name.p);
                return false;
            }
            *found = &scope->items[i];
            *column = (uint32_t)k;
        }
    return true;
}

/* ---- parameters ---- */

static const struct gw_bind_param *find_param(const struct gw_binder *b, struct gw_span name)
{
    for (uint32_t i = b->env->n_params; name.n && i-- > 0;)
        if (gw_span_eq(b->env->params[i].name, name))
            return &b->env->params[i];
    return NULL;
}

static struct gw_bound *use_param(struct gw_binder *b, const struct gw_bind_param *p)
{
    if (!p->value)
        return gw_bind_fail(b, "uses the row variable %.*s as a whole", (int)p->name.n, p->name.p);
    return gw_bind_reuse(b, p->value);
}

static bool is_function_name(const struct gw_binder *b, struct gw_span name)
{
    return b->env->fn && gw_span_eq(b->env->fn->name, name);
}

struct gw_bound *gw_bind_field(struct gw_binder *b, struct gw_bound *value, struct gw_span name)
{
    if (!value)
        return NULL;
    if (value->op != GW_B_WHOLE_ROW)
        return gw_bind_fail(b, "takes the field %.*s of a value", (int)name.n, name.p);
    struct gw_bind_item item = {.var = value->var};
    int i = gw_bind_item_find(&item, name);
    if (i < 0)
        return gw_bind_fail(b, "takes the field %.*s, which is no column", (int)name.n, name.p);
    return gw_bind_item_column(b, &item, (uint32_t)i);
}

static struct gw_bound *row_field(struct gw_binder *b, const struct gw_bind_param *p,
                                  struct gw_span name)
{
    for (uint32_t i = 0; i < p->row->n_columns; i++)
        if (gw_span_eq(p->row->names[i], name))
            return gw_bind_scalar(b, p->row, i, true);
    return gw_bind_fail(b, "takes the field %.*s, which is no column of its query", (int)name.n,
                        name.p);
}

/* ---- references ---- */

static struct gw_bound *bind_one(struct gw_binder *b, struct gw_bind_scope *scope,
                                 struct gw_span name)
{
    const struct gw_bind_param *p = find_param(b, name);
    const struct gw_bind_item *item;
    uint32_t column = 0;
    if (!find_column(b, scope, name, &item, &column))
        return NULL;
    if (item && p && b->env->is_plpgsql)
        return gw_bind_fail(b, "%.*s is a column and a variable", (int)name.n, name.p);
    if (item)
        return gw_bind_item_column(b, item, column);
    item = gw_bind_item_named(scope, (struct gw_span){0}, name);
    if (item && !p)
        return whole_row(b, item);
    if (item)
        return gw_bind_fail(b, "%.*s is a table and a variable", (int)name.n, name.p);
    if (p)
        return use_param(b, p);
    return gw_bind_fail(b, "names %.*s, which is no known column", (int)name.n, name.p);
}

static struct gw_bound *bind_qualified(struct gw_binder *b, struct gw_bind_scope *scope,
                                       const struct gw_span *parts, size_t n)
{
    struct gw_span schema = n == 3 ? parts[0] : (struct gw_span){0};
    struct gw_span alias = parts[n - 2], name = parts[n - 1];
    const struct gw_bind_item *item = gw_bind_item_named(scope, schema, alias);
    const struct gw_bind_param *p = n == 2 ? find_param(b, alias) : NULL;
    int column = item ? gw_bind_item_find(item, name) : -1;
    bool is_param = n == 2 && (p || (is_function_name(b, alias) && find_param(b, name)));
    if (item && is_param && (column < 0 || b->env->is_plpgsql))
        return gw_bind_fail(b, "%.*s.%.*s may mean two things", (int)alias.n, alias.p, (int)name.n,
                            name.p);
    if (column >= 0)
        return gw_bind_item_column(b, item, (uint32_t)column);
    if (!is_param)
        return gw_bind_fail(b, "names %.*s.%.*s, which is no known column", (int)alias.n, alias.p,
                            (int)name.n, name.p);
    if (is_function_name(b, alias) && find_param(b, name))
        return use_param(b, find_param(b, name));
    return p->row ? row_field(b, p, name) : gw_bind_field(b, gw_bind_reuse(b, p->value), name);
}

struct gw_bound *gw_bind_column_ref(struct gw_binder *b, struct gw_bind_scope *scope,
                                    const struct json_t *fields)
{
    struct gw_span parts[3];
    size_t n = gw_bind_size(fields);
    if (n == 0 || n > 3)
        return gw_bind_fail(b, "names a column in %zu parts", n);
    for (size_t i = 0; i < n; i++)
        parts[i] = gw_bind_name_at(fields, i);
    if (parts[n - 1].n == 0 && n == 2) { /* t.* as a value */
        const struct gw_bind_item *item = gw_bind_item_named(scope, (struct gw_span){0}, parts[0]);
        return item ? whole_row(b, item) : gw_bind_fail(b, "uses * of something unknown");
    }
    if (parts[n - 1].n == 0)
        return gw_bind_fail(b, "uses * as a value");
    return n == 1 ? bind_one(b, scope, parts[0]) : bind_qualified(b, scope, parts, n);
}
