/* channel_fixture: one client that joins, refreshes and leaves. */
#ifndef GW_TEST_CHANNEL_FIXTURE_H
#define GW_TEST_CHANNEL_FIXTURE_H

#include "shard_fixture.h"

/* ---- one client, as most tests need ---- */

static struct gw_session *ss;

/* Join realtime:TOPIC with refs REF and a payload. */
static inline void join(const char *topic, const char *ref, const char *payload)
{
    char text[8192];
    snprintf(text, sizeof text, "[\"%s\",\"%s\",\"realtime:%s\",\"phx_join\",%s]", ref, ref, topic,
             payload);
    fix_say(ss, text);
}

static inline void join_bindings(const char *topic, const char *ref, const char *bindings)
{
    char text[8000];
    snprintf(text, sizeof text, "{\"config\":{\"postgres_changes\":[%s]}}", bindings);
    join(topic, ref, text);
}

#define TODOS "{\"event\":\"*\",\"schema\":\"public\",\"table\":\"todos\"}"
#define SUBSCRIBED(ref, topic)                                                                     \
    "[\"" ref "\",null,\"realtime:" topic "\",\"system\",{\"extension\":\"postgres_changes\","     \
    "\"status\":\"ok\",\"message\":\"Subscribed to PostgreSQL\",\"channel\":\"" topic "\"}]"

static inline void refresh(const char *token)
{
    char text[512];
    snprintf(text, sizeof text,
             "[\"1\",\"8\",\"realtime:db\",\"access_token\",{\"access_token\":%s}]", token);
    fix_say(ss, text);
}

static inline void joined_todos(uint32_t caller_id, uint64_t live_seq)
{
    join_bindings("db", "1", TODOS);
    fix_subscribed(fix_asked(), caller_id, live_seq);
    fix_discard(ss);
}

static const struct gw_shard_limits limits = {
    .channels_per_session = 3, .outbox_bytes = 1 << 20, .idle_ms = 60000};

static inline void setup(void)
{
    fix_open(&limits);
    fix_table_open();
    ss = fix_client(GW_VSN_2);
}

static inline void teardown(void)
{
    gw_session_gone(ss);
    fix_table_close();
    fix_close();
}

#endif
