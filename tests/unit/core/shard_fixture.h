/* shard_fixture: a shard with a hub and a verifier of function pointers, and commits built by hand.
 * Header only: each test program has its own copy of the state.
 *
 * Tokens the verifier knows: "good:ROLE:EXP:NAME"; "expired…" and "bad…" are refused. */
#ifndef GW_TEST_SHARD_FIXTURE_H
#define GW_TEST_SHARD_FIXTURE_H

#include "gw/catalog.h"
#include "gw/shard.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define FIX_EPOCH_S INT64_C(1800000000)
#define FIX_REL_OID 500u
#define FIX_SENT_MAX 512

static struct gw_shard *shard;
static struct gw_to_hub *sent[FIX_SENT_MAX]; /* what the hub took, oldest first */
static uint32_t n_sent, n_verified;
static bool hub_is_full;
static struct gw_claims *key_claims;
static struct gw_now now_;
static char taken[1 << 16]; /* the text last taken */

static inline enum gw_code fix_to_hub(void *ctx, struct gw_to_hub *msg)
{
    (void)ctx;
    if (hub_is_full)
        return GW_E_FULL;
    ck_assert_uint_lt(n_sent, FIX_SENT_MAX);
    sent[n_sent++] = msg;
    return GW_OK;
}

static inline enum gw_code fix_verify(void *ctx, struct gw_span token, struct gw_us wall,
                                      struct gw_claims **out, struct gw_err *err)
{
    (void)ctx;
    (void)wall;
    n_verified++;
    char text[256], name[128];
    unsigned role;
    long long exp;
    snprintf(text, sizeof text, "%.*s", (int)token.n, token.p);
    if (strncmp(text, "expired", 7) == 0)
        return gw_err_set(err, GW_E_TOKEN_EXPIRED, "Token has expired 7 seconds ago");
    if (sscanf(text, "good:%u:%lld:%127s", &role, &exp, name) != 3)
        return gw_err_set(err, GW_E_TOKEN_MALFORMED, "The token provided is not a valid JWT");
    *out =
        gw_claims_new((uint16_t)role, GW_SPAN_LIT("role"), gw_span_of(name), exp, gw_span_of(text));
    return GW_OK;
}

static inline void fix_at(int64_t second) /* seconds since the fixture began */
{
    now_.mono.v = 1000 + second * 1000;
    now_.wall.v = (FIX_EPOCH_S + second) * 1000000;
}

static inline void fix_open(const struct gw_shard_limits *limits)
{
    static const struct gw_shard_ops ops = {NULL, fix_verify, fix_to_hub};
    n_sent = n_verified = 0;
    hub_is_full = false;
    fix_at(0);
    key_claims = gw_claims_new(0, GW_SPAN_LIT("anon"), GW_SPAN_LIT(""), INT64_MAX,
                               GW_SPAN_LIT("{\"role\":\"anon\"}"));
    shard = gw_shard_new(3, 42, &ops, limits);
}

static inline void fix_forget_sent(void)
{
    for (uint32_t i = 0; i < n_sent; i++)
        gw_to_hub_free(sent[i]);
    n_sent = 0;
}

static inline void fix_close(void) /* sessions must be gone */
{
    gw_shard_free(shard);
    gw_claims_unref(key_claims);
    fix_forget_sent();
}

/* ---- clients ---- */

static inline struct gw_session *fix_client(enum gw_vsn vsn)
{
    return gw_session_open(shard, NULL, vsn, key_claims, now_);
}

static inline void fix_say(struct gw_session *ss, const char *text)
{
    gw_session_on_message(ss, gw_span_of(text), false, now_);
}

/* The next frame's text, taken out of the outbox; "" when there is none. */
static inline const char *fix_take(struct gw_session *ss)
{
    struct gw_outbox *o = gw_session_outbox(ss);
    taken[0] = '\0';
    if (o->count == 0)
        return taken;
    struct gw_span text = gw_frame_payload(gw_outbox_peek(o, 0));
    ck_assert_uint_lt(text.n, sizeof taken);
    snprintf(taken, sizeof taken, "%.*s", (int)text.n, text.p);
    gw_outbox_drop(o, 1);
    return taken;
}

static inline void fix_discard(struct gw_session *ss)
{
    struct gw_outbox *o = gw_session_outbox(ss);
    gw_outbox_drop(o, o->count);
}

#define ck_takes(ss, text) ck_assert_str_eq(fix_take(ss), text)
#define ck_silent(ss) ck_takes(ss, "")
#define ck_has(text, part) ck_assert_msg(strstr(text, part), "%s\nlacks %s", text, part)
#define ck_lacks(text, part) ck_assert_msg(!strstr(text, part), "%s\nhas %s", text, part)

/* ---- the hub ---- */

/* The newest SUBSCRIBE. */
static inline struct gw_to_hub *fix_asked(void)
{
    for (uint32_t i = n_sent; i > 0; i--)
        if (sent[i - 1]->kind == GW_TO_HUB_SUBSCRIBE)
            return sent[i - 1];
    return NULL;
}

static inline struct gw_to_worker *fix_answer(enum gw_to_worker_kind kind,
                                              const struct gw_to_hub *asked)
{
    struct gw_to_worker *m = gw_alloc(sizeof *m);
    m->kind = kind;
    m->channel_id = asked->channel_id;
    m->attempt = asked->attempt;
    return m;
}

/* Bindings come back as they were sent, with the one table's oid unless they are wildcards. */
static inline void fix_subscribed(const struct gw_to_hub *asked, uint32_t caller_id,
                                  uint64_t live_seq)
{
    struct gw_to_worker *m = fix_answer(GW_TO_WORKER_SUBSCRIBED, asked);
    m->caller_id = caller_id;
    m->live_seq = live_seq;
    m->n_bindings = asked->n_bindings;
    m->bindings = gw_alloc((asked->n_bindings + 1) * sizeof *m->bindings);
    for (uint32_t i = 0; i < asked->n_bindings; i++) {
        const struct gw_binding *from = &asked->bindings[i];
        struct gw_binding *to = &m->bindings[i];
        to->id = from->id;
        to->events = from->events;
        to->schema = gw_strdup_span(gw_span_of(from->schema));
        to->table = gw_strdup_span(gw_span_of(from->table));
        to->rel_oid = strcmp(from->table, "*") == 0 ? 0 : FIX_REL_OID;
        gw_filter_copy(&to->filter, &from->filter);
        to->filter.type_oid = 25; /* text */
    }
    gw_shard_on_hub(shard, m, now_);
}

static inline void fix_refused(const struct gw_to_hub *asked, const char *error)
{
    struct gw_to_worker *m = fix_answer(GW_TO_WORKER_REFUSED, asked);
    snprintf(m->error, sizeof m->error, "%s", error);
    gw_shard_on_hub(shard, m, now_);
}

/* A client joined on the table, its frames discarded. */
static inline struct gw_session *fix_follower(const char *topic, const char *bindings,
                                              uint32_t caller_id, uint64_t live_seq)
{
    char text[4096];
    struct gw_session *ss = fix_client(GW_VSN_2);
    snprintf(text, sizeof text,
             "[\"1\",\"1\",\"realtime:%s\",\"phx_join\",{\"config\":{\"postgres_changes\":[%s]}}]",
             topic, bindings);
    fix_say(ss, text);
    fix_subscribed(fix_asked(), caller_id, live_seq);
    fix_discard(ss);
    return ss;
}

/* ---- commits: table public.todos (id text key, title text, secret text) ---- */

#define FIX_COLUMNS 3

static struct gw_relation *rel;
static struct gw_table_views *views;
static struct gw_commit *commit_;

static inline struct gw_relation *fix_relation(void)
{
    struct gw_pgoutput_column columns[FIX_COLUMNS] = {
        {true, GW_SPAN_LIT("id"), 25, -1},
        {false, GW_SPAN_LIT("title"), 25, -1},
        {false, GW_SPAN_LIT("secret"), 25, -1},
    };
    struct gw_pgoutput_msg msg = {.kind = GW_PGOUTPUT_RELATION};
    msg.u.relation.rel_oid = FIX_REL_OID;
    msg.u.relation.schema = GW_SPAN_LIT("public");
    msg.u.relation.name = GW_SPAN_LIT("todos");
    msg.u.relation.replica_identity = 'd';
    msg.u.relation.n_columns = FIX_COLUMNS;
    msg.u.relation.columns = columns;
    return gw_relation_new(&msg);
}

/* Roles 0 and 1 see all columns, role 2 all but secret, role 3 none. */
static inline struct gw_table_views *fix_views(void)
{
    struct gw_table_views *v = gw_alloc(sizeof *v);
    atomic_init(&v->refs, 1);
    gw_arena_init(&v->arena, 0);
    v->rel = gw_relation_ref(rel);
    v->catalog = gw_catalog_new();
    gw_colset_add(&v->key, 0);
    v->n_roles = 4;
    v->views = gw_arena_alloc(&v->arena, 4 * sizeof *v->views);
    for (uint32_t role = 0; role < 4; role++) {
        for (unsigned i = 0; i < (role == 3 ? 0 : role == 2 ? 2 : FIX_COLUMNS); i++)
            gw_colset_add(&v->views[role].columns, i);
        v->views[role].columns_json = role == 2 ? GW_SPAN_LIT("[\"id\",\"title\"]")
                                                : GW_SPAN_LIT("[\"id\",\"title\",\"secret\"]");
    }
    return v;
}

static inline void fix_commit_open(uint64_t seq)
{
    commit_ = gw_alloc(sizeof *commit_);
    commit_->seq = seq;
    commit_->txn = gw_alloc(sizeof *commit_->txn);
    gw_arena_init(&commit_->txn->arena, 0);
    commit_->txn->commit_time.v = FIX_EPOCH_S * 1000000 + 417000;
    commit_->changes = gw_arena_alloc(&commit_->txn->arena, 512 * sizeof *commit_->changes);
    commit_->resyncs = gw_arena_alloc(&commit_->txn->arena, 8 * sizeof *commit_->resyncs);
    commit_->scopes = gw_arena_alloc(&commit_->txn->arena, 8 * sizeof *commit_->scopes);
    commit_->revocations = gw_arena_alloc(&commit_->txn->arena, 8 * sizeof *commit_->revocations);
}

/* A cell from its text; NULL: absent, "~": unchanged, "0": SQL NULL. */
static inline struct gw_cell fix_cell(const char *text)
{
    if (!text)
        return (struct gw_cell){.state = GW_CELL_ABSENT};
    if (strcmp(text, "~") == 0)
        return (struct gw_cell){.state = GW_CELL_UNCHANGED};
    if (strcmp(text, "0") == 0)
        return (struct gw_cell){.state = GW_CELL_NULL, .json = GW_SPAN_LIT("null")};
    struct gw_arena *arena = &commit_->txn->arena;
    char json[4096];
    snprintf(json, sizeof json, "\"%s\"", text);
    return (struct gw_cell){GW_CELL_VALUE, gw_arena_copy(arena, gw_span_of(text)),
                            gw_arena_copy(arena, gw_span_of(json))};
}

static inline struct gw_image *fix_image(const char *id, const char *title, const char *secret)
{
    struct gw_image *image =
        gw_arena_alloc(&commit_->txn->arena, sizeof *image + FIX_COLUMNS * sizeof image->cells[0]);
    image->n = FIX_COLUMNS;
    image->cells[0] = fix_cell(id);
    image->cells[1] = fix_cell(title);
    image->cells[2] = fix_cell(secret);
    return image;
}

static inline struct gw_commit_change *fix_change(enum gw_op op, struct gw_image *old,
                                                  struct gw_image *new_)
{
    struct gw_change *change = gw_arena_alloc(&commit_->txn->arena, sizeof *change);
    *change = (struct gw_change){op, rel, old, new_};
    struct gw_commit_change *cc = &commit_->changes[commit_->n_changes++];
    cc->change = change;
    cc->views = gw_table_views_ref(views);
    return cc;
}

/* "todos where title = value": the table's second column. */
static inline struct gw_commit_scope *fix_scope(const char *value_json, bool gained)
{
    struct gw_commit_scope *scope = &commit_->scopes[commit_->n_scopes++];
    *scope = (struct gw_commit_scope){.views = gw_table_views_ref(views),
                                      .rel_oid = FIX_REL_OID,
                                      .schema = rel->schema,
                                      .table = rel->name,
                                      .column = 1,
                                      .column_name = rel->columns[1].name,
                                      .value_json = gw_span_of(value_json),
                                      .gained = gained};
    return scope;
}

static inline void fix_everyone(struct gw_audience *au, uint16_t role)
{
    gw_audience_add_everyone(au, &commit_->txn->arena, role);
}

static inline void fix_set(struct gw_audience *au, uint16_t role, enum gw_principals_kind kind,
                           enum gw_principal_kind of, uint64_t b)
{
    struct gw_principal p = {of, 0, b};
    gw_audience_add_set(au, &commit_->txn->arena, role, kind, &p, 1);
}

static inline void fix_include(struct gw_audience *au, uint16_t role, uint32_t caller_id)
{
    fix_set(au, role, GW_PRINCIPALS_INCLUDE, GW_PRINCIPAL_CALLER, caller_id);
}

static inline void fix_commit(void)
{
    gw_shard_on_commit(shard, commit_);
    gw_commit_free(commit_);
    commit_ = NULL;
}

/* One INSERT told to everyone of role 0. */
static inline void fix_insert(uint64_t seq, const char *id, const char *title)
{
    fix_commit_open(seq);
    fix_everyone(&fix_change(GW_OP_INSERT, NULL, fix_image(id, title, "s"))->readers, 0);
    fix_commit();
}

static inline void fix_table_open(void)
{
    rel = fix_relation();
    views = fix_views();
}

static inline void fix_table_close(void)
{
    gw_table_views_unref(views);
    gw_relation_unref(rel);
}

static inline int fix_run(Suite *s)
{
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
