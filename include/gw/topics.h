/* topics: what callers may do with private topics, by the policies on realtime.messages: SELECT to
 * receive, INSERT to send, each for broadcast and for presence.
 *
 * The answer for a topic and a role is four formulas, shared by all who joined it; a caller's bits
 * follow from his facts. Every key of the access state that an answer rested on is watched, so the
 * commit that changes one brings the topic up to be judged again, and whoever loses a bit is named in
 * that commit. Owner: the hub thread. Bound: one entry per joined channel, limited by the
 * workers. Source: reference of the wire, private channels; realtime.topic(). */
#ifndef GW_TOPICS_H
#define GW_TOPICS_H

#include "gw/judge.h"

struct gw_topics;

struct gw_topics *gw_topics_new(uint64_t hash_seed);
void gw_topics_free(struct gw_topics *t); /* accepts NULL */

/* A channel wants to know, and to be told when it changes. */
struct gw_topics_question {
    uint32_t worker;
    uint64_t channel_id;
    uint32_t attempt; /* comes back with the answer */
    struct gw_claims *claims;
    uint32_t caller_id;   /* in gw/callers.h, or 0 */
    struct gw_span topic; /* without "realtime:" */
};
/* Copies; replaces an earlier question of the same channel. */
void gw_topics_put(struct gw_topics *t, const struct gw_topics_question *q);
void gw_topics_drop(struct gw_topics *t, uint32_t worker, uint64_t channel_id);
/* The policies changed: every topic is to be judged again. */
void gw_topics_all_dirty(struct gw_topics *t);
bool gw_topics_has_work(const struct gw_topics *t);

/* A member's bits, when they are known first (is_first) or have changed. */
struct gw_topics_told {
    uint32_t worker;
    uint64_t channel_id;
    uint32_t attempt;
    uint32_t may;    /* enum gw_may bits */
    bool is_first;
};
typedef void gw_topics_on_told(void *ctx, const struct gw_topics_told *told);

/* Judge what is to be judged, by env->catalog, solver and callers. E_AGAIN: answers are needed (env->
 * is_give_up: unknown denies). Tells each member whose bits are new. */
GW_MUST_CHECK enum gw_code gw_topics_judge(struct gw_topics *t, const struct gw_judge_env *env,
                                           gw_topics_on_told *on_told, void *ctx);

struct gw_topics_counts {
    uint64_t topics, members, judged, revoked;
};
struct gw_topics_counts gw_topics_counts(const struct gw_topics *t);

/* What one caller may do with a topic, without being watched. E_AGAIN, OK. */
GW_MUST_CHECK enum gw_code gw_topics_may(const struct gw_judge_env *env,
                                         const struct gw_claims *claims, struct gw_span topic,
                                         uint32_t *may);

#endif
