/* state_model: a table that lives through random transactions as a list of rows, what Postgres
 * would log of them under each replica identity, and the access state compared with it. */
#ifndef GW_TEST_STATE_MODEL_H
#define GW_TEST_STATE_MODEL_H

#include "state_fixture.h"

#define OID 4711
#define KEYS 10
#define A_VALUES 4
#define B_VALUES 5 /* from TOAST_FROM on stored out of line */
#define TOAST_FROM 3
#define ROWS_MAX 40
#define TXNS_MAX 12

#define NONE (-1) /* NULL */
#define UNKNOWN (-2)

/* Check writes to a pipe at each of its assertions; here are millions of them. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg("%s", #condition);                                                        \
    } while (0)

enum mode { BY_KEY, BY_KEY_FULL, BY_INDEX, BY_ROW, MODES };

/* Columns in the order of the definition: a, b, c, id. */
enum { A, B, C, ID, COLUMNS };

struct row {
    int v[COLUMNS];
};

struct image {
    int n;
    struct row rows[ROWS_MAX];
};

static const char *const B_TEXTS[B_VALUES] = {"", "short", "a little longer than a key",
                                              "out of line: the first of these",
                                              "out of line: the second of these"};

static struct gw_state_column columns[COLUMNS] = {
    ST_COLUMN("a", OID_INT8, GW_KIND_INT, false), ST_COLUMN("b", OID_TEXT, GW_KIND_TEXT, true),
    ST_COLUMN("c", OID_BOOL, GW_KIND_BOOL, false), ST_COLUMN("id", OID_INT8, GW_KIND_INT, false)};
static uint32_t identity[] = {ID};
static struct gw_state_index indexes[] = {{1, {A}}, {1, {B}}, {2, {A, B}}, {3, {A, C, ID}}};
#define INDEXES ((int)ST_COUNT(indexes))
static struct gw_state_table_def def = {.oid = OID,
                                        .n_columns = COLUMNS,
                                        .columns = columns,
                                        .n_identity = 1,
                                        .identity = identity,
                                        .n_indexes = INDEXES,
                                        .indexes = indexes};
static struct gw_rules rules = {.refs = 1000000, .n_tables = 1, .tables = &def};

/* The same table, its columns in another order and one index less. */
static struct gw_state_column other_columns[COLUMNS] = {
    ST_COLUMN("id", OID_INT8, GW_KIND_INT, false), ST_COLUMN("c", OID_BOOL, GW_KIND_BOOL, false),
    ST_COLUMN("b", OID_TEXT, GW_KIND_TEXT, true), ST_COLUMN("a", OID_INT8, GW_KIND_INT, false)};
static uint32_t other_identity[] = {0};
static struct gw_state_index other_indexes[] = {{3, {0, 1, 3}}, {2, {2, 3}}, {1, {3}}};
static struct gw_state_table_def other_defs[] = {{.oid = 1},
                                                 {.oid = OID,
                                                  .n_columns = COLUMNS,
                                                  .columns = other_columns,
                                                  .identity = other_identity,
                                                  .n_indexes = 3,
                                                  .indexes = other_indexes}};
static struct gw_rules other_rules = ST_RULES(other_defs);

struct world {
    enum mode mode;
    uint32_t random;
    bool has_breaks; /* TRUNCATE and dropped rows happen */
    struct gw_relation *rel;
    struct image now;
    int n_txns;
    struct gw_txn *txns[TXNS_MAX]; /* txns[i] leads from images[i] to images[i + 1] */
    struct image images[TXNS_MAX + 1];
    struct gw_state *s;
};

static uint32_t rnd(struct world *w, uint32_t n)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 17;
    w->random ^= w->random << 5;
    return w->random % n;
}

/* ---- what Postgres would do and log ---- */

static inline void random_values(struct world *w, struct row *r, int id)
{
    r->v[A] = w->mode == BY_INDEX ? (int)rnd(w, A_VALUES) : (int)rnd(w, A_VALUES + 1) - 1;
    r->v[B] = (int)rnd(w, B_VALUES + 1) - 1;
    r->v[C] = (int)rnd(w, 3) - 1;
    r->v[ID] = id;
}

static inline const char *text_of(int column, int v)
{
    static const char *const INTS[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    if (v == NONE)
        return NULL;
    return column == B ? B_TEXTS[v] : column == C ? (v ? "t" : "f") : INTS[v];
}

/* In the order of the relation: id, x, c, b, a; x is nothing the state knows. */
static inline void texts_of(const struct row *r, const char *texts[5])
{
    texts[0] = text_of(ID, r->v[ID]);
    texts[1] = "x";
    texts[2] = text_of(C, r->v[C]);
    texts[3] = text_of(B, r->v[B]);
    texts[4] = text_of(A, r->v[A]);
}

static inline void old_texts_of(const struct world *w, const struct row *r, const char *texts[5])
{
    texts_of(r, texts);
    if (w->mode == BY_KEY_FULL || w->mode == BY_ROW)
        return;
    texts[1] = texts[2] = texts[3] = ST_ABSENT;
    if (w->mode == BY_KEY)
        texts[4] = ST_ABSENT;
}

static inline bool has_id(const struct image *image, int id)
{
    for (int i = 0; i < image->n; i++)
        if (image->rows[i].v[ID] == id)
            return true;
    return false;
}

static inline void do_insert(struct world *w, struct gw_txn *t, int id)
{
    const char *texts[5];
    struct row r;
    if (w->now.n == ROWS_MAX)
        return;
    random_values(w, &r, id);
    w->now.rows[w->now.n++] = r;
    texts_of(&r, texts);
    st_change(t, w->rel, GW_OP_INSERT, NULL, texts);
}

static inline void do_delete(struct world *w, struct gw_txn *t, int at)
{
    const char *texts[5];
    old_texts_of(w, &w->now.rows[at], texts);
    w->now.rows[at] = w->now.rows[--w->now.n];
    st_change(t, w->rel, GW_OP_DELETE, texts, NULL);
}

static inline void do_update(struct world *w, struct gw_txn *t, int at, int id)
{
    const char *old[5], *fresh[5];
    struct row was = w->now.rows[at], *r = &w->now.rows[at];
    random_values(w, r, id);
    if (rnd(w, 2))
        r->v[B] = was.v[B];
    if (rnd(w, 3) == 0)
        r->v[A] = was.v[A];
    if (rnd(w, 8) == 0) { /* only x changes */
        *r = was;
        r->v[ID] = id;
    }
    old_texts_of(w, &was, old);
    texts_of(r, fresh);
    if (r->v[B] == was.v[B] && r->v[B] >= TOAST_FROM)
        fresh[3] = ST_UNCHANGED;
    bool has_old = w->mode == BY_KEY_FULL || w->mode == BY_ROW || id != was.v[ID] ||
                   (w->mode == BY_INDEX && r->v[A] != was.v[A]);
    st_change(t, w->rel, GW_OP_UPDATE, has_old ? old : NULL, fresh);
}

/* Two rows exchange their keys, by way of one that is free. */
static inline void do_swap(struct world *w, struct gw_txn *t)
{
    int spare = KEYS - 1, a = (int)rnd(w, (uint32_t)w->now.n), b = (int)rnd(w, (uint32_t)w->now.n);
    int id_a = w->now.rows[a].v[ID], id_b = w->now.rows[b].v[ID];
    if (a == b || has_id(&w->now, spare))
        return;
    do_update(w, t, a, spare);
    do_update(w, t, b, id_a);
    do_update(w, t, a, id_b);
}

static inline void do_something(struct world *w, struct gw_txn *t)
{
    int id = (int)rnd(w, KEYS);
    uint32_t what = rnd(w, 100);
    int at = w->now.n ? (int)rnd(w, (uint32_t)w->now.n) : -1;
    bool is_free = w->mode == BY_ROW || !has_id(&w->now, id);
    if (w->has_breaks && what < 2) {
        w->now.n = 0;
        st_truncate(t, w->rel);
    } else if (at < 0 || what < 30) {
        if (is_free)
            do_insert(w, t, id);
    } else if (what < 50) {
        do_delete(w, t, at);
    } else if (what < 60) {
        do_swap(w, t);
    } else {
        do_update(w, t, at, is_free && rnd(w, 2) ? id : w->now.rows[at].v[ID]);
    }
}

static inline bool by_id(void *ctx, const struct gw_relation *rel, bool *is_key)
{
    const struct world *w = ctx;
    for (size_t i = 0; i < rel->n_columns; i++)
        is_key[i] = i == 0 && w->mode != BY_ROW;
    return w->mode != BY_ROW;
}

static inline void commit(struct world *w)
{
    assert(w->n_txns < TXNS_MAX);
    struct gw_txn *t = st_txn((uint32_t)w->n_txns + 1);
    for (uint32_t n = 1 + rnd(w, 6); n > 0; n--)
        do_something(w, t);
    if (w->has_breaks && rnd(w, 12) == 0)
        st_overflow(t, w->rel);
    gw_txn_fold(t, by_id, w);
    w->txns[w->n_txns++] = t;
    w->images[w->n_txns] = w->now;
}

static inline void world_init(struct world *w, enum mode mode, uint32_t seed, bool has_breaks)
{
    static const struct st_column COLS[MODES][5] = {
        [BY_KEY] = {{"id", OID_INT8, true},
                    {"x", OID_TEXT, false},
                    {"c", OID_BOOL, false},
                    {"b", OID_TEXT, false},
                    {"a", OID_INT8, false}},
        [BY_INDEX] = {{"id", OID_INT8, true},
                      {"x", OID_TEXT, false},
                      {"c", OID_BOOL, false},
                      {"b", OID_TEXT, false},
                      {"a", OID_INT8, true}},
        [BY_KEY_FULL] = {{"id", OID_INT8, false},
                         {"x", OID_TEXT, false},
                         {"c", OID_BOOL, false},
                         {"b", OID_TEXT, false},
                         {"a", OID_INT8, false}},
        [BY_ROW] = {{"id", OID_INT8, false},
                    {"x", OID_TEXT, false},
                    {"c", OID_BOOL, false},
                    {"b", OID_TEXT, false},
                    {"a", OID_INT8, false}},
    };
    static const char IDENTITY[MODES] = {'d', 'f', 'i', 'f'};
    *w = (struct world){.mode = mode, .random = seed * 2654435761u + 1, .has_breaks = has_breaks};
    w->rel = st_relation(OID, IDENTITY[mode], 5, COLS[mode]);
    def.n_identity = other_defs[1].n_identity = mode == BY_ROW ? 0 : 1;
    for (uint32_t n = rnd(w, 10); n > 0; n--) {
        int id = (int)rnd(w, KEYS);
        if (mode == BY_ROW || !has_id(&w->now, id))
            random_values(w, &w->now.rows[w->now.n++], id);
    }
    w->images[0] = w->now;
}

static inline void world_fini(struct world *w)
{
    gw_state_free(w->s);
    for (int i = 0; i < w->n_txns; i++)
        gw_txn_free(w->txns[i]);
    gw_relation_unref(w->rel);
}

static inline void state_make(struct world *w, size_t max_bytes)
{
    w->s = gw_state_new(max_bytes);
    gw_state_set_rules(w->s, &rules);
}

/* To other definitions and back. */
static inline void rules_change(struct world *w)
{
    if (rnd(w, 6) != 0)
        return;
    gw_state_set_rules(w->s, &other_rules);
    gw_state_set_rules(w->s, &rules);
}

/* ---- from the model to the state and back ---- */

static inline struct gw_datum datum_of(int column, int v)
{
    if (v == NONE)
        return gw_datum_null(columns[column].kind);
    return gw_datum_of(columns[column].kind, gw_span_of(text_of(column, v)));
}

static inline struct gw_datum *cells_of(const struct row *rows, int n)
{
    struct gw_datum *cells = gw_alloc(((size_t)n * COLUMNS + 1) * sizeof *cells);
    for (int i = 0; i < n * COLUMNS; i++)
        cells[i] = datum_of(i % COLUMNS, rows[i / COLUMNS].v[i % COLUMNS]);
    return cells;
}

static inline int value_of(int column, struct gw_datum d)
{
    static const int N[COLUMNS] = {A_VALUES, B_VALUES, 2, KEYS};
    if (d.state != GW_DATUM_VALUE)
        return d.state == GW_DATUM_NULL ? NONE : UNKNOWN;
    for (int v = 0; v < N[column]; v++) {
        struct gw_datum candidate = datum_of(column, v);
        if (!gw_datum_eq(&candidate, &d))
            continue;
        MUST(column != B || gw_span_is(d.text, B_TEXTS[v]));
        MUST(column == B || d.text.n == 0);
        return v;
    }
    ck_abort_msg("a value nobody wrote");
    return UNKNOWN;
}

static inline struct row row_of(const struct gw_state *s, const struct gw_state_row *row)
{
    struct row r;
    for (int c = 0; c < COLUMNS; c++)
        r.v[c] = value_of(c, gw_state_cell(s, row, 0, (uint32_t)c));
    return r;
}

/* ---- comparing ---- */

static inline bool agrees(const struct row *known, const struct row *truth)
{
    for (int c = 0; c < COLUMNS; c++)
        if (known->v[c] != UNKNOWN && known->v[c] != truth->v[c])
            return false;
    return true;
}

/* Every row of hits is one of truth that has the key, each its own. */
static inline int hits_check(const struct gw_state *s, const struct gw_state_hits *hits,
                             const struct image *truth)
{
    bool is_used[ROWS_MAX] = {0};
    int unknown = 0;
    for (uint32_t i = 0; i < hits->n; i++) {
        struct row r = row_of(s, hits->rows[i]);
        int at = 0;
        while (at < truth->n && (is_used[at] || !agrees(&r, &truth->rows[at])))
            at++;
        MUST(at < truth->n); /* else it is not there, or not like that */
        is_used[at] = true;
        for (int c = 0; c < COLUMNS; c++)
            unknown += r.v[c] == UNKNOWN;
    }
    return unknown;
}

static inline void matching(const struct image *truth, int index, const int *key, struct image *out)
{
    out->n = 0;
    for (int i = 0; i < truth->n; i++) {
        bool is_match = true;
        for (uint32_t k = 0; k < indexes[index].n; k++) {
            int v = truth->rows[i].v[indexes[index].columns[k]];
            is_match = is_match && v != NONE && v == key[k];
        }
        if (is_match)
            out->rows[out->n++] = truth->rows[i];
    }
}

/* One look-up against the model; returns whether it was complete. */
static inline bool find_check(struct world *w, int index, const int *key, const struct image *truth,
                              enum gw_code *code)
{
    struct gw_datum keys[GW_RULES_INDEX_COLUMNS_MAX];
    struct gw_state_hits hits;
    struct image expected;
    for (uint32_t k = 0; k < indexes[index].n; k++)
        keys[k] = datum_of((int)indexes[index].columns[k], key[k]);
    *code = gw_state_find(w->s, 0, index, keys, &hits);
    matching(truth, index, key, &expected);
    hits_check(w->s, &hits, &expected);
    MUST((int)hits.n <= expected.n);
    if (!hits.is_incomplete)
        MUST((int)hits.n == expected.n);
    if (*code == GW_E_AGAIN)
        MUST(hits.is_incomplete);
    return !hits.is_incomplete;
}

static inline void random_key(struct world *w, int index, int *key)
{
    static const int N[COLUMNS] = {A_VALUES, B_VALUES, 2, KEYS};
    for (uint32_t k = 0; k < indexes[index].n; k++)
        key[k] = (int)rnd(w, (uint32_t)N[indexes[index].columns[k]] + 1) - 1;
}

/* All of a RESIDENT table; must_be_exact: nothing may be UNKNOWN or incomplete. */
static inline void table_check(struct world *w, const struct image *truth, bool must_be_exact)
{
    struct gw_state_hits hits;
    struct gw_state_stats stats;
    int key[GW_RULES_INDEX_COLUMNS_MAX];
    enum gw_code code;
    gw_state_find(w->s, 0, -1, NULL, &hits);
    int unknown = hits_check(w->s, &hits, truth);
    bool is_frozen = hits.is_incomplete;
    if (!is_frozen)
        MUST((int)hits.n == truth->n);
    gw_state_stats(w->s, &stats);
    if (!is_frozen) {
        MUST((int)stats.unknown_cells == unknown);
        MUST((int)stats.rows == truth->n);
    }
    if (must_be_exact) {
        MUST(!is_frozen);
        MUST(unknown == 0);
    }
    for (int i = 0; i < 12; i++) {
        int index = i % INDEXES;
        random_key(w, index, key);
        bool is_complete = find_check(w, index, key, truth, &code);
        MUST(code == GW_OK);
        MUST(is_complete || !must_be_exact);
    }
    for (int i = 0; i < truth->n && !is_frozen && w->mode != BY_ROW; i++) {
        struct gw_datum id = datum_of(ID, truth->rows[i].v[ID]);
        const struct gw_state_row *row = gw_state_row_by_identity(w->s, 0, &id);
        MUST(row);
        MUST(row_of(w->s, row).v[ID] == truth->rows[i].v[ID]);
    }
}

static inline void load(struct world *w, const struct image *image)
{
    struct gw_datum *cells = cells_of(image->rows, image->n);
    gw_state_load(w->s, 0, &(struct gw_state_rows){(uint32_t)image->n, cells});
    free(cells);
}

#endif
