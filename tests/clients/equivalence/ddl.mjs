// A world as SQL, and the functions with which the oracle looks at it.
import { allTables, ROLES } from './world.mjs';
import { lit, q } from './sql.mjs';

// Once per cluster: roles. The roles must exist before the databases that name them.
export const ROLES_SQL = `
CREATE ROLE anon NOLOGIN NOINHERIT;
CREATE ROLE authenticated NOLOGIN NOINHERIT;
CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
CREATE ROLE staff NOLOGIN INHERIT IN ROLE authenticated;
CREATE ROLE rowcast_authenticator LOGIN NOINHERIT;
GRANT anon, authenticated, service_role, staff TO rowcast_authenticator;`;

const UID_FORMS = [
  "SELECT (NULLIF(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid",
  "SELECT COALESCE(NULLIF(current_setting('request.jwt.claim.sub', true), ''), (NULLIF(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid",
];

const authSql = (world) => [
  `CREATE SCHEMA auth; GRANT USAGE ON SCHEMA auth TO ${ROLES.join(', ')};`,
  `CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS $$ SELECT COALESCE(NULLIF(current_setting('request.jwt.claim', true), ''), NULLIF(current_setting('request.jwt.claims', true), ''))::jsonb $$;`,
  `CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$ ${UID_FORMS[world.uidForm]} $$;`,
  `CREATE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE AS $$ SELECT COALESCE(NULLIF(current_setting('request.jwt.claim.role', true), ''), (NULLIF(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'))::text $$;`,
  `CREATE FUNCTION auth.email() RETURNS text LANGUAGE sql STABLE AS $$ SELECT NULLIF(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email' $$;`,
];

function tableSql(world, t, at) {
  const type = (name) => (['mood', 'word'].includes(t.columns[name]) ? `${q(world.schema)}.${t.columns[name]}` : t.columns[name]);
  const columns = Object.keys(t.columns).map((name) => `${q(name)} ${type(name)}${t.notNull.includes(name) ? ' NOT NULL' : ''}${name === 'rid' ? ` NOT NULL DEFAULT nextval('${q(world.schema)}.rid_${at}')` : ''}`);
  const list = (names) => names.map(q).join(', ');
  const out = [`CREATE SEQUENCE ${q(world.schema)}.rid_${at};`, `CREATE TABLE ${t.sql} (${[...columns, `PRIMARY KEY (${list(t.keys)})`, ...t.foreign].join(', ')});`];
  const index = q(`${t.name} identity`);
  if (t.identity === 'index') out.push(`CREATE UNIQUE INDEX ${index} ON ${t.sql} (${list(t.identityColumns)});`);
  out.push(`ALTER TABLE ${t.sql} REPLICA IDENTITY ${t.identity === 'index' ? `USING INDEX ${index}` : t.identity};`);
  if (t.rls) out.push(`ALTER TABLE ${t.sql} ENABLE ROW LEVEL SECURITY;`);
  if (t.force) out.push(`ALTER TABLE ${t.sql} FORCE ROW LEVEL SECURITY;`);
  return out;
}

export const policySql = (t, p) => `CREATE POLICY ${q(p.name)} ON ${t.sql} AS ${p.permissive ? 'PERMISSIVE' : 'RESTRICTIVE'} FOR ${p.cmd} TO ${p.roles.join(', ')} USING (${p.using});`;

function rightsSql(t) {
  const out = t.policies.map((p) => policySql(t, p));
  for (const [role, names] of Object.entries(t.granted)) {
    if (names.length === Object.keys(t.columns).length) out.push(`GRANT SELECT ON ${t.sql} TO ${role};`);
    else if (names.length > 0) out.push(`GRANT SELECT (${names.map(q).join(', ')}) ON ${t.sql} TO ${role};`);
  }
  if (t.owner) out.push(`ALTER TABLE ${t.sql} OWNER TO ${t.owner};`);
  return out;
}

// Statements run one by one, those that fail are undone and their numbers returned; a list among them is undone
// in any case; a plain transaction fails as a whole.
const RUN_SQL = `
CREATE FUNCTION eqlook.run(statements jsonb, careful boolean) RETURNS int[] LANGUAGE plpgsql AS $fn$
DECLARE one jsonb; part text; n int := 0; failed int[] := '{}';
BEGIN
  FOR one IN SELECT value FROM jsonb_array_elements(statements) LOOP
    IF jsonb_typeof(one) = 'array' THEN
      BEGIN
        FOR part IN SELECT jsonb_array_elements_text(one) LOOP EXECUTE part; END LOOP;
        RAISE EXCEPTION 'undone' USING ERRCODE = 'UE001';
      EXCEPTION WHEN OTHERS THEN NULL; END;
    ELSIF careful THEN
      BEGIN EXECUTE one #>> '{}'; EXCEPTION WHEN OTHERS THEN failed := failed || n; END;
    ELSE EXECUTE one #>> '{}';
    END IF;
    n := n + 1;
  END LOOP;
  RETURN failed;
END $fn$;`;

// What a role sees of every table: ids of rows. Where a policy raises, row by row.
function seeSql(world, role) {
  const parts = allTables(world).map((t) => `
  BEGIN
    SELECT array_agg(rid) INTO ids FROM ${t.sql} WHERE rid > 0;
  EXCEPTION WHEN insufficient_privilege THEN ids := '{}';
  WHEN OTHERS THEN
    ids := '{}';
    FOR place IN SELECT jsonb_array_elements_text(places -> ${lit(t.name)})::tid LOOP
      BEGIN ids := ids || (SELECT array_agg(rid) FROM ${t.sql} WHERE ctid = place); EXCEPTION WHEN OTHERS THEN NULL; END;
    END LOOP;
  END;
  seen := seen || jsonb_build_object(${lit(t.name)}, to_jsonb(COALESCE(ids, '{}')));`);
  return `CREATE FUNCTION eqlook.see_${role}(places jsonb) RETURNS jsonb LANGUAGE plpgsql AS $fn$
DECLARE seen jsonb := '{}'; ids bigint[]; place tid;
BEGIN ${parts.join('')}
  RETURN seen;
END $fn$;`;
}

// All rows (but the ballast) with where they lie and who wrote them, the file of each table, and what each user sees.
function lookSql(world) {
  const rows = allTables(world).map((t) => `${lit(t.name)}, (SELECT jsonb_build_object('file', pg_relation_filenode(${lit(t.sql)}), 'rows', COALESCE(jsonb_agg(jsonb_build_array(rid, ctid::text || ' ' || xmin::text, to_jsonb(x))), '[]')) FROM ${t.sql} AS x WHERE rid > 0)`);
  return `CREATE FUNCTION eqlook.look(users jsonb) RETURNS text LANGUAGE plpgsql AS $fn$
DECLARE found jsonb; places jsonb; one jsonb; seen jsonb := '[]'; mine jsonb;
BEGIN
  SELECT jsonb_build_object(${rows.join(', ')}) INTO found;
  SELECT jsonb_object_agg(t.key, (SELECT COALESCE(jsonb_agg(split_part(r ->> 1, ' ', 1)), '[]') FROM jsonb_array_elements(t.value -> 'rows') AS r)) INTO places FROM jsonb_each(found) AS t;
  FOR one IN SELECT value FROM jsonb_array_elements(users) LOOP
    PERFORM set_config('request.jwt.claims', one ->> 'claims', true), set_config('request.jwt.claim.sub', one ->> 'sub', true), set_config('request.jwt.claim.role', one ->> 'role', true),
      set_config('app.tenant_id', one ->> 'tenant', true), set_config('app.tier', one ->> 'tier', true), set_config('role', one ->> 'role', true);
    CASE one ->> 'role' ${ROLES.map((role) => `WHEN '${role}' THEN mine := eqlook.see_${role}(places);`).join(' ')} END CASE;
    PERFORM set_config('role', 'none', true);
    seen := seen || jsonb_build_array(mine);
  END LOOP;
  RETURN jsonb_build_object('tables', found, 'seen', seen)::text;
END $fn$;`;
}

export function worldSql(world) {
  const s = q(world.schema);
  const all = allTables(world);
  const inPublication = (name) => all.filter((t) => t.publication === name).map((t) => t.sql);
  return [
    ...authSql(world), `CREATE SCHEMA ${s}; GRANT USAGE ON SCHEMA ${s} TO ${ROLES.join(', ')}; `,
    `CREATE TYPE ${s}.mood AS ENUM ('happy', 'so so', 'sad'); CREATE DOMAIN ${s}.word AS text CHECK (length(VALUE) < 40);`,
    ...all.flatMap((t, i) => tableSql(world, t, i)), ...world.functions.map((f) => `${f.sql};`), ...all.flatMap(rightsSql),
    'CREATE SCHEMA eqmark; GRANT USAGE ON SCHEMA eqmark TO PUBLIC; CREATE TABLE eqmark.mark (n int PRIMARY KEY); GRANT SELECT ON eqmark.mark TO PUBLIC;',
    'CREATE SCHEMA eqlook; GRANT USAGE ON SCHEMA eqlook TO PUBLIC;', RUN_SQL, ...ROLES.map((role) => seeSql(world, role)), lookSql(world),
    ...world.first.map((text) => `DO $do$ BEGIN ${text}; EXCEPTION WHEN OTHERS THEN NULL; END $do$;`),
    `CREATE PUBLICATION supabase_realtime FOR TABLE ${[...inPublication('supabase_realtime'), 'eqmark.mark'].join(', ')};`,
    inPublication('rowcast_access').length > 0 ? `CREATE PUBLICATION rowcast_access FOR TABLE ${inPublication('rowcast_access').join(', ')};` : 'CREATE PUBLICATION rowcast_access;',
  ].join('\n');
}
