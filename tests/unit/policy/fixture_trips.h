/* fixture_trips: the tables and functions of a travel planner, as the tests of depend see them.
 *
 * RLS is off on all tables but things, which carries the policy under test. */
#ifndef GW_TEST_POLICY_FIXTURE_TRIPS_H
#define GW_TEST_POLICY_FIXTURE_TRIPS_H

#include "gw/depend.h"

#include "fixture.h"

#include <check.h>
#include <stdio.h>

static struct {
    struct gw_catalog *c;
    struct gw_catalog_table *trips, *members, *sessions, *messages, *things, *profiles;
} fx;

/* Every column of things. */
#define ALL                                                                                        \
    "id trip_id user_id session_id role name kind file_path created_at extension created_by note"

#define UID "( SELECT auth.uid() AS uid)"
#define MY_TRIPS                                                                                   \
    "( SELECT trips.id FROM public.trips WHERE (trips.user_id = " UID                              \
    ") UNION SELECT trip_collaborators.trip_id FROM public.trip_collaborators WHERE "              \
    "(trip_collaborators.user_id = " UID "))"
#define CLAIMS "current_setting('request.jwt.claims', true)::jsonb"

static inline void add_functions(void)
{
    fx_sql(fx.c, "auth", "uid", "select nullif(" CLAIMS " ->> 'sub', '')::uuid");
    fx_sql(fx.c, "auth", "role", "select " CLAIMS " ->> 'role'");
    fx_sql(fx.c, "auth", "jwt", "select " CLAIMS);
    fx_sql(fx.c, "auth", "email", "select auth.jwt() ->> 'email'");
    fx_sql(fx.c, "realtime", "topic", "select nullif(current_setting('realtime.topic', true), '')");
    fx_sql(fx.c, "public", "topic_suffix", "select split_part(realtime.topic(), ':', 2)");
    fx_sql(fx.c, "public", "is_admin",
           "select (auth.jwt() -> 'app_metadata' ->> 'is_admin') = 'true'");
    fx_plpgsql(
        fx.c, "has_access",
        "begin\n  return exists (select 1 from public.trips t where t.id = p_trip and "
        "t.user_id = p_user\n    union select 1 from public.trip_collaborators tc\n    where "
        "tc.trip_id = p_trip and tc.user_id = p_user);\nend");
    fx_plpgsql(fx.c, "is_owner",
               "begin return exists (select 1 from trips t where t.id = p_trip and t.user_id = "
               "p_user); end");
    fx_plpgsql(fx.c, "is_session_member",
               "declare ok boolean; begin execute 'select true' into ok; return ok; end");
    fx_plpgsql(fx.c, "try_cast",
               "begin return p_trip::bigint; exception when others then return "
               "null; end")
        ->volatility = 'i';
}

static inline void setup(void)
{
    fx.c = fx_catalog();
    fx.trips = fx_table(fx.c, "public", "trips", "id user_id name is_public status");
    fx.members = fx_table(fx.c, "public", "trip_collaborators", "id trip_id user_id role");
    fx.sessions = fx_table(fx.c, "public", "chat_sessions", "id trip_id user_id metadata");
    fx.messages = fx_table(fx.c, "public", "chat_messages", "id session_id user_id role content");
    fx.profiles = fx_table(fx.c, "public", "profiles", "id full_name is_admin");
    fx.things =
        fx_table(fx.c, "public", "things",
                 "id trip_id user_id session_id role name kind file_path created_at extension "
                 "created_by note");
    fx.trips->rls_enabled = fx.members->rls_enabled = fx.sessions->rls_enabled = false;
    fx.messages->rls_enabled = fx.profiles->rls_enabled = false;
    add_functions();
}

static inline void teardown(void)
{
    gw_catalog_unref(fx.c);
}

static inline void find(struct gw_catalog_table *t, struct gw_colset *reads, struct gw_depends *out)
{
    for (uint32_t i = 0; i < fx.c->n_tables; i++)
        gw_idmap_put(&fx.c->by_oid, fx.c->tables[i].oid, &fx.c->tables[i]);
    gw_depend_find(fx.c, t, AUTHENTICATED, reads, out);
}

/* A policy on things: what it reads of the row, what it looks up; why is NULL when all is known. */
static inline void assert_depends(const char *qual, const char *reads, const char *lookups,
                                  const char *why)
{
    struct gw_colset read_set;
    struct gw_depends depends;
    fx_policy(fx.c, fx.things, BIT(AUTHENTICATED), qual);
    find(fx.things, &read_set, &depends);
    char *got_reads = fx_columns(fx.things, &read_set), *got_lookups = fx_lookups(fx.c, &depends);
    ck_assert_msg(strcmp(got_reads, reads) == 0, "%s reads %s", qual, got_reads);
    ck_assert_msg(strcmp(got_lookups, lookups) == 0, "%s looks up %s", qual, got_lookups);
    ck_assert_msg(depends.unknown == (why != NULL), "%s: %s", qual,
                  depends.unknown ? depends.why.p : "known");
    if (why)
        ck_assert_msg(strstr(depends.why.p, why) != NULL, "%s: %s", qual, depends.why.p);
    free(got_reads);
    free(got_lookups);
}

#endif
