/* settings: one table of everything that can be set: name, type, unit, default, check.
 * Flags (--database-url X or --database-url=X) win over environment (ROWCAST_DATABASE_URL), which
 * wins over the INI file
 * (--config FILE; database_url = X). --help and docs come from the table. Read-only after load. */
#ifndef GW_SETTINGS_H
#define GW_SETTINGS_H

#include "gw/catalog.h"
#include "gw/log.h"

struct gw_settings {
    char *database_url, *replication_url, *query_url; /* the latter two default to the first */
    char *listen_host, *admin_host;
    uint16_t listen_port, admin_port;
    char *jwt_secret;   /* NULL: no HS tokens */
    char *api_keys;     /* "key=role,…" or NULL */
    char *default_role; /* or NULL */
    char *roles[GW_ROLES_MAX];
    unsigned n_roles;
    char *claim_settings; /* "" if unset */
    char *publication, *access_publication, *slot;
    unsigned workers;
    enum gw_log_level log;
    size_t max_txn_bytes;     /* ROWCAST_MAX_TXN_BYTES, 64 MiB */
    size_t max_message_bytes; /* ROWCAST_MAX_MESSAGE_BYTES, 3 000 500: one client message */
    size_t outbox_bytes;      /* ROWCAST_OUTBOX_BYTES, 8 MiB */
    size_t history_bytes;     /* ROWCAST_HISTORY_BYTES, 64 MiB */
    size_t mailbox_bytes;     /* ROWCAST_MAILBOX_BYTES, 64 MiB: wal to hub */
    unsigned max_connections; /* ROWCAST_MAX_CONNECTIONS, 10 000 */
    unsigned max_channels;    /* ROWCAST_MAX_CHANNELS, 100 per connection */
    unsigned query_pool;      /* ROWCAST_QUERY_POOL, 4 */
    int64_t ask_timeout_ms;   /* ROWCAST_ASK_TIMEOUT_MS, 1000: one question */
    int64_t ask_budget_ms;    /* ROWCAST_ASK_BUDGET_MS, 2000: one transaction */
    int64_t catalog_poll_ms;  /* ROWCAST_CATALOG_POLL_MS, 5000 */
    size_t access_state_bytes; /* ROWCAST_ACCESS_STATE_BYTES, 256 MiB */
    size_t lookahead_bytes;    /* ROWCAST_LOOKAHEAD_BYTES, 64 MiB */
    unsigned oracle_sample;    /* ROWCAST_ORACLE_SAMPLE, 0: off */
    int64_t drain_seconds;    /* ROWCAST_DRAIN_SECONDS, 5 */
    int64_t idle_seconds;     /* ROWCAST_IDLE_SECONDS, 60 */
    char *www;                /* ROWCAST_WWW: folder served at /demo/ (demo only), or NULL */
};

/* argc/argv: what follows the command, flags of settings only; the environment is the process's.
 * An empty value means unset. E_SETTING: err names the setting, its value (unless secret), where it
 * comes from, and what would be right. On success out is owned; on failure it is empty. */
GW_MUST_CHECK enum gw_code gw_settings_load(struct gw_settings *out, int argc, char **argv,
                                            struct gw_err *err);
void gw_settings_fini(struct gw_settings *s);
/* What `rowcast serve` needs beyond well-formed settings: a way to verify tokens, a folder that
 * exists. E_SETTING. */
GW_MUST_CHECK enum gw_code gw_settings_check_serve(const struct gw_settings *s, struct gw_err *err);
/* Index into roles, which is the role id, or -1. */
int gw_settings_role_find(const struct gw_settings *s, struct gw_span role);
/* Cut the next item, trimmed, off a comma-separated list; *rest becomes NULL behind the last.
 * false at the end. */
bool gw_settings_next_item(const char **rest, struct gw_span *item);
/* Divide "key=value" at its last '=' (opaque keys may end in '='). false: no '=', or an empty side.
 */
bool gw_settings_split_pair(struct gw_span item, struct gw_span *key, struct gw_span *value);
/* Append the table as text for --help. */
void gw_settings_help(struct gw_buf *out);
/* Append the table as Markdown for the README. */
void gw_settings_markdown(struct gw_buf *out);

#endif
