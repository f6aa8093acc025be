/* state: what each situation means, one by one. The properties stand in test_state_property.c. */
#include "state_fixture.h"

/* trip_collaborators of TripSage, and a table without identity. */
enum { ID, ROLE, TRIP, USER, MEMBER_COLUMNS };
enum { BY_TRIP, BY_USER, BY_BOTH };
static struct gw_state_column member_columns[] = {
    ST_COLUMN("id", OID_INT8, GW_KIND_INT, false), ST_COLUMN("role", OID_TEXT, GW_KIND_TEXT, false),
    ST_COLUMN("trip_id", OID_INT8, GW_KIND_INT, false),
    ST_COLUMN("user_id", OID_TEXT, GW_KIND_TEXT, false)};
static uint32_t member_identity[] = {ID};
static struct gw_state_index member_indexes[] = {{1, {TRIP}}, {1, {USER}}, {2, {TRIP, USER}}};
static struct gw_state_column note_columns[] = {ST_COLUMN("kind", OID_CITEXT, GW_KIND_OPAQUE, true),
                                                ST_COLUMN("trip_id", OID_INT8, GW_KIND_INT, true)};
static struct gw_state_index note_indexes[] = {{1, {1}}, {1, {0}}};
enum { MEMBERS, NOTES };
static struct gw_state_table_def defs[] = {
    {.oid = 1001,
     .n_columns = MEMBER_COLUMNS,
     .columns = member_columns,
     .n_identity = 1,
     .identity = member_identity,
     .n_indexes = 3,
     .indexes = member_indexes},
    {.oid = 1002, .n_columns = 2, .columns = note_columns, .n_indexes = 2, .indexes = note_indexes},
};
static struct gw_rules rules = ST_RULES(defs);

static struct gw_state *s;
static struct gw_relation *members, *members_full, *notes;
static int fired;

static const struct st_column MEMBER_REL[] = {{"id", OID_INT8, true},
                                              {"trip_id", OID_INT8, false},
                                              {"user_id", OID_TEXT, false},
                                              {"role", OID_TEXT, false}};
static const struct st_column NOTE_REL[] = {{"trip_id", OID_INT8, false},
                                            {"kind", OID_CITEXT, false}};

static void setup(void)
{
    s = gw_state_new(SIZE_MAX);
    gw_state_set_rules(s, &rules);
    members = st_relation(1001, 'd', 4, MEMBER_REL);
    members_full = st_relation(1001, 'f', 4, MEMBER_REL);
    notes = st_relation(1002, 'f', 2, NOTE_REL);
    fired = 0;
}

static void teardown(void)
{
    gw_state_free(s);
    gw_relation_unref(members);
    gw_relation_unref(members_full);
    gw_relation_unref(notes);
}

static void load_members(void)
{
    static const char *const ROWS[] = {"1", "viewer", "42", "ann", /* id, role, trip, user */
                                       "2", "editor", "42", "bob", /* */
                                       "3", "viewer", "43", "ann"};
    st_load(s, MEMBERS, &defs[MEMBERS], 3, ROWS);
}

static struct gw_state_hits find(uint32_t table, int index, struct gw_datum a, struct gw_datum b,
                                 enum gw_code expected)
{
    struct gw_datum keys[] = {a, b};
    struct gw_state_hits hits;
    ck_assert_int_eq(gw_state_find(s, table, index, keys, &hits), expected);
    return hits;
}

static struct gw_state_hits of_trip(const char *trip)
{
    return find(MEMBERS, BY_TRIP, st_int(trip), st_int(trip), GW_OK);
}

#define HAS(hits, count)                                                                           \
    do {                                                                                           \
        struct gw_state_hits hits_ = (hits);                                                       \
        ck_assert_uint_eq(hits_.n, (count));                                                       \
        ck_assert(!hits_.is_incomplete);                                                           \
    } while (0)

static bool cell_is(const struct gw_state_row *row, uint32_t column, struct gw_datum expected)
{
    struct gw_datum d = gw_state_cell(s, row, MEMBERS, column);
    return d.state == expected.state &&
           (d.state != GW_DATUM_VALUE || gw_key_eq(d.key, expected.key));
}

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

/* ---- keys ---- */

static void load_trip(const char *trip, uint32_t n, const char *const *texts)
{
    struct gw_datum key = st_int(trip), cells[MEMBER_COLUMNS * 8];
    for (uint32_t i = 0; i < n * MEMBER_COLUMNS; i++)
        cells[i] = gw_datum_of(member_columns[i % MEMBER_COLUMNS].kind, gw_span_of(texts[i]));
    gw_state_load_key(s, MEMBERS, BY_TRIP, &key, &(struct gw_state_rows){n, cells});
}

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
    tcase_add_test(tc, test_state_cached_misses_until_the_key_is_read);
    tcase_add_test(tc, test_state_cached_row_enters_each_loaded_key_and_leaves_with_the_last);
    tcase_add_test(tc, test_state_cached_read_does_not_overtake_rows_that_are_here);
    tcase_add_test(tc, test_state_cached_rows_put_back_leave_keys_read_earlier_complete);
    tcase_add_test(tc, test_state_cached_truncate_leaves_keys_known_to_be_empty);
    tcase_add_test(tc, test_state_cached_evicts_least_recently_used_and_tells);
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
    tcase_add_test(tc, test_state_row_of_four_columns_and_three_indexes_stays_small);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
