/* outbox: frames waiting for one socket, in order.
 *
 * Not a socket: gateway/ws.c drains it at the turn's end. Owner: the worker thread, embedded in a
 * session. Bound: max_bytes of frames; what would pass it is refused (E_SLOW) and the session
 * becomes "behind": its changes are dropped and its channels resync once the socket drains. */
#ifndef GW_OUTBOX_H
#define GW_OUTBOX_H

#include "gw/bytes.h"

struct gw_outbox {
    struct gw_frame **ring; /* own use */
    uint32_t head, count, cap;
    size_t bytes, max_bytes;
};

void gw_outbox_init(struct gw_outbox *o, size_t max_bytes);
void gw_outbox_fini(struct gw_outbox *o);
/* Keeps a reference on success. E_SLOW: the bound is passed, nothing was queued. */
GW_MUST_CHECK enum gw_code gw_outbox_push(struct gw_outbox *o, struct gw_frame *f);
/* The same, but the bound may be passed by reserve_bytes: for replies, which must not be lost. */
GW_MUST_CHECK enum gw_code gw_outbox_push_reserved(struct gw_outbox *o, struct gw_frame *f,
                                                   size_t reserve_bytes);
struct gw_frame *gw_outbox_peek(const struct gw_outbox *o, uint32_t i); /* borrowed; i < count */
void gw_outbox_drop(struct gw_outbox *o, uint32_t n);                   /* unref the n oldest */

#endif
