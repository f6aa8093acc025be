/* shard_internal: what the files behind gw/shard.h share. Worker thread only.
 *
 *     shard.c         the shard itself: dirty list, hub messages, tick
 *     uplink.c        messages to the hub, kept while its mailbox is full
 *     session.c       one WebSocket: outbox, being behind, closing
 *     dispatch.c      an inbound message → the handler of its event
 *     join.c          phx_join, from the checks to the reply
 *     wanted.c        the bindings of a join: defaults, ids, echo, faults
 *     channel.c       a joined topic: its messages, its end, its token
 *     subscription.c  live bindings and the index that finds them
 *     expiry.c        channels by the time their token expires
 *     fanout.c        a commit → the channels it concerns
 *     delivery.c      one change or scope → frames, one per distinct view
 *     change_json.c   one change or scope → its JSON as one view sees it
 *
 * Only gw_channel_end frees a channel and only gw_session_gone a session; everything else marks. */
#ifndef GW_SHARD_INTERNAL_H
#define GW_SHARD_INTERNAL_H

#include "gw/catalog.h"
#include "gw/list.h"
#include "gw/map.h"
#include "gw/shard.h"

#define GW_TOPIC_MAX 1024                     /* bytes of a topic */
#define GW_REF_MAX 64                         /* bytes of a ref or join_ref */
#define GW_CONTROL_RESERVE_BYTES (64u * 1024) /* replies may pass the outbox bound by this */
#define GW_EXPIRED_REFUSALS_MAX 3             /* joins with one expired token, then phx_close */
#define GW_CLOSE_IDLE 1000
#define GW_CLOSE_RESTART 1012
#define GW_CLOSE_SLOW 1013
#define GW_TOPIC_PREFIX "realtime:"

/* ---- topics: one shared copy per topic and form of its messages ---- */

struct gw_route {
    uint32_t refs;
    enum gw_vsn vsn;
    bool is_legacy;       /* changes go out as INSERT, UPDATE, DELETE instead of postgres_changes */
    struct gw_span topic; /* in key */
    size_t key_n;
    char key[]; /* of the shard's map: form, topic */
};

/* ---- subscriptions ---- */

struct gw_sub;

struct gw_live {                       /* one binding that changes are matched with */
    struct gw_list by_caller, by_role; /* in the buckets of the index */
    struct gw_sub *sub;
    uint64_t stamp; /* of the change that last looked at it */
    struct gw_binding binding;
};

/* The bindings of a channel under one identity, valid for commits from_seq ≤ seq < until_seq. A
 * channel has two for as long as commits older than its refresh are still to be read. */
struct gw_sub {
    struct gw_list in_channel;
    struct gw_list retiring; /* shard's list, once until_seq is known */
    struct gw_channel *channel;
    uint64_t from_seq, until_seq;
    uint32_t caller_id;
    uint16_t role_id;
    uint32_t n;
    struct gw_live live[];
};

struct gw_subindex {
    struct gw_idmap by_caller, by_role; /* rel_oid and id → struct gw_bucket */
    uint32_t n_wildcards;
};

void gw_subindex_init(struct gw_subindex *ix);
void gw_subindex_fini(struct gw_subindex *ix); /* must be empty */
/* The list of struct gw_live (by_caller, by_role), or NULL. rel_oid 0: wildcards. */
struct gw_list *gw_subindex_callers(const struct gw_subindex *ix, uint32_t rel_oid,
                                    uint32_t caller_id);
struct gw_list *gw_subindex_roles(const struct gw_subindex *ix, uint32_t rel_oid, uint16_t role_id);
/* Whether a binding found under rel_oid 0 covers the table; schema.p NULL: unknown, covers. */
bool gw_live_covers(const struct gw_live *live, struct gw_span schema);

/* Takes the bindings out of msg and indexes them. */
void gw_sub_start(struct gw_channel *ch, struct gw_to_worker *msg, uint16_t role_id);
/* Those of the channel that are not yet retiring end before until_seq. */
void gw_sub_retire(struct gw_channel *ch, uint64_t until_seq);
void gw_sub_end_all(struct gw_channel *ch);
/* Forget what ended at or before seq. */
void gw_sub_sweep(struct gw_shard *s, uint64_t seq);
bool gw_channel_is_live(const struct gw_channel *ch); /* has a binding in the index */

/* ---- channels ---- */

enum gw_channel_state {
    GW_CHANNEL_NEW,
    GW_CHANNEL_JOINING, /* waits for the hub; its join is not answered yet */
    GW_CHANNEL_JOINED,
    GW_CHANNEL_ENDED,
};

struct gw_channel {
    struct gw_session *session;
    struct gw_list in_session;
    struct gw_route *route;
    struct gw_list subs; /* oldest first; all but the newest are retiring */
    uint64_t stamp;      /* fan-out: the change or scope whose hit it is */
    uint32_t hit;        /* fan-out: index of that hit */
    enum gw_channel_state state;
    bool wants_ack, wants_presence, wants_moves, wants_scopes;
    bool is_asking;      /* a SUBSCRIBE is unanswered */
    bool must_ask_again; /* claims changed meanwhile */
    bool has_missed;     /* a change was dropped while the session was behind */
    uint16_t asked_role; /* of the SUBSCRIBE under way */
    uint32_t attempt;    /* number of that SUBSCRIBE; 0: the hub never heard of the channel */
    uint32_t expiry_at;  /* place in the heap, from 1; 0: not in it */
    uint64_t id;
    uint64_t token_hash;
    struct gw_claims *claims;     /* newest verified identity; reference held */
    struct gw_unsent *unsent;     /* its SUBSCRIBE, if the hub's mailbox was full */
    uint32_t may;                 /* enum gw_may: what claims may do with the topic, as last told */
    uint32_t may_attempt;         /* number of the last MAY; 0: the topic was never asked about */
    uint64_t may_seq;             /* the commit as of which that holds */
    struct gw_unsent *unsent_may; /* its MAY, likewise */
    struct gw_span join_ref, ref; /* of the join, in refs; p NULL: null */
    char *refs;                   /* owned */
    uint32_t n_wanted;
    struct gw_binding *wanted; /* owned; as the client asked, for each SUBSCRIBE */
    char *join_response;       /* owned; JOINING: the reply to come */
};

/* What a join brings; the pointers are taken. */
struct gw_channel_spec {
    struct gw_span topic, join_ref, ref;
    bool is_legacy, wants_ack, wants_presence, wants_moves, wants_scopes;
    struct gw_claims *claims;
    uint64_t token_hash;
    uint32_t n_wanted;
    struct gw_binding *wanted;
    char *join_response;
};

struct gw_channel *gw_channel_new(struct gw_session *ss, const struct gw_channel_spec *spec);
/* Out of everything, the hub told, freed; sends nothing. */
void gw_channel_end(struct gw_channel *ch);
void gw_channel_close(struct gw_channel *ch);  /* phx_close, then end: the client stays away */
void gw_channel_fail(struct gw_channel *ch);   /* phx_error, then end: the client rejoins */
void gw_channel_resync(struct gw_channel *ch); /* fail, counted */
void gw_channel_expire(struct gw_channel *ch, int64_t now_s);
void gw_channel_reply(struct gw_channel *ch, const struct gw_msg_in *msg, bool ok,
                      struct gw_span response);
void gw_channel_system(struct gw_channel *ch, const char *extension, bool ok, struct gw_span text);
/* Answer the join (if it is unanswered) and be joined. fault NULL: nothing to complain of. */
void gw_channel_open(struct gw_channel *ch, const char *fault);
void gw_channel_ask(struct gw_channel *ch); /* SUBSCRIBE with the wanted bindings */
void gw_channel_on_token(struct gw_channel *ch, const struct gw_msg_in *msg, struct gw_arena *arena,
                         struct gw_now now);
void gw_channel_on_leave(struct gw_channel *ch, const struct gw_msg_in *msg);
void gw_channel_on_subscribed(struct gw_channel *ch, struct gw_to_worker *msg);
void gw_channel_on_refused(struct gw_channel *ch, const struct gw_to_worker *msg);
void gw_channel_on_may(struct gw_channel *ch, const struct gw_to_worker *msg);
/* The commit seq leaves the caller these bits. The channel may be gone afterwards. */
void gw_channel_on_revocation(struct gw_channel *ch, uint64_t seq, uint32_t may);

/* ---- join ---- */

struct gw_wanted {
    uint32_t n;
    struct gw_binding *bindings; /* owned */
    struct gw_buf echo;          /* [{"id":…, …}, …] */
    struct gw_err fault;         /* code GW_OK: all is well; else no bindings */
};

void gw_wanted_read(const struct gw_join *join, struct gw_span topic, struct gw_wanted *out);
void gw_wanted_fini(struct gw_wanted *w);
void gw_bindings_free(struct gw_binding *bindings, uint32_t n);

void gw_session_on_join(struct gw_session *ss, const struct gw_msg_in *msg, struct gw_arena *arena,
                        struct gw_now now);
uint64_t gw_token_hash(const struct gw_shard *s, struct gw_span token);
/* Not a JWT but an opaque key: the connection's identity stands. */
bool gw_token_is_opaque(struct gw_span token);
int64_t gw_us_to_s(struct gw_us t);

/* ---- sessions ---- */

enum gw_session_state {
    GW_SESSION_OPEN,
    GW_SESSION_BEHIND,  /* a change did not fit the outbox; further ones are dropped */
    GW_SESSION_CLOSING, /* close_code is set; nothing is queued any more */
};

struct gw_refusal { /* joins of one topic refused in a row for one expired token */
    uint64_t topic_hash, token_hash;
    uint32_t count;
};

struct gw_session {
    struct gw_shard *shard;
    struct gw_list in_shard; /* sessions, longest silent first; or closing */
    struct gw_list dirty;
    struct gw_outbox outbox;
    enum gw_session_state state;
    enum gw_vsn vsn;
    unsigned close_code;
    uint32_t n_channels;
    struct gw_list channels;
    void *socket;
    struct gw_claims *key_claims; /* reference held */
    struct gw_ms last_input;
    struct gw_refusal *refusals; /* ring of channels_per_session, made when first needed */
    uint32_t n_refusals, next_refusal;
};

struct gw_channel *gw_session_find(struct gw_session *ss, struct gw_span topic);
/* Control messages: queued within the reserve; past it the session closes with 1013. */
void gw_session_send(struct gw_session *ss, struct gw_span join_ref, struct gw_span ref,
                     struct gw_span topic, const char *event, struct gw_span payload);
void gw_session_reply(struct gw_session *ss, const struct gw_msg_in *msg, bool ok,
                      struct gw_span response);
/* Reply of status error: {"reason":"code: text"}, or just the text when code is "". */
void gw_session_refuse(struct gw_session *ss, const struct gw_msg_in *msg, const char *code,
                       struct gw_span text);
/* A change for one channel. The channel may be gone afterwards. Returns whether it was queued. */
bool gw_session_push_change(struct gw_session *ss, struct gw_channel *ch, struct gw_frame *f);
void gw_session_mark_dirty(struct gw_session *ss);

/* ---- expiry: a binary heap ---- */

struct gw_expiry {
    struct gw_channel **heap;
    uint32_t n, cap;
};

void gw_expiry_add(struct gw_expiry *ex, struct gw_channel *ch); /* by ch->claims->exp_s */
void gw_expiry_remove(struct gw_expiry *ex, struct gw_channel *ch);
struct gw_channel *gw_expiry_first(const struct gw_expiry *ex); /* or NULL */

/* ---- uplink ---- */

void gw_uplink_subscribe(struct gw_channel *ch);
void gw_uplink_unsubscribe(struct gw_channel *ch);
/* Ask what the channel's claims may do with its topic, now and whenever that changes. */
void gw_uplink_may(struct gw_channel *ch);
void gw_uplink_may_end(struct gw_channel *ch);
void gw_uplink_retry(struct gw_shard *s);
void gw_uplink_fini(struct gw_shard *s); /* drops what is unsent */

/* ---- fan-out ---- */

struct gw_news { /* what is being told: one of change and scope, the other is NULL */
    const struct gw_commit_change *change;
    const struct gw_commit_scope *scope;
    const char *commit_time; /* ISO text */
};

/* As what one channel is told of the news. */
enum gw_told {
    /* With moves also an UPDATE that brought the row into sight. */
    GW_TOLD_INSERT,
    /* old_record: nothing, for the reader did not see the row before; the key if it is unchanged,
     * for nobody knows whether he did; all that the log carried and the role may select. */
    GW_TOLD_UPDATE,
    GW_TOLD_UPDATE_KEY,
    GW_TOLD_UPDATE_OLD,
    GW_TOLD_DELETE,
    /* With moves: an UPDATE that took the row out of sight, as a DELETE with the key. */
    GW_TOLD_LEFT,
    /* With column and value, or without them: the role may not select that column. */
    GW_TOLD_SCOPE,
    GW_TOLD_SCOPE_TABLE,
    GW_TOLD_COUNT
};

bool gw_told_is_scope(enum gw_told told);
const char *gw_told_type(enum gw_told told); /* of a change: "INSERT", "UPDATE", "DELETE" */
unsigned gw_told_event(enum gw_told told);   /* of a change: bit of enum gw_event_mask */
/* Appends the `data` object of a change. */
void gw_change_add_json(struct gw_buf *out, const struct gw_news *news, const struct gw_view *view,
                        enum gw_told told);
/* Appends the members of a scope event, without the braces around them. */
void gw_scope_add_json(struct gw_buf *out, const struct gw_news *news, enum gw_told told);

struct gw_hit { /* a channel that the news concern */
    struct gw_channel *channel;
    const struct gw_sub *sub;
    enum gw_told told;
    uint32_t first_id; /* chain in ids, from 1; 0 ends it */
    uint32_t n_ids;
};

struct gw_hit_id {
    uint32_t id, next;
};

struct gw_variant { /* the news as text in one view */
    const struct gw_view *view;
    enum gw_told told;
    struct gw_buf text;
};

struct gw_shared_frame { /* one frame of the news being delivered */
    uint64_t hash;
    const struct gw_route *route;
    uint32_t variant, ids_at, n_ids;
    struct gw_frame *frame;
};

struct gw_frame_slot { /* hash table over shared frames; an older stamp: free */
    uint64_t stamp;
    uint32_t at;
};

/* Scratch of the fan-out, kept between changes so that a delivery allocates nothing but frames. */
struct gw_fanout {
    uint64_t stamp; /* counts changes and scopes looked at */
    struct gw_hit *hits;
    uint32_t n_hits, cap_hits;
    struct gw_hit_id *ids;
    uint32_t n_ids, cap_ids;
    struct gw_variant *variants;
    uint32_t n_variants, cap_variants, made_variants;
    uint32_t variant_of[GW_ROLES_MAX][GW_TOLD_COUNT]; /* index + 1; 0: not made */
    struct gw_shared_frame *frames;
    uint32_t n_frames, cap_frames;
    struct gw_frame_slot *slots;
    uint32_t cap_slots;
    uint32_t *frame_ids; /* of all shared frames, one after the other */
    uint32_t n_frame_ids, cap_frame_ids;
    struct gw_buf wire, head;
};

void gw_fanout_init(struct gw_fanout *f);
void gw_fanout_fini(struct gw_fanout *f);
void gw_fanout_commit(struct gw_shard *s, const struct gw_commit *c);
/* Deliver the news to the hits collected for them; clears those. */
void gw_delivery_run(struct gw_shard *s, const struct gw_news *news);
void gw_delivery_fini(struct gw_fanout *f);
/* Room for one more: grows *items, whose elements have that size, when n reaches *cap. */
void *gw_grow(void *items, uint32_t n, uint32_t *cap, size_t item_bytes);

/* ---- the shard ---- */

struct gw_shard {
    uint32_t worker;
    uint64_t seed;
    struct gw_shard_ops ops;
    struct gw_shard_limits limits;
    struct gw_shard_stats stats;
    struct gw_list sessions; /* longest silent first */
    struct gw_list closing;
    struct gw_list dirty;
    struct gw_idmap channels; /* id → struct gw_channel */
    uint64_t next_channel_id;
    uint32_t n_moves, n_scopes; /* channels that want them */
    struct gw_map routes;
    struct gw_subindex index;
    struct gw_list retiring; /* subscriptions with a known end */
    struct gw_list unsent;   /* messages a full hub did not take */
    struct gw_expiry expiry;
    struct gw_fanout fanout;
    uint64_t last_seq;          /* newest commit seen */
    bool has_lost;              /* commits were lost since then */
    struct gw_buf payload, out; /* scratch of control messages */
};

struct gw_route *gw_route_ref(struct gw_shard *s, enum gw_vsn vsn, bool is_legacy,
                              struct gw_span topic);
void gw_route_unref(struct gw_shard *s, struct gw_route *r);

#endif
