// Our Socket.IO client, or the official one: ten thousand numbered messages in each direction while the connection moves from polling to a WebSocket.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startClient } from '../lib/contract-client.js';
import { openSocket } from '../lib/contract-socket.js';
import { eventually, pause } from '../lib/deadline.js';
import { TRANSPORTS } from '../lib/harness.js';
import { startS2 } from '../lib/s2-server.js';

const COUNT = 10_000;
const TIME = 40_000;

/** Sends numbers, a few in each turn, so that they are on their way all the time that something else happens. */
async function count(send) {
  for (let n = 0; n < COUNT; n++) {
    send(n);
    if (n % 25 === 24) await pause(1);
  }
}

for (const transport of TRANSPORTS) {
  test(`ten thousand numbers each way keep their order and are complete (${transport})`, async (t) => {
    const up = [];
    const upgrade = { up: null, down: null };
    let down = 0;
    const server = await startS2(t, {
      maxHttpBufferSize: 1e6,
      serve(io) {
        io.on('connection', (socket) => {
          socket.on('up', (n, data) => up.push([n, data?.[0]]));
          socket.conn.once('upgrade', () => Object.assign(upgrade, { up: up.length, down }));
          count((n) => {
            down = n + 1;
            // Every hundredth has an attachment, which must not get between others.
            socket.emit('down', n, ...(n % 100 === 0 ? [Buffer.from([n / 100])] : []));
          });
        });
      },
    });
    const client = startClient(t, { url: server.url, transport });
    const socket = openSocket(client);
    await count((n) => socket.emit('up', n, ...(n % 100 === 0 ? [Buffer.from([n / 100])] : [])));
    const arrived = () => up.length === COUNT && client.seen.filter(({ ev }) => ev === 'down').length === COUNT;
    await eventually(arrived, 'all numbers', TIME);
    const numbers = Array.from({ length: COUNT }, (_, n) => [n, n % 100 === 0 ? n / 100 : undefined]);
    assert.deepEqual(up, numbers);
    assert.deepEqual(
      socket.received('down').map(([n, data]) => [n, data?.[0]]),
      numbers,
    );
    if (transport === 'upgrade') {
      await client.next('upgrade');
      assert.ok(upgrade.down > 0 && upgrade.down < COUNT && upgrade.up < COUNT, `the upgrade came between: ${JSON.stringify(upgrade)}`);
    }
  });
}
