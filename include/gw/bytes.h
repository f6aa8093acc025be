/* bytes: borrowed spans, a cursor that cannot overrun, a buffer that grows to a stated cap, and
 * frames: immutable bytes shared by reference count.
 *
 * Nothing here does I/O. Frames belong to one thread: their count is not atomic, they never cross.
 * Small allocations abort on failure (gw_alloc); sizes a peer chooses are bounded by the caller. */
#ifndef GW_BYTES_H
#define GW_BYTES_H

#include "gw/err.h"

#include <stdint.h>
#include <string.h>

/* Borrowed bytes, n of them, not NUL-terminated. p may be NULL when n is 0. */
struct gw_span {
    const char *p;
    size_t n;
};

#define GW_SPAN_LIT(s) ((struct gw_span){(s), sizeof(s) - 1})

static inline struct gw_span gw_span_of(const char *s) /* of a NUL-terminated string; NULL: empty */
{
    return (struct gw_span){s, s ? strlen(s) : 0};
}
static inline bool gw_span_eq(struct gw_span a, struct gw_span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool gw_span_is(struct gw_span a, const char *s) /* equals a C string */
{
    return gw_span_eq(a, gw_span_of(s));
}
bool gw_span_is_nocase(struct gw_span a, const char *s); /* ASCII only */

/* Zeroed memory, returned owned (free()); aborts when there is none. */
void *gw_alloc(size_t bytes);
void *gw_realloc(void *p, size_t bytes);
char *gw_strdup_span(struct gw_span s); /* owned, NUL-terminated copy */

/* Big-endian reader. A read past the end returns 0 or an empty span and sets failed, for good:
 * read a whole structure, then look at failed once. */
struct gw_cursor {
    const unsigned char *p, *end;
    bool failed;
};

static inline struct gw_cursor gw_cursor_of(struct gw_span s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    return (struct gw_cursor){p, p ? p + s.n : p, false};
}
static inline size_t gw_cursor_left(const struct gw_cursor *c) { return (size_t)(c->end - c->p); }
uint8_t gw_cursor_u8(struct gw_cursor *c);
uint16_t gw_cursor_u16(struct gw_cursor *c);
uint32_t gw_cursor_u32(struct gw_cursor *c);
uint64_t gw_cursor_u64(struct gw_cursor *c);
struct gw_span gw_cursor_bytes(struct gw_cursor *c, size_t n);
struct gw_span gw_cursor_cstr(struct gw_cursor *c); /* up to a NUL, which is consumed, not included */

/* Owned, growing bytes. Past max nothing more is appended and overflow stays set: append a whole
 * message, then look at overflow once. p is NOT NUL-terminated; see gw_buf_cstr. */
struct gw_buf {
    char *p;
    size_t n, cap, max; /* max 0 means SIZE_MAX/2 */
    bool overflow;
};

void gw_buf_init(struct gw_buf *b, size_t max_bytes);
void gw_buf_fini(struct gw_buf *b);  /* frees; the struct may be used again after init */
void gw_buf_reset(struct gw_buf *b); /* n = 0, keeps the memory, clears overflow */
void gw_buf_add(struct gw_buf *b, const void *p, size_t n);
void gw_buf_add_span(struct gw_buf *b, struct gw_span s);
void gw_buf_add_str(struct gw_buf *b, const char *s);
void gw_buf_add_byte(struct gw_buf *b, char c);
void gw_buf_add_u16(struct gw_buf *b, uint16_t v); /* big-endian, as the next two */
void gw_buf_add_u32(struct gw_buf *b, uint32_t v);
void gw_buf_add_u64(struct gw_buf *b, uint64_t v);
void gw_buf_printf(struct gw_buf *b, const char *fmt, ...) GW_PRINTF(2, 3);
const char *gw_buf_cstr(struct gw_buf *b); /* borrowed until the next append */
static inline struct gw_span gw_buf_span(const struct gw_buf *b)
{
    return (struct gw_span){b->p, b->n};
}

/* Immutable bytes of one WebSocket frame (header included), shared by all sockets of one thread. */
struct gw_frame {
    uint32_t refs; /* own use */
    uint32_t n;
    unsigned char p[];
};

/* Build a server-to-client WebSocket frame (RFC 6455 §5.2: FIN, unmasked) around parts joined in
 * order. opcode: 1 text, 2 binary. Returns owned with one reference. */
struct gw_frame *gw_frame_new(unsigned opcode, const struct gw_span *parts, size_t n_parts);
struct gw_frame *gw_frame_ref(struct gw_frame *f);
void gw_frame_unref(struct gw_frame *f); /* accepts NULL */
struct gw_span gw_frame_payload(const struct gw_frame *f); /* behind the header; borrowed */

#endif
