/* Hostile column values: the first byte chooses the type ('A' is the first of the table below), the
 * rest is the text. Beyond "no bad read" it holds the writer to its word: the result is one valid
 * JSON value in valid UTF-8 whatever the text was, equality is symmetric, and a small output buffer
 * stays within its cap. */
#include "gw/json.h"
#include "gw/value.h"

#include <stdlib.h>

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x))                                                                                  \
            abort();                                                                               \
    } while (0)

enum { ADDR = 90001, ADDR_ARRAY, PERSON, PERSON_ARRAY, DOMAIN_INTS, DOMAIN_INTS_ARRAY, LOOP, NONE };

static const uint32_t oids[] = {
    16,   20,   25,   114,  700,  701,  1042, 1082,   1114,         1184,        1700,
    3802, 1007, 1009, 1020, 1185, 3807, ADDR, PERSON, PERSON_ARRAY, DOMAIN_INTS, DOMAIN_INTS_ARRAY,
    LOOP, NONE, 7,
};

#define N_OIDS (sizeof oids / sizeof *oids)

static void add(struct gw_types *types, uint32_t oid, enum gw_type_kind kind, uint32_t inner)
{
    gw_types_add(types, &(struct gw_type){.oid = oid,
                                          .kind = kind,
                                          .name = GW_SPAN_LIT("t"),
                                          .inner_oid = inner,
                                          .delimiter = ','});
}

static void add_composite(struct gw_types *types, uint32_t oid, struct gw_type_field *fields,
                          uint16_t n)
{
    gw_types_add(types, &(struct gw_type){.oid = oid,
                                          .kind = GW_TYPE_COMPOSITE,
                                          .name = GW_SPAN_LIT("t"),
                                          .n_fields = n,
                                          .fields = fields});
}

static void add_types(struct gw_types *types)
{
    struct gw_type_field addr[] = {{GW_SPAN_LIT("street"), 25}, {GW_SPAN_LIT("zip"), 23}};
    struct gw_type_field person[] = {{GW_SPAN_LIT("name"), 1043},  {GW_SPAN_LIT("tags"), 1009},
                                     {GW_SPAN_LIT("home"), ADDR},  {GW_SPAN_LIT("h"), ADDR_ARRAY},
                                     {GW_SPAN_LIT("extra"), 3802}, {GW_SPAN_LIT("at"), 1184}};
    struct gw_type_field loop[] = {{GW_SPAN_LIT("a"), LOOP}};
    add_composite(types, ADDR, addr, 2);
    add(types, ADDR_ARRAY, GW_TYPE_ARRAY, ADDR);
    add_composite(types, PERSON, person, 6);
    add(types, PERSON_ARRAY, GW_TYPE_ARRAY, PERSON);
    add(types, DOMAIN_INTS, GW_TYPE_DOMAIN, 1007);
    add(types, DOMAIN_INTS_ARRAY, GW_TYPE_ARRAY, DOMAIN_INTS);
    add_composite(types, LOOP, loop, 1);
    add_composite(types, NONE, NULL, 0);
}

static void check_json(const struct gw_types *types, uint32_t oid, struct gw_span text)
{
    struct gw_buf out;
    gw_buf_init(&out, 0);
    gw_value_add_json(&out, types, oid, text);
    MUST(!out.overflow);
    MUST(gw_utf8_is_valid(gw_buf_span(&out)));
    if (text.n < 512) /* embedded JSON may be as deep as the validator goes; nesting adds to it */
        MUST(gw_json_is_valid(gw_buf_span(&out)));
    gw_buf_fini(&out);

    gw_buf_init(&out, 16);
    gw_value_add_json(&out, types, oid, text);
    MUST(out.n <= 16);
    gw_buf_fini(&out);
}

static void check_equality(const struct gw_types *types, uint32_t oid, struct gw_span text)
{
    struct gw_span a = {text.p, text.n / 2}, b = {text.p + a.n, text.n - a.n};
    MUST(gw_value_text_equals(types, oid, text, text));
    MUST(gw_value_text_equals(types, oid, a, b) == gw_value_text_equals(types, oid, b, a));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    static struct gw_types types;
    if (types.by_oid.count == 0) {
        gw_types_init(&types);
        add_types(&types);
    }
    uint32_t oid = oids[(uint8_t)(data[0] - 'A') % N_OIDS];
    struct gw_span text = {(const char *)data + 1, size - 1};
    check_json(&types, oid, text);
    check_equality(&types, oid, text);
    return 0;
}
