// Socket.IO revision 5 on the wire, with no client library but the WebSocket one.

import assert from 'node:assert/strict';
import { WebSocket } from 'ws';
import { within } from '../lib/deadline.js';
import { scenario, suiteServer } from '../lib/harness.js';
import { PollingSession } from '../lib/raw.js';

const suite = suiteServer({ mode: 'sio-protocol', env: { PING_TIMEOUT: '10000' } });
const ID_SHAPE = /^[A-Za-z0-9_-]{20}$/;

/** An Engine.IO connection over WebSocket after its handshake; PINGs are answered. */
async function engine(t) {
  const socket = new WebSocket(`ws://127.0.0.1:${suite.port}/socket.io/?EIO=4&transport=websocket`);
  t.after(() => socket.terminate());
  const inbox = [];
  const waiting = [];
  socket.on('message', (data, isBinary) => {
    const message = isBinary ? data : data.toString();
    if (message === '2') socket.send('3');
    else if (waiting.length > 0) waiting.shift()(message);
    else inbox.push(message);
  });
  socket.next = () =>
    inbox.length > 0 ? Promise.resolve(inbox.shift()) : within(new Promise((resolve) => waiting.push(resolve)), 'message');
  socket.ended = new Promise((resolve) => socket.on('close', (code) => resolve(code)));
  assert.equal((await socket.next())[0], '0');
  return socket;
}

/** The same, connected to a namespace. */
async function connected(t, prefix = '') {
  const socket = await engine(t);
  socket.send(`40${prefix}`);
  assert.ok((await socket.next()).startsWith(`40${prefix}{`));
  assert.equal(await socket.next(), `42${prefix}["auth",{}]`);
  return socket;
}

async function expectClosed(socket) {
  assert.equal(await within(socket.ended, 'close'), 1005);
}

for (const [name, prefix] of [['the main namespace', ''], ['a custom namespace', '/custom,']]) {
  scenario(`connect: ${name} without payload`, async (t) => {
    const socket = await engine(t);
    socket.send(`40${prefix}`);
    const packet = await socket.next();
    assert.ok(packet.startsWith(`40${prefix}`), packet);
    const { sid, ...rest } = JSON.parse(packet.slice(2 + prefix.length));
    assert.match(sid, ID_SHAPE);
    assert.deepEqual(rest, {});
    assert.equal(await socket.next(), `42${prefix}["auth",{}]`);
  });

  scenario(`connect: ${name} with a payload`, async (t) => {
    const socket = await engine(t);
    socket.send(`40${prefix}{"token":"123"}`);
    assert.ok((await socket.next()).startsWith(`40${prefix}{"sid":"`));
    assert.equal(await socket.next(), `42${prefix}["auth",{"token":"123"}]`);
  });

  scenario(`disconnect: the client leaves ${name}`, async (t) => {
    const socket = await connected(t, prefix);
    socket.send(`41${prefix}`);
    // The connection stays: another namespace can be joined.
    const other = prefix === '' ? '/custom,' : '';
    socket.send(`40${other}`);
    assert.ok((await socket.next()).startsWith(`40${other}{"sid":"`));
    assert.equal(await socket.next(), `42${other}["auth",{}]`);
    socket.send(`42${other}["message","alive"]`);
    assert.equal(await socket.next(), `42${other}["message-back","alive"]`);
  });

  scenario(`message: plain text in ${name}`, async (t) => {
    const socket = await connected(t, prefix);
    socket.send(`42${prefix}["message",1,"2",{"3":[true]}]`);
    assert.equal(await socket.next(), `42${prefix}["message-back",1,"2",{"3":[true]}]`);
  });

  scenario(`message: binary in ${name}`, async (t) => {
    const socket = await connected(t, prefix);
    socket.send(`452-${prefix}["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`);
    socket.send(Buffer.from([1, 2, 3]));
    socket.send(Buffer.from([4, 5, 6]));
    assert.equal(await socket.next(), `452-${prefix}["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`);
    assert.deepEqual(await socket.next(), Buffer.from([1, 2, 3]));
    assert.deepEqual(await socket.next(), Buffer.from([4, 5, 6]));
  });

  scenario(`message: acknowledgement in ${name}`, async (t) => {
    const socket = await connected(t, prefix);
    socket.send(`42${prefix}456["message-with-ack",1,"2",{"3":[false]}]`);
    assert.equal(await socket.next(), `43${prefix}456[1,"2",{"3":[false]}]`);
    socket.send(`42${prefix}0["message-with-ack"]`);
    assert.equal(await socket.next(), `43${prefix}0[]`);
  });

  scenario(`message: binary acknowledgement in ${name}`, async (t) => {
    const socket = await connected(t, prefix);
    socket.send(`452-${prefix}789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`);
    socket.send(Buffer.from([1, 2, 3]));
    socket.send(Buffer.from([4, 5, 6]));
    assert.equal(await socket.next(), `462-${prefix}789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`);
    assert.deepEqual(await socket.next(), Buffer.from([1, 2, 3]));
    assert.deepEqual(await socket.next(), Buffer.from([4, 5, 6]));
  });
}

scenario('connect: both namespaces on one connection', async (t) => {
  const socket = await connected(t);
  socket.send('40/custom,');
  assert.ok((await socket.next()).startsWith('40/custom,{"sid":"'));
  assert.equal(await socket.next(), '42/custom,["auth",{}]');
  socket.send('42["message","root"]');
  assert.equal(await socket.next(), '42["message-back","root"]');
  socket.send('42/custom,["message","custom"]');
  assert.equal(await socket.next(), '42/custom,["message-back","custom"]');
});

scenario('connect: an unknown namespace is refused', async (t) => {
  const socket = await engine(t);
  socket.send('40/random');
  assert.equal(await socket.next(), '44/random,{"message":"Invalid namespace"}');
});

scenario('connect: an invalid handshake closes the connection', async (t) => {
  const socket = await engine(t);
  socket.send('4abc');
  await expectClosed(socket);
});

scenario('connect: no handshake closes the connection after the connect timeout', async (t) => {
  const started = Date.now();
  const socket = await engine(t);
  await expectClosed(socket);
  const elapsed = Date.now() - started;
  assert.ok(elapsed > 950, `closed after ${elapsed} ms`);
});

scenario('heartbeat: a connected client that pongs stays', async (t) => {
  const socket = await connected(t);
  const pings = [];
  await within(
    new Promise((resolve) => {
      socket.on('message', (data) => {
        if (data.toString() === '2' && pings.push(Date.now()) === 5) resolve();
      });
    }),
    'five pings',
  );
  socket.send('42["message","alive"]');
  assert.equal(await socket.next(), '42["message-back","alive"]');
});

for (const [what, packet] of Object.entries({
  'an unknown packet type': '4abc',
  'a packet type beyond the last': '47',
  'a payload that is not JSON': '42{',
  'an event that is an object': '42{}',
  'an event without a name': '42[]',
  'an invalid acknowledgement id': '42abc["message-with-ack",1]',
  'a disconnect with a payload': '41{}',
  'a connect with an array': '40/custom,[]',
})) {
  scenario(`close: ${what}`, async (t) => {
    const socket = await connected(t);
    socket.send(packet);
    await expectClosed(socket);
  });
}

scenario('polling: several packets in one payload', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  await session.send('40{"n":1}');
  assert.ok((await session.packet()).startsWith('40{"sid":"'));
  assert.equal(await session.packet(), '42["auth",{"n":1}]');
  await session.send('42["message","x"]', '427["message-with-ack",2]');
  assert.equal(await session.packet(), '42["message-back","x"]');
  assert.equal(await session.packet(), '437[2]');
});

scenario('polling: binary event and acknowledgement', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  await session.send('40');
  assert.ok((await session.packet()).startsWith('40{"sid":"'));
  assert.equal(await session.packet(), '42["auth",{}]');
  await session.send('451-7["message-with-ack",{"_placeholder":true,"num":0}]', Buffer.from([1, 2, 3, 4]));
  assert.equal(await session.packet(), '461-7[{"_placeholder":true,"num":0}]');
  assert.equal(await session.packet(), 'bAQIDBA==');
});
