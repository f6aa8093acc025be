/* bind_fixture: the travel planner of reference policies as a catalog, and what a policy on one of
 * its tables binds to.
 *
 * RLS is off on all tables but those a test gives policies to. */
#ifndef GW_TEST_BIND_FIXTURE_H
#define GW_TEST_BIND_FIXTURE_H

#include "bound_print.h"
#include "catalog_fixture.h"

#include <check.h>

#define UID "( SELECT auth.uid() AS uid)"
#define TRIPS_OF_MINE                                                                              \
    "( SELECT trips.id FROM public.trips WHERE (trips.user_id = " UID                              \
    ") UNION SELECT trip_collaborators.trip_id FROM public.trip_collaborators WHERE "              \
    "(trip_collaborators.user_id = " UID "))"

/* How auth.uid(), auth.jwt() and realtime.topic() print. */
#define P_UID                                                                                      \
    "(COALESCE(NULLIF($request.jwt.claim.sub, '':text), "                                          \
    "((NULLIF($request.jwt.claims, '':text))::jsonb ->> 'sub':text)))::uuid"
#define P_JWT "(NULLIF($request.jwt.claims, '':text))::jsonb"
#define P_TOPIC "NULLIF($realtime.topic, '':text)"
#define P_SUFFIX "pg_catalog.split_part(" P_TOPIC ", ':':text, '2':int4)"

static struct {
    struct gw_catalog *c;
    struct gw_catalog_table *trips, *members, *sessions, *messages, *things, *profiles, *topics;
} bf;

static inline struct gw_catalog_table *bf_table(const char *name, const char *columns)
{
    struct gw_catalog_table *t = cf_table(bf.c, name, columns);
    t->rls_enabled = false;
    return t;
}

static inline struct gw_catalog_function *bf_sql(const char *name, const char *args,
                                                 const char *returns, const char *body)
{
    return cf_function(
        bf.c, (struct cf_function){.name = name, .args = args, .returns = returns, .body = body});
}

static inline struct gw_catalog_function *bf_plpgsql(const char *name, const char *args,
                                                     const char *returns, const char *body)
{
    return cf_function(
        bf.c,
        (struct cf_function){
            .name = name, .args = args, .returns = returns, .language = "plpgsql", .body = body});
}

static inline struct gw_catalog_function *bf_definer(struct gw_catalog_function *f)
{
    f->is_definer = f->has_search_path = true;
    f->n_search_path = 1;
    f->search_path[0] = GW_SPAN_LIT("public");
    return f;
}

static inline void bf_functions(void)
{
    cf_auth(bf.c);
    bf_sql("realtime.topic", "", "text",
           "\nselect nullif(current_setting('realtime.topic', true), '')::text;\n");
    bf_sql("public.rt_topic_suffix", "", "text", "SELECT split_part(realtime.topic(), ':', 2)");
    bf_sql("public.is_admin", "", "bool",
           "\n  SELECT coalesce(\n    nullif(current_setting('request.jwt.claims', true)::json -> "
           "'app_metadata' ->> 'is_admin', ''),\n    nullif(current_setting('request.jwt.claims', "
           "true)::json ->> 'is_admin', '')\n  ) = 'true';\n");
    bf_definer(bf_plpgsql("public.user_has_trip_access", "p_user_id uuid, p_trip_id int8", "bool",
                          "\nBEGIN\n  RETURN EXISTS (\n    SELECT 1\n    FROM public.trips t\n"
                          "    WHERE t.id = p_trip_id\n      AND t.user_id = p_user_id\n    UNION\n"
                          "    SELECT 1\n    FROM public.trip_collaborators tc\n"
                          "    WHERE tc.trip_id = p_trip_id\n      AND tc.user_id = p_user_id\n"
                          "  );\nEND;\n"));
    bf_definer(bf_plpgsql("public.user_has_trip_edit_access", "p_user_id uuid, p_trip_id int8",
                          "bool",
                          "\nBEGIN\n  RETURN EXISTS (SELECT 1 FROM trips t WHERE t.id = p_trip_id"
                          " AND t.user_id = p_user_id UNION SELECT 1 FROM trip_collaborators tc"
                          " WHERE tc.trip_id = p_trip_id AND tc.user_id = p_user_id"
                          " AND tc.role IN ('editor', 'admin'));\nEND;\n"));
    bf_definer(bf_plpgsql("public.user_is_trip_owner", "p_user_id uuid, p_trip_id int8", "bool",
                          "BEGIN RETURN EXISTS (SELECT 1 FROM public.trips t WHERE t.id = p_trip_id"
                          " AND t.user_id = p_user_id); END;"));
    bf_plpgsql("public.try_cast_uuid", "p_value text", "uuid",
               "\nBEGIN\n  RETURN p_value::uuid;\nEXCEPTION WHEN OTHERS THEN\n  RETURN NULL;\nEND;")
        ->volatility = 'i';
    bf_plpgsql("public.try_cast_bigint", "p_value text", "int8",
               "\nBEGIN\n  RETURN p_value::bigint;\nEXCEPTION WHEN OTHERS THEN\n  RETURN NULL;"
               "\nEND;")
        ->volatility = 'i';
    bf_plpgsql(
        "public.rt_is_session_member", "", "bool",
        "\nDECLARE ok boolean := false;\nDECLARE session_id uuid;\nBEGIN\n"
        "  IF to_regclass('public.chat_sessions') IS NULL THEN\n    RETURN false;\n"
        "  END IF;\n\n  session_id := public.try_cast_uuid(public.rt_topic_suffix());\n"
        "  IF session_id IS NULL THEN\n    RETURN false;\n  END IF;\n\n  EXECUTE '\n"
        "    SELECT EXISTS (\n      SELECT 1\n      FROM public.chat_sessions cs\n"
        "      LEFT JOIN public.trips t ON t.id = cs.trip_id\n"
        "      LEFT JOIN public.trip_collaborators tc ON tc.trip_id = cs.trip_id AND "
        "tc.user_id = auth.uid()\n      WHERE cs.id = $1\n"
        "        AND (cs.user_id = auth.uid() OR t.user_id = auth.uid() OR tc.user_id IS NOT "
        "NULL)\n    )'\n    INTO ok\n    USING session_id;\n\n  RETURN ok;\nEND;\n");
}

static inline void bf_setup(void)
{
    bf.c = cf_catalog();
    bf.trips = bf_table("public.trips", "id int8!, user_id uuid!, name text, is_public bool, "
                                        "tags text[], start_date date, status varchar");
    bf.members =
        bf_table("public.trip_collaborators", "id int8!, trip_id int8!, user_id uuid!, role text!");
    bf.sessions = bf_table("public.chat_sessions", "id uuid!, trip_id int8, user_id uuid!");
    bf.messages =
        bf_table("public.chat_messages", "id int8!, session_id uuid!, user_id uuid!, role text!");
    bf.profiles = bf_table("public.profiles", "id uuid!, is_admin bool, org_id uuid, role text");
    bf.things = bf_table("public.things",
                         "id int8!, trip_id int8, user_id uuid, session_id uuid, message_id int8, "
                         "role text, name text, status varchar, created_at timestamptz, "
                         "created_by text, namespace text, n int4, tags text[], data jsonb, "
                         "added_by uuid, org_id uuid");
    bf.topics = bf_table("realtime.messages", "id uuid!, topic text!, extension text!");
    bf_functions();
}

static inline void bf_teardown(void)
{
    gw_catalog_unref(bf.c);
}

/* What qual on t binds to, or "refused: why"; owned. */
static inline char *bf_bind_on(const struct gw_catalog_table *t, const char *qual)
{
    struct gw_arena arena;
    struct gw_buf out;
    struct gw_bound_var row = {.table = t};
    uint32_t next_var = 1;
    gw_arena_init(&arena, 0);
    gw_buf_init(&out, 0);
    struct gw_binder *b = gw_binder_new(bf.c, &arena);
    struct gw_bound_result r = gw_bind_policy(b, t, CF_USER, gw_span_of(qual), &row, &next_var);
    gw_binder_free(b);
    if (r.expr)
        bp_node(&out, bf.c, r.expr);
    else
        gw_buf_printf(&out, "refused: %.*s", (int)r.why.n, r.why.p);
    char *text = gw_strdup_span(gw_buf_span(&out));
    gw_buf_fini(&out);
    gw_arena_fini(&arena);
    return text;
}

static inline void bf_assert_on(const struct gw_catalog_table *t, const char *qual,
                                const char *expected)
{
    char *got = bf_bind_on(t, qual);
    ck_assert_msg(strcmp(got, expected) == 0, "%.900s\n  is  %.2000s\n  not %.2000s", qual, got,
                  expected);
    free(got);
}

/* A policy on things. */
static inline void bf_assert(const char *qual, const char *expected)
{
    bf_assert_on(bf.things, qual, expected);
}

/* why: a part of the reason. */
static inline void bf_assert_refused(const char *qual, const char *why)
{
    char *got = bf_bind_on(bf.things, qual);
    ck_assert_msg(strncmp(got, "refused: ", 9) == 0 && strstr(got, why),
                  "%.900s\n  is %.2000s\n  not %.900s", qual, got, why);
    free(got);
}

#endif
