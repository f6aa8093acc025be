/* solve_sub: see solve_internal.h. The answer of a sub-select is the same whether surely or
 * possibly is asked, unless something unknown was met: then each is a pass of its own. Only exact
 * answers are remembered. */
#include "solve_internal.h"

static struct gw_sub_answer look(struct gw_solve_ctx *ctx, const struct gw_subselect *sub,
                                 const struct gw_sub_use *use, enum gw_certainty certainty)
{
    struct gw_pass p = {.ctx = ctx, .sub = sub, .use = use, .certainty = certainty};
    struct gw_sub_answer out = {0};
    p.may_raise = ctx->solver->sites[sub->site].may_raise;
    gw_sub_rows(&p);
    gw_sub_finish(&p, &out);
    return out;
}

/* Rows that are not surely there were passed over; what raises there is told by those that may be.
 */
static void take_raises(struct gw_solve_ctx *ctx, const struct gw_subselect *sub,
                        const struct gw_sub_use *use, struct gw_sub_answer *must)
{
    struct gw_sub_answer may = look(ctx, sub, use, GW_MAY);
    gw_set_free(&must->raises);
    must->raises = gw_set_copy(&may.raises);
    gw_sub_answer_free(&may);
}

static struct gw_sub_answer pass(struct gw_solve_ctx *ctx, const struct gw_subselect *sub,
                                 const struct gw_sub_use *use, enum gw_certainty certainty)
{
    bool is_scalar = use->mode >= GW_SUB_SCALAR_EQ;
    bool may_raise = is_scalar || ctx->solver->sites[sub->site].may_raise;
    struct gw_sub_answer out = look(ctx, sub, use, certainty);
    if (!may_raise)
        return out;
    if (!out.is_exact && certainty == GW_MUST)
        take_raises(ctx, sub, use, &out);
    out.yes = gw_solve_without(ctx, out.yes, &out.raises, certainty);
    if (is_scalar)
        out.maybe = gw_solve_without(ctx, out.maybe, &out.raises, certainty);
    return out;
}

/* Remembered (borrowed), or worked out into own, which then is the caller's to free. */
static struct gw_sub_answer *answer_of(struct gw_solve_ctx *ctx, const struct gw_subselect *sub,
                                       const struct gw_sub_use *use, enum gw_certainty certainty,
                                       struct gw_sub_answer *own)
{
    struct gw_memo_key key;
    bool may_remember = gw_memo_key_of(ctx, sub, use, &key);
    struct gw_sub_answer *found = may_remember ? gw_memo_find(ctx, &key) : NULL;
    if (found)
        return found;
    struct gw_solve_frame f;
    gw_frame_open(ctx, &f, may_remember || ctx->frame->is_recording);
    *own = pass(ctx, sub, use, certainty);
    if (may_remember && own->is_exact && !f.is_passing)
        found = gw_memo_put(ctx, &key, own, &f);
    gw_frame_close(ctx, &f);
    return found ? found : own;
}

/* The complement of maybe and raises. */
static struct gw_set no_of(struct gw_solve_ctx *ctx, struct gw_sub_answer *a,
                           enum gw_certainty certainty)
{
    if (a->has_no)
        return gw_set_copy(&a->no);
    struct gw_set no = gw_set_not(gw_set_copy(&a->maybe));
    if (a->is_exact || certainty == GW_MUST)
        no = gw_set_minus(no, gw_set_copy(&a->raises));
    else
        gw_solve_met_unknown(ctx);
    if (a->is_exact) {
        a->no = gw_set_copy(&no);
        a->has_no = true;
    }
    return no;
}

/* Whether the wanted set is told by exclusion. */
static bool is_complement(enum gw_sub_mode mode, bool want)
{
    if (mode == GW_SUB_EXISTS || mode == GW_SUB_IN)
        return !want;
    return mode == GW_SUB_SCALAR_NULL && want;
}

struct gw_set gw_solve_sub(struct gw_solve_ctx *ctx, const struct gw_subselect *sub,
                           const struct gw_sub_use *use, bool want, enum gw_certainty certainty,
                           struct gw_set *raises)
{
    struct gw_sub_answer own = {0};
    bool by_exclusion = is_complement(use->mode, want);
    enum gw_certainty asked = by_exclusion ? gw_solve_flip(certainty) : certainty;
    struct gw_sub_answer *a = answer_of(ctx, sub, use, asked, &own);
    struct gw_set out;
    if (by_exclusion)
        out = no_of(ctx, a, certainty);
    else
        out = gw_set_copy(want ? &a->yes : &a->maybe);
    if (raises)
        *raises = gw_set_copy(&a->raises);
    if (a == &own)
        gw_sub_answer_free(&own);
    return out;
}

static unsigned exact_truth(const struct gw_sub_answer *a)
{
    if (a->yes.form == GW_SET_ALL)
        return GW_TRUTH_TRUE;
    if (a->raises.form == GW_SET_ALL)
        return GW_TRUTH_RAISE;
    return a->maybe.form == GW_SET_ALL ? GW_TRUTH_NULL : GW_TRUTH_FALSE;
}

/* Of an inexact answer: what MUST and MAY leave possible. */
static unsigned possible_truth(const struct gw_sub_answer *must, const struct gw_sub_answer *may,
                               bool may_raise, bool may_be_null)
{
    unsigned raise = may_raise ? GW_TRUTH_RAISE : 0;
    if (must->yes.form == GW_SET_ALL)
        return GW_TRUTH_TRUE;
    if (may->maybe.form == GW_SET_NONE)
        return GW_TRUTH_FALSE | raise;
    unsigned out = raise | (may_be_null ? GW_TRUTH_NULL : 0);
    out |= may->yes.form == GW_SET_ALL ? GW_TRUTH_TRUE : 0;
    return out | (must->maybe.form == GW_SET_NONE ? GW_TRUTH_FALSE : 0);
}

unsigned gw_solve_sub_truth(struct gw_solve_ctx *ctx, const struct gw_subselect *sub,
                            const struct gw_sub_use *use)
{
    struct gw_sub_answer own = {0}, own_may = {0};
    struct gw_sub_answer *must = answer_of(ctx, sub, use, GW_MUST, &own);
    unsigned truth;
    if (must->is_exact) {
        truth = exact_truth(must);
    } else {
        struct gw_sub_answer *may = answer_of(ctx, sub, use, GW_MAY, &own_may);
        bool may_raise = ctx->solver->sites[sub->site].may_raise;
        truth = possible_truth(must, may, may_raise, use->mode == GW_SUB_IN);
        if (may == &own_may)
            gw_sub_answer_free(&own_may);
    }
    if (must == &own)
        gw_sub_answer_free(&own);
    return truth;
}

struct gw_value gw_solve_sub_value(struct gw_solve_ctx *ctx, const struct gw_subselect *sub,
                                   enum gw_kind kind)
{
    static const struct gw_sub_use VALUE = {.mode = GW_SUB_SCALAR_VALUE};
    struct gw_sub_answer own = {0};
    struct gw_sub_answer *a = answer_of(ctx, sub, &VALUE, GW_MUST, &own);
    struct gw_value v = {.datum = gw_datum_unknown(), .may_raise = true};
    if (a->is_exact) {
        v = a->value;
        if (a->raises.form == GW_SET_ALL)
            v.datum = gw_datum_error();
        else if (v.datum.state == GW_DATUM_NULL)
            v.datum = gw_datum_null(kind);
    }
    if (a == &own)
        gw_sub_answer_free(&own);
    return v;
}
