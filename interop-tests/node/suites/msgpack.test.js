// The MessagePack parser: one binary frame per packet, attachments inline.

import assert from 'node:assert/strict';
import * as parser from 'socket.io-msgpack-parser';
import { WebSocket } from 'ws';
import { connectClient, createClient } from '../lib/client.js';
import { within } from '../lib/deadline.js';
import { overTransports, scenario, suiteServer } from '../lib/harness.js';

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

overTransports(suite, 'dates, undefined, NaN and ArrayBuffers stay what they are', async ({ connect }) => {
  const client = await connect({ parser });
  const buffer = new Uint8Array([1, 2, 3]).buffer;
  const values = [new Date(0), new Date(-1), new Date(8.64e15), undefined, NaN, -Infinity, buffer, { a: undefined, b: [buffer, undefined] }];
  client.emit('echo', ...values);
  assert.deepStrictEqual(await client.event('echo-back'), values);
  assert.deepStrictEqual(await client.ask('echo-ack', ...values), values);
});

overTransports(suite, 'missing and undefined arguments are the same', async ({ connect }) => {
  const client = await connect({ parser });
  const info = { len: -1, sum: 0 };
  assert.deepEqual(await client.ask('binary-info', undefined), [info]);
  assert.deepEqual(await client.ask('binary-info', new Uint8Array([1, 2]).buffer.slice(0)), [
    process.env.INTEROP_SERVER === 'reference' ? info : { len: 2, sum: 3 },
  ]);
  assert.deepEqual(await client.ask('binary-info', Buffer.from([1, 2])), [{ len: 2, sum: 3 }]);
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

/** Joins over a bare WebSocket, sends a packet, and collects so many messages, or fewer if the connection ends. */
async function exchange(t, packet, answers) {
  const ws = new WebSocket(`${suite.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  t.after(() => ws.terminate());
  const received = [];
  const closed = new Promise((resolve) => ws.once('close', () => resolve('closed')));
  const answered = new Promise((resolve) => {
    ws.on('message', (data, isBinary) => {
      if (!isBinary) return;
      if (received.push(data) === 1) ws.send(packet);
      if (received.length === answers) resolve('answered');
    });
  });
  await within(new Promise((resolve) => ws.once('open', resolve)), 'open');
  ws.send(CONNECT);
  return { outcome: await within(Promise.race([closed, answered]), 'answer or close'), received };
}

const bytes = (text) => Buffer.from(text, 'latin1');
const CONNECT = bytes('\x83\xa4type\x00\xa4data\xd4\x00\x00\xa3nsp\xa1/');

scenario('on the wire, packets are what the official parser writes', async (t) => {
  const question = bytes('\x85\xa4type\x02\xa4data\x93\xa8echo-ack\x01\xd4\x00\x00\xa7options\x81\xa8compress\xc3\xa2id\x07\xa3nsp\xa1/');
  const { received } = await exchange(t, question, 3);
  const [connect, welcome, answer] = received.map((data) => data.toString('latin1'));
  assert.match(connect, /^\x83\xa4type\x00\xa4data[\x81\x82]\xa3sid\xb4.{20}(\xa3pid(\xb4.{20}|\xd4\x00\x00))?\xa3nsp\xa1\/$/s);
  assert.match(welcome, /^\x83\xa4type\x02\xa4data\x92\xa7welcome\x84.*\xa3nsp\xa1\/$/s);
  assert.equal(answer, '\x84\xa2id\x07\xa4type\x03\xa4data\x92\x01\xd4\x00\x00\xa3nsp\xa1/');
});

const MALFORMED = {
  'an unknown type': '\x82\xa4type\x05\xa3nsp\xa1/',
  'no namespace': '\x82\xa4type\x02\xa4data\x91\xa1e',
  'a connect packet with an array': '\x83\xa4type\x00\xa4data\x90\xa3nsp\xa1/x',
  'a disconnect packet with data': '\x83\xa4type\x01\xa4data\xc0\xa3nsp\xa1/',
  'an event without data': '\x82\xa4type\x02\xa3nsp\xa1/',
  'an id that is none': '\x84\xa4type\x02\xa4data\x91\xa1e\xa2id\xc0\xa3nsp\xa1/',
  'trailing bytes': '\x83\xa4type\x02\xa4data\x91\xa1e\xa3nsp\xa1/\xc0',
  'a packet cut short': '\x83\xa4type\x02\xa4data\x91\xa5e',
  'an array that never ends': '\x83\xa4type\x02\xa4data\xdd\xff\xff\xff\xff\xa1e',
  'the unused byte': '\xc1',
  nothing: '',
  'a connect error': '\x83\xa4type\x04\xa4data\xa1e\xa3nsp\xa1/',
};

scenario('what is no packet ends the connection, and no other', async (t) => {
  const healthy = await connectClient(t, suite.url, { parser });
  for (const [name, packet] of Object.entries(MALFORMED)) {
    const { outcome } = await exchange(t, bytes(packet), 3);
    assert.equal(outcome, 'closed', name);
    assert.deepEqual(await healthy.ask('echo-ack', 1), [1], name);
  }
  const { outcome } = await exchange(t, '2["echo",1]', 3);
  assert.equal(outcome, 'closed', 'text');
});
