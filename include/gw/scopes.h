/* scopes: whose sight of which rows changes because of what policies look up: "trip_items where trip_id
 * = 42 came into the sight of these callers", though no trip_item changed.
 *
 * Before a transaction is applied, the rows of the access state that it is going to change are
 * followed backwards through the look-ups of every plan to columns of the table that the plan is about:
 * (trip_collaborators.trip_id = 42) → itinerary_items.trip_id = 42. Each such scope is solved before
 * and after with all else left open; who is in one answer only has gained or lost it. Owner: the
 * hub thread. Bounds: GW_SCOPES_MAX per transaction and rows looked at on the way; past them the whole
 * table is the scope. */
#ifndef GW_SCOPES_H
#define GW_SCOPES_H

#include "gw/judge.h"

#define GW_SCOPES_MAX 1000
#define GW_SCOPES_ROWS_MAX 20000

struct gw_scopes;

struct gw_scopes *gw_scopes_new(void);
void gw_scopes_free(struct gw_scopes *s); /* accepts NULL */
/* Before c's transaction is applied to env->state: find the scopes and who has them now. */
void gw_scopes_before(struct gw_scopes *s, const struct gw_case *c, const struct gw_judge_env *env);
/* After it: the differences go into c, for the commit. */
void gw_scopes_after(struct gw_scopes *s, struct gw_case *c, const struct gw_judge_env *env);
/* The policies changed with the transaction: nothing can be compared. */
void gw_scopes_forget(struct gw_scopes *s);

#endif
