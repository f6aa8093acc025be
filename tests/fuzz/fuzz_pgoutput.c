/* fuzz_pgoutput: a stream of messages through decoder, assembler and fold.
 * Input: one byte of options, then messages, each behind its length in two bytes (big-endian). An
 * error resets the assembler, as a lost connection does. Seeds: make_pgoutput_corpus.py. */
#include "gw/txn.h"

#include <assert.h>
#include <stdlib.h>

#define OPTION_SMALL_CAP 1 /* 4 KiB */
#define OPTION_FIRST_KEY 2 /* the first column identifies a row */
#define OPTION_NO_KEY 4    /* nothing does */
#define OPTION_TINY_CAP 8  /* 64 bytes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t sum; /* of all bytes looked at: keeps the reads from being optimised away */

static void span_touch(struct gw_span s)
{
    for (size_t i = 0; i < s.n; i++)
        sum += (unsigned char)s.p[i];
}

static void image_check(const struct gw_image *image, const struct gw_relation *rel)
{
    bool is_full = true;
    if (!image)
        return;
    assert(image->n == rel->n_columns);
    for (size_t i = 0; i < image->n; i++) {
        const struct gw_cell *cell = &image->cells[i];
        is_full = is_full && cell->state != GW_CELL_ABSENT && cell->state != GW_CELL_UNCHANGED;
        assert(cell->state != GW_CELL_VALUE || (cell->text.p && cell->json.n > 0));
        span_touch(cell->text);
        span_touch(cell->json);
    }
    assert(image->is_full == is_full);
}

static void txn_check(const struct gw_txn *t)
{
    assert(!t->overflowed || t->n_changes == 0);
    for (size_t i = 0; i < t->n_changes; i++) {
        const struct gw_change *c = &t->changes[i];
        assert(gw_txn_table_find(t, c->rel->oid));
        assert(c->op != GW_OP_INSERT || !c->old);
        assert((c->op == GW_OP_DELETE) == !c->new_);
        image_check(c->old, c->rel);
        image_check(c->new_, c->rel);
    }
    for (const struct gw_txn_message *m = t->messages; m; m = m->next) {
        span_touch(m->prefix);
        span_touch(m->content);
    }
    for (size_t i = 0; i < t->n_tables; i++) {
        span_touch(t->tables[i].rel->name);
        assert(!t->tables[i].overflowed || t->overflowed);
    }
}

static bool identity(void *ctx, const struct gw_relation *rel, bool *is_key)
{
    const uint8_t *options = ctx;
    if (rel->n_columns == 0 || *options & OPTION_NO_KEY)
        return false;
    is_key[0] = true;
    return true;
}

static void feed(struct gw_assembler *a, const uint8_t *data, size_t n, uint8_t *options)
{
    enum gw_fed fed;
    struct gw_txn *t;
    struct gw_err err = {0};
    char *copy = malloc(n ? n : 1); /* exactly its size, gone before the transaction is read */
    assert(copy);
    memcpy(copy, data, n);
    enum gw_code code = gw_assembler_feed(a, (struct gw_span){copy, n}, &fed, &t, &err);
    free(copy);
    assert(code == err.code && (fed == GW_FED_TXN) == (t != NULL));
    if (code != GW_OK)
        gw_assembler_reset(a);
    if (!t)
        return;
    txn_check(t);
    size_t before = t->n_changes;
    gw_txn_fold(t, *options & (OPTION_FIRST_KEY | OPTION_NO_KEY) ? identity : NULL, options);
    assert(t->n_changes <= before);
    txn_check(t);
    gw_txn_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    uint8_t options = data[0];
    size_t cap = options & OPTION_TINY_CAP ? 64 : options & OPTION_SMALL_CAP ? 4096 : 0;
    struct gw_assembler *a = gw_assembler_new(cap);
    for (size_t at = 1; n - at >= 2;) {
        size_t length = (size_t)data[at] << 8 | data[at + 1];
        at += 2;
        if (length > n - at)
            length = n - at;
        feed(a, data + at, length, &options);
        at += length;
    }
    gw_assembler_free(a);
    return 0;
}
