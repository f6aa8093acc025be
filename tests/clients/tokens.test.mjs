// Who is let in: at the upgrade (the apikey) and at the join (the access token), and the oldest way to join.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import WebSocket from 'ws';

import { secondsFromNow, signToken } from '../../db/demo/token.mjs';
import { Feed, takeAll } from './support/feed.mjs';
import { anonKey, idOf, pool, secret, socketUrl, sql, tokenOf } from './support/stack.mjs';

const limits = { timeout: 120_000 };
const claims = { sub: idOf(1), role: 'authenticated', exp: secondsFromNow(3600) };
const BAD = {
  'an expired token': signToken({ ...claims, exp: secondsFromNow(-10) }, secret),
  'a token that expires this very second': signToken({ ...claims, exp: secondsFromNow(0) }, secret),
  'a token without expiry': signToken({ sub: claims.sub, role: claims.role }, secret),
  'an unsigned token': signToken(claims, secret, 'none'),
  'a token that names an asymmetric algorithm': signToken(claims, secret, 'HS256')
    .replace(/^[^.]+/, Buffer.from('{"alg":"RS256","typ":"JWT"}').toString('base64url')),
  'a token signed with another secret': signToken(claims, 'x'.repeat(40)),
  'a token for a role that is not on the list': signToken({ ...claims, role: 'postgres' }, secret),
  'a token for an invented role': signToken({ ...claims, role: 'authenticated; DROP TABLE trips' }, secret),
  'no token at all': 'not-a-token',
};

// The HTTP status of the answer to an upgrade: 101 if it was accepted.
function upgradeStatus(query) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${socketUrl}?${query}`);
    socket.once('open', () => { socket.close(); resolve(101); });
    socket.once('unexpected-response', (request, response) => { request.destroy(); resolve(response.statusCode); });
    socket.once('error', reject);
  });
}

describe('the upgrade', limits, () => {
  test('a good key is accepted in both serializers and without one named', async () => {
    for (const vsn of ['&vsn=1.0.0', '&vsn=2.0.0', '']) {
      assert.equal(await upgradeStatus(`apikey=${anonKey}${vsn}`), 101);
    }
  });

  test('a missing key is refused', async () => {
    assert.equal(await upgradeStatus('vsn=2.0.0'), 401);
  });

  for (const [name, token] of Object.entries(BAD)) {
    test(`${name} is refused`, async () => {
      assert.ok([401, 403].includes(await upgradeStatus(`apikey=${encodeURIComponent(token)}&vsn=2.0.0`)));
    });
  }
});

describe('the join', limits, () => {
  for (const [name, token] of Object.entries(BAD)) {
    test(`${name} ends in an error that the client is told`, async () => {
      const feed = new Feed({ token, vsn: '2.0.0', bindings: ['trips'], apiKey: anonKey });
      await feed.waitForStatus('CHANNEL_ERROR');
      assert.ok(feed.error instanceof Error && feed.error.message.length > 0);
      assert.ok(!feed.statuses.includes('SUBSCRIBED'));
      await feed.close();
    });
  }

  for (const alg of ['HS256', 'HS384', 'HS512']) {
    test(`${alg} is accepted`, async () => {
      const feed = await Feed.open({ token: signToken(claims, secret, alg), bindings: ['trips'] });
      await sql('UPDATE trips SET budget = budget + 1 WHERE id = 1');
      const [events] = await takeAll(feed);
      assert.deepEqual(events.map((event) => event.new.id), [1]);
      await feed.close();
    });
  }

  test('a client without a token of its own is what its key says', async () => {
    const [anon, service] = await Promise.all([
      Feed.open({ token: undefined, bindings: ['trips', 'currencies'] }),
      Feed.open({ token: undefined, apiKey: signToken({ role: 'service_role', exp: secondsFromNow(600) }, secret), bindings: ['trips', 'currencies'] }),
    ]);
    await sql('UPDATE trips SET budget = budget + 1 WHERE id = 1');
    await sql("UPDATE currencies SET name = name WHERE code = 'EUR'");
    const tables = (await takeAll(anon, service)).map((events) => events.map((event) => event.table));
    assert.deepEqual(tables, [['currencies'], ['trips', 'currencies']]);
    await Promise.all([anon.close(), service.close()]);
  });
});

describe('the oldest way to join', limits, () => {
  // Without config the topic itself names the table, and changes come as events of their own.
  test('realtime:public:trips sends UPDATE with the change as payload', async () => {
    const socket = new WebSocket(`${socketUrl}?apikey=${anonKey}`);
    const messages = [];
    const arrived = new Promise((resolve, reject) => {
      socket.on('message', (data) => {
        messages.push(JSON.parse(data));
        const last = messages.at(-1);
        if (last.event === 'phx_reply' && last.payload.status !== 'ok') reject(new Error(JSON.stringify(last)));
        if (last.event === 'phx_reply') sql('UPDATE trips SET budget = budget + 1 WHERE id = 1').catch(reject);
        if (last.event === 'UPDATE') resolve(last);
      });
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('closed')));
    });
    socket.once('open', () => socket.send(JSON.stringify({
      topic: 'realtime:public:trips', event: 'phx_join', ref: '1', join_ref: '1', payload: { user_token: tokenOf(1) },
    })));
    const change = await arrived;
    assert.equal(change.topic, 'realtime:public:trips');
    assert.equal(change.payload.type, 'UPDATE');
    assert.equal(change.payload.record.id, 1);
    socket.close();
  });
});

after(async () => {
  await Feed.closeAll();
  await pool.end();
});
