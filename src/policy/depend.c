/* depend: see the header.
 *
 * DESIGN. A graph of units (depend_internal.h): a policy leads to the functions it calls and, for
 * each table it looks into, to all policies of that table, because Postgres applies them to the
 * sub-select; a function leads on in the same way (SECURITY DEFINER or not: more is safe). The
 * graph is walked with a worklist; each unit is read when first reached, and kept, so that 500
 * policies that call one helper parse it once. A node is a number: functions first, then the
 * policies of all tables in turn. */
#include "depend_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NO_FUNCTION UINT32_MAX

struct gw_depend_reader {
    struct gw_catalog *c;
    uint32_t n_nodes;
    uint32_t *first_policy;        /* per table: its first node */
    struct gw_depend_unit **units; /* per node, NULL until read */
    uint32_t *seen;                /* per node: the search that reached it */
    uint32_t search;
    struct gw_map by_name; /* function name → its first index + 1 */
    uint32_t *same_name;   /* per function: the next of that name */
};

/* One call of gw_depend_reader_find. */
struct search {
    struct gw_depend_reader *reader;
    uint32_t *nodes; /* worklist */
    uint32_t n_nodes;
    uint32_t n_functions;
    struct gw_depend_sources found;
    struct gw_depends *out;
};

/* ---- units ---- */

void gw_depend_fail(const struct gw_depend_text *text, const char *fmt, ...)
{
    char reason[384], whole[640];
    va_list args;
    if (text->unit->why.n > 0)
        return;
    va_start(args, fmt);
    vsnprintf(reason, sizeof reason, fmt, args);
    va_end(args);
    snprintf(whole, sizeof whole, "%s: %s", text->label, reason);
    text->unit->why = gw_arena_copy(&text->reader->c->arena, gw_span_of(whole));
}

struct gw_depend_source *gw_depend_source_of(struct gw_depend_sources *sources, uint32_t table)
{
    for (uint32_t i = 0; i < sources->n; i++)
        if (sources->items[i].table == table)
            return &sources->items[i];
    if (sources->n == sources->cap) {
        sources->cap = sources->cap ? sources->cap * 2 : 4;
        sources->items = gw_realloc(sources->items, sources->cap * sizeof *sources->items);
    }
    struct gw_depend_source *added = &sources->items[sources->n++];
    *added = (struct gw_depend_source){.table = table};
    return added;
}

static void add_call(struct gw_depend_unit *unit, uint32_t function)
{
    for (uint32_t i = 0; i < unit->n_calls; i++)
        if (unit->calls[i] == function)
            return;
    if (unit->n_calls == unit->cap_calls) {
        unit->cap_calls = unit->cap_calls ? unit->cap_calls * 2 : 4;
        unit->calls = gw_realloc(unit->calls, unit->cap_calls * sizeof *unit->calls);
    }
    unit->calls[unit->n_calls++] = function;
}

static uint32_t first_named(const struct gw_depend_reader *r, struct gw_span name)
{
    uintptr_t found = (uintptr_t)gw_map_find(&r->by_name, name);
    return found ? (uint32_t)(found - 1) : NO_FUNCTION;
}

unsigned gw_depend_add_calls(const struct gw_depend_text *text, struct gw_span schema,
                             struct gw_span name)
{
    const struct gw_depend_reader *r = text->reader;
    unsigned count = 0;
    for (uint32_t i = first_named(r, name); i != NO_FUNCTION; i = r->same_name[i]) {
        if (schema.n && !gw_span_eq(schema, r->c->functions[i].schema))
            continue;
        add_call(text->unit, i);
        count++;
    }
    return count;
}

struct gw_catalog *gw_depend_catalog(const struct gw_depend_reader *r)
{
    return r->c;
}

static void read_function(struct gw_depend_reader *r, struct gw_depend_unit *unit, uint32_t index)
{
    const struct gw_catalog_function *f = &r->c->functions[index];
    char label[192];
    struct gw_depend_text text = {r, unit, NULL, label};
    if (f->volatility == 'i' || gw_span_is(f->schema, "pg_catalog"))
        return;
    snprintf(label, sizeof label, "function %.*s.%.*s", (int)f->schema.n, f->schema.p,
             (int)f->name.n, f->name.p);
    gw_depend_parse_function(&text, f);
}

static void read_policy(struct gw_depend_reader *r, struct gw_depend_unit *unit,
                        const struct gw_catalog_table *t, const struct gw_policy *policy)
{
    char label[256];
    struct gw_depend_text text = {r, unit, t, label};
    if (policy->qual.n == 0)
        return;
    snprintf(label, sizeof label, "policy \"%.*s\" on %.*s.%.*s", (int)policy->name.n,
             policy->name.p ? policy->name.p : "", (int)t->schema.n, t->schema.p, (int)t->name.n,
             t->name.p);
    gw_depend_parse_policy(&text, policy->qual);
}

/* The table whose policies hold the node. */
static uint32_t table_of_node(const struct gw_depend_reader *r, uint32_t node)
{
    uint32_t low = 0, high = r->c->n_tables;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (r->first_policy[middle] <= node)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static const struct gw_depend_unit *unit_of(struct gw_depend_reader *r, uint32_t node)
{
    if (r->units[node])
        return r->units[node];
    struct gw_depend_unit *unit = gw_alloc(sizeof *unit);
    r->units[node] = unit;
    if (node < r->c->n_functions) {
        read_function(r, unit, node);
    } else {
        uint32_t table = table_of_node(r, node);
        const struct gw_catalog_table *t = &r->c->tables[table];
        read_policy(r, unit, t, &t->policies[node - r->first_policy[table]]);
    }
    return unit;
}

/* ---- the search ---- */

static void set_unknown(struct search *s, struct gw_span why)
{
    if (s->out->unknown)
        return;
    s->out->unknown = true;
    s->out->why = why;
}

static void reach(struct search *s, uint32_t node)
{
    struct gw_depend_reader *r = s->reader;
    if (r->seen[node] == r->search)
        return;
    if (node < r->c->n_functions && ++s->n_functions > GW_DEPEND_MAX_FUNCTIONS) {
        set_unknown(s, GW_SPAN_LIT("more functions are called than are read through"));
        return;
    }
    r->seen[node] = r->search;
    s->nodes[s->n_nodes++] = node;
}

static void fail_table(struct search *s, const struct gw_catalog_table *t, const char *what)
{
    char text[384];
    snprintf(text, sizeof text, "table %.*s.%.*s %s", (int)t->schema.n, t->schema.p, (int)t->name.n,
             t->name.p, what);
    if (!s->out->unknown)
        set_unknown(s, gw_arena_copy(&s->reader->c->arena, gw_span_of(text)));
}

/* The first time a search finds a table. */
static void enter_table(struct search *s, uint32_t table)
{
    const struct gw_depend_reader *r = s->reader;
    const struct gw_catalog_table *t = &r->c->tables[table];
    if (t->has_children)
        fail_table(s, t, "has partitions or children, whose changes come under their own names");
    else if (!t->published && !t->followed)
        fail_table(s, t, "is in no publication, so its changes are not seen");
    if (!t->rls_enabled)
        return;
    for (uint32_t i = 0; i < t->n_policies; i++)
        reach(s, r->first_policy[table] + i);
}

static void merge(struct gw_colset *into, const struct gw_colset *from)
{
    for (int i = 0; i < GW_COLSET_WORDS; i++)
        into->w[i] |= from->w[i];
}

static void follow(struct search *s, const struct gw_depend_unit *unit)
{
    if (unit->why.n > 0)
        set_unknown(s, unit->why);
    for (uint32_t i = 0; i < unit->n_calls; i++)
        reach(s, unit->calls[i]);
    for (uint32_t i = 0; i < unit->sources.n; i++) {
        const struct gw_depend_source *source = &unit->sources.items[i];
        uint32_t known = s->found.n;
        struct gw_depend_source *found = gw_depend_source_of(&s->found, source->table);
        found->all_columns |= source->all_columns;
        merge(&found->columns, &source->columns);
        if (s->found.n > known)
            enter_table(s, source->table);
    }
}

static void all_columns(const struct gw_catalog_table *t, struct gw_colset *set)
{
    for (unsigned i = 0; i < t->n_columns; i++)
        gw_colset_add(set, i);
}

/* Start with the policies on t for the role, which also tell what is read of the row. */
static void start(struct search *s, const struct gw_catalog_table *t, unsigned role_id,
                  struct gw_colset *reads)
{
    struct gw_depend_reader *r = s->reader;
    uint32_t first = r->first_policy[t - r->c->tables];
    for (uint32_t i = 0; i < t->n_policies; i++) {
        if ((t->policies[i].roles >> role_id & 1) == 0)
            continue;
        const struct gw_depend_unit *unit = unit_of(r, first + i);
        merge(reads, &unit->reads);
        if (unit->reads_all)
            all_columns(t, reads);
        reach(s, first + i);
    }
}

static void write_lookup(const struct gw_depend_reader *r, const struct gw_depend_source *source,
                         struct gw_lookup *out)
{
    const struct gw_catalog_table *t = &r->c->tables[source->table];
    *out = (struct gw_lookup){.rel_oid = t->oid, .all_columns = source->all_columns};
    if (source->all_columns)
        return;
    uint32_t count = 0;
    for (unsigned i = 0; i < t->n_columns; i++)
        count += gw_colset_has(&source->columns, i);
    out->columns = gw_arena_alloc(&r->c->arena, count * sizeof *out->columns);
    for (unsigned i = 0; i < t->n_columns; i++)
        if (gw_colset_has(&source->columns, i))
            out->columns[out->n_columns++] = t->columns[i].name;
}

static void write_lookups(const struct search *s)
{
    struct gw_depends *out = s->out;
    out->n_lookups = s->found.n;
    if (s->found.n == 0)
        return;
    out->lookups = gw_arena_alloc(&s->reader->c->arena, s->found.n * sizeof *out->lookups);
    for (uint32_t i = 0; i < s->found.n; i++)
        write_lookup(s->reader, &s->found.items[i], &out->lookups[i]);
}

void gw_depend_reader_find(struct gw_depend_reader *r, const struct gw_catalog_table *t,
                           unsigned role_id, struct gw_colset *reads, struct gw_depends *out)
{
    struct search s = {.reader = r, .out = out};
    *reads = (struct gw_colset){0};
    *out = (struct gw_depends){0};
    s.nodes = gw_alloc(r->n_nodes * sizeof *s.nodes);
    r->search++;
    start(&s, t, role_id, reads);
    while (s.n_nodes > 0)
        follow(&s, unit_of(r, s.nodes[--s.n_nodes]));
    write_lookups(&s);
    free(s.found.items);
    free(s.nodes);
}

/* ---- the reader ---- */

static void index_functions(struct gw_depend_reader *r)
{
    r->same_name = gw_alloc(r->c->n_functions * sizeof *r->same_name);
    for (uint32_t i = 0; i < r->c->n_functions; i++) {
        r->same_name[i] = first_named(r, r->c->functions[i].name);
        gw_map_put(&r->by_name, r->c->functions[i].name, (void *)(uintptr_t)(i + 1));
    }
}

struct gw_depend_reader *gw_depend_reader_new(struct gw_catalog *c)
{
    struct gw_depend_reader *r = gw_alloc(sizeof *r);
    r->c = c;
    r->first_policy = gw_alloc(c->n_tables * sizeof *r->first_policy);
    r->n_nodes = c->n_functions;
    for (uint32_t i = 0; i < c->n_tables; i++) {
        r->first_policy[i] = r->n_nodes;
        r->n_nodes += c->tables[i].n_policies;
    }
    r->units = gw_alloc(r->n_nodes * sizeof(struct gw_depend_unit *));
    r->seen = gw_alloc(r->n_nodes * sizeof *r->seen);
    gw_map_init(&r->by_name, 0);
    index_functions(r);
    return r;
}

void gw_depend_reader_free(struct gw_depend_reader *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->n_nodes; i++) {
        if (!r->units[i])
            continue;
        free(r->units[i]->sources.items);
        free(r->units[i]->calls);
        free(r->units[i]);
    }
    gw_map_fini(&r->by_name);
    free(r->units);
    free(r->seen);
    free(r->same_name);
    free(r->first_policy);
    free(r);
}

void gw_depend_find(struct gw_catalog *c, const struct gw_catalog_table *t, unsigned role_id,
                    struct gw_colset *reads, struct gw_depends *out)
{
    struct gw_depend_reader *r = gw_depend_reader_new(c);
    gw_depend_reader_find(r, t, role_id, reads, out);
    gw_depend_reader_free(r);
}
