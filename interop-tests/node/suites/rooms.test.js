// Rooms and broadcasts: who receives, who does not, and that each receives once.

import assert from 'node:assert/strict';
import { overTransports, suiteServer } from '../lib/harness.js';

const suite = suiteServer();
let namespaces = 0;

/** Four clients that are alone in a namespace: a in x, b in y, c in x and y, d in no room. */
async function crowd(connect) {
  const nsp = `/dyn-${++namespaces}`;
  const [a, b, c, d] = await Promise.all([1, 2, 3, 4].map(() => connect({ nsp })));
  await Promise.all([a.ask('join', 'x'), b.ask('join', 'y'), c.ask('join', 'x'), c.ask('join', 'y')]);
  return { a, b, c, d };
}

/** What each of the clients received of `news`, after everything sent so far has arrived. */
async function news(clients) {
  const result = {};
  for (const [name, client] of Object.entries(clients)) {
    await client.flush();
    const items = client.received('news');
    if (items.length > 0) result[name] = items;
    client.inbox = [];
  }
  return result;
}

async function emitTo(sender, { scope = 'io', rooms = [], except = [], args = ['n'] }) {
  sender.emit('emit-to', { scope, rooms, except, ev: 'news', args });
  await sender.flush();
}

overTransports(suite, 'a socket knows the rooms that it joined and left', async ({ connect }) => {
  const client = await connect();
  assert.deepEqual(await client.ask('rooms'), [[]]);
  assert.deepEqual(await client.ask('join', 'b'), ['ok']);
  assert.deepEqual(await client.ask('join', 'a'), ['ok']);
  assert.deepEqual(await client.ask('join', 'a'), ['ok']);
  assert.deepEqual(await client.ask('join', 'ünï 🦀'), ['ok']);
  assert.deepEqual(await client.ask('join', ''), ['ok']);
  assert.deepEqual(await client.ask('rooms'), [['', 'a', 'b', 'ünï 🦀']]);
  assert.deepEqual(await client.ask('leave', 'a'), ['ok']);
  assert.deepEqual(await client.ask('leave', 'never joined'), ['ok']);
  assert.deepEqual(await client.ask('rooms'), [['', 'b', 'ünï 🦀']]);
});

const ONE = [['n']];
const CASES = [
  ['everybody', { sender: 'a' }, ['a', 'b', 'c', 'd']],
  ['everybody but the sender', { sender: 'a', scope: 'socket' }, ['b', 'c', 'd']],
  ['a room', { sender: 'd', rooms: ['x'] }, ['a', 'c']],
  ['a room with the sender in it', { sender: 'a', rooms: ['x'] }, ['a', 'c']],
  ['a room without the sender', { sender: 'a', scope: 'socket', rooms: ['x'] }, ['c']],
  ['two rooms, each socket once', { sender: 'd', rooms: ['x', 'y'] }, ['a', 'b', 'c']],
  ['two rooms without the sender', { sender: 'c', scope: 'socket', rooms: ['x', 'y'] }, ['a', 'b']],
  ['the same room twice', { sender: 'd', rooms: ['x', 'x'] }, ['a', 'c']],
  ['a room except another', { sender: 'd', rooms: ['x'], except: ['y'] }, ['a']],
  ['all except a room', { sender: 'd', except: ['x'] }, ['b', 'd']],
  ['all except two rooms', { sender: 'a', except: ['x', 'y'] }, ['d']],
  ['all except a room and the sender', { sender: 'd', scope: 'socket', except: ['x'] }, ['b']],
  ['a room except itself', { sender: 'a', rooms: ['x'], except: ['x'] }, []],
  ['an empty room', { sender: 'a', rooms: ['nobody'] }, []],
  ['an empty room and a full one', { sender: 'a', rooms: ['nobody', 'y'] }, ['b', 'c']],
];

for (const [sentence, { sender, ...target }, receivers] of CASES) {
  overTransports(suite, `a broadcast reaches ${sentence}`, async ({ connect }) => {
    const clients = await crowd(connect);
    await emitTo(clients[sender], target);
    assert.deepEqual(await news(clients), Object.fromEntries(receivers.map((name) => [name, ONE])));
  });
}

overTransports(suite, 'the id of a socket is a room', async ({ connect }) => {
  const clients = await crowd(connect);
  const { a, b, c } = clients;
  await emitTo(a, { rooms: [b.id] });
  assert.deepEqual(await news(clients), { b: ONE });
  await emitTo(a, { rooms: [a.id] });
  assert.deepEqual(await news(clients), { a: ONE });
  await emitTo(a, { scope: 'socket', rooms: [a.id] });
  assert.deepEqual(await news(clients), {});
  await emitTo(a, { except: [b.id, c.id] });
  assert.deepEqual(await news(clients), { a: ONE, d: ONE });
  await emitTo(a, { rooms: ['x', c.id], except: [a.id] });
  assert.deepEqual(await news(clients), { c: ONE });
});

overTransports(suite, 'broadcasts carry every kind of argument', async ({ connect }) => {
  const clients = await crowd(connect);
  const args = [null, 1.5, 'text 🦀', [], { deep: [Buffer.from([1, 2, 3])] }, Buffer.alloc(0)];
  await emitTo(clients.a, { rooms: ['y'], args });
  assert.deepEqual(await news(clients), { b: [args], c: [args] });
  await emitTo(clients.a, { rooms: ['y'], args: [] });
  assert.deepEqual(await news(clients), { b: [[]], c: [[]] });
});

overTransports(suite, 'broadcasts keep their order', async ({ connect }) => {
  const clients = await crowd(connect);
  for (let i = 0; i < 100; i++) {
    clients.a.emit('emit-to', { scope: 'io', rooms: i % 2 ? ['x'] : [], except: [], ev: 'news', args: [i] });
  }
  await clients.a.flush();
  const got = await news(clients);
  const all = Array.from({ length: 100 }, (_, i) => [i]);
  assert.deepEqual(got.a, all);
  assert.deepEqual(got.c, all);
  assert.deepEqual(got.d, all.filter(([i]) => i % 2 === 0));
});

overTransports(suite, 'a room ends with the leaving and with the disconnection of its sockets', async ({ connect }) => {
  const clients = await crowd(connect);
  const { a, b, c, d } = clients;
  await c.ask('leave', 'x');
  await emitTo(d, { rooms: ['x'] });
  assert.deepEqual(await news(clients), { a: ONE });
  a.emit('disconnect-me', false);
  await a.disconnected();
  await emitTo(d, { rooms: ['x'] });
  assert.deepEqual(await news({ b, c, d }), {});
});

overTransports(suite, 'rooms of the same name in other namespaces are other rooms', async ({ connect }) => {
  const one = await connect({ nsp: '/dyn-1001' });
  const two = await one.open('/dyn-1002').connected();
  await one.ask('join', 'shared');
  await two.ask('join', 'shared');
  await emitTo(one, { rooms: ['shared'] });
  assert.deepEqual(await news({ one, two }), { one: ONE });
  await emitTo(two, {});
  assert.deepEqual(await news({ one, two }), { two: ONE });
});

const answerWith = (client, ...answer) => client.socket.on('question', (value, ack) => ack(...answer, value));

overTransports(suite, 'a question to a room gathers all answers at once', async ({ connect }) => {
  const { a, b, c, d } = await crowd(connect);
  answerWith(a, 'from a');
  answerWith(c, { binary: Buffer.from('c') });
  for (const other of [b, d]) answerWith(other, 'not asked');
  const [{ err, responses }] = await d.ask('ask-room', 'x', 6000, 'how are you?');
  assert.equal(err, false);
  assert.equal(responses.length, 2);
  assert.ok(responses.includes('from a'));
  assert.deepEqual(responses.find((answer) => answer !== 'from a'), { binary: Buffer.from('c') });
});

overTransports(suite, 'a question to a room includes the sender and asks a socket once', async ({ connect }) => {
  const { a, c } = await crowd(connect);
  let asked = 0;
  for (const client of [a, c]) {
    client.socket.on('question', (value, ack) => {
      asked++;
      ack(value);
    });
  }
  assert.deepEqual(await a.ask('ask-room', 'x', 6000, { v: 1 }), [{ err: false, responses: [{ v: 1 }, { v: 1 }] }]);
  assert.equal(asked, 2);
});

overTransports(suite, 'a question to an empty room is answered at once by nobody', async ({ connect }) => {
  const { a } = await crowd(connect);
  assert.deepEqual(await a.ask('ask-room', 'nobody', 6000, 1), [{ err: false, responses: [] }]);
});

overTransports(suite, 'a question that some do not answer gives an error and the partial answers', async ({ connect }) => {
  const { a, d } = await crowd(connect);
  answerWith(a, 'only me');
  assert.deepEqual(await d.ask('ask-room', 'x', 300, 1), [{ err: true, responses: ['only me'] }]);
});

overTransports(suite, 'a question that nobody answers gives an error and no answer', async ({ connect }) => {
  const { d } = await crowd(connect);
  assert.deepEqual(await d.ask('ask-room', 'y', 200, 1), [{ err: true, responses: [] }]);
});

overTransports(suite, 'an answer without arguments counts', async ({ connect }) => {
  const { a, b } = await crowd(connect);
  b.socket.on('question', (value, ack) => ack());
  await b.ask('join', 'answers nothing');
  const [{ err, responses }] = await a.ask('ask-room', 'answers nothing', 6000, 1);
  assert.equal(err, false);
  assert.deepEqual(responses, [null]);
});
