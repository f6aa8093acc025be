/* state_row: cells packed into rows. See state_internal.h.
 *
 * DESIGN. Most of the access state's memory is rows, so a cell takes only what its kind needs: 16
 * bytes of key, 8 for integers (the other half of their keys is zero), one for booleans, and two
 * bits that tell VALUE, NULL and UNKNOWN apart. Texts stand behind, only of columns whose text is
 * needed. */
#include "state_internal.h"

#include <assert.h>
#include <stdlib.h>

static uint32_t key_width(enum gw_kind kind)
{
    return kind == GW_KIND_BOOL ? 1 : kind == GW_KIND_INT ? 8 : 16;
}

void gw_state_layout_init(struct gw_state_layout *l, const struct gw_state_table_def *def,
                          uint32_t n_positions)
{
    *l = (struct gw_state_layout){.n_columns = def->n_columns};
    l->fields = gw_alloc((def->n_columns + 1u) * sizeof *l->fields);
    l->ends_at = (uint32_t)(sizeof(struct gw_state_row) + n_positions * sizeof(uint32_t));
    for (uint32_t i = 0; i < def->n_columns; i++)
        l->fields[i].text = def->columns[i].needs_text ? l->n_texts++ : GW_STATE_NOWHERE;
    l->states_at = l->ends_at + l->n_texts * (uint32_t)sizeof(uint32_t);
    l->texts_at = l->states_at + (def->n_columns + 3) / 4;
    for (uint32_t i = 0; i < def->n_columns; i++) {
        l->fields[i].kind = def->columns[i].kind;
        l->fields[i].width = key_width(def->columns[i].kind);
        l->fields[i].at = l->texts_at;
        l->texts_at += l->fields[i].width;
    }
}

void gw_state_layout_fini(struct gw_state_layout *l)
{
    free(l->fields);
    *l = (struct gw_state_layout){0};
}

struct gw_datum gw_state_plain(enum gw_kind kind, struct gw_datum d)
{
    if (d.state == GW_DATUM_ERROR)
        return gw_datum_unknown();
    d.kind = kind;
    if (d.state == GW_DATUM_VALUE && kind == GW_KIND_OPAQUE)
        d.key = gw_datum_of(GW_KIND_TEXT, d.text).key;
    return d;
}

/* ---- writing ---- */

static size_t texts_size(const struct gw_state_layout *l, const struct gw_datum *cells)
{
    size_t n = 0;
    for (uint32_t i = 0; i < l->n_columns; i++)
        if (l->fields[i].text != GW_STATE_NOWHERE && cells[i].state == GW_DATUM_VALUE)
            n += cells[i].text.n;
    assert(n < UINT32_MAX); /* a transaction's memory is bounded far below */
    return n;
}

static void write_cell(unsigned char *p, const struct gw_state_layout *l, uint32_t column,
                       const struct gw_datum *d)
{
    const struct gw_state_field *f = &l->fields[column];
    p[l->states_at + column / 4] |= (unsigned char)(d->state << column % 4 * 2);
    if (d->state != GW_DATUM_VALUE)
        return;
    if (f->width == 1)
        p[f->at] = (unsigned char)d->key.lo;
    else if (f->width == 8)
        memcpy(p + f->at, &d->key.lo, 8);
    else
        memcpy(p + f->at, &d->key, 16);
}

static void write_texts(unsigned char *p, const struct gw_state_layout *l,
                        const struct gw_datum *cells)
{
    uint32_t end = 0;
    for (uint32_t i = 0; i < l->n_columns; i++) {
        const struct gw_state_field *f = &l->fields[i];
        if (f->text == GW_STATE_NOWHERE)
            continue;
        size_t n = cells[i].state == GW_DATUM_VALUE ? cells[i].text.n : 0;
        if (n)
            memcpy(p + l->texts_at + end, cells[i].text.p, n);
        end += (uint32_t)n;
        memcpy(p + l->ends_at + f->text * sizeof end, &end, sizeof end);
    }
}

struct gw_state_row *gw_state_row_new(const struct gw_state_layout *l, const struct gw_datum *cells,
                                      uint32_t batch)
{
    struct gw_state_row *row = gw_alloc(l->texts_at + texts_size(l, cells));
    row->batch = batch;
    for (uint32_t i = 0; i < l->n_columns; i++)
        write_cell((unsigned char *)row, l, i, &cells[i]);
    write_texts((unsigned char *)row, l, cells);
    return row;
}

/* ---- reading ---- */

static uint32_t text_end(const struct gw_state_layout *l, const struct gw_state_row *row,
                         uint32_t text)
{
    uint32_t end;
    memcpy(&end, (const unsigned char *)row + l->ends_at + text * sizeof end, sizeof end);
    return end;
}

static struct gw_span text_of(const struct gw_state_layout *l, const struct gw_state_row *row,
                              uint32_t text)
{
    uint32_t start = text ? text_end(l, row, text - 1) : 0;
    return (struct gw_span){(const char *)row + l->texts_at + start,
                            text_end(l, row, text) - start};
}

struct gw_datum gw_state_row_cell(const struct gw_state_layout *l, const struct gw_state_row *row,
                                  uint32_t column)
{
    const struct gw_state_field *f = &l->fields[column];
    struct gw_datum d = {.kind = f->kind};
    d.state = gw_state_row_key(l, row, column, &d.key);
    if (d.state == GW_DATUM_VALUE && f->text != GW_STATE_NOWHERE)
        d.text = text_of(l, row, f->text);
    return d;
}

bool gw_state_row_is_equal(const struct gw_state_layout *l, const struct gw_state_row *a,
                           const struct gw_state_row *b)
{
    size_t n = gw_state_row_bytes(l, a);
    return n == gw_state_row_bytes(l, b) &&
           memcmp((const char *)a + l->ends_at, (const char *)b + l->ends_at, n - l->ends_at) == 0;
}

size_t gw_state_row_bytes(const struct gw_state_layout *l, const struct gw_state_row *row)
{
    return l->texts_at + (l->n_texts ? text_end(l, row, l->n_texts - 1) : 0);
}

uint32_t gw_state_row_unknown(const struct gw_state_layout *l, const struct gw_state_row *row)
{
    uint32_t n = 0;
    struct gw_key key;
    for (uint32_t i = 0; i < l->n_columns; i++)
        n += gw_state_row_key(l, row, i, &key) == GW_DATUM_UNKNOWN;
    return n;
}
