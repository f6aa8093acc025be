/* solve_model: what Postgres would answer, one caller and one row at a time: a plain interpreter of
 * the trees over whole tables, without indexes, sets, or memory. Nothing in it is unknown. */
#ifndef GW_TEST_SOLVE_MODEL_H
#define GW_TEST_SOLVE_MODEL_H

#include "rules_fixture.h"

struct model_table {
    uint32_t n, n_columns;
    struct gw_datum *cells;
};

struct model {
    const struct gw_rules *rules;
    const struct model_table *tables;
    const struct gw_datum *row;                       /* slot 0 */
    const struct gw_fact *caller;                     /* his facts */
    const struct gw_datum *slots[GW_RULES_SLOTS_MAX]; /* NULL: null-extended */
    struct gw_datum (*external)(uint32_t external, const struct gw_datum *arg);
    struct gw_arena *arena;
    bool met_error;
};

enum model_truth { M_TRUE, M_FALSE, M_NULL, M_RAISE };

static struct gw_datum model_value(struct model *m, const struct gw_expr *e);
static enum model_truth model_bool(struct model *m, const struct gw_expr *e);

/* ---- sub-selects ---- */

struct model_rows {
    bool raised;
    uint32_t n; /* rows for which all conditions hold */
    void (*on_row)(struct model *m, struct model_rows *r, const struct gw_expr *target);
    struct gw_datum x, target; /* target: of the last row */
    enum model_truth in;       /* x in the targets so far */
};

static bool model_hold(struct model *m, struct model_rows *r, struct gw_expr *const *list,
                       uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        enum model_truth t = model_bool(m, list[i]);
        r->raised |= t == M_RAISE;
        if (t != M_TRUE)
            return false;
    }
    return true;
}

static void model_source(struct model *m, struct model_rows *r, const struct gw_subselect_arm *arm,
                         uint32_t at);

static bool model_has_keys(const struct model *m, const struct gw_source *s,
                           const struct gw_datum *row, const struct gw_datum *keys)
{
    const struct gw_state_table_def *def = &m->rules->tables[s->table];
    for (uint32_t i = 0; i < s->n_keys; i++) {
        const struct gw_datum *cell = &row[def->indexes[s->index].columns[i]];
        if (cell->state != GW_DATUM_VALUE || !gw_datum_eq(cell, &keys[i]))
            return false;
    }
    return true;
}

static void model_source_rows(struct model *m, struct model_rows *r,
                              const struct gw_subselect_arm *arm, uint32_t at,
                              const struct gw_datum *keys, bool has_null)
{
    const struct gw_source *s = &arm->sources[at];
    const struct model_table *t = &m->tables[s->table];
    bool is_matched = false;
    for (uint32_t i = 0; i < t->n && !has_null; i++) {
        const struct gw_datum *row = &t->cells[i * t->n_columns];
        if (!model_has_keys(m, s, row, keys))
            continue;
        m->slots[s->slot] = row;
        if (!model_hold(m, r, s->on, s->n_on))
            continue;
        is_matched = true;
        if (model_hold(m, r, s->where, s->n_where))
            model_source(m, r, arm, at + 1);
    }
    m->slots[s->slot] = NULL;
    if (s->is_left && !is_matched && model_hold(m, r, s->where, s->n_where))
        model_source(m, r, arm, at + 1);
}

static void model_source(struct model *m, struct model_rows *r, const struct gw_subselect_arm *arm,
                         uint32_t at)
{
    if (at == arm->n_sources) {
        r->n++;
        if (r->on_row)
            r->on_row(m, r, arm->target);
        return;
    }
    struct gw_datum keys[GW_RULES_INDEX_COLUMNS_MAX];
    bool has_null = false, has_error = false;
    for (uint32_t i = 0; i < arm->sources[at].n_keys; i++) {
        keys[i] = model_value(m, arm->sources[at].keys[i]);
        has_null |= keys[i].state == GW_DATUM_NULL;
        has_error |= keys[i].state == GW_DATUM_ERROR;
    }
    r->raised |= has_error;
    if (!has_error)
        model_source_rows(m, r, arm, at, keys, has_null);
}

static void model_sub(struct model *m, const struct gw_subselect *sub, struct model_rows *r)
{
    for (uint32_t i = 0; i < sub->n_arms; i++)
        if (model_hold(m, r, sub->arms[i].where, sub->arms[i].n_where))
            model_source(m, r, &sub->arms[i], 0);
}

/* ---- comparing ---- */

static enum model_truth model_compare(const struct gw_datum *a, const struct gw_datum *b,
                                      enum gw_cmp cmp)
{
    if (a->state == GW_DATUM_ERROR || b->state == GW_DATUM_ERROR)
        return M_RAISE;
    bool has_null = a->state == GW_DATUM_NULL || b->state == GW_DATUM_NULL;
    if (cmp == GW_CMP_DISTINCT && has_null)
        return a->state != b->state ? M_TRUE : M_FALSE;
    if (has_null)
        return M_NULL;
    bool eq = gw_datum_eq(a, b);
    int order =
        cmp == GW_CMP_EQ || cmp == GW_CMP_NE || cmp == GW_CMP_DISTINCT ? 0 : gw_datum_compare(a, b);
    bool is = cmp == GW_CMP_EQ                             ? eq
              : cmp == GW_CMP_NE || cmp == GW_CMP_DISTINCT ? !eq
              : cmp == GW_CMP_LT                           ? order < 0
              : cmp == GW_CMP_LE                           ? order <= 0
              : cmp == GW_CMP_GT                           ? order > 0
                                                           : order >= 0;
    return is ? M_TRUE : M_FALSE;
}

static enum model_truth model_or(enum model_truth a, enum model_truth b)
{
    if (a == M_RAISE || b == M_RAISE)
        return M_RAISE;
    if (a == M_TRUE || b == M_TRUE)
        return M_TRUE;
    return a == M_NULL || b == M_NULL ? M_NULL : M_FALSE;
}

static enum model_truth model_not(enum model_truth a)
{
    return a == M_TRUE ? M_FALSE : a == M_FALSE ? M_TRUE : a;
}

static void model_take_in(struct model *m, struct model_rows *r, const struct gw_expr *target)
{
    struct gw_datum t = model_value(m, target);
    enum model_truth one = model_compare(&r->x, &t, GW_CMP_EQ);
    r->raised |= one == M_RAISE;
    r->in = model_or(r->in, one);
}

static void model_take_target(struct model *m, struct model_rows *r, const struct gw_expr *target)
{
    r->target = model_value(m, target);
    r->raised |= r->target.state == GW_DATUM_ERROR;
}

/* x = any of a set fact. */
static enum model_truth model_in_set(const struct gw_datum *x, const struct gw_fact *set)
{
    if (set->state != GW_DATUM_VALUE)
        return M_NULL;
    if (x->state == GW_DATUM_NULL)
        return set->n || set->has_null ? M_NULL : M_FALSE;
    for (uint32_t i = 0; i < set->n; i++)
        if (gw_key_eq(set->keys[i], x->key))
            return M_TRUE;
    return set->has_null ? M_NULL : M_FALSE;
}

static enum model_truth model_any(struct model *m, const struct gw_expr *e)
{
    struct gw_datum x = model_value(m, e->args[0]);
    enum model_truth out = x.state == GW_DATUM_ERROR ? M_RAISE : M_FALSE;
    for (uint32_t i = 1; i < e->n_args; i++) {
        const struct gw_expr *item = e->args[i];
        bool is_set = item->op == GW_EXPR_FACT && m->rules->facts[item->index].is_set;
        struct gw_datum v = gw_datum_null(GW_KIND_INT);
        if (!is_set)
            v = model_value(m, item);
        out = model_or(out, is_set ? model_in_set(&x, &m->caller[item->index])
                                   : model_compare(&x, &v, GW_CMP_EQ));
    }
    return out;
}

/* Array texts of the tests: no quotes, no spaces. */
static enum model_truth model_in_list(struct model *m, const struct gw_expr *e)
{
    struct gw_datum x = model_value(m, e->args[0]), list = model_value(m, e->args[1]);
    if (x.state == GW_DATUM_ERROR || list.state == GW_DATUM_ERROR)
        return M_RAISE;
    if (list.state == GW_DATUM_NULL)
        return M_NULL;
    enum model_truth out = M_FALSE;
    const char *at = list.text.p + 1, *end = list.text.p + list.text.n - 1;
    while (at < end) {
        const char *stop = memchr(at, ',', (size_t)(end - at));
        struct gw_span item = {at, (size_t)((stop ? stop : end) - at)};
        struct gw_datum v =
            gw_span_is(item, "NULL") ? gw_datum_null(x.kind) : gw_datum_of(e->args[0]->kind, item);
        out = model_or(out, model_compare(&x, &v, GW_CMP_EQ));
        at = stop ? stop + 1 : end;
    }
    return out;
}

/* ---- booleans ---- */

static enum model_truth model_of_datum(const struct gw_datum *d)
{
    if (d->state != GW_DATUM_VALUE)
        return d->state == GW_DATUM_NULL ? M_NULL : M_RAISE;
    struct gw_datum t = gw_datum_of(GW_KIND_BOOL, GW_SPAN_LIT("t"));
    return gw_datum_eq(d, &t) ? M_TRUE : M_FALSE;
}

static enum model_truth model_list(struct model *m, const struct gw_expr *e, bool is_and)
{
    enum model_truth out = is_and ? M_TRUE : M_FALSE, stop = is_and ? M_FALSE : M_TRUE;
    for (uint32_t i = 0; i < e->n_args; i++) {
        enum model_truth one = model_bool(m, e->args[i]);
        if (one == M_RAISE || one == stop)
            return one;
        if (one == M_NULL)
            out = M_NULL;
    }
    return out;
}

static enum model_truth model_is(enum model_truth a, enum gw_is test)
{
    if (a == M_RAISE)
        return a;
    enum model_truth wanted = test == GW_IS_TRUE ? M_TRUE : test == GW_IS_FALSE ? M_FALSE : M_NULL;
    return a == wanted ? M_TRUE : M_FALSE;
}

static enum model_truth model_exists(struct model *m, const struct gw_expr *e)
{
    struct model_rows r = {0};
    model_sub(m, e->sub, &r);
    return r.raised ? M_RAISE : r.n ? M_TRUE : M_FALSE;
}

static enum model_truth model_in(struct model *m, const struct gw_expr *e)
{
    struct model_rows r = {.on_row = model_take_in, .x = model_value(m, e->args[0]), .in = M_FALSE};
    if (r.x.state == GW_DATUM_ERROR)
        return M_RAISE;
    model_sub(m, e->sub, &r);
    return r.raised ? M_RAISE : r.in;
}

static enum model_truth model_bool_of(struct model *m, const struct gw_expr *e)
{
    struct gw_datum a, b;
    switch (e->op) {
    case GW_EXPR_AND:
    case GW_EXPR_OR:
        return model_list(m, e, e->op == GW_EXPR_AND);
    case GW_EXPR_NOT:
        return model_not(model_bool(m, e->args[0]));
    case GW_EXPR_IS_NULL:
        a = model_value(m, e->args[0]);
        return a.state == GW_DATUM_ERROR ? M_RAISE : a.state == GW_DATUM_NULL ? M_TRUE : M_FALSE;
    case GW_EXPR_IS:
        return model_is(model_bool(m, e->args[0]), e->test);
    case GW_EXPR_COMPARE:
        a = model_value(m, e->args[0]);
        b = model_value(m, e->args[1]);
        return model_compare(&a, &b, e->cmp);
    case GW_EXPR_ANY:
        return model_any(m, e);
    case GW_EXPR_IN_LIST:
        return model_in_list(m, e);
    case GW_EXPR_EXISTS:
        return model_exists(m, e);
    case GW_EXPR_IN:
        return model_in(m, e);
    case GW_EXPR_TRUTH:
        return model_bool(m, e->args[0]);
    default:
        a = model_value(m, e);
        return model_of_datum(&a);
    }
}

static enum model_truth model_bool(struct model *m, const struct gw_expr *e)
{
    enum model_truth t = model_bool_of(m, e);
    m->met_error |= t == M_RAISE;
    return t;
}

/* ---- values ---- */

static struct gw_datum model_fact(const struct model *m, uint32_t fact)
{
    const struct gw_fact *f = &m->caller[fact];
    enum gw_kind kind = m->rules->facts[fact].kind;
    if (f->state != GW_DATUM_VALUE)
        return gw_datum_null(kind);
    return (struct gw_datum){.state = GW_DATUM_VALUE, .kind = kind, .key = f->keys[0]};
}

static struct gw_datum model_call(struct model *m, const struct gw_expr *e)
{
    struct gw_datum a = model_value(m, e->args[0]);
    if (a.state == GW_DATUM_ERROR)
        return a;
    if (e->op == GW_EXPR_EXTERNAL)
        return m->external(e->index, &a);
    if (a.state == GW_DATUM_NULL)
        return gw_datum_null(e->kind);
    return gw_native_call((enum gw_native_fn)e->index, &a, 1, m->arena);
}

static struct gw_datum model_coalesce(struct model *m, const struct gw_expr *e)
{
    struct gw_datum v = gw_datum_null(e->kind);
    for (uint32_t i = 0; i < e->n_args && v.state == GW_DATUM_NULL; i++)
        v = model_value(m, e->args[i]);
    return v;
}

static struct gw_datum model_case(struct model *m, const struct gw_expr *e)
{
    for (uint32_t i = 0; i + 1 < e->n_args; i += 2) {
        enum model_truth t = model_bool(m, e->args[i]);
        if (t == M_RAISE)
            return gw_datum_error();
        if (t == M_TRUE)
            return model_value(m, e->args[i + 1]);
    }
    return model_value(m, e->args[e->n_args - 1]);
}

static struct gw_datum model_scalar(struct model *m, const struct gw_expr *e)
{
    struct model_rows r = {.on_row = model_take_target, .target = gw_datum_null(e->kind)};
    model_sub(m, e->sub, &r);
    return r.raised || r.n > 1 ? gw_datum_error() : r.target;
}

static struct gw_datum model_truth_value(enum model_truth t)
{
    if (t == M_RAISE)
        return gw_datum_error();
    if (t == M_NULL)
        return gw_datum_null(GW_KIND_BOOL);
    return gw_datum_of(GW_KIND_BOOL, t == M_TRUE ? GW_SPAN_LIT("t") : GW_SPAN_LIT("f"));
}

static struct gw_datum model_value(struct model *m, const struct gw_expr *e)
{
    switch (e->op) {
    case GW_EXPR_CONST:
        return e->datum;
    case GW_EXPR_COLUMN:
        if (e->slot == 0)
            return m->row[e->column];
        return m->slots[e->slot] ? m->slots[e->slot][e->column] : gw_datum_null(e->kind);
    case GW_EXPR_FACT:
        return model_fact(m, e->index);
    case GW_EXPR_NATIVE:
    case GW_EXPR_EXTERNAL:
        return model_call(m, e);
    case GW_EXPR_COALESCE:
        return model_coalesce(m, e);
    case GW_EXPR_CASE:
        return model_case(m, e);
    case GW_EXPR_SCALAR:
        return model_scalar(m, e);
    default:
        return model_truth_value(model_bool(m, e));
    }
}

#endif
