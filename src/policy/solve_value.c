/* solve_value: see solve_internal.h. Values that do not depend on the caller: worked out as
 * Postgres would; UNKNOWN where a cell, a row or an answer is missing and the outcome rests on it.
 */
#include "solve_internal.h"

#include <assert.h>

#define ARGS_MAX 64 /* of a function; the compiler makes no more */

static struct gw_value value_of(struct gw_datum d)
{
    return (struct gw_value){.datum = d};
}

static struct gw_value unknown(bool may_raise)
{
    return (struct gw_value){.datum = gw_datum_unknown(), .may_raise = may_raise};
}

static bool is_state(const struct gw_value *v, enum gw_datum_state state)
{
    return v->datum.state == state;
}

static bool can_raise(const struct gw_value *v)
{
    return v->may_raise || is_state(v, GW_DATUM_ERROR);
}

/* ---- leaves ---- */

struct gw_value gw_solve_column(struct gw_solve_ctx *ctx, uint32_t slot, uint32_t column,
                                enum gw_kind kind)
{
    if (slot == 0) {
        const struct gw_solve_row *row = ctx->row;
        return column < row->n ? value_of(row->cells[column]) : unknown(false);
    }
    assert(slot < GW_RULES_SLOTS_MAX);
    const struct gw_solve_slot *s = &ctx->slots[slot];
    if (!s->row)
        return value_of(gw_datum_null(kind));
    return value_of(gw_state_cell(ctx->state, s->row, s->table, column));
}

static struct gw_value input_value(const struct gw_solve_ctx *ctx, uint32_t input)
{
    if (input != GW_INPUT_TOPIC || !ctx->row->topic.p)
        return unknown(false);
    return value_of(gw_datum_of(GW_KIND_TEXT, ctx->row->topic));
}

/* ---- functions ---- */

struct call {
    bool is_strict; /* null in, null out */
    bool may_raise;
};

/* Values of args, in order. False: the outcome is in out already: one of them raises, is null where
 * that decides, or is not known. */
static bool call_args(struct gw_solve_ctx *ctx, const struct gw_expr *e, struct call call,
                      struct gw_datum *args, struct gw_value *out)
{
    bool has_null = false, has_unknown = false, may_raise = false;
    for (uint32_t i = 0; i < e->n_args; i++) {
        struct gw_value v = gw_solve_value(ctx, e->args[i]);
        if (is_state(&v, GW_DATUM_ERROR)) {
            *out = v;
            return false;
        }
        has_null |= is_state(&v, GW_DATUM_NULL);
        has_unknown |= is_state(&v, GW_DATUM_UNKNOWN);
        may_raise |= v.may_raise;
        args[i] = v.datum;
    }
    if (call.is_strict && has_null && !may_raise) {
        *out = value_of(gw_datum_null(e->kind));
        return false;
    }
    *out = unknown(may_raise || call.may_raise);
    return !has_unknown;
}

static struct gw_value native_value(struct gw_solve_ctx *ctx, const struct gw_expr *e)
{
    struct gw_datum args[ARGS_MAX];
    struct gw_value out;
    assert(e->n_args <= ARGS_MAX);
    bool raises = gw_solve_native_may_raise(e->index);
    if (!call_args(ctx, e, (struct call){.is_strict = true, .may_raise = raises}, args, &out))
        return out;
    struct gw_datum d = gw_native_call((enum gw_native_fn)e->index, args, e->n_args, &ctx->scratch);
    return (struct gw_value){.datum = d, .may_raise = raises && d.state == GW_DATUM_UNKNOWN};
}

static struct gw_value external_value(struct gw_solve_ctx *ctx, const struct gw_expr *e)
{
    struct gw_datum args[ARGS_MAX];
    struct gw_value out;
    assert(e->n_args <= ARGS_MAX);
    if (!call_args(ctx, e, (struct call){.may_raise = true}, args, &out))
        return out;
    return gw_solve_external(ctx, e, args);
}

/* ---- choices ---- */

/* Postgres stops at the first that is not null. Where that one is not known the outcome is not;
 * what comes after still tells whether it may raise. */
static struct gw_value coalesce_value(struct gw_solve_ctx *ctx, const struct gw_expr *e)
{
    bool is_unknown = false, may_raise = false;
    for (uint32_t i = 0; i < e->n_args; i++) {
        struct gw_value v = gw_solve_value(ctx, e->args[i]);
        if (is_state(&v, GW_DATUM_NULL))
            continue;
        if (!is_unknown && !is_state(&v, GW_DATUM_UNKNOWN))
            return v;
        is_unknown = true;
        may_raise |= can_raise(&v);
        if (is_state(&v, GW_DATUM_VALUE))
            break;
    }
    return is_unknown ? unknown(may_raise) : value_of(gw_datum_null(e->kind));
}

/* As COALESCE: once a condition is not known, the rest only tells whether it may raise. */
static struct gw_value case_value(struct gw_solve_ctx *ctx, const struct gw_expr *e)
{
    bool is_unknown = false, may_raise = false;
    uint32_t i = 0;
    for (; i + 1 < e->n_args; i += 2) {
        unsigned truth = gw_solve_truth(ctx, e->args[i]);
        if (truth == GW_TRUTH_RAISE)
            return is_unknown ? unknown(true) : value_of(gw_datum_error());
        if (!(truth & GW_TRUTH_TRUE) && !(truth & GW_TRUTH_RAISE))
            continue;
        may_raise |= (truth & GW_TRUTH_RAISE) != 0;
        if (!(truth & GW_TRUTH_TRUE)) {
            is_unknown = true;
            continue;
        }
        struct gw_value v = gw_solve_value(ctx, e->args[i + 1]);
        if (truth == GW_TRUTH_TRUE && !is_unknown)
            return v;
        is_unknown = true;
        may_raise |= can_raise(&v);
        if (truth == GW_TRUTH_TRUE)
            return unknown(may_raise);
    }
    struct gw_value v = gw_solve_value(ctx, e->args[i]);
    return is_unknown ? unknown(may_raise || can_raise(&v)) : v;
}

static struct gw_value truth_value(struct gw_solve_ctx *ctx, const struct gw_expr *e)
{
    unsigned truth = gw_solve_truth(ctx, e);
    switch (truth) {
    case GW_TRUTH_TRUE:
        return value_of(gw_datum_of(GW_KIND_BOOL, GW_SPAN_LIT("t")));
    case GW_TRUTH_FALSE:
        return value_of(gw_datum_of(GW_KIND_BOOL, GW_SPAN_LIT("f")));
    case GW_TRUTH_NULL:
        return value_of(gw_datum_null(GW_KIND_BOOL));
    case GW_TRUTH_RAISE:
        return value_of(gw_datum_error());
    default:
        return unknown((truth & GW_TRUTH_RAISE) != 0);
    }
}

static struct gw_value value_at_depth(struct gw_solve_ctx *ctx, const struct gw_expr *e)
{
    switch (e->op) {
    case GW_EXPR_CONST:
        return value_of(e->datum);
    case GW_EXPR_COLUMN:
        return gw_solve_column(ctx, e->slot, e->column, e->kind);
    case GW_EXPR_INPUT:
        return input_value(ctx, e->column);
    case GW_EXPR_NATIVE:
        return native_value(ctx, e);
    case GW_EXPR_EXTERNAL:
        return external_value(ctx, e);
    case GW_EXPR_COALESCE:
        return coalesce_value(ctx, e);
    case GW_EXPR_CASE:
        return case_value(ctx, e);
    case GW_EXPR_SCALAR:
        return gw_solve_sub_value(ctx, e->sub, e->kind);
    case GW_EXPR_FACT:
        break;
    default:
        return truth_value(ctx, e);
    }
    return unknown(true); /* depends on the caller: not a value */
}

struct gw_value gw_solve_value(struct gw_solve_ctx *ctx, const struct gw_expr *e)
{
    if (ctx->depth >= GW_SOLVE_DEPTH_MAX || ctx->code != GW_OK) {
        ctx->code = GW_E_TOO_BIG;
        gw_solve_met_unknown(ctx);
        return unknown(true);
    }
    ctx->depth++;
    struct gw_value v = value_at_depth(ctx, e);
    ctx->depth--;
    ctx->met_error |= is_state(&v, GW_DATUM_ERROR);
    return v;
}
