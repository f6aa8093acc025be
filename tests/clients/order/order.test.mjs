// A policy dropped or tightened in one commit and a secret row in the next: the row never meets the old policy, whatever
// kind of catalog change it was. And the other way round, a row after the loosening commit is not lost.
//
// In each round the change hides what is written next, a row is written, the change is taken back, a row is written.
// For the first two gateways the catalog is never polled, so that only what tells of a change in order with the data
// counts: the message of the event trigger, or without it a Relation message. For the others it is polled, and what has
// no signal in order must end within the poll. With the event trigger two more are certain: a row before the change in
// the same transaction, and a change taken back before anyone could look (then the row's table may be told to load again).
//
// usage: node --test order.test.mjs     ORDER_ROUNDS=N rounds per kind, ORDER_POLLED_ROUNDS=N where it is polled,
//   ORDER_KINDS=name,… ORDER_SUITES=trigger,relation,polled,bare   GATEWAY_BIN the gateway
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Gateway, Server, until } from '../equivalence/server.mjs';
import { kinds, ROLES, ROLES_SQL, schemaSql } from './kinds.mjs';
import { Reader } from './reader.mjs';

const ROUNDS = Number(process.env.ORDER_ROUNDS ?? 15);
const POLLED_ROUNDS = Number(process.env.ORDER_POLLED_ROUNDS ?? Math.min(ROUNDS, 2));
const POLL_MS = 100;
const WINDOW_MS = POLL_MS + 3000; // the load of a catalog included, on a busy machine
const NEVER_MS = '3600000';
const wanted = process.env.ORDER_KINDS?.split(',');
const suites = process.env.ORDER_SUITES?.split(',');
const chosen = kinds.filter((k) => !wanted || wanted.includes(k.name));

const commits = (...statements) => statements.map((one) => `BEGIN; ${one}; COMMIT`).join('; ');
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

// How a change and a row come one after the other. Each ends with a mark, in a commit of its own.
const MODES = {
  // Commits of one session, sent without waiting for the first.
  pipelined: (run, row, mark) => run.db.query(commits(run.kind.tighten, row, mark)),
  together: (run, row, mark) => run.db.query(commits(`${run.kind.tighten}; ${row}`, mark)),
  // The row before the change, and both take effect at once.
  rowFirst: (run, row, mark) => run.db.query(commits(`${row}; ${run.kind.tighten}`, mark)),
  // The row's session starts right after the other's commit has returned.
  twoSessions: async (run, row, mark) => {
    await run.db.query(run.kind.tighten);
    await run.other.query(commits(row, mark));
  },
};
// Taken back again before anyone had time to look.
const isBrief = (n) => n % 5 === 4;

class Run {
  constructor(site, kind, modes) { Object.assign(this, { ...site, kind, modes, delays: [], plain: [], leaks: [], lostRows: 0, briefLost: 0 }); }

  next() { this.count.n += 1; return this.count.n; }
  mark(n) { return `INSERT INTO ord.mark VALUES (${n})`; }

  isLeak(event, id) {
    const record = event.record ?? event.old_record ?? {};
    if (record.id !== id) return false;
    if (!this.kind.lacks) return true;
    return this.kind.lacks.some((column) => column in record) || (this.kind.filter && event.ids.includes(this.reader.ids[1]));
  }

  look(events, secret, how) {
    const leaked = events.filter((event) => this.isLeak(event, secret));
    if (leaked.length > 0) this.leaks.push(`${how}: ${JSON.stringify(leaked[0])}`);
  }

  // The time from the send of its commit to its arrival, or undefined: it did not come.
  async open(sql, id, mark, delays) {
    const start = performance.now();
    await this.db.query(commits(...sql, this.kind.insert(id), this.mark(mark)));
    const events = await this.reader.takeUntil(mark);
    const came = events.find((event) => event.record?.id === id);
    if (came) delays.push(came.at - start);
    return { came, events };
  }

  async round(n) {
    if (isBrief(n) && this.isExact) return this.brief();
    const [how, mode] = this.modes[n % this.modes.length];
    const [secret, shown, usual, first, second, third] = Array.from({ length: 6 }, () => this.next());
    await mode(this, this.kind.insert(secret), this.mark(first));
    this.look(await this.reader.takeUntil(first), secret, how);
    const { came, events } = await this.open([this.kind.loosen], shown, second, this.delays);
    this.look(events, secret, how);
    if (!came) this.lostRows += 1;
    await this.open([], usual, third, this.plain);
  }

  async brief() {
    const [secret, shown, mark] = [this.next(), this.next(), this.next()];
    const lost = this.reader.lost;
    const { came, events } = await this.open([this.kind.tighten, this.kind.insert(secret), this.kind.loosen], shown, mark, this.delays);
    this.look(events, secret, 'brief');
    await this.reader.settled();
    if (came) return;
    if (this.reader.lost > lost) this.briefLost += 1; // told to load again
    else this.lostRows += 1;
  }

  // Two loads after the change, the second of which started after it, it holds.
  async polledRound() {
    const loads = async () => (await this.gateway.metrics()).rowcast_catalog_generation;
    const passed = async (sql) => {
      const start = performance.now();
      await this.db.query(sql);
      const seen = await loads();
      await until(async () => await loads() >= seen + 2, 'a polled catalog');
      return performance.now() - start;
    };
    this.delays.push(await passed(this.kind.tighten));
    const [secret, shown, first, second] = [this.next(), this.next(), this.next(), this.next()];
    await this.db.query(commits(this.kind.insert(secret), this.mark(first)));
    this.look(await this.reader.takeUntil(first), secret, 'after the poll');
    this.delays.push(await passed(this.kind.loosen));
    const { came } = await this.open([], shown, second, this.plain);
    if (!came) this.lostRows += 1;
  }

  report(rounds) {
    const added = this.plain.length > 0 && this.delays.length > 0 ? ` p50 ${median(this.plain).toFixed(1)} ms, with the change ${median(this.delays).toFixed(1)} ms, at most ${Math.max(...this.delays).toFixed(1)} ms` : '';
    return `${this.kind.name}: ${rounds} rounds, ${this.leaks.length} leaks, ${this.lostRows} lost, ${this.reader.lost} resyncs,${added}`;
  }
}

describe('catalog changes are in order with the data', { timeout: 3_600_000 }, () => {
  let server;
  let count = 0;

  before(async () => {
    server = await Server.start();
    await server.admin.query(ROLES_SQL);
  });
  after(() => { if (server && process.env.ORDER_KEEP) server.isKept = true; return server?.stop(); });

  async function open(hasTrigger, poll) {
    count += 1;
    const name = `order_${count}`;
    await server.admin.query(`CREATE DATABASE ${name}`);
    const [db, other] = await Promise.all([server.connect(name), server.connect(name)]);
    await db.query(schemaSql);
    const gateway = await Gateway.start(server, name, { ROWCAST_ROLES: ROLES.join(','), ROWCAST_CLAIM_SETTINGS: '', ROWCAST_CATALOG_POLL_MS: poll });
    const { rows } = await db.query("SELECT evtname FROM pg_event_trigger WHERE evtname LIKE 'rowcast%'");
    assert.equal(rows.length, 2, 'setup installed the event triggers');
    if (!hasTrigger) await db.query(rows.map((row) => `DROP EVENT TRIGGER ${row.evtname}`).join('; '));
    return { name, db, other, gateway, count: { n: 0 } };
  }

  async function close(site) {
    const trouble = await site.gateway.stop();
    await Promise.all([site.db.end(), site.other.end()]);
    await server.drop(site.name);
    assert.equal(trouble, null);
  }

  function each(which, { name,  hasTrigger, poll, modes, isExact, rounds, step }) {
    if (suites && !suites.includes(name)) return;
    describe(which.title, () => {
      let site;
      before(async () => { site = await open(hasTrigger, poll); });
      after(() => site && close(site));
      for (const kind of which.kinds) {
        test(kind.name, async (t) => {
          const run = new Run({ ...site, isExact }, kind, modes.map((how) => [how, MODES[how]]));
          run.reader = await Reader.open(site.gateway.url, kind);
          try {
            for (let n = 0; n < rounds; n += 1) await run[step](n);
          } finally {
            run.reader.close();
            t.diagnostic(run.report(rounds));
          }
          assert.deepEqual(run.leaks.slice(0, 3), []);
          assert.equal(run.lostRows, 0, 'rows after the loosening commit that did not come');
          if (step === 'polledRound') assert.ok(Math.max(...run.delays) < WINDOW_MS, `a window of ${Math.max(...run.delays)} ms`);
        });
      }
    });
  }

  const by = (...signals) => chosen.filter((k) => signals.includes(k.by));
  each({ title: 'told by the event trigger', kinds: by('relation', 'trigger') },
    { name: 'trigger', hasTrigger: true, poll: NEVER_MS, modes: Object.keys(MODES), isExact: true, rounds: ROUNDS, step: 'round' });
  each({ title: 'told by Relation messages', kinds: by('relation') },
    { name: 'relation', hasTrigger: false, poll: NEVER_MS, modes: ['pipelined', 'together', 'twoSessions'], isExact: false, rounds: ROUNDS, step: 'round' });
  each({ title: 'polled, with the event trigger', kinds: by('poll') }, { name: 'polled', hasTrigger: true, poll: String(POLL_MS), modes: [], rounds: POLLED_ROUNDS, step: 'polledRound' });
  each({ title: 'polled, without it', kinds: by('trigger') }, { name: 'bare', hasTrigger: false, poll: String(POLL_MS), modes: [], rounds: POLLED_ROUNDS, step: 'polledRound' });
});
