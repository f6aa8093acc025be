/* snapshot: the text form, and which 32-bit xids are seen, wrap-around included. */
#include "gw/snapshot.h"

#include <check.h>
#include <stdlib.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static const char *const MALFORMED[] = {
    "",       ":",      "1",       "1:2",
    "1:2:3,", "1:2:,1", "2:1:",    "a:2:",
    "1:2:2",  "5:9:4",  "5:9:6,6", "5:9:7,6",
    "5:9:6 ", "-1:2:",  "5:9:6,",  "9223372036854775808:9223372036854775809:",
    "5:9:6x",
};

START_TEST(test_snapshot_malformed_text_is_refused)
{
    struct gw_snapshot s = {0};
    ck_assert_int_eq(gw_snapshot_parse(&s, gw_span_of(MALFORMED[_i])), GW_E_MALFORMED);
    ck_assert_ptr_null(s.xip);
    gw_snapshot_fini(&s);
}
END_TEST

START_TEST(test_snapshot_sees_what_was_over)
{
    struct gw_snapshot s = {.horizon = {77}};
    ck_assert_int_eq(gw_snapshot_parse(&s, GW_SPAN_LIT("10:20:10,14,15")), GW_OK);
    ck_assert_uint_eq(s.xmin, 10);
    ck_assert_uint_eq(s.xmax, 20);
    ck_assert_uint_eq(s.n_xip, 3);
    ck_assert_uint_eq(s.horizon.v, 77); /* not the text's affair */
    for (uint32_t xid = 3; xid < 40; xid++)
        ck_assert_int_eq(gw_snapshot_sees(&s, xid),
                         xid < 20 && xid != 10 && xid != 14 && xid != 15);
    ck_assert(!gw_snapshot_sees(&s, UINT32_MAX - 3)); /* before the first of all: never was */
    gw_snapshot_fini(&s);
}
END_TEST

START_TEST(test_snapshot_without_any_in_progress)
{
    struct gw_snapshot s = {0};
    ck_assert_int_eq(gw_snapshot_parse(&s, GW_SPAN_LIT("750:750:")), GW_OK);
    ck_assert_ptr_null(s.xip);
    ck_assert(gw_snapshot_sees(&s, 749));
    ck_assert(!gw_snapshot_sees(&s, 750));
    gw_snapshot_fini(&s);
}
END_TEST

START_TEST(test_snapshot_xids_wrap_around)
{
    /* xmax = 2^32 + 5, one in progress before the wrap and one behind it. */
    struct gw_snapshot s = {0};
    ck_assert_int_eq(
        gw_snapshot_parse(&s, GW_SPAN_LIT("4294967290:4294967301:4294967292,4294967299")), GW_OK);
    ck_assert(gw_snapshot_sees(&s, 4294967289u));
    ck_assert(gw_snapshot_sees(&s, 4294967291u));
    ck_assert(!gw_snapshot_sees(&s, 4294967292u));
    ck_assert(gw_snapshot_sees(&s, 4294967295u));
    ck_assert(!gw_snapshot_sees(&s, 3)); /* 2^32 + 3 */
    ck_assert(gw_snapshot_sees(&s, 4));
    ck_assert(!gw_snapshot_sees(&s, 5));
    ck_assert(!gw_snapshot_sees(&s, 2000000000u)); /* in the future */
    ck_assert(gw_snapshot_sees(&s, 2500000000u));  /* in the past */
    gw_snapshot_fini(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *tc = tcase_create("snapshot");
    tcase_add_loop_test(tc, test_snapshot_malformed_text_is_refused, 0, COUNT(MALFORMED));
    tcase_add_test(tc, test_snapshot_sees_what_was_over);
    tcase_add_test(tc, test_snapshot_without_any_in_progress);
    tcase_add_test(tc, test_snapshot_xids_wrap_around);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
