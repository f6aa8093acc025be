/* codec_binary: binary frames of serializer 2.0.0. A client sends one kind only, 3 ("user
 * broadcast push"); kinds 0 to 2 are Phoenix' own and 4 belongs to the server.
 *
 *     offset  size  field
 *          0     1  kind = 3
 *          1     1  length of join_ref, bytes
 *          2     1  length of ref
 *          3     1  length of topic
 *          4     1  length of user event
 *          5     1  length of metadata
 *          6     1  payload encoding: 0 raw bytes, 1 JSON
 *          7        join_ref ‖ ref ‖ topic ‖ user event ‖ metadata ‖ payload, to the end
 *
 * What may travel on as text is held to the rules of text frames here: UTF-8 without NUL, and JSON
 * that gw_json_is_valid accepts. */
#include "gw/codec.h"

#include "codec_internal.h"
#include "scan.h"

#include "gw/json.h"

enum { KIND_USER_BROADCAST_PUSH = 3 };
enum { ENCODING_RAW, ENCODING_JSON };

static bool is_text(struct gw_span s)
{
    return gw_utf8_is_valid(s) && (s.n == 0 || !memchr(s.p, '\0', s.n));
}

/* Empty, or one JSON object. */
static enum gw_code check_metadata(struct gw_span s)
{
    if (s.n == 0)
        return GW_OK;
    enum gw_code code = gw_scan_check(s);
    return code == GW_OK && gw_scan_kind(s) != '{' ? GW_E_MALFORMED : code;
}

/* Spans of *in point into the frame still. */
static enum gw_code split(struct gw_span frame, struct gw_msg_in *in)
{
    struct gw_cursor c = gw_cursor_of(frame);
    uint8_t kind = gw_cursor_u8(&c);
    uint8_t join_ref_n = gw_cursor_u8(&c), ref_n = gw_cursor_u8(&c), topic_n = gw_cursor_u8(&c);
    uint8_t event_n = gw_cursor_u8(&c), metadata_n = gw_cursor_u8(&c);
    uint8_t encoding = gw_cursor_u8(&c);
    in->join_ref = gw_cursor_bytes(&c, join_ref_n);
    in->ref = gw_cursor_bytes(&c, ref_n);
    in->topic = gw_cursor_bytes(&c, topic_n);
    in->user_event = gw_cursor_bytes(&c, event_n);
    in->metadata = gw_cursor_bytes(&c, metadata_n);
    in->user_payload = gw_cursor_bytes(&c, gw_cursor_left(&c));
    if (c.failed || kind != KIND_USER_BROADCAST_PUSH || encoding > ENCODING_JSON)
        return GW_E_MALFORMED;
    in->user_payload_is_json = encoding == ENCODING_JSON;
    in->has_join_ref = join_ref_n > 0;
    in->has_ref = ref_n > 0;
    return GW_OK;
}

static enum gw_code check(const struct gw_msg_in *in)
{
    if (!is_text(in->join_ref) || !is_text(in->ref) || !is_text(in->topic) ||
        !is_text(in->user_event))
        return GW_E_MALFORMED;
    enum gw_code code = check_metadata(in->metadata);
    if (code != GW_OK || !in->user_payload_is_json)
        return code;
    return gw_scan_check(in->user_payload);
}

/* Move every span from the frame into the arena. */
static enum gw_code keep(struct gw_arena *arena, struct gw_msg_in *in)
{
    struct gw_span *spans[] = {&in->join_ref,   &in->ref,      &in->topic,
                               &in->user_event, &in->metadata, &in->user_payload};
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
        if (gw_codec_copy(arena, *spans[i], spans[i]) != GW_OK)
            return GW_E_TOO_BIG;
    if (!in->has_join_ref)
        in->join_ref = (struct gw_span){0}; /* null, which is not the empty string */
    if (!in->has_ref)
        in->ref = (struct gw_span){0};
    if (gw_codec_copy(arena, GW_SPAN_LIT("broadcast"), &in->event) != GW_OK)
        return GW_E_TOO_BIG;
    return gw_codec_copy(arena, GW_SPAN_LIT("{}"), &in->payload);
}

enum gw_code gw_codec_decode_binary(enum gw_vsn vsn, struct gw_span bytes, struct gw_arena *arena,
                                    struct gw_msg_in *out)
{
    *out = (struct gw_msg_in){.is_binary = true};
    if (vsn != GW_VSN_2)
        return GW_E_MALFORMED;
    enum gw_code code = split(bytes, out);
    if (code == GW_OK)
        code = check(out);
    if (code == GW_OK)
        code = keep(arena, out);
    if (code != GW_OK)
        *out = (struct gw_msg_in){0}; /* no span into the frame gets out */
    return code;
}
