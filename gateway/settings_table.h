/* settings_table: the table behind gateway/settings.h, for the files that read it.
 *
 * One entry per setting. The name stands in the INI file as it is, as --max-connections on the
 * command line and as ROWCAST_MAX_CONNECTIONS in the environment. Constant; no state. */
#ifndef GW_SETTINGS_TABLE_H
#define GW_SETTINGS_TABLE_H

#include "settings.h"

enum gw_setting_type {
    GW_SETTING_TEXT,    /* char * at offset */
    GW_SETTING_ADDRESS, /* host char * at offset, port uint16_t at port_offset */
    GW_SETTING_BYTES,   /* size_t at offset */
    GW_SETTING_COUNT,   /* unsigned at offset */
    GW_SETTING_MS,      /* int64_t at offset, as the next */
    GW_SETTING_SECONDS,
    GW_SETTING_LEVEL, /* enum gw_log_level at offset */
    GW_SETTING_ROLES, /* gw_settings.roles and n_roles */
    GW_SETTING_ONE,   /* stored nowhere: only the fallback is served so far */
    GW_SETTING_LATER, /* stored nowhere: named by the design, not served so far */
};

struct gw_setting {
    const char *name; /* lower case, '_' between words */
    enum gw_setting_type type;
    const char *fallback; /* parsed like any other value; NULL: stays NULL or is derived */
    const char *shown;    /* the default in words, where fallback does not say it */
    const char *help;
    int64_t min, max; /* numbers; TEXT: length in bytes, 0 0: any */
    size_t offset, port_offset;
    bool is_secret;                      /* its value is never printed */
    bool (*is_valid)(const char *value); /* TEXT: shape; may be NULL */
    const char *expected;                /* what is_valid wants, in words */
};

size_t gw_settings_count(void);
const struct gw_setting *gw_settings_at(size_t i);
/* By name; '-' and '_' count as equal. NULL if there is none. */
const struct gw_setting *gw_settings_find(struct gw_span name);
/* The setting a mistyped name most likely meant, or NULL. */
const struct gw_setting *gw_settings_closest(struct gw_span name);

/* Parse value into its field of out (whose old value is replaced). E_SETTING: expected says what
 * would be right. */
GW_MUST_CHECK enum gw_code gw_setting_apply(const struct gw_setting *s, const char *value,
                                            struct gw_settings *out, char expected[160]);

/* Shapes, for the table. */
bool gw_setting_is_pairs(const char *value); /* "a=b,c=d" */
bool gw_setting_is_slot(const char *value);  /* what Postgres accepts as a slot name */

#endif
