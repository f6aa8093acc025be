/* bind_from: FROM as a list of tables in the order of their joins.
 *
 * Conditions of inner joins stand with the right table where that is one, else in WHERE.
 * Sub-selects, CTEs and functions in FROM are flattened: their tables join the list, their
 * conditions WHERE, and their columns become expressions that names refer to. */
#include "bind_internal.h"

/* ---- rights ---- */

/* Whether the owner of the SECURITY DEFINER function that we are below sees all of t. */
static bool check_owner(struct gw_binder *b, const struct gw_catalog_table *t)
{
    const struct gw_catalog_function *f = b->env->definer;
    bool is_owner = f->owner_oid == t->owner_oid && !t->rls_forced;
    if (f->owner_is_super || f->owner_bypasses || is_owner || !t->rls_enabled)
        return true;
    gw_bind_fail(b, "policies on %.*s.%.*s bind the owner of %.*s, whom they are not known for",
                 (int)t->schema.n, t->schema.p, (int)t->name.n, t->name.p, (int)f->name.n,
                 f->name.p);
    return false;
}

/* Privilege and policies for whoever runs this text. */
static bool set_rights(struct gw_binder *b, const struct gw_catalog_table *t,
                       struct gw_bind_item *item, struct gw_bound_from *from)
{
    const struct gw_table_access *a = &t->access[b->role_id];
    if (b->env->definer)
        return check_owner(b, t);
    item->access = a;
    if (gw_colset_is_empty(&a->columns)) {
        gw_bind_fail(b, "role %.*s may not read %.*s.%.*s", (int)b->c->roles[b->role_id].n,
                     b->c->roles[b->role_id].p, (int)t->schema.n, t->schema.p, (int)t->name.n,
                     t->name.p);
        return false;
    }
    if (!t->rls_enabled || a->bypasses_rls)
        return true;
    from->guard = gw_bind_guard(b, t, from->var);
    return from->guard != NULL;
}

/* ---- adding ---- */

static struct gw_bound_from *add_from(struct gw_binder *b, struct gw_bind_arm *arm)
{
    if (!arm->from)
        arm->from = gw_arena_alloc(b->arena, GW_BIND_FROM_MAX * sizeof *arm->from);
    if (!arm->from)
        return NULL;
    if (arm->n_from == GW_BIND_FROM_MAX)
        return gw_bind_fail(b, "has more than %u tables in one FROM", GW_BIND_FROM_MAX);
    return &arm->from[arm->n_from++];
}

static bool add_where(struct gw_binder *b, struct gw_bind_arm *arm, struct gw_bound *condition)
{
    if (condition)
        arm->where = arm->where ? gw_bind_and(b, arm->where, condition) : condition;
    return !condition || arm->where;
}

static bool add_table(struct gw_binder *b, struct gw_bind_scope *scope, struct gw_bind_arm *arm,
                      const struct json_t *node)
{
    const struct json_t *alias = gw_bind_member(node, "alias");
    const struct gw_catalog_table *t =
        gw_bind_table(b, gw_bind_string(node, "schemaname"), gw_bind_string(node, "relname"));
    struct gw_bind_item *item = t ? gw_bind_item_add(b, scope) : NULL;
    struct gw_bound_from *from = item ? add_from(b, arm) : NULL;
    struct gw_bound_var *var = from ? gw_arena_alloc(b->arena, sizeof *var) : NULL;
    if (!var)
        return false;
    if (gw_bind_member(alias, "colnames")) {
        gw_bind_fail(b, "renames the columns of %.*s", (int)t->name.n, t->name.p);
        return false;
    }
    var->table = t;
    var->number = (*b->next_var)++;
    item->var = from->var = var;
    item->alias = alias ? gw_bind_string(alias, "aliasname") : t->name;
    item->schema = alias ? (struct gw_span){0} : t->schema;
    return set_rights(b, t, item, from);
}

static bool check_flat(struct gw_binder *b, const struct gw_bind_query *q)
{
    bool is_one_row = q->n_arms == 1 && gw_bind_arm_is_value(q->arms[0]);
    if (q->limit == GW_BIND_LIMIT_NONE || is_one_row)
        return true;
    gw_bind_fail(b, "uses LIMIT in a sub-select or a function in FROM");
    return false;
}

bool gw_bind_flatten(struct gw_binder *b, struct gw_bind_scope *scope, struct gw_bind_arm *arm,
                     const struct gw_bind_query *q, struct gw_bound *const **columns)
{
    if (!check_flat(b, q))
        return false;
    if (q->n_arms > 1 && scope->n_choices) {
        gw_bind_fail(b, "joins two UNIONs");
        return false;
    }
    if (q->n_arms > 1)
        scope->n_choices = q->n_arms;
    const struct gw_bind_arm *taken = q->arms[q->n_arms > 1 ? scope->choice : 0];
    for (uint32_t i = 0; i < taken->n_from; i++) {
        struct gw_bound_from *from = add_from(b, arm);
        if (!from)
            return false;
        *from = taken->from[i];
    }
    arm->has_rows_fn = arm->has_rows_fn || taken->has_rows_fn;
    scope->is_distinct = scope->is_distinct || q->is_distinct;
    *columns = taken->targets;
    return add_where(b, arm, taken->where);
}

static bool add_query(struct gw_binder *b, struct gw_bind_scope *scope, struct gw_bind_arm *arm,
                      const struct gw_bind_query *q, const struct json_t *alias)
{
    const struct json_t *renamed = gw_bind_member(alias, "colnames");
    struct gw_bind_item *item = gw_bind_item_add(b, scope);
    struct gw_span *names = gw_arena_alloc(b->arena, sizeof q->names);
    if (!item || !names)
        return false;
    for (uint32_t i = 0; i < q->n_columns; i++)
        names[i] = i < gw_bind_size(renamed) ? gw_arena_copy(b->arena, gw_bind_name_at(renamed, i))
                                             : q->names[i];
    item->alias = gw_bind_string(alias, "aliasname");
    item->names = names;
    item->n_columns = q->n_columns;
    return gw_bind_flatten(b, scope, arm, q, &item->columns);
}

/* ---- kinds ---- */

static bool add_cte(struct gw_binder *b, struct gw_bind_scope *scope, struct gw_bind_arm *arm,
                    const struct gw_bind_cte *cte, const struct json_t *node)
{
    const struct json_t *query =
        gw_bind_member(gw_bind_member(cte->node, "ctequery"), "SelectStmt");
    const struct json_t *renamed = gw_bind_member(cte->node, "aliascolnames");
    const struct json_t *alias = gw_bind_member(node, "alias");
    struct gw_bind_query *q = gw_bind_select(b, query, cte->scope);
    for (uint32_t i = 0; q && i < q->n_columns && i < gw_bind_size(renamed); i++)
        q->names[i] = gw_arena_copy(b->arena, gw_bind_name_at(renamed, i));
    if (!q || !add_query(b, scope, arm, q, alias))
        return false;
    if (!alias)
        scope->items[scope->n_items - 1].alias = cte->name;
    return true;
}

static bool from_range_var(struct gw_binder *b, struct gw_bind_scope *scope,
                           struct gw_bind_arm *arm, const struct json_t *node)
{
    bool is_bare = gw_bind_string(node, "schemaname").n == 0;
    const struct gw_bind_cte *cte =
        is_bare ? gw_bind_cte_find(scope, gw_bind_string(node, "relname")) : NULL;
    return cte ? add_cte(b, scope, arm, cte, node) : add_table(b, scope, arm, node);
}

static bool from_sub_select(struct gw_binder *b, struct gw_bind_scope *scope,
                            struct gw_bind_arm *arm, const struct json_t *node)
{
    const struct json_t *query = gw_bind_member(gw_bind_member(node, "subquery"), "SelectStmt");
    struct gw_bind_query *q =
        gw_bind_select(b, query, gw_bind_flag(node, "lateral") ? scope : scope->up);
    return q && add_query(b, scope, arm, q, gw_bind_member(node, "alias"));
}

/* The value of a function as a query of one column. */
static struct gw_bind_query *query_of_value(struct gw_binder *b, struct gw_bound *value,
                                            bool has_rows)
{
    struct gw_bind_query *q = gw_arena_alloc(b->arena, sizeof *q);
    struct gw_bind_arm *arm = gw_arena_alloc(b->arena, sizeof *arm);
    if (!q || !arm)
        return NULL;
    q->n_arms = q->n_columns = 1;
    q->arms[0] = arm;
    arm->targets[0] = value;
    arm->has_rows_fn = has_rows;
    return q;
}

static struct gw_span function_name(const struct json_t *call)
{
    const struct json_t *list = gw_bind_member(call, "funcname");
    return gw_bind_name_at(list, gw_bind_size(list) - 1);
}

static bool from_function(struct gw_binder *b, struct gw_bind_scope *scope, struct gw_bind_arm *arm,
                          const struct json_t *node)
{
    const struct json_t *list, *call, *functions = gw_bind_member(node, "functions");
    const struct json_t *alias = gw_bind_member(node, "alias");
    gw_bind_kind(gw_bind_at(functions, 0), &list);
    list = gw_bind_member(list, "items");
    bool is_call = strcmp(gw_bind_kind(gw_bind_at(list, 0), &call), "FuncCall") == 0;
    if (!is_call || gw_bind_size(functions) != 1 || gw_bind_flag(node, "ordinality") ||
        gw_bind_member(node, "coldeflist")) {
        gw_bind_fail(b, "uses ROWS FROM, WITH ORDINALITY or a column list in FROM");
        return false;
    }
    struct gw_bind_rows result;
    if (!gw_bind_call_rows(b, scope, call, &result))
        return false;
    struct gw_bind_query *q =
        result.q ? result.q : query_of_value(b, result.value, result.has_rows);
    if (q && q->n_columns == 1 && q->names[0].n == 0) /* a scalar: called as its table is */
        q->names[0] = gw_arena_copy(b->arena, alias ? gw_bind_string(alias, "aliasname")
                                                    : function_name(call));
    if (!q || !add_query(b, scope, arm, q, alias))
        return false;
    if (!alias)
        scope->items[scope->n_items - 1].alias = function_name(call);
    return true;
}

/* ---- joins ---- */

struct join {
    struct gw_bind_scope *scope;
    struct gw_bind_arm *arm;
    uint32_t first, middle; /* items: left side from first on, right side from middle on */
    uint32_t middle_from;   /* entries of FROM: the same */
    uint32_t n_choices;     /* of the scope, before the right side */
};

static bool is_column_of(const struct gw_bound *node, const struct gw_bound_var *var)
{
    return node->op == GW_B_COLUMN && node->var == var;
}

/* A row of NULLs must be all that a LEFT JOIN without a match leaves of its right side. */
static bool check_left(struct gw_binder *b, const struct join *j)
{
    bool ok = j->arm->n_from - j->middle_from == 1 && j->scope->n_items - j->middle == 1 &&
              j->scope->n_choices == j->n_choices && !j->arm->has_rows_fn;
    const struct gw_bind_item *item = &j->scope->items[j->middle];
    for (uint32_t i = 0; ok && !item->var && i < item->n_columns; i++)
        ok = is_column_of(item->columns[i], j->arm->from[j->middle_from].var);
    if (!ok)
        gw_bind_fail(b, "uses a LEFT JOIN of something else than one table");
    return ok;
}

/* Position in items [from, to) and column of a name that USING merges. */
static struct gw_bound *using_column(struct gw_binder *b, const struct join *j, uint32_t from,
                                     uint32_t to, struct gw_span name)
{
    const struct gw_bind_item *found = NULL;
    for (uint32_t i = from; i < to; i++) {
        const struct gw_bind_item *item = &j->scope->items[i];
        if (gw_bind_item_find(item, name) < 0 || gw_bind_item_hides(item, name))
            continue;
        if (found)
            return gw_bind_fail(b, "USING (%.*s) is ambiguous", (int)name.n, name.p);
        found = item;
    }
    if (!found)
        return gw_bind_fail(b, "USING (%.*s) names no column", (int)name.n, name.p);
    return gw_bind_item_column(b, found, (uint32_t)gw_bind_item_find(found, name));
}

static bool hide(struct gw_binder *b, struct gw_bind_item *item, struct gw_span name)
{
    if (gw_bind_item_find(item, name) < 0)
        return true;
    struct gw_span *hidden = gw_arena_alloc(b->arena, (item->n_hidden + 1) * sizeof *item->hidden);
    if (!hidden)
        return false;
    if (item->n_hidden)
        memcpy(hidden, item->hidden, item->n_hidden * sizeof *hidden);
    hidden[item->n_hidden++] = gw_arena_copy(b->arena, name);
    item->hidden = hidden;
    return true;
}

static bool bind_using(struct gw_binder *b, const struct join *j, const struct json_t *names,
                       struct gw_bound **on)
{
    for (size_t i = 0; i < gw_bind_size(names); i++) {
        struct gw_span name = gw_bind_name_at(names, i);
        struct gw_bound *l = using_column(b, j, j->first, j->middle, name);
        struct gw_bound *r = l ? using_column(b, j, j->middle, j->scope->n_items, name) : NULL;
        if (!r || !gw_bind_check_operands(b, GW_SPAN_LIT("USING"), l, r))
            return false;
        struct gw_bound *equal = gw_bind_compare(b, "=", l, r);
        *on = *on ? gw_bind_and(b, *on, equal) : equal;
        for (uint32_t k = j->middle; k < j->scope->n_items; k++)
            if (!hide(b, &j->scope->items[k], name))
                return false;
        if (!*on)
            return false;
    }
    return true;
}

static bool bind_on(struct gw_binder *b, const struct join *j, const struct json_t *node,
                    struct gw_bound **on)
{
    const struct json_t *quals = gw_bind_member(node, "quals");
    const struct json_t *names = gw_bind_member(node, "usingClause");
    *on = NULL;
    if (!quals)
        return bind_using(b, j, names, on);
    uint32_t outer = j->scope->first;
    j->scope->first = j->first; /* ON sees its own join only */
    *on = gw_bind_filter(b, j->scope, quals);
    j->scope->first = outer;
    return *on != NULL;
}

static bool join_left(struct gw_binder *b, const struct join *j, struct gw_bound *on,
                      struct gw_bound *right_where)
{
    struct gw_bound_from *from = &j->arm->from[j->middle_from];
    if (on && right_where)
        on = gw_bind_and(b, on, right_where);
    from->is_left = true;
    from->on = on ? on : right_where;
    return from->on || !on;
}

static bool join_inner(struct gw_binder *b, const struct join *j, struct gw_bound *on)
{
    struct gw_bound_from *from = &j->arm->from[j->middle_from];
    bool is_single = j->arm->n_from - j->middle_from == 1 && !from->on && !from->is_left;
    if (!is_single)
        return add_where(b, j->arm, on);
    from->on = on;
    return true;
}

static bool check_join(struct gw_binder *b, const struct json_t *node, bool is_left)
{
    struct gw_span type = gw_bind_string(node, "jointype");
    if (!is_left && !gw_span_is(type, "JOIN_INNER"))
        gw_bind_fail(b, "uses a RIGHT or FULL JOIN");
    else if (gw_bind_flag(node, "isNatural"))
        gw_bind_fail(b, "uses a NATURAL JOIN");
    else if (gw_bind_member(node, "alias") || gw_bind_member(node, "join_using_alias"))
        gw_bind_fail(b, "uses an alias of a join");
    return b->why.n == 0;
}

static bool from_join(struct gw_binder *b, struct gw_bind_scope *scope, struct gw_bind_arm *arm,
                      const struct json_t *node)
{
    bool is_left = gw_span_is(gw_bind_string(node, "jointype"), "JOIN_LEFT");
    struct join j = {.scope = scope, .arm = arm, .first = scope->n_items};
    struct gw_bound *on;
    if (!check_join(b, node, is_left) || !gw_bind_from(b, scope, arm, gw_bind_member(node, "larg")))
        return false;
    j.middle = scope->n_items;
    j.middle_from = arm->n_from;
    j.n_choices = scope->n_choices;
    struct gw_bound *where = arm->where;
    if (is_left)
        arm->where = NULL;
    if (!gw_bind_from(b, scope, arm, gw_bind_member(node, "rarg")) ||
        (is_left && !check_left(b, &j)) || !bind_on(b, &j, node, &on))
        return false;
    if (!is_left)
        return !on || join_inner(b, &j, on);
    struct gw_bound *right_where = arm->where;
    arm->where = where;
    return join_left(b, &j, on, right_where);
}

static const struct {
    const char *kind;
    bool (*bind)(struct gw_binder *b, struct gw_bind_scope *scope, struct gw_bind_arm *arm,
                 const struct json_t *node);
} HANDLERS[] = {
    {"RangeVar", from_range_var},
    {"RangeSubselect", from_sub_select},
    {"RangeFunction", from_function},
    {"JoinExpr", from_join},
};

bool gw_bind_from(struct gw_binder *b, struct gw_bind_scope *scope, struct gw_bind_arm *arm,
                  const struct json_t *node)
{
    const struct json_t *body;
    const char *kind = gw_bind_kind(node, &body);
    bool ok = false;
    if (!gw_bind_enter(b))
        return false;
    size_t i = 0, n = sizeof HANDLERS / sizeof *HANDLERS;
    while (i < n && strcmp(kind, HANDLERS[i].kind) != 0)
        i++;
    if (i < n)
        ok = HANDLERS[i].bind(b, scope, arm, body);
    else
        gw_bind_fail(b, "has a %s in FROM", kind);
    gw_bind_leave(b);
    return ok;
}
