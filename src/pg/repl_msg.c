#include "gw/repl_msg.h"

struct gw_us gw_repl_time(uint64_t pg_us)
{
    int64_t us = (int64_t)pg_us;
    if (us > INT64_MAX - GW_PG_EPOCH_US)
        return (struct gw_us){INT64_MAX};
    return (struct gw_us){us + GW_PG_EPOCH_US};
}

enum gw_code gw_repl_msg_parse(struct gw_span copy_data, struct gw_repl_msg *out)
{
    struct gw_cursor c = gw_cursor_of(copy_data);
    *out = (struct gw_repl_msg){0};
    if (gw_cursor_left(&c) == 0)
        return GW_E_TRUNCATED;
    switch (gw_cursor_u8(&c)) {
    case 'w':
        out->kind = GW_REPL_XLOG_DATA;
        out->start.v = gw_cursor_u64(&c);
        out->end.v = gw_cursor_u64(&c);
        out->sent = gw_repl_time(gw_cursor_u64(&c));
        out->payload = gw_cursor_bytes(&c, gw_cursor_left(&c));
        break;
    case 'k':
        out->kind = GW_REPL_KEEPALIVE;
        out->end.v = gw_cursor_u64(&c);
        out->sent = gw_repl_time(gw_cursor_u64(&c));
        out->reply_requested = gw_cursor_u8(&c) != 0;
        break;
    default:
        return GW_E_UNSUPPORTED;
    }
    return c.failed ? GW_E_TRUNCATED : GW_OK;
}

static char *put_u64(char *at, uint64_t v)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = (char)(unsigned char)(v >> shift);
    return at;
}

void gw_repl_status_write(char out[GW_REPL_STATUS_BYTES], struct gw_lsn written,
                          struct gw_lsn flushed, struct gw_lsn applied, struct gw_us now,
                          bool request_reply)
{
    char *at = out;
    *at++ = 'r';
    at = put_u64(at, written.v);
    at = put_u64(at, flushed.v);
    at = put_u64(at, applied.v);
    at = put_u64(at, (uint64_t)now.v - (uint64_t)GW_PG_EPOCH_US);
    *at = request_reply ? 1 : 0;
}
