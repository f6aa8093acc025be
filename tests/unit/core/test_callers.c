/* The registry of callers against plain enumeration: whatever a formula says, whichever way the
 * registry finds those it admits, they are the ones for whom gw_formula_admits says so and none of
 * whose facts is in trouble. Facts here have no native form, so the test says what each is. */
#include "gw/callers.h"

#include <assert.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { FACTS = 5, SETS_FROM = 3, CALLERS_MAX = 60, VALUES = 6, ROLES = 2 };

static struct gw_fact_def defs[FACTS];
static struct gw_rules rules, other_rules; /* never freed: their counts do not fall to zero */
static struct gw_callers *callers;
static struct gw_plan plan;
static uint32_t all_facts[FACTS] = {0, 1, 2, 3, 4};
static struct gw_claims *claims_of[CALLERS_MAX + 1]; /* by id; NULL: not registered */
static uint64_t random_state;

static uint32_t pick(uint32_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % n;
}

static struct gw_key key_of(uint32_t value)
{
    char text[16];
    snprintf(text, sizeof text, "v%u", value);
    return gw_datum_of(GW_KIND_TEXT, gw_span_of(text)).key;
}

static void setup(void)
{
    for (int i = 0; i < FACTS; i++)
        defs[i] = (struct gw_fact_def){.sql = GW_SPAN_LIT("a fact"),
                                       .kind = GW_KIND_TEXT,
                                       .type_oid = 25,
                                       .is_set = i >= SETS_FROM};
    rules = (struct gw_rules){.refs = 1000000, .n_facts = FACTS, .facts = defs};
    other_rules = (struct gw_rules){.refs = 1000000, .n_facts = 2, .facts = defs};
    plan = (struct gw_plan){.n_facts = FACTS, .facts = all_facts};
    callers = gw_callers_new(NULL, 0);
    gw_callers_set_rules(callers, &rules);
}

static void teardown(void)
{
    gw_callers_free(callers);
    for (int i = 0; i <= CALLERS_MAX; i++) {
        gw_claims_unref(claims_of[i]);
        claims_of[i] = NULL;
    }
}

/* ---- callers ---- */

static void add(uint32_t id, unsigned role)
{
    char json[32];
    snprintf(json, sizeof json, "{\"sub\":\"%u\"}", id);
    claims_of[id] = gw_claims_new((uint16_t)role, GW_SPAN_LIT("r"), GW_SPAN_LIT("s"), INT64_MAX,
                                  gw_span_of(json));
    struct gw_caller caller = {.id = id, .claims = claims_of[id]};
    gw_callers_add(callers, &caller);
}

static void drop(uint32_t id)
{
    gw_callers_drop(callers, id);
    gw_claims_unref(claims_of[id]);
    claims_of[id] = NULL;
}

/* text NULL: the state alone. */
static void set_fact(uint32_t id, uint32_t fact, enum gw_datum_state state, const char *text)
{
    struct gw_datum d = {.state = state, .kind = GW_KIND_OPAQUE, .text = gw_span_of(text)};
    gw_callers_answer(callers, id, fact, &d);
}

static void set_value(uint32_t id, uint32_t fact, uint32_t value)
{
    char text[32];
    snprintf(text, sizeof text, fact >= SETS_FROM ? "{v%u}" : "v%u", value);
    set_fact(id, fact, GW_DATUM_VALUE, text);
}

/* A set of up to three elements, perhaps with a NULL among them. */
static void set_random_set(uint32_t id, uint32_t fact)
{
    char text[64];
    int n = snprintf(text, sizeof text, "{");
    for (uint32_t k = pick(4); k > 0; k--)
        n += snprintf(text + n, sizeof text - (size_t)n, "%sv%u", n > 1 ? "," : "", pick(VALUES));
    if (pick(6) == 0)
        n += snprintf(text + n, sizeof text - (size_t)n, "%sNULL", n > 1 ? "," : "");
    snprintf(text + n, sizeof text - (size_t)n, "}");
    set_fact(id, fact, GW_DATUM_VALUE, text);
}

static void set_random_fact(uint32_t id, uint32_t fact)
{
    uint32_t what = pick(20);
    if (what == 0)
        set_fact(id, fact, GW_DATUM_ERROR, NULL);
    else if (what == 1)
        set_fact(id, fact, GW_DATUM_UNKNOWN, NULL);
    else if (what < 5)
        set_fact(id, fact, GW_DATUM_NULL, NULL);
    else if (fact >= SETS_FROM)
        set_random_set(id, fact);
    else
        set_value(id, fact, pick(VALUES));
}

static void add_random(uint32_t id)
{
    add(id, pick(ROLES));
    for (uint32_t fact = 0; fact < FACTS; fact++)
        set_random_fact(id, fact);
}

/* ---- formulas ---- */

static struct gw_formula *is(uint32_t fact, uint32_t n, const uint32_t *values)
{
    struct gw_key keys[VALUES];
    for (uint32_t i = 0; i < n; i++)
        keys[i] = key_of(values[i]);
    return gw_formula_is(fact, fact >= SETS_FROM, keys, n);
}

static struct gw_formula *is_one(uint32_t fact, uint32_t value)
{
    return is(fact, 1, &value);
}

static struct gw_formula *random_atom(void)
{
    uint32_t values[VALUES], n = pick(VALUES), fact = pick(FACTS);
    for (uint32_t i = 0; i < n; i++)
        values[i] = pick(VALUES);
    switch (pick(8)) {
    case 0:
        return gw_formula_known(fact);
    case 1:
        return gw_formula_not(gw_formula_known(fact));
    case 2:
        return gw_formula_not(is(fact, n, values));
    case 3:
        return pick(2) ? gw_formula_all() : gw_formula_none();
    default:
        return is(fact, n, values);
    }
}

static struct gw_formula *random_formula(int depth)
{
    if (depth == 0 || pick(3) == 0)
        return random_atom();
    struct gw_formula *a = random_formula(depth - 1);
    switch (pick(3)) {
    case 0:
        return gw_formula_not(a);
    case 1:
        return gw_formula_and(a, random_formula(depth - 1));
    default:
        return gw_formula_or(a, random_formula(depth - 1));
    }
}

/* ---- the expectation ---- */

static bool is_in_trouble(uint32_t id)
{
    const struct gw_fact *facts = gw_callers_facts(callers, id);
    for (uint32_t i = 0; i < plan.n_facts; i++) {
        enum gw_datum_state state = facts[plan.facts[i]].state;
        if (state == GW_DATUM_ERROR || state == GW_DATUM_UNKNOWN)
            return true;
    }
    return false;
}

static bool should_admit(uint32_t id, const struct gw_formula *f)
{
    return claims_of[id] && claims_of[id]->role_id == plan.role_id && !is_in_trouble(id) &&
           gw_formula_admits(f, gw_callers_facts(callers, id), FACTS);
}

static bool is_found(const struct gw_callers_found *found, uint32_t id)
{
    bool is_listed = false;
    for (uint32_t i = 0; i < found->n; i++)
        is_listed |= found->ids[i] == id;
    switch (found->kind) {
    case GW_PRINCIPALS_EVERYONE:
        return true;
    case GW_PRINCIPALS_INCLUDE:
        return is_listed;
    case GW_PRINCIPALS_EXCLUDE:
        return !is_listed;
    }
    return false;
}

/* Of the plan's role; others are not asked about, but never stand in an INCLUDE set. */
static void ck_find(const struct gw_formula *f)
{
    struct gw_callers_found found;
    gw_callers_find(callers, &plan, f, &found);
    for (uint32_t i = 1; i < found.n; i++)
        ck_assert_uint_lt(found.ids[i - 1], found.ids[i]);
    for (uint32_t id = 1; id <= CALLERS_MAX; id++) {
        if (!claims_of[id])
            continue;
        bool expected = should_admit(id, f);
        if (claims_of[id]->role_id == plan.role_id)
            ck_assert_int_eq(is_found(&found, id), expected);
        else if (found.kind == GW_PRINCIPALS_INCLUDE)
            ck_assert(!is_found(&found, id));
        ck_assert_int_eq(gw_callers_admits(callers, &plan, f, claims_of[id], id), expected);
    }
}

static struct gw_callers_found find(struct gw_formula *f) /* takes f */
{
    struct gw_callers_found found;
    ck_find(f);
    gw_callers_find(callers, &plan, f, &found);
    gw_formula_unref(f);
    return found;
}

/* ---- cases ---- */

START_TEST(test_callers_find_random_formulas_as_enumeration_does)
{
    random_state = (uint64_t)_i + 1;
    for (uint32_t id = 1; id <= CALLERS_MAX; id++)
        add_random(id);
    for (int round = 0; round < 300; round++) {
        uint32_t id = 1 + pick(CALLERS_MAX);
        plan.role_id = (uint16_t)pick(ROLES);
        struct gw_formula *f = random_formula(4);
        ck_find(f);
        gw_formula_unref(f);
        if (!claims_of[id])
            add_random(id);
        else if (pick(2))
            drop(id);
        else
            set_random_fact(id, pick(FACTS));
    }
}
END_TEST

START_TEST(test_callers_index_is_empty_when_all_are_gone)
{
    struct gw_callers_stats stats;
    const struct gw_callers_need *needs;
    random_state = 77;
    for (uint32_t id = 1; id <= CALLERS_MAX; id++)
        add_random(id);
    for (uint32_t id = CALLERS_MAX; id >= 1; id--)
        drop(id);
    gw_callers_drop(callers, 5); /* not there any more */
    gw_callers_stats(callers, &stats);
    ck_assert_uint_eq(stats.callers, 0);
    ck_assert_uint_eq(stats.index_entries, 0);
    ck_assert_uint_eq(stats.unknown_facts, 0);
    ck_assert_uint_eq(stats.error_facts, 0);
    ck_assert_uint_eq(gw_callers_needs(callers, &needs), 0);
}
END_TEST

/* Everyone's facts are values: facts 0, 1, 2 are v0, and v(id % VALUES) is in the sets. */
static void add_plain(uint32_t n)
{
    for (uint32_t id = 1; id <= n; id++) {
        add(id, 0);
        for (uint32_t fact = 0; fact < FACTS; fact++)
            set_value(id, fact, fact >= SETS_FROM ? id % VALUES : 0);
    }
}

START_TEST(test_callers_kinds_of_clauses)
{
    add_plain(20);
    set_value(3, 0, 5);
    struct gw_callers_found found = find(gw_formula_all());
    ck_assert_int_eq(found.kind, GW_PRINCIPALS_EVERYONE);
    found = find(gw_formula_none());
    ck_assert_int_eq(found.kind, GW_PRINCIPALS_INCLUDE);
    ck_assert_uint_eq(found.n, 0);
    found = find(is_one(0, 5));
    ck_assert_int_eq(found.kind, GW_PRINCIPALS_INCLUDE);
    ck_assert_uint_eq(found.n, 1);
    ck_assert_uint_eq(found.ids[0], 3);
    found = find(gw_formula_not(is_one(0, 5))); /* everyone but those who are blocked */
    ck_assert_int_eq(found.kind, GW_PRINCIPALS_EXCLUDE);
    ck_assert_uint_eq(found.n, 1);
    ck_assert_uint_eq(found.ids[0], 3);
    found = find(gw_formula_known(1));
    ck_assert_int_eq(found.kind, GW_PRINCIPALS_EVERYONE);
    found = find(gw_formula_not(gw_formula_known(1)));
    ck_assert_int_eq(found.kind, GW_PRINCIPALS_INCLUDE);
    ck_assert_uint_eq(found.n, 0);
}
END_TEST

START_TEST(test_callers_in_trouble_are_never_admitted)
{
    add_plain(10);
    set_fact(4, 2, GW_DATUM_ERROR, NULL);
    set_fact(6, 2, GW_DATUM_UNKNOWN, NULL);
    struct gw_callers_found found = find(gw_formula_all());
    ck_assert_int_eq(found.kind, GW_PRINCIPALS_EXCLUDE);
    ck_assert_uint_eq(found.n, 2);
    found = find(is_one(0, 0)); /* fact 0 is well, fact 2 is not: Postgres raises all the same */
    ck_assert_uint_eq(found.n, 8);
    uint32_t others[] = {0, 1};
    plan.n_facts = 2;
    plan.facts = others; /* a plan without fact 2 does not care */
    found = find(gw_formula_all());
    ck_assert_int_eq(found.kind, GW_PRINCIPALS_EVERYONE);
    plan.n_facts = FACTS;
    plan.facts = all_facts;
    struct gw_callers_stats stats;
    gw_callers_stats(callers, &stats);
    ck_assert_uint_eq(stats.error_facts, 1);
    ck_assert_uint_eq(stats.unknown_facts, 1);
}
END_TEST

START_TEST(test_callers_null_is_neither_a_value_nor_its_complement)
{
    add_plain(5);
    set_fact(2, 0, GW_DATUM_NULL, NULL);
    ck_assert_uint_eq(find(gw_formula_not(gw_formula_known(0))).n, 1);
    struct gw_formula *known_other =
        gw_formula_and(gw_formula_known(0), gw_formula_not(is_one(0, 5)));
    struct gw_callers_found found = find(known_other);
    ck_assert(!is_found(&found, 2) && is_found(&found, 3));
}
END_TEST

START_TEST(test_callers_set_facts_are_found_by_each_element)
{
    add_plain(4);
    set_fact(2, 3, GW_DATUM_VALUE, "{v1,v5}");
    set_fact(3, 3, GW_DATUM_VALUE, "{}");
    set_fact(4, 3, GW_DATUM_VALUE, "{v5,NULL}");
    struct gw_callers_found found = find(is_one(3, 5));
    ck_assert_uint_eq(found.n, 2);
    ck_assert_uint_eq(found.ids[0], 2);
    ck_assert_uint_eq(found.ids[1], 4);
    found = find(gw_formula_and(is_one(3, 1), is_one(3, 5)));
    ck_assert_uint_eq(found.n, 1);
    ck_assert_uint_eq(found.ids[0], 2);
    found = find(gw_formula_not(gw_formula_known(3))); /* the one with a NULL among its elements */
    ck_assert_uint_eq(found.n, 1);
    ck_assert_uint_eq(found.ids[0], 4);
}
END_TEST

START_TEST(test_callers_facts_without_native_form_are_needed_once)
{
    const struct gw_callers_need *needs;
    add(1, 0);
    add(2, 0);
    ck_assert_uint_eq(gw_callers_needs(callers, &needs), 2 * FACTS);
    gw_callers_drop(callers, 2);
    gw_claims_unref(claims_of[2]);
    claims_of[2] = NULL;
    ck_assert_uint_eq(gw_callers_needs(callers, &needs), FACTS);
    for (uint32_t i = 0; i < FACTS; i++)
        ck_assert_uint_eq(needs[i].caller->id, 1);
    find(gw_formula_all());
    for (uint32_t fact = 0; fact < FACTS; fact++)
        set_value(1, fact, 1);
    ck_assert_uint_eq(gw_callers_needs(callers, &needs), 0);
    set_value(2, 0, 1);     /* gone */
    set_value(1, FACTS, 1); /* of other rules */
    ck_assert_uint_eq(find(is_one(0, 1)).n, 1);
}
END_TEST

START_TEST(test_callers_new_rules_work_out_all_facts_anew)
{
    const struct gw_callers_need *needs;
    struct gw_callers_stats stats;
    add_plain(10);
    gw_callers_set_rules(callers, &rules); /* the same: nothing is forgotten */
    ck_assert_uint_eq(gw_callers_needs(callers, &needs), 0);
    gw_callers_set_rules(callers, &other_rules);
    ck_assert_uint_eq(gw_callers_needs(callers, &needs), 20);
    gw_callers_stats(callers, &stats);
    ck_assert_uint_eq(stats.index_entries, 0);
    ck_assert_uint_eq(stats.callers, 10);
    gw_callers_set_rules(callers, NULL);
    ck_assert_uint_eq(gw_callers_needs(callers, &needs), 0);
    gw_callers_set_rules(callers, &rules);
    ck_assert_uint_eq(gw_callers_needs(callers, &needs), 10 * FACTS);
}
END_TEST

/* Native: {"sub": …} of the claims. */
static struct gw_fact_expr setting = {
    .op = GW_FACT_SETTING, .kind = GW_KIND_TEXT, .text = GW_SPAN_LIT("request.jwt.claims")};
static struct gw_fact_expr path = {
    .op = GW_FACT_CONST, .kind = GW_KIND_TEXT, .text = GW_SPAN_LIT("sub")};
static struct gw_fact_expr *as_json_args[] = {&setting};
static struct gw_fact_expr as_json = {.op = GW_FACT_NATIVE,
                                      .kind = GW_KIND_OPAQUE,
                                      .fn = GW_FN_TEXT_TO_JSONB,
                                      .n_args = 1,
                                      .args = as_json_args};
static struct gw_fact_expr *sub_args[] = {&as_json, &path};
static struct gw_fact_expr sub = {.op = GW_FACT_NATIVE,
                                  .kind = GW_KIND_TEXT,
                                  .fn = GW_FN_JSON_GET_TEXT,
                                  .n_args = 2,
                                  .args = sub_args};

START_TEST(test_callers_native_facts_need_nobody_and_hold_for_strangers_too)
{
    static uint32_t first[] = {0};
    const struct gw_callers_need *needs;
    struct gw_key key = gw_datum_of(GW_KIND_TEXT, GW_SPAN_LIT("7")).key;
    defs[0].native = &sub;
    rules.n_facts = 1;
    plan.n_facts = 1;
    plan.facts = first;
    gw_callers_set_rules(callers, NULL);
    gw_callers_set_rules(callers, &rules);
    for (uint32_t id = 1; id <= 9; id++)
        add(id, 0);
    ck_assert_uint_eq(gw_callers_needs(callers, &needs), 0);
    struct gw_formula *f = gw_formula_is(0, false, &key, 1);
    struct gw_callers_found found;
    gw_callers_find(callers, &plan, f, &found);
    ck_assert_uint_eq(found.n, 1);
    ck_assert_uint_eq(found.ids[0], 7);
    ck_assert(gw_callers_admits(callers, &plan, f, claims_of[7], 0));
    ck_assert(!gw_callers_admits(callers, &plan, f, claims_of[8], 0));
    ck_assert(!gw_callers_admits(callers, &plan, f, claims_of[8], 999));
    gw_formula_unref(f);
}
END_TEST

/* Everyone shares a value ("role = authenticated"): coming and going must not look at the others.
 */
START_TEST(test_callers_many_share_one_value)
{
    enum { MANY = 50000 };
    static uint32_t first[] = {0};
    struct gw_callers_stats stats;
    rules.n_facts = 1;
    plan.n_facts = 1;
    plan.facts = first;
    gw_callers_set_rules(callers, NULL);
    gw_callers_set_rules(callers, &rules);
    struct gw_claims *claims =
        gw_claims_new(0, GW_SPAN_LIT("r"), GW_SPAN_LIT("s"), INT64_MAX, GW_SPAN_LIT("{}"));
    for (uint32_t id = 1; id <= MANY; id++) {
        struct gw_caller caller = {.id = id, .claims = claims};
        gw_callers_add(callers, &caller);
        set_value(id, 0, id == 77 ? 2 : 1);
    }
    struct gw_formula *f = is_one(0, 2);
    struct gw_callers_found found;
    gw_callers_find(callers, &plan, f, &found);
    ck_assert_uint_eq(found.n, 1);
    gw_formula_unref(f);
    for (uint32_t id = 1; id <= MANY; id++)
        gw_callers_drop(callers, id);
    gw_callers_stats(callers, &stats);
    ck_assert_uint_eq(stats.index_entries, 0);
    gw_claims_unref(claims);
}
END_TEST

/* ---- large sets, which are kept apart ---- */

enum { UNIVERSE = 400, SETS = 90 };

static struct gw_formula *random_large(void)
{
    struct gw_key keys[UNIVERSE];
    uint32_t n = 0, least = 100 + pick(200), fact = pick(FACTS);
    for (uint32_t v = 0; v < UNIVERSE; v++)
        if (n < least && pick(UNIVERSE) < least + 50)
            keys[n++] = key_of(v);
    return gw_formula_is(fact, fact >= SETS_FROM, keys, n);
}

static void change_someone(void)
{
    uint32_t id = 1 + pick(CALLERS_MAX), fact = pick(FACTS);
    if (!claims_of[id])
        add_random(id);
    else if (pick(4) == 0)
        drop(id);
    else if (pick(4) == 0)
        set_random_fact(id, fact);
    else
        set_value(id, fact, pick(UNIVERSE));
}

/* The same formulas come again while callers come, go and change; some are replaced. */
START_TEST(test_callers_large_sets_are_kept_up)
{
    static struct gw_formula *sets[SETS];
    random_state = (uint64_t)_i + 100;
    for (uint32_t i = 0; i < SETS; i++)
        sets[i] = random_large();
    for (int round = 0; round < 4000; round++) {
        uint32_t i = pick(pick(2) ? 4 : SETS);
        change_someone();
        plan.role_id = (uint16_t)pick(ROLES);
        ck_find(sets[i]);
        struct gw_formula *f = gw_formula_and(gw_formula_ref(sets[i]), random_atom());
        ck_find(f);
        f = gw_formula_or(gw_formula_not(f), gw_formula_ref(sets[pick(SETS)]));
        ck_find(f);
        gw_formula_unref(f);
        if (pick(50) == 0) {
            gw_formula_unref(sets[i]);
            sets[i] = random_large();
        }
    }
    for (uint32_t i = 0; i < SETS; i++)
        gw_formula_unref(sets[i]);
}
END_TEST

START_TEST(test_callers_large_set_is_dropped_with_the_rules)
{
    random_state = 7;
    struct gw_formula *f = random_large();
    for (uint32_t id = 1; id <= CALLERS_MAX; id++)
        add_random(id);
    ck_find(f);
    ck_find(f);
    gw_callers_set_rules(callers, &other_rules);
    gw_callers_set_rules(callers, &rules);
    for (uint32_t id = 1; id <= CALLERS_MAX; id++)
        set_random_fact(id, f->fact);
    ck_find(f);
    gw_formula_unref(f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("callers");
    TCase *tc = tcase_create("callers");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_callers_find_random_formulas_as_enumeration_does, 0, 6);
    tcase_add_test(tc, test_callers_index_is_empty_when_all_are_gone);
    tcase_add_test(tc, test_callers_kinds_of_clauses);
    tcase_add_test(tc, test_callers_in_trouble_are_never_admitted);
    tcase_add_test(tc, test_callers_null_is_neither_a_value_nor_its_complement);
    tcase_add_test(tc, test_callers_set_facts_are_found_by_each_element);
    tcase_add_test(tc, test_callers_facts_without_native_form_are_needed_once);
    tcase_add_test(tc, test_callers_new_rules_work_out_all_facts_anew);
    tcase_add_test(tc, test_callers_native_facts_need_nobody_and_hold_for_strangers_too);
    tcase_add_test(tc, test_callers_many_share_one_value);
    tcase_add_loop_test(tc, test_callers_large_sets_are_kept_up, 0, 2);
    tcase_add_test(tc, test_callers_large_set_is_dropped_with_the_rules);
    suite_add_tcase(s, tc);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
