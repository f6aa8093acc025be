/* bind_node: making and looking over nodes of bound.h. */
#include "bind_internal.h"

static bool spend(struct gw_binder *b, uint32_t n)
{
    b->n_nodes += n;
    if (b->n_nodes <= GW_BIND_NODES_MAX)
        return true;
    gw_bind_fail(b, "expands to more than %u nodes", GW_BIND_NODES_MAX);
    return false;
}

struct gw_bound *gw_bind_node(struct gw_binder *b, enum gw_bound_op op, uint32_t type,
                              uint32_t n_args)
{
    struct gw_bound *node = spend(b, 1) ? gw_arena_alloc(b->arena, sizeof *node) : NULL;
    if (!node)
        return NULL;
    node->op = op;
    node->type_oid = type;
    node->n_args = n_args;
    node->volatility = 'i';
    if (n_args)
        node->args = gw_arena_alloc(b->arena, n_args * sizeof(struct gw_bound *));
    return n_args && !node->args ? NULL : node;
}

struct gw_bound *gw_bind_copy(struct gw_binder *b, const struct gw_bound *node)
{
    struct gw_bound *copy = gw_bind_node(b, node->op, node->type_oid, 0);
    if (copy)
        *copy = *node;
    return copy;
}

struct gw_bound *gw_bind_const(struct gw_binder *b, uint32_t type, struct gw_span text)
{
    struct gw_bound *node = gw_bind_node(b, GW_B_CONST, type, 0);
    if (node)
        node->text = gw_arena_copy(b->arena, text);
    return node && node->text.p ? node : NULL;
}

struct gw_bound *gw_bind_null(struct gw_binder *b, uint32_t type)
{
    struct gw_bound *node = gw_bind_node(b, GW_B_CONST, type, 0);
    if (node)
        node->is_null = true;
    return node;
}

struct gw_bound *gw_bind_bool(struct gw_binder *b, bool value)
{
    return gw_bind_const(b, GW_T_BOOL, gw_span_of(value ? "t" : "f"));
}

struct gw_bound *gw_bind_unary(struct gw_binder *b, enum gw_bound_op op, uint32_t type,
                               struct gw_bound *arg)
{
    struct gw_bound *node = arg ? gw_bind_node(b, op, type, 1) : NULL;
    if (node)
        node->args[0] = arg;
    return node;
}

static struct gw_bound *pair(struct gw_binder *b, enum gw_bound_op op, struct gw_bound *l,
                             struct gw_bound *r)
{
    struct gw_bound *node = l && r ? gw_bind_node(b, op, GW_T_BOOL, 2) : NULL;
    if (!node)
        return NULL;
    node->args[0] = l;
    node->args[1] = r;
    return node;
}

struct gw_bound *gw_bind_and(struct gw_binder *b, struct gw_bound *l, struct gw_bound *r)
{
    return pair(b, GW_B_AND, l, r);
}

struct gw_bound *gw_bind_or(struct gw_binder *b, struct gw_bound *l, struct gw_bound *r)
{
    return pair(b, GW_B_OR, l, r);
}

struct gw_bound *gw_bind_null_test(struct gw_binder *b, struct gw_bound *arg, bool is_not)
{
    if (arg && arg->op == GW_B_CONST)
        return gw_bind_bool(b, arg->is_null != is_not);
    struct gw_bound *node = gw_bind_unary(b, GW_B_NULL_TEST, GW_T_BOOL, arg);
    if (node)
        node->is_not = is_not;
    return node;
}

static bool is_bool(const struct gw_bound *node, const char *text)
{
    return node->op == GW_B_CONST && node->type_oid == GW_T_BOOL && !node->is_null &&
           gw_span_is(node->text, text);
}

bool gw_bind_is_true(const struct gw_bound *node)
{
    return is_bool(node, "t");
}

bool gw_bind_is_false(const struct gw_bound *node)
{
    return is_bool(node, "f");
}

/* ---- looking over ---- */

/* A body may stand in for an argument of a body, and trees are shared: height and visits are
 * bounded. */
#define HEIGHT_MAX 1000u
struct visit {
    bool (*is_it)(const struct gw_bound *node);
    const struct gw_bound *wanted; /* instead: a tree that says the same */
    uint32_t n_left;               /* 0: gave up */
    uint32_t height;
    bool found;
};

static void visit(struct visit *v, const struct gw_bound *node);

static void visit_select(struct visit *v, const struct gw_bound_select *select)
{
    for (uint32_t i = 0; i < select->n_arms; i++) {
        const struct gw_bound_arm *arm = &select->arms[i];
        for (uint32_t k = 0; k < arm->n_from; k++) {
            visit(v, arm->from[k].on);
            visit(v, arm->from[k].guard);
        }
        visit(v, arm->where);
        visit(v, arm->target);
    }
}

static bool says_same(const struct gw_bound *a, const struct gw_bound *b)
{
    if (a == b || (a->select && a->select == b->select)) /* made into EXISTS or IN */
        return true;
    if (a->op != b->op || a->type_oid != b->type_oid || a->n_args != b->n_args ||
        !gw_span_eq(a->text, b->text) || a->is_null != b->is_null || a->is_not != b->is_not ||
        a->var != b->var || a->column != b->column || a->test != b->test || a->fn != b->fn ||
        a->select || a->is_all != b->is_all)
        return false;
    for (uint32_t i = 0; i < a->n_args; i++)
        if (!says_same(a->args[i], b->args[i]))
            return false;
    return true;
}

static void visit(struct visit *v, const struct gw_bound *node)
{
    if (!node || v->found || v->n_left == 0)
        return;
    v->n_left = v->height == HEIGHT_MAX ? 0 : v->n_left - 1;
    v->height++;
    v->found = v->wanted ? says_same(node, v->wanted) : v->is_it(node);
    for (uint32_t i = 0; i < node->n_args; i++)
        visit(v, node->args[i]);
    if (node->select)
        visit_select(v, node->select);
    v->height--;
}

static bool is_never(const struct gw_bound *node)
{
    (void)node;
    return false;
}

bool gw_bind_has(const struct gw_bound *node, const struct gw_bound *value)
{
    struct visit v = {.wanted = value, .n_left = GW_BIND_NODES_MAX};
    visit(&v, node);
    return v.found;
}

struct gw_bound *gw_bind_reuse(struct gw_binder *b, struct gw_bound *node)
{
    struct visit v = {.is_it = is_never, .n_left = GW_BIND_NODES_MAX};
    visit(&v, node);
    if (v.n_left == 0)
        return gw_bind_fail(b, "expands to a tree too large or too deep");
    return spend(b, GW_BIND_NODES_MAX - v.n_left) ? node : NULL;
}

/* ARRAY(SELECT DISTINCT …) and the like: bind_sub.c. */
static bool is_set(const struct gw_bound *node)
{
    return node->op == GW_B_SUB && node->sub_kind == GW_B_ARRAY_OF && node->is_all;
}

/* What bind_aggregate.c has not turned into something else. */
static bool is_aggregate(const struct gw_bound *node)
{
    return node->op == GW_B_SUB &&
           (node->sub_kind == GW_B_COUNT || (node->sub_kind == GW_B_ARRAY_OF && node->is_null));
}

bool gw_bind_check_tree(struct gw_binder *b, const struct gw_bound *node)
{
    struct visit aggregates = {.is_it = is_aggregate, .n_left = 2 * GW_BIND_NODES_MAX};
    struct visit v = {.is_it = is_set, .n_left = 2 * GW_BIND_NODES_MAX};
    visit(&aggregates, node);
    visit(&v, node);
    if (aggregates.found)
        gw_bind_fail(b, "uses count() or array_agg() as a value");
    else if (v.found)
        gw_bind_fail(b, "uses ARRAY(SELECT) with DISTINCT, UNION or ORDER BY as a value");
    else if (v.n_left == 0)
        gw_bind_fail(b, "expands to a tree too large or too deep");
    return b->why.n == 0;
}

/* ---- names ---- */

/* Words that cannot stand first in a dotted name without quotes, of those a schema may be called.
 */
static const char *const RESERVED[] = {
    "all",          "analyze",      "any",     "array",  "both",   "case",  "check",  "column",
    "default",      "desc",         "do",      "end",    "except", "for",   "from",   "grant",
    "group",        "in",           "into",    "limit",  "offset", "on",    "only",   "order",
    "primary",      "references",   "select",  "some",   "table",  "then",  "to",     "trailing",
    "union",        "unique",       "user",    "using",  "when",   "where", "window", "with",
    "current_user", "session_user", "leading", "create",
};

static bool is_plain_name(struct gw_span name)
{
    for (size_t i = 0; i < sizeof RESERVED / sizeof *RESERVED; i++)
        if (gw_span_is(name, RESERVED[i]))
            return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool is_letter = (c >= 'a' && c <= 'z') || c == '_';
        if (!is_letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return name.n > 0;
}

static void add_name(struct gw_buf *out, struct gw_span name)
{
    if (is_plain_name(name)) {
        gw_buf_add_span(out, name);
        return;
    }
    gw_buf_add_byte(out, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"')
            gw_buf_add_byte(out, '"');
        gw_buf_add_byte(out, name.p[i]);
    }
    gw_buf_add_byte(out, '"');
}

struct gw_span gw_bind_quote(struct gw_binder *b, struct gw_span schema, struct gw_span name)
{
    struct gw_buf out;
    gw_buf_init(&out, 0);
    add_name(&out, schema);
    gw_buf_add_byte(&out, '.');
    add_name(&out, name);
    struct gw_span copy = gw_arena_copy(b->arena, gw_buf_span(&out));
    gw_buf_fini(&out);
    return copy;
}
