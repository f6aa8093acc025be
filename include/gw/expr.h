/* expr: what the policies of one catalog mean, compiled: plain trees over the row, the caller and
 * look-ups in other tables. Made by gw/compile.h, read by gw/solve.h, gw/state.h, gw/facts.h,
 * `rowcast check` and `rowcast explain`.
 *
 * Immutable once built, self-contained (own arena, positions and oids instead of pointers into a
 * catalog), atomic count: several catalogs whose contents do not differ share one.
 *
 * Every sub-expression is one of three things:
 *   - caller-free: its value follows from the row, constants and look-ups; the solver computes it;
 *   - caller-only: a function of the claims alone; it becomes a *fact* (struct gw_fact_def), worked
 *     out once per caller, and stands in the tree as GW_EXPR_FACT;
 *   - mixed: booleans (AND, OR, NOT, EXISTS, …) over the two, solved for the caller; and the one
 *     mixed comparison that can be inverted: fact = caller-free value.
 * Anything else mixed (fact < column, column LIKE fact || '%') is not compiled: the table is asked. */
#ifndef GW_EXPR_H
#define GW_EXPR_H

#include "gw/datum.h"

#include <stdatomic.h>

#define GW_RULES_INDEX_COLUMNS_MAX 4
#define GW_RULES_SLOTS_MAX 64 /* row variables in one plan */

enum gw_expr_op {
    /* Values. */
    GW_EXPR_CONST,    /* datum */
    GW_EXPR_COLUMN,   /* slot, column */
    GW_EXPR_INPUT,    /* column: enum gw_input; of a topic question, else UNKNOWN */
    GW_EXPR_FACT,     /* fact: caller-only; symbolic */
    GW_EXPR_NATIVE,   /* native, args: caller-free */
    GW_EXPR_EXTERNAL, /* external, args: caller-free; Postgres evaluates (assisted) */
    GW_EXPR_COALESCE, /* args; caller-free */
    GW_EXPR_CASE,     /* args: cond, value, cond, value, …, else (always there); caller-free */
    GW_EXPR_SCALAR,   /* sub: the target of its one row, NULL if none, ERROR if several */
    /* Booleans: true, false, or null. */
    GW_EXPR_TRUTH,   /* args[0]: a boolean value */
    GW_EXPR_AND,     /* args, left to right */
    GW_EXPR_OR,      /* args, left to right */
    GW_EXPR_NOT,     /* args[0] */
    GW_EXPR_IS_NULL, /* args[0]: a value (a FACT too) */
    GW_EXPR_IS,      /* args[0]: a boolean; test: GW_IS_TRUE, _FALSE, _UNKNOWN */
    GW_EXPR_COMPARE, /* args[0] cmp args[1]; a FACT or SCALAR on either side: EQ and NE only */
    GW_EXPR_ANY,     /* args[0] = any of args[1…]; a FACT among args[1…] may be a set */
    GW_EXPR_IN_LIST, /* args[0] in the elements of args[1], an array-valued caller-free value */
    GW_EXPR_EXISTS,  /* sub */
    GW_EXPR_IN,      /* args[0] IN (sub's target) */
};

/* LT, LE, GT, GE need gw_kind_has_order. DISTINCT is IS DISTINCT FROM (never null). */
enum gw_cmp { GW_CMP_EQ, GW_CMP_NE, GW_CMP_LT, GW_CMP_LE, GW_CMP_GT, GW_CMP_GE, GW_CMP_DISTINCT };
enum gw_is { GW_IS_TRUE, GW_IS_FALSE, GW_IS_UNKNOWN };
/* What a topic question brings besides the row of realtime.messages. */
enum gw_input { GW_INPUT_TOPIC }; /* current_setting('realtime.topic', true) */

struct gw_expr {
    enum gw_expr_op op;
    enum gw_kind kind;  /* of a value; BOOL for booleans */
    uint32_t type_oid;  /* of a value; 0 if not known */
    bool caller_free;   /* no FACT anywhere below */
    uint32_t slot, column; /* COLUMN; slot 0 is the row judged */
    uint32_t index; /* FACT: into rules->facts; NATIVE: enum gw_native_fn; EXTERNAL: rules->externals */
    enum gw_cmp cmp;
    enum gw_is test;
    struct gw_datum datum; /* CONST; text in the rules' arena. COLUMN: text is its name */
    uint32_t n_args;
    struct gw_expr **args;
    struct gw_subselect *sub; /* SCALAR, EXISTS, IN */
};

/* ---- sub-selects ---- */

/* One table in FROM. Rows are found by an index of the access state, or all of them are looked at. */
struct gw_source {
    uint32_t slot;  /* where its row is bound */
    uint32_t table; /* into rules->tables */
    bool is_left;   /* LEFT JOIN: without a match one row of NULLs */
    int32_t index;  /* into the table's indexes; -1: every row */
    uint32_t n_keys;
    struct gw_expr **keys; /* caller-free, over slots bound before; one per index column, = semantics */
    uint32_t n_on;
    struct gw_expr **on; /* is_left: the rest of ON (index keys came from it); else empty */
    uint32_t n_where;
    struct gw_expr **where; /* conditions that can be told once this source is bound, inner policies
                             * of the table included (those of a LEFT JOIN's table stand in on) */
};

struct gw_subselect_arm { /* one SELECT of a UNION */
    uint32_t n_sources; /* 0: a SELECT without FROM */
    struct gw_source *sources; /* in the order they are looked up */
    uint32_t n_where;          /* conditions before any source is bound */
    struct gw_expr **where;
    struct gw_expr *target;    /* IN, SCALAR; may be a FACT; NULL for EXISTS */
};

struct gw_subselect {
    uint32_t site; /* unique in the rules: names the memo of its answers */
    bool caller_free;
    uint32_t n_arms;
    struct gw_subselect_arm *arms;
    uint32_t n_free; /* columns of outer rows it depends on: with their values equal the answer is */
    struct gw_free_column {
        uint32_t slot, column;
    } *free_columns; /* GW_EXPR_INPUT used inside: slot UINT32_MAX, column the input */
    bool has_volatile_input; /* an EXTERNAL that is not immutable inside: never memoised */
};

/* ---- what the trees refer to ---- */

/* Caller-only expression. Native: computed from claims by gw/facts.h; else, or where the native way
 * gives up on certain claims, Postgres evaluates sql as that caller, once. */
struct gw_fact_def {
    struct gw_span sql;     /* scalar expression; NUL-terminated; equal text, equal fact */
    struct gw_fact_expr *native; /* NULL: Postgres only; own type of gw/facts.h */
    enum gw_kind kind;      /* of the value, or of the elements of a set */
    uint32_t type_oid;
    bool is_set;            /* a claim array: each element is a value of the fact */
};

/* Caller-free expression that only Postgres evaluates. */
struct gw_external {
    struct gw_span sql; /* over v.a1 … v.an, each cast to its type already; yields one value; text of
                         * it is taken. NUL-terminated */
    uint32_t n_args;
    bool is_immutable; /* answers may be remembered; else asked for each judgement */
    enum gw_kind kind;
    uint32_t type_oid;
};

/* A table that policies look into. Columns and indexes that any plan needs. */
struct gw_state_column {
    struct gw_span name;
    int16_t attnum; /* a column dropped and made again under its name is another one */
    uint32_t type_oid;
    enum gw_kind kind;
    bool needs_text; /* its text is used, not only its key */
};
struct gw_state_index {
    uint32_t n;
    uint32_t columns[GW_RULES_INDEX_COLUMNS_MAX]; /* into the table's columns, ascending */
};
struct gw_state_table_def {
    uint32_t oid;
    struct gw_span schema, name;
    uint32_t n_columns;
    struct gw_state_column *columns;
    uint32_t n_identity;   /* columns that identify a row: primary key, else replica identity; 0: all
                            * columns of the table are in the state and do so together */
    uint32_t *identity;    /* into columns */
    uint32_t n_indexes;
    struct gw_state_index *indexes;
};

/* ---- plans ---- */

enum gw_plan_path { GW_PLAN_SOLVED, GW_PLAN_ASSISTED, GW_PLAN_ASKED };

/* Of one policy, for check and explain. */
struct gw_plan_policy {
    struct gw_span name;
    bool permissive;
    enum gw_plan_path path;
    struct gw_span why;     /* ASKED: the reason; ASSISTED: what Postgres evaluates; else empty */
    struct gw_expr *expr;   /* NULL when ASKED */
};

/* Who may see a row of a table, for one role. */
struct gw_plan {
    uint32_t rel_oid;
    uint16_t role_id;
    bool is_write;          /* INSERT WITH CHECK (realtime.messages), else SELECT USING */
    enum gw_plan_path path; /* ASKED if any of its policies is */
    struct gw_span why;     /* ASKED */
    struct gw_expr *expr;   /* permissive ORed, restrictive ANDed; NULL when ASKED */
    uint32_t n_slots;
    uint32_t n_policies;
    struct gw_plan_policy *policies;
    uint32_t n_reads;       /* columns of slot 0, into the catalog table's columns, ascending */
    uint32_t *reads;
    uint32_t n_facts;       /* facts it uses */
    uint32_t *facts;
    uint32_t n_tables;      /* access-state tables it uses */
    uint32_t *tables;
};

struct gw_rules {
    _Atomic uint32_t refs; /* own use */
    struct gw_arena arena;
    uint64_t fingerprint[2]; /* of the catalog contents they follow from */
    uint32_t n_facts;
    struct gw_fact_def *facts;
    uint32_t n_externals;
    struct gw_external *externals;
    uint32_t n_tables;
    struct gw_state_table_def *tables;
    uint32_t n_sites;
    uint32_t n_plans;
    struct gw_plan *plans; /* one per table × role whose readers depend on policies */
    struct gw_map by_key;  /* own use */
};

struct gw_rules *gw_rules_ref(const struct gw_rules *r);
void gw_rules_unref(const struct gw_rules *r); /* accepts NULL */
/* Borrowed, or NULL: no plan (nobody, everyone, or not published). */
const struct gw_plan *gw_rules_plan(const struct gw_rules *r, uint32_t rel_oid, unsigned role_id,
                                    bool is_write);
int gw_rules_table_find(const struct gw_rules *r, uint32_t oid); /* into tables, or -1 */
/* A tree as indented text, for check --verbose, explain and tests. */
void gw_expr_print(struct gw_buf *out, const struct gw_rules *r, const struct gw_expr *e);

#endif
