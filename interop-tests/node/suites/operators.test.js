// Sockets that are found and told what to do, handlers that come and go, room events, volatile events.

import assert from 'node:assert/strict';
import * as msgpack from 'socket.io-msgpack-parser';
import { overTransports, suiteServer } from '../lib/harness.js';

const json = suiteServer({ program: 'feature_server', mode: 'operators' });
const packed = suiteServer({ program: 'feature_server', mode: 'operators', env: { PARSER: 'msgpack' } });
const parser = msgpack.default ?? msgpack;

/** The same test with each parser. */
function withParsers(sentence, run) {
  overTransports(json, sentence, run);
  overTransports(packed, `${sentence}, in MessagePack`, ({ connect, ...rest }) => {
    return run({ ...rest, connect: (options = {}) => connect({ parser, ...options }) });
  });
}

const byId = (a, b) => (a.id < b.id ? -1 : 1);

withParsers('sockets are found with their rooms, their data and their handshake', async ({ connect, transport }) => {
  const [a, b, c] = await Promise.all([1, 2, 3].map(() => connect()));
  const room = `room of ${a.id}`;
  await a.ask('name', 'Ann');
  await a.ask('sockets-join', { rooms: [a.id, b.id] }, [room]);
  const described = ({ id }, rooms, name = null) => ({
    id,
    rooms: [id, ...rooms].sort(),
    data: { name },
    transport: transport === 'websocket' ? 'websocket' : 'polling',
  });
  const [found] = await c.ask('find', { rooms: [room] });
  assert.deepEqual(found.sort(byId), [described(a, [room], 'Ann'), described(b, [room])].sort(byId));
  const [others] = await c.ask('find', { rooms: [room, c.id], except: [a.id] });
  assert.deepEqual(others.sort(byId), [described(b, [room]), described(c, [])].sort(byId));
  assert.deepEqual(await c.ask('find', { rooms: ['nobody'] }), [[]]);
  await b.ask('sockets-leave', { rooms: [room], except: [b.id] }, [room, 'never joined']);
  assert.deepEqual(await c.ask('find', { rooms: [room] }), [[described(b, [room])]]);
});

withParsers('sockets are disconnected by room, with their connection or without', async ({ connect }) => {
  const [a, b, c] = await Promise.all([1, 2, 3].map(() => connect()));
  const [besideB, besideC] = await Promise.all([b, c].map((client) => client.open('/other').connected()));
  const room = `doomed of ${a.id}`;
  await a.ask('sockets-join', { rooms: [b.id, c.id] }, [room]);
  a.emit('sockets-disconnect', { rooms: [room], except: [c.id] }, false);
  assert.equal(await b.disconnected(), 'io server disconnect');
  assert.ok(besideB.socket.connected);
  a.emit('sockets-disconnect', { rooms: [room] }, true);
  assert.equal(await c.disconnected(), 'io server disconnect');
  assert.equal(await besideC.disconnected(), 'io server disconnect');
  assert.ok(besideB.socket.connected);
  assert.deepEqual(await a.ask('find', { rooms: [room] }), [[]]);
});

withParsers('a socket that was found is asked', async ({ connect }) => {
  const [a, b] = await Promise.all([1, 2].map(() => connect()));
  b.socket.on('question', (value, ack) => ack({ answer: value }, 'ignored'));
  assert.deepEqual(await a.ask('ask-one', b.id, Buffer.from([1, 2])), [{ answer: Buffer.from([1, 2]) }]);
});

withParsers('a socket is told of what is sent to it', async ({ connect }) => {
  const [a, b] = await Promise.all([1, 2].map(() => connect()));
  await a.ask('watch-outgoing');
  const args = [1, { text: 'пойду 🦀', data: Buffer.from([1, 2]) }, null];
  await a.ask('send-me', ...args);
  assert.deepEqual(await a.event('sent'), args);
  // Tests that run at the same time send to everybody, too.
  const [told] = await a.ask('outgoing');
  const mine = told.filter(([, , value]) => value?.text === 'пойду 🦀');
  assert.deepEqual(mine, [['sent', ...args], ['sent-all', ...args]]);
  await b.ask('send-me', 'from b', a.id);
  const [more] = await a.ask('outgoing');
  assert.deepEqual(more.filter(([, , id]) => id === a.id), [['sent-all', 'from b', a.id]]);
  await a.ask('ignore-outgoing');
  await a.ask('send-me', 1);
  assert.deepEqual(await a.ask('outgoing'), [[]]);
});

withParsers('of two volatile events in a row the first is sent whole and the second is dropped', async ({ connect }) => {
  const client = await connect();
  const data = Buffer.alloc(1000, 7);
  // Over polling, no request may wait at the moment; then both are dropped.
  for (let tries = 0; ; tries++) {
    assert.ok(tries < 100, 'every volatile event was dropped');
    client.emit('volatile-pair', data);
    await client.event('v-done');
    const sent = client.received('v');
    if (sent.length === 0) continue;
    assert.deepEqual(sent, [[1, data, data]]);
    break;
  }
});

withParsers('handlers of a socket come and go', async ({ connect }) => {
  const [a, b] = await Promise.all([1, 2].map(() => connect()));
  const answered = [];
  const tell = (client, event, n) => client.socket.emit(event, n, (answer) => answered.push(answer));
  tell(a, 'x', 'too early');
  await a.ask('listen', 'x', false);
  await a.ask('listen', 'y', true);
  for (const event of ['x', 'y']) {
    tell(b, event, 'of another socket');
    for (const n of [1, 2]) tell(a, event, event + n);
  }
  await a.ask('unlisten', 'x');
  tell(a, 'x', 'too late');
  await Promise.all([a, b].map((client) => client.ask('name', 'n')));
  assert.deepEqual(answered, ['x1', 'x2', 'y1']);
});

withParsers('events are waited for one after the other', async ({ connect }) => {
  const client = await connect();
  const sum = client.ask('sum', 3);
  await client.event('listening');
  for (const n of [1, 20, 300, 4000]) client.emit('number', n);
  assert.deepEqual(await sum, [321]);
});

withParsers('rooms are told as they come and go', async ({ connect }) => {
  const control = await connect();
  const changes = async () => (await control.ask('room-changes'))[0];
  const a = await control.open('/rooms').connected();
  const idA = a.id;
  await a.ask('join', ['x', 'y']);
  assert.deepEqual(await changes(), [
    ['create-room', idA, ''],
    ['join-room', idA, idA],
    ['create-room', 'x', ''],
    ['join-room', 'x', idA],
    ['create-room', 'y', ''],
    ['join-room', 'y', idA],
  ]);
  const other = await connect();
  const b = await other.open('/rooms').connected();
  const idB = b.id;
  await b.ask('join', ['x', idB]);
  await b.ask('join', ['x']);
  assert.deepEqual(await changes(), [
    ['create-room', idB, ''],
    ['join-room', idB, idB],
    ['join-room', 'x', idB],
  ]);
  await b.ask('leave', 'x');
  await b.ask('leave', 'x');
  await a.ask('leave', 'y');
  assert.deepEqual(await changes(), [
    ['leave-room', 'x', idB],
    ['leave-room', 'y', idA],
    ['delete-room', 'y', ''],
  ]);
  a.socket.disconnect();
  assert.deepEqual(await changes(), [
    ['leave-room', idA, idA],
    ['delete-room', idA, ''],
    ['leave-room', 'x', idA],
    ['delete-room', 'x', ''],
  ]);
  b.socket.disconnect();
  await other.ask('name', 'n');
  await changes();
});
