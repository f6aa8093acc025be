// Equivalence as a property: random schemas, policies that cover the grammar, users and transactions; Postgres is the oracle,
// before and after each commit. What failed once is kept in cases/ and runs first. scripts/equivalence goes on for as long as one likes.
//
// usage: node --test equivalence.test.mjs      GATEWAY_BIN the gateway
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { prepare } from './modes.mjs';
import { Server } from './server.mjs';
import { runWorld } from './session.mjs';
import { caseSql } from './shrink.mjs';

const CASES = fileURLToPath(new URL('cases', import.meta.url));
const SEEDS = { plain: 16, tiny: 4, paused: 3, altered: 4, concurrent: 3, standby: 2 }; // how many of each
const TRANSACTIONS = 40;

describe('every user is told exactly what Postgres shows them', { timeout: 280_000 }, () => {
  let server;
  before(async () => { server = await Server.start(); });
  after(() => server?.stop());

  async function hold(t, world, mode, label) {
    const { failure, session } = await runWorld(server, world, mode);
    t.diagnostic(`${session.commits} commits, ${session.told} told, ${session.resyncs} resyncs, ${session.paths ? JSON.stringify(session.pathCounts()) : ''}`);
    if (!failure) return;
    server.isKept = true;
    const file = join(server.folder, `${label}.json`);
    writeFileSync(file, JSON.stringify({ mode, kind: failure.kind, world }));
    assert.fail([caseSql(world).slice(0, 20_000), failure.message, `cut it down: scripts/equivalence --mode ${mode} --seeds ${world.seed}; kept in ${file}`].join('\n'));
  }

  for (const name of readdirSync(CASES).filter((one) => one.endsWith('.json'))) {
    test(`case ${name}`, async (t) => {
      const { mode, world } = JSON.parse(readFileSync(join(CASES, name), 'utf8'));
      await hold(t, world, mode, name);
    });
  }
  for (const [mode, count] of Object.entries(SEEDS)) {
    for (let seed = 1; seed <= count; seed += 1) {
      test(`${mode}, seed ${seed}`, (t) => hold(t, prepare(seed, mode, TRANSACTIONS), mode, `${mode}-${seed}`));
    }
  }
});
