// What happens to programs: the server is killed under load, it is stopped for longer than heartbeats allow, its clients are, its handlers panic, and it runs out
// of file descriptors. Nobody hangs, and what was promised is kept.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { connectClient } from '../lib/client.js';
import { eventually, pause } from '../lib/deadline.js';
import { TRANSPORTS } from '../lib/harness.js';
import { test } from 'node:test';
import { officialReaders, ourReaders, startSoakServer } from '../lib/readers.js';
import { isReference, siblingCommand } from '../lib/server.js';

const ours = { skip: isReference && 'the server is ours' };
const PATIENCE = 60_000;
const SHORT = { RECOVERY: '1', PING_INTERVAL: '300', PING_TIMEOUT: '1000' };

const transports = (count) => Array.from({ length: count }, (_, index) => TRANSPORTS[index % 3]);
const isGreeted = (readers) => eventually(() => readers.every(({ greeted }) => greeted), 'everybody', PATIENCE);
const numbers = (count) => Array.from({ length: count }, (_, n) => n);

/** Publishes so many news, one after the other. */
async function publish(control, from, to) {
  for (let number = from; number < to; number++) await control.ask('publish', number);
}

test('a server that is killed under load gets all its clients back when it was restarted', ours, async (t) => {
  const server = await startSoakServer(t, { env: { RECOVERY: '1' } });
  const readers = [...officialReaders(t, server.url, transports(60)), ...ourReaders(t, server.url, transports(60))];
  await isGreeted(readers);
  let control = await connectClient(t, server.url);
  for (let round = 0; round < 3; round++) {
    for (const reader of readers) {
      reader.connects = [];
      reader.news = [];
      for (let n = 0; n < 5; n++) reader.put();
    }
    // Nobody waits for these: the server is killed while it sends them.
    for (let n = 0; n < 50; n++) control.emit('publish', n);
    await eventually(() => readers.some(({ news }) => news.length > 0), 'load', PATIENCE);
    await server.kill();
    await server.restart();
    await eventually(() => readers.every(({ connects }) => connects.length > 0), 'everybody', PATIENCE);
    control = await connectClient(t, server.url);
    // Sessions were in the memory of the server that was killed.
    assert.ok(readers.every(({ connects }) => connects.every((isRecovered) => !isRecovered)));
    await control.ask('publish', 1000);
    await eventually(() => readers.every(({ news }) => news.at(-1) === 1000), 'news of the new server', PATIENCE);
    // What was put and not acknowledged comes again, and what is put now behind it.
    for (const reader of readers) reader.put();
    const taken = async () => (await control.ask('taken'))[0];
    const isHere = (counts) => readers.every(({ name }) => counts[name]?.next + counts[name]?.wrong > 0);
    await eventually(async () => isHere(await taken()), 'what was put', PATIENCE);
  }
});

test('a server that was stopped for longer than heartbeats allow goes on with all its clients, and nothing is missing', ours, async (t) => {
  const server = await startSoakServer(t, { env: SHORT });
  const readers = [...officialReaders(t, server.url, transports(15)), ...ourReaders(t, server.url, transports(15))];
  let control = await connectClient(t, server.url);
  await isGreeted(readers);
  await publish(control, 0, 20);
  await eventually(() => readers.every(({ news }) => news.length === 20), 'news');
  server.child.kill('SIGSTOP');
  try {
    await pause(3000);
  } finally {
    server.child.kill('SIGCONT');
  }
  control = await connectClient(t, server.url);
  await publish(control, 20, 40);
  await eventually(() => readers.every(({ news }) => news.length >= 40), 'news', PATIENCE).catch(() => {});
  for (const { name, news, connects } of readers) {
    assert.deepEqual(news, numbers(40), name);
    assert.ok(connects.slice(1).every(Boolean), `${name} was recovered each time`);
  }
  const sockets = async () => (await control.ask('usage'))[0].sockets;
  await eventually(async () => (await sockets()) === readers.length + 1, 'a socket for each client and no other', PATIENCE);
});

test('clients that were stopped for longer than heartbeats allow are missed, and come back with everything', ours, async (t) => {
  const server = await startSoakServer(t, { env: SHORT });
  const control = await connectClient(t, server.url);
  const readers = ourReaders(t, server.url, transports(30));
  await isGreeted(readers);
  const { child } = readers.program;
  child.kill('SIGSTOP');
  try {
    const sockets = async () => (await control.ask('usage'))[0].sockets;
    await publish(control, 0, 10);
    await eventually(async () => (await sockets()) === 1, 'the end of their sockets');
    await publish(control, 10, 20);
  } finally {
    child.kill('SIGCONT');
  }
  await eventually(() => readers.every(({ news }) => news.length >= 20), 'news', PATIENCE);
  for (const { name, news, connects } of readers) {
    assert.deepEqual(news, numbers(20), name);
    // On a busy machine somebody may be missed again.
    assert.ok(!connects[0] && connects.length > 1 && connects.slice(1).every(Boolean), `${name} was recovered each time`);
  }
});

test('handlers that panic under load disturb nobody and leave nothing behind', ours, async (t) => {
  const server = await startSoakServer(t);
  const clients = await Promise.all(transports(12).map((transport) => connectClient(t, server.url, { transport })));
  const ids = clients.map(({ id }) => id);
  const usage = async () => (await clients[0].ask('usage'))[0];
  const round = () =>
    Promise.all(
      clients.map(async (client, index) => {
        for (let n = 0; n < 20; n++) {
          client.emit('panic');
          client.emit('panic', () => {});
          assert.deepEqual(await client.ask('echo', [index, n]), [[index, n]]);
        }
      }),
    );
  await round();
  const before = await usage();
  await round();
  // The heap is not compared: clients on polling have buffers now and then.
  await eventually(async () => (await usage()).tasks <= before.tasks + 5, 'no more tasks than before');
  assert.deepEqual(clients.map(({ id }) => id), ids);
});

/** Processor time of a process, in hundredths of a second. */
function ticks(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 13);
  return Number(user) + Number(system);
}

test('a server without file descriptors serves those who are there, does not spin, and takes others again once it can', ours, async (t) => {
  const [program] = siblingCommand('soak_server');
  const server = await startSoakServer(t, { program: ['sh', '-c', 'ulimit -n 64; exec "$0"', program] });
  const clients = await Promise.all(transports(9).map((transport) => connectClient(t, server.url, { transport })));
  const files = async () => (await clients[1].ask('usage'))[0].files;
  // These take what is left; most of them wait in the queue of the system.
  const greedy = Array.from({ length: 150 }, () => net.connect(server.port, '127.0.0.1').on('error', () => {}));
  t.after(() => greedy.forEach((socket) => socket.destroy()));
  // To count them takes one, too, so that the question is refused when there is none.
  await eventually(async () => (await files()) === undefined, 'the end of the descriptors');

  const [before, since] = [ticks(server.child.pid), performance.now()];
  for (let n = 0; n < 20; n++) {
    for (const client of clients.filter((_, index) => index % 3 > 0)) assert.deepEqual(await client.ask('echo', n), [n]);
    await pause(100);
  }
  const share = (10 * (ticks(server.child.pid) - before)) / (performance.now() - since);
  // A loop that tries again at once takes all of a processor.
  assert.ok(share < 0.5, `${share} of a processor`);

  for (const socket of greedy) socket.destroy();
  const late = await connectClient(t, server.url, { transport: 'upgrade' });
  assert.deepEqual(await late.ask('echo', 'late'), ['late']);
  for (const client of clients) assert.deepEqual(await client.ask('echo', 'still here'), ['still here']);
});
