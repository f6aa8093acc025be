// The world of one seed, as plain data: tables, functions, policies, privileges, users, first rows. It is complete in itself
// (a failing one is kept as a file), so nothing here refers to the generator that drew it.
import { Random } from '../oracle/random.mjs';
import { Grammar, KINDS, MOODS } from './grammar.mjs';
import { functionsOf } from './functions.mjs';
import { lit, q, uuid } from './sql.mjs';

export const ROLES = ['anon', 'authenticated', 'service_role', 'staff'];

// Keys: types by part, and the values that occur. Small pools, so that rows meet.
const KEYS = [
  { types: ['int'], pool: (n) => [String(n)] }, { types: ['bigint'], pool: (n) => [String(9007199254740990n + BigInt(n))] },
  { types: ['uuid'], pool: (n) => [uuid('c', n)] }, { types: ['text'], pool: (n) => [['k1', 'K1', 'k 2', 'ü"\'', 'a.b', 'k,6', '{7}', ' '][n - 1]] },
  { types: ['int', 'text'], pool: (n) => [String(n % 3), ['x', 'y', 'X'][n % 2]] }, { types: ['uuid', 'bigint'], pool: (n) => [uuid('d', n % 2), String(n)] },
];
export const POOL = 7;

const NAMES = {
  owner: ['owner', 'user_id', 'Owner Id', 'owner.id'], creator: ['creator', 'created_by', 'addedBy'], org: ['org', 'org_id', 'tenant"id'], open: ['open', 'is_public', 'Is Open'],
  kind: ['kind', 'namespace', 'Kind'], score: ['score', 'level'], mood: ['mood', 'Mood!'], viewers: ['viewers', 'shared_with'], labels: ['labels', 'Tags'], path: ['path', 'file_path'],
  domain: ['code', 'Dom'], at: ['at', 'created_at'], note: ['note', 'body'], big: ['big'], team: ['team', 'trip_id', 'Team'], up0: ['up', 'parent_id', 'Parent.Id'], up1: ['up_2', 'Up B'],
};
const TYPES = {
  owner: 'uuid', creator: 'uuid', org: 'uuid', open: 'boolean', kind: 'text', score: 'int', mood: 'mood', viewers: 'uuid[]', labels: 'text[]', path: 'text',
  domain: 'word', at: 'timestamptz', note: 'text', big: 'text',
};
const TABLE_NAMES = [['trips', 'Trips', 'my trips'], ['sessions', 'Sess.ions'], ['messages', 'Mess"ages'], ['tool_calls', 'select'], ['places', 'Saved Places'], ['flights', 'ORDER']];

function column(table, logical, physical, type) {
  table.names[logical] = physical;
  table.columns[physical] = type;
}

function addKey(r, table, key) {
  const names = r.pick([['id', 'id_2'], ['Id', 'Nr'], ['key', 'part']]);
  table.keyPool = Array.from({ length: POOL }, (_, i) => key.pool(i + 1)).filter((k, i, all) => all.findIndex((o) => o.join('|') === k.join('|')) === i);
  key.types.forEach((type, i) => column(table, `key${i}`, names[i], type));
  table.keyNames = key.types.map((_, i) => `key${i}`);
  table.keys = names.slice(0, key.types.length);
  table.keyTypes = key.types;
}

function addIdentity(r, table) {
  table.identity = r.pick(['full', 'full', 'full', 'full', 'default', 'index']);
  if (table.identity === 'index') {
    table.notNull.push(r.pick([table.names.team, table.names.owner].filter((name) => !table.keys.includes(name))));
    table.identityColumns = [...new Set([...table.keys, table.notNull.at(-1)])];
  }
  table.identityColumns ??= table.identity === 'full' ? Object.keys(table.columns) : table.keys;
}

// What ties a table to the one before it, and to the teams.
function addTies(r, world, table, options) {
  const [first] = world.tables;
  if (!first) return;
  const parent = r.chance(0.7) ? world.tables.at(-1) : r.pick(world.tables);
  table.parent = parent.name;
  parent.keyTypes.forEach((type, i) => column(table, `up${i}`, r.pick(NAMES[`up${i}`]), type));
  column(table, 'team', r.pick(NAMES.team), first.keyTypes[0]);
  const action = () => r.pick(['CASCADE', 'CASCADE', 'SET NULL', 'NO ACTION']);
  const refer = (columns, to) => `FOREIGN KEY (${columns.map(q).join(', ')}) REFERENCES ${to.sql} (${to.keys.map(q).join(', ')}) ON DELETE ${action()}${r.chance(0.5) ? ' ON UPDATE CASCADE' : ''}`;
  if (r.chance(0.75)) table.foreign.push(refer(parent.keyNames.map((_, i) => table.names[`up${i}`]), parent));
  if (parent !== first && !options.isLoose && r.chance(0.4)) table.foreign.push(refer([table.names.team], first));
}

function makeTable(r, world, i, options) {
  const name = r.chance(0.65) ? TABLE_NAMES[i][0] : r.pick(TABLE_NAMES[i]);
  const table = {
    schema: world.schema, name, sql: `${q(world.schema)}.${q(name)}`, columns: {}, names: {}, notNull: [], foreign: [], policies: [], isSubscribed: true, publication: 'supabase_realtime',
  };
  const key = i === 0 ? r.pick(KEYS.slice(0, 4)) : r.pick(KEYS);
  addKey(r, table, key);
  if (i === 0) table.names.team = table.keys[0];
  column(table, 'rid', 'rid', 'bigint');
  addTies(r, world, table, options);
  const extras = ['creator', 'score', 'mood', 'viewers', 'labels', 'path', 'domain', 'at', 'note'];
  for (const logical of r.shuffle(['owner', 'org', 'open', 'kind', ...r.shuffle(extras).slice(0, 4)])) column(table, logical, pickName(r, table, logical), TYPES[logical]);
  addIdentity(r, table);
  return table;
}

function pickName(r, table, logical) {
  return r.pick(NAMES[logical].filter((name) => !(name in table.columns)));
}

function auxTable(r, world, role, name, columns, keyNames, options = {}) {
  const table = {
    schema: world.schema, name, sql: `${q(world.schema)}.${q(name)}`, columns: {}, names: {}, notNull: [], foreign: options.foreign ?? [], policies: [], isSubscribed: true,
    publication: 'supabase_realtime', isAux: true, keyNames,
  };
  for (const [logical, [physical, type]] of Object.entries(columns)) column(table, logical, physical, type);
  column(table, 'rid', 'rid', 'bigint');
  table.keys = keyNames.map((logical) => table.names[logical]);
  table.keyTypes = table.keys.map((k) => table.columns[k]);
  table.identity = r.chance(0.7) ? 'full' : 'default';
  table.identityColumns = table.identity === 'full' ? Object.keys(table.columns) : table.keys;
  world.byRole[role] = table;
}

function addAux(r, world, options) {
  const [first] = world.tables;
  const refer = options.isLoose || options.ballast || r.chance(0.4) ? [] : [`FOREIGN KEY (team) REFERENCES ${first.sql} (${q(first.keys[0])}) ON DELETE CASCADE${r.chance(0.5) ? ' ON UPDATE CASCADE' : ''}`];
  auxTable(r, world, 'members', r.pick(['members', 'Team Members']), { team: ['team', first.keyTypes[0]], who: ['who', 'uuid'], role: ['role', 'text'], active: ['active', 'boolean'] }, ['team', 'who'], { foreign: refer });
  auxTable(r, world, 'blocks', 'blocks', { blocker: ['blocker', 'uuid'], blocked: [r.pick(['blocked', 'Blocked.User']), 'uuid'] }, ['blocker', 'blocked']);
  auxTable(r, world, 'profiles', r.pick(['profiles', 'Profiles']), { id: ['id', 'uuid'], isAdmin: ['is_admin', 'boolean'], org: ['org', 'uuid'], level: ['level', 'int'] }, ['id']);
  if (r.chance(0.3)) Object.assign(world.byRole.profiles, { publication: 'rowcast_access', isSubscribed: false });
  // In no publication: what looks into it has to be asked.
  if (r.chance(0.06)) Object.assign(world.byRole.blocks, { publication: null, isSubscribed: false });
}

// ---- policies

function addPolicy(table, r, expression, more) {
  const cmd = r.pick(['SELECT', 'SELECT', 'SELECT', 'ALL']);
  table.policies.push({ name: r.pick(['p', 'Policy ', 'see.']) + table.policies.length, permissive: true, cmd, roles: ['authenticated'], ...more, using: expression.sql, reads: expression.reads, looks: expression.looks, mayAsk: expression.mayAsk });
}

function dataPolicies(r, g, world, table, i) {
  g.current = i;
  const scope = g.rowScope(table);
  table.rls = r.chance(0.95);
  table.force = r.chance(0.2);
  if (r.chance(0.06)) table.owner = 'authenticated';
  if (!table.rls) return;
  const count = r.pick([1, 1, 1, 2, 2, 3]);
  for (let k = 0; k < count; k += 1) addPolicy(table, r, g.expression(scope, r.pick([1, 1, 2, 2, 3, 4])), { roles: r.pick([['authenticated'], ['authenticated'], ['authenticated'], ['public'], ['authenticated', 'anon']]) });
  if (r.chance(0.35)) addPolicy(table, r, g.expression(scope, r.pick([1, 1, 2])), { permissive: false, roles: r.pick([['authenticated'], ['public']]) });
  if (r.chance(0.15)) addPolicy(table, r, g.expression(scope, 1), { permissive: false, roles: ['authenticated'] });
  if (r.chance(0.3)) addPolicy(table, r, g.free(scope), { roles: ['anon'] });
  if (world.hasStaff && r.chance(0.25)) addPolicy(table, r, g.expression(scope, 1), { roles: ['staff'] });
  // Says nothing about reading.
  if (r.chance(0.2)) addPolicy(table, r, { sql: 'true', reads: [], looks: [], mayAsk: false }, { cmd: r.pick(['UPDATE', 'DELETE']) });
  if (r.chance(0.08)) addPolicy(table, r, { sql: 'false', reads: [], looks: [], mayAsk: false }, {});
  if (r.chance(0.06)) addPolicy(table, r, { sql: 'true', reads: [], looks: [], mayAsk: false }, {});
}

function auxPolicies(r, g, world) {
  for (const [role, table] of Object.entries(world.byRole)) {
    g.current = -1;
    table.rls = r.chance(0.8);
    table.force = r.chance(0.1);
    if (!table.rls) continue;
    const scope = g.rowScope(table);
    const own = { members: 'who', blocks: 'blocker', profiles: 'id' }[role];
    const column = g.column(scope, own);
    if (r.chance(0.75)) addPolicy(table, r, { ...column, sql: `${column.sql} = ${g.uid()}`, looks: [], mayAsk: false }, {});
    if (role === 'blocks' && r.chance(0.7)) {
      const other = g.column(scope, 'blocked');
      addPolicy(table, r, { ...other, sql: `${other.sql} = ${g.uid()}`, looks: [], mayAsk: false }, {});
    }
    if (r.chance(0.35)) addPolicy(table, r, g.expression(scope, r.pick([1, 2])), {});
    if (r.chance(0.12)) addPolicy(table, r, g.free(scope), { permissive: false });
    if (table.policies.length === 0) addPolicy(table, r, { sql: 'true', reads: [], looks: [], mayAsk: false }, {});
  }
}

// granted: role → columns it may SELECT. rid is always among them, because the test knows rows by it.
function addPrivileges(r, table, isLookedInto) {
  const all = Object.keys(table.columns);
  const some = () => all.filter((name) => name === 'rid' || r.chance(0.75));
  table.granted = {
    anon: !isLookedInto && r.chance(0.15) ? [] : all, authenticated: isLookedInto || r.chance(0.85) || table.owner ? all : some(), service_role: all,
    staff: all,
  };
}

// ---- users

export function someClaims(r, n) {
  const out = { role: 'authenticated', sub: uuid('a', n) };
  if (r.chance(0.8)) out.org_id = uuid('b', 1 + r.int(3));
  if (r.chance(0.7)) out.email = r.pick(['ada@example.com', 'bob@example.org', 'eve@other.net']);
  if (r.chance(0.7)) out.tier = r.pick(KINDS);
  if (r.chance(0.7)) out.level = r.pick([1, 2, 3, '2']);
  if (r.chance(0.6)) out.tenant = uuid('b', 1 + r.int(3));
  if (r.chance(0.5)) out.org_list = r.pick(['', uuid('b', 1), `${uuid('b', 1)},${uuid('b', 2)}`]);
  if (r.chance(0.8)) {
    out.app_metadata = {};
    if (r.chance(0.7)) out.app_metadata.orgs = r.shuffle([uuid('b', 1), uuid('b', 2), uuid('b', 3)]).slice(0, r.int(3));
    if (r.chance(0.6)) out.app_metadata.org = uuid('b', 1 + r.int(3));
    if (r.chance(0.6)) out.app_metadata.role = r.pick(KINDS);
    if (r.chance(0.4)) out.app_metadata.level = 1 + r.int(3);
    if (r.chance(0.4)) out.app_metadata.is_admin = r.pick([true, false, 'true', null]);
  }
  return out;
}

function makeUsers(r, world) {
  const users = Array.from({ length: 4 + r.int(3) }, (_, i) => ({ name: `user ${i + 1}`, claims: someClaims(r, i + 1) }));
  if (r.chance(0.5)) {
    const { sub, ...rest } = someClaims(r, 9);
    users.push({ name: 'nobody in particular', claims: rest });
  }
  if (r.chance(0.25)) users.push({ name: 'user 1 again', claims: { ...users[0].claims } });
  if (world.hasStaff) users.push({ name: 'staff', claims: { ...someClaims(r, 2), role: 'staff' } });
  users.push({ name: 'anon', claims: { role: 'anon' } }, { name: 'service_role', claims: { role: 'service_role' } });
  for (const user of users) user.role = user.claims.role;
  return users;
}

// ---- values

export const PEOPLE = 6;
export function value(r, table, logical) {
  const type = table.columns[table.names[logical]];
  switch (logical) {
    case 'owner': case 'creator': case 'who': case 'id': case 'blocker': case 'blocked': return uuid('a', 1 + r.int(PEOPLE));
    case 'org': return uuid('b', 1 + r.int(3));
    case 'open': case 'active': case 'isAdmin': return r.pick(['t', 'f']);
    case 'kind': case 'domain': return r.pick(KINDS);
    case 'role': return r.pick(['viewer', 'editor', 'admin', ...KINDS]);
    case 'score': case 'level': return String(1 + r.int(3));
    case 'mood': return r.pick(MOODS);
    case 'viewers': return `{${r.shuffle([1, 2, 3, 4]).slice(0, r.int(3)).map((n) => uuid('a', n)).join(',')}}`;
    case 'labels': return r.pick(['{}', '{pro}', '{"post","free"}', '{NULL,team}', '{pro,post,"Note"}']);
    case 'path': return r.pick([`${uuid('a', 1 + r.int(4))}/a.jpg`, 'public/a.jpg', 'Public/b.jpg', `${uuid('a', 1)}/b.jpg`, '']);
    case 'at': return r.pick(['2001-05-01 12:00:00+00', '2098-05-01 12:00:00.5+00']);
    case 'note': return r.pick(['plain', 'quote " and \\ back', 'zwei\nlines ü', '']);
    default: return type === 'int' ? String(1 + r.int(4)) : 'x';
  }
}

// A row as { physical column: SQL }, keys and ties drawn from the pools.
export function row(r, world, table, key) {
  const out = {};
  table.keys.forEach((name, i) => { out[name] = lit(key[i]); });
  const parent = world.tables.find((t) => t.name === table.parent);
  if (parent) {
    const up = r.chance(0.1) ? null : r.pick(parent.keyPool);
    parent.keyNames.forEach((_, i) => { out[table.names[`up${i}`]] = lit(up ? up[i] : null); });
  }
  for (const [logical, name] of Object.entries(table.names)) {
    if (name in out || name === 'rid') continue;
    const isNull = !table.notNull.includes(name) && r.chance(0.12);
    if (logical === 'team') out[name] = isNull ? 'NULL' : lit(r.pick(world.tables[0].keyPool)[0]);
    else out[name] = isNull ? 'NULL' : lit(value(r, table, logical));
  }
  return out;
}

export function someKey(r, world, table) {
  if (!table.isAux) return r.pick(table.keyPool);
  return table.keyNames.map((logical) => (logical === 'team' ? r.pick(world.tables[0].keyPool)[0] : value(r, table, logical)));
}

export function insert(table, rows, tail = '') {
  const names = Object.keys(rows[0]);
  return `INSERT INTO ${table.sql} AS x (${names.map(q).join(', ')}) VALUES ${rows.map((one) => `(${names.map((name) => one[name]).join(', ')})`).join(', ')}${tail}`;
}

export const allTables = (world) => [...world.tables, ...world.aux];

function firstRows(r, world) {
  const out = [];
  for (const table of allTables(world)) {
    const keys = table.isAux ? Array.from({ length: 6 }, () => someKey(r, world, table)) : r.shuffle(table.keyPool).slice(0, 5);
    for (const key of keys) out.push(insert(table, [row(r, world, table, key)], ' ON CONFLICT DO NOTHING'));
  }
  return out;
}

// Rows that nothing touches or shows: they make the tables that policies look into too large to be held whole. Known by rid < 0.
const BALLAST = {
  int: 'n + 1000', bigint: 'n + 1000', text: "'ballast ' || n", uuid: "('00000000-0000-4000-8000-f' || lpad(n::text, 11, '0'))::uuid", boolean: 'false',
};
function ballast(world, table, count) {
  const names = [...new Set([...table.keys, ...table.notNull])];
  // Under the keys that are looked up, so that one of them brings many rows.
  const common = { members: world.tables[0].keyPool.map(([key]) => key), blocks: [1, 2, 3, 4, 5, 6].map((n) => uuid('a', n)) };
  const role = Object.keys(world.byRole).find((one) => world.byRole[one] === table);
  const pool = common[role];
  const values = names.map((name, i) => (pool && i === 0 ? `(ARRAY[${pool.map(lit).join(', ')}]::${table.columns[name]}[])[1 + n % ${pool.length}]` : BALLAST[table.columns[name]]));
  return `INSERT INTO ${table.sql} (${[...names, 'rid'].map(q).join(', ')}) SELECT ${values.join(', ')}, -n FROM generate_series(1, ${count}) AS n`;
}

// options.ballast: so many rows besides in tables that are looked into.
// options.isLoose: no foreign key ties what one writer writes to what another does.
export function makeWorld(seed, options = {}) {
  const r = new Random(seed * 7919 + 17);
  const world = { seed, schema: r.pick(['eq', 'eq', 'Eq.ui"v']), tables: [], byRole: {}, hasStaff: r.chance(0.35), uidForm: r.int(2) };
  const count = 3 + r.int(4);
  for (let i = 0; i < count; i += 1) world.tables.push(makeTable(r, world, i, options));
  addAux(r, world, options);
  world.functions = functionsOf(r, world);
  const g = new Grammar(r, world);
  auxPolicies(r, g, world);
  world.tables.forEach((table, i) => dataPolicies(r, g, world, table, i));
  world.aux = Object.values(world.byRole);
  for (const table of allTables(world)) addPrivileges(r, table, world.aux.includes(table) || world.tables.some((t) => t.parent === table.name) || table === world.tables[0]);
  world.users = makeUsers(r, world);
  world.first = [...(options.ballast ? world.aux.map((table, i) => ballast(world, table, i === 0 ? options.ballast : options.ballast / 2)) : []), ...firstRows(r, world)];
  world.roleOf = Object.fromEntries(Object.entries(world.byRole).map(([role, table]) => [role, table.name]));
  return world;
}
