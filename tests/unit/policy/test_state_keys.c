/* state: keys that are read one by one, watches, new rules, and what it all weighs. */
#include "state_members.h"

/* ---- keys ---- */

START_TEST(test_state_cached_misses_until_the_key_is_read)
{
    gw_state_load_cached(s, MEMBERS);
    ck_assert(find(MEMBERS, BY_TRIP, st_int("42"), st_int(""), GW_E_AGAIN).is_incomplete);
    load_trip("42", 1, ST_ROW("1", "viewer", "42", "ann"));
    load_trip("43", 0, NULL);
    gw_state_settle(s);
    HAS(of_trip("42"), 1);
    HAS(of_trip("43"), 0);
    find(MEMBERS, BY_USER, st_text("ann"), st_text(""), GW_E_AGAIN);
    ck_assert(find(MEMBERS, -1, st_int("1"), st_int("1"), GW_OK).is_incomplete);
    struct gw_state_stats stats;
    gw_state_stats(s, &stats);
    ck_assert_uint_eq(stats.keys, 2);
    ck_assert_uint_eq(stats.misses, 2);
}
END_TEST

START_TEST(test_state_cached_row_enters_each_loaded_key_and_leaves_with_the_last)
{
    gw_state_load_cached(s, MEMBERS);
    load_trip("42", 1, ST_ROW("1", "viewer", "42", "ann"));
    load_trip("43", 0, NULL);
    gw_state_settle(s);
    struct gw_txn *t = st_txn(1);
    ST_UPDATE(t, members, "1", "43", "ann", "viewer");
    ST_INSERT(t, members, "5", "99", "bob", "viewer"); /* nobody asked */
    st_apply(s, t);
    HAS(of_trip("42"), 0);
    HAS(of_trip("43"), 1);
    t = st_txn(2);
    ST_UPDATE(t, members, "1", "99", "ann", "viewer");
    st_apply(s, t);
    HAS(of_trip("43"), 0);
    struct gw_state_stats stats;
    gw_state_stats(s, &stats);
    ck_assert_uint_eq(stats.rows, 0);
}
END_TEST

START_TEST(test_state_cached_read_does_not_overtake_rows_that_are_here)
{
    gw_state_load_cached(s, MEMBERS);
    load_trip("42", 1, ST_ROW("1", "viewer", "42", "ann"));
    gw_state_settle(s);
    /* The log has not brought it yet: the row went to trip 43, where it is read now. */
    struct gw_txn *t = st_txn(1);
    ST_UPDATE(t, members, "1", "43", "ann", "owner");
    load_trip("43", 1, ST_ROW("1", "owner", "43", "ann"));
    gw_state_unread(s, t);
    gw_state_settle(s);
    HAS(of_trip("42"), 1);
    HAS(of_trip("43"), 0);
    st_apply(s, t);
    HAS(of_trip("42"), 0);
    HAS(of_trip("43"), 1);
}
END_TEST

START_TEST(test_state_cached_rows_put_back_leave_keys_read_earlier_complete)
{
    gw_state_load_cached(s, MEMBERS);
    load_trip("42", 1, ST_ROW("1", "viewer", "42", "ann"));
    gw_state_settle(s);
    struct gw_txn *t = st_txn(1);
    ST_DELETE(t, members, "5", ST_ABSENT, ST_ABSENT, ST_ABSENT); /* of whichever trip but 42 */
    load_trip("43", 0, NULL);
    gw_state_unread(s, t);
    gw_state_settle(s);
    HAS(of_trip("42"), 1);
    ck_assert(of_trip("43").is_incomplete);
    load_trip("44", 0, NULL);
    gw_state_unread(s, t);
    gw_state_settle(s);
    ck_assert(of_trip("44").is_incomplete);
    st_apply(s, t);
    HAS(of_trip("43"), 0);
    HAS(of_trip("44"), 0);
}
END_TEST

START_TEST(test_state_cached_truncate_leaves_keys_known_to_be_empty)
{
    gw_state_load_cached(s, MEMBERS);
    load_trip("42", 1, ST_ROW("1", "viewer", "42", "ann"));
    gw_state_settle(s);
    struct gw_txn *t = st_txn(1);
    st_truncate(t, members);
    load_trip("43", 0, NULL); /* read behind the TRUNCATE: what was before it is lost */
    gw_state_unread(s, t);
    gw_state_settle(s);
    HAS(of_trip("42"), 1);
    ck_assert(of_trip("43").is_incomplete);
    st_apply(s, t);
    HAS(of_trip("42"), 0);
    HAS(of_trip("43"), 0);
}
END_TEST

START_TEST(test_state_cached_evicts_least_recently_used_and_tells)
{
    char trip[16], id[16];
    gw_state_free(s);
    s = gw_state_new(8000);
    gw_state_set_rules(s, &rules);
    gw_state_load_cached(s, MEMBERS);
    for (int i = 0; i < 200; i++) {
        snprintf(trip, sizeof trip, "%d", i);
        snprintf(id, sizeof id, "%d", i + 1000);
        load_trip(trip, 1, ST_ROW(id, "viewer", trip, "ann"));
        gw_state_settle(s);
        HAS(of_trip("0"), 1); /* kept by being used */
    }
    struct gw_state_stats stats;
    gw_state_stats(s, &stats);
    ck_assert_uint_le(stats.bytes, 8000);
    ck_assert_uint_gt(stats.evictions, 100);
    ck_assert_uint_eq(stats.rows, stats.keys);
    HAS(of_trip("199"), 1);
    find(MEMBERS, BY_TRIP, st_int("1"), st_int(""), GW_E_AGAIN);
    ck_assert(!gw_state_is_over(s));
}
END_TEST

START_TEST(test_state_cached_keys_of_the_batch_being_read_stay)
{
    gw_state_free(s);
    s = gw_state_new(1);
    gw_state_set_rules(s, &rules);
    gw_state_load_cached(s, MEMBERS);
    load_trip("42", 1, ST_ROW("1", "viewer", "42", "ann"));
    load_trip("43", 1, ST_ROW("2", "viewer", "43", "ann"));
    gw_state_settle(s);
    HAS(of_trip("42"), 1);
    HAS(of_trip("43"), 1);
    load_trip("44", 0, NULL);
    find(MEMBERS, BY_TRIP, st_int("42"), st_int(""), GW_E_AGAIN);
    HAS(of_trip("44"), 0);
}
END_TEST

START_TEST(test_state_resident_over_its_bytes_says_so)
{
    gw_state_free(s);
    s = gw_state_new(100);
    gw_state_set_rules(s, &rules);
    ck_assert(!gw_state_is_over(s));
    load_members();
    ck_assert(gw_state_is_over(s));
    gw_state_load_cached(s, MEMBERS);
    ck_assert(!gw_state_is_over(s));
}
END_TEST

/* ---- watches ---- */

static int fired;

static void watch_setup(void)
{
    setup();
    fired = 0;
}

static void on_change(struct gw_watch *w)
{
    ck_assert_ptr_null(w->links);
    fired++;
}

static void on_change_free(struct gw_watch *w)
{
    fired++;
    free(w);
}

START_TEST(test_state_watch_fires_once_for_all_that_a_transaction_touches)
{
    struct gw_watch w, other;
    struct gw_datum trip = st_int("42"), user = st_text("bob"), none = st_int("77");
    gw_watch_init(&w, on_change);
    gw_watch_init(&other, on_change);
    load_members();
    gw_state_watch(s, &w, MEMBERS, BY_TRIP, &trip);
    gw_state_watch(s, &w, MEMBERS, BY_TRIP, &trip);
    gw_state_watch(s, &w, MEMBERS, BY_USER, &user);
    gw_state_watch(s, &w, MEMBERS, -1, NULL);
    gw_state_watch(s, &other, MEMBERS, BY_TRIP, &none);
    struct gw_state_stats stats;
    gw_state_stats(s, &stats);
    ck_assert_uint_eq(stats.watches, 4);
    struct gw_txn *t = st_txn(1);
    ST_UPDATE(t, members, "1", "43", "ann", "viewer");
    ST_DELETE(t, members, "2", ST_ABSENT, ST_ABSENT, ST_ABSENT);
    st_apply(s, t);
    ck_assert_int_eq(fired, 1);
    gw_state_stats(s, &stats);
    ck_assert_uint_eq(stats.watches, 1);
    t = st_txn(2); /* a key without rows gets its first */
    ST_INSERT(t, members, "6", "77", "ann", "viewer");
    st_apply(s, t);
    ck_assert_int_eq(fired, 2);
}
END_TEST

START_TEST(test_state_watch_sleeps_where_nothing_it_rests_on_changed)
{
    struct gw_watch w;
    struct gw_datum trip = st_int("42"), null = gw_datum_null(GW_KIND_INT);
    gw_watch_init(&w, on_change);
    load_members();
    gw_state_watch(s, &w, MEMBERS, BY_TRIP, &trip);
    gw_state_watch(s, &w, MEMBERS, BY_TRIP, &null); /* never finds anything */
    struct gw_txn *t = st_txn(1);
    ST_UPDATE(t, members, "3", "44", "ann", "viewer");
    ST_UPDATE(t, members, "1", "42", "ann", "viewer"); /* the same */
    st_apply(s, t);
    ck_assert_int_eq(fired, 0);
    gw_watch_fini(&w);
    t = st_txn(2);
    ST_UPDATE(t, members, "1", "42", "ann", "owner");
    st_apply(s, t);
    ck_assert_int_eq(fired, 0);
}
END_TEST

START_TEST(test_state_watch_of_unknown_key_sees_every_change)
{
    struct gw_watch w;
    struct gw_datum key = gw_datum_unknown();
    gw_watch_init(&w, on_change);
    load_members();
    gw_state_watch(s, &w, MEMBERS, BY_TRIP, &key);
    struct gw_txn *t = st_txn(1);
    ST_INSERT(t, members, "7", "99", "kim", "viewer");
    st_apply(s, t);
    ck_assert_int_eq(fired, 1);
}
END_TEST

START_TEST(test_state_watch_may_be_freed_when_it_fires)
{
    struct gw_datum trip = st_int("42"), user = st_text("ann");
    load_members();
    for (int i = 0; i < 3; i++) {
        struct gw_watch *w = gw_alloc(sizeof *w);
        gw_watch_init(w, on_change_free);
        gw_state_watch(s, w, MEMBERS, BY_TRIP, &trip);
        gw_state_watch(s, w, MEMBERS, BY_USER, &user);
    }
    struct gw_txn *t = st_txn(1);
    ST_DELETE(t, members, "1", ST_ABSENT, ST_ABSENT, ST_ABSENT);
    st_apply(s, t);
    ck_assert_int_eq(fired, 3);
}
END_TEST

START_TEST(test_state_watch_fires_on_load_unload_and_rules)
{
    struct gw_watch w;
    struct gw_datum trip = st_int("42");
    gw_watch_init(&w, on_change);
    gw_state_watch(s, &w, MEMBERS, BY_TRIP, &trip);
    load_members();
    ck_assert_int_eq(fired, 1);
    gw_state_watch(s, &w, MEMBERS, BY_TRIP, &trip);
    gw_state_set_rules(s, &rules);
    ck_assert_int_eq(fired, 2);
    HAS(of_trip("42"), 2);
    gw_state_watch(s, &w, MEMBERS, BY_TRIP, &trip);
    gw_state_unload(s, MEMBERS);
    ck_assert_int_eq(fired, 3);
    gw_state_load_cached(s, MEMBERS);
    gw_state_watch(s, &w, MEMBERS, BY_TRIP, &trip);
    load_trip("42", 0, NULL);
    ck_assert_int_eq(fired, 4);
}
END_TEST

START_TEST(test_state_free_unlinks_watches_silently)
{
    struct gw_watch w;
    struct gw_datum trip = st_int("42");
    gw_watch_init(&w, on_change);
    load_members();
    gw_state_watch(s, &w, MEMBERS, BY_TRIP, &trip);
    gw_state_free(s);
    s = NULL;
    ck_assert_ptr_null(w.links);
    ck_assert_int_eq(fired, 0);
    gw_watch_fini(&w);
}
END_TEST

/* ---- rules ---- */

/* The same table with the columns in another order, one fewer, and other indexes. */
static struct gw_state_column fewer_columns[] = {
    ST_COLUMN("user_id", OID_TEXT, GW_KIND_TEXT, false),
    ST_COLUMN("id", OID_INT8, GW_KIND_INT, false),
    ST_COLUMN("trip_id", OID_INT8, GW_KIND_INT, false)};
static uint32_t fewer_identity[] = {1};
static struct gw_state_index fewer_indexes[] = {{2, {0, 2}}, {1, {1}}, {1, {2}}};
static struct gw_state_table_def fewer_defs[] = {{.oid = 7},
                                                 {.oid = 1001,
                                                  .n_columns = 3,
                                                  .columns = fewer_columns,
                                                  .n_identity = 1,
                                                  .identity = fewer_identity,
                                                  .n_indexes = 3,
                                                  .indexes = fewer_indexes}};
static struct gw_rules fewer_rules = ST_RULES(fewer_defs);

START_TEST(test_state_rules_that_need_no_more_keep_the_rows)
{
    load_members();
    gw_state_settle(s);
    gw_state_set_rules(s, &fewer_rules);
    ck_assert_int_eq(gw_state_mode(s, 1), GW_STATE_RESIDENT);
    HAS(find(1, 0, st_text("ann"), st_int("42"), GW_OK), 1);
    HAS(find(1, 1, st_int("3"), st_int(""), GW_OK), 1);
    struct gw_txn *t = st_txn(1);
    ST_UPDATE(t, members, "1", "50", "ann", "viewer");
    st_apply(s, t);
    HAS(find(1, 2, st_int("50"), st_int(""), GW_OK), 1);
    gw_state_set_rules(s, &rules); /* needs the role again */
    ck_assert_int_eq(gw_state_mode(s, MEMBERS), GW_STATE_UNLOADED);
}
END_TEST

START_TEST(test_state_rules_keep_keys_whose_index_is_still_there)
{
    struct gw_datum cells[] = {st_int("1"), st_text("viewer"), st_int("42"), st_text("ann")};
    struct gw_datum key[] = {st_int("42"), st_text("ann")}, user = st_text("ann");
    gw_state_load_cached(s, MEMBERS);
    gw_state_load_key(s, MEMBERS, BY_BOTH, key, &(struct gw_state_rows){1, cells});
    gw_state_load_key(s, MEMBERS, BY_USER, &user, &(struct gw_state_rows){1, cells});
    load_trip("43", 1, ST_ROW("3", "viewer", "43", "bob"));
    gw_state_settle(s);
    gw_state_set_rules(s, &fewer_rules);
    ck_assert_int_eq(gw_state_mode(s, 1), GW_STATE_CACHED);
    HAS(find(1, 0, st_text("ann"), st_int("42"), GW_OK), 1);
    HAS(find(1, 2, st_int("43"), st_int(""), GW_OK), 1);
    find(1, 1, st_int("1"), st_int(""), GW_E_AGAIN);
    struct gw_state_stats stats;
    gw_state_stats(s, &stats);
    ck_assert_uint_eq(stats.keys, 2);
    ck_assert_uint_eq(stats.rows, 2);
}
END_TEST

/* ---- numbers ---- */

START_TEST(test_state_big_bucket_is_handed_out_in_place)
{
    enum { N = 100000 };
    struct gw_datum *cells = gw_alloc(N * MEMBER_COLUMNS * sizeof *cells);
    char text[16];
    for (int i = 0; i < N; i++) {
        struct gw_datum *c = cells + (size_t)i * MEMBER_COLUMNS;
        snprintf(text, sizeof text, "%d", i);
        c[ID] = gw_datum_of(GW_KIND_INT, gw_span_of(text));
        c[USER] = gw_datum_of(GW_KIND_TEXT, gw_span_of(text));
        c[TRIP] = st_int("42");
        c[ROLE] = st_text("viewer");
    }
    gw_state_load(s, MEMBERS, &(struct gw_state_rows){N, cells});
    free(cells);
    struct gw_state_hits first = of_trip("42"), again = of_trip("42");
    HAS(first, N);
    ck_assert_ptr_eq(first.rows, again.rows);
    for (int i = 0; i < N; i += 2) {
        struct gw_txn *t = st_txn(1);
        snprintf(text, sizeof text, "%d", i);
        ST_DELETE(t, members, text, ST_ABSENT, ST_ABSENT, ST_ABSENT);
        st_apply(s, t);
    }
    HAS(of_trip("42"), N / 2);
    HAS(find(MEMBERS, BY_USER, st_text("777"), st_text(""), GW_OK), 1);
    HAS(find(MEMBERS, BY_USER, st_text("778"), st_text(""), GW_OK), 0);
}
END_TEST

START_TEST(test_state_many_rows_come_and_go)
{
    enum { IDS = 3000, TXNS = 300, CHANGES = 100 };
    static bool is_there[IDS];
    uint32_t random = 1, n = 0;
    char id[16], trip[16];
    load_members();
    memset(is_there, 0, sizeof is_there);
    for (int k = 0; k < TXNS; k++) {
        bool is_draining = k >= TXNS / 2;
        struct gw_txn *t = st_txn(1);
        for (int i = 0; i < CHANGES; i++) {
            random = random * 1664525u + 1013904223u;
            uint32_t at = (random >> 8) % IDS;
            snprintf(id, sizeof id, "%u", at + 100);
            snprintf(trip, sizeof trip, "%u", at % 300 + 100);
            if (is_there[at] && (is_draining || i % 2))
                ST_DELETE(t, members, id, ST_ABSENT, ST_ABSENT, ST_ABSENT);
            else if (!is_there[at] && !is_draining)
                ST_INSERT(t, members, id, trip, id, "viewer");
            else
                continue;
            is_there[at] = !is_there[at];
        }
        gw_txn_fold(t, NULL, NULL);
        st_apply(s, t);
    }
    for (uint32_t i = 0; i < IDS; i++) {
        snprintf(id, sizeof id, "%u", i + 100);
        struct gw_datum key = st_int(id);
        ck_assert((gw_state_row_by_identity(s, MEMBERS, &key) != NULL) == is_there[i]);
        HAS(find(MEMBERS, BY_USER, st_text(id), key, GW_OK), is_there[i]);
        n += is_there[i];
    }
    HAS(find(MEMBERS, -1, st_int("1"), st_int("1"), GW_OK), n + 3);
    ck_assert_uint_lt(gw_state_table_bytes(s, MEMBERS), 20000 + n * 300);
}
END_TEST

/* Deterministic, so a bound may stand here: bytes of rows and indexes as malloc takes them. */
START_TEST(test_state_row_of_four_columns_and_three_indexes_stays_small)
{
    enum { N = 50000, PER_TRIP = 5, PER_USER = 10 };
    struct gw_datum *cells = gw_alloc(N * MEMBER_COLUMNS * sizeof *cells);
    char text[48];
    for (int i = 0; i < N; i++) {
        struct gw_datum *c = cells + (size_t)i * MEMBER_COLUMNS;
        snprintf(text, sizeof text, "%d", i);
        c[ID] = st_int(text);
        snprintf(text, sizeof text, "%d", i / PER_TRIP);
        c[TRIP] = st_int(text);
        snprintf(text, sizeof text, "user %d of a good many", i % (N / PER_USER));
        c[USER] = st_text(text); /* a key of 16 bytes, as a uuid's */
        c[ROLE] = st_text("viewer");
    }
    gw_state_load(s, MEMBERS, &(struct gw_state_rows){N, cells});
    free(cells);
    ck_assert_uint_le(gw_state_table_bytes(s, MEMBERS) / N, 160);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state_keys");
    TCase *tc = tcase_create("state_keys");
    tcase_add_checked_fixture(tc, watch_setup, teardown);
    tcase_add_test(tc, test_state_cached_misses_until_the_key_is_read);
    tcase_add_test(tc, test_state_cached_row_enters_each_loaded_key_and_leaves_with_the_last);
    tcase_add_test(tc, test_state_cached_read_does_not_overtake_rows_that_are_here);
    tcase_add_test(tc, test_state_cached_rows_put_back_leave_keys_read_earlier_complete);
    tcase_add_test(tc, test_state_cached_truncate_leaves_keys_known_to_be_empty);
    tcase_add_test(tc, test_state_cached_evicts_least_recently_used_and_tells);
    tcase_add_test(tc, test_state_cached_keys_of_the_batch_being_read_stay);
    tcase_add_test(tc, test_state_resident_over_its_bytes_says_so);
    tcase_add_test(tc, test_state_watch_fires_once_for_all_that_a_transaction_touches);
    tcase_add_test(tc, test_state_watch_sleeps_where_nothing_it_rests_on_changed);
    tcase_add_test(tc, test_state_watch_of_unknown_key_sees_every_change);
    tcase_add_test(tc, test_state_watch_may_be_freed_when_it_fires);
    tcase_add_test(tc, test_state_watch_fires_on_load_unload_and_rules);
    tcase_add_test(tc, test_state_free_unlinks_watches_silently);
    tcase_add_test(tc, test_state_rules_that_need_no_more_keep_the_rows);
    tcase_add_test(tc, test_state_rules_keep_keys_whose_index_is_still_there);
    tcase_add_test(tc, test_state_big_bucket_is_handed_out_in_place);
    tcase_add_test(tc, test_state_many_rows_come_and_go);
    tcase_add_test(tc, test_state_row_of_four_columns_and_three_indexes_stays_small);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
