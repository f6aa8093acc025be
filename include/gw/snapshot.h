/* snapshot: which transactions a read of the database contained.
 *
 * Reads are placed by visibility, not by position: a commit may stand in the log long before it is
 * visible (synchronous replication), and becomes visible in another order than it was written.
 * Source: pg_current_snapshot(), taken inside the read's own repeatable-read transaction. */
#ifndef GW_SNAPSHOT_H
#define GW_SNAPSHOT_H

#include "gw/bytes.h"
#include "gw/lsn.h"

struct gw_snapshot {
    uint64_t xmin, xmax; /* 64-bit xids; all below xmin are seen, none from xmax on */
    uint32_t n_xip;
    uint64_t *xip; /* in progress: not seen. Owned by whoever holds the struct */
    struct gw_lsn horizon; /* pg_current_wal_insert_lsn() read after the snapshot was taken: every commit
                            * seen ends at or before it in the log */
};

/* text: "xmin:xmax:xip,xip,…" as pg_current_snapshot() prints it. xip is malloc'd.
 * E_MALFORMED. */
GW_MUST_CHECK enum gw_code gw_snapshot_parse(struct gw_snapshot *s, struct gw_span text);
void gw_snapshot_fini(struct gw_snapshot *s);
/* Whether the commit of xid, 32 bits as the log carries it (within 2^31 of the snapshot), is seen. */
bool gw_snapshot_sees(const struct gw_snapshot *s, uint32_t xid);

#endif
