/* Joining: topics, bindings and their faults, legacy topics, bounds, the reply and its order. */
#include "channel_fixture.h"

START_TEST(test_join_without_bindings_is_answered_at_once)
{
    join("room", "4",
         "{\"config\":{\"broadcast\":{\"ack\":false,\"self\":false},\"presence\":"
         "{\"key\":\"\",\"enabled\":false},\"postgres_changes\":[],\"private\":false}}");
    ck_takes(ss, "[\"4\",\"4\",\"realtime:room\",\"phx_reply\",{\"status\":\"ok\",\"response\":"
                 "{\"postgres_changes\":[]}}]");
    ck_silent(ss);
    ck_assert_uint_eq(n_sent, 0);
    ck_assert_uint_eq(gw_shard_stats(shard)->joins, 1);
}
END_TEST

START_TEST(test_join_vsn1_is_answered_without_join_ref)
{
    struct gw_session *old = fix_client(GW_VSN_1);
    fix_say(old, "{\"topic\":\"realtime:room\",\"event\":\"phx_join\",\"payload\":{\"config\":{}},"
                 "\"ref\":\"1\",\"join_ref\":\"1\"}");
    ck_takes(old, "{\"topic\":\"realtime:room\",\"event\":\"phx_reply\",\"payload\":{\"status\":"
                  "\"ok\",\"response\":{\"postgres_changes\":[]}},\"ref\":\"1\"}");
    gw_session_gone(old);
}
END_TEST

START_TEST(test_join_with_presence_gets_presence_state)
{
    join("room", "4", "{\"config\":{\"presence\":{\"enabled\":\"true\"}}}");
    ck_has(fix_take(ss), "phx_reply");
    ck_takes(ss, "[\"4\",null,\"realtime:room\",\"presence_state\",{}]");
}
END_TEST

START_TEST(test_join_topic_faults_are_told)
{
    join("", "1", "{\"config\":{}}");
    ck_takes(ss, "[\"1\",\"1\",\"realtime:\",\"phx_reply\",{\"status\":\"error\",\"response\":"
                 "{\"reason\":\"TopicNameRequired: You must provide a topic name\"}}]");
    fix_say(ss, "[\"1\",\"1\",\"room\",\"phx_join\",{\"config\":{}}]");
    ck_takes(ss, "[\"1\",\"1\",\"room\",\"phx_reply\",{\"status\":\"error\",\"response\":"
                 "{\"reason\":\"unmatched topic\"}}]");
    ck_assert_uint_eq(gw_shard_stats(shard)->channels, 0);
}
END_TEST

START_TEST(test_join_private_is_unauthorized)
{
    join("a\\\"b", "1", "{\"config\":{\"private\":true},\"access_token\":\"good:0:1900000000:x\"}");
    ck_takes(ss, "[\"1\",\"1\",\"realtime:a\\\"b\",\"phx_reply\",{\"status\":\"error\","
                 "\"response\":{\"reason\":\"Unauthorized: You do not have permissions to read "
                 "from this Channel topic: a\\\"b\"}}]");
}
END_TEST

START_TEST(test_join_past_the_bound_is_refused)
{
    join("a", "1", "{\"config\":{}}");
    join("b", "2", "{\"config\":{}}");
    join("c", "3", "{\"config\":{}}");
    fix_discard(ss);
    join("d", "4", "{\"config\":{}}");
    ck_has(fix_take(ss), "{\"reason\":\"ChannelRateLimitReached: Too many channels\"}");
    join("c", "5", "{\"config\":{}}"); /* in the place of its old instance */
    ck_takes(ss, "[\"3\",\"3\",\"realtime:c\",\"phx_close\",{}]");
    ck_has(fix_take(ss), "\"ok\"");
}
END_TEST

START_TEST(test_join_over_100_bindings_is_refused)
{
    static char many[101 * 30];
    many[0] = '\0';
    for (int i = 0; i < 101; i++)
        strcat(many, i ? ",{\"table\":\"t\"}" : "{\"table\":\"t\"}");
    join_bindings("db", "1", many);
    ck_has(fix_take(ss), "InvalidJoinPayload");
    ck_assert_uint_eq(gw_shard_stats(shard)->channels, 0);
}
END_TEST

START_TEST(test_join_with_bindings_waits_for_the_hub)
{
    join_bindings("db", "2",
                  "{\"event\":\"*\",\"schema\":\"public\",\"table\":\"todos\",\"filter\":"
                  "\"id=eq.7\"},{\"event\":\"insert\",\"schema\":\"public\",\"table\":\"todos\"}");
    ck_silent(ss);
    struct gw_to_hub *asked = fix_asked();
    ck_assert_uint_eq(asked->worker, 3);
    ck_assert_uint_eq(asked->attempt, 1);
    ck_assert_ptr_eq(asked->claims, key_claims);
    ck_assert_uint_eq(asked->n_bindings, 2);
    ck_assert_uint_eq(asked->bindings[0].events, GW_EVENT_ALL);
    ck_assert_uint_eq(asked->bindings[1].events, GW_EVENT_INSERT);
    ck_assert_str_eq(asked->bindings[0].filter.column, "id");
    ck_assert_str_eq(asked->bindings[0].filter.value, "7");
    ck_assert_uint_ne(asked->bindings[0].id, asked->bindings[1].id);
    ck_assert_uint_lt(asked->bindings[0].id, 1u << 27);
    fix_subscribed(asked, 5, 1);
    char want[1024];
    snprintf(want, sizeof want,
             "[\"2\",\"2\",\"realtime:db\",\"phx_reply\",{\"status\":\"ok\",\"response\":"
             "{\"postgres_changes\":[{\"id\":%u,\"event\":\"*\",\"schema\":\"public\",\"table\":"
             "\"todos\",\"filter\":\"id=eq.7\"},{\"id\":%u,\"event\":\"insert\",\"schema\":"
             "\"public\",\"table\":\"todos\"}]}}]",
             asked->bindings[0].id, asked->bindings[1].id);
    ck_takes(ss, want);
    ck_takes(ss, SUBSCRIBED("2", "db"));
    ck_silent(ss);
}
END_TEST

START_TEST(test_join_defaults_are_filled_in)
{
    join_bindings("db", "1",
                  "{\"event\":\"UPDATE\",\"schema\":\"s\"},{\"event\":\"odd\",\"table\":\"t\"},"
                  "{\"schema\":\"*\",\"table\":\"t\",\"filter\":\"  \"}");
    struct gw_to_hub *asked = fix_asked();
    ck_assert_uint_eq(asked->n_bindings, 3);
    ck_assert_str_eq(asked->bindings[0].schema, "s");
    ck_assert_str_eq(asked->bindings[0].table, "*");
    ck_assert_uint_eq(asked->bindings[0].events, GW_EVENT_UPDATE);
    ck_assert_str_eq(asked->bindings[1].schema, "public");
    ck_assert_str_eq(asked->bindings[1].table, "t");
    ck_assert_uint_eq(asked->bindings[1].events, GW_EVENT_ALL);
    ck_assert_str_eq(asked->bindings[2].schema, "*");
    ck_assert_str_eq(asked->bindings[2].table, "*");
    ck_assert_ptr_null(asked->bindings[2].filter.column);
}
END_TEST

START_TEST(test_join_equal_bindings_share_an_id_and_are_asked_once)
{
    join_bindings("db", "1", TODOS "," TODOS);
    ck_assert_uint_eq(fix_asked()->n_bindings, 1);
    uint32_t id = fix_asked()->bindings[0].id;
    fix_subscribed(fix_asked(), 5, 1);
    char want[64];
    snprintf(want, sizeof want, "[{\"id\":%u,", id);
    ck_has(fix_take(ss), want);
    snprintf(want, sizeof want, "},{\"id\":%u,", id);
    ck_has(taken, want);
    join_bindings("other", "2", TODOS);
    ck_assert_uint_eq(fix_asked()->bindings[0].id, id);
}
END_TEST

/* Joined all the same, with the echo, then told; the hub is not asked. */
static void ck_faulty(const char *binding, const char *message)
{
    join_bindings("db", "1", binding);
    ck_has(fix_take(ss), "{\"status\":\"ok\",\"response\":{\"postgres_changes\":[{\"id\":");
    ck_has(fix_take(ss), "{\"extension\":\"postgres_changes\",\"status\":\"error\"");
    ck_has(taken, message);
    ck_silent(ss);
    ck_assert_uint_eq(n_sent, 0);
    fix_say(ss, "[\"1\",\"2\",\"realtime:db\",\"phx_leave\",{}]");
    fix_discard(ss);
}

START_TEST(test_join_faulty_bindings_are_told_and_left_joined)
{
    ck_faulty("{\"event\":\"*\"}",
              "No subscription params provided. Please provide at least a `schema` or `table` to "
              "subscribe to: {\\\"event\\\":\\\"*\\\"}");
    ck_faulty("{\"event\":\"*\",\"table\":\"t\",\"filter\":5}", "Error parsing `filter` params: ");
    ck_faulty("{\"event\":\"*\",\"table\":\"t\",\"filter\":\"wrong\"}",
              "Error parsing `filter` params: [\\\"wrong\\\"]");
    ck_faulty("{\"table\":\"t\",\"select\":[\"a\"]}", "select is not supported by this server yet");
    ck_faulty(TODOS ",{\"event\":\"*\",\"table\":\"t\",\"filter\":\"x=zz.1\"}", "Error parsing");
    ck_faulty("{}", "No subscription params");
}
END_TEST

START_TEST(test_join_empty_select_is_none)
{
    join_bindings("db", "1", "{\"table\":\"t\",\"select\":[]}");
    ck_assert_uint_eq(fix_asked()->n_bindings, 1);
}
END_TEST

START_TEST(test_join_refused_by_the_hub_is_joined_with_no_binding)
{
    join_bindings("db", "1", TODOS);
    fix_refused(fix_asked(), "Unable to subscribe \"x\"");
    ck_has(fix_take(ss), "\"status\":\"ok\",\"response\":{\"postgres_changes\":[{\"id\":");
    ck_takes(ss, "[\"1\",null,\"realtime:db\",\"system\",{\"extension\":\"postgres_changes\","
                 "\"status\":\"error\",\"message\":\"Unable to subscribe \\\"x\\\"\",\"channel\":"
                 "\"db\"}]");
    fix_insert(1, "1", "t");
    ck_silent(ss);
    ck_assert_uint_eq(gw_shard_stats(shard)->channels, 1);
}
END_TEST

START_TEST(test_join_legacy_takes_its_binding_from_the_topic)
{
    join("public:todos:title=eq.a:b", "1", "{}");
    struct gw_to_hub *asked = fix_asked();
    ck_assert_str_eq(asked->bindings[0].schema, "public");
    ck_assert_str_eq(asked->bindings[0].table, "todos");
    ck_assert_str_eq(asked->bindings[0].filter.value, "a:b");
    fix_subscribed(asked, 5, 1);
    ck_takes(ss, "[\"1\",\"1\",\"realtime:public:todos:title=eq.a:b\",\"phx_reply\",{\"status\":"
                 "\"ok\",\"response\":{\"postgres_changes\":[]}}]");
    ck_has(fix_take(ss), "Subscribed to PostgreSQL");
    fix_insert(1, "1", "a:b");
    ck_has(fix_take(ss), "[null,null,\"realtime:public:todos:title=eq.a:b\",\"INSERT\","
                         "{\"schema\":\"public\",\"table\":\"todos\",\"type\":\"INSERT\",");
    join("todos", "2", "{}");
    ck_assert_str_eq(fix_asked()->bindings[0].schema, "todos");
    ck_assert_str_eq(fix_asked()->bindings[0].table, "*");
}
END_TEST

START_TEST(test_join_second_closes_the_old_instance)
{
    joined_todos(5, 1);
    uint64_t old_id = fix_asked()->channel_id;
    join_bindings("db", "7", TODOS);
    ck_takes(ss, "[\"1\",\"1\",\"realtime:db\",\"phx_close\",{}]");
    ck_silent(ss);
    ck_assert_int_eq(sent[1]->kind, GW_TO_HUB_UNSUBSCRIBE);
    ck_assert_uint_eq(sent[1]->channel_id, old_id);
    ck_assert_uint_ne(fix_asked()->channel_id, old_id);
    fix_subscribed(sent[0], 5, 1); /* late, for the dead one */
    ck_silent(ss);
    fix_subscribed(fix_asked(), 5, 1);
    ck_has(fix_take(ss), "[\"7\",\"7\",");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("join");
    TCase *tc = tcase_create("join");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_join_without_bindings_is_answered_at_once);
    tcase_add_test(tc, test_join_vsn1_is_answered_without_join_ref);
    tcase_add_test(tc, test_join_with_presence_gets_presence_state);
    tcase_add_test(tc, test_join_topic_faults_are_told);
    tcase_add_test(tc, test_join_private_is_unauthorized);
    tcase_add_test(tc, test_join_past_the_bound_is_refused);
    tcase_add_test(tc, test_join_over_100_bindings_is_refused);
    tcase_add_test(tc, test_join_with_bindings_waits_for_the_hub);
    tcase_add_test(tc, test_join_defaults_are_filled_in);
    tcase_add_test(tc, test_join_equal_bindings_share_an_id_and_are_asked_once);
    tcase_add_test(tc, test_join_faulty_bindings_are_told_and_left_joined);
    tcase_add_test(tc, test_join_empty_select_is_none);
    tcase_add_test(tc, test_join_refused_by_the_hub_is_joined_with_no_binding);
    tcase_add_test(tc, test_join_legacy_takes_its_binding_from_the_topic);
    tcase_add_test(tc, test_join_second_closes_the_old_instance);
    suite_add_tcase(s, tc);
    return fix_run(s);
}
