/* bind: functions of the user's in place of their calls. */
#include "bind_fixture.h"

/* libpg_query 15-4.0.0 loses one byte when a plpgsql body does not parse. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpg_query\n";
}

START_TEST(test_bind_sql_set_function_takes_the_place_of_its_call)
{
    bf_sql("public.get_my_orgs", "", "SETOF uuid",
           "select org_id from profiles where id = auth.uid()");
    bf_assert("org_id IN ( SELECT public.get_my_orgs() AS get_my_orgs)",
              "row.org_id IN{profiles1.org_id from profiles1 where (profiles1.id = " P_UID ")}");
    bf_assert("(org_id IN ( SELECT o.o FROM public.get_my_orgs() o(o)))",
              "row.org_id IN{profiles1.org_id from profiles1 where (profiles1.id = " P_UID ")}");
    bf_assert("org_id = ANY (ARRAY( SELECT public.get_my_orgs() AS get_my_orgs))",
              "row.org_id IN{profiles1.org_id from profiles1 where (profiles1.id = " P_UID ")}");
    bf_assert("(EXISTS ( SELECT 1 FROM public.get_my_orgs() o(o) WHERE (o.o = things.org_id)))",
              "EXISTS{ from profiles1 where ((profiles1.id = " P_UID
              ") AND (profiles1.org_id = row.org_id))}");
}
END_TEST

START_TEST(test_bind_function_that_returns_a_table)
{
    bf_sql("public.my_orgs", "p_user uuid", "TABLE(org uuid, r text)",
           "select org_id, role from profiles where id = p_user");
    bf_assert("(org_id IN ( SELECT my_orgs.org FROM public.my_orgs(auth.uid()) my_orgs(org, r)))",
              "row.org_id IN{profiles1.org_id from profiles1 where (profiles1.id = " P_UID ")}");
    bf_assert("(org_id IN ( SELECT t.org FROM public.my_orgs(user_id) t(org, r) WHERE (t.r = "
              "'admin'::text)))",
              "row.org_id IN{profiles1.org_id from profiles1 where ((profiles1.id = row.user_id) "
              "AND (profiles1.role = 'admin':text))}");
}
END_TEST

START_TEST(test_bind_sql_scalar_function_is_its_first_row)
{
    bf_sql("public.org_of", "p uuid", "uuid", "select org_id from profiles where id = p");
    bf_assert("(org_id = public.org_of(user_id))", "(row.org_id = {profiles1.org_id from profiles1 "
                                                   "where (profiles1.id = row.user_id) first})");
    bf_sql("public.org_1", "uuid uuid", "uuid",
           "select org_id from profiles where id = $1 limit 1");
    bf_assert("(org_id = ( SELECT public.org_1(things.user_id) AS org_1))",
              "(row.org_id = {profiles1.org_id from profiles1 where (profiles1.id = row.user_id) "
              "first})");
}
END_TEST

START_TEST(test_bind_sql_body_column_hides_parameter)
{
    bf_sql(
        "public.hides", "role text", "bool",
        "select exists (select 1 from profiles where profiles.role = role and hides.role = 'x')");
    bf_assert("public.hides(name)", "EXISTS{ from profiles1 where ((profiles1.role = "
                                    "profiles1.role) AND (row.name = 'x':text))}");
}
END_TEST

START_TEST(test_bind_array_function_is_in)
{
    bf_sql("public.orgs", "", "uuid[]",
           "select array(select distinct org_id from profiles where id = auth.uid())");
    bf_assert("(org_id = ANY (public.orgs()))",
              "row.org_id IN{profiles1.org_id from profiles1 where (profiles1.id = " P_UID ")}");
    bf_assert("(org_id <> ALL (public.orgs()))",
              "NOT(row.org_id IN{profiles1.org_id from profiles1 where (profiles1.id = " P_UID
              ")})");
}
END_TEST

START_TEST(test_bind_strict_function_is_null_on_null)
{
    bf_sql("public.is_x", "a text, b text", "bool", "select a = b or a is null");
    bf.c->functions[bf.c->n_functions - 1].is_strict = true;
    bf_assert("public.is_x(role, 'x'::text)",
              "STRICT(((row.role = 'x':text) OR (row.role IS NULL)), row.role)");
    bf_assert("public.is_x(NULL::text, role)", "null:bool");
}
END_TEST

START_TEST(test_bind_arguments_are_cast_named_and_defaulted)
{
    cf_function(bf.c, (struct cf_function){.name = "public.d",
                                           .args = "a int8, b text DEFAULT 'y'::text",
                                           .returns = "bool",
                                           .body = "select a > 1 and b = 'x'"});
    bf_assert("public.d(n)", "(((row.n)::int8 > '1':int4) AND ('y':text = 'x':text))");
    bf_assert("public.d(b => role, a => '7'::bigint)",
              "(('7':int8 > '1':int4) AND (row.role = 'x':text))");
    bf_assert("public.d(3, name)", "(('3':int8 > '1':int4) AND (row.name = 'x':text))");
}
END_TEST

START_TEST(test_bind_overloads_are_chosen_by_type)
{
    bf_sql("public.o", "a int8", "text", "select 'int8'");
    bf_sql("public.o", "a text", "text", "select 'text'");
    bf_assert("(public.o(role) = public.o(id))", "('text':text = 'int8':text)");
    bf_assert("(public.o(n) = 'x'::text)", "('int8':text = 'x':text)");
}
END_TEST

START_TEST(test_bind_bodies_of_the_standard)
{
    cf_function(bf.c, (struct cf_function){
                          .name = "public.at",
                          .args = "p uuid",
                          .returns = "bool",
                          .atomic = "BEGIN ATOMIC\n SELECT (EXISTS ( SELECT 1\n FROM "
                                    "public.profiles\n WHERE (profiles.id = at.p)));\nEND"});
    cf_function(bf.c, (struct cf_function){.name = "public.re",
                                           .args = "p int4",
                                           .returns = "bool",
                                           .atomic = "RETURN (p > '-1'::integer)"});
    bf_assert("public.at(user_id)", "EXISTS{ from profiles1 where (profiles1.id = row.user_id)}");
    bf_assert("public.re(n)", "(row.n > '-1':int4)");
}
END_TEST

START_TEST(test_bind_from_is_flattened)
{
    bf_sql("public.cte", "", "SETOF uuid",
           "with m(o) as (select org_id from profiles where id = auth.uid()) select o from m");
    bf_assert("(org_id IN ( SELECT public.cte() AS cte))",
              "row.org_id IN{profiles1.org_id from profiles1 where (profiles1.id = " P_UID ")}");
    bf_sql("public.sub", "", "SETOF uuid",
           "select x.o from (select org_id as o, role from profiles union select id, role from "
           "profiles where is_admin) x where x.role = 'a'");
    bf_assert(
        "(org_id IN ( SELECT public.sub() AS sub))",
        "row.org_id IN{profiles1.org_id from profiles1 where (profiles1.role = 'a':text) | "
        "profiles8.id from profiles8 where (profiles8.is_admin AND (profiles8.role = 'a':text))}");
}
END_TEST

START_TEST(test_bind_left_join_of_sub_select)
{
    bf_sql("public.lj", "p uuid", "bool",
           "select exists (select 1 from chat_sessions s left join (select id, user_id from trips "
           "where is_public) t on t.id = s.trip_id where s.id = p and (t.user_id = auth.uid() or "
           "t.id is null))");
    bf_assert("public.lj(session_id)",
              "EXISTS{ from chat_sessions1 left trips2 on ((trips2.id = chat_sessions1.trip_id) "
              "AND trips2.is_public) where ((chat_sessions1.id = row.session_id) AND "
              "((trips2.user_id = " P_UID ") OR (trips2.id IS NULL)))}");
}
END_TEST

START_TEST(test_bind_join_using)
{
    bf_sql("public.us", "p uuid", "bool",
           "select exists (select 1 from chat_sessions s join trips t using (user_id), "
           "trip_collaborators m where s.id = p and s.user_id = auth.uid() and m.role = 'x')");
    bf_assert("public.us(session_id)",
              "EXISTS{ from chat_sessions1, trips2 on (chat_sessions1.user_id = trips2.user_id), "
              "trip_collaborators3 where ((chat_sessions1.id = row.session_id) AND "
              "(chat_sessions1.user_id = " P_UID ") AND (trip_collaborators3.role = 'x':text))}");
}
END_TEST

START_TEST(test_bind_plpgsql_select_into_and_branches)
{
    bf_plpgsql("public.role_of", "p_user uuid", "text",
               "declare v_role profiles.role%type; begin select role into v_role from profiles "
               "where id = p_user; if v_role = 'a' then return 'A'; elsif v_role = 'b' then v_role "
               ":= upper(v_role); end if; return v_role; end");
    bf_assert("(public.role_of(user_id) = 'A'::text)",
              "(CASE(({profiles1.role from profiles1 where (profiles1.id = row.user_id) first} = "
              "'a':text), 'A':text, ({profiles1.role from profiles1 where (profiles1.id = "
              "row.user_id) first} = 'b':text), pg_catalog.upper({profiles1.role from profiles1 "
              "where (profiles1.id = row.user_id) first}), {profiles1.role from profiles1 where "
              "(profiles1.id = row.user_id) first}) = 'A':text)");
}
END_TEST

START_TEST(test_bind_plpgsql_found)
{
    bf_plpgsql("public.perf", "", "bool",
               "begin perform 1 from profiles where id = auth.uid(); return found; end");
    bf_assert("public.perf()", "EXISTS{ from profiles1 where (profiles1.id = " P_UID ")}");
    bf_plpgsql("public.into_found", "", "bool",
               "declare x uuid; begin select id into x from profiles where id = auth.uid(); if not "
               "found then return false; end if; return true; end");
    bf_assert("public.into_found()", "CASE(NOT(EXISTS{ from profiles1 where (profiles1.id = " P_UID
                                     ")}), 'f':bool, 't':bool)");
}
END_TEST

START_TEST(test_bind_plpgsql_rows)
{
    bf_plpgsql(
        "public.rec", "", "bool",
        "declare r record; p public.profiles; begin select * into r from profiles where id = "
        "auth.uid(); select * into p from profiles where id = r.org_id; return p.is_admin; end");
    bf_assert("public.rec()",
              "{profiles2.is_admin from profiles2 where (profiles2.id = {profiles1.org_id from "
              "profiles1 where (profiles1.id = " P_UID ") first}) first}");
}
END_TEST

START_TEST(test_bind_plpgsql_case)
{
    bf_plpgsql("public.casey", "a int4", "bool",
               "begin case a when 1 then return true; when 2, -3 then return false; else null; end "
               "case; return a > 7; end");
    bf_assert("public.casey(n)", "CASE((row.n = ANY ['1':int4]), 't':bool, (row.n = ANY ['2':int4, "
                                 "'-3':int4]), 'f':bool, (row.n > '7':int4))");
}
END_TEST

START_TEST(test_bind_plpgsql_numbers_that_are_not_positive)
{
    bf_plpgsql("public.neg", "a int4", "bool",
               "begin return a = -1 or a = 0 or a in (-5, - 7) or a between -3 and -2; end");
    bf_assert("public.neg(n)",
              "((row.n = '-1':int4) OR (row.n = '0':int4) OR (row.n = ANY ['-5':int4, '-7':int4]) "
              "OR ((row.n >= '-3':int4) AND (row.n <= '-2':int4)))");
}
END_TEST

START_TEST(test_bind_plpgsql_return_query)
{
    bf_plpgsql("public.rq", "", "SETOF uuid",
               "declare me uuid := auth.uid(); begin return query select org_id from profiles "
               "where id = me; end");
    bf_assert("(org_id IN ( SELECT public.rq() AS rq))",
              "row.org_id IN{profiles1.org_id from profiles1 where (profiles1.id = " P_UID ")}");
}
END_TEST

START_TEST(test_bind_plpgsql_volatile_without_volatile_parts)
{
    bf_plpgsql("public.vol", "", "bool",
               "begin raise notice 'asked'; return auth.role() = 'x'; end");
    bf.c->functions[bf.c->n_functions - 1].volatility = 'v';
    bf_assert("public.vol()", "((" P_JWT " ->> 'role':text) = 'x':text)");
}
END_TEST

START_TEST(test_bind_literals_take_types)
{
    bf_sql("public.lits", "u uuid, j jsonb", "bool",
           "select u = 'AAAAAAAA-0000-0000-0000-00000000000B' and j ->> 'a' = 'x' and j = '{}' and "
           "u in ('00000000-0000-0000-0000-000000000001', NULL) and 'true'::bool and coalesce(j "
           "->> 'b', 'c') <> 'd'");
    bf_assert("public.lits(user_id, data)",
              "((row.user_id = 'aaaaaaaa-0000-0000-0000-00000000000b':uuid) AND ((row.data ->> "
              "'a':text) = 'x':text) AND (row.data = '{}':jsonb) AND (row.user_id = ANY "
              "['00000000-0000-0000-0000-000000000001':uuid, null:uuid]) AND 't':bool AND "
              "(COALESCE((row.data ->> 'b':text), 'c':text) <> 'd':text))");
}
END_TEST

START_TEST(test_bind_like_forms)
{
    bf_sql("public.likes", "a text", "bool",
           "select a like 'x%' and a not ilike 'y' and a like 'z' escape '!' and a similar to 'q'");
    bf_assert("public.likes(role)", "((row.role ~~ 'x%':text) AND (row.role !~~* 'y':text) AND "
                                    "(row.role ~~ pg_catalog.like_escape('z':text, '!':text)) AND "
                                    "(row.role ~ pg_catalog.similar_to_escape('q':text)))");
}
END_TEST

START_TEST(test_bind_rows_compare_by_column)
{
    bf_sql("public.rows", "a int8, b text", "bool",
           "select (a, b) = (1, 'x') or (a, b) <> (2, 'y')");
    bf_assert("public.rows(id, role)", "(((row.id = '1':int4) AND (row.role = 'x':text)) OR "
                                       "((row.id <> '2':int4) OR (row.role <> 'y':text)))");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bind");
    TCase *tc = tcase_create("bind");
    tcase_add_checked_fixture(tc, bf_setup, bf_teardown);
    tcase_add_test(tc, test_bind_sql_set_function_takes_the_place_of_its_call);
    tcase_add_test(tc, test_bind_function_that_returns_a_table);
    tcase_add_test(tc, test_bind_sql_scalar_function_is_its_first_row);
    tcase_add_test(tc, test_bind_sql_body_column_hides_parameter);
    tcase_add_test(tc, test_bind_array_function_is_in);
    tcase_add_test(tc, test_bind_strict_function_is_null_on_null);
    tcase_add_test(tc, test_bind_arguments_are_cast_named_and_defaulted);
    tcase_add_test(tc, test_bind_overloads_are_chosen_by_type);
    tcase_add_test(tc, test_bind_bodies_of_the_standard);
    tcase_add_test(tc, test_bind_from_is_flattened);
    tcase_add_test(tc, test_bind_left_join_of_sub_select);
    tcase_add_test(tc, test_bind_join_using);
    tcase_add_test(tc, test_bind_plpgsql_select_into_and_branches);
    tcase_add_test(tc, test_bind_plpgsql_found);
    tcase_add_test(tc, test_bind_plpgsql_rows);
    tcase_add_test(tc, test_bind_plpgsql_case);
    tcase_add_test(tc, test_bind_plpgsql_numbers_that_are_not_positive);
    tcase_add_test(tc, test_bind_plpgsql_return_query);
    tcase_add_test(tc, test_bind_plpgsql_volatile_without_volatile_parts);
    tcase_add_test(tc, test_bind_literals_take_types);
    tcase_add_test(tc, test_bind_like_forms);
    tcase_add_test(tc, test_bind_rows_compare_by_column);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
