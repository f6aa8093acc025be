// Seeds, one after the other, in one mode or in all; a failing one is cut down and kept.
//
// usage: node main.mjs [--seeds A-B] [--mode M,…|all] [--minutes N] [--transactions N] [--case FILE]
//                      [--keep-going] [--no-shrink] [--out FOLDER]
//   --seeds A-B   seeds A to B; A- goes on without end           --minutes N   stops after so many
//   --mode        plain, paused, tiny, altered, concurrent, standby; also by EQUIVALENCE_MODE
//   --case FILE   a kept case, instead of seeds                  --out FOLDER  where cases are kept (cases/)
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { modes, prepare } from './modes.mjs';
import { Server } from './server.mjs';
import { runWorld } from './session.mjs';
import { caseSql, shrink } from './shrink.mjs';

const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1-20' }, mode: { type: 'string', default: process.env.EQUIVALENCE_MODE ?? 'plain' }, minutes: { type: 'string' }, transactions: { type: 'string', default: '40' },
    case: { type: 'string' }, 'keep-going': { type: 'boolean', default: false }, 'no-shrink': { type: 'boolean', default: false }, out: { type: 'string', default: fileURLToPath(new URL('cases', import.meta.url)) },
  },
});

// "7", "1-20", or "1-" without end.
const [from, to] = options.seeds.includes('-') ? options.seeds.split('-').map((n) => (n === '' ? Infinity : Number(n))) : [Number(options.seeds), Number(options.seeds)];
const wanted = options.mode === 'all' ? Object.keys(modes) : options.mode.split(',');
const unknown = wanted.find((mode) => !modes[mode]);
if (unknown) throw new Error(`no such mode: ${unknown}; there are ${Object.keys(modes).join(', ')}`);
const deadline = options.minutes ? Date.now() + Number(options.minutes) * 60_000 : Infinity;

function summary(label, failure, { session }) {
  const paths = session.paths ? Object.entries(session.pathCounts()).map(([path, n]) => `${n} ${path}`).join(', ') : '';
  return `${label}: ${failure ? `FAILED (${failure.kind})` : 'ok'}, ${session.commits} commits, ${session.told} told, ${session.resyncs} resyncs${session.skipped ? `, ${session.skipped} not compared` : ''}; ${paths}; ${(session.ms / 1000).toFixed(1)} s`;
}

async function keep(server, world, mode, failure, label) {
  console.log(failure.message);
  if (options['no-shrink']) return;
  const small = await shrink(server, world, mode, failure);
  mkdirSync(options.out, { recursive: true });
  const file = join(options.out, `${mode}-${label}.json`);
  writeFileSync(file, `${JSON.stringify({ mode, kind: small.failure.kind, world: small.world }, null, 1)}\n`);
  console.log(['', `cut down (${small.runs} runs), kept in ${file}:`, caseSql(small.world), '', small.failure.message].join('\n'));
}

const server = await Server.start();
let failed = 0;
try {
  const cases = options.case ? [options.case] : [];
  for (const file of cases) {
    const { mode, world } = JSON.parse(readFileSync(file, 'utf8'));
    const { failure, ...rest } = await runWorld(server, world, mode);
    console.log(summary(file, failure, rest));
    if (failure) console.log([caseSql(world), failure.message].join('\n'));
    failed += failure ? 1 : 0;
  }
  for (let seed = from; !options.case && seed <= to && Date.now() < deadline; seed += 1) {
    for (const mode of wanted) {
      const world = prepare(seed, mode, Number(options.transactions));
      const { failure, ...rest } = await runWorld(server, world, mode);
      console.log(summary(`seed ${seed} ${mode}`, failure, rest));
      if (!failure) continue;
      failed += 1;
      await keep(server, world, mode, failure, seed);
      if (!options['keep-going']) throw Object.assign(new Error('stopped'), { isStop: true });
    }
  }
} catch (error) {
  if (!error.isStop) throw error;
} finally {
  server.isKept = failed > 0;
  await server.stop();
  if (failed > 0) console.log(`${failed} failed; logs: ${server.folder}`);
}
process.exitCode = failed > 0 ? 1 : 0;
