/* native_json: ->, ->>, #>, #>> and ? over JSON text.
 *
 * One code for json and jsonb: json texts stand as they were written, jsonb texts as jsonb prints
 * them, and a part of either is a slice of it. Like Postgres' json functions, each call reads the
 * whole document: half a surrogate pair anywhere raises. Where json and jsonb disagree (an index
 * into a scalar, a path through a repeated key) the answer is UNKNOWN. */
#include "native_own.h"

#include "gw/json.h"

#define PATH_MAX_STEPS 64
#define INDEX_DIGITS_MAX 18 /* of an int64 */

/* What a search for one part found. */
struct part {
    enum gw_datum_state state; /* VALUE: raw; NULL: not there; UNKNOWN, ERROR */
    bool is_repeated;          /* another member before it had the same key */
    struct gw_span raw;
};

static struct part part_of(enum gw_datum_state state)
{
    return (struct part){.state = state};
}

/* ---- the whole document ---- */

/* Reads to the end. UNKNOWN: not JSON, or nested too deep to tell here. */
static enum gw_datum_state read_all(struct gw_walk *w)
{
    enum gw_walk_event e;
    do {
        e = gw_walk_next(w);
    } while (e != GW_WALK_END && e != GW_WALK_BAD && e != GW_WALK_DEEP);
    if (e != GW_WALK_END)
        return GW_DATUM_UNKNOWN;
    return w->has_bad_escape ? GW_DATUM_ERROR : GW_DATUM_VALUE;
}

struct gw_datum gw_native_to_json(struct gw_span text)
{
    struct gw_walk w = gw_walk_of(text);
    enum gw_walk_event e;
    if (!gw_utf8_is_valid(text))
        return gw_datum_unknown();
    do {
        e = gw_walk_next(&w);
    } while (e != GW_WALK_END && e != GW_WALK_BAD && e != GW_WALK_DEEP);
    if (e == GW_WALK_BAD)
        return gw_datum_error();
    return e == GW_WALK_END ? gw_datum_of(GW_KIND_OPAQUE, text) : gw_datum_unknown();
}

/* ---- one step ---- */

/* The last member of that key, if the document is an object. */
static struct part find_member(struct gw_span doc, struct gw_span key)
{
    struct gw_walk w = gw_walk_of(doc);
    struct part out = part_of(GW_DATUM_NULL);
    enum gw_walk_event e = gw_walk_next(&w);
    bool is_object = e == GW_WALK_OPEN && *w.raw.p == '{';
    while (is_object && (e = gw_walk_next(&w)) == GW_WALK_KEY) {
        bool is_it = !w.has_bad_escape && gw_walk_string_is(w.raw, key);
        struct gw_span raw = gw_walk_value(&w, gw_walk_next(&w));
        if (!raw.p)
            return part_of(GW_DATUM_UNKNOWN);
        if (is_it)
            out = (struct part){GW_DATUM_VALUE, out.state == GW_DATUM_VALUE, raw};
    }
    if (e == GW_WALK_BAD || e == GW_WALK_DEEP)
        return part_of(GW_DATUM_UNKNOWN);
    enum gw_datum_state whole = read_all(&w);
    return whole == GW_DATUM_VALUE ? out : part_of(whole);
}

/* How many elements, and the one at index (from 0), if the document is an array; else n is -1. */
static struct part find_element(struct gw_span doc, int64_t index, int64_t *n)
{
    struct gw_walk w = gw_walk_of(doc);
    struct part out = part_of(GW_DATUM_NULL);
    enum gw_walk_event e = gw_walk_next(&w);
    bool is_array = e == GW_WALK_OPEN && *w.raw.p == '[';
    *n = is_array ? 0 : -1;
    while (is_array && (e = gw_walk_next(&w)) != GW_WALK_CLOSE) {
        if (e != GW_WALK_SCALAR && e != GW_WALK_OPEN)
            return part_of(GW_DATUM_UNKNOWN);
        struct gw_span raw = gw_walk_value(&w, e);
        if (!raw.p)
            return part_of(GW_DATUM_UNKNOWN);
        if ((*n)++ == index)
            out = (struct part){.state = GW_DATUM_VALUE, .raw = raw};
    }
    if (e == GW_WALK_BAD || e == GW_WALK_DEEP)
        return part_of(GW_DATUM_UNKNOWN);
    enum gw_datum_state whole = read_all(&w);
    return whole == GW_DATUM_VALUE ? out : part_of(whole);
}

static bool is_scalar(struct gw_span doc)
{
    struct gw_walk w = gw_walk_of(doc);
    return gw_walk_next(&w) == GW_WALK_SCALAR;
}

static struct part find_at(struct gw_span doc, int64_t index)
{
    int64_t n;
    struct part out = find_element(doc, index, &n);
    if (index >= 0 || n < 0 || out.state == GW_DATUM_UNKNOWN || out.state == GW_DATUM_ERROR)
        return out;
    return index + n >= 0 ? find_element(doc, index + n, &n) : out;
}

/* To jsonb a scalar by itself is an array of one. */
static struct part find_index(struct gw_span doc, int64_t index)
{
    struct part out = find_at(doc, index);
    bool differs = out.state == GW_DATUM_NULL && (index == 0 || index == -1) && is_scalar(doc);
    return differs ? part_of(GW_DATUM_UNKNOWN) : out;
}

/* ---- paths ---- */

/* An array position in a path, as strtol reads it; false: none. */
static bool read_index(struct gw_span s, int64_t *out)
{
    size_t i = 0, from;
    while (i < s.n && (s.p[i] == ' ' || (s.p[i] >= '\t' && s.p[i] <= '\r')))
        i++;
    bool is_negative = i < s.n && s.p[i] == '-';
    i += i < s.n && (s.p[i] == '-' || s.p[i] == '+');
    int64_t v = 0;
    for (from = i; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && i - from < INDEX_DIGITS_MAX; i++)
        v = v * 10 + (s.p[i] - '0');
    *out = is_negative ? -v : v;
    return i == s.n && i > from;
}

/* Step i into doc. A position from the end behind the first step is left to Postgres: json counts
 * it in the first array of that depth, wherever that one stands. */
static struct part find_step(struct gw_span doc, const struct gw_native_items *steps, uint32_t i)
{
    struct gw_span step = steps->at[i].text;
    struct gw_walk w = gw_walk_of(doc);
    bool is_array = gw_walk_next(&w) == GW_WALK_OPEN && *w.raw.p == '[';
    int64_t index;
    if (!is_array) {
        struct part out = find_member(doc, step);
        return out.is_repeated && i + 1 < steps->n ? part_of(GW_DATUM_UNKNOWN) : out;
    }
    if (read_index(step, &index))
        return index < 0 && i > 0 ? part_of(GW_DATUM_UNKNOWN) : find_at(doc, index);
    struct part none = find_at(doc, INT64_MAX); /* for what the document itself raises */
    bool is_number = step.n > INDEX_DIGITS_MAX; /* perhaps 0000000001 */
    return is_number && none.state == GW_DATUM_NULL ? part_of(GW_DATUM_UNKNOWN) : none;
}

/* A blank before a scalar stays when json takes all of it. */
static struct part find_whole(struct gw_span doc)
{
    struct gw_walk w = gw_walk_of(doc);
    enum gw_datum_state whole = read_all(&w);
    if (whole != GW_DATUM_VALUE)
        return part_of(whole);
    w = gw_walk_of(doc);
    enum gw_walk_event e = gw_walk_next(&w);
    struct gw_span raw = gw_walk_value(&w, e);
    if (e == GW_WALK_SCALAR && raw.p != doc.p)
        return part_of(GW_DATUM_UNKNOWN);
    return (struct part){.state = GW_DATUM_VALUE, .raw = raw};
}

static struct part find_path(struct gw_span doc, struct gw_span path, struct gw_arena *arena)
{
    struct gw_native_items steps;
    bool is_nested = false;
    enum gw_datum_state state = gw_native_array_items(path, arena, &steps, &is_nested);
    if (state != GW_DATUM_VALUE || is_nested || steps.n > PATH_MAX_STEPS)
        return part_of(GW_DATUM_UNKNOWN);
    for (uint32_t i = 0; i < steps.n; i++)
        if (steps.at[i].state == GW_DATUM_NULL)
            return part_of(GW_DATUM_NULL);
    if (steps.n == 0)
        return find_whole(doc);
    struct part out = {.state = GW_DATUM_VALUE, .raw = doc};
    for (uint32_t i = 0; i < steps.n && out.state == GW_DATUM_VALUE; i++)
        out = find_step(out.raw, &steps, i);
    return out;
}

/* ---- public ---- */

struct gw_datum gw_native_json_text(struct gw_span raw, struct gw_arena *arena)
{
    if (gw_span_is(raw, "null"))
        return gw_datum_null(GW_KIND_TEXT);
    if (*raw.p != '"')
        return gw_datum_of(GW_KIND_TEXT, raw);
    struct gw_span text = gw_walk_string(raw, arena);
    return text.p ? gw_datum_of(GW_KIND_TEXT, text) : gw_datum_unknown();
}

static struct gw_datum give(struct part part, bool as_text, struct gw_arena *arena)
{
    enum gw_kind kind = as_text ? GW_KIND_TEXT : GW_KIND_OPAQUE;
    switch (part.state) {
    case GW_DATUM_NULL:
        return gw_datum_null(kind);
    case GW_DATUM_ERROR:
        return gw_datum_error();
    case GW_DATUM_UNKNOWN:
        return gw_datum_unknown();
    case GW_DATUM_VALUE:
        break;
    }
    return as_text ? gw_native_json_text(part.raw, arena) : gw_datum_of(kind, part.raw);
}

/* jsonb only: key of an object, string in an array, or the string itself. */
static struct gw_datum has_key(struct gw_span doc, struct gw_span key)
{
    struct gw_walk w = gw_walk_of(doc);
    enum gw_walk_event e = gw_walk_next(&w);
    uint32_t outside = 1;
    bool has = false, is_object = e == GW_WALK_OPEN && *w.raw.p == '{';
    if (e == GW_WALK_SCALAR)
        outside = 0;
    for (; e != GW_WALK_END; e = gw_walk_next(&w)) {
        if (e == GW_WALK_BAD || e == GW_WALK_DEEP || w.has_bad_escape)
            return gw_datum_unknown();
        bool counts = e == (is_object ? GW_WALK_KEY : GW_WALK_SCALAR) && w.depth == outside;
        if (counts && *w.raw.p == '"' && gw_walk_string_is(w.raw, key))
            has = true;
    }
    return gw_native_bool(has);
}

struct gw_datum gw_native_json_call(enum gw_native_fn fn, const struct gw_datum *args,
                                    struct gw_arena *arena)
{
    struct gw_span doc = args[0].text;
    int64_t index;
    switch (fn) {
    case GW_FN_JSON_GET:
    case GW_FN_JSON_GET_TEXT:
        return give(find_member(doc, args[1].text), fn == GW_FN_JSON_GET_TEXT, arena);
    case GW_FN_JSON_AT:
    case GW_FN_JSON_AT_TEXT:
        if (!gw_native_read_int4(&args[1], &index))
            return gw_datum_unknown();
        return give(find_index(doc, index), fn == GW_FN_JSON_AT_TEXT, arena);
    case GW_FN_JSON_PATH:
    case GW_FN_JSON_PATH_TEXT:
        return give(find_path(doc, args[1].text, arena), fn == GW_FN_JSON_PATH_TEXT, arena);
    default:
        return has_key(doc, args[1].text);
    }
}
