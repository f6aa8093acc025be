/* lower_fact_native: a caller-only expression as a tree that gw/facts.h evaluates from the claims.
 * NULL where anything in it is Postgres' alone; then the fact has only its SQL. */
#include "lower_internal.h"

static struct gw_fact_expr *native(struct gw_lower *l, const struct gw_bound *node);

static struct gw_fact_expr *make(struct gw_lower *l, enum gw_fact_op op, enum gw_kind kind,
                                 uint32_t n_args)
{
    struct gw_arena *arena = &l->r->rules->arena;
    struct gw_fact_expr *x = gw_arena_alloc(arena, sizeof *x);
    x->op = op;
    x->kind = kind;
    x->n_args = n_args;
    x->args = gw_arena_alloc(arena, n_args * sizeof(struct gw_fact_expr *));
    return x;
}

static bool take_args(struct gw_lower *l, struct gw_fact_expr *x, const struct gw_bound *node)
{
    for (uint32_t i = 0; i < x->n_args; i++) {
        x->args[i] = native(l, node->args[i]);
        if (!x->args[i])
            return false;
    }
    return true;
}

static struct gw_fact_expr *with_args(struct gw_lower *l, enum gw_fact_op op, enum gw_kind kind,
                                      const struct gw_bound *node)
{
    struct gw_fact_expr *x = make(l, op, kind, node->n_args);
    return take_args(l, x, node) ? x : NULL;
}

/* ---- leaves ---- */

static struct gw_fact_expr *constant(struct gw_lower *l, const struct gw_bound *node,
                                     uint32_t type_oid)
{
    struct gw_datum d = gw_lower_literal(l, node, type_oid);
    struct gw_fact_expr *x = make(l, GW_FACT_CONST, gw_lower_type_kind(l, type_oid), 0);
    x->is_null = d.state == GW_DATUM_NULL;
    x->text = d.text;
    return x->is_null || d.state == GW_DATUM_VALUE ? x : NULL;
}

static struct gw_fact_expr *setting(struct gw_lower *l, const struct gw_bound *node)
{
    if (!gw_lower_is_claim_setting(l, node->text))
        return NULL;
    struct gw_fact_expr *x = make(l, GW_FACT_SETTING, GW_KIND_TEXT, 0);
    x->text = gw_arena_copy(&l->r->rules->arena, node->text);
    return x;
}

/* A part whose literals are of the type of the whole. */
static struct gw_fact_expr *part(struct gw_lower *l, const struct gw_bound *node, uint32_t type_oid)
{
    if (node->op == GW_B_CONST && (node->type_oid == 0 || node->is_null))
        return constant(l, node, type_oid ? type_oid : GW_OID_TEXT);
    return native(l, node);
}

/* ---- functions ---- */

static struct gw_fact_expr *negated(struct gw_lower *l, struct gw_fact_expr *inner)
{
    if (!inner)
        return NULL;
    struct gw_fact_expr *x = make(l, GW_FACT_NOT, GW_KIND_BOOL, 1);
    x->args[0] = inner;
    return x;
}

static struct gw_fact_expr *call(struct gw_lower *l, enum gw_native_fn fn,
                                 const struct gw_bound *node)
{
    struct gw_fact_expr *x = with_args(l, GW_FACT_NATIVE, gw_natives[fn].result, node);
    if (x)
        x->fn = fn;
    return x;
}

static struct gw_fact_expr *function(struct gw_lower *l, const struct gw_bound *node)
{
    bool is_negated;
    enum gw_native_fn fn = gw_lower_native_fn(l, node, &is_negated);
    if (fn == GW_FN_NONE)
        return NULL;
    struct gw_fact_expr *x = call(l, fn, node);
    return is_negated ? negated(l, x) : x;
}

static struct gw_fact_expr *cast(struct gw_lower *l, const struct gw_bound *node)
{
    bool is_same;
    enum gw_native_fn fn = gw_lower_cast_fn(l, node->args[0]->type_oid, node->type_oid, &is_same);
    if (is_same)
        return native(l, node->args[0]);
    return fn == GW_FN_NONE ? NULL : call(l, fn, node);
}

/* ---- comparisons ---- */

/* One kind for both sides: of the first that is no untyped literal. OPAQUE: not comparable. */
static enum gw_kind common_kind(const struct gw_lower *l, const struct gw_bound *a,
                                const struct gw_bound *b, uint32_t *type_oid)
{
    bool a_open = a->op == GW_B_CONST && (a->type_oid == 0 || a->is_null);
    bool b_open = b->op == GW_B_CONST && (b->type_oid == 0 || b->is_null);
    *type_oid = a_open ? b->type_oid : a->type_oid;
    if (*type_oid == 0)
        *type_oid = GW_OID_TEXT;
    enum gw_kind kind = gw_lower_type_kind(l, *type_oid);
    if (!a_open && !b_open && gw_lower_type_kind(l, b->type_oid) != kind)
        return GW_KIND_OPAQUE;
    if (kind == GW_KIND_ENUM && !a_open && !b_open && a->type_oid != b->type_oid)
        return GW_KIND_OPAQUE;
    return kind;
}

static struct gw_fact_expr *pair(struct gw_lower *l, enum gw_fact_op op, enum gw_kind kind,
                                 const struct gw_bound *node)
{
    uint32_t type_oid;
    enum gw_kind arg_kind = common_kind(l, node->args[0], node->args[1], &type_oid);
    struct gw_fact_expr *x = make(l, op, kind, 2);
    if (arg_kind == GW_KIND_OPAQUE)
        return NULL;
    x->arg_kind = arg_kind;
    x->args[0] = part(l, node->args[0], type_oid);
    x->args[1] = part(l, node->args[1], type_oid);
    return x->args[0] && x->args[1] ? x : NULL;
}

static struct gw_fact_expr *comparison(struct gw_lower *l, const struct gw_bound *node,
                                       enum gw_cmp cmp)
{
    struct gw_fact_expr *x =
        node->n_args == 2 ? pair(l, GW_FACT_COMPARE, GW_KIND_BOOL, node) : NULL;
    bool is_order = cmp != GW_CMP_EQ && cmp != GW_CMP_NE && cmp != GW_CMP_DISTINCT;
    if (!x || (is_order && !gw_kind_has_order(x->arg_kind)))
        return NULL;
    x->cmp = cmp;
    return x;
}

static struct gw_fact_expr *distinct(struct gw_lower *l, const struct gw_bound *node)
{
    struct gw_fact_expr *x = comparison(l, node, GW_CMP_DISTINCT);
    return node->is_not ? negated(l, x) : x;
}

/* x = ANY (ARRAY[…]), x <> ALL (ARRAY[…]) */
static struct gw_fact_expr *among(struct gw_lower *l, const struct gw_bound *node)
{
    const struct gw_bound *list = node->args[1];
    bool is_in = gw_lower_is_op(node, "=") && !node->is_all;
    bool is_out = gw_lower_is_op(node, "<>") && node->is_all;
    if (list->op != GW_B_ARRAY || (!is_in && !is_out))
        return NULL;
    struct gw_fact_expr *x = make(l, GW_FACT_IN, GW_KIND_BOOL, list->n_args + 1);
    uint32_t type_oid = node->args[0]->type_oid ? node->args[0]->type_oid : GW_OID_TEXT;
    x->arg_kind = gw_lower_type_kind(l, type_oid);
    x->args[0] = part(l, node->args[0], type_oid);
    for (uint32_t i = 0; i < list->n_args; i++) {
        uint32_t common;
        if (common_kind(l, node->args[0], list->args[i], &common) == GW_KIND_OPAQUE)
            return NULL;
        x->args[i + 1] = part(l, list->args[i], type_oid);
        if (!x->args[i + 1])
            return NULL;
    }
    return !x->args[0] ? NULL : is_out ? negated(l, x) : x;
}

/* ---- tests and choices ---- */

static struct gw_fact_expr *null_test(struct gw_lower *l, const struct gw_bound *node)
{
    struct gw_fact_expr *x = with_args(l, GW_FACT_IS_NULL, GW_KIND_BOOL, node);
    return node->is_not ? negated(l, x) : x;
}

static struct gw_fact_expr *bool_test(struct gw_lower *l, const struct gw_bound *node)
{
    struct gw_fact_expr *x = with_args(l, GW_FACT_IS, GW_KIND_BOOL, node);
    if (!x)
        return NULL;
    x->test = node->test;
    return node->is_not ? negated(l, x) : x;
}

/* COALESCE and CASE: values at all places, conditions of CASE apart. */
static struct gw_fact_expr *choice(struct gw_lower *l, const struct gw_bound *node)
{
    bool is_case = node->op == GW_B_CASE;
    struct gw_fact_expr *x = make(l, is_case ? GW_FACT_CASE : GW_FACT_COALESCE,
                                  gw_lower_type_kind(l, node->type_oid), node->n_args);
    for (uint32_t i = 0; i < node->n_args; i++) {
        bool is_condition = is_case && i % 2 == 0 && i + 1 < node->n_args;
        x->args[i] = part(l, node->args[i], is_condition ? GW_OID_BOOL : node->type_oid);
        if (!x->args[i])
            return NULL;
    }
    return x;
}

static struct gw_fact_expr *strict(struct gw_lower *l, const struct gw_bound *node)
{
    enum gw_kind kind = gw_lower_type_kind(l, node->args[0]->type_oid);
    struct gw_fact_expr *any = make(l, GW_FACT_OR, GW_KIND_BOOL, node->n_args - 1);
    struct gw_fact_expr *x = make(l, GW_FACT_CASE, kind, 3);
    for (uint32_t i = 1; i < node->n_args; i++) {
        struct gw_fact_expr *arg = native(l, node->args[i]);
        if (!arg)
            return NULL;
        any->args[i - 1] = make(l, GW_FACT_IS_NULL, GW_KIND_BOOL, 1);
        any->args[i - 1]->args[0] = arg;
    }
    x->args[0] = any;
    x->args[1] = make(l, GW_FACT_CONST, kind, 0);
    x->args[1]->is_null = true;
    x->args[2] = native(l, node->args[0]);
    return x->args[2] ? x : NULL;
}

/* ---- all ---- */

static struct gw_fact_expr *native(struct gw_lower *l, const struct gw_bound *node)
{
    enum gw_cmp cmp;
    switch (node->op) {
    case GW_B_CONST:
        return constant(l, node, node->type_oid ? node->type_oid : GW_OID_TEXT);
    case GW_B_SETTING:
        return setting(l, node);
    case GW_B_CALL:
        return function(l, node);
    case GW_B_OP:
        return gw_lower_cmp_of(node, &cmp) ? comparison(l, node, cmp) : function(l, node);
    case GW_B_CAST:
        return cast(l, node);
    case GW_B_AND:
        return with_args(l, GW_FACT_AND, GW_KIND_BOOL, node);
    case GW_B_OR:
        return with_args(l, GW_FACT_OR, GW_KIND_BOOL, node);
    case GW_B_NOT:
        return negated(l, native(l, node->args[0]));
    case GW_B_NULL_TEST:
        return null_test(l, node);
    case GW_B_BOOL_TEST:
        return bool_test(l, node);
    case GW_B_DISTINCT:
        return distinct(l, node);
    case GW_B_COALESCE:
    case GW_B_CASE:
        return choice(l, node);
    case GW_B_NULLIF:
        return pair(l, GW_FACT_NULLIF, gw_lower_type_kind(l, node->type_oid), node);
    case GW_B_STRICT:
        return strict(l, node);
    case GW_B_ANY:
        return among(l, node);
    default:
        return NULL;
    }
}

struct gw_fact_expr *gw_lower_fact_native(struct gw_lower *l, const struct gw_bound *node)
{
    return native(l, node);
}

/* ---- sets ---- */

static struct gw_fact_expr *cast_each(struct gw_lower *l, struct gw_fact_expr *set, uint32_t from,
                                      uint32_t to)
{
    bool is_same;
    if (!set)
        return NULL;
    enum gw_native_fn fn = gw_lower_cast_fn(l, from, to, &is_same);
    if (is_same)
        return set;
    if (fn == GW_FN_NONE)
        return NULL;
    struct gw_fact_expr *x = make(l, GW_FACT_CAST_EACH, gw_lower_type_kind(l, to), 1);
    x->fn = fn;
    x->args[0] = set;
    return x;
}

static struct gw_fact_expr *set_over(struct gw_lower *l, enum gw_fact_op op,
                                     struct gw_fact_expr *value)
{
    if (!value)
        return NULL;
    struct gw_fact_expr *x = make(l, op, GW_KIND_TEXT, 1);
    x->args[0] = value;
    return x;
}

/* Where rows are made of it, a NULL array makes none: it is an empty one. */
static struct gw_fact_expr *or_empty(struct gw_lower *l, struct gw_fact_expr *array)
{
    if (!array)
        return NULL;
    struct gw_fact_expr *x = make(l, GW_FACT_COALESCE, GW_KIND_OPAQUE, 2);
    x->args[0] = array;
    x->args[1] = make(l, GW_FACT_CONST, GW_KIND_OPAQUE, 0);
    x->args[1]->text = GW_SPAN_LIT("{}");
    return x;
}

/* An array of texts as one value, its text. */
static struct gw_fact_expr *array_value(struct gw_lower *l, const struct gw_bound *node)
{
    bool is_texts = gw_lower_is_text_type(gw_lower_element_type(l, node->type_oid));
    if (node->op == GW_B_CALL && is_texts)
        return function(l, node);
    /* A text cast to an array: the elements are cast afterwards, one by one. */
    if (node->op == GW_B_CAST && gw_lower_is_text_type(node->args[0]->type_oid))
        return native(l, node->args[0]);
    return NULL;
}

/* What a row of the select is: the function that makes rows, perhaps cast. */
static struct gw_fact_expr *rows(struct gw_lower *l, const struct gw_bound *target)
{
    struct gw_span name = gw_lower_builtin(target);
    if (target->op == GW_B_CAST)
        return cast_each(l, rows(l, target->args[0]), target->args[0]->type_oid, target->type_oid);
    if (target->n_args != 1)
        return NULL;
    const struct gw_bound *arg = target->args[0];
    if (gw_span_is(name, "jsonb_array_elements_text") ||
        gw_span_is(name, "json_array_elements_text"))
        return set_over(l, GW_FACT_ELEMENTS, native(l, arg));
    if (!gw_span_is(name, "unnest"))
        return NULL;
    struct gw_fact_expr *set = set_over(l, GW_FACT_ARRAY, or_empty(l, array_value(l, arg)));
    return cast_each(l, set, GW_OID_TEXT, gw_lower_element_type(l, arg->type_oid));
}

struct gw_fact_expr *gw_lower_set_native(struct gw_lower *l, const struct gw_bound *node)
{
    if (node->op == GW_B_SUB) {
        const struct gw_bound_arm *arm = &node->select->arms[0];
        bool is_plain = node->select->n_arms == 1 && arm->n_from == 0 && !arm->where;
        return is_plain && !arm->is_limited ? rows(l, arm->target) : NULL;
    }
    if (node->op == GW_B_CAST && gw_lower_element_type(l, node->args[0]->type_oid))
        return cast_each(l, gw_lower_set_native(l, node->args[0]),
                         gw_lower_element_type(l, node->args[0]->type_oid),
                         gw_lower_element_type(l, node->type_oid));
    struct gw_fact_expr *set = set_over(l, GW_FACT_ARRAY, array_value(l, node));
    return cast_each(l, set, GW_OID_TEXT, gw_lower_element_type(l, node->type_oid));
}

/* Its text is that of no elements. */
static struct gw_fact_expr *is_text(struct gw_lower *l, struct gw_fact_expr *value,
                                    struct gw_span text)
{
    struct gw_fact_expr *x = make(l, GW_FACT_COMPARE, GW_KIND_BOOL, 2);
    x->arg_kind = GW_KIND_TEXT;
    x->cmp = GW_CMP_EQ;
    x->args[0] = value;
    x->args[1] = make(l, GW_FACT_CONST, GW_KIND_TEXT, 0);
    x->args[1]->text = text;
    return x;
}

static bool is_jsonb(const struct gw_bound *set)
{
    if (set->op != GW_B_SUB)
        return false;
    const struct gw_bound *target = set->select->arms[0].target;
    return gw_span_is(gw_lower_builtin(target), "jsonb_array_elements_text");
}

/* By the text of the array, where there is one spelling of an empty one: jsonb's [], and {} of what
 * string_to_array made. */
struct gw_fact_expr *gw_lower_empty_native(struct gw_lower *l, const struct gw_bound *node)
{
    struct gw_fact_expr *set = gw_lower_set_native(l, node);
    if (!set || set->op == GW_FACT_CAST_EACH)
        return NULL;
    struct gw_fact_expr *array = set->args[0];
    if (set->op == GW_FACT_ARRAY)
        return array->op == GW_FACT_NATIVE && array->fn == GW_FN_STRING_TO_ARRAY
                   ? is_text(l, array, GW_SPAN_LIT("{}"))
                   : NULL;
    if (!is_jsonb(node))
        return NULL;
    struct gw_fact_expr *either = make(l, GW_FACT_OR, GW_KIND_BOOL, 2);
    either->args[0] = make(l, GW_FACT_IS_NULL, GW_KIND_BOOL, 1); /* makes no rows */
    either->args[0]->args[0] = array;
    either->args[1] = is_text(l, array, GW_SPAN_LIT("[]"));
    return either;
}
