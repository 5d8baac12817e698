// Connecting: the welcome, the shape of ids, what the server knows of its client, the heartbeat.

import assert from 'node:assert/strict';
import { Socket as EngineSocket } from 'engine.io-client';
import { eventually, once } from '../lib/deadline.js';
import { overTransports, scenario, suiteServer } from '../lib/harness.js';
import { transportOptions } from '../lib/client.js';

const suite = suiteServer();
let countedNamespaces = 0;
const ID_SHAPE = /^[A-Za-z0-9_-]{20}$/;

overTransports(suite, 'a client is welcomed with its id, namespace, transport and revision', async ({ transport, connect }) => {
  const client = await connect();
  const [welcome] = await client.event('welcome');
  assert.deepEqual(welcome, {
    nsp: '/',
    sid: client.id,
    transport: transport === 'websocket' ? 'websocket' : 'polling',
    eio: 4,
  });
});

overTransports(suite, 'socket ids and session ids have the reference shape and differ', async ({ connect }) => {
  const client = await connect();
  assert.match(client.id, ID_SHAPE);
  assert.match(client.engine.id, ID_SHAPE);
  assert.notEqual(client.id, client.engine.id);
});

overTransports(suite, 'each namespace of a connection has an id of its own', async ({ connect }) => {
  const client = await connect();
  const chat = await client.open('/chat').connected();
  assert.match(chat.id, ID_SHAPE);
  assert.notEqual(chat.id, client.id);
  assert.equal((await chat.event('welcome'))[0].sid, chat.id);
});

overTransports(suite, 'the handshake announces the options of the server', async ({ t, transport }) => {
  const engine = new EngineSocket(suite.url, { path: '/socket.io/', ...transportOptions(transport) });
  t.after(() => engine.close());
  const [handshake] = await once(engine, 'handshake');
  assert.match(handshake.sid, ID_SHAPE);
  assert.deepEqual(handshake, {
    sid: handshake.sid,
    upgrades: transport === 'websocket' ? [] : ['websocket'],
    pingInterval: 1000,
    pingTimeout: 4000,
    maxPayload: 1_000_000,
  });
});

scenario('a client that offers subprotocols gets the first of them', async (t) => {
  // Clients give the connection up when none is chosen.
  const engine = new EngineSocket(suite.url, { path: '/socket.io/', ...transportOptions('websocket'), protocols: ['v2.chat', 'v1.chat'] });
  t.after(() => engine.close());
  await once(engine, 'open');
  assert.equal(engine.transport.ws.protocol, 'v2.chat');
});

overTransports(suite, 'the server knows header, query, auth payload and present transport', async ({ transport, connect }) => {
  const query = { plain: 'value', 'two words': 'a+b & c=d', empty: '', grüße: 'süß 🦀' };
  const auth = { user: 'ada', nested: { list: [1, 'two', null] } };
  const client = await connect({ query, auth, extraHeaders: { 'X-Test': 'from a header' } });
  const [who] = await client.ask('whoami');
  assert.equal(who.sid, client.id);
  assert.equal(who.nsp, '/');
  assert.deepEqual(who.auth, auth);
  assert.equal(who.xtest, 'from a header');
  assert.equal(who.transport, transport === 'polling' ? 'polling' : 'websocket');
  assert.equal(who.eio, 4);
  for (const [key, value] of Object.entries(query)) assert.equal(who.query[key], value);
  assert.equal(who.query.EIO, '4');
  assert.equal(who.query.transport, transport === 'websocket' ? 'websocket' : 'polling');
});

overTransports(suite, 'without header and auth payload the server sees null and an empty object', async ({ connect }) => {
  const client = await connect();
  const [who] = await client.ask('whoami');
  assert.equal(who.xtest, null);
  assert.deepEqual(who.auth, {});
});

overTransports(suite, 'a namespace opened later sees the handshake of the connection and its own auth', async ({ connect }) => {
  const client = await connect({ query: { who: 'first' }, auth: { n: 1 } });
  const chat = await client.open('/chat', { n: 2 }).connected();
  const [who] = await chat.ask('whoami');
  assert.equal(who.query.who, 'first');
  assert.deepEqual(who.auth, { n: 2 });
  assert.equal(who.nsp, '/chat');
});

overTransports(suite, 'the number of sockets of a namespace follows its clients', async ({ connect }) => {
  const nsp = `/dyn-${++countedNamespaces}`;
  const first = await connect({ nsp });
  assert.deepEqual(await first.ask('count'), [1]);
  const second = await connect({ nsp });
  assert.deepEqual(await first.ask('count'), [2]);
  second.socket.disconnect();
  await eventually(async () => (await first.ask('count'))[0] === 1, 'count of 1');
});

overTransports(suite, 'the server sends heartbeats', async ({ connect }) => {
  const client = await connect();
  await client.engineEvent('ping');
  await client.engineEvent('ping');
  await client.flush();
});

overTransports(suite, 'a connection without CONNECT is closed after the connect timeout', async ({ t, transport }) => {
  const started = Date.now();
  const engine = new EngineSocket(suite.url, { path: '/socket.io/', ...transportOptions(transport) });
  t.after(() => engine.close());
  const closed = once(engine, 'close');
  await once(engine, 'open');
  const [reason] = await closed;
  const elapsed = Date.now() - started;
  assert.equal(reason, 'transport close');
  assert.ok(elapsed > 1950, `closed after ${elapsed} ms`);
});

scenario('a refused namespace alone does not stop the connect timeout', async (t) => {
  const engine = new EngineSocket(suite.url, { path: '/socket.io/', transports: ['websocket'] });
  t.after(() => engine.close());
  await once(engine, 'open');
  engine.send('0/nope,');
  const [packet] = await once(engine, 'message');
  assert.equal(packet, '4/nope,{"message":"Invalid namespace"}');
  await once(engine, 'close');
});
