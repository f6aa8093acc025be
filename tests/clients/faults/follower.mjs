// One unmodified supabase-js client with one channel, and everything it was told, in order. Unlike the feeds of
// the other suites it is meant to lose its channel and come back.
import { createClient } from '@supabase/supabase-js';
import WebSocket from 'ws';

import { anonKey, tokenOf, until } from './stack.mjs';

let opened = 0;
const open = new Set();

export class Follower {
  events = [];
  statuses = [];

  // tables: names; user: a number of the seed, or undefined for anon.
  static async open(scenario, tables, user) {
    const follower = new Follower(scenario, tables, user);
    await follower.subscribed(1);
    return follower;
  }

  constructor(scenario, tables, user) {
    opened += 1;
    const token = user === undefined ? anonKey : tokenOf(user);
    this.client = createClient(scenario.url, anonKey, {
      auth: { persistSession: false, autoRefreshToken: false, storageKey: `follower-${opened}` },
      realtime: { transport: WebSocket, vsn: '2.0.0' },
      accessToken: async () => token,
    });
    this.channel = this.client.channel(`follower-${opened}`);
    for (const table of tables) {
      this.channel.on('postgres_changes', { event: '*', schema: 'public', table }, (event) => this.events.push(event));
    }
    this.client.realtime.setAuth(token).then(() => this.channel.subscribe((status) => this.statuses.push(status)));
    open.add(this);
  }

  static closeAll() { return Promise.all([...open].map((follower) => follower.close())); }

  count(status) { return this.statuses.filter((one) => one === status).length; }

  // Subscribed for the nth time.
  subscribed(n) {
    return until(() => this.count('SUBSCRIBED') >= n,
      { toString: () => `subscription ${n} (${this.statuses.join(' ')})` });
  }

  // How often the channel was lost so far; the client comes back by itself.
  get losses() { return this.count('CHANNEL_ERROR') + this.count('CLOSED') + this.count('TIMED_OUT'); }

  // The new rows of a table, as they came.
  rows(table) { return this.events.filter((event) => event.table === table).map((event) => event.new); }

  waitFor(test, what) {
    return until(() => this.events.find(test), { toString: () => `${what} (${this.statuses.join(' ')})` });
  }

  waitForRow(table, n) { return this.waitFor((event) => event.table === table && event.new.n === n, `row ${n} of ${table}`); }

  // Commits come in order: whoever has this mark has received all it will of what was committed before.
  async settle(scenario) {
    const [{ id }] = await scenario.sql('INSERT INTO marks DEFAULT VALUES RETURNING id');
    await this.waitFor((event) => event.table === 'marks' && event.new.id === id, `mark ${id}`);
  }

  async close() {
    open.delete(this);
    await this.client.removeAllChannels();
    await this.client.realtime.disconnect();
  }
}
