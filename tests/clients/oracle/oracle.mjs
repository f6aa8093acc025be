// What Postgres says: the rows each user sees, and from two such views what each should be told by P1's four cells.
import { lit, q } from './world.mjs';
import { returning } from './script.mjs';

// Numbers keep all their digits: 1.50 and 1.5 are not the same here.
export function parseExact(text) {
  return JSON.parse(text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) => (token[0] === '"' ? token : `"#${token}"`)));
}

const everyTable = (world) => [...world.tables, world.members];

// All rows, as nobody: table → Map(fold key → { pk, rid, sizes of what may be in TOAST }).
export async function readAll(world, db) {
  const all = new Map();
  const selects = everyTable(world).map((t) => `SELECT ${lit(t.name)} AS t, rid::text, ${returning(t)} FROM ${t.sql} AS x`);
  for (const t of everyTable(world)) all.set(t.name, new Map());
  for (const row of (await db.query(selects.join(' UNION ALL '))).rows) {
    all.get(row.t).set(JSON.stringify(JSON.parse(row.id)), { rid: row.rid, pk: JSON.stringify(JSON.parse(row.pk)) });
  }
  return all;
}

export const liveKeys = (all) => new Map([...all].map(([name, rows]) => [name, new Map([...rows].map(([id, row]) => [row.pk, id]))]));

// What user sees: table → Map(rid → { row, passes: whether the user's filter matches }).
export async function readAs(world, user, db) {
  user.query ??= [
    'BEGIN READ ONLY', `SELECT set_config('role', ${lit(user.role)}, true), set_config('request.jwt.claims', ${lit(JSON.stringify(user.claims))}, true)`,
    everyTable(world).filter((t) => t.granted[user.role].length > 0).map((t) => {
      const passes = user.filter.table === t ? `(SELECT x.${q(user.filter.column)} = ${lit(user.filter.value)})` : 'NULL::boolean';
      return `SELECT ${lit(t.name)} AS t, rid::text, to_jsonb(x)::text AS row, ${passes} AS passes `
        + `FROM (SELECT ${t.granted[user.role].map(q).join(', ')} FROM ${t.sql}) AS x`;
    }).join(' UNION ALL ') || 'SELECT WHERE false', 'COMMIT'].join('; ');
  const seen = new Map(everyTable(world).map((t) => [t.name, new Map()]));
  const results = await db.query(user.query);
  for (const row of results[2].rows) seen.get(row.t).set(row.rid, { row: parseExact(row.row), passes: row.passes === true });
  return seen;
}

// Whether what a reader of that role sees of an old row can be known from the log, if only this transaction ran.
// touched: has it changed what policies look into?
function isOldKnowable(table, role, touched) {
  if (!table.rls || role === 'service_role' || (table.ownerRole === role && !table.force)) return true;
  const mine = table.policies.filter((p) => p.role === role);
  if (mine.some((p) => !p.restrictive && p.using === 'true') && !mine.some((p) => p.restrictive)) return true;
  if (mine.some((p) => p.looks) && touched) return false;
  return mine.every((p) => p.reads.every((column) => table.identityColumns.includes(column)));
}

const only = (row, columns) => Object.fromEntries(Object.entries(row).filter(([name]) => columns.includes(name)));
const isSame = (a, b) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, sorted(v)]));
}
export { isSame };

// A value of more than 2 KB stands outside the row; unchanged, the log leaves it out unless the identity is FULL.
function maybeAbsent(table, before, after) {
  if (table.identity === 'full' || !before || before.row.big === undefined || before.row.big === null) return [];
  return before.row.big.length > 2000 && before.row.big === after.row.big ? ['big'] : [];
}

// One net change as one user should be told of it: null, or
// { op, table, record, mayLack, olds: the old records that are right, optional, passes }.
export function expectation(world, user, change, state, touched) {
  const table = everyTable(world).find((t) => t.name === change.table);
  const find = (at, id) => (id === null ? undefined : state[at].seen.get(table.name).get(state[at].all.get(table.name).get(id)?.rid));
  const before = find('before', change.from);
  const after = find('after', change.id);
  const isKnowable = isOldKnowable(table, user.role, touched);
  const base = { table: table.name, op: change.op, passes: false };
  if (change.op === 'INSERT') return after ? { ...base, record: after.row, mayLack: [], olds: [undefined], passes: after.passes } : null;
  const oldRow = before ? only(before.row, table.identityColumns) : {};
  if (change.op === 'DELETE') {
    if (!before) return null;
    const passes = before.passes && table.identityColumns.includes(user.filter.column);
    return { ...base, record: undefined, mayLack: [], olds: [oldRow], optional: !isKnowable, passes };
  }
  if (!after) return null;
  const olds = [oldRow];
  if (!isKnowable) olds.push({}, ...keptKey(table, change, after));
  // The log has no old image when the columns of the index stayed; then the primary key alone is told.
  else if (table.identity === 'index' && change.from === change.id) olds.push(...keptKey(table, change, after));
  const hidden = find('before', change.from) ?? state.before.everything.get(table.name).get(state.before.all.get(table.name).get(change.from)?.rid);
  return { ...base, record: after.row, mayLack: maybeAbsent(table, hidden, after), olds, passes: after.passes };
}

// The primary key of a row that keeps it: no news to who sees the row.
function keptKey(table, change, after) {
  const key = (id) => JSON.stringify(JSON.parse(id).slice(0, table.keys.length));
  return key(change.from) === key(change.id) ? [only(after.row, table.keys)] : [];
}

export function isAsExpected(want, got, ids) {
  if (want.op !== got.type || want.table !== got.table) return 'another change';
  if (!want.olds.some((old) => isSame(old, got.old_record))) return 'old_record';
  if (want.record === undefined ? got.record !== undefined : got.record === undefined) return 'record';
  if (want.record) {
    const lacking = want.mayLack.filter((column) => !(column in got.record));
    const wanted = only(want.record, Object.keys(want.record).filter((column) => !lacking.includes(column)));
    if (!isSame(wanted, got.record)) return 'record';
  }
  return isSame(ids, got.ids) ? null : 'ids';
}
