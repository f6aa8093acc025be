/* main: which command. Each command has a file of its own. */
#include "check_cmd.h"
#include "explain_cmd.h"
#include "serve.h"
#include "setup_cmd.h"
#include "token_cmd.h"

#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name, *help;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"serve", "run the gateway", gw_serve_cmd},
    {"setup", "make a database ready; idempotent; --dry-run prints the SQL", gw_setup_cmd},
    {"check", "look at settings, database and policies, and say what is weaker", gw_check_cmd},
    {"explain", "why a user does, or does not, see a row", gw_explain_cmd},
    {"token", "mint a token for development", gw_token_cmd},
};

#define N_COMMANDS (sizeof commands / sizeof *commands)

static void print_usage(FILE *to)
{
    fputs("usage: rowcast COMMAND [options]\n\n"
          "Realtime WebSocket gateway for Postgres.\n\n",
          to);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(to, "  %-7s %s\n", commands[i].name, commands[i].help);
    fputs("\n  --help, --version; rowcast COMMAND --help lists the settings\n", to);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (strcmp(name, "--version") == 0) {
        puts("rowcast " ROWCAST_VERSION);
        return 0;
    }
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    if (*name)
        fprintf(stderr, "rowcast: unknown command \"%s\"\n", name);
    print_usage(stderr);
    return 2;
}
