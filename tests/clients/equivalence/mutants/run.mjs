// Builds each mutant in a copy of the tree and runs seeds against it until one fails. See scripts/mutants.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { mutants } from './mutants.mjs';

const root = fileURLToPath(new URL('../../../..', import.meta.url));
const main = fileURLToPath(new URL('../main.mjs', import.meta.url));
const LEFT_OUT = new Set(['build', 'node_modules', '.git', 'artifacts']);

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' }, seeds: { type: 'string', default: '1-30' }, minutes: { type: 'string', default: '3' }, list: { type: 'boolean', default: false }, build: { type: 'string' },
    'skip-baseline': { type: 'boolean', default: false },
  },
});
const chosen = mutants.filter((m) => !options.only || options.only.split(',').includes(m.name));

const count = (text, part) => text.split(part).length - 1;

const editsOf = (m) => m.edits ?? [[m.old, m.new]];

// Where a mutant no longer fits the source, the list has to follow.
function misfits() {
  return chosen.flatMap((m) => editsOf(m).map(([old]) => [m, count(readFileSync(join(root, m.file), 'utf8'), old)]))
    .filter(([, n]) => n !== 1).map(([m, n]) => `${m.name}: ${m.file} has the text ${n} times`);
}

const isKept = options.build !== undefined;
const place = isKept ? options.build : mkdtempSync(join(tmpdir(), 'rowcast-mutants.'));
const tree = join(place, 'tree');
const build = join(place, 'build');
const binary = join(build, 'gateway/rowcast');

function compile() {
  const made = spawnSync('cmake', ['--build', build, '--target', 'rowcast'], { encoding: 'utf8' });
  return made.status === 0 ? null : made.stdout.split('\n').filter((line) => /error|warning/.test(line)).slice(0, 5).join('\n') || made.stderr;
}

// The first failure, { line, text }, or null.
function attack(modes, minutes) {
  for (const mode of modes) {
    const run = spawnSync('node', [main, '--mode', mode, '--seeds', options.seeds, '--minutes', String(minutes), '--no-shrink'], { encoding: 'utf8', maxBuffer: 1 << 26, env: { ...process.env, GATEWAY_BIN: binary, NODE_NO_WARNINGS: '1' } });
    const failed = run.stdout.split('\n').find((line) => line.includes('FAILED'));
    if (failed) return { line: failed.replace(/,.*/, ''), text: run.stdout };
    if (run.status !== 0) throw new Error(`the harness did not run: ${run.stdout}${run.stderr}`);
  }
  return null;
}

function mutate(m) {
  const file = join(tree, m.file);
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, editsOf(m).reduce((all, [old, fresh]) => all.replace(old, () => fresh), text));
  try {
    const trouble = compile();
    return trouble ? { result: 'does not build', detail: trouble } : { caught: attack(m.modes ?? ['plain'], Number(options.minutes)) };
  } finally {
    writeFileSync(file, text);
  }
}

function prepare() {
  rmSync(tree, { recursive: true, force: true });
  cpSync(root, tree, { recursive: true, preserveTimestamps: true, filter: (from) => !LEFT_OUT.has(from.slice(root.length).split('/').at(-1)) });
  if (!existsSync(join(build, 'build.ninja'))) execFileSync('cmake', ['-G', 'Ninja', '-S', tree, '-B', build, '-DCMAKE_BUILD_TYPE=RelWithDebInfo'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const trouble = compile();
  if (trouble) throw new Error(`the tree does not build: ${trouble}`);
}

function all() {
  const modes = [...new Set(chosen.flatMap((m) => m.modes ?? ['plain']))];
  if (!options['skip-baseline']) {
    const failed = attack(modes, Number(options.minutes));
    if (failed) throw new Error(`the engine itself fails, so that no mutant can be told from it: ${failed.text}`);
    console.log(`unchanged: passes seeds ${options.seeds} (${modes.join(', ')})`);
  }
  let survived = 0;
  for (const m of chosen) {
    const began = Date.now();
    const { caught, result, detail } = mutate(m);
    if (!caught) survived += 1;
    console.log(`${caught ? 'caught  ' : result ?? 'SURVIVED'}  ${m.name}: ${m.broken} ${caught ? `[${caught.line}]` : detail ?? ''} (${((Date.now() - began) / 1000).toFixed(0)} s)`);
  }
  console.log(`${chosen.length - survived} of ${chosen.length} caught`);
  return survived;
}

if (options.list) {
  for (const m of mutants) console.log(`${m.name}: ${m.broken} (${m.file})`);
} else {
  const wrong = misfits();
  if (wrong.length > 0) throw new Error(`the list does not fit the sources:\n${wrong.join('\n')}`);
  try {
    prepare();
    process.exitCode = all() > 0 ? 1 : 0;
  } finally {
    if (!isKept) rmSync(place, { recursive: true, force: true });
  }
}
