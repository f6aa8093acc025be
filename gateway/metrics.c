/* metrics: one table row per metric: name, kind, help, where the number is. */
#include "metrics.h"

struct snapshot {
    struct gw_hub_stats hub;
    struct gw_wal_stats wal;
    struct gw_db_stats db;
    struct gw_shard_stats shard;
    struct gw_listener_stats listener;
    uint64_t history_bytes, history_commits, wal_connected, wal_lag_bytes;
};

#define AT(member) offsetof(struct snapshot, member)

static const struct row {
    const char *name, *kind, *help;
    size_t at; /* of a uint64_t in the snapshot */
} rows[] = {
    {"rowcast_sessions", "gauge", "WebSocket connections.", AT(shard.sessions)},
    {"rowcast_channels", "gauge", "Joined channels.", AT(shard.channels)},
    {"rowcast_joins_total", "counter", "Joins answered with ok.", AT(shard.joins)},
    {"rowcast_messages_received_total", "counter", "Messages from clients.", AT(shard.messages_in)},
    {"rowcast_messages_malformed_total", "counter",
     "Messages dropped because they could not be read.", AT(shard.malformed)},
    {"rowcast_frames_sent_total", "counter", "Frames queued for clients.", AT(shard.frames_out)},
    {"rowcast_sent_bytes_total", "counter", "Bytes queued for clients.", AT(shard.bytes_out)},
    {"rowcast_changes_delivered_total", "counter", "Row changes queued for a channel.",
     AT(shard.changes_matched)},
    {"rowcast_resyncs_total", "counter", "Channels told to resync.", AT(shard.resyncs)},
    {"rowcast_slow_sessions_total", "counter", "Sessions whose outbox was full.",
     AT(shard.slow_sessions)},
    {"rowcast_expired_tokens_total", "counter", "Channels ended because their token expired.",
     AT(shard.expired_tokens)},
    {"rowcast_connections_accepted_total", "counter", "Sockets accepted.", AT(listener.accepted)},
    {"rowcast_connections_refused_full_total", "counter",
     "Sockets closed over the connection limit.", AT(listener.refused_full)},
    {"rowcast_connections_refused_descriptors_total", "counter",
     "Sockets closed for lack of descriptors.", AT(listener.refused_no_fds)},
    {"rowcast_transactions_total", "counter", "Transactions taken from the log.",
     AT(hub.transactions)},
    {"rowcast_changes_total", "counter", "Net row changes in published tables.", AT(hub.changes)},
    {"rowcast_evaluations_total", "counter", "Row images judged by Postgres, per caller.",
     AT(hub.evaluations)},
    {"rowcast_deletes_withheld_total", "counter",
     "DELETEs not sent because their readers could not be known.", AT(hub.deletes_withheld)},
    {"rowcast_old_values_withheld_total", "counter",
     "UPDATEs sent without old values because their readers could not be known.",
     AT(hub.old_withheld)},
    {"rowcast_changes_unjudged_total", "counter",
     "Changes denied because the log lacked a column that a policy reads.", AT(hub.unjudged)},
    {"rowcast_policy_errors_total", "counter", "Questions that failed: denied.",
     AT(hub.policy_errors)},
    {"rowcast_stale_rows_total", "counter", "Row images that fit no present table: denied.",
     AT(hub.stale_rows)},
    {"rowcast_resync_budget_total", "counter", "Tables resynced: question budget spent.",
     AT(hub.resync_budget)},
    {"rowcast_resync_truncate_total", "counter", "Tables resynced: TRUNCATE.",
     AT(hub.resync_truncate)},
    {"rowcast_resync_overflow_total", "counter", "Tables resynced: transaction over its cap.",
     AT(hub.resync_overflow)},
    {"rowcast_resync_overtaken_total", "counter",
     "Tables resynced: a later commit changed what the answer about callers rested on.",
     AT(hub.resync_overtaken)},
    {"rowcast_audiences_solved_total", "counter", "Audiences solved: change, role and image.",
     AT(hub.solved)},
    {"rowcast_oracle_samples_total", "counter", "Decisions that Postgres was asked again.",
     AT(hub.samples)},
    {"rowcast_oracle_mismatches_total", "counter",
     "Decisions that Postgres did not share: their tables are asked from then on.",
     AT(hub.mismatches)},
    {"rowcast_changes_state_unknown_total", "counter",
     "Changes denied because the access state was not known; their tables resync.",
     AT(hub.state_unknown)},
    {"rowcast_lookahead_transactions", "gauge", "Transactions read and not judged yet.",
     AT(hub.arrivals)},
    {"rowcast_lookahead_bytes", "gauge", "Their memory.", AT(hub.arrival_bytes)},
    {"rowcast_catching_up", "gauge", "1 while the log is further behind than can be looked ahead.",
     AT(hub.catching_up)},
    {"rowcast_access_state_bytes", "gauge", "Memory of the access state.", AT(hub.state_bytes)},
    {"rowcast_access_state_rows", "gauge", "Rows in the access state.", AT(hub.state_rows)},
    {"rowcast_access_state_keys", "gauge", "Keys of cached tables.", AT(hub.state_keys)},
    {"rowcast_access_state_misses_total", "counter", "Look-ups of a key that was not cached.",
     AT(hub.state_misses)},
    {"rowcast_access_state_evictions_total", "counter", "Cached keys dropped for room.",
     AT(hub.state_evictions)},
    {"rowcast_access_state_reads_total", "counter", "Reads of the database for the access state.",
     AT(hub.state_reads)},
    {"rowcast_memo_hits_total", "counter", "Sub-selects of policies answered from memory.",
     AT(hub.memo_hits)},
    {"rowcast_memo_misses_total", "counter", "Sub-selects of policies worked out.",
     AT(hub.memo_misses)},
    {"rowcast_memo_bytes", "gauge", "Memory of those answers.", AT(hub.memo_bytes)},
    {"rowcast_assisted_total", "counter", "Expressions that Postgres evaluated for a row.",
     AT(hub.externals_asked)},
    {"rowcast_assisted_remembered_total", "counter", "Such expressions answered from memory.",
     AT(hub.externals_hit)},
    {"rowcast_facts_unknown", "gauge", "Facts of callers that are not known: they see less.",
     AT(hub.unknown_facts)},
    {"rowcast_facts_raising", "gauge", "Facts of callers that raise, such as a malformed sub.",
     AT(hub.error_facts)},
    {"rowcast_topics", "gauge", "Private topics whose permissions are watched.", AT(hub.topics)},
    {"rowcast_topic_members", "gauge", "Channels on them.", AT(hub.topic_members)},
    {"rowcast_topic_revocations_total", "counter", "Channels that lost a permission.",
     AT(hub.topic_revocations)},
    {"rowcast_subscriptions", "gauge", "Channels with live bindings.", AT(hub.channels)},
    {"rowcast_callers", "gauge", "Distinct sets of claims that follow something.", AT(hub.callers)},
    {"rowcast_transactions_in_flight", "gauge", "Transactions being judged.", AT(hub.in_flight)},
    {"rowcast_catalog_generation", "gauge", "Loads of the catalog.", AT(hub.catalog_generation)},
    {"rowcast_reasks_total", "counter", "Transactions asked about again.", AT(hub.reasks)},
    {"rowcast_history_commits", "gauge", "Commits kept.", AT(history_commits)},
    {"rowcast_history_bytes", "gauge", "Bytes of commits kept.", AT(history_bytes)},
    {"rowcast_history_head", "gauge", "Number of the newest commit.", AT(hub.history_head)},
    {"rowcast_history_released", "gauge", "Number of the newest commit every worker is done with.",
     AT(hub.history_released)},
    {"rowcast_wal_connected", "gauge", "1 while streaming.", AT(wal_connected)},
    {"rowcast_wal_received_bytes_total", "counter", "Bytes of log received.", AT(wal.bytes)},
    {"rowcast_wal_reconnects_total", "counter", "Replication connections after the first.",
     AT(wal.reconnects)},
    {"rowcast_wal_lag_bytes", "gauge", "Server's end of log less what was reported flushed.",
     AT(wal_lag_bytes)},
    {"rowcast_questions_total", "counter", "Questions put to Postgres.", AT(db.questions)},
    {"rowcast_question_errors_total", "counter", "Questions that raised.", AT(db.errors)},
    {"rowcast_question_timeouts_total", "counter", "Questions that ran out of time.",
     AT(db.timeouts)},
    {"rowcast_snapshot_retries_total", "counter",
     "Questions repeated because the commit was not visible yet.", AT(db.invisible_retries)},
    {"rowcast_database_reconnects_total", "counter", "Connections for questions made again.",
     AT(db.reconnects)},
};

static void take_snapshot(const struct gw_metrics_sources *s, struct snapshot *now)
{
    memset(now, 0, sizeof *now);
    gw_hub_stats(s->hub, &now->hub);
    gw_wal_link_stats(s->wal, &now->wal);
    gw_db_link_stats(s->db, &now->db);
    for (unsigned i = 0; i < s->n_workers; i++)
        gw_worker_add_stats(s->workers[i], &now->shard);
    if (s->listener)
        gw_listener_stats(s->listener, &now->listener);
    now->history_bytes = gw_history_bytes(s->history);
    now->history_commits = gw_history_count(s->history);
    now->wal_connected = now->wal.connected;
    if (now->wal.server_end.v > now->wal.flushed.v && now->wal.flushed.v)
        now->wal_lag_bytes = now->wal.server_end.v - now->wal.flushed.v;
}

void gw_metrics_write(const struct gw_metrics_sources *s, struct gw_buf *out)
{
    struct snapshot now;
    take_snapshot(s, &now);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t value;
        memcpy(&value, (const char *)&now + rows[i].at, sizeof value);
        gw_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", rows[i].name, rows[i].help,
                      rows[i].name, rows[i].kind, rows[i].name, (unsigned long long)value);
    }
}
