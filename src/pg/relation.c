/* relation: see the header. One allocation holds the struct, its columns and all their text. */
#include "gw/relation.h"

#include "gw/json.h"

#include <assert.h>
#include <stdlib.h>

/* An empty schema stands for pg_catalog on the wire. */
static struct gw_span schema_of(const struct gw_pgoutput_msg *msg)
{
    struct gw_span schema = msg->u.relation.schema;
    return schema.n ? schema : GW_SPAN_LIT("pg_catalog");
}

/* Turn an offset into text into a span of it. */
static struct gw_span cut(const char *text, size_t *at, size_t n)
{
    struct gw_span s = {text + *at, n};
    *at += n;
    return s;
}

/* schema, name, then of each column its name and its JSON key; key_n[i] is the key's length. */
static void text_build(struct gw_buf *text, const struct gw_pgoutput_msg *msg, size_t *key_n)
{
    gw_buf_add_span(text, schema_of(msg));
    gw_buf_add_span(text, msg->u.relation.name);
    for (size_t i = 0; i < msg->u.relation.n_columns; i++) {
        gw_buf_add_span(text, msg->u.relation.columns[i].name);
        size_t before = text->n;
        gw_json_add_key(text, msg->u.relation.columns[i].name);
        key_n[i] = text->n - before;
    }
}

struct gw_relation *gw_relation_new(const struct gw_pgoutput_msg *msg)
{
    assert(msg->kind == GW_PGOUTPUT_RELATION);
    size_t n = msg->u.relation.n_columns;
    size_t *key_n = gw_alloc((n + 1) * sizeof *key_n);
    struct gw_buf text;
    gw_buf_init(&text, 0);
    text_build(&text, msg, key_n);

    size_t columns_bytes = n * sizeof(struct gw_relation_column);
    struct gw_relation *r = gw_alloc(sizeof *r + columns_bytes + text.n);
    r->columns = (struct gw_relation_column *)(r + 1);
    char *copy = (char *)(r + 1) + columns_bytes;
    if (text.n)
        memcpy(copy, text.p, text.n);

    size_t at = 0;
    atomic_init(&r->refs, 1);
    r->oid = msg->u.relation.rel_oid;
    r->replica_identity = msg->u.relation.replica_identity;
    r->n_columns = msg->u.relation.n_columns;
    r->schema = cut(copy, &at, schema_of(msg).n);
    r->name = cut(copy, &at, msg->u.relation.name.n);
    for (size_t i = 0; i < n; i++) {
        const struct gw_pgoutput_column *from = &msg->u.relation.columns[i];
        struct gw_relation_column *to = &r->columns[i];
        to->name = cut(copy, &at, from->name.n);
        to->json_key = cut(copy, &at, key_n[i]);
        to->type_oid = from->type_oid;
        to->typmod = from->typmod;
        to->is_key = from->is_key;
    }
    gw_buf_fini(&text);
    free(key_n);
    return r;
}

struct gw_relation *gw_relation_ref(const struct gw_relation *r)
{
    struct gw_relation *owned = (struct gw_relation *)r;
    atomic_fetch_add_explicit(&owned->refs, 1, memory_order_relaxed);
    return owned;
}

void gw_relation_unref(const struct gw_relation *r)
{
    struct gw_relation *owned = (struct gw_relation *)r;
    /* acq_rel: whoever frees must have seen all reads of the others end. */
    if (owned && atomic_fetch_sub_explicit(&owned->refs, 1, memory_order_acq_rel) == 1)
        free(owned);
}

int gw_relation_column_find(const struct gw_relation *r, struct gw_span name)
{
    for (int i = 0; i < r->n_columns; i++)
        if (gw_span_eq(r->columns[i].name, name))
            return i;
    return -1;
}

bool gw_relation_is_same(const struct gw_relation *a, const struct gw_relation *b)
{
    if (a->oid != b->oid || a->replica_identity != b->replica_identity ||
        a->n_columns != b->n_columns || !gw_span_eq(a->schema, b->schema) ||
        !gw_span_eq(a->name, b->name))
        return false;
    for (size_t i = 0; i < a->n_columns; i++) {
        const struct gw_relation_column *x = &a->columns[i], *y = &b->columns[i];
        if (x->type_oid != y->type_oid || x->typmod != y->typmod || x->is_key != y->is_key ||
            !gw_span_eq(x->name, y->name))
            return false;
    }
    return true;
}
