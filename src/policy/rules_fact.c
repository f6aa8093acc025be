/* rules_fact: what a fact is, in few words: casts and NULLIF(x, '') are left out, the claims are
 * "claims", a key of them is "claims.key". Facts that only Postgres evaluates show their SQL. */
#include "rules_own.h"

#define FACT_DEPTH_MAX 100u
#define FACT_SQL_MAX 160u

struct printer {
    struct gw_buf *out;
    uint32_t depth;
};

static void print(struct printer *p, const struct gw_fact_expr *x);

static void print_list(struct printer *p, const struct gw_fact_expr *x, uint32_t from)
{
    for (uint32_t i = from; i < x->n_args; i++) {
        if (i > from)
            gw_buf_add_str(p->out, ", ");
        print(p, x->args[i]);
    }
}

static void print_call(struct printer *p, const char *name, const struct gw_fact_expr *x)
{
    gw_buf_add_str(p->out, name);
    gw_buf_add_byte(p->out, '(');
    print_list(p, x, 0);
    gw_buf_add_byte(p->out, ')');
}

static void print_setting(struct printer *p, struct gw_span name)
{
    static const struct gw_span head = GW_SPAN_LIT("request.jwt.");
    if (name.n > head.n && memcmp(name.p, head.p, head.n) == 0) {
        name.p += head.n;
        name.n -= head.n;
    }
    gw_buf_add_span(p->out, name);
}

static void print_const(struct printer *p, const struct gw_fact_expr *x)
{
    if (x->is_null) {
        gw_buf_add_str(p->out, "null");
        return;
    }
    gw_buf_add_byte(p->out, '\'');
    gw_buf_add_span(p->out, x->text);
    gw_buf_add_byte(p->out, '\'');
}

/* x -> 'key' is x.key. */
static bool print_path(struct printer *p, const struct gw_fact_expr *x)
{
    bool is_get = x->fn == GW_FN_JSON_GET || x->fn == GW_FN_JSON_GET_TEXT;
    if (!is_get || x->args[1]->op != GW_FACT_CONST || x->args[1]->is_null)
        return false;
    print(p, x->args[0]);
    gw_buf_add_byte(p->out, '.');
    gw_buf_add_span(p->out, x->args[1]->text);
    return true;
}

static bool is_cast(enum gw_native_fn fn)
{
    switch (fn) {
    case GW_FN_TEXT_TO_UUID:
    case GW_FN_TEXT_TO_INT2:
    case GW_FN_TEXT_TO_INT4:
    case GW_FN_TEXT_TO_INT8:
    case GW_FN_TEXT_TO_BOOL:
    case GW_FN_TO_TEXT:
    case GW_FN_TEXT_TO_JSONB:
    case GW_FN_TEXT_TO_JSON:
        return true;
    default:
        return false;
    }
}

static void print_native(struct printer *p, const struct gw_fact_expr *x)
{
    if (is_cast(x->fn))
        print(p, x->args[0]);
    else if (!print_path(p, x))
        print_call(p, gw_natives[x->fn].name, x);
}

static void print_nullif(struct printer *p, const struct gw_fact_expr *x)
{
    const struct gw_fact_expr *b = x->args[1];
    if (b->op == GW_FACT_CONST && !b->is_null && b->text.n == 0)
        print(p, x->args[0]);
    else
        print_call(p, "nullif", x);
}

static void print_compare(struct printer *p, const struct gw_fact_expr *x)
{
    static const char *const names[] = {
        [GW_CMP_EQ] = " = ",
        [GW_CMP_NE] = " <> ",
        [GW_CMP_LT] = " < ",
        [GW_CMP_LE] = " <= ",
        [GW_CMP_GT] = " > ",
        [GW_CMP_GE] = " >= ",
        [GW_CMP_DISTINCT] = " is distinct from ",
    };
    print(p, x->args[0]);
    gw_buf_add_str(p->out, names[x->cmp]);
    print(p, x->args[1]);
}

static void print_op(struct printer *p, const struct gw_fact_expr *x)
{
    static const char *const tests[] = {"is_true", "is_false", "is_unknown"};
    switch (x->op) {
    case GW_FACT_CONST:
        print_const(p, x);
        break;
    case GW_FACT_SETTING:
        print_setting(p, x->text);
        break;
    case GW_FACT_ROLE:
        gw_buf_add_str(p->out, "role");
        break;
    case GW_FACT_NATIVE:
        print_native(p, x);
        break;
    case GW_FACT_COMPARE:
        print_compare(p, x);
        break;
    case GW_FACT_NULLIF:
        print_nullif(p, x);
        break;
    case GW_FACT_AND:
        print_call(p, "and", x);
        break;
    case GW_FACT_OR:
        print_call(p, "or", x);
        break;
    case GW_FACT_NOT:
        print_call(p, "not", x);
        break;
    case GW_FACT_IS_NULL:
        print_call(p, "is_null", x);
        break;
    case GW_FACT_IS:
        print_call(p, tests[x->test], x);
        break;
    case GW_FACT_COALESCE:
        print_call(p, "coalesce", x);
        break;
    case GW_FACT_CASE:
        print_call(p, "case", x);
        break;
    case GW_FACT_IN:
        print_call(p, "in", x);
        break;
    case GW_FACT_ELEMENTS:
        print_call(p, "elements", x);
        break;
    case GW_FACT_CAST_EACH:
        print(p, x->args[0]);
        break;
    case GW_FACT_ARRAY:
        print_call(p, "array", x);
        break;
    }
}

static void print(struct printer *p, const struct gw_fact_expr *x)
{
    if (p->depth >= FACT_DEPTH_MAX) {
        gw_buf_add_str(p->out, "…");
        return;
    }
    p->depth++;
    print_op(p, x);
    p->depth--;
}

void gw_rules_print_fact(struct gw_buf *out, const struct gw_fact_def *def)
{
    struct printer p = {.out = out};
    if (def->native) {
        print(&p, def->native);
        return;
    }
    bool is_long = def->sql.n > FACT_SQL_MAX;
    gw_buf_add_span(out, (struct gw_span){def->sql.p, is_long ? FACT_SQL_MAX : def->sql.n});
    gw_buf_add_str(out, is_long ? "…" : "");
}
