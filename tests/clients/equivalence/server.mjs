// A private Postgres for all worlds, and per world a database and a gateway in front of it.
//
// Postgres is held by a shell that reads its standard input: when that closes, whatever became of us, the server
// is stopped and its folder removed, and a gateway that is still there ended.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

import { ROLES_SQL, worldSql } from './ddl.mjs';
import { CLAIM_SETTINGS } from './oracle.mjs';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const lib = join(root, 'scripts/lib.sh');
export const secret = 'a secret of the equivalence suite, 32+';

function newestBuild() {
  const build = join(root, 'build');
  const found = (existsSync(build) ? readdirSync(build) : []).map((preset) => join(build, preset, 'gateway/rowcast')).filter((file) => existsSync(file));
  return found.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
}

const OTHERS = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ROWCAST_')));

const HOLD = `set -euo pipefail
. "$1"
PLACE=$(rc_pg_place "$(mktemp -d "\${TMPDIR:-/tmp}/rowcast-pg.XXXXXX")")
trap 'trap - EXIT; set +e; for f in "$2"/*.pid; do rc_stop_stale "$f" serve; done 2>/dev/null; rc_pg_stop "$PLACE"; rm -rf "$PLACE"' EXIT
rc_pg_start "$PLACE" </dev/null
rc_say "$PLACE"
cat >/dev/null`;

export const pause = (ms) => new Promise((next) => { setTimeout(next, ms); });

export async function until(look, what, patience = 30_000) {
  const deadline = Date.now() + patience;
  for (;;) {
    const value = await look();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`${what} did not come within ${patience} ms`);
    await pause(20);
  }
}

const freePort = () => new Promise((done, fail) => {
  const server = createServer().once('error', fail).listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});

export class Server {
  static async start() {
    const server = new Server();
    server.binary = resolve(process.env.GATEWAY_BIN ?? newestBuild() ?? 'rowcast');
    assert.ok(existsSync(server.binary), 'no gateway to test: build one, or name it in GATEWAY_BIN');
    server.folder = mkdtempSync(join(tmpdir(), 'rowcast-equivalence.'));
    server.holder = spawn('bash', ['-c', HOLD, 'hold', lib, server.folder], { stdio: ['pipe', 'pipe', 'inherit'] });
    server.held = new Promise((done) => { server.holder.once('close', done); });
    const first = await createInterface({ input: server.holder.stdout })[Symbol.asyncIterator]().next();
    assert.ok(first.value, 'Postgres started');
    server.place = first.value;
    server.admin = await server.connect('postgres');
    await server.admin.query(ROLES_SQL);
    // Plans of nested policies look costly and are not: compiling them is.
    await server.admin.query('ALTER SYSTEM SET jit = off');
    await server.admin.query('SELECT pg_reload_conf()');
    server.count = 0;
    return server;
  }

  url(role, database) { return `postgresql://${role}@/${database}?host=${this.place}&port=5432`; }

  async connect(database) {
    const client = new pg.Client({ connectionString: this.url('postgres', database) });
    client.on('error', () => {});
    await client.connect();
    return client;
  }

  // The database of a world; its SQL may not load (a case that was cut too small): then an error.
  async database(world) {
    this.count += 1;
    const name = `eq_${this.count}`;
    await this.admin.query(`CREATE DATABASE ${name}`);
    const db = await this.connect(name);
    try {
      await db.query(worldSql(world));
    } catch (error) {
      await db.end();
      await this.drop(name);
      throw Object.assign(new Error(`the schema could not be made: ${error.message} at ${worldSql(world).slice(Math.max(0, error.position - 60), Number(error.position) + 60)}`), { isSchema: true });
    }
    return { name, db };
  }

  async copy(name) {
    await this.admin.query(`CREATE DATABASE ${name}_shadow TEMPLATE ${name}`);
    return { name: `${name}_shadow`, db: await this.connect(`${name}_shadow`) };
  }

  async drop(name) {
    // The walsender may outlive its client by a moment.
    await until(async () => (await this.admin.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1 AND NOT active', [name]),
      (await this.admin.query('SELECT FROM pg_replication_slots WHERE database = $1', [name])).rowCount === 0), 'a slot without a reader');
    await this.admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  }

  async stop() {
    await this.admin.end().catch(() => {});
    this.holder.stdin.end();
    await this.held;
    if (!this.isKept) rmSync(this.folder, { recursive: true, force: true });
  }
}

export class Gateway {
  static async start(server, database, settings = {}) {
    const gateway = new Gateway();
    const [listen, admin] = await Promise.all([freePort(), freePort()]);
    Object.assign(gateway, {
      server, database, log: join(server.folder, `${database}.log`), pidFile: join(server.folder, `${database}.pid`), url: `http://127.0.0.1:${listen}`, adminUrl: `http://127.0.0.1:${admin}`,
      env: {
        ...OTHERS, ROWCAST_DATABASE_URL: server.url('postgres', database), ROWCAST_QUERY_URL: server.url('rowcast_authenticator', database), ROWCAST_JWT_SECRET: secret, ROWCAST_SLOT: database,
        ROWCAST_ROLES: 'anon,authenticated,service_role,staff', ROWCAST_LISTEN: `127.0.0.1:${listen}`, ROWCAST_ADMIN_LISTEN: `127.0.0.1:${admin}`, ROWCAST_WORKERS: '2', ROWCAST_DRAIN_SECONDS: '0',
        ROWCAST_ACCESS_PUBLICATION: 'rowcast_access', ROWCAST_CLAIM_SETTINGS: CLAIM_SETTINGS, ROWCAST_CATALOG_POLL_MS: '1000',
        ROWCAST_ASK_TIMEOUT_MS: '20000', ROWCAST_ASK_BUDGET_MS: '30000', ...settings, // a busy machine is no reason to be told less
      },
    });
    const setup = await gateway.command('setup');
    assert.equal(setup.code, 0, `rowcast setup: ${setup.text}`);
    await gateway.serve();
    return gateway;
  }

  command(...words) {
    return new Promise((done) => {
      execFile(this.server.binary, words, { env: this.env, maxBuffer: 1 << 26 }, (error, stdout, stderr) => done({ code: error ? error.code ?? 1 : 0, text: stdout + stderr }));
    });
  }

  async serve() {
    const log = openSync(this.log, 'a');
    this.child = spawn(this.server.binary, ['serve'], { stdio: ['ignore', log, log], env: this.env });
    closeSync(log);
    writeFileSync(this.pidFile, `${this.child.pid}\n`);
    this.ended = new Promise((done) => { this.child.once('close', (code, signal) => { this.end = { code, signal }; done(); }); });
    await until(async () => {
      if (this.end) throw new Error(`the gateway ended: ${this.tail()}`);
      return fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(2000) }).then((r) => r.ok, () => false);
    }, 'a ready gateway');
  }

  tail() { return readFileSync(this.log, 'utf8').split('\n').slice(-20).join('\n'); }

  // What `rowcast check` says of every published table: name → role → { path, why }. Its lines are
  //   path  TABLE  ROLE  PATH  WHY          policy  TABLE  POLICY  ROLE  PATH  WHY
  async paths() {
    const { text } = await this.command('check');
    const paths = new Map();
    for (const [, name, role, path, why] of text.matchAll(/^path  (.+?)  (\w+)  (nobody|everyone|solved|assisted|asked)(?:  (.*))?$/gm)) {
      if (!paths.has(name)) paths.set(name, new Map());
      paths.get(name).set(role, { path, why });
    }
    this.checked = text;
    return paths;
  }

  stopForNow() { this.child.kill('SIGSTOP'); }
  goOn() { this.child.kill('SIGCONT'); }

  async metrics() {
    const text = await fetch(`${this.adminUrl}/metrics`).then((r) => r.text());
    return Object.fromEntries([...text.matchAll(/^(rowcast_\w+) (\S+)$/gm)].map(([, name, value]) => [name, Number(value)]));
  }

  // Ends it; what went wrong in it meanwhile, or null.
  async stop() {
    this.goOn();
    const isEarly = this.end;
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 20_000);
    await this.ended;
    clearTimeout(timer);
    rmSync(this.pidFile, { force: true });
    const text = readFileSync(this.log, 'utf8');
    const report = text.match(/(?:ERROR: (?:Address|Thread|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:)[^]{0,3000}/);
    if (report) return `a sanitizer reported: ${report[0]}`;
    if (isEarly) return `the gateway ended by itself (${isEarly.code ?? isEarly.signal}): ${this.tail()}`;
    return this.end.code === 0 ? null : `the gateway did not end well (${this.end.code ?? this.end.signal}): ${this.tail()}`;
  }
}
