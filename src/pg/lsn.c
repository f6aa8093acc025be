#include "gw/lsn.h"

#include <inttypes.h>
#include <stdio.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One half: 1 to 8 hexadecimal digits, as pg_lsn's input function takes them. */
static bool half_parse(struct gw_span s, uint64_t *out)
{
    if (s.n < 1 || s.n > 8)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        int digit = hex_digit(s.p[i]);
        if (digit < 0)
            return false;
        v = v << 4 | (uint64_t)digit;
    }
    *out = v;
    return true;
}

enum gw_code gw_lsn_parse(struct gw_span text, struct gw_lsn *out)
{
    const char *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
    if (!slash)
        return GW_E_MALFORMED;
    size_t at = (size_t)(slash - text.p);
    uint64_t high, low;
    if (!half_parse((struct gw_span){text.p, at}, &high) ||
        !half_parse((struct gw_span){slash + 1, text.n - at - 1}, &low))
        return GW_E_MALFORMED;
    out->v = high << 32 | low;
    return GW_OK;
}

const char *gw_lsn_format(struct gw_lsn lsn, char out[GW_LSN_TEXT])
{
    snprintf(out, GW_LSN_TEXT, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn.v >> 32), (uint32_t)lsn.v);
    return out;
}
