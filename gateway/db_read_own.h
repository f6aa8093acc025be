/* db_read_own: one READ item: db_read.c runs it, db_read_sql.c writes its SQL, db_read_rows.c keeps
 * its rows. */
#ifndef GW_DB_READ_OWN_H
#define GW_DB_READ_OWN_H

#include "db_own.h"

/* Rows gathered so far. */
struct gw_read_rows {
    size_t bytes; /* of cell text */
    uint32_t cap;
};

/* db_read_sql.c: DECLARE of the cursor gw_rows, with a text[] parameter per column of the index.
 * False: a type is not in the catalog. */
bool gw_read_write_sql(struct gw_buf *out, const struct gw_catalog *catalog,
                       const struct gw_db_read *read);
/* Parameter number column of the index: all keys' values, as a literal of text[]. False: the text
 * of one is not known. */
bool gw_read_write_keys(struct gw_buf *out, const struct gw_db_read *read, uint32_t column);

/* db_read_rows.c. Past max_bytes: code is E_TOO_BIG and there are no rows. */
void gw_read_rows_take(struct gw_db_request *r, struct gw_db_read *read, struct gw_read_rows *rows,
                       const struct pg_result *result);
void gw_read_rows_drop(struct gw_db_read *read, struct gw_read_rows *rows);
void gw_read_rows_trim(struct gw_db_read *read,
                       struct gw_read_rows *rows); /* give back what is over */

#endif
