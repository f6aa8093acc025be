/* outbox: a ring of frame references that doubles when it is full and is given back when empty, so
 * that an idle session holds no memory for it. */
#include "gw/outbox.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_CAP 8u /* frames; a power of two, as every later size */
#define KEEP_CAP 64u /* a ring no larger than this is kept when it empties */

void gw_outbox_init(struct gw_outbox *o, size_t max_bytes)
{
    *o = (struct gw_outbox){.max_bytes = max_bytes};
}

void gw_outbox_fini(struct gw_outbox *o)
{
    gw_outbox_drop(o, o->count);
    free(o->ring);
    o->ring = NULL;
    o->cap = 0;
}

static void grow(struct gw_outbox *o)
{
    uint32_t cap = o->cap ? o->cap * 2 : FIRST_CAP;
    struct gw_frame **ring = gw_alloc(cap * sizeof *ring);
    for (uint32_t i = 0; i < o->count; i++)
        ring[i] = o->ring[(o->head + i) & (o->cap - 1)];
    free(o->ring);
    o->ring = ring;
    o->cap = cap;
    o->head = 0;
}

enum gw_code gw_outbox_push_reserved(struct gw_outbox *o, struct gw_frame *f, size_t reserve_bytes)
{
    size_t room = o->max_bytes + reserve_bytes;
    if (f->n > room || o->bytes > room - f->n)
        return GW_E_SLOW;
    if (o->count == o->cap)
        grow(o);
    o->ring[(o->head + o->count) & (o->cap - 1)] = gw_frame_ref(f);
    o->count++;
    o->bytes += f->n;
    return GW_OK;
}

enum gw_code gw_outbox_push(struct gw_outbox *o, struct gw_frame *f)
{
    return gw_outbox_push_reserved(o, f, 0);
}

struct gw_frame *gw_outbox_peek(const struct gw_outbox *o, uint32_t i)
{
    assert(i < o->count);
    return o->ring[(o->head + i) & (o->cap - 1)];
}

void gw_outbox_drop(struct gw_outbox *o, uint32_t n)
{
    assert(n <= o->count);
    for (; n > 0; n--) {
        struct gw_frame *f = o->ring[o->head];
        o->head = (o->head + 1) & (o->cap - 1);
        o->count--;
        o->bytes -= f->n;
        gw_frame_unref(f);
    }
    if (o->count == 0 && o->cap > KEEP_CAP) {
        free(o->ring);
        *o = (struct gw_outbox){.max_bytes = o->max_bytes};
    }
}
