// What unmodified clients receive, in both serializers: the basic promises, one by one.
// Seed: trip 1 is Ada's (1), Ben (2) edits it, Daniel (4) watches it; Chloe (3) has nothing to do with it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Feed, brief, settle, takeAll } from './support/feed.mjs';
import { as, asService, idOf, pool, sql, tokenOf, transaction } from './support/stack.mjs';

const ADA = 1;
const BEN = 2;
const CHLOE = 3;
const DANIEL = 4;
const TRIP = 1;

const everything = { timeout: 120_000 };
const kinds = (events) => events.map(brief);
const only = (events) => {
  assert.equal(events.length, 1, `one event, not ${kinds(events).join(', ')}`);
  return events[0];
};

async function addItem(user, title, trip = TRIP) {
  return as(user, async (db) => (await db.query(
    `INSERT INTO itinerary_items (trip_id, user_id, item_type, title, position)
     VALUES ($1, $2, 'activity', $3, 900) RETURNING id`, [trip, idOf(user), title])).rows[0].id);
}

for (const vsn of ['1.0.0', '2.0.0']) {
  describe(`serializer ${vsn}`, everything, () => {
    let ada;
    let ben;
    let chloe;
    let daniel;
    const all = () => [ada, ben, daniel, chloe];

    before(async () => {
      [ada, ben, chloe, daniel] = await Promise.all([ADA, BEN, CHLOE, DANIEL]
        .map((user) => Feed.everything(tokenOf(user), { vsn })));
    });
    after(() => Promise.all(all().map((feed) => feed?.close())));

    test('an insert reaches owner, editor and viewer, and no stranger', async () => {
      await settle(...all());
      all().forEach((feed) => feed.take());
      const id = await addItem(BEN, `Aqueduct walk ${vsn}`);
      const [a, b, d, c] = await takeAll(...all());
      for (const events of [a, b, d]) {
        const event = only(events);
        assert.equal(brief(event), `INSERT itinerary_items ${id}`);
        assert.equal(event.schema, 'public');
        assert.equal(event.new.title, `Aqueduct walk ${vsn}`);
        assert.equal(event.new.trip_id, TRIP);
        assert.deepEqual(event.new.metadata, {});
        assert.equal(event.new.price, null);
        assert.deepEqual(event.old, {});
        assert.equal(event.errors, null);
        assert.ok(Number.isFinite(Date.parse(event.commit_timestamp)));
      }
      assert.deepEqual(kinds(c), []);
    });

    test('an update brings the new row and, with a full identity, the old one', async () => {
      const id = await addItem(ADA, 'Before');
      await as(BEN, (db) => db.query("UPDATE itinerary_items SET title = 'After', price = 12.5 WHERE id = $1", [id]));
      const [a, b, d, c] = await takeAll(...all());
      for (const events of [a, b, d]) {
        assert.deepEqual(kinds(events), [`INSERT itinerary_items ${id}`, `UPDATE itinerary_items ${id}`]);
        const event = events[1];
        assert.equal(event.new.title, 'After');
        assert.equal(event.new.price, 12.5);
        assert.equal(event.new.updated_by, idOf(BEN));
        assert.equal(event.old.title, 'Before');
        assert.equal(event.old.price, null);
      }
      assert.deepEqual(kinds(c), []);
    });

    test('a delete reaches those who could see the row, and nobody else', async () => {
      const id = await addItem(ADA, 'To be deleted');
      await as(BEN, (db) => db.query('DELETE FROM itinerary_items WHERE id = $1', [id]));
      const [a, b, d, c] = await takeAll(...all());
      for (const events of [a, b, d]) {
        assert.deepEqual(kinds(events), [`INSERT itinerary_items ${id}`, `DELETE itinerary_items ${id}`]);
        assert.equal(events[1].old.title, 'To be deleted');
        assert.deepEqual(events[1].new, {});
      }
      assert.deepEqual(kinds(c), []);
    });

    test('flights are told to their traveller, not to the trip', async () => {
      const [flight] = await sql('SELECT id FROM flights WHERE trip_id = $1 AND user_id = $2 LIMIT 1', [TRIP, idOf(DANIEL)]);
      await sql("UPDATE flights SET booking_status = 'booked' WHERE id = $1", [flight.id]);
      const [a, b, d, c] = await takeAll(...all());
      assert.deepEqual([a, b, d, c].map(kinds), [[], [], [`UPDATE flights ${flight.id}`], []]);
    });

    test('accommodations are told to the owner of the trip, old rows as far as their identity goes', async () => {
      const [hotel] = await sql('SELECT id FROM accommodations WHERE trip_id = $1', [TRIP]);
      await sql("UPDATE accommodations SET room_type = 'suite', amenities = '{wifi,\"late, checkout\"}' WHERE id = $1", [hotel.id]);
      const [a, b, d, c] = await takeAll(...all());
      assert.deepEqual([a, b, d, c].map(kinds), [[`UPDATE accommodations ${hotel.id}`], [], [], []]);
      assert.deepEqual(a[0].new.amenities, ['wifi', 'late, checkout']);
    });

    test('a conversation about the trip reaches its members: session, message, tool call', async () => {
      const ids = await asService(async (db) => {
        const session = await db.query("INSERT INTO chat_sessions (trip_id, user_id, metadata) VALUES ($1, $2, '{\"title\": \"x\"}') RETURNING id", [TRIP, idOf(BEN)]);
        const message = await db.query("INSERT INTO chat_messages (session_id, user_id, role, content) VALUES ($1, $2, 'assistant', '[]') RETURNING id", [session.rows[0].id, idOf(BEN)]);
        const call = await db.query("INSERT INTO chat_tool_calls (message_id, tool_name) VALUES ($1, 'search_places') RETURNING id", [message.rows[0].id]);
        return [session.rows[0].id, message.rows[0].id, call.rows[0].id];
      });
      const wanted = [`INSERT chat_sessions ${ids[0]}`, `INSERT chat_messages ${ids[1]}`, `INSERT chat_tool_calls ${ids[2]}`];
      const [a, b, d, c] = await takeAll(...all());
      assert.deepEqual([a, b, d, c].map(kinds), [wanted, wanted, wanted, []]);
    });

    test('a secret column is in no event, whatever happens to its row', async () => {
      const id = await as(BEN, async (db) => {
        await db.query("INSERT INTO user_api_keys (user_id, service, encrypted_key) VALUES ($1, $2, 'secret-inserted')", [idOf(BEN), `trains ${vsn}`]);
        return (await db.query('SELECT id FROM user_api_keys WHERE service = $1', [`trains ${vsn}`])).rows[0].id;
      });
      await as(BEN, (db) => db.query("UPDATE user_api_keys SET encrypted_key = 'secret-updated' WHERE id = $1", [id]));
      await asService((db) => db.query('UPDATE user_api_keys SET is_valid = false WHERE id = $1', [id]));
      await as(BEN, (db) => db.query('DELETE FROM user_api_keys WHERE id = $1', [id]));
      const [a, b, d, c] = await takeAll(...all());
      assert.deepEqual([a, d, c].map(kinds), [[], [], []]);
      assert.deepEqual(kinds(b), ['INSERT', 'UPDATE', 'UPDATE', 'DELETE'].map((kind) => `${kind} user_api_keys ${id}`));
      assert.deepEqual(Object.keys(b[0].new).sort(), ['created_at', 'id', 'is_valid', 'service', 'updated_at', 'user_id']);
      assert.doesNotMatch(JSON.stringify(b), /secret-|encrypted_key/);
    });

    test('filters and kinds narrow what a channel is sent', async () => {
      const table = { schema: 'public', table: 'itinerary_items' };
      const [booked, inserts, other] = await Promise.all([
        { ...table, event: '*', filter: 'booking_status=eq.booked' },
        { ...table, event: 'INSERT', filter: `trip_id=eq.${TRIP}` },
        { ...table, event: '*', filter: 'trip_id=eq.2' },
      ].map((binding) => Feed.open({ token: tokenOf(ADA), vsn, bindings: [binding] })));
      const id = await addItem(ADA, 'Filtered');
      await as(ADA, (db) => db.query("UPDATE itinerary_items SET booking_status = 'booked' WHERE id = $1", [id]));
      await as(ADA, (db) => db.query("UPDATE itinerary_items SET booking_status = 'planned' WHERE id = $1", [id]));
      const got = await takeAll(booked, inserts, other);
      assert.deepEqual(got.map(kinds), [[`UPDATE itinerary_items ${id}`], [`INSERT itinerary_items ${id}`], []]);
      await Promise.all([booked, inserts, other].map((feed) => feed.close()));
      await takeAll(...all());
    });
  });
}

describe('what a reader may know of the old row', everything, () => {
  // Items move between trip 1 (Ada, Ben, Daniel) and trip 3 (Chloe's).
  let ada;
  let chloe;
  let service;

  before(async () => {
    [ada, chloe, service] = await Promise.all([
      Feed.everything(tokenOf(ADA)), Feed.everything(tokenOf(CHLOE)),
      Feed.everything(tokenOf(ADA, { role: 'service_role' })),
    ]);
  });
  after(() => Promise.all([ada, chloe, service].map((feed) => feed?.close())));

  test('sees the new row only: the change without the old values; the old row only: nothing', async () => {
    const id = await addItem(ADA, 'Only Ada knew this title');
    await takeAll(ada, chloe, service);
    await sql("UPDATE itinerary_items SET trip_id = 3, title = 'Chloe has it now' WHERE id = $1", [id]);
    const [a, c, s] = await takeAll(ada, chloe, service);
    assert.deepEqual(kinds(a), []);
    const event = only(c);
    assert.equal(event.new.title, 'Chloe has it now');
    assert.doesNotMatch(JSON.stringify(event), /Only Ada knew/);
    assert.deepEqual(Object.keys(event.old ?? {}).filter((name) => name !== 'id'), []);
    assert.equal(only(s).old.title, 'Only Ada knew this title');
  });

  test('a member who was removed hears no later change; one who was invited hears the next', async () => {
    const id = await addItem(ADA, 'Shared');
    await takeAll(ada, chloe, service);
    const edit = (title) => as(ADA, (db) => db.query('UPDATE itinerary_items SET title = $1 WHERE id = $2', [title, id]));
    const titles = (events) => events.filter((event) => event.table === 'itinerary_items').map((event) => event.new.title);

    // Settled in between: whoever is asked about now must be asked while it is so.
    const received = { a: [], c: [] };
    const step = async (title) => {
      await edit(title);
      const [a, c] = await takeAll(ada, chloe);
      received.a.push(...titles(a));
      received.c.push(...titles(c));
    };
    await step('before the invitation');
    await as(ADA, (db) => db.query("INSERT INTO trip_collaborators (trip_id, user_id, role) VALUES ($1, $2, 'viewer')", [TRIP, idOf(CHLOE)]));
    await step('while invited');
    await as(ADA, (db) => db.query('DELETE FROM trip_collaborators WHERE trip_id = $1 AND user_id = $2', [TRIP, idOf(CHLOE)]));
    await step('after the removal');
    assert.deepEqual(received.a, ['before the invitation', 'while invited', 'after the removal']);
    assert.deepEqual(received.c, ['while invited']);
  });

  test('one commit tells its net effect, at most one event a row', async () => {
    await takeAll(ada, chloe, service);
    const ids = await transaction(async (db) => {
      const add = async (title) => (await db.query(
        `INSERT INTO itinerary_items (trip_id, user_id, item_type, title) VALUES ($1, $2, 'meal', $3) RETURNING id`,
        [TRIP, idOf(ADA), title])).rows[0].id;
      const kept = await add('first thought');
      const gone = await add('never mind');
      await db.query("UPDATE itinerary_items SET title = 'second thought' WHERE id = $1", [kept]);
      await db.query('DELETE FROM itinerary_items WHERE id = $1', [gone]);
      return { kept, gone };
    });
    const [a] = await takeAll(ada);
    const event = only(a);
    assert.equal(brief(event), `INSERT itinerary_items ${ids.kept}`);
    assert.equal(event.new.title, 'second thought');
  });

  test('large values that an update left alone are still there', async () => {
    const long = Array.from({ length: 4000 }, (_, i) => `line ${i * 7919}`).join(' ');
    const id = await addItem(ADA, 'With a long text');
    await sql('UPDATE itinerary_items SET description = $1 WHERE id = $2', [long, id]);
    await takeAll(ada);
    await sql('UPDATE itinerary_items SET position = position + 1 WHERE id = $1', [id]);
    const [a] = await takeAll(ada);
    assert.equal(only(a).new.description, long);
  });
});

describe('order', everything, () => {
  test('all readers see the same commits in the same order, the rows of one commit together', async () => {
    const users = [ADA, BEN, DANIEL];
    const feeds = await Promise.all([...users, ...users, ...users].map((user, i) =>
      Feed.open({ token: tokenOf(user), vsn: i % 2 ? '1.0.0' : '2.0.0', bindings: ['itinerary_items'] })));
    // Two writers at a time, so that commits interleave; each commit names itself in all of its rows.
    const ids = (await sql('SELECT id FROM itinerary_items WHERE trip_id = $1 ORDER BY id LIMIT 6', [TRIP])).map((row) => row.id);
    const write = async (writer) => {
      const own = ids.filter((_, i) => i % 2 === writer);
      for (let n = 0; n < 25; n += 1) {
        await transaction((db) => db.query('UPDATE itinerary_items SET title = $1 WHERE id = ANY ($2)', [`commit ${writer}-${n}`, own]));
      }
    };
    await Promise.all([write(0), write(1)]);
    const sequences = (await takeAll(...feeds)).map((events) => events.map((event) => `${event.new.title} ${event.new.id}`));
    assert.equal(sequences[0].length, 150);
    for (const sequence of sequences) assert.deepEqual(sequence, sequences[0]);
    const commits = sequences[0].map((line) => line.split(' ')[1]);
    const runs = commits.filter((commit, i) => commit !== commits[i - 1]);
    assert.equal(runs.length, 50, 'every commit is one unbroken run');
    for (const writer of ['0', '1']) {
      const numbers = runs.filter((run) => run[0] === writer).map((run) => Number(run.slice(2)));
      assert.deepEqual(numbers, Array.from({ length: 25 }, (_, i) => i));
    }
    await Promise.all(feeds.map((feed) => feed.close()));
  });
});

describe('reference data', everything, () => {
  test('anon hears of tables that are open to all, and of no others', async () => {
    const anon = await Feed.everything(undefined);
    const ada = await Feed.everything(tokenOf(ADA));
    await sql("UPDATE currencies SET units_per_euro = units_per_euro + 0.000001 WHERE code = 'JPY'");
    await sql('UPDATE destinations SET tags = tags WHERE id = 2');
    await sql('UPDATE trips SET budget = budget + 1 WHERE id = $1', [TRIP]);
    const [nobody, a] = await takeAll(anon, ada);
    assert.deepEqual(nobody.map((event) => event.new.code ?? event.new.name), ['JPY', 'Kyoto']);
    assert.deepEqual(a.map((event) => event.table), ['currencies', 'destinations', 'trips']);
    await Promise.all([anon.close(), ada.close()]);
  });
});

after(async () => {
  await Feed.closeAll();
  await pool.end();
});
