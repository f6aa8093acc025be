/* db_ask_send: an ASK as pipeline segments.
 *
 * DESIGN. One transaction, read only, one snapshot for all questions. Each item is a segment:
 *     ROLLBACK TO SAVEPOINT gw     undoes every setting the item before left, and its error
 *     become (prepared)            role, claims, time limit, row security, all SET LOCAL
 *     [Parse of the question]      the first time on this connection, as the role it is for
 *     the question                 with the rows as parameter
 *     the seal                     who are we now? not prepared: a policy could replace the
 * statement Sync                         an error skips to here, the next segment begins afresh
 * Texts from tokens travel as binary parameters: those have a length, not an end mark. */
#include "db_ask_own.h"

#include <jansson.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#define BECOME_NAME "gw_become"
#define PREPARED_MAX 1000 /* per connection; more: start afresh */

static const char seal_sql[] =
    "SELECT current_user::pg_catalog.text, "
    "pg_catalog.current_setting('request.jwt.claims', true), "
    "EXISTS (SELECT FROM pg_catalog.pg_prepared_statement() AS p WHERE p.from_sql)";

static struct gw_ask_slot *slot_add(struct gw_ask_state *a, enum gw_ask_segment kind)
{
    unsigned cap = sizeof a->slots / sizeof *a->slots;
    struct gw_ask_slot *slot = &a->slots[(a->first + a->n_slots++) % cap];
    memset(slot, 0, sizeof *slot);
    slot->kind = kind;
    return slot;
}

struct gw_ask_slot *gw_ask_slot_head(struct gw_ask_state *a)
{
    return &a->slots[a->first];
}

/* ---- prepared questions ---- */

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

/* ---- begin, end ---- */

static bool send_reset(struct gw_db_conn *c)
{
    gw_idmap_fini(&c->prepared);
    gw_idmap_init(&c->prepared);
    c->is_tainted = c->is_ready_to_ask = false;
    slot_add(c->job_state, GW_ASK_RESET);
    return gw_db_conn_send(c, "DISCARD ALL", NULL) && gw_db_conn_sync(c);
}

static bool send_prepare(struct gw_db_conn *c)
{
    c->is_ready_to_ask = true;
    slot_add(c->job_state, GW_ASK_PREPARE);
    return PQsendPrepare(c->pg.pg, BECOME_NAME, c->link->become_sql, 0, NULL) && gw_db_conn_sync(c);
}

bool gw_ask_send_begin(struct gw_db_conn *c)
{
    struct gw_ask_state *a = c->job_state;
    bool is_stale = c->generation != c->request->generation && c->prepared.count > 0;
    if ((is_stale || c->is_tainted || c->prepared.count >= PREPARED_MAX) && !send_reset(c))
        return false;
    c->generation = c->request->generation;
    if (!c->is_ready_to_ask && !send_prepare(c))
        return false;
    a->is_void = a->is_invisible = a->is_waiting = a->is_last_unsealed = false;
    slot_add(a, GW_ASK_BEGIN);
    /* The snapshot is taken by the first query, before any role is assumed. */
    return gw_db_conn_send(c, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL) &&
           gw_db_conn_send(c, "SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text", NULL) &&
           gw_db_conn_send(c, "SAVEPOINT gw", NULL) && gw_db_conn_sync(c);
}

bool gw_ask_send_end(struct gw_db_conn *c)
{
    slot_add(c->job_state, GW_ASK_END);
    return gw_db_conn_send(c, "ROLLBACK", NULL) && gw_db_conn_sync(c) && gw_db_conn_flush(c);
}

/* ---- items ---- */

/* The value of a claim as a setting: strings bare, the rest as JSON, missing as "". Owned. */
static char *claim_text(const json_t *claims, const char *name)
{
    const json_t *v = json_object_get(claims, name);
    if (json_is_string(v))
        return gw_strdup_span((struct gw_span){json_string_value(v), json_string_length(v)});
    char *text = v && !json_is_null(v) ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    return text ? text : gw_strdup_span(GW_SPAN_LIT(""));
}

struct become_params {
    const char *values[4 + GW_DB_CLAIM_SETTINGS_MAX];
    int lengths[4 + GW_DB_CLAIM_SETTINGS_MAX], formats[4 + GW_DB_CLAIM_SETTINGS_MAX];
    int n;
};

static void add_param(struct become_params *p, struct gw_span s)
{
    p->values[p->n] = s.p ? s.p : "";
    p->lengths[p->n] = (int)s.n;
    p->formats[p->n++] = 1;
}

static bool send_become(struct gw_db_conn *c, const struct gw_question *q)
{
    const struct gw_db_link *l = c->link;
    struct gw_ask_state *a = c->job_state;
    struct become_params p = {.n = 0};
    char limit[24], *texts[GW_DB_CLAIM_SETTINGS_MAX];
    int64_t left_ms = a->deadline_ms - gw_clock_mono_ms();
    int64_t limit_ms =
        left_ms < l->cfg.statement_timeout_ms ? left_ms : l->cfg.statement_timeout_ms;
    snprintf(limit, sizeof limit, "%lld", (long long)(limit_ms > 1 ? limit_ms : 1));
    add_param(&p, q->role);
    add_param(&p, q->claims_json);
    add_param(&p, q->sub);
    add_param(&p, gw_span_of(limit));
    json_t *claims =
        l->n_claim_settings ? json_loadb(q->claims_json.p, q->claims_json.n, 0, NULL) : NULL;
    for (unsigned i = 0; i < l->n_claim_settings; i++) {
        texts[i] = claim_text(claims, l->claim_settings[i].claim);
        add_param(&p, gw_span_of(texts[i]));
    }
    bool ok = PQsendQueryPrepared(c->pg.pg, BECOME_NAME, p.n, p.values, p.lengths, p.formats, 0);
    for (unsigned i = 0; i < l->n_claim_settings; i++)
        free(texts[i]);
    json_decref(claims);
    return ok;
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
    slot->prepared_key = prepared_key(q);
    prepared_name(c, slot->prepared_key, name, &slot->parses);
    return send_become(c, q) &&
           (!slot->parses || PQsendPrepare(c->pg.pg, name, q->sql.p, 1, &type)) &&
           PQsendQueryPrepared(c->pg.pg, name, 1, &rows, NULL, NULL, 0) &&
           gw_db_conn_send(c, seal_sql, NULL);
}

bool gw_ask_send_item(struct gw_db_conn *c, struct gw_ask_item item)
{
    struct gw_ask_state *a = c->job_state;
    const struct gw_question *q = &c->request->questions[item.question];
    struct gw_ask_slot *slot = slot_add(a, GW_ASK_ITEM);
    struct gw_buf rows;
    slot->item = item;
    gw_buf_init(&rows, 0);
    write_slice(&rows, q, &item);
    slot->bytes = rows.n + q->claims_json.n;
    a->flight_bytes += slot->bytes;
    const char *text = gw_buf_cstr(&rows);
    bool ok = gw_db_conn_send(c, "ROLLBACK TO SAVEPOINT gw", NULL) &&
              (item.is_probe ? send_probe(c, q, text) : send_question(c, q, text, slot)) &&
              gw_db_conn_sync(c);
    gw_buf_fini(&rows);
    return ok;
}
