/* messages: what crosses between a worker and the hub. Moved through mailboxes, freed by the
 * receiver; ids only, never pointers into the other side's objects. */
#ifndef GW_MESSAGES_H
#define GW_MESSAGES_H

#include "gw/claims.h"
#include "gw/filter.h"

enum gw_event_mask {
    GW_EVENT_INSERT = 1,
    GW_EVENT_UPDATE = 2,
    GW_EVENT_DELETE = 4,
    GW_EVENT_ALL = 7,
};

/* One postgres_changes binding, parsed. */
struct gw_binding {
    uint32_t id;      /* 27-bit hash of its parameters: equal parameters, equal id */
    unsigned events;  /* enum gw_event_mask */
    char *schema;     /* owned; "*": every schema */
    char *table;      /* owned; "*": every published table of the schema */
    uint32_t rel_oid; /* 0 for wildcards; set by the hub */
    bool moves;       /* its channel asked for moves: an UPDATE may come as INSERT or as DELETE, the
                       * latter by the old image; events and filter are to be read so */
    bool scopes;      /* its channel asked for scope events */
    struct gw_filter filter;
};

void gw_binding_fini(struct gw_binding *b);

/* What a caller may do with a private topic. */
enum gw_may {
    GW_MAY_READ_BROADCAST = 1,
    GW_MAY_WRITE_BROADCAST = 2,
    GW_MAY_READ_PRESENCE = 4,
    GW_MAY_WRITE_PRESENCE = 8,
};

/* ---- worker → hub ---- */

enum gw_to_hub_kind {
    GW_TO_HUB_SUBSCRIBE,
    GW_TO_HUB_UNSUBSCRIBE,
    GW_TO_HUB_MAY, /* what may claims do with topic? watched from then on until MAY_END; a second
                    * one with the same channel_id swaps claims */
    GW_TO_HUB_MAY_END,
};

/* SUBSCRIBE also replaces: a second one with the same channel_id swaps claims and bindings at one
 * point of the stream. */
struct gw_to_hub {
    enum gw_to_hub_kind kind;
    uint32_t worker;
    uint64_t channel_id;      /* unique per worker, never reused */
    uint32_t attempt;         /* echoed; the worker drops answers to an older attempt */
    struct gw_claims *claims; /* SUBSCRIBE, MAY: reference held */
    uint32_t n_bindings;
    struct gw_binding *bindings; /* SUBSCRIBE: owned */
    char *topic;                 /* MAY: owned, without "realtime:" */
};

void gw_to_hub_free(struct gw_to_hub *m);

/* ---- hub → worker ---- */

enum gw_to_worker_kind {
    GW_TO_WORKER_SUBSCRIBED, /* live: every commit with seq ≥ live_seq is matched */
    GW_TO_WORKER_REFUSED,    /* the bindings can't be served: error is for the client */
    GW_TO_WORKER_MAY,        /* may holds the bits; later losses come with commits (revocations) */
    GW_TO_WORKER_DRAIN,      /* close every session with 1012 */
};

struct gw_to_worker {
    enum gw_to_worker_kind kind;
    uint64_t channel_id;
    uint32_t attempt;
    uint32_t caller_id;     /* the hub's id of the claims: what audiences name */
    uint64_t live_seq;      /* first commit this subscription is part of; MAY: first one whose
                             * changes of the answer, if any, come as revocations */
    struct gw_lsn live_lsn; /* everything committed after this LSN is delivered */
    uint32_t n_bindings;
    struct gw_binding *bindings; /* owned: bound copies (rel_oid, canonical filter value) */
    uint32_t may;                /* MAY: enum gw_may bits */
    char error[384];             /* REFUSED: reference §2.6 text */
};

void gw_to_worker_free(struct gw_to_worker *m);

#endif
