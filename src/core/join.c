/* join: phx_join, in the order of its checks: the topic, the old instance, the bound on channels,
 * the token, private topics, then the bindings (reference §1.6). */
#include "shard_internal.h"

#include <stdio.h>
#include <stdlib.h>

struct attempt {
    struct gw_session *ss;
    const struct gw_msg_in *msg;
    struct gw_now now;
    struct gw_join join;
    struct gw_claims *claims; /* reference held */
    uint64_t token_hash;
};

int64_t gw_us_to_s(struct gw_us t)
{
    return t.v >= 0 ? t.v / 1000000 : -((999999 - t.v) / 1000000);
}

uint64_t gw_token_hash(const struct gw_shard *s, struct gw_span token)
{
    return gw_hash_bytes(s->seed, token);
}

bool gw_token_is_opaque(struct gw_span token)
{
    return token.n >= 3 && memcmp(token.p, "sb_", 3) == 0;
}

/* ---- refused for an expired token, again and again ---- */

static struct gw_refusal *refusal_find(struct gw_session *ss, uint64_t topic_hash)
{
    for (uint32_t i = 0; i < ss->n_refusals; i++)
        if (ss->refusals[i].topic_hash == topic_hash)
            return &ss->refusals[i];
    return NULL;
}

/* A new entry; when all are taken, in the place of the oldest. */
static struct gw_refusal *refusal_add(struct gw_session *ss)
{
    uint32_t cap = ss->shard->limits.channels_per_session;
    if (!ss->refusals)
        ss->refusals = gw_alloc(cap * sizeof *ss->refusals);
    if (ss->n_refusals < cap)
        return &ss->refusals[ss->n_refusals++];
    return &ss->refusals[ss->next_refusal++ % cap];
}

/* Counts one more; true: that was the last one borne. */
static bool is_refused_for_good(const struct attempt *a)
{
    uint64_t topic_hash = gw_hash_bytes(a->ss->shard->seed, a->msg->topic);
    struct gw_refusal *r = refusal_find(a->ss, topic_hash);
    if (!r)
        r = refusal_add(a->ss);
    if (r->topic_hash != topic_hash || r->token_hash != a->token_hash)
        *r = (struct gw_refusal){topic_hash, a->token_hash, 0};
    if (++r->count < GW_EXPIRED_REFUSALS_MAX)
        return false;
    r->count = 0;
    return true;
}

static void forgive(const struct attempt *a)
{
    struct gw_refusal *r = refusal_find(a->ss, gw_hash_bytes(a->ss->shard->seed, a->msg->topic));
    if (r)
        r->count = 0;
}

static struct gw_span join_ref_of(const struct gw_msg_in *msg)
{
    return msg->has_join_ref ? msg->join_ref : msg->ref;
}

static void refuse_token(const struct attempt *a, enum gw_code code, struct gw_span text)
{
    gw_session_refuse(a->ss, a->msg, gw_code_wire(code), text);
    if (code != GW_E_TOKEN_EXPIRED)
        return;
    a->ss->shard->stats.expired_tokens++;
    if (is_refused_for_good(a))
        gw_session_send(a->ss, join_ref_of(a->msg), a->msg->ref, a->msg->topic, "phx_close",
                        GW_SPAN_LIT("{}"));
}

/* ---- the checks ---- */

static bool take_key_identity(struct attempt *a)
{
    struct gw_claims *key = a->ss->key_claims;
    int64_t now_s = gw_us_to_s(a->now.wall);
    a->token_hash = gw_token_hash(a->ss->shard, (struct gw_span){0});
    if (key->exp_s <= now_s) {
        char text[64];
        int n = snprintf(text, sizeof text, "Token has expired %lld seconds ago",
                         (long long)(now_s - key->exp_s));
        refuse_token(a, GW_E_TOKEN_EXPIRED, (struct gw_span){text, (size_t)n});
        return false;
    }
    a->claims = gw_claims_ref(key);
    return true;
}

static bool take_identity(struct attempt *a)
{
    const struct gw_shard_ops *ops = &a->ss->shard->ops;
    struct gw_span token = a->join.access_token;
    if (token.n == 0 || gw_token_is_opaque(token))
        return take_key_identity(a);
    a->token_hash = gw_token_hash(a->ss->shard, token);
    struct gw_err err = {0};
    enum gw_code code = ops->verify(ops->ctx, token, a->now.wall, &a->claims, &err);
    if (code != GW_OK)
        refuse_token(a, code, gw_span_of(err.text));
    return code == GW_OK;
}

static bool is_topic_acceptable(struct gw_session *ss, const struct gw_msg_in *msg)
{
    static const size_t prefix = sizeof GW_TOPIC_PREFIX - 1;
    if (msg->topic.n < prefix || memcmp(msg->topic.p, GW_TOPIC_PREFIX, prefix) != 0) {
        gw_session_refuse(ss, msg, "", GW_SPAN_LIT("unmatched topic"));
        return false;
    }
    if (msg->topic.n == prefix) {
        gw_session_refuse(ss, msg, "TopicNameRequired",
                          GW_SPAN_LIT("You must provide a topic name"));
        return false;
    }
    return true;
}

static bool is_public(const struct attempt *a)
{
    static const size_t prefix = sizeof GW_TOPIC_PREFIX - 1;
    if (!a->join.is_private)
        return true;
    struct gw_buf text;
    gw_buf_init(&text, 0);
    gw_buf_add_str(&text, "You do not have permissions to read from this Channel topic: ");
    gw_buf_add(&text, a->msg->topic.p + prefix, a->msg->topic.n - prefix);
    gw_session_refuse(a->ss, a->msg, gw_code_wire(GW_E_UNAUTHORIZED), gw_buf_span(&text));
    gw_buf_fini(&text);
    return false;
}

static char *response_of(struct gw_wanted *w)
{
    struct gw_buf text;
    gw_buf_init(&text, 0);
    gw_buf_add_str(&text, "{\"postgres_changes\":");
    gw_buf_add_span(&text, gw_buf_span(&w->echo));
    gw_buf_add_byte(&text, '}');
    char *response = gw_strdup_span(gw_buf_span(&text));
    gw_buf_fini(&text);
    return response;
}

/* All checks are passed; takes a->claims. */
static void admit(struct attempt *a)
{
    struct gw_wanted wanted;
    gw_wanted_read(&a->join, a->msg->topic, &wanted);
    struct gw_channel_spec spec = {
        .topic = a->msg->topic,
        .join_ref = join_ref_of(a->msg),
        .ref = a->msg->ref,
        .is_legacy = !a->join.has_config,
        .wants_ack = a->join.broadcast_ack,
        .wants_presence = a->join.presence_enabled,
        .wants_moves = a->join.rowcast_moves,
        .wants_scopes = a->join.rowcast_scopes,
        .claims = a->claims,
        .token_hash = a->token_hash,
        .n_wanted = wanted.n,
        .wanted = wanted.bindings,
        .join_response = response_of(&wanted),
    };
    a->claims = NULL;
    wanted.bindings = NULL;
    wanted.n = 0;
    struct gw_channel *ch = gw_channel_new(a->ss, &spec);
    if (ch->n_wanted > 0)
        gw_channel_ask(ch);
    else
        gw_channel_open(ch, wanted.fault.code == GW_OK ? NULL : wanted.fault.text);
    gw_wanted_fini(&wanted);
}

void gw_session_on_join(struct gw_session *ss, const struct gw_msg_in *msg, struct gw_arena *arena,
                        struct gw_now now)
{
    struct attempt a = {.ss = ss, .msg = msg, .now = now};
    if (!is_topic_acceptable(ss, msg))
        return;
    struct gw_channel *old = gw_session_find(ss, msg->topic);
    if (old)
        gw_channel_close(old);
    if (gw_codec_read_join(msg->payload, arena, &a.join) != GW_OK) {
        gw_session_refuse(ss, msg, "InvalidJoinPayload",
                          GW_SPAN_LIT("The join can't be read or has too many bindings"));
        return;
    }
    if (ss->n_channels >= ss->shard->limits.channels_per_session) {
        gw_session_refuse(ss, msg, gw_code_wire(GW_E_TOO_MANY_CHANNELS),
                          gw_span_of(gw_code_text(GW_E_TOO_MANY_CHANNELS)));
        return;
    }
    if (!take_identity(&a))
        return;
    forgive(&a);
    if (is_public(&a))
        admit(&a);
    gw_claims_unref(a.claims);
}
