/* solve_fixture: trips and their members, for the tests of the solver.
 *     trips(a id, b owner, c is_public)      members(a id, b trip, c user, d role)
 * The row judged: 0 trip, 1 owner, 2 text, 3 is_public. Facts: user, org, names (a set), is_admin.
 */
#ifndef GW_TEST_SOLVE_FIXTURE_H
#define GW_TEST_SOLVE_FIXTURE_H

#include "rules_fixture.h"

#include <check.h>
#include <stdio.h>

enum { F_USER, F_ORG, F_NAMES, F_ADMIN };
enum { T_TRIPS, T_MEMBERS };
enum { I_TRIPS_ID };
enum { I_MEMBERS_TRIP, I_MEMBERS_USER };
enum { R_TRIP, R_OWNER, R_TEXT, R_PUBLIC, R_COLUMNS };

struct fx {
    struct rx *x;
    struct gw_state *state;
    struct gw_solver *solver;
    struct gw_datum row[R_COLUMNS];
    struct gw_span topic;
    struct gw_solve_options options;
    struct gw_solve_info info;
    enum gw_code code;
};

static inline struct gw_datum fx_int(const char *text)
{
    return text ? gw_datum_of(GW_KIND_INT, gw_span_of(text)) : gw_datum_null(GW_KIND_INT);
}

static inline void fx_row(struct fx *f, const char *trip, const char *owner, const char *text,
                          const char *is_public)
{
    f->row[R_TRIP] = fx_int(trip);
    f->row[R_OWNER] = fx_int(owner);
    f->row[R_TEXT] =
        text ? gw_datum_of(GW_KIND_TEXT, gw_span_of(text)) : gw_datum_null(GW_KIND_TEXT);
    f->row[R_PUBLIC] =
        is_public ? gw_datum_of(GW_KIND_BOOL, gw_span_of(is_public)) : gw_datum_null(GW_KIND_BOOL);
}

static inline void fx_setup(struct fx *f)
{
    static const enum gw_kind TRIPS[] = {GW_KIND_INT, GW_KIND_INT, GW_KIND_BOOL};
    static const enum gw_kind MEMBERS[] = {GW_KIND_INT, GW_KIND_INT, GW_KIND_INT, GW_KIND_TEXT};
    *f = (struct fx){.x = rx_new()};
    rx_fact(f->x, GW_KIND_INT, false);
    rx_fact(f->x, GW_KIND_INT, false);
    rx_fact(f->x, GW_KIND_TEXT, true);
    rx_fact(f->x, GW_KIND_BOOL, false);
    f->x->rules.facts[F_USER].sql = GW_SPAN_LIT("user");
    f->x->rules.facts[F_ORG].sql = GW_SPAN_LIT("org");
    f->x->rules.facts[F_NAMES].sql = GW_SPAN_LIT("names");
    f->x->rules.facts[F_ADMIN].sql = GW_SPAN_LIT("admin");
    rx_external(f->x, GW_KIND_BOOL, 1, true);
    rx_external(f->x, GW_KIND_BOOL, 1, false);
    rx_table(f->x, 10, 3, TRIPS);
    rx_table(f->x, 11, 4, MEMBERS);
    rx_index(f->x, T_TRIPS, 1, (uint32_t[]){0});
    rx_index(f->x, T_MEMBERS, 1, (uint32_t[]){1});
    rx_index(f->x, T_MEMBERS, 1, (uint32_t[]){2});
    fx_row(f, "1", "7", "text", "f");
}

/* After the plans were made. */
static inline void fx_start(struct fx *f, const struct gw_solver_config *cfg)
{
    f->state = gw_state_new((size_t)1 << 28);
    gw_state_set_rules(f->state, &f->x->rules);
    f->solver = gw_solver_new(f->state, cfg ? cfg : &(struct gw_solver_config){0});
    gw_solver_set_rules(f->solver, &f->x->rules);
}

static inline void fx_teardown(struct fx *f)
{
    gw_solver_free(f->solver);
    gw_state_free(f->state);
    rx_free(f->x);
}

/* Replace a table: rows of texts, NULL for null, "?" for unknown. */
static inline void fx_load(struct fx *f, uint32_t table, uint32_t n, const char *const *texts)
{
    const struct gw_state_table_def *def = &f->x->rules.tables[table];
    struct gw_datum *cells = gw_alloc((n * def->n_columns + 1) * sizeof *cells);
    for (uint32_t i = 0; i < n * def->n_columns; i++) {
        enum gw_kind kind = def->columns[i % def->n_columns].kind;
        cells[i] = !texts[i]                    ? gw_datum_null(kind)
                   : strcmp(texts[i], "?") == 0 ? gw_datum_unknown()
                                                : gw_datum_of(kind, gw_span_of(texts[i]));
    }
    gw_state_load(f->state, table, &(struct gw_state_rows){n, cells});
    gw_state_settle(f->state);
    free(cells);
}

#define FX_LOAD(f, table, columns, ...)                                                            \
    fx_load(f, table, sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *) / (columns),    \
            (const char *[]){__VA_ARGS__})

/* trip's members: team of n users from 1000 on. */
static inline void fx_load_team(struct fx *f, const char *trip, uint32_t n)
{
    char *texts = gw_alloc((size_t)n * 2 * 12);
    const char **cells = gw_alloc(n * 4 * sizeof *cells);
    for (uint32_t i = 0; i < n; i++) {
        char *id = &texts[(size_t)i * 24], *user = id + 12;
        snprintf(id, 12, "%u", i + 1);
        snprintf(user, 12, "%u", 1000 + i);
        const char **row = &cells[(size_t)i * 4];
        row[0] = id, row[1] = trip, row[2] = user, row[3] = "viewer";
    }
    fx_load(f, T_MEMBERS, n, cells);
    free(cells);
    free(texts);
}

/* ---- trees ---- */

static inline struct gw_expr *fx_col(struct fx *f, uint32_t column)
{
    static const enum gw_kind KINDS[] = {GW_KIND_INT, GW_KIND_INT, GW_KIND_TEXT, GW_KIND_BOOL};
    return rx_column(f->x, 0, column, KINDS[column]);
}

static inline struct gw_expr *fx_is_owner(struct fx *f)
{
    return rx_eq(f->x, rx_of_fact(f->x, F_USER), fx_col(f, R_OWNER));
}

/* EXISTS (SELECT FROM members WHERE trip = the row's trip AND user = the caller) */
static inline struct gw_expr *fx_is_member(struct fx *f)
{
    struct gw_subselect *sub = rx_sub(f->x, 1);
    struct gw_source *s = rx_source(f->x, &sub->arms[0], 1, T_MEMBERS, I_MEMBERS_TRIP);
    rx_key(s, fx_col(f, R_TRIP));
    rx_where(s, rx_eq(f->x, rx_column(f->x, 1, 2, GW_KIND_INT), rx_of_fact(f->x, F_USER)));
    return rx_exists(f->x, sub);
}

/* 'x'::int of the row's text: raises unless it is a number. */
static inline struct gw_expr *fx_cast(struct fx *f)
{
    return rx_native(f->x, GW_FN_TEXT_TO_INT4, GW_KIND_INT, fx_col(f, R_TEXT));
}

static inline struct gw_expr *fx_cast_is(struct fx *f, const char *number)
{
    return rx_eq(f->x, fx_cast(f), rx_value(f->x, GW_KIND_INT, number));
}

/* ---- solving ---- */

static inline struct gw_formula *fx_solve(struct fx *f, const struct gw_plan *plan)
{
    struct gw_solve_row row = {R_COLUMNS, f->row, f->topic};
    struct gw_formula *out = NULL;
    f->code = gw_solve(f->solver, plan, plan->expr, &row, &f->options, &out, &f->info);
    return out;
}

/* The formula as it is printed (taken), or the name of the code; borrowed until the next call. */
static inline const char *fx_text(struct fx *f, struct gw_formula *formula)
{
    static char text[512];
    struct gw_buf b;
    if (!formula)
        return gw_code_name(f->code);
    gw_buf_init(&b, 0);
    gw_formula_print(&b, &f->x->rules, formula);
    snprintf(text, sizeof text, "%s", gw_buf_cstr(&b));
    gw_buf_fini(&b);
    gw_formula_unref(formula);
    return text;
}

static inline bool fx_admits(const struct gw_formula *formula, uint32_t fact, const char *value)
{
    struct gw_fact facts[4] = {0};
    struct gw_datum d = fx_int(value);
    for (int i = 0; i < 4; i++)
        facts[i].state = GW_DATUM_NULL;
    if (value)
        facts[fact] = (struct gw_fact){.state = GW_DATUM_VALUE, .n = 1, .keys = &d.key};
    return gw_formula_admits(formula, facts, 4);
}

/* Whether user (NULL: nobody known) is among those whom the plan admits. */
static inline bool fx_user_sees(struct fx *f, const struct gw_plan *plan, const char *user)
{
    struct gw_formula *formula = fx_solve(f, plan);
    ck_assert_msg(f->code == GW_OK, "%s", gw_code_name(f->code));
    bool sees = fx_admits(formula, F_USER, user);
    gw_formula_unref(formula);
    return sees;
}

#endif
