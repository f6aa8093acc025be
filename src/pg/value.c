/* value: see the header.
 *
 * DESIGN. Scalars of well-known types are rewritten in place by their oid. Arrays and composites
 * are read by one pass each over the form their output functions print (array_out, record_out;
 * manual §8.15.6 and §8.16.6): items are either bare or quoted, a quoted item is undone once and
 * handed to its own type. Depth is the only recursion, and it is bounded; braces of one
 * multi-dimensional array are counted, not descended into.
 * Each level remembers where it began in the output. What turns out not to be of its type is cut
 * off again there and written as a string, so the result is JSON whatever the text was. */
#include "gw/value.h"

#include "gw/json.h"

#define MAX_DIMS 6          /* MAXDIM of Postgres */
#define MAX_DOMAIN_STEPS 32 /* domains over domains; a cycle is a broken catalog */
#define MAX_EXPONENT 400    /* float8 ends at 308 */

enum {
    OID_BOOL = 16,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_JSON = 114,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_BPCHAR = 1042,
    OID_TIMESTAMP = 1114,
    OID_TIMESTAMPTZ = 1184,
    OID_NUMERIC = 1700,
    OID_JSONB = 3802,
};

struct reader {
    const char *p, *end;
};

/* How the items of an array or a composite are written. */
struct syntax {
    char open, close, delimiter;
    bool has_doubled_quotes; /* a quote inside quotes is "" (a backslash works in both) */
};

static const struct syntax composite_syntax = {'(', ')', ',', true};

struct writer {
    struct gw_buf *out;
    const struct gw_types *types;
};

static void add_value(const struct writer *w, uint32_t oid, struct gw_span text, unsigned depth);

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void add_bool(struct gw_buf *out, struct gw_span text)
{
    if (gw_span_is(text, "t"))
        gw_buf_add_str(out, "true");
    else if (gw_span_is(text, "f"))
        gw_buf_add_str(out, "false");
    else
        gw_json_add_string(out, text);
}

/* Integers and numeric; NaN and the infinities are no JSON numbers and become strings. */
static void add_number(struct gw_buf *out, struct gw_span text)
{
    if (gw_json_is_number(text))
        gw_buf_add_span(out, text);
    else
        gw_json_add_string(out, text);
}

struct scientific {
    struct gw_span whole, fraction; /* digits before and behind the point, sign left out */
    bool is_negative;
    int exponent;
};

/* false: not a number, or its exponent is none of a float's. */
static bool split_float(struct gw_span text, struct scientific *s)
{
    if (!gw_json_is_number(text))
        return false;
    const char *p = text.p, *end = text.p + text.n;
    s->is_negative = *p == '-';
    p += s->is_negative;
    s->whole.p = p;
    while (p < end && is_digit(*p))
        p++;
    s->whole.n = (size_t)(p - s->whole.p);
    if (*s->whole.p == '0') /* not how a float with an exponent is printed; zeros must not lead */
        return false;
    s->fraction = (struct gw_span){p, 0};
    if (p < end && *p == '.') {
        s->fraction.p = ++p;
        while (p < end && is_digit(*p))
            p++;
        s->fraction.n = (size_t)(p - s->fraction.p);
    }
    bool is_small = p + 1 < end && p[1] == '-';
    s->exponent = 0;
    for (; p < end; p++)
        if (is_digit(*p) && s->exponent <= MAX_EXPONENT)
            s->exponent = s->exponent * 10 + (*p - '0');
    if (s->exponent > MAX_EXPONENT)
        return false;
    if (is_small)
        s->exponent = -s->exponent;
    return true;
}

static void add_zeros(struct gw_buf *out, int n)
{
    for (int i = 0; i < n; i++)
        gw_buf_add_byte(out, '0');
}

/* Digits with the point moved by the exponent: jsonb keeps floats as numeric and prints them so. */
static void add_positional(struct gw_buf *out, const struct scientific *s)
{
    char digits[64];
    size_t n = s->whole.n + s->fraction.n;
    memcpy(digits, s->whole.p, s->whole.n);
    memcpy(digits + s->whole.n, s->fraction.p, s->fraction.n);
    int point = (int)s->whole.n + s->exponent;
    if (s->is_negative)
        gw_buf_add_byte(out, '-');
    if (point <= 0) {
        gw_buf_add_str(out, "0.");
        add_zeros(out, -point);
        gw_buf_add(out, digits, n);
    } else if ((size_t)point < n) {
        gw_buf_add(out, digits, (size_t)point);
        gw_buf_add_byte(out, '.');
        gw_buf_add(out, digits + point, n - (size_t)point);
    } else {
        gw_buf_add(out, digits, n);
        add_zeros(out, point - (int)n);
    }
}

static void add_float(struct gw_buf *out, struct gw_span text)
{
    struct scientific s;
    if (gw_span_is(text, "-0")) {
        gw_buf_add_byte(out, '0');
    } else if (!memchr(text.p ? text.p : "", 'e', text.n)) {
        add_number(out, text);
    } else if (text.n <= 32 && split_float(text, &s)) {
        add_positional(out, &s);
    } else {
        add_number(out, text);
    }
}

/* "2026-11-20 09:15:02.417+00 BC" → "2026-11-20T09:15:02.417+00:00 BC"; "infinity" stays. */
static void add_timestamp(struct gw_buf *out, struct gw_span text, bool has_zone)
{
    char copy[64];
    const char *blank = text.n ? memchr(text.p, ' ', text.n) : NULL;
    if (!blank || text.n > sizeof copy - 3 || blank + 1 == text.p + text.n || !is_digit(blank[1]) ||
        !is_digit(*text.p)) {
        gw_json_add_string(out, text);
        return;
    }
    size_t n = text.n;
    struct gw_span era = {text.p + n, 0};
    if (n > 3 && memcmp(text.p + n - 3, " BC", 3) == 0)
        era = (struct gw_span){text.p + (n -= 3), 3};
    memcpy(copy, text.p, n);
    copy[blank - text.p] = 'T';
    bool is_hours_only = n > 3 && (copy[n - 3] == '+' || copy[n - 3] == '-');
    if (has_zone && is_hours_only) {
        memcpy(copy + n, ":00", 3);
        n += 3;
    }
    memcpy(copy + n, era.p, era.n);
    gw_json_add_string(out, (struct gw_span){copy, n + era.n});
}

static void add_embedded(struct gw_buf *out, struct gw_span text)
{
    if (gw_json_is_valid(text))
        gw_buf_add_span(out, text);
    else
        gw_json_add_string(out, text);
}

/* false: not one of the types that need a rule of their own. */
static bool add_scalar(struct gw_buf *out, uint32_t oid, struct gw_span text)
{
    switch (oid) {
    case OID_BOOL:
        add_bool(out, text);
        return true;
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
    case OID_NUMERIC:
        add_number(out, text);
        return true;
    case OID_FLOAT4:
    case OID_FLOAT8:
        add_float(out, text);
        return true;
    case OID_TIMESTAMP:
        add_timestamp(out, text, false);
        return true;
    case OID_TIMESTAMPTZ:
        add_timestamp(out, text, true);
        return true;
    case OID_JSON:
    case OID_JSONB:
        add_embedded(out, text);
        return true;
    default:
        return false;
    }
}

/* A quoted item, r at its opening quote. item points into the text, or into scratch if something
 * had to be undone. */
static bool read_quoted(struct reader *r, const struct syntax *x, struct gw_buf *scratch,
                        struct gw_span *item)
{
    const char *run = ++r->p;
    gw_buf_reset(scratch);
    for (; r->p < r->end; r->p++) {
        bool has_next = r->p + 1 < r->end;
        bool is_doubled = x->has_doubled_quotes && has_next && r->p[0] == '"' && r->p[1] == '"';
        if (*r->p == '\\' || is_doubled) { /* the next character stands for itself */
            if (!has_next)
                return false;
            gw_buf_add(scratch, run, (size_t)(r->p - run));
            run = ++r->p;
        } else if (*r->p == '"') {
            break;
        }
    }
    if (r->p == r->end)
        return false;
    *item = (struct gw_span){run, (size_t)(r->p - run)};
    if (scratch->n > 0) {
        gw_buf_add_span(scratch, *item);
        *item = gw_buf_span(scratch);
    }
    r->p++;
    return true;
}

/* An unquoted item: up to the delimiter or the closing bracket. Output functions quote whatever
 * holds one of the characters refused here. */
static bool read_bare(struct reader *r, const struct syntax *x, struct gw_span *item)
{
    const char *start = r->p;
    while (r->p < r->end && *r->p != x->delimiter && *r->p != x->close) {
        if (*r->p == '"' || *r->p == '\\' || *r->p == x->open)
            return false;
        r->p++;
    }
    *item = (struct gw_span){start, (size_t)(r->p - start)};
    return r->p < r->end && item->n > 0;
}

/* "[0:1][-2:3]=" before an array whose lower bounds are not 1. */
static bool skip_bounds(struct reader *r)
{
    if (r->p == r->end || *r->p != '[')
        return true;
    while (r->p < r->end && (is_digit(*r->p) || memchr("[]:-+", *r->p, 5)))
        r->p++;
    if (r->p == r->end || r->p[0] != '=' || r->p[-1] != ']')
        return false;
    r->p++;
    return true;
}

static bool add_array_item(const struct writer *w, const struct gw_type *type, struct reader *r,
                           unsigned depth)
{
    const struct syntax x = {'{', '}', type->delimiter, false};
    struct gw_buf scratch = {0};
    struct gw_span item;
    bool is_quoted = *r->p == '"';
    bool ok = is_quoted ? read_quoted(r, &x, &scratch, &item) : read_bare(r, &x, &item);
    if (ok && !is_quoted && gw_span_is_nocase(item, "NULL"))
        gw_buf_add_str(w->out, "null");
    else if (ok)
        add_value(w, type->inner_oid, item, depth + 1);
    gw_buf_fini(&scratch);
    return ok;
}

enum array_state { ARRAY_START, ARRAY_OPENED, ARRAY_DELIMITED, ARRAY_ITEM };

/* false: not an array's text; what was written so far is the caller's to cut off. */
static bool add_array(const struct writer *w, const struct gw_type *type, struct gw_span text,
                      unsigned depth)
{
    struct reader r = {text.p, text.p + text.n};
    enum array_state state = ARRAY_START;
    unsigned open = 0;
    if (!skip_bounds(&r))
        return false;
    while (r.p < r.end && !w->out->overflow) {
        if (state != ARRAY_START && open == 0)
            return false; /* something behind the last brace */
        if (*r.p == '{' && state != ARRAY_ITEM) {
            if (open++ == MAX_DIMS)
                return false;
            gw_buf_add_byte(w->out, '[');
            state = ARRAY_OPENED;
            r.p++;
        } else if (*r.p == '}' && (state == ARRAY_ITEM || state == ARRAY_OPENED)) {
            open--;
            gw_buf_add_byte(w->out, ']');
            state = ARRAY_ITEM;
            r.p++;
        } else if (*r.p == type->delimiter && state == ARRAY_ITEM) {
            gw_buf_add_byte(w->out, ',');
            state = ARRAY_DELIMITED;
            r.p++;
        } else if (state == ARRAY_OPENED || state == ARRAY_DELIMITED) {
            if (!add_array_item(w, type, &r, depth))
                return false;
            state = ARRAY_ITEM;
        } else {
            return false;
        }
    }
    return state == ARRAY_ITEM && open == 0;
}

static bool add_field(const struct writer *w, const struct gw_type_field *field, struct reader *r,
                      unsigned depth)
{
    gw_json_add_key(w->out, field->name);
    if (r->p == r->end)
        return false;
    if (*r->p == ',' || *r->p == ')') { /* nothing at all is NULL; "" is the empty string */
        gw_buf_add_str(w->out, "null");
        return true;
    }
    struct gw_buf scratch = {0};
    struct gw_span item;
    bool ok = *r->p == '"' ? read_quoted(r, &composite_syntax, &scratch, &item)
                           : read_bare(r, &composite_syntax, &item);
    if (ok)
        add_value(w, field->type_oid, item, depth + 1);
    gw_buf_fini(&scratch);
    return ok;
}

static bool add_composite(const struct writer *w, const struct gw_type *type, struct gw_span text,
                          unsigned depth)
{
    struct reader r = {text.p, text.p + text.n};
    if (r.p == r.end || *r.p++ != '(')
        return false;
    gw_buf_add_byte(w->out, '{');
    for (size_t i = 0; i < type->n_fields; i++) {
        if (i > 0) {
            if (r.p == r.end || *r.p++ != ',')
                return false;
            gw_buf_add_byte(w->out, ',');
        }
        if (w->out->overflow || !add_field(w, &type->fields[i], &r, depth))
            return false;
    }
    gw_buf_add_byte(w->out, '}');
    return r.p < r.end && *r.p == ')' && r.p + 1 == r.end;
}

/* The type under all domains; NULL if unknown. */
static const struct gw_type *base_type(const struct gw_types *types, uint32_t oid)
{
    const struct gw_type *type = gw_types_find(types, oid);
    for (int i = 0; type && type->kind == GW_TYPE_DOMAIN; i++)
        type = i < MAX_DOMAIN_STEPS ? gw_types_find(types, type->inner_oid) : NULL;
    return type;
}

static bool add_nested(const struct writer *w, const struct gw_type *type, struct gw_span text,
                       unsigned depth)
{
    if (depth >= GW_VALUE_MAX_DEPTH || text.n == 0)
        return false;
    size_t mark = w->out->n;
    bool ok = type->kind == GW_TYPE_ARRAY ? add_array(w, type, text, depth)
                                          : add_composite(w, type, text, depth);
    if (!ok)
        w->out->n = mark;
    return ok;
}

static void add_value(const struct writer *w, uint32_t oid, struct gw_span text, unsigned depth)
{
    if (add_scalar(w->out, oid, text))
        return;
    const struct gw_type *type = base_type(w->types, oid);
    if (type && type->oid != oid && add_scalar(w->out, type->oid, text))
        return;
    bool is_nested = type && (type->kind == GW_TYPE_ARRAY || type->kind == GW_TYPE_COMPOSITE);
    if (is_nested && add_nested(w, type, text, depth))
        return;
    gw_json_add_string(w->out, text);
}

/* Without the trailing zeros of its fraction, and without the sign of zero. */
static struct gw_span significant(struct gw_span text)
{
    if (!gw_json_is_number(text) || memchr(text.p, 'e', text.n) || memchr(text.p, 'E', text.n))
        return text;
    if (memchr(text.p, '.', text.n)) {
        while (text.p[text.n - 1] == '0')
            text.n--;
        if (text.p[text.n - 1] == '.')
            text.n--;
    }
    return gw_span_is(text, "-0") ? GW_SPAN_LIT("0") : text;
}

static struct gw_span without_trailing_blanks(struct gw_span text)
{
    while (text.n > 0 && text.p[text.n - 1] == ' ')
        text.n--;
    return text;
}

void gw_value_add_json(struct gw_buf *out, const struct gw_types *types, uint32_t type_oid,
                       struct gw_span text)
{
    struct writer w = {out, types};
    add_value(&w, type_oid, text, 0);
}

bool gw_value_text_equals(const struct gw_types *types, uint32_t type_oid, struct gw_span a,
                          struct gw_span b)
{
    if (gw_span_eq(a, b))
        return true;
    const struct gw_type *type = base_type(types, type_oid);
    switch (type ? type->oid : 0) {
    case OID_NUMERIC:
    case OID_FLOAT4:
    case OID_FLOAT8:
        return gw_span_eq(significant(a), significant(b));
    case OID_BPCHAR:
        return gw_span_eq(without_trailing_blanks(a), without_trailing_blanks(b));
    default:
        return false;
    }
}
