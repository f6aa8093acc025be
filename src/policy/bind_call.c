/* bind_call: which function a call means.
 *
 * Under an empty search_path a bare name is pg_catalog's. In a body it is looked for by the
 * search_path; where both pg_catalog and the path have one that could take the arguments, or
 * several of the user's could and none fits exactly, the call is refused (PostgreSQL docs,
 * "Function Type Resolution", would need implicit casts). */
#include "bind_internal.h"

struct args {
    uint32_t n;
    struct gw_bound *items[GW_BIND_ARGS_MAX];
    struct gw_span names[GW_BIND_ARGS_MAX]; /* p => x */
};

struct callee {
    struct gw_span schema, name;
    struct args args;
};

struct result {
    bool may_have_rows; /* where the call stands */
    struct gw_bind_rows rows;
};

/* ---- arguments ---- */

static const struct {
    const char *key, *what;
} REFUSED[] = {
    {"agg_star", ""},
    {"agg_order", " with ORDER BY"},
    {"agg_distinct", " with DISTINCT"},
    {"agg_filter", " FILTER"},
    {"over", " OVER"},
    {"agg_within_group", " WITHIN GROUP"},
    {"func_variadic", " with VARIADIC"},
};

static bool check_form(struct gw_binder *b, const struct json_t *node, struct gw_span name)
{
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        if (!gw_bind_member(node, REFUSED[i].key))
            continue;
        gw_bind_fail(b, "uses %.*s()%s", (int)name.n, name.p, REFUSED[i].what);
        return false;
    }
    return true;
}

static bool bind_args(struct gw_binder *b, struct gw_bind_scope *scope, const struct json_t *list,
                      struct args *out)
{
    if (gw_bind_size(list) > GW_BIND_ARGS_MAX) {
        gw_bind_fail(b, "calls a function with more than %u arguments", GW_BIND_ARGS_MAX);
        return false;
    }
    for (size_t i = 0; i < gw_bind_size(list); i++) {
        const struct json_t *arg = gw_bind_at(list, i), *named;
        out->names[i] = (struct gw_span){0};
        if (strcmp(gw_bind_kind(arg, &named), "NamedArgExpr") == 0) {
            out->names[i] = gw_bind_string(named, "name");
            arg = gw_bind_member(named, "arg");
        }
        out->items[i] = gw_bind_expr(b, scope, arg);
        if (!out->items[i])
            return false;
    }
    out->n = (uint32_t)gw_bind_size(list);
    return true;
}

/* Where each argument goes; false: fn does not take them so. */
static bool place_args(const struct gw_catalog_function *fn, const struct args *args,
                       struct gw_bound **placed)
{
    if (args->n > fn->n_args || fn->n_args > GW_BIND_ARGS_MAX)
        return false;
    for (uint32_t i = 0; i < fn->n_args; i++)
        placed[i] = NULL;
    for (uint32_t i = 0; i < args->n; i++) {
        uint32_t at = i;
        if (args->names[i].n)
            for (at = 0; at < fn->n_args && !gw_span_eq(fn->arg_names[at], args->names[i]);)
                at++;
        if (at == fn->n_args || placed[at])
            return false;
        placed[at] = args->items[i];
    }
    for (uint32_t i = 0; i + fn->n_defaults < fn->n_args; i++)
        if (!placed[i])
            return false;
    return true;
}

/* ---- choosing ---- */

/* How well a value of a type goes where another is asked for. */
enum fit { FIT_NO, FIT_MAYBE, FIT_EXACT };

/* Implicit casts between built-in types, as pg_cast has the common ones. */
static bool is_implicit(uint32_t from, uint32_t to)
{
    static const uint32_t NUMBERS[] = {GW_T_INT2,    GW_T_INT4,   GW_T_INT8,
                                       GW_T_NUMERIC, GW_T_FLOAT4, GW_T_FLOAT8};
    static const uint32_t TEXTS[] = {GW_T_NAME, GW_T_BPCHAR, GW_T_VARCHAR, GW_T_TEXT};
    static const uint32_t TIMES[] = {GW_T_DATE, GW_T_TIMESTAMP, GW_T_TIMESTAMPTZ};
    bool has_seen = false;
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++) {
        has_seen = has_seen || NUMBERS[i] == from;
        if (has_seen && NUMBERS[i] == to)
            return true;
    }
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        for (size_t k = 0; k < sizeof TEXTS / sizeof *TEXTS; k++)
            if (TEXTS[i] == from && TEXTS[k] == to)
                return true;
    return (from == TIMES[0] && (to == TIMES[1] || to == TIMES[2])) ||
           (from == TIMES[1] && to == TIMES[2]);
}

static enum fit fit_of(const struct gw_binder *b, const struct gw_bound *arg, uint32_t type)
{
    uint32_t own = arg->type_oid, base = gw_bind_base_type(b, own);
    if (own == type)
        return FIT_EXACT;
    if (gw_bind_is_literal(arg) || own == 0 || gw_bind_type_is_polymorphic(type) || base == type ||
        gw_bind_base_type(b, type) == base)
        return FIT_MAYBE;
    return is_implicit(base, type) ? FIT_MAYBE : FIT_NO;
}

static enum fit fit_all(const struct gw_binder *b, const struct gw_catalog_function *fn,
                        const struct args *args)
{
    struct gw_bound *placed[GW_BIND_ARGS_MAX];
    enum fit worst = FIT_EXACT;
    if (!place_args(fn, args, placed))
        return FIT_NO;
    for (uint32_t i = 0; i < fn->n_args; i++) {
        enum fit fit = placed[i] ? fit_of(b, placed[i], fn->arg_types[i]) : FIT_EXACT;
        worst = fit < worst ? fit : worst;
    }
    return worst;
}

struct choice {
    const struct gw_catalog_function *best;
    enum fit fit;
    bool is_ambiguous;
};

static void look_in(const struct gw_binder *b, const struct callee *call, struct gw_span schema,
                    struct choice *out)
{
    for (uint32_t i = 0; i < b->c->n_functions; i++) {
        const struct gw_catalog_function *fn = &b->c->functions[i];
        if (!gw_span_eq(fn->name, call->name) || !gw_span_eq(fn->schema, schema))
            continue;
        enum fit fit = fit_all(b, fn, &call->args);
        if (fit == FIT_NO || fit < out->fit)
            continue;
        out->is_ambiguous = fit == out->fit; /* an earlier one fits as well */
        out->best = fn;
        out->fit = fit;
    }
}

/* The user's function meant, or NULL: none of that name in reach that takes these arguments. */
static bool choose(struct gw_binder *b, const struct callee *call, struct choice *out)
{
    *out = (struct choice){.fit = FIT_NO};
    if (call->schema.n && !gw_span_is(call->schema, "pg_catalog"))
        look_in(b, call, call->schema, out);
    else if (call->schema.n == 0 && !b->env->is_resolved)
        for (uint32_t i = 0; i < b->env->n_path; i++)
            look_in(b, call, b->env->path[i], out);
    if (!out->is_ambiguous)
        return true;
    gw_bind_fail(b, "calls %.*s, which may mean several functions", (int)call->name.n,
                 call->name.p);
    return false;
}

/* ---- built-in functions ---- */

/* The name of a setting is constant: what else might be asked could not be told. Those without a
 * dot are the server's own; of them only the role is known. */
static struct gw_bound *bind_setting(struct gw_binder *b, const struct args *args)
{
    const struct gw_bound *name = args->n ? args->items[0] : NULL;
    const struct gw_bound *missing = args->n > 1 ? args->items[1] : NULL;
    bool is_missing_known = !missing || gw_bind_is_true(missing) || gw_bind_is_false(missing);
    if (!name || name->op != GW_B_CONST || name->is_null || !is_missing_known)
        return gw_bind_fail(b, "calls current_setting() for a name that is not constant");
    if (gw_span_is_nocase(name->text, "role"))
        return gw_bind_unary(b, GW_B_CAST, GW_T_TEXT, gw_bind_node(b, GW_B_ROLE, GW_T_NAME, 0));
    if (!memchr(name->text.p, '.', name->text.n))
        return gw_bind_fail(b, "reads the setting %.*s of the server", (int)name->text.n,
                            name->text.p);
    struct gw_bound *node = gw_bind_node(b, GW_B_SETTING, GW_T_TEXT, 0);
    if (node) {
        node->text = name->text;
        node->is_null = missing && gw_bind_is_true(missing);
    }
    return node;
}

/* to_regclass('public.t') of a table that is there: a constant. */
static struct gw_bound *bind_regclass(struct gw_binder *b, const struct args *args)
{
    const struct gw_bound *name = args->n ? args->items[0] : NULL;
    for (uint32_t i = 0; name && name->op == GW_B_CONST && i < b->c->n_tables; i++) {
        const struct gw_catalog_table *t = &b->c->tables[i];
        struct gw_span quoted = gw_bind_quote(b, t->schema, t->name);
        bool is_usable = b->env->definer || t->access[b->role_id].has_schema_usage;
        if (gw_span_eq(quoted, name->text) && is_usable)
            return gw_bind_const(b, GW_T_REGCLASS, quoted);
    }
    return gw_bind_fail(b, "calls to_regclass() for something else than a known table");
}

static struct gw_bound *bind_builtin(struct gw_binder *b, const struct callee *call,
                                     struct result *out)
{
    const struct gw_bind_builtin *f = gw_bind_builtin_find(call->name);
    if (gw_span_is(call->name, "current_setting"))
        return bind_setting(b, &call->args);
    if (gw_span_is(call->name, "to_regclass"))
        return bind_regclass(b, &call->args);
    if (gw_bind_is_aggregate(call->name))
        return gw_bind_fail(b, "uses %.*s()", (int)call->name.n, call->name.p);
    if (!f || (f->returns_rows && !out->may_have_rows))
        return gw_bind_fail(b, "calls %.*s(), %s", (int)call->name.n, call->name.p,
                            f ? "which returns rows"
                              : "which is no known function, or one that may look at who asks");
    struct gw_bound *node = gw_bind_node(b, GW_B_CALL, 0, call->args.n);
    for (uint32_t i = 0; node && i < call->args.n; i++) {
        uint32_t hint = f->takes_text ? GW_T_TEXT : 0;
        if (call->args.names[i].n)
            return gw_bind_fail(b, "calls %s() by names of arguments", f->name);
        node->args[i] = gw_bind_hint(b, call->args.items[i], hint);
    }
    if (!node)
        return NULL;
    node->text = gw_bind_quote(b, GW_SPAN_LIT("pg_catalog"), call->name);
    node->type_oid = gw_bind_builtin_type(b, f, node);
    node->volatility = f->volatility;
    out->rows.has_rows = f->returns_rows;
    return node;
}

/* ---- the user's functions ---- */

static bool may_execute(const struct gw_binder *b, const struct gw_catalog_function *fn)
{
    const struct gw_catalog_function *definer = b->env->definer;
    uint64_t everyone = b->c->n_roles >= 64 ? UINT64_MAX : (UINT64_C(1) << b->c->n_roles) - 1;
    if (!definer)
        return fn->executable >> b->role_id & 1;
    return definer->owner_is_super || definer->owner_oid == fn->owner_oid ||
           (fn->executable & everyone) == everyone;
}

static bool check_execute(struct gw_binder *b, const struct gw_catalog_function *fn)
{
    struct gw_span role = b->c->roles[b->role_id];
    if (may_execute(b, fn))
        return true;
    gw_bind_fail(b, "%s %.*s may not execute %.*s.%.*s", b->env->definer ? "the owner of" : "role",
                 (int)(b->env->definer ? b->env->definer->name.n : role.n),
                 b->env->definer ? b->env->definer->name.p : role.p, (int)fn->schema.n,
                 fn->schema.p, (int)fn->name.n, fn->name.p);
    return false;
}

/* Arguments as the parameters are declared, defaults where none was given. */
static bool complete_args(struct gw_binder *b, const struct gw_catalog_function *fn,
                          const struct args *args, struct gw_bound **placed)
{
    if (!place_args(fn, args, placed))
        return false;
    for (uint32_t i = 0; i < fn->n_args; i++) {
        if (!placed[i])
            placed[i] = gw_bind_default(b, fn, i);
        placed[i] = gw_bind_cast(b, placed[i], fn->arg_types[i]);
        if (!placed[i])
            return false;
    }
    return true;
}

static bool bind_user(struct gw_binder *b, const struct gw_catalog_function *fn,
                      const struct args *args, struct result *out)
{
    struct gw_bound *placed[GW_BIND_ARGS_MAX];
    if (!check_execute(b, fn) || !complete_args(b, fn, args, placed))
        return false;
    if (!fn->returns_set) {
        out->rows.value = gw_bind_inline(b, fn, placed);
        return out->rows.value != NULL;
    }
    if (!out->may_have_rows) {
        gw_bind_fail(b, "calls %.*s, which returns rows, for a value", (int)fn->name.n, fn->name.p);
        return false;
    }
    out->rows.q = gw_bind_inline_rows(b, fn, placed);
    return out->rows.q != NULL;
}

static bool bind_callee(struct gw_binder *b, const struct callee *call, struct result *out)
{
    struct choice choice;
    bool is_bare = call->schema.n == 0;
    if (!choose(b, call, &choice))
        return false;
    if (choice.best && is_bare && gw_bind_builtin_find(call->name)) {
        gw_bind_fail(b, "calls %.*s, which is built in and %.*s's, too", (int)call->name.n,
                     call->name.p, (int)choice.best->schema.n, choice.best->schema.p);
        return false;
    }
    if (choice.best)
        return bind_user(b, choice.best, &call->args, out);
    if (is_bare || gw_span_is(call->schema, "pg_catalog")) {
        out->rows.value = bind_builtin(b, call, out);
        return out->rows.value != NULL;
    }
    gw_bind_fail(b, "calls %.*s.%.*s, which is no known function with these arguments",
                 (int)call->schema.n, call->schema.p, (int)call->name.n, call->name.p);
    return false;
}

static bool bind_here(struct gw_binder *b, struct gw_bind_scope *scope, const struct json_t *node,
                      struct result *out)
{
    const struct json_t *names = gw_bind_member(node, "funcname");
    size_t n = gw_bind_size(names);
    bool is_aggregate;
    out->rows.value = gw_bind_aggregate(b, scope, node, &is_aggregate);
    if (is_aggregate)
        return out->rows.value != NULL;
    struct callee call = {.name = n ? gw_bind_name_at(names, n - 1) : (struct gw_span){0},
                          .schema = n > 1 ? gw_bind_name_at(names, n - 2) : (struct gw_span){0}};
    return check_form(b, node, call.name) &&
           bind_args(b, scope, gw_bind_member(node, "args"), &call.args) &&
           bind_callee(b, &call, out);
}

struct gw_bound *gw_bind_call(struct gw_binder *b, struct gw_bind_scope *scope,
                              const struct json_t *node)
{
    struct result result = {.may_have_rows = false};
    return bind_here(b, scope, node, &result) ? result.rows.value : NULL;
}

bool gw_bind_call_rows(struct gw_binder *b, struct gw_bind_scope *scope, const struct json_t *node,
                       struct gw_bind_rows *out)
{
    struct result result = {.may_have_rows = true};
    bool ok = bind_here(b, scope, node, &result);
    *out = result.rows;
    return ok;
}
