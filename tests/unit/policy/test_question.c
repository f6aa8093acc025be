/* question: the SQL, the row literals, what can be judged.
 *
 * The literals and questions here were compared with a real Postgres 15: for tables with such names
 * and rows with such values, the question answered as SELECT under row security did. */
#include "gw/question.h"

#include "fixture.h"

#include <check.h>

#define CELLS_MAX 8

static struct gw_catalog *c;
static struct gw_buf out;
static struct gw_relation_column relation_columns[CELLS_MAX];
static struct gw_relation rel;
static struct gw_image *image;

static void setup(void)
{
    c = fx_catalog();
    gw_buf_init(&out, 0);
    rel = (struct gw_relation){.columns = relation_columns};
    image = gw_alloc(sizeof *image + CELLS_MAX * sizeof image->cells[0]);
}

static void teardown(void)
{
    free(image);
    gw_buf_fini(&out);
    gw_catalog_unref(c);
}

/* A column of the relation and its cell; text NULL is SQL NULL. */
static struct gw_cell *cell(const char *name, const char *text)
{
    struct gw_relation_column *column = &relation_columns[rel.n_columns++];
    *column = (struct gw_relation_column){.name = gw_span_of(name), .type_oid = 20};
    struct gw_cell *added = &image->cells[image->n++];
    *added =
        (struct gw_cell){.state = text ? GW_CELL_VALUE : GW_CELL_NULL, .text = gw_span_of(text)};
    return added;
}

static void assert_question(const struct gw_catalog_table *t, const char *sql)
{
    gw_buf_reset(&out);
    ck_assert(gw_question_write(&out, t, AUTHENTICATED));
    ck_assert_str_eq(gw_buf_cstr(&out), sql);
}

static void assert_rows(const struct gw_catalog_table *t, const char *literal)
{
    gw_buf_reset(&out);
    gw_question_rows_open(&out);
    gw_question_rows_add(&out, t, &rel, image);
    gw_question_rows_close(&out);
    ck_assert_str_eq(gw_buf_cstr(&out), literal);
}

/* ---- the SQL ---- */

START_TEST(test_question_one_policy_is_evaluated_over_the_rows)
{
    struct gw_catalog_table *t = fx_table(c, "public", "trips", "id user_id");
    fx_policy(c, t, BIT(AUTHENTICATED), "(user_id = auth.uid())");
    assert_question(t, "SELECT ((((user_id = auth.uid())))) IS TRUE FROM pg_catalog.unnest($1) AS "
                       "\"trips\"");
}
END_TEST

START_TEST(test_question_permissive_are_ored_restrictive_anded)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "id");
    fx_policy(c, t, BIT(AUTHENTICATED), "a")->permissive = false;
    fx_policy(c, t, BIT(AUTHENTICATED), "b");
    fx_policy(c, t, BIT(ANON), "other_role");
    fx_policy(c, t, BIT(AUTHENTICATED), "c")->permissive = false;
    fx_policy(c, t, BIT(AUTHENTICATED), "");
    fx_policy(c, t, BIT(AUTHENTICATED), "d"); /* the last name is evaluated first */
    assert_question(t, "SELECT (((d) OR (b)) AND (a) AND (c)) IS TRUE FROM "
                       "pg_catalog.unnest($1) AS \"t\"");
}
END_TEST

START_TEST(test_question_without_permissive_policy_is_not_written)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "id");
    fx_policy(c, t, BIT(AUTHENTICATED), "a")->permissive = false;
    fx_policy(c, t, BIT(ANON), "b");
    ck_assert(!gw_question_write(&out, t, AUTHENTICATED));
    ck_assert_uint_eq(out.n, 0);
}
END_TEST

START_TEST(test_question_alias_is_quoted)
{
    struct gw_catalog_table *t = fx_table(c, "My Schema", "Nasty \"T\\", "id");
    fx_policy(c, t, BIT(AUTHENTICATED), "public.f(\"Nasty \"\"T\\\".*)");
    assert_question(t, "SELECT (((public.f(\"Nasty \"\"T\\\".*)))) IS TRUE FROM "
                       "pg_catalog.unnest($1) AS \"Nasty \"\"T\\\"");
}
END_TEST

START_TEST(test_question_generated_column_that_is_read_is_computed)
{
    struct gw_catalog_table *t = fx_table(c, "My Schema", "order", "a g unread");
    t->columns[1].generation = GW_SPAN_LIT("(a + 1)");
    t->columns[2].generation = GW_SPAN_LIT("expensive(a)");
    fx_policy(c, t, BIT(AUTHENTICATED), "(g = 2)");
    gw_catalog_finish(c, NULL, NULL);
    assert_question(t, "SELECT ((((g = 2)))) IS TRUE FROM pg_catalog.unnest(ARRAY(SELECT "
                       "ROW(\"order\".\"a\",((a + 1)),NULL)::\"My Schema\".\"order\" FROM "
                       "pg_catalog.unnest($1) AS \"order\")) AS \"order\"");
    ck_assert(gw_span_eq(t->access[AUTHENTICATED].question, gw_buf_span(&out)));
}
END_TEST

START_TEST(test_question_generated_column_that_is_not_read_costs_nothing)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "a g");
    t->columns[1].generation = GW_SPAN_LIT("expensive(a)");
    fx_policy(c, t, BIT(AUTHENTICATED), "(a = 2)");
    gw_catalog_finish(c, NULL, NULL);
    assert_question(t, "SELECT ((((a = 2)))) IS TRUE FROM pg_catalog.unnest($1) AS \"t\"");
}
END_TEST

/* ---- the row literals ---- */

static const struct {
    const char *text, *literal;
} VALUES[] = {
    {"1", "{\"(\\\"1\\\")\"}"},
    {"", "{\"(\\\"\\\")\"}"},
    {NULL, "{\"()\"}"},
    {"NULL", "{\"(\\\"NULL\\\")\"}"},
    {"a,b", "{\"(\\\"a,b\\\")\"}"},
    {"\"", "{\"(\\\"\\\"\\\"\\\")\"}"},
    {"\\", "{\"(\\\"\\\\\\\\\\\")\"}"},
    {"\\\"", "{\"(\\\"\\\\\\\\\\\"\\\"\\\")\"}"},
    {"(x){y}", "{\"(\\\"(x){y}\\\")\"}"},
    {" a\n\t\r'$1 ", "{\"(\\\" a\n\t\r'$1 \\\")\"}"},
    {"{\"a b\",NULL}", "{\"(\\\"{\\\"\\\"a b\\\"\\\",NULL}\\\")\"}"},
    {"\xc3\xa9\x01", "{\"(\\\"\xc3\xa9\x01\\\")\"}"},
};

START_TEST(test_question_row_value_is_quoted_twice)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "a");
    cell("a", VALUES[_i].text);
    assert_rows(t, VALUES[_i].literal);
}
END_TEST

START_TEST(test_question_rows_are_separated)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "a b");
    cell("a", "{");
    cell("b", NULL);
    gw_question_rows_open(&out);
    for (int i = 0; i < 3; i++)
        gw_question_rows_add(&out, t, &rel, image);
    gw_question_rows_close(&out);
    ck_assert_str_eq(gw_buf_cstr(&out), "{\"(\\\"{\\\",)\",\"(\\\"{\\\",)\",\"(\\\"{\\\",)\"}");
}
END_TEST

START_TEST(test_question_no_rows_are_an_empty_array)
{
    gw_question_rows_open(&out);
    gw_question_rows_close(&out);
    ck_assert_str_eq(gw_buf_cstr(&out), "{}");
}
END_TEST

START_TEST(test_question_columns_map_by_name)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "added b g a");
    t->columns[2].generation = GW_SPAN_LIT("b");
    cell("gone", "0");
    cell("a", "1");
    cell("g", "9");
    cell("b", "2")->text = GW_SPAN_LIT("2");
    relation_columns[3].type_oid = 25; /* was another type when the row was written */
    assert_rows(t, "{\"(,\\\"2\\\",,\\\"1\\\")\"}");
}
END_TEST

START_TEST(test_question_what_the_image_lacks_is_null)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "a b c");
    cell("a", "1")->state = GW_CELL_UNCHANGED;
    cell("b", "2")->state = GW_CELL_ABSENT;
    cell("c", "3");
    image->n = 2; /* an image of an older, narrower relation */
    assert_rows(t, "{\"(,,)\"}");
}
END_TEST

/* ---- what can be judged ---- */

/* A table a, b, c whose policy reads b, and an image of it. */
static struct gw_catalog_table *table_reading_b(void)
{
    struct gw_catalog_table *t = fx_table(c, "public", "t", "a b c");
    gw_colset_add(&t->access[AUTHENTICATED].reads, 1);
    cell("a", "1");
    cell("b", "2");
    cell("c", NULL);
    image->is_full = true;
    return t;
}

static bool can_judge(const struct gw_catalog_table *t)
{
    return gw_question_can_judge(t, &t->access[AUTHENTICATED], &rel, image);
}

START_TEST(test_question_column_that_is_read_must_be_known)
{
    struct gw_catalog_table *t = table_reading_b();
    ck_assert(can_judge(t));
    image->cells[1].state = GW_CELL_NULL;
    ck_assert(can_judge(t));
    image->cells[1].state = GW_CELL_UNCHANGED;
    ck_assert(!can_judge(t));
    image->cells[1].state = GW_CELL_ABSENT;
    ck_assert(!can_judge(t));
}
END_TEST

START_TEST(test_question_column_that_is_not_read_does_not_matter)
{
    struct gw_catalog_table *t = table_reading_b();
    image->cells[0].state = GW_CELL_ABSENT;
    image->cells[2].state = GW_CELL_UNCHANGED;
    image->is_full = false;
    ck_assert(can_judge(t));
}
END_TEST

START_TEST(test_question_renamed_column_cannot_be_judged)
{
    struct gw_catalog_table *t = table_reading_b();
    relation_columns[1].name = GW_SPAN_LIT("formerly_b");
    ck_assert(!can_judge(t));
}
END_TEST

START_TEST(test_question_retyped_column_cannot_be_judged)
{
    struct gw_catalog_table *t = table_reading_b();
    relation_columns[1].type_oid = 25;
    ck_assert(!can_judge(t));
}
END_TEST

START_TEST(test_question_generated_column_needs_the_full_row)
{
    struct gw_catalog_table *t = table_reading_b();
    t->columns[1].generation = GW_SPAN_LIT("a");
    relation_columns[1].name = GW_SPAN_LIT("dropped");
    ck_assert(can_judge(t));
    image->is_full = false;
    ck_assert(!can_judge(t));
    image->is_full = true;
    relation_columns[2].name = GW_SPAN_LIT("renamed"); /* c is missing */
    ck_assert(!can_judge(t));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("question");
    TCase *tc = tcase_create("question");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_question_one_policy_is_evaluated_over_the_rows);
    tcase_add_test(tc, test_question_permissive_are_ored_restrictive_anded);
    tcase_add_test(tc, test_question_without_permissive_policy_is_not_written);
    tcase_add_test(tc, test_question_alias_is_quoted);
    tcase_add_test(tc, test_question_generated_column_that_is_read_is_computed);
    tcase_add_test(tc, test_question_generated_column_that_is_not_read_costs_nothing);
    tcase_add_loop_test(tc, test_question_row_value_is_quoted_twice, 0,
                        (int)(sizeof VALUES / sizeof *VALUES));
    tcase_add_test(tc, test_question_rows_are_separated);
    tcase_add_test(tc, test_question_no_rows_are_an_empty_array);
    tcase_add_test(tc, test_question_columns_map_by_name);
    tcase_add_test(tc, test_question_what_the_image_lacks_is_null);
    tcase_add_test(tc, test_question_column_that_is_read_must_be_known);
    tcase_add_test(tc, test_question_column_that_is_not_read_does_not_matter);
    tcase_add_test(tc, test_question_renamed_column_cannot_be_judged);
    tcase_add_test(tc, test_question_retyped_column_cannot_be_judged);
    tcase_add_test(tc, test_question_generated_column_needs_the_full_row);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
