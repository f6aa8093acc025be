/* lower_list: x = ANY (…), x <> ALL (…) and their like: over a list, over an array in the row, over
 * an array among the claims. */
#include "lower_internal.h"

static struct gw_expr *any_of(struct gw_lower *l, uint32_t n_items)
{
    struct gw_expr *e = gw_lower_expr(l, GW_EXPR_ANY, GW_KIND_BOOL, n_items + 1);
    if (e)
        e->type_oid = GW_OID_BOOL;
    return e;
}

/* ---- over a list ---- */

/* x op a OR x op b OR …; AND for ALL. */
static const struct gw_bound *spread(struct gw_lower *l, const struct gw_bound *node)
{
    const struct gw_bound *list = node->args[1];
    struct gw_bound *all =
        gw_lower_b_new(l, node->is_all ? GW_B_AND : GW_B_OR, GW_OID_BOOL, list->n_args);
    for (uint32_t i = 0; i < list->n_args; i++)
        all->args[i] =
            (struct gw_bound *)gw_lower_b_op(l, node->text, node->args[0], list->args[i]);
    return list->n_args == 1 ? all->args[0] : all;
}

/* Whether node is x = ANY, or NOT of it. */
static bool is_membership(const struct gw_bound *node, bool *is_negated)
{
    *is_negated = node->is_all;
    return gw_lower_is_op(node, node->is_all ? "<>" : "=");
}

/* Everything computed here, compared at once; or NULL. */
static struct gw_expr *natively(struct gw_lower *l, const struct gw_bound *node)
{
    const struct gw_bound *list = node->args[1];
    uint32_t type = node->args[0]->type_oid;
    struct gw_expr *e = any_of(l, list->n_args);
    struct gw_expr *x = e ? gw_lower_native(l, node->args[0]) : NULL;
    if (!x)
        return NULL;
    e->args[0] = x;
    e->caller_free = x->caller_free;
    for (uint32_t i = 0; i < list->n_args; i++) {
        const struct gw_bound *item = list->args[i];
        bool is_open = item->op == GW_B_CONST && (item->type_oid == 0 || item->is_null);
        e->args[i + 1] = is_open ? gw_lower_constant(l, item, type ? type : GW_OID_TEXT)
                                 : gw_lower_native(l, item);
        if (!e->args[i + 1] || !gw_lower_kinds_compare(x, GW_CMP_EQ, e->args[i + 1]))
            return NULL;
        e->caller_free = e->caller_free && e->args[i + 1]->caller_free;
    }
    return e;
}

static struct gw_expr *over_list(struct gw_lower *l, const struct gw_bound *node,
                                 enum gw_lower_when when)
{
    bool is_negated;
    bool is_free = gw_lower_is_caller_free(l, node);
    if (node->args[1]->n_args == 0)
        return gw_lower_turn(l, gw_lower_bool_const(l, node->is_all), when);
    if (is_free && is_membership(node, &is_negated) && node->args[1]->n_args > 1) {
        struct gw_expr *e = natively(l, node);
        if (e)
            return gw_lower_turn(l, is_negated ? gw_lower_not(l, e) : e, when);
    }
    if (!is_free || (gw_lower_info(l, node)->bits & GW_LOWER_SUB))
        return gw_lower_bool(l, spread(l, node), when);
    l->native_only++;
    struct gw_expr *e = gw_lower_bool(l, spread(l, node), when);
    l->native_only--;
    return e ? e : gw_lower_leaf(l, node, when);
}

/* ---- over an array in the row ---- */

static struct gw_expr *over_array(struct gw_lower *l, const struct gw_bound *node,
                                  enum gw_lower_when when)
{
    const struct gw_bound *x = node->args[0], *array = node->args[1];
    bool is_negated;
    uint32_t element = gw_lower_element_type(l, array->type_oid);
    bool is_opaque =
        array->op == GW_B_COLUMN && array->var->table->columns[array->column].is_opaque;
    bool is_free = gw_lower_is_caller_free(l, x);
    if (!is_membership(node, &is_negated) || element == 0 || is_opaque)
        return gw_lower_leaf(l, node, when);
    struct gw_expr *list = gw_lower_native(l, array);
    struct gw_expr *value = is_free ? gw_lower_native(l, x) : gw_lower_value(l, x, element);
    if (gw_lower_failed(l))
        return NULL;
    bool fits = list && value && value->kind != GW_KIND_OPAQUE &&
                value->kind == gw_lower_type_kind(l, element) &&
                (value->kind != GW_KIND_ENUM || value->type_oid == element);
    if (!fits)
        return gw_lower_leaf(l, node, when);
    gw_lower_needs_text(l, list);
    struct gw_expr *e = gw_lower_expr(l, GW_EXPR_IN_LIST, GW_KIND_BOOL, 2);
    if (!e)
        return NULL;
    e->type_oid = GW_OID_BOOL;
    e->args[0] = value;
    e->args[1] = list;
    e->caller_free = value->caller_free && list->caller_free;
    return gw_lower_turn(l, is_negated ? gw_lower_not(l, e) : e, when);
}

/* ---- over an array among the claims ---- */

/* x = ANY (set). Where x is null the solver does not tell false from null: of an empty set it is
 * false. empty: the fact that says so, NULL for what is null of every null. */
struct member {
    const struct gw_bound *x;
    struct gw_expr *is, *empty;
    bool is_negated; /* x <> ALL (set) */
};

static struct gw_expr *is_member(struct gw_lower *l, const struct gw_bound *x, struct gw_expr *set)
{
    struct gw_expr *e = any_of(l, 1);
    struct gw_expr *value = gw_lower_value(l, x, set->type_oid);
    if (!e || !value)
        return NULL;
    if (!gw_lower_kinds_compare(value, GW_CMP_EQ, set))
        return gw_lower_refuse_node(l, "looks among the caller's claims as only Postgres can for ",
                                    x);
    e->args[0] = value;
    e->args[1] = set;
    e->caller_free = false;
    return e;
}

/* Where x is surely not among them. */
static struct gw_expr *is_no_member(struct gw_lower *l, const struct member *m)
{
    struct gw_expr *no = gw_lower_not(l, m->is);
    if (gw_lower_is_never_null(l, m->x))
        return no;
    struct gw_expr *known[] = {gw_lower_bool(l, gw_lower_b_is_not_null(l, m->x), GW_LOWER_TRUE),
                               no};
    struct gw_expr *told = gw_lower_join(l, GW_EXPR_AND, known, 2);
    if (!m->empty)
        return told;
    struct gw_expr *null[] = {gw_lower_bool(l, gw_lower_b_is_null(l, m->x), GW_LOWER_TRUE),
                              gw_lower_truth(l, m->empty)};
    struct gw_expr *either[] = {told, gw_lower_join(l, GW_EXPR_AND, null, 2)};
    return gw_lower_join(l, GW_EXPR_OR, either, 2);
}

static struct gw_expr *member(struct gw_lower *l, const struct member *m, enum gw_lower_when when)
{
    struct gw_expr *yes = m->is;
    if (!yes)
        return NULL;
    if (when == GW_LOWER_EXACT && gw_lower_is_never_null(l, m->x))
        return m->is_negated ? gw_lower_not(l, yes) : yes;
    if (when == GW_LOWER_EXACT)
        return m->is_negated ? gw_lower_three(l, is_no_member(l, m), yes)
                             : gw_lower_three(l, yes, is_no_member(l, m));
    return m->is_negated == (when == GW_LOWER_TRUE) ? is_no_member(l, m) : yes;
}

static struct gw_expr *over_claims(struct gw_lower *l, const struct gw_bound *node,
                                   enum gw_lower_when when)
{
    struct member m = {.x = node->args[0]};
    if (!is_membership(node, &m.is_negated))
        return gw_lower_refuse_node(
            l, "compares with the caller's claims by more than equality: ", node);
    struct gw_expr *set = gw_lower_set_fact(l, node->args[1]);
    if (!set)
        return NULL;
    m.is = is_member(l, m.x, set);
    bool may_be_false = when == GW_LOWER_EXACT || m.is_negated == (when == GW_LOWER_TRUE);
    if (m.is && may_be_false && !gw_lower_is_never_null(l, m.x))
        m.empty = gw_lower_empty_fact(l, node->args[1]);
    return gw_lower_failed(l) ? NULL : member(l, &m, when);
}

/* ---- keys of a json ---- */

/* Where the claims are the json, or where one of them is the key. */
struct gw_expr *gw_lower_json_key(struct gw_lower *l, const struct gw_bound *node,
                                  enum gw_lower_when when)
{
    const struct gw_bound *json = node->args[0], *key = node->args[1];
    bool in_claims = gw_lower_is_caller_only(l, json) && gw_lower_is_caller_free(l, key);
    bool in_row = gw_lower_is_caller_free(l, json) && gw_lower_is_caller_only(l, key);
    if (json->type_oid != GW_OID_JSONB || (!in_claims && !in_row) ||
        gw_lower_kind(l, key) != GW_KIND_TEXT)
        return gw_lower_leaf(l, node, when);
    if (in_claims) {
        struct member m = {.x = key};
        struct gw_expr *set = gw_lower_key_set_fact(l, json);
        m.is = set ? is_member(l, key, set) : NULL;
        return member(l, &m, when);
    }
    struct gw_expr *e = gw_lower_expr(l, GW_EXPR_IN_LIST, GW_KIND_BOOL, 2);
    struct gw_expr *fact = gw_lower_value(l, key, GW_OID_TEXT);
    struct gw_expr *list = fact ? gw_lower_external_keys(l, json) : NULL;
    if (!e || !list)
        return NULL;
    e->type_oid = GW_OID_BOOL;
    e->caller_free = false;
    e->args[0] = fact;
    e->args[1] = list;
    return gw_lower_turn(l, e, when);
}

/* ---- all ---- */

struct gw_expr *gw_lower_any(struct gw_lower *l, const struct gw_bound *node,
                             enum gw_lower_when when)
{
    const struct gw_bound *x = node->args[0], *array = node->args[1];
    if (gw_lower_is_scalar(x)) {
        struct gw_expr *e = gw_lower_over_scalar(l, node, when);
        if (e || gw_lower_failed(l))
            return e;
    }
    const struct gw_bound *split = gw_lower_split(l, node);
    if (split)
        return gw_lower_bool(l, split, when);
    if (array->op == GW_B_ARRAY)
        return over_list(l, node, when);
    bool is_set = gw_lower_is_caller_only(l, array);
    bool x_is_fact = gw_lower_is_caller_only(l, x);
    if (is_set && gw_lower_is_caller_free(l, x))
        return over_claims(l, node, when);
    if (gw_lower_is_caller_free(l, array) && (x_is_fact || gw_lower_is_caller_free(l, x)))
        return over_array(l, node, when);
    return gw_lower_leaf(l, node, when);
}
