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

void gw_audience_copy(struct gw_audience *out, struct gw_arena *arena, const struct gw_audience *a)
{
    for (uint32_t i = 0; i < a->n; i++) {
        const struct gw_clause *clause = &a->clauses[i];
        if (clause->kind == GW_PRINCIPALS_EVERYONE)
            gw_audience_add_everyone(out, arena, clause->role_id);
        else
            gw_audience_add_set(out, arena, clause->role_id, clause->kind, clause->set, clause->n);
    }
}

void gw_audience_drop_roles(struct gw_audience *au, uint64_t roles)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < au->n; i++)
        if (au->clauses[i].role_id >= 64 || !(roles >> au->clauses[i].role_id & 1))
            au->clauses[kept++] = au->clauses[i];
    au->n = kept;
}

/* ---- difference ---- */

static uint32_t keep_in(struct gw_principal *set, uint32_t n, const struct gw_clause *clause,
                        bool is_wanted)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (set_has(clause, &set[i]) == is_wanted)
            set[kept++] = set[i];
    return kept;
}

/* Those of an INCLUDE set that no clause of b admits. */
static void subtract_from_include(struct gw_audience *out, struct gw_arena *arena,
                                  const struct gw_clause *a, const struct gw_audience *b)
{
    uint32_t n = a->n;
    struct gw_principal *left = gw_alloc((n ? n : 1) * sizeof *left);
    memcpy(left, a->set, n * sizeof *left);
    for (uint32_t i = 0; i < b->n && n > 0; i++) {
        const struct gw_clause *other = &b->clauses[i];
        if (other->role_id != a->role_id)
            continue;
        if (other->kind == GW_PRINCIPALS_EVERYONE)
            n = 0;
        else
            n = keep_in(left, n, other, other->kind == GW_PRINCIPALS_EXCLUDE);
    }
    if (n > 0)
        gw_audience_add_set(out, arena, a->role_id, GW_PRINCIPALS_INCLUDE, left, n);
    free(left);
}

static void append(struct gw_principal **set, uint32_t *n, const struct gw_clause *clause)
{
    *set = gw_realloc(*set, (*n + clause->n + 1u) * sizeof **set);
    if (clause->n)
        memcpy(*set + *n, clause->set, clause->n * sizeof **set);
    *n += clause->n;
}

/* All of a role but a few, less those whom b admits: still all but a few, unless b has all but a few
 * too; then what b leaves out and a does not. */
static void subtract_from_most(struct gw_audience *out, struct gw_arena *arena,
                               const struct gw_clause *a, const struct gw_audience *b)
{
    const struct gw_clause *most = NULL;
    uint32_t n = 0;
    struct gw_principal *set = NULL;
    append(&set, &n, &(struct gw_clause){0});
    for (uint32_t i = 0; i < b->n; i++)
        if (b->clauses[i].role_id == a->role_id && b->clauses[i].kind != GW_PRINCIPALS_INCLUDE)
            most = &b->clauses[i];
    if (most && most->kind == GW_PRINCIPALS_EXCLUDE) {
        append(&set, &n, most);
        n = keep_in(set, n, a, false);
        struct gw_clause left = {a->role_id, GW_PRINCIPALS_INCLUDE, n, set};
        struct gw_audience others = {0};
        for (uint32_t i = 0; i < b->n; i++)
            if (b->clauses[i].kind == GW_PRINCIPALS_INCLUDE && b->clauses[i].role_id == a->role_id)
                n = keep_in(set, n, &b->clauses[i], false);
        left.n = n;
        subtract_from_include(out, arena, &left, &others);
    } else if (!most) {
        append(&set, &n, a);
        for (uint32_t i = 0; i < b->n; i++)
            if (b->clauses[i].role_id == a->role_id)
                append(&set, &n, &b->clauses[i]);
        if (n > 0)
            gw_audience_add_set(out, arena, a->role_id, GW_PRINCIPALS_EXCLUDE, set, n);
        else
            gw_audience_add_everyone(out, arena, a->role_id);
    }
    free(set);
}

void gw_audience_subtract(struct gw_audience *out, struct gw_arena *arena,
                          const struct gw_audience *a, const struct gw_audience *b)
{
    for (uint32_t i = 0; i < a->n; i++) {
        if (a->clauses[i].kind == GW_PRINCIPALS_INCLUDE)
            subtract_from_include(out, arena, &a->clauses[i], b);
        else
            subtract_from_most(out, arena, &a->clauses[i], b);
    }
}
