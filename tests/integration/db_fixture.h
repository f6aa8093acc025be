/* db_fixture: one Postgres for the program, with tables under policies good and hostile, a db link,
 * and the hub's part played for it. */
#ifndef GW_TEST_DB_FIXTURE_H
#define GW_TEST_DB_FIXTURE_H

#include "db_link.h"

#include "../support/pg.h"
#include "loop.h"

#include "gw/question.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WAIT_MS 30000

static struct gw_test_pg *pg;
static const char *const roles[] = {"anon", "authenticated", "absent"};

enum { ANON, AUTHENTICATED, ABSENT };

static struct gw_db_config config;
static struct gw_db_link *link_;
static struct gw_mailbox *replies, *requests;
static struct gw_catalog *catalog;

static void drop_request(void *r)
{
    gw_db_request_free(r);
}

static void link_open(unsigned pool)
{
    struct gw_err err = {0};
    config = (struct gw_db_config){.database_url = strdup(gw_test_pg_url(pg, NULL)),
                                   .query_url = strdup(gw_test_pg_url(pg, "asker")),
                                   .publication = "pub",
                                   .access_publication = "",
                                   .roles = roles,
                                   .n_roles = 3,
                                   .claim_settings = "app.tenant_id=org_id, app.flags=flags",
                                   .pool = pool,
                                   .statement_timeout_ms = 300};
    link_ = gw_db_link_new(&config);
    replies = gw_mailbox_new(1024, 0, NULL, NULL);
    requests = gw_mailbox_new(1024, 0, gw_loop_wake, gw_db_link_loop(link_));
    ck_assert_int_eq(gw_db_link_start(link_, replies, requests, &err), GW_OK);
}

static void link_close(void)
{
    gw_db_link_stop(link_);
    gw_db_link_free(link_);
    gw_mailbox_free(replies, drop_request);
    gw_mailbox_free(requests, drop_request);
    free((char *)config.database_url);
    free((char *)config.query_url);
}

static void push(struct gw_db_request *r)
{
    ck_assert_int_eq(gw_mailbox_push(requests, r, 0), GW_OK);
}

static struct gw_db_request *pop(void)
{
    for (int64_t until = gw_clock_mono_ms() + WAIT_MS; gw_clock_mono_ms() < until; usleep(500)) {
        struct gw_db_request *r = gw_mailbox_pop(replies);
        if (r)
            return r;
    }
    ck_abort_msg("no reply");
    return NULL;
}

/* Until the database answers at all. */
static void load_catalog(void)
{
    for (;;) {
        push(gw_db_request_new(GW_DB_CATALOG, 1));
        struct gw_db_request *r = pop();
        gw_catalog_unref(catalog);
        catalog = r->catalog;
        r->catalog = NULL;
        enum gw_code code = r->code;
        gw_db_request_free(r);
        if (code != GW_E_DATABASE_DOWN) {
            ck_assert_int_eq(code, GW_OK);
            return;
        }
    }
}

static const struct gw_catalog_table *table(const char *name)
{
    const struct gw_catalog_table *t =
        gw_catalog_table_named(catalog, gw_span_of("public"), gw_span_of(name));
    ck_assert_ptr_nonnull(t);
    return t;
}

__attribute__((unused)) static struct gw_db_request *ask_new(uint32_t n, int64_t budget_ms)
{
    struct gw_db_request *r = gw_db_request_new(GW_DB_ASK, 7);
    r->generation = catalog->generation;
    r->deadline_ms = gw_clock_mono_ms() + budget_ms;
    r->questions = gw_arena_alloc(&r->arena, n * sizeof *r->questions);
    return r;
}

static struct gw_span kept(struct gw_db_request *r, const char *s)
{
    return gw_arena_copy(&r->arena, gw_span_of(s));
}

/* One question. elements: array elements as (id,text) pairs in composite form, NULL at the end. */
__attribute__((unused)) static void ask_add(struct gw_db_request *r, const char *table_name,
                                            const char *sub, const char *const *elements)
{
    const struct gw_catalog_table *t = table(table_name);
    struct gw_question *q = &r->questions[r->n_questions++];
    uint32_t *offsets = gw_arena_alloc(&r->arena, 5000 * sizeof *offsets);
    char claims[200];
    struct gw_buf rows;
    gw_buf_init(&rows, 0);
    gw_buf_add_byte(&rows, '{');
    uint32_t n = 0;
    for (; elements[n]; n++) {
        if (n)
            gw_buf_add_byte(&rows, ',');
        offsets[n] = (uint32_t)rows.n;
        gw_buf_printf(&rows, "\"%s\"", elements[n]);
    }
    gw_buf_add_byte(&rows, '}');
    snprintf(claims, sizeof claims,
             "{\"flags\":[1,2],\"org_id\":\"org of %s\",\"role\":\"authenticated\",\"sub\":\"%s\"}",
             sub, sub);
    *q = (struct gw_question){.role_id = AUTHENTICATED,
                              .role = kept(r, "authenticated"),
                              .sub = kept(r, sub),
                              .claims_json = kept(r, claims),
                              .sql = t->access[AUTHENTICATED].question,
                              .rel_oid = t->oid,
                              .row_array_oid = t->row_array_oid,
                              .rows = gw_arena_copy(&r->arena, gw_buf_span(&rows)),
                              .n_rows = n,
                              .row_offsets = offsets,
                              .visible = gw_arena_alloc(&r->arena, n + 1)};
    ck_assert_uint_gt(q->sql.n, 0);
    gw_buf_fini(&rows);
}

static struct gw_db_request *asked(struct gw_db_request *r)
{
    push(r);
    return pop();
}

__attribute__((unused)) static void expect(const struct gw_db_request *r, uint32_t i,
                                           enum gw_code code, const char *visible)
{
    char got[64] = "";
    const struct gw_question *q = &r->questions[i];
    ck_assert_msg(r->code == GW_OK, "%s", r->err.text);
    ck_assert_msg(q->code == code, "question %u: %s: %s", i, gw_code_name(q->code), q->why);
    for (uint32_t k = 0; k < q->n_rows && k < 60; k++)
        got[k] = q->visible[k] ? '1' : '0';
    ck_assert_str_eq(got, visible);
}

static const char schema[] =
    "CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE asker LOGIN NOINHERIT; "
    "GRANT anon, authenticated TO asker;"
    "GRANT CREATE, USAGE ON SCHEMA public TO authenticated;"
    "CREATE FUNCTION uid() RETURNS text STABLE LANGUAGE sql AS "
    "$$ SELECT current_setting('request.jwt.claims', true)::jsonb ->> 'sub' $$;"
    "CREATE TABLE own (id int PRIMARY KEY, owner text, n numeric GENERATED ALWAYS AS (id * 2) "
    "STORED);"
    "CREATE TABLE members (own_id int, who text, PRIMARY KEY (own_id, who));"
    "INSERT INTO members VALUES (7, 'bob');"
    "CREATE TABLE tenant (id int PRIMARY KEY, org text);"
    "CREATE TABLE slow (id int PRIMARY KEY, v text);"
    "CREATE TABLE picky (id int PRIMARY KEY, v text);"
    "CREATE TABLE writer (id int PRIMARY KEY, v text);"
    "CREATE TABLE escape (id int PRIMARY KEY, v text);"
    "CREATE TABLE forge (id int PRIMARY KEY, v text);"
    "CREATE TABLE spoof (id int PRIMARY KEY, v text);"
    "CREATE FUNCTION slow() RETURNS bool LANGUAGE plpgsql AS "
    "$$ BEGIN PERFORM pg_sleep(30); RETURN true; END $$;"
    "CREATE FUNCTION picky(v text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN "
    "IF v = 'bad' THEN RAISE 'no'; END IF; RETURN v::int > 0; END $$;"
    "CREATE FUNCTION writer() RETURNS bool LANGUAGE plpgsql SECURITY DEFINER AS "
    "$$ BEGIN INSERT INTO members VALUES (1, 'eve'); RETURN true; END $$;"
    "CREATE FUNCTION escape() RETURNS bool LANGUAGE plpgsql AS "
    "$$ BEGIN RESET ROLE; RETURN true; END $$;"
    "CREATE FUNCTION forge() RETURNS bool LANGUAGE plpgsql AS "
    "$$ BEGIN PERFORM set_config('request.jwt.claims', '{\"sub\":\"ann\"}', false); "
    "PERFORM set_config('search_path', 'evil', false); RETURN true; END $$;"
    "CREATE FUNCTION spoof() RETURNS bool LANGUAGE plpgsql AS $$ DECLARE s text; BEGIN "
    "FOR s IN SELECT name FROM pg_prepared_statements WHERE name LIKE 'q%' LOOP "
    "EXECUTE format('DEALLOCATE %I', s); "
    "EXECUTE format('PREPARE %I AS SELECT true FROM unnest($1::own[])', s); "
    "END LOOP; RETURN true; END $$;"
    "CREATE POLICY p ON own FOR SELECT TO authenticated USING (owner = uid() OR EXISTS "
    "(SELECT FROM members m WHERE m.own_id = own.id AND m.who = uid()));"
    "CREATE POLICY q ON own AS RESTRICTIVE FOR SELECT TO PUBLIC USING (id < 1000);"
    "CREATE POLICY p ON tenant USING (org = current_setting('app.tenant_id', true) "
    "AND current_setting('app.flags') = '[1,2]');"
    "CREATE POLICY p ON slow USING (slow()); CREATE POLICY p ON picky USING (picky(v));"
    "CREATE POLICY p ON writer USING (writer()); CREATE POLICY p ON escape USING (escape());"
    "CREATE POLICY p ON forge USING (forge()); CREATE POLICY p ON spoof USING (spoof());"
    "DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['own','tenant','slow','picky','writer',"
    "'escape','forge','spoof'] LOOP EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t); "
    "EXECUTE format('GRANT SELECT ON %I TO authenticated', t); END LOOP; END $$;"
    "GRANT SELECT ON members TO authenticated; GRANT SELECT (id) ON own TO anon;"
    "CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN tiny AS int CHECK (VALUE < 10);"
    "CREATE TYPE pair AS (a int, b text);"
    "CREATE TABLE kinds (id int, m mood, ms mood[], d tiny, p pair, dropped int, last text);"
    "ALTER TABLE kinds DROP COLUMN dropped; ALTER TABLE kinds REPLICA IDENTITY FULL;"
    "CREATE PUBLICATION pub FOR TABLE own, tenant, slow, picky, writer, escape, forge, spoof, "
    "kinds;";

static void setup(void)
{
    pg = gw_test_pg_new();
    gw_test_pg_exec(pg, schema);
    link_open(2);
    load_catalog();
}

static void teardown(void)
{
    gw_catalog_unref(catalog);
    link_close();
    gw_test_pg_free(pg);
}

#define ROWS(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static int run_suite(TCase *tc)
{
    Suite *suite = suite_create("db_link");
    tcase_set_timeout(tc, 120);
    tcase_add_unchecked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* one server for all, threads in the link */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
