/* arena: memory that is freed at once, one arena per transaction or inbound message.
 *
 * Bump allocation in growing blocks. An arena has a cap in bytes; past it gw_arena_alloc returns
 * NULL and the owner applies its policy. Owner: whoever holds the struct; not thread-safe, but may
 * be handed to another thread whole. */
#ifndef GW_ARENA_H
#define GW_ARENA_H

#include "gw/bytes.h"

struct gw_arena_block;

struct gw_arena {
    struct gw_arena_block *head; /* own use */
    size_t used_bytes;           /* handed out, alignment included */
    size_t max_bytes;            /* cap on used_bytes; 0: none */
};

void gw_arena_init(struct gw_arena *a, size_t max_bytes);
void gw_arena_fini(struct gw_arena *a); /* frees everything; accepts a zeroed struct */

/* Zeroed, 8-byte aligned memory that lives as long as the arena; NULL past the cap. */
void *gw_arena_alloc(struct gw_arena *a, size_t bytes);
/* A copy of s (NUL-terminated behind its n bytes); p is NULL past the cap. */
struct gw_span gw_arena_copy(struct gw_arena *a, struct gw_span s);
/* Total memory taken from the system, for accounting. */
size_t gw_arena_footprint(const struct gw_arena *a);

#endif
