#include "gw/pgoutput.h"

#include "gw/relation.h"
#include "wire.h"

/* One hand-written message of every kind. */
#define VECTOR(name, bytes) static const char name##_bytes[] = bytes;
#define LSN_A "\x00\x00\x00\x16\xB3\x74\xD8\x48"
#define LSN_B "\x00\x00\x00\x16\xB3\x74\xD9\x00"
#define TIME "\x00\x00\x00\x00\x00\x00\x00\x07"
#define OID "\x00\x00\x40\x01"

VECTOR(begin, "B" LSN_A TIME "\x00\x00\x02\xE0")
VECTOR(commit, "C\x00" LSN_A LSN_B TIME)
VECTOR(origin, "O" LSN_A "node_b\0")
VECTOR(relation, "R" OID "public\0trips\0d\x00\x02"
                 "\x01id\0\x00\x00\x00\x14\xff\xff\xff\xff"
                 "\x00title\0\x00\x00\x04\x13\x00\x00\x00\x24")
VECTOR(type, "Y" OID "public\0mood\0")
VECTOR(insert, "I" OID "N\x00\x03t\x00\x00\x00\x01"
               "1nb\x00\x00\x00\x02\x01\x02")
VECTOR(update, "U" OID "N\x00\x02t\x00\x00\x00\x01"
               "1u")
VECTOR(update_key, "U" OID "K\x00\x02t\x00\x00\x00\x01"
                   "1nN\x00\x02t\x00\x00\x00\x01"
                   "2u")
VECTOR(update_full, "U" OID "O\x00\x01t\x00\x00\x00\x00N\x00\x01n")
VECTOR(delete_key, "D" OID "K\x00\x01t\x00\x00\x00\x02"
                   "42")
VECTOR(delete_full, "D" OID "O\x00\x02n"
                    "n")
VECTOR(truncate, "T\x00\x00\x00\x02\x03" OID "\x00\x00\x40\x02")
VECTOR(message, "M\x01" LSN_A "prefix\0\x00\x00\x00\x03"
                "a\0b")

#define SPAN(name) ((struct gw_span){name##_bytes, sizeof name##_bytes - 1})

static struct gw_arena arena;

static void setup(void)
{
    gw_arena_init(&arena, 0);
}
static void teardown(void)
{
    gw_arena_fini(&arena);
}

static struct gw_pgoutput_msg decoded(struct gw_span in)
{
    struct gw_pgoutput_msg msg;
    struct gw_err err = {0};
    ck_assert_msg(gw_pgoutput_decode(in, &arena, &msg, &err) == GW_OK, "%s", err.text);
    return msg;
}

static enum gw_code failed(struct gw_span in)
{
    struct gw_pgoutput_msg msg;
    struct gw_err err = {0};
    char *copy = wire_exact(in);
    enum gw_code code = gw_pgoutput_decode((struct gw_span){copy, in.n}, &arena, &msg, &err);
    free(copy);
    ck_assert_int_eq(err.code, code);
    return code;
}
#define FAILED(bytes) failed((struct gw_span){bytes, sizeof(bytes) - 1})

START_TEST(test_pgoutput_begin_commit_origin_are_read)
{
    struct gw_pgoutput_msg msg = decoded(SPAN(begin));
    ck_assert_int_eq(msg.kind, GW_PGOUTPUT_BEGIN);
    ck_assert_uint_eq(msg.u.begin.final_lsn.v, UINT64_C(0x16B374D848));
    ck_assert_int_eq(msg.u.begin.commit_time.v, GW_PG_EPOCH_US + 7);
    ck_assert_uint_eq(msg.u.begin.xid, 0x2E0);

    msg = decoded(SPAN(commit));
    ck_assert_int_eq(msg.kind, GW_PGOUTPUT_COMMIT);
    ck_assert_uint_eq(msg.u.commit.commit_lsn.v, UINT64_C(0x16B374D848));
    ck_assert_uint_eq(msg.u.commit.end_lsn.v, UINT64_C(0x16B374D900));
    ck_assert_int_eq(msg.u.commit.commit_time.v, GW_PG_EPOCH_US + 7);

    msg = decoded(SPAN(origin));
    ck_assert_int_eq(msg.kind, GW_PGOUTPUT_ORIGIN);
    ck_assert(gw_span_is(msg.u.origin.name, "node_b"));
}
END_TEST

START_TEST(test_pgoutput_relation_and_type_are_read)
{
    struct gw_pgoutput_msg msg = decoded(SPAN(relation));
    ck_assert_int_eq(msg.kind, GW_PGOUTPUT_RELATION);
    ck_assert_uint_eq(msg.u.relation.rel_oid, 0x4001);
    ck_assert(gw_span_is(msg.u.relation.schema, "public"));
    ck_assert(gw_span_is(msg.u.relation.name, "trips"));
    ck_assert_int_eq(msg.u.relation.replica_identity, 'd');
    ck_assert_uint_eq(msg.u.relation.n_columns, 2);
    const struct gw_pgoutput_column *columns = msg.u.relation.columns;
    ck_assert(columns[0].is_key && !columns[1].is_key);
    ck_assert(gw_span_is(columns[0].name, "id") && gw_span_is(columns[1].name, "title"));
    ck_assert_uint_eq(columns[0].type_oid, 20);
    ck_assert_int_eq(columns[0].typmod, -1);
    ck_assert_uint_eq(columns[1].type_oid, 1043);
    ck_assert_int_eq(columns[1].typmod, 36);

    msg = decoded(SPAN(type));
    ck_assert_int_eq(msg.kind, GW_PGOUTPUT_TYPE);
    ck_assert_uint_eq(msg.u.type.type_oid, 0x4001);
    ck_assert(gw_span_is(msg.u.type.name, "mood"));
}
END_TEST

START_TEST(test_pgoutput_insert_values_point_into_input)
{
    struct gw_pgoutput_msg msg = decoded(SPAN(insert));
    ck_assert_int_eq(msg.kind, GW_PGOUTPUT_INSERT);
    ck_assert_int_eq(msg.u.row.old_kind, GW_OLD_NONE);
    ck_assert_uint_eq(msg.u.row.new_.n, 3);
    const struct gw_field *d = msg.u.row.new_.datums;
    ck_assert_int_eq(d[0].kind, GW_FIELD_TEXT);
    ck_assert(gw_span_is(d[0].value, "1"));
    ck_assert_ptr_eq(d[0].value.p, insert_bytes + 13);
    ck_assert_int_eq(d[1].kind, GW_FIELD_NULL);
    ck_assert_int_eq(d[2].kind, GW_FIELD_BINARY);
    ck_assert_uint_eq(d[2].value.n, 2);
}
END_TEST

START_TEST(test_pgoutput_update_old_kinds_are_told_apart)
{
    struct gw_pgoutput_msg msg = decoded(SPAN(update));
    ck_assert_int_eq(msg.kind, GW_PGOUTPUT_UPDATE);
    ck_assert_int_eq(msg.u.row.old_kind, GW_OLD_NONE);
    ck_assert_int_eq(msg.u.row.new_.datums[1].kind, GW_FIELD_UNCHANGED);

    msg = decoded(SPAN(update_key));
    ck_assert_int_eq(msg.u.row.old_kind, GW_OLD_KEY);
    ck_assert(gw_span_is(msg.u.row.old.datums[0].value, "1"));
    ck_assert(gw_span_is(msg.u.row.new_.datums[0].value, "2"));

    msg = decoded(SPAN(update_full));
    ck_assert_int_eq(msg.u.row.old_kind, GW_OLD_FULL);
    ck_assert_int_eq(msg.u.row.old.datums[0].kind, GW_FIELD_TEXT);
    ck_assert_uint_eq(msg.u.row.old.datums[0].value.n, 0);
    ck_assert_int_eq(msg.u.row.new_.datums[0].kind, GW_FIELD_NULL);
}
END_TEST

START_TEST(test_pgoutput_delete_and_truncate_are_read)
{
    struct gw_pgoutput_msg msg = decoded(SPAN(delete_key));
    ck_assert_int_eq(msg.kind, GW_PGOUTPUT_DELETE);
    ck_assert_int_eq(msg.u.row.old_kind, GW_OLD_KEY);
    ck_assert(gw_span_is(msg.u.row.old.datums[0].value, "42"));
    msg = decoded(SPAN(delete_full));
    ck_assert_int_eq(msg.u.row.old_kind, GW_OLD_FULL);
    ck_assert_uint_eq(msg.u.row.old.n, 2);

    msg = decoded(SPAN(truncate));
    ck_assert_int_eq(msg.kind, GW_PGOUTPUT_TRUNCATE);
    ck_assert_uint_eq(msg.u.truncate.n_rels, 2);
    ck_assert_uint_eq(msg.u.truncate.rel_oids[1], 0x4002);
    ck_assert(msg.u.truncate.cascade && msg.u.truncate.restart_identity);
}
END_TEST

START_TEST(test_pgoutput_message_content_may_hold_zeros)
{
    struct gw_pgoutput_msg msg = decoded(SPAN(message));
    ck_assert_int_eq(msg.kind, GW_PGOUTPUT_MESSAGE);
    ck_assert(msg.u.message.transactional);
    ck_assert_uint_eq(msg.u.message.lsn.v, UINT64_C(0x16B374D848));
    ck_assert(gw_span_is(msg.u.message.prefix, "prefix"));
    ck_assert_uint_eq(msg.u.message.content.n, 3);
}
END_TEST

static void prefixes_fail(struct gw_span whole)
{
    decoded(whole);
    for (size_t n = 0; n < whole.n; n++)
        ck_assert_int_eq(failed((struct gw_span){whole.p, n}), GW_E_TRUNCATED);
    char *longer = malloc(whole.n + 1);
    memcpy(longer, whole.p, whole.n);
    longer[whole.n] = 0;
    ck_assert_int_eq(failed((struct gw_span){longer, whole.n + 1}), GW_E_MALFORMED);
    free(longer);
}

START_TEST(test_pgoutput_prefix_is_truncated_and_rest_is_malformed)
{
    const struct gw_span vectors[] = {
        SPAN(begin),       SPAN(commit),   SPAN(origin),     SPAN(relation),    SPAN(type),
        SPAN(insert),      SPAN(update),   SPAN(update_key), SPAN(update_full), SPAN(delete_key),
        SPAN(delete_full), SPAN(truncate), SPAN(message)};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        prefixes_fail(vectors[i]);
}
END_TEST

START_TEST(test_pgoutput_captured_messages_and_their_prefixes)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    FILE *f = wire_captured_open();
    size_t n = 0;
    for (; wire_captured_next(f, &b); n++)
        prefixes_fail(gw_buf_span(&b));
    ck_assert_uint_ge(n, 50);
    fclose(f);
    gw_buf_fini(&b);
}
END_TEST

START_TEST(test_pgoutput_hostile_lengths_are_truncated)
{
    ck_assert_int_eq(FAILED("I" OID "N\x00\x01t\xff\xff\xff\xff"), GW_E_TRUNCATED);
    ck_assert_int_eq(FAILED("I" OID "N\x00\x01t\x80\x00\x00\x00x"), GW_E_TRUNCATED);
    ck_assert_int_eq(FAILED("I" OID "N\x06\x40n"), GW_E_TRUNCATED); /* 1600 of one byte */
    ck_assert_int_eq(FAILED("T\xff\xff\xff\xff\x00" OID), GW_E_TRUNCATED);
    ck_assert_int_eq(FAILED("T\x40\x00\x00\x01\x00" OID), GW_E_TRUNCATED); /* times 4 wraps */
    ck_assert_int_eq(FAILED("R" OID "s\0t\0d\x06\x40"), GW_E_TRUNCATED);
    ck_assert_int_eq(FAILED("M\x01" LSN_A "p\0\xff\xff\xff\xff"
                            "a"),
                     GW_E_TRUNCATED);
    ck_assert_int_eq(FAILED("O" LSN_A "no end"), GW_E_TRUNCATED);
    ck_assert_uint_lt(arena.used_bytes, 4096);
}
END_TEST

START_TEST(test_pgoutput_too_many_columns_is_malformed)
{
    ck_assert_int_eq(FAILED("I" OID "N\x06\x41n"), GW_E_MALFORMED);
    ck_assert_int_eq(FAILED("R" OID "s\0t\0d\xff\xff"), GW_E_MALFORMED);
}
END_TEST

START_TEST(test_pgoutput_most_columns_are_accepted)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_buf_add(&b, "I" OID "N\x06\x40", 8);
    for (int i = 0; i < GW_COLUMNS_MAX; i++)
        gw_buf_add_byte(&b, 'n');
    ck_assert_uint_eq(decoded(gw_buf_span(&b)).u.row.new_.n, GW_COLUMNS_MAX);
    gw_buf_fini(&b);
}
END_TEST

START_TEST(test_pgoutput_wrong_tags_are_malformed)
{
    ck_assert_int_eq(FAILED("I" OID "K\x00\x00"), GW_E_MALFORMED);
    ck_assert_int_eq(FAILED("U" OID "X\x00\x00"), GW_E_MALFORMED);
    ck_assert_int_eq(FAILED("U" OID "K\x00\x00O\x00\x00"), GW_E_MALFORMED);
    ck_assert_int_eq(FAILED("D" OID "N\x00\x00"), GW_E_MALFORMED);
    ck_assert_int_eq(FAILED("I" OID "N\x00\x01x"), GW_E_MALFORMED);
    ck_assert_int_eq(FAILED("R" OID "s\0t\0z\x00\x00"), GW_E_MALFORMED);
    ck_assert_int_eq(FAILED("R" OID "s\0t\0\0\x00\x00"), GW_E_MALFORMED);
    ck_assert_int_eq(FAILED("C\x01" LSN_A LSN_B TIME), GW_E_MALFORMED);
}
END_TEST

START_TEST(test_pgoutput_unknown_kind_is_unsupported_and_named)
{
    struct gw_pgoutput_msg msg;
    struct gw_err err = {0};
    for (const char *kind = "SEcAbPKrpx\x01\xff"; *kind; kind++) {
        ck_assert_int_eq(gw_pgoutput_decode((struct gw_span){kind, 1}, &arena, &msg, &err),
                         GW_E_UNSUPPORTED);
    }
    ck_assert_ptr_nonnull(strstr(err.text, "0xff"));
    ck_assert_int_eq(failed((struct gw_span){NULL, 0}), GW_E_TRUNCATED);
}
END_TEST

START_TEST(test_pgoutput_arena_cap_is_too_big)
{
    struct gw_pgoutput_msg msg;
    struct gw_arena small;
    gw_arena_init(&small, 8);
    ck_assert_int_eq(gw_pgoutput_decode(SPAN(insert), &small, &msg, NULL), GW_E_TOO_BIG);
    ck_assert_int_eq(gw_pgoutput_decode(SPAN(relation), &small, &msg, NULL), GW_E_TOO_BIG);
    gw_arena_fini(&small);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pgoutput");
    TCase *tc = tcase_create("pgoutput");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_pgoutput_begin_commit_origin_are_read);
    tcase_add_test(tc, test_pgoutput_relation_and_type_are_read);
    tcase_add_test(tc, test_pgoutput_insert_values_point_into_input);
    tcase_add_test(tc, test_pgoutput_update_old_kinds_are_told_apart);
    tcase_add_test(tc, test_pgoutput_delete_and_truncate_are_read);
    tcase_add_test(tc, test_pgoutput_message_content_may_hold_zeros);
    tcase_add_test(tc, test_pgoutput_prefix_is_truncated_and_rest_is_malformed);
    tcase_add_test(tc, test_pgoutput_captured_messages_and_their_prefixes);
    tcase_add_test(tc, test_pgoutput_hostile_lengths_are_truncated);
    tcase_add_test(tc, test_pgoutput_too_many_columns_is_malformed);
    tcase_add_test(tc, test_pgoutput_most_columns_are_accepted);
    tcase_add_test(tc, test_pgoutput_wrong_tags_are_malformed);
    tcase_add_test(tc, test_pgoutput_unknown_kind_is_unsupported_and_named);
    tcase_add_test(tc, test_pgoutput_arena_cap_is_too_big);
    suite_add_tcase(suite, tc);
    return wire_run(suite);
}
