/* The parts in the order of `serve`; the report is written as facts are found, so that a database
 * that hangs half-way has already told something. */
#include "check_cmd.h"

#include "catalog_once.h"
#include "check_own.h"

#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>

static const char usage[] =
    "usage: rowcast check [settings]\n\n"
    "Says whether serve would work with these settings and this database; how the readers of\n"
    "each published table are found; and what is weaker than it could be. Changes nothing.\n"
    "Exit code 0: it would work, perhaps with warnings. 1: it would not.\n\n";

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

void gw_check_say(struct gw_check *c, enum gw_check_mark mark, const char *subject, const char *fmt,
                  ...)
{
    static const char *const marks[] = {"ok", "note", "warning", "error"};
    va_list args;
    va_start(args, fmt);
    printf("%-8s %-22s ", marks[mark], subject);
    vprintf(fmt, args);
    putchar('\n');
    va_end(args);
    c->n_warnings += mark == GW_CHECK_WARNING;
    c->n_errors += mark == GW_CHECK_ERROR;
}

void gw_check_fix(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    printf("%-8s fix: ", "");
    vprintf(fmt, args);
    putchar('\n');
    va_end(args);
}

static void check_settings(struct gw_check *c)
{
    struct gw_err err = {0};
    if (gw_settings_check_serve(c->settings, &err) == GW_OK) {
        gw_check_say(c, GW_CHECK_OK, "settings", "are complete");
        return;
    }
    gw_check_say(c, GW_CHECK_ERROR, "settings", "%s", err.text);
    if (*err.hint)
        gw_check_fix("%s", err.hint);
}

static void check_catalog(struct gw_check *c)
{
    struct gw_catalog *catalog = NULL;
    struct gw_err err = {0};
    if (gw_catalog_once(c->settings, &catalog, &err) != GW_OK) {
        gw_check_say(c, GW_CHECK_ERROR, "catalog", "%s", err.text);
        if (*err.hint)
            gw_check_fix("%s", err.hint);
        return;
    }
    c->catalog = catalog;
    gw_check_tables(c);
    gw_check_paths(c);
    gw_check_state(c);
    gw_check_followed(c);
    gw_catalog_unref(catalog);
}

static int check(const struct gw_settings *settings)
{
    struct gw_check c = {.settings = settings};
    struct gw_err err = {0};
    check_settings(&c);
    c.pg = gw_cmd_connect(settings->database_url, &err);
    if (c.pg) {
        gw_check_server(&c);
        gw_check_logins(&c);
        check_catalog(&c);
    } else {
        gw_check_say(&c, GW_CHECK_ERROR, "database_url", "%s", err.text);
        if (*err.hint)
            gw_check_fix("%s", err.hint);
    }
    PQfinish(c.query);
    PQfinish(c.pg);
    printf("\n%s: %u errors, %u warnings, %u weaker\n",
           c.n_errors ? "serve would not work" : "serve would work", c.n_errors, c.n_warnings,
           c.n_weaker);
    return c.n_errors ? EXIT_FAILED : 0;
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

int gw_check_cmd(int argc, char **argv)
{
    struct gw_settings settings;
    struct gw_err err = {0};
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_help();
            return 0;
        }
    }
    if (gw_settings_load(&settings, argc, argv, &err) != GW_OK) {
        fprintf(stderr, "rowcast check: %s%s%s\n", err.text, *err.hint ? "; " : "", err.hint);
        return EXIT_USAGE;
    }
    gw_log_set_sink(drop_log); /* what the links log is said by the report */
    int rc = check(&settings);
    gw_settings_fini(&settings);
    return rc;
}
