/* check_own: what the files of `rowcast check` share: the report and the facts it is about. */
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

void gw_check_server(struct gw_check *c); /* version, wal_level, slot, publication */
void gw_check_logins(struct gw_check *c); /* the three logins, the roles */
void gw_check_tables(struct gw_check *c); /* needs the catalog */

#endif
