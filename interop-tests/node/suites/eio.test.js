// Engine.IO revision 4 on the wire, with no client library but the WebSocket one.

import assert from 'node:assert/strict';
import { WebSocket } from 'ws';
import { once, within } from '../lib/deadline.js';
import { scenario, suiteServer } from '../lib/harness.js';
import { RawWebSocket, request } from '../lib/raw.js';

/** The server of the tests that are about something else: no ping comes in between, however slow the machine is. */
const suite = suiteServer({ mode: 'eio-protocol', env: { PING_INTERVAL: '25000' } });
/** The one of the tests of heartbeats. */
const lively = suiteServer({ mode: 'eio-protocol', env: { PING_TIMEOUT: '1500' } });
const PATH = '/engine.io/';
const ID_SHAPE = /^[A-Za-z0-9_-]{20}$/;
const HANDSHAKE = { pingInterval: 25_000, pingTimeout: 200, maxPayload: 1_000_000 };

const get = (query, options = {}, server = suite) => request(server.port, { path: `${PATH}?${query}`, ...options });
const post = (sid, body, server) => get(`EIO=4&transport=polling&sid=${sid}`, { method: 'POST', body }, server);
const poll = (sid, server) => get(`EIO=4&transport=polling&sid=${sid}`, {}, server);

async function pollingSession(server) {
  const { body } = await get('EIO=4&transport=polling', {}, server);
  return JSON.parse(body.slice(1)).sid;
}

/** A WebSocket with an inbox of its messages, text as strings and binary as buffers. */
function webSocket(t, query, server = suite) {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}${PATH}?${query}`);
  t.after(() => socket.terminate());
  socket.on('error', () => {});
  const inbox = [];
  const waiting = [];
  socket.on('message', (data, isBinary) => {
    const message = isBinary ? data : data.toString();
    if (waiting.length > 0) waiting.shift()(message);
    else inbox.push(message);
  });
  socket.next = () =>
    inbox.length > 0 ? Promise.resolve(inbox.shift()) : within(new Promise((resolve) => waiting.push(resolve)), 'message');
  socket.ended = new Promise((resolve) => socket.on('close', (code) => resolve(code)));
  return socket;
}

async function webSocketSession(t, server) {
  const socket = webSocket(t, 'EIO=4&transport=websocket', server);
  const handshake = await socket.next();
  return Object.assign(socket, { sid: JSON.parse(handshake.slice(1)).sid });
}

scenario('handshake: polling opens a session', async () => {
  const { status, headers, body } = await get('EIO=4&transport=polling');
  assert.equal(status, 200);
  assert.match(headers['content-type'], /^text\/plain; ?charset=utf-8$/i);
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal(body[0], '0');
  const handshake = JSON.parse(body.slice(1));
  assert.match(handshake.sid, ID_SHAPE);
  assert.deepEqual(handshake, { sid: handshake.sid, upgrades: ['websocket'], ...HANDSHAKE });
  assert.deepEqual(Object.keys(handshake), ['sid', 'upgrades', 'pingInterval', 'pingTimeout', 'maxPayload']);
});

scenario('handshake: WebSocket opens a session', async (t) => {
  const socket = webSocket(t, 'EIO=4&transport=websocket');
  const packet = await socket.next();
  assert.equal(packet[0], '0');
  const handshake = JSON.parse(packet.slice(1));
  assert.match(handshake.sid, ID_SHAPE);
  assert.deepEqual(handshake, { sid: handshake.sid, upgrades: [], ...HANDSHAKE });
});

for (const [what, query] of Object.entries({
  'without EIO': 'transport=polling',
  'with a bad EIO': 'EIO=abc&transport=polling',
  'with revision 3': 'EIO=3&transport=polling',
  'with revision 5': 'EIO=5&transport=polling',
  'without a transport': 'EIO=4',
  'with a bad transport': 'EIO=4&transport=abc',
})) {
  scenario(`handshake: polling ${what} is refused`, async () => {
    const { status } = await get(query);
    assert.equal(status, 400);
  });
}

for (const method of ['POST', 'PUT', 'DELETE']) {
  scenario(`handshake: ${method} is refused`, async () => {
    const { status, body } = await get('EIO=4&transport=polling', { method });
    assert.equal(status, 400);
    assert.equal(body, '{"code":2,"message":"Bad handshake method"}');
  });
}

for (const [what, query] of Object.entries({
  'without EIO': 'transport=websocket',
  'with a bad EIO': 'EIO=abc&transport=websocket',
  'without a transport': 'EIO=4',
  'with a bad transport': 'EIO=4&transport=abc',
})) {
  scenario(`handshake: WebSocket ${what} is refused`, async (t) => {
    const socket = webSocket(t, query);
    await within(socket.ended, 'close');
  });
}

scenario('handshake: WebSocket with POST is refused', async () => {
  const { status } = await RawWebSocket.open(suite.port, `${PATH}?EIO=4&transport=websocket`, { method: 'POST' });
  assert.equal(status, 400);
});

scenario('messages: polling echoes one', async () => {
  const sid = await pollingSession();
  const sent = await post(sid, '4hello');
  assert.equal(sent.status, 200);
  assert.equal(sent.body, 'ok');
  const { status, headers, body } = await poll(sid);
  assert.equal(status, 200);
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal(body, '4hello');
});

scenario('messages: polling echoes several in one payload', async () => {
  const sid = await pollingSession();
  await post(sid, '4test1\x1e4test2\x1e4test3');
  assert.equal((await poll(sid)).body, '4test1\x1e4test2\x1e4test3');
});

scenario('messages: polling echoes text and binary', async () => {
  const sid = await pollingSession();
  await post(sid, '4hello\x1ebAQIDBA==');
  assert.equal((await poll(sid)).body, '4hello\x1ebAQIDBA==');
});

scenario('messages: polling echoes empty and multi-byte messages', async () => {
  const sid = await pollingSession();
  await post(sid, '4\x1e4€ü🦀\x1eb');
  assert.equal((await poll(sid)).body, '4\x1e4€ü🦀\x1eb');
});

scenario('messages: a message answers the poll that waits', async () => {
  const sid = await pollingSession();
  const pending = poll(sid);
  await post(sid, '4hello');
  assert.equal((await pending).body, '4hello');
});

scenario('messages: polling closes at an invalid format', async () => {
  const sid = await pollingSession();
  const pending = poll(sid);
  assert.equal((await post(sid, 'abc')).body, 'ok');
  assert.equal((await pending).body, '1');
  assert.equal((await poll(sid)).status, 400);
});

scenario('messages: packets before an invalid one are delivered', async () => {
  const sid = await pollingSession();
  const pending = poll(sid);
  await post(sid, '4one\x1egarbage\x1e4two');
  const { body } = await pending;
  assert.ok(body === '4one' || body === '4one\x1e1', body);
  const last = await poll(sid);
  assert.ok(!last.body.includes('4two'), last.body);
});

scenario('messages: a second poll closes the session', async () => {
  const sid = await pollingSession();
  const polls = await Promise.all([poll(sid), poll(sid)]);
  const answers = polls.map(({ status, body }) => `${status} ${body}`).sort();
  assert.deepEqual(answers, ['200 1', '400 ']);
  assert.equal((await poll(sid)).body, '{"code":1,"message":"Session ID unknown"}');
});

scenario('messages: WebSocket echoes text', async (t) => {
  const socket = await webSocketSession(t);
  for (const packet of ['4hello', '4', '4€ü🦀', '4a\x1e4b']) {
    socket.send(packet);
    assert.equal(await socket.next(), packet);
  }
});

scenario('messages: WebSocket echoes binary', async (t) => {
  const socket = await webSocketSession(t);
  for (const data of [Buffer.from([1, 2, 3, 4]), Buffer.alloc(0), Buffer.alloc(70_000, 7)]) {
    socket.send(data);
    assert.deepEqual(await socket.next(), data);
  }
});

scenario('messages: WebSocket closes at an invalid format', async (t) => {
  const socket = await webSocketSession(t);
  socket.send('abc');
  assert.equal(await within(socket.ended, 'close'), 1005);
});

scenario('heartbeat: polling is kept alive by pongs', async () => {
  const sid = await pollingSession(lively);
  for (let i = 0; i < 4; i++) {
    assert.equal((await poll(sid, lively)).body, '2');
    assert.equal((await post(sid, '3', lively)).body, 'ok');
  }
});

scenario('heartbeat: polling without pongs is closed', async () => {
  const started = Date.now();
  const sid = await pollingSession(lively);
  assert.equal((await poll(sid, lively)).body, '2');
  assert.equal((await poll(sid, lively)).body, '1');
  const elapsed = Date.now() - started;
  assert.ok(elapsed > 1750, `closed after ${elapsed} ms`);
  assert.equal((await poll(sid, lively)).status, 400);
});

scenario('heartbeat: WebSocket is kept alive by pongs', async (t) => {
  const socket = await webSocketSession(t, lively);
  for (let i = 0; i < 4; i++) {
    assert.equal(await socket.next(), '2');
    socket.send('3');
  }
});

scenario('heartbeat: WebSocket without pongs is closed', async (t) => {
  const started = Date.now();
  const socket = await webSocketSession(t, lively);
  assert.equal(await within(socket.ended, 'close'), 1005);
  const elapsed = Date.now() - started;
  assert.ok(elapsed > 1750, `closed after ${elapsed} ms`);
});

scenario('close: a close packet ends a polling session', async () => {
  const sid = await pollingSession();
  const pending = poll(sid);
  assert.equal((await post(sid, '1')).status, 200);
  assert.equal((await pending).body, '6');
  assert.equal((await poll(sid)).status, 400);
});

scenario('close: the end of a WebSocket ends the session', async (t) => {
  const socket = await webSocketSession(t);
  socket.close();
  await within(socket.ended, 'close');
  assert.equal((await poll(socket.sid)).status, 400);
});

/** Upgrades a session as far as the answer of the probe. */
async function probed(t, sid, server) {
  const socket = webSocket(t, `EIO=4&transport=websocket&sid=${sid}`, server);
  await once(socket, 'open');
  socket.send('2probe');
  assert.equal(await socket.next(), '3probe');
  return socket;
}

scenario('upgrade: a session goes over to WebSocket', async (t) => {
  const sid = await pollingSession();
  const socket = await probed(t, sid);
  socket.send('5');
  socket.send('4hello');
  assert.equal(await socket.next(), '4hello');
});

scenario('upgrade: the pending poll is released by a noop', async (t) => {
  const sid = await pollingSession();
  const pending = poll(sid);
  const socket = await probed(t, sid);
  assert.equal((await pending).body, '6');
  socket.send('5');
  socket.send('4hello');
  assert.equal(await socket.next(), '4hello');
});

scenario('upgrade: what waited for a poll follows on the WebSocket', async (t) => {
  const sid = await pollingSession();
  await post(sid, '4one\x1e4two');
  const socket = await probed(t, sid);
  socket.send('5');
  assert.equal(await socket.next(), '4one');
  assert.equal(await socket.next(), '4two');
});

scenario('upgrade: HTTP requests are refused afterwards', async (t) => {
  const sid = await pollingSession();
  const socket = await probed(t, sid);
  socket.send('5');
  socket.send('4done');
  assert.equal(await socket.next(), '4done');
  for (const { status, body } of [await poll(sid), await post(sid, '4late')]) {
    assert.equal(status, 400);
    assert.equal(body, '{"code":3,"message":"Bad request"}');
  }
  socket.send('4still here');
  assert.equal(await socket.next(), '4still here');
});

scenario('upgrade: a second WebSocket is refused', async (t) => {
  const sid = await pollingSession();
  const socket = await probed(t, sid);
  socket.send('5');
  const second = webSocket(t, `EIO=4&transport=websocket&sid=${sid}`);
  await within(second.ended, 'close');
  socket.send('4hello');
  assert.equal(await socket.next(), '4hello');
});

scenario('upgrade: heartbeats go on afterwards', async (t) => {
  const sid = await pollingSession(lively);
  const socket = await probed(t, sid, lively);
  socket.send('5');
  for (let i = 0; i < 3; i++) {
    assert.equal(await socket.next(), '2');
    socket.send('3');
  }
  assert.equal(await within(socket.ended, 'close'), 1005);
});
