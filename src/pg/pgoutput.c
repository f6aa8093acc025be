/* pgoutput: see the header. Source: PostgreSQL docs, "Logical Replication Message Formats".
 *
 * Reads go through gw_cursor, which cannot overrun and remembers a failure. A count is compared
 * with the bytes that are left before memory is asked for it, so memory is linear in the input. A
 * message must end where its fields end: bytes left over mean that both sides disagree about the
 * format. */
#include "gw/pgoutput.h"

#include "gw/relation.h" /* GW_COLUMNS_MAX */
#include "gw/repl_msg.h" /* gw_repl_time */

#define RELATION_COLUMN_BYTES_MIN 10 /* flags, NUL of the name, type, typmod */
#define DATUM_BYTES_MIN 1

struct decoder {
    struct gw_cursor c;
    struct gw_arena *arena;
    struct gw_err *err;
    char kind;
};

static enum gw_code fail(struct decoder *d, enum gw_code code, const char *what)
{
    return gw_err_set(d->err, code, "pgoutput message '%c' (0x%02x): %s",
                      d->kind >= 0x20 && d->kind < 0x7f ? d->kind : '?', (unsigned char)d->kind,
                      what);
}

static enum gw_code fail_truncated(struct decoder *d)
{
    return fail(d, GW_E_TRUNCATED, "ends early");
}

/* Memory for n items, of which each takes at least item_min bytes of what is left. */
static enum gw_code array_alloc(struct decoder *d, size_t n, size_t item_min, size_t size,
                                void **out)
{
    if (d->c.failed || n > gw_cursor_left(&d->c) / item_min)
        return fail_truncated(d);
    *out = gw_arena_alloc(d->arena, n * size);
    return *out ? GW_OK : fail(d, GW_E_TOO_BIG, "exceeds the memory cap");
}

static enum gw_code datum_read(struct decoder *d, struct gw_field *out)
{
    switch (gw_cursor_u8(&d->c)) {
    case 'n':
        out->kind = GW_FIELD_NULL;
        return GW_OK;
    case 'u':
        out->kind = GW_FIELD_UNCHANGED;
        return GW_OK;
    case 't':
        out->kind = GW_FIELD_TEXT;
        break;
    case 'b':
        out->kind = GW_FIELD_BINARY;
        break;
    default:
        return d->c.failed ? fail_truncated(d) : fail(d, GW_E_MALFORMED, "unknown kind of value");
    }
    out->value = gw_cursor_bytes(&d->c, gw_cursor_u32(&d->c));
    return d->c.failed ? fail_truncated(d) : GW_OK;
}

static enum gw_code tuple_read(struct decoder *d, struct gw_tuple *out)
{
    out->n = gw_cursor_u16(&d->c);
    if (out->n > GW_COLUMNS_MAX)
        return fail(d, GW_E_MALFORMED, "too many columns");
    void *datums;
    enum gw_code code = array_alloc(d, out->n, DATUM_BYTES_MIN, sizeof *out->datums, &datums);
    out->datums = code == GW_OK ? datums : NULL;
    for (size_t i = 0; code == GW_OK && i < out->n; i++)
        code = datum_read(d, &out->datums[i]);
    return code;
}

static enum gw_code begin_read(struct decoder *d, struct gw_pgoutput_msg *out)
{
    out->kind = GW_PGOUTPUT_BEGIN;
    out->u.begin.final_lsn.v = gw_cursor_u64(&d->c);
    out->u.begin.commit_time = gw_repl_time(gw_cursor_u64(&d->c));
    out->u.begin.xid = gw_cursor_u32(&d->c);
    return GW_OK;
}

static enum gw_code commit_read(struct decoder *d, struct gw_pgoutput_msg *out)
{
    out->kind = GW_PGOUTPUT_COMMIT;
    uint8_t flags = gw_cursor_u8(&d->c);
    out->u.commit.commit_lsn.v = gw_cursor_u64(&d->c);
    out->u.commit.end_lsn.v = gw_cursor_u64(&d->c);
    out->u.commit.commit_time = gw_repl_time(gw_cursor_u64(&d->c));
    if (!d->c.failed && flags != 0)
        return fail(d, GW_E_MALFORMED, "unknown flags");
    return GW_OK;
}

static enum gw_code origin_read(struct decoder *d, struct gw_pgoutput_msg *out)
{
    out->kind = GW_PGOUTPUT_ORIGIN;
    out->u.origin.lsn.v = gw_cursor_u64(&d->c);
    out->u.origin.name = gw_cursor_cstr(&d->c);
    return GW_OK;
}

static enum gw_code relation_read(struct decoder *d, struct gw_pgoutput_msg *out)
{
    out->kind = GW_PGOUTPUT_RELATION;
    out->u.relation.rel_oid = gw_cursor_u32(&d->c);
    out->u.relation.schema = gw_cursor_cstr(&d->c);
    out->u.relation.name = gw_cursor_cstr(&d->c);
    out->u.relation.replica_identity = (char)gw_cursor_u8(&d->c);
    out->u.relation.n_columns = gw_cursor_u16(&d->c);
    if (d->c.failed)
        return fail_truncated(d);
    if (!memchr("dnfi", out->u.relation.replica_identity, 4))
        return fail(d, GW_E_MALFORMED, "unknown replica identity");
    if (out->u.relation.n_columns > GW_COLUMNS_MAX)
        return fail(d, GW_E_MALFORMED, "too many columns");
    void *columns;
    enum gw_code code = array_alloc(d, out->u.relation.n_columns, RELATION_COLUMN_BYTES_MIN,
                                    sizeof *out->u.relation.columns, &columns);
    if (code != GW_OK)
        return code;
    out->u.relation.columns = columns;
    for (size_t i = 0; i < out->u.relation.n_columns; i++) {
        struct gw_pgoutput_column *column = &out->u.relation.columns[i];
        column->is_key = gw_cursor_u8(&d->c) & 1;
        column->name = gw_cursor_cstr(&d->c);
        column->type_oid = gw_cursor_u32(&d->c);
        column->typmod = (int32_t)gw_cursor_u32(&d->c);
    }
    return GW_OK;
}

static enum gw_code type_read(struct decoder *d, struct gw_pgoutput_msg *out)
{
    out->kind = GW_PGOUTPUT_TYPE;
    out->u.type.type_oid = gw_cursor_u32(&d->c);
    out->u.type.schema = gw_cursor_cstr(&d->c);
    out->u.type.name = gw_cursor_cstr(&d->c);
    return GW_OK;
}

static enum gw_code new_tuple_read(struct decoder *d, char tag, struct gw_pgoutput_msg *out)
{
    if (d->c.failed)
        return fail_truncated(d);
    if (tag != 'N')
        return fail(d, GW_E_MALFORMED, "new row expected");
    return tuple_read(d, &out->u.row.new_);
}

/* 'K' or 'O' and a tuple; the tag was read already. */
static enum gw_code old_tuple_read(struct decoder *d, char tag, struct gw_pgoutput_msg *out)
{
    out->u.row.old_kind = tag == 'O' ? GW_OLD_FULL : GW_OLD_KEY;
    return tuple_read(d, &out->u.row.old);
}

static enum gw_code insert_read(struct decoder *d, struct gw_pgoutput_msg *out)
{
    out->kind = GW_PGOUTPUT_INSERT;
    out->u.row.rel_oid = gw_cursor_u32(&d->c);
    return new_tuple_read(d, (char)gw_cursor_u8(&d->c), out);
}

static enum gw_code update_read(struct decoder *d, struct gw_pgoutput_msg *out)
{
    out->kind = GW_PGOUTPUT_UPDATE;
    out->u.row.rel_oid = gw_cursor_u32(&d->c);
    char tag = (char)gw_cursor_u8(&d->c);
    if (tag == 'K' || tag == 'O') {
        enum gw_code code = old_tuple_read(d, tag, out);
        if (code != GW_OK)
            return code;
        tag = (char)gw_cursor_u8(&d->c);
    }
    return new_tuple_read(d, tag, out);
}

static enum gw_code delete_read(struct decoder *d, struct gw_pgoutput_msg *out)
{
    out->kind = GW_PGOUTPUT_DELETE;
    out->u.row.rel_oid = gw_cursor_u32(&d->c);
    char tag = (char)gw_cursor_u8(&d->c);
    if (d->c.failed)
        return fail_truncated(d);
    if (tag != 'K' && tag != 'O')
        return fail(d, GW_E_MALFORMED, "old row expected");
    return old_tuple_read(d, tag, out);
}

static enum gw_code truncate_read(struct decoder *d, struct gw_pgoutput_msg *out)
{
    out->kind = GW_PGOUTPUT_TRUNCATE;
    out->u.truncate.n_rels = gw_cursor_u32(&d->c);
    uint8_t options = gw_cursor_u8(&d->c);
    out->u.truncate.cascade = options & 1;
    out->u.truncate.restart_identity = options & 2;
    void *oids;
    enum gw_code code = array_alloc(d, out->u.truncate.n_rels, sizeof(uint32_t),
                                    sizeof *out->u.truncate.rel_oids, &oids);
    if (code != GW_OK)
        return code;
    out->u.truncate.rel_oids = oids;
    for (size_t i = 0; i < out->u.truncate.n_rels; i++)
        out->u.truncate.rel_oids[i] = gw_cursor_u32(&d->c);
    return GW_OK;
}

static enum gw_code message_read(struct decoder *d, struct gw_pgoutput_msg *out)
{
    out->kind = GW_PGOUTPUT_MESSAGE;
    out->u.message.transactional = gw_cursor_u8(&d->c) & 1;
    out->u.message.lsn.v = gw_cursor_u64(&d->c);
    out->u.message.prefix = gw_cursor_cstr(&d->c);
    out->u.message.content = gw_cursor_bytes(&d->c, gw_cursor_u32(&d->c));
    return GW_OK;
}

static enum gw_code body_read(struct decoder *d, struct gw_pgoutput_msg *out)
{
    switch (d->kind) {
    case 'B':
        return begin_read(d, out);
    case 'C':
        return commit_read(d, out);
    case 'O':
        return origin_read(d, out);
    case 'R':
        return relation_read(d, out);
    case 'Y':
        return type_read(d, out);
    case 'I':
        return insert_read(d, out);
    case 'U':
        return update_read(d, out);
    case 'D':
        return delete_read(d, out);
    case 'T':
        return truncate_read(d, out);
    case 'M':
        return message_read(d, out);
    default: /* also streaming (S E c A) and two-phase (b P K r) of later versions: never asked for
              */
        return fail(d, GW_E_UNSUPPORTED, "unknown kind");
    }
}

enum gw_code gw_pgoutput_decode(struct gw_span input, struct gw_arena *arena,
                                struct gw_pgoutput_msg *out, struct gw_err *err)
{
    struct decoder d = {.c = gw_cursor_of(input), .arena = arena, .err = err};
    *out = (struct gw_pgoutput_msg){0};
    if (input.n == 0)
        return gw_err_set(err, GW_E_TRUNCATED, "pgoutput message is empty");
    d.kind = (char)gw_cursor_u8(&d.c);
    enum gw_code code = body_read(&d, out);
    if (code != GW_OK)
        return code;
    if (d.c.failed)
        return fail_truncated(&d);
    if (gw_cursor_left(&d.c) != 0)
        return fail(&d, GW_E_MALFORMED, "bytes left over");
    return GW_OK;
}
