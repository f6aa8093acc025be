/* lower_sql: a bound tree as SQL again, for Postgres to evaluate: every name with its schema, every
 * literal quoted with its type, parentheses around everything, so that it means the same under any
 * search_path. Columns become arguments v.a1, v.a2, …; as a sketch, for people, they keep their
 * names and the rest is abbreviated. */
#include "lower_internal.h"

void gw_lower_sql_literal(struct gw_buf *out, struct gw_span text)
{
    bool has_backslash = text.n && memchr(text.p, '\\', text.n);
    gw_buf_add_str(out, has_backslash ? "E'" : "'");
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\'' || text.p[i] == '\\')
            gw_buf_add_byte(out, text.p[i]);
        gw_buf_add_byte(out, text.p[i]);
    }
    gw_buf_add_byte(out, '\'');
}

static void write_cast(struct gw_lower_sql *w, uint32_t type_oid)
{
    gw_buf_add_str(w->out, "::");
    if (!gw_lower_type_name(w->l, type_oid, w->out))
        w->failed = true;
}

static void write_const(struct gw_lower_sql *w, const struct gw_bound *node)
{
    if (node->is_null)
        gw_buf_add_str(w->out, "NULL");
    else
        gw_lower_sql_literal(w->out, node->text);
    if (node->type_oid && !w->is_sketch)
        write_cast(w, node->type_oid);
}

/* ---- arguments ---- */

static bool is_same_arg(const struct gw_bound *a, const struct gw_bound *b)
{
    if (a == b)
        return true;
    if (a->op != b->op)
        return false;
    return a->op == GW_B_SETTING ||
           (a->op == GW_B_COLUMN && a->var == b->var && a->column == b->column);
}

static uint32_t arg_of(struct gw_lower_sql *w, const struct gw_bound *node)
{
    for (uint32_t i = 0; i < w->n_args; i++)
        if (is_same_arg(w->args[i], node))
            return i;
    if (w->n_args == w->cap_args) {
        uint32_t cap = w->cap_args ? w->cap_args * 2 : 8;
        const struct gw_bound **args =
            gw_arena_alloc(w->l->r->scratch, cap * sizeof(struct gw_bound *));
        if (w->n_args)
            memcpy(args, w->args, w->n_args * sizeof(struct gw_bound *));
        w->args = args;
        w->cap_args = cap;
    }
    w->args[w->n_args] = node;
    return w->n_args++;
}

static void write_arg(struct gw_lower_sql *w, const struct gw_bound *node)
{
    if (node->type_oid == 0) {
        w->failed = true;
        return;
    }
    gw_buf_printf(w->out, "(v.a%u)", arg_of(w, node) + 1);
    write_cast(w, node->type_oid);
}

static void write_column(struct gw_lower_sql *w, const struct gw_bound *node)
{
    if (!w->is_sketch) {
        write_arg(w, node);
        return;
    }
    if (node->var->number != 0) { /* not of the row judged */
        gw_buf_add_span(w->out, node->var->table->name);
        gw_buf_add_byte(w->out, '.');
    }
    gw_buf_add_span(w->out, node->var->table->columns[node->column].name);
}

/* request.jwt.claims is "claims", realtime.topic is "topic". */
static void sketch_setting(struct gw_lower_sql *w, struct gw_span name)
{
    static const struct gw_span heads[] = {GW_SPAN_LIT("request.jwt."), GW_SPAN_LIT("realtime.")};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        if (name.n <= heads[i].n || memcmp(name.p, heads[i].p, heads[i].n) != 0)
            continue;
        name.p += heads[i].n;
        name.n -= heads[i].n;
    }
    gw_buf_add_span(w->out, name);
}

static void write_setting(struct gw_lower_sql *w, const struct gw_bound *node)
{
    if (w->is_sketch) {
        sketch_setting(w, node->text);
        return;
    }
    if (gw_lower_is_caller_free(w->l, node)) {
        write_arg(w, node);
        return;
    }
    gw_buf_add_str(w->out, "pg_catalog.current_setting(");
    gw_lower_sql_literal(w->out, node->text);
    gw_buf_add_str(w->out, node->is_null ? ", true)" : ")");
}

/* ---- operators and calls ---- */

static const struct gw_bound *essence(const struct gw_bound *node);

static void write_part(struct gw_lower_sql *w, const struct gw_bound *node)
{
    enum gw_bound_op op = w->is_sketch ? essence(node)->op : node->op;
    bool is_closed = op == GW_B_COLUMN || op == GW_B_CONST || op == GW_B_CALL ||
                     op == GW_B_SETTING || op == GW_B_COALESCE || op == GW_B_NULLIF;
    if (!is_closed || !w->is_sketch)
        gw_buf_add_byte(w->out, '(');
    gw_lower_sql(w, node);
    if (!is_closed || !w->is_sketch)
        gw_buf_add_byte(w->out, ')');
}

static void write_operator(struct gw_lower_sql *w, struct gw_span op)
{
    bool is_named = op.n > 9 && memcmp(op.p, "OPERATOR(", 9) == 0;
    gw_buf_add_byte(w->out, ' ');
    if (!is_named && !w->is_sketch)
        gw_buf_add_str(w->out, "OPERATOR(pg_catalog.");
    gw_buf_add_span(w->out, op);
    if (!is_named && !w->is_sketch)
        gw_buf_add_byte(w->out, ')');
    gw_buf_add_byte(w->out, ' ');
}

static void write_op(struct gw_lower_sql *w, const struct gw_bound *node)
{
    if (node->n_args == 2)
        write_part(w, node->args[0]);
    write_operator(w, node->text);
    write_part(w, node->args[node->n_args - 1]);
}

static void write_list(struct gw_lower_sql *w, const struct gw_bound *node, const char *joint)
{
    for (uint32_t i = 0; i < node->n_args; i++) {
        if (i)
            gw_buf_add_str(w->out, joint);
        if (joint[0] == ',')
            gw_lower_sql(w, node->args[i]);
        else
            write_part(w, node->args[i]);
    }
}

static void write_call(struct gw_lower_sql *w, struct gw_span name, const struct gw_bound *node)
{
    gw_buf_add_span(w->out, name);
    gw_buf_add_byte(w->out, '(');
    write_list(w, node, ", ");
    gw_buf_add_byte(w->out, ')');
}

static void write_function(struct gw_lower_sql *w, const struct gw_bound *node)
{
    struct gw_span name = gw_lower_builtin(node);
    write_call(w, w->is_sketch && name.n ? name : node->text, node);
}

static void write_cast_node(struct gw_lower_sql *w, const struct gw_bound *node)
{
    write_part(w, node->args[0]);
    write_cast(w, node->type_oid);
}

/* What a sketch says of a node: casts and NULLIF(x, '') are left out. */
static const struct gw_bound *essence(const struct gw_bound *node)
{
    for (;;) {
        bool is_cast = node->op == GW_B_CAST;
        bool is_nullif = node->op == GW_B_NULLIF && node->args[1]->op == GW_B_CONST &&
                         !node->args[1]->is_null && node->args[1]->text.n == 0;
        if (!is_cast && !is_nullif)
            return node;
        node = node->args[0];
    }
}

static void write_bool_test(struct gw_lower_sql *w, const struct gw_bound *node)
{
    static const char *const names[] = {"TRUE", "FALSE", "UNKNOWN"};
    write_part(w, node->args[0]);
    gw_buf_printf(w->out, " IS %s%s", node->is_not ? "NOT " : "", names[node->test]);
}

static void write_case(struct gw_lower_sql *w, const struct gw_bound *node)
{
    uint32_t i = 0;
    gw_buf_add_str(w->out, "CASE");
    for (; i + 1 < node->n_args; i += 2) {
        gw_buf_add_str(w->out, " WHEN ");
        write_part(w, node->args[i]);
        gw_buf_add_str(w->out, " THEN ");
        write_part(w, node->args[i + 1]);
    }
    gw_buf_add_str(w->out, " ELSE ");
    write_part(w, node->args[i]);
    gw_buf_add_str(w->out, " END");
}

/* Written as the choice it stands for. */
static void write_strict(struct gw_lower_sql *w, const struct gw_bound *node)
{
    if (node->n_args < 2) {
        write_part(w, node->args[0]);
        return;
    }
    gw_buf_add_str(w->out, "CASE WHEN ");
    for (uint32_t i = 1; i < node->n_args; i++) {
        gw_buf_add_str(w->out, i > 1 ? " OR " : "");
        write_part(w, node->args[i]);
        gw_buf_add_str(w->out, " IS NULL");
    }
    gw_buf_add_str(w->out, " THEN NULL ELSE ");
    write_part(w, node->args[0]);
    gw_buf_add_str(w->out, " END");
}

/* ---- sub-selects ---- */

static void write_select(struct gw_lower_sql *w, const struct gw_bound_select *select)
{
    for (uint32_t i = 0; i < select->n_arms; i++) {
        const struct gw_bound_arm *arm = &select->arms[i];
        gw_buf_add_str(w->out, i ? " UNION ALL SELECT " : "SELECT ");
        if (arm->target)
            gw_lower_sql(w, arm->target);
        if (arm->n_from && !w->is_sketch)
            w->failed = true;
        if (arm->n_from) {
            gw_buf_add_str(w->out, " FROM ");
            gw_buf_add_span(w->out, arm->from[0].var->table->name);
        }
        if (arm->where) {
            gw_buf_add_str(w->out, " WHERE ");
            gw_lower_sql(w, arm->where);
        }
    }
}

/* One row of tables: worked out by the solver, its value is an argument. */
static bool is_table_scalar(struct gw_lower_sql *w, const struct gw_bound *node)
{
    return !w->is_sketch && node->sub_kind == GW_B_SCALAR &&
           (gw_lower_info(w->l, node)->bits & GW_LOWER_SUB) != 0;
}

static void write_sub(struct gw_lower_sql *w, const struct gw_bound *node)
{
    static const char *const heads[] = {
        [GW_B_EXISTS] = "EXISTS (", [GW_B_IN] = "ANY (",         [GW_B_ALL] = "ALL (",
        [GW_B_SCALAR] = "(",        [GW_B_ARRAY_OF] = "ARRAY (",
    };
    if (is_table_scalar(w, node)) {
        write_arg(w, node);
        return;
    }
    if (node->sub_kind == GW_B_IN || node->sub_kind == GW_B_ALL) {
        write_part(w, node->args[0]);
        write_operator(w, node->text);
    }
    gw_buf_add_str(w->out, heads[node->sub_kind]);
    write_select(w, node->select);
    gw_buf_add_byte(w->out, ')');
}

static void write_any(struct gw_lower_sql *w, const struct gw_bound *node)
{
    write_part(w, node->args[0]);
    write_operator(w, node->text);
    gw_buf_add_str(w->out, node->is_all ? "ALL (" : "ANY (");
    gw_lower_sql(w, node->args[1]);
    gw_buf_add_byte(w->out, ')');
}

static void write_array(struct gw_lower_sql *w, const struct gw_bound *node)
{
    gw_buf_add_str(w->out, "ARRAY[");
    write_list(w, node, ", ");
    gw_buf_add_byte(w->out, ']');
    if (node->type_oid && !w->is_sketch)
        write_cast(w, node->type_oid);
}

/* a[i], a[i:j] */
static void write_element(struct gw_lower_sql *w, const struct gw_bound *node)
{
    gw_buf_add_byte(w->out, '(');
    gw_lower_sql(w, node->args[0]);
    gw_buf_add_str(w->out, ")[");
    for (uint32_t i = 1; i < node->n_args; i++) {
        gw_buf_add_str(w->out, i == 1 ? "" : ":");
        write_part(w, node->args[i]);
    }
    gw_buf_add_byte(w->out, ']');
}

static void write_distinct(struct gw_lower_sql *w, const struct gw_bound *node)
{
    write_part(w, node->args[0]);
    gw_buf_add_str(w->out, node->is_not ? " IS NOT DISTINCT FROM " : " IS DISTINCT FROM ");
    write_part(w, node->args[1]);
}

/* ---- all ---- */

static void write_boolean(struct gw_lower_sql *w, const struct gw_bound *node)
{
    switch (node->op) {
    case GW_B_AND:
        write_list(w, node, " AND ");
        break;
    case GW_B_OR:
        write_list(w, node, " OR ");
        break;
    case GW_B_NOT:
        gw_buf_add_str(w->out, "NOT ");
        write_part(w, node->args[0]);
        break;
    case GW_B_NULL_TEST:
        write_part(w, node->args[0]);
        gw_buf_add_str(w->out, node->is_not ? " IS NOT NULL" : " IS NULL");
        break;
    case GW_B_BOOL_TEST:
        write_bool_test(w, node);
        break;
    case GW_B_DISTINCT:
        write_distinct(w, node);
        break;
    case GW_B_ANY:
        write_any(w, node);
        break;
    default:
        w->failed = true;
    }
}

void gw_lower_sql(struct gw_lower_sql *w, const struct gw_bound *node)
{
    if (w->is_sketch)
        node = essence(node);
    switch (node->op) {
    case GW_B_CONST:
        write_const(w, node);
        break;
    case GW_B_COLUMN:
        write_column(w, node);
        break;
    case GW_B_SETTING:
        write_setting(w, node);
        break;
    case GW_B_VALUE_FN:
        gw_buf_add_span(w->out, node->text);
        break;
    case GW_B_CALL:
        write_function(w, node);
        break;
    case GW_B_OP:
        write_op(w, node);
        break;
    case GW_B_CAST:
        write_cast_node(w, node);
        break;
    case GW_B_COALESCE:
        write_call(w, GW_SPAN_LIT("COALESCE"), node);
        break;
    case GW_B_NULLIF:
        write_call(w, GW_SPAN_LIT("NULLIF"), node);
        break;
    case GW_B_CASE:
        write_case(w, node);
        break;
    case GW_B_STRICT:
        write_strict(w, node);
        break;
    case GW_B_ARRAY:
        write_array(w, node);
        break;
    case GW_B_ELEMENT:
        write_element(w, node);
        break;
    case GW_B_SUB:
        write_sub(w, node);
        break;
    default:
        write_boolean(w, node);
    }
}
