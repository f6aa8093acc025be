/* log: levelled key=value lines to one sink.
 *
 * A line is "level=… event=… " and the caller's key=value text; the sink (set once at start, by the
 * gateway) adds the time and does the one write. Tokens, keys and row values never go in. Quote
 * values that may hold blanks with gw_log_quote. Any thread. The level is one of the two mutable
 * globals of the project. */
#ifndef GW_LOG_H
#define GW_LOG_H

#include "gw/bytes.h"

enum gw_log_level { GW_LOG_ERROR, GW_LOG_WARN, GW_LOG_INFO, GW_LOG_DEBUG };

typedef void gw_log_sink(enum gw_log_level level, struct gw_span line); /* line has no '\n' */

void gw_log_set_level(enum gw_log_level level);
enum gw_log_level gw_log_get_level(void);
/* "error", "warn", "info", "debug"; false if name is none of them. */
bool gw_log_level_parse(const char *name, enum gw_log_level *out);
void gw_log_set_sink(gw_log_sink *sink); /* NULL: stderr */

/* event: a fixed identifier such as "slot_created"; fmt: "key=%s key2=%d". */
void gw_log(enum gw_log_level level, const char *event, const char *fmt, ...) GW_PRINTF(3, 4);
/* Log an error with its text and hint as quoted values. */
void gw_log_err(enum gw_log_level level, const char *event, const struct gw_err *err);
/* Write s as "…" with quotes, backslashes and control bytes escaped; cut with … past cap.
 * Returns out. */
const char *gw_log_quote(char *out, size_t cap, struct gw_span s);

#endif
