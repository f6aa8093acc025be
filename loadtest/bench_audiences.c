/* Audiences: a row of a table and the access state → the formula → the connected callers it admits,
 * for real rows of every published table. Warm: the answers of sub-selects are remembered. First
 * touch: nothing is, every row's look-ups are made anew. */
#include "bench_engine.h"
#include "bench_parts.h"
#include "bench_time.h"

#include <stdio.h>
#include <stdlib.h>

#define SAMPLE_ROWS 5000
#define CONNECTED 1000
#define MIN_NS UINT64_C(150000000) /* of a timed warm round */
#define TABLES_MAX 16

/* Rows of one table, as the judge would hand them to the solver. */
struct sample {
    const struct gw_catalog_table *table;
    const struct gw_plan *plan; /* NULL: no policy is to be solved */
    uint32_t n;
    struct gw_datum *cells; /* row-major, n_columns each */
    double warm, first;     /* solutions/s, median */
};

struct samples {
    struct gw_arena arena;
    struct bench_engine *engine;
    uint32_t n;
    struct sample all[TABLES_MAX];
    uint64_t readers; /* found by the last pass */
};

/* ---- samples ---- */

static struct gw_datum read_cell(struct samples *s, const struct gw_catalog *catalog,
                                 const struct gw_catalog_column *column, const PGresult *r, int row,
                                 int at)
{
    enum gw_kind kind =
        column->is_opaque ? GW_KIND_OPAQUE : gw_kind_of(&catalog->types, column->type_oid);
    if (PQgetisnull(r, row, at))
        return gw_datum_null(kind);
    struct gw_span text = {PQgetvalue(r, row, at), (size_t)PQgetlength(r, row, at)};
    return gw_datum_of(kind, gw_arena_copy(&s->arena, text));
}

static void sample_read(struct samples *s, struct bench *b, const struct gw_catalog_table *t)
{
    struct gw_buf sql;
    gw_buf_init(&sql, 0);
    for (uint16_t i = 0; i < t->n_columns; i++)
        gw_buf_printf(&sql, "%s%.*s", i ? ", " : "SELECT ", (int)t->columns[i].name.n,
                      t->columns[i].name.p);
    gw_buf_printf(&sql, " FROM public.%.*s AS t ORDER BY md5(t.%.*s::text) LIMIT %d",
                  (int)t->name.n, t->name.p, (int)t->columns[0].name.n, t->columns[0].name.p,
                  SAMPLE_ROWS);
    PGresult *r = bench_db_query(b->db, gw_buf_cstr(&sql));
    struct sample *out = &s->all[s->n++];
    *out = (struct sample){.table = t, .n = (uint32_t)PQntuples(r)};
    const struct gw_table_access *access = &t->access[BENCH_AUTHENTICATED];
    if (access->path == GW_PATH_SOLVED || access->path == GW_PATH_ASSISTED)
        out->plan = access->plan;
    out->cells =
        gw_arena_alloc(&s->arena, ((size_t)out->n * t->n_columns + 1) * sizeof *out->cells);
    for (uint32_t row = 0; row < out->n; row++)
        for (uint16_t i = 0; i < t->n_columns; i++)
            out->cells[(size_t)row * t->n_columns + i] =
                read_cell(s, b->catalog, &t->columns[i], r, (int)row, i);
    PQclear(r);
    gw_buf_fini(&sql);
}

/* ---- solving ---- */

static void solve_row(struct samples *s, const struct sample *t, uint32_t row)
{
    static const struct gw_solve_options options = {.certainty = GW_MUST};
    struct gw_solve_row judged = {.n = t->table->n_columns,
                                  .cells = &t->cells[(size_t)row * t->table->n_columns]};
    struct gw_formula *f = NULL;
    struct gw_callers_found found;
    if (gw_solve(s->engine->solver, t->plan, t->plan->expr, &judged, &options, &f, NULL) != GW_OK) {
        fprintf(stderr, "a row of %.*s could not be solved\n", (int)t->table->name.n,
                t->table->name.p);
        exit(EXIT_FAILURE);
    }
    gw_callers_find(s->engine->callers, t->plan, f, &found);
    s->readers += found.n;
    gw_formula_unref(f);
}

static void pass(struct samples *s, const struct sample *t)
{
    s->readers = 0;
    for (uint32_t row = 0; row < t->n; row++)
        solve_row(s, t, row);
}

static double first_touch(struct samples *s, const struct sample *t)
{
    gw_solver_set_rules(s->engine->solver, s->engine->catalog->rules);
    uint64_t start = bench_cpu_ns();
    pass(s, t);
    return t->n * 1e9 / (double)(bench_cpu_ns() - start);
}

static double warm(struct samples *s, const struct sample *t)
{
    uint64_t n = 0, start = bench_cpu_ns(), ns = 0;
    for (; ns < MIN_NS; ns = bench_cpu_ns() - start, n += t->n)
        pass(s, t);
    return (double)n * 1e9 / (double)ns;
}

static void measure(struct samples *s, struct sample *t)
{
    double first[BENCH_ROUNDS], again[BENCH_ROUNDS];
    for (unsigned i = 0; i < BENCH_ROUNDS; i++) {
        first[i] = first_touch(s, t);
        again[i] = warm(s, t);
    }
    t->first = bench_median(first, BENCH_ROUNDS);
    t->warm = bench_median(again, BENCH_ROUNDS);
}

/* All tables in turn, a row each. */
static uint64_t mixed_pass(struct samples *s)
{
    uint64_t n = 0;
    for (uint32_t row = 0; row < SAMPLE_ROWS; row++)
        for (uint32_t i = 0; i < s->n; i++) {
            if (!s->all[i].plan)
                continue;
            solve_row(s, &s->all[i], row % s->all[i].n);
            n++;
        }
    return n;
}

static double mixed_rate(struct samples *s)
{
    uint64_t start = bench_cpu_ns();
    uint64_t n = mixed_pass(s);
    return (double)n * 1e9 / (double)(bench_cpu_ns() - start);
}

static void measure_mixed(struct samples *s, struct bench *b)
{
    double first[BENCH_ROUNDS], again[BENCH_ROUNDS];
    for (unsigned i = 0; i < BENCH_ROUNDS; i++) {
        gw_solver_set_rules(s->engine->solver, s->engine->catalog->rules);
        first[i] = mixed_rate(s);
        again[i] = mixed_rate(s);
    }
    double at_first = bench_median(first, BENCH_ROUNDS), later = bench_median(again, BENCH_ROUNDS);
    bench_row("**all, in turn** | | **%s** | **%s**", BENCH_TEXT(later), BENCH_TEXT(at_first));
    struct gw_solver_stats stats;
    gw_solver_stats(s->engine->solver, &stats);
    printf("\nRemembered answers take %.1f MiB then.\n", (double)stats.memo_bytes / (1 << 20));
    bench_report_add(&b->report, (double)stats.memo_bytes, "audiences.mixed.memo_bytes");
    bench_report_add(&b->report, later, "audiences.mixed.warm_per_s");
    bench_report_add(&b->report, at_first, "audiences.mixed.first_touch_per_s");
}

/* ---- memory ---- */

static void print_memory(struct samples *s, struct bench *b)
{
    struct bench_engine *e = s->engine;
    const struct gw_rules *rules = b->catalog->rules;
    double rows = 0, bytes = 0;
    bench_heading("Access state, resident");
    bench_row("table | columns | rows | KiB | bytes/row");
    bench_row("--- | --- | ---: | ---: | ---:");
    for (uint32_t i = 0; i < rules->n_tables; i++) {
        const struct gw_state_table_def *def = &rules->tables[i];
        double n = e->rows->reads[i].n_rows, size = (double)gw_state_table_bytes(e->state, i);
        rows += n;
        bytes += size;
        bench_row("%.*s | %u, %u indexes | %s | %s | %.0f", (int)def->name.n, def->name.p,
                  def->n_columns, def->n_indexes, BENCH_TEXT(n), BENCH_TEXT(size / 1024),
                  n > 0 ? size / n : 0);
        bench_report_add(&b->report, n > 0 ? size / n : 0, "state.%.*s.bytes_per_row",
                         (int)def->name.n, def->name.p);
    }
    bench_row("**together** | | %s | %s | **%.0f**", BENCH_TEXT(rows), BENCH_TEXT(bytes / 1024),
              rows > 0 ? bytes / rows : 0);
    bench_report_add(&b->report, rows > 0 ? bytes / rows : 0, "state.bytes_per_row");
}

static void print_sample(struct bench *b, const struct sample *t)
{
    int n = (int)t->table->name.n;
    const char *name = t->table->name.p;
    const char *path = gw_path_name(t->table->access[BENCH_AUTHENTICATED].path);
    if (!t->plan) {
        bench_row("%.*s | %s | – | –", n, name, path);
        return;
    }
    bench_row("%.*s | %s | %s | %s", n, name, path, BENCH_TEXT(t->warm), BENCH_TEXT(t->first));
    bench_report_add(&b->report, t->warm, "audiences.%.*s.warm_per_s", n, name);
    bench_report_add(&b->report, t->first, "audiences.%.*s.first_touch_per_s", n, name);
}

void bench_audiences(struct bench *b)
{
    static const char *const everything[] = {"*", NULL};
    struct samples s = {0};
    struct gw_db_request *rows = bench_db_read_state(b->db, b->catalog);
    char user[40];
    gw_arena_init(&s.arena, 0);
    s.engine = bench_engine_new(b->catalog, rows);
    for (uint32_t i = 1; i <= CONNECTED; i++) {
        bench_user_id(user, "user", i);
        bench_engine_connect(s.engine, user, everything);
    }
    for (uint32_t i = 0; i < b->catalog->n_tables && s.n < TABLES_MAX; i++)
        if (b->catalog->tables[i].published)
            sample_read(&s, b, &b->catalog->tables[i]);
    bench_heading("Audiences per second, 1 000 connected callers");
    bench_row("table | path | warm | first touch");
    bench_row("--- | --- | ---: | ---:");
    for (uint32_t i = 0; i < s.n; i++) {
        if (s.all[i].plan)
            measure(&s, &s.all[i]);
        print_sample(b, &s.all[i]);
    }
    measure_mixed(&s, b);
    print_memory(&s, b);
    bench_engine_free(s.engine);
    gw_db_request_free(rows);
    gw_arena_fini(&s.arena);
}
