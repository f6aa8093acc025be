/* ws_client: a WebSocket client on a plain blocking socket, for tests. It does just what it is
 * told, also what is forbidden. Reads give up after ten seconds. Header only. */
#ifndef GW_TEST_WS_CLIENT_H
#define GW_TEST_WS_CLIENT_H

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define WS_READ_SECONDS 10

static inline int ws_connect_with_buffer(uint16_t port, int receive_bytes)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval limit = {.tv_sec = WS_READ_SECONDS};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (receive_bytes > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static inline int ws_connect(uint16_t port)
{
    return ws_connect_with_buffer(port, 0);
}

/* false: the peer is gone. */
static inline bool ws_write(int fd, const void *p, size_t n)
{
    for (const char *at = p; n > 0;) {
        ssize_t done = send(fd, at, n, MSG_NOSIGNAL);
        if (done <= 0)
            return false;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

static inline bool ws_write_text(int fd, const char *text)
{
    return ws_write(fd, text, strlen(text));
}

/* Exactly n bytes; false: end of stream or time is up. */
static inline bool ws_read_bytes(int fd, void *p, size_t n)
{
    for (char *at = p; n > 0;) {
        ssize_t got = recv(fd, at, n, 0);
        if (got <= 0)
            return false;
        at += got;
        n -= (size_t)got;
    }
    return true;
}

/* Whether the peer has closed or reset the connection; what it still sends is thrown away. */
static inline bool ws_is_cut(int fd)
{
    char buf[4096];
    for (;;) {
        ssize_t got = recv(fd, buf, sizeof buf, 0);
        if (got == 0)
            return true;
        if (got < 0)
            return errno == ECONNRESET || errno == EPIPE;
    }
}

/* ---- HTTP ---- */

struct ws_answer {
    int status; /* 0: none came */
    char head[8192];
    char body[65536];
    size_t body_n;
};

static inline void ws_read_answer(int fd, bool is_head, struct ws_answer *a)
{
    size_t n = 0;
    const char *length;
    memset(a, 0, sizeof *a);
    while (n < sizeof a->head - 1 && (n < 4 || memcmp(a->head + n - 4, "\r\n\r\n", 4) != 0)) {
        if (!ws_read_bytes(fd, a->head + n, 1))
            return;
        n++;
    }
    (void)sscanf(a->head, "HTTP/1.%*c %d", &a->status);
    if (is_head || !(length = strcasestr(a->head, "\r\ncontent-length:")))
        return;
    a->body_n = strtoul(length + 17, NULL, 10);
    ck_assert_uint_lt(a->body_n, sizeof a->body);
    if (!ws_read_bytes(fd, a->body, a->body_n))
        a->status = 0;
}

/* One request on its own connection. */
static inline void ws_request(uint16_t port, const char *request, struct ws_answer *a)
{
    int fd = ws_connect(port);
    ws_write_text(fd, request);
    ws_read_answer(fd, strncmp(request, "HEAD", 4) == 0, a);
    close(fd);
}

/* ---- WebSocket ---- */

#define WS_UPGRADE                                                                                 \
    "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                             \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

static inline void ws_upgrade(int fd, const char *path, struct ws_answer *a)
{
    ws_write_text(fd, "GET ");
    ws_write_text(fd, path);
    ws_write_text(fd, " HTTP/1.1\r\n" WS_UPGRADE "\r\n");
    ws_read_answer(fd, false, a);
}

static inline int ws_open(uint16_t port, const char *path)
{
    static struct ws_answer a;
    int fd = ws_connect(port);
    ws_upgrade(fd, path, &a);
    ck_assert_msg(a.status == 101, "%s: %d %s", path, a.status, a.body);
    return fd;
}

/* first: FIN, RSV and opcode as on the wire. */
static inline bool ws_send_frame(int fd, uint8_t first, const void *p, size_t n)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t head[14] = {first};
    size_t h = 2;
    if (n < 126) {
        head[1] = (uint8_t)(0x80 | n);
    } else if (n < 65536) {
        head[1] = 0x80 | 126;
        head[2] = (uint8_t)(n >> 8);
        head[3] = (uint8_t)n;
        h = 4;
    } else {
        head[1] = 0x80 | 127;
        for (int i = 0; i < 8; i++)
            head[2 + i] = (uint8_t)(n >> (56 - 8 * i));
        h = 10;
    }
    memcpy(head + h, mask, 4);
    uint8_t *body = malloc(n + 1);
    for (size_t i = 0; i < n; i++)
        body[i] = ((const uint8_t *)p)[i] ^ mask[i % 4];
    bool ok = ws_write(fd, head, h + 4) && ws_write(fd, body, n);
    free(body);
    return ok;
}

static inline bool ws_send_text(int fd, const char *text)
{
    return ws_send_frame(fd, 0x81, text, strlen(text));
}

struct ws_frame {
    uint8_t first;
    size_t n;
    char p[1 << 20]; /* NUL-terminated */
};

/* false: end of stream. Asserts what no server may send. */
static inline bool ws_read_frame(int fd, struct ws_frame *f)
{
    uint8_t head[2], length[8];
    if (!ws_read_bytes(fd, head, 2))
        return false;
    f->first = head[0];
    f->n = head[1];
    ck_assert_msg((f->first & 0x70) == 0 && f->n < 128, "bad frame header %02x %02x", head[0],
                  head[1]);
    size_t more = f->n == 126 ? 2 : f->n == 127 ? 8 : 0;
    if (more) {
        ck_assert(ws_read_bytes(fd, length, more));
        f->n = 0;
        for (size_t i = 0; i < more; i++)
            f->n = f->n << 8 | length[i];
    }
    ck_assert_uint_lt(f->n, sizeof f->p);
    if (!ws_read_bytes(fd, f->p, f->n))
        return false;
    f->p[f->n] = '\0';
    return true;
}

/* Skips everything up to a Close frame; its code, 1005 without one, 0: cut without a frame. */
static inline unsigned ws_read_close(int fd)
{
    static struct ws_frame f;
    while (ws_read_frame(fd, &f)) {
        if ((f.first & 0x0f) == 8)
            return f.n >= 2 ? (unsigned)((uint8_t)f.p[0] << 8 | (uint8_t)f.p[1]) : 1005;
    }
    return 0;
}

#endif
