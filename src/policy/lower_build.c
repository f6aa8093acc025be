/* lower_build: new nodes of the bound tree, for the rewritings of lower. */
#include "lower_internal.h"

struct gw_bound *gw_lower_b_new(struct gw_lower *l, enum gw_bound_op op, uint32_t type_oid,
                                uint32_t n_args)
{
    struct gw_bound *node = gw_arena_alloc(l->r->scratch, sizeof *node);
    node->op = op;
    node->type_oid = type_oid;
    node->volatility = 'i';
    node->n_args = n_args;
    node->args = gw_arena_alloc(l->r->scratch, n_args * sizeof(struct gw_bound *));
    return node;
}

struct gw_bound *gw_lower_b_copy(struct gw_lower *l, const struct gw_bound *node)
{
    struct gw_bound *copy = gw_arena_alloc(l->r->scratch, sizeof *copy);
    *copy = *node;
    copy->args = gw_arena_alloc(l->r->scratch, node->n_args * sizeof(struct gw_bound *));
    if (node->n_args)
        memcpy(copy->args, node->args, node->n_args * sizeof(struct gw_bound *));
    return copy;
}

const struct gw_bound *gw_lower_b_const(struct gw_lower *l, uint32_t type_oid, struct gw_span text)
{
    struct gw_bound *node = gw_lower_b_new(l, GW_B_CONST, type_oid, 0);
    node->text = gw_arena_copy(l->r->scratch, text);
    return node;
}

const struct gw_bound *gw_lower_b_null(struct gw_lower *l, uint32_t type_oid)
{
    struct gw_bound *node = gw_lower_b_new(l, GW_B_CONST, type_oid, 0);
    node->is_null = true;
    return node;
}

const struct gw_bound *gw_lower_b_bool(struct gw_lower *l, bool value)
{
    return gw_lower_b_const(l, GW_OID_BOOL, value ? GW_SPAN_LIT("t") : GW_SPAN_LIT("f"));
}

/* Nodes are only read once they are made; the contract's pointers are not const. */
static struct gw_bound *part(const struct gw_bound *node)
{
    return (struct gw_bound *)node;
}

const struct gw_bound *gw_lower_b_pair(struct gw_lower *l, enum gw_bound_op op,
                                       const struct gw_bound *a, const struct gw_bound *b)
{
    struct gw_bound *node = gw_lower_b_new(l, op, GW_OID_BOOL, 2);
    node->args[0] = part(a);
    node->args[1] = part(b);
    return node;
}

static struct gw_bound *unary(struct gw_lower *l, enum gw_bound_op op, const struct gw_bound *a)
{
    struct gw_bound *node = gw_lower_b_new(l, op, GW_OID_BOOL, 1);
    node->args[0] = part(a);
    return node;
}

const struct gw_bound *gw_lower_b_not(struct gw_lower *l, const struct gw_bound *a)
{
    return unary(l, GW_B_NOT, a);
}

const struct gw_bound *gw_lower_b_op(struct gw_lower *l, struct gw_span op,
                                     const struct gw_bound *a, const struct gw_bound *b)
{
    struct gw_bound *node = part(gw_lower_b_pair(l, GW_B_OP, a, b));
    node->text = op;
    return node;
}

const struct gw_bound *gw_lower_b_cast(struct gw_lower *l, const struct gw_bound *a,
                                       uint32_t type_oid)
{
    struct gw_bound *node = unary(l, GW_B_CAST, a);
    node->type_oid = type_oid;
    return node;
}

const struct gw_bound *gw_lower_b_is_null(struct gw_lower *l, const struct gw_bound *a)
{
    return unary(l, GW_B_NULL_TEST, a);
}

const struct gw_bound *gw_lower_b_is_not_null(struct gw_lower *l, const struct gw_bound *a)
{
    struct gw_bound *node = unary(l, GW_B_NULL_TEST, a);
    node->is_not = true;
    return node;
}

const struct gw_bound *gw_lower_b_is(struct gw_lower *l, const struct gw_bound *a, enum gw_is test)
{
    struct gw_bound *node = unary(l, GW_B_BOOL_TEST, a);
    node->test = test;
    return node;
}

const struct gw_bound *gw_lower_b_is_not(struct gw_lower *l, const struct gw_bound *a,
                                         enum gw_is test)
{
    struct gw_bound *node = unary(l, GW_B_BOOL_TEST, a);
    node->test = test;
    node->is_not = true;
    return node;
}
