/* txn: the rows of one commit, decoded, their values turned into JSON once.
 *
 * The assembler (wal thread) builds one gw_txn between Begin and Commit in the transaction's own
 * arena; at Commit it is handed over and, after gw_txn_fold (hub thread), never changed again.
 * Bound: max_bytes of arena. Past it the rows are dropped, the tables they touched are kept with
 * overflowed set, so that their subscribers can be told to resync and policies that read them know
 * that the state is unknown. */
#ifndef GW_TXN_H
#define GW_TXN_H

#include "gw/relation.h"
#include "gw/types.h"

enum gw_cell_state {
    GW_CELL_ABSENT,    /* the log did not carry this column (outside the key of an old image) */
    GW_CELL_NULL,      /* SQL NULL */
    GW_CELL_VALUE,     /* text and json are set */
    GW_CELL_UNCHANGED, /* unchanged TOAST: the value exists but was not in the log */
};

struct gw_cell {
    enum gw_cell_state state;
    struct gw_span text; /* Postgres' text form, in the arena */
    struct gw_span json; /* the same as JSON, in the arena; "null" for NULL */
};

/* One version of a row: n cells, one per column of the relation. */
struct gw_image {
    uint16_t n;
    bool is_full; /* no cell is ABSENT or UNCHANGED */
    struct gw_cell cells[];
};

enum gw_op { GW_OP_INSERT, GW_OP_UPDATE, GW_OP_DELETE };

struct gw_change {
    enum gw_op op;
    const struct gw_relation *rel; /* borrowed from the txn, which holds a reference */
    struct gw_image *old;  /* NULL: INSERT, or not in the log; key columns only unless is_full */
    struct gw_image *new_; /* NULL: DELETE */
};

/* What happened to one table in this transaction. */
struct gw_txn_table {
    const struct gw_relation *rel; /* reference held; the newest version the transaction saw */
    uint64_t rows;                 /* row messages seen, delivered or not */
    bool truncated;                /* TRUNCATE: every row visible before is gone */
    bool overflowed;               /* rows were dropped: the cap was passed */
    bool access_unknown; /* what policies read of it can't be told: truncated or overflowed */
    size_t truncate_at;  /* truncated: changes below this index came before the (last) TRUNCATE;
                          * meaningless after the fold, which has dropped them */
};

/* A transactional pg_logical_emit_message. */
struct gw_txn_message {
    struct gw_span prefix, content;
    struct gw_txn_message *next;
};

/* A relation announced anew within the transaction: rows before that still point to the old one. */
struct gw_txn_held {
    const struct gw_relation *rel; /* reference held */
    struct gw_txn_held *next;
};

struct gw_txn {
    struct gw_arena arena;
    uint32_t xid; /* 32 bits, as the log carries it; of the top-level transaction */
    struct gw_lsn commit_lsn, end_lsn;
    struct gw_us commit_time;
    bool overflowed;
    bool is_folded; /* set by gw_txn_fold, which then has nothing more to do */
    size_t n_changes;
    struct gw_change *changes; /* log order; after the fold at most one per row */
    size_t n_tables;
    struct gw_txn_table *tables;     /* every table touched, in order of first touch */
    struct gw_txn_message *messages; /* log order */
    bool messages_lost;              /* overflowed, and messages did not fit either: assume any */
    struct gw_txn_held *held;        /* own use */
    size_t bytes;                    /* memory it stands for, for queue accounting */
};

void gw_txn_free(struct gw_txn *t); /* accepts NULL; drops the relation references */
struct gw_txn_table *gw_txn_table_find(const struct gw_txn *t, uint32_t rel_oid); /* or NULL */

void gw_image_settle(struct gw_image *image); /* set is_full from the cells */

/* ---- assembling: wal thread ---- */

struct gw_assembler;

/* types may be replaced later; max_bytes is ROWCAST_MAX_TXN_BYTES (0: no cap). Returns owned. */
struct gw_assembler *gw_assembler_new(size_t max_bytes);
void gw_assembler_free(struct gw_assembler *a);
/* Types used for JSON from now on; borrowed until replaced. NULL: built-in types only. */
void gw_assembler_set_types(struct gw_assembler *a, const struct gw_types *types);
/* Forget a half-built transaction and all relations: the connection was lost. */
void gw_assembler_reset(struct gw_assembler *a);

/* What a fed message asks of the caller. */
enum gw_fed { GW_FED_NOTHING, GW_FED_TXN, GW_FED_RELATION };

/* Feed the payload of one XLogData block. After GW_FED_TXN *txn is owned by the caller (also for
 * transactions without a change: they carry progress). GW_FED_RELATION: a Relation message was
 * taken; the caller should see that the catalog is newer than this before feeding on.
 * Errors: those of gw_pgoutput_decode; E_NOT_FOUND for a row of an unannounced relation,
 * E_MALFORMED for a message out of order or a tuple with more or fewer columns than the relation;
 * E_UNSUPPORTED for a binary value. After an error only reset and free make sense. */
GW_MUST_CHECK enum gw_code gw_assembler_feed(struct gw_assembler *a, struct gw_span payload,
                                             enum gw_fed *fed, struct gw_txn **txn,
                                             struct gw_err *err);
/* Of the half-built transaction; 0: there is none. */
uint32_t gw_assembler_xid(const struct gw_assembler *a);
/* Memory of the half-built transaction, for metrics. */
size_t gw_assembler_bytes(const struct gw_assembler *a);

/* ---- net effect: hub thread ---- */

/* Which columns identify a row of rel: fill is_key[i] for its n_columns; false: nothing does. */
typedef bool gw_txn_identity(void *ctx, const struct gw_relation *rel, bool *is_key);

/* Reduce t to its net effect: at most one change per row, in order of first touch (P1 in DESIGN).
 * INSERT+UPDATE → INSERT of the last image; INSERT+DELETE → nothing; UPDATE+DELETE → DELETE of the
 * first old image; DELETE+INSERT of one key → UPDATE; unchanged TOAST is filled from the images
 * folded away and from full old images; a key change is one UPDATE whose old image holds the old
 * key; TRUNCATE drops what came before it in that table. Rows without identity stay as they are
 * unless their old images are full: then the whole row is the identity.
 * Order: first touch, but what frees a key comes before what takes it.
 * identity NULL: the replica identity in the relation (not for FULL). Columns that old images do
 * not carry can't be followed: if identity names such, the replica identity is used in its place.
 * Lifts the arena's cap: the few images it must make new may pass it. */
void gw_txn_fold(struct gw_txn *t, gw_txn_identity *identity, void *ctx);

#endif
