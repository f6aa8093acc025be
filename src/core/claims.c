/* claims: see the header. */
#include "gw/claims.h"

#include <stdlib.h>

static struct gw_span put_text(char **at, struct gw_span s)
{
    char *p = *at;
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    *at = p + s.n + 1;
    return (struct gw_span){p, s.n};
}

struct gw_claims *gw_claims_new(uint16_t role_id, struct gw_span role, struct gw_span sub,
                                int64_t exp_s, struct gw_span json)
{
    /* One allocation: the struct, then json, role and sub, each with its NUL. */
    struct gw_claims *c = gw_alloc(sizeof *c + json.n + role.n + sub.n + 3);
    char *at = (char *)(c + 1);
    atomic_init(&c->refs, 1);
    c->role_id = role_id;
    c->exp_s = exp_s;
    c->json = put_text(&at, json);
    c->role = put_text(&at, role);
    c->sub = put_text(&at, sub);
    return c;
}

struct gw_claims *gw_claims_ref(const struct gw_claims *c)
{
    struct gw_claims *shared = (struct gw_claims *)c; /* the count is all that ever changes */
    atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
    return shared;
}

void gw_claims_unref(const struct gw_claims *c)
{
    struct gw_claims *shared = (struct gw_claims *)c;
    /* acq_rel: whoever frees comes after every other holder's last look. */
    if (shared && atomic_fetch_sub_explicit(&shared->refs, 1, memory_order_acq_rel) == 1)
        free(shared);
}
