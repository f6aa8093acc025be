/* lower_fixture: what a policy on one of bind_fixture's tables compiles to, as gw_expr_print shows
 * it.
 *
 * RLS is on for the table with the policy alone, which applies to CF_USER. */
#ifndef GW_TEST_LOWER_FIXTURE_H
#define GW_TEST_LOWER_FIXTURE_H

#include "bind_fixture.h"

#include "gw/compile.h"

/* How the caller's id prints as a fact: number, then where it comes from. */
#define SUB "coalesce(claim.sub, claims.sub)"
#define F0 "fact[0 " SUB "]"

static inline struct gw_rules *lf_compile(struct gw_catalog_table *t, const char *qual)
{
    const struct gw_compile_options options = {.claim_settings = "app.tenant_id=org_id"};
    t->rls_enabled = true;
    cf_policy(bf.c, t, "p", qual)->roles = CF_BIT(CF_USER);
    return gw_compile(bf.c, &options, NULL);
}

static inline const struct gw_plan *lf_plan(const struct gw_rules *r,
                                            const struct gw_catalog_table *t)
{
    const struct gw_plan *plan = gw_rules_plan(r, t->oid, CF_USER, false);
    ck_assert_ptr_nonnull(plan);
    return plan;
}

/* "solved: …", "assisted: …", "asked: why"; owned. */
static inline char *lf_text(const struct gw_rules *r, const struct gw_plan *plan)
{
    struct gw_buf out;
    gw_buf_init(&out, 0);
    if (plan->path == GW_PLAN_ASKED) {
        gw_buf_printf(&out, "asked: %.*s", (int)plan->why.n, plan->why.p);
    } else {
        gw_buf_add_str(&out, plan->path == GW_PLAN_SOLVED ? "solved: " : "assisted: ");
        gw_expr_print(&out, r, plan->expr);
    }
    char *text = gw_strdup_span(gw_buf_span(&out));
    gw_buf_fini(&out);
    return text;
}

/* One policy and what was made of it; a fresh catalog each time. */
typedef struct gw_catalog_table *lf_table(void);
static inline struct gw_catalog_table *lf_things(void)
{
    return bf.things;
}
static inline struct gw_catalog_table *lf_trips(void)
{
    return bf.trips;
}
static inline struct gw_catalog_table *lf_members(void)
{
    return bf.members;
}
static inline struct gw_catalog_table *lf_messages(void)
{
    return bf.messages;
}
static inline struct gw_catalog_table *lf_topics(void)
{
    return bf.topics;
}

static inline void lf_assert_on(lf_table *table, const char *qual, const char *expected)
{
    bf_setup();
    struct gw_catalog_table *t = table();
    struct gw_rules *r = lf_compile(t, qual);
    char *got = lf_text(r, lf_plan(r, t));
    ck_assert_msg(strcmp(got, expected) == 0, "%s\n  is  %s\n  not %s", qual, got, expected);
    free(got);
    gw_rules_unref(r);
    bf_teardown();
}

/* A policy on things. */
static inline void lf_assert(const char *qual, const char *expected)
{
    lf_assert_on(lf_things, qual, expected);
}

/* why: a part of the reason. */
static inline void lf_assert_asked(const char *qual, const char *why)
{
    bf_setup();
    struct gw_rules *r = lf_compile(bf.things, qual);
    char *got = lf_text(r, lf_plan(r, bf.things));
    ck_assert_msg(strncmp(got, "asked: ", 7) == 0 && strstr(got, why), "%s\n  is %s\n  not %s",
                  qual, got, why);
    free(got);
    gw_rules_unref(r);
    bf_teardown();
}

#endif
