/* lower_clean_sub: sub-selects and lists. What reads no table is no sub-select; what is a list in
 * disguise becomes one:
 *     (SELECT e)                       e
 *     EXISTS (SELECT … WHERE w)        w IS TRUE
 *     x IN (SELECT e UNION SELECT …)   x = e OR x IN (SELECT …)
 *     x = ANY (ARRAY(SELECT …))        x IN (SELECT …)
 *     x = ANY (ARRAY[a, b]::t[])       x = ANY (ARRAY[a::t, b::t])
 *     x = ANY ('{a,b}'::t[])           x = ANY (ARRAY['a'::t, 'b'::t]) */
#include "lower_clean.h"

#define LIST_MAX 10000u /* elements of an array literal */

/* ---- inside ---- */

static bool clean_part(struct gw_lower *l, struct gw_bound **part)
{
    if (*part)
        *part = (struct gw_bound *)gw_lower_clean(l, *part);
    return !gw_lower_failed(l);
}

static bool clean_from(struct gw_lower *l, struct gw_bound_arm *arm)
{
    struct gw_bound_from *from = gw_arena_alloc(l->r->scratch, arm->n_from * sizeof *from);
    for (uint32_t i = 0; i < arm->n_from; i++) {
        from[i] = arm->from[i];
        if (!clean_part(l, &from[i].on) || !clean_part(l, &from[i].guard))
            return false;
        if (from[i].is_left)
            gw_lower_vars_add(&l->outer_joined, from[i].var->number);
    }
    arm->from = from;
    return true;
}

bool gw_lower_clean_select(struct gw_lower *l, struct gw_bound *sub)
{
    struct gw_bound_select *select = gw_arena_alloc(l->r->scratch, sizeof *select);
    *select = *sub->select;
    select->arms = gw_arena_alloc(l->r->scratch, select->n_arms * sizeof *select->arms);
    for (uint32_t i = 0; i < select->n_arms; i++) {
        struct gw_bound_arm *arm = &select->arms[i];
        *arm = sub->select->arms[i];
        if (!clean_from(l, arm) || !clean_part(l, &arm->where) || !clean_part(l, &arm->target))
            return false;
    }
    sub->select = select;
    return true;
}

/* ---- sub-selects without FROM ---- */

static bool yields_set(struct gw_lower *l, const struct gw_bound_arm *arm)
{
    return arm->target && (gw_lower_info(l, arm->target)->bits & GW_LOWER_SET) != 0;
}

/* One row at most, which follows from no table. */
static bool is_plain(struct gw_lower *l, const struct gw_bound_arm *arm)
{
    return arm->n_from == 0 && !yields_set(l, arm);
}

static const struct gw_bound *clean_scalar(struct gw_lower *l, const struct gw_bound *node)
{
    const struct gw_bound_arm *arm = &node->select->arms[0];
    if (node->select->n_arms != 1 || !is_plain(l, arm))
        return node;
    if (!arm->where)
        return arm->target;
    struct gw_bound *choice = gw_lower_b_new(l, GW_B_CASE, arm->target->type_oid, 3);
    choice->args[0] = arm->where;
    choice->args[1] = arm->target;
    choice->args[2] = (struct gw_bound *)gw_lower_b_null(l, arm->target->type_oid);
    return choice;
}

/* Sorts the arms: plain ones to out, the rest to a select of their own. Returns how many are plain.
 */
static uint32_t take_plain(struct gw_lower *l, const struct gw_bound_select *select,
                           struct gw_bound_arm *out, struct gw_bound_select **rest)
{
    uint32_t n = 0;
    *rest = gw_arena_alloc(l->r->scratch, sizeof **rest);
    (*rest)->arms = gw_arena_alloc(l->r->scratch, select->n_arms * sizeof *(*rest)->arms);
    for (uint32_t i = 0; i < select->n_arms; i++) {
        if (is_plain(l, &select->arms[i]))
            out[n++] = select->arms[i];
        else
            (*rest)->arms[(*rest)->n_arms++] = select->arms[i];
    }
    return n;
}

/* What one plain arm answers to EXISTS, IN or ALL. */
static const struct gw_bound *plain_answer(struct gw_lower *l, const struct gw_bound *sub,
                                           const struct gw_bound_arm *arm)
{
    bool is_all = sub->sub_kind == GW_B_ALL;
    const struct gw_bound *compared = NULL;
    if (sub->sub_kind != GW_B_EXISTS)
        compared = gw_lower_b_op(l, sub->text, sub->args[0], arm->target);
    if (!arm->where)
        return compared ? compared : gw_lower_b_bool(l, true);
    const struct gw_bound *there = is_all ? gw_lower_b_is_not(l, arm->where, GW_IS_TRUE)
                                          : gw_lower_b_is(l, arm->where, GW_IS_TRUE);
    if (!compared)
        return there;
    return gw_lower_b_pair(l, is_all ? GW_B_OR : GW_B_AND, there, compared);
}

const struct gw_bound *gw_lower_clean_sub(struct gw_lower *l, struct gw_bound *node)
{
    if (node->sub_kind == GW_B_SCALAR)
        return clean_scalar(l, node);
    if (node->sub_kind == GW_B_ARRAY_OF)
        return node;
    struct gw_bound_arm *arms = gw_arena_alloc(l->r->scratch, node->select->n_arms * sizeof *arms);
    struct gw_bound_select *rest;
    uint32_t n = take_plain(l, node->select, arms, &rest);
    uint32_t n_rest = rest->n_arms > 0;
    if (n == 0)
        return node;
    node->select = rest;
    enum gw_bound_op joint = node->sub_kind == GW_B_ALL ? GW_B_AND : GW_B_OR;
    struct gw_bound *all = gw_lower_b_new(l, joint, GW_OID_BOOL, n + n_rest);
    for (uint32_t i = 0; i < n; i++)
        all->args[i] = (struct gw_bound *)plain_answer(l, node, &arms[i]);
    if (n_rest)
        all->args[n] = node;
    return all->n_args == 1 ? all->args[0] : all;
}

/* ---- casts moved inward ---- */

/* A cast of a clean part, itself clean. */
static struct gw_bound *cast_part(struct gw_lower *l, const struct gw_bound *part,
                                  uint32_t type_oid)
{
    if (part->type_oid == type_oid)
        return (struct gw_bound *)part;
    return (struct gw_bound *)gw_lower_clean(l, gw_lower_b_cast(l, part, type_oid));
}

const struct gw_bound *gw_lower_clean_array_cast(struct gw_lower *l, const struct gw_bound *node)
{
    uint32_t element = gw_lower_element_type(l, node->type_oid);
    struct gw_bound *array = gw_lower_b_copy(l, node->args[0]);
    if (element == 0)
        return node;
    array->type_oid = node->type_oid;
    for (uint32_t i = 0; i < array->n_args; i++) {
        if (array->args[i]->op == GW_B_ARRAY)
            return node; /* of several dimensions */
        array->args[i] = cast_part(l, array->args[i], element);
        if (!array->args[i])
            return NULL;
    }
    return array;
}

/* Casts what each arm yields; false: refused. */
static bool cast_targets(struct gw_lower *l, struct gw_bound *sub, uint32_t type_oid)
{
    struct gw_bound_select *select = gw_arena_alloc(l->r->scratch, sizeof *select);
    *select = *sub->select;
    select->arms = gw_arena_alloc(l->r->scratch, select->n_arms * sizeof *select->arms);
    for (uint32_t i = 0; i < select->n_arms; i++) {
        select->arms[i] = sub->select->arms[i];
        select->arms[i].target = cast_part(l, select->arms[i].target, type_oid);
        if (!select->arms[i].target)
            return false;
    }
    sub->select = select;
    return true;
}

const struct gw_bound *gw_lower_clean_scalar_cast(struct gw_lower *l, const struct gw_bound *node)
{
    struct gw_bound *sub = gw_lower_b_copy(l, node->args[0]);
    sub->type_oid = node->type_oid;
    return cast_targets(l, sub, node->type_oid) ? sub : NULL;
}

/* ---- = ANY (…) ---- */

/* The next element of an array literal of one dimension: after '{' or ','. Returns where the text
 * goes on behind the element, or NULL: not that simple. */
static const char *next_element(const char *at, const char *end, struct gw_buf *out, bool *is_null)
{
    bool is_quoted = at < end && *at == '"';
    gw_buf_reset(out);
    at += is_quoted;
    for (; at < end; at++) {
        if (is_quoted ? *at == '"' : *at == ',' || *at == '}')
            break;
        if (!is_quoted && (*at == '{' || *at == '"' || *at == ' '))
            return NULL;
        if (*at == '\\' && ++at == end)
            return NULL;
        gw_buf_add_byte(out, *at);
    }
    *is_null = !is_quoted && gw_span_is_nocase(gw_buf_span(out), "null");
    at += is_quoted;
    return at < end && (is_quoted || out->n > 0) ? at : NULL;
}

static const struct gw_bound *element_of(struct gw_lower *l, struct gw_span text, bool is_null,
                                         uint32_t type_oid)
{
    const struct gw_bound *literal =
        is_null ? gw_lower_b_null(l, type_oid) : gw_lower_b_const(l, 0, text);
    return is_null ? literal : cast_part(l, literal, type_oid);
}

/* '{a,b}' as ARRAY['a', 'b'], or NULL. */
static struct gw_bound *list_of_literal(struct gw_lower *l, const struct gw_bound *literal,
                                        uint32_t element)
{
    const char *at = literal->text.p, *end = at + literal->text.n;
    uint32_t most = 1;
    for (const char *p = at; p < end; p++)
        most += *p == ',';
    if (end - at < 2 || *at != '{' || end[-1] != '}' || most > LIST_MAX)
        return NULL;
    struct gw_bound *list = gw_lower_b_new(l, GW_B_ARRAY, literal->type_oid, most);
    struct gw_buf text;
    bool is_null;
    gw_buf_init(&text, 0);
    list->n_args = 0;
    while (at && end - at > 2 && *at != '}') {
        at = next_element(at + 1, end, &text, &is_null);
        if (at)
            list->args[list->n_args++] =
                (struct gw_bound *)element_of(l, gw_buf_span(&text), is_null, element);
    }
    gw_buf_fini(&text);
    return at && (at + 1 == end || end - literal->text.p == 2) ? list : NULL;
}

/* x op ANY (ARRAY(SELECT …)), perhaps cast. */
static const struct gw_bound *any_of_select(struct gw_lower *l, const struct gw_bound *node,
                                            const struct gw_bound *array, uint32_t cast_to)
{
    struct gw_bound *sub = gw_lower_b_copy(l, array);
    uint32_t element = cast_to ? gw_lower_element_type(l, cast_to) : 0;
    if (cast_to && (element == 0 || !cast_targets(l, sub, element)))
        return node;
    for (uint32_t i = 0; i < sub->select->n_arms; i++)
        if (gw_lower_element_type(l, sub->select->arms[i].target->type_oid))
            return node; /* rows of arrays */
    sub->type_oid = GW_OID_BOOL;
    sub->sub_kind = node->is_all ? GW_B_ALL : GW_B_IN;
    sub->text = node->text;
    sub->n_args = 1;
    sub->args = node->args;
    return gw_lower_clean_sub(l, sub);
}

const struct gw_bound *gw_lower_clean_any(struct gw_lower *l, struct gw_bound *node)
{
    struct gw_bound *array = node->args[1];
    bool is_cast = array->op == GW_B_CAST;
    const struct gw_bound *inner = is_cast ? array->args[0] : array;
    uint32_t element = gw_lower_element_type(l, array->type_oid);
    if (inner->op == GW_B_SUB && inner->sub_kind == GW_B_ARRAY_OF)
        return any_of_select(l, node, inner, is_cast ? array->type_oid : 0);
    if (array->op == GW_B_CONST && !array->is_null && element) {
        struct gw_bound *list = list_of_literal(l, array, element);
        if (list)
            node->args[1] = list;
    }
    return node;
}
