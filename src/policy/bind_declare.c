/* bind_declare: the variables of a plpgsql function, and the pieces of SQL in its body.
 *
 * The parser does not know the types; they are read from what the declaration says, of a table and
 * of record they are rows: the query a row was selected by stands for it, and a field is the first
 * row's column. */
#include "bind_machine.h"

/* ---- pieces of SQL ---- */

struct gw_bind_query *gw_bind_piece(struct gw_bind_machine *m, const struct gw_bind_vars *vars,
                                    const char *prefix, struct gw_span sql)
{
    struct gw_binder *b = m->b;
    const struct gw_bind_text *text = gw_bind_parse(b, prefix, sql);
    const struct json_t *select = text ? gw_bind_only_select(text) : NULL;
    struct gw_bind_scope *scope = select ? gw_bind_scope_new(b, NULL) : NULL;
    const struct gw_bind_env *outer = b->env;
    if (text && !select)
        return gw_bind_fail(b, "runs a statement that is no SELECT");
    if (!scope)
        return NULL;
    m->env.sql = text->sql;
    m->env.params = vars->items;
    m->env.n_params = vars->n;
    b->env = &m->env;
    struct gw_bind_query *q = gw_bind_select(b, select, scope);
    b->env = outer;
    return q;
}

struct gw_bound *gw_bind_piece_value(struct gw_bind_machine *m, const struct gw_bind_vars *vars,
                                     const struct json_t *node)
{
    const struct json_t *expr = gw_bind_member(node, "PLpgSQL_expr");
    struct gw_bind_query *q = gw_bind_piece(m, vars, "SELECT ", gw_bind_string(expr, "query"));
    if (q && q->n_columns != 1)
        return gw_bind_fail(m->b, "uses a row as a value");
    return q ? gw_bind_scalar(m->b, q, 0, false) : NULL;
}

/* ---- variables ---- */

int gw_bind_var_find(const struct gw_bind_vars *vars, struct gw_span name)
{
    for (uint32_t i = 0; i < vars->n; i++)
        if (gw_span_eq(vars->items[i].name, name))
            return (int)i;
    return -1;
}

bool gw_bind_assign(struct gw_bind_machine *m, struct gw_bind_vars *vars, struct gw_span name,
                    struct gw_bound *value)
{
    int i = gw_bind_var_find(vars, name);
    if (i < 0 || m->is_row[i])
        gw_bind_fail(m->b, "assigns to %.*s, which is no plain variable", (int)name.n,
                     name.n ? name.p : "");
    if (!value || m->b->why.n)
        return false;
    vars->items[i].value = gw_bind_cast(m->b, value, m->types[i]);
    if (vars->items[i].value)
        gw_bind_note_value(m, vars->items[i].value);
    return m->b->why.n == 0;
}

/* ---- declarations ---- */

static bool ends_with(struct gw_span s, const char *tail)
{
    size_t n = strlen(tail);
    return s.n >= n && gw_span_is_nocase((struct gw_span){s.p + s.n - n, n}, tail);
}

/* table.column%TYPE */
static bool type_of_column(struct gw_binder *b, struct gw_span text, uint32_t *type)
{
    const struct gw_bind_text *parsed =
        gw_bind_parse(b, "SELECT ", (struct gw_span){text.p, text.n - strlen("%type")});
    const struct json_t *select = parsed ? gw_bind_only_select(parsed) : NULL;
    const struct json_t *target, *ref;
    gw_bind_kind(gw_bind_at(gw_bind_member(select, "targetList"), 0), &target);
    gw_bind_kind(gw_bind_member(target, "val"), &ref);
    const struct json_t *fields = gw_bind_member(ref, "fields");
    size_t n = gw_bind_size(fields);
    struct gw_span schema = n == 3 ? gw_bind_name_at(fields, 0) : (struct gw_span){0};
    if (n != 2 && n != 3) {
        gw_bind_fail(b, "declares a variable of a type that cannot be read");
        return false;
    }
    const struct gw_catalog_table *t = gw_bind_table(b, schema, gw_bind_name_at(fields, n - 2));
    int column = t ? gw_catalog_column_find(t, gw_bind_name_at(fields, n - 1)) : -1;
    if (column < 0)
        gw_bind_fail(b, "declares a variable of the type of an unknown column");
    else
        *type = t->columns[column].type_oid;
    return column >= 0;
}

static bool names_table(const struct gw_binder *b, const struct json_t *type_name)
{
    const struct json_t *names = gw_bind_member(type_name, "names");
    size_t n = gw_bind_size(names);
    for (uint32_t i = 0; n && i < b->c->n_tables; i++)
        if (gw_span_eq(b->c->tables[i].name, gw_bind_name_at(names, n - 1)))
            return !gw_bind_member(type_name, "arrayBounds");
    return false;
}

static bool type_of_var(struct gw_bind_machine *m, struct gw_span text, uint32_t *type,
                        bool *is_row)
{
    while (text.n && strchr(" \t\r\n", text.p[text.n - 1]))
        text.n--;
    *type = 0;
    *is_row = gw_span_is_nocase(text, "record") || ends_with(text, "%rowtype");
    if (*is_row || gw_span_is(text, "UNKNOWN"))
        return true;
    if (ends_with(text, "%type"))
        return type_of_column(m->b, text, type);
    const struct gw_bind_text *parsed = gw_bind_parse(m->b, "SELECT NULL::", text);
    const struct json_t *select = parsed ? gw_bind_only_select(parsed) : NULL;
    const struct json_t *target, *cast;
    gw_bind_kind(gw_bind_at(gw_bind_member(select, "targetList"), 0), &target);
    gw_bind_kind(gw_bind_member(target, "val"), &cast);
    const struct json_t *name = gw_bind_member(cast, "typeName");
    *is_row = names_table(m->b, name);
    return parsed && (*is_row || gw_bind_type_name(m->b, name, type));
}

static bool declare(struct gw_bind_machine *m, struct gw_bind_vars *vars, const struct json_t *var)
{
    const struct json_t *type = gw_bind_member(gw_bind_member(var, "datatype"), "PLpgSQL_type");
    const struct json_t *initial = gw_bind_member(var, "default_val");
    struct gw_span name = gw_arena_copy(m->b->arena, gw_bind_string(var, "refname"));
    uint32_t i = vars->n;
    if (i == GW_BIND_VARS_MAX || gw_bind_var_find(vars, name) >= 0 ||
        gw_bind_flag(var, "notnull")) {
        gw_bind_fail(m->b, "declares %.*s twice or NOT NULL, or too many variables", (int)name.n,
                     name.p);
        return false;
    }
    if (!type_of_var(m, gw_bind_string(type, "typname"), &m->types[i], &m->is_row[i]))
        return false;
    struct gw_bound *value = gw_span_is(name, "found") ? gw_bind_bool(m->b, false)
                             : initial                 ? gw_bind_piece_value(m, vars, initial)
                                                       : gw_bind_null(m->b, 0);
    vars->items[i] = (struct gw_bind_param){.name = name};
    vars->n++;
    if (!m->is_row[i])
        return gw_bind_assign(m, vars, name, value);
    if (initial)
        gw_bind_fail(m->b, "declares the row %.*s with a value", (int)name.n, name.p);
    struct gw_bind_query *none = gw_arena_alloc(m->b->arena, sizeof *none);
    vars->items[i].row = none; /* no columns yet */
    return none && m->b->why.n == 0;
}

/* Parameters come first among the datums, then the columns of RETURNS TABLE and FOUND. */
static bool declare_all(struct gw_bind_machine *m, struct gw_bind_vars *vars,
                        const struct json_t *datums)
{
    const struct gw_bind_env *env = m->b->env;
    m->n_args = env->n_params;
    if (m->n_args > GW_BIND_VARS_MAX)
        return false;
    for (uint32_t i = 0; i < m->n_args; i++) {
        vars->items[vars->n] = env->params[i];
        if (env->params[i].value)
            gw_bind_note_value(m, env->params[i].value);
        m->types[vars->n++] = env->fn->arg_types[i];
    }
    for (size_t i = m->n_args; i < gw_bind_size(datums); i++) {
        const struct json_t *body;
        const char *kind = gw_bind_kind(gw_bind_at(datums, i), &body);
        if (strcmp(kind, "PLpgSQL_row") == 0)
            continue; /* targets of INTO */
        if (strcmp(kind, "PLpgSQL_var") != 0) {
            gw_bind_fail(m->b, "declares a %s", kind);
            return false;
        }
        if (!declare(m, vars, body))
            return false;
    }
    return true;
}

/* The statements of the body, variables declared. */
const struct json_t *gw_bind_open_body(struct gw_bind_machine *m, struct gw_binder *b,
                                       struct gw_bind_vars *vars)
{
    const struct gw_bind_text *text = gw_bind_parse_plpgsql(b, b->env->fn->definition);
    const struct json_t *fn =
        text ? gw_bind_member(gw_bind_at(text->tree, 0), "PLpgSQL_function") : NULL;
    const struct json_t *block = gw_bind_member(gw_bind_member(fn, "action"), "PLpgSQL_stmt_block");
    *m = (struct gw_bind_machine){.b = b, .env = *b->env};
    m->env.is_plpgsql = true;
    if (text && (!block || gw_bind_size(text->tree) != 1))
        return gw_bind_fail(b, "has a body that cannot be read");
    if (gw_bind_member(block, "exceptions"))
        return gw_bind_fail(b, "has an EXCEPTION block");
    if (!text || !declare_all(m, vars, gw_bind_member(fn, "datums")))
        return NULL;
    return gw_bind_member(block, "body");
}
