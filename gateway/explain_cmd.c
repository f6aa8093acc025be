/* DESIGN. The report follows a question from left to right: the row, the caller, each policy that
 * applies with what it looks up and comes to, then all together, then Postgres. It is made by the
 * parts that serve is made of (catalog, compiler, solver, facts), over the same data in one
 * snapshot; if Postgres says otherwise, it is Rowcast that is wrong, and the report is what is
 * needed to find out where. What stops the report goes to stderr, with a remedy. */
#include "explain_cmd.h"

#include "catalog_once.h"
#include "explain_own.h"

#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: rowcast explain --user ID | --claims JSON [--role ROLE]\n"
    "                       --table [SCHEMA.]TABLE --pk KEY[,KEY…] | --pk JSON [settings]\n\n"
    "Says why a user does or does not see a row: the policies that apply, what they look up, what\n"
    "they come to, and what Postgres itself answers in the same snapshot. Changes nothing.\n\n"
    "  --user ID        claims {\"sub\": ID, \"role\": ROLE}\n"
    "  --claims JSON    the claims of a token, as an object\n"
    "  --role ROLE      default: that of the claims, then default_role, then authenticated\n"
    "  --table NAME     schema public unless named; a name with a dot stands in \"quotes\"\n"
    "  --pk KEY[,KEY…]  the primary key, in its order; or '{\"column\": value}'\n\n"
    "Exit code 0: explained. 1: it failed, or Rowcast and Postgres differ. 2: usage.\n\n";

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- the table ---- */

static bool is_view(const struct gw_explain *x)
{
    for (uint32_t i = 0; i < x->catalog->n_views; i++)
        if (gw_span_eq(x->catalog->views[i].schema, x->schema) &&
            gw_span_eq(x->catalog->views[i].name, x->name))
            return true;
    return false;
}

static enum gw_code refuse_table(const struct gw_explain *x, struct gw_err *err)
{
    if (is_view(x)) {
        gw_err_set(err, GW_E_NOT_FOUND,
                   "%s is a view or a foreign table: the log has no changes "
                   "of it",
                   x->args.table);
        gw_err_hint(err, "ask about the tables it reads");
        return GW_E_NOT_FOUND;
    }
    gw_err_set(err, GW_E_NOT_FOUND, "there is no table %.*s.%.*s", (int)x->schema.n, x->schema.p,
               (int)x->name.n, x->name.p);
    for (uint32_t i = 0; i < x->catalog->n_tables; i++) {
        const struct gw_catalog_table *t = &x->catalog->tables[i];
        if (gw_span_eq(t->name, x->name))
            gw_err_hint(err, "there is %.*s.%.*s", (int)t->schema.n, t->schema.p, (int)t->name.n,
                        t->name.p);
    }
    return GW_E_NOT_FOUND;
}

static enum gw_code find_table(struct gw_explain *x, struct gw_err *err)
{
    enum gw_code code = gw_catalog_once(x->settings, &x->catalog, err);
    if (code != GW_OK)
        return code;
    unsigned role_id = x->claims->role_id;
    x->table = gw_catalog_table_named(x->catalog, x->schema, x->name);
    if (!x->table)
        return refuse_table(x, err);
    x->access = &x->table->access[role_id];
    if (x->catalog->roles_present >> role_id & 1)
        return GW_OK;
    gw_err_set(err, GW_E_PRIVILEGE, "role %s does not exist, or query_url may not SET ROLE to it",
               x->claims->role.p);
    gw_err_hint(err,
                "CREATE ROLE, or GRANT it to the login of query_url; rowcast check says which");
    return GW_E_PRIVILEGE;
}

/* ---- what Rowcast says ---- */

enum answer { ANSWER_HIDDEN, ANSWER_VISIBLE, ANSWER_NONE };

static enum answer explain_nobody(const struct gw_explain *x)
{
    const char *role = x->claims->role.p;
    if (!x->access->has_schema_usage)
        gw_explain_say("rowcast", "not visible: %s has no USAGE on schema %.*s", role,
                       (int)x->schema.n, x->schema.p);
    else if (gw_colset_is_empty(&x->access->columns))
        gw_explain_say("rowcast", "not visible: %s may not SELECT any column (GRANT SELECT ON …)",
                       role);
    else
        gw_explain_say("rowcast", "not visible: row security is on, and no policy lets %s read",
                       role);
    return ANSWER_HIDDEN;
}

static enum answer explain_everyone(const struct gw_explain *x)
{
    const char *role = x->claims->role.p;
    const char *why = !x->table->rls_enabled    ? "row security is off"
                      : x->access->bypasses_rls ? "the role sees past row security"
                                                : "a policy is just true";
    gw_explain_say("rowcast", "visible: to everyone of role %s, because %s", role, why);
    return ANSWER_VISIBLE;
}

static enum answer explain_solved(struct gw_explain *x)
{
    const struct gw_plan *plan = x->access->plan;
    struct gw_explain_facts *facts = gw_explain_find_facts(x, plan);
    struct gw_explain_solver *solver = gw_explain_solver_new(x, plan, facts);
    bool is_visible = gw_explain_print_policies(x, solver, facts);
    gw_explain_solver_free(solver);
    return is_visible ? ANSWER_VISIBLE : ANSWER_HIDDEN;
}

static enum answer explain_asked(struct gw_explain *x)
{
    if (x->access->plan)
        gw_explain_print_policies(x, NULL, NULL);
    struct gw_span why = x->access->plan ? x->access->plan->why : (struct gw_span){0};
    gw_explain_say("rowcast", "asks Postgres, per caller and change%s%.*s",
                   why.n ? ", because " : "", (int)why.n, why.n ? why.p : "");
    return ANSWER_NONE;
}

static enum answer explain_row(struct gw_explain *x)
{
    if (!x->has_row) {
        gw_explain_say("rowcast", "not visible: there is no such row (who was told of its end was "
                                  "decided by its last image)");
        return ANSWER_HIDDEN;
    }
    switch (x->access->path) {
    case GW_PATH_NOBODY:
        return explain_nobody(x);
    case GW_PATH_EVERYONE:
        return explain_everyone(x);
    case GW_PATH_SOLVED:
    case GW_PATH_ASSISTED:
        return x->access->plan ? explain_solved(x) : explain_asked(x);
    case GW_PATH_ASKED:
        break;
    }
    return explain_asked(x);
}

static enum answer explain_unpublished(const struct gw_explain *x)
{
    struct gw_buf table;
    gw_buf_init(&table, 0);
    gw_cmd_add_table(&table, x->table);
    gw_explain_say("rowcast", "tells nobody: the table is not in publication %s%s",
                   x->settings->publication,
                   x->table->followed ? ", it is only followed for the policies that read it" : "");
    gw_explain_say("", "fix: ALTER PUBLICATION \"%s\" ADD TABLE %s;", x->settings->publication,
                   gw_buf_cstr(&table));
    gw_buf_fini(&table);
    return ANSWER_NONE;
}

/* ---- what Postgres says ---- */

static enum answer explain_postgres(struct gw_explain *x)
{
    const char *when = x->is_one_snapshot ? "in the same snapshot" : "a moment later";
    struct gw_err why = {0};
    switch (gw_explain_ask(x, &why)) {
    case GW_EXPLAIN_VISIBLE:
        gw_explain_say("postgres", "visible, %s", when);
        return ANSWER_VISIBLE;
    case GW_EXPLAIN_HIDDEN:
        gw_explain_say("postgres", "not visible, %s", when);
        return ANSWER_HIDDEN;
    case GW_EXPLAIN_RAISED:
        gw_explain_say("postgres", "not visible, %s: %s", when, why.text);
        return ANSWER_HIDDEN;
    case GW_EXPLAIN_UNASKED:
        break;
    }
    gw_explain_say("postgres", "could not be asked: %s%s%s", why.text, *why.hint ? "; " : "",
                   why.hint);
    return ANSWER_NONE;
}

static int compare(const struct gw_explain *x, enum answer ours, enum answer theirs)
{
    if (ours == ANSWER_NONE || theirs == ANSWER_NONE || ours == theirs)
        return 0;
    gw_explain_say("DIFFERENT", "Rowcast says %s, Postgres says %s.",
                   ours == ANSWER_VISIBLE ? "visible" : "not visible",
                   theirs == ANSWER_VISIBLE ? "visible" : "not visible");
    gw_explain_say("", "%s",
                   x->is_one_snapshot
                       ? "One of the policies above is read wrongly: please report it with "
                         "this output."
                       : "The two were not asked in one snapshot: run it again to be sure.");
    return EXIT_FAILED;
}

/* ---- the course ---- */

static int fail(const struct gw_err *err)
{
    fprintf(stderr, "rowcast explain: %s%s%s\n", err->text, *err->hint ? "; " : "", err->hint);
    return err->code == GW_E_SETTING ? EXIT_USAGE : EXIT_FAILED;
}

static int explain(struct gw_explain *x)
{
    static enum gw_code (*const steps[])(struct gw_explain *, struct gw_err *) = {
        gw_explain_read_claims, gw_explain_read_table, gw_explain_read_key, find_table,
        gw_explain_open,        gw_explain_name_key,   gw_explain_read_row};
    struct gw_err err = {0};
    gw_explain_read_claim_settings(x);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if ((err.code = steps[i](x, &err)) != GW_OK)
            return fail(&err);
    gw_explain_print_row(x);
    gw_explain_print_caller(x);
    enum answer ours = x->table->published ? explain_row(x) : explain_unpublished(x);
    return compare(x, ours, explain_postgres(x));
}

static void forget(struct gw_explain *x)
{
    gw_explain_close(x);
    for (uint32_t i = 0; i < x->n_key; i++)
        free(x->key[i].text);
    gw_claims_unref(x->claims);
    gw_catalog_unref(x->catalog);
    gw_arena_fini(&x->arena);
}

/* Take the own flags out of argv; *rest counts what remains at its start. */
static int read_flags(struct gw_explain_args *a, int argc, char **argv, int *rest)
{
    const struct {
        const char *name, **value;
    } own[] = {{"--user", &a->user},
               {"--claims", &a->claims},
               {"--role", &a->role},
               {"--table", &a->table},
               {"--pk", &a->key}};
    const size_t n_own = sizeof own / sizeof *own;
    for (int i = 0; i < argc; i++) {
        size_t k = 0, n = strcspn(argv[i], "=");
        while (k < n_own && (strlen(own[k].name) != n || strncmp(argv[i], own[k].name, n) != 0))
            k++;
        if (k == n_own) {
            argv[(*rest)++] = argv[i];
            continue;
        }
        *own[k].value = argv[i][n] ? argv[i] + n + 1 : i + 1 < argc ? argv[++i] : "";
        if (!**own[k].value) {
            fprintf(stderr, "rowcast explain: %s needs a value\n", own[k].name);
            return EXIT_USAGE;
        }
    }
    return 0;
}

static void print_help(void)
{
    struct gw_buf help;
    gw_buf_init(&help, 0);
    gw_settings_help(&help);
    fputs(usage, stdout);
    fwrite(help.p, 1, help.n, stdout);
    gw_buf_fini(&help);
}

static void drop_log(enum gw_log_level level, struct gw_span line)
{
    (void)level;
    (void)line;
}

int gw_explain_cmd(int argc, char **argv)
{
    struct gw_settings settings;
    struct gw_explain x = {.settings = &settings};
    struct gw_err err = {0};
    int rest = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_help();
            return 0;
        }
    }
    int rc = read_flags(&x.args, argc, argv, &rest);
    if (rc != 0)
        return rc;
    if (gw_settings_load(&settings, rest, argv, &err) != GW_OK)
        return fail(&err);
    gw_log_set_sink(drop_log); /* what the links log is said by the report */
    gw_arena_init(&x.arena, 0);
    rc = explain(&x);
    forget(&x);
    gw_settings_fini(&settings);
    return rc;
}
