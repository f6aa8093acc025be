/* lower: values, facts and booleans of one row: what is computed here, what by Postgres, what is a
 * fact of the caller, and what is refused. */
#include "lower_fixture.h"

/* ---- facts ---- */

START_TEST(test_lower_column_equal_to_the_caller_is_one_comparison)
{
    lf_assert("(user_id = auth.uid())", "solved: eq(t0.user_id, " F0 ")");
    lf_assert("(" UID " = user_id)", "solved: eq(" F0 ", t0.user_id)");
}
END_TEST

START_TEST(test_lower_any_claim_is_a_fact)
{
    lf_assert("(org_id = ((auth.jwt() ->> 'org_id'::text))::uuid)",
              "solved: eq(t0.org_id, fact[0 claims.org_id])");
    lf_assert("(n = (((auth.jwt() -> 'app'::text) ->> 'n'::text))::bigint)",
              "solved: eq(t0.n, fact[0 claims.app.n])");
}
END_TEST

START_TEST(test_lower_mapped_setting_is_a_claim)
{
    lf_assert("(org_id = (current_setting('app.tenant_id'::text))::uuid)",
              "solved: eq(t0.org_id, fact[0 app.tenant_id])");
}
END_TEST

START_TEST(test_lower_setting_of_the_server_is_left_to_postgres)
{
    lf_assert("(name = current_setting('app.other'::text, true))",
              "assisted: eq(t0.name, fact[0 pg_catalog.current_setting('app.other', true)])");
}
END_TEST

START_TEST(test_lower_setting_that_nobody_sets_is_null)
{
    lf_assert("((name = current_setting('request.headers'::text, true)) OR (n = 1))",
              "solved: eq(t0.n, '1')");
    lf_assert("((name = realtime.topic()) OR (n = 1))", "solved: eq(t0.n, '1')");
}
END_TEST

START_TEST(test_lower_caller_only_boolean_is_one_fact)
{
    lf_assert("public.is_admin()",
              "solved: truth(fact[0 coalesce(claims.app_metadata.is_admin, claims.is_admin) = "
              "'true'])");
    lf_assert("((auth.role() = 'a'::text) AND (auth.uid() IS NOT NULL) AND (n = 1))",
              "solved: and(truth(fact[0 claims.role = 'a']), truth(fact[1 not(is_null(" SUB
              "))]), eq(t0.n, '1'))");
}
END_TEST

START_TEST(test_lower_role_is_a_constant_of_the_plan)
{
    lf_assert("((CURRENT_USER = 'authenticated'::name) AND (n = 1))", "solved: eq(t0.n, '1')");
    lf_assert("((CURRENT_USER = 'anon'::name) OR (n = 1))", "solved: eq(t0.n, '1')");
}
END_TEST

START_TEST(test_lower_fact_without_a_native_form_is_assisted)
{
    bf_setup();
    struct gw_rules *r = lf_compile(bf.things, "(auth.email() ~ '@x$'::text)");
    const struct gw_plan *plan = lf_plan(r, bf.things);
    ck_assert_int_eq(plan->path, GW_PLAN_ASSISTED);
    ck_assert_int_eq(plan->expr->op, GW_EXPR_TRUTH);
    ck_assert_ptr_null(r->facts[0].native);
    ck_assert_str_eq(plan->policies[0].why.p,
                     "Postgres evaluates once per caller (claims ->> 'email') ~ '@x$'");
    gw_rules_unref(r);
    bf_teardown();
}
END_TEST

START_TEST(test_lower_equal_texts_are_one_fact)
{
    lf_assert("((user_id = auth.uid()) OR (added_by = " UID "))",
              "solved: or(eq(t0.user_id, " F0 "), eq(t0.added_by, " F0 "))");
}
END_TEST

/* ---- claim arrays ---- */

START_TEST(test_lower_claim_array_is_a_set)
{
    static const char *const expected = "solved: any(t0.org_id, fact[0 set elements(claims.orgs)])";
    lf_assert(
        "(org_id IN ( SELECT (jsonb_array_elements_text((auth.jwt() -> 'orgs'::text)))::uuid))",
        expected);
    lf_assert("(org_id = ANY (ARRAY( SELECT (jsonb_array_elements_text((auth.jwt() -> "
              "'orgs'::text)))::uuid)))",
              expected);
    lf_assert("(org_id = ANY (((auth.jwt() ->> 'orgs'::text))::uuid[]))",
              "solved: any(t0.org_id, fact[0 set array(claims.orgs)])");
    lf_assert("(name = ANY (string_to_array((auth.jwt() ->> 'orgs'::text), ','::text)))",
              "solved: any(t0.name, fact[0 set array(string_to_array(claims.orgs, ','))])");
}
END_TEST

START_TEST(test_lower_claim_array_negated)
{
    lf_assert("(id <> ALL (((auth.jwt() ->> 'ids'::text))::bigint[]))",
              "solved: not(any(t0.id, fact[0 set array(claims.ids)]))");
    /* Of an empty array it is true, even of a null. */
    lf_assert("(NOT (name = ANY (string_to_array((auth.jwt() ->> 'n'::text), ','::text))))",
              "solved: or(and(not(is_null(t0.name)), not(any(t0.name, fact[0 set "
              "array(string_to_array(claims.n, ','))]))), and(is_null(t0.name), "
              "truth(fact[1 string_to_array(claims.n, ',') = '{}'])))");
    lf_assert("(NOT (name IN ( SELECT jsonb_array_elements_text((auth.jwt() -> 'n'::text)))))",
              "solved: or(and(not(is_null(t0.name)), not(any(t0.name, fact[0 set "
              "elements(claims.n)]))), and(is_null(t0.name), truth(fact[1 or(is_null(claims.n), "
              "claims.n = '[]')])))");
}
END_TEST

START_TEST(test_lower_literal_in_a_claim_array_is_a_look_into_the_set)
{
    lf_assert("('admin'::text IN ( SELECT jsonb_array_elements_text((auth.jwt() -> 'r'::text))))",
              "solved: any('admin', fact[0 set elements(claims.r)])");
    lf_assert("((auth.jwt() -> 'r'::text) ? 'admin'::text)",
              "solved: truth(fact[0 ?(claims.r, 'admin')])");
}
END_TEST

START_TEST(test_lower_keys_of_a_claim)
{
    bf_setup();
    struct gw_rules *r = lf_compile(bf.things, "((auth.jwt() -> 'orgs'::text) ? (org_id)::text)");
    const struct gw_plan *plan = lf_plan(r, bf.things);
    ck_assert_int_eq(plan->path, GW_PLAN_ASSISTED);
    ck_assert_int_eq(plan->expr->op, GW_EXPR_ANY);
    ck_assert_uint_eq(r->n_facts, 1);
    ck_assert(r->facts[0].is_set);
    ck_assert_int_eq(r->facts[0].kind, GW_KIND_TEXT);
    gw_rules_unref(r);
    bf_teardown();
}
END_TEST

/* ---- arrays in the row ---- */

START_TEST(test_lower_array_in_the_row)
{
    lf_assert("((auth.uid())::text = ANY (tags))", "solved: in_list(" F0 ", t0.tags)");
    lf_assert("('x'::text = ANY (tags))", "solved: in_list('x', t0.tags)");
    lf_assert("((auth.uid())::text <> ALL (tags))", "solved: not(in_list(" F0 ", t0.tags))");
    lf_assert("(tags && ARRAY[(auth.uid())::text, 'public'::text])",
              "solved: or(in_list(" F0 ", t0.tags), in_list('public', t0.tags))");
    lf_assert("((auth.uid())::text IN ( SELECT unnest(things.tags) AS u))",
              "solved: and(not(is_null(t0.tags)), in_list(" F0 ", t0.tags))");
}
END_TEST

START_TEST(test_lower_array_of_columns_is_one_comparison_each)
{
    lf_assert("(auth.uid() = ANY (ARRAY[user_id, added_by]))",
              "solved: or(eq(" F0 ", t0.user_id), eq(" F0 ", t0.added_by))");
}
END_TEST

/* ---- native values ---- */

START_TEST(test_lower_native_comparisons)
{
    lf_assert("((n > 5) AND (n <= 10) AND (name ~~ 'a%'::text) AND (name !~~ 'b%'::text))",
              "solved: and(gt(t0.n, '5'), le(t0.n, '10'), truth(~~(t0.name, 'a%')), "
              "not(truth(~~(t0.name, 'b%'))))");
    lf_assert("((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character "
              "varying])::text[]))",
              "solved: any(t0.status, 'a', 'b')");
    lf_assert("(split_part(name, '/'::text, 1) = (" UID ")::text)",
              "solved: eq(split_part(t0.name, '/', '1'), " F0 ")");
    lf_assert("(COALESCE(created_by, (user_id)::text) = (auth.uid())::text)",
              "solved: eq(coalesce(t0.created_by, text(t0.user_id)), " F0 ")");
    lf_assert("((data ->> 'owner'::text) = (auth.uid())::text)",
              "solved: eq(->>(t0.data, 'owner'), " F0 ")");
    lf_assert("(NOT (name IS DISTINCT FROM role))", "solved: not(distinct(t0.name, t0.role))");
    lf_assert("(NULLIF(name, ''::text) = role)",
              "solved: eq(case(eq(t0.name, ''), null, t0.name), t0.role)");
}
END_TEST

START_TEST(test_lower_constants_are_folded)
{
    lf_assert("((lower('A'::text) = 'a'::text) AND (n = 1))", "solved: eq(t0.n, '1')");
    lf_assert("((1 > 2) OR (n = 1))", "solved: eq(t0.n, '1')");
    lf_assert("((NULL::text = name) OR (n = 1))", "solved: eq(t0.n, '1')");
    lf_assert("((id IS NOT NULL) AND (n = 1))", "solved: eq(t0.n, '1')");
    lf_assert("(n = 1)", "solved: eq(t0.n, '1')");
    lf_assert("(1 = 1)", "solved: true");
}
END_TEST

/* ---- by Postgres ---- */

START_TEST(test_lower_what_is_not_native_is_one_external)
{
    bf_setup();
    struct gw_rules *r =
        lf_compile(bf.things, "(((name ~* 'a'::text) = (role > 'b'::text)) AND (n = 1))");
    const struct gw_plan *plan = lf_plan(r, bf.things);
    ck_assert_int_eq(plan->path, GW_PLAN_ASSISTED);
    ck_assert_uint_eq(r->n_externals, 1);
    ck_assert_str_eq(r->externals[0].sql.p,
                     "(((v.a1)::pg_catalog.\"text\") OPERATOR(pg_catalog.~*) "
                     "('a'::pg_catalog.\"text\")) OPERATOR(pg_catalog.=) "
                     "(((v.a2)::pg_catalog.\"text\") OPERATOR(pg_catalog.>) "
                     "('b'::pg_catalog.\"text\"))");
    ck_assert(r->externals[0].is_immutable);
    ck_assert_uint_eq(r->externals[0].n_args, 2);
    ck_assert(strstr(plan->policies[0].why.p, "Postgres evaluates (name ~* 'a')"));
    gw_rules_unref(r);
    bf_teardown();
}
END_TEST

START_TEST(test_lower_lower_of_a_row_is_postgres_affair)
{
    lf_assert("(lower(name) = lower(auth.email()))",
              "assisted: eq(external[pg_catalog.lower((v.a1)::pg_catalog.\"text\")](t0.name), "
              "fact[0 lower(claims.email)])");
    lf_assert("(lower((user_id)::text) = name)", "solved: eq(lower(text(t0.user_id)), t0.name)");
}
END_TEST

START_TEST(test_lower_time_is_asked_anew)
{
    bf_setup();
    struct gw_rules *r = lf_compile(bf.things, "(created_at > (now() - '00:15:00'::interval))");
    ck_assert_int_eq(lf_plan(r, bf.things)->path, GW_PLAN_ASSISTED);
    ck_assert(!r->externals[0].is_immutable);
    gw_rules_unref(r);
    bf_teardown();
}
END_TEST

START_TEST(test_lower_literal_with_quotes_and_backslashes)
{
    bf_setup();
    struct gw_rules *r = lf_compile(bf.things, "(name ~ 'it''s \\d'::text)");
    ck_assert(strstr(r->externals[0].sql.p, "(E'it''s \\\\d'::pg_catalog.\"text\")"));
    gw_rules_unref(r);
    bf_teardown();
}
END_TEST

START_TEST(test_lower_claim_key_of_a_json_in_the_row)
{
    bf_setup();
    struct gw_rules *r = lf_compile(bf.things, "((data -> 'members'::text) ? (auth.uid())::text)");
    const struct gw_plan *plan = lf_plan(r, bf.things);
    ck_assert_int_eq(plan->path, GW_PLAN_ASSISTED);
    ck_assert_int_eq(plan->expr->op, GW_EXPR_IN_LIST);
    ck_assert_int_eq(plan->expr->args[1]->op, GW_EXPR_EXTERNAL);
    ck_assert_uint_eq(plan->expr->args[1]->type_oid, 1009);
    gw_rules_unref(r);
    bf_teardown();
}
END_TEST

/* ---- mixed ---- */

START_TEST(test_lower_choices_with_the_caller_are_taken_apart)
{
    lf_assert("(COALESCE(user_id, auth.uid()) = added_by)",
              "solved: or(and(not(is_null(t0.user_id)), eq(t0.user_id, t0.added_by)), "
              "and(is_null(t0.user_id), eq(" F0 ", t0.added_by)))");
    lf_assert("CASE WHEN (role = 'x'::text) THEN (user_id = auth.uid()) ELSE true END",
              "solved: or(and(is_true(eq(t0.role, 'x')), eq(t0.user_id, " F0
              ")), not(is_true(eq(t0.role, 'x'))))");
    lf_assert("(NULLIF(user_id, auth.uid()) = added_by)",
              "solved: and(not(is_true(eq(t0.user_id, " F0 "))), eq(t0.user_id, t0.added_by))");
    lf_assert("COALESCE((user_id = auth.uid()), false)", "solved: eq(t0.user_id, " F0 ")");
    lf_assert("COALESCE((user_id = auth.uid()), true)",
              "solved: not(is_true(ne(t0.user_id, " F0 ")))");
    lf_assert("COALESCE((user_id = auth.uid()), (n = 1))",
              "solved: or(eq(t0.user_id, " F0 "), and(is_unknown(eq(t0.user_id, " F0
              ")), eq(t0.n, '1')))");
}
END_TEST

START_TEST(test_lower_distinct_from_the_caller)
{
    lf_assert("(NOT (user_id IS DISTINCT FROM auth.uid()))",
              "solved: or(eq(t0.user_id, " F0
              "), and(is_null(t0.user_id), truth(fact[1 is_null(" SUB ")])))");
    lf_assert("(user_id IS DISTINCT FROM auth.uid())",
              "solved: and(not(is_true(eq(t0.user_id, " F0
              "))), or(not(is_null(t0.user_id)), not(truth(fact[1 is_null(" SUB ")]))))");
}
END_TEST

START_TEST(test_lower_negation_where_three_values_count)
{
    lf_assert("((NOT ((user_id = auth.uid()) OR (n < 3))) IS NULL)",
              "solved: is_unknown(not(or(eq(t0.user_id, " F0 "), lt(t0.n, '3'))))");
}
END_TEST

START_TEST(test_lower_negation_reaches_the_comparison)
{
    lf_assert("(NOT ((user_id = auth.uid()) OR (n < 3)))",
              "solved: and(ne(t0.user_id, " F0 "), ge(t0.n, '3'))");
    lf_assert("((user_id = auth.uid()) IS NOT TRUE)",
              "solved: not(is_true(eq(t0.user_id, " F0 ")))");
    lf_assert("((user_id = auth.uid()) IS FALSE)", "solved: ne(t0.user_id, " F0 ")");
    lf_assert("((user_id = auth.uid()) IS NULL)", "solved: is_unknown(eq(t0.user_id, " F0 "))");
    lf_assert("((user_id = auth.uid()) = false)", "solved: ne(t0.user_id, " F0 ")");
}
END_TEST

/* ---- refused ---- */

START_TEST(test_lower_what_cannot_be_inverted_is_asked)
{
    lf_assert_asked(
        "(name ~~ (('user_'::text || (auth.uid())::text) || '/%'::text))",
        "policy p compares the caller's claims by more than equality: name ~~ (('user_' "
        "|| COALESCE(claim.sub, claims ->> 'sub')) || '/%')");
    lf_assert_asked("(n < ((auth.jwt() ->> 'n'::text))::integer)", "by more than equality: n <");
    lf_assert_asked("((name || (auth.uid())::text) = role)", "mixes the caller's claims");
    lf_assert_asked("(created_at = ((auth.jwt() ->> 'at'::text))::timestamptz)",
                    "only Postgres decides");
    lf_assert_asked("(random() > (n)::double precision)", "random");
}
END_TEST

START_TEST(test_lower_time_and_claims_do_not_mix)
{
    lf_assert_asked("(now() > ((auth.jwt() ->> 'at'::text))::timestamptz)", "more than equality");
}
END_TEST

START_TEST(test_lower_generated_column_is_asked)
{
    bf_setup();
    bf.things->columns[6].generation = GW_SPAN_LIT("upper(role)");
    struct gw_rules *r = lf_compile(bf.things, "(name = 'x'::text)");
    char *got = lf_text(r, lf_plan(r, bf.things));
    ck_assert_str_eq(got, "asked: policy p reads things.name, a generated column, which is not in "
                          "the log");
    free(got);
    gw_rules_unref(r);
    bf_teardown();
}
END_TEST

START_TEST(test_lower_opaque_collation_is_postgres_affair)
{
    bf_setup();
    bf.things->columns[6].is_opaque = true;
    struct gw_rules *r = lf_compile(bf.things, "(name = 'x'::text)");
    ck_assert_int_eq(lf_plan(r, bf.things)->path, GW_PLAN_ASSISTED);
    gw_rules_unref(r);
    bf_teardown();
}
END_TEST

START_TEST(test_lower_depth_and_size_are_bounded)
{
    struct gw_buf qual;
    gw_buf_init(&qual, 0);
    for (int i = 0; i < 190; i++)
        gw_buf_add_str(&qual, "COALESCE((user_id = auth.uid()), ");
    gw_buf_add_str(&qual, "(n = 1)");
    for (int i = 0; i < 190; i++)
        gw_buf_add_byte(&qual, ')');
    lf_assert_asked(gw_buf_cstr(&qual), "nested more than 180 deep");
    gw_buf_reset(&qual);
    gw_buf_add_str(&qual, "(");
    for (int i = 0; i < 1200; i++)
        gw_buf_printf(&qual, "%s(COALESCE(user_id, auth.uid()) = added_by)", i ? " OR " : "");
    gw_buf_add_str(&qual, ")");
    lf_assert_asked(gw_buf_cstr(&qual), "20000 nodes");
    gw_buf_fini(&qual);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lower");
    TCase *tc = tcase_create("row");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_lower_column_equal_to_the_caller_is_one_comparison);
    tcase_add_test(tc, test_lower_any_claim_is_a_fact);
    tcase_add_test(tc, test_lower_mapped_setting_is_a_claim);
    tcase_add_test(tc, test_lower_setting_of_the_server_is_left_to_postgres);
    tcase_add_test(tc, test_lower_setting_that_nobody_sets_is_null);
    tcase_add_test(tc, test_lower_caller_only_boolean_is_one_fact);
    tcase_add_test(tc, test_lower_role_is_a_constant_of_the_plan);
    tcase_add_test(tc, test_lower_fact_without_a_native_form_is_assisted);
    tcase_add_test(tc, test_lower_equal_texts_are_one_fact);
    tcase_add_test(tc, test_lower_claim_array_is_a_set);
    tcase_add_test(tc, test_lower_claim_array_negated);
    tcase_add_test(tc, test_lower_literal_in_a_claim_array_is_a_look_into_the_set);
    tcase_add_test(tc, test_lower_keys_of_a_claim);
    tcase_add_test(tc, test_lower_array_in_the_row);
    tcase_add_test(tc, test_lower_array_of_columns_is_one_comparison_each);
    tcase_add_test(tc, test_lower_native_comparisons);
    tcase_add_test(tc, test_lower_constants_are_folded);
    tcase_add_test(tc, test_lower_what_is_not_native_is_one_external);
    tcase_add_test(tc, test_lower_lower_of_a_row_is_postgres_affair);
    tcase_add_test(tc, test_lower_time_is_asked_anew);
    tcase_add_test(tc, test_lower_literal_with_quotes_and_backslashes);
    tcase_add_test(tc, test_lower_claim_key_of_a_json_in_the_row);
    tcase_add_test(tc, test_lower_choices_with_the_caller_are_taken_apart);
    tcase_add_test(tc, test_lower_distinct_from_the_caller);
    tcase_add_test(tc, test_lower_negation_where_three_values_count);
    tcase_add_test(tc, test_lower_negation_reaches_the_comparison);
    tcase_add_test(tc, test_lower_what_cannot_be_inverted_is_asked);
    tcase_add_test(tc, test_lower_time_and_claims_do_not_mix);
    tcase_add_test(tc, test_lower_generated_column_is_asked);
    tcase_add_test(tc, test_lower_opaque_collation_is_postgres_affair);
    tcase_add_test(tc, test_lower_depth_and_size_are_bounded);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
