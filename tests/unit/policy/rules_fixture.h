/* rules_fixture: compiled policies by hand: trees, sub-selects, tables of the access state.
 *
 * Everything lives in the arena of rx. The rules' count never falls to zero. */
#ifndef GW_TEST_RULES_FIXTURE_H
#define GW_TEST_RULES_FIXTURE_H

#include "gw/facts.h"
#include "gw/solve.h"

#include <assert.h>
#include <stdlib.h>

#define RX_FACTS_MAX 8
#define RX_EXTERNALS_MAX 4
#define RX_TABLES_MAX 8
#define RX_PLANS_MAX 16
#define RX_LIST_MAX 16
#define RX_INPUT_SLOT UINT32_MAX

struct rx {
    struct gw_arena arena;
    struct gw_rules rules;
};

static inline struct rx *rx_new(void)
{
    struct rx *x = gw_alloc(sizeof *x);
    gw_arena_init(&x->arena, 0);
    x->rules.refs = 1000000;
    x->rules.facts = gw_arena_alloc(&x->arena, RX_FACTS_MAX * sizeof *x->rules.facts);
    x->rules.externals = gw_arena_alloc(&x->arena, RX_EXTERNALS_MAX * sizeof *x->rules.externals);
    x->rules.tables = gw_arena_alloc(&x->arena, RX_TABLES_MAX * sizeof *x->rules.tables);
    x->rules.plans = gw_arena_alloc(&x->arena, RX_PLANS_MAX * sizeof *x->rules.plans);
    return x;
}

static inline void rx_free(struct rx *x)
{
    gw_arena_fini(&x->arena);
    free(x);
}

/* ---- what trees refer to ---- */

static inline uint32_t rx_fact(struct rx *x, enum gw_kind kind, bool is_set)
{
    assert(x->rules.n_facts < RX_FACTS_MAX);
    x->rules.facts[x->rules.n_facts] = (struct gw_fact_def){.kind = kind, .is_set = is_set};
    return x->rules.n_facts++;
}

static inline uint32_t rx_external(struct rx *x, enum gw_kind kind, uint32_t n_args,
                                   bool is_immutable)
{
    assert(x->rules.n_externals < RX_EXTERNALS_MAX);
    x->rules.externals[x->rules.n_externals] = (struct gw_external){.sql = GW_SPAN_LIT("f(v.a1)"),
                                                                    .n_args = n_args,
                                                                    .is_immutable = is_immutable,
                                                                    .kind = kind};
    return x->rules.n_externals++;
}

static inline uint32_t rx_type(enum gw_kind kind) /* OPAQUE: int8[] */
{
    static const uint32_t OIDS[] = {
        [GW_KIND_OPAQUE] = 1016, [GW_KIND_BOOL] = 16, [GW_KIND_INT] = 20,
        [GW_KIND_UUID] = 2950,   [GW_KIND_TEXT] = 25, [GW_KIND_DATE] = 1082};
    return OIDS[kind];
}

/* Columns a, b, c, …; the first is the identity. */
static inline uint32_t rx_table(struct rx *x, uint32_t oid, uint32_t n, const enum gw_kind *kinds)
{
    static const char NAMES[] = "a\0b\0c\0d\0e\0f\0g\0h";
    struct gw_state_table_def *t = &x->rules.tables[x->rules.n_tables];
    assert(x->rules.n_tables < RX_TABLES_MAX && n <= 8);
    *t = (struct gw_state_table_def){.oid = oid, .n_columns = n, .n_identity = 1};
    t->columns = gw_arena_alloc(&x->arena, n * sizeof *t->columns);
    t->identity = gw_arena_alloc(&x->arena, sizeof *t->identity);
    t->indexes = gw_arena_alloc(&x->arena, RX_LIST_MAX * sizeof *t->indexes);
    for (uint32_t i = 0; i < n; i++)
        t->columns[i] = (struct gw_state_column){.name = {&NAMES[2 * i], 1},
                                                 .type_oid = rx_type(kinds[i]),
                                                 .kind = kinds[i],
                                                 .needs_text = true};
    return x->rules.n_tables++;
}

static inline int32_t rx_index(struct rx *x, uint32_t table, uint32_t n, const uint32_t *columns)
{
    struct gw_state_table_def *t = &x->rules.tables[table];
    assert(t->n_indexes < RX_LIST_MAX);
    t->indexes[t->n_indexes].n = n;
    memcpy(t->indexes[t->n_indexes].columns, columns, n * sizeof *columns);
    return (int32_t)t->n_indexes++;
}

/* ---- trees ---- */

static inline struct gw_expr *rx_node(struct rx *x, enum gw_expr_op op, enum gw_kind kind)
{
    struct gw_expr *e = gw_arena_alloc(&x->arena, sizeof *e);
    e->op = op;
    e->kind = kind;
    e->caller_free = op != GW_EXPR_FACT;
    return e;
}

static inline struct gw_expr *rx_value(struct rx *x, enum gw_kind kind, const char *text)
{
    struct gw_expr *e = rx_node(x, GW_EXPR_CONST, kind);
    e->datum =
        text ? gw_datum_of(kind, gw_arena_copy(&x->arena, gw_span_of(text))) : gw_datum_null(kind);
    return e;
}

static inline struct gw_expr *rx_column(struct rx *x, uint32_t slot, uint32_t column,
                                        enum gw_kind kind)
{
    struct gw_expr *e = rx_node(x, GW_EXPR_COLUMN, kind);
    e->slot = slot;
    e->column = column;
    return e;
}

static inline struct gw_expr *rx_of_fact(struct rx *x, uint32_t fact)
{
    struct gw_expr *e = rx_node(x, GW_EXPR_FACT, x->rules.facts[fact].kind);
    e->index = fact;
    return e;
}

static inline struct gw_expr *rx_args(struct rx *x, enum gw_expr_op op, enum gw_kind kind,
                                      uint32_t n, struct gw_expr *const *args)
{
    struct gw_expr *e = rx_node(x, op, kind);
    e->n_args = n;
    e->args = gw_arena_alloc(&x->arena, (n + 1) * sizeof(struct gw_expr *));
    for (uint32_t i = 0; i < n; i++) {
        e->args[i] = args[i];
        e->caller_free &= args[i]->caller_free;
    }
    return e;
}

#define RX_BOOL(x, op, ...)                                                                        \
    rx_args(x, op, GW_KIND_BOOL,                                                                   \
            sizeof((struct gw_expr *[]){__VA_ARGS__}) / sizeof(struct gw_expr *),                  \
            (struct gw_expr *[]){__VA_ARGS__})
#define RX_AND(x, ...) RX_BOOL(x, GW_EXPR_AND, __VA_ARGS__)
#define RX_OR(x, ...) RX_BOOL(x, GW_EXPR_OR, __VA_ARGS__)
#define RX_NOT(x, a) RX_BOOL(x, GW_EXPR_NOT, a)
#define RX_ANY(x, ...) RX_BOOL(x, GW_EXPR_ANY, __VA_ARGS__)
#define RX_TRUTH(x, a) RX_BOOL(x, GW_EXPR_TRUTH, a)
#define RX_IS_NULL(x, a) RX_BOOL(x, GW_EXPR_IS_NULL, a)

static inline struct gw_expr *rx_compare(struct rx *x, enum gw_cmp cmp, struct gw_expr *a,
                                         struct gw_expr *b)
{
    struct gw_expr *e = RX_BOOL(x, GW_EXPR_COMPARE, a, b);
    e->cmp = cmp;
    return e;
}

static inline struct gw_expr *rx_eq(struct rx *x, struct gw_expr *a, struct gw_expr *b)
{
    return rx_compare(x, GW_CMP_EQ, a, b);
}

static inline struct gw_expr *rx_is(struct rx *x, struct gw_expr *a, enum gw_is test)
{
    struct gw_expr *e = RX_BOOL(x, GW_EXPR_IS, a);
    e->test = test;
    return e;
}

static inline struct gw_expr *rx_native(struct rx *x, enum gw_native_fn fn, enum gw_kind kind,
                                        struct gw_expr *a)
{
    struct gw_expr *e = rx_args(x, GW_EXPR_NATIVE, kind, 1, &a);
    e->index = fn;
    return e;
}

static inline struct gw_expr *rx_of_external(struct rx *x, uint32_t external, struct gw_expr *a)
{
    struct gw_expr *e = rx_args(x, GW_EXPR_EXTERNAL, x->rules.externals[external].kind, 1, &a);
    e->index = external;
    return e;
}

/* ---- sub-selects ---- */

static inline struct gw_subselect *rx_sub(struct rx *x, uint32_t n_arms)
{
    struct gw_subselect *s = gw_arena_alloc(&x->arena, sizeof *s);
    s->site = x->rules.n_sites++;
    s->n_arms = n_arms;
    s->arms = gw_arena_alloc(&x->arena, n_arms * sizeof *s->arms);
    for (uint32_t i = 0; i < n_arms; i++) {
        struct gw_subselect_arm *arm = &s->arms[i];
        arm->sources = gw_arena_alloc(&x->arena, RX_LIST_MAX * sizeof *arm->sources);
        arm->where = gw_arena_alloc(&x->arena, RX_LIST_MAX * sizeof(struct gw_expr *));
    }
    return s;
}

static inline struct gw_source *rx_source(struct rx *x, struct gw_subselect_arm *arm, uint32_t slot,
                                          uint32_t table, int32_t index)
{
    assert(arm->n_sources < RX_LIST_MAX);
    struct gw_source *s = &arm->sources[arm->n_sources++];
    *s = (struct gw_source){.slot = slot, .table = table, .index = index};
    s->keys = gw_arena_alloc(&x->arena, GW_RULES_INDEX_COLUMNS_MAX * sizeof(struct gw_expr *));
    s->on = gw_arena_alloc(&x->arena, RX_LIST_MAX * sizeof(struct gw_expr *));
    s->where = gw_arena_alloc(&x->arena, RX_LIST_MAX * sizeof(struct gw_expr *));
    return s;
}

static inline void rx_key(struct gw_source *s, struct gw_expr *e)
{
    assert(s->n_keys < GW_RULES_INDEX_COLUMNS_MAX);
    s->keys[s->n_keys++] = e;
}

static inline void rx_where(struct gw_source *s, struct gw_expr *e)
{
    assert(s->n_where < RX_LIST_MAX);
    s->where[s->n_where++] = e;
}

/* Calls visit for every expression directly in sub. */
static inline void rx_sub_each(const struct gw_subselect *sub,
                               void (*visit)(void *ctx, const struct gw_expr *e), void *ctx)
{
    for (uint32_t i = 0; i < sub->n_arms; i++) {
        const struct gw_subselect_arm *arm = &sub->arms[i];
        for (uint32_t j = 0; j < arm->n_where; j++)
            visit(ctx, arm->where[j]);
        for (uint32_t k = 0; k < arm->n_sources; k++) {
            const struct gw_source *s = &arm->sources[k];
            for (uint32_t j = 0; j < s->n_keys; j++)
                visit(ctx, s->keys[j]);
            for (uint32_t j = 0; j < s->n_on; j++)
                visit(ctx, s->on[j]);
            for (uint32_t j = 0; j < s->n_where; j++)
                visit(ctx, s->where[j]);
        }
        if (arm->target)
            visit(ctx, arm->target);
    }
}

struct rx_survey {
    struct rx *x;
    struct gw_subselect *sub;
    uint64_t own_slots;
};

static inline void rx_free_column(struct rx_survey *v, uint32_t slot, uint32_t column)
{
    struct gw_subselect *sub = v->sub;
    if (slot != RX_INPUT_SLOT && (v->own_slots >> slot & 1))
        return;
    for (uint32_t i = 0; i < sub->n_free; i++)
        if (sub->free_columns[i].slot == slot && sub->free_columns[i].column == column)
            return;
    struct gw_free_column *grown = gw_arena_alloc(&v->x->arena, (sub->n_free + 1) * sizeof *grown);
    if (sub->n_free)
        memcpy(grown, sub->free_columns, sub->n_free * sizeof *grown);
    grown[sub->n_free++] = (struct gw_free_column){slot, column};
    sub->free_columns = grown;
}

static inline void rx_survey_expr(void *ctx, const struct gw_expr *e)
{
    struct rx_survey *v = ctx;
    v->sub->caller_free &= e->caller_free;
    if (e->op == GW_EXPR_COLUMN)
        rx_free_column(v, e->slot, e->column);
    if (e->op == GW_EXPR_INPUT)
        rx_free_column(v, RX_INPUT_SLOT, e->column);
    if (e->op == GW_EXPR_EXTERNAL)
        v->sub->has_volatile_input |= !v->x->rules.externals[e->index].is_immutable;
    for (uint32_t i = 0; i < e->n_args; i++)
        rx_survey_expr(ctx, e->args[i]);
    for (uint32_t i = 0; e->sub && i < e->sub->n_free; i++)
        rx_free_column(v, e->sub->free_columns[i].slot, e->sub->free_columns[i].column);
    if (e->sub)
        v->sub->has_volatile_input |= e->sub->has_volatile_input;
}

/* EXISTS, IN (a: the left side) or SCALAR of a sub-select that is complete. */
static inline struct gw_expr *rx_of_sub(struct rx *x, enum gw_expr_op op, enum gw_kind kind,
                                        struct gw_subselect *sub, struct gw_expr *a)
{
    struct rx_survey v = {x, sub, 0};
    for (uint32_t i = 0; i < sub->n_arms; i++)
        for (uint32_t k = 0; k < sub->arms[i].n_sources; k++)
            v.own_slots |= UINT64_C(1) << sub->arms[i].sources[k].slot;
    sub->caller_free = true;
    rx_sub_each(sub, rx_survey_expr, &v);
    struct gw_expr *e = rx_args(x, op, kind, a ? 1 : 0, &a);
    e->sub = sub;
    e->caller_free &= sub->caller_free;
    return e;
}

static inline struct gw_expr *rx_exists(struct rx *x, struct gw_subselect *sub)
{
    return rx_of_sub(x, GW_EXPR_EXISTS, GW_KIND_BOOL, sub, NULL);
}

static inline struct gw_plan *rx_plan(struct rx *x, struct gw_expr *e)
{
    struct gw_plan *p = &x->rules.plans[x->rules.n_plans++];
    assert(x->rules.n_plans <= RX_PLANS_MAX);
    *p = (struct gw_plan){.rel_oid = 1, .role_id = 1, .expr = e, .n_slots = GW_RULES_SLOTS_MAX};
    return p;
}

#endif
