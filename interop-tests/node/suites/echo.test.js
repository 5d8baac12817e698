// Plain events: every JSON value comes back as it went.

import assert from 'node:assert/strict';
import { overTransports, suiteServer } from '../lib/harness.js';

const suite = suiteServer();

const nested = (depth) => (depth === 0 ? 'bottom' : [{ next: nested(depth - 1) }]);

const VALUES = {
  null: null,
  true: true,
  false: false,
  zero: 0,
  'a negative integer': -42,
  'the greatest 32 bit integer': 2147483647,
  'one more than 32 bits': 4294967296,
  'the greatest safe integer': Number.MAX_SAFE_INTEGER,
  'the least safe integer': Number.MIN_SAFE_INTEGER,
  '2 to the power of 53': 2 ** 53,
  '2 to the power of 63': 2 ** 63,
  '2 to the power of 64': 2 ** 64,
  'a number of 25 digits': 1234567890123456789012345,
  'a fraction': 0.1 + 0.2,
  'a negative fraction': -1.5,
  'the smallest number': 5e-324,
  'the greatest number': Number.MAX_VALUE,
  'a number with exponent': 1e21,
  'a big integer as text': '123456789012345678901234567890',
  'the empty string': '',
  'ASCII text': 'hello world',
  'text with every escape': '"\\/\b\f\n\r\t\u0000\u001f\u007f',
  'line separators': '\u2028\u2029',
  'the record separator': 'a\u001eb',
  'text with accents': 'äöü ÄÖÜ ß é ñ',
  'Chinese and Cyrillic text': '你好，世界 пойду спать',
  emoji: '🦀👩‍👩‍👧‍👦🇨🇭',
  'a byte order mark': '\ufeffmarked',
  'noncharacters': '\uffff\ufffe',
  'text that looks like packets': '42["echo",1]',
  'text that looks like a probe': '2probe',
  'text with the letter b first': 'bAQID',
  'the empty array': [],
  'the empty object': {},
  'an array of everything': [null, true, 0, -1.5, '', 'x', [], {}, [[]], [{}]],
  'a nested object': { a: { b: { c: [1, { d: null }] } }, 'key with space': { ключ: '値' }, '': 'empty key' },
  '60 levels of nesting': nested(30),
  'a placeholder look-alike': { _placeholder: true, num: 0 },
  'a nested placeholder look-alike': [{ deep: { _placeholder: true, num: 7, more: 'x' } }],
  'a false placeholder': { _placeholder: false, num: 0 },
  'names of Object members': { constructor: 1, prototype: 2, toString: 'x', hasOwnProperty: null },
  'a text of 100 KB': 'lorem ipsum '.repeat(8533),
  'an array of 5000 numbers': Array.from({ length: 5000 }, (_, i) => i * 1.5),
};

overTransports(suite, 'every JSON value is echoed unchanged', async ({ connect }) => {
  const client = await connect();
  for (const [name, value] of Object.entries(VALUES)) {
    client.emit('echo', value);
    assert.deepStrictEqual(await client.event('echo-back'), [value], name);
  }
});

overTransports(suite, 'every JSON value is acknowledged unchanged', async ({ connect }) => {
  const client = await connect();
  const names = Object.keys(VALUES);
  const answers = await Promise.all(names.map((name) => client.ask('echo-ack', VALUES[name])));
  names.forEach((name, i) => assert.deepStrictEqual(answers[i], [VALUES[name]], name));
});

overTransports(suite, 'arguments keep their number and order', async ({ connect }) => {
  const client = await connect();
  for (const args of [[], [null], [null, null], [1, 'two', [3], { four: 4 }, null, false], Array.from({ length: 300 }, (_, i) => i)]) {
    client.emit('echo', ...args);
    assert.deepStrictEqual(await client.event('echo-back'), args);
    assert.deepStrictEqual(await client.ask('echo-ack', ...args), args);
  }
});

overTransports(suite, 'undefined and unrepresentable numbers arrive as null', async ({ connect }) => {
  const client = await connect();
  client.emit('echo', undefined, NaN, Infinity, { gone: undefined, kept: 1 });
  assert.deepStrictEqual(await client.event('echo-back'), [null, null, null, { kept: 1 }]);
});

overTransports(suite, 'a lone surrogate does not harm the connection', async ({ connect }) => {
  const client = await connect();
  // A string type of well-formed Unicode cannot hold it: the replacement character is as good.
  for (const broken of ['\ud83d', '\ude00', 'cut \ud83d here', '\ude00\ud83d']) {
    const [answer] = await client.ask('echo-ack', broken);
    assert.ok(answer === broken || answer === broken.toWellFormed(), JSON.stringify(answer));
    const [object] = await client.ask('echo-ack', { [broken]: [broken] });
    assert.equal(Object.keys(object).length, 1);
  }
});

overTransports(suite, 'the key __proto__ is a key like any other', async ({ connect }) => {
  const client = await connect();
  const text = '{"__proto__":{"admin":true},"x":{"__proto__":null}}';
  const [answer] = await client.ask('echo-ack', JSON.parse(text));
  assert.equal(JSON.stringify(answer), text);
  assert.equal({}.admin, undefined);
});

overTransports(suite, 'the keys of an object keep their order', async ({ connect }) => {
  const client = await connect();
  const value = { zeta: 1, alpha: { y: 1, x: 2 }, midst: [{ b: 1, a: 2 }] };
  const [answer] = await client.ask('echo-ack', value);
  assert.equal(JSON.stringify(answer), JSON.stringify(value));
});

overTransports(suite, 'the server emits events of any name', async ({ connect }) => {
  const client = await connect();
  for (const name of ['simple', '', 'with space', 'ünï 🦀', 'message', 'error', '__proto__', 'a,b', '"quoted"', '42["x"]']) {
    client.emit('emit-back', name, 1, { two: [2] });
    assert.deepStrictEqual(await client.event(name), [1, { two: [2] }], name);
    client.emit('emit-back', name);
    assert.deepStrictEqual(await client.event(name), [], name);
  }
});

overTransports(suite, 'events without a handler are ignored', async ({ connect }) => {
  const client = await connect();
  client.emit('nobody listens', 1, Buffer.from('x'));
  client.emit('', { a: 1 });
  client.emit('message', 'x');
  await client.flush();
  assert.deepEqual(client.inbox.map((item) => item.event), ['welcome']);
});

overTransports(suite, 'messages sent at once arrive in their order', async ({ connect }) => {
  const client = await connect();
  for (let i = 0; i < 200; i++) client.emit('echo', i);
  await client.flush();
  assert.deepEqual(client.received('echo-back').flat(), Array.from({ length: 200 }, (_, i) => i));
});
