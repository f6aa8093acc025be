/* judge: which questions a transaction raises, and what the answers make of it. Bounds and
 * restarts: test_judge_resync.c. */
#include "judge_fixture.h"

/* A row of notes as an element of the question. */
#define NOTE(id, user, body) "\"(\\\"" id "\\\",\\\"" user "\\\",\\\"" body "\\\")\""

/* ---- who is asked ---- */

START_TEST(test_judge_paths_ask_only_where_needed)
{
    uint32_t ann = fix_follow(1, AUTHENTICATED, "ann", NOTES);
    uint32_t bot = fix_follow(2, SERVICE, "bot", NOTES);
    uint32_t anon = fix_follow(3, ANON, "anon", NOTES);
    fix_begin();
    fix_insert(NOTES, ROW("1", "ann", "x"));
    struct gw_case *c = fix_open();
    ck_assert_uint_eq(c->n_asks, 1);
    ck_ask(c, 0, ann, NOTES, "{" NOTE("1", "ann", "x") "}");
    fix_answer(c, 0, GW_OK, "1");
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, 1);
    ck_assert_uint_eq(commit->n_resyncs, 0);
    ck_assert_uint_gt(commit->bytes, sizeof *commit);
    const struct gw_audience *readers = &commit->changes[0].readers;
    ck_assert(fix_admits(readers, AUTHENTICATED, ann));
    ck_assert(!fix_admits(readers, AUTHENTICATED, ann + 100));
    ck_assert(fix_admits(readers, SERVICE, bot)); /* everyone of that role */
    ck_assert(!fix_admits(readers, ANON, anon));  /* no policy for it: nobody */
    ck_assert_uint_eq(fix.stats.changes, 1);
    ck_assert_uint_eq(fix.stats.evaluations, 1);
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_everyone_needs_no_question_for_any_event)
{
    fix_follow(1, ANON, "a", POSTS);
    fix_begin();
    fix_insert(POSTS, ROW("1", "x"));
    fix_update_blind(POSTS, ROW("2", "y"));
    fix_delete(POSTS, 'K', ROW("3", NULL));
    struct gw_case *c = fix_open();
    ck_assert_uint_eq(c->n_asks, 0);
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, 3);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert(fix_admits(&commit->changes[i].readers, ANON, 1));
        ck_assert(fix_admits(&commit->changes[i].sees_old, ANON, 1));
        ck_assert(!fix_admits(&commit->changes[i].readers, AUTHENTICATED, 1)); /* none follows */
        ck_assert_uint_eq(commit->changes[i].old_unknown, 0);
    }
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_unfollowed_and_unpublished_tables_tell_nobody)
{
    fix_follow(1, SERVICE, "bot", 0);
    fix_follow(2, AUTHENTICATED, "ann", HIDDEN);
    fix_begin();
    fix_insert(HIDDEN, ROW("1", "x"));
    struct gw_case *c = fix_open();
    ck_assert_uint_eq(c->n_asks, 0);
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, 0);
    ck_assert_uint_eq(fix.stats.changes, 0);
    gw_commit_free(commit);

    fix_begin();
    fix_insert(ITEMS, ROW("1", "t", "x")); /* published; the wildcard's role has no policy */
    commit = fix_close(fix_open());
    ck_assert_uint_eq(commit->n_changes, 0);
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_rows_of_one_caller_share_questions_up_to_the_bound)
{
    uint32_t ann = fix_follow(1, AUTHENTICATED, "ann", NOTES);
    uint32_t bob = fix_follow(2, AUTHENTICATED, "bob", NOTES);
    fix.env.rows_per_question = 2;
    fix_begin();
    fix_insert(NOTES, ROW("1", "ann", "a\"b\\c"));
    fix_insert(NOTES, ROW("2", "bob", NULL));
    fix_insert(NOTES, ROW("3", "cid", ""));
    struct gw_case *c = fix_open();
    ck_assert_uint_eq(c->n_asks, 4);
    const char *two = "{" NOTE("1", "ann", "a\\\"\\\"b\\\\\\\\c") ","
                                                                  "\"(\\\"2\\\",\\\"bob\\\",)\"}";
    ck_ask(c, 0, ann, NOTES, two);
    ck_ask(c, 1, bob, NOTES, two);
    ck_ask(c, 2, ann, NOTES, "{" NOTE("3", "cid", "") "}");
    ck_ask(c, 3, bob, NOTES, "{" NOTE("3", "cid", "") "}");
    fix_answer(c, 0, GW_OK, "10");
    fix_answer(c, 1, GW_OK, "01");
    fix_answer(c, 2, GW_OK, "0");
    fix_answer(c, 3, GW_OK, "1");
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, 3);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_int_eq(fix_admits(&commit->changes[i].readers, AUTHENTICATED, ann), i == 0);
        ck_assert_int_eq(fix_admits(&commit->changes[i].readers, AUTHENTICATED, bob), i > 0);
    }
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_abandoned_case_frees_everything)
{
    fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix_begin();
    fix_insert(NOTES, ROW("1", "ann", "x"));
    gw_case_free(fix_open());
    gw_case_free(NULL);
}
END_TEST

/* ---- images that are alike in what the policies read ---- */

/* user_id alone is read of notes, unless the test says otherwise. */

START_TEST(test_judge_equal_images_share_a_row_and_its_answer)
{
    uint32_t ann = fix_follow(1, AUTHENTICATED, "ann", NOTES);
    uint32_t bob = fix_follow(2, AUTHENTICATED, "bob", NOTES);
    fix.env.max_evaluations = 2; /* one per caller: shared rows count once */
    fix_begin();
    fix_insert(NOTES, ROW("1", "ann", "x"));
    fix_insert(NOTES, ROW("2", "ann", NULL));
    struct gw_case *c = fix_open();
    ck_assert_uint_eq(c->n_asks, 2); /* a row is shared by images, never by callers */
    ck_ask(c, 0, ann, NOTES, "{" NOTE("1", "ann", "x") "}");
    ck_ask(c, 1, bob, NOTES, "{" NOTE("1", "ann", "x") "}");
    ck_assert_uint_eq(c->asks[0].n_refs, 2);
    ck_ref(&c->asks[0], 0, 0, 0, false);
    ck_ref(&c->asks[0], 1, 1, 0, false);
    ck_assert_uint_eq(fix.stats.evaluations, 2);
    fix_answer(c, 0, GW_OK, "1");
    fix_answer(c, 1, GW_OK, "0");
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, 2);
    for (uint32_t i = 0; i < 2; i++) {
        ck_assert(fix_admits(&commit->changes[i].readers, AUTHENTICATED, ann));
        ck_assert(!fix_admits(&commit->changes[i].readers, AUTHENTICATED, bob));
    }
    gw_commit_free(commit);
}
END_TEST

/* Two rows of notes that must not share; the caller may see the second alone. */
static void ck_not_shared(const char *const *first, const char *const *second, size_t n)
{
    uint32_t ann = fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix_begin();
    fix_insert(NOTES, first, n);
    fix_insert(NOTES, second, n);
    struct gw_case *c = fix_open();
    ck_assert_uint_eq(c->n_asks, 1);
    ck_assert_uint_eq(c->asks[0].n_rows, 2);
    ck_refs_cover_rows(c, &c->asks[0]);
    fix_answer(c, 0, GW_OK, "01");
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, 1);
    ck_assert(gw_span_eq(commit->changes[0].change->new_->cells[0].text, gw_span_of(second[0])));
    ck_assert(fix_admits(&commit->changes[0].readers, AUTHENTICATED, ann));
    gw_commit_free(commit);
}

START_TEST(test_judge_images_that_differ_in_a_read_column_do_not_share)
{
    ck_not_shared((const char *[]){"1", "bob", "x"}, (const char *[]){"2", "ann", "x"}, 3);
}
END_TEST

START_TEST(test_judge_null_and_empty_do_not_share)
{
    ck_not_shared((const char *[]){"1", NULL, "x"}, (const char *[]){"2", "", "x"}, 3);
}
END_TEST

/* Two columns are read: where one value ends and the next begins matters too. */
static const char *const APART[][2][3] = {
    {{"1", "a", "bc"}, {"2", "ab", "c"}},
    {{"1", "a\2", "b"}, {"2", "a", "\2b"}}, /* 2 is GW_CELL_VALUE */
    {{"1", "a", NULL}, {"2", NULL, "a"}},
    {{"1", "a", "b"}, {"2", "a", "c"}},
};

START_TEST(test_judge_values_of_two_read_columns_do_not_run_together)
{
    struct gw_catalog *catalog = fix_catalog();
    fx_policy(catalog, &catalog->tables[NOTES - TRIPS], BIT(AUTHENTICATED), "(body = auth.uid())");
    fix_use(catalog);
    ck_not_shared(APART[_i][0], APART[_i][1], 3);
}
END_TEST

/* The log does not carry body: it is computed from columns that no policy names. */
START_TEST(test_judge_images_under_a_read_generated_column_do_not_share)
{
    struct gw_catalog *catalog = fix_catalog();
    struct gw_catalog_table *notes = &catalog->tables[NOTES - TRIPS];
    notes->columns[2].generation = GW_SPAN_LIT("lower(user_id)");
    notes->policies[0].qual = GW_SPAN_LIT("(body = auth.uid())");
    fix_use(catalog);
    fix_announce(NOTES, "notes", 'f', "id user_id");
    ck_not_shared((const char *[]){"1", "bob"}, (const char *[]){"2", "ann"}, 2);
}
END_TEST

START_TEST(test_judge_old_and_new_alike_share_a_row)
{
    uint32_t ann = fix_follow(1, AUTHENTICATED, "ann", NOTES);
    uint32_t bob = fix_follow(2, AUTHENTICATED, "bob", NOTES);
    fix_begin();
    fix_update(NOTES, ROW("1", "ann", "x", "1", "ann", "y"));
    fix_delete(NOTES, 'O', ROW("2", "ann", "z"));
    struct gw_case *c = fix_open();
    ck_assert_uint_eq(c->n_asks, 2);
    ck_ask(c, 0, ann, NOTES, "{" NOTE("1", "ann", "y") "}");
    ck_assert_uint_eq(c->asks[0].n_refs, 3);
    ck_ref(&c->asks[0], 0, 0, 0, false);
    ck_ref(&c->asks[0], 1, 0, 0, true);
    ck_ref(&c->asks[0], 2, 1, 0, true);
    fix_answer(c, 0, GW_OK, "1");
    fix_answer(c, 1, GW_OK, "0");
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, 2);
    ck_assert(fix_admits(&commit->changes[0].readers, AUTHENTICATED, ann));
    ck_assert(fix_admits(&commit->changes[0].sees_old, AUTHENTICATED, ann));
    ck_assert(fix_admits(&commit->changes[1].readers, AUTHENTICATED, ann));
    ck_assert(!fix_admits(&commit->changes[0].readers, AUTHENTICATED, bob));
    ck_assert(!fix_admits(&commit->changes[0].sees_old, AUTHENTICATED, bob));
    ck_assert(!fix_admits(&commit->changes[1].readers, AUTHENTICATED, bob));
    gw_commit_free(commit);
}
END_TEST

/* ---- the four cells ---- */

START_TEST(test_judge_update_has_four_cells)
{
    uint32_t both = fix_follow(1, AUTHENTICATED, "both", NOTES);
    uint32_t new_only = fix_follow(2, AUTHENTICATED, "new", NOTES);
    uint32_t old_only = fix_follow(3, AUTHENTICATED, "old", NOTES);
    uint32_t neither = fix_follow(4, AUTHENTICATED, "neither", NOTES);
    fix_begin();
    fix_update(NOTES, ROW("1", "a", "x", "1", "b", "y"));
    struct gw_case *c = fix_open();
    ck_assert_uint_eq(c->n_asks, 4);
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_str_eq(c->asks[i].rows.p, "{" NOTE("1", "b", "y") "," NOTE("1", "a", "x") "}");
    fix_answer(c, 0, GW_OK, "11");
    fix_answer(c, 1, GW_OK, "10");
    fix_answer(c, 2, GW_OK, "01");
    fix_answer(c, 3, GW_OK, "00");
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, 1);
    const struct gw_commit_change *cc = &commit->changes[0];
    ck_assert(fix_admits(&cc->readers, AUTHENTICATED, both));
    ck_assert(fix_admits(&cc->sees_old, AUTHENTICATED, both));
    ck_assert(fix_admits(&cc->readers, AUTHENTICATED, new_only));
    ck_assert(!fix_admits(&cc->sees_old, AUTHENTICATED, new_only));
    ck_assert(!fix_admits(&cc->readers, AUTHENTICATED, old_only));
    ck_assert(!fix_admits(&cc->readers, AUTHENTICATED, neither));
    ck_assert(!fix_admits(&cc->sees_old, AUTHENTICATED, neither));
    ck_assert_uint_eq(cc->old_unknown, 0);
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_delete_is_told_to_who_sees_old)
{
    uint32_t ann = fix_follow(1, AUTHENTICATED, "ann", NOTES);
    uint32_t bob = fix_follow(2, AUTHENTICATED, "bob", NOTES);
    fix_begin();
    fix_delete(NOTES, 'O', ROW("1", "ann", "x"));
    struct gw_case *c = fix_open();
    fix_answer(c, 0, GW_OK, "1");
    fix_answer(c, 1, GW_OK, "0");
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, 1);
    ck_assert(fix_admits(&commit->changes[0].readers, AUTHENTICATED, ann));
    ck_assert(!fix_admits(&commit->changes[0].readers, AUTHENTICATED, bob));
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_change_nobody_sees_is_not_in_the_commit)
{
    fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix_begin();
    fix_insert(NOTES, ROW("1", "bob", "x"));
    struct gw_case *c = fix_open();
    fix_answer(c, 0, GW_OK, "0");
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, 0);
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_policy_that_raises_keeps_the_visible_rows)
{
    uint32_t ann = fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix_begin();
    fix_insert(NOTES, ROW("1", "ann", "x"));
    fix_insert(NOTES, ROW("2", "raises", "x"));
    struct gw_case *c = fix_open();
    fix_answer(c, 0, GW_E_POLICY, "10");
    ck_assert(!gw_case_needs_catalog(c));
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, 1);
    ck_assert(fix_admits(&commit->changes[0].readers, AUTHENTICATED, ann));
    ck_assert_uint_eq(fix.stats.policy_errors, 1);
    gw_commit_free(commit);
}
END_TEST

/* ---- old images that can't be judged ---- */

START_TEST(test_judge_old_images_of_a_blind_log_are_unknown)
{
    uint32_t ann = fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix_follow(2, AUTHENTICATED, "bob", NOTES);
    fix_announce(NOTES, "notes", 'd', "+id user_id body");
    fix_begin();
    fix_update_blind(NOTES, ROW("1", "ann", "x"));
    fix_delete(NOTES, 'K', ROW("2", NULL, NULL));
    struct gw_case *c = fix_open();
    ck_assert_uint_eq(c->n_asks, 2);
    ck_ask(c, 0, ann, NOTES, "{" NOTE("1", "ann", "x") "}");
    fix_answer(c, 0, GW_OK, "1");
    fix_answer(c, 1, GW_OK, "0");
    ck_assert_uint_eq(fix.stats.deletes_withheld, 1); /* once per change and role */
    ck_assert_uint_eq(fix.stats.old_withheld, 1);
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, 1);
    ck_assert_uint_eq(commit->changes[0].old_unknown, BIT(AUTHENTICATED));
    ck_assert(!fix_admits(&commit->changes[0].sees_old, AUTHENTICATED, ann));
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_new_image_without_what_the_policy_reads_is_not_sent)
{
    fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix_begin();
    fix_update(NOTES, ROW("1", "a", "x", "1", "b", WIRE_UNCHANGED)); /* filled from the old */
    struct gw_case *c = fix_open();
    ck_assert_uint_eq(c->n_asks, 1);
    gw_case_free(c);
    fix_announce(NOTES, "notes", 'd', "+id user_id body");
    fix_begin();
    fix_update_blind(NOTES, ROW("1", WIRE_UNCHANGED, "x"));
    c = fix_open();
    ck_assert_uint_eq(c->n_asks, 0);
    ck_assert_uint_eq(fix.stats.unjudged, 1);
    gw_case_free(c);
}
END_TEST

/* A transaction with a change of trips, then a DELETE and an UPDATE of items. */
static struct gw_case *open_items(void (*touch)(void))
{
    fix_begin();
    touch();
    fix_delete(ITEMS, 'O', ROW("1", "t", "x"));
    fix_update(ITEMS, ROW("2", "u", "x", "2", "v", "x"));
    return fix_open();
}

static void touch_nothing(void) {}
static void touch_insert(void)
{
    fix_insert(TRIPS, ROW("t", "ann", "n"));
}
static void touch_delete(void)
{
    fix_delete(TRIPS, 'O', ROW("t", "ann", "n"));
}
static void touch_owner(void)
{
    fix_update(TRIPS, ROW("t", "a", "n", "t", "b", "n"));
}
static void touch_name(void)
{
    fix_update(TRIPS, ROW("t", "a", "n", "t", "a", "m"));
}
static void touch_blind(void)
{
    fix_update_blind(TRIPS, ROW("t", "a", "m"));
}
static void touch_truncate(void)
{
    fix_truncate(TRIPS);
}
static void touch_and_undo(void)
{
    fix_insert(TRIPS, ROW("t", "ann", "n"));
    fix_delete(TRIPS, 'O', ROW("t", "ann", "n"));
}

static const struct {
    void (*touch)(void);
    bool is_unknown;
} TOUCHES[] = {
    {touch_nothing, false}, {touch_name, false}, {touch_and_undo, false}, {touch_insert, true},
    {touch_delete, true},   {touch_owner, true}, {touch_blind, true},     {touch_truncate, true},
};

START_TEST(test_judge_old_images_wait_for_no_touched_lookup)
{
    uint32_t ann = fix_follow(1, AUTHENTICATED, "ann", ITEMS);
    bool is_unknown = TOUCHES[_i].is_unknown;
    struct gw_case *c = open_items(TOUCHES[_i].touch);
    ck_assert_uint_eq(c->n_asks, 1);
    ck_assert_uint_eq(c->asks[0].n_rows, is_unknown ? 1 : 3);
    fix_answer(c, 0, GW_OK, is_unknown ? "1" : "111");
    struct gw_commit *commit = fix_close(c);
    ck_assert_uint_eq(commit->n_changes, is_unknown ? 1 : 2);
    ck_assert_uint_eq(fix.stats.deletes_withheld, is_unknown);
    ck_assert_uint_eq(fix.stats.old_withheld, is_unknown);
    const struct gw_commit_change *update = &commit->changes[commit->n_changes - 1];
    ck_assert_int_eq(update->change->op, GW_OP_UPDATE);
    ck_assert(fix_admits(&update->readers, AUTHENTICATED, ann));
    ck_assert_int_eq(fix_admits(&update->sees_old, AUTHENTICATED, ann), !is_unknown);
    ck_assert_uint_eq(update->old_unknown, is_unknown ? BIT(AUTHENTICATED) : 0);
    gw_commit_free(commit);
}
END_TEST

START_TEST(test_judge_unreadable_policy_keeps_no_old_image)
{
    struct gw_catalog *catalog = fix_catalog();
    fx_policy(catalog, &catalog->tables[NOTES - TRIPS], BIT(AUTHENTICATED), "(app.nobody_knows())");
    fix_use(catalog);
    fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix_begin();
    fix_delete(NOTES, 'O', ROW("1", "ann", "x"));
    struct gw_case *c = fix_open();
    ck_assert_uint_eq(c->n_asks, 0);
    ck_assert_uint_eq(fix.stats.deletes_withheld, 1);
    gw_case_free(c);
}
END_TEST

/* Under FULL rows are one by the whole primary key or not at all. */
START_TEST(test_judge_half_a_primary_key_does_not_fold_rows)
{
    struct gw_catalog *catalog = fix_catalog();
    struct gw_catalog_column *body = &catalog->tables[NOTES - TRIPS].columns[2];
    body->in_primary_key = true;
    body->name = GW_SPAN_LIT("renamed");
    fix_use(catalog);
    fix_follow(1, SERVICE, "bot", NOTES);
    fix_begin();
    fix_insert(NOTES, ROW("1", "a", "x"));
    fix_update(NOTES, ROW("1", "a", "y", "1", "b", "y"));
    fix_delete(NOTES, 'O', ROW("1", "a", "z"));
    struct gw_commit *commit = fix_close(fix_open());
    ck_assert_uint_eq(commit->n_changes, 3);
    gw_commit_free(commit);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("judge");
    TCase *tc = tcase_create("judge");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_judge_paths_ask_only_where_needed);
    tcase_add_test(tc, test_judge_everyone_needs_no_question_for_any_event);
    tcase_add_test(tc, test_judge_unfollowed_and_unpublished_tables_tell_nobody);
    tcase_add_test(tc, test_judge_rows_of_one_caller_share_questions_up_to_the_bound);
    tcase_add_test(tc, test_judge_abandoned_case_frees_everything);
    tcase_add_test(tc, test_judge_equal_images_share_a_row_and_its_answer);
    tcase_add_test(tc, test_judge_images_that_differ_in_a_read_column_do_not_share);
    tcase_add_test(tc, test_judge_null_and_empty_do_not_share);
    tcase_add_loop_test(tc, test_judge_values_of_two_read_columns_do_not_run_together, 0,
                        sizeof APART / sizeof *APART);
    tcase_add_test(tc, test_judge_images_under_a_read_generated_column_do_not_share);
    tcase_add_test(tc, test_judge_old_and_new_alike_share_a_row);
    tcase_add_test(tc, test_judge_update_has_four_cells);
    tcase_add_test(tc, test_judge_delete_is_told_to_who_sees_old);
    tcase_add_test(tc, test_judge_change_nobody_sees_is_not_in_the_commit);
    tcase_add_test(tc, test_judge_policy_that_raises_keeps_the_visible_rows);
    tcase_add_test(tc, test_judge_old_images_of_a_blind_log_are_unknown);
    tcase_add_test(tc, test_judge_new_image_without_what_the_policy_reads_is_not_sent);
    tcase_add_loop_test(tc, test_judge_old_images_wait_for_no_touched_lookup, 0,
                        sizeof TOUCHES / sizeof *TOUCHES);
    tcase_add_test(tc, test_judge_unreadable_policy_keeps_no_old_image);
    tcase_add_test(tc, test_judge_half_a_primary_key_does_not_fold_rows);
    suite_add_tcase(s, tc);
    return wire_run(s);
}
