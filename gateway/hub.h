/* hub: the thread that knows who follows what and decides who is told. It takes transactions from the
 * wal link, has questions about them answered by the db link, and appends commits to the history, in
 * commit order; it answers the workers' subscriptions and tells the slot how far it may forget.
 *
 * Owner of the catalog in use, the interest registry, all cases in flight. It never waits: whatever
 * needs an answer is queued, in order. Bounds: cases in flight (items and bytes), then the wal
 * mailbox fills and the wal link stops reading. */
#ifndef GW_HUB_H
#define GW_HUB_H

#include "db_link.h"
#include "settings.h"
#include "wal_link.h"
#include "worker.h"

#include "gw/history.h"

struct gw_hub;

struct gw_hub_config {
    const struct gw_settings *settings;
    struct gw_history *history;
    struct gw_wal_link *wal;
    struct gw_db_link *db;
    unsigned n_workers;
    struct gw_worker **workers; /* borrowed; wakes them */
    uint64_t hash_seed;
};

/* All mailboxes of the process, made by the hub because it is one end of each. Returns owned. */
struct gw_hub *gw_hub_new(const struct gw_hub_config *cfg, struct gw_err *err);
struct gw_mailbox *gw_hub_from_wal(struct gw_hub *h);
struct gw_mailbox *gw_hub_to_wal(struct gw_hub *h);
struct gw_mailbox *gw_hub_from_db(struct gw_hub *h);
struct gw_mailbox *gw_hub_to_db(struct gw_hub *h);
struct gw_mailbox *gw_hub_from_worker(struct gw_hub *h, unsigned worker);
struct gw_mailbox *gw_hub_to_worker(struct gw_hub *h, unsigned worker);

GW_MUST_CHECK enum gw_code gw_hub_start(struct gw_hub *h, struct gw_err *err);
void gw_hub_stop(struct gw_hub *h); /* any thread; then join */
void gw_hub_join(struct gw_hub *h);
void gw_hub_free(struct gw_hub *h);

/* Any thread. Names and meanings: gateway/metrics.c. */
#define GW_HUB_STATS(X)                                                                            \
    X(transactions) X(changes) X(evaluations) X(deletes_withheld) X(old_withheld) X(unjudged)      \
    X(policy_errors) X(stale_rows) X(resync_budget) X(resync_truncate) X(resync_overflow)          \
    X(channels) X(callers) X(in_flight) X(catalog_generation) X(catalog_tables) X(reasks)          \
    X(streaming) X(wal_disconnects) X(history_head) X(history_released)                            \
    X(solved) X(samples) X(mismatches) X(state_unknown) X(resync_overtaken) X(arrivals) X(arrival_bytes) X(catching_up)     \
    X(state_bytes) X(state_rows) X(state_keys) X(state_misses) X(state_evictions) X(state_reads)   \
    X(memo_hits) X(memo_misses) X(memo_bytes) X(externals_asked) X(externals_hit)                  \
    X(unknown_facts) X(error_facts) X(topics) X(topic_members) X(topic_revocations)
struct gw_hub_stats {
#define X(name) uint64_t name;
    GW_HUB_STATS(X)
#undef X
};
void gw_hub_stats(const struct gw_hub *h, struct gw_hub_stats *out);
/* Whether changes flow: streaming, catalog loaded. why: what is missing. */
bool gw_hub_is_ready(const struct gw_hub *h, char why[160]);

#endif
