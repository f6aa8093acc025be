/* judge_internal: what judge.c (questions), solution.c (solving) and verdict.c (answers) share. */
#ifndef GW_JUDGE_INTERNAL_H
#define GW_JUDGE_INTERNAL_H

#include "gw/judge.h"

/* Who sees one image of one change, of one role; in ids the callers, sorted. */
struct gw_solution {
    uint32_t change;
    uint16_t role_id;
    bool is_old;
    enum gw_principals_kind kind;
    uint32_t n;
    const uint32_t *ids; /* in the transaction's arena */
};

/* What is known of one change before the answers come. */
struct gw_case_change {
    const struct gw_catalog_table *table; /* NULL: nobody can be told */
    struct gw_span row_new, row_old;      /* array elements, encoded when first asked about */
    uint64_t everyone;                    /* role bits that are told without a question */
    uint64_t new_unknown;                 /* role bits whose new image was not told for certain */
    uint64_t solved;                      /* role bits whose readers are solved for */
    uint64_t old_unknown;                 /* role bits whose old image can't be judged */
    uint64_t counted_delete, counted_old, counted_new; /* role bits in the statistics already */
    bool is_lost; /* a restart found that unnamed readers would have to be asked: resync */
};

/* lookups.c */
bool gw_lookups_are_changed(const struct gw_txn *txn, const struct gw_depends *d);

/* sample.c: see what Postgres said about the sampled decisions. */
void gw_case_compare_samples(const struct gw_case *c, const struct gw_judge_env *env);

/* solution.c */
void gw_solutions_sort(struct gw_case *c); /* by change */
void gw_solution_add(struct gw_commit_change *out, struct gw_arena *arena,
                     const struct gw_solution *s);

/* judge.c */
void gw_case_count_once(uint64_t *counter, uint64_t *counted, unsigned role_id);

#endif
