/* interest: who is visited for a change, and what stays when subscriptions go. */
#include "judge_fixture.h"

#define SEEN_MAX 16

struct seen {
    uint32_t n, ids[SEEN_MAX];
};

static void on_visit(void *ctx, const struct gw_caller *caller)
{
    struct seen *seen = ctx;
    ck_assert_uint_lt(seen->n, SEEN_MAX);
    seen->ids[seen->n++] = caller->id;
}

static bool has_seen(const struct seen *seen, uint32_t id)
{
    for (uint32_t i = 0; i < seen->n; i++)
        if (seen->ids[i] == id)
            return true;
    return false;
}

/* Whom the first change of the transaction under way concerns. */
static struct seen visit(void)
{
    struct seen seen = {0};
    struct gw_txn *txn = wire_feed_commit(fix.assembler, &fix.wire, fix.xid);
    ck_assert_uint_eq(txn->n_changes, 1);
    struct gw_interest_change change = {&txn->changes[0], &fix.catalog->types};
    gw_interest_each(fix.interest, &change, UINT64_MAX, on_visit, &seen);
    gw_txn_free(txn);
    return seen;
}

static struct seen visit_insert(const char *user)
{
    fix_begin();
    fix_insert(NOTES, ROW("1", user, "x"));
    return visit();
}

static struct gw_binding binding(uint32_t id, unsigned events, uint32_t rel_oid, char *value)
{
    return (struct gw_binding){.id = id,
                               .events = events,
                               .schema = "public",
                               .table = rel_oid ? "notes" : "*",
                               .rel_oid = rel_oid,
                               .filter = {value ? "user_id" : NULL, value, value ? TEXT_OID : 0}};
}

static uint32_t put(uint32_t worker, uint64_t channel, const char *who, const struct gw_binding *b,
                    uint32_t n)
{
    struct gw_claims *claims = fix_claims(AUTHENTICATED, who);
    uint32_t id = gw_interest_put(fix.interest, worker, channel, claims, b, n);
    gw_claims_unref(claims);
    return id;
}

static void expect_counts(uint64_t channels, uint64_t callers, uint64_t bindings)
{
    struct gw_interest_counts got = gw_interest_counts(fix.interest);
    ck_assert_uint_eq(got.channels, channels);
    ck_assert_uint_eq(got.callers, callers);
    ck_assert_uint_eq(got.bindings, bindings);
}

START_TEST(test_interest_equal_claims_are_one_caller_visited_once)
{
    uint32_t ann = fix_follow(1, AUTHENTICATED, "ann", NOTES);
    ck_assert_uint_eq(fix_follow(2, AUTHENTICATED, "ann", NOTES), ann);
    struct gw_binding b[] = {binding(1, GW_EVENT_ALL, NOTES, NULL),
                             binding(2, GW_EVENT_INSERT, NOTES, NULL)};
    ck_assert_uint_eq(put(1, 1, "ann", b, 2), ann); /* the same channel id of another worker */
    ck_assert_uint_ne(fix_follow(3, ANON, "ann", NOTES), ann);
    uint32_t bob = fix_follow(4, AUTHENTICATED, "bob", NOTES);
    struct seen seen = visit_insert("ann");
    ck_assert_uint_eq(seen.n, 3);
    ck_assert(has_seen(&seen, ann) && has_seen(&seen, bob));
    expect_counts(5, 3, 6);
}
END_TEST

START_TEST(test_interest_events_are_followed_one_by_one)
{
    static const unsigned events[] = {GW_EVENT_INSERT, GW_EVENT_UPDATE, GW_EVENT_DELETE,
                                      GW_EVENT_ALL};
    uint32_t ids[4];
    for (unsigned i = 0; i < 4; i++) {
        char who[2] = {(char)('a' + i), 0};
        struct gw_binding b = binding(i + 1, events[i], NOTES, NULL);
        ids[i] = put(0, i, who, &b, 1);
    }
    for (unsigned op = 0; op < 3; op++) {
        fix_begin();
        if (op == GW_OP_INSERT)
            fix_insert(NOTES, ROW("1", "u", "x"));
        else if (op == GW_OP_UPDATE)
            fix_update(NOTES, ROW("1", "u", "x", "1", "u", "y"));
        else
            fix_delete(NOTES, 'O', ROW("1", "u", "x"));
        struct seen seen = visit();
        ck_assert_uint_eq(seen.n, 2);
        ck_assert(has_seen(&seen, ids[op]) && has_seen(&seen, ids[3]));
    }
}
END_TEST

START_TEST(test_interest_filter_is_for_the_image_the_client_sees)
{
    struct gw_binding b = binding(1, GW_EVENT_ALL, NOTES, "ann");
    put(0, 1, "reader", &b, 1);
    ck_assert_uint_eq(visit_insert("ann").n, 1);
    ck_assert_uint_eq(visit_insert("bob").n, 0);
    ck_assert_uint_eq(visit_insert(NULL).n, 0);
    fix_begin();
    fix_update(NOTES, ROW("1", "bob", "x", "1", "ann", "x"));
    ck_assert_uint_eq(visit().n, 1);
    fix_begin();
    fix_update(NOTES, ROW("1", "ann", "x", "1", "bob", "x"));
    ck_assert_uint_eq(visit().n, 0);
    fix_begin();
    fix_delete(NOTES, 'O', ROW("1", "ann", "x"));
    ck_assert_uint_eq(visit().n, 1);
    fix_announce(NOTES, "notes", 'd', "+id user_id body");
    fix_begin();
    fix_delete(NOTES, 'K', ROW("1", NULL, NULL)); /* the column is not in the log */
    ck_assert_uint_eq(visit().n, 0);
}
END_TEST

START_TEST(test_interest_wildcard_and_name_visit_once)
{
    struct gw_binding both[] = {binding(1, GW_EVENT_ALL, 0, NULL),
                                binding(2, GW_EVENT_ALL, NOTES, "ann")};
    uint32_t ann = put(0, 1, "ann", both, 2);
    uint32_t bob = fix_follow(2, AUTHENTICATED, "bob", 0);
    struct seen seen = visit_insert("ann"); /* both match */
    ck_assert_uint_eq(seen.n, 2);
    ck_assert(has_seen(&seen, ann) && has_seen(&seen, bob));
    ck_assert_uint_eq(visit_insert("carl").n, 2); /* only the wildcard matches */
    fix_begin();
    fix_insert(POSTS, ROW("1", "x"));
    ck_assert_uint_eq(visit().n, 2);
}
END_TEST

START_TEST(test_interest_wildcard_covers_its_schema_or_all)
{
    struct gw_binding other = binding(1, GW_EVENT_ALL, 0, NULL);
    struct gw_binding all = binding(1, GW_EVENT_ALL, 0, NULL);
    other.schema = "private";
    all.schema = "*";
    put(0, 1, "other", &other, 1);
    uint32_t id = put(0, 2, "all", &all, 1);
    struct seen seen = visit_insert("u");
    ck_assert_uint_eq(seen.n, 1);
    ck_assert_uint_eq(seen.ids[0], id);
}
END_TEST

START_TEST(test_interest_put_replaces_bindings_and_claims)
{
    uint32_t ann = fix_follow(1, AUTHENTICATED, "ann", NOTES);
    ck_assert_uint_eq(fix_follow(1, AUTHENTICATED, "ann", POSTS), ann); /* same claims, same id */
    ck_assert_uint_eq(visit_insert("u").n, 0);
    ck_assert(!gw_interest_has_table(fix.interest, NOTES));
    ck_assert(gw_interest_has_table(fix.interest, POSTS));
    uint32_t fresh = fix_follow(1, AUTHENTICATED, "ann, refreshed", NOTES);
    ck_assert_uint_ne(fresh, ann);
    struct seen seen = visit_insert("u");
    ck_assert_uint_eq(seen.n, 1);
    ck_assert_uint_eq(seen.ids[0], fresh);
    expect_counts(1, 1, 1);
}
END_TEST

START_TEST(test_interest_drop_leaves_those_who_share)
{
    uint32_t ann = fix_follow(1, AUTHENTICATED, "ann", NOTES);
    fix_follow(2, AUTHENTICATED, "ann", NOTES);
    gw_interest_drop(fix.interest, 0, 1);
    gw_interest_drop(fix.interest, 1, 2); /* nobody there */
    ck_assert_uint_eq(visit_insert("u").n, 1);
    gw_interest_drop(fix.interest, 0, 2);
    gw_interest_drop(fix.interest, 0, 2);
    ck_assert_uint_eq(visit_insert("u").n, 0);
    ck_assert(!gw_interest_has_table(fix.interest, NOTES));
    expect_counts(0, 0, 0);
    ck_assert_uint_ne(fix_follow(1, AUTHENTICATED, "ann", NOTES), ann); /* ids are not reused */
}
END_TEST

START_TEST(test_interest_table_is_followed_by_name_or_wildcard)
{
    ck_assert(!gw_interest_has_table(fix.interest, NOTES));
    fix_follow(1, ANON, "a", NOTES);
    ck_assert(gw_interest_has_table(fix.interest, NOTES));
    ck_assert(!gw_interest_has_table(fix.interest, POSTS));
    fix_follow(2, ANON, "a", 0);
    ck_assert(gw_interest_has_table(fix.interest, POSTS));
}
END_TEST

START_TEST(test_interest_without_bindings_is_known_and_not_visited)
{
    ck_assert_uint_ne(put(0, 1, "ann", NULL, 0), 0);
    expect_counts(1, 1, 0);
    ck_assert_uint_eq(visit_insert("u").n, 0);
    gw_interest_free(NULL);
}
END_TEST

START_TEST(test_interest_copies_what_it_is_given)
{
    char column[] = "user_id", value[] = "ann", schema[] = "public";
    struct gw_binding b = binding(1, GW_EVENT_ALL, NOTES, value);
    b.filter.column = column;
    b.schema = schema;
    put(0, 1, "reader", &b, 1);
    column[0] = value[0] = schema[0] = '?';
    ck_assert_uint_eq(visit_insert("ann").n, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("interest");
    TCase *tc = tcase_create("interest");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_interest_equal_claims_are_one_caller_visited_once);
    tcase_add_test(tc, test_interest_events_are_followed_one_by_one);
    tcase_add_test(tc, test_interest_filter_is_for_the_image_the_client_sees);
    tcase_add_test(tc, test_interest_wildcard_and_name_visit_once);
    tcase_add_test(tc, test_interest_wildcard_covers_its_schema_or_all);
    tcase_add_test(tc, test_interest_put_replaces_bindings_and_claims);
    tcase_add_test(tc, test_interest_drop_leaves_those_who_share);
    tcase_add_test(tc, test_interest_table_is_followed_by_name_or_wildcard);
    tcase_add_test(tc, test_interest_without_bindings_is_known_and_not_visited);
    tcase_add_test(tc, test_interest_copies_what_it_is_given);
    suite_add_tcase(s, tc);
    return wire_run(s);
}
