/* lower_table: the tables, columns and indexes of the access state that plans need, collected while
 * plans are made. Numbers given out stay: columns and indexes are only ever added. */
#include "lower_internal.h"

#include <stdlib.h>

/* ---- tables ---- */

static void *refuse_table(struct gw_lower *l, const struct gw_catalog_table *t, const char *why)
{
    return gw_lower_refuse(l, "looks into %.*s.%.*s, %s", (int)t->schema.n, t->schema.p,
                           (int)t->name.n, t->name.p, why);
}

/* Whether the log tells everything that happens to its rows. */
static bool can_follow(struct gw_lower *l, const struct gw_catalog_table *t)
{
    const char *why = NULL;
    if (t->has_children)
        why = "whose rows are in partitions or child tables";
    else if (!t->published && !t->followed)
        why = "which is in no publication: add it to ROWCAST_ACCESS_PUBLICATION";
    else if (t->is_limited)
        why = "of which the publication shows only some rows, columns or kinds of changes";
    else if (!t->has_identity)
        why = "which has no replica identity: its deletes cannot be told";
    if (why)
        refuse_table(l, t, why);
    return !why;
}

static struct gw_lower_table *add_table(struct gw_lower_rules *r, const struct gw_catalog_table *t)
{
    if (r->n_tables == r->cap_tables) {
        r->cap_tables = r->cap_tables ? r->cap_tables * 2 : 8;
        r->tables = gw_realloc(r->tables, r->cap_tables * sizeof *r->tables);
    }
    struct gw_lower_table *table = &r->tables[r->n_tables++];
    *table = (struct gw_lower_table){.table = t};
    return table;
}

/* The primary key if the log carries it with every change, else the replica identity. FULL without
 * a primary key: all columns, and none in particular. */
static void add_identity(struct gw_lower_rules *r, uint32_t number)
{
    const struct gw_catalog_table *t = r->tables[number].table;
    bool by_key = false, is_carried = true;
    for (uint32_t i = 0; i < t->n_columns; i++) {
        by_key |= t->columns[i].in_primary_key;
        is_carried &= !t->columns[i].in_primary_key || t->columns[i].in_identity;
    }
    by_key = by_key && is_carried;
    bool is_all = !by_key && t->replica_identity == 'f';
    uint32_t *identity = gw_alloc((t->n_columns + 1u) * sizeof *identity);
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n_columns; i++) {
        const struct gw_catalog_column *column = &t->columns[i];
        bool is_wanted = is_all   ? column->generation.n == 0
                         : by_key ? column->in_primary_key
                                  : column->in_identity;
        if (is_wanted)
            identity[n++] = gw_lower_table_column(r, number, i);
    }
    r->tables[number].identity = identity;
    r->tables[number].n_identity = is_all ? 0 : n;
}

int32_t gw_lower_table(struct gw_lower *l, const struct gw_catalog_table *t)
{
    struct gw_lower_rules *r = l->r;
    for (uint32_t i = 0; i < r->n_tables; i++)
        if (r->tables[i].table == t)
            return (int32_t)i;
    if (!can_follow(l, t))
        return -1;
    add_table(r, t);
    add_identity(r, r->n_tables - 1);
    return (int32_t)r->n_tables - 1;
}

/* ---- columns, indexes ---- */

uint32_t gw_lower_table_column(struct gw_lower_rules *r, uint32_t table, uint32_t position)
{
    struct gw_lower_table *t = &r->tables[table];
    const struct gw_catalog_column *column = &t->table->columns[position];
    for (uint32_t i = 0; i < t->n_columns; i++)
        if (t->positions[i] == position)
            return i;
    if (t->n_columns == t->cap_columns) {
        t->cap_columns = t->cap_columns ? t->cap_columns * 2 : 8;
        t->columns = gw_realloc(t->columns, t->cap_columns * sizeof *t->columns);
        t->positions = gw_realloc(t->positions, t->cap_columns * sizeof *t->positions);
    }
    t->positions[t->n_columns] = position;
    t->columns[t->n_columns] = (struct gw_state_column){
        .name = gw_arena_copy(&r->rules->arena, column->name),
        .attnum = column->attnum,
        .type_oid = column->type_oid,
        .kind =
            column->is_opaque ? GW_KIND_OPAQUE : gw_kind_of(&r->catalog->types, column->type_oid),
    };
    return t->n_columns++;
}

int32_t gw_lower_table_index(struct gw_lower_rules *r, uint32_t table, const uint32_t *columns,
                             uint32_t n)
{
    struct gw_lower_table *t = &r->tables[table];
    for (uint32_t i = 0; i < t->n_indexes; i++)
        if (t->indexes[i].n == n &&
            memcmp(t->indexes[i].columns, columns, n * sizeof *columns) == 0)
            return (int32_t)i;
    if (t->n_indexes == t->cap_indexes) {
        t->cap_indexes = t->cap_indexes ? t->cap_indexes * 2 : 4;
        t->indexes = gw_realloc(t->indexes, t->cap_indexes * sizeof *t->indexes);
    }
    t->indexes[t->n_indexes] = (struct gw_state_index){.n = n};
    memcpy(t->indexes[t->n_indexes].columns, columns, n * sizeof *columns);
    return (int32_t)t->n_indexes++;
}

/* ---- going back ---- */

struct gw_lower_mark {
    uint32_t n_facts, n_externals, n_sites, n_tables;
    struct {
        uint32_t n_columns, n_indexes;
        bool *needs_text;
    } * tables;
};

struct gw_lower_mark *gw_lower_mark(struct gw_lower_rules *r)
{
    struct gw_lower_mark *m = gw_arena_alloc(r->scratch, sizeof *m);
    *m = (struct gw_lower_mark){.n_facts = r->n_facts,
                                .n_externals = r->n_externals,
                                .n_sites = r->n_sites,
                                .n_tables = r->n_tables};
    m->tables = gw_arena_alloc(r->scratch, r->n_tables * sizeof *m->tables);
    for (uint32_t i = 0; i < r->n_tables; i++) {
        const struct gw_lower_table *t = &r->tables[i];
        m->tables[i].n_columns = t->n_columns;
        m->tables[i].n_indexes = t->n_indexes;
        m->tables[i].needs_text = gw_arena_alloc(r->scratch, t->n_columns + 1);
        for (uint32_t k = 0; k < t->n_columns; k++)
            m->tables[i].needs_text[k] = t->columns[k].needs_text;
    }
    return m;
}

static void free_table(struct gw_lower_table *t)
{
    free(t->columns);
    free(t->positions);
    free(t->indexes);
    free(t->identity);
}

void gw_lower_rollback(struct gw_lower_rules *r, const struct gw_lower_mark *m)
{
    r->n_facts = m->n_facts;
    r->n_externals = m->n_externals;
    r->n_sites = m->n_sites;
    for (uint32_t i = m->n_tables; i < r->n_tables; i++)
        free_table(&r->tables[i]);
    r->n_tables = m->n_tables;
    for (uint32_t i = 0; i < r->n_tables; i++) {
        struct gw_lower_table *t = &r->tables[i];
        t->n_columns = m->tables[i].n_columns;
        t->n_indexes = m->tables[i].n_indexes;
        for (uint32_t k = 0; k < t->n_columns; k++)
            t->columns[k].needs_text = m->tables[i].needs_text[k];
    }
}

/* ---- into the rules ---- */

/* A copy of n items in the arena. */
static void *keep(struct gw_arena *arena, const void *items, size_t bytes)
{
    void *copy = gw_arena_alloc(arena, bytes);
    if (bytes)
        memcpy(copy, items, bytes);
    return copy;
}

static struct gw_state_table_def def_of(struct gw_arena *arena, const struct gw_lower_table *t)
{
    return (struct gw_state_table_def){
        .oid = t->table->oid,
        .schema = gw_arena_copy(arena, t->table->schema),
        .name = gw_arena_copy(arena, t->table->name),
        .n_columns = t->n_columns,
        .columns = keep(arena, t->columns, t->n_columns * sizeof *t->columns),
        .n_identity = t->n_identity,
        .identity = keep(arena, t->identity, t->n_identity * sizeof *t->identity),
        .n_indexes = t->n_indexes,
        .indexes = keep(arena, t->indexes, t->n_indexes * sizeof *t->indexes),
    };
}

void gw_lower_rules_finish(struct gw_lower_rules *r)
{
    struct gw_rules *rules = r->rules;
    struct gw_arena *arena = &rules->arena;
    rules->n_facts = r->n_facts;
    rules->facts = keep(arena, r->facts, r->n_facts * sizeof *r->facts);
    rules->n_externals = r->n_externals;
    rules->externals = keep(arena, r->externals, r->n_externals * sizeof *r->externals);
    rules->n_sites = r->n_sites;
    rules->n_tables = r->n_tables;
    rules->tables = gw_arena_alloc(arena, r->n_tables * sizeof *rules->tables);
    for (uint32_t i = 0; i < r->n_tables; i++) {
        rules->tables[i] = def_of(arena, &r->tables[i]);
        free_table(&r->tables[i]);
    }
    free(r->facts);
    free(r->externals);
    free(r->tables);
}
