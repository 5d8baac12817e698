// Limits that only this server has: what handlers that wait may hold, and what clients may say about themselves.
//
// Those of rates, addresses, origins and proxies are in examples/limits.test.js.

import assert from 'node:assert/strict';
import { connectClient } from '../lib/client.js';
import { eventually } from '../lib/deadline.js';
import { overTransports, suiteServer } from '../lib/harness.js';

const suite = suiteServer({ program: 'feature_server', mode: 'own-limits' });
const EVENTS = 7;
/** With the third of them it is more than the limit of 10 000 bytes. */
const TEXT = 'x'.repeat(4000);

overTransports(suite, 'handlers that wait hold so many bytes, and then events wait, and none is lost', async ({ t, connect }) => {
  const [client, other] = [await connect(), await connectClient(t, suite.url)];
  const begun = async () => (await other.ask('begun'))[0];
  const before = await begun();
  const answers = Array.from({ length: EVENTS }, () => client.ask('hold', TEXT));
  await eventually(async () => (await begun()) === before + 3, 'three handlers that wait');
  for (let done = 1; done <= EVENTS; done++) {
    // Others are served, and no more than three have begun.
    assert.equal(await begun(), before + Math.min(2 + done, EVENTS));
    other.emit('release', 1);
    const next = before + Math.min(3 + done, EVENTS);
    await eventually(async () => (await begun()) === next, 'the next handler');
  }
  const numbers = (await Promise.all(answers)).map(([number]) => number - before);
  assert.deepEqual(numbers, [1, 2, 3, 4, 5, 6, 7]);
});

overTransports(suite, 'a single event of any size has its handler, alone', async ({ t, connect }) => {
  const [client, other] = [await connect(), await connectClient(t, suite.url)];
  const [before] = await other.ask('begun');
  const answers = [client.ask('hold', 'x'.repeat(50_000)), client.ask('hold', 1)];
  const begun = async () => (await other.ask('begun'))[0] - before;
  await eventually(async () => (await begun()) === 1, 'the first handler');
  other.emit('release', 1);
  assert.deepEqual(await answers[0], [before + 1]);
  await eventually(async () => (await begun()) === 2, 'the second handler');
  other.emit('release', 1);
  assert.deepEqual(await answers[1], [before + 2]);
});

overTransports(suite, 'what a client says about itself is limited for all namespaces together', async ({ connect }) => {
  // `{"token":""}` is 12 bytes.
  const auth = (bytes) => ({ token: 'x'.repeat(bytes - 12) });
  for (const [bytes, fits] of [[499, true], [500, true], [501, false]]) {
    const client = await connect({ auth: auth(500) });
    const second = client.open('/a', auth(bytes));
    if (fits) {
      await second.connected();
    } else {
      assert.equal((await second.refused()).message, 'too much auth');
      // Without it the client is welcome.
      await client.open('/b').connected();
    }
    client.manager._close();
  }
  // A single one may be of any size.
  const client = await connect({ auth: auth(20_000) });
  assert.equal((await client.open('/a', auth(20)).refused()).message, 'too much auth');
});
