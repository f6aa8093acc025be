// Run the client suites: for one and for two workers, a fresh Postgres and gateway, then every suite.
//
// usage: node run.mjs [--binary FILE] [--workers N]… [suite…]
//   --binary FILE   the gateway (default: $GATEWAY_BIN, else the newest build/*/gateway/rowcast)
//   --workers N     a configuration; may be given more than once (default: 1 and 2)
//   suite           e.g. visibility (default: all)
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = resolve(here, '../..');
const SUITES = readdirSync(here).filter((name) => name.endsWith('.test.mjs')).sort();

function newestBuild() {
  const build = join(root, 'build');
  const found = (existsSync(build) ? readdirSync(build) : [])
    .map((preset) => join(build, preset, 'gateway/rowcast')).filter((file) => existsSync(file));
  return found.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
}

const ended = (child) => new Promise((done) => { child.once('close', (code) => done(code ?? 1)); });

async function startStack(binary, workers, folder) {
  const child = spawn(join(here, 'support/stack.sh'), [binary, String(workers), folder],
    { stdio: ['pipe', 'pipe', 'inherit'] });
  const end = ended(child);
  const environment = {};
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'ready') {
      return { environment, stop: () => { child.stdin.end(); return end; } };
    }
    const at = line.indexOf('=');
    environment[line.slice(0, at)] = line.slice(at + 1);
  }
  await end;
  throw new Error('the gateway could not be started');
}

// One process a suite: a suite that crashes says its own name. One that hangs fails by the time limits of
// its own describe blocks.
function runSuite(suite, environment) {
  return ended(spawn(process.execPath, ['--test', '--test-reporter=spec', join(here, suite)],
    { stdio: 'inherit', env: { ...process.env, NODE_NO_WARNINGS: '1', ...environment } }));
}

async function runConfiguration(binary, workers, suites) {
  console.log(`\n=== ${workers} worker${workers === 1 ? '' : 's'}`);
  const folder = mkdtempSync(join(tmpdir(), 'rowcast-clients.'));
  const stack = await startStack(binary, workers, folder);
  let failed = 0;
  for (const suite of suites) {
    if (await runSuite(suite, stack.environment) !== 0) failed += 1;
  }
  if (await stack.stop() !== 0) failed += 1;
  if (failed === 0) rmSync(folder, { recursive: true });
  else console.log(`logs are in ${folder}`);
  return failed;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { binary: { type: 'string' }, workers: { type: 'string', multiple: true } },
});
const binary = values.binary ?? process.env.GATEWAY_BIN ?? newestBuild();
if (!binary || !existsSync(binary)) {
  console.error('run.mjs: no gateway to test: build one, or name it with --binary');
  process.exit(2);
}
const suites = positionals.length === 0 ? SUITES
  : SUITES.filter((suite) => positionals.some((name) => suite.startsWith(name)));
let failed = 0;
for (const workers of (values.workers ?? ['1', '2']).map(Number)) {
  failed += await runConfiguration(resolve(binary), workers, suites);
}
console.log(failed === 0 ? '\nall client suites passed' : `\n${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
