// Slow clients: a WebSocket that is paused beside healthy official clients.
//
// The first half holds for the official server, too. It has no limit and no policies, so the second half is ours alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { connectClient } from '../lib/client.js';
import { eventually, within } from '../lib/deadline.js';
import { TRANSPORTS, scenario, suiteServer } from '../lib/harness.js';
import { isReference } from '../lib/server.js';

const suite = suiteServer({ program: 'feature_server', mode: 'flow' });
const LIMIT = 1_000_000;
const SIZE = 100_000;
/** Together more than the systems of both ends keep for a connection. */
const ROUNDS = 200;

/** A client of frames in `/`, which can be paused: what it got is in `packets`. */
async function pausable(t) {
  const socket = new WebSocket(`ws://127.0.0.1:${suite.port}/socket.io/?EIO=4&transport=websocket`, { perMessageDeflate: false });
  t.after(() => socket.terminate());
  socket.packets = [];
  socket.on('message', (data, isBinary) => {
    const packet = isBinary ? data : data.toString();
    if (packet === '2') return socket.send('3');
    if (packet[0] === '0') return socket.send('40');
    const joined = /^40\{"sid":"(.*?)"/.exec(packet);
    if (joined) socket.id = joined[1];
    else socket.packets.push(packet);
  });
  socket.ended = new Promise((resolve) => socket.once('close', resolve));
  await eventually(() => socket.id, 'joining');
  socket.ticks = () => socket.packets.filter((packet) => packet.slice?.(0, 8) === '42["tick').map((packet) => Number(packet.split(',')[1]));
  return socket;
}

/** Healthy clients of every transport. */
function healthy(t) {
  return Promise.all(TRANSPORTS.map((transport) => connectClient(t, suite.url, { transport })));
}

/** One broadcast, which all these clients have got when it resolves: the acknowledgement. */
async function tick(clients, n, event = 'tick') {
  const answer = await clients[0].ask(event, n, SIZE);
  for (const client of clients) assert.equal((await client.event('tick'))[0], n);
  return answer;
}

const numbers = (count) => Array.from({ length: count }, (_, n) => n);

scenario('a client that does not read keeps no broadcast from the others', async (t) => {
  const paused = await pausable(t);
  const clients = await healthy(t);
  paused.pause();
  let missed = 0;
  for (let n = 0; n < ROUNDS; n++) {
    const [queued, others] = await tick(clients, n);
    assert.deepEqual(others, queued === 4 ? [] : [paused.id]);
    missed += others.length;
    if (!isReference) assert.ok((await clients[0].ask('buffered', paused.id))[0] <= LIMIT);
  }
  // What waited comes as it was sent; behind the limit the newest are missing.
  if (isReference) assert.equal(missed, 0);
  else assert.ok(missed > 0);
  paused.resume();
  await eventually(() => paused.ticks().length >= ROUNDS - missed, 'what waited');
  if (missed === 0) assert.deepEqual(paused.ticks(), numbers(ROUNDS));
  else assert.deepEqual(paused.ticks(), [...new Set(paused.ticks())].sort((a, b) => a - b));
  assert.equal(paused.ticks().length, ROUNDS - missed);
  assert.equal(paused.ticks()[0], 0);
  // It is one of them again.
  await tick(clients, ROUNDS);
  await eventually(() => paused.ticks().at(-1) === ROUNDS, 'the next broadcast');
});

scenario('a client that does not read can be disconnected, and learns of it when it reads', async (t) => {
  const paused = await pausable(t);
  const clients = await healthy(t);
  paused.pause();
  for (let n = 0; n < ROUNDS; n++) await tick(clients, n);
  assert.deepEqual(await clients[0].ask('kick', paused.id), [false]);
  const [left] = await clients[0].ask('left');
  assert.deepEqual(left.at(-1), [paused.id, 'server namespace disconnect']);
  const [queued] = await tick(clients, ROUNDS);
  assert.equal(queued, 3);
  paused.resume();
  await eventually(() => paused.packets.at(-1) === '41', 'the goodbye');
  assert.ok(!paused.ticks().includes(ROUNDS));
  assert.equal(paused.readyState, WebSocket.OPEN);
});

/** A scenario of what the official server does not have. */
function ours(sentence, run) {
  if (isReference) test(sentence, { skip: 'the official server has no limit for what waits' });
  else scenario(sentence, run);
}

/** Makes broadcasts wait for a client that is paused, below the limit. */
async function block(paused, clients) {
  paused.pause();
  const buffered = async () => (await clients[0].ask('buffered', paused.id))[0];
  for (let n = 0; ; n++) {
    assert.ok(n < ROUNDS);
    assert.equal((await tick(clients, n))[0], clients.length + 1);
    const before = await buffered();
    if (before > SIZE && before < LIMIT / 2 && (await buffered()) === before) return before;
  }
}

ours('a broadcast that may not be missed disconnects the client that does not read', async (t) => {
  const paused = await pausable(t);
  const clients = await healthy(t);
  paused.pause();
  let n = 0;
  for (; ; n++) {
    assert.ok(n < ROUNDS);
    const [sent, overflowed] = await tick(clients, n, 'tick-or-leave');
    assert.deepEqual([sent, overflowed], overflowed ? [3, 1] : [4, 0]);
    if (overflowed) break;
  }
  await eventually(async () => {
    const [left] = await clients[0].ask('left');
    return left.some(([id, reason]) => id === paused.id && reason === 'forced close');
  }, 'the end of the paused socket');
  await tick(clients, n + 1);
  paused.resume();
  await within(paused.ended, 'end of the connection');
  // Up to there nothing is missing.
  assert.deepEqual(paused.ticks(), numbers(paused.ticks().length));
});

ours('of a position a client that does not read gets the newest, once', async (t) => {
  const paused = await pausable(t);
  const clients = await healthy(t);
  const before = await block(paused, clients);
  for (let n = 0; n < 500; n++) {
    assert.deepEqual(await clients[1].ask('move', n), [4]);
    const position = await clients[1].event('position');
    assert.equal(position[0], n);
  }
  const [after] = await clients[0].ask('buffered', paused.id);
  assert.ok(after - before < 300, `${after - before} bytes more wait`);
  assert.deepEqual(await clients[0].ask('move', 500), [4]);
  paused.resume();
  const positions = () => paused.packets.filter((packet) => packet.slice?.(0, 4) === '451-');
  await eventually(() => positions().length > 0 && Buffer.isBuffer(paused.packets.at(-1)), 'the position');
  assert.deepEqual(positions(), ['451-["position",500,{"_placeholder":true,"num":0}]']);
  assert.deepEqual(paused.packets.at(-1), Buffer.alloc(100, 7));
});

ours('a program can wait until a client has read', async (t) => {
  const paused = await pausable(t);
  const clients = await healthy(t);
  await block(paused, clients);
  let drained = false;
  const waiting = clients.map((client) => client.ask('drained', paused.id).then(() => (drained = true)));
  await tick(clients, ROUNDS);
  assert.equal(drained, false);
  paused.resume();
  await Promise.all(waiting);
  await eventually(() => paused.ticks().at(-1) === ROUNDS, 'everything');
  // Who leaves ends the waiting.
  await block(paused, clients);
  const lost = clients[0].ask('drained', paused.id);
  // Behind the question, so that the program waits already.
  await clients[0].ask('buffered', paused.id);
  paused.terminate();
  assert.equal((await lost)[0].message, 'socket is disconnected');
});
