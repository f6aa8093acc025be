/* solve_world: random policies over tiny tables, for the tests of the solver. Every value is one of
 * a few, so that equality happens. */
#ifndef GW_TEST_SOLVE_WORLD_H
#define GW_TEST_SOLVE_WORLD_H

#include "rules_fixture.h"

/* Columns of every table and of the row judged. */
enum { W_ID, W_A, W_B, W_C, W_D, W_L, W_COLUMNS };
static const enum gw_kind W_KINDS[W_COLUMNS] = {GW_KIND_INT,  GW_KIND_INT,  GW_KIND_INT,
                                                GW_KIND_TEXT, GW_KIND_BOOL, GW_KIND_OPAQUE};
#define W_TABLES 3
/* Facts. */
enum { W_F, W_G, W_IS, W_SET, W_NAME, W_FACTS };

#define W_SCOPE_MAX 12

struct world {
    uint32_t random;
    struct rx *rx;
    bool may_raise; /* casts that fail, scalars of several rows, externals */
    bool has_external;
    uint32_t next_slot;
    uint32_t n_scope;
    uint32_t scope[W_SCOPE_MAX]; /* row variables that can be named */
};

static uint32_t rnd(struct world *w, uint32_t n)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 17;
    w->random ^= w->random << 5;
    return w->random % n;
}

/* NULL or a text of the kind; OPAQUE: an array of integers. */
static const char *random_text(struct world *w, enum gw_kind kind)
{
    static const char *const INTS[] = {"1", "2", "3", "4"};
    static const char *const TEXTS[] = {"1", "2", "x", "3"};
    static const char *const LISTS[] = {"{}", "{1}", "{2,3}", "{1,NULL}", "{4,1,2}"};
    if (rnd(w, 7) == 0)
        return NULL;
    switch (kind) {
    case GW_KIND_INT:
        return INTS[rnd(w, 4)];
    case GW_KIND_TEXT:
        return TEXTS[rnd(w, 4)];
    case GW_KIND_BOOL:
        return rnd(w, 2) ? "t" : "f";
    default:
        return LISTS[rnd(w, 5)];
    }
}

static struct gw_datum random_datum(struct world *w, enum gw_kind kind)
{
    const char *text = random_text(w, kind);
    return text ? gw_datum_of(kind, gw_span_of(text)) : gw_datum_null(kind);
}

/* ---- values ---- */

static struct gw_expr *random_bool(struct world *w, unsigned depth, bool caller_free);

static struct gw_expr *random_column(struct world *w, enum gw_kind kind)
{
    uint32_t column = kind == GW_KIND_TEXT   ? W_C
                      : kind == GW_KIND_BOOL ? W_D
                      : kind == GW_KIND_INT  ? rnd(w, 3)
                                             : W_L;
    return rx_column(w->rx, w->scope[rnd(w, w->n_scope)], column, kind);
}

static struct gw_subselect *random_sub(struct world *w, unsigned depth, bool caller_free,
                                       enum gw_kind target, bool may_target_fact);

static struct gw_expr *random_int(struct world *w, unsigned depth)
{
    struct rx *x = w->rx;
    switch (depth ? rnd(w, 14) : rnd(w, 8)) {
    case 0:
        return rx_value(x, GW_KIND_INT, random_text(w, GW_KIND_INT));
    case 8:
        if (w->may_raise)
            return rx_native(x, GW_FN_TEXT_TO_INT4, GW_KIND_INT, random_column(w, GW_KIND_TEXT));
        break;
    case 9:
        return rx_args(x, GW_EXPR_COALESCE, GW_KIND_INT, 2,
                       (struct gw_expr *[]){random_int(w, depth - 1), random_int(w, depth - 1)});
    case 10:
        return rx_args(x, GW_EXPR_CASE, GW_KIND_INT, 3,
                       (struct gw_expr *[]){random_bool(w, depth - 1, true),
                                            random_int(w, depth - 1), random_int(w, depth - 1)});
    case 11:
        if (w->may_raise)
            return rx_of_sub(x, GW_EXPR_SCALAR, GW_KIND_INT,
                             random_sub(w, depth - 1, true, GW_KIND_INT, false), NULL);
        break;
    case 12:
        if (w->has_external)
            return rx_of_external(x, rnd(w, 2), random_int(w, depth - 1));
        break;
    default:
        break;
    }
    return random_column(w, GW_KIND_INT);
}

/* ---- sub-selects ---- */

static void random_source(struct world *w, struct gw_subselect_arm *arm, unsigned depth,
                          bool caller_free)
{
    struct rx *x = w->rx;
    int32_t index = (int32_t)rnd(w, 5) - 1;
    uint32_t slot = w->next_slot++;
    struct gw_source *s = rx_source(x, arm, slot, rnd(w, W_TABLES), index);
    s->is_left = arm->n_sources > 1 && rnd(w, 3) == 0;
    const struct gw_state_index *i = index < 0 ? NULL : &x->rules.tables[s->table].indexes[index];
    for (uint32_t k = 0; i && k < i->n; k++)
        rx_key(s, W_KINDS[i->columns[k]] == GW_KIND_INT ? random_int(w, depth)
                                                        : random_column(w, GW_KIND_TEXT));
    w->scope[w->n_scope++] = slot;
    if (s->is_left && rnd(w, 2))
        s->on[s->n_on++] = random_bool(w, depth, caller_free);
    if (rnd(w, 3))
        rx_where(s, random_bool(w, depth, caller_free));
}

static struct gw_expr *random_target(struct world *w, enum gw_kind kind, bool may_be_fact)
{
    if (may_be_fact && kind == GW_KIND_INT && rnd(w, 4) == 0)
        return rx_of_fact(w->rx, rnd(w, 2) ? W_F : W_G);
    return kind == GW_KIND_INT ? random_int(w, 0) : random_column(w, kind);
}

static struct gw_subselect *random_sub(struct world *w, unsigned depth, bool caller_free,
                                       enum gw_kind target, bool may_target_fact)
{
    struct gw_subselect *sub = rx_sub(w->rx, 1 + (rnd(w, 4) == 0));
    uint32_t n_scope = w->n_scope;
    for (uint32_t i = 0; i < sub->n_arms; i++) {
        struct gw_subselect_arm *arm = &sub->arms[i];
        if (rnd(w, 6) == 0)
            arm->where[arm->n_where++] = random_bool(w, 0, caller_free);
        uint32_t n = rnd(w, 8) == 0 ? 0 : rnd(w, 3) == 0 ? 2 : 1;
        for (uint32_t k = 0; k < n && w->n_scope < W_SCOPE_MAX; k++)
            random_source(w, arm, depth, caller_free);
        if (target != GW_KIND_OPAQUE)
            arm->target = random_target(w, target, may_target_fact);
        w->n_scope = n_scope;
    }
    return sub;
}

/* ---- booleans ---- */

static struct gw_expr *random_list(struct world *w, enum gw_expr_op op, unsigned depth,
                                   bool caller_free)
{
    struct gw_expr *args[3];
    uint32_t n = 2 + rnd(w, 2);
    for (uint32_t i = 0; i < n; i++)
        args[i] = random_bool(w, depth, caller_free);
    return rx_args(w->rx, op, GW_KIND_BOOL, n, args);
}

static struct gw_expr *random_free_leaf(struct world *w, unsigned depth)
{
    struct rx *x = w->rx;
    enum gw_cmp cmp = (enum gw_cmp)rnd(w, GW_CMP_DISTINCT + 1);
    switch (rnd(w, 6)) {
    case 0:
        return RX_TRUTH(x, random_column(w, GW_KIND_BOOL));
    case 1:
        return RX_IS_NULL(x, random_int(w, depth));
    case 2:
        return RX_ANY(x, random_int(w, depth), random_int(w, 0), random_int(w, 0));
    case 3:
        return RX_BOOL(x, GW_EXPR_IN_LIST, random_int(w, depth), random_column(w, GW_KIND_OPAQUE));
    default:
        return rx_compare(x, cmp, random_int(w, depth), random_int(w, depth));
    }
}

static struct gw_expr *random_scalar(struct world *w, unsigned depth, enum gw_kind kind)
{
    return rx_of_sub(w->rx, GW_EXPR_SCALAR, kind, random_sub(w, depth, false, kind, false), NULL);
}

static struct gw_expr *random_mixed_scalar(struct world *w, unsigned depth)
{
    struct rx *x = w->rx;
    struct gw_expr *other = rnd(w, 2) ? random_int(w, 0) : rx_of_fact(x, W_G);
    struct gw_expr *scalar = random_scalar(w, depth, rnd(w, 4) ? GW_KIND_INT : GW_KIND_BOOL);
    if (scalar->kind == GW_KIND_BOOL)
        return RX_TRUTH(x, scalar);
    if (rnd(w, 4) == 0)
        return RX_IS_NULL(x, scalar);
    enum gw_cmp cmp = rnd(w, 3) ? GW_CMP_EQ : GW_CMP_NE;
    return rnd(w, 2) ? rx_compare(x, cmp, scalar, other) : rx_compare(x, cmp, other, scalar);
}

static struct gw_expr *random_fact_leaf(struct world *w, unsigned depth)
{
    static const enum gw_cmp CMPS[] = {GW_CMP_EQ, GW_CMP_EQ, GW_CMP_NE, GW_CMP_DISTINCT};
    struct rx *x = w->rx;
    struct gw_expr *f = rx_of_fact(x, rnd(w, 2) ? W_F : W_G);
    switch (rnd(w, 14)) {
    case 0:
        return RX_IS_NULL(x, f);
    case 1:
        return RX_TRUTH(x, rx_of_fact(x, W_IS));
    case 2:
    case 12:
    case 13:
        return RX_ANY(x, random_int(w, depth), rx_of_fact(x, W_SET));
    case 3:
        return RX_ANY(x, random_int(w, 0), rx_of_fact(x, W_SET), f);
    case 4:
        return RX_ANY(x, f, random_int(w, depth), random_int(w, 0));
    case 5:
        return RX_BOOL(x, GW_EXPR_IN_LIST, f, random_column(w, GW_KIND_OPAQUE));
    case 6:
        return rx_compare(x, CMPS[rnd(w, 4)], rx_of_fact(x, W_NAME),
                          random_column(w, GW_KIND_TEXT));
    case 7:
        return rx_compare(x, CMPS[rnd(w, 4)], random_int(w, depth), f);
    default:
        return rx_compare(x, CMPS[rnd(w, 4)], f, random_int(w, depth));
    }
}

static struct gw_expr *random_in(struct world *w, unsigned depth, bool caller_free)
{
    struct rx *x = w->rx;
    bool is_fact = !caller_free && rnd(w, 3) == 0;
    struct gw_expr *left = is_fact ? rx_of_fact(x, W_F) : random_int(w, depth);
    struct gw_subselect *sub =
        random_sub(w, depth, caller_free, GW_KIND_INT, !caller_free && !is_fact);
    return rx_of_sub(x, GW_EXPR_IN, GW_KIND_BOOL, sub, left);
}

static struct gw_expr *random_bool(struct world *w, unsigned depth, bool caller_free)
{
    struct rx *x = w->rx;
    if (depth == 0)
        return caller_free || rnd(w, 2) ? random_free_leaf(w, 0) : random_fact_leaf(w, 0);
    depth--;
    switch (rnd(w, 12)) {
    case 0:
    case 1:
        return random_list(w, GW_EXPR_AND, depth, caller_free);
    case 2:
    case 3:
        return random_list(w, GW_EXPR_OR, depth, caller_free);
    case 4:
        return RX_NOT(x, random_bool(w, depth, caller_free));
    case 5:
        return rx_is(x, random_bool(w, depth, caller_free), (enum gw_is)rnd(w, 3));
    case 6:
    case 7:
        return rx_exists(x, random_sub(w, depth, caller_free, GW_KIND_OPAQUE, false));
    case 8:
        return random_in(w, depth, caller_free);
    case 9:
        if (!caller_free && w->may_raise)
            return random_mixed_scalar(w, depth);
        break;
    default:
        break;
    }
    return caller_free || rnd(w, 3) == 0 ? random_free_leaf(w, depth) : random_fact_leaf(w, depth);
}

/* ---- rules ---- */

static void world_rules(struct world *w)
{
    struct rx *x = w->rx = rx_new();
    rx_fact(x, GW_KIND_INT, false);
    rx_fact(x, GW_KIND_INT, false);
    rx_fact(x, GW_KIND_BOOL, false);
    rx_fact(x, GW_KIND_INT, true);
    rx_fact(x, GW_KIND_TEXT, false);
    rx_external(x, GW_KIND_INT, 1, true);
    rx_external(x, GW_KIND_INT, 1, false);
    for (uint32_t i = 0; i < W_TABLES; i++) {
        uint32_t t = rx_table(x, 100 + i, W_COLUMNS, W_KINDS);
        rx_index(x, t, 1, (uint32_t[]){W_ID});
        rx_index(x, t, 1, (uint32_t[]){W_A});
        rx_index(x, t, 2, (uint32_t[]){W_A, W_B});
        rx_index(x, t, 1, (uint32_t[]){W_C});
    }
}

static struct gw_plan *random_plan(struct world *w)
{
    w->next_slot = 1;
    w->n_scope = 1;
    w->scope[0] = 0;
    return rx_plan(w->rx, random_bool(w, 1 + rnd(w, 3), false));
}

#endif
