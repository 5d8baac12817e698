// Our Socket.IO client, or the official one: the cases of the official client's own tests that need no browser and no JavaScript, against the server of those
// tests. Those that other suites have, or that are tested in Rust, are in the table of docs/CLIENT_CONFORMANCE.md.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startClient } from '../lib/contract-client.js';
import { openSocket, story } from '../lib/contract-socket.js';
import { eventually, pause } from '../lib/deadline.js';
import { freePort, isReference } from '../lib/server.js';
import { startS2 } from '../lib/s2-server.js';

/** A server, a client, and a function that makes sockets of it. */
async function start(t, { transport = 'websocket', ...serverOptions } = {}) {
  const server = await startS2(t, serverOptions);
  const client = startClient(t, { url: server.url, transport });
  return { server, client, open: (sock, options) => openSocket(client, sock, options) };
}

/** A client for a port where nobody listens. */
async function startNowhere(t) {
  const client = startClient(t, { url: `http://127.0.0.1:${await freePort()}`, transport: 'polling' });
  return { client, open: (sock, options) => openSocket(client, sock, options) };
}

const count = (client, word) => story(client).filter((told) => told === word).length;
const SLOW = { reconnectionDelay: 1500, reconnectionDelayMax: 1500 };

// Values.

for (const transport of ['polling', 'websocket']) {
  test(`dates, false and characters of all kinds arrive (${transport})`, async (t) => {
    const { open } = await start(t, { transport });
    const socket = open('a');
    const isDate = (text) => typeof text === 'string' && !Number.isNaN(Date.parse(text));
    const [inAck] = await socket.ask('getAckDate', { test: true });
    assert.ok(isDate(inAck));
    socket.emit('getDate');
    assert.ok(isDate((await socket.event('takeDate'))[0]));
    socket.emit('getDateObj');
    assert.ok(isDate((await socket.event('takeDateObj'))[0].date));
    socket.emit('false');
    assert.deepEqual(await socket.event('false'), [false]);
    socket.emit('getUtf8');
    for (const text of ['てすと', 'Я Б Г Д Ж Й', 'Ä ä Ü ü ß', 'utf8 — string', 'utf8 — string']) {
      assert.deepEqual(await socket.event('takeUtf8'), [text]);
    }
  });

  test(`binary data goes both ways, within JSON too, and in order with text (${transport})`, async (t) => {
    const { open } = await start(t, { transport });
    const socket = open('a');
    socket.emit('doge');
    assert.deepEqual(await socket.event('doge'), [Buffer.from('asdfasdf')]);
    socket.emit('getbin');
    assert.deepEqual(await socket.event('takebin'), [Buffer.from('asdfasdf')]);
    socket.emit('buffa', Buffer.from('asdfasdf'));
    await socket.event('buffack');
    socket.emit('jsonbuff', { hello: 'lol', message: Buffer.from('howdy'), goodbye: 'gotcha' });
    await socket.event('jsonbuff-ack');
    socket.emit('abuff1', Buffer.from('abuff1'));
    socket.emit('abuff2', 'please arrive second');
    await socket.event('abuff2-ack');
  });

  test(`the server's question is answered (${transport})`, async (t) => {
    const { open } = await start(t, { transport });
    const socket = open('a');
    socket.emit('ack');
    await socket.event('got it');
  });
}

// Namespaces.

test('a namespace can be joined while another one is there, and after it has left', async (t) => {
  const { server, client, open } = await start(t);
  const main = open('a');
  await main.connected();
  const foo = open('b', { nsp: '/foo' });
  const { id } = await foo.connected();
  assert.deepEqual(await foo.ask('getId'), [id]);
  assert.equal(server.sessions.length, 1);
  foo.disconnect();
  main.disconnect();
  await main.disconnected();
  await client.next('close');
  const asd = open('c', { nsp: '/asd' });
  await asd.connected();
  assert.equal(count(client, 'open'), 2);
});

test('one that leaves does not take the connection from the others, nor from those that come', async (t) => {
  const { server, client, open } = await start(t);
  const [foo, asd] = [open('a', { nsp: '/foo' }), open('b', { nsp: '/asd' })];
  await Promise.all([foo.connected(), asd.connected()]);
  asd.disconnect();
  const valid = open('c', { nsp: '/valid' });
  await valid.connected();
  assert.deepEqual((await foo.ask('getId')).length, 1);
  assert.equal(server.requests.length, 1);
  assert.equal(count(client, 'close:forced close'), 0);
});

test('a socket that is connected already sends nothing when it is told to connect', async (t) => {
  const { server, client, open } = await start(t);
  const socket = open('a');
  await socket.connected();
  socket.connect();
  assert.deepEqual(await socket.ask('echo', 1), [1]);
  socket.disconnect();
  await socket.disconnected();
  await eventually(() => server.sessions.length === 0, 'end');
  assert.deepEqual(server.received, ['0', '20["echo",1]', '1']);
  assert.equal(count(client, 'a:connect'), 1);
});

test('with two namespaces each joins and leaves once', async (t) => {
  const { server, open } = await start(t);
  const socket = open('a');
  await socket.connected();
  const foo = open('b', { nsp: '/foo' });
  await foo.connected();
  socket.connect();
  foo.connect();
  assert.deepEqual(await socket.ask('echo', 1), [1]);
  socket.disconnect();
  await socket.disconnected();
  foo.disconnect();
  await foo.disconnected();
  await eventually(() => server.sessions.length === 0, 'end');
  assert.deepEqual(server.received, ['0', '0/foo,', '20["echo",1]', '1', '1/foo,']);
});

test('a socket can be opened again by hand', async (t) => {
  const { client, open } = await start(t);
  const socket = open('a');
  const first = await socket.connected();
  socket.disconnect();
  assert.equal(await socket.disconnected(), 'io client disconnect');
  socket.connect();
  const second = await socket.connected();
  assert.notEqual(first.id, second.id);
  assert.ok(!story(client).some((word) => word.startsWith('reconnect')));
});

test('leaving and joining at once is one end and one beginning', async (t) => {
  const { client, open } = await start(t);
  const socket = open('a');
  await socket.connected();
  socket.disconnect();
  socket.connect();
  await socket.connected();
  assert.deepEqual(await socket.ask('echo', 1), [1]);
  assert.equal(count(client, 'a:disconnect:io client disconnect'), 1);
  assert.equal(count(client, 'a:connect'), 2);
});

test('one socket joins while another one leaves', async (t) => {
  const { client, open } = await start(t);
  const foo = open('a', { nsp: '/foo' });
  await foo.connected();
  foo.disconnect();
  const asd = open('b', { nsp: '/asd' });
  await asd.connected();
  assert.equal(count(client, 'a:disconnect:io client disconnect'), 1);
});

// Coming back.

test('the connection is made again by default, under a new id', async (t) => {
  const { server, open } = await start(t);
  const socket = open('a');
  const first = await socket.connected();
  assert.equal(first.id, server.sockets[0].id);
  server.sessions[0].close();
  await socket.disconnected();
  const second = await socket.connected();
  assert.notEqual(first.id, second.id);
  assert.equal(second.id, server.sockets[1].id);
});

test('it is made again by itself after it was made by hand', async (t) => {
  const { server, client, open } = await start(t);
  const socket = open('a');
  await socket.connected();
  socket.disconnect();
  await socket.disconnected();
  socket.connect();
  await socket.connected();
  await eventually(() => server.sessions.length === 1, 'one session');
  server.sessions[0].close();
  assert.equal(await socket.disconnected(), 'transport close');
  await client.next('reconnect');
  await socket.connected();
});

test('attempts are numbered, fail, and are given up', async (t) => {
  const { client, open } = await startNowhere(t);
  open('a', { reconnectionAttempts: 2 });
  await client.next('reconnect_failed');
  await client.next('reconnect_error');
  await client.next('reconnect_error');
  await client.sync();
  assert.equal(count(client, 'a:connect_error'), 3);
  const numbers = client.seen.filter(({ e }) => e === 'reconnect_attempt').map(({ n }) => n);
  assert.deepEqual(numbers, [1, 2]);
});

test('after they were given up, they begin anew when told to', async (t) => {
  const { client, open } = await startNowhere(t);
  const socket = open('a', { reconnectionAttempts: 2 });
  await client.next('reconnect_failed');
  socket.connect();
  await client.next('reconnect_failed');
  const numbers = client.seen.filter(({ e }) => e === 'reconnect_attempt').map(({ n }) => n);
  assert.deepEqual(numbers, [1, 2, 1, 2]);
});

test('the waits grow', async (t) => {
  const { client, open } = await startNowhere(t);
  open('a', { reconnectionAttempts: 3, reconnectionDelay: 100, reconnectionDelayMax: 10_000 });
  // By the clock of the client.
  const times = [];
  for (let n = 0; n < 3; n++) times.push((await client.next('reconnect_attempt')).t);
  const waits = [times[1] - times[0], times[2] - times[1]];
  // The first one is 100 ms. What the attempts take is in between.
  assert.ok(waits[0] >= 195 && waits[1] >= 395, waits.join());
});

test('without reconnecting there is one failure and no attempt', async (t) => {
  const { client, open } = await startNowhere(t);
  const socket = open('a', { reconnection: false });
  await socket.next('connect_error');
  await pause(200);
  await client.sync();
  assert.deepEqual(story(client), ['a:connect_error']);
});

test('switched off while it waits, no attempt follows', async (t) => {
  const { client, open } = await startNowhere(t);
  const socket = open('a', { reconnectionDelay: 1500, reconnectionDelayMax: 1500 });
  await client.next('reconnect_error');
  client.command({ cmd: 'manager', manager: 'm', reconnection: false });
  await client.sync();
  const before = count(client, 'a:connect_error');
  await pause(1700);
  await client.sync();
  assert.equal(count(client, 'a:connect_error'), before);
  // The official client believes that it is reconnecting still, and does nothing.
  if (isReference) return;
  socket.connect();
  await socket.next('connect_error');
});

test('a connection that is there sees no attempts', async (t) => {
  const { client, open } = await start(t);
  const socket = open('a', { reconnectionDelay: 10 });
  await socket.connected();
  await pause(100);
  assert.deepEqual(await socket.ask('echo', 1), [1]);
  assert.deepEqual(story(client), ['open', 'a:connect']);
});

test('who leaves during a wait or an attempt is left alone, until told to come', async (t) => {
  const { client, open } = await startNowhere(t);
  const socket = open('a', { reconnectionDelay: 50, reconnectionDelayMax: 50 });
  await client.next('reconnect_attempt');
  socket.disconnect();
  await client.next('close', { reason: 'forced close' });
  await client.sync();
  const before = client.seen.length;
  await pause(300);
  await client.sync();
  assert.deepEqual(story(client, before), []);
  socket.connect();
  await socket.next('connect_error');
  await client.next('reconnect_attempt', { n: 1 });
});

test('one socket leaves during the attempts, the other one goes on', async (t) => {
  const { client, open } = await startNowhere(t);
  const [one, other] = [open('a', { nsp: '/foo' }), open('b', { nsp: '/asd' })];
  await client.next('reconnect_attempt');
  one.disconnect();
  await client.sync();
  const before = client.seen.length;
  await client.next('reconnect_attempt', { n: 3 });
  await other.next('connect_error');
  const told = story(client, before);
  assert.ok(told.includes('b:connect_error') && !told.includes('a:connect_error'), told.join());
});

test('a socket that comes during the attempts does not disturb them', async (t) => {
  const { client, open } = await startNowhere(t);
  open('a', { nsp: '/foo', reconnectionAttempts: 3 });
  await client.next('reconnect_attempt', { n: 1 });
  open('b', { nsp: '/asd' });
  await client.next('reconnect_failed');
  const numbers = client.seen.filter(({ e }) => e === 'reconnect_attempt').map(({ n }) => n);
  assert.deepEqual(numbers, [1, 2, 3]);
});

for (const transport of ['polling', 'websocket']) {
  test(`a connection that takes too long is a failure, each time (${transport})`, async (t) => {
    const { client, open } = await start(t, { transport, allowRequest: () => {} });
    open('a', { timeout: 20, reconnectionAttempts: 2 });
    await client.next('reconnect_failed');
    const errors = client.seen.filter(({ e }) => e === 'connect_error');
    assert.equal(errors.length, 3);
    if (isReference) assert.equal(errors[0].message, 'timeout');
  });
}

test('who leaves while it is opened hears of no error', async (t) => {
  let allow;
  const { client, open } = await start(t, { allowRequest: (request, decide) => (allow = () => decide(null, true)) });
  const socket = open('a');
  socket.disconnect();
  await client.next('close');
  allow?.();
  await pause(300);
  await client.sync();
  assert.deepEqual(story(client), ['close:forced close']);
});

// What is shown to the server.

test('the query reaches every namespace, in its encoding', async (t) => {
  const { server, client, open } = await start(t);
  const query = { key1: '&=bob', key2: 'é ü', 'b c': '+' };
  const abc = openSocket(client, 'a', { nsp: '/abc', query });
  const [handshake] = await abc.event('handshake');
  for (const [key, value] of Object.entries(query)) assert.equal(handshake.query[key], value);
  const [ofMain] = await open('b').ask('getHandshake');
  for (const [key, value] of Object.entries(query)) assert.equal(ofMain.query[key], value);
  assert.equal(server.sessions.length, 1);
});

test('the query of the URL does so too', async (t) => {
  const { server, open } = await start(t);
  const [handshake] = await open('a', { url: `${server.url}/?key1=%26%3Dbob&key2=1` }).ask('getHandshake');
  assert.equal(handshake.query.key1, '&=bob');
  assert.equal(handshake.query.key2, '1');
});

test('credentials reach the namespace they are for', async (t) => {
  const { open } = await start(t);
  const [handshake] = await open('a', { nsp: '/abc', auth: { a: 'b', c: { d: [1] } } }).event('handshake');
  assert.deepEqual(handshake.auth, { a: 'b', c: { d: [1] } });
  const [other] = await open('b').ask('getHandshake');
  assert.deepEqual(other.auth, {});
});

test('a middleware that refuses is told with its data, and there is no second try', async (t) => {
  const { server, client, open } = await start(t);
  const no = open('a', { nsp: '/no' });
  const { message, data } = await no.next('connect_error');
  assert.deepEqual([message, data], ['Auth failed (custom namespace)', { code: 401 }]);
  await pause(200);
  await client.sync();
  assert.deepEqual(story(client), ['open', 'close:forced close', 'a:connect_error']);
  assert.equal(server.requests.length, 1);
});

test('a middleware of the main namespace refuses by the query', async (t) => {
  const { open } = await start(t);
  const { message } = await open('a', { query: { fail: 'true' } }).next('connect_error');
  assert.equal(message, 'Auth failed (main namespace)');
});

test('a server of version 2 is an error', async (t) => {
  const { server, client, open } = await start(t);
  server.io.engine.removeAllListeners('connection');
  server.io.engine.on('connection', (session) => session.send('0'));
  const socket = open('a');
  const { message } = await socket.next('connect_error');
  assert.match(message, /2/);
  assert.equal(count(client, 'a:connect'), 0);
});

// Emitting.

test('what is emitted before the connection is there leaves in order, before what follows', async (t) => {
  const { server, open } = await start(t);
  const socket = open('a');
  for (let n = 0; n < 5; n++) socket.emit('number', n);
  await socket.connected();
  socket.emit('number', 5);
  await eventually(() => server.heard('number').length === 6, 'numbers');
  assert.deepEqual(server.heard('number').flat(), [0, 1, 2, 3, 4, 5]);
});

test('a volatile event is sent on an idle connection, and dropped without one', async (t) => {
  const { server, client, open } = await start(t);
  const socket = open('a', SLOW);
  await socket.connected();
  socket.volatile('number', 1);
  await eventually(() => server.heard('number').length === 1, 'the first');
  server.sessions[0].close();
  await socket.disconnected();
  socket.volatile('number', 2);
  await client.sync();
  await socket.connected();
  assert.deepEqual(await socket.ask('echo', 1), [1]);
  // The official client takes the transport of the connection that has ended for one that can be written to, and keeps the event.
  const expected = isReference ? [[1], [2]] : [[1]];
  assert.deepEqual(server.heard('number').slice(0, expected.length), expected);
  if (!isReference) assert.equal(server.heard('number').length, 1);
});

test('an acknowledgement that does not come in time is an error, and one that does is none', async (t) => {
  const { server, open } = await start(t);
  const socket = open('a');
  await socket.connected();
  assert.equal(await socket.askWithin(50, 'unknown'), null);
  assert.deepEqual(await socket.askWithin(5000, 'echo', 42), [42]);
  // One that comes too late is ignored.
  let isAnswered = false;
  server.sockets[0].on('late', (answer) => setTimeout(() => (isAnswered = true) && answer('late'), 1000));
  assert.equal(await socket.askWithin(20, 'late'), null);
  await eventually(() => isAnswered, 'the answer');
  assert.deepEqual(await socket.ask('echo', 'still here'), ['still here']);
});

test('what was not sent in time is not sent at all', async (t) => {
  const { server, client, open } = await start(t);
  const socket = open('a', SLOW);
  await socket.connected();
  server.sessions[0].close();
  await socket.disconnected();
  assert.equal(await socket.askWithin(50, 'number', 1), null);
  socket.emit('number', 2);
  await socket.connected();
  await eventually(() => server.heard('number').length === 1, 'the second');
  assert.deepEqual(server.heard('number'), [[2]]);
  await client.sync();
});

test('the time of a socket counts for each of its questions', async (t) => {
  const { open } = await start(t);
  const socket = open('a', { ackTimeout: 2000 });
  await socket.connected();
  assert.equal(await socket.ask('unknown'), null);
  assert.deepEqual(await socket.ask('echo', 42), [42]);
});

test('at the end of a connection questions that were sent fail, and those that were not are sent later', async (t) => {
  const { server, open } = await start(t);
  const socket = open('a', SLOW);
  await socket.connected();
  const sent = [socket.ask('unknown'), socket.askWithin(5000, 'unknown')];
  await eventually(() => server.heard('unknown').length === 2, 'the questions');
  server.sessions[0].close();
  assert.deepEqual(await Promise.all(sent), [null, null]);
  const kept = [socket.ask('echo', 1), socket.askWithin(5000, 'echo', 2)];
  assert.deepEqual(await Promise.all(kept), [[1], [2]]);
});

// Repeated until acknowledged.

test('while there is no connection, what is to be repeated waits, and leaves once', async (t) => {
  const { server, client, open } = await start(t);
  const socket = open('a', { retries: 3, ackTimeout: 5000, ...SLOW });
  await socket.connected();
  server.sessions[0].close();
  await socket.disconnected();
  const answers = [socket.ask('echo', 1), socket.ask('echo', 2)];
  await client.sync();
  assert.deepEqual(server.heard('echo'), []);
  assert.deepEqual(await Promise.all(answers), [[1], [2]]);
  assert.deepEqual(server.heard('echo'), [[1], [2]]);
});

test('a connection that is recovered keeps its id and delivers what was missed first', async (t) => {
  const { server, client, open } = await start(t, { connectionStateRecovery: {} });
  const socket = open('a', SLOW);
  const { id } = await socket.connected();
  server.io.emit('number', 0);
  await socket.event('number');
  server.sockets[0].once('disconnect', () => {
    for (const n of [1, 2, 3]) server.io.emit('number', n);
  });
  server.sessions[0].close();
  await socket.disconnected();
  const again = await socket.connected();
  assert.deepEqual([again.id, again.recovered], [id, true]);
  await client.sync();
  assert.deepEqual(
    socket.received('number').map(([n]) => n),
    [0, 1, 2, 3],
  );
  const told = client.seen.filter(({ sock }) => sock).map(({ e }) => e);
  assert.deepEqual(told, ['connect', 'event', 'disconnect', 'event', 'event', 'event', 'connect']);
});
