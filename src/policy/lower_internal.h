/* lower_internal: what the files of lower share: from src/policy/bound.h to gw/expr.h.
 *
 * DESIGN. One policy is lowered in four steps:
 *   1. clean (lower_clean.c): SQL's many spellings become few: a sub-select without FROM is its
 *      target, = ANY (ARRAY(SELECT …)) is IN (SELECT …), a cast literal is a literal, …;
 *   2. info (lower_info.c): of each sub-expression, does it need the row, the caller, a look-up,
 * the clock? Caller-free, caller-only and mixed follow from that;
 *   3. booleans (lower_bool.c, lower_compare.c, lower_sub.c) are taken apart until what is left is
 *      a caller-free value, a fact, or the two compared for equality;
 *   4. values: caller-only ones become facts (lower_fact.c), caller-free ones are computed natively
 *      (lower_native.c) or by Postgres (lower_external.c, lower_sql.c).
 * What fits nowhere is refused with a reason; the first reason stays.
 *
 * Booleans are lowered for a purpose (enum gw_lower_when). Mostly only "is it true?" counts, and
 * then x IN (SELECT t FROM …) is EXISTS with t = x inside, where t = x can be an index key.
 * Negation is pushed down to the comparisons, which is exact in Kleene's logic, so that the same
 * holds below NOT. Where all three values count (IS NULL of a boolean), nothing is rewritten that
 * would not keep them apart.
 *
 * Every function that returns a tree returns NULL once something was refused; they accept NULL
 * parts and pass it on, so a caller builds first and looks once. Trees handed in are clean. Depth
 * is bounded by clean (GW_LOWER_DEPTH_MAX), size by GW_LOWER_NODES_MAX. One thread, one
 * compilation. */
#ifndef GW_LOWER_INTERNAL_H
#define GW_LOWER_INTERNAL_H

#include "bound.h"
#include "gw/compile.h"
#include "gw/facts.h"

#define GW_LOWER_DEPTH_MAX 400u
#define GW_LOWER_NODES_MAX 20000u
#define GW_LOWER_VARS_MAX 256u /* row variables met while lowering one policy */
/* What json ? x asks about: the keys of an object, the strings in an array, a string itself; the
 * json stands between the two. */
#define GW_LOWER_KEYS_HEAD                                                                         \
    "(SELECT CASE pg_catalog.jsonb_typeof(j.x) WHEN 'object' THEN "                                \
    "ARRAY(SELECT pg_catalog.jsonb_object_keys(j.x)) WHEN 'array' THEN "                           \
    "ARRAY(SELECT e.x OPERATOR(pg_catalog.#>>) '{}' FROM "                                         \
    "pg_catalog.jsonb_array_elements(j.x) AS e(x) "                                                \
    "WHERE pg_catalog.jsonb_typeof(e.x) OPERATOR(pg_catalog.=) 'string') "                         \
    "WHEN 'string' THEN ARRAY[j.x OPERATOR(pg_catalog.#>>) '{}'] "                                 \
    "ELSE CASE WHEN j.x IS NULL THEN NULL ELSE '{}'::pg_catalog.text[] END END FROM (SELECT "
#define GW_LOWER_KEYS_TAIL ") AS j(x))"

#define GW_LOWER_HEIGHT_MAX 180u /* of a finished tree; the solver goes down to 200 */

/* Fixed oids of pg_type. */
enum {
    GW_OID_BOOL = 16,
    GW_OID_NAME = 19,
    GW_OID_INT8 = 20,
    GW_OID_INT2 = 21,
    GW_OID_INT4 = 23,
    GW_OID_TEXT = 25,
    GW_OID_OID = 26,
    GW_OID_JSON = 114,
    GW_OID_FLOAT4 = 700,
    GW_OID_FLOAT8 = 701,
    GW_OID_TEXT_ARRAY = 1009,
    GW_OID_BPCHAR = 1042,
    GW_OID_VARCHAR = 1043,
    GW_OID_NUMERIC = 1700,
    GW_OID_UUID = 2950,
    GW_OID_JSONB = 3802,
};

struct gw_lower_vars { /* set of row variables by number */
    uint64_t w[GW_LOWER_VARS_MAX / 64];
};

/* What a sub-expression needs; of the whole of it. */
enum {
    GW_LOWER_ROW = 1 << 0,    /* a column */
    GW_LOWER_INPUT = 1 << 1,  /* the topic */
    GW_LOWER_CALLER = 1 << 2, /* a claim */
    GW_LOWER_SUB = 1 << 3,    /* a sub-select with FROM */
    GW_LOWER_SET = 1 << 4,    /* yields several rows: a set-returning function not yet taken in */
    GW_LOWER_STABLE = 1 << 5, /* not immutable */
    GW_LOWER_TIME = 1 << 6,   /* changes with the clock */
};
struct gw_lower_info {
    uint32_t bits;
    uint32_t n_nodes; /* of the whole tree, shared parts counted as often as they occur */
    struct gw_lower_vars vars;
};

enum gw_lower_when {
    GW_LOWER_TRUE,  /* true where the source is true, else false or null */
    GW_LOWER_FALSE, /* true where the source is false, else false or null */
    GW_LOWER_EXACT, /* the source's value */
};

/* A table of the access state while its columns are still being collected. */
struct gw_lower_table {
    const struct gw_catalog_table *table;
    uint32_t n_columns, cap_columns;
    struct gw_state_column *columns; /* owned */
    uint32_t *positions;             /* owned: of each in table->columns */
    uint32_t n_indexes, cap_indexes;
    struct gw_state_index *indexes; /* owned */
    uint32_t n_identity;
    uint32_t *identity; /* owned */
};

/* The rules being made. Arrays are owned until they are copied into the rules' arena. */
struct gw_lower_rules {
    const struct gw_catalog *catalog;
    struct gw_rules *rules;           /* texts and trees go to its arena */
    struct gw_arena *scratch;         /* what is forgotten after compiling */
    struct gw_fact_setting *settings; /* ROWCAST_CLAIM_SETTINGS */
    uint32_t n_settings;
    struct gw_fact_def *facts;
    uint32_t n_facts, cap_facts;
    struct gw_external *externals;
    uint32_t n_externals, cap_externals;
    struct gw_lower_table *tables;
    uint32_t n_tables, cap_tables;
    uint32_t n_sites;
};

/* One plan being lowered. */
struct gw_lower {
    struct gw_lower_rules *r;
    unsigned role_id;
    bool has_topic;       /* a plan of realtime.messages */
    uint32_t n_slots;     /* given out in this plan; each row variable has its own */
    uint32_t n_nodes;     /* made in this plan */
    uint32_t depth;       /* own use of clean */
    uint32_t native_only; /* > 0: Postgres may not be involved, and failing is no refusal */
    struct gw_idmap cleaned, infos;
    uint32_t slot_of[GW_LOWER_VARS_MAX];
    int32_t table_of[GW_LOWER_VARS_MAX]; /* into r->tables; -1: the row judged */
    struct gw_lower_vars outer_joined;   /* of a LEFT JOIN: may be all NULL */
    struct gw_span label;                /* the policy, for messages */
    struct gw_span why;                  /* refused */
    struct gw_buf notes;                 /* what Postgres evaluates, what is scanned */
};

/* ---- lower.c: one policy, one plan ---- */
void gw_lower_init(struct gw_lower *l, struct gw_lower_rules *r, unsigned role_id, bool has_topic);
void gw_lower_fini(struct gw_lower *l);
/* Start of a policy: forgets variables, notes and the reason of the last. */
void gw_lower_next(struct gw_lower *l, struct gw_span label);
/* The condition on slot 0, true for who passes; NULL: l->why. */
struct gw_expr *gw_lower_policy(struct gw_lower *l, const struct gw_bound *expr);
/* Always NULL. Keeps the first reason; silent under native_only. */
void *gw_lower_refuse(struct gw_lower *l, const char *fmt, ...) GW_PRINTF(2, 3);
/* Like it, with the SQL of node (cut to a line) behind the text. */
void *gw_lower_refuse_node(struct gw_lower *l, const char *text, const struct gw_bound *node);
void gw_lower_note(struct gw_lower *l, const char *text, struct gw_span detail);
static inline bool gw_lower_failed(const struct gw_lower *l)
{
    return l->why.n > 0;
}

/* ---- lower_clean.c ---- */
const struct gw_bound *gw_lower_clean(struct gw_lower *l, const struct gw_bound *node);

/* ---- lower_build.c: new bound nodes, in the scratch arena; they are clean if their parts are ----
 */
struct gw_bound *gw_lower_b_new(struct gw_lower *l, enum gw_bound_op op, uint32_t type_oid,
                                uint32_t n_args);
struct gw_bound *gw_lower_b_copy(struct gw_lower *l, const struct gw_bound *node); /* args too */
const struct gw_bound *gw_lower_b_const(struct gw_lower *l, uint32_t type_oid, struct gw_span text);
const struct gw_bound *gw_lower_b_null(struct gw_lower *l, uint32_t type_oid);
const struct gw_bound *gw_lower_b_bool(struct gw_lower *l, bool value);
const struct gw_bound *gw_lower_b_pair(struct gw_lower *l, enum gw_bound_op op,
                                       const struct gw_bound *a, const struct gw_bound *b);
const struct gw_bound *gw_lower_b_not(struct gw_lower *l, const struct gw_bound *a);
const struct gw_bound *gw_lower_b_op(struct gw_lower *l, struct gw_span op,
                                     const struct gw_bound *a, const struct gw_bound *b);
const struct gw_bound *gw_lower_b_cast(struct gw_lower *l, const struct gw_bound *a,
                                       uint32_t type_oid);
const struct gw_bound *gw_lower_b_is_null(struct gw_lower *l, const struct gw_bound *a);
const struct gw_bound *gw_lower_b_is_not_null(struct gw_lower *l, const struct gw_bound *a);
const struct gw_bound *gw_lower_b_is(struct gw_lower *l, const struct gw_bound *a, enum gw_is test);
const struct gw_bound *gw_lower_b_is_not(struct gw_lower *l, const struct gw_bound *a,
                                         enum gw_is test);

/* ---- lower_info.c ---- */
/* Refuses what cannot be answered here at all: volatile functions, bodies that were not read. */
const struct gw_lower_info *gw_lower_info(struct gw_lower *l, const struct gw_bound *node);
bool gw_lower_is_caller_free(struct gw_lower *l, const struct gw_bound *node);
bool gw_lower_is_caller_only(struct gw_lower *l, const struct gw_bound *node);
/* A literal, or a column that has a value in every row. */
bool gw_lower_is_never_null(const struct gw_lower *l, const struct gw_bound *node);
bool gw_lower_vars_meet(const struct gw_lower_vars *a, const struct gw_lower_vars *b);
void gw_lower_vars_add(struct gw_lower_vars *a, uint32_t number);
bool gw_lower_vars_has(const struct gw_lower_vars *a, uint32_t number);

/* ---- lower_type.c ---- */
/* How values of this expression compare; OPAQUE for columns whose collation is not deterministic.
 */
enum gw_kind gw_lower_kind(const struct gw_lower *l, const struct gw_bound *node);
enum gw_kind gw_lower_type_kind(const struct gw_lower *l, uint32_t type_oid);
bool gw_lower_is_text_type(uint32_t type_oid);                                /* text, varchar */
uint32_t gw_lower_element_type(const struct gw_lower *l, uint32_t array_oid); /* 0: no array */
bool gw_lower_cast_is_immutable(const struct gw_lower *l, uint32_t from, uint32_t to);
/* pg_catalog."int8", "public"."color"; false: not known. */
bool gw_lower_type_name(const struct gw_lower *l, uint32_t type_oid, struct gw_buf *out);
/* The function a call names, without pg_catalog; empty when it is somebody's own. */
struct gw_span gw_lower_builtin(const struct gw_bound *call);
/* Whether a call or OP is pg_catalog's of that name. */
bool gw_lower_is_op(const struct gw_bound *node, const char *name);
/* The value of a literal under a kind; UNKNOWN when it cannot be told here. */
struct gw_datum gw_lower_literal(const struct gw_lower *l, const struct gw_bound *constant,
                                 uint32_t type_oid);
/* For =, <>, <, <=, >, >=. */
bool gw_lower_cmp_of(const struct gw_bound *node, enum gw_cmp *cmp);
/* The cast function from one type to another. GW_FN_NONE and *is_same: nothing to do. */
enum gw_native_fn gw_lower_cast_fn(const struct gw_lower *l, uint32_t from, uint32_t to,
                                   bool *is_same);
/* The native function of a call or an operator with these argument types, or GW_FN_NONE.
 * *is_negated: it answers the opposite (!~~). */
enum gw_native_fn gw_lower_native_fn(const struct gw_lower *l, const struct gw_bound *node,
                                     bool *is_negated);

/* ---- lower_expr.c: nodes of gw/expr.h, simplified as they are made ---- */
struct gw_expr *gw_lower_expr(struct gw_lower *l, enum gw_expr_op op, enum gw_kind kind,
                              uint32_t n_args);
struct gw_expr *gw_lower_bool_const(struct gw_lower *l, bool value);
struct gw_expr *gw_lower_null(struct gw_lower *l, enum gw_kind kind);
struct gw_expr *gw_lower_not(struct gw_lower *l, struct gw_expr *e);
struct gw_expr *gw_lower_join(struct gw_lower *l, enum gw_expr_op op, struct gw_expr **args,
                              uint32_t n); /* AND, OR */
struct gw_expr *gw_lower_is(struct gw_lower *l, struct gw_expr *e, enum gw_is test);
struct gw_expr *gw_lower_is_null(struct gw_lower *l, struct gw_expr *e);
struct gw_expr *gw_lower_compare(struct gw_lower *l, struct gw_expr *a, enum gw_cmp cmp,
                                 struct gw_expr *b);
struct gw_expr *gw_lower_truth(struct gw_lower *l, struct gw_expr *e);
bool gw_lower_is_true(const struct gw_expr *e);  /* the constant */
bool gw_lower_is_false(const struct gw_expr *e); /* the constant */
bool gw_lower_is_null_const(const struct gw_expr *e);
/* Comparable natively: kinds alike and known; order only where the kind has one. */
bool gw_lower_kinds_compare(const struct gw_expr *a, enum gw_cmp cmp, const struct gw_expr *b);

/* ---- values ---- */
/* lower_native.c: NULL when Postgres would be needed; nothing is refused. Caller-free. */
struct gw_expr *gw_lower_native(struct gw_lower *l, const struct gw_bound *node);
/* The literal as a constant of the kind that values of type_oid have, or NULL. */
struct gw_expr *gw_lower_constant(struct gw_lower *l, const struct gw_bound *node,
                                  uint32_t type_oid);
struct gw_expr *gw_lower_column(struct gw_lower *l, const struct gw_bound *node);
/* Its text is needed, not only its key: say so to the columns it is made of. */
void gw_lower_needs_text(struct gw_lower *l, const struct gw_expr *e);
/* lower_external.c: by Postgres, once per row. */
struct gw_expr *gw_lower_external(struct gw_lower *l, const struct gw_bound *node);
/* What the keys of a jsonb are, as text[]. */
struct gw_expr *gw_lower_external_keys(struct gw_lower *l, const struct gw_bound *json);
/* Caller-free, a fact or a SCALAR. literal_type: what an untyped literal is (0: text). */
struct gw_expr *gw_lower_value(struct gw_lower *l, const struct gw_bound *node,
                               uint32_t literal_type);

/* ---- lower_fact.c, lower_fact_native.c ---- */
struct gw_expr *gw_lower_fact(struct gw_lower *l, const struct gw_bound *node);
/* An array or set-returning caller-only expression as a set of its elements. */
struct gw_expr *gw_lower_set_fact(struct gw_lower *l, const struct gw_bound *node);
/* Whether that set is empty: a boolean; null where the array is. */
struct gw_expr *gw_lower_empty_fact(struct gw_lower *l, const struct gw_bound *node);
struct gw_expr *gw_lower_key_set_fact(struct gw_lower *l, const struct gw_bound *json);
struct gw_fact_expr *gw_lower_fact_native(struct gw_lower *l, const struct gw_bound *node);
struct gw_fact_expr *gw_lower_set_native(struct gw_lower *l, const struct gw_bound *node);
struct gw_fact_expr *gw_lower_empty_native(struct gw_lower *l, const struct gw_bound *node);
bool gw_lower_is_claim_setting(const struct gw_lower *l, struct gw_span name);

/* ---- lower_sql.c ---- */
struct gw_lower_sql {
    struct gw_lower *l;
    struct gw_buf *out;
    bool failed;
    bool is_sketch; /* for people: columns by name, nothing collected */
    uint32_t n_args, cap_args;
    const struct gw_bound **args; /* columns, topic, sub-selects: v.a1 …; in the scratch arena */
};
void gw_lower_sql(struct gw_lower_sql *w, const struct gw_bound *node);
void gw_lower_sql_literal(struct gw_buf *out, struct gw_span text);

/* ---- booleans ---- */
/* lower_bool.c */
struct gw_expr *gw_lower_bool(struct gw_lower *l, const struct gw_bound *node,
                              enum gw_lower_when when);
/* true where yes is, false where no is, else null. */
struct gw_expr *gw_lower_three(struct gw_lower *l, struct gw_expr *yes, struct gw_expr *no);
/* lower_cases.c: node with one of its arguments taken apart by its cases, as booleans over simpler
 * nodes; NULL: nothing to take apart. */
const struct gw_bound *gw_lower_split(struct gw_lower *l, const struct gw_bound *node);
const struct gw_bound *gw_lower_split_bool(struct gw_lower *l, const struct gw_bound *node);
/* lower_compare.c */
struct gw_expr *gw_lower_comparison(struct gw_lower *l, const struct gw_bound *node,
                                    enum gw_lower_when when);
struct gw_expr *gw_lower_distinct(struct gw_lower *l, const struct gw_bound *node,
                                  enum gw_lower_when when);
struct gw_expr *gw_lower_leaf(struct gw_lower *l, const struct gw_bound *node,
                              enum gw_lower_when when);
struct gw_expr *gw_lower_turn(struct gw_lower *l, struct gw_expr *exact, enum gw_lower_when when);
/* lower_list.c */
struct gw_expr *gw_lower_any(struct gw_lower *l, const struct gw_bound *node,
                             enum gw_lower_when when);
/* json ? key */
struct gw_expr *gw_lower_json_key(struct gw_lower *l, const struct gw_bound *node,
                                  enum gw_lower_when when);

/* ---- sub-selects ---- */
/* lower_exists.c: EXISTS, IN, ALL and what compares with a SCALAR, as EXISTS. */
struct gw_expr *gw_lower_sub(struct gw_lower *l, const struct gw_bound *node,
                             enum gw_lower_when when);
/* node has a SCALAR for an argument, or is one in a boolean's place; NULL without a refusal: it
 * cannot be put as EXISTS. */
struct gw_expr *gw_lower_over_scalar(struct gw_lower *l, const struct gw_bound *node,
                                     enum gw_lower_when when);
bool gw_lower_is_scalar(const struct gw_bound *node);
/* At most one row, by primary keys. */
bool gw_lower_is_single(struct gw_lower *l, const struct gw_bound_select *select);
/* lower_sub.c: op EXISTS or SCALAR. test: one more condition on each row (NULL: none). */
enum gw_lower_test_kind {
    GW_LOWER_PASSES,   /* true */
    GW_LOWER_FAILS,    /* false */
    GW_LOWER_MAY_PASS, /* not false */
    GW_LOWER_MAY_FAIL, /* not true */
};
struct gw_lower_test {
    enum gw_lower_test_kind kind;
    const struct gw_bound *node; /* args[arg] stands for the target; NULL: the target itself */
    uint32_t arg;
};
struct gw_expr *gw_lower_subselect(struct gw_lower *l, enum gw_expr_op op, enum gw_kind kind,
                                   const struct gw_bound_select *select,
                                   const struct gw_lower_test *test);
/* lower_arm.c: one SELECT. cond: one more conjunct, or NULL. */
bool gw_lower_arm(struct gw_lower *l, const struct gw_bound_arm *arm, const struct gw_bound *cond,
                  bool has_target, struct gw_subselect_arm *out);
/* Split on AND; out in the scratch arena. Returns how many are there now. */
struct gw_lower_conjuncts {
    uint32_t n, cap;
    const struct gw_bound **items;
};
void gw_lower_split_and(struct gw_lower *l, struct gw_lower_conjuncts *c,
                        const struct gw_bound *node);

/* ---- lower_table.c: tables of the access state ---- */
/* Into r->tables; -1: refused, it cannot be followed. */
int32_t gw_lower_table(struct gw_lower *l, const struct gw_catalog_table *t);
uint32_t gw_lower_table_column(struct gw_lower_rules *r, uint32_t table, uint32_t position);
/* columns: n of them, into the table's columns, ascending. */
int32_t gw_lower_table_index(struct gw_lower_rules *r, uint32_t table, const uint32_t *columns,
                             uint32_t n);
/* What was there at a moment, to go back to when a plan is refused. */
struct gw_lower_mark;
struct gw_lower_mark *gw_lower_mark(struct gw_lower_rules *r);
void gw_lower_rollback(struct gw_lower_rules *r, const struct gw_lower_mark *m);
void gw_lower_rules_finish(struct gw_lower_rules *r); /* into the rules, and free what is owned */

/* ---- lower_walk.c: what finished trees use ---- */
void gw_lower_find_free(struct gw_lower *l, struct gw_subselect *sub);
uint32_t gw_lower_height(const struct gw_expr *e); /* nodes on the longest way down */
bool gw_lower_is_assisted(const struct gw_lower_rules *r, const struct gw_expr *e);
void gw_lower_find_uses(const struct gw_lower_rules *r, struct gw_plan *plan);

/* ---- catalog.c ---- */
/* Before plans: ASKED, where policies decide. */
enum gw_path gw_catalog_choose_path(const struct gw_catalog *c, const struct gw_catalog_table *t,
                                    unsigned role_id);
/* compile_fingerprint.c */
void gw_compile_fingerprint(const struct gw_catalog *c, const struct gw_compile_options *options,
                            uint64_t out[2]);

#endif
