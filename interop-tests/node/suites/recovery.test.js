// Connection state recovery: a client whose connection broke gets id, rooms and missed events back.

import assert from 'node:assert/strict';
import * as parser from 'socket.io-msgpack-parser';
import { eventually, once } from '../lib/deadline.js';
import { overTransports, scenario, suiteServer } from '../lib/harness.js';
import { WebSocketSession } from '../lib/raw.js';
import { isReference } from '../lib/server.js';

const suites = {
  JSON: { suite: suiteServer({ env: { CSR: '1' } }), options: {} },
  MessagePack: { suite: suiteServer({ env: { CSR: '1', PARSER: 'msgpack' } }), options: { parser } },
};
const RECONNECTION = { reconnection: true, reconnectionDelay: 400, reconnectionDelayMax: 400, randomizationFactor: 0 };

const emitTo = (sender, rooms, except, ...args) => sender.emit('emit-to', { scope: 'socket', rooms, except, ev: 'news', args });

/** Breaks the connection the way a network does: without a word to the server, if the transport allows. */
function breakConnection(client) {
  const ended = once(client.socket, 'disconnect');
  if (client.engine.transport.ws) client.engine.transport.ws.terminate();
  else client.engine.transport.onError('the network is down');
  return ended;
}

/** The arguments of every `news` that was not taken, without the offsets. */
const news = (client) => client.received('news').map((args) => args.slice(0, -1));

for (const [format, { suite, options }] of Object.entries(suites)) {
  overTransports(suite, `id, rooms and missed events are recovered in order (${format})`, async ({ connect }) => {
    const nsp = '/dyn-1';
    const watcher = await connect({ nsp, ...options });
    const client = await connect({ nsp, ...options, ...RECONNECTION });
    const id = client.id;
    assert.equal(client.socket.recovered, false);
    await client.ask('join', 'x');
    await client.ask('join', 'muted');
    emitTo(watcher, ['x'], [], 'before');
    assert.deepEqual((await client.event('news'))[0], 'before');

    await breakConnection(client);
    const back = once(client.socket, 'connect');
    for (let i = 0; i < 3; i++) emitTo(watcher, ['x'], [], i, Buffer.from([i]));
    emitTo(watcher, ['elsewhere'], [], 'not for you');
    emitTo(watcher, [], [], 'for all', { nested: [Buffer.from('all')] });
    emitTo(watcher, ['x'], ['muted'], 'not for you');
    emitTo(watcher, [], [id], 'not for you');
    emitTo(watcher, [id], [], 'for you alone');
    emitTo(watcher, ['x', 'muted', id], [], 'once');
    await watcher.flush();
    await back;
    await client.flush();

    assert.equal(client.socket.recovered, true);
    assert.equal(client.id, id);
    assert.deepEqual(await client.ask('rooms'), [['muted', 'x']]);
    const direct = [0, 1, 2].map((i) => [i, Buffer.from([i])]);
    assert.deepEqual(news(client), [...direct, ['for all', { nested: [Buffer.from('all')] }], ['for you alone'], ['once']]);
  });

  overTransports(suite, `a client can come back again and again (${format})`, async ({ connect }) => {
    const watcher = await connect(options);
    const client = await connect({ ...options, ...RECONNECTION });
    // A client without an offset has nothing to come back with.
    await client.event('welcome');
    const id = client.id;
    for (let round = 0; round < 3; round++) {
      const ended = breakConnection(client);
      const back = once(client.socket, 'connect');
      await ended;
      emitTo(watcher, [id], [], round);
      await back;
      assert.equal(client.socket.recovered, true);
      assert.equal(client.id, id);
      emitTo(watcher, [id], [], `and ${round}`);
      await watcher.flush();
      await client.flush();
    }
    assert.deepEqual(news(client), [[0], ['and 0'], [1], ['and 1'], [2], ['and 2']]);
  });

  overTransports(suite, `questions to a room are not recovered (${format})`, async ({ connect }) => {
    const watcher = await connect(options);
    const client = await connect(options);
    await client.ask('join', 'asked');
    await client.event('welcome');
    await breakConnection(client);
    // Whether the server has noticed by now that the client is away is open.
    assert.deepEqual((await watcher.ask('ask-room', 'asked', 100, 'anybody?'))[0].responses, []);
    const back = once(client.socket, 'connect');
    client.socket.connect();
    await back;
    assert.equal(client.socket.recovered, true);
    await client.flush();
    assert.deepEqual(client.received('question'), []);
  });

  overTransports(suite, `a client that left is not recovered (${format})`, async ({ connect }) => {
    const client = await connect({ ...options, ...RECONNECTION });
    await client.event('welcome');
    const id = client.id;
    client.socket.disconnect();
    await client.disconnected();
    const back = once(client.socket, 'connect');
    client.socket.connect();
    await back;
    assert.equal(client.socket.recovered, false);
    assert.notEqual(client.id, id);
  });

  overTransports(suite, `a client that the server disconnected is not recovered (${format})`, async ({ connect }) => {
    const client = await connect({ ...options, ...RECONNECTION });
    await client.event('welcome');
    const id = client.id;
    client.emit('disconnect-me', false);
    await client.disconnected();
    const back = once(client.socket, 'connect');
    client.socket.connect();
    await back;
    assert.equal(client.socket.recovered, false);
    assert.notEqual(client.id, id);
  });

  overTransports(suite, `a server that knows nothing of the session gives a new one (${format})`, async ({ connect }) => {
    const client = await connect({ ...options, ...RECONNECTION });
    const id = client.id;
    await client.event('welcome');
    await suite.process.kill();
    await client.disconnected();
    const back = once(client.socket, 'connect');
    await suite.process.restart();
    await back;
    assert.equal(client.socket.recovered, false);
    assert.notEqual(client.id, id);
    await client.flush();
  });
}

// On the wire.

const { suite } = suites.JSON;
const CONFIRMATION = /^40\{"sid":"[\w-]{20}","pid":"[\w-]{20,}"\}$/;

/** Joins; with a claim as one who was here before. The packets up to the confirmation are returned, too. */
async function join(t, claim) {
  const session = await WebSocketSession.open(t, suite.port);
  await session.send(claim ? `40${JSON.stringify(claim)}` : '40');
  const before = [];
  for (;;) {
    const packet = await session.packet();
    if (!packet.startsWith('40')) {
      before.push(packet);
      continue;
    }
    assert.match(packet, CONFIRMATION);
    const ids = JSON.parse(packet.slice(2));
    const welcome = JSON.parse((await session.packet()).slice(2));
    return { session, before, ...ids, offset: welcome.at(-1) };
  }
}

scenario('missed events come before the confirmation, and what the handler emits behind it', async (t) => {
  const first = await join(t);
  const watcher = await join(t);
  first.session.ws.destroy();
  await eventually(async () => {
    await watcher.session.send('420["count"]');
    const answer = await watcher.session.packet();
    return answer === '430[1]';
  }, 'the end of the connection');
  await watcher.session.send(`42["emit-to",{"scope":"socket","rooms":["${first.sid}"],"except":[],"ev":"missed","args":[1]}]`);
  await watcher.session.send('420["echo-ack"]');
  assert.equal(await watcher.session.packet(), '430[]');
  const again = await join(t, { pid: first.pid, offset: first.offset });
  assert.deepEqual([again.sid, again.pid], [first.sid, first.pid]);
  assert.equal(again.before.length, 1);
  const [event, value, offset] = JSON.parse(again.before[0].slice(2));
  assert.deepEqual([event, value, typeof offset], ['missed', 1, 'string']);
  assert.notEqual(offset, first.offset);
  assert.notEqual(offset, again.offset);
});

scenario('a wrong private id or a wrong offset gives a new session', async (t) => {
  for (const change of [
    { pid: 'unknown' },
    { offset: 'unknown' },
    { pid: undefined },
    { offset: undefined },
    { pid: 1 },
    { offset: [] },
    { offset: (offset) => `${offset}A` },
    { pid: (pid, sid) => sid },
  ]) {
    const first = await join(t);
    first.session.ws.destroy();
    const claim = { pid: first.pid, offset: first.offset };
    for (const [key, value] of Object.entries(change)) claim[key] = typeof value === 'function' ? value(claim[key], first.sid) : value;
    const again = await join(t, claim);
    assert.deepEqual(again.before, []);
    assert.notEqual(again.sid, first.sid);
    assert.notEqual(again.pid, first.pid);
  }
});

scenario('a session whose old connection lives goes to the new one', async (t) => {
  const old = await join(t);
  const again = await join(t, { pid: old.pid, offset: old.offset });
  if (isReference) {
    // It has given the session away only when the connection is lost.
    assert.notEqual(again.sid, old.sid);
    return;
  }
  assert.deepEqual([again.sid, again.pid], [old.sid, old.pid]);
  await old.session.closed();
  await again.session.send('420["rooms"]');
  // The welcome was under way to the old connection; the offset says that it arrived.
  assert.equal(await again.session.packet(), '430[[]]');
});

scenario('a session is given back once', async (t) => {
  const watcher = await join(t);
  const first = await join(t);
  first.session.ws.destroy();
  await eventually(async () => {
    await watcher.session.send('420["count"]');
    return (await watcher.session.packet()) === '430[1]';
  }, 'the end of the connection');
  const claim = { pid: first.pid, offset: first.offset };
  const again = await join(t, claim);
  assert.equal(again.sid, first.sid);
  await again.session.send('41');
  const third = await join(t, claim);
  // The reference gives it to everybody who asks.
  assert.equal(third.sid === first.sid, isReference);
});
