/* The bound of the assembler: what happens to a transaction that passes max_bytes. */
#include "gw/txn.h"

#include "wire.h"

#define CAP_BYTES ((size_t)64 * 1024)

static struct gw_assembler *a;
static struct gw_buf b;

static void setup(void)
{
    a = gw_assembler_new(CAP_BYTES);
    gw_buf_init(&b, 0);
}
static void teardown(void)
{
    gw_assembler_free(a);
    gw_buf_fini(&b);
}

static void announce(uint32_t oid, const char *name, char identity, const char *columns)
{
    enum gw_fed fed;
    struct gw_txn *txn;
    wire_relation(&b, oid, name, identity, columns);
    ck_assert_int_eq(wire_feed(a, &b, &fed, &txn), GW_OK);
    ck_assert_int_eq(fed, GW_FED_RELATION);
}

static void insert(uint32_t oid, const char *const *row, size_t n)
{
    wire_insert(&b, oid, row, n);
    wire_feed_ok(a, &b);
}

static void message(const char *prefix, struct gw_span content)
{
    wire_message(&b, true, prefix, content);
    wire_feed_ok(a, &b);
}

START_TEST(test_assembler_cap_drops_rows_keeps_tables)
{
    char big[1000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    wire_feed_begin(a, &b, 1);
    announce(1, "a", 'd', "+id:i note");
    announce(2, "b", 'd', "+id:i note");
    announce(3, "c", 'd', "+id:i note");
    message("before", GW_SPAN_LIT("1"));
    insert(1, ROW("1", "x"));
    wire_truncate(&b, 3);
    wire_feed_ok(a, &b);
    size_t most = 0;
    for (int i = 0; i < 1000; i++) {
        insert(2, ROW("1", big));
        size_t now = gw_assembler_bytes(a);
        most = now > most ? now : most;
    }
    ck_assert_uint_lt(most, 3 * CAP_BYTES); /* blocks are not cut to size */
    ck_assert_uint_gt(most, CAP_BYTES / 2);
    ck_assert_uint_lt(gw_assembler_bytes(a), 8192);
    message("after", GW_SPAN_LIT("2"));
    struct gw_txn *t = wire_feed_commit(a, &b, 1);

    ck_assert(t->overflowed);
    ck_assert_uint_eq(t->n_changes, 0);
    ck_assert_uint_eq(t->n_tables, 3);
    ck_assert_uint_eq(t->tables[0].rows, 1);
    ck_assert(t->tables[0].overflowed && t->tables[0].access_unknown);
    ck_assert(!t->tables[1].overflowed && t->tables[1].truncated); /* c: no row was dropped */
    ck_assert_uint_eq(t->tables[2].rows, 1000);
    ck_assert(t->tables[2].overflowed && t->tables[2].access_unknown);
    ck_assert(gw_span_is(t->messages->prefix, "before"));
    ck_assert(gw_span_is(t->messages->next->prefix, "after"));
    ck_assert(!t->messages_lost);
    ck_assert_uint_lt(t->bytes, 8192);
    gw_txn_fold(t, NULL, NULL);
    gw_txn_free(t);

    wire_feed_begin(a, &b, 2);
    insert(1, ROW("1", "x"));
    t = wire_feed_commit(a, &b, 2);
    ck_assert(!t->overflowed && t->n_changes == 1);
    gw_txn_free(t);
}
END_TEST

START_TEST(test_assembler_value_larger_than_cap_is_overflow_not_error)
{
    char *huge = malloc(2 * CAP_BYTES + 1);
    memset(huge, 'x', 2 * CAP_BYTES);
    huge[2 * CAP_BYTES] = 0;
    wire_feed_begin(a, &b, 1);
    announce(1, "a", 'f', "id:i note");
    insert(1, ROW("1", huge));
    wire_delete(&b, 1, 'O', ROW("1", huge));
    wire_feed_ok(a, &b);
    struct gw_txn *t = wire_feed_commit(a, &b, 1);
    ck_assert(t->overflowed && t->tables[0].overflowed);
    ck_assert_uint_eq(t->tables[0].rows, 2);
    gw_txn_free(t);
    free(huge);
}
END_TEST

/* Text that fits whose JSON does not: every byte becomes six. */
START_TEST(test_assembler_json_larger_than_cap_is_overflow)
{
    size_t n = CAP_BYTES / 4;
    char *control = malloc(n + 1);
    memset(control, 1, n);
    control[n] = 0;
    wire_feed_begin(a, &b, 1);
    announce(1, "a", 'd', "+id:i note");
    insert(1, ROW("1", control));
    struct gw_txn *t = wire_feed_commit(a, &b, 1);
    ck_assert(t->overflowed);
    gw_txn_free(t);
    free(control);
}
END_TEST

START_TEST(test_assembler_messages_past_cap_are_lost_and_said)
{
    char *half = malloc(CAP_BYTES * 3 / 4);
    memset(half, 'm', CAP_BYTES * 3 / 4);
    struct gw_span content = {half, CAP_BYTES * 3 / 4};
    wire_feed_begin(a, &b, 1);
    announce(1, "a", 'd', "+id:i");
    insert(1, ROW("1"));
    message("kept", content);
    message("lost", content);
    message("small", GW_SPAN_LIT("s"));
    struct gw_txn *t = wire_feed_commit(a, &b, 1);
    ck_assert(t->overflowed && t->messages_lost);
    ck_assert(gw_span_is(t->messages->prefix, "kept"));
    ck_assert(gw_span_is(t->messages->next->prefix, "small"));
    ck_assert(t->tables[0].overflowed);
    gw_txn_free(t);
    free(half);
}
END_TEST

START_TEST(test_assembler_relation_renewed_after_overflow)
{
    char *huge = malloc(2 * CAP_BYTES + 1);
    memset(huge, 'x', 2 * CAP_BYTES);
    huge[2 * CAP_BYTES] = 0;
    wire_feed_begin(a, &b, 1);
    announce(1, "a", 'd', "+id");
    insert(1, ROW("1"));
    announce(1, "a", 'd', "+id x");
    insert(1, ROW("1", huge));
    announce(1, "a", 'd', "+id x y");
    insert(1, ROW("1", "2", "3"));
    struct gw_txn *t = wire_feed_commit(a, &b, 1);
    ck_assert(t->overflowed);
    ck_assert_ptr_null(t->held);
    ck_assert_uint_eq(t->tables[0].rows, 3);
    ck_assert_uint_eq(t->tables[0].rel->n_columns, 3);
    gw_txn_free(t);
    free(huge);
}
END_TEST

START_TEST(test_assembler_rows_up_to_cap_are_kept)
{
    wire_feed_begin(a, &b, 1);
    announce(1, "a", 'd', "+id:i");
    for (int i = 0; i < 300; i++)
        insert(1, ROW("1"));
    struct gw_txn *t = wire_feed_commit(a, &b, 1);
    ck_assert(!t->overflowed);
    ck_assert_uint_eq(t->n_changes, 300);
    ck_assert_uint_le(t->arena.used_bytes, CAP_BYTES);
    gw_txn_free(t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("assembler_cap");
    TCase *tc = tcase_create("cap");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_assembler_cap_drops_rows_keeps_tables);
    tcase_add_test(tc, test_assembler_value_larger_than_cap_is_overflow_not_error);
    tcase_add_test(tc, test_assembler_json_larger_than_cap_is_overflow);
    tcase_add_test(tc, test_assembler_messages_past_cap_are_lost_and_said);
    tcase_add_test(tc, test_assembler_relation_renewed_after_overflow);
    tcase_add_test(tc, test_assembler_rows_up_to_cap_are_kept);
    suite_add_tcase(suite, tc);
    return wire_run(suite);
}
