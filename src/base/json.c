/* json: see the header.
 *
 * DESIGN of the validator. One pass, driven by what is expected next; containers are one bit each
 * on a fixed stack (object or array), so that hostile nesting costs neither stack nor memory. */
#include "gw/json.h"

#define MAX_DEPTH 512

typedef const unsigned char *bytes;

/* Length of the valid UTF-8 sequence at p (1..4), 0 if there is none (RFC 3629 §4). */
static size_t utf8_length(bytes p, bytes end)
{
    unsigned char c = *p;
    if (c < 0x80)
        return 1;
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || (size_t)(end - p) < n)
        return 0;
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;  /* overlong below */
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf; /* surrogate, > U+10FFFF */
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

bool gw_utf8_is_valid(struct gw_span s)
{
    bytes p = (bytes)s.p, end = p ? p + s.n : p;
    while (p < end) {
        size_t n = utf8_length(p, end);
        if (n == 0)
            return false;
        p += n;
    }
    return true;
}

/* Bytes from p on that go into a JSON string as they are. */
static size_t plain_run(bytes p, bytes end)
{
    bytes at = p;
    while (at < end) {
        if (*at < 0x80) {
            if (*at < ' ' || *at == '"' || *at == '\\')
                break;
            at++;
            continue;
        }
        size_t n = utf8_length(at, end);
        if (n == 0)
            break;
        at += n;
    }
    return (size_t)(at - p);
}

static void add_escaped(struct gw_buf *b, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *hit = c ? memchr(from, c, sizeof from - 1) : NULL;
    if (hit) {
        char two[2] = {'\\', to[hit - from]};
        gw_buf_add(b, two, 2);
    } else if (c < ' ') {
        char six[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        gw_buf_add(b, six, 6);
    } else {
        gw_buf_add(b, "\xef\xbf\xbd", 3); /* U+FFFD */
    }
}

void gw_json_add_string(struct gw_buf *b, struct gw_span s)
{
    bytes p = (bytes)s.p, end = p ? p + s.n : p;
    gw_buf_add_byte(b, '"');
    while (p < end) {
        size_t n = plain_run(p, end);
        gw_buf_add(b, p, n);
        p += n;
        if (p < end)
            add_escaped(b, *p++);
    }
    gw_buf_add_byte(b, '"');
}

void gw_json_add_key(struct gw_buf *b, struct gw_span key)
{
    gw_json_add_string(b, key);
    gw_buf_add_byte(b, ':');
}

/* The skip_ functions return what is behind the construct at p, or NULL. */

static bool is_digit(bytes p, bytes end)
{
    return p < end && *p >= '0' && *p <= '9';
}

static bytes skip_digits(bytes p, bytes end)
{
    if (!is_digit(p, end))
        return NULL;
    while (is_digit(p, end))
        p++;
    return p;
}

static bytes skip_number(bytes p, bytes end)
{
    if (p < end && *p == '-')
        p++;
    if (p < end && *p == '0')
        p++; /* no digit may follow a leading zero */
    else if (!(p = skip_digits(p, end)))
        return NULL;
    if (p < end && *p == '.' && !(p = skip_digits(p + 1, end)))
        return NULL;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        p = skip_digits(p, end);
    }
    return p;
}

static bytes skip_escape(bytes p, bytes end)
{
    if (p == end || *p == 0 || !strchr("\"\\/bfnrtu", *p))
        return NULL;
    if (*p++ != 'u')
        return p;
    for (int i = 0; i < 4; i++, p++)
        if (p == end || *p == 0 || !strchr("0123456789abcdefABCDEF", *p))
            return NULL;
    return p;
}

static bytes skip_string(bytes p, bytes end)
{
    if (p == end || *p++ != '"')
        return NULL;
    while (p) {
        p += plain_run(p, end);
        if (p == end)
            return NULL;
        if (*p == '"')
            return p + 1;
        p = *p == '\\' ? skip_escape(p + 1, end) : NULL;
    }
    return NULL;
}

static bytes skip_word(bytes p, bytes end, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(end - p) >= n && memcmp(p, word, n) == 0 ? p + n : NULL;
}

static bytes skip_scalar(bytes p, bytes end)
{
    switch (*p) {
    case '"':
        return skip_string(p, end);
    case 't':
        return skip_word(p, end, "true");
    case 'f':
        return skip_word(p, end, "false");
    case 'n':
        return skip_word(p, end, "null");
    default:
        return skip_number(p, end);
    }
}

static bytes skip_blanks(bytes p, bytes end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}

enum expect { EXPECT_VALUE, EXPECT_FIRST, EXPECT_KEY, EXPECT_NEXT };

struct validator {
    bytes p, end;
    enum expect expect; /* FIRST: just behind '[' or '{'; NEXT: behind a value */
    unsigned depth;
    uint64_t is_object[MAX_DEPTH / 64]; /* one bit per open container */
};

static bool in_object(const struct validator *v)
{
    unsigned top = v->depth - 1;
    return v->is_object[top / 64] >> (top % 64) & 1;
}

static bool step_open(struct validator *v)
{
    if (v->depth == MAX_DEPTH)
        return false;
    unsigned top = v->depth++;
    uint64_t bit = UINT64_C(1) << (top % 64);
    if (*v->p == '{')
        v->is_object[top / 64] |= bit;
    else
        v->is_object[top / 64] &= ~bit;
    v->p++;
    v->expect = EXPECT_FIRST;
    return true;
}

static bool step_value(struct validator *v)
{
    if (*v->p == '{' || *v->p == '[')
        return step_open(v);
    v->p = skip_scalar(v->p, v->end);
    v->expect = EXPECT_NEXT;
    return v->p;
}

static bool step_key(struct validator *v)
{
    v->p = skip_string(v->p, v->end);
    if (!v->p)
        return false;
    v->p = skip_blanks(v->p, v->end);
    if (v->p == v->end || *v->p++ != ':')
        return false;
    v->expect = EXPECT_VALUE;
    return true;
}

/* At ',' or a closing bracket behind a value, or at a closing bracket behind the opening one. */
static bool step_next(struct validator *v)
{
    if (v->depth == 0)
        return false;
    if (*v->p == ',' && v->expect == EXPECT_NEXT) {
        v->p++;
        v->expect = in_object(v) ? EXPECT_KEY : EXPECT_VALUE;
        return true;
    }
    if (*v->p != (in_object(v) ? '}' : ']'))
        return false;
    v->p++;
    v->depth--;
    v->expect = EXPECT_NEXT;
    return true;
}

static bool step(struct validator *v)
{
    switch (v->expect) {
    case EXPECT_VALUE:
        return step_value(v);
    case EXPECT_KEY:
        return step_key(v);
    case EXPECT_FIRST:
        if (*v->p == '}' || *v->p == ']')
            return step_next(v);
        return in_object(v) ? step_key(v) : step_value(v);
    case EXPECT_NEXT:
        return step_next(v);
    }
    return false;
}

bool gw_json_is_valid(struct gw_span s)
{
    if (s.n == 0)
        return false;
    struct validator v = {.p = (bytes)s.p, .end = (bytes)s.p + s.n, .expect = EXPECT_VALUE};
    while ((v.p = skip_blanks(v.p, v.end)) < v.end)
        if (!step(&v))
            return false;
    return v.depth == 0 && v.expect == EXPECT_NEXT;
}

bool gw_json_is_number(struct gw_span s)
{
    if (s.n == 0)
        return false;
    bytes end = (bytes)s.p + s.n;
    return skip_number((bytes)s.p, end) == end;
}
