/* Life and input of a WebSocket connection. */
#include "ws_internal.h"

#include "loop.h"

#include <assert.h>
#include <libwebsockets.h>
#include <stdlib.h>

static const bool moves[5][5] = {
    [GW_WS_UPGRADING] = {[GW_WS_OPEN] = true, [GW_WS_ENDED] = true},
    [GW_WS_OPEN] = {[GW_WS_CLOSING] = true, [GW_WS_ENDED] = true},
    [GW_WS_CLOSING] = {[GW_WS_FAREWELL] = true, [GW_WS_ENDED] = true},
    [GW_WS_FAREWELL] = {[GW_WS_ENDED] = true},
};

void gw_ws_set_state(struct gw_ws *ws, enum gw_ws_state to)
{
    assert(moves[ws->state][to]);
    ws->state = to;
}

struct gw_now gw_front_now(void)
{
    return (struct gw_now){{gw_clock_mono_ms()}, {gw_clock_wall_us()}};
}

struct gw_ws *gw_ws_new(struct gw_front *f, struct lws *wsi, struct gw_claims *claims,
                        enum gw_vsn vsn)
{
    struct gw_ws *ws = gw_alloc(sizeof *ws);
    ws->front = f;
    ws->wsi = wsi;
    ws->claims = claims;
    ws->vsn = vsn;
    gw_buf_init(&ws->in, f->cfg.settings->max_message_bytes);
    gw_list_init(&ws->in_wheel);
    gw_list_init(&ws->in_queue);
    f->sockets++;
    return ws;
}

static void drop_session(struct gw_ws *ws)
{
    if (ws->session)
        gw_session_gone(ws->session);
    ws->session = NULL;
    gw_claims_unref(ws->claims);
    ws->claims = NULL;
    gw_buf_fini(&ws->in);
    gw_list_remove(&ws->in_wheel);
}

void gw_ws_say_farewell(struct gw_ws *ws)
{
    gw_ws_set_state(ws, GW_WS_FAREWELL);
    drop_session(ws);
}

void gw_ws_detach(struct gw_ws *ws)
{
    if (ws->state == GW_WS_ENDED)
        return;
    gw_ws_set_state(ws, GW_WS_ENDED);
    drop_session(ws);
    gw_list_remove(&ws->in_queue);
}

int gw_ws_on_peer_close(struct gw_ws *ws)
{
    bool is_answer = ws->state == GW_WS_FAREWELL;
    gw_ws_detach(ws);
    return is_answer ? -1 : 0;
}

void gw_ws_free(struct gw_ws *ws)
{
    gw_ws_detach(ws);
    ws->front->sockets--;
    free(ws);
}

void gw_ws_on_established(struct gw_ws *ws)
{
    struct gw_front *f = ws->front;
    if (ws->state != GW_WS_UPGRADING)
        return;
    gw_ws_set_state(ws, GW_WS_OPEN);
    ws->session = gw_session_open(f->cfg.shard, ws, ws->vsn, ws->claims, gw_front_now());
    gw_claims_unref(ws->claims);
    ws->claims = NULL;
    gw_list_push(&f->wheel[f->slot], &ws->in_wheel); /* pinged last, so due in a whole turn */
    if (f->is_draining)
        gw_session_close(ws->session, (unsigned)gw_code_close(GW_E_SHUTDOWN));
    f->cfg.on_input(f->cfg.ctx);
}

static void pause_if_congested(struct gw_ws *ws)
{
    struct gw_front *f = ws->front;
    if (!gw_shard_is_congested(f->cfg.shard) || !gw_list_is_empty(&ws->in_queue))
        return;
    lws_rx_flow_control(ws->wsi, 0);
    gw_list_push(&f->paused, &ws->in_queue);
}

void gw_front_resume(struct gw_front *f)
{
    struct gw_list *node;
    while ((node = gw_list_pop(&f->paused)))
        lws_rx_flow_control(GW_CONTAINER_OF(node, struct gw_ws, in_queue)->wsi, 1);
}

static void deliver(struct gw_ws *ws, struct gw_span message)
{
    struct gw_front *f = ws->front;
    gw_session_on_message(ws->session, message, ws->is_binary, gw_front_now());
    pause_if_congested(ws);
    f->cfg.on_input(f->cfg.ctx);
}

static bool is_reading(const struct gw_ws *ws)
{
    return ws->state == GW_WS_OPEN && gw_session_close_code(ws->session) == 0;
}

/* Input comes in pieces of at most rx_buffer_size. What is known of the rest of this frame counts
 * already, so a message that will be too big is refused at its first piece. */
void gw_ws_on_receive(struct gw_ws *ws, struct gw_span bytes)
{
    if (!is_reading(ws))
        return;
    struct gw_front *f = ws->front;
    bool is_first = lws_is_first_fragment(ws->wsi), is_last = lws_is_final_fragment(ws->wsi);
    size_t remaining = lws_remaining_packet_payload(ws->wsi);
    size_t max = f->cfg.settings->max_message_bytes;
    if (is_first) {
        gw_buf_reset(&ws->in);
        ws->is_binary = lws_frame_is_binary(ws->wsi);
    }
    if (remaining > max || ws->in.n + bytes.n > max - remaining) {
        gw_session_close(ws->session, (unsigned)gw_code_close(GW_E_TOO_BIG));
        f->cfg.on_input(f->cfg.ctx);
        return;
    }
    if (is_first && is_last) {
        deliver(ws, bytes);
        return;
    }
    gw_buf_add_span(&ws->in, bytes);
    if (!is_last)
        return;
    deliver(ws, gw_buf_span(&ws->in));
    gw_buf_fini(&ws->in); /* an idle connection holds no memory for input */
    gw_buf_init(&ws->in, max);
}
