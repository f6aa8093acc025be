/* Transactions and results are written in one notation, steps divided by "; ":
 *     I > 1,a,b        insert          U > 1,c,~        update without old image
 *     D 1,-,-          delete          U 1,-,- > 2,c,~  update with one
 *     T                truncate        R d +id:i a      the relation is announced anew
 * A cell is its text, "-" ABSENT, "~" UNCHANGED, "NULL". An old image with a "-" is a key image. */
#include "gw/txn.h"

#include "wire.h"

#define TABLE 1
#define COLUMNS_KEYED "+id:i a b"
#define CELLS_MAX 8

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

/* ---- notation → messages ---- */

struct cells {
    const char *v[CELLS_MAX];
    size_t n;
    bool is_key;
};

static struct cells cells_parse(char *text)
{
    struct cells c = {0};
    for (char *save, *p = strtok_r(text, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        bool is_absent = strcmp(p, "-") == 0;
        bool is_null = is_absent || strcmp(p, "NULL") == 0;
        c.is_key = c.is_key || is_absent;
        c.v[c.n++] = is_null ? NULL : strcmp(p, "~") == 0 ? WIRE_UNCHANGED : p;
    }
    return c;
}

static void row_feed(char op, char *old_text, char *new_text)
{
    struct cells old = {0}, row = {0};
    if (old_text)
        old = cells_parse(old_text);
    if (new_text)
        row = cells_parse(new_text);
    char tag = old_text ? (old.is_key ? 'K' : 'O') : 0;
    if (op == 'I')
        wire_insert(&b, TABLE, row.v, row.n);
    else if (op == 'U')
        wire_update(&b, TABLE, tag, old.v, old.n, row.v, row.n);
    else
        wire_delete(&b, TABLE, tag, old.v, old.n);
}

static void step_feed(char *step)
{
    if (step[0] == 'T') {
        wire_truncate(&b, TABLE);
    } else if (step[0] == 'R') {
        wire_relation(&b, TABLE, "t", step[2], step + 4);
    } else {
        char *new_text = strstr(step, "> ");
        if (new_text)
            new_text[new_text[-1] == ' ' ? -1 : 0] = 0;
        row_feed(step[0], step[1] == ' ' && step[2] && step[2] != '>' ? step + 2 : NULL,
                 new_text ? new_text + 2 : NULL);
    }
    wire_feed_ok(a, &b);
}

/* The transaction of a script, not folded yet. */
static struct gw_txn *assembled(char identity, const char *columns, const char *script)
{
    char *copy = strdup(script);
    wire_feed_begin(a, &b, 1);
    wire_relation(&b, TABLE, "t", identity, columns);
    wire_feed_ok(a, &b);
    for (char *step = copy; step;) {
        char *next = strstr(step, "; ");
        if (next)
            *next = 0;
        step_feed(step);
        step = next ? next + 2 : NULL;
    }
    free(copy);
    return wire_feed_commit(a, &b, 1);
}

/* ---- result → notation ---- */

static void image_write(struct gw_buf *out, const struct gw_image *image)
{
    bool is_full = true;
    for (size_t i = 0; i < image->n; i++) {
        const struct gw_cell *cell = &image->cells[i];
        if (i)
            gw_buf_add_byte(out, ',');
        if (cell->state == GW_CELL_VALUE)
            gw_buf_add_span(out, cell->text);
        else
            gw_buf_add_str(out, cell->state == GW_CELL_NULL     ? "NULL"
                                : cell->state == GW_CELL_ABSENT ? "-"
                                                                : "~");
        is_full = is_full && (cell->state == GW_CELL_VALUE || cell->state == GW_CELL_NULL);
    }
    ck_assert_int_eq(image->is_full, is_full);
}

static void txn_write(struct gw_buf *out, const struct gw_txn *t)
{
    for (size_t i = 0; i < t->n_changes; i++) {
        const struct gw_change *c = &t->changes[i];
        gw_buf_add_str(out, i ? "; " : "");
        gw_buf_add_byte(out, "IUD"[c->op]);
        ck_assert(c->op != GW_OP_INSERT || !c->old);
        ck_assert_int_eq(c->op == GW_OP_DELETE, c->new_ == NULL);
        if (c->old) {
            ck_assert_uint_eq(c->old->n, c->rel->n_columns);
            gw_buf_add_byte(out, ' ');
            image_write(out, c->old);
        }
        if (c->new_) {
            ck_assert_uint_eq(c->new_->n, c->rel->n_columns);
            gw_buf_add_str(out, " > ");
            image_write(out, c->new_);
        }
    }
}

static bool id_is_key(void *ctx, const struct gw_relation *rel, bool *is_key)
{
    int at = gw_relation_column_find(rel, GW_SPAN_LIT("id"));
    (void)ctx;
    if (at >= 0)
        is_key[at] = true;
    return at >= 0;
}
static bool nothing_is_key(void *ctx, const struct gw_relation *rel, bool *is_key)
{
    (void)ctx, (void)rel, (void)is_key;
    return false;
}

static void folds(char identity, const char *columns, gw_txn_identity *key, const char *script,
                  const char *expected)
{
    struct gw_txn *t = assembled(identity, columns, script);
    struct gw_buf out;
    gw_buf_init(&out, 0);
    gw_txn_fold(t, key, NULL);
    txn_write(&out, t);
    ck_assert_msg(strcmp(gw_buf_cstr(&out), expected) == 0, "%s\n gave     %s\n expected %s",
                  script, gw_buf_cstr(&out), expected);
    gw_buf_fini(&out);
    gw_txn_free(t);
}
/* REPLICA IDENTITY DEFAULT on id; FULL with the key id; FULL without a key. */
static void folds_default(const char *script, const char *expected)
{
    folds('d', COLUMNS_KEYED, NULL, script, expected);
    folds('d', COLUMNS_KEYED, id_is_key, script, expected);
}
static void folds_full(const char *script, const char *expected)
{
    folds('f', COLUMNS_KEYED, id_is_key, script, expected);
}
static void folds_whole(const char *script, const char *expected)
{
    folds('f', "a b", NULL, script, expected);
    folds('f', "a b", nothing_is_key, script, expected);
}

/* ---- each rule ---- */

START_TEST(test_fold_insert_then_changes)
{
    folds_default("I > 1,a,b; U > 1,c,~", "I > 1,c,b");
    folds_default("I > 1,a,b; U 1,-,- > 2,c,~", "I > 2,c,b");
    folds_default("I > 1,a,b; U 1,-,- > 2,~,~; U 2,-,- > 3,~,x", "I > 3,a,x");
    folds_default("I > 1,a,b; D 1,-,-", "");
    folds_default("I > 1,a,b; U > 1,c,d; D 1,-,-", "");
    folds_default("I > 1,a,b; D 1,-,-; I > 1,c,d", "I > 1,c,d");
}
END_TEST

START_TEST(test_fold_updates_keep_first_old_and_last_new)
{
    folds_default("U > 1,a,b; U > 1,c,d", "U > 1,c,d");
    folds_full("U 1,a,b > 1,c,d; U 1,c,d > 1,e,f", "U 1,a,b > 1,e,f");
    folds_full("U 1,a,b > 2,a,b; U 2,a,b > 3,c,b", "U 1,a,b > 3,c,b");
    folds_default("U 1,-,- > 2,a,b; U > 2,c,d; U 2,-,- > 3,c,d", "U 1,-,- > 3,c,d");
    folds_default("U 1,-,- > 2,a,b; U 2,-,- > 1,c,d", "U 1,-,- > 1,c,d");
}
END_TEST

START_TEST(test_fold_key_change_after_update_without_old_takes_its_key)
{
    folds_default("U > 1,a,b; U 1,-,- > 2,c,d", "U 1,-,- > 2,c,d");
    folds_default("U > 1,a,b; U > 1,x,b; U 1,-,- > 2,c,d; U > 2,e,f", "U 1,-,- > 2,e,f");
}
END_TEST

START_TEST(test_fold_delete_ends_a_row)
{
    folds_default("D 1,-,-", "D 1,-,-");
    folds_default("U > 1,a,b; D 1,-,-", "D 1,-,-");
    folds_default("U 1,-,- > 2,a,b; D 2,-,-", "D 1,-,-");
    folds_full("U 1,a,b > 2,c,d; D 2,c,d", "D 1,a,b");
}
END_TEST

START_TEST(test_fold_delete_and_insert_of_one_key_is_update)
{
    folds_default("D 1,-,-; I > 1,a,b", "U 1,-,- > 1,a,b");
    folds_full("D 1,a,b; I > 1,c,d", "U 1,a,b > 1,c,d");
    folds_full("D 1,a,b; I > 1,c,d; U 1,c,d > 1,e,~", "U 1,a,b > 1,e,d");
    folds_full("D 1,a,b; I > 1,c,d; D 1,c,d", "D 1,a,b");
    folds_full("D 1,a,b; I > 1,c,d; D 1,c,d; I > 1,e,f", "U 1,a,b > 1,e,f");
    folds_full("U 1,a,b > 1,c,d; D 1,c,d; I > 1,e,f", "U 1,a,b > 1,e,f");
    folds_full("U 1,a,b > 2,a,b; D 2,a,b; I > 1,e,f", "U 1,a,b > 1,e,f");
    folds_full("U 1,a,b > 2,a,b; D 2,a,b; I > 2,e,f", "D 1,a,b; I > 2,e,f");
    folds_full("I > 3,x,y; D 2,a,b; U 3,x,y > 2,x,y", "U 2,a,b > 2,x,y");
}
END_TEST

START_TEST(test_fold_reinserted_then_moved_row_leaves_a_delete)
{
    folds_full("D 1,a,b; I > 1,c,d; U 1,c,d > 2,c,d", "D 1,a,b; I > 2,c,d");
    folds_default("D 1,-,-; I > 1,c,d; U 1,-,- > 2,c,d; I > 1,e,f", "U 1,-,- > 1,e,f; I > 2,c,d");
}
END_TEST

START_TEST(test_fold_key_taken_over_comes_after_it_was_freed)
{
    folds_default("U 1,-,- > 2,a,b; I > 1,c,d", "U 1,-,- > 2,a,b; I > 1,c,d");
    folds_default("I > 9,c,d; U 1,-,- > 2,a,b; U 9,-,- > 1,c,d", "U 1,-,- > 2,a,b; I > 1,c,d");
    folds_default("U 1,-,- > 9,a,b; D 2,-,-; U 9,-,- > 2,a,b", "D 2,-,-; U 1,-,- > 2,a,b");
    folds_default("U 1,-,- > 9,a,b; U 2,-,- > 8,c,d; D 3,-,-; U 8,-,- > 3,c,d; U 9,-,- > 2,a,b",
                  "D 3,-,-; U 2,-,- > 3,c,d; U 1,-,- > 2,a,b");
}
END_TEST

START_TEST(test_fold_swap_is_two_updates)
{
    folds_full("U 1,a,b > 2,a,b; U 2,c,d > 1,c,d", "U 2,c,d > 1,c,d; U 1,a,b > 2,a,b");
    folds_default("U 1,-,- > 9,a,b; U 2,-,- > 1,c,d; U 9,-,- > 2,a,b",
                  "U 2,-,- > 1,c,d; U 1,-,- > 2,a,b");
    folds_full("U 1,a,b > 2,a,b; U 2,c,d > 1,c,d; U 2,a,b > 2,e,b; U 1,c,d > 1,f,d",
               "U 2,c,d > 1,f,d; U 1,a,b > 2,e,b");
}
END_TEST

START_TEST(test_fold_unchanged_is_filled_from_earlier_and_full_old)
{
    folds_full("U 1,a,b > 1,c,~", "U 1,a,b > 1,c,b");
    folds_full("U 1,a,b > 1,c,~; U 1,c,b > 1,~,~", "U 1,a,b > 1,c,b");
    folds_default("U > 1,a,~", "U > 1,a,~");
    folds_default("U > 1,a,~; U > 1,b,~", "U > 1,b,~");
    folds_default("U > 1,a,x; U > 1,b,~", "U > 1,b,x");
    folds_default("U > 1,a,~; U > 1,b,x", "U > 1,b,x");
    folds_default("U 1,-,- > ~,a,~; U > 2,b,b", "U 1,-,- > 1,a,~; U > 2,b,b");
    folds_full("U 1,a,NULL > 1,c,NULL", "U 1,a,NULL > 1,c,NULL");
}
END_TEST

START_TEST(test_fold_order_is_first_touch)
{
    folds_default("U > 2,a,b; I > 3,c,d; D 1,-,-; U > 3,e,f; U > 2,g,h",
                  "U > 2,g,h; I > 3,e,f; D 1,-,-");
}
END_TEST

START_TEST(test_fold_truncate_drops_what_came_before)
{
    folds_default("I > 1,a,b; T", "");
    folds_default("U > 1,a,b; D 2,-,-; T; I > 1,c,d; U > 1,e,~", "I > 1,e,d");
    folds_default("T; I > 1,c,d", "I > 1,c,d");
    folds_default("I > 1,a,b; T; I > 2,a,b; T; I > 3,a,b; I > 4,a,b", "I > 3,a,b; I > 4,a,b");
    folds_default("D 1,-,-; T; I > 1,a,b; I > 2,a,b", "I > 1,a,b; I > 2,a,b");
}
END_TEST

START_TEST(test_fold_whole_row_is_identity_under_full)
{
    folds_whole("U x,y > z,y; U z,y > w,~", "U x,y > w,y");
    folds_whole("I > x,NULL; D x,NULL", "");
    folds_whole("I > x,x; I > x,x; D x,x", "I > x,x");
    folds_whole("U x,y > z,y; D z,y", "D x,y");
    folds_whole("D x,y; D x,y; I > x,y", "U x,y > x,y; D x,y");
    folds_whole("D x,NULL; I > x,y", "D x,NULL; I > x,y");
}
END_TEST

START_TEST(test_fold_without_identity_leaves_rows_alone)
{
    folds('n', "id:i a b", NULL, "I > 1,a,b; I > 1,a,b; U > 1,c,~",
          "I > 1,a,b; I > 1,a,b; U > 1,c,~");
    folds('d', "id:i a b", id_is_key, "I > 1,a,b; U > 1,c,d", "I > 1,a,b; U > 1,c,d");
    folds('d', COLUMNS_KEYED, nothing_is_key, "I > 1,a,b; U > 1,c,d", "I > 1,a,b; U > 1,c,d");
}
END_TEST

/* id is the primary key, but old images carry a only: the replica identity is what can be followed.
 */
START_TEST(test_fold_identity_not_carried_falls_back)
{
    folds('i', "id:i +a b", id_is_key, "I > 1,x,b; U > 2,x,c; U -,x,- > 2,y,c; D -,z,-; I > 9,z,d",
          "I > 2,y,c; U -,z,- > 9,z,d");
}
END_TEST

START_TEST(test_fold_wide_replica_identity_keeps_its_columns)
{
    folds('i', "+id:i +a b", id_is_key, "U > 1,x,b; U 1,x,- > 1,y,b; U 1,y,- > 2,z,b; U > 2,z,c",
          "U 1,x,- > 2,z,c");
    folds('i', "+id:i +a b", NULL, "D 1,x,-; I > 1,y,b; D 2,x,-; I > 2,x,b",
          "D 1,x,-; I > 1,y,b; U 2,x,- > 2,x,b");
}
END_TEST

START_TEST(test_fold_null_or_unknown_key_stays_apart)
{
    folds_full("I > NULL,a,b; I > NULL,a,b; D NULL,a,b", "I > NULL,a,b; I > NULL,a,b; D NULL,a,b");
    folds_default("U > ~,a,b; U > ~,c,d", "U > ~,a,b; U > ~,c,d");
    folds_default("I > 1,a,b; U 1,-,- > NULL,c,d; U > 1,e,f", "I > NULL,c,d; U > 1,e,f");
}
END_TEST

START_TEST(test_fold_altered_table_ends_in_its_last_shape)
{
    folds_default("I > 1,a,b; R d +id:i a b c; U > 1,x,~,new", "I > 1,x,b,new");
    folds_default("U 1,-,- > 2,a,b; R d +id:i b; U > 2,z", "U 1,- > 2,z");
    folds_full("U 1,a,b > 1,x,b; R f id:i a b c; U 1,x,b,d > 1,y,~,e", "U 1,a,b,- > 1,y,b,e");
    folds_full("D 1,a,b; R f b id:i; I > q,1", "U b,1 > q,1");
    folds_full("D 1,a,b; R f b id; I > q,1", "U b,- > q,1");
    folds_default("I > 1,a,b; R d id:i +a b; U > 1,a,x", "I > 1,a,b; U > 1,a,x");
}
END_TEST

/* Postgres always sends the old image under FULL; what it should not send must still be safe. */
START_TEST(test_fold_missing_old_under_full_is_survived)
{
    folds_full("I > 1,a,b; U > 1,c,~", "I > 1,c,b");
    folds_whole("I > x,y; U > x,z", "I > x,y; U > x,z");
}
END_TEST

/* The identity becomes FULL in between: a later full image is not the one from before. */
START_TEST(test_fold_later_full_old_never_completes_the_first)
{
    folds('d', COLUMNS_KEYED, NULL, "U 1,-,- > 2,a,b; R f +id:i a b; U 2,a,b > 2,c,d",
          "U 1,-,- > 2,a,b; U 2,a,b > 2,c,d"); /* a key and a whole row are not comparable */
    folds('d', COLUMNS_KEYED, id_is_key, "U > 1,a,b; R f id:i a b; U 1,a,b > 1,c,d",
          "U 1,-,- > 1,c,d");
    folds('d', COLUMNS_KEYED, id_is_key, "U > 1,a,b; R f id:i a b; D 1,a,b", "D 1,-,-");
    folds('d', COLUMNS_KEYED, id_is_key, "U 1,-,- > 2,a,b; R f id:i a b; U 2,a,b > 2,c,d",
          "U 1,-,- > 2,c,d");
    folds('f', COLUMNS_KEYED, id_is_key, "U 1,a,b > 2,c,b; R d +id:i a b; U 2,-,- > 3,c,~",
          "U 1,a,b > 3,c,b");
}
END_TEST

START_TEST(test_fold_tables_are_apart)
{
    wire_feed_begin(a, &b, 1);
    for (uint32_t oid = 1; oid <= 2; oid++) {
        wire_relation(&b, oid, "t", 'd', "+id:i");
        wire_feed_ok(a, &b);
        wire_insert(&b, oid, ROW("1"));
        wire_feed_ok(a, &b);
    }
    wire_update(&b, 1, 'K', ROW("1"), ROW("2"));
    wire_feed_ok(a, &b);
    wire_delete(&b, 2, 'K', ROW("1"));
    wire_feed_ok(a, &b);
    wire_truncate(&b, 2);
    wire_feed_ok(a, &b);
    struct gw_txn *t = wire_feed_commit(a, &b, 1);
    gw_txn_fold(t, NULL, NULL);
    ck_assert_uint_eq(t->n_changes, 1);
    ck_assert_uint_eq(t->changes[0].rel->oid, 1);
    gw_txn_free(t);
}
END_TEST

/* Not a measurement: a quadratic fold would not end within the test's time. */
START_TEST(test_fold_many_changes_of_rows_alike)
{
    const int n = 100000;
    char id[16];
    wire_feed_begin(a, &b, 1);
    wire_relation(&b, TABLE, "t", 'f', "id:i a");
    wire_feed_ok(a, &b);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < n; i++) { /* all at one deferrable key, then each to its own */
            snprintf(id, sizeof id, "%d", i);
            if (pass == 0)
                wire_update(&b, TABLE, 'O', ROW(id, id), ROW("-1", id));
            else
                wire_update(&b, TABLE, 'O', ROW("-1", id), ROW(id, "x"));
            wire_feed_ok(a, &b);
        }
    struct gw_txn *t = wire_feed_commit(a, &b, 1);
    gw_txn_fold(t, id_is_key, NULL);
    ck_assert_uint_eq(t->n_changes, (size_t)n);
    gw_txn_free(t);

    wire_feed_begin(a, &b, 2);
    for (int i = 0; i < n; i++) {
        wire_update(&b, TABLE, 'O', ROW("1", "same"), ROW("2", "same"));
        wire_feed_ok(a, &b);
        wire_insert(&b, TABLE, ROW("1", "same"));
        wire_feed_ok(a, &b);
    }
    t = wire_feed_commit(a, &b, 2);
    gw_txn_fold(t, NULL, NULL);
    ck_assert_uint_eq(t->n_changes, (size_t)n + 1); /* each UPDATE but the first moves an INSERT */
    gw_txn_free(t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fold");
    TCase *tc = tcase_create("rules");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_fold_insert_then_changes);
    tcase_add_test(tc, test_fold_updates_keep_first_old_and_last_new);
    tcase_add_test(tc, test_fold_key_change_after_update_without_old_takes_its_key);
    tcase_add_test(tc, test_fold_delete_ends_a_row);
    tcase_add_test(tc, test_fold_delete_and_insert_of_one_key_is_update);
    tcase_add_test(tc, test_fold_reinserted_then_moved_row_leaves_a_delete);
    tcase_add_test(tc, test_fold_key_taken_over_comes_after_it_was_freed);
    tcase_add_test(tc, test_fold_swap_is_two_updates);
    tcase_add_test(tc, test_fold_unchanged_is_filled_from_earlier_and_full_old);
    tcase_add_test(tc, test_fold_order_is_first_touch);
    tcase_add_test(tc, test_fold_truncate_drops_what_came_before);
    tcase_add_test(tc, test_fold_whole_row_is_identity_under_full);
    tcase_add_test(tc, test_fold_without_identity_leaves_rows_alone);
    tcase_add_test(tc, test_fold_identity_not_carried_falls_back);
    tcase_add_test(tc, test_fold_wide_replica_identity_keeps_its_columns);
    tcase_add_test(tc, test_fold_null_or_unknown_key_stays_apart);
    tcase_add_test(tc, test_fold_altered_table_ends_in_its_last_shape);
    tcase_add_test(tc, test_fold_missing_old_under_full_is_survived);
    tcase_add_test(tc, test_fold_later_full_old_never_completes_the_first);
    tcase_add_test(tc, test_fold_tables_are_apart);
    tcase_add_test(tc, test_fold_many_changes_of_rows_alike);
    suite_add_tcase(suite, tc);
    return wire_run(suite);
}
