/* loop: a thread with its own libuv loop and one wake-up.
 *
 * Start order: open (creates loop and async; the caller may add handles), start (runs the thread),
 * stop (asks it to end; any thread), join. on_wake runs in the loop thread after any number of
 * gw_loop_wake calls; on_stop runs there once and must close the caller's handles. */
#ifndef GW_LOOP_H
#define GW_LOOP_H

#include "gw/err.h"

#include <uv.h>

struct gw_loop {
    uv_loop_t uv;
    uv_async_t wake;    /* own use */
    uv_thread_t thread; /* own use */
    char name[16];      /* thread name, ≤ 15 bytes */
    void (*on_wake)(void *ctx);
    void (*on_stop)(void *ctx);
    void *ctx;
    _Atomic int stopping; /* own use */
    bool started, stopped;
};

GW_MUST_CHECK enum gw_code gw_loop_open(struct gw_loop *l, const char *name,
                                        void (*on_wake)(void *), void (*on_stop)(void *), void *ctx,
                                        struct gw_err *err);
GW_MUST_CHECK enum gw_code gw_loop_start(struct gw_loop *l, struct gw_err *err);
/* Any thread, never blocks; fits gw_mailbox_new as wake function. */
void gw_loop_wake(void *loop);
void gw_loop_stop(struct gw_loop *l);
/* Wait for the thread, then close the loop. Handles left open are a bug (asserts in debug). */
void gw_loop_join(struct gw_loop *l);

int64_t gw_clock_mono_ms(void); /* CLOCK_MONOTONIC */
int64_t gw_clock_wall_us(void); /* CLOCK_REALTIME */

#endif
