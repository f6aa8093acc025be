/* native_cast: texts read as uuid, bool and integers, with everything their input functions accept
 * (uuid_in, boolin, int2in, int4in, int8in). */
#include "native_own.h"

#include <inttypes.h>
#include <stdio.h>

#define UUID_BYTES 16
#define UUID_TEXT 36

static bool is_space(char c) /* isspace() in the C locale */
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct gw_span trim_space(struct gw_span s)
{
    while (s.n && is_space(*s.p)) {
        s.p++;
        s.n--;
    }
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* ---- uuid ---- */

/* The digit in lower case, or '\0'. */
static char hex_digit(char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))
        return c;
    return c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : '\0';
}

/* Braces around all of it, and a hyphen after any group of four digits, may be there or not. */
static bool read_uuid(struct gw_span s, char out[UUID_TEXT])
{
    const char *p = s.p, *end = s.p + s.n;
    bool has_braces = p < end && *p == '{';
    p += has_braces;
    for (int i = 0, at = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        if (end - p < 2 || !hex_digit(p[0]) || !hex_digit(p[1]))
            return false;
        out[at++] = hex_digit(*p++);
        out[at++] = hex_digit(*p++);
        if (p < end && *p == '-' && i % 2 == 1 && i < UUID_BYTES - 1)
            p++;
    }
    if (has_braces && (p == end || *p++ != '}'))
        return false;
    return p == end;
}

struct gw_datum gw_native_to_uuid(struct gw_span text, struct gw_arena *arena)
{
    char canonical[UUID_TEXT];
    if (!read_uuid(text, canonical))
        return gw_datum_error();
    struct gw_span out = {canonical, UUID_TEXT};
    return gw_span_eq(text, out) ? gw_datum_of(GW_KIND_UUID, text)
                                 : gw_native_copy(GW_KIND_UUID, out, arena);
}

/* ---- bool ---- */

static bool is_prefix(struct gw_span s, const char *word, size_t at_least)
{
    struct gw_span head = {word, s.n};
    if (s.n < at_least || s.n > strlen(word))
        return false;
    char copy[8];
    memcpy(copy, head.p, head.n);
    copy[head.n] = '\0';
    return gw_span_is_nocase(s, copy);
}

struct gw_datum gw_native_to_bool(struct gw_span text)
{
    struct gw_span s = trim_space(text);
    if (is_prefix(s, "true", 1) || is_prefix(s, "yes", 1) || is_prefix(s, "on", 2) ||
        gw_span_is(s, "1"))
        return gw_native_bool(true);
    if (is_prefix(s, "false", 1) || is_prefix(s, "no", 1) || is_prefix(s, "off", 2) ||
        gw_span_is(s, "0"))
        return gw_native_bool(false);
    return gw_datum_error();
}

/* ---- integers ---- */

/* Since version 16: 0x…, 0o…, 0b… and digits parted by '_'. Before, they raise. */
static bool is_newer_syntax(struct gw_span digits)
{
    bool has_underscore = false,
         has_base = digits.n > 1 && *digits.p == '0' && memchr("xXoObB", digits.p[1], 6);
    for (size_t i = 0; i < digits.n && !has_base; i++) {
        if (digits.p[i] != '_' && (digits.p[i] < '0' || digits.p[i] > '9'))
            return false;
        has_underscore |= digits.p[i] == '_';
    }
    return has_base || has_underscore;
}

/* VALUE: out is set. UNKNOWN: depends on Postgres' version. */
static enum gw_datum_state read_int(struct gw_span digits, bool is_negative, int64_t *out)
{
    uint64_t v = 0, limit = (uint64_t)INT64_MAX + is_negative;
    if (is_newer_syntax(digits))
        return GW_DATUM_UNKNOWN;
    if (digits.n == 0)
        return GW_DATUM_ERROR;
    for (size_t i = 0; i < digits.n; i++) {
        unsigned digit = (unsigned)(unsigned char)digits.p[i] - '0';
        if (digit > 9 || v > (limit - digit) / 10)
            return GW_DATUM_ERROR;
        v = v * 10 + digit;
    }
    *out = (int64_t)(is_negative ? -v : v);
    return GW_DATUM_VALUE;
}

struct gw_datum gw_native_to_int(struct gw_span text, int64_t min, int64_t max,
                                 struct gw_arena *arena)
{
    struct gw_span s = trim_space(text);
    bool is_negative = s.n && *s.p == '-', has_sign = is_negative || (s.n && *s.p == '+');
    struct gw_span digits = {s.p + has_sign, s.n - has_sign};
    int64_t v = 0;
    enum gw_datum_state state = read_int(digits, is_negative, &v);
    if (state == GW_DATUM_UNKNOWN)
        return gw_datum_unknown();
    if (state == GW_DATUM_ERROR || v < min || v > max)
        return gw_datum_error();
    char out[24];
    int n = snprintf(out, sizeof out, "%" PRId64, v);
    struct gw_span canonical = {out, (size_t)n};
    return gw_span_eq(text, canonical) ? gw_datum_of(GW_KIND_INT, text)
                                       : gw_native_copy(GW_KIND_INT, canonical, arena);
}
