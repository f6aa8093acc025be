/* depend_internal: what the files of depend share.
 *
 * A unit is one policy or one function, read through once: what it reads of which table, which
 * functions it calls, or why that cannot be told. depend_parse.c turns texts into trees,
 * depend_walk.c and depend_match.c trees into units, depend.c follows units from policy to function
 * to policy. A reader lives for one gw_catalog_finish, on one thread. */
#ifndef GW_DEPEND_INTERNAL_H
#define GW_DEPEND_INTERNAL_H

#include "gw/depend.h"

#define GW_DEPEND_TEXT_MAX                                                                         \
    (64u * 1024)                  /* bytes; libpg_query's stack grows with nesting, to 4 MiB */
#define GW_DEPEND_REFS_MAX 16384u /* column references in one text */
#define GW_DEPEND_FROM_MAX 256u   /* tables named in one text */

struct json_t;
struct gw_depend_reader;

/* What a unit reads of one table. */
struct gw_depend_source {
    uint32_t table; /* index into the catalog's tables */
    bool all_columns;
    struct gw_colset columns; /* index into the table's columns */
};

struct gw_depend_sources {
    struct gw_depend_source *items; /* one per table, order of first mention */
    uint32_t n, cap;
};

struct gw_depend_unit {
    struct gw_span why;     /* not empty: the unit could not be read through */
    bool reads_all;         /* policies: every column of the row */
    struct gw_colset reads; /* policies: columns of the row */
    struct gw_depend_sources sources;
    uint32_t *calls; /* indices into the catalog's functions, distinct */
    uint32_t n_calls, cap_calls;
};

/* Where a text stands: the unit it adds to, a label for messages, and for policies the table whose
 * row it judges (NULL in a function). */
struct gw_depend_text {
    struct gw_depend_reader *reader;
    struct gw_depend_unit *unit;
    const struct gw_catalog_table *row;
    const char *label;
};

/* A column reference; both parts are borrowed from the tree. name is empty for a star. */
struct gw_depend_ref {
    struct gw_span qualifier, name;
    bool is_inner; /* inside a sub-select */
};

/* A table in FROM. */
struct gw_depend_from {
    uint32_t table; /* index into the catalog's tables */
    struct gw_span alias;
    bool is_renamed; /* alias (a, b, …) */
};

/* What one statement names. */
struct gw_depend_names {
    struct gw_depend_ref *refs;
    size_t n_refs;
    struct gw_depend_from *from;
    size_t n_from;
    bool reads_all; /* a bare star, NATURAL JOIN or a renamed join */
};

/* depend.c */
struct gw_depend_reader *gw_depend_reader_new(struct gw_catalog *c);
void gw_depend_reader_free(struct gw_depend_reader *r); /* accepts NULL */
/* gw_depend_find, without reading a policy or a function twice. */
void gw_depend_reader_find(struct gw_depend_reader *r, const struct gw_catalog_table *t,
                           unsigned role_id, struct gw_colset *reads, struct gw_depends *out);
struct gw_catalog *gw_depend_catalog(const struct gw_depend_reader *r);
/* Add the functions of that name, in that schema unless it is empty; returns how many. */
unsigned gw_depend_add_calls(const struct gw_depend_text *text, struct gw_span schema,
                             struct gw_span name);
/* The entry of a table, added when missing; borrowed until the next call. */
struct gw_depend_source *gw_depend_source_of(struct gw_depend_sources *sources, uint32_t table);
/* Mark the unit unknown; the first reason stays. */
void gw_depend_fail(const struct gw_depend_text *text, const char *fmt, ...) GW_PRINTF(2, 3);

/* depend_parse.c */
void gw_depend_parse_policy(const struct gw_depend_text *text, struct gw_span qual);
void gw_depend_parse_function(const struct gw_depend_text *text,
                              const struct gw_catalog_function *f);

/* depend_match.c: add the columns to the unit. */
void gw_depend_match(const struct gw_depend_text *text, const struct gw_depend_names *names);

/* depend_walk.c: add to the unit what the tree of one statement reads and calls. */
void gw_depend_walk(const struct gw_depend_text *text, const struct json_t *tree);

#endif
