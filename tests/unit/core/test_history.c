/* The ring with one thread, where each outcome is exact, then with a writer and three readers, one
 * of which stalls: run it under TSan and ASan. Checks are made by the main thread; the threads only
 * count what they saw. */
#include "gw/history.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

static const struct gw_commit *got;
static uint64_t lost;

/* A commit whose transaction carries a word derived from stamp, so that a reader can tell a live
 * commit from a freed or a half-written one. */
static struct gw_commit *new_commit(size_t bytes, uint32_t stamp)
{
    struct gw_commit *c = gw_alloc(sizeof *c);
    c->txn = gw_alloc(sizeof *c->txn);
    gw_arena_init(&c->txn->arena, 0);
    c->resyncs = gw_arena_alloc(&c->txn->arena, sizeof *c->resyncs);
    c->resyncs[0].rel_oid = stamp * 2654435761U;
    c->n_resyncs = 1;
    c->txn->xid = stamp;
    c->bytes = bytes;
    return c;
}

static bool is_sound(const struct gw_commit *c)
{
    return c->txn->xid == (uint32_t)c->seq && c->n_resyncs == 1 &&
           c->resyncs[0].rel_oid == (uint32_t)c->seq * 2654435761U;
}

static uint64_t push(struct gw_history *h, size_t bytes)
{
    return gw_history_push(h, new_commit(bytes, (uint32_t)gw_history_head(h) + 1));
}

static void expect_commit(struct gw_history *h, unsigned reader, uint64_t seq)
{
    ck_assert_int_eq(gw_history_next(h, reader, &got, &lost), GW_READ_COMMIT);
    ck_assert_uint_eq(got->seq, seq);
    ck_assert(is_sound(got));
}

static void read_commit(struct gw_history *h, unsigned reader, uint64_t seq)
{
    expect_commit(h, reader, seq);
    gw_history_release(h, reader);
}

static void expect_lost(struct gw_history *h, unsigned reader, uint64_t n)
{
    ck_assert_int_eq(gw_history_next(h, reader, &got, &lost), GW_READ_LOST);
    ck_assert_uint_eq(lost, n);
}

/* ---- one thread ---- */

START_TEST(test_history_empty_has_nothing)
{
    struct gw_history *h = gw_history_new(2, 4, 0);
    ck_assert_uint_eq(gw_history_head(h), 0);
    ck_assert_uint_eq(gw_history_released(h), 0);
    ck_assert_uint_eq(gw_history_count(h), 0);
    ck_assert_int_eq(gw_history_next(h, 0, &got, &lost), GW_READ_NOTHING);
    gw_history_free(h);
    gw_history_free(NULL);
}
END_TEST

START_TEST(test_history_each_reader_gets_every_commit_in_order)
{
    struct gw_history *h = gw_history_new(2, 4, 0);
    ck_assert_uint_eq(push(h, 10), 1);
    ck_assert_uint_eq(push(h, 10), 2);
    read_commit(h, 0, 1);
    read_commit(h, 0, 2);
    ck_assert_int_eq(gw_history_next(h, 0, &got, &lost), GW_READ_NOTHING);
    read_commit(h, 1, 1);
    push(h, 10);
    read_commit(h, 1, 2);
    read_commit(h, 1, 3);
    read_commit(h, 0, 3);
    gw_history_free(h);
}
END_TEST

START_TEST(test_history_next_without_release_gives_the_same_commit)
{
    struct gw_history *h = gw_history_new(1, 4, 0);
    push(h, 1);
    push(h, 1);
    expect_commit(h, 0, 1);
    expect_commit(h, 0, 1);
    gw_history_release(h, 0);
    expect_commit(h, 0, 2);
    gw_history_free(h);
}
END_TEST

START_TEST(test_history_released_is_the_slowest_reader)
{
    struct gw_history *h = gw_history_new(2, 8, 0);
    for (int i = 0; i < 3; i++)
        push(h, 1);
    read_commit(h, 0, 1);
    read_commit(h, 0, 2);
    ck_assert_uint_eq(gw_history_released(h), 0);
    expect_commit(h, 1, 1);
    ck_assert_uint_eq(gw_history_released(h), 0); /* held is not released */
    gw_history_release(h, 1);
    ck_assert_uint_eq(gw_history_released(h), 1);
    read_commit(h, 1, 2);
    read_commit(h, 1, 3);
    ck_assert_uint_eq(gw_history_released(h), 2);
    gw_history_free(h);
}
END_TEST

START_TEST(test_history_without_readers_counts_all_as_released)
{
    struct gw_history *h = gw_history_new(0, 2, 0);
    for (int i = 0; i < 5; i++)
        push(h, 1);
    ck_assert_uint_eq(gw_history_released(h), 5);
    ck_assert_uint_eq(gw_history_count(h), 2);
    gw_history_free(h);
}
END_TEST

START_TEST(test_history_reader_past_the_window_is_told_how_much_it_lost)
{
    struct gw_history *h = gw_history_new(1, 4, 0);
    for (int i = 0; i < 10; i++)
        push(h, 1);
    ck_assert_uint_eq(gw_history_count(h), 4);
    expect_lost(h, 0, 6);
    ck_assert_uint_eq(gw_history_released(h), 6); /* what was skipped counts as released */
    for (uint64_t seq = 7; seq <= 10; seq++)
        read_commit(h, 0, seq);
    ck_assert_int_eq(gw_history_next(h, 0, &got, &lost), GW_READ_NOTHING);
    gw_history_free(h);
}
END_TEST

START_TEST(test_history_items_are_rounded_up_to_a_power_of_two)
{
    struct gw_history *h = gw_history_new(1, 3, 0);
    for (int i = 0; i < 9; i++)
        push(h, 1);
    ck_assert_uint_eq(gw_history_count(h), 4);
    gw_history_free(h);
    h = gw_history_new(1, 0, 0);
    push(h, 1);
    push(h, 1);
    ck_assert_uint_eq(gw_history_count(h), 1);
    expect_lost(h, 0, 1);
    read_commit(h, 0, 2);
    gw_history_free(h);
}
END_TEST

START_TEST(test_history_bytes_evict_the_oldest)
{
    struct gw_history *h = gw_history_new(1, 16, 100);
    push(h, 40);
    push(h, 40);
    push(h, 20); /* exactly full */
    ck_assert_uint_eq(gw_history_count(h), 3);
    ck_assert_uint_eq(gw_history_bytes(h), 100);
    push(h, 1);
    ck_assert_uint_eq(gw_history_count(h), 3);
    ck_assert_uint_eq(gw_history_bytes(h), 61);
    expect_lost(h, 0, 1);
    read_commit(h, 0, 2);
    gw_history_free(h);
}
END_TEST

START_TEST(test_history_commit_larger_than_the_bound_is_kept_alone)
{
    struct gw_history *h = gw_history_new(1, 16, 100);
    push(h, 50);
    push(h, 5000);
    ck_assert_uint_eq(gw_history_count(h), 1);
    ck_assert_uint_eq(gw_history_bytes(h), 5000);
    expect_lost(h, 0, 1);
    read_commit(h, 0, 2);
    push(h, 10);
    ck_assert_uint_eq(gw_history_count(h), 1);
    ck_assert_uint_eq(gw_history_bytes(h), 10);
    read_commit(h, 0, 3);
    push(h, SIZE_MAX);
    read_commit(h, 0, 4);
    gw_history_free(h);
}
END_TEST

START_TEST(test_history_held_commit_outlives_its_window)
{
    struct gw_history *h = gw_history_new(2, 2, 0);
    push(h, 1);
    expect_commit(h, 0, 1);
    const struct gw_commit *held = got;
    for (int i = 0; i < 20; i++)
        push(h, 1);
    ck_assert_uint_eq(held->seq, 1);
    ck_assert(is_sound(held));
    gw_history_release(h, 0);
    expect_lost(h, 0, 18); /* 2 … 19 */
    read_commit(h, 0, 20);
    read_commit(h, 0, 21);
    push(h, 1); /* frees what was held: the leak checker would tell */
    gw_history_free(h);
}
END_TEST

START_TEST(test_history_free_with_a_held_commit_frees_it)
{
    struct gw_history *h = gw_history_new(1, 1, 0);
    push(h, 1);
    expect_commit(h, 0, 1);
    push(h, 1);
    gw_history_free(h);
}
END_TEST

/* ---- threads ---- */

enum { N_READERS = 3, N_COMMITS = 20000 };

struct run {
    struct gw_history *h;
    uint32_t stall_at; /* the commit that the last reader holds until all are pushed */
    _Atomic bool is_stalled, is_written;
};

struct reader {
    struct run *run;
    unsigned index;
    bool stalls;
    uint64_t n_read, n_lost, n_unsound, n_disorder, last;
};

static void stall(struct run *run)
{
    atomic_store(&run->is_stalled, true);
    while (!atomic_load(&run->is_written))
        sched_yield();
}

static void take(struct reader *r, const struct gw_commit *c)
{
    r->n_read++;
    r->n_disorder += c->seq <= r->last;
    r->last = c->seq;
    if (r->stalls && c->seq == r->run->stall_at)
        stall(r->run);
    r->n_unsound += !is_sound(c);
    gw_history_release(r->run->h, r->index);
}

static void *read_all(void *arg)
{
    struct reader *r = arg;
    while (r->last < N_COMMITS) {
        const struct gw_commit *c;
        uint64_t missed;
        switch (gw_history_next(r->run->h, r->index, &c, &missed)) {
        case GW_READ_COMMIT:
            take(r, c);
            break;
        case GW_READ_LOST:
            r->n_lost += missed;
            break;
        case GW_READ_NOTHING:
            sched_yield();
            break;
        }
    }
    return NULL;
}

static void *write_all(void *arg)
{
    struct run *run = arg;
    for (uint32_t i = 1; i <= N_COMMITS; i++) {
        gw_history_push(run->h, new_commit(100 + i % 300, i));
        /* The stalling reader must have taken its commit while the ring still had it. */
        while (i == run->stall_at && !atomic_load(&run->is_stalled))
            sched_yield();
        if (i % 16 == 0)
            sched_yield();
    }
    atomic_store(&run->is_written, true);
    return NULL;
}

static void run_threads(size_t max_commits, size_t max_bytes, uint32_t stall_at)
{
    struct run run = {.h = gw_history_new(N_READERS, max_commits, max_bytes), .stall_at = stall_at};
    struct reader readers[N_READERS] = {0};
    pthread_t writer, threads[N_READERS];
    for (unsigned i = 0; i < N_READERS; i++) {
        readers[i] = (struct reader){.run = &run, .index = i, .stalls = i == N_READERS - 1};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
    }
    ck_assert_int_eq(pthread_create(&writer, NULL, write_all, &run), 0);
    pthread_join(writer, NULL);
    for (unsigned i = 0; i < N_READERS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < N_READERS; i++) {
        ck_assert_uint_eq(readers[i].n_read + readers[i].n_lost, N_COMMITS);
        ck_assert_uint_eq(readers[i].n_unsound, 0);
        ck_assert_uint_eq(readers[i].n_disorder, 0);
    }
    ck_assert_uint_ge(readers[N_READERS - 1].n_lost, N_COMMITS - stall_at - max_commits);
    ck_assert_uint_eq(gw_history_released(run.h), N_COMMITS);
    gw_history_free(run.h);
}

START_TEST(test_history_stalled_reader_changes_nothing_for_the_others)
{
    run_threads(8, 0, 5);
}
END_TEST

START_TEST(test_history_window_of_bytes_holds_under_threads)
{
    run_threads(64, 1000, 5);
}
END_TEST

/* With one slot every look of a reader races with the writer refilling it. */
START_TEST(test_history_refilled_slot_is_not_taken_for_the_old_one)
{
    for (int i = 0; i < 5; i++)
        run_threads(1, 0, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("history");
    TCase *tc = tcase_create("history");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_history_empty_has_nothing);
    tcase_add_test(tc, test_history_each_reader_gets_every_commit_in_order);
    tcase_add_test(tc, test_history_next_without_release_gives_the_same_commit);
    tcase_add_test(tc, test_history_released_is_the_slowest_reader);
    tcase_add_test(tc, test_history_without_readers_counts_all_as_released);
    tcase_add_test(tc, test_history_reader_past_the_window_is_told_how_much_it_lost);
    tcase_add_test(tc, test_history_items_are_rounded_up_to_a_power_of_two);
    tcase_add_test(tc, test_history_bytes_evict_the_oldest);
    tcase_add_test(tc, test_history_commit_larger_than_the_bound_is_kept_alone);
    tcase_add_test(tc, test_history_held_commit_outlives_its_window);
    tcase_add_test(tc, test_history_free_with_a_held_commit_frees_it);
    tcase_add_test(tc, test_history_stalled_reader_changes_nothing_for_the_others);
    tcase_add_test(tc, test_history_window_of_bytes_holds_under_threads);
    tcase_add_test(tc, test_history_refilled_slot_is_not_taken_for_the_old_one);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
