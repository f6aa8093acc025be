/* mailbox: bounds in items and bytes, order, wake-ups, and a transfer between two threads in which
 * the consumer sleeps whenever the box is empty: a missed wake-up would hang it. */
#include "gw/mailbox.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>

static void count_wake(void *ctx)
{
    ++*(int *)ctx;
}

static int dropped;
static void drop(void *msg)
{
    (void)msg;
    dropped++;
}

static void *message(uintptr_t i)
{
    return (void *)i;
}

START_TEST(test_mailbox_keeps_order_and_item_bound)
{
    struct gw_mailbox *mb = gw_mailbox_new(5, 0, NULL, NULL); /* rounded up to 8 */
    for (uintptr_t turn = 0; turn < 100; turn++) {
        for (uintptr_t i = 1; i <= 8; i++)
            ck_assert_int_eq(gw_mailbox_push(mb, message(i), 1000), GW_OK);
        ck_assert(!gw_mailbox_has_room(mb, 0));
        ck_assert_int_eq(gw_mailbox_push(mb, message(9), 0), GW_E_FULL);
        ck_assert_uint_eq(gw_mailbox_count(mb), 8);
        for (uintptr_t i = 1; i <= 8; i++)
            ck_assert_ptr_eq(gw_mailbox_pop(mb), message(i));
        ck_assert_ptr_null(gw_mailbox_pop(mb));
        ck_assert_uint_eq(gw_mailbox_bytes(mb), 0);
    }
    gw_mailbox_free(mb, NULL);
}
END_TEST

START_TEST(test_mailbox_byte_bound)
{
    struct gw_mailbox *mb = gw_mailbox_new(8, 100, NULL, NULL);
    ck_assert_int_eq(gw_mailbox_push(mb, message(1), 60), GW_OK);
    ck_assert(gw_mailbox_has_room(mb, 40));
    ck_assert(!gw_mailbox_has_room(mb, 41));
    ck_assert_int_eq(gw_mailbox_push(mb, message(2), SIZE_MAX), GW_E_FULL);
    ck_assert_int_eq(gw_mailbox_push(mb, message(2), 40), GW_OK);
    ck_assert_uint_eq(gw_mailbox_bytes(mb), 100);
    ck_assert_int_eq(gw_mailbox_push(mb, message(3), 1), GW_E_FULL);
    gw_mailbox_free(mb, NULL);
}
END_TEST

START_TEST(test_mailbox_oversized_message_passes_when_empty)
{
    struct gw_mailbox *mb = gw_mailbox_new(8, 100, NULL, NULL);
    ck_assert_int_eq(gw_mailbox_push(mb, message(1), 5000), GW_OK);
    ck_assert_int_eq(gw_mailbox_push(mb, message(2), 1), GW_E_FULL);
    ck_assert_ptr_eq(gw_mailbox_pop(mb), message(1));
    ck_assert_int_eq(gw_mailbox_push(mb, message(2), 1), GW_OK);
    gw_mailbox_free(mb, NULL);
}
END_TEST

START_TEST(test_mailbox_wakes_only_when_it_was_empty)
{
    int wakes = 0;
    struct gw_mailbox *mb = gw_mailbox_new(8, 0, count_wake, &wakes);
    for (uintptr_t i = 1; i <= 3; i++)
        ck_assert_int_eq(gw_mailbox_push(mb, message(i), 0), GW_OK);
    ck_assert_int_eq(wakes, 1);
    gw_mailbox_pop(mb);
    ck_assert_int_eq(gw_mailbox_push(mb, message(4), 0), GW_OK);
    ck_assert_int_eq(wakes, 1);
    while (gw_mailbox_pop(mb))
        continue;
    ck_assert_int_eq(gw_mailbox_push(mb, message(5), 0), GW_OK);
    ck_assert_int_eq(wakes, 2);
    gw_mailbox_free(mb, NULL);
}
END_TEST

START_TEST(test_mailbox_free_drops_what_is_inside)
{
    dropped = 0;
    struct gw_mailbox *mb = gw_mailbox_new(4, 0, NULL, NULL);
    ck_assert_int_eq(gw_mailbox_push(mb, message(1), 0), GW_OK);
    ck_assert_int_eq(gw_mailbox_push(mb, message(2), 0), GW_OK);
    gw_mailbox_free(mb, drop);
    ck_assert_int_eq(dropped, 2);
    gw_mailbox_free(NULL, drop);
}
END_TEST

#define MESSAGES 1000000u

static void post(void *ctx)
{
    sem_post(ctx);
}

static void *produce(void *arg)
{
    struct gw_mailbox *mb = arg;
    for (uintptr_t i = 1; i <= MESSAGES; i++)
        while (gw_mailbox_push(mb, message(i), i % 100) != GW_OK)
            sched_yield();
    return NULL;
}

START_TEST(test_mailbox_two_threads_transfer_a_million_in_order)
{
    sem_t awake;
    sem_init(&awake, 0, 0);
    struct gw_mailbox *mb = gw_mailbox_new(64, 2000, post, &awake);
    pthread_t producer;
    ck_assert_int_eq(pthread_create(&producer, NULL, produce, mb), 0);
    uintptr_t next = 1;
    while (next <= MESSAGES) {
        void *msg = gw_mailbox_pop(mb);
        if (!msg) {
            while (sem_wait(&awake) != 0)
                continue;
            continue;
        }
        ck_assert_ptr_eq(msg, message(next));
        if (next % 4096 == 0)
            ck_assert_uint_le(gw_mailbox_count(mb), 64);
        next++;
    }
    pthread_join(producer, NULL);
    ck_assert_uint_eq(gw_mailbox_count(mb), 0);
    ck_assert_uint_eq(gw_mailbox_bytes(mb), 0);
    gw_mailbox_free(mb, drop);
    sem_destroy(&awake);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("mailbox");
    tcase_add_test(tc, test_mailbox_keeps_order_and_item_bound);
    tcase_add_test(tc, test_mailbox_byte_bound);
    tcase_add_test(tc, test_mailbox_oversized_message_passes_when_empty);
    tcase_add_test(tc, test_mailbox_wakes_only_when_it_was_empty);
    tcase_add_test(tc, test_mailbox_free_drops_what_is_inside);
    tcase_add_test(tc, test_mailbox_two_threads_transfer_a_million_in_order);
    Suite *s = suite_create("mailbox");
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
