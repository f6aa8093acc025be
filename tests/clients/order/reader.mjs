// One user's socket: serializer 2.0.0, a channel for the table of one kind, one for the marks that end each step.
import WebSocket from 'ws';

import { secondsFromNow, signToken } from '../../../db/demo/token.mjs';
import { secret } from '../equivalence/server.mjs';
import { ALICE } from './kinds.mjs';

const PATIENCE_MS = 20_000; // only turns a hang into a message

export class Reader {
  static async open(url, kind) {
    const reader = new Reader();
    Object.assign(reader, { kind, events: [], mark: 0, joins: 0, lost: 0, isLive: {}, ids: [], waiters: [] });
    reader.token = signToken({ sub: ALICE, role: kind.role, exp: secondsFromNow(7200) }, secret);
    reader.ws = new WebSocket(`${url.replace(/^http/, 'ws')}/realtime/v1/websocket?apikey=${reader.token}&vsn=2.0.0`);
    reader.ws.on('open', () => { reader.join('mark'); reader.join('rows'); });
    reader.ws.on('message', (data) => reader.take(String(data)));
    for (const event of ['error', 'close']) reader.ws.on(event, (reason) => reader.fail(`${event} ${reason?.message ?? reason}`));
    await reader.settled();
    return reader;
  }

  join(channel) {
    const { schema, name, filter } = this.kind;
    const rows = [{ event: '*', schema, table: name }];
    if (filter) rows.push({ event: '*', schema, table: name, filter });
    this.joins += 1;
    this.isLive[channel] = false;
    this.ws.send(JSON.stringify([String(this.joins), String(this.joins), `realtime:${channel}`, 'phx_join',
      { config: { postgres_changes: channel === 'mark' ? [{ event: 'INSERT', schema: 'ord', table: 'mark' }] : rows }, access_token: this.token }]));
  }

  take(text) {
    const [, , topic, event, payload] = JSON.parse(text);
    const channel = topic.slice('realtime:'.length);
    if (event === 'postgres_changes' && channel === 'mark') this.mark = payload.data.record.n;
    else if (event === 'postgres_changes') this.events.push({ ...payload.data, ids: payload.ids, at: performance.now() });
    else if (event === 'phx_reply' && payload.status === 'error') this.fail(text);
    else if (event === 'phx_reply' && channel === 'rows' && payload.response.postgres_changes) this.ids = payload.response.postgres_changes.map((one) => one.id);
    else if (event === 'system' && payload.status === 'ok') this.isLive[channel] = true;
    else if (event === 'phx_error') {
      this.lost += 1;
      this.join(channel);
    }
    this.wake?.();
  }

  fail(why) {
    this.failure ??= why;
    this.wake?.();
  }

  until(isDone, what) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => { this.fail(`${what} did not come`); }, PATIENCE_MS);
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

  settled() { return this.until(() => this.isLive.mark && this.isLive.rows, 'the subscription'); }

  // What came before mark n.
  async takeUntil(n) {
    await this.until(() => this.mark >= n, `mark ${n}`);
    return this.events.splice(0);
  }

  close() {
    this.ws.removeAllListeners('close');
    this.ws.close();
  }
}
