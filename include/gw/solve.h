/* solve: a plan, a row and the access state → the formula of who may see the row.
 *
 * Every boolean expression is solved for the set of callers for whom it is true, or for whom it is
 * false; three-valued logic falls out, because "not true" and "false" are different questions:
 *     true(NOT a) = false(a)      true(a AND b) = true(a) ∩ true(b)     false(a AND b) = false(a) ∪ false(b)
 *     true(fact = v) = {fact is v}     false(fact = v) = {fact is known} \ {fact is v}
 *     true(EXISTS q) = ∪ over rows of true(where)     false(EXISTS q) = complement of it
 * What is not known (a cell the log left out, a table not loaded) is bounded from both sides: MUST
 * asks for those who surely are in the set, MAY for those who possibly are; a complement turns one
 * into the other. Readers are always found with MUST. NEUTRAL leaves the unknown out of AND and OR: who is
 * concerned by the look-ups of a plan alone, for scope events.
 *
 * A formula speaks of callers whose facts are values or null; those one of whose facts raises or is
 * not known are kept out where callers are found (gw/callers.h). What raises on the row's side (a
 * cast of a cell) is solved here, left to right as in Postgres.
 *
 * Answers of sub-selects are remembered per site and outer values until a row they rest on changes
 * (watches). Owner: the hub thread. Bounds: memo bytes; rows looked at per solution (rows_max). */
#ifndef GW_SOLVE_H
#define GW_SOLVE_H

#include "gw/formula.h"
#include "gw/state.h"

struct gw_solver;

struct gw_solver_config {
    size_t memo_bytes;   /* 64 MiB */
    uint32_t rows_max;   /* rows of look-ups per solution, 2 000 000 */
    uint32_t externals_max; /* remembered answers, 100 000 */
};

/* state is borrowed for the solver's life. */
struct gw_solver *gw_solver_new(struct gw_state *state, const struct gw_solver_config *cfg);
void gw_solver_free(struct gw_solver *s); /* accepts NULL */
/* Use these rules (the state has them already): memos and remembered answers are dropped. */
void gw_solver_set_rules(struct gw_solver *s, const struct gw_rules *rules);

/* The row judged: cells by position in the catalog table's columns; those the plan does not read may be
 * anything. topic: GW_INPUT_TOPIC, p NULL when there is none. */
struct gw_solve_row {
    uint32_t n;
    const struct gw_datum *cells;
    struct gw_span topic;
};

enum gw_certainty { GW_MUST, GW_MAY, GW_NEUTRAL };

struct gw_solve_info {
    bool met_unknown; /* something was not known: MUST may be too small */
    bool met_error;   /* something raised */
    uint32_t lookups; /* finds in the access state, memo hits not counted */
};

/* What `rowcast explain` listens to. */
struct gw_solve_trace {
    void *ctx;
    void (*on_lookup)(void *ctx, uint32_t table, int32_t index, const struct gw_datum *keys,
                      const struct gw_state_hits *hits);
    void (*on_external)(void *ctx, uint32_t external, const struct gw_datum *args,
                        const struct gw_datum *answer);
};

struct gw_solve_options {
    enum gw_certainty certainty;
    bool give_up;                       /* missing answers stay unknown: never E_AGAIN */
    struct gw_watch *watch;             /* NULL, or: put on every key the answer rests on */
    const struct gw_solve_trace *trace; /* or NULL; memos are not used then */
};

/* *out: one reference, owned. E_AGAIN: answers are missing, see gw_solver_needs; solve again when they
 * are there. E_TOO_BIG: past a bound (deny). E_POLICY: it would raise for every caller (deny).
 * info may be NULL. expr: plan->expr, or one policy's. */
GW_MUST_CHECK enum gw_code gw_solve(struct gw_solver *s, const struct gw_plan *plan,
                                    const struct gw_expr *expr, const struct gw_solve_row *row,
                                    const struct gw_solve_options *options,
                                    struct gw_formula **out, struct gw_solve_info *info);

/* ---- what it needs ---- */

struct gw_need_external {
    uint32_t external;
    uint16_t role_id;
    const struct gw_datum *args; /* n_args of the external; NULL or VALUE with text */
};
struct gw_need_key {
    uint32_t table, index;
    const struct gw_datum *key; /* with text */
};
/* Distinct, collected since gw_solver_forget_needs; memory of the solver until then. */
struct gw_needs {
    uint32_t n_externals, n_keys;
    const struct gw_need_external *externals;
    const struct gw_need_key *keys;
};
const struct gw_needs *gw_solver_needs(const struct gw_solver *s);
void gw_solver_forget_needs(struct gw_solver *s);
/* The answer to one need: NULL, VALUE with text (copied), ERROR, or UNKNOWN (timeout). */
void gw_solver_answer(struct gw_solver *s, const struct gw_need_external *need,
                      const struct gw_datum *answer);
/* Answers that are not immutable count for one judgement: forget them. */
void gw_solver_next_judgement(struct gw_solver *s);

struct gw_solver_stats {
    uint64_t solutions, memo_hits, memo_misses, lookups, externals_asked, externals_hit;
    uint64_t memo_bytes;
};
void gw_solver_stats(const struct gw_solver *s, struct gw_solver_stats *out);

#endif
