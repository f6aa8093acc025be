/* The codec against protocol/vectors, and what a vector can't say: bounds, arena caps, layouts. */
#include "gw/codec.h"

#include "gw/json.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *root;
static struct gw_arena arena;
static struct gw_msg_in msg;

static void setup(void)
{
    gw_arena_init(&arena, 0);
}

static void teardown(void)
{
    gw_arena_fini(&arena);
}

/* ---- vectors ---- */

static size_t load(const char *file)
{
    char path[512];
    snprintf(path, sizeof path, "%s/protocol/vectors/%s", GW_SOURCE_DIR, file);
    json_error_t error;
    root = json_load_file(path, 0, &error);
    ck_assert_msg(root != NULL, "%s:%d: %s", path, error.line, error.text);
    return json_array_size(json_object_get(root, "vectors"));
}

static const char *name_of(const json_t *vector)
{
    return json_string_value(json_object_get(vector, "name"));
}

static struct gw_span text_of(const json_t *object, const char *key)
{
    const json_t *s = json_object_get(object, key);
    return (struct gw_span){json_string_value(s), json_string_length(s)};
}

/* A heap copy without a NUL behind it, so that ASan sees a read past the end. */
static struct gw_span exact_copy(struct gw_span s)
{
    char *p = malloc(s.n ? s.n : 1);
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    return (struct gw_span){p, s.n};
}

static struct gw_span bytes_of(const json_t *vector)
{
    struct gw_span hex = text_of(vector, "hex");
    if (!hex.p)
        return exact_copy(text_of(vector, "text"));
    char *p = malloc(hex.n / 2 + 1);
    for (size_t i = 0; i < hex.n / 2; i++) {
        unsigned byte;
        sscanf(hex.p + 2 * i, "%2x", &byte);
        p[i] = (char)byte;
    }
    return (struct gw_span){p, hex.n / 2};
}

static enum gw_vsn vsn_of(const json_t *vector)
{
    enum gw_vsn vsn;
    ck_assert_int_eq(gw_vsn_parse(text_of(vector, "vsn"), &vsn), GW_OK);
    return vsn;
}

static enum gw_code code_named(struct gw_span name)
{
    if (!name.p)
        return GW_OK;
    for (int code = 0; code < GW_CODE_COUNT; code++)
        if (gw_span_is(name, gw_code_name(code)))
            return code;
    ck_abort_msg("no code %.*s", (int)name.n, name.p);
}

static void expect_text(const json_t *vector, const char *field, struct gw_span got,
                        struct gw_span want)
{
    ck_assert_msg(gw_span_eq(got, want), "%s: %s is %.*s, not %.*s", name_of(vector), field,
                  (int)got.n, got.p, (int)want.n, want.p);
}

static void expect_flag(const json_t *vector, const char *field, bool got, bool want)
{
    ck_assert_msg(got == want, "%s: %s is %d", name_of(vector), field, got);
}

static void expect_ref(const json_t *vector, const char *field, bool has, struct gw_span got)
{
    struct gw_span want = text_of(json_object_get(vector, "means"), field);
    expect_flag(vector, field, has, want.p != NULL);
    expect_flag(vector, field, got.p != NULL, want.p != NULL);
    expect_text(vector, field, got, want);
}

static void expect_binding(const json_t *vector, const json_t *want,
                           const struct gw_join_binding *got)
{
    struct gw_span schema = text_of(want, "schema"), table = text_of(want, "table");
    struct gw_span filter = text_of(want, "filter");
    const json_t *select_is_valid = json_object_get(want, "select_is_valid");
    expect_text(vector, "event", got->event, text_of(want, "event"));
    expect_text(vector, "schema", got->schema, schema);
    expect_text(vector, "table", got->table, table);
    expect_text(vector, "filter", got->filter, filter);
    expect_text(vector, "echo", got->echo, text_of(want, "echo"));
    expect_flag(vector, "has_schema", got->has_schema, schema.p != NULL);
    expect_flag(vector, "has_table", got->has_table, table.p != NULL);
    expect_flag(vector, "filter_is_string", got->filter_is_string, filter.p != NULL);
    expect_flag(vector, "has_filter", got->has_filter,
                filter.p || json_is_true(json_object_get(want, "has_filter")));
    expect_flag(vector, "has_select", got->has_select,
                json_is_true(json_object_get(want, "has_select")));
    expect_flag(vector, "select_is_valid", got->select_is_valid, !json_is_false(select_is_valid));
}

static void expect_join(const json_t *vector, struct gw_span payload)
{
    const json_t *want = json_object_get(vector, "join");
    struct gw_join join;
    enum gw_code code = gw_codec_read_join(payload, &arena, &join);
    enum gw_code want_code = code_named(text_of(vector, "join_error"));
    ck_assert_msg(code == want_code, "%s: join is %s", name_of(vector), gw_code_name(code));
    if (code != GW_OK)
        return;
    expect_flag(vector, "config", join.has_config, json_is_true(json_object_get(want, "config")));
    expect_flag(vector, "private", join.is_private, json_is_true(json_object_get(want, "private")));
    expect_flag(vector, "ack", join.broadcast_ack, json_is_true(json_object_get(want, "ack")));
    expect_flag(vector, "self", join.broadcast_self, json_is_true(json_object_get(want, "self")));
    expect_flag(vector, "moves", join.rowcast_moves, json_is_true(json_object_get(want, "moves")));
    expect_flag(vector, "scopes", join.rowcast_scopes,
                json_is_true(json_object_get(want, "scopes")));
    expect_flag(vector, "presence", join.presence_enabled,
                json_is_true(json_object_get(want, "presence")));
    expect_text(vector, "presence_key", join.presence_key, text_of(want, "presence_key"));
    expect_text(vector, "token", join.access_token, text_of(want, "token"));
    const json_t *bindings = json_object_get(want, "bindings");
    ck_assert_msg(join.n_bindings == json_array_size(bindings), "%s: bindings", name_of(vector));
    for (uint32_t i = 0; i < join.n_bindings; i++)
        expect_binding(vector, json_array_get(bindings, i), &join.bindings[i]);
}

START_TEST(test_codec_client_text_decodes_as_the_vectors_say)
{
    size_t n = load("client_to_server.json");
    ck_assert_uint_ge(n, 50);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(json_object_get(root, "vectors"), i);
        const json_t *means = json_object_get(v, "means");
        struct gw_span bytes = bytes_of(v);
        enum gw_code code = gw_codec_decode_text(vsn_of(v), bytes, &arena, &msg);
        free((char *)bytes.p); /* nothing may point into the frame */
        ck_assert_msg(code == code_named(text_of(v, "error")), "%s: %s", name_of(v),
                      gw_code_name(code));
        if (code != GW_OK)
            continue;
        expect_flag(v, "is_binary", msg.is_binary, false);
        expect_ref(v, "join_ref", msg.has_join_ref, msg.join_ref);
        expect_ref(v, "ref", msg.has_ref, msg.ref);
        expect_text(v, "topic", msg.topic, text_of(means, "topic"));
        expect_text(v, "event", msg.event, text_of(means, "event"));
        expect_text(v, "payload", msg.payload, text_of(means, "payload"));
        if (json_object_get(v, "join") || json_object_get(v, "join_error"))
            expect_join(v, msg.payload);
    }
    json_decref(root);
}
END_TEST

START_TEST(test_codec_client_binary_decodes_as_the_vectors_say)
{
    size_t n = load("binary.json");
    ck_assert_uint_ge(n, 20);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(json_object_get(root, "vectors"), i);
        const json_t *means = json_object_get(v, "means");
        struct gw_span bytes = bytes_of(v);
        enum gw_code code = gw_codec_decode_binary(vsn_of(v), bytes, &arena, &msg);
        free((char *)bytes.p);
        ck_assert_msg(code == code_named(text_of(v, "error")), "%s: %s", name_of(v),
                      gw_code_name(code));
        if (code != GW_OK)
            continue;
        expect_flag(v, "is_binary", msg.is_binary, true);
        expect_ref(v, "join_ref", msg.has_join_ref, msg.join_ref);
        expect_ref(v, "ref", msg.has_ref, msg.ref);
        expect_text(v, "topic", msg.topic, text_of(means, "topic"));
        expect_text(v, "event", msg.event, GW_SPAN_LIT("broadcast"));
        expect_text(v, "user event", msg.user_event, text_of(means, "event"));
        expect_text(v, "metadata", msg.metadata, text_of(means, "metadata"));
        bool is_json = gw_span_is(text_of(means, "encoding"), "json");
        expect_flag(v, "encoding", msg.user_payload_is_json, is_json);
        struct gw_span want = text_of(means, "payload");
        json_t *raw =
            json_pack("{s:O}", "hex",
                      is_json ? json_object_get(v, "hex") : json_object_get(means, "payload_hex"));
        struct gw_span decoded = bytes_of(raw);
        expect_text(v, "payload", msg.user_payload, is_json ? want : decoded);
        free((char *)decoded.p);
        json_decref(raw);
    }
    json_decref(root);
}
END_TEST

static struct gw_span ref_of(const json_t *means, const char *key)
{
    return text_of(means, key); /* p is NULL for JSON null */
}

START_TEST(test_codec_server_text_encodes_as_the_vectors_say)
{
    size_t n = load("server_to_client.json");
    ck_assert_uint_ge(n, 30);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(json_object_get(root, "vectors"), i);
        const json_t *m = json_object_get(v, "means"), *reply = json_object_get(v, "reply");
        struct gw_buf b;
        gw_buf_init(&b, 0);
        gw_codec_encode(&b, vsn_of(v), ref_of(m, "join_ref"), ref_of(m, "ref"), text_of(m, "topic"),
                        text_of(m, "event").p, text_of(m, "payload"));
        expect_text(v, "frame", gw_buf_span(&b), text_of(v, "text"));
        ck_assert(gw_json_is_valid(gw_buf_span(&b)));
        gw_buf_reset(&b);
        if (reply) {
            gw_codec_encode_reply(&b, vsn_of(v), ref_of(m, "join_ref"), ref_of(m, "ref"),
                                  text_of(m, "topic"), json_is_true(json_object_get(reply, "ok")),
                                  text_of(reply, "response"));
            expect_text(v, "reply", gw_buf_span(&b), text_of(v, "text"));
        }
        gw_buf_fini(&b);
    }
    json_decref(root);
}
END_TEST

/* ---- versions ---- */

START_TEST(test_codec_vsn_known_is_accepted)
{
    static const struct {
        const char *text;
        enum gw_vsn vsn;
    } cases[] = {{"", GW_VSN_1},      {"1.0.0", GW_VSN_1},  {"2.0.0", GW_VSN_2},
                 {"2.0.1", GW_VSN_2}, {"1.0.12", GW_VSN_1}, {"2.0.123456789", GW_VSN_2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum gw_vsn vsn;
        ck_assert_int_eq(gw_vsn_parse(gw_span_of(cases[i].text), &vsn), GW_OK);
        ck_assert_int_eq(vsn, cases[i].vsn);
    }
    enum gw_vsn vsn;
    ck_assert_int_eq(gw_vsn_parse((struct gw_span){0}, &vsn), GW_OK);
    ck_assert_int_eq(vsn, GW_VSN_1);
}
END_TEST

START_TEST(test_codec_vsn_unknown_is_unsupported)
{
    static const char *const cases[] = {"3.0.0", "2.1.0", "2.0",    "2.0.",
                                        "2",     "2.0.x", " 2.0.0", "2.0.0 ",
                                        "1.1.0", "0.0.0", "2.0.-1", "2.0.1234567890"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum gw_vsn vsn;
        ck_assert_msg(gw_vsn_parse(gw_span_of(cases[i]), &vsn) == GW_E_UNSUPPORTED, "%s", cases[i]);
    }
}
END_TEST

/* ---- bounds ---- */

static const char join_text[] =
    "[\"1\",\"1\",\"realtime:r\",\"phx_join\",{\"config\":{\"postgres_changes\":"
    "[{\"event\":\"*\",\"schema\":\"public\",\"table\":\"t\",\"filter\":\"a=eq.1\"}],"
    "\"presence\":{\"key\":\"k\"}},\"access_token\":\"a\"}]";

START_TEST(test_codec_arena_cap_anywhere_is_too_big)
{
    struct gw_arena probe;
    gw_arena_init(&probe, 0);
    struct gw_join join;
    ck_assert_int_eq(gw_codec_decode_text(GW_VSN_2, GW_SPAN_LIT(join_text), &probe, &msg), GW_OK);
    ck_assert_int_eq(gw_codec_read_join(msg.payload, &probe, &join), GW_OK);
    size_t needed = probe.used_bytes;
    gw_arena_fini(&probe);
    for (size_t cap = 1; cap <= needed; cap++) {
        struct gw_arena small;
        gw_arena_init(&small, cap);
        enum gw_code code = gw_codec_decode_text(GW_VSN_2, GW_SPAN_LIT(join_text), &small, &msg);
        if (code == GW_OK)
            code = gw_codec_read_join(msg.payload, &small, &join);
        ck_assert_msg(code == (cap < needed ? GW_E_TOO_BIG : GW_OK), "cap %zu of %zu: %s", cap,
                      needed, gw_code_name(code));
        gw_arena_fini(&small);
    }
}
END_TEST

START_TEST(test_codec_binary_arena_cap_anywhere_is_too_big)
{
    static const char frame[] = "\3\1\1\13\3\2\1"
                                "37realtime:r1cur{}{\"x\":1}";
    struct gw_arena probe;
    gw_arena_init(&probe, 0);
    ck_assert_int_eq(gw_codec_decode_binary(GW_VSN_2, GW_SPAN_LIT(frame), &probe, &msg), GW_OK);
    size_t needed = probe.used_bytes;
    gw_arena_fini(&probe);
    for (size_t cap = 1; cap < needed; cap++) {
        struct gw_arena small;
        gw_arena_init(&small, cap);
        enum gw_code code = gw_codec_decode_binary(GW_VSN_2, GW_SPAN_LIT(frame), &small, &msg);
        ck_assert_int_eq(code, GW_E_TOO_BIG);
        ck_assert_ptr_null(msg.topic.p); /* no span into the frame is left behind */
        gw_arena_fini(&small);
    }
}
END_TEST

static enum gw_code decode_nested(size_t depth)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_buf_add_str(&b, "[null,\"1\",\"t\",\"e\",");
    for (size_t i = 0; i < depth; i++)
        gw_buf_add_byte(&b, '[');
    for (size_t i = 0; i < depth; i++)
        gw_buf_add_byte(&b, ']');
    gw_buf_add_byte(&b, ']');
    enum gw_code code = gw_codec_decode_text(GW_VSN_2, gw_buf_span(&b), &arena, &msg);
    gw_buf_fini(&b);
    return code;
}

START_TEST(test_codec_depth_511_in_the_payload_is_the_last_accepted)
{
    ck_assert_int_eq(decode_nested(511), GW_OK); /* and the envelope itself makes 512 */
    ck_assert_uint_eq(msg.payload.n, 1022);
    ck_assert_int_eq(decode_nested(512), GW_E_TOO_BIG);
}
END_TEST

/* {"config":{"postgres_changes":[{},{},…]}} */
static enum gw_code read_join_of(size_t n_bindings, size_t padding, struct gw_join *join)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_buf_add_str(&b, "{\"config\":{\"postgres_changes\":[");
    for (size_t i = 0; i < n_bindings; i++)
        gw_buf_add_str(&b, i ? ",{}" : "{}");
    gw_buf_add_str(&b, "]},\"x\":\"");
    while (b.n + 2 < padding)
        gw_buf_add_byte(&b, 'x');
    gw_buf_add_str(&b, "\"}");
    enum gw_code code = gw_codec_read_join(gw_buf_span(&b), &arena, join);
    gw_buf_fini(&b);
    return code;
}

START_TEST(test_codec_join_100_bindings_are_the_last_accepted)
{
    struct gw_join join;
    ck_assert_int_eq(read_join_of(GW_JOIN_BINDINGS_MAX, 0, &join), GW_OK);
    ck_assert_uint_eq(join.n_bindings, GW_JOIN_BINDINGS_MAX);
    ck_assert_int_eq(read_join_of(GW_JOIN_BINDINGS_MAX + 1, 0, &join), GW_E_TOO_BIG);
}
END_TEST

START_TEST(test_codec_join_payload_at_its_bound_is_the_last_accepted)
{
    struct gw_join join;
    ck_assert_int_eq(read_join_of(1, GW_JOIN_PAYLOAD_MAX, &join), GW_OK);
    ck_assert_int_eq(read_join_of(1, GW_JOIN_PAYLOAD_MAX + 1, &join), GW_E_TOO_BIG);
}
END_TEST

START_TEST(test_codec_join_no_json_is_malformed)
{
    struct gw_join join;
    ck_assert_int_eq(gw_codec_read_join(GW_SPAN_LIT("{"), &arena, &join), GW_E_MALFORMED);
    ck_assert_int_eq(gw_codec_read_join((struct gw_span){0}, &arena, &join), GW_E_MALFORMED);
}
END_TEST

/* ---- reading one member ---- */

START_TEST(test_codec_read_string_tells_absent_from_no_string)
{
    bool is_string;
    struct gw_span s;
    struct gw_span object =
        GW_SPAN_LIT("{\"a\":\"x\\n\",\"b\":null,\"c\":7,\"d\":\"\\u0000\",\"e\":"
                    "\"\",\"a2\":{\"a\":\"no\"}}");
    ck_assert(gw_codec_read_string(object, "a", &arena, &is_string, &s));
    ck_assert(is_string && gw_span_is(s, "x\n"));
    ck_assert(gw_codec_read_string(object, "b", &arena, &is_string, &s) && !is_string);
    ck_assert(gw_codec_read_string(object, "c", &arena, &is_string, &s) && !is_string);
    ck_assert(gw_codec_read_string(object, "d", &arena, &is_string, &s) && !is_string);
    ck_assert(gw_codec_read_string(object, "e", &arena, &is_string, &s) && is_string && s.n == 0);
    ck_assert(!gw_codec_read_string(object, "f", &arena, &is_string, &s) && !is_string);
    ck_assert(!gw_codec_read_string(GW_SPAN_LIT("[\"a\"]"), "a", &arena, &is_string, &s));
    ck_assert(!gw_codec_read_string(GW_SPAN_LIT("\"a\""), "a", &arena, &is_string, &s));
}
END_TEST

START_TEST(test_codec_encode_past_the_buffer_cap_overflows)
{
    struct gw_buf b;
    gw_buf_init(&b, 16);
    gw_codec_encode(&b, GW_VSN_2, (struct gw_span){0}, (struct gw_span){0}, GW_SPAN_LIT("topic"),
                    "phx_error", GW_SPAN_LIT("{}"));
    ck_assert(b.overflow);
    gw_buf_fini(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("codec");
    TCase *tc = tcase_create("codec");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_codec_client_text_decodes_as_the_vectors_say);
    tcase_add_test(tc, test_codec_client_binary_decodes_as_the_vectors_say);
    tcase_add_test(tc, test_codec_server_text_encodes_as_the_vectors_say);
    tcase_add_test(tc, test_codec_vsn_known_is_accepted);
    tcase_add_test(tc, test_codec_vsn_unknown_is_unsupported);
    tcase_add_test(tc, test_codec_arena_cap_anywhere_is_too_big);
    tcase_add_test(tc, test_codec_binary_arena_cap_anywhere_is_too_big);
    tcase_add_test(tc, test_codec_depth_511_in_the_payload_is_the_last_accepted);
    tcase_add_test(tc, test_codec_join_100_bindings_are_the_last_accepted);
    tcase_add_test(tc, test_codec_join_payload_at_its_bound_is_the_last_accepted);
    tcase_add_test(tc, test_codec_join_no_json_is_malformed);
    tcase_add_test(tc, test_codec_read_string_tells_absent_from_no_string);
    tcase_add_test(tc, test_codec_encode_past_the_buffer_cap_overflows);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
