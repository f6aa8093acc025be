/* colset: a set of column numbers (0-based positions or attnums; the user says which). A value. */
#ifndef GW_COLSET_H
#define GW_COLSET_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define GW_COLSET_WORDS 26 /* 1664 bits ≥ MaxHeapAttributeNumber + 1 */

struct gw_colset {
    uint64_t w[GW_COLSET_WORDS];
};

static inline void gw_colset_add(struct gw_colset *s, unsigned i)
{
    if (i < GW_COLSET_WORDS * 64)
        s->w[i / 64] |= UINT64_C(1) << (i % 64);
}
static inline bool gw_colset_has(const struct gw_colset *s, unsigned i)
{
    return i < GW_COLSET_WORDS * 64 && (s->w[i / 64] >> (i % 64) & 1) != 0;
}
static inline bool gw_colset_is_empty(const struct gw_colset *s)
{
    for (int i = 0; i < GW_COLSET_WORDS; i++)
        if (s->w[i])
            return false;
    return true;
}
static inline bool gw_colset_eq(const struct gw_colset *a, const struct gw_colset *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

#endif
