/* http: plain HTTP of a worker, and the decision about WebSocket upgrades.
 *
 * Small answers from memory only; files under /demo/ are served by libwebsockets itself (a mount,
 * gateway/ws_front.c). No request body is ever kept. Called by ws_front.c from callbacks of
 * libwebsockets, on the worker's thread; results are what those callbacks return. */
#ifndef GW_HTTP_H
#define GW_HTTP_H

#include "ws_internal.h"

/* A request without upgrade, its headers complete. 0: go on (keep alive), -1: close. */
int gw_http_on_request(struct gw_front *f, struct lws *wsi, bool is_admin);
/* Answer 404 and close: a path that this port does not have. Always -1. */
int gw_http_refuse_path(struct lws *wsi);
/* The body of a request is read to its end. */
int gw_http_on_body_end(struct lws *wsi);
/* wanted: the Upgrade header. 0: accept (a gw_ws is attached to wsi), 1: answered, -1: close. */
int gw_http_on_upgrade(struct gw_front *f, struct lws *wsi, bool is_admin, const char *wanted);

#endif
