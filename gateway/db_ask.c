/* db_ask: the course of a request that is put to Postgres as somebody: the work list, and what
 * answers and errors mean for it, whatever is asked.
 *
 * DESIGN. The transaction asked about must be visible in the snapshot that answers: the log may
 * show a commit before other sessions see it. If it is not, the answers are void and all is asked
 * again in a new transaction, soon. The same path serves a session that a policy has tampered with:
 * its answers are void from there on, and the session is discarded before the next transaction. */
#include "db_ask_own.h"

#include <libpq-fe.h>
#include <stdlib.h>

#define OVERRUN_MS 500
#define INVISIBLE_WAIT_MAX_MS 50

/* ---- the work list ---- */

void gw_ask_add(struct gw_ask_state *a, struct gw_ask_item item)
{
    if (a->n_items == a->cap_items) {
        a->cap_items = a->cap_items ? a->cap_items * 2 : 16;
        a->items = gw_realloc(a->items, a->cap_items * sizeof *a->items);
    }
    a->items[a->n_items++] = item;
}

void gw_ask_add_halves(struct gw_ask_state *a, struct gw_ask_item item)
{
    uint32_t middle = item.lo + (item.hi - item.lo) / 2;
    a->units[item.unit].open++;
    gw_ask_add(a, (struct gw_ask_item){.unit = item.unit, .lo = item.lo, .hi = middle});
    gw_ask_add(a, (struct gw_ask_item){.unit = item.unit, .lo = middle, .hi = item.hi});
}

bool gw_ask_retry(struct gw_ask_state *a, struct gw_ask_item item)
{
    if (item.tries >= GW_ASK_TRIES_MAX)
        return false;
    item.tries++;
    gw_ask_add(a, item);
    return true;
}

static void free_state(struct gw_ask_state *a)
{
    free(a->items);
    free(a->units);
    free(a);
}

/* ---- verdicts ---- */

void gw_ask_settle(struct gw_db_conn *c, uint32_t unit, enum gw_code code, const char *why)
{
    struct gw_ask_state *a = c->job_state;
    if (a->units[unit].is_settled)
        return;
    a->units[unit].is_settled = true;
    a->kind->settle(c->request, unit, code, why);
    if (code == GW_E_BUDGET)
        atomic_fetch_add(&c->link->timeouts, 1);
    else if (code != GW_OK)
        atomic_fetch_add(&c->link->errors, 1);
}

void gw_ask_deny(struct gw_db_conn *c, uint32_t unit, enum gw_code code, const char *why)
{
    struct gw_ask_state *a = c->job_state;
    if (a->units[unit].is_settled)
        return;
    a->kind->deny(c->request, unit, code);
    gw_ask_settle(c, unit, code, why);
}

void gw_ask_close_item(struct gw_db_conn *c, uint32_t unit)
{
    struct gw_ask_state *a = c->job_state;
    struct gw_ask_unit *u = &a->units[unit];
    if (--u->open == 0)
        gw_ask_settle(c, unit, u->denied ? GW_E_POLICY : GW_OK, NULL);
}

static void deny_rest(struct gw_db_conn *c, enum gw_code code, const char *why)
{
    const struct gw_ask_state *a = c->job_state;
    for (uint32_t i = 0; i < a->n_units; i++)
        gw_ask_deny(c, i, code, why);
}

/* ---- one item's outcome ---- */

static void on_item_failed(struct gw_db_conn *c, const struct gw_ask_slot *slot)
{
    struct gw_ask_state *a = c->job_state;
    uint32_t unit = slot->item.unit;
    bool is_asking = slot->failed_at == GW_ASK_PARSE || slot->failed_at == GW_ASK_QUESTION;
    if (strcmp(slot->sqlstate, "57014") == 0) {
        gw_ask_deny(c, unit, GW_E_BUDGET, slot->message);
    } else if (strncmp(slot->sqlstate, "40", 2) == 0 && gw_ask_retry(a, slot->item)) {
        return; /* a conflict: once more */
    } else if (is_asking || slot->item.is_probe) {
        a->kind->on_failed(c, slot);
    } else {
        if (strcmp(slot->sqlstate, "26000") == 0)
            c->is_tainted = true;
        gw_ask_deny(c, unit, GW_E_POLICY, slot->message);
    }
}

/* A statement prepared in SQL: some policy may have put its own in place of one of ours. The item
 * whose seal says so is to blame, unless the one before failed and so had no seal. */
static void on_item_tainted(struct gw_db_conn *c, const struct gw_ask_slot *slot)
{
    struct gw_ask_state *a = c->job_state;
    if (!a->is_last_unsealed || !gw_ask_retry(a, slot->item))
        gw_ask_deny(c, slot->item.unit, GW_E_POLICY, "a policy prepared statements of its own");
}

static void on_item_counts(struct gw_db_conn *c, const struct gw_ask_slot *slot)
{
    uint32_t unit = slot->item.unit;
    if (*slot->sqlstate)
        on_item_failed(c, slot);
    else if (slot->is_tainted)
        on_item_tainted(c, slot);
    else if (slot->item.is_probe)
        gw_ask_close_item(c, unit);
    else if (!slot->is_sealed)
        gw_ask_deny(c, unit, GW_E_POLICY, "a policy changed the role or the claims");
    else if (!slot->is_answered)
        gw_ask_deny(c, unit, GW_E_POLICY, "not one answer per row");
    else
        gw_ask_close_item(c, unit);
}

static void on_item_done(struct gw_db_conn *c, const struct gw_ask_slot *slot)
{
    struct gw_ask_state *a = c->job_state;
    bool is_failed = *slot->sqlstate != '\0';
    a->flight_bytes -= slot->bytes;
    if (slot->prepared_key && slot->parses && is_failed && slot->failed_at <= GW_ASK_PARSE)
        gw_idmap_take(&c->prepared, slot->prepared_key);
    c->is_tainted |= slot->is_tainted;
    if (c->request && !a->units[slot->item.unit].is_settled) {
        if (a->is_void)
            gw_ask_add(a, slot->item);
        else
            on_item_counts(c, slot);
    }
    a->is_last_unsealed = is_failed && !slot->item.is_probe;
    a->is_void |= c->is_tainted;
}

/* ---- the course of things ---- */

static void broken(struct gw_db_conn *c)
{
    struct gw_err err = {0};
    gw_pgconn_err_of_loss(&c->pg, &err);
    gw_db_conn_break(c, &err);
}

static void answer(struct gw_db_conn *c)
{
    deny_rest(c, GW_E_BUDGET, "not answered in time");
    gw_db_conn_answer(c);
}

/* Send what there is room for; when all has come back, answer or start over. */
static bool pump(struct gw_db_conn *c)
{
    struct gw_ask_state *a = c->job_state;
    if (c->request && gw_clock_mono_ms() >= a->deadline_ms)
        answer(c);
    while (c->request && !a->is_void && a->next < a->n_items && a->n_slots < GW_ASK_FLIGHT_MAX &&
           a->flight_bytes < GW_ASK_FLIGHT_BYTES) {
        struct gw_ask_item item = a->items[a->next++];
        if (!a->units[item.unit].is_settled && !gw_ask_send_item(c, item))
            return false;
    }
    if (a->n_slots > 0)
        return gw_db_conn_flush(c);
    if (c->request && a->next == a->n_items)
        answer(c);
    return gw_ask_send_end(c);
}

static bool start_over(struct gw_db_conn *c)
{
    return gw_ask_send_begin(c) && pump(c);
}

/* The transaction is over: done, or once more. */
static void on_end(struct gw_db_conn *c)
{
    struct gw_ask_state *a = c->job_state;
    if (!c->request) {
        free_state(a);
        gw_db_conn_idle(c);
        return;
    }
    if (!a->is_invisible) {
        if (!start_over(c))
            broken(c);
        return;
    }
    unsigned shift = a->invisible_tries < 7 ? a->invisible_tries - 1 : 6;
    int64_t wait_ms = INT64_C(1) << shift;
    a->is_waiting = true;
    gw_db_conn_timer(c, wait_ms < INVISIBLE_WAIT_MAX_MS ? wait_ms : INVISIBLE_WAIT_MAX_MS);
}

static void arm_overrun(struct gw_db_conn *c)
{
    const struct gw_ask_state *a = c->job_state;
    int64_t left_ms = a->deadline_ms + OVERRUN_MS - gw_clock_mono_ms();
    gw_db_conn_timer(c, left_ms > 0 ? left_ms : 0);
}

static void on_timer(struct gw_db_conn *c)
{
    struct gw_ask_state *a = c->job_state;
    struct gw_err err = {0};
    if (a->is_waiting && gw_clock_mono_ms() >= a->deadline_ms) {
        answer(c);
        free_state(a);
        gw_db_conn_idle(c);
        return;
    }
    if (a->is_waiting) {
        arm_overrun(c);
        if (!start_over(c))
            broken(c);
        return;
    }
    a->is_overrun = true;
    gw_err_set(&err, GW_E_BUDGET, "a question did not end in time");
    gw_db_conn_break(c, &err);
}

/* What the session itself needs has failed. */
static void on_segment_failed(struct gw_db_conn *c, const struct gw_ask_slot *slot)
{
    struct gw_err err = {0};
    gw_pgerr_set(slot->sqlstate, slot->message, &err);
    gw_pgerr_log(&c->link->last_error, "db_ask_failed", &err);
    gw_db_conn_break(c, &err);
}

static void on_segment(struct gw_db_conn *c)
{
    struct gw_ask_state *a = c->job_state;
    struct gw_ask_slot slot = *gw_ask_slot_head(a);
    a->first = (a->first + 1) % (sizeof a->slots / sizeof *a->slots);
    a->n_slots--;
    if (slot.kind == GW_ASK_ITEM) {
        on_item_done(c, &slot);
    } else if (*slot.sqlstate) {
        on_segment_failed(c, &slot);
        return;
    } else if (slot.kind == GW_ASK_END) {
        on_end(c);
        return;
    }
    if (!pump(c))
        broken(c);
}

static void on_result(struct gw_db_conn *c, PGresult *r)
{
    struct gw_ask_slot *slot = gw_ask_slot_head(c->job_state);
    ExecStatusType status = PQresultStatus(r);
    if (!r) {
        slot->at++;
        if (slot->kind == GW_ASK_ITEM && slot->at == GW_ASK_PARSE && !slot->parses)
            slot->at++;
    } else if (status == PGRES_PIPELINE_SYNC) {
        on_segment(c);
    } else if (status == PGRES_FATAL_ERROR) {
        gw_ask_take_error(slot, r);
    } else if (status == PGRES_TUPLES_OK) {
        gw_ask_take_rows(c, slot, r);
    }
}

static void on_lost(struct gw_db_conn *c, const struct gw_err *err)
{
    struct gw_ask_state *a = c->job_state;
    if (c->request && a->is_overrun) {
        deny_rest(c, GW_E_BUDGET, err->text);
    } else if (c->request) {
        c->request->err = *err;
        c->request->code = c->request->err.code = GW_E_DATABASE_DOWN;
    }
    free_state(a);
}

struct gw_ask_state *gw_ask_state_new(struct gw_db_conn *c, const struct gw_ask_kind *kind,
                                      uint32_t n_units)
{
    static const struct gw_db_job job = {on_result, on_timer, on_lost};
    struct gw_ask_state *a = gw_alloc(sizeof *a);
    a->kind = kind;
    a->deadline_ms = c->request->deadline_ms;
    a->n_units = n_units;
    a->units = gw_alloc((n_units + 1) * sizeof *a->units);
    for (uint32_t i = 0; i < n_units; i++)
        a->units[i].open = 1;
    c->job = &job;
    c->job_state = a;
    return a;
}

bool gw_ask_begin(struct gw_db_conn *c)
{
    arm_overrun(c);
    return start_over(c);
}
