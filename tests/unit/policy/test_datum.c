/* datum: SipHash against its reference vectors, which texts are the same value, kinds, order. */
#include "gw/datum.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

/* Key 00 01 … 0f, input 00 01 … of that length: vectors.h of the reference implementation. */
static const struct {
    size_t n;
    const char *hex;
} VECTORS[] = {
    {0, "a3817f04ba25a8e66df67214c7550293"},  {1, "da87c1d86b99af44347659119b22fc45"},
    {2, "8177228da4a45dc7fca38bdef60affe4"},  {3, "9c70b60c5267a94e5f33b6b02985ed51"},
    {7, "a1f1ebbed8dbc153c0b84aa61ff08239"},  {8, "3b62a9ba6258f5610f83e264f31497b4"},
    {15, "5493e99933b0a8117e08ec0f97cfc3d9"}, {16, "6ee2a4ca67b054bbfd3315bf85230577"},
    {63, "5150d1772f50834a503e069a973fbd7c"},
};

static void add_le(char *out, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        sprintf(out + 2 * i, "%02x", (unsigned)(v >> (8 * i) & 0xff));
}

START_TEST(test_datum_siphash_matches_reference)
{
    unsigned char key[16];
    char text[64], hex[33];
    for (int i = 0; i < 64; i++)
        text[i] = (char)i;
    for (int i = 0; i < 16; i++)
        key[i] = (unsigned char)i;
    struct gw_key k = gw_siphash128(key, (struct gw_span){text, VECTORS[_i].n});
    add_le(hex, k.hi);
    add_le(hex + 16, k.lo);
    ck_assert_str_eq(hex, VECTORS[_i].hex);
}
END_TEST

#define U "00112233-4455-6677-8899-aabbccddeeff"
#define HUGE "123456789012345678901234567890"

static const struct {
    enum gw_kind kind;
    const char *a, *b;
    bool same;
} PAIRS[] = {
    {GW_KIND_BOOL, "t", "t", true},
    {GW_KIND_BOOL, "t", "true", true},
    {GW_KIND_BOOL, "f", "t", false},
    {GW_KIND_INT, "0", "0", true},
    {GW_KIND_INT, "-1", "1", false},
    {GW_KIND_INT, "9223372036854775807", "-9223372036854775808", false},
    {GW_KIND_UUID, U, U, true},
    {GW_KIND_UUID, U, "00112233-4455-6677-8899-aabbccddeefe", false},
    {GW_KIND_TEXT, "", "", true},
    {GW_KIND_TEXT, "a", "", false},
    {GW_KIND_TEXT, "a", "A", false},
    {GW_KIND_TEXT, "a", "a ", false},
    {GW_KIND_TEXT, "fifteen bytes!!", "fifteen bytes!?", false},
    {GW_KIND_TEXT, "sixteen bytes !!", "sixteen bytes !!", true},
    {GW_KIND_TEXT, "sixteen bytes !!", "sixteen bytes !?", false},
    {GW_KIND_ENUM, "owner", "owner", true},
    {GW_KIND_ENUM, "owner", "editor", false},
    {GW_KIND_NUMERIC, "1", "1.000", true},
    {GW_KIND_NUMERIC, "1.5", "1.50", true},
    {GW_KIND_NUMERIC, "10", "1", false},
    {GW_KIND_NUMERIC, "100", "100.0", true},
    {GW_KIND_NUMERIC, "0.00", "0", true},
    {GW_KIND_NUMERIC, "-0.5", "0.5", false},
    {GW_KIND_NUMERIC, "-0", "0.0", true},
    {GW_KIND_NUMERIC, "-2.0", "-2", true},
    {GW_KIND_NUMERIC, HUGE, HUGE ".0", true},
    {GW_KIND_NUMERIC, HUGE, HUGE ".1", false},
    {GW_KIND_NUMERIC, "NaN", "NaN", true},
    {GW_KIND_NUMERIC, "Infinity", "-Infinity", false},
    {GW_KIND_DATE, "2026-11-23", "2026-11-23", true},
    {GW_KIND_DATE, "0044-03-15 BC", "0044-03-15", false},
    {GW_KIND_DATE, "infinity", "-infinity", false},
    {GW_KIND_DATE, "12026-11-23", "2026-11-23", false},
};

START_TEST(test_datum_equality)
{
    struct gw_datum a = gw_datum_of(PAIRS[_i].kind, gw_span_of(PAIRS[_i].a));
    struct gw_datum b = gw_datum_of(PAIRS[_i].kind, gw_span_of(PAIRS[_i].b));
    ck_assert_int_eq(a.state, GW_DATUM_VALUE);
    ck_assert_int_eq(b.state, GW_DATUM_VALUE);
    ck_assert_msg(gw_datum_eq(&a, &b) == PAIRS[_i].same, "%s and %s", PAIRS[_i].a, PAIRS[_i].b);
    ck_assert_int_eq(gw_key_compare(&a.key, &b.key) == 0, PAIRS[_i].same);
    ck_assert_int_eq(gw_key_compare(&a.key, &b.key), -gw_key_compare(&b.key, &a.key));
    ck_assert(!PAIRS[_i].same || gw_key_hash(a.key) == gw_key_hash(b.key));
}
END_TEST

static const struct {
    enum gw_kind kind;
    const char *text;
} MALFORMED[] = {
    {GW_KIND_BOOL, ""},
    {GW_KIND_BOOL, "T"},
    {GW_KIND_INT, ""},
    {GW_KIND_INT, "-"},
    {GW_KIND_INT, "-0"},
    {GW_KIND_INT, "01"},
    {GW_KIND_INT, "+1"},
    {GW_KIND_INT, " 1"},
    {GW_KIND_INT, "1.0"},
    {GW_KIND_INT, "9223372036854775808"},
    {GW_KIND_INT, "-9223372036854775809"},
    {GW_KIND_INT, "99999999999999999999"},
    {GW_KIND_UUID, ""},
    {GW_KIND_UUID, "00112233445566778899aabbccddeeff"},
    {GW_KIND_UUID, "00112233-4455-6677-8899-AABBCCDDEEFF"},
    {GW_KIND_UUID, "00112233-4455-6677-8899aabbccddeeff-"},
    {GW_KIND_UUID, "00112233-4455-6677-8899-aabbccddeef-"},
    {GW_KIND_NUMERIC, ""},
    {GW_KIND_NUMERIC, "1."},
    {GW_KIND_NUMERIC, ".5"},
    {GW_KIND_NUMERIC, "1e3"},
    {GW_KIND_NUMERIC, "00"},
    {GW_KIND_NUMERIC, "-"},
    {GW_KIND_DATE, ""},
    {GW_KIND_DATE, "2026-11-2"},
    {GW_KIND_DATE, "23.11.2026"},
    {GW_KIND_DATE, "2026-11-23 AD"},
};

START_TEST(test_datum_malformed_is_unknown)
{
    struct gw_datum d = gw_datum_of(MALFORMED[_i].kind, gw_span_of(MALFORMED[_i].text));
    ck_assert_msg(d.state == GW_DATUM_UNKNOWN, "%s", MALFORMED[_i].text);
}
END_TEST

START_TEST(test_datum_uuid_key_is_its_bytes)
{
    struct gw_datum d = gw_datum_of(GW_KIND_UUID, GW_SPAN_LIT(U));
    ck_assert_uint_eq(d.key.hi, 0x0011223344556677u);
    ck_assert_uint_eq(d.key.lo, 0x8899aabbccddeeffu);
}
END_TEST

START_TEST(test_datum_bool_text_is_short)
{
    ck_assert(gw_span_is(gw_datum_of(GW_KIND_BOOL, GW_SPAN_LIT("true")).text, "t"));
    ck_assert(gw_span_is(gw_datum_of(GW_KIND_BOOL, GW_SPAN_LIT("false")).text, "f"));
}
END_TEST

START_TEST(test_datum_order_of_integers_and_booleans)
{
    static const char *const ASCENDING[] = {
        "-9223372036854775808", "-2", "-1", "0", "1", "2", "4294967295", "9223372036854775807"};
    for (int i = 0; i < COUNT(ASCENDING); i++)
        for (int j = 0; j < COUNT(ASCENDING); j++) {
            struct gw_datum a = gw_datum_of(GW_KIND_INT, gw_span_of(ASCENDING[i]));
            struct gw_datum b = gw_datum_of(GW_KIND_INT, gw_span_of(ASCENDING[j]));
            ck_assert_int_eq(gw_datum_compare(&a, &b), i < j ? -1 : i > j);
        }
    struct gw_datum f = gw_datum_of(GW_KIND_BOOL, GW_SPAN_LIT("f"));
    struct gw_datum t = gw_datum_of(GW_KIND_BOOL, GW_SPAN_LIT("t"));
    ck_assert_int_lt(gw_datum_compare(&f, &t), 0);
    ck_assert(gw_kind_has_order(GW_KIND_INT) && !gw_kind_has_order(GW_KIND_TEXT));
}
END_TEST

START_TEST(test_datum_long_text_depends_on_the_hash_key)
{
    unsigned char key[16] = {1};
    struct gw_span text = GW_SPAN_LIT("sixteen bytes !!");
    struct gw_datum a = gw_datum_of(GW_KIND_TEXT, text);
    gw_datum_set_hash_key(key);
    struct gw_datum b = gw_datum_of(GW_KIND_TEXT, text);
    key[0] = 0;
    gw_datum_set_hash_key(key);
    struct gw_datum c = gw_datum_of(GW_KIND_TEXT, text);
    ck_assert(!gw_key_eq(a.key, b.key));
    ck_assert(gw_key_eq(a.key, c.key));
}
END_TEST

START_TEST(test_datum_kind_of_types)
{
    struct gw_types types;
    gw_types_init(&types);
    const struct gw_type mood = {.oid = 90000, .kind = GW_TYPE_TEXT, .name = GW_SPAN_LIT("mood")};
    const struct gw_type email = {
        .oid = 90001, .kind = GW_TYPE_DOMAIN, .name = GW_SPAN_LIT("email"), .inner_oid = 25};
    const struct gw_type strict = {
        .oid = 90002, .kind = GW_TYPE_DOMAIN, .name = GW_SPAN_LIT("strict"), .inner_oid = 90001};
    const struct gw_type loop = {
        .oid = 90003, .kind = GW_TYPE_DOMAIN, .name = GW_SPAN_LIT("loop"), .inner_oid = 90003};
    const struct gw_type citext = {
        .oid = 90004, .kind = GW_TYPE_BASE, .name = GW_SPAN_LIT("citext")};
    gw_types_add(&types, &mood);
    gw_types_add(&types, &email);
    gw_types_add(&types, &strict);
    gw_types_add(&types, &loop);
    gw_types_add(&types, &citext);
    ck_assert_int_eq(gw_kind_of(NULL, 16), GW_KIND_BOOL);
    ck_assert_int_eq(gw_kind_of(NULL, 20), GW_KIND_INT);
    ck_assert_int_eq(gw_kind_of(&types, 26), GW_KIND_INT);
    ck_assert_int_eq(gw_kind_of(&types, 2950), GW_KIND_UUID);
    ck_assert_int_eq(gw_kind_of(&types, 1043), GW_KIND_TEXT);
    ck_assert_int_eq(gw_kind_of(&types, 1700), GW_KIND_NUMERIC);
    ck_assert_int_eq(gw_kind_of(&types, 1082), GW_KIND_DATE);
    ck_assert_int_eq(gw_kind_of(&types, 1042), GW_KIND_OPAQUE); /* bpchar */
    ck_assert_int_eq(gw_kind_of(&types, 3904), GW_KIND_OPAQUE); /* int4range */
    ck_assert_int_eq(gw_kind_of(&types, 1009), GW_KIND_OPAQUE); /* text[] */
    ck_assert_int_eq(gw_kind_of(&types, 90000), GW_KIND_ENUM);
    ck_assert_int_eq(gw_kind_of(NULL, 90000), GW_KIND_OPAQUE);
    ck_assert_int_eq(gw_kind_of(&types, 90002), GW_KIND_TEXT);
    ck_assert_int_eq(gw_kind_of(&types, 90003), GW_KIND_OPAQUE);
    ck_assert_int_eq(gw_kind_of(&types, 90004), GW_KIND_OPAQUE);
    gw_types_fini(&types);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("datum");
    TCase *tc = tcase_create("datum");
    tcase_add_loop_test(tc, test_datum_siphash_matches_reference, 0, COUNT(VECTORS));
    tcase_add_loop_test(tc, test_datum_equality, 0, COUNT(PAIRS));
    tcase_add_loop_test(tc, test_datum_malformed_is_unknown, 0, COUNT(MALFORMED));
    tcase_add_test(tc, test_datum_uuid_key_is_its_bytes);
    tcase_add_test(tc, test_datum_bool_text_is_short);
    tcase_add_test(tc, test_datum_order_of_integers_and_booleans);
    tcase_add_test(tc, test_datum_long_text_depends_on_the_hash_key);
    tcase_add_test(tc, test_datum_kind_of_types);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
