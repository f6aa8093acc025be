/* log_sink: the daemon's log lines, "time=2026-11-20T09:15:02.417Z level=… event=…" on stderr.
 * One write(2) per line, so that lines of several threads do not mix. Keeps no state; any thread.
 */
#ifndef GW_LOG_SINK_H
#define GW_LOG_SINK_H

#include "gw/log.h"

void gw_log_sink_stderr(enum gw_log_level level, struct gw_span line); /* fits gw_log_set_sink */

#endif
