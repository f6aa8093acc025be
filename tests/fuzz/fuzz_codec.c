/* Hostile frames: the first byte chooses serializer and frame type ('1', '2': text of 1.0.0 and
 * 2.0.0; '3': binary), the rest is the frame. Beyond "no bad read" it holds the codec to this: what
 * it hands out is UTF-8 and JSON, and a message encoded again decodes to itself. */
#include "gw/codec.h"

#include "gw/json.h"

#include <stdlib.h>

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x))                                                                                  \
            abort();                                                                               \
    } while (0)

static void check_join(struct gw_span payload, struct gw_arena *arena)
{
    struct gw_join join;
    if (gw_codec_read_join(payload, arena, &join) != GW_OK)
        return;
    MUST(join.n_bindings <= GW_JOIN_BINDINGS_MAX);
    MUST(gw_utf8_is_valid(join.presence_key) && gw_utf8_is_valid(join.access_token));
    for (uint32_t i = 0; i < join.n_bindings; i++) {
        bool is_string;
        struct gw_span id;
        MUST(gw_json_is_valid(join.bindings[i].echo));
        MUST(!gw_codec_read_string(join.bindings[i].echo, "id", arena, &is_string, &id));
        MUST(gw_utf8_is_valid(join.bindings[i].filter));
    }
}

static void check_text(enum gw_vsn vsn, const struct gw_msg_in *in, struct gw_arena *arena)
{
    MUST(gw_utf8_is_valid(in->topic) && gw_utf8_is_valid(in->event));
    MUST(gw_json_is_valid(in->payload));
    char *event = gw_strdup_span(in->event);
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_codec_encode(&b, vsn, in->join_ref, in->ref, in->topic, event, in->payload);
    struct gw_msg_in again;
    MUST(gw_codec_decode_text(vsn, gw_buf_span(&b), arena, &again) == GW_OK);
    MUST(gw_span_eq(again.topic, in->topic) && gw_span_eq(again.event, in->event));
    MUST(again.has_ref == in->has_ref && gw_span_eq(again.ref, in->ref));
    MUST(gw_span_eq(again.payload, in->payload));
    MUST(vsn == GW_VSN_1 || gw_span_eq(again.join_ref, in->join_ref));
    gw_buf_fini(&b);
    free(event);
    check_join(in->payload, arena);
}

static void check_binary(const struct gw_msg_in *in)
{
    MUST(in->is_binary && gw_span_is(in->event, "broadcast") && gw_json_is_valid(in->payload));
    MUST(gw_utf8_is_valid(in->topic) && gw_utf8_is_valid(in->user_event));
    MUST(in->metadata.n == 0 || gw_json_is_valid(in->metadata));
    MUST(!in->user_payload_is_json || gw_json_is_valid(in->user_payload));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct gw_span frame = {(const char *)data + 1, size - 1};
    enum gw_vsn vsn = data[0] % 3 == 1 ? GW_VSN_1 : GW_VSN_2;
    struct gw_arena arena;
    struct gw_msg_in in;
    gw_arena_init(&arena, 1 << 20);
    if (data[0] % 3 == 0) {
        if (gw_codec_decode_binary(vsn, frame, &arena, &in) == GW_OK)
            check_binary(&in);
    } else if (gw_codec_decode_text(vsn, frame, &arena, &in) == GW_OK) {
        check_text(vsn, &in, &arena);
    }
    gw_arena_fini(&arena);
    return 0;
}
