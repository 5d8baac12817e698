// Middleware: who may enter a namespace, and what the refused are told.

import assert from 'node:assert/strict';
import { createClient } from '../lib/client.js';
import { overTransports, suiteServer } from '../lib/harness.js';

const suite = suiteServer();

overTransports(suite, 'a refusal carries message and data', async ({ t, transport }) => {
  const client = createClient(t, suite.url, { transport, nsp: '/deny' });
  const error = await client.refused();
  assert.equal(error.message, 'denied');
  assert.deepEqual(error.data, { code: 4031, reason: 'nope', list: [1, 2] });
  assert.equal(client.socket.connected, false);
});

overTransports(suite, 'the token of the auth payload opens the door', async ({ connect }) => {
  const client = await connect({ nsp: '/auth', auth: { token: 'secret' } });
  const [welcome] = await client.event('welcome');
  assert.equal(welcome.nsp, '/auth');
  assert.deepEqual((await client.ask('whoami'))[0].auth, { token: 'secret' });
});

overTransports(suite, 'an auth payload made by a function opens the door', async ({ connect }) => {
  const client = await connect({ nsp: '/auth', auth: (send) => send({ token: 'secret', more: [1] }) });
  assert.deepEqual((await client.ask('whoami'))[0].auth, { token: 'secret', more: [1] });
});

overTransports(suite, 'the token of the query opens the door', async ({ connect }) => {
  const client = await connect({ nsp: '/auth', query: { token: 'secret' } });
  await client.flush();
});

for (const [what, options] of Object.entries({
  'no token': {},
  'a wrong token': { auth: { token: 'guess' } },
  'a wrong token in the query': { query: { token: 'guess' } },
  'a token of a wrong type': { auth: { token: ['secret'] } },
  'a token under another name': { auth: { Token: 'secret' } },
})) {
  overTransports(suite, `${what} is refused`, async ({ t, transport }) => {
    const client = createClient(t, suite.url, { transport, nsp: '/auth', ...options });
    const error = await client.refused();
    assert.equal(error.message, 'unauthorized');
    assert.deepEqual(error.data, { code: 401 });
  });
}

overTransports(suite, 'a refusal leaves the other namespaces of the connection alone', async ({ connect }) => {
  const root = await connect();
  await root.open('/deny').refused();
  await root.open('/auth', { token: 'no' }).refused();
  await root.flush();
  const auth = await root.open('/auth', { token: 'secret' }).connected();
  await auth.flush();
});

overTransports(suite, 'a refused client may try again with better credentials', async ({ t, transport }) => {
  let token = 'guess';
  const client = createClient(t, suite.url, { transport, nsp: '/auth', auth: (send) => send({ token }) });
  await client.refused();
  token = 'secret';
  client.socket.connect();
  await client.isConnected;
  await client.flush();
});

overTransports(suite, 'refused sockets are not counted', async ({ connect }) => {
  const inside = await connect({ nsp: '/auth', auth: { token: 'secret' } });
  const [before] = await inside.ask('count');
  const other = await connect();
  await other.open('/auth', { token: 'no' }).refused();
  assert.deepEqual(await inside.ask('count'), [before]);
});
