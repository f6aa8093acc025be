/* Freeing what crosses threads; the leak checker of the ASan build is the judge. */
#include "gw/messages.h"

#include <check.h>
#include <stdlib.h>

static struct gw_binding *new_bindings(uint32_t n)
{
    struct gw_binding *bindings = gw_alloc(n * sizeof *bindings);
    for (uint32_t i = 0; i < n; i++) {
        bindings[i].id = i + 1;
        bindings[i].events = GW_EVENT_ALL;
        bindings[i].schema = gw_strdup_span(GW_SPAN_LIT("public"));
        bindings[i].table = gw_strdup_span(GW_SPAN_LIT("todos"));
        ck_assert_int_eq(gw_filter_parse(GW_SPAN_LIT("list=eq.7"), &bindings[i].filter, NULL),
                         GW_OK);
    }
    return bindings;
}

START_TEST(test_messages_to_hub_free_releases_claims_and_bindings)
{
    struct gw_claims *claims =
        gw_claims_new(0, GW_SPAN_LIT("anon"), GW_SPAN_LIT(""), 1, GW_SPAN_LIT("{}"));
    struct gw_to_hub *m = gw_alloc(sizeof *m);
    m->kind = GW_TO_HUB_SUBSCRIBE;
    m->claims = gw_claims_ref(claims);
    m->n_bindings = 3;
    m->bindings = new_bindings(3);
    gw_to_hub_free(m);
    ck_assert_uint_eq(atomic_load(&claims->refs), 1);
    gw_claims_unref(claims);
}
END_TEST

START_TEST(test_messages_to_hub_free_releases_the_topic)
{
    struct gw_claims *claims =
        gw_claims_new(0, GW_SPAN_LIT("anon"), GW_SPAN_LIT(""), 1, GW_SPAN_LIT("{}"));
    struct gw_to_hub *m = gw_alloc(sizeof *m);
    m->kind = GW_TO_HUB_MAY;
    m->claims = gw_claims_ref(claims);
    m->topic = gw_strdup_span(GW_SPAN_LIT("trip:42"));
    gw_to_hub_free(m);
    ck_assert_uint_eq(atomic_load(&claims->refs), 1);
    gw_claims_unref(claims);
}
END_TEST

START_TEST(test_messages_unsubscribe_without_parts_is_freed)
{
    struct gw_to_hub *m = gw_alloc(sizeof *m);
    m->kind = GW_TO_HUB_UNSUBSCRIBE;
    gw_to_hub_free(m);
    gw_to_hub_free(NULL);
}
END_TEST

START_TEST(test_messages_to_worker_free_releases_bindings)
{
    struct gw_to_worker *m = gw_alloc(sizeof *m);
    m->kind = GW_TO_WORKER_SUBSCRIBED;
    m->n_bindings = 2;
    m->bindings = new_bindings(2);
    gw_to_worker_free(m);
    gw_to_worker_free(NULL);
}
END_TEST

START_TEST(test_messages_binding_fini_leaves_it_empty)
{
    struct gw_binding *b = new_bindings(1);
    gw_binding_fini(b);
    ck_assert_ptr_null(b->schema);
    ck_assert_ptr_null(b->filter.column);
    gw_binding_fini(b); /* twice is harmless */
    free(b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("messages");
    TCase *tc = tcase_create("messages");
    tcase_add_test(tc, test_messages_to_hub_free_releases_claims_and_bindings);
    tcase_add_test(tc, test_messages_to_hub_free_releases_the_topic);
    tcase_add_test(tc, test_messages_unsubscribe_without_parts_is_freed);
    tcase_add_test(tc, test_messages_to_worker_free_releases_bindings);
    tcase_add_test(tc, test_messages_binding_fini_leaves_it_empty);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
