/* time: instants and spans as values with a unit in the type. src/ never reads a clock; the
 * gateway passes these in. */
#ifndef GW_TIME_H
#define GW_TIME_H

#include <stdint.h>

struct gw_ms { /* monotonic milliseconds */
    int64_t v;
};
struct gw_us { /* wall-clock microseconds since the Unix epoch */
    int64_t v;
};

/* Postgres counts from 2000-01-01; this is that instant in Unix microseconds. */
#define GW_PG_EPOCH_US INT64_C(946684800000000)

/* "2026-11-20T09:15:02.417Z" (24 characters and a NUL). Source: wire reference §2.3. */
void gw_us_format_iso(struct gw_us t, char out[25]);

#endif
