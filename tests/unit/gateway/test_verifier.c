#include "mint.h"
#include "verifier.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define SECRET "0123456789abcdef0123456789abcdef"
#define NOW_S 1800000000
#define SUB "5c2d7a30-8f0e-4f4e-9f3e-0d6a1c9b7e11"

/* Over {"role":"anon","exp":1900000000} with SECRET, made without this code. */
#define HS384_TOKEN                                                                                \
    "eyJhbGciOiJIUzM4NCJ9.eyJyb2xlIjoiYW5vbiIsImV4cCI6MTkwMDAwMDAwMH0."                            \
    "CjOq4eeKRJ0eEbvlLqPyo0BldrLTdAauR4isFAFXD4OtMsTya_yMqag6DhL5vILk"
#define HS512_TOKEN                                                                                \
    "eyJhbGciOiJIUzUxMiJ9.eyJyb2xlIjoiYW5vbiIsImV4cCI6MTkwMDAwMDAwMH0."                            \
    "tW_UR9pe5DOrJc6FZ3N3hCPkreHgVtptYtBhBeGmD3P5IPq0R5O-3HAbJJIMKqXtswQFOzVm9lfTkduBqIV4mg"

static struct gw_settings settings;
static struct gw_verifier *verifier;
static struct gw_claims *claims;
static struct gw_err err;

static void open_with(const char *secret)
{
    settings = (struct gw_settings){.jwt_secret = (char *)secret,
                                    .api_keys = "sb_publishable_abc==anon,second=service_role",
                                    .roles = {"anon", "authenticated", "service_role"},
                                    .n_roles = 3};
    verifier = gw_verifier_new(&settings);
    claims = NULL;
    err = (struct gw_err){0};
}

static void init(void)
{
    open_with(SECRET);
}

static void fini(void)
{
    gw_claims_unref(claims);
    gw_verifier_free(verifier);
}

static char *sign(const char *claims_json)
{
    struct gw_mint *m = gw_mint_new();
    ck_assert_int_eq(gw_mint_merge(m, claims_json), GW_OK);
    char *token = gw_mint_sign(m, SECRET);
    ck_assert_ptr_nonnull(token);
    gw_mint_free(m);
    return token;
}

static enum gw_code check_text(const char *token)
{
    gw_claims_unref(claims);
    claims = NULL;
    return gw_verifier_check(verifier, gw_span_of(token), (struct gw_us){NOW_S * INT64_C(1000000)},
                             &claims, &err);
}

static enum gw_code check_claims(const char *claims_json)
{
    char *token = sign(claims_json);
    enum gw_code code = check_text(token);
    free(token);
    return code;
}

START_TEST(test_verifier_good_token_gives_claims)
{
    ck_assert_int_eq(check_claims("{\"sub\":\"" SUB "\",\"role\":\"authenticated\","
                                  "\"exp\":1800000001,\"org\":{\"z\":1,\"a\":[true]}}"),
                     GW_OK);
    ck_assert_uint_eq(claims->role_id, 1);
    ck_assert(gw_span_is(claims->role, "authenticated"));
    ck_assert(gw_span_is(claims->sub, SUB));
    ck_assert_int_eq(claims->exp_s, 1800000001);
    ck_assert(gw_span_is(claims->json, "{\"exp\":1800000001,\"org\":{\"a\":[true],\"z\":1},"
                                       "\"role\":\"authenticated\",\"sub\":\"" SUB "\"}"));
}
END_TEST

/* claims, code, text or NULL */
static const struct {
    const char *claims;
    enum gw_code code;
    const char *text;
} cases[] = {
    {"{\"role\":\"anon\",\"exp\":1800000000}", GW_E_TOKEN_EXPIRED,
     "Token has expired 0 seconds ago"},
    {"{\"role\":\"anon\",\"exp\":1799999000}", GW_E_TOKEN_EXPIRED,
     "Token has expired 1000 seconds ago"},
    {"{\"role\":\"anon\",\"exp\":-5}", GW_E_TOKEN_EXPIRED, NULL},
    {"{\"role\":\"anon\",\"exp\":1800000000.4}", GW_E_TOKEN_EXPIRED, NULL},
    {"{\"role\":\"anon\",\"exp\":1800000000.6}", GW_OK, NULL},
    {"{\"role\":\"anon\",\"exp\":1e300}", GW_OK, NULL},
    {"{\"role\":\"anon\",\"exp\":-1e300}", GW_E_TOKEN_EXPIRED, NULL},
    {"{\"role\":\"anon\",\"exp\":\"1900000000\"}", GW_E_TOKEN_CLAIMS,
     "Fields `role` and `exp` are required in JWT"},
    {"{\"role\":\"anon\"}", GW_E_TOKEN_CLAIMS, "Fields `role` and `exp` are required in JWT"},
    {"{\"exp\":1900000000}", GW_E_TOKEN_CLAIMS, "Fields `role` and `exp` are required in JWT"},
    {"{\"role\":null,\"exp\":1900000000}", GW_E_TOKEN_CLAIMS, NULL},
    {"{\"role\":5,\"exp\":1900000000}", GW_E_TOKEN_CLAIMS, NULL},
    {"{\"role\":\"\",\"exp\":1900000000}", GW_E_TOKEN_CLAIMS, NULL},
    {"{\"role\":\"anon\",\"exp\":1900000000,\"iat\":\"x\"}", GW_E_TOKEN_CLAIMS, NULL},
    {"{\"role\":\"anon\",\"exp\":1900000000,\"iat\":1.5}", GW_OK, NULL},
    {"{\"role\":\"postgres\",\"exp\":1900000000}", GW_E_TOKEN_ROLE, NULL},
    {"{\"role\":\"Anon\",\"exp\":1900000000}", GW_E_TOKEN_ROLE, NULL},
    {"{\"role\":\"anon\",\"exp\":1900000000,\"sub\":7}", GW_OK, NULL},
};

START_TEST(test_verifier_claims_are_checked)
{
    ck_assert_msg(check_claims(cases[_i].claims) == cases[_i].code, "%s: %s", cases[_i].claims,
                  err.text);
    ck_assert_int_eq(claims != NULL, cases[_i].code == GW_OK);
    if (cases[_i].text)
        ck_assert_str_eq(err.text, cases[_i].text);
}
END_TEST

START_TEST(test_verifier_default_role_fills_in)
{
    settings.default_role = "anon";
    ck_assert_int_eq(check_claims("{\"exp\":1900000000}"), GW_OK);
    ck_assert(gw_span_is(claims->role, "anon"));
    ck_assert_uint_eq(claims->sub.n, 0);
    ck_assert_int_eq(check_claims("{\"role\":5,\"exp\":1900000000}"), GW_E_TOKEN_CLAIMS);
}
END_TEST

START_TEST(test_verifier_percent_encoding_and_blanks_are_undone)
{
    char *token = sign("{\"role\":\"anon\",\"exp\":1900000000}"), odd[2048];
    char *dot = strchr(token, '.');
    snprintf(odd, sizeof odd, " %.*s%%2e%.*s\r\n%s%%0A", (int)(dot - token), token, 5, dot + 1,
             dot + 6);
    ck_assert_int_eq(check_text(odd), GW_OK);
    free(token);
}
END_TEST

START_TEST(test_verifier_opaque_key_is_a_role)
{
    ck_assert_int_eq(check_text("sb_publishable_abc="), GW_OK);
    ck_assert_uint_eq(claims->role_id, 0);
    ck_assert_int_eq(claims->exp_s, INT64_MAX);
    ck_assert(gw_span_is(claims->json, "{\"role\":\"anon\"}"));
    ck_assert_int_eq(check_text("second"), GW_OK);
    ck_assert_uint_eq(claims->role_id, 2);
    ck_assert_int_eq(check_text("secon"), GW_E_TOKEN_MALFORMED);
    ck_assert_int_eq(check_text("Second"), GW_E_TOKEN_MALFORMED);
}
END_TEST

START_TEST(test_verifier_without_secret_has_no_signer)
{
    char *token = sign("{\"role\":\"anon\",\"exp\":1900000000}");
    fini();
    open_with(NULL);
    ck_assert_int_eq(check_text(token), GW_E_TOKEN_SIGNER);
    ck_assert_int_eq(check_text("second"), GW_OK);
    free(token);
}
END_TEST

START_TEST(test_verifier_changed_token_has_no_signature)
{
    char *token = sign("{\"role\":\"anon\",\"exp\":1900000000}");
    size_t n = strlen(token);
    for (size_t i = 0; i < n; i++) {
        char saved = token[i];
        token[i] = saved == 'A' ? 'B' : 'A';
        enum gw_code code = check_text(token);
        /* The last character of a part has bits that decode to nothing. */
        if (code == GW_OK)
            ck_assert(i == n - 1);
        token[i] = saved;
    }
    for (size_t i = 0; i < n - 1; i++) {
        ck_assert_int_ne(gw_verifier_check(verifier, (struct gw_span){token, i},
                                           (struct gw_us){NOW_S * INT64_C(1000000)}, &claims, &err),
                         GW_OK);
    }
    free(token);
}
END_TEST

/* Tokens made with other tools: header and claims in base64url. */
static const struct {
    const char *token;
    enum gw_code code;
} raw[] = {
    {"", GW_E_TOKEN_MALFORMED},
    {"   ", GW_E_TOKEN_MALFORMED},
    {"..", GW_E_TOKEN_MALFORMED},
    {"a.b.c", GW_E_TOKEN_MALFORMED},
    {"a.b.c.d", GW_E_TOKEN_MALFORMED},
    {"e30.e30.", GW_E_TOKEN_SIGNATURE},  /* {} . {} */
    {"W10.e30.x", GW_E_TOKEN_MALFORMED}, /* [] */
    {"eyJhbGciOiJub25lIn0.eyJyb2xlIjoiYW5vbiIsImV4cCI6MTkwMDAwMDAwMH0.",
     GW_E_TOKEN_SIGNATURE}, /* alg none */
    {"eyJhbGciOiJSUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.AAAA", GW_E_TOKEN_SIGNATURE},
    {"eyJhbGciOiJoczI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.AAAA", GW_E_TOKEN_SIGNATURE},  /* hs256 */
    {"eyJhbGciOjV9.eyJyb2xlIjoiYW5vbiJ9.AAAA", GW_E_TOKEN_SIGNATURE},          /* 5 */
    {"eyJhbGciOiJIUzI1NiIsImFsZyI6Im5vbmUifQ.e30.AAAA", GW_E_TOKEN_MALFORMED}, /* alg twice */
    {"eyJhbGciOiJIUzI1NiJ9.e30.%00", GW_E_TOKEN_MALFORMED},
    {"eyJhbGciOiJIUzI1NiJ9.e30.AAAA", GW_E_TOKEN_SIGNATURE},
};

START_TEST(test_verifier_foreign_text_is_refused)
{
    ck_assert_msg(check_text(raw[_i].token) == raw[_i].code, "%s: %s", raw[_i].token, err.text);
    ck_assert_ptr_null(claims);
    ck_assert_str_eq(err.text, gw_code_text(raw[_i].code));
}
END_TEST

START_TEST(test_verifier_larger_hmacs_are_accepted)
{
    ck_assert_int_eq(check_text(HS384_TOKEN), GW_OK);
    ck_assert_int_eq(check_text(HS512_TOKEN), GW_OK);
}
END_TEST

START_TEST(test_verifier_token_past_its_bound_is_refused)
{
    char *big = malloc(GW_TOKEN_MAX_BYTES + 2);
    memset(big, 'a', GW_TOKEN_MAX_BYTES + 1);
    big[GW_TOKEN_MAX_BYTES + 1] = '\0';
    ck_assert_int_eq(check_text(big), GW_E_TOKEN_MALFORMED);
    free(big);
}
END_TEST

static void *check_many(void *token)
{
    for (int i = 0; i < 500; i++) {
        struct gw_claims *c = NULL;
        struct gw_err e = {0};
        const char *text = i % 2 ? token : "second";
        if (gw_verifier_check(verifier, gw_span_of(text), (struct gw_us){NOW_S * INT64_C(1000000)},
                              &c, &e) != GW_OK)
            return token;
        gw_claims_unref(c);
    }
    return NULL;
}

START_TEST(test_verifier_serves_several_threads)
{
    char *token = sign("{\"role\":\"anon\",\"exp\":1900000000}");
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, check_many, token), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    free(token);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("verifier");
    TCase *t = tcase_create("verifier");
    tcase_add_checked_fixture(t, init, fini);
    tcase_add_test(t, test_verifier_good_token_gives_claims);
    tcase_add_loop_test(t, test_verifier_claims_are_checked, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(t, test_verifier_default_role_fills_in);
    tcase_add_test(t, test_verifier_percent_encoding_and_blanks_are_undone);
    tcase_add_test(t, test_verifier_opaque_key_is_a_role);
    tcase_add_test(t, test_verifier_without_secret_has_no_signer);
    tcase_add_test(t, test_verifier_changed_token_has_no_signature);
    tcase_add_loop_test(t, test_verifier_foreign_text_is_refused, 0, sizeof raw / sizeof raw[0]);
    tcase_add_test(t, test_verifier_larger_hmacs_are_accepted);
    tcase_add_test(t, test_verifier_token_past_its_bound_is_refused);
    tcase_add_test(t, test_verifier_serves_several_threads);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
