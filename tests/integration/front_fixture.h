/* front_fixture: workers and a listener in this process, on free ports, and a hub that says yes to
 * every SUBSCRIBE. Header only; one instance per test. */
#ifndef GW_TEST_FRONT_FIXTURE_H
#define GW_TEST_FRONT_FIXTURE_H

#include "../support/ws_client.h"
#include "../unit/core/shard_fixture.h"
#include "listener.h"
#include "log_sink.h"
#include "loop.h"
#include "mint.h"
#include "verifier.h"

#define FRONT_WORKERS_MAX 4
#define FRONT_SECRET "0123456789abcdef0123456789abcdef"
#define FRONT_URL "/realtime/v1/websocket?apikey=anonkey&vsn=2.0.0"

static struct front {
    struct gw_settings settings;
    struct gw_verifier *verifier;
    struct gw_history *history;
    unsigned n_workers;
    struct gw_worker *workers[FRONT_WORKERS_MAX];
    struct gw_mailbox *from_worker[FRONT_WORKERS_MAX], *to_worker[FRONT_WORKERS_MAX];
    struct gw_loop main, hub;
    struct gw_listener *listener;
    uint16_t port, admin_port;
    _Atomic bool is_ready, is_deaf;
    _Atomic uint64_t live_seq, subscribes, unsubscribes;
    bool is_stopped;
} front;

static inline void front_answer(unsigned worker, struct gw_to_hub *asked)
{
    struct gw_to_worker *m = fix_answer(GW_TO_WORKER_SUBSCRIBED, asked);
    m->caller_id = 7;
    m->live_seq = atomic_load(&front.live_seq);
    m->n_bindings = asked->n_bindings;
    m->bindings = asked->bindings;
    for (uint32_t i = 0; i < m->n_bindings; i++)
        m->bindings[i].rel_oid = strcmp(m->bindings[i].table, "*") == 0 ? 0 : FIX_REL_OID;
    asked->n_bindings = 0;
    asked->bindings = NULL;
    while (gw_mailbox_push(front.to_worker[worker], m, sizeof *m) != GW_OK)
        usleep(1000);
}

static inline void front_hub_wake(void *ctx)
{
    (void)ctx;
    struct gw_to_hub *m;
    for (unsigned i = 0; i < front.n_workers && !atomic_load(&front.is_deaf); i++) {
        while ((m = gw_mailbox_pop(front.from_worker[i]))) {
            if (m->kind == GW_TO_HUB_SUBSCRIBE) {
                atomic_fetch_add(&front.subscribes, 1);
                front_answer(i, m);
            } else {
                atomic_fetch_add(&front.unsubscribes, 1);
            }
            gw_to_hub_free(m);
        }
    }
}

static inline void front_hub_stop(void *ctx)
{
    (void)ctx;
}
static inline void front_main_wake(void *ctx)
{
    (void)ctx;
}
static inline void front_main_stop(void *ctx)
{
    (void)ctx;
    gw_listener_close(front.listener);
}

static inline void front_metrics(void *ctx, struct gw_buf *out)
{
    (void)ctx;
    gw_buf_add_str(out, "# TYPE rowcast_up gauge\nrowcast_up 1\n");
}

static inline bool front_is_ready(void *ctx, char why[160])
{
    (void)ctx;
    if (!atomic_load(&front.is_ready))
        snprintf(why, 160, "no catalog yet");
    return atomic_load(&front.is_ready);
}

static inline void front_drop_to_hub(void *m)
{
    gw_to_hub_free(m);
}
static inline void front_drop_to_worker(void *m)
{
    gw_to_worker_free(m);
}

static inline void front_ok(enum gw_code code, const struct gw_err *err)
{
    ck_assert_msg(code == GW_OK, "%s", err->text);
}

/* flags: of settings, NULL-terminated. mailbox: items towards the hub. */
static inline void front_open_with(size_t mailbox, const char *const *flags)
{
    struct gw_err err = {0};
    const char *argv[32] = {"--listen=127.0.0.1:0",
                            "--admin-listen=127.0.0.1:0",
                            ("--jwt-secret=" FRONT_SECRET),
                            "--api-keys=anonkey=anon",
                            "--workers=2",
                            "--log=error"};
    int argc = 6;
    for (; flags && *flags; flags++)
        argv[argc++] = *flags;
    memset(&front, 0, sizeof front);
    gw_log_set_sink(gw_log_sink_stderr);
    front_ok(gw_settings_load(&front.settings, argc, (char **)argv, &err), &err);
    gw_log_set_level(front.settings.log);
    front_ok(gw_settings_check_serve(&front.settings, &err), &err);
    front.verifier = gw_verifier_new(&front.settings);
    front.n_workers = front.settings.workers;
    front.history = gw_history_new(front.n_workers, 4096, front.settings.history_bytes);
    atomic_store(&front.live_seq, 1);
    atomic_store(&front.is_ready, true);
    front_ok(gw_loop_open(&front.hub, "hub", front_hub_wake, front_hub_stop, NULL, &err), &err);
    front_ok(gw_loop_open(&front.main, "main", front_main_wake, front_main_stop, NULL, &err), &err);
    for (unsigned i = 0; i < front.n_workers; i++) {
        front.workers[i] = gw_worker_new(&(struct gw_worker_config){.index = i,
                                                                    .settings = &front.settings,
                                                                    .verifier = front.verifier,
                                                                    .history = front.history,
                                                                    .metrics = front_metrics,
                                                                    .is_ready = front_is_ready},
                                         &err);
        ck_assert_msg(front.workers[i] != NULL, "%s", err.text);
        front.from_worker[i] = gw_mailbox_new(mailbox, 0, gw_loop_wake, &front.hub);
        front.to_worker[i] =
            gw_mailbox_new(4096, 0, gw_loop_wake, gw_worker_loop(front.workers[i]));
    }
    struct gw_listener_config listener = {.uv = &front.main.uv,
                                          .settings = &front.settings,
                                          .workers = front.workers,
                                          .n_workers = front.n_workers,
                                          .max_connections = front.settings.max_connections};
    front_ok(gw_listener_open(&listener, &front.listener, &err), &err);
    front.port = gw_listener_port(front.listener, false);
    front.admin_port = gw_listener_port(front.listener, true);
    for (unsigned i = 0; i < front.n_workers; i++)
        front_ok(gw_worker_start(front.workers[i], front.from_worker[i], front.to_worker[i], &err),
                 &err);
    front_ok(gw_loop_start(&front.hub, &err), &err);
    front_ok(gw_loop_start(&front.main, &err), &err);
}

#define front_open(...)                                                                            \
    front_open_with(4096, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

/* The order of a real shutdown: no new clients, workers drain, the hub last. */
static inline void front_stop(int64_t drain_ms)
{
    front.is_stopped = true;
    gw_loop_stop(&front.main);
    gw_loop_join(&front.main);
    for (unsigned i = 0; i < front.n_workers; i++)
        gw_worker_stop(front.workers[i], drain_ms);
    for (unsigned i = 0; i < front.n_workers; i++)
        gw_worker_join(front.workers[i]);
}

static inline void front_close(void)
{
    if (!front.is_stopped)
        front_stop(0);
    gw_loop_stop(&front.hub);
    gw_loop_join(&front.hub);
    for (unsigned i = 0; i < front.n_workers; i++) {
        gw_worker_free(front.workers[i]);
        gw_mailbox_free(front.from_worker[i], front_drop_to_hub);
        gw_mailbox_free(front.to_worker[i], front_drop_to_worker);
    }
    gw_history_free(front.history);
    gw_verifier_free(front.verifier);
    gw_settings_fini(&front.settings);
}

/* ---- what tests say and hear ---- */

static inline void front_join(int fd, const char *topic, const char *ref, const char *config)
{
    char text[2048];
    snprintf(text, sizeof text, "[\"%s\",\"%s\",\"realtime:%s\",\"phx_join\",{\"config\":{%s}}]",
             ref, ref, topic, config);
    ck_assert(ws_send_text(fd, text));
}

#define FRONT_FOLLOW                                                                               \
    "\"postgres_changes\":[{\"event\":\"*\",\"schema\":\"public\",\"table\":\"todos\"}]"

/* Read text frames until one holds part; false: the stream ended first. */
static inline bool front_hear(int fd, const char *part, struct ws_frame *f)
{
    while (ws_read_frame(fd, f)) {
        if (strstr(f->p, part))
            return true;
    }
    return false;
}

static inline void front_beat(int fd)
{
    static struct ws_frame f;
    ck_assert(ws_send_text(fd, "[null,\"hb\",\"phoenix\",\"heartbeat\",{}]"));
    ck_assert(front_hear(fd, "\"hb\"", &f));
}

/* Take the commit built with fix_commit_open() …: the test's thread is the history's writer. */
static inline void front_push(void)
{
    commit_->bytes = gw_arena_footprint(&commit_->txn->arena);
    uint64_t seq = gw_history_push(front.history, commit_);
    atomic_store(&front.live_seq, seq + 1);
    commit_ = NULL;
    for (unsigned i = 0; i < front.n_workers; i++)
        gw_loop_wake(gw_worker_loop(front.workers[i]));
}

static inline void front_insert(const char *id, const char *title)
{
    fix_commit_open(0);
    fix_everyone(&fix_change(GW_OP_INSERT, NULL, fix_image(id, title, "s"))->readers, 0);
    front_push();
}

static struct ws_answer got;

static inline void front_init(void)
{
    fix_table_open();
}

static inline void front_fini(void)
{
    front_close();
    fix_table_close();
}

static inline char *front_token(const char *secret, const char *claims)
{
    struct gw_mint *m = gw_mint_new();
    ck_assert_int_eq(gw_mint_merge(m, claims), GW_OK);
    char *token = gw_mint_sign(m, secret);
    gw_mint_free(m);
    return token;
}

struct front_part {
    const char *name;
    void (*add)(TCase *);
};

static inline int front_run(const struct front_part *parts, size_t n)
{
    Suite *s = suite_create("front");
    for (size_t i = 0; i < n; i++) {
        TCase *t = tcase_create(parts[i].name);
        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, front_init, front_fini);
        parts[i].add(t);
        suite_add_tcase(s, t);
    }
    return fix_run(s);
}

static inline struct gw_shard_stats front_stats(void)
{
    struct gw_shard_stats sum = {0};
    for (unsigned i = 0; i < front.n_workers; i++)
        gw_worker_add_stats(front.workers[i], &sum);
    return sum;
}

#endif
