/* uplink: messages to the hub. What a full mailbox does not take waits here, in order, and no
 * message overtakes it.
 *
 * Bound: a channel has at most two messages here, one about its bindings and one about its topic.
 * An UNSUBSCRIBE takes the place of an unsent SUBSCRIBE, a MAY_END that of an unsent MAY, and where
 * the hub never heard of the channel nothing is left to say. While anything waits, the worker reads
 * no sockets (gw_shard_is_congested), so no new channels come. */
#include "shard_internal.h"

#include <stdlib.h>

struct gw_unsent {
    struct gw_list node;
    struct gw_unsent *
        *place;            /* of a SUBSCRIBE or MAY: the channel's pointer here; NULL otherwise */
    struct gw_to_hub *msg; /* owned */
};

static void unsent_free(struct gw_unsent *u)
{
    gw_list_remove(&u->node);
    if (u->place)
        *u->place = NULL;
    free(u);
}

/* Takes msg. place: where the channel finds it if it is kept, or NULL. */
static void send_or_keep(struct gw_shard *s, struct gw_to_hub *msg, struct gw_unsent **place)
{
    if (gw_list_is_empty(&s->unsent) && s->ops.to_hub(s->ops.ctx, msg) == GW_OK)
        return;
    struct gw_unsent *u = gw_alloc(sizeof *u);
    u->msg = msg;
    u->place = place;
    if (place)
        *place = u;
    gw_list_push(&s->unsent, &u->node);
}

/* Drop what was kept for the channel there. */
static void unsend(struct gw_unsent *u)
{
    gw_to_hub_free(u->msg);
    unsent_free(u);
}

static struct gw_to_hub *message_new(const struct gw_channel *ch, enum gw_to_hub_kind kind,
                                     uint32_t attempt)
{
    struct gw_to_hub *msg = gw_alloc(sizeof *msg);
    msg->kind = kind;
    msg->worker = ch->session->shard->worker;
    msg->channel_id = ch->id;
    msg->attempt = attempt;
    return msg;
}

static void copy_binding(struct gw_binding *to, const struct gw_binding *from)
{
    *to = (struct gw_binding){.id = from->id,
                              .events = from->events,
                              .moves = from->moves,
                              .scopes = from->scopes,
                              .schema = gw_strdup_span(gw_span_of(from->schema)),
                              .table = gw_strdup_span(gw_span_of(from->table))};
    gw_filter_copy(&to->filter, &from->filter);
}

void gw_uplink_subscribe(struct gw_channel *ch)
{
    struct gw_to_hub *msg = message_new(ch, GW_TO_HUB_SUBSCRIBE, ch->attempt);
    msg->claims = gw_claims_ref(ch->claims);
    msg->n_bindings = ch->n_wanted;
    msg->bindings = gw_alloc(ch->n_wanted * sizeof *msg->bindings);
    for (uint32_t i = 0; i < ch->n_wanted; i++)
        copy_binding(&msg->bindings[i], &ch->wanted[i]);
    send_or_keep(ch->session->shard, msg, &ch->unsent);
}

void gw_uplink_unsubscribe(struct gw_channel *ch)
{
    if (ch->attempt == 0)
        return;
    if (ch->unsent) {
        unsend(ch->unsent);
        if (ch->attempt == 1)
            return;
    }
    send_or_keep(ch->session->shard, message_new(ch, GW_TO_HUB_UNSUBSCRIBE, ch->attempt), NULL);
}

void gw_uplink_may(struct gw_channel *ch)
{
    static const size_t prefix = sizeof GW_TOPIC_PREFIX - 1;
    if (ch->unsent_may) { /* of an older identity, and never asked */
        struct gw_to_hub *unsent = ch->unsent_may->msg;
        gw_claims_unref(unsent->claims);
        unsent->claims = gw_claims_ref(ch->claims);
        return;
    }
    struct gw_to_hub *msg = message_new(ch, GW_TO_HUB_MAY, ++ch->may_attempt);
    struct gw_span topic = ch->route->topic;
    msg->claims = gw_claims_ref(ch->claims);
    msg->topic = gw_strdup_span((struct gw_span){topic.p + prefix, topic.n - prefix});
    send_or_keep(ch->session->shard, msg, &ch->unsent_may);
}

void gw_uplink_may_end(struct gw_channel *ch)
{
    if (ch->may_attempt == 0)
        return;
    if (ch->unsent_may) {
        unsend(ch->unsent_may);
        if (ch->may_attempt == 1)
            return;
    }
    send_or_keep(ch->session->shard, message_new(ch, GW_TO_HUB_MAY_END, ch->may_attempt), NULL);
}

void gw_uplink_retry(struct gw_shard *s)
{
    GW_LIST_EACH_SAFE(it, tmp, &s->unsent)
    {
        struct gw_unsent *u = GW_CONTAINER_OF(it, struct gw_unsent, node);
        if (s->ops.to_hub(s->ops.ctx, u->msg) != GW_OK)
            return;
        unsent_free(u);
    }
}

void gw_uplink_fini(struct gw_shard *s)
{
    GW_LIST_EACH_SAFE(it, tmp, &s->unsent)
    {
        unsend(GW_CONTAINER_OF(it, struct gw_unsent, node));
    }
}
