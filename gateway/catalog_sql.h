/* catalog_sql: the queries of a catalog load, in the order of enum gw_catalog_query. One header for
 * one file: catalog_load.c runs them, catalog_rows.c knows their columns by position.
 *
 * All run in one repeatable-read transaction with an empty search_path, so that expressions print
 * with qualified names. $1: allow-listed roles, text[]; $2: the publication. Tables and everything
 * about them come ordered by oid, so that rows are merged, not searched. */
#ifndef GW_CATALOG_SQL_H
#define GW_CATALOG_SQL_H

/* Ordinary and partitioned tables of everybody's schemas. */
#define USER_TABLE                                                                                 \
    "c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname <> 'pg_catalog' "           \
    "AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_(toast|temp)' "

/* The allow-listed roles that exist, with their ids. */
#define ROLES                                                                                      \
    "roles AS (SELECT (u.ord - 1)::int AS id, r.oid, r.rolsuper OR r.rolbypassrls AS bypasses "    \
    "FROM unnest($1::text[]) WITH ORDINALITY AS u(name, ord) "                                     \
    "JOIN pg_catalog.pg_roles AS r ON r.rolname = u.name) "

#define PUBLISHED                                                                                  \
    "published AS (SELECT DISTINCT c.oid FROM pg_catalog.pg_publication_tables AS p "              \
    "JOIN pg_catalog.pg_namespace AS n ON n.nspname = p.schemaname "                               \
    "JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename "         \
    "WHERE p.pubname = $2::text) "

#define FOLLOWED                                                                                   \
    "followed AS (SELECT DISTINCT c.oid FROM pg_catalog.pg_publication_tables AS p "               \
    "JOIN pg_catalog.pg_namespace AS n ON n.nspname = p.schemaname "                               \
    "JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename "         \
    "WHERE p.pubname = $3::text) "

static const char sql_roles[] = "WITH " ROLES "SELECT id FROM roles";

/* oid, schema, name, published, rls, forced, identity, has an identity, row type, its array,
 * followed (in the access publication), has children */
static const char sql_tables[] =
    "WITH " PUBLISHED ", " FOLLOWED
    "SELECT c.oid, n.nspname, c.relname, c.oid IN (SELECT oid FROM published), c.relrowsecurity, "
    "c.relforcerowsecurity, c.relreplident, "
    "CASE c.relreplident WHEN 'f' THEN true WHEN 'n' THEN false ELSE EXISTS ("
    "SELECT FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid AND i.indisvalid "
    "AND i.indimmediate AND CASE c.relreplident WHEN 'd' THEN i.indisprimary "
    "ELSE i.indisreplident END) END, c.reltype, t.typarray, "
    "c.oid IN (SELECT oid FROM followed), "
    "EXISTS (SELECT FROM pg_catalog.pg_inherits AS h WHERE h.inhparent = c.oid) "
    "FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
    "JOIN pg_catalog.pg_type AS t ON t.oid = c.reltype WHERE " USER_TABLE "ORDER BY c.oid";

/* An index's key columns; INCLUDEd ones do not identify. int2vectors count from 0. */
#define KEYS(i) "((" i ".indkey::int2[])[0:" i ".indnkeyatts - 1])"

/* table oid, attnum, name, type, type's name, generation expression, in primary key, in identity */
static const char sql_columns[] =
    "SELECT c.oid, a.attnum, a.attname, a.atttypid, t.typname, "
    "CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END, "
    "coalesce(a.attnum = ANY " KEYS(
        "p") ", false), "
             "CASE c.relreplident WHEN 'f' THEN true WHEN 'n' THEN false "
             "WHEN 'd' THEN coalesce(p.indimmediate AND a.attnum = ANY " KEYS(
                 "p") ", false) "
                      "ELSE coalesce(a.attnum = ANY " KEYS(
                          "i") ", false) END "
                               "FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON "
                               "n.oid = c.relnamespace "
                               "JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND "
                               "a.attnum > 0 AND NOT a.attisdropped "
                               "JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid "
                               "LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = c.oid AND "
                               "d.adnum = a.attnum "
                               "LEFT JOIN pg_catalog.pg_index AS p ON p.indrelid = c.oid AND "
                               "p.indisprimary AND p.indisvalid "
                               "LEFT JOIN pg_catalog.pg_index AS i ON i.indrelid = c.oid AND "
                               "i.indisreplident AND i.indisvalid "
                               "WHERE " USER_TABLE "ORDER BY c.oid, a.attnum";

/* table oid, name, permissive, bits of the role ids it applies to, USING */
static const char sql_policies[] =
    "WITH " ROLES "SELECT p.polrelid, p.polname, p.polpermissive, "
    "(SELECT coalesce(bit_or(1::bigint << r.id), 0) FROM roles AS r WHERE EXISTS ("
    "SELECT FROM unnest(p.polroles) AS u(oid) WHERE CASE WHEN u.oid = 0 THEN true "
    "ELSE pg_catalog.pg_has_role(r.oid, u.oid, 'USAGE') END)), "
    "pg_catalog.pg_get_expr(p.polqual, p.polrelid) "
    "FROM pg_catalog.pg_policy AS p WHERE p.polcmd IN ('r', '*') ORDER BY p.polrelid, p.polname";

/* table oid, role id, past row security, readable columns: '*' or attnums with commas or NULL.
 * Columns matter of published tables only: of others no row is ever shown. */
static const char sql_access[] =
    "WITH " ROLES ", " PUBLISHED "SELECT c.oid, r.id, r.bypasses OR (NOT c.relforcerowsecurity "
    "AND pg_catalog.pg_has_role(r.oid, c.relowner, 'USAGE')), "
    "CASE WHEN c.oid NOT IN (SELECT oid FROM published) "
    "OR NOT pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE') THEN NULL "
    "WHEN pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT') THEN '*' "
    "ELSE (SELECT string_agg(a.attnum::text, ',') FROM pg_catalog.pg_attribute AS a "
    "WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "AND pg_catalog.has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT')) END "
    "FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
    "CROSS JOIN roles AS r WHERE " USER_TABLE "ORDER BY c.oid, r.id";

/* oid, schema, name, language, volatility, definition, body. Those that can be read come first. */
static const char sql_functions[] =
    "SELECT p.oid, n.nspname, p.proname, l.lanname, p.provolatile, "
    "CASE WHEN l.lanname IN ('sql', 'plpgsql') AND p.prokind <> 'a' "
    "THEN pg_catalog.pg_get_functiondef(p.oid) END, "
    "CASE WHEN l.lanname IN ('sql', 'plpgsql') THEN p.prosrc END "
    "FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace "
    "JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang "
    "WHERE n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema' "
    "ORDER BY l.lanname IN ('sql', 'plpgsql') DESC, p.oid LIMIT 20000";

/* Types that are not built in: oid, name, typtype, element (true arrays), its delimiter, base.
 * 16384: FirstNormalObjectId; information_schema's domains have no fixed oids either. */
#define USER_TYPE "(t.oid >= 16384 OR (n.nspname = 'information_schema' AND t.typtype = 'd')) "

static const char sql_types[] =
    "SELECT t.oid, t.typname, t.typtype, "
    "CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, coalesce(e.typdelim, ','), "
    "t.typbasetype FROM pg_catalog.pg_type AS t "
    "JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace "
    "LEFT JOIN pg_catalog.pg_type AS e ON e.oid = t.typelem WHERE " USER_TYPE "ORDER BY t.oid";

/* Fields of composite types, of tables too: type oid, name, field's type */
static const char sql_fields[] =
    "SELECT t.oid, a.attname, a.atttypid FROM pg_catalog.pg_type AS t "
    "JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace "
    "JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.typrelid AND a.attnum > 0 "
    "AND NOT a.attisdropped WHERE t.typtype = 'c' AND " USER_TYPE "ORDER BY t.oid, a.attnum";

#undef USER_TABLE
#undef ROLES
#undef PUBLISHED
#undef KEYS
#undef USER_TYPE

#endif
