/* hub_subscribe: joins. A worker's bindings are checked against the catalog, their filter values
 * are brought into canonical form, and the subscription enters the registry at one point of the
 * stream: the reply names it, and every commit from there on is matched.
 *
 * What can't be decided yet waits, never the thread: for the first stream (a slot exists), for a
 * catalog (also a newer one, before a table or column is called unknown), for Postgres to cast a
 * value. Casts of common types need no question, others are remembered, so that a thousand clients
 * coming back ask the database nothing (P7). */
#include "hub_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define CASTS_MAX 10000 /* remembered; past it all are forgotten */

struct cast_result {
    char *canonical; /* NULL: does not cast */
    char why[160];
};

enum bind_result { BIND_OK, BIND_REFUSED, BIND_UNKNOWN, BIND_NEEDS_CAST };

/* ---- canonical text of filter values ---- */

static bool canonical_integer(struct gw_span text, int64_t min, int64_t max, char *out, size_t cap)
{
    char copy[32], *end;
    if (text.n == 0 || text.n >= sizeof copy)
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    if (!isdigit((unsigned char)copy[0]) && copy[0] != '-')
        return false;
    errno = 0;
    long long v = strtoll(copy, &end, 10);
    if (errno || *end || end == copy || v < min || v > max)
        return false;
    snprintf(out, cap, "%lld", v);
    return true;
}

static bool canonical_uuid(struct gw_span text, char *out)
{
    if (text.n != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text.p[i] != '-' : !isxdigit((unsigned char)text.p[i]))
            return false;
        out[i] = (char)tolower((unsigned char)text.p[i]);
    }
    out[36] = '\0';
    return true;
}

/* For the types filters nearly always name. false: Postgres has to say (also to word the error). */
static bool canonical_here(uint32_t type_oid, struct gw_span text, char out[40])
{
    switch (type_oid) {
    case 20: /* int8 */
        return canonical_integer(text, INT64_MIN, INT64_MAX, out, 40);
    case 21: /* int2 */
        return canonical_integer(text, INT16_MIN, INT16_MAX, out, 40);
    case 23: /* int4 */
        return canonical_integer(text, INT32_MIN, INT32_MAX, out, 40);
    case 2950: /* uuid */
        return canonical_uuid(text, out);
    default:
        return false;
    }
}

static bool is_text_type(uint32_t type_oid)
{
    return type_oid == 25 || type_oid == 1043; /* text, varchar: as written */
}

static struct gw_span cast_key(struct gw_buf *b, uint32_t type_oid, struct gw_span text)
{
    gw_buf_reset(b);
    gw_buf_add_u32(b, type_oid);
    gw_buf_add_span(b, text);
    return gw_buf_span(b);
}

static struct cast_result *cast_find(struct gw_hub *h, uint32_t type_oid, struct gw_span text)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    struct cast_result *found = gw_map_find(&h->casts, cast_key(&b, type_oid, text));
    gw_buf_fini(&b);
    return found;
}

static void casts_clear(struct gw_hub *h)
{
    struct gw_span key;
    void *value;
    for (size_t at = 0; gw_map_each(&h->casts, &at, &key, &value);) {
        struct cast_result *c = value;
        free(c->canonical);
        free(c);
    }
    gw_map_fini(&h->casts);
    gw_map_init(&h->casts, h->cfg.hash_seed + 7);
}

static void cast_remember(struct gw_hub *h, struct gw_cast *cast)
{
    if (h->casts.count >= CASTS_MAX)
        casts_clear(h);
    struct cast_result *result = gw_alloc(sizeof *result);
    result->canonical = cast->canonical;
    cast->canonical = NULL;
    memcpy(result->why, cast->why, sizeof result->why);
    struct gw_buf b;
    gw_buf_init(&b, 0);
    struct cast_result *old =
        gw_map_put(&h->casts, cast_key(&b, cast->type_oid, gw_span_of(cast->text)), result);
    gw_buf_fini(&b);
    if (old)
        free(old->canonical);
    free(old);
}

/* ---- binding one binding ---- */

static const char *event_name(unsigned events)
{
    switch (events) {
    case GW_EVENT_INSERT:
        return "INSERT";
    case GW_EVENT_UPDATE:
        return "UPDATE";
    case GW_EVENT_DELETE:
        return "DELETE";
    default:
        return "*";
    }
}

/* The client-facing words of the wire reference, §2.6. why NULL: not in the publication. */
static void describe(char *out, size_t cap, const struct gw_binding *b, const char *why)
{
    char filter[128] = "";
    if (b->filter.column)
        snprintf(filter, sizeof filter, "{\"%.40s\", \"eq\", \"%.60s\"}", b->filter.column,
                 b->filter.value);
    snprintf(out, cap,
             "Unable to subscribe to changes with given parameters. %s: [event: %s, schema: %.60s, "
             "table: %.60s, filters: [%s], select: nil]%s%s",
             why ? "An exception happened so please check your connect parameters"
                 : "Please check Realtime is enabled for the given connect parameters",
             event_name(b->events), b->schema, b->table, filter, why ? ". Exception: " : "",
             why ? why : "");
}

static enum bind_result bind_value(struct gw_hub *h, struct gw_binding *b, char *error, size_t cap)
{
    struct gw_span text = gw_span_of(b->filter.value);
    char here[40];
    const char *canonical = NULL;
    if (is_text_type(b->filter.type_oid))
        return BIND_OK;
    if (canonical_here(b->filter.type_oid, text, here)) {
        canonical = here;
    } else {
        struct cast_result *cast = cast_find(h, b->filter.type_oid, text);
        if (!cast)
            return BIND_NEEDS_CAST;
        if (!cast->canonical) {
            describe(error, cap, b, cast->why);
            return BIND_REFUSED;
        }
        canonical = cast->canonical;
    }
    char *copy = gw_strdup_span(gw_span_of(canonical));
    free(b->filter.value);
    b->filter.value = copy;
    return BIND_OK;
}

/* b is a private copy; its filter value becomes canonical. */
static enum bind_result bind_one(struct gw_hub *h, struct gw_binding *b, unsigned role_id,
                                 char *error, size_t cap)
{
    b->rel_oid = 0;
    if (strcmp(b->schema, "*") == 0 || strcmp(b->table, "*") == 0)
        return BIND_OK; /* values of wildcard filters are compared as written */
    const struct gw_catalog_table *t =
        gw_catalog_table_named(h->catalog, gw_span_of(b->schema), gw_span_of(b->table));
    if (!t || !t->published) {
        describe(error, cap, b, NULL);
        return BIND_UNKNOWN;
    }
    b->rel_oid = t->oid;
    if (!b->filter.column)
        return BIND_OK;
    int at = gw_catalog_column_find(t, gw_span_of(b->filter.column));
    /* A column the role may not read must not be probed by filters either. */
    if (at < 0 || role_id >= h->catalog->n_roles ||
        !gw_colset_has(&t->access[role_id].columns, (unsigned)at)) {
        char why[200];
        snprintf(why, sizeof why, "ERROR P0001 (raise_exception) invalid column for filter %.100s",
                 b->filter.column);
        describe(error, cap, b, why);
        return BIND_UNKNOWN;
    }
    b->filter.type_oid = t->columns[at].type_oid;
    return bind_value(h, b, error, cap);
}

/* ---- a whole subscription ---- */

static struct gw_binding *copy_bindings(const struct gw_to_hub *msg)
{
    struct gw_binding *copy = gw_alloc((msg->n_bindings + 1) * sizeof *copy);
    for (uint32_t i = 0; i < msg->n_bindings; i++) {
        copy[i] = msg->bindings[i];
        copy[i].schema = gw_strdup_span(gw_span_of(msg->bindings[i].schema));
        copy[i].table = gw_strdup_span(gw_span_of(msg->bindings[i].table));
        gw_filter_copy(&copy[i].filter, &msg->bindings[i].filter);
    }
    return copy;
}

static void free_bindings(struct gw_binding *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        gw_binding_fini(&b[i]);
    free(b);
}

static struct gw_to_worker *reply_new(const struct gw_to_hub *msg, enum gw_to_worker_kind kind)
{
    struct gw_to_worker *reply = gw_alloc(sizeof *reply);
    reply->kind = kind;
    reply->channel_id = msg->channel_id;
    reply->attempt = msg->attempt;
    return reply;
}

static void refuse(struct gw_hub *h, const struct gw_to_hub *msg, const char *error)
{
    gw_interest_drop(h->interest, msg->worker, msg->channel_id);
    struct gw_to_worker *reply = reply_new(msg, GW_TO_WORKER_REFUSED);
    snprintf(reply->error, sizeof reply->error, "%s", error);
    hub_post(&h->to_worker[msg->worker], reply);
}

/* Takes bindings. From next_seq on, every flight consults the registry with this in it. */
static void admit(struct gw_hub *h, const struct gw_to_hub *msg, struct gw_binding *bindings)
{
    struct gw_to_worker *reply = reply_new(msg, GW_TO_WORKER_SUBSCRIBED);
    reply->caller_id = gw_interest_put(h->interest, msg->worker, msg->channel_id, msg->claims,
                                       bindings, msg->n_bindings);
    reply->live_seq = h->next_seq;
    reply->live_lsn = h->done_lsn;
    reply->n_bindings = msg->n_bindings;
    reply->bindings = bindings;
    hub_post(&h->to_worker[msg->worker], reply);
}

static void ask_casts(struct gw_hub *h, struct pending *p, const struct gw_binding *bindings)
{
    struct gw_db_request *r = gw_db_request_new(GW_DB_CAST, h->next_request_id++);
    r->casts = gw_alloc(p->msg->n_bindings * sizeof *r->casts);
    for (uint32_t i = 0; i < p->msg->n_bindings; i++) {
        const struct gw_filter *f = &bindings[i].filter;
        char here[40];
        if (!f->column || !f->type_oid || is_text_type(f->type_oid))
            continue;
        struct gw_span text = gw_span_of(f->value);
        if (canonical_here(f->type_oid, text, here) || cast_find(h, f->type_oid, text))
            continue;
        r->casts[r->n_casts].type_oid = f->type_oid;
        r->casts[r->n_casts++].text = gw_strdup_span(text);
    }
    p->cast_id = r->id;
    hub_post(&h->to_db, r);
}

/* Try to settle one; true: it is done and p->msg may go. */
static bool settle(struct gw_hub *h, struct pending *p)
{
    if (!h->catalog || !h->ever_streamed || p->cast_id)
        return false;
    struct gw_binding *bindings = copy_bindings(p->msg);
    enum bind_result result = BIND_OK;
    char error[384] = "";
    for (uint32_t i = 0; i < p->msg->n_bindings; i++) {
        enum bind_result one =
            bind_one(h, &bindings[i], p->msg->claims->role_id, error, sizeof error);
        if (one != BIND_OK)
            result = one;
        if (one == BIND_REFUSED || one == BIND_UNKNOWN)
            break;
    }
    if (result == BIND_OK) {
        admit(h, p->msg, bindings);
        return true;
    }
    bool is_done = result == BIND_REFUSED;
    if (result == BIND_NEEDS_CAST) {
        ask_casts(h, p, bindings);
    } else if (result == BIND_UNKNOWN) {
        /* Perhaps it was made a moment ago: look at a catalog read after this join came in. */
        is_done = h->catalog_at_ms > p->since_ms;
        if (!is_done)
            hub_catalog_want(h);
    }
    if (is_done)
        refuse(h, p->msg, error);
    free_bindings(bindings, p->msg->n_bindings);
    return is_done;
}

static void pending_free(struct pending *p)
{
    gw_list_remove(&p->node);
    gw_to_hub_free(p->msg);
    free(p);
}

static void forget_pending(struct gw_hub *h, uint32_t worker, uint64_t channel_id)
{
    GW_LIST_EACH_SAFE(it, tmp, &h->pending)
    {
        struct pending *p = GW_CONTAINER_OF(it, struct pending, node);
        if (p->msg->worker == worker && p->msg->channel_id == channel_id)
            pending_free(p);
    }
}

/* Topics are registered beside subscriptions: the same channel may have both. */
#define TOPIC_CHANNEL (UINT64_C(1) << 63)

static void on_topic(struct gw_hub *h, struct gw_to_hub *msg)
{
    uint64_t id = msg->channel_id | TOPIC_CHANNEL;
    if (msg->kind == GW_TO_HUB_MAY_END) {
        gw_topics_drop(h->judging.topics, msg->worker, msg->channel_id);
        gw_interest_drop(h->interest, msg->worker, id);
    } else {
        struct gw_topics_question q = {.worker = msg->worker,
                                       .channel_id = msg->channel_id,
                                       .attempt = msg->attempt,
                                       .claims = msg->claims,
                                       .topic = gw_span_of(msg->topic)};
        q.caller_id = gw_interest_put(h->interest, msg->worker, id, msg->claims, NULL, 0);
        gw_topics_put(h->judging.topics, &q);
    }
    gw_to_hub_free(msg);
}

void hub_subscribe_on_message(struct gw_hub *h, struct gw_to_hub *msg)
{
    if (msg->kind == GW_TO_HUB_MAY || msg->kind == GW_TO_HUB_MAY_END) {
        on_topic(h, msg);
        return;
    }
    if (!gw_list_is_empty(&h->pending))
        forget_pending(h, msg->worker, msg->channel_id);
    if (msg->kind == GW_TO_HUB_UNSUBSCRIBE) {
        gw_interest_drop(h->interest, msg->worker, msg->channel_id);
        gw_to_hub_free(msg);
        return;
    }
    struct pending *p = gw_alloc(sizeof *p);
    p->msg = msg;
    p->since_ms = gw_clock_mono_ms();
    gw_list_push(&h->pending, &p->node);
    if (settle(h, p))
        pending_free(p);
}

void hub_subscribe_retry(struct gw_hub *h)
{
    GW_LIST_EACH_SAFE(it, tmp, &h->pending)
    {
        struct pending *p = GW_CONTAINER_OF(it, struct pending, node);
        if (settle(h, p))
            pending_free(p);
    }
}

void hub_subscribe_on_casts(struct gw_hub *h, struct gw_db_request *reply)
{
    for (uint32_t i = 0; i < reply->n_casts && reply->code == GW_OK; i++)
        cast_remember(h, &reply->casts[i]);
    GW_LIST_EACH_SAFE(it, tmp, &h->pending)
    {
        struct pending *p = GW_CONTAINER_OF(it, struct pending, node);
        if (p->cast_id != reply->id)
            continue;
        p->cast_id = 0;
        /* Without an answer (database away) the next catalog brings it up again. */
        if (reply->code != GW_OK)
            hub_catalog_want(h);
        else if (settle(h, p))
            pending_free(p);
    }
}

void hub_subscribe_init(struct gw_hub *h)
{
    gw_list_init(&h->pending);
    gw_map_init(&h->casts, h->cfg.hash_seed + 7);
}

void hub_subscribe_fini(struct gw_hub *h)
{
    while (!gw_list_is_empty(&h->pending))
        pending_free(GW_CONTAINER_OF(h->pending.next, struct pending, node));
    casts_clear(h);
    gw_map_fini(&h->casts);
}
