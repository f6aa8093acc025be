/* mailbox: see the header.
 *
 * DESIGN. A ring of slots and two counters that only grow: the producer alone writes tail, the
 * consumer alone writes head, each on a cache line of its own, so that neither side's writes evict
 * what the other works with. Slot i holds message number i modulo the capacity; tail's store
 * publishes a slot, head's store gives it back.
 *
 * The missed wake-up. The consumer sleeps after a pop that returned NULL; the producer wakes it
 * only if the box was empty before the push. Both sides write one counter and then read the other:
 *     producer: tail = t + 1;  if head >= t: wake
 *     consumer: head = h + 1;  next pop: if tail == head: sleep
 * With weaker orders each could read the other's old value, and a message would lie there with
 * nobody awake. The four operations are therefore sequentially consistent: in their one order
 * either the producer's read of head comes after the consumer's last store (it sees an empty box
 * and wakes), or the consumer's next read of tail comes after the producer's store (it sees the
 * message). Both may happen: then the consumer is woken to an empty box, which is harmless.
 *
 * Bytes are added before a message is published and subtracted before its slot is given back, so a
 * producer that sees the box empty sees the bytes at nought as well. */
#include "gw/mailbox.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CACHE_LINE 64

struct slot {
    void *msg;
    size_t bytes;
};

struct gw_mailbox {
    _Alignas(CACHE_LINE) atomic_size_t tail; /* messages ever pushed; written by the producer */
    _Alignas(CACHE_LINE) atomic_size_t head; /* messages ever popped; written by the consumer */
    _Alignas(CACHE_LINE) atomic_size_t bytes;
    _Alignas(CACHE_LINE) size_t mask; /* from here on: fixed at birth */
    size_t max_bytes;
    struct slot *slots;
    void (*wake)(void *);
    void *wake_ctx;
};

struct gw_mailbox *gw_mailbox_new(size_t max_items, size_t max_bytes, void (*wake)(void *),
                                  void *wake_ctx)
{
    assert(max_items <= SIZE_MAX / 2 / sizeof(struct slot));
    size_t cap = 1;
    while (cap < max_items)
        cap *= 2;
    struct gw_mailbox *mb = aligned_alloc(CACHE_LINE, sizeof *mb);
    if (!mb)
        abort();
    atomic_init(&mb->tail, 0);
    atomic_init(&mb->head, 0);
    atomic_init(&mb->bytes, 0);
    mb->mask = cap - 1;
    mb->max_bytes = max_bytes;
    mb->slots = gw_alloc(cap * sizeof *mb->slots);
    mb->wake = wake;
    mb->wake_ctx = wake_ctx;
    return mb;
}

void gw_mailbox_free(struct gw_mailbox *mb, void (*drop)(void *msg))
{
    if (!mb)
        return;
    void *msg;
    while (drop && (msg = gw_mailbox_pop(mb)))
        drop(msg);
    free(mb->slots);
    free(mb);
}

bool gw_mailbox_has_room(const struct gw_mailbox *mb, size_t bytes)
{
    size_t tail = atomic_load_explicit(&mb->tail, memory_order_relaxed);
    size_t head =
        atomic_load_explicit(&mb->head, memory_order_acquire); /* the slot is ours again */
    if (tail - head > mb->mask)
        return false;
    if (tail == head || mb->max_bytes == 0)
        return true;
    size_t held = atomic_load_explicit(&mb->bytes, memory_order_relaxed);
    return held <= mb->max_bytes && bytes <= mb->max_bytes - held;
}

enum gw_code gw_mailbox_push(struct gw_mailbox *mb, void *msg, size_t bytes)
{
    assert(msg); /* NULL is how pop says "empty" */
    if (!gw_mailbox_has_room(mb, bytes))
        return GW_E_FULL;
    size_t tail = atomic_load_explicit(&mb->tail, memory_order_relaxed);
    mb->slots[tail & mb->mask] = (struct slot){msg, bytes};
    atomic_fetch_add_explicit(&mb->bytes, bytes, memory_order_relaxed);
    atomic_store(&mb->tail, tail + 1);
    size_t head = atomic_load(&mb->head);
    if (mb->wake && tail + 1 - head <= 1) /* everything before this message is popped */
        mb->wake(mb->wake_ctx);
    return GW_OK;
}

void *gw_mailbox_pop(struct gw_mailbox *mb)
{
    size_t head = atomic_load_explicit(&mb->head, memory_order_relaxed);
    if (head == atomic_load(&mb->tail))
        return NULL;
    struct slot slot = mb->slots[head & mb->mask];
    atomic_fetch_sub_explicit(&mb->bytes, slot.bytes, memory_order_relaxed);
    atomic_store(&mb->head, head + 1);
    return slot.msg;
}

size_t gw_mailbox_count(const struct gw_mailbox *mb)
{
    size_t head = atomic_load(&mb->head); /* first: tail read later is never behind it */
    size_t tail = atomic_load(&mb->tail);
    size_t n = tail - head;
    return n <= mb->mask + 1 ? n : mb->mask + 1;
}

size_t gw_mailbox_bytes(const struct gw_mailbox *mb)
{
    return atomic_load_explicit(&mb->bytes, memory_order_relaxed);
}
