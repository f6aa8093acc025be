/* facts: what is true of a caller, worked out once per distinct set of claims: the values of the
 * caller-only expressions that policies compare with.
 *
 * A fact expression is a small tree over the settings that Postgres would see as that caller:
 * request.jwt.claims, request.jwt.claim.sub and .role (what gateway/db_link.c sets), the settings of
 * ROWCAST_CLAIM_SETTINGS, and the role name. Evaluation follows Postgres; where it cannot (a
 * function it lacks, non-ASCII lower(), numbers with exponents through jsonb) the answer is UNKNOWN
 * and the hub has Postgres evaluate the fact's sql. Pure functions; any thread. */
#ifndef GW_FACTS_H
#define GW_FACTS_H

#include "gw/claims.h"
#include "gw/expr.h"

enum gw_fact_op {
    GW_FACT_CONST,    /* text, or null */
    GW_FACT_SETTING,  /* text: current_setting(text, true); a setting nobody set: NULL */
    GW_FACT_ROLE,     /* current_user */
    GW_FACT_NATIVE,   /* fn, args */
    GW_FACT_AND, GW_FACT_OR, GW_FACT_NOT, GW_FACT_IS_NULL,
    GW_FACT_IS,       /* cmp field unused; test */
    GW_FACT_COMPARE,  /* args[0] cmp args[1], both of kind arg_kind */
    GW_FACT_COALESCE, GW_FACT_NULLIF, /* NULLIF: equality under arg_kind */
    GW_FACT_CASE,     /* args as in GW_EXPR_CASE */
    GW_FACT_IN,       /* args[0] = any of args[1…], under arg_kind */
    GW_FACT_ELEMENTS, /* args[0]: json array text → a set of its elements as text
                       * (jsonb_array_elements_text); only at the top, or below CAST_EACH */
    GW_FACT_CAST_EACH, /* fn applied to each element of args[0], a set */
    GW_FACT_ARRAY,    /* args[0]: Postgres array text, e.g. string_to_array's → set of elements */
};

/* Functions and casts evaluated here; NULL in, NULL out, unless said otherwise. Used by facts and by
 * GW_EXPR_NATIVE alike. */
enum gw_native_fn {
    GW_FN_NONE,
    GW_FN_TEXT_TO_UUID,  /* errors like Postgres' uuid_in (accepted forms included) */
    GW_FN_TEXT_TO_INT2, GW_FN_TEXT_TO_INT4, GW_FN_TEXT_TO_INT8, /* blanks around, range → ERROR */
    GW_FN_TEXT_TO_BOOL,  /* boolin's prefixes */
    GW_FN_TO_TEXT,       /* output text of BOOL as true/false; of the rest as it stands */
    GW_FN_TEXT_TO_JSONB, /* checks that it is JSON; numbers with exponent or > 15 digits: UNKNOWN */
    GW_FN_TEXT_TO_JSON,  /* checks only; text kept */
    GW_FN_JSON_GET,      /* -> 'key' (text arg) ; json text out */
    GW_FN_JSON_GET_TEXT, /* ->> 'key'; JSON null → NULL */
    GW_FN_JSON_AT, GW_FN_JSON_AT_TEXT,     /* -> int, ->> int (negative from the end) */
    GW_FN_JSON_PATH, GW_FN_JSON_PATH_TEXT, /* #> and #>>, path as array text */
    GW_FN_JSON_HAS,      /* jsonb ? text: key of an object, string element of an array */
    GW_FN_CONCAT,        /* || of texts */
    GW_FN_LOWER, GW_FN_UPPER, /* ASCII; other bytes: UNKNOWN */
    GW_FN_SPLIT_PART,    /* text, text, int; position 0 → ERROR, negative from the end */
    GW_FN_LENGTH,        /* characters of UTF-8 text → INT */
    GW_FN_STRING_TO_ARRAY, /* text, delimiter → array text */
    GW_FN_STARTS_WITH,
    GW_FN_LIKE,          /* text LIKE pattern, escape '\\'; bytes, deterministic collations */
    GW_FN_TRIM,          /* btrim(text): blanks */
    GW_FN_N,
};
struct gw_native {
    const char *name; /* for printing */
    uint32_t n_args;
    enum gw_kind result; /* OPAQUE: json, array text */
};
extern const struct gw_native gw_natives[GW_FN_N];

/* args: n of them, each with text. Result text in arena or borrowed from args. */
struct gw_datum gw_native_call(enum gw_native_fn fn, const struct gw_datum *args, uint32_t n,
                               struct gw_arena *arena);

struct gw_fact_expr {
    enum gw_fact_op op;
    enum gw_kind kind, arg_kind;
    enum gw_native_fn fn;
    enum gw_cmp cmp;
    enum gw_is test;
    bool is_null; /* CONST */
    struct gw_span text;
    uint32_t n_args;
    struct gw_fact_expr **args;
};

/* The value of a fact for one caller. */
struct gw_fact {
    enum gw_datum_state state; /* NULL, VALUE, UNKNOWN (ask Postgres), ERROR */
    bool has_null;             /* a set with a NULL among its elements */
    uint32_t n;                /* VALUE: 1, or the number of distinct elements of a set. Kind OPAQUE: 0,
                                * it is known, and equal to nothing */
    struct gw_key *keys;       /* in the arena, sorted */
};

struct gw_fact_setting { /* what ROWCAST_CLAIM_SETTINGS maps */
    struct gw_span setting, claim;
};
struct gw_fact_env {
    const struct gw_claims *claims;
    const struct gw_fact_setting *settings;
    uint32_t n_settings;
};

struct gw_fact gw_fact_eval(const struct gw_fact_def *def, const struct gw_fact_env *env,
                            struct gw_arena *arena);
/* From what Postgres answered: text of the value (array text for a set), or null. */
struct gw_fact gw_fact_from_text(const struct gw_fact_def *def, struct gw_span text, bool is_null,
                                 struct gw_arena *arena);

#endif
