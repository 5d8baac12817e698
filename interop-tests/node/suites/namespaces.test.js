// Namespaces: static, dynamic, unknown; several on one connection; leaving one of them.

import assert from 'node:assert/strict';
import { createClient } from '../lib/client.js';
import { overTransports, suiteServer } from '../lib/harness.js';
import { eventually } from '../lib/deadline.js';

const suite = suiteServer();

overTransports(suite, 'open and dynamic namespaces welcome everybody', async ({ connect }) => {
  for (const nsp of ['/', '/chat', '/dyn-1', '/dyn-0', '/dyn-123456789012345678901234567890']) {
    const client = await connect({ nsp });
    assert.equal((await client.event('welcome'))[0].nsp, nsp);
    assert.equal((await client.ask('whoami'))[0].nsp, nsp);
    client.socket.disconnect();
  }
});

const UNKNOWN = ['/nope', '/CHAT', '/chat/', '/chat2', '/dyn-', '/dyn-x', '/dyn-1x', '/xdyn-1', '/dyn-1/dyn-2', '//', '/ünï 🦀', '/__proto__', '/constructor', '/_0', `/${'long'.repeat(1000)}`];

overTransports(suite, 'unknown namespaces are refused and the connection stays', async ({ connect }) => {
  const root = await connect();
  for (const nsp of UNKNOWN) {
    const error = await root.open(nsp).refused();
    assert.equal(error.message, 'Invalid namespace', nsp);
    assert.equal(error.data, undefined, nsp);
  }
  await root.flush();
});

overTransports(suite, 'an unknown namespace as the only one is refused', async ({ t, transport }) => {
  const client = createClient(t, suite.url, { transport, nsp: '/unknown' });
  assert.equal((await client.refused()).message, 'Invalid namespace');
  assert.equal(client.socket.connected, false);
});

overTransports(suite, 'namespaces share a connection and keep their events apart', async ({ connect }) => {
  const root = await connect();
  const names = ['/chat', '/dyn-1', '/dyn-2'];
  const others = await Promise.all(names.map((nsp) => root.open(nsp).connected()));
  const all = [root, ...others];
  for (const client of all) assert.equal(client.engine, root.engine);
  all.forEach((client, i) => {
    client.emit('echo', i);
    client.emit('echo', Buffer.from([i]));
  });
  await Promise.all(all.map((client) => client.flush()));
  all.forEach((client, i) => assert.deepEqual(client.received('echo-back'), [[i], [Buffer.from([i])]]));
  assert.equal(new Set(all.map((client) => client.id)).size, 4);
});

overTransports(suite, 'leaving one namespace keeps the others', async ({ connect }) => {
  const root = await connect();
  const chat = await root.open('/chat').connected();
  const watcher = await connect({ nsp: '/chat' });
  const left = chat.id;
  chat.socket.disconnect();
  assert.equal(await chat.disconnected(), 'io client disconnect');
  await root.flush();
  await eventually(async () => (await watcher.ask('reason', left))[0], 'reason on the server');
  assert.deepEqual(await watcher.ask('reason', left), ['client namespace disconnect']);
  assert.equal(root.socket.connected, true);
});

overTransports(suite, 'leaving the main namespace keeps the others', async ({ connect }) => {
  const root = await connect();
  const chat = await root.open('/chat').connected();
  root.socket.disconnect();
  await root.disconnected();
  await chat.flush();
  assert.equal(chat.socket.connected, true);
});

overTransports(suite, 'a namespace can be entered again with a new id', async ({ connect }) => {
  const root = await connect();
  const chat = await root.open('/chat').connected();
  const before = chat.id;
  chat.socket.disconnect();
  await root.flush();
  const again = await root.open('/chat').connected();
  assert.notEqual(again.id, before);
  await again.flush();
});

overTransports(suite, 'a server that ends one namespace leaves the others alone', async ({ connect }) => {
  const root = await connect();
  const chat = await root.open('/chat').connected();
  chat.emit('disconnect-me', false);
  assert.equal(await chat.disconnected(), 'io server disconnect');
  await root.flush();
  const again = await root.open('/chat').connected();
  await again.flush();
});

overTransports(suite, 'a namespace without other sockets is empty again after its last left', async ({ connect }) => {
  const nsp = '/dyn-777';
  const watcher = await connect();
  for (let round = 0; round < 3; round++) {
    const client = await connect({ nsp });
    assert.deepEqual(await client.ask('count'), [1]);
    client.emit('disconnect-me', false);
    await client.disconnected();
  }
  await watcher.flush();
});
