/* pgerr: what an SQLSTATE means to a link: its code and its remedy. No libpq, no I/O.
 * Source: PostgreSQL docs, Appendix A. */
#ifndef GW_PGERR_H
#define GW_PGERR_H

#include "gw/log.h"

/* E_DATABASE_DOWN: the server is going away or not there yet (class 08, 57P0x); E_PRIVILEGE (class
 * 28, 42501); else E_DATABASE, "" included. */
enum gw_code gw_pgerr_code(const char *sqlstate);
/* Set err from an SQLSTATE and the server's words, with a hint where one is known. */
enum gw_code gw_pgerr_set(const char *sqlstate, const char *text, struct gw_err *err);
/* Set err from libpq's verbose message of a failed connection. Without an SQLSTATE the network
 * spoke: E_DATABASE_DOWN. user and database may be NULL. */
enum gw_code gw_pgerr_of_connect(const char *message, const char *user, const char *database,
                                 struct gw_err *err);

/* Log err at error level, but the same text in a row only at debug level. */
struct gw_pgerr_last {
    char text[sizeof((struct gw_err *)0)->text];
};
void gw_pgerr_log(struct gw_pgerr_last *last, const char *event, const struct gw_err *err);
/* Back-off before attempt n (0-based): 250 ms doubling to 5 s, give or take a fifth. */
int64_t gw_pgerr_backoff_ms(unsigned n);

#endif
