/* db_read_rows: see db_read_own.h. Cells grow in one block (the hub wants them row by row); texts
 * go to the request's arena, and only where somebody will look at them: a key says the rest. */
#include "db_read_own.h"

#include <assert.h>
#include <libpq-fe.h>
#include <stdlib.h>

static void grow(struct gw_db_read *read, struct gw_read_rows *rows, uint32_t more)
{
    uint32_t need = read->n_rows + more;
    if (need <= rows->cap)
        return;
    uint32_t cap = rows->cap + rows->cap / 2;
    rows->cap = cap > need ? cap : need;
    read->cells = gw_realloc(read->cells,
                             ((size_t)rows->cap * read->def->n_columns + 1) * sizeof *read->cells);
    if (!read->is_whole)
        read->key_of = gw_realloc(read->key_of, ((size_t)rows->cap + 1) * sizeof *read->key_of);
}

static struct gw_datum cell(struct gw_arena *arena, const struct gw_state_column *column,
                            struct gw_span text)
{
    struct gw_datum d = gw_datum_of(column->kind, text);
    if (d.state != GW_DATUM_VALUE)
        return d;
    bool is_kept = column->needs_text || column->kind == GW_KIND_OPAQUE;
    d.text = is_kept ? gw_arena_copy(arena, text) : (struct gw_span){0};
    return d;
}

static void take_row(struct gw_db_request *r, struct gw_db_read *read, struct gw_read_rows *rows,
                     const PGresult *result, int row)
{
    const struct gw_state_table_def *def = read->def;
    struct gw_datum *cells = read->cells + (size_t)read->n_rows * def->n_columns;
    int first = read->is_whole ? 0 : 1;
    if (first)
        read->key_of[read->n_rows] = (uint32_t)strtoul(PQgetvalue(result, row, 0), NULL, 10);
    for (uint32_t i = 0; i < def->n_columns; i++) {
        int column = (int)i + first;
        struct gw_span text = {PQgetvalue(result, row, column),
                               (size_t)PQgetlength(result, row, column)};
        rows->bytes += text.n;
        cells[i] = PQgetisnull(result, row, column) ? gw_datum_null(def->columns[i].kind)
                                                    : cell(&r->arena, &def->columns[i], text);
    }
    read->n_rows++;
}

void gw_read_rows_take(struct gw_db_request *r, struct gw_db_read *read, struct gw_read_rows *rows,
                       const struct pg_result *result)
{
    int n = PQntuples(result);
    if (read->code != GW_OK)
        return;
    assert(PQnfields(result) == (int)read->def->n_columns + !read->is_whole);
    grow(read, rows, (uint32_t)n);
    for (int i = 0; i < n && rows->bytes <= read->max_bytes; i++)
        take_row(r, read, rows, result, i);
    if (rows->bytes <= read->max_bytes)
        return;
    read->code = GW_E_TOO_BIG;
    gw_read_rows_drop(read, rows);
}

void gw_read_rows_drop(struct gw_db_read *read, struct gw_read_rows *rows)
{
    free(read->cells);
    free(read->key_of);
    read->cells = NULL;
    read->key_of = NULL;
    read->n_rows = 0;
    *rows = (struct gw_read_rows){0};
}

void gw_read_rows_trim(struct gw_db_read *read, struct gw_read_rows *rows)
{
    if (rows->cap == read->n_rows)
        return;
    rows->cap = read->n_rows;
    read->cells = gw_realloc(read->cells,
                             ((size_t)rows->cap * read->def->n_columns + 1) * sizeof *read->cells);
}
