/* ws_internal: what ws.c, ws_out.c, ws_front.c and http.c share. */
#ifndef GW_WS_INTERNAL_H
#define GW_WS_INTERNAL_H

#include "ws.h"

#include "gw/list.h"

struct lws;
struct lws_context;
struct lws_vhost;
struct lws_http_mount;

/* Several queued frames go out as one write of at most this much (performance reference, §4.5). */
#define GW_WS_BATCH_BYTES 65536
/* A connection is pinged once per turn of this wheel, of one second per slot. */
#define GW_WS_WHEEL_SLOTS 25
/* How long a closing connection may take to send what is queued and hear the peer's Close. */
#define GW_WS_CLOSE_MS 5000

struct gw_front {
    struct gw_front_config cfg;
    struct lws_context *lws;
    struct lws_vhost *vhost;
    struct lws_http_mount *mount; /* owned; /demo/, or NULL */
    void *foreign_loops[1];
    struct gw_list wheel[GW_WS_WHEEL_SLOTS]; /* every open ws, by ping slot */
    unsigned slot;                           /* pinged last */
    struct gw_ms next_slot;                  /* when the next one is due */
    struct gw_list paused, closing;
    unsigned sockets;
    _Atomic unsigned connections;
    bool is_draining;
    bool has_kills;  /* lws_cancel_service is due */
    char admin_mark; /* its address is the opaque pointer of admin connections */
    unsigned char batch[GW_WS_BATCH_BYTES];
};

enum gw_ws_state {
    GW_WS_UPGRADING, /* accepted; the handshake is not yet answered */
    GW_WS_OPEN,
    GW_WS_CLOSING,  /* what is queued goes out, then a Close frame; nothing more is read */
    GW_WS_FAREWELL, /* our Close frame is out, the session is gone; the peer's Close is awaited */
    GW_WS_ENDED,    /* libwebsockets is ending it; nothing more is written */
};

/* One WebSocket connection; the opaque pointer of its wsi. */
struct gw_ws {
    struct gw_front *front;
    struct lws *wsi;
    struct gw_session *session; /* OPEN, CLOSING */
    struct gw_claims *claims;   /* UPGRADING: reference held */
    enum gw_vsn vsn;
    enum gw_ws_state state;
    bool is_armed;         /* a writable callback is asked for */
    bool is_binary;        /* the message in `in` */
    struct gw_buf in;      /* fragments of an incomplete message */
    struct gw_ms close_by; /* CLOSING, FAREWELL */
    struct gw_list in_wheel;
    struct gw_list in_queue; /* paused or closing */
};

/* ws.c */
struct gw_ws *gw_ws_new(struct gw_front *f, struct lws *wsi, struct gw_claims *claims,
                        enum gw_vsn vsn); /* takes claims */
void gw_ws_free(struct gw_ws *ws);
void gw_ws_set_state(struct gw_ws *ws, enum gw_ws_state to);
void gw_ws_on_established(struct gw_ws *ws);
void gw_ws_on_receive(struct gw_ws *ws, struct gw_span bytes);
/* 0: libwebsockets answers with a Close frame; -1: it only closes, ours was first. */
int gw_ws_on_peer_close(struct gw_ws *ws);
/* The connection is ending: frees the session; harmless when repeated. */
void gw_ws_detach(struct gw_ws *ws);
/* Our Close frame is written: frees the session. */
void gw_ws_say_farewell(struct gw_ws *ws);

/* ws_out.c */
int gw_ws_on_writable(struct gw_ws *ws); /* 0, or -1: libwebsockets is to close */
/* Have libwebsockets destroy it soon; the session is gone at once. */
void gw_ws_kill(struct gw_ws *ws);

/* What of a time the front needs. */
struct gw_now gw_front_now(void);

#endif
