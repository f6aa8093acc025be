// Random transactions, as texts: nothing in them depends on what the database answered, so any of them, and any of
// their statements, can be left out and the rest still runs. Rows meet because the pools are small; a statement that
// fails (a key is taken, a parent is missing) is undone alone.
//
// A transaction: { statements: [text | [texts that are rolled back]], isCareful, alter?: [text] }
import { lit, q } from './sql.mjs';
import { allTables, insert, row, someKey, value } from './world.mjs';

export class Writer {
  // tables: those it may write to; options.truncate: whether it may TRUNCATE.
  constructor(r, world, tables = allTables(world), options = {}) { Object.assign(this, { r, world, tables, options }); }

  transaction() {
    const { r } = this;
    const statements = [];
    const count = 1 + r.int(5);
    for (let i = 0; i < count; i += 1) {
      if (r.chance(0.1)) statements.push(this.several(1 + r.int(2)));
      else statements.push(...this.some());
    }
    return { statements, isCareful: r.chance(0.75) };
  }

  several(count) { return Array.from({ length: count }, () => this.some()).flat(); }

  table() {
    const { r, tables } = this;
    const aux = tables.filter((t) => t.isAux);
    const data = tables.filter((t) => !t.isAux);
    if (data.length === 0) return r.pick(aux);
    if (aux.length > 0 && r.chance(0.3)) return r.pick([...aux, aux[0], aux[0]]);
    return r.pick([...data, data[0]]);
  }

  where(table, key) { return table.keys.map((name, i) => `${q(name)} = ${lit(key[i])}`).join(' AND '); }

  // Some rows: one by key, several keys, those of a team, an owner, all that are alike in one column.
  someRows(table) {
    const { r } = this;
    const key = () => someKey(r, this.world, table);
    const logical = r.pick(Object.keys(table.names).filter((name) => !['rid', 'note', 'labels', 'viewers'].includes(name) && !name.startsWith('up') && !name.startsWith('key')));
    const alike = logical === 'team' ? lit(r.pick(this.world.tables[0].keyPool)[0]) : lit(value(r, table, logical));
    return r.pick([
      () => this.where(table, key()), () => this.where(table, key()), () => this.where(table, key()),
      () => `(${this.where(table, key())}) OR (${this.where(table, key())})`, () => (r.chance(0.5) ? `${q(table.names[logical])} = ${alike} AND rid > 0` : this.where(table, key())),
    ])();
  }

  // own: what stands before a column's name where it is read.
  set(table, own = '') {
    const { r } = this;
    const fresh = row(r, this.world, table, table.keys.map(() => ''));
    const free = Object.keys(fresh).filter((name) => !table.keys.includes(name));
    if (free.length === 0) return `${q(table.keys[0])} = ${own}${q(table.keys[0])}`;
    const picked = r.shuffle(free).slice(0, 1 + r.int(3));
    // Half a key of a parent is no parent.
    const ups = Object.entries(table.names).filter(([logical]) => logical.startsWith('up')).map(([, name]) => name);
    if (picked.some((name) => ups.includes(name))) picked.push(...ups.filter((name) => !picked.includes(name)));
    return picked.map((name) => `${q(name)} = ${r.chance(0.06) ? own + q(name) : fresh[name]}`).join(', ');
  }

  some() {
    const { r } = this;
    const table = this.table();
    const kinds = table.isAux
      ? ['insert', 'insert', 'insert', 'delete', 'delete', 'update', 'upsert', 'move', 'everyone', 'clear', 'replace']
      : ['insert', 'insert', 'child', 'child', 'child', 'child', 'child', 'upsert', 'upsert', 'update', 'update', 'update', 'update', 'delete', 'delete', 'move', 'swap', 'replace', 'flash', 'twice', 'takeover', 'together', 'together', 'clear', 'reparent'];
    if (this.options.truncate && r.chance(0.02)) return [`TRUNCATE ${table.sql}${r.chance(0.7) ? ' CASCADE' : ''}`];
    return this[r.pick(kinds)](table);
  }

  newRow(table, key) { return row(this.r, this.world, table, key ?? someKey(this.r, this.world, table)); }

  insert(table) { return [insert(table, Array.from({ length: 1 + this.r.int(3) }, () => this.newRow(table)), this.r.pick(['', ' ON CONFLICT DO NOTHING', ' ON CONFLICT DO NOTHING']))]; }
  upsert(table) { return [insert(table, [this.newRow(table)], ` ON CONFLICT (${table.keys.map(q).join(', ')}) DO UPDATE SET ${this.set(table, 'x.')}`)]; }
  // Rows for parents that are there.
  child(table) {
    const parent = this.world.tables.find((t) => t.name === table.parent);
    if (!parent || !this.tables.includes(parent)) return this.insert(table);
    const fresh = this.newRow(table);
    parent.keyNames.forEach((logical, i) => { fresh[table.names[`up${i}`]] = `p.${q(parent.names[logical])}`; });
    const order = this.r.pick(['ASC', 'DESC']);
    return [`INSERT INTO ${table.sql} (${Object.keys(fresh).map(q).join(', ')}) SELECT ${Object.entries(fresh).map(([name, sql]) => (sql.startsWith('p.') || sql === 'NULL' ? sql : `${sql}::${this.typeOf(table, name)}`)).join(', ')} FROM ${parent.sql} p WHERE p.rid > 0 ORDER BY p.rid ${order} LIMIT 1 ON CONFLICT DO NOTHING`];
  }

  typeOf(table, name) {
    const type = table.columns[name];
    return ['mood', 'word'].includes(type) ? `${q(this.world.schema)}.${type}` : type;
  }

  update(table) { return [`UPDATE ${table.sql} SET ${this.set(table)} WHERE ${this.someRows(table)}`]; }
  delete(table) { return [`DELETE FROM ${table.sql} WHERE ${this.someRows(table)}`]; }
  clear(table) { return this.r.chance(0.12) ? [`DELETE FROM ${table.sql} WHERE rid > 0`] : this.delete(table); }
  reparent(table) {
    const ups = Object.entries(table.names).filter(([logical]) => logical.startsWith('up') || logical === 'team').filter(([, name]) => !table.keys.includes(name));
    if (ups.length === 0) return this.update(table);
    const fresh = this.newRow(table);
    return [`UPDATE ${table.sql} SET ${ups.map(([, name]) => `${q(name)} = ${fresh[name]}`).join(', ')} WHERE ${this.someRows(table)}`];
  }

  // A new key; what refers to it goes along where the schema says so.
  move(table) {
    const to = someKey(this.r, this.world, table);
    const more = this.r.chance(0.3) ? `, ${this.set(table)}` : '';
    return [`UPDATE ${table.sql} SET ${table.keys.map((name, i) => `${q(name)} = ${lit(to[i])}`).join(', ')}${more} WHERE ${this.where(table, someKey(this.r, this.world, table))}`];
  }

  // Two rows exchange a value.
  swap(table) {
    const [a, b] = [someKey(this.r, this.world, table), someKey(this.r, this.world, table)];
    const name = q(table.names[this.r.pick(Object.keys(table.names).filter((one) => ['owner', 'org', 'open', 'kind', 'team', 'creator'].includes(one) && !table.keys.includes(table.names[one])))]);
    return [`UPDATE ${table.sql} AS x SET ${name} = y.${name} FROM ${table.sql} AS y WHERE ${[[a, b], [b, a]].map(([one, two]) => `(${table.keys.map((k, i) => `x.${q(k)} = ${lit(one[i])} AND y.${q(k)} = ${lit(two[i])}`).join(' AND ')})`).join(' OR ')}`];
  }

  replace(table) {
    const key = someKey(this.r, this.world, table);
    return [`DELETE FROM ${table.sql} WHERE ${this.where(table, key)}`, insert(table, [this.newRow(table, key)])];
  }

  flash(table) {
    const key = someKey(this.r, this.world, table);
    return [insert(table, [this.newRow(table, key)]), `DELETE FROM ${table.sql} WHERE ${this.where(table, key)}`];
  }

  twice(table) {
    const where = this.where(table, someKey(this.r, this.world, table));
    return [`UPDATE ${table.sql} SET ${this.set(table)} WHERE ${where}`, `UPDATE ${table.sql} SET ${this.set(table)} WHERE ${where}`];
  }

  // One row goes, another takes its key.
  takeover(table) {
    const [from, to] = [someKey(this.r, this.world, table), someKey(this.r, this.world, table)];
    return [`DELETE FROM ${table.sql} WHERE ${this.where(table, to)}`,
      `UPDATE ${table.sql} SET ${table.keys.map((name, i) => `${q(name)} = ${lit(to[i])}`).join(', ')} WHERE ${this.where(table, from)}`];
  }

  // Everyone is let in, or put out, at once.
  everyone(table) {
    const { r } = this;
    if (r.chance(0.4)) return this.delete(table);
    return [insert(table, Array.from({ length: 3 + r.int(4) }, () => this.newRow(table)), ' ON CONFLICT DO NOTHING')];
  }

  // Access and data in one commit, in either order.
  together(table) {
    const aux = this.tables.filter((t) => t.isAux);
    if (aux.length === 0) return this.update(table);
    const access = this.everyone(this.r.pick([aux[0], ...aux]));
    const data = this.r.pick([() => this.delete(table), () => this.update(table), () => this.child(table)])();
    return this.r.chance(0.5) ? [...access, ...data] : [...data, ...access];
  }
}
