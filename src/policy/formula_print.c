/* formula_print: a formula as one line for people, e.g.
 *     (auth.uid() is one of 7f…, 80…) or (role is service_role)
 * Facts are named by their SQL. Values are read back from their keys; of texts longer than 15 bytes
 * a hash is all there is. */
#include "formula_own.h"

#include <inttypes.h>

#define KEYS_SHOWN 5
#define ARGS_SHOWN 50

static void print_bytes_of(const struct gw_key *k, unsigned char out[16])
{
    for (int i = 0; i < 8; i++) {
        out[i] = (unsigned char)(k->hi >> (56 - 8 * i));
        out[8 + i] = (unsigned char)(k->lo >> (56 - 8 * i));
    }
}

static void print_uuid(struct gw_buf *out, const unsigned char bytes[16])
{
    for (int i = 0; i < 16; i++)
        gw_buf_printf(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", bytes[i]);
}

static void print_text(struct gw_buf *out, const unsigned char bytes[16])
{
    if (bytes[15] > 15)
        gw_buf_printf(out, "#%02x%02x%02x%02x…", bytes[0], bytes[1], bytes[2], bytes[3]);
    else
        gw_buf_printf(out, "'%.*s'", bytes[15], (const char *)bytes);
}

static void print_key(struct gw_buf *out, enum gw_kind kind, const struct gw_key *k)
{
    unsigned char bytes[16];
    print_bytes_of(k, bytes);
    switch (kind) {
    case GW_KIND_BOOL:
        gw_buf_add_str(out, k->lo ? "true" : "false");
        return;
    case GW_KIND_INT:
        gw_buf_printf(out, "%" PRId64, (int64_t)(k->lo ^ UINT64_C(1) << 63));
        return;
    case GW_KIND_UUID:
        print_uuid(out, bytes);
        return;
    case GW_KIND_TEXT:
    case GW_KIND_ENUM:
    case GW_KIND_NUMERIC:
    case GW_KIND_DATE:
        print_text(out, bytes);
        return;
    case GW_KIND_OPAQUE:
        break;
    }
    gw_buf_printf(out, "#%016" PRIx64 "%016" PRIx64, k->hi, k->lo);
}

static void print_keys(struct gw_buf *out, enum gw_kind kind, const struct gw_formula *f)
{
    for (uint32_t i = 0; i < f->n_keys && i < KEYS_SHOWN; i++) {
        gw_buf_add_str(out, i ? ", " : "");
        print_key(out, kind, &f->keys[i]);
    }
    if (f->n_keys > KEYS_SHOWN)
        gw_buf_printf(out, " and %" PRIu32 " more", f->n_keys - KEYS_SHOWN);
}

static void print_atom(struct gw_buf *out, const struct gw_rules *r, const struct gw_formula *f)
{
    const struct gw_fact_def *def = r && f->fact < r->n_facts ? &r->facts[f->fact] : NULL;
    if (def)
        gw_buf_add_span(out, def->sql);
    else
        gw_buf_printf(out, "fact %" PRIu32, f->fact);
    if (f->op == GW_FORMULA_KNOWN || f->op == GW_FORMULA_NOT_KNOWN) {
        gw_buf_add_str(out, f->op == GW_FORMULA_KNOWN ? " is known" : " is not known");
        return;
    }
    gw_buf_add_str(out, f->is_set ? " has " : " is ");
    if (f->op == GW_FORMULA_IS_NOT)
        gw_buf_add_str(out, f->is_set ? "none of " : "not ");
    if (f->n_keys > 1 && (f->op == GW_FORMULA_IS || !f->is_set))
        gw_buf_add_str(out, "one of ");
    print_keys(out, def ? def->kind : GW_KIND_OPAQUE, f);
}

/* Depth: see formula.c. */
void gw_formula_print(struct gw_buf *out, const struct gw_rules *r, const struct gw_formula *f)
{
    if (f->op <= GW_FORMULA_NONE) {
        gw_buf_add_str(out, f->op == GW_FORMULA_ALL ? "everybody" : "nobody");
        return;
    }
    if (f->n_args == 0) {
        print_atom(out, r, f);
        return;
    }
    for (uint32_t i = 0; i < f->n_args && i < ARGS_SHOWN; i++) {
        gw_buf_add_str(out, i == 0 ? "" : f->op == GW_FORMULA_AND ? " and " : " or ");
        gw_buf_add_byte(out, '(');
        gw_formula_print(out, r, f->args[i]);
        gw_buf_add_byte(out, ')');
    }
    if (f->n_args > ARGS_SHOWN)
        gw_buf_printf(out, " … %" PRIu32 " more", f->n_args - ARGS_SHOWN);
}
