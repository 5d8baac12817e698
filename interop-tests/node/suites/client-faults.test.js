// Our Socket.IO client, or the official one, over a line that fails in every way, with the official server behind it: what it tells, in which order, and that
// it comes back with everything.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startClient } from '../lib/contract-client.js';
import { openSocket, story } from '../lib/contract-socket.js';
import { eventually } from '../lib/deadline.js';
import { startLine } from '../lib/faults.js';
import { TRANSPORTS } from '../lib/harness.js';
import { startS2 } from '../lib/s2-server.js';

const LOST = ['transport close', 'transport error'];

/** A socket that has joined over a line; with the transport `upgrade` the connection is on WebSocket. */
async function session(t, transport, options = {}, serverOptions = {}) {
  const server = await startS2(t, serverOptions);
  const line = await startLine(t, server.port);
  const client = startClient(t, { url: line.url, transport });
  const socket = openSocket(client, 'a', options);
  await socket.connected();
  if (transport === 'upgrade') await client.next('upgrade');
  return { server, line, client, socket };
}

/** Over each transport. */
function faults(sentence, options, run) {
  for (const transport of TRANSPORTS) {
    const { server, ...client } = options;
    test(`${sentence} (${transport})`, async (t) => run({ t, transport, ...(await session(t, transport, client, server)) }));
  }
}

/** A connection was lost for this reason, so many attempts failed, and it was made again. */
function lostAndFound(reason, failures, sockets = ['a', 'b']) {
  const failed = (n) => [`reconnect_attempt:${n}`, ...sockets.map((sock) => `${sock}:connect_error`), 'reconnect_error'];
  return [
    ...sockets.map((sock) => `${sock}:disconnect:${reason}`),
    `close:${reason}`,
    ...Array.from({ length: failures }, (_, index) => failed(index + 1)).flat(),
    `reconnect_attempt:${failures + 1}`,
    'open',
    `reconnect:${failures + 1}`,
    ...sockets.map((sock) => `${sock}:connect`),
  ];
}

const BREAKS = {
  'is reset': (line) => line.cut(),
  ends: (line) => line.end(),
  'is half closed': (line) => line.endToClient(),
};

for (const [how, breakLine] of Object.entries(BREAKS)) {
  faults(`a connection that ${how} is made again, in order, with everything that was emitted`, {}, async ({ server, line, client, socket }) => {
    const other = openSocket(client, 'b', { nsp: '/foo' });
    const { id } = await other.connected();
    assert.deepEqual(await other.ask('getId'), [id]);
    socket.emit('number', 0);
    await eventually(() => server.heard('number').length === 1, 'the first number');
    await client.sync();
    const mark = client.seen.length;

    await server.ready();
    line.refuse();
    breakLine(line);
    const reason = await socket.disconnected();
    assert.ok(LOST.includes(reason), reason);
    assert.equal(await other.disconnected(), reason);
    for (let n = 1; n <= 5; n++) socket.emit('number', n, Buffer.from([n]));
    const answer = socket.ask('echo', 'asked meanwhile');
    await client.next('reconnect_error');
    await line.accept();
    await Promise.all([socket.connected(), other.connected()]);

    assert.deepEqual(await answer, ['asked meanwhile']);
    assert.deepEqual(await socket.ask('echo', 1), [1]);
    const numbers = server.heard('number').map(([n]) => n);
    assert.deepEqual(numbers, [0, 1, 2, 3, 4, 5]);
    const told = story(client, mark);
    const failures = told.filter((word) => word === 'reconnect_error').length;
    assert.deepEqual(told, lostAndFound(reason, failures));
  });
}

const SHORT = { server: { pingInterval: 300, pingTimeout: 2000 }, timeout: 2000 };

faults('a line that swallows everything ends with a ping timeout', SHORT, async ({ line, client, socket }) => {
  await client.sync();
  const mark = client.seen.length;
  line.swallow();
  const answer = socket.ask('echo', 'never arrives');
  assert.equal(await socket.disconnected(), 'ping timeout');
  assert.equal(await answer, null);
  line.carry();
  await socket.connected();
  const told = story(client, mark);
  const failures = told.filter((word) => word === 'reconnect_error').length;
  assert.deepEqual(told, lostAndFound('ping timeout', failures, ['a']));
  assert.deepEqual(await socket.ask('echo', 'arrives'), ['arrives']);
});

faults('a server that hears no pong ends the connection, and it is made again', SHORT, async ({ server, line, socket }) => {
  const [first] = server.sockets;
  line.swallow({ toClient: false });
  const reason = await socket.disconnected();
  assert.ok([...LOST, 'ping timeout'].includes(reason), reason);
  await eventually(() => first.disconnected, 'end on the server');
  line.carry();
  await socket.connected();
  assert.deepEqual(await socket.ask('echo', 'again'), ['again']);
});

faults('a narrow line takes longer and loses nothing', { server: { pingInterval: 300, pingTimeout: 15_000 } }, async ({ line, client, socket }) => {
  line.rate = 200;
  const texts = ['a', 'b', 'c'].map((letter) => letter.repeat(100_000));
  for (const text of texts) socket.emit('echo-back', text, Buffer.from(text.slice(0, 1000)));
  for (const text of texts) {
    const [echo, data] = await socket.event('echo-back');
    assert.ok(echo === text && data.equals(Buffer.from(text.slice(0, 1000))));
  }
  assert.ok(!story(client).some((word) => word.startsWith('a:disconnect')));
});

for (const transport of TRANSPORTS) {
  test(`a long line takes longer and loses nothing (${transport})`, async (t) => {
    const server = await startS2(t);
    const line = await startLine(t, server.port);
    line.delay = 60;
    const client = startClient(t, { url: line.url, transport });
    const socket = openSocket(client);
    await socket.connected();
    for (let n = 0; n < 50; n++) socket.emit('echo-back', n);
    for (let n = 0; n < 50; n++) assert.deepEqual(await socket.event('echo-back'), [n]);
    if (transport === 'upgrade') await client.next('upgrade');
    assert.deepEqual(await socket.ask('echo', 'last'), ['last']);
    assert.equal(story(client).filter((word) => word === 'a:connect').length, 1);
  });
}

faults('a server that restarts is found again', {}, async ({ server, client, socket }) => {
  const late = socket.ask('never answered');
  await eventually(() => server.heard('never answered').length === 1, 'the question');
  await server.stop();
  assert.ok(LOST.includes(await socket.disconnected()));
  assert.equal(await late, null);
  const kept = socket.ask('echo', 'kept');
  assert.equal(await socket.askWithin(30, 'echo', 'too old'), null);
  await client.next('reconnect_attempt');
  await server.start();
  const { recovered } = await socket.connected();
  assert.equal(recovered, false);
  assert.deepEqual(await kept, ['kept']);
  assert.deepEqual(await socket.ask('echo', 'new'), ['new']);
  assert.deepEqual(server.heard('echo'), [['kept'], ['new']]);
});

faults('whom the server makes leave does not come back by itself', {}, async ({ server, line, client, socket }) => {
  const other = openSocket(client, 'b', { nsp: '/foo' });
  await other.connected();
  await client.sync();
  const mark = client.seen.length;
  server.sockets.find(({ nsp }) => nsp.name === '/foo').disconnect();
  assert.equal(await other.disconnected(), 'io server disconnect');
  assert.deepEqual(await socket.ask('echo', 'still here'), ['still here']);
  server.sockets.find(({ nsp }) => nsp.name === '/').disconnect();
  assert.equal(await socket.disconnected(), 'io server disconnect');
  other.connect();
  await other.connected();
  assert.deepEqual(
    story(client, mark),
    ['b:disconnect:io server disconnect', 'close:forced close', 'a:disconnect:io server disconnect', 'open', 'b:connect'],
  );
});

faults('a server that closes the connection with its sockets is not called again', {}, async ({ server, line, client, socket }) => {
  const other = openSocket(client, 'b', { nsp: '/foo' });
  await other.connected();
  await client.sync();
  const mark = client.seen.length;
  server.sockets[0].disconnect(true);
  const reasons = [await socket.disconnected(), await other.disconnected()];
  assert.deepEqual(reasons, ['io server disconnect', 'io server disconnect']);
  await client.next('close');
  await eventually(() => server.sessions.length === 0, 'end of the session');
  socket.connect();
  await socket.connected();
  assert.ok(!story(client, mark).some((word) => word.startsWith('reconnect')));
});

faults('a server that closes the session alone is called again', {}, async ({ server, client, socket }) => {
  await client.sync();
  const mark = client.seen.length;
  server.sessions[0].close();
  assert.equal(await socket.disconnected(), 'transport close');
  await socket.connected();
  assert.deepEqual(story(client, mark), lostAndFound('transport close', 0, ['a']));
});

faults('a refusal when coming back is final until connected by hand', {}, async ({ server, line, client, socket }) => {
  await client.sync();
  const mark = client.seen.length;
  const refusal = Object.assign(new Error('not you'), { data: { code: 7, list: [1, null] } });
  server.io.use(({ handshake }, next) => next(handshake.auth.token === 'new' ? undefined : refusal));
  await server.ready();
  line.cut();
  const reason = await socket.disconnected();
  const { message, data } = await socket.next('connect_error');
  assert.equal(message, 'not you');
  assert.deepEqual(data, { code: 7, list: [1, null] });
  await client.next('close');
  assert.deepEqual(story(client, mark), [
    `a:disconnect:${reason}`,
    `close:${reason}`,
    'reconnect_attempt:1',
    'open',
    'reconnect:1',
    'close:forced close',
    'a:connect_error',
  ]);
  socket.emit('number', 1);
  socket.authenticate({ token: 'new' });
  socket.connect();
  await socket.connected();
  await eventually(() => server.heard('number').length === 1, 'what was emitted meanwhile');
});

faults('a line that breaks again and again doubles nothing', { server: { pingInterval: 300, pingTimeout: 2500 } }, async ({ server, line, client, socket }) => {
  for (let round = 0; round < 10; round++) {
    await server.ready();
    line.cut();
    await socket.disconnected();
    socket.emit('number', round);
    await socket.connected();
    assert.deepEqual(await socket.ask('echo', round), [round]);
  }
  assert.deepEqual(server.heard('number'), Array.from({ length: 10 }, (_, n) => [n]));
  const connects = story(client).filter((word) => word === 'a:connect').length;
  assert.equal(connects, 11);
  await eventually(() => server.io.of('/').sockets.size === 1, 'one socket on the server');
});
