/* interest: registry of live subscriptions, indexed by table and then by caller.
 *
 * DESIGN. table → followers → bindings. A follower is one caller on one table; the bindings that
 * its channels share (equal parameters, equal id) are one entry with a count, so a thousand tabs of
 * one user cost a change one look. Wildcards live under table 0 and compare the schema. */
#include "gw/interest.h"

#include "gw/catalog.h"
#include "gw/map.h"

#include <assert.h>
#include <stdlib.h>

struct wish { /* one distinct binding of a follower */
    struct gw_list node;
    uint32_t refs;
    struct gw_binding binding;
};

struct follower { /* one caller on one table */
    struct gw_list node;
    struct gw_caller *caller;
    struct gw_list wishes;
};

struct table {
    uint32_t rel_oid; /* 0: wildcards */
    uint64_t roles;   /* bits: the list is not empty */
    struct gw_list followers[GW_ROLES_MAX];
    struct gw_idmap by_caller; /* caller id → struct follower, the same ones */
};

struct subscription {
    struct gw_caller *caller;
    uint32_t n, n_scopes;
    struct wished {
        uint32_t rel_oid;
        struct follower *follower;
        struct wish *wish;
    } * wished;
};

struct gw_interest {
    struct gw_idmap tables; /* rel_oid → struct table */
    struct gw_map callers;  /* role and claims text → struct gw_caller */
    struct gw_map channels; /* worker, channel id → struct subscription */
    struct gw_buf key;      /* scratch */
    gw_interest_on_caller *on_caller; /* or NULL */
    void *ctx;
    uint32_t next_caller_id;
    uint64_t bindings, scopes;
};

struct gw_interest *gw_interest_new(uint64_t hash_seed)
{
    struct gw_interest *in = gw_alloc(sizeof *in);
    gw_idmap_init(&in->tables);
    gw_map_init(&in->callers, hash_seed);
    gw_map_init(&in->channels, hash_seed + 1);
    gw_buf_init(&in->key, 0);
    in->next_caller_id = 1;
    return in;
}

static struct gw_span caller_key(struct gw_interest *in, const struct gw_claims *claims)
{
    gw_buf_reset(&in->key);
    gw_buf_add_u16(&in->key, claims->role_id);
    gw_buf_add_span(&in->key, claims->json);
    return gw_buf_span(&in->key);
}

static struct gw_span channel_key(struct gw_interest *in, uint32_t worker, uint64_t channel_id)
{
    gw_buf_reset(&in->key);
    gw_buf_add_u32(&in->key, worker);
    gw_buf_add_u64(&in->key, channel_id);
    return gw_buf_span(&in->key);
}

static struct gw_caller *caller_ref(struct gw_interest *in, struct gw_claims *claims)
{
    struct gw_span key = caller_key(in, claims);
    struct gw_caller *caller = gw_map_find(&in->callers, key);
    if (!caller) {
        caller = gw_alloc(sizeof *caller);
        caller->id = in->next_caller_id++;
        caller->claims = gw_claims_ref(claims);
        gw_map_put(&in->callers, key, caller);
        if (in->on_caller)
            in->on_caller(in->ctx, caller, true);
    }
    caller->refs++;
    return caller;
}

static void caller_unref(struct gw_interest *in, struct gw_caller *caller)
{
    if (--caller->refs > 0)
        return;
    if (in->on_caller)
        in->on_caller(in->ctx, caller, false);
    gw_map_take(&in->callers, caller_key(in, caller->claims));
    gw_claims_unref(caller->claims);
    free(caller);
}

static struct table *table_of(struct gw_interest *in, uint32_t rel_oid)
{
    struct table *t = gw_idmap_find(&in->tables, rel_oid);
    if (t)
        return t;
    t = gw_alloc(sizeof *t);
    t->rel_oid = rel_oid;
    for (unsigned role = 0; role < GW_ROLES_MAX; role++)
        gw_list_init(&t->followers[role]);
    gw_idmap_init(&t->by_caller);
    gw_idmap_put(&in->tables, rel_oid, t);
    return t;
}

static struct follower *follower_of(struct table *t, struct gw_caller *caller)
{
    struct follower *f = gw_idmap_find(&t->by_caller, caller->id);
    if (f)
        return f;
    f = gw_alloc(sizeof *f);
    f->caller = caller;
    gw_list_init(&f->wishes);
    assert(caller->claims->role_id < GW_ROLES_MAX);
    gw_list_push(&t->followers[caller->claims->role_id], &f->node);
    t->roles |= UINT64_C(1) << caller->claims->role_id;
    gw_idmap_put(&t->by_caller, caller->id, f);
    return f;
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_same_binding(const struct gw_binding *a, const struct gw_binding *b)
{
    return a->id == b->id && a->events == b->events && a->moves == b->moves &&
           a->scopes == b->scopes && strcmp(a->schema, b->schema) == 0 &&
           strcmp(a->table, b->table) == 0 && a->filter.type_oid == b->filter.type_oid &&
           is_same_text(a->filter.column, b->filter.column) &&
           is_same_text(a->filter.value, b->filter.value);
}

static struct wish *wish_ref(struct follower *f, const struct gw_binding *b)
{
    GW_LIST_EACH(it, &f->wishes)
    {
        struct wish *w = GW_CONTAINER_OF(it, struct wish, node);
        if (is_same_binding(&w->binding, b)) {
            w->refs++;
            return w;
        }
    }
    struct wish *w = gw_alloc(sizeof *w);
    w->refs = 1;
    w->binding = *b;
    w->binding.schema = gw_strdup_span(gw_span_of(b->schema));
    w->binding.table = gw_strdup_span(gw_span_of(b->table));
    gw_filter_copy(&w->binding.filter, &b->filter);
    gw_list_push(&f->wishes, &w->node);
    return w;
}

static void unwish(struct gw_interest *in, const struct wished *wished)
{
    struct wish *w = wished->wish;
    if (--w->refs > 0)
        return;
    gw_list_remove(&w->node);
    gw_binding_fini(&w->binding);
    free(w);
    if (!gw_list_is_empty(&wished->follower->wishes))
        return;
    struct table *t = gw_idmap_find(&in->tables, wished->rel_oid);
    uint16_t role_id = wished->follower->caller->claims->role_id;
    gw_idmap_take(&t->by_caller, wished->follower->caller->id);
    gw_list_remove(&wished->follower->node);
    free(wished->follower);
    if (gw_list_is_empty(&t->followers[role_id]))
        t->roles &= ~(UINT64_C(1) << role_id);
    if (t->roles)
        return;
    gw_idmap_take(&in->tables, wished->rel_oid);
    gw_idmap_fini(&t->by_caller);
    free(t);
}

static void subscription_free(struct gw_interest *in, struct subscription *sub)
{
    if (!sub)
        return;
    for (uint32_t i = 0; i < sub->n; i++)
        unwish(in, &sub->wished[i]);
    in->bindings -= sub->n;
    in->scopes -= sub->n_scopes;
    caller_unref(in, sub->caller);
    free(sub->wished);
    free(sub);
}

uint32_t gw_interest_put(struct gw_interest *in, uint32_t worker, uint64_t channel_id,
                         struct gw_claims *claims, const struct gw_binding *bindings, uint32_t n)
{
    struct subscription *sub = gw_alloc(sizeof *sub);
    sub->caller = caller_ref(in, claims);
    sub->n = n;
    sub->wished = gw_alloc((n ? n : 1) * sizeof *sub->wished);
    for (uint32_t i = 0; i < n; i++) {
        struct follower *f = follower_of(table_of(in, bindings[i].rel_oid), sub->caller);
        sub->wished[i] = (struct wished){bindings[i].rel_oid, f, wish_ref(f, &bindings[i])};
        sub->n_scopes += bindings[i].scopes;
    }
    in->bindings += n;
    in->scopes += sub->n_scopes;
    uint32_t caller_id = sub->caller->id;
    subscription_free(in, gw_map_put(&in->channels, channel_key(in, worker, channel_id), sub));
    return caller_id;
}

void gw_interest_drop(struct gw_interest *in, uint32_t worker, uint64_t channel_id)
{
    subscription_free(in, gw_map_take(&in->channels, channel_key(in, worker, channel_id)));
}

void gw_interest_free(struct gw_interest *in)
{
    if (!in)
        return;
    struct gw_span key;
    void *sub;
    for (size_t at = 0; gw_map_each(&in->channels, &at, &key, &sub);)
        subscription_free(in, sub);
    assert(in->callers.count == 0 && in->tables.count == 0);
    gw_map_fini(&in->channels);
    gw_map_fini(&in->callers);
    gw_idmap_fini(&in->tables);
    gw_buf_fini(&in->key);
    free(in);
}

static unsigned event_bit(enum gw_op op)
{
    static const unsigned bits[] = {[GW_OP_INSERT] = GW_EVENT_INSERT,
                                    [GW_OP_UPDATE] = GW_EVENT_UPDATE,
                                    [GW_OP_DELETE] = GW_EVENT_DELETE};
    return bits[op];
}

static bool wish_matches_as(const struct gw_binding *b, const struct gw_interest_change *ic,
                            unsigned events, const struct gw_image *image)
{
    return (b->events & events) && gw_filter_matches(&b->filter, ic->types, ic->change->rel, image);
}

/* Where moves are asked for, an UPDATE may come as an INSERT of the new row or a DELETE of the old. */
static bool wish_matches(const struct gw_binding *b, const struct gw_interest_change *ic)
{
    const struct gw_change *c = ic->change;
    if (b->rel_oid == 0 && strcmp(b->schema, "*") != 0 && !gw_span_is(c->rel->schema, b->schema))
        return false;
    const struct gw_image *image = c->op == GW_OP_DELETE ? c->old : c->new_;
    if (wish_matches_as(b, ic, event_bit(c->op), image))
        return true;
    return b->moves && c->op == GW_OP_UPDATE &&
           (wish_matches_as(b, ic, GW_EVENT_INSERT, c->new_) ||
            wish_matches_as(b, ic, GW_EVENT_DELETE, c->old));
}

static bool follower_matches(const struct follower *f, const struct gw_interest_change *ic)
{
    GW_LIST_EACH(it, &f->wishes)
    {
        if (wish_matches(&GW_CONTAINER_OF(it, struct wish, node)->binding, ic))
            return true;
    }
    return false;
}

struct visit {
    const struct gw_interest_change *change;
    const struct table *named; /* while wildcards are looked at */
    void (*each)(void *ctx, const struct gw_caller *caller);
    void *ctx;
};

/* A caller may follow a table both by name and through a wildcard; he is visited once. */
static bool is_visited(const struct visit *v, const struct follower *f)
{
    const struct follower *twin =
        v->named ? gw_idmap_find(&v->named->by_caller, f->caller->id) : NULL;
    return twin && follower_matches(twin, v->change);
}

static void visit_table(const struct visit *v, const struct table *t, uint64_t roles)
{
    for (uint64_t left = t->roles & roles; left; left &= left - 1) {
        GW_LIST_EACH(it, &t->followers[__builtin_ctzll(left)])
        {
            const struct follower *f = GW_CONTAINER_OF(it, struct follower, node);
            if (follower_matches(f, v->change) && !is_visited(v, f))
                v->each(v->ctx, f->caller);
        }
    }
}

void gw_interest_each(const struct gw_interest *in, const struct gw_interest_change *change,
                      uint64_t roles, void (*visit)(void *ctx, const struct gw_caller *caller),
                      void *ctx)
{
    struct visit v = {change, NULL, visit, ctx};
    struct table *named = gw_idmap_find(&in->tables, change->change->rel->oid);
    struct table *wild = gw_idmap_find(&in->tables, 0);
    if (named)
        visit_table(&v, named, roles);
    v.named = named;
    if (wild)
        visit_table(&v, wild, roles);
}

uint64_t gw_interest_roles(const struct gw_interest *in, uint32_t rel_oid)
{
    const struct table *named = gw_idmap_find(&in->tables, rel_oid);
    const struct table *wild = gw_idmap_find(&in->tables, 0);
    return (named ? named->roles : 0) | (wild ? wild->roles : 0);
}

void gw_interest_watch_callers(struct gw_interest *in, gw_interest_on_caller *on_caller, void *ctx)
{
    in->on_caller = on_caller;
    in->ctx = ctx;
}

bool gw_interest_has_table(const struct gw_interest *in, uint32_t rel_oid)
{
    return gw_idmap_find(&in->tables, rel_oid) || gw_idmap_find(&in->tables, 0);
}

bool gw_interest_wants_scopes(const struct gw_interest *in)
{
    return in->scopes > 0;
}

struct gw_interest_counts gw_interest_counts(const struct gw_interest *in)
{
    return (struct gw_interest_counts){in->channels.count, in->callers.count, in->bindings};
}
