#include "bench_engine.h"

#include "bench_time.h"

#include "gw/repl_msg.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define STATE_BYTES ((size_t)4 << 30)
#define HISTORY_COMMITS 4096
#define HISTORY_BYTES ((size_t)64 << 20)
#define JOIN_BYTES 4096
#define SEED 42

static const struct gw_now now = {{1000}, {INT64_C(1800000000000000)}};

static void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(EXIT_FAILURE);
}

void bench_user_id(char *out, const char *prefix, uint64_t n)
{
    static const char hex[] = "0123456789abcdef";
    char text[64];
    unsigned char hash[EVP_MAX_MD_SIZE];
    int length = snprintf(text, sizeof text, "%s-%llu", prefix, (unsigned long long)n);
    if (EVP_Digest(text, (size_t)length, hash, NULL, EVP_md5(), NULL) != 1)
        die("no MD5");
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = hex[hash[i] >> 4];
        *out++ = hex[hash[i] & 15];
    }
    *out = '\0';
}

/* ---- what the judge and the shard ask for ---- */

static const struct gw_table_views *views_of(void *ctx, const struct gw_relation *rel)
{
    struct bench_engine *e = ctx;
    const struct gw_table_views *v = gw_idmap_find(&e->views, rel->oid);
    if (v && v->rel == rel)
        return v;
    gw_table_views_unref(v);
    struct gw_table_views *fresh = gw_table_views_new(rel, e->catalog);
    gw_idmap_put(&e->views, rel->oid, fresh);
    return fresh;
}

static bool is_suspended(void *ctx, uint32_t rel_oid)
{
    (void)ctx;
    (void)rel_oid;
    return false;
}

static void on_state_unknown(void *ctx, uint32_t rel_oid)
{
    struct bench_engine *e = ctx;
    (void)rel_oid;
    e->unknown++;
}

static void on_budget(void *ctx, uint32_t rel_oid)
{
    (void)ctx;
    (void)rel_oid;
}

static void on_caller(void *ctx, const struct gw_caller *caller, bool is_new)
{
    struct bench_engine *e = ctx;
    if (is_new)
        gw_callers_add(e->callers, caller);
    else
        gw_callers_drop(e->callers, caller->id);
}

static enum gw_code verify(void *ctx, struct gw_span token, struct gw_us wall,
                           struct gw_claims **out, struct gw_err *err)
{
    (void)ctx;
    (void)token;
    (void)wall;
    *out = NULL;
    return gw_err_set(err, GW_E_TOKEN_MALFORMED, "no tokens here");
}

static enum gw_code to_hub(void *ctx, struct gw_to_hub *msg)
{
    struct bench_engine *e = ctx;
    if (msg->kind != GW_TO_HUB_SUBSCRIBE || e->asked)
        gw_to_hub_free(msg);
    else
        e->asked = msg;
    return GW_OK;
}

/* ---- life ---- */

struct bench_engine *bench_engine_new(const struct gw_catalog *catalog,
                                      const struct gw_db_request *rows)
{
    static const struct gw_solver_config cfg = {
        .memo_bytes = (size_t)64 << 20, .rows_max = 2000000, .externals_max = 100000};
    static const struct gw_shard_limits limits = {
        .channels_per_session = 10, .outbox_bytes = 8 << 20, .idle_ms = 60000};
    struct bench_engine *e = gw_alloc(sizeof *e);
    const struct gw_shard_ops ops = {e, verify, to_hub};
    e->catalog = catalog;
    e->rows = rows;
    e->state = gw_state_new(STATE_BYTES);
    e->solver = gw_solver_new(e->state, &cfg);
    e->callers = gw_callers_new(NULL, 0);
    e->interest = gw_interest_new(SEED);
    e->shard = gw_shard_new(0, SEED, &ops, &limits);
    e->history = gw_history_new(1, HISTORY_COMMITS, HISTORY_BYTES);
    gw_idmap_init(&e->views);
    gw_interest_watch_callers(e->interest, on_caller, e);
    gw_callers_set_rules(e->callers, catalog->rules);
    bench_engine_reset(e);
    return e;
}

void bench_engine_free(struct bench_engine *e)
{
    uint64_t oid;
    void *v;
    for (uint32_t i = 0; i < e->n_sessions; i++)
        gw_session_gone(e->sessions[i]);
    free(e->sessions);
    gw_shard_free(e->shard);
    gw_history_free(e->history);
    gw_interest_free(e->interest);
    gw_callers_free(e->callers);
    gw_solver_free(e->solver);
    gw_state_free(e->state);
    gw_assembler_free(e->assembler);
    for (size_t at = 0; gw_idmap_each(&e->views, &at, &oid, &v);)
        gw_table_views_unref(v);
    gw_idmap_fini(&e->views);
    free(e);
}

void bench_engine_reset(struct bench_engine *e)
{
    gw_state_set_rules(e->state, e->catalog->rules);
    gw_solver_set_rules(e->solver, e->catalog->rules);
    for (uint32_t i = 0; i < e->rows->n_reads; i++) {
        const struct gw_db_read *read = &e->rows->reads[i];
        struct gw_state_rows rows = {read->n_rows, read->cells};
        gw_state_load(e->state, i, &rows);
    }
    gw_state_settle(e->state);
    gw_assembler_free(e->assembler);
    e->assembler = gw_assembler_new(0);
    gw_assembler_set_types(e->assembler, &e->catalog->types);
    e->stats = (struct gw_judge_stats){0};
    e->frames = e->unknown = 0;
}

/* ---- clients ---- */

static void join(struct gw_session *ss, const char *const *tables)
{
    char text[JOIN_BYTES];
    size_t n = (size_t)snprintf(text, sizeof text,
                                "[\"1\",\"1\",\"realtime:bench\",\"phx_join\","
                                "{\"config\":{\"postgres_changes\":[");
    for (unsigned i = 0; tables[i]; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "%s{\"event\":\"*\",\"schema\":\"public\",\"table\":\"%s\"}",
                              i ? "," : "", tables[i]);
    n += (size_t)snprintf(text + n, sizeof text - n, "]}}]");
    gw_session_on_message(ss, (struct gw_span){text, n}, false, now);
}

static uint32_t oid_of(const struct bench_engine *e, const char *table)
{
    const struct gw_catalog_table *t =
        gw_catalog_table_named(e->catalog, GW_SPAN_LIT("public"), gw_span_of(table));
    return t ? t->oid : 0;
}

/* The hub's answer; the bindings go back with it. */
static void answer(struct bench_engine *e)
{
    struct gw_to_hub *asked = e->asked;
    struct gw_to_worker *m = gw_alloc(sizeof *m);
    e->asked = NULL;
    for (uint32_t i = 0; i < asked->n_bindings; i++)
        asked->bindings[i].rel_oid = oid_of(e, asked->bindings[i].table);
    m->kind = GW_TO_WORKER_SUBSCRIBED;
    m->channel_id = asked->channel_id;
    m->attempt = asked->attempt;
    m->live_seq = e->seq + 1;
    m->caller_id = gw_interest_put(e->interest, 0, asked->channel_id, asked->claims,
                                   asked->bindings, asked->n_bindings);
    m->n_bindings = asked->n_bindings;
    m->bindings = asked->bindings;
    asked->bindings = NULL;
    asked->n_bindings = 0;
    gw_to_hub_free(asked);
    gw_shard_on_hub(e->shard, m, now);
}

/* The sockets take everything at once. */
static void drain(struct bench_engine *e)
{
    struct gw_session *ss;
    while ((ss = gw_shard_next_dirty(e->shard))) {
        struct gw_outbox *o = gw_session_outbox(ss);
        e->frames += o->count;
        gw_outbox_drop(o, o->count);
    }
}

void bench_engine_connect(struct bench_engine *e, const char *user_id, const char *const *tables)
{
    char json[200];
    snprintf(json, sizeof json, "{\"role\":\"authenticated\",\"sub\":\"%s\"}", user_id);
    struct gw_claims *claims = gw_claims_new(BENCH_AUTHENTICATED, GW_SPAN_LIT("authenticated"),
                                             gw_span_of(user_id), INT64_MAX, gw_span_of(json));
    struct gw_session *ss = gw_session_open(e->shard, NULL, GW_VSN_2, claims, now);
    join(ss, tables);
    if (!e->asked)
        die("a join asked nothing of the hub");
    answer(e);
    drain(e);
    if ((e->n_sessions & (e->n_sessions - 1)) == 0)
        e->sessions =
            gw_realloc(e->sessions, (e->n_sessions ? e->n_sessions * 2 : 1) * sizeof *e->sessions);
    e->sessions[e->n_sessions++] = ss;
    gw_claims_unref(claims);
}

/* ---- transactions ---- */

static struct gw_judge_env env_of(struct bench_engine *e)
{
    return (struct gw_judge_env){.catalog = e->catalog,
                                 .interest = e->interest,
                                 .state = e->state,
                                 .solver = e->solver,
                                 .callers = e->callers,
                                 .stats = &e->stats,
                                 .rows_per_question = 500,
                                 .max_evaluations = 100000,
                                 .ctx = e,
                                 .views = views_of,
                                 .is_suspended = is_suspended,
                                 .on_state_unknown = on_state_unknown};
}

/* Adds the time since *since to a stage. */
static void lap(struct bench_engine *e, enum bench_stage stage, uint64_t *since)
{
    if (!e->is_staged)
        return;
    uint64_t t = bench_wall_ns();
    e->stage_ns[stage] += t - *since;
    *since = t;
}

static void route(struct bench_engine *e, struct gw_commit *commit)
{
    const struct gw_commit *next;
    uint64_t lost;
    e->seq = gw_history_push(e->history, commit);
    while (gw_history_next(e->history, 0, &next, &lost) == GW_READ_COMMIT) {
        gw_shard_on_commit(e->shard, next);
        gw_history_release(e->history, 0);
    }
    drain(e);
}

static void deliver(struct bench_engine *e, struct gw_txn *txn, uint64_t *since)
{
    struct gw_judge_env env = env_of(e);
    gw_case_fold(txn, e->catalog);
    lap(e, BENCH_STAGE_FOLD, since);
    struct gw_case *c = gw_case_open(txn, &env);
    if (gw_case_solve_old(c, &env) != GW_OK)
        die("an old image could not be solved");
    lap(e, BENCH_STAGE_OLD, since);
    gw_state_apply(e->state, txn, NULL, NULL);
    lap(e, BENCH_STAGE_APPLY, since);
    if (gw_case_solve_new(c, &env) != GW_OK || c->n_asks > 0)
        die("a new image could not be solved");
    struct gw_commit *commit = gw_case_close(c, &env, on_budget);
    gw_solver_next_judgement(e->solver);
    lap(e, BENCH_STAGE_NEW, since);
    route(e, commit);
    lap(e, BENCH_STAGE_ROUTE, since);
}

bool bench_engine_feed(struct bench_engine *e, struct gw_span copy_data)
{
    struct gw_repl_msg envelope;
    struct gw_txn *txn = NULL;
    struct gw_err err = {0};
    enum gw_fed fed = GW_FED_NOTHING;
    uint64_t since = e->is_staged ? bench_wall_ns() : 0;
    if (gw_repl_msg_parse(copy_data, &envelope) != GW_OK ||
        gw_assembler_feed(e->assembler, envelope.payload, &fed, &txn, &err) != GW_OK)
        die(err.text[0] ? err.text : "not a replication message");
    lap(e, BENCH_STAGE_DECODE, &since);
    if (fed != GW_FED_TXN)
        return false;
    deliver(e, txn, &since);
    return true;
}
