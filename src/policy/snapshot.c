/* snapshot: see the header. Rules of pg_snapshot's text form and of visibility: Postgres, "System
 * Information Functions", table "Snapshot Components". */
#include "gw/snapshot.h"

#include <stdlib.h>

#define DIGITS_MAX 19 /* of an xid; 64-bit xids stay below 2^63 */

/* A number at the start of *s, which is moved past it. */
static bool take_xid(struct gw_span *s, uint64_t *out)
{
    size_t n = 0;
    uint64_t v = 0;
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9' && n < DIGITS_MAX)
        v = v * 10 + (uint64_t)(s->p[n++] - '0');
    if (n == 0 || v > INT64_MAX)
        return false;
    *s = (struct gw_span){s->p + n, s->n - n};
    *out = v;
    return true;
}

static bool take_byte(struct gw_span *s, char c)
{
    if (s->n == 0 || *s->p != c)
        return false;
    *s = (struct gw_span){s->p + 1, s->n - 1};
    return true;
}

static size_t count_commas(struct gw_span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == ',';
    return n;
}

/* Ascending, without repetition, from xmin to below xmax. */
static bool take_xips(struct gw_snapshot *s, struct gw_span text)
{
    uint64_t least = s->xmin;
    if (text.n == 0)
        return true;
    s->xip = gw_alloc((count_commas(text) + 1) * sizeof *s->xip);
    do {
        uint64_t xid;
        if (!take_xid(&text, &xid) || xid < least || xid >= s->xmax)
            return false;
        s->xip[s->n_xip++] = xid;
        least = xid + 1;
    } while (take_byte(&text, ','));
    return text.n == 0;
}

enum gw_code gw_snapshot_parse(struct gw_snapshot *s, struct gw_span text)
{
    s->n_xip = 0;
    s->xip = NULL;
    if (take_xid(&text, &s->xmin) && take_byte(&text, ':') && take_xid(&text, &s->xmax) &&
        take_byte(&text, ':') && s->xmin <= s->xmax && take_xips(s, text))
        return GW_OK;
    gw_snapshot_fini(s);
    return GW_E_MALFORMED;
}

void gw_snapshot_fini(struct gw_snapshot *s)
{
    free(s->xip);
    s->xip = NULL;
    s->n_xip = 0;
}

static int compare_xids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

bool gw_snapshot_sees(const struct gw_snapshot *s, uint32_t xid)
{
    int32_t ahead = (int32_t)(xid - (uint32_t)s->xmax); /* the nearer way round the 32 bits */
    if (ahead >= 0 || (uint64_t) - (int64_t)ahead > s->xmax)
        return false;
    uint64_t full = s->xmax - (uint64_t) - (int64_t)ahead;
    if (full < s->xmin || s->n_xip == 0)
        return true;
    return !bsearch(&full, s->xip, s->n_xip, sizeof full, compare_xids);
}
