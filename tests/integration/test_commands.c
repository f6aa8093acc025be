/* `rowcast setup` and `rowcast check` against a real Postgres, each run in a child of its own. */
#include "../support/pg.h"
#include "check_cmd.h"
#include "setup_cmd.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct gw_test_pg *pg;
static char said[65536]; /* what the last command printed */

typedef int command(int argc, char **argv);

/* Run a command with flags (NULL at the end); returns its exit code. */
static int run(command *cmd, const char *login, const char *flag1, const char *flag2)
{
    char *argv[] = {(char *)flag1, flag1 ? (char *)flag2 : NULL, NULL};
    int argc = !flag1 ? 0 : !flag2 ? 1 : 2, status = 0;
    char database[200], query[200];
    snprintf(database, sizeof database, "%s", gw_test_pg_url(pg, NULL));
    snprintf(query, sizeof query, "%s", gw_test_pg_url(pg, login));
    FILE *out = tmpfile();
    ck_assert_ptr_nonnull(out);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fileno(out), 1);
        setenv("ROWCAST_DATABASE_URL", database, 1);
        setenv("ROWCAST_QUERY_URL", query, 1);
        setenv("ROWCAST_PUBLICATION", "pub", 1);
        setenv("ROWCAST_ROLES", "anon,authenticated", 1);
        setenv("ROWCAST_JWT_SECRET", "0123456789abcdef0123456789abcdef", 1);
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

static void fresh(void)
{
    gw_test_pg_exec(pg, "DROP PUBLICATION IF EXISTS pub; DROP TABLE IF EXISTS notes, plain, hidden;"
                        "CREATE TABLE notes (id int PRIMARY KEY, owner text);"
                        "ALTER TABLE notes ENABLE ROW LEVEL SECURITY;"
                        "CREATE POLICY own ON notes FOR SELECT USING (owner = "
                        "current_setting('request.jwt.claims', true)::jsonb ->> 'sub');"
                        "CREATE TABLE plain (v text); CREATE TABLE hidden (id int PRIMARY KEY);"
                        "GRANT SELECT ON notes, plain TO authenticated");
}

#define COUNT_PUBLICATIONS "SELECT count(*) FROM pg_publication"
#define COUNT_TABLES "SELECT count(*) FROM pg_publication_tables"
#define IDENTITY "SELECT relreplident FROM pg_class WHERE relname = 'notes'"

START_TEST(test_setup_dry_run_changes_nothing)
{
    fresh();
    ck_assert_int_eq(run(gw_setup_cmd, "asker", "--dry-run", "--all-tables"), 0);
    expect_said("\nCREATE PUBLICATION \"pub\"");
    expect_said("\nALTER PUBLICATION \"pub\" ADD TABLE public.notes;");
    expect_unsaid("hidden"); /* no role may read it */
    expect_value(COUNT_PUBLICATIONS, "0");
}
END_TEST

START_TEST(test_setup_twice_has_nothing_left_to_do)
{
    fresh();
    ck_assert_int_eq(run(gw_setup_cmd, "asker", "--all-tables", NULL), 0);
    expect_said("done     CREATE PUBLICATION");
    expect_said("propose  ALTER TABLE \"public\".\"notes\" REPLICA IDENTITY FULL;");
    expect_value(COUNT_TABLES, "2");
    expect_value(IDENTITY, "d");
    ck_assert_int_eq(run(gw_setup_cmd, "asker", "--all-tables", NULL), 0);
    expect_said("nothing to do");
    expect_unsaid("done ");
    ck_assert_int_eq(run(gw_setup_cmd, "asker", "--replica-identity", NULL), 0);
    expect_value(IDENTITY, "f");
}
END_TEST

START_TEST(test_setup_tables_adds_those_named)
{
    fresh();
    ck_assert_int_eq(run(gw_setup_cmd, "asker", "--tables=notes, hidden", NULL), 0);
    expect_value(COUNT_TABLES, "2");
    ck_assert_int_eq(run(gw_setup_cmd, "asker", "--tables", "nowhere"), 1);
    expect_said("table nowhere does not exist");
    ck_assert_int_eq(run(gw_setup_cmd, "asker", "--tables", NULL), 2);
}
END_TEST

START_TEST(test_setup_authenticator_is_made_once)
{
    fresh();
    ck_assert_int_eq(run(gw_setup_cmd, "gate", "--authenticator", "gate"), 0);
    expect_said("done     CREATE ROLE \"gate\" LOGIN NOINHERIT;");
    expect_said("gate may become anon");
    ck_assert_int_eq(run(gw_setup_cmd, "gate", "--authenticator", "gate"), 0);
    expect_said("nothing to do");
}
END_TEST

START_TEST(test_check_tells_what_is_weaker)
{
    fresh();
    ck_assert_int_eq(run(gw_setup_cmd, "asker", "--all-tables", NULL), 0);
    ck_assert_int_eq(run(gw_check_cmd, "asker", NULL, NULL), 0);
    expect_said("weaker: deleted and old rows lack owner");
    expect_said("ALTER TABLE \"public\".\"notes\" REPLICA IDENTITY FULL;");
    expect_said("weaker: no replica identity");
    expect_said("solved    reads owner");
    gw_test_pg_exec(pg, "ALTER TABLE notes REPLICA IDENTITY FULL");
    ck_assert_int_eq(run(gw_check_cmd, "asker", NULL, NULL), 0);
    expect_unsaid("lack owner");
}
END_TEST

START_TEST(test_check_without_publication_fails)
{
    fresh();
    ck_assert_int_eq(run(gw_check_cmd, "asker", NULL, NULL), 1);
    expect_said("pub does not exist");
    ck_assert_int_eq(run(gw_check_cmd, "asker", "--nonsense", "1"), 2);
    ck_assert_int_eq(run(gw_check_cmd, "asker", "--help", NULL), 0);
}
END_TEST

START_TEST(test_check_superuser_asking_warns)
{
    fresh();
    gw_test_pg_exec(pg, "CREATE PUBLICATION pub FOR TABLE notes");
    ck_assert_int_eq(run(gw_check_cmd, NULL, NULL, NULL), 0);
    expect_said("it is a superuser");
    expect_said("LOGIN NOINHERIT; GRANT \"anon\", \"authenticated\" TO");
}
END_TEST

START_TEST(test_check_column_list_without_what_policies_read_fails)
{
    fresh();
    gw_test_pg_exec(pg, "CREATE PUBLICATION pub FOR TABLE notes (id)");
    ck_assert_int_eq(run(gw_check_cmd, "asker", NULL, NULL), 1);
    expect_said("its policies read owner");
}
END_TEST

START_TEST(test_wal_level_not_logical_fails_in_both)
{
    fresh();
    gw_test_pg_exec(pg, "ALTER SYSTEM SET wal_level = 'replica'");
    gw_test_pg_restart(pg, GW_TEST_PG_FAST);
    ck_assert_int_eq(run(gw_setup_cmd, "asker", NULL, NULL), 1);
    expect_said("error    wal_level is replica");
    expect_said("done     CREATE PUBLICATION"); /* the rest is done all the same */
    ck_assert_int_eq(run(gw_check_cmd, "asker", NULL, NULL), 1);
    expect_said("ALTER SYSTEM SET wal_level = logical");
    gw_test_pg_exec(pg, "ALTER SYSTEM RESET wal_level");
    gw_test_pg_restart(pg, GW_TEST_PG_FAST);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands");
    TCase *tc = tcase_create("commands");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_setup_dry_run_changes_nothing);
    tcase_add_test(tc, test_setup_twice_has_nothing_left_to_do);
    tcase_add_test(tc, test_setup_tables_adds_those_named);
    tcase_add_test(tc, test_setup_authenticator_is_made_once);
    tcase_add_test(tc, test_check_tells_what_is_weaker);
    tcase_add_test(tc, test_check_without_publication_fails);
    tcase_add_test(tc, test_check_superuser_asking_warns);
    tcase_add_test(tc, test_check_column_list_without_what_policies_read_fails);
    tcase_add_test(tc, test_wal_level_not_logical_fails_in_both);
    suite_add_tcase(suite, tc);
    pg = gw_test_pg_new();
    gw_test_pg_exec(pg, "CREATE ROLE anon; CREATE ROLE authenticated;"
                        "CREATE ROLE asker LOGIN NOINHERIT; GRANT anon, authenticated TO asker");
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    gw_test_pg_free(pg);
    return failed ? 1 : 0;
}
