/* What callers may do with private topics: policies on realtime.messages that look into a table of
 * members, compiled as in a database, solved against an access state that the test fills. */
#include "gw/topics.h"

#include "../policy/fixture.h"
#include "../policy/state_fixture.h"

#include "gw/compile.h"
#include "gw/messages.h"

#define READ (GW_MAY_READ_BROADCAST | GW_MAY_READ_PRESENCE)
#define WRITE (GW_MAY_WRITE_BROADCAST)
#define TOLD_MAX 4096

#define TOPIC "current_setting('realtime.topic'::text, true)"
#define SUB "((current_setting('request.jwt.claims'::text, true))::jsonb ->> 'sub'::text)"
#define IS_MEMBER                                                                                  \
    "(EXISTS ( SELECT 1 FROM public.members WHERE ((members.room = " TOPIC                         \
    ") AND (members.user_id = " SUB "))))"
#define IS_EDITOR                                                                                  \
    "((extension = 'broadcast'::text) AND (EXISTS ( SELECT 1 FROM public.members WHERE "           \
    "((members.room = " TOPIC ") AND (members.user_id = " SUB                                      \
    ") AND (members.kind = 'editor'::text)))))"

static struct {
    struct gw_catalog *catalog;
    struct gw_state *state;
    struct gw_solver *solver;
    struct gw_callers *callers;
    struct gw_topics *topics;
    struct gw_judge_stats stats;
    struct gw_judge_env env;
    struct gw_relation *members;
    struct gw_topics_told told[TOLD_MAX];
    uint32_t n_told, n_txns;
} fix;

/* ---- the catalog ---- */

static void all_text(struct gw_catalog_table *t)
{
    for (uint16_t i = 0; i < t->n_columns; i++) {
        t->columns[i].type_oid = OID_TEXT;
        t->columns[i].in_identity = true;
    }
    t->columns[0].in_primary_key = true;
    t->replica_identity = 'f';
    t->has_identity = true;
    for (int role = 0; role < N_ROLES; role++)
        t->access[role].has_schema_usage = t->access[role].may_insert = true;
}

/* read, write: policies for authenticated. Not finished. */
static struct gw_catalog *catalog_of(const char *read, const char *write)
{
    struct gw_catalog *c = fx_catalog();
    struct gw_catalog_table *messages =
        fx_table(c, "realtime", "messages", "id topic extension private event payload");
    struct gw_catalog_table *members = fx_table(c, "public", "members", "id room user_id kind");
    all_text(messages);
    all_text(members);
    members->rls_enabled = messages->published = false;
    fx_policy(c, messages, BIT(AUTHENTICATED), read);
    messages->access[SERVICE].bypasses_rls = true;
    messages->checks = gw_arena_alloc(&c->arena, sizeof *messages->checks);
    messages->checks[0] = (struct gw_check_policy){.name = fx_copy(c, "w"),
                                                   .permissive = true,
                                                   .roles = BIT(AUTHENTICATED),
                                                   .check = fx_copy(c, write)};
    messages->n_checks = 1;
    return c;
}

/* Takes c. The registry and the state follow, as in the hub. */
static void use(struct gw_catalog *c)
{
    gw_catalog_finish(c, NULL, NULL);
    gw_catalog_unref(fix.catalog);
    fix.catalog = c;
    fix.env.catalog = c;
    gw_state_set_rules(fix.state, c->rules);
    gw_solver_set_rules(fix.solver, c->rules);
    gw_callers_set_rules(fix.callers, c->rules);
}

/* ---- members ---- */

struct row {
    const char *id, *room, *user_id, *kind;
};

static const struct row usual[] = {{"1", "lisbon", "ada", "editor"},
                                   {"2", "lisbon", "bob", "guest"}};

static uint32_t members_table(void)
{
    uint32_t oid =
        gw_catalog_table_named(fix.catalog, GW_SPAN_LIT("public"), GW_SPAN_LIT("members"))->oid;
    int table = gw_rules_table_find(fix.catalog->rules, oid);
    ck_assert_int_ge(table, 0);
    return (uint32_t)table;
}

static struct gw_datum cell_of(const struct row *row, const struct gw_state_column *column)
{
    const char *text = gw_span_is(column->name, "id")        ? row->id
                       : gw_span_is(column->name, "room")    ? row->room
                       : gw_span_is(column->name, "user_id") ? row->user_id
                                                             : row->kind;
    return gw_datum_of(column->kind, gw_span_of(text));
}

/* NULL key: the whole table. */
static void load(const struct row *rows, uint32_t n, const struct gw_need_key *need)
{
    const uint32_t table = members_table();
    const struct gw_state_table_def *def = &fix.catalog->rules->tables[table];
    struct gw_datum *cells = gw_alloc((n * def->n_columns + 1) * sizeof *cells);
    for (uint32_t i = 0; i < n * def->n_columns; i++)
        cells[i] = cell_of(&rows[i / def->n_columns], &def->columns[i % def->n_columns]);
    const struct gw_state_rows all = {n, cells};
    if (need)
        gw_state_load_key(fix.state, table, need->index, need->key, &all);
    else
        gw_state_load(fix.state, table, &all);
    gw_state_settle(fix.state);
    free(cells);
}

/* Either may be NULL. */
static void apply(const char *const *old, const char *const *fresh)
{
    struct gw_txn *t = st_txn(++fix.n_txns);
    st_change(t, fix.members,
              !old    ? GW_OP_INSERT
              : fresh ? GW_OP_UPDATE
                      : GW_OP_DELETE,
              old, fresh);
    st_apply(fix.state, t);
}

/* ---- callers and questions ---- */

static struct gw_claims *claims_of(unsigned role, const char *sub)
{
    char json[80];
    snprintf(json, sizeof json, "{\"sub\":\"%s\"}", sub);
    return gw_claims_new((uint16_t)role, GW_SPAN_LIT("r"), gw_span_of(sub), INT64_MAX,
                         gw_span_of(json));
}

static void ask_as(unsigned role, uint64_t channel, const char *sub, const char *topic)
{
    struct gw_claims *claims = claims_of(role, sub);
    struct gw_topics_question q = {.worker = 3,
                                   .channel_id = channel,
                                   .attempt = (uint32_t)channel + 100,
                                   .claims = claims,
                                   .topic = gw_span_of(topic)};
    gw_topics_put(fix.topics, &q);
    gw_claims_unref(claims);
}

static void ask(uint64_t channel, const char *sub, const char *topic)
{
    ask_as(AUTHENTICATED, channel, sub, topic);
}

static void on_told(void *ctx, const struct gw_topics_told *told)
{
    ck_assert_ptr_eq(ctx, &fix);
    ck_assert_uint_lt(fix.n_told, TOLD_MAX);
    fix.told[fix.n_told++] = *told;
}

static void judge(void)
{
    fix.n_told = 0;
    ck_assert_int_eq(gw_topics_judge(fix.topics, &fix.env, on_told, &fix), GW_OK);
    ck_assert(!gw_topics_has_work(fix.topics));
}

static const struct gw_topics_told *told_to(uint64_t channel)
{
    const struct gw_topics_told *found = NULL;
    for (uint32_t i = 0; i < fix.n_told; i++) {
        if (fix.told[i].channel_id != channel)
            continue;
        ck_assert_msg(!found, "told twice");
        found = &fix.told[i];
    }
    return found;
}

static void ck_told(uint64_t channel, uint32_t may, bool is_first)
{
    const struct gw_topics_told *told = told_to(channel);
    ck_assert_msg(told != NULL, "channel %u was not told", (unsigned)channel);
    ck_assert_uint_eq(told->may, may);
    ck_assert_int_eq(told->is_first, is_first);
    ck_assert_uint_eq(told->worker, 3);
    ck_assert_uint_eq(told->attempt, (uint32_t)channel + 100);
}

static void on_state_unknown(void *ctx, uint32_t rel_oid)
{
    (void)ctx;
    (void)rel_oid;
}

static void setup(void)
{
    static const struct gw_solver_config cfg = {
        .memo_bytes = 1 << 20, .rows_max = 100000, .externals_max = 1000};
    static const struct st_column columns[] = {{"id", OID_TEXT, true},
                                               {"room", OID_TEXT, false},
                                               {"user_id", OID_TEXT, false},
                                               {"kind", OID_TEXT, false}};
    memset(&fix, 0, sizeof fix);
    fix.state = gw_state_new((size_t)1 << 20);
    fix.solver = gw_solver_new(fix.state, &cfg);
    fix.callers = gw_callers_new(NULL, 0);
    fix.topics = gw_topics_new(5);
    fix.env = (struct gw_judge_env){.state = fix.state,
                                    .solver = fix.solver,
                                    .callers = fix.callers,
                                    .stats = &fix.stats,
                                    .ctx = &fix,
                                    .on_state_unknown = on_state_unknown};
    use(catalog_of(IS_MEMBER, IS_EDITOR));
    load(usual, 2, NULL);
    uint32_t oid = fix.catalog->rules->tables[members_table()].oid;
    fix.members = st_relation(oid, 'f', 4, columns);
}

static void teardown(void)
{
    gw_topics_free(fix.topics); /* before the state that its watches hang on */
    gw_solver_free(fix.solver);
    gw_callers_free(fix.callers);
    gw_state_free(fix.state);
    gw_relation_unref(fix.members);
    gw_catalog_unref(fix.catalog);
}

/* ---- cases ---- */

START_TEST(test_topics_bits_follow_from_both_policies)
{
    const struct gw_rules *rules = fix.catalog->rules;
    for (uint32_t i = 0; i < rules->n_plans; i++)
        ck_assert_int_eq(rules->plans[i].path, GW_PLAN_SOLVED);
    ask(1, "ada", "lisbon");
    ask(2, "bob", "lisbon");
    ask(3, "eve", "lisbon");
    ask(4, "ada", "porto");
    ask_as(ANON, 5, "ada", "lisbon");
    ask_as(SERVICE, 6, "x", "lisbon");
    ck_assert(gw_topics_has_work(fix.topics));
    judge();
    ck_told(1, READ | WRITE, true);
    ck_told(2, READ, true);
    ck_told(3, 0, true);
    ck_told(4, 0, true);
    ck_told(5, 0, true);
    ck_told(6, READ | GW_MAY_WRITE_BROADCAST | GW_MAY_WRITE_PRESENCE, true);
    ck_assert_uint_eq(gw_topics_counts(fix.topics).topics, 4); /* by role */
    ck_assert_uint_eq(gw_topics_counts(fix.topics).members, 6);
    judge();
    ck_assert_uint_eq(fix.n_told, 0);
}
END_TEST

START_TEST(test_topics_membership_that_ends_is_told_at_once)
{
    ask(1, "ada", "lisbon");
    ask(2, "bob", "lisbon");
    ask(3, "bob", "porto");
    judge();
    apply(ST_ROW("2", "lisbon", "bob", "guest"), NULL);
    ck_assert(gw_topics_has_work(fix.topics));
    judge();
    ck_assert_uint_eq(fix.n_told, 1);
    ck_told(2, 0, false);
    ck_assert_uint_eq(gw_topics_counts(fix.topics).revoked, 1);
    apply(NULL, ST_ROW("3", "lisbon", "bob", "editor"));
    judge();
    ck_assert_uint_eq(fix.n_told, 1);
    ck_told(2, READ | WRITE, false);
    ck_assert_uint_eq(gw_topics_counts(fix.topics).revoked, 1);
}
END_TEST

START_TEST(test_topics_changes_elsewhere_wake_nobody)
{
    ask(1, "ada", "lisbon");
    judge();
    apply(NULL, ST_ROW("9", "porto", "ada", "editor"));
    ck_assert(!gw_topics_has_work(fix.topics));
    apply(ST_ROW("1", "lisbon", "ada", "editor"), ST_ROW("1", "lisbon", "ada", "guest"));
    judge();
    ck_told(1, READ, false);
    ck_assert_uint_eq(gw_topics_counts(fix.topics).revoked, 1);
}
END_TEST

START_TEST(test_topics_missing_rows_are_needed_first)
{
    gw_state_load_cached(fix.state, members_table());
    ask(1, "ada", "lisbon");
    ask(2, "ada", "porto");
    ck_assert_int_eq(gw_topics_judge(fix.topics, &fix.env, on_told, &fix), GW_E_AGAIN);
    ck_assert_uint_eq(fix.n_told, 0);
    ck_assert(gw_topics_has_work(fix.topics));
    const struct gw_needs *needs = gw_solver_needs(fix.solver);
    ck_assert_uint_gt(needs->n_keys, 0);
    for (uint32_t i = 0; i < needs->n_keys; i++) {
        bool is_lisbon = false;
        const struct gw_state_table_def *def = &fix.catalog->rules->tables[needs->keys[i].table];
        for (uint32_t k = 0; k < def->indexes[needs->keys[i].index].n; k++)
            is_lisbon |= gw_span_is(needs->keys[i].key[k].text, "lisbon");
        load(usual, is_lisbon ? 2 : 0, &needs->keys[i]);
    }
    gw_solver_forget_needs(fix.solver);
    judge();
    ck_told(1, READ | WRITE, true);
    ck_told(2, 0, true);
    apply(ST_ROW("1", "lisbon", "ada", "editor"), NULL);
    judge();
    ck_told(1, 0, false);
}
END_TEST

START_TEST(test_topics_unknown_is_denied_until_it_is_known)
{
    gw_state_unload(fix.state, members_table());
    fix.env.is_give_up = true;
    ask(1, "ada", "lisbon");
    judge();
    ck_told(1, 0, true);
    fix.env.is_give_up = false;
    load(usual, 2, NULL);
    ck_assert(gw_topics_has_work(fix.topics));
    judge();
    ck_told(1, READ | WRITE, false);
}
END_TEST

START_TEST(test_topics_new_policies_judge_everybody_again)
{
    ask(1, "ada", "lisbon");
    ask(2, "bob", "lisbon");
    judge();
    use(catalog_of(IS_EDITOR, "false"));
    load(usual, 2, NULL);
    gw_topics_all_dirty(fix.topics);
    judge();
    ck_assert_uint_eq(fix.n_told, 2);
    ck_told(1, GW_MAY_READ_BROADCAST, false);
    ck_told(2, 0, false);
    ck_assert_uint_eq(gw_topics_counts(fix.topics).revoked, 2);
}
END_TEST

START_TEST(test_topics_new_policies_are_noticed_with_the_next_work)
{
    for (uint64_t channel = 1; channel <= 20; channel++)
        ask(channel, "ada", "lisbon");
    judge();
    use(catalog_of("(topic = 'porto'::text)", "false"));
    ask(30, "ada", "lisbon");
    judge();
    ck_assert_uint_eq(fix.n_told, 21);
    ck_told(1, 0, false);
    ck_told(30, 0, true);
}
END_TEST

START_TEST(test_topics_privilege_and_constant_policies)
{
    struct gw_catalog *c = catalog_of("true", "true");
    use(c);
    ask(1, "eve", "anything");
    judge();
    ck_told(1, READ | GW_MAY_WRITE_BROADCAST | GW_MAY_WRITE_PRESENCE, true);
    c = catalog_of("true", "true");
    c->tables[0].access[AUTHENTICATED].may_insert = false;
    use(c);
    gw_topics_all_dirty(fix.topics);
    judge();
    ck_told(1, READ, false);
    c = catalog_of("true", "true");
    c->tables[0].access[AUTHENTICATED].has_schema_usage = false;
    use(c);
    gw_topics_all_dirty(fix.topics);
    judge();
    ck_told(1, 0, false);
}
END_TEST

START_TEST(test_topics_the_row_has_topic_and_extension)
{
    use(catalog_of("((topic = 'lisbon'::text) AND (extension = 'presence'::text))",
                   "(extension = 'broadcast'::text)"));
    ask(1, "eve", "lisbon");
    ask(2, "eve", "porto");
    judge();
    ck_told(1, GW_MAY_READ_PRESENCE | GW_MAY_WRITE_BROADCAST, true);
    ck_told(2, GW_MAY_WRITE_BROADCAST, true);
}
END_TEST

START_TEST(test_topics_policies_that_must_be_asked_admit_nobody)
{
    use(catalog_of("(topic > " SUB ")", "true"));
    ask(1, "ada", "lisbon");
    judge();
    ck_told(1, GW_MAY_WRITE_BROADCAST | GW_MAY_WRITE_PRESENCE, true);
}
END_TEST

START_TEST(test_topics_without_the_table_are_closed)
{
    struct gw_catalog *c = catalog_of("true", "true");
    c->tables[0].name = fx_copy(c, "other");
    use(c);
    ask(1, "ada", "lisbon");
    judge();
    ck_told(1, 0, true);
}
END_TEST

START_TEST(test_topics_dropped_channel_is_told_nothing)
{
    ask(1, "ada", "lisbon");
    ask(2, "ada", "lisbon");
    judge();
    gw_topics_drop(fix.topics, 3, 1);
    gw_topics_drop(fix.topics, 3, 1);
    gw_topics_drop(fix.topics, 4, 2); /* of another worker: not there */
    apply(ST_ROW("1", "lisbon", "ada", "editor"), NULL);
    judge();
    ck_assert_uint_eq(fix.n_told, 1);
    ck_told(2, 0, false);
    gw_topics_drop(fix.topics, 3, 2);
    ck_assert_uint_eq(gw_topics_counts(fix.topics).topics, 0);
    ck_assert_uint_eq(gw_topics_counts(fix.topics).members, 0);
    apply(NULL, ST_ROW("1", "lisbon", "ada", "editor"));
    ck_assert(!gw_topics_has_work(fix.topics));
    ask(7, "ada", "lisbon");
    gw_topics_drop(fix.topics, 3, 7); /* before it was judged */
    ck_assert(!gw_topics_has_work(fix.topics));
}
END_TEST

START_TEST(test_topics_question_asked_again_replaces_the_earlier)
{
    struct gw_claims *claims = claims_of(AUTHENTICATED, "bob");
    ask(1, "ada", "lisbon");
    judge();
    struct gw_topics_question q = {.worker = 3,
                                   .channel_id = 1,
                                   .attempt = 777,
                                   .claims = claims,
                                   .topic = GW_SPAN_LIT("lisbon")};
    gw_topics_put(fix.topics, &q);
    gw_claims_unref(claims);
    judge();
    ck_assert_uint_eq(fix.n_told, 1);
    ck_assert_uint_eq(fix.told[0].attempt, 777);
    ck_assert_uint_eq(fix.told[0].may, READ);
    ck_assert(fix.told[0].is_first);
    ck_assert_uint_eq(gw_topics_counts(fix.topics).members, 1);
    ck_assert_uint_eq(gw_topics_counts(fix.topics).topics, 1);
}
END_TEST

START_TEST(test_topics_many_members_share_a_room)
{
    enum { MANY = 2000 };
    for (uint64_t channel = 1; channel <= MANY; channel++)
        ask(channel, channel % 2 ? "ada" : "bob", "lisbon");
    judge();
    ck_assert_uint_eq(fix.n_told, MANY);
    ck_assert_uint_eq(gw_topics_counts(fix.topics).judged, 1);
    ask(MANY + 1, "bob", "lisbon"); /* the room is known: nothing is solved, nobody else told */
    judge();
    ck_assert_uint_eq(fix.n_told, 1);
    ck_told(MANY + 1, READ, true);
    ck_assert_uint_eq(gw_topics_counts(fix.topics).judged, 1);
    apply(ST_ROW("1", "lisbon", "ada", "editor"), NULL);
    ask(MANY + 3, "ada", "lisbon");
    judge();
    ck_assert_uint_eq(fix.n_told, MANY / 2 + 1);
    ck_told(1, 0, false);
    ck_told(MANY + 3, 0, true);
    ck_assert_uint_eq(gw_topics_counts(fix.topics).judged, 2);
    ck_assert_uint_eq(gw_topics_counts(fix.topics).revoked, MANY / 2);
    ck_assert_uint_eq(gw_topics_counts(fix.topics).topics, 1);
}
END_TEST

START_TEST(test_topics_may_answers_one_caller)
{
    struct gw_claims *ada = claims_of(AUTHENTICATED, "ada"), *eve = claims_of(AUTHENTICATED, "eve");
    uint32_t may = 99;
    ck_assert_int_eq(gw_topics_may(&fix.env, ada, GW_SPAN_LIT("lisbon"), &may), GW_OK);
    ck_assert_uint_eq(may, READ | WRITE);
    ck_assert_int_eq(gw_topics_may(&fix.env, eve, GW_SPAN_LIT("lisbon"), &may), GW_OK);
    ck_assert_uint_eq(may, 0);
    gw_state_load_cached(fix.state, members_table());
    ck_assert_int_eq(gw_topics_may(&fix.env, ada, GW_SPAN_LIT("lisbon"), &may), GW_E_AGAIN);
    gw_claims_unref(ada);
    gw_claims_unref(eve);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("topics");
    TCase *tc = tcase_create("topics");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_topics_bits_follow_from_both_policies);
    tcase_add_test(tc, test_topics_membership_that_ends_is_told_at_once);
    tcase_add_test(tc, test_topics_changes_elsewhere_wake_nobody);
    tcase_add_test(tc, test_topics_missing_rows_are_needed_first);
    tcase_add_test(tc, test_topics_unknown_is_denied_until_it_is_known);
    tcase_add_test(tc, test_topics_new_policies_judge_everybody_again);
    tcase_add_test(tc, test_topics_new_policies_are_noticed_with_the_next_work);
    tcase_add_test(tc, test_topics_privilege_and_constant_policies);
    tcase_add_test(tc, test_topics_the_row_has_topic_and_extension);
    tcase_add_test(tc, test_topics_policies_that_must_be_asked_admit_nobody);
    tcase_add_test(tc, test_topics_without_the_table_are_closed);
    tcase_add_test(tc, test_topics_dropped_channel_is_told_nothing);
    tcase_add_test(tc, test_topics_question_asked_again_replaces_the_earlier);
    tcase_add_test(tc, test_topics_many_members_share_a_room);
    tcase_add_test(tc, test_topics_may_answers_one_caller);
    suite_add_tcase(s, tc);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
