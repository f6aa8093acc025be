/* types: the built-in table, and that what is added is copied with all it points to. */
#include "gw/types.h"

#include <check.h>
#include <stdlib.h>

static struct gw_types types;

static void setup(void)
{
    gw_types_init(&types);
}

static void teardown(void)
{
    gw_types_fini(&types);
}

START_TEST(test_types_builtin_scalars_are_known)
{
    static const struct {
        uint32_t oid;
        const char *name;
    } known[] = {{16, "bool"},    {20, "int8"},          {25, "text"},      {114, "json"},
                 {1082, "date"},  {1184, "timestamptz"}, {1700, "numeric"}, {2950, "uuid"},
                 {3802, "jsonb"}, {3904, "int4range"},   {18, "char"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct gw_type *type = gw_types_find(&types, known[i].oid);
        ck_assert_ptr_nonnull(type);
        ck_assert(gw_span_is(type->name, known[i].name));
        ck_assert_uint_eq(type->oid, known[i].oid);
    }
}
END_TEST

START_TEST(test_types_builtin_arrays_name_their_element)
{
    size_t at = 0, arrays = 0;
    uint64_t oid;
    void *value;
    while (gw_idmap_each(&types.by_oid, &at, &oid, &value)) {
        const struct gw_type *type = value;
        ck_assert_uint_eq(type->oid, oid);
        if (type->kind != GW_TYPE_ARRAY)
            continue;
        const struct gw_type *element = gw_types_find(&types, type->inner_oid);
        ck_assert_ptr_nonnull(element);
        ck_assert_int_eq(type->name.p[0], '_');
        ck_assert(gw_span_is(element->name, type->name.p + 1));
        ck_assert_int_eq(type->delimiter, oid == 1020 ? ';' : ',');
        arrays++;
    }
    ck_assert_uint_gt(arrays, 60);
    ck_assert_uint_eq(gw_types_find(&types, 1016)->inner_oid, 20);
    ck_assert_uint_eq(gw_types_find(&types, 2951)->inner_oid, 2950);
}
END_TEST

START_TEST(test_types_unknown_oid_is_null)
{
    ck_assert_ptr_null(gw_types_find(&types, 0));
    ck_assert_ptr_null(gw_types_find(&types, 4000000000u));
}
END_TEST

START_TEST(test_types_add_copies_everything)
{
    char name[] = "addr", street[] = "street";
    struct gw_type_field fields[] = {{gw_span_of(street), 25}, {GW_SPAN_LIT("zip"), 23}};
    struct gw_type type = {.oid = 90000,
                           .kind = GW_TYPE_COMPOSITE,
                           .name = gw_span_of(name),
                           .n_fields = 2,
                           .fields = fields};
    gw_types_add(&types, &type);
    name[0] = street[0] = 'X';
    fields[1].type_oid = 0;
    const struct gw_type *found = gw_types_find(&types, 90000);
    ck_assert(gw_span_is(found->name, "addr"));
    ck_assert(gw_span_is(found->fields[0].name, "street"));
    ck_assert_uint_eq(found->fields[1].type_oid, 23);
}
END_TEST

START_TEST(test_types_add_same_oid_replaces)
{
    struct gw_type type = {.oid = 90000, .kind = GW_TYPE_TEXT, .name = GW_SPAN_LIT("mood")};
    gw_types_add(&types, &type);
    type.kind = GW_TYPE_DOMAIN;
    type.inner_oid = 23;
    gw_types_add(&types, &type);
    ck_assert_int_eq(gw_types_find(&types, 90000)->kind, GW_TYPE_DOMAIN);
    ck_assert_uint_eq(gw_types_find(&types, 90000)->inner_oid, 23);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("types");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_types_builtin_scalars_are_known);
    tcase_add_test(tc, test_types_builtin_arrays_name_their_element);
    tcase_add_test(tc, test_types_unknown_oid_is_null);
    tcase_add_test(tc, test_types_add_copies_everything);
    tcase_add_test(tc, test_types_add_same_oid_replaces);
    Suite *s = suite_create("types");
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
