/* Evals against a real Postgres: expressions over rows, and as a caller; those that misbehave. */
#include "db_fixture.h"

static struct gw_db_request *eval_new(uint32_t n, int64_t budget_ms)
{
    struct gw_db_request *r = gw_db_request_new(GW_DB_EVAL, 3);
    r->deadline_ms = gw_clock_mono_ms() + budget_ms;
    r->evals = gw_arena_alloc(&r->arena, n * sizeof *r->evals);
    return r;
}

/* values: rows of n_args texts, NULL for null. */
static struct gw_db_eval *eval_add(struct gw_db_request *r, const char *sql, uint32_t n_args,
                                   uint32_t n_rows, const char *const *values)
{
    struct gw_db_eval *e = &r->evals[r->n_evals++];
    struct gw_datum *args = gw_arena_alloc(&r->arena, (n_args * n_rows + 1) * sizeof *args);
    for (uint32_t i = 0; i < n_args * n_rows; i++)
        args[i] = values[i] ? (struct gw_datum){.state = GW_DATUM_VALUE, .text = kept(r, values[i])}
                            : (struct gw_datum){.state = GW_DATUM_NULL};
    *e = (struct gw_db_eval){.role_id = AUTHENTICATED,
                             .role = kept(r, "authenticated"),
                             .sub = kept(r, ""),
                             .claims_json = kept(r, ""),
                             .sql = kept(r, sql),
                             .n_args = n_args,
                             .n_rows = n_rows,
                             .args = args};
    return e;
}

static void as_caller(struct gw_db_request *r, struct gw_db_eval *e, const char *claims)
{
    e->sub = kept(r, "ann");
    e->claims_json = kept(r, claims);
}

/* Answers joined by '|': text, "null", "error", "unknown". */
static void expect_answers(const struct gw_db_request *r, uint32_t i, const char *expected)
{
    static const char *const words[] = {"null", "", "unknown", "error"};
    struct gw_buf got;
    gw_buf_init(&got, 0);
    ck_assert_msg(r->code == GW_OK, "%s", r->err.text);
    for (uint32_t k = 0; k < r->evals[i].n_rows; k++) {
        const struct gw_datum *d = &r->evals[i].answers[k];
        gw_buf_add_str(&got, k ? "|" : "");
        gw_buf_add_str(&got, words[d->state]);
        if (d->state == GW_DATUM_VALUE)
            gw_buf_add_span(&got, d->text);
    }
    ck_assert_msg(gw_span_is(gw_buf_span(&got), expected), "eval %u: %s, not %s: %s", i,
                  gw_buf_cstr(&got), expected, r->evals[i].why);
    gw_buf_fini(&got);
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__})

START_TEST(test_db_eval_answers_each_row_in_order)
{
    struct gw_db_request *r = eval_new(5, 5000);
    eval_add(r, "(v.a1)::int4 * 2", 1, 3, ARGS("3", NULL, "-4"));
    eval_add(r, "v.a1 || (v.a2)::text", 2, 2, ARGS("a\"b\\c,{}", "x", "NULL", ""));
    eval_add(r, "(v.a1)::text ~ '^a'", 1, 3, ARGS("ab", "b", NULL));
    eval_add(r, "1 + 1", 0, 1, NULL);
    eval_add(r, "(v.a1)::int4 / 0", 1, 0, NULL);
    r = asked(r);
    expect_answers(r, 0, "6|null|-8");
    expect_answers(r, 1, "a\"b\\c,{}x|NULL");
    expect_answers(r, 2, "true|false|null");
    expect_answers(r, 3, "2");
    ck_assert_uint_gt(r->snapshot.xmax, 0);
    ck_assert_uint_gt(r->snapshot.horizon.v, 0);
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_eval_with_claims_is_the_caller)
{
    struct gw_db_request *r = eval_new(3, 5000);
    as_caller(r, eval_add(r, "public.uid()", 0, 1, NULL), "{\"sub\":\"ann\",\"org_id\":\"o\"}");
    as_caller(r, eval_add(r, "current_user || current_setting('app.tenant_id')", 0, 1, NULL),
              "{\"sub\":\"ann\",\"org_id\":\"o\"}");
    eval_add(r, "current_user || current_setting('request.jwt.claims', true)", 0, 1, NULL);
    r = asked(r);
    expect_answers(r, 0, "ann");
    expect_answers(r, 1, "authenticatedo");
    expect_answers(r, 2, "authenticated"); /* no claims of the one before */
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_eval_raising_row_stands_alone)
{
    struct gw_db_request *r = eval_new(3, 10000);
    const char *many[1000];
    for (int i = 0; i < 1000; i++)
        many[i] = i == 0 || i == 500 || i == 999 ? "bad" : "1";
    eval_add(r, "public.picky(v.a1)", 1, 5, ARGS("5", "bad", "0", "word", "8"));
    eval_add(r, "(v.a1)::int4", 1, 1000, many);
    eval_add(r, "(v.a1)::int4", 1, 1, ARGS("7"));
    r = asked(r);
    expect_answers(r, 0, "true|error|false|error|true");
    ck_assert_ptr_nonnull(strstr(r->evals[0].why, "SQLSTATE"));
    ck_assert_ptr_null(strstr(r->evals[0].why, "word")); /* no values in the log */
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(r->evals[1].answers[i].state,
                         *many[i] == 'b' ? GW_DATUM_ERROR : GW_DATUM_VALUE);
    expect_answers(r, 2, "7");
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_eval_what_does_not_parse_is_unknown)
{
    struct gw_db_request *r = eval_new(3, 5000);
    eval_add(r, "public.gone(v.a1)", 1, 2, ARGS("1", "2"));
    eval_add(r, "v.a1", 1, 1, ARGS("1"));
    eval_add(r, "1) FROM pg_shadow; DROP TABLE own; SELECT (2", 0, 1, NULL);
    r = asked(r);
    expect_answers(r, 0, "unknown|unknown");
    ck_assert_ptr_nonnull(strstr(r->evals[0].why, "42883"));
    expect_answers(r, 1, "1");
    expect_answers(r, 2, "unknown");
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_eval_missing_privilege_raises_for_every_row)
{
    struct gw_db_request *r = eval_new(2, 5000);
    gw_test_pg_exec(pg, "CREATE FUNCTION locked(text) RETURNS text LANGUAGE sql IMMUTABLE AS "
                        "'SELECT $1'; REVOKE EXECUTE ON FUNCTION locked FROM PUBLIC");
    eval_add(r, "public.locked(v.a1)", 1, 3, ARGS("1", "2", NULL));
    eval_add(r, "generate_series(1, 2)", 0, 1, NULL); /* not one answer per row */
    r = asked(r);
    expect_answers(r, 0, "error|error|error");
    expect_answers(r, 1, "error");
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_eval_sleeping_costs_only_itself_and_the_deadline_holds)
{
    struct gw_db_request *r = eval_new(3, 5000);
    eval_add(r, "(v.a1)::int4", 1, 1, ARGS("1"));
    eval_add(r, "public.slow() AND v.a1 = 'x'", 1, 2, ARGS("1", "2"));
    eval_add(r, "(v.a1)::int4", 1, 1, ARGS("2"));
    r = asked(r);
    expect_answers(r, 0, "1");
    expect_answers(r, 1, "unknown|unknown");
    expect_answers(r, 2, "2");
    gw_db_request_free(r);
    r = eval_new(40, 700);
    for (int i = 0; i < 40; i++)
        eval_add(r, "public.slow()", 0, 1, NULL);
    int64_t began = gw_clock_mono_ms();
    r = asked(r);
    ck_assert_int_lt(gw_clock_mono_ms() - began, 5000);
    for (uint32_t i = 0; i < 40; i++)
        expect_answers(r, i, "unknown");
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_eval_hostile_functions_change_nothing_for_others)
{
    struct gw_db_request *r = eval_new(7, 10000);
    char n[8];
    const char *claims = "{\"sub\":\"bob\"}";
    eval_add(r, "public.writer()", 0, 1, NULL);
    eval_add(r, "public.escape()", 0, 1, NULL);
    as_caller(r, eval_add(r, "public.uid()", 0, 1, NULL), claims);
    as_caller(r, eval_add(r, "public.forge()", 0, 1, NULL), claims);
    as_caller(r, eval_add(r, "public.uid()", 0, 1, NULL), claims);
    gw_test_pg_exec(pg,
                    "CREATE FUNCTION usurp() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN "
                    "DEALLOCATE gw_become; EXECUTE 'PREPARE gw_become (text, text, text, text) "
                    "AS SELECT set_config(''request.jwt.claims'', ''{\"sub\":\"eve\"}'', true)'; "
                    "RETURN true; END $$");
    as_caller(r, eval_add(r, "public.usurp()", 0, 1, NULL), claims);
    as_caller(r, eval_add(r, "public.uid()", 0, 1, NULL), claims);
    r = asked(r);
    expect_answers(r, 0, "error");
    expect_answers(r, 1, "error");
    expect_answers(r, 2, "bob");
    expect_answers(r, 3, "error");
    expect_answers(r, 4, "bob");
    expect_answers(r, 5, "error");
    expect_answers(r, 6, "bob");
    gw_db_request_free(r);
    ck_assert_str_eq(gw_test_pg_value(pg, "SELECT count(*) FROM members", n, sizeof n), "1");
}
END_TEST

START_TEST(test_db_eval_without_a_database_is_unknown)
{
    link_close();
    gw_test_pg_stop(pg, GW_TEST_PG_FAST);
    link_open(2);
    struct gw_db_request *r = eval_new(1, 5000);
    eval_add(r, "1", 0, 1, NULL);
    r = asked(r);
    ck_assert_int_eq(r->code, GW_E_DATABASE_DOWN);
    ck_assert_int_eq(r->evals[0].answers[0].state, GW_DATUM_UNKNOWN);
    gw_db_request_free(r);
    gw_test_pg_start(pg);
    load_catalog();
}
END_TEST

START_TEST(test_db_ask_tells_its_snapshot_and_horizon)
{
    char lsn[32];
    struct gw_lsn before;
    struct gw_db_request *r = ask_new(1, 5000);
    ask_add(r, "own", "ann", ROWS("(1,ann,)"));
    gw_test_pg_value(pg, "SELECT pg_current_wal_insert_lsn()", lsn, sizeof lsn);
    ck_assert_int_eq(gw_lsn_parse(gw_span_of(lsn), &before), GW_OK);
    r = asked(r);
    expect(r, 0, GW_OK, "1");
    ck_assert_uint_ge(r->snapshot.horizon.v, before.v);
    ck_assert(r->snapshot.xmin > 0 && r->snapshot.xmin <= r->snapshot.xmax);
    gw_db_request_free(r);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("eval");
    tcase_add_test(tc, test_db_eval_answers_each_row_in_order);
    tcase_add_test(tc, test_db_eval_with_claims_is_the_caller);
    tcase_add_test(tc, test_db_eval_raising_row_stands_alone);
    tcase_add_test(tc, test_db_eval_what_does_not_parse_is_unknown);
    tcase_add_test(tc, test_db_eval_missing_privilege_raises_for_every_row);
    tcase_add_test(tc, test_db_eval_sleeping_costs_only_itself_and_the_deadline_holds);
    tcase_add_test(tc, test_db_eval_hostile_functions_change_nothing_for_others);
    tcase_add_test(tc, test_db_ask_tells_its_snapshot_and_horizon);
    tcase_add_test(tc, test_db_eval_without_a_database_is_unknown);
    return run_suite(tc);
}
