#include "gw/lsn.h"

#include "wire.h"

static uint64_t parsed(const char *text)
{
    struct gw_lsn lsn = {1};
    ck_assert_int_eq(gw_lsn_parse(gw_span_of(text), &lsn), GW_OK);
    return lsn.v;
}

START_TEST(test_lsn_parse_halves_gives_64_bits)
{
    ck_assert_uint_eq(parsed("16/B374D848"), UINT64_C(0x16B374D848));
    ck_assert_uint_eq(parsed("0/0"), 0);
    ck_assert_uint_eq(parsed("ffffffff/FFFFFFFF"), UINT64_MAX);
    ck_assert_uint_eq(parsed("1/00000001"), UINT64_C(0x100000001));
}
END_TEST

START_TEST(test_lsn_parse_anything_else_is_malformed)
{
    static const char *const bad[] = {"",      "/",    "1",    "1/",   "/1",          "1/2/3",
                                      "g/1",   "1/-1", " 1/2", "1/2 ", "123456789/0", "0/123456789",
                                      "0x1/2", "+1/2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct gw_lsn lsn;
        struct gw_span text = gw_span_of(bad[i]);
        char *copy = wire_exact(text);
        ck_assert_int_eq(gw_lsn_parse((struct gw_span){copy, text.n}, &lsn), GW_E_MALFORMED);
        free(copy);
    }
    struct gw_lsn lsn;
    ck_assert_int_eq(gw_lsn_parse((struct gw_span){NULL, 0}, &lsn), GW_E_MALFORMED);
}
END_TEST

START_TEST(test_lsn_format_reads_back)
{
    char text[GW_LSN_TEXT];
    ck_assert_str_eq(gw_lsn_format((struct gw_lsn){UINT64_C(0x16B374D848)}, text), "16/B374D848");
    ck_assert_str_eq(gw_lsn_format((struct gw_lsn){0}, text), "0/0");
    ck_assert_str_eq(gw_lsn_format((struct gw_lsn){UINT64_MAX}, text), "FFFFFFFF/FFFFFFFF");
    for (uint64_t v = 1; v; v <<= 1)
        ck_assert_uint_eq(parsed(gw_lsn_format((struct gw_lsn){v}, text)), v);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lsn");
    TCase *tc = tcase_create("lsn");
    tcase_add_test(tc, test_lsn_parse_halves_gives_64_bits);
    tcase_add_test(tc, test_lsn_parse_anything_else_is_malformed);
    tcase_add_test(tc, test_lsn_format_reads_back);
    suite_add_tcase(suite, tc);
    return wire_run(suite);
}
