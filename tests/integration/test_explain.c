/* `rowcast explain`, and what `rowcast check` says of policies, against a real Postgres: each run
 * is a child of its own. The schema is a small travel planner: trips with members, notes of one's
 * own, files whose policy Postgres has to evaluate a part of, logs whose policy has to be asked. */
#include "../support/pg.h"
#include "check_cmd.h"
#include "explain_cmd.h"

#include <check.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ADA "00000000-0000-4000-8000-00000000000a"
#define BOB "00000000-0000-4000-8000-00000000000b"
#define EVE "00000000-0000-4000-8000-00000000000e"
#define ARGS_MAX 16

static struct gw_test_pg *pg;
static char said[65536]; /* what the last command printed, stderr included */

typedef int command(int argc, char **argv);

static void set_environment(void)
{
    static char database[200], query[200]; /* in the child alone */
    snprintf(database, sizeof database, "%s", gw_test_pg_url(pg, NULL));
    snprintf(query, sizeof query, "%s", gw_test_pg_url(pg, "asker"));
    setenv("ROWCAST_DATABASE_URL", database, 1);
    setenv("ROWCAST_QUERY_URL", query, 1);
    setenv("ROWCAST_PUBLICATION", "pub", 1);
    setenv("ROWCAST_ACCESS_PUBLICATION", "pub_access", 1);
    setenv("ROWCAST_ROLES", "anon,authenticated,service_role,ghost", 1);
    setenv("ROWCAST_CLAIM_SETTINGS", "app.team=team_id", 1);
    setenv("ROWCAST_JWT_SECRET", "0123456789abcdef0123456789abcdef", 1);
}

/* args: NULL at the end. Returns the exit code. */
static int run(command *cmd, const char *const *args)
{
    char *argv[ARGS_MAX + 1] = {NULL};
    int argc = 0, status = 0;
    while (args[argc] && argc < ARGS_MAX) {
        argv[argc] = (char *)args[argc];
        argc++;
    }
    FILE *out = tmpfile();
    ck_assert_ptr_nonnull(out);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fileno(out), 1);
        dup2(fileno(out), 2);
        set_environment();
        int rc = cmd(argc, argv);
        fflush(stdout);
        _exit(rc);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    rewind(out);
    said[fread(said, 1, sizeof said - 1, out)] = '\0';
    fclose(out);
    ck_assert_msg(WIFEXITED(status), "the command died: %s", said);
    return WEXITSTATUS(status);
}
#define EXPLAIN(...) run(gw_explain_cmd, (const char *const[]){__VA_ARGS__, NULL})
#define CHECK() run(gw_check_cmd, (const char *const[]){NULL})

static void ck_exit(int rc, int expected)
{
    if (getenv("GW_TEST_SHOW"))
        fprintf(stderr, "----\n%s", said);
    ck_assert_msg(rc == expected, "exit code %d instead of %d:\n%s", rc, expected, said);
}

static void expect_said(const char *text)
{
    ck_assert_msg(strstr(said, text) != NULL, "\"%s\" is missing in:\n%s", text, said);
}

static void expect_unsaid(const char *text)
{
    ck_assert_msg(strstr(said, text) == NULL, "\"%s\" stands in:\n%s", text, said);
}

static void expect_both(const char *answer)
{
    char line[80];
    snprintf(line, sizeof line, "\nrowcast    %s:", answer);
    expect_said(line);
    snprintf(line, sizeof line, "\npostgres   %s, in the same snapshot\n", answer);
    expect_said(line);
    expect_unsaid("DIFFERENT");
}

/* ---- the schema ---- */

static const char roles_sql[] =
    "CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE service_role BYPASSRLS;"
    "CREATE ROLE asker LOGIN NOINHERIT; GRANT anon, authenticated, service_role TO asker;";

static const char schema_sql[] =
    "CREATE SCHEMA auth; GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role;"
    "CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT "
    "nullif(current_setting('request.jwt.claims', true)::jsonb ->> 'sub', '')::uuid $$;"
    "CREATE TABLE trips (id bigint PRIMARY KEY, user_id uuid NOT NULL, name text);"
    "CREATE TABLE members (id bigint PRIMARY KEY, trip_id bigint NOT NULL, user_id uuid NOT NULL);"
    "CREATE FUNCTION has_access(who uuid, trip bigint) RETURNS boolean LANGUAGE plpgsql STABLE "
    "SECURITY DEFINER SET search_path = public AS $$ BEGIN RETURN EXISTS (SELECT 1 FROM trips t "
    "WHERE t.id = trip AND t.user_id = who UNION SELECT 1 FROM members m WHERE m.trip_id = trip "
    "AND m.user_id = who); END $$;"
    "ALTER TABLE trips ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY \"trips of mine\" ON trips FOR SELECT TO authenticated "
    "USING (has_access((SELECT auth.uid()), id));"
    "CREATE TABLE notes (a int, b text, user_id uuid, hidden text, PRIMARY KEY (b, a));"
    "ALTER TABLE notes ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY own ON notes FOR SELECT TO authenticated USING (user_id = auth.uid());"
    "CREATE POLICY calm ON notes AS RESTRICTIVE FOR SELECT TO authenticated "
    "USING (b <> 'forbidden');"
    "CREATE TABLE files (id int PRIMARY KEY, path text);"
    "ALTER TABLE files ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY by_path ON files FOR SELECT TO authenticated "
    "USING (regexp_replace(path, '^users/([^/]*)/.*$', '\\1') = auth.uid()::text);"
    "CREATE TABLE logs (id int PRIMARY KEY, level text);"
    "ALTER TABLE logs ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY above ON logs FOR SELECT TO authenticated "
    "USING (level > (current_setting('request.jwt.claims', true)::jsonb ->> 'level'));"
    "CREATE TABLE teams (id int PRIMARY KEY, team text);"
    "ALTER TABLE teams ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY team ON teams FOR SELECT TO authenticated "
    "USING (team = current_setting('app.team', true));"
    "CREATE TABLE lobby (id int PRIMARY KEY);"
    "ALTER TABLE lobby ENABLE ROW LEVEL SECURITY;"
    "CREATE FUNCTION is_member() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER "
    "SET search_path = public AS "
    "$$ SELECT EXISTS (SELECT 1 FROM members WHERE user_id = auth.uid()) $$;"
    "CREATE POLICY anywhere ON lobby FOR SELECT TO authenticated USING (is_member());"
    "CREATE TABLE strict (id int PRIMARY KEY, owner text);"
    "ALTER TABLE strict ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY owner ON strict FOR SELECT TO authenticated "
    "USING (owner::uuid = auth.uid());"
    "CREATE TABLE plain (id int PRIMARY KEY); CREATE TABLE unpublished (id int PRIMARY KEY);"
    "CREATE TABLE closed (id int PRIMARY KEY); CREATE TABLE keyless (v text);"
    "CREATE VIEW trips_view AS SELECT * FROM trips;"
    "GRANT SELECT ON trips, files, lobby, strict, logs, teams, plain, unpublished, keyless "
    "TO authenticated, service_role;"
    "GRANT SELECT (a, b, user_id) ON notes TO authenticated;";

static const char rows_sql[] =
    "INSERT INTO trips VALUES (42, '" ADA "', 'Lisbon');"
    "INSERT INTO members VALUES (1, 42, '" BOB "');"
    "INSERT INTO notes VALUES (1, 'x', '" ADA "', 'word'), (2, 'forbidden', '" ADA "', 'word'), "
    "(3, 'o,p', '" ADA "', NULL);"
    "INSERT INTO files VALUES (1, 'users/" ADA "/photo.jpg');"
    "INSERT INTO logs VALUES (1, 'm'); INSERT INTO teams VALUES (1, 'red');"
    "INSERT INTO lobby VALUES (1); INSERT INTO strict VALUES (1, 'nobody');"
    "INSERT INTO plain VALUES (7); INSERT INTO unpublished VALUES (7); INSERT INTO closed VALUES "
    "(7);"
    "INSERT INTO keyless VALUES ('same'), ('same'), ('one');"
    "CREATE PUBLICATION pub FOR TABLE trips, notes, files, lobby, strict, logs, teams, plain, "
    "closed;"
    "CREATE PUBLICATION pub_access FOR TABLE members;";

/* ---- explain ---- */

START_TEST(test_explain_owner_sees_his_trip)
{
    ck_exit(EXPLAIN("--user", ADA, "--table", "trips", "--pk", "42"), 0);
    expect_said("row        public.trips with id = 42\n");
    expect_said("name = Lisbon");
    expect_said("caller     role authenticated, sub " ADA);
    expect_said("policy     \"trips of mine\", permissive, solved\n");
    expect_said("has_access(");
    expect_said("looks into trips by ");
    expect_said("looks into members by ");
    expect_said("user_id " BOB);
    expect_said("for this caller it is true\n");
    expect_said(" = " ADA "\n");
    expect_both("visible");
}
END_TEST

START_TEST(test_explain_member_sees_and_stranger_does_not)
{
    ck_exit(EXPLAIN("--user=" BOB, "--table=public.trips", "--pk={\"id\":42}"), 0);
    expect_both("visible");
    ck_exit(EXPLAIN("--user", EVE, "--table", "trips", "--pk", "42"), 0);
    expect_said("for this caller it is false\n");
    expect_both("not visible");
    expect_said("no permissive policy is true for this caller");
}
END_TEST

START_TEST(test_explain_without_sub_is_null)
{
    ck_exit(EXPLAIN("--claims", "{\"role\":\"authenticated\"}", "--table", "notes", "--pk", "x,1"),
            0);
    expect_said("null, which is not true");
    expect_both("not visible");
}
END_TEST

START_TEST(test_explain_restrictive_policy_is_named)
{
    ck_exit(EXPLAIN("--user", ADA, "--table", "notes", "--pk", "x,1"), 0);
    expect_both("visible");
    expect_said("hidden = word   (the role may not SELECT it");
    ck_exit(EXPLAIN("--user", ADA, "--table", "notes", "--pk", "forbidden,2"), 0);
    expect_said("not visible: restrictive policy \"calm\" is false");
    expect_said("postgres   not visible");
}
END_TEST

START_TEST(test_explain_key_with_a_comma_is_written_as_json)
{
    ck_exit(EXPLAIN("--user", ADA, "--table", "notes", "--pk", "{\"a\":3,\"b\":\"o,p\"}"), 0);
    expect_both("visible");
    ck_exit(EXPLAIN("--user", ADA, "--table", "notes", "--pk", "o,p,3"), 2);
    expect_said("the primary key of notes is (b, a)");
}
END_TEST

START_TEST(test_explain_assisted_names_what_postgres_evaluates)
{
    ck_exit(EXPLAIN("--user", ADA, "--table", "files", "--pk", "1"), 0);
    expect_said("assisted: Postgres evaluates regexp_replace(");
    expect_said("regexp_replace");
    expect_said("with a1 = users/" ADA "/photo.jpg: " ADA);
    expect_both("visible");
    ck_exit(EXPLAIN("--user", BOB, "--table", "files", "--pk", "1"), 0);
    expect_both("not visible");
}
END_TEST

START_TEST(test_explain_asked_has_only_the_answer_of_postgres)
{
    ck_exit(EXPLAIN("--claims", "{\"sub\":\"x\",\"level\":\"a\"}", "--role", "authenticated",
                    "--table", "logs", "--pk", "1"),
            0);
    expect_said("policy     \"above\", permissive, asked: ");
    expect_said("rowcast    asks Postgres, per caller and change, because ");
    expect_said("postgres   visible");
}
END_TEST

START_TEST(test_explain_look_up_of_a_whole_table)
{
    ck_exit(EXPLAIN("--user", BOB, "--table", "lobby", "--pk", "1"), 0);
    expect_said("looks into members: 1 row\n");
    expect_both("visible");
    ck_exit(EXPLAIN("--user", EVE, "--table", "lobby", "--pk", "1"), 0);
    expect_both("not visible");
}
END_TEST

START_TEST(test_explain_policy_that_raises)
{
    ck_exit(EXPLAIN("--user", ADA, "--table", "strict", "--pk", "1"), 0);
    expect_said("for this caller it is an error, and who meets one sees nothing");
    expect_said("rowcast    not visible: the answer is an error");
    expect_said("postgres   not visible, in the same snapshot: invalid input syntax for type uuid");
    expect_unsaid("DIFFERENT");
}
END_TEST

/* A sub that is no uuid: Postgres raises for him wherever auth.uid() is met. */
START_TEST(test_explain_fact_that_raises)
{
    ck_exit(EXPLAIN("--user", "me", "--table", "trips", "--pk", "42"), 0);
    expect_said(" = (raises an error)");
    expect_said("rowcast    not visible: fact $1 raises an error for these claims");
    expect_said("postgres   not visible, in the same snapshot: invalid input syntax for type uuid");
}
END_TEST

START_TEST(test_explain_claim_settings_reach_both)
{
    const char *const red = "{\"role\":\"authenticated\",\"team_id\":\"red\"}";
    ck_exit(EXPLAIN("--claims", red, "--table", "teams", "--pk", "1"), 0);
    expect_both("visible");
    ck_exit(EXPLAIN("--user", ADA, "--table", "teams", "--pk", "1"), 0);
    expect_both("not visible");
}
END_TEST

START_TEST(test_explain_tables_without_a_decision_by_policies)
{
    ck_exit(EXPLAIN("--user", ADA, "--table", "plain", "--pk", "7"), 0);
    expect_said("visible: to everyone of role authenticated, because row security is off");
    ck_exit(EXPLAIN("--role", "service_role", "--table", "trips", "--pk", "42"), 0);
    expect_said("because the role sees past row security");
    ck_exit(EXPLAIN("--role", "anon", "--table", "closed", "--pk", "7"), 0);
    expect_said("not visible: anon may not SELECT any column");
    expect_said("postgres   not visible, in the same snapshot: permission denied");
}
END_TEST

START_TEST(test_explain_unpublished_table_says_how_to_publish)
{
    ck_exit(EXPLAIN("--user", ADA, "--table", "unpublished", "--pk", "7"), 0);
    expect_said("tells nobody: the table is not in publication pub");
    expect_said("ALTER PUBLICATION \"pub\" ADD TABLE \"public\".\"unpublished\";");
    ck_exit(EXPLAIN("--user", ADA, "--table", "members", "--pk", "1"), 0);
    expect_said("it is only followed for the policies that read it");
}
END_TEST

START_TEST(test_explain_row_that_is_not_there)
{
    ck_exit(EXPLAIN("--user", ADA, "--table", "trips", "--pk", "43"), 0);
    expect_said("row        public.trips with id = 43: there is none");
    expect_both("not visible");
}
END_TEST

START_TEST(test_explain_malformed_questions_are_usage)
{
    ck_exit(EXPLAIN("--table", "trips", "--pk", "42"), 2);
    expect_said("Neither --user nor --claims");
    ck_exit(EXPLAIN("--user", ADA, "--pk", "42"), 2);
    ck_exit(EXPLAIN("--user", ADA, "--table", "trips"), 2);
    ck_exit(EXPLAIN("--user", ADA, "--table", "trips", "--pk"), 2);
    ck_exit(EXPLAIN("--user", ADA, "--table", "trips", "--pk", "forty"), 2);
    expect_said("--pk is at fault");
    ck_exit(EXPLAIN("--user", ADA, "--table", "trips", "--pk", "{\"no\":1}"), 2);
    expect_said("has no column no");
    ck_exit(EXPLAIN("--user", ADA, "--table", "\"trips", "--pk", "42"), 2);
    ck_exit(EXPLAIN("--claims", "{\"role\":", "--table", "trips", "--pk", "42"), 2);
    expect_said("--claims is not JSON");
    ck_exit(EXPLAIN("--claims", "[]", "--table", "trips", "--pk", "42"), 2);
    expect_said("not an object");
    ck_exit(EXPLAIN("--claims", "{}", "--table", "trips", "--pk", "42"), 2);
    expect_said("default_role is not set");
    ck_exit(EXPLAIN("--role", "king", "--table", "trips", "--pk", "42"), 2);
    expect_said("role king is not one of the setting roles: anon, authenticated");
    ck_exit(EXPLAIN("--user", ADA, "--nonsense", "1"), 2);
    ck_exit(EXPLAIN("--help"), 0);
    expect_said("usage: rowcast explain");
}
END_TEST

START_TEST(test_explain_what_cannot_be_explained_fails)
{
    ck_exit(EXPLAIN("--user", ADA, "--table", "trips_view", "--pk", "42"), 1);
    expect_said("is a view or a foreign table");
    ck_exit(EXPLAIN("--user", ADA, "--table", "auth.trips", "--pk", "42"), 1);
    expect_said("there is no table auth.trips; there is public.trips");
    ck_exit(EXPLAIN("--role", "ghost", "--table", "trips", "--pk", "42"), 1);
    expect_said("role ghost does not exist");
}
END_TEST

START_TEST(test_explain_key_of_a_table_without_one)
{
    gw_test_pg_exec(pg, "ALTER PUBLICATION pub ADD TABLE keyless");
    ck_exit(EXPLAIN("--user", ADA, "--table", "keyless", "--pk", "one"), 2);
    expect_said("has no primary key");
    ck_exit(EXPLAIN("--user", ADA, "--table", "keyless", "--pk", "{\"v\":\"same\"}"), 2);
    expect_said("more than one row");
    ck_exit(EXPLAIN("--user", ADA, "--table", "keyless", "--pk", "{\"v\":\"one\"}"), 0);
    expect_both("visible");
    gw_test_pg_exec(pg, "ALTER PUBLICATION pub DROP TABLE keyless");
}
END_TEST

/* The role's questions go to another database, where the trip belongs to somebody else. */
START_TEST(test_explain_difference_is_loud)
{
    char url[300];
    gw_test_pg_exec(pg, "CREATE DATABASE other");
    snprintf(url, sizeof url, "%s dbname=other", gw_test_pg_url(pg, NULL));
    PGconn *other = PQconnectdb(url);
    PQclear(PQexec(other, schema_sql));
    PQclear(PQexec(other, "INSERT INTO trips VALUES (42, '" EVE "', 'Porto')"));
    PQfinish(other);
    snprintf(url, sizeof url, "%s dbname=other", gw_test_pg_url(pg, "asker"));
    ck_exit(EXPLAIN("--query-url", url, "--user", ADA, "--table", "trips", "--pk", "42"), 1);
    expect_said("rowcast    visible: ");
    expect_said("postgres   not visible, a moment later");
    expect_said("DIFFERENT  Rowcast says visible, Postgres says not visible.");
    gw_test_pg_exec(pg, "DROP DATABASE other");
}
END_TEST

START_TEST(test_explain_never_prints_secrets)
{
    EXPLAIN("--user", ADA, "--table", "trips", "--pk", "42");
    expect_unsaid("0123456789abcdef");
    EXPLAIN("--help");
    expect_unsaid("0123456789abcdef");
}
END_TEST

/* ---- check ---- */

START_TEST(test_check_names_the_path_of_each_table_and_policy)
{
    CHECK();
    expect_said("\npath  public.trips  authenticated  solved\n");
    expect_said("\npath  public.trips  anon  nobody\n");
    expect_said("\npath  public.plain  authenticated  everyone\n");
    expect_said("\npath  public.logs  authenticated  asked  ");
    expect_said("\npolicy  public.trips  \"trips of mine\"  authenticated  solved\n");
    expect_said("\npolicy  public.files  \"by_path\"  authenticated  assisted  Postgres evaluates "
                "regexp_replace(");
    expect_said("\npolicy  public.logs  \"above\"  authenticated  asked  ");
    expect_said("\npolicy  public.notes  \"calm\"  authenticated  solved  restrictive\n");
    expect_said("\npublic.trips                     rls on      identity primary key\n");
    expect_said("\n  authenticated    solved    reads id; looks into ");
}
END_TEST

START_TEST(test_check_names_the_access_state)
{
    gw_test_pg_exec(pg, "ANALYZE trips, members");
    CHECK();
    expect_said("\nstate  public.members  1 rows  about 1 KiB  columns (");
    expect_said("access state           about 1 KiB of the 256 MiB of access_state_bytes");
    expect_said("weaker: deleted and old rows lack trip_id, user_id");
    expect_said("ALTER TABLE \"public\".\"members\" REPLICA IDENTITY FULL;");
}
END_TEST

START_TEST(test_check_table_that_is_not_followed_says_what_is_needed)
{
    gw_test_pg_exec(pg, "ALTER PUBLICATION pub_access DROP TABLE members");
    CHECK();
    expect_said("weaker: policies look into public.members, whose changes are not followed");
    expect_said("fix: ALTER PUBLICATION \"pub_access\" ADD TABLE \"public\".\"members\";");
    expect_said("\npath  public.trips  authenticated  asked  ");
    gw_test_pg_exec(pg, "ALTER PUBLICATION pub_access ADD TABLE members");
}
END_TEST

START_TEST(test_check_row_filter_on_what_policies_read_is_an_error)
{
    gw_test_pg_exec(pg, "ALTER PUBLICATION pub_access SET TABLE members WHERE (id > 0)");
    ck_exit(CHECK(), 1);
    expect_said("error    public.members");
    expect_said("policies look into it, but its publications leave out rows");
    gw_test_pg_exec(pg, "ALTER PUBLICATION pub_access SET TABLE members");
    ck_exit(CHECK(), 0);
    expect_unsaid("leave out rows");
}
END_TEST

START_TEST(test_check_names_the_paths_of_private_topics)
{
    gw_test_pg_exec(
        pg, "CREATE SCHEMA realtime; GRANT USAGE ON SCHEMA realtime TO authenticated;"
            "CREATE TABLE realtime.messages (id bigint PRIMARY KEY, topic text, extension text, "
            "private boolean, event text, payload jsonb);"
            "CREATE FUNCTION realtime.topic() RETURNS text LANGUAGE sql STABLE AS "
            "$$ SELECT nullif(current_setting('realtime.topic', true), '')::text $$;"
            "ALTER TABLE realtime.messages ENABLE ROW LEVEL SECURITY;"
            "GRANT SELECT, INSERT ON realtime.messages TO authenticated;"
            "CREATE POLICY listen ON realtime.messages FOR SELECT TO authenticated "
            "USING (realtime.topic() = 'user:' || (SELECT auth.uid())::text);"
            "CREATE POLICY speak ON realtime.messages FOR INSERT TO authenticated "
            "WITH CHECK (extension = 'broadcast');");
    CHECK();
    expect_said("\npath  realtime.messages/read  authenticated  ");
    expect_said("\npath  realtime.messages/write  authenticated  solved\n");
    expect_said("\npolicy  realtime.messages/read  \"listen\"  authenticated  ");
    expect_said("\npolicy  realtime.messages/write  \"speak\"  authenticated  solved\n");
    expect_said("\npath  realtime.messages/read  anon  nobody\n");
    gw_test_pg_exec(pg, "DROP SCHEMA realtime CASCADE");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("explain");
    TCase *tc = tcase_create("explain");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_explain_owner_sees_his_trip);
    tcase_add_test(tc, test_explain_member_sees_and_stranger_does_not);
    tcase_add_test(tc, test_explain_without_sub_is_null);
    tcase_add_test(tc, test_explain_restrictive_policy_is_named);
    tcase_add_test(tc, test_explain_key_with_a_comma_is_written_as_json);
    tcase_add_test(tc, test_explain_assisted_names_what_postgres_evaluates);
    tcase_add_test(tc, test_explain_asked_has_only_the_answer_of_postgres);
    tcase_add_test(tc, test_explain_look_up_of_a_whole_table);
    tcase_add_test(tc, test_explain_policy_that_raises);
    tcase_add_test(tc, test_explain_fact_that_raises);
    tcase_add_test(tc, test_explain_claim_settings_reach_both);
    tcase_add_test(tc, test_explain_tables_without_a_decision_by_policies);
    tcase_add_test(tc, test_explain_unpublished_table_says_how_to_publish);
    tcase_add_test(tc, test_explain_row_that_is_not_there);
    tcase_add_test(tc, test_explain_malformed_questions_are_usage);
    tcase_add_test(tc, test_explain_what_cannot_be_explained_fails);
    tcase_add_test(tc, test_explain_key_of_a_table_without_one);
    tcase_add_test(tc, test_explain_difference_is_loud);
    tcase_add_test(tc, test_explain_never_prints_secrets);
    tcase_add_test(tc, test_check_names_the_path_of_each_table_and_policy);
    tcase_add_test(tc, test_check_names_the_access_state);
    tcase_add_test(tc, test_check_table_that_is_not_followed_says_what_is_needed);
    tcase_add_test(tc, test_check_row_filter_on_what_policies_read_is_an_error);
    tcase_add_test(tc, test_check_names_the_paths_of_private_topics);
    suite_add_tcase(suite, tc);
    pg = gw_test_pg_new();
    gw_test_pg_exec(pg, roles_sql);
    gw_test_pg_exec(pg, schema_sql);
    gw_test_pg_exec(pg, rows_sql);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    gw_test_pg_free(pg);
    return failed ? 1 : 0;
}
