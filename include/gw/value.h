/* value: a column value in Postgres' text form → JSON, as to_jsonb(value) would print it.
 *
 * The session that produced the text must have had DateStyle ISO, TimeZone UTC, IntervalStyle
 * postgres, extra_float_digits ≥ 1, bytea_output hex. Mapping: wire reference §2.4. Numbers keep
 * all digits; NaN and infinities become strings; arrays nest; composites become objects; domains
 * follow their base; json and jsonb are embedded; what is unknown is a string of its text. */
#ifndef GW_VALUE_H
#define GW_VALUE_H

#include "gw/types.h"

#define GW_VALUE_MAX_DEPTH 32 /* nesting of arrays and composites; deeper text becomes a string */

/* Append the JSON of text (not NULL in SQL terms) to out. Never fails on hostile text: what does
 * not parse as its type is appended as a JSON string. No recursion on input beyond the depth. */
void gw_value_add_json(struct gw_buf *out, const struct gw_types *types, uint32_t type_oid,
                       struct gw_span text);

/* Whether a = b under the default equality of the type, both in canonical text form (as the type's
 * output function prints it). Exact for bool, integers, oid, uuid, text, varchar, enum, date,
 * timestamp(tz), time, bytea, numeric (1.0 = 1.00), float (-0 = 0), bpchar (trailing blanks).
 * Others: byte equality. Deterministic collations assumed. */
bool gw_value_text_equals(const struct gw_types *types, uint32_t type_oid, struct gw_span a,
                          struct gw_span b);

#endif
