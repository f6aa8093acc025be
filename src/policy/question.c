/* question: see the header.
 *
 * DESIGN. Three facts of Postgres carry the SQL:
 *   - unnest of an array of a named row type gives a FROM item whose columns are the table's and
 *     whose whole-row reference has the table's row type, so f(t.*) and (t.*).x resolve as they do
 *     in the policy itself;
 *   - one FROM item and nothing in WHERE means one scan without a join: answers come in row order;
 *   - sub-selects stay in the SELECT list, so they see the caller's tables under his own policies.
 * Stored generated columns are not in the log. Those that the policies read are computed from the
 * rest of the row, and the row is put together again *as the row type*, not as a sub-select, whose
 * whole-row reference would be an anonymous record. The others stay NULL: nobody looks at them, and
 * an expression such as to_tsvector is too dear to compute for nothing. */
#include "gw/question.h"

static void add_identifier(struct gw_buf *out, struct gw_span name)
{
    gw_buf_add_byte(out, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"')
            gw_buf_add_byte(out, '"');
        gw_buf_add_byte(out, name.p[i]);
    }
    gw_buf_add_byte(out, '"');
}

/* One without USING (FOR ALL, WITH CHECK only) neither lets a row pass nor stops it. */
static bool policy_is_for(const struct gw_policy *policy, unsigned role_id)
{
    return policy->qual.n > 0 && (policy->roles >> role_id & 1) != 0;
}

static void add_qual(struct gw_buf *out, const struct gw_policy *policy)
{
    gw_buf_add_byte(out, '(');
    gw_buf_add_span(out, policy->qual);
    gw_buf_add_byte(out, ')');
}

/* The quals of one kind, joined; returns how many there were. Postgres evaluates the permissive
 * ones with the last name first. */
static unsigned add_quals(struct gw_buf *out, const struct gw_catalog_table *t, unsigned role_id,
                          bool permissive, const char *joint)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < t->n_policies; i++) {
        const struct gw_policy *policy = &t->policies[permissive ? t->n_policies - 1 - i : i];
        if (policy->permissive != permissive || !policy_is_for(policy, role_id))
            continue;
        if (count++ || !permissive)
            gw_buf_add_str(out, joint);
        add_qual(out, policy);
    }
    return count;
}

static bool has_permissive(const struct gw_catalog_table *t, unsigned role_id)
{
    for (uint32_t i = 0; i < t->n_policies; i++)
        if (t->policies[i].permissive && policy_is_for(&t->policies[i], role_id))
            return true;
    return false;
}

static bool is_computed(const struct gw_catalog_table *t, unsigned role_id, unsigned column)
{
    return t->columns[column].generation.n > 0 && gw_colset_has(&t->access[role_id].reads, column);
}

static bool has_computed(const struct gw_catalog_table *t, unsigned role_id)
{
    for (unsigned i = 0; i < t->n_columns; i++)
        if (is_computed(t, role_id, i))
            return true;
    return false;
}

static void add_unnest(struct gw_buf *out, struct gw_span alias)
{
    gw_buf_add_str(out, "pg_catalog.unnest($1) AS ");
    add_identifier(out, alias);
}

/* unnest(ARRAY(SELECT ROW(…)::"schema"."table" FROM unnest($1) AS "table")) AS "table" */
static void add_unnest_computed(struct gw_buf *out, const struct gw_catalog_table *t,
                                unsigned role_id)
{
    gw_buf_add_str(out, "pg_catalog.unnest(ARRAY(SELECT ROW(");
    for (unsigned i = 0; i < t->n_columns; i++) {
        const struct gw_catalog_column *column = &t->columns[i];
        if (i)
            gw_buf_add_byte(out, ',');
        if (is_computed(t, role_id, i)) {
            gw_buf_add_byte(out, '(');
            gw_buf_add_span(out, column->generation);
            gw_buf_add_byte(out, ')');
        } else if (column->generation.n) {
            gw_buf_add_str(out, "NULL");
        } else {
            add_identifier(out, t->name);
            gw_buf_add_byte(out, '.');
            add_identifier(out, column->name);
        }
    }
    gw_buf_add_str(out, ")::");
    add_identifier(out, t->schema);
    gw_buf_add_byte(out, '.');
    add_identifier(out, t->name);
    gw_buf_add_str(out, " FROM ");
    add_unnest(out, t->name);
    gw_buf_add_str(out, ")) AS ");
    add_identifier(out, t->name);
}

bool gw_question_write(struct gw_buf *out, const struct gw_catalog_table *t, unsigned role_id)
{
    if (!has_permissive(t, role_id))
        return false;
    gw_buf_add_str(out, "SELECT ((");
    add_quals(out, t, role_id, true, " OR ");
    gw_buf_add_byte(out, ')');
    add_quals(out, t, role_id, false, " AND ");
    gw_buf_add_str(out, ") IS TRUE FROM ");
    if (has_computed(t, role_id))
        add_unnest_computed(out, t, role_id);
    else
        add_unnest(out, t->name);
    return true;
}

/* Index in rel of a table's column, or -1. Both lists are in attnum order, so the next one is
 * nearly always right: *hint carries it from call to call. */
static int relation_column(const struct gw_relation *rel, struct gw_span name, unsigned *hint)
{
    int at = -1;
    if (*hint < rel->n_columns && gw_span_eq(rel->columns[*hint].name, name))
        at = (int)*hint;
    else
        at = gw_relation_column_find(rel, name);
    if (at >= 0)
        *hint = (unsigned)at + 1;
    return at;
}

/* The cell of a table's column; NULL when the relation or the image has none. */
static const struct gw_cell *cell_of(const struct gw_relation *rel, const struct gw_image *image,
                                     struct gw_span name, unsigned *hint, uint32_t *type_oid)
{
    int at = relation_column(rel, name, hint);
    if (at < 0 || at >= image->n)
        return NULL;
    if (type_oid)
        *type_oid = rel->columns[at].type_oid;
    return &image->cells[at];
}

static bool is_known(const struct gw_cell *cell)
{
    return cell && (cell->state == GW_CELL_VALUE || cell->state == GW_CELL_NULL);
}

/* Which columns a generation expression reads is not looked into: all must be there. */
static bool can_compute(const struct gw_catalog_table *t, const struct gw_relation *rel,
                        const struct gw_image *image)
{
    unsigned hint = 0;
    for (unsigned i = 0; i < t->n_columns; i++) {
        uint32_t type_oid = 0;
        if (t->columns[i].generation.n)
            continue;
        if (!is_known(cell_of(rel, image, t->columns[i].name, &hint, &type_oid)) ||
            type_oid != t->columns[i].type_oid)
            return false;
    }
    return true;
}

bool gw_question_can_judge(const struct gw_catalog_table *t, const struct gw_table_access *access,
                           const struct gw_relation *rel, const struct gw_image *image)
{
    bool reads_generated = false;
    unsigned hint = 0;
    for (unsigned i = 0; i < t->n_columns; i++) {
        uint32_t type_oid = 0;
        if (!gw_colset_has(&access->reads, i))
            continue;
        if (t->columns[i].generation.n) {
            reads_generated = true;
            continue;
        }
        if (!is_known(cell_of(rel, image, t->columns[i].name, &hint, &type_oid)) ||
            type_oid != t->columns[i].type_oid)
            return false;
    }
    return !reads_generated || (image->is_full && can_compute(t, rel, image));
}

/* One field of a composite inside an array element. The field is always quoted. In composite text
 * a quote and a backslash are doubled; in array text each of these gets a backslash before it. */
static void add_field(struct gw_buf *out, struct gw_span text)
{
    size_t start = 0;
    gw_buf_add_str(out, "\\\"");
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c != '"' && c != '\\')
            continue;
        gw_buf_add(out, text.p + start, i - start);
        gw_buf_add_str(out, c == '"' ? "\\\"\\\"" : "\\\\\\\\");
        start = i + 1;
    }
    if (start < text.n)
        gw_buf_add(out, text.p + start, text.n - start);
    gw_buf_add_str(out, "\\\"");
}

void gw_question_rows_open(struct gw_buf *out)
{
    gw_buf_add_byte(out, '{');
}

void gw_question_rows_add(struct gw_buf *out, const struct gw_catalog_table *t,
                          const struct gw_relation *rel, const struct gw_image *image)
{
    bool is_first = out->n > 0 && out->p[out->n - 1] == '{'; /* every row ends in a quote */
    unsigned hint = 0;
    gw_buf_add_str(out, is_first ? "\"(" : ",\"(");
    for (unsigned i = 0; i < t->n_columns; i++) {
        const struct gw_catalog_column *column = &t->columns[i];
        if (i)
            gw_buf_add_byte(out, ',');
        if (column->generation.n)
            continue;
        const struct gw_cell *cell = cell_of(rel, image, column->name, &hint, NULL);
        if (cell && cell->state == GW_CELL_VALUE)
            add_field(out, cell->text);
    }
    gw_buf_add_str(out, ")\"");
}

void gw_question_rows_close(struct gw_buf *out)
{
    gw_buf_add_byte(out, '}');
}
