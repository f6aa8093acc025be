/* setup_access: which tables do policies look into that no publication tells of? Their changes must
 * be followed, or the policies that read them are asked. They go into the access publication: into
 * the other one they would become subscribable. */
#include "setup_own.h"

#include <stdlib.h>

/* Bit per table of the catalog. */
struct wanted {
    const struct gw_catalog *catalog;
    bool *is_wanted; /* n_tables of the catalog */
};

static void want(struct wanted *w, uint32_t rel_oid)
{
    const struct gw_catalog_table *t = gw_catalog_table_find(w->catalog, rel_oid);
    if (t && !t->published && !t->followed)
        w->is_wanted[t - w->catalog->tables] = true;
}

/* What the compiled policies look up. */
static void want_of_rules(struct wanted *w, const struct gw_rules *rules)
{
    for (uint32_t i = 0; rules && i < rules->n_plans; i++)
        for (uint32_t k = 0; k < rules->plans[i].n_tables; k++)
            want(w, rules->tables[rules->plans[i].tables[k]].oid);
}

/* What those that are asked for now would. */
static void want_of_asked(struct wanted *w, const struct gw_catalog_table *t)
{
    for (uint32_t role_id = 0; role_id < w->catalog->n_roles; role_id++) {
        const struct gw_table_access *access = &t->access[role_id];
        bool is_asked = access->path == GW_PATH_ASKED;
        for (uint32_t i = 0; is_asked && i < access->depends.n_lookups; i++)
            want(w, access->depends.lookups[i].rel_oid);
    }
}

static void add(struct gw_setup *s, const struct gw_catalog_table *t)
{
    struct gw_buf name, sql;
    gw_buf_init(&name, 0);
    gw_buf_init(&sql, 0);
    gw_cmd_add_table(&name, t);
    gw_buf_add_str(&sql, "ALTER PUBLICATION ");
    gw_cmd_add_ident(&sql, gw_span_of(s->settings.access_publication));
    gw_buf_printf(&sql, " ADD TABLE %s;", gw_buf_cstr(&name));
    if (!*s->settings.access_publication)
        gw_setup_say(s, GW_SETUP_PROPOSE,
                     "policies look into %s, which no publication has: set access_publication and "
                     "run setup again",
                     gw_buf_cstr(&name));
    else if (!t->has_identity)
        gw_setup_say(s, GW_SETUP_PROPOSE,
                     "policies look into %s: it needs a primary key, or ALTER TABLE %s REPLICA "
                     "IDENTITY FULL; then %s",
                     gw_buf_cstr(&name), gw_buf_cstr(&name), gw_buf_cstr(&sql));
    else if (s->all_tables)
        gw_setup_run(s, &sql);
    else
        gw_setup_say(s, GW_SETUP_PROPOSE, "%s -- policies look into it (--all-tables does it)",
                     gw_buf_cstr(&sql));
    gw_buf_fini(&name);
    gw_buf_fini(&sql);
}

void gw_setup_access(struct gw_setup *s, const struct gw_catalog *c)
{
    struct wanted w = {c, gw_alloc(c->n_tables + 1)};
    unsigned n = 0;
    want_of_rules(&w, c->rules);
    for (uint32_t i = 0; i < c->n_tables; i++)
        if (c->tables[i].published)
            want_of_asked(&w, &c->tables[i]);
    for (uint32_t i = 0; i < c->n_tables; i++) {
        if (!w.is_wanted[i])
            continue;
        add(s, &c->tables[i]);
        n++;
    }
    if (n == 0)
        gw_setup_say(s, GW_SETUP_OK, "what policies look into is published or followed");
    free(w.is_wanted);
}
