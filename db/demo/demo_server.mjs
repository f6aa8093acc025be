// The demo's helper: hands the page its tokens and first rows, and writes what people type, each as the
// person who typed it. For this machine alone: it listens on loopback, speaks to the demo page's origin
// only, and its database login (the authenticator) can do nothing by itself.
//
//   DATABASE_URL   as rowcast_authenticator      JWT_SECRET    the gateway's
//   GATEWAY_URL    http://127.0.0.1:4000         HELPER_PORT   where to listen
//   BOT            0: start with the bot off     BOT_INTERVAL_MS   2000
import { createServer } from 'node:http';

import { Bot } from './bot.mjs';
import { require } from './modules.mjs';
import * as planner from './planner.mjs';
import { roleToken, userToken } from './token.mjs';

const pg = require('pg');

const MAX_BODY_BYTES = 16 * 1024;
const env = (name, fallback) => {
  const value = process.env[name] ?? fallback;
  if (value === undefined) {
    console.error(`demo_server: ${name} is not set`);
    process.exit(2);
  }
  return value;
};

const gatewayUrl = env('GATEWAY_URL');
const secret = env('JWT_SECRET');
const port = Number(env('HELPER_PORT'));
const gatewayPort = new URL(gatewayUrl).port;
const origins = new Set([gatewayUrl, `http://localhost:${gatewayPort}`, `http://127.0.0.1:${gatewayPort}`]);
const hosts = new Set([`127.0.0.1:${port}`, `localhost:${port}`]);

// int8 as a number, as the gateway sends it; these ids are small.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
pg.types.setTypeParser(pg.types.builtins.NUMERIC, Number);
const pool = new pg.Pool({ connectionString: env('DATABASE_URL'), max: 4 });
pool.on('error', (error) => console.error(`demo_server: ${error.message}`));
const bot = new Bot(pool, Number(env('BOT_INTERVAL_MS', '2000')),
  (error) => console.error(`demo_server: bot: ${error.message}`));

async function config() {
  const people = {};
  const rows = {};
  for (const [key, person] of Object.entries(planner.PEOPLE)) {
    people[key] = { ...person, token: userToken(person.id, secret, { email: `${key}@example.org` }) };
    rows[key] = await planner.readTrip(pool, person);
  }
  return {
    gatewayUrl, apiKey: roleToken('anon', secret), tripId: planner.TRIP_ID, people, rows,
    botRunning: bot.isRunning, clock: planner.clock(),
  };
}

async function edit(body) {
  const person = planner.personOf(body.user);
  const itemId = Number(body.itemId);
  switch (body.action ?? 'edit') {
    case 'edit': return planner.editItem(pool, person, itemId, body.field, body.value);
    case 'add': return planner.addItem(pool, person, body);
    case 'delete': return planner.deleteItem(pool, person, itemId);
    case 'move': return planner.moveItem(pool, person, itemId, body.direction);
    default: throw new planner.Refused(400, `no such action: ${body.action}`);
  }
}

async function setBot(body) {
  if (body.running) bot.start();
  else await bot.stop();
  return { running: bot.isRunning };
}

const routes = {
  'GET /demo-config.json': () => config(),
  'GET /clock': () => ({ clock: planner.clock() }),
  'GET /rows': (_, query) => planner.readTrip(pool, planner.personOf(query.get('user'))),
  'POST /edit': edit,
  'POST /share': (body) => planner.shareTrip(pool, Boolean(body.on)),
  'POST /bot': setBot,
};

async function readBody(request) {
  if (request.method !== 'POST') return null;
  if (request.headers['content-type'] !== 'application/json') {
    throw new planner.Refused(415, 'application/json, please');
  }
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MAX_BODY_BYTES) throw new planner.Refused(413, 'too long');
  }
  try {
    return Object(JSON.parse(text));
  } catch {
    throw new planner.Refused(400, 'not JSON');
  }
}

// A page of another site must neither read the tokens nor write, nor reach us by a name of its own.
function admit(request) {
  const { origin, host } = request.headers;
  if (!hosts.has(host) || (origin && !origins.has(origin))) throw new planner.Refused(403, 'not for this page');
  return origin;
}

async function answer(request, response) {
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', vary: 'origin' };
  let status = 200;
  let value;
  try {
    const origin = admit(request);
    if (origin) {
      headers['access-control-allow-origin'] = origin;
      headers['access-control-allow-headers'] = 'content-type';
    }
    if (request.method === 'OPTIONS') {
      response.writeHead(204, headers).end();
      return;
    }
    const url = new URL(request.url, `http://127.0.0.1:${port}`);
    const route = routes[`${request.method} ${url.pathname}`];
    if (!route) throw new planner.Refused(404, 'nothing here');
    value = await route(await readBody(request), url.searchParams);
  } catch (error) {
    status = error.status ?? 500;
    value = { error: error.message };
    if (status === 500) console.error(`demo_server: ${error.message}`);
  }
  response.writeHead(status, headers).end(JSON.stringify(value));
}

async function stop() {
  await bot.stop();
  server.close();
  server.closeAllConnections();
  await pool.end();
  process.exit(0);
}

const server = createServer(answer);
server.on('error', (error) => {
  console.error(`demo_server: ${error.message}`);
  process.exit(1);
});
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
server.listen(port, '127.0.0.1', () => {
  if (env('BOT', '1') !== '0') bot.start();
  console.log(`demo_server: listening on 127.0.0.1:${port}`);
});
