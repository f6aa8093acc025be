/* WALRUS: the same changes and the same subscribers, judged by walrus.sql in this Postgres and by
 * Rowcast in this process, one after the other. CPU time on both sides: of the server's one
 * process there, of this thread here.
 *
 * The stream is of itinerary_items alone: its policy, two look-ups by key, is the one that a probe
 * answers fastest of those that look up. What a probe costs under the others is measured on its
 * own; with all tables in one stream the probes would never end. */
#include "bench_parts.h"
#include "bench_stream.h"
#include "bench_time.h"

#include "gw/pgoutput.h"

#include <stdio.h>
#include <stdlib.h>

#define PROBES 40000 /* of one timed WALRUS round, about */
#define ITEMS 370    /* kinds of load.write_one below it */
#define ENVELOPE_BYTES 25
#define PROBED_SUBSCRIBERS 20
#define PROBED_ROWS 2

static const uint32_t subscriber_counts[] = {500, 1500, 3000};

static void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(EXIT_FAILURE);
}

/* The first column is the primary key in every table here. */
static void add_change(struct gw_buf *copy, uint32_t n, const struct gw_pgoutput_msg *m)
{
    static const char *const ops[] = {[GW_PGOUTPUT_INSERT] = "INSERT",
                                      [GW_PGOUTPUT_UPDATE] = "UPDATE",
                                      [GW_PGOUTPUT_DELETE] = "DELETE"};
    const struct gw_tuple *row = m->kind == GW_PGOUTPUT_DELETE ? &m->u.row.old : &m->u.row.new_;
    gw_buf_printf(copy, "%u\t%u\t%s\t%.*s\n", n, m->u.row.rel_oid, ops[m->kind],
                  (int)row->datums[0].value.n, row->datums[0].value.p);
}

static uint32_t list_changes(const struct bench_log *log, struct gw_buf *copy)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < log->n; i++) {
        struct gw_span message = bench_log_message(log, i);
        struct gw_span payload = {message.p + ENVELOPE_BYTES, message.n - ENVELOPE_BYTES};
        struct gw_pgoutput_msg decoded;
        struct gw_err err = {0};
        struct gw_arena arena;
        gw_arena_init(&arena, 0);
        if (gw_pgoutput_decode(payload, &arena, &decoded, &err) != GW_OK)
            die(err.text);
        if (decoded.kind == GW_PGOUTPUT_INSERT || decoded.kind == GW_PGOUTPUT_UPDATE ||
            decoded.kind == GW_PGOUTPUT_DELETE)
            add_change(copy, ++n, &decoded);
        gw_arena_fini(&arena);
    }
    return n;
}

/* What the server spends on one statement. */
static double query_ns(struct bench *b, const char *sql)
{
    uint64_t cpu = bench_db_cpu_ns(b->db), wall = bench_wall_ns();
    PQclear(bench_db_query(b->db, sql));
    uint64_t spent = bench_db_cpu_ns(b->db) - cpu;
    return (double)(spent ? spent : bench_wall_ns() - wall);
}

static double walrus_rate(struct bench *b, uint32_t subscribers, uint32_t n_changes)
{
    double rate[BENCH_ROUNDS];
    char sql[120];
    uint32_t how_many = PROBES / subscribers;
    for (unsigned i = 0; i < BENCH_ROUNDS; i++) {
        uint32_t first = 1 + (i * n_changes / BENCH_ROUNDS);
        snprintf(sql, sizeof sql, "SELECT * FROM walrus.judge(%u, %u)", first, how_many);
        rate[i] = how_many * 1e9 / query_ns(b, sql);
    }
    return bench_median(rate, BENCH_ROUNDS);
}

static double rowcast_rate(struct bench *b, const struct bench_stream *s, uint32_t subscribers)
{
    static const char *const followed[] = {"itinerary_items", NULL};
    double rate[BENCH_ROUNDS];
    char user[40];
    struct bench_engine *e = bench_engine_new(b->catalog, s->rows);
    for (uint32_t i = 1; i <= subscribers; i++) {
        bench_user_id(user, "user", i);
        bench_engine_connect(e, user, followed);
    }
    for (unsigned i = 0; i < BENCH_ROUNDS; i++) {
        struct bench_played played = bench_stream_play(s, e);
        rate[i] = (double)played.rows * 1e9 / (double)played.cpu_ns;
    }
    bench_engine_free(e);
    return bench_median(rate, BENCH_ROUNDS);
}

static void copy_in(struct bench *b, struct gw_buf *copy)
{
    bench_db_exec(b->db, "TRUNCATE walrus.change");
    bench_db_copy(b->db, "walrus.change", gw_buf_span(copy));
    bench_db_exec(b->db, "VACUUM ANALYZE");
}

/* ---- one probe ---- */

static double probe_us(struct bench *b, const struct gw_catalog_table *t)
{
    bench_db_exec(b->db, "TRUNCATE walrus.change");
    bench_db_exec(b->db,
                  "INSERT INTO walrus.change SELECT row_number() OVER (), 'public.%.*s'::regclass, "
                  "'INSERT', %.*s FROM public.%.*s LIMIT %d",
                  (int)t->name.n, t->name.p, (int)t->columns[0].name.n, t->columns[0].name.p,
                  (int)t->name.n, t->name.p, PROBED_ROWS);
    double ns = query_ns(b, "SELECT * FROM walrus.judge(1, 1000)");
    return ns / 1000 / PROBED_ROWS / PROBED_SUBSCRIBERS;
}

static void measure_probes(struct bench *b)
{
    bench_db_exec(b->db, "CALL walrus.subscribe(%d)", PROBED_SUBSCRIBERS);
    bench_heading("One probe, by the table it is about");
    bench_row("table | µs");
    bench_row("--- | ---:");
    for (uint32_t i = 0; i < b->catalog->n_tables; i++) {
        const struct gw_catalog_table *t = &b->catalog->tables[i];
        if (!t->published || !t->rls_enabled)
            continue;
        double us = probe_us(b, t);
        bench_row("%.*s | %s", (int)t->name.n, t->name.p, BENCH_TEXT(us));
        bench_report_add(&b->report, us, "walrus.%.*s.probe_us", (int)t->name.n, t->name.p);
    }
}

void bench_walrus(struct bench *b)
{
    struct bench_stream s;
    struct gw_buf copy;
    bench_stream_write(&s, b->db, b->catalog, &(struct bench_workload){b->writes, 1, ITEMS});
    gw_buf_init(&copy, 0);
    uint32_t n = list_changes(&s.log, &copy);
    copy_in(b, &copy);
    bench_heading(
        "Against one probe per subscriber (WALRUS's algorithm), same changes and subscribers");
    bench_row("subscribers | probes, rows/s | Rowcast, rows/s | ratio");
    bench_row("---: | ---: | ---: | ---:");
    for (unsigned i = 0; i < sizeof subscriber_counts / sizeof *subscriber_counts; i++) {
        uint32_t subscribers = subscriber_counts[i];
        bench_db_exec(b->db, "CALL walrus.subscribe(%u)", subscribers);
        double walrus = walrus_rate(b, subscribers, n);
        double rowcast = rowcast_rate(b, &s, subscribers);
        bench_row("%s | %.1f | %s | **%s**", BENCH_TEXT(subscribers), walrus, BENCH_TEXT(rowcast),
                  BENCH_TEXT(rowcast / walrus));
        bench_report_add(&b->report, walrus, "walrus.%u.probes_rows_per_s", subscribers);
        bench_report_add(&b->report, rowcast, "walrus.%u.rowcast_rows_per_s", subscribers);
    }
    measure_probes(b);
    gw_buf_fini(&copy);
    bench_stream_fini(&s);
}
