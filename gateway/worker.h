/* worker: one event loop with its own libwebsockets context and one shard of the clients.
 *
 * Owner of everything below it: sockets (gateway/ws.c), HTTP (gateway/http.c), sessions (gw/shard.h).
 * The turn, in order: input (lws) → hub's mailbox → history → tick → flush dirty sessions → closes. */
#ifndef GW_WORKER_H
#define GW_WORKER_H

#include "settings.h"

#include "gw/history.h"
#include "gw/mailbox.h"
#include "gw/shard.h"

struct gw_worker;
struct gw_verifier; /* gateway/verifier.h */

struct gw_worker_config {
    unsigned index;
    const struct gw_settings *settings;
    const struct gw_verifier *verifier;
    struct gw_history *history;
    /* Text of /metrics and answer of /readyz; called on a worker thread. */
    void (*metrics)(void *ctx, struct gw_buf *out);
    bool (*is_ready)(void *ctx, char why[160]);
    void *ctx;
};

/* Create all workers in the main thread, one after the other, before any is started (TLS contexts
 * of libwebsockets share a process-wide index). NULL and err on failure. */
struct gw_worker *gw_worker_new(const struct gw_worker_config *cfg, struct gw_err *err);
void *gw_worker_loop(struct gw_worker *w); /* struct gw_loop *, for gw_loop_wake */
/* to_hub: this worker is the only producer; from_hub: the only consumer; fds: from the listener. */
GW_MUST_CHECK enum gw_code gw_worker_start(struct gw_worker *w, struct gw_mailbox *to_hub,
                                           struct gw_mailbox *from_hub, struct gw_err *err);
/* Listener thread: hand over an accepted socket. GW_E_FULL: the caller closes it. */
GW_MUST_CHECK enum gw_code gw_worker_adopt(struct gw_worker *w, int fd, bool is_admin);
/* Any thread: connections owned or on their way, for choosing the least loaded. */
unsigned gw_worker_load(const struct gw_worker *w);
void gw_worker_add_stats(const struct gw_worker *w, struct gw_shard_stats *sum); /* any thread */
/* Any thread: tell every client to come back (1012), flush, for at most drain_ms; then end. */
void gw_worker_stop(struct gw_worker *w, int64_t drain_ms);
void gw_worker_join(struct gw_worker *w);
void gw_worker_free(struct gw_worker *w);

#endif
