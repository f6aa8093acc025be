/* formula: the laws of sets against brute force over few facts and callers, what simplifies,
 * sharing, size, printing. */
#include "gw/expr.h"
#include "gw/facts.h"
#include "gw/formula.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { FACT_A, FACT_B, FACT_TAGS, N_FACTS }; /* TAGS is a set */
#define VALUES 3
#define N_CALLERS 200

static struct gw_key keys[VALUES];
static struct gw_fact callers[N_CALLERS][N_FACTS];
static struct gw_key caller_keys[N_CALLERS][N_FACTS][VALUES];
static uint32_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % n;
}

static struct gw_key int_key(int v)
{
    char text[16];
    snprintf(text, sizeof text, "%d", v);
    return gw_datum_of(GW_KIND_INT, gw_span_of(text)).key;
}

static void make_caller(int c)
{
    for (int f = 0; f < N_FACTS; f++) {
        struct gw_fact *fact = &callers[c][f];
        *fact = (struct gw_fact){.keys = caller_keys[c][f]};
        uint32_t kind = random_below(5);
        fact->state = kind == 0 ? GW_DATUM_NULL : kind == 1 ? GW_DATUM_ERROR : GW_DATUM_VALUE;
        if (fact->state != GW_DATUM_VALUE)
            continue;
        if (f != FACT_TAGS) {
            fact->keys[fact->n++] = keys[random_below(VALUES)];
            continue;
        }
        fact->has_null = random_below(3) == 0;
        for (int v = 0; v < VALUES; v++)
            if (random_below(2))
                fact->keys[fact->n++] = keys[v];
    }
}

static void setup(void)
{
    random_state = 7;
    for (int v = 0; v < VALUES; v++)
        keys[v] = int_key(v);
    for (int c = 0; c < N_CALLERS; c++)
        make_caller(c);
}

/* A set of callers, one byte each. */
struct set {
    bool has[N_CALLERS];
};

static struct set admitted(const struct gw_formula *f)
{
    struct set s;
    for (int c = 0; c < N_CALLERS; c++)
        s.has[c] = gw_formula_admits(f, callers[c], N_FACTS);
    return s;
}

static void expect(struct gw_formula *f, const struct set *want)
{
    struct set got = admitted(f);
    ck_assert_mem_eq(&got, want, sizeof got);
}

static struct gw_formula *some_is(uint32_t fact, bool is_set, uint32_t mask)
{
    struct gw_key chosen[VALUES];
    uint32_t n = 0;
    for (int v = VALUES - 1; v >= 0; v--) /* not sorted */
        if (mask >> v & 1)
            chosen[n++] = keys[v];
    return gw_formula_is(fact, is_set, chosen, n);
}

static struct gw_formula *random_atom(struct set *set)
{
    uint32_t fact = random_below(N_FACTS);
    bool is_known = random_below(4) == 0;
    uint32_t mask = random_below(1 << VALUES);
    for (int c = 0; c < N_CALLERS; c++) {
        const struct gw_fact *f = &callers[c][fact];
        bool is_value = f->state == GW_DATUM_VALUE;
        set->has[c] = is_known && is_value && !f->has_null;
        for (uint32_t i = 0; !is_known && is_value && i < f->n; i++)
            for (int v = 0; v < VALUES; v++)
                set->has[c] |= (mask >> v & 1) && gw_key_eq(f->keys[i], keys[v]);
    }
    return is_known ? gw_formula_known(fact) : some_is(fact, fact == FACT_TAGS, mask);
}

static struct gw_formula *random_formula(int depth, struct set *set);

static struct gw_formula *random_or_many(int depth, struct set *set)
{
    struct gw_formula *items[6];
    uint32_t n = random_below(7);
    *set = (struct set){{false}};
    for (uint32_t i = 0; i < n; i++) {
        struct set one;
        items[i] = random_formula(depth - 1, &one);
        for (int c = 0; c < N_CALLERS; c++)
            set->has[c] |= one.has[c];
    }
    return gw_formula_or_many(items, n);
}

static struct gw_formula *random_two(bool is_and, int depth, struct set *set)
{
    struct set b;
    struct gw_formula *f = random_formula(depth - 1, set), *g = random_formula(depth - 1, &b);
    for (int c = 0; c < N_CALLERS; c++)
        set->has[c] = is_and ? set->has[c] && b.has[c] : set->has[c] || b.has[c];
    return is_and ? gw_formula_and(f, g) : gw_formula_or(f, g);
}

static struct gw_formula *random_formula(int depth, struct set *set)
{
    uint32_t pick = depth == 0 ? 0 : random_below(8);
    if (pick <= 1)
        return random_atom(set);
    if (pick <= 3)
        return random_two(true, depth, set);
    if (pick <= 5)
        return random_two(false, depth, set);
    if (pick == 6)
        return random_or_many(depth, set);
    struct gw_formula *f = random_formula(depth - 1, set);
    for (int c = 0; c < N_CALLERS; c++)
        set->has[c] = !set->has[c];
    return gw_formula_not(f);
}

START_TEST(test_formula_operations_are_those_of_sets)
{
    for (int round = 0; round < 20000; round++) {
        struct set want;
        struct gw_formula *f = random_formula(4, &want);
        expect(f, &want);
        /* Its complement, with the original still shared. */
        struct gw_formula *not_f = gw_formula_not(gw_formula_ref(f));
        for (int c = 0; c < N_CALLERS; c++)
            want.has[c] = !want.has[c];
        expect(not_f, &want);
        gw_formula_unref(not_f);
        gw_formula_unref(f);
    }
}
END_TEST

/* Members who differ in one value only, as rows of a look-up with two conditions give them. */
START_TEST(test_formula_random_products_are_factored_rightly)
{
    for (int round = 0; round < 5000; round++) {
        struct gw_formula *items[12];
        struct set want = {{false}};
        uint32_t n = 2 + random_below(11);
        for (uint32_t i = 0; i < n; i++) {
            struct set a, b, c;
            struct gw_formula *f = gw_formula_and(random_atom(&a), random_atom(&b));
            items[i] = random_below(2) ? gw_formula_and(f, random_atom(&c)) : f;
            a = admitted(items[i]);
            for (int k = 0; k < N_CALLERS; k++)
                want.has[k] |= a.has[k];
        }
        struct gw_formula *f = gw_formula_or_many(items, n);
        expect(f, &want);
        gw_formula_unref(f);
    }
}
END_TEST

static void expect_single(struct gw_formula *f, enum gw_formula_op op, uint32_t n_keys)
{
    ck_assert_int_eq(f->op, op);
    ck_assert_uint_eq(f->n_keys, n_keys);
    ck_assert_uint_eq(f->n_nodes, 1);
    gw_formula_unref(f);
}

START_TEST(test_formula_atoms_of_one_fact_become_one)
{
    expect_single(gw_formula_or(some_is(FACT_A, false, 1), some_is(FACT_A, false, 6)),
                  GW_FORMULA_IS, 3);
    expect_single(gw_formula_and(some_is(FACT_A, false, 3), some_is(FACT_A, false, 6)),
                  GW_FORMULA_IS, 1);
    expect_single(gw_formula_and(some_is(FACT_A, false, 1), some_is(FACT_A, false, 6)),
                  GW_FORMULA_NONE, 0);
    expect_single(gw_formula_and(some_is(FACT_A, false, 1), gw_formula_known(FACT_A)),
                  GW_FORMULA_IS, 1);
    expect_single(gw_formula_or(some_is(FACT_A, false, 1), gw_formula_known(FACT_A)),
                  GW_FORMULA_KNOWN, 0);
    expect_single(
        gw_formula_or(some_is(FACT_A, false, 3), gw_formula_not(some_is(FACT_A, false, 2))),
        GW_FORMULA_ALL, 0);
    expect_single(
        gw_formula_and(some_is(FACT_TAGS, true, 1), gw_formula_not(some_is(FACT_TAGS, true, 3))),
        GW_FORMULA_NONE, 0);
    expect_single(gw_formula_or(some_is(FACT_TAGS, true, 1), some_is(FACT_TAGS, true, 2)),
                  GW_FORMULA_IS, 2);
    expect_single(gw_formula_and(gw_formula_not(some_is(FACT_TAGS, true, 1)),
                                 gw_formula_not(some_is(FACT_TAGS, true, 2))),
                  GW_FORMULA_IS_NOT, 2);
    /* Two values of a set at once are not none. */
    struct gw_formula *both =
        gw_formula_and(some_is(FACT_TAGS, true, 1), some_is(FACT_TAGS, true, 2));
    ck_assert_int_eq(both->op, GW_FORMULA_AND);
    gw_formula_unref(both);
}
END_TEST

START_TEST(test_formula_constants_absorb)
{
    expect_single(gw_formula_or(gw_formula_all(), some_is(FACT_A, false, 1)), GW_FORMULA_ALL, 0);
    expect_single(gw_formula_or(gw_formula_none(), some_is(FACT_A, false, 1)), GW_FORMULA_IS, 1);
    expect_single(gw_formula_and(gw_formula_none(), some_is(FACT_A, false, 1)), GW_FORMULA_NONE, 0);
    expect_single(gw_formula_and(gw_formula_all(), some_is(FACT_A, false, 1)), GW_FORMULA_IS, 1);
    expect_single(gw_formula_or_many(NULL, 0), GW_FORMULA_NONE, 0);
    expect_single(gw_formula_is(FACT_A, false, NULL, 0), GW_FORMULA_NONE, 0);
    expect_single(gw_formula_not(gw_formula_none()), GW_FORMULA_ALL, 0);
    gw_formula_unref(NULL);
}
END_TEST

START_TEST(test_formula_says_the_same_in_any_order)
{
    struct gw_formula *x = gw_formula_and(some_is(FACT_A, false, 1), some_is(FACT_B, false, 2));
    struct gw_formula *y = gw_formula_and(some_is(FACT_B, false, 2), some_is(FACT_A, false, 1));
    ck_assert_uint_eq(x->hash, y->hash);
    struct gw_formula *f = gw_formula_or(x, y);
    ck_assert_int_eq(f->op, GW_FORMULA_AND); /* once */
    gw_formula_unref(f);
}
END_TEST

#define MANY 100000

START_TEST(test_formula_large_set_is_shared_not_copied)
{
    struct gw_key *many = gw_alloc(MANY * sizeof *many);
    for (int i = 0; i < MANY; i++)
        many[i] = int_key((int)((unsigned)i * 7919u % MANY));
    struct gw_formula *team = gw_formula_is(FACT_A, false, many, MANY);
    ck_assert_uint_eq(team->n_keys, MANY);
    struct gw_formula *with_owner =
        gw_formula_or(gw_formula_ref(team), gw_formula_is(FACT_A, false, many, 1));
    ck_assert_ptr_eq(with_owner, team); /* the owner is a member */
    struct gw_formula *others = gw_formula_not(gw_formula_ref(team));
    ck_assert_ptr_eq(others->keys, team->keys);
    struct gw_formula *back = gw_formula_not(others);
    ck_assert_ptr_eq(back, team);
    gw_formula_unref(back);
    gw_formula_unref(with_owner);
    gw_formula_unref(team);
    free(many);
}
END_TEST

START_TEST(test_formula_or_of_a_hundred_thousand_members)
{
    struct gw_formula **items = gw_alloc(2 * MANY * sizeof *items);
    for (int i = 0; i < MANY; i++) {
        struct gw_key k = int_key(i % (MANY / 2));
        items[2 * i] = gw_formula_is(FACT_A, false, &k, 1);
        items[2 * i + 1] = gw_formula_and(gw_formula_is(FACT_TAGS, true, &keys[1], 1),
                                          gw_formula_is(FACT_B, false, &k, 1));
    }
    struct gw_formula *f = gw_formula_or_many(items, 2 * MANY);
    ck_assert_int_eq(f->op, GW_FORMULA_OR);
    ck_assert_uint_eq(f->n_args, 2);
    ck_assert_uint_eq(f->args[0]->n_keys, MANY / 2);
    ck_assert_uint_eq(f->n_nodes, 5); /* or(A is …, and(tags has 1, B is …)) */
    ck_assert_uint_ge(gw_formula_bytes(f), 2 * (MANY / 2) * sizeof(struct gw_key));
    gw_formula_unref(f);
    free(items);
}
END_TEST

START_TEST(test_formula_unknown_fact_admits_nobody)
{
    struct gw_fact unsure = {.state = GW_DATUM_UNKNOWN};
    struct gw_formula *f = some_is(FACT_A, false, 1), *g = gw_formula_not(gw_formula_ref(f));
    ck_assert(!gw_formula_admits(f, &unsure, 1));
    ck_assert(!gw_formula_admits(g, &unsure, 1));
    ck_assert(!gw_formula_admits(f, NULL, 0));
    ck_assert(!gw_formula_admits(g, NULL, 0));
    struct gw_formula *k = gw_formula_not(gw_formula_known(FACT_A));
    ck_assert(!gw_formula_admits(k, &unsure, 1));
    gw_formula_unref(k);
    gw_formula_unref(g);
    gw_formula_unref(f);
}
END_TEST

static void expect_print(struct gw_formula *f, const struct gw_rules *r, const char *want)
{
    struct gw_buf out;
    gw_buf_init(&out, 0);
    gw_formula_print(&out, r, f);
    ck_assert_str_eq(gw_buf_cstr(&out), want);
    gw_buf_fini(&out);
    gw_formula_unref(f);
}

START_TEST(test_formula_print_names_facts_and_values)
{
    struct gw_fact_def defs[] = {
        {.sql = GW_SPAN_LIT("auth.uid()"), .kind = GW_KIND_UUID},
        {.sql = GW_SPAN_LIT("org"), .kind = GW_KIND_INT},
        {.sql = GW_SPAN_LIT("tags"), .kind = GW_KIND_TEXT, .is_set = true},
    };
    struct gw_rules r = {.n_facts = 3, .facts = defs};
    struct gw_key uid =
        gw_datum_of(GW_KIND_UUID, GW_SPAN_LIT("00112233-4455-6677-8899-aabbccddeeff")).key;
    struct gw_key long_key = gw_datum_of(GW_KIND_TEXT, GW_SPAN_LIT("sixteen bytes ok")).key;
    struct gw_key tags[] = {gw_datum_of(GW_KIND_TEXT, GW_SPAN_LIT("a b")).key, long_key};
    expect_print(gw_formula_is(0, false, &uid, 1), &r,
                 "auth.uid() is 00112233-4455-6677-8899-aabbccddeeff");
    expect_print(gw_formula_not(gw_formula_is(1, false, keys, 3)), &r, "org is not one of 0, 1, 2");
    expect_print(gw_formula_or(gw_formula_known(1), gw_formula_is(2, true, tags, 1)), &r,
                 "(org is known) or (tags has 'a b')");
    expect_print(gw_formula_not(gw_formula_is(2, true, tags, 1)), &r, "tags has none of 'a b'");
    expect_print(gw_formula_and(gw_formula_not(gw_formula_known(1)), gw_formula_known(9)), NULL,
                 "(fact 1 is not known) and (fact 9 is known)");
    expect_print(gw_formula_all(), &r, "everybody");
    expect_print(gw_formula_none(), &r, "nobody");
    struct gw_key seven[7];
    for (int i = 0; i < 7; i++)
        seven[i] = int_key(i - 3);
    expect_print(gw_formula_is(1, false, seven, 7), &r,
                 "org is one of -3, -2, -1, 0, 1 and 2 more");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("formula");
    TCase *tc = tcase_create("formula");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_formula_operations_are_those_of_sets);
    tcase_add_test(tc, test_formula_random_products_are_factored_rightly);
    tcase_add_test(tc, test_formula_atoms_of_one_fact_become_one);
    tcase_add_test(tc, test_formula_constants_absorb);
    tcase_add_test(tc, test_formula_says_the_same_in_any_order);
    tcase_add_test(tc, test_formula_large_set_is_shared_not_copied);
    tcase_add_test(tc, test_formula_or_of_a_hundred_thousand_members);
    tcase_add_test(tc, test_formula_unknown_fact_admits_nobody);
    tcase_add_test(tc, test_formula_print_names_facts_and_values);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
