/* bind: whose rights count: privileges, inner policies, SECURITY DEFINER, search_path, names. */
#include "bind_fixture.h"

/* libpg_query 15-4.0.0 loses one byte when a plpgsql body does not parse. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpg_query\n";
}

START_TEST(test_bind_inner_policies_guard_inner_tables)
{
    bf.trips->rls_enabled = true;
    cf_policy(bf.c, bf.trips, "own", "(user_id = auth.uid())");
    cf_policy(bf.c, bf.trips, "public", "is_public");
    cf_policy(bf.c, bf.trips, "open", "(status IS NOT NULL)")->permissive = false;
    cf_policy(bf.c, bf.trips, "others", "true")->roles = CF_BIT(CF_ANON);
    bf_assert("(trip_id IN ( SELECT trips.id FROM public.trips))",
              "row.trip_id IN{trips1.id from trips1 guard ((trips1.status IS NOT NULL) AND "
              "(trips1.is_public OR (trips1.user_id = " P_UID ")))}");
}
END_TEST

START_TEST(test_bind_guards_nest)
{
    bf.trips->rls_enabled = bf.members->rls_enabled = true;
    cf_policy(
        bf.c, bf.trips, "m",
        "(EXISTS ( SELECT 1 FROM public.trip_collaborators tc WHERE ((tc.trip_id = trips.id))))");
    cf_policy(bf.c, bf.members, "own", "(user_id = auth.uid())");
    bf_assert(
        "(EXISTS ( SELECT 1 FROM public.trips t WHERE (t.id = things.trip_id)))",
        "EXISTS{ from trips1 guard EXISTS{ from trip_collaborators2 guard "
        "(trip_collaborators2.user_id = " P_UID
        ") where (trip_collaborators2.trip_id = trips1.id)} where (trips1.id = row.trip_id)}");
}
END_TEST

START_TEST(test_bind_without_a_permissive_policy_nothing_is_seen)
{
    bf.trips->rls_enabled = true;
    cf_policy(bf.c, bf.trips, "r", "true")->permissive = false;
    cf_policy(bf.c, bf.trips, "empty", "");
    bf_assert("(trip_id IN ( SELECT trips.id FROM public.trips))",
              "row.trip_id IN{trips1.id from trips1 guard 'f':bool}");
}
END_TEST

START_TEST(test_bind_bypassrls_and_owner_see_all)
{
    bf.trips->rls_enabled = true;
    bf.trips->access[CF_USER].bypasses_rls = true;
    bf_assert("(trip_id IN ( SELECT trips.id FROM public.trips))",
              "row.trip_id IN{trips1.id from trips1}");
}
END_TEST

START_TEST(test_bind_guard_of_a_left_join)
{
    bf.trips->rls_enabled = true;
    cf_policy(bf.c, bf.trips, "public", "is_public");
    bf_assert("(EXISTS ( SELECT 1 FROM (public.profiles p LEFT JOIN public.trips t ON ((t.user_id "
              "= p.id))) WHERE (t.id IS NULL)))",
              "EXISTS{ from profiles1 left trips2 guard trips2.is_public on (trips2.user_id = "
              "profiles1.id) where (trips2.id IS NULL)}");
}
END_TEST

START_TEST(test_bind_invoker_functions_are_guarded_definer_ones_are_not)
{
    bf.trips->rls_enabled = bf.members->rls_enabled = true;
    cf_policy(bf.c, bf.trips, "public", "is_public");
    bf_sql("public.inv", "t int8", "bool", "select exists (select 1 from trips where id = t)");
    bf_assert("public.inv(trip_id)",
              "EXISTS{ from trips1 guard trips1.is_public where (trips1.id = row.trip_id)}");
    bf_assert("public.user_is_trip_owner(user_id, trip_id)",
              "EXISTS{ from trips1 where ((trips1.id = row.trip_id) AND (trips1.user_id = "
              "row.user_id))}");
}
END_TEST

START_TEST(test_bind_definer_by_superuser_or_bypassrls)
{
    bf.trips->rls_enabled = bf.trips->rls_forced = true;
    bf_sql("public.su", "t int8", "bool", "select exists (select 1 from trips where id = t)");
    bf_definer(&bf.c->functions[bf.c->n_functions - 1])->owner_is_super = true;
    bf_assert("public.su(trip_id)", "EXISTS{ from trips1 where (trips1.id = row.trip_id)}");
    bf_sql("public.by", "t int8", "bool", "select exists (select 1 from trips where id = t)");
    bf_definer(&bf.c->functions[bf.c->n_functions - 1])->owner_bypasses = true;
    bf_assert("public.by(trip_id)", "EXISTS{ from trips1 where (trips1.id = row.trip_id)}");
}
END_TEST

START_TEST(test_bind_definer_bound_by_policies_is_refused)
{
    bf.trips->rls_enabled = bf.trips->rls_forced = true;
    bf_assert_refused("public.user_is_trip_owner(user_id, trip_id)",
                      "function public.user_is_trip_owner: policies on public.trips bind the owner "
                      "of user_is_trip_owner, whom they are not known for");
    bf.trips->rls_forced = false;
    bf.trips->owner_oid = 11;
    bf_assert_refused("public.user_is_trip_owner(user_id, trip_id)",
                      "function public.user_is_trip_owner: policies on public.trips bind the owner "
                      "of user_is_trip_owner, whom they are not known for");
}
END_TEST

START_TEST(test_bind_functions_below_a_definer_run_as_its_owner)
{
    bf.trips->rls_enabled = true;
    bf_sql("public.inner_one", "t int8", "bool",
           "select exists (select 1 from trips where id = t)");
    bf.c->functions[bf.c->n_functions - 1].executable = 0;
    bf_sql("public.outer_one", "t int8", "bool", "select inner_one(t)");
    bf_definer(&bf.c->functions[bf.c->n_functions - 1]);
    bf_assert("public.outer_one(trip_id)", "EXISTS{ from trips1 where (trips1.id = row.trip_id)}");
    bf_assert_refused("public.inner_one(trip_id)",
                      "role authenticated may not execute public.inner_one");
    bf.c->functions[bf.c->n_functions - 2].owner_oid = 12;
    bf_assert_refused(
        "public.outer_one(trip_id)",
        "function public.outer_one: the owner of outer_one may not execute public.inner_one");
}
END_TEST

START_TEST(test_bind_current_user_below_a_definer_is_refused)
{
    bf_sql("public.who", "", "text", "select current_user::text");
    bf_assert("(public.who() = 'x'::text)", "((ROLE)::text = 'x':text)");
    bf_definer(&bf.c->functions[bf.c->n_functions - 1]);
    bf_assert_refused("(public.who() = 'x'::text)",
                      "function public.who: uses current_user below SECURITY DEFINER");
}
END_TEST

START_TEST(test_bind_privileges_on_tables_and_columns)
{
    memset(&bf.trips->access[CF_USER].columns, 0, sizeof(struct gw_colset));
    bf_assert_refused("(EXISTS ( SELECT 1 FROM public.trips))",
                      "role authenticated may not read public.trips");
    gw_colset_add(&bf.trips->access[CF_USER].columns, 0);
    bf_assert("(EXISTS ( SELECT 1 FROM public.trips WHERE (trips.id = things.trip_id)))",
              "EXISTS{ from trips1 where (trips1.id = row.trip_id)}");
    bf_assert_refused("(EXISTS ( SELECT 1 FROM public.trips WHERE (trips.name = 'x'::text)))",
                      "role authenticated may not read trips.name");
    bf_assert_refused("(EXISTS ( SELECT * FROM public.trips))",
                      "role authenticated may not read trips.user_id");
    bf_assert_refused("(EXISTS ( SELECT 1 FROM public.trips t WHERE (t.* IS NOT NULL)))",
                      "role authenticated may not read trips.user_id");
    bf_assert("public.user_is_trip_owner(user_id, trip_id)",
              "EXISTS{ from trips1 where ((trips1.id = row.trip_id) AND (trips1.user_id = "
              "row.user_id))}");
}
END_TEST

START_TEST(test_bind_own_columns_need_no_privilege)
{
    memset(&bf.things->access[CF_USER].columns, 0, sizeof(struct gw_colset));
    bf_assert("(user_id = auth.uid())", "(row.user_id = " P_UID ")");
}
END_TEST

START_TEST(test_bind_guards_need_no_privilege_on_their_columns)
{
    bf.trips->rls_enabled = true;
    memset(&bf.trips->access[CF_USER].columns, 0, sizeof(struct gw_colset));
    gw_colset_add(&bf.trips->access[CF_USER].columns, 0);
    cf_policy(bf.c, bf.trips, "own", "(user_id = auth.uid())");
    bf_assert("(trip_id IN ( SELECT trips.id FROM public.trips))",
              "row.trip_id IN{trips1.id from trips1 guard (trips1.user_id = " P_UID ")}");
}
END_TEST

START_TEST(test_bind_schema_usage_counts_in_bodies_only)
{
    bf.trips->access[CF_USER].has_schema_usage = false;
    bf_assert("(trip_id IN ( SELECT trips.id FROM public.trips))",
              "row.trip_id IN{trips1.id from trips1}");
    bf_sql("public.q", "t int8", "bool", "select exists (select 1 from public.trips where id = t)");
    bf_assert_refused("public.q(trip_id)",
                      "function public.q: role authenticated may not use the schema public");
    bf_sql("public.u", "t int8", "bool", "select exists (select 1 from trips where id = t)");
    bf_assert_refused("public.u(trip_id)",
                      "function public.u: reads trips, which is no known table");
}
END_TEST

START_TEST(test_bind_execute_privilege)
{
    bf.c->functions[0].executable = CF_BIT(CF_ANON);
    bf_assert_refused("(user_id = auth.uid())", "role authenticated may not execute auth.uid");
}
END_TEST

START_TEST(test_bind_recursion)
{
    bf.things->rls_enabled = bf.trips->rls_enabled = true;
    cf_policy(bf.c, bf.trips, "t",
              "(EXISTS ( SELECT 1 FROM public.things s WHERE (s.trip_id = trips.id)))");
    bf_assert_refused(
        "(trip_id IN ( SELECT trips.id FROM public.trips))",
        "policy t of public.trips: infinite recursion in the policies of public.things");
    bf_assert_refused("(id IN ( SELECT s.trip_id FROM public.things s))",
                      "infinite recursion in the policies of public.things");
    bf.things->access[CF_USER].bypasses_rls = true;
    bf_assert("(trip_id IN ( SELECT trips.id FROM public.trips))",
              "row.trip_id IN{trips1.id from trips1 guard EXISTS{ from things2 where "
              "(things2.trip_id = trips1.id)}}");
}
END_TEST

START_TEST(test_bind_search_path_of_functions)
{
    bf_table("app.trips", "id int8!, kind text");
    cf_function(bf.c, (struct cf_function){
                          .name = "app.f",
                          .args = "t int8",
                          .returns = "bool",
                          .body = "select exists (select 1 from trips where id = t and kind = 'x')",
                          .path = "app"});
    bf_assert(
        "app.f(trip_id)",
        "EXISTS{ from trips1 where ((trips1.id = row.trip_id) AND (trips1.kind = 'x':text))}");
    cf_function(bf.c,
                (struct cf_function){.name = "app.none",
                                     .args = "t int8",
                                     .returns = "bool",
                                     .body = "select exists (select 1 from trips where id = t)",
                                     .path = ""});
    bf_assert_refused("app.none(trip_id)",
                      "function app.none: reads trips, which is no known table");
    bf_sql("app.plain", "t int8", "bool", "select exists (select 1 from trips where id = t)");
    bf_assert("app.plain(trip_id)", "EXISTS{ from trips1 where (trips1.id = row.trip_id)}");
    cf_function(bf.c, (struct cf_function){.name = "app.calls",
                                           .args = "t int8",
                                           .returns = "bool",
                                           .body = "select plain(t)",
                                           .path = "app"});
    bf_assert("app.calls(trip_id)", "EXISTS{ from trips1 where (trips1.id = row.trip_id)}");
}
END_TEST

START_TEST(test_bind_settings_of_functions)
{
    bf.c->functions[0].has_other_settings = true;
    bf_assert_refused("(user_id = auth.uid())", "function auth.uid: has SETtings of its own");
}
END_TEST

START_TEST(test_bind_quoted_names)
{
    bf_table("My.App.Sp ace", "Id int8!, select uuid");
    bf.c->tables[bf.c->n_tables - 1].schema = GW_SPAN_LIT("My.App");
    bf.c->tables[bf.c->n_tables - 1].name = GW_SPAN_LIT("Sp ace");
    bf_assert("(trip_id IN ( SELECT \"Sp ace\".\"Id\" FROM \"My.App\".\"Sp ace\" WHERE (\"Sp "
              "ace\".\"select\" = things.user_id)))",
              "row.trip_id IN{Sp ace1.Id from Sp ace1 where (Sp ace1.select = row.user_id)}");
}
END_TEST

START_TEST(test_bind_inner_names_hide_outer_ones)
{
    bf_assert("(EXISTS ( SELECT 1 FROM public.profiles things WHERE (things.id = auth.uid())))",
              "EXISTS{ from profiles1 where (profiles1.id = " P_UID ")}");
    bf_assert("(EXISTS ( SELECT 1 FROM public.profiles WHERE (role = 'x'::text)))",
              "EXISTS{ from profiles1 where (profiles1.role = 'x':text)}");
    bf_assert_refused(
        "(EXISTS ( SELECT 1 FROM public.trips t, public.trips u WHERE (user_id = auth.uid())))",
        "the column user_id is ambiguous");
    bf_assert("(EXISTS ( SELECT 1 FROM public.profiles p WHERE (EXISTS ( SELECT 1 FROM "
              "public.trips t WHERE ((t.user_id = p.id) AND (t.id = things.trip_id))))))",
              "EXISTS{ from profiles1 where EXISTS{ from trips2 where ((trips2.user_id = "
              "profiles1.id) AND (trips2.id = row.trip_id))}}");
}
END_TEST

START_TEST(test_bind_user_types)
{
    cf_type(bf.c, "public.role_kind", GW_TYPE_TEXT, 0);
    bf.things->columns[5].type_oid = cf_type(bf.c, "public.word", GW_TYPE_DOMAIN, 25);
    bf.profiles->columns[3].type_oid = cf_type_find(bf.c, "role_kind", 9);
    bf_assert("(EXISTS ( SELECT 1 FROM public.profiles WHERE (profiles.role = "
              "'admin'::public.role_kind)))",
              "EXISTS{ from profiles1 where (profiles1.role = 'admin':role_kind)}");
    bf_assert("((role)::text = 'x'::text)", "(row.role = 'x':text)");
    bf_sql("public.kind", "k role_kind", "bool",
           "select k = 'admin' and k in ('a', 'b') and k <> 'c'::role_kind");
    bf_assert(
        "(EXISTS ( SELECT 1 FROM public.profiles WHERE public.kind(profiles.role)))",
        "EXISTS{ from profiles1 where ((profiles1.role = 'admin':role_kind) AND (profiles1.role = "
        "ANY ['a':role_kind, 'b':role_kind]) AND (profiles1.role <> 'c':role_kind))}");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bind");
    TCase *tc = tcase_create("bind");
    tcase_add_checked_fixture(tc, bf_setup, bf_teardown);
    tcase_add_test(tc, test_bind_inner_policies_guard_inner_tables);
    tcase_add_test(tc, test_bind_guards_nest);
    tcase_add_test(tc, test_bind_without_a_permissive_policy_nothing_is_seen);
    tcase_add_test(tc, test_bind_bypassrls_and_owner_see_all);
    tcase_add_test(tc, test_bind_guard_of_a_left_join);
    tcase_add_test(tc, test_bind_invoker_functions_are_guarded_definer_ones_are_not);
    tcase_add_test(tc, test_bind_definer_by_superuser_or_bypassrls);
    tcase_add_test(tc, test_bind_definer_bound_by_policies_is_refused);
    tcase_add_test(tc, test_bind_functions_below_a_definer_run_as_its_owner);
    tcase_add_test(tc, test_bind_current_user_below_a_definer_is_refused);
    tcase_add_test(tc, test_bind_privileges_on_tables_and_columns);
    tcase_add_test(tc, test_bind_own_columns_need_no_privilege);
    tcase_add_test(tc, test_bind_guards_need_no_privilege_on_their_columns);
    tcase_add_test(tc, test_bind_schema_usage_counts_in_bodies_only);
    tcase_add_test(tc, test_bind_execute_privilege);
    tcase_add_test(tc, test_bind_recursion);
    tcase_add_test(tc, test_bind_search_path_of_functions);
    tcase_add_test(tc, test_bind_settings_of_functions);
    tcase_add_test(tc, test_bind_quoted_names);
    tcase_add_test(tc, test_bind_inner_names_hide_outer_ones);
    tcase_add_test(tc, test_bind_user_types);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
