/* judge: transactions that can't be told row by row, and tables that change while they are judged.
 */
#include "judge_fixture.h"

#define NOTE(id, user, body) "\"(\\\"" id "\\\",\\\"" user "\\\",\\\"" body "\\\")\""

/* No two alike in what the policies read: each is a row of the question. */
static void insert_notes(unsigned n)
{
    char id[16], user[16];
    for (unsigned i = 0; i < n; i++) {
        snprintf(id, sizeof id, "%u", i);
        snprintf(user, sizeof user, "ann%u", i);
        fix_insert(NOTES, ROW(id, user, "x"));
    }
}

/* ---- bounds ---- */

START_TEST(test_judge_evaluations_at_the_bound_are_asked)
{
    fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix.env.max_evaluations = 3;
    fix_begin();
    insert_notes(3);
    struct gw_case *c = fix_open();
    ck_assert_int_eq(c->asks[0].code, GW_OK);
    ck_assert_uint_eq(fix.stats.evaluations, 3);
    gw_case_free(c);
}
END_TEST

START_TEST(test_judge_past_max_evaluations_resyncs_without_questions)
{
    fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix_follow(2, AUTHENTICATED, "bob", NOTES);
    fix_follow(3, ANON, "anon", POSTS);
    fix.env.max_evaluations = 3;
    fix_begin();
    fix_insert(TRIPS, ROW("t", "ann", "n")); /* nobody follows it */
    insert_notes(2);
    fix_insert(POSTS, ROW("1", "x"));
    fix_insert(HIDDEN, ROW("1", "x"));
    struct gw_case *c = fix_open();
    for (uint32_t i = 0; i < c->n_asks; i++)
        ck_assert_int_eq(c->asks[i].code, GW_E_BUDGET);
    ck_assert(!gw_case_needs_catalog(c));
    ck_assert_uint_eq(fix.stats.evaluations, 0);
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, 0);
    ck_assert_uint_eq(commit->n_resyncs, 2);
    ck_resync(commit, 0, NOTES, GW_E_BUDGET);
    ck_resync(commit, 1, POSTS, GW_E_BUDGET);
    ck_assert_uint_eq(fix.stats.resync_budget, 2);
    ck_assert_uint_eq(fix.n_budget_spent, 0); /* no time of the database was spent */
    gw_commit_free(commit);
}
END_TEST

/* Braces and commas around the elements are not counted. */
START_TEST(test_judge_row_bytes_at_the_bound_are_asked)
{
    fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix.env.max_rows_bytes = 2 * strlen(NOTE("0", "ann0", "x"));
    fix_begin();
    insert_notes(2);
    fix_insert(NOTES, ROW("2", "ann0", "shares the row of the first, whatever its size"));
    struct gw_case *c = fix_open();
    ck_ask(c, 0, 1, NOTES, "{" NOTE("0", "ann0", "x") "," NOTE("1", "ann1", "x") "}");
    ck_assert_int_eq(c->asks[0].code, GW_OK);
    gw_case_free(c);
}
END_TEST

START_TEST(test_judge_past_max_rows_bytes_resyncs_without_questions)
{
    fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix_follow(2, AUTHENTICATED, "bob", NOTES); /* the bound is for all questions together */
    fix.env.max_rows_bytes = 2 * strlen(NOTE("0", "ann0", "x")) - 1;
    fix_begin();
    insert_notes(1);
    struct gw_case *c = fix_open();
    ck_assert_uint_eq(c->n_asks, 2);
    for (uint32_t i = 0; i < c->n_asks; i++)
        ck_assert_int_eq(c->asks[i].code, GW_E_BUDGET);
    ck_assert_uint_eq(fix.stats.evaluations, 0);
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, 0);
    ck_assert_uint_eq(commit->n_resyncs, 1);
    ck_resync(commit, 0, NOTES, GW_E_BUDGET);
    ck_assert_uint_eq(fix.stats.resync_budget, 1);
    ck_assert_uint_eq(fix.n_budget_spent, 0);
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_spent_budget_resyncs_that_table_once)
{
    fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix_follow(2, AUTHENTICATED, "bob", NOTES);
    fix_follow(3, ANON, "anon", POSTS);
    fix_begin();
    insert_notes(1);
    fix_insert(POSTS, ROW("1", "x"));
    struct gw_case *c = fix_open();
    fix_answer(c, 0, GW_E_BUDGET, "1");
    fix_answer(c, 1, GW_E_BUDGET, "0");
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_resyncs, 1);
    ck_resync(commit, 0, NOTES, GW_E_BUDGET);
    ck_assert_uint_eq(commit->n_changes, 1); /* of the other table */
    ck_assert_uint_eq(commit->changes[0].change->rel->oid, POSTS);
    ck_assert_uint_eq(fix.n_budget_spent, 1);
    ck_assert_uint_eq(fix.budget_spent[0], NOTES);
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_suspended_table_asks_nothing_and_tells_the_others)
{
    fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix_follow(2, SERVICE, "bot", NOTES);
    fix.suspended = NOTES;
    fix_begin();
    insert_notes(1);
    struct gw_case *c = fix_open();
    ck_assert_uint_eq(c->n_asks, 0);
    ck_assert_uint_eq(fix.owed, 1);
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, 1);
    ck_assert(fix_admits(&commit->changes[0].readers, SERVICE, 2));
    ck_assert(!fix_admits(&commit->changes[0].readers, AUTHENTICATED, 1));
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_truncated_tables_resync)
{
    fix_follow(1, ANON, "anon", POSTS);
    fix_follow(2, ANON, "anon", 0);
    fix_begin();
    fix_insert(POSTS, ROW("1", "x"));
    fix_truncate(POSTS);
    fix_truncate(HIDDEN); /* the wildcard does not cover it */
    fix_insert(POSTS, ROW("2", "y"));
    struct gw_commit *commit = fix_close(fix_open());
    ck_assert_uint_eq(commit->n_changes, 0); /* those who load again see row 2 */
    ck_assert_uint_eq(commit->n_resyncs, 1);
    ck_resync(commit, 0, POSTS, GW_E_RESYNC);
    ck_assert_uint_eq(fix.stats.resync_truncate, 1);
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_overflowed_transaction_resyncs_its_tables)
{
    char big[4096];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    gw_assembler_free(fix.assembler);
    fix.assembler = gw_assembler_new(16384);
    fix_announce(POSTS, "posts", 'd', "+id body");
    fix_announce(HIDDEN, "hidden", 'd', "+id body");
    fix_follow(1, ANON, "anon", POSTS);
    fix_begin();
    fix_insert(HIDDEN, ROW("1", "x"));
    for (int i = 0; i < 10; i++)
        fix_insert(POSTS, ROW("1", big));
    struct gw_commit *commit = fix_close(fix_open());
    ck_assert_uint_eq(commit->n_changes, 0);
    ck_assert_uint_eq(commit->n_resyncs, 1);
    ck_resync(commit, 0, POSTS, GW_E_TOO_BIG);
    ck_assert_uint_eq(fix.stats.resync_overflow, 1);
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_resync_alone_is_a_commit)
{
    struct gw_commit *commit = gw_commit_new_resync(NOTES, GW_E_BUDGET);
    ck_assert_uint_eq(commit->n_resyncs, 1);
    ck_resync(commit, 0, NOTES, GW_E_BUDGET);
    ck_assert_uint_eq(commit->n_changes, 0);
    ck_assert_ptr_nonnull(commit->txn);
    gw_commit_free(commit);
}
END_TEST

/* ---- restarts ---- */

/* A newer catalog in which notes has one more column. */
static struct gw_catalog *wider_catalog(void)
{
    struct gw_catalog *c = fix_catalog();
    struct gw_catalog_table *notes = &c->tables[NOTES - TRIPS];
    struct gw_catalog_column *columns = gw_arena_alloc(&c->arena, 4 * sizeof *columns);
    memcpy(columns, notes->columns, 3 * sizeof *columns);
    columns[3] =
        (struct gw_catalog_column){.name = GW_SPAN_LIT("added"), .attnum = 4, .type_oid = TEXT_OID};
    notes->columns = columns;
    notes->n_columns = 4;
    return c;
}

START_TEST(test_judge_stale_rows_want_a_catalog_once)
{
    fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix_begin();
    insert_notes(1);
    struct gw_case *c = fix_open();
    ck_assert(!gw_case_needs_catalog(c));
    fix_answer(c, 0, GW_E_UNSUPPORTED, "0");
    ck_assert(gw_case_needs_catalog(c));
    fix_use(wider_catalog());
    gw_case_restart(c, &fix.env);
    ck_assert(!gw_case_needs_catalog(c));
    ck_assert_uint_eq(c->n_asks, 1);
    ck_ask(c, 0, 1, NOTES, "{\"(\\\"0\\\",\\\"ann0\\\",\\\"x\\\",)\"}");
    ck_assert_int_eq(c->asks[0].code, GW_OK);
    ck_assert_uint_eq(fix.stats.changes, 1); /* one change, asked twice */
    ck_assert_uint_eq(fix.stats.evaluations, 2);
    fix_answer(c, 0, GW_E_UNSUPPORTED, "0");
    ck_assert(!gw_case_needs_catalog(c));
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, 0);
    ck_assert_uint_eq(fix.stats.stale_rows, 1);
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_restart_asks_those_who_followed_at_first)
{
    uint32_t ann = fix_follow(1, AUTHENTICATED, "ann", NOTES);
    uint32_t bob = fix_follow(2, AUTHENTICATED, "bob", NOTES);
    fix_follow(3, SERVICE, "bot", NOTES);
    fix.env.rows_per_question = 1;
    fix_begin();
    fix_update(NOTES, ROW("1", "old", "x", "1", "new", "y"));
    fix_delete(NOTES, 'O', ROW("2", "gone", "z"));
    struct gw_case *c = fix_open();
    ck_assert_uint_eq(c->n_asks, 6);
    fix_answer(c, 0, GW_E_UNSUPPORTED, "0");
    uint32_t fresh = fix_follow(1, AUTHENTICATED, "ann, refreshed", NOTES);
    gw_interest_drop(fix.interest, 0, 2);
    gw_interest_drop(fix.interest, 0, 3);
    fix.env.rows_per_question = 500;
    fix_use(fix_catalog());
    gw_case_restart(c, &fix.env);
    ck_assert_uint_eq(c->n_asks, 2);
    const char *rows =
        "{" NOTE("1", "new", "y") "," NOTE("1", "old", "x") "," NOTE("2", "gone", "z") "}";
    ck_ask(c, 0, ann, NOTES, rows);
    ck_ask(c, 1, bob, NOTES, rows);
    fix_answer(c, 0, GW_OK, "111");
    fix_answer(c, 1, GW_OK, "100");
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_resyncs, 0);
    ck_assert_uint_eq(commit->n_changes, 2);
    ck_assert(fix_admits(&commit->changes[0].sees_old, AUTHENTICATED, ann));
    ck_assert(fix_admits(&commit->changes[0].readers, AUTHENTICATED, bob));
    ck_assert(fix_admits(&commit->changes[1].readers, AUTHENTICATED, ann));
    ck_assert(!fix_admits(&commit->changes[0].readers, AUTHENTICATED, fresh));
    ck_assert(fix_admits(&commit->changes[1].readers, SERVICE, 99)); /* everyone stays everyone */
    gw_commit_free(commit);
}
END_TEST

/* Images that shared a row are apart once a policy reads more of them. */
START_TEST(test_judge_restart_shares_by_what_is_read_now)
{
    uint32_t ann = fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix_begin();
    fix_insert(NOTES, ROW("1", "ann", "x"));
    fix_insert(NOTES, ROW("2", "ann", "y"));
    fix_insert(NOTES, ROW("3", "ann", "x"));
    struct gw_case *c = fix_open();
    ck_ask(c, 0, ann, NOTES, "{" NOTE("1", "ann", "x") "}");
    fix_answer(c, 0, GW_E_UNSUPPORTED, "0");
    struct gw_catalog *newer = fix_catalog();
    fx_policy(newer, &newer->tables[NOTES - TRIPS], BIT(AUTHENTICATED), "(body = auth.uid())");
    fix_use(newer);
    gw_case_restart(c, &fix.env);
    ck_assert_uint_eq(c->n_asks, 1);
    ck_ask(c, 0, ann, NOTES, "{" NOTE("1", "ann", "x") "," NOTE("2", "ann", "y") "}");
    ck_assert_uint_eq(c->asks[0].n_refs, 3);
    ck_ref(&c->asks[0], 2, 2, 0, false);
    fix_answer(c, 0, GW_OK, "10");
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, 2);
    ck_assert_ptr_eq(commit->changes[0].change, &commit->txn->changes[0]);
    ck_assert_ptr_eq(commit->changes[1].change, &commit->txn->changes[2]);
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_restart_counts_what_is_withheld_once)
{
    fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix_announce(NOTES, "notes", 'd', "+id user_id body");
    fix_begin();
    fix_update_blind(NOTES, ROW("1", "ann", "x"));
    struct gw_case *c = fix_open();
    fix_answer(c, 0, GW_E_UNSUPPORTED, "0");
    fix_use(fix_catalog());
    gw_case_restart(c, &fix.env);
    ck_assert_uint_eq(fix.stats.old_withheld, 1);
    fix_answer(c, 0, GW_OK, "1");
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->changes[0].old_unknown, BIT(AUTHENTICATED));
    gw_commit_free(commit);
}
END_TEST

/* One who was asked and a role that was not, judged again after `alter`. */
static struct gw_commit *restart_after(void (*alter)(struct gw_catalog *c))
{
    fix_use(fix_catalog());
    fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix_follow(2, SERVICE, "bot", NOTES);
    fix_begin();
    insert_notes(1);
    struct gw_case *c = fix_open();
    ck_assert_uint_eq(c->n_asks, 1);
    fix_answer(c, 0, GW_E_UNSUPPORTED, "0");
    struct gw_catalog *newer = fix_catalog();
    alter(newer);
    fix_use(newer);
    gw_case_restart(c, &fix.env);
    for (uint32_t i = 0; i < c->n_asks; i++)
        fix_answer(c, i, GW_OK, "1");
    return fix_close(c);
}

static void open_to_all(struct gw_catalog *c)
{
    c->tables[NOTES - TRIPS].rls_enabled = false;
}

static void unpublish(struct gw_catalog *c)
{
    c->tables[NOTES - TRIPS].published = false;
}

static void close_to_service(struct gw_catalog *c)
{
    c->tables[NOTES - TRIPS].access[SERVICE].bypasses_rls = false;
}

static void ask_service(struct gw_catalog *c)
{
    close_to_service(c);
    c->tables[NOTES - TRIPS].policies[0].roles |= BIT(SERVICE);
}

START_TEST(test_judge_restart_follows_the_new_paths)
{
    struct gw_commit *commit = restart_after(open_to_all);
    ck_assert_uint_eq(commit->n_changes, 1);
    ck_assert(fix_admits(&commit->changes[0].readers, AUTHENTICATED, 99));
    ck_assert(fix_admits(&commit->changes[0].readers, SERVICE, 99));
    gw_commit_free(commit);

    commit = restart_after(close_to_service);
    ck_assert_uint_eq(commit->n_changes, 1);
    ck_assert_uint_eq(commit->n_resyncs, 0);
    ck_assert(fix_admits(&commit->changes[0].readers, AUTHENTICATED, 1));
    ck_assert(!fix_admits(&commit->changes[0].readers, SERVICE, 2));
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_restart_with_the_table_unpublished_tells_nobody)
{
    struct gw_commit *commit = restart_after(unpublish);
    ck_assert_uint_eq(commit->n_changes, 0);
    ck_assert_uint_eq(commit->n_resyncs, 0);
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_restart_that_would_ask_the_unnamed_resyncs)
{
    struct gw_commit *commit = restart_after(ask_service);
    ck_assert_uint_eq(commit->n_resyncs, 1);
    ck_resync(commit, 0, NOTES, GW_E_RESYNC);
    ck_assert_uint_eq(commit->n_changes, 0);
    gw_commit_free(commit);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("judge resync");
    TCase *tc = tcase_create("judge resync");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_judge_evaluations_at_the_bound_are_asked);
    tcase_add_test(tc, test_judge_past_max_evaluations_resyncs_without_questions);
    tcase_add_test(tc, test_judge_row_bytes_at_the_bound_are_asked);
    tcase_add_test(tc, test_judge_past_max_rows_bytes_resyncs_without_questions);
    tcase_add_test(tc, test_judge_spent_budget_resyncs_that_table_once);
    tcase_add_test(tc, test_judge_suspended_table_asks_nothing_and_tells_the_others);
    tcase_add_test(tc, test_judge_truncated_tables_resync);
    tcase_add_test(tc, test_judge_overflowed_transaction_resyncs_its_tables);
    tcase_add_test(tc, test_judge_resync_alone_is_a_commit);
    tcase_add_test(tc, test_judge_stale_rows_want_a_catalog_once);
    tcase_add_test(tc, test_judge_restart_asks_those_who_followed_at_first);
    tcase_add_test(tc, test_judge_restart_shares_by_what_is_read_now);
    tcase_add_test(tc, test_judge_restart_counts_what_is_withheld_once);
    tcase_add_test(tc, test_judge_restart_follows_the_new_paths);
    tcase_add_test(tc, test_judge_restart_with_the_table_unpublished_tells_nobody);
    tcase_add_test(tc, test_judge_restart_that_would_ask_the_unnamed_resyncs);
    suite_add_tcase(s, tc);
    return wire_run(s);
}
