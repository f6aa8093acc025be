/* lower_clean: SQL's many spellings become few, before anything is decided.
 *
 * A cast literal is a literal of that type; settings that nobody sets are NULL; the role is a
 * literal, because a plan is for one role. Sub-selects and arrays: lower_clean_sub.c. Shared parts
 * stay shared: each node is cleaned once. */
#include "lower_clean.h"

/* ---- literals ---- */

/* Types whose literals mean the same at any time ('now' is a timestamp, and a text). */
static bool is_timeless(const struct gw_lower *l, uint32_t type_oid)
{
    uint32_t element = gw_lower_element_type(l, type_oid);
    enum gw_kind kind = gw_lower_type_kind(l, element ? element : type_oid);
    return type_oid == GW_OID_JSON || type_oid == GW_OID_JSONB || kind == GW_KIND_BOOL ||
           kind == GW_KIND_INT || kind == GW_KIND_UUID || kind == GW_KIND_TEXT ||
           kind == GW_KIND_NUMERIC || kind == GW_KIND_ENUM;
}

static bool is_number(const struct gw_lower *l, uint32_t type_oid)
{
    enum gw_kind kind = gw_lower_type_kind(l, type_oid);
    return kind == GW_KIND_INT || kind == GW_KIND_NUMERIC;
}

/* 'x'::t, also 'x'::text::t and 5::bigint. Not 1.5::int, which rounds. */
static bool is_literal_of(const struct gw_lower *l, const struct gw_bound *arg, uint32_t to)
{
    const struct gw_type *t = gw_types_find(&l->r->catalog->types, to);
    if (arg->op != GW_B_CONST || !is_timeless(l, to) || (t && t->kind == GW_TYPE_DOMAIN))
        return false;
    if (to == GW_OID_NAME)
        return false; /* cut at 63 bytes */
    if (arg->type_oid == 0 || arg->is_null || arg->type_oid == to)
        return true;
    if (gw_lower_is_text_type(arg->type_oid))
        return to != GW_OID_JSONB;
    if (is_number(l, to))
        return gw_lower_type_kind(l, arg->type_oid) == GW_KIND_INT;
    return false;
}

static const struct gw_bound *clean_cast(struct gw_lower *l, struct gw_bound *node)
{
    const struct gw_bound *arg = node->args[0];
    if (is_literal_of(l, arg, node->type_oid)) {
        struct gw_bound *literal = gw_lower_b_copy(l, arg);
        literal->type_oid = node->type_oid;
        return literal;
    }
    if (arg->op == GW_B_ARRAY)
        return gw_lower_clean_array_cast(l, node);
    if (gw_lower_is_scalar(arg))
        return gw_lower_clean_scalar_cast(l, node);
    return node;
}

/* ---- settings ---- */

static const struct gw_bound *clean_setting(struct gw_lower *l, const struct gw_bound *node)
{
    static const struct gw_span request = GW_SPAN_LIT("request.");
    bool is_topic = gw_span_is_nocase(node->text, "realtime.topic");
    if (gw_span_is_nocase(node->text, "role"))
        return gw_lower_b_const(l, GW_OID_TEXT, l->r->catalog->roles[l->role_id]);
    if (gw_lower_is_claim_setting(l, node->text) || (is_topic && l->has_topic))
        return node;
    struct gw_span head = {node->text.p, node->text.n < request.n ? node->text.n : request.n};
    if (!is_topic && !gw_span_is_nocase(head, request.p))
        return node; /* of the server or the database: Postgres knows */
    if (!node->is_null)
        return gw_lower_refuse(l, "reads the setting %.*s, which nobody sets", (int)node->text.n,
                               node->text.p);
    return gw_lower_b_null(l, GW_OID_TEXT);
}

/* ---- arrays that contain ---- */

/* x = ANY (array), but never null for what is in the array. */
static const struct gw_bound *contains(struct gw_lower *l, const struct gw_bound *array,
                                       const struct gw_bound *element)
{
    const struct gw_bound *any = gw_lower_b_pair(l, GW_B_ANY, element, array);
    ((struct gw_bound *)any)->text = GW_SPAN_LIT("=");
    return gw_lower_b_is(l, any, GW_IS_TRUE);
}

/* array @> ARRAY[a, b] and array && ARRAY[a, b], element by element: then the caller may be one of
 * them. Null exactly if array is. */
static const struct gw_bound *clean_contains(struct gw_lower *l, const struct gw_bound *node)
{
    bool is_all = gw_lower_is_op(node, "@>") || gw_lower_is_op(node, "<@");
    bool is_left = gw_lower_is_op(node, "<@");
    if (!is_all && !gw_lower_is_op(node, "&&"))
        return node;
    if (node->n_args == 2 && !is_all)
        is_left = node->args[0]->op == GW_B_ARRAY;
    if (node->n_args != 2)
        return node;
    const struct gw_bound *list = node->args[is_left ? 0 : 1];
    const struct gw_bound *array = node->args[is_left ? 1 : 0];
    uint32_t element = gw_lower_element_type(l, array->type_oid);
    if (list->op != GW_B_ARRAY || list->n_args == 0 || element == 0 ||
        gw_lower_is_caller_free(l, node))
        return node;
    struct gw_bound *all =
        gw_lower_b_new(l, is_all ? GW_B_AND : GW_B_OR, GW_OID_BOOL, list->n_args);
    for (uint32_t i = 0; i < list->n_args; i++)
        all->args[i] = (struct gw_bound *)contains(l, array, list->args[i]);
    const struct gw_bound *unknown =
        gw_lower_b_pair(l, GW_B_AND, gw_lower_b_is_null(l, array), gw_lower_b_null(l, GW_OID_BOOL));
    return gw_lower_b_pair(l, GW_B_OR, all, unknown);
}

/* ---- all ---- */

/* node is a copy whose arguments are clean. */
static const struct gw_bound *clean_node(struct gw_lower *l, struct gw_bound *node)
{
    switch (node->op) {
    case GW_B_ROLE:
        return gw_lower_b_const(l, GW_OID_NAME, l->r->catalog->roles[l->role_id]);
    case GW_B_SETTING:
        return clean_setting(l, node);
    case GW_B_CAST:
        return clean_cast(l, node);
    case GW_B_OP:
        return clean_contains(l, node);
    case GW_B_ANY:
        return gw_lower_clean_any(l, node);
    case GW_B_SUB:
        return gw_lower_clean_sub(l, node);
    default:
        return node;
    }
}

static const struct gw_bound *clean_new(struct gw_lower *l, const struct gw_bound *node)
{
    struct gw_bound *copy = gw_lower_b_copy(l, node);
    for (uint32_t i = 0; i < node->n_args; i++) {
        copy->args[i] = (struct gw_bound *)gw_lower_clean(l, node->args[i]);
        if (!copy->args[i])
            return NULL;
    }
    if (node->op == GW_B_SUB && !gw_lower_clean_select(l, copy))
        return NULL;
    return clean_node(l, copy);
}

const struct gw_bound *gw_lower_clean(struct gw_lower *l, const struct gw_bound *node)
{
    const struct gw_bound *known = gw_idmap_find(&l->cleaned, (uintptr_t)node);
    if (known)
        return known;
    if (l->depth >= GW_LOWER_DEPTH_MAX)
        return gw_lower_refuse(l, "is nested more than %u deep", GW_LOWER_DEPTH_MAX);
    l->depth++;
    const struct gw_bound *result = clean_new(l, node);
    l->depth--;
    if (!result || gw_lower_failed(l))
        return NULL;
    gw_idmap_put(&l->cleaned, (uintptr_t)node, (void *)result);
    return result;
}
