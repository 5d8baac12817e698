// Our client against the official server: connecting, events, acknowledgements, namespaces.

import assert from 'node:assert/strict';
import { bytes, startClient } from '../lib/contract-client.js';
import { eventually } from '../lib/deadline.js';
import { TRANSPORTS, scenario } from '../lib/harness.js';
import { startOfficial } from '../lib/official-server.js';

/** The same test over each transport; each has a server and a client of its own. */
function overTransports(sentence, run) {
  for (const transport of TRANSPORTS) {
    scenario(`${sentence} (${transport})`, async (t) => {
      const server = await startOfficial(t);
      const client = startClient(t, { url: server.url, transport });
      await run({ t, transport, server, client });
    });
  }
}

const VALUES = [
  [],
  [null],
  [true, false],
  [0, -1, 0.5, 2 ** 53 - 1, 1e-7],
  ['', 'てすと', 'Я Б Г Д Ж Й', 'Ä ä Ü ü ß', 'utf8 — string', '🦀', '"\\\u0000'],
  [{ a: { b: [{}, []] } }, [[[]]]],
  [bytes(), bytes(1, 2, 3)],
  [{ hello: 'lol', message: bytes(97, 98), deep: [{ again: bytes(0) }] }, 'goodbye'],
  ['x'.repeat(100_000), { $bin: Buffer.alloc(100_000, 7).toString('base64') }],
];

overTransports('values come back as they went, in events and acknowledgements', async ({ client }) => {
  client.open();
  for (const args of VALUES) {
    client.emit('a', 'back', ...args);
    assert.deepEqual(await client.event('back'), args);
    assert.deepEqual(await client.ask('a', 'echo', ...args), args);
  }
  await client.exit();
});

overTransports('a connection is joined, and upgraded where it can be', async ({ transport, server, client }) => {
  client.open('a', { query: { x: '7' }, headers: { 'X-Test': 'yes' }, auth: { token: 't' } });
  const joined = await client.next('connect', { sock: 'a' });
  assert.equal(joined.recovered, false);
  assert.ok(server.io.of('/').sockets.has(joined.id));
  // Where there is an upgrade, it may be quicker than the answer to CONNECT.
  if (transport !== 'upgrade') assert.equal(joined.transport, transport);
  if (transport === 'upgrade') await client.next('upgrade', { manager: 'm' });
  const [handshake] = await client.ask('a', 'handshake');
  assert.equal(handshake.query.x, '7');
  assert.equal(handshake.x, 'yes');
  assert.deepEqual(handshake.auth, { token: 't' });
  const used = [...server.io.of('/').sockets.values()].map((socket) => socket.conn.transport.name);
  assert.deepEqual(used, [transport === 'polling' ? 'polling' : 'websocket']);
});

overTransports('the server is answered, or not', async ({ client }) => {
  client.open();
  client.emit('a', 'ack', 5, { test: true }, bytes(1));
  assert.deepEqual(await client.event('ack'), [5, { test: true }, bytes(1)]);
  assert.deepEqual(await client.event('got it'), [5, { test: true }, bytes(1), 'seen']);
  client.emit('a', 'ack timeout');
  assert.deepEqual(await client.event('nothing'), [true]);
});

overTransports('namespaces share one connection', async ({ server, client }) => {
  client.open('a');
  client.open('b', { nsp: '/chat' });
  await Promise.all([client.next('connect', { sock: 'a' }), client.next('connect', { sock: 'b' })]);
  assert.equal(server.io.engine.clientsCount, 1);
  assert.deepEqual(await client.ask('a', 'echo', 'main'), ['main']);
  assert.deepEqual(await client.ask('b', 'echo', 'chat'), ['chat']);
  client.command({ cmd: 'disconnect', sock: 'a' });
  assert.equal((await client.next('disconnect', { sock: 'a' })).reason, 'io client disconnect');
  assert.deepEqual(await client.ask('b', 'echo', 'still there'), ['still there']);
  client.command({ cmd: 'connect', sock: 'a' });
  await client.next('connect', { sock: 'a' });
  assert.equal(server.io.engine.clientsCount, 1);
});

overTransports('a refusal has a message and data, and others go on', async ({ client }) => {
  client.open('a');
  client.open('b', { nsp: '/no' });
  client.open('c', { nsp: '/unknown' });
  client.open('d', { nsp: '/secret', auth: { token: 'wrong' } });
  const refused = await client.next('connect_error', { sock: 'b' });
  assert.deepEqual([refused.message, refused.data], ['Auth failed (custom namespace)', { code: 7, list: [1] }]);
  assert.equal((await client.next('connect_error', { sock: 'c' })).message, 'Invalid namespace');
  assert.equal((await client.next('connect_error', { sock: 'd' })).message, 'no token');
  client.command({ cmd: 'auth', sock: 'd', auth: { token: 'x' } });
  client.command({ cmd: 'connect', sock: 'd' });
  await client.next('connect', { sock: 'd' });
  assert.deepEqual(await client.ask('a', 'echo', 1), [1]);
});

overTransports('what is emitted at once arrives in order', async ({ server, client }) => {
  client.open();
  for (let i = 0; i < 200; i++) client.emit('a', `e${i}`);
  client.emit('a', 'burst', 500);
  for (let i = 0; i < 500; i++) assert.deepEqual(await client.event('n'), [i]);
  assert.deepEqual(server.arrived.slice(0, 200), Array.from({ length: 200 }, (_, i) => `e${i}`));
});

overTransports('an acknowledgement that does not come is an error', async ({ server, client }) => {
  client.open();
  await client.next('connect');
  client.command({ cmd: 'emit-ack', sock: 'a', ev: 'silence', args: [], tag: 'late', timeout: 50 });
  await client.next('ack-error', { tag: 'late' });
  client.command({ cmd: 'emit-ack', sock: 'a', ev: 'silence', args: [], tag: 'gone' });
  await eventually(() => server.arrived.length === 2, 'arrival');
  client.command({ cmd: 'disconnect', sock: 'a' });
  await client.next('ack-error', { tag: 'gone' });
});

overTransports('a client that ends says so', async ({ server, client }) => {
  const left = new Promise((resolve) => server.io.on('connection', (socket) => socket.on('disconnect', resolve)));
  client.open();
  await client.next('connect');
  client.emit('a', 'last words');
  await client.sync();
  await client.exit();
  assert.ok(['client namespace disconnect', 'transport close'].includes(await left));
  assert.ok(server.arrived.includes('last words'));
});

for (const transport of TRANSPORTS) {
  scenario(`MessagePack is spoken (${transport})`, async (t) => {
    const parser = await import('socket.io-msgpack-parser');
    const server = await startOfficial(t, { parser });
    const client = startClient(t, { url: server.url, transport });
    client.open('a', { parser: 'msgpack' });
    for (const args of VALUES) {
      client.emit('a', 'back', ...args);
      assert.deepEqual(await client.event('back'), args);
      assert.deepEqual(await client.ask('a', 'echo', ...args), args);
    }
  });
}
