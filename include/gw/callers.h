/* callers: which of the connected callers a formula admits.
 *
 * Every distinct set of claims with a live subscription has its facts worked out once, when it comes,
 * and is indexed by their values. So the time to go from a formula to the callers depends on those
 * it admits: "sub is one of these" is a look-up per value. A formula that admits nearly everyone
 * ("not blocked") is turned round and becomes an exclude set. Owner: the hub thread. One set of
 * rules at a time; a caller is a few facts, their keys, and an index entry per key. */
#ifndef GW_CALLERS_H
#define GW_CALLERS_H

#include "gw/audience.h"
#include "gw/facts.h"
#include "gw/formula.h"
#include "gw/interest.h"

struct gw_callers;

/* settings: ROWCAST_CLAIM_SETTINGS; borrowed for life. */
struct gw_callers *gw_callers_new(const struct gw_fact_setting *settings, uint32_t n_settings);
void gw_callers_free(struct gw_callers *c); /* accepts NULL */

/* Work out all callers' facts anew, for these rules (a reference is taken). */
void gw_callers_set_rules(struct gw_callers *c, const struct gw_rules *rules);
void gw_callers_add(struct gw_callers *c, const struct gw_caller *caller);
void gw_callers_drop(struct gw_callers *c, uint32_t caller_id);

/* Facts that only Postgres can work out, caller by caller: until the answer is there they count as
 * unknown, which admits nobody. Borrowed until the registry changes. */
struct gw_callers_need {
    const struct gw_caller *caller;
    uint32_t fact;
};
uint32_t gw_callers_needs(const struct gw_callers *c, const struct gw_callers_need **needs);
/* text of the value; state NULL, VALUE, ERROR, or UNKNOWN (until gw_callers_retry). */
void gw_callers_answer(struct gw_callers *c, uint32_t caller_id, uint32_t fact,
                       const struct gw_datum *answer);

/* What is still unknown is needed again. */
void gw_callers_retry(struct gw_callers *c);

/* The callers of a role that f admits, as one clause. A caller for whom one of the plan's facts
 * raises or is not known is never among them: Postgres raises for him, whatever else holds. */
struct gw_callers_found {
    enum gw_principals_kind kind; /* EVERYONE, INCLUDE, EXCLUDE (of the role) */
    uint32_t n;
    uint32_t *ids; /* sorted, distinct; borrowed until the next call */
};
void gw_callers_find(struct gw_callers *c, const struct gw_plan *plan, const struct gw_formula *f,
                     struct gw_callers_found *out);
/* Whether one caller is admitted. Facts are worked out here when caller_id is 0 or not known. */
bool gw_callers_admits(struct gw_callers *c, const struct gw_plan *plan,
                       const struct gw_formula *f, const struct gw_claims *claims,
                       uint32_t caller_id);
/* The facts of a caller, n_facts of the rules; NULL when not known here. Borrowed. */
const struct gw_fact *gw_callers_facts(const struct gw_callers *c, uint32_t caller_id);

struct gw_callers_stats {
    uint64_t callers, index_entries, unknown_facts, error_facts;
};
void gw_callers_stats(const struct gw_callers *c, struct gw_callers_stats *out);

#endif
