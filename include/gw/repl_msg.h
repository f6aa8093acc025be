/* repl_msg: the envelope around replication data inside COPY BOTH.
 * Source: PostgreSQL docs, "Streaming Replication Protocol". No I/O. */
#ifndef GW_REPL_MSG_H
#define GW_REPL_MSG_H

#include "gw/lsn.h"
#include "gw/time.h"

enum gw_repl_kind { GW_REPL_XLOG_DATA, GW_REPL_KEEPALIVE };

struct gw_repl_msg {
    enum gw_repl_kind kind;
    struct gw_lsn start;    /* XLOG_DATA only */
    struct gw_lsn end;      /* server's current end of WAL */
    struct gw_us sent;      /* server clock, converted to Unix */
    bool reply_requested;   /* KEEPALIVE only */
    struct gw_span payload; /* XLOG_DATA only; borrowed from the input */
};

/* E_TRUNCATED, E_UNSUPPORTED (unknown kind). */
GW_MUST_CHECK enum gw_code gw_repl_msg_parse(struct gw_span copy_data, struct gw_repl_msg *out);

/* Postgres' clock as the protocol carries it (microseconds since 2000) → Unix; saturates. */
struct gw_us gw_repl_time(uint64_t pg_us);

#define GW_REPL_STATUS_BYTES 34
/* Standby status update ('r'): written (received), flushed, applied; now in Unix microseconds. */
void gw_repl_status_write(char out[GW_REPL_STATUS_BYTES], struct gw_lsn written,
                          struct gw_lsn flushed, struct gw_lsn applied, struct gw_us now,
                          bool request_reply);

#endif
