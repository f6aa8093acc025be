/* assembler: pgoutput messages → gw_txn. See gw/txn.h for the contract.
 *
 * DESIGN. Between Begin and Commit the rows collect in the transaction's own arena: one gw_image
 * per tuple, its cells with text and JSON, each value converted once. The arrays that grow
 * (changes, tables) are kept outside, because an arena cannot take back the halves that doubling
 * leaves, and are copied into the arena at Commit; the changes count against the cap as if they
 * were in it.
 *
 * Overflow. Where the next row would pass the cap, all rows so far are dropped and their memory
 * goes back at once; later rows are decoded and counted, not kept. Tables stay, marked. Messages
 * stay too (they may announce changes of policies), up to the same cap; past it messages_lost is
 * set.
 *
 * Bounds: the transaction by max_bytes; relations and tables by what the publication holds; the
 * scratch arena of one message by the size of that message (see pgoutput.c). */
#include "gw/txn.h"

#include "image.h"

#include <assert.h>
#include <stdlib.h>

#define SCRATCH_KEEP_BYTES ((size_t)32 * 1024)
#define JSON_KEEP_BYTES ((size_t)1024 * 1024)
#define CHANGES_KEEP ((size_t)32 * 1024)

/* What the log has announced of one table. */
struct known {
    struct gw_relation *rel; /* reference held */
    uint64_t txn_serial;     /* the transaction that table_at belongs to */
    size_t table_at;         /* its index in tables */
};

struct gw_assembler {
    size_t max_bytes;
    const struct gw_types *types;
    struct gw_types builtin;
    struct gw_idmap relations; /* oid → struct known, owned */
    struct gw_arena scratch;   /* of the message being decoded */
    struct gw_buf json;        /* of the value being converted */

    struct gw_txn *txn; /* NULL between transactions */
    uint64_t txn_serial;
    struct gw_change *changes;
    size_t n_changes, changes_cap;
    struct gw_txn_table *tables;
    size_t n_tables, tables_cap;
    struct gw_txn_message *last_message;
};

/* ---- relations and tables ---- */

static void known_free(struct known *known)
{
    gw_relation_unref(known->rel);
    free(known);
}

static void relations_clear(struct gw_assembler *a)
{
    size_t at = 0;
    void *value;
    while (gw_idmap_each(&a->relations, &at, NULL, &value))
        known_free(value);
    gw_idmap_fini(&a->relations);
    gw_idmap_init(&a->relations);
}

/* The entry of a table in this transaction, made on first touch. */
static struct gw_txn_table *table_touch(struct gw_assembler *a, struct known *known)
{
    if (known->txn_serial == a->txn_serial)
        return &a->tables[known->table_at];
    if (a->n_tables == a->tables_cap) {
        a->tables_cap = a->tables_cap ? a->tables_cap * 2 : 16;
        a->tables = gw_realloc(a->tables, a->tables_cap * sizeof *a->tables);
    }
    known->txn_serial = a->txn_serial;
    known->table_at = a->n_tables;
    struct gw_txn_table *table = &a->tables[a->n_tables++];
    *table = (struct gw_txn_table){.rel = gw_relation_ref(known->rel)};
    return table;
}

static void table_mark_overflowed(struct gw_txn_table *table)
{
    table->overflowed = true;
    table->access_unknown = true;
    table->truncate_at = 0;
}

static void held_unref(struct gw_txn *txn)
{
    for (const struct gw_txn_held *held = txn->held; held; held = held->next)
        gw_relation_unref(held->rel);
    txn->held = NULL;
}

/* ---- messages and overflow ---- */

/* False: past the cap. */
static bool message_keep(struct gw_assembler *a, struct gw_span prefix, struct gw_span content)
{
    struct gw_arena *arena = &a->txn->arena;
    struct gw_txn_message *message = gw_arena_alloc(arena, sizeof *message);
    if (!message)
        return false;
    message->prefix = gw_arena_copy(arena, prefix);
    message->content = gw_arena_copy(arena, content);
    if (!message->prefix.p || !message->content.p)
        return false;
    if (a->last_message)
        a->last_message->next = message;
    else
        a->txn->messages = message;
    a->last_message = message;
    return true;
}

/* The cap was reached: keep messages and tables, give everything else back. */
static void overflow(struct gw_assembler *a)
{
    struct gw_txn *txn = a->txn;
    struct gw_arena rows = txn->arena;
    const struct gw_txn_message *message = txn->messages;

    held_unref(txn); /* before the arena goes, which holds the list */
    txn->overflowed = true;
    free(a->changes);
    a->changes = NULL;
    a->n_changes = a->changes_cap = 0;
    for (size_t i = 0; i < a->n_tables; i++)
        if (a->tables[i].rows > 0)
            table_mark_overflowed(&a->tables[i]);

    gw_arena_init(&txn->arena, a->max_bytes);
    txn->messages = NULL;
    a->last_message = NULL;
    for (; message; message = message->next)
        if (!message_keep(a, message->prefix, message->content))
            txn->messages_lost = true;
    gw_arena_fini(&rows);
}

/* ---- rows ---- */

/* A change more, unless the array would pass the cap once it is in the arena. */
static bool change_push(struct gw_assembler *a, const struct gw_change *change)
{
    size_t bytes = (a->n_changes + 1) * sizeof *change;
    if (a->max_bytes && bytes > a->max_bytes - a->txn->arena.used_bytes)
        return false;
    if (a->n_changes == a->changes_cap) {
        a->changes_cap = a->changes_cap ? a->changes_cap * 2 : 16;
        a->changes = gw_realloc(a->changes, a->changes_cap * sizeof *a->changes);
    }
    a->changes[a->n_changes++] = *change;
    return true;
}

static enum gw_op op_of(enum gw_pgoutput_kind kind)
{
    switch (kind) {
    case GW_PGOUTPUT_INSERT:
        return GW_OP_INSERT;
    case GW_PGOUTPUT_UPDATE:
        return GW_OP_UPDATE;
    default:
        return GW_OP_DELETE;
    }
}

/* False: past the cap. */
static bool row_build(struct gw_assembler *a, const struct gw_relation *rel,
                      const struct gw_pgoutput_msg *msg)
{
    struct gw_change change = {.op = op_of(msg->kind), .rel = rel};
    struct gw_image_maker maker = {&a->txn->arena, a->types, &a->json};
    if (msg->u.row.old_kind != GW_OLD_NONE) {
        change.old = gw_image_make(&maker, rel, &msg->u.row.old, msg->u.row.old_kind == GW_OLD_KEY);
        if (!change.old)
            return false;
    }
    if (change.op != GW_OP_DELETE) {
        change.new_ = gw_image_make(&maker, rel, &msg->u.row.new_, false);
        if (!change.new_)
            return false;
    }
    return change_push(a, &change);
}

static enum gw_code tuple_check(const struct gw_relation *rel, const struct gw_tuple *tuple,
                                struct gw_err *err)
{
    if (tuple->n != rel->n_columns)
        return gw_err_set(err, GW_E_MALFORMED, "row has %u columns, relation %u has %u",
                          (unsigned)tuple->n, (unsigned)rel->oid, (unsigned)rel->n_columns);
    for (size_t i = 0; i < tuple->n; i++)
        if (tuple->datums[i].kind == GW_FIELD_BINARY)
            return gw_err_set(err, GW_E_UNSUPPORTED, "row of relation %u has a binary value",
                              (unsigned)rel->oid);
    return GW_OK;
}

static enum gw_code row_take(struct gw_assembler *a, const struct gw_pgoutput_msg *msg,
                             struct gw_err *err)
{
    struct known *known = gw_idmap_find(&a->relations, msg->u.row.rel_oid);
    if (!known)
        return gw_err_set(err, GW_E_NOT_FOUND, "row of relation %u, which was not announced",
                          (unsigned)msg->u.row.rel_oid);
    enum gw_code code = GW_OK;
    if (msg->u.row.old_kind != GW_OLD_NONE)
        code = tuple_check(known->rel, &msg->u.row.old, err);
    if (code == GW_OK && msg->kind != GW_PGOUTPUT_DELETE)
        code = tuple_check(known->rel, &msg->u.row.new_, err);
    if (code != GW_OK)
        return code;

    struct gw_txn_table *table = table_touch(a, known);
    table->rows++;
    if (a->txn->overflowed)
        table_mark_overflowed(table);
    else if (!row_build(a, known->rel, msg))
        overflow(a);
    return GW_OK;
}

/* ---- the other messages ---- */

static enum gw_code begin_take(struct gw_assembler *a, const struct gw_pgoutput_msg *msg,
                               struct gw_err *err)
{
    if (a->txn)
        return gw_err_set(err, GW_E_MALFORMED, "Begin inside a transaction");
    a->txn = gw_alloc(sizeof *a->txn);
    a->txn_serial++;
    gw_arena_init(&a->txn->arena, a->max_bytes);
    a->txn->xid = msg->u.begin.xid;
    a->txn->commit_lsn = msg->u.begin.final_lsn;
    a->txn->commit_time = msg->u.begin.commit_time;
    return GW_OK;
}

/* n items copied into the arena, whose cap was lifted. */
static void *flatten(struct gw_arena *arena, const void *items, size_t n, size_t size)
{
    if (n == 0)
        return NULL;
    void *copy = gw_arena_alloc(arena, n * size);
    assert(copy);
    memcpy(copy, items, n * size);
    return copy;
}

/* Ready for the next transaction; memory that only a large one needed goes back. */
static void builder_clear(struct gw_assembler *a)
{
    a->txn = NULL;
    a->n_tables = a->n_changes = 0;
    a->last_message = NULL;
    if (a->changes_cap > CHANGES_KEEP) {
        free(a->changes);
        a->changes = NULL;
        a->changes_cap = 0;
    }
    if (a->json.cap > JSON_KEEP_BYTES) {
        gw_buf_fini(&a->json);
        gw_buf_init(&a->json, a->max_bytes);
    }
}

static enum gw_code commit_take(struct gw_assembler *a, const struct gw_pgoutput_msg *msg,
                                struct gw_txn **out, struct gw_err *err)
{
    struct gw_txn *txn = a->txn;
    if (msg->u.commit.commit_lsn.v != txn->commit_lsn.v)
        return gw_err_set(err, GW_E_MALFORMED, "Commit of another transaction than was begun");
    txn->end_lsn = msg->u.commit.end_lsn;
    txn->commit_time = msg->u.commit.commit_time;
    txn->arena.max_bytes = 0; /* the changes were counted; tables are few */
    txn->n_changes = a->n_changes;
    txn->changes = flatten(&txn->arena, a->changes, a->n_changes, sizeof *a->changes);
    txn->n_tables = a->n_tables;
    txn->tables = flatten(&txn->arena, a->tables, a->n_tables, sizeof *a->tables);
    txn->bytes = sizeof *txn + gw_arena_footprint(&txn->arena);
    builder_clear(a);
    *out = txn;
    return GW_OK;
}

/* A table touched already gets a new shape: its rows so far keep the old one. */
static void table_renew(struct gw_assembler *a, size_t table_at, struct gw_relation *rel)
{
    struct gw_txn_table *table = &a->tables[table_at];
    struct gw_txn_held *held = NULL;
    if (!a->txn->overflowed) {
        held = gw_arena_alloc(&a->txn->arena, sizeof *held);
        if (!held)
            overflow(a);
    }
    if (held) {
        *held = (struct gw_txn_held){table->rel, a->txn->held};
        a->txn->held = held;
    } else {
        gw_relation_unref(table->rel); /* no row is left that points to it */
    }
    table->rel = gw_relation_ref(rel);
}

static void relation_take(struct gw_assembler *a, const struct gw_pgoutput_msg *msg)
{
    struct gw_relation *rel = gw_relation_new(msg);
    struct known *known = gw_idmap_find(&a->relations, rel->oid);
    if (!known) {
        known = gw_alloc(sizeof *known);
        known->rel = rel;
        gw_idmap_put(&a->relations, rel->oid, known);
        return;
    }
    if (gw_relation_is_same(known->rel, rel)) { /* sent again after an invalidation */
        gw_relation_unref(rel);
        return;
    }
    if (a->txn && known->txn_serial == a->txn_serial)
        table_renew(a, known->table_at, rel);
    gw_relation_unref(known->rel);
    known->rel = rel;
}

static enum gw_code truncate_take(struct gw_assembler *a, const struct gw_pgoutput_msg *msg,
                                  struct gw_err *err)
{
    for (size_t i = 0; i < msg->u.truncate.n_rels; i++) {
        struct known *known = gw_idmap_find(&a->relations, msg->u.truncate.rel_oids[i]);
        if (!known)
            return gw_err_set(err, GW_E_NOT_FOUND,
                              "TRUNCATE of relation %u, which was not announced",
                              (unsigned)msg->u.truncate.rel_oids[i]);
        struct gw_txn_table *table = table_touch(a, known);
        table->truncated = true;
        table->access_unknown = true;
        table->truncate_at = a->n_changes;
    }
    return GW_OK;
}

static enum gw_code message_take(struct gw_assembler *a, const struct gw_pgoutput_msg *msg,
                                 struct gw_err *err)
{
    if (!msg->u.message.transactional)
        return GW_OK; /* nobody's: dropped, in or out of a transaction */
    if (!a->txn)
        return gw_err_set(err, GW_E_MALFORMED, "transactional message outside a transaction");
    if (message_keep(a, msg->u.message.prefix, msg->u.message.content))
        return GW_OK;
    if (!a->txn->overflowed) {
        overflow(a);
        if (message_keep(a, msg->u.message.prefix, msg->u.message.content))
            return GW_OK;
    }
    a->txn->messages_lost = true;
    return GW_OK;
}

static bool needs_txn(enum gw_pgoutput_kind kind)
{
    switch (kind) {
    case GW_PGOUTPUT_COMMIT:
    case GW_PGOUTPUT_ORIGIN:
    case GW_PGOUTPUT_INSERT:
    case GW_PGOUTPUT_UPDATE:
    case GW_PGOUTPUT_DELETE:
    case GW_PGOUTPUT_TRUNCATE:
        return true;
    default:
        return false;
    }
}

static enum gw_code take(struct gw_assembler *a, const struct gw_pgoutput_msg *msg,
                         enum gw_fed *fed, struct gw_txn **txn, struct gw_err *err)
{
    if (needs_txn(msg->kind) && !a->txn)
        return gw_err_set(err, GW_E_MALFORMED, "message (kind %d) outside a transaction",
                          (int)msg->kind);
    enum gw_code code = GW_OK;
    switch (msg->kind) {
    case GW_PGOUTPUT_BEGIN:
        return begin_take(a, msg, err);
    case GW_PGOUTPUT_COMMIT:
        code = commit_take(a, msg, txn, err);
        *fed = code == GW_OK ? GW_FED_TXN : GW_FED_NOTHING;
        return code;
    case GW_PGOUTPUT_RELATION:
        relation_take(a, msg);
        *fed = GW_FED_RELATION;
        return GW_OK;
    case GW_PGOUTPUT_INSERT:
    case GW_PGOUTPUT_UPDATE:
    case GW_PGOUTPUT_DELETE:
        return row_take(a, msg, err);
    case GW_PGOUTPUT_TRUNCATE:
        return truncate_take(a, msg, err);
    case GW_PGOUTPUT_MESSAGE:
        return message_take(a, msg, err);
    case GW_PGOUTPUT_ORIGIN:
    case GW_PGOUTPUT_TYPE: /* the catalog tells more about types than this message */
        break;
    }
    return GW_OK;
}

struct gw_assembler *gw_assembler_new(size_t max_bytes)
{
    struct gw_assembler *a = gw_alloc(sizeof *a);
    a->max_bytes = max_bytes;
    gw_types_init(&a->builtin);
    a->types = &a->builtin;
    gw_idmap_init(&a->relations);
    gw_arena_init(&a->scratch, 0);
    gw_buf_init(&a->json, max_bytes);
    return a;
}

void gw_assembler_free(struct gw_assembler *a)
{
    if (!a)
        return;
    gw_assembler_reset(a);
    gw_types_fini(&a->builtin);
    gw_idmap_fini(&a->relations);
    gw_arena_fini(&a->scratch);
    gw_buf_fini(&a->json);
    free(a->changes);
    free(a->tables);
    free(a);
}

void gw_assembler_set_types(struct gw_assembler *a, const struct gw_types *types)
{
    a->types = types ? types : &a->builtin;
}

void gw_assembler_reset(struct gw_assembler *a)
{
    for (size_t i = 0; i < a->n_tables; i++)
        gw_relation_unref(a->tables[i].rel);
    gw_txn_free(a->txn); /* has no tables of its own before Commit */
    builder_clear(a);
    relations_clear(a);
}

enum gw_code gw_assembler_feed(struct gw_assembler *a, struct gw_span payload, enum gw_fed *fed,
                               struct gw_txn **txn, struct gw_err *err)
{
    struct gw_pgoutput_msg msg;
    *fed = GW_FED_NOTHING;
    *txn = NULL;
    enum gw_code code = gw_pgoutput_decode(payload, &a->scratch, &msg, err);
    if (code == GW_OK)
        code = take(a, &msg, fed, txn, err);
    /* Nothing of the message is needed any more; a fresh arena only now and then, as it costs an
     * allocation each time. */
    if (a->scratch.used_bytes > SCRATCH_KEEP_BYTES)
        gw_arena_fini(&a->scratch);
    return code;
}

uint32_t gw_assembler_xid(const struct gw_assembler *a)
{
    return a->txn ? a->txn->xid : 0;
}

size_t gw_assembler_bytes(const struct gw_assembler *a)
{
    if (!a->txn)
        return 0;
    return sizeof *a->txn + gw_arena_footprint(&a->txn->arena) +
           a->changes_cap * sizeof *a->changes + a->tables_cap * sizeof *a->tables;
}
