/* hub_catalog: the catalog in use, and when to load a newer one.
 *
 * A Relation message says that something about a table may have changed (columns, policies, grants,
 * RLS on or off: Postgres sends it after the relcache entry was invalidated). The wal link pauses
 * there; the catalog is read after that moment, put in use, and only then do later rows flow. Joins
 * that name something unknown, rows that no longer fit, and a slow poll (role membership, role
 * attributes) ask for a newer one too.
 *
 * Where `rowcast setup` installed its event trigger, the commit that changes the catalog says so in the
 * log; it and all behind it wait for a catalog that has seen it. It may stand in the log before
 * it is visible (a moment, or as long as a synchronous standby takes): then the load is
 * repeated. A Relation message needs no such care: what it tells of holds a lock on the table until
 * it is visible, and the row behind the message had to wait for that. */
#include "hub_internal.h"

#include <stdlib.h>

#define RETRY_MS 250
#define UNSEEN_AT_ONCE 5

static void load(struct gw_hub *h)
{
    struct gw_db_request *r = gw_db_request_new(GW_DB_CATALOG, h->next_request_id++);
    h->catalog_request = r->id;
    h->catalog_again = false;
    h->relation_loading = h->relation_wanted;
    h->barrier_loading = h->barrier;
    h->catalog_load_started_ms = gw_clock_mono_ms();
    hub_post(&h->to_db, r);
}

void hub_catalog_want(struct gw_hub *h)
{
    if (h->catalog_request)
        h->catalog_again = true;
    else
        load(h);
}

void hub_catalog_on_relation(struct gw_hub *h, uint64_t relation_no)
{
    h->relation_wanted = relation_no;
    hub_catalog_want(h);
}

void hub_catalog_changed(struct gw_hub *h, uint32_t xid)
{
    uint64_t n = h->barrier - h->barrier_answered;
    if (n == h->cap_barriers) {
        h->cap_barriers = h->cap_barriers ? h->cap_barriers * 2 : 16;
        h->barrier_xids =
            gw_realloc(h->barrier_xids, h->cap_barriers * sizeof *h->barrier_xids);
    }
    h->barrier_xids[n] = xid;
    h->barrier++;
    hub_catalog_want(h);
}

static bool has_seen_barriers(const struct gw_hub *h, const struct gw_snapshot *s)
{
    for (uint64_t i = 0; i < h->barrier_loading - h->barrier_answered; i++)
        if (!gw_snapshot_sees(s, h->barrier_xids[i]))
            return false;
    return true;
}

static void answer_barriers(struct gw_hub *h)
{
    uint64_t n = h->barrier_loading - h->barrier_answered;
    uint64_t left = h->barrier - h->barrier_loading;
    if (n > 0 && left > 0)
        memmove(h->barrier_xids, h->barrier_xids + n, left * sizeof *h->barrier_xids);
    h->barrier_answered = h->barrier_loading;
}

static void answer_wal(struct gw_hub *h)
{
    struct gw_wal_command *c = gw_alloc(sizeof *c);
    c->kind = GW_WAL_CATALOG;
    c->catalog = gw_catalog_ref(h->catalog);
    c->relation_no = h->relation_loading;
    hub_post(&h->to_wal, c);
    h->relation_answered = h->relation_loading;
}

static void log_first(const struct gw_hub *h)
{
    const struct gw_catalog *c = h->catalog;
    uint32_t published = 0;
    for (uint32_t i = 0; i < c->n_tables; i++)
        published += c->tables[i].published;
    gw_log(GW_LOG_INFO, "catalog_loaded", "published_tables=%u tables=%u functions=%u", published,
           c->n_tables, c->n_functions);
    for (uint32_t i = 0; i < c->n_roles; i++)
        if (!(c->roles_present >> i & 1))
            gw_log(GW_LOG_WARN, "role_missing", "role=%.*s", (int)c->roles[i].n, c->roles[i].p);
}

void hub_catalog_on_reply(struct gw_hub *h, struct gw_db_request *reply)
{
    h->catalog_request = 0;
    if (reply->code != GW_OK) {
        gw_log_err(h->catalog ? GW_LOG_WARN : GW_LOG_ERROR, "catalog_load_failed", &reply->err);
        h->catalog_retry_ms = gw_clock_mono_ms() + RETRY_MS;
        hub_let_server_go(h); /* the stream may be paused at a Relation message */
        return;
    }
    if (!has_seen_barriers(h, &reply->snapshot)) {
        /* A moment, as a rule; a standby that keeps it waiting is waited for with patience. */
        if (++h->unseen_loads <= UNSEEN_AT_ONCE)
            load(h);
        else
            h->catalog_retry_ms = gw_clock_mono_ms() + RETRY_MS;
        return;
    }
    h->unseen_loads = 0;
    bool is_first = !h->catalog;
    gw_catalog_unref(h->catalog);
    h->catalog = reply->catalog;
    reply->catalog = NULL;
    h->catalog_at_ms = h->catalog_load_started_ms;
    h->catalog_retry_ms = 0;
    if (is_first)
        log_first(h);
    answer_barriers(h);
    hub_judge_on_catalog(h);
    hub_flight_on_catalog(h);
    answer_wal(h);
    hub_subscribe_retry(h);
    if (h->catalog_again)
        load(h);
}

void hub_catalog_tick(struct gw_hub *h, int64_t now_ms)
{
    if (h->catalog_request)
        return;
    bool retry = h->catalog_retry_ms && now_ms >= h->catalog_retry_ms;
    bool poll =
        !h->catalog_retry_ms && now_ms - h->catalog_at_ms >= h->cfg.settings->catalog_poll_ms;
    if (retry || poll)
        load(h);
}

void hub_catalog_fini(struct gw_hub *h)
{
    gw_catalog_unref(h->catalog);
    free(h->barrier_xids);
}
