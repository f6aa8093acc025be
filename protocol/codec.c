/* codec: text frames of both serializers, in and out. codec_binary.c has the binary frames,
 * codec_join.c the payload of a join.
 *
 * DESIGN. An envelope is checked once as a whole (gw_scan_check), then cut into raw slices of its
 * own text; nothing is parsed into a tree and printed again. So the payload is what the client
 * wrote, less the blanks, with every digit of its numbers, and what a message can make us allocate
 * is less than its own length. */
#include "gw/codec.h"

#include "codec_internal.h"
#include "scan.h"

#include "gw/json.h"

/* The five parts as slices of the text; p is NULL where a part is missing. */
struct raw_msg {
    struct gw_span join_ref, ref, topic, event, payload;
};

enum gw_code gw_vsn_parse(struct gw_span text, enum gw_vsn *out)
{
    static const size_t prefix = sizeof "1.0." - 1;
    if (text.n == 0) {
        *out = GW_VSN_1;
        return GW_OK;
    }
    if (text.n <= prefix || text.n > prefix + 9)
        return GW_E_UNSUPPORTED;
    for (size_t i = prefix; i < text.n; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return GW_E_UNSUPPORTED;
    struct gw_span version = {text.p, prefix};
    if (!gw_span_is(version, "1.0.") && !gw_span_is(version, "2.0."))
        return GW_E_UNSUPPORTED;
    *out = version.p[0] == '1' ? GW_VSN_1 : GW_VSN_2;
    return GW_OK;
}

enum gw_code gw_codec_copy(struct gw_arena *arena, struct gw_span from, struct gw_span *out)
{
    char *p = gw_arena_alloc(arena, from.n + 1);
    if (!p)
        return GW_E_TOO_BIG;
    if (from.n > 0)
        memcpy(p, from.p, from.n);
    *out = (struct gw_span){p, from.n};
    return GW_OK;
}

/* [join_ref, ref, topic, event, payload], no more and no less. */
static bool split_array(struct gw_span text, struct raw_msg *raw)
{
    if (gw_scan_kind(text) != '[')
        return false;
    struct gw_scan s = gw_scan_of(text);
    struct gw_span sixth;
    return gw_scan_element(&s, &raw->join_ref) && gw_scan_element(&s, &raw->ref) &&
           gw_scan_element(&s, &raw->topic) && gw_scan_element(&s, &raw->event) &&
           gw_scan_element(&s, &raw->payload) && !gw_scan_element(&s, &sixth);
}

/* {"topic":…, "event":…, "payload":…, "ref":…, "join_ref":…} in any order; others are ignored. */
static bool split_object(struct gw_span text, struct raw_msg *raw)
{
    if (gw_scan_kind(text) != '{')
        return false;
    struct gw_scan s = gw_scan_of(text);
    struct gw_span key, value;
    while (gw_scan_member(&s, &key, &value)) {
        if (gw_scan_key_is(key, "topic"))
            raw->topic = value;
        else if (gw_scan_key_is(key, "event"))
            raw->event = value;
        else if (gw_scan_key_is(key, "payload"))
            raw->payload = value;
        else if (gw_scan_key_is(key, "ref"))
            raw->ref = value;
        else if (gw_scan_key_is(key, "join_ref"))
            raw->join_ref = value;
    }
    return raw->topic.p && raw->event.p && raw->ref.p;
}

static bool is_null(struct gw_span raw)
{
    return !raw.p || *raw.p == 'n';
}

static enum gw_code take_ref(struct gw_span raw, struct gw_arena *arena, bool *has,
                             struct gw_span *out)
{
    *has = !is_null(raw);
    if (!*has)
        return GW_OK;
    if (*raw.p == '"')
        return gw_scan_unescape(raw, arena, out);
    return gw_json_is_number(raw) ? gw_codec_copy(arena, raw, out) : GW_E_MALFORMED;
}

static enum gw_code take_string(struct gw_span raw, struct gw_arena *arena, struct gw_span *out)
{
    return *raw.p == '"' ? gw_scan_unescape(raw, arena, out) : GW_E_MALFORMED;
}

static enum gw_code take_payload(struct gw_span raw, struct gw_arena *arena, struct gw_span *out)
{
    if (is_null(raw))
        return gw_codec_copy(arena, GW_SPAN_LIT("{}"), out);
    char *p = gw_arena_alloc(arena, raw.n + 1);
    if (!p)
        return GW_E_TOO_BIG;
    *out = (struct gw_span){p, (size_t)(gw_scan_compact(p, raw) - p)};
    return GW_OK;
}

enum gw_code gw_codec_decode_text(enum gw_vsn vsn, struct gw_span text, struct gw_arena *arena,
                                  struct gw_msg_in *out)
{
    *out = (struct gw_msg_in){0};
    enum gw_code code = gw_scan_check(text);
    if (code != GW_OK)
        return code;
    struct raw_msg raw = {0};
    if (!(vsn == GW_VSN_2 ? split_array(text, &raw) : split_object(text, &raw)))
        return GW_E_MALFORMED;
    if ((code = take_ref(raw.join_ref, arena, &out->has_join_ref, &out->join_ref)) != GW_OK ||
        (code = take_ref(raw.ref, arena, &out->has_ref, &out->ref)) != GW_OK ||
        (code = take_string(raw.topic, arena, &out->topic)) != GW_OK ||
        (code = take_string(raw.event, arena, &out->event)) != GW_OK)
        return code;
    return take_payload(raw.payload, arena, &out->payload);
}

bool gw_codec_read_string(struct gw_span object, const char *key, struct gw_arena *arena,
                          bool *is_string, struct gw_span *out)
{
    struct gw_span value;
    *is_string = false;
    *out = (struct gw_span){0};
    if (!gw_scan_find(object, key, &value))
        return false;
    *is_string = *value.p == '"' && gw_scan_unescape(value, arena, out) == GW_OK;
    return true;
}

static void add_ref(struct gw_buf *out, struct gw_span ref)
{
    if (ref.p)
        gw_json_add_string(out, ref);
    else
        gw_buf_add_str(out, "null");
}

static void add_head(struct gw_buf *out, enum gw_vsn vsn, struct gw_span join_ref,
                     struct gw_span ref, struct gw_span topic, const char *event)
{
    if (vsn == GW_VSN_2) {
        gw_buf_add_byte(out, '[');
        add_ref(out, join_ref);
        gw_buf_add_byte(out, ',');
        add_ref(out, ref);
        gw_buf_add_byte(out, ',');
        gw_json_add_string(out, topic);
        gw_buf_add_byte(out, ',');
        gw_json_add_string(out, gw_span_of(event));
        gw_buf_add_byte(out, ',');
        return;
    }
    gw_buf_add_str(out, "{\"topic\":");
    gw_json_add_string(out, topic);
    gw_buf_add_str(out, ",\"event\":");
    gw_json_add_string(out, gw_span_of(event));
    gw_buf_add_str(out, ",\"payload\":");
}

static void add_tail(struct gw_buf *out, enum gw_vsn vsn, struct gw_span ref)
{
    if (vsn == GW_VSN_2) {
        gw_buf_add_byte(out, ']');
        return;
    }
    gw_buf_add_str(out, ",\"ref\":");
    add_ref(out, ref);
    gw_buf_add_byte(out, '}');
}

void gw_codec_encode(struct gw_buf *out, enum gw_vsn vsn, struct gw_span join_ref,
                     struct gw_span ref, struct gw_span topic, const char *event,
                     struct gw_span payload)
{
    add_head(out, vsn, join_ref, ref, topic, event);
    gw_buf_add_span(out, payload);
    add_tail(out, vsn, ref);
}

void gw_codec_encode_reply(struct gw_buf *out, enum gw_vsn vsn, struct gw_span join_ref,
                           struct gw_span ref, struct gw_span topic, bool ok,
                           struct gw_span response)
{
    add_head(out, vsn, join_ref, ref, topic, "phx_reply");
    gw_buf_add_str(out,
                   ok ? "{\"status\":\"ok\",\"response\":" : "{\"status\":\"error\",\"response\":");
    gw_buf_add_span(out, response);
    gw_buf_add_byte(out, '}');
    add_tail(out, vsn, ref);
}
