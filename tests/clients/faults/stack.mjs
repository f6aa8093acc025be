// A Postgres and gateways of one's own, to be stopped, killed and started again.
//
// Postgres is held by a shell that reads its standard input: when that closes, whatever became of us, the
// server is stopped, its folder removed, and a gateway that is still there ended (scripts/lib.sh does both).
// Each scenario has a database, a slot and a gateway to itself, so that no case feels the one before it.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, statSync,
  writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

import { roleToken, seedUserId, userToken } from '../../../db/demo/token.mjs';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const lib = join(root, 'scripts/lib.sh');
const secret = 'a secret of the fault suite, 32+ bytes';

// Not measurements: they turn a hang into a message.
export const PATIENCE_MS = 30_000;
export const STOP_MS = 20_000;

export const anonKey = roleToken('anon', secret);
export const tokenOf = (n) => userToken(seedUserId(n), secret);
export const idOf = seedUserId;

// As the gateway shows them: the numbers here are small.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

function newestBuild() {
  const build = join(root, 'build');
  const found = (existsSync(build) ? readdirSync(build) : [])
    .map((preset) => join(build, preset, 'gateway/rowcast')).filter((file) => existsSync(file));
  return found.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
}

const binary = process.env.GATEWAY_BIN ?? newestBuild();
if (!binary) throw new Error('no gateway to test: build one, or name it with GATEWAY_BIN');

// The gateway's settings are ours alone; what the environment has of them (GATEWAY_BIN) is not for it.
const OTHERS = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ROWCAST_')));

// Poll until look() is true; its value is returned. The pause paces the looking, nothing depends on it.
export async function until(look, what, patience = PATIENCE_MS) {
  const deadline = Date.now() + patience;
  for (;;) {
    const value = await look();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`${what} did not come within ${patience} ms`);
    await new Promise((next) => { setTimeout(next, 20); });
  }
}

const freePort = () => new Promise((resolve, reject) => {
  const server = createServer().once('error', reject).listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

const run = (file, args, options) => new Promise((resolve, reject) => {
  execFile(file, args, options, (error, stdout, stderr) => (error
    ? reject(new Error(`${args.at(-1)}: ${stdout}${stderr}`, { cause: error })) : resolve(stdout)));
});

// ---- Postgres

const HOLD = `set -euo pipefail
. "$1"
PLACE=$(rc_pg_place "$(mktemp -d "\${TMPDIR:-/tmp}/rowcast-pg.XXXXXX")")
trap 'trap - EXIT; set +e; for f in "$2"/*.pid; do rc_stop_stale "$f" serve; done 2>/dev/null; rc_pg_stop "$PLACE"; rm -rf "$PLACE"' EXIT
rc_pg_start "$PLACE" </dev/null
rc_say "$PLACE" "$(rc_pg_bin)"
cat >/dev/null`;

const ROLES = `
  CREATE ROLE anon NOLOGIN NOINHERIT;
  CREATE ROLE authenticated NOLOGIN NOINHERIT;
  CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
  CREATE ROLE rowcast_authenticator LOGIN NOINHERIT;
  GRANT anon, authenticated, service_role TO rowcast_authenticator`;

// uid(): who asks. Tables open to everybody and tables with a policy are judged in different ways.
const BASE = `
  CREATE FUNCTION uid() RETURNS uuid LANGUAGE sql STABLE AS
    $$ SELECT (current_setting('request.jwt.claims', true)::jsonb ->> 'sub')::uuid $$;
  CREATE PUBLICATION supabase_realtime FOR ALL TABLES;
  ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO anon, authenticated, service_role;
  CREATE TABLE marks (id serial PRIMARY KEY)`;

export class Server {
  scenarios = [];
  #isDown = false;

  static async start() {
    const server = new Server();
    server.folder = mkdtempSync(join(tmpdir(), 'rowcast-faults.'));
    server.holder = spawn('bash', ['-c', HOLD, 'hold', lib, server.folder], { stdio: ['pipe', 'pipe', 'inherit'] });
    server.held = new Promise((done) => { server.holder.once('close', done); });
    const lines = createInterface({ input: server.holder.stdout })[Symbol.asyncIterator]();
    server.place = (await lines.next()).value;
    server.bin = (await lines.next()).value;
    assert.ok(server.bin, 'Postgres started');
    await server.once('postgres', ROLES);
    return server;
  }

  url(role, database) { return `postgresql://${role}@/${database}?host=${this.place}&port=5432`; }

  // One connection, one text, closed again.
  async once(database, text) {
    const client = new pg.Client({ connectionString: this.url('postgres', database) });
    client.on('error', () => {});
    await client.connect();
    try { return (await client.query(text)).rows; } finally { await client.end().catch(() => {}); }
  }

  #control(...words) {
    const command = `. "$1"; shift; rc_as_db_user "$@" >/dev/null`;
    return run('bash', ['-c', command, 'control', lib, join(this.bin, 'pg_ctl'), '-D', join(this.place, 'data'),
      '-w', '-t', String((PATIENCE_MS + STOP_MS) / 1000), ...words]);
  }

  // Milliseconds until the server had ended.
  async down(mode) {
    const began = Date.now();
    this.#isDown = true;
    await this.#control('-m', mode, 'stop');
    return Date.now() - began;
  }

  // Also after a stop that failed: immediate, then started.
  async up() {
    if (!this.#isDown) return;
    await this.#control('-m', 'immediate', 'stop').catch(() => {}); // there is none, as it should be
    await this.#control('-l', join(this.place, 'log'), 'start');
    this.#isDown = false;
  }

  // A database with `schema` in it and a gateway in front of it.
  async scenario(name, schema, settings = {}) {
    const scenario = new Scenario(this, name, settings);
    this.scenarios.push(scenario);
    await this.once('postgres', `CREATE DATABASE ${name}`);
    await this.once(name, `${BASE}; ${schema}`);
    await scenario.start();
    return scenario;
  }

  async stop() {
    for (const scenario of this.scenarios) await scenario.end();
    this.holder.stdin.end();
    await this.held;
    if (!process.env.KEEP_LOGS) rmSync(this.folder, { recursive: true, force: true });
  }
}

// ---- one database and its gateway

export class Scenario {
  exit = null; // of the gateway: { code, signal } once it has ended

  constructor(server, name, settings) {
    this.server = server;
    this.name = name;
    this.settings = settings;
    this.log = join(server.folder, `${name}.log`);
    this.pool = new pg.Pool({ connectionString: server.url('postgres', name), max: 8 });
    this.pool.on('error', () => {}); // the server goes away under it on purpose
  }

  async sql(text, values) { return (await this.pool.query(text, values)).rows; }

  async start() {
    this.listen ??= `127.0.0.1:${await freePort()}`;
    this.admin ??= `127.0.0.1:${await freePort()}`;
    const log = openSync(this.log, 'a');
    this.exit = null;
    this.child = spawn(binary, ['serve'], { stdio: ['ignore', log, log], env: { ...OTHERS,
      ROWCAST_DATABASE_URL: this.server.url('postgres', this.name),
      ROWCAST_QUERY_URL: this.server.url('rowcast_authenticator', this.name),
      ROWCAST_SLOT: `rowcast_${this.name}`, ROWCAST_JWT_SECRET: secret, ROWCAST_LISTEN: this.listen,
      ROWCAST_ADMIN_LISTEN: this.admin, ROWCAST_DRAIN_SECONDS: '1', ...(process.env.GW_LOG ? { ROWCAST_LOG: process.env.GW_LOG } : {}), ...this.settings } });
    closeSync(log);
    writeFileSync(join(this.server.folder, `${this.name}.pid`), String(this.child.pid));
    this.child.once('exit', (code, signal) => { this.exit = { code, signal }; });
    await until(() => this.exit || this.isReady(), 'the gateway').catch((error) => {
      throw new Error(`${error.message}: ${this.readLog().slice(-4000)}`);
    });
    assert.equal(this.exit, null, `the gateway ended: ${this.readLog().slice(-4000)}`);
  }

  isReady() {
    const signal = AbortSignal.timeout(2000);
    return fetch(`http://${this.listen}/readyz`, { signal }).then((answer) => answer.ok, () => false);
  }

  async signal(name) {
    this.child.kill(name);
    return until(() => this.exit, 'the end of the gateway', STOP_MS);
  }

  get url() { return `http://${this.listen}`; }

  get socketUrl() { return `ws://${this.listen}/realtime/v1/websocket?apikey=${anonKey}&vsn=2.0.0`; }

  readLog() { return readFileSync(this.log, 'utf8'); }

  // { name: number } without the prefix rowcast_.
  async metrics() {
    const text = await (await fetch(`http://${this.admin}/metrics`)).text();
    return Object.fromEntries([...text.matchAll(/^rowcast_(\w+) (\S+)$/gm)].map(([, name, value]) => [name, Number(value)]));
  }

  // Memory that is in use now, in bytes.
  residentBytes() {
    const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'));
    return Number(kib) * 1024;
  }

  // The id of the thread with that name.
  threadOf(name) {
    const tasks = `/proc/${this.child.pid}/task`;
    return readdirSync(tasks).find((task) => readFileSync(`${tasks}/${task}/comm`, 'utf8').trim() === name);
  }

  async end() {
    await this.pool.end().catch(() => {});
    if (!this.child || this.exit) return;
    this.child.kill('SIGTERM');
    await until(() => this.exit, 'the end of the gateway', STOP_MS).catch(() => this.child.kill('SIGKILL'));
  }
}

// ---- a thread that stands still

// ptrace alone can stop one thread and leave the others running. The tracer stops it, says "stopped", and
// lets it go at the end of its input, or when it dies.
const TRACER = `
import ctypes, os, sys
libc, tid = ctypes.CDLL(None, use_errno=True), int(sys.argv[1])
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
def trace(request):
    if libc.ptrace(request, tid, None, None) != 0:
        print(os.strerror(ctypes.get_errno()), flush=True)
        sys.exit(0)
trace(0x4206)  # SEIZE
trace(0x4207)  # INTERRUPT
os.waitpid(tid, 0x40000000)  # __WALL
print("stopped", flush=True)
sys.stdin.read()
trace(17)  # DETACH
`;

// { release } once the thread stands, or { refused: why } where the system does not allow it.
export async function freezeThread(tid) {
  const child = spawn('python3', ['-c', TRACER, tid], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((done) => { child.once('close', done); });
  const said = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.stdout.once('data', (data) => resolve(String(data).trim()));
  });
  return said === 'stopped' ? { release: () => { child.stdin.end(); return ended; } } : { refused: said };
}
