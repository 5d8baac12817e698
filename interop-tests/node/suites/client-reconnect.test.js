// Our client against the official server: what happens when connections end, and in which order it is told.

import assert from 'node:assert/strict';
import { startClient } from '../lib/contract-client.js';
import { eventually, pause } from '../lib/deadline.js';
import { TRANSPORTS, scenario } from '../lib/harness.js';
import { startOfficial } from '../lib/official-server.js';
import { freePort, isReference } from '../lib/server.js';

async function start(t, { transport = 'websocket', ...options } = {}) {
  const server = await startOfficial(t, options);
  return { server, client: startClient(t, { url: server.url, transport }) };
}

const engineOf = (server) => [...server.io.of('/').sockets.values()][0].conn;

for (const transport of TRANSPORTS) {
  scenario(`a client comes back when the server restarts, with what it said meanwhile (${transport})`, async (t) => {
    const { server, client } = await start(t, { transport });
    client.open('a');
    client.open('b', { nsp: '/chat' });
    const before = [await client.next('connect', { sock: 'a' }), await client.next('connect', { sock: 'b' })];
    await server.stop();
    const { reason } = await client.next('disconnect', { sock: 'a' });
    assert.ok(['transport close', 'transport error'].includes(reason), reason);
    await client.next('reconnect_attempt', { n: 1 });
    await client.next('reconnect_error');
    client.emit('a', 'back', 'buffered');
    const again = await startOfficial(t, { port: server.port });
    await client.next('reconnect');
    const after = [await client.next('connect', { sock: 'a' }), await client.next('connect', { sock: 'b' })];
    assert.deepEqual(await client.event('back'), ['buffered']);
    assert.ok(!after.some(({ id }) => before.some((old) => old.id === id)));
    assert.equal(again.io.engine.clientsCount, 1);
  });

  scenario(`an interrupted connection is recovered (${transport})`, async (t) => {
    const { server, client } = await start(t, { transport, connectionStateRecovery: {} });
    client.open('a', { reconnectionDelay: 300, reconnectionDelayMax: 300 });
    const { id } = await client.next('connect');
    if (transport === 'upgrade') await client.next('upgrade');
    client.emit('a', 'hi');
    await client.event('hi');
    const [socket] = server.io.of('/').sockets.values();
    socket.once('disconnect', () => {
      server.io.emit('missed', 1);
      server.io.emit('missed', 2);
    });
    engineOf(server).close();
    await client.next('disconnect');
    const back = await client.next('connect');
    assert.deepEqual([back.id, back.recovered], [id, true]);
    assert.equal((await client.event('missed'))[0], 1);
    assert.equal((await client.event('missed'))[0], 2);
    const trace = client.trace();
    assert.ok(trace.lastIndexOf('a event missed') < trace.lastIndexOf('a connect'), 'what was missed comes first');
    assert.deepEqual(await client.ask('a', 'echo', 'on we go'), ['on we go']);
  });
}

scenario('a connection that is lost is told in the order of the official client', async (t) => {
  const { server, client } = await start(t);
  client.open('a');
  await client.next('connect', { sock: 'a' });
  client.open('b', { nsp: '/chat' });
  await client.next('connect', { sock: 'b' });
  client.forget();
  engineOf(server).close();
  await client.next('connect', { sock: 'b' });
  await client.sync();
  assert.deepEqual(client.trace(), [
    'a disconnect transport close',
    'b disconnect transport close',
    'm close transport close',
    'm reconnect_attempt 1',
    'm open',
    'm reconnect 1',
    'a connect',
    'b connect',
  ]);
});

scenario('attempts that fail are told in the order of the official client', async (t) => {
  const client = startClient(t, { url: `http://127.0.0.1:${await freePort()}` });
  client.open('a', { reconnectionAttempts: 2 });
  await client.next('reconnect_failed');
  await client.next('reconnect_error');
  await client.sync();
  assert.deepEqual(client.trace(), [
    'a connect_error',
    'm reconnect_attempt 1',
    'a connect_error',
    'm reconnect_error',
    'm reconnect_attempt 2',
    'a connect_error',
    'm reconnect_failed',
    'm reconnect_error',
  ]);
});

scenario('a socket that the server makes leave stays away until it is told to come back', async (t) => {
  const { client } = await start(t);
  client.open('a');
  await client.next('connect');
  client.forget();
  client.emit('a', 'leave');
  await client.next('disconnect', { reason: 'io server disconnect' });
  await pause(300);
  await client.sync();
  assert.deepEqual(client.trace(), ['m close forced close', 'a disconnect io server disconnect']);
  client.command({ cmd: 'connect', sock: 'a' });
  await client.next('connect');
  client.forget();
  client.command({ cmd: 'disconnect', sock: 'a' });
  await client.next('disconnect');
  await client.sync();
  assert.deepEqual(client.trace(), ['m close forced close', 'a disconnect io client disconnect']);
});

scenario('what is no Socket.IO ends the connection, and it is made again', async (t) => {
  const { client } = await start(t);
  client.open('a');
  await client.next('connect');
  client.emit('a', 'garbage');
  await client.next('disconnect', { reason: 'parse error' });
  await client.next('connect');
});

scenario('a server that falls silent is left', async (t) => {
  const { server, client } = await start(t, { pingInterval: 100, pingTimeout: 2000 });
  client.open('a');
  await client.next('connect');
  const engine = engineOf(server);
  // The server sends no pings any more, and would not notice.
  clearTimeout(engine.pingIntervalTimer);
  engine.sendPacket = () => {};
  await client.next('disconnect', { reason: 'ping timeout' });
  await client.next('connect');
});

scenario('reconnecting can be switched off and on', async (t) => {
  const { server, client } = await start(t);
  client.open('a', { reconnectionDelay: 300, reconnectionDelayMax: 300 });
  await client.next('connect');
  client.command({ cmd: 'manager', manager: 'm', reconnection: false });
  await client.sync();
  client.forget();
  engineOf(server).close();
  await client.next('disconnect');
  await pause(500);
  await client.sync();
  assert.deepEqual(client.trace(), ['a disconnect transport close', 'm close transport close']);
  client.command({ cmd: 'manager', manager: 'm', reconnection: true });
  client.command({ cmd: 'connect', sock: 'a' });
  await client.next('connect');
});

scenario('events that are repeated leave one after the other', async (t) => {
  const { server, client } = await start(t);
  const packets = [];
  server.io.engine.on('connection', (engine) => engine.on('packet', ({ type, data }) => type === 'message' && packets.push(data)));
  client.open('a', { retries: 1, ackTimeout: 2000 });
  for (const n of [1, 2, 3]) client.command({ cmd: 'emit-ack', sock: 'a', ev: 'echo', args: [n], tag: `t${n}` });
  for (const n of [1, 2, 3]) assert.deepEqual((await client.next('ack', { tag: `t${n}` })).args, [n]);
  assert.deepEqual(packets, ['0', '20["echo",1]', '21["echo",2]', '22["echo",3]']);
  client.command({ cmd: 'emit-ack', sock: 'a', ev: 'silence', args: [], tag: 'never' });
  client.command({ cmd: 'emit-ack', sock: 'a', ev: 'echo', args: ['then'], tag: 'then' });
  await client.next('ack-error', { tag: 'never' });
  assert.deepEqual((await client.next('ack', { tag: 'then' })).args, ['then']);
  assert.equal(packets.filter((packet) => packet.includes('silence')).length, 2);
});

scenario('an event that was not acknowledged is sent again over the next connection', async (t) => {
  const { server, client } = await start(t);
  let count = 0;
  server.io.on('connection', (socket) => {
    socket.on('once more', (answer) => (count++ === 0 ? socket.conn.close() : answer(count)));
  });
  client.open('a', { retries: 3, ackTimeout: 20_000 });
  await client.next('connect');
  assert.deepEqual(await client.ask('a', 'once more'), [2]);
});

scenario('volatile events are not kept', async (t) => {
  const { server, client } = await start(t);
  client.open('a');
  await client.next('connect');
  client.command({ cmd: 'volatile', sock: 'a', ev: 'now', args: [] });
  await eventually(() => server.arrived.includes('now'), 'arrival of a volatile event');
  client.command({ cmd: 'manager', manager: 'm', reconnectionDelay: 1500, reconnectionDelayMax: 1500 });
  await client.sync();
  engineOf(server).close();
  await client.next('disconnect');
  client.command({ cmd: 'volatile', sock: 'a', ev: 'offline', args: [] });
  client.emit('a', 'kept');
  await eventually(() => server.arrived.includes('kept'), 'arrival of a buffered event');
  // The reference looks at the transport of the connection that has ended, and takes it for writable.
  assert.ok(isReference || !server.arrived.includes('offline'));
});
