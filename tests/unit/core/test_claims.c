#include "gw/claims.h"

#include <check.h>
#include <stdlib.h>

START_TEST(test_claims_new_copies_and_terminates)
{
    char role[] = "authenticated", sub[] = "u1", json[] = "{\"role\":\"authenticated\"}";
    struct gw_claims *c =
        gw_claims_new(3, gw_span_of(role), gw_span_of(sub), 1234567890123, gw_span_of(json));
    memset(role, 'x', sizeof role - 1);
    memset(sub, 'x', sizeof sub - 1);
    memset(json, 'x', sizeof json - 1);
    ck_assert_uint_eq(c->role_id, 3);
    ck_assert_int_eq(c->exp_s, 1234567890123);
    ck_assert_str_eq(c->role.p, "authenticated");
    ck_assert_uint_eq(c->role.n, strlen("authenticated"));
    ck_assert_str_eq(c->sub.p, "u1");
    ck_assert_str_eq(c->json.p, "{\"role\":\"authenticated\"}");
    gw_claims_unref(c);
}
END_TEST

START_TEST(test_claims_empty_sub_is_an_empty_string)
{
    struct gw_claims *c =
        gw_claims_new(0, GW_SPAN_LIT("anon"), (struct gw_span){0}, INT64_MAX, GW_SPAN_LIT("{}"));
    ck_assert_uint_eq(c->sub.n, 0);
    ck_assert_str_eq(c->sub.p, "");
    gw_claims_unref(c);
}
END_TEST

START_TEST(test_claims_ref_keeps_until_the_last_unref)
{
    struct gw_claims *c =
        gw_claims_new(0, GW_SPAN_LIT("r"), GW_SPAN_LIT("s"), 1, GW_SPAN_LIT("{}"));
    ck_assert_ptr_eq(gw_claims_ref(c), c);
    gw_claims_unref(c);
    ck_assert_str_eq(c->role.p, "r");
    gw_claims_unref(c);
    gw_claims_unref(NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("claims");
    TCase *tc = tcase_create("claims");
    tcase_add_test(tc, test_claims_new_copies_and_terminates);
    tcase_add_test(tc, test_claims_empty_sub_is_an_empty_string);
    tcase_add_test(tc, test_claims_ref_keeps_until_the_last_unref);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
