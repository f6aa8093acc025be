/* Native functions against a real Postgres: for nasty and for generated arguments the answer is
 * Postgres', or UNKNOWN; for plain arguments it is never UNKNOWN. */
#include "native_maker.h"

#define ARGS_MAX 3
#define GENERATED 1500

struct spec {
    enum gw_native_fn fn, first; /* first: applied to the first argument before */
    const char *args;            /* kinds, see generate() */
    const char *sql;
};

#define JSON_SPECS(type, first)                                                                    \
    {GW_FN_JSON_GET, first, "jk", "SELECT ($1::text)::" type " -> ($2::text)"},                    \
        {GW_FN_JSON_GET_TEXT, first, "jk", "SELECT ($1::text)::" type " ->> ($2::text)"},          \
        {GW_FN_JSON_AT, first, "jn", "SELECT ($1::text)::" type " -> ($2::text)::int4"},           \
        {GW_FN_JSON_AT_TEXT, first, "jn", "SELECT ($1::text)::" type " ->> ($2::text)::int4"},     \
        {GW_FN_JSON_PATH, first, "jp", "SELECT ($1::text)::" type " #> ($2::text)::text[]"},       \
    {                                                                                              \
        GW_FN_JSON_PATH_TEXT, first, "jp", "SELECT ($1::text)::" type " #>> ($2::text)::text[]"    \
    }

static const struct spec specs[] = {
    {GW_FN_TEXT_TO_UUID, GW_FN_NONE, "u", "SELECT ($1::text)::uuid"},
    {GW_FN_TEXT_TO_INT2, GW_FN_NONE, "i", "SELECT ($1::text)::int2"},
    {GW_FN_TEXT_TO_INT4, GW_FN_NONE, "i", "SELECT ($1::text)::int4"},
    {GW_FN_TEXT_TO_INT8, GW_FN_NONE, "i", "SELECT ($1::text)::int8"},
    {GW_FN_TEXT_TO_BOOL, GW_FN_NONE, "b", "SELECT ($1::text)::bool"},
    {GW_FN_TO_TEXT, GW_FN_TEXT_TO_BOOL, "b", "SELECT ($1::text)::bool::text"},
    {GW_FN_TO_TEXT, GW_FN_TEXT_TO_UUID, "u", "SELECT ($1::text)::uuid::text"},
    {GW_FN_TO_TEXT, GW_FN_TEXT_TO_INT8, "i", "SELECT ($1::text)::int8::text"},
    {GW_FN_TO_TEXT, GW_FN_TEXT_TO_JSONB, "j", "SELECT ($1::text)::jsonb::text"},
    {GW_FN_TEXT_TO_JSONB, GW_FN_NONE, "j", "SELECT ($1::text)::jsonb"},
    {GW_FN_TEXT_TO_JSON, GW_FN_NONE, "j", "SELECT ($1::text)::json"},
    JSON_SPECS("json", GW_FN_TEXT_TO_JSON),
    JSON_SPECS("jsonb", GW_FN_TEXT_TO_JSONB),
    {GW_FN_JSON_HAS, GW_FN_TEXT_TO_JSONB, "jk", "SELECT ($1::text)::jsonb ? ($2::text)"},
    {GW_FN_CONCAT, GW_FN_NONE, "tt", "SELECT ($1::text) || ($2::text)"},
    {GW_FN_LOWER, GW_FN_NONE, "t", "SELECT lower($1::text)"},
    {GW_FN_UPPER, GW_FN_NONE, "t", "SELECT upper($1::text)"},
    {GW_FN_SPLIT_PART, GW_FN_NONE, "tdn",
     "SELECT split_part($1::text, $2::text, ($3::text)::int4)"},
    {GW_FN_LENGTH, GW_FN_NONE, "t", "SELECT length($1::text)"},
    {GW_FN_STRING_TO_ARRAY, GW_FN_NONE, "td", "SELECT string_to_array($1::text, $2::text)"},
    {GW_FN_STARTS_WITH, GW_FN_NONE, "tt", "SELECT starts_with($1::text, $2::text)"},
    {GW_FN_LIKE, GW_FN_NONE, "tl", "SELECT ($1::text) LIKE ($2::text)"},
    {GW_FN_TRIM, GW_FN_NONE, "t", "SELECT btrim($1::text)"},
};

static int n_cases, n_unknown;

/* ---- both sides ---- */

static struct gw_datum native_answer(const struct spec *s, const char *const *texts_in,
                                     struct gw_arena *arena)
{
    struct gw_datum args[ARGS_MAX];
    uint32_t n = (uint32_t)strlen(s->args);
    for (uint32_t i = 0; i < n; i++) {
        enum gw_kind kind = s->args[i] == 'n' ? GW_KIND_INT : GW_KIND_TEXT;
        args[i] = texts_in[i] ? gw_datum_of(kind, gw_span_of(texts_in[i])) : gw_datum_null(kind);
    }
    if (s->first != GW_FN_NONE)
        args[0] = gw_native_call(s->first, args, 1, arena);
    return gw_native_call(s->fn, args, n, arena);
}

static void differ(const struct spec *s, const char *const *in, const char *native,
                   const char *postgres)
{
    const char *a[ARGS_MAX] = {"", "", ""};
    for (size_t i = 0; i < strlen(s->args); i++)
        a[i] = in[i] ? in[i] : "(null)";
    ck_abort_msg("%s\n  arguments [%s] [%s] [%s]\n  native [%s]\n  Postgres [%s]", s->sql, a[0],
                 a[1], a[2], native, postgres);
}

static void compare_answers(const struct spec *s, const char *const *in, const struct gw_datum *d,
                            PGresult *r)
{
    static const char *const states[] = {"(null)", "(value)", "(unknown)", "(error)"};
    bool ok = PQresultStatus(r) == PGRES_TUPLES_OK;
    bool is_null = ok && PQgetisnull(r, 0, 0);
    const char *want = !ok ? "(error)" : is_null ? "(null)" : PQgetvalue(r, 0, 0);
    char got[TEXT_MAX * 4];
    snprintf(got, sizeof got, "%.*s", (int)d->text.n, d->text.n ? d->text.p : "");
    bool is_same = !ok       ? d->state == GW_DATUM_ERROR
                   : is_null ? d->state == GW_DATUM_NULL
                             : d->state == GW_DATUM_VALUE && strcmp(got, want) == 0;
    if (!is_same)
        differ(s, in, d->state == GW_DATUM_VALUE ? got : states[d->state], want);
    struct gw_datum key = gw_datum_of(gw_natives[s->fn].result, gw_span_of(want));
    if (d->state == GW_DATUM_VALUE && d->kind != GW_KIND_OPAQUE &&
        (d->kind != key.kind || !gw_key_eq(d->key, key.key)))
        differ(s, in, "(other key)", want);
}

static void try(const struct spec *s, const char *const *in, bool must_know)
{
    struct gw_arena arena;
    gw_arena_init(&arena, 0);
    struct gw_datum d = native_answer(s, in, &arena);
    n_cases++;
    n_unknown += d.state == GW_DATUM_UNKNOWN;
    if (d.state == GW_DATUM_UNKNOWN && must_know)
        differ(s, in, "(unknown)", "not asked: the case is plain");
    if (d.state != GW_DATUM_UNKNOWN) {
        PGresult *r = PQexecPrepared(db, "", (int)strlen(s->args), in, NULL, NULL, 0);
        compare_answers(s, in, &d, r);
        PQclear(r);
    }
    gw_arena_fini(&arena);
}

static void prepare(const struct spec *s)
{
    PGresult *r = PQprepare(db, "", s->sql, 0, NULL);
    ck_assert_msg(PQresultStatus(r) == PGRES_COMMAND_OK, "%s", PQerrorMessage(db));
    PQclear(r);
}

/* ---- cases ---- */

#define TABLE(letter, a)                                                                           \
    {                                                                                              \
        (letter), (a), COUNT(a)                                                                    \
    }
static const struct table {
    char kind;
    const char *const *texts;
    int n;
} tables[] = {TABLE('u', uuids),      TABLE('i', ints),       TABLE('b', bools), TABLE('j', jsons),
              TABLE('k', keys),       TABLE('n', small_ints), TABLE('p', paths), TABLE('t', texts),
              TABLE('d', delimiters), TABLE('l', patterns)};

static const struct table *table_of(char kind)
{
    for (int i = 0; i < COUNT(tables); i++)
        if (tables[i].kind == kind)
            return &tables[i];
    ck_abort();
    return NULL;
}

/* Every combination; position n of a table is NULL. */
static void try_all(const struct spec *s, const char **in, size_t at)
{
    if (s->args[at] == '\0') {
        try(s, in, false);
        return;
    }
    const struct table *t = table_of(s->args[at]);
    for (int i = 0; i <= t->n; i++) {
        in[at] = i < t->n ? t->texts[i] : NULL;
        try_all(s, in, at + 1);
    }
}

START_TEST(test_native_nasty_arguments_as_postgres)
{
    const char *in[ARGS_MAX];
    prepare(&specs[_i]);
    try_all(&specs[_i], in, 0);
}
END_TEST

START_TEST(test_native_generated_arguments_as_postgres)
{
    const struct spec *s = &specs[_i];
    char made[ARGS_MAX][TEXT_MAX];
    const char *in[ARGS_MAX];
    prepare(s);
    for (int round = 0; round < GENERATED; round++) {
        bool is_plain = round % 2;
        for (size_t i = 0; i < strlen(s->args); i++) {
            generate(s->args[i], is_plain, made[i]);
            in[i] = !is_plain && draw(20) == 0 ? NULL : made[i];
        }
        try(s, in, is_plain);
    }
}
END_TEST

START_TEST(test_native_few_answers_are_left_to_postgres)
{
    printf("native: %d cases, %d left to Postgres\n", n_cases, n_unknown);
    ck_assert_int_gt(n_cases, 40000);
    ck_assert_int_lt(n_unknown, n_cases / 10);
}
END_TEST

START_TEST(test_native_nested_deeper_than_read_is_unknown)
{
    char deep[2 * 600 + 1];
    struct gw_arena arena;
    gw_arena_init(&arena, 0);
    memset(deep, '[', 600);
    memset(deep + 600, ']', 600);
    struct gw_datum d = gw_datum_of(GW_KIND_TEXT, (struct gw_span){deep, 1200});
    ck_assert_int_eq(gw_native_call(GW_FN_TEXT_TO_JSON, &d, 1, &arena).state, GW_DATUM_UNKNOWN);
    ck_assert_int_eq(gw_native_call(GW_FN_TEXT_TO_JSONB, &d, 1, &arena).state, GW_DATUM_UNKNOWN);
    gw_arena_fini(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("native_pg");
    TCase *tc = tcase_create("native_pg");
    tcase_add_unchecked_fixture(tc, db_open, db_close);
    tcase_set_timeout(tc, 250);
    tcase_add_loop_test(tc, test_native_nasty_arguments_as_postgres, 0, COUNT(specs));
    tcase_add_loop_test(tc, test_native_generated_arguments_as_postgres, 0, COUNT(specs));
    tcase_add_test(tc, test_native_few_answers_are_left_to_postgres);
    tcase_add_test(tc, test_native_nested_deeper_than_read_is_unknown);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
