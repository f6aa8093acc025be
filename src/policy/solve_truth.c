/* solve_truth: see solve_internal.h.
 *
 * DESIGN. A boolean that does not depend on the caller has one of four outcomes: true, false, null,
 * raise. Where something is not known, several are possible; they are a set of bits, and AND and OR
 * combine every outcome of one side with every outcome of the other. So "unknown AND false" is
 * false, and what remains in doubt is told exactly. */
#include "solve_internal.h"

#define T ((unsigned)GW_TRUTH_TRUE)
#define F ((unsigned)GW_TRUTH_FALSE)
#define N ((unsigned)GW_TRUTH_NULL)
#define E ((unsigned)GW_TRUTH_RAISE)

static bool is_one_bit(unsigned truth)
{
    return (truth & (truth - 1)) == 0;
}

static unsigned not_truth(unsigned a)
{
    return (a & (N | E)) | (a & T ? F : 0) | (a & F ? T : 0);
}

/* Left to right: what raises on the right does not if the left has decided. */
static unsigned and_truth(unsigned a, unsigned b)
{
    unsigned out = a & (F | E);
    if (a & T)
        out |= b;
    if (a & N)
        out |= (b & (F | E)) | (b & (T | N) ? N : 0);
    return out;
}

static unsigned or_truth(unsigned a, unsigned b)
{
    return not_truth(and_truth(not_truth(a), not_truth(b)));
}

/* ---- comparing ---- */

static bool is_comparable(const struct gw_datum *a, const struct gw_datum *b)
{
    return a->kind == b->kind && a->kind != GW_KIND_OPAQUE;
}

static bool holds(const struct gw_datum *a, const struct gw_datum *b, enum gw_cmp cmp)
{
    switch (cmp) {
    case GW_CMP_EQ:
        return gw_datum_eq(a, b);
    case GW_CMP_NE:
    case GW_CMP_DISTINCT:
        return !gw_datum_eq(a, b);
    case GW_CMP_LT:
        return gw_datum_compare(a, b) < 0;
    case GW_CMP_LE:
        return gw_datum_compare(a, b) <= 0;
    case GW_CMP_GT:
        return gw_datum_compare(a, b) > 0;
    case GW_CMP_GE:
        break;
    }
    return gw_datum_compare(a, b) >= 0;
}

static unsigned compare_unknown(const struct gw_value *a, const struct gw_value *b, enum gw_cmp cmp)
{
    bool has_null = a->datum.state == GW_DATUM_NULL || b->datum.state == GW_DATUM_NULL;
    unsigned raise = a->may_raise || b->may_raise ? E : 0;
    if (cmp == GW_CMP_DISTINCT)
        return T | F | raise;
    return raise | (has_null ? N : T | F | N);
}

unsigned gw_truth_compare(const struct gw_value *a, const struct gw_value *b, enum gw_cmp cmp)
{
    const struct gw_datum *x = &a->datum, *y = &b->datum;
    if (x->state == GW_DATUM_ERROR)
        return E;
    if (y->state == GW_DATUM_ERROR)
        return E; /* whatever a is, b is evaluated too */
    if (x->state == GW_DATUM_UNKNOWN || y->state == GW_DATUM_UNKNOWN)
        return compare_unknown(a, b, cmp);
    if (x->state == GW_DATUM_NULL || y->state == GW_DATUM_NULL)
        return cmp != GW_CMP_DISTINCT ? N : x->state == y->state ? F : T;
    if (!is_comparable(x, y) ||
        (cmp >= GW_CMP_LT && cmp <= GW_CMP_GE && !gw_kind_has_order(x->kind)))
        return T | F | E;
    return holds(x, y, cmp) ? T : F;
}

static unsigned compare_truth(struct gw_solve_ctx *ctx, const struct gw_expr *e)
{
    struct gw_value a = gw_solve_value(ctx, e->args[0]);
    struct gw_value b = gw_solve_value(ctx, e->args[1]);
    return gw_truth_compare(&a, &b, e->cmp);
}

/* x among items: all of them are evaluated before the first is compared. False: it raises. */
static bool among_add(unsigned *out, const struct gw_value *x, const struct gw_value *item)
{
    unsigned one = gw_truth_compare(x, item, GW_CMP_EQ);
    *out = or_truth(*out & ~E, one & ~E) | ((*out | one) & E);
    return one != E;
}

static unsigned any_truth(struct gw_solve_ctx *ctx, const struct gw_expr *e)
{
    struct gw_value x = gw_solve_value(ctx, e->args[0]);
    unsigned out = F | (x.may_raise ? E : 0);
    if (x.datum.state == GW_DATUM_ERROR)
        return E;
    for (uint32_t i = 1; i < e->n_args; i++) {
        struct gw_value item = gw_solve_value(ctx, e->args[i]);
        if (!among_add(&out, &x, &item))
            return E;
    }
    return out;
}

static unsigned in_list_truth(struct gw_solve_ctx *ctx, const struct gw_expr *e)
{
    struct gw_value x = gw_solve_value(ctx, e->args[0]);
    struct gw_value list = gw_solve_value(ctx, e->args[1]);
    struct gw_value *items;
    uint32_t n;
    unsigned raise = x.may_raise || list.may_raise ? E : 0;
    if (x.datum.state == GW_DATUM_ERROR || list.datum.state == GW_DATUM_ERROR)
        return E;
    if (list.datum.state == GW_DATUM_NULL)
        return N | raise;
    if (list.datum.state == GW_DATUM_UNKNOWN ||
        !gw_solve_array(ctx, list.datum.text, e->args[0]->kind, &items, &n))
        return T | F | N | raise;
    unsigned out = F | raise;
    for (uint32_t i = 0; i < n; i++)
        among_add(&out, &x, &items[i]);
    return out;
}

/* ---- tests ---- */

static unsigned value_truth(struct gw_solve_ctx *ctx, const struct gw_expr *e)
{
    struct gw_value v = gw_solve_value(ctx, e);
    switch (v.datum.state) {
    case GW_DATUM_NULL:
        return N;
    case GW_DATUM_ERROR:
        return E;
    case GW_DATUM_UNKNOWN:
        return T | F | N | (v.may_raise ? E : 0);
    case GW_DATUM_VALUE:
        break;
    }
    if (v.datum.kind != GW_KIND_BOOL)
        return T | F | E;
    return gw_key_eq(v.datum.key, ctx->solver->key_true) ? T : F;
}

static unsigned is_null_truth(struct gw_solve_ctx *ctx, const struct gw_expr *e)
{
    struct gw_value v = gw_solve_value(ctx, e->args[0]);
    switch (v.datum.state) {
    case GW_DATUM_NULL:
        return T;
    case GW_DATUM_ERROR:
        return E;
    case GW_DATUM_UNKNOWN:
        return T | F | (v.may_raise ? E : 0);
    case GW_DATUM_VALUE:
        break;
    }
    return F;
}

static unsigned is_truth(unsigned a, enum gw_is test)
{
    unsigned yes = test == GW_IS_TRUE ? T : test == GW_IS_FALSE ? F : N;
    unsigned no = (T | F | N) & ~yes;
    return (a & yes ? T : 0) | (a & no ? F : 0) | (a & E);
}

static unsigned list_truth(struct gw_solve_ctx *ctx, const struct gw_expr *e, bool is_and)
{
    unsigned out = is_and ? T : F, undecided = is_and ? T | N : F | N;
    for (uint32_t i = 0; i < e->n_args && (out & undecided); i++) {
        unsigned one = gw_solve_truth(ctx, e->args[i]);
        out = is_and ? and_truth(out, one) : or_truth(out, one);
    }
    return out;
}

static unsigned in_truth(struct gw_solve_ctx *ctx, const struct gw_expr *e)
{
    struct gw_sub_use use = {.mode = GW_SUB_IN};
    use.x.value = gw_solve_value(ctx, e->args[0]);
    if (use.x.value.datum.state == GW_DATUM_ERROR)
        return E;
    unsigned raise = use.x.value.may_raise ? E : 0;
    return gw_solve_sub_truth(ctx, e->sub, &use) | raise;
}

static unsigned truth_at_depth(struct gw_solve_ctx *ctx, const struct gw_expr *e)
{
    static const struct gw_sub_use EXISTS = {.mode = GW_SUB_EXISTS};
    switch (e->op) {
    case GW_EXPR_TRUTH:
        return value_truth(ctx, e->args[0]);
    case GW_EXPR_AND:
        return list_truth(ctx, e, true);
    case GW_EXPR_OR:
        return list_truth(ctx, e, false);
    case GW_EXPR_NOT:
        return not_truth(gw_solve_truth(ctx, e->args[0]));
    case GW_EXPR_IS_NULL:
        return is_null_truth(ctx, e);
    case GW_EXPR_IS:
        return is_truth(gw_solve_truth(ctx, e->args[0]), e->test);
    case GW_EXPR_COMPARE:
        return compare_truth(ctx, e);
    case GW_EXPR_ANY:
        return any_truth(ctx, e);
    case GW_EXPR_IN_LIST:
        return in_list_truth(ctx, e);
    case GW_EXPR_EXISTS:
        return gw_solve_sub_truth(ctx, e->sub, &EXISTS);
    case GW_EXPR_IN:
        return in_truth(ctx, e);
    default:
        return value_truth(ctx, e);
    }
}

unsigned gw_solve_truth(struct gw_solve_ctx *ctx, const struct gw_expr *e)
{
    if (ctx->depth >= GW_SOLVE_DEPTH_MAX || ctx->code != GW_OK) {
        ctx->code = GW_E_TOO_BIG;
        gw_solve_met_unknown(ctx);
        return T | F | N | E;
    }
    ctx->depth++;
    unsigned truth = truth_at_depth(ctx, e);
    ctx->depth--;
    return truth;
}

struct gw_set gw_solve_truth_set(struct gw_solve_ctx *ctx, unsigned truth, bool want,
                                 enum gw_certainty certainty, struct gw_set *raises)
{
    unsigned wanted = want ? T : F;
    bool is_known = is_one_bit(truth);
    if (raises)
        *raises = GW_SET(truth & E ? GW_SET_ALL : GW_SET_NONE);
    if (!is_known && certainty == GW_NEUTRAL) {
        gw_solve_met_unknown(ctx);
        if (raises)
            *raises = GW_SET(GW_SET_NONE);
        return GW_SET(GW_SET_LEFT_OUT);
    }
    if (!is_known && (truth & (wanted | E)))
        gw_solve_met_unknown(ctx);
    if (!(truth & wanted))
        return GW_SET(GW_SET_NONE);
    return GW_SET(is_known || certainty == GW_MAY ? GW_SET_ALL : GW_SET_NONE);
}
