/* bench_report: what was measured, as Markdown tables on stdout while it goes and as one flat JSON
 * object in a file at the end. Owner: the main thread. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "gw/bytes.h"

struct bench_report {
    struct gw_buf json;
};

void bench_report_init(struct bench_report *r);
/* One figure of the JSON. key: printf format, e.g. "audiences.%s.warm". */
void bench_report_add(struct bench_report *r, double value, const char *key, ...) GW_PRINTF(3, 4);
/* Write the object to path (NULL: nowhere) and forget it. false: it cannot be written. */
bool bench_report_write(struct bench_report *r, const char *path);

void bench_heading(const char *text);
/* Markdown row: cells separated by '|' in text already. */
void bench_row(const char *format, ...) GW_PRINTF(1, 2);
/* A number with thin thousands: "1 234 567". Borrowed until the eighth call after. */
const char *bench_thousands(double value);

#endif
