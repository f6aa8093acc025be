/* explain_solve: the solver of serve, over an access state that starts empty and is filled as the
 * solver asks: keys by reads, expressions by questions. What it looks up on the way is written
 * down.
 *
 * DESIGN. Every table is CACHED, so a look-up without its rows is E_AGAIN and names the key; the
 * rows are read and the solution begins anew, until nothing is missing. A look-up of a whole table
 * names no key: the trace notices that it was incomplete, and the table is loaded. Only the last
 * try is written down. Whether an expression is false is told by solving its negation. */
#include "explain_own.h"

#include <stdlib.h>

#define ROUNDS_MAX 1000
#define ROWS_SHOWN 5
#define STEPS_SHOWN 60
#define MEMO_BYTES ((size_t)16 << 20)
#define SOLVE_ROWS_MAX 2000000
#define EXTERNALS_MAX 100000

struct gw_explain_solver {
    struct gw_explain *x;
    const struct gw_rules *rules;
    const struct gw_plan *plan;
    const struct gw_explain_facts *facts;
    struct gw_state *state;
    struct gw_solver *solver;
    /* Of the try that is being written down: */
    struct gw_buf *steps; /* or NULL: it is not */
    struct gw_map seen;   /* lines that stand there already */
    uint32_t n_steps;
    int64_t whole; /* a table that is wanted as a whole, or -1 */
};

/* ---- writing down ---- */

static void step_add(struct gw_explain_solver *s, struct gw_buf *line)
{
    struct gw_span text = gw_buf_span(line);
    if (s->steps && !gw_map_find(&s->seen, text)) {
        gw_map_put(&s->seen, text, s);
        if (s->n_steps++ < STEPS_SHOWN)
            gw_buf_add_span(s->steps, text);
    }
    gw_buf_fini(line);
}

static void add_cells(struct gw_explain_solver *s, struct gw_buf *line, uint32_t table,
                      const struct gw_state_row *row)
{
    const struct gw_state_table_def *def = &s->rules->tables[table];
    for (uint32_t i = 0; i < def->n_columns; i++) {
        struct gw_datum d = gw_state_cell(s->state, row, table, i);
        gw_buf_add_str(line, i ? ", " : "");
        gw_buf_add_span(line, def->columns[i].name);
        gw_buf_add_byte(line, ' ');
        gw_explain_add_value(line, &d);
    }
}

static void on_lookup(void *ctx, uint32_t table, int32_t index, const struct gw_datum *keys,
                      const struct gw_state_hits *hits)
{
    struct gw_explain_solver *s = ctx;
    const struct gw_state_table_def *def = &s->rules->tables[table];
    struct gw_buf line;
    if (index < 0 && hits->is_incomplete && gw_state_mode(s->state, table) != GW_STATE_RESIDENT)
        s->whole = table;
    if (!s->steps)
        return;
    gw_buf_init(&line, 0);
    gw_buf_add_str(&line, "looks into ");
    gw_buf_add_span(&line, def->name);
    for (uint32_t i = 0; index >= 0 && i < def->indexes[index].n; i++) {
        gw_buf_add_str(&line, i ? " and " : " by ");
        gw_buf_add_span(&line, def->columns[def->indexes[index].columns[i]].name);
        gw_buf_add_str(&line, " = ");
        gw_explain_add_value(&line, &keys[i]);
    }
    gw_buf_printf(&line, ": %u row%s%s\n", hits->n, hits->n == 1 ? "" : "s",
                  hits->is_incomplete ? ", and perhaps more that are not known" : "");
    for (uint32_t i = 0; i < hits->n && i < ROWS_SHOWN; i++) {
        gw_buf_add_str(&line, "  ");
        add_cells(s, &line, table, hits->rows[i]);
        gw_buf_add_byte(&line, '\n');
    }
    if (hits->n > ROWS_SHOWN)
        gw_buf_printf(&line, "  and %u more\n", hits->n - ROWS_SHOWN);
    step_add(s, &line);
}

static void on_external(void *ctx, uint32_t external, const struct gw_datum *args,
                        const struct gw_datum *answer)
{
    struct gw_explain_solver *s = ctx;
    const struct gw_external *e = &s->rules->externals[external];
    struct gw_buf line;
    if (!s->steps)
        return;
    gw_buf_init(&line, 0);
    gw_buf_add_str(&line, "Postgres evaluates ");
    gw_explain_add_sql(&line, e->sql);
    for (uint32_t i = 0; i < e->n_args; i++) {
        gw_buf_printf(&line, "%sa%u = ", i ? ", " : " with ", i + 1);
        gw_explain_add_value(&line, &args[i]);
    }
    gw_buf_add_str(&line, ": ");
    gw_explain_add_value(&line, answer);
    gw_buf_add_byte(&line, '\n');
    step_add(s, &line);
}

static void begin_try(struct gw_explain_solver *s)
{
    s->whole = -1;
    s->n_steps = 0;
    gw_map_fini(&s->seen);
    gw_map_init(&s->seen, 1);
    if (s->steps)
        gw_buf_reset(s->steps);
}

/* ---- what the solver wants ---- */

static enum gw_code read_keys(struct gw_explain_solver *s, const struct gw_needs *needs,
                              struct gw_err *err)
{
    enum gw_code code = GW_OK;
    for (uint32_t i = 0; i < needs->n_keys && code == GW_OK; i++)
        code = gw_explain_load(s->x, s->state, &needs->keys[i], needs->keys[i].table, err);
    return code;
}

static void answer_externals(struct gw_explain_solver *s, const struct gw_needs *needs)
{
    for (uint32_t i = 0; i < needs->n_externals; i++) {
        const struct gw_need_external *need = &needs->externals[i];
        const struct gw_external *e = &s->rules->externals[need->external];
        const struct gw_explain_eval eval = {
            .sql = e->sql, .n_args = e->n_args, .args = need->args};
        struct gw_err why = {0};
        struct gw_datum d = gw_explain_eval(s->x, &eval, &why);
        gw_solver_answer(s->solver, need, &d);
    }
}

/* False: nothing was wanted, or it cannot be had (err). */
static bool get_what_is_missing(struct gw_explain_solver *s, enum gw_code code, struct gw_err *err)
{
    const struct gw_needs *needs = gw_solver_needs(s->solver);
    bool has_more = code == GW_E_AGAIN && needs->n_keys + needs->n_externals > 0;
    enum gw_code read = GW_OK;
    if (s->whole >= 0)
        read = gw_explain_load(s->x, s->state, NULL, (uint32_t)s->whole, err);
    else if (has_more)
        read = read_keys(s, needs, err);
    if (has_more)
        answer_externals(s, needs);
    gw_solver_forget_needs(s->solver);
    return read == GW_OK && (has_more || s->whole >= 0);
}

static enum gw_code solve(struct gw_explain_solver *s, const struct gw_expr *expr,
                          struct gw_formula **f, struct gw_solve_info *info, struct gw_err *err)
{
    const struct gw_solve_trace trace = {s, on_lookup, on_external};
    const struct gw_solve_row row = {.n = s->x->table->n_columns, .cells = s->x->cells};
    struct gw_solve_options options = {.certainty = GW_MUST, .trace = &trace};
    enum gw_code code = GW_E_AGAIN;
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        begin_try(s);
        *f = NULL;
        *info = (struct gw_solve_info){0};
        code = gw_solve(s->solver, s->plan, expr, &row, &options, f, info);
        if (!get_what_is_missing(s, code, err))
            break;
        gw_formula_unref(*f);
    }
    if (code != GW_E_AGAIN)
        return code;
    begin_try(s);
    options.give_up = true;
    *f = NULL;
    code = gw_solve(s->solver, s->plan, expr, &row, &options, f, info);
    gw_solver_forget_needs(s->solver);
    return code;
}

/* ---- for the caller ---- */

static bool admits(const struct gw_explain_solver *s, const struct gw_formula *f)
{
    return f && gw_formula_admits(f, s->facts->facts, s->rules->n_facts);
}

/* Of what is neither true for the caller nor known to be false. */
static enum gw_explain_truth truth_of_rest(const struct gw_solve_info *info)
{
    if (info->met_unknown)
        return GW_EXPLAIN_UNKNOWN;
    return info->met_error ? GW_EXPLAIN_ERROR : GW_EXPLAIN_NULL;
}

static enum gw_explain_truth truth_of_code(enum gw_code code)
{
    return code == GW_E_TOO_BIG  ? GW_EXPLAIN_TOO_BIG
           : code == GW_E_POLICY ? GW_EXPLAIN_ERROR
                                 : GW_EXPLAIN_UNKNOWN;
}

/* Nothing of it is written down. */
static enum gw_explain_truth solve_negation(struct gw_explain_solver *s, const struct gw_expr *expr,
                                            struct gw_err *err)
{
    struct gw_expr *args[] = {(struct gw_expr *)(uintptr_t)expr};
    const struct gw_expr negation = {.op = GW_EXPR_NOT,
                                     .kind = GW_KIND_BOOL,
                                     .caller_free = expr->caller_free,
                                     .n_args = 1,
                                     .args = args};
    struct gw_formula *f = NULL;
    struct gw_solve_info info;
    s->steps = NULL;
    enum gw_code code = solve(s, &negation, &f, &info, err);
    bool is_false = code == GW_OK && admits(s, f);
    gw_formula_unref(f);
    if (code != GW_OK)
        return truth_of_code(code);
    return is_false ? GW_EXPLAIN_FALSE : truth_of_rest(&info);
}

void gw_explain_solve(struct gw_explain_solver *s, const struct gw_expr *expr,
                      struct gw_explain_solution *out, struct gw_err *err)
{
    struct gw_solve_info info;
    *out = (struct gw_explain_solution){0};
    gw_buf_init(&out->steps, 0);
    s->steps = &out->steps;
    enum gw_code code = solve(s, expr, &out->formula, &info, err);
    if (s->n_steps > STEPS_SHOWN)
        gw_buf_printf(&out->steps, "and %u more\n", s->n_steps - STEPS_SHOWN);
    if (code != GW_OK)
        out->truth = truth_of_code(code);
    else if (s->facts->trouble == UINT32_MAX && admits(s, out->formula))
        out->truth = GW_EXPLAIN_TRUE;
    else
        out->truth = solve_negation(s, expr, err);
    s->steps = NULL;
}

void gw_explain_solution_fini(struct gw_explain_solution *s)
{
    gw_formula_unref(s->formula);
    gw_buf_fini(&s->steps);
    s->formula = NULL;
}

/* ---- life ---- */

struct gw_explain_solver *gw_explain_solver_new(struct gw_explain *x, const struct gw_plan *plan,
                                                const struct gw_explain_facts *facts)
{
    static const struct gw_solver_config cfg = {
        .memo_bytes = MEMO_BYTES, .rows_max = SOLVE_ROWS_MAX, .externals_max = EXTERNALS_MAX};
    struct gw_explain_solver *s = gw_alloc(sizeof *s);
    s->x = x;
    s->rules = x->catalog->rules;
    s->plan = plan;
    s->facts = facts;
    s->whole = -1;
    gw_map_init(&s->seen, 1);
    s->state = gw_state_new(x->settings->access_state_bytes);
    gw_state_set_rules(s->state, s->rules);
    for (uint32_t i = 0; i < s->rules->n_tables; i++)
        gw_state_load_cached(s->state, i);
    s->solver = gw_solver_new(s->state, &cfg);
    gw_solver_set_rules(s->solver, s->rules);
    return s;
}

void gw_explain_solver_free(struct gw_explain_solver *s)
{
    if (!s)
        return;
    gw_solver_free(s->solver);
    gw_state_free(s->state);
    gw_map_fini(&s->seen);
    free(s);
}
