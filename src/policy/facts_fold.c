/* facts_fold: what Postgres' planner does to an expression before it is evaluated, as far as it
 * shows (eval_const_expressions in optimizer/util/clauses.c). Constants are worked out; one that
 * decides AND, OR, CASE or COALESCE, and a NULL below a strict function, take the rest of the
 * expression away, and with it what the rest would have raised. A constant part that raises, raises
 * now, even where evaluation would never have come. Arguments are taken in Postgres' order, because
 * what stands behind a decision is not looked at. */
#include "facts_own.h"

struct fold {
    struct gw_arena *arena;
    uint32_t depth;
    bool raises;
};

static const struct gw_fact_expr *fold(struct fold *f, const struct gw_fact_expr *x);

/* ---- constants ---- */

static bool is_constant(const struct gw_fact_expr *x)
{
    return x->op == GW_FACT_CONST;
}

static bool is_null(const struct gw_fact_expr *x)
{
    return is_constant(x) && x->is_null;
}

static bool is_bool(const struct gw_fact_expr *x, bool value)
{
    if (!is_constant(x) || x->is_null || x->kind != GW_KIND_BOOL)
        return false;
    struct gw_datum d = gw_datum_of(GW_KIND_BOOL, x->text);
    return d.state == GW_DATUM_VALUE && d.key.lo == value;
}

/* A NULL of x's kind, when there is no memory x itself: evaluation will see to it. */
static const struct gw_fact_expr *constant(struct fold *f, const struct gw_fact_expr *x,
                                           const struct gw_datum *d)
{
    struct gw_fact_expr *c = gw_arena_alloc(f->arena, sizeof *c);
    if (!c)
        return x;
    c->op = GW_FACT_CONST;
    c->kind = d->state == GW_DATUM_NULL ? x->kind : d->kind;
    c->is_null = d->state == GW_DATUM_NULL;
    c->text = d->text;
    return c;
}

static const struct gw_fact_expr *null_constant(struct fold *f, const struct gw_fact_expr *x)
{
    const struct gw_datum d = gw_datum_null(x->kind);
    return constant(f, x, &d);
}

/* x with no arguments yet and room for all; NULL past the arena's cap. */
static struct gw_fact_expr *copy_of(struct fold *f, const struct gw_fact_expr *x)
{
    struct gw_fact_expr *copy = gw_arena_alloc(f->arena, sizeof *copy);
    struct gw_fact_expr **args =
        gw_arena_alloc(f->arena, x->n_args * sizeof(struct gw_fact_expr *));
    if (!copy || !args)
        return NULL;
    *copy = *x;
    copy->args = args;
    copy->n_args = 0;
    return copy;
}

static void add_arg(struct gw_fact_expr *copy, const struct gw_fact_expr *arg)
{
    copy->args[copy->n_args++] = (struct gw_fact_expr *)arg; /* only ever read */
}

/* ---- decided by some of their arguments ---- */

/* decisive: false for AND, true for OR. A constant that decides nothing is left where it is. */
static const struct gw_fact_expr *fold_list(struct fold *f, const struct gw_fact_expr *x,
                                            bool decisive)
{
    struct gw_fact_expr *copy = copy_of(f, x);
    if (!copy)
        return x;
    for (uint32_t i = 0; i < x->n_args && !f->raises; i++) {
        const struct gw_fact_expr *arg = fold(f, x->args[i]);
        if (is_bool(arg, decisive))
            return arg;
        if (!is_bool(arg, !decisive))
            add_arg(copy, arg);
    }
    const struct gw_datum neutral =
        gw_datum_of(GW_KIND_BOOL, decisive ? GW_SPAN_LIT("f") : GW_SPAN_LIT("t"));
    bool all_null = true;
    for (uint32_t i = 0; i < copy->n_args; i++)
        all_null &= is_null(copy->args[i]);
    if (copy->n_args == 0)
        return constant(f, x, &neutral);
    return all_null ? copy->args[0] : copy;
}

static const struct gw_fact_expr *fold_coalesce(struct fold *f, const struct gw_fact_expr *x)
{
    struct gw_fact_expr *copy = copy_of(f, x);
    if (!copy)
        return x;
    for (uint32_t i = 0; i < x->n_args && !f->raises; i++) {
        const struct gw_fact_expr *arg = fold(f, x->args[i]);
        if (is_null(arg))
            continue;
        if (is_constant(arg) && copy->n_args == 0)
            return arg;
        add_arg(copy, arg);
        if (is_constant(arg))
            break;
    }
    return copy->n_args == 0 ? null_constant(f, x) : copy;
}

static const struct gw_fact_expr *fold_case(struct fold *f, const struct gw_fact_expr *x)
{
    struct gw_fact_expr *copy = copy_of(f, x);
    uint32_t i = 0;
    if (!copy)
        return x;
    for (; i + 1 < x->n_args && !f->raises; i += 2) {
        const struct gw_fact_expr *cond = fold(f, x->args[i]);
        if (is_null(cond) || is_bool(cond, false))
            continue;
        if (is_bool(cond, true)) {
            i++; /* its value is the ELSE now */
            break;
        }
        add_arg(copy, cond);
        add_arg(copy, fold(f, x->args[i + 1]));
    }
    const struct gw_fact_expr *otherwise =
        i < x->n_args ? fold(f, x->args[i]) : null_constant(f, x);
    if (copy->n_args == 0)
        return otherwise;
    if (i < x->n_args)
        add_arg(copy, otherwise);
    return copy;
}

/* ---- the rest ---- */

static bool is_strict(const struct gw_fact_expr *x)
{
    if (x->op == GW_FACT_NATIVE)
        return x->fn != GW_FN_STRING_TO_ARRAY;
    return x->op == GW_FACT_COMPARE && x->cmp != GW_CMP_DISTINCT;
}

static bool is_set(const struct gw_fact_expr *x)
{
    return x->op == GW_FACT_ELEMENTS || x->op == GW_FACT_CAST_EACH || x->op == GW_FACT_ARRAY;
}

static const struct gw_fact_expr *fold_constant(struct fold *f, const struct gw_fact_expr *x)
{
    struct gw_datum d = gw_fact_eval_constant(x, f->arena);
    f->raises |= d.state == GW_DATUM_ERROR;
    return d.state == GW_DATUM_VALUE || d.state == GW_DATUM_NULL ? constant(f, x, &d) : x;
}

static const struct gw_fact_expr *fold_call(struct fold *f, const struct gw_fact_expr *x)
{
    struct gw_fact_expr *copy = copy_of(f, x);
    bool has_null = false, is_all_constant = x->n_args > 0;
    if (!copy)
        return x;
    for (uint32_t i = 0; i < x->n_args && !f->raises; i++) {
        const struct gw_fact_expr *arg = fold(f, x->args[i]);
        has_null |= is_null(arg);
        is_all_constant &= is_constant(arg);
        add_arg(copy, arg);
    }
    if (f->raises || is_set(x))
        return copy;
    if (has_null && is_strict(x))
        return null_constant(f, x);
    return is_all_constant ? fold_constant(f, copy) : copy;
}

static const struct gw_fact_expr *fold_op(struct fold *f, const struct gw_fact_expr *x)
{
    switch (x->op) {
    case GW_FACT_CONST:
    case GW_FACT_SETTING:
    case GW_FACT_ROLE:
        return x;
    case GW_FACT_AND:
        return fold_list(f, x, false);
    case GW_FACT_OR:
        return fold_list(f, x, true);
    case GW_FACT_COALESCE:
        return fold_coalesce(f, x);
    case GW_FACT_CASE:
        return fold_case(f, x);
    default:
        return fold_call(f, x);
    }
}

static const struct gw_fact_expr *fold(struct fold *f, const struct gw_fact_expr *x)
{
    if (f->depth == GW_FACT_DEPTH_MAX)
        return x; /* evaluation gives up there too */
    f->depth++;
    const struct gw_fact_expr *out = fold_op(f, x);
    f->depth--;
    return out;
}

const struct gw_fact_expr *gw_fact_fold(const struct gw_fact_expr *x, struct gw_arena *arena)
{
    struct fold f = {.arena = arena};
    const struct gw_fact_expr *out = fold(&f, x);
    return f.raises ? NULL : out;
}
