/* catalog_sql: the queries of a catalog load, in the order of enum gw_catalog_query. One header for
 * one file: catalog_load.c runs them, catalog_rows.c knows their columns by position.
 *
 * All run in one repeatable-read transaction with an empty search_path, so that expressions print
 * with qualified names. $1: allow-listed roles, text[]; $2, $3: the publication and the access
 * publication; $4: who logs in to ask questions. Tables and everything about them come ordered by
 * oid, so that rows are merged, not searched. Lists of names come as SQL writes them: quoted where
 * needed, with commas. */
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

/* Tables of which the two publications together leave out rows, columns or kinds of changes. A row
 * filter counts only if every publication of the table has one (ORed by pgoutput); generated
 * columns are not missed. */
#define LIMITED(is_filtered, lacks_column)                                                         \
    "limited AS (SELECT c.oid FROM pg_catalog.pg_publication_tables AS p "                         \
    "JOIN pg_catalog.pg_publication AS b ON b.pubname = p.pubname "                                \
    "JOIN pg_catalog.pg_namespace AS n ON n.nspname = p.schemaname "                               \
    "JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename "         \
    "WHERE p.pubname IN ($2::text, $3::text) GROUP BY c.oid HAVING NOT (bool_or(b.pubinsert) "     \
    "AND bool_or(b.pubupdate) AND bool_or(b.pubdelete) AND bool_or(b.pubtruncate)) "               \
    "OR bool_and(" is_filtered ") OR bool_or(" lacks_column ")) "
#define LIMITED_14 LIMITED("false", "false")
#define LIMITED_15                                                                                 \
    LIMITED("p.rowfilter IS NOT NULL",                                                             \
            "EXISTS (SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid "           \
            "AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' "                     \
            "AND a.attname <> ALL (p.attnames))")

static const char sql_roles[] = "WITH " ROLES "SELECT id FROM roles";

/* oid, schema, name, published, rls, forced, identity, has an identity, row type, its array,
 * followed (in the access publication), has children, owner, is limited */
#define TABLES(limited)                                                                            \
    "WITH " PUBLISHED ", " FOLLOWED ", " limited                                                   \
    "SELECT c.oid, n.nspname, c.relname, c.oid IN (SELECT oid FROM published), c.relrowsecurity, " \
    "c.relforcerowsecurity, c.relreplident, "                                                      \
    "CASE c.relreplident WHEN 'f' THEN true WHEN 'n' THEN false ELSE EXISTS ("                     \
    "SELECT FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid AND i.indisvalid "              \
    "AND i.indimmediate AND CASE c.relreplident WHEN 'd' THEN i.indisprimary "                     \
    "ELSE i.indisreplident END) END, c.reltype, t.typarray, "                                      \
    "c.oid IN (SELECT oid FROM followed), "                                                        \
    "EXISTS (SELECT FROM pg_catalog.pg_inherits AS h WHERE h.inhparent = c.oid), "                 \
    "c.relowner, c.oid IN (SELECT oid FROM limited) "                                              \
    "FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "   \
    "JOIN pg_catalog.pg_type AS t ON t.oid = c.reltype WHERE " USER_TABLE "ORDER BY c.oid"

static const char sql_tables_14[] = TABLES(LIMITED_14);
static const char sql_tables[] = TABLES(LIMITED_15); /* row filters and column lists: since 15 */

/* An index's key columns; INCLUDEd ones do not identify. int2vectors count from 0. */
#define PRIMARY_KEYS "((p.indkey::int2[])[0:p.indnkeyatts - 1])"
#define IDENTITY_KEYS "((i.indkey::int2[])[0:i.indnkeyatts - 1])"

/* table oid, attnum, name, type, type's name, generation expression, in primary key, in identity,
 * not null, collation not deterministic */
static const char sql_columns[] =
    "SELECT c.oid, a.attnum, a.attname, a.atttypid, t.typname, "
    "CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END, "
    "coalesce(a.attnum = ANY " PRIMARY_KEYS ", false), "
    "CASE c.relreplident WHEN 'f' THEN true WHEN 'n' THEN false "
    "WHEN 'd' THEN coalesce(p.indimmediate AND a.attnum = ANY " PRIMARY_KEYS ", false) "
    "ELSE coalesce(a.attnum = ANY " IDENTITY_KEYS ", false) END, "
    "a.attnotnull, NOT coalesce(l.collisdeterministic, true) "
    "FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
    "JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 "
    "AND NOT a.attisdropped JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid "
    "LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = a.attcollation "
    "LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum "
    "LEFT JOIN pg_catalog.pg_index AS p ON p.indrelid = c.oid AND p.indisprimary AND p.indisvalid "
    "LEFT JOIN pg_catalog.pg_index AS i ON i.indrelid = c.oid AND i.indisreplident "
    "AND i.indisvalid WHERE " USER_TABLE "ORDER BY c.oid, a.attnum";

/* The role ids that policy p applies to, as bits. */
#define POLICY_ROLES                                                                               \
    "(SELECT coalesce(bit_or(1::bigint << r.id), 0) FROM roles AS r WHERE EXISTS ("                \
    "SELECT FROM unnest(p.polroles) AS u(oid) WHERE CASE WHEN u.oid = 0 THEN true "                \
    "ELSE pg_catalog.pg_has_role(r.oid, u.oid, 'USAGE') END)) "

/* table oid, name, permissive, bits of the role ids it applies to, USING */
static const char sql_policies[] =
    "WITH " ROLES "SELECT p.polrelid, p.polname, p.polpermissive, " POLICY_ROLES
    ", pg_catalog.pg_get_expr(p.polqual, p.polrelid) "
    "FROM pg_catalog.pg_policy AS p WHERE p.polcmd IN ('r', '*') ORDER BY p.polrelid, p.polname";

/* Of realtime.messages, for inserting: table oid, name, permissive, bits of the role ids, check */
static const char sql_checks[] =
    "WITH " ROLES "SELECT p.polrelid, p.polname, p.polpermissive, " POLICY_ROLES
    ", pg_catalog.pg_get_expr(coalesce(p.polwithcheck, p.polqual), p.polrelid) "
    "FROM pg_catalog.pg_policy AS p JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid "
    "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE p.polcmd IN ('a', '*') "
    "AND n.nspname = 'realtime' AND c.relname = 'messages' ORDER BY p.polrelid, p.polname";

/* table oid, role id, past row security, readable columns: '*' or attnums with commas or NULL,
 * usage of the schema, may insert (realtime.messages) */
static const char sql_access[] =
    "WITH " ROLES "SELECT c.oid, r.id, r.bypasses OR (NOT c.relforcerowsecurity "
    "AND pg_catalog.pg_has_role(r.oid, c.relowner, 'USAGE')), "
    "CASE WHEN pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT') THEN '*' "
    "WHEN pg_catalog.has_any_column_privilege(r.oid, c.oid, 'SELECT') "
    "THEN (SELECT string_agg(a.attnum::text, ',' ORDER BY a.attnum) "
    "FROM pg_catalog.pg_attribute AS a "
    "WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "AND pg_catalog.has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT')) END, "
    "pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE'), "
    "CASE WHEN n.nspname = 'realtime' AND c.relname = 'messages' "
    "THEN pg_catalog.has_any_column_privilege(r.oid, c.oid, 'INSERT') ELSE false END "
    "FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
    "CROSS JOIN roles AS r WHERE " USER_TABLE "ORDER BY c.oid, r.id";

/* oid, schema, name, language, volatility, definition, body, types of the input arguments (oids
 * with commas), their names, how many have defaults, return type, returns a set, strict, security
 * definer, is plain, its search_path or NULL, has other settings, owner, owner is superuser, owner
 * bypasses row security, bits of the role ids that may call it. Those that can be read come first.
 */
static const char sql_functions[] =
    "WITH " ROLES "SELECT p.oid, n.nspname, p.proname, l.lanname, p.provolatile, "
    "CASE WHEN l.lanname IN ('sql', 'plpgsql') AND p.prokind <> 'a' "
    "THEN pg_catalog.pg_get_functiondef(p.oid) END, "
    "CASE WHEN l.lanname IN ('sql', 'plpgsql') THEN p.prosrc END, "
    "pg_catalog.array_to_string(p.proargtypes::oid[], ','), "
    "(SELECT string_agg(pg_catalog.quote_ident(u.name), ',' ORDER BY u.ord) "
    "FROM unnest(p.proargnames) WITH ORDINALITY AS u(name, ord) "
    "WHERE coalesce(p.proargmodes[u.ord] IN ('i', 'b', 'v'), true)), "
    "p.pronargdefaults, p.prorettype, p.proretset, p.proisstrict, p.prosecdef, "
    "p.prokind = 'f' AND p.provariadic = 0 AND coalesce('i' = ALL (p.proargmodes), true), "
    "(SELECT pg_catalog.substr(u.setting, 13) FROM unnest(p.proconfig) AS u(setting) "
    "WHERE u.setting LIKE 'search\\_path=%' LIMIT 1), "
    "EXISTS (SELECT FROM unnest(p.proconfig) AS u(setting) "
    "WHERE u.setting NOT LIKE 'search\\_path=%'), "
    "p.proowner, o.rolsuper, o.rolsuper OR o.rolbypassrls, "
    "(SELECT coalesce(bit_or(1::bigint << r.id), 0) FROM roles AS r "
    "WHERE pg_catalog.has_function_privilege(r.oid, p.oid, 'EXECUTE') "
    "AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')) "
    "FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace "
    "JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang "
    "JOIN pg_catalog.pg_roles AS o ON o.oid = p.proowner "
    "WHERE n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema' "
    "ORDER BY l.lanname IN ('sql', 'plpgsql') DESC, p.oid LIMIT 20000";

/* schema, name: views, materialized views, foreign tables */
static const char sql_views[] =
    "SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c "
    "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm', "
    "'f') "
    "AND n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema' "
    "AND n.nspname !~ '^pg_(toast|temp)' ORDER BY c.oid";

/* search_path of a session that $4 opens: what is set for that role or this database, the more
 * specific first (PostgreSQL docs, "ALTER ROLE"), else the server's. The server's own value hides
 * behind such settings of this session's login; then it is taken to be as shipped. */
#define PATH_SETTING(login)                                                                        \
    "SELECT pg_catalog.substr(u.setting, 13) FROM pg_catalog.pg_db_role_setting AS s, "            \
    "unnest(s.setconfig) AS u(setting) WHERE u.setting LIKE 'search\\_path=%' "                    \
    "AND s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database AS d "                     \
    "WHERE d.datname = pg_catalog.current_database())) "                                           \
    "AND s.setrole IN (0, (SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = " login    \
    ")) ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC LIMIT 1"

static const char sql_search_path[] =
    "SELECT coalesce((" PATH_SETTING("$4::text") "), (SELECT CASE WHEN EXISTS (" PATH_SETTING(
        "session_user::name") ") THEN p.boot_val ELSE p.reset_val END "
                              "FROM pg_catalog.pg_settings AS p WHERE p.name = 'search_path'))";

/* Types that are not built in: oid, name, typtype, element (true arrays), its delimiter, base,
 * schema.
 * 16384: FirstNormalObjectId; information_schema's domains have no fixed oids either. */
#define USER_TYPE "(t.oid >= 16384 OR (n.nspname = 'information_schema' AND t.typtype = 'd')) "

static const char sql_types[] =
    "SELECT t.oid, t.typname, t.typtype, "
    "CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, coalesce(e.typdelim, ','), "
    "t.typbasetype, n.nspname FROM pg_catalog.pg_type AS t "
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
#undef PRIMARY_KEYS
#undef IDENTITY_KEYS
#undef LIMITED
#undef LIMITED_14
#undef LIMITED_15
#undef TABLES
#undef POLICY_ROLES
#undef PATH_SETTING
#undef USER_TYPE

#endif
