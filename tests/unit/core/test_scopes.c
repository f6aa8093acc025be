/* Scope events: who is told that rows came into sight, or left it, without having changed. */
#include "fanout_fixture.h"

#define SCOPES "{\"scopes\":true}"

static struct gw_session *scoped(const char *bindings, uint32_t caller_id)
{
    return extended(SCOPES, 0, bindings, caller_id);
}

static void ck_scope(struct gw_session *ss, uint32_t id, const char *rest)
{
    char want[512];
    snprintf(
        want, sizeof want,
        "[null,null,\"realtime:db\",\"rowcast:scope\",{\"bindings\":[%u],\"schema\":\"public\","
        "\"table\":\"todos\",%s,\"commit_timestamp\":\"2027-01-15T08:00:00.417Z\"}]",
        id, rest);
    ck_takes(ss, want);
}

/* One scope, gained by everyone of role 0. */
static void gain(uint64_t seq)
{
    fix_commit_open(seq);
    fix_everyone(&fix_scope("7", true)->readers, 0);
    fix_commit();
}

START_TEST(test_scopes_gained_names_column_and_value)
{
    struct gw_session *a = scoped(ALL, 5);
    gain(1);
    ck_scope(a, id_asked(0), "\"column\":\"title\",\"value\":7,\"access\":\"gained\"");
    ck_silent(a);
    ck_assert_uint_eq(gw_shard_stats(shard)->scopes_matched, 1);
    ck_assert_uint_eq(gw_shard_stats(shard)->changes_matched, 0);
}
END_TEST

START_TEST(test_scopes_lost_of_the_whole_table_names_neither)
{
    struct gw_session *a = scoped(ALL, 5);
    fix_commit_open(1);
    struct gw_commit_scope *scope = fix_scope(NULL, false);
    scope->column = UINT32_MAX;
    scope->column_name = scope->value_json = (struct gw_span){0};
    fix_everyone(&scope->readers, 0);
    fix_commit();
    ck_scope(a, id_asked(0), "\"column\":null,\"value\":null,\"access\":\"lost\"");
}
END_TEST

START_TEST(test_scopes_go_to_those_who_asked_and_are_concerned)
{
    struct gw_session *not_asked = follower(ALL, 5),
                      *moves = extended("{\"moves\":true}", 0, ALL, 5);
    struct gw_session *named = scoped(ALL, 5), *other = scoped(ALL, 6);
    struct gw_session *other_role = extended(SCOPES, 1, ALL, 5);
    fix_commit_open(1);
    fix_include(&fix_scope("7", true)->readers, 0, 5);
    fix_commit();
    ck_silent(not_asked);
    ck_silent(moves);
    ck_has(fix_take(named), "gained");
    ck_silent(other);
    ck_silent(other_role);
}
END_TEST

START_TEST(test_scopes_hide_a_column_that_the_role_may_not_read)
{
    struct gw_session *may = scoped(ALL, 5), *may_not = extended(SCOPES, 2, ALL, 6);
    struct gw_session *nothing = extended(SCOPES, 3, ALL, 7),
                      *unknown = extended(SCOPES, 9, ALL, 8);
    fix_commit_open(1);
    struct gw_commit_scope *scope = fix_scope("\"hidden\"", true);
    scope->column = 2;
    scope->column_name = rel->columns[2].name;
    fix_everyone(&scope->readers, 0);
    fix_everyone(&scope->readers, 2);
    fix_everyone(&scope->readers, 3);
    fix_everyone(&scope->readers, 9);
    fix_commit();
    ck_has(fix_take(may), "\"column\":\"secret\",\"value\":\"hidden\"");
    ck_has(fix_take(may_not), "\"column\":null,\"value\":null,\"access\":\"gained\"");
    ck_silent(nothing);
    ck_silent(unknown);
}
END_TEST

START_TEST(test_scopes_of_a_column_outside_the_log_name_neither)
{
    struct gw_session *a = scoped(ALL, 5);
    fix_commit_open(1);
    struct gw_commit_scope *scope = fix_scope("7", true);
    scope->column = 3; /* generated: the relation has no such column */
    scope->column_name = GW_SPAN_LIT("sum");
    fix_everyone(&scope->readers, 0);
    fix_commit();
    ck_has(fix_take(a), "\"column\":null,\"value\":null");
}
END_TEST

START_TEST(test_scopes_need_a_binding_that_covers_the_table)
{
    struct gw_session *wild = scoped("{\"event\":\"*\",\"schema\":\"public\"}", 5);
    struct gw_session *every = scoped("{\"event\":\"*\",\"schema\":\"*\"}", 5);
    struct gw_session *elsewhere = scoped("{\"event\":\"*\",\"schema\":\"other\"}", 5);
    struct gw_session *table = scoped(ALL, 5);
    gain(1);
    ck_has(fix_take(wild), "gained");
    ck_has(fix_take(every), "gained");
    ck_silent(elsewhere);
    ck_has(fix_take(table), "gained");
    fix_commit_open(2);
    struct gw_commit_scope *scope = fix_scope("7", true);
    scope->rel_oid = FIX_REL_OID + 1;
    scope->schema = GW_SPAN_LIT("other");
    fix_everyone(&scope->readers, 0);
    fix_commit();
    ck_silent(table);
    ck_silent(wild);
    ck_has(fix_take(every), "\"schema\":\"other\"");
    ck_has(fix_take(elsewhere), "\"schema\":\"other\"");
}
END_TEST

START_TEST(test_scopes_list_bindings_whatever_their_event_and_filter)
{
    struct gw_session *a =
        scoped(INSERTS ",{\"event\":\"*\",\"table\":\"todos\",\"filter\":\"title=eq.x\"}", 5);
    uint32_t x = id_asked(0), y = id_asked(1);
    char want[64];
    gain(1);
    snprintf(want, sizeof want, "{\"bindings\":[%u,%u],", x < y ? x : y, x < y ? y : x);
    ck_has(fix_take(a), want);
    ck_silent(a);
}
END_TEST

START_TEST(test_scopes_come_after_the_changes_of_their_commit)
{
    struct gw_session *a = scoped(ALL, 5);
    fix_commit_open(1);
    fix_everyone(&fix_scope("7", true)->readers, 0);
    fix_everyone(&fix_scope("8", false)->readers, 0);
    fix_everyone(&fix_change(GW_OP_INSERT, NULL, fix_image("1", "t", "s"))->readers, 0);
    fix_commit();
    ck_has(fix_take(a), "INSERT");
    ck_has(fix_take(a), "\"value\":7,\"access\":\"gained\"");
    ck_has(fix_take(a), "\"value\":8,\"access\":\"lost\"");
    ck_silent(a);
}
END_TEST

START_TEST(test_scopes_of_earlier_commits_are_not_told)
{
    struct gw_session *a = keep(fix_client(GW_VSN_2));
    fix_say(
        a,
        "[\"1\",\"1\",\"realtime:db\",\"phx_join\",{\"config\":{\"broadcast\":{\"rowcast\":" SCOPES
        "},\"postgres_changes\":[" ALL "]}}]");
    fix_subscribed(fix_asked(), 5, 2);
    fix_discard(a);
    gain(1);
    ck_silent(a);
    gain(2);
    ck_has(fix_take(a), "gained");
}
END_TEST

START_TEST(test_scopes_share_one_frame_among_equal_views)
{
    struct gw_session *a = scoped(ALL, 5), *b = scoped(ALL, 6);
    struct gw_session *c = extended(SCOPES, 2, ALL, 7), *d = extended(SCOPES, 2, ALL, 8);
    fix_commit_open(1);
    struct gw_commit_scope *scope =
        fix_scope("7", true); /* role 2 has fewer columns, not this one */
    fix_everyone(&scope->readers, 0);
    fix_everyone(&scope->readers, 2);
    fix_commit();
    struct gw_frame *f = gw_outbox_peek(gw_session_outbox(a), 0);
    ck_assert_ptr_eq(gw_outbox_peek(gw_session_outbox(b), 0), f);
    ck_assert_ptr_eq(gw_outbox_peek(gw_session_outbox(c), 0), f);
    ck_assert_ptr_eq(gw_outbox_peek(gw_session_outbox(d), 0), f);
    ck_assert_uint_eq(f->refs, 4);
}
END_TEST

START_TEST(test_scopes_vsn1_message_is_an_object)
{
    struct gw_session *a = keep(fix_client(GW_VSN_1));
    fix_say(
        a,
        "{\"topic\":\"realtime:db\",\"event\":\"phx_join\",\"ref\":\"1\",\"payload\":{\"config\":"
        "{\"broadcast\":{\"rowcast\":" SCOPES "},\"postgres_changes\":[" ALL "]}}}");
    fix_subscribed(fix_asked(), 5, 1);
    fix_discard(a);
    gain(1);
    ck_has(fix_take(a), "{\"topic\":\"realtime:db\",\"event\":\"rowcast:scope\",\"payload\":"
                        "{\"bindings\":[");
    ck_has(taken, "\"commit_timestamp\":\"2027-01-15T08:00:00.417Z\"},\"ref\":null}");
}
END_TEST

/* One that was not told is told to load again. */
START_TEST(test_scopes_missed_by_a_session_behind_resync_the_channel)
{
    static const struct gw_shard_limits small = {
        .channels_per_session = 10, .outbox_bytes = 300, .idle_ms = 60000};
    gw_shard_free(shard);
    static const struct gw_shard_ops ops = {NULL, fix_verify, fix_to_hub};
    shard = gw_shard_new(3, 42, &ops, &small);
    struct gw_session *a = scoped(ALL, 5);
    gain(1);
    gain(2);
    gain(3);
    ck_has(fix_take(a), "gained");
    fix_discard(a);
    gw_session_drained(a);
    ck_has(fix_take(a), "phx_error");
    ck_silent(a);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("scopes");
    TCase *tc = tcase_create("scopes");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_scopes_gained_names_column_and_value);
    tcase_add_test(tc, test_scopes_lost_of_the_whole_table_names_neither);
    tcase_add_test(tc, test_scopes_go_to_those_who_asked_and_are_concerned);
    tcase_add_test(tc, test_scopes_hide_a_column_that_the_role_may_not_read);
    tcase_add_test(tc, test_scopes_of_a_column_outside_the_log_name_neither);
    tcase_add_test(tc, test_scopes_need_a_binding_that_covers_the_table);
    tcase_add_test(tc, test_scopes_list_bindings_whatever_their_event_and_filter);
    tcase_add_test(tc, test_scopes_come_after_the_changes_of_their_commit);
    tcase_add_test(tc, test_scopes_of_earlier_commits_are_not_told);
    tcase_add_test(tc, test_scopes_share_one_frame_among_equal_views);
    tcase_add_test(tc, test_scopes_vsn1_message_is_an_object);
    tcase_add_test(tc, test_scopes_missed_by_a_session_behind_resync_the_channel);
    suite_add_tcase(s, tc);
    return fix_run(s);
}
