/* bind_internal: what the files of bind share.
 *
 * A binder works for one compilation, on one thread. bind.c opens policies and inner tables'
 * guards, bind_parse.c turns texts into trees (kept until the binder goes), bind_name.c finds
 * tables and columns, bind_type.c types, bind_expr.c, bind_op.c and bind_sub.c make expressions of
 * trees, bind_select.c, bind_aggregate.c and bind_from.c sub-selects, bind_call.c finds functions,
 * bind_function.c and bind_plpgsql.c put their bodies in place of calls, bind_pure.c tells bodies
 * that read nothing.
 *
 * Whatever fails leaves its reason in the binder, once, and returns NULL or false. */
#ifndef GW_BIND_INTERNAL_H
#define GW_BIND_INTERNAL_H

#include "bound.h"

#define GW_BIND_TEXT_MAX                                                                           \
    (64u * 1024) /* bytes; libpg_query's stack grows with nesting, to 4 MiB                        \
                  */
#define GW_BIND_NODES_MAX 20000u
#define GW_BIND_DEPTH_MAX 400u  /* nested expressions and sub-selects, bodies included */
#define GW_BIND_INLINE_MAX 32u  /* functions and policies within one another */
#define GW_BIND_FROM_MAX 32u    /* tables in one FROM */
#define GW_BIND_COLUMNS_MAX 64u /* columns of a sub-select */
#define GW_BIND_ARMS_MAX 64u
#define GW_BIND_ARGS_MAX 64u

enum gw_bind_type { /* fixed oids of pg_type */
                    GW_T_BOOL = 16,
                    GW_T_NAME = 19,
                    GW_T_INT8 = 20,
                    GW_T_INT2 = 21,
                    GW_T_INT4 = 23,
                    GW_T_TEXT = 25,
                    GW_T_OID = 26,
                    GW_T_JSON = 114,
                    GW_T_FLOAT4 = 700,
                    GW_T_FLOAT8 = 701,
                    GW_T_TEXT_ARRAY = 1009,
                    GW_T_BPCHAR = 1042,
                    GW_T_VARCHAR = 1043,
                    GW_T_DATE = 1082,
                    GW_T_TIME = 1083,
                    GW_T_TIMESTAMP = 1114,
                    GW_T_TIMESTAMPTZ = 1184,
                    GW_T_INTERVAL = 1186,
                    GW_T_TIMETZ = 1266,
                    GW_T_NUMERIC = 1700,
                    GW_T_REGCLASS = 2205,
                    GW_T_RECORD = 2249,
                    GW_T_VOID = 2278,
                    GW_T_UUID = 2950,
                    GW_T_JSONB = 3802,
};

struct json_t;

/* A text and its tree, kept by the binder. */
struct gw_bind_text {
    char *sql; /* what was parsed: locations point into it */
    struct json_t *tree;
    char *error; /* tree NULL */
};

struct gw_bind_query;

/* A parameter or a variable of a function. */
struct gw_bind_param {
    struct gw_span name;
    struct gw_bound *value;          /* NULL: a row */
    const struct gw_bind_query *row; /* its first row; value NULL */
};

/* What holds for one text while it is read. */
struct gw_bind_env {
    const char *sql;                      /* locations point into it */
    const char *label;                    /* "policy p of public.t", "function public.f" */
    const struct gw_catalog_function *fn; /* whose body; NULL: a policy */
    const struct gw_catalog_function
        *definer;     /* whose owner's rights; NULL: the role asked about */
    bool is_resolved; /* printed under an empty search_path: what has no schema is pg_catalog's */
    bool is_plpgsql;  /* a name both of a column and of a variable is an error */
    uint32_t n_path;
    const struct gw_span *path;
    uint32_t n_params;
    const struct gw_bind_param *params;
    uint32_t n_positional; /* params[0 … n) are $1 … $n */
};

struct gw_binder {
    const struct gw_catalog *c;
    struct gw_arena *arena;
    unsigned role_id;
    uint32_t *next_var;
    const struct gw_bind_env *env;
    struct gw_buf why; /* not empty: failed */
    uint32_t n_nodes, depth, n_inlined;
    bool is_filter;    /* of what is bound next, NULL and false count the same */
    uint32_t n_guards; /* tables whose policies are being read */
    const struct gw_catalog_table *guards[GW_BIND_INLINE_MAX];
    struct gw_map texts; /* struct gw_bind_text by text */
};

/* Something in FROM that names can refer to: a table, or the columns of what was flattened. */
struct gw_bind_item {
    struct gw_span alias, schema;         /* schema: a table under its own name */
    struct gw_bound_var *var;             /* NULL: flattened */
    const struct gw_table_access *access; /* columns are checked; NULL: not */
    uint32_t n_columns;
    const struct gw_span *names;
    struct gw_bound *const *columns;
    uint32_t n_hidden; /* columns that USING merged: not found without the alias */
    struct gw_span *hidden;
};

struct gw_bind_cte {
    struct gw_bind_cte *next;
    struct gw_span name;
    const struct json_t *node;   /* CommonTableExpr */
    struct gw_bind_scope *scope; /* what its query sees */
};

/* What the aggregates of a target count: the rows of arm, whose tables scope has. */
struct gw_bind_counted {
    struct gw_bind_scope *scope;
    const struct gw_bind_arm *arm;
};

struct gw_bind_scope {
    struct gw_bind_scope *up;
    struct gw_bind_cte *ctes;
    const struct gw_bind_counted *counted; /* NULL: no aggregate may stand here */
    uint32_t first, n_items;               /* ON sees items from first on */
    struct gw_bind_item items[GW_BIND_FROM_MAX];
    uint32_t choice, n_choices; /* arms of the one flattened UNION in FROM, taken in turn */
    bool is_distinct;           /* of what was flattened, duplicates are gone */
};

struct gw_bind_arm {
    uint32_t n_from;
    struct gw_bound_from *from; /* room for GW_BIND_FROM_MAX */
    struct gw_bound *where;     /* or NULL */
    struct gw_bound *targets[GW_BIND_COLUMNS_MAX];
    bool has_rows_fn; /* a built-in function that returns rows is a target */
};

enum gw_bind_limit { GW_BIND_LIMIT_NONE, GW_BIND_LIMIT_ONE, GW_BIND_LIMIT_MANY };

/* A SELECT before it is known what is wanted of it. */
struct gw_bind_query {
    uint32_t n_arms;
    struct gw_bind_arm *arms[GW_BIND_ARMS_MAX];
    uint32_t n_columns;
    struct gw_span names[GW_BIND_COLUMNS_MAX];
    bool is_distinct; /* DISTINCT or UNION: duplicates are gone; the arms still have them */
    bool is_ordered;
    enum gw_bind_limit limit;
};

/* A built-in function that answers by its arguments, the clock and the session's TimeZone alone. */
struct gw_bind_builtin {
    char name[26];
    char volatility;
    bool takes_text; /* untyped literals among its arguments are text */
    bool returns_rows;
    uint16_t type; /* 0: depends on the arguments */
};

/* bind.c */
void *gw_bind_fail(struct gw_binder *b, const char *fmt, ...) GW_PRINTF(2, 3); /* NULL */
bool gw_bind_enter(struct gw_binder *b); /* one level deeper; pair with gw_bind_leave */
static inline void gw_bind_leave(struct gw_binder *b)
{
    b->depth--;
}
/* The policies of an inner table for the role asked about. */
struct gw_bound *gw_bind_guard(struct gw_binder *b, const struct gw_catalog_table *t,
                               struct gw_bound_var *var);

/* bind_parse.c */
const struct gw_bind_text *gw_bind_parse(struct gw_binder *b, const char *prefix,
                                         struct gw_span sql);
const struct gw_bind_text *gw_bind_parse_plpgsql(struct gw_binder *b, struct gw_span definition);
void gw_bind_text_free(struct gw_bind_text *text);
const struct json_t *gw_bind_member(const struct json_t *node, const char *key);
bool gw_bind_flag(const struct json_t *node, const char *key);
struct gw_span gw_bind_string(const struct json_t *node,
                              const char *key); /* borrowed of the tree */
struct gw_span gw_bind_name_at(const struct json_t *list, size_t i);
size_t gw_bind_size(const struct json_t *list);
const struct json_t *gw_bind_at(const struct json_t *list, size_t i);
/* The node's one key ("" if it is none) and what stands under it. */
bool gw_bind_each(const struct json_t *node, void **at, const char **key,
                  const struct json_t **value); /* members; *at starts at NULL */
int64_t gw_bind_integer(const struct json_t *node, const char *key, int64_t otherwise);
const char *gw_bind_kind(const struct json_t *node, const struct json_t **body);
/* The only statement of a text as a SelectStmt, or NULL. */
const struct json_t *gw_bind_only_select(const struct gw_bind_text *text);

/* bind_node.c */
struct gw_bound *gw_bind_node(struct gw_binder *b, enum gw_bound_op op, uint32_t type,
                              uint32_t n_args);
struct gw_bound *gw_bind_const(struct gw_binder *b, uint32_t type, struct gw_span text);
struct gw_bound *gw_bind_null(struct gw_binder *b, uint32_t type);
struct gw_bound *gw_bind_bool(struct gw_binder *b, bool value);
struct gw_bound *gw_bind_unary(struct gw_binder *b, enum gw_bound_op op, uint32_t type,
                               struct gw_bound *arg);
struct gw_bound *gw_bind_and(struct gw_binder *b, struct gw_bound *l, struct gw_bound *r);
struct gw_bound *gw_bind_or(struct gw_binder *b, struct gw_bound *l, struct gw_bound *r);
struct gw_bound *gw_bind_null_test(struct gw_binder *b, struct gw_bound *arg, bool is_not);
struct gw_bound *gw_bind_copy(struct gw_binder *b, const struct gw_bound *node);
bool gw_bind_is_true(const struct gw_bound *node);
bool gw_bind_is_false(const struct gw_bound *node);
static inline bool gw_bind_is_literal(const struct gw_bound *node)
{
    return node->op == GW_B_CONST && node->type_oid == 0;
}
/* Uses a tree once more: counts its nodes. NULL when there are too many. */
struct gw_bound *gw_bind_reuse(struct gw_binder *b, struct gw_bound *node);
bool gw_bind_check_tree(struct gw_binder *b, const struct gw_bound *node); /* the finished tree */
/* Whether value, or a tree that says the same, stands somewhere in node (NULL: nowhere). */
bool gw_bind_has(const struct gw_bound *node, const struct gw_bound *value);
/* "schema.name", quoted as needed, in the arena. */
struct gw_span gw_bind_quote(struct gw_binder *b, struct gw_span schema, struct gw_span name);

/* bind_type.c */
bool gw_bind_type_name(struct gw_binder *b, const struct json_t *type_name, uint32_t *oid);
uint32_t gw_bind_base_type(const struct gw_binder *b, uint32_t oid);
uint32_t gw_bind_array_of(const struct gw_binder *b, uint32_t element);
uint32_t gw_bind_element_of(const struct gw_binder *b, uint32_t array); /* 0: no array */
bool gw_bind_is_textual(uint32_t oid);                                  /* text, varchar */
bool gw_bind_is_integer(uint32_t oid);                                  /* int2, int4, int8 */
/* Not built in, and not an enum, a domain or an array made of built-in ones: operators and
 * functions of the same name as a built-in one may be meant. Untyped: if it might be such a type.
 */
bool gw_bind_is_foreign(const struct gw_binder *b, const struct gw_bound *node);
bool gw_bind_type_is_foreign(const struct gw_binder *b, uint32_t oid);
bool gw_bind_type_is_polymorphic(uint32_t oid);
/* An untyped literal becomes one of type; anything else stays as it is. */
struct gw_bound *gw_bind_hint(struct gw_binder *b, struct gw_bound *node, uint32_t type);
/* node as a value of type; explicit casts and assignments alike. */
struct gw_bound *gw_bind_cast(struct gw_binder *b, struct gw_bound *node, uint32_t type);
/* One type for all of them (COALESCE, CASE, ARRAY); literals among them take it. */
uint32_t gw_bind_unify(struct gw_binder *b, struct gw_bound **nodes, uint32_t n, uint32_t step);

/* bind_name.c */
const struct gw_catalog_table *gw_bind_table(struct gw_binder *b, struct gw_span schema,
                                             struct gw_span name);
struct gw_bind_scope *gw_bind_scope_new(struct gw_binder *b, struct gw_bind_scope *up);
struct gw_bind_item *gw_bind_item_add(struct gw_binder *b, struct gw_bind_scope *scope);
const struct gw_bind_cte *gw_bind_cte_find(const struct gw_bind_scope *scope, struct gw_span name);
uint32_t gw_bind_item_size(const struct gw_bind_item *item);
struct gw_span gw_bind_item_name(const struct gw_bind_item *item, uint32_t i);
bool gw_bind_item_hides(const struct gw_bind_item *item, struct gw_span name);
struct gw_bound *gw_bind_item_column(struct gw_binder *b, const struct gw_bind_item *item,
                                     uint32_t i);
int gw_bind_item_find(const struct gw_bind_item *item, struct gw_span name);
struct gw_bind_item *gw_bind_item_named(struct gw_bind_scope *scope, struct gw_span schema,
                                        struct gw_span alias);
struct gw_bound *gw_bind_column_ref(struct gw_binder *b, struct gw_bind_scope *scope,
                                    const struct json_t *fields);
struct gw_bound *gw_bind_field(struct gw_binder *b, struct gw_bound *value, struct gw_span name);

/* bind_expr.c */
struct gw_bound *gw_bind_expr(struct gw_binder *b, struct gw_bind_scope *scope,
                              const struct json_t *node);
struct gw_bound *gw_bind_condition(struct gw_binder *b, struct gw_bind_scope *scope,
                                   const struct json_t *node);
/* A condition of which only matters whether it is true. */
struct gw_bound *gw_bind_filter(struct gw_binder *b, struct gw_bind_scope *scope,
                                const struct json_t *node);

/* bind_op.c */
struct gw_bound *gw_bind_compare(struct gw_binder *b, const char *op, struct gw_bound *l,
                                 struct gw_bound *r);
struct gw_bound *gw_bind_a_expr(struct gw_binder *b, struct gw_bind_scope *scope,
                                const struct json_t *node);
/* "=", or "OPERATOR(schema.=)"; empty after a failure. */
struct gw_span gw_bind_op_name(struct gw_binder *b, const struct json_t *list);
bool gw_bind_check_operands(struct gw_binder *b, struct gw_span op, const struct gw_bound *l,
                            const struct gw_bound *r);

/* bind_sub.c */
struct gw_bound *gw_bind_sub_link(struct gw_binder *b, struct gw_bind_scope *scope,
                                  const struct json_t *node);
struct gw_bound *gw_bind_exists(struct gw_binder *b, const struct gw_bind_query *q);
struct gw_bound *gw_bind_in(struct gw_binder *b, struct gw_bound *value, struct gw_span op,
                            const struct gw_bind_query *q);
/* The value of a column of its one row; is_first: of its first row. */
struct gw_bound *gw_bind_scalar(struct gw_binder *b, const struct gw_bind_query *q, uint32_t column,
                                bool is_first);

/* bind_select.c */
struct gw_bind_query *gw_bind_select(struct gw_binder *b, const struct json_t *select,
                                     struct gw_bind_scope *up);
bool gw_bind_arm_is_value(const struct gw_bind_arm *arm); /* no FROM, no WHERE: one row */

/* bind_from.c */
bool gw_bind_from(struct gw_binder *b, struct gw_bind_scope *scope, struct gw_bind_arm *arm,
                  const struct json_t *node);
/* Take q's tables and conditions into arm; *columns: the targets. */
bool gw_bind_flatten(struct gw_binder *b, struct gw_bind_scope *scope, struct gw_bind_arm *arm,
                     const struct gw_bind_query *q, struct gw_bound *const **columns);

/* bind_aggregate.c */
bool gw_bind_is_aggregated(const struct json_t *targets); /* one target, with an aggregate in it */
struct gw_bound *gw_bind_aggregate(struct gw_binder *b, struct gw_bind_scope *scope,
                                   const struct json_t *call, bool *is_it);
/* count(…) > 0 as EXISTS; NULL without a reason: it is nothing of the kind. */
struct gw_bound *gw_bind_count_test(struct gw_binder *b, struct gw_span op,
                                    const struct gw_bound *l, const struct gw_bound *r);
/* in, and null where array_agg had no rows. */
struct gw_bound *gw_bind_null_of_no_rows(struct gw_binder *b, const struct gw_bound *array,
                                         struct gw_bound *in);
/* COALESCE(array_agg(…), '{}'); NULL without a reason: it is nothing of the kind. */
struct gw_bound *gw_bind_or_empty(struct gw_binder *b, const struct gw_bound *coalesce);

/* bind_builtin.c */
const struct gw_bind_builtin *gw_bind_builtin_find(struct gw_span name); /* or NULL */
bool gw_bind_is_aggregate(struct gw_span name);
uint32_t gw_bind_builtin_type(const struct gw_binder *b, const struct gw_bind_builtin *f,
                              const struct gw_bound *call);

/* bind_call.c */
struct gw_bound *gw_bind_call(struct gw_binder *b, struct gw_bind_scope *scope,
                              const struct json_t *node);
/* What a call comes to where rows may stand. */
struct gw_bind_rows {
    struct gw_bind_query *q; /* of a function of the user's that returns rows */
    struct gw_bound *value;  /* else */
    bool has_rows;           /* value: a built-in function that returns rows */
};
bool gw_bind_call_rows(struct gw_binder *b, struct gw_bind_scope *scope, const struct json_t *node,
                       struct gw_bind_rows *out);

/* bind_function.c: args has one per parameter. */
struct gw_bound *gw_bind_inline(struct gw_binder *b, const struct gw_catalog_function *fn,
                                struct gw_bound **args);
struct gw_bind_query *gw_bind_inline_rows(struct gw_binder *b, const struct gw_catalog_function *fn,
                                          struct gw_bound **args);
/* The default of parameter i (from 0), bound; or NULL. */
struct gw_bound *gw_bind_default(struct gw_binder *b, const struct gw_catalog_function *fn,
                                 uint32_t i);
const struct json_t *gw_bind_create_function(struct gw_binder *b,
                                             const struct gw_catalog_function *fn,
                                             const char **sql);

/* bind_plpgsql.c: of the function of the current environment. */
struct gw_bound *gw_bind_plpgsql(struct gw_binder *b);
struct gw_bind_query *gw_bind_plpgsql_rows(struct gw_binder *b);

/* bind_pure.c: the body reads no table and no setting. */
bool gw_bind_is_pure(struct gw_binder *b, const struct gw_catalog_function *fn);

#endif
