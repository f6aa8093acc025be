/* map: both maps against a plain array as the oracle; removal, growth, iteration, hashing. */
#include "gw/map.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define KEYS 1000

static struct gw_span key_of(char buf[32], int i)
{
    return (struct gw_span){buf, (size_t)snprintf(buf, 32, "topic:%d", i)};
}

START_TEST(test_map_random_operations_match_array)
{
    static int values[KEYS];
    static void *want[KEYS];
    char buf[32];
    struct gw_map m;
    gw_map_init(&m, 42);
    size_t live = 0;
    uint32_t random = 1;
    for (int round = 0; round < 50000; round++) {
        random = random * 1664525u + 1013904223u;
        int i = (int)(random >> 8) % KEYS;
        struct gw_span key = key_of(buf, i);
        ck_assert_ptr_eq(gw_map_find(&m, key), want[i]);
        if (random >> 31) {
            ck_assert_ptr_eq(gw_map_put(&m, key, &values[i]), want[i]);
            live += want[i] == NULL;
            want[i] = &values[i];
        } else {
            ck_assert_ptr_eq(gw_map_take(&m, key), want[i]);
            live -= want[i] != NULL;
            want[i] = NULL;
        }
        ck_assert_uint_eq(m.count, live);
    }
    gw_map_fini(&m);
}
END_TEST

START_TEST(test_map_keys_are_copied_and_may_hold_any_byte)
{
    struct gw_map m;
    gw_map_init(&m, 1);
    char key[3] = {0, 1, 0};
    int a, b;
    gw_map_put(&m, (struct gw_span){key, 3}, &a);
    gw_map_put(&m, (struct gw_span){NULL, 0}, &b);
    key[0] = 9;
    ck_assert_ptr_null(gw_map_find(&m, (struct gw_span){key, 3}));
    key[0] = 0;
    ck_assert_ptr_eq(gw_map_find(&m, (struct gw_span){key, 3}), &a);
    ck_assert_ptr_null(gw_map_find(&m, (struct gw_span){key, 2}));
    ck_assert_ptr_eq(gw_map_find(&m, GW_SPAN_LIT("")), &b);
    gw_map_fini(&m);
}
END_TEST

START_TEST(test_map_each_visits_every_entry_once)
{
    static int seen[KEYS];
    char buf[32];
    struct gw_map m;
    gw_map_init(&m, 7);
    for (int i = 0; i < KEYS; i++)
        gw_map_put(&m, key_of(buf, i), &seen[i]);
    for (int i = 0; i < KEYS; i += 2)
        gw_map_take(&m, key_of(buf, i));
    size_t at = 0, n = 0;
    struct gw_span key;
    void *value;
    while (gw_map_each(&m, &at, &key, &value)) {
        ++*(int *)value;
        n++;
        ck_assert_ptr_eq(gw_map_find(&m, key), value);
    }
    ck_assert_uint_eq(n, KEYS / 2);
    for (int i = 0; i < KEYS; i++)
        ck_assert_int_eq(seen[i], i % 2);
    gw_map_fini(&m);
}
END_TEST

START_TEST(test_map_of_nothing)
{
    struct gw_map m = {0};
    size_t at = 0;
    ck_assert_ptr_null(gw_map_find(&m, GW_SPAN_LIT("x")));
    ck_assert_ptr_null(gw_map_take(&m, GW_SPAN_LIT("x")));
    ck_assert(!gw_map_each(&m, &at, NULL, NULL));
    gw_map_fini(&m);
}
END_TEST

START_TEST(test_map_churn_does_not_grow)
{
    char buf[32];
    int value;
    struct gw_map m;
    gw_map_init(&m, 3);
    for (int i = 0; i < 100000; i++) {
        gw_map_put(&m, key_of(buf, i), &value);
        gw_map_take(&m, key_of(buf, i));
    }
    ck_assert_uint_eq(m.count, 0);
    ck_assert_uint_le(m.cap, 16);
    gw_map_fini(&m);
}
END_TEST

START_TEST(test_idmap_random_operations_match_array)
{
    static int values[KEYS];
    static void *want[KEYS];
    struct gw_idmap m;
    gw_idmap_init(&m);
    size_t live = 0;
    uint32_t random = 5;
    for (int round = 0; round < 50000; round++) {
        random = random * 1664525u + 1013904223u;
        int i = (int)(random >> 8) % KEYS;
        uint64_t key = (uint64_t)i << 40; /* the low bits say nothing */
        ck_assert_ptr_eq(gw_idmap_find(&m, key), want[i]);
        if (random >> 31) {
            ck_assert_ptr_eq(gw_idmap_put(&m, key, &values[i]), want[i]);
            live += want[i] == NULL;
            want[i] = &values[i];
        } else {
            ck_assert_ptr_eq(gw_idmap_take(&m, key), want[i]);
            live -= want[i] != NULL;
            want[i] = NULL;
        }
        ck_assert_uint_eq(m.count, live);
    }
    gw_idmap_fini(&m);
}
END_TEST

START_TEST(test_idmap_extreme_keys_and_each)
{
    int a, b;
    struct gw_idmap m;
    gw_idmap_init(&m);
    gw_idmap_put(&m, 0, &a);
    gw_idmap_put(&m, UINT64_MAX, &b);
    ck_assert_ptr_eq(gw_idmap_find(&m, 0), &a);
    ck_assert_ptr_eq(gw_idmap_find(&m, UINT64_MAX), &b);
    size_t at = 0, n = 0;
    uint64_t key;
    void *value;
    while (gw_idmap_each(&m, &at, &key, &value)) {
        ck_assert_ptr_eq(value, key ? &b : &a);
        n++;
    }
    ck_assert_uint_eq(n, 2);
    gw_idmap_fini(&m);
}
END_TEST

START_TEST(test_hash_depends_on_seed_length_and_each_byte)
{
    char zeros[64] = {0};
    for (size_t n = 0; n < sizeof zeros; n++) {
        uint64_t h = gw_hash_bytes(1, (struct gw_span){zeros, n});
        ck_assert(h == gw_hash_bytes(1, (struct gw_span){zeros, n}));
        ck_assert(h != gw_hash_bytes(2, (struct gw_span){zeros, n}));
        ck_assert(h != gw_hash_bytes(1, (struct gw_span){zeros, n + 1}));
        for (size_t i = 0; i < n; i++) {
            zeros[i] = 1;
            ck_assert(h != gw_hash_bytes(1, (struct gw_span){zeros, n}));
            zeros[i] = 0;
        }
    }
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("map");
    tcase_add_test(tc, test_map_random_operations_match_array);
    tcase_add_test(tc, test_map_keys_are_copied_and_may_hold_any_byte);
    tcase_add_test(tc, test_map_each_visits_every_entry_once);
    tcase_add_test(tc, test_map_of_nothing);
    tcase_add_test(tc, test_map_churn_does_not_grow);
    tcase_add_test(tc, test_idmap_random_operations_match_array);
    tcase_add_test(tc, test_idmap_extreme_keys_and_each);
    tcase_add_test(tc, test_hash_depends_on_seed_length_and_each_byte);
    Suite *s = suite_create("map");
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
