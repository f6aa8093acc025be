#include "gw/relation.h"

#include "wire.h"

static struct gw_relation *made(const char *name, char identity, const char *columns)
{
    struct gw_buf b;
    struct gw_arena arena;
    struct gw_pgoutput_msg msg;
    gw_buf_init(&b, 0);
    gw_arena_init(&arena, 0);
    wire_relation(&b, 7, name, identity, columns);
    ck_assert_int_eq(gw_pgoutput_decode(gw_buf_span(&b), &arena, &msg, NULL), GW_OK);
    struct gw_relation *r = gw_relation_new(&msg);
    gw_arena_fini(&arena); /* the relation must not point into the message */
    gw_buf_fini(&b);
    return r;
}

START_TEST(test_relation_new_copies_message)
{
    struct gw_relation *r = made("trips", 'd', "+id:i ti\"tle");
    ck_assert_uint_eq(r->oid, 7);
    ck_assert(gw_span_is(r->schema, "public") && gw_span_is(r->name, "trips"));
    ck_assert_int_eq(r->replica_identity, 'd');
    ck_assert_uint_eq(r->n_columns, 2);
    ck_assert(r->columns[0].is_key && !r->columns[1].is_key);
    ck_assert(gw_span_is(r->columns[0].name, "id"));
    ck_assert(gw_span_is(r->columns[0].json_key, "\"id\":"));
    ck_assert(gw_span_is(r->columns[1].json_key, "\"ti\\\"tle\":"));
    ck_assert_uint_eq(r->columns[0].type_oid, INT4_OID);
    ck_assert_int_eq(r->columns[0].typmod, -1);
    gw_relation_unref(r);
}
END_TEST

START_TEST(test_relation_empty_schema_is_pg_catalog)
{
    struct gw_pgoutput_msg msg = {.kind = GW_PGOUTPUT_RELATION};
    struct gw_relation *r = gw_relation_new(&msg);
    ck_assert(gw_span_is(r->schema, "pg_catalog"));
    ck_assert_uint_eq(r->n_columns, 0);
    gw_relation_unref(r);
}
END_TEST

START_TEST(test_relation_ref_keeps_it_alive)
{
    struct gw_relation *r = made("t", 'd', "+id:i");
    const struct gw_relation *second = gw_relation_ref(r);
    gw_relation_unref(r);
    ck_assert(gw_span_is(second->name, "t"));
    gw_relation_unref(second);
    gw_relation_unref(NULL);
}
END_TEST

START_TEST(test_relation_column_find_by_name)
{
    struct gw_relation *r = made("t", 'd', "+id:i a ab");
    ck_assert_int_eq(gw_relation_column_find(r, GW_SPAN_LIT("id")), 0);
    ck_assert_int_eq(gw_relation_column_find(r, GW_SPAN_LIT("ab")), 2);
    ck_assert_int_eq(gw_relation_column_find(r, GW_SPAN_LIT("b")), -1);
    ck_assert_int_eq(gw_relation_column_find(r, GW_SPAN_LIT("")), -1);
    gw_relation_unref(r);
}
END_TEST

START_TEST(test_relation_is_same_compares_everything)
{
    struct gw_relation *r = made("t", 'd', "+id:i a");
    struct gw_relation *others[] = {made("t", 'd', "+id:i a"),   made("u", 'd', "+id:i a"),
                                    made("t", 'i', "+id:i a"),   made("t", 'd', "+id:i b"),
                                    made("t", 'd', "+id:i +a"),  made("t", 'd', "+id a"),
                                    made("t", 'd', "+id:i a b"), made("t", 'd', "+id:i")};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        ck_assert_int_eq(gw_relation_is_same(r, others[i]), i == 0);
        gw_relation_unref(others[i]);
    }
    gw_relation_unref(r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relation");
    TCase *tc = tcase_create("relation");
    tcase_add_test(tc, test_relation_new_copies_message);
    tcase_add_test(tc, test_relation_empty_schema_is_pg_catalog);
    tcase_add_test(tc, test_relation_ref_keeps_it_alive);
    tcase_add_test(tc, test_relation_column_find_by_name);
    tcase_add_test(tc, test_relation_is_same_compares_everything);
    suite_add_tcase(suite, tc);
    return wire_run(suite);
}
