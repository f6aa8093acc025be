/* siphash: SipHash-2-4 with 128 bits of output, after Aumasson and Bernstein, "SipHash: a fast
 * short-input PRF" (2012), and the 128-bit variant of their reference. Without the key nobody can
 * choose two texts that collide. */
#include "gw/datum.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_rounds(struct sip *s, int n)
{
    while (n-- > 0) {
        s->v0 += s->v1;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
    }
}

static uint64_t read_le(const unsigned char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_rounds(s, 2);
    s->v0 ^= word;
}

struct gw_key gw_siphash128(const unsigned char key[16], struct gw_span text)
{
    const uint64_t k0 = read_le(key, 8), k1 = read_le(key + 8, 8);
    /* "somepseudorandomlygeneratedbytes"; 0xee marks the 128-bit variant. */
    struct sip s = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du ^ 0xee,
                    k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u};
    const unsigned char *p = (const unsigned char *)text.p;
    size_t left = text.n;
    for (; left >= 8; p += 8, left -= 8)
        sip_word(&s, read_le(p, 8));
    sip_word(&s, (uint64_t)text.n << 56 | read_le(p, left));
    struct gw_key out;
    s.v2 ^= 0xee;
    sip_rounds(&s, 4);
    out.hi = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    s.v1 ^= 0xdd;
    sip_rounds(&s, 4);
    out.lo = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    return out;
}
