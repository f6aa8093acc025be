// Transactions: random statements, run against the database as the superuser, with a model beside them of which row is
// which. The database says what a statement did (RETURNING); the model only remembers, per row that the transaction
// touched, the key it had before.
import { lit, q, uuid } from './world.mjs';

const VALUES = {
  int: (r) => String(r.int(4)), int8: (r) => r.pick(['7', '-9007199254740993', '2']), uuid: (r) => uuid('a', 1 + r.int(5)),
  boolean: (r) => r.pick(['true', 'false']), numeric: (r) => r.pick(['1.50', '1.5', '2', '123456789012345678901234567890.10', '-0.001', 'NaN']),
  text: (r) => r.pick(['plain', 'a,b', '', 'quote " and \\ back', 'zwei\nlines\tand ü €', '𝄞']), jsonb: (r) => r.pick(['{"a": 1.10, "b": [null, "x"]}', 'null', '"s"', '[]', '1e3']),
  'text[]': (r) => r.pick(['{}', '{a,NULL,"b c"}', '{"q\\"uote","NULL"}', '{{a,b},{c,d}}']), timestamptz: (r) => r.pick(['2026-05-01 12:00:00+00', '2026-05-01 12:00:00.123456+02', 'infinity']),
  date: (r) => r.pick(['2026-02-28', '0044-03-15 BC']), 'int[]': (r) => r.pick(['{1,2}', '{{1,2},{3,4}}', '{NULL}', '[0:1]={5,6}']), bytea: (r) => r.pick(['\\x0102ff', '\\x']),
  'varchar(40)': (r) => r.pick(['Ada', 'O\'Hara', 'null']),
};

function value(r, table, column) {
  const type = table.columns[column];
  if (column === 'org') return uuid('b', 1 + r.int(2));
  if (column === 'big') return 'xyz'[r.int(3)].repeat(r.pick([5, 2500, 6000]));
  if (type.endsWith('.mood')) return r.pick(['happy', 'so so', 'sad']);
  if (type.endsWith('.mood[]')) return r.pick(['{happy,"so so"}', '{}', '{NULL,sad}']);
  if (type.endsWith('.spot')) return r.pick(['(1.50,"a ""b"", c",2026-01-02)', '(,,)', '(NaN,"",)']);
  return VALUES[type](r);
}

const isRequired = (table, column) => table.keys.includes(column) || column === 'rid'
  || (table.identity === 'index' && table.identityColumns.includes(column));

function someValue(r, table, column) {
  return !isRequired(table, column) && r.chance(0.15) ? 'NULL' : lit(value(r, table, column));
}

function newKey(r, table) {
  return table.keys.map((column) => {
    const type = table.columns[column];
    if (type === 'uuid') return uuid(table.name === 'members' ? 'a' : 'c', 1 + r.int(6));
    return type === 'text' ? r.pick(['k1', 'k2', 'k 3', 'K1', '', 'ü"\'']) : String(r.int(9));
  });
}

const keyText = (columns) => `jsonb_build_array(${columns.map((column) => `x.${q(column)}::text`).join(', ')})::text`;
const normal = (parts) => JSON.stringify(parts);
const where = (table, key) => table.keys.map((column, i) => `${q(column)} = ${lit(key[i])}`).join(' AND ');
export const returning = (table) => `${keyText(table.keys)} AS pk, ${keyText(table.foldColumns)} AS id`;

// One table in one transaction. rows: primary key → { id, from }: fold key now, and before the transaction (null: not there).
class TableModel {
  constructor(rows) {
    this.rows = new Map([...rows].map(([pk, id]) => [pk, { id, from: id, touched: 0 }]));
    this.dead = [];
  }

  clone() {
    const copy = new TableModel([]);
    copy.rows = new Map([...this.rows].map(([pk, row]) => [pk, { ...row }]));
    copy.dead = this.dead.map((row) => ({ ...row }));
    return copy;
  }
}

export class Transaction {
  // live: table name → Map(primary key → fold key), as committed.
  constructor(world, db, live) {
    Object.assign(this, { world, db, r: world.random, statements: [], clock: 0, moved: false });
    this.models = new Map([...world.tables, world.members].map((t) => [t.name, new TableModel(live.get(t.name))]));
  }

  async run() {
    await this.sql('BEGIN');
    const count = 1 + this.r.int(5);
    for (let i = 0; i < count; i += 1) {
      if (this.r.chance(0.12)) await this.rolledBack();
      else await this.statement();
    }
    await this.sql('COMMIT');
  }

  async sql(text) {
    this.statements.push(text.replace(/'([xyz])\1{20,}'/g, (s) => `'${s[1]}*${s.length - 2}'`));
    return (await this.db.query(text)).rows.map((row) => ({ pk: row.pk && normal(JSON.parse(row.pk)), id: row.id && normal(JSON.parse(row.id)) }));
  }

  async rolledBack() {
    const before = new Map([...this.models].map(([name, model]) => [name, model.clone()]));
    const { moved } = this;
    await this.sql('SAVEPOINT s');
    await this.statement();
    if (this.r.chance(0.5)) await this.statement();
    await this.sql('ROLLBACK TO s');
    this.models = before;
    this.moved = moved;
  }

  async statement() {
    const { r, world } = this;
    const table = r.chance(0.15) ? world.members : r.pick(world.tables);
    const model = this.models.get(table.name);
    const keys = [...model.rows.keys()];
    if (table.identity === 'nothing' || keys.length === 0) return this.insert(table, model, newKey(r, table));
    const key = JSON.parse(r.pick(keys));
    const kind = r.pick(['insert', 'insert', 'upsert', 'update', 'update', 'update', 'many', 'move', 'move', 'delete', 'delete', 'replace', 'flash', 'clear', 'twice', 'takeover', 'takeover', 'join', 'join', 'join']);
    if (kind === 'insert') return this.insert(table, model, newKey(r, table));
    if (kind === 'upsert') return this.insert(table, model, r.chance(0.6) ? key : newKey(r, table));
    if (kind === 'update') return this.update(table, model, where(table, key), this.changes(table));
    if (kind === 'many') return this.update(table, model, table.columns.team ? `team = ${r.int(4)}` : `crew = ${r.int(4)}`, this.changes(table));
    if (kind === 'move') return this.move(table, model, key, newKey(r, table));
    if (kind === 'delete') return this.remove(table, model, where(table, key));
    if (kind === 'clear') return r.chance(0.3) ? this.remove(table, model, 'true') : this.remove(table, model, `${q(table.keys[0])} = ${lit(key[0])}`);
    if (kind === 'twice' || kind === 'takeover') return this[kind](table, model, key);
    if (kind === 'join') return this.join(table, model, key);
    if (kind === 'replace') {
      await this.remove(table, model, where(table, key));
      return this.insert(table, model, key);
    }
    const fresh = newKey(r, table);
    if (!model.rows.has(normal(fresh))) {
      await this.insert(table, model, fresh);
      await this.remove(table, model, where(table, fresh));
    }
    return undefined;
  }

  // Two images of one row, the second of which does not touch the large value.
  async twice(table, model, key) {
    if (!table.columns.big) return;
    await this.update(table, model, where(table, key), `big = ${lit(value(this.r, table, 'big'))}`);
    await this.update(table, model, where(table, key), `team = ${1 + this.r.int(3)}`);
  }

  // One row moves away, another goes, the first takes its key.
  async takeover(table, model, key) {
    const others = [...model.rows.keys()].filter((pk) => pk !== normal(key));
    const aside = newKey(this.r, table);
    if (others.length === 0 || model.rows.has(normal(aside))) return;
    const goal = JSON.parse(this.r.pick(others));
    await this.move(table, model, key, aside);
    await this.remove(table, model, where(table, goal));
    await this.move(table, model, aside, goal);
  }

  // A row goes or changes in the very transaction that lets in or puts out those who may see it.
  async join(table, model, key) {
    const { members } = this.world;
    const crew = this.models.get('members');
    if (!table.columns.team) return;
    if (this.r.chance(0.6)) for (let team = 0; team < 4; team += 1) await this.insert(members, crew, [String(team), uuid('a', 1 + this.r.int(5))]);
    else await this.remove(members, crew, `who = ${lit(uuid('a', 1 + this.r.int(5)))}`);
    if (this.r.chance(0.6)) await this.remove(table, model, where(table, key));
    else await this.update(table, model, where(table, key), this.changes(table));
  }

  changes(table) {
    const free = Object.keys(table.columns).filter((column) => !table.keys.includes(column) && column !== 'rid');
    if (free.length === 0) return `${q(table.keys[0])} = x.${q(table.keys[0])}`;
    return this.r.shuffle(free).slice(0, 1 + this.r.int(3))
      .map((column) => `${q(column)} = ${this.r.chance(0.1) ? `x.${q(column)}` : someValue(this.r, table, column)}`).join(', ');
  }

  async insert(table, model, key) {
    const columns = Object.keys(table.columns).filter((column) => column !== 'rid');
    const values = columns.map((column) => {
      const at = table.keys.indexOf(column);
      return at < 0 ? someValue(this.r, table, column) : lit(key[at]);
    });
    const exists = table.identity === 'nothing' ? 'DO NOTHING' : `DO UPDATE SET ${this.changes(table)}`;
    const rows = await this.sql(`INSERT INTO ${table.sql} AS x (${columns.map(q).join(', ')}) VALUES (${values.join(', ')}) `
      + `ON CONFLICT (${table.keys.map(q).join(', ')}) ${exists} RETURNING ${returning(table)}`);
    for (const row of rows) this.put(model, row.pk, row);
  }

  put(model, oldPk, row) {
    const known = model.rows.get(oldPk);
    const next = { id: row.id, from: known ? known.from : null, touched: known?.touched || (this.clock += 1) };
    if (known && known.id !== row.id) this.moved = true;
    model.rows.delete(oldPk);
    model.rows.set(row.pk, next);
  }

  async update(table, model, condition, set) {
    for (const row of await this.sql(`UPDATE ${table.sql} AS x SET ${set} WHERE ${condition} RETURNING ${returning(table)}`)) {
      this.put(model, row.pk, row);
    }
  }

  async move(table, model, key, to) {
    const pk = normal(key);
    if (pk !== normal(to) && model.rows.has(normal(to))) return;
    const set = table.keys.map((column, i) => `${q(column)} = ${lit(to[i])}`);
    if (this.r.chance(0.4) && table.columns.team) set.push(`team = ${this.r.int(4)}`);
    const rows = await this.sql(`UPDATE ${table.sql} AS x SET ${set.join(', ')} WHERE ${where(table, key)} RETURNING ${returning(table)}`);
    for (const row of rows) this.put(model, pk, row);
  }

  async remove(table, model, condition) {
    for (const { pk } of await this.sql(`DELETE FROM ${table.sql} AS x WHERE ${condition} RETURNING ${returning(table)}`)) {
      const row = model.rows.get(pk);
      model.rows.delete(pk);
      if (row.from !== null) model.dead.push({ from: row.from, touched: row.touched || (this.clock += 1) });
    }
  }

  // The net effect: [{ table, op, from, id, touched }] in order of first touch.
  net() {
    const out = [];
    for (const [name, model] of this.models) {
      const dead = new Map(model.dead.map((row) => [row.from, row]));
      for (const row of model.rows.values()) {
        if (row.touched === 0) continue;
        const pair = row.from === null ? dead.get(row.id) : undefined;
        if (pair) dead.delete(row.id);
        const from = pair ? pair.from : row.from;
        out.push({ table: name, op: from === null ? 'INSERT' : 'UPDATE', from, id: row.id, touched: Math.min(row.touched, pair?.touched ?? Infinity) });
      }
      for (const row of dead.values()) out.push({ table: name, op: 'DELETE', from: row.from, id: null, touched: row.touched });
    }
    return out.sort((a, b) => a.touched - b.touched);
  }
}
