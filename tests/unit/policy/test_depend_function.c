/* depend: reading through the functions that policies call. */
#include "gw/depend.h"

#include "fixture_trips.h"

/* libpg_query 15-4.0.0 loses one byte when a plpgsql body does not parse. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpg_query\n";
}

/* ---- functions ---- */

START_TEST(test_depend_function_language_unknown_unless_immutable)
{
    fx_function(fx.c, "public", "clever", "c", "", "");
    fx_function(fx.c, "public", "pure", "c", "", "")->volatility = 'i';
    assert_depends("public.pure(id)", "id", "", NULL);
    assert_depends("public.clever(id)", "id", "", "function public.clever: written in c");
}
END_TEST

START_TEST(test_depend_sql_body_of_begin_atomic_is_read)
{
    fx_function(fx.c, "public", "atomic", "sql",
                "CREATE OR REPLACE FUNCTION public.atomic(a uuid DEFAULT public.by_default())\n "
                "RETURNS boolean\n LANGUAGE sql\n STABLE\nBEGIN ATOMIC\n SELECT (EXISTS ( SELECT "
                "1\n FROM public.trips\n WHERE (trips.id = 1)));\nEND\n",
                "");
    fx_function(fx.c, "public", "by_default", "sql",
                "CREATE OR REPLACE FUNCTION public.by_default()\n RETURNS uuid\n LANGUAGE sql\n "
                "STABLE\nRETURN (SELECT profiles.full_name FROM public.profiles)\n",
                "");
    assert_depends("public.atomic()", "", "trips(id) profiles(full_name)", NULL);
}
END_TEST

START_TEST(test_depend_sql_body_with_several_statements_is_read)
{
    fx_sql(fx.c, "public", "two", "select id from trips; select is_admin from profiles;");
    assert_depends("public.two()", "", "trips(id) profiles(is_admin)", NULL);
}
END_TEST

START_TEST(test_depend_sql_body_that_writes_is_unknown)
{
    fx_sql(fx.c, "public", "writes",
           "with x as (insert into trips values (1) returning id) select id from x");
    assert_depends("public.writes()", "", "", "InsertStmt");
}
END_TEST

START_TEST(test_depend_select_into_is_unknown)
{
    fx_sql(fx.c, "public", "makes", "select id into copy from trips");
    assert_depends("public.makes()", "", "trips(id)", "creates a table");
}
END_TEST

START_TEST(test_depend_unqualified_table_means_any_of_that_name)
{
    struct gw_catalog_table *other = fx_table(fx.c, "other", "trips", "id kind");
    other->rls_enabled = false;
    fx_sql(fx.c, "public", "any_trips", "select id from trips where kind = 1 and status = 2");
    assert_depends("public.any_trips()", "", "trips(id,status) trips(id,kind)", NULL);
}
END_TEST

START_TEST(test_depend_overloads_are_united)
{
    fx_function(fx.c, "public", "f", "sql", "", "select id from trips");
    fx_function(fx.c, "public", "f", "sql", "", "select id from profiles");
    fx_function(fx.c, "other", "f", "sql", "", "select id from chat_sessions");
    assert_depends("public.f(id)", "id", "trips(id) profiles(id)", NULL);
    assert_depends("f(id)", "id", "trips(id) chat_sessions(id) profiles(id)", NULL);
}
END_TEST

START_TEST(test_depend_functional_notation_is_a_call)
{
    fx_sql(fx.c, "public", "display", "select full_name from profiles");
    fx_sql(fx.c, "public", "g", "select t.display from trips t");
    assert_depends("public.g()", "", "trips(*) profiles(full_name)", NULL);
}
END_TEST

START_TEST(test_depend_recursive_functions_end)
{
    fx_sql(fx.c, "public", "ping", "select public.pong() from trips where id = 1");
    fx_sql(fx.c, "public", "pong", "select public.ping()");
    assert_depends("public.ping()", "", "trips(id)", NULL);
}
END_TEST

START_TEST(test_depend_function_bound_makes_unknown)
{
    char name[32], body[64];
    for (int i = 0; i < GW_DEPEND_MAX_FUNCTIONS + 2; i++) {
        snprintf(name, sizeof name, "chain%d", i);
        snprintf(body, sizeof body, "select public.chain%d()", i + 1);
        fx_function(fx.c, "public", name, "sql", "", body);
    }
    assert_depends("public.chain0()", "", "", "more functions");
}
END_TEST

/* ---- plpgsql ---- */

START_TEST(test_depend_plpgsql_statements_are_all_read)
{
    fx_plpgsql(fx.c, "busy",
               "declare r record; n bigint := (select trips.id from trips); begin\n"
               "  select tc.role into r from public.trip_collaborators tc;\n"
               "  n := n + (select cs.trip_id from chat_sessions cs);\n"
               "  if r.role = 'x' then perform public.is_admin(); end if;\n"
               "  for r in select content from chat_messages loop null; end loop;\n"
               "  while n > 0 loop n := n - 1; end loop;\n"
               "  return exists (select 1 from profiles where is_admin);\n"
               "exception when others then return false; end");
    assert_depends("public.busy(user_id, trip_id)", "trip_id user_id",
                   "trips(id) trip_collaborators(role) chat_sessions(trip_id) "
                   "chat_messages(content) profiles(is_admin)",
                   NULL);
}
END_TEST

static const struct {
    const char *body, *why;
} OPAQUE[] = {
    {"begin execute 'select 1'; return true; end", "dynamic SQL"},
    {"declare r record; begin for r in execute 'select 1' loop null; end loop; end", "dynamic"},
    {"begin return query execute 'select 1'; end", "SETOF"},
    {"begin insert into trips values (1); return true; end", "InsertStmt"},
    {"begin update trips set id = 1; return true; end", "UpdateStmt"},
    {"begin delete from trips; return true; end", "DeleteStmt"},
    {"begin call public.p(); return true; end", "CALL"},
    {"begin this is no statement; end", "does not parse"},
    {"begin return; ", "does not parse"},
};

START_TEST(test_depend_plpgsql_that_cannot_be_known_is_unknown)
{
    struct gw_colset reads;
    struct gw_depends depends;
    fx_plpgsql(fx.c, "opaque", OPAQUE[_i].body);
    fx_policy(fx.c, fx.things, BIT(AUTHENTICATED), "public.opaque(user_id, trip_id)");
    find(fx.things, &reads, &depends);
    ck_assert(depends.unknown);
    ck_assert_msg(strstr(depends.why.p, OPAQUE[_i].why) != NULL, "%s", depends.why.p);
    ck_assert_msg(strncmp(depends.why.p, "function public.opaque: ", 24) == 0, "%s", depends.why.p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("depend_function");
    TCase *tc = tcase_create("depend_function");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_depend_function_language_unknown_unless_immutable);
    tcase_add_test(tc, test_depend_sql_body_of_begin_atomic_is_read);
    tcase_add_test(tc, test_depend_sql_body_with_several_statements_is_read);
    tcase_add_test(tc, test_depend_sql_body_that_writes_is_unknown);
    tcase_add_test(tc, test_depend_select_into_is_unknown);
    tcase_add_test(tc, test_depend_unqualified_table_means_any_of_that_name);
    tcase_add_test(tc, test_depend_overloads_are_united);
    tcase_add_test(tc, test_depend_functional_notation_is_a_call);
    tcase_add_test(tc, test_depend_recursive_functions_end);
    tcase_add_test(tc, test_depend_function_bound_makes_unknown);
    tcase_add_test(tc, test_depend_plpgsql_statements_are_all_read);
    tcase_add_loop_test(tc, test_depend_plpgsql_that_cannot_be_known_is_unknown, 0,
                        (int)(sizeof OPAQUE / sizeof *OPAQUE));
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
