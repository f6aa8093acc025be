/* loop: see loop.h.
 *
 * DESIGN. Two things cross threads: the `stopping` flag and uv_async_send. The flag is set before
 * the send, and the async callback looks at it first, so that a stop is never lost between two
 * wake-ups that libuv merges into one. The async handle is closed in its own thread; the loop is
 * closed by the joiner, so a late wake from a third thread meets a loop that still exists. */
#include "loop.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void on_async(uv_async_t *handle)
{
    struct gw_loop *l = handle->data;
    if (!atomic_load(&l->stopping)) {
        l->on_wake(l->ctx);
        return;
    }
    if (l->stopped)
        return;
    l->stopped = true;
    l->on_stop(l->ctx);
    uv_close((uv_handle_t *)&l->wake, NULL);
}

static void run(void *arg)
{
    struct gw_loop *l = arg;
    pthread_setname_np(pthread_self(), l->name);
    uv_run(&l->uv, UV_RUN_DEFAULT); /* until every handle is closed */
}

enum gw_code gw_loop_open(struct gw_loop *l, const char *name, void (*on_wake)(void *),
                          void (*on_stop)(void *), void *ctx, struct gw_err *err)
{
    memset(l, 0, sizeof *l);
    snprintf(l->name, sizeof l->name, "%s", name);
    l->on_wake = on_wake;
    l->on_stop = on_stop;
    l->ctx = ctx;
    int rc = uv_loop_init(&l->uv);
    if (rc == 0) {
        rc = uv_async_init(&l->uv, &l->wake, on_async);
        if (rc == 0) {
            l->wake.data = l;
            return GW_OK;
        }
        uv_loop_close(&l->uv);
    }
    atomic_store(&l->stopping, 1); /* gw_loop_wake must not touch what does not exist */
    l->stopped = true;
    return gw_err_set(err, GW_E_IO, "event loop %s: %s", name, uv_strerror(rc));
}

/* Signals belong to the main thread; those that report a fault stay where the fault is. */
static void mask_of_threads(sigset_t *set)
{
    static const int kept[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPROF};
    sigfillset(set);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        sigdelset(set, kept[i]);
}

enum gw_code gw_loop_start(struct gw_loop *l, struct gw_err *err)
{
    sigset_t mask, before;
    mask_of_threads(&mask);
    pthread_sigmask(SIG_SETMASK, &mask, &before);
    int rc = uv_thread_create(&l->thread, run, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return gw_err_set(err, GW_E_IO, "thread %s: %s", l->name, uv_strerror(rc));
    l->started = true;
    return GW_OK;
}

void gw_loop_wake(void *loop)
{
    struct gw_loop *l = loop;
    if (!atomic_load(&l->stopping))
        uv_async_send(&l->wake);
}

void gw_loop_stop(struct gw_loop *l)
{
    if (atomic_exchange(&l->stopping, 1) == 0)
        uv_async_send(&l->wake);
}

void gw_loop_join(struct gw_loop *l)
{
    if (l->started) {
        uv_thread_join(&l->thread);
    } else {
        if (l->stopped)
            return; /* never opened */
        uv_close((uv_handle_t *)&l->wake, NULL);
        uv_run(&l->uv, UV_RUN_DEFAULT);
        l->stopped = true;
    }
    int rc = uv_loop_close(&l->uv);
    assert(rc == 0 && "a handle was left open");
    (void)rc;
}

int64_t gw_clock_mono_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t gw_clock_wall_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}
