// Malformed and misused HTTP requests, each with the answer of the server, beside healthy clients.

import assert from 'node:assert/strict';
import net from 'node:net';
import { once } from '../lib/deadline.js';
import { suiteServer } from '../lib/harness.js';
import { ALIVE, CLOSED, besideHealthyClients, checkOutcome } from '../lib/malformed.js';
import { PollingSession, RawWebSocket, rawRequest, request } from '../lib/raw.js';

const suite = suiteServer();
const beside = besideHealthyClients(suite);

// Two servers: the first accepts revision 3, the second does not and is the place for code 5.
const strictSuite = suiteServer({ mode: 'sio-protocol', env: { PING_TIMEOUT: '10000' } });
const besideStrict = besideHealthyClients(strictSuite, { event: 'message-with-ack' });

const PATH = '/socket.io/';
const ERROR = [
  '{"code":0,"message":"Transport unknown"}',
  '{"code":1,"message":"Session ID unknown"}',
  '{"code":2,"message":"Bad handshake method"}',
  '{"code":3,"message":"Bad request"}',
  '{"code":4,"message":"Forbidden"}',
  '{"code":5,"message":"Unsupported protocol version"}',
];
const refusal = (code) => ({ status: 400, body: ERROR[code] });
const HANDSHAKE = { status: 200, body: /^0\{"sid":"[A-Za-z0-9_-]{20}","upgrades":\["websocket"\]/ };
const EMPTY = (status) => ({ status, body: '' });

function checkResponse(actual, expected) {
  assert.equal(actual.status, expected.status, actual.body);
  if (expected.body instanceof RegExp) assert.match(actual.body, expected.body);
  else if (expected.body !== undefined) assert.equal(actual.body, expected.body);
  if (expected.body?.startsWith?.('{"code"')) assert.match(actual.headers['content-type'], /^application\/json/);
}

// Requests without a session: [name, query (or path), expected, options].
const HANDSHAKES = [
  ['no transport', 'EIO=4', refusal(0)],
  ['an empty transport', 'EIO=4&transport=', refusal(0)],
  ['an unknown transport', 'EIO=4&transport=tobi', refusal(0)],
  ['a transport in capitals', 'EIO=4&transport=POLLING', refusal(0)],
  ['a transport with a space', 'EIO=4&transport=polling%20', refusal(0)],
  ['the transport webtransport', 'EIO=4&transport=webtransport', refusal(0)],
  ['the transport __proto__', 'EIO=4&transport=__proto__', refusal(0)],
  ['the transport constructor', 'EIO=4&transport=constructor', refusal(0)],
  ['two transports of which the last is unknown', 'EIO=4&transport=polling&transport=tobi', refusal(0)],
  ['an unknown transport with an unknown id', 'EIO=4&transport=tobi&sid=unknown', refusal(0)],
  ['no query at all', '', refusal(0)],
  ['an unknown session id', 'EIO=4&transport=polling&sid=tobi', refusal(1)],
  ['an unknown session id of the right shape', 'EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA', refusal(1)],
  ['the session id __proto__', 'EIO=4&transport=polling&sid=__proto__', refusal(1)],
  ['the session id constructor', 'EIO=4&transport=polling&sid=constructor', refusal(1)],
  ['a session id with a NUL', 'EIO=4&transport=polling&sid=%00', refusal(1)],
  ['a session id of 4000 characters', `EIO=4&transport=polling&sid=${'x'.repeat(4000)}`, refusal(1)],
  ['an unknown session id with POST', 'EIO=4&transport=polling&sid=tobi', refusal(1), { method: 'POST', body: '40' }],
  ['an unknown session id with PUT', 'EIO=4&transport=polling&sid=tobi', refusal(1), { method: 'PUT', body: '40' }],
  ['a handshake with POST', 'EIO=4&transport=polling', refusal(2), { method: 'POST', body: '40' }],
  ['a handshake with PUT', 'EIO=4&transport=polling', refusal(2), { method: 'PUT', body: '40' }],
  ['a handshake with DELETE', 'EIO=4&transport=polling', refusal(2), { method: 'DELETE' }],
  ['a handshake with PATCH', 'EIO=4&transport=polling', refusal(2), { method: 'PATCH', body: '40' }],
  ['a handshake with OPTIONS', 'EIO=4&transport=polling', refusal(2), { method: 'OPTIONS' }],
  ['a handshake with HEAD', 'EIO=4&transport=polling', EMPTY(400), { method: 'HEAD' }],
  ['a WebSocket handshake with POST without an upgrade', 'EIO=4&transport=websocket', refusal(2), { method: 'POST', body: '40' }],
  ['a WebSocket handshake without an upgrade', 'EIO=4&transport=websocket', refusal(3)],
  ['an empty session id', 'EIO=4&transport=polling&sid=', HANDSHAKE],
  ['two revisions of which the last is 4', 'EIO=3&EIO=4&transport=polling', HANDSHAKE],
  ['unknown parameters', 'EIO=4&transport=polling&t=abc&x&=y&&z=%F0%9F%A6%80', HANDSHAKE],
  ['broken percent signs', 'EIO=4&transport=polling&x=%ZZ&y=%', HANDSHAKE],
  ['percent signs that are no UTF-8', 'EIO=4&transport=polling&x=%ff%fe', HANDSHAKE],
  ['an encoded transport', 'EIO=4&transport=%70olling', HANDSHAKE],
  ['a long query', `EIO=4&transport=polling&x=${'y'.repeat(6000)}`, HANDSHAKE],
  ['a longer path', '/socket.io/longer?EIO=4&transport=polling', HANDSHAKE],
  ['a path without the trailing slash', '/socket.io?EIO=4&transport=polling', { status: 404 }],
  ['JSONP', 'EIO=4&transport=polling&j=a1b2', { status: 200, body: /^___eio\[12\]\("0\{\\"sid\\":.*"\);$/ }],
];

for (const [name, query, expected, options] of HANDSHAKES) {
  beside(`request: ${name}`, async () => {
    const path = query.startsWith('/') ? query : `${PATH}?${query}`;
    checkResponse(await request(suite.port, { path, ...options }), expected);
  });
}

for (const [name, query] of [
  ['revision 5', 'EIO=5&transport=polling'],
  ['revision 3', 'EIO=3&transport=polling'],
  ['no revision', 'transport=polling'],
  ['a revision that is no number', 'EIO=abc&transport=polling'],
  ['a revision with a leading zero', 'EIO=04&transport=polling'],
  ['two revisions of which the last is 3', 'EIO=4&EIO=3&transport=polling'],
]) {
  besideStrict(`request: ${name} where only 4 is spoken`, async () => {
    checkResponse(await request(strictSuite.port, { path: `${PATH}?${query}` }), refusal(5));
  });
}

for (const [name, bytes] of [
  ['a line of garbage', 'GARBAGE\r\n\r\n'],
  ['a control character in the Origin', `GET ${PATH}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nOrigin: a\x01b\r\n\r\n`],
  ['a header without a colon', `GET ${PATH}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n`],
  ['a content length that is no number', `POST ${PATH}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n`],
]) {
  beside(`request: ${name}`, async () => {
    assert.equal((await rawRequest(suite.port, bytes)).status, 400);
  });
}

/** Starts a POST whose body stays incomplete; resolves when its head is written. */
async function unfinishedPost(t, session) {
  const tcp = net.connect(suite.port, '127.0.0.1');
  t.after(() => tcp.destroy());
  tcp.on('error', () => {});
  await once(tcp, 'connect');
  // The server says that it is ready for the body, so this request is the first one, whatever follows.
  tcp.write(`POST ${session.url} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n`);
  const [answer] = await once(tcp, 'data');
  assert.match(answer.toString(), /^HTTP\/1\.1 100 Continue\r\n/);
  await new Promise((resolve) => tcp.write('42["echo"', resolve));
  tcp.pause();
  return tcp;
}

const octets = { 'Content-Type': 'application/octet-stream' };
const echoOf = (text) => `42["echo-back",${JSON.stringify(text)}]`;
const OK = { status: 200, body: 'ok' };
const withoutBody = (method) => (session) => request(suite.port, { method, path: session.url });
const at = (query) => (session) => request(suite.port, { path: `${PATH}?${query}&sid=${session.sid}` });

// Requests for a session that has joined the main namespace:
// [name, what is sent, expected answer, what becomes of the session, its replies].
const SESSIONS = [
  ['GET with transport websocket', at('EIO=4&transport=websocket'), refusal(3), ALIVE, []],
  ['GET without a transport', at('EIO=4'), refusal(0), ALIVE, []],
  ['GET of another revision', at('EIO=3&transport=polling'), refusal(3), ALIVE, []],
  ['GET without a revision', at('transport=polling'), refusal(3), ALIVE, []],
  ['POST of another revision', (s) => request(suite.port, { method: 'POST', path: `${PATH}?EIO=3&transport=polling&sid=${s.sid}`, body: '3:42[' }), refusal(3), ALIVE, []],
  ['PUT', withoutBody('PUT'), EMPTY(500), ALIVE, []],
  ['DELETE', withoutBody('DELETE'), EMPTY(500), ALIVE, []],
  ['PATCH', withoutBody('PATCH'), EMPTY(500), ALIVE, []],
  ['HEAD', withoutBody('HEAD'), EMPTY(500), ALIVE, []],
  ['OPTIONS', withoutBody('OPTIONS'), EMPTY(500), ALIVE, []],
  ['POST of octets', (s) => s.post('42["echo",1]', octets), EMPTY(400), CLOSED],
  ['POST of octets without a body', (s) => s.post('', octets), EMPTY(400), CLOSED],
  ['POST of JSON', (s) => s.post('42["echo","json"]', { 'Content-Type': 'application/json' }), OK, ALIVE, [echoOf('json')]],
  ['POST of a form', (s) => s.post('42["echo","form"]', { 'Content-Type': 'application/x-www-form-urlencoded' }), OK, ALIVE, [echoOf('form')]],
  ['POST of an unknown type', (s) => s.post('42["echo","?"]', { 'Content-Type': '???' }), OK, ALIVE, [echoOf('?')]],
  ['POST of an empty body', (s) => s.post(''), OK, CLOSED],
  ['POST of a separator', (s) => s.post('\x1e'), OK, CLOSED],
  ['POST of two separators in a row', (s) => s.post('42["echo",1]\x1e\x1e42["echo",2]'), OK, CLOSED],
  ['POST with a separator at the end', (s) => s.post('42["echo",1]\x1e'), OK, CLOSED],
  ['POST with a separator at the start', (s) => s.post('\x1e42["echo",1]'), OK, CLOSED],
  ['POST of an unknown packet type', (s) => s.post('x'), OK, CLOSED],
  ['POST of packet type 7', (s) => s.post('7'), OK, CLOSED],
  ['POST of a line break', (s) => s.post('\n'), OK, CLOSED],
  ['POST of a packet that follows garbage', (s) => s.post('garbage\x1e42["echo",1]'), OK, CLOSED],
  ['POST of PING', (s) => s.post('2'), OK, CLOSED],
  ['POST of PING probe', (s) => s.post('2probe'), OK, CLOSED],
  ['POST of an unsolicited PONG', (s) => s.post('3'), OK, ALIVE, []],
  ['POST of a hundred PONGs', (s) => s.post(Array(100).fill('3').join('\x1e')), OK, ALIVE, []],
  ['POST of PONG with data', (s) => s.post('3data'), OK, ALIVE, []],
  ['POST of OPEN', (s) => s.post('0'), OK, ALIVE, []],
  ['POST of OPEN with a handshake', (s) => s.post('0{"sid":"mine"}'), OK, ALIVE, []],
  ['POST of UPGRADE', (s) => s.post('5'), OK, ALIVE, []],
  ['POST of NOOP', (s) => s.post('6'), OK, ALIVE, []],
  ['POST of CLOSE', (s) => s.post('1'), OK, CLOSED],
  ['POST of CLOSE with more behind it', (s) => s.post('1\x1e42["echo",1]\x1egarbage'), OK, CLOSED],
  ['POST of bytes that are no UTF-8', (s) => s.post(Buffer.from('42["echo","\xff\xfe."]', 'latin1')), OK, ALIVE, [echoOf('\ufffd\ufffd.')]],
  ['POST of a truncated character', (s) => s.post(Buffer.from('42["echo","\xe2\x82"]', 'latin1')), OK, ALIVE, [echoOf('\ufffd')]],
  ['POST with a byte order mark', (s) => s.post('\ufeff42["echo",1]'), OK, CLOSED],
  ['POST of base64 with foreign characters', (s) => s.post('451-["echo",{"_placeholder":true,"num":0}]\x1ebA!Q*I-\n'), OK, ALIVE],
  ['POST of base64 without padding', (s) => s.post('451-["echo",{"_placeholder":true,"num":0}]\x1ebAQ'), OK, ALIVE, ['451-["echo-back",{"_placeholder":true,"num":0}]', 'bAQ==']],
  ['POST of base64 in the URL alphabet', (s) => s.post('451-["echo",{"_placeholder":true,"num":0}]\x1eb-_8='), OK, ALIVE, ['451-["echo-back",{"_placeholder":true,"num":0}]', 'b+/8=']],
  ['POST above the limit', (s) => s.post(`42["echo","${'x'.repeat(1_000_000)}"]`), EMPTY(413), ALIVE, []],
  ['POST of one byte above the limit', (s) => s.post(`42["no-ack","${'x'.repeat(1_000_001 - 15)}"]`), EMPTY(413), ALIVE, []],
  ['POST of exactly the limit', (s) => s.post(`42["no-ack","${'x'.repeat(1_000_000 - 15)}"]`), OK, ALIVE, []],
  ['POST of chunks above the limit', chunkedAboveTheLimit, EMPTY(413), ALIVE, []],
  ['POST in many chunks', (s) => chunked(s, [...'42["echo","ab"]']), OK, ALIVE, [echoOf('ab')]],
];

function chunked(session, chunks) {
  const parts = chunks.map((chunk) => `${Buffer.byteLength(chunk).toString(16)}\r\n${chunk}\r\n`).join('');
  const head = `POST ${session.url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
  return rawRequest(suite.port, `${head}${parts}0\r\n\r\n`).then(({ status, body }) => ({ status, body }));
}

function chunkedAboveTheLimit(session) {
  const headers = { 'Transfer-Encoding': 'chunked' };
  return request(suite.port, { method: 'POST', path: session.url, headers, body: 'x'.repeat(1_100_000) });
}

for (const [name, send, expected, outcome, replies] of SESSIONS) {
  beside(`session: ${name}`, async (t) => {
    const session = await PollingSession.open(t, suite.port);
    await session.connect();
    checkResponse(await send(session), expected);
    await checkOutcome(session, outcome, { replies });
  });
}

beside('session: two polls at once', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  await session.connect();
  const answers = await Promise.all([session.get(), session.get()]);
  assert.deepEqual(answers.map(({ status, body }) => `${status} ${body}`).sort(), ['200 1', '400 ']);
  await checkOutcome(session, CLOSED);
});

beside('session: two payloads at once', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  await session.connect();
  const first = await unfinishedPost(t, session);
  const firstClosed = once(first, 'close');
  checkResponse(await session.post('42["echo",2]'), EMPTY(400));
  await checkOutcome(session, CLOSED);
  first.resume();
  await firstClosed;
});

beside('session: a payload that breaks off', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  await session.connect();
  (await unfinishedPost(t, session)).destroy();
  await checkOutcome(session, CLOSED);
});

// The two requests come over connections of their own, so the poll may be the second one.
const GOODBYES = ['1', '6\x1e1'];

beside('session: the poll that waits is told of a bad payload', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  await session.connect();
  const pending = session.get();
  checkResponse(await session.post('x'), OK);
  const goodbye = await pending;
  assert.equal(goodbye.status, 200);
  assert.ok(GOODBYES.includes(goodbye.body), goodbye.body);
  await checkOutcome(session, CLOSED);
});

beside('session: the poll that waits is told of a bad Socket.IO packet', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  await session.connect();
  const pending = session.get();
  checkResponse(await session.post('4x'), OK);
  const goodbye = await pending;
  assert.equal(goodbye.status, 200);
  assert.ok(GOODBYES.includes(goodbye.body), goodbye.body);
  await checkOutcome(session, CLOSED);
});

beside('session: polls and payloads are refused after the upgrade', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  await session.connect();
  const ws = await RawWebSocket.open(suite.port, `${PATH}?EIO=4&transport=websocket&sid=${session.sid}`);
  t.after(() => ws.destroy());
  ws.send('2probe');
  assert.equal((await ws.next()).payload.toString(), '3probe');
  ws.send('5');
  ws.send('42["echo","up"]');
  assert.equal((await ws.next()).payload.toString(), echoOf('up'));
  checkResponse(await session.get(), refusal(3));
  checkResponse(await session.post('42["echo",1]'), refusal(3));
  checkResponse(await withoutBody('PUT')(session), refusal(3));
  ws.send('42["echo","still"]');
  assert.equal((await ws.next()).payload.toString(), echoOf('still'));
});
