/* lsn: a position in the write-ahead log, as a value. Text form is "16/B374D848". */
#ifndef GW_LSN_H
#define GW_LSN_H

#include "gw/bytes.h"

struct gw_lsn {
    uint64_t v;
};

#define GW_LSN_TEXT 20 /* bytes for the text form with its NUL */

GW_MUST_CHECK enum gw_code gw_lsn_parse(struct gw_span text, struct gw_lsn *out); /* E_MALFORMED */
const char *gw_lsn_format(struct gw_lsn lsn, char out[GW_LSN_TEXT]);              /* returns out */

#endif
