// A writer that outlives its server.
import assert from 'node:assert/strict';
import pg from 'pg';

import { idOf, until } from './stack.mjs';

// Commits n = 1, 2, … one by one until told to stop. A number whose COMMIT was not acknowledged is tried again, so
// it may be there twice; one that was is there.
export class Writer {
  acknowledged = 0;
  #stopped = false;

  constructor(scenario, table) {
    this.url = scenario.server.url('postgres', scenario.name);
    this.statement = `INSERT INTO ${table} (n, owner) VALUES ($1, '${idOf(1)}')`;
    this.ended = this.#run();
  }

  async #run() {
    while (!this.#stopped) {
      const client = new pg.Client({ connectionString: this.url });
      client.on('error', () => {});
      try {
        await client.connect();
        while (!this.#stopped) {
          await client.query(this.statement, [this.acknowledged + 1]);
          this.acknowledged += 1;
        }
      } catch {
        await new Promise((next) => { setTimeout(next, 20); }); // the server is away: do not spin
      }
      await client.end().catch(() => {});
    }
  }

  reached(n) { return until(() => this.acknowledged >= n, `commit ${n}`); }

  stop() {
    this.#stopped = true;
    return this.ended;
  }
}

// Every acknowledged number came, the first time in order.
export function assertComplete(rows, writer) {
  const seen = [...new Set(rows.map((row) => row.n))].slice(0, writer.acknowledged);
  assert.deepEqual(seen, Array.from({ length: writer.acknowledged }, (_, i) => i + 1));
}
