/* scan: walking JSON text that gw_json_is_valid has accepted, without building a tree.
 *
 * A value is a slice of the text, so numbers keep every digit, a large payload is looked at once
 * and memory is bounded by the arena. Private to the codec. Every function here relies on the text
 * being valid (else it still stays inside its span, but its answer means nothing). No recursion. */
#ifndef GW_SCAN_H
#define GW_SCAN_H

#include "gw/arena.h"

#define GW_SCAN_MAX_DEPTH 512 /* what gw_json_is_valid admits */

struct gw_scan {
    const char *p, *end;
};

/* E_TOO_BIG: nested deeper than GW_SCAN_MAX_DEPTH; E_MALFORMED: anything else that is not JSON. */
GW_MUST_CHECK enum gw_code gw_scan_check(struct gw_span text);

/* The value's first byte, blanks skipped: one of {["tfn or the start of a number. */
char gw_scan_kind(struct gw_span value);

/* Walk the elements of an array or the members of an object; false at the end. key keeps its
 * quotes and escapes. */
struct gw_scan gw_scan_of(struct gw_span container);
bool gw_scan_element(struct gw_scan *s, struct gw_span *value);
bool gw_scan_member(struct gw_scan *s, struct gw_span *key, struct gw_span *value);

/* Whether the key, unescaped, is name (at most GW_SCAN_NAME_MAX bytes of ASCII). */
#define GW_SCAN_NAME_MAX 32
bool gw_scan_key_is(struct gw_span key, const char *name);
/* The member of an object; of equal keys the last one counts, as in every JSON library around.
 * false: not an object, or no such member. */
bool gw_scan_find(struct gw_span object, const char *name, struct gw_span *value);

/* The text of a JSON string, in the arena, NUL-terminated behind its n bytes. E_MALFORMED: \u0000
 * or half of a surrogate pair (no Postgres text can hold either); E_TOO_BIG: arena cap. */
GW_MUST_CHECK enum gw_code gw_scan_unescape(struct gw_span string, struct gw_arena *arena,
                                            struct gw_span *out);
/* Write value without the blanks between its tokens to to, which has room for value.n bytes;
 * returns what is behind the last byte written. */
char *gw_scan_compact(char *to, struct gw_span value);

#endif
