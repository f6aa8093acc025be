/* bench_stream: a recorded workload, played to an engine. The first part warms up and is not timed.
 */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include "bench_engine.h"

struct bench_stream {
    struct gw_db_request *rows; /* the access state before it; owned */
    struct bench_log log;
};

/* kinds: of load.write_one, from 0 on. */
struct bench_workload {
    uint32_t writes, per_transaction, kinds;
};

void bench_stream_write(struct bench_stream *out, struct bench_db *db,
                        const struct gw_catalog *catalog, const struct bench_workload *w);
void bench_stream_fini(struct bench_stream *s);

struct bench_played {
    uint64_t rows, frames; /* of the timed part */
    uint64_t cpu_ns;
};

/* Reset the engine, then play it all. */
struct bench_played bench_stream_play(const struct bench_stream *s, struct bench_engine *e);

#endif
