/* arena: aligned, zeroed, capped; everything goes at once. */
#include "gw/arena.h"

#include <check.h>
#include <stdlib.h>

START_TEST(test_arena_memory_is_aligned_zeroed_and_apart)
{
    struct gw_arena a;
    gw_arena_init(&a, 0);
    unsigned char *seen[500];
    for (size_t i = 0; i < 500; i++) {
        size_t n = 1 + i * 7 % 97;
        seen[i] = gw_arena_alloc(&a, n);
        ck_assert_uint_eq((uintptr_t)seen[i] % 8, 0);
        for (size_t k = 0; k < n; k++)
            ck_assert_uint_eq(seen[i][k], 0);
        memset(seen[i], (int)(i & 0xff), n);
    }
    for (size_t i = 0; i < 500; i++)
        ck_assert_uint_eq(seen[i][i * 7 % 97], i & 0xff);
    gw_arena_fini(&a);
}
END_TEST

START_TEST(test_arena_large_request_keeps_small_block_in_use)
{
    struct gw_arena a;
    gw_arena_init(&a, 0);
    gw_arena_alloc(&a, 16);
    char *big = gw_arena_alloc(&a, 1 << 20);
    big[(1 << 20) - 1] = 'x';
    size_t before = gw_arena_footprint(&a);
    gw_arena_alloc(&a, 16); /* fits the first block still */
    ck_assert_uint_eq(gw_arena_footprint(&a), before);
    gw_arena_fini(&a);
}
END_TEST

START_TEST(test_arena_past_cap_returns_null)
{
    struct gw_arena a;
    gw_arena_init(&a, 64);
    ck_assert_ptr_nonnull(gw_arena_alloc(&a, 33)); /* 40 with alignment */
    ck_assert_ptr_null(gw_arena_alloc(&a, 25));
    ck_assert_ptr_nonnull(gw_arena_alloc(&a, 24));
    ck_assert_uint_eq(a.used_bytes, 64);
    ck_assert_ptr_null(gw_arena_alloc(&a, 0));
    ck_assert_ptr_null(gw_arena_alloc(&a, SIZE_MAX));
    ck_assert_ptr_null(gw_arena_copy(&a, GW_SPAN_LIT("x")).p);
    gw_arena_fini(&a);
}
END_TEST

START_TEST(test_arena_copy_ends_with_nul)
{
    struct gw_arena a;
    gw_arena_init(&a, 0);
    struct gw_span s = gw_arena_copy(&a, (struct gw_span){"abcdef", 3});
    ck_assert_str_eq(s.p, "abc");
    ck_assert_uint_eq(s.n, 3);
    s = gw_arena_copy(&a, (struct gw_span){NULL, 0});
    ck_assert_str_eq(s.p, "");
    gw_arena_fini(&a);
}
END_TEST

START_TEST(test_arena_fini_of_zeroed_struct)
{
    struct gw_arena a = {0};
    gw_arena_fini(&a);
    ck_assert_uint_eq(gw_arena_footprint(&a), 0);
}
END_TEST

START_TEST(test_arena_blocks_grow)
{
    struct gw_arena a;
    gw_arena_init(&a, 0);
    for (int i = 0; i < 100000; i++)
        gw_arena_alloc(&a, 16);
    ck_assert_uint_eq(a.used_bytes, 1600000);
    ck_assert_uint_lt(gw_arena_footprint(&a), 2 * a.used_bytes);
    gw_arena_fini(&a);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("arena");
    tcase_add_test(tc, test_arena_memory_is_aligned_zeroed_and_apart);
    tcase_add_test(tc, test_arena_large_request_keeps_small_block_in_use);
    tcase_add_test(tc, test_arena_past_cap_returns_null);
    tcase_add_test(tc, test_arena_copy_ends_with_nul);
    tcase_add_test(tc, test_arena_fini_of_zeroed_struct);
    tcase_add_test(tc, test_arena_blocks_grow);
    Suite *s = suite_create("arena");
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
