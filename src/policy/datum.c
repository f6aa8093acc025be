/* datum: see the header.
 *
 * DESIGN of the keys. Integers: the value with its sign bit flipped, so that unsigned order is the
 * values' order. UUIDs: their 16 bytes. Texts up to 15 bytes: the bytes, and the length in the last
 * byte; longer ones: SipHash with the last byte 0xff, which no length is. Numerics are texts
 * without the zeros that do not count. Keys of different kinds are never compared. */
#include "gw/datum.h"

#include <assert.h>
#include <stdio.h>

#define SHORT_TEXT_MAX 15
#define HASHED 0xffu
#define UUID_TEXT 36
#define FIRST_USER_OID 16384 /* FirstNormalObjectId in access/transam.h */
#define DOMAIN_DEPTH_MAX 32

static unsigned char hash_key[16];

void gw_datum_set_hash_key(const unsigned char key[16])
{
    memcpy(hash_key, key, sizeof hash_key);
}

/* ---- keys ---- */

int gw_key_compare(const struct gw_key *a, const struct gw_key *b)
{
    if (a->hi != b->hi)
        return a->hi < b->hi ? -1 : 1;
    return a->lo == b->lo ? 0 : a->lo < b->lo ? -1 : 1;
}

uint64_t gw_key_hash(struct gw_key k)
{
    uint64_t h = (k.hi ^ (k.lo >> 32 | k.lo << 32)) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 29 ^ k.lo) * 0xbf58476d1ce4e5b9u;
    return h ^ h >> 32;
}

static uint64_t read_be8(const unsigned char *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

static struct gw_key key_of_bytes(const unsigned char bytes[16])
{
    return (struct gw_key){read_be8(bytes), read_be8(bytes + 8)};
}

static struct gw_key key_of_text(struct gw_span s)
{
    unsigned char bytes[16] = {0};
    if (s.n > SHORT_TEXT_MAX) {
        struct gw_key k = gw_siphash128(hash_key, s);
        k.lo |= HASHED;
        return k;
    }
    if (s.n)
        memcpy(bytes, s.p, s.n);
    bytes[15] = (unsigned char)s.n;
    return key_of_bytes(bytes);
}

/* ---- texts, as Postgres prints them ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* How many digits s starts with. */
static size_t count_digits(struct gw_span s)
{
    size_t n = 0;
    while (n < s.n && is_digit(s.p[n]))
        n++;
    return n;
}

static struct gw_span skip(struct gw_span s, size_t n)
{
    return (struct gw_span){s.p + n, s.n - n};
}

static bool read_bool(struct gw_span s, struct gw_datum *d)
{
    bool is_true = gw_span_is(s, "t") || gw_span_is(s, "true");
    if (!is_true && !gw_span_is(s, "f") && !gw_span_is(s, "false"))
        return false;
    d->key = (struct gw_key){0, is_true};
    d->text = is_true ? GW_SPAN_LIT("t") : GW_SPAN_LIT("f");
    return true;
}

static bool read_int(struct gw_span s, struct gw_datum *d)
{
    bool is_negative = s.n && *s.p == '-';
    struct gw_span digits = is_negative ? skip(s, 1) : s;
    if (digits.n == 0 || digits.n > 19 || count_digits(digits) != digits.n)
        return false;
    if (*digits.p == '0' && (digits.n > 1 || is_negative))
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < digits.n; i++)
        v = v * 10 + (uint64_t)(digits.p[i] - '0');
    if (v > (uint64_t)INT64_MAX + is_negative)
        return false;
    d->key = (struct gw_key){0, (is_negative ? -v : v) ^ UINT64_C(1) << 63};
    return true;
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_uuid(struct gw_span s, struct gw_datum *d)
{
    unsigned char bytes[16] = {0};
    size_t nibble = 0;
    if (s.n != UUID_TEXT)
        return false;
    for (size_t i = 0; i < UUID_TEXT; i++) {
        bool at_hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        int v = at_hyphen ? 0 : hex_value(s.p[i]);
        if (v < 0 || at_hyphen != (s.p[i] == '-'))
            return false;
        if (at_hyphen)
            continue;
        bytes[nibble / 2] = (unsigned char)(bytes[nibble / 2] << 4 | v);
        nibble++;
    }
    d->key = key_of_bytes(bytes);
    return true;
}

/* The digits that count are a prefix of the text: 1.50 is 1.5, 2.00 is 2. */
static bool read_numeric(struct gw_span s, struct gw_datum *d)
{
    if (gw_span_is(s, "NaN") || gw_span_is(s, "Infinity") || gw_span_is(s, "-Infinity")) {
        d->key = key_of_text(s);
        return true;
    }
    bool is_negative = s.n && *s.p == '-';
    struct gw_span rest = is_negative ? skip(s, 1) : s;
    size_t whole = count_digits(rest);
    if (whole == 0 || (whole > 1 && *rest.p == '0'))
        return false;
    size_t used = whole;
    if (whole < rest.n) {
        size_t decimals = rest.p[whole] == '.' ? count_digits(skip(rest, whole + 1)) : 0;
        if (decimals == 0 || whole + 1 + decimals != rest.n)
            return false;
        used = rest.n;
        while (rest.p[used - 1] == '0')
            used--;
        used -= rest.p[used - 1] == '.';
    }
    bool is_zero = used == 1 && *rest.p == '0';
    d->key =
        key_of_text((struct gw_span){is_zero ? rest.p : s.p, used + (is_negative && !is_zero)});
    return true;
}

/* ISO: four or more digits of the year, month, day, perhaps " BC". */
static bool read_date(struct gw_span s, struct gw_datum *d)
{
    size_t year = count_digits(s);
    bool is_day = year >= 4 && s.n >= year + 6 && s.p[year] == '-' && is_digit(s.p[year + 1]) &&
                  is_digit(s.p[year + 2]) && s.p[year + 3] == '-' && is_digit(s.p[year + 4]) &&
                  is_digit(s.p[year + 5]);
    if (is_day) {
        struct gw_span era = skip(s, year + 6);
        is_day = era.n == 0 || gw_span_is(era, " BC");
    }
    if (!is_day && !gw_span_is(s, "infinity") && !gw_span_is(s, "-infinity"))
        return false;
    d->key = key_of_text(s);
    return true;
}

static bool read_value(enum gw_kind kind, struct gw_span s, struct gw_datum *d)
{
    switch (kind) {
    case GW_KIND_BOOL:
        return read_bool(s, d);
    case GW_KIND_INT:
        return read_int(s, d);
    case GW_KIND_UUID:
        return read_uuid(s, d);
    case GW_KIND_NUMERIC:
        return read_numeric(s, d);
    case GW_KIND_DATE:
        return read_date(s, d);
    case GW_KIND_TEXT:
    case GW_KIND_ENUM:
        d->key = key_of_text(s);
        return true;
    case GW_KIND_OPAQUE:
        return true;
    }
    return false;
}

/* ---- public ---- */

/* Built-in types, and what a domain ends in. */
static enum gw_kind kind_of_builtin(uint32_t type_oid)
{
    switch (type_oid) {
    case 16: /* bool */
        return GW_KIND_BOOL;
    case 20: /* int8 */
    case 21: /* int2 */
    case 23: /* int4 */
    case 26: /* oid */
        return GW_KIND_INT;
    case 19:   /* name */
    case 25:   /* text */
    case 1043: /* varchar */
        return GW_KIND_TEXT;
    case 1082:
        return GW_KIND_DATE;
    case 1700:
        return GW_KIND_NUMERIC;
    case 2950:
        return GW_KIND_UUID;
    default:
        return GW_KIND_OPAQUE;
    }
}

enum gw_kind gw_kind_of(const struct gw_types *types, uint32_t type_oid)
{
    for (int depth = 0; depth < DOMAIN_DEPTH_MAX; depth++) {
        const struct gw_type *t =
            types && type_oid >= FIRST_USER_OID ? gw_types_find(types, type_oid) : NULL;
        if (!t)
            return kind_of_builtin(type_oid);
        if (t->kind == GW_TYPE_TEXT) /* of users' types: enums */
            return t->is_range ? GW_KIND_OPAQUE : GW_KIND_ENUM;
        if (t->kind != GW_TYPE_DOMAIN)
            return GW_KIND_OPAQUE;
        type_oid = t->inner_oid;
    }
    return GW_KIND_OPAQUE;
}

struct gw_datum gw_datum_of(enum gw_kind kind, struct gw_span text)
{
    struct gw_datum d = {.state = GW_DATUM_VALUE, .kind = kind, .text = text};
    return read_value(kind, text, &d) ? d : gw_datum_unknown();
}

struct gw_datum gw_datum_null(enum gw_kind kind)
{
    return (struct gw_datum){.state = GW_DATUM_NULL, .kind = kind};
}

struct gw_datum gw_datum_unknown(void)
{
    return (struct gw_datum){.state = GW_DATUM_UNKNOWN};
}

struct gw_datum gw_datum_error(void)
{
    return (struct gw_datum){.state = GW_DATUM_ERROR};
}

static bool are_comparable(const struct gw_datum *a, const struct gw_datum *b)
{
    return a->state == GW_DATUM_VALUE && b->state == GW_DATUM_VALUE && a->kind == b->kind &&
           a->kind != GW_KIND_OPAQUE;
}

bool gw_datum_eq(const struct gw_datum *a, const struct gw_datum *b)
{
    assert(are_comparable(a, b));
    return gw_key_eq(a->key, b->key);
}

int gw_datum_compare(const struct gw_datum *a, const struct gw_datum *b)
{
    assert(are_comparable(a, b) && gw_kind_has_order(a->kind));
    return gw_key_compare(&a->key, &b->key);
}

bool gw_kind_has_order(enum gw_kind kind)
{
    return kind == GW_KIND_INT || kind == GW_KIND_BOOL;
}

/* ---- text from a key ---- */

static void key_to_bytes(struct gw_key k, unsigned char bytes[16])
{
    for (int i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(k.hi >> (56 - 8 * i));
        bytes[8 + i] = (unsigned char)(k.lo >> (56 - 8 * i));
    }
}

static void print_uuid(const unsigned char bytes[16], char out[40])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

bool gw_datum_restore_text(struct gw_datum *d, char out[40])
{
    unsigned char bytes[16];
    key_to_bytes(d->key, bytes);
    out[0] = '\0';
    switch (d->kind) {
    case GW_KIND_BOOL:
        out[0] = d->key.lo ? 't' : 'f';
        out[1] = '\0';
        break;
    case GW_KIND_INT:
        snprintf(out, 40, "%lld", (long long)(d->key.lo ^ UINT64_C(1) << 63));
        break;
    case GW_KIND_UUID:
        print_uuid(bytes, out);
        break;
    case GW_KIND_TEXT:
    case GW_KIND_ENUM:
        if (bytes[15] > SHORT_TEXT_MAX)
            return false;
        memcpy(out, bytes, bytes[15]);
        d->text = (struct gw_span){out, bytes[15]};
        return true;
    default:
        return false;
    }
    d->text = gw_span_of(out);
    return true;
}
