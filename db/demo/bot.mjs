// Keeps the itinerary moving: Ada and Ben take turns, one small edit every interval. It goes through a
// fixed list of moves, and takes away again what it added.
import * as planner from './planner.mjs';

const IDEAS = [
  { title: 'Coffee at Copenhagen Coffee Lab', location: 'Rua Nova da Piedade 10', item_type: 'meal' },
  { title: 'LX Factory on foot', location: 'Alcântara', item_type: 'activity' },
  { title: 'Ferry to Cacilhas', location: 'Cais do Sodré', item_type: 'transport' },
  { title: 'Gulbenkian garden', location: 'Avenida de Berna 45', item_type: 'activity' },
  { title: 'Ginjinha at Largo de São Domingos', location: 'Rossio', item_type: 'meal' },
];
const STATUSES = ['planned', 'reserved', 'booked'];
const MOVES = ['status', 'move', 'price', 'add', 'time', 'status', 'move', 'remove'];

export class Bot {
  constructor(pool, intervalMs, onError) {
    this.pool = pool;
    this.intervalMs = intervalMs;
    this.onError = onError;
    this.turn = 0;
    this.added = [];
    this.timer = null;
    this.working = Promise.resolve();
  }

  get isRunning() { return this.timer !== null; }

  start() {
    if (!this.isRunning) this.#next();
  }

  // After this resolves nothing of the bot is under way.
  async stop() {
    clearTimeout(this.timer);
    this.timer = null;
    await this.working;
  }

  #next() {
    this.timer = setTimeout(() => {
      this.working = this.step().catch(this.onError).then(() => { if (this.isRunning) this.#next(); });
    }, this.intervalMs);
  }

  async step() {
    const turn = this.turn++;
    const person = turn % 2 === 0 ? planner.PEOPLE.ada : planner.PEOPLE.ben;
    const { items } = await planner.readTrip(this.pool, person);
    const move = MOVES[turn % MOVES.length];
    if (items.length === 0 || (move === 'add' && items.length < 14)) return this.#add(person, turn);
    const item = items[(turn * 5) % items.length];
    switch (move) {
      case 'status': {
        const next = STATUSES[(STATUSES.indexOf(item.booking_status) + 1) % STATUSES.length];
        return planner.editItem(this.pool, person, item.id, 'booking_status', next);
      }
      case 'price':
        return planner.editItem(this.pool, person, item.id, 'price', 5 + (turn * 7) % 60);
      case 'time':
        return this.#shift(person, item, turn);
      case 'remove':
        return this.#remove(person, items);
      default:
        return this.#swap(person, items, turn);
    }
  }

  #shift(person, item, turn) {
    if (!item.start_time) return null;
    const minutes = turn % 4 < 2 ? 15 : -15;
    const start = new Date(new Date(item.start_time).getTime() + minutes * 60_000);
    if (item.end_time && start > new Date(item.end_time)) return null;
    return planner.editItem(this.pool, person, item.id, 'start_time', start.toISOString());
  }

  async #add(person, turn) {
    const { rows } = await planner.addItem(this.pool, person, IDEAS[(turn >> 3) % IDEAS.length]);
    this.added.push(rows[0].id);
  }

  // Somebody may have deleted it by hand already.
  async #remove(person, items) {
    const present = new Set(items.map((item) => item.id));
    const id = this.added.splice(0).filter((added) => present.has(added)).pop();
    if (id !== undefined) await planner.deleteItem(this.pool, person, id);
  }

  #swap(person, items, turn) {
    if (items.length < 2) return null;
    return planner.moveItem(this.pool, person, items[1 + turn % (items.length - 1)].id, 'up');
  }
}
