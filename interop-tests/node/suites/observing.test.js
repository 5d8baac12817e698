// What a server tells of itself: refused requests with the official codes, and its numbers.

import assert from 'node:assert/strict';
import { connectClient } from '../lib/client.js';
import { eventually } from '../lib/deadline.js';
import { scenario, suiteServer } from '../lib/harness.js';
import { PollingSession, RawWebSocket, request } from '../lib/raw.js';

const suite = suiteServer({ program: 'feature_server', mode: 'observing' });

const POLLING = '/socket.io/?EIO=4&transport=polling';
const WEBSOCKET = '/socket.io/?EIO=4&transport=websocket';

scenario('each refused request is told with its code, message and context', async (t) => {
  const client = await connectClient(t, suite.url);
  const { engine } = await connectClient(t, suite.url, { transport: 'upgrade' });
  const session = await PollingSession.open(t, suite.port);
  for (const [options, ...told] of [
    [{ path: '/socket.io/?EIO=4' }, 0, 'Transport unknown', null],
    [{ path: '/socket.io/?EIO=4&transport=pigeon' }, 0, 'Transport unknown', null],
    [{ path: `${POLLING}&sid=nobody` }, 1, 'Session ID unknown', null],
    [{ path: POLLING, method: 'POST' }, 2, 'Bad handshake method', null],
    [{ path: WEBSOCKET }, 3, 'Bad request', 'TRANSPORT_HANDSHAKE_ERROR'],
    [{ path: `${POLLING}&sid=${engine.id}` }, 3, 'Bad request', 'TRANSPORT_MISMATCH'],
    [{ path: session.url.replace('EIO=4', 'EIO=3') }, 3, 'Bad request', 'PROTOCOL_MISMATCH'],
    [{ path: POLLING, headers: { 'X-Stranger': '1' } }, 4, 'no strangers', null],
    [{ path: POLLING.replace('EIO=4', 'EIO=3') }, 5, 'Unsupported protocol version', null],
  ]) {
    const response = await request(suite.port, options);
    assert.equal(response.status, told[0] === 4 ? 403 : 400, options.path);
    const [code, message] = told;
    assert.deepEqual(JSON.parse(response.body), { code, message });
    assert.deepEqual(await client.ask('refused'), [[told]]);
  }
});

scenario('refused WebSockets are told, too', async (t) => {
  const client = await connectClient(t, suite.url);
  for (const [path, headers, ...told] of [
    [WEBSOCKET.replace('websocket', 'pigeon'), {}, 0, 'Transport unknown', null],
    [`${WEBSOCKET}&sid=nobody`, {}, 1, 'Session ID unknown', null],
    [WEBSOCKET, { 'X-Stranger': '1' }, 4, 'no strangers', null],
  ]) {
    const response = await RawWebSocket.open(suite.port, path, { headers });
    assert.equal(response.status, 400);
    assert.equal(response.body, told[1]);
    assert.deepEqual(await client.ask('refused'), [[told]]);
  }
});

scenario('the numbers are those that the official server would count', async (t) => {
  const client = await connectClient(t, suite.url);
  const numbers = async () => (await client.ask('numbers'))[0];
  // Those of the tests before may still be on their way out.
  const before = await eventually(async () => {
    const now = await numbers();
    return now.websocket === 1 && now;
  }, 'this client alone');
  for (let n = 0; n < 10; n++) await client.ask('echo', n);
  const idle = await numbers();
  // Ten events and the question; a pong may come between.
  const packets = idle.packets_in - before.packets_in;
  assert.ok(packets === 11 || packets === 12, `${packets} packets`);
  const others = [];
  for (const transport of ['polling', 'websocket', 'upgrade']) {
    others.push(await connectClient(t, suite.url, { transport }));
  }
  await others[2].ask('echo', 1);
  const busy = await numbers();
  assert.equal(busy.opened - idle.opened, 3);
  assert.equal(busy.upgraded - idle.upgraded, 1);
  assert.equal(busy.polling - idle.polling, 1);
  assert.equal(busy.websocket - idle.websocket, 2);
  for (const { manager } of others) manager._close();
  for (;;) {
    const { polling, websocket, opened } = await numbers();
    if (polling === idle.polling && websocket === idle.websocket) {
      assert.equal(opened, busy.opened);
      break;
    }
  }
});
