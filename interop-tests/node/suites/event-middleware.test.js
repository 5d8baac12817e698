// Middlewares that see every event on its way to its handlers.

import assert from 'node:assert/strict';
import { overTransports, suiteServer } from '../lib/harness.js';
import { isReference } from '../lib/server.js';

const suite = suiteServer({ program: 'feature_server', mode: 'event-middleware' });

overTransports(suite, 'an event that is let pass reaches its handler with its arguments', async ({ connect }) => {
  const client = await connect();
  assert.deepEqual(await client.ask('fast', 1, 'a'), [1, 'a']);
  assert.deepEqual(await client.ask('slow', 20, 'b'), [20, 'b']);
  assert.deepEqual(await client.event('seen'), ['fast']);
  assert.deepEqual(await client.event('seen'), ['slow']);
});

overTransports(suite, 'a refused event reaches no handler, and the server hears of it', async ({ connect }) => {
  const client = await connect();
  const [before] = await client.ask('errors');
  client.emit('forbidden', 1);
  assert.deepEqual(await client.ask('fast', 1), [1]);
  assert.deepEqual(client.received('seen'), [['fast']]);
  assert.deepEqual(await client.ask('errors'), [before + 1]);
});

overTransports(suite, 'who asks for an acknowledgement of a refused event is told', async ({ connect }) => {
  const client = await connect();
  if (isReference) {
    // It leaves the client waiting.
    await assert.rejects(client.socket.timeout(200).emitWithAck('forbidden', 1), /timed out/);
  } else {
    assert.deepEqual(await client.ask('forbidden', 1), [{ message: 'forbidden', data: { code: 1 } }]);
  }
  assert.deepEqual(client.received('seen'), []);
});

overTransports(suite, 'what a middleware holds back keeps its order', async ({ connect }) => {
  const [client, other] = await Promise.all([connect(), connect()]);
  client.emit('slow', 400);
  client.emit('fast', 1);
  // Other clients do not wait.
  assert.deepEqual(await other.ask('fast', 2), [2]);
  const order = [await client.event('seen'), await client.event('seen')].flat();
  // In the reference the fast one overtakes.
  assert.deepEqual(order, isReference ? ['fast', 'slow'] : ['slow', 'fast']);
});

overTransports(suite, 'a client that leaves while an event is held back', async ({ connect }) => {
  const client = await connect();
  const [before] = await client.ask('errors');
  client.emit('slow', 100);
  client.socket.disconnect();
  client.socket.connect();
  await new Promise((resolve) => client.socket.once('connect', resolve));
  assert.deepEqual(await client.ask('slow', 150), [150]);
  assert.deepEqual(client.received('seen'), [['slow']]);
  assert.deepEqual(await client.ask('errors'), [before]);
});
