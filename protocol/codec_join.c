/* codec_join: the payload of a phx_join.
 *
 * DESIGN. Fields are read from a jansson tree, whose casts and look-ups a join needs many of; a
 * join is rare, and its size is bounded before, because a tree takes some forty times the memory of
 * its text and that memory is not the arena's. What goes back to the client, the echo of each
 * binding, is cut from the text instead: the client compares it with what it sent, so a number or
 * an escape must not be written anew. Both readings let the last of equal keys win. */
#include "gw/codec.h"

#include "codec_internal.h"
#include "scan.h"

#include <jansson.h>

/* JSON true, or "true" in any case; all else is false, which is every flag's default. */
static bool flag_of(const json_t *value)
{
    if (json_is_string(value))
        return gw_span_is_nocase(
            (struct gw_span){json_string_value(value), json_string_length(value)}, "true");
    return json_is_true(value);
}

static bool is_present(const json_t *value)
{
    return value && !json_is_null(value);
}

/* A string member's text; an empty span for anything else. */
static enum gw_code string_of(const json_t *value, struct gw_arena *arena, bool *is_string,
                              struct gw_span *out)
{
    *is_string = json_is_string(value);
    if (!*is_string)
        return GW_OK;
    struct gw_span text = {json_string_value(value), json_string_length(value)};
    return gw_codec_copy(arena, text, out);
}

/* The binding's own text without its blanks and without any "id": the server's id takes its place.
 * raw is an object. */
static enum gw_code echo_of(struct gw_span raw, struct gw_arena *arena, struct gw_span *out)
{
    char *text = gw_arena_alloc(arena, raw.n + 1);
    if (!text)
        return GW_E_TOO_BIG;
    char *to = text;
    struct gw_scan s = gw_scan_of(raw);
    struct gw_span key, value;
    *to++ = '{';
    while (gw_scan_member(&s, &key, &value)) {
        if (gw_scan_key_is(key, "id"))
            continue;
        if (to > text + 1)
            *to++ = ',';
        to = gw_scan_compact(to, key);
        *to++ = ':';
        to = gw_scan_compact(to, value);
    }
    *to++ = '}';
    *out = (struct gw_span){text, (size_t)(to - text)};
    return GW_OK;
}

/* select is an array of strings; other elements are dropped, and nothing left means no select. */
static void read_select(const json_t *select, struct gw_join_binding *out)
{
    out->select_is_valid = !is_present(select) || json_is_array(select);
    out->has_select = is_present(select) && !json_is_array(select);
    for (size_t i = 0; i < json_array_size(select); i++)
        if (json_is_string(json_array_get(select, i)))
            out->has_select = true;
}

static enum gw_code read_binding(const json_t *binding, struct gw_span raw, struct gw_arena *arena,
                                 struct gw_join_binding *out)
{
    bool has_event;
    const json_t *filter = json_object_get(binding, "filter");
    enum gw_code code =
        string_of(json_object_get(binding, "event"), arena, &has_event, &out->event);
    if (code == GW_OK)
        code = string_of(json_object_get(binding, "schema"), arena, &out->has_schema, &out->schema);
    if (code == GW_OK)
        code = string_of(json_object_get(binding, "table"), arena, &out->has_table, &out->table);
    if (code == GW_OK)
        code = string_of(filter, arena, &out->filter_is_string, &out->filter);
    if (code == GW_OK)
        code = echo_of(raw, arena, &out->echo);
    out->has_filter = is_present(filter);
    read_select(json_object_get(binding, "select"), out);
    return code;
}

/* The text of config.postgres_changes, which the tree has found to be an array. */
static struct gw_scan raw_bindings(struct gw_span payload)
{
    struct gw_span config, bindings;
    if (!gw_scan_find(payload, "config", &config) ||
        !gw_scan_find(config, "postgres_changes", &bindings))
        return (struct gw_scan){0};
    return gw_scan_of(bindings);
}

static enum gw_code read_bindings(const json_t *bindings, struct gw_span payload,
                                  struct gw_arena *arena, struct gw_join *out)
{
    size_t n = json_array_size(bindings);
    if (n == 0)
        return GW_OK;
    if (n > GW_JOIN_BINDINGS_MAX)
        return GW_E_TOO_BIG;
    if (!(out->bindings = gw_arena_alloc(arena, n * sizeof *out->bindings)))
        return GW_E_TOO_BIG;
    struct gw_scan s = raw_bindings(payload);
    struct gw_span raw;
    for (size_t i = 0; i < n && gw_scan_element(&s, &raw); i++) {
        const json_t *binding = json_array_get(bindings, i);
        if (!json_is_object(binding))
            continue;
        enum gw_code code = read_binding(binding, raw, arena, &out->bindings[out->n_bindings]);
        if (code != GW_OK)
            return code;
        out->n_bindings++;
    }
    return GW_OK;
}

/* user_token before access_token; an empty one is none. */
static enum gw_code read_token(const json_t *root, struct gw_arena *arena, struct gw_span *out)
{
    const json_t *token = json_object_get(root, "user_token");
    bool is_string;
    if (json_string_length(token) == 0)
        token = json_object_get(root, "access_token");
    return string_of(token, arena, &is_string, out);
}

/* Of config.broadcast.rowcast; members it does not know are for servers to come. */
static void read_extensions(const json_t *rowcast, struct gw_join *out)
{
    out->rowcast_moves = flag_of(json_object_get(rowcast, "moves"));
    out->rowcast_scopes = flag_of(json_object_get(rowcast, "scopes"));
}

static enum gw_code read_config(const json_t *config, struct gw_span payload,
                                struct gw_arena *arena, struct gw_join *out)
{
    const json_t *broadcast = json_object_get(config, "broadcast");
    const json_t *presence = json_object_get(config, "presence");
    bool has_key;
    out->has_config = is_present(config);
    out->is_private = flag_of(json_object_get(config, "private"));
    out->broadcast_ack = flag_of(json_object_get(broadcast, "ack"));
    out->broadcast_self = flag_of(json_object_get(broadcast, "self"));
    read_extensions(json_object_get(broadcast, "rowcast"), out);
    out->presence_enabled = flag_of(json_object_get(presence, "enabled"));
    enum gw_code code =
        string_of(json_object_get(presence, "key"), arena, &has_key, &out->presence_key);
    if (code != GW_OK)
        return code;
    return read_bindings(json_object_get(config, "postgres_changes"), payload, arena, out);
}

enum gw_code gw_codec_read_join(struct gw_span payload, struct gw_arena *arena, struct gw_join *out)
{
    *out = (struct gw_join){0};
    if (payload.n > GW_JOIN_PAYLOAD_MAX)
        return GW_E_TOO_BIG;
    enum gw_code code = gw_scan_check(payload);
    if (code != GW_OK)
        return code;
    json_t *root =
        json_loadb(payload.p, payload.n, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
    if (!root)
        return GW_E_MALFORMED;
    code = read_config(json_object_get(root, "config"), payload, arena, out);
    if (code == GW_OK)
        code = read_token(root, arena, &out->access_token);
    json_decref(root);
    return code;
}
