/* scan: see the header. */
#include "scan.h"

#include "gw/json.h"

#include <assert.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && is_blank(*p))
        p++;
    return p;
}

/* p is at the opening quote; returns what is behind the closing one. */
static const char *string_end(const char *p, const char *end)
{
    for (p++; p < end; p++) {
        if (*p == '"')
            return p + 1;
        if (*p == '\\' && p + 1 < end)
            p++;
    }
    return end;
}

static const char *container_end(const char *p, const char *end)
{
    size_t depth = 0;
    while (p < end) {
        if (*p == '"') {
            p = string_end(p, end);
            continue;
        }
        if (*p == '[' || *p == '{')
            depth++;
        else if ((*p == ']' || *p == '}') && --depth == 0)
            return p + 1;
        p++;
    }
    return end;
}

static const char *scalar_end(const char *p, const char *end)
{
    while (p < end && !is_blank(*p) && *p != ',' && *p != ']' && *p != '}')
        p++;
    return p;
}

/* The value at p, which must not be a blank. */
static struct gw_span value_at(const char *p, const char *end)
{
    const char *to = p;
    if (p < end && *p == '"')
        to = string_end(p, end);
    else if (p < end && (*p == '[' || *p == '{'))
        to = container_end(p, end);
    else
        to = scalar_end(p, end);
    return (struct gw_span){p, (size_t)(to - p)};
}

/* Only for text that is not valid, to tell the two reasons apart. */
static bool is_too_deep(struct gw_span text)
{
    const char *p = text.p, *end = p + text.n;
    size_t depth = 0;
    while (p < end) {
        if (*p == '"') {
            p = string_end(p, end);
            continue;
        }
        if ((*p == '[' || *p == '{') && ++depth > GW_SCAN_MAX_DEPTH)
            return true;
        if ((*p == ']' || *p == '}') && depth > 0)
            depth--;
        p++;
    }
    return false;
}

enum gw_code gw_scan_check(struct gw_span text)
{
    if (text.n == 0)
        return GW_E_MALFORMED;
    if (gw_json_is_valid(text))
        return GW_OK;
    return is_too_deep(text) ? GW_E_TOO_BIG : GW_E_MALFORMED;
}

char gw_scan_kind(struct gw_span value)
{
    const char *end = value.p + value.n, *p = skip_blanks(value.p, end);
    return p < end ? *p : '\0';
}

struct gw_scan gw_scan_of(struct gw_span container)
{
    const char *end = container.p + container.n, *p = skip_blanks(container.p, end);
    return (struct gw_scan){p < end ? p + 1 : end, end};
}

/* Behind a value: on to the next one, over the comma if there is one. */
static void step(struct gw_scan *s, const char *from)
{
    s->p = skip_blanks(from, s->end);
    if (s->p < s->end && *s->p == ',')
        s->p++;
}

bool gw_scan_element(struct gw_scan *s, struct gw_span *value)
{
    const char *p = skip_blanks(s->p, s->end);
    if (p == s->end || *p == ']')
        return false;
    *value = value_at(p, s->end);
    step(s, value->p + value->n);
    return value->n > 0;
}

bool gw_scan_member(struct gw_scan *s, struct gw_span *key, struct gw_span *value)
{
    const char *p = skip_blanks(s->p, s->end);
    if (p == s->end || *p != '"')
        return false;
    *key = value_at(p, s->end);
    p = skip_blanks(key->p + key->n, s->end);
    if (p == s->end || *p != ':')
        return false;
    *value = value_at(skip_blanks(p + 1, s->end), s->end);
    step(s, value->p + value->n);
    return value->n > 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \uXXXX at p, which is advanced over it; -1 if that is not there. */
static int32_t take_unit(const char **p, const char *end)
{
    if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
        return -1;
    int32_t unit = 0;
    for (int i = 2; i < 6; i++) {
        int digit = hex_digit((*p)[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    *p += 6;
    return unit;
}

/* The code point of a \u escape or of a pair of them; -1: NUL or half a pair. */
static int32_t take_code_point(const char **p, const char *end)
{
    int32_t high = take_unit(p, end);
    if (high <= 0 || (high >= 0xdc00 && high <= 0xdfff))
        return -1;
    if (high < 0xd800 || high > 0xdfff)
        return high;
    int32_t low = take_unit(p, end);
    if (low < 0xdc00 || low > 0xdfff)
        return -1;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static char *add_utf8(char *to, int32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const int lead[] = {0, 0xc0, 0xe0, 0xf0};
    *to++ = (char)(lead[more] | c >> (6 * more));
    while (more-- > 0)
        *to++ = (char)(0x80 | (c >> (6 * more) & 0x3f));
    return to;
}

/* Unescape a string with its quotes into to, which has room for string.n bytes (no escape is
 * shorter than what it stands for). Returns the end, or NULL: NUL or half a surrogate pair. */
static char *unescape(char *to, struct gw_span string)
{
    assert(string.n >= 2);
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    const char *p = string.p + 1, *end = string.p + string.n - 1;
    while (p < end) {
        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }
        const char *hit = end - p > 1 ? memchr(from, p[1], sizeof from - 1) : NULL;
        if (hit) {
            *to++ = into[hit - from];
            p += 2;
            continue;
        }
        int32_t c = take_code_point(&p, end);
        if (c < 0)
            return NULL;
        to = add_utf8(to, c);
    }
    return to;
}

bool gw_scan_key_is(struct gw_span key, const char *name)
{
    char text[6 * GW_SCAN_NAME_MAX + 2]; /* every byte as \u00XX, and the quotes */
    size_t n = strlen(name);
    assert(n <= GW_SCAN_NAME_MAX);
    if (key.n < n + 2 || key.n > 6 * n + 2)
        return false;
    const char *end = unescape(text, key);
    return end && (size_t)(end - text) == n && memcmp(text, name, n) == 0;
}

bool gw_scan_find(struct gw_span object, const char *name, struct gw_span *value)
{
    if (gw_scan_kind(object) != '{')
        return false;
    bool found = false;
    struct gw_scan s = gw_scan_of(object);
    struct gw_span key, each;
    while (gw_scan_member(&s, &key, &each)) {
        if (!gw_scan_key_is(key, name))
            continue;
        *value = each;
        found = true;
    }
    return found;
}

enum gw_code gw_scan_unescape(struct gw_span string, struct gw_arena *arena, struct gw_span *out)
{
    char *text = gw_arena_alloc(arena, string.n); /* the quotes leave room for a NUL */
    if (!text)
        return GW_E_TOO_BIG;
    const char *end = unescape(text, string);
    if (!end)
        return GW_E_MALFORMED;
    text[end - text] = '\0';
    *out = (struct gw_span){text, (size_t)(end - text)};
    return GW_OK;
}

char *gw_scan_compact(char *to, struct gw_span value)
{
    const char *p = value.p, *end = p + value.n;
    while (p < end) {
        const char *stop = p + 1;
        if (*p == '"') {
            stop = string_end(p, end);
            memcpy(to, p, (size_t)(stop - p));
            to += stop - p;
        } else if (!is_blank(*p)) {
            *to++ = *p;
        }
        p = stop;
    }
    return to;
}
