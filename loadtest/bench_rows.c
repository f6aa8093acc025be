/* Rows: a recorded stream from the walsender's bytes to the outboxes of sessions, on one core. And
 * what the callers cost who do not receive: the same stream with few and with very many of them. */
#include "bench_parts.h"
#include "bench_stream.h"
#include "bench_time.h"

#include <stdio.h>
#include <stdlib.h>

#define SUBSCRIBERS 1000
#define RECEIVERS 100
#define ALL_KINDS 1000
#define ITEMS_AND_MESSAGES 570 /* kinds of load.write_one below it */

static const char *const everything[] = {"*", NULL};

static const char *const stage_names[BENCH_STAGES] = {
    [BENCH_STAGE_DECODE] = "decode, JSON",          [BENCH_STAGE_FOLD] = "fold",
    [BENCH_STAGE_OLD] = "solve old images",         [BENCH_STAGE_APPLY] = "apply to the state",
    [BENCH_STAGE_NEW] = "solve new images, commit", [BENCH_STAGE_ROUTE] = "route, frames"};

static void connect_users(struct bench_engine *e, const char *prefix, uint32_t n,
                          const char *const *tables)
{
    char user[40];
    for (uint32_t i = 1; i <= n; i++) {
        bench_user_id(user, prefix, i);
        bench_engine_connect(e, user, tables);
    }
}

/* ---- rows per second ---- */

/* Shares are of a round with a clock between the steps; they are told in the time of those without.
 */
static void print_stages(struct bench *b, struct bench_engine *e, const struct bench_stream *s,
                         unsigned per_transaction, double row_ns)
{
    uint64_t all = 0;
    e->is_staged = true;
    (void)bench_stream_play(s, e);
    e->is_staged = false;
    for (unsigned i = 0; i < BENCH_STAGES; i++)
        all += e->stage_ns[i];
    printf("\nOf these ns:");
    for (unsigned i = 0; i < BENCH_STAGES; i++) {
        double ns = (double)e->stage_ns[i] * row_ns / (double)all;
        printf("%s %s %s", i ? "," : "", stage_names[i], BENCH_TEXT(ns));
        bench_report_add(&b->report, ns, "rows.per_%u.stage_%u_ns", per_transaction, i);
    }
    printf(".\n");
}

static void measure_rows(struct bench *b, unsigned per_transaction)
{
    struct bench_stream s;
    double rate[BENCH_ROUNDS];
    struct bench_played played = {0};
    bench_stream_write(&s, b->db, b->catalog,
                       &(struct bench_workload){b->writes, per_transaction, ALL_KINDS});
    struct bench_engine *e = bench_engine_new(b->catalog, s.rows);
    connect_users(e, "user", SUBSCRIBERS, everything);
    for (unsigned i = 0; i < BENCH_ROUNDS; i++) {
        played = bench_stream_play(&s, e);
        rate[i] = (double)played.rows * 1e9 / (double)played.cpu_ns;
    }
    double median = bench_median(rate, BENCH_ROUNDS);
    bench_heading(per_transaction == 1
                      ? "Rows per second, socket bytes to outboxes, a row to a commit"
                      : "Rows per second, socket bytes to outboxes, ten to a commit");
    bench_row("subscribers | rows | rows/s | ns/row | bytes/row | frames/row");
    bench_row("---: | ---: | ---: | ---: | ---: | ---:");
    bench_row("%s | %s | **%s** | %s | %.0f | %.2f", BENCH_TEXT(SUBSCRIBERS),
              BENCH_TEXT((double)played.rows), BENCH_TEXT(median), BENCH_TEXT(1e9 / median),
              (double)s.log.bytes.n / s.log.n_rows, (double)played.frames / (double)played.rows);
    bench_report_add(&b->report, median, "rows.per_%u.per_s", per_transaction);
    print_stages(b, e, &s, per_transaction, 1e9 / median);
    bench_engine_free(e);
    bench_stream_fini(&s);
}

void bench_rows(struct bench *b)
{
    measure_rows(b, 1);
    measure_rows(b, 10);
}

/* ---- callers who do not receive ---- */

void bench_callers(struct bench *b)
{
    static const char *const followed[] = {"itinerary_items", "chat_messages", NULL};
    struct bench_stream s;
    double few[BENCH_ROUNDS], many[BENCH_ROUNDS], ratio[BENCH_ROUNDS];
    bench_stream_write(&s, b->db, b->catalog,
                       &(struct bench_workload){b->writes, 1, ITEMS_AND_MESSAGES});
    struct bench_engine *without = bench_engine_new(b->catalog, s.rows);
    struct bench_engine *with = bench_engine_new(b->catalog, s.rows);
    connect_users(without, "user", RECEIVERS, followed);
    connect_users(with, "user", RECEIVERS, followed);
    connect_users(with, "stranger", b->many, followed);
    (void)bench_stream_play(&s, with); /* pages and caches, once */
    (void)bench_stream_play(&s, without);
    for (unsigned i = 0; i < BENCH_ROUNDS; i++) {
        struct bench_played p = bench_stream_play(&s, without);
        few[i] = (double)p.cpu_ns / (double)p.rows;
        p = bench_stream_play(&s, with);
        many[i] = (double)p.cpu_ns / (double)p.rows;
        ratio[i] = many[i] / few[i];
    }
    double median = bench_median(ratio, BENCH_ROUNDS);
    bench_heading("Cost of a change and the callers who do not receive it");
    bench_row("connected callers who follow and do not receive | ns a change");
    bench_row("---: | ---:");
    bench_row("0 | %s", BENCH_TEXT(bench_median(few, BENCH_ROUNDS)));
    bench_row("%s | %s", BENCH_TEXT(b->many), BENCH_TEXT(bench_median(many, BENCH_ROUNDS)));
    bench_row("ratio, median of the rounds | **%.3f**", median);
    bench_report_add(&b->report, bench_median(few, BENCH_ROUNDS), "callers.none_ns");
    bench_report_add(&b->report, bench_median(many, BENCH_ROUNDS), "callers.many_ns");
    bench_report_add(&b->report, median, "callers.ratio");
    bench_engine_free(without);
    bench_engine_free(with);
    bench_stream_fini(&s);
}
