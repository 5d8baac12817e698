// Authorization: requests that are refused, and grants that end. The original has no grants; its counterpart does by hand what ours does by itself.

import assert from 'node:assert/strict';
import { createClient } from '../lib/client.js';
import { eventually } from '../lib/deadline.js';
import { overTransports, scenario, suiteServer } from '../lib/harness.js';
import { RawWebSocket, request } from '../lib/raw.js';

const suite = suiteServer({ program: 'feature_server', mode: 'grants' });

overTransports(suite, 'a grant that ends makes the client leave, with a last event', async ({ connect }) => {
  const witness = await connect();
  const client = await connect({ auth: { good: 60_000 } });
  const other = await client.open('/other', {}).connected();
  const { id } = client;
  assert.deepEqual(await client.ask('echo', 1), [1]);
  assert.deepEqual(await client.ask('renew', { good: 100 }), ['renewed']);
  assert.deepEqual(await client.event('expired'), ['/']);
  assert.equal(await client.disconnected(), 'io server disconnect');
  // The connection and its other namespaces stay.
  assert.deepEqual(await other.ask('echo', 2), [2]);
  const reasons = async () => (await witness.ask('reasons'))[0].filter((line) => line.startsWith(id));
  await eventually(async () => (await reasons()).length, 'the end of the socket');
  assert.deepEqual(await reasons(), [`${id} authorization expired`]);
});

overTransports(suite, 'a client renews its grant without connecting anew', async ({ connect }) => {
  const client = await connect({ auth: { good: 60_000 } });
  const { id } = client;
  const start = Date.now();
  while (Date.now() - start < 3200) {
    assert.deepEqual(await client.ask('renew', { good: 3000 }), ['renewed']);
    assert.deepEqual(await client.ask('echo', 1), [1]);
  }
  assert.equal(client.id, id);
  assert.deepEqual(await client.ask('renew', { good: 50 }), ['renewed']);
  assert.equal(await client.disconnected(), 'io server disconnect');
  assert.deepEqual(client.received('expired'), [['/']]);
});

overTransports(suite, 'broadcasts reach a client until its grant ends, and not afterwards', async ({ connect }) => {
  const client = await connect({ auth: { good: 60_000 } });
  const other = await connect();
  await Promise.all([client.ask('join'), other.ask('join')]);
  await other.ask('tell', 'before');
  assert.deepEqual(await client.event('told'), ['before']);
  await client.ask('renew', { good: 100 });
  await client.disconnected();
  await other.ask('tell', 'after');
  assert.deepEqual(await other.event('told'), ['before']);
  assert.deepEqual(await other.event('told'), ['after']);
  assert.deepEqual(client.received('told'), []);
});

overTransports(suite, 'an old token is refused, and a new one opens the door again', async ({ t, transport }) => {
  const auth = { good: 0 };
  const client = createClient(t, suite.url, { transport, auth });
  assert.equal((await client.refused()).message, 'authorization expired');
  auth.good = 200;
  client.socket.connect();
  await client.isConnected;
  assert.equal(await client.disconnected(), 'io server disconnect');
  auth.good = undefined;
  client.socket.connect();
  await new Promise((resolve) => client.socket.once('connect', resolve));
  assert.deepEqual(await client.ask('echo', 1), [1]);
});

scenario('a refused handshake opens nothing, over either transport', async (t) => {
  const polling = await request(suite.port, { path: '/socket.io/?EIO=4&transport=polling&deny=1' });
  assert.equal(polling.status, 403);
  assert.deepEqual(JSON.parse(polling.body), { code: 4, message: 'denied' });
  const websocket = await RawWebSocket.open(suite.port, '/socket.io/?EIO=4&transport=websocket&deny=1');
  assert.equal(websocket.status, 400);
  assert.equal(websocket.body, 'denied');
  for (const transport of ['polling', 'websocket']) {
    const client = createClient(t, suite.url, { transport, query: { deny: 1 } });
    assert.match((await client.refused()).message, /xhr poll error|websocket error/);
  }
});

scenario('a client whose upgrade is refused goes on over polling', async (t) => {
  const client = createClient(t, suite.url, { transports: ['polling', 'websocket'], upgrade: true, query: { stay: 1 } });
  const failed = new Promise((resolve) => {
    client.manager.once('open', () => client.engine.once('upgradeError', resolve));
  });
  await client.connected();
  assert.match((await failed).message, /websocket error/);
  assert.deepEqual(await client.ask('echo', 1), [1]);
  assert.equal(client.engine.transport.name, 'polling');
});
