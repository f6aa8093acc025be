/* lower_native: caller-free values that the solver computes itself. What it cannot compute for
 * every row exactly as Postgres would (lower() beyond ASCII, jsonb's spelling of numbers) is left
 * to Postgres, however simple it looks. */
#include "lower_internal.h"

static struct gw_expr *native(struct gw_lower *l, const struct gw_bound *node);

/* ---- leaves ---- */

struct gw_expr *gw_lower_constant(struct gw_lower *l, const struct gw_bound *node,
                                  uint32_t type_oid)
{
    struct gw_datum d = gw_lower_literal(l, node, type_oid);
    if (d.state != GW_DATUM_VALUE && d.state != GW_DATUM_NULL)
        return NULL;
    struct gw_expr *e = gw_lower_null(l, gw_lower_type_kind(l, type_oid));
    if (!e)
        return NULL;
    e->datum = d;
    e->type_oid = type_oid;
    return e;
}

struct gw_expr *gw_lower_column(struct gw_lower *l, const struct gw_bound *node)
{
    const struct gw_catalog_table *t = node->var->table;
    const struct gw_catalog_column *column = &t->columns[node->column];
    int32_t table = l->table_of[node->var->number];
    if (column->generation.n)
        return gw_lower_refuse(l, "reads %.*s.%.*s, a generated column, which is not in the log",
                               (int)t->name.n, t->name.p, (int)column->name.n, column->name.p);
    struct gw_expr *e = gw_lower_expr(l, GW_EXPR_COLUMN, gw_lower_kind(l, node), 0);
    if (!e)
        return NULL;
    e->type_oid = column->type_oid;
    e->slot = l->slot_of[node->var->number];
    e->index = table < 0 ? 0 : (uint32_t)table; /* for gw_lower_needs_text */
    e->column =
        table < 0 ? node->column : gw_lower_table_column(l->r, (uint32_t)table, node->column);
    e->datum.text = gw_arena_copy(&l->r->rules->arena, column->name); /* for printing */
    return e;
}

static struct gw_expr *topic(struct gw_lower *l)
{
    struct gw_expr *e = gw_lower_expr(l, GW_EXPR_INPUT, GW_KIND_TEXT, 0);
    if (!e)
        return NULL;
    e->column = GW_INPUT_TOPIC;
    e->type_oid = GW_OID_TEXT;
    return e;
}

/* ---- functions ---- */

/* Which columns' text a value is made of: those of the access state keep it only when asked to. */
void gw_lower_needs_text(struct gw_lower *l, const struct gw_expr *e)
{
    if (e->op == GW_EXPR_COLUMN && e->slot != 0)
        l->r->tables[e->index].columns[e->column].needs_text = true;
    if (e->op == GW_EXPR_COALESCE || e->op == GW_EXPR_CASE)
        for (uint32_t i = 0; i < e->n_args; i++)
            gw_lower_needs_text(l, e->args[i]);
    if (e->op == GW_EXPR_SCALAR)
        for (uint32_t i = 0; i < e->sub->n_arms; i++)
            gw_lower_needs_text(l, e->sub->arms[i].target);
}

static bool are_constants(const struct gw_expr *e)
{
    for (uint32_t i = 0; i < e->n_args; i++)
        if (e->args[i]->op != GW_EXPR_CONST)
            return false;
    return true;
}

/* Values whose text is ASCII whatever the row. */
static bool is_ascii(const struct gw_expr *e)
{
    return e->op == GW_EXPR_NATIVE && e->index == GW_FN_TO_TEXT &&
           e->args[0]->kind != GW_KIND_ENUM && e->args[0]->kind != GW_KIND_OPAQUE;
}

/* The function answers for every argument, not only for most. */
static bool is_total(const struct gw_expr *e)
{
    switch ((enum gw_native_fn)e->index) {
    case GW_FN_LOWER:
    case GW_FN_UPPER:
        return is_ascii(e->args[0]);
    case GW_FN_TEXT_TO_JSONB:
        return false;
    default:
        return true;
    }
}

static struct gw_expr *fold(struct gw_lower *l, struct gw_expr *e)
{
    struct gw_datum args[4];
    if (e->n_args > 4)
        return NULL;
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (gw_lower_is_null_const(e->args[i]))
            return gw_lower_null(l, e->kind);
        args[i] = e->args[i]->datum;
    }
    struct gw_datum d =
        gw_native_call((enum gw_native_fn)e->index, args, e->n_args, &l->r->rules->arena);
    if (d.state != GW_DATUM_VALUE && d.state != GW_DATUM_NULL)
        return NULL;
    e->op = GW_EXPR_CONST;
    e->n_args = 0;
    d.text = gw_arena_copy(&l->r->rules->arena, d.text);
    e->datum = d;
    return e;
}

static struct gw_expr *call(struct gw_lower *l, enum gw_native_fn fn, const struct gw_bound *node)
{
    struct gw_expr *e = gw_lower_expr(l, GW_EXPR_NATIVE, gw_natives[fn].result, node->n_args);
    if (!e)
        return NULL;
    e->index = fn;
    e->type_oid = node->type_oid;
    for (uint32_t i = 0; i < node->n_args; i++) {
        e->args[i] = native(l, node->args[i]);
        if (!e->args[i])
            return NULL;
        gw_lower_needs_text(l, e->args[i]);
        e->caller_free = e->caller_free && e->args[i]->caller_free;
    }
    if (are_constants(e))
        return fold(l, e);
    return is_total(e) ? e : NULL;
}

/* The same value under another type. */
static struct gw_expr *retyped(struct gw_lower *l, const struct gw_expr *e, uint32_t type_oid)
{
    if (!e)
        return NULL;
    struct gw_expr *copy = gw_lower_expr(l, e->op, e->kind, 0);
    if (!copy)
        return NULL;
    *copy = *e;
    copy->type_oid = type_oid;
    return copy;
}

static struct gw_expr *cast(struct gw_lower *l, const struct gw_bound *node)
{
    bool is_same;
    enum gw_native_fn fn = gw_lower_cast_fn(l, node->args[0]->type_oid, node->type_oid, &is_same);
    if (is_same)
        return retyped(l, native(l, node->args[0]), node->type_oid);
    return fn == GW_FN_NONE ? NULL : call(l, fn, node);
}

static struct gw_expr *function(struct gw_lower *l, const struct gw_bound *node)
{
    bool is_negated;
    enum gw_native_fn fn = gw_lower_native_fn(l, node, &is_negated);
    return fn == GW_FN_NONE || is_negated ? NULL : call(l, fn, node);
}

/* ---- choices ---- */

/* A part of a choice, as a value of the choice's type. */
static struct gw_expr *branch(struct gw_lower *l, const struct gw_bound *node, uint32_t type_oid)
{
    if (node->op == GW_B_CONST && (node->type_oid == 0 || node->is_null))
        return gw_lower_constant(l, node, type_oid ? type_oid : GW_OID_TEXT);
    return native(l, node);
}

/* All values of one kind: e's. */
static bool take_branch(struct gw_expr *e, uint32_t at, struct gw_expr *value)
{
    if (!value || value->kind != e->kind)
        return false;
    e->args[at] = value;
    e->caller_free = e->caller_free && value->caller_free;
    return true;
}

static struct gw_expr *choice(struct gw_lower *l, enum gw_expr_op op, const struct gw_bound *node,
                              uint32_t n_args)
{
    struct gw_expr *e = gw_lower_expr(l, op, gw_lower_type_kind(l, node->type_oid), n_args);
    if (e)
        e->type_oid = node->type_oid;
    return e;
}

static struct gw_expr *coalesce(struct gw_lower *l, const struct gw_bound *node)
{
    struct gw_expr *e = choice(l, GW_EXPR_COALESCE, node, node->n_args);
    for (uint32_t i = 0; e && i < node->n_args; i++)
        if (!take_branch(e, i, branch(l, node->args[i], node->type_oid)))
            return NULL;
    return e;
}

static bool is_decided(const struct gw_expr *condition)
{
    return condition->op == GW_EXPR_CONST;
}

/* Without the branches that constants rule out. */
static struct gw_expr *settled(struct gw_expr *e)
{
    while (e->n_args > 1 && is_decided(e->args[0])) {
        if (gw_lower_is_true(e->args[0]))
            return e->args[1];
        e->args += 2;
        e->n_args -= 2;
    }
    return e->n_args == 1 ? e->args[0] : e;
}

static struct gw_expr *of_case(struct gw_lower *l, const struct gw_bound *node)
{
    struct gw_expr *e = choice(l, GW_EXPR_CASE, node, node->n_args);
    for (uint32_t i = 0; e && i < node->n_args; i++) {
        bool is_condition = i % 2 == 0 && i + 1 < node->n_args;
        if (is_condition) {
            e->args[i] = gw_lower_bool(l, node->args[i], GW_LOWER_TRUE);
            if (!e->args[i])
                return NULL;
            e->caller_free = e->caller_free && e->args[i]->caller_free;
        } else if (!take_branch(e, i, branch(l, node->args[i], node->type_oid))) {
            return NULL;
        }
    }
    return e ? settled(e) : NULL;
}

/* NULL where condition is true, else the value of node. */
static struct gw_expr *null_if(struct gw_lower *l, struct gw_expr *condition,
                               const struct gw_bound *node)
{
    struct gw_expr *value = native(l, node);
    if (!condition || !value)
        return NULL;
    struct gw_expr *e = gw_lower_expr(l, GW_EXPR_CASE, value->kind, 3);
    if (!e)
        return NULL;
    e->type_oid = value->type_oid;
    e->args[0] = condition;
    e->args[1] = gw_lower_null(l, value->kind);
    e->args[2] = value;
    e->caller_free = condition->caller_free && value->caller_free;
    return e->args[1] ? settled(e) : NULL;
}

static struct gw_expr *nullif(struct gw_lower *l, const struct gw_bound *node)
{
    const struct gw_bound *equal = gw_lower_b_op(l, GW_SPAN_LIT("="), node->args[0], node->args[1]);
    return null_if(l, gw_lower_bool(l, equal, GW_LOWER_TRUE), node->args[0]);
}

static struct gw_expr *strict(struct gw_lower *l, const struct gw_bound *node)
{
    struct gw_bound *any = gw_lower_b_new(l, GW_B_OR, GW_OID_BOOL, node->n_args - 1);
    for (uint32_t i = 1; i < node->n_args; i++)
        any->args[i - 1] = (struct gw_bound *)gw_lower_b_is_null(l, node->args[i]);
    if (any->n_args == 0)
        return native(l, node->args[0]);
    return null_if(l, gw_lower_bool(l, any, GW_LOWER_TRUE), node->args[0]);
}

/* ---- all ---- */

static struct gw_expr *scalar(struct gw_lower *l, const struct gw_bound *node)
{
    bool is_rows =
        node->sub_kind == GW_B_SCALAR && (gw_lower_info(l, node)->bits & GW_LOWER_SUB) != 0;
    if (!is_rows || !gw_lower_is_caller_free(l, node))
        return NULL;
    return gw_lower_subselect(l, GW_EXPR_SCALAR, gw_lower_type_kind(l, node->type_oid),
                              node->select, NULL);
}

static struct gw_expr *native(struct gw_lower *l, const struct gw_bound *node)
{
    switch (node->op) {
    case GW_B_CONST:
        return gw_lower_constant(l, node, node->type_oid ? node->type_oid : GW_OID_TEXT);
    case GW_B_COLUMN:
        return gw_lower_column(l, node);
    case GW_B_SETTING:
        return gw_lower_is_caller_free(l, node) ? topic(l) : NULL;
    case GW_B_CAST:
        return cast(l, node);
    case GW_B_CALL:
    case GW_B_OP:
        return function(l, node);
    case GW_B_COALESCE:
        return coalesce(l, node);
    case GW_B_CASE:
        return of_case(l, node);
    case GW_B_NULLIF:
        return nullif(l, node);
    case GW_B_STRICT:
        return strict(l, node);
    case GW_B_SUB:
        return scalar(l, node);
    default:
        return NULL;
    }
}

struct gw_expr *gw_lower_native(struct gw_lower *l, const struct gw_bound *node)
{
    l->native_only++;
    struct gw_expr *e = native(l, node);
    l->native_only--;
    return e;
}
