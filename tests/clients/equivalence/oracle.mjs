// What Postgres says, and from two such views what each user should be told by P1's four cells.
import { isSame, parseExact } from '../oracle/oracle.mjs';
import { allTables } from './world.mjs';

export { isSame, parseExact };

const text = (value) => (value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value));
// The settings that the gateway's questions run with.
export const settingsOf = (user) => ({
  role: user.role, claims: JSON.stringify(user.claims), sub: text(user.claims.sub), tenant: text(user.claims.tenant), tier: text(user.claims.tier),
});
export const CLAIM_SETTINGS = 'app.tenant_id=tenant,app.tier=tier';

// state: { tables: name → { file, rows: rid → { version, row, key } }, seen: user → table → Set(rid) }
export async function look(world, db) {
  const { rows } = await db.query('SELECT eqlook.look($1) AS found', [JSON.stringify(world.users.map(settingsOf))]);
  const found = parseExact(rows[0].found);
  const tables = {};
  for (const table of allTables(world)) {
    const { file, rows: list } = found.tables[table.name];
    tables[table.name] = { file, rows: new Map(list.map(([rid, version, row]) => [rid, { version, row, key: foldKey(table, row) }])) };
  }
  return { tables, seen: found.seen.map((mine) => Object.fromEntries(Object.entries(mine).map(([name, ids]) => [name, new Set(ids)]))) };
}

// What tells rows apart in the log.
const foldKey = (table, row) => JSON.stringify((table.identity === 'index' ? table.identityColumns : table.keys).map((name) => row[name]));

// The net effect of what happened between two looks: [{ table, op, from, to }] with rids; and the truncated tables.
export function netOf(world, before, after) {
  const changes = [];
  const truncated = new Set();
  for (const table of allTables(world)) {
    const [was, is] = [before.tables[table.name], after.tables[table.name]];
    if (was.file !== is.file) truncated.add(table.name);
    const dead = new Map([...was.rows].filter(([rid]) => !is.rows.has(rid)).map(([rid, { key }]) => [key, rid]));
    for (const [rid, { version, key }] of is.rows) {
      const old = was.rows.get(rid);
      if (old) {
        if (old.version !== version) changes.push({ table, op: 'UPDATE', from: rid, to: rid });
      } else if (dead.has(key) && !truncated.has(table.name)) {
        changes.push({ table, op: 'UPDATE', from: dead.get(key), to: rid });
        dead.delete(key);
      } else changes.push({ table, op: 'INSERT', from: null, to: rid });
    }
    for (const rid of dead.values()) changes.push({ table, op: 'DELETE', from: rid, to: null });
  }
  return { changes, truncated };
}

// ---- policies: which apply to whom, and what they rest on

const MEMBER_OF = { staff: ['staff', 'authenticated'] };
export const policiesFor = (table, role) => table.policies.filter((p) => ['SELECT', 'ALL'].includes(p.cmd) && p.roles.some((one) => one === 'public' || (MEMBER_OF[role] ?? [role]).includes(one)));

export function isPast(table, role) {
  const isOwner = table.owner !== undefined && (MEMBER_OF[role] ?? [role]).includes(table.owner);
  return !table.rls || role === 'service_role' || (isOwner && !table.force);
}

// Tables that the answer for role rests on, and whether any of it is of a shape that may be asked.
export function restsOn(world, table, role, done = new Set()) {
  const out = { looks: new Set(), mayAsk: false };
  if (isPast(table, role) || done.has(table.name)) return out;
  for (const policy of policiesFor(table, role)) {
    out.mayAsk ||= policy.mayAsk;
    for (const look of policy.looks) {
      out.looks.add(look.table);
      const there = allTables(world).find((t) => t.name === look.table);
      out.mayAsk ||= there.publication === null;
      if (look.raw) continue;
      const inner = restsOn(world, there, role, new Set([...done, table.name]));
      inner.looks.forEach((name) => out.looks.add(name));
      out.mayAsk ||= inner.mayAsk;
    }
  }
  return out;
}

// Does the log carry the old values that the policies read?
function hasOldColumns(table, role) {
  return isPast(table, role) || policiesFor(table, role).every((p) => p.reads.every((name) => table.identityColumns.includes(name)));
}

// ---- expectations

const only = (row, names) => Object.fromEntries(Object.entries(row).filter(([name]) => names.includes(name)));

// One net change as user number `at` should be told of it: null, or { op, table, record, olds, isOptional }.
// path: how the table is judged for him; asked: what his policies look into is read as it stands now, if at all.
// isOldDoubtful: the policies changed with the commit or just before it, so that old images are not judged.
export function expectation(world, at, change, { before, after, path, isOldDoubtful }) {
  const { table } = change;
  const { role } = world.users[at];
  const granted = table.granted[role];
  const old = change.from === null ? undefined : before.tables[table.name].rows.get(change.from);
  const fresh = change.to === null ? undefined : after.tables[table.name].rows.get(change.to);
  const seesOld = change.from !== null && before.seen[at][table.name].has(change.from);
  const seesNew = change.to !== null && after.seen[at][table.name].has(change.to);
  const isKnown = !isOldDoubtful && hasOldColumns(table, role) && (path !== 'asked' || restsOn(world, table, role).looks.size === 0);
  const oldRow = seesOld ? only(only(old.row, table.identityColumns), granted) : {};
  if (change.op === 'INSERT') return seesNew ? { op: 'INSERT', table, record: only(fresh.row, granted), olds: [undefined] } : null;
  if (change.op === 'DELETE') return seesOld ? { op: 'DELETE', table, olds: [oldRow], isOptional: !isKnown } : null;
  if (!seesNew) return null;
  const olds = [oldRow];
  // A key that stayed is no news to who sees the row.
  const keptKey = table.keys.every((name) => isSame(old.row[name], fresh.row[name])) ? [only(only(fresh.row, table.keys), granted)] : [];
  if (!isKnown) olds.push({}, ...keptKey);
  // The log has no old image when the columns of the index, or of the key, stayed.
  else if (table.identity !== 'full' && old.key === fresh.key) olds.push(...keptKey);
  return { op: 'UPDATE', table, record: only(fresh.row, granted), olds };
}

function differs(want, got) {
  if (want.op !== got.type) return 'another operation';
  if (want.record === undefined ? got.record !== undefined : !got.record || !isSame(want.record, got.record)) return 'record';
  return want.olds.some((old) => isSame(old, got.old_record)) ? null : 'old_record';
}

const brief = (value) => JSON.stringify(value)?.replaceAll('"#', '"');
export const describeWant = (want) => `${want.op} ${want.table.name} ${brief(want.record) ?? ''} old ${want.olds.map(brief).join(' or ')}`;
export const describeGot = (got) => `${got.type} ${got.table} ${brief(got.record) ?? ''} old ${brief(got.old_record)}`;

// got: events of one table in one commit. isNarrow: less than wanted will do (the client was told to load again).
export function compareTable(wanted, got, isNarrow) {
  const rest = [...got];
  const problems = [];
  const missing = [];
  for (const want of wanted) {
    const at = rest.findIndex((event) => differs(want, event) === null);
    if (at >= 0) rest.splice(at, 1);
    else if (!want.isOptional && !isNarrow) missing.push(want);
  }
  for (const want of missing) problems.push({ kind: 'missing', text: `missing: ${describeWant(want)}` });
  for (const event of rest) {
    const near = missing.map((want) => differs(want, event)).find((what) => what !== 'another operation');
    problems.push({ kind: 'wider', text: `not expected${near ? ` (differs in ${near})` : ''}: ${describeGot(event)}` });
  }
  return problems;
}

// Asked while commits piled up: judged by what is so now, which may be more or less than was so at the commit (README names it).
// What is told must still be a change that happened; and where the row stayed as it was, the user sees it at some time.
export function compareLater(at, table, changes, got, later) {
  const mayHave = (change, event) => {
    const { op, to } = change;
    if (op !== event.type) return false;
    if (to === null) return true;
    if (!isSame(Object.keys(event.record).map((name) => [name, rowOf(later, table, to)[name]]), Object.entries(event.record))) return false;
    const { version } = later[0].after.tables[table.name].rows.get(to);
    const stayed = later.every(({ after }) => after.tables[table.name].rows.get(to)?.version === version);
    return !stayed || later.some(({ after }) => after.seen[at][table.name].has(to));
  };
  return got.filter((event) => !changes.some((change) => mayHave(change, event))).map((event) => ({ kind: 'wider', text: `not expected, now or later: ${describeGot(event)}` }));
}

// The row as the commit left it.
const rowOf = (later, table, rid) => later[0].after.tables[table.name].rows.get(rid).row;
