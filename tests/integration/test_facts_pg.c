/* Facts against a real Postgres: random trees over the claims of random callers, written as SQL
 * beside it, and evaluated as that caller. The answer is Postgres', or UNKNOWN; and what Postgres
 * prints is read back as the same fact. */
#include "native_fixture.h"

#include <stdarg.h>

#define CALLERS 60
#define TREES_PER_CALLER 250
#define DEPTH 4

static const struct gw_fact_setting mapped[] = {
    {GW_SPAN_LIT("app.org"), GW_SPAN_LIT("org")},
    {GW_SPAN_LIT("app.tags"), GW_SPAN_LIT("tags")},
    {GW_SPAN_LIT("app.nothing"), GW_SPAN_LIT("nothing")},
};

/* ---- trees and their SQL, made together ---- */

struct tree {
    struct gw_fact_expr *x;
    const char *sql;
};

static struct gw_arena arena;

static struct gw_fact_expr *node(enum gw_fact_op op, enum gw_kind kind, uint32_t n)
{
    struct gw_fact_expr *x = gw_arena_alloc(&arena, sizeof *x);
    x->op = op;
    x->kind = kind;
    x->n_args = n;
    x->args = gw_arena_alloc(&arena, n * sizeof *x->args);
    return x;
}

static const char *sql_of(const char *fmt, ...)
{
    struct gw_buf out;
    char text[20000];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    gw_buf_init(&out, 0);
    struct gw_span copy = gw_arena_copy(&arena, gw_span_of(text));
    return copy.p;
}

static struct tree constant(enum gw_kind kind, const char *type, const char *text)
{
    struct tree t = {node(GW_FACT_CONST, kind, 0), NULL};
    t.x->is_null = !text;
    t.x->text = text ? gw_arena_copy(&arena, gw_span_of(text)) : (struct gw_span){NULL, 0};
    t.sql = text ? sql_of("'%s'::%s", text, type) : sql_of("NULL::%s", type);
    return t;
}

static struct tree native(enum gw_native_fn fn, const char *fmt, struct tree a)
{
    struct tree t = {node(GW_FACT_NATIVE, gw_natives[fn].result, 1), sql_of(fmt, a.sql)};
    t.x->fn = fn;
    t.x->args[0] = a.x;
    return t;
}

static struct tree native_two(enum gw_native_fn fn, const char *fmt, struct tree a, struct tree b)
{
    struct tree t = {node(GW_FACT_NATIVE, gw_natives[fn].result, 2), sql_of(fmt, a.sql, b.sql)};
    t.x->fn = fn;
    t.x->args[0] = a.x;
    t.x->args[1] = b.x;
    return t;
}

static struct tree make_text(int depth);
static struct tree make_bool(int depth);

static struct tree make_setting(void)
{
    static const char *const names[] = {"request.jwt.claim.sub",
                                        "request.jwt.claim.role",
                                        "request.jwt.claims",
                                        "app.org",
                                        "APP.Tags",
                                        "app.nothing",
                                        "app.never_set",
                                        "Request.Jwt.Claim.Sub",
                                        "role"};
    const char *name = PICK(names);
    struct tree t = {node(GW_FACT_SETTING, GW_KIND_TEXT, 0),
                     sql_of("current_setting('%s', true)", name)};
    t.x->text = gw_arena_copy(&arena, gw_span_of(name));
    return t;
}

static struct tree make_text_constant(void)
{
    static const char *const values[] = {"", "a", "42", "true", "owner", U, "A", "u1", "null"};
    return constant(GW_KIND_TEXT, "text", draw(10) ? PICK(values) : NULL);
}

static const char *const claim_keys[] = {"org",    "tags", "app_metadata", "n",      "flag",
                                         "absent", "sub",  "role",         "nested", "is_admin"};

/* The claims as json or jsonb, perhaps some steps into them. */
static struct tree make_json(bool is_binary)
{
    struct tree t = {node(GW_FACT_SETTING, GW_KIND_TEXT, 0),
                     "current_setting('request.jwt.claims', true)"};
    t.x->text = GW_SPAN_LIT("request.jwt.claims");
    t = native(is_binary ? GW_FN_TEXT_TO_JSONB : GW_FN_TEXT_TO_JSON,
               is_binary ? "(%s)::jsonb" : "(%s)::json", t);
    for (unsigned n = draw(3); n-- > 0;) {
        if (draw(4))
            t = native_two(GW_FN_JSON_GET, "(%s -> %s)", t,
                           constant(GW_KIND_TEXT, "text", PICK(claim_keys)));
        else
            t = native_two(GW_FN_JSON_AT, "(%s -> %s)", t,
                           constant(GW_KIND_INT, "int4", draw(2) ? "0" : "-2"));
    }
    return t;
}

static struct tree make_from_json(void)
{
    static const char *const paths_into[] = {"{app_metadata,org}", "{tags,0}", "{nested,a,b}",
                                             "{org}"};
    bool is_binary = draw(2);
    struct tree json = make_json(is_binary);
    switch (draw(4)) {
    case 0:
        return native_two(GW_FN_JSON_PATH_TEXT, "(%s #>> %s)", json,
                          constant(GW_KIND_OPAQUE, "text[]", PICK(paths_into)));
    case 1:
        return native(GW_FN_TO_TEXT, "(%s)::text", json);
    default:
        return native_two(GW_FN_JSON_GET_TEXT, "(%s ->> %s)", json,
                          constant(GW_KIND_TEXT, "text", PICK(claim_keys)));
    }
}

static struct tree make_two(enum gw_fact_op op, enum gw_kind kind, const char *fmt, struct tree a,
                            struct tree b)
{
    struct tree t = {node(op, kind, 2), sql_of(fmt, a.sql, b.sql)};
    t.x->arg_kind = GW_KIND_TEXT;
    t.x->args[0] = a.x;
    t.x->args[1] = b.x;
    return t;
}

static struct tree make_case(int depth, struct tree (*make)(int), enum gw_kind kind)
{
    struct tree c = make_bool(depth - 1), a = make(depth - 1), b = make(depth - 1);
    struct tree t = {node(GW_FACT_CASE, kind, 3),
                     sql_of("(CASE WHEN %s THEN %s ELSE %s END)", c.sql, a.sql, b.sql)};
    t.x->args[0] = c.x;
    t.x->args[1] = a.x;
    t.x->args[2] = b.x;
    return t;
}

static struct tree make_uuid(int depth)
{
    return native(GW_FN_TEXT_TO_UUID, "(%s)::uuid", make_text(depth - 1));
}

static struct tree make_text(int depth)
{
    struct tree first = draw(2) ? make_setting() : make_from_json();
    if (depth <= 0)
        return first;
    switch (draw(12)) {
    case 0:
        return make_two(GW_FACT_COALESCE, GW_KIND_TEXT, "coalesce(%s, %s)", make_text(depth - 1),
                        make_text(depth - 1));
    case 1:
        return make_two(GW_FACT_NULLIF, GW_KIND_TEXT, "nullif(%s, %s)", make_text(depth - 1),
                        make_text_constant());
    case 2:
        return make_case(depth, make_text, GW_KIND_TEXT);
    case 3:
        return native(GW_FN_LOWER, "lower(%s)", make_text(depth - 1));
    case 4:
        return native(GW_FN_TO_TEXT, "(%s)::text", make_uuid(depth));
    case 5:
        return native_two(GW_FN_CONCAT, "(%s || %s)", make_text(depth - 1), make_text_constant());
    case 6:
        return native(GW_FN_TRIM, "btrim(%s)", first);
    case 7: {
        struct tree t = {node(GW_FACT_ROLE, GW_KIND_TEXT, 0), "current_user::text"};
        return t;
    }
    default:
        return first;
    }
}

static struct tree make_compare(struct tree a, struct tree b, enum gw_kind kind)
{
    static const char *const ops[] = {"=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM"};
    bool has_order = kind == GW_KIND_INT;
    enum gw_cmp cmp = has_order ? draw(7) : draw(3) == 0 ? GW_CMP_DISTINCT : draw(2);
    struct tree t = {node(GW_FACT_COMPARE, GW_KIND_BOOL, 2),
                     sql_of("(%s %s %s)", a.sql, ops[cmp], b.sql)};
    t.x->cmp = cmp;
    t.x->arg_kind = kind;
    t.x->args[0] = a.x;
    t.x->args[1] = b.x;
    return t;
}

static struct tree make_is(struct tree a)
{
    static const char *const tests[] = {"TRUE", "FALSE", "UNKNOWN"};
    unsigned test = draw(3);
    struct tree t = {node(GW_FACT_IS, GW_KIND_BOOL, 1), sql_of("(%s IS %s)", a.sql, tests[test])};
    t.x->test = test;
    t.x->args[0] = a.x;
    return t;
}

static struct tree make_one(enum gw_fact_op op, const char *fmt, struct tree a)
{
    struct tree t = {node(op, GW_KIND_BOOL, 1), sql_of(fmt, a.sql)};
    t.x->args[0] = a.x;
    return t;
}

static struct tree make_in(int depth)
{
    struct tree a = make_text(depth - 1), b = make_text(0), c = make_text_constant();
    struct tree t = {node(GW_FACT_IN, GW_KIND_BOOL, 3),
                     sql_of("(%s IN (%s, %s))", a.sql, b.sql, c.sql)};
    t.x->arg_kind = GW_KIND_TEXT;
    t.x->args[0] = a.x;
    t.x->args[1] = b.x;
    t.x->args[2] = c.x;
    return t;
}

static struct tree make_int(int depth)
{
    return native(GW_FN_TEXT_TO_INT4, "(%s)::int4", make_text(depth - 1));
}

static struct tree make_bool(int depth)
{
    if (depth <= 0)
        return make_one(GW_FACT_IS_NULL, "(%s IS NULL)", make_text(0));
    switch (draw(11)) {
    case 0:
    case 1:
        return make_two(GW_FACT_AND, GW_KIND_BOOL, "(%s AND %s)", make_bool(depth - 1),
                        make_bool(depth - 1));
    case 2:
    case 3:
        return make_two(GW_FACT_OR, GW_KIND_BOOL, "(%s OR %s)", make_bool(depth - 1),
                        draw(8) ? make_bool(depth - 1)
                                : constant(GW_KIND_BOOL, "bool", draw(2) ? "t" : NULL));
    case 4:
        return make_one(GW_FACT_NOT, "(NOT %s)", make_bool(depth - 1));
    case 5:
        return make_one(GW_FACT_IS_NULL, "(%s IS NULL)", make_text(depth - 1));
    case 6:
        return make_is(make_bool(depth - 1));
    case 7:
        return make_in(depth);
    case 8:
        return make_compare(make_int(depth), constant(GW_KIND_INT, "int4", draw(9) ? "42" : NULL),
                            GW_KIND_INT);
    case 9:
        return native(GW_FN_TEXT_TO_BOOL, "(%s)::bool", make_text(depth - 1));
    default:
        return make_compare(make_text(depth - 1),
                            draw(2) ? make_text_constant() : make_text(depth - 1), GW_KIND_TEXT);
    }
}

/* ---- facts ---- */

static struct gw_fact_def define(struct tree t, enum gw_kind kind, bool is_set)
{
    return (struct gw_fact_def){
        .sql = gw_span_of(t.sql), .native = t.x, .kind = kind, .is_set = is_set};
}

static struct gw_fact_def make_set(void)
{
    struct tree json = make_json(true);
    bool has_cast = draw(2), is_array = draw(3) == 0;
    struct tree t;
    if (is_array) {
        struct tree text = native_two(GW_FN_STRING_TO_ARRAY, "string_to_array(%s, %s)",
                                      make_text(1), constant(GW_KIND_TEXT, "text", ","));
        t = make_one(GW_FACT_ARRAY, has_cast ? "(%s)::uuid[]" : "%s", text);
    } else {
        t = make_one(GW_FACT_ELEMENTS,
                     has_cast ? "ARRAY(SELECT e::uuid FROM jsonb_array_elements_text(%s) AS e)"
                              : "ARRAY(SELECT jsonb_array_elements_text(%s))",
                     json);
    }
    if (has_cast) {
        struct tree cast = make_one(GW_FACT_CAST_EACH, "%s", t);
        cast.x->fn = GW_FN_TEXT_TO_UUID;
        t = cast;
    }
    return define(t, has_cast ? GW_KIND_UUID : GW_KIND_TEXT, true);
}

static struct gw_fact_def make_fact(void)
{
    switch (draw(5)) {
    case 0:
        return define(make_text(DEPTH), GW_KIND_TEXT, false);
    case 1:
        return define(make_uuid(DEPTH), GW_KIND_UUID, false);
    case 2:
        return make_set();
    case 3:
        return define(make_int(DEPTH), GW_KIND_INT, false);
    default:
        return define(make_bool(DEPTH), GW_KIND_BOOL, false);
    }
}

/* ---- callers ---- */

static void add_claim(struct gw_buf *out, const char *name, const char *const *values, int n)
{
    if (draw(4) == 0)
        return;
    gw_buf_printf(out, "%s\"%s\":%s", out->n > 1 ? "," : "", name, pick(values, n));
}
#define ADD(name, ...)                                                                             \
    do {                                                                                           \
        static const char *const values[] = {__VA_ARGS__};                                         \
        add_claim(&json, name, values, COUNT(values));                                             \
    } while (0)

/* Compact, keys sorted, as the verifier writes it. */
static struct gw_claims *make_claims(void)
{
    static const char *const subs[] = {
        U, "", "u1", "42", "true", "00112233445566778899AABBCCDDEEFF", "\u00fcser", " 7 "};
    struct gw_buf json;
    gw_buf_init(&json, 0);
    gw_buf_add_byte(&json, '{');
    ADD("app_metadata", "{}", "{\"org\":\"42\"}", "{\"is_admin\":true,\"org\":null}", "null", "[1]",
        "{\"is_admin\":\"true\",\"org\":\"" U "\",\"tags\":[\"a\",\"b\"]}");
    ADD("flag", "true", "false", "\"t\"", "\"yes\"", "1", "\"maybe\"");
    ADD("is_admin", "true", "\"\"", "\"false\"", "{\"a\":[]}");
    ADD("n", "42", "-7", "1.50", "\" 42 \"", "1.0e20", "\"99999999999\"", "12345678901234567");
    ADD("nested", "{\"a\":{\"b\":\"x\"}}", "[[\"p\",\"q\"],\"r\"]", "\"flat\"",
        "{\"b\":1,\"aa\":2,\"a\":3}");
    ADD("org", "\"" U "\"", "\"42\"", "42", "null", "\"\"", "\"\u00e9\"", "\"a\\\"b\\n\"");
    ADD("role", "\"postgres\"", "\"anon\"");
    ADD("sub", "\"" U "\"", "\"u1\"", "7");
    ADD("tags", "[]", "[\"a\",\"b\",\"a\"]", "[\"" U "\"]", "[\"" U "\",null]", "[1,[2],{\"z\":3}]",
        "\"a,b\"", "{}", "[null]", "[\"\",\"NULL\",\"x y\",\"q\\\"\"]", "null");
    gw_buf_add_byte(&json, '}');
    struct gw_claims *c =
        gw_claims_new(0, GW_SPAN_LIT("postgres"), gw_span_of(PICK(subs)), 0, gw_buf_span(&json));
    gw_buf_fini(&json);
    return c;
}

static void set_one(const char *name, const char *value)
{
    const char *params[] = {name, value};
    PGresult *r =
        PQexecParams(db, "SELECT set_config($1, $2, true)", 2, NULL, params, NULL, NULL, 0);
    ck_assert_msg(PQresultStatus(r) == PGRES_TUPLES_OK, "%s", PQerrorMessage(db));
    PQclear(r);
}

static void set_claim(const struct gw_claims *c, const char *setting, const char *claim)
{
    const char *params[] = {c->json.p, claim};
    PGresult *r =
        PQexecParams(db, "SELECT coalesce($1::json ->> $2, '')", 2, NULL, params, NULL, NULL, 0);
    set_one(setting, PQgetvalue(r, 0, 0));
    PQclear(r);
}

static void become(const struct gw_claims *c)
{
    PQclear(PQexec(db, "BEGIN"));
    set_one("role", c->role.p);
    set_one("request.jwt.claims", c->json.p);
    set_one("request.jwt.claim.sub", c->sub.p);
    set_one("request.jwt.claim.role", c->role.p);
    set_claim(c, "app.org", "org");
    set_claim(c, "app.tags", "tags");
    set_claim(c, "app.nothing", "nothing");
    PQclear(PQexec(db, "SAVEPOINT s"));
}

/* ---- comparing ---- */

static int n_facts, n_unknown, n_errors;

static bool is_same_fact(const struct gw_fact *a, const struct gw_fact *b)
{
    if (a->state != b->state)
        return false;
    return a->state != GW_DATUM_VALUE ||
           (a->has_null == b->has_null && a->n == b->n &&
            (a->n == 0 || memcmp(a->keys, b->keys, a->n * sizeof *a->keys) == 0));
}

static void try_fact(const struct gw_claims *c)
{
    const struct gw_fact_env env = {c, mapped, COUNT(mapped)};
    struct gw_fact_def def = make_fact();
    struct gw_fact got = gw_fact_eval(&def, &env, &arena);
    n_facts++;
    if (got.state == GW_DATUM_UNKNOWN) {
        n_unknown++;
        return;
    }
    PGresult *r = PQexec(db, sql_of("SELECT (%s)::text", def.sql.p));
    struct gw_fact want = {.state = GW_DATUM_ERROR};
    if (PQresultStatus(r) == PGRES_TUPLES_OK)
        want =
            gw_fact_from_text(&def, gw_span_of(PQgetvalue(r, 0, 0)), PQgetisnull(r, 0, 0), &arena);
    else
        PQclear(PQexec(db, "ROLLBACK TO s"));
    n_errors += want.state == GW_DATUM_ERROR;
    ck_assert_msg(
        is_same_fact(&got, &want),
        "%s\n  claims %s, sub [%s]\n  native state %d, n %u\n  Postgres state %d, n %u: %s%s",
        def.sql.p, c->json.p, c->sub.p, got.state, got.n, want.state, want.n,
        PQresultErrorMessage(r), want.state == GW_DATUM_VALUE ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
}

START_TEST(test_facts_of_random_callers_as_postgres)
{
    for (int i = 0; i < CALLERS; i++) {
        struct gw_claims *c = make_claims();
        become(c);
        for (int round = 0; round < TREES_PER_CALLER; round++) {
            gw_arena_init(&arena, 0);
            try_fact(c);
            gw_arena_fini(&arena);
        }
        PQclear(PQexec(db, "ROLLBACK"));
        gw_claims_unref(c);
    }
    printf("facts: %d, %d left to Postgres, %d raise\n", n_facts, n_unknown, n_errors);
    ck_assert_int_lt(n_unknown, n_facts / 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("facts_pg");
    TCase *tc = tcase_create("facts_pg");
    tcase_add_unchecked_fixture(tc, db_open, db_close);
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, test_facts_of_random_callers_as_postgres);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
