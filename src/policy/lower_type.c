/* lower_type: what lower knows of types, operators and functions: which of them are computed here,
 * and how values compare. */
#include "lower_internal.h"

/* ---- kinds ---- */

enum gw_kind gw_lower_type_kind(const struct gw_lower *l, uint32_t type_oid)
{
    return gw_kind_of(&l->r->catalog->types, type_oid);
}

enum gw_kind gw_lower_kind(const struct gw_lower *l, const struct gw_bound *node)
{
    if (node->op == GW_B_COLUMN && node->var->table->columns[node->column].is_opaque)
        return GW_KIND_OPAQUE;
    return gw_lower_type_kind(l, node->type_oid);
}

bool gw_lower_is_text_type(uint32_t type_oid)
{
    return type_oid == GW_OID_TEXT || type_oid == GW_OID_VARCHAR;
}

uint32_t gw_lower_element_type(const struct gw_lower *l, uint32_t array_oid)
{
    const struct gw_type *t = gw_types_find(&l->r->catalog->types, array_oid);
    return array_oid && t && t->kind == GW_TYPE_ARRAY && t->delimiter == ',' ? t->inner_oid : 0;
}

static uint32_t base_type(const struct gw_lower *l, uint32_t type_oid)
{
    const struct gw_type *t = gw_types_find(&l->r->catalog->types, type_oid);
    for (int depth = 0; t && t->kind == GW_TYPE_DOMAIN && depth < 32; depth++) {
        type_oid = t->inner_oid;
        t = gw_types_find(&l->r->catalog->types, type_oid);
    }
    return type_oid;
}

static bool is_domain(const struct gw_lower *l, uint32_t type_oid)
{
    const struct gw_type *t = gw_types_find(&l->r->catalog->types, type_oid);
    return t && t->kind == GW_TYPE_DOMAIN;
}

/* ---- names ---- */

static void add_quoted(struct gw_buf *out, struct gw_span name)
{
    gw_buf_add_byte(out, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"')
            gw_buf_add_byte(out, '"');
        gw_buf_add_byte(out, name.p[i]);
    }
    gw_buf_add_byte(out, '"');
}

bool gw_lower_type_name(const struct gw_lower *l, uint32_t type_oid, struct gw_buf *out)
{
    const struct gw_catalog *c = l->r->catalog;
    for (uint32_t i = 0; i < c->n_type_names; i++) {
        const struct gw_catalog_type *t = &c->type_names[i];
        if (t->oid != type_oid)
            continue;
        add_quoted(out, t->schema);
        gw_buf_add_byte(out, '.');
        add_quoted(out, t->name);
        return true;
    }
    const struct gw_type *t = gw_types_find(&c->types, type_oid);
    if (!t || type_oid >= 10000) /* FirstGenbkiObjectId: those below are pg_catalog's */
        return false;
    gw_buf_add_str(out, "pg_catalog.");
    add_quoted(out, t->name);
    return true;
}

struct gw_span gw_lower_builtin(const struct gw_bound *call)
{
    static const struct gw_span schema = GW_SPAN_LIT("pg_catalog.");
    struct gw_span name = call->text;
    if (call->op != GW_B_CALL || call->fn || name.n <= schema.n ||
        memcmp(name.p, schema.p, schema.n) != 0)
        return (struct gw_span){0};
    name.p += schema.n;
    name.n -= schema.n;
    if (name.n > 2 && name.p[0] == '"') { /* a keyword, quoted */
        name.p++;
        name.n -= 2;
    }
    return name;
}

bool gw_lower_is_op(const struct gw_bound *node, const char *name)
{
    return (node->op == GW_B_OP || node->op == GW_B_ANY || node->op == GW_B_SUB) &&
           gw_span_is(node->text, name);
}

bool gw_lower_cmp_of(const struct gw_bound *node, enum gw_cmp *cmp)
{
    static const char *const names[] = {
        [GW_CMP_EQ] = "=",  [GW_CMP_NE] = "<>", [GW_CMP_LT] = "<",
        [GW_CMP_LE] = "<=", [GW_CMP_GT] = ">",  [GW_CMP_GE] = ">=",
    };
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (gw_lower_is_op(node, names[i])) {
            *cmp = (enum gw_cmp)i;
            return true;
        }
    return false;
}

/* ---- literals ---- */

static enum gw_native_fn reader_of(uint32_t type_oid)
{
    switch (type_oid) {
    case GW_OID_BOOL:
        return GW_FN_TEXT_TO_BOOL;
    case GW_OID_INT2:
        return GW_FN_TEXT_TO_INT2;
    case GW_OID_INT4:
        return GW_FN_TEXT_TO_INT4;
    case GW_OID_INT8:
        return GW_FN_TEXT_TO_INT8;
    case GW_OID_UUID:
        return GW_FN_TEXT_TO_UUID;
    default:
        return GW_FN_NONE;
    }
}

struct gw_datum gw_lower_literal(const struct gw_lower *l, const struct gw_bound *constant,
                                 uint32_t type_oid)
{
    enum gw_kind kind = gw_lower_type_kind(l, type_oid);
    if (constant->is_null)
        return gw_datum_null(kind);
    struct gw_span text = gw_arena_copy(&l->r->rules->arena, constant->text);
    enum gw_native_fn fn = is_domain(l, type_oid) ? GW_FN_NONE : reader_of(type_oid);
    if (fn == GW_FN_NONE)
        return gw_datum_of(kind, text);
    struct gw_datum arg = gw_datum_of(GW_KIND_TEXT, text);
    return gw_native_call(fn, &arg, 1, &l->r->rules->arena);
}

/* ---- casts ---- */

/* Types whose text forms depend on no setting, and casts among which are immutable. */
static bool is_plain_type(uint32_t type_oid)
{
    static const uint32_t plain[] = {
        0,
        GW_OID_BOOL,
        GW_OID_NAME,
        GW_OID_INT8,
        GW_OID_INT2,
        GW_OID_INT4,
        GW_OID_TEXT,
        GW_OID_OID,
        GW_OID_JSON,
        GW_OID_FLOAT4,
        GW_OID_FLOAT8,
        GW_OID_BPCHAR,
        GW_OID_VARCHAR,
        GW_OID_NUMERIC,
        GW_OID_UUID,
        GW_OID_JSONB,
    };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (plain[i] == type_oid)
            return true;
    return false;
}

bool gw_lower_cast_is_immutable(const struct gw_lower *l, uint32_t from, uint32_t to)
{
    uint32_t from_element = gw_lower_element_type(l, from);
    uint32_t to_element = gw_lower_element_type(l, to);
    return from == to || (is_plain_type(from_element ? from_element : from) &&
                          is_plain_type(to_element ? to_element : to));
}

static int int_width(uint32_t type_oid)
{
    switch (type_oid) {
    case GW_OID_INT2:
        return 2;
    case GW_OID_INT4:
        return 4;
    case GW_OID_INT8:
        return 8;
    default:
        return 0;
    }
}

/* Prints as ::text does. jsonb is left out: its text here need not be Postgres' spelling. */
static bool prints_plainly(const struct gw_lower *l, uint32_t type_oid)
{
    enum gw_kind kind = gw_lower_type_kind(l, type_oid);
    return type_oid == GW_OID_JSON || kind == GW_KIND_BOOL || kind == GW_KIND_INT ||
           kind == GW_KIND_UUID || kind == GW_KIND_ENUM || kind == GW_KIND_NUMERIC;
}

enum gw_native_fn gw_lower_cast_fn(const struct gw_lower *l, uint32_t from, uint32_t to,
                                   bool *is_same)
{
    *is_same = from == to;
    if (*is_same || is_domain(l, to))
        return GW_FN_NONE;
    from = base_type(l, from);
    bool from_text = gw_lower_is_text_type(from) || from == 0;
    if (from == to || (gw_lower_is_text_type(to) && (from_text || from == GW_OID_NAME)) ||
        (int_width(from) && int_width(from) <= int_width(to))) {
        *is_same = true;
        return GW_FN_NONE;
    }
    if (gw_lower_is_text_type(to))
        return prints_plainly(l, from) ? GW_FN_TO_TEXT : GW_FN_NONE;
    if (!from_text)
        return GW_FN_NONE;
    if (to == GW_OID_JSONB)
        return GW_FN_TEXT_TO_JSONB;
    return to == GW_OID_JSON ? GW_FN_TEXT_TO_JSON : reader_of(to);
}

/* ---- functions and operators ---- */

enum arg_class { ARG_TEXT, ARG_INT, ARG_JSON, ARG_JSONB, ARG_PATH };

struct native_row {
    const char *name;
    bool is_op;
    enum gw_native_fn fn;
    uint32_t n_args;
    enum arg_class args[3];
};

static const struct native_row natives[] = {
    {"lower", false, GW_FN_LOWER, 1, {ARG_TEXT}},
    {"upper", false, GW_FN_UPPER, 1, {ARG_TEXT}},
    {"split_part", false, GW_FN_SPLIT_PART, 3, {ARG_TEXT, ARG_TEXT, ARG_INT}},
    {"length", false, GW_FN_LENGTH, 1, {ARG_TEXT}},
    {"char_length", false, GW_FN_LENGTH, 1, {ARG_TEXT}},
    {"character_length", false, GW_FN_LENGTH, 1, {ARG_TEXT}},
    {"string_to_array", false, GW_FN_STRING_TO_ARRAY, 2, {ARG_TEXT, ARG_TEXT}},
    {"starts_with", false, GW_FN_STARTS_WITH, 2, {ARG_TEXT, ARG_TEXT}},
    {"btrim", false, GW_FN_TRIM, 1, {ARG_TEXT}},
    {"like", false, GW_FN_LIKE, 2, {ARG_TEXT, ARG_TEXT}},
    {"||", true, GW_FN_CONCAT, 2, {ARG_TEXT, ARG_TEXT}},
    {"^@", true, GW_FN_STARTS_WITH, 2, {ARG_TEXT, ARG_TEXT}},
    {"~~", true, GW_FN_LIKE, 2, {ARG_TEXT, ARG_TEXT}},
    {"!~~", true, GW_FN_LIKE, 2, {ARG_TEXT, ARG_TEXT}},
    {"->", true, GW_FN_JSON_GET, 2, {ARG_JSON, ARG_TEXT}},
    {"->>", true, GW_FN_JSON_GET_TEXT, 2, {ARG_JSON, ARG_TEXT}},
    {"->", true, GW_FN_JSON_AT, 2, {ARG_JSON, ARG_INT}},
    {"->>", true, GW_FN_JSON_AT_TEXT, 2, {ARG_JSON, ARG_INT}},
    {"#>", true, GW_FN_JSON_PATH, 2, {ARG_JSON, ARG_PATH}},
    {"#>>", true, GW_FN_JSON_PATH_TEXT, 2, {ARG_JSON, ARG_PATH}},
    {"?", true, GW_FN_JSON_HAS, 2, {ARG_JSONB, ARG_TEXT}},
};

static bool fits(const struct gw_lower *l, enum arg_class class, const struct gw_bound *arg)
{
    bool is_open = arg->op == GW_B_CONST && arg->type_oid == 0;
    uint32_t type = base_type(l, arg->type_oid);
    switch (class) {
    case ARG_TEXT:
        return is_open || (gw_lower_is_text_type(type) && gw_lower_kind(l, arg) == GW_KIND_TEXT);
    case ARG_INT:
        return type == GW_OID_INT4 || type == GW_OID_INT2;
    case ARG_JSON:
        return type == GW_OID_JSON || type == GW_OID_JSONB;
    case ARG_JSONB:
        return type == GW_OID_JSONB;
    case ARG_PATH:
        return is_open || type == GW_OID_TEXT_ARRAY;
    }
    return false;
}

static bool row_fits(const struct gw_lower *l, const struct native_row *row,
                     const struct gw_bound *node, struct gw_span name)
{
    if (row->is_op != (node->op == GW_B_OP) || row->n_args != node->n_args ||
        !gw_span_is(name, row->name))
        return false;
    for (uint32_t i = 0; i < row->n_args; i++)
        if (!fits(l, row->args[i], node->args[i]))
            return false;
    return true;
}

enum gw_native_fn gw_lower_native_fn(const struct gw_lower *l, const struct gw_bound *node,
                                     bool *is_negated)
{
    struct gw_span name = node->op == GW_B_CALL ? gw_lower_builtin(node) : node->text;
    *is_negated = gw_span_is(name, "!~~");
    for (size_t i = 0; i < sizeof natives / sizeof *natives; i++) {
        const struct native_row *row = &natives[i];
        if (!row_fits(l, row, node, name))
            continue;
        /* A delimiter that is NULL means: into characters. */
        bool is_known = row->fn != GW_FN_STRING_TO_ARRAY ||
                        (node->args[1]->op == GW_B_CONST && !node->args[1]->is_null);
        return is_known ? row->fn : GW_FN_NONE;
    }
    return GW_FN_NONE;
}
