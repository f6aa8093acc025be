/* The solver case by case: what the formula of a policy is, and what happens at the bounds. */
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

static struct gw_expr *of_int(const char *text)
{
    return rx_value(f.x, GW_KIND_INT, text);
}

static struct gw_expr *user(void)
{
    return rx_of_fact(f.x, F_USER);
}

#define CK_SOLVES(plan, text) ck_assert_str_eq(fx_text(&f, fx_solve(&f, plan)), text)

/* ---- facts and values ---- */

START_TEST(test_solve_fact_equals_a_column_is_one_value)
{
    const struct gw_plan *plan = start(fx_is_owner(&f));
    CK_SOLVES(plan, "user is 7");
    fx_row(&f, "1", NULL, NULL, NULL);
    CK_SOLVES(plan, "nobody");
}
END_TEST

START_TEST(test_solve_not_equal_needs_a_known_fact)
{
    const struct gw_plan *plan = start(RX_NOT(f.x, fx_is_owner(&f)));
    CK_SOLVES(plan, "(user is not 7) and (user is known)");
    fx_row(&f, "1", NULL, NULL, NULL);
    CK_SOLVES(plan, "nobody");
}
END_TEST

START_TEST(test_solve_is_distinct_from_holds_for_a_null_fact)
{
    struct gw_expr *e = rx_compare(f.x, GW_CMP_DISTINCT, user(), fx_col(&f, R_OWNER));
    const struct gw_plan *plan = start(e);
    CK_SOLVES(plan, "user is not 7");
    fx_row(&f, "1", NULL, NULL, NULL);
    CK_SOLVES(plan, "user is known");
}
END_TEST

START_TEST(test_solve_fact_is_null)
{
    CK_SOLVES(start(RX_IS_NULL(f.x, user())), "user is not known");
}
END_TEST

START_TEST(test_solve_boolean_fact_and_column)
{
    const struct gw_plan *plan = start(
        RX_OR(f.x, RX_TRUTH(f.x, fx_col(&f, R_PUBLIC)), RX_TRUTH(f.x, rx_of_fact(f.x, F_ADMIN))));
    CK_SOLVES(plan, "admin is true");
    fx_row(&f, "1", "7", "", "t");
    CK_SOLVES(plan, "everybody");
}
END_TEST

START_TEST(test_solve_column_in_a_set_of_the_caller)
{
    struct gw_expr *names = rx_of_fact(f.x, F_NAMES);
    const struct gw_plan *plan = start(RX_ANY(f.x, fx_col(&f, R_TEXT), names));
    CK_SOLVES(plan, "names has 'text'");
}
END_TEST

START_TEST(test_solve_two_columns_in_a_set_of_the_caller_are_two_conditions)
{
    struct gw_expr *names = rx_of_fact(f.x, F_NAMES);
    struct gw_expr *other = rx_value(f.x, GW_KIND_TEXT, "other");
    const struct gw_plan *plan =
        start(RX_AND(f.x, RX_ANY(f.x, fx_col(&f, R_TEXT), names), RX_ANY(f.x, other, names)));
    struct gw_formula *formula = fx_solve(&f, plan);
    ck_assert_uint_eq(formula->op, GW_FORMULA_AND);
    ck_assert_uint_eq(formula->n_args, 2);
    gw_formula_unref(formula);
}
END_TEST

START_TEST(test_solve_fact_among_values_drops_nulls_when_true)
{
    struct gw_expr *e = RX_ANY(f.x, user(), of_int("3"), of_int(NULL), fx_col(&f, R_OWNER));
    const struct gw_plan *is = rx_plan(f.x, e), *is_not = start(RX_NOT(f.x, e));
    CK_SOLVES(is, "user is one of 3, 7");
    CK_SOLVES(is_not, "nobody");
}
END_TEST

START_TEST(test_solve_fact_in_an_array_text)
{
    struct gw_expr *name = rx_value(f.x, GW_KIND_OPAQUE, "[0:2]={\"1\",NULL,{4}}");
    CK_SOLVES(start(RX_BOOL(f.x, GW_EXPR_IN_LIST, user(), name)), "user is one of 1, 4");
}
END_TEST

START_TEST(test_solve_quoted_elements_keep_commas_and_the_word_null)
{
    struct gw_expr *list = rx_value(f.x, GW_KIND_OPAQUE, "{a,\"b,\\\"c\",\"NULL\"}");
    struct gw_expr *e = RX_BOOL(f.x, GW_EXPR_IN_LIST, fx_col(&f, R_TEXT), list);
    const struct gw_plan *plan = start(e);
    fx_row(&f, "1", "7", "b,\"c", "f");
    CK_SOLVES(plan, "everybody");
    fx_row(&f, "1", "7", "NULL", "f");
    CK_SOLVES(plan, "everybody");
    fx_row(&f, "1", "7", "b", "f");
    CK_SOLVES(plan, "nobody");
}
END_TEST

START_TEST(test_solve_topic_is_an_input_and_unknown_without_one)
{
    struct gw_expr *topic = rx_node(f.x, GW_EXPR_INPUT, GW_KIND_TEXT);
    const struct gw_plan *plan = start(rx_eq(f.x, topic, rx_value(f.x, GW_KIND_TEXT, "trip:1")));
    CK_SOLVES(plan, "nobody");
    ck_assert(f.info.met_unknown);
    f.topic = GW_SPAN_LIT("trip:1");
    CK_SOLVES(plan, "everybody");
}
END_TEST

/* ---- sub-selects ---- */

START_TEST(test_solve_owner_or_member_is_one_set)
{
    const struct gw_plan *plan = start(RX_OR(f.x, fx_is_owner(&f), fx_is_member(&f)));
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "8", "viewer", "2", "1", "9", "editor", "3", "2", "5", "x");
    CK_SOLVES(plan, "user is one of 7, 8, 9");
}
END_TEST

START_TEST(test_solve_not_exists_leaves_them_out)
{
    const struct gw_plan *plan = start(RX_NOT(f.x, fx_is_member(&f)));
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "8", "x", "2", "1", "9", "x");
    CK_SOLVES(plan, "user is not one of 8, 9");
}
END_TEST

static struct gw_expr *in_owners(struct gw_expr *x)
{
    struct gw_subselect *sub = rx_sub(f.x, 1);
    rx_source(f.x, &sub->arms[0], 1, T_TRIPS, -1);
    sub->arms[0].target = rx_column(f.x, 1, 1, GW_KIND_INT);
    return rx_of_sub(f.x, GW_EXPR_IN, GW_KIND_BOOL, sub, x);
}

START_TEST(test_solve_not_in_with_a_null_among_the_rows_is_nobody)
{
    const struct gw_plan *in = rx_plan(f.x, in_owners(user()));
    const struct gw_plan *not_in = start(RX_NOT(f.x, in_owners(user())));
    FX_LOAD(&f, T_TRIPS, 3, "1", "7", "t", "2", "8", "f");
    CK_SOLVES(in, "user is one of 7, 8");
    CK_SOLVES(not_in, "(user is not one of 7, 8) and (user is known)");
    FX_LOAD(&f, T_TRIPS, 3, "1", "7", "t", "2", NULL, "f");
    CK_SOLVES(in, "user is 7");
    CK_SOLVES(not_in, "nobody");
    fx_load(&f, T_TRIPS, 0, NULL);
    CK_SOLVES(in, "nobody");
    CK_SOLVES(not_in, "everybody");
}
END_TEST

/* (SELECT role FROM members WHERE user = the caller) = the row's text */
static struct gw_expr *role_is_text(void)
{
    struct gw_subselect *sub = rx_sub(f.x, 1);
    struct gw_source *s = rx_source(f.x, &sub->arms[0], 1, T_MEMBERS, -1);
    rx_where(s, rx_eq(f.x, rx_column(f.x, 1, 2, GW_KIND_INT), user()));
    sub->arms[0].target = rx_column(f.x, 1, 3, GW_KIND_TEXT);
    struct gw_expr *scalar = rx_of_sub(f.x, GW_EXPR_SCALAR, GW_KIND_TEXT, sub, NULL);
    return rx_eq(f.x, scalar, fx_col(&f, R_TEXT));
}

START_TEST(test_solve_scalar_raises_for_whoever_has_two_rows)
{
    const struct gw_plan *plan = start(role_is_text());
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "8", "text", "2", "1", "9", "text", "3", "2", "9", "text",
            "4", "2", "5", "other");
    CK_SOLVES(plan, "user is 8");
}
END_TEST

/* EXISTS (SELECT FROM trips t LEFT JOIN members m ON m.trip = t.id AND m.user = the caller
 *         WHERE t.id = the row's trip AND m.id IS NULL) */
static struct gw_expr *has_not_joined(void)
{
    struct gw_subselect *sub = rx_sub(f.x, 1);
    struct gw_source *trip = rx_source(f.x, &sub->arms[0], 1, T_TRIPS, I_TRIPS_ID);
    rx_key(trip, fx_col(&f, R_TRIP));
    struct gw_source *member = rx_source(f.x, &sub->arms[0], 2, T_MEMBERS, I_MEMBERS_TRIP);
    member->is_left = true;
    rx_key(member, rx_column(f.x, 1, 0, GW_KIND_INT));
    member->on[member->n_on++] = rx_eq(f.x, rx_column(f.x, 2, 2, GW_KIND_INT), user());
    rx_where(member, RX_IS_NULL(f.x, rx_column(f.x, 2, 0, GW_KIND_INT)));
    return rx_exists(f.x, sub);
}

START_TEST(test_solve_left_join_keeps_those_without_a_match)
{
    const struct gw_plan *plan = start(has_not_joined());
    FX_LOAD(&f, T_TRIPS, 3, "1", "7", "t");
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "8", "x", "2", "1", "9", "x");
    CK_SOLVES(plan, "user is not one of 8, 9");
    fx_load(&f, T_MEMBERS, 0, NULL);
    CK_SOLVES(plan, "everybody");
}
END_TEST

START_TEST(test_solve_left_join_with_what_is_not_known_admits_nobody)
{
    const struct gw_plan *plan = start(has_not_joined());
    FX_LOAD(&f, T_TRIPS, 3, "1", "7", "t");
    CK_SOLVES(plan, "nobody");
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "8", "x", "2", "1", "?", "x");
    CK_SOLVES(plan, "user is not known"); /* the second member may be anyone with a name */
    f.options.certainty = GW_MAY;
    CK_SOLVES(plan, "user is not 8");
}
END_TEST

START_TEST(test_solve_large_team_is_shared_not_copied)
{
    const struct gw_plan *member = rx_plan(f.x, fx_is_member(&f));
    const struct gw_plan *either = start(RX_OR(f.x, fx_is_owner(&f), fx_is_member(&f)));
    fx_load_team(&f, "1", 100000);
    struct gw_formula *a = fx_solve(&f, member), *b = fx_solve(&f, member);
    ck_assert_ptr_eq(a, b);
    ck_assert_uint_eq(a->n_keys, 100000);
    struct gw_formula *c = fx_solve(&f, either), *d = fx_solve(&f, either);
    ck_assert_uint_eq(c->op, GW_FORMULA_OR);
    ck_assert_ptr_eq(c->args[1], d->args[1]);
    ck_assert(fx_admits(c, F_USER, "7") && fx_admits(c, F_USER, "50000"));
    ck_assert(!fx_admits(c, F_USER, "8"));
    gw_formula_unref(a);
    gw_formula_unref(b);
    gw_formula_unref(c);
    gw_formula_unref(d);
}
END_TEST

/* ---- what is not known ---- */

START_TEST(test_solve_unknown_cell_is_bounded_from_both_sides)
{
    const struct gw_plan *plan = start(fx_is_owner(&f));
    f.row[R_OWNER] = gw_datum_unknown();
    CK_SOLVES(plan, "nobody");
    ck_assert(f.info.met_unknown);
    f.options.certainty = GW_MAY;
    CK_SOLVES(plan, "user is known");
}
END_TEST

START_TEST(test_solve_unknown_that_changes_nothing_is_not_told)
{
    const struct gw_plan *plan =
        start(RX_OR(f.x, fx_is_owner(&f), RX_TRUTH(f.x, fx_col(&f, R_PUBLIC))));
    fx_row(&f, "1", "7", "", "t");
    f.row[R_OWNER] = gw_datum_unknown();
    CK_SOLVES(plan, "everybody");
    ck_assert(!f.info.met_unknown);
}
END_TEST

START_TEST(test_solve_neutral_leaves_out_what_is_unknown)
{
    struct gw_expr *is_text = rx_eq(f.x, fx_col(&f, R_TEXT), rx_value(f.x, GW_KIND_TEXT, "text"));
    const struct gw_plan *either = rx_plan(f.x, RX_OR(f.x, fx_is_owner(&f), fx_is_member(&f)));
    const struct gw_plan *both = rx_plan(f.x, RX_AND(f.x, is_text, fx_is_member(&f)));
    const struct gw_plan *owner = start(fx_is_owner(&f));
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "8", "x");
    f.options.certainty = GW_NEUTRAL;
    f.row[R_OWNER] = f.row[R_TEXT] = gw_datum_unknown();
    CK_SOLVES(either, "user is 8");
    CK_SOLVES(both, "user is 8");
    CK_SOLVES(owner, "nobody");
}
END_TEST

START_TEST(test_solve_table_not_loaded_admits_nobody_and_leaves_nobody_out)
{
    const struct gw_plan *is = rx_plan(f.x, fx_is_member(&f));
    const struct gw_plan *is_not = start(RX_NOT(f.x, fx_is_member(&f)));
    CK_SOLVES(is, "nobody");
    CK_SOLVES(is_not, "nobody");
    f.options.certainty = GW_MAY;
    CK_SOLVES(is, "everybody");
    CK_SOLVES(is_not, "everybody");
}
END_TEST

/* ---- what raises ---- */

START_TEST(test_solve_raising_keeps_out_what_stands_to_its_right)
{
    struct gw_expr *cast = fx_cast_is(&f, "5");
    const struct gw_plan *right = rx_plan(f.x, RX_OR(f.x, fx_is_owner(&f), cast));
    const struct gw_plan *left = rx_plan(f.x, RX_OR(f.x, cast, fx_is_owner(&f)));
    const struct gw_plan *not_and = start(RX_NOT(f.x, RX_AND(f.x, fx_is_owner(&f), cast)));
    CK_SOLVES(right, "user is 7");
    ck_assert(f.info.met_error);
    CK_SOLVES(left, "E_POLICY");
    CK_SOLVES(not_and, "(user is not 7) and (user is known)");
    fx_row(&f, "1", "7", "5", "f");
    CK_SOLVES(left, "everybody");
}
END_TEST

START_TEST(test_solve_row_that_raises_spoils_the_other_rows)
{
    struct gw_subselect *sub = rx_sub(f.x, 1);
    struct gw_source *s = rx_source(f.x, &sub->arms[0], 1, T_MEMBERS, -1);
    struct gw_expr *role = rx_column(f.x, 1, 3, GW_KIND_TEXT);
    rx_where(s, rx_eq(f.x, rx_column(f.x, 1, 2, GW_KIND_INT), user()));
    rx_where(s, rx_eq(f.x, rx_native(f.x, GW_FN_TEXT_TO_INT4, GW_KIND_INT, role), of_int("1")));
    const struct gw_plan *plan = rx_plan(f.x, rx_exists(f.x, sub));
    const struct gw_plan *is_not = start(RX_NOT(f.x, rx_exists(f.x, sub)));
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "8", "1", "2", "1", "9", "1", "3", "1", "9", "no number");
    CK_SOLVES(plan, "user is 8");
    CK_SOLVES(is_not, "user is not one of 8, 9");
}
END_TEST

/* ---- bounds ---- */

START_TEST(test_solve_rows_past_the_bound_are_too_many)
{
    const struct gw_plan *plan = rx_plan(f.x, fx_is_member(&f));
    fx_start(&f, &(struct gw_solver_config){.rows_max = 99});
    fx_load_team(&f, "1", 100);
    CK_SOLVES(plan, "E_TOO_BIG");
    fx_load_team(&f, "1", 99);
    CK_SOLVES(plan, "user is one of 1000, 1001, 1002, 1003, 1004 and 94 more");
}
END_TEST

START_TEST(test_solve_formula_past_the_bound_is_too_big)
{
    struct gw_subselect *sub = rx_sub(f.x, 1);
    struct gw_source *s = rx_source(f.x, &sub->arms[0], 1, T_MEMBERS, -1);
    rx_where(s, rx_eq(f.x, rx_column(f.x, 1, 0, GW_KIND_INT), rx_of_fact(f.x, F_ORG)));
    rx_where(s, rx_eq(f.x, rx_column(f.x, 1, 2, GW_KIND_INT), user()));
    const struct gw_plan *plan = start(rx_exists(f.x, sub));
    fx_load_team(&f, "1", 50000);
    CK_SOLVES(plan, "E_TOO_BIG");
}
END_TEST

START_TEST(test_solve_depth_past_the_bound_is_too_big)
{
    struct gw_expr *e = fx_is_owner(&f);
    for (int i = 0; i < 400; i++)
        e = RX_NOT(f.x, e);
    CK_SOLVES(start(e), "E_TOO_BIG");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("solve");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_solve_fact_equals_a_column_is_one_value);
    tcase_add_test(tc, test_solve_not_equal_needs_a_known_fact);
    tcase_add_test(tc, test_solve_is_distinct_from_holds_for_a_null_fact);
    tcase_add_test(tc, test_solve_fact_is_null);
    tcase_add_test(tc, test_solve_boolean_fact_and_column);
    tcase_add_test(tc, test_solve_column_in_a_set_of_the_caller);
    tcase_add_test(tc, test_solve_two_columns_in_a_set_of_the_caller_are_two_conditions);
    tcase_add_test(tc, test_solve_fact_among_values_drops_nulls_when_true);
    tcase_add_test(tc, test_solve_fact_in_an_array_text);
    tcase_add_test(tc, test_solve_quoted_elements_keep_commas_and_the_word_null);
    tcase_add_test(tc, test_solve_topic_is_an_input_and_unknown_without_one);
    tcase_add_test(tc, test_solve_owner_or_member_is_one_set);
    tcase_add_test(tc, test_solve_not_exists_leaves_them_out);
    tcase_add_test(tc, test_solve_not_in_with_a_null_among_the_rows_is_nobody);
    tcase_add_test(tc, test_solve_scalar_raises_for_whoever_has_two_rows);
    tcase_add_test(tc, test_solve_left_join_keeps_those_without_a_match);
    tcase_add_test(tc, test_solve_left_join_with_what_is_not_known_admits_nobody);
    tcase_add_test(tc, test_solve_large_team_is_shared_not_copied);
    tcase_add_test(tc, test_solve_unknown_cell_is_bounded_from_both_sides);
    tcase_add_test(tc, test_solve_unknown_that_changes_nothing_is_not_told);
    tcase_add_test(tc, test_solve_neutral_leaves_out_what_is_unknown);
    tcase_add_test(tc, test_solve_table_not_loaded_admits_nobody_and_leaves_nobody_out);
    tcase_add_test(tc, test_solve_raising_keeps_out_what_stands_to_its_right);
    tcase_add_test(tc, test_solve_row_that_raises_spoils_the_other_rows);
    tcase_add_test(tc, test_solve_rows_past_the_bound_are_too_many);
    tcase_add_test(tc, test_solve_formula_past_the_bound_is_too_big);
    tcase_add_test(tc, test_solve_depth_past_the_bound_is_too_big);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
