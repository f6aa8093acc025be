/* bind: policies as the catalog prints them: every shape of the travel planner's, then what else
 * policies are made of. */
#include "bind_fixture.h"

/* libpg_query 15-4.0.0 loses one byte when a plpgsql body does not parse. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpg_query\n";
}

START_TEST(test_bind_shape_1_and_23_constants)
{
    bf_assert("true", "'t':bool");
    bf_assert("false", "'f':bool");
}
END_TEST

START_TEST(test_bind_shape_2_column_equals_caller)
{
    bf_assert("(" UID " = user_id)", "(" P_UID " = row.user_id)");
    bf_assert("(user_id = auth.uid())", "(row.user_id = " P_UID ")");
}
END_TEST

START_TEST(test_bind_shape_3_definer_predicate)
{
    bf_assert("public.user_has_trip_access(" UID ", trip_id)",
              "EXISTS{ from trips1 where ((trips1.id = row.trip_id) AND (trips1.user_id = " P_UID
              ")) |  from trip_collaborators2 where ((trip_collaborators2.trip_id = row.trip_id) "
              "AND (trip_collaborators2.user_id = " P_UID "))}");
    bf_assert("public.user_has_trip_edit_access(" UID ", trip_id)",
              "EXISTS{ from trips1 where ((trips1.id = row.trip_id) AND (trips1.user_id = " P_UID
              ")) |  from trip_collaborators2 where ((trip_collaborators2.trip_id = row.trip_id) "
              "AND (trip_collaborators2.user_id = " P_UID
              ") AND (trip_collaborators2.role = ANY ['editor':text, 'admin':text]))}");
    bf_assert_on(bf.trips, "public.user_has_trip_access(" UID ", id)",
                 "EXISTS{ from trips1 where ((trips1.id = row.id) AND (trips1.user_id = " P_UID
                 ")) |  from trip_collaborators2 where ((trip_collaborators2.trip_id = row.id) AND "
                 "(trip_collaborators2.user_id = " P_UID "))}");
}
END_TEST

START_TEST(test_bind_shape_4_owner_or_guarded_predicate)
{
    bf_assert("((user_id = " UID ") OR ((trip_id IS NOT NULL) AND public.user_is_trip_owner(" UID
              ", trip_id)))",
              "((row.user_id = " P_UID
              ") OR ((row.trip_id IS NOT NULL) AND EXISTS{ from trips1 where ((trips1.id = "
              "row.trip_id) AND (trips1.user_id = " P_UID "))}))");
}
END_TEST

START_TEST(test_bind_shape_5_conjunction)
{
    bf_assert("((user_id = " UID ") AND ((trip_id IS NULL) OR public.user_is_trip_owner(" UID
              ", trip_id)))",
              "((row.user_id = " P_UID ") AND ((row.trip_id IS NULL) OR EXISTS{ from trips1 where "
              "((trips1.id = row.trip_id) AND (trips1.user_id = " P_UID "))}))");
}
END_TEST

START_TEST(test_bind_shape_6_predicate_or_self)
{
    bf_assert("(public.user_is_trip_owner(" UID ", trip_id) OR (user_id = " UID "))",
              "(EXISTS{ from trips1 where ((trips1.id = row.trip_id) AND (trips1.user_id = " P_UID
              "))} OR (row.user_id = " P_UID "))");
}
END_TEST

START_TEST(test_bind_shape_7_in_one_table)
{
    bf_assert("(trip_id IN ( SELECT trips.id FROM public.trips WHERE (trips.user_id = " UID ")))",
              "row.trip_id IN{trips1.id from trips1 where (trips1.user_id = " P_UID ")}");
}
END_TEST

START_TEST(test_bind_shape_8_and_10_two_levels_with_union)
{
    bf_assert("((user_id = " UID
              ") AND (role = 'user'::text) AND (session_id IN ( SELECT chat_sessions.id FROM "
              "public.chat_sessions WHERE ((chat_sessions.user_id = " UID
              ") OR (chat_sessions.trip_id IN " TRIPS_OF_MINE ")))))",
              "((row.user_id = " P_UID
              ") AND (row.role = 'user':text) AND row.session_id IN{chat_sessions1.id from "
              "chat_sessions1 where ((chat_sessions1.user_id = " P_UID
              ") OR chat_sessions1.trip_id IN{trips2.id from trips2 where (trips2.user_id = " P_UID
              ") | trip_collaborators3.trip_id from trip_collaborators3 where "
              "(trip_collaborators3.user_id = " P_UID ")})})");
}
END_TEST

START_TEST(test_bind_shape_9_in_join)
{
    bf_assert(
        "(message_id IN ( SELECT cm.id FROM (public.chat_messages cm JOIN public.chat_sessions cs "
        "ON ((cm.session_id = cs.id))) WHERE ((cs.user_id = " UID
        ") OR (cs.trip_id IN " TRIPS_OF_MINE "))))",
        "row.message_id IN{chat_messages1.id from chat_messages1, chat_sessions2 on "
        "(chat_messages1.session_id = chat_sessions2.id) where ((chat_sessions2.user_id = " P_UID
        ") OR chat_sessions2.trip_id IN{trips3.id from trips3 where (trips3.user_id = " P_UID
        ") | trip_collaborators4.trip_id from trip_collaborators4 where "
        "(trip_collaborators4.user_id = " P_UID ")})}");
}
END_TEST

START_TEST(test_bind_shape_11_correlated_exists)
{
    bf_assert("((session_id IS NULL) OR (EXISTS ( SELECT 1 FROM public.chat_sessions cs WHERE "
              "((cs.id = things.session_id) AND (cs.user_id = " UID ")))))",
              "((row.session_id IS NULL) OR EXISTS{ from chat_sessions1 where ((chat_sessions1.id "
              "= row.session_id) AND (chat_sessions1.user_id = " P_UID "))})");
}
END_TEST

START_TEST(test_bind_shape_12_uncorrelated_exists)
{
    bf_assert("((auth.role() = 'authenticated'::text) AND (EXISTS ( SELECT 1 FROM public.profiles "
              "WHERE ((profiles.id = auth.uid()) AND (profiles.is_admin = true)))))",
              "(((" P_JWT " ->> 'role':text) = 'authenticated':text) AND EXISTS{ from profiles1 "
              "where ((profiles1.id = " P_UID ") AND (profiles1.is_admin = 't':bool))})");
}
END_TEST

START_TEST(test_bind_shape_13_exists_over_predicate)
{
    bf_assert("(EXISTS ( SELECT 1 FROM public.chat_sessions s WHERE ((s.id = things.session_id) "
              "AND ((s.user_id = " UID
              ") OR ((s.trip_id IS NOT NULL) AND public.user_is_trip_owner(" UID
              ", s.trip_id))))))",
              "EXISTS{ from chat_sessions1 where ((chat_sessions1.id = row.session_id) AND "
              "((chat_sessions1.user_id = " P_UID
              ") OR ((chat_sessions1.trip_id IS NOT NULL) AND EXISTS{ from trips2 where "
              "((trips2.id = chat_sessions1.trip_id) AND (trips2.user_id = " P_UID "))})))}");
}
END_TEST

START_TEST(test_bind_shape_14_claims)
{
    bf_assert("public.is_admin()",
              "(COALESCE(NULLIF(((($request.jwt.claims)::json -> 'app_metadata':text) ->> "
              "'is_admin':text), '':text), NULLIF((($request.jwt.claims)::json ->> "
              "'is_admin':text), '':text)) = 'true':text)");
    bf_assert("(auth.role() = 'service_role'::text)",
              "((" P_JWT " ->> 'role':text) = 'service_role':text)");
}
END_TEST

START_TEST(test_bind_shape_15_null_and_list)
{
    bf_assert("((user_id IS NULL) AND (namespace = ANY (ARRAY['a'::text, 'b'::text])))",
              "((row.user_id IS NULL) AND (row.namespace = ANY ['a':text, 'b':text]))");
    bf_assert(
        "((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))",
        "(row.status = ANY ['a':varchar, 'b':varchar])");
}
END_TEST

START_TEST(test_bind_shape_16_string_functions)
{
    bf_assert(
        "((split_part(name, '/'::text, 1) = (" UID
        ")::text) OR (name = ((auth.uid())::text || '.jpg'::text)) OR (COALESCE(created_by, "
        "(user_id)::text) = 'x'::text))",
        "((pg_catalog.split_part(row.name, '/':text, '1':int4) = (" P_UID
        ")::text) OR (row.name = ((" P_UID
        ")::text || '.jpg':text)) OR (COALESCE(row.created_by, (row.user_id)::text) = 'x':text))");
}
END_TEST

START_TEST(test_bind_shape_17_time)
{
    bf_assert("(created_at > (now() - '00:15:00'::interval))",
              "(row.created_at > (pg_catalog.now() - '00:15:00':interval))");
    bf_assert("(created_at > CURRENT_TIMESTAMP)", "(row.created_at > CURRENT_TIMESTAMP)");
}
END_TEST

START_TEST(test_bind_shape_18_topics)
{
    bf_assert_on(
        bf.topics,
        "((realtime.topic() ~* '^session:[0-9a-f]{8}$'::text) AND public.rt_is_session_member() "
        "AND (extension = ANY (ARRAY['broadcast'::text, 'presence'::text])))",
        "((" P_TOPIC " ~* '^session:[0-9a-f]{8}$':text) AND CASE((!public.try_cast_uuid(" P_SUFFIX
        ") IS NULL), 'f':bool, EXISTS{ from chat_sessions1 left trips2 on (trips2.id = "
        "chat_sessions1.trip_id) left trip_collaborators3 on ((trip_collaborators3.trip_id = "
        "chat_sessions1.trip_id) AND (trip_collaborators3.user_id = " P_UID
        ")) where ((chat_sessions1.id = !public.try_cast_uuid(" P_SUFFIX
        ")) AND ((chat_sessions1.user_id = " P_UID ") OR (trips2.user_id = " P_UID
        ") OR (trip_collaborators3.user_id IS NOT NULL)))}) AND (row.extension = ANY "
        "['broadcast':text, 'presence':text]))");
    bf_assert_on(bf.topics,
                 "((realtime.topic() ~ '^trip:[0-9]+$'::text) AND public.user_is_trip_owner(" UID
                 ", public.try_cast_bigint(public.rt_topic_suffix())))",
                 "((" P_TOPIC " ~ '^trip:[0-9]+$':text) AND EXISTS{ from trips1 where ((trips1.id "
                 "= !public.try_cast_bigint(" P_SUFFIX ")) AND (trips1.user_id = " P_UID "))})");
    bf_assert_on(bf.topics, "(lower(public.rt_topic_suffix()) = lower((" UID ")::text))",
                 "(pg_catalog.lower(" P_SUFFIX ") = pg_catalog.lower((" P_UID ")::text))");
}
END_TEST

START_TEST(test_bind_shape_19_three_way_or)
{
    bf_assert("((user_id = auth.uid()) OR (added_by = auth.uid()) OR (trip_id IN ( SELECT trips.id "
              "FROM public.trips WHERE (trips.user_id = auth.uid()))))",
              "((row.user_id = " P_UID ") OR (row.added_by = " P_UID
              ") OR row.trip_id IN{trips1.id from trips1 where (trips1.user_id = " P_UID ")})");
}
END_TEST

START_TEST(test_bind_shape_20_union_with_role_test)
{
    bf_assert("(trip_id IN ( SELECT trips.id FROM public.trips WHERE (trips.user_id = auth.uid()) "
              "UNION SELECT trip_collaborators.trip_id FROM public.trip_collaborators WHERE "
              "((trip_collaborators.user_id = auth.uid()) AND (trip_collaborators.role = ANY "
              "(ARRAY['edit'::text, 'admin'::text])))))",
              "row.trip_id IN{trips1.id from trips1 where (trips1.user_id = " P_UID
              ") | trip_collaborators2.trip_id from trip_collaborators2 where "
              "((trip_collaborators2.user_id = " P_UID
              ") AND (trip_collaborators2.role = ANY ['edit':text, 'admin':text]))}");
}
END_TEST

START_TEST(test_bind_shape_21_or_correlated_exists)
{
    bf_assert_on(bf.trips,
                 "((user_id = auth.uid()) OR (EXISTS ( SELECT 1 FROM public.trip_collaborators tc "
                 "WHERE ((tc.trip_id = trips.id) AND (tc.user_id = auth.uid()) AND (tc.role = ANY "
                 "(ARRAY['edit'::text, 'admin'::text]))))))",
                 "((row.user_id = " P_UID
                 ") OR EXISTS{ from trip_collaborators1 where ((trip_collaborators1.trip_id = "
                 "row.id) AND (trip_collaborators1.user_id = " P_UID
                 ") AND (trip_collaborators1.role = ANY ['edit':text, 'admin':text]))})");
}
END_TEST

START_TEST(test_bind_shape_22_like)
{
    bf_assert("(name ~~ (('user_'::text || (auth.uid())::text) || '/%'::text))",
              "(row.name ~~ (('user_':text || (" P_UID ")::text) || '/%':text))");
}
END_TEST

START_TEST(test_bind_shape_23_boolean_columns)
{
    bf_assert_on(bf.trips, "(is_public = true)", "(row.is_public = 't':bool)");
    bf_assert_on(bf.trips, "is_public", "row.is_public");
}
END_TEST

START_TEST(test_bind_shape_24_email_and_coalesce)
{
    bf_assert("((auth.email() ~ '@tripsage\\.(com|ai)$'::text) OR ((auth.jwt() ->> 'role'::text) = "
              "'service_role'::text) OR (created_by = COALESCE(auth.email(), 'anonymous'::text)))",
              "(((" P_JWT " ->> 'email':text) ~ '@tripsage\\.(com|ai)$':text) OR ((" P_JWT
              " ->> 'role':text) = 'service_role':text) OR (row.created_by = COALESCE((" P_JWT
              " ->> 'email':text), 'anonymous':text)))");
}
END_TEST

START_TEST(test_bind_org_claim)
{
    bf_assert("(org_id = ((auth.jwt() ->> 'org_id'::text))::uuid)",
              "(row.org_id = ((" P_JWT " ->> 'org_id':text))::uuid)");
    bf_assert("((current_setting('app.tenant'::text))::uuid = org_id)",
              "(($app.tenant!)::uuid = row.org_id)");
    bf_assert("(org_id = (((current_setting('request.jwt.claims'::text, true))::json ->> "
              "'org_id'::text))::uuid)",
              "(row.org_id = ((($request.jwt.claims)::json ->> 'org_id':text))::uuid)");
}
END_TEST

START_TEST(test_bind_claim_array)
{
    bf_assert("(org_id IN ( SELECT (jsonb_array_elements_text((auth.jwt() -> 'orgs'::text)))::uuid "
              "AS x))",
              "row.org_id IN{(pg_catalog.jsonb_array_elements_text((" P_JWT
              " -> 'orgs':text)))::uuid}");
    bf_assert("((org_id)::text IN ( SELECT value.value FROM jsonb_array_elements_text((auth.jwt() "
              "-> 'orgs'::text)) value(value)))",
              "(row.org_id)::text IN{pg_catalog.jsonb_array_elements_text((" P_JWT
              " -> 'orgs':text))}");
    bf_assert("((org_id)::text = ANY (string_to_array((auth.jwt() ->> 'orgs'::text), ','::text)))",
              "((row.org_id)::text = ANY pg_catalog.string_to_array((" P_JWT
              " ->> 'orgs':text), ',':text))");
    bf_assert("(role IN ( SELECT unnest(things.tags) AS unnest))",
              "((row.tags IS NOT NULL) AND (row.role = ANY row.tags))");
}
END_TEST

START_TEST(test_bind_block_list)
{
    bf_assert("(NOT (user_id IN ( SELECT profiles.id FROM public.profiles)))",
              "NOT(row.user_id IN{profiles1.id from profiles1})");
    bf_assert("(user_id <> ALL ( SELECT profiles.id FROM public.profiles))",
              "NOT(row.user_id IN{profiles1.id from profiles1})");
    bf_assert("(NOT (EXISTS ( SELECT 1 FROM public.profiles p WHERE ((p.id = auth.uid()) AND "
              "(p.org_id = things.org_id)))))",
              "NOT(EXISTS{ from profiles1 where ((profiles1.id = " P_UID
              ") AND (profiles1.org_id = row.org_id))})");
}
END_TEST

START_TEST(test_bind_tests_and_distinct)
{
    bf_assert("((n IS NULL) AND ((role = 'a'::text) IS NOT TRUE) AND ((role = 'a'::text) IS "
              "UNKNOWN) AND (user_id IS DISTINCT FROM auth.uid()))",
              "((row.n IS NULL) AND ((row.role = 'a':text) IS NOT TRUE) AND ((row.role = 'a':text) "
              "IS UNKNOWN) AND DISTINCT(row.user_id, " P_UID "))");
}
END_TEST

START_TEST(test_bind_case_and_choices)
{
    bf_assert(
        "(CASE role WHEN 'a'::text THEN true WHEN 'b'::text THEN false ELSE NULL::boolean END)",
        "CASE((row.role = 'a':text), 't':bool, (row.role = 'b':text), 'f':bool, null:bool)");
    bf_assert("(CASE WHEN (n > 3) THEN 'x'::text END = GREATEST(role, name))",
              "(CASE((row.n > '3':int4), 'x':text, null:text) = GREATEST(row.role, row.name))");
}
END_TEST

START_TEST(test_bind_numbers_that_are_not_positive)
{
    bf_assert(
        "((n = '-1'::integer) OR (n = 0) OR ((n)::numeric > 1.5) OR (n = '3000000000'::bigint))",
        "((row.n = '-1':int4) OR (row.n = '0':int4) OR ((row.n)::numeric > '1.5':numeric) OR "
        "(row.n = '3000000000':int8))");
}
END_TEST

START_TEST(test_bind_json_operators)
{
    bf_assert("((data ? 'x'::text) AND (data @> '{\"a\": 1}'::jsonb) AND (((data -> 'a'::text) ->> "
              "0) = 'x'::text) AND ((data #>> '{a,b}'::text[]) = 'y'::text))",
              "((row.data ? 'x':text) AND (row.data @> '{\"a\": 1}':jsonb) AND (((row.data -> "
              "'a':text) ->> '0':int4) = 'x':text) AND ((row.data #>> '{a,b}':_text) = 'y':text))");
}
END_TEST

START_TEST(test_bind_any_and_all_of_select)
{
    bf_assert("(n > ALL ( SELECT length(profiles.role) AS length FROM public.profiles))",
              "row.n > ALL{pg_catalog.length(profiles1.role) from profiles1}");
    bf_assert("(n > ANY ( SELECT length(profiles.role) AS length FROM public.profiles))",
              "row.n > IN{pg_catalog.length(profiles1.role) from profiles1}");
    bf_assert("(org_id = ANY (ARRAY( SELECT DISTINCT p.org_id FROM public.profiles p)))",
              "row.org_id IN{profiles1.org_id from profiles1}");
}
END_TEST

START_TEST(test_bind_scalar_sub_select)
{
    bf_assert("(( SELECT t.name FROM public.trips t WHERE (t.id = things.trip_id)) = 'x'::text)",
              "({trips1.name from trips1 where (trips1.id = row.trip_id)} = 'x':text)");
    bf_assert(
        "(( SELECT t.name FROM public.trips t WHERE (t.id = things.trip_id) LIMIT 1) = 'x'::text)",
        "({trips1.name from trips1 where (trips1.id = row.trip_id) first} = 'x':text)");
}
END_TEST

START_TEST(test_bind_current_user)
{
    bf_assert("(CURRENT_USER = 'x'::name)", "(ROLE = 'x':name)");
    bf_assert("(current_setting('role'::text) = 'x'::text)", "((ROLE)::text = 'x':text)");
}
END_TEST

START_TEST(test_bind_rows_in_sub_select_where_only_truth_counts)
{
    bf_assert(
        "((n > 1) AND ((user_id, trip_id) IN ( SELECT t.user_id, t.id FROM public.trips t WHERE "
        "t.is_public UNION SELECT m.user_id, m.trip_id FROM public.trip_collaborators m)))",
        "((row.n > '1':int4) AND EXISTS{ from trips1 where ((trips1.is_public AND (row.user_id = "
        "trips1.user_id)) AND (row.trip_id = trips1.id)) |  from trip_collaborators2 where "
        "((row.user_id = trip_collaborators2.user_id) AND (row.trip_id = "
        "trip_collaborators2.trip_id))})");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bind");
    TCase *tc = tcase_create("bind");
    tcase_add_checked_fixture(tc, bf_setup, bf_teardown);
    tcase_add_test(tc, test_bind_shape_1_and_23_constants);
    tcase_add_test(tc, test_bind_shape_2_column_equals_caller);
    tcase_add_test(tc, test_bind_shape_3_definer_predicate);
    tcase_add_test(tc, test_bind_shape_4_owner_or_guarded_predicate);
    tcase_add_test(tc, test_bind_shape_5_conjunction);
    tcase_add_test(tc, test_bind_shape_6_predicate_or_self);
    tcase_add_test(tc, test_bind_shape_7_in_one_table);
    tcase_add_test(tc, test_bind_shape_8_and_10_two_levels_with_union);
    tcase_add_test(tc, test_bind_shape_9_in_join);
    tcase_add_test(tc, test_bind_shape_11_correlated_exists);
    tcase_add_test(tc, test_bind_shape_12_uncorrelated_exists);
    tcase_add_test(tc, test_bind_shape_13_exists_over_predicate);
    tcase_add_test(tc, test_bind_shape_14_claims);
    tcase_add_test(tc, test_bind_shape_15_null_and_list);
    tcase_add_test(tc, test_bind_shape_16_string_functions);
    tcase_add_test(tc, test_bind_shape_17_time);
    tcase_add_test(tc, test_bind_shape_18_topics);
    tcase_add_test(tc, test_bind_shape_19_three_way_or);
    tcase_add_test(tc, test_bind_shape_20_union_with_role_test);
    tcase_add_test(tc, test_bind_shape_21_or_correlated_exists);
    tcase_add_test(tc, test_bind_shape_22_like);
    tcase_add_test(tc, test_bind_shape_23_boolean_columns);
    tcase_add_test(tc, test_bind_shape_24_email_and_coalesce);
    tcase_add_test(tc, test_bind_org_claim);
    tcase_add_test(tc, test_bind_claim_array);
    tcase_add_test(tc, test_bind_block_list);
    tcase_add_test(tc, test_bind_tests_and_distinct);
    tcase_add_test(tc, test_bind_case_and_choices);
    tcase_add_test(tc, test_bind_numbers_that_are_not_positive);
    tcase_add_test(tc, test_bind_json_operators);
    tcase_add_test(tc, test_bind_any_and_all_of_select);
    tcase_add_test(tc, test_bind_scalar_sub_select);
    tcase_add_test(tc, test_bind_current_user);
    tcase_add_test(tc, test_bind_rows_in_sub_select_where_only_truth_counts);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
