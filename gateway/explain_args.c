/* explain_args: the command line as data: who, which table, which row. */
#include "explain_own.h"

#include <jansson.h>
#include <stdlib.h>

/* ---- who ---- */

static enum gw_code read_object(const char *flag, const char *text, json_t **out,
                                struct gw_err *err)
{
    json_error_t where;
    *out = json_loads(text, JSON_REJECT_DUPLICATES, &where);
    if (json_is_object(*out))
        return GW_OK;
    if (*out)
        gw_err_set(err, GW_E_SETTING, "%s is JSON, but not an object", flag);
    else
        gw_err_set(err, GW_E_SETTING, "%s is not JSON: %s at character %d", flag, where.text,
                   where.position);
    json_decref(*out);
    *out = NULL;
    gw_err_hint(err, "write it as '{\"name\": value}', in single quotes against the shell");
    return GW_E_SETTING;
}

static enum gw_code make_claims(const struct gw_explain *x, json_t **out, struct gw_err *err)
{
    const struct gw_explain_args *a = &x->args;
    *out = NULL;
    if (a->user && a->claims)
        return gw_err_set(err, GW_E_SETTING, "--user and --claims exclude each other");
    if (!a->user && !a->claims && !a->role) {
        gw_err_set(err, GW_E_SETTING, "whose eyes? Neither --user nor --claims is given");
        gw_err_hint(err, "--user ID, or --claims '{\"role\":\"authenticated\",…}'");
        return GW_E_SETTING;
    }
    if (a->claims)
        return read_object("--claims", a->claims, out, err);
    *out = json_object();
    if (a->user && json_object_set_new(*out, "sub", json_string(a->user)) != 0) {
        json_decref(*out);
        *out = NULL;
        return gw_err_set(err, GW_E_SETTING, "--user is not UTF-8");
    }
    return GW_OK;
}

static struct gw_span text_of(const json_t *v)
{
    if (!json_is_string(v))
        return (struct gw_span){"", 0};
    return (struct gw_span){json_string_value(v), json_string_length(v)};
}

/* As the verifier has it: the token's, else default_role. */
static struct gw_span choose_role(const struct gw_explain *x, json_t *claims)
{
    const char *fallback = x->settings->default_role;
    if (x->args.user && !fallback)
        fallback = "authenticated";
    if (x->args.role)
        json_object_set_new(claims, "role", json_string(x->args.role));
    else if (x->args.user)
        json_object_set_new(claims, "role", json_string(fallback));
    struct gw_span role = text_of(json_object_get(claims, "role"));
    return role.n > 0 ? role : gw_span_of(fallback);
}

static enum gw_code refuse_role(const struct gw_explain *x, struct gw_span role, struct gw_err *err)
{
    if (role.n == 0) {
        gw_err_set(err, GW_E_SETTING, "the claims have no role, and default_role is not set");
        gw_err_hint(err, "--role ROLE, or \"role\" in the claims");
        return GW_E_SETTING;
    }
    struct gw_buf known;
    gw_buf_init(&known, 0);
    for (unsigned i = 0; i < x->settings->n_roles; i++)
        gw_buf_printf(&known, "%s%s", i ? ", " : "", x->settings->roles[i]);
    gw_err_set(err, GW_E_SETTING, "role %.*s is not one of the setting roles: %s", (int)role.n,
               role.p, gw_buf_cstr(&known));
    gw_err_hint(err, "ROWCAST_ROLES lists the roles that a token may name");
    gw_buf_fini(&known);
    return GW_E_SETTING;
}

enum gw_code gw_explain_read_claims(struct gw_explain *x, struct gw_err *err)
{
    json_t *claims;
    enum gw_code code = make_claims(x, &claims, err);
    if (code != GW_OK)
        return code;
    struct gw_span role = choose_role(x, claims);
    int role_id = gw_settings_role_find(x->settings, role);
    char *json = json_dumps(claims, JSON_SORT_KEYS | JSON_COMPACT);
    if (role_id < 0)
        code = refuse_role(x, role, err);
    else if (!json)
        code = gw_err_set(err, GW_E_SETTING, "--role is not UTF-8");
    else
        x->claims = gw_claims_new((uint16_t)role_id, role, text_of(json_object_get(claims, "sub")),
                                  INT64_MAX, gw_span_of(json));
    free(json);
    json_decref(claims);
    return code;
}

/* ---- what the settings make of claims ---- */

void gw_explain_read_claim_settings(struct gw_explain *x)
{
    const char *rest = x->settings->claim_settings;
    struct gw_span item;
    size_t n = 1;
    for (const char *p = rest; *p; p++)
        n += *p == ',';
    x->claim_settings = gw_arena_alloc(&x->arena, n * sizeof *x->claim_settings);
    while (gw_settings_next_item(&rest, &item)) {
        const char *sign = memchr(item.p, '=', item.n);
        if (!sign)
            continue;
        size_t left = (size_t)(sign - item.p);
        x->claim_settings[x->n_claim_settings++] =
            (struct gw_fact_setting){{item.p, left}, {sign + 1, item.n - left - 1}};
    }
}

char *gw_explain_claim_text(const struct gw_explain *x, struct gw_span claim)
{
    json_t *claims = json_loadb(x->claims->json.p, x->claims->json.n, 0, NULL);
    char *name = gw_strdup_span(claim);
    const json_t *v = json_object_get(claims, name);
    char *text = NULL;
    if (json_is_string(v))
        text = gw_strdup_span(text_of(v));
    else if (v && !json_is_null(v))
        text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(claims);
    free(name);
    return text ? text : gw_strdup_span(GW_SPAN_LIT(""));
}

/* ---- which table ---- */

/* One name off the front of *at: bare up to '.', or "quoted" as SQL has it. False: malformed. */
static bool take_name(struct gw_explain *x, const char **at, struct gw_span *out)
{
    struct gw_buf name;
    const char *p = *at;
    bool is_quoted = *p == '"';
    gw_buf_init(&name, 0);
    for (p += is_quoted; *p && (is_quoted || *p != '.'); p++) {
        if (is_quoted && *p == '"' && p[1] != '"')
            break;
        p += is_quoted && *p == '"';
        gw_buf_add_byte(&name, *p);
    }
    bool is_closed = !is_quoted || *p == '"';
    p += is_quoted && is_closed;
    *out = gw_arena_copy(&x->arena, gw_buf_span(&name));
    gw_buf_fini(&name);
    *at = p;
    return is_closed && out->n > 0 && (*p == '.' || *p == '\0');
}

enum gw_code gw_explain_read_table(struct gw_explain *x, struct gw_err *err)
{
    const char *at = x->args.table;
    if (!at || !*at)
        return gw_err_set(err, GW_E_SETTING, "which table? --table [SCHEMA.]TABLE is missing");
    x->schema = GW_SPAN_LIT("public");
    bool ok = take_name(x, &at, &x->name);
    if (ok && *at == '.') {
        at++;
        x->schema = x->name;
        ok = take_name(x, &at, &x->name);
    }
    if (ok && *at == '\0')
        return GW_OK;
    gw_err_set(err, GW_E_SETTING, "--table %s is not the name of a table", x->args.table);
    gw_err_hint(err, "[SCHEMA.]TABLE; a name with a dot stands in \"quotes\"");
    return GW_E_SETTING;
}

/* ---- which row ---- */

static enum gw_code add_part(struct gw_explain *x, struct gw_span column, char *text,
                             struct gw_err *err)
{
    if (x->n_key == GW_EXPLAIN_KEY_MAX || !text) {
        free(text);
        return gw_err_set(err, GW_E_SETTING, "--pk has more than %d columns", GW_EXPLAIN_KEY_MAX);
    }
    x->key[x->n_key++] = (struct gw_explain_part){gw_arena_copy(&x->arena, column), text};
    return GW_OK;
}

static enum gw_code read_json_key(struct gw_explain *x, struct gw_err *err)
{
    json_t *object;
    const char *name;
    json_t *v;
    enum gw_code code = read_object("--pk", x->args.key, &object, err);
    json_object_foreach(object, name, v)
    {
        if (code == GW_OK && (json_is_null(v) || json_is_object(v) || json_is_array(v)))
            code =
                gw_err_set(err, GW_E_SETTING, "--pk: %s is neither text, number nor boolean", name);
        char *text = json_is_string(v) ? gw_strdup_span(text_of(v))
                                       : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
        if (code == GW_OK)
            code = add_part(x, gw_span_of(name), text, err);
        else
            free(text);
    }
    if (code == GW_OK && x->n_key == 0)
        code = gw_err_set(err, GW_E_SETTING, "--pk names no column");
    json_decref(object);
    return code;
}

enum gw_code gw_explain_read_key(struct gw_explain *x, struct gw_err *err)
{
    const char *at = x->args.key;
    enum gw_code code = GW_OK;
    if (!at || !*at) {
        gw_err_set(err, GW_E_SETTING, "which row? --pk is missing");
        gw_err_hint(err, "--pk 42, --pk 42,7 for a key of two columns, or --pk '{\"id\":42}'");
        return GW_E_SETTING;
    }
    if (*at == '{')
        return read_json_key(x, err);
    for (bool more = true; more && code == GW_OK;) {
        size_t n = strcspn(at, ",");
        code = add_part(x, (struct gw_span){0}, gw_strdup_span((struct gw_span){at, n}), err);
        more = at[n] == ',';
        at += n + more;
    }
    return code;
}
