/* wal_fixture: one Postgres for the program, and the hub's part played for the replication link: it
 * takes events, answers RELATION with a catalog, and says what is flushed. */
#ifndef GW_TEST_WAL_FIXTURE_H
#define GW_TEST_WAL_FIXTURE_H

#include "wal_link.h"

#include "../support/pg.h"
#include "loop.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WAIT_MS 30000

static struct gw_test_pg *pg;

struct hub {
    struct gw_wal_config cfg;
    struct gw_wal_link *link;
    struct gw_mailbox *events, *commands;
    bool keeps_paused; /* do not answer RELATION */
};

static void drop_event(void *e)
{
    gw_wal_event_free(e);
}
static void drop_command(void *c)
{
    gw_wal_command_free(c);
}

static void hub_open_as(struct hub *h, const char *role, const char *slot, const char *publications,
                        size_t box_bytes)
{
    struct gw_err err = {0};
    *h = (struct hub){.cfg = {.conninfo = strdup(gw_test_pg_url(pg, role)),
                              .slot = slot,
                              .publications = publications,
                              .max_txn_bytes = 8 << 20}};
    h->link = gw_wal_link_new(&h->cfg);
    h->events = gw_mailbox_new(1024, box_bytes, NULL, NULL);
    h->commands = gw_mailbox_new(64, 0, gw_loop_wake, gw_wal_link_loop(h->link));
    ck_assert_int_eq(gw_wal_link_start(h->link, h->events, h->commands, &err), GW_OK);
}

static void hub_open(struct hub *h, const char *slot)
{
    hub_open_as(h, NULL, slot, "pub", 0);
}

static void hub_close(struct hub *h)
{
    gw_wal_link_stop(h->link);
    gw_wal_link_free(h->link);
    gw_mailbox_free(h->events, drop_event);
    gw_mailbox_free(h->commands, drop_command);
    free((char *)h->cfg.conninfo);
}

static void hub_command(struct hub *h, enum gw_wal_command_kind kind, uint64_t relation_no)
{
    struct gw_wal_command *c = calloc(1, sizeof *c);
    c->kind = kind;
    c->relation_no = relation_no;
    if (kind == GW_WAL_CATALOG)
        c->catalog = gw_catalog_new();
    ck_assert_int_eq(gw_mailbox_push(h->commands, c, 0), GW_OK);
}

/* The next event of that kind (owned); RELATIONs on the way are answered, others dropped. NULL when
 * another of kind `stop` comes first. */
static struct gw_wal_event *hub_wait(struct hub *h, enum gw_wal_event_kind kind, int stop)
{
    int64_t until = gw_clock_mono_ms() + WAIT_MS;
    while (gw_clock_mono_ms() < until) {
        struct gw_wal_event *e = gw_mailbox_pop(h->events);
        if (!e) {
            usleep(500);
            continue;
        }
        if (e->kind == GW_WAL_RELATION && !h->keeps_paused)
            hub_command(h, GW_WAL_CATALOG, e->relation_no);
        if (e->kind == kind)
            return e;
        int seen = (int)e->kind;
        gw_wal_event_free(e);
        if (seen == stop)
            return NULL;
    }
    ck_abort_msg("no event of kind %d", (int)kind);
    return NULL;
}

static struct gw_lsn hub_connected(struct hub *h)
{
    struct gw_wal_event *e = hub_wait(h, GW_WAL_CONNECTED, -1);
    struct gw_lsn lsn = e->lsn;
    gw_wal_event_free(e);
    return lsn;
}

static struct gw_err hub_failure(struct hub *h)
{
    struct gw_wal_event *e = hub_wait(h, GW_WAL_DISCONNECTED, -1);
    struct gw_err err = e->err;
    gw_wal_event_free(e);
    return err;
}

/* The next transaction with changes (owned). */
static struct gw_wal_event *hub_txn(struct hub *h)
{
    for (;;) {
        struct gw_wal_event *e = hub_wait(h, GW_WAL_TXN, -1);
        if (e->txn->n_changes > 0)
            return e;
        gw_wal_event_free(e);
    }
}

/* The single change of the next transaction has op and the given first column. Returns its end. */
static struct gw_lsn expect(struct hub *h, enum gw_op op, const char *id)
{
    struct gw_wal_event *e = hub_txn(h);
    ck_assert_uint_eq(e->txn->n_changes, 1);
    const struct gw_change *change = &e->txn->changes[0];
    const struct gw_image *image = change->new_ ? change->new_ : change->old;
    struct gw_lsn end = e->txn->end_lsn;
    ck_assert_int_eq(change->op, op);
    ck_assert_msg(gw_span_is(image->cells[0].text, id), "expected %s, got %.*s", id,
                  (int)image->cells[0].text.n, image->cells[0].text.p);
    gw_wal_event_free(e);
    return end;
}

static void exec(const char *sql)
{
    gw_test_pg_exec(pg, sql);
}

static bool wait_value(const char *sql, const char *wanted)
{
    char got[128];
    for (int64_t until = gw_clock_mono_ms() + WAIT_MS; gw_clock_mono_ms() < until;) {
        if (strcmp(gw_test_pg_value(pg, sql, got, sizeof got), wanted) == 0)
            return true;
        usleep(20000);
    }
    return false;
}

static void drop_slot(const char *slot)
{
    char sql[300];
    snprintf(
        sql, sizeof sql,
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = "
        "'%s' AND active_pid IS NULL",
        slot);
    char gone[300];
    snprintf(gone, sizeof gone, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '%s'",
             slot);
    for (int64_t until = gw_clock_mono_ms() + WAIT_MS; gw_clock_mono_ms() < until;) {
        exec(sql);
        char got[8];
        if (strcmp(gw_test_pg_value(pg, gone, got, sizeof got), "0") == 0)
            return;
        usleep(20000);
    }
    ck_abort_msg("slot %s stays active", slot);
}

static void setup(void)
{
    pg = gw_test_pg_new();
    exec("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE PUBLICATION pub FOR TABLE t");
}

static void teardown(void)
{
    gw_test_pg_free(pg);
}

#endif
