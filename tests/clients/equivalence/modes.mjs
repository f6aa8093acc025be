// The ways to run a world. batch(session, transactions, at) runs transactions that belong together and has them judged.
//
//   plain       one commit after the other
//   paused      the gateway is stopped while commits pile up, then goes on; half of the seeds start like that
//   tiny        as little memory for the access state as can be set, and too many rows: they are read by key, and forgotten
//   altered     policies, functions, privileges change between the commits
//   concurrent  several writers at once, on tables that nothing ties together; what they did is done again in the order of the log,
//               in a copy of the database: so the states between are known exactly
//   standby     likewise, and commits wait for a standby that is not there: they are in the log, and not visible
import { Random } from '../oracle/random.mjs';
import { drawAlteration } from './alterations.mjs';
import { pause, until } from './server.mjs';
import { Writer } from './transactions.mjs';
import { allTables, makeWorld, someClaims } from './world.mjs';

async function oneByOne(session, transactions, at) {
  for (const [i, transaction] of transactions.entries()) await session.judge([await session.record(transaction, at + i)]);
}

async function piled(session, transactions, at) {
  const records = [];
  session.gateway.stopForNow();
  try {
    for (const [i, transaction] of transactions.entries()) records.push(await session.record(transaction, at + i));
  } finally {
    session.gateway.goOn();
  }
  await session.judge(records, { isPiled: true });
}

// ---- several writers

async function connectWriters(session, count) {
  session.writers ??= [];
  while (session.writers.length < count) session.writers.push(await session.server.connect(session.database));
}

// The transactions of a batch, each by its writer; their marks in the order of the log; then the same again in the copy.
async function together(session, transactions, at, around) {
  await connectWriters(session, 1 + Math.max(...transactions.map((one) => one.writer)));
  const byMark = new Map(transactions.map((transaction, i) => [session.marks + 1 + i, { transaction, at: at + i }]));
  session.marks += transactions.length;
  const run = (writer) => [...byMark].filter(([, one]) => one.transaction.writer === writer)
    .reduce((before, [mark, one]) => before.then(async () => {
      one.failed = await session.write(session.writers[writer], one.transaction, mark, one.transaction.isHeld === undefined ? '' : `SET LOCAL synchronous_commit = ${one.transaction.isHeld ? 'on' : 'local'}; `);
    }), Promise.resolve());
  await around(session, () => Promise.all(session.writers.map((_, writer) => run(writer))));
  await session.followers[0].until(() => session.followers[0].commits.length >= transactions.length, 'all marks');
  const records = [];
  for (const { mark } of session.followers[0].commits.slice(0, transactions.length)) {
    const one = byMark.get(mark);
    const failed = await session.write(session.shadow.db, one.transaction, mark);
    if (JSON.stringify(failed) !== JSON.stringify(one.failed)) throw new Error(`the copy went another way: ${JSON.stringify(failed)}, not ${JSON.stringify(one.failed)}`);
    records.push(await session.recorded(one.transaction, one.at, mark, failed, session.shadow.db));
  }
  await session.judge(records, { isPiled: true });
}

const atOnce = (session, work) => work();

// Held until all that can have committed hang, or are through; some time for the gateway to be misled; then released.
async function held(session, work) {
  const { admin } = session.server;
  const set = async (names) => {
    await admin.query(`ALTER SYSTEM SET synchronous_standby_names = '${names}'`);
    await admin.query('SELECT pg_reload_conf()');
    await until(async () => (await admin.query('SHOW synchronous_standby_names')).rows[0].synchronous_standby_names === names, 'the setting');
  };
  await admin.query('SET synchronous_commit = local');
  await set('absent');
  let isDone = false;
  const done = work().finally(() => { isDone = true; });
  const isStill = async () => {
    if (isDone) return true;
    const { rows } = await admin.query("SELECT count(*) FILTER (WHERE wait_event = 'SyncRep') AS hanging, count(*) FILTER (WHERE state <> 'idle' AND wait_event IS DISTINCT FROM 'SyncRep') AS busy FROM pg_stat_activity WHERE datname = $1 AND pid = ANY ($2)",
      [session.database, session.writers.map((one) => one.processID)]);
    return Number(rows[0].hanging) > 0 && Number(rows[0].busy) === 0;
  };
  try {
    await until(isStill, 'commits that hang');
    await pause(40);
  } finally {
    await set('');
    await done;
  }
}

// ---- alterations

// The change and the commits right behind it, before anything is waited for; how tables are judged is read again in between. Old
// images of those commits need not be judged: which policies stood just before them is not certain. A batch of one has no change.
async function altered(session, transactions, at) {
  const records = [];
  let isOldDoubtful = false;
  for (const [i, transaction] of transactions.entries()) {
    isOldDoubtful ||= transaction.alter !== undefined;
    records.push({ ...await session.record(transaction, at + i), isOldDoubtful });
  }
  if (isOldDoubtful) await session.readPaths();
  await session.judge(records, { isPiled: true });
}

const isEven = (world) => world.seed % 2 === 0;

export const modes = {
  plain: { batch: oneByOne },
  paused: { batch: piled, size: (r) => r.pick([5, 20, 40]), isCold: isEven, readsLate: isEven },
  tiny: { batch: (session, list, at) => (at % 2 ? piled : oneByOne)(session, list, at), size: (r) => 1 + r.int(6), readsLate: () => true, isShort: true, ballast: 1000, settings: { ROWCAST_ACCESS_STATE_BYTES: process.env.EQUIVALENCE_STATE_BYTES ?? '64KiB' } },
  altered: { batch: altered, size: (r) => 1 + r.int(4), alters: true },
  concurrent: { batch: (session, list, at) => together(session, list, at, atOnce), needsShadow: true, size: () => 9, writers: true },
  standby: { batch: (session, list, at) => together(session, list, at, held), needsShadow: true, size: () => 3, writers: true, holds: true },
};

// ---- transactions of a world for a mode

function writersOf(r, world, how) {
  if (!how.writers) return [new Writer(r, world, allTables(world), { truncate: true })];
  const named = (role) => world.aux.filter((t) => t.name === world.roleOf[role]);
  return [new Writer(r, world, world.tables), new Writer(r, world, named('members')), new Writer(r, world, [...named('blocks'), ...named('profiles')])];
}

// Someone comes back after the commit, as he was or with other claims.
function comingBack(r, world) {
  if (!r.chance(0.06)) return {};
  const at = r.int(world.users.length - 2);
  const { claims } = world.users[at];
  const n = Number((claims.sub ?? '9').slice(-1));
  const fresh = { ...someClaims(r, n), role: claims.role };
  if (claims.sub === undefined) delete fresh.sub;
  return { comesBack: { user: world.users[at].name, claims: r.chance(0.4) ? claims : fresh } };
}

export function prepare(seed, mode, count) {
  const how = modes[mode];
  const world = makeWorld(seed, { isLoose: how.writers === true, ballast: how.ballast });
  const r = new Random(seed * 104729 + 5);
  const writers = writersOf(r, world, how);
  const later = { ...world, tables: structuredClone(world.tables), functions: world.functions };
  world.transactions = [];
  for (let batch = 0; world.transactions.length < count; batch += 1) {
    const size = how.size ? how.size(r) : 1;
    for (let i = 0; i < size; i += 1) {
      if (how.alters && i === 0 && size > 1) {
        world.transactions.push({ alter: drawAlteration(r, later), batch });
        continue;
      }
      const writer = i % writers.length;
      world.transactions.push({ ...writers[writer].transaction(), ...comingBack(r, world), ...(how.size ? { batch } : {}), ...(how.writers ? { writer } : {}), ...(how.holds ? { isHeld: r.chance(0.7) } : {}) });
    }
  }
  delete world.byRole;
  return world;
}
