/* channel: one joined topic of one session: what is said on it by the server, how its token is
 * renewed, and how it ends.
 *
 * DESIGN. A channel asks the hub (SUBSCRIBE) once per identity. Only one question is under way: a
 * token that comes meanwhile waits for the answer and is then asked with, so that every swap of
 * identities is seen and its place in the stream known. Without that, commits judged for an
 * identity in between would pass the channel by.
 *
 * What its caller may do with a topic comes by two ways that can overtake each other: the answer to
 * a question by the mailbox, later losses by the commits that caused them. Each speaks for a point
 * of the stream, and the later point wins. */
#include "shard_internal.h"

#include "gw/json.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static const bool moves[4][4] = {
    [GW_CHANNEL_NEW] =
        {[GW_CHANNEL_JOINING] = true, [GW_CHANNEL_JOINED] = true, [GW_CHANNEL_ENDED] = true},
    [GW_CHANNEL_JOINING] = {[GW_CHANNEL_JOINED] = true, [GW_CHANNEL_ENDED] = true},
    [GW_CHANNEL_JOINED] = {[GW_CHANNEL_ENDED] = true},
};

static void set_state(struct gw_channel *ch, enum gw_channel_state to)
{
    assert(moves[ch->state][to]);
    ch->state = to;
}

/* ---- birth and end ---- */

static struct gw_span keep_ref(char *to, struct gw_span ref)
{
    if (ref.n == 0)
        return (struct gw_span){0}; /* null on the wire */
    memcpy(to, ref.p, ref.n);
    return (struct gw_span){to, ref.n};
}

struct gw_channel *gw_channel_new(struct gw_session *ss, const struct gw_channel_spec *spec)
{
    struct gw_shard *s = ss->shard;
    struct gw_channel *ch = gw_alloc(sizeof *ch);
    ch->session = ss;
    ch->route = gw_route_ref(s, ss->vsn, spec->is_legacy, spec->topic);
    ch->id = ++s->next_channel_id;
    ch->wants_ack = spec->wants_ack;
    ch->wants_presence = spec->wants_presence;
    ch->wants_moves = spec->wants_moves;
    ch->wants_scopes = spec->wants_scopes;
    ch->claims = spec->claims;
    ch->token_hash = spec->token_hash;
    ch->n_wanted = spec->n_wanted;
    ch->wanted = spec->wanted;
    ch->join_response = spec->join_response;
    ch->refs = gw_alloc(spec->join_ref.n + spec->ref.n + 1);
    ch->join_ref = keep_ref(ch->refs, spec->join_ref);
    ch->ref = keep_ref(ch->refs + spec->join_ref.n, spec->ref);
    gw_list_init(&ch->subs);
    gw_list_push(&ss->channels, &ch->in_session);
    gw_idmap_put(&s->channels, ch->id, ch);
    gw_expiry_add(&s->expiry, ch);
    ss->n_channels++;
    s->stats.channels++;
    s->n_moves += ch->wants_moves;
    s->n_scopes += ch->wants_scopes;
    return ch;
}

void gw_channel_end(struct gw_channel *ch)
{
    struct gw_shard *s = ch->session->shard;
    set_state(ch, GW_CHANNEL_ENDED);
    gw_uplink_unsubscribe(ch);
    gw_uplink_may_end(ch);
    gw_sub_end_all(ch);
    gw_expiry_remove(&s->expiry, ch);
    gw_idmap_take(&s->channels, ch->id);
    gw_list_remove(&ch->in_session);
    ch->session->n_channels--;
    s->stats.channels--;
    s->n_moves -= ch->wants_moves;
    s->n_scopes -= ch->wants_scopes;
    gw_route_unref(s, ch->route);
    gw_claims_unref(ch->claims);
    gw_bindings_free(ch->wanted, ch->n_wanted);
    free(ch->refs);
    free(ch->join_response);
    free(ch);
}

/* ---- what is said on it ---- */

void gw_channel_reply(struct gw_channel *ch, const struct gw_msg_in *msg, bool ok,
                      struct gw_span response)
{
    struct gw_msg_in as_of_join = *msg; /* a stale join_ref is answered all the same (§1.7) */
    as_of_join.has_join_ref = true;
    as_of_join.join_ref = ch->join_ref;
    gw_session_reply(ch->session, &as_of_join, ok, response);
}

static void send_last(struct gw_channel *ch, const char *event)
{
    gw_session_send(ch->session, ch->join_ref, ch->ref, ch->route->topic, event, GW_SPAN_LIT("{}"));
}

void gw_channel_close(struct gw_channel *ch)
{
    send_last(ch, "phx_close");
    gw_channel_end(ch);
}

void gw_channel_fail(struct gw_channel *ch)
{
    send_last(ch, "phx_error");
    gw_channel_end(ch);
}

void gw_channel_resync(struct gw_channel *ch)
{
    ch->session->shard->stats.resyncs++;
    gw_channel_fail(ch);
}

/* The topic without its prefix. */
static struct gw_span name_of(const struct gw_channel *ch)
{
    static const size_t prefix = sizeof GW_TOPIC_PREFIX - 1;
    return (struct gw_span){ch->route->topic.p + prefix, ch->route->topic.n - prefix};
}

void gw_channel_system(struct gw_channel *ch, const char *extension, bool ok, struct gw_span text)
{
    struct gw_buf *payload = &ch->session->shard->payload;
    gw_buf_reset(payload);
    gw_buf_printf(payload, "{\"extension\":\"%s\",\"status\":\"%s\",\"message\":", extension,
                  ok ? "ok" : "error");
    gw_json_add_string(payload, text);
    gw_buf_add_str(payload, ",\"channel\":");
    gw_json_add_string(payload, name_of(ch));
    gw_buf_add_byte(payload, '}');
    gw_session_send(ch->session, ch->join_ref, (struct gw_span){0}, ch->route->topic, "system",
                    gw_buf_span(payload));
}

static void answer_join(struct gw_channel *ch)
{
    struct gw_msg_in msg = {.has_ref = ch->ref.n > 0, .ref = ch->ref, .topic = ch->route->topic};
    gw_channel_reply(ch, &msg, true, gw_span_of(ch->join_response));
    free(ch->join_response);
    ch->join_response = NULL;
    ch->session->shard->stats.joins++;
    if (ch->wants_presence)
        gw_session_send(ch->session, ch->join_ref, (struct gw_span){0}, ch->route->topic,
                        "presence_state", GW_SPAN_LIT("{}"));
}

void gw_channel_open(struct gw_channel *ch, const char *fault)
{
    if (ch->state != GW_CHANNEL_JOINED) {
        set_state(ch, GW_CHANNEL_JOINED);
        answer_join(ch);
    }
    if (fault)
        gw_channel_system(ch, "postgres_changes", false, gw_span_of(fault));
    else if (ch->n_wanted > 0)
        gw_channel_system(ch, "postgres_changes", true, GW_SPAN_LIT("Subscribed to PostgreSQL"));
}

/* ---- the hub ---- */

void gw_channel_ask(struct gw_channel *ch)
{
    if (ch->n_wanted == 0)
        return;
    if (ch->is_asking) {
        ch->must_ask_again = true;
        return;
    }
    if (ch->state == GW_CHANNEL_NEW)
        set_state(ch, GW_CHANNEL_JOINING);
    ch->is_asking = true;
    ch->must_ask_again = false;
    ch->asked_role = ch->claims->role_id;
    ch->attempt++;
    gw_uplink_subscribe(ch);
}

static void on_answer(struct gw_channel *ch)
{
    ch->is_asking = false;
    if (ch->must_ask_again)
        gw_channel_ask(ch);
}

void gw_channel_on_subscribed(struct gw_channel *ch, struct gw_to_worker *msg)
{
    const struct gw_shard *s = ch->session->shard;
    bool is_late = msg->live_seq <= s->last_seq || s->has_lost;
    gw_channel_open(ch, NULL);
    if (is_late) { /* commits of this subscription have gone by, or may have */
        gw_channel_resync(ch);
        return;
    }
    gw_sub_retire(ch, msg->live_seq);
    gw_sub_start(ch, msg, ch->asked_role);
    on_answer(ch);
}

void gw_channel_on_refused(struct gw_channel *ch, const struct gw_to_worker *msg)
{
    gw_sub_end_all(ch);
    gw_channel_open(ch, msg->error);
    on_answer(ch);
}

/* ---- what may be done with the topic ---- */

static void end_for_revocation(struct gw_channel *ch)
{
    struct gw_buf text;
    gw_buf_init(&text, 0);
    gw_buf_add_str(&text, "You no longer have permission to read from this Channel topic: ");
    gw_buf_add_span(&text, name_of(ch));
    ch->session->shard->stats.revoked++;
    gw_channel_system(ch, "system", false, gw_buf_span(&text));
    gw_buf_fini(&text);
    gw_channel_close(ch);
}

static void set_may(struct gw_channel *ch, uint32_t may)
{
    uint32_t lost = ch->may & ~may;
    ch->may = may;
    if (lost & (GW_MAY_READ_BROADCAST | GW_MAY_READ_PRESENCE))
        end_for_revocation(ch);
}

void gw_channel_on_may(struct gw_channel *ch, const struct gw_to_worker *msg)
{
    if (msg->attempt != ch->may_attempt || msg->live_seq <= ch->may_seq)
        return;
    ch->may_seq = msg->live_seq - 1;
    set_may(ch, msg->may);
}

void gw_channel_on_revocation(struct gw_channel *ch, uint64_t seq, uint32_t may)
{
    if (ch->may_attempt == 0 || seq <= ch->may_seq)
        return;
    ch->may_seq = seq;
    set_may(ch, may);
}

bool gw_session_watch_may(struct gw_session *ss, struct gw_span topic)
{
    struct gw_channel *ch = gw_session_find(ss, topic);
    if (ch && ch->may_attempt == 0)
        gw_uplink_may(ch);
    return ch;
}

uint32_t gw_session_may(struct gw_session *ss, struct gw_span topic)
{
    const struct gw_channel *ch = gw_session_find(ss, topic);
    return ch ? ch->may : 0;
}

/* ---- the client ---- */

void gw_channel_on_leave(struct gw_channel *ch, const struct gw_msg_in *msg)
{
    if (msg->has_join_ref && !gw_span_eq(msg->join_ref, ch->join_ref)) {
        gw_session_reply(ch->session, msg, true, GW_SPAN_LIT("{}")); /* of an earlier instance */
        return;
    }
    gw_channel_reply(ch, msg, true, GW_SPAN_LIT("{}"));
    gw_channel_close(ch);
}

static void take_claims(struct gw_channel *ch, struct gw_claims *claims, uint64_t token_hash)
{
    struct gw_expiry *expiry = &ch->session->shard->expiry;
    gw_expiry_remove(expiry, ch);
    gw_claims_unref(ch->claims);
    ch->claims = claims;
    ch->token_hash = token_hash;
    gw_expiry_add(expiry, ch);
    gw_channel_ask(ch);
    if (ch->may_attempt > 0)
        gw_uplink_may(ch);
}

/* An expired token is recoverable: the client rejoins with a fresh one. Any other fault is not. */
static void end_for_token(struct gw_channel *ch, enum gw_code code, struct gw_span text)
{
    gw_channel_system(ch, "system", false, text);
    if (code != GW_E_TOKEN_EXPIRED) {
        gw_channel_close(ch);
        return;
    }
    ch->session->shard->stats.expired_tokens++;
    gw_channel_fail(ch);
}

void gw_channel_on_token(struct gw_channel *ch, const struct gw_msg_in *msg, struct gw_arena *arena,
                         struct gw_now now)
{
    struct gw_shard *s = ch->session->shard;
    struct gw_span token;
    bool is_string;
    if (!gw_codec_read_string(msg->payload, "access_token", arena, &is_string, &token) ||
        !is_string || gw_token_is_opaque(token))
        return;
    if (token.n == 0) {
        end_for_token(ch, GW_E_TOKEN_MALFORMED, gw_span_of(gw_code_text(GW_E_TOKEN_MALFORMED)));
        return;
    }
    uint64_t hash = gw_token_hash(s, token);
    if (hash == ch->token_hash)
        return;
    struct gw_claims *claims = NULL;
    struct gw_err err = {0};
    enum gw_code code = s->ops.verify(s->ops.ctx, token, now.wall, &claims, &err);
    if (code == GW_OK)
        take_claims(ch, claims, hash);
    else
        end_for_token(ch, code, gw_span_of(err.text));
}

void gw_channel_expire(struct gw_channel *ch, int64_t now_s)
{
    char text[64];
    int n = snprintf(text, sizeof text, "Token has expired %lld seconds ago",
                     (long long)(now_s - ch->claims->exp_s));
    end_for_token(ch, GW_E_TOKEN_EXPIRED, (struct gw_span){text, (size_t)n});
}
