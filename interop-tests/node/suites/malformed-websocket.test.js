// Malformed upgrade requests, frames and Engine.IO packets on WebSocket, beside healthy clients.

import assert from 'node:assert/strict';
import { connectClient } from '../lib/client.js';
import { eventually } from '../lib/deadline.js';
import { suiteServer } from '../lib/harness.js';
import { ALIVE, CLOSED, besideHealthyClients, checkOutcome, expectation } from '../lib/malformed.js';
import { OPCODE, PollingSession, RawWebSocket, WebSocketSession } from '../lib/raw.js';

const suite = suiteServer();
const beside = besideHealthyClients(suite);
const strictSuite = suiteServer({ mode: 'sio-protocol', env: { PING_TIMEOUT: '10000' } });
const besideStrict = besideHealthyClients(strictSuite, { event: 'message-with-ack' });

const PATH = '/socket.io/';

// Upgrade requests. The answer is plain HTTP, or 101 and the close of the WebSocket.
const REQUESTS = [
  { name: 'no transport', query: 'EIO=4', expect: { status: 400, body: 'Transport unknown' } },
  { name: 'an unknown transport', query: 'EIO=4&transport=tobi', expect: { status: 400, body: 'Transport unknown' } },
  { name: 'the transport webtransport', query: 'EIO=4&transport=webtransport', expect: { status: 400, body: 'Transport unknown' } },
  { name: 'the transport __proto__', query: 'EIO=4&transport=__proto__', expect: { status: 400, body: 'Transport unknown' } },
  { name: 'an unknown session id', query: 'EIO=4&transport=websocket&sid=tobi', expect: { status: 400, body: 'Session ID unknown' } },
  { name: 'the session id __proto__', query: 'EIO=4&transport=websocket&sid=__proto__', expect: { status: 400, body: 'Session ID unknown' } },
  { name: 'POST', query: 'EIO=4&transport=websocket', method: 'POST', expect: { status: 400, body: 'Bad handshake method' } },
  { name: 'no key', headers: { 'Sec-WebSocket-Key': null }, expect: { status: 400 } },
  { name: 'a short key', headers: { 'Sec-WebSocket-Key': 'c2hvcnQ=' }, expect: { status: 400 } },
  { name: 'a key that is no base64', headers: { 'Sec-WebSocket-Key': '????????????????????????' }, expect: { status: 400 } },
  { name: 'no version', headers: { 'Sec-WebSocket-Version': null }, expect: { status: 400 } },
  { name: 'version 7', headers: { 'Sec-WebSocket-Version': '7' }, expect: { status: 400 } },
  { name: 'version 14', headers: { 'Sec-WebSocket-Version': '14' }, expect: { status: 400 } },
  { name: 'an upgrade to something else', headers: { Upgrade: 'chocolate' }, expect: { status: 400 } },
  { name: 'an empty subprotocol', headers: { 'Sec-WebSocket-Protocol': 'a,,b' }, expect: { status: 400, body: 'Invalid Sec-WebSocket-Protocol header' } },
  { name: 'the same subprotocol twice', headers: { 'Sec-WebSocket-Protocol': 'a, a' }, expect: { status: 400, body: 'Invalid Sec-WebSocket-Protocol header' } },
  { name: 'transport polling without a key', query: 'EIO=4&transport=polling', headers: { 'Sec-WebSocket-Key': null }, expect: { status: 400 } },
  // The project may refuse it plainly; the reference switches protocols only to close at once.
  { name: 'transport polling', query: 'EIO=4&transport=polling', expect: { status: [101, 400], end: 1005 } },
];

for (const { name, query = 'EIO=4&transport=websocket', method, headers, expect } of REQUESTS) {
  beside(`upgrade request: ${name}`, async (t) => {
    const answer = await RawWebSocket.open(suite.port, `${PATH}?${query}`, { method, headers });
    assert.ok([expect.status].flat().includes(answer.status), `${answer.status} ${answer.body}`);
    if (answer.status === 101) {
      t.after(() => answer.destroy());
      assert.equal(await answer.next(2000), null);
      assert.equal(answer.end.code, expect.end);
    } else if (expect.body) {
      assert.equal(answer.body, expect.body);
    }
  });
}

for (const [name, query] of [
  ['revision 5', 'EIO=5&transport=websocket'],
  ['revision 3', 'EIO=3&transport=websocket'],
  ['no revision', 'transport=websocket'],
]) {
  const row = {
    expect: { status: 400, body: 'Unsupported protocol version' },
    // It switches protocols first and writes the refusal into the WebSocket.
    reference: { status: 101 },
  };
  besideStrict(`upgrade request: ${name} where only 4 is spoken`, async (t) => {
    const expected = expectation(row);
    const answer = await RawWebSocket.open(strictSuite.port, `${PATH}?${query}`);
    assert.equal(answer.status, expected.status, answer.body);
    if (answer.status === 101) t.after(() => answer.destroy());
    else assert.equal(answer.body, expected.body);
  });
}

// Frames that break RFC 6455: the close code tells which rule.
const { text, binary, close, ping, pong, continuation } = OPCODE;
const FRAMES = [
  { name: 'an unmasked frame', frames: [[text, '42["echo",1]', { mask: false }]], expect: 1002 },
  { name: 'the first reserved bit without an extension', frames: [[text, '42["echo",1]', { rsv: 4 }]], expect: 1002 },
  { name: 'the second reserved bit', frames: [[text, '42["echo",1]', { rsv: 2 }]], expect: 1002 },
  { name: 'the third reserved bit', frames: [[text, '42["echo",1]', { rsv: 1 }]], expect: 1002 },
  { name: 'a reserved data opcode', frames: [[3, 'x']], expect: 1002 },
  { name: 'a reserved control opcode', frames: [[11, 'x']], expect: 1002 },
  { name: 'a continuation of nothing', frames: [[continuation, 'x']], expect: 1002 },
  { name: 'a message inside a fragmented one', frames: [[text, '42[', { fin: false }], [text, '"echo"]']], expect: 1002 },
  { name: 'a fragmented ping', frames: [[ping, 'x', { fin: false }]], expect: 1002 },
  { name: 'a ping of 126 bytes', frames: [[ping, 'x'.repeat(126)]], expect: 1002 },
  { name: 'a close of one byte', frames: [[close, 'x']], expect: 1002 },
  { name: 'a close with a reserved code', frames: [[close, Buffer.from([1005 >> 8, 1005 & 255])]], expect: 1002 },
  { name: 'a close with an unknown code', frames: [[close, Buffer.from([0, 1])]], expect: 1002 },
  { name: 'text that is no UTF-8', frames: [[text, Buffer.from('42["echo","\xff"]', 'latin1')]], expect: 1007 },
  { name: 'text that ends inside a character', frames: [[text, Buffer.from('42["echo","\xe2\x82', 'latin1')]], expect: 1007 },
  { name: 'text with an encoded surrogate', frames: [[text, Buffer.from('42["echo","\xed\xa0\x80"]', 'latin1')]], expect: 1007 },
  { name: 'a close whose reason is no UTF-8', frames: [[close, Buffer.from([3, 232, 255])]], expect: 1007 },
  { name: 'a text above the limit', frames: [[text, `42["echo","${'x'.repeat(1_000_000)}"]`]], expect: 1009 },
  { name: 'binary above the limit', frames: [[binary, Buffer.alloc(1_000_001)]], expect: 1009 },
  { name: 'the announcement of a frame above the limit', frames: [[text, 'x'.repeat(2_000_000), { lengthOnly: true }]], expect: 1009 },
  { name: 'fragments that together are above the limit', frames: [[text, `4${'x'.repeat(600_000)}`, { fin: false }], [continuation, 'x'.repeat(600_000)]], expect: 1009 },
];

for (const { name, frames, expect } of FRAMES) {
  beside(`frame: ${name}`, async (t) => {
    const session = await WebSocketSession.open(t, suite.port);
    const sid = await session.connect();
    for (const frame of frames) session.ws.frame(...frame);
    assert.equal((await session.closed()).code, expect);
    const watcher = await connectClient(t, suite.url);
    const reason = await eventually(async () => (await watcher.ask('reason', sid))[0], 'the reason');
    assert.equal(reason, 'transport error');
  });
}

beside('frame: a close is answered with its code', async (t) => {
  const session = await WebSocketSession.open(t, suite.port);
  await session.connect();
  session.ws.frame(close, Buffer.from([1000 >> 8, 1000 & 255]));
  assert.equal((await session.closed()).code, 1000);
});

beside('frame: a ping is answered with its payload', async (t) => {
  const session = await WebSocketSession.open(t, suite.port);
  await session.connect();
  session.ws.frame(ping, 'payload');
  session.ws.frame(pong, 'unsolicited');
  assert.equal(await session.packet(), 'frame 10 payload');
  await checkOutcome(session, ALIVE, { replies: [] });
});

beside('frame: a message in fragments with a ping between them', async (t) => {
  const session = await WebSocketSession.open(t, suite.port);
  await session.connect();
  session.ws.frame(text, '42["ec', { fin: false });
  session.ws.frame(continuation, '', { fin: false });
  session.ws.frame(ping, '!');
  session.ws.frame(continuation, Buffer.from('ho","\xe2\x82', 'latin1'), { fin: false });
  session.ws.frame(continuation, Buffer.from('\xac"]', 'latin1'));
  assert.equal(await session.packet(), 'frame 10 !');
  assert.equal(await session.packet(), '42["echo-back","€"]');
});

beside('frame: a message of exactly the limit', async (t) => {
  const session = await WebSocketSession.open(t, suite.port);
  await session.connect();
  await session.send(`42["no-ack","${'x'.repeat(1_000_000 - 15)}"]`);
  await checkOutcome(session, ALIVE, { replies: [] });
});

beside('frame: the connection breaks inside a frame', async (t) => {
  const session = await WebSocketSession.open(t, suite.port);
  await session.connect();
  session.ws.frame(text, 'x'.repeat(1000), { lengthOnly: true });
  session.ws.destroy();
});

beside('frame: garbage instead of frames', async (t) => {
  const session = await WebSocketSession.open(t, suite.port);
  await session.connect();
  session.ws.tcp.write(Buffer.alloc(1000, 0xff));
  await session.closed();
});

// Engine.IO packets on a WebSocket session that has joined the main namespace.
const PACKETS = [
  { name: 'an empty text', packets: [''], expect: CLOSED },
  { name: 'an unknown packet type', packets: ['x'], expect: CLOSED },
  { name: 'packet type 7', packets: ['7'], expect: CLOSED },
  { name: 'packet type 9 with data', packets: ['9data'], expect: CLOSED },
  { name: 'a space before the packet', packets: [' 42["echo",1]'], expect: CLOSED },
  { name: 'two packets in one frame', packets: ['42["echo",1]\x1e42["echo",2]'], expect: CLOSED },
  { name: 'PING', packets: ['2'], expect: CLOSED },
  { name: 'PING probe', packets: ['2probe'], expect: CLOSED },
  { name: 'an unsolicited PONG', packets: ['3'], expect: ALIVE, replies: [] },
  { name: 'a hundred PONGs', packets: Array(100).fill('3'), expect: ALIVE, replies: [] },
  { name: 'OPEN', packets: ['0'], expect: ALIVE, replies: [] },
  { name: 'CLOSE', packets: ['1'], expect: ALIVE, replies: [] },
  { name: 'UPGRADE', packets: ['5'], expect: ALIVE, replies: [] },
  { name: 'NOOP', packets: ['6'], expect: ALIVE, replies: [] },
  { name: 'base64 in a text frame without a header', packets: ['bAQID'], expect: CLOSED },
  { name: 'base64 in a text frame as an attachment', packets: ['451-["echo",{"_placeholder":true,"num":0}]', 'bAQID'], expect: ALIVE, replies: ['451-["echo-back",{"_placeholder":true,"num":0}]', 'bAQID'] },
  { name: 'text in a binary frame', packets: [Buffer.from('42["echo",1]')], expect: CLOSED },
];

for (const row of PACKETS) {
  beside(`engine packet: ${row.name}`, async (t) => {
    const session = await WebSocketSession.open(t, suite.port);
    await session.connect();
    await session.send(...row.packets);
    const end = await checkOutcome(session, expectation(row), row);
    if (expectation(row) === CLOSED) assert.equal(end.code, 1005);
  });
}

async function candidateOf(t, session) {
  const ws = await RawWebSocket.open(suite.port, `${PATH}?EIO=4&transport=websocket&sid=${session.sid}`);
  assert.equal(ws.status, 101);
  t.after(() => ws.destroy());
  return ws;
}

// What a candidate for an upgrade may say wrong: it is closed and the session goes on with polling.
for (const [name, data] of [
  ['nothing', ''],
  ['garbage', 'x'],
  ['a message', '42["echo",1]'],
  ['a PING without the probe', '2'],
  ['a PING with something else', '2prob'],
  ['a PONG', '3probe'],
  ['binary', Buffer.from('2probe')],
]) {
  beside(`upgrade: the candidate says ${name}`, async (t) => {
    const session = await PollingSession.open(t, suite.port);
    await session.connect();
    const ws = await candidateOf(t, session);
    ws.send(data);
    assert.equal(await ws.next(2000), null);
    await checkOutcome(session, ALIVE, { replies: [] });
  });
}

beside('upgrade: the candidate breaks a rule of WebSocket', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  await session.connect();
  const ws = await candidateOf(t, session);
  ws.frame(text, '2probe', { mask: false });
  assert.equal(await ws.next(2000), null);
  await checkOutcome(session, ALIVE, { replies: [] });
});

beside('upgrade: the candidate goes away after the probe', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  await session.connect();
  const ws = await candidateOf(t, session);
  ws.send('2probe');
  assert.equal((await ws.next()).payload.toString(), '3probe');
  ws.destroy();
  await checkOutcome(session, ALIVE, { replies: [] });
});

beside('upgrade: the candidate never completes', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  await session.connect();
  const started = Date.now();
  const ws = await candidateOf(t, session);
  ws.send('2probe');
  assert.equal((await ws.next()).payload.toString(), '3probe');
  assert.equal(await ws.next(), null);
  const elapsed = Date.now() - started;
  assert.ok(elapsed > 1950, `closed after ${elapsed} ms`);
  await checkOutcome(session, ALIVE, { replies: [] });
});

beside('upgrade: a second candidate is closed and the first completes', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  await session.connect();
  const first = await candidateOf(t, session);
  first.send('2probe');
  assert.equal((await first.next()).payload.toString(), '3probe');
  const second = await candidateOf(t, session);
  assert.equal(await second.next(), null);
  assert.equal(second.end.code, 1005);
  first.send('5');
  first.send('42["echo","up"]');
  assert.equal((await first.next()).payload.toString(), '42["echo-back","up"]');
});

beside('upgrade: a probe that is repeated is answered again', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  await session.connect();
  const ws = await candidateOf(t, session);
  for (let probe = 0; probe < 3; probe++) {
    ws.send('2probe');
    assert.equal((await ws.next()).payload.toString(), '3probe');
  }
  ws.send('5');
  ws.send('42["echo","up"]');
  assert.equal((await ws.next()).payload.toString(), '42["echo-back","up"]');
});

beside('upgrade: without a probe it is accepted', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  await session.connect();
  const ws = await candidateOf(t, session);
  ws.send('5');
  ws.send('42["echo","up"]');
  assert.equal((await ws.next()).payload.toString(), '42["echo-back","up"]');
});

beside('upgrade: another revision is refused', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  await session.connect();
  const answer = await RawWebSocket.open(suite.port, `${PATH}?EIO=3&transport=websocket&sid=${session.sid}`);
  assert.equal(answer.status, 400);
  assert.equal(answer.body, 'Bad request');
  await checkOutcome(session, ALIVE, { replies: [] });
});
