/* lower_external: what Postgres evaluates once per row: an expression over the columns it needs,
 * each handed over as text and cast back, so that it is evaluated as in the policy. Equal texts are
 * one external, so their answers are remembered together. */
#include "lower_internal.h"

#include <stdlib.h>

#define ARGS_MAX 32u

static uint32_t intern(struct gw_lower *l, const struct gw_external *x)
{
    struct gw_lower_rules *r = l->r;
    for (uint32_t i = 0; i < r->n_externals; i++) {
        const struct gw_external *known = &r->externals[i];
        if (gw_span_eq(known->sql, x->sql) && known->is_immutable == x->is_immutable)
            return i;
    }
    if (r->n_externals == r->cap_externals) {
        r->cap_externals = r->cap_externals ? r->cap_externals * 2 : 16;
        r->externals = gw_realloc(r->externals, r->cap_externals * sizeof *r->externals);
    }
    r->externals[r->n_externals] = *x;
    r->externals[r->n_externals].sql = gw_arena_copy(&r->rules->arena, x->sql);
    return r->n_externals++;
}

static bool take_args(struct gw_lower *l, const struct gw_lower_sql *w, struct gw_expr *e)
{
    for (uint32_t i = 0; i < w->n_args; i++) {
        e->args[i] = gw_lower_native(l, w->args[i]);
        if (!e->args[i] && w->args[i]->op == GW_B_COLUMN)
            gw_lower_column(l, w->args[i]); /* for its reason */
        if (!e->args[i])
            return false;
        gw_lower_needs_text(l, e->args[i]);
        e->caller_free = e->caller_free && e->args[i]->caller_free;
    }
    return true;
}

static struct gw_expr *make(struct gw_lower *l, const struct gw_bound *node, uint32_t type_oid,
                            const struct gw_lower_sql *w)
{
    uint32_t bits = gw_lower_info(l, node)->bits;
    struct gw_external x = {
        .sql = gw_buf_span(w->out),
        .n_args = w->n_args,
        .is_immutable = (bits & (GW_LOWER_STABLE | GW_LOWER_TIME)) == 0,
        .kind = gw_lower_type_kind(l, type_oid),
        .type_oid = type_oid,
    };
    struct gw_expr *e = gw_lower_expr(l, GW_EXPR_EXTERNAL, x.kind, w->n_args);
    if (!e)
        return NULL;
    e->type_oid = type_oid;
    if (!take_args(l, w, e))
        return gw_lower_refuse_node(l, "cannot hand to Postgres what it needs for", node);
    e->index = intern(l, &x);
    return e;
}

static void note(struct gw_lower *l, const struct gw_bound *node)
{
    struct gw_buf sketch;
    gw_buf_init(&sketch, 0);
    struct gw_lower_sql w = {.l = l, .out = &sketch, .is_sketch = true};
    gw_lower_sql(&w, node);
    gw_lower_note(l, "Postgres evaluates ", gw_buf_span(&sketch));
    gw_buf_fini(&sketch);
}

/* node's SQL between head and tail, which make a value of that type of it. */
static struct gw_expr *around(struct gw_lower *l, const struct gw_bound *node, const char *head,
                              const char *tail, uint32_t type_oid)
{
    struct gw_buf sql;
    struct gw_expr *e = NULL;
    if (l->native_only)
        return NULL;
    gw_buf_init(&sql, 0);
    struct gw_lower_sql w = {.l = l, .out = &sql};
    gw_buf_add_str(&sql, head);
    gw_lower_sql(&w, node);
    gw_buf_add_str(&sql, tail);
    if (w.failed || w.n_args > ARGS_MAX)
        gw_lower_refuse_node(l, "cannot be written as one expression: ", node);
    else
        e = make(l, node, type_oid, &w);
    gw_buf_fini(&sql);
    if (e)
        note(l, node);
    return e;
}

struct gw_expr *gw_lower_external(struct gw_lower *l, const struct gw_bound *node)
{
    return around(l, node, "", "", node->type_oid);
}

struct gw_expr *gw_lower_external_keys(struct gw_lower *l, const struct gw_bound *json)
{
    return around(l, json, GW_LOWER_KEYS_HEAD, GW_LOWER_KEYS_TAIL, GW_OID_TEXT_ARRAY);
}

struct gw_expr *gw_lower_value(struct gw_lower *l, const struct gw_bound *node,
                               uint32_t literal_type)
{
    if (node->op == GW_B_CONST) {
        uint32_t type = node->type_oid ? node->type_oid : literal_type;
        struct gw_expr *e = gw_lower_constant(l, node, type ? type : GW_OID_TEXT);
        if (e)
            return e;
    }
    if (gw_lower_is_caller_only(l, node))
        return gw_lower_fact(l, node);
    if (!gw_lower_is_caller_free(l, node))
        return gw_lower_refuse_node(l, "mixes the caller's claims with the row in", node);
    struct gw_expr *e = gw_lower_native(l, node);
    return e ? e : gw_lower_external(l, node);
}
