/* The table of all settings, and the texts that come from it. */
#include "settings_table.h"

#include <ctype.h>

#define AT(field) .offset = offsetof(struct gw_settings, field)
#define KIB 1024LL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static const struct gw_setting table[] = {
    {"database_url", GW_SETTING_TEXT, "postgresql:///postgres", NULL,
     "libpq connection string; the role needs REPLICATION and must see past RLS", AT(database_url),
     .is_secret = true},
    {"replication_url", GW_SETTING_TEXT, NULL, "as database_url",
     "connection string for replication (past a pooler)", AT(replication_url), .is_secret = true},
    {"query_url", GW_SETTING_TEXT, NULL, "as database_url",
     "connection string for questions asked as a user (the authenticator)", AT(query_url),
     .is_secret = true},
    {"listen", GW_SETTING_ADDRESS, "127.0.0.1:4000", NULL, "address of HTTP and WebSocket",
     AT(listen_host), .port_offset = offsetof(struct gw_settings, listen_port)},
    {"admin_listen", GW_SETTING_ADDRESS, "127.0.0.1:4001", NULL,
     "address of metrics and admin; off the public port", AT(admin_host),
     .port_offset = offsetof(struct gw_settings, admin_port)},
    {"jwt_secret", GW_SETTING_TEXT, NULL, NULL,
     "secret of HS256, HS384 and HS512 tokens; at least 32 bytes", AT(jwt_secret), .min = 32,
     .max = 4096, .is_secret = true},
    {"api_keys", GW_SETTING_TEXT, NULL, NULL, "opaque keys and their roles: key=role,…",
     AT(api_keys), .is_secret = true, .is_valid = gw_setting_is_pairs,
     .expected = "key=role,key=role,…"},
    {"roles", GW_SETTING_ROLES, "anon,authenticated,service_role", NULL,
     "roles that a token may name", AT(roles)},
    {"default_role", GW_SETTING_TEXT, NULL, NULL, "role of tokens that name none; one of roles",
     AT(default_role)},
    {"claim_settings", GW_SETTING_TEXT, "", NULL,
     "settings that policies read, from claims: app.tenant_id=org_id,…", AT(claim_settings),
     .is_valid = gw_setting_is_pairs, .expected = "setting=claim,setting=claim,…"},
    {"publication", GW_SETTING_TEXT, "supabase_realtime", NULL,
     "publication to follow and subscribe to", AT(publication), .min = 1, .max = 63},
    {"access_publication", GW_SETTING_TEXT, "", NULL,
     "publication of more tables that policies read; followed, never subscribable",
     AT(access_publication), .max = 63},
    {"slot", GW_SETTING_TEXT, "rowcast", NULL, "replication slot", AT(slot),
     .is_valid = gw_setting_is_slot, .expected = "1 to 63 of a-z, 0-9 and _"},
    {"feed", GW_SETTING_ONE, "slot", NULL, "where transactions come from: slot", .offset = 0},
    {"workers", GW_SETTING_COUNT, "0", "number of cores", "worker threads; 0: one per core",
     AT(workers), .max = 256},
    {"log", GW_SETTING_LEVEL, "info", NULL, "level of the log: error, warn, info, debug", AT(log)},
    {"max_txn_bytes", GW_SETTING_BYTES, "64MiB", NULL,
     "a larger transaction is not delivered row by row: its tables resync", AT(max_txn_bytes),
     .min = 64 * KIB, .max = 16 * GIB},
    {"max_message_bytes", GW_SETTING_BYTES, "3000500", NULL,
     "one message of a client; a larger one closes with 1009", AT(max_message_bytes),
     .min = 1 * KIB, .max = 64 * MIB},
    {"outbox_bytes", GW_SETTING_BYTES, "8MiB", NULL,
     "frames that may wait for one client; past it the client resyncs", AT(outbox_bytes),
     .min = 16 * KIB, .max = 1 * GIB},
    {"history_bytes", GW_SETTING_BYTES, "64MiB", NULL, "commits kept for the workers",
     AT(history_bytes), .min = 64 * KIB, .max = 64 * GIB},
    {"mailbox_bytes", GW_SETTING_BYTES, "64MiB", NULL,
     "transactions that may wait to be judged; past it the log is not read", AT(mailbox_bytes),
     .min = 64 * KIB, .max = 64 * GIB},
    {"max_connections", GW_SETTING_COUNT, "10000", NULL, "client connections of this process",
     AT(max_connections), .min = 1, .max = 1000000},
    {"max_channels", GW_SETTING_COUNT, "100", NULL, "channels of one connection", AT(max_channels),
     .min = 1, .max = 100000},
    {"query_pool", GW_SETTING_COUNT, "4", NULL, "connections for questions asked as a user",
     AT(query_pool), .min = 1, .max = 64},
    {"ask_timeout_ms", GW_SETTING_MS, "1000", NULL, "time for one question", AT(ask_timeout_ms),
     .min = 10, .max = 600000},
    {"ask_budget_ms", GW_SETTING_MS, "2000", NULL,
     "time for all questions of one transaction; past it their readers resync", AT(ask_budget_ms),
     .min = 10, .max = 600000},
    {"catalog_poll_ms", GW_SETTING_MS, "5000", NULL,
     "how often the catalog is looked at for changes that the log does not tell",
     AT(catalog_poll_ms), .min = 100, .max = 3600000},
    {"access_state_bytes", GW_SETTING_BYTES, "256MiB", NULL,
     "memory for the rows that policies look up; a table that does not fit is cached by key",
     AT(access_state_bytes), .min = 64 * KIB, .max = 256 * GIB},
    {"lookahead_bytes", GW_SETTING_BYTES, "64MiB", NULL,
     "transactions read ahead to place what was read of the database; past it changes are denied",
     AT(lookahead_bytes), .min = 64 * KIB, .max = 64 * GIB},
    {"oracle_sample", GW_SETTING_COUNT, "0", NULL,
     "ask Postgres about one in so many decisions again, and compare; 0: never",
     AT(oracle_sample), .min = 0, .max = 1000000000},
    {"drain_seconds", GW_SETTING_SECONDS, "5", NULL, "time for clients to leave on shutdown",
     AT(drain_seconds), .max = 3600},
    {"idle_seconds", GW_SETTING_SECONDS, "60", NULL, "a client silent for so long is closed",
     AT(idle_seconds), .min = 5, .max = 86400},
    {"www", GW_SETTING_TEXT, NULL, NULL, "folder served at /demo/ (for the demo only)", AT(www)},
    {.name = "jwks", .type = GW_SETTING_LATER},
    {.name = "jwt_issuer", .type = GW_SETTING_LATER},
    {.name = "jwt_audience", .type = GW_SETTING_LATER},
    {.name = "redis_url", .type = GW_SETTING_LATER},
    {.name = "history_wal_bytes", .type = GW_SETTING_LATER},
    {.name = "stale_ms", .type = GW_SETTING_LATER},
};

#define TABLE_COUNT (sizeof table / sizeof table[0])

size_t gw_settings_count(void)
{
    return TABLE_COUNT;
}

const struct gw_setting *gw_settings_at(size_t i)
{
    return &table[i];
}

static char fold(char c)
{
    return c == '-' ? '_' : c;
}

static bool name_eq(struct gw_span a, const char *b)
{
    if (a.n != strlen(b))
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (fold(a.p[i]) != b[i])
            return false;
    }
    return true;
}

const struct gw_setting *gw_settings_find(struct gw_span name)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (name_eq(name, table[i].name))
            return &table[i];
    }
    return NULL;
}

#define NAME_MAX_BYTES 40

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Levenshtein's distance, one row at a time. */
static size_t distance(struct gw_span a, const char *b)
{
    size_t row[NAME_MAX_BYTES + 1], nb = strlen(b);
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t same = (char)tolower((unsigned char)fold(a.p[i - 1])) == b[j - 1] ? 0 : 1;
            size_t best = min3(row[j] + 1, row[j - 1] + 1, diagonal + same);
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[nb];
}

const struct gw_setting *gw_settings_closest(struct gw_span name)
{
    const struct gw_setting *best = NULL;
    if (name.n > NAME_MAX_BYTES)
        return NULL;
    size_t limit = name.n < 6 ? 1 : name.n < 10 ? 2 : 3;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        size_t d = distance(name, table[i].name);
        if (d <= limit) {
            limit = d == 0 ? 0 : d - 1;
            best = &table[i];
        }
    }
    return best;
}

static const char *type_name(const struct gw_setting *s)
{
    switch (s->type) {
    case GW_SETTING_ADDRESS:
        return "address:port";
    case GW_SETTING_BYTES:
        return "bytes";
    case GW_SETTING_COUNT:
        return "number";
    case GW_SETTING_MS:
        return "milliseconds";
    case GW_SETTING_SECONDS:
        return "seconds";
    case GW_SETTING_LEVEL:
        return "level";
    case GW_SETTING_ROLES:
        return "list";
    default:
        return "text";
    }
}

static const char *shown_default(const struct gw_setting *s)
{
    if (s->shown)
        return s->shown;
    return s->fallback && *s->fallback ? s->fallback : "unset";
}

static void add_name(struct gw_buf *out, const char *name, bool is_flag)
{
    for (const char *p = name; *p; p++)
        gw_buf_add_byte(out, is_flag ? (*p == '_' ? '-' : *p) : (char)toupper((unsigned char)*p));
}

void gw_settings_help(struct gw_buf *out)
{
    gw_buf_add_str(
        out, "Settings. A flag wins over the environment, the environment over the file:\n"
             "--max-connections 500 (or =500), ROWCAST_MAX_CONNECTIONS=500, and in the file\n"
             "of --config FILE the line max_connections = 500. Empty means unset. Bytes take\n"
             "k, M, G or KiB, MiB, GiB (powers of 1024); times take ms, s, min.\n\n"
             "  --config FILE  read settings from an INI file without sections\n");
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        const struct gw_setting *s = &table[i];
        if (s->type == GW_SETTING_LATER)
            continue;
        gw_buf_add_str(out, "  --");
        add_name(out, s->name, true);
        gw_buf_printf(out, "  %s\n        %s (default: %s)\n", type_name(s), s->help,
                      shown_default(s));
    }
}

void gw_settings_markdown(struct gw_buf *out)
{
    gw_buf_add_str(out, "| variable | unit | default | meaning |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        const struct gw_setting *s = &table[i];
        if (s->type == GW_SETTING_LATER)
            continue;
        gw_buf_add_str(out, "| ROWCAST_");
        add_name(out, s->name, false);
        bool is_literal = !s->shown && s->fallback && *s->fallback;
        gw_buf_printf(out, " | %s | %s%s%s | %s |\n", type_name(s), is_literal ? "`" : "",
                      shown_default(s), is_literal ? "`" : "", s->help);
    }
}
