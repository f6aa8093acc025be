/* json: strings are always valid text frames; the validator accepts RFC 8259 and nothing else. */
#include "gw/json.h"

#include <check.h>
#include <stdlib.h>

static const char *quoted(struct gw_span s)
{
    static struct gw_buf b;
    gw_buf_reset(&b);
    gw_json_add_string(&b, s);
    return gw_buf_cstr(&b);
}

START_TEST(test_json_string_escapes)
{
    ck_assert_str_eq(quoted(GW_SPAN_LIT("a/\"\\\b\f\n\r\t\x01\x1f\x7f")),
                     "\"a/\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    ck_assert_str_eq(quoted(GW_SPAN_LIT("a\0b")), "\"a\\u0000b\"");
    ck_assert_str_eq(quoted((struct gw_span){NULL, 0}), "\"\"");
    ck_assert_str_eq(quoted(GW_SPAN_LIT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")),
                     "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}
END_TEST

START_TEST(test_json_string_replaces_invalid_utf8)
{
    ck_assert_str_eq(quoted(GW_SPAN_LIT("a\xff"
                                        "b")),
                     "\"a\xef\xbf\xbd"
                     "b\"");
    ck_assert_str_eq(quoted(GW_SPAN_LIT("\xe2\x82")), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}
END_TEST

START_TEST(test_json_string_of_any_bytes_is_valid_json)
{
    uint32_t random = 3;
    for (int round = 0; round < 5000; round++) {
        char bytes[24];
        for (size_t i = 0; i < sizeof bytes; i++) {
            random = random * 1664525u + 1013904223u;
            bytes[i] = (char)(random >> 24);
        }
        const char *text = quoted((struct gw_span){bytes, random >> 8 & 15});
        ck_assert(gw_json_is_valid(gw_span_of(text)));
    }
}
END_TEST

START_TEST(test_json_key_ends_with_colon)
{
    struct gw_buf b = {0};
    gw_json_add_key(&b, GW_SPAN_LIT("a\"b"));
    ck_assert_str_eq(gw_buf_cstr(&b), "\"a\\\"b\":");
    gw_buf_fini(&b);
}
END_TEST

START_TEST(test_json_valid_texts_are_accepted)
{
    static const char *const good[] = {
        "0",
        "-0",
        "1.5e+10",
        "1E-2",
        "true",
        "false",
        "null",
        "\"\"",
        "\"\\u00e9\\ud800\\/\"",
        "[]",
        "{}",
        " [ 1 , { \"a\" : [ ] } ]\r\n\t",
        "{\"\":{}}",
        "[[],[]]",
        "{\"a\":1,\"a\":2}",
        "\"\xc3\xa9\"",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(gw_json_is_valid(gw_span_of(good[i])), "%s", good[i]);
}
END_TEST

START_TEST(test_json_invalid_texts_are_refused)
{
    static const char *const bad[] = {
        "",
        " ",
        "1 2",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "0x1",
        "NaN",
        "Infinity",
        "nul",
        "nulll",
        "True",
        "\"",
        "\"a",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\n\"",
        "\"\xff\"",
        "\"\xed\xa0\x80\"",
        "[",
        "]",
        "{",
        "}",
        "[1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{1:2}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":1]",
        "{\"a\" 1}",
        "[]]",
        "[],",
        "{\"a\":1,2}",
        "'a'",
        "[1]x",
        "// c",
        "\xef\xbb\xbf 1",
        "{\"a\":1 \"b\":2}",
        "[{}{}]",
        ",",
        ":",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!gw_json_is_valid(gw_span_of(bad[i])), "%s", bad[i]);
    ck_assert(!gw_json_is_valid((struct gw_span){NULL, 0}));
    ck_assert(!gw_json_is_valid(GW_SPAN_LIT("1\0")));
    ck_assert(!gw_json_is_valid(GW_SPAN_LIT("\"\\\0\"")));
}
END_TEST

static bool nested_is_valid(size_t depth, char open, char close)
{
    struct gw_buf b = {0};
    for (size_t i = 0; i < depth; i++)
        gw_buf_add_str(&b, open == '[' ? "[" : i + 1 < depth ? "{\"a\":" : "{");
    for (size_t i = 0; i < depth; i++)
        gw_buf_add_byte(&b, close);
    bool ok = gw_json_is_valid(gw_buf_span(&b));
    gw_buf_fini(&b);
    return ok;
}

START_TEST(test_json_nesting_is_bounded)
{
    ck_assert(nested_is_valid(512, '[', ']'));
    ck_assert(!nested_is_valid(513, '[', ']'));
    ck_assert(nested_is_valid(512, '{', '}'));
    ck_assert(!nested_is_valid(513, '{', '}'));
    ck_assert(!nested_is_valid(1000000, '[', ']'));
}
END_TEST

START_TEST(test_json_containers_must_match_at_any_depth)
{
    struct gw_buf b = {0};
    for (int i = 0; i < 100; i++)
        gw_buf_add_str(&b, "[{\"a\":");
    gw_buf_add_str(&b, "1");
    for (int i = 0; i < 100; i++)
        gw_buf_add_str(&b, "}]");
    ck_assert(gw_json_is_valid(gw_buf_span(&b)));
    b.p[b.n - 65] = b.p[b.n - 65] == '}' ? ']' : '}';
    ck_assert(!gw_json_is_valid(gw_buf_span(&b)));
    gw_buf_fini(&b);
}
END_TEST

START_TEST(test_json_is_number)
{
    ck_assert(gw_json_is_number(GW_SPAN_LIT("-12.50e3")));
    ck_assert(gw_json_is_number(GW_SPAN_LIT("123456789012345678901234567890")));
    ck_assert(!gw_json_is_number(GW_SPAN_LIT("1 ")));
    ck_assert(!gw_json_is_number(GW_SPAN_LIT("007")));
    ck_assert(!gw_json_is_number(GW_SPAN_LIT("NaN")));
    ck_assert(!gw_json_is_number((struct gw_span){NULL, 0}));
}
END_TEST

START_TEST(test_json_utf8_edges)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\xaf",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xe2\x82",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xe2\x28\xa1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(gw_utf8_is_valid(gw_span_of(good[i])), "good %zu", i);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!gw_utf8_is_valid(gw_span_of(bad[i])), "bad %zu", i);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("json");
    tcase_add_test(tc, test_json_string_escapes);
    tcase_add_test(tc, test_json_string_replaces_invalid_utf8);
    tcase_add_test(tc, test_json_string_of_any_bytes_is_valid_json);
    tcase_add_test(tc, test_json_key_ends_with_colon);
    tcase_add_test(tc, test_json_valid_texts_are_accepted);
    tcase_add_test(tc, test_json_invalid_texts_are_refused);
    tcase_add_test(tc, test_json_nesting_is_bounded);
    tcase_add_test(tc, test_json_containers_must_match_at_any_depth);
    tcase_add_test(tc, test_json_is_number);
    tcase_add_test(tc, test_json_utf8_edges);
    Suite *s = suite_create("json");
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
