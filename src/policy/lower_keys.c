/* lower_keys: index keys: conditions `column = value` whose value is caller-free and known before
 * the row is looked up. An index finds no row for a null, which is what = says of it. */
#include "lower_arm.h"

#define CANDIDATES_MAX 64u

/* ---- one condition ---- */

/* The column itself, or the same text under another type. */
static const struct gw_bound *as_column(const struct gw_bound *node, const struct gw_bound_var *var)
{
    bool is_relabel =
        node->op == GW_B_CAST && gw_lower_is_text_type(node->type_oid) &&
        (gw_lower_is_text_type(node->args[0]->type_oid) || node->args[0]->type_oid == GW_OID_NAME);
    if (is_relabel)
        node = node->args[0];
    return node->op == GW_B_COLUMN && node->var == var ? node : NULL;
}

static bool may_be_value(const struct gw_arm_work *w, const struct gw_bound *column,
                         const struct gw_bound *value)
{
    struct gw_lower *l = w->l;
    const struct gw_lower_info *info = gw_lower_info(l, value);
    enum gw_kind kind = gw_lower_kind(l, column);
    bool is_open = value->op == GW_B_CONST && (value->type_oid == 0 || value->is_null);
    if ((info->bits & (GW_LOWER_CALLER | GW_LOWER_SUB)) != 0 ||
        gw_lower_vars_meet(&info->vars, &w->open) || kind == GW_KIND_OPAQUE)
        return false;
    if (is_open)
        return true;
    return gw_lower_kind(l, value) == kind &&
           (kind != GW_KIND_ENUM || value->type_oid == column->type_oid);
}

static bool is_constant(struct gw_lower *l, const struct gw_bound *value)
{
    return (gw_lower_info(l, value)->bits & (GW_LOWER_ROW | GW_LOWER_INPUT)) == 0;
}

/* flag, NOT flag: flag = true, flag = false. */
static bool key_of_flag(struct gw_arm_work *w, const struct gw_bound_var *var,
                        const struct gw_bound *condition, struct gw_arm_key *key)
{
    bool is_not = condition->op == GW_B_NOT;
    const struct gw_bound *column = as_column(is_not ? condition->args[0] : condition, var);
    if (!column || gw_lower_kind(w->l, column) != GW_KIND_BOOL)
        return false;
    *key = (struct gw_arm_key){
        .column = column->column, .value = gw_lower_b_bool(w->l, !is_not), .is_constant = true};
    return true;
}

static bool key_of(struct gw_arm_work *w, const struct gw_bound_var *var,
                   const struct gw_bound *condition, struct gw_arm_key *key)
{
    if (condition->op != GW_B_OP || condition->n_args != 2 || !gw_lower_is_op(condition, "="))
        return key_of_flag(w, var, condition, key);
    for (uint32_t i = 0; i < 2; i++) {
        const struct gw_bound *column = as_column(condition->args[i], var);
        const struct gw_bound *value = condition->args[1 - i];
        if (!column || !may_be_value(w, column, value))
            continue;
        *key = (struct gw_arm_key){
            .column = column->column, .value = value, .is_constant = is_constant(w->l, value)};
        return true;
    }
    return false;
}

/* ---- all conditions ---- */

struct candidates {
    uint32_t n;
    struct gw_arm_key items[CANDIDATES_MAX];
};

static bool has_column(const struct candidates *c, uint32_t column)
{
    for (uint32_t i = 0; i < c->n; i++)
        if (c->items[i].column == column)
            return true;
    return false;
}

static void find_candidates(struct gw_arm_work *w, const struct gw_arm_source *s,
                            struct candidates *out)
{
    const struct gw_arm_conditions *from = s->from->is_left ? &s->on : &w->where;
    for (uint32_t i = 0; i < from->all.n && out->n < CANDIDATES_MAX; i++) {
        struct gw_arm_key key;
        if (from->used[i] || !key_of(w, s->from->var, from->all.items[i], &key) ||
            has_column(out, key.column))
            continue;
        key.condition = i;
        out->items[out->n++] = key;
    }
}

static bool in_primary_key(const struct gw_arm_source *s, const struct gw_arm_key *key)
{
    return s->from->var->table->columns[key->column].in_primary_key;
}

/* All of the primary key is there, at least one column of it not constant. */
static bool has_primary_key(const struct gw_arm_source *s, const struct candidates *c)
{
    const struct gw_catalog_table *t = s->from->var->table;
    uint32_t wanted = 0, found = 0, varying = 0;
    for (uint32_t i = 0; i < t->n_columns; i++)
        wanted += t->columns[i].in_primary_key;
    for (uint32_t i = 0; i < c->n; i++) {
        found += in_primary_key(s, &c->items[i]);
        varying += in_primary_key(s, &c->items[i]) && !c->items[i].is_constant;
    }
    return wanted > 0 && wanted <= GW_RULES_INDEX_COLUMNS_MAX && found == wanted && varying > 0;
}

enum which { PRIMARY, VARYING, CONSTANT };

static void pick(const struct gw_arm_source *s, const struct candidates *c, enum which which,
                 struct gw_arm_keys *out)
{
    for (uint32_t i = 0; i < c->n && out->n < GW_RULES_INDEX_COLUMNS_MAX; i++) {
        const struct gw_arm_key *key = &c->items[i];
        bool fits = which == PRIMARY    ? in_primary_key(s, key)
                    : which == CONSTANT ? key->is_constant
                                        : !key->is_constant;
        if (fits)
            out->items[out->n++] = *key;
    }
}

enum gw_arm_rank gw_arm_find_keys(struct gw_arm_work *w, const struct gw_arm_source *s,
                                  struct gw_arm_keys *out)
{
    struct candidates c = {0};
    find_candidates(w, s, &c);
    if (has_primary_key(s, &c)) {
        pick(s, &c, PRIMARY, out);
        return s->from->is_left ? GW_ARM_LEFT_KEYS : GW_ARM_PRIMARY_KEY;
    }
    pick(s, &c, VARYING, out);
    if (out->n)
        return s->from->is_left ? GW_ARM_LEFT_KEYS : GW_ARM_KEYS;
    pick(s, &c, CONSTANT, out);
    return out->n && !s->from->is_left ? GW_ARM_CONSTANT : GW_ARM_SCAN;
}

/* ---- the index ---- */

/* Ascending in the columns of the access state, as indexes are. */
static void sort_keys(const struct gw_arm_work *w, const struct gw_arm_source *s,
                      struct gw_arm_keys *keys)
{
    for (uint32_t i = 0; i < keys->n; i++)
        keys->items[i].column = gw_lower_table_column(w->l->r, s->table, keys->items[i].column);
    for (uint32_t i = 1; i < keys->n; i++)
        for (uint32_t k = i; k > 0 && keys->items[k].column < keys->items[k - 1].column; k--) {
            struct gw_arm_key higher = keys->items[k - 1];
            keys->items[k - 1] = keys->items[k];
            keys->items[k] = higher;
        }
}

/* The text of these follows from the key. */
static bool key_tells_text(enum gw_kind kind)
{
    return kind == GW_KIND_INT || kind == GW_KIND_UUID || kind == GW_KIND_BOOL;
}

bool gw_arm_use_keys(struct gw_arm_work *w, struct gw_arm_source *s, struct gw_arm_keys *keys,
                     struct gw_source *out)
{
    struct gw_lower *l = w->l;
    uint32_t columns[GW_RULES_INDEX_COLUMNS_MAX];
    struct gw_arm_conditions *from = s->from->is_left ? &s->on : &w->where;
    if (keys->n == 0)
        return true;
    sort_keys(w, s, keys);
    out->n_keys = keys->n;
    out->keys = gw_arena_alloc(&l->r->rules->arena, keys->n * sizeof(struct gw_expr *));
    for (uint32_t i = 0; i < keys->n; i++) {
        const struct gw_arm_key *key = &keys->items[i];
        const struct gw_state_column *column = &l->r->tables[s->table].columns[key->column];
        uint32_t type = column->type_oid;
        enum gw_kind kind = column->kind;
        columns[i] = key->column;
        out->keys[i] = gw_lower_value(l, key->value, type);
        if (!out->keys[i])
            return false;
        if (out->keys[i]->kind != kind)
            return gw_lower_refuse_node(l, "cannot look up ", key->value) != NULL;
        if (!key_tells_text(kind)) /* it is asked for by its text */
            gw_lower_needs_text(l, out->keys[i]);
        from->used[key->condition] = true;
    }
    out->index = gw_lower_table_index(l->r, s->table, columns, keys->n);
    return true;
}
