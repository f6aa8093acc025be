/* log: see the header. A line is built on the stack and handed over whole, so that lines of
 * different threads never mix and nothing is allocated on the way to telling of trouble. */
#include "gw/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_BYTES 2048 /* the text, what is past it is cut with … */

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const char ellipsis[] = "\xe2\x80\xa6"; /* … in UTF-8 */

static atomic_int level_now = GW_LOG_INFO;
static _Atomic(gw_log_sink *) sink_now;

static void write_stderr(enum gw_log_level level, struct gw_span line)
{
    (void)level;
    char out[LINE_BYTES + 1];
    size_t n = line.n < LINE_BYTES ? line.n : LINE_BYTES;
    memcpy(out, line.p, n);
    out[n] = '\n';
    if (write(STDERR_FILENO, out, n + 1) < 0)
        return; /* there is no better place to tell it */
}

/* n or a little less, so that p[0..n) does not end inside a UTF-8 sequence. */
static size_t whole_chars(const char *p, size_t n)
{
    size_t start = n;
    while (start > 0 && n - start < 4 && ((unsigned char)p[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0 || (unsigned char)p[start - 1] < 0xc0)
        return n; /* ASCII, or bytes that are no UTF-8 anyway */
    unsigned char lead = (unsigned char)p[start - 1];
    size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    return n - start + 1 < want ? start - 1 : n;
}

void gw_log_set_level(enum gw_log_level level)
{
    atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
}

enum gw_log_level gw_log_get_level(void)
{
    return (enum gw_log_level)atomic_load_explicit(&level_now, memory_order_relaxed);
}

bool gw_log_level_parse(const char *name, enum gw_log_level *out)
{
    for (size_t i = 0; name && i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(name, level_names[i]) != 0)
            continue;
        *out = (enum gw_log_level)i;
        return true;
    }
    return false;
}

void gw_log_set_sink(gw_log_sink *sink)
{
    atomic_store(&sink_now, sink);
}

void gw_log(enum gw_log_level level, const char *event, const char *fmt, ...)
{
    if (level > gw_log_get_level())
        return;
    char line[LINE_BYTES + 1];
    int head = snprintf(line, sizeof line, "level=%s event=%.64s ", level_names[level], event);
    va_list args;
    va_start(args, fmt);
    int body = vsnprintf(line + head, sizeof line - (size_t)head, fmt, args);
    va_end(args);

    size_t n = (size_t)head + (size_t)(body > 0 ? body : 0);
    if (body <= 0)
        n--; /* no trailing blank */
    if (n > LINE_BYTES) {
        n = whole_chars(line, LINE_BYTES - (sizeof ellipsis - 1));
        memcpy(line + n, ellipsis, sizeof ellipsis - 1);
        n += sizeof ellipsis - 1;
    }
    for (size_t i = 0; i < n; i++) /* one line stays one line, whatever the caller formatted */
        if ((unsigned char)line[i] < ' ')
            line[i] = ' ';
    gw_log_sink *sink = atomic_load(&sink_now);
    (sink ? sink : write_stderr)(level, (struct gw_span){line, n});
}

void gw_log_err(enum gw_log_level level, const char *event, const struct gw_err *err)
{
    char text[sizeof err->text * 2], hint[sizeof err->hint * 2];
    gw_log_quote(text, sizeof text, gw_span_of(err->text));
    gw_log_quote(hint, sizeof hint, gw_span_of(err->hint));
    if (err->hint[0])
        gw_log(level, event, "code=%s text=%s hint=%s", gw_code_name(err->code), text, hint);
    else
        gw_log(level, event, "code=%s text=%s", gw_code_name(err->code), text);
}

/* One byte of s as it stands between quotes; returns its length, at most 4. */
static size_t quote_byte(char out[5], unsigned char c)
{
    if (c == '"' || c == '\\')
        return (size_t)snprintf(out, 5, "\\%c", c);
    if (c == '\n')
        return (size_t)snprintf(out, 5, "\\n");
    if (c == '\t')
        return (size_t)snprintf(out, 5, "\\t");
    if (c < ' ' || c == 0x7f)
        return (size_t)snprintf(out, 5, "\\x%02x", c);
    out[0] = (char)c;
    return 1;
}

const char *gw_log_quote(char *out, size_t cap, struct gw_span s)
{
    const size_t tail = sizeof ellipsis - 1 + 2; /* …, the quote and the NUL */
    if (cap < tail + 1) {
        if (cap)
            out[0] = '\0';
        return out;
    }
    size_t n = 0, safe = 1; /* safe: the longest prefix behind which the tail fits */
    out[n++] = '"';
    for (size_t i = 0; i < s.n; i++) {
        char piece[5];
        size_t len = quote_byte(piece, (unsigned char)s.p[i]);
        if (n + len + 2 > cap) { /* does not fit even with nothing behind but quote and NUL */
            safe = whole_chars(out, safe);
            memcpy(out + safe, ellipsis, sizeof ellipsis - 1);
            n = safe + sizeof ellipsis - 1;
            break;
        }
        memcpy(out + n, piece, len);
        n += len;
        if (n + tail <= cap)
            safe = n;
    }
    out[n++] = '"';
    out[n] = '\0';
    return out;
}
