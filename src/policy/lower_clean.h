/* lower_clean: what lower_clean.c and lower_clean_sub.c share. The nodes handed in are copies that
 * may be changed; their arguments are clean. */
#ifndef GW_LOWER_CLEAN_H
#define GW_LOWER_CLEAN_H

#include "lower_internal.h"

/* Cleans what the arms of a sub-select hold; false: refused. */
bool gw_lower_clean_select(struct gw_lower *l, struct gw_bound *sub);
const struct gw_bound *gw_lower_clean_sub(struct gw_lower *l, struct gw_bound *node);
const struct gw_bound *gw_lower_clean_any(struct gw_lower *l, struct gw_bound *node);
/* ARRAY[…]::t[]: each element cast. */
const struct gw_bound *gw_lower_clean_array_cast(struct gw_lower *l, const struct gw_bound *node);
/* (SELECT x …)::t: (SELECT x::t …). */
const struct gw_bound *gw_lower_clean_scalar_cast(struct gw_lower *l, const struct gw_bound *node);

#endif
