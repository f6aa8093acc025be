/* native_walk: see native_own.h. One pass, driven by what is expected next; open containers are one
 * bit each, so nesting costs no stack. Text is valid UTF-8 (checked where it comes in). */
#include "native_own.h"

enum expect { EXPECT_VALUE, EXPECT_FIRST, EXPECT_NEXT, EXPECT_NOTHING };

struct gw_walk gw_walk_of(struct gw_span text)
{
    return (struct gw_walk){
        .p = text.p, .end = text.n ? text.p + text.n : text.p, .expect = EXPECT_VALUE};
}

/* ---- strings ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four hex digits at p, or -1. */
static int32_t read_hex4(const char *p, const char *end)
{
    int32_t v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0)
            return -1;
        v = v << 4 | digit;
    }
    return v;
}

static size_t put_utf8(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(lead[n] | c);
    return n;
}

/* One step through the inside of a string token: its text in out (n bytes, 1 to 4), or n 0 for an
 * escape that has none. The token's grammar has been checked. */
struct piece {
    const char *next;
    size_t n;
    char out[4];
};

static struct piece unicode_piece(const char *p, const char *end)
{
    uint32_t c = (uint32_t)read_hex4(p + 2, end);
    struct piece piece = {.next = p + 6};
    if (c >= 0xd800 && c < 0xdc00) {
        bool has_low = end - p >= 12 && p[6] == '\\' && p[7] == 'u';
        uint32_t low = has_low ? (uint32_t)read_hex4(p + 8, end) : 0;
        if (low < 0xdc00 || low > 0xdfff)
            return piece;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        piece.next = p + 12;
    } else if (c == 0 || (c >= 0xdc00 && c < 0xe000)) {
        return piece;
    }
    piece.n = put_utf8(c, piece.out);
    return piece;
}

static struct piece take_piece(const char *p, const char *end)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    if (*p != '\\')
        return (struct piece){p + 1, 1, {*p}};
    if (p[1] == 'u')
        return unicode_piece(p, end);
    const char *hit = memchr(from, p[1], sizeof from - 1);
    return (struct piece){p + 2, 1, {hit ? to[hit - from] : p[1]}};
}

static bool has_escapes(struct gw_span raw)
{
    return memchr(raw.p, '\\', raw.n);
}

bool gw_walk_string_is(struct gw_span raw, struct gw_span text)
{
    const struct gw_span inside = {raw.p + 1, raw.n - 2};
    if (!has_escapes(raw))
        return gw_span_eq(inside, text);
    size_t at = 0;
    for (const char *p = inside.p, *end = p + inside.n; p < end;) {
        struct piece piece = take_piece(p, end);
        if (text.n - at < piece.n || memcmp(text.p + at, piece.out, piece.n) != 0)
            return false;
        at += piece.n;
        p = piece.next;
    }
    return at == text.n;
}

struct gw_span gw_walk_string(struct gw_span raw, struct gw_arena *arena)
{
    const struct gw_span inside = {raw.p + 1, raw.n - 2};
    if (!has_escapes(raw))
        return inside;
    char *out = gw_arena_alloc(arena, inside.n); /* an escape is longer than what it stands for */
    size_t n = 0;
    if (!out)
        return (struct gw_span){NULL, 0};
    for (const char *p = inside.p, *end = p + inside.n; p < end;) {
        struct piece piece = take_piece(p, end);
        memcpy(out + n, piece.out, piece.n);
        n += piece.n;
        p = piece.next;
    }
    return (struct gw_span){out, n};
}

/* ---- tokens: each skip_ returns what is behind, or NULL ---- */

static const char *skip_escape(struct gw_walk *w, const char *p)
{
    if (w->end - p < 2 || p[1] == '\0' || !strchr("\"\\/bfnrtu", p[1]))
        return NULL;
    if (p[1] != 'u')
        return p + 2;
    if (read_hex4(p + 2, w->end) < 0)
        return NULL;
    struct piece piece = unicode_piece(p, w->end);
    w->has_bad_escape |= piece.n == 0;
    return piece.next;
}

static const char *skip_string(struct gw_walk *w)
{
    const char *p = w->p + 1;
    while (p && p < w->end && *p != '"') {
        if ((unsigned char)*p < ' ')
            return NULL;
        p = *p == '\\' ? skip_escape(w, p) : p + 1;
    }
    return p && p < w->end ? p + 1 : NULL;
}

static const char *skip_digits(const char *p, const char *end)
{
    const char *from = p;
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p > from ? p : NULL;
}

static const char *skip_number(const char *p, const char *end)
{
    p += *p == '-';
    if (p < end && *p == '0')
        p++;
    else if (!(p = skip_digits(p, end)))
        return NULL;
    if (p < end && *p == '.' && !(p = skip_digits(p + 1, end)))
        return NULL;
    if (p == end || (*p != 'e' && *p != 'E'))
        return p;
    p++;
    p += p < end && (*p == '+' || *p == '-');
    return skip_digits(p, end);
}

static const char *skip_word(const struct gw_walk *w, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(w->end - w->p) >= n && memcmp(w->p, word, n) == 0 ? w->p + n : NULL;
}

static const char *skip_scalar(struct gw_walk *w)
{
    switch (*w->p) {
    case '"':
        return skip_string(w);
    case 't':
        return skip_word(w, "true");
    case 'f':
        return skip_word(w, "false");
    case 'n':
        return skip_word(w, "null");
    default:
        return skip_number(w->p, w->end);
    }
}

static void skip_blanks(struct gw_walk *w)
{
    while (w->p < w->end && (*w->p == ' ' || *w->p == '\t' || *w->p == '\n' || *w->p == '\r'))
        w->p++;
}

/* ---- events ---- */

static bool in_object(const struct gw_walk *w)
{
    uint32_t top = w->depth - 1;
    return w->is_object[top / 64] >> (top % 64) & 1;
}

static enum gw_walk_event open_container(struct gw_walk *w)
{
    if (w->depth == GW_WALK_DEPTH_MAX)
        return GW_WALK_DEEP;
    uint32_t top = w->depth++;
    uint64_t bit = UINT64_C(1) << (top % 64);
    if (*w->p == '{')
        w->is_object[top / 64] |= bit;
    else
        w->is_object[top / 64] &= ~bit;
    w->raw = (struct gw_span){w->p++, 1};
    w->expect = EXPECT_FIRST;
    return GW_WALK_OPEN;
}

static enum gw_walk_event close_container(struct gw_walk *w)
{
    w->raw = (struct gw_span){w->p++, 1};
    w->depth--;
    w->expect = w->depth ? EXPECT_NEXT : EXPECT_NOTHING;
    return GW_WALK_CLOSE;
}

static enum gw_walk_event take_value(struct gw_walk *w)
{
    if (*w->p == '{' || *w->p == '[')
        return open_container(w);
    const char *end = skip_scalar(w);
    if (!end)
        return GW_WALK_BAD;
    w->raw = (struct gw_span){w->p, (size_t)(end - w->p)};
    w->p = end;
    w->expect = w->depth ? EXPECT_NEXT : EXPECT_NOTHING;
    return GW_WALK_SCALAR;
}

static enum gw_walk_event take_key(struct gw_walk *w)
{
    const char *end = *w->p == '"' ? skip_string(w) : NULL;
    if (!end)
        return GW_WALK_BAD;
    w->raw = (struct gw_span){w->p, (size_t)(end - w->p)};
    w->p = end;
    skip_blanks(w);
    if (w->p == w->end || *w->p++ != ':')
        return GW_WALK_BAD;
    w->expect = EXPECT_VALUE;
    return GW_WALK_KEY;
}

static enum gw_walk_event take_inside(struct gw_walk *w)
{
    char closing = in_object(w) ? '}' : ']';
    if (*w->p == closing)
        return close_container(w);
    if (w->expect == EXPECT_NEXT) {
        if (*w->p++ != ',')
            return GW_WALK_BAD;
        skip_blanks(w);
        if (w->p == w->end)
            return GW_WALK_BAD;
    }
    return in_object(w) ? take_key(w) : take_value(w);
}

enum gw_walk_event gw_walk_next(struct gw_walk *w)
{
    skip_blanks(w);
    if (w->p == w->end)
        return w->expect == EXPECT_NOTHING ? GW_WALK_END : GW_WALK_BAD;
    switch ((enum expect)w->expect) {
    case EXPECT_VALUE:
        return take_value(w);
    case EXPECT_FIRST:
    case EXPECT_NEXT:
        return take_inside(w);
    case EXPECT_NOTHING:
        break;
    }
    return GW_WALK_BAD;
}

struct gw_span gw_walk_value(struct gw_walk *w, enum gw_walk_event event)
{
    const char *from = w->raw.p;
    if (event == GW_WALK_SCALAR)
        return w->raw;
    for (uint32_t outside = w->depth - 1; w->depth > outside;) {
        event = gw_walk_next(w);
        if (event == GW_WALK_BAD || event == GW_WALK_DEEP || event == GW_WALK_END)
            return (struct gw_span){NULL, 0};
    }
    return (struct gw_span){from, (size_t)(w->p - from)};
}
