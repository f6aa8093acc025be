/* The access state against a naive model: a list of rows, looked through from end to end. A table
 * lives through random transactions, folded by the real fold, under each replica identity:
 *   - RESIDENT, applied one by one: always the model's rows, every answer complete;
 *   - RESIDENT, loaded at the end, taken back, applied again: never a wrong cell on the way, and at
 *     the end exactly what was loaded;
 *   - CACHED, read by key ahead of the log, under a budget that is often too small: never a wrong
 *     row, and what is called complete is complete;
 *   - other definitions in between (columns in another order, an index less) lose nothing but keys;
 *   - a watch that did not fire watches an answer that did not change;
 *   - reported rows turn the rows before into the rows after. */
#include "state_model.h"

/* ---- watches ---- */

#define WATCHES 24

struct watched {
    struct gw_watch watch;
    bool is_set;
    int index; /* -1: the whole table */
    int key[GW_RULES_INDEX_COLUMNS_MAX];
    enum gw_code code;
    bool is_incomplete;
    struct image rows;
};

struct watcher {
    struct watched items[WATCHES];
    struct gw_state *s;
};

static void on_change(struct gw_watch *w)
{
    struct watched *item = (struct watched *)w;
    MUST(item->is_set);
    MUST(!w->links);
    item->is_set = false;
}

static void watched_find(struct gw_state *s, struct watched *item, struct image *rows,
                         enum gw_code *code, bool *is_incomplete, bool is_watch)
{
    struct gw_datum keys[GW_RULES_INDEX_COLUMNS_MAX];
    struct gw_state_hits hits;
    for (uint32_t k = 0; item->index >= 0 && k < indexes[item->index].n; k++)
        keys[k] = datum_of((int)indexes[item->index].columns[k], item->key[k]);
    *code = gw_state_find(s, 0, item->index, keys, &hits);
    *is_incomplete = hits.is_incomplete;
    rows->n = 0;
    for (uint32_t i = 0; i < hits.n; i++)
        rows->rows[rows->n++] = row_of(s, hits.rows[i]);
    if (is_watch)
        gw_state_watch(s, &item->watch, 0, item->index, keys);
}

static bool is_same_set(const struct image *a, const struct image *b)
{
    bool is_used[ROWS_MAX] = {0};
    if (a->n != b->n)
        return false;
    for (int i = 0; i < a->n; i++) {
        int at = 0;
        while (at < b->n &&
               (is_used[at] || memcmp(&a->rows[i], &b->rows[at], sizeof a->rows[i]) != 0))
            at++;
        if (at == b->n)
            return false;
        is_used[at] = true;
    }
    return true;
}

static void watcher_check(struct watcher *watcher, struct gw_state *s)
{
    struct image rows;
    enum gw_code code;
    bool is_incomplete;
    for (int i = 0; i < WATCHES; i++) {
        struct watched *item = &watcher->items[i];
        if (!item->is_set)
            continue;
        watched_find(s, item, &rows, &code, &is_incomplete, false);
        MUST(code == item->code);
        MUST(is_incomplete == item->is_incomplete);
        MUST(is_same_set(&rows, &item->rows)); /* else a watch slept */
    }
}

static void watcher_add(struct world *w, struct watcher *watcher)
{
    struct watched *item = &watcher->items[rnd(w, WATCHES)];
    if (item->is_set)
        gw_watch_fini(&item->watch);
    gw_watch_init(&item->watch, on_change);
    item->is_set = true;
    item->index = (int)rnd(w, INDEXES + 1) - 1;
    if (item->index >= 0)
        random_key(w, item->index, item->key);
    watched_find(w->s, item, &item->rows, &item->code, &item->is_incomplete, true);
}

static void watcher_fini(struct watcher *watcher)
{
    for (int i = 0; i < WATCHES; i++)
        if (watcher->items[i].is_set)
            gw_watch_fini(&watcher->items[i].watch);
}

/* ---- reported rows ---- */

struct report {
    struct world *w;
    struct image rows;
};

static void report_row(void *ctx, uint32_t table, const struct gw_state_row *old,
                       const struct gw_state_row *fresh)
{
    struct report *report = ctx;
    MUST(table == 0);
    MUST(old || fresh);
    if (fresh) { /* added under a mark, so that a swap does not take what it brought */
        MUST(report->rows.n < ROWS_MAX);
        report->rows.rows[report->rows.n++] = row_of(report->w->s, fresh);
    }
    if (!old)
        return;
    struct row r = row_of(report->w->s, old);
    for (int i = 0; i < report->rows.n; i++) {
        if (memcmp(&r, &report->rows.rows[i], sizeof r) != 0)
            continue;
        report->rows.rows[i] = report->rows.rows[--report->rows.n];
        return;
    }
    ck_abort_msg("a row was reported as old that was not there");
}

/* ---- the properties ---- */

static bool breaks(const struct gw_txn *t, bool *is_overflowed)
{
    bool any = false;
    for (size_t i = 0; i < t->n_tables; i++) {
        *is_overflowed = *is_overflowed || t->tables[i].overflowed;
        any = any || t->tables[i].truncated || t->tables[i].overflowed;
    }
    return any;
}

static void follow_round(enum mode mode, uint32_t seed)
{
    struct world w;
    static struct watcher watcher;
    world_init(&w, mode, seed, true);
    state_make(&w, SIZE_MAX);
    load(&w, &w.images[0]);
    gw_state_settle(w.s);
    watcher = (struct watcher){0};
    while (w.n_txns < 8) {
        rules_change(&w);
        for (int i = 0; i < 4; i++)
            watcher_add(&w, &watcher);
        commit(&w);
        bool is_overflowed = false;
        bool is_broken = breaks(w.txns[w.n_txns - 1], &is_overflowed);
        struct report report = {.w = &w, .rows = w.images[w.n_txns - 1]};
        gw_state_apply(w.s, w.txns[w.n_txns - 1], report_row, &report);
        if (!is_broken)
            MUST(is_same_set(&report.rows, &w.now));
        watcher_check(&watcher, w.s);
        MUST(gw_state_mode(w.s, 0) == (is_overflowed ? GW_STATE_UNLOADED : GW_STATE_RESIDENT));
        if (is_overflowed)
            load(&w, &w.now);
        table_check(&w, &w.now, true);
    }
    watcher_fini(&watcher);
    world_fini(&w);
}

static void take_back_round(enum mode mode, uint32_t seed)
{
    struct world w;
    static struct watcher watcher;
    world_init(&w, mode, seed, seed % 3 == 0);
    while (w.n_txns < 7)
        commit(&w);
    state_make(&w, SIZE_MAX);
    load(&w, &w.now);
    watcher = (struct watcher){0};
    int first = (int)rnd(&w, (uint32_t)w.n_txns);
    for (int i = w.n_txns; i-- > first;) {
        gw_state_unread(w.s, w.txns[i]);
        rules_change(&w);
        table_check(&w, &w.images[i], !w.has_breaks && (mode == BY_KEY_FULL || mode == BY_ROW));
    }
    gw_state_settle(w.s);
    for (int i = first; i < w.n_txns; i++) {
        rules_change(&w);
        table_check(&w, &w.images[i], !w.has_breaks && (mode == BY_KEY_FULL || mode == BY_ROW));
        for (int k = 0; k < 4; k++)
            watcher_add(&w, &watcher);
        gw_state_apply(w.s, w.txns[i], NULL, NULL);
        watcher_check(&watcher, w.s);
    }
    table_check(&w, &w.now, true);
    watcher_fini(&watcher);
    world_fini(&w);
}

/* A read of some keys, at the newest commit, while the log is at position. */
static void keys_read(struct world *w, int position)
{
    for (uint32_t n = 1 + rnd(w, 3); n > 0; n--) {
        int index = (int)rnd(w, INDEXES), key[GW_RULES_INDEX_COLUMNS_MAX];
        struct gw_datum keys[GW_RULES_INDEX_COLUMNS_MAX];
        struct image rows;
        random_key(w, index, key);
        matching(&w->now, index, key, &rows);
        for (uint32_t k = 0; k < indexes[index].n; k++)
            keys[k] = datum_of((int)indexes[index].columns[k], key[k]);
        struct gw_datum *cells = cells_of(rows.rows, rows.n);
        gw_state_load_key(w->s, 0, (uint32_t)index, keys,
                          &(struct gw_state_rows){(uint32_t)rows.n, cells});
        free(cells);
    }
    for (int i = w->n_txns; i-- > position;) {
        rules_change(w);
        gw_state_unread(w->s, w->txns[i]);
    }
    gw_state_settle(w->s);
}

static void cached_check(struct world *w, const struct image *truth, bool must_be_complete)
{
    int key[GW_RULES_INDEX_COLUMNS_MAX];
    enum gw_code code;
    for (int i = 0; i < 24; i++) {
        int index = i % INDEXES;
        random_key(w, index, key);
        bool is_complete = find_check(w, index, key, truth, &code);
        if (must_be_complete && code == GW_OK)
            MUST(is_complete);
    }
}

static void cached_round(enum mode mode, uint32_t seed)
{
    struct world w;
    static struct watcher watcher;
    int position = 0;
    world_init(&w, mode, seed, seed % 3 == 0);
    state_make(&w, seed % 2 ? SIZE_MAX : 2000);
    gw_state_load_cached(w.s, 0);
    watcher = (struct watcher){0};
    bool is_exact = !w.has_breaks && (mode == BY_KEY_FULL || mode == BY_ROW);
    while (position < TXNS_MAX) {
        rules_change(&w);
        watcher_add(&w, &watcher);
        uint32_t what = rnd(&w, 3);
        if (what == 0 && w.n_txns < TXNS_MAX)
            commit(&w);
        else if (what == 1 && position < w.n_txns)
            gw_state_apply(w.s, w.txns[position++], NULL, NULL);
        else if (gw_state_mode(w.s, 0) == GW_STATE_CACHED)
            keys_read(&w, position);
        else
            gw_state_load_cached(w.s, 0);
        watcher_check(&watcher, w.s);
        cached_check(&w, &w.images[position], is_exact);
    }
    watcher_fini(&watcher);
    world_fini(&w);
}

static uint32_t rounds(void)
{
    const char *text = getenv("GW_STATE_ROUNDS");
    return text ? (uint32_t)atoi(text) : 300;
}

START_TEST(test_state_property_follows_the_log)
{
    for (uint32_t seed = 0; seed < rounds(); seed++)
        follow_round((enum mode)_i, seed);
}
END_TEST

START_TEST(test_state_property_takes_back_what_a_read_was_ahead)
{
    for (uint32_t seed = 0; seed < rounds(); seed++)
        take_back_round((enum mode)_i, seed);
}
END_TEST

START_TEST(test_state_property_cached_keys_are_never_wrong)
{
    for (uint32_t seed = 0; seed < rounds(); seed++)
        cached_round((enum mode)_i, seed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state_property");
    TCase *tc = tcase_create("model");
    tcase_set_timeout(tc, 100);
    tcase_add_loop_test(tc, test_state_property_follows_the_log, 0, MODES);
    tcase_add_loop_test(tc, test_state_property_takes_back_what_a_read_was_ahead, 0, MODES);
    tcase_add_loop_test(tc, test_state_property_cached_keys_are_never_wrong, 0, MODES);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
