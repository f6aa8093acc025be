/* lower_info: what each sub-expression needs, found once per node and remembered.
 *
 * Stable functions of pg_catalog that answer from the session or from other catalogs
 * (pg_has_role, session_user, …) would answer otherwise on the connection that evaluates for us,
 * so only those listed are trusted. Stable functions of users may read tables: those that could be
 * read are inlined before lower sees them, the others are refused. */
#include "lower_internal.h"

void gw_lower_vars_add(struct gw_lower_vars *a, uint32_t number)
{
    if (number < GW_LOWER_VARS_MAX)
        a->w[number / 64] |= UINT64_C(1) << (number % 64);
}

bool gw_lower_vars_has(const struct gw_lower_vars *a, uint32_t number)
{
    return number < GW_LOWER_VARS_MAX && (a->w[number / 64] >> (number % 64) & 1) != 0;
}

bool gw_lower_vars_meet(const struct gw_lower_vars *a, const struct gw_lower_vars *b)
{
    for (size_t i = 0; i < sizeof a->w / sizeof *a->w; i++)
        if (a->w[i] & b->w[i])
            return true;
    return false;
}

/* ---- functions ---- */

static bool is_one_of(struct gw_span name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (gw_span_is_nocase(name, names[i]))
            return true;
    return false;
}
#define IS_ONE_OF(name, names) is_one_of(name, names, sizeof(names) / sizeof *(names))

/* Time itself, and what compares with it. */
static const char *const clock_functions[] = {"now", "transaction_timestamp", "statement_timestamp",
                                              "age"};

/* Stable by settings that are the same on all our connections (time zone, formats). */
static const char *const stable_functions[] = {
    "to_char",
    "to_date",
    "to_timestamp",
    "to_number",
    "date_trunc",
    "date_part",
    "extract",
    "timezone",
    "timestamptz",
    "timestamp",
    "date",
    "make_timestamptz",
    "concat",
    "concat_ws",
    "format",
    "array_to_string",
    "to_json",
    "to_jsonb",
    "json_build_object",
    "jsonb_build_object",
    "json_build_array",
    "jsonb_build_array",
    "row_to_json",
    "array_to_json",
    "to_tsvector",
    "to_tsquery",
    "plainto_tsquery",
    "phraseto_tsquery",
    "websearch_to_tsquery",
    "generate_series",
    "isfinite",
    "date_bin",
    "date_add",
    "date_subtract",
    "quote_literal",
    "quote_nullable",
    "string_to_array",
    "array_to_text",
    "jsonb_path_exists_tz",
};

static const char *const set_functions[] = {
    "jsonb_array_elements_text",
    "json_array_elements_text",
    "jsonb_array_elements",
    "json_array_elements",
    "jsonb_object_keys",
    "json_object_keys",
    "unnest",
    "regexp_split_to_table",
    "string_to_table",
    "generate_series",
    "regexp_matches",
    "jsonb_path_query",
    "jsonb_each",
    "jsonb_each_text",
    "json_each",
    "json_each_text",
    "generate_subscripts",
};

static const char *const immutable_forms[] = {"greatest", "least"}; /* syntax, not functions */

static const char *const clock_values[] = {"current_timestamp", "current_date", "current_time",
                                           "localtimestamp", "localtime"};

static uint32_t refuse_call(struct gw_lower *l, const struct gw_bound *node, const char *why)
{
    gw_lower_refuse(l, "calls %.*s, %s", (int)node->text.n, node->text.p, why);
    return 0;
}

static uint32_t bits_of_call(struct gw_lower *l, const struct gw_bound *node)
{
    struct gw_span name = gw_lower_builtin(node);
    uint32_t bits = 0;
    if (!node->fn && IS_ONE_OF(node->text, immutable_forms))
        return 0;
    if (node->volatility == 'v')
        return refuse_call(l, node, "which is volatile");
    if (IS_ONE_OF(name, set_functions) || (node->fn && node->fn->returns_set))
        bits |= GW_LOWER_SET;
    if (node->volatility == 'i')
        return bits;
    if (name.n == 0)
        return refuse_call(l, node, "whose body could not be taken in");
    if (IS_ONE_OF(name, clock_functions))
        return bits | GW_LOWER_STABLE | GW_LOWER_TIME;
    if (!IS_ONE_OF(name, stable_functions))
        return refuse_call(l, node, "whose answer depends on the session");
    return bits | GW_LOWER_STABLE;
}

static uint32_t bits_of_op(struct gw_lower *l, const struct gw_bound *node)
{
    bool is_foreign = node->text.n > 9 && memcmp(node->text.p, "OPERATOR(", 9) == 0;
    if (node->volatility == 'v')
        return refuse_call(l, node, "which is volatile");
    if (node->volatility == 's' && is_foreign)
        return refuse_call(l, node, "which is not immutable");
    return node->volatility == 's' ? GW_LOWER_STABLE : 0;
}

static uint32_t bits_of_setting(struct gw_span name)
{
    return gw_span_is_nocase(name, "realtime.topic") ? GW_LOWER_INPUT : GW_LOWER_CALLER;
}

static uint32_t own_bits(struct gw_lower *l, const struct gw_bound *node)
{
    switch (node->op) {
    case GW_B_COLUMN:
        return GW_LOWER_ROW;
    case GW_B_SETTING:
        return bits_of_setting(node->text);
    case GW_B_ROLE:
        return GW_LOWER_CALLER;
    case GW_B_CALL:
        return bits_of_call(l, node);
    case GW_B_OP:
        return bits_of_op(l, node);
    case GW_B_CAST:
        return gw_lower_cast_is_immutable(l, node->args[0]->type_oid, node->type_oid)
                   ? 0
                   : GW_LOWER_STABLE;
    case GW_B_VALUE_FN:
        if (IS_ONE_OF(node->text, clock_values))
            return GW_LOWER_STABLE | GW_LOWER_TIME;
        return refuse_call(l, node, "whose answer depends on the session");
    case GW_B_WHOLE_ROW:
        gw_lower_refuse(l, "uses a whole row of %.*s", (int)node->var->table->name.n,
                        node->var->table->name.p);
        return GW_LOWER_ROW;
    default:
        return 0;
    }
}

/* ---- the walk ---- */

static void take(struct gw_lower *l, struct gw_lower_info *info, const struct gw_bound *part)
{
    if (!part)
        return;
    const struct gw_lower_info *inner = gw_lower_info(l, part);
    info->bits |= inner->bits;
    info->n_nodes += inner->n_nodes;
    if (info->n_nodes > GW_LOWER_NODES_MAX)
        info->n_nodes = GW_LOWER_NODES_MAX + 1;
    for (size_t i = 0; i < sizeof info->vars.w / sizeof *info->vars.w; i++)
        info->vars.w[i] |= inner->vars.w[i];
}

static void take_var(struct gw_lower *l, struct gw_lower_info *info, uint32_t number)
{
    if (number >= GW_LOWER_VARS_MAX)
        gw_lower_refuse(l, "looks into more than %u tables", GW_LOWER_VARS_MAX - 1);
    gw_lower_vars_add(&info->vars, number);
}

static void take_select(struct gw_lower *l, struct gw_lower_info *info,
                        const struct gw_bound_select *select)
{
    bool has_from = false;
    for (uint32_t i = 0; i < select->n_arms; i++) {
        const struct gw_bound_arm *arm = &select->arms[i];
        has_from |= arm->n_from > 0;
        for (uint32_t k = 0; k < arm->n_from; k++) {
            take_var(l, info, arm->from[k].var->number);
            take(l, info, arm->from[k].on);
            take(l, info, arm->from[k].guard);
        }
        take(l, info, arm->where);
        take(l, info, arm->target);
    }
    info->bits &= ~(uint32_t)GW_LOWER_SET; /* taken in as rows */
    if (has_from)
        info->bits |= GW_LOWER_SUB | GW_LOWER_ROW;
}

const struct gw_lower_info *gw_lower_info(struct gw_lower *l, const struct gw_bound *node)
{
    struct gw_lower_info *info = gw_idmap_find(&l->infos, (uintptr_t)node);
    if (info)
        return info;
    info = gw_arena_alloc(l->r->scratch, sizeof *info);
    gw_idmap_put(&l->infos, (uintptr_t)node, info);
    info->n_nodes = 1;
    if (node->op == GW_B_SUB)
        take_select(l, info, node->select);
    for (uint32_t i = 0; i < node->n_args; i++)
        take(l, info, node->args[i]);
    if (node->op == GW_B_COLUMN)
        take_var(l, info, node->var->number);
    info->bits |= own_bits(l, node);
    return info;
}

bool gw_lower_is_never_null(const struct gw_lower *l, const struct gw_bound *node)
{
    if (node->op == GW_B_CONST)
        return !node->is_null;
    return node->op == GW_B_COLUMN && node->var->table->columns[node->column].is_not_null &&
           !gw_lower_vars_has(&l->outer_joined, node->var->number);
}

bool gw_lower_is_caller_free(struct gw_lower *l, const struct gw_bound *node)
{
    return (gw_lower_info(l, node)->bits & GW_LOWER_CALLER) == 0;
}

bool gw_lower_is_caller_only(struct gw_lower *l, const struct gw_bound *node)
{
    uint32_t bits = gw_lower_info(l, node)->bits;
    uint32_t others = GW_LOWER_ROW | GW_LOWER_INPUT | GW_LOWER_SUB | GW_LOWER_SET | GW_LOWER_TIME;
    return (bits & GW_LOWER_CALLER) != 0 && (bits & others) == 0;
}
