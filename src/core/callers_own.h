/* callers_own: the registry of callers, shared by callers.c (who is there, and the index of their
 * facts) and callers_find.c (searching it). */
#ifndef GW_CALLERS_OWN_H
#define GW_CALLERS_OWN_H

#include "gw/callers.h"
#include "gw/catalog.h"
#include "gw/map.h"

struct gw_callers_entry { /* one caller */
    struct gw_caller caller;
    struct gw_arena arena;
    struct gw_fact *facts;
    uint64_t stamp; /* of the search that has seen it */
    uint32_t n_places, cap_places;
    struct gw_callers_place *places; /* in which postings it stands */
};

/* A caller in a posting, told from both sides: many share a value, and none of them is to be looked
 * at when one goes. */
struct gw_callers_place {
    struct gw_callers_posting *posting;
    uint32_t at; /* into posting->slots */
};
struct gw_callers_posting {
    uint32_t n, cap;
    struct gw_callers_slot {
        struct gw_callers_entry *entry;
        uint32_t place; /* into entry->places */
    } * slots;
};

struct gw_callers {
    const struct gw_fact_setting *settings;
    uint32_t n_settings;
    struct gw_rules *rules;
    struct gw_idmap entries;                        /* caller id → struct gw_callers_entry */
    struct gw_map postings;                         /* fact, key → struct gw_callers_posting */
    struct gw_callers_posting *not_known, *trouble; /* by fact */
    struct gw_callers_need *needs;
    uint32_t n_needs, cap_needs;
    uint32_t *found; /* of the last search */
    uint32_t n_found, cap_found;
    uint64_t stamp;
    uint64_t n_postings;
};

static inline uint32_t gw_callers_n_facts(const struct gw_callers *c)
{
    return c->rules ? c->rules->n_facts : 0;
}
/* Postgres would raise for him, or it is not known whether. */
static inline bool gw_callers_is_trouble(const struct gw_fact *f)
{
    return f->state == GW_DATUM_UNKNOWN || f->state == GW_DATUM_ERROR;
}
static inline bool gw_callers_has_trouble(const struct gw_callers *c, const struct gw_plan *plan,
                                          const struct gw_fact *facts)
{
    for (uint32_t i = 0; i < plan->n_facts; i++)
        if (plan->facts[i] < gw_callers_n_facts(c) && gw_callers_is_trouble(&facts[plan->facts[i]]))
            return true;
    return false;
}

/* Borrowed, or NULL: nobody has that value. */
struct gw_callers_posting *gw_callers_posting_find(const struct gw_callers *c, uint32_t fact,
                                                   struct gw_key value);

#endif
