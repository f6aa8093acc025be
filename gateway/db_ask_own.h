/* db_ask_own: what asking as somebody has in common: db_ask.c (the course of a request),
 * db_ask_send.c (how it is put to Postgres), db_ask_take.c (what comes back), and the two kinds,
 * db_question.c (ASK: are these rows visible?) and db_eval.c (EVAL: what is this expression?).
 *
 * A request is a list of units (questions, or evals), each over some rows; work is cut into items:
 * ranges of rows of one unit. */
#ifndef GW_DB_ASK_OWN_H
#define GW_DB_ASK_OWN_H

#include "db_own.h"

/* What may be on its way at once; results make room for more. */
#define GW_ASK_FLIGHT_MAX 32
#define GW_ASK_FLIGHT_BYTES ((size_t)1 << 20)
#define GW_ASK_TRIES_MAX 2

/* Rows [lo, hi) of a unit, or a probe (ASK): does the parameter fit its type at all? */
struct gw_ask_item {
    uint32_t unit, lo, hi;
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
    uint64_t prepared_key;  /* in the connection's map; 0: none */
    bool parses;            /* has a PARSE; else that command is skipped */
    enum gw_ask_command at; /* command whose results come now; counts 0, 1, … for other kinds */
    bool is_answered, is_sealed, is_tainted;
    char sqlstate[6]; /* of the first error, or "" */
    enum gw_ask_command failed_at;
    char message[160];
};

struct gw_ask_unit {
    uint32_t open;   /* items not through */
    uint32_t denied; /* rows that raised */
    bool is_settled, is_probed;
};

struct gw_ask_caller {
    struct gw_span role, sub, claims_json;
};

/* What differs between ASK and EVAL. */
struct gw_ask_kind {
    struct gw_ask_caller (*caller)(const struct gw_db_request *r, uint32_t unit);
    /* The commands of an item from BECOME (or a probe) to QUESTION. Sets slot->bytes. */
    bool (*send)(struct gw_db_conn *c, struct gw_ask_slot *slot);
    /* Rows of QUESTION, as many as the item has: keep them. */
    void (*take)(struct gw_db_request *r, struct gw_ask_item item, const struct pg_result *rows);
    /* PARSE or QUESTION has failed, other than by the clock. */
    void (*on_failed)(struct gw_db_conn *c, const struct gw_ask_slot *slot);
    /* The unit is over: what has no answer gets none. */
    void (*deny)(struct gw_db_request *r, uint32_t unit, enum gw_code code);
    /* The unit is over: E_POLICY if rows of it raised, or code of deny. why may be NULL. */
    void (*settle)(struct gw_db_request *r, uint32_t unit, enum gw_code code, const char *why);
};

struct gw_ask_state {
    const struct gw_ask_kind *kind;
    struct gw_ask_item *items; /* work list: [next, n_items) is to be sent */
    size_t n_items, cap_items, next;
    uint32_t n_units;
    struct gw_ask_unit *units;
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

/* db_ask.c. Begin: the state is filled by gw_ask_add, then gw_ask_begin (false: broken). */
struct gw_ask_state *gw_ask_state_new(struct gw_db_conn *c, const struct gw_ask_kind *kind,
                                      uint32_t n_units);
bool gw_ask_begin(struct gw_db_conn *c);
void gw_ask_add(struct gw_ask_state *a, struct gw_ask_item item); /* to the work list */
void gw_ask_add_halves(struct gw_ask_state *a, struct gw_ask_item item);
bool gw_ask_retry(struct gw_ask_state *a, struct gw_ask_item item); /* false: tried too often */
void gw_ask_close_item(struct gw_db_conn *c, uint32_t unit);        /* one item is through */
void gw_ask_settle(struct gw_db_conn *c, uint32_t unit, enum gw_code code, const char *why);
void gw_ask_deny(struct gw_db_conn *c, uint32_t unit, enum gw_code code, const char *why);

/* db_ask_send.c; all false when the connection is broken. */
struct gw_ask_slot *gw_ask_slot_head(struct gw_ask_state *a);
bool gw_ask_send_begin(struct gw_db_conn *c);
bool gw_ask_send_item(struct gw_db_conn *c, struct gw_ask_item item);
bool gw_ask_send_become(struct gw_db_conn *c, const struct gw_ask_caller *caller);
bool gw_ask_send_end(struct gw_db_conn *c);

/* db_ask_take.c: results of the commands of a slot. */
void gw_ask_take_rows(struct gw_db_conn *c, struct gw_ask_slot *slot, const struct pg_result *r);
void gw_ask_take_error(struct gw_ask_slot *slot, const struct pg_result *r);

#endif
