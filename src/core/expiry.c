/* expiry: channels in a binary heap by the expiry of their token, so that a tick looks only at
 * those whose time has come. Robust against a wall clock that jumps: the order needs no clock. */
#include "shard_internal.h"

static int64_t key_of(const struct gw_channel *ch)
{
    return ch->claims->exp_s;
}

static void place(struct gw_expiry *ex, uint32_t i, struct gw_channel *ch)
{
    ex->heap[i] = ch;
    ch->expiry_at = i + 1;
}

static void sift_up(struct gw_expiry *ex, uint32_t i, struct gw_channel *ch)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / 2;
        if (key_of(ex->heap[parent]) <= key_of(ch))
            break;
        place(ex, i, ex->heap[parent]);
        i = parent;
    }
    place(ex, i, ch);
}

static void sift_down(struct gw_expiry *ex, uint32_t i, struct gw_channel *ch)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= ex->n)
            break;
        if (child + 1 < ex->n && key_of(ex->heap[child + 1]) < key_of(ex->heap[child]))
            child++;
        if (key_of(ch) <= key_of(ex->heap[child]))
            break;
        place(ex, i, ex->heap[child]);
        i = child;
    }
    place(ex, i, ch);
}

void gw_expiry_add(struct gw_expiry *ex, struct gw_channel *ch)
{
    if (key_of(ch) == INT64_MAX)
        return;
    ex->heap = gw_grow(ex->heap, ex->n, &ex->cap, sizeof(struct gw_channel *));
    sift_up(ex, ex->n++, ch);
}

void gw_expiry_remove(struct gw_expiry *ex, struct gw_channel *ch)
{
    if (ch->expiry_at == 0)
        return;
    uint32_t hole = ch->expiry_at - 1;
    ch->expiry_at = 0;
    struct gw_channel *last = ex->heap[--ex->n];
    if (last == ch)
        return;
    if (hole > 0 && key_of(last) < key_of(ex->heap[(hole - 1) / 2]))
        sift_up(ex, hole, last);
    else
        sift_down(ex, hole, last);
}

struct gw_channel *gw_expiry_first(const struct gw_expiry *ex)
{
    return ex->n > 0 ? ex->heap[0] : NULL;
}
