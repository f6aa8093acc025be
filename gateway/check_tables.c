/* The published tables. What the catalog does not hold (column lists, row filters, partitions) is
 * asked of the server beside it. */
#include "check_own.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

static struct gw_span full_name(struct gw_buf *b, const struct gw_catalog_table *t)
{
    gw_buf_reset(b);
    gw_buf_add_span(b, t->schema);
    gw_buf_add_byte(b, '.');
    gw_buf_add_span(b, t->name);
    (void)gw_buf_cstr(b); /* ends in NUL */
    return gw_buf_span(b);
}

/* ---- paths ---- */

static void add_lookup(const struct gw_catalog *c, const struct gw_lookup *lookup,
                       struct gw_buf *out)
{
    const struct gw_catalog_table *t = gw_catalog_table_find(c, lookup->rel_oid);
    if (t)
        gw_buf_printf(out, "%.*s.%.*s (", (int)t->schema.n, t->schema.p, (int)t->name.n, t->name.p);
    else
        gw_buf_printf(out, "table %u (", lookup->rel_oid);
    for (uint32_t i = 0; i < lookup->n_columns && !lookup->all_columns; i++) {
        gw_buf_add_str(out, i ? ", " : "");
        gw_buf_add_span(out, lookup->columns[i]);
    }
    gw_buf_add_str(out, lookup->all_columns ? "*)" : ")");
}

/* What policies read and look up, from what is known of them when they are asked. */
static void add_asked(const struct gw_catalog *c, const struct gw_catalog_table *t,
                      const struct gw_table_access *access, struct gw_buf *out)
{
    const char *before = "; looks into ";
    bool reads_none = gw_colset_is_empty(&access->reads);
    gw_buf_add_str(out, reads_none ? "reads no column" : "reads ");
    gw_check_add_columns(out, t, &access->reads);
    for (uint32_t i = 0; i < access->depends.n_lookups; i++) {
        gw_buf_add_str(out, before);
        add_lookup(c, &access->depends.lookups[i], out);
        before = ", ";
    }
    if (access->depends.unknown)
        gw_buf_printf(out, "; may depend on more: %.*s", (int)access->depends.why.n,
                      access->depends.why.p);
    if (!access->plan || access->plan->why.n == 0)
        return;
    gw_buf_add_str(out, "; asked because ");
    gw_check_add_line(out, access->plan->why);
}

/* The same from the plan. */
static void add_plan(const struct gw_catalog *c, const struct gw_catalog_table *t,
                     const struct gw_plan *plan, struct gw_buf *out)
{
    struct gw_colset reads = {0};
    for (uint32_t i = 0; i < plan->n_reads; i++)
        gw_colset_add(&reads, plan->reads[i]);
    gw_buf_add_str(out, plan->n_reads ? "reads " : "reads no column");
    gw_check_add_columns(out, t, &reads);
    for (uint32_t i = 0; i < plan->n_tables; i++) {
        const struct gw_state_table_def *def = &c->rules->tables[plan->tables[i]];
        gw_buf_add_str(out, i ? ", " : "; looks into ");
        gw_check_add_name(out, def->schema, def->name);
    }
}

static void add_reason(const struct gw_catalog *c, const struct gw_catalog_table *t,
                       const struct gw_table_access *access, struct gw_buf *out)
{
    switch (access->path) {
    case GW_PATH_NOBODY:
        gw_buf_add_str(out, gw_colset_is_empty(&access->columns) ? "may not SELECT any column"
                                                                 : "no policy lets it read");
        break;
    case GW_PATH_EVERYONE:
        if (!t->rls_enabled)
            gw_buf_add_str(out, "row security is off");
        else if (access->bypasses_rls)
            gw_buf_add_str(out, "sees past row security");
        else
            gw_buf_add_str(out, "its policies are true");
        break;
    case GW_PATH_SOLVED:
    case GW_PATH_ASSISTED:
        if (access->plan)
            add_plan(c, t, access->plan, out);
        break;
    case GW_PATH_ASKED:
        add_asked(c, t, access, out);
        break;
    }
}

static const char *identity_name(const struct gw_catalog_table *t)
{
    switch (t->replica_identity) {
    case 'f':
        return "full";
    case 'n':
        return "nothing";
    case 'i':
        return "index";
    default:
        return t->has_identity ? "primary key" : "none (no primary key)";
    }
}

static void print_table(struct gw_check *c, const struct gw_catalog_table *t, struct gw_buf *b)
{
    const char *rls = !t->rls_enabled ? "off" : t->rls_forced ? "forced" : "on";
    printf("\n%-32s rls %-7s identity %s\n", full_name(b, t).p, rls, identity_name(t));
    for (uint32_t i = 0; i < c->catalog->n_roles; i++) {
        struct gw_span role = c->catalog->roles[i];
        gw_buf_reset(b);
        add_reason(c->catalog, t, &t->access[i], b);
        if ((c->catalog->roles_present >> i & 1) == 0)
            continue;
        printf("  %-16.*s %-9s %s\n", (int)role.n, role.p, gw_path_name(t->access[i].path),
               gw_buf_cstr(b));
    }
}

/* ---- weaker ---- */

/* Own policies, and those of other tables that look into it. */
static void say_weak(struct gw_check *c, const struct gw_catalog_table *t, struct gw_buf *b)
{
    struct gw_colset missing = {0};
    const struct gw_colset wanted = gw_check_wanted(c->catalog, t);
    for (unsigned i = 0; i < t->n_columns; i++)
        if (gw_colset_has(&wanted, i) && !t->columns[i].in_identity)
            gw_colset_add(&missing, i);
    if (t->has_identity && gw_colset_is_empty(&missing))
        return;
    if (!t->has_identity)
        printf("  weaker: no replica identity: UPDATE and DELETE on it fail while it is "
               "published\n");
    gw_buf_reset(b);
    gw_check_add_columns(b, t, &missing);
    if (b->n > 0)
        printf("  weaker: deleted and old rows lack %s, which policies read: DELETEs and "
               "old values are not sent\n",
               gw_buf_cstr(b));
    gw_buf_reset(b);
    gw_cmd_add_table(b, t);
    gw_check_fix("ALTER TABLE %s REPLICA IDENTITY FULL;", gw_buf_cstr(b));
    c->n_weaker++;
}

/* Tables that policies look into and that no publication follows. */
static void say_unfollowed(struct gw_check *c, struct gw_buf *b)
{
    const char *access = c->settings->access_publication;
    for (uint32_t i = 0; i < c->catalog->n_tables; i++) {
        const struct gw_catalog_table *t = &c->catalog->tables[i];
        if (t->published || t->followed || !gw_check_is_looked_into(c->catalog, t->oid))
            continue;
        printf("weaker: policies look into %s, whose changes are not followed\n",
               full_name(b, t).p);
        gw_buf_reset(b);
        gw_cmd_add_table(b, t);
        if (*access)
            gw_check_fix("ALTER PUBLICATION \"%s\" ADD TABLE %s;", access, gw_buf_cstr(b));
        else
            gw_check_fix("CREATE PUBLICATION rowcast_access FOR TABLE %s; and "
                         "ROWCAST_ACCESS_PUBLICATION=rowcast_access",
                         gw_buf_cstr(b));
        c->n_weaker++;
    }
}

/* ---- what a publication must not leave out ---- */

static bool lists(const char *attnums, int16_t attnum)
{
    for (char *end; *attnums; attnums = *end ? end + 1 : end) {
        if (strtol(attnums, &end, 10) == attnum)
            return true;
        if (end == attnums)
            return false;
    }
    return false;
}

/* A column that t's own policies read and the list lacks; NULL: none. */
static const struct gw_catalog_column *
left_out(const struct gw_catalog *c, const struct gw_catalog_table *t, const char *attnums)
{
    for (unsigned i = 0; i < t->n_columns; i++)
        if (gw_check_is_read(c, t, i) && !lists(attnums, t->columns[i].attnum))
            return &t->columns[i];
    return NULL;
}

/* has_filter, attnums: of one table in one publication. Those that policies look into: see
 * check_state.c. */
static void check_cut(struct gw_check *c, const struct gw_catalog_table *t, bool has_filter,
                      const char *attnums, struct gw_buf *b)
{
    const char *name = full_name(b, t).p;
    const struct gw_catalog_column *column = *attnums ? left_out(c->catalog, t, attnums) : NULL;
    if (column)
        gw_check_say(c, GW_CHECK_ERROR, name,
                     "its policies read %.*s, which the publication's column list leaves out",
                     (int)column->name.n, column->name.p);
    else if (has_filter && t->n_policies)
        gw_check_say(c, GW_CHECK_ERROR, name,
                     "it has policies, and the publication has a row filter for it");
    else
        return;
    gw_check_fix("ALTER PUBLICATION … DROP TABLE %s; and ADD TABLE without it", name);
}

static void check_cuts(struct gw_check *c, struct gw_buf *b)
{
    struct gw_err err;
    const char *const values[] = {c->settings->publication, c->settings->access_publication};
    if (PQserverVersion(c->pg) < 150000) /* there are neither */
        return;
    PGresult *r = gw_cmd_query(
        c->pg,
        "SELECT pr.prrelid, pr.prqual IS NOT NULL, coalesce(pr.prattrs::text, '') "
        "FROM pg_catalog.pg_publication_rel AS pr "
        "JOIN pg_catalog.pg_publication AS p ON p.oid = pr.prpubid "
        "WHERE p.pubname IN ($1, $2) AND (pr.prqual IS NOT NULL OR pr.prattrs IS NOT NULL)",
        2, values, &err);
    if (!r)
        gw_check_say(c, GW_CHECK_ERROR, "column lists", "%s", err.text);
    for (int i = 0; r && i < PQntuples(r); i++) {
        uint32_t oid = (uint32_t)strtoul(PQgetvalue(r, i, 0), NULL, 10);
        const struct gw_catalog_table *t = gw_catalog_table_find(c->catalog, oid);
        if (t)
            check_cut(c, t, PQgetvalue(r, i, 1)[0] == 't', PQgetvalue(r, i, 2), b);
    }
    PQclear(r);
}

static void check_partitions(struct gw_check *c)
{
    struct gw_err err;
    const char *name = c->settings->publication;
    PGresult *r = gw_cmd_query(
        c->pg,
        "SELECT DISTINCT pg_catalog.pg_partition_root(c.oid)::regclass::text "
        "FROM pg_catalog.pg_publication_tables AS p "
        "JOIN pg_catalog.pg_publication AS b ON b.pubname = p.pubname AND NOT b.pubviaroot "
        "JOIN pg_catalog.pg_namespace AS n ON n.nspname = p.schemaname "
        "JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename "
        "WHERE p.pubname = $1 AND c.relispartition",
        1, &name, &err);
    if (!r)
        gw_check_say(c, GW_CHECK_ERROR, "partitions", "%s", err.text);
    for (int i = 0; r && i < PQntuples(r); i++) {
        gw_check_say(c, GW_CHECK_WARNING, PQgetvalue(r, i, 0),
                     "is partitioned: its changes come under its partitions' names");
        gw_check_fix("ALTER PUBLICATION \"%s\" SET (publish_via_partition_root = true);", name);
    }
    PQclear(r);
}

void gw_check_tables(struct gw_check *c)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    check_cuts(c, &b);
    check_partitions(c);
    for (uint32_t i = 0; i < c->catalog->n_tables; i++) {
        const struct gw_catalog_table *t = &c->catalog->tables[i];
        if (!t->published)
            continue;
        print_table(c, t, &b);
        say_weak(c, t, &b);
    }
    gw_buf_fini(&b);
}

void gw_check_followed(struct gw_check *c)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    putchar('\n');
    say_unfollowed(c, &b);
    gw_buf_fini(&b);
}
