// What the demo's people can do to the shared itinerary. Every function runs as that person: Postgres
// refuses what they may not, and the refusal reaches the page.
import { asUser } from './as_user.mjs';
import { seedUserId } from './token.mjs';

export const TRIP_ID = 1;

export const PEOPLE = {
  ada: { id: seedUserId(1), name: 'Ada', fullName: 'Ada Lindqvist', role: 'Owner' },
  ben: { id: seedUserId(2), name: 'Ben', fullName: 'Ben Okafor', role: 'Editor' },
  stranger: { id: seedUserId(3), name: 'Chloe', fullName: 'Chloe Martin', role: 'Not on this trip' },
};

const FIELDS = new Set(['title', 'location', 'description', 'booking_status', 'price', 'start_time']);
const COLUMNS = `id, trip_id, user_id, item_type, title, location, start_time, end_time, position, price,
  currency, booking_status, updated_at, updated_by`;

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function personOf(key) {
  const person = Object.hasOwn(PEOPLE, key) ? PEOPLE[key] : undefined;
  if (!person) throw new Refused(400, `no such person: ${key}`);
  return person;
}

// The time of day with fractions of a millisecond: the monotonic clock, set again whenever it has
// drifted from the system's, which is what Postgres stamps commits with.
let anchor = performance.timeOrigin;
export function clock() {
  const now = Date.now();
  if (Math.abs(anchor + performance.now() - now) > 2) anchor = now - performance.now();
  return anchor + performance.now();
}

// committingAt: just before COMMIT was sent. Postgres' own refusals become the page's: 42501 is row
// level security or a missing grant.
async function write(pool, person, work) {
  let committingAt;
  try {
    const rows = await asUser(pool, person.id, async (db) => {
      const result = await work(db);
      committingAt = clock();
      return result;
    });
    return { rows, committingAt, committedAt: clock() };
  } catch (error) {
    if (error instanceof Refused || !error.code) throw error;
    throw new Refused(error.code === '42501' ? 403 : 422, error.message);
  }
}

function oneRow(result) {
  if (result.rowCount === 0) throw new Refused(404, 'no such item for this person');
  return result.rows;
}

export function readTrip(pool, person) {
  return asUser(pool, person.id, async (db) => {
    const trip = await db.query(`SELECT id, name, destination, start_date::text, end_date::text, travelers,
      status FROM trips WHERE id = $1`, [TRIP_ID]);
    const items = await db.query(`SELECT ${COLUMNS} FROM itinerary_items WHERE trip_id = $1
      ORDER BY position, id`, [TRIP_ID]);
    return { trip: trip.rows[0] ?? null, items: items.rows };
  });
}

export function editItem(pool, person, itemId, field, value) {
  if (!FIELDS.has(field)) throw new Refused(400, `cannot edit ${field}`);
  return write(pool, person, async (db) => oneRow(await db.query(
    `UPDATE itinerary_items SET ${field} = $2 WHERE id = $1 AND trip_id = ${TRIP_ID} RETURNING ${COLUMNS}`,
    [itemId, value])));
}

export function addItem(pool, person, item) {
  return write(pool, person, async (db) => oneRow(await db.query(
    `INSERT INTO itinerary_items (trip_id, user_id, item_type, title, location, start_time, position)
     SELECT ${TRIP_ID}, $1, $2, $3, $4, $5,
            COALESCE((SELECT max(position) FROM itinerary_items WHERE trip_id = ${TRIP_ID}), 0) + 10
     RETURNING ${COLUMNS}`,
    [person.id, item.item_type ?? 'activity', item.title, item.location ?? null, item.start_time ?? null])));
}

export function deleteItem(pool, person, itemId) {
  return write(pool, person, async (db) => oneRow(await db.query(
    `DELETE FROM itinerary_items WHERE id = $1 AND trip_id = ${TRIP_ID} RETURNING ${COLUMNS}`, [itemId])));
}

// Change places with the neighbour: two rows, one commit.
export function moveItem(pool, person, itemId, direction) {
  const [compare, order] = direction === 'up' ? ['<', 'DESC'] : ['>', 'ASC'];
  return write(pool, person, async (db) => {
    const pair = await db.query(
      `(SELECT id, position FROM itinerary_items WHERE id = $1 AND trip_id = ${TRIP_ID})
       UNION ALL
       (SELECT n.id, n.position FROM itinerary_items AS n
        JOIN itinerary_items AS o ON o.id = $1 AND o.trip_id = n.trip_id
        WHERE (n.position, n.id) ${compare} (o.position, o.id)
        ORDER BY n.position ${order}, n.id ${order} LIMIT 1)`, [itemId]);
    if (pair.rowCount < 2) throw new Refused(404, 'nothing to change places with');
    const [own, other] = pair.rows;
    return oneRow(await db.query(
      `UPDATE itinerary_items SET position = CASE id WHEN $1 THEN $4::int ELSE $3::int END
       WHERE id IN ($1, $2) RETURNING ${COLUMNS}`, [own.id, other.id, own.position, other.position]));
  });
}

// Ada lets Chloe in as a viewer, or shows her out again.
export function shareTrip(pool, on) {
  const sql = on
    ? `INSERT INTO trip_collaborators (trip_id, user_id, role) VALUES (${TRIP_ID}, $1, 'viewer')
       ON CONFLICT DO NOTHING`
    : `DELETE FROM trip_collaborators WHERE trip_id = ${TRIP_ID} AND user_id = $1`;
  return write(pool, PEOPLE.ada, async (db) => (await db.query(sql, [PEOPLE.stranger.id])).rows);
}
