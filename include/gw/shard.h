/* shard: one worker's share of the clients: sessions, their channels, who subscribes to what, and
 * the fan-out of commits to them.
 *
 * No I/O, no clock: bytes and time come in as parameters, frames go into each session's outbox, and
 * sessions with something to send or to close are on the dirty list, which gateway/worker.c empties
 * once per turn. Owner: the worker thread. Bounds: channels per session, outbox bytes, message bytes.
 *
 *     socket → gw_session_on_message → channel state → to_hub(SUBSCRIBE)
 *     hub    → gw_shard_on_hub       → join reply, "Subscribed to PostgreSQL"
 *     history→ gw_shard_on_commit    → matching bindings → one frame per distinct view → outboxes */
#ifndef GW_SHARD_H
#define GW_SHARD_H

#include "gw/codec.h"
#include "gw/commit.h"
#include "gw/messages.h"
#include "gw/outbox.h"
#include "gw/time.h"

struct gw_shard;
struct gw_session;

/* "Now", read once per turn by the worker. */
struct gw_now {
    struct gw_ms mono;
    struct gw_us wall;
};

struct gw_shard_ops {
    void *ctx;
    /* Verify a token: E_TOKEN_*; err->text is for the client. *out owned on success. */
    enum gw_code (*verify)(void *ctx, struct gw_span token, struct gw_us wall,
                           struct gw_claims **out, struct gw_err *err);
    /* Takes msg on GW_OK; E_FULL: the caller keeps it and retries on the next tick. */
    enum gw_code (*to_hub)(void *ctx, struct gw_to_hub *msg);
};

struct gw_shard_limits {
    uint32_t channels_per_session; /* ROWCAST_MAX_CHANNELS, default 100 */
    size_t outbox_bytes;           /* ROWCAST_OUTBOX_BYTES, default 8 MiB */
    int64_t idle_ms;               /* no client data for this long: close; default 60 000 */
};

struct gw_shard_stats { /* plain counters, read by the worker thread only */
    uint64_t sessions, channels, joins, messages_in, malformed, frames_out, bytes_out;
    uint64_t changes_matched, resyncs, slow_sessions, expired_tokens;
    uint64_t unknown_events; /* on a joined topic */
    uint64_t scopes_matched; /* scope events, as changes_matched */
    uint64_t revoked;        /* channels ended because their topic may no longer be read */
};

struct gw_shard *gw_shard_new(uint32_t worker, uint64_t hash_seed,
                              const struct gw_shard_ops *ops, const struct gw_shard_limits *limits);
void gw_shard_free(struct gw_shard *s); /* all sessions must be gone */
const struct gw_shard_stats *gw_shard_stats(const struct gw_shard *s);

/* A WebSocket is open. socket: opaque, given back by gw_session_socket. key_claims: identity of the
 * apikey, a reference is kept. Returns borrowed: lives until gw_session_gone. */
struct gw_session *gw_session_open(struct gw_shard *s, void *socket, enum gw_vsn vsn,
                                   struct gw_claims *key_claims, struct gw_now now);
void *gw_session_socket(const struct gw_session *ss);
/* One complete message; hostile bytes are fine. */
void gw_session_on_message(struct gw_session *ss, struct gw_span bytes, bool is_binary,
                           struct gw_now now);
/* The socket is gone: frees the session and unsubscribes its channels. */
void gw_session_gone(struct gw_session *ss);

/* Ask the hub what the channel joined on topic ("realtime:…") may do with it. Its answer and later
 * losses, which come with commits, are kept until the channel ends; a new token asks again. Losing a
 * read bit ends the channel: system error, phx_close. false: no such channel. No join calls this
 * yet: private channels are refused. */
bool gw_session_watch_may(struct gw_session *ss, struct gw_span topic);
/* The bits last told (enum gw_may); 0 before the answer, and where nothing is joined or watched. */
uint32_t gw_session_may(struct gw_session *ss, struct gw_span topic);

/* A message from the hub; takes it. */
void gw_shard_on_hub(struct gw_shard *s, struct gw_to_worker *msg, struct gw_now now);
/* The next commit, in order. Borrowed for the call. */
void gw_shard_on_commit(struct gw_shard *s, const struct gw_commit *c);
/* This worker missed commits: every channel with bindings or a watched topic resyncs (phx_error). */
void gw_shard_on_lost(struct gw_shard *s);
/* About once a second: expired tokens, idle sessions, retries towards a full hub. */
void gw_shard_tick(struct gw_shard *s, struct gw_now now);

/* Turn's end: the next session with frames or a close to write, removed from the dirty list; NULL
 * at the end. */
struct gw_session *gw_shard_next_dirty(struct gw_shard *s);
struct gw_outbox *gw_session_outbox(struct gw_session *ss);
/* The socket has taken everything: a session that was behind now resyncs its channels (may make it
 * dirty again). */
void gw_session_drained(struct gw_session *ss);
/* Nonzero: after its outbox is flushed the socket is to be closed with this code. */
unsigned gw_session_close_code(const struct gw_session *ss);
/* Ask for that close (1012 on shutdown, 1009 too big …): queues the `system` farewell for 1012. */
void gw_session_close(struct gw_session *ss, unsigned code);
/* Whether reading from this socket should pause: the hub's mailbox is full. */
bool gw_shard_is_congested(const struct gw_shard *s);

#endif
