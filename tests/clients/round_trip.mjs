// One full round trip through a running gateway, with figures: ten unmodified supabase-js clients and a
// stranger subscribe, fifty edits are committed as one of them, each of the ten must receive every one
// in order and the stranger none. Exit 0 if so, 1 if not. scripts/demo --check runs it.
import { Feed, settle } from './support/feed.mjs';
import { as, idOf, pool, tokenOf } from './support/stack.mjs';

const ADA = 1;
const BEN = 2;
const CHLOE = 3;
const EDITS = 50;
const ITEM = 3;
const BINDINGS = [{ event: 'UPDATE', schema: 'public', table: 'itinerary_items', filter: 'trip_id=eq.1' }];

const percentile = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
const ms = (value) => `${value.toFixed(2)} ms`;

async function subscribe() {
  const feeds = [];
  const joins = [];
  const users = [...Array(5).fill(ADA), ...Array(5).fill(BEN), CHLOE];
  for (const user of users) {
    const began = performance.now();
    feeds.push(await Feed.open({ token: tokenOf(user), bindings: BINDINGS }));
    joins.push(performance.now() - began);
  }
  return { subscribers: feeds.slice(0, -1), stranger: feeds.at(-1), joins: joins.sort((a, b) => a - b) };
}

// The time is taken just before COMMIT is sent, so that it includes the commit itself.
async function edit(i, subscribers) {
  const title = `Tram 28, edit ${i}`;
  let committing;
  const arrivals = subscribers.map((feed) => feed.waitFor((event) => event.new.title === title, title)
    .then(() => performance.now()));
  await as(ADA, async (db) => {
    const { rowCount } = await db.query('UPDATE itinerary_items SET title = $1 WHERE id = $2', [title, ITEM]);
    if (rowCount !== 1) throw new Error('Ada could not edit her item');
    committing = performance.now();
  });
  return (await Promise.all(arrivals)).map((arrival) => arrival - committing);
}

async function run() {
  const { subscribers, stranger, joins } = await subscribe();
  const latencies = [];
  for (let i = 1; i <= EDITS; i += 1) latencies.push(...await edit(i, subscribers));
  await settle(stranger, ...subscribers);
  const got = subscribers.map((feed) => feed.take().map((event) => event.new.title));
  const leaked = stranger.take().length;
  const wanted = Array.from({ length: EDITS }, (_, i) => `Tram 28, edit ${i + 1}`).join();
  const complete = got.filter((titles) => titles.join() === wanted).length;
  latencies.sort((a, b) => a - b);

  console.log(`connect and join   p50 ${ms(percentile(joins, 0.5))}, slowest ${ms(joins.at(-1))} (${joins.length} clients)`);
  console.log(`commit → client    p50 ${ms(percentile(latencies, 0.5))}, p99 ${ms(percentile(latencies, 0.99))} `
    + `(${EDITS} edits × ${subscribers.length} subscribers)`);
  console.log(`complete, in order ${complete} of ${subscribers.length} subscribers`);
  console.log(`stranger received  ${leaked} (${idOf(CHLOE)})`);
  await Promise.all([...subscribers, stranger].map((feed) => feed.close()));
  return complete === subscribers.length && leaked === 0;
}

let held = false;
try {
  held = await run();
} catch (error) {
  console.error(error.message);
}
await pool.end();
console.log(held ? 'the round trip held' : 'the round trip did NOT hold');
process.exit(held ? 0 : 1);
