/* mailbox: a bounded queue from exactly one thread to exactly one other.
 *
 * Posting moves ownership of the message. Neither side ever waits for the other: there is no lock,
 * so a stopped thread on one side cannot stop the other. Bounds: items (fixed at init) and
 * bytes (as declared by the producer with each push); full is the producer's to handle. After the
 * push that finds the box empty, the wake function runs in the producer's thread (uv_async_send).
 * Only this module and history hold memory-order subtleties. */
#ifndef GW_MAILBOX_H
#define GW_MAILBOX_H

#include "gw/bytes.h"

struct gw_mailbox;

/* max_items is rounded up to a power of two; max_bytes 0: no byte bound. wake may be NULL.
 * Returns owned. */
struct gw_mailbox *gw_mailbox_new(size_t max_items, size_t max_bytes, void (*wake)(void *),
                                  void *wake_ctx);
/* Both threads are gone; drop is called for what is still inside (may be NULL). Accepts NULL. */
void gw_mailbox_free(struct gw_mailbox *mb, void (*drop)(void *msg));

/* Producer. GW_E_FULL: msg stays the caller's. A message larger than max_bytes is accepted when
 * the box is empty, so that one big transaction can always pass. */
GW_MUST_CHECK enum gw_code gw_mailbox_push(struct gw_mailbox *mb, void *msg, size_t bytes);
/* Producer: whether a push of that many bytes would fit now. */
bool gw_mailbox_has_room(const struct gw_mailbox *mb, size_t bytes);

/* Consumer: the oldest message (owned now), or NULL. Pop until NULL after each wake, or come
 * back unasked: while the box is not empty no further wake is sent. */
void *gw_mailbox_pop(struct gw_mailbox *mb);
/* Either side, approximate. */
size_t gw_mailbox_count(const struct gw_mailbox *mb);
size_t gw_mailbox_bytes(const struct gw_mailbox *mb);

#endif
