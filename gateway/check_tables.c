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

static void add_asked(const struct gw_catalog *c, const struct gw_catalog_table *t,
                      const struct gw_table_access *access, struct gw_buf *out)
{
    const char *before = "reads ";
    for (unsigned i = 0; i < t->n_columns; i++) {
        if (!gw_colset_has(&access->reads, i))
            continue;
        gw_buf_add_str(out, before);
        gw_buf_add_span(out, t->columns[i].name);
        before = ", ";
    }
    if (*before == 'r')
        gw_buf_add_str(out, "reads no column");
    before = "; looks into ";
    for (uint32_t i = 0; i < access->depends.n_lookups; i++) {
        gw_buf_add_str(out, before);
        add_lookup(c, &access->depends.lookups[i], out);
        before = ", ";
    }
    if (access->depends.unknown)
        gw_buf_printf(out, "; may depend on more: %.*s", (int)access->depends.why.n,
                      access->depends.why.p);
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

static void say_weak(struct gw_check *c, const struct gw_catalog_table *t, struct gw_buf *b)
{
    struct gw_cmd_weak weak;
    gw_cmd_weak_of(c->catalog, t, &weak);
    if (weak.missing.n || weak.no_identity) {
        if (weak.no_identity)
            printf("  weaker: no replica identity: UPDATE and DELETE on it fail while it is "
                   "published\n");
        if (weak.missing.n)
            printf("  weaker: deleted and old rows lack %s, which its policies read: DELETEs and "
                   "old values are not sent\n",
                   gw_buf_cstr(&weak.missing));
        gw_buf_reset(b);
        gw_cmd_add_table(b, t);
        gw_check_fix("ALTER TABLE %s REPLICA IDENTITY FULL;", gw_buf_cstr(b));
        c->n_weaker++;
    }
    gw_buf_fini(&weak.missing);
}

/* Whether a policy of a published table looks into oid. */
static bool is_looked_into(const struct gw_catalog *c, uint32_t oid)
{
    for (uint32_t t = 0; t < c->n_tables; t++) {
        for (uint32_t i = 0; c->tables[t].published && i < c->n_roles; i++) {
            const struct gw_depends *depends = &c->tables[t].access[i].depends;
            for (uint32_t k = 0; k < depends->n_lookups; k++)
                if (depends->lookups[k].rel_oid == oid)
                    return true;
        }
    }
    return false;
}

static bool is_followed(struct gw_check *c, const struct gw_catalog_table *t)
{
    static const char sql[] =
        "SELECT 1 FROM pg_catalog.pg_publication_tables AS p "
        "JOIN pg_catalog.pg_namespace AS n ON n.nspname = p.schemaname "
        "JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename "
        "WHERE p.pubname = $1 AND c.oid = $2::oid";
    char oid[16];
    snprintf(oid, sizeof oid, "%u", t->oid);
    const char *const values[] = {c->settings->access_publication, oid};
    struct gw_err err;
    PGresult *r = gw_cmd_query(c->pg, sql, 2, values, &err);
    bool yes = r && PQntuples(r) > 0;
    PQclear(r);
    return yes;
}

/* Tables that policies look into and that no publication follows. */
static void say_unfollowed(struct gw_check *c, struct gw_buf *b)
{
    const char *access = c->settings->access_publication;
    for (uint32_t i = 0; i < c->catalog->n_tables; i++) {
        const struct gw_catalog_table *t = &c->catalog->tables[i];
        if (t->published || !is_looked_into(c->catalog, t->oid) || is_followed(c, t))
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
    for (unsigned i = 0; i < t->n_columns; i++) {
        for (uint32_t role_id = 0; role_id < c->n_roles; role_id++) {
            const struct gw_table_access *access = &t->access[role_id];
            if (access->path == GW_PATH_ASKED && gw_colset_has(&access->reads, i) &&
                !lists(attnums, t->columns[i].attnum))
                return &t->columns[i];
        }
    }
    return NULL;
}

/* has_filter, attnums: of one table in one publication. */
static void check_cut(struct gw_check *c, const struct gw_catalog_table *t, bool has_filter,
                      const char *attnums, struct gw_buf *b)
{
    const char *name = full_name(b, t).p;
    const struct gw_catalog_column *column = *attnums ? left_out(c->catalog, t, attnums) : NULL;
    if (is_looked_into(c->catalog, t->oid))
        gw_check_say(c, GW_CHECK_ERROR, name,
                     "policies look into it, but the publication has a "
                     "%s for it",
                     has_filter ? "row filter" : "column list");
    else if (column)
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
    putchar('\n');
    say_unfollowed(c, &b);
    gw_buf_fini(&b);
}
