/* bind_op: operators and the forms of A_Expr.
 *
 * Operators are resolved as far as it matters: under an empty search_path a bare one is
 * pg_catalog's; in a body it is, too, unless an operand's type is one an extension brings along
 * (citext, hstore), whose operators of the same name may be meant: such a body is refused. */
#include "bind_internal.h"

#include <stdio.h>

/* ---- results ---- */

static bool is_among(struct gw_span op, const char *const *names)
{
    for (; *names; names++)
        if (gw_span_is(op, *names))
            return true;
    return false;
}

static const char *const BOOLEAN[] = {
    "=",   "<>", "!=", "<",  ">", "<=", ">=", "~~", "!~~", "~~*", "!~~*", "~",  "!~", "~*",
    "!~*", "@>", "<@", "&&", "?", "?|", "?&", "@@", "@?",  "^@",  "-|-",  "&<", "&>", NULL};

static bool is_comparison(struct gw_span op)
{
    static const char *const NAMES[] = {"=", "<>", "!=", "<", ">", "<=", ">=", NULL};
    return is_among(op, NAMES);
}

/* Types of numbers, the wider last; int2 + int2 is int2. */
static uint32_t number_result(uint32_t l, uint32_t r)
{
    static const uint32_t ORDER[] = {GW_T_INT2, GW_T_INT4, GW_T_INT8, GW_T_NUMERIC, GW_T_FLOAT8};
    int at_l = -1, at_r = -1;
    for (int i = 0; i < 5; i++) {
        at_l = l == ORDER[i] ? i : at_l;
        at_r = r == ORDER[i] ? i : at_r;
    }
    if (at_l < 0 || at_r < 0)
        return 0;
    return ORDER[at_l > at_r ? at_l : at_r];
}

static uint32_t sum_result(struct gw_span op, uint32_t l, uint32_t r)
{
    bool is_minus = gw_span_is(op, "-"), is_plus = gw_span_is(op, "+");
    if (number_result(l, r) || !(is_minus || is_plus))
        return number_result(l, r);
    if (l == GW_T_JSONB && is_minus)
        return GW_T_JSONB;
    if (is_minus && l == GW_T_DATE && r == GW_T_DATE)
        return GW_T_INT4;
    if (is_minus && l == r && (l == GW_T_TIMESTAMP || l == GW_T_TIMESTAMPTZ))
        return GW_T_INTERVAL;
    if (r == GW_T_INTERVAL && l == GW_T_DATE)
        return GW_T_TIMESTAMP;
    if (r == GW_T_INTERVAL && (l == GW_T_TIMESTAMP || l == GW_T_TIMESTAMPTZ || l == GW_T_INTERVAL))
        return l;
    return l == GW_T_DATE && gw_bind_is_integer(r) ? GW_T_DATE : 0;
}

static uint32_t concat_result(const struct gw_binder *b, uint32_t l, uint32_t r)
{
    uint32_t l_element = gw_bind_element_of(b, l), r_element = gw_bind_element_of(b, r);
    if (l_element || r_element)
        return l_element ? l : r;
    if (l == GW_T_JSONB && r == GW_T_JSONB)
        return GW_T_JSONB;
    bool is_text = gw_bind_is_textual(l) || gw_bind_is_textual(r) || l == GW_T_BPCHAR ||
                   r == GW_T_BPCHAR || l == GW_T_NAME || r == GW_T_NAME;
    bool is_foreign = gw_bind_type_is_foreign(b, l) || gw_bind_type_is_foreign(b, r);
    return is_text && !is_foreign ? GW_T_TEXT : 0;
}

static uint32_t op_result(const struct gw_binder *b, struct gw_span op, uint32_t l, uint32_t r)
{
    l = gw_bind_base_type(b, l);
    r = gw_bind_base_type(b, r);
    bool is_json = l == GW_T_JSON || l == GW_T_JSONB;
    if (is_among(op, BOOLEAN))
        return GW_T_BOOL;
    if (gw_span_is(op, "||"))
        return concat_result(b, l, r);
    if (gw_span_is(op, "->>") || gw_span_is(op, "#>>"))
        return is_json ? GW_T_TEXT : 0;
    if (gw_span_is(op, "->") || gw_span_is(op, "#>") || gw_span_is(op, "#-"))
        return is_json ? l : 0;
    return sum_result(op, l, r);
}

/* Depends on the session's TimeZone, or prints a value. */
static bool is_stable(struct gw_span op, uint32_t l, uint32_t r)
{
    bool has_zone = l == GW_T_TIMESTAMPTZ || r == GW_T_TIMESTAMPTZ;
    if (gw_span_is(op, "||"))
        return l != r && !(gw_bind_is_textual(l) && gw_bind_is_textual(r));
    return has_zone && !(is_comparison(op) && l == r);
}

/* ---- operands ---- */

/* What an untyped literal beside a value of type is taken for. */
static uint32_t literal_type(struct gw_span op, uint32_t type)
{
    bool is_json = type == GW_T_JSON || type == GW_T_JSONB;
    if (gw_span_is(op, "->") || gw_span_is(op, "->>") || gw_span_is(op, "?") ||
        gw_span_is(op, "^@"))
        return GW_T_TEXT;
    if (gw_span_is(op, "#>") || gw_span_is(op, "#>>") || gw_span_is(op, "?|") ||
        gw_span_is(op, "?&"))
        return GW_T_TEXT_ARRAY;
    if (gw_span_is(op, "||") && !is_json && type < 16384 && type != GW_T_TEXT_ARRAY)
        return gw_bind_is_textual(type) ? GW_T_TEXT : 0;
    return (gw_span_is(op, "@@") || gw_span_is(op, "@?")) || (is_json && gw_span_is(op, "-"))
               ? 0
               : type;
}

bool gw_bind_check_operands(struct gw_binder *b, struct gw_span op, const struct gw_bound *l,
                            const struct gw_bound *r)
{
    bool is_foreign = (l && gw_bind_is_foreign(b, l)) || (r && gw_bind_is_foreign(b, r));
    if (is_foreign)
        gw_bind_fail(b, "%.*s on a type whose operators depend on the search_path", (int)op.n,
                     op.p);
    return !is_foreign;
}

static struct gw_bound *op_node(struct gw_binder *b, struct gw_span op, struct gw_bound *l,
                                struct gw_bound *r)
{
    struct gw_bound *node = r ? gw_bind_node(b, GW_B_OP, 0, l ? 2 : 1) : NULL;
    if (!node)
        return NULL;
    node->text = op;
    node->args[0] = l ? l : r;
    if (l)
        node->args[1] = r;
    return node;
}

/* r alone: a prefix. op: of pg_catalog unless it says otherwise. */
static struct gw_bound *make_op(struct gw_binder *b, struct gw_span op, struct gw_bound *l,
                                struct gw_bound *r)
{
    bool is_named = op.n > 9 && memcmp(op.p, "OPERATOR(", 9) == 0;
    if (!is_named && l && r) {
        bool are_literals = gw_bind_is_literal(l) && gw_bind_is_literal(r);
        uint32_t of_l = are_literals ? GW_T_TEXT : gw_bind_base_type(b, l->type_oid);
        uint32_t of_r = are_literals ? GW_T_TEXT : gw_bind_base_type(b, r->type_oid);
        l = gw_bind_hint(b, l, literal_type(op, of_r));
        r = gw_bind_hint(b, r, literal_type(op, of_l));
    }
    struct gw_bound *node = !is_named && l && r ? gw_bind_count_test(b, op, l, r) : NULL;
    if (node || b->why.n)
        return node;
    node = op_node(b, op, l, r);
    if (!node)
        return NULL;
    uint32_t of_l = l ? gw_bind_base_type(b, l->type_oid) : 0;
    uint32_t of_r = gw_bind_base_type(b, r->type_oid);
    if (!is_named && l)
        node->type_oid = op_result(b, op, of_l, of_r);
    else if (!is_named && (gw_span_is(op, "-") || gw_span_is(op, "+")))
        node->type_oid = of_r;
    node->volatility = is_named || is_stable(op, of_l, of_r) ? 's' : 'i';
    return node;
}

struct gw_bound *gw_bind_compare(struct gw_binder *b, const char *op, struct gw_bound *l,
                                 struct gw_bound *r)
{
    return l && r ? make_op(b, gw_span_of(op), l, r) : NULL;
}

struct gw_span gw_bind_op_name(struct gw_binder *b, const struct json_t *list)
{
    size_t n = gw_bind_size(list);
    struct gw_span op = n ? gw_bind_name_at(list, n - 1) : (struct gw_span){0};
    struct gw_span schema = n > 1 ? gw_bind_name_at(list, n - 2) : (struct gw_span){0};
    struct gw_buf text;
    if (schema.n == 0 || gw_span_is(schema, "pg_catalog"))
        return gw_arena_copy(b->arena, gw_span_is(op, "!=") ? GW_SPAN_LIT("<>") : op);
    gw_buf_init(&text, 0);
    gw_buf_add_str(&text, "OPERATOR(");
    struct gw_span quoted = gw_bind_quote(b, schema, GW_SPAN_LIT("x"));
    gw_buf_add(&text, quoted.p, quoted.n - 1); /* the schema and the dot */
    gw_buf_add_span(&text, op);
    gw_buf_add_byte(&text, ')');
    struct gw_span name = gw_arena_copy(b->arena, gw_buf_span(&text));
    gw_buf_fini(&text);
    return name;
}

/* Whether the operator of list, bare in a body, means what it says. */
static bool check_bare(struct gw_binder *b, const struct json_t *list, const struct gw_bound *l,
                       const struct gw_bound *r)
{
    if (b->env->is_resolved || gw_bind_size(list) > 1)
        return true;
    return gw_bind_check_operands(b, gw_bind_name_at(list, 0), l, r);
}

/* ---- forms ---- */

struct form { /* an A_Expr, its left side bound */
    struct gw_bind_scope *scope;
    const struct json_t *name, *right;
    struct gw_span op;
    struct gw_bound *left; /* NULL: a prefix */
};

static const struct json_t *row_of(const struct json_t *node)
{
    const struct json_t *row;
    return strcmp(gw_bind_kind(node, &row), "RowExpr") == 0 ? gw_bind_member(row, "args") : NULL;
}

/* (a, b) = (c, d) */
static struct gw_bound *bind_rows(struct gw_binder *b, struct gw_bind_scope *scope,
                                  const struct json_t *left, const struct json_t *right,
                                  struct gw_span op)
{
    bool is_equal = gw_span_is(op, "=");
    struct gw_bound *out = NULL;
    size_t n = gw_bind_size(left);
    if (n != gw_bind_size(right) || n == 0 || (!is_equal && !gw_span_is(op, "<>")))
        return gw_bind_fail(b, "compares rows by %.*s", (int)op.n, op.p);
    for (size_t i = 0; i < n; i++) {
        struct gw_bound *l = gw_bind_expr(b, scope, gw_bind_at(left, i));
        struct gw_bound *r = l ? gw_bind_expr(b, scope, gw_bind_at(right, i)) : NULL;
        if (!r || !gw_bind_check_operands(b, op, l, r))
            return NULL;
        struct gw_bound *one = make_op(b, op, l, r);
        out = !out ? one : is_equal ? gw_bind_and(b, out, one) : gw_bind_or(b, out, one);
        if (!out)
            return NULL;
    }
    return out;
}

static struct gw_bound *bind_plain(struct gw_binder *b, const struct form *f)
{
    struct gw_bound *right = gw_bind_expr(b, f->scope, f->right);
    if (!right || !check_bare(b, f->name, f->left, right))
        return NULL;
    return make_op(b, f->op, f->left, right);
}

static struct gw_bound *any_node(struct gw_binder *b, const struct form *f, struct gw_bound *array,
                                 bool is_all)
{
    struct gw_bound *node = gw_bind_node(b, GW_B_ANY, GW_T_BOOL, 2);
    if (!node)
        return NULL;
    node->text = f->op;
    node->is_all = is_all;
    node->args[0] = f->left;
    node->args[1] = array;
    return node;
}

/* Give the literals on both sides the other's type. */
static bool hint_array(struct gw_binder *b, struct form *f, struct gw_bound **array)
{
    uint32_t element = gw_bind_element_of(b, (*array)->type_oid);
    f->left = gw_bind_hint(b, f->left, element);
    *array = gw_bind_hint(b, *array, gw_bind_array_of(b, f->left->type_oid));
    return *array && f->left;
}

/* x = ANY (ARRAY(SELECT …)) is x IN (SELECT …). */
static struct gw_bound *bind_any_of_select(struct gw_binder *b, const struct form *f,
                                           const struct json_t *link, bool is_all)
{
    const char *op = is_all ? "<>" : "=";
    struct gw_bind_query *q = gw_bind_select(
        b, gw_bind_member(gw_bind_member(link, "subselect"), "SelectStmt"), f->scope);
    if (!q)
        return NULL;
    if (!gw_span_is(f->op, op))
        return gw_bind_fail(b, "%.*s over ARRAY(SELECT)", (int)f->op.n, f->op.p);
    struct gw_bound *in = gw_bind_in(b, f->left, GW_SPAN_LIT("="), q);
    return is_all ? gw_bind_unary(b, GW_B_NOT, GW_T_BOOL, in) : in;
}

static struct gw_bound *bind_any(struct gw_binder *b, struct form *f, bool is_all)
{
    const struct json_t *link;
    bool is_link = strcmp(gw_bind_kind(f->right, &link), "SubLink") == 0;
    if (is_link && gw_span_is(gw_bind_string(link, "subLinkType"), "ARRAY_SUBLINK"))
        return bind_any_of_select(b, f, link, is_all);
    struct gw_bound *array = gw_bind_expr(b, f->scope, f->right);
    if (!array || !check_bare(b, f->name, f->left, array))
        return NULL;
    /* A function inlined to ARRAY(SELECT …) */
    bool is_in = array->op == GW_B_SUB && array->sub_kind == GW_B_ARRAY_OF &&
                 gw_span_is(f->op, is_all ? "<>" : "=");
    if (!is_in)
        return hint_array(b, f, &array) ? any_node(b, f, array, is_all) : NULL;
    struct gw_bound *in = gw_bind_copy(b, array);
    struct gw_bound **args = gw_arena_alloc(b->arena, sizeof(struct gw_bound *));
    if (!in || !args)
        return NULL;
    in->sub_kind = GW_B_IN;
    in->is_all = in->is_null = false;
    in->type_oid = GW_T_BOOL;
    in->text = GW_SPAN_LIT("=");
    in->n_args = 1;
    in->args = args;
    in->args[0] = gw_bind_hint(b, f->left, gw_bind_element_of(b, array->type_oid));
    if (array->is_null)
        in = gw_bind_null_of_no_rows(b, array, in);
    return is_all ? gw_bind_unary(b, GW_B_NOT, GW_T_BOOL, in) : in;
}

static struct gw_bound *bind_op_any(struct gw_binder *b, struct form *f)
{
    return bind_any(b, f, false);
}

static struct gw_bound *bind_op_all(struct gw_binder *b, struct form *f)
{
    return bind_any(b, f, true);
}

/* x IN (a, b): op is =, or <> for NOT IN. */
static struct gw_bound *bind_in_list(struct gw_binder *b, struct form *f)
{
    const struct json_t *items;
    gw_bind_kind(f->right, &items);
    items = gw_bind_member(items, "items");
    struct gw_bound *array = gw_bind_node(b, GW_B_ARRAY, 0, (uint32_t)gw_bind_size(items));
    for (uint32_t i = 0; array && i < array->n_args; i++) {
        struct gw_bound *item = gw_bind_expr(b, f->scope, gw_bind_at(items, i));
        if (!item || !check_bare(b, f->name, f->left, item))
            return NULL;
        f->left = gw_bind_hint(b, f->left, item->type_oid);
        array->args[i] = item;
    }
    if (!array || !f->left)
        return NULL;
    for (uint32_t i = 0; i < array->n_args; i++)
        array->args[i] =
            gw_bind_hint(b, array->args[i], f->left->type_oid ? f->left->type_oid : GW_T_TEXT);
    f->left = gw_bind_hint(b, f->left, GW_T_TEXT);
    uint32_t element = gw_bind_unify(b, array->args, array->n_args, 1);
    array->type_oid = element ? gw_bind_array_of(b, element) : 0;
    return any_node(b, f, array, gw_span_is(f->op, "<>"));
}

static struct gw_bound *bind_distinct(struct gw_binder *b, struct form *f)
{
    struct gw_bound *right = gw_bind_expr(b, f->scope, f->right);
    if (!right || !gw_bind_check_operands(b, GW_SPAN_LIT("IS DISTINCT FROM"), f->left, right))
        return NULL;
    struct gw_bound *node = gw_bind_node(b, GW_B_DISTINCT, GW_T_BOOL, 2);
    if (!node)
        return NULL;
    node->args[0] = gw_bind_hint(b, f->left, right->type_oid);
    node->args[1] = gw_bind_hint(b, right, f->left->type_oid);
    return node;
}

static struct gw_bound *bind_not_distinct(struct gw_binder *b, struct form *f)
{
    struct gw_bound *node = bind_distinct(b, f);
    if (node)
        node->is_not = true;
    return node;
}

static struct gw_bound *bind_nullif(struct gw_binder *b, struct form *f)
{
    struct gw_bound *node = bind_distinct(b, f);
    if (!node)
        return NULL;
    node->op = GW_B_NULLIF;
    node->args[0] = gw_bind_hint(b, node->args[0], GW_T_TEXT); /* of two literals */
    node->args[1] = gw_bind_hint(b, node->args[1], node->args[0]->type_oid);
    node->type_oid = gw_bind_base_type(b, node->args[0]->type_oid);
    return node;
}

static struct gw_bound *bind_between(struct gw_binder *b, struct form *f)
{
    const struct json_t *items;
    gw_bind_kind(f->right, &items);
    items = gw_bind_member(items, "items");
    struct gw_bound *low = gw_bind_expr(b, f->scope, gw_bind_at(items, 0));
    struct gw_bound *high = low ? gw_bind_expr(b, f->scope, gw_bind_at(items, 1)) : NULL;
    if (!high || !gw_bind_check_operands(b, GW_SPAN_LIT("BETWEEN"), f->left, low) ||
        !gw_bind_check_operands(b, GW_SPAN_LIT("BETWEEN"), high, NULL))
        return NULL;
    bool is_not = gw_span_is(f->op, "NOT BETWEEN");
    low = gw_bind_compare(b, is_not ? "<" : ">=", f->left, low);
    high = gw_bind_compare(b, is_not ? ">" : "<=", gw_bind_reuse(b, f->left), high);
    return is_not ? gw_bind_or(b, low, high) : gw_bind_and(b, low, high);
}

static const struct {
    const char *kind;
    struct gw_bound *(*bind)(struct gw_binder *b, struct form *f);
} FORMS[] = {
    {"AEXPR_OP_ANY", bind_op_any},   {"AEXPR_OP_ALL", bind_op_all},
    {"AEXPR_IN", bind_in_list},      {"AEXPR_DISTINCT", bind_distinct},
    {"AEXPR_NULLIF", bind_nullif},   {"AEXPR_NOT_DISTINCT", bind_not_distinct},
    {"AEXPR_BETWEEN", bind_between}, {"AEXPR_NOT_BETWEEN", bind_between},
};

static bool is_plain(struct gw_span kind)
{
    return gw_span_is(kind, "AEXPR_OP") || gw_span_is(kind, "AEXPR_LIKE") ||
           gw_span_is(kind, "AEXPR_ILIKE") || gw_span_is(kind, "AEXPR_SIMILAR");
}

struct gw_bound *gw_bind_a_expr(struct gw_binder *b, struct gw_bind_scope *scope,
                                const struct json_t *node)
{
    struct gw_span kind = gw_bind_string(node, "kind");
    const struct json_t *left = gw_bind_member(node, "lexpr");
    struct form f = {.scope = scope,
                     .name = gw_bind_member(node, "name"),
                     .right = gw_bind_member(node, "rexpr")};
    f.op = gw_bind_op_name(b, f.name);
    if (row_of(left) && row_of(f.right))
        return bind_rows(b, scope, row_of(left), row_of(f.right), f.op);
    f.left = left ? gw_bind_expr(b, scope, left) : NULL;
    if (left && !f.left)
        return NULL;
    if (is_plain(kind))
        return bind_plain(b, &f);
    for (size_t i = 0; left && i < sizeof FORMS / sizeof *FORMS; i++)
        if (gw_span_is(kind, FORMS[i].kind))
            return FORMS[i].bind(b, &f);
    return gw_bind_fail(b, "uses %.*s", (int)kind.n, kind.n ? kind.p : "");
}
