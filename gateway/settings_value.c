/* settings_value: text → field, one parser per type of the settings table. */
#include "settings_table.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct suffix {
    const char *text;
    int64_t factor;
};

/* Powers of 1024 throughout, as Postgres has it for kB, MB and GB. */
static const struct suffix byte_suffixes[] = {{"", 1},
                                              {"B", 1},
                                              {"k", 1LL << 10},
                                              {"K", 1LL << 10},
                                              {"kB", 1LL << 10},
                                              {"KB", 1LL << 10},
                                              {"KiB", 1LL << 10},
                                              {"M", 1LL << 20},
                                              {"MB", 1LL << 20},
                                              {"MiB", 1LL << 20},
                                              {"G", 1LL << 30},
                                              {"GB", 1LL << 30},
                                              {"GiB", 1LL << 30},
                                              {NULL, 0}};
static const struct suffix ms_suffixes[] = {{"", 1},        {"ms", 1},      {"s", 1000},
                                            {"min", 60000}, {"h", 3600000}, {NULL, 0}};
static const struct suffix s_suffixes[] = {{"", 1}, {"s", 1}, {"min", 60}, {"h", 3600}, {NULL, 0}};
static const struct suffix no_suffixes[] = {{"", 1}, {NULL, 0}};

/* "64 MiB" → 64 << 20. Digits, blanks, a suffix of the table; no sign, no fraction. */
static bool parse_number(const char *text, const struct suffix *suffixes, int64_t *out)
{
    if (!isdigit((unsigned char)text[0]))
        return false;
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno)
        return false;
    while (*end == ' ')
        end++;
    for (const struct suffix *s = suffixes; s->text; s++) {
        if (strcmp(end, s->text) == 0)
            return !__builtin_mul_overflow(n, s->factor, out);
    }
    return false;
}

static void *field(struct gw_settings *out, size_t offset)
{
    return (char *)out + offset;
}

static void set_text(char **at, struct gw_span value)
{
    free(*at);
    *at = gw_strdup_span(value);
}

static enum gw_code apply_number(const struct gw_setting *s, const char *value, int64_t *out,
                                 char expected[160])
{
    static const struct {
        const struct suffix *suffixes;
        const char *what;
    } kinds[] = {
        [GW_SETTING_BYTES] = {byte_suffixes, "bytes, with k, M or G if wanted (64MiB)"},
        [GW_SETTING_COUNT] = {no_suffixes, "a whole number"},
        [GW_SETTING_MS] = {ms_suffixes, "milliseconds, or with a unit (500ms, 2s, 1min)"},
        [GW_SETTING_SECONDS] = {s_suffixes, "seconds, or with a unit (30s, 2min)"},
    };
    if (parse_number(value, kinds[s->type].suffixes, out) && *out >= s->min && *out <= s->max)
        return GW_OK;
    snprintf(expected, 160, "%s, from %lld to %lld", kinds[s->type].what, (long long)s->min,
             (long long)s->max);
    return GW_E_SETTING;
}

/* "host:port" or "[v6]:port". */
static enum gw_code apply_address(const struct gw_setting *s, const char *value,
                                  struct gw_settings *out, char expected[160])
{
    const char *colon = strrchr(value, ':');
    struct gw_span host = {value, colon ? (size_t)(colon - value) : 0};
    int64_t port = 0;
    bool ok = colon && parse_number(colon + 1, no_suffixes, &port) && port <= 65535;
    if (ok && host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = (struct gw_span){host.p + 1, host.n - 2};
    else if (ok && memchr(host.p, ':', host.n))
        ok = false; /* a v6 address without brackets: where does the port begin? */
    if (!ok || host.n == 0) {
        snprintf(expected, 160, "address:port, such as 127.0.0.1:4000 or [::1]:4000");
        return GW_E_SETTING;
    }
    set_text(field(out, s->offset), host);
    *(uint16_t *)field(out, s->port_offset) = (uint16_t)port;
    return GW_OK;
}

static struct gw_span trim(struct gw_span s)
{
    while (s.n > 0 && isspace((unsigned char)s.p[0]))
        s = (struct gw_span){s.p + 1, s.n - 1};
    while (s.n > 0 && isspace((unsigned char)s.p[s.n - 1]))
        s.n--;
    return s;
}

bool gw_settings_next_item(const char **rest, struct gw_span *item)
{
    if (!*rest)
        return false;
    const char *comma = strchr(*rest, ',');
    *item = trim((struct gw_span){*rest, comma ? (size_t)(comma - *rest) : strlen(*rest)});
    *rest = comma ? comma + 1 : NULL;
    return true;
}

bool gw_settings_split_pair(struct gw_span item, struct gw_span *key, struct gw_span *value)
{
    const char *eq = item.n ? memrchr(item.p, '=', item.n) : NULL;
    if (!eq)
        return false;
    *key = trim((struct gw_span){item.p, (size_t)(eq - item.p)});
    *value = trim((struct gw_span){eq + 1, (size_t)(item.p + item.n - eq - 1)});
    return key->n > 0 && value->n > 0;
}

int gw_settings_role_find(const struct gw_settings *s, struct gw_span role)
{
    for (unsigned i = 0; i < s->n_roles; i++) {
        if (gw_span_is(role, s->roles[i]))
            return (int)i;
    }
    return -1;
}

static enum gw_code apply_roles(const char *value, struct gw_settings *out, char expected[160])
{
    const char *rest = value;
    struct gw_span item;
    for (; out->n_roles > 0; out->n_roles--)
        free(out->roles[out->n_roles - 1]);
    while (gw_settings_next_item(&rest, &item)) {
        if (item.n == 0 || item.n > 63 || out->n_roles == GW_ROLES_MAX ||
            gw_settings_role_find(out, item) >= 0) {
            snprintf(expected, 160,
                     "up to %d different role names of at most 63 bytes, comma-separated",
                     GW_ROLES_MAX);
            return GW_E_SETTING;
        }
        out->roles[out->n_roles++] = gw_strdup_span(item);
    }
    return GW_OK;
}

static enum gw_code apply_text(const struct gw_setting *s, const char *value,
                               struct gw_settings *out, char expected[160])
{
    int64_t n = (int64_t)strlen(value);
    if (n < s->min || (s->max > 0 && n > s->max)) {
        snprintf(expected, 160, "%lld to %lld bytes, not %lld", (long long)s->min,
                 (long long)s->max, (long long)n);
        return GW_E_SETTING;
    }
    if (s->is_valid && n > 0 && !s->is_valid(value)) {
        snprintf(expected, 160, "%s", s->expected);
        return GW_E_SETTING;
    }
    set_text(field(out, s->offset), gw_span_of(value));
    return GW_OK;
}

enum gw_code gw_setting_apply(const struct gw_setting *s, const char *value,
                              struct gw_settings *out, char expected[160])
{
    int64_t number = 0;
    enum gw_code code = GW_OK;
    switch (s->type) {
    case GW_SETTING_TEXT:
        return apply_text(s, value, out, expected);
    case GW_SETTING_ADDRESS:
        return apply_address(s, value, out, expected);
    case GW_SETTING_ROLES:
        return apply_roles(value, out, expected);
    case GW_SETTING_BYTES:
        if ((code = apply_number(s, value, &number, expected)) == GW_OK)
            *(size_t *)field(out, s->offset) = (size_t)number;
        return code;
    case GW_SETTING_COUNT:
        if ((code = apply_number(s, value, &number, expected)) == GW_OK)
            *(unsigned *)field(out, s->offset) = (unsigned)number;
        return code;
    case GW_SETTING_MS:
    case GW_SETTING_SECONDS:
        if ((code = apply_number(s, value, &number, expected)) == GW_OK)
            *(int64_t *)field(out, s->offset) = number;
        return code;
    case GW_SETTING_LEVEL:
        if (gw_log_level_parse(value, field(out, s->offset)))
            return GW_OK;
        snprintf(expected, 160, "error, warn, info or debug");
        return GW_E_SETTING;
    case GW_SETTING_ONE:
        if (strcmp(value, s->fallback) == 0)
            return GW_OK;
        snprintf(expected, 160, "%s; nothing else is available in this version", s->fallback);
        return GW_E_SETTING;
    case GW_SETTING_LATER:
        break;
    }
    snprintf(expected, 160, "nothing: it is not available in this version; unset it");
    return GW_E_SETTING;
}

bool gw_setting_is_pairs(const char *value)
{
    const char *rest = value;
    struct gw_span item, key, mapped;
    while (gw_settings_next_item(&rest, &item)) {
        if (!gw_settings_split_pair(item, &key, &mapped))
            return false;
    }
    return true;
}

bool gw_setting_is_slot(const char *value)
{
    size_t n = strlen(value);
    if (n < 1 || n > 63)
        return false;
    return strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}
