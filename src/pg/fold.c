/* fold: a transaction's net effect. See gw_txn_fold in gw/txn.h; the rule is P1 of the design.
 *
 * DESIGN. One pass over the changes, then two over the rows that remain; all linear, by hashing.
 *
 * Pass 1, follow rows. Each row the transaction touched gets an entry {first old image, current
 * image}; entries that stand for a row that exists right now are indexed by the key of their
 * current image. A change looks for the entry its old image (or, without one, its new image: then
 * the key did not change) belongs to: same key, and no column that both know may differ. The second
 * part tells apart two rows that share a key for a moment, which a deferrable key allows; Postgres
 * takes such a key as replica identity only under FULL, where every column is known. Found: the
 * change is merged into the entry, which moves to the new key. Not found: the row stood before the
 * transaction, and the change opens an entry. An INSERT always opens one. UPDATE of an INSERT is an
 * INSERT; DELETE of an INSERT leaves nothing; DELETE of an UPDATE is a DELETE of the first image.
 *
 * Pass 2, pair. A row deleted and another inserted under the same key are to the outside one row
 * that was updated: DELETE+INSERT → UPDATE, at the place of the earlier. This is done last, when it
 * is known which rows are really gone: DELETE 1, INSERT 1, UPDATE 1→2 stays DELETE 1, INSERT 2,
 * because nothing is left at 1 and those who saw it must hear that.
 *
 * Pass 3, order. First touch, but a change that frees a key goes before the one that takes it
 * (UPDATE 1→9, DELETE 2, UPDATE 9→2 is DELETE 2, UPDATE 1→2), so that a reader who applies one
 * after the other ends right. A ring of moves (a swap) has no such order; it is cut where it is
 * entered.
 *
 * Old images. The image to report is the first, as it was before the transaction:
 *   - the first change carried one, full or key only: it stays, whatever later ones carry. A later
 *     full image describes a state nobody saw, so it never completes an earlier key image;
 *   - the first change was an UPDATE without one: the replica identity did not change in it, so the
 *     identity columns of the first old image to come are still those from before; of that image
 *     the other columns are left out, should it be full (identity changed in between);
 *   - none ever comes: NULL.
 * A column missing from the new image (unchanged TOAST) is taken from the change's own old image,
 * then from the image it replaces; both hold the value if they hold any.
 *
 * Identity. Columns of the caller's choice if old images carry them all, or those of the replica
 * identity; under FULL without such columns the whole row, NULLs included: rows that are alike are
 * interchangeable. A row whose key is not known or NULL, and a table without identity, are left
 * as they are.
 *
 * A table altered in between has several relations under one oid: keys and images are compared by
 * column name, and the result has the shape of the last.
 *
 * Entries lie beside the changes they replace: entry i is t->changes[i] and rows[i], and there are
 * never more of them than changes read. Memory: about 56 bytes per change from the heap while it
 * runs. */
#include "image.h"
#include "shape.h"

#include <assert.h>
#include <stdlib.h>

enum row_state {
    ROW_APART, /* not followed: passed on as it is */
    ROW_LIVE,  /* exists after what was read so far */
    ROW_DEAD,  /* deleted by this transaction, existed before */
    ROW_GONE,  /* nothing to tell */
};

struct row {
    enum row_state state;
    uint32_t next;                      /* in the chain of its bucket: index + 1; 0: end */
    uint64_t hash;                      /* of the key it is indexed under */
    const struct gw_shape *shape;       /* of the current image, or of the old one when DEAD */
    const struct gw_shape *first_shape; /* of first */
    const struct gw_image *first;       /* holds the key from before; NULL: INSERT */
};

struct fold {
    struct gw_txn *t;
    gw_txn_identity *identity;
    void *ctx;
    uint64_t seed;
    struct gw_idmap shapes; /* address of the relation → struct gw_shape, owned */
    struct gw_shape *last;  /* looked up last */
    struct row *rows;
    size_t n_rows;
    uint32_t *buckets; /* index + 1 */
    size_t n_buckets;  /* a power of two */
    bool is_by_image;  /* live rows under FULL are indexed by all their columns */
    bool moved;        /* some key changed */
};

/* ---- the index ---- */

static const struct gw_shape *shape_of(struct fold *f, const struct gw_relation *rel)
{
    if (f->last && f->last->rel == rel)
        return f->last;
    f->last = gw_idmap_find(&f->shapes, (uintptr_t)rel);
    if (f->last)
        return f->last;
    f->last = gw_shape_new(rel, f->identity, f->ctx);
    const struct gw_txn_table *table = gw_txn_table_find(f->t, rel->oid);
    if (table && table->truncated)
        f->last->truncate_at = table->truncate_at;
    gw_idmap_put(&f->shapes, (uintptr_t)rel, f->last);
    return f->last;
}

static uint32_t *bucket_of(struct fold *f, uint64_t hash)
{
    return &f->buckets[hash & (f->n_buckets - 1)];
}

static void index_add(struct fold *f, size_t at, uint64_t hash)
{
    uint32_t *bucket = bucket_of(f, hash);
    f->rows[at].hash = hash;
    f->rows[at].next = *bucket;
    *bucket = (uint32_t)at + 1;
}

/* Take the row that *link points to out of its chain; returns its index. */
static size_t index_take(struct fold *f, uint32_t *link)
{
    size_t at = *link - 1u;
    *link = f->rows[at].next;
    f->rows[at].next = 0;
    return at;
}

/* Under FULL the whole image, so that a thousand rows which share a deferrable key for a moment are
 * not searched one by one. */
static uint64_t live_hash(const struct fold *f, const struct gw_shape *shape,
                          const struct gw_image *image)
{
    if (f->is_by_image && shape->rel->replica_identity == 'f')
        return gw_shape_image_hash(f->seed, shape, image);
    return gw_shape_key_hash(f->seed, shape, image);
}

/* The link to the live row that image (a full or key old image, or the new image of an UPDATE
 * without one) was a moment ago, or NULL. */
static uint32_t *live_find(struct fold *f, const struct gw_shape *shape,
                           const struct gw_image *image, bool is_old)
{
    uint64_t hash = live_hash(f, shape, image);
    for (uint32_t *link = bucket_of(f, hash); *link; link = &f->rows[*link - 1].next) {
        const struct row *row = &f->rows[*link - 1];
        const struct gw_change *change = &f->t->changes[*link - 1];
        if (row->hash != hash || !gw_shape_key_is_equal(row->shape, change->new_, shape, image))
            continue;
        if (!is_old || gw_image_agrees((struct gw_row){shape->rel, image},
                                       (struct gw_row){change->rel, change->new_}))
            return link;
    }
    return NULL;
}

/* ---- pass 1: follow rows ---- */

static void row_open(struct fold *f, const struct gw_change *change, const struct gw_shape *shape,
                     enum row_state state)
{
    size_t at = f->n_rows++;
    struct row *row = &f->rows[at];
    *row = (struct row){.state = state, .shape = shape, .first_shape = shape};
    if (change->op != GW_OP_INSERT)
        row->first = change->old ? change->old : change->new_;
    f->t->changes[at] = *change;
    if (state == ROW_LIVE)
        index_add(f, at, live_hash(f, shape, change->new_));
}

/* Merge change into the row that it continues, which was taken out of the index. */
static void row_continue(struct fold *f, size_t at, const struct gw_change *change,
                         const struct gw_shape *shape)
{
    struct row *row = &f->rows[at];
    struct gw_change *net = &f->t->changes[at];
    if (change->new_)
        gw_image_fill(change->rel, change->new_, (struct gw_row){net->rel, net->new_});
    if (net->op == GW_OP_UPDATE && !net->old && change->old)
        net->old = gw_image_project(&f->t->arena, (struct gw_row){change->rel, change->old},
                                    row->first_shape->rel, true);
    net->rel = change->rel;
    net->new_ = change->new_;
    row->shape = shape;
    if (change->op == GW_OP_DELETE) {
        row->state = net->op == GW_OP_INSERT ? ROW_GONE : ROW_DEAD;
        net->op = GW_OP_DELETE;
    } else if (gw_shape_key_is_known(shape, net->new_)) {
        index_add(f, at, live_hash(f, shape, net->new_));
    } else {
        row->state = ROW_APART; /* cannot be followed further */
    }
}

static void change_take(struct fold *f, const struct gw_change *change, size_t index)
{
    const struct gw_shape *shape = shape_of(f, change->rel);
    if (index < shape->truncate_at)
        return;
    if (change->old && change->new_)
        gw_image_fill(change->rel, change->new_, (struct gw_row){change->rel, change->old});
    const struct gw_image *before = change->old ? change->old : change->new_;
    bool is_whole_blind =
        shape->mode == GW_SHAPE_WHOLE && !change->old && change->op == GW_OP_UPDATE;
    if (!gw_shape_key_is_known(shape, before) || is_whole_blind) {
        row_open(f, change, shape, ROW_APART);
        return;
    }
    uint32_t *link = NULL;
    if (change->op != GW_OP_INSERT)
        link = live_find(f, shape, before, change->old != NULL);
    if (change->op == GW_OP_UPDATE && change->old && gw_shape_key_is_known(shape, change->new_) &&
        !gw_shape_key_is_equal(shape, change->old, shape, change->new_))
        f->moved = true;
    if (link)
        row_continue(f, index_take(f, link), change, shape);
    else if (change->op == GW_OP_DELETE)
        row_open(f, change, shape, ROW_DEAD);
    else
        row_open(f, change, shape,
                 gw_shape_key_is_known(shape, change->new_) ? ROW_LIVE : ROW_APART);
}

/* ---- pass 2: pair ---- */

/* Index rows by the key they had before the transaction: the dead, and for the order also the
 * living whose key changed. */
static void index_by_first(struct fold *f, bool has_living)
{
    memset(f->buckets, 0, f->n_buckets * sizeof *f->buckets);
    for (size_t i = f->n_rows; i-- > 0;) { /* downwards: chains then start with the first touched */
        const struct row *row = &f->rows[i];
        bool is_freeing = row->state == ROW_DEAD;
        if (has_living && row->state == ROW_LIVE && row->first)
            is_freeing = !gw_shape_key_is_equal(row->first_shape, row->first, row->shape,
                                                f->t->changes[i].new_);
        if (is_freeing)
            index_add(f, i, gw_shape_key_hash(f->seed, row->first_shape, row->first));
    }
}

/* The link to a row that freed the key which row at has now, or NULL. */
static uint32_t *freed_find(struct fold *f, size_t at)
{
    const struct gw_shape *shape = f->rows[at].shape;
    const struct gw_image *image = f->t->changes[at].new_;
    uint64_t hash = gw_shape_key_hash(f->seed, shape, image);
    for (uint32_t *link = bucket_of(f, hash); *link; link = &f->rows[*link - 1].next) {
        const struct row *row = &f->rows[*link - 1];
        if (row->hash == hash && gw_shape_key_is_equal(row->first_shape, row->first, shape, image))
            return link;
    }
    return NULL;
}

/* The inserted row and the deleted one become an UPDATE in the place of the earlier. */
static void row_pair(struct fold *f, size_t inserted, size_t dead)
{
    size_t place = inserted < dead ? inserted : dead;
    struct gw_change change = f->t->changes[inserted];
    struct row row = f->rows[inserted];
    change.op = GW_OP_UPDATE;
    change.old = f->t->changes[dead].old;
    row.first = f->rows[dead].first;
    row.first_shape = f->rows[dead].first_shape;
    f->rows[inserted].state = f->rows[dead].state = ROW_GONE;
    f->rows[place] = row;
    f->t->changes[place] = change;
}

static void rows_pair(struct fold *f)
{
    index_by_first(f, false);
    for (size_t i = 0; i < f->n_rows; i++) {
        if (f->rows[i].state != ROW_LIVE || f->t->changes[i].op != GW_OP_INSERT)
            continue;
        uint32_t *link = freed_find(f, i);
        if (link)
            row_pair(f, i, index_take(f, link));
    }
}

/* ---- pass 3: order ---- */

/* The result for row at: old image brought to the shape of the last relation. */
static struct gw_change row_result(struct fold *f, size_t at)
{
    struct gw_change change = f->t->changes[at];
    const struct gw_relation *rel = f->rows[at].first_shape->rel;
    if (change.old && rel != change.rel)
        change.old =
            gw_image_project(&f->t->arena, (struct gw_row){rel, change.old}, change.rel, false);
    return change;
}

/* In order of first touch, in place. */
static void rows_emit(struct fold *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_rows; i++)
        if (f->rows[i].state != ROW_GONE)
            f->t->changes[n++] = row_result(f, i);
    f->t->n_changes = n;
}

/* Put at, and what has to come before it, onto path; returns how many. Each row waits for at most
 * one other, so that this is a walk; it ends at a row that was put already, or has no condition. */
static size_t path_collect(struct fold *f, size_t at, bool *is_put, uint32_t *path)
{
    size_t n = 0;
    while (!is_put[at]) {
        is_put[at] = true;
        path[n++] = (uint32_t)at;
        if (f->rows[at].state != ROW_LIVE || f->rows[at].shape->mode != GW_SHAPE_KEY)
            break;
        const uint32_t *link = freed_find(f, at);
        if (!link)
            break;
        at = *link - 1u;
    }
    return n;
}

static void rows_emit_moved(struct fold *f)
{
    struct gw_change *out = gw_alloc(f->n_rows * sizeof *out);
    uint32_t *path = gw_alloc(f->n_rows * sizeof *path);
    bool *is_put = gw_alloc(f->n_rows * sizeof *is_put);
    size_t n = 0;
    index_by_first(f, true);
    for (size_t i = 0; i < f->n_rows; i++) {
        if (f->rows[i].state == ROW_GONE)
            continue;
        for (size_t k = path_collect(f, i, is_put, path); k-- > 0;)
            out[n++] = row_result(f, path[k]);
    }
    memcpy(f->t->changes, out, n * sizeof *out);
    f->t->n_changes = n;
    free(out);
    free(path);
    free(is_put);
}

/* ---- all of it ---- */

/* Whether under FULL all images are complete and of one shape, as they are unless the table was
 * altered in this very transaction: then equal rows have equal hashes over all columns. */
static bool is_by_image(const struct gw_txn *t)
{
    for (size_t i = 0; i < t->n_changes; i++) {
        const struct gw_change *change = &t->changes[i];
        const struct gw_image *known = change->op == GW_OP_INSERT ? change->new_ : change->old;
        if (change->rel->replica_identity == 'f' && (!known || !known->is_full))
            return false;
    }
    return t->held == NULL;
}

static void fold_init(struct fold *f)
{
    size_t n = f->t->n_changes;
    assert(n < UINT32_MAX);
    f->seed = (uintptr_t)f->t; /* keys are users' input; the address is not known to them */
    f->is_by_image = is_by_image(f->t);
    f->n_buckets = 16;
    while (f->n_buckets < n)
        f->n_buckets *= 2;
    f->buckets = gw_alloc(f->n_buckets * sizeof *f->buckets);
    f->rows = gw_alloc(n * sizeof *f->rows);
    gw_idmap_init(&f->shapes);
}

static void fold_fini(struct fold *f)
{
    size_t at = 0;
    void *shape;
    while (gw_idmap_each(&f->shapes, &at, NULL, &shape))
        free(shape);
    gw_idmap_fini(&f->shapes);
    free(f->rows);
    free(f->buckets);
}

/* Most transactions: nothing to merge, no memory to ask for. */
static void fold_single(struct gw_txn *t)
{
    struct gw_change *change = &t->changes[0];
    const struct gw_txn_table *table = gw_txn_table_find(t, change->rel->oid);
    if (table && table->truncated && table->truncate_at > 0)
        t->n_changes = 0;
    else if (change->old && change->new_)
        gw_image_fill(change->rel, change->new_, (struct gw_row){change->rel, change->old});
}

void gw_txn_fold(struct gw_txn *t, gw_txn_identity *identity, void *ctx)
{
    if (t->is_folded)
        return;
    t->is_folded = true;
    t->arena.max_bytes = 0;
    if (t->n_changes == 0)
        return;
    if (t->n_changes == 1) {
        fold_single(t);
        return;
    }
    struct fold f = {.t = t, .identity = identity, .ctx = ctx};
    fold_init(&f);
    size_t n = t->n_changes;
    for (size_t i = 0; i < n; i++) {
        struct gw_change change = t->changes[i]; /* a copy: rows overwrite what was read */
        change_take(&f, &change, i);
    }
    rows_pair(&f);
    if (f.moved)
        rows_emit_moved(&f);
    else
        rows_emit(&f);
    fold_fini(&f);
    t->bytes = sizeof *t + gw_arena_footprint(&t->arena);
}
