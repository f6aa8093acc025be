/* facts: settings from claims, laziness and what planning folds, sets, what Postgres answered.
 * Random facts of random callers are compared in tests/integration/test_facts_pg.c. */
#include "gw/facts.h"

#include <check.h>
#include <stdlib.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))
#define U "00112233-4455-6677-8899-aabbccddeeff"

static struct gw_arena arena;
static struct gw_claims claims;
static const struct gw_fact_setting mapped[] = {{GW_SPAN_LIT("app.org"), GW_SPAN_LIT("org")},
                                                {GW_SPAN_LIT("app.meta"), GW_SPAN_LIT("meta")},
                                                {GW_SPAN_LIT("app.gone"), GW_SPAN_LIT("gone")},
                                                {GW_SPAN_LIT("app.org"), GW_SPAN_LIT("org2")}};
static uint32_t n_mapped = 3;

static void become(const char *sub, const char *json)
{
    claims.role = GW_SPAN_LIT("authenticated");
    claims.sub = gw_span_of(sub);
    claims.json = gw_span_of(json);
}

static void setup(void)
{
    gw_arena_init(&arena, 0);
    become(
        U,
        "{\"meta\":{\"org\":7},\"org\":\"acme\",\"org2\":\"other\",\"tags\":[\"b\",\"a\",\"b\"]}");
}

static void teardown(void)
{
    gw_arena_fini(&arena);
}

/* ---- trees ---- */

static struct gw_fact_expr *node(enum gw_fact_op op, enum gw_kind kind, struct gw_fact_expr *a,
                                 struct gw_fact_expr *b, struct gw_fact_expr *c)
{
    struct gw_fact_expr *x = gw_arena_alloc(&arena, sizeof *x);
    x->op = op;
    x->kind = kind;
    x->arg_kind = GW_KIND_TEXT;
    x->args = gw_arena_alloc(&arena, 3 * sizeof *x->args);
    x->args[0] = a;
    x->args[1] = b;
    x->args[2] = c;
    x->n_args = c ? 3 : b ? 2 : a ? 1 : 0;
    return x;
}

static struct gw_fact_expr *constant(enum gw_kind kind, const char *text)
{
    struct gw_fact_expr *x = node(GW_FACT_CONST, kind, NULL, NULL, NULL);
    x->is_null = !text;
    x->text = gw_span_of(text);
    return x;
}

static struct gw_fact_expr *text(const char *s)
{
    return constant(GW_KIND_TEXT, s);
}

static struct gw_fact_expr *setting(const char *name)
{
    struct gw_fact_expr *x = node(GW_FACT_SETTING, GW_KIND_TEXT, NULL, NULL, NULL);
    x->text = gw_span_of(name);
    return x;
}

static struct gw_fact_expr *call(enum gw_native_fn fn, struct gw_fact_expr *a,
                                 struct gw_fact_expr *b)
{
    struct gw_fact_expr *x = node(GW_FACT_NATIVE, gw_natives[fn].result, a, b, NULL);
    x->fn = fn;
    return x;
}

static struct gw_fact_expr *equal(struct gw_fact_expr *a, struct gw_fact_expr *b)
{
    return node(GW_FACT_COMPARE, GW_KIND_BOOL, a, b, NULL); /* GW_CMP_EQ */
}

static struct gw_fact_expr *both(struct gw_fact_expr *a, struct gw_fact_expr *b)
{
    return node(GW_FACT_AND, GW_KIND_BOOL, a, b, NULL);
}

static struct gw_fact_expr *either(struct gw_fact_expr *a, struct gw_fact_expr *b)
{
    return node(GW_FACT_OR, GW_KIND_BOOL, a, b, NULL);
}

static struct gw_fact_expr *uid(void)
{
    return call(
        GW_FN_TEXT_TO_UUID,
        node(GW_FACT_NULLIF, GW_KIND_TEXT, setting("request.jwt.claim.sub"), text(""), NULL), NULL);
}

/* A boolean that raises when it is evaluated. */
static struct gw_fact_expr *bang(void)
{
    return node(GW_FACT_IS_NULL, GW_KIND_BOOL,
                call(GW_FN_TEXT_TO_UUID, setting("request.jwt.claim.role"), NULL), NULL, NULL);
}

static struct gw_fact_expr *yes(void)
{
    return equal(setting("role"), text("authenticated"));
}

static struct gw_fact_expr *no(void)
{
    return equal(setting("role"), text("anon"));
}

/* ---- asking ---- */

static struct gw_fact eval(struct gw_fact_expr *x, enum gw_kind kind, bool is_set)
{
    const struct gw_fact_env env = {&claims, mapped, n_mapped};
    const struct gw_fact_def def = {.native = x, .kind = kind, .is_set = is_set};
    return gw_fact_eval(&def, &env, &arena);
}

static void expect_state(struct gw_fact_expr *x, enum gw_kind kind, enum gw_datum_state want)
{
    ck_assert_int_eq(eval(x, kind, false).state, want);
}

static void expect_value(struct gw_fact_expr *x, enum gw_kind kind, const char *want)
{
    struct gw_fact f = eval(x, kind, false);
    ck_assert_int_eq(f.state, GW_DATUM_VALUE);
    ck_assert_uint_eq(f.n, 1);
    struct gw_key key = gw_datum_of(kind, gw_span_of(want)).key;
    ck_assert_msg(gw_key_eq(f.keys[0], key), "not %s", want);
}

START_TEST(test_facts_settings_come_from_the_claims)
{
    expect_value(setting("request.jwt.claim.sub"), GW_KIND_TEXT, U);
    expect_value(setting("Request.JWT.claim.role"), GW_KIND_TEXT, "authenticated");
    expect_value(setting("role"), GW_KIND_TEXT, "authenticated");
    expect_value(setting("app.org"), GW_KIND_TEXT, "acme");
    expect_value(setting("app.meta"), GW_KIND_TEXT, "{\"org\":7}");
    expect_value(setting("app.gone"), GW_KIND_TEXT, "");
    expect_state(setting("app.unmapped"), GW_KIND_TEXT, GW_DATUM_NULL);
    expect_state(setting("search_path"), GW_KIND_TEXT, GW_DATUM_UNKNOWN);
    expect_value(node(GW_FACT_ROLE, GW_KIND_TEXT, NULL, NULL, NULL), GW_KIND_TEXT, "authenticated");
    n_mapped = 4; /* the later of two wins */
    expect_value(setting("app.org"), GW_KIND_TEXT, "other");
    n_mapped = 3;
}
END_TEST

START_TEST(test_facts_uid)
{
    expect_value(uid(), GW_KIND_UUID, U);
    become("", "{}");
    expect_state(uid(), GW_KIND_UUID, GW_DATUM_NULL);
    become("ann", "{}");
    expect_state(uid(), GW_KIND_UUID, GW_DATUM_ERROR);
}
END_TEST

START_TEST(test_facts_error_behind_a_decision_does_not_count)
{
    expect_value(either(yes(), bang()), GW_KIND_BOOL, "t");
    expect_state(either(bang(), yes()), GW_KIND_BOOL, GW_DATUM_ERROR);
    expect_value(both(no(), bang()), GW_KIND_BOOL, "f");
    expect_state(both(yes(), bang()), GW_KIND_BOOL, GW_DATUM_ERROR);
    expect_value(node(GW_FACT_CASE, GW_KIND_BOOL, yes(), no(), bang()), GW_KIND_BOOL, "f");
    expect_state(node(GW_FACT_CASE, GW_KIND_BOOL, no(), no(), bang()), GW_KIND_BOOL,
                 GW_DATUM_ERROR);
    expect_value(node(GW_FACT_COALESCE, GW_KIND_BOOL, yes(), bang(), NULL), GW_KIND_BOOL, "t");
    /* In a list all are evaluated. */
    expect_state(node(GW_FACT_IN, GW_KIND_BOOL, setting("role"), text("authenticated"),
                      call(GW_FN_TO_TEXT, call(GW_FN_TEXT_TO_UUID, setting("role"), NULL), NULL)),
                 GW_KIND_BOOL, GW_DATUM_ERROR);
}
END_TEST

START_TEST(test_facts_constants_are_folded_before)
{
    expect_value(both(bang(), constant(GW_KIND_BOOL, "f")), GW_KIND_BOOL, "f");
    expect_value(either(bang(), constant(GW_KIND_BOOL, "t")), GW_KIND_BOOL, "t");
    expect_state(equal(call(GW_FN_TO_TEXT, bang(), NULL), text(NULL)), GW_KIND_BOOL, GW_DATUM_NULL);
    /* NULL all the way up through strict functions. */
    expect_state(
        call(GW_FN_LOWER, call(GW_FN_CONCAT, call(GW_FN_TO_TEXT, bang(), NULL), text(NULL)), NULL),
        GW_KIND_TEXT, GW_DATUM_NULL);
    /* A constant that raises does so where it would never be evaluated. */
    expect_state(
        either(yes(), equal(call(GW_FN_TO_TEXT, call(GW_FN_TEXT_TO_UUID, text("x"), NULL), NULL),
                            text("y"))),
        GW_KIND_BOOL, GW_DATUM_ERROR);
    /* But not behind a constant that decides. */
    expect_value(either(constant(GW_KIND_BOOL, "t"),
                        equal(call(GW_FN_TO_TEXT, call(GW_FN_TEXT_TO_UUID, text("x"), NULL), NULL),
                              text("y"))),
                 GW_KIND_BOOL, "t");
}
END_TEST

START_TEST(test_facts_null_and_unknown)
{
    struct gw_fact_expr *null = equal(setting("app.unmapped"), text("x"));
    struct gw_fact_expr *unsure = equal(setting("lc_time"), text("x"));
    expect_state(both(null, yes()), GW_KIND_BOOL, GW_DATUM_NULL);
    expect_value(both(null, no()), GW_KIND_BOOL, "f");
    expect_value(either(null, yes()), GW_KIND_BOOL, "t");
    expect_state(either(unsure, yes()), GW_KIND_BOOL, GW_DATUM_UNKNOWN); /* it might raise */
    expect_value(either(yes(), unsure), GW_KIND_BOOL, "t");
    struct gw_fact_expr *distinct = equal(setting("app.unmapped"), text("x"));
    distinct->cmp = GW_CMP_DISTINCT;
    expect_value(distinct, GW_KIND_BOOL, "t");
    struct gw_fact_expr *is = node(GW_FACT_IS, GW_KIND_BOOL, null, NULL, NULL);
    is->test = GW_IS_UNKNOWN;
    expect_value(is, GW_KIND_BOOL, "t");
    is->test = GW_IS_FALSE;
    expect_value(is, GW_KIND_BOOL, "f");
    expect_state(node(GW_FACT_NOT, GW_KIND_BOOL, null, NULL, NULL), GW_KIND_BOOL, GW_DATUM_NULL);
}
END_TEST

START_TEST(test_facts_opaque_is_known_and_equal_to_nothing)
{
    struct gw_fact f =
        eval(call(GW_FN_TEXT_TO_JSONB, setting("request.jwt.claims"), NULL), GW_KIND_OPAQUE, false);
    ck_assert_int_eq(f.state, GW_DATUM_VALUE);
    ck_assert_uint_eq(f.n, 0);
}
END_TEST

START_TEST(test_facts_without_native_way_are_asked)
{
    expect_state(NULL, GW_KIND_TEXT, GW_DATUM_UNKNOWN);
}
END_TEST

START_TEST(test_facts_too_deep_is_asked)
{
    struct gw_fact_expr *x = yes();
    for (int i = 0; i < 1000; i++)
        x = node(GW_FACT_NOT, GW_KIND_BOOL, x, NULL, NULL);
    expect_state(x, GW_KIND_BOOL, GW_DATUM_UNKNOWN);
}
END_TEST

/* ---- sets ---- */

static struct gw_fact_expr *claim(const char *key)
{
    return call(GW_FN_JSON_GET, call(GW_FN_TEXT_TO_JSONB, setting("request.jwt.claims"), NULL),
                text(key));
}

static struct gw_fact_expr *elements(const char *key)
{
    return node(GW_FACT_ELEMENTS, GW_KIND_TEXT, claim(key), NULL, NULL);
}

static struct gw_fact_expr *each(enum gw_native_fn fn, struct gw_fact_expr *set)
{
    struct gw_fact_expr *x = node(GW_FACT_CAST_EACH, gw_natives[fn].result, set, NULL, NULL);
    x->fn = fn;
    return x;
}

START_TEST(test_facts_claim_array_is_a_set)
{
    struct gw_fact f = eval(elements("tags"), GW_KIND_TEXT, true);
    ck_assert_int_eq(f.state, GW_DATUM_VALUE);
    ck_assert_uint_eq(f.n, 2);
    ck_assert_int_lt(gw_key_compare(&f.keys[0], &f.keys[1]), 0);
    f = eval(elements("absent"), GW_KIND_TEXT, true); /* no rows */
    ck_assert(f.state == GW_DATUM_VALUE && f.n == 0 && !f.has_null);
    ck_assert_int_eq(eval(elements("meta"), GW_KIND_TEXT, true).state, GW_DATUM_ERROR);
    ck_assert_int_eq(eval(elements("org"), GW_KIND_TEXT, true).state, GW_DATUM_ERROR);
}
END_TEST

START_TEST(test_facts_each_element_is_cast)
{
    become("", "{\"ids\":[\" 7\",\"007\",null,8],\"mixed\":[1,\"x\"],\"odd\":[\"1_0\",\"x\"]}");
    struct gw_fact f = eval(each(GW_FN_TEXT_TO_INT4, elements("ids")), GW_KIND_INT, true);
    ck_assert(f.state == GW_DATUM_VALUE && f.n == 2 && f.has_null);
    ck_assert_int_eq(eval(each(GW_FN_TEXT_TO_INT4, elements("mixed")), GW_KIND_INT, true).state,
                     GW_DATUM_ERROR);
    ck_assert_int_eq(eval(each(GW_FN_TEXT_TO_INT4, elements("odd")), GW_KIND_INT, true).state,
                     GW_DATUM_UNKNOWN);
}
END_TEST

START_TEST(test_facts_array_text_is_a_set)
{
    struct gw_fact_expr *parts = call(GW_FN_STRING_TO_ARRAY, text("a,b,,a"), text(","));
    struct gw_fact f =
        eval(node(GW_FACT_ARRAY, GW_KIND_TEXT, parts, NULL, NULL), GW_KIND_TEXT, true);
    ck_assert(f.state == GW_DATUM_VALUE && f.n == 3 && !f.has_null);
    struct gw_fact_expr *null = call(GW_FN_STRING_TO_ARRAY, setting("app.unmapped"), text(","));
    f = eval(node(GW_FACT_ARRAY, GW_KIND_TEXT, null, NULL, NULL), GW_KIND_TEXT, true);
    ck_assert_int_eq(f.state, GW_DATUM_NULL);
    ck_assert_int_eq(eval(yes(), GW_KIND_TEXT, true).state, GW_DATUM_UNKNOWN); /* no set */
}
END_TEST

/* ---- what Postgres answered ---- */

static const struct {
    enum gw_kind kind;
    bool is_set;
    const char *text;
    enum gw_datum_state state;
    uint32_t n;
    bool has_null;
} ANSWERS[] = {
    {GW_KIND_BOOL, false, "true", GW_DATUM_VALUE, 1, false},
    {GW_KIND_UUID, false, U, GW_DATUM_VALUE, 1, false},
    {GW_KIND_UUID, false, "x", GW_DATUM_UNKNOWN, 0, false},
    {GW_KIND_TEXT, false, "", GW_DATUM_VALUE, 1, false},
    {GW_KIND_TEXT, false, NULL, GW_DATUM_NULL, 0, false},
    {GW_KIND_TEXT, true, NULL, GW_DATUM_NULL, 0, false},
    {GW_KIND_TEXT, true, "{}", GW_DATUM_VALUE, 0, false},
    {GW_KIND_TEXT, true, "{a,NULL,\"NULL\",\"b \\\"c\\\"\",a}", GW_DATUM_VALUE, 3, true},
    {GW_KIND_TEXT, true, "{{a,b},{c,NULL}}", GW_DATUM_VALUE, 3, true},
    {GW_KIND_UUID, true, "{" U "," U "}", GW_DATUM_VALUE, 1, false},
    {GW_KIND_INT, true, "{3,-1,2}", GW_DATUM_VALUE, 3, false},
    {GW_KIND_BOOL, true, "{t,f,t}", GW_DATUM_VALUE, 2, false},
    {GW_KIND_INT, true, "{1,x}", GW_DATUM_UNKNOWN, 0, false},
    {GW_KIND_INT, true, "[0:1]={1,2}", GW_DATUM_UNKNOWN, 0, false},
    {GW_KIND_TEXT, true, "", GW_DATUM_UNKNOWN, 0, false},
    {GW_KIND_TEXT, true, "{a", GW_DATUM_UNKNOWN, 0, false},
    {GW_KIND_TEXT, true, "{a}}", GW_DATUM_UNKNOWN, 0, false},
    {GW_KIND_TEXT, true, "{a,}", GW_DATUM_UNKNOWN, 0, false},
    {GW_KIND_TEXT, true, "{\"a", GW_DATUM_UNKNOWN, 0, false},
    {GW_KIND_TEXT, true, "{{{{{{{{{{a}}}}}}}}}}", GW_DATUM_UNKNOWN, 0, false},
};

START_TEST(test_facts_from_what_postgres_answered)
{
    const struct gw_fact_def def = {.kind = ANSWERS[_i].kind, .is_set = ANSWERS[_i].is_set};
    struct gw_fact f =
        gw_fact_from_text(&def, gw_span_of(ANSWERS[_i].text), !ANSWERS[_i].text, &arena);
    ck_assert_int_eq(f.state, ANSWERS[_i].state);
    ck_assert_uint_eq(f.n, ANSWERS[_i].n);
    ck_assert_int_eq(f.has_null, ANSWERS[_i].has_null);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("facts");
    TCase *tc = tcase_create("facts");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_facts_settings_come_from_the_claims);
    tcase_add_test(tc, test_facts_uid);
    tcase_add_test(tc, test_facts_error_behind_a_decision_does_not_count);
    tcase_add_test(tc, test_facts_constants_are_folded_before);
    tcase_add_test(tc, test_facts_null_and_unknown);
    tcase_add_test(tc, test_facts_opaque_is_known_and_equal_to_nothing);
    tcase_add_test(tc, test_facts_without_native_way_are_asked);
    tcase_add_test(tc, test_facts_too_deep_is_asked);
    tcase_add_test(tc, test_facts_claim_array_is_a_set);
    tcase_add_test(tc, test_facts_each_element_is_cast);
    tcase_add_test(tc, test_facts_array_text_is_a_set);
    tcase_add_loop_test(tc, test_facts_from_what_postgres_answered, 0, COUNT(ANSWERS));
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
