/* bind_type: types by name, and values as values of a type.
 *
 * Types are told as far as lower can use them; 0 says "not known". Only conversions that change
 * nothing are done here (a varchar is a text, a literal is what it is compared with); the rest
 * stays a GW_B_CAST. */
#include "bind_internal.h"

#define FIRST_USER_OID 16384u /* FirstNormalObjectId (access/transam.h) */

/* ---- kinds of types ---- */

uint32_t gw_bind_base_type(const struct gw_binder *b, uint32_t oid)
{
    const struct gw_type *type = gw_types_find(&b->c->types, oid);
    for (int i = 0; i < 32 && type && type->kind == GW_TYPE_DOMAIN; i++) {
        oid = type->inner_oid;
        type = gw_types_find(&b->c->types, oid);
    }
    return oid;
}

uint32_t gw_bind_array_of(const struct gw_binder *b, uint32_t element)
{
    size_t at = 0;
    uint64_t key;
    void *value;
    while (element && gw_idmap_each(&b->c->types.by_oid, &at, &key, &value)) {
        const struct gw_type *type = value;
        bool is_vector = type->oid == 22 || type->oid == 30; /* int2vector, oidvector */
        if (type->kind == GW_TYPE_ARRAY && type->inner_oid == element && !is_vector)
            return type->oid;
    }
    return 0;
}

uint32_t gw_bind_element_of(const struct gw_binder *b, uint32_t array)
{
    const struct gw_type *type = gw_types_find(&b->c->types, gw_bind_base_type(b, array));
    return type && type->kind == GW_TYPE_ARRAY ? type->inner_oid : 0;
}

bool gw_bind_is_textual(uint32_t oid)
{
    return oid == GW_T_TEXT || oid == GW_T_VARCHAR;
}

bool gw_bind_is_integer(uint32_t oid)
{
    return oid == GW_T_INT2 || oid == GW_T_INT4 || oid == GW_T_INT8;
}

bool gw_bind_type_is_polymorphic(uint32_t oid)
{
    return oid == 2276 || oid == 2277 || oid == 2283 || oid == 2776 || oid == 3500 || oid == 3831 ||
           oid == 4537 || (oid >= 5077 && oid <= 5080);
}

bool gw_bind_type_is_foreign(const struct gw_binder *b, uint32_t oid)
{
    uint32_t element = gw_bind_element_of(b, oid);
    oid = gw_bind_base_type(b, element ? element : oid);
    if (oid < FIRST_USER_OID)
        return false;
    const struct gw_type *type = gw_types_find(&b->c->types, oid);
    return !type || (type->kind != GW_TYPE_TEXT && type->kind != GW_TYPE_COMPOSITE);
}

/* An unknown type comes from a built-in function or operator; it is built in if its operands are.
 */
static bool is_foreign(const struct gw_binder *b, const struct gw_bound *node, uint32_t height)
{
    if (node->type_oid)
        return gw_bind_type_is_foreign(b, node->type_oid);
    if (height == GW_BIND_DEPTH_MAX || node->op == GW_B_COLUMN || node->fn || node->select)
        return true;
    for (uint32_t i = 0; i < node->n_args; i++)
        if (is_foreign(b, node->args[i], height + 1))
            return true;
    return false;
}

bool gw_bind_is_foreign(const struct gw_binder *b, const struct gw_bound *node)
{
    return is_foreign(b, node, 0);
}

/* ---- names ---- */

static uint32_t find_builtin(const struct gw_binder *b, struct gw_span name)
{
    size_t at = 0;
    uint64_t key;
    void *value;
    while (gw_idmap_each(&b->c->types.by_oid, &at, &key, &value)) {
        const struct gw_type *type = value;
        if (type->oid < FIRST_USER_OID && gw_span_eq(type->name, name))
            return type->oid;
    }
    return 0;
}

static uint32_t find_in(const struct gw_binder *b, struct gw_span schema, struct gw_span name)
{
    for (uint32_t i = 0; i < b->c->n_type_names; i++) {
        const struct gw_catalog_type *type = &b->c->type_names[i];
        if (gw_span_eq(type->name, name) && gw_span_eq(type->schema, schema))
            return type->oid;
    }
    return 0;
}

static uint32_t find_type(const struct gw_binder *b, struct gw_span schema, struct gw_span name)
{
    if (schema.n && !gw_span_is(schema, "pg_catalog"))
        return find_in(b, schema, name);
    uint32_t oid = find_builtin(b, name);
    if (schema.n || b->env->is_resolved)
        return oid;
    for (uint32_t i = 0; i < b->env->n_path && !oid; i++)
        oid = find_in(b, b->env->path[i], name);
    return oid;
}

bool gw_bind_type_name(struct gw_binder *b, const struct json_t *type_name, uint32_t *oid)
{
    const struct json_t *names = gw_bind_member(type_name, "names");
    size_t n = gw_bind_size(names);
    struct gw_span name = n ? gw_bind_name_at(names, n - 1) : (struct gw_span){0};
    struct gw_span schema = n > 1 ? gw_bind_name_at(names, n - 2) : (struct gw_span){0};
    *oid = n <= 2 ? find_type(b, schema, name) : 0;
    if (*oid && gw_bind_size(gw_bind_member(type_name, "arrayBounds")))
        *oid = gw_bind_array_of(b, *oid);
    if (gw_bind_size(gw_bind_member(type_name, "typmods")))
        gw_bind_fail(b, "casts to %.*s of a length or precision", (int)name.n, name.p);
    else if (!*oid || gw_bind_flag(type_name, "pct_type") || gw_bind_flag(type_name, "setof"))
        gw_bind_fail(b, "names the type %.*s, which is not known", (int)name.n,
                     name.n ? name.p : "");
    return b->why.n == 0;
}

/* ---- constants ---- */

static struct gw_span trimmed(struct gw_span s)
{
    while (s.n && strchr(" \t\n\r\f\v", s.p[0]))
        s = (struct gw_span){s.p + 1, s.n - 1};
    while (s.n && strchr(" \t\n\r\f\v", s.p[s.n - 1]))
        s.n--;
    return s;
}

/* As int8out prints it; what is no plain number stays as it is. */
static struct gw_span canonical_integer(struct gw_binder *b, struct gw_span raw)
{
    struct gw_span s = trimmed(raw);
    bool is_negative = s.n && s.p[0] == '-';
    char out[32];
    if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
        s = (struct gw_span){s.p + 1, s.n - 1};
    while (s.n > 1 && s.p[0] == '0')
        s = (struct gw_span){s.p + 1, s.n - 1};
    if (s.n == 0 || s.n > 20)
        return raw;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return raw;
    is_negative = is_negative && !gw_span_is(s, "0");
    out[0] = '-';
    memcpy(out + 1, s.p, s.n);
    return gw_arena_copy(b->arena, (struct gw_span){out + !is_negative, s.n + is_negative});
}

static struct gw_span canonical_bool(struct gw_span raw)
{
    static const char *const TRUE_WORDS[] = {"t", "true", "y", "yes", "on", "1"};
    static const char *const FALSE_WORDS[] = {"f", "false", "n", "no", "off", "0"};
    struct gw_span s = trimmed(raw);
    for (size_t i = 0; i < sizeof TRUE_WORDS / sizeof *TRUE_WORDS; i++) {
        if (gw_span_is_nocase(s, TRUE_WORDS[i]))
            return GW_SPAN_LIT("t");
        if (gw_span_is_nocase(s, FALSE_WORDS[i]))
            return GW_SPAN_LIT("f");
    }
    return raw;
}

/* 8-4-4-4-12 in lower case. */
static struct gw_span canonical_uuid(struct gw_binder *b, struct gw_span raw)
{
    char out[36];
    if (raw.n != sizeof out)
        return raw;
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];
        out[i] = c >= 'A' && c <= 'F' ? (char)(c + 32) : c;
    }
    return gw_arena_copy(b->arena, (struct gw_span){out, sizeof out});
}

static bool is_time(uint32_t type)
{
    return type == GW_T_DATE || type == GW_T_TIME || type == GW_T_TIMETZ ||
           type == GW_T_TIMESTAMP || type == GW_T_TIMESTAMPTZ;
}

/* Texts that mean another value at another time or under another search_path. */
static bool check_constant(struct gw_binder *b, struct gw_span text, uint32_t type)
{
    static const char *const WORDS[] = {"now", "today", "tomorrow", "yesterday"};
    bool is_named = type == 24 || (type >= 2202 && type <= 2206) || type == 3734 || type == 3769 ||
                    type == 4089 || type == 4096; /* regproc, regclass, regconfig, … */
    if (is_named && !b->env->is_resolved)
        gw_bind_fail(b, "names an object by a literal");
    for (size_t i = 0; is_time(type) && i < text.n; i++)
        for (size_t k = 0; k < sizeof WORDS / sizeof *WORDS; k++) {
            size_t n = strlen(WORDS[k]);
            if (text.n - i >= n && gw_span_is_nocase((struct gw_span){text.p + i, n}, WORDS[k]))
                gw_bind_fail(b, "uses the literal '%.*s'", (int)text.n, text.p);
        }
    return b->why.n == 0;
}

static struct gw_bound *retyped(struct gw_binder *b, const struct gw_bound *node, uint32_t type)
{
    struct gw_bound *copy = gw_bind_copy(b, node);
    if (!copy)
        return NULL;
    copy->type_oid = type;
    if (copy->is_null)
        return copy;
    if (!check_constant(b, node->text, type))
        return NULL;
    if (gw_bind_is_integer(type) || type == GW_T_OID)
        copy->text = canonical_integer(b, node->text);
    else if (type == GW_T_BOOL)
        copy->text = canonical_bool(node->text);
    else if (type == GW_T_UUID)
        copy->text = canonical_uuid(b, node->text);
    return copy;
}

/* ---- conversions ---- */

struct gw_bound *gw_bind_hint(struct gw_binder *b, struct gw_bound *node, uint32_t type)
{
    if (!node || type == 0 || !gw_bind_is_literal(node) || gw_bind_type_is_polymorphic(type))
        return node;
    return retyped(b, node, gw_bind_base_type(b, type));
}

/* A constant that is the same text in either type. */
static bool is_same_constant(const struct gw_bound *node, uint32_t type)
{
    if (node->op != GW_B_CONST)
        return false;
    if (node->type_oid == 0 || node->is_null)
        return true;
    if (gw_bind_is_textual(node->type_oid) && gw_bind_is_textual(type))
        return true;
    return gw_bind_is_integer(node->type_oid) &&
           (type == GW_T_INT8 || type == GW_T_NUMERIC ||
            (type == GW_T_INT4 && node->type_oid == GW_T_INT2));
}

static bool is_same_value(const struct gw_binder *b, const struct gw_bound *node, uint32_t type)
{
    return node->type_oid == type ||
           (gw_bind_is_textual(gw_bind_base_type(b, node->type_oid)) && type == GW_T_TEXT) ||
           (node->type_oid && gw_bind_base_type(b, node->type_oid) == type);
}

/* ARRAY[a, b]::t[] is ARRAY[a::t, b::t]. */
static struct gw_bound *cast_elements(struct gw_binder *b, const struct gw_bound *node,
                                      uint32_t type, uint32_t element)
{
    struct gw_bound *array = gw_bind_node(b, GW_B_ARRAY, type, node->n_args);
    for (uint32_t i = 0; array && i < node->n_args; i++) {
        array->args[i] = gw_bind_cast(b, node->args[i], element);
        if (!array->args[i])
            return NULL;
    }
    return array;
}

struct gw_bound *gw_bind_cast(struct gw_binder *b, struct gw_bound *node, uint32_t type)
{
    if (!node || type == 0 || gw_bind_type_is_polymorphic(type) || is_same_value(b, node, type))
        return node;
    bool is_domain = gw_bind_base_type(b, type) != type; /* may have a CHECK */
    if (!is_domain && is_same_constant(node, type))
        return retyped(b, node, type);
    uint32_t element = node->op == GW_B_ARRAY ? gw_bind_element_of(b, type) : 0;
    bool is_nested = element && node->n_args && gw_bind_element_of(b, node->args[0]->type_oid);
    if (element && !is_nested && !is_domain)
        return cast_elements(b, node, type, element);
    return gw_bind_unary(b, GW_B_CAST, type, node);
}

/* Of two number types, the one that holds both. */
static uint32_t wider(uint32_t a, uint32_t b)
{
    static const uint32_t ORDER[] = {GW_T_INT2,    GW_T_INT4,   GW_T_INT8,
                                     GW_T_NUMERIC, GW_T_FLOAT4, GW_T_FLOAT8};
    for (size_t i = sizeof ORDER / sizeof *ORDER; i-- > 0;)
        if (a == ORDER[i] || b == ORDER[i])
            return ORDER[i];
    return 0;
}

static bool is_number(uint32_t oid)
{
    return gw_bind_is_integer(oid) || oid == GW_T_NUMERIC || oid == GW_T_FLOAT4 ||
           oid == GW_T_FLOAT8;
}

static uint32_t common_type(uint32_t a, uint32_t b)
{
    if (a == b)
        return a;
    if (is_number(a) && is_number(b))
        return wider(a, b);
    return gw_bind_is_textual(a) && gw_bind_is_textual(b) ? GW_T_TEXT : 0;
}

uint32_t gw_bind_unify(struct gw_binder *b, struct gw_bound **nodes, uint32_t n, uint32_t step)
{
    uint32_t type = 0;
    bool is_known = true, has_typed = false;
    for (uint32_t i = 0; i < n; i++) {
        const struct gw_bound *node = nodes[i * step];
        if (gw_bind_is_literal(node))
            continue;
        uint32_t own = gw_bind_base_type(b, node->type_oid);
        type = has_typed ? common_type(type, own) : node->type_oid;
        is_known = is_known && own && type;
        has_typed = true;
    }
    if (!has_typed)
        type = GW_T_TEXT; /* literals only */
    if (!is_known)
        return 0;
    for (uint32_t i = 0; i < n; i++)
        nodes[i * step] = gw_bind_hint(b, nodes[i * step], type);
    return type;
}
