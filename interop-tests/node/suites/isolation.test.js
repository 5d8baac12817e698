// Many clients at once, each with words of its own: nobody hears what is another's.

import assert from 'node:assert/strict';
import { scenario, suiteServer, TRANSPORTS } from '../lib/harness.js';
import { connectClient } from '../lib/client.js';

const suite = suiteServer();
const CLIENTS = 15;
const ROUNDS = 8;
const BATCH = 30;

scenario(`${TRANSPORTS.length * CLIENTS} clients over all transports hear themselves alone, ${TRANSPORTS.length * CLIENTS * ROUNDS * BATCH} times each way`, { timeout: 100_000 }, async (t) => {
  // A few at a time: a machine that is busy would be too slow to open all within the times that the server gives each of them.
  const clients = [];
  while (clients.length < TRANSPORTS.length * CLIENTS) {
    clients.push(...(await Promise.all(TRANSPORTS.map((transport) => connectClient(t, suite.url, { transport, forceNew: true })))));
  }
  assert.equal(new Set(clients.map((client) => client.id)).size, clients.length);
  await Promise.all(
    clients.map(async (client, number) => {
      for (let round = 0; round < ROUNDS; round++) {
        const words = Array.from({ length: BATCH }, (_, i) => ({ number, round, i, id: client.id, bytes: Buffer.from(`client ${number} message ${round}/${i}`) }));
        // One half as acknowledgements, the other as events.
        const answers = words.map((word, i) => (i % 2 ? client.ask('echo-ack', word) : (client.emit('echo', word), client.event('echo-back'))));
        assert.deepEqual(await Promise.all(answers), words.map((word) => [word]));
      }
    }),
  );
  for (const client of clients) {
    await client.flush();
    const welcomes = client.inbox.filter((item) => item.event === 'welcome');
    assert.ok(welcomes.every(({ args: [{ sid }] }) => sid === client.id));
    assert.deepEqual(client.inbox.filter((item) => item.event !== 'welcome'), []);
  }
});
