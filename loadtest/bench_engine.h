/* bench_engine: the gateway between the walsender's bytes and the sessions' outboxes, without
 * threads, loop and sockets: assembler, fold, access state, solver, callers, judge, history, one
 * shard. What the wal thread, the hub and a worker do runs here one after the other, so that the
 * time of one core is the time of the whole way.
 *
 * The steps are those of gateway/hub_judge.c for a transaction that waits for nothing; a policy
 * that would wait (something only Postgres can evaluate) ends the program. */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include "bench_db.h"

#include "gw/history.h"
#include "gw/judge.h"
#include "gw/shard.h"

#define BENCH_AUTHENTICATED 1 /* role id: position in the catalog's roles */

enum bench_stage {
    BENCH_STAGE_DECODE, /* envelope, pgoutput, rows to text and JSON */
    BENCH_STAGE_FOLD,
    BENCH_STAGE_OLD, /* open the case, solve the old images */
    BENCH_STAGE_APPLY,
    BENCH_STAGE_NEW, /* solve the new images, close: the commit */
    BENCH_STAGE_ROUTE,
    BENCH_STAGES
};

struct bench_engine {
    const struct gw_catalog *catalog; /* borrowed */
    const struct gw_db_request *rows; /* borrowed: the access state to begin with */
    struct gw_state *state;
    struct gw_solver *solver;
    struct gw_interest *interest;
    struct gw_callers *callers;
    struct gw_shard *shard;
    struct gw_history *history;
    struct gw_assembler *assembler;
    struct gw_judge_stats stats;
    struct gw_idmap views; /* rel oid → struct gw_table_views */
    struct gw_session **sessions;
    uint32_t n_sessions;
    struct gw_to_hub *asked; /* the SUBSCRIBE of the client that is joining */
    uint64_t seq, frames, unknown;
    uint64_t stage_ns[BENCH_STAGES]; /* filled if is_staged */
    bool is_staged;
};

struct bench_engine *bench_engine_new(const struct gw_catalog *catalog,
                                      const struct gw_db_request *rows);
void bench_engine_free(struct bench_engine *e);
/* As after a start: the access state as read, nothing remembered, no relation known. Clients stay.
 */
void bench_engine_reset(struct bench_engine *e);
/* A client with a session, a channel and a subscription; role authenticated. tables: names in
 * schema public, NULL at the end; "*" is a wildcard. */
void bench_engine_connect(struct bench_engine *e, const char *user_id, const char *const *tables);
/* The next message of a recorded stream; true: it ended a transaction, which is delivered now. */
bool bench_engine_feed(struct bench_engine *e, struct gw_span copy_data);

/* The id of user N of dataset.sql; out holds 37 bytes. */
void bench_user_id(char *out, const char *prefix, uint64_t n);

#endif
