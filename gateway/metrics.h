/* metrics: the text of /metrics, in Prometheus' exposition format 0.0.4. Counters are owned and
 * published by their threads; this only reads and sums them. Any thread. */
#ifndef GW_METRICS_H
#define GW_METRICS_H

#include "hub.h"
#include "listener.h"

struct gw_metrics_sources {
    struct gw_hub *hub;
    struct gw_wal_link *wal;
    struct gw_db_link *db;
    struct gw_history *history;
    struct gw_worker **workers;
    unsigned n_workers;
    struct gw_listener *listener; /* NULL before it is open */
};

void gw_metrics_write(const struct gw_metrics_sources *s, struct gw_buf *out);

#endif
