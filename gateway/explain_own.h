/* explain_own: what the files of `rowcast explain` share: explain_cmd.c (the course),
 * explain_args.c (what the command line says), explain_db.c (two connections, one snapshot),
 * explain_facts.c (what is true of the caller), explain_solve.c (the solver, fed by reads as it
 * asks for them), explain_print.c (the report). Main thread. */
#ifndef GW_EXPLAIN_OWN_H
#define GW_EXPLAIN_OWN_H

#include "cmd_db.h"
#include "settings.h"

#include "gw/claims.h"
#include "gw/facts.h"
#include "gw/solve.h"

#define GW_EXPLAIN_KEY_MAX 16

struct gw_explain_args {
    const char *user, *claims, *role, *table, *key; /* flags; NULL: not given */
};

/* One column of the key and its value as text. */
struct gw_explain_part {
    struct gw_span column; /* empty: by its place in the primary key */
    char *text;            /* owned */
};

struct gw_explain {
    struct gw_explain_args args;
    const struct gw_settings *settings;
    struct gw_arena arena;
    struct gw_claims *claims; /* of the caller; owned */
    struct gw_span schema, name;
    uint32_t n_key;
    struct gw_explain_part key[GW_EXPLAIN_KEY_MAX];
    struct gw_catalog *catalog; /* owned */
    const struct gw_catalog_table *table;
    const struct gw_table_access *access;   /* of the caller's role */
    struct gw_fact_setting *claim_settings; /* of ROWCAST_CLAIM_SETTINGS; in the arena */
    uint32_t n_claim_settings;
    struct pg_conn *pg;    /* database_url: past row security */
    struct pg_conn *query; /* query_url: as the role */
    bool is_one_snapshot;  /* of both connections */
    bool has_row;
    struct gw_datum *cells; /* has_row: one per column of the table, with text */
};

/* ---- explain_args.c; E_SETTING: what the operator wrote is at fault ---- */

GW_MUST_CHECK enum gw_code gw_explain_read_claims(struct gw_explain *x, struct gw_err *err);
GW_MUST_CHECK enum gw_code gw_explain_read_table(struct gw_explain *x, struct gw_err *err);
GW_MUST_CHECK enum gw_code gw_explain_read_key(struct gw_explain *x, struct gw_err *err);
void gw_explain_read_claim_settings(struct gw_explain *x);
/* The value of a claim as a setting: strings bare, the rest as JSON, missing as "". Owned. */
char *gw_explain_claim_text(const struct gw_explain *x, struct gw_span claim);

/* ---- explain_db.c ---- */

GW_MUST_CHECK enum gw_code gw_explain_open(struct gw_explain *x, struct gw_err *err);
void gw_explain_close(struct gw_explain *x);
/* Give the parts of the key that have no name theirs. */
GW_MUST_CHECK enum gw_code gw_explain_name_key(struct gw_explain *x, struct gw_err *err);
/* has_row and cells. */
GW_MUST_CHECK enum gw_code gw_explain_read_row(struct gw_explain *x, struct gw_err *err);

/* What Postgres answers when the caller selects the row by its key. */
enum gw_explain_answer {
    GW_EXPLAIN_VISIBLE,
    GW_EXPLAIN_HIDDEN,
    GW_EXPLAIN_RAISED,
    GW_EXPLAIN_UNASKED
};
enum gw_explain_answer gw_explain_ask(struct gw_explain *x, struct gw_err *why);

/* One expression, evaluated by Postgres under the caller's role; with his claims, or without any.
 */
struct gw_explain_eval {
    struct gw_span sql; /* as struct gw_db_eval has it */
    bool as_caller;
    uint32_t n_args;
    const struct gw_datum *args;
};
/* Text in the arena. ERROR, UNKNOWN: why. */
struct gw_datum gw_explain_eval(struct gw_explain *x, const struct gw_explain_eval *e,
                                struct gw_err *why);
/* Rows of the access state into state: those of a key, or all (key NULL). */
GW_MUST_CHECK enum gw_code gw_explain_load(struct gw_explain *x, struct gw_state *state,
                                           const struct gw_need_key *need, uint32_t table,
                                           struct gw_err *err);

/* ---- explain_facts.c ---- */

struct gw_explain_facts {
    struct gw_fact *facts;  /* by number; only those of the plan are worked out */
    struct gw_datum *texts; /* as Postgres prints them, for people */
    bool *differ;           /* Rowcast's own value is not Postgres' */
    uint32_t trouble;       /* of the plan, one that raises or is not known; or UINT32_MAX */
};
/* In the arena. */
struct gw_explain_facts *gw_explain_find_facts(struct gw_explain *x, const struct gw_plan *plan);

/* ---- explain_solve.c ---- */

enum gw_explain_truth {
    GW_EXPLAIN_TRUE,
    GW_EXPLAIN_FALSE,
    GW_EXPLAIN_NULL,
    GW_EXPLAIN_UNKNOWN, /* something could not be told: nobody is admitted by it */
    GW_EXPLAIN_ERROR,   /* Postgres would raise */
    GW_EXPLAIN_TOO_BIG,
};

struct gw_explain_solver;
struct gw_explain_solver *gw_explain_solver_new(struct gw_explain *x, const struct gw_plan *plan,
                                                const struct gw_explain_facts *facts);
void gw_explain_solver_free(struct gw_explain_solver *s); /* accepts NULL */

struct gw_explain_solution {
    enum gw_explain_truth truth; /* for the caller */
    struct gw_formula *formula;  /* for whom it is true; owned, NULL if there is none */
    struct gw_buf steps;         /* look-ups and evaluations, a line each */
};
/* A policy's expression, or the plan's. err: OK, or why something could not be read. */
void gw_explain_solve(struct gw_explain_solver *s, const struct gw_expr *expr,
                      struct gw_explain_solution *out, struct gw_err *err);
void gw_explain_solution_fini(struct gw_explain_solution *s);

/* ---- explain_print.c ---- */

void gw_explain_print_row(const struct gw_explain *x);
void gw_explain_print_caller(const struct gw_explain *x);
/* The policies that apply; solver NULL: without what they come to. True: the row is visible. */
bool gw_explain_print_policies(struct gw_explain *x, struct gw_explain_solver *solver,
                               const struct gw_explain_facts *facts);
void gw_explain_print_facts(const struct gw_explain *x, const struct gw_plan *plan,
                            const struct gw_explain_facts *facts);
/* Append SQL of the compiler, easier to read: for people, not for Postgres. */
void gw_explain_add_sql(struct gw_buf *out, struct gw_span sql);
/* One line of the report: a subject, at most 10 bytes, and text. */
void gw_explain_say(const char *subject, const char *fmt, ...) GW_PRINTF(2, 3);
/* Append a value on one line, not more than some 200 bytes of it. */
void gw_explain_add_value(struct gw_buf *out, const struct gw_datum *d);

#endif
