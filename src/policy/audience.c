/* audience: see the header.
 *
 * DESIGN. The clause array doubles whenever its length is a power of two, so no capacity has to be
 * stored; the arrays outgrown stay in the arena, at most as much again as the last one. */
#include "gw/audience.h"

#include <assert.h>
#include <stdlib.h>

int gw_principal_compare(const struct gw_principal *a, const struct gw_principal *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->a != b->a)
        return a->a < b->a ? -1 : 1;
    if (a->b != b->b)
        return a->b < b->b ? -1 : 1;
    return 0;
}

static int compare_for_sort(const void *a, const void *b)
{
    return gw_principal_compare(a, b);
}

static void *must_alloc(struct gw_arena *arena, size_t bytes)
{
    void *p = gw_arena_alloc(arena, bytes);
    assert(p && "the arena's cap leaves room for the audience");
    return p;
}

static struct gw_clause *push_clause(struct gw_audience *au, struct gw_arena *arena)
{
    bool is_power_of_two = (au->n & (au->n - 1)) == 0; /* 0 too */
    if (is_power_of_two) {
        size_t cap = au->n ? (size_t)au->n * 2 : 1;
        struct gw_clause *grown = must_alloc(arena, cap * sizeof *grown);
        if (au->n)
            memcpy(grown, au->clauses, au->n * sizeof *grown);
        au->clauses = grown;
    }
    return &au->clauses[au->n++];
}

/* Sort set and drop duplicates; returns what is left. */
static uint32_t normalise(struct gw_principal *set, uint32_t n)
{
    if (n == 0)
        return 0;
    qsort(set, n, sizeof *set, compare_for_sort);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < n; i++)
        if (gw_principal_compare(&set[kept - 1], &set[i]) != 0)
            set[kept++] = set[i];
    return kept;
}

static bool set_has(const struct gw_clause *clause, const struct gw_principal *wanted)
{
    uint32_t low = 0, high = clause->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = gw_principal_compare(&clause->set[middle], wanted);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bool set_meets(const struct gw_clause *clause, const struct gw_identity *id)
{
    for (uint32_t i = 0; i < id->n; i++)
        if (set_has(clause, &id->principals[i]))
            return true;
    return false;
}

static bool clause_admits(const struct gw_clause *clause, const struct gw_identity *id)
{
    if (clause->role_id != id->role_id)
        return false;
    switch (clause->kind) {
    case GW_PRINCIPALS_EVERYONE:
        return true;
    case GW_PRINCIPALS_INCLUDE:
        return set_meets(clause, id);
    case GW_PRINCIPALS_EXCLUDE:
        return !set_meets(clause, id);
    }
    return false;
}

void gw_audience_add_everyone(struct gw_audience *au, struct gw_arena *arena, uint16_t role_id)
{
    *push_clause(au, arena) =
        (struct gw_clause){.role_id = role_id, .kind = GW_PRINCIPALS_EVERYONE};
}

void gw_audience_add_set(struct gw_audience *au, struct gw_arena *arena, uint16_t role_id,
                         enum gw_principals_kind kind, const struct gw_principal *set, uint32_t n)
{
    assert(kind != GW_PRINCIPALS_EVERYONE);
    struct gw_clause clause = {.role_id = role_id, .kind = kind};
    if (n > 0) {
        clause.set = must_alloc(arena, n * sizeof *set);
        memcpy(clause.set, set, n * sizeof *set);
        clause.n = normalise(clause.set, n);
    }
    *push_clause(au, arena) = clause;
}

bool gw_audience_admits(const struct gw_audience *au, const struct gw_identity *id)
{
    for (uint32_t i = 0; i < au->n; i++)
        if (clause_admits(&au->clauses[i], id))
            return true;
    return false;
}
