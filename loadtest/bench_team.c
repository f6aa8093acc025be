/* A team of very many members: what a change costs that all of them may see, when few of them are
 * connected; what a new member costs, and the first change after that. */
#include "bench_parts.h"
#include "bench_stream.h"
#include "bench_time.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 40
#define EDITS 10 /* of the trip, after each new member */
#define MEMBERS_CONNECTED 10

/* Time of one transaction each, in the order of load.write_team. */
struct timing {
    double joins[ROUNDS], firsts[ROUNDS], later[ROUNDS];
    unsigned rounds;
};

/* The next transaction; false: the stream is at its end. */
static bool play_one(const struct bench_log *log, struct bench_engine *e, uint32_t *at, double *us)
{
    uint64_t start = bench_cpu_ns();
    bool is_done = false;
    while (*at < log->n && !is_done)
        is_done = bench_engine_feed(e, bench_log_message(log, (*at)++));
    *us = (double)(bench_cpu_ns() - start) / 1000;
    return is_done;
}

static void play(const struct bench_stream *s, struct bench_engine *e, struct timing *t)
{
    uint32_t at = 0;
    bench_engine_reset(e);
    for (t->rounds = 0; t->rounds < ROUNDS; t->rounds++) {
        double us, sum = 0;
        if (!play_one(&s->log, e, &at, &t->joins[t->rounds]) ||
            !play_one(&s->log, e, &at, &t->firsts[t->rounds]))
            return;
        for (unsigned i = 1; i < EDITS; i++) {
            (void)play_one(&s->log, e, &at, &us);
            sum += us;
        }
        t->later[t->rounds] = sum / (EDITS - 1);
    }
}

static void connect_callers(struct bench_engine *e, uint32_t strangers)
{
    static const char *const followed[] = {"itinerary_items", "trip_collaborators", NULL};
    char user[40];
    for (uint32_t i = 1; i <= MEMBERS_CONNECTED; i++) {
        bench_user_id(user, "member", i);
        bench_engine_connect(e, user, followed);
    }
    for (uint32_t i = 1; i <= strangers; i++) {
        bench_user_id(user, "stranger", i);
        bench_engine_connect(e, user, followed);
    }
}

static void measure(struct bench *b, const struct bench_stream *s, uint32_t strangers)
{
    struct timing t;
    struct bench_engine *e = bench_engine_new(b->catalog, s->rows);
    connect_callers(e, strangers);
    play(s, e, &t);
    if (t.rounds == 0) {
        fprintf(stderr, "the team's stream is empty\n");
        exit(EXIT_FAILURE);
    }
    double warm = bench_median(t.later, t.rounds), first = bench_median(t.firsts, t.rounds);
    double member = bench_median(t.joins, t.rounds);
    bench_row("%s | %.1f | %.1f | %.1f", BENCH_TEXT(strangers), warm, first, member);
    bench_report_add(&b->report, warm, "team.%u.warm_us", strangers);
    bench_report_add(&b->report, first, "team.%u.first_us", strangers);
    bench_report_add(&b->report, member, "team.%u.member_us", strangers);
    bench_engine_free(e);
}

void bench_team(struct bench *b)
{
    struct bench_stream s;
    bench_db_exec(b->db, "CALL load.team(%u)", b->team);
    s.rows = bench_db_read_state(b->db, b->catalog);
    bench_db_mark(b->db);
    bench_db_exec(b->db, "CALL load.write_team(%d, %d)", ROUNDS, EDITS);
    bench_db_record(b->db, &s.log);
    bench_heading("A team of 100 000 members, ten of them connected: µs a transaction");
    bench_row("other callers connected | an item edited | the first edit after a new member | a "
              "new member");
    bench_row("---: | ---: | ---: | ---:");
    measure(b, &s, 1000);
    measure(b, &s, b->many);
    bench_stream_fini(&s);
}
