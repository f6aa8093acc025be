/* judge_fixture: a catalog of a few tables, a registry of followers, transactions from the wire,
 * and a stand-in for the hub that answers questions.
 *
 * notes is asked and looks nowhere; items is asked and looks into trips (id, owner); posts is for
 * everyone; hidden is not published. All columns are text. */
#ifndef GW_TEST_JUDGE_FIXTURE_H
#define GW_TEST_JUDGE_FIXTURE_H

#include "gw/judge.h"

#include "../pg/wire.h"
#include "../policy/fixture.h"

enum { TRIPS = 16001, NOTES, ITEMS, POSTS, HIDDEN }; /* as fx_table numbers them */
#define VIEWS_MAX 32

static struct {
    struct gw_catalog *catalog;
    struct gw_interest *interest;
    struct gw_judge_stats stats;
    struct gw_judge_env env;
    struct gw_assembler *assembler;
    struct gw_buf wire;
    struct gw_table_views *views[VIEWS_MAX];
    unsigned n_views;
    uint32_t suspended; /* oid */
    unsigned owed;
    uint32_t budget_spent[4]; /* oids, as told */
    unsigned n_budget_spent;
    uint64_t xid;
} fix;

/* ---- catalog ---- */

static inline void fix_all_text(struct gw_catalog *c)
{
    for (uint32_t i = 0; i < c->n_tables; i++) {
        for (uint16_t k = 0; k < c->tables[i].n_columns; k++)
            c->tables[i].columns[k].type_oid = TEXT_OID;
        c->tables[i].columns[0].in_primary_key = true;
    }
}

#define OWNS "(user_id = auth.uid())"
#define OWNS_TRIP                                                                                  \
    "(trip_id IN ( SELECT trips.id FROM public.trips WHERE (trips.user_id = auth.uid())))"

/* Not finished: the test may change it before gw_catalog_finish. */
static inline struct gw_catalog *fix_catalog(void)
{
    struct gw_catalog *c = fx_catalog();
    fx_sql(c, "auth", "uid", "select nullif(current_setting('request.jwt.claim.sub', true), '')");
    fx_table(c, "public", "trips", "id user_id name")->rls_enabled = false;
    struct gw_catalog_table *notes = fx_table(c, "public", "notes", "id user_id body");
    fx_policy(c, notes, BIT(AUTHENTICATED), OWNS);
    notes->access[SERVICE].bypasses_rls = true;
    struct gw_catalog_table *items = fx_table(c, "public", "items", "id trip_id title");
    fx_policy(c, items, BIT(AUTHENTICATED), OWNS_TRIP);
    fx_policy(c, fx_table(c, "public", "posts", "id body"), BIT(ANON) | BIT(AUTHENTICATED), "true");
    struct gw_catalog_table *hidden = fx_table(c, "public", "hidden", "id body");
    hidden->published = hidden->rls_enabled = false;
    hidden->followed = true;
    fix_all_text(c);
    return c;
}

static inline void fix_drop_views(void)
{
    while (fix.n_views > 0)
        gw_table_views_unref(fix.views[--fix.n_views]);
}

/* Put c (taken) in use, as the hub does. */
static inline void fix_use(struct gw_catalog *c)
{
    fix_drop_views();
    gw_catalog_unref(fix.catalog);
    gw_catalog_finish(c, NULL, NULL);
    fix.catalog = c;
    fix.env.catalog = c;
}

/* ---- the hub's part ---- */

static inline const struct gw_table_views *fix_views(void *ctx, const struct gw_relation *rel)
{
    ck_assert_ptr_eq(ctx, &fix);
    for (unsigned i = 0; i < fix.n_views; i++)
        if (fix.views[i]->rel == rel)
            return fix.views[i];
    ck_assert_uint_lt(fix.n_views, VIEWS_MAX);
    return fix.views[fix.n_views++] = gw_table_views_new(rel, fix.catalog);
}

static inline bool fix_is_suspended(void *ctx, uint32_t rel_oid)
{
    ck_assert_ptr_eq(ctx, &fix);
    fix.owed += rel_oid == fix.suspended;
    return rel_oid == fix.suspended;
}

static inline void fix_on_budget(void *ctx, uint32_t rel_oid)
{
    ck_assert_ptr_eq(ctx, &fix);
    ck_assert_uint_lt(fix.n_budget_spent, 4);
    fix.budget_spent[fix.n_budget_spent++] = rel_oid;
}

/* ---- followers ---- */

/* who is the text of the claims. Owned. */
static inline struct gw_claims *fix_claims(unsigned role, const char *who)
{
    return gw_claims_new((uint16_t)role, GW_SPAN_LIT("role"), gw_span_of(who), INT64_MAX,
                         gw_span_of(who));
}

/* A follower of every event of one table by channel; returns the caller. */
static inline uint32_t fix_follow(uint64_t channel, unsigned role, const char *who,
                                  uint32_t rel_oid)
{
    struct gw_binding b = {.id = 1,
                           .events = GW_EVENT_ALL,
                           .schema = "public",
                           .table = rel_oid ? "t" : "*",
                           .rel_oid = rel_oid};
    struct gw_claims *claims = fix_claims(role, who);
    uint32_t id = gw_interest_put(fix.interest, 0, channel, claims, &b, 1);
    gw_claims_unref(claims);
    return id;
}

/* ---- transactions ---- */

static inline void fix_announce(uint32_t oid, const char *name, char identity, const char *columns)
{
    enum gw_fed fed;
    struct gw_txn *txn;
    wire_relation(&fix.wire, oid, name, identity, columns);
    ck_assert_int_eq(wire_feed(fix.assembler, &fix.wire, &fed, &txn), GW_OK);
    ck_assert_int_eq(fed, GW_FED_RELATION);
}

static inline void fix_begin(void)
{
    wire_feed_begin(fix.assembler, &fix.wire, ++fix.xid);
}

static inline void fix_insert(uint32_t oid, const char *const *row, size_t n)
{
    wire_insert(&fix.wire, oid, row, n);
    wire_feed_ok(fix.assembler, &fix.wire);
}

/* Two rows of n columns in one list: old, then new. */
static inline void fix_update(uint32_t oid, const char *const *rows, size_t n)
{
    wire_update(&fix.wire, oid, 'O', rows, n / 2, rows + n / 2, n / 2);
    wire_feed_ok(fix.assembler, &fix.wire);
}

/* As the default identity logs an UPDATE that leaves the key alone. */
static inline void fix_update_blind(uint32_t oid, const char *const *row, size_t n)
{
    wire_update(&fix.wire, oid, 0, NULL, 0, row, n);
    wire_feed_ok(fix.assembler, &fix.wire);
}

static inline void fix_delete(uint32_t oid, char tag, const char *const *row, size_t n)
{
    wire_delete(&fix.wire, oid, tag, row, n);
    wire_feed_ok(fix.assembler, &fix.wire);
}

static inline void fix_truncate(uint32_t oid)
{
    wire_truncate(&fix.wire, oid);
    wire_feed_ok(fix.assembler, &fix.wire);
}

static inline struct gw_case *fix_open(void)
{
    return gw_case_open(wire_feed_commit(fix.assembler, &fix.wire, fix.xid), &fix.env);
}

/* Answer ask i: one '1' or '0' per row, however many images share it. */
static inline void fix_answer(struct gw_case *c, uint32_t i, enum gw_code code, const char *rows)
{
    ck_assert_uint_lt(i, c->n_asks);
    ck_assert_uint_eq(strlen(rows), c->asks[i].n_rows);
    for (uint32_t k = 0; k < c->asks[i].n_rows; k++)
        c->asks[i].visible[k] = rows[k] == '1';
    c->asks[i].code = code;
}

static inline struct gw_commit *fix_close(struct gw_case *c)
{
    return gw_case_close(c, &fix.env, fix_on_budget);
}

/* ---- expectations ---- */

static inline bool fix_admits(const struct gw_audience *au, unsigned role, uint32_t caller)
{
    struct gw_principal self = {GW_PRINCIPAL_CALLER, 0, caller};
    struct gw_identity id = {(uint16_t)role, 1, &self};
    return gw_audience_admits(au, &id);
}

/* Every row of a question speaks for at least one image, and every image has its row: rows come in
 * the order in which the first image of each was met. */
static inline void ck_refs_cover_rows(const struct gw_case *c, const struct gw_ask *ask)
{
    uint32_t n_met = 0;
    for (uint32_t k = 0; k < ask->n_refs; k++) {
        ck_assert_uint_lt(ask->refs[k].change, c->txn->n_changes);
        ck_assert_uint_le(ask->refs[k].row, n_met);
        n_met += ask->refs[k].row == n_met;
    }
    ck_assert_uint_eq(ask->n_rows, n_met);
}

static inline void ck_ref(const struct gw_ask *ask, uint32_t k, uint32_t change, uint32_t row,
                          bool is_old)
{
    ck_assert_uint_lt(k, ask->n_refs);
    ck_assert_uint_eq(ask->refs[k].change, change);
    ck_assert_uint_eq(ask->refs[k].row, row);
    ck_assert_int_eq(ask->refs[k].is_old, is_old);
}

/* The question, and that each offset points at its element: `"(` and then the row. */
static inline void ck_ask(const struct gw_case *c, uint32_t i, uint32_t caller, uint32_t oid,
                          const char *rows)
{
    ck_assert_uint_lt(i, c->n_asks);
    const struct gw_ask *ask = &c->asks[i];
    ck_assert_uint_eq(ask->caller_id, caller);
    ck_assert_uint_eq(ask->table->oid, oid);
    ck_assert_ptr_eq(ask->access, &ask->table->access[ask->claims->role_id]);
    ck_assert_str_eq(ask->rows.p, rows);
    ck_refs_cover_rows(c, ask);
    for (uint32_t k = 0; k < ask->n_rows; k++)
        ck_assert(strncmp(ask->rows.p + ask->offsets[k], "\"(", 2) == 0 &&
                  strchr("{,", ask->rows.p[ask->offsets[k] - 1]));
}

static inline void ck_resync(const struct gw_commit *commit, uint32_t i, uint32_t oid,
                             enum gw_code reason)
{
    ck_assert_uint_lt(i, commit->n_resyncs);
    ck_assert_uint_eq(commit->resyncs[i].rel_oid, oid);
    ck_assert_int_eq(commit->resyncs[i].reason, reason);
}

static inline void setup(void)
{
    memset(&fix, 0, sizeof fix);
    fix.env = (struct gw_judge_env){.stats = &fix.stats,
                                    .rows_per_question = 500,
                                    .max_evaluations = 1000,
                                    .ctx = &fix,
                                    .views = fix_views,
                                    .is_suspended = fix_is_suspended};
    fix.interest = gw_interest_new(7);
    fix.env.interest = fix.interest;
    fix_use(fix_catalog());
    fix.assembler = gw_assembler_new(0);
    gw_buf_init(&fix.wire, 0);
    fix_announce(TRIPS, "trips", 'f', "id user_id name");
    fix_announce(NOTES, "notes", 'f', "id user_id body");
    fix_announce(ITEMS, "items", 'f', "id trip_id title");
    fix_announce(POSTS, "posts", 'd', "+id body");
    fix_announce(HIDDEN, "hidden", 'd', "+id body");
}

static inline void teardown(void)
{
    gw_assembler_free(fix.assembler);
    gw_buf_fini(&fix.wire);
    gw_interest_free(fix.interest);
    fix_drop_views();
    gw_catalog_unref(fix.catalog);
}

#endif
