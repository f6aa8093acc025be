/* interest: who has subscribed to what, as the hub needs to know it: which distinct sets of claims
 * could receive a change of a table, whatever the number of connections behind them.
 *
 * Owner: the hub thread. Callers (one per distinct role and claims text) get an id that is never
 * reused. Bounds: one entry per live channel binding of this process, limited by the workers. */
#ifndef GW_INTEREST_H
#define GW_INTEREST_H

#include "gw/list.h"
#include "gw/messages.h"
#include "gw/types.h"

struct gw_interest;

/* One distinct set of claims with at least one live subscription. */
struct gw_caller {
    uint32_t id;
    struct gw_claims *claims; /* reference held */
    uint32_t refs;            /* own use: subscriptions */
};

struct gw_interest *gw_interest_new(uint64_t hash_seed);
void gw_interest_free(struct gw_interest *in);

/* Put or replace the subscription of a channel. bindings are copied; their rel_oid is set.
 * Returns the id of the caller. */
uint32_t gw_interest_put(struct gw_interest *in, uint32_t worker, uint64_t channel_id,
                         struct gw_claims *claims, const struct gw_binding *bindings, uint32_t n);
void gw_interest_drop(struct gw_interest *in, uint32_t worker, uint64_t channel_id);

/* What a change looks like to a subscription's event mask and filter. */
struct gw_interest_change {
    const struct gw_change *change;
    const struct gw_types *types;
};

/* Call visit once for every caller of these roles (bits) with a binding that matches the change
 * (table, wildcard, event, filter on the image the client would see). visit must not change the
 * registry. */
void gw_interest_each(const struct gw_interest *in, const struct gw_interest_change *change,
                      uint64_t roles, void (*visit)(void *ctx, const struct gw_caller *caller),
                      void *ctx);
/* Role bits of those who follow the table or a wildcard; no follower is looked at. */
uint64_t gw_interest_roles(const struct gw_interest *in, uint32_t rel_oid);
/* Told of each caller when the first subscription comes (is_new) and when the last one goes. */
typedef void gw_interest_on_caller(void *ctx, const struct gw_caller *caller, bool is_new);
void gw_interest_watch_callers(struct gw_interest *in, gw_interest_on_caller *on_caller, void *ctx);

/* Whether anybody follows the table or a wildcard that covers it. */
bool gw_interest_has_table(const struct gw_interest *in, uint32_t rel_oid);

bool gw_interest_wants_scopes(const struct gw_interest *in); /* some channel asked for them */

struct gw_interest_counts {
    uint64_t channels, callers, bindings;
};
struct gw_interest_counts gw_interest_counts(const struct gw_interest *in);

#endif
