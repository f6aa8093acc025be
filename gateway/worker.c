/* worker: the loop's side: what wakes it, in which order a turn does things, how it ends.
 *
 * DESIGN. One iteration of the loop is a turn. Input arrives in libwebsockets' callbacks and in
 * on_wake (sockets, the hub's messages, commits); each calls touch(), which keeps the loop from
 * sleeping (an idle handle) and counts. The check handle, last in an iteration, flushes dirty
 * sessions; but while input keeps coming it puts that off, up to TURN_INPUTS pieces, so that load
 * makes larger writes instead of more of them (performance reference, §4.5).
 *
 * The hub posts a SUBSCRIBED before it pushes the first commit that concerns it. So when a commit
 * is seen, whatever was posted before it can be seen too: the mailbox is emptied between taking a
 * commit from the history and delivering it. */
#include "worker.h"

#include "loop.h"
#include "ws.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define TURN_INPUTS 64   /* messages and commits before a flush is due */
#define TURN_COMMITS 64  /* per wake-up */
#define TURN_SOCKETS 64  /* per wake-up */
#define SOCKETS_MAX 1024 /* handed over and not yet adopted */
#define TICK_MS 1000
#define TICK_BUSY_MS 50 /* while the hub is full, or clients are leaving */

enum phase { RUNNING, DRAINING, STOPPING };

#define STAT_COUNT (sizeof(struct gw_shard_stats) / sizeof(uint64_t))
_Static_assert(sizeof(struct gw_shard_stats) % sizeof(uint64_t) == 0, "counters only");

struct gw_worker {
    struct gw_worker_config cfg;
    struct gw_loop loop;
    struct gw_mailbox *sockets, *to_hub, *from_hub; /* the last two borrowed */
    struct gw_shard *shard;
    struct gw_front *front;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer;
    enum phase phase;
    unsigned inputs, inputs_seen; /* since the last flush; of these before this iteration */
    bool is_tick_busy;
    int64_t drain_until_ms;
    bool is_running, is_closed;
    _Atomic unsigned pending; /* sockets handed over, not yet adopted */
    _Atomic int64_t drain_ms; /* of gw_worker_stop; negative before */
    _Atomic uint64_t published[STAT_COUNT];
};

/* ---- the turn ---- */

static void touch(void *ctx);

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* its being active is all: the loop polls without waiting */
}

static void publish(struct gw_worker *w)
{
    uint64_t now[STAT_COUNT];
    memcpy(now, gw_shard_stats(w->shard), sizeof now);
    for (size_t i = 0; i < STAT_COUNT; i++)
        atomic_store_explicit(&w->published[i], now[i], memory_order_relaxed);
}

static void on_check(uv_check_t *check)
{
    struct gw_worker *w = check->data;
    if (!uv_is_active((uv_handle_t *)&w->idle))
        return;
    if (w->inputs > w->inputs_seen && w->inputs < TURN_INPUTS) {
        w->inputs_seen = w->inputs; /* perhaps there is more: drain it first */
        return;
    }
    w->inputs = w->inputs_seen = 0;
    uv_idle_stop(&w->idle);
    gw_front_flush(w->front);
    publish(w);
}

static void on_tick(uv_timer_t *timer);

static void set_tick(struct gw_worker *w, bool is_busy)
{
    if (w->is_tick_busy == is_busy)
        return;
    w->is_tick_busy = is_busy;
    uv_timer_start(&w->timer, on_tick, is_busy ? TICK_BUSY_MS : TICK_MS,
                   is_busy ? TICK_BUSY_MS : TICK_MS);
}

static void touch(void *ctx)
{
    struct gw_worker *w = ctx;
    w->inputs++;
    if (w->phase == STOPPING || w->is_closed)
        return;
    if (!uv_is_active((uv_handle_t *)&w->idle))
        uv_idle_start(&w->idle, on_idle);
    if (gw_shard_is_congested(w->shard))
        set_tick(w, true);
}

static struct gw_now now(void)
{
    return (struct gw_now){{gw_clock_mono_ms()}, {gw_clock_wall_us()}};
}

static void on_tick(uv_timer_t *timer)
{
    struct gw_worker *w = timer->data;
    struct gw_now t = now();
    gw_shard_tick(w->shard, t);
    gw_front_tick(w->front, t.mono);
    bool is_congested = gw_shard_is_congested(w->shard);
    if (!is_congested)
        gw_front_resume(w->front);
    touch(w);
    if (w->phase == DRAINING &&
        (gw_front_sockets(w->front) == 0 || t.mono.v >= w->drain_until_ms)) {
        w->phase = STOPPING;
        gw_loop_stop(&w->loop);
        return;
    }
    set_tick(w, is_congested || w->phase == DRAINING);
}

/* ---- input from other threads ---- */

/* A message of the sockets mailbox. */
struct handed {
    int fd;
    bool is_admin;
};

static void handed_drop(void *msg)
{
    close(((struct handed *)msg)->fd);
    free(msg);
}

static bool take_sockets(struct gw_worker *w)
{
    for (unsigned n = 0; n < TURN_SOCKETS; n++) {
        struct handed *h = gw_mailbox_pop(w->sockets);
        if (!h)
            return false;
        if (w->phase == RUNNING) {
            gw_front_adopt(w->front, h->fd, h->is_admin);
            free(h);
        } else {
            handed_drop(h);
        }
        atomic_fetch_sub_explicit(&w->pending, 1, memory_order_relaxed);
    }
    return true;
}

/* All there are: the mailbox is bounded. */
static void take_hub_messages(struct gw_worker *w)
{
    struct gw_to_worker *msg = gw_mailbox_pop(w->from_hub);
    if (!msg)
        return;
    struct gw_now t = now();
    for (; msg; msg = gw_mailbox_pop(w->from_hub)) {
        gw_shard_on_hub(w->shard, msg, t);
        touch(w);
    }
    if (!gw_shard_is_congested(w->shard))
        gw_front_resume(w->front);
}

static bool take_commits(struct gw_worker *w)
{
    for (unsigned n = 0; n < TURN_COMMITS; n++) {
        const struct gw_commit *commit = NULL;
        uint64_t lost = 0;
        switch (gw_history_next(w->cfg.history, w->cfg.index, &commit, &lost)) {
        case GW_READ_NOTHING:
            return false;
        case GW_READ_LOST:
            gw_log(GW_LOG_WARN, "worker_behind", "worker=%u lost_commits=%llu", w->cfg.index,
                   (unsigned long long)lost);
            take_hub_messages(w);
            gw_shard_on_lost(w->shard);
            break;
        case GW_READ_COMMIT:
            take_hub_messages(w);
            gw_shard_on_commit(w->shard, commit);
            gw_history_release(w->cfg.history, w->cfg.index);
            break;
        }
        touch(w);
    }
    return true;
}

static void begin_drain(struct gw_worker *w, int64_t drain_ms)
{
    w->phase = DRAINING;
    w->drain_until_ms = gw_clock_mono_ms() + drain_ms;
    gw_front_drain(w->front, (unsigned)gw_code_close(GW_E_SHUTDOWN));
    set_tick(w, true);
    touch(w);
}

static void on_wake(void *ctx)
{
    struct gw_worker *w = ctx;
    bool has_more = take_sockets(w);
    take_hub_messages(w);
    has_more |= take_commits(w);
    int64_t drain_ms = atomic_load(&w->drain_ms);
    if (drain_ms >= 0 && w->phase == RUNNING)
        begin_drain(w, drain_ms);
    if (has_more)
        gw_loop_wake(&w->loop);
}

/* ---- life ---- */

static void close_handles(struct gw_worker *w)
{
    if (w->is_closed)
        return;
    w->is_closed = true;
    gw_front_close(w->front);
    uv_close((uv_handle_t *)&w->check, NULL);
    uv_close((uv_handle_t *)&w->idle, NULL);
    uv_close((uv_handle_t *)&w->timer, NULL);
}

static void on_stop(void *ctx)
{
    struct gw_worker *w = ctx;
    w->phase = STOPPING;
    take_sockets(w); /* closes them */
    close_handles(w);
    publish(w);
}

static enum gw_code verify(void *ctx, struct gw_span token, struct gw_us wall,
                           struct gw_claims **out, struct gw_err *err)
{
    const struct gw_worker *w = ctx;
    return gw_verifier_check(w->cfg.verifier, token, wall, out, err);
}

static enum gw_code post_to_hub(void *ctx, struct gw_to_hub *msg)
{
    struct gw_worker *w = ctx;
    if (w->phase != STOPPING)
        return gw_mailbox_push(w->to_hub, msg, sizeof *msg);
    gw_to_hub_free(msg); /* the hub ends together with its workers: nothing to unsubscribe from */
    return GW_OK;
}

static void shard_open(struct gw_worker *w)
{
    const struct gw_settings *s = w->cfg.settings;
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        abort(); /* without a seed, clients could choose colliding keys */
    w->shard =
        gw_shard_new(w->cfg.index, seed,
                     &(struct gw_shard_ops){.ctx = w, .verify = verify, .to_hub = post_to_hub},
                     &(struct gw_shard_limits){.channels_per_session = s->max_channels,
                                               .outbox_bytes = s->outbox_bytes,
                                               .idle_ms = s->idle_seconds * 1000});
}

static void handles_open(struct gw_worker *w)
{
    uv_check_init(&w->loop.uv, &w->check);
    uv_idle_init(&w->loop.uv, &w->idle);
    uv_timer_init(&w->loop.uv, &w->timer);
    w->check.data = w->idle.data = w->timer.data = w;
}

struct gw_worker *gw_worker_new(const struct gw_worker_config *cfg, struct gw_err *err)
{
    char name[16];
    struct gw_worker *w = gw_alloc(sizeof *w);
    w->cfg = *cfg;
    atomic_store(&w->drain_ms, -1);
    snprintf(name, sizeof name, "rc-worker-%u", cfg->index % 1000);
    if (gw_loop_open(&w->loop, name, on_wake, on_stop, w, err) != GW_OK) {
        free(w);
        return NULL;
    }
    handles_open(w);
    shard_open(w);
    w->sockets = gw_mailbox_new(SOCKETS_MAX, 0, gw_loop_wake, &w->loop);
    struct gw_front_config front = {.settings = cfg->settings,
                                    .verifier = cfg->verifier,
                                    .shard = w->shard,
                                    .uv = &w->loop.uv,
                                    .on_input = touch,
                                    .ctx = w,
                                    .metrics = cfg->metrics,
                                    .is_ready = cfg->is_ready,
                                    .http_ctx = cfg->ctx};
    if (gw_front_new(&front, &w->front, err) == GW_OK)
        return w;
    gw_worker_free(w);
    return NULL;
}

void *gw_worker_loop(struct gw_worker *w)
{
    return &w->loop;
}

enum gw_code gw_worker_start(struct gw_worker *w, struct gw_mailbox *to_hub,
                             struct gw_mailbox *from_hub, struct gw_err *err)
{
    w->to_hub = to_hub;
    w->from_hub = from_hub;
    uv_check_start(&w->check, on_check);
    uv_timer_start(&w->timer, on_tick, TICK_MS, TICK_MS);
    enum gw_code code = gw_loop_start(&w->loop, err);
    w->is_running = code == GW_OK;
    return code;
}

enum gw_code gw_worker_adopt(struct gw_worker *w, int fd, bool is_admin)
{
    struct handed *h = gw_alloc(sizeof *h);
    *h = (struct handed){fd, is_admin};
    atomic_fetch_add_explicit(&w->pending, 1, memory_order_relaxed);
    enum gw_code code = gw_mailbox_push(w->sockets, h, 1);
    if (code == GW_OK)
        return GW_OK;
    atomic_fetch_sub_explicit(&w->pending, 1, memory_order_relaxed);
    free(h); /* fd stays the caller's */
    return code;
}

unsigned gw_worker_load(const struct gw_worker *w)
{
    return atomic_load_explicit(&w->pending, memory_order_relaxed) + gw_front_connections(w->front);
}

void gw_worker_add_stats(const struct gw_worker *w, struct gw_shard_stats *sum)
{
    uint64_t total[STAT_COUNT];
    memcpy(total, sum, sizeof total);
    for (size_t i = 0; i < STAT_COUNT; i++)
        total[i] += atomic_load_explicit(&w->published[i], memory_order_relaxed);
    memcpy(sum, total, sizeof total);
}

void gw_worker_stop(struct gw_worker *w, int64_t drain_ms)
{
    atomic_store(&w->drain_ms, drain_ms > 0 ? drain_ms : 0);
    gw_loop_wake(&w->loop);
}

void gw_worker_join(struct gw_worker *w)
{
    if (!w->is_running)
        return;
    gw_loop_join(&w->loop);
    w->is_running = false;
}

void gw_worker_free(struct gw_worker *w)
{
    if (!w)
        return;
    assert(!w->is_running && "join first");
    if (!w->is_closed) { /* it never ran: its handles close in the turns that join makes */
        w->phase = STOPPING;
        close_handles(w);
        gw_loop_join(&w->loop);
    }
    gw_front_free(w->front);
    gw_shard_free(w->shard);
    gw_mailbox_free(w->sockets, handed_drop);
    free(w);
}
