/* rules_own: what rules.c, rules_print.c and rules_fact.c share with compile.c. */
#ifndef GW_RULES_OWN_H
#define GW_RULES_OWN_H

#include "gw/expr.h"
#include "gw/facts.h"

struct gw_rules *gw_rules_new(void);     /* empty, one reference */
void gw_rules_index(struct gw_rules *r); /* once the plans are in place: gw_rules_plan finds them */
/* What it is, in few words. */
void gw_rules_print_fact(struct gw_buf *out, const struct gw_fact_def *def);

#endif
