/* native_array: Postgres array texts ({a,"b c",NULL}), read and written as array_in and array_out
 * do, and JSON arrays as sets of texts. Texts that only array_in's finer rules explain (bounds in
 * front, escapes outside quotes) are left to Postgres. */
#include "native_own.h"

#include "gw/json.h"

#define NESTING_MAX 6 /* MAXDIM in utils/array.h */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* ---- reading ---- */

struct reader {
    const char *p, *end;
    struct gw_arena *arena;
    struct gw_native_items *out;
    uint32_t cap, depth;
    bool is_nested;
};

static void skip_blanks(struct reader *r)
{
    while (r->p < r->end && is_blank(*r->p))
        r->p++;
}

static bool add_item(struct gw_native_items *items, uint32_t cap, struct gw_datum d)
{
    if (items->n == cap)
        return false;
    items->at[items->n++] = d;
    return true;
}

static bool take_quoted(struct reader *r)
{
    char *text = gw_arena_alloc(r->arena, (size_t)(r->end - r->p));
    size_t n = 0;
    if (!text)
        return false;
    for (r->p++; r->p < r->end && *r->p != '"'; r->p++) {
        if (*r->p == '\\' && ++r->p == r->end)
            return false;
        text[n++] = *r->p;
    }
    if (r->p == r->end)
        return false;
    r->p++;
    return add_item(r->out, r->cap, gw_datum_of(GW_KIND_TEXT, (struct gw_span){text, n}));
}

static bool take_bare(struct reader *r)
{
    const char *from = r->p;
    while (r->p < r->end && *r->p != ',' && *r->p != '}') {
        if (*r->p == '"' || *r->p == '\\' || *r->p == '{')
            return false;
        r->p++;
    }
    struct gw_span text = {from, (size_t)(r->p - from)};
    while (text.n && is_blank(text.p[text.n - 1]))
        text.n--;
    if (text.n == 0)
        return false;
    return add_item(r->out, r->cap,
                    gw_span_is_nocase(text, "null") ? gw_datum_null(GW_KIND_TEXT)
                                                    : gw_datum_of(GW_KIND_TEXT, text));
}

/* One element, or the way into a nested array. */
static bool take_element(struct reader *r)
{
    skip_blanks(r);
    if (r->p == r->end)
        return false;
    if (*r->p == '{') {
        r->p++;
        r->depth++;
        r->is_nested = r->depth > 1;
        return r->depth <= NESTING_MAX && take_element(r);
    }
    return *r->p == '"' ? take_quoted(r) : take_bare(r);
}

/* Closing braces and a comma behind an element; false at the end or when it is malformed. */
static bool take_comma(struct reader *r)
{
    for (skip_blanks(r); r->p < r->end && *r->p == '}' && r->depth > 0; skip_blanks(r)) {
        r->p++;
        r->depth--;
    }
    if (r->p == r->end || *r->p != ',' || r->depth == 0)
        return false;
    r->p++;
    return true;
}

static bool is_empty_array(struct gw_span s)
{
    const char *p = s.p, *end = p + s.n;
    for (const char *expected = "{}"; *expected; expected++, p++) {
        while (p < end && is_blank(*p))
            p++;
        if (p == end || *p != *expected)
            return false;
    }
    while (p < end && is_blank(*p))
        p++;
    return p == end;
}

static uint32_t count_commas(struct gw_span s)
{
    uint32_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == ',';
    return n;
}

static bool items_init(struct gw_native_items *items, struct gw_span text, struct gw_arena *arena,
                       uint32_t *cap)
{
    *cap = count_commas(text) + 1;
    items->n = 0;
    items->at = text.n < UINT32_MAX ? gw_arena_alloc(arena, *cap * sizeof *items->at) : NULL;
    return items->at;
}

enum gw_datum_state gw_native_array_items(struct gw_span text, struct gw_arena *arena,
                                          struct gw_native_items *out, bool *is_nested)
{
    struct reader r = {.p = text.p, .end = text.p + text.n, .arena = arena, .out = out};
    *is_nested = false;
    *out = (struct gw_native_items){0};
    if (text.n == 0)
        return GW_DATUM_UNKNOWN;
    if (is_empty_array(text))
        return GW_DATUM_VALUE;
    skip_blanks(&r);
    if (r.p == r.end || *r.p != '{' || !items_init(out, text, arena, &r.cap))
        return GW_DATUM_UNKNOWN;
    do {
        if (!take_element(&r))
            return GW_DATUM_UNKNOWN;
    } while (take_comma(&r));
    *is_nested = r.is_nested;
    return r.p == r.end && r.depth == 0 ? GW_DATUM_VALUE : GW_DATUM_UNKNOWN;
}

/* ---- JSON arrays ---- */

enum gw_datum_state gw_native_json_items(struct gw_span text, struct gw_arena *arena,
                                         struct gw_native_items *out)
{
    struct gw_walk w = gw_walk_of(text);
    enum gw_walk_event e = gw_walk_next(&w);
    uint32_t cap;
    bool is_array = e == GW_WALK_OPEN && *w.raw.p == '[';
    if (!items_init(out, text, arena, &cap))
        return GW_DATUM_UNKNOWN;
    while (is_array && (e = gw_walk_next(&w)) != GW_WALK_CLOSE) {
        bool is_value = e == GW_WALK_SCALAR || e == GW_WALK_OPEN;
        struct gw_span raw = is_value ? gw_walk_value(&w, e) : (struct gw_span){NULL, 0};
        if (!raw.p)
            return GW_DATUM_UNKNOWN;
        if (w.has_bad_escape)
            return GW_DATUM_ERROR;
        if (!add_item(out, cap, gw_native_json_text(raw, arena)))
            return GW_DATUM_UNKNOWN;
        if (out->at[out->n - 1].state == GW_DATUM_UNKNOWN)
            return GW_DATUM_UNKNOWN;
    }
    if (is_array)
        return gw_walk_next(&w) == GW_WALK_END ? GW_DATUM_VALUE : GW_DATUM_UNKNOWN;
    while (e != GW_WALK_END && e != GW_WALK_BAD && e != GW_WALK_DEEP)
        e = gw_walk_next(&w);
    return e == GW_WALK_END ? GW_DATUM_ERROR : GW_DATUM_UNKNOWN; /* elements of no array: raises */
}

/* ---- writing ---- */

static bool needs_quotes(struct gw_span s)
{
    if (s.n == 0 || gw_span_is_nocase(s, "null"))
        return true;
    for (size_t i = 0; i < s.n; i++)
        if (is_blank(s.p[i]) || (s.p[i] && strchr("\"\\{},", s.p[i])))
            return true;
    return false;
}

static void add_element(struct gw_buf *out, struct gw_span s)
{
    gw_buf_add_byte(out, out->n == 0 ? '{' : ',');
    if (!needs_quotes(s)) {
        gw_buf_add_span(out, s);
        return;
    }
    gw_buf_add_byte(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            gw_buf_add_byte(out, '\\');
        gw_buf_add_byte(out, s.p[i]);
    }
    gw_buf_add_byte(out, '"');
}

static size_t character_bytes(struct gw_span s, size_t at)
{
    size_t n = 1;
    while (at + n < s.n && ((unsigned char)s.p[at + n] & 0xc0) == 0x80)
        n++;
    return n;
}

static void add_characters(struct gw_buf *out, struct gw_span text)
{
    for (size_t at = 0, n; at < text.n; at += n) {
        n = character_bytes(text, at);
        add_element(out, (struct gw_span){text.p + at, n});
    }
}

static void add_fields(struct gw_buf *out, struct gw_span text, struct gw_span delimiter)
{
    struct gw_span rest = text;
    const char *hit;
    while (delimiter.n && (hit = memmem(rest.p, rest.n, delimiter.p, delimiter.n))) {
        add_element(out, (struct gw_span){rest.p, (size_t)(hit - rest.p)});
        rest = (struct gw_span){hit + delimiter.n, rest.n - (size_t)(hit - rest.p) - delimiter.n};
    }
    add_element(out, rest);
}

struct gw_datum gw_native_string_to_array(struct gw_span text, const struct gw_datum *delimiter,
                                          struct gw_arena *arena)
{
    struct gw_buf out;
    if (text.n == 0)
        return gw_datum_of(GW_KIND_OPAQUE, GW_SPAN_LIT("{}"));
    if (!gw_utf8_is_valid(text))
        return gw_datum_unknown();
    gw_buf_init(&out, 0);
    if (delimiter->state == GW_DATUM_NULL)
        add_characters(&out, text);
    else
        add_fields(&out, text, delimiter->text);
    gw_buf_add_byte(&out, '}');
    struct gw_datum d = gw_native_copy(GW_KIND_OPAQUE, gw_buf_span(&out), arena);
    gw_buf_fini(&out);
    return d;
}
