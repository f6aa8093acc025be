// What clients that ask for it are told when rows come into their sight and leave it: `moves` for a row whose
// own UPDATE did it, `scopes` for rows that stayed as they were while somebody's access to them changed. The
// clients are unmodified; the options travel in config.broadcast, which the library passes on as it is.
//
// Every test makes trips of its own, so that members and strangers are what it says they are.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';

import { Feed, brief, takeAll } from './support/feed.mjs';
import { as, asService, idOf, pool, tokenOf } from './support/stack.mjs';

const [OWNER, EDITOR, VIEWER, GUEST, STRANGER] = [31, 32, 33, 34, 35];

const everything = { timeout: 120_000 };
const kinds = (events) => events.map(brief);
const both = { moves: true, scopes: true };
const asking = (user, more) => Feed.everything(tokenOf(user), { rowcast: both, ...more });

// members: [[user, role], …]. Returns the id.
async function newTrip(owner, ...members) {
  return asService(async (db) => {
    const { rows: [{ id }] } = await db.query(
      `INSERT INTO trips (user_id, name, destination, start_date, end_date)
       VALUES ($1, 'A trip of its own', 'Lisbon', '2027-05-01', '2027-05-08') RETURNING id`, [idOf(owner)]);
    for (const [user, role] of members) {
      await db.query('INSERT INTO trip_collaborators (trip_id, user_id, role) VALUES ($1, $2, $3)', [id, idOf(user), role]);
    }
    return id;
  });
}

async function newItem(trip, user, title) {
  return asService(async (db) => (await db.query(
    `INSERT INTO itinerary_items (trip_id, user_id, item_type, title) VALUES ($1, $2, 'activity', $3) RETURNING id`,
    [trip, idOf(user), title])).rows[0].id);
}

async function newHotel(trip) {
  return asService(async (db) => (await db.query(
    `INSERT INTO accommodations (trip_id, name, check_in_date, check_out_date, price_per_night)
     VALUES ($1, 'Casa do Jasmim', '2027-05-01', '2027-05-08', 90) RETURNING id`, [trip])).rows[0].id);
}

async function membershipOf(trip, user) {
  return asService(async (db) => (await db.query(
    'SELECT id FROM trip_collaborators WHERE trip_id = $1 AND user_id = $2', [trip, idOf(user)])).rows[0].id);
}

// "gained itinerary_items trip_id=42", sorted, each feed's since it was last asked. Call after takeAll.
const scopesOf = (...feeds) => feeds.map((feed) => feed.scopes.splice(0)
  .map(({ access, table, column, value }) => `${access} ${table} ${column}=${value}`).sort());
const includesAll = (scopes, ...wanted) => {
  for (const scope of wanted) assert.ok(scopes.includes(scope), `"${scope}" is not among [${scopes.join(', ')}]`);
};
const about = (scopes, ...tables) => scopes.filter((scope) => tables.includes(scope.split(' ')[1]));

async function withFeeds(opening, work) {
  const feeds = await Promise.all(opening);
  try {
    await takeAll(...feeds);
    scopesOf(...feeds);
    await work(...feeds);
  } finally {
    await Promise.all(feeds.map((feed) => feed.close()));
  }
}

for (const vsn of ['1.0.0', '2.0.0']) {
  describe(`an item moves to another trip, serializer ${vsn}`, everything, () => {
    test('members of the old trip see it go, those of the new one see it come, those of both see it change', async () => {
      const from = await newTrip(OWNER, [EDITOR, 'editor'], [VIEWER, 'viewer']);
      const to = await newTrip(GUEST, [EDITOR, 'editor']);
      const id = await newItem(from, OWNER, 'Seen by the old trip alone');
      await withFeeds([OWNER, VIEWER, EDITOR, GUEST, STRANGER].map((user) => asking(user, { vsn })), async (...feeds) => {
        await as(EDITOR, (db) => db.query("UPDATE itinerary_items SET trip_id = $1, title = 'Moved' WHERE id = $2", [to, id]));
        const [owner, viewer, editor, guest, stranger] = await takeAll(...feeds);
        for (const events of [owner, viewer]) {
          assert.deepEqual(kinds(events), [`DELETE itinerary_items ${id}`]);
          assert.deepEqual(events[0].old, { id });
          assert.deepEqual(events[0].new, {});
          assert.equal(events[0].errors, null);
          assert.doesNotMatch(JSON.stringify(events), /Moved/);
        }
        assert.deepEqual(kinds(editor), [`UPDATE itinerary_items ${id}`]);
        assert.equal(editor[0].old.trip_id, from);
        assert.equal(editor[0].new.trip_id, to);
        assert.deepEqual(kinds(guest), [`INSERT itinerary_items ${id}`]);
        assert.equal(guest[0].new.title, 'Moved');
        assert.deepEqual(guest[0].old, {});
        assert.doesNotMatch(JSON.stringify(guest), /Seen by the old trip/);
        assert.deepEqual(kinds(stranger), []);
        // Nobody's access changed: the row went, the rules stayed.
        assert.deepEqual(scopesOf(...feeds), [[], [], [], [], []]);
      });
    });
  });
}

describe('moves', everything, () => {
  test('who does not ask is told as before: the newcomer of an UPDATE, the others nothing', async () => {
    const from = await newTrip(OWNER);
    const to = await newTrip(GUEST);
    const id = await newItem(from, OWNER, 'Quiet');
    const opening = [Feed.everything(tokenOf(OWNER)), Feed.everything(tokenOf(GUEST)),
      asking(OWNER, { rowcast: { moves: false } }), asking(GUEST, { rowcast: { scopes: true } })];
    await withFeeds(opening, async (...feeds) => {
      await asService((db) => db.query('UPDATE itinerary_items SET trip_id = $1 WHERE id = $2', [to, id]));
      const received = await takeAll(...feeds);
      assert.deepEqual(received.map(kinds), [[], [`UPDATE itinerary_items ${id}`], [], [`UPDATE itinerary_items ${id}`]]);
      assert.deepEqual(received[1][0].old, {});
    });
  });

  test('events and filters of a binding are those of what the UPDATE has become', async () => {
    const from = await newTrip(OWNER);
    const to = await newTrip(GUEST);
    const id = await newItem(from, OWNER, 'Filtered');
    const of = (event, filter) => ({ event, schema: 'public', table: 'itinerary_items', ...(filter && { filter }) });
    const open = (user, binding) => Feed.open({ token: tokenOf(user), bindings: [binding], rowcast: { moves: 'true' } });
    const opening = [
      open(OWNER, of('DELETE')), open(OWNER, of('UPDATE')), open(OWNER, of('*', `trip_id=eq.${from}`)),
      open(OWNER, of('*', `trip_id=eq.${to}`)), open(GUEST, of('INSERT')), open(GUEST, of('UPDATE')),
      open(GUEST, of('*', `trip_id=eq.${to}`)), open(GUEST, of('*', `trip_id=eq.${from}`)),
    ];
    await withFeeds(opening, async (...feeds) => {
      await asService((db) => db.query('UPDATE itinerary_items SET trip_id = $1 WHERE id = $2', [to, id]));
      const gone = [`DELETE itinerary_items ${id}`];
      const come = [`INSERT itinerary_items ${id}`];
      assert.deepEqual((await takeAll(...feeds)).map(kinds), [gone, [], gone, [], come, [], come, []]);
    });
  });

  test('a row that leaves by the columns of a smaller identity tells its key and no more', async () => {
    const from = await newTrip(OWNER);
    const to = await newTrip(GUEST);
    const id = await newHotel(from);
    await withFeeds([asking(OWNER), asking(GUEST)], async (...feeds) => {
      await asService((db) => db.query('UPDATE accommodations SET trip_id = $1 WHERE id = $2', [to, id]));
      const [owner, guest] = await takeAll(...feeds);
      assert.deepEqual(kinds(owner), [`DELETE accommodations ${id}`]);
      assert.deepEqual(owner[0].old, { id });
      assert.deepEqual(kinds(guest), [`INSERT accommodations ${id}`]);
    });
  });
});

describe('scopes', everything, () => {
  test('an invitation tells the invitee what there is to load, and the members of the invitation alone', async () => {
    const trip = await newTrip(OWNER, [VIEWER, 'viewer']);
    const id = await newItem(trip, OWNER, 'Was here before');
    await withFeeds([asking(OWNER), asking(VIEWER), asking(GUEST), asking(STRANGER), Feed.everything(tokenOf(GUEST))], async (...feeds) => {
      await as(OWNER, (db) => db.query("INSERT INTO trip_collaborators (trip_id, user_id, role) VALUES ($1, $2, 'editor')", [trip, idOf(GUEST)]));
      const invitation = [`INSERT trip_collaborators ${await membershipOf(trip, GUEST)}`];
      assert.deepEqual((await takeAll(...feeds)).map(kinds), [invitation, invitation, invitation, [], invitation]);
      const received = feeds[2].scopes.find((scope) => scope.table === 'itinerary_items');
      assert.equal(received.schema, 'public');
      assert.equal(typeof received.value, 'number');
      assert.ok(Number.isFinite(Date.parse(received.commit_timestamp)));
      assert.deepEqual(received.bindings.length, 1);
      assert.ok(received.bindings.every(Number.isInteger));
      const [owner, viewer, guest, stranger, unasked] = scopesOf(...feeds);
      includesAll(guest, `gained itinerary_items trip_id=${trip}`, `gained trips id=${trip}`);
      assert.deepEqual(guest.filter((scope) => scope.startsWith('lost')), []);
      assert.deepEqual(about(guest, 'accommodations', 'flights'), [], 'those are the owner\'s and the traveller\'s');
      assert.deepEqual([owner, viewer, stranger, unasked], [[], [], [], []]);
      // From here on the guest is a member like any other.
      await as(GUEST, (db) => db.query("UPDATE itinerary_items SET title = 'Edited by the guest' WHERE id = $1", [id]));
      const [, , edited] = await takeAll(...feeds);
      assert.deepEqual(kinds(edited), [`UPDATE itinerary_items ${id}`]);
    });
  });

  test('a removal tells who was removed what to forget, and nothing that comes after it', async () => {
    const trip = await newTrip(OWNER, [VIEWER, 'viewer'], [GUEST, 'viewer']);
    const id = await newItem(trip, OWNER, 'Before');
    const membership = await membershipOf(trip, GUEST);
    await withFeeds([asking(OWNER), asking(VIEWER), asking(GUEST), asking(STRANGER)], async (...feeds) => {
      await asService(async (db) => {
        await db.query("UPDATE itinerary_items SET title = 'In the commit that removes' WHERE id = $1", [id]);
        await db.query('DELETE FROM trip_collaborators WHERE id = $1', [membership]);
      });
      await as(OWNER, (db) => db.query("UPDATE itinerary_items SET title = 'After' WHERE id = $1", [id]));
      const [owner, viewer, guest, stranger] = await takeAll(...feeds);
      const removal = `DELETE trip_collaborators ${membership}`;
      const edit = `UPDATE itinerary_items ${id}`;
      for (const events of [owner, viewer]) assert.deepEqual(kinds(events), [edit, removal, edit]);
      // The guest saw the item before that commit and does not see it after: for him it left.
      assert.deepEqual(kinds(guest), [`DELETE itinerary_items ${id}`, removal]);
      assert.deepEqual(guest[0].old, { id });
      assert.doesNotMatch(JSON.stringify(guest), /In the commit that removes|After/);
      assert.deepEqual(kinds(stranger), []);
      const scopes = scopesOf(...feeds);
      includesAll(scopes[2], `lost itinerary_items trip_id=${trip}`, `lost trips id=${trip}`);
      assert.deepEqual(scopes[2].filter((scope) => scope.startsWith('gained')), []);
      assert.deepEqual([scopes[0], scopes[1], scopes[3]], [[], [], []]);
    });
  });

  test('leaving and coming back in one commit changes nothing that could be told', async () => {
    const trip = await newTrip(OWNER, [GUEST, 'viewer']);
    await newItem(trip, OWNER, 'Stays');
    await withFeeds([asking(GUEST)], async (guest) => {
      await asService(async (db) => {
        await db.query('DELETE FROM trip_collaborators WHERE trip_id = $1', [trip]);
        await db.query("INSERT INTO trip_collaborators (trip_id, user_id, role) VALUES ($1, $2, 'editor')", [trip, idOf(GUEST)]);
      });
      await takeAll(guest);
      assert.deepEqual(about(scopesOf(guest)[0], 'trips', 'itinerary_items'), []);
    });
  });

  test('a trip that changes hands leaves its owner and comes to the new one, accommodations included', async () => {
    const trip = await newTrip(OWNER, [VIEWER, 'viewer']);
    await newItem(trip, OWNER, 'Stays in the trip');
    await newHotel(trip);
    await withFeeds([asking(OWNER), asking(VIEWER), asking(GUEST), asking(STRANGER)], async (...feeds) => {
      await asService((db) => db.query('UPDATE trips SET user_id = $1 WHERE id = $2', [idOf(GUEST), trip]));
      const [owner, viewer, guest, stranger] = await takeAll(...feeds);
      assert.deepEqual(kinds(owner), [`DELETE trips ${trip}`]);
      assert.deepEqual(owner[0].old, { id: trip });
      assert.deepEqual(kinds(viewer), [`UPDATE trips ${trip}`]);
      assert.equal(viewer[0].old.user_id, idOf(OWNER));
      assert.deepEqual(kinds(guest), [`INSERT trips ${trip}`]);
      assert.equal(guest[0].new.user_id, idOf(GUEST));
      assert.deepEqual(kinds(stranger), []);
      const scopes = scopesOf(...feeds);
      includesAll(scopes[0], `lost itinerary_items trip_id=${trip}`, `lost accommodations trip_id=${trip}`);
      includesAll(scopes[2], `gained itinerary_items trip_id=${trip}`, `gained accommodations trip_id=${trip}`);
      assert.deepEqual([scopes[1], scopes[3]], [[], []]);
    });
  });

  test('an owner who stays as a member loses only what is the owner\'s', async () => {
    const trip = await newTrip(OWNER, [OWNER, 'viewer']);
    await newItem(trip, OWNER, 'Still seen');
    await newHotel(trip);
    await withFeeds([asking(OWNER)], async (owner) => {
      await asService((db) => db.query('UPDATE trips SET user_id = $1 WHERE id = $2', [idOf(GUEST), trip]));
      const [events] = await takeAll(owner);
      assert.deepEqual(kinds(events), [`UPDATE trips ${trip}`]);
      assert.equal(events[0].old.user_id, idOf(OWNER));
      const [scopes] = scopesOf(owner);
      includesAll(scopes, `lost accommodations trip_id=${trip}`);
      assert.deepEqual(about(scopes, 'itinerary_items', 'trips', 'trip_collaborators'), []);
    });
  });

  test('a deleted trip is gone for all of its members at once; sessions stay with their users', async () => {
    const trip = await newTrip(OWNER, [EDITOR, 'editor'], [VIEWER, 'viewer']);
    const items = [await newItem(trip, OWNER, 'One'), await newItem(trip, EDITOR, 'Two')];
    const hotel = await newHotel(trip);
    const members = [await membershipOf(trip, EDITOR), await membershipOf(trip, VIEWER)];
    const session = await asService(async (db) => (await db.query(
      'INSERT INTO chat_sessions (trip_id, user_id) VALUES ($1, $2) RETURNING id', [trip, idOf(EDITOR)])).rows[0].id);
    await withFeeds([asking(OWNER), asking(EDITOR), asking(VIEWER), asking(STRANGER)], async (...feeds) => {
      await as(OWNER, (db) => db.query('DELETE FROM trips WHERE id = $1', [trip]));
      const [owner, editor, viewer, stranger] = (await takeAll(...feeds)).map(kinds);
      const gone = [`DELETE trips ${trip}`, ...members.map((id) => `DELETE trip_collaborators ${id}`),
        ...items.map((id) => `DELETE itinerary_items ${id}`)];
      assert.deepEqual(owner.sort(), [...gone, `DELETE accommodations ${hotel}`, `DELETE chat_sessions ${session}`].sort());
      assert.deepEqual(editor.sort(), [...gone, `UPDATE chat_sessions ${session}`].sort());
      assert.deepEqual(viewer.sort(), [...gone, `DELETE chat_sessions ${session}`].sort());
      assert.deepEqual(stranger, []);
      assert.deepEqual(scopesOf(feeds[3]), [[]]);
    });
  });
});

after(async () => {
  await Feed.closeAll();
  await pool.end();
});
