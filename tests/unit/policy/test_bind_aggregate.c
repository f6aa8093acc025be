/* Aggregates that ask for rows, elements of arrays, and what a body evaluates for nothing. */
#include "bind_fixture.h"

#define MINE "{ from profiles1 where (profiles1.id = " P_UID ")}"
#define COUNT_OF_MINE                                                                              \
    "( SELECT count(*) AS count FROM public.profiles WHERE (profiles.id = auth.uid()))"

START_TEST(test_bind_count_that_asks_for_rows_is_exists)
{
    bf_assert("(" COUNT_OF_MINE " > 0)", "EXISTS" MINE);
    bf_assert("(" COUNT_OF_MINE " >= 1)", "EXISTS" MINE);
    bf_assert("(" COUNT_OF_MINE " <> 0)", "EXISTS" MINE);
    bf_assert("(0 < " COUNT_OF_MINE ")", "EXISTS" MINE);
    bf_assert("((" COUNT_OF_MINE ")::integer > 0)", "EXISTS" MINE);
    bf_assert("(" COUNT_OF_MINE " = 0)", "NOT(EXISTS" MINE ")");
    bf_assert("(1 > " COUNT_OF_MINE ")", "NOT(EXISTS" MINE ")");
    bf_assert("(" COUNT_OF_MINE " <= 0)", "NOT(EXISTS" MINE ")");
}
END_TEST

START_TEST(test_bind_count_of_a_column_leaves_out_nulls)
{
    bf_assert("(( SELECT count(p.org_id) AS count FROM public.profiles p) > 0)",
              "EXISTS{ from profiles1 where (profiles1.org_id IS NOT NULL)}");
    bf_assert("(( SELECT count(1) AS count FROM public.profiles p) > 0)",
              "EXISTS{ from profiles1}");
}
END_TEST

START_TEST(test_bind_count_is_one_row_even_of_none)
{
    bf_assert("(EXISTS ( SELECT count(*) AS count FROM public.profiles))", "'t':bool");
    bf_assert("(EXISTS ( SELECT 1 FROM public.trips t, LATERAL ( SELECT count(*) AS n FROM "
              "public.profiles p WHERE (p.id = t.user_id)) s WHERE (s.n > 0)))",
              "EXISTS{ from trips1 where EXISTS{ from profiles2 where (profiles2.id = "
              "trips1.user_id)}}");
}
END_TEST

START_TEST(test_bind_counts_in_bodies)
{
    bf_plpgsql("public.authorize", "requested text", "bool",
               "declare bind_permissions int; begin select count(*) into bind_permissions from "
               "profiles where profiles.role = requested and profiles.id = auth.uid(); return "
               "bind_permissions > 0; end;");
    bf_assert("public.authorize(role)", "EXISTS{ from profiles1 where ((profiles1.role = row.role) "
                                        "AND (profiles1.id = " P_UID "))}");
    bf_sql("public.is_in", "", "bool", "select count(*) > 0 from profiles where id = auth.uid()");
    bf_assert("public.is_in()", "EXISTS" MINE);
}
END_TEST

START_TEST(test_bind_counts_that_are_numbers_are_refused)
{
    const char *why = "uses count() or array_agg() as a value";
    bf_assert_refused("(" COUNT_OF_MINE " > 1)", why);
    bf_assert_refused("(" COUNT_OF_MINE " > n)", why);
    bf_assert_refused("(" COUNT_OF_MINE " IS NOT NULL)", why);
    bf_assert_refused("(1 IN ( SELECT count(*) AS count FROM public.profiles))", why);
    /* A column of the outer SELECT makes the aggregate that one's. */
    bf_assert_refused("(( SELECT ( SELECT count(p.org_id) AS count) AS count FROM "
                      "public.profiles p) > 0)",
                      "uses count()");
    bf_assert_refused("(( SELECT count(*) FILTER (WHERE p.is_admin) AS count FROM public.profiles "
                      "p) > 0)",
                      "uses count()");
    bf_assert_refused("(( SELECT (count(*) + p.n) FROM public.things p) > 0)", "");
}
END_TEST

START_TEST(test_bind_array_agg_is_in_and_null_of_no_rows)
{
    bf_sql("public.orgs", "", "uuid[]",
           "select array_agg(org_id) from profiles where id = auth.uid()");
    bf_sql("public.orgs_or_none", "", "uuid[]",
           "select coalesce(array_agg(distinct org_id), '{}') from profiles where id = auth.uid()");
    bf_assert("(org_id = ANY (public.orgs()))",
              "CASE(EXISTS" MINE ", row.org_id IN{profiles1.org_id from profiles1 where "
              "(profiles1.id = " P_UID ")}, null:bool)");
    bf_assert("(org_id = ANY (public.orgs_or_none()))",
              "row.org_id IN{profiles1.org_id from profiles1 where (profiles1.id = " P_UID ")}");
    bf_assert_refused("(cardinality(public.orgs()) > 0)", "array_agg() as a value");
    bf_assert_refused("(public.orgs() IS NULL)", "array_agg() as a value");
}
END_TEST

START_TEST(test_bind_elements_of_arrays)
{
    bf_assert("((tags)[1] = 'x'::text)", "(ELEMENT(row.tags, '1':int4) = 'x':text)");
    bf_assert("((tags)[1:n] = '{x}'::text[])", "(SLICE(row.tags, '1':int4, row.n) = '{x}':_text)");
}
END_TEST

START_TEST(test_bind_plpgsql_does_not_drop_what_may_raise)
{
    const char *why = "evaluates what may raise an error and decides nothing";
    bf_plpgsql("public.arg", "x uuid", "bool", "begin return true; end;");
    bf_plpgsql("public.var", "", "bool",
               "declare x int := current_setting('request.jwt.claim.n', true)::int; begin return "
               "true; end;");
    bf_plpgsql("public.used", "a bool", "bool",
               "declare x uuid := auth.uid(); begin if a then return true; end if; return x is not "
               "null; end;");
    bf_plpgsql("public.found", "", "bool",
               "declare x uuid; begin select org_id into x from profiles where id = auth.uid(); "
               "return found; end;");
    bf_plpgsql("public.performs", "x int4", "bool", "begin perform 1 / x; return true; end;");
    bf_assert("public.arg(user_id)", "'t':bool");
    bf_assert_refused("public.arg((role)::uuid)", why);
    bf_assert_refused("public.var()", why);
    bf_assert("public.used((n = 1))",
              "CASE((row.n = '1':int4), 't':bool, (" P_UID " IS NOT NULL))");
    bf_assert("public.found()", "EXISTS" MINE);
    bf_assert_refused("public.performs(n)", "performs what may raise an error");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bind");
    TCase *tc = tcase_create("bind");
    tcase_add_checked_fixture(tc, bf_setup, bf_teardown);
    tcase_add_test(tc, test_bind_count_that_asks_for_rows_is_exists);
    tcase_add_test(tc, test_bind_count_of_a_column_leaves_out_nulls);
    tcase_add_test(tc, test_bind_count_is_one_row_even_of_none);
    tcase_add_test(tc, test_bind_counts_in_bodies);
    tcase_add_test(tc, test_bind_counts_that_are_numbers_are_refused);
    tcase_add_test(tc, test_bind_array_agg_is_in_and_null_of_no_rows);
    tcase_add_test(tc, test_bind_elements_of_arrays);
    tcase_add_test(tc, test_bind_plpgsql_does_not_drop_what_may_raise);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
