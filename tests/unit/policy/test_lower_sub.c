/* lower: sub-selects: how they become look-ups, in which order and by which keys. */
#include "lower_fixture.h"

#define MINE "(t.user_id = auth.uid())"

/* ---- IN, EXISTS ---- */

START_TEST(test_lower_in_becomes_a_look_up_by_key)
{
    lf_assert("(trip_id IN ( SELECT t.id FROM public.trips t WHERE " MINE "))",
              "solved: exists(from trips t1 by(id = t0.trip_id) where eq(t1.user_id, " F0 "))");
    lf_assert("(" UID " IN ( SELECT m.user_id FROM public.trip_collaborators m WHERE (m.trip_id = "
              "things.trip_id)))",
              "solved: exists(from trip_collaborators t1 by(trip_id = t0.trip_id) where eq(" F0
              ", t1.user_id))");
}
END_TEST

START_TEST(test_lower_union_is_one_look_up_with_arms)
{
    lf_assert("(trip_id IN " TRIPS_OF_MINE ")",
              "solved: exists(from trips t1 by(id = t0.trip_id) where eq(t1.user_id, " F0
              ") union trip_collaborators t2 by(trip_id = t0.trip_id) where eq(t2.user_id, " F0
              "))");
}
END_TEST

START_TEST(test_lower_union_with_a_value_is_split)
{
    lf_assert("(user_id IN ( SELECT auth.uid() AS uid UNION SELECT p.id FROM public.profiles p "
              "WHERE (p.org_id = things.org_id)))",
              "solved: or(eq(t0.user_id, " F0
              "), exists(from profiles t1 by(id = t0.user_id) where "
              "eq(t1.org_id, t0.org_id)))");
    lf_assert("(EXISTS ( SELECT 1 WHERE (things.n = 1)))", "solved: eq(t0.n, '1')");
}
END_TEST

START_TEST(test_lower_keys_are_all_equal_columns)
{
    lf_assert("(EXISTS ( SELECT 1 FROM public.trips t WHERE ((t.name = things.name) AND (t.status "
              "= things.status) AND (t.is_public))))",
              "solved: exists(from trips t1 by(name = t0.name, status = t0.status) where "
              "truth(t1.is_public))");
}
END_TEST

START_TEST(test_lower_primary_key_is_key_enough)
{
    lf_assert("(EXISTS ( SELECT 1 FROM public.trips t WHERE ((t.name = things.name) AND (t.id = "
              "things.trip_id))))",
              "solved: exists(from trips t1 by(id = t0.trip_id) where eq(t1.name, t0.name))");
}
END_TEST

START_TEST(test_lower_constants_are_keys_where_nothing_else_is)
{
    lf_assert(
        "(EXISTS ( SELECT 1 FROM public.profiles p WHERE ((p.id = auth.uid()) AND (p.is_admin "
        "= true) AND (p.role = 'x'::text))))",
        "solved: exists(from profiles t1 by(is_admin = true, role = 'x') where eq(t1.id, " F0 "))");
    lf_assert("(EXISTS ( SELECT 1 FROM public.profiles p WHERE ((p.id = auth.uid()) AND (NOT "
              "p.is_admin))))",
              "solved: exists(from profiles t1 by(is_admin = false) where eq(t1.id, " F0 "))");
}
END_TEST

START_TEST(test_lower_join_starts_where_a_key_is)
{
    lf_assert("(EXISTS ( SELECT 1 FROM public.trips t, public.trip_collaborators m WHERE "
              "((m.user_id = things.user_id) AND (t.id = m.trip_id) AND (t.is_public))))",
              "solved: exists(from trip_collaborators t1 by(user_id = t0.user_id) trips t2 by(id = "
              "t1.trip_id) where truth(t2.is_public))");
}
END_TEST

START_TEST(test_lower_left_join_keeps_its_conditions)
{
    lf_assert(
        "(EXISTS ( SELECT 1 FROM public.trips t LEFT JOIN public.trip_collaborators m ON "
        "((m.trip_id = t.id) AND (m.user_id = auth.uid())) WHERE ((t.id = things.trip_id) AND "
        "(" MINE " OR (m.user_id IS NOT NULL)))))",
        "solved: exists(from trips t1 by(id = t0.trip_id) left trip_collaborators t2 "
        "by(trip_id = t1.id) on eq(t2.user_id, " F0 ") where or(eq(t1.user_id, " F0
        "), not(is_null(t2.user_id))))");
}
END_TEST

START_TEST(test_lower_conditions_stand_where_their_rows_are_bound)
{
    lf_assert("(EXISTS ( SELECT 1 FROM public.trips t JOIN public.trip_collaborators m ON "
              "(m.trip_id = t.id) WHERE ((things.n = 1) AND (t.id = things.trip_id) AND (m.role = "
              "t.name) AND (t.is_public))))",
              "solved: exists(from where eq(t0.n, '1') trips t1 by(id = t0.trip_id) where "
              "truth(t1.is_public) trip_collaborators t2 by(role = t1.name, trip_id = t1.id))");
}
END_TEST

START_TEST(test_lower_correlated_scan_is_noted)
{
    bf_setup();
    struct gw_rules *r = lf_compile(
        bf.things, "(EXISTS ( SELECT 1 FROM public.trips t WHERE (length(t.name) > things.n)))");
    const struct gw_plan *plan = lf_plan(r, bf.things);
    ck_assert_int_eq(plan->path, GW_PLAN_SOLVED);
    ck_assert_str_eq(plan->policies[0].why.p, "looks at every row of trips");
    ck_assert_int_eq(plan->expr->sub->arms[0].sources[0].index, -1);
    gw_rules_unref(r);
    bf_teardown();
}
END_TEST

START_TEST(test_lower_contradiction_has_no_rows)
{
    lf_assert("((EXISTS ( SELECT 1 FROM public.trips t WHERE false)) OR (n = 1))",
              "solved: eq(t0.n, '1')");
}
END_TEST

/* ---- what is false ---- */

START_TEST(test_lower_not_in_minds_nulls)
{
    lf_assert(
        "(NOT (trip_id IN ( SELECT t.id FROM public.trips t WHERE (t.is_public))))",
        "solved: and(not(exists(from trips t1 by(id = t0.trip_id) where truth(t1.is_public))), "
        "or(not(is_null(t0.trip_id)), not(exists(from trips t2 by(is_public = true)))))");
    lf_assert("(id <> ALL ( SELECT s.trip_id FROM public.chat_sessions s))",
              "solved: and(not(exists(from chat_sessions t1 by(trip_id = t0.id))), not(exists(from "
              "chat_sessions t2 all where is_null(t2.trip_id))))");
    lf_assert("(id <> ALL ( SELECT m.id FROM public.chat_messages m))",
              "solved: not(exists(from chat_messages t1 by(id = t0.id)))");
}
END_TEST

START_TEST(test_lower_in_keeps_three_values_where_they_count)
{
    lf_assert("((id IN ( SELECT m.trip_id FROM public.chat_sessions m)) IS NULL)",
              "solved: is_unknown(or(exists(from chat_sessions t1 by(trip_id = t0.id)), "
              "and(not(is_true(and(not(exists(from chat_sessions t2 by(trip_id = t0.id))), "
              "not(exists(from chat_sessions t3 all where is_null(t3.trip_id)))))), null)))");
}
END_TEST

START_TEST(test_lower_other_operators_over_rows)
{
    lf_assert("(n > ANY ( SELECT m.trip_id FROM public.trip_collaborators m))",
              "solved: exists(from trip_collaborators t1 all where gt(t0.n, t1.trip_id))");
    lf_assert("(n > ALL ( SELECT m.trip_id FROM public.trip_collaborators m))",
              "solved: not(exists(from trip_collaborators t1 all where not(is_true(gt(t0.n, "
              "t1.trip_id)))))");
}
END_TEST

START_TEST(test_lower_block_list)
{
    lf_assert(
        "(NOT (EXISTS ( SELECT 1 FROM public.profiles b WHERE ((b.org_id = things.user_id) AND "
        "(b.id = auth.uid())))))",
        "solved: not(exists(from profiles t1 by(org_id = t0.user_id) where eq(t1.id, " F0 ")))");
}
END_TEST

/* ---- one row ---- */

#define MY_ORG "( SELECT p.org_id FROM public.profiles p WHERE (p.id = auth.uid()))"
#define AM_ADMIN "( SELECT p.is_admin FROM public.profiles p WHERE (p.id = auth.uid()))"
#define MY_ROLE "( SELECT p.role FROM public.profiles p WHERE (p.id = auth.uid()))"

START_TEST(test_lower_value_of_one_row_is_looked_up_the_other_way_round)
{
    lf_assert("(org_id = " MY_ORG ")",
              "solved: exists(from profiles t1 by(org_id = t0.org_id) where eq(t1.id, " F0 "))");
    lf_assert("((" MY_ROLE ")::text = name)",
              "solved: exists(from profiles t1 by(role = t0.name) where eq(t1.id, " F0 "))");
    lf_assert("(NOT (org_id = " MY_ORG "))",
              "solved: exists(from profiles t1 all where eq(t1.id, " F0
              "), ne(t0.org_id, t1.org_id))");
    lf_assert("(" MY_ORG " IS NULL)", "solved: not(exists(from profiles t1 all where eq(t1.id, " F0
                                      "), not(is_null(t1.org_id))))");
}
END_TEST

START_TEST(test_lower_value_of_no_row_among_none)
{
    lf_assert("(" MY_ORG " = ANY ( SELECT s.user_id FROM public.chat_sessions s))",
              "solved: exists(from profiles t1 all where eq(t1.id, " F0
              "), exists(from chat_sessions t2 by(user_id = t1.org_id)))");
    lf_assert("(" MY_ORG " = ALL ( SELECT s.user_id FROM public.chat_sessions s))",
              "solved: or(exists(from profiles t1 all where eq(t1.id, " F0
              "), not(exists(from chat_sessions t2 all where not(is_true(eq(t1.org_id, "
              "t2.user_id)))))), and(not(exists(from profiles t3 all where eq(t3.id, " F0
              "))), not(exists(from chat_sessions t4 all))))");
}
END_TEST

START_TEST(test_lower_boolean_of_one_row)
{
    lf_assert(AM_ADMIN,
              "solved: exists(from profiles t1 by(is_admin = true) where eq(t1.id, " F0 "))");
    lf_assert("COALESCE(" AM_ADMIN ", false)",
              "solved: exists(from profiles t1 by(is_admin = true) where eq(t1.id, " F0 "))");
    lf_assert("(" MY_ROLE " = ANY (ARRAY['a'::text, 'b'::text]))",
              "solved: exists(from profiles t1 all where eq(t1.id, " F0
              "), any(t1.role, 'a', 'b'))");
}
END_TEST

START_TEST(test_lower_value_of_perhaps_several_rows_stays_a_scalar)
{
    lf_assert("(( SELECT p.role FROM public.profiles p WHERE (p.org_id = auth.uid())) = name)",
              "solved: eq(scalar(from profiles t1 all where eq(t1.org_id, " F0
              ") yields t1.role), t0.name)");
    lf_assert("( SELECT p.is_admin FROM public.profiles p WHERE (p.org_id = things.org_id))",
              "solved: truth(scalar(from profiles t1 by(org_id = t0.org_id) yields t1.is_admin))");
}
END_TEST

START_TEST(test_lower_row_value_inside_an_external)
{
    bf_setup();
    struct gw_rules *r =
        lf_compile(bf.things, "(upper(( SELECT p.role FROM public.profiles p WHERE "
                              "(p.id = things.user_id))) = (auth.uid())::text)");
    char *got = lf_text(r, lf_plan(r, bf.things));
    ck_assert(strstr(got, "(scalar(from profiles t") && strstr(got, "by(id = t0.user_id)"));
    ck_assert(r->tables[0].columns[1].needs_text);
    free(got);
    gw_rules_unref(r);
    bf_teardown();
}
END_TEST

/* ---- what a look-up depends on ---- */

static bool is_free(const struct gw_subselect *sub, uint32_t slot, uint32_t column)
{
    for (uint32_t i = 0; i < sub->n_free; i++)
        if (sub->free_columns[i].slot == slot && sub->free_columns[i].column == column)
            return true;
    return false;
}

START_TEST(test_lower_free_columns_are_the_outer_ones)
{
    bf_setup();
    struct gw_rules *r = lf_compile(
        bf.things, "(EXISTS ( SELECT 1 FROM public.trips t WHERE ((t.id = things.trip_id) AND "
                   "(EXISTS ( SELECT 1 FROM public.trip_collaborators m WHERE ((m.trip_id = t.id) "
                   "AND (m.role = things.role)))))))");
    const struct gw_subselect *outer = lf_plan(r, bf.things)->expr->sub;
    const struct gw_subselect *inner = outer->arms[0].sources[0].where[0]->sub;
    ck_assert(outer->caller_free && inner->caller_free);
    ck_assert_uint_eq(outer->n_free, 2);
    ck_assert(is_free(outer, 0, 1) && is_free(outer, 0, 5)); /* trip_id, role of things */
    ck_assert_uint_eq(inner->n_free, 2);
    ck_assert(is_free(inner, outer->arms[0].sources[0].slot, 0) && is_free(inner, 0, 5));
    ck_assert_uint_ne(inner->site, outer->site);
    ck_assert(!outer->has_volatile_input);
    gw_rules_unref(r);
    bf_teardown();
}
END_TEST

START_TEST(test_lower_topic_and_clock_are_free_inputs)
{
    bf_setup();
    struct gw_rules *r = lf_compile(
        bf.topics, "(EXISTS ( SELECT 1 FROM public.trips t WHERE ((t.name = realtime.topic()) AND "
                   "(t.user_id = auth.uid()) AND (t.start_date > now()))))");
    const struct gw_plan *plan = lf_plan(r, bf.topics);
    ck_assert_int_eq(plan->path, GW_PLAN_ASSISTED);
    ck_assert(is_free(plan->expr->sub, UINT32_MAX, GW_INPUT_TOPIC));
    ck_assert(plan->expr->sub->has_volatile_input);
    ck_assert(!plan->expr->sub->caller_free);
    gw_rules_unref(r);
    bf_teardown();
}
END_TEST

/* ---- tables ---- */

START_TEST(test_lower_tables_hold_what_plans_need)
{
    bf_setup();
    struct gw_rules *r = lf_compile(
        bf.things, "(EXISTS ( SELECT 1 FROM public.trips t WHERE ((t.name = things.name) AND "
                   "('x'::text = ANY (t.tags)) AND (EXISTS ( SELECT 1 FROM public.profiles p WHERE "
                   "(p.role = t.name))))))");
    int at = gw_rules_table_find(r, bf.trips->oid);
    ck_assert_int_eq(at, 0);
    const struct gw_state_table_def *t = &r->tables[at];
    ck_assert_uint_eq(t->n_columns, 3);
    ck_assert(gw_span_is(t->columns[0].name, "id") && gw_span_is(t->columns[1].name, "name") &&
              gw_span_is(t->columns[2].name, "tags"));
    ck_assert(!t->columns[0].needs_text);
    ck_assert(t->columns[1].needs_text); /* a long text is asked for by itself */
    ck_assert(t->columns[2].needs_text);
    ck_assert_uint_eq(t->n_identity, 1);
    ck_assert_uint_eq(t->identity[0], 0);
    ck_assert_uint_eq(t->n_indexes, 1);
    ck_assert_uint_eq(t->indexes[0].columns[0], 1);
    ck_assert_int_eq(gw_rules_table_find(r, bf.things->oid), -1);
    gw_rules_unref(r);
    bf_teardown();
}
END_TEST

START_TEST(test_lower_identity_is_what_the_log_carries)
{
    bf_setup();
    bf.trips->replica_identity = 'i'; /* USING INDEX on (id, user_id) without the primary key */
    for (unsigned i = 0; i < bf.trips->n_columns; i++)
        bf.trips->columns[i].in_identity = i == 1 || i == 2;
    bf.members->columns[0].in_primary_key = false; /* FULL, no primary key */
    struct gw_rules *r = lf_compile(
        bf.things, "((trip_id IN ( SELECT t.id FROM public.trips t)) OR (trip_id IN ( SELECT "
                   "m.trip_id FROM public.trip_collaborators m)))");
    const struct gw_state_table_def *t = &r->tables[gw_rules_table_find(r, bf.trips->oid)];
    ck_assert_uint_eq(t->n_identity, 2);
    ck_assert(gw_span_is(t->columns[t->identity[0]].name, "user_id"));
    ck_assert(gw_span_is(t->columns[t->identity[1]].name, "name"));
    t = &r->tables[gw_rules_table_find(r, bf.members->oid)];
    ck_assert_uint_eq(t->n_identity, 0);
    ck_assert_uint_eq(t->n_columns, bf.members->n_columns);
    gw_rules_unref(r);
    bf_teardown();
}
END_TEST

/* The reason when trips is changed so. */
static void assert_table_refused(void (*change)(struct gw_catalog_table *t), const char *why)
{
    bf_setup();
    change(bf.trips);
    struct gw_rules *r = lf_compile(
        bf.things, "((n = 1) OR (trip_id IN ( SELECT t.id FROM public.trips t WHERE " MINE ")))");
    char *got = lf_text(r, lf_plan(r, bf.things));
    ck_assert_msg(strstr(got, why) != NULL, "%s\n not %s", got, why);
    ck_assert_uint_eq(r->n_tables, 0);
    ck_assert_uint_eq(r->n_facts, 0);
    free(got);
    gw_rules_unref(r);
    bf_teardown();
}

static void unpublish(struct gw_catalog_table *t)
{
    t->published = false;
}
static void limit(struct gw_catalog_table *t)
{
    t->is_limited = true;
}
static void partition(struct gw_catalog_table *t)
{
    t->has_children = true;
}
static void forget_identity(struct gw_catalog_table *t)
{
    t->has_identity = false;
}
static void follow(struct gw_catalog_table *t)
{
    t->published = false;
    t->followed = true;
}

START_TEST(test_lower_table_that_cannot_be_followed_is_asked)
{
    assert_table_refused(unpublish, "asked: policy p looks into public.trips, which is in no "
                                    "publication: add it to ROWCAST_ACCESS_PUBLICATION");
    assert_table_refused(limit, "only some rows");
    assert_table_refused(partition, "partitioned");
    assert_table_refused(forget_identity, "no replica identity");
}
END_TEST

START_TEST(test_lower_followed_table_is_looked_into)
{
    bf_setup();
    follow(bf.trips);
    struct gw_rules *r =
        lf_compile(bf.things, "(trip_id IN ( SELECT t.id FROM public.trips t WHERE " MINE "))");
    ck_assert_int_eq(lf_plan(r, bf.things)->path, GW_PLAN_SOLVED);
    gw_rules_unref(r);
    bf_teardown();
}
END_TEST

START_TEST(test_lower_inner_policies_are_conditions)
{
    bf_setup();
    bf.trips->rls_enabled = true;
    cf_policy(bf.c, bf.trips, "inner", "(is_public OR (user_id = auth.uid()))");
    struct gw_rules *r = lf_compile(bf.things, "(trip_id IN ( SELECT t.id FROM public.trips t))");
    char *got = lf_text(r, lf_plan(r, bf.things));
    ck_assert_str_eq(got, "solved: exists(from trips t1 by(id = t0.trip_id) where "
                          "or(truth(t1.is_public), eq(t1.user_id, " F0 ")))");
    free(got);
    gw_rules_unref(r);
    bf_teardown();
}
END_TEST

START_TEST(test_lower_number_of_row_variables_is_bounded)
{
    struct gw_buf qual;
    gw_buf_init(&qual, 0);
    for (int i = 0; i < 64; i++)
        gw_buf_printf(&qual,
                      "%s(trip_id IN ( SELECT t.id FROM public.trips t WHERE (t.name = '%d'"
                      "::text)))",
                      i ? " OR " : "(", i);
    gw_buf_add_byte(&qual, ')');
    lf_assert_asked(gw_buf_cstr(&qual), "looks into tables more than 63 times");
    gw_buf_fini(&qual);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lower_sub");
    TCase *tc = tcase_create("sub-selects");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_lower_in_becomes_a_look_up_by_key);
    tcase_add_test(tc, test_lower_union_is_one_look_up_with_arms);
    tcase_add_test(tc, test_lower_union_with_a_value_is_split);
    tcase_add_test(tc, test_lower_keys_are_all_equal_columns);
    tcase_add_test(tc, test_lower_primary_key_is_key_enough);
    tcase_add_test(tc, test_lower_constants_are_keys_where_nothing_else_is);
    tcase_add_test(tc, test_lower_join_starts_where_a_key_is);
    tcase_add_test(tc, test_lower_left_join_keeps_its_conditions);
    tcase_add_test(tc, test_lower_conditions_stand_where_their_rows_are_bound);
    tcase_add_test(tc, test_lower_correlated_scan_is_noted);
    tcase_add_test(tc, test_lower_contradiction_has_no_rows);
    tcase_add_test(tc, test_lower_not_in_minds_nulls);
    tcase_add_test(tc, test_lower_in_keeps_three_values_where_they_count);
    tcase_add_test(tc, test_lower_other_operators_over_rows);
    tcase_add_test(tc, test_lower_block_list);
    tcase_add_test(tc, test_lower_value_of_one_row_is_looked_up_the_other_way_round);
    tcase_add_test(tc, test_lower_value_of_no_row_among_none);
    tcase_add_test(tc, test_lower_boolean_of_one_row);
    tcase_add_test(tc, test_lower_value_of_perhaps_several_rows_stays_a_scalar);
    tcase_add_test(tc, test_lower_row_value_inside_an_external);
    tcase_add_test(tc, test_lower_free_columns_are_the_outer_ones);
    tcase_add_test(tc, test_lower_topic_and_clock_are_free_inputs);
    tcase_add_test(tc, test_lower_tables_hold_what_plans_need);
    tcase_add_test(tc, test_lower_identity_is_what_the_log_carries);
    tcase_add_test(tc, test_lower_table_that_cannot_be_followed_is_asked);
    tcase_add_test(tc, test_lower_followed_table_is_looked_into);
    tcase_add_test(tc, test_lower_inner_policies_are_conditions);
    tcase_add_test(tc, test_lower_number_of_row_variables_is_bounded);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
