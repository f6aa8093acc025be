/* bind: bounds on texts, depth, nodes and inlining, each reached. */
#include "bind_fixture.h"

/* n times part between head and tail; owned. */
static char *repeated(const char *head, const char *part, unsigned n, const char *tail)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_buf_add_str(&b, head);
    for (unsigned i = 0; i < n; i++)
        gw_buf_add_str(&b, part);
    gw_buf_add_str(&b, tail);
    char *text = gw_strdup_span(gw_buf_span(&b));
    gw_buf_fini(&b);
    return text;
}

static void assert_repeated_refused(const char *head, const char *part, unsigned n,
                                    const char *tail, const char *why)
{
    char *text = repeated(head, part, n, tail);
    bf_assert_refused(text, why);
    free(text);
}

START_TEST(test_bind_text_of_64_KiB_is_the_longest)
{
    assert_repeated_refused("role = '", "x", 64 * 1024, "'", "is too long");
}
END_TEST

START_TEST(test_bind_nodes_are_bounded)
{
    assert_repeated_refused("n=1", " or n=1", 9000, "", "more than 20000 nodes");
}
END_TEST

START_TEST(test_bind_depth_is_bounded)
{
    char *tail = repeated("role", ")", 500, " = 'x'");
    assert_repeated_refused("", "lower(", 500, tail, "nested too deeply");
    free(tail);
}
END_TEST

START_TEST(test_bind_doubling_is_bounded)
{
    char *body = repeated("declare v text := 'x'; begin ", "v := v || v; ", 40, "return v; end");
    bf_plpgsql("public.doubles", "", "text", body);
    bf_assert_refused("(public.doubles() = 'x'::text)", "function public.doubles: expands to");
    free(body);
}
END_TEST

START_TEST(test_bind_branches_are_bounded)
{
    char *body =
        repeated("declare v int; begin ", "if a > 3 then v := a; end if; ", 40, "return v; end");
    bf_plpgsql("public.branches", "a int4", "int4", body);
    bf_assert_refused("(public.branches(n) = 1)", "expands to");
    free(body);
}
END_TEST

START_TEST(test_bind_chain_of_functions_ends)
{
    bf_sql("public.chain", "a text", "text", "select lower(lower(lower(lower(a))))");
    char *tail = repeated("role", ")", 390, " = 'x'");
    assert_repeated_refused("", "public.chain(", 390, tail, "expands to");
    free(tail);
}
END_TEST

START_TEST(test_bind_tables_in_from_are_bounded)
{
    assert_repeated_refused("(EXISTS ( SELECT 1 FROM public.trips", ", public.trips", 40, "))",
                            "more than 32 tables");
}
END_TEST

START_TEST(test_bind_is_usable_after_a_refusal)
{
    struct gw_arena arena;
    struct gw_bound_var row = {.table = bf.things};
    uint32_t next_var = 1;
    gw_arena_init(&arena, 0);
    struct gw_binder *b = gw_binder_new(bf.c, &arena);
    struct gw_bound_result r =
        gw_bind_policy(b, bf.things, CF_USER, GW_SPAN_LIT("nope"), &row, &next_var);
    ck_assert(r.expr == NULL && r.why.n > 0);
    r = gw_bind_policy(b, bf.things, CF_USER, GW_SPAN_LIT("public.is_admin()"), &row, &next_var);
    ck_assert(r.expr != NULL && r.why.n == 0);
    r = gw_bind_policy(b, bf.things, CF_USER, (struct gw_span){0}, &row, &next_var);
    ck_assert(r.expr == NULL);
    gw_binder_free(b);
    gw_arena_fini(&arena);
}
END_TEST

START_TEST(test_bind_variables_are_numbered_on)
{
    struct gw_arena arena;
    struct gw_bound_var row = {.table = bf.things};
    uint32_t next_var = 7;
    gw_arena_init(&arena, 0);
    struct gw_binder *b = gw_binder_new(bf.c, &arena);
    struct gw_bound_result r = gw_bind_policy(
        b, bf.things, CF_USER, GW_SPAN_LIT("EXISTS (SELECT 1 FROM public.trips)"), &row, &next_var);
    ck_assert_uint_eq(r.expr->select->arms[0].from[0].var->number, 7);
    ck_assert_uint_eq(next_var, 8);
    gw_binder_free(b);
    gw_arena_fini(&arena);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bind");
    TCase *tc = tcase_create("bind");
    tcase_add_checked_fixture(tc, bf_setup, bf_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_bind_text_of_64_KiB_is_the_longest);
    tcase_add_test(tc, test_bind_nodes_are_bounded);
    tcase_add_test(tc, test_bind_depth_is_bounded);
    tcase_add_test(tc, test_bind_doubling_is_bounded);
    tcase_add_test(tc, test_bind_branches_are_bounded);
    tcase_add_test(tc, test_bind_chain_of_functions_ends);
    tcase_add_test(tc, test_bind_tables_in_from_are_bounded);
    tcase_add_test(tc, test_bind_is_usable_after_a_refusal);
    tcase_add_test(tc, test_bind_variables_are_numbered_on);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
