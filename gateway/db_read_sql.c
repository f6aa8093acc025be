/* db_read_sql: see db_read_own.h. Keys are cast to the columns' types by name, so that an index of
 * the table can be used; the row found and the key then have the same text. */
#include "db_read_own.h"

/* "schema"."type". False: unknown. */
static bool add_type(struct gw_buf *out, const struct gw_catalog *c, uint32_t oid)
{
    const struct gw_type *type = c ? gw_types_find(&c->types, oid) : NULL;
    struct gw_span schema = GW_SPAN_LIT("pg_catalog");
    for (uint32_t i = 0; c && i < c->n_type_names; i++)
        if (c->type_names[i].oid == oid)
            schema = c->type_names[i].schema;
    if (!type || type->name.n == 0)
        return false;
    gw_db_add_ident(out, schema);
    gw_buf_add_byte(out, '.');
    gw_db_add_ident(out, type->name);
    return true;
}

static void add_columns(struct gw_buf *out, const struct gw_db_read *read)
{
    if (!read->is_whole)
        gw_buf_add_str(out, "k.ord - 1");
    for (uint32_t i = 0; i < read->def->n_columns; i++) {
        gw_buf_add_str(out, i || !read->is_whole ? ", t." : "t.");
        gw_db_add_ident(out, read->def->columns[i].name);
    }
}

static void add_keys(struct gw_buf *out, uint32_t n)
{
    gw_buf_add_str(out, "ROWS FROM (");
    for (uint32_t i = 0; i < n; i++)
        gw_buf_printf(out, "%spg_catalog.unnest($%u)", i ? ", " : "", i + 1);
    gw_buf_add_str(out, ") WITH ORDINALITY AS k(");
    for (uint32_t i = 0; i < n; i++)
        gw_buf_printf(out, "v%u, ", i + 1);
    gw_buf_add_str(out, "ord) JOIN ");
}

static bool add_on(struct gw_buf *out, const struct gw_catalog *c, const struct gw_db_read *read)
{
    const struct gw_state_index *index = &read->def->indexes[read->index];
    for (uint32_t i = 0; i < index->n; i++) {
        const struct gw_state_column *column = &read->def->columns[index->columns[i]];
        gw_buf_add_str(out, i ? " AND t." : " ON t.");
        gw_db_add_ident(out, column->name);
        gw_buf_printf(out, " = k.v%u::", i + 1);
        if (!add_type(out, c, column->type_oid))
            return false;
    }
    gw_buf_add_str(out, " ORDER BY k.ord");
    return true;
}

bool gw_read_write_sql(struct gw_buf *out, const struct gw_catalog *catalog,
                       const struct gw_db_read *read)
{
    gw_buf_add_str(out, "DECLARE gw_rows NO SCROLL CURSOR FOR SELECT ");
    add_columns(out, read);
    gw_buf_add_str(out, " FROM ");
    if (!read->is_whole)
        add_keys(out, read->def->indexes[read->index].n);
    gw_db_add_ident(out, read->def->schema);
    gw_buf_add_byte(out, '.');
    gw_db_add_ident(out, read->def->name);
    gw_buf_add_str(out, " AS t");
    return read->is_whole || add_on(out, catalog, read);
}

/* A key may come from a row of the access state that kept no text of it. False: it cannot be told
 * from the key either. */
static bool add_key(struct gw_buf *out, struct gw_datum d)
{
    char text[40];
    if (d.state != GW_DATUM_VALUE) {
        gw_buf_add_str(out, "NULL"); /* equals nothing: a key without rows */
        return true;
    }
    if (d.text.n == 0 && d.kind != GW_KIND_OPAQUE && !gw_datum_restore_text(&d, text))
        return false;
    gw_db_add_element(out, d.text);
    return true;
}

bool gw_read_write_keys(struct gw_buf *out, const struct gw_db_read *read, uint32_t column)
{
    uint32_t n = read->def->indexes[read->index].n;
    bool is_known = true;
    gw_buf_add_byte(out, '{');
    for (uint32_t i = 0; i < read->n_keys; i++) {
        if (i)
            gw_buf_add_byte(out, ',');
        is_known = is_known && add_key(out, read->keys[(size_t)i * n + column]);
    }
    gw_buf_add_byte(out, '}');
    return is_known;
}
