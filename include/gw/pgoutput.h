/* pgoutput: one logical replication message (protocol version 1, text format) → a struct.
 *
 * A pure decoder: spans point into the input, arrays into the arena given. It keeps no state and
 * knows no relation; gw/relation.h and gw/txn.h do. Source: PostgreSQL docs, "Logical Replication
 * Message Formats". Hostile and truncated bytes give an error, never a bad read. */
#ifndef GW_PGOUTPUT_H
#define GW_PGOUTPUT_H

#include "gw/arena.h"
#include "gw/lsn.h"
#include "gw/time.h"

enum gw_pgoutput_kind {
    GW_PGOUTPUT_BEGIN,
    GW_PGOUTPUT_COMMIT,
    GW_PGOUTPUT_ORIGIN,
    GW_PGOUTPUT_RELATION,
    GW_PGOUTPUT_TYPE,
    GW_PGOUTPUT_INSERT,
    GW_PGOUTPUT_UPDATE,
    GW_PGOUTPUT_DELETE,
    GW_PGOUTPUT_TRUNCATE,
    GW_PGOUTPUT_MESSAGE,
};

enum gw_field_kind { GW_FIELD_NULL, GW_FIELD_UNCHANGED, GW_FIELD_TEXT, GW_FIELD_BINARY };

struct gw_field {
    enum gw_field_kind kind;
    struct gw_span value; /* TEXT, BINARY; borrowed from the input */
};

struct gw_tuple {
    uint16_t n;
    struct gw_field *datums; /* n of them, in the arena */
};

enum gw_old_kind { GW_OLD_NONE, GW_OLD_KEY, GW_OLD_FULL };

struct gw_pgoutput_column {
    bool is_key; /* part of the replica identity; under FULL every column is */
    struct gw_span name;
    uint32_t type_oid;
    int32_t typmod;
};

struct gw_pgoutput_msg {
    enum gw_pgoutput_kind kind;
    union {
        struct {
            struct gw_lsn final_lsn; /* of the commit record */
            struct gw_us commit_time;
            uint32_t xid;
        } begin;
        struct {
            struct gw_lsn commit_lsn, end_lsn;
            struct gw_us commit_time;
        } commit;
        struct {
            struct gw_lsn lsn;
            struct gw_span name;
        } origin;
        struct {
            uint32_t rel_oid;
            struct gw_span schema, name; /* schema "" stands for pg_catalog */
            char replica_identity;       /* d, n, f, i */
            uint16_t n_columns;
            struct gw_pgoutput_column *columns; /* in the arena */
        } relation;
        struct {
            uint32_t type_oid;
            struct gw_span schema, name;
        } type;
        struct {
            uint32_t rel_oid;
            enum gw_old_kind old_kind; /* INSERT: NONE */
            struct gw_tuple old, new_; /* old: UPDATE, DELETE; new_: INSERT, UPDATE */
        } row;
        struct {
            uint32_t n_rels;
            uint32_t *rel_oids; /* in the arena */
            bool cascade, restart_identity;
        } truncate;
        struct {
            bool transactional;
            struct gw_lsn lsn;
            struct gw_span prefix, content;
        } message;
    } u;
};

/* E_TRUNCATED, E_MALFORMED, E_UNSUPPORTED (unknown kind or version 2 streaming), E_TOO_BIG (arena
 * cap). err names the kind byte. */
GW_MUST_CHECK enum gw_code gw_pgoutput_decode(struct gw_span input, struct gw_arena *arena,
                                              struct gw_pgoutput_msg *out, struct gw_err *err);

#endif
