/* state_buckets: rows by key. See state_internal.h.
 *
 * DESIGN. Open addressing with linear probing over slots of 8 bytes: a row, or, for a key with
 * several rows, a pointer to an array of them. Beside each slot stands a byte with 7 bits of the
 * hash, so that probing looks at rows only where the key very likely is. Slots are between 5/8 and
 * 7/8 full; their number need not be a power of two, the home of a hash is its share of them. A
 * removal moves what follows back, so there are no tombs. The key itself is stored nowhere: it is
 * read from the rows, whose position in their array stands in the row, so that removal is O(1). */
#include "state_internal.h"

#include <assert.h>
#include <stdlib.h>

#define MIN_CAP 8u
#define TOMB 1u    /* tag: was used; probing goes on */
#define LIVE 0x80u /* in the tag of a slot in use */

/* ---- arrays of rows ---- */

static size_t bucket_bytes(uint32_t cap)
{
    return sizeof(struct gw_state_bucket) + cap * sizeof(struct gw_state_row *);
}

static void bucket_resize(struct gw_state_table *t, struct gw_state_bucket **b, uint32_t cap)
{
    if (*b)
        t->bytes -= gw_state_cost(bucket_bytes((*b)->cap));
    else
        *b = gw_alloc(bucket_bytes(cap));
    *b = gw_realloc(*b, bucket_bytes(cap));
    (*b)->cap = cap;
    t->bytes += gw_state_cost(bucket_bytes(cap));
}

void gw_state_bucket_add(struct gw_state_table *t, struct gw_state_bucket **b, uint32_t position,
                         struct gw_state_row *row)
{
    if (!*b || (*b)->n == (*b)->cap) {
        uint32_t n = *b ? (*b)->n : 0;
        assert(n < UINT32_MAX / 2);
        bucket_resize(t, b, n < 2 ? 2 : (n + n / 2 + 1) & ~1u); /* even: fills malloc's grain */
    }
    row->at[position] = (*b)->n;
    (*b)->rows[(*b)->n++] = row;
}

void gw_state_bucket_remove(struct gw_state_table *t, struct gw_state_bucket **b, uint32_t position,
                            struct gw_state_row *row)
{
    uint32_t at = row->at[position];
    assert(at < (*b)->n && (*b)->rows[at] == row);
    struct gw_state_row *last = (*b)->rows[--(*b)->n];
    (*b)->rows[at] = last;
    last->at[position] = at;
    if ((*b)->n == 0)
        gw_state_bucket_free(t, b);
    else if ((*b)->cap >= 8 && (*b)->n < (*b)->cap / 4)
        bucket_resize(t, b, ((*b)->cap / 2) & ~1u);
}

void gw_state_bucket_free(struct gw_state_table *t, struct gw_state_bucket **b)
{
    if (!*b)
        return;
    t->bytes -= gw_state_cost(bucket_bytes((*b)->cap));
    free(*b);
    *b = NULL;
}

static struct gw_state_bucket *bucket_of(struct gw_state_row *slot)
{
    uintptr_t bits = (uintptr_t)slot;
    return bits & 1 ? (struct gw_state_bucket *)(bits - 1) : NULL;
}

static struct gw_state_row *slot_of(struct gw_state_bucket *bucket)
{
    return (struct gw_state_row *)((uintptr_t)bucket | 1);
}

static const struct gw_state_row *first_of(struct gw_state_row *slot)
{
    const struct gw_state_bucket *bucket = bucket_of(slot);
    return bucket ? bucket->rows[0] : slot;
}

/* ---- keys ---- */

/* The product's halves, folded: every bit of either factor reaches the low ones. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_step(struct gw_key seed, uint64_t hash, enum gw_datum_state d,
                          struct gw_key key)
{
    uint64_t state = (uint64_t)d * UINT64_C(0x9e3779b97f4a7c15);
    if (d != GW_DATUM_VALUE)
        key = (struct gw_key){0, 0};
    return mix(key.hi ^ seed.hi ^ hash, key.lo ^ seed.lo ^ state);
}

static uint64_t hash_end(uint64_t hash)
{
    return mix(hash ^ UINT64_C(0xbf58476d1ce4e5b9), UINT64_C(0x9e3779b97f4a7c15));
}

uint64_t gw_state_key_hash(const struct gw_state_buckets *b, const struct gw_datum *cells)
{
    uint64_t hash = b->n_columns;
    for (uint32_t i = 0; i < b->n_columns; i++)
        hash = hash_step(b->table->state->seed, hash, cells[i].state, cells[i].key);
    return hash_end(hash);
}

static uint64_t row_hash(const struct gw_state_buckets *b, const struct gw_state_row *row)
{
    uint64_t hash = b->n_columns;
    for (uint32_t i = 0; i < b->n_columns; i++) {
        struct gw_key key;
        enum gw_datum_state d = gw_state_row_key(&b->table->layout, row, b->columns[i], &key);
        hash = hash_step(b->table->state->seed, hash, d, key);
    }
    return hash_end(hash);
}

static bool row_has_key(const struct gw_state_buckets *b, const struct gw_state_row *row,
                        const struct gw_datum *cells)
{
    for (uint32_t i = 0; i < b->n_columns; i++) {
        struct gw_key key;
        enum gw_datum_state d = gw_state_row_key(&b->table->layout, row, b->columns[i], &key);
        if (d != cells[i].state || (d == GW_DATUM_VALUE && !gw_key_eq(key, cells[i].key)))
            return false;
    }
    return true;
}

enum gw_state_standing gw_state_standing(const struct gw_datum *cells, uint32_t n)
{
    enum gw_state_standing standing = GW_STATE_KEY_VALUE;
    for (uint32_t i = 0; i < n; i++) {
        if (cells[i].state == GW_DATUM_NULL)
            return GW_STATE_KEY_NULL;
        if (cells[i].state != GW_DATUM_VALUE)
            standing = GW_STATE_KEY_UNKNOWN;
    }
    return standing;
}

enum gw_state_standing gw_state_buckets_key(const struct gw_state_buckets *b,
                                            const struct gw_state_row *row)
{
    for (uint32_t i = 0; i < b->n_columns; i++)
        b->scratch[i] = gw_state_row_cell(&b->table->layout, row, b->columns[i]);
    return b->is_identity ? GW_STATE_KEY_VALUE : gw_state_standing(b->scratch, b->n_columns);
}

/* ---- slots ---- */

static unsigned char tag_of(uint64_t hash)
{
    return (unsigned char)(LIVE | (hash & 0x7f));
}

static uint32_t home_of(uint64_t hash, uint32_t cap)
{
    return (uint32_t)((hash >> 32) * cap >> 32);
}

static uint32_t next_of(uint32_t i, uint32_t cap)
{
    return i + 1 == cap ? 0 : i + 1;
}

/* The slot with this key, or NOWHERE. */
static uint32_t slot_find(const struct gw_state_buckets *b, const struct gw_datum *cells,
                          uint64_t hash)
{
    if (b->count == 0)
        return GW_STATE_NOWHERE;
    unsigned char tag = tag_of(hash);
    uint32_t home = home_of(hash, b->cap);
    __builtin_prefetch(&b->slots[home]); /* while the tag is fetched */
    for (uint32_t i = home; b->tags[i]; i = next_of(i, b->cap))
        if (b->tags[i] == tag && row_has_key(b, first_of(b->slots[i]), cells))
            return i;
    return GW_STATE_NOWHERE;
}

static void slot_insert(struct gw_state_buckets *b, struct gw_state_row *slot, uint64_t hash)
{
    uint32_t i = home_of(hash, b->cap);
    while (b->tags[i] & LIVE)
        i = next_of(i, b->cap);
    b->tombs -= b->tags[i] == TOMB;
    b->tags[i] = tag_of(hash);
    b->slots[i] = slot;
}

static size_t slots_cost(uint32_t cap)
{
    return gw_state_cost(cap * sizeof(struct gw_state_row *)) + gw_state_cost(cap);
}

static void slots_free(struct gw_state_buckets *b)
{
    b->table->bytes -= slots_cost(b->cap);
    free(b->slots);
    free(b->tags);
    b->slots = NULL;
    b->tags = NULL;
    b->cap = b->tombs = 0;
}

static void slots_resize(struct gw_state_buckets *b, uint32_t cap)
{
    struct gw_state_row **slots = b->slots;
    unsigned char *tags = b->tags;
    uint32_t old_cap = b->cap;
    b->slots = gw_alloc(cap * sizeof *b->slots);
    b->tags = gw_alloc(cap);
    b->cap = cap;
    b->tombs = 0;
    for (uint32_t i = 0; i < old_cap; i++)
        if (tags[i] & LIVE)
            slot_insert(b, slots[i], row_hash(b, first_of(slots[i])));
    b->table->bytes += slots_cost(cap);
    b->table->bytes -= slots_cost(old_cap);
    free(slots);
    free(tags);
}

static void slot_erase(struct gw_state_buckets *b, uint32_t i)
{
    b->slots[i] = NULL;
    b->tags[i] = TOMB;
    b->tombs++;
    b->count--;
    bool is_end = b->tags[next_of(i, b->cap)] == 0; /* then no probe needs the tombs before it */
    for (; is_end && b->tags[i] == TOMB; i = i == 0 ? b->cap - 1 : i - 1) {
        b->tags[i] = 0;
        b->tombs--;
    }
    if (b->cap > 64 && b->count < b->cap / 4)
        slots_resize(b, b->cap / 2);
}

/* ---- rows in and out ---- */

void gw_state_buckets_reserve(struct gw_state_buckets *b, size_t n)
{
    assert(n < UINT32_MAX / 2);
    uint32_t cap = (uint32_t)(n + n / 7 + 1); /* 7/8 full */
    if (n > 0 && cap > b->cap)
        slots_resize(b, cap < MIN_CAP ? MIN_CAP : cap);
}

static void slot_add(struct gw_state_buckets *b, struct gw_state_row *row, uint64_t hash)
{
    assert(b->count < UINT32_MAX / 2);
    uint64_t used = (uint64_t)b->count + b->tombs + 1;
    bool is_grown = (uint64_t)b->count * 8 > (uint64_t)b->cap * 5; /* else it is the tombs */
    if (used * 8 > (uint64_t)b->cap * 7)
        slots_resize(b, b->cap < MIN_CAP ? MIN_CAP
                        : is_grown       ? b->cap + b->cap / 5 * 2 + 2
                                         : b->cap);
    slot_insert(b, row, hash);
    b->count++;
}

/* A second or later row of the key at slot i. */
static void slot_share(struct gw_state_buckets *b, uint32_t i, struct gw_state_row *row)
{
    assert(b->position != GW_STATE_NOWHERE);
    struct gw_state_bucket *bucket = bucket_of(b->slots[i]);
    if (!bucket)
        gw_state_bucket_add(b->table, &bucket, b->position, b->slots[i]);
    gw_state_bucket_add(b->table, &bucket, b->position, row);
    b->slots[i] = slot_of(bucket);
}

void gw_state_buckets_add(struct gw_state_buckets *b, struct gw_state_row *row)
{
    enum gw_state_standing standing = gw_state_buckets_key(b, row);
    if (standing == GW_STATE_KEY_UNKNOWN)
        gw_state_bucket_add(b->table, &b->unknown, b->position, row);
    if (standing != GW_STATE_KEY_VALUE)
        return;
    uint64_t hash = gw_state_key_hash(b, b->scratch);
    uint32_t i = slot_find(b, b->scratch, hash);
    if (i == GW_STATE_NOWHERE)
        slot_add(b, row, hash);
    else
        slot_share(b, i, row);
}

static void slot_leave(struct gw_state_buckets *b, uint32_t i, struct gw_state_row *row)
{
    struct gw_state_bucket *bucket = bucket_of(b->slots[i]);
    if (!bucket) {
        assert(b->slots[i] == row);
        slot_erase(b, i);
        return;
    }
    gw_state_bucket_remove(b->table, &bucket, b->position, row);
    b->slots[i] = slot_of(bucket);
    if (bucket->n == 1) {
        b->slots[i] = bucket->rows[0];
        gw_state_bucket_free(b->table, &bucket);
    }
}

void gw_state_buckets_remove(struct gw_state_buckets *b, struct gw_state_row *row)
{
    enum gw_state_standing standing = gw_state_buckets_key(b, row);
    if (standing == GW_STATE_KEY_UNKNOWN)
        gw_state_bucket_remove(b->table, &b->unknown, b->position, row);
    if (standing != GW_STATE_KEY_VALUE)
        return;
    uint32_t i = slot_find(b, b->scratch, gw_state_key_hash(b, b->scratch));
    assert(i != GW_STATE_NOWHERE);
    slot_leave(b, i, row);
}

struct gw_state_row *const *gw_state_buckets_find(const struct gw_state_buckets *b,
                                                  const struct gw_datum *cells, uint32_t *n)
{
    uint32_t i = slot_find(b, cells, gw_state_key_hash(b, cells));
    *n = 0;
    if (i == GW_STATE_NOWHERE)
        return NULL;
    const struct gw_state_bucket *bucket = bucket_of(b->slots[i]);
    *n = bucket ? bucket->n : 1;
    return bucket ? bucket->rows : &b->slots[i];
}

struct gw_state_row *gw_state_buckets_next(const struct gw_state_buckets *b, uint32_t *slot,
                                           uint32_t *i)
{
    for (; *slot < b->cap; (*slot)++, *i = 0) {
        if (!(b->tags[*slot] & LIVE))
            continue;
        const struct gw_state_bucket *bucket = bucket_of(b->slots[*slot]);
        if (*i < (bucket ? bucket->n : 1))
            return bucket ? bucket->rows[(*i)++] : ((*i)++, b->slots[*slot]);
    }
    return NULL;
}

/* ---- the whole ---- */

void gw_state_buckets_init(struct gw_state_buckets *b, struct gw_state_table *t,
                           const uint32_t *columns, uint32_t n_columns)
{
    *b = (struct gw_state_buckets){.table = t, .columns = columns, .n_columns = n_columns};
    b->scratch = gw_alloc((n_columns + 1u) * sizeof *b->scratch);
    gw_idmap_init(&b->keys);
    for (uint32_t i = 0; i < n_columns; i++)
        b->is_opaque = b->is_opaque || t->def->columns[columns[i]].kind == GW_KIND_OPAQUE;
}

void gw_state_buckets_empty(struct gw_state_buckets *b)
{
    for (uint32_t i = 0; i < b->cap; i++) {
        struct gw_state_bucket *bucket = bucket_of(b->slots[i]);
        gw_state_bucket_free(b->table, &bucket);
    }
    slots_free(b);
    gw_state_bucket_free(b->table, &b->unknown);
    b->count = 0;
}

void gw_state_buckets_fini(struct gw_state_buckets *b)
{
    gw_state_buckets_empty(b);
    gw_idmap_fini(&b->keys);
    free(b->scratch);
}
