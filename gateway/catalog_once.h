/* catalog_once: the catalog, loaded once and waited for, for commands that run and end.
 *
 * It goes through the real loader (db_link), so that what `check` and `setup` say is what `serve`
 * would do. Starts the db thread and stops it again; the caller waits on a semaphore meanwhile. */
#ifndef GW_CATALOG_ONCE_H
#define GW_CATALOG_ONCE_H

#include "settings.h"

/* *out: owned, one reference. Errors: E_DATABASE, E_PRIVILEGE, E_DATABASE_DOWN (also after 15 s
 * without an answer). */
GW_MUST_CHECK enum gw_code gw_catalog_once(const struct gw_settings *s, struct gw_catalog **out,
                                           struct gw_err *err);

#endif
