/* solution: the part of a case that is solved: for each change, role and image the plan meets the row
 * and the access state, and the formula that comes out meets the callers.
 *
 * DESIGN. Old images are solved before the transaction is applied to the access state, new ones
 * after; formulas become callers at once, because a catalog that changes in between changes the
 * facts. A column that the log left out of an old image is taken from the access state when the
 * table itself is looked up by policies; otherwise it is unknown, and unknown admits nobody. When it is the
 * access state that does not know (being loaded, read ahead of, out of budget), the table is owed
 * a resync, so that nothing is lost in silence. A try that ends in E_AGAIN leaves nothing behind. */
#include "judge_internal.h"

#include <assert.h>
#include <stdlib.h>

/* One image of one change. */
struct subject {
    struct gw_case *c;
    const struct gw_judge_env *env;
    uint32_t change;
    bool is_old;
    const struct gw_catalog_table *table;
    const struct gw_image *image;
    struct gw_datum *cells; /* one per column of the table; scratch */
    bool lacks_cells;       /* the log did not carry a column that the plan reads */
};

/* ---- the row ---- */

static struct gw_datum cell_datum(const struct gw_catalog *catalog,
                                  const struct gw_catalog_column *column,
                                  const struct gw_relation_column *in_log,
                                  const struct gw_cell *cell)
{
    enum gw_kind kind =
        column->is_opaque ? GW_KIND_OPAQUE : gw_kind_of(&catalog->types, column->type_oid);
    if (in_log->type_oid != column->type_oid)
        return gw_datum_unknown();
    if (cell->state == GW_CELL_NULL)
        return gw_datum_null(kind);
    if (cell->state == GW_CELL_VALUE)
        return gw_datum_of(kind, cell->text);
    return gw_datum_unknown();
}

static struct gw_datum read_cell(const struct subject *s, uint32_t column)
{
    const struct gw_relation *rel = s->c->txn->changes[s->change].rel;
    const struct gw_catalog_column *col = &s->table->columns[column];
    int at = gw_relation_column_find(rel, col->name);
    if (at < 0)
        return gw_datum_unknown();
    return cell_datum(s->env->catalog, col, &rel->columns[at], &s->image->cells[at]);
}

static int state_column_find(const struct gw_state_table_def *def, struct gw_span name)
{
    for (uint32_t i = 0; i < def->n_columns; i++)
        if (gw_span_eq(def->columns[i].name, name))
            return (int)i;
    return -1;
}

static int catalog_column_named(const struct gw_catalog_table *t, struct gw_span name)
{
    return gw_catalog_column_find(t, name);
}

/* The row as the access state has it, by the identity in the image; NULL: not there. */
static const struct gw_state_row *state_row(const struct subject *s, uint32_t table,
                                            const struct gw_state_table_def *def)
{
    struct gw_datum identity[GW_RULES_INDEX_COLUMNS_MAX * 4];
    if (def->n_identity == 0 || def->n_identity > sizeof identity / sizeof *identity)
        return NULL;
    for (uint32_t i = 0; i < def->n_identity; i++) {
        int at = catalog_column_named(s->table, def->columns[def->identity[i]].name);
        if (at < 0)
            return NULL;
        identity[i] = read_cell(s, (uint32_t)at);
        if (identity[i].state != GW_DATUM_VALUE)
            return NULL;
    }
    return gw_state_row_by_identity(s->env->state, table, identity);
}

/* What the log left out and the access state knows. */
static void fill_from_state(struct subject *s, const struct gw_plan *plan)
{
    const struct gw_rules *rules = s->env->catalog->rules;
    int table = gw_rules_table_find(rules, s->table->oid);
    if (table < 0)
        return;
    const struct gw_state_table_def *def = &rules->tables[table];
    const struct gw_state_row *row = state_row(s, (uint32_t)table, def);
    s->lacks_cells = false;
    for (uint32_t i = 0; i < plan->n_reads; i++) {
        struct gw_datum *cell = &s->cells[plan->reads[i]];
        int at = state_column_find(def, s->table->columns[plan->reads[i]].name);
        if (cell->state == GW_DATUM_UNKNOWN && row && at >= 0) {
            struct gw_datum known = gw_state_cell(s->env->state, row, (uint32_t)table, (uint32_t)at);
            /* Without its text it could be compared, but not handed on. */
            if (known.state != GW_DATUM_VALUE || known.text.p)
                *cell = known;
        }
        s->lacks_cells |= cell->state == GW_DATUM_UNKNOWN;
    }
}

static void read_row(struct subject *s, const struct gw_plan *plan)
{
    s->lacks_cells = false;
    for (uint32_t i = 0; i < plan->n_reads; i++) {
        s->cells[plan->reads[i]] = read_cell(s, plan->reads[i]);
        s->lacks_cells |= s->cells[plan->reads[i]].state == GW_DATUM_UNKNOWN;
    }
    if (s->lacks_cells && s->is_old)
        fill_from_state(s, plan);
}

/* ---- one solution ---- */

static void solution_add_callers(struct subject *s, const struct gw_plan *plan,
                                 const struct gw_formula *f)
{
    struct gw_case *c = s->c;
    struct gw_callers_found found;
    gw_callers_find(s->env->callers, plan, f, &found);
    if (found.kind == GW_PRINCIPALS_INCLUDE && found.n == 0)
        return;
    if (c->n_solutions == c->cap_solutions) {
        c->cap_solutions = c->cap_solutions ? c->cap_solutions * 2 : 16;
        c->solutions = gw_realloc(c->solutions, c->cap_solutions * sizeof *c->solutions);
    }
    struct gw_span ids = {(const char *)found.ids, found.n * sizeof *found.ids};
    struct gw_solution *out = &c->solutions[c->n_solutions++];
    *out = (struct gw_solution){.change = s->change,
                                .role_id = plan->role_id,
                                .is_old = s->is_old,
                                .kind = found.kind,
                                .n = found.n};
    if (found.n > 0)
        out->ids = (const uint32_t *)(const void *)gw_arena_copy(&c->txn->arena, ids).p;
}

static void count_unknown(struct subject *s, unsigned role_id, const struct gw_formula *f)
{
    struct gw_case_change *cc = &s->c->changes[s->change];
    const struct gw_change *change = &s->c->txn->changes[s->change];
    struct gw_judge_stats *stats = s->env->stats;
    if (!s->is_old && s->lacks_cells) {
        gw_case_count_once(&stats->unjudged, &cc->counted_new, role_id);
    } else if (!s->is_old || !s->lacks_cells) {
        stats->state_unknown++;
        s->env->on_state_unknown(s->env->ctx, s->table->oid);
    } else if (change->op == GW_OP_DELETE && gw_formula_is_none(f)) {
        gw_case_count_once(&stats->deletes_withheld, &cc->counted_delete, role_id);
    } else if (change->op == GW_OP_UPDATE) {
        gw_case_count_once(&stats->old_withheld, &cc->counted_old, role_id);
    }
    if (s->is_old && change->op == GW_OP_UPDATE)
        cc->old_unknown |= UINT64_C(1) << role_id;
}

static enum gw_code solve_one(struct subject *s, const struct gw_plan *plan)
{
    struct gw_formula *f = NULL;
    struct gw_solve_info info = {0};
    read_row(s, plan);
    struct gw_solve_row row = {.n = s->table->n_columns, .cells = s->cells};
    struct gw_solve_options options = {.certainty = GW_MUST, .give_up = s->env->is_give_up};
    enum gw_code code = gw_solve(s->env->solver, plan, plan->expr, &row, &options, &f, &info);
    if (code == GW_E_AGAIN)
        return code;
    s->env->stats->solved++;
    if (!s->is_old && (code != GW_OK || info.met_unknown || info.met_error))
        s->c->changes[s->change].new_unknown |= UINT64_C(1) << plan->role_id;
    if (code != GW_OK) {
        s->env->stats->policy_errors++;
        if (code == GW_E_TOO_BIG)
            s->env->on_state_unknown(s->env->ctx, s->table->oid);
        return GW_OK;
    }
    s->env->stats->policy_errors += info.met_error;
    if (info.met_unknown)
        count_unknown(s, plan->role_id, f);
    solution_add_callers(s, plan, f);
    gw_formula_unref(f);
    return GW_OK;
}

/* ---- a whole case ---- */

static const struct gw_plan *plan_of(const struct subject *s, unsigned role_id)
{
    const struct gw_table_access *access = &s->table->access[role_id];
    bool is_compiled = access->path == GW_PATH_SOLVED || access->path == GW_PATH_ASSISTED;
    return is_compiled && access->plan ? access->plan : NULL;
}

static enum gw_code solve_roles(struct subject *s)
{
    enum gw_code worst = GW_OK;
    for (uint64_t left = s->c->changes[s->change].solved; left; left &= left - 1) {
        unsigned role_id = (unsigned)__builtin_ctzll(left);
        if (role_id >= s->env->catalog->n_roles)
            continue;
        const struct gw_plan *plan = plan_of(s, role_id);
        if (plan && solve_one(s, plan) == GW_E_AGAIN)
            worst = GW_E_AGAIN;
    }
    return worst;
}

static bool find_subject(struct subject *s)
{
    const struct gw_change *change = &s->c->txn->changes[s->change];
    s->image = s->is_old ? change->old : change->new_;
    if (!s->c->changes[s->change].solved)
        return false;
    s->table = gw_catalog_table_find(s->env->catalog, change->rel->oid);
    if (!s->image && s->is_old && change->op == GW_OP_UPDATE)
        s->image = change->new_; /* the key, which has not changed, finds the row in the state */
    return s->image && s->table && s->table->published;
}

/* An UPDATE without an old image: the identity is that of the new one, all else is unknown. */
static bool has_identity_only(const struct subject *s)
{
    const struct gw_change *change = &s->c->txn->changes[s->change];
    return s->is_old && !change->old && change->op == GW_OP_UPDATE;
}

static struct gw_image *identity_image(struct subject *s)
{
    const struct gw_change *change = &s->c->txn->changes[s->change];
    size_t bytes = sizeof(struct gw_image) + change->new_->n * sizeof(struct gw_cell);
    struct gw_image *image = gw_arena_alloc(&s->c->txn->arena, bytes);
    image->n = change->new_->n;
    for (uint16_t i = 0; i < image->n; i++)
        if (change->rel->columns[i].is_key && change->rel->replica_identity != 'f')
            image->cells[i] = change->new_->cells[i];
    return image;
}

static enum gw_code solve_case(struct gw_case *c, const struct gw_judge_env *env, bool is_old)
{
    struct subject s = {.c = c, .env = env, .is_old = is_old};
    uint32_t n_before = c->n_solutions;
    enum gw_code code = GW_OK;
    uint16_t n_cells = 0;
    for (s.change = 0; s.change < c->txn->n_changes; s.change++) {
        if (!find_subject(&s))
            continue;
        if (has_identity_only(&s))
            s.image = identity_image(&s);
        if (s.table->n_columns > n_cells) {
            n_cells = s.table->n_columns;
            s.cells = gw_realloc(s.cells, n_cells * sizeof *s.cells);
        }
        for (uint16_t i = 0; i < s.table->n_columns; i++)
            s.cells[i] = gw_datum_unknown();
        if (solve_roles(&s) == GW_E_AGAIN)
            code = GW_E_AGAIN;
    }
    free(s.cells);
    if (code == GW_E_AGAIN)
        c->n_solutions = n_before;
    return code;
}

enum gw_code gw_case_solve_old(struct gw_case *c, const struct gw_judge_env *env)
{
    return env->solver ? solve_case(c, env, true) : GW_OK;
}

enum gw_code gw_case_solve_new(struct gw_case *c, const struct gw_judge_env *env)
{
    return env->solver ? solve_case(c, env, false) : GW_OK;
}

void gw_case_skip_old(struct gw_case *c, const struct gw_judge_env *env)
{
    for (uint32_t i = 0; i < c->txn->n_changes; i++) {
        const struct gw_change *change = &c->txn->changes[i];
        if (!c->changes[i].solved)
            continue;
        if (change->op == GW_OP_UPDATE)
            c->changes[i].old_unknown |= c->changes[i].solved;
        else if (change->op == GW_OP_DELETE)
            env->on_state_unknown(env->ctx, change->rel->oid);
    }
}

void gw_case_add_revocation(struct gw_case *c, const struct gw_commit_revocation *r)
{
    if (c->n_revocations == c->cap_revocations) {
        c->cap_revocations = c->cap_revocations ? c->cap_revocations * 2 : 8;
        c->revocations = gw_realloc(c->revocations, c->cap_revocations * sizeof *c->revocations);
    }
    c->revocations[c->n_revocations++] = *r;
}

void gw_case_add_scope(struct gw_case *c, const struct gw_commit_scope *scope)
{
    if (c->n_scopes == c->cap_scopes) {
        c->cap_scopes = c->cap_scopes ? c->cap_scopes * 2 : 8;
        c->scopes = gw_realloc(c->scopes, c->cap_scopes * sizeof *c->scopes);
    }
    c->scopes[c->n_scopes++] = *scope;
}

/* ---- into the commit ---- */

static int compare_solutions(const void *pa, const void *pb)
{
    const struct gw_solution *a = pa, *b = pb;
    if (a->change != b->change)
        return a->change < b->change ? -1 : 1;
    if (a->is_old != b->is_old)
        return a->is_old ? 1 : -1;
    return a->role_id < b->role_id ? -1 : a->role_id > b->role_id;
}

void gw_solutions_sort(struct gw_case *c)
{
    if (c->n_solutions > 1)
        qsort(c->solutions, c->n_solutions, sizeof *c->solutions, compare_solutions);
}

void gw_solution_add(struct gw_commit_change *out, struct gw_arena *arena,
                     const struct gw_solution *s)
{
    bool to_readers = out->change->op == GW_OP_DELETE || !s->is_old;
    struct gw_audience *au = to_readers ? &out->readers : &out->sees_old;
    if (s->kind == GW_PRINCIPALS_EVERYONE) {
        gw_audience_add_everyone(au, arena, s->role_id);
        return;
    }
    struct gw_principal *set = gw_alloc((s->n ? s->n : 1) * sizeof *set);
    for (uint32_t i = 0; i < s->n; i++)
        set[i] = (struct gw_principal){GW_PRINCIPAL_CALLER, 0, s->ids[i]};
    gw_audience_add_set(au, arena, s->role_id, s->kind, set, s->n);
    free(set);
}
