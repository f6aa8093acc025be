/* commit: see the header. Views are worked out once per relation version and catalog, not per
 * change: they are what every frame of that table needs to know about columns. */
#include "gw/commit.h"

#include "gw/catalog.h"
#include "gw/json.h"

#include <assert.h>
#include <stdlib.h>

/* For each position of rel its index in the table's columns, matched by name, or -1. The array is
 * in the arena. A column the catalog does not know is one that nobody may see. */
static int *map_columns(struct gw_arena *arena, const struct gw_relation *rel,
                        const struct gw_catalog_table *table)
{
    int *map = gw_arena_alloc(arena, (rel->n_columns + 1U) * sizeof *map);
    assert(map);
    for (unsigned i = 0; i < rel->n_columns; i++)
        map[i] = table ? gw_catalog_column_find(table, rel->columns[i].name) : -1;
    return map;
}

static struct gw_span columns_json(struct gw_arena *arena, const struct gw_relation *rel,
                                   const struct gw_catalog_table *table, const int *map,
                                   const struct gw_colset *columns)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_buf_add_byte(&b, '[');
    for (unsigned i = 0; i < rel->n_columns; i++) {
        if (!gw_colset_has(columns, i))
            continue;
        gw_buf_add_str(&b, b.n > 1 ? ",{\"name\":" : "{\"name\":");
        gw_json_add_string(&b, rel->columns[i].name);
        gw_buf_add_str(&b, ",\"type\":");
        gw_json_add_string(&b, table->columns[map[i]].type_name);
        gw_buf_add_byte(&b, '}');
    }
    gw_buf_add_byte(&b, ']');
    struct gw_span json = gw_arena_copy(arena, gw_buf_span(&b));
    assert(json.p);
    gw_buf_fini(&b);
    return json;
}

static void fill_views(struct gw_table_views *v, const struct gw_catalog_table *table,
                       const int *map)
{
    for (uint32_t role = 0; role < v->n_roles; role++) {
        struct gw_view *view = &v->views[role];
        for (unsigned i = 0; i < v->rel->n_columns; i++)
            if (map[i] >= 0 && gw_colset_has(&table->access[role].columns, (unsigned)map[i]))
                gw_colset_add(&view->columns, i);
        /* Roles mostly see the same columns: then they share the text too. */
        for (uint32_t other = 0; other < role && !view->columns_json.p; other++)
            if (gw_colset_eq(&view->columns, &v->views[other].columns))
                view->columns_json = v->views[other].columns_json;
        if (!view->columns_json.p)
            view->columns_json = columns_json(&v->arena, v->rel, table, map, &view->columns);
    }
}

/* Whether the log carries the whole primary key; then *key is it. */
static bool primary_key(const struct gw_relation *rel, const struct gw_catalog_table *table,
                        const int *map, struct gw_colset *key)
{
    unsigned n_key = 0, n_found = 0;
    for (unsigned i = 0; table && i < table->n_columns; i++)
        n_key += table->columns[i].in_primary_key;
    struct gw_colset found = {0};
    for (unsigned i = 0; i < rel->n_columns; i++) {
        if (map[i] < 0 || !table->columns[map[i]].in_primary_key)
            continue;
        gw_colset_add(&found, i);
        n_found++;
    }
    if (n_key == 0 || n_found != n_key)
        return false;
    *key = found;
    return true;
}

/* Under FULL every column is flagged, which says nothing about identity. */
static void identity_key(const struct gw_relation *rel, struct gw_colset *key)
{
    for (unsigned i = 0; rel->replica_identity != 'f' && i < rel->n_columns; i++)
        if (rel->columns[i].is_key)
            gw_colset_add(key, i);
}

struct gw_table_views *gw_table_views_new(const struct gw_relation *rel,
                                          const struct gw_catalog *catalog)
{
    const struct gw_catalog_table *table = gw_catalog_table_find(catalog, rel->oid);
    struct gw_table_views *v = gw_alloc(sizeof *v);
    atomic_init(&v->refs, 1);
    gw_arena_init(&v->arena, 0);
    v->rel = gw_relation_ref(rel);
    v->catalog = gw_catalog_ref(catalog);
    v->n_roles = catalog->n_roles;
    v->views = gw_arena_alloc(&v->arena, (v->n_roles + 1U) * sizeof *v->views);
    assert(v->views);
    const int *map = map_columns(&v->arena, rel, table);
    fill_views(v, table, map);
    if (!primary_key(rel, table, map, &v->key))
        identity_key(rel, &v->key);
    return v;
}

struct gw_table_views *gw_table_views_of_catalog(uint32_t rel_oid,
                                                 const struct gw_catalog *catalog)
{
    const struct gw_catalog_table *table = gw_catalog_table_find(catalog, rel_oid);
    struct gw_pgoutput_msg msg = {.kind = GW_PGOUTPUT_RELATION};
    struct gw_pgoutput_column *columns = gw_alloc((table->n_columns + 1u) * sizeof *columns);
    uint16_t n = 0;
    for (uint16_t i = 0; i < table->n_columns; i++)
        if (table->columns[i].generation.n == 0)
            columns[n++] = (struct gw_pgoutput_column){.is_key = table->columns[i].in_identity,
                                                       .name = table->columns[i].name,
                                                       .type_oid = table->columns[i].type_oid,
                                                       .typmod = -1};
    msg.u.relation.rel_oid = rel_oid;
    msg.u.relation.schema = table->schema;
    msg.u.relation.name = table->name;
    msg.u.relation.replica_identity = table->replica_identity;
    msg.u.relation.n_columns = n;
    msg.u.relation.columns = columns;
    struct gw_relation *rel = gw_relation_new(&msg);
    struct gw_table_views *views = gw_table_views_new(rel, catalog);
    gw_relation_unref(rel);
    free(columns);
    return views;
}

struct gw_table_views *gw_table_views_ref(const struct gw_table_views *v)
{
    struct gw_table_views *shared = (struct gw_table_views *)v; /* only the count ever changes */
    atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
    return shared;
}

void gw_table_views_unref(const struct gw_table_views *v)
{
    struct gw_table_views *shared = (struct gw_table_views *)v;
    if (!shared || atomic_fetch_sub_explicit(&shared->refs, 1, memory_order_acq_rel) != 1)
        return;
    gw_relation_unref(shared->rel);
    gw_catalog_unref(shared->catalog);
    gw_arena_fini(&shared->arena);
    free(shared);
}

void gw_commit_free(struct gw_commit *c)
{
    if (!c)
        return;
    for (uint32_t i = 0; i < c->n_changes; i++)
        gw_table_views_unref(c->changes[i].views);
    for (uint32_t i = 0; i < c->n_scopes; i++)
        gw_table_views_unref(c->scopes[i].views);
    gw_txn_free(c->txn); /* with its arena: changes, resyncs, scopes, revocations, audiences */
    free(c);
}

void gw_commit_settle(struct gw_commit *c)
{
    c->bytes = sizeof *c + gw_arena_footprint(&c->txn->arena);
}
