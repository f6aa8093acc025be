/* claims: a verified identity as data. Immutable, shared between worker and hub, atomic count.
 * Made by gateway/jwt.c after verification; never holds the token itself. */
#ifndef GW_CLAIMS_H
#define GW_CLAIMS_H

#include "gw/bytes.h"

#include <stdatomic.h>

struct gw_claims {
    _Atomic uint32_t refs; /* own use */
    uint16_t role_id;      /* index into ROWCAST_ROLES */
    int64_t exp_s;         /* Unix seconds, rounded; INT64_MAX for opaque keys */
    struct gw_span role, sub; /* NUL-terminated, in json's allocation; sub may be empty */
    struct gw_span json;   /* all claims, keys sorted, compact: equal text means equal claims */
};

/* Copies its arguments. Returns owned, one reference. */
struct gw_claims *gw_claims_new(uint16_t role_id, struct gw_span role, struct gw_span sub,
                                int64_t exp_s, struct gw_span json);
struct gw_claims *gw_claims_ref(const struct gw_claims *c);
void gw_claims_unref(const struct gw_claims *c); /* accepts NULL */

#endif
