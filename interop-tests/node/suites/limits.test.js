// Big messages below the limit, and what happens above it.

import assert from 'node:assert/strict';
import { eventually } from '../lib/deadline.js';
import { overTransports, suiteServer } from '../lib/harness.js';

const suite = suiteServer();
const BIG = 900_000;

overTransports(suite, 'the server sends 900 KB of text', async ({ connect }) => {
  const client = await connect();
  client.emit('big', BIG);
  const [text] = await client.event('big', 15_000);
  assert.equal(text.length, BIG);
  assert.ok(/^x+$/.test(text));
});

overTransports(suite, '900 KB of text are echoed', async ({ connect }) => {
  const client = await connect();
  const text = 'lorem ipsum '.repeat(BIG / 12);
  const [answer] = await client.ask('echo-ack', text);
  assert.ok(answer === text);
});

overTransports(suite, '900 KB of text beyond ASCII are echoed', async ({ connect }) => {
  const client = await connect();
  const text = 'ü🦀値'.repeat(BIG / 9);
  const [answer] = await client.ask('echo-ack', text);
  assert.ok(answer === text);
});

overTransports(suite, 'big binary is echoed', async ({ transport, connect }) => {
  const client = await connect();
  // On polling the bytes travel as base64, which is a third longer.
  const data = Buffer.alloc(transport === 'polling' ? 700_000 : BIG).map((_, i) => (i * 7) % 256);
  const [answer] = await client.ask('echo-ack', data);
  assert.ok(answer.equals(data));
  const [{ len }] = await client.ask('binary-info', data);
  assert.equal(len, data.length);
});

overTransports(suite, 'the server sends more than the limit for its clients', async ({ connect }) => {
  const client = await connect();
  client.emit('big', 3_000_000);
  const [text] = await client.event('big', 15_000);
  assert.equal(text.length, 3_000_000);
  client.emit('binary-gen', 2_000_000);
  const [data] = await client.event('binary', 15_000);
  assert.equal(data.length, 2_000_000);
});

overTransports(suite, 'many big messages follow each other', async ({ connect }) => {
  const client = await connect();
  const text = 'y'.repeat(300_000);
  const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => client.ask('echo-ack', i, text)));
  answers.forEach(([i, answer], index) => {
    assert.equal(i, index);
    assert.ok(answer === text);
  });
});

for (const [kind, make] of [['text', (n) => 'x'.repeat(n)], ['binary', (n) => Buffer.alloc(n)]]) {
  overTransports(suite, `a ${kind} message above the limit ends the connection`, async ({ connect }) => {
    const watcher = await connect({ transport: 'websocket' });
    const client = await connect();
    const sid = client.id;
    client.emit('echo', make(1_200_000));
    const reason = await client.disconnected();
    assert.ok(['transport error', 'transport close'].includes(reason), reason);
    assert.deepEqual(client.received('echo-back'), []);
    const word = await eventually(async () => (await watcher.ask('reason', sid))[0], 'reason on the server');
    assert.ok(['transport error', 'transport close'].includes(word), word);
    await (await connect()).flush();
  });
}
