// The official client of version 2, which speaks revision 3 of Engine.IO.

import assert from 'node:assert/strict';
import io from 'socket.io-client-v2';
import { connectClient, transportOptions } from '../lib/client.js';
import { eventually, once, within } from '../lib/deadline.js';
import { TRANSPORTS, scenario, suiteServer } from '../lib/harness.js';

const suite = suiteServer();

/** A client of version 2, not yet awaited, with an inbox of the events that the tests ask for. */
function create(t, transport, nsp = '/', options = {}) {
  const socket = io(`${suite.url}${nsp}`, { forceNew: true, reconnection: false, ...transportOptions(transport), ...options });
  t.after(() => socket.io.close());
  // This version has no catch-all: its own dispatcher is the place to listen.
  const inbox = [];
  const waiting = [];
  const onevent = socket.onevent;
  socket.onevent = function (packet) {
    const [event, ...args] = packet.data;
    const index = waiting.findIndex((item) => item.event === event);
    if (index >= 0) waiting.splice(index, 1)[0].resolve(args);
    else inbox.push({ event, args });
    return onevent.call(this, packet);
  };
  socket.event = (event) => {
    const index = inbox.findIndex((item) => item.event === event);
    if (index >= 0) return Promise.resolve(inbox.splice(index, 1)[0].args);
    return within(new Promise((resolve) => waiting.push({ event, resolve })), `event "${event}"`);
  };
  socket.ask = (event, ...args) =>
    within(new Promise((resolve) => socket.emit(event, ...args, (...answer) => resolve(answer))), `acknowledgement of "${event}"`);
  socket.upgraded = new Promise((resolve) => socket.io.engine.once('upgrade', resolve));
  return socket;
}

async function connect(t, transport, nsp, options) {
  const socket = create(t, transport, nsp, options);
  await once(socket, 'connect');
  if (transport === 'upgrade') await within(socket.upgraded, 'upgrade');
  return socket;
}

function overTransports(sentence, run) {
  for (const transport of TRANSPORTS) {
    scenario(`version 2: ${sentence} (${transport})`, (t) => run(t, transport, (nsp, options) => connect(t, transport, nsp, options)));
  }
}

overTransports('a client is welcomed with revision 3 and the id of its session', async (t, transport, connect) => {
  const socket = await connect();
  const [welcome] = await socket.event('welcome');
  assert.equal(welcome.nsp, '/');
  assert.equal(welcome.eio, 3);
  assert.equal(welcome.sid, socket.id);
  assert.equal(socket.id, socket.io.engine.id);
});

overTransports('a namespace has an id made of its name and the session', async (t, transport, connect) => {
  const socket = await connect('/chat');
  const [welcome] = await socket.event('welcome');
  assert.equal(welcome.nsp, '/chat');
  assert.equal(welcome.sid, `/chat#${socket.io.engine.id}`);
  assert.equal(socket.id, welcome.sid);
});

overTransports('text of every kind is echoed', async (t, transport, connect) => {
  const socket = await connect();
  for (const args of [[], [null], [1, -1.5, true], ['', 'grüße', '你好', '🦀 crab 👩‍👩‍👧'], [{ a: [{ b: null }] }, []], ['x'.repeat(100_000)], ['ü🦀'.repeat(20_000)]]) {
    socket.emit('echo', ...args);
    assert.deepEqual(await socket.event('echo-back'), args);
    assert.deepEqual(await socket.ask('echo-ack', ...args), args);
  }
});

overTransports('binary is echoed', async (t, transport, connect) => {
  const socket = await connect();
  const data = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  for (const args of [[data], [Buffer.alloc(0)], ['ü🦀', data, { nested: [data, 'x'] }], [Buffer.alloc(100_000, 7)]]) {
    socket.emit('echo', ...args);
    assert.deepEqual(await socket.event('echo-back'), args);
    assert.deepEqual(await socket.ask('echo-ack', ...args), args);
  }
});

overTransports('text and binary in turns keep their order', async (t, transport, connect) => {
  const socket = await connect();
  const expected = Array.from({ length: 50 }, (_, i) => (i % 3 ? [i, 'ü🦀'] : [i, Buffer.alloc(i, i)]));
  for (const args of expected) socket.emit('echo', ...args);
  for (const args of expected) assert.deepEqual(await socket.event('echo-back'), args);
});

overTransports('the server asks and the client answers', async (t, transport, connect) => {
  const socket = await connect();
  socket.on('question', (...args) => {
    if (args[0] !== 'timeout') args.pop()(...args, 'seen');
  });
  socket.emit('ask', 1, Buffer.from('x'));
  assert.deepEqual(await socket.event('answer'), [1, Buffer.from('x'), 'seen']);
  socket.emit('ask-timeout', 100);
  assert.deepEqual(await socket.event('answer-timeout'), []);
});

overTransports('an unknown namespace is refused', async (t, transport) => {
  const [error] = await once(create(t, transport, '/unknown'), 'error');
  assert.equal(error.message ?? error, 'Invalid namespace');
});

overTransports('a refusal is the data of the error', async (t, transport) => {
  const [error] = await once(create(t, transport, '/deny'), 'error');
  assert.deepEqual(error, { code: 4031, reason: 'nope', list: [1, 2] });
});

overTransports('the query of a namespace is its auth payload', async (t, transport, connect) => {
  const socket = await connect('/auth?token=secret');
  const [who] = await socket.ask('whoami');
  assert.equal(who.nsp, '/auth');
  assert.equal(who.auth.token, 'secret');
  const [error] = await once(create(t, transport, '/auth?token=guess'), 'error');
  assert.deepEqual(error, { code: 401 });
});

overTransports('several namespaces share a connection', async (t, transport, connect) => {
  const root = await connect();
  const chat = root.io.socket('/chat');
  await once(chat, 'connect');
  const answer = await within(new Promise((resolve) => chat.emit('echo-ack', 'chat', resolve)), 'answer');
  assert.equal(answer, 'chat');
  chat.disconnect();
  assert.deepEqual(await root.ask('echo-ack', 'root'), ['root']);
});

overTransports('broadcasts reach versions 2 and 4 alike', async (t, transport, connect) => {
  const [old, current] = await Promise.all([connect('/dyn-2'), connectClient(t, suite.url, { transport, nsp: '/dyn-2' })]);
  const message = ['grüße 🦀', { data: Buffer.from([1, 2, 3]) }];
  const target = { scope: 'socket', rooms: [], except: [], ev: 'news', args: message };
  old.emit('emit-to', target);
  assert.deepEqual(await current.event('news'), message);
  current.emit('emit-to', target);
  assert.deepEqual(await old.event('news'), message);
  current.emit('emit-to', { ...target, rooms: [old.id] });
  assert.deepEqual(await old.event('news'), message);
});

overTransports('both sides name the reason of a disconnection', async (t, transport, connect) => {
  const watcher = await connectClient(t, suite.url);
  const reasonOf = (sid) => eventually(async () => (await watcher.ask('reason', sid))[0], 'reason on the server');
  const cases = [
    [(socket) => socket.disconnect(), 'io client disconnect', ['client namespace disconnect']],
    [(socket) => socket.emit('disconnect-me', false), 'io server disconnect', ['server namespace disconnect']],
    [(socket) => socket.emit('disconnect-me', true), 'io server disconnect', ['server namespace disconnect']],
    [(socket) => socket.io.engine.close(), 'forced close', ['transport close']],
  ];
  for (const [act, clientWord, serverWords] of cases) {
    const socket = await connect();
    const { id } = socket;
    const ended = once(socket, 'disconnect');
    act(socket);
    assert.deepEqual(await ended, [clientWord]);
    assert.ok(serverWords.includes(await reasonOf(id)));
  }
});

overTransports('the client’s heartbeats are answered', async (t, transport, connect) => {
  const socket = await connect();
  await once(socket.io, 'pong');
  await once(socket.io, 'pong');
  assert.deepEqual(await socket.ask('echo-ack', 'alive'), ['alive']);
});

overTransports('2000 events each way arrive in order during the upgrade', async (t, transport) => {
  const socket = create(t, transport);
  await once(socket, 'connect');
  socket.emit('burst', 2000);
  for (let i = 0; i < 2000; i++) socket.emit('seq-in', i);
  assert.deepEqual(await socket.ask('seq-report'), [{ count: 2000, ordered: true }]);
  for (let i = 0; i < 2000; i++) assert.deepEqual(await socket.event('seq'), [i]);
  assert.deepEqual(await socket.event('seq-done'), [2000]);
  if (transport === 'upgrade') await within(socket.upgraded, 'upgrade');
});
