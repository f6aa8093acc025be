/* messages: see the header. */
#include "gw/messages.h"

#include <stdlib.h>

void gw_binding_fini(struct gw_binding *b)
{
    free(b->schema);
    free(b->table);
    gw_filter_fini(&b->filter);
    *b = (struct gw_binding){0};
}

static void free_bindings(struct gw_binding *bindings, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        gw_binding_fini(&bindings[i]);
    free(bindings);
}

void gw_to_hub_free(struct gw_to_hub *m)
{
    if (!m)
        return;
    gw_claims_unref(m->claims);
    free(m->topic);
    free_bindings(m->bindings, m->n_bindings);
    free(m);
}

void gw_to_worker_free(struct gw_to_worker *m)
{
    if (!m)
        return;
    free_bindings(m->bindings, m->n_bindings);
    free(m);
}
