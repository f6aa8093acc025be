/* compile_fingerprint: what of a catalog the compiled policies follow from, hashed: another load
 * that says the same needs no compiling, and whatever was built on the rules stays. Every text goes
 * in with its length, so that no two catalogs write the same bytes. */
#include "lower_internal.h"

static void add_span(struct gw_buf *b, struct gw_span s)
{
    gw_buf_add_u32(b, (uint32_t)s.n);
    gw_buf_add_span(b, s);
}

static void add_spans(struct gw_buf *b, const struct gw_span *items, uint32_t n)
{
    gw_buf_add_u32(b, n);
    for (uint32_t i = 0; i < n; i++)
        add_span(b, items[i]);
}

/* Up to eight of them in one byte. */
static void add_flags(struct gw_buf *b, const bool *flags, unsigned n)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < n; i++)
        bits |= (unsigned)flags[i] << i;
    gw_buf_add_byte(b, (char)bits);
}
#define ADD_FLAGS(b, ...)                                                                          \
    add_flags(b, (const bool[]){__VA_ARGS__}, sizeof((bool[]){__VA_ARGS__}) / sizeof(bool))

static void add_column(struct gw_buf *b, const struct gw_catalog_column *c)
{
    add_span(b, c->name);
    gw_buf_add_u16(b, (uint16_t)c->attnum);
    gw_buf_add_u32(b, c->type_oid);
    add_span(b, c->type_name);
    add_span(b, c->generation);
    ADD_FLAGS(b, c->in_primary_key, c->in_identity, c->is_not_null, c->is_opaque);
}

static void add_policies(struct gw_buf *b, const struct gw_catalog_table *t)
{
    gw_buf_add_u32(b, t->n_policies);
    for (uint32_t i = 0; i < t->n_policies; i++) {
        const struct gw_policy *p = &t->policies[i];
        add_span(b, p->name);
        gw_buf_add_byte(b, p->permissive);
        gw_buf_add_u64(b, p->roles);
        add_span(b, p->qual);
    }
    gw_buf_add_u32(b, t->n_checks);
    for (uint32_t i = 0; i < t->n_checks; i++) {
        const struct gw_check_policy *p = &t->checks[i];
        add_span(b, p->name);
        gw_buf_add_byte(b, p->permissive);
        gw_buf_add_u64(b, p->roles);
        add_span(b, p->check);
    }
}

static void add_table(struct gw_buf *b, const struct gw_catalog *c,
                      const struct gw_catalog_table *t)
{
    gw_buf_add_u32(b, t->oid);
    add_span(b, t->schema);
    add_span(b, t->name);
    gw_buf_add_u32(b, t->owner_oid);
    gw_buf_add_byte(b, t->replica_identity);
    ADD_FLAGS(b, t->is_limited, t->published, t->followed, t->has_children, t->rls_enabled,
              t->rls_forced, t->has_identity);
    gw_buf_add_u32(b, t->row_type_oid);
    gw_buf_add_u32(b, t->row_array_oid);
    gw_buf_add_u32(b, t->n_columns);
    for (uint32_t i = 0; i < t->n_columns; i++)
        add_column(b, &t->columns[i]);
    add_policies(b, t);
    for (uint32_t i = 0; i < c->n_roles; i++) {
        const struct gw_table_access *a = &t->access[i];
        gw_buf_add(b, &a->columns, sizeof a->columns);
        ADD_FLAGS(b, a->has_schema_usage, a->may_insert, a->bypasses_rls);
    }
}

static void add_function(struct gw_buf *b, const struct gw_catalog_function *f)
{
    gw_buf_add_u32(b, f->oid);
    add_span(b, f->schema);
    add_span(b, f->name);
    add_span(b, f->language);
    gw_buf_add_byte(b, f->volatility);
    add_span(b, f->definition);
    add_span(b, f->body);
    gw_buf_add_u16(b, f->n_args);
    gw_buf_add_u16(b, f->n_defaults);
    for (uint32_t i = 0; i < f->n_args && f->arg_types; i++)
        gw_buf_add_u32(b, f->arg_types[i]);
    if (f->arg_names)
        add_spans(b, f->arg_names, f->n_args);
    gw_buf_add_u32(b, f->return_type);
    ADD_FLAGS(b, f->returns_set, f->is_strict, f->is_definer, f->is_plain, f->has_search_path,
              f->has_other_settings, f->owner_is_super, f->owner_bypasses);
    add_spans(b, f->search_path, f->n_search_path);
    gw_buf_add_u32(b, f->owner_oid);
    gw_buf_add_u64(b, f->executable);
}

static void add_names(struct gw_buf *b, const struct gw_catalog *c)
{
    gw_buf_add_u32(b, c->n_views);
    for (uint32_t i = 0; i < c->n_views; i++) {
        add_span(b, c->views[i].schema);
        add_span(b, c->views[i].name);
    }
    gw_buf_add_u32(b, c->n_type_names);
    for (uint32_t i = 0; i < c->n_type_names; i++) {
        const struct gw_type *t = gw_types_find(&c->types, c->type_names[i].oid);
        gw_buf_add_u32(b, c->type_names[i].oid);
        add_span(b, c->type_names[i].schema);
        add_span(b, c->type_names[i].name);
        gw_buf_add_u32(b, t ? (uint32_t)t->kind : UINT32_MAX);
        gw_buf_add_u32(b, t ? t->inner_oid : 0);
    }
    add_spans(b, c->search_path, c->n_search_path);
}

void gw_compile_fingerprint(const struct gw_catalog *c, const struct gw_compile_options *options,
                            uint64_t out[2])
{
    static const unsigned char key[16] = "rowcast policies";
    const char *settings = options ? options->claim_settings : NULL;
    struct gw_buf b;
    gw_buf_init(&b, 0);
    add_span(&b, gw_span_of(settings ? settings : ""));
    add_spans(&b, c->roles, c->n_roles);
    gw_buf_add_u64(&b, c->roles_present);
    gw_buf_add_u32(&b, c->n_tables);
    for (uint32_t i = 0; i < c->n_tables; i++)
        add_table(&b, c, &c->tables[i]);
    gw_buf_add_u32(&b, c->n_functions);
    for (uint32_t i = 0; i < c->n_functions; i++)
        add_function(&b, &c->functions[i]);
    add_names(&b, c);
    struct gw_key hash = gw_siphash128(key, gw_buf_span(&b));
    out[0] = hash.hi;
    out[1] = hash.lo;
    gw_buf_fini(&b);
}
