/* lower_expr: nodes of gw/expr.h. Constants are folded while nodes are made, exactly: null stays
 * null, so no maker needs to know what for the tree is used. */
#include "lower_internal.h"

struct gw_expr *gw_lower_expr(struct gw_lower *l, enum gw_expr_op op, enum gw_kind kind,
                              uint32_t n_args)
{
    struct gw_arena *arena = &l->r->rules->arena;
    if (++l->n_nodes > GW_LOWER_NODES_MAX)
        return gw_lower_refuse(l, "comes to more than %u nodes", GW_LOWER_NODES_MAX);
    struct gw_expr *e = gw_arena_alloc(arena, sizeof *e);
    e->op = op;
    e->kind = kind;
    e->caller_free = op != GW_EXPR_FACT;
    e->n_args = n_args;
    e->args = gw_arena_alloc(arena, n_args * sizeof(struct gw_expr *));
    return e;
}

static struct gw_expr *make(struct gw_lower *l, enum gw_expr_op op, struct gw_expr *a,
                            struct gw_expr *b)
{
    struct gw_expr *e = gw_lower_expr(l, op, GW_KIND_BOOL, b ? 2 : 1);
    if (!e)
        return NULL;
    e->type_oid = GW_OID_BOOL;
    e->args[0] = a;
    if (b)
        e->args[1] = b;
    e->caller_free = a->caller_free && (!b || b->caller_free);
    return e;
}

static struct gw_expr *constant(struct gw_lower *l, struct gw_datum datum, uint32_t type_oid)
{
    struct gw_expr *e = gw_lower_expr(l, GW_EXPR_CONST, datum.kind, 0);
    if (!e)
        return NULL;
    e->datum = datum;
    e->type_oid = type_oid;
    return e;
}

struct gw_expr *gw_lower_bool_const(struct gw_lower *l, bool value)
{
    struct gw_span text = value ? GW_SPAN_LIT("t") : GW_SPAN_LIT("f");
    return constant(l, gw_datum_of(GW_KIND_BOOL, text), GW_OID_BOOL);
}

struct gw_expr *gw_lower_null(struct gw_lower *l, enum gw_kind kind)
{
    return constant(l, gw_datum_null(kind), 0);
}

static bool is_bool_const(const struct gw_expr *e, bool value)
{
    return e->op == GW_EXPR_CONST && e->kind == GW_KIND_BOOL && e->datum.state == GW_DATUM_VALUE &&
           (e->datum.key.lo != 0) == value;
}

bool gw_lower_is_true(const struct gw_expr *e)
{
    return is_bool_const(e, true);
}

bool gw_lower_is_false(const struct gw_expr *e)
{
    return is_bool_const(e, false);
}

bool gw_lower_is_null_const(const struct gw_expr *e)
{
    return e->op == GW_EXPR_CONST && e->datum.state == GW_DATUM_NULL;
}

static bool is_value_const(const struct gw_expr *e)
{
    return e->op == GW_EXPR_CONST && e->datum.state == GW_DATUM_VALUE;
}

/* Never null. */
static bool is_two_valued(const struct gw_expr *e)
{
    switch (e->op) {
    case GW_EXPR_EXISTS:
    case GW_EXPR_IS:
    case GW_EXPR_IS_NULL:
        return true;
    case GW_EXPR_NOT:
        return is_two_valued(e->args[0]);
    case GW_EXPR_CONST:
        return e->datum.state == GW_DATUM_VALUE;
    case GW_EXPR_COMPARE:
        return e->cmp == GW_CMP_DISTINCT;
    default:
        return false;
    }
}

/* ---- negation ---- */

static bool flip(enum gw_cmp cmp, enum gw_cmp *out)
{
    static const enum gw_cmp flipped[] = {
        [GW_CMP_EQ] = GW_CMP_NE, [GW_CMP_NE] = GW_CMP_EQ, [GW_CMP_LT] = GW_CMP_GE,
        [GW_CMP_LE] = GW_CMP_GT, [GW_CMP_GT] = GW_CMP_LE, [GW_CMP_GE] = GW_CMP_LT,
    };
    if (cmp == GW_CMP_DISTINCT)
        return false;
    *out = flipped[cmp];
    return true;
}

struct gw_expr *gw_lower_not(struct gw_lower *l, struct gw_expr *e)
{
    enum gw_cmp cmp;
    if (!e)
        return NULL;
    if (e->op == GW_EXPR_NOT)
        return e->args[0];
    if (gw_lower_is_null_const(e))
        return e;
    if (is_value_const(e))
        return gw_lower_bool_const(l, gw_lower_is_false(e));
    if (e->op == GW_EXPR_COMPARE && flip(e->cmp, &cmp)) {
        struct gw_expr *other = make(l, GW_EXPR_COMPARE, e->args[0], e->args[1]);
        if (other)
            other->cmp = cmp;
        return other;
    }
    return make(l, GW_EXPR_NOT, e, NULL);
}

/* ---- AND, OR ---- */

static uint32_t count_flat(const struct gw_expr *e, enum gw_expr_op op)
{
    return e->op == op ? e->n_args : 1;
}

/* Adds e, or what it joins; parts that change nothing are left out. */
static void add_flat(struct gw_expr *join, const struct gw_expr *e, bool neutral)
{
    struct gw_expr *self = (struct gw_expr *)e;
    struct gw_expr *const *items = e->op == join->op ? e->args : &self;
    uint32_t n = count_flat(e, join->op);
    for (uint32_t i = 0; i < n; i++) {
        if (is_bool_const(items[i], neutral))
            continue;
        join->args[join->n_args++] = items[i];
        join->caller_free = join->caller_free && items[i]->caller_free;
    }
}

struct gw_expr *gw_lower_join(struct gw_lower *l, enum gw_expr_op op, struct gw_expr **args,
                              uint32_t n)
{
    bool is_and = op == GW_EXPR_AND;
    uint32_t most = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!args[i])
            return NULL;
        if (is_bool_const(args[i], !is_and))
            return args[i];
        most += count_flat(args[i], op);
    }
    struct gw_expr *join = gw_lower_expr(l, op, GW_KIND_BOOL, most);
    if (!join)
        return NULL;
    join->type_oid = GW_OID_BOOL;
    join->n_args = 0;
    for (uint32_t i = 0; i < n; i++)
        add_flat(join, args[i], is_and);
    if (join->n_args == 0)
        return gw_lower_bool_const(l, is_and);
    return join->n_args == 1 ? join->args[0] : join;
}

/* ---- tests ---- */

struct gw_expr *gw_lower_is(struct gw_lower *l, struct gw_expr *e, enum gw_is test)
{
    if (!e)
        return NULL;
    if (gw_lower_is_null_const(e))
        return gw_lower_bool_const(l, test == GW_IS_UNKNOWN);
    if (is_value_const(e))
        return gw_lower_bool_const(l, test == (gw_lower_is_true(e) ? GW_IS_TRUE : GW_IS_FALSE));
    if (is_two_valued(e)) {
        if (test == GW_IS_UNKNOWN)
            return gw_lower_bool_const(l, false);
        return test == GW_IS_TRUE ? e : gw_lower_not(l, e);
    }
    struct gw_expr *is = make(l, GW_EXPR_IS, e, NULL);
    if (is)
        is->test = test;
    return is;
}

struct gw_expr *gw_lower_is_null(struct gw_lower *l, struct gw_expr *e)
{
    if (!e)
        return NULL;
    if (e->op == GW_EXPR_CONST && e->datum.state != GW_DATUM_UNKNOWN)
        return gw_lower_bool_const(l, gw_lower_is_null_const(e));
    return make(l, GW_EXPR_IS_NULL, e, NULL);
}

struct gw_expr *gw_lower_truth(struct gw_lower *l, struct gw_expr *e)
{
    if (!e || e->op == GW_EXPR_CONST)
        return e;
    return make(l, GW_EXPR_TRUTH, e, NULL);
}

/* ---- comparisons ---- */

bool gw_lower_kinds_compare(const struct gw_expr *a, enum gw_cmp cmp, const struct gw_expr *b)
{
    bool is_order = cmp != GW_CMP_EQ && cmp != GW_CMP_NE && cmp != GW_CMP_DISTINCT;
    if (a->kind != b->kind || a->kind == GW_KIND_OPAQUE)
        return false;
    if (a->kind == GW_KIND_ENUM && a->type_oid && b->type_oid && a->type_oid != b->type_oid)
        return false;
    return !is_order || gw_kind_has_order(a->kind);
}

static bool holds(enum gw_cmp cmp, int order)
{
    switch (cmp) {
    case GW_CMP_EQ:
        return order == 0;
    case GW_CMP_NE:
    case GW_CMP_DISTINCT:
        return order != 0;
    case GW_CMP_LT:
        return order < 0;
    case GW_CMP_LE:
        return order <= 0;
    case GW_CMP_GT:
        return order > 0;
    case GW_CMP_GE:
        return order >= 0;
    }
    return false;
}

static struct gw_expr *fold(struct gw_lower *l, const struct gw_expr *a, enum gw_cmp cmp,
                            const struct gw_expr *b)
{
    int order = gw_kind_has_order(a->kind) ? gw_datum_compare(&a->datum, &b->datum)
                                           : !gw_datum_eq(&a->datum, &b->datum);
    return gw_lower_bool_const(l, holds(cmp, order));
}

struct gw_expr *gw_lower_compare(struct gw_lower *l, struct gw_expr *a, enum gw_cmp cmp,
                                 struct gw_expr *b)
{
    if (!a || !b)
        return NULL;
    if (cmp != GW_CMP_DISTINCT && (gw_lower_is_null_const(a) || gw_lower_is_null_const(b)))
        return gw_lower_null(l, GW_KIND_BOOL);
    if (is_value_const(a) && is_value_const(b))
        return fold(l, a, cmp, b);
    struct gw_expr *e = make(l, GW_EXPR_COMPARE, a, b);
    if (e)
        e->cmp = cmp;
    return e;
}
