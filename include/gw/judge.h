/* judge: a transaction becomes a commit: who is told of each change, found by solving the policies
 * (gw/solve.h) where they are compiled, else by asking Postgres about each caller who follows.
 *
 * No I/O. A case is opened in its place in the order; its old images are solved against the access
 * state before the commit, then the hub applies the commit to the state, then its new images are solved;
 * both may need answers first (E_AGAIN). What must be asked stands in gw_ask: the hub has it
 * answered, side by side with other cases', then closes the case. Owner: the hub thread. Bounds: rows per
 * question, evaluations per transaction; past the latter the table's subscribers resync. P1's four
 * cells are decided here. */
#ifndef GW_JUDGE_H
#define GW_JUDGE_H

#include "gw/callers.h"
#include "gw/commit.h"
#include "gw/interest.h"
#include "gw/question.h"
#include "gw/solve.h"

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
    bool is_sample, expected; /* live oracle: asked to compare, tells nobody */
    unsigned char *visible; /* answer: n_rows bytes, 1: visible */
    enum gw_code code;      /* answer: OK, E_POLICY (visible still holds), E_BUDGET, E_UNSUPPORTED,
                             * E_RESYNC (overtaken) */
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
    uint64_t samples, mismatches; /* of the live oracle */
    uint64_t solved;        /* audiences solved: change × role × image */
    uint64_t resync_overtaken; /* asked tables whose look-ups a later commit changed meanwhile */
    uint64_t state_unknown; /* of those, new images that the access state could not tell: resync */
};

struct gw_case;

struct gw_judge_env {
    const struct gw_catalog *catalog;
    const struct gw_interest *interest;
    /* All three or none; without them compiled policies are asked too. */
    struct gw_state *state;
    struct gw_solver *solver;
    struct gw_callers *callers;
    bool is_give_up; /* what is still missing counts as unknown: no E_AGAIN */
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
    /* Whether the table's compiled policies are not trusted any more: it is asked. May be NULL. */
    bool (*is_distrusted)(void *ctx, uint32_t rel_oid);
    /* The live oracle found a decision that Postgres does not share. May be NULL. */
    void (*on_mismatch)(void *ctx, const struct gw_case *c, const struct gw_ask *ask);
    /* A change was withheld because the access state could not tell: its table is owed a resync. */
    void (*on_state_unknown)(void *ctx, uint32_t rel_oid);
};

struct gw_case {
    struct gw_txn *txn;               /* owned until closed */
    const struct gw_catalog *catalog; /* reference held */
    uint32_t n_asks, cap_asks;
    struct gw_ask *asks;
    struct gw_case_change *changes; /* own use: one per change of txn */
    struct gw_solution *solutions;  /* own use */
    uint32_t n_solutions, cap_solutions;
    struct gw_commit_revocation *revocations; /* for the commit; gw_case_add_revocation */
    uint32_t n_revocations, cap_revocations;
    struct gw_commit_scope *scopes; /* likewise; gw_case_add_scope */
    uint32_t n_scopes, cap_scopes;
    uint32_t attempts;              /* own use: restarts after a changed table */
    bool over_budget;               /* own use */
    bool is_void;                   /* set by gw_case_void */
};

/* Reduce txn to its net effect, by the keys of the catalog. */
void gw_case_fold(struct gw_txn *txn, const struct gw_catalog *catalog);
/* Take txn (folded if it is not), and write its questions. Returns owned. */
struct gw_case *gw_case_open(struct gw_txn *txn, const struct gw_judge_env *env);
/* Solve its old images, or its new ones.
 * E_AGAIN: get answers for gw_solver_needs and call again; else OK. */
GW_MUST_CHECK enum gw_code gw_case_solve_old(struct gw_case *c, const struct gw_judge_env *env);
GW_MUST_CHECK enum gw_code gw_case_solve_new(struct gw_case *c, const struct gw_judge_env *env);
/* The policies before the commit are not known for sure (they changed with it, or shortly before):
 * old images that would be solved count as unknown. In place of gw_case_solve_old. */
void gw_case_skip_old(struct gw_case *c, const struct gw_judge_env *env);
/* Nobody can be told for certain: the followers of its tables load them again. */
void gw_case_void(struct gw_case *c, struct gw_judge_stats *stats);
/* The live oracle: after solving, pick one decision of the case (random: any number), allow or deny,
 * and have Postgres asked about it too. Answers that a later commit may explain do not count. */
void gw_case_sample(struct gw_case *c, const struct gw_judge_env *env, uint64_t random);
uint32_t gw_case_solved_count(const struct gw_case *c); /* changes × roles that were solved */
void gw_case_add_revocation(struct gw_case *c, const struct gw_commit_revocation *r);
/* What scope points to is in the transaction's arena. */
void gw_case_add_scope(struct gw_case *c, const struct gw_commit_scope *scope);
/* Some rows did not fit the table any more: load a newer catalog, then restart. At most once. */
bool gw_case_needs_catalog(const struct gw_case *c);
void gw_case_restart(struct gw_case *c, const struct gw_judge_env *env);
/* An answer given "now" may rest on look-ups that a later commit changed. later: a transaction behind
 * this one whose commit the answers contained. Answers that it may have changed become E_RESYNC: nobody
 * is told by them, the table's followers load it again. */
void gw_case_overtake(struct gw_case *c, const struct gw_txn *later);
/* Whether any answer rests on look-ups at all. */
bool gw_case_has_lookups(const struct gw_case *c);
/* All asks are answered: build the commit (owned by the caller) and free the case. Tables whose
 * budget was spent are passed to on_budget, once each. */
struct gw_commit *gw_case_close(struct gw_case *c, const struct gw_judge_env *env,
                                void (*on_budget)(void *ctx, uint32_t rel_oid));
void gw_case_free(struct gw_case *c); /* abandon; accepts NULL */
/* A commit without a transaction that only tells the table's subscribers to resync. */
struct gw_commit *gw_commit_new_resync(uint32_t rel_oid, enum gw_code reason);

#endif
