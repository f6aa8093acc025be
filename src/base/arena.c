/* arena: see the header.
 *
 * DESIGN. A list of blocks; the head is the one being filled. Blocks double from 1 KiB to 256 KiB,
 * so that a small transaction costs one small allocation and a large one few. A request too large
 * for the next block gets one of its own *behind* the head: what is left in the head stays usable.
 * Blocks come from calloc, whose large blocks are fresh pages that nobody has to clear again. */
#include "gw/arena.h"

#include <stdlib.h>

#define BLOCK_FIRST_BYTES ((size_t)1024)
#define BLOCK_LAST_BYTES ((size_t)256 * 1024)
#define ALIGN ((size_t)8)

struct gw_arena_block {
    struct gw_arena_block *next;
    size_t used, cap;
    _Alignas(8) char data[];
};

static struct gw_arena_block *block_new(size_t cap)
{
    struct gw_arena_block *block = gw_alloc(sizeof *block + cap);
    block->cap = cap;
    return block;
}

static size_t next_block_bytes(const struct gw_arena *a)
{
    if (!a->head)
        return BLOCK_FIRST_BYTES;
    return a->head->cap >= BLOCK_LAST_BYTES ? BLOCK_LAST_BYTES : a->head->cap * 2;
}

/* A block with room for n bytes. */
static struct gw_arena_block *block_for(struct gw_arena *a, size_t n)
{
    if (a->head && a->head->cap - a->head->used >= n)
        return a->head;
    size_t cap = next_block_bytes(a);
    if (n > cap / 2 && a->head) {
        struct gw_arena_block *own = block_new(n);
        own->next = a->head->next;
        a->head->next = own;
        return own;
    }
    while (cap < n && cap < BLOCK_LAST_BYTES)
        cap *= 2;
    struct gw_arena_block *block = block_new(cap < n ? n : cap);
    block->next = a->head;
    a->head = block;
    return block;
}

void gw_arena_init(struct gw_arena *a, size_t max_bytes)
{
    *a = (struct gw_arena){.max_bytes = max_bytes};
}

void gw_arena_fini(struct gw_arena *a)
{
    struct gw_arena_block *block = a->head;
    while (block) {
        struct gw_arena_block *next = block->next;
        free(block);
        block = next;
    }
    a->head = NULL;
    a->used_bytes = 0;
}

void *gw_arena_alloc(struct gw_arena *a, size_t bytes)
{
    size_t max = a->max_bytes ? a->max_bytes : SIZE_MAX / 2;
    if (bytes > max)
        return NULL;
    size_t n = bytes ? (bytes + ALIGN - 1) & ~(ALIGN - 1) : ALIGN;
    if (a->used_bytes > max || n > max - a->used_bytes)
        return NULL;
    struct gw_arena_block *block = block_for(a, n);
    void *p = block->data + block->used;
    block->used += n;
    a->used_bytes += n;
    return p;
}

struct gw_span gw_arena_copy(struct gw_arena *a, struct gw_span s)
{
    char *p = s.n < SIZE_MAX ? gw_arena_alloc(a, s.n + 1) : NULL;
    if (!p)
        return (struct gw_span){NULL, 0};
    if (s.n)
        memcpy(p, s.p, s.n);
    return (struct gw_span){p, s.n};
}

size_t gw_arena_footprint(const struct gw_arena *a)
{
    size_t bytes = 0;
    for (const struct gw_arena_block *block = a->head; block; block = block->next)
        bytes += sizeof *block + block->cap;
    return bytes;
}
