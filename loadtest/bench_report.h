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
/* A row of a Markdown table; its cells are divided by " | " in the format. */
void bench_row(const char *format, ...) GW_PRINTF(1, 2);
/* A whole number with its thousands apart: "1 234 567". Returns out. */
#define BENCH_NUMBER 40
const char *bench_thousands(char out[BENCH_NUMBER], double value);

#endif
