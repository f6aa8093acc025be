/* hub_needs: answers that a judgement waits for: caller-free expressions that Postgres evaluates for
 * a row, facts that Postgres works out for a caller, and keys of the access state.
 *
 * One request at a time, with all that is missing at the moment. A judgement that keeps wanting more
 * gives up after ROUNDS_MAX: what is missing then is unknown. */
#include "hub_internal.h"

#include <assert.h>
#include <stdlib.h>

#define ROUNDS_MAX 64
#define FACTS_MAX 2000 /* callers' facts per request */

bool hub_needs_is_busy(const struct gw_hub *h)
{
    return h->judging.eval_request != 0;
}

static struct gw_db_request *eval_new(struct gw_hub *h, uint32_t n_answers, bool is_facts)
{
    struct judge *j = &h->judging;
    struct gw_db_request *r = gw_db_request_new(GW_DB_EVAL, h->next_request_id++);
    r->generation = h->catalog->generation;
    r->deadline_ms = gw_clock_mono_ms() + h->cfg.settings->ask_budget_ms;
    r->evals = gw_arena_alloc(&r->arena, n_answers * sizeof *r->evals);
    j->is_eval_facts = is_facts;
    return r;
}

static void post_eval(struct gw_hub *h, struct gw_db_request *r)
{
    h->judging.eval_request = r->id;
    hub_post(&h->to_db, r);
}

/* ---- facts of callers ---- */

bool hub_needs_facts(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    const struct gw_callers_need *needs;
    uint32_t n = gw_callers_needs(j->callers, &needs);
    if (n == 0)
        return true;
    n = n < FACTS_MAX ? n : FACTS_MAX;
    struct gw_db_request *r = eval_new(h, n, true);
    for (uint32_t i = 0; i < n; i++) {
        const struct gw_claims *claims = needs[i].caller->claims;
        struct gw_db_eval *e = &r->evals[r->n_evals++];
        *e = (struct gw_db_eval){.role_id = claims->role_id,
                                 .role = gw_arena_copy(&r->arena, claims->role),
                                 .sub = gw_arena_copy(&r->arena, claims->sub),
                                 .claims_json = gw_arena_copy(&r->arena, claims->json),
                                 .sql = j->rules->facts[needs[i].fact].sql,
                                 .n_rows = 1};
        e->answers = gw_arena_alloc(&r->arena, sizeof *e->answers);
        e->tag = (uint64_t)needs[i].caller->id << 32 | needs[i].fact;
    }
    post_eval(h, r);
    return false;
}

static void take_facts(struct gw_hub *h, const struct gw_db_request *reply)
{
    for (uint32_t i = 0; i < reply->n_evals; i++) {
        const struct gw_db_eval *e = &reply->evals[i];
        gw_callers_answer(h->judging.callers, (uint32_t)(e->tag >> 32), (uint32_t)e->tag,
                          &e->answers[0]);
    }
}

/* ---- expressions over rows ---- */

static struct gw_db_eval *eval_for(struct gw_hub *h, struct gw_db_request *r,
                                   const struct gw_need_external *need, uint32_t n_max)
{
    const struct gw_external *x = &h->judging.rules->externals[need->external];
    for (uint32_t i = 0; i < r->n_evals; i++)
        if (r->evals[i].tag == ((uint64_t)need->external << 16 | need->role_id))
            return &r->evals[i];
    struct gw_db_eval *e = &r->evals[r->n_evals++];
    struct gw_span role = h->judging.catalog->roles[need->role_id];
    *e = (struct gw_db_eval){.role_id = need->role_id,
                             .role = gw_arena_copy(&r->arena, role),
                             .sql = x->sql,
                             .n_args = x->n_args,
                             .tag = (uint64_t)need->external << 16 | need->role_id};
    size_t cells = (size_t)n_max * (x->n_args ? x->n_args : 1);
    e->args = gw_arena_alloc(&r->arena, cells * sizeof *e->args);
    e->answers = gw_arena_alloc(&r->arena, n_max * sizeof *e->answers);
    return e;
}

static void add_row(struct gw_db_request *r, struct gw_db_eval *e,
                    const struct gw_need_external *need)
{
    struct gw_datum *args = (struct gw_datum *)(uintptr_t)&e->args[(size_t)e->n_rows * e->n_args];
    for (uint32_t i = 0; i < e->n_args; i++) {
        args[i] = need->args[i];
        args[i].text = gw_arena_copy(&r->arena, need->args[i].text);
    }
    e->n_rows++;
}

static void send_externals(struct gw_hub *h, const struct gw_needs *needs)
{
    struct gw_db_request *r = eval_new(h, needs->n_externals, false);
    for (uint32_t i = 0; i < needs->n_externals; i++)
        add_row(r, eval_for(h, r, &needs->externals[i], needs->n_externals), &needs->externals[i]);
    post_eval(h, r);
}

static void warn_eval(struct gw_hub *h, const struct gw_db_eval *e)
{
    int64_t now = gw_clock_mono_ms();
    uint64_t key = UINT64_C(1) << 40 | e->tag;
    int64_t last = (int64_t)(uintptr_t)gw_idmap_find(&h->warned, key);
    if (!e->why[0] || (last && now - last < 10000))
        return;
    gw_idmap_put(&h->warned, key, (void *)(uintptr_t)now);
    char sql[300], why[200];
    gw_log(GW_LOG_WARN, "policy_raised", "expression=%s why=%s",
           gw_log_quote(sql, sizeof sql, e->sql), gw_log_quote(why, sizeof why, gw_span_of(e->why)));
}

/* Rows of an eval stand in the order of their needs. */
static void take_externals(struct gw_hub *h, const struct gw_db_request *reply)
{
    const struct gw_needs *needs = gw_solver_needs(h->judging.solver);
    for (uint32_t i = 0; i < reply->n_evals; i++) {
        const struct gw_db_eval *e = &reply->evals[i];
        uint32_t row = 0;
        for (uint32_t n = 0; n < needs->n_externals && row < e->n_rows; n++) {
            const struct gw_need_external *need = &needs->externals[n];
            if (e->tag == ((uint64_t)need->external << 16 | need->role_id))
                gw_solver_answer(h->judging.solver, need, &e->answers[row++]);
        }
        warn_eval(h, e);
    }
    gw_solver_forget_needs(h->judging.solver);
}

void hub_needs_solver(struct gw_hub *h)
{
    struct judge *j = &h->judging;
    const struct gw_needs *needs = gw_solver_needs(j->solver);
    if (++j->rounds > ROUNDS_MAX || (needs->n_externals == 0 && needs->n_keys == 0)) {
        j->is_give_up = true;
        gw_solver_forget_needs(j->solver);
        gw_loop_wake(&h->loop);
        return;
    }
    if (needs->n_keys > 0)
        hub_state_read_keys(h, needs);
    if (needs->n_externals > 0)
        send_externals(h, needs);
    else
        gw_solver_forget_needs(j->solver);
}

void hub_needs_on_eval(struct gw_hub *h, struct gw_db_request *reply)
{
    struct judge *j = &h->judging;
    if (reply->id != j->eval_request)
        return;
    j->eval_request = 0;
    if (reply->code != GW_OK) {
        h->reasks++;
        j->retry_at_ms = gw_clock_mono_ms() + 250;
        hub_let_server_go(h);
        gw_solver_forget_needs(j->solver);
        return;
    }
    if (j->is_eval_facts)
        take_facts(h, reply);
    else
        take_externals(h, reply);
}
