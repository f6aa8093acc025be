/* state_internal: what the files of the access state share.
 *
 * From the bottom: state_row.c packs cells into rows, state_buckets.c finds rows by key,
 * state_table.c keeps the rows of a table and all their indexes in step, state_watch.c holds the
 * keys that are loaded or watched, state_change.c reads row images of the log; on these stand
 * state_read.c (load, unread), state_apply.c (the log), state_rules.c (new definitions) and state.c
 * (look-ups).
 *
 * Cells travel as arrays of gw_datum in the order of a definition's columns, or of a key's. Inside
 * they are *plain*: VALUE, NULL or UNKNOWN, and OPAQUE values have the key of their text, which is
 * good for telling rows apart and for nothing else. */
#ifndef GW_STATE_INTERNAL_H
#define GW_STATE_INTERNAL_H

#include "gw/state.h"

#define GW_STATE_NOWHERE UINT32_MAX

/* ---- rows ---- */

/* Immutable while in a table, but for its positions; one allocation. */
struct gw_state_row {
    uint32_t batch; /* CACHED: the batch of reads it came with; 0: from the log alone */
    uint32_t at[];  /* [0]: in table->all, then per index; behind them the cells, see the layout */
};

/* Where the cells of a table's rows are: two bits of state per column, the keys, where each text
 * ends, the texts. */
struct gw_state_layout {
    uint32_t n_columns;
    uint32_t states_at; /* bytes from the start of the row, as all of these */
    uint32_t ends_at;
    uint32_t texts_at; /* so the size without texts */
    uint32_t n_texts;
    struct gw_state_field {
        enum gw_kind kind;
        uint32_t at;
        uint32_t width; /* of the key: 16, 8 (INT) or 1 (BOOL) */
        uint32_t text;  /* which of the texts, or NOWHERE */
    } * fields;
};

void gw_state_layout_init(struct gw_state_layout *l, const struct gw_state_table_def *def,
                          uint32_t n_positions);
void gw_state_layout_fini(struct gw_state_layout *l);
/* cells: plain, one per column. Owned (free()). */
struct gw_state_row *gw_state_row_new(const struct gw_state_layout *l, const struct gw_datum *cells,
                                      uint32_t batch);
/* State and key of a cell: what look-ups compare, inline for their sake. */
static inline enum gw_datum_state gw_state_row_key(const struct gw_state_layout *l,
                                                   const struct gw_state_row *row, uint32_t column,
                                                   struct gw_key *key)
{
    const struct gw_state_field *f = &l->fields[column];
    const unsigned char *p = (const unsigned char *)row;
    *key = (struct gw_key){0, 0};
    if (f->width == 16)
        memcpy(key, p + f->at, 16);
    else if (f->width == 8)
        memcpy(&key->lo, p + f->at, 8);
    else
        key->lo = p[f->at];
    return (enum gw_datum_state)(p[l->states_at + column / 4] >> column % 4 * 2 & 3);
}
struct gw_datum gw_state_row_cell(const struct gw_state_layout *l, const struct gw_state_row *row,
                                  uint32_t column); /* plain; text borrowed from the row */
bool gw_state_row_is_equal(const struct gw_state_layout *l, const struct gw_state_row *a,
                           const struct gw_state_row *b);
size_t gw_state_row_bytes(const struct gw_state_layout *l, const struct gw_state_row *row);
uint32_t gw_state_row_unknown(const struct gw_state_layout *l, const struct gw_state_row *row);
struct gw_datum gw_state_plain(enum gw_kind kind, struct gw_datum d);

/* What an allocation takes from malloc: a word of header, 16 bytes of grain. */
static inline size_t gw_state_cost(size_t bytes)
{
    size_t cost = (bytes + 8 + 15) & ~(size_t)15;
    return bytes == 0 ? 0 : cost < 32 ? 32 : cost;
}

/* ---- rows by key ---- */

struct gw_state_table;

/* Rows of one key, when there are several. */
struct gw_state_bucket {
    uint32_t n, cap;
    struct gw_state_row *rows[];
};

/* How a key stands to look-ups. */
enum gw_state_standing {
    GW_STATE_KEY_NULL,    /* some cell is NULL: no look-up finds it */
    GW_STATE_KEY_UNKNOWN, /* else some cell is UNKNOWN: any look-up might */
    GW_STATE_KEY_VALUE,
};

struct gw_state_buckets {
    struct gw_state_table *table;
    uint32_t n_columns;
    const uint32_t *columns;    /* into the definition's; borrowed */
    bool is_identity;           /* NULL and UNKNOWN are values like others: all rows are in slots */
    bool is_opaque;             /* a column has no equality here: look-ups are never complete */
    uint32_t position;          /* into row->at; NOWHERE: at most one row per key */
    uint32_t count, cap, tombs; /* of slots */
    struct gw_state_row **slots;     /* free: NULL; a bucket: lowest bit set */
    unsigned char *tags;             /* per slot; 0: free, 1: tomb, else 128 + 7 bits of the hash */
    struct gw_datum *scratch;        /* n_columns */
    struct gw_state_bucket *unknown; /* not is_identity: rows whose key is UNKNOWN; or NULL */
    struct gw_idmap keys;            /* hash → chain of struct gw_state_key */
    uint32_t n_loaded;               /* keys LOADED */
    uint64_t n_links;                /* watches on keys */
};

void gw_state_buckets_init(struct gw_state_buckets *b, struct gw_state_table *t,
                           const uint32_t *columns, uint32_t n_columns);
void gw_state_buckets_fini(struct gw_state_buckets *b);  /* rows and keys are the owner's */
void gw_state_buckets_empty(struct gw_state_buckets *b); /* forget all rows */
void gw_state_buckets_reserve(struct gw_state_buckets *b, size_t n);
void gw_state_buckets_add(struct gw_state_buckets *b, struct gw_state_row *row);
void gw_state_buckets_remove(struct gw_state_buckets *b, struct gw_state_row *row);
/* Rows with this key; *n of them, borrowed until the rows change. cells: in key order. */
struct gw_state_row *const *gw_state_buckets_find(const struct gw_state_buckets *b,
                                                  const struct gw_datum *cells, uint32_t *n);
/* All rows of an identity; *slot and *i start at 0. NULL at the end. */
struct gw_state_row *gw_state_buckets_next(const struct gw_state_buckets *b, uint32_t *slot,
                                           uint32_t *i);
enum gw_state_standing gw_state_standing(const struct gw_datum *cells, uint32_t n);
/* The key of row into b->scratch. */
enum gw_state_standing gw_state_buckets_key(const struct gw_state_buckets *b,
                                            const struct gw_state_row *row);
uint64_t gw_state_key_hash(const struct gw_state_buckets *b, const struct gw_datum *cells);

/* position: into row->at. */
void gw_state_bucket_add(struct gw_state_table *t, struct gw_state_bucket **b, uint32_t position,
                         struct gw_state_row *row);
void gw_state_bucket_remove(struct gw_state_table *t, struct gw_state_bucket **b, uint32_t position,
                            struct gw_state_row *row);
void gw_state_bucket_free(struct gw_state_table *t, struct gw_state_bucket **b);

/* ---- tables ---- */

/* Columns of the relation that the log announced last, by the definition's. */
struct gw_state_map {
    const struct gw_relation *rel; /* reference held; NULL: none yet */
    int32_t *at;                   /* -1: not there, or of another type */
};

struct gw_state_table {
    struct gw_state *state;
    uint32_t number;
    const struct gw_state_table_def *def; /* in state->rules */
    struct gw_state_layout layout;
    enum gw_state_mode mode;
    uint32_t batch; /* of the last load, whole or by key */
    bool is_frozen; /* RESIDENT: the rows are those after a transaction that cannot be taken back */
    uint32_t frozen_xid; /* that transaction */
    struct gw_lsn frozen_lsn;
    bool
        is_skipped; /* while a transaction is applied or taken back: its changes are not followed */
    struct gw_state_buckets identity;
    uint32_t *every_column; /* without identity: the columns of it; else NULL */
    uint32_t n_indexes;
    struct gw_state_buckets *indexes;
    bool has_all; /* all is kept; from the first look-up of the whole table on */
    struct gw_state_bucket *all;
    size_t bytes;
    uint64_t n_rows, unknown_cells;
    struct gw_list watches; /* of the whole table */
    struct gw_state_map map;
    struct gw_datum *cells; /* scratch, one per column */
};

struct gw_state_table *gw_state_table_new(struct gw_state *s, uint32_t number,
                                          const struct gw_state_table_def *def);
void gw_state_table_free(struct gw_state_table *t); /* accepts NULL; watches are unlinked */
/* Takes row; its identity must be free. */
void gw_state_table_put(struct gw_state_table *t, struct gw_state_row *row);
void gw_state_table_take(struct gw_state_table *t, struct gw_state_row *row); /* to the caller */
struct gw_state_row *
gw_state_table_find(const struct gw_state_table *t,
                    const struct gw_datum *cells); /* by its identity, or NULL */
/* Whether the cells name one row for sure. */
bool gw_state_table_is_identified(const struct gw_state_table *t, const struct gw_datum *cells);
void gw_state_table_empty(struct gw_state_table *t); /* rows only */
void gw_state_table_clear(struct gw_state_table *t); /* rows, loaded keys, what the mode says */
struct gw_state_bucket *gw_state_table_all(struct gw_state_table *t); /* or NULL: no rows */
/* CACHED: whether a loaded key holds row, or might; RESIDENT: true; UNLOADED: false. */
bool gw_state_table_holds(const struct gw_state_table *t, const struct gw_state_row *row);
/* Drop the rows that no key holds; only_batch: those of that batch, held or not. */
void gw_state_table_drop_loose(struct gw_state_table *t);
void gw_state_table_drop_batch(struct gw_state_table *t, uint32_t batch);

/* ---- keys and watches ---- */

enum gw_state_key_mode {
    GW_STATE_KEY_WATCHED, /* only watched */
    GW_STATE_KEY_LOADED,  /* CACHED: all its rows are here */
    GW_STATE_KEY_LOST,    /* was loaded, but what it was before a TRUNCATE cannot be told */
};

struct gw_state_key {
    struct gw_state_buckets *index;
    struct gw_state_key *next; /* of the same hash */
    uint64_t hash;
    enum gw_state_key_mode mode;
    uint32_t batch;         /* LOADED, LOST: of the read */
    struct gw_list lru;     /* LOADED, LOST: in state->lru */
    struct gw_list watches; /* struct gw_watch_link */
    struct gw_key cells[];  /* one per column of the index */
};

struct gw_watch_link {
    struct gw_list node; /* in the key's, the table's or state->firing */
    struct gw_watch *watch;
    struct gw_watch_link *next; /* of the same watch */
    struct gw_state *state;
    struct gw_state_key *key; /* or NULL */
};

struct gw_state_key *gw_state_key_find(const struct gw_state_buckets *b,
                                       const struct gw_datum *cells); /* or NULL */
/* Found or made, WATCHED. */
struct gw_state_key *gw_state_key_get(struct gw_state_buckets *b, const struct gw_datum *cells);
void gw_state_key_set_loaded(struct gw_state_key *k, uint32_t batch);
void gw_state_key_set_lost(struct gw_state_key *k); /* from LOADED */
void gw_state_key_use(struct gw_state_key *k);      /* it is the most recently used */
/* Its rows are no longer all here. Frees k unless it is watched; rows are left alone. */
void gw_state_key_unload(struct gw_state_key *k);
/* All keys of t that are LOADED or LOST. */
void gw_state_keys_unload(struct gw_state_table *t);
void gw_state_keys_lose(struct gw_state_table *t, uint32_t batch); /* of that batch: LOST */
void gw_state_keys_regain(struct gw_state_table *t);               /* LOST ones are LOADED again */
/* Drop keys until the state is within its bytes; those of the batch that is being read stay. */
void gw_state_evict(struct gw_state *s);

/* Collect the watches of what row's presence decides; of all of t; of one key. */
void gw_state_touch(struct gw_state_table *t, const struct gw_state_row *row);
void gw_state_touch_all(struct gw_state_table *t);
void gw_state_touch_key(struct gw_state_key *k); /* may free k */
void gw_state_fire(struct gw_state *s);          /* call what was collected */
void gw_state_detach(struct gw_state *s);        /* unlink what was collected, without a call */

/* ---- changes of the log ---- */

struct gw_state_table *gw_state_table_of(const struct gw_state *s, uint32_t rel_oid); /* or NULL */
/* Cells of the row before and after a change into out. stored: the row as it is on the other side
 * of the change, or NULL; what the change proves to be the same is taken from it. */
void gw_state_cells_before(struct gw_state_table *t, const struct gw_change *c,
                           const struct gw_state_row *stored, struct gw_datum *out);
void gw_state_cells_after(struct gw_state_table *t, const struct gw_change *c,
                          const struct gw_state_row *stored, struct gw_datum *out);
/* Whether both images name their row. */
bool gw_state_is_followable(struct gw_state_table *t, const struct gw_change *c);

/* ---- the whole ---- */

/* Nothing is known of t; watches are collected. */
void gw_state_unload_table(struct gw_state_table *t);
/* Whether what happened cannot be followed at all. */
static inline bool gw_state_is_overflowed(const struct gw_txn_table *what)
{
    return what->overflowed || (what->access_unknown && !what->truncated);
}

struct gw_state {
    size_t max_bytes;
    const struct gw_rules *rules; /* reference held; NULL before the first */
    uint32_t n_tables;
    struct gw_state_table **tables;
    struct gw_idmap by_oid;
    struct gw_key seed; /* of hashes: keys are users' input */
    uint32_t batch;     /* of reads, from 1; a batch ends with gw_state_settle */
    struct gw_list lru; /* keys, least recently used first */
    struct gw_list firing;
    uint64_t n_watches, n_keys, evictions, misses;
};

size_t gw_state_bytes(const struct gw_state *s);

#endif
