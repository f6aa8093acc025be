/* db_ask_send: an ASK or EVAL as pipeline segments.
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
    bool is_question = c->request->kind == GW_DB_ASK; /* evals prepare nothing that lasts */
    bool is_stale = is_question && c->generation != c->request->generation && c->prepared.count > 0;
    if ((is_stale || c->is_tainted || c->prepared.count >= PREPARED_MAX) && !send_reset(c))
        return false;
    if (is_question)
        c->generation = c->request->generation;
    if (!c->is_ready_to_ask && !send_prepare(c))
        return false;
    a->is_void = a->is_invisible = a->is_waiting = a->is_last_unsealed = false;
    slot_add(a, GW_ASK_BEGIN);
    /* The snapshot is taken by the first query, before any role is assumed; the horizon is read
     * after it, in the same statement. */
    return gw_db_conn_send(c, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL) &&
           gw_db_conn_send(c, gw_db_snapshot_sql, NULL) &&
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

bool gw_ask_send_become(struct gw_db_conn *c, const struct gw_ask_caller *caller)
{
    const struct gw_db_link *l = c->link;
    struct gw_ask_state *a = c->job_state;
    struct become_params p = {.n = 0};
    char limit[24], *texts[GW_DB_CLAIM_SETTINGS_MAX];
    int64_t left_ms = a->deadline_ms - gw_clock_mono_ms();
    int64_t limit_ms =
        left_ms < l->cfg.statement_timeout_ms ? left_ms : l->cfg.statement_timeout_ms;
    snprintf(limit, sizeof limit, "%lld", (long long)(limit_ms > 1 ? limit_ms : 1));
    add_param(&p, caller->role);
    add_param(&p, caller->claims_json);
    add_param(&p, caller->sub);
    add_param(&p, gw_span_of(limit));
    json_t *claims = l->n_claim_settings > 0 && caller->claims_json.n > 0
                         ? json_loadb(caller->claims_json.p, caller->claims_json.n, 0, NULL)
                         : NULL;
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

bool gw_ask_send_item(struct gw_db_conn *c, struct gw_ask_item item)
{
    struct gw_ask_state *a = c->job_state;
    struct gw_ask_slot *slot = slot_add(a, GW_ASK_ITEM);
    slot->item = item;
    bool ok = gw_db_conn_send(c, "ROLLBACK TO SAVEPOINT gw", NULL) && a->kind->send(c, slot) &&
              (item.is_probe || gw_db_conn_send(c, seal_sql, NULL)) && gw_db_conn_sync(c);
    a->flight_bytes += slot->bytes;
    return ok;
}
