/* datum: one value of a row or of a claim, made for comparing the way Postgres would.
 *
 * A datum is Postgres' text form plus a 128-bit key: two values of one kind are equal exactly if
 * their keys are (integers, uuids, booleans and texts up to 15 bytes are held exactly; longer texts
 * by SipHash-2-4-128 under a key drawn at start). Kinds whose equality this cannot decide (citext,
 * bpchar, floats, timestamps, json, nondeterministic collations, …) are OPAQUE: never compared here,
 * Postgres is asked instead. Values are borrowed; nothing here allocates but what takes an arena. */
#ifndef GW_DATUM_H
#define GW_DATUM_H

#include "gw/arena.h"
#include "gw/types.h"

enum gw_datum_state {
    GW_DATUM_NULL,
    GW_DATUM_VALUE,
    GW_DATUM_UNKNOWN, /* cannot be told here: absent from the log, not loaded, not supported */
    GW_DATUM_ERROR,   /* Postgres would raise */
};

enum gw_kind {
    GW_KIND_OPAQUE,  /* compared by Postgres only */
    GW_KIND_BOOL,    /* text form t or f */
    GW_KIND_INT,     /* int2, int4, int8, oid: mutually comparable */
    GW_KIND_UUID,
    GW_KIND_TEXT,    /* text, varchar, name under a deterministic collation */
    GW_KIND_ENUM,    /* by label; equality only; comparable within one type */
    GW_KIND_NUMERIC, /* equality by canonical digits; not comparable with INT here */
    GW_KIND_DATE,    /* equality by text; ISO DateStyle */
};

struct gw_key {
    uint64_t hi, lo;
};

struct gw_datum {
    enum gw_datum_state state;
    enum gw_kind kind;
    struct gw_key key;   /* VALUE and kind not OPAQUE */
    struct gw_span text; /* VALUE: Postgres' text form; may be empty when only the key was kept */
};

/* Once, before threads start; from a random source. Tests may leave it at zero. */
void gw_datum_set_hash_key(const unsigned char key[16]);

static inline bool gw_key_eq(struct gw_key a, struct gw_key b)
{
    return a.hi == b.hi && a.lo == b.lo;
}
int gw_key_compare(const struct gw_key *a, const struct gw_key *b); /* any total order */
uint64_t gw_key_hash(struct gw_key k);

/* Kind of a type: domains by their base, arrays and unknown types OPAQUE; enums ENUM. types NULL:
 * built-in types only. Collations are the catalog's affair (gw_catalog_column.opaque). */
enum gw_kind gw_kind_of(const struct gw_types *types, uint32_t type_oid);

/* From Postgres' output text of a value of that kind (already canonical for that kind). A text that
 * is not well formed for the kind: UNKNOWN. text is borrowed. */
struct gw_datum gw_datum_of(enum gw_kind kind, struct gw_span text);
struct gw_datum gw_datum_null(enum gw_kind kind);
struct gw_datum gw_datum_unknown(void);
struct gw_datum gw_datum_error(void);

/* The text of a VALUE whose text was not kept, from its key: exact for BOOL, INT, UUID and texts of
 * up to 15 bytes. out holds it. false: it cannot be had. */
bool gw_datum_restore_text(struct gw_datum *d, char out[40]);

/* Both VALUE and of one non-OPAQUE kind: whether equal. */
bool gw_datum_eq(const struct gw_datum *a, const struct gw_datum *b);
/* INT, BOOL: <0, 0, >0. Kinds without a native order are the compiler's to avoid (asserts). */
int gw_datum_compare(const struct gw_datum *a, const struct gw_datum *b);
bool gw_kind_has_order(enum gw_kind kind);

/* SipHash-2-4 with 128 bits of output (Aumasson, Bernstein; reference vectors in the test). */
struct gw_key gw_siphash128(const unsigned char key[16], struct gw_span s);

#endif
