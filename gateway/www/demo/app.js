// The demo page: three panes over one trip, and the figures above them.
// window.ROWCAST_DEMO comes from config.js, which scripts/demo writes: where the helper listens.
import { Clock, Samples, formatMs, parseTime } from './latency.js';
import { Pane } from './pane.js';

const { helperUrl } = window.ROWCAST_DEMO;
const element = (id) => document.getElementById(id);

async function call(path, body) {
  const response = await fetch(helperUrl + path, body === undefined ? {} : {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

class App {
  clock = new Clock();
  all = new Samples(1000);
  delivered = 0;
  // Own edits that wait for their change to come back, by row and version.
  #edits = new Map();
  #shown = new Map();

  async start() {
    this.config = await call('/demo-config.json');
    await this.clock.sync(async () => (await call('/clock')).clock);
    setInterval(() => this.clock.sync(async () => (await call('/clock')).clock).catch(() => {}), 30_000);
    this.#showTrip(this.config.rows.ada.trip);
    this.panes = Object.keys(this.config.people).map((key) => new Pane(key, this));
    element('panes').append(...this.panes.map((pane) => pane.root));
    this.#listen();
    await Promise.all(this.panes.map((pane) => pane.connect()));
  }

  readRows(key) { return call(`/rows?user=${key}`); }

  keyOf(userId) {
    const people = Object.entries(this.config.people);
    return people.find(([, person]) => person.id === userId)?.[0] ?? 'other';
  }

  nameOf(userId) { return this.config.people[this.keyOf(userId)]?.name ?? 'someone'; }

  // Resolves when Postgres has committed; what it changed comes by way of the gateway.
  async edit(pane, body) {
    try {
      const { rows, committingAt } = await call('/edit', { user: pane.key, ...body });
      for (const row of rows) this.#match(this.#edits, this.#shown, versionOf(row), committingAt);
    } catch (error) {
      this.complain(`${pane.person.name}: ${error.message}`);
      throw error;
    }
  }

  // The first pane that shows a change is what the editor waited for.
  onReceived(pane, payload) {
    if (payload.eventType === 'DELETE') return;
    const version = versionOf(payload.new);
    requestAnimationFrame(() => {
      if (!this.#shown.has(version)) this.#match(this.#shown, this.#edits, version, this.clock.now());
    });
  }

  onCount(latency) {
    this.delivered += 1;
    this.all.add(latency);
    element('delivered').textContent = this.delivered;
    element('p50').textContent = formatMs(this.all.percentile(0.5));
    element('p99').textContent = formatMs(this.all.percentile(0.99));
  }

  complain(text) {
    const toast = element('toast');
    toast.textContent = text;
    toast.classList.add('visible');
    clearTimeout(this.toastTimer);
    this.toastTimer = setTimeout(() => toast.classList.remove('visible'), 4000);
  }

  // The answer to an edit and the change it caused may come in either order.
  #match(own, other, version, time) {
    own.set(version, time);
    if (own.size > 200) own.delete(own.keys().next().value);
    if (!other.has(version)) return;
    element('probe').textContent = formatMs(Math.max(0, this.#shown.get(version) - this.#edits.get(version)));
  }

  #showTrip(trip) {
    const day = (text, options) => new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', ...options }).format(new Date(text));
    element('trip-name').textContent = trip.name;
    element('trip-facts').textContent = `${day(trip.start_date, { day: 'numeric', month: 'long' })} to `
      + `${day(trip.end_date, { day: 'numeric', month: 'long', year: 'numeric' })} · ${trip.travelers} travellers · ${trip.status}`;
  }

  #listen() {
    const toggle = (id, pressed, act) => {
      const button = element(id);
      const show = (on) => button.setAttribute('aria-pressed', String(on));
      show(pressed);
      button.addEventListener('click', () => {
        const on = button.getAttribute('aria-pressed') !== 'true';
        act(on, button).then(() => show(on), (error) => this.complain(error.message));
      });
    };
    toggle('bot', this.config.botRunning, (on) => call('/bot', { running: on }));
    const invited = this.config.rows.stranger.trip !== null;
    const label = (on) => (on ? 'Remove Chloe' : 'Invite Chloe');
    element('share').textContent = label(invited);
    toggle('share', invited, async (on, button) => {
      await call('/share', { on });
      button.textContent = label(on);
      // Removed, she is told nothing more; her page asks Postgres once and finds nothing.
      await this.panes.find((pane) => pane.key === 'stranger').refresh();
    });
    element('theme').addEventListener('click', () => {
      const root = document.documentElement;
      const dark = root.dataset.theme ? root.dataset.theme === 'dark'
        : window.matchMedia('(prefers-color-scheme: dark)').matches;
      root.dataset.theme = dark ? 'light' : 'dark';
    });
  }
}

const versionOf = (row) => `${row.id}@${Math.floor(parseTime(row.updated_at))}`;

const app = new App();
app.start().catch((error) => app.complain(`The demo could not start: ${error.message}`));
