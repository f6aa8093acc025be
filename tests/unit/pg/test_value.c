/* value: vectors taken from a real server (text form and to_jsonb of the same value), hostile text,
 * depth, and equality. Outputs here have no blanks, as the wire has none. */
#include "gw/value.h"

#include "gw/json.h"

#include <check.h>
#include <stdlib.h>

enum {
    MOOD = 90001, /* enum */
    ADDR,         /* (street text, zip int4, geo point) */
    ADDR_ARRAY,   /* addr[] */
    PERSON,       /* (name text, tags text[], home addr, homes addr[], extra jsonb) */
    PERSON_ARRAY, /* person[] */
    ONE,          /* (v text) */
    NONE,         /* () */
    D_INT,        /* domain over int4 */
    D_D_INT,      /* domain over that */
    D_PERSON,     /* domain over person */
    D_INTS,       /* domain over int4[] */
    D_INTS_ARRAY, /* array of that */
    D_LOOP,       /* domain over itself */
    LOOP,         /* (a loop): holds itself */
    LOOP_ARRAY,   /* array of itself */
    D_STAMPS,     /* domain over timestamptz */
};

static struct gw_types types;
static struct gw_buf out;

static void add(uint32_t oid, enum gw_type_kind kind, uint32_t inner)
{
    gw_types_add(&types, &(struct gw_type){.oid = oid,
                                           .kind = kind,
                                           .name = GW_SPAN_LIT("t"),
                                           .inner_oid = inner,
                                           .delimiter = ','});
}

static void add_composite(uint32_t oid, struct gw_type_field *fields, uint16_t n)
{
    gw_types_add(&types, &(struct gw_type){.oid = oid,
                                           .kind = GW_TYPE_COMPOSITE,
                                           .name = GW_SPAN_LIT("t"),
                                           .n_fields = n,
                                           .fields = fields});
}

static void setup(void)
{
    struct gw_type_field addr[] = {
        {GW_SPAN_LIT("street"), 25}, {GW_SPAN_LIT("zip"), 23}, {GW_SPAN_LIT("geo"), 600}};
    struct gw_type_field person[] = {{GW_SPAN_LIT("name"), 25},
                                     {GW_SPAN_LIT("tags"), 1009},
                                     {GW_SPAN_LIT("home"), ADDR},
                                     {GW_SPAN_LIT("homes"), ADDR_ARRAY},
                                     {GW_SPAN_LIT("extra"), 3802}};
    struct gw_type_field one[] = {{GW_SPAN_LIT("v\"1"), 25}};
    struct gw_type_field loop[] = {{GW_SPAN_LIT("a"), LOOP}};
    gw_types_init(&types);
    gw_buf_init(&out, 0);
    add(MOOD, GW_TYPE_TEXT, 0);
    add_composite(ADDR, addr, 3);
    add(ADDR_ARRAY, GW_TYPE_ARRAY, ADDR);
    add_composite(PERSON, person, 5);
    add(PERSON_ARRAY, GW_TYPE_ARRAY, PERSON);
    add_composite(ONE, one, 1);
    add_composite(NONE, NULL, 0);
    add(D_INT, GW_TYPE_DOMAIN, 23);
    add(D_D_INT, GW_TYPE_DOMAIN, D_INT);
    add(D_PERSON, GW_TYPE_DOMAIN, PERSON);
    add(D_INTS, GW_TYPE_DOMAIN, 1007);
    add(D_INTS_ARRAY, GW_TYPE_ARRAY, D_INTS);
    add(D_LOOP, GW_TYPE_DOMAIN, D_LOOP);
    add_composite(LOOP, loop, 1);
    add(LOOP_ARRAY, GW_TYPE_ARRAY, LOOP_ARRAY);
    add(D_STAMPS, GW_TYPE_DOMAIN, 1184);
}

static void teardown(void)
{
    gw_types_fini(&types);
    gw_buf_fini(&out);
}

static const char *json(uint32_t oid, struct gw_span text)
{
    gw_buf_reset(&out);
    gw_value_add_json(&out, &types, oid, text);
    ck_assert_msg(gw_json_is_valid(gw_buf_span(&out)), "invalid: %s", gw_buf_cstr(&out));
    return gw_buf_cstr(&out);
}

struct vector {
    uint32_t oid;
    const char *text, *json;
};

static void check_all(const struct vector *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_str_eq(json(v[i].oid, gw_span_of(v[i].text)), v[i].json);
}

#define CHECK_ALL(v) check_all(v, sizeof(v) / sizeof *(v))

START_TEST(test_value_numbers_keep_all_digits)
{
    static const struct vector v[] = {
        {21, "-32768", "-32768"},
        {23, "0", "0"},
        {20, "9223372036854775807", "9223372036854775807"},
        {1700, "123456789012345678901234567890.1230", "123456789012345678901234567890.1230"},
        {1700, "-0.00001", "-0.00001"},
        {1700, "1.50", "1.50"},
        {1700, "NaN", "\"NaN\""},
        {1700, "Infinity", "\"Infinity\""},
        {1700, "-Infinity", "\"-Infinity\""},
        {26, "4294967295", "\"4294967295\""}, /* oid is no number to to_jsonb */
    };
    CHECK_ALL(v);
}
END_TEST

START_TEST(test_value_floats_are_printed_without_exponent)
{
    static const struct vector v[] = {
        {701, "1e+20", "100000000000000000000"},
        {701, "1.5e-07", "0.00000015"},
        {700, "3.4e+38", "340000000000000000000000000000000000000"},
        {701, "-1.7976931348623157e+15", "-1797693134862315.7"},
        {701, "1.25e+01", "12.5"},
        {701, "123456.789", "123456.789"},
        {701, "-0", "0"},
        {701, "0", "0"},
        {701, "NaN", "\"NaN\""},
        {700, "-Infinity", "\"-Infinity\""},
    };
    CHECK_ALL(v);
    ck_assert_uint_eq(strlen(json(701, GW_SPAN_LIT("1.7976931348623157e+308"))), 309);
    ck_assert_uint_eq(strlen(json(701, GW_SPAN_LIT("5e-324"))), 326);
}
END_TEST

START_TEST(test_value_hostile_floats_stay_bounded)
{
    static const struct vector v[] = {
        {701, "1e999999999999999999", "1e999999999999999999"},
        {701, "0e5", "0e5"},
        {701, "00e5", "\"00e5\""},
        {701, "1e", "\"1e\""},
        {701, "e", "\"e\""},
        {701, "", "\"\""},
        {701, "11111111111111111111111111111111111111e5",
         "11111111111111111111111111111111111111e5"},
    };
    CHECK_ALL(v);
}
END_TEST

START_TEST(test_value_bool)
{
    static const struct vector v[] = {
        {16, "t", "true"}, {16, "f", "false"}, {16, "maybe", "\"maybe\""}, {16, "", "\"\""}};
    CHECK_ALL(v);
}
END_TEST

START_TEST(test_value_dates_and_times)
{
    static const struct vector v[] = {
        {1082, "2026-11-20", "\"2026-11-20\""},
        {1082, "0044-03-15 BC", "\"0044-03-15 BC\""},
        {1082, "infinity", "\"infinity\""},
        {1114, "2026-11-20 09:15:02.417", "\"2026-11-20T09:15:02.417\""},
        {1114, "0044-03-15 01:02:03 BC", "\"0044-03-15T01:02:03 BC\""},
        {1114, "-infinity", "\"-infinity\""},
        {1184, "2026-11-20 09:15:02.417+00", "\"2026-11-20T09:15:02.417+00:00\""},
        {1184, "2026-11-20 14:45:02+05:30", "\"2026-11-20T14:45:02+05:30\""},
        {1184, "0044-03-15 01:02:03+00 BC", "\"0044-03-15T01:02:03+00:00 BC\""},
        {1184, "294276-12-31 23:59:59.999999+00", "\"294276-12-31T23:59:59.999999+00:00\""},
        {1184, "infinity", "\"infinity\""},
        {1083, "09:15:02.417", "\"09:15:02.417\""},
        {1266, "09:15:02+00", "\"09:15:02+00\""},
        {1186, "1 year 2 mons -3 days +04:05:06.7", "\"1 year 2 mons -3 days +04:05:06.7\""},
        {1184, "", "\"\""},
        {1184, " ", "\" \""},
        {1184, "x 1", "\"x 1\""},
    };
    CHECK_ALL(v);
}
END_TEST

START_TEST(test_value_strings)
{
    static const struct vector v[] = {
        {25, "", "\"\""},
        {25, "a\"b\\c\n", "\"a\\\"b\\\\c\\n\""},
        {1043, "\xc3\xa9", "\"\xc3\xa9\""},
        {1042, "ab   ", "\"ab   \""},
        {17, "\\x0102", "\"\\\\x0102\""},
        {2950, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\""},
        {790, "-$1,234.56", "\"-$1,234.56\""},
        {3904, "[1,5)", "\"[1,5)\""},
        {600, "(1.5,-2)", "\"(1.5,-2)\""},
        {22, "1 2", "\"1 2\""},
        {MOOD, "ok \"q\"", "\"ok \\\"q\\\"\""},
        {4000000000u, "{1,2}", "\"{1,2}\""}, /* unknown */
        {0, "1", "\"1\""},
    };
    CHECK_ALL(v);
}
END_TEST

START_TEST(test_value_json_is_embedded_when_valid)
{
    static const struct vector v[] = {
        {3802, "{\"a\": [1, null]}", "{\"a\": [1, null]}"},
        {114, "[\n 1\n]", "[\n 1\n]"},
        {3802, "1e400", "1e400"},
        {3802, "null", "null"},
        {114, "{\"a\":", "\"{\\\"a\\\":\""},
        {114, "1 , 2", "\"1 , 2\""},
        {114, "", "\"\""},
    };
    CHECK_ALL(v);
}
END_TEST

START_TEST(test_value_arrays)
{
    static const struct vector v[] = {
        {1007, "{}", "[]"},
        {1007, "{1,NULL,-3}", "[1,null,-3]"},
        {1007, "[0:1]={1,2}", "[1,2]"},
        {1009, "[-1:0][5:6]={{1,2},{3,NULL}}", "[[\"1\",\"2\"],[\"3\",null]]"},
        {1007, "{{{1},{2}}}", "[[[1],[2]]]"},
        {1009, "{a,\"NULL\",NULL,\"\",\" \",\"a,b\",\"{x}\"}",
         "[\"a\",\"NULL\",null,\"\",\" \",\"a,b\",\"{x}\"]"},
        {1009, "{\"a\\\"b\",\"a\\\\b\",\"\\\"\",\"\\\\\\\"\"}",
         "[\"a\\\"b\",\"a\\\\b\",\"\\\"\",\"\\\\\\\"\"]"},
        {1009, "{(x)}", "[\"(x)\"]"},
        {1000, "{t,f,NULL}", "[true,false,null]"},
        {1231, "{1.50,NaN}", "[1.50,\"NaN\"]"},
        {1022, "{1e+20,-0}", "[100000000000000000000,0]"},
        {1185, "{\"2026-11-20 09:15:02+00\",infinity}",
         "[\"2026-11-20T09:15:02+00:00\",\"infinity\"]"},
        {3807, "{\"{\\\"a\\\": [1]}\",null,\"null\",2}", "[{\"a\": [1]},null,null,2]"},
        {1020, "{(1,1),(0,0);(2,2),(1,1)}", "[\"(1,1),(0,0)\",\"(2,2),(1,1)\"]"},
        {1017, "{\"(1,2)\"}", "[\"(1,2)\"]"},
        {3905, "{\"[1,5)\",empty}", "[\"[1,5)\",\"empty\"]"},
        {1001, "{\"\\\\x00ff\"}", "[\"\\\\x00ff\"]"},
        {1003, "{pg_class}", "[\"pg_class\"]"},
    };
    CHECK_ALL(v);
}
END_TEST

START_TEST(test_value_malformed_arrays_become_strings)
{
    static const char *const bad[] = {
        "",
        "{",
        "}",
        "{1",
        "{1,",
        "{1,}",
        "{,1}",
        "{1}}",
        "{{1}",
        "{1}x",
        "1",
        "{\"1}",
        "{\"1\\",
        "{\"1\"x}",
        "{1\"2\"}",
        "{1{2}}",
        "[0:1]",
        "[0:1]=",
        "[",
        "[0:1={1}",
        "{1}{2}",
        "{1},{2}",
        "[0:1]={",
        "{a\\b}",
        "{{1}{2}}",
        "{\"a\"\"b\"}",
        "{{{{{{{1}}}}}}}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json(1009, gw_span_of(bad[i]));
        struct gw_buf want = {0};
        gw_json_add_string(&want, gw_span_of(bad[i]));
        ck_assert_str_eq(gw_buf_cstr(&out), gw_buf_cstr(&want));
        gw_buf_fini(&want);
    }
}
END_TEST

START_TEST(test_value_composites)
{
    static const struct vector v[] = {
        {ADDR, "(\"a \"\"b\"\" \\\\c\",12,\"(1,2)\")",
         "{\"street\":\"a \\\"b\\\" \\\\c\",\"zip\":12,\"geo\":\"(1,2)\"}"},
        {ADDR, "(,,)", "{\"street\":null,\"zip\":null,\"geo\":null}"},
        {ADDR, "(\"\",-9,)", "{\"street\":\"\",\"zip\":-9,\"geo\":null}"},
        {ADDR, "(NULL,0,)", "{\"street\":\"NULL\",\"zip\":0,\"geo\":null}"},
        {ADDR, "({x},0,)", "{\"street\":\"{x}\",\"zip\":0,\"geo\":null}"},
        {ONE, "()", "{\"v\\\"1\":null}"},
        {ONE, "(\"\"\"\")", "{\"v\\\"1\":\"\\\"\"}"},
        {ONE, "(\"\\\\\"\"\")", "{\"v\\\"1\":\"\\\\\\\"\"}"},
        {NONE, "()", "{}"},
    };
    CHECK_ALL(v);
}
END_TEST

START_TEST(test_value_composites_and_arrays_nest)
{
    static const struct vector v[] = {
        {PERSON,
         "(Zo\xc3\xab,\"{a,\"\"b c\"\",NULL}\",\"(s,1,\"\"(1,2)\"\")\","
         "\"{\"\"(\\\\\"\"t u\\\\\"\",2,)\"\",NULL}\",\"{\"\"k\"\": \"\"v\"\"}\")",
         "{\"name\":\"Zo\xc3\xab\",\"tags\":[\"a\",\"b c\",null],"
         "\"home\":{\"street\":\"s\",\"zip\":1,\"geo\":\"(1,2)\"},"
         "\"homes\":[{\"street\":\"t u\",\"zip\":2,\"geo\":null},null],\"extra\":{\"k\": \"v\"}}"},
        {D_PERSON, "(,,,,)",
         "{\"name\":null,\"tags\":null,\"home\":null,\"homes\":null,\"extra\":null}"},
        {PERSON_ARRAY, "{\"(,{},,{},1)\",NULL}",
         "[{\"name\":null,\"tags\":[],\"home\":null,\"homes\":[],\"extra\":1},null]"},
        {D_INTS_ARRAY, "[2:3]={\"{1,2}\",\"[0:0]={3}\"}", "[[1,2],[3]]"},
    };
    CHECK_ALL(v);
}
END_TEST

START_TEST(test_value_malformed_composites_become_strings)
{
    static const char *const bad[] = {
        "",         "(",           ")",         "(a",     "(a,1",     "(a,1,",
        "(a,1)",    "(a,1,,)",     "(a,1,)x",   "a,1,",   "((a),1,)", "(a\"b\",1,)",
        "(\"a,1,)", "(\"a\"b,1,)", "(a\\b,1,)", "(\"a\\",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json(ADDR, gw_span_of(bad[i]));
        struct gw_buf want = {0};
        gw_json_add_string(&want, gw_span_of(bad[i]));
        ck_assert_str_eq(gw_buf_cstr(&out), gw_buf_cstr(&want));
        gw_buf_fini(&want);
    }
}
END_TEST

START_TEST(test_value_only_the_broken_part_becomes_a_string)
{
    ck_assert_str_eq(json(ADDR_ARRAY, GW_SPAN_LIT("{\"(a,1,)\",\"(a\"}")),
                     "[{\"street\":\"a\",\"zip\":1,\"geo\":null},\"(a\"]");
    ck_assert_str_eq(json(1007, GW_SPAN_LIT("{1,x}")), "[1,\"x\"]");
}
END_TEST

START_TEST(test_value_domains_follow_their_base)
{
    static const struct vector v[] = {
        {D_INT, "5", "5"},
        {D_D_INT, "5", "5"},
        {D_INTS, "{1,2}", "[1,2]"},
        {D_STAMPS, "2026-11-20 09:15:02+00", "\"2026-11-20T09:15:02+00:00\""},
        {D_LOOP, "5", "\"5\""},
    };
    CHECK_ALL(v);
}
END_TEST

/* Composites one inside the other; each level quotes the one below, as record_out does. Ends early
 * when the text is large. Returned owned. */
static char *nested_composite(unsigned depth)
{
    struct gw_buf text = {0};
    gw_buf_add_str(&text, "()");
    for (unsigned i = 1; i < depth && text.n < 200000; i++) {
        struct gw_buf outer = {0};
        gw_buf_add_str(&outer, "(\"");
        for (size_t k = 0; k < text.n; k++) {
            if (text.p[k] == '"' || text.p[k] == '\\')
                gw_buf_add_byte(&outer, text.p[k]);
            gw_buf_add_byte(&outer, text.p[k]);
        }
        gw_buf_add_str(&outer, "\")");
        gw_buf_fini(&text);
        text = outer;
    }
    gw_buf_cstr(&text);
    return text.p;
}

START_TEST(test_value_nesting_is_followed)
{
    char *text = nested_composite(5);
    ck_assert_str_eq(json(LOOP, gw_span_of(text)), "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":null}}}}}");
    free(text);
}
END_TEST

/* Every level doubles the quotes of the one below: text that reaches GW_VALUE_MAX_DEPTH would have
 * more than 2^32 bytes. What can be tested is that the largest text that fits comes out whole. */
START_TEST(test_value_deepest_practical_nesting)
{
    char *text = nested_composite(64);
    json(LOOP, gw_span_of(text));
    size_t depth = 0;
    for (const char *p = gw_buf_cstr(&out); (p = strstr(p, "{\"a\":")); p++)
        depth++;
    ck_assert_uint_gt(depth, 12);
    ck_assert_uint_le(depth, GW_VALUE_MAX_DEPTH);
    free(text);
}
END_TEST

START_TEST(test_value_cap_of_output_is_respected)
{
    struct gw_buf small;
    gw_buf_init(&small, 8);
    gw_value_add_json(&small, &types, 1007, GW_SPAN_LIT("{1,2,3,4,5,6,7,8,9}"));
    ck_assert(small.overflow);
    ck_assert_uint_le(small.n, 8);
    gw_buf_fini(&small);
}
END_TEST

START_TEST(test_value_appends_behind_what_is_there)
{
    gw_buf_reset(&out);
    gw_buf_add_str(&out, "x");
    gw_value_add_json(&out, &types, 1007, GW_SPAN_LIT("{1,"));
    ck_assert_str_eq(gw_buf_cstr(&out), "x\"{1,\"");
}
END_TEST

START_TEST(test_value_text_equals)
{
    static const struct {
        uint32_t oid;
        const char *a, *b;
        bool want;
    } v[] = {
        {1700, "1.0", "1.00", true},
        {1700, "100", "1", false},
        {1700, "10", "1.0", false},
        {1700, "0", "0.00", true},
        {1700, "-1.50", "-1.5", true},
        {1700, "1.5", "-1.5", false},
        {1700, "NaN", "NaN", true},
        {1700, "NaN", "Infinity", false},
        {701, "-0", "0", true},
        {700, "-0", "0", true},
        {701, "1e+20", "1e+20", true},
        {701, "1e+20", "1e+200", false},
        {1042, "a  ", "a", true},
        {1042, " a", "a", false},
        {1042, "   ", "", true},
        {25, "a ", "a", false},
        {25, "A", "a", false},
        {16, "t", "t", true},
        {16, "t", "f", false},
        {20, "1", "1", true},
        {20, "1", "-1", false},
        {1184, "2026-01-01 00:00:00+00", "2026-01-01 00:00:00.1+00", false},
        {2950, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
         true},
        {17, "\\x00", "\\x", false},
        {D_D_INT, "5", "5", true},
        {MOOD, "sad", "sad", true},
        {4000000000u, "a", "a", true},
        {4000000000u, "1.0", "1.00", false},
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct gw_span a = gw_span_of(v[i].a), b = gw_span_of(v[i].b);
        ck_assert_msg(gw_value_text_equals(&types, v[i].oid, a, b) == v[i].want, "%s = %s", v[i].a,
                      v[i].b);
        ck_assert_msg(gw_value_text_equals(&types, v[i].oid, b, a) == v[i].want, "%s = %s", v[i].b,
                      v[i].a);
    }
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("value");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_value_numbers_keep_all_digits);
    tcase_add_test(tc, test_value_floats_are_printed_without_exponent);
    tcase_add_test(tc, test_value_hostile_floats_stay_bounded);
    tcase_add_test(tc, test_value_bool);
    tcase_add_test(tc, test_value_dates_and_times);
    tcase_add_test(tc, test_value_strings);
    tcase_add_test(tc, test_value_json_is_embedded_when_valid);
    tcase_add_test(tc, test_value_arrays);
    tcase_add_test(tc, test_value_malformed_arrays_become_strings);
    tcase_add_test(tc, test_value_composites);
    tcase_add_test(tc, test_value_composites_and_arrays_nest);
    tcase_add_test(tc, test_value_malformed_composites_become_strings);
    tcase_add_test(tc, test_value_only_the_broken_part_becomes_a_string);
    tcase_add_test(tc, test_value_domains_follow_their_base);
    tcase_add_test(tc, test_value_nesting_is_followed);
    tcase_add_test(tc, test_value_deepest_practical_nesting);
    tcase_add_test(tc, test_value_cap_of_output_is_respected);
    tcase_add_test(tc, test_value_appends_behind_what_is_there);
    tcase_add_test(tc, test_value_text_equals);
    Suite *s = suite_create("value");
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
