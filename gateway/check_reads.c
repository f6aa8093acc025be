/* check_reads: what policies need of tables, whichever way they are judged: what plans name, and
 * what is known of those that are asked. */
#include "check_own.h"

/* ---- what a policy reads of the row it is about ---- */

static bool plan_reads(const struct gw_plan *plan, unsigned column)
{
    for (uint32_t i = 0; plan && i < plan->n_reads; i++)
        if (plan->reads[i] == column)
            return true;
    return false;
}

bool gw_check_is_read(const struct gw_catalog *c, const struct gw_catalog_table *t, unsigned column)
{
    for (uint32_t role_id = 0; role_id < c->n_roles; role_id++) {
        const struct gw_table_access *access = &t->access[role_id];
        bool is_asked = access->path == GW_PATH_ASKED;
        bool is_solved = access->path == GW_PATH_SOLVED || access->path == GW_PATH_ASSISTED;
        if (is_asked && gw_colset_has(&access->reads, column))
            return true;
        if (is_solved && plan_reads(access->plan, column))
            return true;
    }
    return false;
}

/* ---- what policies look up elsewhere ---- */

static const struct gw_lookup *asked_lookup(const struct gw_table_access *access, uint32_t oid)
{
    for (uint32_t i = 0; access->path == GW_PATH_ASKED && i < access->depends.n_lookups; i++)
        if (access->depends.lookups[i].rel_oid == oid)
            return &access->depends.lookups[i];
    return NULL;
}

bool gw_check_is_looked_into(const struct gw_catalog *c, uint32_t oid)
{
    if (c->rules && gw_rules_table_find(c->rules, oid) >= 0)
        return true;
    for (uint32_t t = 0; t < c->n_tables; t++)
        for (uint32_t i = 0; c->tables[t].published && i < c->n_roles; i++)
            if (asked_lookup(&c->tables[t].access[i], oid))
                return true;
    return false;
}

struct gw_colset gw_check_wanted(const struct gw_catalog *c, const struct gw_catalog_table *t)
{
    struct gw_colset wanted = {0};
    int at = c->rules ? gw_rules_table_find(c->rules, t->oid) : -1;
    for (unsigned i = 0; t->published && i < t->n_columns; i++)
        if (gw_check_is_read(c, t, i))
            gw_colset_add(&wanted, i);
    for (uint32_t i = 0; at >= 0 && i < c->rules->tables[at].n_columns; i++) {
        int column = gw_catalog_column_find(t, c->rules->tables[at].columns[i].name);
        if (column >= 0)
            gw_colset_add(&wanted, (unsigned)column);
    }
    return wanted;
}

/* ---- words ---- */

void gw_check_add_columns(struct gw_buf *out, const struct gw_catalog_table *t,
                          const struct gw_colset *set)
{
    const char *before = "";
    for (unsigned i = 0; i < t->n_columns; i++) {
        if (!gw_colset_has(set, i))
            continue;
        gw_buf_add_str(out, before);
        gw_buf_add_span(out, t->columns[i].name);
        before = ", ";
    }
}

/* As quote_ident has it, keywords aside. */
static bool is_plain(struct gw_span name)
{
    for (size_t i = 0; i < name.n; i++) {
        char ch = name.p[i];
        bool is_letter = (ch >= 'a' && ch <= 'z') || ch == '_';
        bool is_digit = ch >= '0' && ch <= '9';
        if (!is_letter && !(is_digit && i > 0))
            return false;
    }
    return name.n > 0;
}

static void add_ident(struct gw_buf *out, struct gw_span name)
{
    if (is_plain(name))
        gw_buf_add_span(out, name);
    else
        gw_cmd_add_ident(out, name);
}

void gw_check_add_name(struct gw_buf *out, struct gw_span schema, struct gw_span name)
{
    add_ident(out, schema);
    gw_buf_add_byte(out, '.');
    add_ident(out, name);
}

void gw_check_add_line(struct gw_buf *out, struct gw_span text)
{
    bool is_blank = false;
    for (size_t i = 0; i < text.n; i++) {
        bool was_blank = is_blank;
        is_blank = text.p[i] == ' ' || text.p[i] == '\n' || text.p[i] == '\t' || text.p[i] == '\r';
        if (!is_blank)
            gw_buf_add_byte(out, text.p[i]);
        else if (!was_blank)
            gw_buf_add_byte(out, ' ');
    }
}
