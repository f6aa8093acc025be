#include "gw/txn.h"

#include "wire.h"

static struct gw_assembler *a;
static struct gw_buf b;

static void setup(void)
{
    a = gw_assembler_new(0);
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

static enum gw_code refused(void)
{
    enum gw_fed fed;
    struct gw_txn *txn;
    enum gw_code code = wire_feed(a, &b, &fed, &txn);
    ck_assert_int_eq(fed, GW_FED_NOTHING);
    ck_assert_ptr_null(txn);
    return code;
}

static void cell_is(const struct gw_cell *cell, const char *text, const char *json)
{
    ck_assert_int_eq(cell->state, GW_CELL_VALUE);
    ck_assert(gw_span_is(cell->text, text));
    ck_assert(gw_span_is(cell->json, json));
}

START_TEST(test_assembler_insert_has_text_and_json)
{
    wire_feed_begin(a, &b, 100);
    announce(1, "trips", 'd', "+id:i title note");
    insert(1, ROW("7", "a\"b", NULL));
    struct gw_txn *t = wire_feed_commit(a, &b, 100);

    ck_assert_uint_eq(t->xid, 100);
    ck_assert_uint_eq(t->commit_lsn.v, 100);
    ck_assert_uint_eq(t->end_lsn.v, 108);
    ck_assert_int_eq(t->commit_time.v, GW_PG_EPOCH_US + 1000);
    ck_assert_uint_eq(t->n_changes, 1);
    const struct gw_change *c = &t->changes[0];
    ck_assert_int_eq(c->op, GW_OP_INSERT);
    ck_assert(gw_span_is(c->rel->name, "trips"));
    ck_assert_ptr_null(c->old);
    ck_assert_uint_eq(c->new_->n, 3);
    ck_assert(c->new_->is_full);
    cell_is(&c->new_->cells[0], "7", "7");
    cell_is(&c->new_->cells[1], "a\"b", "\"a\\\"b\"");
    ck_assert_int_eq(c->new_->cells[2].state, GW_CELL_NULL);
    ck_assert(gw_span_is(c->new_->cells[2].json, "null"));
    ck_assert_uint_ge(t->bytes, gw_arena_footprint(&t->arena));
    gw_txn_free(t);
}
END_TEST

START_TEST(test_assembler_key_image_leaves_others_absent)
{
    wire_feed_begin(a, &b, 1);
    announce(1, "t", 'd', "+id:i note");
    wire_update(&b, 1, 'K', ROW("1", NULL), ROW("2", WIRE_UNCHANGED));
    wire_feed_ok(a, &b);
    wire_delete(&b, 1, 'K', ROW("2", NULL));
    wire_feed_ok(a, &b);
    struct gw_txn *t = wire_feed_commit(a, &b, 1);

    ck_assert_uint_eq(t->n_changes, 2);
    const struct gw_change *c = &t->changes[0];
    ck_assert_int_eq(c->op, GW_OP_UPDATE);
    cell_is(&c->old->cells[0], "1", "1");
    ck_assert_int_eq(c->old->cells[1].state, GW_CELL_ABSENT);
    ck_assert(!c->old->is_full);
    ck_assert_int_eq(c->new_->cells[1].state, GW_CELL_UNCHANGED);
    ck_assert(!c->new_->is_full);
    ck_assert_int_eq(t->changes[1].op, GW_OP_DELETE);
    ck_assert_ptr_null(t->changes[1].new_);
    ck_assert_int_eq(t->changes[1].old->cells[1].state, GW_CELL_ABSENT);
    gw_txn_free(t);
}
END_TEST

START_TEST(test_assembler_full_image_has_nulls)
{
    wire_feed_begin(a, &b, 1);
    announce(1, "t", 'f', "id:i note");
    wire_delete(&b, 1, 'O', ROW("2", NULL));
    wire_feed_ok(a, &b);
    struct gw_txn *t = wire_feed_commit(a, &b, 1);
    ck_assert(t->changes[0].old->is_full);
    ck_assert_int_eq(t->changes[0].old->cells[1].state, GW_CELL_NULL);
    gw_txn_free(t);
}
END_TEST

START_TEST(test_assembler_empty_transaction_is_handed_over)
{
    wire_feed_begin(a, &b, 9);
    struct gw_txn *t = wire_feed_commit(a, &b, 9);
    ck_assert_uint_eq(t->n_changes, 0);
    ck_assert_uint_eq(t->n_tables, 0);
    ck_assert_ptr_null(t->messages);
    gw_txn_fold(t, NULL, NULL);
    gw_txn_free(t);
    gw_txn_free(NULL);
}
END_TEST

START_TEST(test_assembler_tables_count_rows_in_order_of_first_touch)
{
    wire_feed_begin(a, &b, 1);
    announce(1, "a", 'd', "+id:i");
    announce(2, "b", 'd', "+id:i");
    announce(3, "untouched", 'd', "+id:i");
    insert(2, ROW("1"));
    insert(1, ROW("1"));
    insert(2, ROW("2"));
    struct gw_txn *t = wire_feed_commit(a, &b, 1);
    ck_assert_uint_eq(t->n_tables, 2);
    ck_assert_uint_eq(t->tables[0].rel->oid, 2);
    ck_assert_uint_eq(t->tables[0].rows, 2);
    ck_assert_uint_eq(t->tables[1].rows, 1);
    ck_assert_ptr_eq(gw_txn_table_find(t, 1), &t->tables[1]);
    ck_assert_ptr_null(gw_txn_table_find(t, 3));
    ck_assert(!t->tables[0].access_unknown && !t->tables[0].overflowed);
    gw_txn_free(t);
}
END_TEST

START_TEST(test_assembler_relations_outlive_transactions_and_assembler)
{
    wire_feed_begin(a, &b, 1);
    announce(1, "a", 'd', "+id:i");
    struct gw_txn *first = wire_feed_commit(a, &b, 1);
    wire_feed_begin(a, &b, 2);
    insert(1, ROW("1"));
    struct gw_txn *second = wire_feed_commit(a, &b, 2);
    gw_txn_free(first);
    gw_assembler_reset(a);
    ck_assert(gw_span_is(second->changes[0].rel->name, "a"));
    gw_txn_free(second);
}
END_TEST

START_TEST(test_assembler_truncate_marks_table_and_place)
{
    wire_feed_begin(a, &b, 1);
    announce(1, "a", 'd', "+id:i");
    insert(1, ROW("1"));
    insert(1, ROW("2"));
    wire_truncate(&b, 1);
    wire_feed_ok(a, &b);
    insert(1, ROW("3"));
    struct gw_txn *t = wire_feed_commit(a, &b, 1);
    ck_assert(t->tables[0].truncated && t->tables[0].access_unknown);
    ck_assert(!t->tables[0].overflowed && !t->overflowed);
    ck_assert_uint_eq(t->tables[0].truncate_at, 2);
    ck_assert_uint_eq(t->tables[0].rows, 3);
    ck_assert_uint_eq(t->n_changes, 3);
    gw_txn_free(t);
}
END_TEST

START_TEST(test_assembler_messages_are_kept_in_order)
{
    wire_message(&b, false, "outside", GW_SPAN_LIT("x"));
    wire_feed_ok(a, &b);
    wire_feed_begin(a, &b, 1);
    message("one", GW_SPAN_LIT("1"));
    wire_message(&b, false, "not transactional", GW_SPAN_LIT("x"));
    wire_feed_ok(a, &b);
    message("two", GW_SPAN_LIT(""));
    struct gw_txn *t = wire_feed_commit(a, &b, 1);
    const struct gw_txn_message *m = t->messages;
    ck_assert(gw_span_is(m->prefix, "one") && gw_span_is(m->content, "1"));
    m = m->next;
    ck_assert(gw_span_is(m->prefix, "two") && m->content.n == 0);
    ck_assert_ptr_null(m->next);
    ck_assert(!t->messages_lost);
    gw_txn_free(t);

    wire_feed_begin(a, &b, 2);
    t = wire_feed_commit(a, &b, 2);
    ck_assert_ptr_null(t->messages);
    gw_txn_free(t);
}
END_TEST

START_TEST(test_assembler_type_and_origin_are_ignored)
{
    gw_buf_add(&b, "Y\0\0\0\1public\0mood", 17);
    wire_feed_ok(a, &b);
    wire_feed_begin(a, &b, 1);
    gw_buf_add(&b, "O\0\0\0\0\0\0\0\1node", 14);
    wire_feed_ok(a, &b);
    gw_txn_free(wire_feed_commit(a, &b, 1));
}
END_TEST

/* A table altered between two rows: each row keeps the shape it was written with. */
START_TEST(test_assembler_relation_renewed_inside_transaction)
{
    wire_feed_begin(a, &b, 1);
    announce(1, "t", 'd', "+id:i");
    insert(1, ROW("1"));
    announce(1, "t", 'd', "+id:i added");
    insert(1, ROW("2", "x"));
    announce(1, "t", 'd', "+id:i added more");
    struct gw_txn *t = wire_feed_commit(a, &b, 1);
    ck_assert_uint_eq(t->n_tables, 1);
    ck_assert_uint_eq(t->tables[0].rel->n_columns, 3);
    ck_assert_uint_eq(t->changes[0].rel->n_columns, 1);
    ck_assert_uint_eq(t->changes[1].rel->n_columns, 2);
    gw_txn_free(t);
}
END_TEST

START_TEST(test_assembler_relation_repeated_is_the_same)
{
    wire_feed_begin(a, &b, 1);
    announce(1, "t", 'd', "+id:i");
    insert(1, ROW("1"));
    announce(1, "t", 'd', "+id:i");
    insert(1, ROW("2"));
    struct gw_txn *t = wire_feed_commit(a, &b, 1);
    ck_assert_ptr_eq(t->changes[0].rel, t->changes[1].rel);
    ck_assert_ptr_null(t->held);
    gw_txn_free(t);
}
END_TEST

START_TEST(test_assembler_message_out_of_order_is_malformed)
{
    static const struct gw_span outside[] = {
        {"I\0\0\0\1N\0\0", 8},         {"D\0\0\0\1K\0\0", 8},
        {"U\0\0\0\1N\0\0", 8},         {"T\0\0\0\0\0", 6},
        {"O\0\0\0\0\0\0\0\1node", 14}, {"C\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1", 26}};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        gw_buf_add_span(&b, outside[i]);
        ck_assert_int_eq(refused(), GW_E_MALFORMED);
    }
    wire_message(&b, true, "p", GW_SPAN_LIT("x"));
    ck_assert_int_eq(refused(), GW_E_MALFORMED);
    wire_feed_begin(a, &b, 1);
    wire_begin(&b, 2, 2);
    ck_assert_int_eq(refused(), GW_E_MALFORMED);
    wire_commit(&b, 2);
    ck_assert_int_eq(refused(), GW_E_MALFORMED);
}
END_TEST

START_TEST(test_assembler_row_of_unannounced_relation_is_not_found)
{
    wire_feed_begin(a, &b, 1);
    wire_insert(&b, 5, ROW("1"));
    ck_assert_int_eq(refused(), GW_E_NOT_FOUND);
    wire_truncate(&b, 5);
    ck_assert_int_eq(refused(), GW_E_NOT_FOUND);
}
END_TEST

START_TEST(test_assembler_wrong_number_of_columns_is_malformed)
{
    wire_feed_begin(a, &b, 1);
    announce(1, "t", 'f', "id:i note");
    wire_insert(&b, 1, ROW("1"));
    ck_assert_int_eq(refused(), GW_E_MALFORMED);
    wire_insert(&b, 1, ROW("1", "2", "3"));
    ck_assert_int_eq(refused(), GW_E_MALFORMED);
    wire_update(&b, 1, 'O', ROW("1"), ROW("1", "2"));
    ck_assert_int_eq(refused(), GW_E_MALFORMED);
    wire_delete(&b, 1, 'O', ROW("1"));
    ck_assert_int_eq(refused(), GW_E_MALFORMED);
}
END_TEST

START_TEST(test_assembler_binary_value_is_unsupported)
{
    wire_feed_begin(a, &b, 1);
    announce(1, "t", 'd', "+id:i");
    gw_buf_add(&b, "I\0\0\0\1N\0\1b\0\0\0\1x", 14);
    ck_assert_int_eq(refused(), GW_E_UNSUPPORTED);
}
END_TEST

START_TEST(test_assembler_reset_after_error_forgets_everything)
{
    wire_feed_begin(a, &b, 1);
    announce(1, "t", 'd', "+id:i");
    insert(1, ROW("1"));
    announce(1, "t", 'd', "+id:i more");
    message("p", GW_SPAN_LIT("x"));
    wire_insert(&b, 9, ROW("1"));
    ck_assert_int_eq(refused(), GW_E_NOT_FOUND);
    ck_assert_uint_gt(gw_assembler_bytes(a), 0);
    gw_assembler_reset(a);
    ck_assert_uint_eq(gw_assembler_bytes(a), 0);

    wire_feed_begin(a, &b, 2);
    wire_insert(&b, 1, ROW("1"));
    ck_assert_int_eq(refused(), GW_E_NOT_FOUND);
    gw_assembler_reset(a);
    wire_feed_begin(a, &b, 3);
    announce(1, "t", 'd', "+id:i");
    insert(1, ROW("1"));
    struct gw_txn *t = wire_feed_commit(a, &b, 3);
    ck_assert_uint_eq(t->n_changes, 1);
    ck_assert_ptr_null(t->messages);
    gw_txn_free(t);
}
END_TEST

START_TEST(test_assembler_free_in_mid_transaction_leaks_nothing)
{
    wire_feed_begin(a, &b, 1);
    announce(1, "t", 'd', "+id:i");
    insert(1, ROW("1"));
    announce(1, "t", 'd', "+id:i more");
    insert(1, ROW("1", "2"));
}
END_TEST

START_TEST(test_assembler_types_decide_json)
{
    struct gw_types types;
    gw_types_init(&types);
    struct gw_type array = {.oid = TEXT_OID,
                            .kind = GW_TYPE_ARRAY,
                            .inner_oid = INT4_OID,
                            .name = GW_SPAN_LIT("_int4"),
                            .delimiter = ','};
    gw_types_add(&types, &array);
    wire_feed_begin(a, &b, 1);
    announce(1, "t", 'd', "+id:i list");
    gw_assembler_set_types(a, &types);
    insert(1, ROW("1", "{1,2}"));
    gw_assembler_set_types(a, NULL);
    insert(1, ROW("2", "{1,2}"));
    struct gw_txn *t = wire_feed_commit(a, &b, 1);
    cell_is(&t->changes[0].new_->cells[1], "{1,2}", "[1,2]");
    cell_is(&t->changes[1].new_->cells[1], "{1,2}", "\"{1,2}\"");
    gw_txn_free(t);
    gw_types_fini(&types);
}
END_TEST

/* ---- what Postgres really sends ---- */

START_TEST(test_assembler_captured_stream_gives_its_transactions)
{
    static const size_t changes[] = {5, 7, 5, 1, 1, 3, 2, 2};
    static const size_t folded[] = {1, 1, 1, 1, 1, 1, 2, 1};
    FILE *f = wire_captured_open();
    size_t n = 0;
    while (wire_captured_next(f, &b)) {
        enum gw_fed fed;
        struct gw_txn *t;
        ck_assert_int_eq(wire_feed(a, &b, &fed, &t), GW_OK);
        ck_assert_int_eq(fed == GW_FED_TXN, t != NULL);
        if (!t)
            continue;
        ck_assert_uint_lt(n, sizeof changes / sizeof *changes);
        ck_assert_uint_eq(t->n_changes, changes[n]);
        gw_txn_fold(t, NULL, NULL);
        ck_assert_msg(t->n_changes == folded[n], "transaction %zu: %zu", n, t->n_changes);
        n++;
        gw_txn_free(t);
    }
    ck_assert_uint_eq(n, sizeof changes / sizeof *changes);
    fclose(f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("assembler");
    TCase *tc = tcase_create("assembler");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_assembler_insert_has_text_and_json);
    tcase_add_test(tc, test_assembler_key_image_leaves_others_absent);
    tcase_add_test(tc, test_assembler_full_image_has_nulls);
    tcase_add_test(tc, test_assembler_empty_transaction_is_handed_over);
    tcase_add_test(tc, test_assembler_tables_count_rows_in_order_of_first_touch);
    tcase_add_test(tc, test_assembler_relations_outlive_transactions_and_assembler);
    tcase_add_test(tc, test_assembler_truncate_marks_table_and_place);
    tcase_add_test(tc, test_assembler_messages_are_kept_in_order);
    tcase_add_test(tc, test_assembler_type_and_origin_are_ignored);
    tcase_add_test(tc, test_assembler_relation_renewed_inside_transaction);
    tcase_add_test(tc, test_assembler_relation_repeated_is_the_same);
    tcase_add_test(tc, test_assembler_message_out_of_order_is_malformed);
    tcase_add_test(tc, test_assembler_row_of_unannounced_relation_is_not_found);
    tcase_add_test(tc, test_assembler_wrong_number_of_columns_is_malformed);
    tcase_add_test(tc, test_assembler_binary_value_is_unsupported);
    tcase_add_test(tc, test_assembler_reset_after_error_forgets_everything);
    tcase_add_test(tc, test_assembler_free_in_mid_transaction_leaks_nothing);
    tcase_add_test(tc, test_assembler_types_decide_json);
    tcase_add_test(tc, test_assembler_captured_stream_gives_its_transactions);
    suite_add_tcase(suite, tc);
    return wire_run(suite);
}
