// What our Engine.IO client does beyond the official one, with the official server. It starts our program, whatever INTEROP_SERVER says.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../lib/deadline.js';
import { startClient, startEngine } from '../lib/engine-client.js';
import { isReference } from '../lib/server.js';

const options = isReference && { skip: 'the official client is another' };

test('a shared jar survives connections', options, async (t) => {
  const engine = await startEngine(t);
  const client = startClient(t);
  for (let round = 0; round < 3; round++) {
    client.connect({ url: engine.url, cookies: 'shared' });
    await client.next('upgrade');
    client.close();
    await client.next('close');
    const [first, ...later] = engine.requests.splice(0);
    assert.equal(first.headers.cookie, round === 0 ? undefined : '1=1; 2=2');
    for (const { headers } of later) assert.equal(headers.cookie, '1=1; 2=2');
  }
});

test('a client that goes away while it opens leaves no session behind', options, async (t) => {
  let allow;
  const allowed = new Promise((resolve) => (allow = resolve));
  const engine = await startEngine(t, {
    pingInterval: 25_000,
    allowRequest: (_, done) => allowed.then(() => done(null, true)),
  });
  const client = startClient(t);
  client.connect({ url: engine.url, connectTimeout: 1000 });
  await client.next('error');
  allow();
  await eventually(() => engine.sockets.length === 1, 'the session that nobody waits for');
  await eventually(() => engine.engine.clientsCount === 0, 'its end');
});

test('a WebSocket that is closed before the open packet is an error at once', options, async (t) => {
  const engine = await startEngine(t);
  engine.engine.verify = (req, upgrade, done) => done(0, {});
  const client = startClient(t);
  client.connect({ url: engine.url, transports: ['websocket'] });
  await client.next('error');
});

test('a probe that nobody answers leaves the session on polling', options, async (t) => {
  const engine = await startEngine(t);
  const { onWebSocket } = engine.engine;
  // Candidates are accepted and never heard.
  engine.engine.onWebSocket = function (req, socket, websocket) {
    if (!req._query.sid) onWebSocket.call(this, req, socket, websocket);
  };
  const client = startClient(t);
  client.connect({ url: engine.url, upgradeTimeout: 100 });
  assert.equal((await client.next('open')).transport, 'polling');
  assert.equal(await client.message(), 'hi');
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (const text of ['a', 'b', 'c']) {
    client.send(text);
    assert.equal(await client.message(), text);
  }
  assert.equal(engine.sockets[0].transport.name, 'polling');
});
