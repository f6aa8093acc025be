/* What `rowcast setup` installs, against a real Postgres: the event triggers and what they write
 * into the log; the access publication. */
#include "../support/pg.h"
#include "setup_cmd.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct gw_test_pg *pg;
static char said[65536]; /* what the last command printed */

/* Run setup as login (NULL: the superuser) with one flag or NULL; access: access publication, or
 * "". Returns its exit code. */
static int run(const char *login, const char *access, const char *flag)
{
    char *argv[] = {(char *)flag, NULL}, database[200], query[200];
    int status = 0;
    snprintf(database, sizeof database, "%s", gw_test_pg_url(pg, login));
    snprintf(query, sizeof query, "%s", gw_test_pg_url(pg, "asker"));
    FILE *out = tmpfile();
    ck_assert_ptr_nonnull(out);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fileno(out), 1);
        setenv("ROWCAST_DATABASE_URL", database, 1);
        setenv("ROWCAST_QUERY_URL", query, 1);
        setenv("ROWCAST_PUBLICATION", "pub", 1);
        setenv("ROWCAST_ACCESS_PUBLICATION", access, 1);
        setenv("ROWCAST_ROLES", "authenticated", 1);
        setenv("ROWCAST_JWT_SECRET", "0123456789abcdef0123456789abcdef", 1);
        int rc = gw_setup_cmd(flag ? 1 : 0, argv);
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

static void expect_said(const char *text)
{
    ck_assert_msg(strstr(said, text) != NULL, "\"%s\" is missing in:\n%s", text, said);
}

static void expect_unsaid(const char *text)
{
    ck_assert_msg(strstr(said, text) == NULL, "\"%s\" stands in:\n%s", text, said);
}

static void expect_value(const char *sql, const char *expected)
{
    char got[64];
    ck_assert_str_eq(gw_test_pg_value(pg, sql, got, sizeof got), expected);
}

#define COUNT_TRIGGERS "SELECT count(*) FROM pg_event_trigger WHERE evtname LIKE 'rowcast%'"

static void drop_triggers(void)
{
    gw_test_pg_exec(pg, "DROP EVENT TRIGGER IF EXISTS rowcast_catalog;"
                        "DROP EVENT TRIGGER IF EXISTS rowcast_catalog_drop;"
                        "DROP SCHEMA IF EXISTS rowcast CASCADE");
}

START_TEST(test_setup_event_triggers_are_installed_once)
{
    drop_triggers();
    ck_assert_int_eq(run(NULL, "", "--dry-run"), 0);
    expect_said("\nCREATE EVENT TRIGGER rowcast_catalog ON ddl_command_end WHEN TAG IN (");
    expect_said("SECURITY DEFINER SET search_path = pg_catalog, pg_temp");
    expect_value(COUNT_TRIGGERS, "0");
    ck_assert_int_eq(run(NULL, "", NULL), 0);
    expect_said("done     event triggers");
    expect_value(COUNT_TRIGGERS, "2");
    ck_assert_int_eq(run(NULL, "", NULL), 0);
    expect_said("ok       event triggers tell");
    expect_said("nothing to do");
    gw_test_pg_exec(pg, "ALTER EVENT TRIGGER rowcast_catalog_drop DISABLE");
    ck_assert_int_eq(run(NULL, "", NULL), 0); /* what has been changed is mended */
    expect_value(COUNT_TRIGGERS " AND evtenabled = 'A'", "2");
}
END_TEST

/* Output of --dry-run is a script: what it prints does what setup does. */
START_TEST(test_setup_dry_run_prints_what_would_install_them)
{
    char *sql = NULL;
    drop_triggers();
    ck_assert_int_eq(run(NULL, "", "--dry-run"), 0);
    sql = strstr(said, "CREATE SCHEMA IF NOT EXISTS rowcast;");
    ck_assert_ptr_nonnull(sql);
    gw_test_pg_exec(pg, sql);
    ck_assert_int_eq(run(NULL, "", NULL), 0);
    expect_said("ok       event triggers tell");
}
END_TEST

START_TEST(test_setup_event_triggers_without_superuser_are_proposed)
{
    drop_triggers();
    ck_assert_int_eq(run("owner", "", NULL), 0);
    expect_said("propose  event triggers");
    expect_said("needs superuser");
    expect_value(COUNT_TRIGGERS, "0");
    expect_value("SELECT count(*) FROM pg_namespace WHERE nspname = 'rowcast'", "0");
    ck_assert_int_eq(run("owner", "", "--dry-run"), 0);
    expect_said("-- the next statements may need a superuser");
}
END_TEST

/* How often the log since the last call tells of tag. */
static void expect_told(const char *sql, const char *tag, const char *times)
{
    char query[1024];
    gw_test_pg_exec(pg, "SELECT pg_replication_slot_advance('ears', pg_current_wal_lsn())");
    gw_test_pg_exec(pg, sql);
    snprintf(query, sizeof query,
             "SELECT count(*) FROM pg_logical_slot_peek_binary_changes('ears', NULL, NULL, "
             "'proto_version', '1', 'publication_names', 'pub', 'messages', 'true') "
             "WHERE encode(data, 'escape') LIKE '%%rowcast%%{\"catalog\":\"%s\"}%%'",
             tag);
    char got[16];
    gw_test_pg_value(pg, query, got, sizeof got);
    ck_assert_msg(strcmp(got, times) == 0, "%s: told %s times of %s", sql, got, tag);
}

START_TEST(test_setup_event_triggers_write_changes_into_the_log)
{
    drop_triggers();
    ck_assert_int_eq(run(NULL, "", NULL), 0);
    gw_test_pg_exec(pg, "SELECT pg_create_logical_replication_slot('ears', 'pgoutput')");
    expect_told("CREATE POLICY p ON notes USING (true)", "CREATE POLICY", "1");
    expect_told("ALTER POLICY p ON notes USING (false)", "ALTER POLICY", "1");
    expect_told("DROP POLICY p ON notes", "DROP POLICY", "1");
    expect_told("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE FUNCTION",
                "1");
    expect_told("ALTER FUNCTION f() SECURITY DEFINER", "ALTER FUNCTION", "1");
    expect_told("REVOKE ALL ON FUNCTION f FROM PUBLIC", "REVOKE", "1");
    expect_told("DROP FUNCTION f()", "DROP FUNCTION", "1");
    expect_told("GRANT SELECT ON notes TO authenticated", "GRANT", "1");
    expect_told("GRANT USAGE ON SCHEMA public TO authenticated", "GRANT", "1");
    expect_told("ALTER TABLE notes DISABLE ROW LEVEL SECURITY; "
                "ALTER TABLE notes ENABLE ROW LEVEL SECURITY",
                "ALTER TABLE", "2");
    expect_told("ALTER TABLE notes ADD COLUMN gone int", "ALTER TABLE", "1");
    expect_told("ALTER TABLE notes DROP COLUMN gone", "ALTER TABLE", "1");
    expect_told("CREATE TABLE more (id serial PRIMARY KEY)", "CREATE TABLE", "1");
    expect_told("ALTER PUBLICATION pub ADD TABLE more", "ALTER PUBLICATION", "1");
    expect_told("ALTER SCHEMA aside RENAME TO beside", "ALTER SCHEMA", "1");
    expect_told("DROP OWNED BY lodger", "DROP OWNED", "1");
    expect_told("BEGIN; CREATE POLICY p ON notes USING (true); ROLLBACK", "CREATE POLICY", "0");
    expect_told("SET session_replication_role = 'replica'; DROP TABLE more", "DROP TABLE", "1");
    expect_told("SET ROLE authenticated; CREATE TABLE own_one (); DROP TABLE own_one", "DROP TABLE",
                "1");
}
END_TEST

START_TEST(test_setup_event_triggers_are_silent_about_the_rest)
{
    expect_told("CREATE INDEX i ON notes (owner); COMMENT ON TABLE notes IS 'x'; ANALYZE notes; "
                "DROP INDEX i; CREATE SEQUENCE sq; GRANT USAGE ON SEQUENCE sq TO authenticated; "
                "DROP SEQUENCE sq; CREATE TRIGGER tr AFTER INSERT ON notes FOR EACH ROW EXECUTE "
                "FUNCTION trigger_of(); DROP TRIGGER tr ON notes",
                "%", "0");
    expect_told("CREATE TEMP TABLE t (id serial PRIMARY KEY); ALTER TABLE t ADD x int; "
                "DROP TABLE t",
                "%", "0");
    expect_told("CREATE TEMP TABLE t AS SELECT 1 AS a; DROP TABLE t", "%", "0");
    expect_told("CREATE TEMP VIEW v AS SELECT 1; DROP VIEW v", "%", "0");
    expect_told("CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; "
                "DROP FUNCTION pg_temp.f()",
                "%", "0");
}
END_TEST

#define FOLLOWED "SELECT count(*) FROM pg_publication_tables WHERE pubname = 'lookups'"

START_TEST(test_setup_access_publication_gets_what_policies_look_into)
{
    gw_test_pg_exec(pg,
                    "DROP POLICY IF EXISTS q ON notes; CREATE POLICY q ON notes FOR SELECT USING "
                    "(id IN (SELECT note_id FROM members) OR EXISTS (SELECT FROM loose))");
    ck_assert_int_eq(run(NULL, "", NULL), 0);
    expect_said("propose  policies look into \"hidden\".\"members\", which no publication has");
    ck_assert_int_eq(run(NULL, "lookups", NULL), 0);
    expect_said("done     CREATE PUBLICATION \"lookups\"");
    expect_said("propose  ALTER PUBLICATION \"lookups\" ADD TABLE \"hidden\".\"members\"; -- ");
    expect_said("propose  policies look into \"hidden\".\"loose\": it needs a primary key");
    expect_value(FOLLOWED, "0");
    ck_assert_int_eq(run(NULL, "lookups", "--all-tables"), 0);
    expect_said("done     ALTER PUBLICATION \"lookups\" ADD TABLE \"hidden\".\"members\";");
    expect_value(FOLLOWED, "1");
    gw_test_pg_exec(pg, "ALTER TABLE hidden.loose REPLICA IDENTITY FULL");
    ck_assert_int_eq(run(NULL, "lookups", "--all-tables"), 0);
    expect_value(FOLLOWED, "2");
    ck_assert_int_eq(run(NULL, "lookups", "--all-tables"), 0);
    expect_said("ok       what policies look into is published or followed");
    expect_said("nothing to do");
    expect_unsaid("done ");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("setup");
    TCase *tc = tcase_create("setup");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_setup_event_triggers_are_installed_once);
    tcase_add_test(tc, test_setup_dry_run_prints_what_would_install_them);
    tcase_add_test(tc, test_setup_event_triggers_without_superuser_are_proposed);
    tcase_add_test(tc, test_setup_event_triggers_write_changes_into_the_log);
    tcase_add_test(tc, test_setup_event_triggers_are_silent_about_the_rest);
    tcase_add_test(tc, test_setup_access_publication_gets_what_policies_look_into);
    suite_add_tcase(suite, tc);
    pg = gw_test_pg_new();
    gw_test_pg_exec(
        pg,
        "CREATE ROLE authenticated; CREATE ROLE asker LOGIN NOINHERIT; CREATE ROLE lodger; "
        "GRANT authenticated TO asker; CREATE ROLE owner LOGIN; "
        "GRANT CREATE ON DATABASE postgres TO owner; CREATE SCHEMA aside;"
        "GRANT CREATE, USAGE ON SCHEMA public TO authenticated;"
        "CREATE TABLE notes (id int PRIMARY KEY, owner text); CREATE SCHEMA hidden;"
        "CREATE TABLE hidden.members (note_id int PRIMARY KEY); CREATE TABLE hidden.loose (v int);"
        "SET search_path = public, hidden;"
        "CREATE FUNCTION trigger_of() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RETURN NEW; END'; ALTER TABLE notes ENABLE ROW LEVEL SECURITY;"
        "ALTER TABLE notes REPLICA IDENTITY FULL; GRANT SELECT ON notes TO authenticated;"
        "ALTER DATABASE postgres SET search_path = public, hidden;"
        "CREATE PUBLICATION pub FOR TABLE notes;");
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* one server for all */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    gw_test_pg_free(pg);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
