/* wal_link: the replication connection. COPY BOTH over libpq on a loop thread of its own ("wal"):
 * socket bytes → envelope → pgoutput → transactions, which move to the hub's mailbox.
 *
 * It creates the slot if missing, answers keepalives, reports progress, reconnects with back-off
 * (250 ms … 5 s, jittered), and skips what it had handed over before a reconnect. When the hub's
 * mailbox is full it stops reading, but keeps sending status. After a Relation message it pauses
 * until the hub sends a catalog that is newer, so that no row is judged by an older catalog. What
 * libpq types there are stay in the .c file. */
#ifndef GW_WAL_LINK_H
#define GW_WAL_LINK_H

#include "gw/catalog.h"
#include "gw/mailbox.h"
#include "gw/txn.h"

struct gw_wal_link;

struct gw_wal_config {
    const char *conninfo;     /* ROWCAST_REPLICATION_URL; borrowed for the link's life */
    const char *slot;         /* ROWCAST_SLOT */
    const char *publications; /* comma-separated names: subscribable one first, then access ones */
    size_t max_txn_bytes;
};

/* wal → hub */
enum gw_wal_event_kind {
    GW_WAL_CONNECTED,    /* streaming from lsn */
    GW_WAL_DISCONNECTED, /* err says why and what would help; the link is backing off */
    GW_WAL_TXN,          /* txn moves */
    GW_WAL_RELATION,     /* paused: send a catalog loaded after this */
    GW_WAL_PROGRESS,     /* nothing before lsn is outstanding in the log (keepalive) */
};
struct gw_wal_event {
    enum gw_wal_event_kind kind;
    struct gw_txn *txn; /* TXN: owned */
    struct gw_lsn lsn;
    uint64_t relation_no; /* RELATION: echo in the answer */
    uint32_t xid;         /* RELATION: of the transaction that it came with */
    bool is_gap; /* CONNECTED: changes since the stream before may be missing (the slot was made
                    anew, or this is another server or timeline): everybody has to resync */
    struct gw_err err; /* DISCONNECTED */
};
void gw_wal_event_free(struct gw_wal_event *e); /* with its txn; accepts NULL */

/* hub → wal */
enum gw_wal_command_kind {
    GW_WAL_CATALOG, /* types to use from now on; ends the pause for relation_no and earlier */
    GW_WAL_NUDGE,   /* have the server say at once how far it has read (a keepalive) */
    GW_WAL_CYCLE,   /* drop the connection and come back after back-off (server is shutting down) */
};
struct gw_wal_command {
    enum gw_wal_command_kind kind;
    const struct gw_catalog *catalog; /* reference moves */
    uint64_t relation_no;
};
void gw_wal_command_free(struct gw_wal_command *c);

/* to_hub: events out (this link is its only producer); from_hub: commands in (only consumer). The
 * from_hub mailbox must wake gw_wal_link_loop(link). Returns owned, not started. */
struct gw_wal_link *gw_wal_link_new(const struct gw_wal_config *cfg);
void *gw_wal_link_loop(struct gw_wal_link *l); /* struct gw_loop *, for gw_loop_wake */
GW_MUST_CHECK enum gw_code gw_wal_link_start(struct gw_wal_link *l, struct gw_mailbox *to_hub,
                                             struct gw_mailbox *from_hub, struct gw_err *err);
/* Any thread: everything up to lsn is done with and may be reported as flushed. Monotonic. */
void gw_wal_link_set_flushed(struct gw_wal_link *l, struct gw_lsn lsn);
/* Any thread, for metrics: server's end of WAL as last heard, bytes received, reconnects. */
struct gw_wal_stats {
    struct gw_lsn received, server_end, flushed;
    uint64_t bytes, transactions, reconnects;
    bool connected;
};
void gw_wal_link_stats(const struct gw_wal_link *l, struct gw_wal_stats *out);
/* Stop the thread, send a last status, close, join. */
void gw_wal_link_stop(struct gw_wal_link *l);
void gw_wal_link_free(struct gw_wal_link *l);

#endif
