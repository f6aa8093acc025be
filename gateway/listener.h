/* listener: the two listening sockets, public and admin, and the hand-over of what they accept to
 * the least loaded worker.
 *
 * libwebsockets cannot share a port between contexts here, and its own accept spins when
 * descriptors run out (performance reference, §4.7, §6.7); so accepting is ours. Owner: the thread
 * of the loop it is opened on, but for the counters. Bounds: max_connections; past it a connection
 * is accepted and closed at once, so that the client learns of it and the backlog stays short. */
#ifndef GW_LISTENER_H
#define GW_LISTENER_H

#include "worker.h"

#include <uv.h>

struct gw_listener;

struct gw_listener_config {
    uv_loop_t *uv;
    const struct gw_settings *settings; /* borrowed, like the next */
    struct gw_worker **workers;
    unsigned n_workers;
    unsigned max_connections; /* what gw_listener_limit_fds allowed */
};

struct gw_listener_stats {
    uint64_t accepted;
    uint64_t refused_full;   /* over max_connections */
    uint64_t refused_no_fds; /* the process or the system was out of descriptors */
};

/* Set the limit on descriptors to what *max_connections need, before any worker is made: the cost
 * of closing a connection grows with the limit (performance reference, table 7). Where the hard
 * limit is lower *max_connections is reduced, and a warning logged. E_IO: it leaves no room at all.
 */
GW_MUST_CHECK enum gw_code gw_listener_limit_fds(unsigned *max_connections, struct gw_err *err);

/* Bind and listen on both addresses. E_IO: err names the address. */
GW_MUST_CHECK enum gw_code gw_listener_open(const struct gw_listener_config *cfg,
                                            struct gw_listener **out, struct gw_err *err);
/* The port that is bound, for an address with port 0. */
uint16_t gw_listener_port(const struct gw_listener *l, bool is_admin);
/* Any thread. */
void gw_listener_stats(const struct gw_listener *l, struct gw_listener_stats *out);
/* Stop listening; what was not accepted yet is reset by the system. Memory is freed when the loop
 * has closed the handles. Accepts NULL. */
void gw_listener_close(struct gw_listener *l);

#endif
