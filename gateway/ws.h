/* ws: the sockets of one worker: a libwebsockets context as guest on the worker's loop, WebSocket
 * connections tied to sessions (gw/shard.h), and the HTTP around them (gateway/http.c).
 *
 * Rules that come from libwebsockets, measured in the performance reference (its section numbers):
 * frames are prebuilt and written with LWS_WRITE_RAW, never while a part of the last write is still
 * buffered (§4.3); a writable callback is asked for once per backlog, since each costs system calls
 * (§4.2); nothing is freed or closed outside its callbacks except by a kill that is carried out
 * later (§6.4); pings are ours, because its timers are a sorted list (§4.9).
 *
 * Owner: the worker's thread, but for gw_front_new (main thread, before the thread exists) and
 * gw_front_connections (any thread). Bounds: one message per connection, one 64 KiB batch per
 * front. */
#ifndef GW_WS_H
#define GW_WS_H

#include "verifier.h"

#include "gw/shard.h"

#include <uv.h>

struct gw_front;

struct gw_front_config {
    const struct gw_settings *settings; /* borrowed for the front's life, like the next two */
    const struct gw_verifier *verifier;
    struct gw_shard *shard;
    uv_loop_t *uv;
    void (*on_input)(
        void *ctx); /* something was read or became writable: flush at the turn's end */
    void *ctx;
    void (*metrics)(void *ctx, struct gw_buf *out); /* as in struct gw_worker_config */
    bool (*is_ready)(void *ctx, char why[160]);
    void *http_ctx;
};

/* E_IO: libwebsockets could not start (its libuv plugin missing, file descriptors). */
GW_MUST_CHECK enum gw_code gw_front_new(const struct gw_front_config *cfg, struct gw_front **out,
                                        struct gw_err *err);
/* Takes the connected, non-blocking socket fd. */
void gw_front_adopt(struct gw_front *f, int fd, bool is_admin);
/* Write what dirty sessions have queued, then begin the closes they ask for. */
void gw_front_flush(struct gw_front *f);
/* About once a second or more often: pings, and connections that do not finish closing. */
void gw_front_tick(struct gw_front *f, struct gw_ms now);
/* Read again from all connections that were paused when the shard was congested. */
void gw_front_resume(struct gw_front *f);
/* Close every session with code; new upgrades are refused from now on. */
void gw_front_drain(struct gw_front *f, unsigned code);
unsigned gw_front_sockets(const struct gw_front *f); /* WebSocket connections not yet destroyed */
unsigned gw_front_connections(const struct gw_front *f); /* any thread: all connections */
/* In the worker's thread, last: cuts all connections; its handles close while the loop runs on. */
void gw_front_close(struct gw_front *f);
/* After the loop has ended. Accepts NULL. */
void gw_front_free(struct gw_front *f);

#endif
