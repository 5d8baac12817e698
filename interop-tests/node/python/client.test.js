// Our Socket.IO client, or the official one, with a server on python-socketio.
//
// PYTHON is the interpreter that has the packages of `../../python/requirements.txt`; by default the one that `interop-tests/run python` sets up.

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { startClient } from '../lib/contract-client.js';
import { openSocket, story } from '../lib/contract-socket.js';
import { pause } from '../lib/deadline.js';
import { TRANSPORTS, scenario, suiteServer } from '../lib/harness.js';

const file = (name) => fileURLToPath(new URL(`../../python/${name}`, import.meta.url));
const suite = suiteServer({ program: [process.env.PYTHON ?? file('.venv/bin/python'), file('server.py')] });

/** Over each transport: a client, and a socket of the namespace `/` that has joined. */
function python(sentence, run, options = {}) {
  for (const transport of TRANSPORTS) {
    scenario(`${sentence} (${transport})`, async (t) => {
      const client = startClient(t, { url: suite.url, transport });
      const socket = openSocket(client, 'a', options);
      await socket.connected();
      if (transport === 'upgrade') await client.next('upgrade');
      await run({ client, socket });
    });
  }
}

const VALUES = [
  [],
  [null],
  [true, false],
  [0, -1, 0.5, 2 ** 53 - 1],
  ['', 'てすと', 'Ä ä Ü ü ß', '🦀', '"\\\u0000'],
  [{ a: { b: [{}, []] } }, [[[]]]],
  [Buffer.alloc(0), Buffer.from([1, 2, 3])],
  [{ text: 'lol', data: Buffer.from('ab'), deep: [{ again: Buffer.from([0]) }] }, 'goodbye'],
  ['x'.repeat(100_000), Buffer.alloc(100_000, 7)],
];

python('values come back as they went, in events and acknowledgements', async ({ socket }) => {
  for (const args of VALUES) {
    socket.emit('echo-back', ...args);
    assert.deepEqual(await socket.event('echo-back'), args);
    assert.deepEqual(await socket.ask('echo', ...args), args);
  }
});

python('the server is answered', async ({ socket }) => {
  for (const args of VALUES) {
    socket.emit('ask', ...args);
    assert.deepEqual(await socket.event('question'), args);
    assert.deepEqual(await socket.event('answer'), [...args, 'seen']);
  }
});

python('many events keep their order', async ({ socket }) => {
  socket.emit('burst', 500);
  for (let n = 0; n < 500; n++) socket.emit('echo-back', n);
  for (let n = 0; n < 500; n++) assert.deepEqual(await socket.event('number'), [n]);
  for (let n = 0; n < 500; n++) assert.deepEqual(await socket.event('echo-back'), [n]);
});

python(
  'the server sees credentials, query and headers',
  async ({ socket }) => {
    assert.deepEqual(await socket.ask('who'), [{ auth: { token: 't', n: [1] }, x: ['7'], header: 'yes' }]);
  },
  { auth: { token: 't', n: [1] }, query: { x: '7' }, headers: { 'X-Test': 'yes' } },
);

python('namespaces share the connection, and a refusal has its data', async ({ client, socket }) => {
  const chat = openSocket(client, 'b', { nsp: '/chat' });
  await chat.connected();
  assert.deepEqual(await chat.ask('echo', 'chat'), ['chat']);
  const refused = openSocket(client, 'c', { nsp: '/auth', auth: { token: 'wrong' } });
  const { message, data } = await refused.next('connect_error');
  assert.deepEqual([message, data], ['unauthorized', { code: 401, list: [1, null] }]);
  const unknown = openSocket(client, 'd', { nsp: '/unknown' });
  assert.equal(typeof (await unknown.next('connect_error')).message, 'string');
  refused.authenticate({ token: 'secret' });
  refused.connect();
  await refused.connected();
  assert.deepEqual(await refused.ask('echo', 'auth'), ['auth']);
  assert.deepEqual(await socket.ask('echo', 'main'), ['main']);
  assert.equal(story(client).filter((word) => word === 'open').length, 1);
});

python('whom the server makes leave comes back when told to', async ({ client, socket }) => {
  socket.emit('leave');
  assert.equal(await socket.disconnected(), 'io server disconnect');
  await client.next('close', { reason: 'forced close' });
  socket.connect();
  await socket.connected();
  assert.deepEqual(await socket.ask('echo', 1), [1]);
});

python('heartbeats keep a silent connection', async ({ client, socket }) => {
  // Without answers to its pings, one each second, the server would have ended the connection after five.
  await pause(6000);
  assert.deepEqual(await socket.ask('echo', 'still here'), ['still here']);
  assert.deepEqual(story(client), ['open', 'a:connect']);
});

python('a server that restarts is found again, with what was emitted meanwhile', async ({ client, socket }) => {
  const chat = openSocket(client, 'b', { nsp: '/chat' });
  await chat.connected();
  await suite.process.kill();
  const reason = await socket.disconnected();
  assert.ok(['transport close', 'transport error'].includes(reason), reason);
  await client.next('reconnect_error');
  for (let n = 0; n < 3; n++) socket.emit('echo-back', n, Buffer.from([n]));
  const answer = chat.ask('echo', 'kept');
  await suite.process.restart();
  await Promise.all([socket.connected(), chat.connected()]);
  assert.deepEqual(await answer, ['kept']);
  for (let n = 0; n < 3; n++) assert.deepEqual(await socket.event('echo-back'), [n, Buffer.from([n])]);
});
