/* shard: what is one per worker: topics, the dirty list, the hub's messages, the tick. */
#include "shard_internal.h"

#include <assert.h>
#include <stdlib.h>

/* ---- topics ---- */

struct gw_route *gw_route_ref(struct gw_shard *s, enum gw_vsn vsn, bool is_legacy,
                              struct gw_span topic)
{
    struct gw_route *fresh = gw_alloc(sizeof *fresh + topic.n + 1);
    fresh->vsn = vsn;
    fresh->is_legacy = is_legacy;
    fresh->key_n = topic.n + 1;
    fresh->key[0] = (char)('0' + (vsn == GW_VSN_2 ? 2 : 0) + (is_legacy ? 1 : 0));
    memcpy(fresh->key + 1, topic.p, topic.n);
    fresh->topic = (struct gw_span){fresh->key + 1, topic.n};
    struct gw_span key = {fresh->key, fresh->key_n};
    struct gw_route *r = gw_map_find(&s->routes, key);
    if (r) {
        free(fresh);
    } else {
        r = fresh;
        gw_map_put(&s->routes, key, r);
    }
    r->refs++;
    return r;
}

void gw_route_unref(struct gw_shard *s, struct gw_route *r)
{
    if (--r->refs > 0)
        return;
    gw_map_take(&s->routes, (struct gw_span){r->key, r->key_n});
    free(r);
}

/* ---- the shard ---- */

struct gw_shard *gw_shard_new(uint32_t worker, uint64_t hash_seed, const struct gw_shard_ops *ops,
                              const struct gw_shard_limits *limits)
{
    assert(limits->channels_per_session > 0);
    struct gw_shard *s = gw_alloc(sizeof *s);
    s->worker = worker;
    s->seed = hash_seed;
    s->ops = *ops;
    s->limits = *limits;
    gw_list_init(&s->sessions);
    gw_list_init(&s->closing);
    gw_list_init(&s->dirty);
    gw_list_init(&s->retiring);
    gw_list_init(&s->unsent);
    gw_idmap_init(&s->channels);
    gw_map_init(&s->routes, hash_seed);
    gw_subindex_init(&s->index);
    gw_fanout_init(&s->fanout);
    gw_buf_init(&s->payload, 0);
    gw_buf_init(&s->out, 0);
    return s;
}

void gw_shard_free(struct gw_shard *s)
{
    if (!s)
        return;
    assert(gw_list_is_empty(&s->sessions) && gw_list_is_empty(&s->closing));
    assert(s->channels.count == 0 && s->routes.count == 0);
    gw_uplink_fini(s);
    gw_subindex_fini(&s->index);
    gw_fanout_fini(&s->fanout);
    gw_idmap_fini(&s->channels);
    gw_map_fini(&s->routes);
    gw_buf_fini(&s->payload);
    gw_buf_fini(&s->out);
    free(s->expiry.heap);
    free(s);
}

const struct gw_shard_stats *gw_shard_stats(const struct gw_shard *s)
{
    return &s->stats;
}

static void drain(struct gw_shard *s)
{
    GW_LIST_EACH_SAFE(it, tmp, &s->sessions)
    {
        gw_session_close(GW_CONTAINER_OF(it, struct gw_session, in_shard), GW_CLOSE_RESTART);
    }
}

static void on_subscription(struct gw_channel *ch, struct gw_to_worker *msg)
{
    if (msg->kind == GW_TO_WORKER_SUBSCRIBED)
        gw_channel_on_subscribed(ch, msg);
    else
        gw_channel_on_refused(ch, msg);
}

/* An answer to a channel that is gone, or to a question it no longer asks, is dropped. */
static void on_answer(struct gw_shard *s, struct gw_to_worker *msg)
{
    struct gw_channel *ch = gw_idmap_find(&s->channels, msg->channel_id);
    if (ch && msg->kind == GW_TO_WORKER_MAY)
        gw_channel_on_may(ch, msg);
    else if (ch && ch->is_asking && ch->attempt == msg->attempt)
        on_subscription(ch, msg);
}

void gw_shard_on_hub(struct gw_shard *s, struct gw_to_worker *msg, struct gw_now now)
{
    (void)now;
    if (msg->kind == GW_TO_WORKER_DRAIN)
        drain(s);
    else
        on_answer(s, msg);
    gw_to_worker_free(msg);
    gw_uplink_retry(s); /* the hub is moving */
}

/* Before anything else of the commit: nobody is told of it by a topic it took from him. */
static void revoke(struct gw_shard *s, const struct gw_commit *c)
{
    for (uint32_t i = 0; i < c->n_revocations; i++) {
        const struct gw_commit_revocation *r = &c->revocations[i];
        if (r->worker != s->worker)
            continue;
        struct gw_channel *ch = gw_idmap_find(&s->channels, r->channel_id);
        if (ch)
            gw_channel_on_revocation(ch, c->seq, r->may);
    }
}

void gw_shard_on_commit(struct gw_shard *s, const struct gw_commit *c)
{
    gw_sub_sweep(s, c->seq);
    s->last_seq = c->seq;
    s->has_lost = false;
    revoke(s, c);
    gw_fanout_commit(s, c);
}

void gw_shard_on_lost(struct gw_shard *s)
{
    s->has_lost = true;
    GW_LIST_EACH(it, &s->sessions)
    {
        struct gw_session *ss = GW_CONTAINER_OF(it, struct gw_session, in_shard);
        GW_LIST_EACH_SAFE(at, tmp, &ss->channels)
        {
            struct gw_channel *ch = GW_CONTAINER_OF(at, struct gw_channel, in_session);
            if (gw_channel_is_live(ch) || ch->may_attempt > 0) /* revocations may be among them */
                gw_channel_resync(ch);
        }
    }
}

static void close_idle(struct gw_shard *s, struct gw_ms now)
{
    GW_LIST_EACH_SAFE(it, tmp, &s->sessions)
    {
        struct gw_session *ss = GW_CONTAINER_OF(it, struct gw_session, in_shard);
        if (now.v - ss->last_input.v < s->limits.idle_ms)
            return;
        gw_session_close(ss, GW_CLOSE_IDLE);
    }
}

void gw_shard_tick(struct gw_shard *s, struct gw_now now)
{
    int64_t now_s = gw_us_to_s(now.wall);
    struct gw_channel *ch;
    while ((ch = gw_expiry_first(&s->expiry)) && ch->claims->exp_s <= now_s)
        gw_channel_expire(ch, now_s);
    close_idle(s, now.mono);
    gw_uplink_retry(s);
}

struct gw_session *gw_shard_next_dirty(struct gw_shard *s)
{
    struct gw_list *node = gw_list_pop(&s->dirty);
    return node ? GW_CONTAINER_OF(node, struct gw_session, dirty) : NULL;
}

bool gw_shard_is_congested(const struct gw_shard *s)
{
    return !gw_list_is_empty(&s->unsent);
}
