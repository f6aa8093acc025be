/* subscription: live bindings, and the index from (table, caller) and (table, role) to them.
 *
 * DESIGN. A refresh of the token swaps a channel's caller at one commit of the stream: commits
 * below the new subscription's live_seq were judged for the old caller, from there on for the new
 * one. The worker may hear of the swap before it has read the commits below it, so both
 * subscriptions stand for a while, each with its window of sequence numbers, and the old one is
 * swept when the first commit past its window arrives. */
#include "shard_internal.h"

#include <assert.h>
#include <stdlib.h>

struct gw_bucket {
    struct gw_list bindings;
};

static uint64_t key_of(uint32_t rel_oid, uint32_t id)
{
    return (uint64_t)rel_oid << 32 | id;
}

void gw_subindex_init(struct gw_subindex *ix)
{
    gw_idmap_init(&ix->by_caller);
    gw_idmap_init(&ix->by_role);
    ix->n_wildcards = 0;
}

void gw_subindex_fini(struct gw_subindex *ix)
{
    assert(ix->by_caller.count == 0 && ix->by_role.count == 0 && ix->n_wildcards == 0);
    gw_idmap_fini(&ix->by_caller);
    gw_idmap_fini(&ix->by_role);
}

static void bucket_add(struct gw_idmap *map, uint64_t key, struct gw_list *node)
{
    struct gw_bucket *bucket = gw_idmap_find(map, key);
    if (!bucket) {
        bucket = gw_alloc(sizeof *bucket);
        gw_list_init(&bucket->bindings);
        gw_idmap_put(map, key, bucket);
    }
    gw_list_push(&bucket->bindings, node);
}

static void bucket_remove(struct gw_idmap *map, uint64_t key, struct gw_list *node)
{
    struct gw_bucket *bucket = gw_idmap_find(map, key);
    assert(bucket);
    gw_list_remove(node);
    if (gw_list_is_empty(&bucket->bindings)) {
        gw_idmap_take(map, key);
        free(bucket);
    }
}

static struct gw_list *bucket_find(const struct gw_idmap *map, uint64_t key)
{
    struct gw_bucket *bucket = gw_idmap_find(map, key);
    return bucket ? &bucket->bindings : NULL;
}

struct gw_list *gw_subindex_callers(const struct gw_subindex *ix, uint32_t rel_oid,
                                    uint32_t caller_id)
{
    return bucket_find(&ix->by_caller, key_of(rel_oid, caller_id));
}

struct gw_list *gw_subindex_roles(const struct gw_subindex *ix, uint32_t rel_oid, uint16_t role_id)
{
    return bucket_find(&ix->by_role, key_of(rel_oid, role_id));
}

bool gw_live_covers(const struct gw_live *live, struct gw_span schema)
{
    const char *wanted = live->binding.schema;
    return live->binding.rel_oid != 0 || !schema.p || strcmp(wanted, "*") == 0 ||
           gw_span_is(schema, wanted);
}

void gw_sub_start(struct gw_channel *ch, struct gw_to_worker *msg, uint16_t role_id)
{
    struct gw_subindex *ix = &ch->session->shard->index;
    struct gw_sub *sub = gw_alloc(sizeof *sub + msg->n_bindings * sizeof sub->live[0]);
    sub->channel = ch;
    sub->from_seq = msg->live_seq;
    sub->until_seq = UINT64_MAX;
    sub->caller_id = msg->caller_id;
    sub->role_id = role_id;
    sub->n = msg->n_bindings;
    for (uint32_t i = 0; i < sub->n; i++) {
        struct gw_live *live = &sub->live[i];
        live->sub = sub;
        live->binding = msg->bindings[i];
        uint32_t rel_oid = live->binding.rel_oid;
        bucket_add(&ix->by_caller, key_of(rel_oid, sub->caller_id), &live->by_caller);
        bucket_add(&ix->by_role, key_of(rel_oid, role_id), &live->by_role);
        ix->n_wildcards += rel_oid == 0;
    }
    free(msg->bindings);
    msg->bindings = NULL;
    msg->n_bindings = 0;
    gw_list_init(&sub->retiring);
    gw_list_push(&ch->subs, &sub->in_channel);
}

static void sub_end(struct gw_sub *sub)
{
    struct gw_subindex *ix = &sub->channel->session->shard->index;
    for (uint32_t i = 0; i < sub->n; i++) {
        struct gw_live *live = &sub->live[i];
        uint32_t rel_oid = live->binding.rel_oid;
        bucket_remove(&ix->by_caller, key_of(rel_oid, sub->caller_id), &live->by_caller);
        bucket_remove(&ix->by_role, key_of(rel_oid, sub->role_id), &live->by_role);
        ix->n_wildcards -= rel_oid == 0;
        gw_binding_fini(&live->binding);
    }
    gw_list_remove(&sub->retiring);
    gw_list_remove(&sub->in_channel);
    free(sub);
}

void gw_sub_retire(struct gw_channel *ch, uint64_t until_seq)
{
    struct gw_shard *s = ch->session->shard;
    GW_LIST_EACH(it, &ch->subs)
    {
        struct gw_sub *sub = GW_CONTAINER_OF(it, struct gw_sub, in_channel);
        if (sub->until_seq != UINT64_MAX)
            continue;
        sub->until_seq = until_seq;
        gw_list_push(&s->retiring, &sub->retiring);
    }
}

void gw_sub_end_all(struct gw_channel *ch)
{
    GW_LIST_EACH_SAFE(it, tmp, &ch->subs)
    {
        sub_end(GW_CONTAINER_OF(it, struct gw_sub, in_channel));
    }
}

void gw_sub_sweep(struct gw_shard *s, uint64_t seq)
{
    GW_LIST_EACH_SAFE(it, tmp, &s->retiring)
    {
        struct gw_sub *sub = GW_CONTAINER_OF(it, struct gw_sub, retiring);
        if (sub->until_seq <= seq)
            sub_end(sub);
    }
}

bool gw_channel_is_live(const struct gw_channel *ch)
{
    GW_LIST_EACH(it, &ch->subs)
    {
        if (GW_CONTAINER_OF(it, struct gw_sub, in_channel)->n > 0)
            return true;
    }
    return false;
}
