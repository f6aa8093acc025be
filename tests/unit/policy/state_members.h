/* state_members: the access state of the tests: members of trips, and notes without identity. */
#ifndef GW_TEST_STATE_MEMBERS_H
#define GW_TEST_STATE_MEMBERS_H

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

static const struct st_column MEMBER_REL[] = {{"id", OID_INT8, true},
                                              {"trip_id", OID_INT8, false},
                                              {"user_id", OID_TEXT, false},
                                              {"role", OID_TEXT, false}};
static const struct st_column NOTE_REL[] = {{"trip_id", OID_INT8, false},
                                            {"kind", OID_CITEXT, false}};

static inline void setup(void)
{
    s = gw_state_new(SIZE_MAX);
    gw_state_set_rules(s, &rules);
    members = st_relation(1001, 'd', 4, MEMBER_REL);
    members_full = st_relation(1001, 'f', 4, MEMBER_REL);
    notes = st_relation(1002, 'f', 2, NOTE_REL);
}

static inline void teardown(void)
{
    gw_state_free(s);
    gw_relation_unref(members);
    gw_relation_unref(members_full);
    gw_relation_unref(notes);
}

static inline void load_members(void)
{
    static const char *const ROWS[] = {"1", "viewer", "42", "ann", /* id, role, trip, user */
                                       "2", "editor", "42", "bob", /* */
                                       "3", "viewer", "43", "ann"};
    st_load(s, MEMBERS, &defs[MEMBERS], 3, ROWS);
}

static inline struct gw_state_hits find(uint32_t table, int index, struct gw_datum a,
                                        struct gw_datum b, enum gw_code expected)
{
    struct gw_datum keys[] = {a, b};
    struct gw_state_hits hits;
    ck_assert_int_eq(gw_state_find(s, table, index, keys, &hits), expected);
    return hits;
}

static inline struct gw_state_hits of_trip(const char *trip)
{
    return find(MEMBERS, BY_TRIP, st_int(trip), st_int(trip), GW_OK);
}

#define HAS(hits, count)                                                                           \
    do {                                                                                           \
        struct gw_state_hits hits_ = (hits);                                                       \
        ck_assert_uint_eq(hits_.n, (count));                                                       \
        ck_assert(!hits_.is_incomplete);                                                           \
    } while (0)

static inline bool cell_is(const struct gw_state_row *row, uint32_t column,
                           struct gw_datum expected)
{
    struct gw_datum d = gw_state_cell(s, row, MEMBERS, column);
    return d.state == expected.state &&
           (d.state != GW_DATUM_VALUE || gw_key_eq(d.key, expected.key));
}

static inline void load_trip(const char *trip, uint32_t n, const char *const *texts)
{
    struct gw_datum key = st_int(trip), cells[MEMBER_COLUMNS * 8];
    for (uint32_t i = 0; i < n * MEMBER_COLUMNS; i++)
        cells[i] = gw_datum_of(member_columns[i % MEMBER_COLUMNS].kind, gw_span_of(texts[i]));
    gw_state_load_key(s, MEMBERS, BY_TRIP, &key, &(struct gw_state_rows){n, cells});
}

#endif
