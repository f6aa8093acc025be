/* bytes: see the header. Growth doubles, so that appending n bytes costs O(n) in total; one byte
 * more than asked is always reserved, so that gw_buf_cstr can end the text in place. */
#include "gw/bytes.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST_BYTES 64

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool gw_span_is_nocase(struct gw_span a, const char *s)
{
    struct gw_span b = gw_span_of(s);
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

static void die_out_of_memory(void)
{
    fputs("level=error event=out_of_memory\n", stderr);
    abort();
}

void *gw_alloc(size_t bytes)
{
    void *p = calloc(1, bytes ? bytes : 1);
    if (!p)
        die_out_of_memory();
    return p;
}

void *gw_realloc(void *p, size_t bytes)
{
    void *q = realloc(p, bytes ? bytes : 1);
    if (!q)
        die_out_of_memory();
    return q;
}

char *gw_strdup_span(struct gw_span s)
{
    char *p = gw_alloc(s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

static const unsigned char *cursor_take(struct gw_cursor *c, size_t n)
{
    if (c->failed || gw_cursor_left(c) < n) {
        c->failed = true;
        return NULL;
    }
    const unsigned char *p = c->p;
    if (n)
        c->p += n;
    return p;
}

static uint64_t read_be(struct gw_cursor *c, size_t n)
{
    const unsigned char *p = cursor_take(c, n);
    uint64_t v = 0;
    for (size_t i = 0; p && i < n; i++)
        v = v << 8 | p[i];
    return v;
}

uint8_t gw_cursor_u8(struct gw_cursor *c)
{
    return (uint8_t)read_be(c, 1);
}

uint16_t gw_cursor_u16(struct gw_cursor *c)
{
    return (uint16_t)read_be(c, 2);
}

uint32_t gw_cursor_u32(struct gw_cursor *c)
{
    return (uint32_t)read_be(c, 4);
}

uint64_t gw_cursor_u64(struct gw_cursor *c)
{
    return read_be(c, 8);
}

struct gw_span gw_cursor_bytes(struct gw_cursor *c, size_t n)
{
    const unsigned char *p = cursor_take(c, n);
    return p ? (struct gw_span){(const char *)p, n} : (struct gw_span){NULL, 0};
}

struct gw_span gw_cursor_cstr(struct gw_cursor *c)
{
    size_t left = gw_cursor_left(c);
    const unsigned char *nul = c->failed || left == 0 ? NULL : memchr(c->p, 0, left);
    if (!nul) {
        c->failed = true;
        return (struct gw_span){NULL, 0};
    }
    struct gw_span s = {(const char *)c->p, (size_t)(nul - c->p)};
    c->p = nul + 1;
    return s;
}

static size_t buf_max(const struct gw_buf *b)
{
    return b->max ? b->max : SIZE_MAX / 2;
}

static void buf_grow(struct gw_buf *b, size_t need)
{
    if (need <= b->cap)
        return;
    size_t cap = b->cap ? b->cap : BUF_FIRST_BYTES;
    while (cap < need)
        cap = cap > SIZE_MAX / 4 ? need : cap * 2;
    if (cap - 1 > buf_max(b)) /* the cap, and room for a NUL behind it */
        cap = buf_max(b) + 1;
    b->p = gw_realloc(b->p, cap);
    b->cap = cap;
}

/* Room for n more bytes and a NUL; false, and overflow for good, past the cap. */
static bool buf_reserve(struct gw_buf *b, size_t n)
{
    if (b->overflow || n > buf_max(b) - b->n) {
        b->overflow = true;
        return false;
    }
    buf_grow(b, b->n + n + 1);
    return true;
}

void gw_buf_init(struct gw_buf *b, size_t max_bytes)
{
    *b = (struct gw_buf){.max = max_bytes};
}

void gw_buf_fini(struct gw_buf *b)
{
    free(b->p);
    *b = (struct gw_buf){.max = b->max};
}

void gw_buf_reset(struct gw_buf *b)
{
    b->n = 0;
    b->overflow = false;
}

void gw_buf_add(struct gw_buf *b, const void *p, size_t n)
{
    if (n == 0 || !buf_reserve(b, n))
        return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void gw_buf_add_span(struct gw_buf *b, struct gw_span s)
{
    gw_buf_add(b, s.p, s.n);
}

void gw_buf_add_str(struct gw_buf *b, const char *s)
{
    gw_buf_add(b, s, strlen(s));
}

void gw_buf_add_byte(struct gw_buf *b, char c)
{
    if (buf_reserve(b, 1))
        b->p[b->n++] = c;
}

static void buf_add_be(struct gw_buf *b, uint64_t v, size_t n)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)(v >> (8 * (n - 1 - i)));
    gw_buf_add(b, bytes, n);
}

void gw_buf_add_u16(struct gw_buf *b, uint16_t v)
{
    buf_add_be(b, v, 2);
}

void gw_buf_add_u32(struct gw_buf *b, uint32_t v)
{
    buf_add_be(b, v, 4);
}

void gw_buf_add_u64(struct gw_buf *b, uint64_t v)
{
    buf_add_be(b, v, 8);
}

void gw_buf_printf(struct gw_buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n > 0 && buf_reserve(b, (size_t)n)) {
        vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again); /* its NUL fits the reserved byte */
        b->n += (size_t)n;
    }
    va_end(again);
}

const char *gw_buf_cstr(struct gw_buf *b)
{
    buf_grow(b, b->n + 1);
    b->p[b->n] = '\0';
    return b->p;
}

#define FRAME_FIN 0x80u
#define FRAME_LEN_MASK 0x7fu
#define FRAME_LEN16 126u
#define FRAME_LEN64 127u

static size_t frame_header(unsigned char out[10], unsigned opcode, uint64_t n)
{
    out[0] = (unsigned char)(FRAME_FIN | opcode);
    size_t length_bytes = n < FRAME_LEN16 ? 0 : n <= UINT16_MAX ? 2 : 8;
    out[1] = (unsigned char)(length_bytes == 0 ? n : length_bytes == 2 ? FRAME_LEN16 : FRAME_LEN64);
    for (size_t i = 0; i < length_bytes; i++)
        out[2 + i] = (unsigned char)(n >> (8 * (length_bytes - 1 - i)));
    return 2 + length_bytes;
}

struct gw_frame *gw_frame_new(unsigned opcode, const struct gw_span *parts, size_t n_parts)
{
    uint64_t n = 0;
    for (size_t i = 0; i < n_parts; i++)
        n += parts[i].n;
    assert(opcode < 16 && n <= UINT32_MAX - 10); /* callers bound messages far below */
    unsigned char header[10];
    size_t at = frame_header(header, opcode, n);

    struct gw_frame *f = gw_realloc(NULL, sizeof *f + at + (size_t)n);
    f->refs = 1;
    f->n = (uint32_t)(at + n);
    memcpy(f->p, header, at);
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].n)
            memcpy(f->p + at, parts[i].p, parts[i].n);
        at += parts[i].n;
    }
    return f;
}

struct gw_frame *gw_frame_ref(struct gw_frame *f)
{
    assert(f->refs > 0 && f->refs < UINT32_MAX);
    f->refs++;
    return f;
}

void gw_frame_unref(struct gw_frame *f)
{
    if (!f)
        return;
    assert(f->refs > 0);
    if (--f->refs == 0)
        free(f);
}

struct gw_span gw_frame_payload(const struct gw_frame *f)
{
    unsigned length = f->p[1] & FRAME_LEN_MASK;
    size_t header = length == FRAME_LEN64 ? 10 : length == FRAME_LEN16 ? 4 : 2;
    return (struct gw_span){(const char *)f->p + header, f->n - header};
}
