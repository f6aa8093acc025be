/* topics: see the header.
 *
 * DESIGN. room = topic × role: its formulas, its watch, its members. A watch that fires puts the
 * room on the work list, nothing else; rooms on the list are judged at the hub's next step, in the
 * same commit. A room that cannot be judged yet stays on the list. Who comes into a room is told
 * without looking at who is there already; rooms of some size keep their formulas for that, as long
 * as these follow from the access state alone. */
#include "gw/topics.h"

#include "gw/catalog.h"
#include "gw/messages.h"

#include <assert.h>
#include <stdlib.h>

#define QUESTIONS 4
#define KEEP_FROM 8 /* members: formulas of smaller rooms are made again */

/* In the order of the bits of enum gw_may. */
static const struct {
    const char *extension;
    bool is_write;
} questions[QUESTIONS] = {
    {"broadcast", false}, {"broadcast", true}, {"presence", false}, {"presence", true}};

struct room {
    struct gw_topics *topics;
    struct gw_list work; /* linked when it is to be judged */
    bool is_dirty;       /* it is linked */
    bool is_changed;     /* for its members too, not only for newcomers */
    bool is_kept;        /* formulas are those of now */
    struct gw_formula *formulas[QUESTIONS];
    struct gw_watch watch;
    uint16_t role_id;
    uint32_t n_members;
    struct gw_list members, newcomers; /* newcomers have not been told yet */
    struct gw_span topic;              /* in key */
    size_t key_n;
    char key[];
};

struct member {
    struct gw_list node; /* of its room */
    struct room *room;
    uint32_t worker;
    uint64_t channel_id;
    uint32_t attempt, caller_id;
    struct gw_claims *claims; /* reference held */
    bool is_told;
    uint32_t may;
};

struct gw_topics {
    struct gw_map rooms;   /* role, topic → struct room */
    struct gw_map members; /* worker, channel id → struct member */
    struct gw_list work;
    const struct gw_rules *rules; /* of the last judgement; reference held, or NULL */
    uint64_t judged, revoked;
};

struct gw_topics *gw_topics_new(uint64_t hash_seed)
{
    struct gw_topics *t = gw_alloc(sizeof *t);
    gw_map_init(&t->rooms, hash_seed);
    gw_map_init(&t->members, hash_seed + 1);
    gw_list_init(&t->work);
    return t;
}

/* ---- rooms and members ---- */

static void room_mark(struct room *room)
{
    if (room->is_dirty)
        return;
    room->is_dirty = true;
    gw_list_push(&room->topics->work, &room->work);
}

static void room_change(struct room *room)
{
    room->is_changed = true;
    room_mark(room);
}

static void on_change(struct gw_watch *w)
{
    room_change(GW_CONTAINER_OF(w, struct room, watch));
}

static void formulas_drop(struct gw_formula *f[QUESTIONS])
{
    for (unsigned i = 0; i < QUESTIONS; i++) {
        gw_formula_unref(f[i]);
        f[i] = NULL;
    }
}

static struct room *room_of(struct gw_topics *t, uint16_t role_id, struct gw_span topic)
{
    struct gw_buf key;
    gw_buf_init(&key, 0);
    gw_buf_add_u16(&key, role_id);
    gw_buf_add_span(&key, topic);
    struct room *room = gw_map_find(&t->rooms, gw_buf_span(&key));
    if (!room) {
        room = gw_alloc(sizeof *room + key.n);
        memcpy(room->key, key.p, key.n);
        room->key_n = key.n;
        room->topic = (struct gw_span){room->key + 2, key.n - 2};
        room->topics = t;
        room->role_id = role_id;
        gw_list_init(&room->members);
        gw_list_init(&room->newcomers);
        gw_watch_init(&room->watch, on_change);
        gw_map_put(&t->rooms, gw_buf_span(&key), room);
    }
    gw_buf_fini(&key);
    return room;
}

static void room_free(struct room *room)
{
    if (room->is_dirty)
        gw_list_remove(&room->work);
    gw_watch_fini(&room->watch);
    formulas_drop(room->formulas);
    free(room);
}

static void room_leave(struct gw_topics *t, struct room *room)
{
    if (--room->n_members > 0)
        return;
    gw_map_take(&t->rooms, (struct gw_span){room->key, room->key_n});
    room_free(room);
}

struct member_key {
    uint64_t channel_id, worker;
};

static struct gw_span member_key_of(struct member_key *key, uint32_t worker, uint64_t channel_id)
{
    *key = (struct member_key){channel_id, worker};
    return (struct gw_span){(const char *)key, sizeof *key};
}

void gw_topics_drop(struct gw_topics *t, uint32_t worker, uint64_t channel_id)
{
    struct member_key key;
    struct member *m = gw_map_take(&t->members, member_key_of(&key, worker, channel_id));
    if (!m)
        return;
    gw_list_remove(&m->node);
    room_leave(t, m->room);
    gw_claims_unref(m->claims);
    free(m);
}

void gw_topics_put(struct gw_topics *t, const struct gw_topics_question *q)
{
    struct member_key key;
    struct member *m = gw_alloc(sizeof *m);
    *m = (struct member){.room = room_of(t, q->claims->role_id, q->topic),
                         .worker = q->worker,
                         .channel_id = q->channel_id,
                         .attempt = q->attempt,
                         .caller_id = q->caller_id,
                         .claims = gw_claims_ref(q->claims)};
    gw_list_push(&m->room->newcomers, &m->node);
    m->room->n_members++; /* before the old one leaves, perhaps the same room */
    gw_topics_drop(t, q->worker, q->channel_id);
    gw_map_put(&t->members, member_key_of(&key, q->worker, q->channel_id), m);
    room_mark(m->room);
}

void gw_topics_all_dirty(struct gw_topics *t)
{
    struct gw_span key;
    void *room;
    for (size_t at = 0; gw_map_each(&t->rooms, &at, &key, &room);)
        room_change(room);
}

bool gw_topics_has_work(const struct gw_topics *t)
{
    return !gw_list_is_empty(&t->work);
}

void gw_topics_free(struct gw_topics *t)
{
    struct gw_span key;
    void *found;
    if (!t)
        return;
    for (size_t at = 0; gw_map_each(&t->members, &at, &key, &found);) {
        gw_claims_unref(((struct member *)found)->claims);
        free(found);
    }
    for (size_t at = 0; gw_map_each(&t->rooms, &at, &key, &found);)
        room_free(found);
    gw_map_fini(&t->members);
    gw_map_fini(&t->rooms);
    gw_rules_unref(t->rules);
    free(t);
}

/* ---- one question ---- */

/* The row of realtime.messages that a question is about: its topic, its extension, private. */
static void fill_row(const struct gw_catalog *catalog, const struct gw_catalog_table *table,
                     struct gw_span topic, const char *extension, struct gw_datum *cells)
{
    for (uint16_t i = 0; i < table->n_columns; i++) {
        const struct gw_catalog_column *column = &table->columns[i];
        enum gw_kind kind =
            column->is_opaque ? GW_KIND_OPAQUE : gw_kind_of(&catalog->types, column->type_oid);
        cells[i] = gw_datum_unknown();
        if (gw_span_is(column->name, "topic"))
            cells[i] = gw_datum_of(kind, topic);
        else if (gw_span_is(column->name, "extension"))
            cells[i] = gw_datum_of(kind, gw_span_of(extension));
        else if (gw_span_is(column->name, "private"))
            cells[i] = gw_datum_of(kind, GW_SPAN_LIT("t"));
        else if (gw_span_is(column->name, "event") || gw_span_is(column->name, "payload"))
            cells[i] = gw_datum_null(kind);
    }
}

static bool has_privilege(const struct gw_table_access *access, bool is_write)
{
    return access->has_schema_usage &&
           (is_write ? access->may_insert : !gw_colset_is_empty(&access->columns));
}

/* Where the answers for a role come from. */
struct source {
    const struct gw_judge_env *env;
    const struct gw_catalog_table *table; /* NULL: nobody may anything */
    uint16_t role_id;
    const struct gw_plan *plans[2]; /* read, write; NULL: there is none */
    bool is_lasting;                /* what was solved by it follows from the access state alone */
};

static struct source source_of(const struct gw_judge_env *env, uint16_t role_id)
{
    const struct gw_catalog *c = env->catalog;
    struct source s = {.env = env, .role_id = role_id, .is_lasting = true};
    bool is_present = role_id < c->n_roles && (c->roles_present >> role_id & 1) != 0;
    if (!is_present)
        return s;
    s.table = gw_catalog_table_named(c, GW_SPAN_LIT("realtime"), GW_SPAN_LIT("messages"));
    for (int w = 0; s.table && w < 2; w++)
        s.plans[w] = gw_rules_plan(c->rules, s.table->oid, role_id, w == 1);
    return s;
}

/* Whoever has the role may, whatever policies say of a row. */
static bool is_open(const struct source *s, bool is_write)
{
    const struct gw_table_access *access = &s->table->access[s->role_id];
    if (!s->table->rls_enabled || access->bypasses_rls)
        return true;
    return !is_write && access->path == GW_PATH_EVERYONE; /* USING (true) has no plan */
}

static enum gw_code solve_plan(struct source *s, const struct gw_plan *plan, struct gw_span topic,
                               const char *extension, struct gw_watch *watch, struct gw_formula **f)
{
    struct gw_datum *cells = gw_alloc((s->table->n_columns + 1u) * sizeof *cells);
    struct gw_solve_row row = {.n = s->table->n_columns, .cells = cells, .topic = topic};
    struct gw_solve_options options = {
        .certainty = GW_MUST, .give_up = s->env->is_give_up, .watch = watch};
    struct gw_solve_info info = {0};
    fill_row(s->env->catalog, s->table, topic, extension, cells);
    enum gw_code code = gw_solve(s->env->solver, plan, plan->expr, &row, &options, f, &info);
    free(cells);
    s->is_lasting &= code == GW_OK && !info.met_unknown && plan->path == GW_PLAN_SOLVED;
    if (code == GW_OK || code == GW_E_AGAIN)
        return code;
    s->env->stats->policy_errors++;
    *f = gw_formula_none();
    return GW_OK;
}

/* *f: owned; who may. */
static enum gw_code solve_question(struct source *s, struct gw_span topic, unsigned question,
                                   struct gw_watch *watch, struct gw_formula **f)
{
    bool is_write = questions[question].is_write;
    const struct gw_plan *plan = s->plans[is_write];
    bool may_ask = s->table && has_privilege(&s->table->access[s->role_id], is_write);
    *f = NULL;
    if (may_ask && is_open(s, is_write))
        *f = gw_formula_all();
    else if (!may_ask || !plan || plan->path == GW_PLAN_ASKED)
        *f = gw_formula_none();
    else
        return solve_plan(s, plan, topic, questions[question].extension, watch, f);
    return GW_OK;
}

/* All four. On E_AGAIN none is left. */
static enum gw_code solve_topic(struct source *s, struct gw_span topic, struct gw_watch *watch,
                                struct gw_formula *f[QUESTIONS])
{
    enum gw_code worst = GW_OK;
    for (unsigned i = 0; i < QUESTIONS; i++)
        if (solve_question(s, topic, i, watch, &f[i]) != GW_OK)
            worst = GW_E_AGAIN;
    if (worst != GW_OK)
        formulas_drop(f);
    return worst;
}

static uint32_t bits_of(const struct source *s, const struct gw_claims *claims, uint32_t caller_id,
                        struct gw_formula *const f[QUESTIONS])
{
    const struct gw_plan any = {.role_id = s->role_id};
    uint32_t bits = 0;
    for (unsigned i = 0; i < QUESTIONS; i++) {
        const struct gw_plan *plan = s->plans[questions[i].is_write];
        if (gw_formula_is_none(f[i]))
            continue;
        if (gw_callers_admits(s->env->callers, plan ? plan : &any, f[i], claims, caller_id))
            bits |= 1u << i;
    }
    return bits;
}

/* ---- judging ---- */

static void tell(struct gw_topics *t, struct member *m, uint32_t may, gw_topics_on_told *on_told,
                 void *ctx)
{
    if (m->is_told && m->may == may)
        return;
    struct gw_topics_told told = {m->worker, m->channel_id, m->attempt, may, !m->is_told};
    t->revoked += m->is_told && (m->may & ~may);
    m->is_told = true;
    m->may = may;
    on_told(ctx, &told);
}

/* Who was there is told what has changed for him; newcomers are told in any case. */
static void tell_room(struct gw_topics *t, struct room *room, const struct source *s,
                      gw_topics_on_told *on_told, void *ctx)
{
    struct gw_list *node;
    GW_LIST_EACH(it, &room->members)
    {
        struct member *m = GW_CONTAINER_OF(it, struct member, node);
        if (!room->is_changed)
            break;
        tell(t, m, bits_of(s, m->claims, m->caller_id, room->formulas), on_told, ctx);
    }
    while ((node = gw_list_pop(&room->newcomers))) {
        struct member *m = GW_CONTAINER_OF(node, struct member, node);
        gw_list_push(&room->members, &m->node);
        tell(t, m, bits_of(s, m->claims, m->caller_id, room->formulas), on_told, ctx);
    }
}

static enum gw_code judge_room(struct gw_topics *t, struct room *room,
                               const struct gw_judge_env *env, gw_topics_on_told *on_told,
                               void *ctx)
{
    struct source s = source_of(env, room->role_id);
    if (!room->is_kept || room->is_changed) {
        room->is_kept = false;
        formulas_drop(room->formulas);
        gw_watch_fini(&room->watch);
        gw_watch_init(&room->watch, on_change);
        if (solve_topic(&s, room->topic, &room->watch, room->formulas) != GW_OK)
            return GW_E_AGAIN;
        room->is_kept = s.is_lasting && room->n_members >= KEEP_FROM;
        t->judged++;
    }
    tell_room(t, room, &s, on_told, ctx);
    room->is_changed = false;
    if (!room->is_kept)
        formulas_drop(room->formulas);
    return GW_OK;
}

/* Formulas and privileges are of one set of rules. */
static void use_rules(struct gw_topics *t, const struct gw_rules *rules)
{
    if (t->rules == rules)
        return;
    gw_topics_all_dirty(t);
    gw_rules_unref(t->rules);
    t->rules = rules ? gw_rules_ref(rules) : NULL;
}

enum gw_code gw_topics_judge(struct gw_topics *t, const struct gw_judge_env *env,
                             gw_topics_on_told *on_told, void *ctx)
{
    enum gw_code worst = GW_OK;
    use_rules(t, env->catalog->rules);
    GW_LIST_EACH_SAFE(it, tmp, &t->work)
    {
        struct room *room = GW_CONTAINER_OF(it, struct room, work);
        if (judge_room(t, room, env, on_told, ctx) != GW_OK) {
            worst = GW_E_AGAIN;
            continue;
        }
        room->is_dirty = false;
        gw_list_remove(&room->work);
    }
    return worst;
}

enum gw_code gw_topics_may(const struct gw_judge_env *env, const struct gw_claims *claims,
                           struct gw_span topic, uint32_t *may)
{
    struct gw_formula *f[QUESTIONS] = {NULL};
    struct source s = source_of(env, claims->role_id);
    *may = 0;
    if (solve_topic(&s, topic, NULL, f) != GW_OK)
        return GW_E_AGAIN;
    *may = bits_of(&s, claims, 0, f);
    formulas_drop(f);
    return GW_OK;
}

struct gw_topics_counts gw_topics_counts(const struct gw_topics *t)
{
    return (struct gw_topics_counts){t->rooms.count, t->members.count, t->judged, t->revoked};
}
