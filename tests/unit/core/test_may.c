/* What a caller may do with a topic: asked, answered, taken away by a commit. */
#include "channel_fixture.h"

#define DB GW_SPAN_LIT("realtime:db")
#define READ GW_MAY_READ_BROADCAST
#define ALL_BITS                                                                                   \
    (GW_MAY_READ_BROADCAST | GW_MAY_WRITE_BROADCAST | GW_MAY_READ_PRESENCE | GW_MAY_WRITE_PRESENCE)
#define REVOKED                                                                                    \
    "[\"1\",null,\"realtime:db\",\"system\",{\"extension\":\"system\",\"status\":\"error\","       \
    "\"message\":\"You no longer have permission to read from this Channel topic: db\","           \
    "\"channel\":\"db\"}]"
#define CLOSED "[\"1\",\"1\",\"realtime:db\",\"phx_close\",{}]"

/* The newest message of that kind, or NULL. */
static struct gw_to_hub *sent_last(enum gw_to_hub_kind kind)
{
    for (uint32_t i = n_sent; i > 0; i--)
        if (sent[i - 1]->kind == kind)
            return sent[i - 1];
    return NULL;
}

static void watch(void)
{
    ck_assert(gw_session_watch_may(ss, DB));
}

static void answer(uint32_t attempt, uint64_t live_seq, uint32_t may)
{
    struct gw_to_worker *m = fix_answer(GW_TO_WORKER_MAY, sent_last(GW_TO_HUB_MAY));
    m->attempt = attempt;
    m->live_seq = live_seq;
    m->may = may;
    gw_shard_on_hub(shard, m, now_);
}

static void add_revocation(uint32_t worker, uint64_t channel_id, uint32_t may)
{
    commit_->revocations[commit_->n_revocations++] =
        (struct gw_commit_revocation){worker, channel_id, may};
}

static void revoke(uint64_t seq, uint32_t may)
{
    fix_commit_open(seq);
    add_revocation(3, sent_last(GW_TO_HUB_MAY)->channel_id, may);
    fix_commit();
}

static uint32_t may(void)
{
    return gw_session_may(ss, DB);
}

START_TEST(test_may_question_names_topic_and_claims)
{
    joined_todos(5, 1);
    ck_assert_uint_eq(may(), 0);
    watch();
    watch(); /* is watched already */
    ck_assert_uint_eq(n_sent, 2);
    const struct gw_to_hub *m = sent[1];
    ck_assert_int_eq(m->kind, GW_TO_HUB_MAY);
    ck_assert_str_eq(m->topic, "db");
    ck_assert_ptr_eq(m->claims, key_claims);
    ck_assert_uint_eq(m->worker, 3);
    ck_assert_uint_eq(m->channel_id, sent[0]->channel_id);
    ck_assert_uint_eq(m->attempt, 1);
    ck_assert(!gw_session_watch_may(ss, GW_SPAN_LIT("realtime:none")));
}
END_TEST

START_TEST(test_may_answer_is_kept_and_given_up_with_the_channel)
{
    joined_todos(5, 1);
    watch();
    answer(1, 1, READ | GW_MAY_WRITE_BROADCAST);
    ck_assert_uint_eq(may(), READ | GW_MAY_WRITE_BROADCAST);
    ck_silent(ss);
    fix_say(ss, "[\"1\",\"2\",\"realtime:db\",\"phx_leave\",{}]");
    ck_assert_ptr_nonnull(sent_last(GW_TO_HUB_UNSUBSCRIBE));
    ck_assert_uint_eq(sent_last(GW_TO_HUB_MAY_END)->channel_id, sent[0]->channel_id);
    ck_assert_uint_eq(may(), 0);
}
END_TEST

START_TEST(test_may_channel_that_never_asked_has_nothing_to_end)
{
    joined_todos(5, 1);
    fix_commit_open(1);
    add_revocation(3, sent[0]->channel_id, 0);
    fix_commit();
    fix_say(ss, "[\"1\",\"2\",\"realtime:db\",\"phx_leave\",{}]");
    ck_has(fix_take(ss), "phx_reply");
    ck_assert_ptr_null(sent_last(GW_TO_HUB_MAY_END));
}
END_TEST

START_TEST(test_may_lost_read_ends_the_channel_before_the_changes_of_its_commit)
{
    joined_todos(5, 1);
    watch();
    answer(1, 1, ALL_BITS);
    fix_commit_open(1);
    add_revocation(3, sent[0]->channel_id, ALL_BITS & ~(uint32_t)READ);
    fix_everyone(&fix_change(GW_OP_INSERT, NULL, fix_image("1", "t", "s"))->readers, 0);
    fix_commit();
    ck_takes(ss, REVOKED);
    ck_takes(ss, CLOSED);
    ck_silent(ss);
    ck_assert_ptr_nonnull(sent_last(GW_TO_HUB_UNSUBSCRIBE));
    ck_assert_ptr_nonnull(sent_last(GW_TO_HUB_MAY_END));
    ck_assert_uint_eq(gw_shard_stats(shard)->revoked, 1);
    ck_assert_uint_eq(gw_shard_stats(shard)->channels, 0);
    join_bindings("db", "2", TODOS); /* the connection stays */
    fix_subscribed(fix_asked(), 5, 2);
    ck_has(fix_take(ss), "\"status\":\"ok\"");
}
END_TEST

START_TEST(test_may_ends_a_channel_without_bindings_too)
{
    join("db", "1", "{\"config\":{}}");
    fix_discard(ss);
    watch();
    answer(1, 1, GW_MAY_READ_PRESENCE);
    revoke(1, 0);
    ck_takes(ss, REVOKED);
    ck_takes(ss, CLOSED);
}
END_TEST

START_TEST(test_may_lost_or_gained_otherwise_is_only_kept)
{
    joined_todos(5, 1);
    watch();
    answer(1, 1, READ | GW_MAY_WRITE_BROADCAST);
    revoke(1, READ); /* what is left to do is to listen */
    ck_assert_uint_eq(may(), READ);
    revoke(2, READ | GW_MAY_READ_PRESENCE);
    ck_assert_uint_eq(may(), READ | GW_MAY_READ_PRESENCE);
    ck_silent(ss);
}
END_TEST

START_TEST(test_may_revocations_of_others_are_not_ours)
{
    joined_todos(5, 1);
    watch();
    answer(1, 1, READ);
    fix_commit_open(1);
    add_revocation(2, sent[0]->channel_id, 0);
    add_revocation(3, sent[0]->channel_id + 99, 0);
    fix_commit();
    ck_assert_uint_eq(may(), READ);
    ck_silent(ss);
}
END_TEST

START_TEST(test_may_later_point_of_the_stream_wins)
{
    joined_todos(5, 1);
    watch();
    revoke(3, 0); /* read before the answer, which is of before 2 */
    answer(1, 2, READ);
    ck_assert_uint_eq(may(), 0);
    refresh("\"good:0:1900000000:b\"");
    answer(2, 6, READ | GW_MAY_WRITE_BROADCAST); /* commits 4 and 5 are still to be read */
    revoke(4, 0);
    revoke(5, 0);
    ck_assert_uint_eq(may(), READ | GW_MAY_WRITE_BROADCAST);
    ck_silent(ss);
    revoke(6, 0);
    ck_takes(ss, REVOKED);
}
END_TEST

START_TEST(test_may_new_token_asks_again)
{
    joined_todos(5, 1);
    watch();
    answer(1, 1, READ);
    refresh("\"good:0:1900000000:b\"");
    struct gw_to_hub *m = sent_last(GW_TO_HUB_MAY);
    ck_assert_uint_eq(m->attempt, 2);
    ck_assert_ptr_ne(m->claims, key_claims);
    answer(1, 3, 0); /* to the old question */
    ck_assert_uint_eq(may(), READ);
    answer(2, 3, GW_MAY_WRITE_BROADCAST);
    ck_takes(ss, REVOKED);
    ck_takes(ss, CLOSED);
    answer(2, 4, READ); /* nobody is there any more */
    ck_silent(ss);
}
END_TEST

START_TEST(test_may_unsent_question_takes_the_newest_claims)
{
    joined_todos(5, 1);
    hub_is_full = true;
    watch();
    refresh("\"good:0:1900000000:b\"");
    ck_assert(gw_shard_is_congested(shard));
    hub_is_full = false;
    gw_shard_tick(shard, now_);
    ck_assert_uint_eq(n_sent, 3); /* two SUBSCRIBEs, one MAY */
    struct gw_to_hub *m = sent_last(GW_TO_HUB_MAY);
    ck_assert_uint_eq(m->attempt, 1);
    ck_assert(gw_span_is(m->claims->sub, "b"));
}
END_TEST

START_TEST(test_may_unsent_question_of_an_ended_channel_is_dropped)
{
    join("db", "1", "{\"config\":{}}");
    hub_is_full = true;
    watch();
    fix_say(ss, "[\"1\",\"2\",\"realtime:db\",\"phx_leave\",{}]");
    ck_assert(!gw_shard_is_congested(shard));
    join("db", "3", "{\"config\":{}}");
    hub_is_full = false;
    watch();
    answer(1, 1, READ);
    hub_is_full = true;
    refresh("\"good:0:1900000000:b\""); /* the hub knows the channel, but not this question */
    fix_say(ss, "[\"3\",\"4\",\"realtime:db\",\"phx_leave\",{}]");
    hub_is_full = false;
    gw_shard_tick(shard, now_);
    ck_assert_uint_eq(n_sent, 2);
    ck_assert_int_eq(sent[1]->kind, GW_TO_HUB_MAY_END);
}
END_TEST

START_TEST(test_may_lost_commits_resync_a_watched_channel)
{
    join("db", "1", "{\"config\":{}}");
    join("chat", "2", "{\"config\":{}}");
    fix_discard(ss);
    watch();
    gw_shard_on_lost(shard);
    ck_takes(ss, "[\"1\",\"1\",\"realtime:db\",\"phx_error\",{}]");
    ck_silent(ss);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("may");
    TCase *tc = tcase_create("may");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_may_question_names_topic_and_claims);
    tcase_add_test(tc, test_may_answer_is_kept_and_given_up_with_the_channel);
    tcase_add_test(tc, test_may_channel_that_never_asked_has_nothing_to_end);
    tcase_add_test(tc, test_may_lost_read_ends_the_channel_before_the_changes_of_its_commit);
    tcase_add_test(tc, test_may_ends_a_channel_without_bindings_too);
    tcase_add_test(tc, test_may_lost_or_gained_otherwise_is_only_kept);
    tcase_add_test(tc, test_may_revocations_of_others_are_not_ours);
    tcase_add_test(tc, test_may_later_point_of_the_stream_wins);
    tcase_add_test(tc, test_may_new_token_asks_again);
    tcase_add_test(tc, test_may_unsent_question_takes_the_newest_claims);
    tcase_add_test(tc, test_may_unsent_question_of_an_ended_channel_is_dropped);
    tcase_add_test(tc, test_may_lost_commits_resync_a_watched_channel);
    suite_add_tcase(s, tc);
    return fix_run(s);
}
