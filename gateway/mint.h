/* mint: tokens for development and tests, HS256. Main thread; keeps nothing but its claims. */
#ifndef GW_MINT_H
#define GW_MINT_H

#include "gw/bytes.h"

struct gw_mint; /* a set of claims that grows */

struct gw_mint *gw_mint_new(void);
void gw_mint_free(struct gw_mint *m); /* accepts NULL */
void gw_mint_set_text(struct gw_mint *m, const char *claim, const char *text);
void gw_mint_set_number(struct gw_mint *m, const char *claim, int64_t number);
/* value: JSON of any kind, or else plain text. */
void gw_mint_set(struct gw_mint *m, const char *claim, const char *value);
/* Every member of a JSON object. E_MALFORMED: it is none. */
GW_MUST_CHECK enum gw_code gw_mint_merge(struct gw_mint *m, const char *object);
/* HS256 under secret. Returns owned, or NULL if it cannot be signed. */
char *gw_mint_sign(const struct gw_mint *m, const char *secret);

#endif
