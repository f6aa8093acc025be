/* db_ask: may these callers see these rows? The work list, and what answers and errors mean.
 *
 * DESIGN. A question is first one item, all its rows. If Postgres raises, the item is halved until
 * the rows that raise stand alone; those are denied, the others are answered: one bad row must not
 * hide its neighbours. Whether it was the policy that raised or the parameter that does not fit the
 * table any more, a probe tells, which reads the parameter and evaluates nothing.
 * The transaction asked about must be visible in the snapshot that answers: the log may show a
 * commit before other sessions see it. If it is not, the answers are void and all is asked again
 * in a new transaction, soon. The same path serves a session that a policy has tampered with: its
 * answers are void from there on, and the session is discarded before the next transaction. */
#include "db_ask_own.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#define OVERRUN_MS 500
#define TRIES_MAX 2
#define INVISIBLE_WAIT_MAX_MS 50

static void add_item(struct gw_ask_state *a, struct gw_ask_item item)
{
    if (a->n_items == a->cap_items) {
        a->cap_items = a->cap_items ? a->cap_items * 2 : 16;
        a->items = gw_realloc(a->items, a->cap_items * sizeof *a->items);
    }
    a->items[a->n_items++] = item;
}

static void free_state(struct gw_ask_state *a)
{
    free(a->items);
    free(a->questions);
    free(a);
}

/* ---- verdicts ---- */

static void settle(struct gw_db_conn *c, uint32_t i, enum gw_code code, const char *why)
{
    struct gw_ask_state *a = c->job_state;
    struct gw_question *q = &c->request->questions[i];
    if (a->questions[i].is_settled)
        return;
    a->questions[i].is_settled = true;
    q->code = code;
    if (why)
        snprintf(q->why, sizeof q->why, "%s", why);
    if (code == GW_E_BUDGET)
        atomic_fetch_add(&c->link->timeouts, 1);
    else if (code != GW_OK)
        atomic_fetch_add(&c->link->errors, 1);
}

/* The whole question is denied. */
static void deny(struct gw_db_conn *c, uint32_t i, enum gw_code code, const char *why)
{
    struct gw_ask_state *a = c->job_state;
    struct gw_question *q = &c->request->questions[i];
    if (a->questions[i].is_settled)
        return;
    memset(q->visible, 0, q->n_rows);
    settle(c, i, code, why);
}

static void close_item(struct gw_db_conn *c, uint32_t i)
{
    struct gw_ask_state *a = c->job_state;
    struct gw_ask_question *q = &a->questions[i];
    if (--q->open == 0)
        settle(c, i, q->denied ? GW_E_POLICY : GW_OK, NULL);
}

static void deny_rest(struct gw_db_conn *c, enum gw_code code, const char *why)
{
    for (uint32_t i = 0; i < c->request->n_questions; i++)
        deny(c, i, code, why);
}

/* ---- one item's outcome ---- */

/* Postgres raised while it evaluated rows [lo, hi). */
static void narrow_down(struct gw_db_conn *c, const struct gw_ask_slot *slot)
{
    struct gw_ask_state *a = c->job_state;
    struct gw_ask_item item = slot->item;
    struct gw_question *q = &c->request->questions[item.question];
    struct gw_ask_question *state = &a->questions[item.question];
    uint32_t n = item.hi - item.lo, middle = item.lo + n / 2;
    memset(q->visible + item.lo, 0, n);
    snprintf(q->why, sizeof q->why, "%s", slot->message);
    if (n > 1 && !q->row_offsets) {
        deny(c, item.question, GW_E_POLICY, slot->message);
        return;
    }
    if (!state->is_probed) {
        state->is_probed = true;
        state->open++;
        add_item(
            a, (struct gw_ask_item){.question = item.question, .hi = q->n_rows, .is_probe = true});
    }
    if (n == 1) {
        state->denied++;
        close_item(c, item.question);
        return;
    }
    state->open++;
    add_item(a, (struct gw_ask_item){.question = item.question, .lo = item.lo, .hi = middle});
    add_item(a, (struct gw_ask_item){.question = item.question, .lo = middle, .hi = item.hi});
}

/* Codes that say the catalog has moved on: a name, a type or a plan is not what it was. */
static bool is_stale(const char *state)
{
    static const char *const codes[] = {"0A000", "42703", "42P01", "42883", "42704", "XX000"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp(state, codes[i]) == 0)
            return true;
    return false;
}

/* A statement that an earlier question prepared: parse it anew and see. False: tried already. */
static bool parse_again(struct gw_db_conn *c, const struct gw_ask_slot *slot)
{
    struct gw_ask_item item = slot->item;
    gw_idmap_take(&c->prepared, slot->prepared_key);
    if (item.tries >= TRIES_MAX)
        return false;
    item.tries++;
    add_item(c->job_state, item);
    return true;
}

static void on_question_failed(struct gw_db_conn *c, const struct gw_ask_slot *slot)
{
    const char *state = slot->sqlstate;
    uint32_t i = slot->item.question;
    if (strcmp(state, "26000") == 0) { /* not there: its Parse failed, or a policy threw it away */
        c->is_tainted |= gw_idmap_find(&c->prepared, slot->prepared_key) != NULL;
        if (!parse_again(c, slot))
            deny(c, i, GW_E_POLICY, slot->message);
        return;
    }
    if (is_stale(state)) {
        /* Just parsed, so it is not the plan: a policy's function is broken, or the row type. */
        bool is_fresh = slot->parses || slot->item.tries > 0;
        if (is_fresh || !parse_again(c, slot))
            deny(c, i, strncmp(state, "42", 2) == 0 ? GW_E_POLICY : GW_E_UNSUPPORTED,
                 slot->message);
        return;
    }
    if (strncmp(state, "42", 2) == 0) /* holds for every row, such as a missing privilege */
        deny(c, i, GW_E_POLICY, slot->message);
    else
        narrow_down(c, slot);
}

/* The SQL does not parse: that holds for whoever is asked the same. */
static void deny_alike(struct gw_db_conn *c, uint32_t i, const char *why)
{
    const struct gw_question *q = c->request->questions;
    for (uint32_t k = 0; k < c->request->n_questions; k++)
        if (q[k].rel_oid == q[i].rel_oid && q[k].role_id == q[i].role_id)
            deny(c, k, GW_E_UNSUPPORTED, why);
}

static void on_item_failed(struct gw_db_conn *c, const struct gw_ask_slot *slot)
{
    struct gw_ask_item item = slot->item;
    if (strcmp(slot->sqlstate, "57014") == 0) {
        deny(c, item.question, GW_E_BUDGET, slot->message);
    } else if (item.is_probe) {
        deny(c, item.question, GW_E_UNSUPPORTED, slot->message);
    } else if (strncmp(slot->sqlstate, "40", 2) == 0 && item.tries < TRIES_MAX) {
        item.tries++;
        add_item(c->job_state, item);
    } else if (slot->failed_at == GW_ASK_PARSE) {
        deny_alike(c, item.question, slot->message);
    } else if (slot->failed_at == GW_ASK_QUESTION) {
        on_question_failed(c, slot);
    } else {
        if (strcmp(slot->sqlstate, "26000") == 0)
            c->is_tainted = true;
        deny(c, item.question, GW_E_POLICY, slot->message);
    }
}

/* A statement prepared in SQL: some policy may have put its own in place of one of ours. The item
 * whose seal says so is to blame, unless the one before failed and so had no seal. */
static void on_item_tainted(struct gw_db_conn *c, const struct gw_ask_slot *slot)
{
    struct gw_ask_state *a = c->job_state;
    struct gw_ask_item item = slot->item;
    if (a->is_last_unsealed && item.tries < TRIES_MAX) {
        item.tries++;
        add_item(a, item);
    } else {
        deny(c, item.question, GW_E_POLICY, "a policy prepared statements of its own");
    }
}

static void on_item_counts(struct gw_db_conn *c, const struct gw_ask_slot *slot)
{
    uint32_t i = slot->item.question;
    if (*slot->sqlstate)
        on_item_failed(c, slot);
    else if (slot->is_tainted)
        on_item_tainted(c, slot);
    else if (slot->item.is_probe)
        close_item(c, i);
    else if (!slot->is_sealed)
        deny(c, i, GW_E_POLICY, "a policy changed the role or the claims");
    else if (!slot->is_answered)
        deny(c, i, GW_E_POLICY, "not one answer per row");
    else
        close_item(c, i);
}

static void on_item_done(struct gw_db_conn *c, const struct gw_ask_slot *slot)
{
    struct gw_ask_state *a = c->job_state;
    bool is_failed = *slot->sqlstate != '\0';
    a->flight_bytes -= slot->bytes;
    if (slot->parses && is_failed && slot->failed_at <= GW_ASK_PARSE)
        gw_idmap_take(&c->prepared, slot->prepared_key);
    c->is_tainted |= slot->is_tainted;
    if (c->request && !a->questions[slot->item.question].is_settled) {
        if (a->is_void)
            add_item(a, slot->item);
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
        if (!a->questions[item.question].is_settled && !gw_ask_send_item(c, item))
            return false;
    }
    if (a->n_slots > 0)
        return gw_db_conn_flush(c);
    if (c->request && a->next == a->n_items)
        answer(c);
    return gw_ask_send_end(c);
}

static bool begin(struct gw_db_conn *c)
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
        if (!begin(c))
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
        if (!begin(c))
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

bool gw_db_ask_start(struct gw_db_conn *c)
{
    static const struct gw_db_job job = {on_result, on_timer, on_lost};
    struct gw_db_request *r = c->request;
    struct gw_ask_state *a = gw_alloc(sizeof *a);
    uint64_t n_rows = 0;
    c->job = &job;
    c->job_state = a;
    a->deadline_ms = r->deadline_ms;
    a->questions = gw_alloc((r->n_questions + 1) * sizeof *a->questions);
    for (uint32_t i = 0; i < r->n_questions; i++) {
        struct gw_question *q = &r->questions[i];
        n_rows += q->n_rows;
        memset(q->visible, 0, q->n_rows);
        a->questions[i].open = 1;
        if (q->n_rows > 0)
            add_item(a, (struct gw_ask_item){.question = i, .hi = q->n_rows});
        else
            settle(c, i, GW_OK, NULL);
    }
    atomic_fetch_add(&c->link->asks_count, 1);
    atomic_fetch_add(&c->link->questions, r->n_questions);
    atomic_fetch_add(&c->link->rows, n_rows);
    arm_overrun(c);
    return begin(c);
}
