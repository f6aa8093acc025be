/* db_eval: EVAL: what is this expression, for each of these rows of arguments?
 *
 * DESIGN. The rows travel as one text array per argument and come back as one row each, so many
 * rows cost one statement. If it raises, the item is halved until the rows that raise stand alone
 * (ERROR); the others keep their answers. The expression is parsed as a step of its own: text that
 * does not parse is our mistake or a catalog that has moved on, and tells nothing about a row
 * (UNKNOWN). It is not prepared by name: expressions come and go, and hostile policies cannot get
 * at a statement without one. */
#include "db_ask_own.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_ARRAY_OID 1009

static struct gw_ask_caller caller(const struct gw_db_request *r, uint32_t unit)
{
    const struct gw_db_eval *e = &r->evals[unit];
    return (struct gw_ask_caller){e->role, e->sub, e->claims_json};
}

/* ---- to Postgres ---- */

/* An unqualified unnest could take all arrays at once, but names a function by search_path. */
static void write_sql(struct gw_buf *out, const struct gw_db_eval *e)
{
    gw_buf_add_str(out, "SELECT (");
    gw_buf_add_span(out, e->sql);
    gw_buf_add_str(out, ")::pg_catalog.text");
    if (e->n_args == 0)
        return;
    gw_buf_add_str(out, " FROM ROWS FROM (");
    for (uint32_t i = 0; i < e->n_args; i++)
        gw_buf_printf(out, "%spg_catalog.unnest($%u)", i ? ", " : "", i + 1);
    gw_buf_add_str(out, ") WITH ORDINALITY AS v(");
    for (uint32_t i = 0; i < e->n_args; i++)
        gw_buf_printf(out, "a%u, ", i + 1);
    gw_buf_add_str(out, "ord) ORDER BY v.ord");
}

/* One argument of rows [lo, hi) as a literal of text[]. */
static void write_column(struct gw_buf *out, const struct gw_db_eval *e, uint32_t arg, uint32_t lo,
                         uint32_t hi)
{
    gw_buf_add_byte(out, '{');
    for (uint32_t i = lo; i < hi; i++) {
        const struct gw_datum *d = &e->args[(size_t)i * e->n_args + arg];
        if (i > lo)
            gw_buf_add_byte(out, ',');
        if (d->state == GW_DATUM_VALUE)
            gw_db_add_element(out, d->text);
        else
            gw_buf_add_str(out, "NULL");
    }
    gw_buf_add_byte(out, '}');
}

static bool send_args(struct gw_db_conn *c, const struct gw_db_eval *e, struct gw_ask_slot *slot)
{
    char **values = gw_alloc((e->n_args + 1) * sizeof *values);
    struct gw_buf text;
    gw_buf_init(&text, 0);
    for (uint32_t i = 0; i < e->n_args; i++) {
        gw_buf_reset(&text);
        write_column(&text, e, i, slot->item.lo, slot->item.hi);
        values[i] = gw_strdup_span(gw_buf_span(&text));
        slot->bytes += text.n;
    }
    gw_buf_fini(&text);
    bool ok = PQsendQueryPrepared(c->pg.pg, "", (int)e->n_args, (const char *const *)values, NULL,
                                  NULL, 0);
    for (uint32_t i = 0; i < e->n_args; i++)
        free(values[i]);
    free(values);
    return ok;
}

static bool send_parse(struct gw_db_conn *c, const struct gw_db_eval *e)
{
    Oid *types = gw_alloc((e->n_args + 1) * sizeof *types);
    struct gw_buf sql;
    gw_buf_init(&sql, 0);
    write_sql(&sql, e);
    for (uint32_t i = 0; i < e->n_args; i++)
        types[i] = TEXT_ARRAY_OID;
    bool ok = PQsendPrepare(c->pg.pg, "", gw_buf_cstr(&sql), (int)e->n_args, types);
    gw_buf_fini(&sql);
    free(types);
    return ok;
}

static bool send_rows(struct gw_db_conn *c, struct gw_ask_slot *slot)
{
    const struct gw_db_eval *e = &c->request->evals[slot->item.unit];
    const struct gw_ask_caller who = caller(c->request, slot->item.unit);
    slot->parses = true;
    slot->bytes = e->sql.n + e->claims_json.n;
    return gw_ask_send_become(c, &who) && send_parse(c, e) && send_args(c, e, slot);
}

/* ---- what comes back ---- */

static void take(struct gw_db_request *r, struct gw_ask_item item, const PGresult *rows)
{
    struct gw_db_eval *e = &r->evals[item.unit];
    for (uint32_t i = item.lo; i < item.hi; i++) {
        int row = (int)(i - item.lo);
        struct gw_span text = {PQgetvalue(rows, row, 0), (size_t)PQgetlength(rows, row, 0)};
        if (PQgetisnull(rows, row, 0))
            e->answers[i] = gw_datum_null(GW_KIND_OPAQUE);
        else
            e->answers[i] =
                (struct gw_datum){.state = GW_DATUM_VALUE, .text = gw_arena_copy(&r->arena, text)};
    }
}

/* All rows alike: an answer that came before its seal is none. */
static void deny(struct gw_db_request *r, uint32_t unit, enum gw_code code)
{
    struct gw_db_eval *e = &r->evals[unit];
    for (uint32_t i = 0; i < e->n_rows; i++)
        e->answers[i] = code == GW_E_POLICY ? gw_datum_error() : gw_datum_unknown();
}

static void settle(struct gw_db_request *r, uint32_t unit, enum gw_code code, const char *why)
{
    struct gw_db_eval *e = &r->evals[unit];
    if (code != GW_OK && why && !*e->why)
        snprintf(e->why, sizeof e->why, "%s", why);
}

static void on_failed(struct gw_db_conn *c, const struct gw_ask_slot *slot)
{
    struct gw_ask_state *a = c->job_state;
    struct gw_ask_item item = slot->item;
    struct gw_db_eval *e = &c->request->evals[item.unit];
    bool holds_for_all = strncmp(slot->sqlstate, "42", 2) == 0; /* such as a missing privilege */
    if (!*e->why)
        snprintf(e->why, sizeof e->why, "%s", slot->message);
    if (slot->failed_at == GW_ASK_PARSE) {
        gw_ask_deny(c, item.unit, GW_E_UNSUPPORTED, slot->message);
    } else if (holds_for_all) {
        gw_ask_deny(c, item.unit, GW_E_POLICY, slot->message);
    } else if (item.hi - item.lo > 1) {
        gw_ask_add_halves(a, item);
    } else {
        e->answers[item.lo] = gw_datum_error();
        a->units[item.unit].denied++;
        gw_ask_close_item(c, item.unit);
    }
}

void gw_db_eval_blank(struct gw_db_request *r)
{
    for (uint32_t i = 0; i < r->n_evals; i++) {
        struct gw_db_eval *e = &r->evals[i];
        if (!e->answers)
            e->answers = gw_arena_alloc(&r->arena, (e->n_rows + 1) * sizeof *e->answers);
        for (uint32_t k = 0; k < e->n_rows; k++)
            e->answers[k] = gw_datum_unknown();
    }
}

bool gw_db_eval_start(struct gw_db_conn *c)
{
    static const struct gw_ask_kind kind = {caller, send_rows, take, on_failed, deny, settle};
    struct gw_db_request *r = c->request;
    struct gw_ask_state *a = gw_ask_state_new(c, &kind, r->n_evals);
    for (uint32_t i = 0; i < r->n_evals; i++) {
        if (r->evals[i].n_rows > 0)
            gw_ask_add(a, (struct gw_ask_item){.unit = i, .hi = r->evals[i].n_rows});
        else
            gw_ask_settle(c, i, GW_OK, NULL);
    }
    atomic_fetch_add(&c->link->evals, r->n_evals);
    return gw_ask_begin(c);
}
