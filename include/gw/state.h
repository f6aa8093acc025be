/* state: the access state: the columns that policies look up in other tables, as of the last
 * transaction applied. Kept from the same log that is being judged, so that old images meet the state
 * before their commit and new ones the state after it.
 *
 * A table is RESIDENT (every row is here), CACHED (the rows of those keys that were read; others are
 * a miss), or UNLOADED (nothing is known). Rows come from a read of the database, which is ahead of
 * the log: transactions that the read contained and that are not applied yet are taken back, newest
 * first, from their old images (gw_state_unread); what an old image does not carry becomes UNKNOWN,
 * never a guess. Owner: the hub thread. Bound: max_bytes for rows, indexes and keys together; CACHED
 * keys are dropped least recently used first; RESIDENT tables that outgrow it are the hub's to turn
 * into CACHED ones (gw_state_is_over). */
#ifndef GW_STATE_H
#define GW_STATE_H

#include "gw/expr.h"
#include "gw/list.h"
#include "gw/txn.h"

struct gw_state;

enum gw_state_mode { GW_STATE_UNLOADED, GW_STATE_CACHED, GW_STATE_RESIDENT };

struct gw_state *gw_state_new(size_t max_bytes);
void gw_state_free(struct gw_state *s); /* accepts NULL */

/* The tables, columns and indexes of rules (a reference is taken) from now on. A table whose definition
 * holds all that is needed already keeps its rows; others become UNLOADED; those no longer named are
 * dropped. Every watch fires. Table numbers below are rules->tables positions. */
void gw_state_set_rules(struct gw_state *s, const struct gw_rules *rules);
enum gw_state_mode gw_state_mode(const struct gw_state *s, uint32_t table);

/* ---- reads of the database ---- */

/* Row-major cells, one per column of the table's definition, with text; borrowed. */
struct gw_state_rows {
    uint32_t n;
    const struct gw_datum *cells;
};

/* Replace the table: RESIDENT. Every watch on it fires. */
void gw_state_load(struct gw_state *s, uint32_t table, const struct gw_state_rows *rows);
/* Empty and CACHED; keys are loaded one by one. */
void gw_state_load_cached(struct gw_state *s, uint32_t table);
/* All rows of one key of an index (n datums, VALUE). Rows already here by another key are the same. */
void gw_state_load_key(struct gw_state *s, uint32_t table, uint32_t index,
                       const struct gw_datum *key, const struct gw_state_rows *rows);
/* Take back a transaction that the read just loaded contained but that is not applied yet: call
 * newest first, for all tables (table given) or keys (CACHED) loaded since gw_state_settle. */
void gw_state_unread(struct gw_state *s, const struct gw_txn *txn);
void gw_state_settle(struct gw_state *s); /* what was loaded is in place now */
/* Nothing is known any more: rows were dropped from the log. Every watch on it fires. */
void gw_state_unload(struct gw_state *s, uint32_t table);

/* ---- the log ---- */

/* One row of the access state that a transaction changed; either may be NULL. Borrowed until the
 * callback returns. */
struct gw_state_row;
typedef void gw_state_on_row(void *ctx, uint32_t table, const struct gw_state_row *old,
                             const struct gw_state_row *fresh);

/* Apply a folded transaction: TRUNCATE empties a table, then changes in order; a table it overflowed
 * is unloaded. Watches on keys it touched fire, before this returns. on_row may be NULL; it is called
 * after all rows are in place, with copies of the old rows as they were. */
void gw_state_apply(struct gw_state *s, const struct gw_txn *txn, gw_state_on_row *on_row,
                    void *ctx);

/* ---- look-ups ---- */

/* Cell of a row: VALUE (text only if the column needs_text), NULL or UNKNOWN. */
struct gw_datum gw_state_cell(const struct gw_state *s, const struct gw_state_row *row,
                              uint32_t table, uint32_t column);

struct gw_state_hits {
    uint32_t n;
    const struct gw_state_row *const *rows; /* borrowed until the state changes or the next find */
    bool is_incomplete; /* there may be rows that are not known */
};

/* Rows with these keys (n as in the index; a NULL key finds none, an UNKNOWN one nothing complete);
 * index -1: all rows, keys NULL. E_AGAIN: a CACHED table lacks the key (hits incomplete).
 * UNLOADED: OK, no rows, incomplete. */
enum gw_code gw_state_find(struct gw_state *s, uint32_t table, int32_t index,
                           const struct gw_datum *keys, struct gw_state_hits *hits);
/* The row with this identity (definition's identity columns in order), or NULL. */
const struct gw_state_row *gw_state_row_by_identity(const struct gw_state *s, uint32_t table,
                                                    const struct gw_datum *identity);

/* ---- watches ---- */

/* Called once when the rows under what it watches may have changed; it is unlinked from all of it
 * before the call. The callback must not change the state and may free the watch. */
struct gw_watch {
    void (*on_change)(struct gw_watch *w);
    struct gw_watch_link *links; /* own use */
};

void gw_watch_init(struct gw_watch *w, void (*on_change)(struct gw_watch *w));
void gw_watch_fini(struct gw_watch *w); /* unlink */
/* As in gw_state_find: the same arguments, remembered. */
void gw_state_watch(struct gw_state *s, struct gw_watch *w, uint32_t table, int32_t index,
                    const struct gw_datum *keys);

/* ---- numbers ---- */

struct gw_state_stats {
    uint64_t bytes, rows, keys, watches, evictions, misses, unknown_cells;
};
void gw_state_stats(const struct gw_state *s, struct gw_state_stats *out);
size_t gw_state_table_bytes(const struct gw_state *s, uint32_t table);
bool gw_state_is_over(const struct gw_state *s); /* RESIDENT tables alone pass max_bytes */

#endif
