// Policies from a grammar. An expression is { sql, reads, looks, mayAsk }:
//   reads   columns of the row judged that it names;
//   looks   tables it looks into: { table, raw }; raw: past their own policies (SECURITY DEFINER);
//   mayAsk  it is of a shape that need not be solved: whoever it decides for may have to be asked.
// All else must be solved or assisted, and `rowcast check` is held to that.
import { q } from './sql.mjs';

const join = (sql, ...parts) => ({
  sql, reads: [...new Set(parts.flatMap((p) => p.reads))], looks: parts.flatMap((p) => p.looks), mayAsk: parts.some((p) => p.mayAsk),
});
const plain = (sql, more) => ({ sql, reads: [], looks: [], mayAsk: false, ...more });

// How a policy may name who asks, and what else it may want to know of them. Missing: NULL, never an error.
const UID = [
  'auth.uid()', '(SELECT auth.uid())', "(auth.jwt() ->> 'sub')::uuid", "(current_setting('request.jwt.claims', true)::json ->> 'sub')::uuid",
  "NULLIF(current_setting('request.jwt.claim.sub', true), '')::uuid", "((SELECT auth.jwt()) ->> 'sub')::uuid",
];
const ORG = [
  "(auth.jwt() ->> 'org_id')::uuid", "((SELECT auth.jwt()) ->> 'org_id')::uuid", "(auth.jwt() -> 'app_metadata' ->> 'org')::uuid",
  "(current_setting('request.jwt.claims', true)::jsonb #>> '{app_metadata,org}')::uuid", "NULLIF(current_setting('app.tenant_id', true), '')::uuid",
];
const WORD = ["(auth.jwt() ->> 'tier')", "(auth.jwt() -> 'app_metadata' ->> 'role')", "COALESCE(auth.jwt() ->> 'tier', 'free')", "current_setting('app.tier', true)"];
const LEVEL = ["(auth.jwt() ->> 'level')::int", "(auth.jwt() -> 'app_metadata' ->> 'level')::integer"];
// What depends on the caller alone.
const CALLER = [
  "auth.role() = 'authenticated'", "(SELECT auth.role()) = 'anon'", 'auth.uid() IS NOT NULL', '(SELECT auth.uid()) IS NULL', "(auth.jwt() ->> 'level')::int >= 2",
  "auth.email() ~ '@example\\.(com|org)$'", "auth.jwt() ->> 'role' = 'authenticated'", "COALESCE(auth.jwt() -> 'app_metadata' ->> 'is_admin', 'false') = 'true'",
  "(auth.jwt() -> 'app_metadata' -> 'orgs') ? '00000000-0000-4000-8000-b00000000001'", "(auth.jwt() ->> 'tier') IN ('pro', 'team')", "current_user = 'authenticated'",
];

export const KINDS = ['post', 'pro', 'free', 'Note', 'team'];
export const MOODS = ['happy', 'so so', 'sad'];

export class Grammar {
  constructor(r, world) { Object.assign(this, { r, world, aliases: 0 }); }

  uid() { return this.r.pick(UID); }

  // ---- one row: scope { table, name, level }; name qualifies its columns, level counts the sub-selects around.

  column(scope, logical) {
    const bare = q(scope.table.names[logical]);
    const sql = scope.name ? `${scope.name}.${bare}` : bare;
    return plain(sql, { reads: scope.isRow ? [scope.table.names[logical]] : [] });
  }

  rowScope(table) { return { table, name: '', isRow: true, level: 0 }; }

  // The same row seen from inside a sub-select: its columns want a name in front.
  inside(scope) { return { ...scope, name: scope.name || q(scope.table.name), level: scope.level + 1 }; }

  over(table, outer) {
    this.aliases += 1;
    return { table, name: `a${this.aliases}`, isRow: false, level: outer.level + 1 };
  }

  // ---- expressions

  expression(scope, size) {
    const { r } = this;
    if (size <= 1) return this.atom(scope);
    const kind = r.pick(['and', 'or', 'or', 'or', 'not', 'case']);
    if (kind === 'not') return this.negation(this.expression(scope, size - 1));
    if (kind === 'case') return this.choice(scope, size);
    const left = 1 + r.int(size - 1);
    const parts = [this.expression(scope, left), this.expression(scope, size - left)];
    return join(`(${parts.map((p) => p.sql).join(kind === 'and' ? ' AND ' : ' OR ')})`, ...parts);
  }

  negation(inner) {
    const sql = this.r.pick([`NOT (${inner.sql})`, `NOT (${inner.sql})`, `((${inner.sql}) IS NOT TRUE)`, `((${inner.sql}) IS FALSE)`]);
    return join(sql, inner);
  }

  // Booleans put together otherwise than by AND and OR: those that depend on the caller need not be inverted.
  choice(scope, size) {
    const parts = [this.free(scope), this.expression(scope, size - 1), this.atom(scope)];
    const sql = this.r.pick([
      `CASE WHEN ${parts[0].sql} THEN ${parts[1].sql} ELSE ${parts[2].sql} END`, `COALESCE(${parts[1].sql}, ${parts[0].sql}, ${parts[2].sql})`,
    ]);
    return { ...join(sql, ...parts), mayAsk: true };
  }

  atom(scope) {
    const { table } = scope;
    const choices = table.isAux
      ? ['owner', 'free', 'caller', 'claim']
      : ['owner', 'owner', 'claim', 'claim', 'free', 'free', 'caller', 'array', 'text', 'member', 'member', 'block', 'admin', 'scalar', 'call', 'call'];
    if (!table.isAux && scope.level < 3) choices.push('up', 'up', 'up', 'union', 'joined', 'left', 'hard');
    return this[this.r.pick(choices)](scope) ?? this.owner(scope);
  }

  has(scope, logical) { return logical in scope.table.names; }

  pickColumn(scope, wanted) {
    const there = wanted.filter((name) => this.has(scope, name));
    return there.length === 0 ? null : this.column(scope, this.r.pick(there));
  }

  equal(left, right) { return join(this.r.pick([`${left.sql} = ${right.sql}`, `${right.sql} = ${left.sql}`]), left, right); }

  // Whoever it belongs to: a uuid column, or one of two.
  owner(scope) {
    const column = this.pickColumn(scope, ['owner', 'creator', 'who', 'id', 'blocker']);
    const other = this.pickColumn(scope, ['creator', 'owner', 'who', 'id', 'blocked']);
    const open = this.pickColumn(scope, ['open', 'active', 'isAdmin']);
    const uid = plain(this.uid());
    const kind = this.r.int(8);
    if (kind === 0) return join(`COALESCE(${column.sql}, ${other.sql}) = ${uid.sql}`, column, other);
    if (kind === 1 && open) return join(`CASE WHEN ${open.sql} THEN ${column.sql} ELSE ${other.sql} END = ${uid.sql}`, column, other, open);
    if (kind === 2) return join(`${column.sql} IN (${uid.sql}, ${this.org()})`, column);
    if (kind === 3) return join(`${column.sql} <> ${uid.sql}`, column);
    if (kind === 4) return { ...join(`${column.sql} IS NOT DISTINCT FROM ${uid.sql}`, column), mayAsk: true };
    if (kind === 5) return join(`${column.sql}::text = (${uid.sql})::text`, column);
    return this.equal(column, uid);
  }

  org() { return this.r.pick(ORG); }

  claim(scope) {
    const { r } = this;
    const org = this.pickColumn(scope, ['org']);
    const word = this.pickColumn(scope, ['kind', 'role', 'domain']);
    const level = this.pickColumn(scope, ['score', 'level']);
    const kinds = [org && 'org', org && 'org', org && 'member of', org && 'mapped', word && 'word', level && 'level', word && 'null'].filter(Boolean);
    switch (r.pick(kinds)) {
      case 'org': return this.equal(org, plain(this.org()));
      case 'mapped': return join(`NULLIF(current_setting('app.tenant_id', true), '')::uuid = ${org.sql}`, org);
      case 'member of': return join(r.pick([
        `${org.sql}::text IN (SELECT jsonb_array_elements_text(auth.jwt() -> 'app_metadata' -> 'orgs'))`,
        `(auth.jwt() -> 'app_metadata' -> 'orgs') ? ${org.sql}::text`,
        `${org.sql} = ANY (string_to_array(auth.jwt() ->> 'org_list', ',')::uuid[])`,
      ]), org);
      case 'word': return this.equal(word, plain(r.pick(WORD)));
      case 'null': return join(`NULLIF(${word.sql}, 'post') = ${r.pick(WORD)}`, word);
      case 'level': return this.equal(level, plain(r.pick(LEVEL)));
      default: return this.owner(scope);
    }
  }

  caller() { return plain(this.r.pick(CALLER)); }

  // The row alone decides.
  free(scope) {
    const { r } = this;
    const open = this.pickColumn(scope, ['open', 'active', 'isAdmin']);
    const word = this.pickColumn(scope, ['kind', 'role', 'domain']);
    const number = this.pickColumn(scope, ['score', 'level']);
    const any = this.column(scope, r.pick(Object.keys(scope.table.names).filter((name) => name !== 'rid')));
    const mood = this.pickColumn(scope, ['mood']);
    const choices = [[any, `${any.sql} IS NULL`], [any, `${any.sql} IS NOT NULL`]];
    if (open) choices.push(...['', ' IS TRUE', ' IS NOT FALSE', ' = true', ' IS UNKNOWN', ' IS DISTINCT FROM false'].map((tail) => [open, open.sql + tail]));
    if (word) {
      choices.push([word, `${word.sql} = 'post'`], [word, `${word.sql} IN ('post', 'pro')`], [word, `${word.sql} = ANY (ARRAY['team', 'Note', 'free'])`],
        [word, `${word.sql} <> 'free'`], [word, `${word.sql} NOT IN ('post', 'free')`]);
    }
    if (number) choices.push([number, `${number.sql} > 1`], [number, `${number.sql} BETWEEN 1 AND 2`], [number, `${number.sql} <> 3`]);
    if (mood) choices.push([mood, `${mood.sql} = 'happy'`], [mood, `${mood.sql} IN ('sad', 'so so')`]);
    choices.push([plain(''), r.pick(['true', 'false'])]);
    const [column, sql] = r.pick(choices);
    return join(`(${sql})`, column);
  }

  array(scope) {
    const viewers = this.pickColumn(scope, ['viewers']);
    const labels = this.pickColumn(scope, ['labels']);
    if (viewers && this.r.chance(0.6)) return join(`${this.uid()} = ANY (${viewers.sql})`, viewers);
    if (labels) return join(this.r.pick([`${this.r.pick(WORD)} = ANY (${labels.sql})`, `'pro' = ANY (${labels.sql})`]), labels);
    return viewers ? join(`NOT (${this.uid()} = ANY (${viewers.sql}))`, viewers) : null;
  }

  // Functions and patterns on a column: Postgres works them out, once per row.
  text(scope) {
    const path = this.pickColumn(scope, ['path']);
    const word = this.pickColumn(scope, ['kind']);
    const at = this.pickColumn(scope, ['at']);
    const uid = this.uid();
    const choices = [];
    if (path) {
      choices.push([path, `split_part(${path.sql}, '/', 1) = (${uid})::text`], [path, `${path.sql} = (${uid})::text || '/a.jpg'`], [path, `${path.sql} ~ '^[0-9a-f-]+/'`],
        [path, `${path.sql} ~* '^PUBLIC/'`], [path, `${path.sql} LIKE 'public/%'`], [path, `split_part(${path.sql}, '/', 2) = 'a.jpg'`]);
    }
    if (word) choices.push([word, `lower(${word.sql}) = lower(${this.r.pick(WORD)})`], [word, `length(${word.sql}) > 3`], [word, `${word.sql} || '' = 'post'`], [word, `left(${word.sql}, 2) = 'pr'`]);
    if (at) choices.push([at, `${at.sql} > now() - '00:15:00'::interval`], [at, `${at.sql} < now()`]);
    if (choices.length === 0) return null;
    const [column, sql] = this.r.pick(choices);
    return join(sql, column);
  }

  // ---- look-ups

  look(name, raw = false) { return plain('', { looks: [{ table: name, raw }] }); }

  // The team of a row: its own column, or on the first table the key itself.
  teamOf(scope) { return this.pickColumn(scope, ['team']); }

  members(outer) {
    const m = this.over(this.world.byRole.members, outer);
    const extra = this.r.pick(['', '', ` AND ${this.column(m, 'role').sql} IN ('editor', 'admin')`, ` AND ${this.column(m, 'active').sql}`, ` AND ${this.column(m, 'role').sql} <> 'viewer'`]);
    return { m, from: `${m.table.sql} ${m.name}`, team: this.column(m, 'team').sql, who: this.column(m, 'who').sql, extra };
  }

  member(scope) {
    const outer = this.inside(scope);
    const team = this.teamOf(scope);
    if (!team) return null;
    const inner = this.column(outer, 'team');
    const { m, from, team: its, who, extra } = this.members(scope);
    const looks = this.look(m.table.name);
    const sql = this.r.pick([
      `EXISTS (SELECT 1 FROM ${from} WHERE ${its} = ${inner.sql} AND ${who} = ${this.uid()}${extra})`,
      `EXISTS (SELECT 1 FROM ${from} WHERE ${who} = ${this.uid()} AND ${inner.sql} = ${its}${extra})`,
      `${team.sql} IN (SELECT ${its} FROM ${from} WHERE ${who} = ${this.uid()}${extra})`,
      `${this.uid()} IN (SELECT ${who} FROM ${from} WHERE ${its} = ${inner.sql}${extra})`,
      `NOT EXISTS (SELECT 1 FROM ${from} WHERE ${its} = ${inner.sql} AND ${who} = ${this.uid()}${extra})`,
      `${team.sql} NOT IN (SELECT ${its} FROM ${from} WHERE ${who} = ${this.uid()}${extra})`,
      `(${team.sql} IS NOT NULL AND EXISTS (SELECT 1 FROM ${from} WHERE ${its} = ${inner.sql} AND ${who} = ${this.uid()}))`,
      `EXISTS (SELECT FROM ${from} WHERE ${who} = ${this.uid()}${extra})`,
      `${team.sql} IN (SELECT ${its} FROM ${from})`,
    ]);
    return join(sql, team, inner, looks);
  }

  block(scope) {
    const owner = this.pickColumn(this.inside(scope), ['owner']);
    if (!owner) return null;
    const b = this.over(this.world.byRole.blocks, scope);
    const [by, whom] = [this.column(b, 'blocker').sql, this.column(b, 'blocked').sql];
    const sql = this.r.pick([
      `NOT EXISTS (SELECT 1 FROM ${b.table.sql} ${b.name} WHERE ${by} = ${owner.sql} AND ${whom} = ${this.uid()})`,
      `NOT EXISTS (SELECT 1 FROM ${b.table.sql} ${b.name} WHERE ${whom} = ${this.uid()} AND ${by} = ${owner.sql})`,
      `(${owner.sql} NOT IN (SELECT ${by} FROM ${b.table.sql} ${b.name} WHERE ${whom} = ${this.uid()}))`,
      `NOT EXISTS (SELECT 1 FROM ${b.table.sql} ${b.name} WHERE (${by} = ${owner.sql} AND ${whom} = ${this.uid()}) OR (${by} = ${this.uid()} AND ${whom} = ${owner.sql}))`,
    ]);
    const isOr = sql.includes(' OR (');
    return { ...join(sql, owner, this.look(b.table.name)), mayAsk: isOr };
  }

  admin(scope) {
    const p = this.over(this.world.byRole.profiles, scope);
    const [id, admin] = [this.column(p, 'id').sql, this.column(p, 'isAdmin').sql];
    const sql = this.r.pick([
      `EXISTS (SELECT 1 FROM ${p.table.sql} ${p.name} WHERE ${id} = ${this.uid()} AND ${admin} = true)`,
      `EXISTS (SELECT 1 FROM ${p.table.sql} ${p.name} WHERE ${id} = ${this.uid()} AND ${admin})`,
      `(auth.role() = 'authenticated' AND EXISTS (SELECT 1 FROM ${p.table.sql} ${p.name} WHERE ${id} = ${this.uid()} AND ${admin} IS TRUE))`,
      `(SELECT ${admin} FROM ${p.table.sql} ${p.name} WHERE ${id} = ${this.uid()})`,
    ]);
    return join(sql, this.look(p.table.name));
  }

  scalar(scope) {
    const p = this.over(this.world.byRole.profiles, scope);
    const org = this.pickColumn(scope, ['org']);
    const score = this.pickColumn(scope, ['score']);
    const owner = this.pickColumn(this.inside(scope), ['owner']);
    const from = `${p.table.sql} ${p.name}`;
    const choices = [];
    if (org) choices.push([org, `${org.sql} = (SELECT ${this.column(p, 'org').sql} FROM ${from} WHERE ${this.column(p, 'id').sql} = ${this.uid()})`]);
    if (score) choices.push([score, `${score.sql} = (SELECT ${this.column(p, 'level').sql} FROM ${from} WHERE ${this.column(p, 'id').sql} = ${this.uid()})`]);
    if (org) choices.push([org, `${org.sql} ${this.r.pick(['NOT IN', 'IN'])} (SELECT ${this.column(p, 'org').sql} FROM ${from} WHERE ${this.column(p, 'level').sql} > 1)`]);
    if (org) choices.push([org, `${org.sql} = (SELECT ${this.column(p, 'org').sql} FROM ${from} WHERE ${this.column(p, 'id').sql} = ${this.uid()} LIMIT 1)`]);
    if (owner) {
      choices.push([owner, `(SELECT ${this.column(p, 'org').sql} FROM ${from} WHERE ${this.column(p, 'id').sql} = ${owner.sql}) = ${this.org()}`],
        [owner, `(SELECT ${this.column(p, 'isAdmin').sql} FROM ${from} WHERE ${this.column(p, 'id').sql} = ${owner.sql})`]);
    }
    if (choices.length === 0) return null;
    const [column, sql] = this.r.pick(choices);
    return join(sql, column, this.look(p.table.name));
  }

  // A data table before this one: policies must not go round in circles.
  earlier(scope) {
    const { table } = scope;
    const parent = this.world.tables.find((t) => t.name === table.parent);
    return parent ?? null;
  }

  // Conditions that tie the row to its parent p.
  tie(scope, p) {
    const parts = p.table.keyNames.map((key, i) => [this.column(p, key), this.column(scope, `up${i}`)]);
    return join(parts.map(([a, b]) => `${a.sql} = ${b.sql}`).join(' AND '), ...parts.flat());
  }

  // Through the parent: EXISTS or IN, and what is asked of the parent's row is an expression again.
  up(scope) {
    const parent = this.earlier(scope);
    if (!parent) return null;
    const p = this.over(parent, scope);
    const inner = this.expression(p, 1 + this.r.int(2));
    const looks = this.look(parent.name);
    const outer = this.inside(scope);
    const from = `${parent.sql} ${p.name}`;
    if (parent.keys.length > 1 || this.r.chance(0.4)) {
      const tie = this.tie(outer, p);
      const not = this.r.chance(0.15) ? 'NOT ' : '';
      return join(`${not}EXISTS (SELECT 1 FROM ${from} WHERE ${tie.sql} AND ${inner.sql})`, tie, inner, looks);
    }
    const column = this.column(scope, 'up0');
    const key = this.column(p, parent.keyNames[0]);
    return join(`${column.sql} ${this.r.chance(0.15) ? 'NOT IN' : 'IN'} (SELECT ${key.sql} FROM ${from} WHERE ${inner.sql})`, column, inner, looks);
  }

  // Own teams and those one is a member of.
  teams(scope) {
    const first = this.world.tables[0];
    const t = this.over(first, scope);
    const { m, from, team, who, extra } = this.members(scope);
    const all = this.r.pick(['UNION', 'UNION ALL']);
    const sql = `SELECT ${this.column(t, 'team').sql} FROM ${first.sql} ${t.name} WHERE ${this.column(t, 'owner').sql} = ${this.uid()} ${all} SELECT ${team} FROM ${from} WHERE ${who} = ${this.uid()}${extra}`;
    return join(sql, this.look(first.name), this.look(m.table.name));
  }

  isFirst(scope) { return scope.table.name === this.world.tables[0].name; }

  union(scope) {
    if (this.isFirst(scope)) return null;
    const teams = this.teams(scope);
    const team = this.teamOf(scope);
    const parent = this.earlier(scope);
    if (!parent || this.isFirst({ table: parent }) || parent.keys.length > 1 || this.r.chance(0.5)) return join(`${team.sql} IN (${teams.sql})`, team, teams);
    const p = this.over(parent, scope);
    const column = this.column(scope, 'up0');
    const sql = `${column.sql} IN (SELECT ${this.column(p, parent.keyNames[0]).sql} FROM ${parent.sql} ${p.name} WHERE ${this.column(p, 'owner').sql} = ${this.uid()} OR ${this.column(p, 'team').sql} IN (${teams.sql}))`;
    return join(sql, column, teams, this.look(parent.name));
  }

  // The parent and the team it belongs to, or its parent, in one FROM.
  joined(scope) {
    const parent = this.earlier(scope);
    const first = this.world.tables[0];
    if (!parent || this.isFirst({ table: parent })) return null;
    const p = this.over(parent, scope);
    const t = this.over(first, scope);
    const on = `${this.column(p, 'team').sql} = ${this.column(t, 'team').sql}`;
    const inner = this.expression({ ...t, level: 3 }, 1 + this.r.int(2));
    const from = this.r.pick([`${parent.sql} ${p.name} JOIN ${first.sql} ${t.name} ON ${on} WHERE`, `${parent.sql} ${p.name}, ${first.sql} ${t.name} WHERE ${on} AND`, `${first.sql} ${t.name} INNER JOIN ${parent.sql} ${p.name} ON (${on}) WHERE`]);
    const looks = [this.look(parent.name), this.look(first.name)];
    if (parent.keys.length > 1 || this.r.chance(0.4)) {
      const tie = this.tie(this.inside(scope), p);
      return join(`EXISTS (SELECT 1 FROM ${from} ${tie.sql} AND ${inner.sql})`, tie, inner, ...looks);
    }
    const column = this.column(scope, 'up0');
    return join(`${column.sql} IN (SELECT ${this.column(p, parent.keyNames[0]).sql} FROM ${from} ${inner.sql})`, column, inner, ...looks);
  }

  left(scope) {
    if (this.isFirst(scope)) return null;
    const first = this.world.tables[0];
    const outer = this.inside(scope);
    const t = this.over(first, scope);
    const { m, from, team, who, extra } = this.members(scope);
    const its = this.column(outer, 'team');
    const [key, owner] = [this.column(t, 'team').sql, this.column(t, 'owner').sql];
    const on = this.r.pick([`${team} = ${key} AND ${who} = ${this.uid()}${extra}`, `${team} = ${key}`]);
    const where = this.r.pick([`(${owner} = ${this.uid()} OR ${who} IS NOT NULL)`, `(${owner} = ${this.uid()} OR ${who} = ${this.uid()})`, `${who} IS NULL`]);
    return join(`EXISTS (SELECT 1 FROM ${first.sql} ${t.name} LEFT JOIN ${from} ON ${on} WHERE ${key} = ${its.sql} AND ${where})`, its, this.look(first.name), this.look(m.table.name));
  }

  // The functions of the world; arguments by what they take.
  call(scope) {
    const f = this.r.pick(this.world.functions);
    const team = this.teamOf(scope);
    const owner = this.pickColumn(scope, ['owner']);
    if (f.takes.includes('team') && !team) return null;
    if (f.takes.includes('owner') && !owner) return null;
    if (!this.mayCall(f, scope)) return null;
    const args = f.takes.map((kind) => ({ uid: plain(this.uid()), team, owner }[kind]));
    const call = `${f.sqlName}(${args.map((a) => a.sql).join(', ')})`;
    const looks = plain('', { looks: f.looks, mayAsk: f.mayAsk });
    if (f.returns === 'teams') return join(`${team.sql} IN (SELECT ${f.sqlName}(${args.map((a) => a.sql).join(', ')}))`, team, ...args, looks);
    if (f.returns === 'uuid') return join(`${owner.sql} = ${call}`, owner, ...args, looks);
    return join(this.r.chance(0.2) ? `(SELECT ${call})` : call, ...args, looks);
  }

  // As invoker, a function that looks into this table or a later one would go round in circles.
  mayCall(f, scope) {
    const at = (name) => this.world.tables.findIndex((t) => t.name === name);
    const self = scope.isRow ? at(scope.table.name) : Math.min(...[at(scope.table.name)]);
    const owner = this.current ?? self;
    if (f.returns === 'teams' && !this.teamOf(scope)) return false;
    return f.looks.every((l) => l.raw || at(l.table) < owner);
  }

  // What cannot be turned round, or need not be.
  hard(scope) {
    const { r } = this;
    const path = this.pickColumn(scope, ['path']);
    const score = this.pickColumn(scope, ['score']);
    const viewers = this.pickColumn(scope, ['viewers']);
    const org = this.pickColumn(scope, ['org']);
    const inner = this.pickColumn(this.inside(scope), ['team']);
    const { m, from, team, who } = this.members(scope);
    const looks = this.look(m.table.name);
    const choices = [[`${r.pick(LEVEL)} > 1 AND (SELECT count(*) FROM ${from} WHERE ${team} = ${inner.sql}) > 1`, inner, looks]];
    if (path) choices.push([`${path.sql} LIKE (${this.uid()})::text || '/%'`, path]);
    if (score) choices.push([`${score.sql} < ${r.pick(LEVEL)}`, score]);
    if (viewers) choices.push([`${viewers.sql} @> ARRAY[${this.uid()}]`, viewers]);
    if (org) choices.push([`(auth.jwt() -> 'app_metadata' -> 'orgs') @> to_jsonb(${org.sql}::text)`, org], [`${org.sql} = ANY (ARRAY(SELECT x.org FROM ${this.world.byRole.profiles.sql} x WHERE x.id = ${this.uid()}))`.replaceAll('x.org', `x.${q(this.world.byRole.profiles.names.org)}`).replaceAll('x.id', `x.${q(this.world.byRole.profiles.names.id)}`), org, this.look(this.world.byRole.profiles.name)]);
    choices.push([`(SELECT max(${who}::text) FROM ${from} WHERE ${team} = ${inner.sql}) = (${this.uid()})::text`, inner, looks]);
    const [sql, ...parts] = r.pick(choices);
    return { ...join(`(${sql})`, ...parts), mayAsk: true };
  }
}
