/* The outbox: order, references, the bound and the reserve past it. */
#include "gw/outbox.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct gw_outbox o;

static struct gw_frame *frame_of(const char *text)
{
    struct gw_span part = gw_span_of(text);
    return gw_frame_new(1, &part, 1);
}

static enum gw_code push(const char *text)
{
    struct gw_frame *f = frame_of(text);
    enum gw_code code = gw_outbox_push(&o, f);
    gw_frame_unref(f);
    return code;
}

static void ck_is(uint32_t i, const char *text)
{
    ck_assert(gw_span_is(gw_frame_payload(gw_outbox_peek(&o, i)), text));
}

START_TEST(test_outbox_frames_keep_their_order_across_growth_and_wrap)
{
    gw_outbox_init(&o, 1 << 20);
    char text[16];
    unsigned in = 0, out = 0;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 7; i++) {
            snprintf(text, sizeof text, "%u", in++);
            ck_assert_int_eq(push(text), GW_OK);
        }
        for (int i = 0; i < 3; i++) {
            snprintf(text, sizeof text, "%u", out++);
            ck_is(0, text);
            gw_outbox_drop(&o, 1);
        }
    }
    ck_assert_uint_eq(o.count, in - out);
    for (uint32_t i = 0; i < o.count; i++) {
        snprintf(text, sizeof text, "%u", out + i);
        ck_is(i, text);
    }
    gw_outbox_fini(&o);
}
END_TEST

START_TEST(test_outbox_bound_passed_refuses_and_queues_nothing)
{
    gw_outbox_init(&o, 10);
    ck_assert_int_eq(push("abc"), GW_OK); /* 2 bytes of header each */
    ck_assert_int_eq(push("def"), GW_OK);
    ck_assert_uint_eq(o.bytes, 10);
    ck_assert_int_eq(push(""), GW_E_SLOW);
    ck_assert_uint_eq(o.count, 2);
    ck_assert_uint_eq(o.bytes, 10);
    gw_outbox_drop(&o, 1);
    ck_assert_int_eq(push("ghi"), GW_OK);
    ck_is(1, "ghi");
    gw_outbox_fini(&o);
}
END_TEST

START_TEST(test_outbox_reserve_lets_replies_pass_the_bound)
{
    gw_outbox_init(&o, 5);
    ck_assert_int_eq(push("abc"), GW_OK);
    struct gw_frame *f = frame_of("abc");
    ck_assert_int_eq(gw_outbox_push(&o, f), GW_E_SLOW);
    ck_assert_int_eq(gw_outbox_push_reserved(&o, f, 5), GW_OK);
    ck_assert_int_eq(gw_outbox_push_reserved(&o, f, 5), GW_E_SLOW);
    gw_frame_unref(f);
    gw_outbox_fini(&o);
}
END_TEST

START_TEST(test_outbox_frame_is_shared_by_reference)
{
    struct gw_frame *f = frame_of("shared");
    gw_outbox_init(&o, 100);
    ck_assert_int_eq(gw_outbox_push(&o, f), GW_OK);
    ck_assert_int_eq(gw_outbox_push(&o, f), GW_OK);
    ck_assert_uint_eq(f->refs, 3);
    gw_outbox_drop(&o, 1);
    ck_assert_uint_eq(f->refs, 2);
    gw_outbox_fini(&o);
    ck_assert_uint_eq(f->refs, 1);
    gw_frame_unref(f);
}
END_TEST

START_TEST(test_outbox_emptied_after_a_burst_gives_its_memory_back)
{
    gw_outbox_init(&o, 1 << 20);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(push("x"), GW_OK);
    gw_outbox_drop(&o, 1000);
    ck_assert_uint_eq(o.cap, 0);
    ck_assert_uint_eq(o.bytes, 0);
    ck_assert_int_eq(push("again"), GW_OK);
    ck_is(0, "again");
    gw_outbox_fini(&o);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("outbox");
    TCase *tc = tcase_create("outbox");
    tcase_add_test(tc, test_outbox_frames_keep_their_order_across_growth_and_wrap);
    tcase_add_test(tc, test_outbox_bound_passed_refuses_and_queues_nothing);
    tcase_add_test(tc, test_outbox_reserve_lets_replies_pass_the_bound);
    tcase_add_test(tc, test_outbox_frame_is_shared_by_reference);
    tcase_add_test(tc, test_outbox_emptied_after_a_burst_gives_its_memory_back);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
