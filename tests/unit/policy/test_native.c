/* native: known answers, arguments that are NULL, unknown or raise, bounds. What Postgres says of a
 * great many more is compared in tests/integration/test_native_pg.c. */
#include "gw/facts.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))
#define U "00112233-4455-6677-8899-aabbccddeeff"
#define NOTHING "(null)"
#define RAISES "(error)"
#define ASK "(unknown)"

static struct gw_arena arena;

static void setup(void)
{
    gw_arena_init(&arena, 0);
}

static void teardown(void)
{
    gw_arena_fini(&arena);
}

struct known {
    enum gw_native_fn fn;
    const char *args[3]; /* a number after "#": INT */
    const char *want;
};

static const struct known knowns[] = {
    {GW_FN_TEXT_TO_UUID, {"{00112233445566778899AABBCCDDEEFF}"}, U},
    {GW_FN_TEXT_TO_UUID, {" " U}, RAISES},
    {GW_FN_TEXT_TO_UUID, {""}, RAISES},
    {GW_FN_TEXT_TO_INT2, {" +7 "}, "7"},
    {GW_FN_TEXT_TO_INT2, {"32768"}, RAISES},
    {GW_FN_TEXT_TO_INT4, {"-2147483648"}, "-2147483648"},
    {GW_FN_TEXT_TO_INT4, {"2147483648"}, RAISES},
    {GW_FN_TEXT_TO_INT8, {"-0"}, "0"},
    {GW_FN_TEXT_TO_INT8, {"9223372036854775808"}, RAISES},
    {GW_FN_TEXT_TO_INT8, {"user_1"}, RAISES},
    {GW_FN_TEXT_TO_INT8, {"1_000"}, ASK}, /* a number since version 16 */
    {GW_FN_TEXT_TO_INT8, {"0x1f"}, ASK},
    {GW_FN_TEXT_TO_BOOL, {" of "}, "f"},
    {GW_FN_TEXT_TO_BOOL, {"YES"}, "t"},
    {GW_FN_TEXT_TO_BOOL, {"o"}, RAISES},
    {GW_FN_TEXT_TO_JSON, {" {\"a\":1} "}, " {\"a\":1} "},
    {GW_FN_TEXT_TO_JSON, {"{\"a\":01}"}, RAISES},
    {GW_FN_TEXT_TO_JSON, {"\"\\ud800\""}, "\"\\ud800\""},
    {GW_FN_TEXT_TO_JSONB, {"\"\\ud800\""}, RAISES},
    {GW_FN_TEXT_TO_JSONB,
     {"{\"bb\":[1,2], \"a\" :1.50,\"bb\":-0.0}"},
     "{\"a\": 1.50, \"bb\": 0.0}"},
    {GW_FN_TEXT_TO_JSONB, {"[{},[],\"\\u00e9\\n\"]"}, "[{}, [], \"\u00e9\\n\"]"},
    {GW_FN_TEXT_TO_JSONB, {"12345678901234567890"}, "12345678901234567890"},
    {GW_FN_TEXT_TO_JSONB, {"1e3"}, ASK},
    {GW_FN_JSON_GET, {"{\"a\": {\"b\" : 1}}", "a"}, "{\"b\" : 1}"},
    {GW_FN_JSON_GET, {"{\"a\":null}", "a"}, "null"},
    {GW_FN_JSON_GET, {"{\"\\u0061\":1,\"a\":2}", "a"}, "2"},
    {GW_FN_JSON_GET, {"[1]", "0"}, NOTHING},
    {GW_FN_JSON_GET, {"{\"a\":1,\"b\":\"\\u0000\"}", "a"}, RAISES},
    {GW_FN_JSON_GET, {"{\"a\":1", "a"}, ASK}, /* no json value looks like that */
    {GW_FN_JSON_GET_TEXT, {"{\"a\":null}", "a"}, NOTHING},
    {GW_FN_JSON_GET_TEXT, {"{\"a\":\"\\ud83d\\ude00\\t\"}", "a"}, "\U0001f600\t"},
    {GW_FN_JSON_AT, {"[1,[2]]", "#-1"}, "[2]"},
    {GW_FN_JSON_AT, {"[1,[2]]", "#2"}, NOTHING},
    {GW_FN_JSON_AT, {"7", "#0"}, ASK}, /* json: NULL, jsonb: 7 */
    {GW_FN_JSON_AT_TEXT, {"[\"x\"]", "#0"}, "x"},
    {GW_FN_JSON_PATH, {"{\"a\":[{\"b\":[]}]}", "{a,0,b}"}, "[]"},
    {GW_FN_JSON_PATH, {"{\"a\":1}", "{}"}, "{\"a\":1}"},
    {GW_FN_JSON_PATH, {"{\"a\":1}", "{a,NULL}"}, NOTHING},
    {GW_FN_JSON_PATH, {"{\"a\":{\"b\":1},\"a\":{}}", "{a,b}"}, ASK},
    {GW_FN_JSON_PATH, {"{\"a\":[1]}", "{a,-1}"}, ASK},
    {GW_FN_JSON_PATH_TEXT, {"{\"a b\":\"x\"}", "{\"a b\"}"}, "x"},
    {GW_FN_JSON_HAS, {"{\"a\": {\"b\": 1}}", "b"}, "f"},
    {GW_FN_JSON_HAS, {"[\"a\", [\"b\"]]", "a"}, "t"},
    {GW_FN_JSON_HAS, {"\"a\"", "a"}, "t"},
    {GW_FN_CONCAT, {"a", ""}, "a"},
    {GW_FN_LOWER, {"ABC-1z"}, "abc-1z"},
    {GW_FN_LOWER, {"\u00c4"}, ASK},
    {GW_FN_UPPER, {"abcZ"}, "ABCZ"},
    {GW_FN_SPLIT_PART, {"a/b/c", "/", "#2"}, "b"},
    {GW_FN_SPLIT_PART, {"a/b/c", "/", "#-1"}, "c"},
    {GW_FN_SPLIT_PART, {"a/b/c", "/", "#4"}, ""},
    {GW_FN_SPLIT_PART, {"a/b/c", "", "#1"}, "a/b/c"},
    {GW_FN_SPLIT_PART, {"a", "/", "#0"}, RAISES},
    {GW_FN_LENGTH, {"\u00e4b\U0001f600"}, "3"},
    {GW_FN_STRING_TO_ARRAY, {"a,,NULL,b c", ","}, "{a,\"\",\"NULL\",\"b c\"}"},
    {GW_FN_STRING_TO_ARRAY, {"", ","}, "{}"},
    {GW_FN_STRING_TO_ARRAY, {"a\u00e4", NULL}, "{a,\u00e4}"},
    {GW_FN_STRING_TO_ARRAY, {NULL, NULL}, NOTHING},
    {GW_FN_STARTS_WITH, {"trip:42", "trip:"}, "t"},
    {GW_FN_LIKE, {"user_7/x", "user\\_%/_"}, "t"},
    {GW_FN_LIKE, {"userx7/x", "user\\_%/_"}, "f"},
    {GW_FN_LIKE, {"\u00e4b", "_b"}, "t"},
    {GW_FN_LIKE, {"aab", "%ab"}, "t"},
    {GW_FN_LIKE, {"a", "a\\"}, ASK}, /* raises only if matching comes to the end */
    {GW_FN_TRIM, {"  a\t "}, "a\t"},
    {GW_FN_TO_TEXT, {"x"}, "x"},
    {GW_FN_LOWER, {NULL}, NOTHING},
    {GW_FN_CONCAT, {"a", NULL}, NOTHING},
};

static struct gw_datum arg_of(const char *text)
{
    if (!text)
        return gw_datum_null(GW_KIND_TEXT);
    return *text == '#' ? gw_datum_of(GW_KIND_INT, gw_span_of(text + 1))
                        : gw_datum_of(GW_KIND_TEXT, gw_span_of(text));
}

START_TEST(test_native_known_answer)
{
    const struct known *k = &knowns[_i];
    struct gw_datum args[3];
    uint32_t n = gw_natives[k->fn].n_args;
    for (uint32_t i = 0; i < n; i++)
        args[i] = arg_of(k->args[i]);
    struct gw_datum d = gw_native_call(k->fn, args, n, &arena);
    static const char *const states[] = {NOTHING, NULL, ASK, RAISES};
    struct gw_span want = gw_span_of(k->want);
    if (d.state != GW_DATUM_VALUE) {
        ck_assert_msg(gw_span_is(want, states[d.state]), "%s: %s, not %s", gw_natives[k->fn].name,
                      states[d.state], k->want);
        return;
    }
    ck_assert_msg(gw_span_eq(d.text, want), "%s: %.*s, not %s", gw_natives[k->fn].name,
                  (int)d.text.n, d.text.p, k->want);
    ck_assert_int_eq(d.kind, gw_natives[k->fn].result);
}
END_TEST

START_TEST(test_native_bool_prints_as_a_word)
{
    struct gw_datum t = gw_datum_of(GW_KIND_BOOL, GW_SPAN_LIT("t"));
    ck_assert(gw_span_is(gw_native_call(GW_FN_TO_TEXT, &t, 1, &arena).text, "true"));
}
END_TEST

START_TEST(test_native_states_of_arguments)
{
    const struct gw_datum a = gw_datum_of(GW_KIND_TEXT, GW_SPAN_LIT("a")),
                          none = gw_datum_null(GW_KIND_TEXT);
    const struct {
        struct gw_datum args[2];
        enum gw_datum_state want;
    } cases[] = {
        {{a, none}, GW_DATUM_NULL},
        {{a, gw_datum_unknown()}, GW_DATUM_UNKNOWN},
        {{none, gw_datum_unknown()}, GW_DATUM_UNKNOWN}, /* it might raise */
        {{none, gw_datum_error()}, GW_DATUM_ERROR},
        {{gw_datum_unknown(), gw_datum_error()}, GW_DATUM_ERROR},
        {{a, a}, GW_DATUM_VALUE},
    };
    for (int i = 0; i < COUNT(cases); i++)
        ck_assert_int_eq(gw_native_call(GW_FN_CONCAT, cases[i].args, 2, &arena).state,
                         cases[i].want);
}
END_TEST

START_TEST(test_native_value_whose_text_was_not_kept_is_unknown)
{
    struct gw_datum d = gw_datum_of(GW_KIND_TEXT, GW_SPAN_LIT("abc"));
    d.text = (struct gw_span){NULL, 0};
    ck_assert_int_eq(gw_native_call(GW_FN_LENGTH, &d, 1, &arena).state, GW_DATUM_UNKNOWN);
    d = gw_datum_of(GW_KIND_TEXT, d.text); /* the empty text itself */
    ck_assert(gw_span_is(gw_native_call(GW_FN_LENGTH, &d, 1, &arena).text, "0"));
}
END_TEST

START_TEST(test_native_nesting_and_size_are_bounded)
{
    static char text[2 << 20];
    memset(text, '[', 513);
    memset(text + 513, ']', 513);
    struct gw_datum d = gw_datum_of(GW_KIND_TEXT, (struct gw_span){text, 1026});
    ck_assert_int_eq(gw_native_call(GW_FN_TEXT_TO_JSON, &d, 1, &arena).state, GW_DATUM_UNKNOWN);
    ck_assert_int_eq(gw_native_call(GW_FN_TEXT_TO_JSONB, &d, 1, &arena).state, GW_DATUM_UNKNOWN);
    d = gw_datum_of(GW_KIND_TEXT, (struct gw_span){text + 1, 1024}); /* 512 deep */
    ck_assert(gw_span_eq(gw_native_call(GW_FN_TEXT_TO_JSONB, &d, 1, &arena).text, d.text));
    memset(text, ' ', sizeof text);
    text[0] = '1';
    d = gw_datum_of(GW_KIND_TEXT, (struct gw_span){text, sizeof text});
    ck_assert_int_eq(gw_native_call(GW_FN_TEXT_TO_JSONB, &d, 1, &arena).state, GW_DATUM_UNKNOWN);
}
END_TEST

START_TEST(test_native_past_the_arena_is_unknown)
{
    static const struct {
        enum gw_native_fn fn;
        const char *args[2];
    } cases[] = {{GW_FN_TEXT_TO_JSONB, {"{\"a\":[1,2]}"}},
                 {GW_FN_JSON_GET_TEXT, {"{\"a\":\"\\n\"}", "a"}},
                 {GW_FN_CONCAT, {"a", "b"}},
                 {GW_FN_LOWER, {"A"}},
                 {GW_FN_STRING_TO_ARRAY, {"a,b", ","}},
                 {GW_FN_JSON_PATH, {"{}", "{a}"}},
                 {GW_FN_TEXT_TO_UUID, {"00112233445566778899aabbccddeeff"}}};
    for (int i = 0; i < COUNT(cases); i++) {
        struct gw_arena tiny;
        gw_arena_init(&tiny, 1);
        struct gw_datum args[2] = {arg_of(cases[i].args[0]), arg_of(cases[i].args[1])};
        struct gw_datum d =
            gw_native_call(cases[i].fn, args, gw_natives[cases[i].fn].n_args, &tiny);
        ck_assert_int_eq(d.state, GW_DATUM_UNKNOWN);
        gw_arena_fini(&tiny);
    }
}
END_TEST

START_TEST(test_native_every_function_has_a_name)
{
    for (int fn = 0; fn < GW_FN_N; fn++)
        ck_assert_ptr_nonnull(gw_natives[fn].name);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("native");
    TCase *tc = tcase_create("native");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_native_known_answer, 0, COUNT(knowns));
    tcase_add_test(tc, test_native_bool_prints_as_a_word);
    tcase_add_test(tc, test_native_states_of_arguments);
    tcase_add_test(tc, test_native_value_whose_text_was_not_kept_is_unknown);
    tcase_add_test(tc, test_native_nesting_and_size_are_bounded);
    tcase_add_test(tc, test_native_past_the_arena_is_unknown);
    tcase_add_test(tc, test_native_every_function_has_a_name);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
