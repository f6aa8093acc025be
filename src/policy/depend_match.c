/* depend_match: which columns of which tables the references of one statement may mean.
 *
 * DESIGN. No scopes are kept for columns: a reference counts for every table of the statement that
 * it could mean by qualifier and name, which is more than Postgres would resolve it to, and never
 * less:
 *   - a qualifier that no table carries (a join's or a sub-select's alias, a plpgsql record) counts
 *     as none;
 *   - an alias used as a value, alias.*, *, NATURAL JOIN and renamed columns count for all columns;
 *   - alias.f, where f is a function and no column, is a call of f with the whole row;
 *   - the log does not carry generated columns: reading one counts for all columns.
 * In a policy, what stands outside all sub-selects can only mean the row; pg_get_expr qualifies
 * columns inside, the row's with the name of its table. */
#include "depend_internal.h"

struct match {
    const struct gw_depend_text *text;
    const struct gw_depend_names *names;
    const struct gw_catalog *c;
};

static bool is_system_column(struct gw_span name)
{
    static const char *const NAMES[] = {"tableoid", "ctid", "xmin", "cmin", "xmax", "cmax"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (gw_span_is(name, NAMES[i]))
            return true;
    return false;
}

/* Whether a table or the row itself goes by the reference's qualifier. */
static bool is_qualifier_known(const struct match *m, const struct gw_depend_ref *ref)
{
    if (m->text->row && gw_span_eq(m->text->row->name, ref->qualifier))
        return true;
    for (size_t i = 0; i < m->names->n_from; i++)
        if (gw_span_eq(m->names->from[i].alias, ref->qualifier))
            return true;
    return false;
}

static bool may_mean(const struct gw_depend_ref *ref, struct gw_span alias, bool is_known)
{
    return !is_known || gw_span_eq(ref->qualifier, alias);
}

/* For references that are no column of the table: as in Postgres, a column hides an alias. */
static bool is_whole_row(const struct gw_depend_ref *ref, struct gw_span alias)
{
    if (ref->name.n == 0)
        return ref->qualifier.n > 0;
    return ref->qualifier.n == 0 && gw_span_eq(ref->name, alias);
}

/* Add to source what ref reads of the table behind from. */
static void match_from(const struct match *m, const struct gw_depend_ref *ref,
                       const struct gw_depend_from *from, bool is_known,
                       struct gw_depend_source *source)
{
    const struct gw_catalog_table *t = &m->c->tables[from->table];
    int column = ref->name.n ? gw_catalog_column_find(t, ref->name) : -1;
    if (column >= 0 && t->columns[column].generation.n == 0)
        gw_colset_add(&source->columns, (unsigned)column);
    else if (column >= 0 || is_whole_row(ref, from->alias) || is_system_column(ref->name))
        source->all_columns = true;
    else if (is_known && gw_depend_add_calls(m->text, (struct gw_span){0}, ref->name) > 0)
        source->all_columns = true;
}

static void match_row(const struct match *m, const struct gw_depend_ref *ref)
{
    const struct gw_catalog_table *row = m->text->row;
    struct gw_depend_unit *unit = m->text->unit;
    int column = ref->name.n ? gw_catalog_column_find(row, ref->name) : -1;
    if (column >= 0)
        gw_colset_add(&unit->reads, (unsigned)column);
    else if (is_whole_row(ref, row->name))
        unit->reads_all = true;
    else if (is_system_column(ref->name))
        gw_depend_fail(m->text, "reads the system column %.*s, which the log does not carry",
                       (int)ref->name.n, ref->name.p);
}

static void resolve_ref(const struct match *m, const struct gw_depend_ref *ref)
{
    bool is_known = ref->qualifier.n > 0 && is_qualifier_known(m, ref);
    if (m->text->row && may_mean(ref, m->text->row->name, is_known))
        match_row(m, ref);
    if (m->text->row && !ref->is_inner) /* around the sub-selects there is only the row */
        return;
    for (size_t i = 0; i < m->names->n_from; i++) {
        const struct gw_depend_from *from = &m->names->from[i];
        if (may_mean(ref, from->alias, is_known))
            match_from(m, ref, from, is_known,
                       gw_depend_source_of(&m->text->unit->sources, from->table));
    }
}

void gw_depend_match(const struct gw_depend_text *text, const struct gw_depend_names *names)
{
    struct match m = {text, names, gw_depend_catalog(text->reader)};
    for (size_t i = 0; i < names->n_from; i++) {
        struct gw_depend_source *source =
            gw_depend_source_of(&text->unit->sources, names->from[i].table);
        if (names->from[i].is_renamed || names->reads_all)
            source->all_columns = true;
    }
    for (size_t i = 0; i < names->n_refs; i++)
        resolve_ref(&m, &names->refs[i]);
}
