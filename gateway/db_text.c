/* db_text: small texts that several jobs of the db link write and read: array literals, quoted
 * names, snapshots. */
#include "db_own.h"

#include <libpq-fe.h>

/* The horizon is read after the snapshot was taken, so every commit seen ends at or before it. On a
 * standby a commit is visible a moment before it counts as replayed; what was received is further.
 */
const char gw_db_snapshot_sql[] =
    "SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text, "
    "(CASE WHEN pg_catalog.pg_is_in_recovery() "
    "THEN greatest(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn()) "
    "ELSE pg_catalog.pg_current_wal_insert_lsn() END)::pg_catalog.text";

static struct gw_span field(const PGresult *r, int column)
{
    return (struct gw_span){PQgetvalue(r, 0, column), (size_t)PQgetlength(r, 0, column)};
}

bool gw_db_take_snapshot(struct gw_db_request *r, const struct pg_result *rows)
{
    struct gw_lsn horizon;
    gw_snapshot_fini(&r->snapshot);
    r->snapshot = (struct gw_snapshot){0};
    if (PQntuples(rows) != 1 || PQnfields(rows) != 2 ||
        gw_lsn_parse(field(rows, 1), &horizon) != GW_OK ||
        gw_snapshot_parse(&r->snapshot, field(rows, 0)) != GW_OK)
        return false;
    r->snapshot.horizon = horizon;
    return true;
}

void gw_db_add_element(struct gw_buf *out, struct gw_span text)
{
    gw_buf_add_byte(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"' || text.p[i] == '\\')
            gw_buf_add_byte(out, '\\');
        gw_buf_add_byte(out, text.p[i]);
    }
    gw_buf_add_byte(out, '"');
}

void gw_db_add_ident(struct gw_buf *out, struct gw_span name)
{
    gw_buf_add_byte(out, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"')
            gw_buf_add_byte(out, '"');
        gw_buf_add_byte(out, name.p[i]);
    }
    gw_buf_add_byte(out, '"');
}
