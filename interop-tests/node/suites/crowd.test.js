// Two hundred clients at once.

import assert from 'node:assert/strict';
import { overTransports, suiteServer } from '../lib/harness.js';
import { eventually } from '../lib/deadline.js';

const suite = suiteServer();
const CROWD = 200;
let namespaces = 0;

/** They come a few at a time: a machine that is busy would be too slow to open all within the times that the server gives each of them. */
async function gather(connect) {
  const clients = [];
  while (clients.length < CROWD) clients.push(...(await Promise.all(Array.from({ length: 20 }, connect))));
  return clients;
}

overTransports(suite, 'each of 200 clients receives a broadcast exactly once', async ({ connect }) => {
  const nsp = `/dyn-${++namespaces}`;
  const clients = await gather(() => connect({ nsp }));
  assert.equal(new Set(clients.map((client) => client.id)).size, CROWD);
  assert.deepEqual(await clients[0].ask('count'), [CROWD]);

  const data = Buffer.from('to all of you');
  clients[0].emit('emit-to', { scope: 'io', rooms: [], except: [], ev: 'news', args: [1] });
  clients[1].emit('emit-to', { scope: 'socket', rooms: [], except: [], ev: 'binary news', args: [data] });
  await Promise.all([clients[0].flush(), clients[1].flush()]);
  await Promise.all(clients.map((client) => client.flush()));
  clients.forEach((client, i) => {
    assert.deepEqual(client.received('news'), [[1]]);
    assert.deepEqual(client.received('binary news'), i === 1 ? [] : [[data]]);
  });

  for (const client of clients.slice(1)) client.socket.disconnect();
  await eventually(async () => (await clients[0].ask('count'))[0] === 1, 'count of 1');
});

overTransports(suite, '200 clients talk to their rooms at once', async ({ connect }) => {
  const nsp = `/dyn-${++namespaces}`;
  const clients = await gather(() => connect({ nsp }));
  await Promise.all(clients.map((client, i) => client.ask('join', `room ${i % 20}`)));
  clients.forEach((client, i) => {
    client.emit('emit-to', { scope: 'io', rooms: [`room ${i % 20}`], except: [], ev: 'news', args: [i] });
  });
  await Promise.all(clients.map((client) => client.flush()));
  await Promise.all(clients.map((client) => client.flush()));
  clients.forEach((client, i) => {
    const heard = client.received('news').flat().sort((a, b) => a - b);
    assert.deepEqual(heard, Array.from({ length: CROWD / 20 }, (_, k) => k * 20 + (i % 20)));
  });
});

overTransports(suite, 'a question to 200 clients gathers 200 answers', async ({ connect }) => {
  const nsp = `/dyn-${++namespaces}`;
  const clients = await gather(() => connect({ nsp }));
  await Promise.all(
    clients.map((client, i) => {
      client.socket.on('question', (value, ack) => ack(value + i));
      return client.ask('join', 'all');
    }),
  );
  const [{ err, responses }] = await clients[0].ask('ask-room', 'all', 15_000, 1000);
  assert.equal(err, false);
  assert.deepEqual(responses.sort((a, b) => a - b), Array.from({ length: CROWD }, (_, i) => 1000 + i));
});
