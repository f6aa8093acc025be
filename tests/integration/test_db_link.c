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

static const struct gw_catalog_function *function(const char *schema_name, const char *name)
{
    for (uint32_t i = 0; i < catalog->n_functions; i++)
        if (gw_span_is(catalog->functions[i].schema, schema_name) &&
            gw_span_is(catalog->functions[i].name, name))
            return &catalog->functions[i];
    ck_abort_msg("no function %s.%s", schema_name, name);
    return NULL;
}

START_TEST(test_db_link_catalog_knows_how_functions_are_called)
{
    gw_test_pg_exec(
        pg, "CREATE SCHEMA fn; GRANT USAGE ON SCHEMA fn TO authenticated;"
            "CREATE FUNCTION fn.f(a int, \"B \"\"q\"\", x\" text DEFAULT 'z', bool DEFAULT true) "
            "RETURNS int LANGUAGE sql STRICT SECURITY DEFINER "
            "SET search_path = fn, \"$user\", \"My, Own\", pg_temp AS 'SELECT 1';"
            "CREATE FUNCTION fn.outs(IN a int, OUT b int) LANGUAGE sql AS 'SELECT 1';"
            "CREATE FUNCTION fn.rest(VARIADIC a int[]) RETURNS int LANGUAGE sql AS 'SELECT 1';"
            "CREATE FUNCTION fn.many() RETURNS SETOF int LANGUAGE sql SET work_mem = '1MB' "
            "SET search_path = '' AS 'SELECT 1'; CREATE ROLE walker BYPASSRLS;"
            "ALTER FUNCTION fn.many() OWNER TO walker;"
            "REVOKE EXECUTE ON FUNCTION fn.outs FROM PUBLIC");
    load_catalog();
    const struct gw_catalog_function *f = function("fn", "f"), *many = function("fn", "many");
    ck_assert(f->n_args == 3 && f->n_defaults == 2 && f->return_type == 23);
    ck_assert(f->arg_types[0] == 23 && f->arg_types[1] == 25 && f->arg_types[2] == 16);
    ck_assert(gw_span_is(f->arg_names[0], "a") && gw_span_is(f->arg_names[1], "B \"q\", x"));
    ck_assert_uint_eq(f->arg_names[2].n, 0);
    ck_assert(f->is_plain && f->is_strict && f->is_definer && !f->returns_set);
    ck_assert(f->has_search_path && !f->has_other_settings);
    ck_assert_uint_eq(f->n_search_path, 3);
    ck_assert(gw_span_is(f->search_path[0], "fn") && gw_span_is(f->search_path[1], "My, Own"));
    ck_assert(gw_span_is(f->search_path[2], "pg_temp"));
    ck_assert(f->owner_is_super && f->owner_bypasses);
    ck_assert_uint_eq(f->executable, 1 << AUTHENTICATED);
    ck_assert(many->is_plain && many->returns_set && many->has_other_settings);
    ck_assert(many->has_search_path && many->n_search_path == 0 && many->n_args == 0);
    ck_assert(!many->owner_is_super && many->owner_bypasses);
    ck_assert(!function("fn", "rest")->is_plain && !function("fn", "outs")->is_plain);
    ck_assert(function("fn", "outs")->n_args == 1 && function("fn", "outs")->executable == 0);
    ck_assert(gw_span_is(function("fn", "outs")->arg_names[0], "a"));
    ck_assert_uint_eq(function("public", "uid")->executable, 1 << ANON | 1 << AUTHENTICATED);
}
END_TEST

START_TEST(test_db_link_catalog_knows_collations_limits_views_and_paths)
{
    gw_test_pg_exec(
        pg, "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', "
            "deterministic = false);"
            "CREATE TABLE folded (a text COLLATE blind, b text NOT NULL);"
            "CREATE VIEW seen AS SELECT 1; CREATE MATERIALIZED VIEW kept AS SELECT 1;"
            "CREATE TABLE part (id int PRIMARY KEY, v text); CREATE TABLE few (id int, v text);"
            "CREATE TABLE both_ (id int PRIMARY KEY);"
            "ALTER PUBLICATION pub ADD TABLE part (id), few WHERE (id > 3), "
            "both_ WHERE (id > 1);"
            "ALTER ROLE asker SET search_path = public, extensions;"
            "ALTER DATABASE postgres SET search_path = nowhere");
    load_catalog();
    const struct gw_catalog_table *folded = table("folded");
    ck_assert(folded->columns[0].is_opaque && !folded->columns[1].is_opaque);
    ck_assert(!folded->columns[0].is_not_null && folded->columns[1].is_not_null);
    ck_assert_uint_ne(folded->owner_oid, 0);
    ck_assert(table("part")->is_limited && table("few")->is_limited);
    ck_assert(!table("own")->is_limited &&
              !folded->is_limited); /* generated columns are not missed */
    bool has_seen = false, has_kept = false, has_mood = false;
    for (uint32_t i = 0; i < catalog->n_views; i++) {
        has_seen |= gw_span_is(catalog->views[i].name, "seen");
        has_kept |= gw_span_is(catalog->views[i].name, "kept");
    }
    for (uint32_t i = 0; i < catalog->n_type_names; i++)
        has_mood |= gw_span_is(catalog->type_names[i].name, "mood") &&
                    gw_span_is(catalog->type_names[i].schema, "public") &&
                    catalog->type_names[i].oid == table("kinds")->columns[1].type_oid;
    ck_assert(has_seen && has_kept && has_mood);
    ck_assert_uint_eq(catalog->n_search_path, 2);
    ck_assert(gw_span_is(catalog->search_path[0], "public"));
    ck_assert(gw_span_is(catalog->search_path[1], "extensions"));
    gw_test_pg_exec(pg, "ALTER PUBLICATION pub SET (publish = 'insert, update, truncate');"
                        "ALTER ROLE asker RESET search_path");
    load_catalog();
    ck_assert(table("own")->is_limited);
    ck_assert(gw_span_is(catalog->search_path[0], "nowhere"));
    gw_test_pg_exec(pg, "ALTER PUBLICATION pub SET (publish = 'insert, update, delete, truncate');"
                        "ALTER PUBLICATION pub DROP TABLE public.part, public.few, public.both_;"
                        "ALTER DATABASE postgres RESET search_path");
    load_catalog();
    ck_assert_uint_eq(catalog->n_search_path, 1);
    ck_assert(gw_span_is(catalog->search_path[0], "public"));
}
END_TEST

START_TEST(test_db_link_catalog_reads_privileges_and_the_policies_of_messages)
{
    gw_test_pg_exec(pg,
                    "CREATE SCHEMA realtime; CREATE TABLE realtime.messages (id int, topic text, "
                    "extension text); GRANT USAGE ON SCHEMA realtime TO authenticated;"
                    "GRANT SELECT ON realtime.messages TO anon; "
                    "GRANT SELECT (topic), INSERT (topic) ON realtime.messages TO authenticated;"
                    "CREATE POLICY reads ON realtime.messages FOR SELECT USING (topic = 'a');"
                    "CREATE POLICY sends ON realtime.messages FOR INSERT WITH CHECK (topic = 'b');"
                    "CREATE POLICY whole ON realtime.messages TO anon USING (topic = 'c');"
                    "CREATE POLICY half ON realtime.messages AS RESTRICTIVE USING (topic = 'd') "
                    "WITH CHECK (topic = 'e')");
    load_catalog();
    const struct gw_catalog_table *t =
        gw_catalog_table_named(catalog, GW_SPAN_LIT("realtime"), GW_SPAN_LIT("messages"));
    ck_assert(t && !t->published && t->n_policies == 3 && t->n_checks == 3);
    ck_assert(gw_span_is(t->checks[0].name, "half") && !t->checks[0].permissive);
    ck_assert(gw_span_is(t->checks[0].check, "(topic = 'e'::text)"));
    ck_assert(gw_span_is(t->checks[1].check, "(topic = 'b'::text)"));
    ck_assert(gw_span_is(t->checks[2].check, "(topic = 'c'::text)"));
    ck_assert_uint_eq(t->checks[2].roles, 1 << ANON);
    ck_assert(t->access[AUTHENTICATED].may_insert && !t->access[ANON].may_insert);
    ck_assert(t->access[AUTHENTICATED].has_schema_usage && !t->access[ANON].has_schema_usage);
    ck_assert(!gw_colset_has(&t->access[AUTHENTICATED].columns, 0));
    ck_assert(gw_colset_has(&t->access[AUTHENTICATED].columns, 1));
    ck_assert(gw_colset_has(&t->access[ANON].columns, 0));
    ck_assert(gw_colset_has(&table("members")->access[AUTHENTICATED].columns, 1)); /* unpublished */
    ck_assert(!table("own")->access[AUTHENTICATED].may_insert);
}
END_TEST

START_TEST(test_db_link_catalog_unchanged_shares_its_rules)
{
    load_catalog();
    const struct gw_rules *before = catalog->rules;
    uint64_t generation = catalog->generation;
    load_catalog();
    ck_assert_uint_gt(catalog->generation, generation);
    ck_assert_ptr_eq(catalog->rules, before); /* kept alive by the link in between */
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
    tcase_add_test(tc, test_db_link_catalog_knows_how_functions_are_called);
    tcase_add_test(tc, test_db_link_catalog_knows_collations_limits_views_and_paths);
    tcase_add_test(tc, test_db_link_catalog_reads_privileges_and_the_policies_of_messages);
    tcase_add_test(tc, test_db_link_catalog_unchanged_shares_its_rules);
    tcase_add_test(tc, test_db_link_says_down_in_time_and_recovers);
    return run_suite(tc);
}
