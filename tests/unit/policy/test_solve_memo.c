/* What the solver remembers and for how long, what it watches, and what it asks for. */
#include "solve_fixture.h"

static struct fx f;

static void setup(void)
{
    fx_setup(&f);
}

static void teardown(void)
{
    fx_teardown(&f);
}

static const struct gw_plan *start(struct gw_expr *e)
{
    const struct gw_plan *plan = rx_plan(f.x, e);
    fx_start(&f, NULL);
    return plan;
}

static struct gw_solver_stats stats(void)
{
    struct gw_solver_stats out;
    gw_solver_stats(f.solver, &out);
    return out;
}

#define CK_SOLVES(plan, text) ck_assert_str_eq(fx_text(&f, fx_solve(&f, plan)), text)

/* ---- memory ---- */

START_TEST(test_solve_memo_answers_until_a_row_changes)
{
    const struct gw_plan *plan = start(fx_is_member(&f));
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "8", "x");
    CK_SOLVES(plan, "user is 8");
    ck_assert_uint_eq(f.info.lookups, 1);
    CK_SOLVES(plan, "user is 8");
    ck_assert_uint_eq(f.info.lookups, 0);
    ck_assert_uint_eq(stats().memo_hits, 1);
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "9", "x");
    CK_SOLVES(plan, "user is 9");
}
END_TEST

START_TEST(test_solve_memo_is_by_outer_values_alone)
{
    const struct gw_plan *plan = start(fx_is_member(&f));
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "8", "x", "2", "2", "9", "x");
    CK_SOLVES(plan, "user is 8");
    fx_row(&f, "1", "99", "other", "t");
    CK_SOLVES(plan, "user is 8");
    ck_assert_uint_eq(stats().memo_hits, 1);
    fx_row(&f, "2", "99", "other", "t");
    CK_SOLVES(plan, "user is 9");
    fx_row(&f, NULL, "99", "other", "t");
    CK_SOLVES(plan, "nobody");
    ck_assert_uint_eq(stats().memo_hits, 1);
}
END_TEST

START_TEST(test_solve_memo_tells_null_from_empty)
{
    struct gw_subselect *sub = rx_sub(f.x, 1);
    struct gw_source *s = rx_source(f.x, &sub->arms[0], 1, T_MEMBERS, -1);
    rx_where(s, rx_eq(f.x, rx_column(f.x, 1, 2, GW_KIND_INT), rx_of_fact(f.x, F_USER)));
    rx_where(s, RX_IS_NULL(f.x, fx_col(&f, R_TEXT)));
    const struct gw_plan *plan = start(rx_exists(f.x, sub));
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "8", "x");
    fx_row(&f, "1", "7", "", "f");
    CK_SOLVES(plan, "nobody");
    fx_row(&f, "1", "7", NULL, "f");
    CK_SOLVES(plan, "user is 8");
}
END_TEST

START_TEST(test_solve_memo_tells_equal_numbers_of_different_text)
{
    struct gw_subselect *sub = rx_sub(f.x, 1);
    struct gw_source *s = rx_source(f.x, &sub->arms[0], 1, T_MEMBERS, -1);
    struct gw_expr *number = rx_column(f.x, 0, R_TEXT, GW_KIND_NUMERIC);
    rx_where(s, rx_eq(f.x, rx_column(f.x, 1, 2, GW_KIND_INT), rx_of_fact(f.x, F_USER)));
    rx_where(s, rx_eq(f.x, rx_column(f.x, 1, 3, GW_KIND_TEXT),
                      rx_native(f.x, GW_FN_TO_TEXT, GW_KIND_TEXT, number)));
    const struct gw_plan *plan = start(rx_exists(f.x, sub));
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "8", "1.0");
    f.row[R_TEXT] = gw_datum_of(GW_KIND_NUMERIC, GW_SPAN_LIT("1.00"));
    CK_SOLVES(plan, "nobody");
    f.row[R_TEXT] = gw_datum_of(GW_KIND_NUMERIC, GW_SPAN_LIT("1.0"));
    CK_SOLVES(plan, "user is 8");
}
END_TEST

/* EXISTS (SELECT FROM trips WHERE id = the row's trip AND (public OR the caller is a member of it))
 */
static struct gw_expr *trip_is_visible(void)
{
    struct gw_subselect *inner = rx_sub(f.x, 1), *outer = rx_sub(f.x, 1);
    struct gw_source *m = rx_source(f.x, &inner->arms[0], 2, T_MEMBERS, I_MEMBERS_TRIP);
    rx_key(m, rx_column(f.x, 1, 0, GW_KIND_INT));
    rx_where(m, rx_eq(f.x, rx_column(f.x, 2, 2, GW_KIND_INT), rx_of_fact(f.x, F_USER)));
    struct gw_source *t = rx_source(f.x, &outer->arms[0], 1, T_TRIPS, I_TRIPS_ID);
    rx_key(t, fx_col(&f, R_TRIP));
    rx_where(t,
             RX_OR(f.x, RX_TRUTH(f.x, rx_column(f.x, 1, 2, GW_KIND_BOOL)), rx_exists(f.x, inner)));
    return rx_exists(f.x, outer);
}

START_TEST(test_solve_memo_falls_with_what_it_rests_on)
{
    const struct gw_plan *plan = start(trip_is_visible());
    FX_LOAD(&f, T_TRIPS, 3, "1", "7", "f");
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "8", "x");
    CK_SOLVES(plan, "user is 8");
    CK_SOLVES(plan, "user is 8");
    ck_assert_uint_eq(stats().memo_hits, 1);
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "9", "x");
    CK_SOLVES(plan, "user is 9");
    FX_LOAD(&f, T_TRIPS, 3, "1", "7", "t");
    CK_SOLVES(plan, "everybody");
}
END_TEST

START_TEST(test_solve_memo_keeps_its_bound)
{
    const struct gw_plan *plan = rx_plan(f.x, fx_is_member(&f));
    char trip[12];
    fx_start(&f, &(struct gw_solver_config){.memo_bytes = 50000});
    fx_load_team(&f, "1", 10);
    for (int i = 0; i < 1000; i++) {
        snprintf(trip, sizeof trip, "%d", i);
        fx_row(&f, trip, "7", "", "f");
        gw_formula_unref(fx_solve(&f, plan));
        ck_assert_uint_le(stats().memo_bytes, 50000);
    }
    ck_assert_uint_gt(stats().memo_bytes, 25000);
    struct gw_state_stats state;
    gw_state_stats(f.state, &state);
    ck_assert_uint_lt(state.watches, 400);
    fx_row(&f, "1", "7", "", "f");
    ck_assert(fx_user_sees(&f, plan, "1003"));
}
END_TEST

START_TEST(test_solve_new_rules_forget_everything)
{
    const struct gw_plan *plan = start(fx_is_member(&f));
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "8", "x");
    CK_SOLVES(plan, "user is 8");
    gw_solver_set_rules(f.solver, &f.x->rules);
    ck_assert_uint_eq(stats().memo_bytes, 0);
    CK_SOLVES(plan, "user is 8");
    ck_assert_uint_eq(stats().memo_hits, 0);
}
END_TEST

START_TEST(test_solve_unknown_is_not_remembered)
{
    const struct gw_plan *plan = start(fx_is_member(&f));
    CK_SOLVES(plan, "nobody");
    ck_assert_uint_eq(stats().memo_bytes, 0);
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "8", "x");
    CK_SOLVES(plan, "user is 8");
}
END_TEST

/* ---- watches and traces ---- */

static int fired;

static void on_change(struct gw_watch *w)
{
    (void)w;
    fired++;
}

START_TEST(test_solve_watch_fires_for_answers_from_memory_too)
{
    const struct gw_plan *plan = start(trip_is_visible());
    struct gw_watch watch;
    fired = 0;
    FX_LOAD(&f, T_TRIPS, 3, "1", "7", "f");
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "8", "x");
    CK_SOLVES(plan, "user is 8");
    gw_watch_init(&watch, on_change);
    f.options.watch = &watch;
    CK_SOLVES(plan, "user is 8");
    ck_assert_uint_eq(f.info.lookups, 0);
    f.options.watch = NULL;
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "9", "x");
    ck_assert_int_eq(fired, 1);
    gw_watch_fini(&watch);
}
END_TEST

static void on_lookup(void *ctx, uint32_t table, int32_t index, const struct gw_datum *keys,
                      const struct gw_state_hits *hits)
{
    ck_assert_uint_eq(table, T_MEMBERS);
    ck_assert_int_eq(index, I_MEMBERS_TRIP);
    ck_assert(gw_span_is(keys[0].text, "1"));
    *(uint32_t *)ctx += hits->n;
}

START_TEST(test_solve_trace_sees_every_lookup)
{
    const struct gw_plan *plan = start(fx_is_member(&f));
    uint32_t rows = 0;
    struct gw_solve_trace trace = {.ctx = &rows, .on_lookup = on_lookup};
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "8", "x", "2", "1", "9", "x");
    gw_formula_unref(fx_solve(&f, plan));
    f.options.trace = &trace;
    CK_SOLVES(plan, "user is one of 8, 9");
    CK_SOLVES(plan, "user is one of 8, 9");
    ck_assert_uint_eq(rows, 4);
}
END_TEST

/* ---- needs ---- */

static void answer_all(const char *text)
{
    const struct gw_needs *needs = gw_solver_needs(f.solver);
    struct gw_datum answer =
        text ? gw_datum_of(GW_KIND_BOOL, gw_span_of(text)) : gw_datum_unknown();
    for (uint32_t i = 0; i < needs->n_externals; i++)
        gw_solver_answer(f.solver, &needs->externals[i], &answer);
    gw_solver_forget_needs(f.solver);
}

static const struct gw_plan *plan_of_external(uint32_t external)
{
    struct gw_expr *e = rx_of_external(f.x, external, fx_col(&f, R_TEXT));
    return start(RX_AND(f.x, fx_is_owner(&f), RX_TRUTH(f.x, e)));
}

START_TEST(test_solve_external_is_asked_once_with_text_and_role)
{
    const struct gw_plan *plan = plan_of_external(0);
    CK_SOLVES(plan, "E_AGAIN");
    CK_SOLVES(plan, "E_AGAIN");
    const struct gw_needs *needs = gw_solver_needs(f.solver);
    ck_assert_uint_eq(needs->n_externals, 1);
    ck_assert_uint_eq(needs->externals[0].role_id, 1);
    ck_assert(gw_span_is(needs->externals[0].args[0].text, "text"));
    answer_all("t");
    ck_assert_uint_eq(gw_solver_needs(f.solver)->n_externals, 0);
    CK_SOLVES(plan, "user is 7");
    ck_assert(!f.info.met_unknown);
}
END_TEST

START_TEST(test_solve_immutable_answer_outlives_the_judgement)
{
    const struct gw_plan *plan = plan_of_external(0);
    CK_SOLVES(plan, "E_AGAIN");
    answer_all("t");
    gw_solver_next_judgement(f.solver);
    CK_SOLVES(plan, "user is 7");
}
END_TEST

START_TEST(test_solve_other_answers_count_for_one_judgement)
{
    const struct gw_plan *plan = plan_of_external(1);
    CK_SOLVES(plan, "E_AGAIN");
    answer_all("t");
    CK_SOLVES(plan, "user is 7");
    gw_solver_next_judgement(f.solver);
    CK_SOLVES(plan, "E_AGAIN");
}
END_TEST

START_TEST(test_solve_missing_answer_admits_nobody_until_asked_again)
{
    const struct gw_plan *plan = plan_of_external(0);
    CK_SOLVES(plan, "E_AGAIN");
    answer_all(NULL);
    CK_SOLVES(plan, "nobody");
    ck_assert(f.info.met_unknown);
    gw_solver_next_judgement(f.solver);
    CK_SOLVES(plan, "E_AGAIN");
}
END_TEST

START_TEST(test_solve_remembered_answers_are_bounded)
{
    struct gw_expr *e = rx_of_external(f.x, 0, fx_col(&f, R_TEXT));
    const struct gw_plan *plan = rx_plan(f.x, RX_AND(f.x, fx_is_owner(&f), RX_TRUTH(f.x, e)));
    fx_start(&f, &(struct gw_solver_config){.externals_max = 2});
    const char *texts[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        fx_row(&f, "1", "7", texts[i], "f");
        CK_SOLVES(plan, "E_AGAIN");
        answer_all("t");
    }
    CK_SOLVES(plan, "user is 7");
    fx_row(&f, "1", "7", "a", "f");
    CK_SOLVES(plan, "E_AGAIN");
}
END_TEST

START_TEST(test_solve_missing_key_of_a_cached_table_is_needed)
{
    const struct gw_plan *plan = start(fx_is_member(&f));
    gw_state_load_cached(f.state, T_MEMBERS);
    CK_SOLVES(plan, "E_AGAIN");
    const struct gw_needs *needs = gw_solver_needs(f.solver);
    ck_assert_uint_eq(needs->n_keys, 1);
    ck_assert_uint_eq(needs->keys[0].table, T_MEMBERS);
    ck_assert_uint_eq(needs->keys[0].index, I_MEMBERS_TRIP);
    ck_assert(gw_span_is(needs->keys[0].key[0].text, "1"));
    f.options.give_up = true;
    CK_SOLVES(plan, "nobody");
    ck_assert(f.info.met_unknown);
    f.options.give_up = false;
    struct gw_datum cells[] = {fx_int("1"), fx_int("1"), fx_int("8"), gw_datum_null(GW_KIND_TEXT)};
    gw_state_load_key(f.state, T_MEMBERS, I_MEMBERS_TRIP, needs->keys[0].key,
                      &(struct gw_state_rows){1, cells});
    gw_state_settle(f.state);
    gw_solver_forget_needs(f.solver);
    CK_SOLVES(plan, "user is 8");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("solve_memo");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_solve_memo_answers_until_a_row_changes);
    tcase_add_test(tc, test_solve_memo_is_by_outer_values_alone);
    tcase_add_test(tc, test_solve_memo_tells_null_from_empty);
    tcase_add_test(tc, test_solve_memo_tells_equal_numbers_of_different_text);
    tcase_add_test(tc, test_solve_memo_falls_with_what_it_rests_on);
    tcase_add_test(tc, test_solve_memo_keeps_its_bound);
    tcase_add_test(tc, test_solve_new_rules_forget_everything);
    tcase_add_test(tc, test_solve_unknown_is_not_remembered);
    tcase_add_test(tc, test_solve_watch_fires_for_answers_from_memory_too);
    tcase_add_test(tc, test_solve_trace_sees_every_lookup);
    tcase_add_test(tc, test_solve_external_is_asked_once_with_text_and_role);
    tcase_add_test(tc, test_solve_immutable_answer_outlives_the_judgement);
    tcase_add_test(tc, test_solve_other_answers_count_for_one_judgement);
    tcase_add_test(tc, test_solve_missing_answer_admits_nobody_until_asked_again);
    tcase_add_test(tc, test_solve_remembered_answers_are_bounded);
    tcase_add_test(tc, test_solve_missing_key_of_a_cached_table_is_needed);
    suite_add_tcase(s, tc);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
