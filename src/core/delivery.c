/* delivery: one change or scope event to the channels that matching found.
 *
 * DESIGN. Encoding is shared in two steps. The text is made once per variant: as what the channel
 * is told of it (gw_told), and which columns the role may read. The frame is made once per (topic
 * and form, binding ids, variant) and pushed by reference to every socket it fits. Both are found
 * by look-ups in scratch that lives as long as the shard, so what grows with the recipients is the
 * look-up and the push. */
#include "shard_internal.h"

#include <stdlib.h>

#define SLOTS_FIRST 64u
#define KEEP_TEXT_BYTES ((size_t)64 * 1024) /* a larger scratch buffer is given back */
#define PAYLOAD_MARK '\x01' /* stands for the payload; JSON escapes it wherever else it occurs */

void gw_delivery_fini(struct gw_fanout *f)
{
    for (uint32_t i = 0; i < f->made_variants; i++)
        gw_buf_fini(&f->variants[i].text);
    free(f->variants);
    free(f->frames);
    free(f->slots);
    free(f->frame_ids);
}

/* ---- variants ---- */

static bool is_same_view(const struct gw_view *a, const struct gw_view *b)
{
    return a == b ||
           (gw_colset_eq(&a->columns, &b->columns) && gw_span_eq(a->columns_json, b->columns_json));
}

/* What a scope event shows of the view is in told already. */
static bool is_variant(const struct gw_variant *v, const struct gw_view *view, enum gw_told told)
{
    return v->told == told && (gw_told_is_scope(told) || is_same_view(v->view, view));
}

static uint32_t variant_make(struct gw_fanout *f, const struct gw_news *news,
                             const struct gw_view *view, enum gw_told told)
{
    for (uint32_t i = 0; i < f->n_variants; i++)
        if (is_variant(&f->variants[i], view, told))
            return i;
    f->variants = gw_grow(f->variants, f->n_variants, &f->cap_variants, sizeof *f->variants);
    struct gw_variant *v = &f->variants[f->n_variants];
    if (f->n_variants == f->made_variants) {
        gw_buf_init(&v->text, 0);
        f->made_variants++;
    }
    v->view = view;
    v->told = told;
    if (gw_told_is_scope(told))
        gw_scope_add_json(&v->text, news, told);
    else
        gw_change_add_json(&v->text, news, view, told);
    return f->n_variants++;
}

static uint32_t variant_for(struct gw_fanout *f, const struct gw_news *news,
                            const struct gw_hit *hit)
{
    const struct gw_table_views *views = news->scope ? news->scope->views : news->change->views;
    uint16_t role_id = hit->sub->role_id;
    uint32_t *known = &f->variant_of[role_id][hit->told];
    if (*known == 0)
        *known = variant_make(f, news, &views->views[role_id], hit->told) + 1;
    return *known - 1;
}

/* ---- frames ---- */

/* The hit's ids in ascending order at the end of frame_ids, not yet taken: equal sets compare
 * equal. Ids of one channel are distinct. */
static const uint32_t *sort_ids(struct gw_fanout *f, const struct gw_hit *hit)
{
    while (f->cap_frame_ids < f->n_frame_ids + hit->n_ids)
        f->frame_ids =
            gw_grow(f->frame_ids, f->cap_frame_ids, &f->cap_frame_ids, sizeof *f->frame_ids);
    uint32_t *ids = f->frame_ids + f->n_frame_ids, n = 0;
    for (uint32_t at = hit->first_id; at != 0; at = f->ids[at - 1].next) {
        uint32_t id = f->ids[at - 1].id, i = n++;
        for (; i > 0 && ids[i - 1] > id; i--)
            ids[i] = ids[i - 1];
        ids[i] = id;
    }
    return ids;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 32;
}

static uint64_t hash_frame(const struct gw_shard *s, const struct gw_shared_frame *key,
                           const uint32_t *ids)
{
    uint64_t h = mix(s->seed, (uintptr_t)key->route);
    h = mix(h, key->variant);
    for (uint32_t i = 0; i < key->n_ids; i++)
        h = mix(h, ids[i]);
    return h;
}

static bool is_same_frame(const struct gw_fanout *f, const struct gw_shared_frame *a,
                          const struct gw_shared_frame *b)
{
    return a->hash == b->hash && a->route == b->route && a->variant == b->variant &&
           a->n_ids == b->n_ids &&
           memcmp(f->frame_ids + a->ids_at, f->frame_ids + b->ids_at,
                  a->n_ids * sizeof *f->frame_ids) == 0;
}

/* The slot of an equal frame, or the free one where it belongs. */
static struct gw_frame_slot *slot_find(const struct gw_fanout *f, const struct gw_shared_frame *key)
{
    uint32_t mask = f->cap_slots - 1;
    for (uint32_t i = (uint32_t)key->hash & mask;; i = (i + 1) & mask) {
        struct gw_frame_slot *slot = &f->slots[i];
        if (slot->stamp != f->stamp || is_same_frame(f, &f->frames[slot->at], key))
            return slot;
    }
}

/* At most half of the slots are in use. */
static void grow_slots(struct gw_fanout *f)
{
    if (f->cap_slots >= (f->n_frames + 1) * 2)
        return;
    f->cap_slots = f->cap_slots ? f->cap_slots * 2 : SLOTS_FIRST;
    free(f->slots);
    f->slots = gw_alloc(f->cap_slots * sizeof *f->slots);
    for (uint32_t i = 0; i < f->n_frames; i++)
        *slot_find(f, &f->frames[i]) = (struct gw_frame_slot){f->stamp, i};
}

/* What stands before the text. The unmodified client takes every payload with a member `ids` for a
 * change, whatever its event, so that in scope events they have another name. */
static void add_ids(struct gw_buf *head, bool is_scope, const uint32_t *ids, uint32_t n)
{
    gw_buf_add_str(head, is_scope ? "{\"bindings\":[" : "{\"ids\":[");
    for (uint32_t i = 0; i < n; i++)
        gw_buf_printf(head, i ? ",%u" : "%u", ids[i]);
    gw_buf_add_str(head, is_scope ? "]," : "],\"data\":");
}

static const char *event_name(const struct gw_route *r, enum gw_told told)
{
    if (gw_told_is_scope(told))
        return "rowcast:scope";
    return r->is_legacy ? gw_told_type(told) : "postgres_changes";
}

static struct gw_frame *encode(struct gw_fanout *f, const struct gw_shared_frame *key)
{
    const struct gw_route *r = key->route;
    const struct gw_variant *v = &f->variants[key->variant];
    static const char mark[] = {PAYLOAD_MARK};
    gw_buf_reset(&f->wire);
    gw_codec_encode(&f->wire, r->vsn, (struct gw_span){0}, (struct gw_span){0}, r->topic,
                    event_name(r, v->told), (struct gw_span){mark, 1});
    gw_buf_reset(&f->head);
    if (!r->is_legacy)
        add_ids(&f->head, gw_told_is_scope(v->told), f->frame_ids + key->ids_at, key->n_ids);
    struct gw_span wire = gw_buf_span(&f->wire);
    size_t at = (size_t)((const char *)memchr(wire.p, PAYLOAD_MARK, wire.n) - wire.p);
    struct gw_span parts[] = {
        {wire.p, at},
        gw_buf_span(&f->head),
        gw_buf_span(&v->text),
        r->is_legacy ? (struct gw_span){0} : GW_SPAN_LIT("}"),
        {wire.p + at + 1, wire.n - at - 1},
    };
    return gw_frame_new(1, parts, sizeof parts / sizeof *parts);
}

/* Borrowed until the news are delivered. */
static struct gw_frame *frame_for(struct gw_shard *s, const struct gw_hit *hit, uint32_t variant)
{
    struct gw_fanout *f = &s->fanout;
    const struct gw_route *route = hit->channel->route;
    struct gw_shared_frame key = {.route = route,
                                  .variant = variant,
                                  .ids_at = f->n_frame_ids,
                                  .n_ids = route->is_legacy ? 0 : hit->n_ids};
    key.hash = hash_frame(s, &key, sort_ids(f, hit));
    grow_slots(f);
    struct gw_frame_slot *slot = slot_find(f, &key);
    if (slot->stamp == f->stamp)
        return f->frames[slot->at].frame;
    key.frame = encode(f, &key);
    f->frames = gw_grow(f->frames, f->n_frames, &f->cap_frames, sizeof *f->frames);
    *slot = (struct gw_frame_slot){f->stamp, f->n_frames};
    f->frames[f->n_frames++] = key;
    f->n_frame_ids += key.n_ids;
    return key.frame;
}

/* ---- the news ---- */

static void clear(struct gw_fanout *f)
{
    for (uint32_t i = 0; i < f->n_frames; i++)
        gw_frame_unref(f->frames[i].frame);
    for (uint32_t i = 0; i < f->n_variants; i++) {
        struct gw_buf *text = &f->variants[i].text;
        if (text->cap > KEEP_TEXT_BYTES) {
            gw_buf_fini(text);
            gw_buf_init(text, 0);
        }
        gw_buf_reset(text);
    }
    memset(f->variant_of, 0, sizeof f->variant_of);
    f->n_variants = 0;
    f->n_frames = 0;
    f->n_frame_ids = 0;
    f->n_hits = 0;
}

void gw_delivery_run(struct gw_shard *s, const struct gw_news *news)
{
    struct gw_fanout *f = &s->fanout;
    uint64_t *matched = news->scope ? &s->stats.scopes_matched : &s->stats.changes_matched;
    for (uint32_t i = 0; i < f->n_hits; i++) {
        struct gw_hit *hit = &f->hits[i];
        struct gw_session *ss = hit->channel->session;
        (*matched)++;
        if (ss->state != GW_SESSION_OPEN) { /* no frame for nobody */
            hit->channel->has_missed = true;
            continue;
        }
        uint32_t variant = variant_for(f, news, hit);
        gw_session_push_change(ss, hit->channel, frame_for(s, hit, variant));
    }
    clear(f);
}
