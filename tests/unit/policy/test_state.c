/* state: what each situation means, one by one. The properties stand in test_state_property.c. */
#include "state_members.h"

/* ---- look-ups ---- */

START_TEST(test_state_unloaded_knows_nothing)
{
    ck_assert_int_eq(gw_state_mode(s, MEMBERS), GW_STATE_UNLOADED);
    struct gw_state_hits hits = of_trip("42");
    ck_assert_uint_eq(hits.n, 0);
    ck_assert(hits.is_incomplete);
    hits = find(MEMBERS, -1, st_int("1"), st_int("1"), GW_OK);
    ck_assert(hits.is_incomplete);
}
END_TEST

START_TEST(test_state_resident_finds_by_each_index)
{
    load_members();
    ck_assert_int_eq(gw_state_mode(s, MEMBERS), GW_STATE_RESIDENT);
    HAS(of_trip("42"), 2);
    HAS(of_trip("44"), 0);
    HAS(find(MEMBERS, BY_USER, st_text("ann"), st_text(""), GW_OK), 2);
    HAS(find(MEMBERS, BY_BOTH, st_int("42"), st_text("bob"), GW_OK), 1);
    HAS(find(MEMBERS, BY_BOTH, st_int("43"), st_text("bob"), GW_OK), 0);
    HAS(find(MEMBERS, -1, st_int("1"), st_int("1"), GW_OK), 3);
    struct gw_datum id = st_int("2");
    const struct gw_state_row *row = gw_state_row_by_identity(s, MEMBERS, &id);
    ck_assert(row && cell_is(row, ROLE, st_text("editor")) && cell_is(row, TRIP, st_int("42")));
    id = st_int("9");
    ck_assert_ptr_null(gw_state_row_by_identity(s, MEMBERS, &id));
}
END_TEST

START_TEST(test_state_null_key_finds_none_and_unknown_key_nothing_complete)
{
    load_members();
    HAS(find(MEMBERS, BY_BOTH, gw_datum_null(GW_KIND_INT), gw_datum_unknown(), GW_OK), 0);
    struct gw_state_hits hits = find(MEMBERS, BY_BOTH, st_int("42"), gw_datum_unknown(), GW_OK);
    ck_assert_uint_eq(hits.n, 0);
    ck_assert(hits.is_incomplete);
}
END_TEST

START_TEST(test_state_opaque_column_is_kept_as_text_and_never_looked_up)
{
    static const char *const ROWS[] = {"Mixed Case", "1", "mixed case", "1", NULL, "2"};
    st_load(s, NOTES, &defs[NOTES], 3, ROWS);
    struct gw_state_hits hits = find(NOTES, 0, st_int("1"), st_int("1"), GW_OK);
    HAS(hits, 2);
    struct gw_datum d = gw_state_cell(s, hits.rows[0], NOTES, 0);
    ck_assert_int_eq(d.kind, GW_KIND_OPAQUE);
    ck_assert_uint_eq(d.text.n, strlen("Mixed Case"));
    d = gw_state_cell(s, hits.rows[0], NOTES, 1);
    ck_assert(gw_span_is(d.text, "1"));
    struct gw_datum key = gw_datum_of(GW_KIND_OPAQUE, GW_SPAN_LIT("Mixed Case"));
    ck_assert(find(NOTES, 1, key, key, GW_OK).is_incomplete);
}
END_TEST

START_TEST(test_state_rows_without_identity_are_counted)
{
    static const char *const ROWS[] = {"a", "1", "a", "1", NULL, "1"};
    st_load(s, NOTES, &defs[NOTES], 3, ROWS);
    struct gw_txn *t = st_txn(1);
    ST_INSERT(t, notes, "1", "a");
    ST_DELETE(t, notes, "1", NULL);
    st_apply(s, t);
    HAS(find(NOTES, 0, st_int("1"), st_int("1"), GW_OK), 3);
    t = st_txn(2);
    ST_DELETE(t, notes, "1", "a");
    ST_DELETE(t, notes, "1", "a");
    st_apply(s, t);
    HAS(find(NOTES, 0, st_int("1"), st_int("1"), GW_OK), 1);
}
END_TEST

/* ---- the log ---- */

START_TEST(test_state_apply_follows_rows)
{
    load_members();
    struct gw_txn *t = st_txn(1);
    ST_INSERT(t, members, "4", "42", "cid", "viewer");
    ST_UPDATE(t, members, "2", "43", "bob", "editor");
    ST_DELETE(t, members, "1", ST_ABSENT, ST_ABSENT, ST_ABSENT);
    st_apply(s, t);
    HAS(of_trip("42"), 1);
    HAS(of_trip("43"), 2);
    HAS(find(MEMBERS, BY_USER, st_text("cid"), st_text(""), GW_OK), 1);
    HAS(find(MEMBERS, BY_BOTH, st_int("42"), st_text("ann"), GW_OK), 0);
}
END_TEST

START_TEST(test_state_apply_insert_of_what_is_there_replaces)
{
    load_members();
    struct gw_txn *t = st_txn(1);
    ST_INSERT(t, members, "1", "50", "zoe", "owner");
    st_apply(s, t);
    HAS(find(MEMBERS, -1, st_int("1"), st_int("1"), GW_OK), 3);
    HAS(of_trip("50"), 1);
    HAS(of_trip("42"), 1);
}
END_TEST

START_TEST(test_state_apply_swaps_keys_in_any_order)
{
    load_members();
    struct gw_txn *t = st_txn(1);
    st_change(t, members, GW_OP_UPDATE, ST_ROW("1", ST_ABSENT, ST_ABSENT, ST_ABSENT),
              ST_ROW("2", "42", ST_UNCHANGED, "viewer"));
    st_change(t, members, GW_OP_UPDATE, ST_ROW("2", ST_ABSENT, ST_ABSENT, ST_ABSENT),
              ST_ROW("1", "42", ST_UNCHANGED, "editor"));
    st_apply(s, t);
    HAS(of_trip("42"), 2);
    struct gw_datum id = st_int("2");
    ck_assert(cell_is(gw_state_row_by_identity(s, MEMBERS, &id), USER, st_text("ann")));
    id = st_int("1");
    ck_assert(cell_is(gw_state_row_by_identity(s, MEMBERS, &id), USER, st_text("bob")));
}
END_TEST

START_TEST(test_state_apply_unchanged_value_comes_from_row_then_old_image_else_unknown)
{
    load_members();
    struct gw_txn *t = st_txn(1);
    ST_UPDATE(t, members, "1", "42", ST_UNCHANGED, "owner");
    ST_UPDATE(t, members, "8", "42", ST_UNCHANGED, "owner"); /* never heard of */
    st_change(t, members_full, GW_OP_UPDATE, ST_ROW("9", "42", "kim", "owner"),
              ST_ROW("9", "42", ST_UNCHANGED, "owner"));
    st_apply(s, t);
    struct gw_datum id = st_int("1");
    ck_assert(cell_is(gw_state_row_by_identity(s, MEMBERS, &id), USER, st_text("ann")));
    id = st_int("8");
    ck_assert(cell_is(gw_state_row_by_identity(s, MEMBERS, &id), USER, gw_datum_unknown()));
    id = st_int("9");
    ck_assert(cell_is(gw_state_row_by_identity(s, MEMBERS, &id), USER, st_text("kim")));
    /* Whose trip 8 is stands fast; whose user it is does not. */
    HAS(of_trip("42"), 4);
    ck_assert(find(MEMBERS, BY_USER, st_text("zoe"), st_text(""), GW_OK).is_incomplete);
    HAS(find(MEMBERS, BY_BOTH, st_int("43"), st_text("ann"), GW_OK), 1);
    struct gw_state_stats stats;
    gw_state_stats(s, &stats);
    ck_assert_uint_eq(stats.unknown_cells, 1);
}
END_TEST

START_TEST(test_state_apply_column_that_the_relation_lacks_is_unknown)
{
    static const struct st_column OTHER[] = {{"role", OID_TEXT, false},
                                             {"trip_id", OID_TEXT, false}, /* of another type */
                                             {"id", OID_INT8, true},
                                             {"owner_id", OID_TEXT, false}}; /* renamed */
    struct gw_relation *other = st_relation(1001, 'd', 4, OTHER);
    load_members();
    struct gw_txn *t = st_txn(1);
    ST_INSERT(t, other, "viewer", "42", "7", "kim");
    st_apply(s, t);
    struct gw_datum id = st_int("7");
    const struct gw_state_row *row = gw_state_row_by_identity(s, MEMBERS, &id);
    ck_assert(cell_is(row, ROLE, st_text("viewer")));
    ck_assert(cell_is(row, TRIP, gw_datum_unknown()));
    ck_assert(cell_is(row, USER, gw_datum_unknown()));
    ck_assert(of_trip("1").is_incomplete);
    gw_relation_unref(other);
}
END_TEST

START_TEST(test_state_apply_truncate_empties_then_inserts)
{
    load_members();
    struct gw_txn *t = st_txn(1);
    st_truncate(t, members);
    ST_INSERT(t, members, "7", "42", "kim", "viewer");
    st_apply(s, t);
    ck_assert_int_eq(gw_state_mode(s, MEMBERS), GW_STATE_RESIDENT);
    HAS(find(MEMBERS, -1, st_int("1"), st_int("1"), GW_OK), 1);
    HAS(of_trip("43"), 0);
}
END_TEST

START_TEST(test_state_apply_overflow_unloads)
{
    load_members();
    struct gw_txn *t = st_txn(1);
    st_overflow(t, members);
    st_apply(s, t);
    ck_assert_int_eq(gw_state_mode(s, MEMBERS), GW_STATE_UNLOADED);
    ck_assert_uint_eq(gw_state_table_bytes(s, MEMBERS), 0);
}
END_TEST

START_TEST(test_state_apply_row_that_cannot_be_named_unloads)
{
    static const struct st_column BY_USER_COLUMN[] = {{"id", OID_INT8, false},
                                                      {"trip_id", OID_INT8, false},
                                                      {"user_id", OID_TEXT, true},
                                                      {"role", OID_TEXT, false}};
    struct gw_relation *rel = st_relation(1001, 'i', 4, BY_USER_COLUMN);
    load_members();
    struct gw_txn *t = st_txn(1);
    ST_INSERT(t, rel, "4", "42", "cid", "viewer");
    st_apply(s, t);
    ck_assert_int_eq(gw_state_mode(s, MEMBERS), GW_STATE_RESIDENT);
    t = st_txn(2);
    ST_UPDATE(t, rel, "4", "43", "cid", "viewer"); /* whose id may have been another */
    st_apply(s, t);
    ck_assert_int_eq(gw_state_mode(s, MEMBERS), GW_STATE_UNLOADED);
    gw_relation_unref(rel);
}
END_TEST

/* ---- reported rows ---- */

static struct {
    int n;
    bool had_old, had_fresh;
    enum gw_datum_state old_trip;
} seen;

static void on_row(void *ctx, uint32_t table, const struct gw_state_row *old,
                   const struct gw_state_row *fresh)
{
    seen.n++;
    seen.had_old = old != NULL;
    seen.had_fresh = fresh != NULL;
    if (old)
        seen.old_trip = gw_state_cell(ctx, old, table, TRIP).state;
}

static void apply_reporting(struct gw_txn *t)
{
    memset(&seen, 0, sizeof seen);
    gw_state_apply(s, t, on_row, s);
    gw_txn_free(t);
}

START_TEST(test_state_report_brings_old_row_as_it_was)
{
    load_members();
    struct gw_txn *t = st_txn(1);
    ST_DELETE(t, members, "1", ST_ABSENT, ST_ABSENT, ST_ABSENT);
    apply_reporting(t);
    ck_assert_int_eq(seen.n, 1);
    ck_assert(seen.had_old && !seen.had_fresh);
    ck_assert_int_eq(seen.old_trip, GW_DATUM_VALUE); /* though the log did not say it */
}
END_TEST

START_TEST(test_state_report_is_silent_where_nothing_it_keeps_changed)
{
    load_members();
    struct gw_txn *t = st_txn(1);
    ST_UPDATE(t, members, "1", "42", "ann", "viewer");
    apply_reporting(t);
    ck_assert_int_eq(seen.n, 0);
}
END_TEST

START_TEST(test_state_report_of_row_that_is_not_here_says_what_the_log_said)
{
    gw_state_load_cached(s, MEMBERS);
    struct gw_txn *t = st_txn(1);
    ST_DELETE(t, members, "1", ST_ABSENT, ST_ABSENT, ST_ABSENT);
    apply_reporting(t);
    ck_assert(seen.n == 1 && seen.had_old && !seen.had_fresh);
    ck_assert_int_eq(seen.old_trip, GW_DATUM_UNKNOWN);
    t = st_txn(2);
    ST_INSERT(t, members, "7", "42", "kim", "viewer");
    apply_reporting(t);
    ck_assert(seen.n == 1 && !seen.had_old && seen.had_fresh);
}
END_TEST

/* ---- taking back ---- */

START_TEST(test_state_unread_update_without_old_image_leaves_only_the_identity)
{
    static const char *const ROWS[] = {"1", "editor", "42", "ann"};
    st_load(s, MEMBERS, &defs[MEMBERS], 1, ROWS);
    struct gw_txn *t = st_txn(1);
    ST_UPDATE(t, members, "1", "42", ST_UNCHANGED, "editor");
    gw_state_unread(s, t);
    gw_state_settle(s);
    struct gw_datum id = st_int("1");
    const struct gw_state_row *row = gw_state_row_by_identity(s, MEMBERS, &id);
    ck_assert(cell_is(row, ROLE, gw_datum_unknown()));
    ck_assert(cell_is(row, TRIP, gw_datum_unknown()));
    ck_assert(cell_is(row, USER, st_text("ann"))); /* proven by the unchanged value */
    ck_assert(of_trip("42").is_incomplete);
    HAS(find(MEMBERS, BY_USER, st_text("ann"), st_text(""), GW_OK), 1);
    st_apply(s, t);
    HAS(of_trip("42"), 1);
}
END_TEST

START_TEST(test_state_unread_is_over_once_settled)
{
    load_members();
    gw_state_settle(s);
    struct gw_txn *t = st_txn(1);
    ST_INSERT(t, members, "1", "42", "ann", "viewer");
    gw_state_unread(s, t);
    HAS(of_trip("42"), 2);
    gw_txn_free(t);
}
END_TEST

START_TEST(test_state_unread_truncate_hides_table_until_applied)
{
    load_members();
    struct gw_txn *before = st_txn(1), *t = st_txn(2), *after = st_txn(3);
    ST_INSERT(before, members, "6", "42", "old", "viewer");
    st_truncate(t, members);
    ST_INSERT(t, members, "1", "42", "ann", "viewer");
    ST_INSERT(t, members, "3", "43", "ann", "viewer");
    ST_INSERT(after, members, "2", "42", "bob", "editor");
    gw_state_unread(s, after);
    gw_state_unread(s, t);
    gw_state_unread(s, before);
    gw_state_settle(s);
    ck_assert(of_trip("42").is_incomplete);
    ck_assert_uint_eq(of_trip("42").n, 0);
    st_apply(s, before);
    ck_assert(of_trip("42").is_incomplete);
    st_apply(s, t);
    HAS(of_trip("42"), 1);
    st_apply(s, after);
    HAS(of_trip("42"), 2);
}
END_TEST

START_TEST(test_state_unread_what_never_comes_unloads)
{
    load_members();
    struct gw_txn *t = st_txn(2), *later = st_txn(3);
    st_overflow(t, members);
    gw_state_unread(s, t);
    gw_txn_free(t);
    ST_INSERT(later, members, "2", "42", "bob", "editor");
    st_apply(s, later);
    ck_assert_int_eq(gw_state_mode(s, MEMBERS), GW_STATE_UNLOADED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state");
    TCase *tc = tcase_create("state");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_state_unloaded_knows_nothing);
    tcase_add_test(tc, test_state_resident_finds_by_each_index);
    tcase_add_test(tc, test_state_null_key_finds_none_and_unknown_key_nothing_complete);
    tcase_add_test(tc, test_state_opaque_column_is_kept_as_text_and_never_looked_up);
    tcase_add_test(tc, test_state_rows_without_identity_are_counted);
    tcase_add_test(tc, test_state_apply_follows_rows);
    tcase_add_test(tc, test_state_apply_insert_of_what_is_there_replaces);
    tcase_add_test(tc, test_state_apply_swaps_keys_in_any_order);
    tcase_add_test(tc, test_state_apply_unchanged_value_comes_from_row_then_old_image_else_unknown);
    tcase_add_test(tc, test_state_apply_column_that_the_relation_lacks_is_unknown);
    tcase_add_test(tc, test_state_apply_truncate_empties_then_inserts);
    tcase_add_test(tc, test_state_apply_overflow_unloads);
    tcase_add_test(tc, test_state_apply_row_that_cannot_be_named_unloads);
    tcase_add_test(tc, test_state_report_brings_old_row_as_it_was);
    tcase_add_test(tc, test_state_report_is_silent_where_nothing_it_keeps_changed);
    tcase_add_test(tc, test_state_report_of_row_that_is_not_here_says_what_the_log_said);
    tcase_add_test(tc, test_state_unread_update_without_old_image_leaves_only_the_identity);
    tcase_add_test(tc, test_state_unread_is_over_once_settled);
    tcase_add_test(tc, test_state_unread_truncate_hides_table_until_applied);
    tcase_add_test(tc, test_state_unread_what_never_comes_unloads);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
