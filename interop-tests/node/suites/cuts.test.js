// Two hundred clients on a bad line: it is cut for two seconds again and again, and between the cuts it stalls, is half closed, is slow, and lets connections
// overtake each other. With connection state recovery every message of the server arrives, in order, once; with retries and numbers every message of the
// clients does.
//
// More of it: FAULT_CLIENTS=1000 FAULT_CUTS=30 FAULT_SECONDS=2 node --test suites/cuts.test.js

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectClient } from '../lib/client.js';
import { eventually, pause } from '../lib/deadline.js';
import { startLine } from '../lib/faults.js';
import { TRANSPORTS } from '../lib/harness.js';
import { officialReaders, ourReaders, startOfficialSoakServer, startSoakServer } from '../lib/readers.js';
import { isReference } from '../lib/server.js';

const CLIENTS = Number(process.env.FAULT_CLIENTS ?? 200);
const CUTS = Number(process.env.FAULT_CUTS ?? 3);
const SECONDS = Number(process.env.FAULT_SECONDS ?? 2);
/** Between two messages in either direction. */
const PACE = 25;
const PATIENCE = 60_000 + 100 * CLIENTS;

/** What happens to the line before it is cut. */
const WEATHER = [
  () => {},
  async (line) => {
    line.hold();
    await pause(500);
  },
  async (line) => {
    line.endToClient();
    await pause(100);
  },
  async (line) => {
    line.rate = 50;
    await pause(500);
  },
];

async function suffer(t, server, makeReaders, { transports = TRANSPORTS, clients = CLIENTS } = {}) {
  const line = await startLine(t, server.port);
  line.jitter = 20;
  const control = await connectClient(t, server.url, { reconnection: true });
  const readers = makeReaders(t, line.url, Array.from({ length: clients }, (_, index) => transports[index % transports.length]));
  // Who has received nothing yet has nothing to be recovered with.
  await eventually(() => readers.every(({ greeted }) => greeted), 'everybody', PATIENCE);

  let [isOver, published] = [false, 0];
  const talking = (async () => {
    while (!isOver) {
      await control.ask('publish', published++);
      for (let index = published % 10; index < clients; index += 10) readers[index].put();
      await pause(PACE);
    }
  })();
  const failed = talking.catch((error) => error);
  for (let cut = 0; cut < CUTS; cut++) {
    await pause(500);
    await WEATHER[cut % WEATHER.length](line);
    line.refuse();
    line.cut();
    line.release();
    line.rate = Infinity;
    await pause(1000 * SECONDS);
    await line.accept();
    const back = (reader) => reader.connects.length > reader.seenConnects;
    for (const reader of readers) reader.seenConnects ??= 1;
    await eventually(() => readers.every(back), `everybody after cut ${cut + 1}`, PATIENCE);
    for (const reader of readers) reader.seenConnects = reader.connects.length;
  }
  isOver = true;
  assert.equal(await failed, undefined);

  await eventually(() => readers.every(({ news }) => news.length >= published), 'all news', PATIENCE).catch(() => {});
  const numbers = Array.from({ length: published }, (_, n) => n);
  for (const { name, news, connects } of readers) {
    assert.deepEqual(news, numbers, `news of ${name}`);
    assert.ok(connects.slice(1).every(Boolean), `${name} was recovered each time`);
  }
  const taken = async () => (await control.ask('taken'))[0];
  const isTaken = (counts) => readers.every(({ name, puts }) => puts === 0 || counts[name]?.next === puts);
  await eventually(async () => isTaken(await taken()), 'everything that was put', PATIENCE).catch(() => {});
  const counts = await taken();
  for (const { name, puts } of readers.filter(({ puts }) => puts > 0)) {
    const { next, wrong } = counts[name];
    assert.deepEqual({ next, wrong }, { next: puts, wrong: 0 }, `numbers of ${name}`);
  }
  const again = Object.values(counts).reduce((sum, { again }) => sum + again, 0);
  const returns = readers.reduce((sum, { connects }) => sum + connects.length - 1, 0);
  t.diagnostic(`${clients} clients, ${CUTS} cuts: ${published} news for each, ${returns} returns, ${again} numbers came again and were recognized`);
}

test('official clients lose, double and reorder nothing with our server', { skip: isReference }, async (t) => {
  await suffer(t, await startSoakServer(t, { env: { RECOVERY: '1' } }), officialReaders);
});

test('our clients lose, double and reorder nothing with our server', { skip: isReference }, async (t) => {
  await suffer(t, await startSoakServer(t, { env: { RECOVERY: '1' } }), ourReaders);
});

// The official server notices at once that a WebSocket is lost, but not that a client on polling is. Who comes back before gets a new session, or shares the old
// one with the socket of before, which takes the rooms away when it ends; so there is nothing that could be promised over polling.
test('our clients lose, double and reorder nothing with the official server', async (t) => {
  const server = await startOfficialSoakServer(t, { connectionStateRecovery: {} });
  await suffer(t, server, ourReaders, { transports: ['websocket'], clients: Math.ceil(CLIENTS / 2) });
});
