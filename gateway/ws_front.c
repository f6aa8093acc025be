/* The libwebsockets context of one worker: its options, its one callback, its end.
 *
 * DESIGN. One vhost serves both ports. libwebsockets picks a vhost by the client's Host header, so
 * a second one for the admin port would be reachable from the public one; instead the opaque
 * pointer of an admin connection is a mark, set when it is adopted. */
#include "ws_internal.h"

#include "http.h"

#include <assert.h>
#include <libwebsockets.h>
#include <stdlib.h>
#include <unistd.h>

#define RX_BUFFER_BYTES 512 /* per connection, allocated while it lives */
#define SERVICE_BUFFER_BYTES 65536
#define TX_PACKET_BYTES (4u << 20) /* larger single writes would be cut and copied (§4.5) */
#define HEADERS_MAX_BYTES 16384

/* A mark of ping 1, hangup 0 switches the validity timers off; 0 0 would mean the default. */
static const lws_retry_bo_t no_validity_timers = {.secs_since_valid_ping = 1,
                                                  .secs_since_valid_hangup = 0};

static const struct lws_protocol_vhost_options nosniff = {.name = "x-content-type-options:",
                                                          .value = "nosniff"};

/* The connection's WebSocket, or NULL: plain HTTP. */
static struct gw_ws *ws_of(const struct gw_front *f, const struct lws *wsi)
{
    void *opaque = lws_get_opaque_user_data(wsi);
    return opaque == &f->admin_mark ? NULL : opaque;
}

static bool is_mounted(const char *path)
{
    return path && strncmp(path, "/demo", 5) == 0;
}

static bool is_admin(const struct gw_front *f, const struct lws *wsi)
{
    return lws_get_opaque_user_data(wsi) == &f->admin_mark;
}

static void free_ws(const struct gw_front *f, struct lws *wsi)
{
    struct gw_ws *ws = ws_of(f, wsi);
    if (!ws)
        return;
    lws_set_opaque_user_data(wsi, NULL);
    gw_ws_free(ws);
}

static int on_ws_event(struct gw_ws *ws, enum lws_callback_reasons reason, struct gw_span bytes)
{
    if (!ws)
        return reason == LWS_CALLBACK_ESTABLISHED ? -1 : 0;
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        gw_ws_on_established(ws);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        gw_ws_on_receive(ws, bytes);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return gw_ws_on_writable(ws);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return gw_ws_on_peer_close(ws);
    default: /* the protocol is dropped, closed: whichever comes first */
        gw_ws_detach(ws);
        return 0;
    }
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    struct gw_front *f = wsi ? lws_context_user(lws_get_context(wsi)) : NULL;
    switch (reason) {
    case LWS_CALLBACK_WSI_CREATE:
        atomic_fetch_add_explicit(&f->connections, 1, memory_order_relaxed);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        free_ws(f, wsi);
        atomic_fetch_sub_explicit(&f->connections, 1, memory_order_relaxed);
        return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        free_ws(f, wsi); /* of an earlier attempt on this connection */
        return gw_http_on_upgrade(f, wsi, is_admin(f, wsi), in);
    case LWS_CALLBACK_FILTER_HTTP_CONNECTION:
        /* Before a mount serves it to the admin port, where there are no pages. */
        return f->mount && is_admin(f, wsi) && is_mounted(in) ? gw_http_refuse_path(wsi) : 0;
    case LWS_CALLBACK_HTTP:
        return gw_http_on_request(f, wsi, is_admin(f, wsi));
    case LWS_CALLBACK_HTTP_BODY:
        return 0;
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return gw_http_on_body_end(wsi);
    case LWS_CALLBACK_ESTABLISHED:
    case LWS_CALLBACK_RECEIVE:
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
    case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL:
    case LWS_CALLBACK_CLOSED:
        return on_ws_event(ws_of(f, wsi), reason, (struct gw_span){in, len});
    default:
        return lws_callback_http_dummy(wsi, reason, user, in, len);
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "rowcast",
     .callback = on_event,
     .per_session_data_size = sizeof(void *), /* unused; without, DROP_PROTOCOL is not told */
     .rx_buffer_size = RX_BUFFER_BYTES,
     .tx_packet_size = TX_PACKET_BYTES},
    {0},
};

static void on_lws_log(int level, const char *line)
{
    char quoted[512];
    size_t n = strlen(line);
    if (n > 0 && line[n - 1] == '\n')
        n--;
    gw_log(level & LLL_ERR ? GW_LOG_ERROR : GW_LOG_WARN, "libwebsockets", "text=%s",
           gw_log_quote(quoted, sizeof quoted, (struct gw_span){line, n}));
}

static void fill_info(struct gw_front *f, struct lws_context_creation_info *info)
{
    f->foreign_loops[0] = f->cfg.uv;
    info->port = CONTEXT_PORT_NO_LISTEN_SERVER; /* the listener hands sockets over */
    info->options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                    LWS_SERVER_OPTION_VALIDATE_UTF8;
    info->foreign_loops = f->foreign_loops;
    info->protocols = protocols;
    info->user = f;
    info->gid = (gid_t)-1;
    info->uid = (uid_t)-1;
    info->vhost_name = "rowcast";
    info->server_string = "rowcast";
    info->headers = &nosniff;
    info->alpn = "http/1.1";
    info->retry_and_idle_policy = &no_validity_timers;
    info->pt_serv_buf_size = SERVICE_BUFFER_BYTES;
    info->max_http_header_data = HEADERS_MAX_BYTES; /* tokens travel in the query */
    info->timeout_secs = 5;
    info->keepalive_timeout = 5;
    info->timeout_secs_ah_idle = 10;
}

/* Kept by the vhost, not copied. */
static struct lws_http_mount *mount_new(const char *folder)
{
    static const char at[] = "/demo";
    struct lws_http_mount *mount = gw_alloc(sizeof *mount);
    mount->mountpoint = at;
    mount->mountpoint_len = sizeof at - 1;
    mount->origin = folder;
    mount->def = "index.html";
    mount->origin_protocol = LWSMPRO_FILE;
    return mount;
}

enum gw_code gw_front_new(const struct gw_front_config *cfg, struct gw_front **out,
                          struct gw_err *err)
{
    struct lws_context_creation_info info = {0};
    struct gw_front *f = gw_alloc(sizeof *f);
    f->cfg = *cfg;
    for (unsigned i = 0; i < GW_WS_WHEEL_SLOTS; i++)
        gw_list_init(&f->wheel[i]);
    gw_list_init(&f->paused);
    gw_list_init(&f->closing);
    lws_set_log_level(LLL_ERR | LLL_WARN, on_lws_log);
    fill_info(f, &info);
    f->lws = lws_create_context(&info);
    if (f->lws) {
        if (cfg->settings->www)
            info.mounts = f->mount = mount_new(cfg->settings->www);
        f->vhost = lws_create_vhost(f->lws, &info);
    }
    *out = f;
    if (f->vhost)
        return GW_OK;
    (void)gw_err_set(err, GW_E_IO, "libwebsockets could not start");
    gw_err_hint(err, "is its libuv plugin installed (libwebsockets-evlib-uv)?");
    return GW_E_IO;
}

void gw_front_adopt(struct gw_front *f, int fd, bool as_admin)
{
    struct lws *wsi = lws_adopt_socket_vhost(f->vhost, fd); /* closes fd itself if it fails */
    if (wsi && as_admin)
        lws_set_opaque_user_data(wsi, &f->admin_mark);
}

unsigned gw_front_sockets(const struct gw_front *f)
{
    return f->sockets;
}

unsigned gw_front_connections(const struct gw_front *f)
{
    return atomic_load_explicit(&f->connections, memory_order_relaxed);
}

void gw_front_close(struct gw_front *f)
{
    if (f->lws)
        lws_context_destroy(f->lws);
}

void gw_front_free(struct gw_front *f)
{
    if (!f)
        return;
    /* A second time: the first closes libuv handles, which takes turns of the loop; this frees. */
    if (f->lws)
        lws_context_destroy(f->lws);
    assert(f->sockets == 0);
    free(f->mount);
    free(f);
}
