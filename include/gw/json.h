/* json: writing JSON text into a gw_buf, and looking at text without building a tree.
 * Deliberately no parser for trees: jansson is that, in the modules named for it. */
#ifndef GW_JSON_H
#define GW_JSON_H

#include "gw/bytes.h"

/* Append s as a JSON string, quotes included. Invalid UTF-8 becomes U+FFFD, so that the result
 * is always a valid text frame. '/' is not escaped; control bytes are \u00XX or short escapes. */
void gw_json_add_string(struct gw_buf *b, struct gw_span s);
/* Append "key": (key is escaped). */
void gw_json_add_key(struct gw_buf *b, struct gw_span key);
/* Whether s is exactly one JSON value (RFC 8259), nesting ≤ 512. No allocation, no recursion. */
bool gw_json_is_valid(struct gw_span s);
/* Whether s is exactly one JSON number. */
bool gw_json_is_number(struct gw_span s);
/* Whether s is valid UTF-8 (no surrogates, no overlongs). */
bool gw_utf8_is_valid(struct gw_span s);

#endif
