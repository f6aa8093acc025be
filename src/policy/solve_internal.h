/* solve_internal: what solve*.c share.
 *
 * DESIGN. One solution walks the expression tree once. Each part gives three answers at most: the
 * set of callers for whom it is true (or false, as wanted), how sure that is (MUST, MAY), and the
 * set of callers for whom Postgres would raise before it came to an answer.
 *
 *   solve.c          solutions from outside: begin, walk, bound, hand out
 *   solve_bool.c     booleans that depend on the caller: AND, OR, NOT, IS
 *   solve_compare.c  fact = value, = ANY, IN a list
 *   solve_truth.c    booleans that do not depend on the caller: which of true, false, null, raise
 *   solve_value.c    values, none of which depend on the caller
 *   solve_sub.c      sub-selects: remembered or worked out, and what is wanted of them
 *   solve_rows.c     sub-selects: their rows, in nested loops over the access state
 *   solve_take.c     sub-selects: what the rows add up to
 *   solve_memo.c     answers of sub-selects, until a row they rest on changes
 *   solve_needs.c    what Postgres must be asked, and what it answered
 *   solve_set.c      sets of callers while they are worked with
 *   solve_rules.c    what is told from the trees alone, once: what may raise
 *   solve_shape.c    likewise: which sub-selects ask the same question
 *
 * What raises. Facts do not: a caller one of whose facts raises is nobody's reader (gw/callers.h),
 * so a formula speaks of the others. Values do (a cast of a cell). Evaluation is left to right, as
 * in Postgres: what raises before the outcome is decided keeps callers out of everything to its
 * right. Rows of a sub-select have no order: if one of them raises for a caller, the whole does.
 * Sets of those for whom something raises are upper bounds always, and exact when nothing unknown
 * was met. */
#ifndef GW_SOLVE_INTERNAL_H
#define GW_SOLVE_INTERNAL_H

#include "gw/facts.h"
#include "gw/map.h"
#include "gw/solve.h"

#define GW_SOLVE_DEPTH_MAX 200      /* of expressions within expressions, sub-selects included */
#define GW_SOLVE_MEMO_VALUES_MAX 16 /* outer values of a sub-select that is remembered */

/* ---- solve_set.c: sets of callers ---- */

/* A formula, but the commonest ones without memory of their own: everyone, nobody, one value of one
 * fact. LEFT_OUT: what NEUTRAL leaves out of AND and OR. */
enum gw_set_form { GW_SET_NONE, GW_SET_ALL, GW_SET_LEFT_OUT, GW_SET_IS, GW_SET_TREE };

struct gw_set {
    enum gw_set_form form;
    bool is_many;            /* IS: the fact may have several values at once */
    uint32_t fact;           /* IS */
    struct gw_key key;       /* IS */
    struct gw_formula *tree; /* TREE: a reference, owned; never ALL or NONE */
};

#define GW_SET(f) ((struct gw_set){.form = (f)})

struct gw_set gw_set_is(uint32_t fact, bool is_many, struct gw_key key);
struct gw_set gw_set_of(struct gw_formula *f); /* takes the reference */
struct gw_set gw_set_known(uint32_t fact);
struct gw_set gw_set_copy(const struct gw_set *s);
void gw_set_free(struct gw_set *s); /* leaves NONE */
/* These take their arguments. */
struct gw_set gw_set_and(struct gw_set a, struct gw_set b);
struct gw_set gw_set_or(struct gw_set a, struct gw_set b);
struct gw_set gw_set_not(struct gw_set a);
struct gw_set gw_set_minus(struct gw_set a, struct gw_set b);
struct gw_formula *gw_set_formula(struct gw_set s); /* one reference, owned; LEFT_OUT: none */

/* Union of many sets, linear in their number: values of one fact are collected, not merged one by
 * one. */
struct gw_union_keys {
    uint32_t fact, n, cap;
    bool is_many;
    struct gw_key *keys;
};
#define GW_UNION_FACTS_MAX 4
struct gw_union {
    bool is_all, has_left_out, is_too_big;
    uint32_t n_facts, n_trees, cap_trees;
    struct gw_union_keys facts[GW_UNION_FACTS_MAX];
    struct gw_formula **trees;
};

void gw_union_add(struct gw_union *u, struct gw_set s); /* takes s; u starts zeroed */
struct gw_set gw_union_finish(struct gw_union *u);      /* leaves u zeroed */

/* ---- solve_rules.c: what the trees alone tell ---- */

struct gw_solve_site {
    uint32_t shape; /* from 1; 0: not worked out. Equal shapes ask the same question */
    bool may_raise;
    bool is_known; /* own use: worked out */
};
/* Whether evaluating e may raise, facts apart; notes it for each sub-select inside. */
bool gw_solve_may_raise(struct gw_solve_site *sites, const struct gw_expr *e, unsigned depth);

bool gw_solve_native_may_raise(uint32_t fn);

/* solve_shape.c: the shapes of all sub-selects. */
void gw_solve_shapes(struct gw_solve_site *sites, const struct gw_rules *rules, uint64_t seed);

/* ---- the solver and one solution ---- */

struct gw_memo;
struct gw_answer;

struct gw_solver {
    struct gw_state *state;
    struct gw_solver_config cfg;
    const struct gw_rules *rules; /* a reference, or NULL */
    struct gw_solve_site *sites;
    bool *plan_may_raise;
    uint64_t seed; /* of tables whose keys come from rows */
    struct gw_key key_true, key_false;
    struct gw_solver_stats stats;
    struct gw_solve_ctx *ctx; /* room for one solution at a time */
    /* solve_memo.c */
    struct gw_memo **memos; /* open addressing */
    uint32_t memos_cap, memos_count;
    struct gw_list memos_by_age, memos_dead;
    uint64_t frame_serial;
    /* solve_needs.c */
    struct gw_map answers;
    struct gw_list answers_lasting, answers_passing;
    uint32_t n_answers_lasting;
    struct gw_needs needs;
    struct gw_need_external *need_externals;
    struct gw_need_key *need_keys;
    uint32_t cap_externals, cap_keys;
    struct gw_arena needs_arena;
    struct gw_map needs_seen;
    struct gw_buf key_bytes; /* scratch */
};

/* A find in the access state, remembered for watching. */
struct gw_solve_lookup {
    uint32_t table;
    int32_t index;
    uint32_t n_keys;
    uint64_t hash;
    struct gw_datum keys[GW_RULES_INDEX_COLUMNS_MAX]; /* without text */
};

/* What the answer being worked out rests on: of a sub-select, or of the whole. */
struct gw_solve_frame {
    struct gw_solve_frame *up;
    uint64_t id;
    bool is_inexact; /* met something unknown: MUST and MAY may differ */
    bool is_passing; /* rests on an answer that counts for one judgement only */
    bool is_recording;
    uint32_t n_lookups, cap_lookups, n_memos, cap_memos;
    struct gw_solve_lookup *lookups;
    struct gw_memo **memos; /* other answers that it rests on */
};

/* Where a row variable stands. */
struct gw_solve_slot {
    const struct gw_state_row *row; /* NULL: null-extended */
    uint32_t table;
};

struct gw_solve_ctx {
    struct gw_solver *solver;
    struct gw_state *state;
    const struct gw_rules *rules;
    const struct gw_plan *plan;
    const struct gw_solve_row *row;
    const struct gw_solve_options *options;
    struct gw_solve_frame *frame;
    enum gw_code code; /* E_TOO_BIG: nothing more is worked out */
    bool may_raise, met_error, met_need;
    unsigned depth;
    uint32_t n_rows, n_lookups;
    struct gw_solve_slot slots[GW_RULES_SLOTS_MAX];
    const struct gw_state_row **rows; /* stack of the rows being looped over */
    size_t rows_n, rows_cap;
    struct gw_arena scratch; /* texts made on the way */
};

static inline enum gw_certainty gw_solve_flip(enum gw_certainty c)
{
    return c == GW_MUST ? GW_MAY : c == GW_MAY ? GW_MUST : GW_NEUTRAL;
}
static inline void gw_solve_met_unknown(struct gw_solve_ctx *ctx)
{
    ctx->frame->is_inexact = true;
}
/* What nobody can tell: nobody surely, everybody possibly. */
struct gw_set gw_solve_unknown(struct gw_solve_ctx *ctx, enum gw_certainty certainty);
/* Whether those for whom something raises are to be left out: an upper bound of them is no reason
 * to leave anyone out of an upper bound. */
bool gw_solve_is_binding(const struct gw_solve_ctx *ctx, enum gw_certainty certainty);
/* s without those for whom something to its left raises, where that is binding; takes s. */
struct gw_set gw_solve_without(struct gw_solve_ctx *ctx, struct gw_set s,
                               const struct gw_set *raises, enum gw_certainty certainty);

/* ---- solve_value.c ---- */

struct gw_value {
    struct gw_datum datum;
    bool may_raise; /* UNKNOWN: Postgres may raise in its place */
};

/* e: caller-free. Texts last as long as the solution. */
struct gw_value gw_solve_value(struct gw_solve_ctx *ctx, const struct gw_expr *e);
struct gw_value gw_solve_column(struct gw_solve_ctx *ctx, uint32_t slot, uint32_t column,
                                enum gw_kind kind);

/* ---- solve_truth.c ---- */

/* Which outcomes are possible; one bit: it is known. */
enum { GW_TRUTH_TRUE = 1, GW_TRUTH_FALSE = 2, GW_TRUTH_NULL = 4, GW_TRUTH_RAISE = 8 };

/* e: caller-free, a boolean or a value of type boolean. */
unsigned gw_solve_truth(struct gw_solve_ctx *ctx, const struct gw_expr *e);
unsigned gw_truth_compare(const struct gw_value *a, const struct gw_value *b, enum gw_cmp cmp);
/* As a set: everyone, no one, or as certainty has it. raises may be NULL. */
struct gw_set gw_solve_truth_set(struct gw_solve_ctx *ctx, unsigned truth, bool want,
                                 enum gw_certainty certainty, struct gw_set *raises);

/* ---- solve_bool.c ---- */

/* Those for whom e is want (false: for whom it is false, not null). raises: NULL, or those for whom
 * it raises. */
struct gw_set gw_solve_bool(struct gw_solve_ctx *ctx, const struct gw_expr *e, bool want,
                            enum gw_certainty certainty, struct gw_set *raises);

/* ---- solve_compare.c ---- */

struct gw_operand {
    bool is_fact;
    uint32_t fact;
    struct gw_value value; /* when it is none */
};

/* If v raises, or may: everyone is among raises (which may be NULL). */
void gw_solve_note_raise(struct gw_solve_ctx *ctx, const struct gw_value *v, struct gw_set *raises);
/* s, where v is evaluated too; takes s. */
struct gw_set gw_solve_beside(struct gw_solve_ctx *ctx, struct gw_set s, const struct gw_value *v,
                              enum gw_certainty certainty, struct gw_set *raises);
/* False: e is neither a fact nor caller-free. */
bool gw_solve_operand(struct gw_solve_ctx *ctx, const struct gw_expr *e, struct gw_operand *out);
struct gw_set gw_solve_compare_operands(struct gw_solve_ctx *ctx, const struct gw_operand *a,
                                        const struct gw_operand *b, enum gw_cmp cmp, bool want,
                                        enum gw_certainty certainty, struct gw_set *raises);
struct gw_set gw_solve_compare(struct gw_solve_ctx *ctx, const struct gw_expr *e, bool want,
                               enum gw_certainty certainty, struct gw_set *raises);
struct gw_set gw_solve_any(struct gw_solve_ctx *ctx, const struct gw_expr *e, bool want,
                           enum gw_certainty certainty, struct gw_set *raises);
struct gw_set gw_solve_in_list(struct gw_solve_ctx *ctx, const struct gw_expr *e, bool want,
                               enum gw_certainty certainty, struct gw_set *raises);
/* Elements of an array's text as data of kind, in scratch; false: not an array text. */
bool gw_solve_array(struct gw_solve_ctx *ctx, struct gw_span text, enum gw_kind kind,
                    struct gw_value **items, uint32_t *n);

/* ---- solve_sub.c ---- */

enum gw_sub_mode {
    GW_SUB_EXISTS,
    GW_SUB_IN,           /* x in the targets */
    GW_SUB_SCALAR_EQ,    /* the one row's target = x */
    GW_SUB_SCALAR_TRUTH, /* the one row's target, a boolean */
    GW_SUB_SCALAR_NULL,  /* the one row's target is null, or there is no row */
    GW_SUB_SCALAR_VALUE, /* caller-free: the value itself */
};
struct gw_sub_use {
    enum gw_sub_mode mode;
    struct gw_operand x; /* IN, SCALAR_EQ */
};
/* What the rows add up to. Of EXISTS and IN: yes are those for whom a row is there, maybe those for
 * whom the answer is not false. Of SCALAR: yes and maybe are those for whom the target is so and is
 * not so (SCALAR_NULL: maybe: it is not null). */
struct gw_sub_answer {
    struct gw_set yes, maybe, raises;
    struct gw_set no; /* when has_no: the complement of maybe and raises */
    bool has_no, is_exact;
    struct gw_value value; /* SCALAR_VALUE */
};

struct gw_set gw_solve_sub(struct gw_solve_ctx *ctx, const struct gw_subselect *sub,
                           const struct gw_sub_use *use, bool want, enum gw_certainty certainty,
                           struct gw_set *raises);
unsigned gw_solve_sub_truth(struct gw_solve_ctx *ctx, const struct gw_subselect *sub,
                            const struct gw_sub_use *use);
struct gw_value gw_solve_sub_value(struct gw_solve_ctx *ctx, const struct gw_subselect *sub,
                                   enum gw_kind kind);

/* One pass over the rows, with one certainty. */
struct gw_pass {
    struct gw_solve_ctx *ctx;
    const struct gw_subselect *sub;
    const struct gw_sub_use *use;
    const struct gw_subselect_arm *arm;
    enum gw_certainty certainty;
    bool may_raise, is_left_out;
    uint32_t n_candidates; /* rows that may be there; unseen ones count for two */
    struct gw_union yes, maybe;
    struct gw_set raises;
    /* SCALAR: for whom there was a row already: values of one fact, and the rest. */
    struct gw_union_keys seen_keys;
    struct gw_set seen;
    uint32_t n_seen;
    struct gw_value value; /* SCALAR_VALUE: of the last row */
    /* IN, of a fact: those whose fact is null, made once. */
    struct gw_set null_fact;
    uint32_t null_fact_of;
};

/* solve_rows.c: every combination of rows goes to gw_sub_take, unseen ones to gw_sub_take_unseen.
 */
void gw_sub_rows(struct gw_pass *p);

/* solve_take.c: what the rows say is gathered in the pass. */
/* where: those for whom the row is there; taken. */
void gw_sub_take(struct gw_pass *p, struct gw_set where);
/* Rows may be there that are not known. */
void gw_sub_take_unseen(struct gw_pass *p, struct gw_set where);
/* Enough is known: more rows cannot change the answer. */
bool gw_sub_is_decided(const struct gw_pass *p);
/* The rows bound now cannot matter, whatever their conditions say. */
bool gw_sub_is_beside(struct gw_pass *p);
/* Those in where for whom something raises; raises is taken. */
void gw_sub_raise(struct gw_pass *p, const struct gw_set *where, struct gw_set raises,
                  enum gw_certainty certainty);
void gw_sub_finish(struct gw_pass *p, struct gw_sub_answer *out);
void gw_sub_answer_free(struct gw_sub_answer *a);

/* ---- solve_memo.c ---- */

struct gw_memo_value {
    enum gw_datum_state state;
    struct gw_key key;
};
struct gw_memo_key {
    uint64_t hash;
    uint32_t shape;
    uint16_t role_id;
    uint8_t mode;
    bool x_is_fact;
    uint32_t x_fact;
    uint32_t n_values; /* outer values, then x */
    struct gw_memo_value values[GW_SOLVE_MEMO_VALUES_MAX + 1];
};

/* False: not to be remembered. */
bool gw_memo_key_of(struct gw_solve_ctx *ctx, const struct gw_subselect *sub,
                    const struct gw_sub_use *use, struct gw_memo_key *key);
/* Borrowed until the solution ends, or NULL. Counts as something the open frame rests on. */
struct gw_sub_answer *gw_memo_find(struct gw_solve_ctx *ctx, const struct gw_memo_key *key);
/* Take answer and what f rests on; NULL: no room, both are left as they were. */
struct gw_sub_answer *gw_memo_put(struct gw_solve_ctx *ctx, const struct gw_memo_key *key,
                                  struct gw_sub_answer *answer, struct gw_solve_frame *f);

void gw_frame_open(struct gw_solve_ctx *ctx, struct gw_solve_frame *f, bool is_recording);
void gw_frame_close(struct gw_solve_ctx *ctx,
                    struct gw_solve_frame *f); /* what is in it moves up */
void gw_frame_lookup(struct gw_solve_frame *f, uint32_t table, int32_t index, uint32_t n_keys,
                     const struct gw_datum *keys);
void gw_frame_watch(struct gw_solve_ctx *ctx, struct gw_solve_frame *f, struct gw_watch *w);
void gw_frame_free(struct gw_solve_frame *f);

void gw_memo_init(struct gw_solver *s);
void gw_memo_drop_all(struct gw_solver *s);
void gw_memo_fini(struct gw_solver *s);
void gw_memo_reap(struct gw_solver *s); /* those that were fired upon; outside of callbacks */
void gw_memo_trim(struct gw_solver *s); /* to the bound; between solutions */

/* ---- solve_needs.c ---- */

void gw_needs_init(struct gw_solver *s);
void gw_needs_drop_all(struct gw_solver *s);
void gw_needs_fini(struct gw_solver *s);
struct gw_value gw_solve_external(struct gw_solve_ctx *ctx, const struct gw_expr *e,
                                  const struct gw_datum *args);
void gw_solve_need_key(struct gw_solve_ctx *ctx, uint32_t table, uint32_t index, uint32_t n_keys,
                       const struct gw_datum *key);

#endif
