// One user's socket: raw frames of serializer 2.0.0, one channel with two bindings.
import WebSocket from 'ws';

import { parseExact } from './oracle.mjs';

const PATIENCE_MS = 20_000; // only turns a hang into a message

export class Socket {
  static open(url, token, schema, filter) {
    const socket = new Socket();
    const join = [{ event: '*', schema, table: '*' }, { event: '*', schema, table: filter.table.name, filter: `${filter.column}=eq.${/,/.test(filter.value) ? JSON.stringify(filter.value) : filter.value}` }];
    socket.ws = new WebSocket(`${url}?apikey=${token}&vsn=2.0.0`);
    socket.ws.on('open', () => socket.ws.send(JSON.stringify(['1', '1', 'realtime:oracle', 'phx_join',
      { config: { postgres_changes: join, private: false }, access_token: token }])));
    socket.ws.on('message', (data) => socket.take(String(data)));
    for (const event of ['error', 'close']) socket.ws.on(event, (reason) => socket.fail(`${event} ${reason?.message ?? reason}`));
    return socket.until(() => socket.isLive, 'the subscription').then(() => socket);
  }

  events = [];
  mark = 0;

  take(text) {
    const [, , , event, payload] = JSON.parse(text);
    if (event === 'phx_reply' && payload.status === 'ok') this.ids = payload.response.postgres_changes.map((binding) => `#${binding.id}`);
    else if (event === 'system' && payload.status === 'ok') this.isLive = true;
    else if (event !== 'postgres_changes') this.fail(text);
    else this.change(parseExact(text)[4]);
    this.wake?.();
  }

  change({ ids, data }) {
    if (data.table === 'mark') this.mark = Number(data.record.n.slice(1));
    else this.events.push({ ...data, ids });
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
