#include "gw/filter.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { OID_INT4 = 23, OID_TEXT = 25 };

static struct gw_types types;
static struct gw_relation *rel;

static void setup(void)
{
    struct gw_pgoutput_column columns[] = {
        {.is_key = true, .name = GW_SPAN_LIT("id"), .type_oid = OID_INT4},
        {.name = GW_SPAN_LIT("title"), .type_oid = OID_TEXT},
    };
    struct gw_pgoutput_msg msg = {.kind = GW_PGOUTPUT_RELATION};
    msg.u.relation.rel_oid = 100;
    msg.u.relation.schema = GW_SPAN_LIT("public");
    msg.u.relation.name = GW_SPAN_LIT("todos");
    msg.u.relation.replica_identity = 'd';
    msg.u.relation.n_columns = 2;
    msg.u.relation.columns = columns;
    rel = gw_relation_new(&msg);
    gw_types_init(&types);
}

static void teardown(void)
{
    gw_relation_unref(rel);
    gw_types_fini(&types);
}

/* ---- parsing ---- */

START_TEST(test_filter_eq_is_cut_into_column_and_value)
{
    static const struct {
        const char *text, *column, *value;
    } cases[] = {
        {"id=eq.7", "id", "7"},
        {"title=eq.", "title", ""},
        {"title=eq.\"\"", "title", ""},
        {"title=eq.a.b=c", "title", "a.b=c"},
        {"title=eq. x ", "title", " x "},
        {"title=eq.\" x \"", "title", " x "},
        {"title=eq.\"a,b\"", "title", "a,b"},
        {"title=eq.\"a\\\"b\\\\c\\d\"", "title", "a\"b\\cd"},
        {"title=eq.\"open", "title", "\"open"},
        {"title=eq.\"open,still\\\"", "title", "\"open,still\\\""},
        {"title=eq.\"a\"b", "title", "\"a\"b"},
        {"title=eq.\"a\"\"b\"", "title", "\"a\"\"b\""},
        {"title=eq.\"", "title", "\""},
        {"title=eq.5\" tall", "title", "5\" tall"},
        {"title=eq.(a,b)", "title", "(a,b)"},
        {"title=eq.a)b", "title", "a)b"},
        {"title=eq.(a,b", "title", "(a,b"},
        {"caf\xc3\xa9=eq.\xe2\x82\xac", "caf\xc3\xa9", "\xe2\x82\xac"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gw_filter f;
        struct gw_err err = {0};
        enum gw_code code = gw_filter_parse(gw_span_of(cases[i].text), &f, &err);
        ck_assert_msg(code == GW_OK, "%s: %s", cases[i].text, err.text);
        ck_assert_str_eq(f.column, cases[i].column);
        ck_assert_str_eq(f.value, cases[i].value);
        gw_filter_fini(&f);
    }
}
END_TEST

START_TEST(test_filter_blank_is_no_filter)
{
    static const char *const cases[] = {"", " ", "\t\r\n "};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gw_filter f;
        ck_assert_int_eq(gw_filter_parse(gw_span_of(cases[i]), &f, NULL), GW_OK);
        ck_assert_ptr_null(f.column);
        ck_assert(gw_filter_matches(&f, &types, rel, NULL));
        gw_filter_fini(&f);
    }
}
END_TEST

START_TEST(test_filter_known_grammar_not_served_is_unsupported)
{
    static const char *const cases[] = {
        "id=neq.7",
        "id=lt.7",
        "id=gte.7",
        "id=in.(1,2)",
        "id=not.eq.7",
        "id=is.null",
        "title=like.a%",
        "title=imatch.a",
        "id=eq.1,x=eq.2",
        "id=isdistinct.1",
        "title=eq.5\" tall,id=gt.0",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gw_filter f;
        struct gw_err err = {0};
        char want[128];
        snprintf(want, sizeof want, "Error parsing `filter` params: [\"%s\"]", cases[i]);
        ck_assert_msg(gw_filter_parse(gw_span_of(cases[i]), &f, &err) == GW_E_UNSUPPORTED, "%s",
                      cases[i]);
        ck_assert_str_eq(err.text, want);
        ck_assert_ptr_null(f.column);
    }
}
END_TEST

START_TEST(test_filter_what_the_grammar_lacks_is_malformed)
{
    static const char *const cases[] = {"wrong",    "=eq.1",     "id=",     "id=eq", "id=EQ.1",
                                        "id=foo.1", "id=cs.{1}", "id eq.1", "id=.1"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gw_filter f;
        struct gw_err err = {0};
        char want[128];
        snprintf(want, sizeof want, "Error parsing `filter` params: [\"%s\"]", cases[i]);
        ck_assert_msg(gw_filter_parse(gw_span_of(cases[i]), &f, &err) == GW_E_MALFORMED, "%s",
                      cases[i]);
        ck_assert_str_eq(err.text, want);
    }
}
END_TEST

START_TEST(test_filter_empty_segments_are_named)
{
    static const char *const cases[] = {",id=eq.1", "id=eq.1,", "id=eq.1,,x=eq.2", ",",
                                        "id=eq.1, "};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gw_filter f;
        struct gw_err err = {0};
        ck_assert_int_eq(gw_filter_parse(gw_span_of(cases[i]), &f, &err), GW_E_MALFORMED);
        ck_assert_msg(strstr(err.text, "empty segments") != NULL, "%s", err.text);
    }
}
END_TEST

START_TEST(test_filter_with_nul_is_malformed)
{
    struct gw_filter f;
    struct gw_err err = {0};
    ck_assert_int_eq(gw_filter_parse(GW_SPAN_LIT("id=eq.1\0002"), &f, &err), GW_E_MALFORMED);
}
END_TEST

START_TEST(test_filter_long_text_is_cut_in_the_error)
{
    char text[2000];
    memset(text, 'a', sizeof text);
    struct gw_filter f;
    struct gw_err err = {0};
    ck_assert_int_eq(gw_filter_parse((struct gw_span){text, sizeof text}, &f, &err),
                     GW_E_MALFORMED);
    ck_assert_str_eq(err.text + strlen(err.text) - 3, "a\"]");
}
END_TEST

START_TEST(test_filter_copy_stands_alone)
{
    struct gw_filter f, copy, none = {0};
    ck_assert_int_eq(gw_filter_parse(GW_SPAN_LIT("id=eq.7"), &f, NULL), GW_OK);
    f.type_oid = OID_INT4;
    gw_filter_copy(&copy, &f);
    gw_filter_fini(&f);
    ck_assert_str_eq(copy.column, "id");
    ck_assert_str_eq(copy.value, "7");
    ck_assert_uint_eq(copy.type_oid, OID_INT4);
    gw_filter_fini(&copy);
    gw_filter_copy(&copy, &none);
    ck_assert_ptr_null(copy.column);
}
END_TEST

/* ---- matching ---- */

static bool matches(const char *filter, struct gw_cell id, struct gw_cell title)
{
    struct gw_filter f;
    ck_assert_int_eq(gw_filter_parse(gw_span_of(filter), &f, NULL), GW_OK);
    struct gw_image *image = gw_alloc(sizeof *image + 2 * sizeof(struct gw_cell));
    image->n = 2;
    image->cells[0] = id;
    image->cells[1] = title;
    bool result = gw_filter_matches(&f, &types, rel, image);
    gw_filter_fini(&f);
    free(image);
    return result;
}

#define VALUE(s) ((struct gw_cell){.state = GW_CELL_VALUE, .text = GW_SPAN_LIT(s)})
#define STATE(s) ((struct gw_cell){.state = (s)})

START_TEST(test_filter_equal_value_matches)
{
    ck_assert(matches("id=eq.7", VALUE("7"), VALUE("x")));
    ck_assert(matches("title=eq.x", VALUE("7"), VALUE("x")));
    ck_assert(matches("title=eq.\"\"", VALUE("7"), VALUE("")));
    ck_assert(!matches("id=eq.7", VALUE("8"), VALUE("x")));
    ck_assert(!matches("title=eq.x", VALUE("7"), VALUE("X")));
}
END_TEST

START_TEST(test_filter_null_absent_unchanged_and_unknown_never_match)
{
    ck_assert(!matches("id=eq.", STATE(GW_CELL_NULL), VALUE("x")));
    ck_assert(!matches("title=eq.", VALUE("7"), STATE(GW_CELL_ABSENT)));
    ck_assert(!matches("title=eq.", VALUE("7"), STATE(GW_CELL_UNCHANGED)));
    ck_assert(!matches("nosuch=eq.7", VALUE("7"), VALUE("7")));
}
END_TEST

START_TEST(test_filter_without_image_matches_nothing)
{
    struct gw_filter f;
    ck_assert_int_eq(gw_filter_parse(GW_SPAN_LIT("id=eq.7"), &f, NULL), GW_OK);
    ck_assert(!gw_filter_matches(&f, &types, rel, NULL));
    gw_filter_fini(&f);
}
END_TEST

START_TEST(test_filter_image_shorter_than_the_relation_matches_nothing)
{
    struct gw_filter f;
    struct gw_image *image = gw_alloc(sizeof *image + sizeof(struct gw_cell));
    image->n = 1;
    image->cells[0] = VALUE("7");
    ck_assert_int_eq(gw_filter_parse(GW_SPAN_LIT("title=eq.x"), &f, NULL), GW_OK);
    ck_assert(!gw_filter_matches(&f, &types, rel, image));
    gw_filter_fini(&f);
    free(image);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("filter");
    TCase *tc = tcase_create("filter");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_filter_eq_is_cut_into_column_and_value);
    tcase_add_test(tc, test_filter_blank_is_no_filter);
    tcase_add_test(tc, test_filter_known_grammar_not_served_is_unsupported);
    tcase_add_test(tc, test_filter_what_the_grammar_lacks_is_malformed);
    tcase_add_test(tc, test_filter_empty_segments_are_named);
    tcase_add_test(tc, test_filter_with_nul_is_malformed);
    tcase_add_test(tc, test_filter_long_text_is_cut_in_the_error);
    tcase_add_test(tc, test_filter_copy_stands_alone);
    tcase_add_test(tc, test_filter_equal_value_matches);
    tcase_add_test(tc, test_filter_null_absent_unchanged_and_unknown_never_match);
    tcase_add_test(tc, test_filter_without_image_matches_nothing);
    tcase_add_test(tc, test_filter_image_shorter_than_the_relation_matches_nothing);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
