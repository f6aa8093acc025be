/* explain_print: the report, for people: a subject on the left, what is to be said of it beside it.
 */
#include "explain_own.h"

#include <stdarg.h>
#include <stdio.h>

#define SUBJECT_WIDTH 10
#define VALUE_BYTES 200

/* ---- lines ---- */

void gw_explain_say(const char *subject, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    printf("%-*s ", SUBJECT_WIDTH, subject);
    vprintf(fmt, args);
    putchar('\n');
    va_end(args);
}

/* Each line of text, further in. */
static void print_block(const char *indent, struct gw_span text)
{
    while (text.n > 0) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;
        printf("%*s %s%.*s\n", SUBJECT_WIDTH, "", indent, (int)n, text.p);
        text.p += n + (end ? 1 : 0);
        text.n -= n + (end ? 1 : 0);
    }
}

static void add_text(struct gw_buf *out, struct gw_span text)
{
    size_t n = text.n < VALUE_BYTES ? text.n : VALUE_BYTES;
    while (n < text.n && n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n--; /* not within a character */
    for (size_t i = 0; i < n; i++)
        gw_buf_add_byte(out, (unsigned char)text.p[i] < ' ' ? ' ' : text.p[i]);
    if (n < text.n)
        gw_buf_add_str(out, "…");
}

void gw_explain_add_value(struct gw_buf *out, const struct gw_datum *d)
{
    struct gw_datum copy = *d;
    char text[40];
    switch (d->state) {
    case GW_DATUM_NULL:
        gw_buf_add_str(out, "null");
        return;
    case GW_DATUM_UNKNOWN:
        gw_buf_add_str(out, "(not known)");
        return;
    case GW_DATUM_ERROR:
        gw_buf_add_str(out, "(raises an error)");
        return;
    case GW_DATUM_VALUE:
        break;
    }
    if (d->text.p || gw_datum_restore_text(&copy, text))
        add_text(out, copy.text);
    else
        gw_buf_add_str(out, "(a long text)");
}

/* ---- SQL, for people ---- */

static const char *skip(const char *p, const char *end, const char *prefix)
{
    size_t n = strlen(prefix);
    return (size_t)(end - p) >= n && memcmp(p, prefix, n) == 0 ? p + n : NULL;
}

/* The compiler's SQL names every schema and quotes every name; people know where text comes from.
 */
void gw_explain_add_sql(struct gw_buf *out, struct gw_span sql)
{
    const char *end = sql.p + sql.n, *next;
    for (const char *p = sql.p; p < end;) {
        if ((next = skip(p, end, "pg_catalog.\"")) && memchr(next, '"', (size_t)(end - next))) {
            const char *quote = memchr(next, '"', (size_t)(end - next));
            gw_buf_add(out, next, (size_t)(quote - next));
            p = quote + 1;
        } else if ((next = skip(p, end, "OPERATOR(pg_catalog.")) &&
                   memchr(next, ')', (size_t)(end - next))) {
            const char *close = memchr(next, ')', (size_t)(end - next));
            gw_buf_add(out, next, (size_t)(close - next));
            p = close + 1;
        } else if ((next = skip(p, end, "pg_catalog."))) {
            p = next;
        } else {
            gw_buf_add_byte(out, *p++);
        }
    }
}

/* Facts have numbers in the report: $1, $2, …; here their SQL gives way to them. */
static void add_numbered(struct gw_buf *out, const struct gw_explain *x, struct gw_span text)
{
    const struct gw_plan *plan = x->access->plan;
    const char *end = text.p + text.n;
    for (const char *p = text.p; p < end;) {
        size_t longest = 0;
        uint32_t number = 0;
        for (uint32_t i = 0; i < plan->n_facts; i++) {
            struct gw_span sql = x->catalog->rules->facts[plan->facts[i]].sql;
            if (sql.n > longest && sql.n <= (size_t)(end - p) && memcmp(p, sql.p, sql.n) == 0) {
                longest = sql.n;
                number = i + 1;
            }
        }
        if (longest > 0)
            gw_buf_printf(out, "$%u", number);
        else
            gw_buf_add_byte(out, *p);
        p += longest > 0 ? longest : 1;
    }
}

/* ---- row and caller ---- */

static void print_cell(const struct gw_explain *x, unsigned i)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_buf_add_span(&b, x->table->columns[i].name);
    gw_buf_add_str(&b, " = ");
    if (x->cells[i].state == GW_DATUM_UNKNOWN) /* not well formed for its kind, but there */
        add_text(&b, x->cells[i].text);
    else
        gw_explain_add_value(&b, &x->cells[i]);
    if (!gw_colset_has(&x->access->columns, i))
        gw_buf_add_str(&b, "   (the role may not SELECT it: it is left out)");
    print_block("  ", gw_buf_span(&b));
    gw_buf_fini(&b);
}

void gw_explain_print_row(const struct gw_explain *x)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_buf_add_span(&b, x->schema);
    gw_buf_add_byte(&b, '.');
    gw_buf_add_span(&b, x->name);
    for (uint32_t i = 0; i < x->n_key; i++)
        gw_buf_printf(&b, "%s%.*s = %s", i ? ", " : " with ", (int)x->key[i].column.n,
                      x->key[i].column.p, x->key[i].text);
    gw_explain_say("row", "%s%s", gw_buf_cstr(&b), x->has_row ? "" : ": there is none");
    for (unsigned i = 0; x->has_row && i < x->table->n_columns; i++)
        print_cell(x, i);
    gw_buf_fini(&b);
}

void gw_explain_print_caller(const struct gw_explain *x)
{
    const struct gw_claims *c = x->claims;
    gw_explain_say("caller", "role %s, %s%s", c->role.p, c->sub.n ? "sub " : "no sub", c->sub.p);
    print_block("  claims ", c->json);
}

/* ---- policies ---- */

static const char *const paths[] = {"solved", "assisted", "asked"};
static const char *const truths[] = {
    [GW_EXPLAIN_TRUE] = "true",
    [GW_EXPLAIN_FALSE] = "false",
    [GW_EXPLAIN_NULL] = "null, which is not true",
    [GW_EXPLAIN_UNKNOWN] = "not known, and unknown is denied",
    [GW_EXPLAIN_ERROR] = "an error, and who meets one sees nothing",
    [GW_EXPLAIN_TOO_BIG] = "past a bound of the solver, and so denied",
};

static struct gw_span text_of_policy(const struct gw_explain *x, struct gw_span name)
{
    for (uint32_t i = 0; i < x->table->n_policies; i++)
        if (gw_span_eq(x->table->policies[i].name, name))
            return x->table->policies[i].qual;
    return (struct gw_span){0};
}

static void print_head(const struct gw_explain *x, const struct gw_plan_policy *p)
{
    struct gw_span qual = text_of_policy(x, p->name);
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_cmd_add_ident(&b, p->name);
    gw_buf_printf(&b, ", %s, %s", p->permissive ? "permissive" : "restrictive", paths[p->path]);
    if (p->why.n > 0)
        gw_buf_printf(&b, ": %.*s", (int)p->why.n, p->why.p);
    gw_explain_say("policy", "%s", gw_buf_cstr(&b));
    print_block("  using ", qual.n ? qual : GW_SPAN_LIT("true"));
    gw_buf_fini(&b);
}

static void print_formula(const struct gw_explain *x, const char *words, const struct gw_formula *f)
{
    struct gw_buf b, numbered;
    if (!f)
        return;
    gw_buf_init(&b, 0);
    gw_buf_init(&numbered, 0);
    gw_buf_add_str(&numbered, words);
    gw_formula_print(&b, x->catalog->rules, f);
    add_numbered(&numbered, x, gw_buf_span(&b));
    print_block("", gw_buf_span(&numbered));
    gw_buf_fini(&b);
    gw_buf_fini(&numbered);
}

/* What one policy, or all together, come to. */
static enum gw_explain_truth print_solution(const struct gw_explain *x,
                                            struct gw_explain_solver *solver,
                                            const struct gw_expr *expr, bool is_whole)
{
    struct gw_explain_solution s;
    struct gw_err err = {0};
    gw_explain_solve(solver, expr, &s, &err);
    if (!is_whole)
        print_block("  ", gw_buf_span(&s.steps));
    if (err.code != GW_OK)
        print_block("  could not be read: ", gw_span_of(err.text));
    print_formula(x, is_whole ? "  for whom " : "  true for whom ", s.formula);
    if (!is_whole)
        print_block("  for this caller it is ", gw_span_of(truths[s.truth]));
    enum gw_explain_truth truth = s.truth;
    gw_explain_solution_fini(&s);
    return truth;
}

/* The sentence at the end. */
struct verdict {
    struct gw_span let_in;   /* a permissive policy that is true */
    struct gw_span kept_out; /* a restrictive one that is not */
    enum gw_explain_truth kept_out_by;
};

static void note(struct verdict *v, const struct gw_plan_policy *p, enum gw_explain_truth truth)
{
    if (p->permissive && truth == GW_EXPLAIN_TRUE && !v->let_in.p)
        v->let_in = p->name;
    if (p->permissive || truth == GW_EXPLAIN_TRUE || v->kept_out.p)
        return;
    v->kept_out = p->name;
    v->kept_out_by = truth;
}

/* In the list of facts. */
static uint32_t number_of(const struct gw_plan *plan, uint32_t fact)
{
    uint32_t i = 0;
    while (i < plan->n_facts && plan->facts[i] != fact)
        i++;
    return i + 1;
}

static void print_verdict(const struct gw_explain *x, const struct verdict *v,
                          enum gw_explain_truth truth, const struct gw_explain_facts *facts)
{
    if (facts->trouble != UINT32_MAX) {
        bool raises = facts->facts[facts->trouble].state == GW_DATUM_ERROR;
        gw_explain_say("rowcast", "not visible: fact $%u %s for these claims",
                       number_of(x->access->plan, facts->trouble),
                       raises ? "raises an error" : "is not known");
    } else if (truth == GW_EXPLAIN_TRUE) {
        gw_explain_say("rowcast", "visible: policy \"%.*s\" is true for this caller",
                       (int)v->let_in.n, v->let_in.p ? v->let_in.p : "");
    } else if (v->kept_out.p) {
        gw_explain_say("rowcast", "not visible: restrictive policy \"%.*s\" is %s",
                       (int)v->kept_out.n, v->kept_out.p, truths[v->kept_out_by]);
    } else if (truth != GW_EXPLAIN_FALSE && truth != GW_EXPLAIN_NULL) {
        gw_explain_say("rowcast", "not visible: the answer is %s", truths[truth]);
    } else {
        gw_explain_say("rowcast", "not visible: no permissive policy is true for this caller");
    }
}

bool gw_explain_print_policies(struct gw_explain *x, struct gw_explain_solver *solver,
                               const struct gw_explain_facts *facts)
{
    const struct gw_plan *plan = x->access->plan;
    struct verdict v = {.let_in = {0}};
    if (solver)
        gw_explain_print_facts(x, plan, facts);
    for (uint32_t i = 0; i < plan->n_policies; i++) {
        const struct gw_plan_policy *p = &plan->policies[i];
        print_head(x, p);
        if (solver && p->expr)
            note(&v, p, print_solution(x, solver, p->expr, false));
    }
    if (!solver)
        return false;
    gw_explain_say("together", "they are true");
    enum gw_explain_truth truth = print_solution(x, solver, plan->expr, true);
    print_verdict(x, &v, truth, facts);
    return truth == GW_EXPLAIN_TRUE;
}

/* ---- facts ---- */

void gw_explain_print_facts(const struct gw_explain *x, const struct gw_plan *plan,
                            const struct gw_explain_facts *facts)
{
    struct gw_buf b;
    gw_buf_init(&b, 0);
    if (plan->n_facts > 0)
        gw_explain_say("facts", "of this caller:");
    for (uint32_t i = 0; i < plan->n_facts; i++) {
        uint32_t fact = plan->facts[i];
        gw_buf_reset(&b);
        gw_buf_printf(&b, "$%u: ", i + 1);
        gw_explain_add_sql(&b, x->catalog->rules->facts[fact].sql);
        gw_buf_add_str(&b, " = ");
        gw_explain_add_value(&b, &facts->texts[fact]);
        if (facts->differ[fact])
            gw_buf_add_str(&b, "   DIFFERENT: Rowcast works out another value");
        print_block("  ", gw_buf_span(&b));
    }
    gw_buf_fini(&b);
}
