/* judge: a transaction becomes a commit: which callers could be told of each change, what must be
 * asked of Postgres about them, and, from the answers, the audience of each change.
 *
 * No I/O: a case lists its questions (gw_ask), the hub has them answered, then closes the case.
 * Owner: the hub thread. Bounds: rows per question, evaluations per transaction; past the latter the
 * table's subscribers resync. P1's four cells are decided here. */
#ifndef GW_JUDGE_H
#define GW_JUDGE_H

#include "gw/commit.h"
#include "gw/interest.h"
#include "gw/question.h"

/* May this caller see these images of this table? The answer goes into visible and code. */
struct gw_ask {
    uint32_t caller_id;
    struct gw_claims *claims; /* reference held */
    const struct gw_catalog_table *table;
    const struct gw_table_access *access;
    struct gw_buf rows; /* array literal */
    uint32_t n_rows, cap_rows;
    uint32_t *offsets; /* where each element starts in rows */
    uint32_t n_refs, cap_refs;
    struct gw_ask_ref { /* which images an answer speaks for: those alike in what policies read */
        uint32_t change; /* index into the transaction's changes */
        uint32_t row;    /* < n_rows */
        bool is_old;
    } *refs;
    unsigned char *visible; /* answer: n_rows bytes, 1: visible */
    enum gw_code code;      /* answer: OK, E_POLICY (visible still holds), E_BUDGET, E_UNSUPPORTED */
};

struct gw_judge_stats {
    uint64_t changes;          /* after the fold, in published tables */
    uint64_t evaluations;      /* caller × image asked */
    uint64_t deletes_withheld; /* old image unknown, or look-ups may be gone: not sent */
    uint64_t old_withheld;     /* UPDATE told without old values for the same reason */
    uint64_t unjudged;         /* new image lacks a column that the policy reads: not sent */
    uint64_t policy_errors;    /* questions that raised: denied */
    uint64_t stale_rows;       /* rows that fit no present table shape: denied */
    uint64_t resync_budget, resync_truncate, resync_overflow;
};

struct gw_judge_env {
    const struct gw_catalog *catalog;
    const struct gw_interest *interest;
    struct gw_judge_stats *stats;
    uint32_t rows_per_question; /* 500 */
    uint64_t max_evaluations;   /* per transaction; past it: E_BUDGET without asking */
    size_t max_rows_bytes;      /* of all array literals together; likewise */
    void *ctx;
    /* Borrowed views of a relation version under the present catalog. */
    const struct gw_table_views *(*views)(void *ctx, const struct gw_relation *rel);
    /* Whether questions about the table are suspended (budget spent shortly before). The change is
     * withheld then and a resync is owed. */
    bool (*is_suspended)(void *ctx, uint32_t rel_oid);
};

struct gw_case {
    struct gw_txn *txn;               /* owned until closed */
    const struct gw_catalog *catalog; /* reference held */
    uint32_t n_asks, cap_asks;
    struct gw_ask *asks;
    struct gw_case_change *changes; /* own use: one per change of txn */
    uint32_t attempts;              /* own use: restarts after a changed table */
    bool over_budget;               /* own use */
};

/* Fold txn (taken) and write its questions. Returns owned. */
struct gw_case *gw_case_open(struct gw_txn *txn, const struct gw_judge_env *env);
/* Some rows did not fit the table any more: load a newer catalog, then restart. At most once. */
bool gw_case_needs_catalog(const struct gw_case *c);
void gw_case_restart(struct gw_case *c, const struct gw_judge_env *env);
/* All asks are answered: build the commit (owned by the caller) and free the case. Tables whose
 * budget was spent are passed to on_budget, once each. */
struct gw_commit *gw_case_close(struct gw_case *c, const struct gw_judge_env *env,
                                void (*on_budget)(void *ctx, uint32_t rel_oid));
void gw_case_free(struct gw_case *c); /* abandon; accepts NULL */
/* A commit without a transaction that only tells the table's subscribers to resync. */
struct gw_commit *gw_commit_new_resync(uint32_t rel_oid, enum gw_code reason);

#endif
