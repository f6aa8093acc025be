/* session: one WebSocket. Its outbox with two classes of frames (changes within the bound, control
 * messages within a reserve past it), what happens when it falls behind, and its end. */
#include "shard_internal.h"

#include "gw/json.h"
#include "gw/log.h"

#include <assert.h>
#include <stdlib.h>

static const bool moves[3][3] = {
    [GW_SESSION_OPEN] = {[GW_SESSION_BEHIND] = true, [GW_SESSION_CLOSING] = true},
    [GW_SESSION_BEHIND] = {[GW_SESSION_OPEN] = true, [GW_SESSION_CLOSING] = true},
};

static void set_state(struct gw_session *ss, enum gw_session_state to)
{
    assert(moves[ss->state][to]);
    ss->state = to;
}

void gw_session_mark_dirty(struct gw_session *ss)
{
    if (gw_list_is_empty(&ss->dirty))
        gw_list_push(&ss->shard->dirty, &ss->dirty);
}

struct gw_session *gw_session_open(struct gw_shard *s, void *socket, enum gw_vsn vsn,
                                   struct gw_claims *key_claims, struct gw_now now)
{
    struct gw_session *ss = gw_alloc(sizeof *ss);
    ss->shard = s;
    ss->socket = socket;
    ss->vsn = vsn;
    ss->key_claims = gw_claims_ref(key_claims);
    ss->last_input = now.mono;
    gw_outbox_init(&ss->outbox, s->limits.outbox_bytes);
    gw_list_init(&ss->channels);
    gw_list_init(&ss->dirty);
    gw_list_push(&s->sessions, &ss->in_shard);
    s->stats.sessions++;
    return ss;
}

void *gw_session_socket(const struct gw_session *ss)
{
    return ss->socket;
}

struct gw_outbox *gw_session_outbox(struct gw_session *ss)
{
    return &ss->outbox;
}

unsigned gw_session_close_code(const struct gw_session *ss)
{
    return ss->close_code;
}

void gw_session_gone(struct gw_session *ss)
{
    GW_LIST_EACH_SAFE(it, tmp, &ss->channels)
    {
        gw_channel_end(GW_CONTAINER_OF(it, struct gw_channel, in_session));
    }
    assert(ss->n_channels == 0);
    gw_outbox_fini(&ss->outbox);
    gw_list_remove(&ss->dirty);
    gw_list_remove(&ss->in_shard);
    gw_claims_unref(ss->key_claims);
    ss->shard->stats.sessions--;
    free(ss->refusals);
    free(ss);
}

struct gw_channel *gw_session_find(struct gw_session *ss, struct gw_span topic)
{
    GW_LIST_EACH(it, &ss->channels)
    {
        struct gw_channel *ch = GW_CONTAINER_OF(it, struct gw_channel, in_session);
        if (gw_span_eq(ch->route->topic, topic))
            return ch;
    }
    return NULL;
}

static void say_farewell(struct gw_session *ss)
{
    GW_LIST_EACH(it, &ss->channels)
    {
        gw_channel_system(GW_CONTAINER_OF(it, struct gw_channel, in_session), "system", true,
                          GW_SPAN_LIT("Server requested disconnect"));
    }
}

void gw_session_close(struct gw_session *ss, unsigned code)
{
    assert(code != 0);
    if (ss->state == GW_SESSION_CLOSING)
        return;
    if (code == GW_CLOSE_RESTART)
        say_farewell(ss);
    if (ss->state == GW_SESSION_CLOSING) /* the farewell was too much for its outbox */
        return;
    set_state(ss, GW_SESSION_CLOSING);
    ss->close_code = code;
    gw_list_remove(&ss->in_shard);
    gw_list_push(&ss->shard->closing, &ss->in_shard);
    gw_session_mark_dirty(ss);
}

static void count_queued(struct gw_session *ss, const struct gw_frame *f)
{
    ss->shard->stats.frames_out++;
    ss->shard->stats.bytes_out += f->n;
    gw_session_mark_dirty(ss);
}

/* Queue what was encoded into the shard's scratch. */
static void push_control(struct gw_session *ss)
{
    struct gw_span text = gw_buf_span(&ss->shard->out);
    struct gw_frame *f = gw_frame_new(1, &text, 1);
    if (gw_outbox_push_reserved(&ss->outbox, f, GW_CONTROL_RESERVE_BYTES) == GW_OK) {
        count_queued(ss, f);
    } else {
        gw_log(GW_LOG_DEBUG, "session_too_slow", "queued_bytes=%zu", ss->outbox.bytes);
        gw_session_close(ss, GW_CLOSE_SLOW);
    }
    gw_frame_unref(f);
}

void gw_session_send(struct gw_session *ss, struct gw_span join_ref, struct gw_span ref,
                     struct gw_span topic, const char *event, struct gw_span payload)
{
    if (ss->state == GW_SESSION_CLOSING)
        return;
    gw_buf_reset(&ss->shard->out);
    gw_codec_encode(&ss->shard->out, ss->vsn, join_ref, ref, topic, event, payload);
    push_control(ss);
}

static struct gw_span ref_or_null(bool has, struct gw_span ref)
{
    return has ? ref : (struct gw_span){0};
}

void gw_session_reply(struct gw_session *ss, const struct gw_msg_in *msg, bool ok,
                      struct gw_span response)
{
    if (ss->state == GW_SESSION_CLOSING)
        return;
    gw_buf_reset(&ss->shard->out);
    gw_codec_encode_reply(&ss->shard->out, ss->vsn, ref_or_null(msg->has_join_ref, msg->join_ref),
                          ref_or_null(msg->has_ref, msg->ref), msg->topic, ok, response);
    push_control(ss);
}

void gw_session_refuse(struct gw_session *ss, const struct gw_msg_in *msg, const char *code,
                       struct gw_span text)
{
    struct gw_buf reason;
    gw_buf_init(&reason, 0);
    if (*code) {
        gw_buf_add_str(&reason, code);
        gw_buf_add_str(&reason, ": ");
    }
    gw_buf_add_span(&reason, text);
    struct gw_buf *response = &ss->shard->payload;
    gw_buf_reset(response);
    gw_buf_add_str(response, "{\"reason\":");
    gw_json_add_string(response, gw_buf_span(&reason));
    gw_buf_add_byte(response, '}');
    gw_session_reply(ss, msg, false, gw_buf_span(response));
    gw_buf_fini(&reason);
}

/* A change that is refused by an empty outbox will never fit: no drain would follow. */
static void fall_behind(struct gw_session *ss, struct gw_channel *ch)
{
    ss->shard->stats.slow_sessions++;
    if (ss->outbox.count == 0) {
        gw_channel_resync(ch);
        return;
    }
    set_state(ss, GW_SESSION_BEHIND);
    ch->has_missed = true;
}

bool gw_session_push_change(struct gw_session *ss, struct gw_channel *ch, struct gw_frame *f)
{
    if (ss->state == GW_SESSION_CLOSING)
        return false;
    if (ss->state == GW_SESSION_BEHIND) {
        ch->has_missed = true;
        return false;
    }
    if (gw_outbox_push(&ss->outbox, f) != GW_OK) {
        fall_behind(ss, ch);
        return false;
    }
    count_queued(ss, f);
    return true;
}

void gw_session_drained(struct gw_session *ss)
{
    if (ss->state != GW_SESSION_BEHIND)
        return;
    set_state(ss, GW_SESSION_OPEN);
    GW_LIST_EACH_SAFE(it, tmp, &ss->channels)
    {
        struct gw_channel *ch = GW_CONTAINER_OF(it, struct gw_channel, in_session);
        if (ch->has_missed)
            gw_channel_resync(ch);
    }
}
