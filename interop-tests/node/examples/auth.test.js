// The example `auth`: tokens over HTTP, at the door, renewed, and running out.

import assert from 'node:assert/strict';
import { connectClient, createClient } from '../lib/client.js';
import { pause } from '../lib/deadline.js';
import { overTransports, scenario, suiteServer } from '../lib/harness.js';
import { exampleCommand } from '../lib/server.js';

const SECONDS = 6;
const suite = suiteServer({ program: exampleCommand('auth'), env: { TOKEN_SECONDS: String(SECONDS) } });

const post = (path, body) => fetch(suite.url + path, { method: 'POST', body });

async function login(credentials = 'ann:wonderland') {
  const response = await post('/login', credentials);
  assert.equal(response.status, 200);
  return response.text();
}

scenario('a token takes a name and its password', async () => {
  for (const credentials of ['ann:builder', 'eve:wonderland', 'ann', '']) {
    assert.equal((await post('/login', credentials)).status, 401);
  }
  assert.match(await login(), /^[0-9a-f]{32}$/);
});

overTransports(suite, 'only a good token opens the door', async ({ t, transport, connect }) => {
  for (const token of ['guess', '']) {
    const refused = await createClient(t, suite.url, { transport, auth: { token } }).refused();
    assert.equal(refused.message, 'not authorized');
  }
  const client = await connect({ auth: { token: await login() } });
  assert.deepEqual(await client.ask('whoami'), ['ann']);
});

overTransports(suite, 'who may announce is asked before the handler', async ({ connect }) => {
  const ann = await connect({ auth: { token: await login() } });
  const bob = await connect({ auth: { token: await login('bob:builder') } });
  assert.deepEqual(await ann.ask('announce', 'no'), [{ message: 'ann may not do this' }]);
  assert.equal((await bob.ask('announce', 'yes'))[0] >= 2, true);
  assert.deepEqual(await ann.event('announcement'), ['yes']);
});

overTransports(suite, 'a client renews its token, and ends with the last one', async ({ t, transport, connect }) => {
  const token = await login();
  const client = await connect({ auth: { token } });
  const { id } = client;
  for (const wrong of ['guess', token.toUpperCase()]) {
    assert.deepEqual(await client.ask('renew', wrong), [{ message: 'not authorized' }]);
  }
  assert.deepEqual(await client.ask('renew', await login('bob:builder')), [{ message: "somebody else's token" }]);
  await pause(SECONDS * 550);
  assert.deepEqual(await client.ask('renew', await login()), [SECONDS]);
  await pause(SECONDS * 550);
  assert.deepEqual(await client.ask('whoami'), ['ann']);
  assert.equal(client.id, id);
  assert.deepEqual(await client.event('expired'), ['log in again']);
  assert.equal(await client.disconnected(), 'io server disconnect');
  const refused = await createClient(t, suite.url, { transport, auth: { token } }).refused();
  assert.equal(refused.message, 'not authorized');
  client.socket.auth = { token: await login() };
  client.socket.connect();
  await new Promise((resolve) => client.socket.once('connect', resolve));
  assert.deepEqual(await client.ask('whoami'), ['ann']);
});

overTransports(suite, 'who logs out ends at once, on every connection of that token', async ({ connect }) => {
  const [token, another] = [await login(), await login()];
  const clients = await Promise.all([token, token, another].map((token) => connect({ auth: { token } })));
  await clients[1].ask('renew', another);
  await post('/logout', token);
  assert.deepEqual(await clients[0].event('expired'), ['log in again']);
  for (const client of clients.slice(1)) {
    assert.deepEqual(await client.ask('whoami'), ['ann']);
  }
});

scenario('pages of other origins do not get in', async (t) => {
  const token = await login();
  const { host } = new URL(suite.url);
  for (const transport of ['polling', 'websocket']) {
    const options = { transport, auth: { token } };
    const extraHeaders = { origin: 'https://elsewhere.example' };
    const refused = await createClient(t, suite.url, { ...options, extraHeaders }).refused();
    assert.match(refused.message, /xhr poll error|websocket error/);
    const client = await connectClient(t, suite.url, { ...options, extraHeaders: { origin: `http://${host}` } });
    assert.deepEqual(await client.ask('whoami'), ['ann']);
  }
});
