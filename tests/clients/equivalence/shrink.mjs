// A failing world cut down as long as it still fails for the same kind of reason: transactions, statements, policies, users, tables,
// functions, first rows. Whatever does not load any more is no candidate.
import { worldSql } from './ddl.mjs';
import { runWorld } from './session.mjs';
import { allTables } from './world.mjs';

const RUNS_MAX = 400;

class Shrinker {
  constructor(server, world, mode, failure) {
    Object.assign(this, { server, mode, kind: failure.kind, world, failure, runs: 0 });
  }

  // Takes the candidate if it still fails so.
  async take(edit) {
    if (this.runs >= RUNS_MAX) return false;
    const candidate = structuredClone(this.world);
    if (edit(candidate) === false) return false;
    this.runs += 1;
    const { failure } = await runWorld(this.server, candidate, this.mode);
    if (!failure || failure.kind !== this.kind) return false;
    if (failure.at !== undefined) candidate.transactions = candidate.transactions.slice(0, this.ends(candidate, failure.at));
    this.world = candidate;
    this.failure = failure;
    return true;
  }

  // The end of the batch that a transaction is in.
  ends(world, at) {
    let end = at + 1;
    const { batch } = world.transactions[at];
    while (batch !== undefined && world.transactions[end]?.batch === batch) end += 1;
    return end;
  }

  // Items of a list left out: halves first, then smaller pieces, then one by one.
  async list(of, keepsOne = false) {
    for (let size = Math.ceil(of(this.world).length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let at = of(this.world).length - size; at >= 0; at -= size) {
        if (at + size > of(this.world).length) continue;
        if (keepsOne && of(this.world).length <= size) continue;
        await this.take((candidate) => { of(candidate).splice(at, size); });
      }
    }
  }

  async tables() {
    for (const name of allTables(this.world).map((t) => t.name)) {
      await this.take((candidate) => {
        candidate.tables = candidate.tables.filter((t) => t.name !== name);
        candidate.aux = candidate.aux.filter((t) => t.name !== name);
        const sql = (this.world.tables.find((t) => t.name === name) ?? this.world.aux.find((t) => t.name === name)).sql;
        candidate.first = candidate.first.filter((text) => !text.includes(sql));
        candidate.functions = candidate.functions.filter((f) => !f.sql.includes(sql));
        for (const t of allTables(candidate)) t.foreign = t.foreign.filter((text) => !text.includes(sql));
        return allTables(candidate).length > 0;
      });
    }
  }

  async run() {
    const at = this.failure.at;
    if (at !== undefined) await this.take((candidate) => { candidate.transactions = candidate.transactions.slice(0, this.ends(candidate, at)); });
    for (let before = -1; before !== JSON.stringify(this.world).length && this.runs < RUNS_MAX;) {
      before = JSON.stringify(this.world).length;
      await this.list((world) => world.transactions);
      for (let i = this.world.transactions.length - 1; i >= 0; i -= 1) {
        if (this.world.transactions[i]?.statements) await this.list((world) => world.transactions[i]?.statements ?? []);
      }
      for (const name of allTables(this.world).map((t) => t.name)) await this.list((world) => allTables(world).find((t) => t.name === name).policies);
      await this.list((world) => world.users, true);
      await this.list((world) => world.functions);
      await this.tables();
      await this.list((world) => world.first);
    }
    return { world: this.world, failure: this.failure, runs: this.runs };
  }
}

export const shrink = (server, world, mode, failure) => new Shrinker(server, world, mode, failure).run();

// What there is, for a person to read: without the oracle's own functions.
export function caseSql(world) {
  const lines = worldSql(world).split('\n');
  const from = lines.findIndex((line) => line.startsWith('CREATE SCHEMA') && !line.includes('SCHEMA auth'));
  const to = lines.findIndex((line) => line.startsWith('CREATE SCHEMA eqmark'));
  return [...lines.slice(from, to), ...world.first.map((text) => `${text};`),
    ...world.users.map((user) => `-- ${user.name}: ${JSON.stringify(user.claims)}`),
    ...world.transactions.map((one, i) => `-- ${i}${one.batch === undefined ? '' : ` (batch ${one.batch}${one.isHeld ? ', held' : ''})`}: ${one.alter ? `alter ${JSON.stringify(one.alter)}` : one.statements.map((s) => (Array.isArray(s) ? `SAVEPOINT; ${s.join('; ')}; ROLLBACK TO` : s)).join('; ')}`)].join('\n');
}
