/* fanout: from a commit to the channels that each of its changes concerns.
 *
 * DESIGN. The audience of a change is turned into recipients by looking up, not by asking each
 * subscriber: a set of callers is one look-up per caller in the index (table, caller), everyone of
 * a role is one in (table, role). Only what is found is looked at: event mask, window of sequence
 * numbers, filter. A binding is looked at once per change, whatever number of clauses names it
 * (stamps, no sets to clear). The hits of one channel become one message with all their ids.
 *
 * A worker knows a caller's id and role, not their claims and groups. A clause over those admits
 * nobody here: an include set finds no member, and an exclude set, of which absence would admit, is
 * not used at all. */
#include "shard_internal.h"

#include <assert.h>
#include <stdlib.h>

#define GROW_FIRST 16u

void *gw_grow(void *items, uint32_t n, uint32_t *cap, size_t item_bytes)
{
    if (n < *cap)
        return items;
    assert(*cap <= UINT32_MAX / 2);
    *cap = *cap ? *cap * 2 : GROW_FIRST;
    return gw_realloc(items, *cap * item_bytes);
}

void gw_fanout_init(struct gw_fanout *f)
{
    *f = (struct gw_fanout){0};
    gw_buf_init(&f->wire, 0);
    gw_buf_init(&f->head, 0);
}

void gw_fanout_fini(struct gw_fanout *f)
{
    gw_delivery_fini(f);
    free(f->hits);
    free(f->ids);
    gw_buf_fini(&f->wire);
    gw_buf_fini(&f->head);
}

/* ---- matching one change ---- */

struct match {
    struct gw_shard *shard;
    uint64_t seq;
    const struct gw_commit_change *cc;
    const struct gw_image *image; /* what filters look at */
    unsigned event;
    /* Of the clause at hand: */
    const struct gw_clause *clause;
    const struct gw_view *view;
    bool is_each_judged; /* every binding found is still to be judged by the clause */
};

static unsigned event_of(enum gw_op op)
{
    switch (op) {
    case GW_OP_INSERT:
        return GW_EVENT_INSERT;
    case GW_OP_UPDATE:
        return GW_EVENT_UPDATE;
    case GW_OP_DELETE:
        return GW_EVENT_DELETE;
    }
    return 0;
}

static bool is_exclude_knowable(const struct gw_clause *clause)
{
    for (uint32_t i = 0; i < clause->n; i++)
        if (clause->set[i].kind != GW_PRINCIPAL_CALLER)
            return false;
    return true;
}

bool gw_clause_admits(const struct gw_clause *clause, uint16_t role_id, uint32_t caller_id)
{
    if (clause->role_id != role_id)
        return false;
    if (clause->kind == GW_PRINCIPALS_EXCLUDE && !is_exclude_knowable(clause))
        return false;
    struct gw_principal self = {GW_PRINCIPAL_CALLER, 0, caller_id};
    struct gw_identity id = {role_id, 1, &self};
    struct gw_audience one = {1, (struct gw_clause *)(uintptr_t)clause};
    return gw_audience_admits(&one, &id);
}

/* The filter's column must be one that the role may read, or its answer would tell. */
static bool is_filter_passed(const struct match *m, const struct gw_binding *b)
{
    if (!b->filter.column)
        return true;
    const struct gw_relation *rel = m->cc->change->rel;
    int at = gw_relation_column_find(rel, gw_span_of(b->filter.column));
    if (at < 0 || !gw_colset_has(&m->view->columns, (unsigned)at))
        return false;
    const struct gw_catalog *catalog = m->cc->views->catalog;
    return gw_filter_matches(&b->filter, catalog ? &catalog->types : NULL, rel, m->image);
}

static void add_hit(struct gw_fanout *f, const struct gw_live *live)
{
    struct gw_channel *ch = live->sub->channel;
    if (ch->stamp != f->stamp) {
        ch->stamp = f->stamp;
        ch->hit = f->n_hits;
        f->hits = gw_grow(f->hits, f->n_hits, &f->cap_hits, sizeof *f->hits);
        f->hits[f->n_hits++] = (struct gw_hit){.channel = ch, .sub = live->sub};
    }
    struct gw_hit *hit = &f->hits[ch->hit];
    f->ids = gw_grow(f->ids, f->n_ids, &f->cap_ids, sizeof *f->ids);
    f->ids[f->n_ids++] = (struct gw_hit_id){live->binding.id, hit->first_id};
    hit->first_id = f->n_ids;
    hit->n_ids++;
}

static void look_at(struct match *m, struct gw_live *live)
{
    struct gw_fanout *f = &m->shard->fanout;
    const struct gw_sub *sub = live->sub;
    if (live->stamp == f->stamp || sub->role_id != m->clause->role_id)
        return;
    if (m->is_each_judged && !gw_clause_admits(m->clause, sub->role_id, sub->caller_id))
        return;
    live->stamp = f->stamp;
    if (m->seq < sub->from_seq || m->seq >= sub->until_seq || !(live->binding.events & m->event))
        return;
    if (!gw_live_covers(live, m->cc->change->rel->schema) || !is_filter_passed(m, &live->binding))
        return;
    add_hit(f, live);
}

static void look_at_callers(struct match *m, uint32_t rel_oid)
{
    for (uint32_t i = 0; i < m->clause->n; i++) {
        const struct gw_principal *p = &m->clause->set[i];
        if (p->kind != GW_PRINCIPAL_CALLER)
            continue;
        struct gw_list *found = gw_subindex_callers(&m->shard->index, rel_oid, (uint32_t)p->b);
        if (!found)
            continue;
        GW_LIST_EACH(it, found)
        {
            look_at(m, GW_CONTAINER_OF(it, struct gw_live, by_caller));
        }
    }
}

static void look_at_role(struct match *m, uint32_t rel_oid)
{
    struct gw_list *found = gw_subindex_roles(&m->shard->index, rel_oid, m->clause->role_id);
    if (!found)
        return;
    GW_LIST_EACH(it, found)
    {
        look_at(m, GW_CONTAINER_OF(it, struct gw_live, by_role));
    }
}

static void look_at_table(struct match *m, uint32_t rel_oid)
{
    if (m->clause->kind == GW_PRINCIPALS_INCLUDE)
        look_at_callers(m, rel_oid);
    else
        look_at_role(m, rel_oid);
}

static void match_clause(struct match *m, const struct gw_clause *clause)
{
    const struct gw_table_views *views = m->cc->views;
    if (clause->role_id >= views->n_roles || clause->role_id >= GW_ROLES_MAX)
        return;
    m->clause = clause;
    m->view = &views->views[clause->role_id];
    m->is_each_judged = clause->kind == GW_PRINCIPALS_EXCLUDE;
    if (gw_colset_is_empty(&m->view->columns)) /* no column, no row */
        return;
    look_at_table(m, m->cc->change->rel->oid);
    if (m->shard->index.n_wildcards > 0)
        look_at_table(m, 0);
}

static void new_stamp(struct gw_fanout *f)
{
    f->stamp++;
    f->n_hits = 0;
    f->n_ids = 0;
}

static void fanout_change(struct gw_shard *s, uint64_t seq, const struct gw_commit_change *cc,
                          const char *commit_time)
{
    const struct gw_change *change = cc->change;
    struct match m = {
        .shard = s,
        .seq = seq,
        .cc = cc,
        .image = change->op == GW_OP_DELETE ? change->old : change->new_,
        .event = event_of(change->op),
    };
    new_stamp(&s->fanout);
    for (uint32_t i = 0; i < cc->readers.n; i++)
        match_clause(&m, &cc->readers.clauses[i]);
    if (s->fanout.n_hits > 0)
        gw_delivery_run(s, cc, commit_time);
}

/* ---- tables that must be loaded again ---- */

static void add_followers(struct gw_shard *s, uint64_t seq, uint32_t rel_oid, struct gw_span schema)
{
    for (uint16_t role = 0; role < GW_ROLES_MAX; role++) {
        struct gw_list *found = gw_subindex_roles(&s->index, rel_oid, role);
        if (!found)
            continue;
        GW_LIST_EACH(it, found)
        {
            struct gw_live *live = GW_CONTAINER_OF(it, struct gw_live, by_role);
            if (seq >= live->sub->from_seq && seq < live->sub->until_seq &&
                gw_live_covers(live, schema))
                add_hit(&s->fanout, live);
        }
    }
}

static void fanout_resync(struct gw_shard *s, const struct gw_commit *c, uint32_t rel_oid)
{
    struct gw_fanout *f = &s->fanout;
    const struct gw_txn_table *table = gw_txn_table_find(c->txn, rel_oid);
    new_stamp(f);
    add_followers(s, c->seq, rel_oid, (struct gw_span){0});
    add_followers(s, c->seq, 0, table ? table->rel->schema : (struct gw_span){0});
    for (uint32_t i = 0; i < f->n_hits; i++)
        gw_channel_resync(f->hits[i].channel);
}

void gw_fanout_commit(struct gw_shard *s, const struct gw_commit *c)
{
    if (s->index.by_role.count == 0)
        return;
    for (uint32_t i = 0; i < c->n_resyncs; i++)
        fanout_resync(s, c, c->resyncs[i].rel_oid);
    char commit_time[25];
    gw_us_format_iso(c->txn->commit_time, commit_time);
    for (uint32_t i = 0; i < c->n_changes; i++)
        fanout_change(s, c->seq, &c->changes[i], commit_time);
}
