#include "gw/repl_msg.h"

#include "wire.h"

static const char xlog[] = "w"
                           "\x00\x00\x00\x16\xB3\x74\xD8\x48"
                           "\x00\x00\x00\x16\xB3\x74\xD9\x00"
                           "\x00\x00\x00\x00\x00\x00\x00\x05"
                           "payload";
static const char keepalive[] = "k"
                                "\x00\x00\x00\x16\xB3\x74\xD9\x00"
                                "\xff\xff\xff\xff\xff\xff\xff\xff"
                                "\x01";

START_TEST(test_repl_msg_xlog_data_is_read)
{
    struct gw_repl_msg msg;
    ck_assert_int_eq(gw_repl_msg_parse((struct gw_span){xlog, sizeof xlog - 1}, &msg), GW_OK);
    ck_assert_int_eq(msg.kind, GW_REPL_XLOG_DATA);
    ck_assert_uint_eq(msg.start.v, UINT64_C(0x16B374D848));
    ck_assert_uint_eq(msg.end.v, UINT64_C(0x16B374D900));
    ck_assert_int_eq(msg.sent.v, GW_PG_EPOCH_US + 5);
    ck_assert(gw_span_is(msg.payload, "payload"));
    ck_assert_ptr_eq(msg.payload.p, xlog + 25);
}
END_TEST

START_TEST(test_repl_msg_keepalive_is_read)
{
    struct gw_repl_msg msg;
    struct gw_span in = {keepalive, sizeof keepalive - 1};
    ck_assert_int_eq(gw_repl_msg_parse(in, &msg), GW_OK);
    ck_assert_int_eq(msg.kind, GW_REPL_KEEPALIVE);
    ck_assert_uint_eq(msg.end.v, UINT64_C(0x16B374D900));
    ck_assert_int_eq(msg.sent.v, GW_PG_EPOCH_US - 1);
    ck_assert(msg.reply_requested);
    ck_assert_uint_eq(msg.payload.n, 0);
}
END_TEST

/* Every prefix too short for the fixed part must fail, read from a copy of exactly its size. */
static void prefixes_fail(const char *bytes, size_t fixed)
{
    for (size_t n = 0; n < fixed; n++) {
        struct gw_repl_msg msg;
        char *copy = wire_exact((struct gw_span){bytes, n});
        ck_assert_int_eq(gw_repl_msg_parse((struct gw_span){copy, n}, &msg), GW_E_TRUNCATED);
        free(copy);
    }
}

START_TEST(test_repl_msg_prefix_is_truncated)
{
    prefixes_fail(xlog, 25);
    prefixes_fail(keepalive, 18);
}
END_TEST

START_TEST(test_repl_msg_empty_payload_is_accepted)
{
    struct gw_repl_msg msg;
    ck_assert_int_eq(gw_repl_msg_parse((struct gw_span){xlog, 25}, &msg), GW_OK);
    ck_assert_uint_eq(msg.payload.n, 0);
}
END_TEST

START_TEST(test_repl_msg_unknown_kind_is_unsupported)
{
    struct gw_repl_msg msg;
    ck_assert_int_eq(gw_repl_msg_parse(GW_SPAN_LIT("z"), &msg), GW_E_UNSUPPORTED);
}
END_TEST

START_TEST(test_repl_time_saturates)
{
    ck_assert_int_eq(gw_repl_time(0).v, GW_PG_EPOCH_US);
    ck_assert_int_eq(gw_repl_time(INT64_MAX).v, INT64_MAX);
    ck_assert_int_eq(gw_repl_time((uint64_t)INT64_MIN).v, INT64_MIN + GW_PG_EPOCH_US);
}
END_TEST

START_TEST(test_repl_status_is_written)
{
    static const char expected[] = "r"
                                   "\x00\x00\x00\x00\x00\x00\x00\x03"
                                   "\x00\x00\x00\x00\x00\x00\x00\x02"
                                   "\x00\x00\x00\x00\x00\x00\x00\x01"
                                   "\xff\xff\xff\xff\xff\xff\xff\xfe"
                                   "\x01";
    char out[GW_REPL_STATUS_BYTES];
    gw_repl_status_write(out, (struct gw_lsn){3}, (struct gw_lsn){2}, (struct gw_lsn){1},
                         (struct gw_us){GW_PG_EPOCH_US - 2}, true);
    ck_assert_uint_eq(sizeof expected - 1, sizeof out);
    ck_assert_mem_eq(out, expected, sizeof out);
    gw_repl_status_write(out, (struct gw_lsn){3}, (struct gw_lsn){2}, (struct gw_lsn){1},
                         (struct gw_us){GW_PG_EPOCH_US - 2}, false);
    ck_assert_int_eq(out[33], 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repl_msg");
    TCase *tc = tcase_create("repl_msg");
    tcase_add_test(tc, test_repl_msg_xlog_data_is_read);
    tcase_add_test(tc, test_repl_msg_keepalive_is_read);
    tcase_add_test(tc, test_repl_msg_prefix_is_truncated);
    tcase_add_test(tc, test_repl_msg_empty_payload_is_accepted);
    tcase_add_test(tc, test_repl_msg_unknown_kind_is_unsupported);
    tcase_add_test(tc, test_repl_time_saturates);
    tcase_add_test(tc, test_repl_status_is_written);
    suite_add_tcase(suite, tc);
    return wire_run(suite);
}
