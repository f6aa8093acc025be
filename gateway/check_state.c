/* check_state: the access state that these policies need: which tables, what of them, whether it
 * will fit, and whether the log tells all that has to be known of them.
 *
 * Sizes are estimates, from the planner's row counts and the shape of a row in memory (state_row.c:
 * keys of 16, 8 or 1 bytes, texts where they are needed, an entry in the identity and in each
 * index). They decide nothing: serve measures. */
#include "check_own.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_BYTES 20  /* a text that is kept: its end, and what is usual */
#define ROW_BYTES 24   /* header of the row and of its allocation */
#define ENTRY_BYTES 20 /* in the identity, or in an index: a slot and a position, half full */

/* ---- sizes ---- */

static double row_bytes(const struct gw_state_table_def *def)
{
    double bytes = ROW_BYTES + (double)(def->n_indexes + 1) * ENTRY_BYTES;
    for (uint32_t i = 0; i < def->n_columns; i++) {
        enum gw_kind kind = def->columns[i].kind;
        bytes += kind == GW_KIND_BOOL ? 1 : kind == GW_KIND_INT ? 8 : 16;
        bytes += def->columns[i].needs_text || kind == GW_KIND_OPAQUE ? TEXT_BYTES : 0;
    }
    return bytes;
}

/* Rows as the planner has counted them, partitions included; below 0: it has not. */
static double rows_of(struct gw_check *c, uint32_t oid)
{
    static const char sql[] =
        "WITH RECURSIVE part AS (SELECT $1::oid AS oid UNION ALL SELECT i.inhrelid "
        "FROM pg_catalog.pg_inherits AS i JOIN part ON i.inhparent = part.oid) "
        "SELECT CASE WHEN bool_or(c.reltuples >= 0) "
        "THEN sum(greatest(c.reltuples, 0)) ELSE -1 END::text "
        "FROM part JOIN pg_catalog.pg_class AS c ON c.oid = part.oid";
    char text[16], rows[40];
    snprintf(text, sizeof text, "%u", oid);
    gw_cmd_value(c->pg, sql, text, rows, sizeof rows);
    return *rows ? strtod(rows, NULL) : -1;
}

static void add_size(struct gw_buf *b, double bytes)
{
    if (bytes < 1024 * 1024)
        gw_buf_printf(b, "about %.0f KiB", bytes / 1024 + 1);
    else
        gw_buf_printf(b, "about %.0f MiB", bytes / (1024 * 1024) + 1);
}

/* ---- one table ---- */

static void add_columns(struct gw_buf *b, const struct gw_state_table_def *def,
                        const uint32_t *columns, uint32_t n)
{
    gw_buf_add_byte(b, '(');
    for (uint32_t i = 0; i < n; i++) {
        gw_buf_add_str(b, i ? ", " : "");
        gw_buf_add_span(b, def->columns[columns ? columns[i] : i].name);
    }
    gw_buf_add_byte(b, ')');
}

static void print_table(const struct gw_state_table_def *def, double rows)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_check_add_name(&b, def->schema, def->name);
    if (rows < 0) {
        gw_buf_add_str(&b, "  rows unknown (ANALYZE counts them)");
    } else {
        gw_buf_printf(&b, "  %.0f rows  ", rows);
        add_size(&b, rows * row_bytes(def));
    }
    gw_buf_add_str(&b, "  columns ");
    add_columns(&b, def, NULL, def->n_columns);
    for (uint32_t i = 0; i < def->n_indexes; i++) {
        gw_buf_add_str(&b, i ? " " : "  by ");
        add_columns(&b, def, def->indexes[i].columns, def->indexes[i].n);
    }
    printf("state  %s\n", gw_buf_cstr(&b));
    gw_buf_fini(&b);
}

static void say_identity(struct gw_check *c, const struct gw_catalog_table *t)
{
    struct gw_buf names, table;
    struct gw_colset missing = {0};
    const struct gw_colset wanted = gw_check_wanted(c->catalog, t);
    for (unsigned i = 0; i < t->n_columns; i++)
        if (gw_colset_has(&wanted, i) && !t->columns[i].in_identity)
            gw_colset_add(&missing, i);
    if (t->has_identity && gw_colset_is_empty(&missing))
        return;
    gw_buf_init(&names, 0);
    gw_buf_init(&table, 0);
    gw_check_add_columns(&names, t, &missing);
    gw_cmd_add_table(&table, t);
    if (!t->has_identity)
        printf("  weaker: no replica identity: what is updated or deleted cannot be found again\n");
    else
        printf("  weaker: deleted and old rows lack %s: a row that is read while it changes is "
               "unknown for that moment, and unknown is denied\n",
               gw_buf_cstr(&names));
    gw_check_fix("ALTER TABLE %s REPLICA IDENTITY FULL;", gw_buf_cstr(&table));
    c->n_weaker++;
    gw_buf_fini(&names);
    gw_buf_fini(&table);
}

/* A table of its own report has been told about already. */
static void check_table(struct gw_check *c, const struct gw_state_table_def *def)
{
    const struct gw_catalog_table *t = gw_catalog_table_find(c->catalog, def->oid);
    if (t && !t->published)
        say_identity(c, t);
}

/* ---- all ---- */

static void judge_size(struct gw_check *c, double bytes, unsigned n_unknown)
{
    struct gw_buf b;
    double bound = (double)c->settings->access_state_bytes;
    gw_buf_init(&b, 0);
    add_size(&b, bytes);
    gw_buf_printf(&b, " of the %.0f MiB of access_state_bytes", bound / (1024 * 1024));
    if (n_unknown > 0)
        gw_buf_printf(&b, "; %u tables were never counted", n_unknown);
    if (bytes <= bound)
        gw_check_say(c, GW_CHECK_OK, "access state", "%s: all of it stays in memory",
                     gw_buf_cstr(&b));
    else
        gw_check_say(c, GW_CHECK_NOTE, "access state",
                     "%s: what does not fit is read by key, when it is looked up", gw_buf_cstr(&b));
    if (bytes > bound)
        gw_check_fix("ROWCAST_ACCESS_STATE_BYTES=%.0fMiB, if there is memory for it",
                     bytes * 1.25 / (1024 * 1024) + 1);
    gw_buf_fini(&b);
}

/* What policies read must come whole, or the access state drifts from the table. */
static void check_limits(struct gw_check *c)
{
    struct gw_buf name;
    gw_buf_init(&name, 0);
    for (uint32_t i = 0; i < c->catalog->n_tables; i++) {
        const struct gw_catalog_table *t = &c->catalog->tables[i];
        if (!t->is_limited || !gw_check_is_looked_into(c->catalog, t->oid))
            continue;
        gw_buf_reset(&name);
        gw_check_add_name(&name, t->schema, t->name);
        gw_check_say(c, GW_CHECK_ERROR, gw_buf_cstr(&name),
                     "policies look into it, but its publications leave out rows (a row filter), "
                     "columns (a column list) or kinds of change");
        gw_check_fix("ALTER PUBLICATION … DROP TABLE %s; and ADD TABLE without it; "
                     "publish = 'insert, update, delete, truncate'",
                     gw_buf_cstr(&name));
    }
    gw_buf_fini(&name);
}

void gw_check_state(struct gw_check *c)
{
    const struct gw_rules *rules = c->catalog->rules;
    double bytes = 0;
    unsigned n_unknown = 0;
    check_limits(c);
    if (!rules || rules->n_tables == 0)
        return;
    putchar('\n');
    for (uint32_t i = 0; i < rules->n_tables; i++) {
        double rows = rows_of(c, rules->tables[i].oid);
        print_table(&rules->tables[i], rows);
        check_table(c, &rules->tables[i]);
        bytes += rows > 0 ? rows * row_bytes(&rules->tables[i]) : 0;
        n_unknown += rows < 0;
    }
    judge_size(c, bytes, n_unknown);
}
