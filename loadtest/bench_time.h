/* bench_time: clocks, medians, and the one core that is measured. */
#ifndef BENCH_TIME_H
#define BENCH_TIME_H

#include <stdint.h>

#define BENCH_ROUNDS 5

uint64_t bench_wall_ns(void);
/* CPU time of this thread: what others do on the machine does not count, only how they disturb the
 * caches. */
uint64_t bench_cpu_ns(void);
double bench_median(const double *values, unsigned n); /* n ≤ 64 */
/* This thread stays on one core, the last that it may use. */
void bench_pin(void);

#endif
