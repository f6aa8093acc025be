// Equivalence, at large: for every seeded user and every table, the rows whose change reaches the user's
// socket are exactly the rows that Postgres shows to that user. Every row is touched, one transaction a
// table; Postgres itself says what was to be expected.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Feed, takeAll } from './support/feed.mjs';
import { as, asAnon, asService, pool, sql, tokenOf, transaction } from './support/stack.mjs';

const USERS = Array.from({ length: 50 }, (_, i) => i + 1);
// What to touch: a column that nothing looks at, set to itself. Every UPDATE is logged.
const TABLES = {
  trips: 'description', trip_collaborators: 'created_at', itinerary_items: 'description',
  flights: 'airline', accommodations: 'address', chat_sessions: 'metadata', chat_messages: 'metadata',
  chat_tool_calls: 'arguments', user_api_keys: 'is_valid', destinations: 'country', currencies: 'name',
};
const OPEN_TO_ALL = ['destinations', 'currencies'];
const keyOf = (table) => (table === 'currencies' ? 'code' : 'id');

const readers = [
  ...USERS.map((n) => ({ name: `user ${n}`, token: tokenOf(n), read: (work) => as(n, work) })),
  { name: 'anon', token: undefined, read: asAnon },
  { name: 'service_role', token: tokenOf(1, { role: 'service_role' }), read: asService },
];

// No privilege at all is an error in SQL, and an empty set here.
async function visibleKeys(reader, table) {
  try {
    return await reader.read(async (db) => (await db.query(`SELECT ${keyOf(table)} AS key FROM ${table}`))
      .rows.map((row) => String(row.key)).sort());
  } catch (error) {
    if (error.code === '42501') return [];
    throw error;
  }
}

describe('every user receives what Postgres shows them', { timeout: 300_000 }, () => {
  before(async () => {
    await Promise.all(readers.map(async (reader, i) => {
      reader.feed = await Feed.everything(reader.token, { vsn: i % 2 ? '1.0.0' : '2.0.0' });
    }));
  });
  after(() => Promise.all(readers.map((reader) => reader.feed?.close())));

  for (const [table, column] of Object.entries(TABLES)) {
    test(`${table}: the set of keys is the same for all ${readers.length} readers`, async () => {
      const feeds = readers.map((reader) => reader.feed);
      await takeAll(...feeds);
      const [{ count }] = await sql(`SELECT count(*) FROM ${table}`);
      await transaction((db) => db.query(`UPDATE ${table} SET ${column} = ${column}`));
      const expected = await Promise.all(readers.map((reader) => visibleKeys(reader, table)));
      const received = await takeAll(...feeds);
      assert.equal(received.at(-1).length, count, 'service_role receives every row');
      if (!OPEN_TO_ALL.includes(table)) {
        assert.ok(expected.some((keys) => keys.length > 0 && keys.length < count), 'the table divides its readers');
      }
      for (const [i, reader] of readers.entries()) {
        const keys = received[i].map((event) => String(event.new[keyOf(table)]));
        assert.ok(received[i].every((event) => event.table === table && event.eventType === 'UPDATE'));
        assert.deepEqual(keys.sort(), expected[i], `${reader.name}, ${table}`);
      }
    });
  }
});

after(async () => {
  await Feed.closeAll();
  await pool.end();
});
