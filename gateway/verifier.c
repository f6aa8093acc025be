/* Verification. libjwt checks signatures; reading the header first and the claims afterwards is
 * ours, because libjwt 1.10 verifies with whatever algorithm the token names and turns every claim
 * into a C long or string on its way. */
#include "verifier.h"

#include "gw/json.h"

#include <assert.h>
#include <jansson.h>
#include <jwt.h>
#include <math.h>
#include <stdlib.h>

#define API_KEYS_MAX 64

struct api_key {
    struct gw_span key; /* into settings->api_keys */
    struct gw_claims *claims;
};

struct gw_verifier {
    const struct gw_settings *settings;
    unsigned n_keys;
    struct api_key keys[API_KEYS_MAX];
};

static struct gw_claims *claims_of_role(int role_id, struct gw_span role)
{
    struct gw_buf json;
    gw_buf_init(&json, 0);
    gw_buf_add_str(&json, "{\"role\":");
    gw_json_add_string(&json, role);
    gw_buf_add_byte(&json, '}');
    struct gw_claims *c = gw_claims_new((uint16_t)role_id, role, (struct gw_span){"", 0}, INT64_MAX,
                                        gw_buf_span(&json));
    gw_buf_fini(&json);
    return c;
}

struct gw_verifier *gw_verifier_new(const struct gw_settings *settings)
{
    struct gw_verifier *v = gw_alloc(sizeof *v);
    const char *rest = settings->api_keys;
    struct gw_span item, key, role;
    json_object_seed(0);
    v->settings = settings;
    while (v->n_keys < API_KEYS_MAX && gw_settings_next_item(&rest, &item)) {
        if (!gw_settings_split_pair(item, &key, &role))
            continue;
        int role_id = gw_settings_role_find(settings, role);
        if (role_id >= 0)
            v->keys[v->n_keys++] = (struct api_key){key, claims_of_role(role_id, role)};
    }
    return v;
}

void gw_verifier_free(struct gw_verifier *v)
{
    if (!v)
        return;
    for (unsigned i = 0; i < v->n_keys; i++)
        gw_claims_unref(v->keys[i].claims);
    free(v);
}

/* ---- text of the token ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decode and drop white space into out (NUL-terminated, at least token.n + 1 bytes). */
static size_t clean(struct gw_span token, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < token.n; i++) {
        char c = token.p[i];
        if (c == '%' && i + 2 < token.n && hex_value(token.p[i + 1]) >= 0 &&
            hex_value(token.p[i + 2]) >= 0) {
            c = (char)(hex_value(token.p[i + 1]) * 16 + hex_value(token.p[i + 2]));
            i += 2;
        }
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != '\v' && c != '\f')
            out[n++] = c;
    }
    out[n] = '\0';
    return n;
}

/* The three parts between dots. */
static bool split(struct gw_span token, struct gw_span part[3])
{
    for (int i = 0; i < 3; i++) {
        const char *dot = token.n ? memchr(token.p, '.', token.n) : NULL;
        if ((i < 2) != (dot != NULL))
            return false;
        size_t n = dot ? (size_t)(dot - token.p) : token.n;
        part[i] = (struct gw_span){token.p, n};
        if (n == 0 && i < 2)
            return false;
        if (dot)
            token = (struct gw_span){dot + 1, token.n - n - 1};
    }
    return true;
}

static int base64url_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

/* RFC 4648 §5 without padding. Appends to out; false if text is not that. */
static bool base64url_decode(struct gw_span text, struct gw_buf *out)
{
    uint32_t bits = 0;
    unsigned n_bits = 0;
    if (text.n % 4 == 1)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        int v = base64url_value(text.p[i]);
        if (v < 0)
            return false;
        bits = (bits << 6 | (uint32_t)v) & 0xffffff;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            gw_buf_add_byte(out, (char)(bits >> n_bits & 0xff));
        }
    }
    return true;
}

/* The JSON object in one part; NULL if there is none. */
static json_t *read_part(struct gw_span part)
{
    struct gw_buf text;
    json_t *object = NULL;
    gw_buf_init(&text, GW_TOKEN_MAX_BYTES);
    if (base64url_decode(part, &text) && !text.overflow)
        object = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    gw_buf_fini(&text);
    if (object && !json_is_object(object)) {
        json_decref(object);
        object = NULL;
    }
    return object;
}

/* ---- checks, in the order a client sees them ---- */

static enum gw_code refuse(struct gw_err *err, enum gw_code code)
{
    return gw_err_set(err, code, "%s", gw_code_text(code));
}

static enum gw_code check_header(const struct gw_verifier *v, struct gw_span part,
                                 struct gw_err *err)
{
    json_t *header = read_part(part);
    if (!header)
        return refuse(err, GW_E_TOKEN_MALFORMED);
    const char *alg = json_string_value(json_object_get(header, "alg"));
    bool is_ours = alg && (strcmp(alg, "HS256") == 0 || strcmp(alg, "HS384") == 0 ||
                           strcmp(alg, "HS512") == 0);
    json_decref(header);
    if (!is_ours)
        return refuse(err, GW_E_TOKEN_SIGNATURE);
    if (!v->settings->jwt_secret)
        return refuse(err, GW_E_TOKEN_SIGNER);
    return GW_OK;
}

static enum gw_code check_signature(const struct gw_verifier *v, const char *token,
                                    struct gw_err *err)
{
    const char *secret = v->settings->jwt_secret;
    jwt_t *jwt = NULL;
    int rc = jwt_decode(&jwt, token, (const unsigned char *)secret, (int)strlen(secret));
    jwt_free(jwt);
    return rc == 0 ? GW_OK : refuse(err, GW_E_TOKEN_SIGNATURE);
}

/* Seconds, decimals rounded; far values are cut so that arithmetic on them is safe. */
static int64_t seconds_of(const json_t *number)
{
    const double far = 1e15;
    double d = json_number_value(number);
    if (d >= far || d <= -far)
        return d > 0 ? (int64_t)far : -(int64_t)far;
    return json_is_integer(number) ? (int64_t)json_integer_value(number) : llround(d);
}

static struct gw_span text_of(const json_t *v)
{
    if (!json_is_string(v))
        return (struct gw_span){"", 0};
    return (struct gw_span){json_string_value(v), json_string_length(v)};
}

static enum gw_code check_claims(const struct gw_verifier *v, const json_t *claims,
                                 struct gw_us wall, struct gw_claims **out, struct gw_err *err)
{
    const json_t *exp = json_object_get(claims, "exp"), *iat = json_object_get(claims, "iat");
    const json_t *role_claim = json_object_get(claims, "role");
    struct gw_span role = text_of(role_claim);
    if (!role_claim || json_is_null(role_claim))
        role = gw_span_of(v->settings->default_role);
    if (role.n == 0 || !json_is_number(exp))
        return refuse(err, GW_E_TOKEN_CLAIMS);
    if (iat && !json_is_number(iat))
        return gw_err_set(err, GW_E_TOKEN_CLAIMS, "Field `iat` must be a number");
    int64_t now_s = wall.v / 1000000, exp_s = seconds_of(exp);
    if (exp_s <= now_s)
        return gw_err_set(err, GW_E_TOKEN_EXPIRED, "Token has expired %lld seconds ago",
                          (long long)(now_s - exp_s));
    int role_id = gw_settings_role_find(v->settings, role);
    if (role_id < 0)
        return refuse(err, GW_E_TOKEN_ROLE);
    char *canonical = json_dumps(claims, JSON_SORT_KEYS | JSON_COMPACT);
    if (!canonical)
        return refuse(err, GW_E_TOKEN_MALFORMED);
    *out = gw_claims_new((uint16_t)role_id, role, text_of(json_object_get(claims, "sub")), exp_s,
                         gw_span_of(canonical));
    free(canonical);
    return GW_OK;
}

static enum gw_code check_jwt(const struct gw_verifier *v, struct gw_span token, struct gw_us wall,
                              struct gw_claims **out, struct gw_err *err)
{
    struct gw_span part[3];
    enum gw_code code;
    if (!split(token, part))
        return refuse(err, GW_E_TOKEN_MALFORMED);
    if ((code = check_header(v, part[0], err)) != GW_OK)
        return code;
    if ((code = check_signature(v, token.p, err)) != GW_OK)
        return code;
    json_t *claims = read_part(part[1]);
    code = claims ? check_claims(v, claims, wall, out, err) : refuse(err, GW_E_TOKEN_MALFORMED);
    json_decref(claims);
    return code;
}

/* Takes as long for a wrong first byte as for a wrong last one. */
static bool equal_in_constant_time(struct gw_span a, struct gw_span b)
{
    unsigned char differ = 0;
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        differ |= (unsigned char)(a.p[i] ^ b.p[i]);
    return differ == 0;
}

static struct gw_claims *find_key(const struct gw_verifier *v, struct gw_span token)
{
    struct gw_claims *found = NULL;
    for (unsigned i = 0; i < v->n_keys; i++) {
        if (equal_in_constant_time(token, v->keys[i].key))
            found = v->keys[i].claims;
    }
    return found;
}

enum gw_code gw_verifier_check(const struct gw_verifier *v, struct gw_span token, struct gw_us wall,
                               struct gw_claims **out, struct gw_err *err)
{
    *out = NULL;
    if (token.n > GW_TOKEN_MAX_BYTES)
        return refuse(err, GW_E_TOKEN_MALFORMED);
    char *text = gw_alloc(token.n + 1);
    struct gw_span cleaned = {text, clean(token, text)};
    struct gw_claims *of_key = find_key(v, cleaned);
    enum gw_code code = GW_OK;
    if (of_key)
        *out = gw_claims_ref(of_key);
    else if (memchr(cleaned.p, '\0', cleaned.n))
        code = refuse(err, GW_E_TOKEN_MALFORMED); /* libjwt would see only what is before it */
    else
        code = check_jwt(v, cleaned, wall, out, err);
    free(text);
    return code;
}
