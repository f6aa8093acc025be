/* bind_machine: what the files of plpgsql share: the run of a body (bind_plpgsql.c), its
 * variables and pieces of SQL (bind_declare.c), and what it drops (bind_effect.c). A machine lives
 * for one call; its variables are copied at each branch. */
#ifndef GW_BIND_MACHINE_H
#define GW_BIND_MACHINE_H

#include "bind_internal.h"

#define GW_BIND_VARS_MAX 64u
#define GW_BIND_VALUES_MAX 128u

struct gw_bind_vars {
    uint32_t n;
    struct gw_bind_param items[GW_BIND_VARS_MAX];
};

struct gw_bind_machine {
    struct gw_binder *b;
    struct gw_bind_env env; /* of the piece being read */
    uint32_t n_args;
    uint32_t types[GW_BIND_VARS_MAX];
    bool is_row[GW_BIND_VARS_MAX];
    struct gw_bind_query *rows; /* RETURN QUERY */
    uint32_t n_values;          /* evaluated in any case, and may raise */
    struct gw_bound *values[GW_BIND_VALUES_MAX];
};

/* A piece of SQL of the body, after prefix; its names are columns or variables. */
struct gw_bind_query *gw_bind_piece(struct gw_bind_machine *m, const struct gw_bind_vars *vars,
                                    const char *prefix, struct gw_span sql);
/* A PLpgSQL_expr as a value. */
struct gw_bound *gw_bind_piece_value(struct gw_bind_machine *m, const struct gw_bind_vars *vars,
                                     const struct json_t *node);
int gw_bind_var_find(const struct gw_bind_vars *vars, struct gw_span name); /* or -1 */
/* value as the variable's type; NULL fails, as a row variable does. */
bool gw_bind_assign(struct gw_bind_machine *m, struct gw_bind_vars *vars, struct gw_span name,
                    struct gw_bound *value);
/* Start with the function of the current environment; returns the statements of its body. */
const struct json_t *gw_bind_open_body(struct gw_bind_machine *m, struct gw_binder *b,
                                       struct gw_bind_vars *vars);

/* bind_effect.c */
bool gw_bind_may_raise(const struct gw_binder *b, const struct gw_bound *node);
/* value is evaluated, whether or not it decides anything. */
void gw_bind_note_value(struct gw_bind_machine *m, struct gw_bound *value);
/* Whether all that may raise stands in the value of the body, or in its rows. */
bool gw_bind_check_dropped(struct gw_bind_machine *m, const struct gw_bound *out);

#endif
