/* The fan-out: who gets which change, in what order, what they share, who must resync. */
#include "fanout_fixture.h"

START_TEST(test_fanout_include_reaches_only_the_callers_named)
{
    struct gw_session *a = follower(ALL, 5), *b = follower(ALL, 6);
    fix_commit_open(1);
    fix_include(&fix_change(GW_OP_INSERT, NULL, fix_image("1", "t", "s"))->readers, 0, 6);
    fix_commit();
    ck_silent(a);
    ck_has(fix_take(b), "INSERT");
}
END_TEST

START_TEST(test_fanout_include_of_another_role_is_not_enough)
{
    struct gw_session *a = follower(ALL, 5);
    fix_commit_open(1);
    fix_include(&fix_change(GW_OP_INSERT, NULL, fix_image("1", "t", "s"))->readers, 1, 5);
    fix_commit();
    ck_silent(a);
}
END_TEST

START_TEST(test_fanout_exclude_spares_the_callers_named)
{
    struct gw_session *a = follower(ALL, 5), *b = follower(ALL, 6);
    fix_commit_open(1);
    fix_set(&fix_change(GW_OP_INSERT, NULL, fix_image("1", "t", "s"))->readers, 0,
            GW_PRINCIPALS_EXCLUDE, GW_PRINCIPAL_CALLER, 5);
    fix_commit();
    ck_silent(a);
    ck_has(fix_take(b), "INSERT");
}
END_TEST

START_TEST(test_fanout_clauses_over_unknown_principals_admit_nobody)
{
    struct gw_session *a = follower(ALL, 5);
    fix_commit_open(1);
    struct gw_commit_change *cc =
        fix_change(GW_OP_UPDATE, fix_image("1", "was", "s"), fix_image("1", "t", "s"));
    fix_set(&cc->readers, 0, GW_PRINCIPALS_EXCLUDE, GW_PRINCIPAL_CLAIM, 5);
    fix_set(&cc->readers, 0, GW_PRINCIPALS_EXCLUDE, GW_PRINCIPAL_GROUP, 9);
    fix_set(&cc->readers, 0, GW_PRINCIPALS_INCLUDE, GW_PRINCIPAL_GROUP, 5);
    fix_commit();
    ck_silent(a);
    fix_commit_open(2);
    cc = fix_change(GW_OP_UPDATE, fix_image("1", "was", "s"), fix_image("1", "t", "s"));
    fix_everyone(&cc->readers, 0);
    fix_set(&cc->sees_old, 0, GW_PRINCIPALS_EXCLUDE, GW_PRINCIPAL_CLAIM, 5);
    fix_commit();
    ck_old(a, "\"old_record\":{}");
}
END_TEST

START_TEST(test_fanout_overlapping_clauses_deliver_once)
{
    struct gw_session *a = follower(ALL, 5);
    fix_commit_open(1);
    struct gw_commit_change *cc = fix_change(GW_OP_INSERT, NULL, fix_image("1", "t", "s"));
    fix_include(&cc->readers, 0, 5);
    fix_everyone(&cc->readers, 0);
    fix_include(&cc->readers, 0, 5);
    fix_commit();
    ck_change(a, id_asked(0),
              HEAD("INSERT") "\"record\":{\"id\":\"1\",\"title\":\"t\",\"secret\":"
                             "\"s\"},\"errors\":null}");
    ck_silent(a);
}
END_TEST

/* ---- what ---- */

START_TEST(test_fanout_one_message_carries_all_ids_of_a_channel)
{
    struct gw_session *ss =
        follower(ALL "," INSERTS ",{\"event\":\"*\",\"schema\":\"*\"},{\"event\":\"*\",\"schema\":"
                     "\"other\"},{\"event\":\"DELETE\",\"table\":\"todos\"}",
                 5);
    uint32_t ids[3] = {id_asked(0), id_asked(1), id_asked(2)}, t;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 2; j++)
            if (ids[j] > ids[j + 1]) {
                t = ids[j];
                ids[j] = ids[j + 1];
                ids[j + 1] = t;
            }
    fix_insert(1, "1", "t");
    char want[128];
    snprintf(want, sizeof want, "{\"ids\":[%u,%u,%u],\"data\"", ids[0], ids[1], ids[2]);
    ck_has(fix_take(ss), want);
    ck_silent(ss);
}
END_TEST

START_TEST(test_fanout_event_mask_and_filter_decide)
{
    struct gw_session *in = follower(INSERTS, 5);
    struct gw_session *mine =
        follower("{\"event\":\"*\",\"table\":\"todos\",\"filter\":\"title=eq.mine\"}", 5);
    fix_insert(1, "1", "yours");
    ck_has(fix_take(in), "yours");
    ck_silent(mine);
    fix_commit_open(2);
    fix_everyone(
        &fix_change(GW_OP_UPDATE, fix_image("1", "yours", "s"), fix_image("1", "mine", "s"))
             ->readers,
        0);
    fix_everyone(
        &fix_change(GW_OP_UPDATE, fix_image("1", "mine", "s"), fix_image("1", "yours", "s"))
             ->readers,
        0);
    fix_everyone(&fix_change(GW_OP_DELETE, fix_image("1", "mine", NULL), NULL)->readers, 0);
    fix_everyone(&fix_change(GW_OP_DELETE, fix_image("1", NULL, NULL), NULL)->readers, 0);
    fix_commit();
    ck_silent(in);
    ck_has(fix_take(mine), "\"record\":{\"id\":\"1\",\"title\":\"mine\"");
    ck_has(fix_take(mine), "\"type\":\"DELETE\"");
    ck_silent(mine);
}
END_TEST

START_TEST(test_fanout_starts_at_the_live_commit)
{
    struct gw_session *ss = keep(fix_follower("db", ALL, 5, 3));
    fix_insert(1, "1", "a");
    fix_insert(2, "2", "b");
    fix_insert(3, "3", "c");
    ck_has(fix_take(ss), "\"title\":\"c\"");
    ck_silent(ss);
}
END_TEST

START_TEST(test_fanout_commits_keep_their_order)
{
    struct gw_session *a = follower(ALL, 5);
    fix_say(a, "[\"2\",\"2\",\"realtime:z\",\"phx_join\",{\"config\":{\"postgres_changes\":[" ALL
               "]}}]");
    fix_subscribed(fix_asked(), 5, 1);
    fix_discard(a);
    for (uint64_t seq = 1; seq <= 2; seq++) {
        fix_commit_open(seq);
        fix_everyone(&fix_change(GW_OP_INSERT, NULL, fix_image("1", "x", "s"))->readers, 0);
        fix_everyone(&fix_change(GW_OP_INSERT, NULL, fix_image("2", "x", "s"))->readers, 0);
        fix_commit();
    }
    for (int i = 0; i < 8; i++)
        ck_has(fix_take(a), i % 4 < 2 ? "\"id\":\"1\"" : "\"id\":\"2\"");
    ck_silent(a);
}
END_TEST

/* ---- sharing ---- */

START_TEST(test_fanout_equal_views_share_one_frame)
{
    struct gw_session *a = follower(ALL, 5), *b = follower(ALL, 6);
    struct gw_session *c = follower_of_role(1, ALL, 7), *d = follower_of_role(2, ALL, 8);
    struct gw_session *e = follower(ALL "," INSERTS, 9);
    fix_commit_open(1);
    struct gw_commit_change *cc = fix_change(GW_OP_INSERT, NULL, fix_image("1", "t", "s"));
    for (uint16_t role = 0; role < 3; role++)
        fix_everyone(&cc->readers, role);
    fix_commit();
    struct gw_frame *f = gw_outbox_peek(gw_session_outbox(a), 0);
    ck_assert_ptr_eq(gw_outbox_peek(gw_session_outbox(b), 0), f);
    ck_assert_ptr_eq(gw_outbox_peek(gw_session_outbox(c), 0), f); /* another role, the same view */
    ck_assert_ptr_ne(gw_outbox_peek(gw_session_outbox(d), 0), f); /* fewer columns */
    ck_assert_ptr_ne(gw_outbox_peek(gw_session_outbox(e), 0), f); /* more ids */
    ck_assert_uint_eq(f->refs, 3);
}
END_TEST

START_TEST(test_fanout_many_topics_and_ids_find_their_frames)
{
    char topic[32], bindings[128];
    for (int i = 0; i < 100; i++) {
        snprintf(topic, sizeof topic, "t%d", i % 50);
        snprintf(bindings, sizeof bindings,
                 "{\"event\":\"*\",\"table\":\"todos\",\"filter\":\"id=eq.%d\"}," ALL, i % 25);
        keep(fix_follower(topic, bindings, 5, 1));
    }
    fix_insert(1, "7", "t");
    for (int i = 0; i < 50; i++) { /* 0 and 50, 1 and 51, … are alike */
        struct gw_frame *f = gw_outbox_peek(gw_session_outbox(sessions[i]), 0);
        ck_assert_ptr_eq(gw_outbox_peek(gw_session_outbox(sessions[i + 50]), 0), f);
        ck_assert_uint_eq(f->refs, 2);
        snprintf(topic, sizeof topic, "\"realtime:t%d\"", i);
        fix_take(sessions[i]);
        ck_has(taken, topic);
        const char *comma = strchr(strstr(taken, "{\"ids\":["), ',');
        ck_assert_int_eq(comma < strchr(strstr(taken, "{\"ids\":["), ']'), i % 25 == 7);
    }
}
END_TEST

/* ---- resync ---- */

static void resync(uint64_t seq, uint32_t rel_oid)
{
    fix_commit_open(seq);
    commit_->resyncs[commit_->n_resyncs++] = (struct gw_resync){rel_oid, GW_E_TOO_BIG};
    fix_everyone(&fix_change(GW_OP_INSERT, NULL, fix_image("1", "t", "s"))->readers, 0);
    fix_commit();
}

START_TEST(test_fanout_resync_ends_the_channels_of_the_table)
{
    struct gw_session *a = follower(ALL "," INSERTS, 5);
    struct gw_session *wild = follower("{\"event\":\"*\",\"schema\":\"*\"}", 6);
    struct gw_session *later = keep(fix_follower("db", ALL, 7, 2));
    fix_say(a, "[\"2\",\"2\",\"realtime:chat\",\"phx_join\",{\"config\":{}}]");
    fix_discard(a);
    fix_forget_sent();
    resync(1, FIX_REL_OID);
    ck_takes(a, "[\"1\",\"1\",\"realtime:db\",\"phx_error\",{}]");
    ck_silent(a); /* neither the change of that commit nor the channel without bindings */
    ck_has(fix_take(wild), "phx_error");
    ck_silent(later);
    ck_assert_uint_eq(n_sent, 2);
    ck_assert_int_eq(sent[0]->kind, GW_TO_HUB_UNSUBSCRIBE);
    ck_assert_uint_eq(gw_shard_stats(shard)->resyncs, 2);
    fix_say(a, "[\"3\",\"3\",\"realtime:db\",\"phx_join\",{\"config\":{\"postgres_changes\":[" ALL
               "]}}]");
    fix_subscribed(fix_asked(), 5, 2);
    ck_has(fix_take(a), "[\"3\",\"3\",\"realtime:db\",\"phx_reply\"");
}
END_TEST

START_TEST(test_fanout_resync_of_another_table_is_not_ours)
{
    struct gw_session *a = follower(ALL, 5);
    resync(1, FIX_REL_OID + 1);
    ck_has(fix_take(a), "INSERT");
    ck_silent(a);
}
END_TEST

START_TEST(test_fanout_lost_commits_resync_every_live_channel)
{
    struct gw_session *a = follower(ALL, 5), *b = keep(fix_client(GW_VSN_2));
    fix_say(b, "[\"1\",\"1\",\"realtime:db\",\"phx_join\",{\"config\":{\"postgres_changes\":[" ALL
               "]}}]");
    gw_shard_on_lost(shard);
    ck_has(fix_take(a), "phx_error");
    ck_silent(b); /* still joining: its commits are yet to come */
    fix_insert(8, "1", "t");
    fix_subscribed(fix_asked(), 6, 9);
    ck_has(fix_take(b), "\"ok\"");
    ck_has(fix_take(b), "Subscribed");
    ck_silent(b);
}
END_TEST

START_TEST(test_fanout_subscription_heard_of_right_after_a_loss_resyncs)
{
    struct gw_session *a = keep(fix_client(GW_VSN_2));
    fix_say(a, "[\"1\",\"1\",\"realtime:db\",\"phx_join\",{\"config\":{\"postgres_changes\":[" ALL
               "]}}]");
    gw_shard_on_lost(shard);
    fix_subscribed(fix_asked(), 5, 4); /* whether 4 is among the lost, nobody can tell */
    gw_outbox_drop(gw_session_outbox(a), 2);
    ck_has(fix_take(a), "phx_error");
    ck_silent(a);
}
END_TEST

START_TEST(test_fanout_subscription_heard_of_too_late_resyncs)
{
    struct gw_session *a = keep(fix_client(GW_VSN_2));
    fix_say(a, "[\"1\",\"1\",\"realtime:db\",\"phx_join\",{\"config\":{\"postgres_changes\":[" ALL
               "]}}]");
    fix_insert(4, "1", "t");
    fix_subscribed(fix_asked(), 5, 4); /* commit 4 was its first, and is gone */
    ck_has(fix_take(a), "\"ok\"");
    ck_has(fix_take(a), "Subscribed");
    ck_has(fix_take(a), "phx_error");
    ck_silent(a);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fanout");
    TCase *tc = tcase_create("fanout");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_fanout_include_reaches_only_the_callers_named);
    tcase_add_test(tc, test_fanout_include_of_another_role_is_not_enough);
    tcase_add_test(tc, test_fanout_exclude_spares_the_callers_named);
    tcase_add_test(tc, test_fanout_clauses_over_unknown_principals_admit_nobody);
    tcase_add_test(tc, test_fanout_overlapping_clauses_deliver_once);
    tcase_add_test(tc, test_fanout_one_message_carries_all_ids_of_a_channel);
    tcase_add_test(tc, test_fanout_event_mask_and_filter_decide);
    tcase_add_test(tc, test_fanout_starts_at_the_live_commit);
    tcase_add_test(tc, test_fanout_commits_keep_their_order);
    tcase_add_test(tc, test_fanout_equal_views_share_one_frame);
    tcase_add_test(tc, test_fanout_many_topics_and_ids_find_their_frames);
    tcase_add_test(tc, test_fanout_resync_ends_the_channels_of_the_table);
    tcase_add_test(tc, test_fanout_resync_of_another_table_is_not_ours);
    tcase_add_test(tc, test_fanout_lost_commits_resync_every_live_channel);
    tcase_add_test(tc, test_fanout_subscription_heard_of_too_late_resyncs);
    tcase_add_test(tc, test_fanout_subscription_heard_of_right_after_a_loss_resyncs);
    suite_add_tcase(s, tc);
    return fix_run(s);
}
