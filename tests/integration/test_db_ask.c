/* Asks against a real Postgres: row level security, and policies that misbehave. */
#include "db_fixture.h"

START_TEST(test_db_ask_answers_each_caller_for_itself)
{
    struct gw_db_request *r = ask_new(4, 5000);
    const char *const *rows = ROWS("(1,ann,)", "(7,ann,)", "(2,bob,)", "(1001,ann,)");
    ask_add(r, "own", "ann", rows);
    ask_add(r, "own", "bob", rows);
    ask_add(r, "own", "o'b\\\"", rows); /* nobody, and no trouble with quoting */
    ask_add(r, "tenant", "ann", ROWS("(1,\\\"org of ann\\\")", "(2,\\\"org of bob\\\")"));
    r = asked(r);
    expect(r, 0, GW_OK, "1100");
    expect(r, 1, GW_OK, "0110");
    expect(r, 2, GW_OK, "0000");
    expect(r, 3, GW_OK, "10");
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_ask_policy_that_sleeps_costs_only_its_question)
{
    struct gw_db_request *r = ask_new(3, 5000);
    ask_add(r, "own", "ann", ROWS("(1,ann,)"));
    ask_add(r, "slow", "ann", ROWS("(1,x)"));
    ask_add(r, "own", "ann", ROWS("(2,bob,)", "(3,ann,)"));
    r = asked(r);
    expect(r, 0, GW_OK, "1");
    expect(r, 1, GW_E_BUDGET, "0");
    expect(r, 2, GW_OK, "01");
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_ask_past_the_deadline_is_over_budget)
{
    struct gw_db_request *r = ask_new(40, 700);
    for (int i = 0; i < 40; i++)
        ask_add(r, "slow", "ann", ROWS("(1,x)"));
    int64_t began = gw_clock_mono_ms();
    r = asked(r);
    ck_assert_int_lt(gw_clock_mono_ms() - began, 5000);
    for (uint32_t i = 0; i < 40; i++)
        expect(r, i, GW_E_BUDGET, "0");
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_ask_raising_row_is_denied_alone)
{
    struct gw_db_request *r = ask_new(3, 10000);
    ask_add(r, "picky", "ann", ROWS("(1,5)", "(2,bad)", "(3,0)", "(4,8)", "(5,word)", "(6,9)"));
    ask_add(r, "picky", "bob", ROWS("(1,bad)"));
    ask_add(r, "own", "ann", ROWS("(1,ann,)"));
    r = asked(r);
    expect(r, 0, GW_E_POLICY, "100101");
    ck_assert_ptr_null(strstr(r->questions[0].why, "word")); /* no row values in the log */
    expect(r, 1, GW_E_POLICY, "0");
    ck_assert_ptr_nonnull(strstr(r->questions[1].why, "P0001"));
    expect(r, 2, GW_OK, "1");
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_ask_hostile_policies_are_denied_and_change_nothing)
{
    struct gw_db_request *r = ask_new(6, 10000);
    char n[8];
    ask_add(r, "writer", "ann", ROWS("(1,x)", "(2,x)"));
    ask_add(r, "escape", "ann", ROWS("(1,x)"));
    ask_add(r, "own", "bob", ROWS("(1,ann,)", "(1,bob,)"));
    ask_add(r, "forge", "bob", ROWS("(1,x)"));
    ask_add(r, "own", "bob", ROWS("(1,ann,)", "(1,bob,)"));
    ask_add(r, "own", "ann", ROWS("(1,ann,)", "(1,bob,)"));
    r = asked(r);
    expect(r, 0, GW_E_POLICY, "00");
    expect(r, 1, GW_E_POLICY, "0");
    expect(r, 2, GW_OK, "01");
    expect(r, 3, GW_E_POLICY, "0");
    expect(r, 4, GW_OK, "01");
    expect(r, 5, GW_OK, "10");
    gw_db_request_free(r);
    ck_assert_str_eq(
        gw_test_pg_value(pg, "SELECT count(*) FROM members WHERE who = 'eve'", n, sizeof n), "0");
}
END_TEST

START_TEST(test_db_ask_spoofed_statements_answer_nothing)
{
    struct gw_db_request *r = ask_new(5, 10000);
    ask_add(r, "own", "bob", ROWS("(1,ann,)", "(1,bob,)"));
    ask_add(r, "spoof", "bob", ROWS("(1,x)"));
    ask_add(r, "own", "bob", ROWS("(1,ann,)", "(1,bob,)"));
    ask_add(r, "spoof", "bob", ROWS("(1,x)"));
    ask_add(r, "own", "bob", ROWS("(1,ann,)", "(1,bob,)"));
    r = asked(r);
    expect(r, 0, GW_OK, "01");
    expect(r, 1, GW_E_POLICY, "0");
    expect(r, 2, GW_OK, "01");
    expect(r, 3, GW_E_POLICY, "0");
    expect(r, 4, GW_OK, "01");
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_ask_row_of_another_shape_is_unsupported)
{
    struct gw_db_request *r = ask_new(3, 10000);
    ask_add(r, "own", "ann", ROWS("(1,ann,,extra)"));
    ask_add(r, "own", "ann", ROWS("(1,ann,)"));
    ask_add(r, "own", "ann", ROWS("(1,ann,)"));
    r->questions[2].sql = GW_SPAN_LIT("SELECT nothing_like_it FROM pg_catalog.unnest($1) AS own");
    r->questions[2].rel_oid = 4242;
    r = asked(r);
    expect(r, 0, GW_E_UNSUPPORTED, "0");
    expect(r, 1, GW_OK, "1");
    expect(r, 2, GW_E_UNSUPPORTED, "0");
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_ask_follows_a_new_generation)
{
    gw_test_pg_exec(pg, "ALTER TABLE own ADD COLUMN extra text");
    load_catalog();
    struct gw_db_request *r = ask_new(1, 10000);
    ask_add(r, "own", "ann", ROWS("(1,ann,,x)", "(1,bob,,x)"));
    r = asked(r);
    expect(r, 0, GW_OK, "10");
    gw_db_request_free(r);
    gw_test_pg_exec(pg, "ALTER TABLE own DROP COLUMN extra");
    load_catalog();
}
END_TEST

START_TEST(test_db_ask_large_batch)
{
    static char text[1000][24];
    static const char *rows[1001];
    struct gw_db_request *r = ask_new(300, 30000);
    for (int i = 0; i < 1000; i++) {
        snprintf(text[i], sizeof text[i], "(%d,u%d,)", i, i % 300);
        rows[i] = text[i];
    }
    for (int i = 0; i < 300; i++) {
        char sub[8];
        snprintf(sub, sizeof sub, "u%d", i);
        ask_add(r, "own", sub, rows);
    }
    r = asked(r);
    ck_assert_int_eq(r->code, GW_OK);
    for (int i = 0; i < 300; i++) {
        ck_assert_int_eq(r->questions[i].code, GW_OK);
        for (int k = 0; k < 1000; k++)
            ck_assert_int_eq(r->questions[i].visible[k], k % 300 == i);
    }
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_ask_waits_for_the_transaction_to_be_visible)
{
    char xid[32];
    struct gw_db_stats stats;
    struct gw_db_request *r = ask_new(1, 400);
    ask_add(r, "own", "ann", ROWS("(1,ann,)"));
    gw_test_pg_value(pg, "SELECT pg_current_xact_id()", xid, sizeof xid);
    r->xid = (uint32_t)strtoul(xid, NULL, 10);
    r = asked(r);
    expect(r, 0, GW_OK, "1");
    gw_db_request_free(r);
    r = ask_new(1, 400);
    ask_add(r, "own", "ann", ROWS("(1,ann,)"));
    r->xid = (uint32_t)strtoul(xid, NULL, 10) + 1000; /* not yet */
    r = asked(r);
    expect(r, 0, GW_E_BUDGET, "0");
    gw_db_request_free(r);
    gw_db_link_stats(link_, &stats);
    ck_assert_uint_gt(stats.invisible_retries, 3);
    r = ask_new(1, 20000);
    ask_add(r, "own", "ann", ROWS("(1,ann,)"));
    r->xid = (uint32_t)strtoul(xid, NULL, 10) + 5;
    push(r);
    for (int i = 0; i < 8; i++) /* until it is */
        gw_test_pg_value(pg, "SELECT pg_current_xact_id()", xid, sizeof xid);
    r = pop();
    expect(r, 0, GW_OK, "1");
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_ask_connection_killed_mid_ask_is_asked_again)
{
    struct gw_db_request *r = ask_new(1, 5000);
    ask_add(r, "slow", "ann", ROWS("(1,x)"));
    push(r);
    for (int i = 0; i < 200 && gw_mailbox_count(replies) == 0; i++)
        gw_test_pg_exec(pg, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                            "WHERE usename = 'asker' AND query LIKE '%slow()%'");
    r = pop();
    ck_assert_int_eq(r->code, GW_E_DATABASE_DOWN);
    gw_db_request_free(r);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("db");
    tcase_add_test(tc, test_db_ask_answers_each_caller_for_itself);
    tcase_add_test(tc, test_db_ask_policy_that_sleeps_costs_only_its_question);
    tcase_add_test(tc, test_db_ask_past_the_deadline_is_over_budget);
    tcase_add_test(tc, test_db_ask_raising_row_is_denied_alone);
    tcase_add_test(tc, test_db_ask_hostile_policies_are_denied_and_change_nothing);
    tcase_add_test(tc, test_db_ask_spoofed_statements_answer_nothing);
    tcase_add_test(tc, test_db_ask_row_of_another_shape_is_unsupported);
    tcase_add_test(tc, test_db_ask_follows_a_new_generation);
    tcase_add_test(tc, test_db_ask_large_batch);
    tcase_add_test(tc, test_db_ask_waits_for_the_transaction_to_be_visible);
    tcase_add_test(tc, test_db_ask_connection_killed_mid_ask_is_asked_again);
    return run_suite(tc);
}
