// The example `custom_parser`: packets in CBOR on both sides.

import assert from 'node:assert/strict';
import { WebSocket } from 'ws';
import * as parser from '../lib/cbor-parser.js';
import { connectClient, createClient } from '../lib/client.js';
import { within } from '../lib/deadline.js';
import { overTransports, scenario, suiteServer } from '../lib/harness.js';
import { exampleCommand } from '../lib/server.js';

const suite = suiteServer({ program: exampleCommand('custom_parser') });

const VALUES = {
  nothing: null,
  booleans: [true, false],
  integers: [0, 23, 24, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -1, -25, -(2 ** 31), -(2 ** 53) + 1],
  fractions: [0.5, -1.25, 0.1, 1.5e-300],
  strings: ['', 'x'.repeat(300), 'пойду 🦀', '"\\\u0000'],
  arrays: [[], [[[]]], Array(300).fill(1)],
  objects: { a: {}, b: { c: [1, { d: null }] } },
  'binary data': [Buffer.alloc(0), { a: Buffer.alloc(70_000, 7) }],
  'a placeholder look-alike': { _placeholder: true, num: 0 },
};

overTransports(suite, 'every value is echoed and acknowledged unchanged', async ({ connect }) => {
  const client = await connect({ parser });
  for (const [name, value] of Object.entries(VALUES)) {
    client.emit('echo', value, name);
    assert.deepStrictEqual(await client.event('echo'), [value, name], name);
    assert.deepStrictEqual(await client.ask('ask', value), [value], name);
  }
  assert.deepEqual(await client.ask('ask'), []);
});

overTransports(suite, 'binary data reaches a typed handler', async ({ connect }) => {
  const client = await connect({ parser });
  assert.deepEqual(await client.ask('sum', Buffer.from([1, 2, 3, 255])), [261]);
});

overTransports(suite, 'more than ten buffers are no matter', async ({ connect }) => {
  const client = await connect({ parser });
  const buffers = Array.from({ length: 40 }, (_, i) => Buffer.alloc(i, i));
  assert.deepStrictEqual(await client.ask('ask', ...buffers), buffers);
});

overTransports(suite, 'broadcasts and questions work', async ({ connect }) => {
  const [a, b] = await Promise.all([connect({ parser }), connect({ parser })]);
  a.emit('all', 1, { data: Buffer.from('x') });
  for (const client of [a, b]) assert.deepEqual(await client.event('news'), [1, { data: Buffer.from('x') }]);
  b.socket.on('question', (value, ack) => ack({ answer: value }));
  assert.deepEqual(await b.ask('question', Buffer.from('y')), [{ answer: Buffer.from('y') }]);
});

overTransports(suite, 'a namespace wants its token', async ({ t, transport }) => {
  const options = { transport, parser, nsp: '/private' };
  const refused = await createClient(t, suite.url, { ...options, auth: { token: 'x' } }).refused();
  assert.equal(refused.message, 'unauthorized');
  assert.equal(refused.data, 401);
  const client = await connectClient(t, suite.url, { ...options, auth: { token: 'secret' } });
  assert.deepEqual(await client.ask('ask', 1), [1]);
});

scenario('what is no packet ends the connection, and no other', async (t) => {
  const healthy = await connectClient(t, suite.url, { parser });
  for (const message of [
    Buffer.alloc(0),
    Buffer.from('ff', 'hex'),
    Buffer.from('a2647479706509636e7370612f', 'hex'), // type 9
    Buffer.from('a2647479706502636e7370612f', 'hex'), // an event without data
    Buffer.from('9f'.repeat(50_000), 'hex'),
    Buffer.from('9bffffffffffffffff', 'hex'),
  ]) {
    const ws = new WebSocket(`${suite.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    t.after(() => ws.terminate());
    const closed = new Promise((resolve) => ws.once('close', resolve));
    ws.once('message', () => ws.send(message));
    await within(closed, `end of the connection after ${message.subarray(0, 16).toString('hex')}`);
    assert.deepEqual(await healthy.ask('ask', 1), [1]);
  }
});
