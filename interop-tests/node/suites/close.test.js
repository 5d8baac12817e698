// `io.close()`: clients are told by the end of the connection alone, so that they come back, and the program can end.

import assert from 'node:assert/strict';
import { createClient } from '../lib/client.js';
import { eventually, once, within } from '../lib/deadline.js';
import { TRANSPORTS, scenario } from '../lib/harness.js';
import { RawWebSocket, WebSocketSession } from '../lib/raw.js';
import { startServer } from '../lib/server.js';

/** A server that closes itself on demand and prints why sockets leave. */
async function start(t) {
  const server = await startServer({ program: 'feature_server', mode: 'close' });
  t.after(() => server.stop());
  return server;
}

for (const transport of TRANSPORTS) {
  scenario(`a server that closes loses its clients, who want to come back (${transport})`, async (t) => {
    const server = await start(t);
    const client = createClient(t, server.url, { transport, reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 20 });
    await client.connected();
    const other = await client.open('/other').connected();
    const attempt = once(client.manager, 'reconnect_attempt');
    client.emit('close');
    assert.equal(await client.disconnected(), 'transport close');
    assert.equal(await other.disconnected(), 'transport close');
    await attempt;
    assert.equal(await within(server.exited, 'end of the program'), 'exit 0');
    await eventually(() => server.stdout === 'server shutting down\nserver shutting down\n', 'the reason for both sockets');
  });
}

scenario('a WebSocket gets a close frame without a code, and no packet in front', async (t) => {
  const server = await start(t);
  const session = await WebSocketSession.open(t, server.port);
  await session.send('40');
  assert.match(await session.packet(), /^40\{"sid"/);
  await session.send('42["close"]');
  assert.equal(await session.packet(), null);
  assert.deepEqual(session.end, { code: 1005 });
  assert.equal(await within(server.exited, 'end of the program'), 'exit 0');
  await assert.rejects(RawWebSocket.open(server.port, '/socket.io/?EIO=4&transport=websocket'));
});
