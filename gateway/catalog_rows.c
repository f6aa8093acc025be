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

static bool bool_at(const PGresult *r, int row, int column)
{
    return PQgetvalue(r, row, column)[0] == 't';
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
            /* A bigint: role id 63 is the sign. */
            .roles = (uint64_t)strtoll(PQgetvalue(rows->r, i, 3), NULL, 10),
            .qual = cell(c, rows->r, i, 4),
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
        t->access[role_id].bypasses_rls = bool_at(rows->r, i, 2);
        take_readable(t, PQgetvalue(rows->r, i, 3), &t->access[role_id].columns);
    }
}

static void take_tables(struct gw_catalog *c, PGresult *const results[])
{
    const PGresult *r = results[GW_CATALOG_TABLES];
    struct rows columns = {results[GW_CATALOG_COLUMNS], 0};
    struct rows policies = {results[GW_CATALOG_POLICIES], 0};
    struct rows access = {results[GW_CATALOG_ACCESS], 0};
    c->n_tables = (uint32_t)PQntuples(r);
    c->tables = gw_arena_alloc(&c->arena, (c->n_tables + 1) * sizeof *c->tables);
    for (uint32_t i = 0; i < c->n_tables; i++) {
        struct gw_catalog_table *t = &c->tables[i];
        take_table(c, r, (int)i, t);
        take_columns(c, t, &columns);
        take_policies(c, t, &policies);
        take_access(c, t, &access);
    }
}

static void take_functions(struct gw_catalog *c, const PGresult *r)
{
    c->n_functions = (uint32_t)PQntuples(r);
    c->functions = gw_arena_alloc(&c->arena, (c->n_functions + 1) * sizeof *c->functions);
    for (int i = 0; i < PQntuples(r); i++)
        c->functions[i] = (struct gw_catalog_function){
            .oid = oid_at(r, i, 0),
            .schema = cell(c, r, i, 1),
            .name = cell(c, r, i, 2),
            .language = cell(c, r, i, 3),
            .volatility = PQgetvalue(r, i, 4)[0],
            .definition = cell(c, r, i, 5),
            .body = cell(c, r, i, 6),
        };
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
    for (int i = 0; i < PQntuples(r); i++) {
        uint32_t element = oid_at(r, i, 3);
        struct gw_type type = {
            .oid = oid_at(r, i, 0),
            .kind = type_kind(PQgetvalue(r, i, 2)[0], element),
            .name = cell(c, r, i, 1),
            .delimiter = PQgetvalue(r, i, 4)[0],
        };
        type.inner_oid = element ? element : oid_at(r, i, 5);
        if (type.kind == GW_TYPE_COMPOSITE)
            take_fields(c, &type, &rows);
        gw_types_add(&c->types, &type);
    }
}

struct gw_catalog *gw_catalog_from_rows(PGresult *const results[GW_CATALOG_QUERIES],
                                        const char *const *roles, uint32_t n_roles,
                                        uint64_t generation)
{
    struct gw_catalog *c = gw_catalog_new();
    c->generation = generation;
    take_roles(c, results[GW_CATALOG_ROLES], roles, n_roles);
    take_tables(c, results);
    take_functions(c, results[GW_CATALOG_FUNCTIONS]);
    take_types(c, results[GW_CATALOG_TYPES], results[GW_CATALOG_FIELDS]);
    gw_catalog_finish(c, NULL, NULL);
    return c;
}
