/* bind_expr: an expression of libpg_query's as a tree of bound.h. Operators are in bind_op.c,
 * sub-selects in bind_sub.c, calls in bind_call.c. Field names are those of nodes/parsenodes.h. */
#include "bind_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- constants ---- */

/* libpg_query prints integers that are not positive as nothing; the text tells. */
static bool integer_at(struct gw_binder *b, int64_t location, char *out, size_t size)
{
    const char *sql = b->env->sql;
    int64_t n = sql ? (int64_t)strlen(sql) : 0;
    if (location <= 0 || location >= n)
        return false;
    const char *p = sql + location;
    bool is_negative = *p == '-';
    p += is_negative ? 1 + strspn(p + 1, " \t\r\n") : 0;
    size_t digits = strspn(p, "0123456789");
    if (digits == 0 || digits > 10 || (p[digits] && strchr("._", p[digits])))
        return false;
    snprintf(out, size, "%s%.*s", is_negative ? "-" : "", (int)digits, p);
    return true;
}

static struct gw_bound *bind_integer(struct gw_binder *b, const struct json_t *node)
{
    char text[32];
    const struct json_t *value = gw_bind_member(node, "ival");
    if (gw_bind_member(value, "ival"))
        snprintf(text, sizeof text, "%lld", (long long)gw_bind_integer(value, "ival", 0));
    else if (!integer_at(b, gw_bind_integer(node, "location", 0), text, sizeof text))
        return gw_bind_fail(b, "holds a number that cannot be read");
    if (text[0] == '-' && text[1] == '0')
        return gw_bind_const(b, GW_T_INT4, GW_SPAN_LIT("0"));
    return gw_bind_const(b, GW_T_INT4, gw_span_of(text));
}

/* Digits alone are an int8 if they fit. */
static struct gw_bound *bind_number(struct gw_binder *b, struct gw_span text)
{
    bool is_integer = text.n > 0 && text.n <= 18;
    for (size_t i = text.n && text.p[0] == '-'; i < text.n && is_integer; i++)
        is_integer = text.p[i] >= '0' && text.p[i] <= '9';
    return gw_bind_const(b, is_integer ? GW_T_INT8 : GW_T_NUMERIC, text);
}

static struct gw_bound *bind_const(struct gw_binder *b, struct gw_bind_scope *scope,
                                   const struct json_t *node)
{
    (void)scope;
    if (gw_bind_flag(node, "isnull"))
        return gw_bind_null(b, 0);
    if (gw_bind_member(node, "ival"))
        return bind_integer(b, node);
    if (gw_bind_member(node, "fval"))
        return bind_number(b, gw_bind_string(gw_bind_member(node, "fval"), "fval"));
    if (gw_bind_member(node, "boolval"))
        return gw_bind_bool(b, gw_bind_flag(gw_bind_member(node, "boolval"), "boolval"));
    if (!gw_bind_member(node, "sval"))
        return gw_bind_fail(b, "holds a bit string");
    struct gw_span text = gw_bind_string(gw_bind_member(node, "sval"), "sval");
    return gw_bind_const(b, 0, text.p ? text : GW_SPAN_LIT(""));
}

/* ---- booleans ---- */

struct gw_bound *gw_bind_condition(struct gw_binder *b, struct gw_bind_scope *scope,
                                   const struct json_t *node)
{
    return gw_bind_hint(b, gw_bind_expr(b, scope, node), GW_T_BOOL);
}

struct gw_bound *gw_bind_filter(struct gw_binder *b, struct gw_bind_scope *scope,
                                const struct json_t *node)
{
    b->is_filter = true;
    return gw_bind_condition(b, scope, node);
}

static struct gw_bound *bind_bool_expr(struct gw_binder *b, struct gw_bind_scope *scope,
                                       const struct json_t *node)
{
    struct gw_span what = gw_bind_string(node, "boolop");
    const struct json_t *args = gw_bind_member(node, "args");
    enum gw_bound_op op = gw_span_is(what, "AND_EXPR")  ? GW_B_AND
                          : gw_span_is(what, "OR_EXPR") ? GW_B_OR
                                                        : GW_B_NOT;
    struct gw_bound *out = gw_bind_node(b, op, GW_T_BOOL, (uint32_t)gw_bind_size(args));
    bool is_filter = b->is_filter && op != GW_B_NOT;
    for (uint32_t i = 0; out && i < out->n_args; i++) {
        b->is_filter = is_filter;
        out->args[i] = gw_bind_condition(b, scope, gw_bind_at(args, i));
        if (!out->args[i])
            return NULL;
    }
    return out;
}

static struct gw_bound *bind_null_test(struct gw_binder *b, struct gw_bind_scope *scope,
                                       const struct json_t *node)
{
    bool is_not = gw_span_is(gw_bind_string(node, "nulltesttype"), "IS_NOT_NULL");
    return gw_bind_null_test(b, gw_bind_expr(b, scope, gw_bind_member(node, "arg")), is_not);
}

static struct gw_bound *bind_bool_test(struct gw_binder *b, struct gw_bind_scope *scope,
                                       const struct json_t *node)
{
    static const char *const NAMES[] = {"TRUE", "FALSE", "UNKNOWN"};
    struct gw_span what = gw_bind_string(node, "booltesttype"); /* IS_NOT_TRUE, … */
    bool is_not = what.n > 7 && memcmp(what.p, "IS_NOT_", 7) == 0;
    size_t skip = is_not ? 7 : 3;
    struct gw_bound *out = gw_bind_unary(b, GW_B_BOOL_TEST, GW_T_BOOL,
                                         gw_bind_condition(b, scope, gw_bind_member(node, "arg")));
    if (!out || what.n < skip)
        return NULL;
    out->is_not = is_not;
    for (unsigned i = 0; i < 3; i++)
        if (gw_span_is((struct gw_span){what.p + skip, what.n - skip}, NAMES[i]))
            out->test = (enum gw_is)i;
    return out;
}

/* ---- several values ---- */

static struct gw_bound *bind_list(struct gw_binder *b, struct gw_bind_scope *scope,
                                  const struct json_t *list, enum gw_bound_op op)
{
    struct gw_bound *out = gw_bind_node(b, op, 0, (uint32_t)gw_bind_size(list));
    for (uint32_t i = 0; out && i < out->n_args; i++) {
        out->args[i] = gw_bind_expr(b, scope, gw_bind_at(list, i));
        if (!out->args[i])
            return NULL;
    }
    if (out)
        out->type_oid = gw_bind_unify(b, out->args, out->n_args, 1);
    return out;
}

static struct gw_bound *bind_coalesce(struct gw_binder *b, struct gw_bind_scope *scope,
                                      const struct json_t *node)
{
    struct gw_bound *out = bind_list(b, scope, gw_bind_member(node, "args"), GW_B_COALESCE);
    struct gw_bound *array = out && out->n_args == 2 ? gw_bind_or_empty(b, out) : NULL;
    return array || b->why.n ? array : out;
}

static struct gw_bound *bind_min_max(struct gw_binder *b, struct gw_bind_scope *scope,
                                     const struct json_t *node)
{
    bool is_greatest = gw_span_is(gw_bind_string(node, "op"), "IS_GREATEST");
    struct gw_bound *out = bind_list(b, scope, gw_bind_member(node, "args"), GW_B_CALL);
    if (out)
        out->text = gw_span_of(is_greatest ? "GREATEST" : "LEAST");
    return out;
}

static struct gw_bound *bind_array(struct gw_binder *b, struct gw_bind_scope *scope,
                                   const struct json_t *node)
{
    struct gw_bound *out = bind_list(b, scope, gw_bind_member(node, "elements"), GW_B_ARRAY);
    if (!out)
        return NULL;
    bool is_nested = out->n_args && gw_bind_element_of(b, out->type_oid);
    if (!is_nested)
        out->type_oid = out->n_args ? gw_bind_array_of(b, out->type_oid) : 0;
    return out;
}

/* CASE x WHEN v … compares x = v. */
static struct gw_bound *bind_when(struct gw_binder *b, struct gw_bind_scope *scope,
                                  const struct json_t *when, struct gw_bound *arg)
{
    if (!arg)
        return gw_bind_condition(b, scope, gw_bind_member(when, "expr"));
    struct gw_bound *value = gw_bind_expr(b, scope, gw_bind_member(when, "expr"));
    if (!value || !gw_bind_check_operands(b, GW_SPAN_LIT("CASE"), arg, value))
        return NULL;
    return gw_bind_compare(b, "=", gw_bind_reuse(b, arg), value);
}

static struct gw_bound *bind_case(struct gw_binder *b, struct gw_bind_scope *scope,
                                  const struct json_t *node)
{
    const struct json_t *list = gw_bind_member(node, "args"), *when;
    const struct json_t *arg_node = gw_bind_member(node, "arg");
    const struct json_t *otherwise = gw_bind_member(node, "defresult");
    uint32_t n = (uint32_t)gw_bind_size(list);
    struct gw_bound *out = gw_bind_node(b, GW_B_CASE, 0, 2 * n + 1);
    struct gw_bound *arg = out && arg_node ? gw_bind_expr(b, scope, arg_node) : NULL;
    if (!out || (arg_node && !arg))
        return NULL;
    for (uint32_t i = 0; i < n; i++) {
        gw_bind_kind(gw_bind_at(list, i), &when);
        out->args[2 * i] = bind_when(b, scope, when, arg);
        out->args[2 * i + 1] = gw_bind_expr(b, scope, gw_bind_member(when, "result"));
        if (!out->args[2 * i] || !out->args[2 * i + 1])
            return NULL;
    }
    out->args[2 * n] = otherwise ? gw_bind_expr(b, scope, otherwise) : gw_bind_null(b, 0);
    if (!out->args[2 * n])
        return NULL;
    /* Results stand at 1, 3, …; the last argument, too, is one. */
    struct gw_bound **results = gw_arena_alloc(b->arena, (n + 1) * sizeof(struct gw_bound *));
    for (uint32_t i = 0; results && i <= n; i++)
        results[i] = out->args[i < n ? 2 * i + 1 : 2 * n];
    if (!results)
        return NULL;
    out->type_oid = gw_bind_unify(b, results, n + 1, 1);
    for (uint32_t i = 0; i <= n; i++)
        out->args[i < n ? 2 * i + 1 : 2 * n] = results[i];
    return out;
}

/* ---- the rest ---- */

static struct gw_bound *bind_type_cast(struct gw_binder *b, struct gw_bind_scope *scope,
                                       const struct json_t *node)
{
    uint32_t type;
    if (!gw_bind_type_name(b, gw_bind_member(node, "typeName"), &type))
        return NULL;
    return gw_bind_cast(b, gw_bind_expr(b, scope, gw_bind_member(node, "arg")), type);
}

static struct gw_bound *bind_column(struct gw_binder *b, struct gw_bind_scope *scope,
                                    const struct json_t *node)
{
    return gw_bind_column_ref(b, scope, gw_bind_member(node, "fields"));
}

static struct gw_bound *bind_param(struct gw_binder *b, struct gw_bind_scope *scope,
                                   const struct json_t *node)
{
    int64_t number = gw_bind_integer(node, "number", 0);
    (void)scope;
    if (number < 1 || number > b->env->n_positional)
        return gw_bind_fail(b, "uses a parameter it does not have");
    return gw_bind_reuse(b, b->env->params[number - 1].value);
}

/* a[i], a[i:j] */
static struct gw_bound *bind_element(struct gw_binder *b, struct gw_bind_scope *scope,
                                     struct gw_bound *array, const struct json_t *at)
{
    static const char *const BOUNDS[] = {"lidx", "uidx"};
    bool is_slice = gw_bind_flag(at, "is_slice");
    uint32_t type = array ? gw_bind_base_type(b, array->type_oid) : 0;
    uint32_t element = array ? gw_bind_element_of(b, type) : 0;
    if (array && element == 0)
        return gw_bind_fail(b, "takes an element of something else than an array");
    struct gw_bound *node =
        array ? gw_bind_node(b, GW_B_ELEMENT, is_slice ? type : element, is_slice ? 3 : 2) : NULL;
    if (!node)
        return NULL;
    node->args[0] = array;
    for (uint32_t i = is_slice ? 0 : 1, n = 1; i < 2; i++, n++) {
        const struct json_t *bound = gw_bind_member(at, BOUNDS[i]);
        if (!bound)
            return gw_bind_fail(b, "takes a slice without an end of an array");
        node->args[n] = gw_bind_hint(b, gw_bind_expr(b, scope, bound), GW_T_INT4);
        if (!node->args[n])
            return NULL;
    }
    return node;
}

static struct gw_bound *bind_indirection(struct gw_binder *b, struct gw_bind_scope *scope,
                                         const struct json_t *node)
{
    const struct json_t *list = gw_bind_member(node, "indirection"), *at;
    struct gw_span name = gw_bind_name_at(list, 0);
    bool is_element = strcmp(gw_bind_kind(gw_bind_at(list, 0), &at), "A_Indices") == 0;
    if (gw_bind_size(list) != 1 || (name.n == 0 && !is_element))
        return gw_bind_fail(b, "takes a part of a part of a value");
    struct gw_bound *value = gw_bind_expr(b, scope, gw_bind_member(node, "arg"));
    return is_element ? bind_element(b, scope, value, at) : gw_bind_field(b, value, name);
}

static struct gw_bound *bind_value_function(struct gw_binder *b, struct gw_bind_scope *scope,
                                            const struct json_t *node)
{
    static const struct {
        const char *op, *text;
        uint32_t type;
    } CLOCKS[] = {
        {"SVFOP_CURRENT_DATE", "CURRENT_DATE", GW_T_DATE},
        {"SVFOP_CURRENT_TIME", "CURRENT_TIME", GW_T_TIMETZ},
        {"SVFOP_CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP", GW_T_TIMESTAMPTZ},
        {"SVFOP_LOCALTIME", "LOCALTIME", GW_T_TIME},
        {"SVFOP_LOCALTIMESTAMP", "LOCALTIMESTAMP", GW_T_TIMESTAMP},
    };
    struct gw_span op = gw_bind_string(node, "op");
    bool is_role = gw_span_is(op, "SVFOP_CURRENT_ROLE") || gw_span_is(op, "SVFOP_CURRENT_USER") ||
                   gw_span_is(op, "SVFOP_USER");
    (void)scope;
    if (is_role && b->env->definer)
        return gw_bind_fail(b, "uses current_user below SECURITY DEFINER");
    if (is_role)
        return gw_bind_node(b, GW_B_ROLE, GW_T_NAME, 0);
    for (size_t i = 0; i < sizeof CLOCKS / sizeof *CLOCKS; i++) {
        if (!gw_span_is(op, CLOCKS[i].op))
            continue;
        struct gw_bound *out = gw_bind_node(b, GW_B_VALUE_FN, CLOCKS[i].type, 0);
        if (out) {
            out->text = gw_span_of(CLOCKS[i].text);
            out->volatility = 's';
        }
        return out;
    }
    struct gw_span name = op.n > 6 ? (struct gw_span){op.p + 6, op.n - 6} : op; /* SVFOP_… */
    return gw_bind_fail(b, "uses %.*s", (int)name.n, name.n ? name.p : "");
}

static const struct {
    const char *kind;
    struct gw_bound *(*bind)(struct gw_binder *b, struct gw_bind_scope *scope,
                             const struct json_t *node);
} HANDLERS[] = {
    {"ColumnRef", bind_column},
    {"A_Const", bind_const},
    {"TypeCast", bind_type_cast},
    {"A_Expr", gw_bind_a_expr},
    {"BoolExpr", bind_bool_expr},
    {"FuncCall", gw_bind_call},
    {"SubLink", gw_bind_sub_link},
    {"NullTest", bind_null_test},
    {"BooleanTest", bind_bool_test},
    {"CoalesceExpr", bind_coalesce},
    {"CaseExpr", bind_case},
    {"A_ArrayExpr", bind_array},
    {"ParamRef", bind_param},
    {"A_Indirection", bind_indirection},
    {"SQLValueFunction", bind_value_function},
    {"MinMaxExpr", bind_min_max},
};

struct gw_bound *gw_bind_expr(struct gw_binder *b, struct gw_bind_scope *scope,
                              const struct json_t *node)
{
    const struct json_t *body;
    const char *kind = gw_bind_kind(node, &body);
    struct gw_bound *out = NULL;
    b->is_filter = b->is_filter && (strcmp(kind, "BoolExpr") == 0 || strcmp(kind, "SubLink") == 0);
    if (!gw_bind_enter(b))
        return NULL;
    size_t i = 0, n = sizeof HANDLERS / sizeof *HANDLERS;
    while (i < n && strcmp(kind, HANDLERS[i].kind) != 0)
        i++;
    if (i < n)
        out = HANDLERS[i].bind(b, scope, body);
    else
        gw_bind_fail(b, "holds a %s", *kind ? kind : "hole");
    b->is_filter = false;
    gw_bind_leave(b);
    return out;
}
