/* bind_builtin: functions of pg_catalog that may stay calls.
 *
 * The list holds those whose answer follows from their arguments, the clock of the transaction and
 * the session's TimeZone. All others (privileges, sessions, settings, files, sequences,
 * query_to_xml, …) are refused: they might look at who asks. Volatility and type as pg_proc has
 * them in PostgreSQL 14 to 18; the worst volatility where a name is overloaded. */
#include "bind_internal.h"

#include <stdlib.h>

#define I(name, type)                                                                              \
    {                                                                                              \
        name, 'i', false, false, type                                                              \
    }
#define T(name, type) /* literals are text */                                                      \
    {                                                                                              \
        name, 'i', true, false, type                                                               \
    }
#define S(name, type)                                                                              \
    {                                                                                              \
        name, 's', false, false, type                                                              \
    }
#define R(name, type) /* returns rows */                                                           \
    {                                                                                              \
        name, 'i', false, true, type                                                               \
    }

/* Sorted by name (strcmp). */
static const struct gw_bind_builtin BUILTINS[] = {
    I("abs", 0),
    S("age", 1186),
    I("array_append", 0),
    I("array_cat", 0),
    I("array_dims", 25),
    I("array_length", 23),
    I("array_lower", 23),
    I("array_ndims", 23),
    I("array_position", 23),
    I("array_positions", 1007),
    I("array_prepend", 0),
    I("array_remove", 0),
    I("array_replace", 0),
    S("array_to_json", 114),
    S("array_to_string", 25),
    I("array_upper", 23),
    T("ascii", 23),
    T("bit_length", 23),
    T("btrim", 0),
    I("cardinality", 23),
    I("cbrt", 701),
    I("ceil", 0),
    I("ceiling", 0),
    T("char_length", 23),
    T("character_length", 23),
    I("chr", 25),
    S("concat", 25),
    S("concat_ws", 25),
    S("date", 1082),
    S("date_part", 701),
    S("date_trunc", 0),
    I("decode", 17),
    I("div", 1700),
    I("encode", 25),
    I("exp", 0),
    S("extract", 1700),
    I("floor", 0),
    S("format", 25),
    {"generate_series", 's', false, true, 0},
    R("generate_subscripts", 23),
    I("get_byte", 23),
    I("host", 25),
    T("initcap", 25),
    I("int4range", 3904),
    I("int8range", 3926),
    I("isempty", 16),
    I("isfinite", 16),
    R("json_array_elements", 114),
    R("json_array_elements_text", 25),
    I("json_array_length", 23),
    S("json_build_array", 114),
    S("json_build_object", 114),
    I("json_extract_path", 114),
    I("json_extract_path_text", 25),
    R("json_object_keys", 25),
    I("json_typeof", 25),
    R("jsonb_array_elements", 3802),
    R("jsonb_array_elements_text", 25),
    I("jsonb_array_length", 23),
    S("jsonb_build_array", 3802),
    S("jsonb_build_object", 3802),
    I("jsonb_extract_path", 3802),
    I("jsonb_extract_path_text", 25),
    I("jsonb_insert", 3802),
    R("jsonb_object_keys", 25),
    I("jsonb_path_exists", 16),
    I("jsonb_path_match", 16),
    I("jsonb_path_query_array", 3802),
    I("jsonb_path_query_first", 3802),
    I("jsonb_pretty", 25),
    I("jsonb_set", 3802),
    I("jsonb_strip_nulls", 3802),
    I("jsonb_typeof", 25),
    T("left", 25),
    T("length", 23),
    T("like", 16),
    T("like_escape", 25),
    I("ln", 0),
    I("log", 0),
    T("lower", 0),
    T("lpad", 25),
    T("ltrim", 0),
    I("make_date", 1082),
    I("make_interval", 1186),
    I("masklen", 23),
    T("md5", 25),
    I("mod", 0),
    T("normalize", 25),
    T("notlike", 16),
    S("now", 1184),
    I("num_nonnulls", 23),
    I("num_nulls", 23),
    I("numrange", 3906),
    T("octet_length", 23),
    T("overlay", 0),
    T("parse_ident", 1009),
    T("position", 23),
    I("power", 0),
    T("quote_ident", 25),
    I("range_merge", 0),
    T("regexp_count", 23),
    T("regexp_like", 16),
    T("regexp_match", 1009),
    T("regexp_replace", 25),
    T("regexp_split_to_array", 1009),
    R("regexp_split_to_table", 25),
    T("regexp_substr", 25),
    T("repeat", 25),
    T("replace", 25),
    T("reverse", 25),
    T("right", 25),
    I("round", 0),
    T("rpad", 25),
    T("rtrim", 0),
    I("scale", 23),
    I("sha224", 17),
    I("sha256", 17),
    I("sha384", 17),
    I("sha512", 17),
    I("sign", 0),
    T("similar_escape", 25),
    T("similar_to_escape", 25),
    T("split_part", 25),
    I("sqrt", 0),
    T("starts_with", 16),
    S("statement_timestamp", 1184),
    T("string_to_array", 1009),
    R("string_to_table", 25),
    T("strpos", 23),
    T("substr", 0),
    T("substring", 0),
    I("text", 25),
    S("timezone", 0),
    S("to_char", 25),
    S("to_date", 1082),
    I("to_hex", 25),
    S("to_json", 114),
    S("to_jsonb", 3802),
    S("to_number", 1700),
    S("to_timestamp", 1184),
    S("to_tsquery", 3615),
    S("to_tsvector", 3614),
    S("transaction_timestamp", 1184),
    T("translate", 25),
    I("trim_array", 0),
    I("trunc", 0),
    I("tsrange", 3908),
    I("tstzrange", 3910),
    R("unnest", 0),
    T("upper", 0),
    I("uuid_extract_timestamp", 1184),
    I("uuid_extract_version", 21),
    I("width_bucket", 23),
};

static const char *const AGGREGATES[] = {
    "any_value",        "array_agg",  "avg",       "bit_and",  "bit_or",          "bool_and",
    "bool_or",          "count",      "every",     "json_agg", "json_object_agg", "jsonb_agg",
    "jsonb_object_agg", "max",        "min",       "mode",     "percentile_cont", "percentile_disc",
    "stddev",           "string_agg", "sum",       "variance", "xmlagg",          "rank",
    "row_number",       "dense_rank", "range_agg",
};

static int compare(const void *key, const void *item)
{
    const struct gw_span *name = key;
    const struct gw_bind_builtin *f = item;
    size_t n = strlen(f->name);
    int order = memcmp(name->p, f->name, name->n < n ? name->n : n);
    return order ? order : (name->n > n) - (name->n < n);
}

const struct gw_bind_builtin *gw_bind_builtin_find(struct gw_span name)
{
    if (name.n == 0)
        return NULL;
    return bsearch(&name, BUILTINS, sizeof BUILTINS / sizeof *BUILTINS, sizeof *BUILTINS, compare);
}

bool gw_bind_is_aggregate(struct gw_span name)
{
    for (size_t i = 0; i < sizeof AGGREGATES / sizeof *AGGREGATES; i++)
        if (gw_span_is(name, AGGREGATES[i]))
            return true;
    return false;
}

static bool is_one_of(const struct gw_bind_builtin *f, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(f->name, *names) == 0)
            return true;
    return false;
}

uint32_t gw_bind_builtin_type(const struct gw_binder *b, const struct gw_bind_builtin *f,
                              const struct gw_bound *call)
{
    static const char *const OF_TEXT[] = {"btrim",  "lower", "ltrim",     "overlay", "rtrim",
                                          "substr", "upper", "substring", NULL};
    static const char *const OF_FIRST[] = {
        "abs", "array_append", "array_cat", "array_remove", "array_replace", "trim_array", NULL};
    uint32_t first = call->n_args ? gw_bind_base_type(b, call->args[0]->type_oid) : 0;
    if (f->type)
        return f->type;
    if (is_one_of(f, OF_TEXT)) /* also of ranges and bytea */
        return gw_bind_is_textual(first) || first == GW_T_NAME || first == GW_T_BPCHAR ? GW_T_TEXT
                                                                                       : 0;
    if (is_one_of(f, OF_FIRST))
        return first;
    if (strcmp(f->name, "unnest") == 0)
        return gw_bind_element_of(b, first);
    bool is_zoned = strcmp(f->name, "date_trunc") == 0 && call->n_args > 1;
    uint32_t second = is_zoned ? gw_bind_base_type(b, call->args[1]->type_oid) : 0;
    return second == GW_T_TIMESTAMP || second == GW_T_TIMESTAMPTZ ? second : 0;
}
