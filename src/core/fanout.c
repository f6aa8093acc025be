/* fanout: from a commit to the channels that each of its changes concerns.
 *
 * DESIGN. The audience of a change is turned into recipients by looking up, not by asking each
 * subscriber: a set of callers is one look-up per caller in the index (table, caller), everyone of
 * a role is one in (table, role). Only what is found is looked at: event mask, window of sequence
 * numbers, filter. A binding is looked at once per change, whatever number of clauses names it
 * (stamps, no sets to clear). The hits of one channel become one message with all their ids.
 *
 * Channels that asked for moves are told of an UPDATE by what it means for their caller: INSERT if
 * the row came into sight, DELETE if it left, and their event masks and filters are read so. Those
 * it left are not among the readers of the change; they are looked up in a second round, and only
 * if there are such channels here.
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
    const struct gw_news *news;
    bool is_leaving; /* the audience at hand is that of the leavers */
    /* The table concerned: */
    const struct gw_table_views *views;
    uint32_t rel_oid;
    struct gw_span schema;
    /* Of the clause at hand: */
    const struct gw_clause *clause;
    const struct gw_view *view;
    bool is_each_judged; /* every binding found is still to be judged by the clause */
};

static bool is_exclude_knowable(const struct gw_clause *clause)
{
    for (uint32_t i = 0; i < clause->n; i++)
        if (clause->set[i].kind != GW_PRINCIPAL_CALLER)
            return false;
    return true;
}

/* Whether the clause admits a caller; never where the worker knows too little of the caller. */
static bool clause_admits(const struct gw_clause *clause, uint16_t role_id, uint32_t caller_id)
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

static bool audience_admits(const struct gw_audience *au, const struct gw_sub *sub)
{
    for (uint32_t i = 0; i < au->n; i++)
        if (clause_admits(&au->clauses[i], sub->role_id, sub->caller_id))
            return true;
    return false;
}

/* ---- as what a channel is told of it ---- */

static enum gw_told told_of_change(const struct gw_commit_change *cc, const struct gw_sub *sub)
{
    if (cc->change->op == GW_OP_INSERT)
        return GW_TOLD_INSERT;
    if (cc->change->op == GW_OP_DELETE)
        return GW_TOLD_DELETE;
    if (audience_admits(&cc->sees_old, sub))
        return GW_TOLD_UPDATE_OLD;
    if (cc->old_unknown >> sub->role_id & 1)
        return GW_TOLD_UPDATE_KEY;
    return sub->channel->wants_moves ? GW_TOLD_INSERT : GW_TOLD_UPDATE;
}

/* Column and value only to a role that may select the column. */
static enum gw_told told_of_scope(const struct match *m)
{
    const struct gw_commit_scope *scope = m->news->scope;
    int at = scope->column == UINT32_MAX
                 ? -1
                 : gw_relation_column_find(m->views->rel, scope->column_name);
    if (at < 0 || !gw_colset_has(&m->view->columns, (unsigned)at))
        return GW_TOLD_SCOPE_TABLE;
    return GW_TOLD_SCOPE;
}

static enum gw_told told_of(const struct match *m, const struct gw_sub *sub)
{
    if (m->news->scope)
        return told_of_scope(m);
    return m->is_leaving ? GW_TOLD_LEFT : told_of_change(m->news->change, sub);
}

static bool is_asked_for(const struct match *m, const struct gw_channel *ch)
{
    if (m->news->scope)
        return ch->wants_scopes;
    return !m->is_leaving || ch->wants_moves;
}

/* What is deleted, or has left, is filtered by its old image. The filter's column must be one that
 * the role may read, or its answer would tell. */
static bool is_filter_passed(const struct match *m, const struct gw_binding *b, enum gw_told told)
{
    if (!b->filter.column)
        return true;
    const struct gw_change *change = m->news->change->change;
    int at = gw_relation_column_find(change->rel, gw_span_of(b->filter.column));
    if (at < 0 || !gw_colset_has(&m->view->columns, (unsigned)at))
        return false;
    const struct gw_catalog *catalog = m->views->catalog;
    return gw_filter_matches(&b->filter, catalog ? &catalog->types : NULL, change->rel,
                             gw_told_event(told) == GW_EVENT_DELETE ? change->old : change->new_);
}

/* Scope events are about rows that did not change: no event mask or filter fits them. */
static bool is_binding_matching(const struct match *m, const struct gw_binding *b,
                                enum gw_told told)
{
    if (gw_told_is_scope(told))
        return true;
    return (b->events & gw_told_event(told)) && is_filter_passed(m, b, told);
}

/* ---- finding ---- */

static void add_hit(struct gw_fanout *f, const struct gw_live *live, enum gw_told told)
{
    struct gw_channel *ch = live->sub->channel;
    if (ch->stamp != f->stamp) {
        ch->stamp = f->stamp;
        ch->hit = f->n_hits;
        f->hits = gw_grow(f->hits, f->n_hits, &f->cap_hits, sizeof *f->hits);
        f->hits[f->n_hits++] = (struct gw_hit){.channel = ch, .sub = live->sub, .told = told};
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
    if (m->is_each_judged && !clause_admits(m->clause, sub->role_id, sub->caller_id))
        return;
    live->stamp = f->stamp;
    if (m->seq < sub->from_seq || m->seq >= sub->until_seq || !is_asked_for(m, sub->channel) ||
        !gw_live_covers(live, m->schema))
        return;
    enum gw_told told = told_of(m, sub);
    if (is_binding_matching(m, &live->binding, told))
        add_hit(f, live, told);
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
    if (clause->role_id >= m->views->n_roles || clause->role_id >= GW_ROLES_MAX)
        return;
    m->clause = clause;
    m->view = &m->views->views[clause->role_id];
    m->is_each_judged = clause->kind == GW_PRINCIPALS_EXCLUDE;
    if (gw_colset_is_empty(&m->view->columns)) /* no column, no row */
        return;
    look_at_table(m, m->rel_oid);
    if (m->shard->index.n_wildcards > 0)
        look_at_table(m, 0);
}

static void match_audience(struct match *m, const struct gw_audience *au)
{
    for (uint32_t i = 0; i < au->n; i++)
        match_clause(m, &au->clauses[i]);
}

static void new_stamp(struct gw_fanout *f)
{
    f->stamp++;
    f->n_hits = 0;
    f->n_ids = 0;
}

/* Who is among the readers has been looked at when the leavers come: they can't take him back. */
static void fanout_change(struct gw_shard *s, uint64_t seq, const struct gw_news *news)
{
    const struct gw_commit_change *cc = news->change;
    const struct gw_relation *rel = cc->change->rel;
    struct match m = {.shard = s,
                      .seq = seq,
                      .news = news,
                      .views = cc->views,
                      .rel_oid = rel->oid,
                      .schema = rel->schema};
    new_stamp(&s->fanout);
    match_audience(&m, &cc->readers);
    m.is_leaving = true;
    if (s->n_moves > 0)
        match_audience(&m, &cc->leavers);
    if (s->fanout.n_hits > 0)
        gw_delivery_run(s, news);
}

static void fanout_scope(struct gw_shard *s, uint64_t seq, const struct gw_news *news)
{
    const struct gw_commit_scope *scope = news->scope;
    struct match m = {.shard = s,
                      .seq = seq,
                      .news = news,
                      .views = scope->views,
                      .rel_oid = scope->rel_oid,
                      .schema = scope->schema};
    new_stamp(&s->fanout);
    match_audience(&m, &scope->readers);
    if (s->fanout.n_hits > 0)
        gw_delivery_run(s, news);
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
                add_hit(&s->fanout, live, GW_TOLD_COUNT); /* nothing: they end */
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
        fanout_change(s, c->seq, &(struct gw_news){&c->changes[i], NULL, commit_time});
    for (uint32_t i = 0; i < c->n_scopes && s->n_scopes > 0; i++)
        fanout_scope(s, c->seq, &(struct gw_news){NULL, &c->scopes[i], commit_time});
}
