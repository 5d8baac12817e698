// Connection state recovery: a client whose connection broke gets id, rooms and missed events back.

import assert from 'node:assert/strict';
import { once } from '../lib/deadline.js';
import { overTransports, suiteServer } from '../lib/harness.js';

const suite = suiteServer({ env: { CSR: '1' } });
const RECONNECTION = { reconnection: true, reconnectionDelay: 400, reconnectionDelayMax: 400, randomizationFactor: 0 };

const emitTo = (sender, rooms, ...args) => sender.emit('emit-to', { scope: 'socket', rooms, except: [], ev: 'news', args });

/** Breaks the connection the way a network does: without a word to the server, if the transport allows. */
function breakConnection(client) {
  const ended = once(client.socket, 'disconnect');
  if (client.engine.transport.ws) client.engine.transport.ws.terminate();
  else client.engine.transport.onError('the network is down');
  return ended;
}

overTransports(suite, 'id, rooms and missed events are recovered in order', async ({ connect }) => {
  const nsp = '/dyn-1';
  const watcher = await connect({ nsp });
  const client = await connect({ nsp, ...RECONNECTION });
  const id = client.id;
  assert.equal(client.socket.recovered, false);
  await client.ask('join', 'x');
  emitTo(watcher, ['x'], 'before');
  assert.deepEqual((await client.event('news'))[0], 'before');

  await breakConnection(client);
  const back = once(client.socket, 'connect');
  for (let i = 0; i < 3; i++) emitTo(watcher, ['x'], i, Buffer.from([i]));
  emitTo(watcher, ['elsewhere'], 'not for you');
  await watcher.flush();
  await back;

  assert.equal(client.socket.recovered, true);
  assert.equal(client.id, id);
  assert.deepEqual(await client.ask('rooms'), [['x']]);
  const news = client.received('news').map(([value, data]) => [value, data]);
  assert.deepEqual(news, [0, 1, 2].map((i) => [i, Buffer.from([i])]));
});

overTransports(suite, 'a client that left is not recovered', async ({ connect }) => {
  const client = await connect(RECONNECTION);
  const id = client.id;
  client.socket.disconnect();
  await client.disconnected();
  const back = once(client.socket, 'connect');
  client.socket.connect();
  await back;
  assert.equal(client.socket.recovered, false);
  assert.notEqual(client.id, id);
});

overTransports(suite, 'an unknown private id gives a new session', async ({ connect }) => {
  const client = await connect(RECONNECTION);
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
