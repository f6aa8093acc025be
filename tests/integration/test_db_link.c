/* The db link against a real Postgres: casts, catalog, and a server that goes away. */
#include "db_fixture.h"

static void cast_add(struct gw_db_request *r, uint32_t type_oid, const char *text)
{
    r->casts = realloc(r->casts, (r->n_casts + 1) * sizeof *r->casts);
    r->casts[r->n_casts++] = (struct gw_cast){.type_oid = type_oid, .text = strdup(text)};
}

START_TEST(test_db_link_cast_gives_canonical_text)
{
    struct gw_db_request *r = gw_db_request_new(GW_DB_CAST, 9);
    const struct gw_catalog_table *kinds = table("kinds");
    cast_add(r, 16, "yes");
    cast_add(r, 23, "x");
    cast_add(r, 1184, "2026-01-02 03:04:05+02");
    cast_add(r, 2950, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11");
    cast_add(r, kinds->columns[1].type_oid, "glad");
    cast_add(r, kinds->columns[1].type_oid, "happy");
    cast_add(r, kinds->columns[3].type_oid, "11"); /* the domain's check */
    cast_add(r, 3802, "{\"b\":1,  \"a\":2}");
    push(r);
    r = pop();
    ck_assert_int_eq(r->code, GW_OK);
    ck_assert_str_eq(r->casts[0].canonical, "t");
    ck_assert_int_eq(r->casts[1].code, GW_E_MALFORMED);
    ck_assert_ptr_null(r->casts[1].canonical);
    ck_assert_str_eq(r->casts[2].canonical, "2026-01-02 01:04:05+00");
    ck_assert_str_eq(r->casts[3].canonical, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    ck_assert_str_eq(r->casts[4].canonical, "glad");
    ck_assert_int_eq(r->casts[5].code, GW_E_MALFORMED);
    ck_assert_int_eq(r->casts[6].code, GW_E_MALFORMED);
    ck_assert_str_eq(r->casts[7].canonical, "{\"a\": 2, \"b\": 1}");
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_link_catalog_knows_tables_columns_and_privileges)
{
    const struct gw_catalog_table *own = table("own"), *kinds = table("kinds");
    const struct gw_catalog_table *members = table("members");
    ck_assert(own->published && !members->published);
    ck_assert(own->rls_enabled && !own->rls_forced && own->has_identity);
    ck_assert_int_eq(own->replica_identity, 'd');
    ck_assert_uint_eq(own->n_columns, 3);
    ck_assert(own->columns[0].in_primary_key && own->columns[0].in_identity);
    ck_assert(!own->columns[1].in_primary_key && !own->columns[1].in_identity);
    ck_assert(gw_span_is(own->columns[2].generation, "(id * 2)"));
    ck_assert(gw_span_is(own->columns[2].type_name, "numeric"));
    ck_assert_uint_eq(catalog->roles_present, 3); /* "absent" is */
    ck_assert(gw_colset_has(&own->access[AUTHENTICATED].columns, 2));
    ck_assert(gw_colset_has(&own->access[ANON].columns, 0));
    ck_assert(!gw_colset_has(&own->access[ANON].columns, 1));
    ck_assert(gw_colset_is_empty(&own->access[ABSENT].columns));
    ck_assert_int_eq(own->access[AUTHENTICATED].path, GW_PATH_ASKED);
    ck_assert_int_eq(own->access[ABSENT].path, GW_PATH_NOBODY);
    ck_assert_uint_eq(kinds->n_columns, 6);
    ck_assert(kinds->columns[5].in_identity && kinds->columns[5].attnum == 7);
    ck_assert(kinds->has_identity && kinds->replica_identity == 'f');
}
END_TEST

START_TEST(test_db_link_catalog_knows_policies_functions_and_types)
{
    const struct gw_catalog_table *own = table("own"), *kinds = table("kinds");
    bool has_uid = false;
    ck_assert_uint_eq(own->n_policies, 2);
    ck_assert(own->policies[0].permissive && !own->policies[1].permissive);
    ck_assert_uint_eq(own->policies[0].roles, 1 << AUTHENTICATED);
    ck_assert_uint_eq(own->policies[1].roles, 1 << AUTHENTICATED | 1 << ANON);
    ck_assert(gw_span_is(own->policies[1].qual, "(id < 1000)"));
    ck_assert_ptr_nonnull(strstr(own->policies[0].qual.p, "public.uid()")); /* qualified */
    for (uint32_t i = 0; i < catalog->n_functions; i++)
        if (gw_span_is(catalog->functions[i].name, "uid"))
            has_uid = gw_span_is(catalog->functions[i].language, "sql") &&
                      catalog->functions[i].volatility == 's' && catalog->functions[i].body.n > 0 &&
                      catalog->functions[i].definition.n > 0;
    ck_assert(has_uid);
    const struct gw_type *m = gw_types_find(&catalog->types, kinds->columns[1].type_oid);
    const struct gw_type *ms = gw_types_find(&catalog->types, kinds->columns[2].type_oid);
    const struct gw_type *d = gw_types_find(&catalog->types, kinds->columns[3].type_oid);
    const struct gw_type *p = gw_types_find(&catalog->types, kinds->columns[4].type_oid);
    ck_assert(m && m->kind == GW_TYPE_TEXT && ms && ms->kind == GW_TYPE_ARRAY);
    ck_assert_uint_eq(ms->inner_oid, m->oid);
    ck_assert(d && d->kind == GW_TYPE_DOMAIN && d->inner_oid == 23);
    ck_assert(p && p->kind == GW_TYPE_COMPOSITE && p->n_fields == 2);
    ck_assert(gw_span_is(p->fields[1].name, "b") && p->fields[1].type_oid == 25);
    const struct gw_type *row = gw_types_find(&catalog->types, own->row_type_oid);
    ck_assert(row && row->kind == GW_TYPE_COMPOSITE && row->n_fields == 3);
}
END_TEST

START_TEST(test_db_link_says_down_in_time_and_recovers)
{
    gw_test_pg_stop(pg, GW_TEST_PG_FAST);
    for (int64_t until = gw_clock_mono_ms() + WAIT_MS; !gw_db_link_is_down(link_); usleep(1000))
        ck_assert_int_lt(gw_clock_mono_ms(), until); /* heard over the idle admin connection */
    struct gw_db_request *r = ask_new(1, 5000);
    ask_add(r, "own", "ann", ROWS("(1,ann,)"));
    int64_t began = gw_clock_mono_ms();
    r = asked(r);
    ck_assert_int_eq(r->code, GW_E_DATABASE_DOWN);
    ck_assert_int_lt(gw_clock_mono_ms() - began, 2000);
    gw_db_request_free(r);
    gw_test_pg_start(pg);
    load_catalog();
    ck_assert(!gw_db_link_is_down(link_));
    for (enum gw_code code = GW_E_DATABASE_DOWN; code == GW_E_DATABASE_DOWN;) {
        r = ask_new(1, 5000);
        ask_add(r, "own", "ann", ROWS("(1,ann,)"));
        r = asked(r);
        code = r->code;
        if (code == GW_OK)
            expect(r, 0, GW_OK, "1");
        gw_db_request_free(r);
    }
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("db");
    tcase_add_test(tc, test_db_link_cast_gives_canonical_text);
    tcase_add_test(tc, test_db_link_catalog_knows_tables_columns_and_privileges);
    tcase_add_test(tc, test_db_link_catalog_knows_policies_functions_and_types);
    tcase_add_test(tc, test_db_link_says_down_in_time_and_recovers);
    return run_suite(tc);
}
