/* Sorting of keys, against qsort: few and many, spread evenly, in a row, all over the place. */
#include "../../../src/policy/formula_own.h"

#include <check.h>
#include <stdlib.h>

enum { KEYS_MAX = 20000 };

static struct gw_key keys[KEYS_MAX], expected[KEYS_MAX];
static uint64_t random_state;

static uint64_t next(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return random_state ^ random_state >> 29;
}

/* Ways that keys may lie. */
static struct gw_key even(uint32_t i)
{
    (void)i;
    return (struct gw_key){next(), next()};
}

static struct gw_key in_a_row(uint32_t i)
{
    return (struct gw_key){0, UINT64_C(1) << 63 | (i * 7919u % KEYS_MAX)};
}

static struct gw_key one_far_out(uint32_t i)
{
    return (struct gw_key){i == 5 ? UINT64_MAX : next() % 1000, next()};
}

static struct gw_key with_doubles(uint32_t i)
{
    (void)i;
    return (struct gw_key){next() % 50, next() % 3};
}

static struct gw_key all_alike(uint32_t i)
{
    (void)i;
    return (struct gw_key){3, 4};
}

static struct gw_key extremes(uint32_t i)
{
    return (struct gw_key){7, i % 3 ? UINT64_MAX - next() % 100 : next() % 100};
}

static struct gw_key descending(uint32_t i)
{
    return (struct gw_key){UINT64_MAX - i, i};
}

static struct gw_key (*const ways[])(uint32_t i) = {even,      in_a_row, one_far_out, with_doubles,
                                                    all_alike, extremes, descending};

static int compare(const void *a, const void *b)
{
    return gw_key_compare(a, b);
}

static uint32_t expect(uint32_t n)
{
    uint32_t kept = 0;
    memcpy(expected, keys, n * sizeof *keys);
    if (n > 0)
        qsort(expected, n, sizeof *expected, compare);
    for (uint32_t i = 0; i < n; i++)
        if (kept == 0 || !gw_key_eq(expected[kept - 1], expected[i]))
            expected[kept++] = expected[i];
    return kept;
}

START_TEST(test_formula_sort_is_that_of_comparison)
{
    static const uint32_t counts[] = {0, 1, 2, 3, 23, 24, 25, 26, 100, 1000, 4097, KEYS_MAX};
    for (unsigned c = 0; c < sizeof counts / sizeof *counts; c++) {
        uint32_t n = counts[c];
        random_state = n + 1;
        for (uint32_t i = 0; i < n; i++)
            keys[i] = ways[_i](i);
        uint32_t wanted = expect(n), got = gw_keys_sort(keys, n);
        ck_assert_uint_eq(got, wanted);
        ck_assert(n == 0 || memcmp(keys, expected, got * sizeof *keys) == 0);
        ck_assert_uint_eq(gw_keys_sort(keys, got), got); /* sorted already */
        ck_assert(n == 0 || memcmp(keys, expected, got * sizeof *keys) == 0);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("formula_sort");
    TCase *tc = tcase_create("formula_sort");
    tcase_add_loop_test(tc, test_formula_sort_is_that_of_comparison, 0, sizeof ways / sizeof *ways);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
