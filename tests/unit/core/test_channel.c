/* Channels once joined: pushes, leaving, and a hub that takes no messages. */
#include "channel_fixture.h"

/* ---- pushes and leaving ---- */

START_TEST(test_channel_leave_is_answered_then_closed)
{
    joined_todos(5, 1);
    fix_say(ss, "[\"1\",\"6\",\"realtime:db\",\"phx_leave\",{}]");
    ck_takes(ss, "[\"1\",\"6\",\"realtime:db\",\"phx_reply\",{\"status\":\"ok\",\"response\":{}}]");
    ck_takes(ss, "[\"1\",\"1\",\"realtime:db\",\"phx_close\",{}]");
    ck_silent(ss);
    ck_assert_int_eq(sent[n_sent - 1]->kind, GW_TO_HUB_UNSUBSCRIBE);
    fix_say(ss, "[\"1\",\"7\",\"realtime:db\",\"presence\",{}]");
    ck_has(fix_take(ss), "unmatched topic");
}
END_TEST

START_TEST(test_channel_leave_while_joining_drops_the_late_answer)
{
    join_bindings("db", "1", TODOS);
    fix_say(ss, "[\"1\",\"2\",\"realtime:db\",\"phx_leave\",{}]");
    fix_discard(ss);
    fix_subscribed(fix_asked(), 5, 1);
    ck_silent(ss);
    fix_insert(1, "1", "t");
    ck_silent(ss);
}
END_TEST

START_TEST(test_channel_leave_of_an_earlier_instance_does_not_end_this_one)
{
    joined_todos(5, 1);
    fix_say(ss, "[\"0\",\"6\",\"realtime:db\",\"phx_leave\",{}]");
    ck_takes(ss, "[\"0\",\"6\",\"realtime:db\",\"phx_reply\",{\"status\":\"ok\",\"response\":{}}]");
    ck_silent(ss);
    ck_assert_uint_eq(gw_shard_stats(shard)->channels, 1);
}
END_TEST

START_TEST(test_channel_presence_push_is_refused_whatever_its_join_ref)
{
    join("room", "1", "{\"config\":{}}");
    fix_discard(ss);
    fix_say(ss, "[\"0\",\"6\",\"realtime:room\",\"presence\",{\"event\":\"track\"}]");
    ck_takes(ss, "[\"1\",\"6\",\"realtime:room\",\"phx_reply\",{\"status\":\"error\",\"response\":"
                 "{\"reason\":\"Presence is not available on this server\"}}]");
    fix_say(ss, "[null,\"7\",\"realtime:room\",\"presence\",{\"event\":\"track\"}]");
    ck_has(fix_take(ss), "[\"1\",\"7\",");
}
END_TEST

START_TEST(test_channel_broadcast_without_ack_and_unknown_events_are_silent)
{
    join("room", "1", "{\"config\":{}}");
    fix_discard(ss);
    fix_say(ss, "[\"1\",\"6\",\"realtime:room\",\"broadcast\",{\"event\":\"x\"}]");
    fix_say(ss, "[\"1\",\"7\",\"realtime:room\",\"dance\",{}]");
    ck_silent(ss);
    ck_assert_uint_eq(gw_shard_stats(shard)->unknown_events, 1);
}
END_TEST

/* ---- a full hub ---- */

START_TEST(test_channel_full_hub_keeps_messages_in_order)
{
    joined_todos(5, 1);
    hub_is_full = true;
    ck_assert(!gw_shard_is_congested(shard));
    join_bindings("b", "2", TODOS);
    fix_say(ss, "[\"1\",\"6\",\"realtime:db\",\"phx_leave\",{}]");
    ck_assert(gw_shard_is_congested(shard));
    gw_shard_tick(shard, now_);
    ck_assert_uint_eq(n_sent, 1);
    hub_is_full = false;
    join_bindings("c", "3", TODOS); /* does not overtake */
    ck_assert_uint_eq(n_sent, 1);
    gw_shard_tick(shard, now_);
    ck_assert(!gw_shard_is_congested(shard));
    ck_assert_uint_eq(n_sent, 4);
    ck_assert_int_eq(sent[1]->kind, GW_TO_HUB_SUBSCRIBE);
    ck_assert_int_eq(sent[2]->kind, GW_TO_HUB_UNSUBSCRIBE);
    ck_assert_uint_eq(sent[2]->channel_id, sent[0]->channel_id);
    ck_assert_int_eq(sent[3]->kind, GW_TO_HUB_SUBSCRIBE);
}
END_TEST

START_TEST(test_channel_full_hub_keeps_one_message_per_channel)
{
    joined_todos(5, 1);
    hub_is_full = true;
    for (int i = 0; i < 50; i++) {
        join_bindings("b", "2", TODOS);
        fix_say(ss, "[\"2\",\"6\",\"realtime:b\",\"phx_leave\",{}]");
    }
    ck_assert(!gw_shard_is_congested(shard)); /* the hub never heard of them */
    refresh("\"good:0:1900000000:ann\"");
    ck_assert(gw_shard_is_congested(shard));
    fix_say(ss, "[\"1\",\"6\",\"realtime:db\",\"phx_leave\",{}]");
    hub_is_full = false;
    gw_shard_tick(shard, now_);
    ck_assert_uint_eq(n_sent, 2);
    ck_assert_int_eq(sent[1]->kind, GW_TO_HUB_UNSUBSCRIBE);
}
END_TEST

START_TEST(test_channel_full_hub_messages_are_freed_with_the_shard)
{
    hub_is_full = true;
    join_bindings("b", "2", TODOS);
    ck_assert(gw_shard_is_congested(shard));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("channel");
    TCase *tc = tcase_create("channel");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_channel_leave_is_answered_then_closed);
    tcase_add_test(tc, test_channel_leave_while_joining_drops_the_late_answer);
    tcase_add_test(tc, test_channel_leave_of_an_earlier_instance_does_not_end_this_one);
    tcase_add_test(tc, test_channel_presence_push_is_refused_whatever_its_join_ref);
    tcase_add_test(tc, test_channel_broadcast_without_ack_and_unknown_events_are_silent);
    tcase_add_test(tc, test_channel_full_hub_keeps_messages_in_order);
    tcase_add_test(tc, test_channel_full_hub_keeps_one_message_per_channel);
    tcase_add_test(tc, test_channel_full_hub_messages_are_freed_with_the_shard);
    suite_add_tcase(s, tc);
    return fix_run(s);
}
