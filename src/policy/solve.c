/* solve: see gw/solve.h; how it is made is told in solve_internal.h. */
#include "formula_own.h"
#include "solve_internal.h"

#include <assert.h>
#include <stdlib.h>

#define MEMO_BYTES ((size_t)64 << 20)
#define ROWS_MAX 2000000u
#define EXTERNALS_MAX 100000u

struct gw_solver *gw_solver_new(struct gw_state *state, const struct gw_solver_config *cfg)
{
    struct gw_solver *s = gw_alloc(sizeof *s);
    s->state = state;
    s->cfg = *cfg;
    s->cfg.memo_bytes = cfg->memo_bytes ? cfg->memo_bytes : MEMO_BYTES;
    s->cfg.rows_max = cfg->rows_max ? cfg->rows_max : ROWS_MAX;
    s->cfg.externals_max = cfg->externals_max ? cfg->externals_max : EXTERNALS_MAX;
    s->seed = gw_datum_of(GW_KIND_TEXT, GW_SPAN_LIT("seed of the solver's tables")).key.lo;
    s->key_true = gw_datum_of(GW_KIND_BOOL, GW_SPAN_LIT("t")).key;
    s->key_false = gw_datum_of(GW_KIND_BOOL, GW_SPAN_LIT("f")).key;
    s->ctx = gw_alloc(sizeof *s->ctx);
    gw_arena_init(&s->ctx->scratch, 0);
    gw_memo_init(s);
    gw_needs_init(s);
    return s;
}

static void rules_drop(struct gw_solver *s)
{
    gw_memo_drop_all(s);
    gw_needs_drop_all(s);
    gw_rules_unref(s->rules);
    free(s->sites);
    free(s->plan_may_raise);
    s->rules = NULL;
    s->sites = NULL;
    s->plan_may_raise = NULL;
}

void gw_solver_free(struct gw_solver *s)
{
    if (!s)
        return;
    if (s->rules)
        rules_drop(s);
    gw_memo_fini(s);
    gw_needs_fini(s);
    gw_arena_fini(&s->ctx->scratch);
    free(s->ctx->rows);
    free(s->ctx);
    free(s);
}

static bool plan_may_raise(struct gw_solver *s, const struct gw_plan *plan)
{
    bool may = plan->expr && gw_solve_may_raise(s->sites, plan->expr, 0);
    for (uint32_t i = 0; i < plan->n_policies; i++)
        if (plan->policies[i].expr)
            may |= gw_solve_may_raise(s->sites, plan->policies[i].expr, 0);
    return may;
}

void gw_solver_set_rules(struct gw_solver *s, const struct gw_rules *rules)
{
    const struct gw_rules *kept = gw_rules_ref(rules);
    if (s->rules)
        rules_drop(s);
    s->rules = kept;
    s->sites = gw_alloc((kept->n_sites + 1) * sizeof *s->sites);
    gw_solve_shapes(s->sites, kept, s->seed);
    s->plan_may_raise = gw_alloc((kept->n_plans + 1) * sizeof *s->plan_may_raise);
    for (uint32_t i = 0; i < kept->n_plans; i++)
        s->plan_may_raise[i] = plan_may_raise(s, &kept->plans[i]);
}

/* ---- one solution ---- */

static void solution_begin(struct gw_solver *s, const struct gw_plan *plan,
                           const struct gw_solve_row *row, const struct gw_solve_options *options)
{
    struct gw_solve_ctx *ctx = s->ctx;
    assert(s->rules && plan >= s->rules->plans && plan < s->rules->plans + s->rules->n_plans);
    gw_memo_reap(s);
    ctx->solver = s;
    ctx->state = s->state;
    ctx->rules = s->rules;
    ctx->plan = plan;
    ctx->row = row;
    ctx->options = options;
    ctx->frame = NULL;
    ctx->code = GW_OK;
    ctx->may_raise = s->plan_may_raise[plan - s->rules->plans];
    ctx->met_error = ctx->met_need = false;
    ctx->depth = ctx->n_rows = ctx->n_lookups = 0;
    ctx->rows_n = 0;
    if (ctx->scratch.used_bytes > 0) {
        gw_arena_fini(&ctx->scratch);
        gw_arena_init(&ctx->scratch, 0);
    }
    s->stats.solutions++;
}

/* Unknown parts may not have mattered: then those who surely and those who possibly see the row are
 * the same. */
static bool has_mattered(struct gw_solve_ctx *ctx, const struct gw_expr *expr,
                         const struct gw_formula *must)
{
    const struct gw_solve_options *options = ctx->options;
    struct gw_solve_options look = {.certainty = GW_MAY, .give_up = true};
    enum gw_code code = ctx->code;
    struct gw_solve_frame f;
    ctx->options = &look;
    gw_frame_open(ctx, &f, ctx->frame->is_recording); /* the answer rests on this look too */
    struct gw_formula *may = gw_set_formula(gw_solve_bool(ctx, expr, true, GW_MAY, NULL));
    gw_frame_close(ctx, &f);
    bool differs = ctx->code != GW_OK || gw_formula_compare(must, may) != 0;
    gw_formula_unref(may);
    ctx->options = options;
    ctx->code = code;
    return differs;
}

static enum gw_code outcome(const struct gw_solve_ctx *ctx, const struct gw_formula *f,
                            const struct gw_set *raises)
{
    if (ctx->met_need)
        return GW_E_AGAIN;
    if (ctx->code != GW_OK || f->n_nodes > GW_FORMULA_NODES_MAX)
        return GW_E_TOO_BIG;
    if (raises->form == GW_SET_ALL && !ctx->frame->is_inexact)
        return GW_E_POLICY;
    return GW_OK;
}

enum gw_code gw_solve(struct gw_solver *s, const struct gw_plan *plan, const struct gw_expr *expr,
                      const struct gw_solve_row *row, const struct gw_solve_options *options,
                      struct gw_formula **out, struct gw_solve_info *info)
{
    struct gw_solve_ctx *ctx = s->ctx;
    struct gw_solve_frame f;
    struct gw_set raises = GW_SET(GW_SET_NONE);
    solution_begin(s, plan, row, options);
    gw_frame_open(ctx, &f, options->watch != NULL);
    struct gw_set set = gw_solve_bool(ctx, expr, true, options->certainty, &raises);
    struct gw_formula *formula = gw_set_formula(set);
    bool met_unknown = f.is_inexact;
    enum gw_code code = outcome(ctx, formula, &raises);
    if (met_unknown && info && options->certainty == GW_MUST && code == GW_OK)
        met_unknown = has_mattered(ctx, expr, formula);
    if (options->watch && code != GW_E_AGAIN)
        gw_frame_watch(ctx, &f, options->watch);
    gw_frame_close(ctx, &f);
    gw_set_free(&raises);
    s->stats.lookups += ctx->n_lookups;
    if (info)
        *info = (struct gw_solve_info){
            .met_unknown = met_unknown, .met_error = ctx->met_error, .lookups = ctx->n_lookups};
    if (s->stats.memo_bytes > s->cfg.memo_bytes)
        gw_memo_trim(s);
    if (code != GW_OK) {
        gw_formula_unref(formula);
        return code;
    }
    *out = formula;
    return GW_OK;
}

void gw_solver_stats(const struct gw_solver *s, struct gw_solver_stats *out)
{
    *out = s->stats;
}
