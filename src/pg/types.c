/* types: see the header. The table lists the types with fixed oids (below 10000) of PostgreSQL 14
 * to 18: scalars, ranges and their arrays, as pg_type has them. int2vector and oidvector are arrays
 * to the catalog but print without braces; no user table needs them, so they stay text. */
#include "gw/types.h"

#define SPAN(s)                                                                                    \
    {                                                                                              \
        (s), sizeof(s) - 1                                                                         \
    }
#define SCALAR(id, text)                                                                           \
    {                                                                                              \
        .oid = (id), .kind = GW_TYPE_BASE, .name = SPAN(text)                                      \
    }
#define TEXT(id, text)                                                                             \
    {                                                                                              \
        .oid = (id), .kind = GW_TYPE_TEXT, .name = SPAN(text)                                      \
    }
#define ARRAY(id, text, element, delim)                                                            \
    {                                                                                              \
        .oid = (id), .kind = GW_TYPE_ARRAY, .name = SPAN(text), .inner_oid = (element),            \
        .delimiter = (delim)                                                                       \
    }

static const struct gw_type builtin[] = {
    SCALAR(16, "bool"),
    SCALAR(17, "bytea"),
    SCALAR(18, "char"),
    SCALAR(19, "name"),
    SCALAR(20, "int8"),
    SCALAR(21, "int2"),
    SCALAR(22, "int2vector"),
    SCALAR(23, "int4"),
    SCALAR(24, "regproc"),
    SCALAR(25, "text"),
    SCALAR(26, "oid"),
    SCALAR(27, "tid"),
    SCALAR(28, "xid"),
    SCALAR(29, "cid"),
    SCALAR(30, "oidvector"),
    SCALAR(114, "json"),
    SCALAR(142, "xml"),
    ARRAY(143, "_xml", 142, ','),
    ARRAY(199, "_json", 114, ','),
    ARRAY(271, "_xid8", 5069, ','),
    SCALAR(600, "point"),
    SCALAR(601, "lseg"),
    SCALAR(602, "path"),
    SCALAR(603, "box"),
    SCALAR(604, "polygon"),
    SCALAR(628, "line"),
    ARRAY(629, "_line", 628, ','),
    SCALAR(650, "cidr"),
    ARRAY(651, "_cidr", 650, ','),
    SCALAR(700, "float4"),
    SCALAR(701, "float8"),
    SCALAR(718, "circle"),
    ARRAY(719, "_circle", 718, ','),
    SCALAR(774, "macaddr8"),
    ARRAY(775, "_macaddr8", 774, ','),
    SCALAR(790, "money"),
    ARRAY(791, "_money", 790, ','),
    SCALAR(829, "macaddr"),
    SCALAR(869, "inet"),
    ARRAY(1000, "_bool", 16, ','),
    ARRAY(1001, "_bytea", 17, ','),
    ARRAY(1002, "_char", 18, ','),
    ARRAY(1003, "_name", 19, ','),
    ARRAY(1005, "_int2", 21, ','),
    ARRAY(1006, "_int2vector", 22, ','),
    ARRAY(1007, "_int4", 23, ','),
    ARRAY(1008, "_regproc", 24, ','),
    ARRAY(1009, "_text", 25, ','),
    ARRAY(1010, "_tid", 27, ','),
    ARRAY(1011, "_xid", 28, ','),
    ARRAY(1012, "_cid", 29, ','),
    ARRAY(1013, "_oidvector", 30, ','),
    ARRAY(1014, "_bpchar", 1042, ','),
    ARRAY(1015, "_varchar", 1043, ','),
    ARRAY(1016, "_int8", 20, ','),
    ARRAY(1017, "_point", 600, ','),
    ARRAY(1018, "_lseg", 601, ','),
    ARRAY(1019, "_path", 602, ','),
    ARRAY(1020, "_box", 603, ';'),
    ARRAY(1021, "_float4", 700, ','),
    ARRAY(1022, "_float8", 701, ','),
    ARRAY(1027, "_polygon", 604, ','),
    ARRAY(1028, "_oid", 26, ','),
    SCALAR(1033, "aclitem"),
    ARRAY(1034, "_aclitem", 1033, ','),
    ARRAY(1040, "_macaddr", 829, ','),
    ARRAY(1041, "_inet", 869, ','),
    SCALAR(1042, "bpchar"),
    SCALAR(1043, "varchar"),
    SCALAR(1082, "date"),
    SCALAR(1083, "time"),
    SCALAR(1114, "timestamp"),
    ARRAY(1115, "_timestamp", 1114, ','),
    ARRAY(1182, "_date", 1082, ','),
    ARRAY(1183, "_time", 1083, ','),
    SCALAR(1184, "timestamptz"),
    ARRAY(1185, "_timestamptz", 1184, ','),
    SCALAR(1186, "interval"),
    ARRAY(1187, "_interval", 1186, ','),
    ARRAY(1231, "_numeric", 1700, ','),
    SCALAR(1266, "timetz"),
    ARRAY(1270, "_timetz", 1266, ','),
    SCALAR(1560, "bit"),
    ARRAY(1561, "_bit", 1560, ','),
    SCALAR(1562, "varbit"),
    ARRAY(1563, "_varbit", 1562, ','),
    SCALAR(1700, "numeric"),
    SCALAR(1790, "refcursor"),
    ARRAY(2201, "_refcursor", 1790, ','),
    SCALAR(2202, "regprocedure"),
    SCALAR(2203, "regoper"),
    SCALAR(2204, "regoperator"),
    SCALAR(2205, "regclass"),
    SCALAR(2206, "regtype"),
    ARRAY(2207, "_regprocedure", 2202, ','),
    ARRAY(2208, "_regoper", 2203, ','),
    ARRAY(2209, "_regoperator", 2204, ','),
    ARRAY(2210, "_regclass", 2205, ','),
    ARRAY(2211, "_regtype", 2206, ','),
    ARRAY(2949, "_txid_snapshot", 2970, ','),
    SCALAR(2950, "uuid"),
    ARRAY(2951, "_uuid", 2950, ','),
    SCALAR(2970, "txid_snapshot"),
    SCALAR(3220, "pg_lsn"),
    ARRAY(3221, "_pg_lsn", 3220, ','),
    SCALAR(3614, "tsvector"),
    SCALAR(3615, "tsquery"),
    SCALAR(3642, "gtsvector"),
    ARRAY(3643, "_tsvector", 3614, ','),
    ARRAY(3644, "_gtsvector", 3642, ','),
    ARRAY(3645, "_tsquery", 3615, ','),
    SCALAR(3734, "regconfig"),
    ARRAY(3735, "_regconfig", 3734, ','),
    SCALAR(3769, "regdictionary"),
    ARRAY(3770, "_regdictionary", 3769, ','),
    SCALAR(3802, "jsonb"),
    ARRAY(3807, "_jsonb", 3802, ','),
    TEXT(3904, "int4range"),
    ARRAY(3905, "_int4range", 3904, ','),
    TEXT(3906, "numrange"),
    ARRAY(3907, "_numrange", 3906, ','),
    TEXT(3908, "tsrange"),
    ARRAY(3909, "_tsrange", 3908, ','),
    TEXT(3910, "tstzrange"),
    ARRAY(3911, "_tstzrange", 3910, ','),
    TEXT(3912, "daterange"),
    ARRAY(3913, "_daterange", 3912, ','),
    TEXT(3926, "int8range"),
    ARRAY(3927, "_int8range", 3926, ','),
    SCALAR(4072, "jsonpath"),
    ARRAY(4073, "_jsonpath", 4072, ','),
    SCALAR(4089, "regnamespace"),
    ARRAY(4090, "_regnamespace", 4089, ','),
    SCALAR(4096, "regrole"),
    ARRAY(4097, "_regrole", 4096, ','),
    SCALAR(4191, "regcollation"),
    ARRAY(4192, "_regcollation", 4191, ','),
    TEXT(4451, "int4multirange"),
    TEXT(4532, "nummultirange"),
    TEXT(4533, "tsmultirange"),
    TEXT(4534, "tstzmultirange"),
    TEXT(4535, "datemultirange"),
    TEXT(4536, "int8multirange"),
    SCALAR(5038, "pg_snapshot"),
    ARRAY(5039, "_pg_snapshot", 5038, ','),
    SCALAR(5069, "xid8"),
    ARRAY(6150, "_int4multirange", 4451, ','),
    ARRAY(6151, "_nummultirange", 4532, ','),
    ARRAY(6152, "_tsmultirange", 4533, ','),
    ARRAY(6153, "_tstzmultirange", 4534, ','),
    ARRAY(6155, "_datemultirange", 4535, ','),
    ARRAY(6157, "_int8multirange", 4536, ','),
};

#undef SPAN
#undef SCALAR
#undef TEXT
#undef ARRAY

void gw_types_init(struct gw_types *t)
{
    gw_arena_init(&t->arena, 0);
    gw_idmap_init(&t->by_oid);
    for (size_t i = 0; i < sizeof builtin / sizeof *builtin; i++)
        gw_idmap_put(&t->by_oid, builtin[i].oid, (void *)&builtin[i]); /* only ever read */
}

void gw_types_fini(struct gw_types *t)
{
    gw_idmap_fini(&t->by_oid);
    gw_arena_fini(&t->arena);
}

void gw_types_add(struct gw_types *t, const struct gw_type *type)
{
    struct gw_type *copy = gw_arena_alloc(&t->arena, sizeof *copy);
    *copy = *type;
    copy->name = gw_arena_copy(&t->arena, type->name);
    copy->fields = gw_arena_alloc(&t->arena, type->n_fields * sizeof *copy->fields);
    for (size_t i = 0; i < type->n_fields; i++) {
        copy->fields[i].name = gw_arena_copy(&t->arena, type->fields[i].name);
        copy->fields[i].type_oid = type->fields[i].type_oid;
    }
    gw_idmap_put(&t->by_oid, type->oid, copy);
}

const struct gw_type *gw_types_find(const struct gw_types *t, uint32_t oid)
{
    return gw_idmap_find(&t->by_oid, oid);
}
