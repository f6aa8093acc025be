/* native_own: what native*.c and facts.c share: a walk over JSON text, reading of array texts, and
 * the functions by what they work on. All of them take arguments that are VALUE and have text. */
#ifndef GW_NATIVE_OWN_H
#define GW_NATIVE_OWN_H

#include "gw/facts.h"

/* ---- native_walk.c: JSON, token by token, as Postgres' lexer takes it ---- */

#define GW_WALK_DEPTH_MAX 512

enum gw_walk_event {
    GW_WALK_END,    /* exactly one value was read */
    GW_WALK_SCALAR, /* raw: the token, a string with its quotes */
    GW_WALK_KEY,    /* raw: the string with its quotes; its value is next */
    GW_WALK_OPEN,   /* raw: the bracket; depth counts it already */
    GW_WALK_CLOSE,  /* raw: the bracket; depth does not count it any more */
    GW_WALK_BAD,    /* not JSON */
    GW_WALK_DEEP,   /* nested deeper than GW_WALK_DEPTH_MAX */
};

struct gw_walk {
    const char *p, *end; /* own use, as expect and is_object */
    int expect;
    uint32_t depth; /* open objects and arrays */
    uint64_t is_object[GW_WALK_DEPTH_MAX / 64];
    bool has_bad_escape; /* a string so far has \u0000 or half a surrogate pair: JSON by its
                          * grammar, refused as soon as its text is wanted */
    struct gw_span raw;
};

struct gw_walk gw_walk_of(struct gw_span text);
enum gw_walk_event gw_walk_next(struct gw_walk *w);
/* After SCALAR or OPEN: reads to the end of that value and returns its text; failed: p is NULL. */
struct gw_span gw_walk_value(struct gw_walk *w, enum gw_walk_event event);

/* A string token means this text. */
bool gw_walk_string_is(struct gw_span raw, struct gw_span text);
/* Its text, in arena or borrowed. p is NULL past the arena's cap. */
struct gw_span gw_walk_string(struct gw_span raw, struct gw_arena *arena);

/* ---- native_jsonb.c ---- */

#define GW_JSONB_TEXT_MAX ((size_t)1 << 20) /* longer: Postgres */

/* JSON text as jsonb prints it. */
struct gw_datum gw_native_to_jsonb(struct gw_span text, struct gw_arena *arena);

/* ---- native_json.c ---- */

struct gw_datum gw_native_to_json(struct gw_span text);
struct gw_datum gw_native_json_call(enum gw_native_fn fn, const struct gw_datum *args,
                                    struct gw_arena *arena);
/* A value of JSON as ->> gives it. */
struct gw_datum gw_native_json_text(struct gw_span raw, struct gw_arena *arena);

/* ---- native_array.c ---- */

struct gw_native_items {
    uint32_t n;
    struct gw_datum *at; /* in the arena; TEXT or NULL */
};

/* Elements of a Postgres array text, nested ones in a row. VALUE; or UNKNOWN: not plain enough. */
enum gw_datum_state gw_native_array_items(struct gw_span text, struct gw_arena *arena,
                                          struct gw_native_items *out, bool *is_nested);
/* Elements of a JSON array, as jsonb_array_elements_text gives them. VALUE, UNKNOWN, or ERROR. */
enum gw_datum_state gw_native_json_items(struct gw_span text, struct gw_arena *arena,
                                         struct gw_native_items *out);
/* delimiter NULL: every character by itself. */
struct gw_datum gw_native_string_to_array(struct gw_span text, const struct gw_datum *delimiter,
                                          struct gw_arena *arena);

/* ---- native_cast.c ---- */

struct gw_datum gw_native_to_uuid(struct gw_span text, struct gw_arena *arena);
struct gw_datum gw_native_to_bool(struct gw_span text);
struct gw_datum gw_native_to_int(struct gw_span text, int64_t min, int64_t max,
                                 struct gw_arena *arena);

/* ---- native_text.c ---- */

struct gw_datum gw_native_text_call(enum gw_native_fn fn, const struct gw_datum *args,
                                    struct gw_arena *arena);

/* ---- native.c ---- */

/* Text in the arena, or UNKNOWN past its cap. */
struct gw_datum gw_native_copy(enum gw_kind kind, struct gw_span text, struct gw_arena *arena);
struct gw_datum gw_native_bool(bool value);
/* An INT within int4. */
bool gw_native_read_int4(const struct gw_datum *d, int64_t *out);

#endif
