/* audience: sets, clauses, matching. */
#include "gw/audience.h"

#include <check.h>
#include <stdlib.h>

static struct gw_arena arena;

static void setup(void)
{
    gw_arena_init(&arena, 0);
}

static void teardown(void)
{
    gw_arena_fini(&arena);
}

static struct gw_principal caller(uint64_t id)
{
    return (struct gw_principal){GW_PRINCIPAL_CALLER, 0, id};
}

static bool admits(const struct gw_audience *au, uint16_t role, struct gw_principal p)
{
    struct gw_identity id = {role, 1, &p};
    return gw_audience_admits(au, &id);
}

START_TEST(test_audience_compare_orders_by_kind_then_a_then_b)
{
    struct gw_principal low = {GW_PRINCIPAL_CALLER, 9, 9}, high = {GW_PRINCIPAL_CLAIM, 0, 0};
    ck_assert_int_lt(gw_principal_compare(&low, &high), 0);
    low = (struct gw_principal){GW_PRINCIPAL_CLAIM, 1, UINT64_MAX};
    high = (struct gw_principal){GW_PRINCIPAL_CLAIM, 2, 0};
    ck_assert_int_lt(gw_principal_compare(&low, &high), 0);
    low = (struct gw_principal){GW_PRINCIPAL_GROUP, 1, 1};
    high = (struct gw_principal){GW_PRINCIPAL_GROUP, 1, UINT64_C(1) << 40};
    ck_assert_int_lt(gw_principal_compare(&low, &high), 0);
    ck_assert_int_gt(gw_principal_compare(&high, &low), 0);
    ck_assert_int_eq(gw_principal_compare(&low, &low), 0);
}
END_TEST

START_TEST(test_audience_empty_admits_nobody)
{
    struct gw_audience au = {0};
    ck_assert(!admits(&au, 0, caller(1)));
}
END_TEST

START_TEST(test_audience_everyone_admits_only_its_role)
{
    struct gw_audience au = {0};
    gw_audience_add_everyone(&au, &arena, 2);
    ck_assert(admits(&au, 2, caller(7)));
    ck_assert(!admits(&au, 1, caller(7)));
    struct gw_identity without_principals = {2, 0, NULL};
    ck_assert(gw_audience_admits(&au, &without_principals));
}
END_TEST

START_TEST(test_audience_include_admits_members)
{
    struct gw_audience au = {0};
    struct gw_principal set[] = {caller(5), caller(1), caller(3), caller(5), caller(1)};
    gw_audience_add_set(&au, &arena, 0, GW_PRINCIPALS_INCLUDE, set, 5);
    ck_assert_uint_eq(au.clauses[0].n, 3);
    for (uint64_t i = 0; i < 7; i++)
        ck_assert_int_eq(admits(&au, 0, caller(i)), i == 1 || i == 3 || i == 5);
    ck_assert(!admits(&au, 1, caller(1)));
    struct gw_identity without_principals = {0, 0, NULL};
    ck_assert(!gw_audience_admits(&au, &without_principals));
}
END_TEST

START_TEST(test_audience_exclude_admits_the_rest)
{
    struct gw_audience au = {0};
    struct gw_principal set[] = {caller(4), caller(2)};
    gw_audience_add_set(&au, &arena, 0, GW_PRINCIPALS_EXCLUDE, set, 2);
    ck_assert(admits(&au, 0, caller(1)));
    ck_assert(!admits(&au, 0, caller(2)));
    ck_assert(!admits(&au, 0, caller(4)));
}
END_TEST

START_TEST(test_audience_empty_sets_mean_what_they_say)
{
    struct gw_audience included = {0}, excluded = {0};
    gw_audience_add_set(&included, &arena, 0, GW_PRINCIPALS_INCLUDE, NULL, 0);
    gw_audience_add_set(&excluded, &arena, 0, GW_PRINCIPALS_EXCLUDE, NULL, 0);
    ck_assert(!admits(&included, 0, caller(1)));
    ck_assert(admits(&excluded, 0, caller(1)));
}
END_TEST

START_TEST(test_audience_any_of_several_principals_is_enough)
{
    struct gw_audience au = {0};
    struct gw_principal group = {GW_PRINCIPAL_GROUP, 77, 42};
    gw_audience_add_set(&au, &arena, 0, GW_PRINCIPALS_INCLUDE, &group, 1);
    struct gw_principal mine[] = {caller(1), {GW_PRINCIPAL_GROUP, 77, 41}, group};
    struct gw_identity id = {0, 3, mine};
    ck_assert(gw_audience_admits(&au, &id));
    id.n = 2;
    ck_assert(!gw_audience_admits(&au, &id));
}
END_TEST

START_TEST(test_audience_clauses_are_ored)
{
    struct gw_audience au = {0};
    for (uint16_t i = 0; i < 33; i++) { /* grows past several powers of two */
        struct gw_principal p = caller(i);
        gw_audience_add_set(&au, &arena, i % 3, GW_PRINCIPALS_INCLUDE, &p, 1);
    }
    ck_assert_uint_eq(au.n, 33);
    for (uint16_t i = 0; i < 33; i++) {
        ck_assert(admits(&au, i % 3, caller(i)));
        ck_assert(!admits(&au, (uint16_t)((i + 1) % 3), caller(i)));
    }
}
END_TEST

START_TEST(test_audience_set_is_copied)
{
    struct gw_audience au = {0};
    struct gw_principal p = caller(8);
    gw_audience_add_set(&au, &arena, 0, GW_PRINCIPALS_INCLUDE, &p, 1);
    p.b = 9;
    ck_assert(admits(&au, 0, caller(8)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audience");
    TCase *tc = tcase_create("audience");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_audience_compare_orders_by_kind_then_a_then_b);
    tcase_add_test(tc, test_audience_empty_admits_nobody);
    tcase_add_test(tc, test_audience_everyone_admits_only_its_role);
    tcase_add_test(tc, test_audience_include_admits_members);
    tcase_add_test(tc, test_audience_exclude_admits_the_rest);
    tcase_add_test(tc, test_audience_empty_sets_mean_what_they_say);
    tcase_add_test(tc, test_audience_any_of_several_principals_is_enough);
    tcase_add_test(tc, test_audience_clauses_are_ored);
    tcase_add_test(tc, test_audience_set_is_copied);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
