#include "bench_stream.h"

#include "bench_time.h"

#include <stdio.h>
#include <stdlib.h>

#define WARM_UP_FRACTION 5 /* one in so many messages, at the start */
#define SEED_STEP 1000000u /* between workloads; writes of one stay below */

void bench_stream_write(struct bench_stream *out, struct bench_db *db,
                        const struct gw_catalog *catalog, const struct bench_workload *w)
{
    unsigned seed = (w->kinds + w->per_transaction) * SEED_STEP;
    out->rows = bench_db_read_state(db, catalog);
    bench_db_mark(db);
    bench_db_exec(db, "CALL load.write(%u, %u, %u, %u)", w->writes, w->per_transaction, w->kinds,
                  seed);
    bench_db_record(db, &out->log);
}

void bench_stream_fini(struct bench_stream *s)
{
    gw_db_request_free(s->rows);
    bench_log_fini(&s->log);
}

static bool is_row(struct gw_span copy_data)
{
    char kind = copy_data.p[25]; /* behind the envelope of 25 bytes */
    return kind == 'I' || kind == 'U' || kind == 'D';
}

/* To the end of a transaction. */
static uint32_t warm_up(const struct bench_log *log, struct bench_engine *e)
{
    uint32_t i = 0;
    bool is_between = false;
    while (i < log->n && (i < log->n / WARM_UP_FRACTION || !is_between))
        is_between = bench_engine_feed(e, bench_log_message(log, i++));
    return i;
}

static void check(const struct bench_engine *e)
{
    const struct gw_judge_stats *s = &e->stats;
    if (e->unknown == 0 && s->policy_errors == 0 && s->unjudged == 0 && s->stale_rows == 0)
        return;
    fprintf(stderr, "not all was judged: unknown %llu, errors %llu, unjudged %llu, stale %llu\n",
            (unsigned long long)e->unknown, (unsigned long long)s->policy_errors,
            (unsigned long long)s->unjudged, (unsigned long long)s->stale_rows);
    exit(EXIT_FAILURE);
}

struct bench_played bench_stream_play(const struct bench_stream *s, struct bench_engine *e)
{
    struct bench_played played = {0};
    e->rows = s->rows;
    bench_engine_reset(e);
    uint32_t i = warm_up(&s->log, e);
    uint64_t frames = e->frames;
    for (uint32_t k = i; k < s->log.n; k++)
        played.rows += is_row(bench_log_message(&s->log, k));
    memset(e->stage_ns, 0, sizeof e->stage_ns);
    uint64_t cpu = bench_cpu_ns();
    while (i < s->log.n)
        (void)bench_engine_feed(e, bench_log_message(&s->log, i++));
    played.cpu_ns = bench_cpu_ns() - cpu;
    played.frames = e->frames - frames;
    check(e);
    return played;
}
