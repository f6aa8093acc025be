/* map: see the header.
 *
 * DESIGN. Linear probing over a power of two of slots, at most three quarters used (tombs count).
 * Removing leaves a tomb, so that a probe does not stop early; tombs vanish at the next rehash,
 * which picks the size from the live entries alone and so shrinks as well as grows. Byte keys are
 * hashed with SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF") under the map's
 * seed, so that a peer who chooses topics cannot choose collisions. Ids are our own; they are only
 * mixed, because consecutive ids would otherwise cluster. */
#include "gw/map.h"

#include <stdlib.h>

#define MIN_CAP ((size_t)8)

static uint64_t mix64(uint64_t x) /* the finaliser of splitmix64 */
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline uint64_t rotl(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] = rotl(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] = rotl(v[2], 32);
}

static inline void sip_block(uint64_t v[4], uint64_t m)
{
    v[3] ^= m;
    sip_round(v);
    v[0] ^= m;
}

uint64_t gw_hash_bytes(uint64_t seed, struct gw_span s)
{
    uint64_t k0 = seed, k1 = mix64(seed + UINT64_C(0x9e3779b97f4a7c15));
    uint64_t v[4] = {
        k0 ^ UINT64_C(0x736f6d6570736575),
        k1 ^ UINT64_C(0x646f72616e646f6d),
        k0 ^ UINT64_C(0x6c7967656e657261),
        k1 ^ UINT64_C(0x7465646279746573),
    };
    size_t at = 0;
    for (; s.n - at >= 8; at += 8) {
        uint64_t m;
        memcpy(&m, s.p + at, 8);
        sip_block(v, m);
    }
    uint64_t last = (uint64_t)s.n << 56;
    for (unsigned shift = 0; at < s.n; at++, shift += 8)
        last |= (uint64_t)(unsigned char)s.p[at] << shift;
    sip_block(v, last);
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static bool is_crowded(size_t cap, size_t count, size_t tombs)
{
    return (count + tombs + 1) * 4 > cap * 3;
}

static size_t cap_for(size_t count)
{
    size_t cap = MIN_CAP;
    while (cap < (count + 1) * 2)
        cap *= 2;
    return cap;
}

struct gw_map_slot {
    char *key; /* NULL: free, or a tomb if hash is TOMB */
    size_t key_n;
    uint64_t hash;
    void *value;
};

#define TOMB UINT64_C(1)

static bool slot_is_free(const struct gw_map_slot *s)
{
    return !s->key && s->hash != TOMB;
}

static struct gw_map_slot *map_slot(const struct gw_map *m, struct gw_span key, uint64_t hash)
{
    if (!m->slots)
        return NULL;
    size_t mask = m->cap - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct gw_map_slot *s = &m->slots[i];
        if (slot_is_free(s))
            return NULL;
        if (s->key && s->hash == hash && gw_span_eq((struct gw_span){s->key, s->key_n}, key))
            return s;
    }
}

/* The key is known to be absent: the first slot without an entry. */
static struct gw_map_slot *map_vacant(const struct gw_map *m, uint64_t hash)
{
    size_t mask = m->cap - 1, i = hash & mask;
    while (m->slots[i].key)
        i = (i + 1) & mask;
    return &m->slots[i];
}

static void map_rehash(struct gw_map *m)
{
    struct gw_map_slot *old = m->slots;
    size_t old_cap = m->cap;
    m->cap = cap_for(m->count);
    m->slots = gw_alloc(m->cap * sizeof *m->slots);
    m->tombs = 0;
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].key)
            *map_vacant(m, old[i].hash) = old[i];
    free(old);
}

void gw_map_init(struct gw_map *m, uint64_t seed)
{
    *m = (struct gw_map){.seed = seed};
}

void gw_map_fini(struct gw_map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        free(m->slots[i].key);
    free(m->slots);
    *m = (struct gw_map){.seed = m->seed};
}

void *gw_map_find(const struct gw_map *m, struct gw_span key)
{
    if (m->count == 0)
        return NULL;
    struct gw_map_slot *s = map_slot(m, key, gw_hash_bytes(m->seed, key));
    return s ? s->value : NULL;
}

void *gw_map_put(struct gw_map *m, struct gw_span key, void *value)
{
    uint64_t hash = gw_hash_bytes(m->seed, key);
    struct gw_map_slot *s = map_slot(m, key, hash);
    if (s) {
        void *replaced = s->value;
        s->value = value;
        return replaced;
    }
    if (is_crowded(m->cap, m->count, m->tombs))
        map_rehash(m);
    s = map_vacant(m, hash);
    if (s->hash == TOMB && m->tombs > 0)
        m->tombs--;
    *s = (struct gw_map_slot){gw_strdup_span(key), key.n, hash, value};
    m->count++;
    return NULL;
}

void *gw_map_take(struct gw_map *m, struct gw_span key)
{
    struct gw_map_slot *s = map_slot(m, key, gw_hash_bytes(m->seed, key));
    if (!s)
        return NULL;
    void *value = s->value;
    free(s->key);
    *s = (struct gw_map_slot){.hash = TOMB};
    m->count--;
    m->tombs++;
    return value;
}

bool gw_map_each(const struct gw_map *m, size_t *at, struct gw_span *key, void **value)
{
    for (; *at < m->cap; (*at)++) {
        const struct gw_map_slot *s = &m->slots[*at];
        if (!s->key)
            continue;
        if (key)
            *key = (struct gw_span){s->key, s->key_n};
        if (value)
            *value = s->value;
        (*at)++;
        return true;
    }
    return false;
}

enum id_state { ID_FREE, ID_TOMB, ID_LIVE };

struct gw_idmap_slot {
    uint64_t key;
    void *value;
    enum id_state state;
};

static struct gw_idmap_slot *idmap_slot(const struct gw_idmap *m, uint64_t key)
{
    if (!m->slots)
        return NULL;
    size_t mask = m->cap - 1;
    for (size_t i = mix64(key) & mask;; i = (i + 1) & mask) {
        struct gw_idmap_slot *s = &m->slots[i];
        if (s->state == ID_FREE)
            return NULL;
        if (s->state == ID_LIVE && s->key == key)
            return s;
    }
}

static struct gw_idmap_slot *idmap_vacant(const struct gw_idmap *m, uint64_t key)
{
    size_t mask = m->cap - 1, i = mix64(key) & mask;
    while (m->slots[i].state == ID_LIVE)
        i = (i + 1) & mask;
    return &m->slots[i];
}

static void idmap_rehash(struct gw_idmap *m)
{
    struct gw_idmap_slot *old = m->slots;
    size_t old_cap = m->cap;
    m->cap = cap_for(m->count);
    m->slots = gw_alloc(m->cap * sizeof *m->slots);
    m->tombs = 0;
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].state == ID_LIVE)
            *idmap_vacant(m, old[i].key) = old[i];
    free(old);
}

void gw_idmap_init(struct gw_idmap *m)
{
    *m = (struct gw_idmap){0};
}

void gw_idmap_fini(struct gw_idmap *m)
{
    free(m->slots);
    *m = (struct gw_idmap){0};
}

void *gw_idmap_find(const struct gw_idmap *m, uint64_t key)
{
    struct gw_idmap_slot *s = idmap_slot(m, key);
    return s ? s->value : NULL;
}

void *gw_idmap_put(struct gw_idmap *m, uint64_t key, void *value)
{
    struct gw_idmap_slot *s = idmap_slot(m, key);
    if (s) {
        void *replaced = s->value;
        s->value = value;
        return replaced;
    }
    if (is_crowded(m->cap, m->count, m->tombs))
        idmap_rehash(m);
    s = idmap_vacant(m, key);
    if (s->state == ID_TOMB)
        m->tombs--;
    *s = (struct gw_idmap_slot){key, value, ID_LIVE};
    m->count++;
    return NULL;
}

void *gw_idmap_take(struct gw_idmap *m, uint64_t key)
{
    struct gw_idmap_slot *s = idmap_slot(m, key);
    if (!s)
        return NULL;
    void *value = s->value;
    *s = (struct gw_idmap_slot){.state = ID_TOMB};
    m->count--;
    m->tombs++;
    return value;
}

bool gw_idmap_each(const struct gw_idmap *m, size_t *at, uint64_t *key, void **value)
{
    for (; *at < m->cap; (*at)++) {
        const struct gw_idmap_slot *s = &m->slots[*at];
        if (s->state != ID_LIVE)
            continue;
        if (key)
            *key = s->key;
        if (value)
            *value = s->value;
        (*at)++;
        return true;
    }
    return false;
}
