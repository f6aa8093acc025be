/* Tokens: verified at join, renewed on the channel, expiring. */
#include "channel_fixture.h"

START_TEST(test_token_join_token_is_verified_or_the_keys_stands)
{
    join("a", "1", "{\"config\":{},\"access_token\":\"sb_publishable_x\"}");
    ck_assert_uint_eq(n_verified, 0);
    ck_has(fix_take(ss), "\"ok\"");
    join("b", "2", "{\"config\":{},\"access_token\":\"bad\"}");
    ck_has(fix_take(ss), "{\"reason\":\"MalformedJWT: The token provided is not a valid JWT\"}");
    join("b", "3",
         "{\"config\":{},\"access_token\":\"bad\",\"user_token\":\"good:1:1900000000:x\"}");
    ck_has(fix_take(ss), "\"ok\"");
}
END_TEST

START_TEST(test_token_join_claims_go_to_the_hub)
{
    join("db", "1",
         "{\"config\":{\"postgres_changes\":[" TODOS "]},\"access_token\":"
         "\"good:2:1900000000:ann\"}");
    ck_assert_uint_eq(fix_asked()->claims->role_id, 2);
    ck_assert(gw_span_is(fix_asked()->claims->sub, "ann"));
}
END_TEST

START_TEST(test_token_join_with_expired_key_is_refused)
{
    struct gw_claims *key =
        gw_claims_new(0, GW_SPAN_LIT("anon"), GW_SPAN_LIT(""), FIX_EPOCH_S, GW_SPAN_LIT("{}"));
    struct gw_session *other = gw_session_open(shard, NULL, GW_VSN_2, key, now_);
    fix_say(other, "[\"1\",\"1\",\"realtime:a\",\"phx_join\",{\"config\":{}}]"); /* exp == now */
    ck_has(fix_take(other), "{\"reason\":\"InvalidJWTToken: Token has expired 0 seconds ago\"}");
    gw_session_gone(other);
    gw_claims_unref(key);
}
END_TEST

#define EXPIRED "{\"config\":{},\"access_token\":\"expired\"}"

START_TEST(test_token_join_expired_three_times_ends_in_close)
{
    for (int i = 0; i < 2; i++) {
        join("a", "1", EXPIRED);
        ck_has(fix_take(ss), "{\"reason\":\"InvalidJWTToken: Token has expired 7 seconds ago\"}");
        ck_silent(ss);
    }
    join("b", "9", EXPIRED); /* another topic has its own count */
    fix_take(ss);
    ck_silent(ss);
    join("a", "2", EXPIRED);
    ck_has(fix_take(ss), "InvalidJWTToken");
    ck_takes(ss, "[\"2\",\"2\",\"realtime:a\",\"phx_close\",{}]");
    ck_assert_uint_eq(gw_shard_stats(shard)->expired_tokens, 4);
}
END_TEST

START_TEST(test_token_join_expired_count_starts_anew_with_another_token)
{
    join("a", "1", EXPIRED);
    join("a", "1", EXPIRED);
    join("a", "1", "{\"config\":{},\"access_token\":\"expired too\"}");
    join("a", "1", "{\"config\":{},\"access_token\":\"expired too\"}");
    fix_discard(ss);
    join("a", "1", "{\"config\":{},\"access_token\":\"good:0:1900000000:x\"}");
    fix_discard(ss);
    join("a", "1", "{\"config\":{},\"access_token\":\"expired too\"}");
    ck_has(fix_take(ss), "phx_close"); /* of the joined instance */
    ck_has(fix_take(ss), "InvalidJWTToken");
    ck_silent(ss);
}
END_TEST

START_TEST(test_token_join_expired_on_many_topics_stays_bounded)
{
    char topic[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(topic, sizeof topic, "t%d", i);
        join(topic, "1", EXPIRED);
        fix_discard(ss);
    }
    for (int i = 0; i < 3; i++)
        join("last", "1", EXPIRED);
    gw_outbox_drop(gw_session_outbox(ss), 3);
    ck_has(fix_take(ss), "phx_close");
}
END_TEST

START_TEST(test_token_token_expiry_ends_in_phx_error)
{
    join("db", "1",
         "{\"config\":{\"postgres_changes\":[" TODOS "]},\"access_token\":"
         "\"good:1:1800000010:ann\"}");
    join("room", "2", "{\"config\":{},\"access_token\":\"good:1:1800000020:ann\"}");
    fix_subscribed(fix_asked(), 5, 1);
    fix_discard(ss);
    fix_at(9);
    gw_shard_tick(shard, now_);
    ck_silent(ss);
    fix_at(12);
    gw_shard_tick(shard, now_);
    ck_takes(ss, "[\"1\",null,\"realtime:db\",\"system\",{\"extension\":\"system\",\"status\":"
                 "\"error\",\"message\":\"Token has expired 2 seconds ago\",\"channel\":\"db\"}]");
    ck_takes(ss, "[\"1\",\"1\",\"realtime:db\",\"phx_error\",{}]");
    ck_silent(ss);
    ck_assert_int_eq(sent[n_sent - 1]->kind, GW_TO_HUB_UNSUBSCRIBE);
    ck_assert_uint_eq(gw_shard_stats(shard)->channels, 1);
    fix_at(20); /* exp == now is expired */
    gw_shard_tick(shard, now_);
    ck_has(fix_take(ss), "Token has expired 0 seconds ago");
}
END_TEST

START_TEST(test_token_refresh_that_changes_nothing_is_ignored)
{
    join("db", "1",
         "{\"config\":{\"postgres_changes\":[" TODOS "]},\"access_token\":"
         "\"good:1:1900000000:ann\"}");
    fix_subscribed(fix_asked(), 5, 1);
    fix_discard(ss);
    n_verified = 0;
    refresh("\"good:1:1900000000:ann\"");
    refresh("null");
    refresh("\"sb_secret_x\"");
    refresh("17");
    fix_say(ss, "[\"1\",\"8\",\"realtime:db\",\"access_token\",{}]");
    fix_say(ss, "[\"1\",\"8\",\"realtime:db\",\"access_token\",[]]");
    ck_assert_uint_eq(n_verified, 0);
    ck_assert_uint_eq(n_sent, 1);
    ck_silent(ss);
}
END_TEST

START_TEST(test_token_refresh_with_invalid_token_closes)
{
    static const char *const bad[] = {"\"bad\"", "\"\""};
    for (int i = 0; i < 2; i++) {
        joined_todos(5, 1);
        refresh(bad[i]);
        ck_takes(ss, "[\"1\",null,\"realtime:db\",\"system\",{\"extension\":\"system\",\"status\":"
                     "\"error\",\"message\":\"The token provided is not a valid JWT\",\"channel\":"
                     "\"db\"}]");
        ck_takes(ss, "[\"1\",\"1\",\"realtime:db\",\"phx_close\",{}]");
        ck_silent(ss);
        ck_assert_int_eq(sent[n_sent - 1]->kind, GW_TO_HUB_UNSUBSCRIBE);
    }
}
END_TEST

START_TEST(test_token_refresh_with_expired_token_lets_the_client_rejoin)
{
    joined_todos(5, 1);
    refresh("\"expired\"");
    ck_has(fix_take(ss), "Token has expired 7 seconds ago");
    ck_has(fix_take(ss), "phx_error");
}
END_TEST

START_TEST(test_token_refresh_keeps_the_old_identity_up_to_the_swap)
{
    joined_todos(5, 1);
    refresh("\"good:0:1900000000:ann\"");
    ck_assert_uint_eq(n_sent, 2);
    struct gw_to_hub *asked = fix_asked();
    ck_assert_uint_eq(asked->attempt, 2);
    ck_assert_uint_eq(asked->channel_id, sent[0]->channel_id);
    ck_assert_uint_eq(asked->bindings[0].id, sent[0]->bindings[0].id);
    ck_silent(ss);
    fix_commit_open(1);
    fix_include(&fix_change(GW_OP_INSERT, NULL, fix_image("1", "a", "s"))->readers, 0, 5);
    fix_commit();
    ck_has(fix_take(ss), "\"title\":\"a\"");
    fix_subscribed(asked, 6, 3); /* commits 3 and on are judged for caller 6 */
    ck_takes(ss, SUBSCRIBED("1", "db"));
    for (uint64_t seq = 2; seq <= 3; seq++) {
        fix_commit_open(seq);
        fix_include(&fix_change(GW_OP_INSERT, NULL, fix_image("1", "old", "s"))->readers, 0, 5);
        fix_include(&fix_change(GW_OP_INSERT, NULL, fix_image("1", "new", "s"))->readers, 0, 6);
        fix_commit();
        ck_has(fix_take(ss), seq == 2 ? "\"title\":\"old\"" : "\"title\":\"new\"");
        ck_silent(ss);
    }
}
END_TEST

START_TEST(test_token_refresh_during_a_refresh_waits_for_its_answer)
{
    joined_todos(5, 1);
    refresh("\"good:0:1900000000:a\"");
    refresh("\"good:0:1900000000:b\"");
    refresh("\"good:1:1900000000:c\"");
    ck_assert_uint_eq(n_sent, 2);
    fix_subscribed(sent[1], 6, 1);
    ck_assert_uint_eq(n_sent, 3); /* only the newest is asked with */
    ck_assert(gw_span_is(sent[2]->claims->sub, "c"));
    ck_assert_uint_eq(sent[2]->attempt, 3);
    fix_subscribed(sent[1], 6, 1); /* an old answer again */
    ck_takes(ss, SUBSCRIBED("1", "db"));
    ck_silent(ss);
    fix_subscribed(sent[2], 7, 1);
    ck_takes(ss, SUBSCRIBED("1", "db"));
}
END_TEST

START_TEST(test_token_refresh_moves_the_expiry)
{
    join("room", "1", "{\"config\":{},\"access_token\":\"good:1:1800000010:ann\"}");
    fix_discard(ss);
    fix_say(ss, "[\"1\",\"8\",\"realtime:room\",\"access_token\",{\"access_token\":"
                "\"good:1:1800000030:ann\"}]");
    fix_at(20);
    gw_shard_tick(shard, now_);
    ck_silent(ss);
    fix_at(31);
    gw_shard_tick(shard, now_);
    ck_has(fix_take(ss), "Token has expired 1 seconds ago");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("token");
    TCase *tc = tcase_create("token");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_token_join_token_is_verified_or_the_keys_stands);
    tcase_add_test(tc, test_token_join_claims_go_to_the_hub);
    tcase_add_test(tc, test_token_join_with_expired_key_is_refused);
    tcase_add_test(tc, test_token_join_expired_three_times_ends_in_close);
    tcase_add_test(tc, test_token_join_expired_count_starts_anew_with_another_token);
    tcase_add_test(tc, test_token_join_expired_on_many_topics_stays_bounded);
    tcase_add_test(tc, test_token_token_expiry_ends_in_phx_error);
    tcase_add_test(tc, test_token_refresh_that_changes_nothing_is_ignored);
    tcase_add_test(tc, test_token_refresh_with_invalid_token_closes);
    tcase_add_test(tc, test_token_refresh_with_expired_token_lets_the_client_rejoin);
    tcase_add_test(tc, test_token_refresh_keeps_the_old_identity_up_to_the_swap);
    tcase_add_test(tc, test_token_refresh_during_a_refresh_waits_for_its_answer);
    tcase_add_test(tc, test_token_refresh_moves_the_expiry);
    suite_add_tcase(s, tc);
    return fix_run(s);
}
