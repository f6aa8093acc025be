/* wire: builds pgoutput messages and whole transactions for the tests of src/pg. Values are C
 * strings; NULL is SQL NULL, WIRE_UNCHANGED an unchanged TOAST value. */
#ifndef TEST_WIRE_H
#define TEST_WIRE_H

#include "gw/txn.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_OID 25
#define INT4_OID 23

static const char wire_unchanged[] = "unchanged";
#define WIRE_UNCHANGED wire_unchanged

/* A row: its values, n of them. */
#define ROW(...)                                                                                   \
    ((const char *const[]){__VA_ARGS__}),                                                          \
        (sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* A copy of exactly s.n bytes on the heap, so that ASan sees a read past the end. Owned. */
static inline char *wire_exact(struct gw_span s)
{
    char *copy = malloc(s.n ? s.n : 1);
    if (s.n)
        memcpy(copy, s.p, s.n);
    return copy;
}

static inline void wire_cstr(struct gw_buf *b, const char *s)
{
    gw_buf_add(b, s, strlen(s) + 1);
}

static inline void wire_begin(struct gw_buf *b, uint64_t lsn, uint32_t xid)
{
    gw_buf_add_byte(b, 'B');
    gw_buf_add_u64(b, lsn);
    gw_buf_add_u64(b, 1000);
    gw_buf_add_u32(b, xid);
}

static inline void wire_commit(struct gw_buf *b, uint64_t lsn)
{
    gw_buf_add_byte(b, 'C');
    gw_buf_add_byte(b, 0);
    gw_buf_add_u64(b, lsn);
    gw_buf_add_u64(b, lsn + 8);
    gw_buf_add_u64(b, 1000);
}

/* columns: "+id int4", blanks between: '+' marks the key, ":i" an int4, everything else is text. */
static inline void wire_relation(struct gw_buf *b, uint32_t oid, const char *name, char identity,
                                 const char *columns)
{
    gw_buf_add_byte(b, 'R');
    gw_buf_add_u32(b, oid);
    wire_cstr(b, "public");
    wire_cstr(b, name);
    gw_buf_add_byte(b, identity);
    uint16_t n = 1;
    for (const char *p = columns; *p; p++)
        n += *p == ' ';
    gw_buf_add_u16(b, n);
    for (const char *p = columns; n > 0; n--) {
        size_t len = strcspn(p, " ");
        bool is_key = *p == '+';
        bool is_int = len > 2 && p[len - 1] == 'i' && p[len - 2] == ':';
        gw_buf_add_byte(b, is_key || identity == 'f');
        gw_buf_add(b, p + is_key, len - is_key - (is_int ? 2 : 0));
        gw_buf_add_byte(b, 0);
        gw_buf_add_u32(b, is_int ? INT4_OID : TEXT_OID);
        gw_buf_add_u32(b, 0xffffffff);
        p += len + 1;
    }
}

static inline void wire_tuple(struct gw_buf *b, char tag, const char *const *values, size_t n)
{
    gw_buf_add_byte(b, tag);
    gw_buf_add_u16(b, (uint16_t)n);
    for (size_t i = 0; i < n; i++) {
        if (!values[i] || values[i] == WIRE_UNCHANGED) {
            gw_buf_add_byte(b, values[i] ? 'u' : 'n');
            continue;
        }
        gw_buf_add_byte(b, 't');
        gw_buf_add_u32(b, (uint32_t)strlen(values[i]));
        gw_buf_add_str(b, values[i]);
    }
}

static inline void wire_insert(struct gw_buf *b, uint32_t oid, const char *const *row, size_t n)
{
    gw_buf_add_byte(b, 'I');
    gw_buf_add_u32(b, oid);
    wire_tuple(b, 'N', row, n);
}

/* old_tag: 'K', 'O', or 0 for none. */
static inline void wire_update(struct gw_buf *b, uint32_t oid, char old_tag, const char *const *old,
                               size_t n_old, const char *const *row, size_t n)
{
    gw_buf_add_byte(b, 'U');
    gw_buf_add_u32(b, oid);
    if (old_tag)
        wire_tuple(b, old_tag, old, n_old);
    wire_tuple(b, 'N', row, n);
}

static inline void wire_delete(struct gw_buf *b, uint32_t oid, char old_tag, const char *const *old,
                               size_t n)
{
    gw_buf_add_byte(b, 'D');
    gw_buf_add_u32(b, oid);
    wire_tuple(b, old_tag, old, n);
}

static inline void wire_truncate(struct gw_buf *b, uint32_t oid)
{
    gw_buf_add_byte(b, 'T');
    gw_buf_add_u32(b, 1);
    gw_buf_add_byte(b, 0);
    gw_buf_add_u32(b, oid);
}

static inline void wire_message(struct gw_buf *b, bool transactional, const char *prefix,
                                struct gw_span content)
{
    gw_buf_add_byte(b, 'M');
    gw_buf_add_byte(b, transactional);
    gw_buf_add_u64(b, 77);
    wire_cstr(b, prefix);
    gw_buf_add_u32(b, (uint32_t)content.n);
    gw_buf_add_span(b, content);
}

/* Feed what b holds and empty it. */
static inline enum gw_code wire_feed(struct gw_assembler *a, struct gw_buf *b, enum gw_fed *fed,
                                     struct gw_txn **txn)
{
    struct gw_err err = {0};
    char *copy = wire_exact(gw_buf_span(b));
    enum gw_code code = gw_assembler_feed(a, (struct gw_span){copy, b->n}, fed, txn, &err);
    free(copy); /* nothing may point into it any more */
    gw_buf_reset(b);
    ck_assert_int_eq(err.code, code);
    return code;
}

/* Feed what must be taken without asking anything. */
static inline void wire_feed_ok(struct gw_assembler *a, struct gw_buf *b)
{
    enum gw_fed fed;
    struct gw_txn *txn;
    ck_assert_int_eq(wire_feed(a, b, &fed, &txn), GW_OK);
    ck_assert_int_ne(fed, GW_FED_TXN);
}

static inline void wire_feed_begin(struct gw_assembler *a, struct gw_buf *b, uint64_t lsn)
{
    wire_begin(b, lsn, (uint32_t)lsn);
    wire_feed_ok(a, b);
}

static inline struct gw_txn *wire_feed_commit(struct gw_assembler *a, struct gw_buf *b,
                                              uint64_t lsn)
{
    enum gw_fed fed;
    struct gw_txn *txn;
    wire_commit(b, lsn);
    ck_assert_int_eq(wire_feed(a, b, &fed, &txn), GW_OK);
    ck_assert_int_eq(fed, GW_FED_TXN);
    ck_assert_ptr_nonnull(txn);
    return txn;
}

/* Next message of captured.txt into b (emptied first); false at the end. */
static inline bool wire_captured_next(FILE *f, struct gw_buf *b)
{
    static char line[16384];
    gw_buf_reset(b);
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        for (const char *p = line; p[0] > ' ' && p[1] > ' '; p += 2) {
            char digits[3] = {p[0], p[1], 0};
            gw_buf_add_byte(b, (char)strtoul(digits, NULL, 16));
        }
        return true;
    }
    return false;
}

static inline FILE *wire_captured_open(void)
{
    FILE *f = fopen(GW_SOURCE_DIR "/tests/unit/pg/captured.txt", "r");
    ck_assert_ptr_nonnull(f);
    return f;
}

/* The main of every test in this folder. */
static inline int wire_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

#endif
