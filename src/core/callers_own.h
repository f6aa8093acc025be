/* callers_own: the registry of callers, shared by callers.c (who is there, and what is true of
 * them), callers_index.c (by a value of a fact), callers_crowd.c (by a large set of values) and
 * callers_find.c (searching it). */
#ifndef GW_CALLERS_OWN_H
#define GW_CALLERS_OWN_H

#include "gw/callers.h"
#include "gw/catalog.h"
#include "gw/list.h"
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
    uint32_t fact; /* of the index: whose value */
    struct gw_key value;
    uint64_t hash;
};

/* From (fact, value) to a posting. */
struct gw_callers_index {
    uint64_t seed;
    uint32_t count, cap;
    unsigned char *tags; /* 0: the slot is free */
    struct gw_callers_posting **postings;
};

/* The connected ones of a large set. */
struct gw_callers_crowd {
    struct gw_list node;   /* in crowds, the one used last at the end */
    struct gw_formula *is; /* a reference: so its address is nobody else's */
    struct gw_callers_posting members;
};
#define GW_CALLERS_CROWDS_SEEN 64

struct gw_callers {
    const struct gw_fact_setting *settings;
    uint32_t n_settings;
    struct gw_rules *rules;
    struct gw_idmap entries; /* caller id → struct gw_callers_entry */
    struct gw_callers_index index;
    struct gw_list crowds;
    uint32_t n_crowds, n_crowd_keys;
    struct gw_callers_seen { /* sets met lately, by address alone: compared, never followed */
        const struct gw_formula *is;
        uint64_t find;
    } crowds_seen[GW_CALLERS_CROWDS_SEEN];
    uint64_t n_finds;
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
/* Looking up the values of is takes less time than looking at every caller: most values are
 * nobody's, and that is soon seen. */
static inline bool gw_callers_is_shorter(const struct gw_callers *c, const struct gw_formula *is)
{
    return is->n_keys / 8 <= c->entries.count;
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

/* callers.c: a caller in a posting, once; out of one he is in. */
void gw_callers_posting_add(struct gw_callers_posting *p, struct gw_callers_entry *e);
void gw_callers_posting_drop(struct gw_callers_posting *p, struct gw_callers_entry *e);

/* callers_index.c. Borrowed, or NULL: nobody has that value. */
struct gw_callers_posting *gw_callers_index_find(const struct gw_callers_index *ix, uint32_t fact,
                                                 struct gw_key value);
/* An empty one if there is none. */
struct gw_callers_posting *gw_callers_index_get(struct gw_callers_index *ix, uint32_t fact,
                                                struct gw_key value);
void gw_callers_index_drop(struct gw_callers_index *ix, struct gw_callers_posting *p); /* frees p */
void gw_callers_index_clear(struct gw_callers_index *ix);

/* callers_crowd.c. Those who have one of the values of is, an IS; borrowed until the registry
 * changes or the next call. NULL: the set is small, or was not met before. */
const struct gw_callers_posting *gw_callers_crowd_of(struct gw_callers *c,
                                                     const struct gw_formula *is);
/* A fact of a caller was worked out; it will be another, or he goes. */
void gw_callers_crowds_add(struct gw_callers *c, struct gw_callers_entry *e, uint32_t fact);
void gw_callers_crowds_drop(struct gw_callers *c, struct gw_callers_entry *e, uint32_t fact);
void gw_callers_crowds_clear(struct gw_callers *c);

#endif
