/* bench_db: the database side of the measurements: a private Postgres with the tripsage schema,
 * grown by dataset.sql; the catalog and the access state as the gateway itself would load them; and
 * the replication stream of a workload, recorded message by message so that it can be played again
 * and again.
 *
 * Anything that fails ends the program with a message. Owner: the main thread. */
#ifndef BENCH_DB_H
#define BENCH_DB_H

#include "db_link.h"

#include "gw/catalog.h"

#include <libpq-fe.h>

struct bench_db;

struct bench_size {
    uint64_t users, trips;
};

/* source_dir: of the project; the schema and the SQL files are read from it. */
struct bench_db *bench_db_new(const char *source_dir, const struct bench_size *size);
void bench_db_free(struct bench_db *db);

/* Statements as the superuser, on one connection. */
void bench_db_exec(struct bench_db *db, const char *format, ...) GW_PRINTF(2, 3);
/* Rows of one statement; owned by the caller (PQclear). */
PGresult *bench_db_query(struct bench_db *db, const char *sql);
/* rows: in COPY's text format. */
void bench_db_copy(struct bench_db *db, const char *table, struct gw_span rows);

/* CPU time of the server's process behind that connection; 0 if the system does not say. */
uint64_t bench_db_cpu_ns(const struct bench_db *db);

/* Owned, one reference. */
struct gw_catalog *bench_db_catalog(struct bench_db *db);
/* Every table that policies look into, whole; owned by the caller (gw_db_request_free). */
struct gw_db_request *bench_db_read_state(struct bench_db *db, const struct gw_catalog *catalog);

/* A recorded stream: CopyData payloads as a walsender sends them ('w', positions, clock, message).
 */
struct bench_log {
    struct gw_buf bytes;
    uint32_t n;
    size_t *starts; /* n + 1 of them */
    uint32_t n_rows, n_transactions;
};

struct gw_span bench_log_message(const struct bench_log *log, uint32_t i);
/* From here on what is written is recorded, until the next call of bench_db_record. */
void bench_db_mark(struct bench_db *db);
void bench_db_record(struct bench_db *db, struct bench_log *out);
void bench_log_fini(struct bench_log *log);

#endif
