#include "gw/commit.h"

#include "gw/catalog.h"

#include <check.h>
#include <stdlib.h>

enum { TABLE_OID = 100, N_ROLES = 3 };

struct column {
    const char *name;
    bool is_key;
};

static struct gw_catalog *catalog;

/* The catalog's table: id (key), secret, "odd\"name"; role 0 sees all, 1 not the secret, 2 none. */
static void setup(void)
{
    static const char *const names[] = {"id", "secret", "odd\"name"};
    static const char *const type_names[] = {"int8", "text", "_text"};
    catalog = gw_catalog_new();
    catalog->n_roles = N_ROLES;
    catalog->n_tables = 1;
    struct gw_catalog_table *t = gw_arena_alloc(&catalog->arena, sizeof *t);
    catalog->tables = t;
    t->oid = TABLE_OID;
    t->schema = GW_SPAN_LIT("public");
    t->name = GW_SPAN_LIT("todos");
    t->n_columns = 3;
    t->columns = gw_arena_alloc(&catalog->arena, 3 * sizeof *t->columns);
    for (int i = 0; i < 3; i++) {
        t->columns[i].name = gw_span_of(names[i]);
        t->columns[i].type_name = gw_span_of(type_names[i]);
        t->columns[i].attnum = (int16_t)(i + 1);
    }
    t->columns[0].in_primary_key = true;
    t->access = gw_arena_alloc(&catalog->arena, N_ROLES * sizeof *t->access);
    for (unsigned i = 0; i < 3; i++)
        gw_colset_add(&t->access[0].columns, i);
    gw_colset_add(&t->access[1].columns, 0);
    gw_colset_add(&t->access[1].columns, 2);
    gw_catalog_finish(catalog, NULL, NULL);
}

static void teardown(void)
{
    gw_catalog_unref(catalog);
}

static struct gw_relation *new_relation(uint32_t oid, char identity, const struct column *columns,
                                        uint16_t n)
{
    struct gw_pgoutput_column *wire = gw_alloc((n + 1U) * sizeof *wire);
    for (unsigned i = 0; i < n; i++) {
        wire[i].name = gw_span_of(columns[i].name);
        wire[i].is_key = columns[i].is_key;
        wire[i].type_oid = 25;
    }
    struct gw_pgoutput_msg msg = {.kind = GW_PGOUTPUT_RELATION};
    msg.u.relation.rel_oid = oid;
    msg.u.relation.schema = GW_SPAN_LIT("public");
    msg.u.relation.name = GW_SPAN_LIT("todos");
    msg.u.relation.replica_identity = identity;
    msg.u.relation.n_columns = n;
    msg.u.relation.columns = wire;
    struct gw_relation *rel = gw_relation_new(&msg);
    free(wire);
    return rel;
}

static struct gw_table_views *views_of(uint32_t oid, char identity, const struct column *columns,
                                       uint16_t n)
{
    struct gw_relation *rel = new_relation(oid, identity, columns, n);
    struct gw_table_views *v = gw_table_views_new(rel, catalog);
    gw_relation_unref(rel); /* the views hold their own */
    return v;
}

static void expect_set(const struct gw_colset *got, unsigned want_bits)
{
    struct gw_colset want = {0};
    want.w[0] = want_bits;
    ck_assert(gw_colset_eq(got, &want));
}

static void expect_json(const struct gw_view *view, const char *want)
{
    ck_assert_msg(gw_span_is(view->columns_json, want), "%.*s", (int)view->columns_json.n,
                  view->columns_json.p);
}

static const struct column in_order[] = {{"id", true}, {"secret", false}, {"odd\"name", false}};

START_TEST(test_commit_views_follow_the_privileges_of_each_role)
{
    struct gw_table_views *v = views_of(TABLE_OID, 'd', in_order, 3);
    ck_assert_uint_eq(v->n_roles, N_ROLES);
    expect_set(&v->views[0].columns, 7);
    expect_set(&v->views[1].columns, 5);
    expect_set(&v->views[2].columns, 0);
    expect_json(&v->views[0], "[{\"name\":\"id\",\"type\":\"int8\"},{\"name\":\"secret\",\"type\":"
                              "\"text\"},{\"name\":\"odd\\\"name\",\"type\":\"_text\"}]");
    expect_json(&v->views[1], "[{\"name\":\"id\",\"type\":\"int8\"},{\"name\":\"odd\\\"name\","
                              "\"type\":\"_text\"}]");
    expect_json(&v->views[2], "[]");
    expect_set(&v->key, 1);
    gw_table_views_unref(v);
}
END_TEST

START_TEST(test_commit_views_go_by_name_not_by_position)
{
    static const struct column moved[] = {{"odd\"name", false}, {"secret", false}, {"id", true}};
    struct gw_table_views *v = views_of(TABLE_OID, 'd', moved, 3);
    expect_set(&v->views[1].columns, 5);
    expect_json(&v->views[1], "[{\"name\":\"odd\\\"name\",\"type\":\"_text\"},{\"name\":\"id\","
                              "\"type\":\"int8\"}]");
    expect_set(&v->key, 4);
    gw_table_views_unref(v);
}
END_TEST

START_TEST(test_commit_column_unknown_to_the_catalog_is_seen_by_nobody)
{
    static const struct column newer[] = {{"id", true}, {"added", false}, {"secret", false}};
    struct gw_table_views *v = views_of(TABLE_OID, 'd', newer, 3);
    expect_set(&v->views[0].columns, 5);
    expect_set(&v->views[1].columns, 1);
    gw_table_views_unref(v);
}
END_TEST

START_TEST(test_commit_table_unknown_to_the_catalog_is_seen_by_nobody)
{
    struct gw_table_views *v = views_of(TABLE_OID + 1, 'd', in_order, 3);
    for (unsigned role = 0; role < N_ROLES; role++) {
        expect_set(&v->views[role].columns, 0);
        expect_json(&v->views[role], "[]");
    }
    expect_set(&v->key, 1); /* of the relation */
    gw_table_views_unref(v);
}
END_TEST

START_TEST(test_commit_key_without_primary_key_is_the_identity)
{
    static const struct column by_index[] = {{"id", false}, {"secret", true}, {"odd\"name", false}};
    catalog->tables[0].columns[0].in_primary_key = false;
    struct gw_table_views *v = views_of(TABLE_OID, 'i', by_index, 3);
    expect_set(&v->key, 2);
    gw_table_views_unref(v);
}
END_TEST

START_TEST(test_commit_key_under_full_is_the_primary_key_or_nothing)
{
    static const struct column full[] = {{"id", true}, {"secret", true}, {"odd\"name", true}};
    struct gw_table_views *v = views_of(TABLE_OID, 'f', full, 3);
    expect_set(&v->key, 1);
    gw_table_views_unref(v);
    catalog->tables[0].columns[0].in_primary_key = false;
    v = views_of(TABLE_OID, 'f', full, 3);
    expect_set(&v->key, 0);
    gw_table_views_unref(v);
}
END_TEST

START_TEST(test_commit_key_with_half_a_primary_key_is_the_identity)
{
    static const struct column partial[] = {{"id", false}, {"odd\"name", true}};
    catalog->tables[0].columns[1].in_primary_key = true; /* secret is not in the log */
    struct gw_table_views *v = views_of(TABLE_OID, 'i', partial, 2);
    expect_set(&v->key, 2);
    gw_table_views_unref(v);
}
END_TEST

START_TEST(test_commit_views_of_no_columns_are_empty)
{
    struct gw_table_views *v = views_of(TABLE_OID, 'n', NULL, 0);
    expect_json(&v->views[0], "[]");
    expect_set(&v->key, 0);
    gw_table_views_unref(v);
}
END_TEST

START_TEST(test_commit_views_hold_relation_and_catalog)
{
    struct gw_table_views *v = views_of(TABLE_OID, 'd', in_order, 3);
    ck_assert_uint_eq(atomic_load(&catalog->refs), 2);
    ck_assert_uint_eq(v->rel->oid, TABLE_OID);
    ck_assert_ptr_eq(gw_table_views_ref(v), v);
    gw_table_views_unref(v);
    ck_assert_uint_eq(atomic_load(&catalog->refs), 2);
    gw_table_views_unref(v);
    ck_assert_uint_eq(atomic_load(&catalog->refs), 1);
    gw_table_views_unref(NULL);
}
END_TEST

START_TEST(test_commit_free_releases_views_and_transaction)
{
    struct gw_table_views *v = views_of(TABLE_OID, 'd', in_order, 3);
    struct gw_commit *c = gw_alloc(sizeof *c);
    c->txn = gw_alloc(sizeof *c->txn);
    gw_arena_init(&c->txn->arena, 0);
    c->n_changes = 2;
    c->changes = gw_arena_alloc(&c->txn->arena, 2 * sizeof *c->changes);
    c->changes[0].views = gw_table_views_ref(v);
    c->changes[1].views = gw_table_views_ref(v);
    c->n_scopes = 1;
    c->scopes = gw_arena_alloc(&c->txn->arena, sizeof *c->scopes);
    c->scopes[0].views = gw_table_views_ref(v);
    gw_commit_free(c);
    ck_assert_uint_eq(atomic_load(&v->refs), 1);
    gw_table_views_unref(v);
    gw_commit_free(NULL);
}
END_TEST

START_TEST(test_commit_bytes_count_all_that_is_in_the_arena)
{
    struct gw_commit *c = gw_alloc(sizeof *c);
    c->txn = gw_alloc(sizeof *c->txn);
    gw_arena_init(&c->txn->arena, 0);
    gw_commit_settle(c);
    ck_assert_uint_ge(c->bytes, sizeof *c);
    size_t before = c->bytes;
    c->revocations = gw_arena_alloc(&c->txn->arena, 100000 * sizeof *c->revocations);
    gw_commit_settle(c);
    ck_assert_uint_ge(c->bytes, before + 100000 * sizeof *c->revocations);
    gw_commit_free(c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("commit");
    TCase *tc = tcase_create("commit");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_commit_views_follow_the_privileges_of_each_role);
    tcase_add_test(tc, test_commit_views_go_by_name_not_by_position);
    tcase_add_test(tc, test_commit_column_unknown_to_the_catalog_is_seen_by_nobody);
    tcase_add_test(tc, test_commit_table_unknown_to_the_catalog_is_seen_by_nobody);
    tcase_add_test(tc, test_commit_key_without_primary_key_is_the_identity);
    tcase_add_test(tc, test_commit_key_under_full_is_the_primary_key_or_nothing);
    tcase_add_test(tc, test_commit_key_with_half_a_primary_key_is_the_identity);
    tcase_add_test(tc, test_commit_views_of_no_columns_are_empty);
    tcase_add_test(tc, test_commit_views_hold_relation_and_catalog);
    tcase_add_test(tc, test_commit_free_releases_views_and_transaction);
    tcase_add_test(tc, test_commit_bytes_count_all_that_is_in_the_arena);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
