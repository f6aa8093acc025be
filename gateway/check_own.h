/* check_own: what the files of `rowcast check` share: the report and the facts it is about. Where
 * the report lists things (path, policy, state), a line is its kind and its fields, two blanks
 * between them: scripts rely on it. */
#ifndef GW_CHECK_OWN_H
#define GW_CHECK_OWN_H

#include "cmd_db.h"
#include "settings.h"

enum gw_check_mark { GW_CHECK_OK, GW_CHECK_NOTE, GW_CHECK_WARNING, GW_CHECK_ERROR };

struct gw_check {
    const struct gw_settings *settings;
    struct pg_conn *pg, *query;       /* database_url; query_url, or NULL */
    const struct gw_catalog *catalog; /* or NULL: it could not be loaded */
    unsigned n_warnings, n_errors, n_weaker;
};

/* One line: mark, subject (≤ 22 bytes line up), text. */
void gw_check_say(struct gw_check *c, enum gw_check_mark mark, const char *subject, const char *fmt,
                  ...) GW_PRINTF(4, 5);
/* The remedy of the line before. */
void gw_check_fix(const char *fmt, ...) GW_PRINTF(1, 2);

void gw_check_server(struct gw_check *c);   /* version, wal_level, slot, publication */
void gw_check_logins(struct gw_check *c);   /* the three logins, the roles */
void gw_check_tables(struct gw_check *c);   /* these need the catalog */
void gw_check_paths(struct gw_check *c);    /* per role and policy: how its readers are found */
void gw_check_state(struct gw_check *c);    /* tables that policies look into */
void gw_check_followed(struct gw_check *c); /* those of them that no publication follows */

/* check_reads.c: what the policies of published tables and of realtime.messages need. */
/* t's own policies read the column, by its position in the catalog. */
bool gw_check_is_read(const struct gw_catalog *c, const struct gw_catalog_table *t,
                      unsigned column);
bool gw_check_is_looked_into(const struct gw_catalog *c, uint32_t oid);
/* Bit per column of t: those that some policy wants of an old row of t, whichever table it is on.
 */
struct gw_colset gw_check_wanted(const struct gw_catalog *c, const struct gw_catalog_table *t);
/* Names of the columns in set with ", " between them. */
void gw_check_add_columns(struct gw_buf *out, const struct gw_catalog_table *t,
                          const struct gw_colset *set);
/* Append schema.name, each quoted where SQL would need it. */
void gw_check_add_name(struct gw_buf *out, struct gw_span schema, struct gw_span name);
/* Append the words with line breaks and runs of blanks made one blank. */
void gw_check_add_line(struct gw_buf *out, struct gw_span text);

#endif
