/* bind_plpgsql: the value of a plpgsql function that only decides and returns.
 *
 * DESIGN. The body is run with expressions for values. Each variable stands for an expression; an
 * assignment replaces it; SELECT … INTO makes it the first row's column. At IF each branch is run
 * to its RETURN together with what follows the IF, so the function becomes a CASE over its
 * branches: the same statements may be run once per branch, within the bounds of the binder. What
 * has an effect, may raise on purpose or repeats (RAISE EXCEPTION, loops, EXCEPTION, dynamic SQL
 * that is not constant) is refused. The tree is what pg_query_parse_plpgsql prints; variables are
 * told by name there, so one name for two variables is refused, too. */
#include "bind_machine.h"

#include <stdio.h>

#define RAISE_ERROR 21 /* ERROR of utils/elog.h */

/* Statements still to run, innermost list first. */
struct place {
    const struct json_t *list;
    size_t i;
    const struct place *up;
};

static struct gw_bound *run(struct gw_bind_machine *m, struct gw_bind_vars *vars, struct place at);

/* ---- steps ---- */

static bool set_found(struct gw_bind_machine *m, struct gw_bind_vars *vars,
                      const struct gw_bind_query *q)
{
    return gw_bind_assign(m, vars, GW_SPAN_LIT("found"), gw_bind_exists(m->b, q));
}

/* "name := value" or "name = value": where the value starts; 0: something else. */
static size_t split_assignment(struct gw_span text, struct gw_span *name)
{
    size_t i = 0;
    while (i < text.n && (text.p[i] == '_' || (text.p[i] >= 'a' && text.p[i] <= 'z') ||
                          (text.p[i] >= 'A' && text.p[i] <= 'Z') ||
                          (i > 0 && text.p[i] >= '0' && text.p[i] <= '9')))
        i++;
    *name = (struct gw_span){text.p, i};
    while (i < text.n && strchr(" \t\r\n", text.p[i]))
        i++;
    if (i + 1 < text.n && text.p[i] == ':' && text.p[i + 1] == '=')
        return i + 2;
    return i < text.n && text.p[i] == '=' ? i + 1 : 0;
}

static struct gw_span lower(struct gw_binder *b, struct gw_span name)
{
    struct gw_span copy = gw_arena_copy(b->arena, name);
    char *p = (char *)copy.p; /* our own copy */
    for (size_t i = 0; i < copy.n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (char)(p[i] + 32);
    return copy;
}

static bool run_assign(struct gw_bind_machine *m, struct gw_bind_vars *vars,
                       const struct json_t *stmt)
{
    struct gw_span text =
        gw_bind_string(gw_bind_member(gw_bind_member(stmt, "expr"), "PLpgSQL_expr"), "query");
    struct gw_span name;
    size_t start = split_assignment(text, &name);
    if (start == 0 || name.n == 0) {
        gw_bind_fail(m->b, "assigns to something else than a variable");
        return false;
    }
    struct gw_bind_query *q =
        gw_bind_piece(m, vars, "SELECT ", (struct gw_span){text.p + start, text.n - start});
    if (q && q->n_columns != 1)
        gw_bind_fail(m->b, "assigns a row to a variable");
    if (!q || m->b->why.n)
        return false;
    return gw_bind_assign(m, vars, lower(m->b, name), gw_bind_scalar(m->b, q, 0, false));
}

/* ---- queries ---- */

static bool assign_columns(struct gw_bind_machine *m, struct gw_bind_vars *vars,
                           const struct json_t *fields, const struct gw_bind_query *q)
{
    if (gw_bind_size(fields) != q->n_columns) {
        gw_bind_fail(m->b, "selects %u columns into %zu variables", q->n_columns,
                     gw_bind_size(fields));
        return false;
    }
    for (uint32_t i = 0; i < q->n_columns; i++) {
        struct gw_span name = gw_bind_string(gw_bind_at(fields, i), "name");
        if (!gw_bind_assign(m, vars, name, gw_bind_scalar(m->b, q, i, true)))
            return false;
    }
    return true;
}

/* INTO: the first row, NULLs without one. */
static bool assign_into(struct gw_bind_machine *m, struct gw_bind_vars *vars,
                        const struct json_t *stmt, const struct gw_bind_query *q)
{
    const struct json_t *row = gw_bind_member(gw_bind_member(stmt, "target"), "PLpgSQL_row");
    const struct json_t *fields = gw_bind_member(row, "fields");
    int only = gw_bind_size(fields) == 1
                   ? gw_bind_var_find(vars, gw_bind_string(gw_bind_at(fields, 0), "name"))
                   : -1;
    if (!q)
        return false;
    if (gw_bind_flag(stmt, "strict") || !gw_bind_flag(stmt, "into")) {
        gw_bind_fail(m->b, "runs a statement without INTO or with INTO STRICT");
        return false;
    }
    if (only < 0 || !m->is_row[only])
        return assign_columns(m, vars, fields, q);
    vars->items[only].value = NULL;
    vars->items[only].row = q;
    return true;
}

static bool run_select(struct gw_bind_machine *m, struct gw_bind_vars *vars,
                       const struct json_t *stmt)
{
    const struct json_t *expr = gw_bind_member(gw_bind_member(stmt, "sqlstmt"), "PLpgSQL_expr");
    const struct gw_bind_query *q = gw_bind_piece(m, vars, "", gw_bind_string(expr, "query"));
    return assign_into(m, vars, stmt, q) && set_found(m, vars, q);
}

static bool run_perform(struct gw_bind_machine *m, struct gw_bind_vars *vars,
                        const struct json_t *stmt)
{
    const struct json_t *expr = gw_bind_member(gw_bind_member(stmt, "expr"), "PLpgSQL_expr");
    const struct gw_bind_query *q = gw_bind_piece(m, vars, "", gw_bind_string(expr, "query"));
    for (uint32_t i = 0; q && i < q->n_arms; i++)
        for (uint32_t k = 0; k < q->n_columns; k++)
            if (gw_bind_may_raise(m->b, q->arms[i]->targets[k]))
                gw_bind_fail(m->b, "performs what may raise an error");
    return m->b->why.n == 0 && q && set_found(m, vars, q);
}

/* EXECUTE 'constant' INTO v USING a, b: nothing but $1, $2 is seen inside. */
static bool run_execute(struct gw_bind_machine *m, struct gw_bind_vars *vars,
                        const struct json_t *stmt)
{
    const struct json_t *list = gw_bind_member(stmt, "params");
    const struct gw_bound *text = gw_bind_piece_value(m, vars, gw_bind_member(stmt, "query"));
    struct gw_bind_vars *given = gw_arena_alloc(m->b->arena, sizeof *given);
    if (!text || !given)
        return false;
    if (text->op != GW_B_CONST || text->is_null || gw_bind_size(list) > GW_BIND_VARS_MAX) {
        gw_bind_fail(m->b, "runs dynamic SQL that is not constant");
        return false;
    }
    for (; given->n < gw_bind_size(list); given->n++) {
        struct gw_bound *value = gw_bind_piece_value(m, vars, gw_bind_at(list, given->n));
        given->items[given->n].value = gw_bind_hint(m->b, value, GW_T_TEXT);
        if (!value)
            return false;
    }
    m->env.n_positional = given->n;
    const struct gw_bind_query *q = gw_bind_piece(m, given, "", text->text);
    m->env.n_positional = m->n_args;
    return assign_into(m, vars, stmt, q); /* EXECUTE leaves FOUND alone */
}

/* RAISE NOTICE and below change nothing. */
static bool run_raise(struct gw_bind_machine *m, struct gw_bind_vars *vars,
                      const struct json_t *stmt)
{
    (void)vars;
    if (gw_bind_integer(stmt, "elog_level", RAISE_ERROR) < RAISE_ERROR &&
        !gw_bind_member(stmt, "params"))
        return true;
    gw_bind_fail(m->b, "raises an exception");
    return false;
}

static const struct {
    const char *kind;
    bool (*run)(struct gw_bind_machine *m, struct gw_bind_vars *vars, const struct json_t *stmt);
} STEPS[] = {
    {"PLpgSQL_stmt_assign", run_assign},   {"PLpgSQL_stmt_execsql", run_select},
    {"PLpgSQL_stmt_perform", run_perform}, {"PLpgSQL_stmt_dynexecute", run_execute},
    {"PLpgSQL_stmt_raise", run_raise},
};

/* ---- branches ---- */

static struct gw_bound *run_branch(struct gw_bind_machine *m, const struct gw_bind_vars *vars,
                                   const struct json_t *list, const struct place *rest)
{
    struct gw_bind_vars *own = gw_arena_alloc(m->b->arena, sizeof *own);
    if (!own)
        return NULL;
    *own = *vars;
    return run(m, own, (struct place){list, 0, rest});
}

struct branches {
    struct gw_bound *args[2 * GW_BIND_VARS_MAX + 1];
    uint32_t n;
    bool is_closed; /* the last one is always taken */
};

/* A branch that is never taken is left out, one that always is closes the list. */
static bool add_branch(struct gw_bind_machine *m, const struct gw_bind_vars *vars,
                       struct branches *out, struct gw_bound *condition, const struct place *body)
{
    condition = gw_bind_hint(m->b, condition, GW_T_BOOL);
    if (!condition)
        return false;
    bool is_constant = condition->op == GW_B_CONST && condition->type_oid == GW_T_BOOL;
    if (is_constant && !gw_bind_is_true(condition))
        return true;
    struct gw_bound *value = run_branch(m, vars, body->list, body->up);
    if (!value)
        return false;
    out->is_closed = is_constant;
    if (!is_constant)
        out->args[out->n++] = condition;
    out->args[out->n++] = value;
    return true;
}

static struct gw_bound *close_branches(struct gw_bind_machine *m, const struct gw_bind_vars *vars,
                                       struct branches *out, const struct place *otherwise)
{
    if (!out->is_closed)
        out->args[out->n++] = run_branch(m, vars, otherwise->list, otherwise->up);
    struct gw_bound *last = out->args[out->n - 1];
    if (!last || out->n == 1)
        return last;
    struct gw_bound *node = gw_bind_node(m->b, GW_B_CASE, m->env.fn->return_type, out->n);
    if (node)
        memcpy(node->args, out->args, out->n * sizeof(struct gw_bound *));
    return node;
}

static struct gw_bound *run_if(struct gw_bind_machine *m, struct gw_bind_vars *vars,
                               const struct json_t *stmt, const struct place *rest)
{
    const struct json_t *elsifs = gw_bind_member(stmt, "elsif_list"), *elsif;
    struct branches *out = gw_arena_alloc(m->b->arena, sizeof *out);
    struct place body = {gw_bind_member(stmt, "then_body"), 0, rest};
    if (!out || !add_branch(m, vars, out,
                            gw_bind_piece_value(m, vars, gw_bind_member(stmt, "cond")), &body))
        return NULL;
    for (size_t i = 0; i < gw_bind_size(elsifs) && !out->is_closed; i++) {
        gw_bind_kind(gw_bind_at(elsifs, i), &elsif);
        body.list = gw_bind_member(elsif, "stmts");
        if (i == GW_BIND_VARS_MAX - 1)
            return gw_bind_fail(m->b, "has more than %u ELSIFs", GW_BIND_VARS_MAX);
        if (!add_branch(m, vars, out, gw_bind_piece_value(m, vars, gw_bind_member(elsif, "cond")),
                        &body))
            return NULL;
    }
    body.list = gw_bind_member(stmt, "else_body");
    return close_branches(m, vars, out, &body);
}

/* CASE as a statement; with an operand it is assigned to a variable that the conditions name. */
static struct gw_bound *run_case(struct gw_bind_machine *m, struct gw_bind_vars *vars,
                                 const struct json_t *stmt, const struct place *rest)
{
    const struct json_t *whens = gw_bind_member(stmt, "case_when_list"), *when;
    const struct json_t *operand = gw_bind_member(stmt, "t_expr");
    struct branches *out = gw_arena_alloc(m->b->arena, sizeof *out);
    int64_t number = gw_bind_integer(stmt, "t_varno", 0);
    char name[64];
    if (!out || !gw_bind_flag(stmt, "have_else") || gw_bind_size(whens) >= GW_BIND_VARS_MAX)
        return gw_bind_fail(m->b, "has a CASE without ELSE, or one too long");
    snprintf(name, sizeof name, "__Case__Variable_%lld__", (long long)number);
    if (operand &&
        !gw_bind_assign(m, vars, gw_span_of(name), gw_bind_piece_value(m, vars, operand)))
        return NULL;
    struct place body = {NULL, 0, rest};
    for (size_t i = 0; i < gw_bind_size(whens) && !out->is_closed; i++) {
        gw_bind_kind(gw_bind_at(whens, i), &when);
        body.list = gw_bind_member(when, "stmts");
        if (!add_branch(m, vars, out, gw_bind_piece_value(m, vars, gw_bind_member(when, "expr")),
                        &body))
            return NULL;
    }
    body.list = gw_bind_member(stmt, "else_stmts");
    return close_branches(m, vars, out, &body);
}

static struct gw_bound *run_return(struct gw_bind_machine *m, const struct gw_bind_vars *vars,
                                   const struct json_t *stmt)
{
    const struct json_t *expr = gw_bind_member(stmt, "expr");
    if (!expr)
        return gw_bind_fail(m->b, "may end without RETURN");
    struct gw_bound *value = gw_bind_piece_value(m, vars, expr);
    return gw_bind_cast(m->b, value, m->env.fn->return_type);
}

/* ---- statements ---- */

static bool run_step(struct gw_bind_machine *m, struct gw_bind_vars *vars, const char *kind,
                     const struct json_t *stmt)
{
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++)
        if (strcmp(kind, STEPS[i].kind) == 0)
            return STEPS[i].run(m, vars, stmt);
    if (gw_bind_member(stmt, "exceptions"))
        gw_bind_fail(m->b, "has an EXCEPTION block");
    else /* PLpgSQL_stmt_… */
        gw_bind_fail(m->b, "has a statement of the kind %s", strlen(kind) > 13 ? kind + 13 : kind);
    return false;
}

/* The next statement; false: there is none. */
static bool next(struct place *at, const char **kind, const struct json_t **stmt)
{
    while (at->i >= gw_bind_size(at->list)) {
        if (!at->up)
            return false;
        *at = *at->up;
    }
    *kind = gw_bind_kind(gw_bind_at(at->list, at->i++), stmt);
    return true;
}

static struct gw_bound *run_all(struct gw_bind_machine *m, struct gw_bind_vars *vars,
                                struct place at)
{
    const struct json_t *stmt;
    const char *kind;
    while (next(&at, &kind, &stmt)) {
        if (strcmp(kind, "PLpgSQL_stmt_return") == 0)
            return run_return(m, vars, stmt);
        if (strcmp(kind, "PLpgSQL_stmt_if") == 0)
            return run_if(m, vars, stmt, &at);
        if (strcmp(kind, "PLpgSQL_stmt_case") == 0)
            return run_case(m, vars, stmt, &at);
        if (!run_step(m, vars, kind, stmt))
            return NULL;
    }
    return gw_bind_fail(m->b, "may end without RETURN");
}

static struct gw_bound *run(struct gw_bind_machine *m, struct gw_bind_vars *vars, struct place at)
{
    if (!gw_bind_enter(m->b))
        return NULL;
    struct gw_bound *value = run_all(m, vars, at);
    gw_bind_leave(m->b);
    return value;
}

/* One RETURN QUERY, at most steps before it. */
static bool run_rows(struct gw_bind_machine *m, struct gw_bind_vars *vars, struct place at)
{
    const struct json_t *stmt;
    const char *kind;
    while (next(&at, &kind, &stmt)) {
        bool is_return = strcmp(kind, "PLpgSQL_stmt_return") == 0;
        if (is_return && m->rows && !gw_bind_member(stmt, "expr"))
            return true;
        if (is_return || m->rows) {
            gw_bind_fail(m->b, "returns rows in another way than by one RETURN QUERY");
            return false;
        }
        if (strcmp(kind, "PLpgSQL_stmt_return_query") != 0) {
            if (!run_step(m, vars, kind, stmt))
                return false;
            continue;
        }
        const struct json_t *expr = gw_bind_member(gw_bind_member(stmt, "query"), "PLpgSQL_expr");
        struct gw_span sql = gw_bind_string(expr, "query");
        m->rows = sql.n ? gw_bind_piece(m, vars, "", sql)
                        : gw_bind_fail(m->b, "runs dynamic SQL in RETURN QUERY");
        if (!m->rows)
            return false;
    }
    return m->rows != NULL;
}

/* ---- public ---- */

struct gw_bound *gw_bind_plpgsql(struct gw_binder *b)
{
    struct gw_bind_machine m;
    struct gw_bind_vars *vars = gw_arena_alloc(b->arena, sizeof *vars);
    const struct json_t *body = vars ? gw_bind_open_body(&m, b, vars) : NULL;
    struct gw_bound *value = body ? run(&m, vars, (struct place){body, 0, NULL}) : NULL;
    return value && gw_bind_check_dropped(&m, value) ? value : NULL;
}

struct gw_bind_query *gw_bind_plpgsql_rows(struct gw_binder *b)
{
    struct gw_bind_machine m;
    struct gw_bind_vars *vars = gw_arena_alloc(b->arena, sizeof *vars);
    const struct json_t *body = vars ? gw_bind_open_body(&m, b, vars) : NULL;
    bool ok = body && run_rows(&m, vars, (struct place){body, 0, NULL});
    return ok && gw_bind_check_dropped(&m, NULL) ? m.rows : NULL;
}
