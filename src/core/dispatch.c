/* dispatch: an inbound message → the handler of its event. Everything here is the peer's choice: a
 * message that can't be read is counted and dropped, and the connection stays (reference §1.7). */
#include "shard_internal.h"

#include "gw/log.h"

/* What decoding may take: the parts once more, a tree's worth of bindings, and some for small ones.
 */
static size_t arena_cap(size_t message_bytes)
{
    return 8 * message_bytes + 64 * (size_t)1024;
}

static void on_broadcast(struct gw_channel *ch, const struct gw_msg_in *msg)
{
    if (ch->wants_ack)
        gw_channel_reply(ch, msg, false,
                         GW_SPAN_LIT("{\"reason\":\"Broadcast is not available on this server\"}"));
}

static void on_presence(struct gw_channel *ch, const struct gw_msg_in *msg)
{
    gw_channel_reply(ch, msg, false,
                     GW_SPAN_LIT("{\"reason\":\"Presence is not available on this server\"}"));
}

static void on_channel_event(struct gw_channel *ch, const struct gw_msg_in *msg,
                             struct gw_arena *arena, struct gw_now now)
{
    if (gw_span_is(msg->event, "phx_leave"))
        gw_channel_on_leave(ch, msg);
    else if (gw_span_is(msg->event, "access_token"))
        gw_channel_on_token(ch, msg, arena, now);
    else if (gw_span_is(msg->event, "broadcast"))
        on_broadcast(ch, msg);
    else if (gw_span_is(msg->event, "presence"))
        on_presence(ch, msg);
    else
        ch->session->shard->stats.unknown_events++;
}

static bool is_heartbeat(const struct gw_msg_in *msg)
{
    return gw_span_is(msg->topic, "phoenix") && gw_span_is(msg->event, "heartbeat");
}

static void on_heartbeat(struct gw_session *ss, const struct gw_msg_in *msg)
{
    struct gw_msg_in echo = *msg;
    echo.has_join_ref = false;
    gw_session_reply(ss, &echo, true, GW_SPAN_LIT("{}"));
}

static void route(struct gw_session *ss, const struct gw_msg_in *msg, struct gw_arena *arena,
                  struct gw_now now)
{
    if (is_heartbeat(msg)) {
        on_heartbeat(ss, msg);
        return;
    }
    if (gw_span_is(msg->event, "phx_join")) {
        gw_session_on_join(ss, msg, arena, now);
        return;
    }
    struct gw_channel *ch = gw_session_find(ss, msg->topic);
    if (ch)
        on_channel_event(ch, msg, arena, now);
    else if (gw_span_is(msg->event, "phx_leave"))
        gw_session_reply(ss, msg, true, GW_SPAN_LIT("{}"));
    else
        gw_session_refuse(ss, msg, "", GW_SPAN_LIT("unmatched topic"));
}

static enum gw_code decode(enum gw_vsn vsn, struct gw_span bytes, bool is_binary,
                           struct gw_arena *arena, struct gw_msg_in *msg)
{
    enum gw_code code = is_binary ? gw_codec_decode_binary(vsn, bytes, arena, msg)
                                  : gw_codec_decode_text(vsn, bytes, arena, msg);
    if (code != GW_OK)
        return code;
    /* Topics and refs are kept and echoed. */
    if (msg->topic.n > GW_TOPIC_MAX || msg->ref.n > GW_REF_MAX || msg->join_ref.n > GW_REF_MAX)
        return GW_E_TOO_BIG;
    return GW_OK;
}

void gw_session_on_message(struct gw_session *ss, struct gw_span bytes, bool is_binary,
                           struct gw_now now)
{
    struct gw_shard *s = ss->shard;
    s->stats.messages_in++;
    if (ss->state == GW_SESSION_CLOSING)
        return;
    ss->last_input = now.mono;
    gw_list_remove(&ss->in_shard);
    gw_list_push(&s->sessions, &ss->in_shard);

    struct gw_arena arena;
    gw_arena_init(&arena, arena_cap(bytes.n));
    struct gw_msg_in msg;
    enum gw_code code = decode(ss->vsn, bytes, is_binary, &arena, &msg);
    if (code == GW_OK) {
        route(ss, &msg, &arena, now);
    } else {
        s->stats.malformed++;
        gw_log(GW_LOG_DEBUG, "malformed_message", "code=%s bytes=%zu", gw_code_name(code), bytes.n);
    }
    gw_arena_fini(&arena);
}
