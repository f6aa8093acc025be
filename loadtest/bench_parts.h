/* bench_parts: what is measured, one function each. All print their table and put their figures
 * into the report; loadtest/README.md says what they mean. */
#ifndef BENCH_PARTS_H
#define BENCH_PARTS_H

#include "bench_db.h"
#include "bench_report.h"

#define BENCH_TEXT(value) bench_thousands((char[BENCH_NUMBER]){0}, value)

struct bench {
    struct bench_db *db;
    struct gw_catalog *catalog;
    struct bench_report report;
    struct bench_size size;
    uint32_t writes; /* rows of a recorded workload, about */
    uint32_t many;   /* connected callers that do not receive */
    uint32_t team;   /* members of the large team */
};

void bench_audiences(struct bench *b); /* solutions per second, memory of the access state */
void bench_rows(struct bench *b);      /* rows per second, from the socket's bytes to outboxes */
void bench_callers(struct bench *b);   /* what callers who do not receive a change cost */
void bench_walrus(struct bench *b);    /* the same stream judged by one probe per subscriber */
void bench_team(struct bench *b); /* a team of many members; the last one: it changes the data */

#endif
