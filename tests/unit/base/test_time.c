/* time: against gmtime as the oracle, and at the edges of the four-digit years. */
#include "gw/time.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *iso(int64_t us)
{
    static char out[25];
    gw_us_format_iso((struct gw_us){us}, out);
    return out;
}

START_TEST(test_time_known_instants)
{
    ck_assert_str_eq(iso(0), "1970-01-01T00:00:00.000Z");
    ck_assert_str_eq(iso(GW_PG_EPOCH_US), "2000-01-01T00:00:00.000Z");
    ck_assert_str_eq(iso(INT64_C(1795166102417999)), "2026-11-20T09:15:02.417Z");
    ck_assert_str_eq(iso(INT64_C(951782400000000)), "2000-02-29T00:00:00.000Z");
    ck_assert_str_eq(iso(-1), "1969-12-31T23:59:59.999Z");
}
END_TEST

START_TEST(test_time_out_of_range_is_clamped)
{
    ck_assert_str_eq(iso(INT64_MIN), "0000-01-01T00:00:00.000Z");
    ck_assert_str_eq(iso(INT64_MAX), "9999-12-31T23:59:59.999Z");
}
END_TEST

START_TEST(test_time_every_era_matches_gmtime)
{
    for (int64_t s = INT64_C(-62167219200); s < INT64_C(253402300800); s += 8640000 + 7919) {
        time_t t = (time_t)s;
        struct tm tm;
        ck_assert_ptr_nonnull(gmtime_r(&t, &tm));
        char want[64];
        strftime(want, sizeof want, "-%m-%dT%H:%M:%S.000Z", &tm);
        const char *got = iso(s * 1000000);
        ck_assert_str_eq(got + 4, want);
        ck_assert_int_eq(atoi(got), tm.tm_year + 1900);
    }
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("time");
    tcase_add_test(tc, test_time_known_instants);
    tcase_add_test(tc, test_time_out_of_range_is_clamped);
    tcase_add_test(tc, test_time_every_era_matches_gmtime);
    Suite *s = suite_create("time");
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
