/* What callers may do with private topics, with everything real but the sockets: TripSage's
 * policies on realtime.messages, compared answer by answer with Postgres, and taken back in the
 * commit that changes them. */
#include "hub_fixture.h"

#define OWNER "a0000000-0000-4000-8000-00000000000a"
#define GUEST "b0000000-0000-4000-8000-00000000000b"
#define STRANGER "c0000000-0000-4000-8000-00000000000c"
#define SESSION "5e550000-0000-4000-8000-000000000001"
#define SESSION_UPPER "5E550000-0000-4000-8000-000000000001"
#define LONE_SESSION "5e550000-0000-4000-8000-000000000002"
#define ALL_BITS 15u

static struct caller owner, guest, stranger, anon, nobody, service;

static void setup(void)
{
    pg = gw_test_pg_new();
    gw_test_pg_exec(pg, hub_schema);
    gw_test_pg_exec(pg,
                    "INSERT INTO trips VALUES (3, '" OWNER "'), (4, '" STRANGER "'); "
                    "INSERT INTO trip_collaborators (trip_id, user_id) VALUES (3, '" GUEST "'); "
                    "INSERT INTO chat_sessions VALUES ('" SESSION "', 3, '" GUEST "'), "
                    "('" LONE_SESSION "', NULL, '" STRANGER "')");
    owner = hub_caller(HUB_AUTHENTICATED, OWNER);
    guest = hub_caller(HUB_AUTHENTICATED, GUEST);
    stranger = hub_caller(HUB_AUTHENTICATED, STRANGER);
    anon = hub_caller(HUB_ANON, NULL);
    nobody = hub_caller(HUB_AUTHENTICATED, NULL);
    service = hub_caller(HUB_SERVICE, NULL);
    hub_open();
}

static void teardown(void)
{
    hub_close();
    gw_test_pg_free(pg);
}

static void compare(const struct caller *c, const char *topic)
{
    uint32_t may = hub_may(c, topic, NULL), right = hub_postgres_says(c, topic);
    ck_assert_msg(may == right, "%s on %s: %u, Postgres says %u", c->json, topic, may, right);
}

static void compare_all(const char *topic)
{
    const struct caller *const callers[] = {&owner, &guest, &stranger, &anon, &nobody, &service};
    for (size_t i = 0; i < sizeof callers / sizeof *callers; i++)
        compare(callers[i], topic);
}

START_TEST(test_hub_topics_answers_are_those_of_postgres)
{
    static const char *const topics[] = {"trip:3",
                                         "trip:4",
                                         "trip:5",
                                         "user:" OWNER,
                                         "user:" GUEST,
                                         "session:" SESSION,
                                         "session:" LONE_SESSION};
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        compare_all(topics[i]);
    ck_assert_uint_eq(hub_may(&guest, "trip:3", NULL), ALL_BITS);
    ck_assert_uint_eq(hub_may(&stranger, "trip:3", NULL), 0);
    ck_assert_uint_eq(hub_may(&owner, "session:" SESSION, NULL), ALL_BITS);
    ck_assert_uint_eq(hub_may(&stranger, "session:" SESSION, NULL), 0);
    ck_assert_uint_eq(hub_may(&service, "anything", NULL), ALL_BITS);
}
END_TEST

START_TEST(test_hub_topics_aliases_are_judged_as_postgres_does)
{
    static const char *const topics[] = {"trip:03",
                                         "trip:0003",
                                         "TRIP:3",
                                         "trip:3 ",
                                         "trip:3\n",
                                         " trip:3",
                                         "trips:3",
                                         "trip:-3",
                                         "trip:0x3",
                                         "trip:",
                                         "trip:3:4",
                                         "trip:9223372036854775807",
                                         "trip:99999999999999999999",
                                         "SESSION:" SESSION_UPPER,
                                         "session:" SESSION_UPPER,
                                         "Session:" SESSION,
                                         "session:" SESSION ":3",
                                         "session:not-a-uuid",
                                         "user:" OWNER ":extra",
                                         "USER:A0000000-0000-4000-8000-00000000000A",
                                         "user:{" OWNER "}",
                                         "unknown:3",
                                         "it's a topic",
                                         "x"};
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        compare_all(topics[i]);
    ck_assert_uint_eq(hub_may(&guest, "trip:03", NULL), ALL_BITS);
    ck_assert_uint_eq(hub_may(&guest, "TRIP:3", NULL), 0);
    ck_assert_uint_eq(hub_may(&guest, "trip:99999999999999999999", NULL), 0);
    ck_assert_uint_eq(hub_may(&guest, "SESSION:" SESSION_UPPER, NULL), ALL_BITS);
}
END_TEST

START_TEST(test_hub_topics_removed_collaborator_is_out_with_that_commit)
{
    uint64_t trip, session, owners;
    ck_assert_uint_eq(hub_may(&guest, "trip:3", &trip), ALL_BITS);
    ck_assert_uint_eq(hub_may(&guest, "session:" SESSION, &session), ALL_BITS);
    ck_assert_uint_eq(hub_may(&owner, "trip:3", &owners), ALL_BITS);
    gw_test_pg_exec(pg, "DELETE FROM trip_collaborators WHERE user_id = '" GUEST "'");
    struct told told = hub_wait_told(trip);
    ck_assert_uint_eq(told.may, 0);
    ck_assert(told.is_of_delete);
    ck_assert_uint_eq(told.n_revocations, 1); /* the session is his own, the owner stays */
    compare(&guest, "trip:3");
    compare(&guest, "session:" SESSION);

    gw_test_pg_exec(pg,
                    "INSERT INTO trip_collaborators (trip_id, user_id) VALUES (3, '" GUEST "')");
    told = hub_wait_told(trip);
    ck_assert_uint_eq(told.may, ALL_BITS);
    ck_assert_uint_eq(told.n_changes, 1);
    hub_end_topic(trip);
    hub_end_topic(session);
    hub_end_topic(owners);
}
END_TEST

START_TEST(test_hub_topics_sessions_follow_their_trip)
{
    uint64_t channel;
    ck_assert_uint_eq(hub_may(&owner, "SESSION:" SESSION_UPPER, &channel), ALL_BITS);
    gw_test_pg_exec(pg, "UPDATE chat_sessions SET trip_id = NULL WHERE id = '" SESSION "'");
    ck_assert_uint_eq(hub_wait_told(channel).may, 0);
    compare(&owner, "session:" SESSION);
    gw_test_pg_exec(pg, "UPDATE chat_sessions SET trip_id = 3 WHERE id = '" SESSION "'");
    ck_assert_uint_eq(hub_wait_told(channel).may, ALL_BITS);
    gw_test_pg_exec(pg, "UPDATE trips SET user_id = '" STRANGER "' WHERE id = 3");
    ck_assert_uint_eq(hub_wait_told(channel).may, 0);
    compare_all("trip:3");
    compare_all("session:" SESSION);
    gw_test_pg_exec(pg, "UPDATE trips SET user_id = '" OWNER "' WHERE id = 3");
    ck_assert_uint_eq(hub_wait_told(channel).may, ALL_BITS);
    hub_end_topic(channel);
}
END_TEST

/* With nothing installed the catalog is polled; no commit goes with the change. */
START_TEST(test_hub_topics_policy_change_judges_again)
{
    uint64_t channel;
    ck_assert_uint_eq(hub_may(&guest, "trip:3", &channel), ALL_BITS);
    gw_test_pg_exec(pg, "ALTER POLICY rtm_trip_topic_write ON realtime.messages WITH CHECK ("
                        "realtime.topic() ~ '^trip:[0-9]+$' AND extension = 'presence' AND "
                        "user_has_trip_access(auth.uid(), try_cast_bigint(rt_topic_suffix())))");
    for (int64_t until = gw_clock_mono_ms() + WAIT_MS;
         hub_may(&guest, "trip:3", NULL) != (ALL_BITS & ~GW_MAY_WRITE_BROADCAST); usleep(20000))
        ck_assert_msg(gw_clock_mono_ms() < until, "the policy was not taken up");
    ck_assert_uint_eq(part.told_channel, channel); /* he who is there hears of it, too */
    ck_assert_uint_eq(part.told_may, ALL_BITS & ~GW_MAY_WRITE_BROADCAST);
    compare_all("trip:3");
    hub_end_topic(channel);
    gw_test_pg_exec(pg, "ALTER POLICY rtm_trip_topic_write ON realtime.messages WITH CHECK ("
                        "realtime.topic() ~ '^trip:[0-9]+$' AND extension = ANY "
                        "(ARRAY['broadcast', 'presence']) AND "
                        "user_has_trip_access(auth.uid(), try_cast_bigint(rt_topic_suffix())))");
    for (int64_t until = gw_clock_mono_ms() + WAIT_MS; hub_may(&guest, "trip:3", NULL) != ALL_BITS;
         usleep(20000))
        ck_assert_msg(gw_clock_mono_ms() < until, "the policy was not taken back");
}
END_TEST

#define TOPICS 200
#define CALLERS 20

/* Trip 1000 + t belongs to caller t % CALLERS; caller 0 is a member of every tenth. */
START_TEST(test_hub_topics_many_callers_cost_the_database_nothing)
{
    char sub[CALLERS][40], topic[32], sql[500];
    struct caller callers[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        snprintf(sub[i], sizeof sub[i], "d0000000-0000-4000-8000-%012d", i);
        callers[i] = hub_caller(HUB_AUTHENTICATED, sub[i]);
    }
    snprintf(sql, sizeof sql,
             "INSERT INTO trips SELECT 1000 + t, ('d0000000-0000-4000-8000-' || "
             "lpad((t %% %d)::text, 12, '0'))::uuid FROM generate_series(0, %d) AS t; "
             "INSERT INTO trip_collaborators (trip_id, user_id) SELECT 1000 + t, '%s' "
             "FROM generate_series(1, %d, 10) AS t",
             CALLERS, TOPICS - 1, sub[0], TOPICS - 1);
    gw_test_pg_exec(pg, sql);
    for (int64_t until = gw_clock_mono_ms() + WAIT_MS;
         hub_may(&callers[7], "trip:1007", NULL) != ALL_BITS; usleep(20000))
        ck_assert_msg(gw_clock_mono_ms() < until, "the trips did not come");

    struct gw_db_stats before, first, then;
    gw_db_link_stats(part.db, &before);
    uint64_t channels[TOPICS * CALLERS];
    for (int round = 0; round < 2; round++) {
        uint64_t base = part.next_channel + 1;
        unsigned n_allowed = 0;
        for (int t = 0; t < TOPICS; t++) {
            snprintf(topic, sizeof topic, "trip:%d", 1000 + t);
            for (int c = 0; c < CALLERS; c++)
                channels[t * CALLERS + c] = hub_put_topic(&callers[c], topic);
        }
        for (int i = 0; i < TOPICS * CALLERS; i++) {
            uint64_t channel;
            uint32_t may = hub_take_answer(&channel);
            int t = (int)(channel - base) / CALLERS, c = (int)(channel - base) % CALLERS;
            bool is_right = t % CALLERS == c || (c == 0 && t % 10 == 1);
            ck_assert_msg(may == (is_right ? ALL_BITS : 0), "trip %d, caller %d: %u", t, c, may);
            n_allowed += may != 0;
        }
        ck_assert_uint_eq(n_allowed, TOPICS + TOPICS / 10);
        for (int i = 0; i < TOPICS * CALLERS; i++)
            hub_end_topic(channels[i]);
        gw_db_link_stats(part.db, round == 0 ? &first : &then);
    }
    /* What a topic needs of Postgres is asked once, whoever comes. */
    ck_assert_uint_le(first.evals - before.evals, TOPICS * 8);
    ck_assert_uint_eq(then.evals, first.evals);
    ck_assert_uint_eq(then.questions, before.questions);
}
END_TEST

START_TEST(test_hub_topics_database_restart_in_the_middle_loses_nothing)
{
    uint64_t trip;
    ck_assert_uint_eq(hub_may(&guest, "trip:3", &trip), ALL_BITS);
    gw_test_pg_restart(pg, GW_TEST_PG_FAST);
    gw_test_pg_exec(pg, "DELETE FROM trip_collaborators WHERE user_id = '" GUEST "'");
    struct told told = hub_wait_told(trip);
    ck_assert_uint_eq(told.may, 0);
    ck_assert(told.is_of_delete);
    gw_test_pg_restart(pg, GW_TEST_PG_IMMEDIATE);
    gw_test_pg_exec(pg,
                    "INSERT INTO trip_collaborators (trip_id, user_id) VALUES (3, '" GUEST "')");
    ck_assert_uint_eq(hub_wait_told(trip).may, ALL_BITS);
    hub_end_topic(trip);
    compare_all("trip:3");
    compare_all("session:" SESSION);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hub_topics");
    TCase *tc = tcase_create("topics");
    tcase_set_timeout(tc, 120);
    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_hub_topics_answers_are_those_of_postgres);
    tcase_add_test(tc, test_hub_topics_aliases_are_judged_as_postgres_does);
    tcase_add_test(tc, test_hub_topics_removed_collaborator_is_out_with_that_commit);
    tcase_add_test(tc, test_hub_topics_sessions_follow_their_trip);
    tcase_add_test(tc, test_hub_topics_policy_change_judges_again);
    tcase_add_test(tc, test_hub_topics_many_callers_cost_the_database_nothing);
    tcase_add_test(tc, test_hub_topics_database_restart_in_the_middle_loses_nothing);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* one server for all, threads in the links */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
