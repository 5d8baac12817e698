// Binary arguments: alone, nested, empty, many, of every binary type.

import assert from 'node:assert/strict';
import { overTransports, suiteServer } from '../lib/harness.js';

const suite = suiteServer();

const bytes = (n) => Buffer.from(Array.from({ length: n }, (_, i) => i % 256));

const ARGUMENTS = {
  'a buffer': [bytes(5)],
  'every byte value': [bytes(256)],
  'an empty buffer': [Buffer.alloc(0)],
  'a buffer between others': ['before', bytes(3), 'after', null],
  'several buffers': [bytes(1), bytes(2), bytes(3)],
  'equal buffers': [bytes(4), bytes(4)],
  'a buffer in an object': [{ file: bytes(7), name: 'x.bin' }],
  'a buffer in an array': [[bytes(2), 1, bytes(3)]],
  'buffers at many depths': [{ a: [{ b: { c: [[bytes(9)]] } }], d: bytes(1) }, bytes(2), [[[bytes(3)]]]],
  'empty and full buffers mixed': [Buffer.alloc(0), bytes(2), Buffer.alloc(0)],
  '10 buffers': Array.from({ length: 10 }, (_, i) => bytes(i)),
  '10 buffers in one object': [Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`key${i}`, bytes(i * 10)]))],
  'text that looks like base64': ['bAQID', bytes(1)],
  '100 KB': [bytes(100_000)],
};

overTransports(suite, 'binary arguments are echoed unchanged', async ({ connect }) => {
  const client = await connect();
  for (const [name, args] of Object.entries(ARGUMENTS)) {
    client.emit('echo', ...args);
    assert.deepStrictEqual(await client.event('echo-back'), args, name);
  }
});

overTransports(suite, 'binary arguments are acknowledged unchanged', async ({ connect }) => {
  const client = await connect();
  const names = Object.keys(ARGUMENTS);
  const answers = await Promise.all(names.map((name) => client.ask('echo-ack', ...ARGUMENTS[name])));
  names.forEach((name, i) => assert.deepStrictEqual(answers[i], ARGUMENTS[name], name));
});

overTransports(suite, 'typed arrays and views arrive as their bytes', async ({ connect }) => {
  const client = await connect();
  const memory = bytes(32);
  const buffer = memory.buffer.slice(memory.byteOffset, memory.byteOffset + 32);
  const views = [
    buffer,
    new Uint8Array(buffer),
    new Uint8Array(buffer, 3, 5),
    new Int8Array(buffer),
    new Uint16Array(buffer, 2, 3),
    new Int32Array(buffer),
    new Float64Array([1.5, -2.25]),
    new BigUint64Array([1n, 2n ** 63n]),
    new DataView(buffer, 4, 8),
    new Uint8Array(0),
  ];
  for (const view of views) {
    const expected = ArrayBuffer.isView(view)
      ? Buffer.from(view.buffer, view.byteOffset, view.byteLength)
      : Buffer.from(view);
    assert.deepStrictEqual(await client.ask('echo-ack', view), [expected], view.constructor.name);
    let sum = 0;
    for (const byte of expected) sum += byte;
    assert.deepStrictEqual(await client.ask('binary-info', view), [{ len: expected.length, sum }]);
  }
});

overTransports(suite, 'the server tells binary from everything else', async ({ connect }) => {
  const client = await connect();
  for (const value of [null, 'AQID', [1, 2, 3], { 0: 1, length: 1 }, { type: 'Buffer', data: [1] }]) {
    assert.deepStrictEqual(await client.ask('binary-info', value), [{ len: -1, sum: 0 }]);
  }
  assert.deepStrictEqual(await client.ask('binary-info', Buffer.alloc(70_000, 255)), [{ len: 70_000, sum: 17_850_000 }]);
});

overTransports(suite, 'the server sends binary of any length', async ({ connect }) => {
  const client = await connect();
  for (const length of [0, 1, 2, 3, 125, 126, 127, 65_535, 65_536, 300_000]) {
    client.emit('binary-gen', length);
    const [data] = await client.event('binary', 10_000);
    assert.ok(data.equals(bytes(length)), `${length} bytes`);
  }
});

overTransports(suite, 'emit-back carries binary, too', async ({ connect }) => {
  const client = await connect();
  client.emit('emit-back', 'mixed', { a: bytes(3) }, 'x', bytes(2));
  assert.deepStrictEqual(await client.event('mixed'), [{ a: bytes(3) }, 'x', bytes(2)]);
});

overTransports(suite, 'a placeholder look-alike without a valid number beside real binary is not mistaken for one', async ({ connect }) => {
  const client = await connect();
  const args = [{ _placeholder: false, num: 0 }, { _placeholder: 'true', num: 0 }, bytes(3)];
  assert.deepStrictEqual(await client.ask('echo-ack', ...args), args);
});

overTransports(suite, 'text and binary sent in turns keep their order', async ({ connect }) => {
  const client = await connect();
  for (let i = 0; i < 60; i++) client.emit('echo', i, ...(i % 2 ? [bytes(i)] : []), ...(i % 3 ? [] : [{ b: bytes(2) }]));
  await client.flush();
  const back = client.received('echo-back');
  assert.deepEqual(back.map(([i]) => i), Array.from({ length: 60 }, (_, i) => i));
  back.forEach((args, i) => {
    if (i % 2) assert.ok(args[1].equals(bytes(i)));
  });
});
