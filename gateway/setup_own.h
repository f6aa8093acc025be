/* setup_own: what the steps of `rowcast setup` share. Main thread, one blocking connection. */
#ifndef GW_SETUP_OWN_H
#define GW_SETUP_OWN_H

#include "cmd_db.h"
#include "settings.h"

enum gw_setup_mark { GW_SETUP_OK, GW_SETUP_DONE, GW_SETUP_PROPOSE, GW_SETUP_ERROR };

struct gw_setup {
    bool is_dry, all_tables, set_identity;
    const char *tables, *authenticator; /* or NULL */
    struct gw_settings settings;
    struct pg_conn *pg;
    bool has_publication; /* there now: it was, or has been made */
    unsigned n_done, n_proposed, n_failed;
};

/* One line per step. */
void gw_setup_say(struct gw_setup *s, enum gw_setup_mark mark, const char *fmt, ...)
    GW_PRINTF(3, 4);
/* Run one statement, or print it. False: it failed, which has been said. */
bool gw_setup_run(struct gw_setup *s, struct gw_buf *sql);

/* setup_trigger.c: event triggers that write catalog changes into the log. */
void gw_setup_trigger(struct gw_setup *s);
/* setup_access.c: tables that policies look into belong into the access publication. */
void gw_setup_access(struct gw_setup *s, const struct gw_catalog *c);

#endif
