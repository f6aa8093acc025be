/* solve_take: see solve_internal.h.
 *
 * DESIGN. For each row there is the set of callers for whom its conditions hold. EXISTS is the
 * union of those. IN cuts each with those for whom the target equals x, and once more with those
 * for whom it is not surely different, because NOT IN is true only where neither true nor null was
 * met. SCALAR must have one row: whoever is in two of the sets is one for whom Postgres raises. */
#include "formula_own.h"
#include "solve_internal.h"

#include <stdlib.h>

static bool is_scalar(const struct gw_pass *p)
{
    return p->use->mode >= GW_SUB_SCALAR_EQ;
}

void gw_sub_raise(struct gw_pass *p, const struct gw_set *where, struct gw_set raises,
                  enum gw_certainty certainty)
{
    bool is_bound = certainty != GW_MUST || !p->ctx->frame->is_inexact;
    if (raises.form != GW_SET_NONE && is_bound) /* where leaves no one out who may be in it */
        raises = gw_set_and(raises, gw_set_copy(where));
    p->raises = gw_set_or(p->raises, raises);
}

bool gw_sub_is_decided(const struct gw_pass *p)
{
    if (p->ctx->code != GW_OK || p->is_left_out)
        return true;
    if (is_scalar(p))
        return p->raises.form == GW_SET_ALL && gw_solve_is_binding(p->ctx, p->certainty);
    return p->yes.is_all && !p->may_raise;
}

/* ---- IN ---- */

/* Values that surely differ; not where conditions further left could raise. */
bool gw_sub_is_beside(struct gw_pass *p)
{
    const struct gw_expr *target = p->arm->target;
    if (p->use->mode != GW_SUB_IN || p->may_raise || p->use->x.is_fact || !target->caller_free)
        return false;
    struct gw_value v = gw_solve_value(p->ctx, target);
    return gw_truth_compare(&v, &p->use->x.value, GW_CMP_EQ) == GW_TRUTH_FALSE;
}

static bool is_plain_fact(const struct gw_pass *p, const struct gw_operand *a,
                          const struct gw_operand *b, uint32_t *fact)
{
    const struct gw_operand *f = a->is_fact ? a : b, *v = a->is_fact ? b : a;
    if (!f->is_fact || v->is_fact || v->value.datum.state != GW_DATUM_VALUE)
        return false;
    *fact = f->fact;
    const struct gw_fact_def *def = &p->ctx->rules->facts[f->fact];
    return !def->is_set && def->kind == v->value.datum.kind && def->kind != GW_KIND_OPAQUE;
}

static struct gw_set null_fact(struct gw_pass *p, uint32_t fact)
{
    if (p->null_fact.form == GW_SET_NONE || p->null_fact_of != fact) {
        gw_set_free(&p->null_fact);
        p->null_fact = gw_set_not(gw_set_known(fact));
        p->null_fact_of = fact;
    }
    return gw_set_copy(&p->null_fact);
}

/* Those for whom target = x, and those for whom it is not surely false. */
static void in_sets(struct gw_pass *p, const struct gw_set *where, struct gw_operand *target,
                    struct gw_set *same, struct gw_set *not_false)
{
    const struct gw_operand *x = &p->use->x;
    struct gw_set raises = GW_SET(GW_SET_NONE);
    uint32_t fact;
    *same = gw_solve_compare_operands(p->ctx, target, x, GW_CMP_EQ, true, p->certainty, &raises);
    gw_sub_raise(p, where, raises, p->certainty);
    if (is_plain_fact(p, target, x, &fact)) {
        gw_union_add(&p->maybe, gw_set_and(gw_set_copy(where), null_fact(p, fact)));
        *not_false = gw_set_copy(same);
        return;
    }
    *not_false = gw_set_not(gw_solve_compare_operands(p->ctx, target, x, GW_CMP_EQ, false,
                                                      gw_solve_flip(p->certainty), NULL));
}

static void take_in(struct gw_pass *p, struct gw_set where)
{
    struct gw_operand target;
    struct gw_set same, not_false;
    if (gw_solve_operand(p->ctx, p->arm->target, &target)) {
        in_sets(p, &where, &target, &same, &not_false);
    } else {
        same = gw_solve_unknown(p->ctx, p->certainty);
        not_false = gw_set_copy(&same);
    }
    gw_union_add(&p->yes, gw_set_and(gw_set_copy(&where), same));
    gw_union_add(&p->maybe, gw_set_and(where, not_false));
}

/* ---- SCALAR ---- */

static bool push_seen_key(struct gw_pass *p, const struct gw_set *where)
{
    struct gw_union_keys *k = &p->seen_keys;
    if (where->form != GW_SET_IS || where->is_many || (k->n > 0 && k->fact != where->fact))
        return false;
    k->fact = where->fact;
    if (k->n == k->cap) {
        k->cap = k->cap ? k->cap * 2 : 8;
        k->keys = gw_realloc(k->keys, k->cap * sizeof *k->keys);
    }
    k->keys[k->n++] = where->key;
    return true;
}

/* Whoever had a row already has two now. Rows told apart by one value of a fact are only collected;
 * others are compared with all before, so their number is bounded. */
static void note_row(struct gw_pass *p, const struct gw_set *where)
{
    if (where->form == GW_SET_LEFT_OUT || push_seen_key(p, where))
        return;
    if (++p->n_seen > GW_FORMULA_NODES_MAX) {
        p->ctx->code = GW_E_TOO_BIG;
        return;
    }
    struct gw_set both = gw_set_and(gw_set_copy(&p->seen), gw_set_copy(where));
    p->raises = gw_set_or(p->raises, both);
    p->seen = gw_set_or(p->seen, gw_set_copy(where));
    if (p->seen.form == GW_SET_TREE && p->seen.tree->n_nodes > GW_FORMULA_NODES_MAX)
        p->ctx->code = GW_E_TOO_BIG;
}

static int compare_keys(const void *a, const void *b)
{
    return gw_key_compare(a, b);
}

static void note_doubles(struct gw_pass *p)
{
    struct gw_union_keys *k = &p->seen_keys;
    struct gw_union doubles = {0}, all = {0};
    if (k->n > 1)
        qsort(k->keys, k->n, sizeof *k->keys, compare_keys);
    for (uint32_t i = 0; i < k->n; i++) {
        struct gw_set is = gw_set_is(k->fact, false, k->keys[i]);
        gw_union_add(&all, is);
        if (i > 0 && gw_key_eq(k->keys[i - 1], k->keys[i]))
            gw_union_add(&doubles, is);
    }
    p->raises = gw_set_or(p->raises, gw_union_finish(&doubles));
    struct gw_set both = gw_set_and(gw_union_finish(&all), p->seen);
    p->raises = gw_set_or(p->raises, both);
    p->seen = GW_SET(GW_SET_NONE);
    free(k->keys);
    *k = (struct gw_union_keys){0};
}

static struct gw_set not_null(struct gw_pass *p, struct gw_set *raises)
{
    struct gw_operand t;
    struct gw_solve_ctx *ctx = p->ctx;
    if (!gw_solve_operand(ctx, p->arm->target, &t))
        return gw_solve_unknown(ctx, p->certainty);
    if (t.is_fact)
        return gw_set_known(t.fact);
    static const unsigned TRUTHS[] = {
        [GW_DATUM_NULL] = GW_TRUTH_FALSE,
        [GW_DATUM_VALUE] = GW_TRUTH_TRUE,
        [GW_DATUM_UNKNOWN] = GW_TRUTH_TRUE | GW_TRUTH_FALSE,
        [GW_DATUM_ERROR] = GW_TRUTH_RAISE,
    };
    unsigned truth = TRUTHS[t.value.datum.state] | (t.value.may_raise ? GW_TRUTH_RAISE : 0);
    return gw_solve_truth_set(ctx, truth, true, p->certainty, raises);
}

/* Those for whom the row's target is so, and those for whom it is not so. */
static void scalar_sets(struct gw_pass *p, struct gw_set *so, struct gw_set *not_so,
                        struct gw_set *raises)
{
    struct gw_solve_ctx *ctx = p->ctx;
    const struct gw_expr *target = p->arm->target;
    struct gw_operand t;
    *so = GW_SET(GW_SET_NONE);
    if (p->use->mode == GW_SUB_SCALAR_NULL) {
        *not_so = not_null(p, raises);
    } else if (p->use->mode == GW_SUB_SCALAR_TRUTH) {
        *so = gw_solve_bool(ctx, target, true, p->certainty, raises);
        *not_so = gw_solve_bool(ctx, target, false, p->certainty, NULL);
    } else if (gw_solve_operand(ctx, target, &t)) {
        const struct gw_operand *x = &p->use->x;
        *so = gw_solve_compare_operands(ctx, &t, x, GW_CMP_EQ, true, p->certainty, raises);
        *not_so = gw_solve_compare_operands(ctx, &t, x, GW_CMP_EQ, false, p->certainty, NULL);
    } else {
        *so = gw_solve_unknown(ctx, p->certainty);
        *not_so = gw_set_copy(so);
    }
}

static void take_scalar(struct gw_pass *p, struct gw_set where)
{
    struct gw_set so, not_so, raises = GW_SET(GW_SET_NONE);
    note_row(p, &where);
    if (p->use->mode == GW_SUB_SCALAR_VALUE) {
        p->value = gw_solve_value(p->ctx, p->arm->target);
        if (p->value.datum.state == GW_DATUM_UNKNOWN)
            gw_solve_met_unknown(p->ctx);
        gw_set_free(&where);
        return;
    }
    scalar_sets(p, &so, &not_so, &raises);
    gw_sub_raise(p, &where, raises, p->certainty);
    gw_union_add(&p->yes, gw_set_and(gw_set_copy(&where), so));
    gw_union_add(&p->maybe, gw_set_and(where, not_so));
}

/* ---- all of them ---- */

void gw_sub_take(struct gw_pass *p, struct gw_set where)
{
    if (p->use->mode == GW_SUB_EXISTS)
        gw_union_add(&p->yes, where);
    else if (p->use->mode == GW_SUB_IN)
        take_in(p, where);
    else
        take_scalar(p, where);
    if (p->yes.is_too_big || p->maybe.is_too_big)
        p->ctx->code = GW_E_TOO_BIG;
}

void gw_sub_take_unseen(struct gw_pass *p, struct gw_set where)
{
    gw_solve_met_unknown(p->ctx);
    p->n_candidates += 2;
    if (p->may_raise) /* so might one of them */
        gw_sub_raise(p, &where, GW_SET(GW_SET_ALL), p->certainty);
    if (p->certainty != GW_MAY) {
        gw_set_free(&where);
        return;
    }
    gw_union_add(&p->maybe, gw_set_copy(&where));
    gw_union_add(&p->yes, where);
}

void gw_sub_finish(struct gw_pass *p, struct gw_sub_answer *out)
{
    struct gw_solve_ctx *ctx = p->ctx;
    out->yes = gw_union_finish(&p->yes);
    out->maybe = gw_union_finish(&p->maybe);
    if (p->use->mode == GW_SUB_EXISTS) {
        gw_set_free(&out->maybe); /* unseen rows are in both */
        out->maybe = gw_set_copy(&out->yes);
    }
    note_doubles(p);
    out->raises = p->raises;
    out->value = p->value;
    gw_set_free(&p->null_fact);
    if (p->is_left_out) {
        gw_sub_answer_free(out);
        out->yes = out->maybe = GW_SET(GW_SET_LEFT_OUT);
    }
    out->is_exact = !ctx->frame->is_inexact && ctx->code == GW_OK;
    if (!out->is_exact && is_scalar(p) && p->n_candidates > 1) {
        gw_set_free(&out->raises); /* there may be a second row for anyone */
        out->raises = GW_SET(GW_SET_ALL);
    }
}

void gw_sub_answer_free(struct gw_sub_answer *a)
{
    gw_set_free(&a->yes);
    gw_set_free(&a->maybe);
    gw_set_free(&a->raises);
    if (a->has_no)
        gw_set_free(&a->no);
    a->has_no = false;
}
