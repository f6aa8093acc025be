/* The one place that signs; the daemon itself only verifies (verifier.h). */
#include "mint.h"

#include <jansson.h>
#include <jwt.h>
#include <stdlib.h>

struct gw_mint {
    json_t *claims;
};

struct gw_mint *gw_mint_new(void)
{
    struct gw_mint *m = gw_alloc(sizeof *m);
    m->claims = json_object();
    return m;
}

void gw_mint_free(struct gw_mint *m)
{
    if (!m)
        return;
    json_decref(m->claims);
    free(m);
}

void gw_mint_set_text(struct gw_mint *m, const char *claim, const char *text)
{
    json_object_set_new(m->claims, claim, json_string(text));
}

void gw_mint_set_number(struct gw_mint *m, const char *claim, int64_t number)
{
    json_object_set_new(m->claims, claim, json_integer(number));
}

void gw_mint_set(struct gw_mint *m, const char *claim, const char *value)
{
    json_t *v = json_loads(value, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    json_object_set_new(m->claims, claim, v ? v : json_string(value));
}

enum gw_code gw_mint_merge(struct gw_mint *m, const char *object)
{
    json_t *more = json_loads(object, JSON_REJECT_DUPLICATES, NULL);
    int rc = json_is_object(more) ? json_object_update(m->claims, more) : -1;
    json_decref(more);
    return rc == 0 ? GW_OK : GW_E_MALFORMED;
}

char *gw_mint_sign(const struct gw_mint *m, const char *secret)
{
    jwt_t *jwt = NULL;
    char *claims = json_dumps(m->claims, JSON_COMPACT | JSON_SORT_KEYS), *token = NULL;
    if (claims && jwt_new(&jwt) == 0 && jwt_add_grants_json(jwt, claims) == 0 &&
        jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)secret, (int)strlen(secret)) == 0)
        token = jwt_encode_str(jwt);
    jwt_free(jwt);
    free(claims);
    return token;
}
