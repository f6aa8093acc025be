/* bind_select: a SELECT as arms of tables, a condition and targets.
 *
 * What is wanted of it (EXISTS, IN, a value, rows) is known to the caller; so DISTINCT, ORDER BY
 * and LIMIT are only noted here. What the arms cannot say is refused by name. A UNION in FROM
 * multiplies the arms: the select is read once for each of its arms. */
#include "bind_internal.h"

/* ---- what is refused ---- */

static const struct {
    const char *key, *what;
} REFUSED[] = {
    {"groupClause", "GROUP BY"}, {"havingClause", "HAVING"},    {"windowClause", "WINDOW"},
    {"valuesLists", "VALUES"},   {"intoClause", "SELECT INTO"}, {"lockingClause", "FOR UPDATE"},
    {"limitOffset", "OFFSET"},
};

static bool check_clauses(struct gw_binder *b, const struct json_t *select)
{
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        if (!gw_bind_member(select, REFUSED[i].key))
            continue;
        gw_bind_fail(b, "uses %s", REFUSED[i].what);
        return false;
    }
    const struct json_t *distinct = gw_bind_member(select, "distinctClause"), *on;
    if (gw_bind_size(distinct) && *gw_bind_kind(gw_bind_at(distinct, 0), &on))
        gw_bind_fail(b, "uses DISTINCT ON");
    else if (gw_span_is(gw_bind_string(select, "limitOption"), "LIMIT_OPTION_WITH_TIES"))
        gw_bind_fail(b, "uses FETCH FIRST WITH TIES");
    return b->why.n == 0;
}

static bool note_limit(struct gw_binder *b, const struct json_t *select, struct gw_bind_query *q)
{
    const struct json_t *count = gw_bind_member(select, "limitCount");
    const struct json_t *constant = gw_bind_member(count, "A_Const");
    int64_t n = gw_bind_integer(gw_bind_member(constant, "ival"), "ival", 0);
    if (!count || gw_bind_flag(constant, "isnull"))
        return true;
    if (n < 1)
        gw_bind_fail(b, "uses a LIMIT that is not a positive constant");
    q->limit = n == 1 ? GW_BIND_LIMIT_ONE : GW_BIND_LIMIT_MANY;
    return b->why.n == 0;
}

/* ---- targets ---- */

struct target {
    struct gw_bind_scope *scope;
    struct gw_bind_arm *arm;
    struct gw_bind_query *q;
    uint32_t n;    /* of the arm */
    bool has_rows; /* a function that returns rows is among them */
};

static bool add_target(struct gw_binder *b, struct target *t, struct gw_bound *value,
                       struct gw_span name)
{
    if (!value)
        return false;
    if (t->n == GW_BIND_COLUMNS_MAX) {
        gw_bind_fail(b, "selects more than %u columns", GW_BIND_COLUMNS_MAX);
        return false;
    }
    if (t->q->n_arms == 0)
        t->q->names[t->n] = gw_arena_copy(b->arena, name);
    t->arm->targets[t->n++] = value;
    return true;
}

static bool add_columns(struct gw_binder *b, struct target *t, const struct gw_bind_item *item,
                        bool is_all)
{
    for (uint32_t i = 0; i < gw_bind_item_size(item); i++) {
        struct gw_span name = gw_bind_item_name(item, i);
        if (is_all && gw_bind_item_hides(item, name))
            continue;
        if (!add_target(b, t, gw_bind_item_column(b, item, i), name))
            return false;
    }
    return true;
}

/* fields: …, A_Star */
static bool add_star(struct gw_binder *b, struct target *t, const struct json_t *fields)
{
    size_t n = gw_bind_size(fields);
    if (n > 1) {
        struct gw_span schema = n > 2 ? gw_bind_name_at(fields, n - 3) : (struct gw_span){0};
        const struct gw_bind_item *item =
            gw_bind_item_named(t->scope, schema, gw_bind_name_at(fields, n - 2));
        if (item)
            return add_columns(b, t, item, false);
        gw_bind_fail(b, "selects * of something unknown");
        return false;
    }
    for (uint32_t i = 0; i < t->scope->n_items; i++)
        if (!add_columns(b, t, &t->scope->items[i], true))
            return false;
    return true;
}

/* As FigureColname of parse_target.c does it, for what can be named from outside. */
static struct gw_span column_name(const struct json_t *node)
{
    const struct json_t *body, *list;
    const char *kind = gw_bind_kind(node, &body);
    for (int i = 0; i < 8 && strcmp(kind, "TypeCast") == 0; i++)
        kind = gw_bind_kind(gw_bind_member(body, "arg"), &body);
    if (strcmp(kind, "ColumnRef") == 0)
        list = gw_bind_member(body, "fields");
    else if (strcmp(kind, "FuncCall") == 0)
        list = gw_bind_member(body, "funcname");
    else
        return (struct gw_span){0};
    return gw_bind_size(list) ? gw_bind_name_at(list, gw_bind_size(list) - 1) : (struct gw_span){0};
}

struct column {
    struct gw_span name;
    uint32_t type; /* cast to; 0: none */
};

static bool add_rows(struct gw_binder *b, struct target *t, const struct gw_bind_query *q,
                     struct column column)
{
    struct gw_bound *const *columns;
    if (q->n_columns != 1) {
        gw_bind_fail(b, "selects a function of several columns");
        return false;
    }
    if (!gw_bind_flatten(b, t->scope, t->arm, q, &columns))
        return false;
    return add_target(b, t, gw_bind_cast(b, columns[0], column.type), column.name);
}

/* A call, casts around it aside: it may return rows. */
static bool add_call(struct gw_binder *b, struct target *t, const struct json_t *val,
                     struct gw_span name)
{
    const struct json_t *body;
    uint32_t outer = 0;
    const char *kind = gw_bind_kind(val, &body);
    if (strcmp(kind, "TypeCast") == 0) {
        if (!gw_bind_type_name(b, gw_bind_member(body, "typeName"), &outer))
            return false;
        gw_bind_kind(gw_bind_member(body, "arg"), &body);
    }
    struct gw_bind_rows call;
    if (!gw_bind_call_rows(b, t->scope, body, &call))
        return false;
    if ((call.q || call.has_rows) && t->has_rows) {
        gw_bind_fail(b, "selects two functions that return rows");
        return false;
    }
    t->has_rows = t->has_rows || call.q || call.has_rows;
    t->arm->has_rows_fn = t->arm->has_rows_fn || call.has_rows;
    if (call.q)
        return add_rows(b, t, call.q, (struct column){name, outer});
    return add_target(b, t, gw_bind_cast(b, call.value, outer), name);
}

static bool is_call(const struct json_t *val)
{
    const struct json_t *body;
    const char *kind = gw_bind_kind(val, &body);
    if (strcmp(kind, "TypeCast") == 0)
        kind = gw_bind_kind(gw_bind_member(body, "arg"), &body);
    return strcmp(kind, "FuncCall") == 0;
}

static bool is_star(const struct json_t *val, const struct json_t **fields)
{
    const struct json_t *body;
    if (strcmp(gw_bind_kind(val, &body), "ColumnRef") != 0)
        return false;
    *fields = gw_bind_member(body, "fields");
    size_t n = gw_bind_size(*fields);
    return n > 0 && gw_bind_name_at(*fields, n - 1).n == 0;
}

static bool bind_targets(struct gw_binder *b, struct target *t, const struct json_t *list)
{
    for (size_t i = 0; i < gw_bind_size(list); i++) {
        const struct json_t *target, *fields;
        gw_bind_kind(gw_bind_at(list, i), &target);
        const struct json_t *val = gw_bind_member(target, "val");
        struct gw_span name = gw_bind_string(target, "name");
        name = name.n ? name : column_name(val);
        bool ok = is_star(val, &fields) ? add_star(b, t, fields)
                  : is_call(val)        ? add_call(b, t, val, name)
                                        : add_target(b, t, gw_bind_expr(b, t->scope, val), name);
        if (!ok)
            return false;
    }
    return true;
}

/* ---- arms ---- */

static bool add_arm(struct gw_binder *b, struct gw_bind_query *q, struct gw_bind_arm *arm,
                    uint32_t n_columns)
{
    if (q->n_arms == GW_BIND_ARMS_MAX || (q->n_arms && q->n_columns != n_columns)) {
        gw_bind_fail(b, "has more than %u arms of UNION, or unequal ones", GW_BIND_ARMS_MAX);
        return false;
    }
    if (arm->has_rows_fn && (arm->n_from || arm->where)) {
        gw_bind_fail(b, "uses a function that returns rows beside other tables or WHERE");
        return false;
    }
    q->n_columns = n_columns;
    q->arms[q->n_arms++] = arm;
    return true;
}

/* One row, whatever t->arm has: an arm without tables. */
static bool bind_aggregated(struct gw_binder *b, const struct json_t *targets,
                            const struct target *t)
{
    const struct gw_bind_counted counted = {.scope = t->scope, .arm = t->arm};
    struct gw_bind_scope *scope = gw_bind_scope_new(b, t->scope->up);
    struct gw_bind_arm *arm = gw_arena_alloc(b->arena, sizeof *arm);
    struct target one = {.scope = scope, .arm = arm, .q = t->q};
    if (!scope || !arm)
        return false;
    if (t->scope->n_choices > 1) {
        gw_bind_fail(b, "uses an aggregate over a UNION");
        return false;
    }
    scope->counted = &counted;
    bool ok = bind_targets(b, &one, targets) && add_arm(b, t->q, arm, one.n);
    scope->counted = NULL;
    return ok;
}

static bool bind_arm(struct gw_binder *b, const struct json_t *select, struct gw_bind_scope *scope,
                     struct gw_bind_query *q)
{
    struct gw_bind_arm *arm = gw_arena_alloc(b->arena, sizeof *arm);
    const struct json_t *from = gw_bind_member(select, "fromClause");
    const struct json_t *where = gw_bind_member(select, "whereClause");
    struct target t = {.scope = scope, .arm = arm, .q = q};
    if (!arm)
        return false;
    for (size_t i = 0; i < gw_bind_size(from); i++)
        if (!gw_bind_from(b, scope, arm, gw_bind_at(from, i)))
            return false;
    if (where) {
        struct gw_bound *condition = gw_bind_filter(b, scope, where);
        arm->where = arm->where && condition ? gw_bind_and(b, arm->where, condition) : condition;
        if (!arm->where)
            return false;
    }
    const struct json_t *targets = gw_bind_member(select, "targetList");
    if (arm->n_from && gw_bind_is_aggregated(targets))
        return bind_aggregated(b, targets, &t);
    return bind_targets(b, &t, targets) && add_arm(b, q, arm, t.n);
}

/* Once per arm of a UNION in FROM. */
static bool bind_simple(struct gw_binder *b, const struct json_t *select, struct gw_bind_scope *up,
                        struct gw_bind_query *q)
{
    uint32_t n = 1;
    for (uint32_t choice = 0; choice < n; choice++) {
        struct gw_bind_scope *scope = gw_bind_scope_new(b, up);
        if (!scope)
            return false;
        scope->choice = choice;
        if (!bind_arm(b, select, scope, q))
            return false;
        q->is_distinct = q->is_distinct || scope->is_distinct;
        n = scope->n_choices ? scope->n_choices : 1;
    }
    return true;
}

/* ---- WITH and UNION ---- */

static struct gw_bind_scope *with_scope(struct gw_binder *b, const struct json_t *with,
                                        struct gw_bind_scope *up)
{
    const struct json_t *list = gw_bind_member(with, "ctes");
    if (gw_bind_flag(with, "recursive"))
        return gw_bind_fail(b, "uses WITH RECURSIVE");
    for (size_t i = 0; i < gw_bind_size(list); i++) {
        struct gw_bind_scope *scope = gw_bind_scope_new(b, up);
        struct gw_bind_cte *cte = gw_arena_alloc(b->arena, sizeof *cte);
        const struct json_t *node;
        if (!scope || !cte)
            return NULL;
        gw_bind_kind(gw_bind_at(list, i), &node);
        if (!gw_bind_member(gw_bind_member(node, "ctequery"), "SelectStmt"))
            return gw_bind_fail(b, "writes in WITH"); /* it would run, named or not */
        *cte = (struct gw_bind_cte){
            .name = gw_bind_string(node, "ctename"), .node = node, .scope = up};
        scope->ctes = cte;
        up = scope;
    }
    return up;
}

static bool bind_tree(struct gw_binder *b, const struct json_t *select, struct gw_bind_scope *up,
                      struct gw_bind_query *q, bool is_top);

static bool bind_union(struct gw_binder *b, const struct json_t *select, struct gw_bind_scope *up,
                       struct gw_bind_query *q)
{
    if (!gw_bind_flag(select, "all"))
        q->is_distinct = true;
    return bind_tree(b, gw_bind_member(select, "larg"), up, q, false) &&
           bind_tree(b, gw_bind_member(select, "rarg"), up, q, false);
}

static bool bind_here(struct gw_binder *b, const struct json_t *select, struct gw_bind_scope *up,
                      struct gw_bind_query *q, bool is_top)
{
    struct gw_span op = gw_bind_string(select, "op");
    const struct json_t *with = gw_bind_member(select, "withClause");
    bool has_limit = gw_bind_member(select, "limitCount") != NULL;
    if (!check_clauses(b, select) || !note_limit(b, select, q))
        return false;
    if (with && !(up = with_scope(b, with, up)))
        return false;
    if (has_limit && !is_top) {
        gw_bind_fail(b, "uses LIMIT in an arm of UNION");
        return false;
    }
    q->is_distinct = q->is_distinct || gw_bind_size(gw_bind_member(select, "distinctClause"));
    q->is_ordered = q->is_ordered || gw_bind_size(gw_bind_member(select, "sortClause"));
    if (gw_span_is(op, "SETOP_UNION"))
        return bind_union(b, select, up, q);
    if (gw_span_is(op, "SETOP_NONE"))
        return bind_simple(b, select, up, q);
    gw_bind_fail(b, "uses INTERSECT or EXCEPT");
    return false;
}

static bool bind_tree(struct gw_binder *b, const struct json_t *select, struct gw_bind_scope *up,
                      struct gw_bind_query *q, bool is_top)
{
    if (!gw_bind_enter(b))
        return false;
    bool ok = bind_here(b, select, up, q, is_top);
    gw_bind_leave(b);
    return ok;
}

struct gw_bind_query *gw_bind_select(struct gw_binder *b, const struct json_t *select,
                                     struct gw_bind_scope *up)
{
    struct gw_bind_query *q = gw_arena_alloc(b->arena, sizeof *q);
    if (!select)
        return gw_bind_fail(b, "holds a sub-select that is no SELECT");
    return q && bind_tree(b, select, up, q, true) ? q : NULL;
}

bool gw_bind_arm_is_value(const struct gw_bind_arm *arm)
{
    return arm->n_from == 0 && !arm->where && !arm->has_rows_fn;
}
