/* err: see the header. The tables are the list itself, expanded four times. */
#include "gw/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct code_info {
    const char *name, *text, *wire;
    int close;
    enum gw_retry retry;
};

static const struct code_info infos[GW_CODE_COUNT] = {
#define X(name, text, wire, close, retry) {#name, text, wire, close, GW_RETRY_##retry},
    GW_ERROR_LIST(X)
#undef X
};

static const struct code_info *info_of(enum gw_code code)
{
    assert((unsigned)code < GW_CODE_COUNT);
    return &infos[code];
}

const char *gw_code_name(enum gw_code code)
{
    return info_of(code)->name;
}

const char *gw_code_text(enum gw_code code)
{
    return info_of(code)->text;
}

const char *gw_code_wire(enum gw_code code)
{
    return info_of(code)->wire;
}

int gw_code_close(enum gw_code code)
{
    return info_of(code)->close;
}

enum gw_retry gw_code_retry(enum gw_code code)
{
    return info_of(code)->retry;
}

/* All three format into a buffer of their own first: an argument may be err's own text. */
enum gw_code gw_err_set(struct gw_err *err, enum gw_code code, const char *fmt, ...)
{
    if (!err)
        return code;
    char text[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    err->code = code;
    memcpy(err->text, text, sizeof text);
    err->hint[0] = '\0';
    return code;
}

void gw_err_hint(struct gw_err *err, const char *fmt, ...)
{
    if (!err)
        return;
    char hint[sizeof err->hint];
    va_list args;
    va_start(args, fmt);
    vsnprintf(hint, sizeof hint, fmt, args);
    va_end(args);
    memcpy(err->hint, hint, sizeof hint);
}

enum gw_code gw_err_wrap(struct gw_err *err, const char *fmt, ...)
{
    assert(err); /* the code to return is inside */
    char text[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t n = strlen(err->text);
    snprintf(err->text + n, sizeof err->text - n, " while %s", text);
    return err->code;
}
