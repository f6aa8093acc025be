/* pg: a private Postgres for one test program: made in a temporary folder, reachable by a Unix
 * socket in it, gone with gw_test_pg_free. wal_level is logical, fsync off, authentication trust.
 *
 * Binaries come from ROWCAST_TEST_PG_BIN (default /usr/lib/postgresql/15/bin). Run as root, the
 * server runs as user postgres. Anything that fails aborts the test program with a message. If the
 * program dies, the kernel ends the server. */
#ifndef GW_TEST_PG_H
#define GW_TEST_PG_H

#include <stdbool.h>
#include <stddef.h>

struct gw_test_pg;

enum gw_test_pg_stop { GW_TEST_PG_FAST, GW_TEST_PG_IMMEDIATE };

/* initdb and start. Returns owned. */
struct gw_test_pg *gw_test_pg_new(void);
void gw_test_pg_free(struct gw_test_pg *pg); /* stops it, removes the folder; accepts NULL */

void gw_test_pg_start(struct gw_test_pg *pg); /* returns when it takes connections */
/* Ask it to stop; gw_test_pg_wait_stopped waits for the end. */
void gw_test_pg_signal(struct gw_test_pg *pg, enum gw_test_pg_stop how);
bool gw_test_pg_wait_stopped(struct gw_test_pg *pg, int timeout_ms);
void gw_test_pg_stop(struct gw_test_pg *pg, enum gw_test_pg_stop how); /* signal and wait */
void gw_test_pg_restart(struct gw_test_pg *pg, enum gw_test_pg_stop how);

/* Connection string for a role (NULL: the superuser postgres); borrowed until the next 8 calls. */
const char *gw_test_pg_url(struct gw_test_pg *pg, const char *role);
/* Run SQL as the superuser, several statements allowed, each connection its own. */
void gw_test_pg_exec(struct gw_test_pg *pg, const char *sql);
/* First column of the first row into out, "" if there is none. Returns out. */
const char *gw_test_pg_value(struct gw_test_pg *pg, const char *sql, char *out, size_t cap);

#endif
