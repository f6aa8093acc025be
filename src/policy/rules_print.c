/* rules_print: a tree as text:
 *     or(eq(t0.user_id, fact[0 …]), exists(trip_collaborators t1 by(trip_id = t0.id) eq(…)))
 * t0 is the row judged; columns of it are named by what the compiler left in them. */
#include "rules_own.h"

#define PRINT_DEPTH_MAX 200u
#define PRINT_SQL_MAX 120u

struct printer {
    struct gw_buf *out;
    const struct gw_rules *r;
    uint32_t depth;
};

static void print(struct printer *p, const struct gw_expr *e);

static void add_cut(struct gw_buf *out, struct gw_span s)
{
    bool is_long = s.n > PRINT_SQL_MAX;
    gw_buf_add_span(out, (struct gw_span){s.p, is_long ? PRINT_SQL_MAX : s.n});
    if (is_long)
        gw_buf_add_str(out, "…");
}

static void print_list(struct printer *p, struct gw_expr *const *items, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            gw_buf_add_str(p->out, ", ");
        print(p, items[i]);
    }
}

static void print_call(struct printer *p, const char *name, const struct gw_expr *e)
{
    gw_buf_add_str(p->out, name);
    gw_buf_add_byte(p->out, '(');
    print_list(p, e->args, e->n_args);
    gw_buf_add_byte(p->out, ')');
}

/* ---- values ---- */

static void print_const(struct printer *p, const struct gw_datum *d)
{
    switch (d->state) {
    case GW_DATUM_NULL:
        gw_buf_add_str(p->out, "null");
        break;
    case GW_DATUM_VALUE:
        if (d->kind == GW_KIND_BOOL) {
            gw_buf_add_str(p->out, d->key.lo ? "true" : "false");
            break;
        }
        gw_buf_add_byte(p->out, '\'');
        add_cut(p->out, d->text);
        gw_buf_add_byte(p->out, '\'');
        break;
    default:
        gw_buf_add_str(p->out, d->state == GW_DATUM_ERROR ? "error" : "unknown");
    }
}

static void print_column(struct printer *p, const struct gw_expr *e)
{
    gw_buf_printf(p->out, "t%u.", e->slot);
    if (e->datum.text.n)
        gw_buf_add_span(p->out, e->datum.text);
    else
        gw_buf_printf(p->out, "%u", e->column);
}

static void print_fact(struct printer *p, uint32_t fact)
{
    const struct gw_fact_def *def = fact < p->r->n_facts ? &p->r->facts[fact] : NULL;
    gw_buf_printf(p->out, "fact[%u%s ", fact, def && def->is_set ? " set" : "");
    if (def)
        gw_rules_print_fact(p->out, def);
    gw_buf_add_byte(p->out, ']');
}

static void print_external(struct printer *p, const struct gw_expr *e)
{
    gw_buf_add_str(p->out, "external[");
    if (e->index < p->r->n_externals)
        add_cut(p->out, p->r->externals[e->index].sql);
    print_call(p, "]", e);
}

/* ---- sub-selects ---- */

static void print_where(struct printer *p, const char *head, struct gw_expr *const *items,
                        uint32_t n)
{
    if (n == 0)
        return;
    gw_buf_add_str(p->out, head);
    print_list(p, items, n);
}

static void print_source(struct printer *p, const struct gw_source *s)
{
    const struct gw_state_table_def *t = &p->r->tables[s->table];
    gw_buf_add_str(p->out, s->is_left ? " left " : " ");
    gw_buf_add_span(p->out, t->name);
    gw_buf_printf(p->out, " t%u", s->slot);
    if (s->index >= 0)
        gw_buf_add_str(p->out, " by(");
    for (uint32_t i = 0; i < s->n_keys; i++) {
        gw_buf_add_str(p->out, i ? ", " : "");
        gw_buf_add_span(p->out, t->columns[t->indexes[s->index].columns[i]].name);
        gw_buf_add_str(p->out, " = ");
        print(p, s->keys[i]);
    }
    gw_buf_add_str(p->out, s->index >= 0 ? ")" : " all");
    print_where(p, " on ", s->on, s->n_on);
    print_where(p, " where ", s->where, s->n_where);
}

static void print_sub(struct printer *p, const char *name, const struct gw_expr *e)
{
    gw_buf_add_str(p->out, name);
    gw_buf_add_byte(p->out, '(');
    print_list(p, e->args, e->n_args);
    for (uint32_t i = 0; i < e->sub->n_arms; i++) {
        const struct gw_subselect_arm *arm = &e->sub->arms[i];
        gw_buf_add_str(p->out, i ? " union" : e->n_args ? ", from" : "from");
        print_where(p, " where ", arm->where, arm->n_where);
        for (uint32_t k = 0; k < arm->n_sources; k++)
            print_source(p, &arm->sources[k]);
        if (arm->target)
            print_where(p, " yields ", &arm->target, 1);
    }
    gw_buf_add_byte(p->out, ')');
}

/* ---- all ---- */

static const char *compare_name(enum gw_cmp cmp)
{
    static const char *const names[] = {
        [GW_CMP_EQ] = "eq",
        [GW_CMP_NE] = "ne",
        [GW_CMP_LT] = "lt",
        [GW_CMP_LE] = "le",
        [GW_CMP_GT] = "gt",
        [GW_CMP_GE] = "ge",
        [GW_CMP_DISTINCT] = "distinct",
    };
    return names[cmp];
}

static void print_value(struct printer *p, const struct gw_expr *e)
{
    switch (e->op) {
    case GW_EXPR_CONST:
        print_const(p, &e->datum);
        break;
    case GW_EXPR_COLUMN:
        print_column(p, e);
        break;
    case GW_EXPR_INPUT:
        gw_buf_add_str(p->out, "topic");
        break;
    case GW_EXPR_FACT:
        print_fact(p, e->index);
        break;
    case GW_EXPR_NATIVE:
        print_call(p, gw_natives[e->index].name, e);
        break;
    case GW_EXPR_EXTERNAL:
        print_external(p, e);
        break;
    case GW_EXPR_COALESCE:
        print_call(p, "coalesce", e);
        break;
    case GW_EXPR_CASE:
        print_call(p, "case", e);
        break;
    default:
        print_sub(p, "scalar", e);
    }
}

static void print_boolean(struct printer *p, const struct gw_expr *e)
{
    static const char *const tests[] = {"is_true", "is_false", "is_unknown"};
    switch (e->op) {
    case GW_EXPR_TRUTH:
        print_call(p, "truth", e);
        break;
    case GW_EXPR_AND:
        print_call(p, "and", e);
        break;
    case GW_EXPR_OR:
        print_call(p, "or", e);
        break;
    case GW_EXPR_NOT:
        print_call(p, "not", e);
        break;
    case GW_EXPR_IS_NULL:
        print_call(p, "is_null", e);
        break;
    case GW_EXPR_IS:
        print_call(p, tests[e->test], e);
        break;
    case GW_EXPR_COMPARE:
        print_call(p, compare_name(e->cmp), e);
        break;
    case GW_EXPR_ANY:
        print_call(p, "any", e);
        break;
    case GW_EXPR_IN_LIST:
        print_call(p, "in_list", e);
        break;
    case GW_EXPR_EXISTS:
        print_sub(p, "exists", e);
        break;
    default:
        print_sub(p, "in", e);
    }
}

static void print(struct printer *p, const struct gw_expr *e)
{
    if (p->depth >= PRINT_DEPTH_MAX) {
        gw_buf_add_str(p->out, "…");
        return;
    }
    p->depth++;
    if (e->op <= GW_EXPR_SCALAR)
        print_value(p, e);
    else
        print_boolean(p, e);
    p->depth--;
}

void gw_expr_print(struct gw_buf *out, const struct gw_rules *r, const struct gw_expr *e)
{
    struct printer p = {.out = out, .r = r};
    print(&p, e);
}
