/* bind_function: the body of a function in place of its call.
 *
 * Inlined is what cannot be told from the call: an SQL function of one SELECT and a plpgsql
 * function that only decides and returns (bind_plpgsql.c), whatever their declared volatility:
 * nothing that is volatile in itself gets into a tree (bind_builtin.c), so neither does it by a
 * body. What cannot be inlined stays a call if it is IMMUTABLE and, as far as its body can be read,
 * reads nothing; else the policy is refused with the reason. Below a SECURITY DEFINER function its
 * owner's rights hold; a SET search_path holds for the functions called from there, too. */
#include "bind_internal.h"

#include <stdio.h>

/* ---- definitions ---- */

const struct json_t *gw_bind_create_function(struct gw_binder *b,
                                             const struct gw_catalog_function *fn, const char **sql)
{
    const struct gw_bind_text *text = gw_bind_parse(b, "", fn->definition);
    const struct json_t *list = text ? gw_bind_member(text->tree, "stmts") : NULL;
    const struct json_t *stmt = gw_bind_member(gw_bind_at(list, 0), "stmt");
    const struct json_t *create = gw_bind_member(stmt, "CreateFunctionStmt");
    if (text)
        *sql = text->sql;
    if (!create)
        gw_bind_fail(b, "%.*s has no definition to read", (int)fn->name.n, fn->name.p);
    return create;
}

/* Where the text of a function is read: its own names, under the search_path that holds there. */
static struct gw_bind_env env_of(const struct gw_binder *b, const struct gw_catalog_function *fn,
                                 char *label, size_t size)
{
    struct gw_bind_env env = {.label = label, .fn = fn, .definer = b->env->definer};
    env.n_path = fn->has_search_path ? fn->n_search_path : b->env->n_path;
    env.path = fn->has_search_path ? fn->search_path : b->env->path;
    if (fn->is_definer)
        env.definer = fn;
    snprintf(label, size, "function %.*s.%.*s", (int)fn->schema.n, fn->schema.p, (int)fn->name.n,
             fn->name.p);
    return env;
}

struct gw_bound *gw_bind_default(struct gw_binder *b, const struct gw_catalog_function *fn,
                                 uint32_t i)
{
    const struct gw_bind_env *outer = b->env;
    struct gw_bind_env env = *outer;
    const struct json_t *create = gw_bind_create_function(b, fn, &env.sql);
    const struct json_t *list = gw_bind_member(create, "parameters"), *parameter;
    struct gw_bind_scope *scope = create ? gw_bind_scope_new(b, NULL) : NULL;
    gw_bind_kind(gw_bind_at(list, i), &parameter); /* inputs stand first: others are refused */
    const struct json_t *text = gw_bind_member(parameter, "defexpr");
    if (!scope)
        return NULL;
    if (!text)
        return gw_bind_fail(b, "calls %.*s without an argument that has no default",
                            (int)fn->name.n, fn->name.p);
    env.is_resolved = true;
    env.n_params = env.n_positional = 0;
    b->env = &env;
    struct gw_bound *value = gw_bind_expr(b, scope, text);
    b->env = outer;
    return value;
}

/* RETURNS TABLE names columns; any other output or VARIADIC parameter is refused. names: room for
 * GW_BIND_COLUMNS_MAX. */
static bool read_columns(struct gw_binder *b, const struct gw_catalog_function *fn,
                         struct gw_span *names, uint32_t *n)
{
    const char *sql;
    const struct json_t *create = gw_bind_create_function(b, fn, &sql), *parameter;
    const struct json_t *list = gw_bind_member(create, "parameters");
    *n = 0;
    for (size_t i = 0; i < gw_bind_size(list); i++) {
        gw_bind_kind(gw_bind_at(list, i), &parameter);
        struct gw_span mode = gw_bind_string(parameter, "mode");
        bool is_column = gw_span_is(mode, "FUNC_PARAM_TABLE");
        if (is_column && *n < GW_BIND_COLUMNS_MAX)
            names[(*n)++] = gw_bind_string(parameter, "name");
        else if (!gw_span_is(mode, "FUNC_PARAM_DEFAULT") && !gw_span_is(mode, "FUNC_PARAM_IN"))
            gw_bind_fail(b, "has OUT or VARIADIC parameters");
    }
    if (gw_bind_flag(create, "is_procedure") || (create && *n == 0 && !fn->is_plain))
        gw_bind_fail(b, "is an aggregate, a window function or a procedure");
    return create && b->why.n == 0;
}

static bool is_composite(const struct gw_binder *b, uint32_t oid)
{
    const struct gw_type *type = gw_types_find(&b->c->types, oid);
    return oid == GW_T_RECORD || (type && type->kind == GW_TYPE_COMPOSITE);
}

/* ---- SQL bodies ---- */

static struct gw_bind_query *query_of_expr(struct gw_binder *b, struct gw_bound *value)
{
    struct gw_bind_query *q = value ? gw_arena_alloc(b->arena, sizeof *q) : NULL;
    struct gw_bind_arm *arm = q ? gw_arena_alloc(b->arena, sizeof *arm) : NULL;
    if (!arm)
        return NULL;
    arm->targets[0] = value;
    q->n_arms = q->n_columns = 1;
    q->arms[0] = arm;
    return q;
}

/* BEGIN ATOMIC SELECT …; END or RETURN …: names as they were when it was created. */
static struct gw_bind_query *bind_atomic(struct gw_binder *b, struct gw_bind_env *env)
{
    const struct json_t *create = gw_bind_create_function(b, env->fn, &env->sql), *body;
    const struct json_t *sql_body = gw_bind_member(create, "sql_body");
    struct gw_bind_scope *scope = create ? gw_bind_scope_new(b, NULL) : NULL;
    const char *kind = gw_bind_kind(sql_body, &body);
    if (!scope)
        return NULL;
    env->is_resolved = true;
    if (strcmp(kind, "ReturnStmt") == 0)
        return query_of_expr(b, gw_bind_expr(b, scope, gw_bind_member(body, "returnval")));
    const struct json_t *list = gw_bind_member(body, "items"), *inner;
    if (strcmp(gw_bind_kind(gw_bind_at(list, 0), &inner), "List") == 0)
        list = gw_bind_member(inner, "items");
    if (gw_bind_size(list) != 1)
        return gw_bind_fail(b, "has a body that is not one statement");
    const struct json_t *select = gw_bind_member(gw_bind_at(list, 0), "SelectStmt");
    return select ? gw_bind_select(b, select, scope)
                  : gw_bind_fail(b, "has a body that is no SELECT");
}

static struct gw_bind_query *bind_sql(struct gw_binder *b, struct gw_bind_env *env)
{
    if (env->fn->body.n == 0)
        return bind_atomic(b, env);
    const struct gw_bind_text *text = gw_bind_parse(b, "", env->fn->body);
    const struct json_t *select = text ? gw_bind_only_select(text) : NULL;
    struct gw_bind_scope *scope = select ? gw_bind_scope_new(b, NULL) : NULL;
    if (text && !select)
        return gw_bind_fail(b, "has a body that is not one SELECT");
    if (!scope)
        return NULL;
    env->sql = text->sql;
    return gw_bind_select(b, select, scope);
}

/* ---- results ---- */

static bool check_body(struct gw_binder *b, const struct gw_catalog_function *fn)
{
    if (fn->has_other_settings)
        gw_bind_fail(b, "has SETtings of its own");
    else if (!gw_span_is(fn->language, "sql") && !gw_span_is(fn->language, "plpgsql"))
        gw_bind_fail(b, "is written in %.*s", (int)fn->language.n, fn->language.p);
    else if (b->n_inlined == GW_BIND_INLINE_MAX)
        gw_bind_fail(b, "calls itself, or functions nest more than %u deep", GW_BIND_INLINE_MAX);
    return b->why.n == 0;
}

/* A function in SQL that returns one value returns the first row of its SELECT. */
static struct gw_bound *bind_value(struct gw_binder *b, struct gw_bind_env *env)
{
    struct gw_span names[GW_BIND_COLUMNS_MAX];
    uint32_t n;
    if (!read_columns(b, env->fn, names, &n))
        return NULL;
    if (n || is_composite(b, env->fn->return_type) || env->fn->return_type == GW_T_VOID)
        return gw_bind_fail(b, "returns a row or nothing");
    if (gw_span_is(env->fn->language, "plpgsql"))
        return gw_bind_plpgsql(b);
    struct gw_bind_query *q = bind_sql(b, env);
    if (q && q->n_columns != 1)
        return gw_bind_fail(b, "selects %u columns for a value", q->n_columns);
    for (uint32_t i = 0; q && i < q->n_arms; i++) {
        q->arms[i]->targets[0] = gw_bind_cast(b, q->arms[i]->targets[0], env->fn->return_type);
        if (!q->arms[i]->targets[0])
            return NULL;
    }
    return q ? gw_bind_scalar(b, q, 0, true) : NULL;
}

/* NULL if an argument is: those that may be are named behind the body. */
static struct gw_bound *make_strict(struct gw_binder *b, const struct gw_catalog_function *fn,
                                    struct gw_bound **args, struct gw_bound *body)
{
    struct gw_bound *out = gw_bind_node(b, GW_B_STRICT, fn->return_type, fn->n_args + 1u);
    uint32_t n = 1;
    if (!out)
        return NULL;
    out->args[0] = body;
    for (uint32_t i = 0; i < fn->n_args; i++) {
        if (args[i]->op == GW_B_CONST && args[i]->is_null)
            return gw_bind_null(b, fn->return_type);
        if (args[i]->op != GW_B_CONST)
            out->args[n++] = gw_bind_reuse(b, args[i]);
    }
    out->n_args = n;
    return b->why.n ? NULL : n == 1 ? body : out;
}

static bool set_params(struct gw_binder *b, struct gw_bind_env *env, struct gw_bound **args)
{
    const struct gw_catalog_function *fn = env->fn;
    struct gw_bind_param *params = gw_arena_alloc(b->arena, (fn->n_args + 1u) * sizeof *params);
    for (uint32_t i = 0; params && i < fn->n_args; i++)
        params[i] = (struct gw_bind_param){.name = fn->arg_names[i], .value = args[i]};
    env->params = params;
    env->n_params = env->n_positional = fn->n_args;
    return params != NULL;
}

static struct gw_bound *try_inline(struct gw_binder *b, const struct gw_catalog_function *fn,
                                   struct gw_bound **args)
{
    const struct gw_bind_env *outer = b->env;
    char label[256];
    struct gw_bind_env env = env_of(b, fn, label, sizeof label);
    struct gw_bound *body = NULL;
    b->env = &env;
    if (check_body(b, fn) && set_params(b, &env, args)) {
        b->n_inlined++;
        body = bind_value(b, &env);
        b->n_inlined--;
    }
    b->env = outer;
    return body && fn->is_strict ? make_strict(b, fn, args, body) : body;
}

static struct gw_bound *call_node(struct gw_binder *b, const struct gw_catalog_function *fn,
                                  struct gw_bound **args)
{
    bool is_known = !is_composite(b, fn->return_type) &&
                    !gw_bind_type_is_polymorphic(fn->return_type) && fn->is_plain;
    struct gw_bound *node = is_known ? gw_bind_node(b, GW_B_CALL, fn->return_type, fn->n_args)
                                     : gw_bind_fail(b, "calls %.*s, whose type is not known",
                                                    (int)fn->name.n, fn->name.p);
    if (!node)
        return NULL;
    node->text = gw_bind_quote(b, fn->schema, fn->name);
    node->fn = fn;
    node->volatility = fn->volatility;
    for (uint32_t i = 0; i < fn->n_args; i++)
        node->args[i] = args[i];
    return node;
}

struct gw_bound *gw_bind_inline(struct gw_binder *b, const struct gw_catalog_function *fn,
                                struct gw_bound **args)
{
    uint32_t depth = b->depth, n_guards = b->n_guards;
    struct gw_bound *body = try_inline(b, fn, args);
    if (body || fn->volatility != 'i' || b->n_nodes > GW_BIND_NODES_MAX)
        return body;
    struct gw_buf why = b->why;
    gw_buf_init(&b->why, 0);
    b->depth = depth;
    b->n_guards = n_guards;
    bool is_pure = gw_bind_is_pure(b, fn);
    gw_buf_fini(&b->why);
    b->why = why;
    if (!is_pure)
        return NULL;
    gw_buf_reset(&b->why);
    return call_node(b, fn, args);
}

/* ---- rows ---- */

/* A function that is STRICT has no rows where an argument is NULL. */
static bool add_strict(struct gw_binder *b, struct gw_bind_query *q,
                       const struct gw_catalog_function *fn, struct gw_bound **args)
{
    struct gw_bound *condition = NULL;
    for (uint32_t i = 0; i < fn->n_args; i++) {
        struct gw_bound *one = gw_bind_null_test(b, gw_bind_reuse(b, args[i]), true);
        condition = condition && one ? gw_bind_and(b, condition, one) : one;
        if (!condition)
            return false;
    }
    for (uint32_t i = 0; condition && i < q->n_arms; i++) {
        struct gw_bind_arm *arm = q->arms[i];
        if (arm->has_rows_fn) {
            gw_bind_fail(b, "is STRICT and returns the rows of another function");
            return false;
        }
        arm->where = arm->where ? gw_bind_and(b, condition, arm->where) : condition;
    }
    return b->why.n == 0;
}

/* Names and types of what comes out. */
static bool set_columns(struct gw_binder *b, const struct gw_catalog_function *fn,
                        struct gw_bind_query *q)
{
    const struct gw_type *type = gw_types_find(&b->c->types, fn->return_type);
    struct gw_span names[GW_BIND_COLUMNS_MAX];
    uint32_t n;
    bool is_row = is_composite(b, fn->return_type);
    if (!read_columns(b, fn, names, &n))
        return false;
    uint32_t expected = n ? n : is_row ? (type ? type->n_fields : 0) : 1;
    if (q->n_columns != expected || expected == 0) {
        gw_bind_fail(b, "selects %u columns for %u", q->n_columns, expected);
        return false;
    }
    for (uint32_t i = 0; i < expected; i++)
        q->names[i] = n        ? gw_arena_copy(b->arena, names[i])
                      : is_row ? type->fields[i].name
                               : (struct gw_span){0};
    for (uint32_t i = 0; i < q->n_arms && !is_row; i++) {
        q->arms[i]->targets[0] = gw_bind_cast(b, q->arms[i]->targets[0], fn->return_type);
        if (!q->arms[i]->targets[0])
            return false;
    }
    return true;
}

struct gw_bind_query *gw_bind_inline_rows(struct gw_binder *b, const struct gw_catalog_function *fn,
                                          struct gw_bound **args)
{
    const struct gw_bind_env *outer = b->env;
    char label[256];
    struct gw_bind_env env = env_of(b, fn, label, sizeof label);
    struct gw_bind_query *q = NULL;
    b->env = &env;
    if (check_body(b, fn) && set_params(b, &env, args)) {
        b->n_inlined++;
        q = gw_span_is(fn->language, "plpgsql") ? gw_bind_plpgsql_rows(b) : bind_sql(b, &env);
        b->n_inlined--;
    }
    if (q && !set_columns(b, fn, q))
        q = NULL;
    if (q && fn->is_strict && !add_strict(b, q, fn, args))
        q = NULL;
    b->env = outer;
    return q;
}
