/* Sub-selects of one shape share their remembered answers; all others do not. */
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

/* What makes a sub-select: EXISTS (SELECT FROM table WHERE key = outer AND column cmp fact). */
struct spec {
    uint32_t table, index, column, outer, fact, slot;
    enum gw_cmp cmp;
    const char *also; /* AND d = also, where it is not NULL */
    bool is_in;       /* 8 IN (SELECT user …) in its place */
};

#define MEMBER                                                                                     \
    .table = T_MEMBERS, .index = I_MEMBERS_TRIP, .column = 2, .outer = R_TRIP, .fact = F_USER,     \
    .slot = 1

static struct gw_expr *make(const struct spec *s)
{
    struct gw_subselect *sub = rx_sub(f.x, 1);
    struct gw_source *from = rx_source(f.x, &sub->arms[0], s->slot, s->table, (int32_t)s->index);
    rx_key(from, fx_col(&f, s->outer));
    rx_where(from, rx_compare(f.x, s->cmp, rx_column(f.x, s->slot, s->column, GW_KIND_INT),
                              rx_of_fact(f.x, s->fact)));
    if (s->also)
        rx_where(from, rx_eq(f.x, rx_column(f.x, s->slot, 3, GW_KIND_TEXT),
                             rx_value(f.x, GW_KIND_TEXT, s->also)));
    if (!s->is_in)
        return rx_exists(f.x, sub);
    sub->arms[0].target = rx_column(f.x, s->slot, 2, GW_KIND_INT);
    return rx_of_sub(f.x, GW_EXPR_IN, GW_KIND_BOOL, sub, rx_value(f.x, GW_KIND_INT, "8"));
}

static void load(void)
{
    FX_LOAD(&f, T_TRIPS, 3, "1", "7", "f", "2", "5", "f");
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "8", "viewer", "2", "2", "9", "editor");
}

static uint64_t hits(void)
{
    struct gw_solver_stats out;
    gw_solver_stats(f.solver, &out);
    return out.memo_hits;
}

/* Whether b is answered by what a left. The row has trip and owner alike. */
static bool is_shared(const struct spec *a, const struct spec *b)
{
    const struct gw_plan *first = rx_plan(f.x, make(a)), *second = rx_plan(f.x, make(b));
    fx_start(&f, NULL);
    load();
    fx_row(&f, "1", "1", "text", "f");
    gw_formula_unref(fx_solve(&f, first));
    ck_assert_int_eq(f.code, GW_OK);
    uint64_t before = hits();
    gw_formula_unref(fx_solve(&f, second));
    ck_assert_int_eq(f.code, GW_OK);
    return hits() > before;
}

START_TEST(test_solve_shape_shared_by_equal_sub_selects)
{
    ck_assert(is_shared(&(struct spec){MEMBER}, &(struct spec){MEMBER}));
}
END_TEST

START_TEST(test_solve_shape_shared_whatever_the_row_variable)
{
    struct spec b = {MEMBER};
    b.slot = 3;
    ck_assert(is_shared(&(struct spec){MEMBER}, &b));
}
END_TEST

START_TEST(test_solve_shape_shared_whatever_the_outer_column)
{
    struct spec b = {MEMBER};
    b.outer = R_OWNER;
    ck_assert(is_shared(&(struct spec){MEMBER}, &b));
}
END_TEST

START_TEST(test_solve_shape_shared_answer_is_by_outer_value)
{
    struct spec by_trip = {MEMBER}, by_owner = {MEMBER};
    by_owner.outer = R_OWNER;
    const struct gw_plan *a = rx_plan(f.x, make(&by_trip)), *b = rx_plan(f.x, make(&by_owner));
    fx_start(&f, NULL);
    load();
    fx_row(&f, "1", "2", "text", "f");
    ck_assert_str_eq(fx_text(&f, fx_solve(&f, a)), "user is 8");
    ck_assert_str_eq(fx_text(&f, fx_solve(&f, b)), "user is 9");
    fx_row(&f, "2", "1", "text", "f");
    ck_assert_str_eq(fx_text(&f, fx_solve(&f, a)), "user is 9");
    ck_assert_str_eq(fx_text(&f, fx_solve(&f, b)), "user is 8");
    ck_assert_uint_eq(hits(), 2);
}
END_TEST

/* Each differs from MEMBER in one thing. */
static const struct spec others[] = {
    {MEMBER, .also = "viewer"},
    {MEMBER, .cmp = GW_CMP_NE},
    {MEMBER, .is_in = true},
    {.table = T_MEMBERS, .index = I_MEMBERS_TRIP, .column = 2, .fact = F_ORG, .slot = 1},
    {.table = T_MEMBERS, .index = I_MEMBERS_TRIP, .column = 1, .fact = F_USER, .slot = 1},
    {.table = T_MEMBERS, .index = I_MEMBERS_USER, .column = 2, .fact = F_USER, .slot = 1},
    {.table = T_TRIPS, .index = I_TRIPS_ID, .column = 1, .fact = F_USER, .slot = 1},
};

START_TEST(test_solve_shape_differs)
{
    ck_assert(!is_shared(&(struct spec){MEMBER}, &others[_i]));
}
END_TEST

START_TEST(test_solve_shape_differs_by_constant)
{
    ck_assert(!is_shared(&(struct spec){MEMBER, .also = "viewer"},
                         &(struct spec){MEMBER, .also = "editor"}));
}
END_TEST

/* What is shared falls for all when a row changes. */
START_TEST(test_solve_shape_shared_answer_is_dropped_for_all)
{
    const struct gw_plan *a = rx_plan(f.x, fx_is_member(&f)), *b = rx_plan(f.x, fx_is_member(&f));
    fx_start(&f, NULL);
    load();
    ck_assert_str_eq(fx_text(&f, fx_solve(&f, a)), "user is 8");
    FX_LOAD(&f, T_MEMBERS, 4, "1", "1", "6", "viewer");
    ck_assert_str_eq(fx_text(&f, fx_solve(&f, b)), "user is 6");
    ck_assert_str_eq(fx_text(&f, fx_solve(&f, a)), "user is 6");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("solve_shape");
    TCase *tc = tcase_create("solve_shape");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_solve_shape_shared_by_equal_sub_selects);
    tcase_add_test(tc, test_solve_shape_shared_whatever_the_row_variable);
    tcase_add_test(tc, test_solve_shape_shared_whatever_the_outer_column);
    tcase_add_test(tc, test_solve_shape_shared_answer_is_by_outer_value);
    tcase_add_loop_test(tc, test_solve_shape_differs, 0, sizeof others / sizeof *others);
    tcase_add_test(tc, test_solve_shape_differs_by_constant);
    tcase_add_test(tc, test_solve_shape_shared_answer_is_dropped_for_all);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
