#include "bench_report.h"

#include <stdarg.h>
#include <stdio.h>

void bench_report_init(struct bench_report *r)
{
    gw_buf_init(&r->json, 0);
    gw_buf_add_str(&r->json, "{\n");
}

void bench_report_add(struct bench_report *r, double value, const char *key, ...)
{
    char name[128];
    va_list args;
    va_start(args, key);
    vsnprintf(name, sizeof name, key, args);
    va_end(args);
    gw_buf_printf(&r->json, "%s  \"%s\": %.6g", r->json.n > 2 ? ",\n" : "", name, value);
}

bool bench_report_write(struct bench_report *r, const char *path)
{
    bool is_written = true;
    gw_buf_add_str(&r->json, "\n}\n");
    if (path) {
        FILE *f = fopen(path, "w");
        is_written = f && fwrite(r->json.p, 1, r->json.n, f) == r->json.n;
        if (f && fclose(f) != 0)
            is_written = false;
    }
    gw_buf_fini(&r->json);
    return is_written;
}

void bench_heading(const char *text)
{
    printf("\n### %s\n\n", text);
}

void bench_row(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("| ");
    vprintf(format, args);
    printf(" |\n");
    va_end(args);
    fflush(stdout);
}

const char *bench_thousands(char out[BENCH_NUMBER], double value)
{
    char digits[BENCH_NUMBER / 2], *at = out;
    int n = snprintf(digits, sizeof digits, "%.0f", value);
    for (int i = 0; i < n && i < (int)sizeof digits - 1; i++) {
        if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-')
            *at++ = ' ';
        *at++ = digits[i];
    }
    *at = '\0';
    return out;
}
