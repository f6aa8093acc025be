/* Output of WebSocket connections: from outboxes to the socket, closes, pings.
 *
 * DESIGN. A session is written to from two places: at the turn's end when it is dirty, and in the
 * writable callback when it fell behind. Both call flush(), which writes until the outbox is empty
 * or libwebsockets had to keep a part. In the latter case, and for a close, which only a callback
 * may carry out, the writable callback is armed, once. */
#include "ws_internal.h"

#include <libwebsockets.h>

static const unsigned char ping_frame[2] = {0x89, 0x00}; /* RFC 6455 §5.5.2, no payload */

static void arm(struct gw_ws *ws)
{
    if (ws->is_armed)
        return;
    ws->is_armed = true;
    lws_callback_on_writable(ws->wsi);
}

void gw_ws_kill(struct gw_ws *ws)
{
    gw_ws_detach(ws);
    /* The timeout alone would wait for the loop's next lws event (performance reference, §6.4). */
    lws_set_timeout(ws->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    ws->front->has_kills = true;
}

static void carry_out_kills(struct gw_front *f)
{
    if (!f->has_kills)
        return;
    f->has_kills = false;
    lws_cancel_service(f->lws);
}

/* The next bytes to write: one frame as it is, or several copied together. *n: frames in it. */
static struct gw_span gather(struct gw_front *f, const struct gw_outbox *o, uint32_t *n)
{
    const struct gw_frame *first = gw_outbox_peek(o, 0);
    size_t bytes = first->n;
    *n = 1;
    while (*n < o->count && bytes + gw_outbox_peek(o, *n)->n <= GW_WS_BATCH_BYTES)
        bytes += gw_outbox_peek(o, (*n)++)->n;
    if (*n == 1)
        return (struct gw_span){(const char *)first->p, first->n};
    size_t at = 0;
    for (uint32_t i = 0; i < *n; i++) {
        const struct gw_frame *frame = gw_outbox_peek(o, i);
        memcpy(f->batch + at, frame->p, frame->n);
        at += frame->n;
    }
    return (struct gw_span){(const char *)f->batch, at};
}

/* RAW neither changes the buffer nor wants room before it. Only < 0 is an error: with a part still
 * buffered the result counts older bytes. */
static bool write_raw(struct gw_ws *ws, struct gw_span bytes)
{
    return lws_write(ws->wsi, (unsigned char *)bytes.p, bytes.n, LWS_WRITE_RAW) >= 0;
}

enum flushed { FLUSHED, WAITING, BROKEN };

static enum flushed flush(struct gw_ws *ws)
{
    struct gw_outbox *o = gw_session_outbox(ws->session);
    while (o->count > 0 && !lws_partial_buffered(ws->wsi)) {
        uint32_t n;
        if (!write_raw(ws, gather(ws->front, o, &n)))
            return BROKEN;
        gw_outbox_drop(o, n);
    }
    return o->count > 0 || lws_partial_buffered(ws->wsi) ? WAITING : FLUSHED;
}

static void begin_close(struct gw_ws *ws)
{
    struct gw_front *f = ws->front;
    if (ws->state != GW_WS_OPEN || gw_session_close_code(ws->session) == 0)
        return;
    gw_ws_set_state(ws, GW_WS_CLOSING);
    ws->close_by.v = gw_front_now().mono.v + GW_WS_CLOSE_MS;
    if (!gw_list_is_empty(&ws->in_queue)) { /* paused: the peer's Close must be read */
        gw_list_remove(&ws->in_queue);
        lws_rx_flow_control(ws->wsi, 1);
    }
    gw_list_push(&f->closing, &ws->in_queue);
}

/* RFC 6455 §5.5.1. false: the connection is broken. */
static bool finish_close(struct gw_ws *ws)
{
    unsigned code = gw_session_close_code(ws->session);
    unsigned char frame[4] = {0x88, 0x02, (unsigned char)(code >> 8), (unsigned char)code};
    if (!write_raw(ws, (struct gw_span){(const char *)frame, sizeof frame}))
        return false;
    gw_ws_say_farewell(ws);
    return true;
}

/* false: the connection is broken. */
static bool write_on(struct gw_ws *ws)
{
    enum flushed result = flush(ws);
    if (result == BROKEN)
        return false;
    if (result == WAITING)
        arm(ws);
    else if (ws->state == GW_WS_CLOSING)
        return finish_close(ws);
    else
        gw_session_drained(ws->session);
    return true;
}

static void write_dirty(struct gw_ws *ws)
{
    begin_close(ws);
    if (!ws->is_armed && !write_on(ws)) /* when armed, the writable callback sees to it */
        gw_ws_kill(ws);
}

void gw_front_flush(struct gw_front *f)
{
    struct gw_session *ss;
    while ((ss = gw_shard_next_dirty(f->cfg.shard)))
        write_dirty(gw_session_socket(ss));
    carry_out_kills(f);
}

int gw_ws_on_writable(struct gw_ws *ws)
{
    ws->is_armed = false;
    if (ws->state != GW_WS_OPEN && ws->state != GW_WS_CLOSING)
        return 0;
    if (!write_on(ws))
        return -1;
    ws->front->cfg.on_input(ws->front->cfg.ctx); /* it may have become dirty */
    return 0;
}

/* A connection with something on its way needs no ping: what it does not acknowledge fills its
 * outbox. */
static void ping(struct gw_ws *ws)
{
    struct gw_span frame = {(const char *)ping_frame, sizeof ping_frame};
    if (ws->state != GW_WS_OPEN || ws->is_armed || lws_partial_buffered(ws->wsi))
        return;
    if (gw_session_outbox(ws->session)->count == 0 && !write_raw(ws, frame))
        gw_ws_kill(ws);
}

void gw_front_tick(struct gw_front *f, struct gw_ms now)
{
    GW_LIST_EACH_SAFE(it, tmp, &f->closing)
    {
        struct gw_ws *ws = GW_CONTAINER_OF(it, struct gw_ws, in_queue);
        if (now.v >= ws->close_by.v)
            gw_ws_kill(ws);
    }
    if (now.v >= f->next_slot.v) {
        f->next_slot.v = now.v + 1000;
        f->slot = (f->slot + 1) % GW_WS_WHEEL_SLOTS;
        GW_LIST_EACH_SAFE(it, tmp, &f->wheel[f->slot])
        {
            ping(GW_CONTAINER_OF(it, struct gw_ws, in_wheel));
        }
    }
    carry_out_kills(f);
}

void gw_front_drain(struct gw_front *f, unsigned code)
{
    f->is_draining = true;
    for (unsigned i = 0; i < GW_WS_WHEEL_SLOTS; i++) {
        GW_LIST_EACH(it, &f->wheel[i])
        {
            struct gw_ws *ws = GW_CONTAINER_OF(it, struct gw_ws, in_wheel);
            gw_session_close(ws->session, code);
        }
    }
}
