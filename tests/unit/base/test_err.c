/* err: the list is complete and well-formed, texts are cut, never overrun. */
#include "gw/err.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(test_err_every_code_has_name_and_text)
{
    for (int i = 0; i < GW_CODE_COUNT; i++) {
        enum gw_code code = (enum gw_code)i;
        ck_assert_uint_gt(strlen(gw_code_name(code)), 0);
        ck_assert_uint_gt(strlen(gw_code_text(code)), 0);
        ck_assert_ptr_nonnull(gw_code_wire(code));
        int close = gw_code_close(code);
        ck_assert(close == 0 || (close >= 1000 && close < 5000));
    }
}
END_TEST

START_TEST(test_err_columns_come_from_the_list)
{
    ck_assert_int_eq(GW_OK, 0);
    ck_assert_str_eq(gw_code_name(GW_E_SHUTDOWN), "E_SHUTDOWN");
    ck_assert_str_eq(gw_code_wire(GW_E_SHUTDOWN), "RealtimeRestarting");
    ck_assert_int_eq(gw_code_close(GW_E_SHUTDOWN), 1012);
    ck_assert_int_eq(gw_code_retry(GW_E_SHUTDOWN), GW_RETRY_LATER);
    ck_assert_int_eq(gw_code_retry(GW_E_RESYNC), GW_RETRY_REJOIN);
}
END_TEST

START_TEST(test_err_set_hint_wrap_compose)
{
    struct gw_err err = {0};
    ck_assert_int_eq(gw_err_set(&err, GW_E_IO, "open %s failed", "x.pem"), GW_E_IO);
    gw_err_hint(&err, "chmod 600 %s", "x.pem");
    ck_assert_int_eq(gw_err_wrap(&err, "loading keys"), GW_E_IO);
    ck_assert_str_eq(err.text, "open x.pem failed while loading keys");
    ck_assert_str_eq(err.hint, "chmod 600 x.pem");
}
END_TEST

START_TEST(test_err_set_again_drops_old_hint)
{
    struct gw_err err = {0};
    gw_err_set(&err, GW_E_IO, "one");
    gw_err_hint(&err, "do this");
    gw_err_set(&err, GW_E_FULL, "%s, then two", err.text);
    ck_assert_str_eq(err.text, "one, then two");
    ck_assert_str_eq(err.hint, "");
}
END_TEST

START_TEST(test_err_set_null_returns_code)
{
    ck_assert_int_eq(gw_err_set(NULL, GW_E_FULL, "x"), GW_E_FULL);
    gw_err_hint(NULL, "y");
}
END_TEST

START_TEST(test_err_long_text_is_cut)
{
    char big[1000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    struct gw_err err = {0};
    gw_err_set(&err, GW_E_IO, "%s", big);
    gw_err_hint(&err, "%s", big);
    gw_err_wrap(&err, "%s", big);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
    ck_assert_uint_eq(strlen(err.hint), sizeof err.hint - 1);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("err");
    tcase_add_test(tc, test_err_every_code_has_name_and_text);
    tcase_add_test(tc, test_err_columns_come_from_the_list);
    tcase_add_test(tc, test_err_set_hint_wrap_compose);
    tcase_add_test(tc, test_err_set_again_drops_old_hint);
    tcase_add_test(tc, test_err_set_null_returns_code);
    tcase_add_test(tc, test_err_long_text_is_cut);
    Suite *s = suite_create("err");
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
