/* native: the functions by name, and the rules that all share: arguments are evaluated before the
 * function is called, so one that raises raises, whatever the others; a NULL makes NULL. */
#include "native_own.h"

#include <assert.h>

const struct gw_native gw_natives[GW_FN_N] = {
    [GW_FN_NONE] = {"none", 0, GW_KIND_OPAQUE},
    [GW_FN_TEXT_TO_UUID] = {"uuid", 1, GW_KIND_UUID},
    [GW_FN_TEXT_TO_INT2] = {"int2", 1, GW_KIND_INT},
    [GW_FN_TEXT_TO_INT4] = {"int4", 1, GW_KIND_INT},
    [GW_FN_TEXT_TO_INT8] = {"int8", 1, GW_KIND_INT},
    [GW_FN_TEXT_TO_BOOL] = {"bool", 1, GW_KIND_BOOL},
    [GW_FN_TO_TEXT] = {"text", 1, GW_KIND_TEXT},
    [GW_FN_TEXT_TO_JSONB] = {"jsonb", 1, GW_KIND_OPAQUE},
    [GW_FN_TEXT_TO_JSON] = {"json", 1, GW_KIND_OPAQUE},
    [GW_FN_JSON_GET] = {"->", 2, GW_KIND_OPAQUE},
    [GW_FN_JSON_GET_TEXT] = {"->>", 2, GW_KIND_TEXT},
    [GW_FN_JSON_AT] = {"-> int", 2, GW_KIND_OPAQUE},
    [GW_FN_JSON_AT_TEXT] = {"->> int", 2, GW_KIND_TEXT},
    [GW_FN_JSON_PATH] = {"#>", 2, GW_KIND_OPAQUE},
    [GW_FN_JSON_PATH_TEXT] = {"#>>", 2, GW_KIND_TEXT},
    [GW_FN_JSON_HAS] = {"?", 2, GW_KIND_BOOL},
    [GW_FN_CONCAT] = {"||", 2, GW_KIND_TEXT},
    [GW_FN_LOWER] = {"lower", 1, GW_KIND_TEXT},
    [GW_FN_UPPER] = {"upper", 1, GW_KIND_TEXT},
    [GW_FN_SPLIT_PART] = {"split_part", 3, GW_KIND_TEXT},
    [GW_FN_LENGTH] = {"length", 1, GW_KIND_INT},
    [GW_FN_STRING_TO_ARRAY] = {"string_to_array", 2, GW_KIND_OPAQUE},
    [GW_FN_STARTS_WITH] = {"starts_with", 2, GW_KIND_BOOL},
    [GW_FN_LIKE] = {"~~", 2, GW_KIND_BOOL},
    [GW_FN_TRIM] = {"btrim", 1, GW_KIND_TEXT},
};

struct gw_datum gw_native_copy(enum gw_kind kind, struct gw_span text, struct gw_arena *arena)
{
    struct gw_span copy = gw_arena_copy(arena, text);
    return copy.p ? gw_datum_of(kind, copy) : gw_datum_unknown();
}

struct gw_datum gw_native_bool(bool value)
{
    return gw_datum_of(GW_KIND_BOOL, value ? GW_SPAN_LIT("t") : GW_SPAN_LIT("f"));
}

bool gw_native_read_int4(const struct gw_datum *d, int64_t *out)
{
    if (d->kind != GW_KIND_INT)
        return false;
    *out = (int64_t)(d->key.lo ^ UINT64_C(1) << 63);
    return *out >= INT32_MIN && *out <= INT32_MAX;
}

/* An empty text may be a value, or one of which only the key was kept. */
static bool lacks_text(const struct gw_datum *d)
{
    if (d->text.n > 0)
        return false;
    struct gw_datum empty = gw_datum_of(GW_KIND_TEXT, d->text);
    bool may_be_empty = d->kind == GW_KIND_TEXT || d->kind == GW_KIND_ENUM;
    return !may_be_empty || !gw_key_eq(empty.key, d->key);
}

/* What the arguments alone decide: VALUE means call it. */
static enum gw_datum_state look_at_args(const struct gw_datum *args, uint32_t n)
{
    bool has_null = false, has_unknown = false;
    for (uint32_t i = 0; i < n; i++) {
        if (args[i].state == GW_DATUM_ERROR)
            return GW_DATUM_ERROR;
        has_null |= args[i].state == GW_DATUM_NULL;
        has_unknown |= args[i].state == GW_DATUM_UNKNOWN ||
                       (args[i].state == GW_DATUM_VALUE && lacks_text(&args[i]));
    }
    return has_unknown ? GW_DATUM_UNKNOWN : has_null ? GW_DATUM_NULL : GW_DATUM_VALUE;
}

static struct gw_datum to_text(const struct gw_datum *d)
{
    if (d->kind != GW_KIND_BOOL)
        return gw_datum_of(GW_KIND_TEXT, d->text);
    return gw_datum_of(GW_KIND_TEXT, d->key.lo ? GW_SPAN_LIT("true") : GW_SPAN_LIT("false"));
}

static struct gw_datum call(enum gw_native_fn fn, const struct gw_datum *args,
                            struct gw_arena *arena)
{
    struct gw_span s = args[0].text;
    switch (fn) {
    case GW_FN_TEXT_TO_UUID:
        return gw_native_to_uuid(s, arena);
    case GW_FN_TEXT_TO_INT2:
        return gw_native_to_int(s, INT16_MIN, INT16_MAX, arena);
    case GW_FN_TEXT_TO_INT4:
        return gw_native_to_int(s, INT32_MIN, INT32_MAX, arena);
    case GW_FN_TEXT_TO_INT8:
        return gw_native_to_int(s, INT64_MIN, INT64_MAX, arena);
    case GW_FN_TEXT_TO_BOOL:
        return gw_native_to_bool(s);
    case GW_FN_TO_TEXT:
        return to_text(&args[0]);
    case GW_FN_TEXT_TO_JSONB:
        return gw_native_to_jsonb(s, arena);
    case GW_FN_TEXT_TO_JSON:
        return gw_native_to_json(s);
    case GW_FN_JSON_GET:
    case GW_FN_JSON_GET_TEXT:
    case GW_FN_JSON_AT:
    case GW_FN_JSON_AT_TEXT:
    case GW_FN_JSON_PATH:
    case GW_FN_JSON_PATH_TEXT:
    case GW_FN_JSON_HAS:
        return gw_native_json_call(fn, args, arena);
    case GW_FN_STRING_TO_ARRAY:
        return gw_native_string_to_array(s, &args[1], arena);
    default:
        return gw_native_text_call(fn, args, arena);
    }
}

struct gw_datum gw_native_call(enum gw_native_fn fn, const struct gw_datum *args, uint32_t n,
                               struct gw_arena *arena)
{
    assert(fn > GW_FN_NONE && fn < GW_FN_N && n == gw_natives[fn].n_args);
    /* string_to_array alone is not strict: without a delimiter it parts characters. */
    bool takes_null = fn == GW_FN_STRING_TO_ARRAY && args[1].state == GW_DATUM_NULL;
    enum gw_datum_state state = look_at_args(args, takes_null ? 1 : n);
    switch (state) {
    case GW_DATUM_VALUE:
        return call(fn, args, arena);
    case GW_DATUM_NULL:
        return gw_datum_null(gw_natives[fn].result);
    case GW_DATUM_ERROR:
        return gw_datum_error();
    case GW_DATUM_UNKNOWN:
        break;
    }
    return gw_datum_unknown();
}
