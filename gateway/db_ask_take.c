/* db_ask_take: what comes back of the commands of an ASK or EVAL: the snapshot, answers, seals,
 * errors. What follows from them is decided in db_ask.c, when the segment is complete. */
#include "db_ask_own.h"

#include <libpq-fe.h>
#include <stdio.h>

static void take_snapshot(struct gw_db_conn *c, const PGresult *r)
{
    struct gw_ask_state *a = c->job_state;
    struct gw_db_request *request = c->request;
    if (!request)
        return;
    bool is_known = gw_db_take_snapshot(request, r);
    if (request->xid == 0 || (is_known && gw_snapshot_sees(&request->snapshot, request->xid)))
        return;
    a->is_invisible = a->is_void = true;
    a->invisible_tries++;
    atomic_fetch_add(&c->link->invisible_retries, 1);
}

static void take_answer(struct gw_db_conn *c, struct gw_ask_slot *slot, const PGresult *r)
{
    const struct gw_ask_state *a = c->job_state;
    struct gw_ask_item item = slot->item;
    if (a->units[item.unit].is_settled || PQnfields(r) < 1 ||
        PQntuples(r) != (int)(item.hi - item.lo))
        return;
    slot->is_answered = true;
    a->kind->take(c->request, item, r);
}

static void take_seal(struct gw_db_conn *c, struct gw_ask_slot *slot, const PGresult *r)
{
    const struct gw_ask_state *a = c->job_state;
    const struct gw_ask_caller who = a->kind->caller(c->request, slot->item.unit);
    if (PQntuples(r) != 1 || PQnfields(r) != 3)
        return;
    struct gw_span role = {PQgetvalue(r, 0, 0), (size_t)PQgetlength(r, 0, 0)};
    struct gw_span claims = {PQgetvalue(r, 0, 1), (size_t)PQgetlength(r, 0, 1)};
    slot->is_tainted = PQgetvalue(r, 0, 2)[0] != 'f';
    slot->is_sealed = gw_span_eq(role, who.role) && gw_span_eq(claims, who.claims_json);
}

/* Data errors quote the value, and row values are not for the log. */
void gw_ask_take_error(struct gw_ask_slot *slot, const PGresult *r)
{
    if (*slot->sqlstate)
        return;
    slot->failed_at = slot->at;
    if (!*gw_pgconn_sqlstate(r, slot->sqlstate))
        snprintf(slot->sqlstate, sizeof slot->sqlstate, "XX000");
    bool quotes_data =
        strncmp(slot->sqlstate, "22", 2) == 0 || strncmp(slot->sqlstate, "23", 2) == 0;
    const char *said = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    snprintf(slot->message, sizeof slot->message, "%.130s (SQLSTATE %s)",
             quotes_data ? "data error"
             : said      ? said
                         : "error",
             slot->sqlstate);
}

void gw_ask_take_rows(struct gw_db_conn *c, struct gw_ask_slot *slot, const PGresult *r)
{
    if (slot->kind == GW_ASK_BEGIN)
        take_snapshot(c, r);
    if (slot->kind != GW_ASK_ITEM || slot->item.is_probe || !c->request)
        return;
    if (slot->at == GW_ASK_QUESTION)
        take_answer(c, slot, r);
    else if (slot->at == GW_ASK_SEAL)
        take_seal(c, slot, r);
}
