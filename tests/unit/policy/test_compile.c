/* compile: plans by table and role, their paths, what they use; rules shared while nothing changes;
 * the shapes of policies that a real application has. */
#include "lower_fixture.h"

static void setup(void)
{
    bf_setup();
}

static void teardown(void)
{
    bf_teardown();
}

static struct gw_rules *compile(void)
{
    return gw_compile(bf.c, NULL, NULL);
}

static struct gw_policy *add(struct gw_catalog_table *t, const char *name, const char *qual)
{
    t->rls_enabled = true;
    struct gw_policy *p = cf_policy(bf.c, t, name, qual);
    p->roles = CF_BIT(CF_USER);
    return p;
}

static void assert_plan(const struct gw_rules *r, const struct gw_plan *plan, const char *expected)
{
    char *got = lf_text(r, plan);
    ck_assert_str_eq(got, expected);
    free(got);
}

/* ---- plans ---- */

START_TEST(test_compile_joins_policies_as_postgres_does)
{
    add(bf.things, "a", "(user_id = auth.uid())");
    add(bf.things, "b", "(n = 1)");
    add(bf.things, "c", "(n < 9)")->permissive = false;
    add(bf.things, "d", "(role = 'x'::text)")->permissive = false;
    struct gw_rules *r = compile();
    const struct gw_plan *plan = lf_plan(r, bf.things);
    assert_plan(r, plan,
                "solved: and(lt(t0.n, '9'), eq(t0.role, 'x'), or(eq(t0.n, '1'), eq(t0.user_id, " F0
                ")))");
    ck_assert_uint_eq(plan->n_policies, 4);
    ck_assert(!plan->policies[2].permissive);
    ck_assert(gw_span_is(plan->policies[1].name, "b"));
    assert_plan(r, &(struct gw_plan){.expr = plan->policies[1].expr}, "solved: eq(t0.n, '1')");
    gw_rules_unref(r);
}
END_TEST

START_TEST(test_compile_only_where_policies_decide)
{
    add(bf.things, "a", "(n = 1)")->roles = CF_BIT(CF_USER) | CF_BIT(CF_SERVICE);
    bf.things->access[CF_SERVICE].bypasses_rls = true;
    bf.trips->rls_enabled = true;   /* without a policy */
    add(bf.members, "all", "true"); /* for everyone */
    add(bf.sessions, "hidden", "(id IS NULL)");
    bf.sessions->published = false;
    bf.c->roles_present = CF_BIT(CF_USER) | CF_BIT(CF_SERVICE);
    struct gw_rules *r = compile();
    ck_assert_uint_eq(r->n_plans, 1);
    ck_assert_ptr_nonnull(gw_rules_plan(r, bf.things->oid, CF_USER, false));
    ck_assert_ptr_null(gw_rules_plan(r, bf.things->oid, CF_SERVICE, false));
    ck_assert_ptr_null(gw_rules_plan(r, bf.things->oid, CF_ANON, false));
    ck_assert_ptr_null(gw_rules_plan(r, bf.things->oid, CF_USER, true));
    ck_assert_ptr_null(gw_rules_plan(NULL, bf.things->oid, CF_USER, false));
    gw_rules_unref(r);
}
END_TEST

START_TEST(test_compile_roles_have_their_own_policies)
{
    add(bf.things, "a", "(n = 1)");
    add(bf.things, "b", "(n = 2)")->roles = CF_BIT(CF_ANON);
    struct gw_rules *r = compile();
    assert_plan(r, gw_rules_plan(r, bf.things->oid, CF_USER, false), "solved: eq(t0.n, '1')");
    assert_plan(r, gw_rules_plan(r, bf.things->oid, CF_ANON, false), "solved: eq(t0.n, '2')");
    gw_rules_unref(r);
}
END_TEST

START_TEST(test_compile_says_what_a_plan_uses)
{
    add(bf.things, "a", "((user_id = auth.uid()) OR ((n = 1) AND (auth.role() = 'x'::text)))");
    add(bf.trips, "b",
        "(EXISTS ( SELECT 1 FROM public.trip_collaborators m WHERE ((m.trip_id = "
        "trips.id) AND (m.user_id = auth.uid()))))");
    struct gw_rules *r = compile();
    const struct gw_plan *things = lf_plan(r, bf.things), *trips = lf_plan(r, bf.trips);
    ck_assert_uint_eq(r->n_facts, 2);
    ck_assert_uint_eq(things->n_facts, 2);
    ck_assert_uint_eq(things->n_tables, 0);
    ck_assert_uint_eq(things->n_reads, 2);
    ck_assert_uint_eq(things->reads[0], 2);  /* user_id */
    ck_assert_uint_eq(things->reads[1], 11); /* n */
    ck_assert_uint_eq(things->n_slots, 1);
    ck_assert_uint_eq(trips->n_facts, 1);
    ck_assert_uint_eq(trips->n_tables, 1);
    ck_assert_uint_eq(trips->n_reads, 1);
    ck_assert_uint_eq(trips->reads[0], 0);
    ck_assert_uint_eq(trips->n_slots, 2);
    gw_rules_unref(r);
}
END_TEST

START_TEST(test_compile_one_asked_policy_asks_the_plan)
{
    add(bf.things, "fine", "(trip_id IN ( SELECT t.id FROM public.trips t))");
    add(bf.things, "not", "(name ~~ (auth.uid())::text)");
    add(bf.trips, "other", "(user_id = auth.uid())");
    struct gw_rules *r = compile();
    const struct gw_plan *plan = lf_plan(r, bf.things);
    ck_assert_int_eq(plan->path, GW_PLAN_ASKED);
    ck_assert(strstr(plan->why.p, "policy not compares"));
    ck_assert_ptr_null(plan->expr);
    ck_assert_int_eq(plan->policies[0].path, GW_PLAN_SOLVED);
    ck_assert_ptr_null(plan->policies[0].expr);
    ck_assert_int_eq(plan->policies[1].path, GW_PLAN_ASKED);
    ck_assert_int_eq(lf_plan(r, bf.trips)->path, GW_PLAN_SOLVED);
    ck_assert_uint_eq(r->n_tables, 0); /* what it would have needed is taken back */
    ck_assert_uint_eq(r->n_facts, 1);
    gw_rules_unref(r);
}
END_TEST

START_TEST(test_compile_paths_and_reasons_per_policy)
{
    add(bf.things, "a", "(n = 1)");
    add(bf.things, "b", "(name ~ 'x'::text)");
    struct gw_rules *r = compile();
    const struct gw_plan *plan = lf_plan(r, bf.things);
    ck_assert_int_eq(plan->path, GW_PLAN_ASSISTED);
    ck_assert_int_eq(plan->policies[0].path, GW_PLAN_SOLVED);
    ck_assert_uint_eq(plan->policies[0].why.n, 0);
    ck_assert_int_eq(plan->policies[1].path, GW_PLAN_ASSISTED);
    ck_assert_str_eq(plan->policies[1].why.p, "Postgres evaluates name ~ 'x'");
    gw_rules_unref(r);
}
END_TEST

START_TEST(test_compile_constant_policies)
{
    add(bf.things, "a", "true");
    add(bf.things, "b", "")->permissive = false;
    add(bf.things, "c", "(n = 1)")->permissive = false;
    struct gw_rules *r = compile();
    assert_plan(r, lf_plan(r, bf.things), "solved: eq(t0.n, '1')");
    gw_rules_unref(r);
}
END_TEST

/* ---- topics ---- */

static void add_check(const char *name, const char *check, bool permissive)
{
    bf.topics->rls_enabled = true;
    if (!bf.topics->checks)
        bf.topics->checks = gw_arena_alloc(&bf.c->arena, 8 * sizeof *bf.topics->checks);
    bf.topics->checks[bf.topics->n_checks++] =
        (struct gw_check_policy){.name = cf_copy(bf.c, name),
                                 .permissive = permissive,
                                 .roles = CF_BIT(CF_USER),
                                 .check = cf_copy(bf.c, check)};
}

START_TEST(test_compile_topics_have_a_plan_to_read_and_one_to_write)
{
    add(bf.topics, "read", "(realtime.topic() = (auth.uid())::text)");
    add_check("write", "(extension = 'broadcast'::text)", true);
    bf.topics->published = false;
    bf.topics->access[CF_USER].may_insert = bf.topics->access[CF_ANON].may_insert = true;
    struct gw_rules *r = compile();
    const struct gw_plan *write = gw_rules_plan(r, bf.topics->oid, CF_USER, true);
    assert_plan(r, lf_plan(r, bf.topics), "solved: eq(case(eq(topic, ''), null, topic), " F0 ")");
    ck_assert(write->is_write);
    assert_plan(r, write, "solved: eq(t0.extension, 'broadcast')");
    /* Whoever may insert but has no policy writes nothing. */
    assert_plan(r, gw_rules_plan(r, bf.topics->oid, CF_ANON, true), "solved: false");
    ck_assert_ptr_null(gw_rules_plan(r, bf.topics->oid, CF_SERVICE, true));
    gw_rules_unref(r);
}
END_TEST

START_TEST(test_compile_policy_without_an_expression_counts_for_nothing)
{
    add_check("write", "", true);
    bf.topics->access[CF_USER].may_insert = true;
    struct gw_rules *r = compile();
    assert_plan(r, gw_rules_plan(r, bf.topics->oid, CF_USER, true), "solved: false");
    gw_rules_unref(r);
    add_check("more", "(extension = 'x'::text)", true);
    add_check("limit", "", false);
    r = compile();
    assert_plan(r, gw_rules_plan(r, bf.topics->oid, CF_USER, true),
                "solved: eq(t0.extension, 'x')");
    gw_rules_unref(r);
}
END_TEST

/* ---- sharing ---- */

START_TEST(test_compile_shares_rules_while_nothing_changes)
{
    add(bf.things, "a", "(user_id = auth.uid())");
    struct gw_rules *first = compile();
    struct gw_rules *second = gw_compile(bf.c, NULL, first);
    ck_assert_ptr_eq(first, second);
    gw_rules_unref(second);
    gw_rules_unref(first);
    gw_rules_unref(NULL);
}
END_TEST

static void rename_policy(void)
{
    bf.things->policies[0].name = GW_SPAN_LIT("z");
}
static void change_qual(void)
{
    bf.things->policies[0].qual = GW_SPAN_LIT("(n = 2)");
}
static void change_roles(void)
{
    bf.things->policies[0].roles |= CF_BIT(CF_ANON);
}
static void restrict_policy(void)
{
    bf.things->policies[0].permissive = false;
}
static void change_column(void)
{
    bf.trips->columns[1].type_oid = 25;
}
static void change_body(void)
{
    bf.c->functions[0].body = GW_SPAN_LIT("select null::uuid");
}
static void revoke_column(void)
{
    bf.trips->access[CF_USER].columns.w[0] &= ~UINT64_C(1);
}
static void disable_rls(void)
{
    bf.things->rls_enabled = false;
}
static void unpublish(void)
{
    bf.trips->published = false;
}
static void lose_role(void)
{
    bf.c->roles_present &= ~CF_BIT(CF_ANON);
}
static void move_path(void)
{
    bf.c->search_path[0] = GW_SPAN_LIT("other");
}
static void change_check(void)
{
    add_check("w", "true", true);
}

START_TEST(test_compile_makes_new_rules_when_something_changes)
{
    static void (*const changes[])(void) = {
        rename_policy, change_qual, change_roles, restrict_policy, change_column, change_body,
        revoke_column, disable_rls, unpublish,    lose_role,       move_path,     change_check};
    add(bf.things, "a", "(user_id = auth.uid())");
    struct gw_rules *last = compile();
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        changes[i]();
        struct gw_rules *next = gw_compile(bf.c, NULL, last);
        ck_assert_msg(next != last, "change %zu", i);
        gw_rules_unref(last);
        last = next;
    }
    struct gw_rules *next =
        gw_compile(bf.c, &(struct gw_compile_options){.claim_settings = "a.b=c"}, last);
    ck_assert(next != last);
    gw_rules_unref(next);
    gw_rules_unref(last);
}
END_TEST

/* ---- the catalog ---- */

START_TEST(test_compile_decides_the_catalogs_paths)
{
    add(bf.things, "a", "(user_id = auth.uid())");
    add(bf.trips, "b", "(name ~ 'x'::text)");
    add(bf.members, "c", "(role ~~ (auth.uid())::text)");
    gw_catalog_finish(bf.c, NULL, NULL);
    const struct gw_table_access *things = &bf.things->access[CF_USER];
    ck_assert_int_eq(things->path, GW_PATH_SOLVED);
    ck_assert_ptr_eq(things->plan, gw_rules_plan(bf.c->rules, bf.things->oid, CF_USER, false));
    ck_assert(things->question.n > 0); /* to fall back on, and to compare with */
    ck_assert(gw_colset_has(&things->reads, 2));
    ck_assert_int_eq(bf.trips->access[CF_USER].path, GW_PATH_ASSISTED);
    ck_assert_int_eq(bf.members->access[CF_USER].path, GW_PATH_ASKED);
    ck_assert_ptr_nonnull(bf.members->access[CF_USER].plan);
    ck_assert_int_eq(bf.things->access[CF_ANON].path, GW_PATH_NOBODY);
    ck_assert_ptr_null(bf.things->access[CF_ANON].plan);
}
END_TEST

START_TEST(test_compile_rules_outlive_their_catalog)
{
    add(bf.things, "a", "(user_id = auth.uid())");
    gw_catalog_finish(bf.c, NULL, NULL);
    struct gw_rules *r = gw_rules_ref(bf.c->rules);
    uint32_t oid = bf.things->oid;
    teardown();
    assert_plan(r, gw_rules_plan(r, oid, CF_USER, false), "solved: eq(t0.user_id, " F0 ")");
    gw_rules_unref(r);
    setup();
}
END_TEST

/* ---- shapes ---- */

#define TRIP_ACCESS "public.user_has_trip_access(" UID ", trip_id)"
#define TRIP_EDIT "public.user_has_trip_edit_access(" UID ", trip_id)"
#define OWN "(user_id = " UID ")"
#define IN_TRIPS "(trip_id IN ( SELECT trips.id FROM public.trips WHERE (trips.user_id = " UID ")))"
#define SESSIONS                                                                                   \
    "( SELECT chat_sessions.id FROM public.chat_sessions WHERE ((chat_sessions.user_id = " UID     \
    ") OR (chat_sessions.trip_id IN " TRIPS_OF_MINE ")))"

enum { SOLVED = GW_PLAN_SOLVED, ASSISTED = GW_PLAN_ASSISTED, ASKED = GW_PLAN_ASKED };

static const struct {
    lf_table *table;
    int path;
    const char *qual;
} shapes[] = {
    {lf_things, SOLVED, "(true OR (n = 1))"}, /* 1 */
    {lf_things, SOLVED, "(" UID " = user_id)"},
    {lf_things, SOLVED, TRIP_ACCESS},
    {lf_things, SOLVED, "(" OWN " OR ((trip_id IS NOT NULL) AND " TRIP_ACCESS "))"},
    {lf_things, SOLVED, "(" OWN " AND " TRIP_EDIT " AND ((trip_id IS NULL) OR " TRIP_ACCESS "))"},
    {lf_members, SOLVED, "(public.user_is_trip_owner(" UID ", trip_id) OR " OWN ")"},
    {lf_things, SOLVED, IN_TRIPS},
    {lf_messages, SOLVED, "(session_id IN " SESSIONS ")"},
    {lf_things, SOLVED,
     "(message_id IN ( SELECT cm.id FROM (public.chat_messages cm JOIN public.chat_sessions cs ON "
     "((cm.session_id = cs.id))) WHERE ((cs.user_id = " UID ") OR (cs.trip_id IN " TRIPS_OF_MINE
     "))))"},
    {lf_messages, SOLVED, /* 10 */
     "(" OWN " AND (role = 'user'::text) AND (session_id IN " SESSIONS "))"},
    {lf_things, SOLVED,
     "((session_id IS NULL) OR (EXISTS ( SELECT 1 FROM public.chat_sessions cs WHERE ((cs.id = "
     "things.session_id) AND (cs.user_id = " UID ")))))"},
    {lf_things, SOLVED,
     "((auth.role() = 'authenticated'::text) AND (EXISTS ( SELECT 1 FROM public.profiles WHERE "
     "((profiles.id = auth.uid()) AND (profiles.is_admin = true)))))"},
    {lf_trips, SOLVED,
     "(EXISTS ( SELECT 1 FROM public.things fa WHERE ((fa.name = trips.name) AND ((fa.user_id "
     "= " UID ") OR ((fa.trip_id IS NOT NULL) AND public.user_has_trip_access(" UID
     ", fa.trip_id))))))"},
    {lf_things, SOLVED, "(public.is_admin() OR (auth.role() = 'service_role'::text))"},
    {lf_things, SOLVED, "((user_id IS NULL) AND (namespace = ANY (ARRAY['a'::text, 'b'::text])))"},
    {lf_things, SOLVED, "(split_part(name, '/'::text, 1) = (" UID ")::text)"}, /* 16 */
    {lf_things, SOLVED, "(name = ((" UID ")::text || '.jpg'::text))"},
    {lf_things, SOLVED, "(COALESCE(created_by, (user_id)::text) = (auth.uid())::text)"},
    {lf_things, ASSISTED, "(created_at > (now() - '00:15:00'::interval))"},
    {lf_topics, ASSISTED, /* 18 */
     "((realtime.topic() ~* '^session:[0-9a-f]{8}$'::text) AND public.rt_is_session_member() AND "
     "(extension = ANY (ARRAY['broadcast'::text, 'presence'::text])))"},
    {lf_topics, ASSISTED,
     "((realtime.topic() ~ '^trip:[0-9]+$'::text) AND public.user_has_trip_access(" UID
     ", public.try_cast_bigint(public.rt_topic_suffix())))"},
    {lf_topics, ASSISTED,
     "((realtime.topic() ~* '^user:'::text) AND (lower(public.rt_topic_suffix()) = lower((" UID
     ")::text)))"},
    {lf_things, SOLVED, "(" OWN " OR (added_by = auth.uid()) OR " IN_TRIPS ")"},
    {lf_things, SOLVED, /* 20 */
     "(trip_id IN ( SELECT trips.id FROM public.trips WHERE (trips.user_id = auth.uid()) UNION "
     "SELECT "
     "trip_collaborators.trip_id FROM public.trip_collaborators WHERE ((trip_collaborators.user_id "
     "= "
     "auth.uid()) AND (trip_collaborators.role = ANY (ARRAY['edit'::text, 'admin'::text])))))"},
    {lf_trips, SOLVED,
     "((user_id = auth.uid()) OR (EXISTS ( SELECT 1 FROM public.trip_collaborators tc WHERE "
     "((tc.trip_id = trips.id) AND (tc.user_id = auth.uid()) AND (tc.role = ANY "
     "(ARRAY['edit'::text, 'admin'::text]))))))"},
    {lf_things, ASKED, "(name ~~ (('user_'::text || (auth.uid())::text) || '/%'::text))"}, /* 22 */
    {lf_things, SOLVED,
     "(EXISTS ( SELECT 1 FROM public.trips t WHERE ((t.id = things.trip_id) AND (t.is_public = "
     "true))))"},
    {lf_trips, SOLVED, "(is_public = true)"},
    {lf_things, ASSISTED, "(auth.email() ~ '@tripsage\\.(com|ai)$'::text)"},
    {lf_things, SOLVED, "((auth.jwt() ->> 'role'::text) = 'service_role'::text)"},
    {lf_things, SOLVED, "(created_by = COALESCE(auth.email(), 'anonymous'::text))"},
};

START_TEST(test_compile_shapes_of_a_real_application)
{
    struct gw_catalog_table *t = shapes[_i].table();
    struct gw_rules *r = lf_compile(t, shapes[_i].qual);
    const struct gw_plan *plan = lf_plan(r, t);
    char *got = lf_text(r, plan);
    ck_assert_msg((int)plan->path == shapes[_i].path, "%s\n%s", shapes[_i].qual, got);
    if (plan->path == GW_PLAN_ASSISTED)
        ck_assert_uint_gt(plan->policies[0].why.n, 0);
    free(got);
    gw_rules_unref(r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("compile");
    TCase *tc = tcase_create("plans");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_compile_joins_policies_as_postgres_does);
    tcase_add_test(tc, test_compile_only_where_policies_decide);
    tcase_add_test(tc, test_compile_roles_have_their_own_policies);
    tcase_add_test(tc, test_compile_says_what_a_plan_uses);
    tcase_add_test(tc, test_compile_one_asked_policy_asks_the_plan);
    tcase_add_test(tc, test_compile_paths_and_reasons_per_policy);
    tcase_add_test(tc, test_compile_constant_policies);
    tcase_add_test(tc, test_compile_topics_have_a_plan_to_read_and_one_to_write);
    tcase_add_test(tc, test_compile_policy_without_an_expression_counts_for_nothing);
    tcase_add_test(tc, test_compile_shares_rules_while_nothing_changes);
    tcase_add_test(tc, test_compile_makes_new_rules_when_something_changes);
    tcase_add_test(tc, test_compile_decides_the_catalogs_paths);
    tcase_add_test(tc, test_compile_rules_outlive_their_catalog);
    tcase_add_loop_test(tc, test_compile_shapes_of_a_real_application, 0,
                        (int)(sizeof shapes / sizeof *shapes));
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
