/* lower_arm: what lower_arm.c and lower_keys.c share: one SELECT being put in order. */
#ifndef GW_LOWER_ARM_H
#define GW_LOWER_ARM_H

#include "lower_internal.h"

struct gw_arm_conditions {
    struct gw_lower_conjuncts all;
    bool *used; /* it has its place, or became an index key */
};

struct gw_arm_source {
    const struct gw_bound_from *from;
    uint32_t table;              /* into r->tables */
    struct gw_arm_conditions on; /* of a LEFT JOIN */
    bool is_placed;
};

struct gw_arm_work {
    struct gw_lower *l;
    uint32_t n_sources;
    struct gw_arm_source *sources;
    struct gw_arm_conditions where; /* ON of inner joins included */
    struct gw_lower_vars open;      /* tables not placed yet */
};

/* column = value, from one condition. */
struct gw_arm_key {
    uint32_t column; /* into the table's columns */
    const struct gw_bound *value;
    uint32_t condition; /* which of the source's */
    bool is_constant;   /* the same for every row outside */
};

struct gw_arm_keys {
    uint32_t n;
    struct gw_arm_key items[GW_RULES_INDEX_COLUMNS_MAX];
};

/* How well a table can be found; the better the greater. */
enum gw_arm_rank {
    GW_ARM_NOT_YET,
    GW_ARM_SCAN,
    GW_ARM_CONSTANT,  /* by columns equal to constants */
    GW_ARM_LEFT_KEYS, /* of a LEFT JOIN: by columns; it leaves no row out */
    GW_ARM_KEYS,      /* by columns */
    GW_ARM_PRIMARY_KEY,
};

/* Keys from the conditions that are left, over rows bound by now. */
enum gw_arm_rank gw_arm_find_keys(struct gw_arm_work *w, const struct gw_arm_source *s,
                                  struct gw_arm_keys *out);
/* Makes them out's index and keys; their conditions are done with. False: refused. */
bool gw_arm_use_keys(struct gw_arm_work *w, struct gw_arm_source *s, struct gw_arm_keys *keys,
                     struct gw_source *out);

#endif
