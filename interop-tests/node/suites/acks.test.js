// Acknowledgements in both directions.

import assert from 'node:assert/strict';
import { within } from '../lib/deadline.js';
import { overTransports, suiteServer } from '../lib/harness.js';

const suite = suiteServer();
const data = Buffer.from([1, 2, 3]);

overTransports(suite, 'the server acknowledges with text and binary', async ({ connect }) => {
  const client = await connect();
  assert.deepEqual(await client.ask('echo-ack'), []);
  assert.deepEqual(await client.ask('echo-ack', 1, 'two'), [1, 'two']);
  assert.deepEqual(await client.ask('echo-ack', data), [data]);
  assert.deepEqual(await client.ask('echo-ack', { nested: [data, { x: data }] }, null), [{ nested: [data, { x: data }] }, null]);
});

overTransports(suite, 'emitWithAck resolves to the answer', async ({ connect }) => {
  const client = await connect();
  assert.equal(await within(client.socket.emitWithAck('echo-ack', 'x'), 'answer'), 'x');
  assert.equal(await within(client.socket.timeout(3000).emitWithAck('echo-ack', 'y'), 'answer'), 'y');
});

overTransports(suite, 'answers find their question whatever their order', async ({ connect }) => {
  const client = await connect();
  const order = [];
  const late = client.ask('late', 1500).then(() => order.push('late'));
  const quick = client.ask('echo-ack', 1).then(() => order.push('quick'));
  const sooner = client.ask('late', 100).then(() => order.push('sooner'));
  await Promise.all([late, quick, sooner]);
  assert.deepEqual(order, ['quick', 'sooner', 'late']);
});

overTransports(suite, 'a thousand questions at once are answered each with its own answer', async ({ connect }) => {
  const client = await connect();
  const answers = await Promise.all(Array.from({ length: 1000 }, (_, i) => client.ask('echo-ack', i)));
  answers.forEach((answer, i) => assert.deepEqual(answer, [i]));
});

overTransports(suite, 'an acknowledgement that never comes runs into the client’s timeout', async ({ connect }) => {
  const client = await connect();
  const error = await within(
    new Promise((resolve) => client.socket.timeout(200).emit('no-ack', 'x', resolve)),
    'the timeout',
  );
  assert.equal(error.message, 'operation has timed out');
  await assert.rejects(client.socket.timeout(100).emitWithAck('no-ack'), /timed out/);
});

overTransports(suite, 'an acknowledgement that comes too late is dropped', async ({ connect }) => {
  const client = await connect();
  await assert.rejects(client.socket.timeout(50).emitWithAck('late', 1000), /timed out/);
  assert.deepEqual(await client.ask('late', 1000), ['late']);
});

overTransports(suite, 'events with an acknowledgement work without one', async ({ connect }) => {
  const client = await connect();
  client.emit('echo-ack', 1);
  client.emit('late', 1);
  client.emit('rooms');
  client.emit('count');
  client.emit('join', 'quiet');
  assert.deepEqual(await client.ask('rooms'), [['quiet']]);
});

overTransports(suite, 'the client acknowledges with text, binary and nothing', async ({ connect }) => {
  const client = await connect();
  client.socket.on('question', (...args) => args.pop()(...args, 'seen'));
  for (const args of [[], ['plain', 2], [data], [{ nested: [data] }, null, data]]) {
    client.emit('ask', ...args);
    assert.deepEqual(await client.event('answer'), [...args, 'seen']);
  }
  client.socket.off('question');
  client.socket.on('question', (answer) => answer());
  client.emit('ask');
  assert.deepEqual(await client.event('answer'), []);
});

overTransports(suite, 'many questions of the server are answered each with its own answer', async ({ connect }) => {
  const client = await connect();
  const open = [];
  client.socket.on('question', (i, answer) => open.push(() => answer(i)));
  for (let i = 0; i < 100; i++) client.emit('ask', i);
  await client.flush();
  assert.equal(open.length, 100);
  open.reverse().forEach((answer) => answer());
  // Handlers that waited go on side by side, so their answers come in any order.
  const answers = [];
  for (let i = 0; i < 100; i++) answers.push(...(await client.event('answer')));
  assert.deepEqual(answers.sort((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i));
});

overTransports(suite, 'the server’s timeout ends its question', async ({ connect }) => {
  const client = await connect();
  const [answer] = await Promise.all([
    new Promise((resolve) => client.socket.once('question', (text, late) => resolve(late))),
    client.event('answer-timeout').then((args) => assert.deepEqual(args, [])),
    client.emit('ask-timeout', 100),
  ]);
  answer('too late');
  await client.flush();
  assert.deepEqual(client.received('answer'), []);
  assert.deepEqual(client.received('answer-timeout'), []);
});

overTransports(suite, 'an answer within the server’s timeout counts', async ({ connect }) => {
  const client = await connect();
  client.socket.once('question', (text, answer) => answer(text, data));
  client.emit('ask-timeout', 2000);
  assert.deepEqual(await client.event('answer'), ['timeout', data]);
  // By now the timeout has passed; it must not fire any more.
  assert.deepEqual(await client.ask('late', 2200), ['late']);
  assert.deepEqual(client.received('answer-timeout'), []);
});

overTransports(suite, 'acknowledgement ids of namespaces are independent', async ({ connect }) => {
  const root = await connect();
  const chat = await root.open('/chat').connected();
  const answers = await Promise.all([
    root.ask('late', 100),
    chat.ask('echo-ack', 'chat 0'),
    root.ask('echo-ack', 'root 1'),
    chat.ask('late', 50),
  ]);
  assert.deepEqual(answers, [['late'], ['chat 0'], ['root 1'], ['late']]);
});

overTransports(suite, 'the server still acknowledges after it disconnected others', async ({ connect }) => {
  const one = await connect();
  const other = await connect();
  const pending = one.ask('late', 200);
  other.emit('disconnect-me', true);
  await other.disconnected();
  assert.deepEqual(await pending, ['late']);
});
