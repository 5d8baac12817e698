// The official Engine.IO client against an Engine.IO server without Socket.IO.

import assert from 'node:assert/strict';
import { Socket } from 'engine.io-client';
import { transportOptions } from '../lib/client.js';
import { once, within } from '../lib/deadline.js';
import { TRANSPORTS, scenario, suiteServer } from '../lib/harness.js';
import { RawWebSocket, request } from '../lib/raw.js';

const suite = suiteServer({ mode: 'eio-client' });

/** An open connection with an inbox of its messages. */
async function connect(t, transport, options = {}) {
  const socket = new Socket(suite.url, { ...transportOptions(transport), ...options });
  t.after(() => socket.close());
  const inbox = [];
  const waiting = [];
  socket.on('message', (data) => (waiting.length > 0 ? waiting.shift()(data) : inbox.push(data)));
  socket.next = () =>
    inbox.length > 0 ? Promise.resolve(inbox.shift()) : within(new Promise((resolve) => waiting.push(resolve)), 'message');
  await once(socket, 'open');
  if (transport === 'upgrade') await once(socket, 'upgrade');
  return socket;
}

function overTransports(sentence, run) {
  for (const transport of TRANSPORTS) {
    scenario(`${sentence} (${transport})`, async (t) => {
      const socket = await connect(t, transport);
      assert.equal(await socket.next(), 'hi');
      await run(socket, transport, t);
    });
  }
}

overTransports('text is echoed', async (socket) => {
  for (const message of ['hello', 'пойду спать', '🦀', 'b', '42["x"]']) {
    socket.send(message);
    assert.equal(await socket.next(), message);
  }
});

overTransports('binary is echoed', async (socket) => {
  for (const message of [Buffer.from([1, 2, 3]), Buffer.alloc(0), Buffer.from('text')]) {
    socket.send(message);
    assert.deepEqual(await socket.next(), message);
  }
});

overTransports('typed arrays arrive as their bytes', async (socket) => {
  socket.send(new Uint16Array([1, 2]));
  assert.deepEqual(await socket.next(), Buffer.from([1, 0, 2, 0]));
  socket.send(new Uint8Array([1, 2, 3, 4]).subarray(1, 3));
  assert.deepEqual(await socket.next(), Buffer.from([2, 3]));
});

overTransports('the server sends binary and multi-byte text', async (socket) => {
  socket.send('give binary');
  assert.deepEqual(await socket.next(), Buffer.from([0, 1, 2, 3, 4]));
  socket.send('give utf8');
  assert.equal(await socket.next(), 'пойду спать всем спокойной ночи');
});

overTransports('a client that asks for ArrayBuffers gets them', async (socket) => {
  socket.binaryType = 'arraybuffer';
  socket.transport.binaryType = 'arraybuffer';
  if (socket.transport.ws) socket.transport.ws.binaryType = 'arraybuffer';
  socket.send('give binary');
  const data = await socket.next();
  assert.ok(data instanceof ArrayBuffer);
  assert.deepEqual(Buffer.from(data), Buffer.from([0, 1, 2, 3, 4]));
});

overTransports('many messages keep their order', async (socket) => {
  for (let i = 0; i < 500; i++) socket.send(`message ${i}`);
  for (let i = 0; i < 500; i++) assert.equal(await socket.next(), `message ${i}`);
});

overTransports('heartbeats keep the connection', async (socket) => {
  for (let i = 0; i < 3; i++) await once(socket, 'ping');
  socket.send('still here');
  assert.equal(await socket.next(), 'still here');
});

overTransports('a message above the limit ends the connection', async (socket, transport) => {
  const closed = once(socket, 'close');
  socket.send('x'.repeat(101));
  const [reason] = await closed;
  assert.ok(['transport error', 'transport close'].includes(reason), reason);
  assert.ok(transport !== 'polling' || reason === 'transport error');
});

scenario('the headers of a POST reach the server', async (t) => {
  const socket = await connect(t, 'polling', { extraHeaders: { 'X-Custom-Header': 'my value' } });
  assert.equal(await socket.next(), 'hi');
  socket.send('sendHeaders');
  const headers = JSON.parse(await socket.next());
  assert.equal(headers['x-custom-header'], 'my value');
  assert.match(headers['content-type'], /^text\/plain/);
});

for (const transport of ['polling', 'websocket']) {
  scenario(`the request check refuses (${transport})`, async (t) => {
    const socket = new Socket(suite.url, { ...transportOptions(transport), query: { deny: 1 } });
    t.after(() => socket.close());
    const [error] = await once(socket, 'error');
    assert.equal(error.type, 'TransportError');
  });
}

scenario('a WebSocket that asks for polling is no way round the request check', async () => {
  const answer = await RawWebSocket.open(suite.port, '/engine.io/?EIO=4&transport=polling&deny=1');
  assert.equal(answer.status, 400);
  assert.equal(answer.body, 'Forbidden');
});

scenario('the request check answers with 403 and code 4', async () => {
  const { status, body } = await request(suite.port, { path: '/engine.io/?EIO=4&transport=polling&deny=1' });
  assert.equal(status, 403);
  assert.equal(body, '{"code":4,"message":"Forbidden"}');
});

scenario('the handshake carries all cookies', async () => {
  const { headers } = await request(suite.port, { path: '/engine.io/?EIO=4&transport=polling' });
  const [first, second, third, fourth] = headers['set-cookie'];
  assert.equal(first, '1=1; Max-Age=86400');
  assert.equal(second, '2=2; Path=/; HttpOnly; Secure; SameSite=Strict');
  assert.equal(third, '3=3; Max-Age=0');
  assert.match(fourth, /^4=4; Expires=\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT$/);
});

scenario('a client with credentials sends back the cookies that live', async (t) => {
  const socket = await connect(t, 'polling', { withCredentials: true });
  assert.equal(await socket.next(), 'hi');
  socket.send('sendHeaders');
  const { cookie } = JSON.parse(await socket.next());
  assert.equal(cookie, '1=1; 2=2');
});
