/* serve: one list of parts, read forwards to start and backwards to stop.
 *
 * settings → log → verifier → history → workers → links → hub (mailboxes) → threads → listener.
 * On SIGTERM or SIGINT: listener closed, workers tell their clients to come back and drain, then
 * the hub, then the links (the wal link sends a last status), then the memory. */
#include "serve.h"

#include "hub.h"
#include "listener.h"
#include "log_sink.h"
#include "loop.h"
#include "metrics.h"
#include "verifier.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct daemon {
    struct gw_settings settings;
    struct gw_verifier *verifier;
    struct gw_history *history;
    struct gw_worker **workers;
    unsigned n_workers;
    struct gw_wal_link *wal;
    struct gw_db_link *db;
    struct gw_hub *hub;
    struct gw_listener *listener;
    char *publications;
    struct gw_metrics_sources sources;
    uv_loop_t loop; /* main thread: listener and signals */
    uv_signal_t on_term, on_int;
    uint64_t hash_seed;
};

static void write_metrics(void *ctx, struct gw_buf *out)
{
    struct daemon *d = ctx;
    gw_metrics_write(&d->sources, out);
}

static bool is_ready(void *ctx, char why[160])
{
    struct daemon *d = ctx;
    return gw_hub_is_ready(d->hub, why);
}

static enum gw_code make_workers(struct daemon *d, struct gw_err *err)
{
    d->n_workers = d->settings.workers;
    d->workers = gw_alloc(d->n_workers * sizeof(struct gw_worker *));
    for (unsigned i = 0; i < d->n_workers; i++) {
        struct gw_worker_config cfg = {.index = i,
                                       .settings = &d->settings,
                                       .verifier = d->verifier,
                                       .history = d->history,
                                       .metrics = write_metrics,
                                       .is_ready = is_ready,
                                       .ctx = d};
        d->workers[i] = gw_worker_new(&cfg, err);
        if (!d->workers[i])
            return err->code;
    }
    return GW_OK;
}

static void make_links(struct daemon *d)
{
    const struct gw_settings *s = &d->settings;
    struct gw_buf names;
    gw_buf_init(&names, 0);
    gw_buf_add_str(&names, s->publication);
    if (s->access_publication && *s->access_publication)
        gw_buf_printf(&names, ",%s", s->access_publication);
    d->publications = gw_strdup_span(gw_buf_span(&names));
    gw_buf_fini(&names);
    struct gw_wal_config wal = {.conninfo = s->replication_url,
                                .slot = s->slot,
                                .publications = d->publications,
                                .max_txn_bytes = s->max_txn_bytes};
    d->wal = gw_wal_link_new(&wal);
    struct gw_db_config db = {.database_url = s->database_url,
                              .query_url = s->query_url,
                              .publication = s->publication,
                              .access_publication =
                                  s->access_publication ? s->access_publication : "",
                              .roles = (const char *const *)s->roles,
                              .n_roles = s->n_roles,
                              .claim_settings = s->claim_settings ? s->claim_settings : "",
                              .pool = s->query_pool,
                              .statement_timeout_ms = s->ask_timeout_ms};
    d->db = gw_db_link_new(&db);
}

static enum gw_code make_hub(struct daemon *d, struct gw_err *err)
{
    struct gw_hub_config cfg = {.settings = &d->settings,
                                .history = d->history,
                                .wal = d->wal,
                                .db = d->db,
                                .n_workers = d->n_workers,
                                .workers = d->workers,
                                .hash_seed = d->hash_seed};
    d->hub = gw_hub_new(&cfg, err);
    return d->hub ? GW_OK : err->code;
}

static enum gw_code start_threads(struct daemon *d, struct gw_err *err)
{
    enum gw_code code = gw_db_link_start(d->db, gw_hub_from_db(d->hub), gw_hub_to_db(d->hub), err);
    if (code == GW_OK)
        code = gw_hub_start(d->hub, err);
    if (code == GW_OK)
        code = gw_wal_link_start(d->wal, gw_hub_from_wal(d->hub), gw_hub_to_wal(d->hub), err);
    for (unsigned i = 0; i < d->n_workers && code == GW_OK; i++)
        code = gw_worker_start(d->workers[i], gw_hub_from_worker(d->hub, i),
                               gw_hub_to_worker(d->hub, i), err);
    return code;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct daemon *d = handle->data;
    gw_log(GW_LOG_INFO, "stopping", "signal=%d drain_seconds=%lld", number,
           (long long)d->settings.drain_seconds);
    uv_close((uv_handle_t *)&d->on_term, NULL);
    uv_close((uv_handle_t *)&d->on_int, NULL);
    d->sources.listener = NULL;
    gw_listener_close(d->listener);
    for (unsigned i = 0; i < d->n_workers; i++)
        gw_worker_stop(d->workers[i], d->settings.drain_seconds * 1000);
}

static void watch_signals(struct daemon *d)
{
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(&d->loop, &d->on_term);
    uv_signal_init(&d->loop, &d->on_int);
    d->on_term.data = d->on_int.data = d;
    uv_signal_start(&d->on_term, on_signal, SIGTERM);
    uv_signal_start(&d->on_int, on_signal, SIGINT);
}

static enum gw_code start(struct daemon *d, struct gw_err *err)
{
    const struct gw_settings *s = &d->settings;
    unsigned max_connections = s->max_connections;
    unsigned char datum_key[16];
    if (getrandom(&d->hash_seed, sizeof d->hash_seed, 0) != sizeof d->hash_seed ||
        getrandom(datum_key, sizeof datum_key, 0) != sizeof datum_key)
        return gw_err_set(err, GW_E_IO, "no random numbers from the system");
    gw_datum_set_hash_key(datum_key);
    enum gw_code code = gw_listener_limit_fds(&max_connections, err);
    if (code != GW_OK)
        return code;
    d->verifier = gw_verifier_new(s);
    d->history = gw_history_new(s->workers, 65536, s->history_bytes);
    code = make_workers(d, err);
    if (code != GW_OK)
        return code;
    make_links(d);
    code = make_hub(d, err);
    if (code != GW_OK)
        return code;
    d->sources = (struct gw_metrics_sources){.hub = d->hub,
                                             .wal = d->wal,
                                             .db = d->db,
                                             .history = d->history,
                                             .workers = d->workers,
                                             .n_workers = d->n_workers};
    struct gw_listener_config listener = {.uv = &d->loop,
                                          .settings = s,
                                          .workers = d->workers,
                                          .n_workers = d->n_workers,
                                          .max_connections = max_connections};
    code = gw_listener_open(&listener, &d->listener, err);
    if (code != GW_OK)
        return code;
    d->sources.listener = d->listener;
    return start_threads(d, err);
}

static void free_all(struct daemon *d)
{
    for (unsigned i = 0; i < d->n_workers; i++)
        gw_worker_free(d->workers[i]);
    gw_hub_free(d->hub);
    gw_wal_link_free(d->wal);
    gw_db_link_free(d->db);
    gw_history_free(d->history);
    gw_verifier_free(d->verifier);
    free(d->workers);
    free(d->publications);
}

static int run(struct daemon *d)
{
    struct gw_err err = {0};
    uv_loop_init(&d->loop);
    if (start(d, &err) != GW_OK) {
        gw_log_err(GW_LOG_ERROR, "start_failed", &err);
        return 1; /* threads may run: leave without tearing memory down under them */
    }
    watch_signals(d);
    gw_log(GW_LOG_INFO, "listening", "address=%s:%u admin=%s:%u workers=%u version=%s",
           d->settings.listen_host, gw_listener_port(d->listener, false), d->settings.admin_host,
           gw_listener_port(d->listener, true), d->n_workers, ROWCAST_VERSION);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    for (unsigned i = 0; i < d->n_workers; i++)
        gw_worker_join(d->workers[i]);
    gw_hub_stop(d->hub);
    gw_hub_join(d->hub);
    gw_wal_link_stop(d->wal);
    gw_db_link_stop(d->db);
    uv_loop_close(&d->loop);
    free_all(d);
    gw_log(GW_LOG_INFO, "stopped", "exit=0");
    return 0;
}

static void print_help(void)
{
    struct gw_buf help;
    gw_buf_init(&help, 0);
    gw_buf_add_str(&help, "usage: rowcast serve [--config FILE] [--SETTING VALUE …]\n\n"
                          "Run the gateway until SIGTERM or SIGINT.\n\n");
    gw_settings_help(&help);
    fwrite(help.p, 1, help.n, stdout);
    gw_buf_fini(&help);
}

int gw_serve_cmd(int argc, char **argv)
{
    struct daemon d = {0};
    struct gw_err err = {0};
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_help();
            return 0;
        }
    }
    if (gw_settings_load(&d.settings, argc, argv, &err) != GW_OK) {
        fprintf(stderr, "rowcast serve: %s%s%s\n", err.text, *err.hint ? "; " : "", err.hint);
        return 2;
    }
    gw_log_set_sink(gw_log_sink_stderr);
    gw_log_set_level(d.settings.log);
    if (gw_settings_check_serve(&d.settings, &err) != GW_OK) {
        fprintf(stderr, "rowcast serve: %s%s%s\n", err.text, *err.hint ? "; " : "", err.hint);
        gw_settings_fini(&d.settings);
        return 2;
    }
    int rc = run(&d);
    gw_settings_fini(&d.settings);
    return rc;
}
