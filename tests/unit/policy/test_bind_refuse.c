/* bind: what is not compiled, and how it says so. */
#include "bind_fixture.h"

/* libpg_query 15-4.0.0 loses one byte when a plpgsql body does not parse. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpg_query\n";
}

START_TEST(test_bind_unknown_names)
{
    bf_assert_refused("nope = 1", "names nope, which is no known column");
    bf_assert_refused("(trips.id = 1)", "names trips.id, which is no known column");
    bf_assert_refused("EXISTS ( SELECT 1 FROM public.nope)",
                      "reads public.nope, which is no known table");
    bf_assert_refused("EXISTS ( SELECT 1 FROM trips)", "reads trips, which is no known table");
    bf_assert_refused("EXISTS ( SELECT nope FROM public.trips)",
                      "names nope, which is no known column");
    bf_assert_refused("public.nope(1)",
                      "calls public.nope, which is no known function with these arguments");
    bf_assert_refused("public.is_admin(1)",
                      "calls public.is_admin, which is no known function with these arguments");
    bf_assert_refused("('a'::public.nope = 'b'::public.nope)",
                      "names the type nope, which is not known");
    bf_assert_refused("id = = 2", "does not parse: syntax error at or near \"=\"");
}
END_TEST

START_TEST(test_bind_views_and_partitions)
{
    cf_view(bf.c, "public.v");
    bf.trips->has_children = true;
    bf_assert_refused("EXISTS ( SELECT 1 FROM public.v)",
                      "reads public.v, a view or a foreign table");
    bf_assert_refused("EXISTS ( SELECT 1 FROM public.trips)",
                      "reads public.trips, which is partitioned or inherited from");
}
END_TEST

START_TEST(test_bind_functions_that_look_at_who_asks)
{
    bf_assert_refused("(SESSION_USER = 'x'::name)", "uses SESSION_USER");
    bf_assert_refused(
        "pg_has_role('admin'::name, 'MEMBER'::text)",
        "calls pg_has_role(), which is no known function, or one that may look at who asks");
    bf_assert_refused("has_table_privilege('public.trips'::text, 'SELECT'::text)",
                      "calls has_table_privilege(), which is no known function, or one that may "
                      "look at who asks");
    bf_assert_refused("(current_setting(role) = 'a'::text)",
                      "calls current_setting() for a name that is not constant");
    bf_assert_refused("(current_setting('TimeZone'::text) = 'UTC'::text)",
                      "reads the setting TimeZone of the server");
    bf_assert_refused(
        "(random() < (0.5)::double precision)",
        "calls random(), which is no known function, or one that may look at who asks");
}
END_TEST

START_TEST(test_bind_select_clauses)
{
    bf_assert_refused("EXISTS ( SELECT 1 FROM public.trips GROUP BY trips.id)", "uses GROUP BY");
    bf_assert_refused("(n > ( SELECT count(*) AS count FROM public.trips))",
                      "uses count() or array_agg() as a value");
    bf_assert_refused("(n > ( SELECT max(trips.id) AS max FROM public.trips))", "uses max()");
    bf_assert_refused("(n = ( SELECT row_number() OVER () AS x FROM public.trips))",
                      "uses row_number() OVER");
    bf_assert_refused("(EXISTS ( SELECT 1 FROM public.trips HAVING true))", "uses HAVING");
    bf_assert_refused("(trip_id IN ( SELECT trips.id FROM public.trips INTERSECT SELECT 1))",
                      "uses INTERSECT or EXCEPT");
    bf_assert_refused("(trip_id IN ( SELECT trips.id FROM public.trips LIMIT 1))",
                      "compares with a sub-select that has a LIMIT");
    bf_assert_refused(
        "(trip_id = ( SELECT trips.id FROM public.trips ORDER BY trips.name LIMIT 1))",
        "uses ORDER BY to choose a row");
    bf_assert_refused("(trip_id = ( SELECT DISTINCT trips.id FROM public.trips))",
                      "takes one value of a DISTINCT or UNION");
    bf_assert_refused("(trip_id IN ( SELECT trips.id FROM public.trips OFFSET 1))", "uses OFFSET");
    bf_assert_refused("(trip_id IN ( VALUES (1), (2)))", "uses VALUES");
    bf_assert_refused("(EXISTS ( SELECT 1 FROM public.trips FOR UPDATE))", "uses FOR UPDATE");
    bf_assert_refused("(EXISTS ( SELECT 1 FROM public.trips TABLESAMPLE system (1)))",
                      "has a RangeTableSample in FROM");
    bf_assert_refused("(EXISTS ( WITH RECURSIVE r AS (SELECT 1) SELECT 1 FROM r))",
                      "uses WITH RECURSIVE");
    bf_assert_refused("(EXISTS ( SELECT 1 FROM (public.trips t RIGHT JOIN public.profiles p ON "
                      "((t.user_id = p.id)))))",
                      "uses a RIGHT or FULL JOIN");
    bf_assert_refused("(EXISTS ( SELECT 1 FROM (public.trips t FULL JOIN public.profiles p ON "
                      "((t.user_id = p.id)))))",
                      "uses a RIGHT or FULL JOIN");
    bf_assert_refused("(EXISTS ( SELECT 1 FROM (public.trips t NATURAL JOIN public.profiles p)))",
                      "uses a NATURAL JOIN");
    bf_assert_refused("(EXISTS ( SELECT 1 FROM (public.trips t LEFT JOIN (public.profiles p JOIN "
                      "public.profiles q ON (p.id = q.id)) ON ((t.user_id = p.id)))))",
                      "uses a LEFT JOIN of something else than one table");
    bf_assert_refused("(ARRAY( SELECT DISTINCT profiles.role FROM public.profiles) = tags)",
                      "uses ARRAY(SELECT) with DISTINCT, UNION or ORDER BY as a value");
}
END_TEST

START_TEST(test_bind_expressions)
{
    bf_assert_refused("((tags)[2:] = '{x}'::text[])", "takes a slice without an end of an array");
    bf_assert_refused("((data)['x'::text] IS NULL)",
                      "takes an element of something else than an array");
    bf_assert_refused("((role)::character varying(3) = 'x'::text)",
                      "casts to varchar of a length or precision");
    bf_assert_refused("((name COLLATE \"C\") = 'x'::text)", "holds a CollateClause");
    bf_assert_refused("(name = B'101')", "holds a bit string");
}
END_TEST

START_TEST(test_bind_operators_of_extensions_in_bodies)
{
    bf.things->columns[5].type_oid = cf_type(bf.c, "public.citext", GW_TYPE_BASE, 0);
    bf_sql("public.ci", "a citext", "bool", "select a = 'x'");
    bf_assert_refused("public.ci(role)",
                      "function public.ci: = on a type whose operators depend on the search_path");
    bf_assert("(role OPERATOR(public.=) 'x'::public.citext)",
              "(row.role OPERATOR(public.=) 'x':citext)");
    bf_assert_refused("(role IS DISTINCT FROM 'x'::public.citext)",
                      "IS DISTINCT FROM on a type whose operators depend on the search_path");
}
END_TEST

START_TEST(test_bind_function_bodies)
{
    bf_sql("public.agg", "", "bool", "select bool_or(true) from profiles");
    bf_assert_refused("public.agg()", "function public.agg: uses bool_or()");
    bf_sql("public.two", "", "bool", "select true; select false");
    bf_assert_refused("public.two()", "function public.two: has a body that is not one SELECT");
    bf_sql("public.ins", "", "bool", "insert into profiles values (default) returning true");
    bf_assert_refused("public.ins()", "function public.ins: has a body that is not one SELECT");
    bf_sql("public.loops", "a int4", "bool", "select loops(a)");
    bf_assert_refused("public.loops(n)",
                      "function public.loops: calls itself, or functions nest more than 32 deep");
    bf_sql("public.cte_ins", "", "bool",
           "with w as (insert into profiles default values returning id) select true");
    bf_assert_refused("public.cte_ins()", "function public.cte_ins: writes in WITH");
    bf_sql("public.yest", "t timestamptz", "bool", "select t > 'Yesterday'");
    bf_assert_refused("public.yest(created_at)",
                      "function public.yest: uses the literal 'Yesterday'");
    bf_sql("public.reg", "", "bool", "select 'trips'::regclass is not null");
    bf_assert_refused("public.reg()", "function public.reg: names an object by a literal");
    bf_sql("public.bad", "", "bool", "select from where");
    bf_assert_refused("public.bad()",
                      "function public.bad: does not parse: syntax error at or near \"where\"");
    bf_sql("public.path", "", "bool", "select exists (select 1 from secrets)");
    bf_assert_refused("public.path()",
                      "function public.path: reads secrets, which is no known table");
    bf_sql("public.both", "a text", "bool", "select lower(a) = 'x'");
    bf_sql("public.lower", "a text", "text", "select a");
    bf_assert_refused("public.both(role)",
                      "function public.both: calls lower, which is built in and public's, too");
}
END_TEST

START_TEST(test_bind_plpgsql_bodies)
{
    bf_plpgsql("public.p1", "", "bool",
               "begin for i in 1..2 loop null; end loop; return true; end");
    bf_assert_refused("public.p1()", "function public.p1: has a statement of the kind fori");
    bf_plpgsql("public.p2", "", "bool", "begin raise exception 'no'; end");
    bf_assert_refused("public.p2()", "function public.p2: raises an exception");
    bf_plpgsql("public.p3", "t text", "bool",
               "declare r bool; begin execute 'select true from ' || t into r; return r; end");
    bf_assert_refused("public.p3(role)",
                      "function public.p3: runs dynamic SQL that is not constant");
    bf_plpgsql("public.p4", "", "bool",
               "begin if auth.uid() is null then return false; end if; end");
    bf_assert_refused("public.p4()", "function public.p4: may end without RETURN");
    bf_plpgsql("public.p5", "role text", "bool",
               "begin return exists (select 1 from profiles where role = 'x'); end");
    bf_assert_refused("public.p5(name)", "function public.p5: role is a column and a variable");
    bf_plpgsql("public.p6", "", "bool",
               "begin return true; exception when others then return false; end");
    bf_assert_refused("public.p6()", "function public.p6: has an EXCEPTION block");
    bf_plpgsql("public.p7", "", "bool",
               "declare x uuid; begin select id into strict x from profiles; return true; end");
    bf_assert_refused("public.p7()",
                      "function public.p7: runs a statement without INTO or with INTO STRICT");
    bf_plpgsql("public.p8", "", "bool",
               "begin insert into profiles default values; return true; end");
    bf_assert_refused("public.p8()", "function public.p8: runs a statement that is no SELECT");
}
END_TEST

START_TEST(test_bind_immutable_functions_that_are_not)
{
    bf_plpgsql("public.im", "", "bool",
               "begin return exists (select 1 from profiles); exception when others then return "
               "false; end");
    bf.c->functions[bf.c->n_functions - 1].volatility = 'i';
    bf_assert_refused("public.im()", "function public.im: has an EXCEPTION block");
    bf_plpgsql("public.im2", "", "bool",
               "declare x text; begin x := current_setting('a.b', true); return x = 'x'; exception "
               "when others then return false; end");
    bf.c->functions[bf.c->n_functions - 1].volatility = 'i';
    bf_assert_refused("public.im2()", "function public.im2: has an EXCEPTION block");
}
END_TEST

START_TEST(test_bind_functions_in_other_languages)
{
    cf_function(bf.c, (struct cf_function){.name = "public.c_stable",
                                           .args = "a int4",
                                           .returns = "bool",
                                           .language = "c",
                                           .body = "x"});
    cf_function(bf.c, (struct cf_function){.name = "public.c_immutable",
                                           .args = "a int4",
                                           .returns = "bool",
                                           .language = "c",
                                           .body = "x",
                                           .volatility = 'i'});
    bf_assert_refused("public.c_stable(n)", "function public.c_stable: is written in c");
    bf_assert("public.c_immutable(n)", "!public.c_immutable(row.n)");
}
END_TEST

START_TEST(test_bind_rows_in_sub_select_below_not)
{
    bf_assert_refused("(NOT ((user_id, trip_id) IN ( SELECT t.user_id, t.id FROM public.trips t)))",
                      "compares rows with a sub-select");
    bf_assert_refused(
        "(((user_id, trip_id) IN ( SELECT t.user_id, t.id FROM public.trips t)) IS NULL)",
        "compares rows with a sub-select");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bind");
    TCase *tc = tcase_create("bind");
    tcase_add_checked_fixture(tc, bf_setup, bf_teardown);
    tcase_add_test(tc, test_bind_unknown_names);
    tcase_add_test(tc, test_bind_views_and_partitions);
    tcase_add_test(tc, test_bind_functions_that_look_at_who_asks);
    tcase_add_test(tc, test_bind_select_clauses);
    tcase_add_test(tc, test_bind_expressions);
    tcase_add_test(tc, test_bind_operators_of_extensions_in_bodies);
    tcase_add_test(tc, test_bind_function_bodies);
    tcase_add_test(tc, test_bind_plpgsql_bodies);
    tcase_add_test(tc, test_bind_immutable_functions_that_are_not);
    tcase_add_test(tc, test_bind_functions_in_other_languages);
    tcase_add_test(tc, test_bind_rows_in_sub_select_below_not);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
