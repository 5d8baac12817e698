// Order and completeness of long streams, above all while the connection is being upgraded.

import assert from 'node:assert/strict';
import { overTransports, suiteServer } from '../lib/harness.js';
import { createClient } from '../lib/client.js';
import { within } from '../lib/deadline.js';

const suite = suiteServer();
const TOTAL = 10_000;
const SLICES = 100;

overTransports(suite, '10000 events each way arrive in order and complete', async ({ t, transport }) => {
  // Not awaited: with `upgrade` the streams start on polling and go on while the upgrade happens.
  const client = createClient(t, suite.url, { transport });
  await client.isConnected;
  const seen = [];
  let done = 0;
  const complete = new Promise((resolve) => {
    client.socket.on('seq', (i) => seen.push(i));
    client.socket.on('seq-done', () => ++done === SLICES && resolve());
  });

  let upgraded = transport !== 'upgrade';
  client.upgraded.then(() => (upgraded = true));
  const size = TOTAL / SLICES;
  let slicesBefore = 0;
  for (let slice = 0; slice < SLICES; slice++) {
    // The second half waits for the upgrade, so that the switch lies between the events.
    if (slice === SLICES / 2) await within(client.upgraded, 'upgrade');
    if (!upgraded) slicesBefore++;
    client.emit('burst', size);
    for (let i = 0; i < size; i++) client.emit('seq-in', slice * size + i);
    await new Promise(setImmediate);
  }
  if (transport === 'upgrade') assert.ok(slicesBefore > 0, 'nothing was sent before the upgrade');

  await within(complete, 'the streams of the server', 30_000);
  assert.equal(seen.length, TOTAL);
  assert.deepEqual(seen, Array.from({ length: TOTAL }, (_, i) => i % size));
  assert.deepEqual(await client.ask('seq-report'), [{ count: TOTAL, ordered: true }]);
  assert.deepEqual(await client.ask('seq-report'), [{ count: 0, ordered: true }]);
});

overTransports(suite, 'one burst of 10000 events survives the upgrade', async ({ t, transport }) => {
  const client = createClient(t, suite.url, { transport });
  await client.isConnected;
  client.emit('burst', TOTAL);
  assert.deepEqual(await client.event('seq-done', 30_000), [TOTAL]);
  await within(client.upgraded, 'upgrade');
  assert.deepEqual(client.received('seq').flat(), Array.from({ length: TOTAL }, (_, i) => i));
});

overTransports(suite, 'binary and text echoes keep their order during the upgrade', async ({ t, transport }) => {
  const client = createClient(t, suite.url, { transport });
  await client.isConnected;
  const expected = [];
  for (let i = 0; i < 300; i++) {
    const args = i % 3 === 0 ? [i, Buffer.alloc(i, i % 256)] : [i];
    expected.push(args);
    client.emit('echo', ...args);
    if (i % 10 === 0) await new Promise(setImmediate);
  }
  await client.flush();
  await within(client.upgraded, 'upgrade');
  assert.deepEqual(client.received('echo-back'), expected);
});

overTransports(suite, 'volatile events arrive in order, perhaps not all', async ({ connect }) => {
  const client = await connect();
  client.emit('volatile-burst', 1000);
  assert.deepEqual(await client.event('v-done'), [1000]);
  await client.flush();
  const seen = client.received('v').flat();
  assert.ok(seen.length <= 1000);
  seen.forEach((value, i) => {
    assert.ok(Number.isInteger(value) && value >= 0 && value < 1000, String(value));
    if (i > 0) assert.ok(value > seen[i - 1], `${value} after ${seen[i - 1]}`);
  });
});

overTransports(suite, 'a stream out of order is reported', async ({ connect }) => {
  const client = await connect();
  for (const i of [0, 2, 1]) client.emit('seq-in', i);
  assert.deepEqual(await client.ask('seq-report'), [{ count: 3, ordered: false }]);
});
