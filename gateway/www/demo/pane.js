// One person's view of the trip: their own supabase-js client, their own token, their own list.
//
// The list is whatever the gateway sends on top of what Postgres showed this person at the start. After
// every (re)join the rows are read once more, and changes that arrive meanwhile wait for them, so that
// nothing falls between the two.
import { Samples, formatMs, parseTime, sparkline } from './latency.js';

const SPARK_SIZE = 48;
const STATES = { SUBSCRIBED: 'live', CHANNEL_ERROR: 'reconnecting', TIMED_OUT: 'reconnecting', CLOSED: 'closed' };
const NEXT_BOOKING = { planned: 'reserved', reserved: 'booked', booked: 'planned' };

export class Pane {
  items = new Map();
  latency = new Samples(SPARK_SIZE);
  received = 0;
  #waiting = null;

  // app: what the page offers to its panes: config, clock, readRows, edit, onReceived.
  constructor(key, app) {
    this.key = key;
    this.app = app;
    this.person = app.config.people[key];
    this.root = document.getElementById('pane-template').content.firstElementChild.cloneNode(true);
    this.root.dataset.testid = `pane-${key}`;
    this.root.dataset.person = key;
    this.root.querySelector('.avatar').textContent = this.person.name[0];
    this.root.querySelector('h2').textContent = this.person.fullName;
    this.root.querySelector('.role').textContent = this.person.role;
    this.list = this.root.querySelector('.items');
    this.#listen();
    this.#load(app.config.rows[key]);
  }

  async connect() {
    const { gatewayUrl, apiKey, tripId } = this.app.config;
    this.client = window.supabase.createClient(gatewayUrl, apiKey, {
      accessToken: async () => this.person.token,
    });
    await this.client.realtime.setAuth(this.person.token);
    const table = (name) => ({ event: '*', schema: 'public', table: name, filter: `trip_id=eq.${tripId}` });
    this.client.channel(`trip-${tripId}-${this.key}`)
      .on('postgres_changes', table('itinerary_items'), (payload) => this.#onChange(payload))
      .on('postgres_changes', table('trip_collaborators'), (payload) => this.#onMembers(payload))
      .subscribe((status) => this.#onStatus(status));
  }

  async refresh() {
    this.#waiting ??= [];
    try {
      this.#load(await this.app.readRows(this.key));
    } finally {
      const waiting = this.#waiting ?? [];
      this.#waiting = null;
      waiting.forEach((payload) => this.#apply(payload));
      this.#render();
    }
  }

  #onStatus(status) {
    const state = STATES[status] ?? 'connecting';
    const pill = this.root.querySelector('.status');
    pill.dataset.state = state;
    pill.textContent = state;
    if (status === 'SUBSCRIBED') this.refresh().catch((error) => this.app.complain(error.message));
  }

  #onChange(payload) {
    this.#count(payload);
    if (this.#waiting) {
      this.#waiting.push(payload);
      return;
    }
    this.#apply(payload);
    this.#render();
    this.app.onReceived(this, payload);
  }

  // Somebody was invited or removed: what this person may read may have changed as a whole.
  #onMembers(payload) {
    this.#count(payload);
    this.refresh().catch((error) => this.app.complain(error.message));
  }

  #count(payload) {
    this.received += 1;
    this.latency.add(this.app.clock.now() - parseTime(payload.commit_timestamp));
    this.root.querySelector('.latency').textContent = formatMs(this.latency.last);
    this.root.querySelector('.spark path').setAttribute('d',
      sparkline(this.latency.values, SPARK_SIZE, 200, 36));
    this.app.onCount(this.latency.last);
  }

  #load({ items }) {
    this.items = new Map(items.map((item) => [item.id, item]));
    this.#render();
  }

  #apply(payload) {
    if (payload.eventType === 'DELETE') {
      this.items.delete(payload.old.id);
      return;
    }
    // A value that did not change and is stored out of line may be left out.
    const row = { ...this.items.get(payload.new.id), ...payload.new };
    this.items.set(row.id, row);
    this.flashing = row;
  }

  #render() {
    const before = new Map([...this.list.children].map((node) => [node, node.getBoundingClientRect().top]));
    const sorted = [...this.items.values()].sort((a, b) => a.position - b.position || a.id - b.id);
    const nodes = sorted.map((item) => this.#node(item));
    const focused = document.activeElement;
    this.#place(nodes);
    if (focused !== document.activeElement && this.list.contains(focused)) focused.focus();
    nodes.forEach((node) => slide(node, before.get(node)));
    this.#renderEmpty();
  }

  // Nodes that are in their place already are not touched: moving one would take its focus away.
  #place(nodes) {
    const wanted = new Set(nodes);
    [...this.list.children].forEach((node) => { if (!wanted.has(node)) node.remove(); });
    nodes.forEach((node, i) => {
      if (this.list.children[i] !== node) this.list.insertBefore(node, this.list.children[i] ?? null);
    });
  }

  #renderEmpty() {
    const empty = this.root.querySelector('.empty');
    empty.hidden = this.items.size > 0;
    empty.textContent = `${this.person.name} is connected and subscribed to the same table. Postgres shows `
      + 'these rows to the members of the trip, so nothing is sent here.';
    this.root.classList.toggle('is-empty', this.items.size === 0);
    this.root.querySelector('.counter').textContent =
      `${this.received} ${this.received === 1 ? 'change' : 'changes'} received`;
  }

  #node(item) {
    let node = this.list.querySelector(`[data-id="${Number(item.id)}"]`);
    if (!node) {
      node = document.getElementById('item-template').content.firstElementChild.cloneNode(true);
      node.dataset.id = item.id;
      node.dataset.testid = `item-${item.id}`;
    }
    this.#fill(node, item);
    if (this.flashing?.id === item.id) {
      this.flashing = null;
      flash(node, this.app.keyOf(item.updated_by));
    }
    return node;
  }

  #fill(node, item) {
    const { day, time } = whenOf(item.start_time);
    const part = (name) => node.querySelector(name);
    part('.day').textContent = day;
    part('.time').textContent = time;
    const title = part('.title');
    // Never under the fingers of somebody who is typing.
    if (title !== document.activeElement) title.value = item.title;
    part('.booking').textContent = item.booking_status;
    part('.booking').dataset.status = item.booking_status;
    part('.price').textContent = item.price === null ? '' : `€ ${Number(item.price).toFixed(2)}`;
    part('.place').textContent = item.location ?? '';
    part('.editor').textContent = `edited by ${this.app.nameOf(item.updated_by)}`;
    part('.editor').dataset.person = this.app.keyOf(item.updated_by);
  }

  #listen() {
    this.list.addEventListener('change', (event) => this.#onTitle(event.target));
    this.list.addEventListener('keydown', (event) => { if (event.key === 'Enter') event.target.blur(); });
    this.list.addEventListener('click', (event) => this.#onTool(event.target.closest('button')));
    this.root.querySelector('form').addEventListener('submit', (event) => {
      event.preventDefault();
      const input = event.target.elements.title;
      this.app.edit(this, { action: 'add', title: input.value.trim() }).then(() => { input.value = ''; }, () => {});
    });
  }

  #onTitle(input) {
    const item = this.#itemOf(input);
    if (!item || !input.matches('.title') || input.value === item.title) return;
    this.app.edit(this, { itemId: item.id, field: 'title', value: input.value.trim() })
      .catch(() => { input.value = this.items.get(item.id)?.title ?? input.value; });
  }

  #onTool(button) {
    const item = this.#itemOf(button);
    if (!item) return;
    const act = button.dataset.act;
    const body = act === undefined ? { field: 'booking_status', value: NEXT_BOOKING[item.booking_status] ?? 'planned' }
      : act === 'delete' ? { action: 'delete' } : { action: 'move', direction: act };
    this.app.edit(this, { itemId: item.id, ...body }).catch(() => {});
  }

  #itemOf(element) {
    return this.items.get(Number(element?.closest('.item')?.dataset.id));
  }
}

function whenOf(startTime) {
  if (!startTime) return { day: '', time: 'open' };
  const format = (options) =>
    new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Lisbon', ...options }).format(new Date(startTime));
  return { day: format({ weekday: 'short', day: 'numeric' }), time: format({ hour: '2-digit', minute: '2-digit' }) };
}

const calm = window.matchMedia('(prefers-reduced-motion: reduce)');

function flash(node, person) {
  node.dataset.flash = person;
  node.classList.remove('flash');
  void node.offsetWidth; // restarts the animation
  node.classList.add('flash');
}

function slide(node, from) {
  const shift = from === undefined ? 0 : from - node.getBoundingClientRect().top;
  if (shift === 0 || calm.matches) return;
  node.animate([{ transform: `translateY(${shift}px)` }, { transform: 'none' }],
    { duration: 260, easing: 'cubic-bezier(.2,.8,.3,1)' });
}
