/* catalog_rows: see catalog_rows.h; the columns of each query stand in catalog_sql.h.
 *
 * Rows about tables are ordered by table oid, as the tables are, so each list is walked once beside
 * them: of_table finds where a table's rows begin and end. */
#include "catalog_rows.h"

#include <libpq-fe.h>
#include <stdlib.h>

struct rows {
    const PGresult *r;
    int at; /* next row */
};

static struct gw_span cell(struct gw_catalog *c, const PGresult *r, int row, int column)
{
    struct gw_span text = {PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column)};
    return text.n ? gw_arena_copy(&c->arena, text) : (struct gw_span){"", 0};
}

static uint32_t oid_at(const PGresult *r, int row, int column)
{
    return (uint32_t)strtoul(PQgetvalue(r, row, column), NULL, 10);
}

/* A bigint of bits: role id 63 is the sign. */
static uint64_t bits_at(const PGresult *r, int row, int column)
{
    return (uint64_t)strtoll(PQgetvalue(r, row, column), NULL, 10);
}

static bool bool_at(const PGresult *r, int row, int column)
{
    return PQgetvalue(r, row, column)[0] == 't';
}

/* The next name of a list as SQL writes them ("a, \"B\"\"c\""): unquoted ones are lower case. The
 * name is written to out, at most as long as the rest. Returns where the list goes on, NULL at its
 * end. */
static const char *next_name(const char *at, char *out, size_t *n)
{
    *n = 0;
    at += strspn(at, " \t\n,");
    if (!*at)
        return NULL;
    if (*at != '"') {
        for (; *at && *at != ',' && *at != ' '; at++)
            out[(*n)++] = (char)(*at >= 'A' && *at <= 'Z' ? *at + ('a' - 'A') : *at);
        return at;
    }
    for (at++; *at && !(*at == '"' && at[1] != '"'); at++) {
        at += *at == '"'; /* a doubled quote counts once */
        out[(*n)++] = *at;
    }
    return *at ? at + 1 : at;
}

/* All names of the list, at most max. Returns how many. */
static uint32_t take_names(struct gw_catalog *c, const char *list, struct gw_span *names,
                           uint32_t max)
{
    char *name = gw_alloc(strlen(list) + 1);
    uint32_t count = 0;
    size_t n;
    while (count < max && (list = next_name(list, name, &n)))
        names[count++] = gw_arena_copy(&c->arena, (struct gw_span){name, n});
    free(name);
    return count;
}

/* A search_path: without "$user" and empty names. *out: in the arena. */
static uint32_t take_path(struct gw_catalog *c, const char *list, struct gw_span **out)
{
    uint32_t max = 1, n = 0;
    for (const char *p = list; *p; p++)
        max += *p == ',';
    struct gw_span *names = gw_arena_alloc(&c->arena, max * sizeof *names);
    uint32_t count = take_names(c, list, names, max);
    for (uint32_t i = 0; i < count; i++)
        if (names[i].n > 0 && !gw_span_is(names[i], "$user"))
            names[n++] = names[i];
    *out = names;
    return n;
}

/* The rows [*from, return) are about oid; rows about what is not a table are passed over. */
static int of_oid(struct rows *rows, uint32_t oid, int *from)
{
    int n = PQntuples(rows->r);
    while (rows->at < n && oid_at(rows->r, rows->at, 0) < oid)
        rows->at++;
    *from = rows->at;
    while (rows->at < n && oid_at(rows->r, rows->at, 0) == oid)
        rows->at++;
    return rows->at;
}

static void take_roles(struct gw_catalog *c, const PGresult *r, const char *const *roles,
                       uint32_t n_roles)
{
    c->n_roles = n_roles < GW_ROLES_MAX ? n_roles : GW_ROLES_MAX;
    for (uint32_t i = 0; i < c->n_roles; i++)
        c->roles[i] = gw_arena_copy(&c->arena, gw_span_of(roles[i]));
    for (int i = 0; i < PQntuples(r); i++)
        c->roles_present |= UINT64_C(1) << (oid_at(r, i, 0) % GW_ROLES_MAX);
}

static void take_table(struct gw_catalog *c, const PGresult *r, int row, struct gw_catalog_table *t)
{
    *t = (struct gw_catalog_table){
        .oid = oid_at(r, row, 0),
        .schema = cell(c, r, row, 1),
        .name = cell(c, r, row, 2),
        .published = bool_at(r, row, 3),
        .rls_enabled = bool_at(r, row, 4),
        .rls_forced = bool_at(r, row, 5),
        .replica_identity = PQgetvalue(r, row, 6)[0],
        .has_identity = bool_at(r, row, 7),
        .row_type_oid = oid_at(r, row, 8),
        .row_array_oid = oid_at(r, row, 9),
        .followed = bool_at(r, row, 10),
        .has_children = bool_at(r, row, 11),
        .owner_oid = oid_at(r, row, 12),
        .is_limited = bool_at(r, row, 13),
        .access = gw_arena_alloc(&c->arena, (c->n_roles + 1) * sizeof *t->access),
    };
}

static void take_columns(struct gw_catalog *c, struct gw_catalog_table *t, struct rows *rows)
{
    int from, to = of_oid(rows, t->oid, &from);
    t->n_columns = (uint16_t)(to - from);
    t->columns = gw_arena_alloc(&c->arena, (t->n_columns + 1u) * sizeof *t->columns);
    for (int i = from; i < to; i++)
        t->columns[i - from] = (struct gw_catalog_column){
            .attnum = (int16_t)strtol(PQgetvalue(rows->r, i, 1), NULL, 10),
            .name = cell(c, rows->r, i, 2),
            .type_oid = oid_at(rows->r, i, 3),
            .type_name = cell(c, rows->r, i, 4),
            .generation = cell(c, rows->r, i, 5),
            .in_primary_key = bool_at(rows->r, i, 6),
            .in_identity = bool_at(rows->r, i, 7),
            .is_not_null = bool_at(rows->r, i, 8),
            .is_opaque = bool_at(rows->r, i, 9),
        };
}

static void take_policies(struct gw_catalog *c, struct gw_catalog_table *t, struct rows *rows)
{
    int from, to = of_oid(rows, t->oid, &from);
    t->n_policies = (uint32_t)(to - from);
    t->policies = gw_arena_alloc(&c->arena, (t->n_policies + 1) * sizeof *t->policies);
    for (int i = from; i < to; i++)
        t->policies[i - from] = (struct gw_policy){
            .name = cell(c, rows->r, i, 1),
            .permissive = bool_at(rows->r, i, 2),
            .roles = bits_at(rows->r, i, 3),
            .qual = cell(c, rows->r, i, 4),
        };
}

static void take_checks(struct gw_catalog *c, struct gw_catalog_table *t, struct rows *rows)
{
    int from, to = of_oid(rows, t->oid, &from);
    t->n_checks = (uint32_t)(to - from);
    t->checks = gw_arena_alloc(&c->arena, (t->n_checks + 1) * sizeof *t->checks);
    for (int i = from; i < to; i++)
        t->checks[i - from] = (struct gw_check_policy){
            .name = cell(c, rows->r, i, 1),
            .permissive = bool_at(rows->r, i, 2),
            .roles = bits_at(rows->r, i, 3),
            .check = cell(c, rows->r, i, 4),
        };
}

/* "*", or attnums with commas → positions in t->columns. Both are in attnum order. */
static void take_readable(const struct gw_catalog_table *t, const char *text, struct gw_colset *out)
{
    bool all = *text == '*';
    for (unsigned i = 0; i < t->n_columns; i++) {
        char *end = NULL;
        while (!all && *text && strtol(text, &end, 10) < t->columns[i].attnum)
            text = *end == ',' ? end + 1 : end;
        if (all || (*text && strtol(text, NULL, 10) == t->columns[i].attnum))
            gw_colset_add(out, i);
    }
}

static void take_access(const struct gw_catalog *c, struct gw_catalog_table *t, struct rows *rows)
{
    int from, to = of_oid(rows, t->oid, &from);
    for (int i = from; i < to; i++) {
        uint32_t role_id = oid_at(rows->r, i, 1);
        if (role_id >= c->n_roles)
            continue;
        struct gw_table_access *access = &t->access[role_id];
        access->bypasses_rls = bool_at(rows->r, i, 2);
        take_readable(t, PQgetvalue(rows->r, i, 3), &access->columns);
        access->has_schema_usage = bool_at(rows->r, i, 4);
        access->may_insert = bool_at(rows->r, i, 5);
    }
}

static void take_tables(struct gw_catalog *c, PGresult *const results[])
{
    const PGresult *r = results[GW_CATALOG_TABLES];
    struct rows columns = {results[GW_CATALOG_COLUMNS], 0};
    struct rows policies = {results[GW_CATALOG_POLICIES], 0};
    struct rows checks = {results[GW_CATALOG_CHECKS], 0};
    struct rows access = {results[GW_CATALOG_ACCESS], 0};
    c->n_tables = (uint32_t)PQntuples(r);
    c->tables = gw_arena_alloc(&c->arena, (c->n_tables + 1) * sizeof *c->tables);
    for (uint32_t i = 0; i < c->n_tables; i++) {
        struct gw_catalog_table *t = &c->tables[i];
        take_table(c, r, (int)i, t);
        take_columns(c, t, &columns);
        take_policies(c, t, &policies);
        take_checks(c, t, &checks);
        take_access(c, t, &access);
    }
}

/* Input arguments: types as oids with commas, names as a list, or none at all. */
static void take_args(struct gw_catalog *c, struct gw_catalog_function *f, const char *types,
                      const char *names)
{
    uint32_t n = *types != '\0';
    for (const char *p = types; *p; p++)
        n += *p == ',';
    f->n_args = (uint16_t)n;
    f->arg_types = gw_arena_alloc(&c->arena, (n + 1) * sizeof *f->arg_types);
    f->arg_names = gw_arena_alloc(&c->arena, (n + 1) * sizeof *f->arg_names);
    char *at = (char *)types;
    for (uint32_t i = 0; i < n; i++, at += *at == ',')
        f->arg_types[i] = (uint32_t)strtoul(at, &at, 10);
    take_names(c, names, f->arg_names, n);
}

static void take_function(struct gw_catalog *c, const PGresult *r, int row,
                          struct gw_catalog_function *f)
{
    *f = (struct gw_catalog_function){
        .oid = oid_at(r, row, 0),
        .schema = cell(c, r, row, 1),
        .name = cell(c, r, row, 2),
        .language = cell(c, r, row, 3),
        .volatility = PQgetvalue(r, row, 4)[0],
        .definition = cell(c, r, row, 5),
        .body = cell(c, r, row, 6),
        .n_defaults = (uint16_t)oid_at(r, row, 9),
        .return_type = oid_at(r, row, 10),
        .returns_set = bool_at(r, row, 11),
        .is_strict = bool_at(r, row, 12),
        .is_definer = bool_at(r, row, 13),
        .is_plain = bool_at(r, row, 14),
        .has_search_path = !PQgetisnull(r, row, 15),
        .has_other_settings = bool_at(r, row, 16),
        .owner_oid = oid_at(r, row, 17),
        .owner_is_super = bool_at(r, row, 18),
        .owner_bypasses = bool_at(r, row, 19),
        .executable = bits_at(r, row, 20),
    };
    take_args(c, f, PQgetvalue(r, row, 7), PQgetvalue(r, row, 8));
    f->n_search_path = take_path(c, PQgetvalue(r, row, 15), &f->search_path);
}

static void take_functions(struct gw_catalog *c, const PGresult *r)
{
    c->n_functions = (uint32_t)PQntuples(r);
    c->functions = gw_arena_alloc(&c->arena, (c->n_functions + 1) * sizeof *c->functions);
    for (int i = 0; i < PQntuples(r); i++)
        take_function(c, r, i, &c->functions[i]);
}

static void take_views(struct gw_catalog *c, const PGresult *r)
{
    c->n_views = (uint32_t)PQntuples(r);
    c->views = gw_arena_alloc(&c->arena, (c->n_views + 1) * sizeof *c->views);
    for (int i = 0; i < PQntuples(r); i++)
        c->views[i] = (struct gw_catalog_view){cell(c, r, i, 0), cell(c, r, i, 1)};
}

static void take_search_path(struct gw_catalog *c, const PGresult *r)
{
    if (PQntuples(r) == 1)
        c->n_search_path = take_path(c, PQgetvalue(r, 0, 0), &c->search_path);
}

static enum gw_type_kind type_kind(char typtype, uint32_t element)
{
    if (element)
        return GW_TYPE_ARRAY;
    switch (typtype) {
    case 'b':
        return GW_TYPE_BASE;
    case 'c':
        return GW_TYPE_COMPOSITE;
    case 'd':
        return GW_TYPE_DOMAIN;
    default:
        return GW_TYPE_TEXT;
    }
}

static void take_fields(struct gw_catalog *c, struct gw_type *type, struct rows *rows)
{
    int from, to = of_oid(rows, type->oid, &from);
    type->n_fields = (uint16_t)(to - from);
    type->fields = gw_arena_alloc(&c->arena, (type->n_fields + 1u) * sizeof *type->fields);
    for (int i = from; i < to; i++)
        type->fields[i - from] =
            (struct gw_type_field){cell(c, rows->r, i, 1), oid_at(rows->r, i, 2)};
}

static void take_types(struct gw_catalog *c, const PGresult *r, const PGresult *fields)
{
    struct rows rows = {fields, 0};
    c->n_type_names = (uint32_t)PQntuples(r);
    c->type_names = gw_arena_alloc(&c->arena, (c->n_type_names + 1) * sizeof *c->type_names);
    for (int i = 0; i < PQntuples(r); i++) {
        uint32_t element = oid_at(r, i, 3);
        struct gw_type type = {
            .oid = oid_at(r, i, 0),
            .kind = type_kind(PQgetvalue(r, i, 2)[0], element),
            .is_range = strchr("rm", PQgetvalue(r, i, 2)[0]) != NULL,
            .name = cell(c, r, i, 1),
            .delimiter = PQgetvalue(r, i, 4)[0],
        };
        type.inner_oid = element ? element : oid_at(r, i, 5);
        if (type.kind == GW_TYPE_COMPOSITE)
            take_fields(c, &type, &rows);
        gw_types_add(&c->types, &type);
        c->type_names[i] = (struct gw_catalog_type){type.oid, cell(c, r, i, 6), type.name};
    }
}

struct gw_catalog *gw_catalog_from_rows(PGresult *const results[GW_CATALOG_QUERIES],
                                        const struct gw_catalog_frame *frame)
{
    struct gw_catalog *c = gw_catalog_new();
    c->generation = frame->generation;
    take_roles(c, results[GW_CATALOG_ROLES], frame->roles, frame->n_roles);
    take_tables(c, results);
    take_functions(c, results[GW_CATALOG_FUNCTIONS]);
    take_views(c, results[GW_CATALOG_VIEWS]);
    take_search_path(c, results[GW_CATALOG_SEARCH_PATH]);
    take_types(c, results[GW_CATALOG_TYPES], results[GW_CATALOG_FIELDS]);
    gw_catalog_finish(c, &frame->options, frame->previous);
    return c;
}
