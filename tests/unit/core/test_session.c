/* Sessions: heartbeats, topics nobody joined, hostile bytes, being slow, being idle, closing. */
#include "shard_fixture.h"

static struct gw_session *ss;

static const struct gw_shard_limits limits = {
    .channels_per_session = 3, .outbox_bytes = 2000, .idle_ms = 60000};

static void setup(void)
{
    fix_open(&limits);
    fix_table_open();
    ss = fix_client(GW_VSN_2);
}

static void teardown(void)
{
    if (ss)
        gw_session_gone(ss);
    ss = NULL;
    fix_table_close();
    fix_close();
}

START_TEST(test_session_heartbeat_is_answered_without_join_ref)
{
    fix_say(ss, "[\"3\",\"9\",\"phoenix\",\"heartbeat\",{}]");
    ck_takes(ss, "[null,\"9\",\"phoenix\",\"phx_reply\",{\"status\":\"ok\",\"response\":{}}]");
    ck_silent(ss);
}
END_TEST

START_TEST(test_session_heartbeat_vsn1_is_answered_as_an_object)
{
    struct gw_session *old = fix_client(GW_VSN_1);
    fix_say(old, "{\"topic\":\"phoenix\",\"event\":\"heartbeat\",\"payload\":{},\"ref\":\"4\"}");
    ck_takes(old, "{\"topic\":\"phoenix\",\"event\":\"phx_reply\",\"payload\":{\"status\":\"ok\","
                  "\"response\":{}},\"ref\":\"4\"}");
    gw_session_gone(old);
}
END_TEST

START_TEST(test_session_event_on_unjoined_topic_is_unmatched)
{
    fix_say(ss, "[\"1\",\"2\",\"realtime:a\",\"broadcast\",{}]");
    ck_takes(ss, "[\"1\",\"2\",\"realtime:a\",\"phx_reply\",{\"status\":\"error\",\"response\":"
                 "{\"reason\":\"unmatched topic\"}}]");
    fix_say(ss, "[null,\"3\",\"phoenix\",\"other\",{}]");
    ck_has(fix_take(ss), "unmatched topic");
}
END_TEST

START_TEST(test_session_leave_of_unjoined_topic_is_ok)
{
    fix_say(ss, "[\"1\",\"2\",\"realtime:a\",\"phx_leave\",{}]");
    ck_takes(ss, "[\"1\",\"2\",\"realtime:a\",\"phx_reply\",{\"status\":\"ok\",\"response\":{}}]");
    ck_silent(ss);
}
END_TEST

START_TEST(test_session_malformed_frames_are_counted_and_dropped)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "null",
        "[1,2,3]",
        "[null,null,5,\"phx_join\",{}]",
        "\xff\xfe",
        "[[[[[[",
        "{\"topic\":\"phoenix\"}",
        "[null,null,\"a\",\"b\",{},1]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        fix_say(ss, bad[i]);
    gw_session_on_message(ss, GW_SPAN_LIT("\x03\xff\xff\xff"), true, now_);
    gw_session_on_message(ss, GW_SPAN_LIT("\x00"), true, now_);
    ck_assert_uint_eq(gw_shard_stats(shard)->malformed, sizeof bad / sizeof *bad + 2);
    ck_silent(ss);
    ck_assert_uint_eq(gw_session_close_code(ss), 0);
    fix_say(ss, "[null,\"9\",\"phoenix\",\"heartbeat\",{}]");
    ck_has(fix_take(ss), "\"ok\"");
}
END_TEST

START_TEST(test_session_huge_topic_and_refs_are_malformed)
{
    char text[4096], big[2049];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    snprintf(text, sizeof text, "[\"1\",\"1\",\"realtime:%s\",\"phx_join\",{}]", big);
    fix_say(ss, text);
    snprintf(text, sizeof text, "[\"1\",\"%s\",\"realtime:a\",\"phx_join\",{}]", big);
    fix_say(ss, text);
    snprintf(text, sizeof text, "[\"%s\",\"1\",\"realtime:a\",\"phx_join\",{}]", big);
    fix_say(ss, text);
    ck_assert_uint_eq(gw_shard_stats(shard)->malformed, 3);
    ck_assert_uint_eq(gw_shard_stats(shard)->channels, 0);
    ck_silent(ss);
}
END_TEST

/* Every prefix of a message, and every one with a byte changed: no crash, no lost connection. */
START_TEST(test_session_mutated_messages_are_survived)
{
    static const char join[] =
        "[\"1\",\"1\",\"realtime:a:b\",\"phx_join\",{\"config\":{\"presence\":{\"enabled\":true},"
        "\"postgres_changes\":[{\"event\":\"*\",\"schema\":\"public\",\"table\":\"todos\","
        "\"filter\":\"id=eq.\\\"1\\\"\"}]},\"access_token\":\"good:1:99999999999:x\"}]";
    char text[sizeof join];
    for (size_t n = 0; n < sizeof join; n++) {
        gw_session_on_message(ss, (struct gw_span){join, n}, false, now_);
        gw_session_on_message(ss, (struct gw_span){join, n}, true, now_);
        fix_discard(ss);
    }
    for (size_t i = 0; i + 1 < sizeof join; i++) {
        for (unsigned char flip = 1; flip != 0; flip = (unsigned char)(flip << 1)) {
            memcpy(text, join, sizeof join);
            text[i] = (char)(text[i] ^ flip);
            gw_session_on_message(ss, (struct gw_span){text, sizeof join - 1}, false, now_);
            fix_discard(ss);
            fix_forget_sent();
        }
    }
    ck_assert_uint_eq(gw_session_close_code(ss), 0);
    ck_assert_uint_le(gw_shard_stats(shard)->channels, limits.channels_per_session);
}
END_TEST

START_TEST(test_session_kind3_push_reaches_its_channel)
{
    fix_say(ss, "[\"1\",\"1\",\"realtime:r1\",\"phx_join\",{\"config\":{\"broadcast\":{\"ack\":"
                "\"TRUE\"}}}]");
    fix_discard(ss);
    static const char push[] = "\x03\x01\x01\x0b\x03\x00\x01"
                               "37realtime:r1cur{\"x\":1}";
    gw_session_on_message(ss, (struct gw_span){push, sizeof push - 1}, true, now_);
    ck_takes(ss, "[\"1\",\"7\",\"realtime:r1\",\"phx_reply\",{\"status\":\"error\",\"response\":"
                 "{\"reason\":\"Broadcast is not available on this server\"}}]");
}
END_TEST

START_TEST(test_session_dirty_list_names_each_session_once)
{
    ck_assert_ptr_null(gw_shard_next_dirty(shard));
    fix_say(ss, "[null,\"1\",\"phoenix\",\"heartbeat\",{}]");
    fix_say(ss, "[null,\"2\",\"phoenix\",\"heartbeat\",{}]");
    ck_assert_ptr_eq(gw_shard_next_dirty(shard), ss);
    ck_assert_ptr_null(gw_shard_next_dirty(shard));
    ck_assert_uint_eq(gw_session_outbox(ss)->count, 2);
}
END_TEST

START_TEST(test_session_idle_is_closed_and_active_is_not)
{
    struct gw_session *active = fix_client(GW_VSN_2);
    fix_at(59);
    gw_shard_tick(shard, now_);
    ck_assert_uint_eq(gw_session_close_code(ss), 0);
    fix_say(active, "[null,\"1\",\"phoenix\",\"heartbeat\",{}]");
    fix_at(61);
    gw_shard_tick(shard, now_);
    ck_assert_uint_eq(gw_session_close_code(ss), 1000);
    ck_assert_uint_eq(gw_session_close_code(active), 0);
    gw_session_gone(active);
}
END_TEST

START_TEST(test_session_close_1012_says_farewell_per_channel)
{
    fix_say(ss, "[\"1\",\"1\",\"realtime:a\",\"phx_join\",{\"config\":{}}]");
    fix_say(ss, "[\"2\",\"2\",\"realtime:b\",\"phx_join\",{\"config\":{}}]");
    fix_discard(ss);
    struct gw_to_worker *m = gw_alloc(sizeof *m);
    m->kind = GW_TO_WORKER_DRAIN;
    gw_shard_on_hub(shard, m, now_);
    ck_takes(ss,
             "[\"1\",null,\"realtime:a\",\"system\",{\"extension\":\"system\",\"status\":\"ok\","
             "\"message\":\"Server requested disconnect\",\"channel\":\"a\"}]");
    ck_has(fix_take(ss), "\"channel\":\"b\"");
    ck_silent(ss);
    ck_assert_uint_eq(gw_session_close_code(ss), 1012);
    ck_assert_ptr_eq(gw_shard_next_dirty(shard), ss);
}
END_TEST

START_TEST(test_session_closing_takes_nothing_more)
{
    gw_session_close(ss, 1009);
    gw_session_close(ss, 1012); /* the first reason stands */
    fix_say(ss, "[null,\"1\",\"phoenix\",\"heartbeat\",{}]");
    ck_silent(ss);
    ck_assert_uint_eq(gw_session_close_code(ss), 1009);
}
END_TEST

START_TEST(test_session_replies_past_the_reserve_close_with_1013)
{
    for (int i = 0; i < 5000 && !gw_session_close_code(ss); i++)
        fix_say(ss, "[null,\"1\",\"phoenix\",\"heartbeat\",{}]");
    ck_assert_uint_eq(gw_session_close_code(ss), 1013);
    ck_assert_uint_le(gw_session_outbox(ss)->bytes, limits.outbox_bytes + 65536);
    ck_assert_uint_gt(gw_session_outbox(ss)->bytes, limits.outbox_bytes);
}
END_TEST

START_TEST(test_session_gone_unsubscribes_every_channel)
{
    struct gw_session *f = fix_follower("db", "{\"event\":\"*\",\"table\":\"todos\"}", 5, 1);
    uint64_t id = fix_asked()->channel_id;
    gw_session_gone(f);
    ck_assert_uint_eq(n_sent, 2);
    ck_assert_int_eq(sent[1]->kind, GW_TO_HUB_UNSUBSCRIBE);
    ck_assert_uint_eq(sent[1]->channel_id, id);
    ck_assert_uint_eq(sent[1]->worker, 3);
    ck_assert_uint_eq(gw_shard_stats(shard)->sessions, 1);
    fix_insert(1, "1", "t"); /* nobody left */
}
END_TEST

/* ---- slow readers ---- */

static struct gw_session *fill(struct gw_session *f, uint64_t *seq)
{
    while (gw_shard_stats(shard)->slow_sessions == 0)
        fix_insert((*seq)++, "1", "some title");
    return f;
}

START_TEST(test_session_slow_falls_behind_and_resyncs_when_drained)
{
    uint64_t seq = 1;
    struct gw_session *f =
        fill(fix_follower("db", "{\"event\":\"*\",\"table\":\"todos\"}", 5, 1), &seq);
    uint32_t count = gw_session_outbox(f)->count;
    fix_insert(seq++, "2", "x"); /* smaller, but order would break */
    ck_assert_uint_eq(gw_session_outbox(f)->count, count);
    ck_assert_uint_le(gw_session_outbox(f)->bytes, limits.outbox_bytes);
    fix_say(f, "[null,\"9\",\"phoenix\",\"heartbeat\",{}]"); /* replies still go, in order */
    ck_assert_uint_eq(gw_session_outbox(f)->count, count + 1);
    fix_discard(f);
    gw_session_drained(f);
    ck_takes(f, "[\"1\",\"1\",\"realtime:db\",\"phx_error\",{}]");
    ck_assert_uint_eq(gw_shard_stats(shard)->resyncs, 1);
    ck_assert_int_eq(sent[n_sent - 1]->kind, GW_TO_HUB_UNSUBSCRIBE);
    gw_session_drained(f); /* once is enough */
    ck_silent(f);
    gw_session_gone(f);
}
END_TEST

START_TEST(test_session_slow_resyncs_only_channels_that_missed_something)
{
    uint64_t seq = 1;
    struct gw_session *f = fix_follower("db", "{\"event\":\"*\",\"table\":\"todos\"}", 5, 1);
    fix_say(f, "[\"2\",\"2\",\"realtime:chat\",\"phx_join\",{\"config\":{}}]");
    fill(f, &seq);
    fix_discard(f);
    gw_session_drained(f);
    ck_takes(f, "[\"1\",\"1\",\"realtime:db\",\"phx_error\",{}]");
    ck_silent(f);
    ck_assert_uint_eq(gw_shard_stats(shard)->channels, 1);
    gw_session_gone(f);
}
END_TEST

START_TEST(test_session_slow_leaves_the_others_alone)
{
    uint64_t seq = 1;
    struct gw_session *quick = fix_follower("db", "{\"event\":\"*\",\"table\":\"todos\"}", 6, 1);
    struct gw_session *slow = fix_follower("db", "{\"event\":\"*\",\"table\":\"todos\"}", 5, 1);
    for (int i = 0; i < 100; i++) {
        fix_insert(seq++, "1", "some title");
        ck_has(fix_take(quick), "some title");
    }
    ck_assert_uint_eq(gw_shard_stats(shard)->slow_sessions, 1);
    gw_session_gone(slow);
    gw_session_gone(quick);
}
END_TEST

START_TEST(test_session_change_larger_than_the_outbox_resyncs_at_once)
{
    char title[3000];
    memset(title, 'x', sizeof title - 1);
    title[sizeof title - 1] = '\0';
    struct gw_session *f = fix_follower("db", "{\"event\":\"*\",\"table\":\"todos\"}", 5, 1);
    fix_insert(1, "1", title);
    ck_takes(f, "[\"1\",\"1\",\"realtime:db\",\"phx_error\",{}]");
    ck_silent(f);
    gw_session_gone(f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("session");
    TCase *tc = tcase_create("session");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_session_heartbeat_is_answered_without_join_ref);
    tcase_add_test(tc, test_session_heartbeat_vsn1_is_answered_as_an_object);
    tcase_add_test(tc, test_session_event_on_unjoined_topic_is_unmatched);
    tcase_add_test(tc, test_session_leave_of_unjoined_topic_is_ok);
    tcase_add_test(tc, test_session_malformed_frames_are_counted_and_dropped);
    tcase_add_test(tc, test_session_huge_topic_and_refs_are_malformed);
    tcase_add_test(tc, test_session_mutated_messages_are_survived);
    tcase_add_test(tc, test_session_kind3_push_reaches_its_channel);
    tcase_add_test(tc, test_session_dirty_list_names_each_session_once);
    tcase_add_test(tc, test_session_idle_is_closed_and_active_is_not);
    tcase_add_test(tc, test_session_close_1012_says_farewell_per_channel);
    tcase_add_test(tc, test_session_closing_takes_nothing_more);
    tcase_add_test(tc, test_session_replies_past_the_reserve_close_with_1013);
    tcase_add_test(tc, test_session_gone_unsubscribes_every_channel);
    tcase_add_test(tc, test_session_slow_falls_behind_and_resyncs_when_drained);
    tcase_add_test(tc, test_session_slow_resyncs_only_channels_that_missed_something);
    tcase_add_test(tc, test_session_slow_leaves_the_others_alone);
    tcase_add_test(tc, test_session_change_larger_than_the_outbox_resyncs_at_once);
    suite_add_tcase(s, tc);
    return fix_run(s);
}
