/* Own flags are taken out first; what remains goes to the settings, so that --config and
 * --jwt-secret work as for every other command. */
#include "token_cmd.h"

#include "loop.h"
#include "mint.h"
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: rowcast token [--sub ID] [--role ROLE] [--ttl SECONDS] [--claim NAME=VALUE]…\n"
    "                     [--claims JSON] [settings]\n\n"
    "Prints a HS256 token for development, signed with the setting jwt_secret.\n\n"
    "  --sub ID            the user, usually a UUID\n"
    "  --role ROLE         default: authenticated\n"
    "  --ttl SECONDS       time to live, default: 3600\n"
    "  --claim NAME=VALUE  one more claim; VALUE is JSON, or else text; may be repeated\n"
    "  --claims JSON       an object of more claims; may be repeated\n\n";

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Which of the command's own flags arg is; NULL: none of them. *value points behind '=' or is NULL.
 */
static const char *own_flag(char *arg, char **value)
{
    static const char *const flags[] = {"--sub", "--role", "--ttl", "--claim", "--claims"};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        size_t n = strlen(flags[i]);
        if (strncmp(arg, flags[i], n) == 0 && (arg[n] == '\0' || arg[n] == '=')) {
            *value = arg[n] == '=' ? arg + n + 1 : NULL;
            return flags[i];
        }
    }
    return NULL;
}

static int usage_error(const char *what, const char *value)
{
    fprintf(stderr, "rowcast token: %s%s\n", what, value ? value : "");
    return EXIT_USAGE;
}

static int set_ttl(struct gw_mint *m, const char *value)
{
    char *end;
    errno = 0;
    long long ttl = strtoll(value, &end, 10);
    if (errno || end == value || *end || ttl > 10LL * 366 * 86400 || ttl < -10LL * 366 * 86400)
        return usage_error("--ttl expects seconds, at most ten years, not ", value);
    int64_t now = gw_clock_wall_us() / 1000000;
    gw_mint_set_number(m, "iat", now);
    gw_mint_set_number(m, "exp", now + ttl);
    return 0;
}

static int set_claim(struct gw_mint *m, char *pair)
{
    char *eq = strchr(pair, '=');
    if (!eq || eq == pair)
        return usage_error("--claim expects NAME=VALUE, not ", pair);
    char *name = gw_strdup_span((struct gw_span){pair, (size_t)(eq - pair)});
    gw_mint_set(m, name, eq + 1);
    free(name);
    return 0;
}

static int set_flag(struct gw_mint *m, const char *flag, char *value)
{
    if (strcmp(flag, "--sub") == 0)
        gw_mint_set_text(m, "sub", value);
    else if (strcmp(flag, "--role") == 0)
        gw_mint_set_text(m, "role", value);
    else if (strcmp(flag, "--ttl") == 0)
        return set_ttl(m, value);
    else if (strcmp(flag, "--claim") == 0)
        return set_claim(m, value);
    else if (gw_mint_merge(m, value) != GW_OK)
        return usage_error("--claims expects a JSON object, not ", value);
    return 0;
}

/* Take the own flags out of argv; *rest counts what remains at its start. */
static int read_flags(struct gw_mint *m, int argc, char **argv, int *rest)
{
    char *value;
    for (int i = 0; i < argc; i++) {
        const char *flag = own_flag(argv[i], &value);
        if (!flag) {
            argv[(*rest)++] = argv[i];
            continue;
        }
        if (!value && ++i == argc)
            return usage_error(flag, " needs a value");
        int rc = set_flag(m, flag, value ? value : argv[i]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int print_token(const struct gw_mint *m, const struct gw_settings *settings)
{
    if (!settings->jwt_secret) {
        fprintf(stderr, "rowcast token: the setting jwt_secret (ROWCAST_JWT_SECRET) is not set\n");
        return EXIT_FAILED;
    }
    char *token = gw_mint_sign(m, settings->jwt_secret);
    if (!token) {
        fprintf(stderr, "rowcast token: the claims cannot be signed\n");
        return EXIT_FAILED;
    }
    puts(token);
    free(token);
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

int gw_token_cmd(int argc, char **argv)
{
    struct gw_settings settings;
    struct gw_err err = {0};
    int rest = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_help();
            return 0;
        }
    }
    struct gw_mint *m = gw_mint_new();
    gw_mint_set_text(m, "role", "authenticated");
    int rc = set_ttl(m, "3600");
    if (rc == 0)
        rc = read_flags(m, argc, argv, &rest);
    if (rc == 0 && gw_settings_load(&settings, rest, argv, &err) != GW_OK) {
        fprintf(stderr, "rowcast token: %s%s%s\n", err.text, *err.hint ? "; " : "", err.hint);
        rc = EXIT_USAGE;
    } else if (rc == 0) {
        rc = print_token(m, &settings);
        gw_settings_fini(&settings);
    }
    gw_mint_free(m);
    return rc;
}
