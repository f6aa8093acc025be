/* The fold against a model. A small table lives through random transactions (inserts, updates, key
 * changes, deletes, re-inserts, truncates, keys shared for a moment); what Postgres would log goes
 * through the assembler and the fold. Then:
 *   - the set of changes is exactly what the model knows of each physical row (op, keys);
 *   - taking all old rows out of the state before and putting all new ones in gives the state
 * after;
 *   - so does applying them one by one, as a client does, unless rows changed places in a ring. */
#include "gw/txn.h"

#include "wire.h"

#define TABLE 1
#define ROWS_MAX 64
#define KEYS 12
#define TOAST_FROM 50 /* values of b from here on are stored out of line */

/* BY_KEY_FULL: key deferrable, no two rows ever alike; BY_KEY_ALIKE: they may be, so that nobody
 * can say which of them a change meant; BY_ROW: no key at all. */
enum mode { BY_KEY, BY_KEY_FULL, BY_KEY_ALIKE, BY_ROW };

struct model_row {
    int uid; /* of the physical row: survives key changes */
    int id, a, b;
    bool touched;
    bool is_old; /* existed before the transaction (or its last TRUNCATE) */
};

struct state {
    size_t n;
    struct model_row rows[ROWS_MAX];
};

struct world {
    enum mode mode;
    uint32_t random;
    int next_uid;
    struct state before, now;
    struct gw_assembler *assembler;
    struct gw_buf b;
};

static uint32_t rnd(struct world *w, uint32_t n)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 17;
    w->random ^= w->random << 5;
    return w->random % n;
}

/* ---- the model's operations, and what the log says of them ---- */

struct texts {
    char id[12], a[12], b[12];
    const char *v[3];
};

static void texts_of(struct texts *t, const struct model_row *r)
{
    snprintf(t->id, sizeof t->id, "%d", r->id);
    snprintf(t->a, sizeof t->a, "%d", r->a);
    snprintf(t->b, sizeof t->b, "%d", r->b);
    t->v[0] = t->id;
    t->v[1] = t->a;
    t->v[2] = r->b == 0 ? NULL : t->b;
}

static void old_texts_of(const struct world *w, struct texts *t, const struct model_row *r)
{
    texts_of(t, r);
    if (w->mode == BY_KEY)
        t->v[1] = t->v[2] = NULL;
}

static struct model_row *row_with(struct state *s, int id)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->rows[i].id == id)
            return &s->rows[i];
    return NULL;
}

static int value_for(struct world *w, int uid)
{
    return w->mode == BY_KEY_FULL ? uid : (int)rnd(w, 4);
}

static void do_insert(struct world *w, int id)
{
    struct texts t;
    if (w->now.n == ROWS_MAX)
        return;
    int uid = w->next_uid++;
    struct model_row r = {uid, id, value_for(w, uid), (int)rnd(w, 100), true, false};
    w->now.rows[w->now.n++] = r;
    texts_of(&t, &r);
    wire_insert(&w->b, TABLE, t.v, 3);
    wire_feed_ok(w->assembler, &w->b);
}

static void do_update(struct world *w, struct model_row *r, int id)
{
    struct texts old, new_;
    struct model_row was = *r;
    char tag = w->mode != BY_KEY ? 'O' : id != r->id ? 'K' : 0;
    r->id = id;
    r->a = value_for(w, r->uid);
    if (rnd(w, 2))
        r->b = (int)rnd(w, 100);
    r->touched = true;
    old_texts_of(w, &old, &was);
    texts_of(&new_, r);
    if (r->b == was.b && r->b >= TOAST_FROM)
        new_.v[2] = WIRE_UNCHANGED;
    wire_update(&w->b, TABLE, tag, old.v, 3, new_.v, 3);
    wire_feed_ok(w->assembler, &w->b);
}

static void do_delete(struct world *w, struct model_row *r)
{
    struct texts old;
    old_texts_of(w, &old, r);
    *r = w->now.rows[--w->now.n];
    wire_delete(&w->b, TABLE, w->mode == BY_KEY ? 'K' : 'O', old.v, 3);
    wire_feed_ok(w->assembler, &w->b);
}

static void do_truncate(struct world *w)
{
    w->before.n = w->now.n = 0;
    wire_truncate(&w->b, TABLE);
    wire_feed_ok(w->assembler, &w->b);
}

static void do_something(struct world *w)
{
    int id = (int)rnd(w, KEYS);
    uint32_t what = rnd(w, 100);
    struct model_row *r = w->now.n ? &w->now.rows[rnd(w, (uint32_t)w->now.n)] : NULL;
    bool is_free = w->mode != BY_KEY || !row_with(&w->now, id);
    if (what < 2)
        do_truncate(w);
    else if (!r || what < 25) {
        if (is_free)
            do_insert(w, id);
    } else if (what < 50)
        do_delete(w, r);
    else if (what < 75)
        do_update(w, r, r->id);
    else if (is_free)
        do_update(w, r, id);
}

/* A deferrable key is checked at commit: rows that still share one have to go. */
static void make_keys_unique(struct world *w)
{
    bool is_deferrable = w->mode == BY_KEY_FULL || w->mode == BY_KEY_ALIKE;
    for (size_t i = 0; is_deferrable && i < w->now.n; i++)
        while (row_with(&w->now, w->now.rows[i].id) != &w->now.rows[i]) {
            if (w->now.n < KEYS && rnd(w, 2)) {
                int id = 0;
                while (row_with(&w->now, id))
                    id++;
                do_update(w, &w->now.rows[i], id);
            } else {
                do_delete(w, &w->now.rows[i]);
                i = 0;
            }
            if (i >= w->now.n)
                return;
        }
}

/* ---- reading results ---- */

static int cell_int(const struct gw_cell *c)
{
    char digits[12] = {0};
    if (c->state == GW_CELL_NULL)
        return 0;
    ck_assert_int_eq(c->state, GW_CELL_VALUE);
    memcpy(digits, c->text.p, c->text.n < 11 ? c->text.n : 11);
    return atoi(digits);
}

static int old_id(const struct gw_change *c)
{
    return cell_int(&(c->old ? c->old : c->new_)->cells[0]);
}

static bool is_row(const struct model_row *r, int id, int a, int b)
{
    return r->id == id && r->a == a && r->b == b;
}

/* The row of s that c tells the end of; it must be there as told. */
static struct model_row *row_ended(const struct world *w, struct state *s,
                                   const struct gw_change *c)
{
    if (w->mode == BY_KEY) {
        struct model_row *r = row_with(s, old_id(c));
        ck_assert_ptr_nonnull(r);
        return r;
    }
    ck_assert_ptr_nonnull(c->old);
    ck_assert(c->old->is_full);
    for (size_t i = 0; i < s->n; i++)
        if (is_row(&s->rows[i], old_id(c), cell_int(&c->old->cells[1]),
                   cell_int(&c->old->cells[2])))
            return &s->rows[i];
    ck_abort_msg("old row is not in the table");
    return NULL;
}

/* The new row; was: the row that it replaces, which knows what the log does not. */
static struct model_row row_begun(const struct world *w, const struct gw_change *c,
                                  const struct model_row *was)
{
    struct model_row r = {.id = cell_int(&c->new_->cells[0]), .a = cell_int(&c->new_->cells[1])};
    if (c->new_->is_full) {
        r.b = cell_int(&c->new_->cells[2]);
        return r;
    }
    ck_assert(c->op == GW_OP_UPDATE && w->mode == BY_KEY);
    ck_assert_int_eq(c->new_->cells[2].state, GW_CELL_UNCHANGED);
    ck_assert_int_ge(was->b, TOAST_FROM);
    r.b = was->b;
    return r;
}

static int compare_rows(const void *x, const void *y)
{
    const struct model_row *a = x, *b = y;
    return a->id != b->id ? a->id - b->id : a->a != b->a ? a->a - b->a : a->b - b->b;
}

static bool is_same_state(struct state a, struct state b)
{
    qsort(a.rows, a.n, sizeof *a.rows, compare_rows);
    qsort(b.rows, b.n, sizeof *b.rows, compare_rows);
    for (size_t i = 0; a.n == b.n && i < a.n; i++)
        if (compare_rows(&a.rows[i], &b.rows[i]) != 0)
            return false;
    return a.n == b.n;
}

/* ---- the properties ---- */

static void check_as_a_set(const struct world *w, const struct gw_txn *t)
{
    struct state s = w->before;
    struct model_row was[ROWS_MAX];
    ck_assert_uint_le(t->n_changes, ROWS_MAX);
    for (size_t i = 0; i < t->n_changes; i++) {
        if (t->changes[i].op == GW_OP_INSERT)
            continue;
        struct model_row *r = row_ended(w, &s, &t->changes[i]);
        was[i] = *r;
        *r = s.rows[--s.n];
    }
    for (size_t i = 0; i < t->n_changes; i++)
        if (t->changes[i].op != GW_OP_DELETE)
            s.rows[s.n++] = row_begun(w, &t->changes[i], &was[i]);
    ck_assert(is_same_state(s, w->now));
}

/* Follow rows that moved onto keys others left; back at the start: a ring. */
static bool has_ring(const struct gw_txn *t)
{
    for (int start = 0; start < KEYS; start++) {
        int at = start;
        for (int hops = 0; hops <= KEYS; hops++) {
            int next = -1;
            for (size_t i = 0; i < t->n_changes; i++)
                if (t->changes[i].op == GW_OP_UPDATE && old_id(&t->changes[i]) == at &&
                    cell_int(&t->changes[i].new_->cells[0]) != at)
                    next = cell_int(&t->changes[i].new_->cells[0]);
            if (next < 0)
                break;
            at = next;
            if (at == start)
                return true;
        }
    }
    return false;
}

/* A client keeps rows by key and takes the changes in order. */
static void check_in_order(const struct world *w, const struct gw_txn *t)
{
    if (w->mode == BY_ROW || has_ring(t))
        return;
    struct state s = w->before;
    for (size_t i = 0; i < t->n_changes; i++) {
        const struct gw_change *c = &t->changes[i];
        struct model_row was = {0};
        if (c->op != GW_OP_INSERT) {
            struct model_row *r = row_ended(w, &s, c);
            was = *r;
            *r = s.rows[--s.n];
        }
        if (c->op == GW_OP_DELETE)
            continue;
        struct model_row r = row_begun(w, c, &was);
        ck_assert_ptr_null(row_with(&s, r.id));
        s.rows[s.n++] = r;
    }
    ck_assert(is_same_state(s, w->now));
}

static const struct model_row *row_of_uid(const struct state *s, int uid)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->rows[i].uid == uid)
            return &s->rows[i];
    return NULL;
}

/* Take the change told by op and keys out of the list of changes seen. */
static void expect(const struct gw_txn *t, bool *seen, enum gw_op op, int from, int to)
{
    for (size_t i = 0; i < t->n_changes; i++) {
        const struct gw_change *c = &t->changes[i];
        if (seen[i] || c->op != op || (op != GW_OP_INSERT && old_id(c) != from) ||
            (op != GW_OP_DELETE && cell_int(&c->new_->cells[0]) != to))
            continue;
        seen[i] = true;
        return;
    }
    ck_abort_msg("no change %d from %d to %d", (int)op, from, to);
}

/* By key, what has to be told is determined row by row. */
static void check_each_row(const struct world *w, const struct gw_txn *t)
{
    bool seen[ROWS_MAX] = {0};
    bool key_deleted[KEYS] = {0};
    if (w->mode == BY_ROW || w->mode == BY_KEY_ALIKE)
        return;
    for (size_t i = 0; i < w->before.n; i++)
        if (!row_of_uid(&w->now, w->before.rows[i].uid))
            key_deleted[w->before.rows[i].id] = true;
    for (size_t i = 0; i < w->now.n; i++) {
        const struct model_row *r = &w->now.rows[i];
        if (r->is_old && r->touched) {
            expect(t, seen, GW_OP_UPDATE, row_of_uid(&w->before, r->uid)->id, r->id);
        } else if (!r->is_old && key_deleted[r->id]) {
            key_deleted[r->id] = false;
            expect(t, seen, GW_OP_UPDATE, r->id, r->id);
        } else if (!r->is_old) {
            expect(t, seen, GW_OP_INSERT, 0, r->id);
        }
    }
    for (int id = 0; id < KEYS; id++)
        if (key_deleted[id])
            expect(t, seen, GW_OP_DELETE, id, 0);
    for (size_t i = 0; i < t->n_changes; i++)
        ck_assert(seen[i]);
}

static bool id_is_key(void *ctx, const struct gw_relation *rel, bool *is_key)
{
    const struct world *w = ctx;
    (void)rel;
    is_key[0] = true;
    return w->mode != BY_ROW;
}

static void run_transaction(struct world *w, uint64_t lsn)
{
    for (size_t i = 0; i < w->now.n; i++) {
        w->now.rows[i].touched = false;
        w->now.rows[i].is_old = true;
    }
    w->before = w->now;
    wire_feed_begin(w->assembler, &w->b, lsn);
    for (uint32_t ops = rnd(w, 25); ops > 0; ops--)
        do_something(w);
    make_keys_unique(w);
    struct gw_txn *t = wire_feed_commit(w->assembler, &w->b, lsn);
    gw_txn_fold(t, id_is_key, w);
    check_as_a_set(w, t);
    check_each_row(w, t);
    check_in_order(w, t);
    gw_txn_free(t);
}

static void run_world(enum mode mode, uint32_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    w->mode = mode;
    w->random = seed;
    w->assembler = gw_assembler_new(0);
    gw_buf_init(&w->b, 0);
    wire_relation(&w->b, TABLE, "t", mode == BY_KEY ? 'd' : 'f', "+id:i a b");
    wire_feed_ok(w->assembler, &w->b);
    for (uint64_t lsn = 1; lsn <= 40; lsn++)
        run_transaction(w, lsn);
    gw_assembler_free(w->assembler);
    gw_buf_fini(&w->b);
    free(w);
}

START_TEST(test_fold_property_default_identity)
{
    for (uint32_t seed = 1; seed <= 60; seed++)
        run_world(BY_KEY, seed * 2654435761u);
}
END_TEST

START_TEST(test_fold_property_full_identity_with_deferrable_key)
{
    for (uint32_t seed = 1; seed <= 60; seed++)
        run_world(BY_KEY_FULL, seed * 2654435761u);
}
END_TEST

START_TEST(test_fold_property_full_identity_with_rows_alike)
{
    for (uint32_t seed = 1; seed <= 60; seed++)
        run_world(BY_KEY_ALIKE, seed * 2654435761u);
}
END_TEST

START_TEST(test_fold_property_full_identity_without_key)
{
    for (uint32_t seed = 1; seed <= 60; seed++)
        run_world(BY_ROW, seed * 2654435761u);
}
END_TEST

/* Without any identity Postgres publishes inserts alone; they are passed on as they are. */
START_TEST(test_fold_property_no_identity)
{
    struct world *w = calloc(1, sizeof *w);
    w->random = 7;
    w->assembler = gw_assembler_new(0);
    gw_buf_init(&w->b, 0);
    wire_relation(&w->b, TABLE, "t", 'n', "id:i a b");
    wire_feed_ok(w->assembler, &w->b);
    for (uint64_t lsn = 1; lsn <= 50; lsn++) {
        size_t n = rnd(w, 20);
        w->before.n = w->now.n = 0;
        wire_feed_begin(w->assembler, &w->b, lsn);
        for (size_t i = 0; i < n; i++)
            do_insert(w, (int)rnd(w, 3));
        struct gw_txn *t = wire_feed_commit(w->assembler, &w->b, lsn);
        gw_txn_fold(t, id_is_key, w);
        ck_assert_uint_eq(t->n_changes, n);
        for (size_t i = 0; i < n; i++)
            ck_assert_int_eq(cell_int(&t->changes[i].new_->cells[0]), w->now.rows[i].id);
        gw_txn_free(t);
    }
    gw_assembler_free(w->assembler);
    gw_buf_fini(&w->b);
    free(w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fold_property");
    TCase *tc = tcase_create("property");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_fold_property_default_identity);
    tcase_add_test(tc, test_fold_property_full_identity_with_deferrable_key);
    tcase_add_test(tc, test_fold_property_full_identity_with_rows_alike);
    tcase_add_test(tc, test_fold_property_full_identity_without_key);
    tcase_add_test(tc, test_fold_property_no_identity);
    suite_add_tcase(suite, tc);
    return wire_run(suite);
}
