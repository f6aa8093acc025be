/* bench_policy: the figures of loadtest/README.md, all in one run on one core.
 *
 * Starts a private Postgres, fills it, measures part after part, prints Markdown, writes JSON. Run
 * it through loadtest/run-policy, which builds it with optimisation. */
#include "bench_parts.h"
#include "bench_time.h"

#include "gw/datum.h"
#include "gw/log.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define USERS 20000
#define TRIPS 10000
#define WRITES 30000
#define MANY 100000
#define TEAM 100000

static const struct part {
    const char *name;
    void (*run)(struct bench *b);
} parts[] = {{"audiences", bench_audiences},
             {"rows", bench_rows},
             {"callers", bench_callers},
             {"walrus", bench_walrus},
             {"team", bench_team}};

static int usage(FILE *out)
{
    fputs("usage: rowcast-bench [--json FILE] [--only PART] [--quick]\n"
          "  --json FILE  the figures as one JSON object\n"
          "  --only PART  audiences, rows, callers, walrus or team\n"
          "  --quick      a tenth of the data, to see that it runs\n",
          out);
    return out == stdout ? EXIT_SUCCESS : 2;
}

static void run(struct bench *b, const char *only)
{
    uint64_t start = bench_wall_ns();
    b->db = bench_db_new(GW_SOURCE_DIR, &b->size);
    b->catalog = bench_db_catalog(b->db);
    fprintf(stderr, "%llu users, %llu trips loaded in %.1f s\n", (unsigned long long)b->size.users,
            (unsigned long long)b->size.trips, (double)(bench_wall_ns() - start) / 1e9);
    bench_pin();
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (only && strcmp(only, parts[i].name) != 0)
            continue;
        start = bench_wall_ns();
        parts[i].run(b);
        fprintf(stderr, "%s: %.1f s\n", parts[i].name, (double)(bench_wall_ns() - start) / 1e9);
    }
    gw_catalog_unref(b->catalog);
    bench_db_free(b->db);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"json", required_argument, NULL, 'j'},
                                            {"only", required_argument, NULL, 'o'},
                                            {"quick", no_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct bench b = {.size = {USERS, TRIPS}, .writes = WRITES, .many = MANY, .team = TEAM};
    const char *json = NULL, *only = NULL;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'h')
            return usage(stdout);
        if (option == 'j')
            json = optarg;
        else if (option == 'o')
            only = optarg;
        else if (option == 'q')
            b = (struct bench){.size = {USERS / 10, TRIPS / 10},
                               .writes = WRITES / 10,
                               .many = MANY / 10,
                               .team = TEAM / 10};
        else
            return usage(stderr);
    }
    bench_report_init(&b.report);
    run(&b, only);
    if (!bench_report_write(&b.report, json)) {
        fprintf(stderr, "%s cannot be written\n", json);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
