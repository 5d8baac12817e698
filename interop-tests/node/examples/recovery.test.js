// The example `recovery`: a ticker whose readers miss nothing when their connection breaks.

import assert from 'node:assert/strict';
import { eventually, once } from '../lib/deadline.js';
import { overTransports, suiteServer } from '../lib/harness.js';
import { exampleCommand } from '../lib/server.js';

const suite = suiteServer({ program: exampleCommand('recovery'), env: { TICK_MILLISECONDS: '20' } });

const ticks = (client) => client.received('tick').map(([number]) => number);

function breakConnection(client) {
  const ended = once(client.socket, 'disconnect');
  if (client.engine.transport.ws) client.engine.transport.ws.terminate();
  else client.engine.transport.onError('the network is down');
  return ended;
}

overTransports(suite, 'no tick is missed, doubled or out of order while the connection breaks', async ({ connect }) => {
  const client = await connect();
  const watcher = await connect();
  const { id } = client;
  const [number] = await client.ask('number');
  for (let round = 0; round < 3; round++) {
    const before = ticks(client).at(-1) ?? 0;
    await eventually(() => ticks(client).at(-1) > before, 'a tick');
    await breakConnection(client);
    const missed = ticks(client).at(-1);
    await eventually(() => ticks(watcher).at(-1) > missed + 5, 'ticks meanwhile');
    const back = once(client.socket, 'connect');
    client.socket.connect();
    await back;
    assert.deepEqual([client.socket.recovered, client.id], [true, id]);
    // They were there before the client was told that it is connected.
    assert.ok(ticks(client).at(-1) > missed);
  }
  assert.deepEqual(await client.ask('number'), [number]);
  const seen = ticks(client);
  assert.deepEqual(seen, seen.map((_, index) => seen[0] + index));
});

overTransports(suite, 'a message to a reader who is away waits for it', async ({ connect }) => {
  const client = await connect();
  await client.event('welcome');
  // So that it has certainly arrived.
  client.emit('remind', 0, 'at once');
  assert.equal((await client.event('reminder'))[0], 'at once');
  client.emit('remind', 300, 'tea');
  await client.ask('number');
  await breakConnection(client);
  const watcher = await connect();
  const [first] = await watcher.event('tick');
  await eventually(() => ticks(watcher).at(-1) > first + 30, 'time to pass');
  client.socket.connect();
  assert.equal((await client.event('reminder'))[0], 'tea');
});

overTransports(suite, 'who leaves comes back as a stranger', async ({ connect }) => {
  const client = await connect();
  const { id } = client;
  const [number] = await client.ask('number');
  await client.event('tick');
  client.socket.disconnect();
  await client.disconnected();
  const back = once(client.socket, 'connect');
  client.socket.connect();
  await back;
  assert.equal(client.socket.recovered, false);
  assert.notEqual(client.id, id);
  assert.ok((await client.ask('number'))[0] > number);
});
