/* history: the ring of the last commits, the bus from the hub to the workers.
 *
 * One writer (hub), a fixed number of readers (workers), each with its own cursor. The writer never
 * waits: a commit that leaves the window is freed as soon as no reader is looking at it (each reader
 * announces the one commit it holds). A reader that falls past the window is told so and resyncs its
 * own sessions. No locks. Bounds: items and bytes.
 * Only this module and mailbox hold memory-order subtleties. */
#ifndef GW_HISTORY_H
#define GW_HISTORY_H

#include "gw/commit.h"

struct gw_history;

/* max_commits is rounded up to a power of two; max_bytes 0: no bound on bytes. The newest commit is
 * kept even if larger than max_bytes. Returns owned. */
struct gw_history *gw_history_new(unsigned n_readers, size_t max_commits, size_t max_bytes);
void gw_history_free(struct gw_history *h); /* all threads are gone */

/* ---- hub ---- */
/* Takes c, gives it the next sequence number, evicts what the bounds demand. Returns the number. */
uint64_t gw_history_push(struct gw_history *h, struct gw_commit *c);
/* Number of the newest commit; 0 before the first. */
uint64_t gw_history_head(const struct gw_history *h);
/* The newest number that every reader has released (done with). */
uint64_t gw_history_released(const struct gw_history *h);

/* ---- reader i ---- */
enum gw_read { GW_READ_NOTHING, GW_READ_COMMIT, GW_READ_LOST };
/* COMMIT: *out is borrowed until gw_history_release. LOST: commits were evicted before this reader
 * saw them; its cursor has moved to the oldest one kept, *lost says how many were missed. */
enum gw_read gw_history_next(struct gw_history *h, unsigned reader, const struct gw_commit **out,
                             uint64_t *lost);
/* Done with the commit of the last gw_history_next; advances the cursor. */
void gw_history_release(struct gw_history *h, unsigned reader);

/* Any thread, approximate. */
size_t gw_history_bytes(const struct gw_history *h);
size_t gw_history_count(const struct gw_history *h);

#endif
