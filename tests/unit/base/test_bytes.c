/* bytes: cursors never overrun, buffers keep their cap, frames follow RFC 6455 §5.2. */
#include "gw/bytes.h"

#include <check.h>
#include <stdlib.h>

START_TEST(test_bytes_span_compare)
{
    ck_assert(gw_span_eq(GW_SPAN_LIT("abc"), gw_span_of("abc")));
    ck_assert(!gw_span_is(GW_SPAN_LIT("abc"), "ab"));
    ck_assert(gw_span_is((struct gw_span){NULL, 0}, ""));
    ck_assert(gw_span_eq(gw_span_of(NULL), GW_SPAN_LIT("")));
    ck_assert(gw_span_is_nocase(GW_SPAN_LIT("UpGrade-Z"), "uPgrade-z"));
    ck_assert(!gw_span_is_nocase(GW_SPAN_LIT("a["), "a{"));
    ck_assert(!gw_span_is_nocase(GW_SPAN_LIT("a"), "ab"));
}
END_TEST

START_TEST(test_bytes_alloc_is_zeroed)
{
    char *p = gw_alloc(100);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(p[i], 0);
    free(p);
    free(gw_alloc(0));
    char *copy = gw_strdup_span((struct gw_span){"abcdef", 3});
    ck_assert_str_eq(copy, "abc");
    free(copy);
    copy = gw_strdup_span((struct gw_span){NULL, 0});
    ck_assert_str_eq(copy, "");
    free(copy);
}
END_TEST

START_TEST(test_bytes_cursor_reads_big_endian)
{
    static const char in[] = "\x01\x02\x03\x04\x05\x06\x07\x80\x09\x0a\x0b\x0c\x0d\x0e\x0f"
                             "name\0rest";
    struct gw_cursor c = gw_cursor_of((struct gw_span){in, sizeof in - 1});
    ck_assert_uint_eq(gw_cursor_u8(&c), 0x01);
    ck_assert_uint_eq(gw_cursor_u16(&c), 0x0203);
    ck_assert_uint_eq(gw_cursor_u32(&c), 0x04050607);
    ck_assert(gw_cursor_u64(&c) == UINT64_C(0x80090a0b0c0d0e0f));
    ck_assert(gw_span_is(gw_cursor_cstr(&c), "name"));
    ck_assert(gw_span_is(gw_cursor_bytes(&c, 2), "re"));
    ck_assert_uint_eq(gw_cursor_left(&c), 2);
    ck_assert(!c.failed);
}
END_TEST

START_TEST(test_bytes_cursor_past_end_fails_for_good)
{
    struct gw_cursor c = gw_cursor_of(GW_SPAN_LIT("ab"));
    ck_assert_uint_eq(gw_cursor_u32(&c), 0);
    ck_assert(c.failed);
    ck_assert_uint_eq(gw_cursor_u8(&c), 0); /* there would be a byte, but it is too late */
    ck_assert_uint_eq(gw_cursor_bytes(&c, 0).n, 0);
    ck_assert(c.failed);
}
END_TEST

START_TEST(test_bytes_cursor_cstr_without_nul_fails)
{
    struct gw_cursor c = gw_cursor_of(GW_SPAN_LIT("ab"));
    ck_assert_uint_eq(gw_cursor_cstr(&c).n, 0);
    ck_assert(c.failed);
}
END_TEST

START_TEST(test_bytes_cursor_of_nothing)
{
    struct gw_cursor c = gw_cursor_of((struct gw_span){NULL, 0});
    ck_assert_uint_eq(gw_cursor_bytes(&c, 0).n, 0);
    ck_assert(!c.failed);
    ck_assert_uint_eq(gw_cursor_bytes(&c, SIZE_MAX).n, 0);
    ck_assert(c.failed);
}
END_TEST

START_TEST(test_bytes_buf_appends_everything)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    ck_assert_str_eq(gw_buf_cstr(&b), "");
    gw_buf_add_str(&b, "ab");
    gw_buf_add_byte(&b, 'c');
    gw_buf_add_span(&b, GW_SPAN_LIT("de"));
    gw_buf_printf(&b, "%d-%s", 42, "x");
    ck_assert_str_eq(gw_buf_cstr(&b), "abcde42-x");
    gw_buf_reset(&b);
    gw_buf_add_u16(&b, 0x0102);
    gw_buf_add_u32(&b, 0x03040506);
    gw_buf_add_u64(&b, UINT64_C(0x0708090a0b0c0d0e));
    ck_assert_uint_eq(b.n, 14);
    for (size_t i = 0; i < b.n; i++)
        ck_assert_int_eq(b.p[i], (int)i + 1);
    gw_buf_fini(&b);
}
END_TEST

START_TEST(test_bytes_buf_grows_to_cap_then_overflows)
{
    struct gw_buf b;
    gw_buf_init(&b, 100);
    for (int i = 0; i < 100; i++)
        gw_buf_add_byte(&b, 'x');
    ck_assert(!b.overflow);
    ck_assert_uint_eq(b.n, 100);
    ck_assert_uint_eq(strlen(gw_buf_cstr(&b)), 100);
    gw_buf_add_byte(&b, 'y');
    ck_assert(b.overflow);
    ck_assert_uint_eq(b.n, 100);
    ck_assert_uint_le(b.cap, 101);
    gw_buf_reset(&b);
    ck_assert(!b.overflow);
    gw_buf_add_str(&b, "again");
    ck_assert(gw_span_is(gw_buf_span(&b), "again"));
    gw_buf_fini(&b);
}
END_TEST

START_TEST(test_bytes_buf_after_overflow_nothing_is_appended)
{
    struct gw_buf b;
    gw_buf_init(&b, 4);
    gw_buf_printf(&b, "%s", "12345");
    ck_assert(b.overflow);
    gw_buf_add_byte(&b, 'x'); /* would fit, but the message is broken already */
    ck_assert_uint_eq(b.n, 0);
    gw_buf_fini(&b);
}
END_TEST

START_TEST(test_bytes_frame_header_lengths)
{
    static char payload[70000];
    static const struct {
        size_t n, header;
    } cases[] = {{0, 2}, {125, 2}, {126, 4}, {65535, 4}, {65536, 10}, {70000, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gw_span part = {payload, cases[i].n};
        struct gw_frame *f = gw_frame_new(2, &part, 1);
        ck_assert_uint_eq(f->p[0], 0x82);
        ck_assert_uint_eq(f->n, cases[i].n + cases[i].header);
        ck_assert_uint_eq(gw_frame_payload(f).n, cases[i].n);
        gw_frame_unref(f);
    }
}
END_TEST

START_TEST(test_bytes_frame_joins_parts)
{
    struct gw_span parts[] = {GW_SPAN_LIT("[1,"), {NULL, 0}, GW_SPAN_LIT("2]")};
    struct gw_frame *f = gw_frame_new(1, parts, 3);
    ck_assert_uint_eq(f->n, 7);
    ck_assert_int_eq(memcmp(f->p, "\x81\x05[1,2]", 7), 0);
    ck_assert(gw_span_is(gw_frame_payload(f), "[1,2]"));
    gw_frame_unref(f);
}
END_TEST

START_TEST(test_bytes_frame_length_is_big_endian)
{
    static char payload[65536 + 0x10203];
    struct gw_span parts[] = {{payload, 0x0102}, {payload, 0x10203}};
    struct gw_frame *f = gw_frame_new(1, parts, 1);
    ck_assert_int_eq(memcmp(f->p, "\x81\x7e\x01\x02", 4), 0);
    gw_frame_unref(f);
    f = gw_frame_new(1, parts + 1, 1);
    ck_assert_int_eq(memcmp(f->p, "\x81\x7f\0\0\0\0\x00\x01\x02\x03", 10), 0);
    gw_frame_unref(f);
}
END_TEST

START_TEST(test_bytes_frame_lives_until_last_unref)
{
    struct gw_frame *f = gw_frame_new(1, NULL, 0);
    ck_assert_ptr_eq(gw_frame_ref(f), f);
    gw_frame_unref(f);
    ck_assert_uint_eq(f->n, 2);
    gw_frame_unref(f);
    gw_frame_unref(NULL);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("bytes");
    tcase_add_test(tc, test_bytes_span_compare);
    tcase_add_test(tc, test_bytes_alloc_is_zeroed);
    tcase_add_test(tc, test_bytes_cursor_reads_big_endian);
    tcase_add_test(tc, test_bytes_cursor_past_end_fails_for_good);
    tcase_add_test(tc, test_bytes_cursor_cstr_without_nul_fails);
    tcase_add_test(tc, test_bytes_cursor_of_nothing);
    tcase_add_test(tc, test_bytes_buf_appends_everything);
    tcase_add_test(tc, test_bytes_buf_grows_to_cap_then_overflows);
    tcase_add_test(tc, test_bytes_buf_after_overflow_nothing_is_appended);
    tcase_add_test(tc, test_bytes_frame_header_lengths);
    tcase_add_test(tc, test_bytes_frame_joins_parts);
    tcase_add_test(tc, test_bytes_frame_length_is_big_endian);
    tcase_add_test(tc, test_bytes_frame_lives_until_last_unref);
    Suite *s = suite_create("bytes");
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
