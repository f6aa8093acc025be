/* codec: the Phoenix-style wire, serializers 1.0.0 (objects) and 2.0.0 (arrays), text frames, and the
 * header of binary kind 3. protocol/PROTOCOL.md is the specification, protocol/vectors its examples.
 * No I/O. Uses jansson inside; none of it shows here. */
#ifndef GW_CODEC_H
#define GW_CODEC_H

#include "gw/arena.h"

enum gw_vsn { GW_VSN_1, GW_VSN_2 };

/* "1.0.0", "2.0.0", or absent/empty (1.0.0). Compatible patch levels ("2.0.1") are accepted.
 * E_UNSUPPORTED otherwise. */
GW_MUST_CHECK enum gw_code gw_vsn_parse(struct gw_span text, enum gw_vsn *out);

/* A message from a client. Spans point into the arena. */
struct gw_msg_in {
    bool has_join_ref, has_ref;    /* false: null or absent */
    struct gw_span join_ref, ref;  /* numbers are taken as their text */
    struct gw_span topic, event;
    struct gw_span payload;        /* compact JSON text of any kind; "{}" if absent or null */
    bool is_binary;                /* kind 3: event is "broadcast", see the next fields */
    struct gw_span user_event, metadata, user_payload;
    bool user_payload_is_json;
};

/* E_MALFORMED (bad JSON, wrong shape, missing topic/event/ref key), E_TOO_BIG (arena cap, depth). */
GW_MUST_CHECK enum gw_code gw_codec_decode_text(enum gw_vsn vsn, struct gw_span text,
                                                struct gw_arena *arena, struct gw_msg_in *out);
GW_MUST_CHECK enum gw_code gw_codec_decode_binary(enum gw_vsn vsn, struct gw_span bytes,
                                                  struct gw_arena *arena, struct gw_msg_in *out);

/* One binding as the client wrote it. */
struct gw_join_binding {
    struct gw_span event, schema, table, filter; /* as sent; empty if absent or null */
    bool has_schema, has_table; /* present and a string */
    bool has_filter;            /* present and not null, whatever its type */
    bool filter_is_string;
    bool has_select;      /* present, and not an array without any string */
    bool select_is_valid; /* absent, null or an array */
    struct gw_span echo; /* the client's object as compact JSON, verbatim keys, without an "id" */
};

struct gw_join {
    bool has_config; /* false: legacy join, the topic names schema:table:filter */
    bool is_private, broadcast_ack, broadcast_self, presence_enabled;
    bool rowcast_moves, rowcast_scopes; /* of config.broadcast.rowcast, PROTOCOL.md §7 */
    struct gw_span presence_key;
    struct gw_span access_token; /* user_token wins over access_token; empty if neither */
    uint32_t n_bindings;
    /* In the arena, order kept; entries that are no objects (null) are dropped. */
    struct gw_join_binding *bindings;
};

#define GW_JOIN_BINDINGS_MAX 100
#define GW_JOIN_PAYLOAD_MAX ((size_t)256 * 1024) /* bytes */

/* payload: JSON of a phx_join. Flexible booleans; what can't be cast takes its default, as the
 * reference says (§1.6). E_TOO_BIG: more than GW_JOIN_BINDINGS_MAX bindings, a payload past
 * GW_JOIN_PAYLOAD_MAX, or the arena's cap. E_MALFORMED: not JSON, or anywhere in it a string with
 * \u0000 or half a surrogate pair, or a number no double can hold. */
GW_MUST_CHECK enum gw_code gw_codec_read_join(struct gw_span payload, struct gw_arena *arena,
                                              struct gw_join *out);
/* The string member `key` of a JSON object. false: not an object, absent; *is_string says whether
 * it is a string (null and others are not). */
bool gw_codec_read_string(struct gw_span object, const char *key, struct gw_arena *arena,
                          bool *is_string, struct gw_span *out);

/* Server → client, appended to out as one text message. join_ref, ref: p == NULL means null.
 * payload: JSON text, copied. v1 leaves join_ref out. */
void gw_codec_encode(struct gw_buf *out, enum gw_vsn vsn, struct gw_span join_ref,
                     struct gw_span ref, struct gw_span topic, const char *event,
                     struct gw_span payload);
/* {"status":"ok|error","response":…}; response: JSON text. */
void gw_codec_encode_reply(struct gw_buf *out, enum gw_vsn vsn, struct gw_span join_ref,
                           struct gw_span ref, struct gw_span topic, bool ok,
                           struct gw_span response);

#endif
