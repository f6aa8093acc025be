#include "http.h"

#include "gw/json.h"

#include <libwebsockets.h>
#include <stdlib.h>

#define BODY_MAX_BYTES 65536 /* read and thrown away, so that the connection can stay open */
#define HEADER_MAX_BYTES 1024

static const char type_json[] = "application/json; charset=utf-8";
static const char type_text[] = "text/plain; charset=utf-8";

struct answer {
    unsigned status;
    const char *type;
    struct gw_span body;
    const char *name, *value; /* one more header, "name:", or NULL */
    bool is_head;             /* the request was HEAD: no body */
};

static int add_header(struct lws *wsi, const char *name, const char *value, unsigned char **p,
                      unsigned char *end)
{
    return lws_add_http_header_by_name(wsi, (const unsigned char *)name,
                                       (const unsigned char *)value, (int)strlen(value), p, end);
}

/* Writes headers and body; does not complete the transaction. */
static int write_answer(struct lws *wsi, const struct answer *a)
{
    unsigned char head[LWS_PRE + HEADER_MAX_BYTES], *start = head + LWS_PRE, *p = start;
    unsigned char *end = head + sizeof head - 1;
    if (lws_add_http_common_headers(wsi, a->status, a->type, a->body.n, &p, end) ||
        add_header(wsi, "access-control-allow-origin:", "*", &p, end) ||
        add_header(wsi, "cache-control:", "no-store", &p, end) ||
        (a->name && add_header(wsi, a->name, a->value, &p, end)) ||
        lws_finalize_write_http_header(wsi, start, &p, end))
        return -1;
    if (a->is_head || a->body.n == 0)
        return 0;
    unsigned char *body = gw_alloc(LWS_PRE + a->body.n);
    memcpy(body + LWS_PRE, a->body.p, a->body.n);
    int n = lws_write(wsi, body + LWS_PRE, a->body.n, LWS_WRITE_HTTP_FINAL);
    free(body);
    return n < 0 ? -1 : 0;
}

static int answer(struct lws *wsi, const struct answer *a)
{
    return write_answer(wsi, a) != 0 || lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* {"error":"text"} in buf, which must outlive the answer. */
static struct answer error_answer(struct gw_buf *buf, unsigned status, const char *text)
{
    gw_buf_add_str(buf, "{\"error\":");
    gw_json_add_string(buf, gw_span_of(text));
    gw_buf_add_byte(buf, '}');
    return (struct answer){.status = status, .type = type_json, .body = gw_buf_span(buf)};
}

static int answer_error(struct lws *wsi, unsigned status, const char *text, bool is_head)
{
    struct gw_buf buf;
    gw_buf_init(&buf, 0);
    struct answer a = error_answer(&buf, status, text);
    a.is_head = is_head;
    if (status == 405) {
        a.name = "allow:";
        a.value = "GET, HEAD, OPTIONS";
    }
    int rc = answer(wsi, &a);
    gw_buf_fini(&buf);
    return rc;
}

/* ---- paths ---- */

static bool is_websocket_path(struct gw_span path)
{
    return gw_span_is(path, "/realtime/v1/websocket") || gw_span_is(path, "/socket/websocket");
}

static int answer_ready(struct gw_front *f, struct lws *wsi, bool is_head)
{
    char why[160] = "";
    struct gw_buf body;
    bool is_ready = !f->is_draining && f->cfg.is_ready(f->cfg.http_ctx, why);
    gw_buf_init(&body, 0);
    if (is_ready)
        gw_buf_add_str(&body, "ready\n");
    else
        gw_buf_printf(&body, "not ready: %s\n", f->is_draining ? "shutting down" : why);
    int rc = answer(wsi, &(struct answer){.status = is_ready ? 200 : 503,
                                          .type = type_text,
                                          .body = gw_buf_span(&body),
                                          .is_head = is_head});
    gw_buf_fini(&body);
    return rc;
}

static int answer_metrics(struct gw_front *f, struct lws *wsi, bool is_head)
{
    struct gw_buf body;
    gw_buf_init(&body, 0);
    f->cfg.metrics(f->cfg.http_ctx, &body);
    int rc = answer(wsi, &(struct answer){.status = 200,
                                          .type = "text/plain; version=0.0.4; charset=utf-8",
                                          .body = gw_buf_span(&body),
                                          .is_head = is_head});
    gw_buf_fini(&body);
    return rc;
}

static int answer_get(struct gw_front *f, struct lws *wsi, bool is_admin, struct gw_span path,
                      bool is_head)
{
    if (gw_span_is(path, "/healthz"))
        return answer(wsi, &(struct answer){.status = 200,
                                            .type = type_text,
                                            .body = GW_SPAN_LIT("ok\n"),
                                            .is_head = is_head});
    if (gw_span_is(path, "/readyz"))
        return answer_ready(f, wsi, is_head);
    if (is_admin && gw_span_is(path, "/metrics"))
        return answer_metrics(f, wsi, is_head);
    if (!is_admin && is_websocket_path(path)) {
        struct gw_buf buf;
        gw_buf_init(&buf, 0);
        struct answer a = error_answer(&buf, 426, "this path speaks WebSocket");
        a.name = "upgrade:";
        a.value = "websocket";
        a.is_head = is_head;
        int rc = answer(wsi, &a);
        gw_buf_fini(&buf);
        return rc;
    }
    return answer_error(wsi, 404, "not found", is_head);
}

static int answer_options(struct lws *wsi)
{
    unsigned char head[LWS_PRE + HEADER_MAX_BYTES], *start = head + LWS_PRE, *p = start;
    unsigned char *end = head + sizeof head - 1;
    if (lws_add_http_header_status(wsi, 204, &p, end) ||
        add_header(wsi, "access-control-allow-origin:", "*", &p, end) ||
        add_header(wsi, "access-control-allow-methods:", "GET, HEAD, OPTIONS", &p, end) ||
        add_header(wsi, "access-control-allow-headers:",
                   "authorization, x-client-info, apikey, content-type", &p, end) ||
        add_header(wsi, "access-control-max-age:", "86400", &p, end) ||
        lws_add_http_header_content_length(wsi, 0, &p, end) ||
        lws_finalize_write_http_header(wsi, start, &p, end))
        return -1;
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* Refuse a request that brings a body: read the body first where it is short and its end is known,
 * so that the answer arrives; else answer and close. */
static int refuse_body(struct lws *wsi)
{
    char length[24];
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0) {
        (void)answer_error(wsi, 411, "a body needs a Content-Length", false);
        return -1;
    }
    int n = lws_hdr_copy(wsi, length, sizeof length, WSI_TOKEN_HTTP_CONTENT_LENGTH);
    long long bytes = n > 0 ? strtoll(length, NULL, 10) : 0;
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0 && n <= 0)
        bytes = BODY_MAX_BYTES + 1; /* too long to be a length we would take */
    if (bytes < 0 || bytes > BODY_MAX_BYTES) {
        (void)answer_error(wsi, 413, "the body is too large", false);
        return -1;
    }
    return 0; /* gw_http_on_body_end answers, also after a body of no bytes */
}

int gw_http_on_body_end(struct lws *wsi)
{
    return answer_error(wsi, 405, "method not allowed", false);
}

int gw_http_refuse_path(struct lws *wsi)
{
    (void)answer_error(wsi, 404, "not found", false);
    return -1;
}

int gw_http_on_request(struct gw_front *f, struct lws *wsi, bool is_admin)
{
    char *uri = NULL;
    int n = 0, method = lws_http_get_uri_and_method(wsi, &uri, &n);
    if (method < 0 || !uri || n < 0)
        return -1;
    struct gw_span path = {uri, (size_t)n};
    switch (method) {
    case LWSHUMETH_GET:
    case LWSHUMETH_HEAD:
        return answer_get(f, wsi, is_admin, path, method == LWSHUMETH_HEAD);
    case LWSHUMETH_OPTIONS:
        return answer_options(wsi);
    case LWSHUMETH_POST:
        return refuse_body(wsi);
    default: /* libwebsockets collects no body for these */
        (void)answer_error(wsi, 405, "method not allowed", false);
        return -1;
    }
}

/* ---- upgrades ---- */

/* The value of a query parameter, owned and NUL-terminated; NULL if absent. name ends in '='. */
static char *query_value(struct lws *wsi, const char *name)
{
    int total = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_URI_ARGS);
    if (total <= 0)
        return NULL;
    char *buf = gw_alloc((size_t)total + 16);
    const char *value = lws_get_urlarg_by_name(wsi, name, buf, total + 15);
    char *out = value ? gw_strdup_span(gw_span_of(value)) : NULL;
    free(buf);
    return out;
}

/* The API key: header x-api-key, else parameter apikey. Owned; NULL: none, or an empty one. */
static char *api_key(struct lws *wsi)
{
    static const char header[] = "x-api-key:";
    const int header_n = sizeof header - 1;
    int n = lws_hdr_custom_length(wsi, header, header_n);
    char *key = NULL;
    if (n > 0) {
        key = gw_alloc((size_t)n + 1);
        if (lws_hdr_custom_copy(wsi, key, n + 1, header, header_n) < 0)
            *key = '\0';
    } else {
        key = query_value(wsi, "apikey=");
    }
    if (key && !*key) {
        free(key);
        key = NULL;
    }
    return key;
}

static const char *reason_of(unsigned status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 404:
        return "Not Found";
    case 426:
        return "Upgrade Required";
    default:
        return "Service Unavailable";
    }
}

/* Written whole, because libwebsockets does not know the request's version yet and would answer
 * as HTTP/1.0. It closes the connection afterwards for the same reason. */
static int refuse_upgrade(struct lws *wsi, unsigned status, const char *text)
{
    static const char pad[LWS_PRE];
    struct gw_buf body, out;
    gw_buf_init(&body, 0);
    gw_buf_init(&out, 0);
    (void)error_answer(&body, status, text);
    gw_buf_add(&out, pad, sizeof pad);
    gw_buf_printf(&out,
                  "HTTP/1.1 %u %s\r\ncontent-type: %s\r\ncontent-length: %zu\r\n"
                  "access-control-allow-origin: *\r\ncache-control: no-store\r\n"
                  "connection: close\r\n%s\r\n",
                  status, reason_of(status), type_json, body.n,
                  status == 426 ? "sec-websocket-version: 13\r\n" : "");
    gw_buf_add_span(&out, gw_buf_span(&body));
    int n = lws_write(wsi, (unsigned char *)out.p + LWS_PRE, out.n - LWS_PRE, LWS_WRITE_HTTP_FINAL);
    gw_buf_fini(&body);
    gw_buf_fini(&out);
    return n < 0 ? -1 : 1; /* after 1 libwebsockets completes the transaction itself */
}

static bool has_version_13(struct lws *wsi)
{
    char version[8];
    return lws_hdr_copy(wsi, version, sizeof version, WSI_TOKEN_VERSION) == 2 &&
           strcmp(version, "13") == 0;
}

/* RFC 6455 §4.2.1: 16 bytes in base64. */
static bool has_key(struct lws *wsi)
{
    return lws_hdr_total_length(wsi, WSI_TOKEN_KEY) == 24;
}

static int accept_upgrade(struct gw_front *f, struct lws *wsi, enum gw_vsn vsn)
{
    struct gw_err err = {0};
    struct gw_claims *claims;
    char *key = api_key(wsi);
    if (!key)
        return refuse_upgrade(wsi, 401, gw_code_text(GW_E_TOKEN_MISSING));
    enum gw_code code =
        gw_verifier_check(f->cfg.verifier, gw_span_of(key), gw_front_now().wall, &claims, &err);
    free(key);
    if (code == GW_E_TOKEN_EXPIRED) /* without the seconds that a join's refusal tells */
        return refuse_upgrade(wsi, 401, gw_code_text(code));
    if (code != GW_OK)
        return refuse_upgrade(wsi, 401, err.text);
    lws_set_opaque_user_data(wsi, gw_ws_new(f, wsi, claims, vsn));
    return 0;
}

int gw_http_on_upgrade(struct gw_front *f, struct lws *wsi, bool is_admin, const char *wanted)
{
    char *uri = NULL;
    int n = 0, method = lws_http_get_uri_and_method(wsi, &uri, &n);
    if (strcasecmp(wanted, "websocket") != 0 || method < 0 || !uri || n < 0)
        return -1; /* h2c would be accepted otherwise */
    if (method != LWSHUMETH_GET)
        return refuse_upgrade(wsi, 400, "an upgrade is a GET request");
    if (is_admin || !is_websocket_path((struct gw_span){uri, (size_t)n}))
        return refuse_upgrade(wsi, 404, "not found");
    if (!has_version_13(wsi))
        return refuse_upgrade(wsi, 426, "WebSocket version 13 is required");
    if (!has_key(wsi))
        return refuse_upgrade(wsi, 400, "Sec-WebSocket-Key is missing or malformed");
    if (f->is_draining)
        return refuse_upgrade(wsi, 503, gw_code_text(GW_E_SHUTDOWN));
    enum gw_vsn vsn;
    char *text = query_value(wsi, "vsn=");
    enum gw_code code = gw_vsn_parse(gw_span_of(text), &vsn);
    free(text);
    if (code != GW_OK)
        return refuse_upgrade(wsi, 400, "vsn is not supported; use 1.0.0 or 2.0.0");
    return accept_upgrade(f, wsi, vsn);
}
