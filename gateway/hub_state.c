/* hub_state: reading the access state, and putting what was read in its place.
 *
 * DESIGN. A read happens now; the transaction being judged is in the past. Between the two lie
 * commits that the read contains and that still stand in the arrivals: they are taken back, newest
 * first, and come again when they are applied. To know them all, the log must have been read as far
 * as the read's horizon: the reply waits for that, and the server is nudged to say how far it is.
 * The other way round, commits that were applied already must be in the read; one that is not
 * visible yet (synchronous replication) means reading again.
 *
 * If the log is further behind than ROWCAST_LOOKAHEAD_BYTES can hold, the read cannot be placed.
 * Then we are catching up: nothing that rests on those tables is known, changes are denied and
 * their tables owed a resync, until the log has passed the horizon; then they are read again. */
#include "hub_internal.h"

#include <stdlib.h>

#define RETRY_MS 250
#define REREAD_MS 10
#define REREADS_MAX 200
#define FAILED_RETRY_MS 5000
#define LOG_PAGE 8192u          /* XLOG_BLCKSZ */
#define LOG_PAGE_HEADER_MAX 40u /* SizeOfXLogLongPHD */

/* ---- the log's position ---- */

/* The insert position may stand behind a page header where no record is yet. */
static uint64_t last_record_end(struct gw_lsn horizon)
{
    uint64_t in_page = horizon.v % LOG_PAGE;
    return in_page <= LOG_PAGE_HEADER_MAX ? horizon.v - in_page : horizon.v;
}

bool hub_state_is_reached(const struct gw_hub *h, struct gw_lsn horizon)
{
    return h->judging.read_lsn.v >= last_record_end(horizon);
}

void hub_state_nudge(struct gw_hub *h)
{
    int64_t now = gw_clock_mono_ms();
    if (now == h->judging.nudged_at_ms || !h->streaming)
        return;
    h->judging.nudged_at_ms = now;
    struct gw_wal_command *c = gw_alloc(sizeof *c);
    c->kind = GW_WAL_NUDGE;
    hub_post(&h->to_wal, c);
}

/* Somebody waits for the log, and it does not come: the server has not written out its end. */
void hub_state_tick(struct gw_hub *h, int64_t now_ms)
{
    struct judge *j = &h->judging;
    bool is_waited_for = now_ms - j->nudged_at_ms <= 2 * HUB_TICK_MS;
    if (is_waited_for && j->read_lsn.v == j->tick_lsn.v && !j->flush_request) {
        struct gw_db_request *r = gw_db_request_new(GW_DB_FLUSH, h->next_request_id++);
        j->flush_request = r->id;
        hub_post(&h->to_db, r);
    }
    j->tick_lsn = j->read_lsn;
}

/* ---- which commits a read has ---- */

void hub_state_applied(struct gw_hub *h, const struct gw_txn *txn)
{
    struct judge *j = &h->judging;
    if (txn->n_tables == 0)
        return;
    if (!j->applied)
        j->applied = gw_alloc(HUB_APPLIED_MAX * sizeof *j->applied);
    j->applied_no++;
    j->applied[j->applied_no % HUB_APPLIED_MAX] = txn->xid;
    /* Those that are not visible yet hold a backend each: they are fewer than the ring has room
     * for. */
    if (j->applied_no - j->seen_no > HUB_APPLIED_MAX)
        j->seen_no = j->applied_no - HUB_APPLIED_MAX;
}

bool hub_state_sees(struct gw_hub *h, const struct gw_snapshot *s, uint64_t applied_no)
{
    struct judge *j = &h->judging;
    bool are_all_seen = true;
    for (uint64_t no = j->seen_no + 1; no <= applied_no; no++) {
        bool is_seen = gw_snapshot_sees(s, j->applied[no % HUB_APPLIED_MAX]);
        if (is_seen && are_all_seen)
            j->seen_no = no;
        are_all_seen &= is_seen;
    }
    return are_all_seen;
}

/* ---- sending ---- */

static bool may_try(struct gw_hub *h, uint32_t oid, int64_t now_ms)
{
    int64_t at = (int64_t)(uintptr_t)gw_idmap_find(&h->judging.failed, oid);
    return now_ms >= at;
}

static void post_read(struct gw_hub *h, struct gw_db_request *r)
{
    h->judging.read_request = r->id;
    h->judging.reads++;
    hub_post(&h->to_db, r);
}

/* Read every table that is not known. False: there is none to read. */
static bool read_tables(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    int64_t now_ms = gw_clock_mono_ms();
    struct gw_db_request *r = gw_db_request_new(GW_DB_READ, h->next_request_id++);
    r->reads = gw_arena_alloc(&r->arena, (j->rules->n_tables + 1u) * sizeof *r->reads);
    for (uint32_t i = 0; i < j->rules->n_tables; i++) {
        const struct gw_state_table_def *def = &j->rules->tables[i];
        if (gw_state_mode(j->state, i) != GW_STATE_UNLOADED || !may_try(h, def->oid, now_ms))
            continue;
        r->reads[r->n_reads++] = (struct gw_db_read){
            .def = def, .is_whole = true, .max_bytes = h->cfg.settings->access_state_bytes};
    }
    if (r->n_reads == 0) {
        gw_db_request_free(r);
        return false;
    }
    post_read(h, r);
    return true;
}

static const struct gw_datum *copy_keys(struct gw_db_request *r, const struct gw_datum *keys,
                                        uint32_t n)
{
    struct gw_datum *copy = gw_arena_alloc(&r->arena, n * sizeof *copy);
    for (uint32_t i = 0; i < n; i++) {
        copy[i] = keys[i];
        copy[i].text = gw_arena_copy(&r->arena, keys[i].text);
    }
    return copy;
}

void hub_state_read_keys(struct gw_hub *h, const struct gw_needs *needs)
{
    struct judge *j = &h->judging;
    struct gw_db_request *r = gw_db_request_new(GW_DB_READ, h->next_request_id++);
    r->reads = gw_arena_alloc(&r->arena, (needs->n_keys + 1u) * sizeof *r->reads);
    for (uint32_t i = 0; i < needs->n_keys; i++) {
        const struct gw_need_key *need = &needs->keys[i];
        const struct gw_state_table_def *def = &j->rules->tables[need->table];
        r->reads[r->n_reads++] =
            (struct gw_db_read){.def = def,
                                .index = need->index,
                                .n_keys = 1,
                                .keys = copy_keys(r, need->key, def->indexes[need->index].n),
                                .max_bytes = h->cfg.settings->access_state_bytes};
    }
    post_read(h, r);
}

/* ---- placing ---- */

static void fail_table(struct gw_hub *h, const struct gw_db_read *read)
{
    uintptr_t until = (uintptr_t)(gw_clock_mono_ms() + FAILED_RETRY_MS);
    gw_idmap_put(&h->judging.failed, read->def->oid, (void *)until);
    gw_log(GW_LOG_ERROR, "access_state_unreadable",
           "table=%.*s.%.*s code=%s why=\"%s\" action=\"changes that depend on it are denied\" "
           "retry_ms=%d",
           (int)read->def->schema.n, read->def->schema.p, (int)read->def->name.n, read->def->name.p,
           gw_code_name(read->code), read->why, FAILED_RETRY_MS);
}

static void load_table(struct gw_hub *h, uint32_t table, const struct gw_db_read *read)
{
    struct judge *j = &h->judging;
    struct gw_state_rows rows = {read->n_rows, read->cells};
    if (read->code == GW_OK) {
        gw_idmap_take(&j->failed, read->def->oid);
        gw_state_load(j->state, table, &rows);
    }
    if (read->code == GW_E_TOO_BIG || (read->code == GW_OK && gw_state_is_over(j->state)))
        gw_state_load_cached(j->state, table);
    else if (read->code != GW_OK)
        fail_table(h, read);
    gw_log(GW_LOG_INFO, "access_state_loaded", "table=%.*s.%.*s rows=%u bytes=%zu mode=%s",
           (int)read->def->schema.n, read->def->schema.p, (int)read->def->name.n, read->def->name.p,
           read->n_rows, gw_state_table_bytes(j->state, table),
           gw_state_mode(j->state, table) == GW_STATE_RESIDENT ? "resident"
           : gw_state_mode(j->state, table) == GW_STATE_CACHED ? "cached"
                                                               : "unknown");
}

static void load_key(struct gw_hub *h, uint32_t table, const struct gw_db_read *read)
{
    struct gw_state_rows rows = {read->n_rows, read->cells};
    if (read->code == GW_OK)
        gw_state_load_key(h->judging.state, table, read->index, read->keys, &rows);
    else
        h->judging.is_give_up = true;
}

static void take_back(struct gw_hub *h, const struct gw_snapshot *s)
{
    struct judge *j = &h->judging;
    for (struct gw_list *it = j->arrivals.prev; it != &j->arrivals; it = it->prev) {
        const struct arrival *a = GW_CONTAINER_OF(it, struct arrival, node);
        if (a->txn && gw_snapshot_sees(s, a->txn->xid))
            gw_state_unread(j->state, a->txn);
    }
    gw_state_settle(j->state);
}

static void place(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    struct gw_db_request *r = j->read;
    for (uint32_t i = 0; i < r->n_reads; i++) {
        int table = gw_rules_table_find(j->rules, r->reads[i].def->oid);
        if (table >= 0 && r->reads[i].is_whole)
            load_table(h, (uint32_t)table, &r->reads[i]);
        else if (table >= 0)
            load_key(h, (uint32_t)table, &r->reads[i]);
    }
    take_back(h, &r->snapshot);
}

/* It cannot be placed: what rests on it is not known. */
static void give_up(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    struct gw_db_request *r = j->read;
    j->give_ups++;
    j->is_give_up = true;
    if (!r->reads[0].is_whole)
        return;
    if (!j->is_catching_up) {
        char lsn[GW_LSN_TEXT];
        j->catch_ups++;
        gw_log(GW_LOG_WARN, "catching_up",
               "until=%s why=\"the log is further behind than lookahead_bytes can hold\" "
               "action=\"changes under policies with look-ups are denied, then resync\"",
               gw_lsn_format(r->snapshot.horizon, lsn));
    }
    j->is_catching_up = true;
    j->catch_up_lsn = r->snapshot.horizon;
}

/* The read is of the server behind the gap, what is judged of the one before. */
static bool has_gap(const struct judge *j)
{
    GW_LIST_EACH(it, &j->arrivals)
    {
        if (!GW_CONTAINER_OF(it, struct arrival, node)->txn)
            return true;
    }
    return false;
}

static void drop_read(struct gw_hub *h)
{
    gw_db_request_free(h->judging.read);
    h->judging.read = NULL;
}

/* The reply that waits: placed, given up or to be read again (false: still waits). */
static bool settle_read(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    const struct gw_snapshot *s = &j->read->snapshot;
    if (!hub_state_sees(h, s, j->applied_no)) {
        drop_read(h);
        j->rereads_total++;
        if (++j->rereads <= REREADS_MAX) {
            j->retry_at_ms = gw_clock_mono_ms() + REREAD_MS;
        } else {
            j->is_give_up = true;
            j->rereads = 0;
        }
        return true;
    }
    if (has_gap(j)) {
        give_up(h);
    } else if (!hub_state_is_reached(h, s->horizon)) {
        if (hub_judge_has_room(h)) {
            hub_state_nudge(h);
            return false;
        }
        give_up(h);
    } else {
        place(h);
    }
    j->rereads = 0;
    drop_read(h);
    return true;
}

bool hub_state_is_busy(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    if (j->read_request || j->retry_at_ms)
        return true;
    return j->read && !settle_read(h) ? true : j->retry_at_ms != 0;
}

void hub_state_on_read(struct gw_hub *h, struct gw_db_request *reply)
{
    struct judge *j = &h->judging;
    j->read_request = 0;
    if (reply->code != GW_OK) {
        gw_log_err(GW_LOG_WARN, "access_state_not_read", &reply->err);
        j->retry_at_ms = gw_clock_mono_ms() + RETRY_MS;
        gw_db_request_free(reply);
        hub_let_server_go(h);
        return;
    }
    j->read = reply;
}

/* ---- rules ---- */

static void use_rules(struct gw_hub *h, const struct gw_rules *rules)
{
    struct judge *j = &h->judging;
    gw_rules_unref(j->rules);
    j->rules = gw_rules_ref(rules);
    gw_state_set_rules(j->state, rules);
    gw_solver_set_rules(j->solver, rules);
    gw_callers_set_rules(j->callers, rules);
    gw_log(GW_LOG_INFO, "policies_compiled", "plans=%u facts=%u tables=%u externals=%u",
           rules->n_plans, rules->n_facts, rules->n_tables, rules->n_externals);
}

bool hub_state_ensure(struct gw_hub *h, const struct gw_rules *rules)
{
    struct judge *j = &h->judging;
    if (j->rules != rules)
        use_rules(h, rules);
    if (j->is_catching_up || j->is_give_up)
        return true;
    return !read_tables(h);
}

void hub_state_gap(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    for (uint32_t i = 0; j->rules && i < j->rules->n_tables; i++)
        gw_state_unload(j->state, i);
    j->seen_no = j->applied_no;
    j->is_catching_up = false;
}

void hub_state_bound(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    if (!j->rules || !gw_state_is_over(j->state))
        return;
    uint32_t largest = 0;
    for (uint32_t i = 1; i < j->rules->n_tables; i++)
        if (gw_state_mode(j->state, i) == GW_STATE_RESIDENT &&
            (gw_state_mode(j->state, largest) != GW_STATE_RESIDENT ||
             gw_state_table_bytes(j->state, i) > gw_state_table_bytes(j->state, largest)))
            largest = i;
    gw_log(GW_LOG_INFO, "access_state_outgrown", "table=%.*s.%.*s bytes=%zu mode=cached",
           (int)j->rules->tables[largest].schema.n, j->rules->tables[largest].schema.p,
           (int)j->rules->tables[largest].name.n, j->rules->tables[largest].name.p,
           gw_state_table_bytes(j->state, largest));
    gw_state_load_cached(j->state, largest);
    gw_state_settle(j->state);
}

void hub_state_fini(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    gw_db_request_free(j->read);
    gw_solver_free(j->solver);
    gw_callers_free(j->callers);
    gw_state_free(j->state);
    gw_rules_unref(j->rules);
    free(j->applied);
}
