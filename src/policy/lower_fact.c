/* lower_fact: caller-only expressions become facts, one per text: policies that compare with the
 * same thing share it, whatever table they stand on. */
#include "lower_internal.h"

#include <stdlib.h>

bool gw_lower_is_claim_setting(const struct gw_lower *l, struct gw_span name)
{
    static const char *const own[] = {"request.jwt.claims", "request.jwt.claim.sub",
                                      "request.jwt.claim.role"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (gw_span_is_nocase(name, own[i]))
            return true;
    for (uint32_t i = 0; i < l->r->n_settings; i++) {
        struct gw_span mapped = l->r->settings[i].setting; /* NUL-terminated */
        if (gw_span_is_nocase(name, mapped.p))
            return true;
    }
    return false;
}

static uint32_t intern(struct gw_lower *l, const struct gw_fact_def *def)
{
    struct gw_lower_rules *r = l->r;
    for (uint32_t i = 0; i < r->n_facts; i++)
        if (r->facts[i].is_set == def->is_set && gw_span_eq(r->facts[i].sql, def->sql))
            return i;
    if (r->n_facts == r->cap_facts) {
        r->cap_facts = r->cap_facts ? r->cap_facts * 2 : 16;
        r->facts = gw_realloc(r->facts, r->cap_facts * sizeof *r->facts);
    }
    r->facts[r->n_facts] = *def;
    r->facts[r->n_facts].sql = gw_arena_copy(&r->rules->arena, def->sql);
    return r->n_facts++;
}

static struct gw_expr *fact_of(struct gw_lower *l, const struct gw_fact_def *def)
{
    struct gw_expr *e = gw_lower_expr(l, GW_EXPR_FACT, def->kind, 0);
    if (!e)
        return NULL;
    e->index = intern(l, def);
    e->type_oid = def->type_oid;
    return e;
}

static void note(struct gw_lower *l, const struct gw_bound *node)
{
    struct gw_buf sketch;
    gw_buf_init(&sketch, 0);
    struct gw_lower_sql w = {.l = l, .out = &sketch, .is_sketch = true};
    gw_lower_sql(&w, node);
    gw_lower_note(l, "Postgres evaluates once per caller ", gw_buf_span(&sketch));
    gw_buf_fini(&sketch);
}

/* def holds all but the text; node: what it is the text of. */
static struct gw_expr *finish(struct gw_lower *l, const struct gw_bound *node,
                              struct gw_fact_def *def)
{
    struct gw_buf sql;
    struct gw_expr *e = NULL;
    gw_buf_init(&sql, 0);
    struct gw_lower_sql w = {.l = l, .out = &sql};
    gw_lower_sql(&w, node);
    if (w.failed || w.n_args) {
        gw_lower_refuse_node(l, "cannot write down", node);
    } else {
        def->sql = gw_buf_span(&sql);
        e = fact_of(l, def);
    }
    gw_buf_fini(&sql);
    if (e && !def->native)
        note(l, node);
    return e;
}

struct gw_expr *gw_lower_fact(struct gw_lower *l, const struct gw_bound *node)
{
    struct gw_fact_def def = {
        .kind = gw_lower_type_kind(l, node->type_oid),
        .type_oid = node->type_oid,
        .native = gw_lower_fact_native(l, node),
    };
    return finish(l, node, &def);
}

/* Of an array, or of what ARRAY(SELECT …) yields. */
static uint32_t element_type(const struct gw_lower *l, const struct gw_bound *node)
{
    if (node->op == GW_B_SUB)
        return node->select->arms[0].target->type_oid;
    return gw_lower_element_type(l, node->type_oid);
}

struct gw_expr *gw_lower_set_fact(struct gw_lower *l, const struct gw_bound *node)
{
    uint32_t element = element_type(l, node);
    struct gw_fact_def def = {
        .kind = gw_lower_type_kind(l, element),
        .type_oid = element,
        .is_set = true,
        .native = gw_lower_set_native(l, node),
    };
    if (element == 0)
        return gw_lower_refuse_node(l, "does not know the type of the elements of", node);
    return finish(l, node, &def);
}

/* The array before its elements are cast. One that does not cast raises in the set itself, and
 * keeps its caller out. */
static const struct gw_bound *uncast(struct gw_lower *l, const struct gw_bound *node)
{
    if (node->op == GW_B_CAST && gw_lower_element_type(l, node->args[0]->type_oid))
        return uncast(l, node->args[0]);
    if (node->op != GW_B_SUB || node->select->n_arms != 1)
        return node;
    struct gw_bound *copy = gw_lower_b_copy(l, node);
    struct gw_bound_select *select = gw_arena_alloc(l->r->scratch, sizeof *select);
    select->n_arms = 1;
    select->arms = gw_arena_alloc(l->r->scratch, sizeof *select->arms);
    select->arms[0] = node->select->arms[0];
    while (select->arms[0].target->op == GW_B_CAST)
        select->arms[0].target = select->arms[0].target->args[0];
    copy->select = select;
    return copy;
}

struct gw_expr *gw_lower_empty_fact(struct gw_lower *l, const struct gw_bound *node)
{
    const struct gw_bound *array = uncast(l, node);
    struct gw_bound *count = gw_lower_b_new(l, GW_B_CALL, GW_OID_INT4, 1);
    count->text = GW_SPAN_LIT("pg_catalog.cardinality");
    count->args[0] = (struct gw_bound *)array;
    const struct gw_bound *zero = gw_lower_b_const(l, GW_OID_INT4, GW_SPAN_LIT("0"));
    struct gw_fact_def def = {
        .kind = GW_KIND_BOOL, .type_oid = GW_OID_BOOL, .native = gw_lower_empty_native(l, array)};
    return finish(l, gw_lower_b_op(l, GW_SPAN_LIT("="), count, zero), &def);
}

struct gw_expr *gw_lower_key_set_fact(struct gw_lower *l, const struct gw_bound *json)
{
    struct gw_buf sql, inner;
    struct gw_expr *e = NULL;
    struct gw_fact_def def = {.kind = GW_KIND_TEXT, .type_oid = GW_OID_TEXT, .is_set = true};
    gw_buf_init(&sql, 0);
    gw_buf_init(&inner, 0);
    struct gw_lower_sql w = {.l = l, .out = &inner};
    gw_lower_sql(&w, json);
    gw_buf_add_str(&sql, GW_LOWER_KEYS_HEAD);
    gw_buf_add_span(&sql, gw_buf_span(&inner));
    gw_buf_add_str(&sql, GW_LOWER_KEYS_TAIL);
    def.sql = gw_buf_span(&sql);
    if (w.failed || w.n_args)
        gw_lower_refuse_node(l, "cannot write down", json);
    else
        e = fact_of(l, &def);
    gw_buf_fini(&sql);
    gw_buf_fini(&inner);
    if (e)
        note(l, json);
    return e;
}
