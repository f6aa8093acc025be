/* check_paths: one line per table and role, and one per policy of a plan: how those who may see a
 * row are found, and why not in a better way. The policies on realtime.messages stand under two
 * names, one for receiving, one for sending. */
#include "check_own.h"

#include <stdio.h>

static const char *plan_path_name(enum gw_plan_path path)
{
    static const char *const names[] = {"solved", "assisted", "asked"};
    return names[path];
}

static void print_policy(const struct gw_check *c, const char *table, const struct gw_plan *plan,
                         const struct gw_plan_policy *policy)
{
    struct gw_span role = c->catalog->roles[plan->role_id];
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_cmd_add_ident(&b, policy->name);
    gw_buf_printf(&b, "  %.*s  %s%s", (int)role.n, role.p, plan_path_name(policy->path),
                  policy->permissive ? "" : "  restrictive");
    gw_buf_add_str(&b, policy->why.n ? "  " : "");
    gw_check_add_line(&b, policy->why);
    printf("policy  %s  %s\n", table, gw_buf_cstr(&b));
    gw_buf_fini(&b);
}

static void print_plan(const struct gw_check *c, const char *table, const struct gw_plan *plan)
{
    for (uint32_t i = 0; plan && i < plan->n_policies; i++)
        print_policy(c, table, plan, &plan->policies[i]);
}

static void print_path(const struct gw_check *c, const char *table, unsigned role_id,
                       const char *path, struct gw_span why)
{
    struct gw_span role = c->catalog->roles[role_id];
    struct gw_buf b;
    gw_buf_init(&b, 0);
    gw_check_add_line(&b, why);
    printf("path  %s  %.*s  %s%s%s\n", table, (int)role.n, role.p, path, b.n ? "  " : "",
           gw_buf_cstr(&b));
    gw_buf_fini(&b);
}

static bool is_present(const struct gw_check *c, unsigned role_id)
{
    return (c->catalog->roles_present >> role_id & 1) != 0;
}

static void print_table(const struct gw_check *c, const struct gw_catalog_table *t)
{
    struct gw_buf name;
    gw_buf_init(&name, 0);
    gw_check_add_name(&name, t->schema, t->name);
    for (unsigned role_id = 0; role_id < c->catalog->n_roles; role_id++) {
        const struct gw_table_access *access = &t->access[role_id];
        bool is_asked = access->path == GW_PATH_ASKED && access->plan;
        if (!is_present(c, role_id))
            continue;
        print_path(c, gw_buf_cstr(&name), role_id, gw_path_name(access->path),
                   is_asked ? access->plan->why : (struct gw_span){0});
        print_plan(c, gw_buf_cstr(&name), access->plan);
    }
    gw_buf_fini(&name);
}

/* ---- private topics ---- */

static const char *topic_path(const struct gw_catalog_table *t,
                              const struct gw_table_access *access, const struct gw_plan *plan,
                              bool is_write)
{
    bool may = is_write ? access->may_insert : !gw_colset_is_empty(&access->columns);
    if (!access->has_schema_usage || !may)
        return "nobody";
    if (!is_write)
        return gw_path_name(access->path);
    if (!t->rls_enabled || access->bypasses_rls)
        return "everyone";
    return plan ? plan_path_name(plan->path) : "nobody";
}

static void print_topics(struct gw_check *c, const struct gw_catalog_table *t, bool is_write)
{
    const char *name = is_write ? "realtime.messages/write" : "realtime.messages/read";
    for (unsigned role_id = 0; role_id < c->catalog->n_roles; role_id++) {
        const struct gw_plan *plan =
            c->catalog->rules ? gw_rules_plan(c->catalog->rules, t->oid, role_id, is_write) : NULL;
        const char *path = topic_path(t, &t->access[role_id], plan, is_write);
        bool is_asked = plan && plan->path == GW_PLAN_ASKED && strcmp(path, "asked") == 0;
        if (!is_present(c, role_id))
            continue;
        print_path(c, name, role_id, path, is_asked ? plan->why : (struct gw_span){0});
        print_plan(c, name, plan);
        if (is_asked)
            gw_check_say(c, GW_CHECK_WARNING, name,
                         "there is nobody to ask about a topic: no private topic is open to %.*s",
                         (int)c->catalog->roles[role_id].n, c->catalog->roles[role_id].p);
    }
}

void gw_check_paths(struct gw_check *c)
{
    const struct gw_catalog_table *messages =
        gw_catalog_table_named(c->catalog, GW_SPAN_LIT("realtime"), GW_SPAN_LIT("messages"));
    putchar('\n');
    for (uint32_t i = 0; i < c->catalog->n_tables; i++)
        if (c->catalog->tables[i].published)
            print_table(c, &c->catalog->tables[i]);
    if (!messages)
        return;
    print_topics(c, messages, false);
    print_topics(c, messages, true);
}
