/* The solver against solve_model.h: random policies, tables, rows and callers. What the formula
 * says of a caller is what the model answers for that caller.
 *   - all is known: MUST, MAY and NEUTRAL are the model's answer, with a warm memo and with a cold
 * one, and again after the tables have changed; a watch that did not fire watches an answer that
 * stays;
 *   - something is unknown: MUST admits no one whom the model does not, MAY everyone whom it does.
 */
#include "solve_model.h"
#include "solve_world.h"
#include "state_fixture.h"

#define rnd_seed(base, i) ((base)*2654435761u + (uint32_t)(i)*40503u + 1)

#define PLANS 6
#define ROWS 4
#define CALLERS 10
#define TABLE_ROWS_MAX 6

struct run {
    struct world w;
    struct gw_state *state;
    struct gw_solver *solver;
    struct gw_relation *rels[W_TABLES];
    struct model_table tables[W_TABLES];
    struct gw_datum cells[W_TABLES][TABLE_ROWS_MAX * W_COLUMNS];
    struct gw_fact callers[CALLERS][W_FACTS];
    struct gw_key keys[CALLERS][W_FACTS][3];
    struct gw_datum row[W_COLUMNS], seen[W_COLUMNS];
    struct gw_arena arena; /* texts made by the model */
    uint64_t solved, exact, unknown;
};

/* ---- callers ---- */

static void random_caller(struct run *r, struct gw_fact *facts, struct gw_key (*keys)[3])
{
    struct world *w = &r->w;
    for (uint32_t i = 0; i < W_FACTS; i++) {
        const struct gw_fact_def *def = &w->rx->rules.facts[i];
        facts[i] = (struct gw_fact){.state = GW_DATUM_NULL, .keys = keys[i]};
        uint32_t n = def->is_set ? rnd(w, 3) : 1;
        for (uint32_t k = 0; k < n; k++) {
            struct gw_datum d = random_datum(w, def->kind);
            if (d.state == GW_DATUM_VALUE)
                keys[i][facts[i].n++] = d.key;
        }
        if (facts[i].n > 0 || (def->is_set && rnd(w, 3)))
            facts[i].state = GW_DATUM_VALUE;
        facts[i].has_null = def->is_set && facts[i].state == GW_DATUM_VALUE && rnd(w, 5) == 0;
    }
    struct gw_fact *set = &facts[W_SET];
    if (set->n == 2 && gw_key_eq(set->keys[0], set->keys[1]))
        set->n = 1;
    if (set->n == 2 && gw_key_compare(&set->keys[0], &set->keys[1]) > 0) {
        struct gw_key first = set->keys[0];
        set->keys[0] = set->keys[1];
        set->keys[1] = first;
    }
}

/* ---- tables ---- */

static void load_table(struct run *r, uint32_t t, bool hides)
{
    struct world *w = &r->w;
    struct gw_datum cells[TABLE_ROWS_MAX * W_COLUMNS];
    uint32_t n = r->tables[t].n * W_COLUMNS;
    memcpy(cells, r->cells[t], n * sizeof *cells);
    for (uint32_t i = 0; hides && i < n; i++)
        if (i % W_COLUMNS != W_ID && rnd(w, 8) == 0)
            cells[i] = gw_datum_unknown();
    gw_state_load(r->state, t, &(struct gw_state_rows){r->tables[t].n, cells});
}

static void random_cells(struct run *r, uint32_t t, uint32_t at)
{
    struct gw_datum *row = &r->cells[t][at * W_COLUMNS];
    static const char *const IDS[] = {"1", "2", "3", "4", "5", "6"};
    row[W_ID] = gw_datum_of(GW_KIND_INT, gw_span_of(IDS[at]));
    for (uint32_t c = W_ID + 1; c < W_COLUMNS; c++)
        row[c] = random_datum(&r->w, W_KINDS[c]);
}

static void random_table(struct run *r, uint32_t t)
{
    r->tables[t] = (struct model_table){rnd(&r->w, TABLE_ROWS_MAX), W_COLUMNS, r->cells[t]};
    for (uint32_t i = 0; i < r->tables[t].n; i++)
        random_cells(r, t, i);
}

static void texts_of(const struct gw_datum *row, char (*copies)[24], const char **texts)
{
    for (uint32_t c = 0; c < W_COLUMNS; c++) {
        snprintf(copies[c], sizeof copies[c], "%.*s", (int)row[c].text.n, row[c].text.p);
        texts[c] = row[c].state == GW_DATUM_VALUE ? copies[c] : NULL;
    }
}

/* Updates, inserts and deletes at the end, so that ids stay those of the positions. */
static void change_tables(struct run *r)
{
    struct world *w = &r->w;
    struct gw_txn *txn = st_txn(1);
    char old[W_COLUMNS][24], fresh[W_COLUMNS][24];
    const char *old_texts[W_COLUMNS], *fresh_texts[W_COLUMNS];
    for (uint32_t t = 0; t < W_TABLES; t++) {
        struct model_table *table = &r->tables[t];
        uint32_t what = rnd(w, 4);
        if (what == 0 && table->n > 0) {
            texts_of(&r->cells[t][--table->n * W_COLUMNS], old, old_texts);
            st_change(txn, r->rels[t], GW_OP_DELETE, old_texts, NULL);
        } else if (what == 1 && table->n < TABLE_ROWS_MAX) {
            random_cells(r, t, table->n);
            texts_of(&r->cells[t][table->n++ * W_COLUMNS], fresh, fresh_texts);
            st_change(txn, r->rels[t], GW_OP_INSERT, NULL, fresh_texts);
        } else if (what == 2 && table->n > 0) {
            uint32_t at = rnd(w, table->n);
            texts_of(&r->cells[t][at * W_COLUMNS], old, old_texts);
            random_cells(r, t, at);
            texts_of(&r->cells[t][at * W_COLUMNS], fresh, fresh_texts);
            st_change(txn, r->rels[t], GW_OP_UPDATE, old_texts, fresh_texts);
        }
    }
    gw_txn_fold(txn, NULL, NULL);
    st_apply(r->state, txn);
}

/* ---- answers ---- */

static struct gw_datum external(uint32_t number, const struct gw_datum *arg)
{
    if (arg->state == GW_DATUM_NULL)
        return number ? gw_datum_null(GW_KIND_INT) : gw_datum_of(GW_KIND_INT, GW_SPAN_LIT("2"));
    if (gw_span_is(arg->text, "4"))
        return gw_datum_error();
    return gw_datum_of(GW_KIND_INT,
                       gw_span_is(arg->text, "1") ? GW_SPAN_LIT("3") : GW_SPAN_LIT("1"));
}

static void answer_key(struct run *r, const struct gw_need_key *need)
{
    const struct gw_state_table_def *def = &r->w.rx->rules.tables[need->table];
    const struct gw_state_index *index = &def->indexes[need->index];
    const struct model_table *t = &r->tables[need->table];
    struct gw_datum cells[TABLE_ROWS_MAX * W_COLUMNS];
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n; i++) {
        bool fits = true;
        for (uint32_t k = 0; k < index->n; k++) {
            const struct gw_datum *cell = &t->cells[i * W_COLUMNS + index->columns[k]];
            fits &= cell->state == GW_DATUM_VALUE && gw_datum_eq(cell, &need->key[k]);
        }
        if (fits)
            memcpy(&cells[n++ * W_COLUMNS], &t->cells[i * W_COLUMNS], W_COLUMNS * sizeof *cells);
    }
    gw_state_load_key(r->state, need->table, need->index, need->key,
                      &(struct gw_state_rows){n, cells});
    gw_state_settle(r->state);
}

static void answer_needs(struct run *r, bool hides)
{
    const struct gw_needs *needs = gw_solver_needs(r->solver);
    ck_assert(needs->n_externals + needs->n_keys > 0);
    for (uint32_t i = 0; i < needs->n_externals; i++) {
        const struct gw_need_external *need = &needs->externals[i];
        struct gw_datum answer = hides && rnd(&r->w, 4) == 0
                                     ? gw_datum_unknown()
                                     : external(need->external, &need->args[0]);
        gw_solver_answer(r->solver, need, &answer);
    }
    for (uint32_t i = 0; i < needs->n_keys; i++)
        answer_key(r, &needs->keys[i]);
    gw_solver_forget_needs(r->solver);
}

/* ---- comparing ---- */

static enum model_truth model_answer(struct run *r, const struct gw_expr *e, uint32_t caller)
{
    struct model m = {.rules = &r->w.rx->rules,
                      .tables = r->tables,
                      .row = r->row,
                      .caller = r->callers[caller],
                      .external = external,
                      .arena = &r->arena};
    return model_bool(&m, e);
}

static struct gw_formula *solve(struct run *r, const struct gw_plan *plan,
                                const struct gw_solve_options *options, bool hides,
                                struct gw_solve_info *info)
{
    struct gw_solve_row row = {.n = W_COLUMNS, .cells = r->seen};
    struct gw_formula *f = NULL;
    enum gw_code code = GW_E_AGAIN;
    for (int i = 0; i < 100 && code == GW_E_AGAIN; i++) {
        code = gw_solve(r->solver, plan, plan->expr, &row, options, &f, info);
        if (code == GW_E_AGAIN)
            answer_needs(r, hides);
    }
    ck_assert(code == GW_OK || code == GW_E_POLICY);
    r->solved++;
    return code == GW_OK ? f : gw_formula_none();
}

static void report(struct run *r, const struct gw_plan *plan, const struct gw_formula *f,
                   uint32_t caller, enum gw_certainty certainty)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_expr_print(&b, &r->w.rx->rules, plan->expr);
    gw_buf_add_str(&b, "\nformula: ");
    if (f)
        gw_formula_print(&b, &r->w.rx->rules, f);
    fprintf(stderr, "%s\n", gw_buf_cstr(&b));
    ck_abort_msg("certainty %d: caller %u: model says %d", (int)certainty, caller,
                 (int)model_answer(r, plan->expr, caller));
}

static void compare(struct run *r, const struct gw_plan *plan, const struct gw_formula *f,
                    enum gw_certainty certainty, bool is_exact)
{
    for (uint32_t c = 0; c < CALLERS; c++) {
        bool sees = model_answer(r, plan->expr, c) == M_TRUE;
        bool admits = gw_formula_admits(f, r->callers[c], W_FACTS);
        bool is_right = is_exact              ? admits == sees
                        : certainty == GW_MAY ? admits || !sees
                                              : !admits || sees;
        if (!is_right)
            report(r, plan, f, c, certainty);
    }
}

static void check_plan(struct run *r, const struct gw_plan *plan, enum gw_certainty certainty,
                       bool hides)
{
    struct gw_solve_info info;
    struct gw_solve_options options = {.certainty = certainty, .give_up = hides && rnd(&r->w, 2)};
    struct gw_formula *f = solve(r, plan, &options, hides, &info);
    bool is_exact = !info.met_unknown;
    if (!hides && !r->w.may_raise)
        r->unknown += info.met_unknown;
    r->exact += is_exact;
    if (certainty != GW_NEUTRAL || is_exact)
        compare(r, plan, f, certainty, is_exact);
    gw_formula_unref(f);
}

/* ---- watches ---- */

struct watched {
    struct gw_watch watch;
    bool fired;
    bool sees[CALLERS];
};

static void on_change(struct gw_watch *watch)
{
    GW_CONTAINER_OF(watch, struct watched, watch)->fired = true;
}

static void watch_plan(struct run *r, const struct gw_plan *plan, struct watched *x)
{
    struct gw_solve_info info;
    x->fired = false;
    gw_watch_init(&x->watch, on_change);
    struct gw_solve_options options = {.certainty = GW_MUST, .watch = &x->watch};
    gw_formula_unref(solve(r, plan, &options, false, &info));
    x->fired = info.met_unknown; /* an answer that could not be told may change unseen */
    for (uint32_t c = 0; c < CALLERS; c++)
        x->sees[c] = model_answer(r, plan->expr, c) == M_TRUE;
}

static void check_watched(struct run *r, const struct gw_plan *plan, struct watched *x)
{
    for (uint32_t c = 0; c < CALLERS && !x->fired; c++)
        if (x->sees[c] != (model_answer(r, plan->expr, c) == M_TRUE))
            report(r, plan, NULL, c, GW_MUST);
    gw_watch_fini(&x->watch);
}

/* ---- runs ---- */

struct kind {
    bool may_raise, has_external, hides, is_cached;
};

static void run_begin(struct run *r, uint32_t seed, const struct kind *kind)
{
    static const struct st_column COLUMNS[W_COLUMNS] = {
        {"a", OID_INT8, true},  {"b", OID_INT8, false}, {"c", OID_INT8, false},
        {"d", OID_TEXT, false}, {"e", OID_BOOL, false}, {"f", 1016, false}};
    r->w = (struct world){
        .random = seed, .may_raise = kind->may_raise, .has_external = kind->has_external};
    world_rules(&r->w);
    gw_arena_init(&r->arena, 0);
    for (uint32_t i = 0; i < PLANS; i++)
        random_plan(&r->w);
    r->state = gw_state_new((size_t)1 << 24);
    gw_state_set_rules(r->state, &r->w.rx->rules);
    struct gw_solver_config cfg = {.memo_bytes = rnd(&r->w, 4) ? 0 : 4000};
    r->solver = gw_solver_new(r->state, &cfg);
    gw_solver_set_rules(r->solver, &r->w.rx->rules);
    for (uint32_t t = 0; t < W_TABLES; t++) {
        r->rels[t] = st_relation(100 + t, 'f', W_COLUMNS, COLUMNS);
        random_table(r, t);
        if (kind->is_cached)
            gw_state_load_cached(r->state, t);
        else if (!kind->hides || rnd(&r->w, 3))
            load_table(r, t, kind->hides);
    }
    gw_state_settle(r->state);
    for (uint32_t c = 0; c < CALLERS; c++)
        random_caller(r, r->callers[c], r->keys[c]);
}

static void run_end(struct run *r)
{
    gw_solver_free(r->solver);
    gw_state_free(r->state);
    for (uint32_t t = 0; t < W_TABLES; t++)
        gw_relation_unref(r->rels[t]);
    gw_arena_fini(&r->arena);
    rx_free(r->w.rx);
}

static void random_row(struct run *r, bool hides)
{
    for (uint32_t c = 0; c < W_COLUMNS; c++) {
        r->row[c] = r->seen[c] = random_datum(&r->w, W_KINDS[c]);
        if (hides && rnd(&r->w, 4) == 0)
            r->seen[c] = gw_datum_unknown();
    }
}

static void run_rows(struct run *r, const struct kind *kind)
{
    const struct gw_rules *rules = &r->w.rx->rules;
    for (uint32_t i = 0; i < ROWS; i++) {
        random_row(r, kind->hides);
        for (uint32_t p = 0; p < PLANS; p++) {
            check_plan(r, &rules->plans[p], GW_MUST, kind->hides);
            check_plan(r, &rules->plans[p], GW_MAY, kind->hides);
            check_plan(r, &rules->plans[p], rnd(&r->w, 2) ? GW_MUST : GW_NEUTRAL, kind->hides);
        }
        if (rnd(&r->w, 2))
            gw_solver_next_judgement(r->solver);
    }
}

static void run_changes(struct run *r, const struct kind *kind)
{
    const struct gw_rules *rules = &r->w.rx->rules;
    struct watched watched[PLANS];
    for (int round = 0; round < 3; round++) {
        run_rows(r, kind);
        for (uint32_t p = 0; p < PLANS; p++)
            watch_plan(r, &rules->plans[p], &watched[p]);
        change_tables(r);
        for (uint32_t p = 0; p < PLANS; p++)
            check_watched(r, &rules->plans[p], &watched[p]);
    }
    run_rows(r, kind);
}

static void run_many(uint32_t base, int n, const struct kind *kind)
{
    struct run *r = gw_alloc(sizeof *r);
    uint64_t solved = 0, exact = 0, unknown = 0;
    const char *more = getenv("GW_TEST_SEEDS");
    n = more ? atoi(more) : n;
    for (int i = 0; i < n; i++) {
        memset(r, 0, sizeof *r);
        run_begin(r, rnd_seed(base, i), kind);
        if (kind->hides)
            run_rows(r, kind);
        else
            run_changes(r, kind);
        run_end(r);
        solved += r->solved;
        exact += r->exact;
        unknown += r->unknown;
    }
    free(r);
    ck_assert(solved > 0 && exact > 0);
    if (more)
        fprintf(stderr, "%llu solved, %llu exact, %llu unknown\n", (unsigned long long)solved,
                (unsigned long long)exact, (unsigned long long)unknown);
}

START_TEST(test_solve_property_all_known_is_what_the_model_says)
{
    run_many(1, 150, &(struct kind){0});
}
END_TEST

START_TEST(test_solve_property_what_raises_admits_nobody_to_its_right)
{
    run_many(2, 150, &(struct kind){.may_raise = true, .has_external = true});
}
END_TEST

START_TEST(test_solve_property_cached_tables_are_asked_for_key_by_key)
{
    run_many(3, 60, &(struct kind){.is_cached = true});
}
END_TEST

START_TEST(test_solve_property_unknown_is_bounded_from_both_sides)
{
    run_many(4, 1500, &(struct kind){.hides = true});
}
END_TEST

START_TEST(test_solve_property_unknown_that_may_raise_is_bounded_too)
{
    run_many(5, 1500, &(struct kind){.hides = true, .may_raise = true, .has_external = true});
}
END_TEST

int main(void)
{
    Suite *s = suite_create("solve_property");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_solve_property_all_known_is_what_the_model_says);
    tcase_add_test(tc, test_solve_property_what_raises_admits_nobody_to_its_right);
    tcase_add_test(tc, test_solve_property_cached_tables_are_asked_for_key_by_key);
    tcase_add_test(tc, test_solve_property_unknown_is_bounded_from_both_sides);
    tcase_add_test(tc, test_solve_property_unknown_that_may_raise_is_bounded_too);
    suite_add_tcase(s, tc);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
