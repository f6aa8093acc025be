/* filter: see the header.
 *
 * The grammar is that of wire reference §2.2: conditions `column=[not.]op.value` joined by commas.
 * Served is one condition with the operator eq. What else the grammar knows is told apart from
 * what it does not (E_UNSUPPORTED, E_MALFORMED), though a client reads the same text for both. */
#include "gw/filter.h"

#include "gw/value.h"

#include <stdlib.h>

/* As much of a bad filter as its error text repeats, so that the text still ends as it should. */
#define QUOTED_MAX 300

static enum gw_code refuse(struct gw_span text, enum gw_code code, const char *more,
                           struct gw_err *err)
{
    int n = text.n < QUOTED_MAX ? (int)text.n : QUOTED_MAX;
    return gw_err_set(err, code, "Error parsing `filter` params: [\"%.*s\"]%s", n, text.p, more);
}

static bool is_blank(struct gw_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != ' ' && (s.p[i] < '\t' || s.p[i] > '\r'))
            return false;
    return true;
}

/* Where the quote is that closes the one at i; text.n if nothing does. */
static size_t closing_quote(struct gw_span text, size_t i)
{
    for (i++; i < text.n && text.p[i] != '"'; i++)
        if (text.p[i] == '\\')
            i++;
    return i < text.n ? i : text.n;
}

/* Where the condition that starts at `from` ends: at a comma outside parentheses and quotes. A
 * quote opens only right after one of .(, so that `5" tall` is plain text. */
static size_t condition_end(struct gw_span text, size_t from)
{
    size_t depth = 0;
    for (size_t i = from; i < text.n; i++) {
        char c = text.p[i], before = i > 0 ? text.p[i - 1] : '\0';
        if (c == '"' && (before == '.' || before == '(' || before == ','))
            i = closing_quote(text, i);
        else if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
        else if (c == ',' && depth == 0)
            return i;
    }
    return text.n;
}

/* How many conditions text holds; *has_empty: one of them is an empty segment. */
static size_t count_conditions(struct gw_span text, bool *has_empty)
{
    size_t n = 0;
    *has_empty = false;
    for (size_t from = 0; from <= text.n; n++) {
        size_t end = condition_end(text, from);
        if (is_blank((struct gw_span){text.p + from, end - from}))
            *has_empty = true;
        from = end + 1;
    }
    return n;
}

/* The value with its quotes and escapes removed if the whole of it is one quoted string; literal
 * otherwise, quotes included. Returns owned. */
static char *unquote(struct gw_span value)
{
    if (value.n < 2 || value.p[0] != '"' || closing_quote(value, 0) != value.n - 1)
        return gw_strdup_span(value);
    char *text = gw_alloc(value.n);
    size_t n = 0;
    for (size_t i = 1; i + 1 < value.n; i++) {
        if (value.p[i] == '\\')
            i++;
        text[n++] = value.p[i];
    }
    return text;
}

/* Whether op is one that the grammar knows and that is not served. */
static bool is_known_operator(struct gw_span op)
{
    static const char *const known[] = {"neq", "lt",         "lte",   "gt",    "gte",
                                        "in",  "like",       "ilike", "match", "imatch",
                                        "is",  "isdistinct", "not"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (gw_span_is(op, known[i]))
            return true;
    return false;
}

/* text is one condition. */
static enum gw_code parse_condition(struct gw_span text, struct gw_filter *out, struct gw_err *err)
{
    const char *end = text.p + text.n, *equals = memchr(text.p, '=', text.n);
    if (!equals || equals == text.p)
        return refuse(text, GW_E_MALFORMED, "", err);
    const char *dot = memchr(equals, '.', (size_t)(end - equals));
    if (!dot)
        return refuse(text, GW_E_MALFORMED, "", err);
    struct gw_span op = {equals + 1, (size_t)(dot - equals - 1)};
    if (!gw_span_is(op, "eq"))
        return refuse(text, is_known_operator(op) ? GW_E_UNSUPPORTED : GW_E_MALFORMED, "", err);
    out->column = gw_strdup_span((struct gw_span){text.p, (size_t)(equals - text.p)});
    out->value = unquote((struct gw_span){dot + 1, (size_t)(end - dot - 1)});
    return GW_OK;
}

enum gw_code gw_filter_parse(struct gw_span text, struct gw_filter *out, struct gw_err *err)
{
    *out = (struct gw_filter){0};
    if (is_blank(text))
        return GW_OK;
    bool has_empty;
    size_t n = count_conditions(text, &has_empty);
    if (has_empty)
        return refuse(text, GW_E_MALFORMED, ": empty segments", err);
    if (n > 1)
        return refuse(text, GW_E_UNSUPPORTED, "", err);
    if (memchr(text.p, '\0', text.n)) /* column and value are C strings from here on */
        return refuse(text, GW_E_MALFORMED, "", err);
    return parse_condition(text, out, err);
}

void gw_filter_fini(struct gw_filter *f)
{
    free(f->column);
    free(f->value);
    *f = (struct gw_filter){0};
}

void gw_filter_copy(struct gw_filter *to, const struct gw_filter *from)
{
    *to = (struct gw_filter){.type_oid = from->type_oid};
    if (!from->column)
        return;
    to->column = gw_strdup_span(gw_span_of(from->column));
    to->value = gw_strdup_span(gw_span_of(from->value));
}

bool gw_filter_matches(const struct gw_filter *f, const struct gw_types *types,
                       const struct gw_relation *rel, const struct gw_image *image)
{
    if (!f->column)
        return true;
    if (!image)
        return false;
    int i = gw_relation_column_find(rel, gw_span_of(f->column));
    if (i < 0 || i >= image->n || image->cells[i].state != GW_CELL_VALUE)
        return false;
    /* The type is the image's own: an ALTER TYPE may lie between the binding and this row. */
    return gw_value_text_equals(types, rel->columns[i].type_oid, image->cells[i].text,
                                gw_span_of(f->value));
}
