// The example `restart`: a server that ends and begins again, or is killed, and clients that come back.
//
// The official server keeps sessions in memory alone, so this example has no counterpart.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '../lib/client.js';
import { eventually, once, within } from '../lib/deadline.js';
import { TRANSPORTS, scenario } from '../lib/harness.js';
import { exampleCommand, startServer } from '../lib/server.js';

/** A server, and clients of every transport that have read something. */
async function start(t) {
  const folder = mkdtempSync(join(tmpdir(), 'restart-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'sessions.json');
  const server = await startServer({ program: exampleCommand('restart'), env: { SESSIONS: file } });
  t.after(() => server.stop());
  // The first one comes back when it is told to.
  const options = (index) => ({ transport: TRANSPORTS[index], reconnection: index > 0, reconnectionDelay: 50, reconnectionDelayMax: 200 });
  const clients = TRANSPORTS.map((_, index) => createClient(t, server.url, options(index)));
  for (const client of clients) {
    await client.connected();
    assert.deepEqual((await client.event('welcome')).slice(0, 1), [false]);
  }
  clients[0].emit('say', { number: 0, data: Buffer.from([1, 2, 3]) });
  for (const client of clients) assert.deepEqual((await client.event('said'))[0], { number: 0, data: Buffer.from([1, 2, 3]) });
  return { server, clients, file };
}

scenario('a restart is a short interruption: ids, rooms and what was missed come back', async (t) => {
  const { server, clients, file } = await start(t);
  for (let round = 1; round <= 3; round++) {
    const ids = clients.map(({ id }) => id);
    // The last words are under way when the server ends, and one client stays away for longer.
    const [away, ...others] = clients;
    const gone = clients.map((client) => once(client.socket, 'disconnect'));
    const back = others.map((client) => once(client.socket, 'connect'));
    others[0].emit('say', `last words ${round}`);
    server.child.kill('SIGTERM');
    assert.equal(await within(server.exited, 'end of the server'), 'exit 0');
    await Promise.all(gone);
    assert.ok(existsSync(file));
    await server.restart();
    assert.ok(!existsSync(file));
    await Promise.all(back);
    others[0].emit('say', `news ${round}`);
    await others[1].event('welcome');
    await eventually(() => others.every((client) => client.received('said').at(-1)?.[0] === `news ${round}`), 'news');
    const isBack = once(away.socket, 'connect');
    away.socket.connect();
    await isBack;
    await eventually(() => away.received('said').at(-1)?.[0] === `news ${round}`, 'news');
    for (const [index, client] of clients.entries()) {
      assert.deepEqual([client.id, client.socket.recovered], [ids[index], true]);
    }
  }
  // The same for each of them, in the same order; the server may have ended before it heard the last words, which then come after the restart.
  const heard = clients.map((client) => client.received('said').map(([text]) => text));
  assert.deepEqual(heard[1], heard[0]);
  assert.deepEqual(heard[2], heard[0]);
  assert.deepEqual(heard[0].filter((text) => text.startsWith('news')), ['news 1', 'news 2', 'news 3']);
});

scenario('clients of a server that was killed come back as new ones, and are told', async (t) => {
  const { server, clients, file } = await start(t);
  const ids = clients.map(({ id }) => id);
  const gone = clients.map((client) => once(client.socket, 'disconnect'));
  const back = clients.map((client) => once(client.socket, 'connect'));
  await server.kill();
  assert.ok(!existsSync(file));
  await Promise.all(gone);
  await server.restart();
  clients[0].socket.connect();
  await Promise.all(back);
  clients[0].emit('say', 'on we go');
  for (const [index, client] of clients.entries()) {
    assert.equal(client.socket.recovered, false);
    assert.notEqual(client.id, ids[index]);
    assert.deepEqual((await client.event('said'))[0], 'on we go');
  }
});
