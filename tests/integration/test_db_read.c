/* Reads for the access state against a real Postgres. */
#include "db_fixture.h"

static struct gw_state_column columns_of(const char *table_name, const char *name, bool needs_text)
{
    const struct gw_catalog_table *t = table(table_name);
    int i = gw_catalog_column_find(t, gw_span_of(name));
    ck_assert_int_ge(i, 0);
    uint32_t type = t->columns[i].type_oid;
    return (struct gw_state_column){.name = gw_span_of(name),
                                    .type_oid = type,
                                    .kind = gw_kind_of(&catalog->types, type),
                                    .needs_text = needs_text};
}

/* All columns named, each an index of its own, and one over the first two. */
static struct gw_state_table_def *def_new(struct gw_db_request *r, const char *table_name,
                                          uint32_t n, const char *const *names)
{
    struct gw_state_table_def *def = gw_arena_alloc(&r->arena, sizeof *def);
    *def = (struct gw_state_table_def){.schema = GW_SPAN_LIT("public"),
                                       .name = kept(r, table_name),
                                       .n_columns = n,
                                       .n_indexes = n + 1};
    def->columns = gw_arena_alloc(&r->arena, (n + 1) * sizeof *def->columns);
    def->indexes = gw_arena_alloc(&r->arena, (n + 1) * sizeof *def->indexes);
    for (uint32_t i = 0; i < n; i++) {
        def->columns[i] = columns_of(table_name, names[i], true);
        def->indexes[i] = (struct gw_state_index){.n = 1, .columns = {i}};
    }
    def->indexes[n] = (struct gw_state_index){.n = 2, .columns = {0, 1}};
    return def;
}

static struct gw_db_request *read_new(uint32_t n)
{
    struct gw_db_request *r = gw_db_request_new(GW_DB_READ, 4);
    r->reads = gw_arena_alloc(&r->arena, n * sizeof *r->reads);
    return r;
}

static struct gw_db_read *read_add(struct gw_db_request *r, const struct gw_state_table_def *def)
{
    struct gw_db_read *read = &r->reads[r->n_reads++];
    *read = (struct gw_db_read){.def = def, .is_whole = true, .max_bytes = 1 << 30};
    return read;
}

/* texts: n_keys rows of the index's columns. */
static void by_keys(struct gw_db_request *r, struct gw_db_read *read, uint32_t index,
                    uint32_t n_keys, const char *const *texts)
{
    uint32_t n = read->def->indexes[index].n * n_keys;
    struct gw_datum *keys = gw_arena_alloc(&r->arena, (n + 1) * sizeof *keys);
    for (uint32_t i = 0; i < n; i++)
        keys[i] = (struct gw_datum){.state = GW_DATUM_VALUE, .text = kept(r, texts[i])};
    read->is_whole = false;
    read->index = index;
    read->n_keys = n_keys;
    read->keys = keys;
}

/* "key: cell cell; …", NULL cells as "-". */
static void expect_rows(const struct gw_db_request *r, uint32_t i, const char *expected)
{
    const struct gw_db_read *read = &r->reads[i];
    struct gw_buf got;
    gw_buf_init(&got, 0);
    ck_assert_msg(r->code == GW_OK, "%s", r->err.text);
    ck_assert_msg(read->code == GW_OK, "%s", read->why);
    for (uint32_t k = 0; k < read->n_rows; k++) {
        if (!read->is_whole)
            gw_buf_printf(&got, "%u:", read->key_of[k]);
        for (uint32_t m = 0; m < read->def->n_columns; m++) {
            const struct gw_datum *d = &read->cells[k * read->def->n_columns + m];
            gw_buf_add_byte(&got, ' ');
            if (d->state == GW_DATUM_VALUE)
                gw_buf_add_span(&got, d->text);
            else
                gw_buf_add_str(&got, d->state == GW_DATUM_NULL ? "-" : "?");
        }
        gw_buf_add_byte(&got, ';');
    }
    ck_assert_msg(gw_span_is(gw_buf_span(&got), expected), "read %u: %s, not %s", i,
                  gw_buf_cstr(&got), expected);
    gw_buf_fini(&got);
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__})

static void add_table(const char *sql)
{
    gw_test_pg_exec(pg, sql);
    load_catalog();
}

START_TEST(test_db_read_whole_tables_past_row_security)
{
    add_table("CREATE TABLE \"Odd \"\"T\" (\"Key, 1\" int PRIMARY KEY, v text, b bool, u uuid, "
              "at timestamptz, f float8); INSERT INTO \"Odd \"\"T\" VALUES "
              "(1, 'a''\"{}', true, 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', "
              "'2026-01-02 03:04:05+02', 0.1), (2, '', false, NULL, NULL, NULL);"
              "ALTER TABLE \"Odd \"\"T\" ENABLE ROW LEVEL SECURITY; "
              "INSERT INTO own VALUES (5, 'ann')");
    struct gw_db_request *r = read_new(3);
    read_add(r, def_new(r, "Odd \"T", 6, TEXTS("Key, 1", "v", "b", "u", "at", "f")));
    read_add(r, def_new(r, "own", 2, TEXTS("owner", "n")));
    read_add(r, def_new(r, "own", 0, NULL));
    r = asked(r);
    expect_rows(r, 0,
                " 1 a'\"{} t a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 2026-01-02 01:04:05+00 0.1;"
                " 2  f - - -;");
    expect_rows(r, 1, " ann 10;");
    expect_rows(r, 2, ";");
    ck_assert_ptr_null(r->reads[0].key_of);
    ck_assert_uint_gt(r->snapshot.xmax, 0);
    ck_assert_uint_gt(r->snapshot.horizon.v, 0);
    ck_assert(r->reads[0].cells[0].kind == GW_KIND_INT && r->reads[0].cells[0].key.lo);
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_read_keys_come_in_their_order)
{
    add_table("CREATE TABLE links (a int, b text, m mood, d tiny, n text, PRIMARY KEY (a, b));"
              "INSERT INTO links VALUES (1, 'x', 'sad', 1, NULL), (1, 'y, \"', 'glad', 2, 'q'), "
              "(2, 'x', NULL, 3, 'r')");
    struct gw_db_request *r = read_new(7);
    const struct gw_state_table_def *def = def_new(r, "links", 5, TEXTS("a", "b", "m", "d", "n"));
    by_keys(r, read_add(r, def), 0, 3, TEXTS("2", "9", "1"));
    by_keys(r, read_add(r, def), 1, 2, TEXTS("y, \"", "x"));
    by_keys(r, read_add(r, def), 2, 1, TEXTS("glad"));
    by_keys(r, read_add(r, def), 3, 1, TEXTS("3"));
    by_keys(r, read_add(r, def), 5, 2, TEXTS("1", "x", "2", "y"));
    by_keys(r, read_add(r, def), 0, 0, NULL);
    by_keys(r, read_add(r, def), 0, 2, TEXTS("2", "2")); /* a key asked for twice */
    r = asked(r);
    expect_rows(r, 0, "0: 2 x - 3 r;2: 1 x sad 1 -;2: 1 y, \" glad 2 q;");
    expect_rows(r, 1, "0: 1 y, \" glad 2 q;1: 1 x sad 1 -;1: 2 x - 3 r;");
    expect_rows(r, 2, "0: 1 y, \" glad 2 q;");
    expect_rows(r, 3, "0: 2 x - 3 r;");
    expect_rows(r, 4, "0: 1 x sad 1 -;");
    expect_rows(r, 5, "");
    expect_rows(r, 6, "0: 2 x - 3 r;1: 2 x - 3 r;");
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_read_failing_item_fails_alone)
{
    struct gw_db_request *r = read_new(6);
    const struct gw_state_table_def *own = def_new(r, "own", 1, TEXTS("id"));
    struct gw_state_table_def *gone = def_new(r, "own", 1, TEXTS("id"));
    struct gw_state_table_def *odd = def_new(r, "own", 1, TEXTS("id"));
    gone->name = GW_SPAN_LIT("gone");
    odd->columns[0].type_oid = 4000000000u;
    by_keys(r, read_add(r, gone), 0, 1, TEXTS("1"));
    by_keys(r, read_add(r, own), 0, 1, TEXTS("5"));
    by_keys(r, read_add(r, odd), 0, 1, TEXTS("5"));
    by_keys(r, read_add(r, own), 0, 1, TEXTS("not a number"));
    read_add(r, gone);
    read_add(r, own);
    r = asked(r);
    ck_assert_int_eq(r->code, GW_OK);
    ck_assert_int_eq(r->reads[0].code, GW_E_DATABASE);
    ck_assert_ptr_nonnull(strstr(r->reads[0].why, "gone"));
    expect_rows(r, 1, "0: 5;");
    ck_assert_int_eq(r->reads[2].code, GW_E_DATABASE);
    ck_assert_int_eq(r->reads[3].code, GW_E_DATABASE);
    ck_assert_int_eq(r->reads[4].code, GW_E_DATABASE);
    expect_rows(r, 5, " 5;");
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_read_bound_is_kept_and_the_next_item_read)
{
    add_table(
        "CREATE TABLE wide (id int PRIMARY KEY, g int, v text);"
        "INSERT INTO wide SELECT i, i % 2, repeat('x', 100) FROM generate_series(1, 30000) i");
    struct gw_db_request *r = read_new(5);
    const struct gw_state_table_def *def = def_new(r, "wide", 3, TEXTS("id", "g", "v"));
    const struct gw_state_table_def *own = def_new(r, "own", 1, TEXTS("id"));
    read_add(r, def)->max_bytes = 1000000;
    read_add(r, own);
    struct gw_db_read *keyed = read_add(r, def);
    by_keys(r, keyed, 1, 2, TEXTS("0", "1"));
    keyed->max_bytes = 1000000;
    by_keys(r, read_add(r, def), 1, 2, TEXTS("1", "7")); /* more than one FETCH */
    read_add(r, def);
    r = asked(r);
    ck_assert_int_eq(r->reads[0].code, GW_E_TOO_BIG);
    ck_assert_uint_eq(r->reads[0].n_rows, 0);
    ck_assert_ptr_null(r->reads[0].cells);
    expect_rows(r, 1, " 5;");
    ck_assert_int_eq(r->reads[2].code, GW_E_TOO_BIG);
    ck_assert_int_eq(r->reads[3].code, GW_OK);
    ck_assert_uint_eq(r->reads[3].n_rows, 15000);
    for (uint32_t i = 0; i < 15000; i++)
        ck_assert_uint_eq(r->reads[3].key_of[i], 0);
    ck_assert_uint_eq(r->reads[4].n_rows, 30000);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 30000; i++)
        sum += strtoul(r->reads[4].cells[i * 3].text.p, NULL, 10);
    ck_assert_uint_eq(sum, UINT64_C(30000) * 30001 / 2);
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_read_snapshot_holds_for_all_items)
{
    add_table("CREATE TABLE moving (id int PRIMARY KEY)");
    struct gw_db_request *r = read_new(2);
    const struct gw_state_table_def *def = def_new(r, "moving", 1, TEXTS("id"));
    const struct gw_state_table_def *wide = def_new(r, "wide", 3, TEXTS("id", "g", "v"));
    char xid[32];
    read_add(r, wide);
    read_add(r, def);
    r = asked(r);
    expect_rows(r, 1, "");
    gw_test_pg_value(pg, "INSERT INTO moving VALUES (1) RETURNING pg_current_xact_id()", xid,
                     sizeof xid);
    ck_assert(!gw_snapshot_sees(&r->snapshot, (uint32_t)strtoul(xid, NULL, 10)));
    struct gw_lsn before = r->snapshot.horizon;
    gw_db_request_free(r);
    r = read_new(1);
    read_add(r, def_new(r, "moving", 1, TEXTS("id")));
    r = asked(r);
    expect_rows(r, 0, " 1;");
    ck_assert(gw_snapshot_sees(&r->snapshot, (uint32_t)strtoul(xid, NULL, 10)));
    ck_assert_uint_gt(r->snapshot.horizon.v, before.v);
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_read_texts_are_kept_only_where_needed)
{
    struct gw_db_request *r = read_new(1);
    struct gw_state_table_def *def = def_new(r, "links", 3, TEXTS("a", "b", "m"));
    def->columns[0].needs_text = def->columns[1].needs_text = false;
    by_keys(r, read_add(r, def), 0, 1, TEXTS("2"));
    r = asked(r);
    expect_rows(r, 0, "0:   -;");
    struct gw_datum two = gw_datum_of(GW_KIND_INT, GW_SPAN_LIT("2"));
    ck_assert(gw_datum_eq(&r->reads[0].cells[0], &two));
    gw_db_request_free(r);
}
END_TEST

/* As cells of another row give them. */
START_TEST(test_db_read_key_without_its_text_is_restored_or_refused)
{
    struct gw_db_request *r = read_new(3);
    const struct gw_state_table_def *def = def_new(r, "links", 2, TEXTS("a", "b"));
    const char *const texts[] = {"2", "x", "more than what fits into a key"};
    for (uint32_t i = 0; i < 3; i++) {
        by_keys(r, read_add(r, def), i > 0, 1, &texts[i]);
        struct gw_datum *key = (struct gw_datum *)r->reads[i].keys;
        *key = gw_datum_of(i ? GW_KIND_TEXT : GW_KIND_INT, gw_span_of(texts[i]));
        key->text = (struct gw_span){0};
    }
    r = asked(r);
    expect_rows(r, 0, "0: 2 x;");
    expect_rows(r, 1, "0: 1 x;0: 2 x;");
    ck_assert_int_eq(r->reads[2].code, GW_E_DATABASE);
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_read_login_under_row_security_lacks_a_privilege)
{
    gw_test_pg_exec(pg, "CREATE ROLE lowly LOGIN; GRANT SELECT ON own, wide TO lowly");
    link_close();
    struct gw_err err = {0};
    config.database_url = strdup(gw_test_pg_url(pg, "lowly"));
    config.query_url = strdup(gw_test_pg_url(pg, "asker"));
    link_ = gw_db_link_new(&config);
    replies = gw_mailbox_new(1024, 0, NULL, NULL);
    requests = gw_mailbox_new(1024, 0, gw_loop_wake, gw_db_link_loop(link_));
    ck_assert_int_eq(gw_db_link_start(link_, replies, requests, &err), GW_OK);
    struct gw_db_request *r;
    enum gw_code code;
    do {
        r = read_new(3);
        read_add(r, def_new(r, "own", 1, TEXTS("id")));
        read_add(r, def_new(r, "members", 1, TEXTS("who")));
        read_add(r, def_new(r, "wide", 1, TEXTS("id")));
        r = asked(r);
        code = r->code;
        if (code == GW_E_DATABASE_DOWN)
            gw_db_request_free(r);
    } while (code == GW_E_DATABASE_DOWN);
    ck_assert_int_eq(r->reads[0].code, GW_E_PRIVILEGE);
    ck_assert_int_eq(r->reads[1].code, GW_E_PRIVILEGE);
    ck_assert_uint_eq(r->reads[2].n_rows, 30000);
    gw_db_request_free(r);
}
END_TEST

START_TEST(test_db_read_lost_database_is_said)
{
    gw_test_pg_stop(pg, GW_TEST_PG_FAST);
    struct gw_db_request *r = read_new(1);
    read_add(r, def_new(r, "wide", 3, TEXTS("id", "g", "v")));
    r = asked(r);
    ck_assert_int_eq(r->code, GW_E_DATABASE_DOWN);
    gw_db_request_free(r);
    gw_test_pg_start(pg);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("read");
    tcase_add_test(tc, test_db_read_whole_tables_past_row_security);
    tcase_add_test(tc, test_db_read_keys_come_in_their_order);
    tcase_add_test(tc, test_db_read_failing_item_fails_alone);
    tcase_add_test(tc, test_db_read_bound_is_kept_and_the_next_item_read);
    tcase_add_test(tc, test_db_read_snapshot_holds_for_all_items);
    tcase_add_test(tc, test_db_read_texts_are_kept_only_where_needed);
    tcase_add_test(tc, test_db_read_key_without_its_text_is_restored_or_refused);
    tcase_add_test(tc, test_db_read_login_under_row_security_lacks_a_privilege);
    tcase_add_test(tc, test_db_read_lost_database_is_said);
    return run_suite(tc);
}
