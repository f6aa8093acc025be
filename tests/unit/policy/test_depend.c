/* depend: what the text of a policy reads of the row and looks up elsewhere. Functions:
 * test_depend_function.c.
 *
 * The shapes are those of a real travel planner's policies: trips with collaborators, chat sessions
 * and messages under them, topics authorised by regular expressions. */
#include "gw/depend.h"

#include "fixture_trips.h"

static const struct {
    const char *qual, *reads, *lookups, *why;
} SHAPES[] = {
    {"true", "", "", NULL},
    {"(" UID " = user_id)", "user_id", "", NULL},
    {"(user_id = auth.uid())", "user_id", "", NULL},
    {"public.has_access(" UID ", trip_id)", "trip_id",
     "trips(id,user_id) trip_collaborators(trip_id,user_id)", NULL},
    {"((user_id = " UID ") OR ((trip_id IS NOT NULL) AND public.has_access(" UID ", trip_id)))",
     "trip_id user_id", "trips(id,user_id) trip_collaborators(trip_id,user_id)", NULL},
    {"((user_id = " UID ") AND ((trip_id IS NULL) OR public.is_owner(" UID ", trip_id)))",
     "trip_id user_id", "trips(id,user_id)", NULL},
    {"(public.is_owner(" UID ", trip_id) OR (user_id = " UID "))", "trip_id user_id",
     "trips(id,user_id)", NULL},
    {"(trip_id IN ( SELECT trips.id FROM public.trips WHERE (trips.user_id = auth.uid())))",
     "trip_id", "trips(id,user_id)", NULL},
    {"(session_id IN ( SELECT chat_sessions.id FROM public.chat_sessions WHERE "
     "((chat_sessions.user_id = " UID ") OR (chat_sessions.trip_id IN " MY_TRIPS "))))",
     "session_id",
     "trips(id,user_id) trip_collaborators(trip_id,user_id) chat_sessions(id,trip_id,user_id)",
     NULL},
    {"(id IN ( SELECT cm.id FROM (public.chat_messages cm JOIN public.chat_sessions cs ON "
     "((cm.session_id = cs.id))) WHERE ((cs.user_id = " UID ") OR (cs.trip_id IN " MY_TRIPS "))))",
     "id",
     "trips(id,user_id) trip_collaborators(trip_id,user_id) chat_sessions(id,trip_id,user_id) "
     "chat_messages(id,session_id)",
     NULL},
    {"((user_id = " UID ") AND (role = 'user'::text) AND (session_id IN ( SELECT chat_sessions.id "
     "FROM public.chat_sessions)))",
     "user_id session_id role", "chat_sessions(id)", NULL},
    {"((session_id IS NULL) OR (EXISTS ( SELECT 1 FROM public.chat_sessions cs WHERE ((cs.id = "
     "things.session_id) AND (cs.user_id = " UID ")))))",
     "session_id", "chat_sessions(id,user_id)", NULL},
    {"((auth.role() = 'authenticated'::text) AND (EXISTS ( SELECT 1 FROM public.profiles WHERE "
     "((profiles.id = auth.uid()) AND (profiles.is_admin = true)))))",
     "", "profiles(id,is_admin)", NULL},
    {"(EXISTS ( SELECT 1 FROM public.chat_messages fa WHERE ((fa.content = things.name) AND "
     "((fa.user_id = " UID ") OR ((fa.session_id IS NOT NULL) AND public.is_owner(" UID
     ", fa.id))))))",
     "name", "trips(id,user_id) chat_messages(id,session_id,user_id,content)", NULL},
    {"(public.is_admin() OR (auth.role() = 'service_role'::text))", "", "", NULL},
    {"((user_id IS NULL) AND (kind = ANY (ARRAY['a'::text, 'b'::text])))", "user_id kind", "",
     NULL},
    {"((split_part(file_path, '/'::text, 1) = (" UID ")::text) OR (COALESCE(name, created_by) = "
     "((" UID ")::text || '.jpg'::text)))",
     "name file_path created_by", "", NULL},
    {"(created_at > (now() - '00:15:00'::interval))", "created_at", "", NULL},
    {"((realtime.topic() ~ '^trip:[0-9]+$'::text) AND public.has_access(" UID
     ", public.try_cast(public.topic_suffix())) AND (extension = ANY (ARRAY['broadcast'::text])))",
     "extension", "trips(id,user_id) trip_collaborators(trip_id,user_id)", NULL},
    {"((realtime.topic() ~* '^session:'::text) AND public.is_session_member())", "", "",
     "dynamic SQL"},
    {"((user_id = auth.uid()) OR (created_by = auth.uid()) OR (trip_id IN ( SELECT trips.id FROM "
     "public.trips WHERE (trips.user_id = auth.uid()))))",
     "trip_id user_id created_by", "trips(id,user_id)", NULL},
    {"(trip_id IN ( SELECT trips.id FROM public.trips WHERE (trips.user_id = auth.uid()) UNION "
     "SELECT tc.trip_id FROM public.trip_collaborators tc WHERE ((tc.user_id = auth.uid()) AND "
     "(tc.role = ANY (ARRAY['edit'::text, 'admin'::text])))))",
     "trip_id", "trips(id,user_id) trip_collaborators(trip_id,user_id,role)", NULL},
    {"((user_id = auth.uid()) OR (EXISTS ( SELECT 1 FROM public.trip_collaborators tc WHERE "
     "((tc.trip_id = things.trip_id) AND (tc.user_id = auth.uid()) AND (tc.role = "
     "'admin'::text)))))",
     "trip_id user_id", "trip_collaborators(trip_id,user_id,role)", NULL},
    {"(name ~~ (('user_'::text || (auth.uid())::text) || '/%'::text))", "name", "", NULL},
    {"(EXISTS ( SELECT 1 FROM public.trips t WHERE ((t.id = things.trip_id) AND (t.is_public = "
     "true))))",
     "trip_id", "trips(id,is_public)", NULL},
    {"((auth.email() ~ '@tripsage\\.(com|ai)$'::text) OR ((auth.jwt() ->> 'role'::text) = "
     "'service_role'::text) OR (created_by = COALESCE(auth.email(), 'anonymous'::text)))",
     "created_by", "", NULL},
};

START_TEST(test_depend_policy_shape_is_read_through)
{
    assert_depends(SHAPES[_i].qual, SHAPES[_i].reads, SHAPES[_i].lookups, SHAPES[_i].why);
}
END_TEST

static const struct {
    const char *qual, *reads, *lookups, *why;
} CORNERS[] = {
    /* The whole row. */
    {"public.is_admin(things.*)", ALL, "", NULL},
    {"(things.* IS NOT NULL)", ALL, "", NULL},
    {"((row_to_json(things.*) ->> 'name'::text) = 'x'::text)", ALL, "", NULL},
    {"((SELECT things) IS NULL)", ALL, "", NULL},
    /* Columns of looked-up tables that are named in unusual ways. */
    {"(EXISTS ( SELECT t.* FROM public.trips t))", "", "trips(*)", NULL},
    {"(EXISTS ( SELECT * FROM public.trips t))", "", "trips(*)", NULL},
    {"(( SELECT count(*) AS count FROM public.trips) > 0)", "", "trips()", NULL},
    {"(( SELECT count(t) AS count FROM public.trips t) > 0)", "", "trips(*)", NULL},
    {"(EXISTS ( SELECT 1 FROM public.trips t(a, b) WHERE t.b = 1))", "", "trips(*)", NULL},
    {"(EXISTS ( SELECT 1 FROM public.trips JOIN public.profiles USING (id)))", "id",
     "trips(id) profiles(id)", NULL},
    {"(EXISTS ( SELECT 1 FROM public.trips NATURAL JOIN public.profiles))", "",
     "trips(*) profiles(*)", NULL},
    {"(EXISTS ( SELECT j.status FROM (public.trips CROSS JOIN public.profiles) j))", "",
     "trips(status) profiles()", NULL},
    {"(EXISTS ( SELECT 1 FROM public.trips t WHERE t.xmin IS NULL))", "", "trips(*)", NULL},
    {"(EXISTS ( SELECT 1 FROM public.trips t WHERE (t.is_owner)))", "", "trips(*)", NULL},
    {"(EXISTS ( SELECT 1 FROM public.trips things_1 WHERE things_1.id = things.note))", "note",
     "trips(id)", NULL},
    /* CTEs hide tables, but not from themselves. */
    {"(id IN ( WITH trips AS ( SELECT trips_1.id FROM public.trips trips_1) SELECT trips.id FROM "
     "trips))",
     "id", "trips(id)", NULL},
    {"(id IN ( WITH x AS (SELECT 1 AS id) SELECT x.id FROM x))", "id", "", NULL},
    {"(id IN ( WITH profiles AS (SELECT p.is_admin FROM profiles p) SELECT 1 FROM profiles))", "id",
     "profiles(is_admin)", NULL},
    {"(id IN ( WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT r.n FROM r) SELECT r.n FROM r))",
     "id", "", NULL},
    {"(id IN ( WITH x AS (SELECT 1 FROM x) SELECT 1 FROM x))", "id", "", "no known table"},
    {"((EXISTS ( WITH x AS (SELECT 1) SELECT 1 FROM x)) AND (EXISTS ( SELECT 1 FROM x)))", "", "",
     "no known table"},
    /* What cannot be read through. */
    {"(id IN ( SELECT secret.id FROM hidden.secret))", "id", "", "hidden.secret"},
    {"(EXISTS ( SELECT 1 FROM pg_catalog.pg_roles))", "", "", "pg_catalog.pg_roles"},
    {"(id OPERATOR(public.=) user_id)", "id user_id", "", "operator public.="},
    {"(id OPERATOR(pg_catalog.=) user_id)", "id user_id", "", NULL},
    {"(id OPERATOR(public.=) ANY (ARRAY[1]))", "id", "", "operator public.="},
    {"hidden.f(id)", "id", "", "hidden.f"},
    {"(query_to_xml('select 1'::text, true, true, ''::text) IS NULL)", "", "", "query_to_xml"},
    {"(pg_catalog.pg_read_file('x'::text) = ''::text)", "", "", "pg_read_file"},
    {"(xmin = 1)", "", "", "system column xmin"},
};

START_TEST(test_depend_corner_of_sql_is_not_missed)
{
    assert_depends(CORNERS[_i].qual, CORNERS[_i].reads, CORNERS[_i].lookups, CORNERS[_i].why);
}
END_TEST

START_TEST(test_depend_text_that_does_not_parse_is_unknown_and_reads_all)
{
    assert_depends("(id = = 2)", ALL, "", "policy \"p\" on public.things: does not parse");
}
END_TEST

START_TEST(test_depend_text_past_the_bound_is_unknown)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_buf_add_str(&b, "(id = 1)");
    while (b.n <= 64 * 1024)
        gw_buf_add_str(&b, " OR (id = 1)");
    assert_depends(gw_buf_cstr(&b), ALL, "", "too long");
    gw_buf_fini(&b);
}
END_TEST

START_TEST(test_depend_nesting_past_the_parser_is_unknown)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    for (int i = 0; i < 20000; i++)
        gw_buf_add_str(&b, "a||");
    gw_buf_add_str(&b, "a");
    assert_depends(gw_buf_cstr(&b), ALL, "", "does not parse");
    gw_buf_fini(&b);
}
END_TEST

START_TEST(test_depend_more_tables_than_the_bound_is_unknown)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_buf_add_str(&b, "(EXISTS ( SELECT 1 FROM public.trips");
    for (int i = 0; i < 300; i++)
        gw_buf_add_str(&b, ", public.trips");
    gw_buf_add_str(&b, "))");
    assert_depends(gw_buf_cstr(&b), "", "trips()", "more than 256 tables");
    gw_buf_fini(&b);
}
END_TEST

/* ---- inner tables ---- */

START_TEST(test_depend_policies_of_inner_tables_are_followed)
{
    fx.trips->rls_enabled = fx.members->rls_enabled = true;
    fx_policy(fx.c, fx.trips, BIT(ANON), /* any role: over-approximate */
              "(id IN ( SELECT m.trip_id FROM public.trip_collaborators m))");
    fx_policy(fx.c, fx.members, BIT(SERVICE),
              "(EXISTS ( SELECT 1 FROM public.profiles WHERE (profiles.id = "
              "trip_collaborators.user_id)))");
    assert_depends("(trip_id IN ( SELECT trips.id FROM public.trips))", "trip_id",
                   "trips(id) trip_collaborators(trip_id) profiles(id)", NULL);
}
END_TEST

START_TEST(test_depend_policies_that_look_at_each_other_end)
{
    struct gw_colset reads;
    struct gw_depends depends;
    fx.trips->rls_enabled = fx.members->rls_enabled = true;
    fx_policy(fx.c, fx.trips, BIT(AUTHENTICATED),
              "(id IN ( SELECT m.trip_id FROM public.trip_collaborators m))");
    fx_policy(fx.c, fx.members, BIT(AUTHENTICATED),
              "(trip_id IN ( SELECT t.id FROM public.trips t))");
    find(fx.trips, &reads, &depends);
    char *lookups = fx_lookups(fx.c, &depends);
    ck_assert_str_eq(lookups, "trips(id) trip_collaborators(trip_id)");
    ck_assert(!depends.unknown);
    free(lookups);
}
END_TEST

START_TEST(test_depend_policies_of_other_roles_do_not_count_for_the_row)
{
    fx_policy(fx.c, fx.things, BIT(ANON), "(name = 'x'::text)");
    assert_depends("(id = 1)", "id", "", NULL);
}
END_TEST

START_TEST(test_depend_generated_column_of_inner_table_counts_as_all)
{
    fx.trips->columns[4].generation = GW_SPAN_LIT("lower(name)");
    assert_depends("(trip_id IN ( SELECT trips.id FROM public.trips WHERE (trips.status = "
                   "'x'::text)))",
                   "trip_id", "trips(*)", NULL);
}
END_TEST

START_TEST(test_depend_table_outside_the_log_is_unknown)
{
    fx.trips->published = false;
    assert_depends("(trip_id IN ( SELECT trips.id FROM public.trips))", "trip_id", "trips(id)",
                   "table public.trips is in no publication");
    fx.trips->followed = true;
    fx.things->n_policies = 0;
    assert_depends("(trip_id IN ( SELECT trips.id FROM public.trips))", "trip_id", "trips(id)",
                   NULL);
}
END_TEST

START_TEST(test_depend_partitioned_table_is_unknown)
{
    fx.trips->has_children = true;
    assert_depends("(trip_id IN ( SELECT trips.id FROM public.trips))", "trip_id", "trips(id)",
                   "public.trips has partitions");
}
END_TEST

START_TEST(test_depend_column_named_like_the_table_is_a_column)
{
    struct gw_catalog_table *note = fx_table(fx.c, "public", "note", "id note owner");
    struct gw_colset reads;
    struct gw_depends depends;
    fx_policy(fx.c, note, BIT(AUTHENTICATED), "(note = 'shared'::text)");
    find(note, &reads, &depends);
    char *names = fx_columns(note, &reads);
    ck_assert_str_eq(names, "note");
    free(names);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("depend");
    TCase *tc = tcase_create("depend");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_depend_policy_shape_is_read_through, 0,
                        (int)(sizeof SHAPES / sizeof *SHAPES));
    tcase_add_loop_test(tc, test_depend_corner_of_sql_is_not_missed, 0,
                        (int)(sizeof CORNERS / sizeof *CORNERS));
    tcase_add_test(tc, test_depend_text_that_does_not_parse_is_unknown_and_reads_all);
    tcase_add_test(tc, test_depend_text_past_the_bound_is_unknown);
    tcase_add_test(tc, test_depend_nesting_past_the_parser_is_unknown);
    tcase_add_test(tc, test_depend_more_tables_than_the_bound_is_unknown);
    tcase_add_test(tc, test_depend_policies_of_inner_tables_are_followed);
    tcase_add_test(tc, test_depend_policies_that_look_at_each_other_end);
    tcase_add_test(tc, test_depend_policies_of_other_roles_do_not_count_for_the_row);
    tcase_add_test(tc, test_depend_generated_column_of_inner_table_counts_as_all);
    tcase_add_test(tc, test_depend_table_outside_the_log_is_unknown);
    tcase_add_test(tc, test_depend_partitioned_table_is_unknown);
    tcase_add_test(tc, test_depend_column_named_like_the_table_is_a_column);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
