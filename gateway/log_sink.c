#include "log_sink.h"

#include "gw/time.h"

#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 8192 /* a longer line is cut */

void gw_log_sink_stderr(enum gw_log_level level, struct gw_span line)
{
    char out[LINE_MAX_BYTES], iso[25];
    struct timespec ts;
    (void)level;
    clock_gettime(CLOCK_REALTIME, &ts);
    gw_us_format_iso((struct gw_us){ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000}, iso);
    size_t n = 0;
    memcpy(out, "time=", 5);
    n += 5;
    memcpy(out + n, iso, 24);
    n += 24;
    out[n++] = ' ';
    size_t body = line.n < sizeof out - n - 1 ? line.n : sizeof out - n - 1;
    if (body > 0)
        memcpy(out + n, line.p, body);
    n += body;
    out[n++] = '\n';
    /* Nowhere to report a failure to: the log is where failures go. */
    ssize_t done = write(STDERR_FILENO, out, n);
    (void)done;
}
