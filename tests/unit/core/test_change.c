/* What a message of a change holds: record, old values, columns; both serializers. */
#include "fanout_fixture.h"

START_TEST(test_change_insert_has_record_only)
{
    struct gw_session *ss = follower(ALL, 5);
    fix_commit_open(1);
    fix_everyone(&fix_change(GW_OP_INSERT, NULL, fix_image("1", "0", "~"))->readers, 0);
    fix_commit();
    ck_change(ss, id_asked(0),
              HEAD("INSERT") "\"record\":{\"id\":\"1\",\"title\":null},\"errors\":null}");
    ck_silent(ss);
    ck_assert_uint_eq(gw_shard_stats(shard)->changes_matched, 1);
}
END_TEST

START_TEST(test_change_delete_has_old_record_only)
{
    struct gw_session *ss = follower(ALL, 5);
    fix_commit_open(1);
    fix_include(&fix_change(GW_OP_DELETE, fix_image("1", NULL, NULL), NULL)->readers, 0, 5);
    fix_commit();
    ck_change(ss, id_asked(0), HEAD("DELETE") "\"old_record\":{\"id\":\"1\"},\"errors\":null}");
}
END_TEST

START_TEST(test_change_vsn1_message_is_an_object)
{
    struct gw_session *ss = keep(fix_client(GW_VSN_1));
    fix_say(ss, "{\"topic\":\"realtime:db\",\"event\":\"phx_join\",\"ref\":\"1\",\"payload\":"
                "{\"config\":{\"postgres_changes\":[" ALL "]}}}");
    fix_subscribed(fix_asked(), 5, 1);
    fix_discard(ss);
    fix_insert(1, "1", "t");
    ck_has(fix_take(ss), "{\"topic\":\"realtime:db\",\"event\":\"postgres_changes\",\"payload\":"
                         "{\"ids\":[");
    ck_has(taken, "\"errors\":null}},\"ref\":null}");
}
END_TEST

START_TEST(test_change_topic_is_escaped)
{
    struct gw_session *ss = keep(fix_client(GW_VSN_2));
    fix_say(ss, "[\"1\",\"1\",\"realtime:a\\u0001\\\"b\",\"phx_join\",{\"config\":"
                "{\"postgres_changes\":[" ALL "]}}]");
    fix_subscribed(fix_asked(), 5, 1);
    fix_discard(ss);
    fix_insert(1, "1", "t");
    ck_has(fix_take(ss), "[null,null,\"realtime:a\\u0001\\\"b\",\"postgres_changes\",{\"ids\":[");
}
END_TEST

/* ---- UPDATE: which old values ---- */

/* Role 0's caller 5 sees the old image, caller 6 does not; role 1 can't be judged. */
static void update(struct gw_image *old, struct gw_image *new_)
{
    struct gw_commit_change *cc = fix_change(GW_OP_UPDATE, old, new_);
    fix_everyone(&cc->readers, 0);
    fix_everyone(&cc->readers, 1);
    fix_include(&cc->sees_old, 0, 5);
    cc->old_unknown = UINT64_C(1) << 1;
    fix_commit();
}

START_TEST(test_change_update_old_values_go_to_those_who_saw_them)
{
    struct gw_session *a = follower(ALL, 5), *b = follower(ALL, 6);
    struct gw_session *c = follower_of_role(1, ALL, 7);
    fix_commit_open(1);
    update(fix_image("1", "was", "s"), fix_image("1", "is", "s"));
    ck_old(a, "\"old_record\":{\"id\":\"1\",\"title\":\"was\",\"secret\":\"s\"}");
    ck_old(b, "\"old_record\":{}");
    ck_old(c, "\"old_record\":{\"id\":\"1\"}");
}
END_TEST

START_TEST(test_change_update_key_change_is_not_told_to_the_unjudged)
{
    struct gw_session *a = follower(ALL, 5), *c = follower_of_role(1, ALL, 7);
    fix_commit_open(1);
    update(fix_image("1", NULL, NULL), fix_image("2", "is", "s"));
    ck_old(a, "\"old_record\":{\"id\":\"1\"}");
    ck_old(c, "\"old_record\":{}");
}
END_TEST

START_TEST(test_change_update_without_old_image_has_the_key)
{
    struct gw_session *a = follower(ALL, 5), *b = follower(ALL, 6);
    struct gw_session *c = follower_of_role(1, ALL, 7);
    fix_commit_open(1);
    update(NULL, fix_image("1", "is", "~"));
    ck_old(a, "\"old_record\":{\"id\":\"1\"}");
    ck_lacks(taken, "secret\":");
    ck_old(b, "\"old_record\":{}");
    ck_old(c, "\"old_record\":{\"id\":\"1\"}");
}
END_TEST

START_TEST(test_change_update_without_old_image_keeps_silent_on_a_key_outside_the_identity)
{
    struct gw_session *a = follower(ALL, 5);
    views->key = (struct gw_colset){0};
    gw_colset_add(&views->key, 1); /* may have changed without the log saying so */
    fix_commit_open(1);
    update(NULL, fix_image("1", "is", "s"));
    ck_old(a, "\"old_record\":{}");
}
END_TEST

/* ---- columns ---- */

START_TEST(test_change_columns_are_cut_by_the_roles_view)
{
    struct gw_session *ss = follower_of_role(2, ALL, 5);
    fix_commit_open(1);
    struct gw_commit_change *cc =
        fix_change(GW_OP_UPDATE, fix_image("1", "was", "s1"), fix_image("1", "is", "s2"));
    fix_everyone(&cc->readers, 2);
    fix_everyone(&cc->sees_old, 2);
    fix_commit();
    ck_has(fix_take(ss),
           "\"columns\":[\"id\",\"title\"],\"record\":{\"id\":\"1\",\"title\":\"is\"},"
           "\"old_record\":{\"id\":\"1\",\"title\":\"was\"}");
    ck_lacks(taken, "s1");
    ck_lacks(taken, "s2");
}
END_TEST

START_TEST(test_change_role_without_columns_or_view_gets_nothing)
{
    struct gw_session *none = follower_of_role(3, ALL, 5), *unknown = follower_of_role(9, ALL, 6);
    fix_commit_open(1);
    struct gw_commit_change *cc = fix_change(GW_OP_INSERT, NULL, fix_image("1", "t", "s"));
    fix_everyone(&cc->readers, 3);
    fix_everyone(&cc->readers, 9);
    fix_everyone(&cc->readers, 65535);
    fix_commit();
    ck_silent(none);
    ck_silent(unknown);
}
END_TEST

START_TEST(test_change_filter_on_a_hidden_column_never_matches)
{
    const char *by_secret = "{\"event\":\"*\",\"table\":\"todos\",\"filter\":\"secret=eq.s\"}";
    struct gw_session *may = follower(by_secret, 5), *may_not = follower_of_role(2, by_secret, 6);
    fix_commit_open(1);
    struct gw_commit_change *cc = fix_change(GW_OP_INSERT, NULL, fix_image("1", "t", "s"));
    fix_everyone(&cc->readers, 0);
    fix_everyone(&cc->readers, 2);
    fix_commit();
    ck_has(fix_take(may), "\"record\"");
    ck_silent(may_not);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("change");
    TCase *tc = tcase_create("change");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_change_insert_has_record_only);
    tcase_add_test(tc, test_change_delete_has_old_record_only);
    tcase_add_test(tc, test_change_vsn1_message_is_an_object);
    tcase_add_test(tc, test_change_topic_is_escaped);
    tcase_add_test(tc, test_change_update_old_values_go_to_those_who_saw_them);
    tcase_add_test(tc, test_change_update_key_change_is_not_told_to_the_unjudged);
    tcase_add_test(tc, test_change_update_without_old_image_has_the_key);
    tcase_add_test(tc,
                   test_change_update_without_old_image_keeps_silent_on_a_key_outside_the_identity);
    tcase_add_test(tc, test_change_columns_are_cut_by_the_roles_view);
    tcase_add_test(tc, test_change_role_without_columns_or_view_gets_nothing);
    tcase_add_test(tc, test_change_filter_on_a_hidden_column_never_matches);
    suite_add_tcase(s, tc);
    return fix_run(s);
}
