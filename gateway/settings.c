/* Where settings come from: the file, then the environment, then flags are laid over one another
 * as text; what is left at the end is parsed once, by the table. So a value that is overridden is
 * never an error, and each error can tell where its value came from. */
#include "settings.h"

#include "settings_table.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTINGS_MAX 64
#define ENV_PREFIX "ROWCAST_"

/* One raw value and its origin, in words. */
struct raw {
    char *value;
    char origin[256];
};

struct load {
    struct raw raw[SETTINGS_MAX];
    const char *file; /* while the file is read */
    int line;         /* own count: the callback of inih has none */
    struct gw_err *err;
    enum gw_code code;
};

static struct raw *raw_of(struct load *l, const struct gw_setting *s)
{
    for (size_t i = 0; i < gw_settings_count(); i++) {
        if (gw_settings_at(i) == s)
            return &l->raw[i];
    }
    abort();
}

static void raw_set(struct load *l, const struct gw_setting *s, const char *value,
                    const char *origin)
{
    struct raw *r = raw_of(l, s);
    free(r->value);
    r->value = *value ? gw_strdup_span(gw_span_of(value)) : NULL;
    snprintf(r->origin, sizeof r->origin, "%s", origin);
}

/* A mistyped name may still carry a secret: its value is printed only if nothing hints at one. */
static bool looks_secret(struct gw_span name, const struct gw_setting *closest)
{
    static const char *const hints[] = {"secret", "key", "pass", "token", "url", "jwk", "dsn"};
    char lower[64];
    size_t n = name.n < sizeof lower - 1 ? name.n : sizeof lower - 1;
    for (size_t i = 0; i < n; i++)
        lower[i] = (char)tolower((unsigned char)name.p[i]);
    lower[n] = '\0';
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        if (strstr(lower, hints[i]))
            return true;
    }
    return closest && closest->is_secret;
}

static enum gw_code refuse_unknown(struct load *l, struct gw_span name, const char *value,
                                   const char *origin)
{
    char quoted[120] = "", shown_name[80];
    const struct gw_setting *closest = gw_settings_closest(name);
    gw_log_quote(shown_name, sizeof shown_name, name);
    if (value && looks_secret(name, closest))
        snprintf(quoted, sizeof quoted, " (value hidden)");
    else if (value) {
        char text[100];
        snprintf(quoted, sizeof quoted, " = %s",
                 gw_log_quote(text, sizeof text, gw_span_of(value)));
    }
    l->code = gw_err_set(l->err, GW_E_SETTING, "unknown setting %s%s, from %s", shown_name, quoted,
                         origin);
    if (closest)
        gw_err_hint(l->err, "did you mean %s?", closest->name);
    else
        gw_err_hint(l->err, "--help lists all settings");
    return l->code;
}

/* ---- file ---- */

static char *read_line(char *out, int n, void *stream)
{
    struct load *l = ((void **)stream)[1];
    char *got = fgets(out, n, ((void **)stream)[0]);
    if (got && strchr(got, '\n'))
        l->line++;
    return got;
}

static int on_ini_key(void *ctx, const char *section, const char *name, const char *value)
{
    struct load *l = ctx;
    char origin[256];
    if (l->code != GW_OK)
        return 0;
    snprintf(origin, sizeof origin, "%s:%d", l->file, l->line);
    const struct gw_setting *s = gw_settings_find(gw_span_of(name));
    if (*section)
        l->code = gw_err_set(l->err, GW_E_SETTING, "section [%s] in %s: there are no sections",
                             section, origin);
    else if (!s)
        (void)refuse_unknown(l, gw_span_of(name), value, origin);
    else if (raw_of(l, s)->value)
        l->code = gw_err_set(l->err, GW_E_SETTING,
                             "setting %s stands twice in %s, the second in "
                             "line %d",
                             s->name, l->file, l->line);
    else
        raw_set(l, s, value, origin);
    return l->code == GW_OK;
}

static enum gw_code read_file(struct load *l, const char *path)
{
    /* Globals of inih: long values whole, nothing but '#' and ';' at a line's start is a comment.
     */
    ini_use_stack = false;
    ini_allow_realloc = true;
    ini_max_line = 65536;
    ini_allow_multiline = false;
    ini_allow_inline_comments = false;
    FILE *f = fopen(path, "re");
    if (!f)
        return gw_err_set(l->err, GW_E_SETTING, "cannot open settings file %s: %s", path,
                          strerror(errno));
    void *stream[2] = {f, l};
    l->file = path;
    int bad_line = ini_parse_stream(read_line, stream, on_ini_key, l);
    fclose(f);
    if (l->code != GW_OK)
        return l->code;
    if (bad_line != 0)
        return gw_err_set(l->err, GW_E_SETTING, "%s:%d is not a line of the form name = value",
                          path, bad_line > 0 ? bad_line : l->line);
    return GW_OK;
}

/* ---- environment ---- */

static enum gw_code read_environment(struct load *l)
{
    size_t prefix = strlen(ENV_PREFIX);
    for (char **e = environ; e && *e; e++) {
        if (strncmp(*e, ENV_PREFIX, prefix) != 0)
            continue;
        char lower[64] = "", origin[160];
        const char *name = *e + prefix, *eq = strchr(name, '=');
        size_t n = eq ? (size_t)(eq - name) : strlen(name);
        for (size_t i = 0; i < n && i < sizeof lower - 1; i++)
            lower[i] = (char)tolower((unsigned char)name[i]);
        snprintf(origin, sizeof origin, "environment variable %.*s", (int)(n + prefix), *e);
        const struct gw_setting *s = n < sizeof lower ? gw_settings_find(gw_span_of(lower)) : NULL;
        if (!s)
            return refuse_unknown(l, gw_span_of(lower), eq ? eq + 1 : "", origin);
        if (eq && eq[1])
            raw_set(l, s, eq + 1, origin);
    }
    return GW_OK;
}

/* ---- flags ---- */

struct flag {
    struct gw_span name;
    const char *value; /* NULL: none given */
};

/* Take "--name=value" or "--name value" at argv[*at]; *at moves behind it. */
static enum gw_code next_flag(struct load *l, int argc, char **argv, int *at, struct flag *out)
{
    const char *arg = argv[(*at)++];
    if (strncmp(arg, "--", 2) != 0 || !arg[2])
        return gw_err_set(l->err, GW_E_SETTING, "unexpected argument \"%.60s\"", arg);
    const char *eq = strchr(arg, '=');
    out->name = (struct gw_span){arg + 2, eq ? (size_t)(eq - arg - 2) : strlen(arg + 2)};
    out->value = eq ? eq + 1 : NULL;
    if (!eq && *at < argc)
        out->value = argv[(*at)++];
    return GW_OK;
}

static enum gw_code read_flags(struct load *l, int argc, char **argv)
{
    for (int at = 0; at < argc && argv[at];) {
        struct flag flag = {{"", 0}, NULL};
        char origin[80];
        if (next_flag(l, argc, argv, &at, &flag) != GW_OK)
            return GW_E_SETTING;
        snprintf(origin, sizeof origin, "flag --%.*s", (int)flag.name.n, flag.name.p);
        const struct gw_setting *s = gw_settings_find(flag.name);
        if (!s && !gw_span_is(flag.name, "config"))
            return refuse_unknown(l, flag.name, flag.value, origin);
        if (!flag.value)
            return gw_err_set(l->err, GW_E_SETTING, "%s needs a value", origin);
        if (s)
            raw_set(l, s, flag.value, origin);
    }
    return GW_OK;
}

/* The file has the lowest rank, so it must be known before flags are laid over it. */
static const char *config_path(int argc, char **argv)
{
    const char *path = NULL;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "--config=", 9) == 0)
            path = argv[i] + 9;
        else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            path = argv[++i];
        else if (strncmp(argv[i], "--", 2) == 0 && !strchr(argv[i], '='))
            i++; /* its value */
    }
    return path;
}

/* ---- together ---- */

static enum gw_code apply_all(struct load *l, struct gw_settings *out)
{
    for (size_t i = 0; i < gw_settings_count(); i++) {
        const struct gw_setting *s = gw_settings_at(i);
        const struct raw *r = &l->raw[i];
        const char *value = r->value ? r->value : s->fallback;
        char expected[160] = "", quoted[120] = "(hidden)";
        if (!value || gw_setting_apply(s, value, out, expected) == GW_OK)
            continue;
        if (!s->is_secret && s->type != GW_SETTING_LATER)
            gw_log_quote(quoted, sizeof quoted, gw_span_of(value));
        (void)gw_err_set(l->err, GW_E_SETTING, "setting %s = %s, from %s: expected %s", s->name,
                         quoted, r->value ? r->origin : "its default", expected);
        return GW_E_SETTING;
    }
    return GW_OK;
}

static unsigned core_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    return 1;
}

static void derive(struct gw_settings *s)
{
    if (!s->replication_url)
        s->replication_url = gw_strdup_span(gw_span_of(s->database_url));
    if (!s->query_url)
        s->query_url = gw_strdup_span(gw_span_of(s->database_url));
    if (s->workers == 0)
        s->workers = core_count();
}

/* Roles named elsewhere must be in the list. */
static enum gw_code check_roles(const struct gw_settings *s, struct gw_err *err)
{
    const char *rest = s->api_keys;
    struct gw_span item, key, role;
    if (s->default_role && gw_settings_role_find(s, gw_span_of(s->default_role)) < 0)
        return gw_err_set(err, GW_E_SETTING,
                          "setting default_role = \"%.63s\": expected one of the setting roles",
                          s->default_role);
    while (gw_settings_next_item(&rest, &item)) {
        if (gw_settings_split_pair(item, &key, &role) && gw_settings_role_find(s, role) < 0)
            return gw_err_set(err, GW_E_SETTING,
                              "setting api_keys gives a key the role \"%.*s\": expected one of "
                              "the setting roles",
                              (int)(role.n < 63 ? role.n : 63), role.p);
    }
    return GW_OK;
}

enum gw_code gw_settings_load(struct gw_settings *out, int argc, char **argv, struct gw_err *err)
{
    struct load l = {.err = err};
    const char *path = config_path(argc, argv);
    enum gw_code code = GW_OK;
    *out = (struct gw_settings){0};
    if (path && (code = read_file(&l, path)) != GW_OK)
        goto done;
    if ((code = read_environment(&l)) != GW_OK || (code = read_flags(&l, argc, argv)) != GW_OK)
        goto done;
    if ((code = apply_all(&l, out)) != GW_OK)
        goto done;
    derive(out);
    code = check_roles(out, err);
done:
    for (size_t i = 0; i < SETTINGS_MAX; i++)
        free(l.raw[i].value);
    if (code != GW_OK)
        gw_settings_fini(out);
    return code;
}

void gw_settings_fini(struct gw_settings *s)
{
    char *owned[] = {s->database_url, s->replication_url, s->query_url,      s->listen_host,
                     s->admin_host,   s->jwt_secret,      s->api_keys,       s->default_role,
                     s->www,          s->publication,     s->claim_settings, s->access_publication,
                     s->slot};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free(owned[i]);
    for (unsigned i = 0; i < s->n_roles; i++)
        free(s->roles[i]);
    *s = (struct gw_settings){0};
}

enum gw_code gw_settings_check_serve(const struct gw_settings *s, struct gw_err *err)
{
    struct stat st;
    if (!s->jwt_secret && !s->api_keys) {
        (void)gw_err_set(err, GW_E_SETTING,
                         "neither jwt_secret nor api_keys is set: nobody could "
                         "connect");
        gw_err_hint(err, "set ROWCAST_JWT_SECRET to the secret that signs your tokens");
        return GW_E_SETTING;
    }
    if (s->www && (stat(s->www, &st) != 0 || !S_ISDIR(st.st_mode)))
        return gw_err_set(err, GW_E_SETTING, "setting www = \"%.200s\": expected a folder", s->www);
    return GW_OK;
}
