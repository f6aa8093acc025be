/* scopes: see the header.
 *
 * DESIGN. A plan's equalities between columns (index keys of its look-ups, conditions, IN) are links
 * between row variables. A changed row is bound to the variable of each source on its table; from
 * there links are followed, through rows of other look-up tables where need be, until one
 * reaches the row judged (slot 0): that link is a scope. Rows that were only just made or deleted and are
 * found by their own key (a parent of a foreign key) are no news: what refers to them comes and
 * goes with changes of its own. */
#include "gw/scopes.h"

#include "gw/catalog.h"
#include "gw/value.h"

#include <stdlib.h>

#define LINKS_MAX 128
#define DEPTH_MAX 6 /* tables between the changed row and the row judged */

struct link {
    uint32_t slot, column, to_slot, to_column;
};

/* A plan's sources and the links between its slots. */
struct graph {
    const struct gw_plan *plan;
    uint32_t n_links;
    struct link links[LINKS_MAX];
    uint32_t table_of[GW_RULES_SLOTS_MAX]; /* state table bound to a slot, or UINT32_MAX */
    bool by_identity[GW_RULES_SLOTS_MAX];  /* it is found by the whole identity of its table */
};

struct candidate {
    const struct gw_plan *plan;
    uint32_t column; /* of the catalog table; UINT32_MAX: the whole table */
    struct gw_datum value;
    struct gw_audience before;
};

struct gw_scopes {
    struct gw_arena arena; /* of one transaction */
    uint32_t n, cap;
    struct candidate *items;
};

/* A scope as found on the way, and the means to find more. */
struct walk {
    struct gw_scopes *s;
    const struct gw_judge_env *env;
    const struct graph *g;
    uint32_t rows_left;
};

struct gw_scopes *gw_scopes_new(void)
{
    struct gw_scopes *s = gw_alloc(sizeof *s);
    gw_arena_init(&s->arena, 0);
    return s;
}

void gw_scopes_forget(struct gw_scopes *s)
{
    gw_arena_fini(&s->arena);
    gw_arena_init(&s->arena, 0);
    s->n = 0;
}

void gw_scopes_free(struct gw_scopes *s)
{
    if (!s)
        return;
    gw_arena_fini(&s->arena);
    free(s->items);
    free(s);
}

/* ---- the graph of a plan ---- */

static void link_add(struct graph *g, const struct gw_expr *a, const struct gw_expr *b)
{
    if (a->op != GW_EXPR_COLUMN || b->op != GW_EXPR_COLUMN || a->slot == b->slot ||
        g->n_links + 2 > LINKS_MAX)
        return;
    g->links[g->n_links++] = (struct link){a->slot, a->column, b->slot, b->column};
    g->links[g->n_links++] = (struct link){b->slot, b->column, a->slot, a->column};
}

static bool is_identity(const struct gw_state_table_def *def, const struct gw_state_index *ix)
{
    if (def->n_identity == 0 || ix->n != def->n_identity)
        return false;
    for (uint32_t i = 0; i < ix->n; i++) {
        bool found = false;
        for (uint32_t k = 0; k < def->n_identity; k++)
            found |= def->identity[k] == ix->columns[i];
        if (!found)
            return false;
    }
    return true;
}

static void graph_add_source(struct graph *g, const struct gw_rules *rules,
                             const struct gw_source *source)
{
    const struct gw_state_table_def *def = &rules->tables[source->table];
    g->table_of[source->slot] = source->table;
    if (source->index < 0)
        return;
    const struct gw_state_index *ix = &def->indexes[source->index];
    g->by_identity[source->slot] = is_identity(def, ix);
    for (uint32_t i = 0; i < source->n_keys && i < ix->n; i++) {
        struct gw_expr column = {
            .op = GW_EXPR_COLUMN, .slot = source->slot, .column = ix->columns[i]};
        link_add(g, &column, source->keys[i]);
    }
}

static void graph_add_expr(struct graph *g, const struct gw_rules *rules, const struct gw_expr *e);

static void graph_add_all(struct graph *g, const struct gw_rules *rules, struct gw_expr **items,
                          uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        graph_add_expr(g, rules, items[i]);
}

static void graph_add_sub(struct graph *g, const struct gw_rules *rules, const struct gw_expr *e)
{
    for (uint32_t a = 0; a < e->sub->n_arms; a++) {
        const struct gw_subselect_arm *arm = &e->sub->arms[a];
        graph_add_all(g, rules, arm->where, arm->n_where);
        for (uint32_t i = 0; i < arm->n_sources; i++) {
            graph_add_source(g, rules, &arm->sources[i]);
            graph_add_all(g, rules, arm->sources[i].on, arm->sources[i].n_on);
            graph_add_all(g, rules, arm->sources[i].where, arm->sources[i].n_where);
        }
        if (arm->target)
            graph_add_expr(g, rules, arm->target);
        if (e->op == GW_EXPR_IN && arm->target && e->n_args > 0)
            link_add(g, e->args[0], arm->target);
    }
}

/* Depth: the compiler bounds it. */
static void graph_add_expr(struct graph *g, const struct gw_rules *rules, const struct gw_expr *e)
{
    if (e->op == GW_EXPR_COMPARE && e->cmp == GW_CMP_EQ)
        link_add(g, e->args[0], e->args[1]);
    if (e->sub)
        graph_add_sub(g, rules, e);
    graph_add_all(g, rules, e->args, e->n_args);
}

static void graph_make(struct graph *g, const struct gw_rules *rules, const struct gw_plan *plan)
{
    g->plan = plan;
    g->n_links = 0;
    memset(g->table_of, 0xff, sizeof g->table_of);
    memset(g->by_identity, 0, sizeof g->by_identity);
    graph_add_expr(g, rules, plan->expr);
}

/* ---- candidates ---- */

static bool is_known_scope(const struct gw_scopes *s, const struct gw_plan *plan, uint32_t column,
                           const struct gw_datum *value)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const struct candidate *c = &s->items[i];
        if (c->plan != plan)
            continue;
        if (c->column == UINT32_MAX || (c->column == column && gw_key_eq(c->value.key, value->key)))
            return true;
    }
    return false;
}

static void scope_add(struct walk *w, uint32_t column, struct gw_datum value)
{
    struct gw_scopes *s = w->s;
    if (s->n >= GW_SCOPES_MAX)
        column = UINT32_MAX;
    if (is_known_scope(s, w->g->plan, column, &value) || s->n >= GW_SCOPES_MAX * 2)
        return;
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 16;
        s->items = gw_realloc(s->items, s->cap * sizeof *s->items);
    }
    char text[40];
    if (!value.text.p && value.state == GW_DATUM_VALUE)
        gw_datum_restore_text(&value, text);
    if (value.text.p)
        value.text = gw_arena_copy(&s->arena, value.text);
    s->items[s->n++] = (struct candidate){.plan = w->g->plan, .column = column, .value = value};
}

static void follow_row(struct walk *w, uint32_t slot, const struct gw_state_row *row,
                       uint64_t been);

static int index_on(const struct gw_state_table_def *def, uint32_t column)
{
    for (uint32_t i = 0; i < def->n_indexes; i++)
        if (def->indexes[i].n == 1 && def->indexes[i].columns[0] == column)
            return (int)i;
    return -1;
}

/* Rows of the table bound to slot whose column has that value. been: bits of the slots on the way
 * here, so that no way leads in a circle. */
static void follow_value(struct walk *w, uint32_t slot, uint32_t column,
                         const struct gw_datum *value, uint64_t been)
{
    uint32_t table = w->g->table_of[slot];
    if (table == UINT32_MAX || (been >> slot & 1) || __builtin_popcountll(been) > DEPTH_MAX)
        return;
    const struct gw_state_table_def *def = &w->env->catalog->rules->tables[table];
    int index = index_on(def, column);
    struct gw_state_hits hits = {0};
    enum gw_code code =
        gw_state_find(w->env->state, table, index, index >= 0 ? value : NULL, &hits);
    if (code != GW_OK || hits.is_incomplete || hits.n > w->rows_left) {
        scope_add(w, UINT32_MAX, gw_datum_unknown());
        return;
    }
    w->rows_left -= hits.n;
    /* Hits are good until the next find: keep them. */
    size_t bytes = (hits.n ? hits.n : 1) * sizeof *hits.rows;
    const struct gw_state_row **rows = gw_arena_alloc(&w->s->arena, bytes);
    if (hits.n)
        memcpy(rows, hits.rows, hits.n * sizeof *rows);
    for (uint32_t i = 0; i < hits.n; i++) {
        struct gw_datum cell = gw_state_cell(w->env->state, rows[i], table, column);
        if (cell.state == GW_DATUM_VALUE && gw_key_eq(cell.key, value->key))
            follow_row(w, slot, rows[i], been | UINT64_C(1) << slot);
    }
}

static void follow_link(struct walk *w, const struct link *l, const struct gw_datum *value,
                        uint64_t been)
{
    if (value->state == GW_DATUM_NULL)
        return;
    if (value->state != GW_DATUM_VALUE)
        scope_add(w, UINT32_MAX, gw_datum_unknown());
    else if (l->to_slot == 0)
        scope_add(w, l->to_column, *value);
    else
        follow_value(w, l->to_slot, l->to_column, value, been);
}

/* Whether some link leads from the slot straight to the row judged: then no other is followed. */
static bool reaches_row(const struct graph *g, uint32_t slot)
{
    for (uint32_t i = 0; i < g->n_links; i++)
        if (g->links[i].slot == slot && g->links[i].to_slot == 0)
            return true;
    return false;
}

static void follow_row(struct walk *w, uint32_t slot, const struct gw_state_row *row,
                       uint64_t been)
{
    const struct graph *g = w->g;
    bool is_straight = reaches_row(g, slot);
    for (uint32_t i = 0; i < g->n_links; i++) {
        const struct link *l = &g->links[i];
        if (l->slot != slot || (is_straight && l->to_slot != 0))
            continue;
        struct gw_datum value =
            gw_state_cell(w->env->state, row, g->table_of[slot], l->column);
        follow_link(w, l, &value, been);
    }
}

/* ---- the rows that a transaction is going to change ---- */

static struct gw_datum image_cell(const struct gw_state_column *column,
                                  const struct gw_change *change, const struct gw_image *image)
{
    int at = image ? gw_relation_column_find(change->rel, column->name) : -1;
    if (at < 0 || change->rel->columns[at].type_oid != column->type_oid)
        return gw_datum_unknown();
    if (image->cells[at].state == GW_CELL_NULL)
        return gw_datum_null(column->kind);
    return image->cells[at].state == GW_CELL_VALUE
               ? gw_datum_of(column->kind, image->cells[at].text)
               : gw_datum_unknown();
}

/* Follow an image of the log as if it were a row bound to slot. */
static void follow_image(struct walk *w, uint32_t slot, const struct gw_change *change,
                         const struct gw_image *image)
{
    const struct graph *g = w->g;
    const struct gw_state_table_def *def = &w->env->catalog->rules->tables[g->table_of[slot]];
    bool is_straight = reaches_row(g, slot);
    for (uint32_t i = 0; i < g->n_links; i++) {
        const struct link *l = &g->links[i];
        if (l->slot != slot || (is_straight && l->to_slot != 0))
            continue;
        struct gw_datum value = image_cell(&def->columns[l->column], change, image);
        follow_link(w, l, &value, UINT64_C(1) << slot);
    }
}

static const struct gw_state_row *stored_row(const struct gw_judge_env *env, uint32_t table,
                                             const struct gw_change *change)
{
    const struct gw_state_table_def *def = &env->catalog->rules->tables[table];
    const struct gw_image *image = change->old ? change->old : change->new_;
    struct gw_datum identity[16];
    if (def->n_identity == 0 || def->n_identity > 16)
        return NULL;
    for (uint32_t i = 0; i < def->n_identity; i++) {
        identity[i] = image_cell(&def->columns[def->identity[i]], change, image);
        if (identity[i].state != GW_DATUM_VALUE)
            return NULL;
    }
    return gw_state_row_by_identity(env->state, table, identity);
}

static bool is_cell_changed(const struct gw_judge_env *env, uint32_t table,
                            const struct gw_state_row *row, uint32_t column,
                            const struct gw_change *change)
{
    const struct gw_state_table_def *def = &env->catalog->rules->tables[table];
    struct gw_datum before = gw_state_cell(env->state, row, table, column);
    struct gw_datum after = image_cell(&def->columns[column], change, change->new_);
    if (after.state == GW_DATUM_UNKNOWN) /* unchanged TOAST */
        return false;
    return before.state != after.state ||
           (before.state == GW_DATUM_VALUE && !gw_key_eq(before.key, after.key));
}

static bool is_changed(const struct gw_judge_env *env, uint32_t table,
                       const struct gw_state_row *row, const struct gw_change *change)
{
    const struct gw_state_table_def *def = &env->catalog->rules->tables[table];
    for (uint32_t i = 0; i < def->n_columns; i++)
        if (!row || is_cell_changed(env, table, row, i, change))
            return true;
    return false;
}

static void follow_change(struct walk *w, uint32_t table, const struct gw_change *change)
{
    const struct gw_state_row *row =
        change->op == GW_OP_INSERT ? NULL : stored_row(w->env, table, change);
    if (change->op == GW_OP_UPDATE && !is_changed(w->env, table, row, change))
        return;
    for (uint32_t slot = 0; slot < GW_RULES_SLOTS_MAX; slot++) {
        if (w->g->table_of[slot] != table ||
            (w->g->by_identity[slot] && change->op != GW_OP_UPDATE))
            continue;
        if (row)
            follow_row(w, slot, row, UINT64_C(1) << slot);
        else if (change->old && change->op != GW_OP_INSERT)
            follow_image(w, slot, change, change->old);
        if (change->new_)
            follow_image(w, slot, change, change->new_);
    }
}

static bool uses_table(const struct gw_plan *plan, uint32_t table)
{
    for (uint32_t i = 0; i < plan->n_tables; i++)
        if (plan->tables[i] == table)
            return true;
    return false;
}

static bool is_followed(const struct gw_judge_env *env, const struct gw_plan *plan)
{
    const struct gw_catalog_table *t = gw_catalog_table_find(env->catalog, plan->rel_oid);
    return t && t->published && plan->expr && !plan->is_write &&
           (gw_interest_roles(env->interest, plan->rel_oid) >> plan->role_id & 1);
}

static void collect_plan(struct gw_scopes *s, const struct gw_txn *txn,
                         const struct gw_judge_env *env, const struct gw_plan *plan)
{
    struct graph g = {.plan = NULL};
    struct walk w = {.s = s, .env = env, .g = &g, .rows_left = GW_SCOPES_ROWS_MAX};
    for (size_t i = 0; i < txn->n_changes; i++) {
        int table = gw_rules_table_find(env->catalog->rules, txn->changes[i].rel->oid);
        if (table < 0 || !uses_table(plan, (uint32_t)table))
            continue;
        if (!g.plan)
            graph_make(&g, env->catalog->rules, plan);
        follow_change(&w, (uint32_t)table, &txn->changes[i]);
    }
}

/* ---- who has a scope ---- */

/* The callers for whom the plan holds of a row of which only the scope's column is known. */
static void find_callers(struct gw_scopes *s, const struct candidate *c,
                         const struct gw_judge_env *env, struct gw_audience *out)
{
    const struct gw_catalog_table *t = gw_catalog_table_find(env->catalog, c->plan->rel_oid);
    struct gw_datum *cells = gw_arena_alloc(&s->arena, (t->n_columns + 1u) * sizeof *cells);
    struct gw_formula *f = NULL;
    for (uint16_t i = 0; i < t->n_columns; i++)
        cells[i] = gw_datum_unknown();
    if (c->column < t->n_columns)
        cells[c->column] = c->value;
    struct gw_solve_row row = {.n = t->n_columns, .cells = cells};
    struct gw_solve_options options = {.certainty = GW_NEUTRAL, .give_up = true};
    struct gw_callers_found found;
    if (gw_solve(env->solver, c->plan, c->plan->expr, &row, &options, &f, NULL) != GW_OK)
        return;
    gw_callers_find(env->callers, c->plan, f, &found);
    gw_formula_unref(f);
    struct gw_principal *set = gw_alloc((found.n ? found.n : 1) * sizeof *set);
    for (uint32_t i = 0; i < found.n; i++)
        set[i] = (struct gw_principal){GW_PRINCIPAL_CALLER, 0, found.ids[i]};
    if (found.kind == GW_PRINCIPALS_EVERYONE)
        gw_audience_add_everyone(out, &s->arena, c->plan->role_id);
    else if (found.n > 0)
        gw_audience_add_set(out, &s->arena, c->plan->role_id, found.kind, set, found.n);
    free(set);
}

void gw_scopes_before(struct gw_scopes *s, const struct gw_case *c, const struct gw_judge_env *env)
{
    const struct gw_rules *rules = env->catalog->rules;
    gw_scopes_forget(s);
    bool concerns = false;
    for (size_t i = 0; i < c->txn->n_tables && !concerns; i++)
        concerns = gw_rules_table_find(rules, c->txn->tables[i].rel->oid) >= 0;
    for (uint32_t i = 0; concerns && i < rules->n_plans; i++)
        if (is_followed(env, &rules->plans[i]))
            collect_plan(s, c->txn, env, &rules->plans[i]);
    for (uint32_t i = 0; i < s->n; i++)
        if (s->items[i].column != UINT32_MAX)
            find_callers(s, &s->items[i], env, &s->items[i].before);
}

static void tell(struct gw_case *c, const struct candidate *k, const struct gw_judge_env *env,
                 bool is_gained, const struct gw_audience *who)
{
    if (who->n == 0)
        return;
    struct gw_arena *arena = &c->txn->arena;
    const struct gw_catalog_table *t = gw_catalog_table_find(env->catalog, k->plan->rel_oid);
    struct gw_commit_scope scope = {.rel_oid = t->oid,
                                    .schema = gw_arena_copy(arena, t->schema),
                                    .table = gw_arena_copy(arena, t->name),
                                    .column = UINT32_MAX,
                                    .gained = is_gained};
    if (k->column < t->n_columns && k->value.text.p) {
        struct gw_buf json;
        gw_buf_init(&json, 0);
        gw_value_add_json(&json, &env->catalog->types, t->columns[k->column].type_oid,
                          k->value.text);
        scope.column = k->column;
        scope.column_name = gw_arena_copy(arena, t->columns[k->column].name);
        scope.value_json = gw_arena_copy(arena, gw_buf_span(&json));
        gw_buf_fini(&json);
    }
    gw_audience_copy(&scope.readers, arena, who);
    gw_case_add_scope(c, &scope);
}

void gw_scopes_after(struct gw_scopes *s, struct gw_case *c, const struct gw_judge_env *env)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct candidate *k = &s->items[i];
        struct gw_audience after = {0}, gained = {0}, lost = {0};
        if (k->column == UINT32_MAX) {
            gw_audience_add_everyone(&lost, &s->arena, k->plan->role_id);
        } else {
            find_callers(s, k, env, &after);
            gw_audience_subtract(&gained, &s->arena, &after, &k->before);
            gw_audience_subtract(&lost, &s->arena, &k->before, &after);
        }
        tell(c, k, env, false, &lost);
        tell(c, k, env, true, &gained);
    }
    gw_scopes_forget(s);
}
