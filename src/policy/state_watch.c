/* state_watch: who wants to know, and which keys are loaded. See state_internal.h.
 *
 * DESIGN. A key stands here, apart from the rows, while it is watched (with or without rows) or
 * loaded. What is about to be told is collected in state->firing while rows move, and called when
 * they are all in place: a watch is unlinked from everything first, so each is called once. */
#include "state_internal.h"

#include <assert.h>
#include <stdlib.h>

/* ---- keys ---- */

static bool key_is(const struct gw_state_key *k, const struct gw_datum *cells)
{
    for (uint32_t i = 0; i < k->index->n_columns; i++)
        if (!gw_key_eq(k->cells[i], cells[i].key))
            return false;
    return true;
}

static struct gw_state_key *chain_find(const struct gw_state_buckets *b, uint64_t hash,
                                       const struct gw_datum *cells)
{
    struct gw_state_key *k = gw_idmap_find(&b->keys, hash);
    while (k && !key_is(k, cells))
        k = k->next;
    return k;
}

struct gw_state_key *gw_state_key_find(const struct gw_state_buckets *b,
                                       const struct gw_datum *cells)
{
    if (b->keys.count == 0)
        return NULL;
    return chain_find(b, gw_state_key_hash(b, cells), cells);
}

static size_t key_cost(const struct gw_state_key *k)
{
    size_t bytes = gw_state_cost(sizeof *k + k->index->n_columns * sizeof k->cells[0]);
    return bytes + 40; /* and its place in the map: 24 bytes a slot, 3/8 to 3/4 full */
}

struct gw_state_key *gw_state_key_get(struct gw_state_buckets *b, const struct gw_datum *cells)
{
    uint64_t hash = gw_state_key_hash(b, cells);
    struct gw_state_key *k = chain_find(b, hash, cells);
    if (k)
        return k;
    k = gw_alloc(sizeof *k + b->n_columns * sizeof k->cells[0]);
    *k = (struct gw_state_key){.index = b, .hash = hash, .mode = GW_STATE_KEY_WATCHED};
    for (uint32_t i = 0; i < b->n_columns; i++)
        k->cells[i] = cells[i].key;
    gw_list_init(&k->lru);
    gw_list_init(&k->watches);
    k->next = gw_idmap_put(&b->keys, hash, k);
    return k;
}

static void key_free(struct gw_state_key *k)
{
    struct gw_idmap *keys = &k->index->keys;
    struct gw_state_key *head = gw_idmap_find(keys, k->hash);
    if (head == k && !k->next) {
        gw_idmap_take(keys, k->hash);
    } else if (head == k) {
        gw_idmap_put(keys, k->hash, k->next);
    } else {
        while (head->next != k)
            head = head->next;
        head->next = k->next;
    }
    gw_list_remove(&k->lru);
    free(k);
}

static void key_release(struct gw_state_key *k)
{
    if (k->mode == GW_STATE_KEY_WATCHED && gw_list_is_empty(&k->watches))
        key_free(k);
}

static void key_set_mode(struct gw_state_key *k, enum gw_state_key_mode mode)
{
    struct gw_state_table *t = k->index->table;
    struct gw_state *s = t->state;
    if (k->mode == mode)
        return;
    bool was_kept = k->mode != GW_STATE_KEY_WATCHED, is_kept = mode != GW_STATE_KEY_WATCHED;
    k->index->n_loaded -= k->mode == GW_STATE_KEY_LOADED;
    k->index->n_loaded += mode == GW_STATE_KEY_LOADED;
    if (was_kept && !is_kept) {
        t->bytes -= key_cost(k);
        s->n_keys--;
        gw_list_remove(&k->lru);
    } else if (is_kept && !was_kept) {
        t->bytes += key_cost(k);
        s->n_keys++;
        gw_list_push(&s->lru, &k->lru);
    }
    k->mode = mode;
}

void gw_state_key_set_loaded(struct gw_state_key *k, uint32_t batch)
{
    key_set_mode(k, GW_STATE_KEY_LOADED);
    k->batch = batch;
    gw_state_key_use(k);
}

void gw_state_key_set_lost(struct gw_state_key *k)
{
    key_set_mode(k, GW_STATE_KEY_LOST);
}

void gw_state_key_use(struct gw_state_key *k)
{
    gw_list_remove(&k->lru);
    gw_list_push(&k->index->table->state->lru, &k->lru);
}

void gw_state_key_unload(struct gw_state_key *k)
{
    key_set_mode(k, GW_STATE_KEY_WATCHED);
    key_release(k);
}

void gw_state_keys_unload(struct gw_state_table *t)
{
    GW_LIST_EACH_SAFE(it, tmp, &t->state->lru)
    {
        struct gw_state_key *k = GW_CONTAINER_OF(it, struct gw_state_key, lru);
        if (k->index->table == t)
            gw_state_key_unload(k);
    }
}

void gw_state_keys_lose(struct gw_state_table *t, uint32_t batch)
{
    GW_LIST_EACH(it, &t->state->lru)
    {
        struct gw_state_key *k = GW_CONTAINER_OF(it, struct gw_state_key, lru);
        if (k->index->table == t && k->batch == batch)
            key_set_mode(k, GW_STATE_KEY_LOST);
    }
}

void gw_state_keys_regain(struct gw_state_table *t)
{
    GW_LIST_EACH(it, &t->state->lru)
    {
        struct gw_state_key *k = GW_CONTAINER_OF(it, struct gw_state_key, lru);
        if (k->index->table == t)
            key_set_mode(k, GW_STATE_KEY_LOADED);
    }
}

/* ---- eviction ---- */

static void rows_drop(struct gw_state_buckets *b, const struct gw_datum *cells)
{
    struct gw_state_table *t = b->table;
    uint32_t n, ignored;
    gw_state_buckets_find(b, cells, &n);
    for (uint32_t i = n; i-- > 0;) { /* downwards: a removal moves the last row, seen already */
        struct gw_state_row *row = gw_state_buckets_find(b, cells, &ignored)[i];
        if (gw_state_table_holds(t, row))
            continue;
        gw_state_touch(t, row);
        gw_state_table_take(t, row);
        free(row);
    }
}

static void key_evict(struct gw_state_key *k)
{
    struct gw_state_buckets *b = k->index;
    struct gw_datum cells[GW_RULES_INDEX_COLUMNS_MAX];
    for (uint32_t i = 0; i < b->n_columns; i++)
        cells[i] = (struct gw_datum){.state = GW_DATUM_VALUE, .key = k->cells[i]};
    b->table->state->evictions++;
    key_set_mode(k, GW_STATE_KEY_WATCHED);
    gw_state_touch_key(k); /* frees it */
    rows_drop(b, cells);
    if (b->n_loaded == 0 && b->unknown)
        gw_state_table_drop_loose(b->table);
}

void gw_state_evict(struct gw_state *s)
{
    size_t bytes = s->n_keys ? gw_state_bytes(s) : 0;
    GW_LIST_EACH_SAFE(it, tmp, &s->lru)
    {
        struct gw_state_key *k = GW_CONTAINER_OF(it, struct gw_state_key, lru);
        if (bytes <= s->max_bytes)
            return;
        if (k->batch == s->batch)
            continue;
        key_evict(k);
        bytes = gw_state_bytes(s);
    }
}

/* ---- telling ---- */

static void list_touch(struct gw_state *s, struct gw_list *watches)
{
    struct gw_list *node;
    while ((node = gw_list_pop(watches))) {
        struct gw_watch_link *link = GW_CONTAINER_OF(node, struct gw_watch_link, node);
        if (link->key)
            link->key->index->n_links--;
        link->key = NULL;
        gw_list_push(&s->firing, node);
    }
}

void gw_state_touch_key(struct gw_state_key *k)
{
    list_touch(k->index->table->state, &k->watches);
    key_release(k);
}

/* All keys of b. Touching may free keys, so their places in the map are read before. */
static void index_touch(struct gw_state_buckets *b)
{
    if (b->n_links == 0)
        return;
    struct gw_state_key **keys = gw_alloc((b->keys.count + 1) * sizeof *keys);
    size_t at = 0, n = 0;
    void *value;
    while (gw_idmap_each(&b->keys, &at, NULL, &value))
        keys[n++] = value;
    for (size_t i = 0; i < n; i++) {
        for (struct gw_state_key *k = keys[i], *next; k; k = next) {
            next = k->next;
            gw_state_touch_key(k);
        }
    }
    free(keys);
}

static void row_touch(struct gw_state_buckets *b, const struct gw_state_row *row)
{
    if (b->n_links == 0)
        return;
    enum gw_state_standing standing = gw_state_buckets_key(b, row);
    if (standing == GW_STATE_KEY_UNKNOWN)
        index_touch(b);
    if (standing != GW_STATE_KEY_VALUE)
        return;
    struct gw_state_key *k = gw_state_key_find(b, b->scratch);
    if (k)
        gw_state_touch_key(k);
}

void gw_state_touch(struct gw_state_table *t, const struct gw_state_row *row)
{
    if (t->state->n_watches == 0)
        return;
    list_touch(t->state, &t->watches);
    for (uint32_t i = 0; i < t->n_indexes; i++)
        row_touch(&t->indexes[i], row);
}

void gw_state_touch_all(struct gw_state_table *t)
{
    if (t->state->n_watches == 0)
        return;
    list_touch(t->state, &t->watches);
    for (uint32_t i = 0; i < t->n_indexes; i++)
        index_touch(&t->indexes[i]);
}

void gw_state_fire(struct gw_state *s)
{
    while (!gw_list_is_empty(&s->firing)) {
        struct gw_watch *w = GW_CONTAINER_OF(s->firing.next, struct gw_watch_link, node)->watch;
        gw_watch_fini(w);
        w->on_change(w);
    }
}

void gw_state_detach(struct gw_state *s)
{
    while (!gw_list_is_empty(&s->firing))
        gw_watch_fini(GW_CONTAINER_OF(s->firing.next, struct gw_watch_link, node)->watch);
}

/* ---- watches ---- */

void gw_watch_init(struct gw_watch *w, void (*on_change)(struct gw_watch *w))
{
    *w = (struct gw_watch){.on_change = on_change};
}

void gw_watch_fini(struct gw_watch *w)
{
    struct gw_watch_link *next;
    for (struct gw_watch_link *link = w->links; link; link = next) {
        next = link->next;
        gw_list_remove(&link->node);
        if (link->key) {
            link->key->index->n_links--;
            key_release(link->key);
        }
        link->state->n_watches--;
        free(link);
    }
    w->links = NULL;
}

/* false: it is there already. */
static bool watch_add(struct gw_state *s, struct gw_watch *w, struct gw_list *watches,
                      struct gw_state_key *key)
{
    bool is_there = !gw_list_is_empty(watches) &&
                    GW_CONTAINER_OF(watches->prev, struct gw_watch_link, node)->watch == w;
    if (is_there)
        return false;
    struct gw_watch_link *link = gw_alloc(sizeof *link);
    *link = (struct gw_watch_link){.watch = w, .next = w->links, .state = s, .key = key};
    w->links = link;
    gw_list_push(watches, &link->node);
    s->n_watches++;
    return true;
}

void gw_state_watch(struct gw_state *s, struct gw_watch *w, uint32_t table, int32_t index,
                    const struct gw_datum *keys)
{
    assert(table < s->n_tables);
    struct gw_state_table *t = s->tables[table];
    assert(index < (int64_t)t->n_indexes);
    struct gw_state_buckets *b = index < 0 ? NULL : &t->indexes[index];
    enum gw_state_standing standing =
        b ? gw_state_standing(keys, b->n_columns) : GW_STATE_KEY_UNKNOWN;
    if (standing == GW_STATE_KEY_NULL)
        return; /* finds nothing, whatever happens */
    if (standing == GW_STATE_KEY_UNKNOWN || b->is_opaque) {
        watch_add(s, w, &t->watches, NULL);
        return;
    }
    struct gw_state_key *k = gw_state_key_get(b, keys);
    b->n_links += watch_add(s, w, &k->watches, k);
}
