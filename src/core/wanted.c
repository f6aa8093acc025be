/* wanted: what a join asks of Postgres Changes, made from what the client wrote: defaults, ids, the
 * echo it compares, and the faults that need no database to be found (reference §2.1, §2.6).
 *
 * A fault does not fail the join: it is told in a `system` message, and the channel is joined with
 * no live binding, as the unmodified client knows it. */
#include "shard_internal.h"

#include <stdlib.h>

#define ID_BITS_MASK ((UINT32_C(1) << 27) - 1)

void gw_bindings_free(struct gw_binding *bindings, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        gw_binding_fini(&bindings[i]);
    free(bindings);
}

/* The parameters after defaults, still in the client's memory. */
struct params {
    unsigned events;
    struct gw_span schema, table, filter;
};

static unsigned events_of(struct gw_span event)
{
    if (gw_span_is_nocase(event, "INSERT"))
        return GW_EVENT_INSERT;
    if (gw_span_is_nocase(event, "UPDATE"))
        return GW_EVENT_UPDATE;
    if (gw_span_is_nocase(event, "DELETE"))
        return GW_EVENT_DELETE;
    return GW_EVENT_ALL;
}

static struct params params_of(unsigned events, struct gw_span schema, struct gw_span table,
                               struct gw_span filter)
{
    struct params p = {events, schema, table, filter};
    if (p.schema.n == 0)
        p.schema = GW_SPAN_LIT("public");
    if (p.table.n == 0 || gw_span_is(p.schema, "*"))
        p.table = GW_SPAN_LIT("*");
    return p;
}

static void hash_part(struct gw_buf *key, struct gw_span part)
{
    gw_buf_add_u64(key, part.n);
    gw_buf_add_span(key, part);
}

/* Not seeded: the same parameters have the same id on every worker, so that frames are shared; a
 * collision concerns the one channel that made it. */
static uint32_t id_of(const struct params *p)
{
    struct gw_buf key;
    gw_buf_init(&key, 0);
    gw_buf_add_u32(&key, p->events);
    hash_part(&key, p->schema);
    hash_part(&key, p->table);
    hash_part(&key, p->filter);
    uint32_t id = (uint32_t)gw_hash_bytes(0, gw_buf_span(&key)) & ID_BITS_MASK;
    gw_buf_fini(&key);
    return id ? id : 1;
}

static bool is_same(const struct params *a, const struct params *b)
{
    return a->events == b->events && gw_span_eq(a->schema, b->schema) &&
           gw_span_eq(a->table, b->table) && gw_span_eq(a->filter, b->filter);
}

/* Different parameters of one channel never share an id, or a change of one would reach the other.
 */
static uint32_t id_among(const struct params *all, const uint32_t *ids, uint32_t n)
{
    uint32_t id = id_of(&all[n]);
    for (uint32_t i = 0; i < n; i++) {
        if (ids[i] != id || is_same(&all[i], &all[n]))
            continue;
        id = id == ID_BITS_MASK ? 1 : id + 1;
        i = UINT32_MAX; /* look at all of them again; wraps to 0 */
    }
    return id;
}

static void add_echo(struct gw_buf *echo, struct gw_span object, uint32_t id)
{
    if (echo->n > 1)
        gw_buf_add_byte(echo, ',');
    gw_buf_printf(echo, "{\"id\":%u%s", id, object.n > 2 ? "," : "");
    gw_buf_add(echo, object.p + 1, object.n - 1);
}

static enum gw_code set_fault(struct gw_wanted *w, const char *text, struct gw_span echo)
{
    return gw_err_set(&w->fault, GW_E_UNSUPPORTED, "%s%.*s", text,
                      echo.n > INT32_MAX ? 0 : (int)echo.n, echo.p ? echo.p : "");
}

static enum gw_code check_binding(const struct gw_join_binding *b, struct gw_wanted *w)
{
    if (b->schema.n == 0 && b->table.n == 0)
        return set_fault(w,
                         "No subscription params provided. Please provide at least a `schema` or "
                         "`table` to subscribe to: ",
                         b->echo);
    if (b->has_filter && !b->filter_is_string)
        return set_fault(w, "Error parsing `filter` params: ", b->echo);
    if (b->has_select)
        return set_fault(w, "select is not supported by this server yet", (struct gw_span){0});
    return GW_OK;
}

/* Append the binding, unless one of equal id, that is of equal parameters, is there. */
static enum gw_code add_binding(struct gw_wanted *w, const struct params *p, uint32_t id)
{
    struct gw_filter filter = {0};
    enum gw_code code = gw_filter_parse(p->filter, &filter, &w->fault);
    if (code != GW_OK)
        return code;
    for (uint32_t i = 0; i < w->n; i++) {
        if (w->bindings[i].id == id) {
            gw_filter_fini(&filter);
            return GW_OK;
        }
    }
    w->bindings[w->n++] = (struct gw_binding){.id = id,
                                              .events = p->events,
                                              .schema = gw_strdup_span(p->schema),
                                              .table = gw_strdup_span(p->table),
                                              .filter = filter};
    return GW_OK;
}

static void drop_bindings(struct gw_wanted *w)
{
    gw_bindings_free(w->bindings, w->n);
    w->bindings = NULL;
    w->n = 0;
}

/* Every binding gets its id and echo, faulty or not; the first fault takes all bindings. */
static void read_bindings(const struct gw_join *join, struct gw_wanted *w)
{
    struct params *params = gw_alloc(join->n_bindings * sizeof *params);
    uint32_t *ids = gw_alloc(join->n_bindings * sizeof *ids);
    enum gw_code code = GW_OK;
    w->bindings = gw_alloc(join->n_bindings * sizeof *w->bindings);
    for (uint32_t i = 0; i < join->n_bindings; i++) {
        const struct gw_join_binding *b = &join->bindings[i];
        params[i] = params_of(events_of(b->event), b->schema, b->table, b->filter);
        ids[i] = id_among(params, ids, i);
        add_echo(&w->echo, b->echo, ids[i]);
        if (code == GW_OK)
            code = check_binding(b, w);
        if (code == GW_OK)
            code = add_binding(w, &params[i], ids[i]);
    }
    if (code != GW_OK)
        drop_bindings(w);
    free(params);
    free(ids);
}

/* The part of *rest up to the next ':'; *rest moves behind it. */
static struct gw_span next_part(struct gw_span *rest)
{
    const char *colon = rest->n ? memchr(rest->p, ':', rest->n) : NULL;
    struct gw_span part = {rest->p, colon ? (size_t)(colon - rest->p) : rest->n};
    size_t used = colon ? part.n + 1 : part.n;
    *rest = (struct gw_span){rest->p + used, rest->n - used};
    return part;
}

/* realtime:schema[:table[:filter]] is one binding, which the reply does not list. */
static void read_legacy(struct gw_span topic, struct gw_wanted *w)
{
    static const size_t prefix = sizeof GW_TOPIC_PREFIX - 1;
    struct gw_span rest = {topic.p + prefix, topic.n - prefix};
    struct gw_span schema = next_part(&rest), table = next_part(&rest);
    struct params p = params_of(GW_EVENT_ALL, schema, table, rest);
    w->bindings = gw_alloc(sizeof *w->bindings);
    if (add_binding(w, &p, id_of(&p)) != GW_OK)
        drop_bindings(w);
}

void gw_wanted_read(const struct gw_join *join, struct gw_span topic, struct gw_wanted *out)
{
    *out = (struct gw_wanted){0};
    gw_buf_init(&out->echo, 0);
    gw_buf_add_byte(&out->echo, '[');
    if (!join->has_config)
        read_legacy(topic, out);
    else if (join->n_bindings > 0)
        read_bindings(join, out);
    gw_buf_add_byte(&out->echo, ']');
    for (uint32_t i = 0; i < out->n; i++) {
        out->bindings[i].moves = join->rowcast_moves;
        out->bindings[i].scopes = join->rowcast_scopes;
    }
}

void gw_wanted_fini(struct gw_wanted *w)
{
    drop_bindings(w);
    gw_buf_fini(&w->echo);
}
