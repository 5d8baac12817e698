// permessage-deflate: what is agreed on, what is compressed, and what happens to data that cannot be inflated.

import assert from 'node:assert/strict';
import zlib from 'node:zlib';
import { WebSocket } from 'ws';
import { once, within } from '../lib/deadline.js';
import { scenario, suiteServer } from '../lib/harness.js';
import { connectClient } from '../lib/client.js';
import { OPCODE, RawWebSocket } from '../lib/raw.js';
import { isReference } from '../lib/server.js';

const engine = suiteServer({ program: 'deflate_server', mode: 'deflate-engine' });
const sockets = suiteServer({ program: 'deflate_server', mode: 'deflate-sockets' });
const PATH = '/engine.io/?EIO=4&transport=websocket';
const MAX_PAYLOAD = 100_000;
const RSV1 = 4;

/** What a client sends for `data` when each message is compressed by itself. */
function deflate(data) {
  const bytes = zlib.deflateRawSync(data, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
  return bytes.subarray(0, -4);
}

function inflate(data) {
  const tail = Buffer.from([0, 0, 0xff, 0xff]);
  return zlib.inflateRawSync(Buffer.concat([data, tail]), { finishFlush: zlib.constants.Z_SYNC_FLUSH });
}

/** A WebSocket of frames that offered compression, behind the open packet. */
async function rawSession(t, offer = 'permessage-deflate') {
  const headers = offer ? { 'Sec-WebSocket-Extensions': offer } : {};
  const socket = await RawWebSocket.open(engine.port, PATH, { headers });
  assert.equal(socket.status, 101);
  t.after(() => socket.destroy());
  const { payload, rsv } = await socket.next();
  assert.equal(payload[0], '0'.charCodeAt(0));
  assert.equal(rsv, 0);
  return socket;
}

function answered(socket) {
  return /^sec-websocket-extensions: *(.*)$/im.exec(socket.head)?.[1].trim() ?? null;
}

/** The next frame that is not a ping. */
async function nextFrame(socket) {
  for (;;) {
    const frame = await socket.next();
    if (frame === null || frame.payload.toString() !== '2') return frame;
  }
}

/** The `ws` client behind the open packet; `echo` sends and resolves to what comes back. */
async function wsSession(t, perMessageDeflate) {
  const socket = new WebSocket(`ws://127.0.0.1:${engine.port}${PATH}`, { perMessageDeflate });
  t.after(() => socket.terminate());
  const inbox = [];
  const waiting = [];
  socket.on('message', (data, isBinary) => {
    const message = isBinary ? data : data.toString();
    if (message === '2') return;
    if (waiting.length > 0) waiting.shift()(message);
    else inbox.push(message);
  });
  socket.receive = () =>
    inbox.length > 0 ? Promise.resolve(inbox.shift()) : within(new Promise((resolve) => waiting.push(resolve)), 'message');
  socket.echo = (data, options = {}) => {
    socket.send(data, options);
    return socket.receive();
  };
  assert.match(await socket.receive(), /^0\{/);
  return socket;
}

/** JSON of so many characters, as compressible as such texts are. */
function text(length) {
  let text = '';
  for (let id = 0; text.length < length; id++) text += JSON.stringify({ id, name: `user ${id}`, active: id % 3 === 0 });
  return text.slice(0, length);
}

/** Bytes that do not shrink. */
function noise(length) {
  let number = 1;
  return Buffer.alloc(length).map(() => {
    number = (Math.imul(number, 1_664_525) + 1_013_904_223) >>> 0;
    return number >>> 24;
  });
}

// Negotiation.

scenario('the answer rules out context takeover on both sides', async (t) => {
  for (const [offer, expected] of [
    ['permessage-deflate', []],
    ['permessage-deflate; client_max_window_bits', []],
    ['permessage-deflate; client_no_context_takeover; server_no_context_takeover', []],
    ['permessage-deflate; server_max_window_bits=10', ['server_max_window_bits=10']],
    ['x-webkit-deflate-frame, permessage-deflate', []],
  ]) {
    const socket = await rawSession(t, offer);
    const [name, ...parameters] = answered(socket).split(/ *; */);
    assert.equal(name, 'permessage-deflate');
    assert.deepEqual(parameters.sort(), ['client_no_context_takeover', 'server_no_context_takeover', ...expected].sort(), offer);
  }
});

scenario('without an offer nothing is answered, and nothing is compressed', async (t) => {
  const socket = await rawSession(t, null);
  assert.equal(answered(socket), null);
  socket.send(`4${text(5000)}`);
  const { rsv, payload } = await nextFrame(socket);
  assert.equal(rsv, 0);
  assert.equal(payload.toString(), `4${text(5000)}`);
});

scenario('an invalid offer is declined', async (t) => {
  const offers = ['permessage-deflate; server_max_window_bits=7', 'permessage-deflate; unknown', 'permessage-deflate; client_max_window_bits=99'];
  for (const offer of offers) {
    const socket = await RawWebSocket.open(engine.port, PATH, { headers: { 'Sec-WebSocket-Extensions': offer } });
    if (isReference) {
      // It refuses the whole handshake.
      assert.equal(socket.status, 400);
      continue;
    }
    t.after(() => socket.destroy());
    assert.equal(socket.status, 101);
    assert.equal(answered(socket), null, offer);
  }
});

// What is compressed.

scenario('messages are compressed from the threshold on, text and binary', async (t) => {
  const socket = await rawSession(t);
  for (const [length, rsv] of [[1, 0], [1022, 0], [1023, RSV1], [1024, RSV1], [50_000, RSV1], [10, 0], [99_999, RSV1]]) {
    // The character of the packet's type counts.
    socket.send(`4${text(length)}`);
    const frame = await nextFrame(socket);
    assert.equal(frame.rsv, rsv, `${length} characters`);
    assert.equal(frame.opcode, OPCODE.text);
    const payload = rsv ? inflate(frame.payload) : frame.payload;
    assert.equal(payload.toString(), `4${text(length)}`);
    if (rsv) assert.ok(frame.payload.length < length / 2);
  }
  const data = Buffer.from(text(2000));
  socket.send(data);
  const frame = await nextFrame(socket);
  assert.deepEqual([frame.rsv, frame.opcode], [RSV1, OPCODE.binary]);
  assert.deepEqual(inflate(frame.payload), data);
});

scenario('what a program marks as uncompressed stays as it is', async (t) => {
  const socket = await rawSession(t);
  const plain = isReference ? RSV1 : 0; // It ignores the flag.
  for (const [message, rsv] of [[`4plain:${text(5000)}`, plain], [`4${text(5000)}`, RSV1], [`4plain:${text(5000)}`, plain]]) {
    socket.send(message);
    const frame = await nextFrame(socket);
    assert.equal(frame.rsv, rsv);
    assert.equal((rsv ? inflate(frame.payload) : frame.payload).toString(), message);
  }
});

for (const [name, options] of [
  ['its defaults', true],
  ['everything compressed', { threshold: 0 }],
  ['no context takeover', { threshold: 0, clientNoContextTakeover: true, serverNoContextTakeover: true }],
  ['small windows', { threshold: 0, serverMaxWindowBits: 9, clientMaxWindowBits: 9 }],
  ['nothing compressed', false],
]) {
  scenario(`ws understands all messages, and is understood (${name})`, async (t) => {
    const socket = await wsSession(t, options);
    assert.equal(socket.extensions, options ? 'permessage-deflate' : '');
    for (const length of [0, 1, 100, 511, 512, 513, 1023, 1024, 4000, 16_000, 40_000, 99_999, 1]) {
      assert.equal(await socket.echo(`4${text(length)}`), `4${text(length)}`);
      // What does not shrink grows, and the reference counts it against the limit before it is inflated.
      const data = noise(isReference ? Math.min(length, 99_000) : length);
      assert.deepEqual(await socket.echo(data), data);
      const umlauts = `4${'ä€𝄞'.repeat(length / 10)}`;
      assert.equal(await socket.echo(umlauts), umlauts);
    }
    // Many at once keep their order.
    const messages = Array.from({ length: 300 }, (_, index) => `4${index} ${text((index * 37) % 3000)}`);
    for (const message of messages) socket.send(message);
    for (const message of messages) assert.equal(await socket.receive(), message);
  });
}

scenario('ws may send fragments, with pings between them', async (t) => {
  const socket = await wsSession(t, { threshold: 0 });
  const message = text(50_000);
  for (const size of [1, 1000, 20_000, 50_000]) {
    socket.send('4', { fin: false });
    for (let at = 0; at < message.length; at += size) {
      if (size === 1 && at > 200) {
        socket.send(message.slice(at), { fin: false });
        break;
      }
      socket.send(message.slice(at, at + size), { fin: false });
      if (at % (3 * size) === 0) socket.ping();
    }
    socket.send('', { fin: true });
    assert.equal(await socket.receive(), `4${message}`);
  }
});

// Data that cannot be inflated.

scenario('a bomb closes the connection with 1009', async (t) => {
  for (const size of [MAX_PAYLOAD + 1, 10_000_000, 70_000_000]) {
    const socket = await rawSession(t);
    socket.frame(OPCODE.text, deflate(Buffer.alloc(size, '4')), { rsv: RSV1 });
    assert.equal(await nextFrame(socket), null);
    assert.equal(socket.end.code, 1009, `${size} bytes`);
  }
  const socket = await rawSession(t);
  socket.frame(OPCODE.text, deflate(Buffer.alloc(MAX_PAYLOAD, '4')), { rsv: RSV1 });
  assert.equal(inflate((await nextFrame(socket)).payload).length, MAX_PAYLOAD);
});

scenario('data that is no compressed data closes the connection with 1007', async (t) => {
  const valid = deflate('4some text, some text, some text');
  const cases = [Buffer.from([0xff, 0xff, 0xff]), Buffer.from([0x02, 0x02, 0x00]), deflate(Buffer.from([0x34, 0xff]))];
  // The reference takes what it could inflate, and nobody learns that something is missing.
  if (!isReference) cases.push(valid.subarray(0, -4), Buffer.concat([zlib.deflateRawSync('4a'), valid]));
  for (const data of cases) {
    const socket = await rawSession(t);
    socket.frame(OPCODE.text, data, { rsv: RSV1 });
    assert.equal(await nextFrame(socket), null);
    assert.equal(socket.end.code, 1007, data.toString('hex'));
  }
});

scenario('a reserved bit in the wrong place closes the connection with 1002', async (t) => {
  const data = deflate('4text');
  for (const [offer, frames] of [
    [null, [[OPCODE.text, data, { rsv: RSV1 }]]],
    ['permessage-deflate', [[OPCODE.ping, 'x', { rsv: RSV1 }]]],
    ['permessage-deflate', [[OPCODE.text, data, { rsv: RSV1 | 1 }]]],
    ['permessage-deflate', [[OPCODE.text, data.subarray(0, 2), { rsv: RSV1, fin: false }], [OPCODE.continuation, data.subarray(2), { rsv: RSV1 }]]],
    ['permessage-deflate', [[OPCODE.text, data.subarray(0, 2), { rsv: RSV1, fin: false }], [OPCODE.text, '4other', {}]]],
  ]) {
    const socket = await rawSession(t, offer);
    for (const frame of frames) socket.frame(...frame);
    assert.equal(await nextFrame(socket), null);
    assert.equal(socket.end.code, 1002);
  }
});

scenario('senders that end the stream, leave out nothing or send nothing are understood', async (t) => {
  const socket = await rawSession(t);
  const whole = zlib.deflateRawSync('4text', { finishFlush: zlib.constants.Z_SYNC_FLUSH });
  const last = zlib.deflateRawSync('4text');
  for (const data of [whole, last, Buffer.concat([last, Buffer.from([0])])]) {
    socket.frame(OPCODE.text, data, { rsv: RSV1 });
    assert.equal((await nextFrame(socket)).payload.toString(), '4text');
  }
  socket.frame(OPCODE.binary, Buffer.alloc(0), { rsv: RSV1 });
  const { opcode, payload } = await nextFrame(socket);
  assert.deepEqual([opcode, payload.length], [OPCODE.binary, 0]);
});

// The official client.

const COLUMNS = ['websocket', 'upgrade'];
const bytesRead = (client) => client.engine.transport.ws._socket.bytesRead;
const items = Array.from({ length: 500 }, (_, id) => ({ id, name: `user ${id}` }));
// With an attachment.
const news = { items, zeros: Buffer.alloc(20_000) };
const SIZE = JSON.stringify(items).length + news.zeros.length;

for (const transport of COLUMNS) {
  scenario(`the official client gets and sends compressed messages (${transport})`, async (t) => {
    const client = await connectClient(t, sockets.url, { transport, perMessageDeflate: { threshold: 0 } });
    assert.equal(client.engine.transport.ws.extensions, 'permessage-deflate');
    const value = { ...news, noise: noise(3000), 'ключ': 'ä€𝄞' };
    for (let round = 0; round < 3; round++) assert.deepEqual(await client.ask('echo', value), [value]);
    const { _socket } = client.engine.transport.ws;
    assert.ok(_socket.bytesWritten < 3 * SIZE / 2, `${_socket.bytesWritten} for ${SIZE}`);
    assert.ok(_socket.bytesRead < 3 * SIZE / 2, `${_socket.bytesRead} for ${SIZE}`);
  });

  scenario(`a broadcast reaches all, compressed or not (${transport})`, async (t) => {
    const clients = [];
    for (let i = 0; i < 4; i++) clients.push(await connectClient(t, sockets.url, { transport, perMessageDeflate: {} }));
    const other = await connectClient(t, sockets.url, { transport, perMessageDeflate: false });
    assert.equal(other.engine.transport.ws.extensions, '');
    for (const [event, compressed] of [['everybody', true], ['everybody-plain', false], ['everybody', true]]) {
      const before = clients.map(bytesRead);
      const plainBefore = bytesRead(other);
      clients[0].emit(event, news);
      for (const client of [...clients, other]) assert.deepEqual(await client.event('news'), [news]);
      for (const [index, client] of clients.entries()) {
        const read = bytesRead(client) - before[index];
        assert.ok(compressed || isReference ? read < SIZE / 2 : read > SIZE, `${event}: ${read} of ${SIZE}`);
      }
      assert.ok(bytesRead(other) - plainBefore > SIZE);
    }
  });
}

scenario('one emit without compression', async (t) => {
  const client = await connectClient(t, sockets.url, { perMessageDeflate: {} });
  const before = bytesRead(client);
  client.emit('me-plain', news);
  assert.deepEqual(await client.event('news'), [news]);
  if (!isReference) assert.ok(bytesRead(client) - before > SIZE);
  assert.deepEqual(await client.ask('echo', 'still there'), ['still there']);
});

scenario('a client that disconnects in the middle of a compressed message is no harm', async (t) => {
  const socket = await rawSession(t);
  socket.frame(OPCODE.text, deflate(`4${text(9000)}`), { rsv: RSV1, fin: false });
  socket.destroy();
  const other = await wsSession(t, true);
  assert.equal(await other.echo('4there'), '4there');
  other.close();
  await once(other, 'close');
});
