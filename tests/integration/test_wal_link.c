/* The replication link against a real Postgres. */
#include "wal_fixture.h"

START_TEST(test_wal_link_streams_inserts_updates_and_deletes)
{
    struct hub h;
    hub_open(&h, "s1");
    hub_connected(&h);
    exec("INSERT INTO t VALUES (1, 'a')");
    exec("UPDATE t SET v = 'b' WHERE id = 1");
    exec("DELETE FROM t WHERE id = 1");
    expect(&h, GW_OP_INSERT, "1");
    expect(&h, GW_OP_UPDATE, "1");
    expect(&h, GW_OP_DELETE, "1");
    struct gw_wal_stats stats;
    gw_wal_link_stats(h.link, &stats);
    ck_assert(stats.connected);
    ck_assert_uint_ge(stats.transactions, 3);
    hub_close(&h);
    drop_slot("s1");
}
END_TEST

START_TEST(test_wal_link_pauses_at_a_relation_until_the_catalog_comes)
{
    struct hub h;
    hub_open(&h, "s2");
    hub_connected(&h);
    h.keeps_paused = true;
    exec("INSERT INTO t VALUES (2, 'a')");
    struct gw_wal_event *e = hub_wait(&h, GW_WAL_RELATION, GW_WAL_TXN);
    ck_assert_ptr_nonnull(e);
    hub_command(&h, GW_WAL_CATALOG, e->relation_no - 1); /* an older one does not end it */
    for (int i = 0; i < 50; i++) {
        ck_assert_ptr_null(gw_mailbox_pop(h.events));
        usleep(1000);
    }
    hub_command(&h, GW_WAL_CATALOG, e->relation_no);
    gw_wal_event_free(e);
    expect(&h, GW_OP_INSERT, "2");
    hub_close(&h);
    drop_slot("s2");
}
END_TEST

START_TEST(test_wal_link_loses_and_repeats_nothing_across_a_crash)
{
    struct hub h;
    hub_open(&h, "s3");
    hub_connected(&h);
    exec("INSERT INTO t VALUES (30, 'a')");
    exec("INSERT INTO t VALUES (31, 'a')");
    expect(&h, GW_OP_INSERT, "30");
    expect(&h, GW_OP_INSERT, "31"); /* neither is reported as flushed */
    gw_test_pg_restart(pg, GW_TEST_PG_IMMEDIATE);
    exec("INSERT INTO t VALUES (32, 'a')");
    ck_assert_int_eq(hub_failure(&h).code, GW_E_DATABASE_DOWN);
    hub_connected(&h);
    expect(&h, GW_OP_INSERT, "32");
    hub_close(&h);
    drop_slot("s3");
}
END_TEST

START_TEST(test_wal_link_lets_go_of_a_server_that_shuts_down)
{
    struct hub h;
    hub_open(&h, "s4");
    hub_connected(&h);
    exec("INSERT INTO t VALUES (40, 'a')");
    expect(&h, GW_OP_INSERT, "40"); /* not flushed: the walsender would wait */
    gw_test_pg_signal(pg, GW_TEST_PG_FAST);
    ck_assert(!gw_test_pg_wait_stopped(pg, 300));
    hub_command(&h, GW_WAL_CYCLE, 0);
    ck_assert(gw_test_pg_wait_stopped(pg, WAIT_MS));
    gw_test_pg_start(pg);
    exec("INSERT INTO t VALUES (41, 'a')");
    expect(&h, GW_OP_INSERT, "41");
    hub_close(&h);
    drop_slot("s4");
}
END_TEST

START_TEST(test_wal_link_terminated_comes_back)
{
    struct hub h;
    hub_open(&h, "s5");
    hub_connected(&h);
    exec("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name='s5'");
    struct gw_err err = hub_failure(&h);
    ck_assert_int_eq(err.code, GW_E_DATABASE_DOWN);
    ck_assert_ptr_nonnull(strstr(err.text, "57P01"));
    struct gw_wal_event *e = hub_wait(&h, GW_WAL_CONNECTED, -1);
    ck_assert(!e->is_gap);
    gw_wal_event_free(e);
    exec("INSERT INTO t VALUES (50, 'a')");
    expect(&h, GW_OP_INSERT, "50");
    hub_close(&h);
    drop_slot("s5");
}
END_TEST

START_TEST(test_wal_link_slot_made_anew_is_a_gap)
{
    struct hub h;
    hub_open(&h, "s6");
    hub_connected(&h);
    exec("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name='s6'");
    drop_slot("s6");
    struct gw_wal_event *e = hub_wait(&h, GW_WAL_CONNECTED, -1);
    ck_assert(e->is_gap);
    gw_wal_event_free(e);
    hub_close(&h);
    drop_slot("s6");
}
END_TEST

START_TEST(test_wal_link_reports_what_is_flushed_and_no_more)
{
    struct hub h;
    char lsn[GW_LSN_TEXT], sql[300];
    hub_open(&h, "s7");
    struct gw_lsn begin = hub_connected(&h);
    exec("INSERT INTO t VALUES (70, 'a')");
    struct gw_lsn end = expect(&h, GW_OP_INSERT, "70");
    gw_wal_link_set_flushed(h.link, (struct gw_lsn){end.v + (1 << 30)}); /* never received */
    gw_wal_link_set_flushed(h.link, end);
    gw_wal_link_set_flushed(h.link, begin); /* does not go back */
    snprintf(sql, sizeof sql,
             "SELECT confirmed_flush_lsn = '%s' FROM pg_replication_slots WHERE slot_name = 's7'",
             gw_lsn_format(end, lsn));
    ck_assert(wait_value(sql, "t"));
    hub_close(&h);
    drop_slot("s7");
}
END_TEST

START_TEST(test_wal_link_tells_progress_when_nothing_of_ours_happens)
{
    struct hub h;
    hub_open(&h, "s8");
    struct gw_lsn begin = hub_connected(&h);
    exec("CREATE TABLE elsewhere AS SELECT generate_series(1, 1000)");
    for (struct gw_lsn told = begin; told.v <= begin.v;) {
        struct gw_wal_event *e = hub_wait(&h, GW_WAL_PROGRESS, -1);
        told = e->lsn;
        gw_wal_event_free(e);
    }
    exec("DROP TABLE elsewhere");
    hub_close(&h);
    drop_slot("s8");
}
END_TEST

START_TEST(test_wal_link_full_mailbox_holds_the_stream_and_loses_nothing)
{
    struct hub h;
    char id[16];
    hub_open_as(&h, NULL, "s9", "pub", 4096); /* room for a transaction or two */
    hub_connected(&h);
    exec("DO $$ BEGIN FOR i IN 9000..9299 LOOP INSERT INTO t VALUES (i, repeat('x', 2000)); "
         "COMMIT; END LOOP; END $$");
    usleep(200000); /* nobody reads meanwhile */
    ck_assert_uint_lt(gw_mailbox_count(h.events), 10);
    for (int i = 9000; i < 9300; i++) {
        snprintf(id, sizeof id, "%d", i);
        expect(&h, GW_OP_INSERT, id);
    }
    hub_close(&h);
    drop_slot("s9");
}
END_TEST

START_TEST(test_wal_link_large_transaction_arrives_whole)
{
    struct hub h;
    hub_open(&h, "s10");
    hub_connected(&h);
    exec("INSERT INTO t SELECT i, repeat('y', 50) FROM generate_series(20000, 29999) AS i");
    struct gw_wal_event *e = hub_txn(&h);
    ck_assert_uint_eq(e->txn->n_changes, 10000);
    gw_wal_event_free(e);
    hub_close(&h);
    drop_slot("s10");
}
END_TEST

START_TEST(test_wal_link_slot_in_use_is_named_with_its_reader)
{
    struct hub first, second;
    hub_open(&first, "s11");
    hub_connected(&first);
    hub_open(&second, "s11");
    struct gw_err err = hub_failure(&second);
    ck_assert_int_eq(err.code, GW_E_SLOT_TAKEN);
    ck_assert_ptr_nonnull(strstr(err.hint, "pg_terminate_backend("));
    hub_close(&first);
    hub_connected(&second); /* takes over by itself */
    hub_close(&second);
    drop_slot("s11");
}
END_TEST

START_TEST(test_wal_link_foreign_slot_is_refused)
{
    struct hub h;
    exec("SELECT pg_create_physical_replication_slot('s12')");
    hub_open(&h, "s12");
    struct gw_err err = hub_failure(&h);
    ck_assert_int_eq(err.code, GW_E_SLOT_INVALID);
    ck_assert_ptr_nonnull(strstr(err.hint, "ROWCAST_SLOT"));
    hub_close(&h);
    drop_slot("s12");
}
END_TEST

START_TEST(test_wal_link_missing_publication_is_named_with_its_remedy)
{
    struct hub h;
    hub_open_as(&h, NULL, "s13", "pub, No\"Such'Pub", 0);
    struct gw_err err = hub_failure(&h);
    ck_assert_int_eq(err.code, GW_E_PUBLICATION_MISSING);
    ck_assert_ptr_nonnull(strstr(err.text, "No\"Such'Pub"));
    ck_assert_ptr_nonnull(strstr(err.hint, "CREATE PUBLICATION"));
    exec("CREATE PUBLICATION \"No\"\"Such'Pub\" FOR TABLE t"); /* it is picked up, and quoted right
                                                                */
    hub_connected(&h);
    exec("INSERT INTO t VALUES (130, 'a')");
    expect(&h, GW_OP_INSERT, "130");
    hub_close(&h);
    exec("DROP PUBLICATION \"No\"\"Such'Pub\"");
    drop_slot("s13");
}
END_TEST

START_TEST(test_wal_link_missing_privilege_is_named_with_its_remedy)
{
    struct hub h;
    exec("CREATE ROLE plain LOGIN");
    hub_open_as(&h, "plain", "s14", "pub", 0);
    struct gw_err err = hub_failure(&h);
    ck_assert_int_eq(err.code, GW_E_PRIVILEGE);
    ck_assert_ptr_nonnull(strstr(err.hint, "ALTER ROLE \"plain\" REPLICATION;"));
    exec("ALTER ROLE plain REPLICATION");
    hub_connected(&h);
    hub_close(&h);
    drop_slot("s14");
    exec("DROP ROLE plain");
}
END_TEST

START_TEST(test_wal_link_all_slots_used_is_named_with_its_remedy)
{
    struct hub h;
    exec(
        "SELECT pg_create_physical_replication_slot('full' || i) FROM generate_series(1, 12) AS i");
    hub_open(&h, "s15");
    struct gw_err err = hub_failure(&h);
    ck_assert_int_eq(err.code, GW_E_SLOT_INVALID);
    ck_assert_ptr_nonnull(strstr(err.hint, "max_replication_slots"));
    exec("SELECT pg_drop_replication_slot('full' || i) FROM generate_series(1, 12) AS i");
    hub_close(&h);
    drop_slot("s15");
}
END_TEST

START_TEST(test_wal_link_wrong_wal_level_is_named_with_its_remedy)
{
    struct hub h;
    exec("ALTER SYSTEM SET wal_level = replica");
    gw_test_pg_restart(pg, GW_TEST_PG_FAST);
    hub_open(&h, "s16");
    struct gw_err err = hub_failure(&h);
    ck_assert_int_eq(err.code, GW_E_WAL_LEVEL);
    ck_assert_ptr_nonnull(strstr(err.hint, "ALTER SYSTEM SET wal_level = logical;"));
    exec("ALTER SYSTEM RESET wal_level");
    gw_test_pg_restart(pg, GW_TEST_PG_FAST);
    hub_connected(&h);
    hub_close(&h);
    drop_slot("s16");
}
END_TEST

START_TEST(test_wal_link_conninfo_with_a_fault_does_not_leak_it)
{
    struct hub h;
    struct gw_err err = {0};
    h = (struct hub){
        .cfg = {.conninfo = "postgres//u:secret@h/d", .slot = "x", .publications = "p"}};
    h.link = gw_wal_link_new(&h.cfg);
    h.events = gw_mailbox_new(16, 0, NULL, NULL);
    h.commands = gw_mailbox_new(16, 0, gw_loop_wake, gw_wal_link_loop(h.link));
    ck_assert_int_eq(gw_wal_link_start(h.link, h.events, h.commands, &err), GW_OK);
    err = hub_failure(&h);
    ck_assert_int_eq(err.code, GW_E_SETTING);
    ck_assert_ptr_null(strstr(err.text, "secret"));
    h.cfg.conninfo = NULL;
    hub_close(&h);
}
END_TEST

START_TEST(test_wal_link_never_started_is_freed)
{
    struct gw_wal_config cfg = {.conninfo = "", .slot = "x", .publications = "p"};
    gw_wal_link_free(gw_wal_link_new(&cfg));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wal_link");
    TCase *tc = tcase_create("stream");
    tcase_set_timeout(tc, 120);
    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_wal_link_streams_inserts_updates_and_deletes);
    tcase_add_test(tc, test_wal_link_pauses_at_a_relation_until_the_catalog_comes);
    tcase_add_test(tc, test_wal_link_loses_and_repeats_nothing_across_a_crash);
    tcase_add_test(tc, test_wal_link_lets_go_of_a_server_that_shuts_down);
    tcase_add_test(tc, test_wal_link_terminated_comes_back);
    tcase_add_test(tc, test_wal_link_slot_made_anew_is_a_gap);
    tcase_add_test(tc, test_wal_link_reports_what_is_flushed_and_no_more);
    tcase_add_test(tc, test_wal_link_tells_progress_when_nothing_of_ours_happens);
    tcase_add_test(tc, test_wal_link_full_mailbox_holds_the_stream_and_loses_nothing);
    tcase_add_test(tc, test_wal_link_large_transaction_arrives_whole);
    tcase_add_test(tc, test_wal_link_slot_in_use_is_named_with_its_reader);
    tcase_add_test(tc, test_wal_link_foreign_slot_is_refused);
    tcase_add_test(tc, test_wal_link_missing_publication_is_named_with_its_remedy);
    tcase_add_test(tc, test_wal_link_missing_privilege_is_named_with_its_remedy);
    tcase_add_test(tc, test_wal_link_all_slots_used_is_named_with_its_remedy);
    tcase_add_test(tc, test_wal_link_wrong_wal_level_is_named_with_its_remedy);
    tcase_add_test(tc, test_wal_link_conninfo_with_a_fault_does_not_leak_it);
    tcase_add_test(tc, test_wal_link_never_started_is_freed);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* one server for all, threads in the link */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
