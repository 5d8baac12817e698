// Our Engine.IO client, or the official one, with the official server: the cases of the official client's own tests.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, within } from '../lib/deadline.js';
import { startClient, startEngine } from '../lib/engine-client.js';

const BOTH = ['polling', 'websocket'];

/** A client that is open and has got its `hi`. */
async function session(t, options = {}, server = {}) {
  const engine = await startEngine(t, server);
  const client = startClient(t);
  client.connect({ url: engine.url, ...options });
  const open = await client.next('open');
  if (!server.quiet) assert.equal(await client.message(), 'hi');
  return { engine, client, open };
}

for (const transport of BOTH) {
  const options = { transports: [transport] };

  test(`connects, echoes text with characters of every width, and closes (${transport})`, async (t) => {
    const { engine, client, open } = await session(t, options);
    assert.equal(open.transport, transport);
    assert.equal(open.sid, engine.sockets[0].id);
    assert.equal(open.maxPayload, 100);
    for (const text of ['cash money €€€', 'ß ü 日本', '\uD834\uDF06']) {
      client.send(text);
      assert.equal(await client.message(), text);
    }
    client.send('give utf8');
    assert.equal(await client.message(), 'пойду спать всем спокойной ночи');
    client.close();
    assert.equal((await client.next('close')).reason, 'forced close');
    assert.equal(await within(engine.sockets[0].closed, 'close on the server'), 'transport close');
    await eventually(() => engine.engine.clientsCount === 0, 'no session on the server');
  });

  for (const forceBase64 of [false, true]) {
    test(`binary and text keep their order (${transport}${forceBase64 ? ', base64' : ''})`, async (t) => {
      const { client } = await session(t, { ...options, forceBase64 });
      client.send('give binary');
      assert.deepEqual(await client.message(), Buffer.from([0, 1, 2, 3, 4]));
      const messages = [Buffer.from([0, 1, 255]), 'cash money €€€', Buffer.from([]), 'x', Buffer.from([5])];
      client.send(...messages);
      for (const message of messages) assert.deepEqual(await client.message(), message);
    });
  }

  test(`headers are sent (${transport})`, async (t) => {
    const { engine } = await session(t, { ...options, headers: [['x-custom', 'first']] });
    assert.ok(engine.requests.length > 0);
    for (const { headers } of engine.requests) assert.equal(headers['x-custom'], 'first');
  });

  test(`a refusal is told (${transport})`, async (t) => {
    const engine = await startEngine(t);
    const client = startClient(t);
    client.connect({ url: `${engine.url}/?deny=1`, ...options });
    const { cause } = await client.next('error');
    if (transport === 'polling') {
      assert.equal(cause.status, 403);
      assert.equal(cause.code, 4);
    }
  });

  test(`falls back from ${transport} when all transports may be tried`, async (t) => {
    const other = BOTH.find((name) => name !== transport);
    const engine = await startEngine(t, { transports: [other] });
    const client = startClient(t);
    client.connect({ url: engine.url, transports: [transport, other], tryAllTransports: true });
    assert.equal((await client.next('open')).transport, other);
    client.close();
    await client.next('close');
    client.connect({ url: engine.url, transports: [transport, other] });
    await client.next('error');
  });

  test(`a server that falls silent is given up (${transport})`, async (t) => {
    const { engine, client } = await session(t, options, { pingInterval: 100, pingTimeout: 2000 });
    const socket = engine.sockets[0];
    clearTimeout(socket.pingIntervalTimer);
    assert.equal((await client.next('close')).reason, 'ping timeout');
  });
}

test('moves to a WebSocket without losing a message', async (t) => {
  const { client } = await session(t, {}, { maxHttpBufferSize: 1e6 });
  const sent = Array.from({ length: 2000 }, (_, index) => `message ${index}`);
  for (let index = 0; index < sent.length; index += 50) client.send(...sent.slice(index, index + 50));
  const received = [];
  let upgraded = false;
  while (received.length < sent.length) {
    const event = await client.any();
    if (event.event === 'upgrade') upgraded = true;
    else received.push(event.data);
  }
  assert.deepEqual(received, sent);
  if (!upgraded) await client.next('upgrade');
});

test('packets are merged up to the limit of the server', async (t) => {
  const { engine, client } = await session(t, { transports: ['polling'] });
  const messages = ['a'.repeat(9), 'b'.repeat(80), 'c'.repeat(99), 'd'.repeat(6), 'e'.repeat(50), 'f'.repeat(50)];
  client.send(...messages);
  for (const message of messages) assert.equal(await client.message(), message);
  const bodies = engine.requests.filter(({ method }) => method === 'POST').map(({ headers }) => +headers['content-length']);
  for (const length of bodies) assert.ok(length <= 100, `${bodies}`);
  // Pongs may come in between.
  assert.ok(bodies.filter((length) => length > 2).length <= 5, `${bodies}`);
});

test('binary packets are merged up to the limit of the server', async (t) => {
  const { engine, client } = await session(t, { transports: ['polling'] });
  const messages = [72, 20, 20, 20, 20, 72].map((length, index) => Buffer.alloc(length, index));
  client.send(...messages);
  for (const message of messages) assert.deepEqual(await client.message(), message);
  for (const { method, headers } of engine.requests) {
    if (method === 'POST') assert.ok(+headers['content-length'] <= 100);
  }
});

test('one packet beyond the limit is sent all the same, and ends the session with 413', async (t) => {
  const { client } = await session(t, { transports: ['polling'] });
  client.send('a'.repeat(101), 'b');
  const { reason, cause } = await client.next('close');
  assert.equal(reason, 'transport error');
  assert.equal(cause.status, 413);
});

test('one message beyond the limit ends a WebSocket with 1009', async (t) => {
  const { client } = await session(t, { transports: ['websocket'] });
  client.send('a'.repeat(101));
  const { reason, cause } = await client.next('close');
  assert.equal(reason, 'transport close');
  assert.equal(cause.code, 1009);
});

test('a session that the server has forgotten ends with its code', async (t) => {
  const { engine, client, open } = await session(t, { transports: ['polling'] });
  delete engine.engine.clients[open.sid];
  client.send('to a stranger');
  const { reason, cause } = await client.next('close');
  assert.equal(reason, 'transport error');
  assert.equal(cause.status, 400);
  assert.equal(cause.code, 1);
  assert.equal(cause.message, 'Session ID unknown');
});

test('what was sent before a close during the upgrade arrives', async (t) => {
  for (const wait of [0, 1, 2, 5, 10]) {
    const { engine, client } = await session(t);
    const received = [];
    engine.sockets[0].on('message', (data) => received.push(data));
    await new Promise((resolve) => setTimeout(resolve, wait));
    client.send('last', 'words');
    client.close();
    assert.equal((await client.next('close')).reason, 'forced close');
    await within(engine.sockets[0].closed, 'close on the server');
    assert.deepEqual(received, ['last', 'words']);
  }
});

test('an upgrade is remembered when that is wanted', async (t) => {
  const engine = await startEngine(t);
  const client = startClient(t);
  const connect = async (rememberUpgrade) => {
    client.connect({ url: engine.url, rememberUpgrade });
    return (await client.next('open')).transport;
  };
  assert.equal(await connect(true), 'polling');
  await client.next('upgrade');
  client.close();
  await client.next('close');
  assert.equal(await connect(true), 'websocket');
  client.close();
  await client.next('close');
  assert.equal(await connect(false), 'polling');
});

test('cookies are sent back when that is wanted', async (t) => {
  for (const cookies of [undefined, 'connection']) {
    const { engine, client } = await session(t, { cookies });
    await client.next('upgrade');
    client.send('x');
    await client.message();
    const [first, ...later] = engine.requests;
    assert.equal(first.headers.cookie, undefined);
    assert.ok(later.length >= 2);
    for (const { headers } of later) assert.equal(headers.cookie, cookies && '1=1; 2=2');
  }
});

test('messages are compressed when both want it', async (t) => {
  for (const perMessageDeflate of [false, { threshold: 0 }]) {
    const server = { perMessageDeflate, maxHttpBufferSize: 1e6 };
    const { engine, client } = await session(t, { transports: ['websocket'], deflate: true }, server);
    const { extensions } = engine.sockets[0].transport.socket;
    assert.equal(/permessage-deflate/.test(extensions), perMessageDeflate !== false);
    for (const message of ['short', 'long '.repeat(5000), Buffer.alloc(20_000, 7)]) {
      client.send(message);
      assert.deepEqual(await client.message(), message);
    }
  }
});
