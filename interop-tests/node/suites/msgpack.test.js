// The MessagePack parser: one binary frame per packet, attachments inline.

import assert from 'node:assert/strict';
import * as parser from 'socket.io-msgpack-parser';
import { createClient } from '../lib/client.js';
import { overTransports, suiteServer } from '../lib/harness.js';

const suite = suiteServer({ env: { PARSER: 'msgpack' } });

const VALUES = {
  null: null,
  booleans: [true, false],
  'integers of every width': [0, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1],
  'negative integers of every width': [-1, -32, -33, -128, -129, -32768, -32769, -(2 ** 31), -(2 ** 31) - 1, -(2 ** 53) + 1],
  fractions: [0.5, -1.25, 1.5e-300, 5e-324],
  'strings of every width': ['', 'x'.repeat(31), 'x'.repeat(32), 'x'.repeat(255), 'x'.repeat(256), 'x'.repeat(65536), 'пойду 🦀'],
  'arrays of every width': [[], Array(15).fill(1), Array(16).fill(2), Array(65536).fill(3)],
  'objects of every width': [{}, ...[15, 16, 300].map((n) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, i])))],
  'binary of every width': [0, 1, 255, 256, 65536].map((n) => Buffer.alloc(n, 7)),
  'binary in a nested object': { a: [{ b: Buffer.from([1, 2, 3]) }], c: { d: Buffer.alloc(0) } },
  'a placeholder look-alike': { _placeholder: true, num: 0 },
};

overTransports(suite, 'every value is echoed and acknowledged unchanged', async ({ connect }) => {
  const client = await connect({ parser });
  for (const [name, value] of Object.entries(VALUES)) {
    client.emit('echo', value, name);
    assert.deepStrictEqual(await client.event('echo-back'), [value, name], name);
    assert.deepStrictEqual(await client.ask('echo-ack', value), [value], name);
  }
});

overTransports(suite, 'more than ten buffers are no matter', async ({ connect }) => {
  const client = await connect({ parser });
  const buffers = Array.from({ length: 40 }, (_, i) => Buffer.alloc(i, i));
  assert.deepStrictEqual(await client.ask('echo-ack', ...buffers), buffers);
});

overTransports(suite, 'a client is welcomed, with auth payload and namespace', async ({ connect }) => {
  const client = await connect({ parser, nsp: '/auth', auth: { token: 'secret', n: 1 } });
  const [welcome] = await client.event('welcome');
  assert.equal(welcome.nsp, '/auth');
  assert.equal(welcome.sid, client.id);
  assert.deepEqual((await client.ask('whoami'))[0].auth, { token: 'secret', n: 1 });
});

overTransports(suite, 'refusals carry message and data', async ({ t, transport }) => {
  const denied = await createClient(t, suite.url, { transport, parser, nsp: '/deny' }).refused();
  assert.equal(denied.message, 'denied');
  assert.deepEqual(denied.data, { code: 4031, reason: 'nope', list: [1, 2] });
  const unknown = await createClient(t, suite.url, { transport, parser, nsp: '/nope' }).refused();
  assert.equal(unknown.message, 'Invalid namespace');
});

overTransports(suite, 'questions and broadcasts work', async ({ connect }) => {
  const [a, b] = await Promise.all([connect({ parser, nsp: '/chat' }), connect({ parser, nsp: '/chat' })]);
  b.socket.on('question', (...args) => args.pop()(...args, 'seen'));
  b.emit('ask', 1, Buffer.from('x'));
  assert.deepEqual(await b.event('answer'), [1, Buffer.from('x'), 'seen']);
  a.emit('emit-to', { scope: 'socket', rooms: [b.id], except: [], ev: 'news', args: [{ data: Buffer.from('y') }] });
  assert.deepEqual(await b.event('news'), [{ data: Buffer.from('y') }]);
  b.emit('disconnect-me', false);
  assert.equal(await b.disconnected(), 'io server disconnect');
});
