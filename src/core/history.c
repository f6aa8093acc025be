/* history: see the header.
 *
 * DESIGN. A ring of pointers to commits, indexed by sequence number. The writer (hub) puts the
 * newest in and takes the oldest out; each reader (worker) walks with a cursor of its own: the
 * first number it has not released. Three things cross threads, all of them atomics:
 *
 *   head     newest number. Written by the writer after the slot, release; a reader that sees the
 *            number (acquire) finds the slot filled.
 *   tail     oldest number kept. Written by the writer before it clears the slot of the number
 *            that left; so a reader that finds a cleared or refilled slot also finds (acquire, by
 *            the slot) a tail past its cursor, and knows what it lost. No reader spins: one look
 *            at a slot either yields the commit or proves that it is gone.
 *   cursor   written by its reader, release; read by the writer, acquire, for _released.
 *
 * When may an evicted commit be freed? Each reader has a hazard slot that names the commit it
 * looks at. The reader stores the pointer there and then reads the ring slot again; the writer
 * clears the ring slot and then reads the hazard slots. All four accesses are seq_cst, so there is
 * one order of them: either the reader's store comes before the writer's look, and the writer
 * keeps the commit; or the writer's clearing comes before the reader's second look, and the reader
 * leaves it alone. (Should the allocator have given the same address to a newer commit that now
 * sits in that slot, the second look admits it rightly: it is in the ring, announced and alive.
 * Its number, which may then be read safely, tells that it is not the one wanted.)
 *
 * That the content of a commit is visible to readers follows from the second look: it reads the
 * writer's store of the pointer (seq_cst includes acquire and release). That a reader's last look
 * at the content comes before the free follows from the hazard slot: the writer reads either the
 * reader's NULL or something the reader stored after it.
 *
 * What is evicted while looked at goes to the retired list, which only the writer knows. Each push
 * takes one snapshot of all hazard slots and frees what is not in it; so the list holds at most
 * one commit per reader after a push, and a commit that a reader keeps is freed by the first push
 * after its release. The writer neither waits nor retries: its work per push is bounded by what it
 * evicts and by the number of readers. */
#include "gw/history.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CACHE_LINE 64

struct reader {
    _Atomic uint64_t cursor;                  /* first number not released */
    _Atomic(const struct gw_commit *) hazard; /* what it looks at; NULL: nothing */
    char pad[CACHE_LINE * 2 - 16];            /* readers share no lines (and no prefetched pairs) */
};

struct gw_history {
    size_t mask, max_bytes;
    unsigned n_readers;
    _Atomic(struct gw_commit *) *ring; /* mask + 1 of them */
    struct reader *readers;
    struct gw_commit **retired;        /* writer: room for n_readers + a whole ring */
    const struct gw_commit **snapshot; /* writer: n_readers */
    char pad[CACHE_LINE * 2]; /* above: constant, read by all; below: written with each push */
    size_t n_retired;
    _Atomic uint64_t head, tail; /* newest and oldest kept; tail = head + 1 when empty */
    _Atomic size_t bytes;
};

static size_t power_of_two(size_t n)
{
    size_t p = 1;
    assert(n <= SIZE_MAX / 4 / sizeof(void *));
    while (p < n)
        p *= 2;
    return p;
}

struct gw_history *gw_history_new(unsigned n_readers, size_t max_commits, size_t max_bytes)
{
    struct gw_history *h = gw_alloc(sizeof *h);
    size_t cap = power_of_two(max_commits);
    h->mask = cap - 1;
    h->max_bytes = max_bytes;
    h->n_readers = n_readers;
    h->ring = gw_alloc(cap * sizeof *h->ring);
    h->readers = gw_alloc((n_readers + 1U) * sizeof *h->readers);
    h->retired = gw_alloc((cap + n_readers) * sizeof *h->retired);
    h->snapshot = gw_alloc((n_readers + 1U) * sizeof *h->snapshot);
    for (size_t i = 0; i < cap; i++)
        atomic_init(&h->ring[i], NULL);
    for (unsigned i = 0; i < n_readers; i++) {
        atomic_init(&h->readers[i].cursor, 1);
        atomic_init(&h->readers[i].hazard, NULL);
    }
    atomic_init(&h->head, 0);
    atomic_init(&h->tail, 1);
    atomic_init(&h->bytes, 0);
    return h;
}

void gw_history_free(struct gw_history *h)
{
    if (!h)
        return;
    for (size_t i = 0; i <= h->mask; i++)
        gw_commit_free(atomic_load_explicit(&h->ring[i], memory_order_acquire));
    for (size_t i = 0; i < h->n_retired; i++)
        gw_commit_free(h->retired[i]);
    free(h->ring);
    free(h->readers);
    free(h->retired);
    free(h->snapshot);
    free(h);
}

/* ---- writer ---- */

/* head, tail and bytes are written by the writer alone: it reads its own values back relaxed. */
static uint64_t own(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void evict_oldest(struct gw_history *h)
{
    uint64_t oldest = own(&h->tail);
    _Atomic(struct gw_commit *) *slot = &h->ring[oldest & h->mask];
    struct gw_commit *c = atomic_load_explicit(slot, memory_order_relaxed);
    assert(c && c->seq == oldest);
    /* Before the slot is cleared: see tail in DESIGN. */
    atomic_store_explicit(&h->tail, oldest + 1, memory_order_release);
    atomic_store_explicit(slot, NULL, memory_order_seq_cst);
    atomic_fetch_sub_explicit(&h->bytes, c->bytes, memory_order_relaxed);
    h->retired[h->n_retired++] = c;
}

/* Make room for one more commit of that many bytes. The newest is kept whatever its size, so what
 * comes in may empty the ring. */
static void evict_for(struct gw_history *h, size_t bytes)
{
    for (;;) {
        uint64_t count = own(&h->head) + 1 - own(&h->tail);
        size_t held = atomic_load_explicit(&h->bytes, memory_order_relaxed);
        bool is_full = count > h->mask;
        bool is_heavy = h->max_bytes > 0 && (bytes > h->max_bytes || held > h->max_bytes - bytes);
        if (count == 0 || (!is_full && !is_heavy))
            return;
        evict_oldest(h);
    }
}

static bool is_in_snapshot(const struct gw_history *h, const struct gw_commit *c)
{
    for (unsigned i = 0; i < h->n_readers; i++)
        if (h->snapshot[i] == c)
            return true;
    return false;
}

/* Free what no reader looks at. The snapshot comes first, so that no more than n_readers stay. */
static void free_retired(struct gw_history *h)
{
    if (h->n_retired == 0)
        return;
    for (unsigned i = 0; i < h->n_readers; i++)
        h->snapshot[i] = atomic_load_explicit(&h->readers[i].hazard, memory_order_seq_cst);
    size_t kept = 0;
    for (size_t i = 0; i < h->n_retired; i++) {
        if (is_in_snapshot(h, h->retired[i]))
            h->retired[kept++] = h->retired[i];
        else
            gw_commit_free(h->retired[i]);
    }
    h->n_retired = kept;
}

uint64_t gw_history_push(struct gw_history *h, struct gw_commit *c)
{
    uint64_t seq = own(&h->head) + 1;
    c->seq = seq;
    evict_for(h, c->bytes);
    atomic_fetch_add_explicit(&h->bytes, c->bytes, memory_order_relaxed);
    atomic_store_explicit(&h->ring[seq & h->mask], c, memory_order_seq_cst);
    atomic_store_explicit(&h->head, seq, memory_order_release);
    free_retired(h);
    return seq;
}

uint64_t gw_history_head(const struct gw_history *h)
{
    return atomic_load_explicit(&h->head, memory_order_acquire);
}

uint64_t gw_history_released(const struct gw_history *h)
{
    uint64_t least = gw_history_head(h) + 1;
    for (unsigned i = 0; i < h->n_readers; i++) {
        uint64_t cursor = atomic_load_explicit(&h->readers[i].cursor, memory_order_acquire);
        if (cursor < least)
            least = cursor;
    }
    return least - 1;
}

/* ---- reader ---- */

/* Announce the commit with that number and prove that it is still in the ring; NULL: it has left.
 */
static const struct gw_commit *hold(struct gw_history *h, struct reader *r, uint64_t seq)
{
    _Atomic(struct gw_commit *) *slot = &h->ring[seq & h->mask];
    const struct gw_commit *c = atomic_load_explicit(slot, memory_order_seq_cst);
    if (!c)
        return NULL;
    atomic_store_explicit(&r->hazard, c, memory_order_seq_cst);
    if (atomic_load_explicit(slot, memory_order_seq_cst) == c && c->seq == seq)
        return c;
    atomic_store_explicit(&r->hazard, NULL, memory_order_seq_cst);
    return NULL;
}

enum gw_read gw_history_next(struct gw_history *h, unsigned reader, const struct gw_commit **out,
                             uint64_t *lost)
{
    assert(reader < h->n_readers);
    struct reader *r = &h->readers[reader];
    uint64_t cursor = own(&r->cursor);
    const struct gw_commit *held = atomic_load_explicit(&r->hazard, memory_order_relaxed);
    *lost = 0;
    *out = held;
    if (held) /* asked again before it was released */
        return GW_READ_COMMIT;
    if (cursor > atomic_load_explicit(&h->head, memory_order_acquire))
        return GW_READ_NOTHING;
    if (cursor >= atomic_load_explicit(&h->tail, memory_order_acquire) &&
        (*out = hold(h, r, cursor)))
        return GW_READ_COMMIT;
    uint64_t tail = atomic_load_explicit(&h->tail, memory_order_acquire);
    assert(tail > cursor);
    *lost = tail - cursor;
    atomic_store_explicit(&r->cursor, tail, memory_order_release);
    return GW_READ_LOST;
}

void gw_history_release(struct gw_history *h, unsigned reader)
{
    assert(reader < h->n_readers);
    struct reader *r = &h->readers[reader];
    assert(atomic_load_explicit(&r->hazard, memory_order_relaxed)); /* nothing was taken */
    atomic_store_explicit(&r->hazard, NULL, memory_order_seq_cst);
    atomic_store_explicit(&r->cursor, own(&r->cursor) + 1, memory_order_release);
}

/* ---- any thread ---- */

size_t gw_history_bytes(const struct gw_history *h)
{
    return atomic_load_explicit(&h->bytes, memory_order_relaxed);
}

size_t gw_history_count(const struct gw_history *h)
{
    /* tail first: it never passes head + 1, so the difference can't be negative. */
    uint64_t tail = atomic_load_explicit(&h->tail, memory_order_acquire);
    return (size_t)(atomic_load_explicit(&h->head, memory_order_acquire) + 1 - tail);
}
