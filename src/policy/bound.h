/* bound: a policy as a tree of SQL with every name resolved, every function that can be inlined
 * inlined, and the policies of inner tables in place: what bind*.c makes of libpg_query's trees and
 * lower*.c turns into gw/expr.h. Lives in an arena for one compilation.
 *
 * The tree is still SQL-shaped: sub-selects keep FROM, WHERE, ON and targets; operators and calls
 * that are not understood stay as they are, to be handed to Postgres (caller-free) or refused.
 *
 * Nodes may be shared (an argument used twice in a body, a variable of plpgsql), and a variable may
 * stand in FROM of several sub-selects, though never of one inside the other: never write to one.
 * The text of a constant is input syntax of its type as somebody wrote it; of bool it is t or f, of
 * integers and uuids it is canonical wherever it is well formed. A call with fn is of an IMMUTABLE
 * function that reads nothing; every other function of the user's is inlined or refused. A function
 * that returns rows stands only at the top of a target, casts aside, of an arm without FROM. */
#ifndef GW_BOUND_H
#define GW_BOUND_H

#include "gw/catalog.h"

enum gw_bound_op {
    GW_B_CONST,   /* text, is_null; type 0 (unknown) for an untyped literal */
    GW_B_COLUMN,  /* var, column (into var->table's columns) */
    GW_B_SETTING, /* current_setting(text[, true]): text is the name; is_null: missing_ok */
    GW_B_ROLE, /* current_user, current_role, user: of the caller (not below a SECURITY DEFINER) */
    GW_B_CALL, /* a function that is not inlined: text "schema.name" quoted as needed, args; fn or
                * NULL (pg_catalog) */
    GW_B_OP,   /* text: operator name ("=", "->>", "~*"); args: 1 (prefix) or 2; schema in text as
                * OPERATOR(s.op) when it is not pg_catalog's */
    GW_B_CAST, /* args[0] to type */
    GW_B_AND,
    GW_B_OR,
    GW_B_NOT,
    GW_B_NULL_TEST, /* args[0] IS NULL; is_not */
    GW_B_BOOL_TEST, /* args[0] IS [NOT] TRUE, FALSE, UNKNOWN: test, is_not */
    GW_B_DISTINCT,  /* args[0] IS [NOT] DISTINCT FROM args[1]; is_not */
    GW_B_COALESCE,
    GW_B_NULLIF,
    GW_B_CASE,      /* CASE: cond, value, …, else (always there) */
    GW_B_ARRAY,     /* ARRAY[args] */
    GW_B_ELEMENT,   /* args[0][args[1]], or args[0][args[1]:args[2]]; args[0] of an array type */
    GW_B_ANY,       /* args[0] op ANY/ALL (args[1], an array): text the operator, is_all */
    GW_B_SUB,       /* sub_kind, select; IN/ALL: args[0], text the operator */
    GW_B_STRICT,    /* body of a STRICT function: NULL if any of args[1…] is, else args[0] */
    GW_B_VALUE_FN,  /* current_timestamp, current_date, …: text; stable */
    GW_B_WHOLE_ROW, /* var */
};

/* GW_B_COUNT: count(*), inside the binder alone. */
enum gw_bound_sub { GW_B_EXISTS, GW_B_IN, GW_B_ALL, GW_B_SCALAR, GW_B_ARRAY_OF, GW_B_COUNT };

/* Who the expression runs as. */
struct gw_bound_var {
    const struct gw_catalog_table *table;
    uint32_t number; /* unique in the plan; 0: the row judged */
};

struct gw_bound {
    enum gw_bound_op op;
    uint32_t type_oid; /* 0: not known, or an untyped literal */
    struct gw_span text;
    bool is_null, is_not, is_all;
    enum gw_is test;
    struct gw_bound_var *var;
    uint32_t column;
    const struct gw_catalog_function *fn;
    char volatility; /* CALL, OP, VALUE_FN: i, s, v; of what is called itself */
    uint32_t n_args;
    struct gw_bound **args;
    enum gw_bound_sub sub_kind;
    struct gw_bound_select *select;
};

struct gw_bound_from { /* FROM, in order; a comma or CROSS JOIN is an inner join without ON */
    struct gw_bound_var *var;
    bool is_left;
    struct gw_bound *on;    /* or NULL */
    struct gw_bound *guard; /* the inner table's own policies for whoever runs this; or NULL */
};

struct gw_bound_select {
    uint32_t n_arms; /* UNION [ALL] */
    struct gw_bound_arm {
        uint32_t n_from;
        struct gw_bound_from *from;
        struct gw_bound *where;  /* or NULL */
        struct gw_bound *target; /* IN, ALL, SCALAR, ARRAY_OF; else NULL */
        bool is_limited;         /* LIMIT 1 (ignored below EXISTS and IN) */
    } * arms;
};

/* One policy expression, or one WITH CHECK. */
struct gw_bound_result {
    struct gw_bound *expr; /* NULL: why */
    struct gw_span why;    /* in the arena */
};

struct gw_binder;
struct gw_binder *gw_binder_new(const struct gw_catalog *c, struct gw_arena *arena);
void gw_binder_free(struct gw_binder *b);
/* qual: policy text on table for role_id. row: the variable of the row judged (number 0). Variables
 * made on the way are numbered from *next_var on. */
struct gw_bound_result gw_bind_policy(struct gw_binder *b, const struct gw_catalog_table *table,
                                      unsigned role_id, struct gw_span qual,
                                      struct gw_bound_var *row, uint32_t *next_var);

#endif
