/* solve_bool: see solve_internal.h.
 *
 * DESIGN. AND and OR are one thing seen from two sides. Wanted true, an AND is an intersection;
 * wanted false, it is a union; for OR the other way round. A union leaves out, of each argument,
 * those for whom one further left raises. */
#include "solve_internal.h"

struct gw_set gw_solve_unknown(struct gw_solve_ctx *ctx, enum gw_certainty certainty)
{
    gw_solve_met_unknown(ctx);
    switch (certainty) {
    case GW_MAY:
        return GW_SET(GW_SET_ALL);
    case GW_NEUTRAL:
        return GW_SET(GW_SET_LEFT_OUT);
    case GW_MUST:
        break;
    }
    return GW_SET(GW_SET_NONE);
}

bool gw_solve_is_binding(const struct gw_solve_ctx *ctx, enum gw_certainty certainty)
{
    return certainty == GW_MUST || !ctx->frame->is_inexact;
}

struct gw_set gw_solve_without(struct gw_solve_ctx *ctx, struct gw_set s,
                               const struct gw_set *raises, enum gw_certainty certainty)
{
    if (raises->form == GW_SET_NONE || s.form == GW_SET_NONE)
        return s;
    if (!gw_solve_is_binding(ctx, certainty))
        return s;
    return gw_set_minus(s, gw_set_copy(raises));
}

/* ---- AND, OR ---- */

/* Those for whom one of the first n arguments is surely want: evaluation stopped there. */
static struct gw_set decided_before(struct gw_solve_ctx *ctx, const struct gw_expr *e, uint32_t n,
                                    bool want)
{
    struct gw_set out = GW_SET(GW_SET_NONE);
    for (uint32_t i = 0; i < n && out.form != GW_SET_ALL; i++)
        out = gw_set_or(out, gw_solve_bool(ctx, e->args[i], want, GW_MUST, NULL));
    return out;
}

/* All of them are want. */
static struct gw_set intersect(struct gw_solve_ctx *ctx, const struct gw_expr *e, bool want,
                               enum gw_certainty certainty, struct gw_set *raises)
{
    struct gw_set out = GW_SET(GW_SET_ALL);
    for (uint32_t i = 0; i < e->n_args; i++) {
        const struct gw_expr *arg = e->args[i];
        struct gw_set one_raises = GW_SET(GW_SET_NONE);
        struct gw_set *wanted = raises ? &one_raises : NULL;
        out = gw_set_and(out, gw_solve_bool(ctx, arg, want, certainty, wanted));
        if (one_raises.form != GW_SET_NONE) {
            struct gw_set decided = decided_before(ctx, e, i, !want);
            *raises = gw_set_or(*raises, gw_set_minus(one_raises, decided));
        }
        if (out.form != GW_SET_NONE)
            continue;
        if (!raises || raises->form == GW_SET_ALL)
            break;
        unsigned decisive = want ? GW_TRUTH_FALSE : GW_TRUTH_TRUE;
        if (arg->caller_free && gw_solve_truth(ctx, arg) == decisive)
            break;
    }
    return out;
}

/* One of them is want. */
static struct gw_set unite(struct gw_solve_ctx *ctx, const struct gw_expr *e, bool want,
                           enum gw_certainty certainty, struct gw_set *raises)
{
    struct gw_set out = GW_SET(GW_SET_NONE), keep_out = GW_SET(GW_SET_NONE);
    for (uint32_t i = 0; i < e->n_args; i++) {
        struct gw_set one_raises = GW_SET(GW_SET_NONE);
        bool is_last = i + 1 == e->n_args;
        struct gw_set *wanted = ctx->may_raise && (raises || !is_last) ? &one_raises : NULL;
        struct gw_set one = gw_solve_bool(ctx, e->args[i], want, certainty, wanted);
        bool is_binding = gw_solve_is_binding(ctx, certainty);
        if (one_raises.form != GW_SET_NONE && is_binding)
            one_raises = gw_set_minus(one_raises, gw_set_copy(&out));
        one = gw_solve_without(ctx, one, &keep_out, certainty);
        out = gw_set_or(out, one);
        keep_out = gw_set_or(keep_out, one_raises);
        if (out.form == GW_SET_ALL && (!raises || is_binding))
            break;
        if (keep_out.form == GW_SET_ALL && is_binding)
            break;
    }
    if (raises)
        *raises = keep_out;
    else
        gw_set_free(&keep_out);
    return out;
}

/* ---- tests ---- */

/* Those for whom a is neither true, nor false, nor raises. */
static struct gw_set null_of(struct gw_solve_ctx *ctx, const struct gw_expr *a,
                             enum gw_certainty certainty, bool complement, struct gw_set *raises)
{
    enum gw_certainty side = complement ? certainty : gw_solve_flip(certainty);
    struct gw_set keep_out = GW_SET(GW_SET_NONE);
    struct gw_set out = gw_solve_bool(ctx, a, true, side, &keep_out);
    out = gw_set_or(out, gw_solve_bool(ctx, a, false, side, NULL));
    if (!complement) {
        out = gw_set_not(out);
        out = gw_solve_without(ctx, out, &keep_out, certainty);
    }
    if (raises)
        *raises = keep_out;
    else
        gw_set_free(&keep_out);
    return out;
}

static struct gw_set not_so(struct gw_solve_ctx *ctx, const struct gw_expr *a, bool so,
                            enum gw_certainty certainty, struct gw_set *raises)
{
    struct gw_set keep_out = GW_SET(GW_SET_NONE);
    struct gw_set out = gw_set_not(gw_solve_bool(ctx, a, so, gw_solve_flip(certainty), &keep_out));
    out = gw_solve_without(ctx, out, &keep_out, certainty);
    if (raises)
        *raises = keep_out;
    else
        gw_set_free(&keep_out);
    return out;
}

static struct gw_set is_test(struct gw_solve_ctx *ctx, const struct gw_expr *a, enum gw_is test,
                             bool want, enum gw_certainty certainty, struct gw_set *raises)
{
    if (test == GW_IS_UNKNOWN)
        return null_of(ctx, a, certainty, !want, raises);
    bool so = test == GW_IS_TRUE;
    return want ? gw_solve_bool(ctx, a, so, certainty, raises)
                : not_so(ctx, a, so, certainty, raises);
}

static bool is_boolean(enum gw_expr_op op)
{
    return op >= GW_EXPR_TRUTH;
}

static struct gw_set is_null(struct gw_solve_ctx *ctx, const struct gw_expr *a, bool want,
                             enum gw_certainty certainty, struct gw_set *raises)
{
    static const struct gw_sub_use NULL_TEST = {.mode = GW_SUB_SCALAR_NULL};
    if (a->op == GW_EXPR_FACT) {
        struct gw_set known = gw_set_known(a->index);
        return want ? gw_set_not(known) : known;
    }
    if (a->op == GW_EXPR_SCALAR)
        return gw_solve_sub(ctx, a->sub, &NULL_TEST, want, certainty, raises);
    if (is_boolean(a->op))
        return is_test(ctx, a, GW_IS_UNKNOWN, want, certainty, raises);
    return gw_solve_unknown(ctx, certainty);
}

static struct gw_set truth(struct gw_solve_ctx *ctx, const struct gw_expr *a, bool want,
                           enum gw_certainty certainty, struct gw_set *raises)
{
    static const struct gw_sub_use TRUTH_TEST = {.mode = GW_SUB_SCALAR_TRUTH};
    const struct gw_solver *s = ctx->solver;
    if (a->op == GW_EXPR_FACT)
        return gw_set_is(a->index, false, want ? s->key_true : s->key_false);
    if (a->op == GW_EXPR_SCALAR)
        return gw_solve_sub(ctx, a->sub, &TRUTH_TEST, want, certainty, raises);
    if (is_boolean(a->op))
        return gw_solve_bool(ctx, a, want, certainty, raises);
    return gw_solve_unknown(ctx, certainty);
}

static struct gw_set in(struct gw_solve_ctx *ctx, const struct gw_expr *e, bool want,
                        enum gw_certainty certainty, struct gw_set *raises)
{
    struct gw_sub_use use = {.mode = GW_SUB_IN};
    if (!gw_solve_operand(ctx, e->args[0], &use.x))
        return gw_solve_unknown(ctx, certainty);
    if (!use.x.is_fact && use.x.value.datum.state == GW_DATUM_ERROR) {
        gw_solve_note_raise(ctx, &use.x.value, raises);
        return GW_SET(GW_SET_NONE);
    }
    struct gw_set out = gw_solve_sub(ctx, e->sub, &use, want, certainty, raises);
    return use.x.is_fact ? out : gw_solve_beside(ctx, out, &use.x.value, certainty, raises);
}

static struct gw_set mixed(struct gw_solve_ctx *ctx, const struct gw_expr *e, bool want,
                           enum gw_certainty certainty, struct gw_set *raises)
{
    static const struct gw_sub_use EXISTS = {.mode = GW_SUB_EXISTS};
    switch (e->op) {
    case GW_EXPR_AND:
        return want ? intersect(ctx, e, true, certainty, raises)
                    : unite(ctx, e, false, certainty, raises);
    case GW_EXPR_OR:
        return want ? unite(ctx, e, true, certainty, raises)
                    : intersect(ctx, e, false, certainty, raises);
    case GW_EXPR_NOT:
        return gw_solve_bool(ctx, e->args[0], !want, certainty, raises);
    case GW_EXPR_TRUTH:
        return truth(ctx, e->args[0], want, certainty, raises);
    case GW_EXPR_IS_NULL:
        return is_null(ctx, e->args[0], want, certainty, raises);
    case GW_EXPR_IS:
        return is_test(ctx, e->args[0], e->test, want, certainty, raises);
    case GW_EXPR_COMPARE:
        return gw_solve_compare(ctx, e, want, certainty, raises);
    case GW_EXPR_ANY:
        return gw_solve_any(ctx, e, want, certainty, raises);
    case GW_EXPR_IN_LIST:
        return gw_solve_in_list(ctx, e, want, certainty, raises);
    case GW_EXPR_EXISTS:
        return gw_solve_sub(ctx, e->sub, &EXISTS, want, certainty, raises);
    case GW_EXPR_IN:
        return in(ctx, e, want, certainty, raises);
    default:
        return truth(ctx, e, want, certainty, raises);
    }
}

struct gw_set gw_solve_bool(struct gw_solve_ctx *ctx, const struct gw_expr *e, bool want,
                            enum gw_certainty certainty, struct gw_set *raises)
{
    if (raises)
        *raises = GW_SET(GW_SET_NONE);
    if (!ctx->may_raise)
        raises = NULL;
    if (e->caller_free)
        return gw_solve_truth_set(ctx, gw_solve_truth(ctx, e), want, certainty, raises);
    if (ctx->depth >= GW_SOLVE_DEPTH_MAX || ctx->code != GW_OK) {
        ctx->code = GW_E_TOO_BIG;
        return gw_solve_unknown(ctx, certainty);
    }
    ctx->depth++;
    struct gw_set out = mixed(ctx, e, want, certainty, raises);
    ctx->depth--;
    return out;
}
