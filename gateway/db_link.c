/* db_link: thread, queues and replies. See db_link.h; db_conn.c runs the connections.
 *
 * DESIGN. Requests are taken out of the mailbox into three lists, because a catalog load must not
 * stand behind a thousand asks or a large read. A tick sees to what time alone changes: back-off
 * that has passed, requests that no connection will serve in time, replies the hub had no room for.
 * The admin connection is kept open even when idle: over it we hear that the server is going away.
 */
#include "db_own.h"

#include <assert.h>
#include <libpq-fe.h>
#include <stdlib.h>

#define TICK_MS 50

struct gw_db_request *gw_db_request_new(enum gw_db_kind kind, uint64_t id)
{
    struct gw_db_request *r = gw_alloc(sizeof *r);
    r->kind = kind;
    r->id = id;
    gw_arena_init(&r->arena, 0);
    return r;
}

void gw_db_request_free(struct gw_db_request *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->n_casts; i++) {
        free(r->casts[i].text);
        free(r->casts[i].canonical);
    }
    free(r->casts);
    for (uint32_t i = 0; i < r->n_reads; i++) {
        free(r->reads[i].key_of);
        free(r->reads[i].cells);
    }
    gw_snapshot_fini(&r->snapshot);
    gw_snapshot_fini(&r->after);
    gw_catalog_unref(r->catalog);
    gw_arena_fini(&r->arena);
    free(r);
}

/* ---- replies ---- */

static struct gw_db_waiting *waiting_new(struct gw_list *list, struct gw_db_request *r)
{
    struct gw_db_waiting *w = gw_alloc(sizeof *w);
    w->request = r;
    w->since_ms = gw_clock_mono_ms();
    gw_list_push(list, &w->node);
    return w;
}

/* Unlinks and frees; the request is the caller's. */
static struct gw_db_request *waiting_take(struct gw_db_waiting *w)
{
    struct gw_db_request *r = w->request;
    gw_list_remove(&w->node);
    free(w);
    return r;
}

void gw_db_reply(struct gw_db_link *l, struct gw_db_request *r)
{
    if (!gw_list_is_empty(&l->replies) || gw_mailbox_push(l->to_hub, r, sizeof *r) != GW_OK)
        waiting_new(&l->replies, r);
}

static void push_replies(struct gw_db_link *l)
{
    GW_LIST_EACH_SAFE(it, tmp, &l->replies)
    {
        struct gw_db_waiting *w = GW_CONTAINER_OF(it, struct gw_db_waiting, node);
        if (gw_mailbox_push(l->to_hub, w->request, sizeof *w->request) != GW_OK)
            return;
        waiting_take(w);
    }
}

static void reply_down(struct gw_db_link *l, struct gw_db_request *r, const char *why)
{
    r->code = gw_err_set(&r->err, GW_E_DATABASE_DOWN, "%s", why);
    gw_db_reply(l, r);
}

static void reply_late(struct gw_db_link *l, struct gw_db_request *r)
{
    for (uint32_t i = 0; i < r->n_questions; i++)
        r->questions[i].code = GW_E_BUDGET;
    atomic_fetch_add(&l->timeouts, r->n_questions + r->n_evals);
    gw_db_reply(l, r);
}

/* ---- requests ---- */

static struct gw_list *list_for(struct gw_db_link *l, enum gw_db_kind kind)
{
    if (kind == GW_DB_ASK || kind == GW_DB_EVAL)
        return &l->asks;
    return kind == GW_DB_READ ? &l->reads : &l->admin;
}

static void take_requests(struct gw_db_link *l)
{
    struct gw_db_request *r;
    while (l->n_waiting < GW_DB_QUEUE_MAX && (r = gw_mailbox_pop(l->from_hub))) {
        gw_db_eval_blank(r);
        waiting_new(list_for(l, r->kind), r);
        l->n_waiting++;
    }
}

static struct gw_db_request *next_request(struct gw_db_link *l, struct gw_list *list)
{
    l->n_waiting--;
    return waiting_take(GW_CONTAINER_OF(list->next, struct gw_db_waiting, node));
}

/* The connection of one list alone. The admin one is opened before there is work for it. */
static void dispatch_own(struct gw_db_link *l, unsigned i, struct gw_list *list, int64_t now_ms)
{
    struct gw_db_conn *c = &l->conns[i];
    bool has_work = !gw_list_is_empty(list);
    if (c->state == GW_DB_CLOSED && now_ms >= c->retry_at_ms && (has_work || i == GW_DB_ADMIN))
        gw_db_conn_open(c);
    else if (c->state == GW_DB_IDLE && has_work)
        gw_db_conn_run(c, next_request(l, list));
}

/* An idle connection, or NULL; then one more is opened if all that are open are busy. */
static struct gw_db_conn *find_idle(struct gw_db_link *l, int64_t now_ms)
{
    struct gw_db_conn *closed = NULL;
    bool is_one_coming = false;
    for (unsigned i = GW_DB_POOL; i < l->n_conns; i++) {
        struct gw_db_conn *c = &l->conns[i];
        if (c->state == GW_DB_IDLE)
            return c;
        if (c->state == GW_DB_CONNECTING)
            is_one_coming = true;
        else if (c->state == GW_DB_CLOSED && now_ms >= c->retry_at_ms)
            closed = c;
    }
    if (closed && !is_one_coming)
        gw_db_conn_open(closed);
    return NULL;
}

void gw_db_dispatch(struct gw_db_link *l)
{
    int64_t now_ms = gw_clock_mono_ms();
    struct gw_db_conn *c;
    if (l->is_stopping)
        return;
    take_requests(l);
    dispatch_own(l, GW_DB_ADMIN, &l->admin, now_ms);
    dispatch_own(l, GW_DB_READER, &l->reads, now_ms);
    while (!gw_list_is_empty(&l->asks) && (c = find_idle(l, now_ms)))
        gw_db_conn_run(c, next_request(l, &l->asks));
}

/* Whether some connection in [from, to) will take a request sooner or later. */
static bool is_served(const struct gw_db_link *l, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        if (l->conns[i].state == GW_DB_IDLE || l->conns[i].state == GW_DB_BUSY)
            return true;
    return false;
}

static void expire(struct gw_db_link *l, struct gw_list *list, bool has_server, int64_t now_ms)
{
    GW_LIST_EACH_SAFE(it, tmp, list)
    {
        struct gw_db_waiting *w = GW_CONTAINER_OF(it, struct gw_db_waiting, node);
        bool is_late = list == &l->asks && now_ms >= w->request->deadline_ms;
        bool is_hopeless = !has_server && now_ms - w->since_ms >= GW_DB_PATIENCE_MS - TICK_MS;
        if (!is_late && !is_hopeless)
            continue;
        l->n_waiting--;
        struct gw_db_request *r = waiting_take(w);
        if (is_hopeless)
            reply_down(l, r, "no connection to the database");
        else
            reply_late(l, r);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct gw_db_link *l = timer->data;
    int64_t now_ms = gw_clock_mono_ms();
    push_replies(l);
    gw_db_dispatch(l);
    expire(l, &l->admin, is_served(l, GW_DB_ADMIN, GW_DB_ADMIN + 1), now_ms);
    expire(l, &l->reads, is_served(l, GW_DB_READER, GW_DB_READER + 1), now_ms);
    expire(l, &l->asks, is_served(l, GW_DB_POOL, l->n_conns), now_ms);
}

static void on_wake(void *ctx)
{
    struct gw_db_link *l = ctx;
    push_replies(l);
    gw_db_dispatch(l);
}

static void drop_waiting(struct gw_list *list)
{
    struct gw_list *node;
    while ((node = gw_list_pop(list))) {
        struct gw_db_waiting *w = GW_CONTAINER_OF(node, struct gw_db_waiting, node);
        gw_db_request_free(w->request);
        free(w);
    }
}

/* Whoever still waits gets a reply, if the hub has room for it. */
static void on_stop(void *ctx)
{
    struct gw_db_link *l = ctx;
    l->is_stopping = true;
    for (unsigned i = 0; i < l->n_conns; i++)
        gw_db_conn_stop(&l->conns[i]);
    struct gw_list *lists[] = {&l->admin, &l->reads, &l->asks};
    for (size_t i = 0; i < 3; i++)
        while (!gw_list_is_empty(lists[i]))
            reply_down(l, next_request(l, lists[i]), "the link is stopping");
    push_replies(l);
    uv_close((uv_handle_t *)&l->tick, NULL);
}

/* ---- settings ---- */

/* "app.tenant_id=org_id,…"; what has no '=' was refused by the settings. */
static void parse_claim_settings(struct gw_db_link *l, const char *at)
{
    while (at && *at && l->n_claim_settings < GW_DB_CLAIM_SETTINGS_MAX) {
        at += strspn(at, " ,");
        size_t n = strcspn(at, ","), equals = strcspn(at, "=");
        if (equals > 0 && equals < n) {
            struct gw_db_claim_setting *s = &l->claim_settings[l->n_claim_settings++];
            size_t end = n;
            while (end > equals + 1 && at[end - 1] == ' ')
                end--;
            s->setting = gw_strdup_span((struct gw_span){at, equals});
            s->claim = gw_strdup_span((struct gw_span){at + equals + 1, end - equals - 1});
        }
        at += n;
    }
}

static char *write_become_sql(const struct gw_db_link *l)
{
    struct gw_buf sql;
    gw_buf_init(&sql, 0);
    gw_buf_add_str(&sql, "SELECT pg_catalog.set_config('role', $1, true), "
                         "pg_catalog.set_config('request.jwt.claims', $2, true), "
                         "pg_catalog.set_config('request.jwt.claim.sub', $3, true), "
                         "pg_catalog.set_config('request.jwt.claim.role', $1, true), "
                         "pg_catalog.set_config('statement_timeout', $4, true), "
                         "pg_catalog.set_config('row_security', 'on', true)");
    for (unsigned i = 0; i < l->n_claim_settings; i++) {
        gw_buf_add_str(&sql, ", pg_catalog.set_config('");
        for (const char *p = l->claim_settings[i].setting; *p; p++)
            if (*p != '\'' && *p != '\\')
                gw_buf_add_byte(&sql, *p);
        gw_buf_printf(&sql, "', $%u, true)", i + 5);
    }
    char *text = gw_strdup_span(gw_buf_span(&sql));
    gw_buf_fini(&sql);
    return text;
}

static char *write_roles_literal(const struct gw_db_config *cfg)
{
    struct gw_buf text;
    gw_buf_init(&text, 0);
    gw_buf_add_byte(&text, '{');
    for (unsigned i = 0; i < cfg->n_roles; i++) {
        gw_buf_add_str(&text, i ? ",\"" : "\"");
        for (const char *p = cfg->roles[i]; *p; p++) {
            if (*p == '"' || *p == '\\')
                gw_buf_add_byte(&text, '\\');
            gw_buf_add_byte(&text, *p);
        }
        gw_buf_add_byte(&text, '"');
    }
    gw_buf_add_byte(&text, '}');
    char *literal = gw_strdup_span(gw_buf_span(&text));
    gw_buf_fini(&text);
    return literal;
}

/* Who url logs in as: what it says, else the environment, else the system's user, as libpq has it.
 */
static char *login_of(const char *url)
{
    char *login = NULL;
    PQconninfoOption *said = PQconninfoParse(url ? url : "", NULL), *defaults = PQconndefaults();
    PQconninfoOption *const lists[] = {said, defaults};
    for (size_t i = 0; i < 2; i++)
        for (PQconninfoOption *o = lists[i]; !login && o && o->keyword; o++)
            if (strcmp(o->keyword, "user") == 0 && o->val && *o->val)
                login = gw_strdup_span(gw_span_of(o->val));
    PQconninfoFree(said);
    PQconninfoFree(defaults);
    return login ? login : gw_strdup_span(GW_SPAN_LIT(""));
}

/* ---- public ---- */

struct gw_db_link *gw_db_link_new(const struct gw_db_config *cfg)
{
    struct gw_db_link *l = gw_alloc(sizeof *l);
    l->cfg = *cfg;
    gw_list_init(&l->asks);
    gw_list_init(&l->admin);
    gw_list_init(&l->reads);
    gw_list_init(&l->replies);
    parse_claim_settings(l, cfg->claim_settings);
    l->become_sql = write_become_sql(l);
    l->roles_literal = write_roles_literal(cfg);
    l->login = login_of(cfg->query_url);
    unsigned pool = cfg->pool == 0 ? 4 : cfg->pool > GW_DB_POOL_MAX ? GW_DB_POOL_MAX : cfg->pool;
    l->n_conns = GW_DB_POOL + pool;
    l->conns = gw_alloc(l->n_conns * sizeof *l->conns);
    l->open_code = gw_loop_open(&l->loop, "rc-db", on_wake, on_stop, l, &l->open_err);
    return l;
}

void *gw_db_link_loop(struct gw_db_link *l)
{
    return &l->loop;
}

enum gw_code gw_db_link_start(struct gw_db_link *l, struct gw_mailbox *to_hub,
                              struct gw_mailbox *from_hub, struct gw_err *err)
{
    if (l->open_code != GW_OK) {
        if (err)
            *err = l->open_err;
        return l->open_code;
    }
    l->to_hub = to_hub;
    l->from_hub = from_hub;
    for (unsigned i = 0; i < l->n_conns; i++)
        gw_db_conn_init(&l->conns[i], l, i < GW_DB_POOL);
    uv_timer_init(&l->loop.uv, &l->tick);
    l->tick.data = l;
    uv_timer_start(&l->tick, on_tick, 0, TICK_MS);
    enum gw_code code = gw_loop_start(&l->loop, err);
    if (code != GW_OK)
        on_stop(l);
    return code;
}

bool gw_db_link_is_down(const struct gw_db_link *l)
{
    return atomic_load(&l->is_down);
}

void gw_db_link_stats(const struct gw_db_link *l, struct gw_db_stats *out)
{
    *out = (struct gw_db_stats){
        .asks = atomic_load(&l->asks_count),
        .questions = atomic_load(&l->questions),
        .rows = atomic_load(&l->rows),
        .errors = atomic_load(&l->errors),
        .timeouts = atomic_load(&l->timeouts),
        .invisible_retries = atomic_load(&l->invisible_retries),
        .evals = atomic_load(&l->evals),
        .catalog_loads = atomic_load(&l->catalog_loads),
        .reconnects = atomic_load(&l->reconnects),
    };
}

void gw_db_link_stop(struct gw_db_link *l)
{
    gw_loop_stop(&l->loop);
    gw_loop_join(&l->loop);
}

void gw_db_link_free(struct gw_db_link *l)
{
    if (!l)
        return;
    if (!l->loop.stopped)
        gw_db_link_stop(l);
    drop_waiting(&l->replies);
    for (unsigned i = 0; l->to_hub && i < l->n_conns; i++)
        gw_db_conn_fini(&l->conns[i]);
    for (unsigned i = 0; i < l->n_claim_settings; i++) {
        free(l->claim_settings[i].setting);
        free(l->claim_settings[i].claim);
    }
    free(l->conns);
    free(l->become_sql);
    free(l->roles_literal);
    free(l->login);
    gw_catalog_unref(l->catalog);
    free(l);
}
