/* verifier: from a token or opaque key to claims.
 *
 * The algorithm is fixed by the key, never by the token: the header is read first, and what does
 * not name HS256, HS384 or HS512 never reaches the library that verifies. No token and no key is
 * ever logged or put into an error text. A verifier is immutable: any number of threads may check
 * with one. Bound: tokens of more than GW_TOKEN_MAX_BYTES are refused unread. */
#ifndef GW_VERIFIER_H
#define GW_VERIFIER_H

#include "settings.h"

#include "gw/claims.h"
#include "gw/time.h"

#define GW_TOKEN_MAX_BYTES 16384

struct gw_verifier;

/* Main thread, before any other exists: it seeds jansson's hash, which is process-wide. settings
 * are borrowed for the verifier's life. Returns owned. */
struct gw_verifier *gw_verifier_new(const struct gw_settings *settings);
void gw_verifier_free(struct gw_verifier *v); /* accepts NULL */

/* Verify a JWT or opaque key; percent-encoding and white space in it are undone first. On success
 * *out is owned. E_TOKEN_MALFORMED, _SIGNATURE (wrong, or an algorithm that is not the key's),
 * _SIGNER (a JWT, but no secret is set), _CLAIMS, _EXPIRED (exp = now counts), _ROLE; err->text is
 * what a client may read. Source: reference §5. */
GW_MUST_CHECK enum gw_code gw_verifier_check(const struct gw_verifier *v, struct gw_span token,
                                             struct gw_us wall, struct gw_claims **out,
                                             struct gw_err *err);

#endif
