#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096
#define ACCEPTS_PER_TURN 128
/* Bounds what the kernel holds for a client that does not read (performance reference, §4.10). */
#define SEND_BUFFER_BYTES (256 * 1024)
/* Descriptors that are not client connections: loops, database, files, and the admin port's. */
#define SPARE_FDS 200
#define ADMIN_CONNECTIONS 32 /* an operator gets in when the public port is full */

struct door {
    struct gw_listener *listener;
    uv_poll_t poll;
    int fd;
    bool is_admin, has_poll;
};

struct gw_listener {
    struct gw_listener_config cfg;
    struct door doors[2]; /* public, admin */
    int reserve_fd;       /* given up to accept and refuse one more when descriptors run out */
    unsigned open_handles;
    _Atomic uint64_t accepted, refused_full, refused_no_fds;
};

enum gw_code gw_listener_limit_fds(unsigned *max_connections, struct gw_err *err)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return gw_err_set(err, GW_E_IO, "getrlimit(RLIMIT_NOFILE): %s", strerror(errno));
    rlim_t wanted = (rlim_t)*max_connections + SPARE_FDS;
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < wanted) {
        if (limit.rlim_max <= SPARE_FDS)
            return gw_err_set(err, GW_E_IO,
                              "the limit of %llu file descriptors leaves none for "
                              "clients",
                              (unsigned long long)limit.rlim_max);
        wanted = limit.rlim_max;
        *max_connections = (unsigned)(wanted - SPARE_FDS);
        gw_log(GW_LOG_WARN, "connections_limited", "max_connections=%u file_descriptors=%llu",
               *max_connections, (unsigned long long)wanted);
    }
    limit.rlim_cur = wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return gw_err_set(err, GW_E_IO, "setrlimit(RLIMIT_NOFILE, %llu): %s",
                          (unsigned long long)wanted, strerror(errno));
    return GW_OK;
}

/* ---- accepting ---- */

static struct gw_worker *least_loaded(const struct gw_listener *l, unsigned *total)
{
    struct gw_worker *best = NULL;
    unsigned best_load = 0;
    *total = 0;
    for (unsigned i = 0; i < l->cfg.n_workers; i++) {
        unsigned load = gw_worker_load(l->cfg.workers[i]);
        *total += load;
        if (!best || load < best_load) {
            best = l->cfg.workers[i];
            best_load = load;
        }
    }
    return best;
}

static void hand_over(struct gw_listener *l, int fd, bool is_admin)
{
    unsigned total;
    struct gw_worker *worker = least_loaded(l, &total);
    unsigned max = l->cfg.max_connections + (is_admin ? ADMIN_CONNECTIONS : 0);
    atomic_fetch_add_explicit(&l->accepted, 1, memory_order_relaxed);
    if (total < max && gw_worker_adopt(worker, fd, is_admin) == GW_OK)
        return;
    atomic_fetch_add_explicit(&l->refused_full, 1, memory_order_relaxed);
    close(fd);
}

static int reserve_open(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Out of descriptors the connection would stay in the backlog and the socket readable for ever:
 * take it with the reserve and close it. false: none was waiting
 * (accept4 looks for a descriptor first), or not even that was possible. */
static bool refuse_one(struct gw_listener *l, int listen_fd)
{
    if (l->reserve_fd >= 0)
        close(l->reserve_fd);
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        atomic_fetch_add_explicit(&l->refused_no_fds, 1, memory_order_relaxed);
        close(fd);
    }
    l->reserve_fd = reserve_open();
    return fd >= 0;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct door *door = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            hand_over(door->listener, fd, door->is_admin);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            if (!refuse_one(door->listener, door->fd))
                return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return; /* EAGAIN: all are taken */
        }
    }
}

/* ---- opening ---- */

/* Options that accepted sockets inherit on Linux, so that they cost nothing per connection. */
static void set_inherited_options(int fd)
{
    int on = 1, bytes = SEND_BUFFER_BYTES;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

/* -1 with errno set. */
static int listen_at(const struct addrinfo *ai)
{
    int on = 1;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    set_inherited_options(fd);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static enum gw_code bind_door(struct door *door, const char *host, uint16_t port,
                              struct gw_err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    int rc = getaddrinfo(host, service, &hints, &found);
    if (rc != 0)
        return gw_err_set(err, GW_E_IO, "cannot listen on %s: %s", host, gai_strerror(rc));
    door->fd = -1;
    for (const struct addrinfo *ai = found; ai && door->fd < 0; ai = ai->ai_next)
        door->fd = listen_at(ai);
    int saved = errno;
    freeaddrinfo(found);
    if (door->fd >= 0)
        return GW_OK;
    return gw_err_set(err, GW_E_IO, "cannot listen on %s port %u: %s", host, port, strerror(saved));
}

static enum gw_code start_door(struct gw_listener *l, struct door *door, struct gw_err *err)
{
    int rc = uv_poll_init(l->cfg.uv, &door->poll, door->fd);
    if (rc == 0) {
        door->has_poll = true;
        door->poll.data = door;
        l->open_handles++;
        rc = uv_poll_start(&door->poll, UV_READABLE, on_readable);
    }
    return rc == 0 ? GW_OK : gw_err_set(err, GW_E_IO, "listening socket: %s", uv_strerror(rc));
}

enum gw_code gw_listener_open(const struct gw_listener_config *cfg, struct gw_listener **out,
                              struct gw_err *err)
{
    const struct gw_settings *s = cfg->settings;
    struct gw_listener *l = gw_alloc(sizeof *l);
    enum gw_code code;
    l->cfg = *cfg;
    l->reserve_fd = reserve_open();
    l->doors[0] = (struct door){.listener = l, .fd = -1};
    l->doors[1] = (struct door){.listener = l, .fd = -1, .is_admin = true};
    *out = NULL;
    if ((code = bind_door(&l->doors[0], s->listen_host, s->listen_port, err)) == GW_OK &&
        (code = bind_door(&l->doors[1], s->admin_host, s->admin_port, err)) == GW_OK &&
        (code = start_door(l, &l->doors[0], err)) == GW_OK &&
        (code = start_door(l, &l->doors[1], err)) == GW_OK)
        *out = l;
    else
        gw_listener_close(l);
    return code;
}

uint16_t gw_listener_port(const struct gw_listener *l, bool is_admin)
{
    struct sockaddr_storage address;
    socklen_t n = sizeof address;
    char service[8] = "0";
    if (getsockname(l->doors[is_admin ? 1 : 0].fd, (struct sockaddr *)&address, &n) == 0)
        (void)getnameinfo((struct sockaddr *)&address, n, NULL, 0, service, sizeof service,
                          NI_NUMERICSERV);
    return (uint16_t)strtoul(service, NULL, 10);
}

void gw_listener_stats(const struct gw_listener *l, struct gw_listener_stats *out)
{
    out->accepted = atomic_load_explicit(&l->accepted, memory_order_relaxed);
    out->refused_full = atomic_load_explicit(&l->refused_full, memory_order_relaxed);
    out->refused_no_fds = atomic_load_explicit(&l->refused_no_fds, memory_order_relaxed);
}

static void on_closed(uv_handle_t *handle)
{
    struct gw_listener *l = ((struct door *)handle->data)->listener;
    if (--l->open_handles == 0)
        free(l);
}

void gw_listener_close(struct gw_listener *l)
{
    if (!l)
        return;
    bool has_handles = l->open_handles > 0;
    for (int i = 0; i < 2; i++) {
        struct door *door = &l->doors[i];
        if (door->has_poll)
            uv_close((uv_handle_t *)&door->poll, on_closed);
        if (door->fd >= 0)
            close(door->fd); /* uv_close has taken it out of the poll set */
    }
    if (l->reserve_fd >= 0)
        close(l->reserve_fd);
    if (!has_handles)
        free(l);
}
