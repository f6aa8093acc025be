/* facts: see the header.
 *
 * DESIGN. First what planning would fold (facts_fold.c), then evaluation in Postgres' own order:
 * AND, OR, COALESCE and CASE go left to right and stop when they are decided, everything else
 * evaluates all its arguments before it looks at them. So an error behind a decided branch does not
 * count, and one beside a NULL does. Whatever follows something UNKNOWN is UNKNOWN too: it might
 * have raised. */
#include "facts_own.h"
#include "formula_own.h"
#include "native_own.h"

#include <strings.h>

struct eval {
    const struct gw_fact_env *env; /* NULL: a constant tree */
    struct gw_arena *arena;
    uint32_t depth;
};

static struct gw_datum eval(struct eval *e, const struct gw_fact_expr *x);

/* ---- settings ---- */

/* As gateway/db_ask_send.c sets it: strings bare, the rest as JSON, missing and null as "". */
static struct gw_datum claim_value(const struct eval *e, struct gw_span claim)
{
    const struct gw_datum args[] = {gw_datum_of(GW_KIND_OPAQUE, e->env->claims->json),
                                    gw_datum_of(GW_KIND_TEXT, claim)};
    struct gw_datum d = gw_native_call(GW_FN_JSON_GET_TEXT, args, 2, e->arena);
    if (d.state == GW_DATUM_NULL)
        return gw_datum_of(GW_KIND_TEXT, GW_SPAN_LIT(""));
    return d.state == GW_DATUM_VALUE ? d : gw_datum_unknown();
}

static bool is_name(struct gw_span a, struct gw_span b) /* of settings: case does not matter */
{
    return a.n == b.n && a.n > 0 && strncasecmp(a.p, b.p, a.n) == 0;
}

static struct gw_datum setting_value(const struct eval *e, struct gw_span name)
{
    const struct gw_claims *claims = e->env->claims;
    for (uint32_t i = e->env->n_settings; i-- > 0;) /* they are set last, in order */
        if (is_name(e->env->settings[i].setting, name))
            return claim_value(e, e->env->settings[i].claim);
    if (gw_span_is_nocase(name, "request.jwt.claims"))
        return gw_datum_of(GW_KIND_TEXT, claims->json);
    if (gw_span_is_nocase(name, "request.jwt.claim.sub"))
        return gw_datum_of(GW_KIND_TEXT, claims->sub);
    if (gw_span_is_nocase(name, "request.jwt.claim.role") || gw_span_is_nocase(name, "role"))
        return gw_datum_of(GW_KIND_TEXT, claims->role);
    /* Without a dot it is one of Postgres' own. */
    bool is_custom = name.n && memchr(name.p, '.', name.n);
    return is_custom ? gw_datum_null(GW_KIND_TEXT) : gw_datum_unknown();
}

/* ---- booleans ---- */

/* VALUE and neither true nor false cannot be: UNKNOWN. */
static struct gw_datum as_bool(struct gw_datum d)
{
    return d.state == GW_DATUM_VALUE && d.kind != GW_KIND_BOOL ? gw_datum_unknown() : d;
}

static bool is_bool(const struct gw_datum *d, bool value)
{
    return d->state == GW_DATUM_VALUE && d->kind == GW_KIND_BOOL && d->key.lo == value;
}

static struct gw_datum constant_of(const struct gw_fact_expr *x)
{
    return x->is_null ? gw_datum_null(x->kind) : gw_datum_of(x->kind, x->text);
}

/* decisive: false for AND, true for OR. */
static struct gw_datum eval_list(struct eval *e, const struct gw_fact_expr *x, bool decisive)
{
    struct gw_datum out = gw_native_bool(!decisive);
    for (uint32_t i = 0; i < x->n_args; i++) {
        struct gw_datum d = as_bool(eval(e, x->args[i]));
        if (d.state == GW_DATUM_UNKNOWN || d.state == GW_DATUM_ERROR || is_bool(&d, decisive))
            return d;
        if (d.state == GW_DATUM_NULL)
            out = d;
    }
    return out;
}

static struct gw_datum eval_not(struct eval *e, const struct gw_fact_expr *x)
{
    struct gw_datum d = as_bool(eval(e, x->args[0]));
    return d.state == GW_DATUM_VALUE ? gw_native_bool(!d.key.lo) : d;
}

static struct gw_datum eval_is_null(struct eval *e, const struct gw_fact_expr *x)
{
    struct gw_datum d = eval(e, x->args[0]);
    if (d.state == GW_DATUM_UNKNOWN || d.state == GW_DATUM_ERROR)
        return d;
    return gw_native_bool(d.state == GW_DATUM_NULL);
}

static struct gw_datum eval_is(struct eval *e, const struct gw_fact_expr *x)
{
    struct gw_datum d = as_bool(eval(e, x->args[0]));
    if (d.state == GW_DATUM_UNKNOWN || d.state == GW_DATUM_ERROR)
        return d;
    switch (x->test) {
    case GW_IS_TRUE:
        return gw_native_bool(is_bool(&d, true));
    case GW_IS_FALSE:
        return gw_native_bool(is_bool(&d, false));
    case GW_IS_UNKNOWN:
        break;
    }
    return gw_native_bool(d.state == GW_DATUM_NULL);
}

/* ---- comparing ---- */

/* VALUE of that kind, comparable; NULL; else UNKNOWN or ERROR. */
static struct gw_datum eval_as(struct eval *e, const struct gw_fact_expr *x, enum gw_kind kind)
{
    struct gw_datum d = eval(e, x);
    if (d.state != GW_DATUM_VALUE)
        return d;
    if (kind == GW_KIND_OPAQUE)
        return gw_datum_unknown();
    return d.kind == kind ? d : gw_datum_of(kind, d.text);
}

/* Of arguments that are all evaluated: one that raises raises, whatever the others. */
static enum gw_datum_state worst(enum gw_datum_state a, enum gw_datum_state b)
{
    if (a == GW_DATUM_ERROR || b == GW_DATUM_ERROR)
        return GW_DATUM_ERROR;
    if (a == GW_DATUM_UNKNOWN || b == GW_DATUM_UNKNOWN)
        return GW_DATUM_UNKNOWN;
    return a == GW_DATUM_NULL || b == GW_DATUM_NULL ? GW_DATUM_NULL : GW_DATUM_VALUE;
}

static struct gw_datum of_state(enum gw_datum_state state, enum gw_kind kind)
{
    return (struct gw_datum){.state = state, .kind = kind};
}

static bool is_ordered(enum gw_cmp cmp, int c)
{
    switch (cmp) {
    case GW_CMP_LT:
        return c < 0;
    case GW_CMP_LE:
        return c <= 0;
    case GW_CMP_GT:
        return c > 0;
    case GW_CMP_GE:
        return c >= 0;
    default:
        return false;
    }
}

static struct gw_datum compare_values(enum gw_cmp cmp, const struct gw_datum *a,
                                      const struct gw_datum *b)
{
    if (cmp == GW_CMP_EQ || cmp == GW_CMP_NE || cmp == GW_CMP_DISTINCT)
        return gw_native_bool(gw_datum_eq(a, b) == (cmp == GW_CMP_EQ));
    if (!gw_kind_has_order(a->kind))
        return gw_datum_unknown();
    return gw_native_bool(is_ordered(cmp, gw_datum_compare(a, b)));
}

static struct gw_datum eval_compare(struct eval *e, const struct gw_fact_expr *x)
{
    struct gw_datum a = eval_as(e, x->args[0], x->arg_kind);
    struct gw_datum b = eval_as(e, x->args[1], x->arg_kind);
    enum gw_datum_state state = worst(a.state, b.state);
    if (state == GW_DATUM_NULL && x->cmp == GW_CMP_DISTINCT)
        return gw_native_bool(a.state != b.state);
    return state == GW_DATUM_VALUE ? compare_values(x->cmp, &a, &b) : of_state(state, GW_KIND_BOOL);
}

static struct gw_datum eval_nullif(struct eval *e, const struct gw_fact_expr *x)
{
    struct gw_datum a = eval_as(e, x->args[0], x->arg_kind);
    struct gw_datum b = eval_as(e, x->args[1], x->arg_kind);
    enum gw_datum_state state = worst(a.state, b.state);
    if (state == GW_DATUM_ERROR || state == GW_DATUM_UNKNOWN)
        return of_state(state, x->kind);
    return state == GW_DATUM_VALUE && gw_datum_eq(&a, &b) ? gw_datum_null(x->kind) : a;
}

static struct gw_datum eval_in(struct eval *e, const struct gw_fact_expr *x)
{
    struct gw_datum a = eval_as(e, x->args[0], x->arg_kind);
    enum gw_datum_state state = a.state;
    bool is_found = false;
    for (uint32_t i = 1; i < x->n_args; i++) {
        struct gw_datum b = eval_as(e, x->args[i], x->arg_kind);
        state = worst(state, b.state);
        if (a.state == GW_DATUM_VALUE && b.state == GW_DATUM_VALUE)
            is_found |= gw_datum_eq(&a, &b);
    }
    if (state == GW_DATUM_ERROR || state == GW_DATUM_UNKNOWN)
        return of_state(state, GW_KIND_BOOL);
    if (is_found || state == GW_DATUM_VALUE || x->n_args == 1)
        return gw_native_bool(is_found);
    return gw_datum_null(GW_KIND_BOOL);
}

/* ---- values ---- */

static struct gw_datum eval_coalesce(struct eval *e, const struct gw_fact_expr *x)
{
    struct gw_datum d = gw_datum_null(x->kind);
    for (uint32_t i = 0; i < x->n_args && d.state == GW_DATUM_NULL; i++)
        d = eval(e, x->args[i]);
    return d;
}

static struct gw_datum eval_case(struct eval *e, const struct gw_fact_expr *x)
{
    uint32_t i = 0;
    for (; i + 1 < x->n_args; i += 2) {
        struct gw_datum cond = as_bool(eval(e, x->args[i]));
        if (cond.state == GW_DATUM_UNKNOWN || cond.state == GW_DATUM_ERROR)
            return cond;
        if (is_bool(&cond, true))
            return eval(e, x->args[i + 1]);
    }
    return i < x->n_args ? eval(e, x->args[i]) : gw_datum_null(x->kind);
}

static struct gw_datum eval_native(struct eval *e, const struct gw_fact_expr *x)
{
    struct gw_datum *args = gw_arena_alloc(e->arena, x->n_args * sizeof *args);
    if (!args)
        return gw_datum_unknown();
    for (uint32_t i = 0; i < x->n_args; i++)
        args[i] = eval(e, x->args[i]);
    return gw_native_call(x->fn, args, x->n_args, e->arena);
}

static struct gw_datum eval_op(struct eval *e, const struct gw_fact_expr *x)
{
    switch (x->op) {
    case GW_FACT_CONST:
        return constant_of(x);
    case GW_FACT_SETTING:
        return setting_value(e, x->text);
    case GW_FACT_ROLE:
        return gw_datum_of(GW_KIND_TEXT, e->env->claims->role);
    case GW_FACT_NATIVE:
        return eval_native(e, x);
    case GW_FACT_AND:
        return eval_list(e, x, false);
    case GW_FACT_OR:
        return eval_list(e, x, true);
    case GW_FACT_NOT:
        return eval_not(e, x);
    case GW_FACT_IS_NULL:
        return eval_is_null(e, x);
    case GW_FACT_IS:
        return eval_is(e, x);
    case GW_FACT_COMPARE:
        return eval_compare(e, x);
    case GW_FACT_COALESCE:
        return eval_coalesce(e, x);
    case GW_FACT_NULLIF:
        return eval_nullif(e, x);
    case GW_FACT_CASE:
        return eval_case(e, x);
    case GW_FACT_IN:
        return eval_in(e, x);
    case GW_FACT_ELEMENTS:
    case GW_FACT_CAST_EACH:
    case GW_FACT_ARRAY:
        break; /* sets: at the top only */
    }
    return gw_datum_unknown();
}

static struct gw_datum eval(struct eval *e, const struct gw_fact_expr *x)
{
    if (e->depth == GW_FACT_DEPTH_MAX)
        return gw_datum_unknown();
    e->depth++;
    struct gw_datum d = eval_op(e, x);
    e->depth--;
    return d;
}

struct gw_datum gw_fact_eval_constant(const struct gw_fact_expr *x, struct gw_arena *arena)
{
    struct eval e = {.arena = arena};
    return eval(&e, x);
}

/* ---- sets ---- */

/* A NULL where rows are made of an array makes none; a NULL array is a NULL. */
static enum gw_datum_state eval_items(struct eval *e, const struct gw_fact_expr *x,
                                      struct gw_native_items *out)
{
    bool is_nested;
    struct gw_datum d = eval(e, x->args[0]);
    if (d.state == GW_DATUM_NULL && x->op == GW_FACT_ELEMENTS)
        return GW_DATUM_VALUE;
    if (d.state != GW_DATUM_VALUE)
        return d.state;
    return x->op == GW_FACT_ELEMENTS ? gw_native_json_items(d.text, e->arena, out)
                                     : gw_native_array_items(d.text, e->arena, out, &is_nested);
}

static enum gw_datum_state cast_items(struct eval *e, enum gw_native_fn fn,
                                      struct gw_native_items *items)
{
    enum gw_datum_state state = GW_DATUM_VALUE;
    if (fn == GW_FN_NONE || gw_natives[fn].n_args != 1)
        return GW_DATUM_UNKNOWN;
    for (uint32_t i = 0; i < items->n; i++) {
        items->at[i] = gw_native_call(fn, &items->at[i], 1, e->arena);
        if (items->at[i].state == GW_DATUM_UNKNOWN)
            return GW_DATUM_UNKNOWN;
        if (items->at[i].state == GW_DATUM_ERROR)
            state = GW_DATUM_ERROR;
    }
    return state;
}

static enum gw_datum_state eval_set(struct eval *e, const struct gw_fact_expr *x,
                                    struct gw_native_items *out)
{
    if (x->op == GW_FACT_ELEMENTS || x->op == GW_FACT_ARRAY)
        return eval_items(e, x, out);
    if (x->op != GW_FACT_CAST_EACH || e->depth++ == GW_FACT_DEPTH_MAX)
        return GW_DATUM_UNKNOWN;
    enum gw_datum_state state = eval_set(e, x->args[0], out);
    return state == GW_DATUM_VALUE ? cast_items(e, x->fn, out) : state;
}

/* ---- facts ---- */

static struct gw_fact fact_of_items(enum gw_kind kind, const struct gw_native_items *items,
                                    struct gw_arena *arena)
{
    const struct gw_fact unknown = {.state = GW_DATUM_UNKNOWN};
    struct gw_fact fact = {.state = GW_DATUM_VALUE};
    uint32_t n = 0;
    fact.keys = gw_arena_alloc(arena, items->n * sizeof *fact.keys);
    if (!fact.keys)
        return unknown;
    for (uint32_t i = 0; i < items->n; i++) {
        struct gw_datum d = items->at[i];
        if (d.state == GW_DATUM_VALUE && d.kind != kind)
            d = gw_datum_of(kind, d.text);
        if (d.state != GW_DATUM_VALUE && d.state != GW_DATUM_NULL)
            return unknown;
        if (d.state == GW_DATUM_NULL)
            fact.has_null = true;
        else if (kind != GW_KIND_OPAQUE)
            fact.keys[n++] = d.key;
    }
    fact.n = gw_keys_sort(fact.keys, n);
    return fact;
}

static struct gw_fact fact_of_datum(enum gw_kind kind, struct gw_datum d, struct gw_arena *arena)
{
    const struct gw_native_items one = {1, &d};
    if (d.state != GW_DATUM_VALUE)
        return (struct gw_fact){.state = d.state};
    return fact_of_items(kind, &one, arena);
}

struct gw_fact gw_fact_eval(const struct gw_fact_def *def, const struct gw_fact_env *env,
                            struct gw_arena *arena)
{
    struct eval e = {.env = env, .arena = arena};
    struct gw_native_items items = {0};
    if (!def->native)
        return (struct gw_fact){.state = GW_DATUM_UNKNOWN};
    const struct gw_fact_expr *x = gw_fact_fold(def->native, arena);
    if (!x)
        return (struct gw_fact){.state = GW_DATUM_ERROR};
    if (!def->is_set)
        return fact_of_datum(def->kind, eval(&e, x), arena);
    enum gw_datum_state state = eval_set(&e, x, &items);
    return state == GW_DATUM_VALUE ? fact_of_items(def->kind, &items, arena)
                                   : (struct gw_fact){.state = state};
}

struct gw_fact gw_fact_from_text(const struct gw_fact_def *def, struct gw_span text, bool is_null,
                                 struct gw_arena *arena)
{
    struct gw_native_items items;
    bool is_nested;
    if (is_null)
        return (struct gw_fact){.state = GW_DATUM_NULL};
    if (!def->is_set)
        return fact_of_datum(def->kind, gw_datum_of(def->kind, text), arena);
    enum gw_datum_state state = gw_native_array_items(text, arena, &items, &is_nested);
    return state == GW_DATUM_VALUE ? fact_of_items(def->kind, &items, arena)
                                   : (struct gw_fact){.state = state};
}
