/* state_fixture: rules, relations and transactions for the tests of the access state, by hand. */
#ifndef GW_TEST_STATE_FIXTURE_H
#define GW_TEST_STATE_FIXTURE_H

#include "gw/state.h"

#include <assert.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define OID_BOOL 16
#define OID_INT8 20
#define OID_TEXT 25
#define OID_UUID 2950
#define OID_CITEXT 99999

/* Cells of images that are not values. */
static const char ST_UNCHANGED[] = "unchanged", ST_ABSENT[] = "absent";

/* Rules whose count never falls to zero: they live in static memory. */
#define ST_RULES(defs)                                                                             \
    {                                                                                              \
        .refs = 1000000, .n_tables = sizeof(defs) / sizeof(defs)[0], .tables = (defs)              \
    }
#define ST_COLUMN(column, oid, k, text)                                                            \
    {                                                                                              \
        .name = GW_SPAN_LIT(column), .type_oid = (oid), .kind = (k), .needs_text = (text)          \
    }
#define ST_COUNT(array) (sizeof(array) / sizeof(array)[0])

static inline enum gw_kind st_kind(uint32_t oid)
{
    return oid == OID_BOOL   ? GW_KIND_BOOL
           : oid == OID_INT8 ? GW_KIND_INT
           : oid == OID_UUID ? GW_KIND_UUID
           : oid == OID_TEXT ? GW_KIND_TEXT
                             : GW_KIND_OPAQUE;
}

/* ---- relations ---- */

struct st_column {
    const char *name;
    uint32_t oid;
    bool is_key;
};

static inline struct gw_relation *st_relation(uint32_t oid, char replica_identity, size_t n,
                                              const struct st_column *columns)
{
    struct gw_pgoutput_column items[16];
    struct gw_pgoutput_msg msg = {.kind = GW_PGOUTPUT_RELATION};
    assert(n <= ST_COUNT(items));
    for (size_t i = 0; i < n; i++)
        items[i] =
            (struct gw_pgoutput_column){.is_key = replica_identity == 'f' || columns[i].is_key,
                                        .name = gw_span_of(columns[i].name),
                                        .type_oid = columns[i].oid,
                                        .typmod = -1};
    msg.u.relation.rel_oid = oid;
    msg.u.relation.schema = GW_SPAN_LIT("public");
    msg.u.relation.name = GW_SPAN_LIT("t");
    msg.u.relation.replica_identity = replica_identity;
    msg.u.relation.n_columns = (uint16_t)n;
    msg.u.relation.columns = items;
    return gw_relation_new(&msg);
}

/* ---- transactions ---- */

#define ST_CHANGES_MAX 128
#define ST_TABLES_MAX 8

static inline struct gw_txn *st_txn(uint32_t number)
{
    struct gw_txn *t = gw_alloc(sizeof *t);
    gw_arena_init(&t->arena, 0);
    t->xid = number;
    t->commit_lsn.v = number * 100u;
    t->end_lsn.v = t->commit_lsn.v + 10;
    t->changes = gw_arena_alloc(&t->arena, ST_CHANGES_MAX * sizeof *t->changes);
    t->tables = gw_arena_alloc(&t->arena, ST_TABLES_MAX * sizeof *t->tables);
    return t;
}

static inline struct gw_txn_table *st_table(struct gw_txn *t, struct gw_relation *rel)
{
    struct gw_txn_table *table = gw_txn_table_find(t, rel->oid);
    if (table)
        return table;
    assert(t->n_tables < ST_TABLES_MAX);
    t->tables[t->n_tables] = (struct gw_txn_table){.rel = gw_relation_ref(rel)};
    return &t->tables[t->n_tables++];
}

static inline struct gw_image *st_image(struct gw_txn *t, const struct gw_relation *rel,
                                        const char *const *texts)
{
    if (!texts)
        return NULL;
    struct gw_image *image =
        gw_arena_alloc(&t->arena, sizeof *image + rel->n_columns * sizeof image->cells[0]);
    image->n = rel->n_columns;
    for (size_t i = 0; i < rel->n_columns; i++) {
        struct gw_cell *cell = &image->cells[i];
        cell->state = texts[i] == NULL           ? GW_CELL_NULL
                      : texts[i] == ST_UNCHANGED ? GW_CELL_UNCHANGED
                      : texts[i] == ST_ABSENT    ? GW_CELL_ABSENT
                                                 : GW_CELL_VALUE;
        if (cell->state == GW_CELL_VALUE)
            cell->text = cell->json = gw_arena_copy(&t->arena, gw_span_of(texts[i]));
    }
    gw_image_settle(image);
    return image;
}

/* old, new_: texts per column of the relation, or NULL: no such image. */
static inline void st_change(struct gw_txn *t, struct gw_relation *rel, enum gw_op op,
                             const char *const *old, const char *const *new_)
{
    assert(t->n_changes < ST_CHANGES_MAX);
    st_table(t, rel)->rows++;
    t->changes[t->n_changes++] =
        (struct gw_change){op, rel, st_image(t, rel, old), st_image(t, rel, new_)};
}

#define ST_ROW(...) ((const char *const[]){__VA_ARGS__})
#define ST_INSERT(t, rel, ...) st_change(t, rel, GW_OP_INSERT, NULL, ST_ROW(__VA_ARGS__))
#define ST_DELETE(t, rel, ...) st_change(t, rel, GW_OP_DELETE, ST_ROW(__VA_ARGS__), NULL)
#define ST_UPDATE(t, rel, ...) st_change(t, rel, GW_OP_UPDATE, NULL, ST_ROW(__VA_ARGS__))

/* As the assembler does: what came before in this table is marked as gone. */
static inline void st_truncate(struct gw_txn *t, struct gw_relation *rel)
{
    struct gw_txn_table *table = st_table(t, rel);
    table->truncated = table->access_unknown = true;
    table->truncate_at = t->n_changes;
}

static inline void st_overflow(struct gw_txn *t, struct gw_relation *rel)
{
    struct gw_txn_table *table = st_table(t, rel);
    table->overflowed = table->access_unknown = true;
    t->overflowed = true;
    t->n_changes = 0;
}

static inline void st_apply(struct gw_state *s, struct gw_txn *t)
{
    gw_state_apply(s, t, NULL, NULL);
    gw_txn_free(t);
}

/* ---- values ---- */

static inline struct gw_datum st_int(const char *text)
{
    return gw_datum_of(GW_KIND_INT, gw_span_of(text));
}

static inline struct gw_datum st_text(const char *text)
{
    return gw_datum_of(GW_KIND_TEXT, gw_span_of(text));
}

/* Rows of cells as texts, NULL for NULL, per column of def. */
static inline void st_load(struct gw_state *s, uint32_t table, const struct gw_state_table_def *def,
                           uint32_t n, const char *const *texts)
{
    struct gw_datum *cells = gw_alloc((n * def->n_columns + 1) * sizeof *cells);
    for (uint32_t i = 0; i < n * def->n_columns; i++) {
        enum gw_kind kind = def->columns[i % def->n_columns].kind;
        cells[i] = texts[i] ? gw_datum_of(kind, gw_span_of(texts[i])) : gw_datum_null(kind);
    }
    gw_state_load(s, table, &(struct gw_state_rows){n, cells});
    free(cells);
}

#endif
