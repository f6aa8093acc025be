/* fanout_fixture: many followers of the table, and checks of what they get. */
#ifndef GW_TEST_FANOUT_FIXTURE_H
#define GW_TEST_FANOUT_FIXTURE_H

#include "shard_fixture.h"

/* ---- many clients on topic "db", for the fan-out ---- */

#define ALL "{\"event\":\"*\",\"schema\":\"public\",\"table\":\"todos\"}"
#define INSERTS "{\"event\":\"INSERT\",\"schema\":\"public\",\"table\":\"todos\"}"

#define SESSIONS_MAX 128
static struct gw_session *sessions[SESSIONS_MAX];
static uint32_t n_sessions;

static inline struct gw_session *keep(struct gw_session *ss)
{
    ck_assert_uint_lt(n_sessions, SESSIONS_MAX);
    return sessions[n_sessions++] = ss;
}

/* A client on topic "db", of role 0. */
static inline struct gw_session *follower(const char *bindings, uint32_t caller_id)
{
    return keep(fix_follower("db", bindings, caller_id, 1));
}

/* The same with a token of that role. */
static inline struct gw_session *follower_of_role(unsigned role, const char *bindings,
                                                  uint32_t caller_id)
{
    char text[2048];
    struct gw_session *ss = keep(fix_client(GW_VSN_2));
    snprintf(text, sizeof text,
             "[\"1\",\"1\",\"realtime:db\",\"phx_join\",{\"config\":{\"postgres_changes\":[%s]},"
             "\"access_token\":\"good:%u:1900000000:n%u\"}]",
             bindings, role, caller_id);
    fix_say(ss, text);
    fix_subscribed(fix_asked(), caller_id, 1);
    fix_discard(ss);
    return ss;
}

/* A client on topic "db" that asked for extensions, of that role. */
static inline struct gw_session *extended(const char *rowcast, unsigned role, const char *bindings,
                                          uint32_t caller_id)
{
    char text[2048];
    struct gw_session *ss = keep(fix_client(GW_VSN_2));
    snprintf(
        text, sizeof text,
        "[\"1\",\"1\",\"realtime:db\",\"phx_join\",{\"config\":{\"broadcast\":{\"rowcast\":%s},"
        "\"postgres_changes\":[%s]},\"access_token\":\"good:%u:1900000000:n%u\"}]",
        rowcast, bindings, role, caller_id);
    fix_say(ss, text);
    fix_subscribed(fix_asked(), caller_id, 1);
    fix_discard(ss);
    return ss;
}

static inline uint32_t id_asked(uint32_t i)
{
    return fix_asked()->bindings[i].id;
}

#define HEAD(type)                                                                                 \
    "\"data\":{\"schema\":\"public\",\"table\":\"todos\",\"type\":\"" type                         \
    "\",\"commit_timestamp\":\"2027-01-15T08:00:00.417Z\",\"columns\":[\"id\",\"title\","          \
    "\"secret\"],"

static inline void ck_change(struct gw_session *ss, uint32_t id, const char *rest)
{
    char want[2048];
    snprintf(want, sizeof want,
             "[null,null,\"realtime:db\",\"postgres_changes\",{\"ids\":[%u],%s}]", id, rest);
    ck_takes(ss, want);
}

static inline const char *old_record(const char *frame)
{
    static char cut[512];
    const char *at = strstr(frame, "\"old_record\":");
    ck_assert_msg(at != NULL, "%s", frame);
    snprintf(cut, sizeof cut, "%.*s", (int)(strcspn(at, "}") + 1), at);
    return cut;
}

static inline void ck_old(struct gw_session *ss, const char *want)
{
    ck_assert_str_eq(old_record(fix_take(ss)), want);
}

static const struct gw_shard_limits limits = {
    .channels_per_session = 10, .outbox_bytes = 1 << 20, .idle_ms = 60000};

static inline void setup(void)
{
    fix_open(&limits);
    fix_table_open();
    n_sessions = 0;
}

static inline void teardown(void)
{
    for (uint32_t i = 0; i < n_sessions; i++)
        gw_session_gone(sessions[i]);
    fix_table_close();
    fix_close();
}

#endif
