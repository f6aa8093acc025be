/* hub_catalog: the catalog in use, and when to load a newer one.
 *
 * Two things in the log say that the catalog changed; each is a barrier, and what comes behind it
 * waits for a catalog that has seen the change. Where `rowcast setup` installed its event trigger,
 * the commit that changes something says so itself; it may stand in the log before it is visible (a
 * moment, or as long as a synchronous standby takes): then the load is repeated. Without the
 * trigger there are Relation messages: Postgres sends one before a table's next row after its
 * relcache entry was invalidated (columns, policies, grants, RLS on or off). The wal link pauses
 * there until a catalog was read after that moment, by which the row's own transaction was visible
 * (the change may be part of it). Joins that name something unknown, rows that no
 * longer fit, and a slow poll (role membership, role attributes) ask for a newer one too.
 *
 * DESIGN. A load shows the catalog as it is now; the log may be behind. So a loaded catalog waits
 * as `next` until the log was read as far as the load could see: by then every barrier that it has
 * seen is known. It is the catalog as of the last of those, and is used from there on; what stands
 * before keeps the one it had. What waited for an earlier barrier finds none that is its own: one
 * changed the policies, the next changed them again before they could be read. Its rows are not
 * judged by policies that came later; its followers are told to load them again. */
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

static void drop_snapshots(struct gw_hub *h)
{
    gw_snapshot_fini(&h->next_seen);
    gw_snapshot_fini(&h->next_after);
}

static void add_barrier(struct gw_hub *h, uint32_t xid, bool is_relation)
{
    uint64_t n = h->barrier - h->barrier_answered;
    if (n == h->cap_barriers) {
        h->cap_barriers = h->cap_barriers ? h->cap_barriers * 2 : 16;
        h->barriers = gw_realloc(h->barriers, h->cap_barriers * sizeof *h->barriers);
    }
    h->barriers[n] = (struct catalog_barrier){xid, is_relation};
    h->barrier++;
}

void hub_catalog_on_relation(struct gw_hub *h, uint64_t relation_no, uint32_t xid)
{
    h->relation_wanted = relation_no;
    add_barrier(h, xid, true);
    hub_catalog_want(h);
}

void hub_catalog_changed(struct gw_hub *h, uint32_t xid)
{
    add_barrier(h, xid, false);
    if (!h->next || !gw_snapshot_sees(&h->next_seen, xid))
        hub_catalog_want(h);
}

static struct catalog_barrier *barrier_at(const struct gw_hub *h, uint64_t barrier)
{
    return &h->barriers[barrier - h->barrier_answered - 1];
}

/* loaded: the last barrier known when the load began. */
static bool has_seen(const struct gw_hub *h, const struct gw_snapshot *s, uint64_t loaded,
                     uint64_t barrier)
{
    const struct catalog_barrier *b = barrier_at(h, barrier);
    bool is_visible = b->xid == 0 || gw_snapshot_sees(s, b->xid);
    return is_visible && (barrier <= loaded || !b->is_relation);
}

static bool has_seen_what_it_was_for(const struct gw_hub *h, const struct gw_snapshot *s)
{
    for (uint64_t b = h->barrier_answered + 1; b <= h->barrier_loading; b++)
        if (!has_seen(h, s, h->barrier_loading, b))
            return false;
    return true;
}

static void answer_barriers(struct gw_hub *h, uint64_t answered)
{
    uint64_t n = answered - h->barrier_answered;
    uint64_t left = h->barrier - answered;
    if (n > 0 && left > 0)
        memmove(h->barriers, h->barriers + n, left * sizeof *h->barriers);
    h->barrier_answered = answered;
}

static void answer_wal(struct gw_hub *h)
{
    struct gw_wal_command *c = gw_alloc(sizeof *c);
    c->kind = GW_WAL_CATALOG;
    c->catalog = gw_catalog_ref(h->next);
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

/* ---- its place in the log ---- */

static void use_next(struct gw_hub *h)
{
    bool is_first = !h->catalog;
    gw_catalog_unref(h->catalog);
    h->catalog = h->next;
    h->next = NULL;
    drop_snapshots(h);
    h->catalog_at_ms = h->next_at_ms;
    if (is_first)
        log_first(h);
}

/* Whether it became visible during the load: next may have some of it. */
static bool is_half_seen(const struct gw_hub *h, uint64_t barrier)
{
    uint32_t xid = barrier_at(h, barrier)->xid;
    return xid && gw_snapshot_sees(&h->next_after, xid) && !gw_snapshot_sees(&h->next_seen, xid);
}

/* The last barrier up to which next has seen all; false: there is none that it is the catalog of
 * (it has half seen one, or a later one without an earlier one: they become visible in any order),
 * and another load is on its way. */
static bool find_place(const struct gw_hub *h, uint64_t *place)
{
    bool has_gap = false;
    *place = h->barrier_answered;
    for (uint64_t b = h->barrier_answered + 1; b <= h->barrier; b++) {
        if (is_half_seen(h, b))
            return false;
        if (!has_seen(h, &h->next_seen, h->next_barrier, b))
            has_gap = true;
        else if (has_gap)
            return false;
        else
            *place = b;
    }
    return true;
}

/* Arrivals from which barrier on are judged by their own policies: after the last announced change
 * that next has seen. Where the log could not be read as far as next could see (the look-ahead is
 * full), none that waited is sure of it, unless nothing changed. */
static uint64_t exact_from(const struct gw_hub *h, uint64_t place, bool is_reached)
{
    uint64_t from = h->barrier_answered;
    for (uint64_t b = h->barrier_answered + 1; b <= place; b++)
        if (!barrier_at(h, b)->is_relation)
            from = b;
    bool is_unchanged =
        from == h->barrier_answered && h->catalog && h->catalog->rules == h->next->rules;
    return is_reached || is_unchanged || !h->catalog ? from : place + 1;
}

void hub_catalog_settle(struct gw_hub *h)
{
    uint64_t place;
    if (!h->next)
        return;
    bool is_reached = hub_state_is_reached(h, h->next_after.horizon);
    if (!is_reached && hub_judge_has_room(h)) {
        hub_state_nudge(h);
        return;
    }
    if (!find_place(h, &place))
        return;
    uint64_t from = exact_from(h, place, is_reached);
    use_next(h);
    answer_barriers(h, place);
    hub_judge_on_catalog(h, from);
    hub_flight_on_catalog(h);
    hub_subscribe_retry(h);
}

static void take_next(struct gw_hub *h, struct gw_db_request *reply)
{
    gw_catalog_unref(h->next);
    drop_snapshots(h);
    h->next = reply->catalog;
    h->next_seen = reply->snapshot;
    h->next_barrier = h->barrier_loading;
    h->next_at_ms = h->catalog_load_started_ms;
    reply->catalog = NULL;
    h->next_after = reply->after;
    reply->snapshot = reply->after = (struct gw_snapshot){0};
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
    if (!has_seen_what_it_was_for(h, &reply->snapshot)) {
        /* A moment, as a rule; a standby that keeps it waiting is waited for with patience. */
        if (++h->unseen_loads <= UNSEEN_AT_ONCE)
            load(h);
        else
            h->catalog_retry_ms = gw_clock_mono_ms() + RETRY_MS;
        return;
    }
    h->unseen_loads = 0;
    h->catalog_retry_ms = 0;
    take_next(h, reply);
    answer_wal(h);
    if (h->catalog_again)
        load(h);
    hub_catalog_settle(h);
}

void hub_catalog_on_gap(struct gw_hub *h)
{
    gw_catalog_unref(h->next);
    drop_snapshots(h);
    h->next = NULL;
    for (uint64_t b = h->barrier_answered + 1; b <= h->barrier; b++)
        *barrier_at(h, b) = (struct catalog_barrier){.is_relation = true};
}

const struct gw_catalog *hub_catalog_newest(const struct gw_hub *h)
{
    return h->next ? h->next : h->catalog;
}

void hub_catalog_tick(struct gw_hub *h, int64_t now_ms)
{
    hub_catalog_settle(h);
    if (h->catalog_request)
        return;
    bool retry = h->catalog_retry_ms && now_ms >= h->catalog_retry_ms;
    bool is_old = now_ms - h->catalog_at_ms >= h->cfg.settings->catalog_poll_ms;
    bool poll = is_old && !h->catalog_retry_ms && !h->next;
    if (retry || poll)
        load(h);
}

void hub_catalog_fini(struct gw_hub *h)
{
    gw_catalog_unref(h->catalog);
    gw_catalog_unref(h->next);
    drop_snapshots(h);
    free(h->barriers);
}
