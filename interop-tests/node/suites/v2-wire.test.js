// Revision 3 on the wire: transcripts of the official server.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { scenario, suiteServer } from '../lib/harness.js';
import { OPCODE, RawWebSocket, request } from '../lib/raw.js';

const suite = suiteServer();

/** The codec of the official client of version 2. */
const codec = createRequire(createRequire(import.meta.url).resolve('socket.io-client-v2'))('engine.io-parser');

const POLLING = '/socket.io/?EIO=3&transport=polling';
const WEBSOCKET = '/socket.io/?EIO=3&transport=websocket';
const OCTETS = { 'Content-Type': 'application/octet-stream' };

/** A session over polling whose greetings were read. */
async function open(query = '') {
  const opened = await request(suite.port, { path: `${POLLING}${query}` });
  const [, sid] = opened.body.match(/sid\\?":\\?"([\w-]+)/);
  const path = `${POLLING}${query}&sid=${sid}`;
  const session = {
    sid,
    opened,
    path,
    poll: () => request(suite.port, { path }),
    post: (body, headers = {}) => request(suite.port, { method: 'POST', path, body, headers: { 'Content-Length': Buffer.byteLength(body), ...headers } }),
  };
  session.greeting = await session.poll();
  return session;
}

/** A WebSocket whose greetings were read. */
async function openWebSocket(t, query = '') {
  const ws = await RawWebSocket.open(suite.port, `${WEBSOCKET}${query}`);
  assert.equal(ws.status, 101, ws.body);
  t.after(() => ws.destroy());
  ws.text = async () => {
    const frame = await ws.next();
    assert.equal(frame?.opcode, OPCODE.text);
    return frame.payload.toString();
  };
  const opened = JSON.parse((await ws.text()).slice(1));
  ws.sid = opened.sid;
  assert.equal(await ws.text(), '40');
  sameEvent(await ws.text(), welcome('/', ws.sid, 'websocket'));
  return ws;
}

const welcome = (nsp, sid, transport) => `42${nsp === '/' ? '' : `${nsp},`}["welcome",${JSON.stringify({ nsp, sid, transport, eio: 3 })}]`;

/** Members may come in any order. */
function sameEvent(actual, expected) {
  const [, prefix, json] = actual.match(/^([^[]*)(\[.*)$/);
  const [, expectedPrefix, expectedJson] = expected.match(/^([^[]*)(\[.*)$/);
  assert.equal(prefix, expectedPrefix);
  assert.deepEqual(JSON.parse(json), JSON.parse(expectedJson));
}

scenario('revision 3: the handshake over polling, and the namespace that is joined by itself in the second answer', async () => {
  const { opened, greeting, sid } = await open();
  const [, length, packet] = opened.body.match(/^(\d+):(.*)$/);
  assert.equal(Number(length), packet.length);
  assert.deepEqual(JSON.parse(packet.slice(1)), { sid, upgrades: ['websocket'], pingInterval: 1000, pingTimeout: 4000, maxPayload: 1_000_000 });
  assert.match(opened.headers['content-type'], /^text\/plain/);
  const [, rest] = greeting.body.match(/^2:40\d+:(.*)$/);
  sameEvent(rest, welcome('/', sid, 'polling'));
});

scenario('revision 3: the client’s pings over polling', async () => {
  const session = await open();
  assert.equal((await session.post('1:2')).body, 'ok');
  assert.equal((await session.poll()).body, '1:3');
  assert.equal((await session.post('6:2probe')).body, 'ok');
  assert.equal((await session.poll()).body, '1:3');
});

scenario('revision 3: lengths in UTF-16 code units', async () => {
  const session = await open();
  await session.post('23:4213["echo-ack","hé😀"]');
  assert.equal((await session.poll()).body, '12:4313["hé😀"]');
});

scenario('revision 3: binary over polling', async () => {
  const session = await open();
  const text = '451-7["echo-ack",{"_placeholder":true,"num":0}]';
  const item = (kind, data) => Buffer.concat([Buffer.from([kind, ...String(data.length).split('').map(Number), 255]), data]);
  const data = Buffer.from([4, 1, 2, 255]);
  await session.post(Buffer.concat([item(0, Buffer.from(text)), item(1, data)]), OCTETS);
  const answer = await session.poll();
  const reply = Buffer.from('461-7[{"_placeholder":true,"num":0}]');
  assert.equal(answer.headers['content-type'], 'application/octet-stream');
  assert.deepEqual(answer.bytes, Buffer.concat([item(0, reply), item(1, data)]));
  // Base64 is taken, too.
  await session.post(`${text.length}:${text}6:b4AQL/`);
  assert.deepEqual((await session.poll()).bytes, Buffer.concat([item(0, reply), item(1, data)]));
});

scenario('revision 3: binary over polling in base64', async () => {
  const session = await open('&b64=1');
  const text = '451-7["echo-ack",{"_placeholder":true,"num":0}]';
  await session.post(`${text.length}:${text}6:b4AQL/`);
  const answer = await session.poll();
  const reply = '461-7[{"_placeholder":true,"num":0}]';
  assert.match(answer.headers['content-type'], /^text\/plain/);
  assert.equal(answer.body, `${reply.length}:${reply}6:b4AQL/`);
});

for (const [name, query, asBytes] of [
  ['as bytes', '', true],
  ['as base64', '&b64=1', false],
]) {
  scenario(`revision 3: the official codec understands payloads with binary ${name}`, async () => {
    const session = await open(query);
    const attachments = [0, 1, 9, 255, 256, 1000, 99_999].map((size) => Buffer.from(Array.from({ length: size }, (_, i) => i % 256)));
    for (const [index, attachment] of attachments.entries()) {
      const text = `["hé😀€ ${'ü🦀'.repeat(index * 20)}",{"_placeholder":true,"num":0}]`;
      const sent = [`451-${index}["echo-ack",${text.slice(1)}`, attachment, `42["echo","later"]`];
      const packets = sent.map((packet) => (typeof packet === 'string' ? { type: 'message', data: packet.slice(1) } : { type: 'message', data: packet }));
      codec.encodePayload(packets, asBytes, (body) => {
        assert.equal(typeof body === 'string', !asBytes);
        session.body = body;
      });
      assert.equal((await session.post(session.body, asBytes ? OCTETS : {})).body, 'ok');
      const received = [];
      while (received.length < 3) {
        const answer = await session.poll();
        const binary = answer.headers['content-type'] === 'application/octet-stream';
        codec.decodePayload(binary ? answer.bytes : answer.body, (packet) => void received.push(packet));
      }
      const expected = [`61-${index}${text}`, attachment, '2["echo-back","later"]'];
      assert.deepEqual(received, expected.map((data) => ({ type: 'message', data })));
    }
  });
}

scenario('revision 3: JSONP', async () => {
  const session = await open('&j=3&b64=1');
  assert.match(session.opened.body, /^___eio\[3\]\("\d+:0\{/);
  const packet = '421["echo-ack","é\\n"]';
  const body = `d=${encodeURIComponent(`${packet.length}:${packet}`.replaceAll('\\n', '\\\\n'))}`;
  await session.post(body, { 'Content-Type': 'application/x-www-form-urlencoded' });
  const reply = '431["é\\n"]';
  assert.equal((await session.poll()).body, `___eio[3](${JSON.stringify(`${reply.length}:${reply}`)});`);
});

scenario('revision 3: requests keep the revision of their session', async () => {
  const session = await open();
  const answer = await request(suite.port, { path: session.path.replace('EIO=3', 'EIO=4') });
  assert.deepEqual([answer.status, answer.body], [400, '{"code":3,"message":"Bad request"}']);
  await session.post('1:2');
  const without = await request(suite.port, { path: session.path.replace('EIO=3&', '') });
  assert.deepEqual([without.status, without.body], [200, '1:3']);
});

scenario('revision 3: namespaces over a WebSocket', async (t) => {
  const ws = await openWebSocket(t);
  ws.send('2');
  assert.equal(await ws.text(), '3');
  ws.send('40/auth?token=secret,');
  assert.equal(await ws.text(), '40/auth,');
  sameEvent(await ws.text(), welcome('/auth', `/auth#${ws.sid}`, 'websocket'));
  ws.send('42/auth,1["whoami"]');
  const [who] = JSON.parse((await ws.text()).slice('43/auth,1'.length));
  assert.deepEqual(who.auth, { token: 'secret' });
  assert.equal(who.nsp, '/auth');
  ws.send('40/nope?a=b,');
  assert.equal(await ws.text(), '44/nope,{"message":"Invalid namespace"}');
  ws.send('40/deny,');
  const refusal = await ws.text();
  assert.deepEqual(JSON.parse(refusal.slice('44/deny,'.length)), { code: 4031, reason: 'nope', list: [1, 2] });
  ws.send('420["echo-ack","x"]');
  assert.equal(await ws.text(), '430["x"]');
  // The query may stand in other packets, too.
  ws.send('41/auth?token=secret,');
  ws.send('421["echo-ack","still here"]');
  assert.equal(await ws.text(), '431["still here"]');
});

for (const [name, query, opcode, bytes] of [
  ['with a type', '', OPCODE.binary, Buffer.from([4, 1, 2, 3])],
  ['in base64', '&b64=1', OPCODE.text, Buffer.from('b4AQID')],
]) {
  scenario(`revision 3: binary over a WebSocket ${name}`, async (t) => {
    const ws = await openWebSocket(t, query);
    for (const send of [() => ws.send(Buffer.from([4, 1, 2, 3])), () => ws.send('b4AQID')]) {
      ws.send('451-9["echo-ack",{"_placeholder":true,"num":0}]');
      send();
      assert.equal(await ws.text(), '461-9[{"_placeholder":true,"num":0}]');
      assert.deepEqual(await ws.next(), { opcode, rsv: 0, payload: bytes });
    }
  });
}

scenario('revision 3: a pong from the client ends the session', async (t) => {
  const ws = await openWebSocket(t);
  ws.send('3');
  assert.equal(await ws.next(), null);
  assert.equal(ws.end.code, 1005);
});
