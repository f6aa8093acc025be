// One user's socket: serializer 2.0.0, a channel for each table, and one for the mark that
// ends each commit. The mark is written in the same
// commit, so that events are kept by commit.
import WebSocket from 'ws';

import { secondsFromNow, signToken } from '../../../db/demo/token.mjs';
import { parseExact } from './oracle.mjs';
import { secret } from './server.mjs';

const PATIENCE_MS = 30_000; // only turns a hang into a message

export class Follower {
  static async open(url, user, tables) {
    const follower = new Follower();
    Object.assign(follower, { user, events: [], commits: [], joins: 0, token: signToken({ ...user.claims, exp: secondsFromNow(3600) }, secret) });
    follower.channels = new Map([['mark', { topic: 'realtime:mark', schema: 'eqmark', table: 'mark' }], ...tables.map((t, i) => [t.name, { topic: `realtime:${i}`, schema: t.schema, table: t.name }])]);
    follower.byTopic = new Map([...follower.channels].map(([name, channel]) => [channel.topic, { ...channel, name }]));
    follower.state = new Map();
    follower.ws = new WebSocket(`${url.replace(/^http/, 'ws')}/realtime/v1/websocket?apikey=${follower.token}&vsn=2.0.0`);
    follower.ws.on('open', () => { for (const name of follower.channels.keys()) follower.join(name); });
    follower.ws.on('message', (data) => follower.take(String(data)));
    for (const event of ['error', 'close']) follower.ws.on(event, (reason) => follower.fail(`${event} ${reason?.message ?? reason}`));
    await follower.settled();
    return follower;
  }

  join(name) {
    const { topic, schema, table } = this.channels.get(name);
    this.joins += 1;
    this.state.set(name, { is: 'joining', ref: String(this.joins) });
    this.ws.send(JSON.stringify([String(this.joins), String(this.joins), topic, 'phx_join', {
      config: { postgres_changes: [{ event: '*', schema, table }], private: false }, access_token: this.token,
    }]));
  }

  take(text) {
    const [ref, , topic, event, payload] = JSON.parse(text);
    const { name } = this.byTopic.get(topic);
    const state = this.state.get(name);
    if (ref !== null && ref !== state.ref) return; // of an earlier join
    if (event === 'postgres_changes') this.change(parseExact(text)[4].data);
    else if (event === 'phx_reply' && payload.status === 'error') Object.assign(state, { is: 'refused', why: JSON.stringify(payload.response) });
    else if (event === 'system' && payload.status === 'ok') state.is = 'live';
    else if (event === 'system') state.why = payload.message;
    else if (event === 'phx_error') {
      state.is = 'lost';
      this.events.push({ table: name, isResync: true, why: state.why });
    } else if (event !== 'phx_reply') this.fail(text);
    this.wake?.();
  }

  // A mark is the last row of its commit.
  change(data) {
    if (data.table !== 'mark' || data.schema !== 'eqmark') this.events.push(data);
    else {
      this.commits.push({ mark: Number(String(data.record.n).replace('#', '')), events: this.events });
      this.events = [];
    }
  }

  fail(why) {
    this.failure ??= why;
    this.wake?.();
  }

  until(isDone, what) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => { this.fail(`${what} did not come to ${this.user.name}`); }, PATIENCE_MS);
      this.wake = () => {
        if (!isDone() && !this.failure) return;
        clearTimeout(timer);
        this.wake = undefined;
        if (isDone()) resolve();
        else reject(new Error(this.failure));
      };
      this.wake();
    });
  }

  // Every channel is live, or was refused.
  settled() { return this.until(() => [...this.channels.keys()].every((name) => ['live', 'refused'].includes(this.state.get(name)?.is)), 'a subscription'); }

  // The next commits, as they were told.
  async takeCommits(count) {
    await this.until(() => this.commits.length >= count, 'a mark');
    return this.commits.splice(0, count);
  }

  // Told to load again since the last commit, and of what.
  takeResyncs() {
    const names = this.events.filter((event) => event.isResync).map((event) => event.table);
    this.events = this.events.filter((event) => !event.isResync);
    return names;
  }

  lost() { return [...this.state].filter(([, state]) => state.is === 'lost').map(([name]) => name); }
  isRefused(name) { return this.state.get(name).is === 'refused'; }

  // As the client library does after phx_error.
  async rejoin() {
    const names = this.lost();
    names.forEach((name) => this.join(name));
    if (names.length > 0) await this.settled();
  }

  close() {
    this.ws.removeAllListeners('close');
    this.ws.close();
  }
}
