// Bad days: what clients are told when Postgres, another client, a policy, the schema or the gateway itself
// misbehaves. Unmodified supabase-js throughout, except where the client is the attacker.
//
// usage: node --test tests/clients/faults/faults.test.mjs      ($GATEWAY_BIN, else the newest build)
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import WebSocket from 'ws';

import { Follower } from './follower.mjs';
import { STOP_MS, Server, anonKey, freezeThread, idOf, until } from './stack.mjs';
import { Writer, assertComplete } from './writer.mjs';

const ADA = 1;
const BEN = 2;
const limits = { timeout: 120_000 };

let server;
before(async () => { server = await Server.start(); }, limits);
after(async () => {
  await Follower.closeAll();
  await server?.stop();
}, limits);

const numbers = (rows) => rows.map((row) => row.n);
const range = (n) => Array.from({ length: n }, (_, i) => i + 1);
const OWNED = (table) => `CREATE TABLE ${table} (id serial PRIMARY KEY, n int, owner uuid);
  ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON ${table} FOR SELECT USING (owner = uid())`;

describe('Postgres goes away', limits, () => {
  let scenario;
  before(async () => {
    scenario = await server.scenario('outage', `${OWNED('log')}; CREATE TABLE noise (id serial, n int, owner uuid)`);
  });
  afterEach(() => server.up());
  after(() => scenario?.end());

  for (const mode of ['fast', 'immediate']) {
    test(`stopped (${mode}) and started under load: every acknowledged row arrives, in order`, async () => {
      await scenario.sql('DELETE FROM log');
      const follower = await Follower.open(scenario, ['log', 'marks'], ADA);
      const other = await Follower.open(scenario, ['log', 'noise', 'marks'], BEN);
      const writer = new Writer(scenario, 'log');
      const noise = [new Writer(scenario, 'noise'), new Writer(scenario, 'noise')];
      await writer.reached(100);
      const took = await server.down(mode);
      await server.up();
      await writer.reached(writer.acknowledged + 100);
      await Promise.all([writer, ...noise].map((one) => one.stop()));
      await follower.waitForRow('log', writer.acknowledged);
      assertComplete(follower.rows('log'), writer);
      await other.settle(scenario);
      assert.deepEqual(other.rows('log'), [], 'the rows of another user');
      assert.ok(took < STOP_MS, `the server took ${took} ms to stop`);
      await Promise.all([follower.close(), other.close()]);
    });
  }

  test('a fast stop is not held up by an idle gateway', async () => {
    const follower = await Follower.open(scenario, ['marks'], ADA);
    await follower.settle(scenario);
    const took = await server.down('fast');
    await server.up();
    assert.ok(took < STOP_MS, `the server took ${took} ms to stop`);
    await follower.settle(scenario);
    await follower.close();
  });

  // Each change of a table makes the gateway wait for a newer catalog, which a server that is stopping refuses.
  test('a fast stop is not held up by a gateway that waits for the catalog', async () => {
    const follower = await Follower.open(scenario, ['log', 'marks'], ADA);
    let isOver = false;
    const changing = (async () => {
      for (let i = 0; !isOver; i += 1) {
        // A few ahead of the gateway, so that it is always about to load one, and not long about it afterwards.
        await until(() => isOver || i < follower.rows('log').length + 10, 'rows between changes of the table');
        await scenario.sql(`COMMENT ON COLUMN noise.n IS '${i}'; ALTER TABLE log ALTER n SET STATISTICS ${i % 100};
          INSERT INTO log (n, owner) VALUES (${-i}, '${idOf(ADA)}')`).catch(() => { isOver = true; });
      }
    })();
    await follower.waitFor((event) => event.table === 'log' && event.new.n < -5, 'rows between changes of the table');
    const took = await server.down('fast');
    isOver = true;
    await changing;
    await server.up();
    assert.ok(took < STOP_MS, `the server took ${took} ms to stop`);
    await follower.settle(scenario);
    await follower.close();
  });
});

describe('a hostile client', limits, () => {
  let scenario;
  let follower;
  let written = 0;
  before(async () => {
    scenario = await server.scenario('hostile', OWNED('log'), { ROWCAST_WORKERS: '1' });
    follower = await Follower.open(scenario, ['log'], ADA);
  });
  after(async () => {
    await follower?.close();
    await scenario?.end();
  });

  // The other client, on the same worker, is still served.
  async function assertServed() {
    written += 1;
    await scenario.sql('INSERT INTO log (n, owner) VALUES ($1, $2)', [written, idOf(ADA)]);
    await follower.waitForRow('log', written);
    assert.equal(follower.losses, 0);
  }

  const opened = () => new Promise((resolve, reject) => {
    const socket = new WebSocket(scenario.socketUrl);
    socket.messages = [];
    socket.closed = new Promise((done) => { socket.once('close', (code) => done(code)); });
    socket.on('message', (data) => socket.messages.push(JSON.parse(data)));
    socket.once('open', () => { socket.on('error', () => {}); resolve(socket); });
    socket.once('error', reject);
  });
  const raw = (socket) => socket._socket; // underneath the frames
  const hasEnded = (socket) => until(() => socket.readyState === WebSocket.CLOSED, 'the end of the connection');

  test('garbage instead of HTTP', async () => {
    const [host, port] = scenario.listen.split(':');
    const socket = connect(Number(port), host);
    socket.on('error', () => {});
    const closed = new Promise((done) => { socket.once('close', done); });
    socket.resume();
    socket.write(Buffer.from(range(4096).map((i) => (i * 7919) % 256)));
    await assertServed();
    socket.end();
    await closed;
  });

  test('garbage instead of frames ends that connection', async () => {
    const socket = await opened();
    raw(socket).write(Buffer.alloc(4096, 0xff));
    await hasEnded(socket);
    await assertServed();
  });

  test('a message of 10 MB ends in 1009', async () => {
    const socket = await opened();
    socket.send('x'.repeat(10_000_000));
    assert.equal(await socket.closed, 1009);
    await assertServed();
  });

  test('half a frame and then nothing', async () => {
    const socket = await opened();
    raw(socket).write(Buffer.from([0x81, 0xfe, 0x10, 0x00, 1, 2, 3, 4, 0x5b, 0x5b])); // 4096 bytes are announced
    await assertServed();
    socket.terminate();
    await assertServed();
  });

  test('invalid UTF-8 ends that connection, or is dropped', async () => {
    const socket = await opened();
    raw(socket).write(Buffer.from([0x81, 0x84, 0, 0, 0, 0, 0xc3, 0x28, 0xff, 0xfe]));
    const before = (await scenario.metrics()).messages_malformed_total;
    await until(async () => socket.readyState === WebSocket.CLOSED
      || (await scenario.metrics()).messages_malformed_total > before, 'an answer to invalid UTF-8');
    await assertServed();
    socket.terminate();
  });

  test('messages that are no messages are counted, and the connection lives', async () => {
    const socket = await opened();
    const before = (await scenario.metrics()).messages_malformed_total;
    const bad = ['', '{', 'null', '[]', '[1,2,3,4,5]', '["1","1","t","phx_join"]', `${'['.repeat(10_000)}`, '"\\ud800"'];
    for (const text of bad) socket.send(text);
    socket.send(Buffer.from([9, 9, 9, 9]));
    socket.send('[null,"7","phoenix","heartbeat",{}]');
    await until(() => socket.messages.some((message) => message[1] === '7'), 'the answer to a heartbeat');
    assert.ok((await scenario.metrics()).messages_malformed_total > before);
    await assertServed();
    socket.terminate();
  });

  test('a thousand joins on one socket: 100 channels, the rest is refused', async () => {
    const socket = await opened();
    const payload = { config: { postgres_changes: [{ event: '*', schema: 'public', table: 'log' }] }, access_token: anonKey };
    for (let i = 0; i < 1000; i += 1) {
      socket.send(JSON.stringify([String(i), String(i), `realtime:many-${i}`, 'phx_join', payload]));
    }
    const replies = () => socket.messages.filter((message) => message[3] === 'phx_reply');
    await until(() => replies().length >= 1000, 'a thousand replies');
    const ok = replies().filter((message) => message[4].status === 'ok');
    const refused = replies().filter((message) => message[4].status === 'error');
    assert.equal(ok.length, 100);
    assert.equal(refused.length, 900);
    for (const [, , , , { response }] of refused) assert.match(response.reason, /^ChannelRateLimitReached/);
    await assertServed();
    socket.terminate();
    await assertServed();
  });
});

describe('policies that misbehave', limits, () => {
  let scenario;
  const TABLES = ['sleeps', 'writes', 'raises', 'resets'];
  before(async () => {
    scenario = await server.scenario('policies', `
      ${OWNED('sound')}; ${TABLES.map((table) => `CREATE TABLE ${table} (id serial PRIMARY KEY, n int, owner uuid);
        ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`).join(';')};
      CREATE TABLE ledger (n int);
      GRANT ALL ON ledger TO authenticated;
      CREATE FUNCTION f_sleeps(int) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(30); RETURN true; END $$;
      CREATE FUNCTION f_writes(int) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO ledger VALUES ($1); RETURN true; END $$;
      CREATE FUNCTION f_raises(int) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN IF $1 = 13 THEN RAISE 'unlucky'; END IF; RETURN true; END $$;
      CREATE FUNCTION f_resets(int) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN RESET ROLE; RETURN true; END $$;
      ${TABLES.map((table) => `CREATE POLICY bad ON ${table} FOR SELECT USING (f_${table}(n) AND owner = uid())`).join(';')}`);
  });
  after(() => scenario?.end());

  const add = (table, ...ns) => scenario.sql(`INSERT INTO ${table} (n, owner) SELECT n, $2 FROM unnest($1::int[]) AS n`, [ns, idOf(ADA)]);
  const both = (tables) => Promise.all([ADA, BEN].map((user) => Follower.open(scenario, [...tables, 'sound', 'marks'], user)));

  test('one row raises: that row is denied, its neighbours are not', async () => {
    const [ada, ben] = await both(['raises']);
    const before = await scenario.metrics();
    await add('raises', 11, 12, 13, 14);
    await add('sound', 1);
    await Promise.all([ada, ben].map((one) => one.settle(scenario)));
    assert.deepEqual(numbers(ada.rows('raises')), [11, 12, 14]);
    assert.deepEqual(numbers(ada.rows('sound')), [1]);
    assert.deepEqual([ben.rows('raises'), ben.rows('sound')], [[], []]);
    assert.ok((await scenario.metrics()).policy_errors_total > before.policy_errors_total);
    await Promise.all([ada.close(), ben.close()]);
  });

  for (const table of ['writes', 'resets']) {
    test(`a policy that ${table === 'writes' ? 'writes' : 'resets the role'} denies, and what follows is judged soundly`, async () => {
      const [ada, ben] = await both([table]);
      const before = await scenario.metrics();
      await scenario.sql(`WITH a AS (INSERT INTO ${table} (n, owner) VALUES (1, '${idOf(ADA)}'))
        INSERT INTO sound (n, owner) VALUES (2, '${idOf(ADA)}'), (3, '${idOf(BEN)}')`);
      await add('sound', 4);
      await Promise.all([ada, ben].map((one) => one.settle(scenario)));
      assert.deepEqual([ada.rows(table), ben.rows(table)], [[], []]);
      assert.deepEqual(numbers(ada.rows('sound')), [2, 4]);
      assert.deepEqual(numbers(ben.rows('sound')), [3]);
      assert.deepEqual(await scenario.sql('SELECT * FROM ledger'), []);
      assert.ok((await scenario.metrics()).policy_errors_total > before.policy_errors_total);
      await Promise.all([ada.close(), ben.close()]);
    });
  }

  test('a policy that sleeps: its subscribers are told to resync, other tables go on', async () => {
    const [ada, ben] = await both([]);
    const sleeper = await Follower.open(scenario, ['sleeps', 'marks'], ADA);
    const before = await scenario.metrics();
    await add('sleeps', 1);
    await add('sound', 5);
    await ada.waitForRow('sound', 5);
    await until(() => sleeper.losses > 0, 'the loss of the channel');
    await sleeper.subscribed(2);
    await ada.settle(scenario);
    const now = await scenario.metrics();
    assert.ok(now.resync_budget_total > before.resync_budget_total);
    assert.ok(now.question_timeouts_total > before.question_timeouts_total);
    assert.deepEqual([ada.losses, ben.losses], [0, 0]);
    assert.deepEqual(sleeper.rows('sleeps'), []);
    await Promise.all([ada, ben, sleeper].map((one) => one.close()));
  });
});

describe('the schema changes under its followers', limits, () => {
  let scenario;
  before(async () => {
    scenario = await server.scenario('schema', `${OWNED('owned')}; CREATE TABLE shared (id serial PRIMARY KEY, n int, owner uuid)`);
  });
  after(() => scenario?.end());

  // [what is done before, the insert, what is delivered but for id and owner]
  const STEPS = [
    [undefined, '(n, owner) VALUES (1, $1)', { n: 1 }],
    ['ADD COLUMN note text', "(n, owner, note) VALUES (2, $1, 'new')", { n: 2, note: 'new' }],
    ['RENAME COLUMN note TO remark', "(n, owner, remark) VALUES (3, $1, 'renamed')", { n: 3, remark: 'renamed' }],
    ['ALTER COLUMN remark TYPE int USING 0', '(n, owner, remark) VALUES (4, $1, 44)', { n: 4, remark: 44 }],
    ['DROP COLUMN remark', '(n, owner) VALUES (5, $1)', { n: 5 }],
    ['ADD COLUMN remark jsonb', "(n, owner, remark) VALUES (6, $1, '{\"a\": [1]}')", { n: 6, remark: { a: [1] } }],
    ['ALTER COLUMN n TYPE bigint', "(n, owner, remark) VALUES (7, $1, NULL)", { n: 7, remark: null }],
  ];
  const columns = (row) => Object.fromEntries(Object.entries(row).filter(([name]) => !['id', 'owner'].includes(name)));
  const wanted = STEPS.map(([, , row]) => row);

  async function step(table, [change, insert]) {
    if (change) await scenario.sql(`ALTER TABLE ${table} ${change}`);
    await scenario.sql(`INSERT INTO ${table} ${insert}`, [idOf(ADA)]);
  }

  test('a table with a policy: every insert comes with the columns of its time', async () => {
    const [ada, ben] = await Promise.all([ADA, BEN].map((user) => Follower.open(scenario, ['owned', 'marks'], user)));
    for (const one of STEPS) {
      await step('owned', one);
      await ada.waitForRow('owned', one[2].n); // a row is asked about as a row of the table there is now
    }
    await ben.settle(scenario);
    assert.deepEqual(ada.rows('owned').map(columns), wanted);
    assert.deepEqual(ben.rows('owned'), []);
    assert.deepEqual([ada.losses, ben.losses], [0, 0]);
    await Promise.all([ada.close(), ben.close()]);
  });

  // A column that is gone again by the time the gateway looks is left out: who may read it is not known any more.
  test('a table open to all: also when nobody waits in between', async () => {
    const ada = await Follower.open(scenario, ['shared', 'marks'], ADA);
    for (const one of STEPS) await step('shared', one);
    await ada.settle(scenario);
    const rows = ada.rows('shared').map(columns);
    assert.deepEqual(numbers(rows), range(STEPS.length));
    rows.forEach((row, i) => assert.deepEqual({ ...wanted[i], ...row }, wanted[i], 'no other columns, no other values'));
    assert.equal(ada.losses, 0);
    await ada.close();
  });

  test('TRUNCATE is told as a lost channel; after the rejoin changes come again', async () => {
    const ada = await Follower.open(scenario, ['owned'], ADA);
    const other = await Follower.open(scenario, ['shared', 'marks'], BEN);
    const before = await scenario.metrics();
    await scenario.sql('TRUNCATE owned');
    await until(() => ada.losses > 0, 'the loss of the channel');
    await ada.subscribed(2);
    await scenario.sql('INSERT INTO owned (n, owner) VALUES (8, $1)', [idOf(ADA)]);
    await ada.waitForRow('owned', 8);
    await other.settle(scenario);
    assert.equal(other.losses, 0);
    assert.equal((await scenario.metrics()).resync_truncate_total, before.resync_truncate_total + 1);
    await Promise.all([ada.close(), other.close()]);
  });
});

describe('a transaction over its cap', limits, () => {
  let scenario;
  before(async () => {
    scenario = await server.scenario('large', `${OWNED('log')}; ${OWNED('other')}; ALTER TABLE log ADD COLUMN filling text`,
      { ROWCAST_MAX_TXN_BYTES: '1MiB' });
  });
  after(() => scenario?.end());

  test('is a resync of its tables, in bounded memory; later changes flow', async () => {
    const ada = await Follower.open(scenario, ['log'], ADA);
    const ben = await Follower.open(scenario, ['other', 'marks'], BEN);
    await ben.settle(scenario);
    const before = scenario.residentBytes();
    let most = before;
    // 64 MiB of rows, all of them of a user who is following.
    const writing = scenario.sql("INSERT INTO log (n, owner, filling) SELECT n, $1, repeat('x', 2000) FROM generate_series(1, 32000) AS n", [idOf(ADA)]);
    await until(() => {
      most = Math.max(most, scenario.residentBytes());
      return ada.losses > 0;
    }, 'the loss of the channel');
    await writing;
    await ada.subscribed(2);
    assert.ok(most - before < 24 * 1024 * 1024, `memory grew by ${most - before} bytes`);
    assert.equal((await scenario.metrics()).resync_overflow_total, 1);
    await scenario.sql('INSERT INTO log (n, owner) VALUES (0, $1)', [idOf(ADA)]);
    await scenario.sql('INSERT INTO other (n, owner) VALUES (0, $1)', [idOf(BEN)]);
    await ada.waitForRow('log', 0);
    await ben.waitForRow('other', 0);
    assert.deepEqual(numbers(ada.rows('log')), [0]);
    assert.equal(ben.losses, 0);
    await Promise.all([ada.close(), ben.close()]);
  });
});

describe('the gateway is restarted', limits, () => {
  let scenario;
  before(async () => { scenario = await server.scenario('restart', OWNED('log')); });
  after(() => scenario?.end());

  const write = (n) => scenario.sql('INSERT INTO log (n, owner) VALUES ($1, $2)', [n, idOf(ADA)]);

  for (const signal of ['SIGTERM', 'SIGKILL']) {
    test(`${signal}: clients come back and receive again`, async () => {
      const followers = await Promise.all([ADA, ADA, ADA].map((user) => Follower.open(scenario, ['log'], user)));
      const socket = new WebSocket(scenario.socketUrl);
      socket.on('error', () => {});
      const closed = new Promise((done) => { socket.once('close', done); });
      await until(() => socket.readyState === WebSocket.OPEN, 'the socket');
      await write(1);
      await Promise.all(followers.map((one) => one.waitForRow('log', 1)));
      const exit = await scenario.signal(signal);
      assert.deepEqual(exit, signal === 'SIGTERM' ? { code: 0, signal: null } : { code: null, signal });
      assert.equal(await closed, signal === 'SIGTERM' ? 1012 : 1006);
      await scenario.start();
      await Promise.all(followers.map((one) => one.subscribed(2)));
      await write(2);
      await Promise.all(followers.map((one) => one.waitForRow('log', 2)));
      await Promise.all(followers.map((one) => one.close()));
    });
  }
});

describe('one worker stands still', limits, () => {
  let scenario;
  before(async () => { scenario = await server.scenario('frozen', OWNED('log'), { ROWCAST_WORKERS: '2' }); });
  after(() => scenario?.end());

  test('the clients of the other worker keep receiving, its own get everything afterwards', async (t) => {
    const followers = [];
    for (let i = 0; i < 6; i += 1) followers.push(await Follower.open(scenario, ['log', 'marks'], ADA));
    const frozen = await freezeThread(scenario.threadOf('rc-worker-0'));
    if (frozen.refused) {
      t.skip(`a thread cannot be stopped here: ${frozen.refused}`);
      return;
    }
    let served;
    try {
      // Two seconds' worth of commits; a client is served if it has each before the next one.
      for (let n = 1; n <= 20; n += 1) {
        await scenario.sql('INSERT INTO log (n, owner) VALUES ($1, $2)', [n, idOf(ADA)]);
        await new Promise((next) => { setTimeout(next, 100); });
      }
      await until(() => followers.some((one) => one.rows('log').length === 20), 'rows past a frozen worker');
      const halves = Map.groupBy ? Map.groupBy(followers, (one) => one.rows('log').length) : null;
      served = halves ? [...halves.keys()].sort((a, b) => a - b) : [0, 20];
    } finally {
      await frozen.release();
    }
    await until(() => followers.every((one) => one.rows('log').length === 20), 'rows for all');
    for (const one of followers) assert.deepEqual(numbers(one.rows('log')), range(20));
    assert.deepEqual(served, [0, 20], 'one worker stood still, the other did not');
    assert.ok(followers.every((one) => one.losses === 0));
    await Promise.all(followers.map((one) => one.close()));
  });
});

describe('access is withdrawn in one commit, the next one writes', limits, () => {
  const ROUNDS = 8;
  let scenario;
  // [name, what withdraws, what gives back]; each of a table that all may read and of one with owners.
  const WAYS = [
    ['REVOKE', 'REVOKE SELECT ON t FROM authenticated', 'GRANT SELECT ON t TO authenticated'],
    ['DROP POLICY', 'DROP POLICY may ON t', 'CREATE POLICY may ON t FOR SELECT USING (expression)'],
    ['a narrower policy', 'ALTER POLICY may ON t USING (false)', 'ALTER POLICY may ON t USING (expression)'],
    ['a restrictive policy', 'CREATE POLICY no ON t AS RESTRICTIVE USING (false)', 'DROP POLICY no ON t'],
    ['ENABLE ROW LEVEL SECURITY', 'DROP POLICY may ON t; ALTER TABLE t ENABLE ROW LEVEL SECURITY',
      'CREATE POLICY may ON t FOR SELECT USING (expression); ALTER TABLE t DISABLE ROW LEVEL SECURITY'],
  ];
  const EXPRESSIONS = { everyone: 'true', owner: 'owner = uid()' };
  const tableOf = (path, i) => `${path}_${i}`;

  before(async () => {
    const tables = Object.entries(EXPRESSIONS).flatMap(([path, expression]) => WAYS.map(([name], i) => {
      const table = tableOf(path, i);
      return `CREATE TABLE ${table} (id serial PRIMARY KEY, n int, owner uuid);
        CREATE POLICY may ON ${table} FOR SELECT USING (${expression});
        ${name.startsWith('ENABLE') ? '' : `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`}`;
    }));
    scenario = await server.scenario('access', tables.join(';'));
  });
  after(() => scenario?.end());

  for (const [path, expression] of Object.entries(EXPRESSIONS)) {
    WAYS.forEach(([name, withdraw, giveBack], i) => {
      test(`${name} (${path})`, async () => {
        const table = tableOf(path, i);
        const ada = await Follower.open(scenario, [table, 'marks'], ADA);
        const client = await scenario.pool.connect();
        const alter = async (text) => {
          for (const one of text.split('; ')) await client.query(one.replaceAll(' t ', ` ${table} `).replace(/ t$/, ` ${table}`).replace('expression', expression));
        };
        const write = (n) => client.query(`INSERT INTO ${table} (n, owner) VALUES ($1, $2)`, [n, idOf(ADA)]);
        for (let round = 1; round <= ROUNDS; round += 1) {
          await write(round);
          await ada.waitForRow(table, round); // or the withdrawal would narrow it: asked is asked now
          await alter(withdraw);
          await write(-round);
          await ada.settle(scenario); // or what is given back would be found by the question
          await alter(giveBack);
        }
        client.release();
        await ada.settle(scenario);
        assert.deepEqual(numbers(ada.rows(table)), range(ROUNDS));
        assert.equal(ada.losses, 0);
        await ada.close();
      });
    });
  }
});
