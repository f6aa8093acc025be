/* judge_internal: what judge.c (questions) and verdict.c (answers) share. */
#ifndef GW_JUDGE_INTERNAL_H
#define GW_JUDGE_INTERNAL_H

#include "gw/judge.h"

/* What is known of one change before the answers come. */
struct gw_case_change {
    const struct gw_catalog_table *table; /* NULL: nobody can be told */
    struct gw_span row_new, row_old;      /* array elements, encoded when first asked about */
    uint64_t everyone;                    /* role bits that are told without a question */
    uint64_t old_unknown;                 /* role bits whose old image can't be judged */
    uint64_t counted_delete, counted_old, counted_new; /* role bits in the statistics already */
    bool is_lost; /* a restart found that unnamed readers would have to be asked: resync */
};

#endif
