// The example `limits`: pages of other origins, addresses behind a proxy, and clients that send too much.

import assert from 'node:assert/strict';
import { connectClient, createClient } from '../lib/client.js';
import { eventually } from '../lib/deadline.js';
import { overTransports, scenario, suiteServer, TRANSPORTS } from '../lib/harness.js';
import { exampleCommand } from '../lib/server.js';

// The tests stand in for the proxy.
const suite = suiteServer({ program: exampleCommand('limits'), env: { TRUSTED_PROXIES: '127.0.0.1' } });

// More than passes while a machine is busy with something else.
const MANY = 100;
let addresses = 0;

/** What the proxy says of a client that nobody has seen before. */
function somebody() {
  return { 'X-Forwarded-For': `203.0.113.${++addresses}` };
}

function isTooMuch(answer) {
  if (answer.message !== 'too many events') return false;
  assert.ok(answer.data.retryAfter > 0 && answer.data.retryAfter <= 500, answer.data.retryAfter);
  return true;
}

overTransports(suite, 'what is too much is refused, and later events pass', async ({ connect }) => {
  const client = await connect({ extraHeaders: somebody() });
  const answers = (await Promise.all(Array.from({ length: MANY }, (_, i) => client.ask('say', `message ${i}`)))).map(([answer]) => answer);
  const refused = answers.filter((answer) => typeof answer !== 'number');
  assert.ok(refused.length > 0 && refused.length <= MANY - 5, `${refused.length} of ${MANY} were refused`);
  assert.ok(refused.every(isTooMuch));
  await eventually(async () => typeof (await client.ask('say', 'later'))[0] === 'number', 'an event that passes');
});

overTransports(suite, 'where that is wanted, whoever sends too much has to leave', async ({ t, connect }) => {
  const main = await connect({ extraHeaders: somebody() });
  const strict = await main.open('/strict').connected();
  for (let i = 0; i < MANY; i++) strict.emit('say', `message ${i}`);
  assert.equal(await strict.disconnected(), 'io server disconnect');
  // What was under way is ignored, and the connection stays.
  assert.equal(typeof (await main.ask('say', 'still here'))[0], 'number');
});

overTransports(suite, 'bytes count, too', async ({ connect }) => {
  const client = await connect({ extraHeaders: somebody() });
  const [first] = await client.ask('say', 'x'.repeat(16_384));
  // How many got it: clients of before may not have left yet.
  assert.equal(typeof first, 'number');
  const [second] = await client.ask('say', 'x'.repeat(16_384));
  assert.equal(second.message, 'too many events');
  assert.ok(second.data.retryAfter > 500, second.data.retryAfter);
});

for (const transport of ['polling', 'websocket']) {
  scenario(`an address that connects too often has to wait, and no other (${transport})`, async (t) => {
    const extraHeaders = somebody();
    const open = (headers) => {
      const client = createClient(t, suite.url, { transport, extraHeaders: headers, forceNew: true });
      return client.connected().then(
        () => 'connected',
        () => 'refused',
      );
    };
    const outcomes = await Promise.all(Array.from({ length: 40 }, () => open(extraHeaders)));
    const connected = outcomes.filter((outcome) => outcome === 'connected').length;
    assert.ok(connected >= 5 && connected < 40, `${connected} of 40 got in`);
    assert.equal(await open(somebody()), 'connected');
    // It is no use to make up who one is: the proxy adds at the right.
    const liars = await Promise.all(
      Array.from({ length: 40 }, (_, i) => open({ 'X-Forwarded-For': `198.51.100.${i}, 127.0.0.1, ${extraHeaders['X-Forwarded-For']}` })),
    );
    assert.ok(liars.includes('refused'));
  });
}

scenario('a refused client is told when to come back, and comes back by itself', async (t) => {
  const extraHeaders = somebody();
  const refusal = await eventually(async () => {
    const answer = await fetch(`${suite.url}/socket.io/?EIO=4&transport=polling`, { headers: extraHeaders });
    return answer.status === 429 && { after: answer.headers.get('retry-after'), body: await answer.json() };
  }, 'a refusal');
  assert.deepEqual(refusal, { after: '1', body: { code: 4, message: 'Too many requests' } });
  const client = createClient(t, suite.url, { transport: 'polling', extraHeaders, reconnection: true, reconnectionDelay: 200, reconnectionDelayMax: 500 });
  await client.isConnected;
  assert.equal(typeof (await client.ask('say', 'here I am'))[0], 'number');
});

scenario('the address is what the last trusted proxy has seen', async (t) => {
  const address = async (list) => {
    const client = await connectClient(t, suite.url, { extraHeaders: { 'X-Forwarded-For': list } });
    return (await client.ask('address'))[0];
  };
  assert.equal(await address('198.51.100.200'), '198.51.100.200');
  assert.equal(await address('10.9.8.7, 2001:db8::7'), '2001:db8::7');
  assert.equal(await address('198.51.100.201, 127.0.0.1'), '198.51.100.201');
});

for (const transport of TRANSPORTS) {
  scenario(`pages of other origins stay outside (${transport})`, async (t) => {
    const own = { ...somebody(), Origin: suite.url };
    const client = await connectClient(t, suite.url, { transport, extraHeaders: own });
    assert.equal(typeof (await client.ask('say', 'hello'))[0], 'number');
    for (const origin of ['https://evil.example', 'null', `${suite.url}.evil.example`]) {
      const foreign = createClient(t, suite.url, { transport, extraHeaders: { ...somebody(), Origin: origin } });
      assert.match((await foreign.refused()).message, /xhr poll error|websocket error/);
    }
  });
}

scenario('a session of one page is not upgraded by another', async () => {
  const own = { ...somebody(), Origin: suite.url };
  const url = `${suite.url}/socket.io/?EIO=4&transport=polling`;
  const open = await (await fetch(url, { headers: own })).text();
  const { sid } = JSON.parse(open.slice(1));
  for (const method of ['GET', 'POST']) {
    const answer = await fetch(`${url}&sid=${sid}`, { method, headers: { Origin: 'https://evil.example' }, body: method === 'POST' ? '40' : undefined });
    assert.equal(answer.status, 403);
    assert.deepEqual(await answer.json(), { code: 4, message: 'Forbidden' });
  }
  const answer = await fetch(`${url}&sid=${sid}`, { method: 'POST', headers: own, body: '40' });
  assert.equal(await answer.text(), 'ok');
});
