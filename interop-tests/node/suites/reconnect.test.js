// The client comes back when the server does.

import assert from 'node:assert/strict';
import { eventually, once } from '../lib/deadline.js';
import { overTransports, suiteServer } from '../lib/harness.js';

const suite = suiteServer();
const RECONNECTION = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 100 };

overTransports(suite, 'a client reconnects after a restart of the server', async ({ connect }) => {
  const client = await connect(RECONNECTION);
  const chat = await client.open('/chat').connected();
  const ids = [client.id, chat.id];
  await Promise.all([client.event('welcome'), chat.event('welcome')]);

  const attempt = once(client.manager, 'reconnect_attempt');
  await suite.process.kill();
  assert.ok(['transport close', 'transport error'].includes(await client.disconnected()));
  await attempt;
  client.emit('echo', 'buffered 1');
  client.emit('echo', Buffer.from('buffered 2'));

  const reconnected = once(client.manager, 'reconnect');
  const backInChat = once(chat.socket, 'connect');
  await suite.process.restart();
  await reconnected;
  await backInChat;

  assert.deepEqual(await client.event('echo-back'), ['buffered 1']);
  assert.deepEqual(await client.event('echo-back'), [Buffer.from('buffered 2')]);
  assert.equal((await client.event('welcome'))[0].sid, client.id);
  assert.equal((await chat.event('welcome'))[0].sid, chat.id);
  assert.notEqual(client.id, ids[0]);
  assert.notEqual(chat.id, ids[1]);
  assert.ok(!client.socket.recovered);
  await chat.flush();
});

overTransports(suite, 'a client reconnects after the connection broke', async ({ connect }) => {
  const client = await connect(RECONNECTION);
  await client.event('welcome');
  const reconnected = once(client.manager, 'reconnect');
  client.engine.close();
  assert.equal(await client.disconnected(), 'forced close');
  await reconnected;
  assert.equal((await client.event('welcome'))[0].sid, client.id);
  await client.flush();
});

overTransports(suite, 'rooms are gone after a reconnection', async ({ connect }) => {
  const client = await connect(RECONNECTION);
  await client.ask('join', 'x');
  const reconnected = once(client.socket, 'disconnect').then(() => once(client.socket, 'connect'));
  client.engine.close();
  await reconnected;
  assert.deepEqual(await client.ask('rooms'), [[]]);
});

overTransports(suite, 'a client that the server disconnected comes back only by hand', async ({ connect }) => {
  const client = await connect(RECONNECTION);
  await client.event('welcome');
  client.emit('disconnect-me', false);
  assert.equal(await client.disconnected(), 'io server disconnect');
  assert.equal(client.socket.active, false);
  client.socket.connect();
  await client.event('welcome');
  await client.flush();
});

overTransports(suite, 'clients that come and go leave no socket behind', async ({ connect }) => {
  const nsp = '/dyn-100';
  const watcher = await connect({ nsp });
  for (let i = 0; i < 50; i++) (await connect({ nsp })).socket.disconnect();
  await eventually(async () => (await watcher.ask('count'))[0] === 1, 'count of 1');
});
