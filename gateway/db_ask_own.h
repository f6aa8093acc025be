/* db_ask_own: the state of one ASK, shared by db_ask.c (what is asked, what answers mean),
 * db_ask_send.c (how it is put to Postgres) and db_ask_take.c (what comes back). */
#ifndef GW_DB_ASK_OWN_H
#define GW_DB_ASK_OWN_H

#include "db_own.h"

/* What may be on its way at once; results make room for more. */
#define GW_ASK_FLIGHT_MAX 32
#define GW_ASK_FLIGHT_BYTES ((size_t)1 << 20)

/* Rows [lo, hi) of a question, or a probe: does the question's parameter fit its type at all? */
struct gw_ask_item {
    uint32_t question, lo, hi;
    uint8_t tries;
    bool is_probe;
};

enum gw_ask_segment { GW_ASK_RESET, GW_ASK_PREPARE, GW_ASK_BEGIN, GW_ASK_ITEM, GW_ASK_END };

/* The commands of an item's segment; a probe has its question in place of BECOME. */
enum gw_ask_command { GW_ASK_BACK, GW_ASK_BECOME, GW_ASK_PARSE, GW_ASK_QUESTION, GW_ASK_SEAL };

/* A segment on its way, and what has come back of it. */
struct gw_ask_slot {
    enum gw_ask_segment kind;
    struct gw_ask_item item;
    size_t bytes;
    uint64_t prepared_key;  /* in the connection's map; not of a probe */
    bool parses;            /* has a PARSE; else that command is skipped */
    enum gw_ask_command at; /* command whose results come now; counts 0, 1, … for other kinds */
    bool is_answered, is_sealed, is_tainted;
    char sqlstate[6]; /* of the first error, or "" */
    enum gw_ask_command failed_at;
    char message[160];
};

struct gw_ask_question {
    uint32_t open;   /* items not through */
    uint32_t denied; /* rows that raised */
    bool is_settled, is_probed;
};

struct gw_ask_state {
    struct gw_ask_item *items; /* work list: [next, n_items) is to be sent */
    size_t n_items, cap_items, next;
    struct gw_ask_question *questions;
    struct gw_ask_slot slots[GW_ASK_FLIGHT_MAX + 4]; /* FIFO ring */
    unsigned first, n_slots;
    size_t flight_bytes;
    int64_t deadline_ms;
    unsigned invisible_tries;
    bool is_invisible;     /* the snapshot is older than the transaction asked about */
    bool is_void;          /* what comes back in this transaction does not count */
    bool is_last_unsealed; /* the last item failed, so its seal did not run */
    bool is_waiting;       /* between two transactions */
    bool is_overrun;
};

struct gw_ask_slot *gw_ask_slot_head(struct gw_ask_state *a);

/* db_ask_send.c; all false when the connection is broken. */
bool gw_ask_send_begin(struct gw_db_conn *c);
bool gw_ask_send_item(struct gw_db_conn *c, struct gw_ask_item item);
bool gw_ask_send_end(struct gw_db_conn *c);

/* db_ask_take.c: results of the commands of a slot. */
void gw_ask_take_rows(struct gw_db_conn *c, struct gw_ask_slot *slot, const struct pg_result *r);
void gw_ask_take_error(struct gw_ask_slot *slot, const struct pg_result *r);

#endif
