// The world of one seed: tables, policies, privileges and users, drawn at random from a catalogue that makes sure
// that over five tables every kind of key and replica identity occurs, and most kinds of policy.
import { Random } from './random.mjs';

export const uuid = (kind, n) => `00000000-0000-4000-8000-${kind}${String(n).padStart(11, '0')}`;
const q = (name) => `"${name.replaceAll('"', '""')}"`;
export const lit = (value) => (value === null ? 'NULL' : `'${String(value).replaceAll("'", "''")}'`);

const ROLES = ['anon', 'authenticated', 'service_role'];
const CLAIM_ORG = "(auth.jwt() ->> 'org')::uuid";

// Keys: columns with types. Every kind once.
const KEYS = [
  { id: 'int' }, { id: 'uuid' }, { code: 'text' }, { a: 'int', b: 'text' }, { Id: 'int8' },
];

// What a permissive policy for `authenticated` may say; reads: own columns; looks: at other tables.
const POLICIES = {
  owner: () => ({ using: 'owner = auth.uid()', reads: ['owner'] }),
  org: () => ({ using: `org = ${CLAIM_ORG}`, reads: ['org'] }),
  member: (s) => ({ using: `${s}.is_member(team)`, reads: ['team'], looks: true }),
  inside: (s) => ({ using: `team IN (SELECT m.crew FROM ${s}.members m)`, reads: ['team'], looks: true }),
  mixed: (s) => ({
    using: `owner = auth.uid() OR (open AND EXISTS (SELECT FROM ${s}.members m WHERE m.crew = team AND m.who = auth.uid()))`,
    reads: ['owner', 'open', 'team'], looks: true,
  }),
  open: () => ({ using: 'open', reads: ['open'] }),
};
const RESTRICTIVE = [
  () => ({ using: 'open IS NOT FALSE', reads: ['open'] }),
  () => ({ using: `org IS NULL OR org = ${CLAIM_ORG}`, reads: ['org'] }),
  (s) => ({ using: `team IS NULL OR NOT ${s}.is_member(team) OR owner = auth.uid()`, reads: ['team', 'owner'], looks: true }),
];

const EXTRAS = (s) => ({
  note: 'text', doc: 'jsonb', tags: 'text[]', mood: `${s}.mood`, amount: 'numeric', at: 'timestamptz', spot: `${s}.spot`,
  big: 'text', count: 'int8', day: 'date', grid: 'int[]', moods: `${s}.mood[]`, raw: 'bytea', 'Full Name': 'varchar(40)',
});

function makeTable(r, s, i, { key, identity, kind }) {
  const keys = Object.keys(key);
  const extras = EXTRAS(s);
  const names = ['big', ...r.shuffle(Object.keys(extras).filter((name) => name !== 'big')).slice(0, 6)];
  const columns = {
    ...key, rid: 'int8', owner: 'uuid', org: 'uuid', team: 'int', open: 'boolean',
    ...Object.fromEntries(r.shuffle(names).map((name) => [name, extras[name]])),
  };
  const name = i === 4 ? 'Mixed Case' : `t${i}`;
  const table = { schema: s, name, sql: `${s}.${q(name)}`, keys, columns, identity, kind, policies: [], force: r.chance(0.3) };
  if (identity === 'index') table.identityColumns = [...keys, r.pick(['org', 'team', 'owner'])];
  table.identityColumns ??= identity === 'full' ? Object.keys(columns) : keys;
  table.foldColumns = identity === 'full' ? keys : table.identityColumns;
  if (kind === 'owned') table.ownerRole = 'authenticated';
  drawPolicies(r, table);
  drawPrivileges(r, table);
  return table;
}

function drawPolicies(r, table) {
  const { kind, schema, policies } = table;
  table.rls = kind !== 'off';
  if (!table.rls) return;
  if (kind === 'everyone') policies.push({ role: 'authenticated', using: 'true', reads: [] });
  else if (kind === 'owned') policies.push({ role: 'authenticated', ...POLICIES.org(schema) });
  else if (kind !== 'none') policies.push({ role: 'authenticated', ...POLICIES[kind](schema) });
  if (r.chance(0.3)) policies.push({ role: 'authenticated', ...POLICIES.owner(schema) });
  if (r.chance(0.6)) policies.push({ role: 'anon', ...POLICIES.open(schema) });
  if (r.chance(0.5)) policies.push({ role: 'authenticated', restrictive: true, ...r.pick(RESTRICTIVE)(schema) });
  if (r.chance(0.2)) policies.push({ role: 'anon', restrictive: true, using: 'org IS NULL', reads: ['org'] });
}

// granted: role → columns it may SELECT; none at all: no privilege. rid is always among them, because the test
// recognises rows by it; a key need not be.
function drawPrivileges(r, table) {
  const all = Object.keys(table.columns);
  const some = () => all.filter((name) => name === 'rid' || r.chance(0.7));
  table.granted = {
    anon: r.chance(0.25) ? [] : r.chance(0.3) ? some() : all,
    authenticated: table.kind === 'owned' || r.chance(0.6) ? all : some(),
    service_role: r.chance(0.1) ? [] : all,
  };
}

// MARK tells everybody that all before it has been delivered; MEMBERS is what policies look into.
function fixedTables(s) {
  const everyone = (columns) => Object.fromEntries(ROLES.map((role) => [role, Object.keys(columns)]));
  const mark = { n: 'int' };
  const members = { crew: 'int', who: 'uuid', rid: 'int8' };
  return {
    mark: {
      schema: s, name: 'mark', sql: `${s}.mark`, keys: ['n'], columns: mark, identity: 'default', identityColumns: ['n'],
      foldColumns: ['n'], policies: [], granted: everyone(mark), rls: false,
    },
    members: {
      schema: s, name: 'members', sql: `${s}.members`, keys: ['crew', 'who'], columns: members, identity: 'default',
      identityColumns: ['crew', 'who'], foldColumns: ['crew', 'who'], rls: true, granted: { ...everyone(members), anon: [...Object.keys(members)] },
      policies: [{ role: 'authenticated', using: 'who = auth.uid()', reads: ['who'] }],
    },
  };
}

function makeUsers(r, tables) {
  const claims = [
    { sub: uuid('a', 1), org: uuid('b', 1) }, { sub: uuid('a', 2), org: uuid('b', 1) }, { sub: uuid('a', 3), org: uuid('b', 2) },
    { sub: uuid('a', 4) }, { sub: uuid('a', 5), org: uuid('b', 2) }, { sub: uuid('a', 5), org: uuid('b', 2) },
  ];
  const users = claims.map((c, i) => ({ name: `user ${i + 1}`, claims: { ...c, role: 'authenticated' } }));
  users.push({ name: 'anon', claims: { role: 'anon' } }, { name: 'service_role', claims: { role: 'service_role' } });
  for (const user of users) {
    user.role = user.claims.role;
    user.filter = drawFilter(r, user, tables);
  }
  return users;
}

const FILTERS = {
  team: ['1', '2'], owner: [uuid('a', 1), uuid('A', 2)], org: [uuid('b', 1)], open: ['t', 'false'], mood: ['happy'], amount: ['1.5', '2.00'],
  note: ['plain', 'a,b'], at: ['2026-05-01 14:00:00+02'], count: ['7'], code: ['k1'], id: ['1'], Id: ['2'], day: ['2026-02-28'], 'Full Name': ['Ada'],
};
function drawFilter(r, user, tables) {
  const choices = tables.flatMap((table) => table.granted[user.role]
    .filter((column) => FILTERS[column] && !(column === 'id' && table.columns.id === 'uuid'))
    .map((column) => ({ table, column, value: r.pick(FILTERS[column]) })));
  return r.pick(choices);
}

function tableSql(t) {
  const columns = Object.entries(t.columns).map(([name, type]) => {
    const must = t.identity === 'index' && t.identityColumns.includes(name) ? ' NOT NULL' : '';
    return `${q(name)} ${type}${must}${name === 'rid' ? ` DEFAULT nextval('${t.schema}.rid')` : ''}`;
  });
  const keys = (list) => list.map(q).join(', ');
  const out = [`CREATE TABLE ${t.sql} (${columns.join(', ')}, PRIMARY KEY (${keys(t.keys)}));`];
  if (t.columns.big) out.push(`ALTER TABLE ${t.sql} ALTER COLUMN big SET STORAGE EXTERNAL;`);
  const index = q(`${t.name} identity`);
  if (t.identity === 'index') out.push(`CREATE UNIQUE INDEX ${index} ON ${t.sql} (${keys(t.identityColumns)});`);
  out.push(`ALTER TABLE ${t.sql} REPLICA IDENTITY ${t.identity === 'index' ? `USING INDEX ${index}` : t.identity};`);
  if (t.rls) out.push(`ALTER TABLE ${t.sql} ENABLE ROW LEVEL SECURITY;`);
  if (t.force) out.push(`ALTER TABLE ${t.sql} FORCE ROW LEVEL SECURITY;`);
  if (t.ownerRole) out.push(`ALTER TABLE ${t.sql} OWNER TO ${t.ownerRole};`);
  return [...out, ...rightsSql(t)];
}

function rightsSql(t) {
  const out = t.policies.map((p, i) => `CREATE POLICY p${i} ON ${t.sql} ${p.restrictive ? 'AS RESTRICTIVE ' : ''}`
    + `FOR ${i % 2 ? 'ALL' : 'SELECT'} TO ${p.role} USING (${p.using});`);
  for (const role of ROLES) {
    const list = t.granted[role];
    if (list.length === Object.keys(t.columns).length) out.push(`GRANT SELECT ON ${t.sql} TO ${role};`);
    else if (list.length > 0) out.push(`GRANT SELECT (${list.map(q).join(', ')}) ON ${t.sql} TO ${role};`);
  }
  return out;
}

export const COMMON_SQL = `
CREATE ROLE anon NOLOGIN NOINHERIT;
CREATE ROLE authenticated NOLOGIN NOINHERIT;
CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
CREATE ROLE rowcast_authenticator LOGIN NOINHERIT;
GRANT anon, authenticated, service_role TO rowcast_authenticator;
CREATE SCHEMA auth;
GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role;
CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS
$$ SELECT NULLIF(current_setting('request.jwt.claims', true), '')::jsonb $$;
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS
$$ SELECT (NULLIF(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
CREATE PUBLICATION supabase_realtime;`;

export function worldSql(world) {
  const s = world.schema;
  const all = [...world.tables, world.mark, world.members];
  return [
    `CREATE SCHEMA ${s};`, `GRANT USAGE ON SCHEMA ${s} TO ${ROLES.join(', ')};`, `CREATE SEQUENCE ${s}.rid;`,
    `CREATE TYPE ${s}.mood AS ENUM ('happy', 'so so', 'sad');`, `CREATE TYPE ${s}.spot AS (x numeric, label text, at date);`,
    ...tableSql(world.members),
    `CREATE FUNCTION ${s}.is_member(wanted int) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS
     $$ SELECT EXISTS (SELECT FROM ${s}.members m WHERE m.crew = wanted AND m.who = auth.uid()) $$;`,
    ...[...world.tables, world.mark].flatMap(tableSql),
    `ALTER PUBLICATION supabase_realtime ADD TABLE ${all.map((t) => t.sql).join(', ')};`,
  ].join('\n');
}

export function makeWorld(seed) {
  const r = new Random(seed);
  const schema = `oracle_${seed}`;
  const keys = r.shuffle(KEYS);
  const identities = r.shuffle(['default', 'full', 'full', 'index', 'nothing']);
  const kinds = r.shuffle(['off', 'owner', 'org', 'member', 'inside', 'mixed', 'everyone', 'owned', 'none']);
  const tables = keys.map((key, i) => makeTable(r, schema, i, { key, identity: identities[i], kind: kinds[i] }));
  const fixed = fixedTables(schema);
  return { seed, schema, random: r, tables, ...fixed, users: makeUsers(r, [...tables, fixed.members]) };
}

export { q };
