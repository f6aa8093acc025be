/* Moves: what an UPDATE is for whom it brought the row into sight, or took it out. */
#include "fanout_fixture.h"

#define MOVES "{\"moves\":true}"
#define UPDATES "{\"event\":\"UPDATE\",\"schema\":\"public\",\"table\":\"todos\"}"
#define DELETES "{\"event\":\"DELETE\",\"schema\":\"public\",\"table\":\"todos\"}"
#define FILTERED(filter) "{\"event\":\"*\",\"table\":\"todos\",\"filter\":\"" filter "\"}"

static struct gw_session *mover(const char *bindings, uint32_t caller_id)
{
    return extended(MOVES, 0, bindings, caller_id);
}

/* Role 0: caller 5 saw the old row alone, 6 sees the new one alone, 7 both, 8 neither. */
static struct gw_commit_change *move(uint64_t seq, struct gw_image *old, struct gw_image *new_)
{
    commit_->seq = seq;
    struct gw_commit_change *cc = fix_change(GW_OP_UPDATE, old, new_);
    fix_include(&cc->leavers, 0, 5);
    fix_include(&cc->readers, 0, 6);
    fix_include(&cc->readers, 0, 7);
    fix_include(&cc->sees_old, 0, 5);
    fix_include(&cc->sees_old, 0, 7);
    return cc;
}

static void move_titles(uint64_t seq)
{
    fix_commit_open(seq);
    move(seq, fix_image("1", "was", "s"), fix_image("1", "is", "s"));
    fix_commit();
}

START_TEST(test_moves_into_sight_is_an_insert)
{
    struct gw_session *a = mover(ALL, 6);
    move_titles(1);
    ck_change(a, id_asked(0),
              HEAD("INSERT") "\"record\":{\"id\":\"1\",\"title\":\"is\",\"secret\":\"s\"},"
                             "\"errors\":null}");
    ck_silent(a);
}
END_TEST

START_TEST(test_moves_out_of_sight_is_a_delete_with_the_key)
{
    struct gw_session *a = mover(ALL, 5);
    move_titles(1);
    ck_change(a, id_asked(0), HEAD("DELETE") "\"old_record\":{\"id\":\"1\"},\"errors\":null}");
    ck_silent(a);
    ck_assert_uint_eq(gw_shard_stats(shard)->changes_matched, 1);
}
END_TEST

START_TEST(test_moves_leave_those_who_see_both_or_neither_alone)
{
    struct gw_session *both = mover(ALL, 7), *neither = mover(ALL, 8);
    move_titles(1);
    ck_has(fix_take(both), "\"type\":\"UPDATE\"");
    ck_has(taken, "\"old_record\":{\"id\":\"1\",\"title\":\"was\",\"secret\":\"s\"}");
    ck_silent(both);
    ck_silent(neither);
}
END_TEST

START_TEST(test_moves_not_asked_for_change_nothing)
{
    struct gw_session *left = follower(ALL, 5), *came = follower(ALL, 6);
    struct gw_session *no = extended("{\"moves\":false,\"scopes\":true}", 0, ALL, 5);
    struct gw_session *asked = mover(ALL, 5); /* so that leavers are looked at */
    move_titles(1);
    ck_silent(left);
    ck_silent(no);
    ck_has(fix_take(came), "\"type\":\"UPDATE\"");
    ck_has(taken, "\"old_record\":{}");
    ck_has(fix_take(asked), "DELETE");
}
END_TEST

START_TEST(test_moves_are_not_claimed_where_the_old_image_is_unknown)
{
    struct gw_session *a = mover(ALL, 6), *other_role = extended(MOVES, 1, ALL, 9);
    fix_commit_open(1);
    struct gw_commit_change *cc = move(1, NULL, fix_image("1", "is", "s"));
    cc->old_unknown = 1;
    fix_everyone(&cc->readers, 1);
    fix_commit();
    ck_has(fix_take(a), "\"type\":\"UPDATE\"");
    ck_has(taken, "\"old_record\":{\"id\":\"1\"}");
    ck_has(fix_take(other_role), "\"type\":\"INSERT\"");
}
END_TEST

START_TEST(test_moves_go_by_the_bits_of_what_they_become)
{
    struct gw_session *left[3], *came[3];
    const char *const bindings[] = {INSERTS, UPDATES, DELETES};
    for (int i = 0; i < 3; i++) {
        left[i] = mover(bindings[i], 5);
        came[i] = mover(bindings[i], 6);
    }
    move_titles(1);
    ck_has(fix_take(came[0]), "\"type\":\"INSERT\"");
    ck_silent(came[1]);
    ck_silent(came[2]);
    ck_silent(left[0]);
    ck_silent(left[1]);
    ck_has(fix_take(left[2]), "\"type\":\"DELETE\"");
}
END_TEST

START_TEST(test_moves_out_of_sight_are_filtered_by_the_old_image)
{
    struct gw_session *was = mover(FILTERED("title=eq.was"), 5);
    struct gw_session *is = mover(FILTERED("title=eq.is"), 5);
    struct gw_session *came = mover(FILTERED("title=eq.is"), 6);
    move_titles(1);
    ck_has(fix_take(was), "\"type\":\"DELETE\"");
    ck_silent(is);
    ck_has(fix_take(came), "\"type\":\"INSERT\"");
    fix_commit_open(2);
    move(2, fix_image("1", NULL, NULL), fix_image("1", "was", "s"));
    fix_commit();
    ck_silent(was); /* the old title is not in the log */
}
END_TEST

START_TEST(test_moves_tell_the_old_key_when_it_changed)
{
    struct gw_session *left = mover(ALL, 5), *came = mover(ALL, 6);
    fix_commit_open(1);
    move(1, fix_image("1", NULL, NULL), fix_image("2", "is", "s"));
    fix_commit();
    ck_old(left, "\"old_record\":{\"id\":\"1\"}");
    ck_has(fix_take(came), "\"record\":{\"id\":\"2\"");
}
END_TEST

START_TEST(test_moves_without_an_old_image_have_the_key_if_it_was_kept)
{
    struct gw_session *left = mover(ALL, 5);
    fix_commit_open(1);
    move(1, NULL, fix_image("1", "is", "s"));
    fix_commit();
    ck_old(left, "\"old_record\":{\"id\":\"1\"}");
    views->key = (struct gw_colset){0};
    gw_colset_add(&views->key, 1); /* may have changed without the log saying so */
    fix_commit_open(2);
    move(2, NULL, fix_image("1", "is", "s"));
    fix_commit();
    ck_old(left, "\"old_record\":{}");
}
END_TEST

START_TEST(test_moves_of_rows_without_a_key_in_the_log_tell_what_it_carries)
{
    struct gw_session *left = mover(ALL, 5);
    views->key = (struct gw_colset){0};
    gw_colset_add(&views->key, 2);
    fix_commit_open(1);
    move(1, fix_image("1", NULL, NULL),
         fix_image("1", "is", "s")); /* the identity is another key */
    fix_commit();
    ck_old(left, "\"old_record\":{\"id\":\"1\"}");
    views->key = (struct gw_colset){0};
    fix_commit_open(2);
    move(2, fix_image("1", "was", "s"), fix_image("1", "is", "s"));
    fix_commit();
    ck_old(left, "\"old_record\":{\"id\":\"1\",\"title\":\"was\",\"secret\":\"s\"}");
}
END_TEST

START_TEST(test_moves_tell_no_more_of_the_key_than_the_role_may_read)
{
    struct gw_session *cut = extended(MOVES, 2, ALL, 9), *none = extended(MOVES, 3, ALL, 10);
    gw_colset_add(&views->key, 2); /* id, secret */
    fix_commit_open(1);
    struct gw_commit_change *cc =
        fix_change(GW_OP_UPDATE, fix_image("1", "was", "s"), fix_image("1", "is", "s"));
    fix_everyone(&cc->leavers, 2);
    fix_everyone(&cc->leavers, 3);
    fix_commit();
    ck_old(cut, "\"old_record\":{\"id\":\"1\"}");
    ck_silent(none);
}
END_TEST

START_TEST(test_moves_never_take_a_row_from_its_readers)
{
    struct gw_session *a = mover(ALL "," DELETES, 6);
    fix_commit_open(1);
    struct gw_commit_change *cc = move(1, fix_image("1", "was", "s"), fix_image("1", "is", "s"));
    fix_everyone(&cc->leavers, 0); /* wrongly names the reader too */
    fix_commit();
    ck_has(fix_take(a), "\"type\":\"INSERT\"");
    ck_silent(a);
}
END_TEST

START_TEST(test_moves_reach_wildcards_with_all_their_ids)
{
    struct gw_session *a = mover(ALL ",{\"event\":\"*\",\"schema\":\"*\"}," UPDATES, 5);
    uint32_t x = id_asked(0), y = id_asked(1);
    char want[64];
    move_titles(1);
    snprintf(want, sizeof want, "{\"ids\":[%u,%u],", x < y ? x : y, x < y ? y : x);
    ck_has(fix_take(a), want);
    ck_has(taken, "DELETE");
    ck_silent(a);
}
END_TEST

START_TEST(test_moves_share_frames_with_those_told_alike)
{
    struct gw_session *a = mover(ALL, 5), *b = mover(ALL, 5), *c = mover(ALL, 7);
    struct gw_session *d = follower(ALL, 7);
    move_titles(1);
    struct gw_frame *left = gw_outbox_peek(gw_session_outbox(a), 0);
    struct gw_frame *update = gw_outbox_peek(gw_session_outbox(c), 0);
    ck_assert_ptr_eq(gw_outbox_peek(gw_session_outbox(b), 0), left);
    ck_assert_ptr_ne(update, left);
    ck_assert_ptr_eq(gw_outbox_peek(gw_session_outbox(d), 0), update);
}
END_TEST

START_TEST(test_moves_end_with_the_channel_that_asked)
{
    struct gw_session *a = mover(ALL, 5), *b = follower(ALL, 5);
    fix_say(a, "[\"1\",\"2\",\"realtime:db\",\"phx_leave\",{}]");
    fix_discard(a);
    move_titles(1);
    ck_silent(a);
    ck_silent(b);
}
END_TEST

START_TEST(test_moves_and_scopes_are_told_to_the_hub_with_each_binding)
{
    mover(ALL "," INSERTS, 5);
    ck_assert_uint_eq(fix_asked()->n_bindings, 2);
    for (int i = 0; i < 2; i++) {
        ck_assert(fix_asked()->bindings[i].moves);
        ck_assert(!fix_asked()->bindings[i].scopes);
    }
    extended("{\"scopes\":\"true\"}", 0, ALL, 5);
    ck_assert(!fix_asked()->bindings[0].moves);
    ck_assert(fix_asked()->bindings[0].scopes);
    follower(ALL, 5);
    ck_assert(!fix_asked()->bindings[0].moves);
    ck_assert(!fix_asked()->bindings[0].scopes);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("moves");
    TCase *tc = tcase_create("moves");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_moves_into_sight_is_an_insert);
    tcase_add_test(tc, test_moves_out_of_sight_is_a_delete_with_the_key);
    tcase_add_test(tc, test_moves_leave_those_who_see_both_or_neither_alone);
    tcase_add_test(tc, test_moves_not_asked_for_change_nothing);
    tcase_add_test(tc, test_moves_are_not_claimed_where_the_old_image_is_unknown);
    tcase_add_test(tc, test_moves_go_by_the_bits_of_what_they_become);
    tcase_add_test(tc, test_moves_out_of_sight_are_filtered_by_the_old_image);
    tcase_add_test(tc, test_moves_tell_the_old_key_when_it_changed);
    tcase_add_test(tc, test_moves_without_an_old_image_have_the_key_if_it_was_kept);
    tcase_add_test(tc, test_moves_of_rows_without_a_key_in_the_log_tell_what_it_carries);
    tcase_add_test(tc, test_moves_tell_no_more_of_the_key_than_the_role_may_read);
    tcase_add_test(tc, test_moves_never_take_a_row_from_its_readers);
    tcase_add_test(tc, test_moves_reach_wildcards_with_all_their_ids);
    tcase_add_test(tc, test_moves_share_frames_with_those_told_alike);
    tcase_add_test(tc, test_moves_end_with_the_channel_that_asked);
    tcase_add_test(tc, test_moves_and_scopes_are_told_to_the_hub_with_each_binding);
    suite_add_tcase(s, tc);
    return fix_run(s);
}
