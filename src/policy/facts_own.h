/* facts_own: what facts*.c share. */
#ifndef GW_FACTS_OWN_H
#define GW_FACTS_OWN_H

#include "gw/facts.h"

#define GW_FACT_DEPTH_MAX 200

/* ---- facts.c ---- */

/* The value of a tree without settings and role. */
struct gw_datum gw_fact_eval_constant(const struct gw_fact_expr *x, struct gw_arena *arena);

/* ---- facts_fold.c ---- */

/* The tree as Postgres' planner leaves it: in the arena, or x and parts of it. NULL: planning
 * itself raises. */
const struct gw_fact_expr *gw_fact_fold(const struct gw_fact_expr *x, struct gw_arena *arena);

#endif
