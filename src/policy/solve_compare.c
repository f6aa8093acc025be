/* solve_compare: see solve_internal.h. Where a fact of the caller meets a value:
 *     true(fact = v) = {fact is v}      false(fact = v) = {fact is known} \ {fact is v}
 * and null for the rest: a null fact, or a null v. A set fact ("member of a claim array") reads x =
 * ANY (set): false only if the set has no null in it, which is what "known" says of a set. */
#include "solve_internal.h"

#include <assert.h>
#include <stdlib.h>

bool gw_solve_operand(struct gw_solve_ctx *ctx, const struct gw_expr *e, struct gw_operand *out)
{
    *out = (struct gw_operand){.is_fact = e->op == GW_EXPR_FACT, .fact = e->index};
    if (!out->is_fact && e->caller_free)
        out->value = gw_solve_value(ctx, e);
    return out->is_fact || e->caller_free;
}

void gw_solve_note_raise(struct gw_solve_ctx *ctx, const struct gw_value *v, struct gw_set *raises)
{
    bool is_error = v->datum.state == GW_DATUM_ERROR;
    if (!v->may_raise && !is_error)
        return;
    if (!is_error)
        gw_solve_met_unknown(ctx);
    if (!raises)
        return;
    gw_set_free(raises);
    *raises = GW_SET(GW_SET_ALL);
}

static struct gw_set is_not(const struct gw_set *is, uint32_t fact)
{
    return gw_set_minus(gw_set_known(fact), gw_set_copy(is));
}

struct gw_set gw_solve_beside(struct gw_solve_ctx *ctx, struct gw_set s, const struct gw_value *v,
                              enum gw_certainty certainty, struct gw_set *raises)
{
    struct gw_set keep_out = GW_SET(GW_SET_NONE);
    gw_solve_note_raise(ctx, v, &keep_out);
    gw_solve_note_raise(ctx, v, raises);
    return gw_solve_without(ctx, s, &keep_out, certainty);
}

/* ---- fact in a list of values ---- */

struct list {
    uint32_t n;
    const struct gw_value *items;
};

/* What the items say of one fact. */
struct tally {
    struct gw_set is; /* callers whose fact is one of them */
    bool has_null, has_unknown, has_error, may_raise;
};

static bool fits(const struct gw_fact_def *def, const struct gw_datum *d)
{
    return d->state == GW_DATUM_VALUE && d->kind == def->kind && d->kind != GW_KIND_OPAQUE;
}

static struct tally tally_items(struct gw_solve_ctx *ctx, uint32_t fact, struct list l,
                                struct gw_set *raises)
{
    const struct gw_fact_def *def = &ctx->rules->facts[fact];
    struct tally t = {0};
    struct gw_union is = {0};
    for (uint32_t i = 0; i < l.n; i++) {
        const struct gw_datum *d = &l.items[i].datum;
        gw_solve_note_raise(ctx, &l.items[i], raises);
        t.may_raise |= l.items[i].may_raise;
        t.has_null |= d->state == GW_DATUM_NULL;
        t.has_error |= d->state == GW_DATUM_ERROR;
        if (fits(def, d))
            gw_union_add(&is, gw_set_is(fact, def->is_set, d->key));
        else
            t.has_unknown |= d->state == GW_DATUM_UNKNOWN || d->state == GW_DATUM_VALUE;
    }
    t.is = gw_union_finish(&is);
    return t;
}

static struct gw_set tally_in_doubt(struct gw_solve_ctx *ctx, uint32_t fact, struct tally *t,
                                    bool want, enum gw_certainty certainty)
{
    gw_solve_met_unknown(ctx);
    if (certainty == GW_NEUTRAL && (!want || t->is.form == GW_SET_NONE)) {
        gw_set_free(&t->is);
        return GW_SET(GW_SET_LEFT_OUT);
    }
    if (certainty != GW_MAY) {
        if (!want || t->may_raise)
            gw_set_free(&t->is);
        return t->is; /* surely among those that are known */
    }
    bool is_set = ctx->rules->facts[fact].is_set; /* may have a value and a null besides */
    struct gw_set out = !want    ? is_not(&t->is, fact)
                        : is_set ? GW_SET(GW_SET_ALL)
                                 : gw_set_known(fact);
    gw_set_free(&t->is);
    return out;
}

static struct gw_set fact_in(struct gw_solve_ctx *ctx, uint32_t fact, struct list l, bool want,
                             enum gw_certainty certainty, struct gw_set *raises)
{
    if (l.n == 0)
        return GW_SET(want ? GW_SET_NONE : GW_SET_ALL); /* even of a null */
    struct tally t = tally_items(ctx, fact, l, raises);
    if (t.has_error || (t.has_null && !want)) {
        gw_set_free(&t.is);
        return GW_SET(GW_SET_NONE);
    }
    if (t.has_unknown)
        return tally_in_doubt(ctx, fact, &t, want, certainty);
    if (want)
        return t.is;
    struct gw_set out = is_not(&t.is, fact);
    gw_set_free(&t.is);
    return out;
}

/* ---- = and its like ---- */

/* IS DISTINCT FROM is never null. */
static struct gw_set fact_distinct(struct gw_solve_ctx *ctx, uint32_t fact,
                                   const struct gw_value *v, bool want, enum gw_certainty certainty,
                                   struct gw_set *raises)
{
    struct gw_set same;
    switch (v->datum.state) {
    case GW_DATUM_UNKNOWN:
        gw_solve_note_raise(ctx, v, raises);
        return gw_solve_unknown(ctx, certainty);
    case GW_DATUM_ERROR:
        gw_solve_note_raise(ctx, v, raises);
        return GW_SET(GW_SET_NONE);
    case GW_DATUM_NULL:
        same = gw_set_not(gw_set_known(fact));
        break;
    default:
        same = fact_in(ctx, fact, (struct list){1, v}, true,
                       want ? gw_solve_flip(certainty) : certainty, raises);
    }
    return want ? gw_set_not(same) : same;
}

struct gw_set gw_solve_compare_operands(struct gw_solve_ctx *ctx, const struct gw_operand *a,
                                        const struct gw_operand *b, enum gw_cmp cmp, bool want,
                                        enum gw_certainty certainty, struct gw_set *raises)
{
    if (raises)
        *raises = GW_SET(GW_SET_NONE);
    if (!a->is_fact && !b->is_fact)
        return gw_solve_truth_set(ctx, gw_truth_compare(&a->value, &b->value, cmp), want, certainty,
                                  raises);
    if ((a->is_fact && b->is_fact) || (cmp >= GW_CMP_LT && cmp <= GW_CMP_GE))
        return gw_solve_unknown(ctx, certainty); /* not compiled */
    uint32_t fact = a->is_fact ? a->fact : b->fact;
    const struct gw_value *v = a->is_fact ? &b->value : &a->value;
    if (cmp == GW_CMP_DISTINCT)
        return fact_distinct(ctx, fact, v, want, certainty, raises);
    const struct gw_fact_def *def = &ctx->rules->facts[fact];
    bool wants_equal = want == (cmp == GW_CMP_EQ);
    if (wants_equal && fits(def, &v->datum))
        return gw_set_is(fact, def->is_set, v->datum.key);
    if (def->is_set && !wants_equal && v->datum.state == GW_DATUM_NULL)
        return gw_solve_unknown(ctx,
                                certainty); /* false of an empty set alone: cannot be written */
    return fact_in(ctx, fact, (struct list){1, v}, wants_equal, certainty, raises);
}

static struct gw_set scalar_compare(struct gw_solve_ctx *ctx, const struct gw_expr *scalar,
                                    const struct gw_expr *other, enum gw_cmp cmp, bool want,
                                    enum gw_certainty certainty, struct gw_set *raises)
{
    struct gw_sub_use use = {.mode = GW_SUB_SCALAR_EQ};
    bool is_equality = cmp == GW_CMP_EQ || cmp == GW_CMP_NE;
    if (scalar->op != GW_EXPR_SCALAR || !is_equality || !gw_solve_operand(ctx, other, &use.x))
        return gw_solve_unknown(ctx, certainty);
    struct gw_set out =
        gw_solve_sub(ctx, scalar->sub, &use, want == (cmp == GW_CMP_EQ), certainty, raises);
    return use.x.is_fact ? out : gw_solve_beside(ctx, out, &use.x.value, certainty, raises);
}

struct gw_set gw_solve_compare(struct gw_solve_ctx *ctx, const struct gw_expr *e, bool want,
                               enum gw_certainty certainty, struct gw_set *raises)
{
    struct gw_operand a, b;
    const struct gw_expr *left = e->args[0], *right = e->args[1];
    if (left->op == GW_EXPR_SCALAR && !left->caller_free)
        return scalar_compare(ctx, left, right, e->cmp, want, certainty, raises);
    if (!gw_solve_operand(ctx, right, &b))
        return scalar_compare(ctx, right, left, e->cmp, want, certainty, raises);
    if (!gw_solve_operand(ctx, left, &a))
        return gw_solve_unknown(ctx, certainty);
    return gw_solve_compare_operands(ctx, &a, &b, e->cmp, want, certainty, raises);
}

/* ---- = ANY ---- */

/* A value among items of which some are facts: all are evaluated, then compared. */
static struct gw_set value_in(struct gw_solve_ctx *ctx, const struct gw_expr *e, bool want,
                              enum gw_certainty certainty, struct gw_set *raises)
{
    struct gw_operand x, item;
    struct gw_set keep_out = GW_SET(GW_SET_NONE);
    struct gw_set out = GW_SET(want ? GW_SET_NONE : GW_SET_ALL);
    if (!gw_solve_operand(ctx, e->args[0], &x))
        return gw_solve_unknown(ctx, certainty);
    for (uint32_t i = 1; i < e->n_args; i++) {
        struct gw_set one, one_raises = GW_SET(GW_SET_NONE);
        if (gw_solve_operand(ctx, e->args[i], &item))
            one =
                gw_solve_compare_operands(ctx, &x, &item, GW_CMP_EQ, want, certainty, &one_raises);
        else
            one = gw_solve_unknown(ctx, certainty);
        out = want ? gw_set_or(out, one) : gw_set_and(out, one);
        keep_out = gw_set_or(keep_out, one_raises);
    }
    out = gw_solve_without(ctx, out, &keep_out, certainty);
    if (raises)
        *raises = keep_out;
    else
        gw_set_free(&keep_out);
    return out;
}

struct gw_set gw_solve_any(struct gw_solve_ctx *ctx, const struct gw_expr *e, bool want,
                           enum gw_certainty certainty, struct gw_set *raises)
{
    const struct gw_expr *x = e->args[0];
    bool is_plain = x->op == GW_EXPR_FACT;
    for (uint32_t i = 1; i < e->n_args; i++)
        is_plain &= e->args[i]->caller_free;
    if (!is_plain)
        return value_in(ctx, e, want, certainty, raises);
    struct gw_value *items = gw_arena_alloc(&ctx->scratch, e->n_args * sizeof *items);
    for (uint32_t i = 1; i < e->n_args; i++)
        items[i - 1] = gw_solve_value(ctx, e->args[i]);
    return fact_in(ctx, x->index, (struct list){e->n_args - 1, items}, want, certainty, raises);
}

/* ---- in an array ---- */

/* One element from at, its bytes to copy; returns where the next one starts. Quotes and backslashes
 * as array_out writes them. */
static size_t array_item(struct gw_span text, size_t at, char **copy, enum gw_kind kind,
                         struct gw_value *out)
{
    struct gw_span item = {*copy, 0};
    bool is_quoted = text.p[at] == '"';
    for (at += is_quoted; at < text.n; at++) {
        char c = text.p[at];
        if (is_quoted ? c == '"' : c == ',' || c == '}')
            break;
        if (c == '\\' && at + 1 < text.n)
            c = text.p[++at];
        *(*copy)++ = c;
        item.n++;
    }
    bool is_null = !is_quoted && gw_span_is_nocase(item, "null");
    *out = (struct gw_value){.datum = is_null ? gw_datum_null(kind) : gw_datum_of(kind, item)};
    return at + (is_quoted && at < text.n);
}

bool gw_solve_array(struct gw_solve_ctx *ctx, struct gw_span text, enum gw_kind kind,
                    struct gw_value **items, uint32_t *n)
{
    const char *open = text.n ? memchr(text.p, '{', text.n) : NULL; /* bounds may stand before it */
    if (!open || text.p[text.n - 1] != '}')
        return false;
    size_t commas = 0;
    for (size_t i = 0; i < text.n; i++)
        commas += text.p[i] == ',';
    *items = gw_arena_alloc(&ctx->scratch, (commas + 1) * sizeof **items);
    *n = 0;
    char *copy = gw_arena_alloc(&ctx->scratch, text.n);
    for (size_t at = (size_t)(open - text.p); at < text.n;) {
        char c = text.p[at];
        if (c == '{' || c == '}' || c == ',') /* nested braces only group, as they do for ANY */
            at++;
        else
            at = array_item(text, at, &copy, kind, &(*items)[(*n)++]);
    }
    return true;
}

struct gw_set gw_solve_in_list(struct gw_solve_ctx *ctx, const struct gw_expr *e, bool want,
                               enum gw_certainty certainty, struct gw_set *raises)
{
    const struct gw_expr *x = e->args[0];
    struct gw_operand list;
    struct gw_value *items;
    uint32_t n;
    if (x->op != GW_EXPR_FACT || !gw_solve_operand(ctx, e->args[1], &list) || list.is_fact)
        return gw_solve_unknown(ctx, certainty);
    gw_solve_note_raise(ctx, &list.value, raises);
    switch (list.value.datum.state) {
    case GW_DATUM_NULL:
    case GW_DATUM_ERROR:
        return GW_SET(GW_SET_NONE);
    case GW_DATUM_UNKNOWN:
        return gw_solve_unknown(ctx, certainty);
    case GW_DATUM_VALUE:
        break;
    }
    if (!gw_solve_array(ctx, list.value.datum.text, ctx->rules->facts[x->index].kind, &items, &n))
        return gw_solve_unknown(ctx, certainty);
    return fact_in(ctx, x->index, (struct list){n, items}, want, certainty, raises);
}
