/* bound_print: trees of bound.h on one line, to compare in tests.
 *
 * The row judged is "row", variables further in are <table><number>. Constants carry their type's
 * name; a call of a function of the user's is marked with !. */
#ifndef GW_TEST_BOUND_PRINT_H
#define GW_TEST_BOUND_PRINT_H

#include "../../../src/policy/bound.h"

static void bp_node(struct gw_buf *out, const struct gw_catalog *c, const struct gw_bound *n);

static void bp_type(struct gw_buf *out, const struct gw_catalog *c, uint32_t oid)
{
    const struct gw_type *type = gw_types_find(&c->types, oid);
    if (oid == 2205)
        gw_buf_add_str(out, "regclass");
    else if (type)
        gw_buf_add_span(out, type->name);
    else
        gw_buf_printf(out, oid ? "%u" : "?", oid);
}

static void bp_var(struct gw_buf *out, const struct gw_bound_var *var)
{
    if (var->number == 0)
        gw_buf_add_str(out, "row");
    else
        gw_buf_printf(out, "%.*s%u", (int)var->table->name.n, var->table->name.p, var->number);
}

static void bp_list(struct gw_buf *out, const struct gw_catalog *c, const struct gw_bound *n,
                    const char *between)
{
    for (uint32_t i = 0; i < n->n_args; i++) {
        if (i)
            gw_buf_add_str(out, between);
        bp_node(out, c, n->args[i]);
    }
}

static void bp_named(struct gw_buf *out, const struct gw_catalog *c, const char *name,
                     const struct gw_bound *n)
{
    gw_buf_printf(out, "%s(", name);
    bp_list(out, c, n, ", ");
    gw_buf_add_byte(out, ')');
}

static void bp_part(struct gw_buf *out, const struct gw_catalog *c, const char *word,
                    const struct gw_bound *n)
{
    if (!n)
        return;
    gw_buf_printf(out, " %s ", word);
    bp_node(out, c, n);
}

static void bp_select(struct gw_buf *out, const struct gw_catalog *c,
                      const struct gw_bound_select *s)
{
    gw_buf_add_byte(out, '{');
    for (uint32_t i = 0; i < s->n_arms; i++) {
        const struct gw_bound_arm *arm = &s->arms[i];
        gw_buf_add_str(out, i ? " | " : "");
        if (arm->target)
            bp_node(out, c, arm->target);
        for (uint32_t k = 0; k < arm->n_from; k++) {
            const struct gw_bound_from *f = &arm->from[k];
            gw_buf_add_str(out, f->is_left ? " left " : k ? ", " : " from ");
            bp_var(out, f->var);
            bp_part(out, c, "guard", f->guard);
            bp_part(out, c, "on", f->on);
        }
        bp_part(out, c, "where", arm->where);
        gw_buf_add_str(out, arm->is_limited ? " first" : "");
    }
    gw_buf_add_byte(out, '}');
}

static void bp_sub(struct gw_buf *out, const struct gw_catalog *c, const struct gw_bound *n)
{
    static const char *const KINDS[] = {"EXISTS", "IN", "ALL", "", "ARRAY"};
    if (n->n_args)
        bp_node(out, c, n->args[0]);
    if (n->n_args && !gw_span_is(n->text, "="))
        gw_buf_printf(out, " %.*s", (int)n->text.n, n->text.p);
    gw_buf_printf(out, "%s%s", n->n_args ? " " : "", KINDS[n->sub_kind]);
    bp_select(out, c, n->select);
}

static void bp_const(struct gw_buf *out, const struct gw_catalog *c, const struct gw_bound *n)
{
    if (n->is_null)
        gw_buf_add_str(out, "null");
    else
        gw_buf_printf(out, "'%.*s'", (int)n->text.n, n->text.p);
    gw_buf_add_byte(out, ':');
    bp_type(out, c, n->type_oid);
}

static void bp_op(struct gw_buf *out, const struct gw_catalog *c, const struct gw_bound *n)
{
    gw_buf_add_byte(out, '(');
    if (n->n_args == 2)
        bp_node(out, c, n->args[0]);
    gw_buf_printf(out, n->n_args == 2 ? " %.*s " : "%.*s", (int)n->text.n, n->text.p);
    bp_node(out, c, n->args[n->n_args - 1]);
    gw_buf_add_byte(out, ')');
}

static void bp_any(struct gw_buf *out, const struct gw_catalog *c, const struct gw_bound *n)
{
    gw_buf_add_byte(out, '(');
    bp_node(out, c, n->args[0]);
    gw_buf_printf(out, " %.*s %s ", (int)n->text.n, n->text.p, n->is_all ? "ALL" : "ANY");
    bp_node(out, c, n->args[1]);
    gw_buf_add_byte(out, ')');
}

static void bp_test(struct gw_buf *out, const struct gw_catalog *c, const struct gw_bound *n)
{
    static const char *const TESTS[] = {"TRUE", "FALSE", "UNKNOWN"};
    gw_buf_add_byte(out, '(');
    bp_node(out, c, n->args[0]);
    gw_buf_printf(out, " IS %s%s)", n->is_not ? "NOT " : "",
                  n->op == GW_B_NULL_TEST ? "NULL" : TESTS[n->test]);
}

static void bp_node(struct gw_buf *out, const struct gw_catalog *c, const struct gw_bound *n)
{
    switch (n->op) {
    case GW_B_CONST:
        bp_const(out, c, n);
        break;
    case GW_B_COLUMN:
        bp_var(out, n->var);
        gw_buf_add_byte(out, '.');
        gw_buf_add_span(out, n->var->table->columns[n->column].name);
        break;
    case GW_B_WHOLE_ROW:
        bp_var(out, n->var);
        gw_buf_add_str(out, ".*");
        break;
    case GW_B_SETTING:
        gw_buf_printf(out, "$%.*s%s", (int)n->text.n, n->text.p, n->is_null ? "" : "!");
        break;
    case GW_B_ROLE:
        gw_buf_add_str(out, "ROLE");
        break;
    case GW_B_VALUE_FN:
        gw_buf_add_span(out, n->text);
        break;
    case GW_B_CALL:
        gw_buf_printf(out, "%s%.*s(", n->fn ? "!" : "", (int)n->text.n, n->text.p);
        bp_list(out, c, n, ", ");
        gw_buf_add_byte(out, ')');
        break;
    case GW_B_OP:
        bp_op(out, c, n);
        break;
    case GW_B_CAST:
        bp_named(out, c, "", n);
        gw_buf_add_str(out, "::");
        bp_type(out, c, n->type_oid);
        break;
    case GW_B_AND:
    case GW_B_OR:
        gw_buf_add_byte(out, '(');
        bp_list(out, c, n, n->op == GW_B_AND ? " AND " : " OR ");
        gw_buf_add_byte(out, ')');
        break;
    case GW_B_NOT:
        bp_named(out, c, "NOT", n);
        break;
    case GW_B_NULL_TEST:
    case GW_B_BOOL_TEST:
        bp_test(out, c, n);
        break;
    case GW_B_DISTINCT:
        bp_named(out, c, n->is_not ? "SAME" : "DISTINCT", n);
        break;
    case GW_B_COALESCE:
        bp_named(out, c, "COALESCE", n);
        break;
    case GW_B_NULLIF:
        bp_named(out, c, "NULLIF", n);
        break;
    case GW_B_CASE:
        bp_named(out, c, "CASE", n);
        break;
    case GW_B_STRICT:
        bp_named(out, c, "STRICT", n);
        break;
    case GW_B_ARRAY:
        gw_buf_add_byte(out, '[');
        bp_list(out, c, n, ", ");
        gw_buf_add_byte(out, ']');
        break;
    case GW_B_ELEMENT:
        bp_named(out, c, n->n_args == 3 ? "SLICE" : "ELEMENT", n);
        break;
    case GW_B_ANY:
        bp_any(out, c, n);
        break;
    case GW_B_SUB:
        bp_sub(out, c, n);
        break;
    }
}

#endif
