// Changes of policies, privileges and functions between commits. An alteration says how a table is to be from then on, not how to
// get there, so that it still means the same when others before it have been left out:
//   { table, policies, rls, granted }  or  { function, sql }
import { policySql } from './ddl.mjs';
import { functionsOf } from './functions.mjs';
import { Grammar } from './grammar.mjs';
import { q } from './sql.mjs';
import { allTables } from './world.mjs';

const of = (table) => ({ table: table.name, policies: table.policies, rls: table.rls, granted: table.granted });

// world: as it is so far; it is changed along.
export function drawAlteration(r, world) {
  const g = new Grammar(r, world);
  if (r.chance(0.15)) return drawFunction(r, world);
  const index = r.int(world.tables.length);
  const table = world.tables[index];
  const next = structuredClone(of(table));
  g.current = index;
  const kind = r.pick(['add', 'add', 'change', 'change', 'change', 'drop', 'restrict', 'off', 'revoke']);
  const fresh = (more) => {
    const e = g.expression(g.rowScope(table), r.pick([1, 2]));
    return { name: `later ${r.int(1000)}`, permissive: true, cmd: 'SELECT', roles: ['authenticated'], ...more, using: e.sql, reads: e.reads, looks: e.looks, mayAsk: e.mayAsk };
  };
  if (kind === 'off') next.rls = !next.rls;
  else if (kind === 'revoke') revoke(r, world, table, next);
  else if (kind === 'restrict') next.policies.push(fresh({ permissive: false }));
  else if (kind === 'add' || next.policies.length === 0) next.policies.push(fresh({}));
  else {
    const at = r.int(next.policies.length);
    const { name, permissive, cmd, roles } = next.policies[at];
    if (kind === 'drop') next.policies.splice(at, 1);
    else next.policies[at] = fresh({ name, permissive, cmd, roles });
  }
  if (next.policies.length > 0) next.rls = kind === 'off' ? next.rls : true;
  Object.assign(table, next, { table: undefined });
  return next;
}

// Of tables that no policy looks into: there the look itself would fail.
function revoke(r, world, table, next) {
  const isLookedInto = allTables(world).some((t) => t.policies.some((p) => p.looks.some((l) => l.table === table.name))) || world.functions.some((f) => f.looks.some((l) => l.table === table.name));
  if (isLookedInto) return;
  const all = Object.keys(table.columns);
  next.granted.authenticated = r.pick([[], all, all.filter((name) => name === 'rid' || r.chance(0.7))]);
}

// The function says another thing from now on: something narrower, or wider.
function drawFunction(r, world) {
  const f = r.pick(world.functions.filter((one) => one.returns === 'boolean' && !one.mayAsk));
  const others = functionsOf(r, world).filter((one) => one.returns === f.returns && one.takes.join() === f.takes.join() && !one.mayAsk && one.name !== f.name
    && one.looks.every((look) => look.raw || world.roleOf && Object.values(world.roleOf).includes(look.table)));
  const head = (sql) => sql.slice(0, sql.indexOf(' RETURNS '));
  const body = (sql) => sql.slice(sql.indexOf(' RETURNS '));
  const other = others.length > 0 ? r.pick(others) : null;
  const args = head(f.sql).slice(head(f.sql).indexOf('('));
  const sql = other ? body(other.sql) : ' RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT auth.uid() IS NOT NULL $$';
  return { function: f.name, sql: `${head(f.sql).replace('CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION').replace(/\(.*$/s, args)}${sql}`, looks: other?.looks ?? [] };
}

// The statements that make it so; the model of the world follows.
export function apply(world, alteration) {
  if (alteration.function) {
    const f = world.functions.find((one) => one.name === alteration.function);
    if (!f) return [];
    for (const p of allTables(world).flatMap((t) => t.policies)) if (p.using.includes(f.sqlName)) p.looks = [...p.looks, ...alteration.looks];
    return [alteration.sql];
  }
  const table = allTables(world).find((t) => t.name === alteration.table);
  if (!table) return [];
  const out = [];
  if (table.rls !== alteration.rls) out.push(`ALTER TABLE ${table.sql} ${alteration.rls ? 'ENABLE' : 'DISABLE'} ROW LEVEL SECURITY`);
  out.push(...policyChanges(table, alteration.policies), ...grantChanges(table, alteration.granted));
  Object.assign(table, { rls: alteration.rls, policies: alteration.policies, granted: alteration.granted });
  return out;
}

function policyChanges(table, wanted) {
  const frame = (p) => JSON.stringify([p.permissive, p.cmd, p.roles]);
  const out = [];
  for (const p of table.policies) {
    const next = wanted.find((one) => one.name === p.name);
    if (!next || frame(next) !== frame(p)) out.push(`DROP POLICY ${q(p.name)} ON ${table.sql}`);
    else if (next.using !== p.using) out.push(`ALTER POLICY ${q(p.name)} ON ${table.sql} USING (${next.using})`);
  }
  for (const p of wanted) {
    const known = table.policies.find((one) => one.name === p.name);
    if (!known || frame(known) !== frame(p)) out.push(policySql(table, p).replace(/;$/, ''));
  }
  return out;
}

function grantChanges(table, granted) {
  const out = [];
  for (const [role, names] of Object.entries(granted)) {
    if (JSON.stringify(names) === JSON.stringify(table.granted[role])) continue;
    out.push(`REVOKE SELECT ON ${table.sql} FROM ${role}`);
    if (names.length > 0) out.push(`GRANT SELECT (${names.map(q).join(', ')}) ON ${table.sql} TO ${role}`);
  }
  return out;
}
