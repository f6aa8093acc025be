/* log: what reaches the sink, and what never does: newlines, overlong lines, torn characters. */
#include "gw/log.h"

#include "gw/json.h"

#include <check.h>
#include <stdlib.h>

static char last[4096];
static size_t last_n, calls;

static void on_line(enum gw_log_level level, struct gw_span line)
{
    (void)level;
    ck_assert_uint_lt(line.n, sizeof last);
    memcpy(last, line.p, line.n);
    last[last_n = line.n] = '\0';
    calls++;
}

static void setup(void)
{
    gw_log_set_sink(on_line);
    gw_log_set_level(GW_LOG_INFO);
    calls = 0;
}

START_TEST(test_log_line_has_level_event_and_text)
{
    setup();
    gw_log(GW_LOG_WARN, "slot_lag", "slot=%s bytes=%d", "rowcast", 42);
    ck_assert_str_eq(last, "level=warn event=slot_lag slot=rowcast bytes=42");
    gw_log(GW_LOG_INFO, "ready", "%s", "");
    ck_assert_str_eq(last, "level=info event=ready");
}
END_TEST

START_TEST(test_log_level_filters)
{
    setup();
    gw_log(GW_LOG_DEBUG, "x", "k=%d", 1);
    ck_assert_uint_eq(calls, 0);
    gw_log_set_level(GW_LOG_DEBUG);
    ck_assert_int_eq(gw_log_get_level(), GW_LOG_DEBUG);
    gw_log(GW_LOG_DEBUG, "x", "k=%d", 1);
    ck_assert_uint_eq(calls, 1);
    gw_log_set_level(GW_LOG_ERROR);
    gw_log(GW_LOG_WARN, "x", "k=%d", 1);
    ck_assert_uint_eq(calls, 1);
}
END_TEST

START_TEST(test_log_level_parse)
{
    enum gw_log_level level = GW_LOG_ERROR;
    ck_assert(gw_log_level_parse("debug", &level));
    ck_assert_int_eq(level, GW_LOG_DEBUG);
    ck_assert(gw_log_level_parse("error", &level));
    ck_assert_int_eq(level, GW_LOG_ERROR);
    ck_assert(!gw_log_level_parse("verbose", &level));
    ck_assert(!gw_log_level_parse("", &level));
    ck_assert(!gw_log_level_parse(NULL, &level));
}
END_TEST

START_TEST(test_log_newlines_cannot_forge_lines)
{
    setup();
    gw_log(GW_LOG_INFO, "e", "k=%s", "a\nlevel=error event=forged");
    ck_assert_str_eq(last, "level=info event=e k=a level=error event=forged");
}
END_TEST

START_TEST(test_log_long_line_is_cut_at_whole_character)
{
    setup();
    char big[6001];
    for (int shift = 0; shift < 3; shift++) {
        memset(big, 'a', sizeof big);
        for (size_t i = (size_t)shift; i + 3 < sizeof big; i += 3)
            memcpy(big + i, "\xe2\x82\xac", 3);
        big[6000] = '\0';
        gw_log(GW_LOG_INFO, "e", "k=%s", big);
        ck_assert_uint_le(last_n, 2048);
        ck_assert_uint_ge(last_n, 2040);
        ck_assert(gw_utf8_is_valid((struct gw_span){last, last_n}));
        ck_assert_str_eq(last + last_n - 3, "\xe2\x80\xa6");
    }
}
END_TEST

START_TEST(test_log_err_quotes_text_and_hint)
{
    setup();
    struct gw_err err = {0};
    gw_err_set(&err, GW_E_SLOT_TAKEN, "slot \"a\" is active\nby pid 7");
    gw_log_err(GW_LOG_ERROR, "slot", &err);
    ck_assert_str_eq(last, "level=error event=slot code=E_SLOT_TAKEN "
                           "text=\"slot \\\"a\\\" is active\\nby pid 7\"");
    gw_err_hint(&err, "stop it");
    gw_log_err(GW_LOG_ERROR, "slot", &err);
    ck_assert_ptr_nonnull(strstr(last, " hint=\"stop it\""));
}
END_TEST

START_TEST(test_log_quote_escapes)
{
    char out[64];
    ck_assert_str_eq(gw_log_quote(out, sizeof out, GW_SPAN_LIT("a\"b\\c\n\t\x01\x7f\0z")),
                     "\"a\\\"b\\\\c\\n\\t\\x01\\x7f\\x00z\"");
    ck_assert_str_eq(gw_log_quote(out, sizeof out, (struct gw_span){NULL, 0}), "\"\"");
}
END_TEST

START_TEST(test_log_quote_never_passes_cap)
{
    const char *in = "a\"\x01\xe2\x82\xac\xf0\x9f\x98\x80zzzz";
    for (size_t cap = 0; cap < 40; cap++) {
        char out[64];
        memset(out, '#', sizeof out);
        gw_log_quote(out, cap, gw_span_of(in));
        ck_assert_int_eq(out[cap], '#');
        if (cap == 0)
            continue;
        ck_assert_uint_lt(strlen(out), cap);
        ck_assert(gw_utf8_is_valid(gw_span_of(out)));
        if (cap >= 6)
            ck_assert(out[0] == '"' && out[strlen(out) - 1] == '"');
    }
}
END_TEST

START_TEST(test_log_quote_exact_fit_is_not_cut)
{
    char out[8];
    ck_assert_str_eq(gw_log_quote(out, 8, GW_SPAN_LIT("12345")), "\"12345\"");
    ck_assert_str_eq(gw_log_quote(out, 8, GW_SPAN_LIT("123456")), "\"12\xe2\x80\xa6\"");
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("log");
    tcase_add_test(tc, test_log_line_has_level_event_and_text);
    tcase_add_test(tc, test_log_level_filters);
    tcase_add_test(tc, test_log_level_parse);
    tcase_add_test(tc, test_log_newlines_cannot_forge_lines);
    tcase_add_test(tc, test_log_long_line_is_cut_at_whole_character);
    tcase_add_test(tc, test_log_err_quotes_text_and_hint);
    tcase_add_test(tc, test_log_quote_escapes);
    tcase_add_test(tc, test_log_quote_never_passes_cap);
    tcase_add_test(tc, test_log_quote_exact_fit_is_not_cut);
    Suite *s = suite_create("log");
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
