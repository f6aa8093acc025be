/* lower_single: whether a sub-select has one row at most: every table's primary key is equal to
 * something that is fixed before. Then what compares with its value is a look-up. */
#include "lower_internal.h"

void gw_lower_split_and(struct gw_lower *l, struct gw_lower_conjuncts *c,
                        const struct gw_bound *node)
{
    if (!node)
        return;
    if (node->op == GW_B_AND) {
        for (uint32_t i = 0; i < node->n_args; i++)
            gw_lower_split_and(l, c, node->args[i]);
        return;
    }
    if (c->n == c->cap) {
        uint32_t cap = c->cap ? c->cap * 2 : 16;
        const struct gw_bound **items =
            gw_arena_alloc(l->r->scratch, cap * sizeof(struct gw_bound *));
        if (c->n)
            memcpy(items, c->items, c->n * sizeof(struct gw_bound *));
        c->items = items;
        c->cap = cap;
    }
    c->items[c->n++] = node;
}

struct closure {
    struct gw_lower *l;
    struct gw_lower_vars open; /* row variables not yet fixed */
};

static bool is_fixed(const struct closure *c, const struct gw_bound *node)
{
    return !gw_lower_vars_meet(&gw_lower_info(c->l, node)->vars, &c->open);
}

static bool fixes_column(const struct closure *c, const struct gw_bound *conjunct,
                         const struct gw_bound_var *var, uint32_t column)
{
    if (!gw_lower_is_op(conjunct, "=") || conjunct->op != GW_B_OP)
        return false;
    for (int i = 0; i < 2; i++) {
        const struct gw_bound *side = conjunct->args[i];
        if (side->op == GW_B_COLUMN && side->var == var && side->column == column &&
            is_fixed(c, conjunct->args[1 - i]))
            return true;
    }
    return false;
}

static bool is_column_fixed(const struct closure *c, const struct gw_lower_conjuncts *conjuncts,
                            const struct gw_bound_var *var, uint32_t column)
{
    for (uint32_t i = 0; i < conjuncts->n; i++)
        if (fixes_column(c, conjuncts->items[i], var, column))
            return true;
    return false;
}

static bool is_key_fixed(const struct closure *c, const struct gw_lower_conjuncts *conjuncts,
                         const struct gw_bound_var *var)
{
    bool has_key = false;
    for (uint32_t i = 0; i < var->table->n_columns; i++) {
        if (!var->table->columns[i].in_primary_key)
            continue;
        has_key = true;
        if (!is_column_fixed(c, conjuncts, var, i))
            return false;
    }
    return has_key;
}

static void close_var(struct closure *c, uint32_t number)
{
    c->open.w[number / 64] &= ~(UINT64_C(1) << (number % 64));
}

/* Fixes what can be fixed by now. Returns whether anything was. */
static bool fix_some(struct closure *c, const struct gw_bound_arm *arm,
                     const struct gw_lower_conjuncts *where)
{
    bool any = false;
    for (uint32_t i = 0; i < arm->n_from; i++) {
        const struct gw_bound_from *from = &arm->from[i];
        struct gw_lower_conjuncts on = {0};
        if (!gw_lower_vars_has(&c->open, from->var->number))
            continue;
        if (from->is_left)
            gw_lower_split_and(c->l, &on, from->on);
        if (!is_key_fixed(c, from->is_left ? &on : where, from->var))
            continue;
        close_var(c, from->var->number);
        any = true;
    }
    return any;
}

bool gw_lower_is_single(struct gw_lower *l, const struct gw_bound_select *select)
{
    struct closure c = {.l = l};
    struct gw_lower_conjuncts where = {0};
    const struct gw_lower_vars none = {0};
    if (select->n_arms != 1 || select->arms[0].n_from == 0)
        return false;
    const struct gw_bound_arm *arm = &select->arms[0];
    gw_lower_split_and(l, &where, arm->where);
    for (uint32_t i = 0; i < arm->n_from; i++) {
        gw_lower_vars_add(&c.open, arm->from[i].var->number);
        if (!arm->from[i].is_left)
            gw_lower_split_and(l, &where, arm->from[i].on);
    }
    while (fix_some(&c, arm, &where))
        ;
    return memcmp(&c.open, &none, sizeof none) == 0;
}
