/* bind_effect: what a body of plpgsql evaluates for nothing but that it may raise.
 *
 * An argument, a value that is assigned and PERFORM are evaluated in any case; in the tree made of
 * the body stands only what decides. Where the rest may raise, as a cast of a claim does, dropping
 * it would show a row that Postgres does not: such a body is refused. What is looked for is casts
 * out of text and divisions; the conditions of queries are not gone through. */
#include "bind_machine.h"

static bool is_text_like(uint32_t type)
{
    return gw_bind_is_textual(type) || type == GW_T_JSON || type == GW_T_JSONB;
}

static bool raises(const struct gw_binder *b, const struct gw_bound *node)
{
    if (node->op == GW_B_OP)
        return gw_span_is(node->text, "/") || gw_span_is(node->text, "%");
    return node->op == GW_B_CAST && !gw_bind_is_textual(node->type_oid) &&
           is_text_like(gw_bind_base_type(b, node->args[0]->type_oid));
}

/* *left: nodes that may still be looked at; past them it may. */
static bool may_raise(const struct gw_binder *b, const struct gw_bound *node, uint32_t *left)
{
    if (*left == 0 || raises(b, node))
        return true;
    --*left;
    for (uint32_t i = 0; i < node->n_args; i++)
        if (may_raise(b, node->args[i], left))
            return true;
    bool is_scalar = node->op == GW_B_SUB && node->sub_kind == GW_B_SCALAR;
    for (uint32_t i = 0; is_scalar && i < node->select->n_arms; i++)
        if (may_raise(b, node->select->arms[i].target, left))
            return true;
    return false;
}

bool gw_bind_may_raise(const struct gw_binder *b, const struct gw_bound *node)
{
    uint32_t left = 1000;
    return may_raise(b, node, &left);
}

void gw_bind_note_value(struct gw_bind_machine *m, struct gw_bound *value)
{
    if (value->op == GW_B_CONST || !gw_bind_may_raise(m->b, value))
        return;
    if (m->n_values == GW_BIND_VALUES_MAX)
        gw_bind_fail(m->b, "assigns more than %u values", GW_BIND_VALUES_MAX);
    else
        m->values[m->n_values++] = value;
}

static bool query_has(const struct gw_bind_query *q, const struct gw_bound *value)
{
    for (uint32_t i = 0; i < q->n_arms; i++) {
        const struct gw_bind_arm *arm = q->arms[i];
        if (gw_bind_has(arm->where, value))
            return true;
        for (uint32_t k = 0; k < q->n_columns; k++)
            if (gw_bind_has(arm->targets[k], value))
                return true;
        for (uint32_t k = 0; k < arm->n_from; k++)
            if (gw_bind_has(arm->from[k].on, value))
                return true;
    }
    return false;
}

bool gw_bind_check_dropped(struct gw_bind_machine *m, const struct gw_bound *out)
{
    if (m->env.fn->is_strict && !m->rows)
        return true; /* arguments stand behind the body */
    for (uint32_t i = 0; i < m->n_values && m->b->why.n == 0; i++)
        if (m->rows ? !query_has(m->rows, m->values[i]) : !gw_bind_has(out, m->values[i]))
            gw_bind_fail(m->b, "evaluates what may raise an error and decides nothing");
    return m->b->why.n == 0;
}
