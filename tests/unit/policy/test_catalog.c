/* catalog: paths per role, what is worked out for asked ones, look-up, reference count. */
#include "gw/catalog.h"

#include "fixture.h"

#include <check.h>

static struct gw_catalog *c;

static void setup(void)
{
    c = fx_catalog();
}

static void teardown(void)
{
    gw_catalog_unref(c);
}

/* The path of AUTHENTICATED on a table with one policy for it. */
static enum gw_path path_with(const char *qual)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "id owner");
    fx_policy(c, t, BIT(AUTHENTICATED), qual);
    gw_catalog_finish(c, NULL, NULL);
    ck_assert_int_eq(t->access[ANON].path, GW_PATH_NOBODY);
    return t->access[AUTHENTICATED].path;
}

START_TEST(test_catalog_path_names_are_plain_words)
{
    ck_assert_str_eq(gw_path_name(GW_PATH_NOBODY), "nobody");
    ck_assert_str_eq(gw_path_name(GW_PATH_EVERYONE), "everyone");
    ck_assert_str_eq(gw_path_name(GW_PATH_ASKED), "asked");
}
END_TEST

START_TEST(test_catalog_rls_off_means_everyone_with_a_privilege)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "id owner");
    t->rls_enabled = false;
    t->access[ANON].columns = (struct gw_colset){0};
    t->access[AUTHENTICATED].columns = (struct gw_colset){0};
    gw_colset_add(&t->access[AUTHENTICATED].columns, 1);
    gw_catalog_finish(c, NULL, NULL);
    ck_assert_int_eq(t->access[ANON].path, GW_PATH_NOBODY);
    ck_assert_int_eq(t->access[AUTHENTICATED].path, GW_PATH_EVERYONE);
}
END_TEST

START_TEST(test_catalog_role_missing_in_database_sees_nothing)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "id");
    t->rls_enabled = false;
    c->roles_present = BIT(ANON);
    gw_catalog_finish(c, NULL, NULL);
    ck_assert_int_eq(t->access[ANON].path, GW_PATH_EVERYONE);
    ck_assert_int_eq(t->access[AUTHENTICATED].path, GW_PATH_NOBODY);
}
END_TEST

START_TEST(test_catalog_bypassing_role_is_everyone)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "id");
    t->access[SERVICE].bypasses_rls = true;
    gw_catalog_finish(c, NULL, NULL);
    ck_assert_int_eq(t->access[SERVICE].path, GW_PATH_EVERYONE);
    ck_assert_int_eq(t->access[AUTHENTICATED].path, GW_PATH_NOBODY);
}
END_TEST

START_TEST(test_catalog_policy_of_the_row_is_asked)
{
    ck_assert_int_eq(path_with("(owner = auth.uid())"), GW_PATH_ASKED);
}
END_TEST

START_TEST(test_catalog_constant_policies_need_no_question)
{
    ck_assert_int_eq(path_with("true"), GW_PATH_EVERYONE);
}
END_TEST

START_TEST(test_catalog_policy_without_using_shows_nothing)
{
    ck_assert_int_eq(path_with(""), GW_PATH_NOBODY);
}
END_TEST

START_TEST(test_catalog_false_policy_is_nobody)
{
    ck_assert_int_eq(path_with("false"), GW_PATH_NOBODY);
}
END_TEST

START_TEST(test_catalog_restrictive_policy_limits_a_true_one)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "id owner");
    fx_policy(c, t, BIT(ANON) | BIT(AUTHENTICATED) | BIT(SERVICE), "true");
    fx_policy(c, t, BIT(AUTHENTICATED), "(id > 1)")->permissive = false;
    fx_policy(c, t, BIT(SERVICE), "false")->permissive = false;
    fx_policy(c, t, BIT(ANON), "true")->permissive = false;
    gw_catalog_finish(c, NULL, NULL);
    ck_assert_int_eq(t->access[ANON].path, GW_PATH_EVERYONE);
    ck_assert_int_eq(t->access[AUTHENTICATED].path, GW_PATH_SOLVED);
    ck_assert_int_eq(t->access[SERVICE].path, GW_PATH_NOBODY);
}
END_TEST

START_TEST(test_catalog_restrictive_policies_alone_are_nobody)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "id owner");
    fx_policy(c, t, BIT(AUTHENTICATED), "true")->permissive = false;
    gw_catalog_finish(c, NULL, NULL);
    ck_assert_int_eq(t->access[AUTHENTICATED].path, GW_PATH_NOBODY);
}
END_TEST

START_TEST(test_catalog_asked_access_is_complete)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "id owner note");
    struct gw_catalog_table *members = fx_table(c, "public", "members", "trip who");
    members->rls_enabled = false;
    fx_policy(c, t, BIT(AUTHENTICATED) | BIT(ANON),
              "(id IN ( SELECT members.trip FROM public.members))");
    gw_catalog_finish(c, NULL, NULL);
    const struct gw_table_access *access = &t->access[AUTHENTICATED];
    char *reads = fx_columns(t, &access->reads), *lookups = fx_lookups(c, &access->depends);
    ck_assert_str_eq(reads, "id");
    ck_assert_str_eq(lookups, "members(trip)");
    ck_assert_uint_eq(strlen(access->question.p), access->question.n);
    ck_assert_ptr_eq(access->question.p, t->access[ANON].question.p); /* same policies: shared */
    ck_assert(!access->depends.unknown);
    free(reads);
    free(lookups);
}
END_TEST

START_TEST(test_catalog_roles_with_other_policies_get_their_own_question)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "id owner note");
    fx_policy(c, t, BIT(AUTHENTICATED) | BIT(ANON), "(id = 1)");
    fx_policy(c, t, BIT(AUTHENTICATED), "(owner = 2)");
    gw_catalog_finish(c, NULL, NULL);
    ck_assert_ptr_null(strstr(t->access[ANON].question.p, "owner"));
    ck_assert_ptr_nonnull(strstr(t->access[AUTHENTICATED].question.p, "owner"));
}
END_TEST

START_TEST(test_catalog_unpublished_table_is_not_read_through)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "id owner");
    t->published = false;
    fx_policy(c, t, BIT(AUTHENTICATED), "(id = 1)");
    gw_catalog_finish(c, NULL, NULL);
    char *reads = fx_columns(t, &t->access[AUTHENTICATED].reads);
    ck_assert_int_eq(t->access[AUTHENTICATED].path, GW_PATH_ASKED);
    ck_assert(t->access[AUTHENTICATED].depends.unknown);
    ck_assert_str_eq(reads, "id owner");
    free(reads);
}
END_TEST

START_TEST(test_catalog_finds_tables_and_columns)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "id owner");
    struct gw_catalog_table *other = fx_table(c, "other", "t", "id");
    gw_catalog_finish(c, NULL, NULL);
    ck_assert_ptr_eq(gw_catalog_table_find(c, t->oid), t);
    ck_assert_ptr_null(gw_catalog_table_find(c, 1));
    ck_assert_ptr_eq(gw_catalog_table_named(c, GW_SPAN_LIT("other"), GW_SPAN_LIT("t")), other);
    ck_assert_ptr_null(gw_catalog_table_named(c, GW_SPAN_LIT("other"), GW_SPAN_LIT("T")));
    ck_assert_int_eq(gw_catalog_column_find(t, GW_SPAN_LIT("owner")), 1);
    ck_assert_int_eq(gw_catalog_column_find(t, GW_SPAN_LIT("own")), -1);
}
END_TEST

START_TEST(test_catalog_lives_until_the_last_reference)
{
    struct gw_catalog *shared = gw_catalog_ref(c);
    struct gw_catalog_table *t = fx_table(c, "public", "t", "id");
    gw_catalog_finish(c, NULL, NULL);
    gw_catalog_unref(shared);
    ck_assert_ptr_eq(gw_catalog_table_find(c, t->oid), t);
    gw_catalog_unref(NULL);
}
END_TEST

START_TEST(test_catalog_empty_one_finishes)
{
    gw_catalog_finish(c, NULL, NULL);
    ck_assert_ptr_null(gw_catalog_table_find(c, 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog");
    TCase *tc = tcase_create("catalog");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_catalog_path_names_are_plain_words);
    tcase_add_test(tc, test_catalog_rls_off_means_everyone_with_a_privilege);
    tcase_add_test(tc, test_catalog_role_missing_in_database_sees_nothing);
    tcase_add_test(tc, test_catalog_bypassing_role_is_everyone);
    tcase_add_test(tc, test_catalog_policy_of_the_row_is_asked);
    tcase_add_test(tc, test_catalog_constant_policies_need_no_question);
    tcase_add_test(tc, test_catalog_policy_without_using_shows_nothing);
    tcase_add_test(tc, test_catalog_false_policy_is_nobody);
    tcase_add_test(tc, test_catalog_restrictive_policy_limits_a_true_one);
    tcase_add_test(tc, test_catalog_restrictive_policies_alone_are_nobody);
    tcase_add_test(tc, test_catalog_asked_access_is_complete);
    tcase_add_test(tc, test_catalog_roles_with_other_policies_get_their_own_question);
    tcase_add_test(tc, test_catalog_unpublished_table_is_not_read_through);
    tcase_add_test(tc, test_catalog_finds_tables_and_columns);
    tcase_add_test(tc, test_catalog_lives_until_the_last_reference);
    tcase_add_test(tc, test_catalog_empty_one_finishes);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
