// One world run: a database and a gateway for it, its users connected, its transactions one after the other (or as its
// mode wants them), and every user's events compared with what Postgres showed him before and after each commit.
import { apply } from './alterations.mjs';
import { modes } from './modes.mjs';
import { Follower } from './follower.mjs';
import { compareLater, compareTable, expectation, look, netOf, restsOn } from './oracle.mjs';
import { Gateway, pause, until } from './server.mjs';
import { q } from './sql.mjs';
import { ROLES, allTables } from './world.mjs';

const LATE_MS = 3000; // only turns what does not come into a failure
const MAY_ASK = process.env.EQUIVALENCE_ASKED === 'allow'; // for a gateway without a solver

// As `rowcast check` writes names.
const ident = (name) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : q(name));

// What failed: told apart, so that a case that is being cut still fails for the same reason.
export class Failure extends Error {
  constructor(kind, lines, at) {
    super([kind, ...lines].join('\n'));
    Object.assign(this, { kind, lines, at });
  }
}

export class Session {
  constructor(server, world, mode) {
    Object.assign(this, { server, world: structuredClone(world), mode, how: modes[mode], marks: 0, followers: [], told: 0, commits: 0, resyncs: 0, skipped: 0 });
  }

  async open() {
    const { server, world, how } = this;
    const made = await server.database(world);
    Object.assign(this, { database: made.name, db: made.db });
    if (how.needsShadow) {
      await this.db.end();
      this.shadow = await server.copy(this.database);
      this.db = await server.connect(this.database);
    }
    this.gateway = await Gateway.start(server, this.database, how.settings);
    await this.readPaths();
    await this.connect();
    if (!how.isCold?.(world)) await this.warmUp();
    this.state = await look(world, (this.shadow ?? this).db);
  }

  async connect() {
    const tables = allTables(this.world).filter((t) => t.isSubscribed);
    this.followers = await Promise.all(this.world.users.map((user) => Follower.open(this.gateway.url, user, tables)));
    for (const follower of this.followers) {
      for (const t of tables.filter((one) => follower.isRefused(one.name) && one.granted[follower.user.role].length > 0)) {
        throw new Failure('refused', [`${follower.user.name} may read ${t.name}, but the channel was refused: ${follower.state.get(t.name).why}`]);
      }
    }
  }

  // The gateway has met every table once and knows what its policies look into. Started cold it has to read that while the first
  // commits come in, and to take them back from what it read.
  async warmUp() {
    for (const where of [this.shadow, this].filter(Boolean)) {
      await where.db.query(['BEGIN', ...allTables(this.world).map((t) => `UPDATE ${t.sql} SET rid = rid WHERE rid > 0`), 'INSERT INTO eqmark.mark VALUES (0)', 'COMMIT'].join('; '));
    }
    await Promise.all(this.followers.map((follower) => follower.takeCommits(1)));
    for (let isQuiet = false; !isQuiet;) {
      await pause(30);
      isQuiet = this.followers.every((follower) => follower.takeResyncs().length === 0);
      await Promise.all(this.followers.map((follower) => follower.rejoin()));
    }
  }

  // How each table is judged for each role; what must be solved may not be asked.
  async readPaths() {
    const said = await this.gateway.paths();
    this.paths = new Map();
    const asked = [];
    for (const t of allTables(this.world)) {
      const roles = said.get(`${ident(t.schema)}.${ident(t.name)}`);
      if (!roles && t.isSubscribed) throw new Failure('check', [`rowcast check does not name ${t.schema}.${t.name}:`, this.gateway.checked]);
      this.paths.set(t.name, Object.fromEntries(ROLES.map((role) => [role, roles?.get(role)?.path ?? 'nobody'])));
      for (const [role, { path, why }] of roles ?? []) {
        if (path === 'asked' && !restsOn(this.world, t, role).mayAsk) asked.push(`${t.name} for ${role}: ${why}`);
      }
    }
    if (asked.length > 0 && !MAY_ASK) throw new Failure('asked', ['asked, though all of its policies are of shapes to be solved:', ...asked]);
  }

  pathCounts() {
    const counts = {};
    for (const roles of this.paths.values()) for (const role of ['anon', 'authenticated']) counts[roles[role]] = (counts[roles[role]] ?? 0) + 1;
    return counts;
  }

  async run() {
    await this.open();
    const { transactions } = this.world;
    for (let at = 0; at < transactions.length;) {
      let end = at + 1;
      while (end < transactions.length && transactions[at].batch !== undefined && transactions[end].batch === transactions[at].batch) end += 1;
      await this.how.batch(this, transactions.slice(at, end), at);
      for (const { comesBack } of transactions.slice(at, end)) if (comesBack) await this.comeBack(comesBack);
      at = end;
    }
  }

  // A user leaves and is there again, with other claims perhaps.
  async comeBack({ user, claims }) {
    const at = this.world.users.findIndex((one) => one.name === user);
    if (at < 0) return;
    this.world.users[at].claims = claims;
    this.followers[at].close();
    this.followers[at] = await Follower.open(this.gateway.url, this.world.users[at], allTables(this.world).filter((t) => t.isSubscribed));
    this.state = await look(this.world, (this.shadow ?? this).db);
  }

  // ---- one transaction

  // In one go, with its mark; a transaction that fails as a whole leaves the mark alone. Numbers of statements that failed.
  async write(db, transaction, mark, before = '') {
    const { statements, isCareful } = transaction;
    const text = JSON.stringify(statements).replaceAll("'", "''");
    try {
      const results = await db.query(`BEGIN; ${before}SELECT eqlook.run('${text}', ${isCareful === true}) AS failed; INSERT INTO eqmark.mark VALUES (${mark}); COMMIT`);
      return results.find((r) => r.rows[0]?.failed)?.rows[0].failed ?? [];
    } catch (error) {
      await db.query(`ROLLBACK; ${before.replaceAll('SET LOCAL', 'SET')}INSERT INTO eqmark.mark VALUES (${mark})`);
      return error.message;
    }
  }

  // A record of one commit: the states around it.
  async record(transaction, at, db = this.db) {
    this.marks += 1;
    const mark = this.marks;
    const failed = transaction.alter ? await this.alter(transaction.alter, mark) : await this.write(db, transaction, mark);
    return this.recorded(transaction, at, mark, failed, db);
  }

  // A change of the catalog, with a mark like any commit.
  async alter(alteration, mark) {
    const statements = apply(this.world, alteration);
    await this.db.query(['BEGIN', ...statements, `INSERT INTO eqmark.mark VALUES (${mark})`, 'COMMIT'].join('; '));
    return statements;
  }

  async recorded(transaction, at, mark, failed, db) {
    const before = this.state;
    this.state = await look(this.world, db);
    return { transaction, at, mark, failed, before, after: this.state, ...netOf(this.world, before, this.state) };
  }

  // ---- comparison

  // records: in the order of the log. Every user's commits are taken and compared.
  async judge(records, { isPiled = false } = {}) {
    const told = await Promise.all(this.followers.map((follower) => follower.takeCommits(records.length)));
    const lost = this.followers.map(() => new Set());
    this.emptied = new Set(records.flatMap((record) => [...record.truncated]));
    for (const [i, record] of records.entries()) {
      const problems = [];
      for (const at of this.followers.keys()) problems.push(...await this.compare(record, at, told[at], i, lost[at], isPiled ? records.slice(i) : null));
      this.commits += 1;
      if (problems.length > 0) throw this.failure(record, problems);
    }
    for (const [at, follower] of this.followers.entries()) this.takeLate(records.at(-1), at, follower.takeResyncs());
    await Promise.all(this.followers.map((follower) => follower.rejoin()));
  }

  // Told after the last commit.
  takeLate(record, at, names) {
    const problems = names.map((name) => this.takeResync(record, at, { table: name })).filter(Boolean);
    if (problems.length > 0) throw this.failure(record, problems);
  }

  takeResync(record, at, event) {
    const user = this.world.users[at];
    this.resyncs += 1;
    return this.isExplained(event, record, user) ? null
      : { kind: 'resync', table: event.table, text: `${user.name}: told to load ${event.table} again, for no reason to be seen${event.why ? `: ${event.why}` : ''}` };
  }

  // Whether the user is told to load the table again right after commit i, or will be: the word follows what was withheld.
  async isToldLate(at, told, i, name) {
    const isIt = (event) => event.isResync && event.table === name;
    if (i + 1 < told.length) return told[i + 1].events.some(isIt);
    const follower = this.followers[at];
    return until(() => follower.events.some(isIt), 'a resync', LATE_MS).then(() => true, () => false);
  }

  // later: the record and those that piled up behind it; null: it was waited for.
  async compare(record, at, told, i, lost, later) {
    const { world } = this;
    const user = world.users[at];
    const { mark, events } = told[i];
    if (mark !== record.mark) return [{ kind: 'order', text: `${user.name}: commit ${mark} came where ${record.mark} was due` }];
    const problems = [];
    for (const event of events.filter((one) => one.isResync)) {
      lost.add(event.table);
      problems.push(...[this.takeResync(record, at, event)].filter(Boolean));
    }
    for (const table of allTables(world).filter((t) => t.isSubscribed)) {
      const path = this.paths.get(table.name)[user.role];
      const got = events.filter((event) => !event.isResync && event.table === table.name);
      this.told += got.length;
      const changes = record.changes.filter((change) => change.table === table);
      if (path === 'asked' && later) {
        this.skipped += got.length;
        if (!record.isOldDoubtful) problems.push(...compareLater(at, table, changes, got, later).map((problem) => ({ ...problem, table: table.name, text: `${user.name} (${path}): ${problem.text}` })));
        continue;
      }
      const isBlurred = this.isBlurred(record, table, user.role);
      const isOldDoubtful = record.isOldDoubtful || isBlurred;
      const wanted = changes.map((change) => expectation(world, at, change, { ...record, path, isOldDoubtful })).filter(Boolean);
      let found = compareTable(wanted, got, lost.has(table.name) || record.truncated.has(table.name));
      if (isBlurred && found.some((problem) => problem.kind === 'missing') && await this.isToldLate(at, told, i, table.name)) found = compareTable(wanted, got, true);
      problems.push(...found.map((problem) => ({ ...problem, table: table.name, text: `${user.name} (${path}): ${problem.text}` })));
    }
    return problems;
  }

  // What was read of the database may be ahead of the log. Then the commits between are taken back by their old images, which
  // have to be complete, and cannot be where a table was emptied: the rest is not known, and said to be so.
  isBlurred(record, table, role) {
    if (!this.how.readsLate?.(this.world)) return false;
    if (this.how.isShort) return restsOn(this.world, table, role).looks.size > 0;
    return [...restsOn(this.world, table, role).looks].some((name) => this.emptied.has(name) || allTables(this.world).find((t) => t.name === name).identity !== 'full');
  }

  isExplained(event, record, user) {
    const table = allTables(this.world).find((t) => t.name === event.table);
    // What is asked has a budget, and the whole table is told when it is spent.
    if (record.truncated.has(event.table) || Object.values(this.paths.get(event.table)).includes('asked')) return true;
    return ROLES.some((role) => this.isBlurred(record, table, role));
  }

  failure(record, problems) {
    const tables = [...new Set(problems.map((p) => p.table))].map((name) => allTables(this.world).find((t) => t.name === name)).filter(Boolean);
    const statements = (record.transaction.alter ? record.failed : record.transaction.statements).map((s, i) => `  ${Array.isArray(s) ? `(rolled back) ${s.join('; ')}` : s}${!record.transaction.alter && Array.isArray(record.failed) && record.failed.includes(i) ? ' -- failed' : ''}`);
    const failure = new Failure(problems[0].kind, [
      ...statements, ...(typeof record.failed === 'string' ? [`  -- ${record.failed}`] : []),
      ...tables.map((t) => `  ${t.name}: identity ${t.identity}, rls ${t.rls}${t.force ? ' forced' : ''}, owner ${t.owner ?? 'postgres'}; ${t.policies.map((p) => `[${p.cmd} ${p.roles} ${p.permissive ? '' : 'restrictive '}${p.using}]`).join(' ')}`),
      ...problems.slice(0, 8).map((p) => p.text), ...(problems.length > 8 ? [`… and ${problems.length - 8} more`] : []),
    ], record.at);
    failure.user = problems[0].text.split(/ \(|:/)[0];
    return failure;
  }

  // The gateway is stopped first: what it reports counts.
  async close() {
    this.followers.forEach((follower) => follower.close());
    const trouble = await this.gateway?.stop();
    await Promise.all([this.db?.end(), this.shadow?.db.end(), ...(this.writers ?? []).map((one) => one.end())]);
    if (this.shadow) await this.server.drop(this.shadow.name);
    if (this.database) await this.server.drop(this.database);
    return trouble;
  }
}

// What the gateway says it withheld.
async function tellCounters(failure, gateway) {
  const metrics = await gateway?.metrics().catch(() => ({})) ?? {};
  const told = Object.entries(metrics).filter(([name, value]) => value > 0 && /resync_|withheld|unjudged|unknown|errors|raising|catching|evictions|misses|stale|timeouts/.test(name));
  failure.message += `\ncounters: ${told.map(([name, value]) => `${name.replace('rowcast_', '')} ${value}`).join(', ')}`;
}

// Runs a world in a mode: { failure, session }.
export async function runWorld(server, world, mode) {
  const session = new Session(server, world, mode);
  let failure = null;
  const began = Date.now();
  try {
    await session.run();
  } catch (error) {
    failure = error instanceof Failure || error.isSchema ? error : new Failure('broken', [error.stack, session.gateway?.tail() ?? '']);
  }
  session.ms = Date.now() - began;
  if (failure && !failure.isSchema) await tellCounters(failure, session.gateway);
  const trouble = await session.close();
  if (trouble && (!failure || failure.kind === 'broken')) failure = new Failure('gateway', [trouble, ...(failure ? failure.lines : [])], failure?.at);
  return { failure, session };
}
