// Equivalence as a property: random schemas, policies and transactions, and Postgres as the oracle. Each user is told of
// exactly the net changes that P1's four cells give him, judged by what Postgres showed him just before and just after.
//
// usage: node --test oracle.test.mjs      ORACLE_SEED=N,… the seeds, ORACLE_TRANSACTIONS=N so many, GATEWAY_BIN the gateway
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

import { secondsFromNow, signToken } from '../../../db/demo/token.mjs';
import { expectation, isAsExpected, isSame, liveKeys, readAll, readAs } from './oracle.mjs';
import { Transaction } from './script.mjs';
import { Socket } from './socket.mjs';
import { COMMON_SQL, makeWorld, worldSql } from './world.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = resolve(here, '../../..');
const SEEDS = (process.env.ORACLE_SEED ?? "1,2,3").split(",").map(Number);
const TRANSACTIONS = Number(process.env.ORACLE_TRANSACTIONS ?? 60);

function newestBuild() {
  const build = join(root, 'build');
  const found = (existsSync(build) ? readdirSync(build) : [])
    .map((preset) => join(build, preset, 'gateway/rowcast')).filter((file) => existsSync(file));
  return found.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
}

async function startStack(worlds, folder) {
  const binary = process.env.GATEWAY_BIN ?? newestBuild();
  assert.ok(binary && existsSync(binary), 'no gateway to test: build one, or name it in GATEWAY_BIN');
  const schema = join(folder, 'schema.sql');
  writeFileSync(schema, [COMMON_SQL, ...worlds.map(worldSql)].join('\n'));
  // The gateway refuses variables of its name that it does not know, and nobody's settings are to leak into the test.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ROWCAST_')));
  const child = spawn(join(here, 'stack.sh'), [resolve(binary), folder, schema], { stdio: ['pipe', 'pipe', 'inherit'], env });
  const ended = new Promise((done) => { child.once('close', done); });
  const stack = { folder, stop: () => { child.stdin.end(); return ended; } };
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'ready') return stack;
    const at = line.indexOf('=');
    stack[line.slice(0, at)] = line.slice(at + 1);
  }
  throw new Error('the gateway could not be started');
}

const brief = (value) => JSON.stringify(value)?.replace(/([xyz])\1{20,}/g, (s) => `${s[0]}*${s.length}`);

class Run {
  constructor(world, stack) { Object.assign(this, { world, stack, marks: 0 }); }

  async open() {
    const connect = async () => {
      const db = new pg.Client({ connectionString: this.stack.DATABASE_URL });
      await db.connect();
      return db;
    };
    this.db = await connect();
    this.service = this.world.users.at(-1);
    await Promise.all(this.world.users.map(async (user) => {
      user.claims.exp = secondsFromNow(3600);
      user.db = await connect();
      user.socket = await Socket.open(this.stack.SOCKET_URL, signToken(user.claims, this.stack.JWT_SECRET), this.world.schema, user.filter);
    }));
    this.state = await this.look();
  }

  async look() {
    const [all, everything, ...seen] = await Promise.all([readAll(this.world, this.db), this.lookAtAll(),
      ...this.world.users.map((user) => readAs(this.world, user, user.db))]);
    return { all, everything, seen };
  }

  // The values that decide whether one may be missing, whoever may see them.
  async lookAtAll() {
    const out = new Map();
    for (const t of [...this.world.tables, this.world.members]) {
      const big = t.columns.big ? 'big' : 'NULL AS big';
      const { rows } = await this.db.query(`SELECT rid::text, ${big} FROM ${t.sql}`);
      out.set(t.name, new Map(rows.map((row) => [row.rid, { row: { big: row.big } }])));
    }
    return out;
  }

  async step(number) {
    const transaction = new Transaction(this.world, this.db, liveKeys(this.state.all));
    await transaction.run();
    this.marks += 1;
    await this.db.query(`INSERT INTO ${this.world.schema}.mark VALUES ($1)`, [this.marks]);
    const next = await this.look();
    const told = await Promise.all(this.world.users.map((user) => user.socket.takeUntil(this.marks)));
    const net = transaction.net();
    const touched = net.some((change) => change.table === 'members');
    const problems = this.world.users.flatMap((user, i) => this.compare(user, told[i], transaction.moved, net.map((change) => expectation(
      this.world, user, change, { before: { ...this.state, seen: this.state.seen[i] }, after: { ...next, seen: next.seen[i] } }, touched)).filter(Boolean)));
    if (problems.length === 0) problems.push(...this.apply(told.at(-1), next));
    this.count(told);
    if (problems.length > 0) this.report(number, transaction, problems);
    this.state = next;
  }

  // Whoever applies the changes one after the other, by key, ends with the keys that are there (service_role, where it
  // may read all): so a change that frees a key has to come before the one that takes it.
  apply(events, next) {
    const problems = [];
    for (const t of this.world.tables.filter((one) => one.granted.service_role.length > 0)) {
      const key = (record) => JSON.stringify(t.keys.map((column) => record[column]));
      const rows = (state) => [...state.seen.at(-1).get(t.name).values()].map(({ row }) => key(row));
      const copy = new Set(rows(this.state));
      for (const event of events.filter((one) => one.table === t.name)) {
        if (event.type !== 'INSERT') copy.delete(key(event.old_record));
        if (event.type !== 'DELETE') copy.add(key(event.record));
      }
      if (!isSame([...copy].sort(), rows(next).sort())) problems.push(`service_role: applied in order, ${events.map((one) => one.type)} ${t.name} leaves other rows`);
    }
    return problems;
  }

  count(told) {
    this.told ??= { INSERT: 0, UPDATE: 0, DELETE: 0 };
    for (const event of told.flat()) this.told[event.type] += 1;
  }

  compare(user, got, isMoved, wanted) {
    const idsOf = (want) => [...new Set(want.passes ? user.socket.ids : user.socket.ids.slice(0, 1))].sort((a, b) => a.slice(1) - b.slice(1));
    const rest = [...got];
    const problems = [];
    for (const want of wanted) {
      const at = rest.findIndex((event, i) => (isMoved || i === 0) && isAsExpected(want, event, idsOf(want)) === null);
      if (at >= 0) rest.splice(at, 1);
      else if (!want.optional) problems.push(this.describe(user, want, idsOf(want), rest));
    }
    problems.push(...rest.map((event) => `${user.name}: not expected (or out of order): ${event.type} ${event.table} ${brief(event.record)} old ${brief(event.old_record)} ids ${event.ids}`));
    for (const event of got) problems.push(...this.compareColumns(user, event));
    return problems;
  }

  describe(user, want, ids, rest) {
    return `${user.name}: missing: ${want.op} ${want.table} ${brief(want.record)} old ${want.olds.map(brief).join(' or ')} ids ${ids}`
      + ` (next came: ${rest[0] ? `${rest[0].type} ${rest[0].table}; differs in ${isAsExpected(want, rest[0], ids) ?? 'nothing'}` : 'nothing'})`;
  }

  compareColumns(user, event) {
    const table = [...this.world.tables, this.world.members].find((t) => t.name === event.table);
    const want = Object.keys(table.columns).filter((column) => table.granted[user.role].includes(column)).map((name) => ({ name, type: typeName(table.columns[name]) }));
    return isSame(want, event.columns) && event.schema === this.world.schema && event.errors === null
      ? [] : [`${user.name}: columns of ${event.table}: ${brief(event.columns)}, not ${brief(want)}`];
  }

  report(number, transaction, problems) {
    const names = new Set(problems.map((problem) => problem.match(/(?:INSERT|UPDATE|DELETE|columns of) (\S+( Case)?)/)?.[1]));
    const tables = [...this.world.tables, this.world.members].filter((t) => names.has(t.name))
      .map((t) => `  ${t.name}: identity ${t.identity} (${t.foldColumns}), rls ${t.rls}, ${t.kind}, owner ${t.ownerRole ?? 'postgres'}${t.force ? ' forced' : ''}, `
        + `policies ${t.policies.map((p) => `[${p.role} ${p.restrictive ? 'restrictive ' : ''}${p.using}]`).join(' ')}`);
    assert.fail([`ORACLE_SEED=${this.world.seed}, transaction ${number}`, ...transaction.statements.map((s) => `  ${s};`),
      ...tables, ...problems.slice(0, 8), problems.length > 8 ? `… and ${problems.length - 8} more` : '', `logs: ${this.stack.folder}`].join('\n'));
  }

  async close() {
    await Promise.all([this.db?.end(), ...this.world.users.map((user) => { user.socket?.close(); return user.db?.end(); })]);
  }
}

const BASE = { int: 'int4', boolean: 'bool', 'varchar(40)': 'varchar' };
function typeName(type) {
  const bare = type.replace(/^.*\./, '');
  return bare.endsWith('[]') ? `_${typeName(bare.slice(0, -2))}` : BASE[bare] ?? bare;
}

describe('every user is told exactly what Postgres shows them', { timeout: 300_000 }, () => {
  const worlds = SEEDS.map(makeWorld);
  let stack;
  let failed = false;
  before(async () => { stack = await startStack(worlds, mkdtempSync(join(tmpdir(), 'rowcast-oracle.'))); });
  after(async () => {
    if (!stack) return;
    assert.equal(await stack.stop(), 0, 'the gateway ended well');
    if (!failed) rmSync(stack.folder, { recursive: true });
  });

  for (const world of worlds) {
    test(`seed ${world.seed}: ${TRANSACTIONS} transactions, ${world.users.length} users`, async (t) => {
      const run = new Run(world, stack);
      try {
        await run.open();
        for (let i = 1; i <= TRANSACTIONS; i += 1) await run.step(i);
        t.diagnostic(`told ${JSON.stringify(run.told)}`);
      } catch (error) {
        failed = true;
        throw error;
      } finally {
        await run.close();
      }
    });
  }
});
