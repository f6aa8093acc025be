// A feed: one unmodified supabase-js client, one channel, everything it received in order.
//
// Nothing here waits for time to pass in order to see that nothing came. settle() writes a row that
// everybody may read (and leaves it there); commits arrive in order, so when a feed has that row, whatever was to come before
// it has come.
import { createClient } from '@supabase/supabase-js';
import WebSocket from 'ws';

import { anonKey, gatewayUrl, sql } from './stack.mjs';

// Not a measurement: it only turns a hang into a message.
const PATIENCE_MS = 30_000;
const MARK = { event: 'INSERT', schema: 'public', table: 'destinations' };

let opened = 0;
const open = new Set();

export class Feed {
  events = [];
  scopes = []; // payloads of rowcast:scope
  statuses = [];
  #watchers = new Set();

  // bindings: what .on('postgres_changes', …) takes, or table names.
  // token: undefined leaves the client with its key alone. rowcast: the extensions to ask for.
  static async open(options) {
    const feed = new Feed(options);
    try {
      await feed.#until(() => feed.statuses.includes('SUBSCRIBED'), () => feed.error, 'the subscription');
    } catch (error) {
      await feed.close();
      throw error;
    }
    return feed;
  }

  // Every table, as one user: the widest feed there is.
  static everything(token, more) {
    return Feed.open({ token, bindings: [{ event: '*', schema: 'public', table: '*' }], ...more });
  }

  constructor({ token, vsn = '2.0.0', bindings = [], apiKey = anonKey, rowcast }) {
    this.client = createClient(gatewayUrl, apiKey, {
      auth: { persistSession: false, autoRefreshToken: false, storageKey: `feed-${opened += 1}` },
      realtime: { transport: WebSocket, vsn },
      ...(token === undefined ? {} : { accessToken: async () => token }),
    });
    this.channel = this.client.channel(`feed-${opened}`,
      rowcast === undefined ? undefined : { config: { broadcast: { rowcast } } });
    this.channel.on('rowcast:scope', {}, (payload) => this.scopes.push(payload));
    open.add(this);
    const wanted = bindings.map((binding) => (typeof binding === 'string'
      ? { event: '*', schema: 'public', table: binding } : binding));
    // The mark comes by a binding of its own, unless another one covers it already.
    const isCovered = wanted.some((binding) => ['*', 'destinations'].includes(binding.table) && !binding.filter);
    for (const binding of isCovered ? wanted : [...wanted, MARK]) {
      this.channel.on('postgres_changes', binding, (payload) => this.#onEvent(payload));
    }
    this.client.realtime.setAuth(token).then(() => this.channel.subscribe((status, error) => {
      this.statuses.push(status);
      if (error) this.error = error;
      this.#wake();
    }));
  }

  // A socket left open by a failed test would keep its process alive.
  static closeAll() { return Promise.all([...open].map((feed) => feed.close())); }

  // The first event, past or to come, for which test is true.
  async waitFor(test, what = 'an event') {
    await this.#until(() => this.events.some(test), () => undefined, what);
    return this.events.find(test);
  }

  waitForStatus(status) {
    return this.#until(() => this.statuses.includes(status), () => undefined, status);
  }

  // What has been received since the last call, marks left out.
  take() {
    return this.events.splice(0).filter((event) => !isMark(event));
  }

  async close() {
    open.delete(this);
    await this.client.removeAllChannels();
    await this.client.realtime.disconnect();
  }

  #onEvent(payload) {
    this.events.push(payload);
    this.#wake();
  }

  #wake() { for (const watcher of [...this.#watchers]) watcher(); }

  #until(isDone, failure, what) {
    return new Promise((resolve, reject) => {
      const finish = (act, value) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        act(value);
      };
      const look = () => {
        if (isDone()) finish(resolve);
        else if (failure()) finish(reject, failure());
      };
      const timer = setTimeout(() => finish(reject, new Error(`${what} did not come (${this.statuses.join(' ')}; `
        + `${this.events.length} events)`)), PATIENCE_MS);
      this.#watchers.add(look);
      look();
    });
  }
}

const isMark = (event) => event.table === 'destinations' && event.eventType === 'INSERT' && event.new.id > 1000;

// Afterwards each feed has received all it will of what was committed before the call.
export async function settle(...feeds) {
  const [{ id }] = await sql(`INSERT INTO destinations (id, name, country, currency, time_zone, latitude, longitude)
    SELECT n, 'mark ' || n, 'nowhere', 'EUR', 'UTC', 0, 0
    FROM (SELECT 1 + greatest(1000, max(id)) AS n FROM destinations) AS next RETURNING id`);
  await Promise.all(feeds.map((feed) => feed.waitFor((event) => isMark(event) && event.new.id === id, 'the mark')));
}

// Received by each of the feeds since they were last asked: [[event, …], …].
export async function takeAll(...feeds) {
  await settle(...feeds);
  return feeds.map((feed) => feed.take());
}

// "INSERT trips 5": enough to compare what and in which order.
export const brief = (event) => `${event.eventType} ${event.table} ${(event.eventType === 'DELETE' ? event.old : event.new).id}`;
