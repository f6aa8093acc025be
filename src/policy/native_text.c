/* native_text: functions of texts. Bytes are compared as they are: right under deterministic
 * collations, and for UTF-8, where no character begins inside another. What depends on a locale
 * (upper and lower case of anything beyond ASCII) is left to Postgres. */
#include "native_own.h"

#include "gw/json.h"

#include <inttypes.h>
#include <stdio.h>

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* ---- joining and parting ---- */

static struct gw_datum concat(struct gw_span a, struct gw_span b, struct gw_arena *arena)
{
    char *out = gw_arena_alloc(arena, a.n + b.n + 1);
    if (!out)
        return gw_datum_unknown();
    if (a.n)
        memcpy(out, a.p, a.n);
    if (b.n)
        memcpy(out + a.n, b.p, b.n);
    return gw_datum_of(GW_KIND_TEXT, (struct gw_span){out, a.n + b.n});
}

static struct gw_datum trim(struct gw_span s)
{
    while (s.n && *s.p == ' ') {
        s.p++;
        s.n--;
    }
    while (s.n && s.p[s.n - 1] == ' ')
        s.n--;
    return gw_datum_of(GW_KIND_TEXT, s);
}

static int64_t count_fields(struct gw_span s, struct gw_span by)
{
    int64_t n = 1;
    const char *hit;
    while ((hit = memmem(s.p, s.n, by.p, by.n))) {
        s = (struct gw_span){hit + by.n, s.n - (size_t)(hit - s.p) - by.n};
        n++;
    }
    return n;
}

/* Field number (from 1) of s, parted by something not empty. */
static struct gw_span field(struct gw_span s, struct gw_span by, int64_t number)
{
    for (;;) {
        const char *hit = memmem(s.p, s.n, by.p, by.n);
        size_t n = hit ? (size_t)(hit - s.p) : s.n;
        if (--number == 0)
            return (struct gw_span){s.p, n};
        if (!hit)
            return GW_SPAN_LIT("");
        s = (struct gw_span){hit + by.n, s.n - n - by.n};
    }
}

static struct gw_datum split_part(struct gw_span s, struct gw_span by, const struct gw_datum *where)
{
    int64_t number;
    if (!gw_native_read_int4(where, &number))
        return gw_datum_unknown();
    if (number == 0)
        return gw_datum_error();
    if (s.n == 0)
        return gw_datum_of(GW_KIND_TEXT, GW_SPAN_LIT(""));
    if (by.n == 0)
        return gw_datum_of(GW_KIND_TEXT, number == 1 || number == -1 ? s : GW_SPAN_LIT(""));
    if (number < 0)
        number += count_fields(s, by) + 1;
    return gw_datum_of(GW_KIND_TEXT, number < 1 ? GW_SPAN_LIT("") : field(s, by, number));
}

/* ---- characters ---- */

static struct gw_datum change_case(struct gw_span s, char from, char to, struct gw_arena *arena)
{
    bool changes = false;
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] > 0x7f)
            return gw_datum_unknown();
        changes |= s.p[i] >= from && s.p[i] <= from + 25;
    }
    if (!changes)
        return gw_datum_of(GW_KIND_TEXT, s);
    char *out = gw_arena_alloc(arena, s.n);
    if (!out)
        return gw_datum_unknown();
    for (size_t i = 0; i < s.n; i++)
        out[i] = s.p[i] >= from && s.p[i] <= from + 25 ? (char)(s.p[i] - from + to) : s.p[i];
    return gw_datum_of(GW_KIND_TEXT, (struct gw_span){out, s.n});
}

static struct gw_datum length(struct gw_span s, struct gw_arena *arena)
{
    char out[24];
    size_t n = 0;
    if (!gw_utf8_is_valid(s))
        return gw_datum_unknown();
    for (size_t i = 0; i < s.n; i++)
        n += !is_continuation(s.p[i]);
    int written = snprintf(out, sizeof out, "%zu", n);
    return gw_native_copy(GW_KIND_INT, (struct gw_span){out, (size_t)written}, arena);
}

/* ---- LIKE ---- */

static size_t character_bytes(struct gw_span s, size_t at)
{
    size_t n = 1;
    while (at + n < s.n && is_continuation(s.p[at + n]))
        n++;
    return n;
}

/* A pattern that ends in an escape raises, but only if matching gets that far. */
static bool ends_in_escape(struct gw_span pattern)
{
    size_t n = 0;
    while (n < pattern.n && pattern.p[pattern.n - 1 - n] == '\\')
        n++;
    return n % 2 == 1;
}

/* Only the last % ever has to try again: what stood before it was matched at the earliest place. */
static bool like(struct gw_span s, struct gw_span pattern)
{
    size_t at = 0, p = 0, retry_at = 0, retry_p = SIZE_MAX;
    while (at < s.n) {
        char c = p < pattern.n ? pattern.p[p] : '\0';
        bool is_escaped = c == '\\';
        if (is_escaped)
            c = pattern.p[p + 1];
        if (p < pattern.n && !is_escaped && c == '%') {
            retry_p = ++p;
            retry_at = at;
        } else if (p < pattern.n && !is_escaped && c == '_') {
            at += character_bytes(s, at);
            p++;
        } else if (p < pattern.n && c == s.p[at]) {
            at++;
            p += is_escaped ? 2 : 1;
        } else if (retry_p != SIZE_MAX) {
            retry_at += character_bytes(s, retry_at);
            at = retry_at;
            p = retry_p;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '%')
        p++;
    return p == pattern.n;
}

static struct gw_datum like_call(struct gw_span s, struct gw_span pattern)
{
    if (ends_in_escape(pattern) || !gw_utf8_is_valid(s) || !gw_utf8_is_valid(pattern))
        return gw_datum_unknown();
    return gw_native_bool(like(s, pattern));
}

struct gw_datum gw_native_text_call(enum gw_native_fn fn, const struct gw_datum *args,
                                    struct gw_arena *arena)
{
    struct gw_span s = args[0].text;
    switch (fn) {
    case GW_FN_CONCAT:
        return concat(s, args[1].text, arena);
    case GW_FN_LOWER:
        return change_case(s, 'A', 'a', arena);
    case GW_FN_UPPER:
        return change_case(s, 'a', 'A', arena);
    case GW_FN_SPLIT_PART:
        return split_part(s, args[1].text, &args[2]);
    case GW_FN_LENGTH:
        return length(s, arena);
    case GW_FN_STARTS_WITH:
        return gw_native_bool(
            s.n >= args[1].text.n &&
            (args[1].text.n == 0 || memcmp(s.p, args[1].text.p, args[1].text.n) == 0));
    case GW_FN_LIKE:
        return like_call(s, args[1].text);
    case GW_FN_TRIM:
        return trim(s);
    default:
        return gw_datum_unknown();
    }
}
