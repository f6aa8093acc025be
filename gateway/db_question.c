/* db_question: ASK: may these callers see these rows?
 *
 * DESIGN. A question is first one item, all its rows. If Postgres raises, the item is halved until
 * the rows that raise stand alone; those are denied, the others are answered: one bad row must not
 * hide its neighbours. Whether it was the policy that raised or the parameter that does not fit the
 * table any more, a probe tells, which reads the parameter and evaluates nothing. */
#include "db_ask_own.h"

#include <libpq-fe.h>
#include <stdio.h>

/* ---- to Postgres ---- */

static struct gw_ask_caller caller(const struct gw_db_request *r, uint32_t unit)
{
    const struct gw_question *q = &r->questions[unit];
    return (struct gw_ask_caller){q->role, q->sub, q->claims_json};
}

static uint64_t prepared_key(const struct gw_question *q)
{
    return (uint64_t)q->rel_oid * GW_ROLES_MAX + q->role_id;
}

/* The name of the statement with that key; *is_new: it has to be parsed first. */
static void prepared_name(struct gw_db_conn *c, uint64_t key, char out[64], bool *is_new)
{
    uintptr_t serial = (uintptr_t)gw_idmap_find(&c->prepared, key);
    *is_new = serial == 0;
    if (*is_new) {
        serial = ++c->next_serial;
        gw_idmap_put(&c->prepared, key, (void *)serial);
    }
    snprintf(out, 64, "q%llu_%llu_%llu_%llu", (unsigned long long)key / GW_ROLES_MAX,
             (unsigned long long)key % GW_ROLES_MAX, (unsigned long long)c->generation,
             (unsigned long long)serial);
}

/* Elements [lo, hi) of the array literal, as a literal. */
static void write_slice(struct gw_buf *out, const struct gw_question *q,
                        const struct gw_ask_item *item)
{
    if (item->lo == 0 && item->hi == q->n_rows) {
        gw_buf_add_span(out, q->rows);
        return;
    }
    size_t start = q->row_offsets[item->lo];
    size_t end = item->hi < q->n_rows ? q->row_offsets[item->hi] : q->rows.n;
    gw_buf_add_byte(out, '{');
    gw_buf_add(out, q->rows.p + start, end - 1 - start); /* without the ',' or '}' behind */
    gw_buf_add_byte(out, '}');
}

static bool send_probe(struct gw_db_conn *c, const struct gw_question *q, const char *rows)
{
    const unsigned type = q->row_array_oid;
    const struct gw_db_params p = {.n = 1, .types = &type, .values = &rows};
    return gw_db_conn_send(c, "SELECT pg_catalog.cardinality($1)", &p);
}

static bool send_question(struct gw_db_conn *c, const struct gw_question *q, const char *rows,
                          struct gw_ask_slot *slot)
{
    char name[64];
    const Oid type = q->row_array_oid;
    const struct gw_ask_caller who = caller(c->request, slot->item.unit);
    slot->prepared_key = prepared_key(q);
    prepared_name(c, slot->prepared_key, name, &slot->parses);
    return gw_ask_send_become(c, &who) &&
           (!slot->parses || PQsendPrepare(c->pg.pg, name, q->sql.p, 1, &type)) &&
           PQsendQueryPrepared(c->pg.pg, name, 1, &rows, NULL, NULL, 0);
}

static bool send_rows(struct gw_db_conn *c, struct gw_ask_slot *slot)
{
    const struct gw_question *q = &c->request->questions[slot->item.unit];
    struct gw_buf rows;
    gw_buf_init(&rows, 0);
    write_slice(&rows, q, &slot->item);
    slot->bytes = rows.n + q->claims_json.n;
    const char *text = gw_buf_cstr(&rows);
    bool ok = slot->item.is_probe ? send_probe(c, q, text) : send_question(c, q, text, slot);
    gw_buf_fini(&rows);
    return ok;
}

/* ---- what comes back ---- */

static void take(struct gw_db_request *r, struct gw_ask_item item, const PGresult *rows)
{
    struct gw_question *q = &r->questions[item.unit];
    for (uint32_t i = 0; i < item.hi - item.lo; i++)
        q->visible[item.lo + i] = PQgetvalue(rows, (int)i, 0)[0] == 't';
}

static void deny(struct gw_db_request *r, uint32_t unit, enum gw_code code)
{
    (void)code;
    memset(r->questions[unit].visible, 0, r->questions[unit].n_rows);
}

static void settle(struct gw_db_request *r, uint32_t unit, enum gw_code code, const char *why)
{
    struct gw_question *q = &r->questions[unit];
    q->code = code;
    if (why)
        snprintf(q->why, sizeof q->why, "%s", why);
}

/* Postgres raised while it evaluated rows [lo, hi). */
static void narrow_down(struct gw_db_conn *c, const struct gw_ask_slot *slot)
{
    struct gw_ask_state *a = c->job_state;
    struct gw_ask_item item = slot->item;
    struct gw_question *q = &c->request->questions[item.unit];
    struct gw_ask_unit *unit = &a->units[item.unit];
    uint32_t n = item.hi - item.lo;
    memset(q->visible + item.lo, 0, n);
    snprintf(q->why, sizeof q->why, "%s", slot->message);
    if (n > 1 && !q->row_offsets) {
        gw_ask_deny(c, item.unit, GW_E_POLICY, slot->message);
        return;
    }
    if (!unit->is_probed) {
        unit->is_probed = true;
        unit->open++;
        gw_ask_add(a, (struct gw_ask_item){.unit = item.unit, .hi = q->n_rows, .is_probe = true});
    }
    if (n > 1) {
        gw_ask_add_halves(a, item);
        return;
    }
    unit->denied++;
    gw_ask_close_item(c, item.unit);
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
    gw_idmap_take(&c->prepared, slot->prepared_key);
    return gw_ask_retry(c->job_state, slot->item);
}

static void on_question_failed(struct gw_db_conn *c, const struct gw_ask_slot *slot)
{
    const char *state = slot->sqlstate;
    uint32_t i = slot->item.unit;
    if (strcmp(state, "26000") == 0) { /* not there: its Parse failed, or a policy threw it away */
        c->is_tainted |= gw_idmap_find(&c->prepared, slot->prepared_key) != NULL;
        if (!parse_again(c, slot))
            gw_ask_deny(c, i, GW_E_POLICY, slot->message);
        return;
    }
    if (is_stale(state)) {
        /* Just parsed, so it is not the plan: a policy's function is broken, or the row type. */
        bool is_fresh = slot->parses || slot->item.tries > 0;
        if (is_fresh || !parse_again(c, slot))
            gw_ask_deny(c, i, strncmp(state, "42", 2) == 0 ? GW_E_POLICY : GW_E_UNSUPPORTED,
                        slot->message);
        return;
    }
    if (strncmp(state, "42", 2) == 0) /* holds for every row, such as a missing privilege */
        gw_ask_deny(c, i, GW_E_POLICY, slot->message);
    else
        narrow_down(c, slot);
}

/* The SQL does not parse: that holds for whoever is asked the same. */
static void deny_alike(struct gw_db_conn *c, uint32_t i, const char *why)
{
    const struct gw_question *q = c->request->questions;
    for (uint32_t k = 0; k < c->request->n_questions; k++)
        if (q[k].rel_oid == q[i].rel_oid && q[k].role_id == q[i].role_id)
            gw_ask_deny(c, k, GW_E_UNSUPPORTED, why);
}

static void on_failed(struct gw_db_conn *c, const struct gw_ask_slot *slot)
{
    if (slot->item.is_probe)
        gw_ask_deny(c, slot->item.unit, GW_E_UNSUPPORTED, slot->message);
    else if (slot->failed_at == GW_ASK_PARSE)
        deny_alike(c, slot->item.unit, slot->message);
    else
        on_question_failed(c, slot);
}

bool gw_db_ask_start(struct gw_db_conn *c)
{
    static const struct gw_ask_kind kind = {caller, send_rows, take, on_failed, deny, settle};
    struct gw_db_request *r = c->request;
    struct gw_ask_state *a = gw_ask_state_new(c, &kind, r->n_questions);
    uint64_t n_rows = 0;
    for (uint32_t i = 0; i < r->n_questions; i++) {
        struct gw_question *q = &r->questions[i];
        n_rows += q->n_rows;
        memset(q->visible, 0, q->n_rows);
        if (q->n_rows > 0)
            gw_ask_add(a, (struct gw_ask_item){.unit = i, .hi = q->n_rows});
        else
            gw_ask_settle(c, i, GW_OK, NULL);
    }
    atomic_fetch_add(&c->link->asks_count, 1);
    atomic_fetch_add(&c->link->questions, r->n_questions);
    atomic_fetch_add(&c->link->rows, n_rows);
    return gw_ask_begin(c);
}
